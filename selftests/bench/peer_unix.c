// SPDX-License-Identifier: GPL-2.0-only
/* AF_UNIX SOCK_SEQPACKET: what delivery on one machine costs at least */
#include "bench.h"

static int (*pairs)[2];

static void prepare(const struct bench *b)
{
	pairs = calloc(b->pairs, sizeof(*pairs));
	for (unsigned int i = 0; i < b->pairs; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pairs[i]))
			die("socketpair");
	}
}

static void join(struct end *e)
{
	e->fd = pairs[e->pair][e->far];
}

static void unix_send(struct end *e, const uint8_t *message)
{
	if (send(e->fd, message, e->bench->size, 0) != (ssize_t)e->bench->size)
		die("send");
}

static size_t unix_recv(struct end *e, uint8_t *p, size_t room)
{
	ssize_t n = recv(e->fd, p, room, 0);

	if (n <= 0)
		die("recv");
	return n;
}

const struct peer peer_unix = {
	.name = "unix",
	.prepare = prepare,
	.join = join,
	.send = unix_send,
	.recv = unix_recv,
};
