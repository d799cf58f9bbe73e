// SPDX-License-Identifier: LGPL-2.1-or-later
/* Listening, and handing over who connects. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper.h"

#define BACKLOG		128	/* as OTP */
#define ACCEPTS_MAX	64	/* of one call, so that others have their turn */
#define PAUSE_MS	1000	/* without descriptors or memory to accept with */

/* "ADDR:PORT", "[ADDR]:PORT", ":PORT", "*:PORT", "PORT" */
static int split(struct ed_error *e, const char *where, char *host, size_t size, char *port,
		 size_t port_size)
{
	const char *colon = strrchr(where, ':'), *begin = where, *end = colon;

	if (!colon) {
		host[0] = 0;
		snprintf(port, port_size, "%s", where);
	} else {
		if (*where == '[' && colon > where && colon[-1] == ']') {
			begin++;
			end--;
		}
		if ((size_t)(end - begin) >= size)
			return ed_fail(e, -EINVAL, "%s: the address is too long", where);
		memcpy(host, begin, (size_t)(end - begin));
		host[end - begin] = 0;
		snprintf(port, port_size, "%s", colon + 1);
	}
	if (!strcmp(host, "*"))
		host[0] = 0;
	if (!*port || port[strspn(port, "0123456789")] || atol(port) > 65535)
		return ed_fail(e, -EINVAL, "%s: expected ADDRESS:PORT", where);
	return 0;
}

static int listen_on(const struct addrinfo *ai, uint16_t *port)
{
	static const int one = 1;
	union address a;
	socklen_t len = sizeof(a);
	int fd, err;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG) ||
	    getsockname(fd, &a.sa, &len)) {
		err = -errno;
		close(fd);
		return err;
	}
	*port = ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
	return fd;
}

/* NULL: any IPv4 address and port, as erl does */
int ed_listen_open(struct erldist_keeper *k, const char *where)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	struct addrinfo *ai = NULL;
	char host[ED_NODE_SIZE] = "", port[16] = "0";
	int err, fd;

	if (where) {
		err = split(&k->error, where, host, sizeof(host), port, sizeof(port));
		if (err)
			return err;
	}
	if (!host[0])
		hints.ai_family = AF_INET;
	err = getaddrinfo(host[0] ? host : NULL, port, &hints, &ai);
	if (err)
		return ed_fail(&k->error, -EINVAL, "listen on %s: %s", where, gai_strerror(err));
	fd = listen_on(ai, &k->port);
	freeaddrinfo(ai);
	if (fd < 0)
		return ed_fail(&k->error, fd, "listen on %s: %s", where ? where : "any port",
			       fd == -EADDRINUSE ? "the port is in use" : ed_errno_text(fd));
	k->listener.fd = fd;
	return 0;
}

static void hand_over(struct erldist_keeper *k, int fd)
{
	int err = ed_node_channel(k, fd, ERLDIST_ROLE_ACCEPTOR, NULL);

	if (err)
		ed_keeper_tell(k, ERLDIST_KEEPER_REJECTED, NULL, -err,
			       "an accepted connection was refused by the kernel: %s",
			       ed_errno_text(err));
	close(fd);
}

/* Whoever waits stays readable: looking again at once would be a busy loop */
static void pause_accepting(struct erldist_keeper *k, int err)
{
	ed_keeper_tell(k, ERLDIST_KEEPER_REJECTED, NULL, -err, "%s cannot accept connections: %s",
		       k->node, ed_errno_text(err));
	ed_source_change(k, &k->listener, 0);
	k->listen_again = ed_now() + PAUSE_MS;
}

void ed_listen_timer(struct erldist_keeper *k)
{
	if (k->listen_again < 0 || k->listen_again > ed_now())
		return;
	k->listen_again = -1;
	ed_source_change(k, &k->listener, EPOLLIN);
}

static void accept_failed(struct erldist_keeper *k, int err)
{
	switch (err) {
	case -EMFILE:
	case -ENFILE:
	case -ENOBUFS:
	case -ENOMEM:
		pause_accepting(k, err);
		return;
	default:
		/* none there, or one that is gone again */
		return;
	}
}

static void on_connection(struct source *s, uint32_t events)
{
	struct erldist_keeper *k = container_of(s, struct erldist_keeper, listener);
	int fd, i;

	(void)events;
	for (i = 0; i < ACCEPTS_MAX; i++) {
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			accept_failed(k, -errno);
			return;
		}
		hand_over(k, fd);
	}
}

/* Once there is a node to accept for */
int ed_listen_start(struct erldist_keeper *k)
{
	if (k->listener.fd < 0)
		return 0;
	k->listener.ready = on_connection;
	return ed_source_add(k, &k->listener, EPOLLIN);
}
