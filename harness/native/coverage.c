/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linked into a subject of the coverage flavour: hands out its counters as the
 * bytes of a .gcda file. The counters are in the subject's memory; libgcov's
 * writer for freestanding code (gcc >= 12) turns them into a stream. What the
 * rest of libgcov would bring along (files, a libc) is stood in for here.
 */
struct gcov_info;

/* -fprofile-info-section=kc_gcov_info: one pointer an instrumented object, no constructor. */
extern const struct gcov_info *const __start_kc_gcov_info[] __attribute__((visibility("hidden")));
extern const struct gcov_info *const __stop_kc_gcov_info[] __attribute__((visibility("hidden")));

void __gcov_info_to_gcda(const struct gcov_info *info, void (*name)(const char *, void *),
			 void (*dump)(const void *, unsigned int, void *),
			 void *(*allocate)(unsigned int, void *), void *arg);

#define HIDDEN __attribute__((visibility("hidden")))

/* Never called: there is no file to merge with, and nothing but plain counters. */
void __gcov_merge_add(long long *counters, unsigned int n);
HIDDEN void __gcov_merge_add(long long *counters, unsigned int n)
{
	(void)counters;
	(void)n;
}
void *mmap(void *at, unsigned long size, int protection, int flags, int fd, long offset);
HIDDEN void *mmap(void *at, unsigned long size, int protection, int flags, int fd, long offset)
{
	(void)at, (void)size, (void)protection, (void)flags, (void)fd, (void)offset;
	return (void *)-1;
}
void abort(void);
HIDDEN void abort(void)
{
	__builtin_trap();
}

struct sink {
	char *at;
	unsigned long used, room;
};

static void put(const void *from, unsigned int n, void *arg)
{
	struct sink *sink = arg;

	for (unsigned int i = 0; i < n; i++, sink->used++)
		if (sink->used < sink->room)
			sink->at[sink->used] = ((const char *)from)[i];
}

static void ignore_name(const char *name, void *arg)
{
	(void)name;
	(void)arg;
}

static void *no_memory(unsigned int n, void *arg)
{
	(void)n;
	(void)arg;
	return 0;
}

/* The number of bytes of the .gcda that was put into `out`; -1: more than `room`. */
__attribute__((visibility("default"))) long kc_coverage(void *out, unsigned long room);
__attribute__((visibility("default"))) long kc_coverage(void *out, unsigned long room)
{
	struct sink sink = { out, 0, room };

	for (const struct gcov_info *const *info = __start_kc_gcov_info;
	     info != __stop_kc_gcov_info; info++)
		__gcov_info_to_gcda(*info, ignore_name, put, no_memory, &sink);
	return sink.used > room ? -1 : (long)sink.used;
}
