// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames over TCP: a length and a body, written at once, read one after the
 * other: what any implementation in user space costs at least
 */
#include <arpa/inet.h>
#include <sys/uio.h>

#include "bench.h"

static int (*pairs)[2];

static void prepare(const struct bench *b)
{
	pairs = calloc(b->pairs, sizeof(*pairs));
	for (unsigned int i = 0; i < b->pairs; i++)
		tcp_connect(pairs[i]);
}

static void join(struct end *e)
{
	e->fd = pairs[e->pair][e->far];
}

static void tcp_send(struct end *e, const uint8_t *message)
{
	uint32_t head = htonl(e->bench->size);
	struct iovec iov[2] = {
		{ &head, sizeof(head) },
		{ (void *)message, e->bench->size },
	};
	size_t left = sizeof(head) + e->bench->size;
	ssize_t n = writev(e->fd, iov, 2);

	if (n < (ssize_t)sizeof(head))
		die("writev");
	for (left -= n; left; left -= n) {
		n = send(e->fd, message + e->bench->size - left, left, 0);
		if (n <= 0)
			die("send");
	}
}

static void read_all(int fd, void *p, size_t len)
{
	if (recv(fd, p, len, MSG_WAITALL) != (ssize_t)len)
		die("recv");
}

static size_t tcp_recv(struct end *e, uint8_t *p, size_t room)
{
	uint32_t head;

	read_all(e->fd, &head, sizeof(head));
	head = ntohl(head);
	if (head > room)
		die("frame of %u bytes", head);
	read_all(e->fd, p, head);
	return head;
}

const struct peer peer_tcp = {
	.name = "tcp",
	.prepare = prepare,
	.join = join,
	.send = tcp_send,
	.recv = tcp_recv,
};
