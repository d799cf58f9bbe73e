// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for a descriptor, or for SIGINT or SIGTERM, and missing neither. */
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

int stop_wait(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (ppoll(&pfd, 1, NULL, &waiting) < 0 && errno != EINTR)
		return -errno;
	return 0;
}
