// fake-uevent PATH MODALIAS: tells those who listen to the kernel's uevents that there is
// such a device. It is not the kernel who says so: they must not believe it.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>

int main(int argc, char **argv)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	char text[4096];
	int fd, length;

	if (argc != 3)
		return 2;
	length = snprintf(text, sizeof(text),
		"add@%s%cACTION=add%cDEVPATH=%s%cSUBSYSTEM=platform%cMODALIAS=%s%cSEQNUM=1000000%c",
		argv[1], 0, 0, argv[1], 0, 0, argv[2], 0, 0);
	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	if (fd < 0 || sendto(fd, text, length, 0, (void *)&to, sizeof(to)) != length) {
		perror("fake-uevent");
		return 1;
	}
	return 0;
}
