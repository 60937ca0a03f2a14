/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first process of a guest: loads the modules it was given, each in a process of its own, so that
 * one that ends it ends nothing else, says what became of each, and powers off.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_LEVELS 8	/* of the kernel's messages go to the console */
#define CONSOLE_LEVEL 8	/* SYSLOG_ACTION_CONSOLE_LEVEL */

static int load(const char *name)
{
	int file = open(name, O_RDONLY | O_CLOEXEC);

	if (file < 0 || syscall(SYS_finit_module, file, "", 0))
		return errno;
	return 0;
}

int main(void)
{
	char name[32];
	int status;

	klogctl(CONSOLE_LEVEL, NULL, ALL_LEVELS);
	printf("kconform-guest: ready\n");
	fflush(stdout);
	for (int i = 0; snprintf(name, sizeof(name), "/%d.ko", i), !access(name, R_OK); i++) {
		pid_t child = fork();

		if (!child)
			_exit(load(name));
		waitpid(child, &status, 0);
		if (WIFSIGNALED(status))
			printf("kconform-guest: module %d killed\n", i);
		else
			printf("kconform-guest: module %d status %d\n", i, WEXITSTATUS(status));
		fflush(stdout);
	}
	printf("kconform-guest: done\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
