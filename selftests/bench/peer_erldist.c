// SPDX-License-Identifier: GPL-2.0-only
/* Processes of one node, and of two nodes over TCP, with the bare calls */
#include <sys/resource.h>

#include "bench.h"

/* Processes of the near node, in a program of their own */
static int crowd(void *ready)
{
	const struct bench *b = *(const struct bench **)ready;
	const struct rlimit files = { b->processes + 1000, b->processes + 1000 };

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("RLIMIT_NOFILE");
	for (unsigned int i = 0; i < b->processes; i++)
		proc(NULL, NULL);
	raise(SIGSTOP);
	return 0;
}

static void add_processes(const struct bench *b)
{
	pid_t child;
	int status;

	if (!b->processes)
		return;
	child = spawn(crowd, &b);
	if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
		die("%u processes", b->processes);
}

static void connect_nodes(int near, int far, const char *name)
{
	int sv[2];

	tcp_connect(sv);
	if (node_accept(far, sv[1], 0) || node_dial(near, sv[0], name, 0) ||
	    node_wait(near, ERLDIST_PENDING_UP, NULL) ||
	    node_wait(far, ERLDIST_PENDING_UP, NULL))
		die("the nodes do not connect");
	close(sv[0]);
	close(sv[1]);
}

static void add_peers(const struct bench *b, int near)
{
	const struct rlimit files = { b->peers + 1000, b->peers + 1000 };
	char name[32];
	int far;

	if (!b->peers)
		return;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("RLIMIT_NOFILE");
	for (unsigned int i = 0; i < b->peers; i++) {
		snprintf(name, sizeof(name), "p%u@h", i);
		netns_enter(FAR_NETNS);
		far = node(name);
		connect_nodes(near, far, name);
	}
}

static void prepare_local(const struct bench *b)
{
	netns_enter(NEAR_NETNS);
	node(NEAR_NODE);
	add_processes(b);
}

static void prepare_tcp(const struct bench *b)
{
	int near, far;

	netns_enter(FAR_NETNS);
	far = node(FAR_NODE);
	netns_enter(NEAR_NETNS);
	near = node(NEAR_NODE);
	connect_nodes(near, far, FAR_NODE);
	add_processes(b);
	add_peers(b, near);
}

/* Each knows the other's pid. */
static void join(struct end *e)
{
	struct {
		socklen_t len;
		struct sockaddr_erldist a;
	} mine = { .len = sizeof(mine.a) }, theirs;

	e->fd = proc(NULL, NULL);
	if (getsockname(e->fd, (void *)&mine.a, &mine.len))
		die("getsockname");
	swap_bytes(e, &mine, &theirs, sizeof(mine));
	if (connect(e->fd, (void *)&theirs.a, theirs.len))
		die("connect");
}

static void join_tcp(struct end *e)
{
	netns_enter(e->far ? FAR_NETNS : NEAR_NETNS);
	join(e);
}

void node_beam(void)
{
	int fd = tcp_dial(BEAM_PORT), near;

	near = node(NEAR_NODE);
	if (node_dial(near, fd, BEAM_NODE, 0) || node_wait(near, ERLDIST_PENDING_UP, NULL))
		die("no connection to the BEAM");
	close(fd);
}

/* Its answer is the pid of the far end. */
static void join_beam(struct end *e, const char *role)
{
	struct epid self;
	DEFINE_BUF(arg);
	DEFINE_BUF(to);
	DEFINE_BUF(ask);
	DEFINE_MSG(m);

	node_beam();
	e->fd = proc(NULL, NULL);
	proc_self(e->fd, &self);
	fmt(&to, "{aa}", "bench", BEAM_NODE);
	ask_term(&ask, e, &self, role, fmt(&arg, "i", 0));
	if (proc_send(e->fd, &to, &ask) < 0 || proc_recv(e->fd, &m, WAIT_MS) ||
	    proc_connect(e->fd, &m.term))
		die("the BEAM gives no far end");
}

static void erldist_send(struct end *e, const uint8_t *message)
{
	if (send(e->fd, message, e->bench->size, 0) != (ssize_t)e->bench->size)
		die("send");
}

static size_t erldist_recv(struct end *e, uint8_t *p, size_t room)
{
	ssize_t n = recv(e->fd, p, room, 0);

	if (n <= 0)
		die("recv");
	return n;
}

/* As a server: whoever it is from */
static size_t local_recv(struct end *e, uint8_t *p, size_t room)
{
	ssize_t n;

	e->to_len = sizeof(e->to);
	n = e->far ? recvfrom(e->fd, p, room, 0, (void *)&e->to, &e->to_len) :
		     recv(e->fd, p, room, 0);
	if (n <= 0)
		die("recv");
	return n;
}

static void local_answer(struct end *e, const uint8_t *message)
{
	if (sendto(e->fd, message, e->bench->size, 0, (void *)&e->to, e->to_len) !=
	    (ssize_t)e->bench->size)
		die("sendto");
}

const struct peer peer_erldist = {
	.name = "erldist",
	.prepare = prepare_local,
	.join = join,
	.send = erldist_send,
	.recv = local_recv,
	.answer = local_answer,
};

const struct peer peer_erldist_tcp = {
	.name = "erldist_tcp",
	.prepare = prepare_tcp,
	.join = join_tcp,
	.join_beam = join_beam,
	.send = erldist_send,
	.recv = erldist_recv,
};
