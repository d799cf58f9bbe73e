// SPDX-License-Identifier: GPL-2.0-only
/*
 * One to many: nanoseconds until each of --pairs=N processes, the sockets of one
 * program that waits for them with epoll, has been told, divided by N.
 *
 *	many [OPTION]... local	a process of the node sends each a message
 *	many [OPTION]... beam	a BEAM's does
 *	many [OPTION]... death	a process that all monitor dies
 */
#include <sys/epoll.h>
#include <sys/resource.h>

#include "bench.h"

static const struct bench *bench;
static struct epid *pids;
static int *fds, all, stuff;

static void make(unsigned int n)
{
	const struct rlimit files = { n + 1000, n + 1000 };
	struct epoll_event event = { .events = EPOLLIN };

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("RLIMIT_NOFILE");
	fds = calloc(n, sizeof(*fds));
	pids = calloc(n, sizeof(*pids));
	all = epoll_create1(0);
	for (unsigned int i = 0; i < n; i++) {
		fds[i] = proc(NULL, NULL);
		proc_self(fds[i], &pids[i]);
		event.data.fd = fds[i];
		if (epoll_ctl(all, EPOLL_CTL_ADD, fds[i], &event))
			die("epoll");
	}
}

static void told(unsigned int n)
{
	struct epoll_event event[64];
	uint8_t data[1024];
	int ready;

	while (n) {
		ready = epoll_wait(all, event, ARRAY_SIZE(event), WAIT_MS);
		if (ready <= 0)
			die("%u were not told", n);
		for (int i = 0; i < ready; i++, n--) {
			if (recv(event[i].data.fd, data, sizeof(data), 0) <= 0)
				die("recv");
		}
	}
}

/* A child's process sends to each whenever it is told to, in one byte. */
static int sender(void *arg)
{
	const struct bench *b = bench;
	struct buf message = { bench_message(b->size), b->size };
	int fd = proc(NULL, NULL);
	DEFINE_BUF(to);
	char go;

	while (read(stuff, &go, 1) == 1) {
		for (unsigned int i = 0; i < b->pairs; i++) {
			if (proc_send(fd, term(&to, "p", &pids[i]), &message) < 0)
				die("send");
		}
	}
	return 0;
}

static double local(void)
{
	uint64_t start = 0;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		die("socketpair");
	stuff = sv[1];
	spawn(sender, NULL);
	for (unsigned int i = 0; i <= bench->count; i++) {
		if (i == 1)
			start = clock_start();
		if (write(sv[0], "g", 1) != 1)
			die("write");
		told(bench->pairs);
	}
	return (double)(clock_stop() - start) / bench->count;
}

static void ask_beam(int fd)
{
	struct end e = { .bench = bench };
	struct epid self;
	DEFINE_BUF(list);
	DEFINE_BUF(to);
	DEFINE_BUF(ask);
	DEFINE_MSG(m);

	buf_u8(&list, 108);
	buf_be32(&list, bench->pairs);
	for (unsigned int i = 0; i < bench->pairs; i++)
		fmt(&list, "p", &pids[i]);
	buf_u8(&list, 106);
	proc_self(fd, &self);
	fmt(&to, "{aa}", "bench", BEAM_NODE);
	ask_term(&ask, &e, &self, "fan", &list);
	if (proc_send(fd, &to, &ask) < 0 || proc_recv(fd, &m, WAIT_MS) ||
	    proc_connect(fd, &m.term))
		die("the BEAM gives no far end");
}

static double beam(void)
{
	int fd = proc(NULL, NULL);
	uint64_t start = 0;

	ask_beam(fd);
	for (unsigned int i = 0; i <= bench->count; i++) {
		if (i == 1)
			start = clock_start();
		if (send(fd, "w\2go", 4, 0) != 4)
			die("send");
		told(bench->pairs);
	}
	return (double)(clock_stop() - start) / bench->count;
}

static int victim(void *arg)
{
	int fd = proc(NULL, NULL);
	struct epid pid;

	proc_self(fd, &pid);
	if (write(stuff, &pid, sizeof(pid)) != sizeof(pid))
		die("write");
	pause();
	return 0;
}

static pid_t victim_monitored(void)
{
	struct epid pid;
	pid_t child;
	DEFINE_BUF(to);
	int p[2];

	if (pipe(p))
		die("pipe");
	stuff = p[1];
	child = spawn(victim, NULL);
	if (read(p[0], &pid, sizeof(pid)) != sizeof(pid))
		die("the victim is dead");
	fmt(&to, "p", &pid);
	for (unsigned int i = 0; i < bench->pairs; i++) {
		struct to ask = { .dest = &to, .op = ERLDIST_SIG_MONITOR,
				  .ref = proc_refs(fds[i]) };

		if (proc_ask(fds[i], &ask))
			die("monitor");
	}
	close(p[0]);
	close(p[1]);
	return child;
}

static double death(void)
{
	uint64_t start, sum = 0;
	pid_t child;

	for (unsigned int i = 0; i <= bench->count; i++) {
		child = victim_monitored();
		start = clock_start();
		kill(child, SIGKILL);
		told(bench->pairs);
		if (i)
			sum += clock_stop() - start;
		reap(child);
	}
	return (double)sum / bench->count;
}

int main(int argc, char **argv)
{
	struct bench b = { .size = 64, .count = 3, .pairs = 1000 };
	char **rest = bench_options(&b, argv + 1);
	double ns;

	bench = &b;
	if (!*rest)
		die("usage: many [OPTION]... local|beam|death");
	if (!strcmp(*rest, "beam")) {
		node_beam();
	} else {
		netns_enter(NEAR_NETNS);
		node(NEAR_NODE);
	}
	make(b.pairs);
	if (!strcmp(*rest, "beam"))
		ns = beam();
	else
		ns = strcmp(*rest, "death") ? local() : death();
	result("ns", ns / b.pairs);
	return 0;
}
