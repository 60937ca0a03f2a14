/* SPDX-License-Identifier: GPL-2.0-only */
/* What the engine does, in small: opens the sanitizer, then runs functions guarded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include "sanitizer.h"
#include "kconform/record.h"

struct seen {
	int why;
	long ret;
	unsigned int reports;
	struct kc_report report;
	unsigned long base;
};
static sigjmp_buf env;
static struct kc_record *record;
static const struct kc_sanitizer *sanitizer;

static void on_stop(int why, const struct kc_site *site) { (void)site; siglongjmp(env, why); }
static void on_fault(int signal) { siglongjmp(env, 100 + signal); }

int rig_open(const void *s, void *r, const void *world, unsigned long size, const void *object,
	     unsigned long object_size, const char *name)
{
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sanitizer = s;
	record = r;
	record->stop = on_stop;
	sigaction(SIGFPE, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	if (shadow_open(sanitizer))
		return -1;
	if (!world)
		return 0;
	sanitizer->invalid(world, size);
	return sanitizer->valid(object, object_size, name);
}

int rig_valid(const void *start, unsigned long size)
{
	return sanitizer->valid(start, size, "arguments");
}

void rig_run(long (*function)(long), long argument, struct seen *seen)
{
	Dl_info where;

	memset(seen, 0, sizeof(*seen));
	if (dladdr((void *)function, &where))
		seen->base = (unsigned long)where.dli_fbase;
	record->reports = 0;
	record->report = NULL;
	seen->why = sigsetjmp(env, 1);
	if (seen->why) {
		sanitizer->unwound();
	} else {
		record->checking = 1;
		seen->ret = function(argument);
	}
	record->checking = 0;
	seen->reports = record->reports;
	if (record->report)
		seen->report = *record->report;
}
