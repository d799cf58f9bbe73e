// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <time.h>

#include "bench.h"

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

void result(const char *name, double value)
{
	printf("%s %.1f\n", name, value);
	fflush(stdout);
}

static bool option(const char *arg, const char *name, unsigned long *value)
{
	size_t n = strlen(name);

	if (strncmp(arg, "--", 2) || strncmp(arg + 2, name, n) || arg[2 + n] != '=')
		return false;
	*value = strtoul(arg + 3 + n, NULL, 0);
	return true;
}

char **bench_options(struct bench *b, char **argv)
{
	unsigned long v;

	for (; *argv && **argv == '-'; argv++) {
		if (option(*argv, "size", &v))
			b->size = v;
		else if (option(*argv, "count", &v))
			b->count = v;
		else if (option(*argv, "batch", &v))
			b->batch = v;
		else if (option(*argv, "pairs", &v))
			b->pairs = v;
		else if (option(*argv, "warm", &v))
			b->warm = v;
		else if (option(*argv, "beam", &v))
			b->beam = v;
		else if (option(*argv, "processes", &v))
			b->processes = v;
		else if (option(*argv, "peers", &v))
			b->peers = v;
		else
			die("unknown option %s", *argv);
	}
	return argv;
}

uint8_t *bench_message(size_t size)
{
	uint32_t len = size - 5;
	uint8_t *p = malloc(size);

	if (size < 6 || !p)
		die("message of %zu bytes", size);
	memset(p, 'x', size);
	p[0] = 109;
	for (int i = 0; i < 4; i++)
		p[1 + i] = len >> (24 - 8 * i);
	return p;
}

void netns_enter(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("namespace %s", name);
	close(fd);
}

static void no_delay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("TCP_NODELAY");
}

void tcp_connect(int sv[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t len = sizeof(to);
	int listener;

	netns_enter(FAR_NETNS);
	to.sin_addr.s_addr = inet_addr(FAR_ADDRESS);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (void *)&to, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&to, &len))
		die("listen");
	netns_enter(NEAR_NETNS);
	sv[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sv[0] < 0 || connect(sv[0], (void *)&to, len))
		die("connect");
	sv[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (sv[1] < 0)
		die("accept");
	close(listener);
	no_delay(sv[0]);
	no_delay(sv[1]);
}

int tcp_dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd;

	to.sin_addr.s_addr = inet_addr(FAR_ADDRESS);
	netns_enter(NEAR_NETNS);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)))
		die("connect to port %d", port);
	no_delay(fd);
	return fd;
}

void ask_term(struct buf *b, const struct end *e, const struct epid *self,
	      const char *role, const struct buf *arg)
{
	fmt(b, "{paiit}", self, role, (int)e->bench->batch, (int)e->bench->size, arg);
}

void swap_bytes(struct end *e, const void *mine, void *theirs, size_t len)
{
	if (send(e->control, mine, len, 0) != (ssize_t)len ||
	    recv(e->control, theirs, len, MSG_WAITALL) != (ssize_t)len)
		die("the other end is gone");
}

void meet(struct end *e)
{
	char here = 1, there;

	swap_bytes(e, &here, &there, 1);
}
