// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for descriptors, or for SIGINT or SIGTERM, and missing neither. */
#include <poll.h>
#include <signal.h>

#include "cli.h"

static volatile sig_atomic_t stop;
static sigset_t waiting;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* The signals are blocked but while waiting */
void stop_prepare(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	sigdelset(&waiting, SIGINT);
	sigdelset(&waiting, SIGTERM);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

bool stop_asked(void)
{
	return stop;
}

/* Either of two; one that is negative is none */
int stop_wait_two(int fd, int other)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN }, { .fd = other, .events = POLLIN },
	};

	if (ppoll(fds, 2, NULL, &waiting) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

int stop_wait(int fd)
{
	return stop_wait_two(fd, -1);
}
