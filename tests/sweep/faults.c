/*
 * Runs one situation of the sweep again and again, each time with one fault, and judges what
 * comes of it. A small tracer: a filter (seccomp) stops the program at the system calls that
 * matter, and nowhere else, so that a run takes some milliseconds.
 *
 *   faults [OPTION]... NAME COMMAND [WORD]...
 *
 * The command runs in a chroot, as the program there. The kernel's part for modules is played
 * here: finit_module, init_module and delete_module are answered with 0 and noted, and what
 * was given from memory must be, byte for byte, the module of that name.
 *
 * The faults: the k-th call of a kind fails with an error; all of them do; the k-th read or
 * write is really done, for fewer bytes than asked; and limits of memory, files, stack and
 * file size. The last line is `NAME: N passed, M failed, T s`.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 512         /* numbers of system calls */
#define EACH 120          /* so many of each kind are made to fail */
#define SECONDS 15        /* a run that takes longer does not end */

struct text {
    char *bytes;
    size_t length, room;
};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void add(struct text *text, const void *bytes, size_t length)
{
    if (text->length + length + 1 > text->room) {
        text->room = (text->length + length + 1) * 2;
        text->bytes = realloc(text->bytes, text->room);
        if (!text->bytes)
            die("memory");
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

static void addf(struct text *text, const char *format, ...)
{
    char line[8192];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    add(text, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

static void clear(struct text *text)
{
    text->length = 0;
    if (text->bytes)
        text->bytes[0] = 0;
}

static int same(const struct text *a, const struct text *b)
{
    return a->length == b->length && !memcmp(a->bytes ? a->bytes : "", b->bytes ? b->bytes : "", a->length);
}

static const char *string(const struct text *text)
{
    return text->bytes ? text->bytes : "";
}

static void read_file(const char *path, struct text *into)
{
    char block[65536];
    ssize_t count;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    clear(into);
    if (file < 0)
        return;
    while ((count = read(file, block, sizeof block)) > 0)
        add(into, block, (size_t)count);
    close(file);
}

/* --- the calls, and what the kernel may answer to each */

struct kind {
    const char *name;
    long number;
    /* Numbers of errors, up to a 0. */
    int errors[6];
    /* Whether a run with EINTR once, or with fewer bytes, must be as good as any. */
    int again;
    /* The argument that says how many bytes, from 1 on, if it may be fewer. */
    int count;
};

static const struct kind kinds[] = {
    {"open", SYS_open, {EIO, ENOMEM, EMFILE, EACCES}, 0, 0},
    {"openat", SYS_openat, {EIO, ENOMEM, EMFILE, EACCES}, 0, 0},
    {"read", SYS_read, {EIO, ENOMEM, EINTR}, 1, 3},
    {"pread64", SYS_pread64, {EIO, ENOMEM, EINTR}, 1, 3},
    {"readv", SYS_readv, {EIO, ENOMEM, EINTR}, 1, 0},
    {"getdents64", SYS_getdents64, {EIO, ENOMEM, EINTR}, 1, 0},
    {"write", SYS_write, {EIO, ENOSPC, EPIPE, EINTR}, 1, 3},
    {"pwrite64", SYS_pwrite64, {EIO, ENOSPC, EINTR}, 1, 3},
    {"writev", SYS_writev, {EIO, ENOSPC, EPIPE, EINTR}, 1, 0},
    {"copy_file_range", SYS_copy_file_range, {EIO, ENOSPC, EXDEV}, 0, 5},
    {"sendfile", SYS_sendfile, {EIO, ENOSPC, EINVAL}, 0, 4},
    {"mmap", SYS_mmap, {ENOMEM}, 0, 0},
    {"mremap", SYS_mremap, {ENOMEM}, 0, 0},
    {"fstat", SYS_fstat, {EIO, ENOMEM}, 0, 0},
    {"stat", SYS_stat, {EIO, ENOMEM, EACCES}, 0, 0},
    {"lstat", SYS_lstat, {EIO, ENOMEM, EACCES}, 0, 0},
    {"newfstatat", SYS_newfstatat, {EIO, ENOMEM, EACCES}, 0, 0},
    {"statx", SYS_statx, {EIO, ENOMEM, EACCES, ENOSYS}, 0, 0},
    {"access", SYS_access, {EIO, ENOMEM, EACCES}, 0, 0},
    {"faccessat", SYS_faccessat, {EIO, ENOMEM, EACCES}, 0, 0},
    {"statfs", SYS_statfs, {EIO, ENOMEM}, 0, 0},
    {"readlink", SYS_readlink, {EIO, ENOMEM, EACCES}, 0, 0},
    {"readlinkat", SYS_readlinkat, {EIO, ENOMEM, EACCES}, 0, 0},
    {"getcwd", SYS_getcwd, {ENOMEM, ENOENT}, 0, 0},
    {"lseek", SYS_lseek, {EIO}, 0, 0},
    {"close", SYS_close, {EIO, EINTR}, 0, 0},
    {"rename", SYS_rename, {EIO, ENOSPC, EROFS}, 0, 0},
    {"renameat", SYS_renameat, {EIO, ENOSPC, EROFS}, 0, 0},
    {"unlink", SYS_unlink, {EIO, EROFS}, 0, 0},
    {"unlinkat", SYS_unlinkat, {EIO, EROFS}, 0, 0},
    {"link", SYS_link, {EIO, ENOSPC, EROFS}, 0, 0},
    {"symlink", SYS_symlink, {EIO, ENOSPC, EROFS}, 0, 0},
    {"symlinkat", SYS_symlinkat, {EIO, ENOSPC, EROFS}, 0, 0},
    {"mkdir", SYS_mkdir, {EIO, ENOSPC, EROFS}, 0, 0},
    {"mkdirat", SYS_mkdirat, {EIO, ENOSPC, EROFS}, 0, 0},
    {"fsync", SYS_fsync, {EIO, ENOSPC}, 0, 0},
    {"fdatasync", SYS_fdatasync, {EIO, ENOSPC}, 0, 0},
    {"ftruncate", SYS_ftruncate, {EIO, ENOSPC}, 0, 0},
    {"fchmod", SYS_fchmod, {EIO, EPERM}, 0, 0},
    {"flock", SYS_flock, {ENOLCK, EINTR}, 1, 0},
    {"dup", SYS_dup, {EMFILE}, 0, 0},
    {"dup2", SYS_dup2, {EMFILE}, 0, 0},
    {"dup3", SYS_dup3, {EMFILE}, 0, 0},
    {"pipe2", SYS_pipe2, {EMFILE, ENFILE}, 0, 0},
    {"memfd_create", SYS_memfd_create, {EMFILE, ENOMEM, EPERM, ENOSYS}, 0, 0},
    {"socket", SYS_socket, {EMFILE, ENOMEM, EPERM, EAFNOSUPPORT}, 0, 0},
    {"bind", SYS_bind, {ENOMEM, EPERM}, 0, 0},
    {"setsockopt", SYS_setsockopt, {ENOMEM, EPERM}, 0, 0},
    {"sendto", SYS_sendto, {ENOMEM, EPERM}, 0, 0},
    {"recvfrom", SYS_recvfrom, {ENOBUFS, ENOMEM, EINTR}, 1, 0},
    {"recvmsg", SYS_recvmsg, {ENOBUFS, ENOMEM, EINTR}, 1, 0},
    {"poll", SYS_poll, {ENOMEM, EINTR}, 1, 0},
    {"ppoll", SYS_ppoll, {ENOMEM, EINTR}, 1, 0},
    {"nanosleep", SYS_nanosleep, {EINTR}, 1, 0},
    {"clock_nanosleep", SYS_clock_nanosleep, {EINTR}, 1, 0},
    {"fork", SYS_fork, {EAGAIN, ENOMEM}, 0, 0},
    {"vfork", SYS_vfork, {EAGAIN, ENOMEM}, 0, 0},
    {"clone", SYS_clone, {EAGAIN, ENOMEM}, 0, 0},
    {"execve", SYS_execve, {ENOMEM, EACCES, EIO}, 0, 0},
    {"wait4", SYS_wait4, {EINTR}, 1, 0},
    {"finit_module", SYS_finit_module, {EPERM, ENOMEM, ENOEXEC, EBUSY, ENOSYS}, 0, 0},
    {"init_module", SYS_init_module, {EPERM, ENOMEM, ENOEXEC, EBUSY}, 0, 0},
    {"delete_module", SYS_delete_module, {EPERM, EBUSY, EAGAIN, EIO}, 0, 0},
    /* What can't fail as nanomod calls it, or is no matter of the kernel's means. */
    {"", SYS_brk, {0}, 0, 0},
    {"", SYS_fcntl, {0}, 0, 0},
    {"", SYS_munmap, {0}, 0, 0},
    {"", SYS_mprotect, {0}, 0, 0},
    {"", SYS_madvise, {0}, 0, 0},
    {"", SYS_arch_prctl, {0}, 0, 0},
    {"", SYS_set_tid_address, {0}, 0, 0},
    {"", SYS_set_robust_list, {0}, 0, 0},
    {"", SYS_rseq, {0}, 0, 0},
    {"", SYS_prlimit64, {0}, 0, 0},
    {"", SYS_rt_sigaction, {0}, 0, 0},
    {"", SYS_rt_sigprocmask, {0}, 0, 0},
    {"", SYS_rt_sigreturn, {0}, 0, 0},
    {"", SYS_sigaltstack, {0}, 0, 0},
    {"", SYS_futex, {0}, 0, 0},
    {"", SYS_sched_yield, {0}, 0, 0},
    {"", SYS_sched_getaffinity, {0}, 0, 0},
    {"", SYS_clock_gettime, {0}, 0, 0},
    {"", SYS_getpid, {0}, 0, 0},
    {"", SYS_gettid, {0}, 0, 0},
    {"", SYS_getuid, {0}, 0, 0},
    {"", SYS_geteuid, {0}, 0, 0},
    {"", SYS_umask, {0}, 0, 0},
    {"", SYS_uname, {0}, 0, 0},
    {"", SYS_sysinfo, {0}, 0, 0},
    {"", SYS_kill, {0}, 0, 0},
    {"", SYS_tkill, {0}, 0, 0},
    {"", SYS_exit, {0}, 0, 0},
    {"", SYS_exit_group, {0}, 0, 0},
    {"", SYS_restart_syscall, {0}, 0, 0},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static const struct {
    int number;
    const char *name;
} names[] = {
    {EIO, "EIO"}, {ENOMEM, "ENOMEM"}, {EMFILE, "EMFILE"}, {EACCES, "EACCES"}, {EINTR, "EINTR"},
    {ENOSPC, "ENOSPC"}, {EPIPE, "EPIPE"}, {EXDEV, "EXDEV"}, {EINVAL, "EINVAL"},
    {ENOSYS, "ENOSYS"}, {EROFS, "EROFS"}, {EPERM, "EPERM"}, {ENFILE, "ENFILE"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"}, {ENOBUFS, "ENOBUFS"}, {ENOENT, "ENOENT"},
    {EAGAIN, "EAGAIN"}, {ENOEXEC, "ENOEXEC"}, {EBUSY, "EBUSY"}, {ENOLCK, "ENOLCK"},
};

static const char *name_of(int error)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == error)
            return names[i].name;
    return "?";
}

/* --- the situation */

static const char *situation, *root = "/", *plain, *template, *out;
static char **command;
static int few = 1, one_of = 1, expected, parallel, sorted, logged, times, reports, quiet, unheard, mixes;
/* How many modules go in or out where nothing fails; -1: some. */
static int inserts = -1;
/* Between commas: what must never go in, what may be left out, what may be where the kernel
 * refuses it, and kinds that are left out. And one file
 * that may be unreadable, by a part of its name. */
static const char *denied = "", *soft = "", *refused = "", *without = "", *passes;
static dev_t program_dev;
static ino_t program_ino;

/* Whether the word is in a list with commas. */
static int is_in(const char *list, const char *word, size_t length)
{
    while (*list) {
        size_t end = strcspn(list, ",");
        if (end == length && !memcmp(list, word, length))
            return 1;
        list += end + (list[end] == ',');
    }
    return 0;
}

/* --- a fault */

struct fault {
    const struct kind *kind;
    /* Which of its calls, from 1 on; 0: all. */
    int at;
    int error;
    /* In place of an error: so many bytes, or with 0 a half. */
    long bytes;
    int is_short;
    /* A limit. */
    int is_limit, resource;
    rlim_t limit;
};

/* --- a run */

struct run {
    int status, is_hung;
    struct text calls, made, standard, errors;
    /* What the fault met. */
    int hits, has_hit_stderr, has_hit_stdout;
    const char *wrong;
};

static int counts[CALLS];
static volatile sig_atomic_t is_late;

static void late(int signal)
{
    (void)signal;
    is_late = 1;
}

/* Whether the process runs the program that is tested: what its commands do is not its affair. */
static int is_program(pid_t pid)
{
    char path[64];
    struct stat stat_of;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    return !stat(path, &stat_of) && stat_of.st_dev == program_dev && stat_of.st_ino == program_ino;
}

static void peek_text(pid_t pid, unsigned long address, struct text *into)
{
    char path[64], byte;
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    clear(into);
    while (memory >= 0 && pread(memory, &byte, 1, (off_t)address++) == 1 && byte)
        add(into, &byte, 1);
    if (memory >= 0)
        close(memory);
}

/* The `name=` of the image, or of what is in a file. */
static void name_of_image(const struct text *image, char *name, size_t size)
{
    static const char key[] = "\0name=";
    const char *found = image->length ? memmem(image->bytes, image->length, key, sizeof key - 1) : NULL;
    snprintf(name, size, "%s", found ? found + sizeof key - 1 : "?");
}

/* Notes what goes in. */
static void note_insertion(struct run *run, pid_t pid, const struct user_regs_struct *regs, long number)
{
    static struct text image, params, whole;
    char path[4200], link[4200], name[256];
    int is_memory = number == SYS_init_module;
    unsigned long options = number == SYS_init_module ? regs->rdx : regs->rsi;
    peek_text(pid, options, &params);
    if (is_memory) {
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        int memory = open(path, O_RDONLY | O_CLOEXEC);
        clear(&image);
        if (memory >= 0 && regs->rsi < (64UL << 20)) {
            char *bytes = malloc(regs->rsi + 1);
            ssize_t count = bytes ? pread(memory, bytes, regs->rsi, (off_t)regs->rdi) : -1;
            if (count > 0)
                add(&image, bytes, (size_t)count);
            free(bytes);
        }
        if (memory >= 0)
            close(memory);
        name_of_image(&image, name, sizeof name);
    } else {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, (int)regs->rdi);
        ssize_t length = readlink(path, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = 0;
        is_memory = !strncmp(link, "/memfd:", 7);
        if (is_memory) {
            read_file(path, &image);
            name_of_image(&image, name, sizeof name);
        } else {
            const char *base = strrchr(link, '/');
            snprintf(name, sizeof name, "%.200s", base ? base + 1 : link);
            name[strcspn(name, ".")] = 0;
        }
    }
    for (char *at = name; *at; at++)
        if (*at == '-')
            *at = '_';
    if (is_memory) {
        snprintf(path, sizeof path, "%s/%s.ko", plain, name);
        read_file(path, &whole);
        if (!same(&image, &whole))
            run->wrong = "an image went in that is not the module's";
    }
    if (is_in(denied, name, strlen(name)))
        run->wrong = "what is denied went in";
    addf(&run->calls, "insert %s %s\n", name, string(&params));
}

static void note_removal(struct run *run, pid_t pid, const struct user_regs_struct *regs)
{
    static struct text name;
    peek_text(pid, regs->rdi, &name);
    addf(&run->calls, "remove %s\n", string(&name));
}

/* Whether a call is about the file that may be passed over. */
static int is_passed_over(pid_t pid, const struct user_regs_struct *regs, long number)
{
    static struct text name;
    char path[64], link[4200];
    if (!passes)
        return 0;
    if (number == SYS_openat) {
        peek_text(pid, regs->rsi, &name);
        return !!strstr(string(&name), passes);
    }
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, (int)regs->rdi);
    ssize_t length = readlink(path, link, sizeof link - 1);
    link[length < 0 ? 0 : length] = 0;
    return !!strstr(link, passes);
}

static void filter(const struct fault *fault)
{
    struct sock_filter code[24];
    unsigned short length = 0;
    const long always[] = {SYS_finit_module, SYS_init_module, SYS_delete_module};
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    if (fault) {
        for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
            code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)always[i], 0, 1);
            code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
        }
        if (fault->kind) {
            code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)fault->kind->number, 0, 1);
            code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
        }
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    } else {
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    struct sock_fprog program = {length, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(125);
}

static void start(const struct fault *fault, int standard, int errors)
{
    static char *environment[] = {"PATH=/sbin:/bin", "LC_ALL=C", NULL};
    int nothing = open("/dev/null", O_RDONLY);
    if (setpgid(0, 0) || nothing < 0 || dup2(nothing, 0) < 0 || dup2(standard, 1) < 0 || dup2(errors, 2) < 0)
        _exit(125);
    if (chroot(root) || chdir("/work"))
        _exit(125);
    /* Not those of whoever called. */
    for (int file = 3; file < 64; file++)
        close(file);
    signal(SIGPIPE, SIG_DFL);
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP))
        _exit(125);
    if (fault && fault->is_limit) {
        struct rlimit limit;
        if (getrlimit(fault->resource, &limit))
            _exit(125);
        limit.rlim_cur = fault->limit;
        if (setrlimit(fault->resource, &limit))
            _exit(125);
    }
    filter(fault);
    execve(command[0], command, environment);
    _exit(126);
}

/* Empties a directory. */
static void empty(const char *path)
{
    char inner[4200];
    struct dirent *entry;
    DIR *directory = opendir(path);
    while (directory && (entry = readdir(directory))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner)) {
            empty(inner);
            rmdir(inner);
        }
    }
    if (directory)
        closedir(directory);
}

static void copy(const char *from, const char *to)
{
    char inner[4200], target[4200];
    struct dirent *entry;
    struct text content = {0};
    DIR *directory = opendir(from);
    while (directory && (entry = readdir(directory))) {
        struct stat kind;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(inner, sizeof inner, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        if (stat(inner, &kind))
            continue;
        if (S_ISDIR(kind.st_mode)) {
            mkdir(target, 0755);
            copy(inner, target);
            continue;
        }
        read_file(inner, &content);
        int file = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file < 0 || write(file, string(&content), content.length) != (ssize_t)content.length)
            die(target);
        close(file);
    }
    if (directory)
        closedir(directory);
    free(content.bytes);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Takes out of a text the numbers behind a key, or the text in quotes. */
static void forget(struct text *text, const char *key)
{
    const char *from = text->bytes, *end = from + text->length, *found;
    char *to = text->bytes;
    size_t length = strlen(key);
    if (!to)
        return;
    while ((found = strstr(from, key))) {
        found += length;
        memmove(to, from, (size_t)(found - from));
        to += found - from;
        if (*found == '"')
            found += strcspn(found + 1, "\"") + 2 <= (size_t)(end - found) ? strcspn(found + 1, "\"") + 2 : 0;
        while (isdigit((unsigned char)*found) || *found == '.')
            found++;
        from = found;
    }
    memmove(to, from, (size_t)(end - from));
    to += end - from;
    text->length = (size_t)(to - text->bytes);
    *to = 0;
}

/* Sorts the lines. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct text *text)
{
    struct text sorted = {0};
    char *lines[4096], *rest = text->bytes, *line;
    size_t count = 0;
    while (rest && count < 4096 && (line = strsep(&rest, "\n")))
        if (*line)
            lines[count++] = line;
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++)
        addf(&sorted, "%s\n", lines[i]);
    free(text->bytes);
    *text = sorted;
}

/* Of what takes its time, leaves what does not hang on that, nor on the way by which a module
 * went in: of a trace, what each module was and how large. */
static void timeless(struct text *text)
{
    static const char *const keys[] = {"\"milliseconds\": ", "inserted in ", "\"ready\": ", "\"how\": "};
    if (text->length && strstr(text->bytes, "\"traceEvents\"")) {
        struct text kept = {0};
        char *rest = text->bytes, *line, *args;
        /* A whole document ends so. */
        int is_whole = text->length > 4 && !strcmp(text->bytes + text->length - 3, "}}\n");
        while ((line = strsep(&rest, "\n")))
            if ((args = strstr(line, "\"args\": {\"ready\"")))
                addf(&kept, "%s\n", args);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            forget(&kept, keys[i]);
        sort_lines(&kept);
        addf(&kept, "%s\n", is_whole ? "whole" : "broken");
        free(text->bytes);
        *text = kept;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        forget(text, keys[i]);
}

/* Lists what was made: each file's path, length and content's sum. */
static void list(const char *path, const char *name, struct text *into)
{
    struct dirent **entries;
    struct text content = {0};
    int count = scandir(path, &entries, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char inner[4200], below[4200], target[4200];
        struct stat kind;
        const char *entry = entries[i]->d_name;
        snprintf(inner, sizeof inner, "%s/%s", path, entry);
        snprintf(below, sizeof below, "%s/%s", name, entry);
        /* What begins with a dot is on its way. */
        if (entry[0] != '.' && !lstat(inner, &kind)) {
            if (S_ISDIR(kind.st_mode)) {
                list(inner, below, into);
            } else if (S_ISLNK(kind.st_mode)) {
                ssize_t length = readlink(inner, target, sizeof target - 1);
                addf(into, "%s -> %.*s\n", below, (int)(length < 0 ? 0 : length), target);
            } else {
                uint64_t sum = 14695981039346656037u;
                read_file(inner, &content);
                if (times)
                    timeless(&content);
                if (content.length > 7 && !strcmp(content.bytes + content.length - 7, "broken\n"))
                    addf(into, "broken ");
                for (size_t at = 0; at < content.length; at++)
                    sum = (sum ^ (unsigned char)content.bytes[at]) * 1099511628211u;
                addf(into, "%s %zu %016lx\n", below, content.length, (unsigned long)sum);
            }
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    free(content.bytes);
}

static void drain(int from, struct text *into)
{
    char block[65536];
    ssize_t count;
    while ((count = read(from, block, sizeof block)) > 0)
        add(into, block, (size_t)count);
}

/* What becomes of a call at which the program was stopped. Returns how it goes on. */
static int decide(struct run *run, const struct fault *fault, pid_t pid, long *at_exit)
{
    struct user_regs_struct regs;
    *at_exit = 0;
    if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
        return PTRACE_CONT;
    long number = (long)regs.orig_rax;
    int is_module = number == SYS_finit_module || number == SYS_init_module || number == SYS_delete_module;
    int counted = number >= 0 && number < CALLS && is_program(pid);
    int seen = counted ? ++counts[number] : 0;
    if (counted && fault && fault->kind && number == fault->kind->number && (!fault->at || fault->at == seen)) {
        if (is_passed_over(pid, &regs, number))
            return PTRACE_CONT;
        run->hits++;
        if (number == SYS_write || number == SYS_writev) {
            run->has_hit_stderr |= regs.rdi == 2;
            run->has_hit_stdout |= regs.rdi == 1;
        }
        if (fault->is_short) {
            unsigned long long *count = fault->kind->count == 3 ? &regs.rdx
                                      : fault->kind->count == 4 ? &regs.r10 : &regs.r8;
            if (*count > 1)
                *count = fault->bytes && (unsigned long long)fault->bytes < *count
                    ? (unsigned long long)fault->bytes : (*count + 1) / 2;
            ptrace(PTRACE_SETREGS, pid, 0, &regs);
            return PTRACE_CONT;
        }
        if (number == SYS_close) {
            /* It is closed all the same. */
            *at_exit = -fault->error;
            return PTRACE_SYSCALL;
        }
        regs.orig_rax = (unsigned long long)-1;
        regs.rax = (unsigned long long)-(long long)fault->error;
        ptrace(PTRACE_SETREGS, pid, 0, &regs);
        return PTRACE_CONT;
    }
    if (is_module) {
        if (number == SYS_delete_module)
            note_removal(run, pid, &regs);
        else
            note_insertion(run, pid, &regs, number);
        regs.orig_rax = (unsigned long long)-1;
        regs.rax = 0;
        ptrace(PTRACE_SETREGS, pid, 0, &regs);
    }
    return PTRACE_CONT;
}

static void perform(struct run *run, const struct fault *fault)
{
    /* Processes whose call of close is to fail when it is over. */
    static struct {
        pid_t pid;
        long answer;
        int stops;
    } closing[128];
    int errors[2];
    clear(&run->calls);
    clear(&run->made);
    clear(&run->standard);
    clear(&run->errors);
    run->hits = run->has_hit_stderr = run->has_hit_stdout = run->is_hung = 0;
    run->wrong = NULL;
    memset(counts, 0, sizeof counts);
    memset(closing, 0, sizeof closing);
    if (out) {
        empty(out);
        if (template)
            copy(template, out);
    }
    /* A file's size can be limited, and a pipe's not: there is always somewhere to complain. */
    int standard = memfd_create("stdout", MFD_CLOEXEC);
    if (standard < 0 || pipe2(errors, O_CLOEXEC) || fcntl(errors[1], F_SETPIPE_SZ, 1 << 20) < 0)
        die("pipe");
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    is_late = 0;
    pid_t first = fork();
    if (first < 0)
        die("fork");
    if (!first)
        start(fault, standard, errors[1]);
    const struct itimerval limit = {{1, 0}, {SECONDS, 0}}, none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &limit, NULL);
    int is_set = 0;
    run->status = -1;
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);
        if (is_late && !run->is_hung) {
            run->is_hung = 1;
            kill(-first, SIGKILL);
        }
        if (pid < 0 && errno == EINTR) {
            if (is_late)
                kill(-first, SIGKILL);
            continue;
        }
        if (pid < 0)
            break;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == first)
                run->status = status;
            continue;
        }
        int go = PTRACE_CONT, signal = 0, event = status >> 16;
        if (!is_set) {
            is_set = 1;
            ptrace(PTRACE_SETOPTIONS, pid, 0,
                   PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
                       | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
        } else if (event == PTRACE_EVENT_SECCOMP) {
            long answer;
            go = decide(run, fault, pid, &answer);
            for (size_t i = 0; answer && i < 128; i++)
                if (!closing[i].pid) {
                    closing[i].pid = pid;
                    closing[i].answer = answer;
                    closing[i].stops = 0;
                    break;
                }
        } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            for (size_t i = 0; i < 128; i++)
                if (closing[i].pid == pid) {
                    if (!closing[i].stops++) {
                        go = PTRACE_SYSCALL;
                        break;
                    }
                    struct user_regs_struct regs;
                    ptrace(PTRACE_GETREGS, pid, 0, &regs);
                    regs.rax = (unsigned long long)closing[i].answer;
                    ptrace(PTRACE_SETREGS, pid, 0, &regs);
                    closing[i].pid = 0;
                    break;
                }
        } else if (!event && WSTOPSIG(status) != SIGSTOP) {
            signal = WSTOPSIG(status);
        }
        ptrace(go, pid, 0, signal);
    }
    setitimer(ITIMER_REAL, &none, NULL);
    close(errors[1]);
    drain(errors[0], &run->errors);
    close(errors[0]);
    lseek(standard, 0, SEEK_SET);
    drain(standard, &run->standard);
    close(standard);
    if (times)
        timeless(&run->standard);
    if (sorted)
        sort_lines(&run->standard);
    if (parallel)
        sort_lines(&run->calls);
    if (out)
        list(out, "", &run->made);
}

/* --- what is right */

static struct run whole, old;
static int passed, failed;

/* Takes the next line of a text. */
static int next_line(const char **at, const char **line, size_t *length)
{
    if (!**at)
        return 0;
    *line = *at;
    *length = strcspn(*at, "\n");
    *at += *length + ((*at)[*length] == '\n');
    return 1;
}

static int has_line(const char *all, const char *wanted, size_t wanted_length)
{
    const char *line;
    size_t length;
    while (next_line(&all, &line, &length))
        if (length == wanted_length && !memcmp(line, wanted, length))
            return 1;
    return 0;
}

/* Whether a call may be left out: of what only somebody else wants, or where it is logged and
 * that is all that is promised. */
static int may_lack(const struct run *run, const char *call, size_t length, const char *soft)
{
    char quoted[300];
    const char *name = (const char *)memchr(call, ' ', length) + 1;
    size_t name_length = strcspn(name, " \n");
    if (is_in(soft, name, name_length))
        return 1;
    snprintf(quoted, sizeof quoted, "'%.*s'", (int)name_length, name);
    return logged && strstr(string(&run->errors), quoted);
}

/* Whether the calls are those of the whole run in order, with some left out; `all`: none but
 * those that may. */
static const char *calls_are_right(const struct run *run, int all, const char *soft)
{
    const char *of_whole = string(&whole.calls), *of_run = string(&run->calls), *line, *other;
    size_t length, other_length;
    while (next_line(&of_run, &line, &length)) {
        for (;;) {
            if (!next_line(&of_whole, &other, &other_length))
                return "it inserts or removes something else, or in another order";
            if (other_length == length && !memcmp(other, line, length))
                break;
            if (all && !may_lack(run, other, other_length, soft))
                return "status 0, and not all is inserted or removed";
        }
    }
    while (all && next_line(&of_whole, &other, &other_length)) {
        if (!may_lack(run, other, other_length, soft))
            return "status 0, and not all is inserted or removed";
    }
    return NULL;
}

/* Whether each file is the old one or the new one. */
static const char *files_are_right(const struct run *run)
{
    const char *all = string(&run->made), *line;
    size_t length;
    int news = 0, olds = 0;
    /* A trace of what failed is another one, and indexes without a module are. */
    int is_partial = times || strstr(string(&run->errors), "left out of the indexes");
    while (next_line(&all, &line, &length)) {
        int is_new = has_line(string(&whole.made), line, length);
        int is_old = has_line(string(&old.made), line, length);
        if (!is_new && !is_old && !(is_partial && strncmp(line, "broken", 6)))
            return "a file is half written";
        news += is_new && !is_old;
        olds += is_old && !is_new;
    }
    if (news && olds && !mixes && !strstr(string(&run->errors), "could not write"))
        return "old files beside new ones, without a word";
    return NULL;
}

/* Whether what was printed are whole lines of what there is to print. */
static const char *lines_are_right(const struct run *run)
{
    const char *all = string(&run->standard), *line;
    size_t length;
    while (next_line(&all, &line, &length))
        if (!has_line(string(&whole.standard), line, length))
            return "something else is printed";
    return NULL;
}

static const char *judged(const struct run *run, const struct fault *fault)
{
    static char words[128];
    if (run->is_hung)
        return "does not end";
    /* So a program ends that prints into a file that its caller has limited, and has done nothing
     * else: but not one that does more. */
    if (WIFSIGNALED(run->status) && WTERMSIG(run->status) == SIGXFSZ && fault->is_limit && !run->calls.length
        && same(&run->made, &old.made) && whole.standard.length && !whole.calls.length)
        return NULL;
    if (WIFSIGNALED(run->status)) {
        snprintf(words, sizeof words, "ends by signal %d", WTERMSIG(run->status));
        return words;
    }
    if (run->wrong)
        return run->wrong;
    int status = WEXITSTATUS(run->status);
    int is_refusal = *refused && fault->kind && fault->kind->number == SYS_delete_module;
    int is_asked_again = fault->kind && fault->kind->again && fault->at && (fault->is_short || fault->error == EINTR);
    if (is_asked_again && status != expected) {
        snprintf(words, sizeof words, "status %d, and could have gone on", status);
        return words;
    }
    if (status == 0 && expected != 0)
        return "status 0, which it is not without faults";
    if (status == 0 || is_asked_again) {
        const char *wrong = calls_are_right(run, 1, is_refusal ? refused : soft);
        if (wrong)
            return wrong;
        if (run->has_hit_stdout && !unheard && fault->error && fault->error != EINTR)
            return "status 0, though nobody heard it";
        if (logged && run->errors.length)
            return out ? files_are_right(run) : NULL;
        if (!same(&run->standard, &whole.standard) && !(unheard && (run->has_hit_stdout || fault->is_limit)))
            return "status 0, and other output";
        if (!same(&run->made, &whole.made))
            return "status 0, and other files";
        return NULL;
    }
    const char *wrong = calls_are_right(run, 0, "");
    if (!wrong && out)
        wrong = files_are_right(run);
    if (!wrong && !reports && !run->has_hit_stdout && !(fault->is_limit && fault->resource == RLIMIT_FSIZE))
        wrong = lines_are_right(run);
    if (!wrong && !quiet && !run->errors.length && !run->has_hit_stderr) {
        snprintf(words, sizeof words, "status %d without a word", status);
        return words;
    }
    return wrong;
}

static void try(const struct fault *fault)
{
    static struct run run;
    perform(&run, fault);
    /* Where nothing was met, there is nothing to judge. */
    if (!fault->is_limit && !run.hits)
        return;
    const char *wrong = judged(&run, fault);
    if (!wrong) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED: %s, ", situation);
    if (fault->is_limit)
        printf("%s %lu: ", fault->resource == RLIMIT_AS ? "RLIMIT_AS" : fault->resource == RLIMIT_NOFILE ? "RLIMIT_NOFILE"
                   : fault->resource == RLIMIT_STACK ? "RLIMIT_STACK" : "RLIMIT_FSIZE", (unsigned long)fault->limit);
    else {
        printf("%s ", fault->kind->name);
        if (fault->at)
            printf("%d", fault->at);
        else
            printf("all");
        if (fault->is_short && fault->bytes)
            printf(" of %ld bytes: ", fault->bytes);
        else if (fault->is_short)
            printf(" of half the bytes: ");
        else
            printf(" %s: ", name_of(fault->error));
    }
    printf("%s: %.*s\n", wrong, (int)strcspn(string(&run.errors), "\n"), string(&run.errors));
    if (getenv("SWEEP_MORE"))
        printf("--- calls:\n%s--- stdout:\n%s--- stderr:\n%s--- files:\n%s---\n", string(&run.calls),
               string(&run.standard), string(&run.errors), string(&run.made));
    fflush(stdout);
}

/* With --few and --one-of, about one of as many, spread over calls, numbers and errors. */
static int is_chosen(void)
{
    static unsigned long seed = 1;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % (unsigned)(few * one_of) == 0;
}

static void limits(int resource, const rlim_t *steps)
{
    for (; *steps != RLIM_INFINITY; steps++) {
        struct fault fault = {.is_limit = 1, .resource = resource, .limit = *steps};
        if (is_chosen())
            try(&fault);
    }
}

static void all_faults(void)
{
    static int of_whole[CALLS];
    memcpy(of_whole, counts, sizeof counts);
    for (long number = 0; number < CALLS; number++) {
        size_t kind = 0;
        while (of_whole[number] && kind < KINDS && kinds[kind].number != number)
            kind++;
        if (of_whole[number] && kind == KINDS) {
            printf("FAILED: %s: system call %ld is not in tests/sweep/faults.c\n", situation, number);
            failed++;
        }
    }
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *kind = &kinds[i];
        /* What fails may bring more of them. */
        int most = of_whole[kind->number];
        if (!most || is_in(without, kind->name, strlen(kind->name)))
            continue;
        most = most > EACH ? EACH : most;
        for (int error = 0; error < 6 && kind->errors[error]; error++) {
            struct fault fault = {.kind = kind, .error = kind->errors[error]};
            for (fault.at = 1; fault.at <= most; fault.at++) {
                if (is_chosen())
                    try(&fault);
            }
            fault.at = 0;
            /* EINTR for ever is no answer; and where no write is ever taken, no word is heard. */
            if (fault.error != EINTR && kind->number != SYS_write && is_chosen())
                try(&fault);
        }
        static const long sizes[] = {1, 0, 100};
        for (size_t size = 0; kind->count && size < 3; size++) {
            struct fault fault = {.kind = kind, .is_short = 1, .bytes = sizes[size]};
            for (fault.at = 1; fault.at <= most; fault.at++)
                if (is_chosen())
                    try(&fault);
            fault.at = 0;
            if (size && is_chosen())
                try(&fault);
        }
    }
    const rlim_t K = 1024, spaces[] = {600 * K, 700 * K, 800 * K, 900 * K, 1000 * K, 1200 * K, 1500 * K, 2000 * K,
        2500 * K, 3000 * K, 4000 * K, 6000 * K, 10000 * K, 20000 * K, 40000 * K, RLIM_INFINITY};
    const rlim_t files[] = {3, 4, 5, 6, 7, 8, 10, 12, RLIM_INFINITY};
    const rlim_t stacks[] = {64 * K, 128 * K, 256 * K, 1024 * K, RLIM_INFINITY};
    const rlim_t sizes[] = {0, 1, 100, 512, 1000, 4096, 10000, 65536, RLIM_INFINITY};
    limits(RLIMIT_AS, spaces);
    limits(RLIMIT_NOFILE, files);
    limits(RLIMIT_STACK, stacks);
    limits(RLIMIT_FSIZE, sizes);
}

static int lines_of(const struct text *text)
{
    int count = 0;
    for (size_t at = 0; at < text->length; at++)
        count += text->bytes[at] == '\n';
    return count;
}

int main(int argc, char **argv)
{
    static char program[4200];
    struct stat kind;
    struct timespec begin, end;
    (void)argc;
    for (argv++; *argv && !strncmp(*argv, "--", 2); argv++) {
        char *option = *argv + 2, *value = strchr(option, '=');
        size_t length = value ? (size_t)(value++ - option) : strlen(option);
#define IS(word) (length == sizeof word - 1 && !memcmp(option, word, length))
        if (IS("root") && value) root = value;
        else if (IS("plain") && value) plain = value;
        else if (IS("out") && value) out = value;
        else if (IS("old") && value) template = value;
        else if (IS("status") && value) expected = atoi(value);
        else if (IS("calls") && value) inserts = atoi(value);
        else if (IS("deny") && value) denied = value;
        else if (IS("soft") && value) soft = value;
        else if (IS("refused") && value) refused = value;
        else if (IS("passes") && value) passes = value;
        else if (IS("without") && value) without = value;
        else if (IS("few") && value) few = atoi(value);
        else if (IS("parallel")) parallel = 1;
        else if (IS("sorted")) sorted = 1;
        else if (IS("one-of") && value) one_of = atoi(value);
        else if (IS("logged")) logged = 1;
        else if (IS("times")) times = 1;
        else if (IS("reports")) reports = 1;
        else if (IS("quiet")) quiet = 1;
        else if (IS("unheard")) unheard = 1;
        else if (IS("mixes")) mixes = 1;
        else {
            fprintf(stderr, "faults: no such option: %s\n", *argv);
            return 2;
        }
    }
    if (!argv[0] || !argv[1]) {
        fprintf(stderr, "usage: faults [OPTION]... NAME COMMAND [WORD]...\n");
        return 2;
    }
    situation = *argv++;
    command = argv;
    snprintf(program, sizeof program, "%s%s", root, command[0]);
    if (stat(program, &kind))
        die(program);
    program_dev = kind.st_dev;
    program_ino = kind.st_ino;
    struct sigaction action = {.sa_handler = late};
    sigaction(SIGALRM, &action, NULL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (out && template) {
        empty(out);
        copy(template, out);
        list(out, "", &old.made);
    }
    perform(&whole, NULL);
    if (getenv("SWEEP_MORE"))
        printf("=== %s: status %x\n--- calls:\n%s--- stdout:\n%s--- stderr:\n%s--- files:\n%s---\n", situation,
               whole.status, string(&whole.calls), string(&whole.standard), string(&whole.errors),
               string(&whole.made));
    if (whole.is_hung || whole.wrong || !WIFEXITED(whole.status) || WEXITSTATUS(whole.status) != expected
        || (inserts >= 0 && lines_of(&whole.calls) != inserts)) {
        printf("FAILED: %s, without faults: status %d and %d modules: %s: %s\n", situation, WEXITSTATUS(whole.status),
               lines_of(&whole.calls), whole.wrong ? whole.wrong : "", string(&whole.errors));
        failed++;
    } else {
        passed++;
        all_faults();
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%s: %d passed, %d failed, %.1f s\n", situation, passed, failed,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    return failed > 0;
}
