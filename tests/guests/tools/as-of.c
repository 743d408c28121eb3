// as-of 3.7|3.8 COMMAND...: runs it as a kernel of that age would: each system call that is
// newer does not exist. On all machines their numbers go by age since then, and 3.8 brought
// finit_module.
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

// From here on arm's kernel has calls of its own, which are old.
#define ARM_PRIVATE 0xf0000

int main(int argc, char **argv)
{
	int last = SYS_finit_module;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ARM_PRIVATE, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "3.7") == 0)
		last--;
	else if (strcmp(argv[1], "3.8") != 0)
		return 2;
	code[2].k = last;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("as-of");
		return 2;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
