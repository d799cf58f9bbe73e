// SPDX-License-Identifier: LGPL-2.1-or-later
/* A node of one's own, held by a child: a script is in place of the command. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

static const char script[] =
	"#!/bin/sh\n"
	"echo own@host\n"
	"head -c 1 > /dev/null\n"
	"exec sleep ${SLOW:-0}\n";

/* Whoever was forked before may live on, and has all that we have */
static void check_fork(void)
{
	char node[ED_NODE_SIZE] = "";
	struct ed_own own = { .fd = -1 };
	struct ed_error e = { 0 };
	int64_t begin;
	pid_t child;
	int err;

	err = ed_own_open(&e, &own, node);
	ok(!err && !strcmp(node, "own@host"), "a node of one's own: %s %s", node, e.text);
	child = fork();
	if (!child) {
		sleep(8);
		_exit(0);
	}
	begin = ed_now();
	ed_own_close(&own);
	ok(ed_now() - begin < 4000, "ends though a fork of this program has its input");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* One that waits for a slow reader, for example */
static void check_slow(void)
{
	struct ed_own own = { .fd = -1, .close_ms = 500 };
	char node[ED_NODE_SIZE] = "";
	struct ed_error e = { 0 };
	int64_t begin;
	int err;

	setenv("SLOW", "20", 1);
	err = ed_own_open(&e, &own, node);
	begin = ed_now();
	ed_own_close(&own);
	ok(!err && ed_now() - begin < 10000 && !own.child.pid, "one that does not end is ended");
	unsetenv("SLOW");
}

static void check_ended(void)
{
	char node[ED_NODE_SIZE];
	struct ed_own own = { .fd = -1 };
	struct ed_error e = { 0 };

	if (!ed_own_open(&e, &own, node)) {
		ed_child_kill(&own.child);
		poll(NULL, 0, 200);
	}
	ed_own_close(&own);
	ok(true, "one that has ended by itself is no trouble");
}

/* A number that is gone with the program tells nobody anything */
static void check_explanation(void)
{
	const struct erldist_peer_info info = {
		.node = "erldist-1@here", .name = "b@there",
		.reason = ERLDIST_REASON_NOT_ALLOWED,
	};
	char why[512];

	erldist_explain(why, sizeof(why), &info, NULL);
	ok(!strncmp(why, "b@there does not allow the program's own node;", 46) &&
	   !strstr(why, "erldist-1"), "what fails does not name it: %s", why);
}

int main(void)
{
	char dir[] = "/tmp/erldist-own-XXXXXX", path[64], search[1024];
	int fd;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/erldist", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0 || close(fd))
		return 1;
	snprintf(search, sizeof(search), "%s:%s", dir, getenv("PATH"));
	setenv("PATH", search, 1);
	check_fork();
	check_slow();
	check_ended();
	check_explanation();
	unlink(path);
	rmdir(dir);
	return tap_end();
}
