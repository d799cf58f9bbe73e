// SPDX-License-Identifier: LGPL-2.1-or-later
/* Starting programs that know nothing of whoever starts them. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

extern char **environ;

#define SECURE_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* A program with more rights than its caller, such as a set-uid one */
static bool secure(void)
{
	return getauxval(AT_SECURE);
}

static bool executable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !eaccess(path, X_OK);
}

/* Where execvp() would find a program, or false: nowhere, or the name is too long */
bool ed_program_find(char *path, size_t size, const char *program)
{
	const char *dir = secure() ? SECURE_PATH : getenv("PATH");
	size_t len;
	int n;

	if (strchr(program, '/') || !dir) {
		n = snprintf(path, size, "%s", program);
		return n < (int)size && executable(path);
	}
	for (;; dir += len + 1) {
		len = strcspn(dir, ":");
		n = snprintf(path, size, "%.*s/%s", len ? (int)len : 1, len ? dir : ".", program);
		if (n < (int)size && executable(path))
			return true;
		if (!dir[len])
			return false;
	}
}

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

/* The caller of a set-uid program must not choose what that runs, nor how */
static int run(pid_t *pid, posix_spawn_file_actions_t *fa, posix_spawnattr_t *attr,
	       char *const argv[])
{
	static char variable[] = "PATH=" SECURE_PATH;
	char *const fixed[] = { variable, NULL };
	char path[4096];

	if (!secure())
		return -posix_spawnp(pid, argv[0], fa, attr, argv, environ);
	if (!ed_program_find(path, sizeof(path), argv[0]))
		return -ENOENT;
	return -posix_spawn(pid, path, fa, attr, argv, fixed);
}

static int start(pid_t *pid, char *const argv[], int in, int out, bool quiet)
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
			err = -run(pid, &fa, &attr, argv);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&fa);
	return -err;
}

/* Without having been waited for if flags say so. -ECHILD: somebody else has done that */
static int wait_for(const struct ed_child *c, int flags)
{
	siginfo_t info = { .si_pid = 0 };
	int err;

	do {
		err = waitid(P_PIDFD, (id_t)c->fd, &info, WEXITED | flags) ? -errno : 0;
	} while (err == -EINTR);
	return err ? err : info.si_pid;
}

/* -ECHILD: it has ended, and the program that uses the library waits for all of its children */
static int take(struct ed_child *c, pid_t pid)
{
	int err;

	c->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (c->fd < 0)
		return errno == ESRCH ? -ECHILD : -errno;
	/* the number may be another's already */
	err = wait_for(c, WNOHANG | WNOWAIT);
	if (err < 0)
		close(c->fd);
	else
		c->pid = pid;
	return err < 0 ? err : 0;
}

/*
 * in, out: descriptors, or -1: nothing. quiet: nobody sees what it complains of.
 * c->pid is 0 if there is nothing to wait for any more.
 */
int ed_spawn(struct ed_child *c, char *const argv[], int in, int out, bool quiet)
{
	pid_t pid;
	int err;

	c->pid = 0;
	err = start(&pid, argv, in, out, quiet);
	if (err)
		return err;
	err = take(c, pid);
	if (!err || err == -ECHILD)
		return 0;
	/* no descriptor is left for it: it is still the one that was just started */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

static void forget(struct ed_child *c)
{
	close(c->fd);
	c->pid = 0;
}

/* It is waited for then, and there is none any more */
bool ed_child_ended(struct ed_child *c)
{
	if (c->pid && wait_for(c, WNOHANG))
		forget(c);
	return !c->pid;
}

/* Whether it ends within the time, which must not be for ever. It is waited for then */
bool ed_child_ends(struct ed_child *c, int ms)
{
	int64_t deadline = ed_deadline(ms);

	while (c->pid && ed_wait(c->fd, POLLIN, deadline) == -EINTR)
		;
	return ed_child_ended(c);
}

void ed_child_kill(const struct ed_child *c)
{
	if (c->pid)
		syscall(SYS_pidfd_send_signal, c->fd, SIGKILL, NULL, 0);
}

void ed_child_wait(struct ed_child *c)
{
	if (!c->pid)
		return;
	wait_for(c, 0);
	forget(c);
}
