// SPDX-License-Identifier: LGPL-2.1-or-later
/* Connecting and talking on non-blocking sockets. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "keeper.h"

/* 0: all is written, -EAGAIN: more later */
int ed_exchange_write(struct exchange *x, int fd)
{
	ssize_t n;

	while (x->out_done < x->out_len) {
		n = send(fd, x->out + x->out_done, x->out_len - x->out_done, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		x->out_done += (size_t)n;
	}
	return 0;
}

/* Bytes read, 0 at the end, -EAGAIN. An answer that is longer is cut */
int ed_exchange_read(struct exchange *x, int fd)
{
	ssize_t n;

	if (x->in_len == sizeof(x->in))
		return 0;
	n = recv(fd, x->in + x->in_len, sizeof(x->in) - x->in_len, 0);
	if (n < 0)
		return -errno;
	x->in_len += (size_t)n;
	return (int)n;
}

/* The socket of a connection under way, or a negative errno */
int ed_connect_to(const union address *a, uint16_t port)
{
	union address to = *a;
	socklen_t len = sizeof(to.un);
	int fd, err;

	if (to.sa.sa_family == AF_INET6) {
		to.in6.sin6_port = htons(port);
		len = sizeof(to.in6);
	} else if (to.sa.sa_family == AF_INET) {
		to.in.sin_port = htons(port);
		len = sizeof(to.in);
	}
	fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, &to.sa, len) && errno != EINPROGRESS) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int ed_connect_result(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	return -err;
}
