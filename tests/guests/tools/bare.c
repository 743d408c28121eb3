// bare FILE...: inserts plain module files in this order, with no thought and as little
// work as that can be: what every loader's time is made of.
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int i, failed = 0;

	for (i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0)) {
			perror(argv[i]);
			failed = 1;
		}
		close(fd);
	}
	return failed;
}
