// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Host names to addresses. getaddrinfo() waits, for seconds where a name server
 * is silent, and the library has no thread to wait in: so names are resolved by
 * getent(1), which asks the same sources, and read from a pipe.
 */
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keeper.h"

static void add(struct addresses *to, const struct addrinfo *ai)
{
	union address *a = &to->list[to->n];
	unsigned int i;

	if (to->n == ADDRESSES_MAX || ai->ai_addrlen > sizeof(*a) ||
	    (ai->ai_family != AF_INET && ai->ai_family != AF_INET6))
		return;
	memset(a, 0, sizeof(*a));
	memcpy(a, ai->ai_addr, ai->ai_addrlen);
	for (i = 0; i < to->n; i++)
		if (!memcmp(&to->list[i], a, sizeof(*a)))
			return;
	to->n++;
}

/* An address in numbers, which needs no waiting. -ENOENT if it is none */
int ed_resolve_number(struct addresses *to, const char *host)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *all, *ai;

	if (getaddrinfo(host, NULL, &hints, &all))
		return -ENOENT;
	for (ai = all; ai; ai = ai->ai_next)
		add(to, ai);
	freeaddrinfo(all);
	return to->n ? 0 : -ENOENT;
}

static int spawn(struct resolver *r, const char *host, int out)
{
	char *const argv[] = { "getent", "ahosts", (char *)(uintptr_t)host, NULL };

	return ed_spawn(&r->child, argv, -1, out, true);
}

/* The descriptor to read from with ed_resolve_read(), or a negative errno */
int ed_resolve_start(struct resolver *r, struct addresses *to, const char *host)
{
	int fd[2], err;

	memset(r, 0, sizeof(*r));
	r->to = to;
	if (!ed_host_sane(host))
		return -ERLDIST_NO_SUCH_HOST;
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	err = spawn(r, host, fd[1]);
	close(fd[1]);
	if (err) {
		close(fd[0]);
		return err;
	}
	return fd[0];
}

/* "127.0.0.1       STREAM localhost" */
static void take_line(struct resolver *r)
{
	r->line[strcspn(r->line, " \t")] = 0;
	if (r->line[0])
		ed_resolve_number(r->to, r->line);
}

/* 0 when all is read, -EAGAIN when there is more to come */
int ed_resolve_read(struct resolver *r, int fd)
{
	char bytes[512];
	ssize_t n, i;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (i = 0; i < n; i++) {
			if (bytes[i] != '\n') {
				if (r->len < sizeof(r->line) - 1)
					r->line[r->len++] = bytes[i];
				continue;
			}
			r->line[r->len] = 0;
			r->len = 0;
			take_line(r);
		}
	}
	return n < 0 ? -errno : 0;
}

void ed_resolve_end(struct resolver *r)
{
	/* it has closed its output, or is not wanted any more */
	ed_child_kill(&r->child);
	ed_child_wait(&r->child);
}

/* For what cannot go on without it: 0, -ETIMEDOUT after so many ms, or another error */
int ed_resolve_wait(struct addresses *to, const char *host, int ms)
{
	int64_t deadline = ed_deadline(ms);
	struct resolver r;
	int fd = ed_resolve_start(&r, to, host), err;

	if (fd < 0)
		return fd;
	while ((err = ed_resolve_read(&r, fd)) == -EAGAIN) {
		err = ed_wait(fd, POLLIN, deadline);
		if (err && err != -EINTR)
			break;
	}
	close(fd);
	ed_resolve_end(&r);
	return err ? err : to->n ? 0 : -ERLDIST_NO_SUCH_HOST;
}

/*
 * The families take turns, beginning with the one that was first, so that a family
 * that leads nowhere costs one address's time.
 */
void ed_resolve_interleave(struct addresses *a)
{
	struct addresses in = *a;
	unsigned int next[2] = { 0, 0 }, turn = 0, i;
	sa_family_t first = in.list[0].sa.sa_family;

	for (a->n = 0; a->n < in.n; turn ^= 1) {
		for (i = next[turn]; i < in.n; i++)
			if ((in.list[i].sa.sa_family == first) != turn)
				break;
		if (i < in.n)
			a->list[a->n++] = in.list[i++];
		next[turn] = i;
	}
}
