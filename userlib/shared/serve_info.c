// SPDX-License-Identifier: GPL-2.0-only
/*
 * What serve-info adds to a node: a server without functions of its own. Its process
 * rex can be ended by any process that reaches it, with an exit signal or with more
 * messages than its mailbox holds. The node stays then, and the server is opened
 * again, once a second at most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

struct serve_info {
	char node[ERLDIST_NAME_MAX + 1];
	struct erldist_server *s;	/* NULL: it is to be opened again */
	int epfd;			/* of the server's descriptor and the timer */
	int timer;
	struct timespec tried;
	char text[1024];
};

static int watch(const struct serve_info *si, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(si->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static void drop_server(struct serve_info *si)
{
	/* explicitly, as a child may hold a duplicate for a moment */
	if (si->s)
		epoll_ctl(si->epfd, EPOLL_CTL_DEL, erldist_server_fd(si->s), NULL);
	erldist_server_close(si->s);
	si->s = NULL;
}

/* On error si->text says why */
static int open_server(struct serve_info *si)
{
	int err;

	clock_gettime(CLOCK_MONOTONIC, &si->tried);
	err = erldist_server_open(&si->s, si->node, 0, NULL, 0);
	if (!err)
		err = watch(si, erldist_server_fd(si->s));
	if (err) {
		snprintf(si->text, sizeof(si->text), "%s", erldist_strerror(si->s, err));
		drop_server(si);
	}
	return err;
}

/* A second after the last try: that may be now */
static void try_later(const struct serve_info *si)
{
	struct itimerspec when = { .it_value = si->tried };

	when.it_value.tv_sec++;
	timerfd_settime(si->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void failed(struct serve_info *si, int err)
{
	snprintf(si->text, sizeof(si->text), "%s; it is opened again",
		 erldist_strerror(si->s, err));
	drop_server(si);
	try_later(si);
}

static void open_again(struct serve_info *si)
{
	uint64_t n;

	if (read(si->timer, &n, sizeof(n)) == sizeof(n) && open_server(si))
		try_later(si);
}

/* Serves, or tries to again. NULL, or what went wrong with it, for a log */
const char *serve_info_dispatch(struct serve_info *si)
{
	int err;

	si->text[0] = 0;
	if (!si->s)
		open_again(si);
	err = si->s ? erldist_server_dispatch(si->s) : 0;
	if (err)
		failed(si, err);
	return si->text[0] ? si->text : NULL;
}

/* 0, or a negative errno: serve_info_error() says why, and it can be closed only */
int serve_info_open(struct serve_info **sip, const char *node)
{
	struct serve_info *si = calloc(1, sizeof(*si));
	int err;

	*sip = si;
	if (!si)
		return -ENOMEM;
	snprintf(si->node, sizeof(si->node), "%s", node);
	si->epfd = epoll_create1(EPOLL_CLOEXEC);
	si->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = si->epfd < 0 || si->timer < 0 ? -errno : watch(si, si->timer);
	if (!err)
		return open_server(si);
	snprintf(si->text, sizeof(si->text), "epoll: %s", erldist_strerror(NULL, err));
	return err;
}

const char *serve_info_error(const struct serve_info *si)
{
	return si ? si->text : "out of memory";
}

void serve_info_close(struct serve_info *si)
{
	if (!si)
		return;
	drop_server(si);
	if (si->timer >= 0)
		close(si->timer);
	if (si->epfd >= 0)
		close(si->epfd);
	free(si);
}

/* Readable when serve_info_dispatch() has work */
int serve_info_fd(const struct serve_info *si)
{
	return si->epfd;
}
