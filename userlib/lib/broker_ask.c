// SPDX-License-Identifier: LGPL-2.1-or-later
/* Asking a broker for a process. */
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "broker.h"

#define PREFIX		"unix:"
#define AGAIN_MS	20	/* before asking again, while it has too much to do; */
#define AGAIN_MAX_MS	500	/* each time twice as long, up to this */

/* The path in "unix:PATH"; NULL: it is no such address */
const char *ed_broker_path(const char *node)
{
	const size_t n = sizeof(PREFIX) - 1;

	return node && !strncmp(node, PREFIX, n) ? node + n : NULL;
}

int ed_broker_address(struct ed_error *e, struct sockaddr_un *sa, const char *path)
{
	size_t len = strlen(path);

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (!len || len >= sizeof(sa->sun_path))
		return ed_fail(e, -EINVAL, "\"%s\": the path of a socket has 1 to %zu bytes",
			       path, sizeof(sa->sun_path) - 1);
	memcpy(sa->sun_path, path, len + 1);
	return 0;
}

static int not_there(struct ed_error *e, int err, const char *path)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return ed_fail(e, err, "no node hands out processes at %s; its option is "
			       "--hand-out, of erldistd the key hand-out", path);
	case -EACCES:
	case -EPERM:
		return ed_fail(e, err, "%s: who asks for a process needs write permission", path);
	case -EPROTOTYPE:
		return ed_fail(e, err, "%s is another program's socket", path);
	case -EAGAIN:
		return ed_fail(e, -ETIMEDOUT, "%s: no answer in time", path);
	default:
		return ed_fail(e, err, "%s: %s", path, ed_errno_text(err));
	}
}

/* A connection on which everything waits ED_BROKER_WAIT_MS at most */
static int reach(struct ed_error *e, const char *path)
{
	const struct timeval tv = { .tv_sec = ED_BROKER_WAIT_MS / 1000 };
	struct sockaddr_un sa;
	int fd, err;

	err = ed_broker_address(e, &sa, path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ed_fail(e, -errno, "socket: %s", ed_errno_text(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		err = not_there(e, -errno, path);
		close(fd);
		return err;
	}
	return fd;
}

/* The first descriptor of a packet, or -1. Alignment makes room for one more */
static int passed(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fds[2] = { -1, -1 };

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len > CMSG_LEN(sizeof(fds)))
		return -1;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (fds[1] >= 0)
		close(fds[1]);
	return fds[0];
}

static int judge(struct ed_error *e, const char *path, const struct ed_broker_answer *a,
		 ssize_t n, int fd)
{
	if (n < (ssize_t)ED_BROKER_HEAD || a->magic != ED_BROKER_MAGIC || a->error > 0 ||
	    (!a->error && fd < 0))
		return ed_fail(e, -EPROTO, "%s: whoever answers there is no broker", path);
	if (!a->error)
		return fd;
	return ed_fail(e, a->error, "%s: %.*s", path, (int)(n - (ssize_t)ED_BROKER_HEAD), a->text);
}

static int take(struct ed_error *e, const char *path, int sock)
{
	struct ed_broker_answer a = { 0 };
	struct iovec iov = { .iov_base = &a, .iov_len = sizeof(a) };
	union ed_broker_control control;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	int fd, err;

	if (n < 0)
		return not_there(e, -errno, path);
	fd = passed(&m);
	if (fd < 0 && m.msg_flags & MSG_CTRUNC)
		return ed_fail(e, -EMFILE, "%s: there is no descriptor left for the process",
			       path);
	err = judge(e, path, &a, n, fd);
	if (err < 0 && fd >= 0)
		close(fd);
	return err;
}

static int try(struct ed_error *e, const char *path)
{
	int sock = reach(e, path), fd;

	if (sock < 0)
		return sock;
	fd = take(e, path, sock);
	close(sock);
	return fd;
}

/* A process's socket, which the caller has yet to make its own; or a negative errno */
int ed_broker_ask(struct ed_error *e, const char *path)
{
	int64_t deadline = ed_deadline(ED_BROKER_WAIT_MS);
	int fd = try(e, path), ms = AGAIN_MS;
	struct timespec pause = { 0 };

	while (fd == -EAGAIN && ed_time_left(deadline)) {
		pause.tv_nsec = ms * 1000000L;
		nanosleep(&pause, NULL);
		ms = 2 * ms < AGAIN_MAX_MS ? 2 * ms : AGAIN_MAX_MS;
		fd = try(e, path);
	}
	return fd;
}
