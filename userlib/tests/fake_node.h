/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A node without a kernel: the functions of lib/node.c, which note what they are
 * given. For one file of a test.
 */
#ifndef FAKE_NODE_H
#define FAKE_NODE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "keeper.h"
#include "tap.h"

static struct {
	unsigned int channels, unreachables, cookies, answers, told[16];
	unsigned int restored, retries;
	int64_t retry;
	int role, error, fd, refuse, cookie_refused;
	uint64_t tag, flags;
	uint32_t creation, peer_creation;
	char peer[ED_NODE_SIZE], text[1024], cookie[300], answer[600];
} seen;

int ed_node_open(struct erldist_keeper *k, int given)
{
	(void)given;
	k->node_source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	k->setup = 2000;
	return k->node_source.fd;
}

int ed_node_bind(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	(void)o;
	seen.creation = k->reg.creation;
	return 0;
}

int ed_node_flags(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		  uint64_t *flags)
{
	(void)k;
	*flags = o->flags ? o->flags : 0x2d07df5fbcULL;
	return 0;
}

int ed_node_settings(struct erldist_keeper *k, struct node_settings *s)
{
	(void)k;
	memset(s, 0, sizeof(*s));
	return 0;
}

void ed_node_restore(struct erldist_keeper *k, const struct node_settings *s)
{
	(void)k;
	(void)s;
	seen.restored++;
}

int ed_node_change(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	(void)k;
	(void)o;
	return 0;
}

int ed_node_channel(struct erldist_keeper *k, const struct hand_over *h)
{
	(void)k;
	if (seen.refuse)
		return seen.refuse;
	seen.channels++;
	seen.role = h->role;
	seen.tag = h->tag;
	seen.flags = h->flags;
	seen.peer_creation = h->creation;
	snprintf(seen.peer, sizeof(seen.peer), "%s", h->peer ? h->peer : "");
	seen.fd = dup(h->fd);
	return 0;
}

int ed_node_cookie(struct erldist_keeper *k, const char *peer, const struct ed_cookie *c)
{
	(void)k;
	if (seen.cookie_refused)
		return seen.cookie_refused;
	seen.cookies++;
	snprintf(seen.cookie, sizeof(seen.cookie), "%s=%s", peer ? peer : "", c ? c->value : "-");
	return 0;
}

int ed_node_answer(struct erldist_keeper *k, const char *peer, uint64_t tag, bool allow,
		   const struct ed_cookie *c)
{
	(void)k;
	seen.answers++;
	seen.tag = tag;
	snprintf(seen.answer, sizeof(seen.answer), "%s %s %s", peer, allow ? "yes" : "no",
		 c ? c->value : "-");
	return 0;
}

void ed_node_retry(struct erldist_keeper *k, const char *peer, int64_t ms)
{
	(void)k;
	(void)peer;
	seen.retries++;
	seen.retry = ms;
}

void ed_node_unreachable(struct erldist_keeper *k, const char *peer, int error, int64_t retry)
{
	(void)k;
	seen.retry = retry;
	seen.unreachables++;
	seen.error = error;
	snprintf(seen.peer, sizeof(seen.peer), "%s", peer);
}

void ed_node_ready(struct source *s, uint32_t events)
{
	(void)s;
	(void)events;
}

static inline void on_event(void *user, const struct erldist_keeper_event *e)
{
	(void)user;
	seen.told[e->type]++;
	snprintf(seen.text, sizeof(seen.text), "%s", e->text);
	printf("# %s\n", e->text);
}

/* Until *what has reached n, as a program does that polls one descriptor */
static inline bool wait_for(struct erldist_keeper *k, const unsigned int *what, unsigned int n, int ms)
{
	struct pollfd pfd = { .fd = erldist_keeper_fd(k), .events = POLLIN };
	int64_t deadline = ed_now() + ms;

	while (*what < n && ed_now() < deadline) {
		if (poll(&pfd, 1, (int)(deadline - ed_now())) < 0 || erldist_keeper_dispatch(k))
			return false;
	}
	return *what >= n;
}

static inline int listener(uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len))
		exit(1);
	*port = ntohs(sa.sin_port);
	return fd;
}

static inline int connect_to(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		close(fd);
		return -1;
	}
	return fd;
}

#endif /* FAKE_NODE_H */
