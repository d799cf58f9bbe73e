// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A node with a handshake of its own: two programs of one user that meet at a path
 * trust each other because the kernel says who they are, without a cookie.
 *
 *	handshake NAME listen PATH
 *	handshake NAME connect PATH
 *
 * Each tells its flags, creation and name; then the kernel takes the stream (role
 * READY), and all else is as between any two nodes.
 */
#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <erldist.h>

struct hello {
	uint64_t flags;		/* big endian, as the numbers below */
	uint32_t creation;
	char name[ERLDIST_NAME_MAX + 1];
} __attribute__((packed));

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int same_user(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && who.uid == geteuid();
}

static int tell(struct erldist_keeper *k, int fd)
{
	struct hello h = { .flags = 0 };
	int node = erldist_keeper_node_fd(k);
	uint64_t flags;
	uint32_t creation;
	socklen_t flags_len = sizeof(flags), creation_len = sizeof(creation);

	if (getsockopt(node, SOL_ERLDIST, ERLDIST_FLAGS, &flags, &flags_len) ||
	    getsockopt(node, SOL_ERLDIST, ERLDIST_CREATION, &creation, &creation_len))
		return -1;
	h.flags = htobe64(flags);
	h.creation = htobe32(creation);
	snprintf(h.name, sizeof(h.name), "%s", erldist_keeper_node(k));
	return send(fd, &h, sizeof(h), MSG_NOSIGNAL) == sizeof(h) ? 0 : -1;
}

/* The whole exchange, then the kernel's */
static int shake(struct erldist_keeper *k, int fd)
{
	struct hello h;
	int err;

	if (!same_user(fd))
		return fprintf(stderr, "somebody else's program wants to connect\n"), 1;
	if (tell(k, fd) || recv(fd, &h, sizeof(h), MSG_WAITALL) != sizeof(h))
		return fail("handshake");
	h.name[sizeof(h.name) - 1] = 0;
	err = erldist_keeper_give(k, fd, ERLDIST_ROLE_READY, h.name, be64toh(h.flags),
				  be32toh(h.creation));
	if (err)
		fprintf(stderr, "%s\n", erldist_strerror(k, err));
	return err != 0;
}

/* A stream to the other one: made, or the first to come */
static int meet(const char *how, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (!strcmp(how, "connect"))
		return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? -1 : fd;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1))
		return -1;
	return accept(fd, NULL, NULL);
}

static void on_event(void *user, const struct erldist_keeper_event *e)
{
	(void)user;
	puts(e->text);
}

int main(int argc, char **argv)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	struct pollfd pfd = { .events = POLLIN };
	struct erldist_keeper *k;
	int err, fd;

	if (argc != 4)
		return fprintf(stderr, "usage: handshake NAME listen|connect PATH\n"), 1;
	setlinebuf(stdout);
	o.name = argv[1];
	o.options = ERLDIST_KEEPER_NO_LISTEN | ERLDIST_KEEPER_WITHOUT_EPMD;
	o.event = on_event;
	err = erldist_keeper_open(&k, &o);
	if (err)
		return fprintf(stderr, "%s\n", erldist_strerror(k, err)), 1;
	fd = meet(argv[2], argv[3]);
	if (fd < 0)
		return fail(argv[3]);
	if (shake(k, fd))
		return 1;
	close(fd);
	pfd.fd = erldist_keeper_fd(k);
	while (!err && poll(&pfd, 1, -1) >= 0)
		err = erldist_keeper_dispatch(k);
	fprintf(stderr, "%s\n", erldist_strerror(k, err));
	return 1;
}
