/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The worker's cages. In the first a subject is loaded: files can be read, and
 * run as a library, but nothing is written, begun or sent. In the second it runs:
 * only the system calls that exploration needs. Every other one fails with EPERM.
 * Of several filters the strictest counts. seccomp's classic BPF needs neither
 * root nor eBPF.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define ALLOW(name) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), \
	RETURN(SECCOMP_RET_ALLOW)
/* with none of these bits in an argument; they are all in its lower half */
#define ALLOW_WITHOUT(name, argument, bits) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), \
	LOAD(args[argument]), \
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0), \
	RETURN(SECCOMP_RET_ALLOW), \
	RETURN(SECCOMP_RET_ERRNO | EPERM)
#define BEGIN \
	LOAD(arch), \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0), \
	RETURN(SECCOMP_RET_KILL_PROCESS), \
	LOAD(nr)
#define COMMON \
	ALLOW(read), ALLOW(write), ALLOW(close), ALLOW(exit), ALLOW(exit_group), \
	ALLOW(brk), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise), ALLOW(futex), \
	ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), \
	ALLOW(sigaltstack), ALLOW(setitimer), ALLOW(getpid), ALLOW(gettid), \
	ALLOW(clock_gettime), ALLOW(clock_nanosleep), ALLOW(getrandom), ALLOW(sched_yield)
/* of one that was made before, and may not have run yet */
#define THREAD_BEGINS ALLOW(rseq), ALLOW(set_robust_list)
#define END RETURN(SECCOMP_RET_ERRNO | EPERM)
#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

#ifdef ARCH
static int enter(struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { length, filter };

	errno = 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* For every thread that there is; where one cannot be, its number comes back. */
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
		return errno ? -errno : -ESRCH;
	return 0;
}
#endif

/* Before a subject is loaded: whatever runs then can change nothing outside of this process. */
int kc_sandbox_to_load(void)
{
#ifdef ARCH
	struct sock_filter filter[] = {
		BEGIN,
		COMMON,
		ALLOW(mmap), ALLOW(mprotect), ALLOW(fstat), ALLOW(newfstatat), ALLOW(lseek),
		ALLOW(pread64), ALLOW(readlinkat), ALLOW(getdents64), ALLOW(faccessat),
		ALLOW(getcwd), THREAD_BEGINS, ALLOW(nanosleep), ALLOW(gettimeofday),
		ALLOW(prctl), ALLOW(seccomp), ALLOW(getrlimit), ALLOW(sched_getaffinity),
		ALLOW_WITHOUT(prlimit64, 0, 0xffffffff), /* of this process alone */
#ifdef __NR_open	/* not on arm64 */
		ALLOW(stat), ALLOW(lstat), ALLOW(access), ALLOW(readlink),
		ALLOW_WITHOUT(open, 1, WRITES),
#endif
		ALLOW_WITHOUT(openat, 2, WRITES),
		END,
	};

	return enter(filter, sizeof(filter) / sizeof(*filter));
#else
	return -ENOSYS;
#endif
}

int kc_sandbox(void)
{
#ifdef ARCH
	struct sock_filter filter[] = {
		BEGIN,
		COMMON,
		ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
		END,
	};

	return enter(filter, sizeof(filter) / sizeof(*filter));
#else
	return -ENOSYS;
#endif
}

/* As kc_sandbox(), where there are several threads; one of them is libtsan's, which mostly sleeps. */
int kc_sandbox_of_threads(void)
{
#ifdef ARCH
	struct sock_filter filter[] = {
		BEGIN,
		COMMON,
		THREAD_BEGINS,
		ALLOW(nanosleep), ALLOW(gettimeofday),
		ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
		END,
	};

	return enter(filter, sizeof(filter) / sizeof(*filter));
#else
	return -ENOSYS;
#endif
}
