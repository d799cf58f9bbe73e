// SPDX-License-Identifier: LGPL-2.1-or-later
/* Starting programs that know nothing of whoever starts them. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include "internal.h"

extern char **environ;

static int set_files(posix_spawn_file_actions_t *fa, int in, int out, bool quiet)
{
	int err;

	if (in < 0)
		err = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
	else
		err = posix_spawn_file_actions_adddup2(fa, in, 0);
	if (!err && out < 0)
		err = posix_spawn_file_actions_addopen(fa, 1, "/dev/null", O_WRONLY, 0);
	else if (!err)
		err = posix_spawn_file_actions_adddup2(fa, out, 1);
	if (!err && quiet)
		err = posix_spawn_file_actions_addopen(fa, 2, "/dev/null", O_WRONLY, 0);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(fa, 3);
#endif
	return err;
}

/* No signal is blocked or ignored, whatever the program that uses the library does */
static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t all, none;
	int err;

	sigfillset(&all);
	sigemptyset(&none);
	err = posix_spawnattr_setsigmask(attr, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(attr, &all);
	if (!err)
		err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
						     POSIX_SPAWN_SETSIGDEF);
	return err;
}

/* in, out: descriptors, or -1: nothing. quiet: nobody sees what it complains of */
int ed_spawn(pid_t *pid, char *const argv[], int in, int out, bool quiet)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int err;

	err = posix_spawn_file_actions_init(&fa);
	if (err)
		return -err;
	err = posix_spawnattr_init(&attr);
	if (!err) {
		err = set_files(&fa, in, out, quiet);
		if (!err)
			err = set_signals(&attr);
		if (!err)
			err = posix_spawnp(pid, argv[0], &fa, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&fa);
	return -err;
}
