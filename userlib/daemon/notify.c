// SPDX-License-Identifier: GPL-2.0-only
/* What the service manager is told, and descriptors that it is to keep: sd_notify(3). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "erldistd.h"

#define SOCKET		"NOTIFY_SOCKET"
#define BARRIER_USEC	5000000

static char *manager;
static uint64_t watchdog_usec;

/* What is started from here on shall not speak for us */
void notify_open(void)
{
	const char *path = getenv(SOCKET);

	if (path && *path)
		manager = strdup(path);
	unsetenv(SOCKET);
	if (sd_watchdog_enabled(1, &watchdog_usec) <= 0)
		watchdog_usec = 0;
}

bool notify_wanted(void)
{
	return manager;
}

/* The library reads the environment each time, and clears it when asked to */
static void before(void)
{
	setenv(SOCKET, manager, 1);
}

/* fd: a descriptor that goes with it, or -1 */
void notify(int fd, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int err;

	if (!manager)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	before();
	err = sd_pid_notify_with_fds(0, 1, text, &fd, fd >= 0);
	if (err < 0)
		say(LOG_WARNING, "the service manager is not told \"%s\": %s", text,
		    strerror(-err));
}

/* Until all that it was told has been done */
void notify_barrier(void)
{
	if (!manager)
		return;
	before();
	sd_notify_barrier(1, BARRIER_USEC);
}

/* A timer for half of the time, or -1: nobody watches */
int watchdog_open(void)
{
	uint64_t half = watchdog_usec / 2;
	struct itimerspec when = { .it_value.tv_nsec = 1 };
	int timer;

	if (!half || !manager)
		return -1;
	when.it_interval.tv_sec = (time_t)(half / 1000000);
	when.it_interval.tv_nsec = (long)(half % 1000000 * 1000);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer >= 0)
		timerfd_settime(timer, 0, &when, NULL);
	return timer;
}

void watchdog_ping(int timer)
{
	uint64_t n;

	if (read(timer, &n, sizeof(n)) == sizeof(n))
		notify(-1, "WATCHDOG=1");
}
