// SPDX-License-Identifier: GPL-2.0-only
/* TIPC SOCK_RDM: the kernel's own messages between processes of a cluster */
#include <linux/tipc.h>

#include "bench.h"

static struct sockaddr_tipc from;

static void join(struct end *e)
{
	struct sockaddr_tipc mine, theirs;
	socklen_t len = sizeof(mine);

	e->fd = socket(AF_TIPC, SOCK_RDM | SOCK_CLOEXEC, 0);
	if (e->fd < 0 || getsockname(e->fd, (void *)&mine, &len))
		die("TIPC");
	swap_bytes(e, &mine, &theirs, sizeof(mine));
	if (connect(e->fd, (void *)&theirs, sizeof(theirs)))
		die("TIPC connect");
}

static void tipc_send(struct end *e, const uint8_t *message)
{
	if (send(e->fd, message, e->bench->size, 0) != (ssize_t)e->bench->size)
		die("send");
}

static size_t tipc_recv(struct end *e, uint8_t *p, size_t room)
{
	socklen_t len = sizeof(from);
	ssize_t n;

	n = e->far ? recvfrom(e->fd, p, room, 0, (void *)&from, &len) :
		     recv(e->fd, p, room, 0);
	if (n <= 0)
		die("recv");
	return n;
}

static void tipc_answer(struct end *e, const uint8_t *message)
{
	if (sendto(e->fd, message, e->bench->size, 0, (void *)&from, sizeof(from)) !=
	    (ssize_t)e->bench->size)
		die("sendto");
}

const struct peer peer_tipc = {
	.name = "tipc",
	.join = join,
	.send = tipc_send,
	.recv = tipc_recv,
	.answer = tipc_answer,
};
