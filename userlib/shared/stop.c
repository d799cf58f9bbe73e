// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for descriptors, or for SIGINT, SIGTERM or SIGHUP, and missing none. */
#include <poll.h>
#include <signal.h>

#include <errno.h>

#include "shared.h"

static volatile sig_atomic_t stop, hangup;
static sigset_t waiting;

static void on_signal(int sig)
{
	if (sig == SIGHUP)
		hangup = 1;
	else
		stop = 1;
}

/* Blocked but while waiting */
static void take(int sig)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigdelset(&waiting, sig);
	sigaction(sig, &sa, NULL);
}

void stop_prepare(void)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	take(SIGINT);
	take(SIGTERM);
}

/* Instead of ending by it, see hangup_came() */
void stop_take_hangup(void)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	take(SIGHUP);
}

/* Since it was asked last */
bool hangup_came(void)
{
	bool came = hangup;

	hangup = 0;
	return came;
}

bool stop_asked(void)
{
	return stop;
}

/* ppoll() delivers none when a descriptor is ready, as one may always be */
static void take_pending(void)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, &waiting, &blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Any of n descriptors, at most three; one that is negative is none */
int stop_wait(const int *fds, unsigned int n)
{
	struct pollfd p[3];
	int ready;

	for (unsigned int i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	ready = ppoll(p, n, NULL, &waiting);
	if (ready < 0 && errno != EINTR)
		return -errno;
	if (ready > 0)
		take_pending();
	return 0;
}
