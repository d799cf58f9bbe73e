// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the service manager is told, and descriptors that it is to keep: the
 * protocol of sd_notify(3), which is datagrams to the socket $NOTIFY_SOCKET.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "erldistd.h"

#define BARRIER_MS	5000

static int sock = -1;
static struct sockaddr_un manager;
static socklen_t manager_len;
static unsigned long long watchdog_usec;

static void take_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (usec && (!pid || atol(pid) == (long)getpid()))
		watchdog_usec = strtoull(usec, NULL, 10);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* What is started from here on shall not speak for us */
void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len > 1 && len < sizeof(manager.sun_path) && (*path == '/' || *path == '@')) {
		manager.sun_family = AF_UNIX;
		memcpy(manager.sun_path, path, len);
		if (*path == '@')
			manager.sun_path[0] = 0;
		manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
		sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	}
	unsetenv("NOTIFY_SOCKET");
	take_watchdog();
}

bool notify_wanted(void)
{
	return sock >= 0;
}

static void send_text(int fd, const char *text)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &manager,
			    .msg_namelen = manager_len };
	struct cmsghdr *c;

	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(sock, &m, MSG_NOSIGNAL) < 0)
		say(LOG_WARNING, "the service manager is not told \"%s\": %s", text,
		    strerror(errno));
}

/* fd: a descriptor that goes with it, or -1 */
void notify(int fd, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	if (sock < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	send_text(fd, text);
}

/* Until all that it was told has been done: then it closes the pipe */
void notify_barrier(void)
{
	struct pollfd p = { .events = 0 };
	int fds[2];

	if (sock < 0 || pipe(fds))
		return;
	notify(fds[1], "BARRIER=1");
	close(fds[1]);
	p.fd = fds[0];
	poll(&p, 1, BARRIER_MS);
	close(fds[0]);
}

/* A timer for half of the time, or -1: nobody watches */
int watchdog_open(void)
{
	unsigned long long half = watchdog_usec / 2;
	struct itimerspec when = { .it_value.tv_nsec = 1 };
	int timer;

	if (!half || sock < 0)
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
