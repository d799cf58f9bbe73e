// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends of processes and nodes while the kernel has no memory: whoever is linked
 * or monitors is told all the same. Everything that an end needs was allocated
 * before.
 *
 * While memory fails, it fails for every program of the machine: this one does
 * nothing then that needs any.
 *
 * And calls of which one allocation fails, each in its turn: nothing is left of
 * them, and nothing is let go twice.
 */
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
/* Processes that end at once */
#define CROWD		20
/* Peer's processes that watch: one links, the other monitors */
#define LINKED		100
#define WATCHING	200

/*
 * The failing
 */

struct knob {
	const char *name;
	const char *value;
	char before[32];
};

/* What is set for the whole test, in files that are kept open */
static struct {
	int probability;
	/* "failnth" has memory fail around this program; its other knobs are right, too */
	const char *around;
	struct knob knob[5];
} failslab = {
	.knob = {
		{ "interval", "1" }, { "times", "-1" }, { "verbose", "0" },
		{ "task-filter", "N" }, { "ignore-gfp-wait", "N" },
	},
};

static int knob_open(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), FAILSLAB "%s", name);
	return open(path, O_RDWR | O_CLOEXEC);
}

static bool knob_set(int fd, const char *value)
{
	return write(fd, value, strlen(value)) == (ssize_t)strlen(value);
}

static bool knob_get(int fd, char *value, size_t size)
{
	ssize_t n = read(fd, value, size - 1);

	if (n < 1)
		return false;
	value[n] = 0;
	return true;
}

static bool failslab_open(void)
{
	failslab.probability = knob_open("probability");
	if (failslab.probability < 0)
		return false;
	failslab.around = getenv("FAILNTH_PERCENT");
	if (failslab.around)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(failslab.knob); i++) {
		struct knob *k = &failslab.knob[i];
		int fd = knob_open(k->name);

		if (fd < 0 || !knob_get(fd, k->before, sizeof(k->before)) ||
		    !knob_set(fd, k->value))
			die("failslab/%s", k->name);
		close(fd);
	}
	return true;
}

static void memory_is_back(void)
{
	if (!knob_set(failslab.probability, failslab.around ?: "0"))
		die("failslab/probability");
}

static void failslab_close(void)
{
	memory_is_back();
	for (size_t i = 0; i < ARRAY_SIZE(failslab.knob) && !failslab.around; i++) {
		int fd = knob_open(failslab.knob[i].name);

		knob_set(fd, failslab.knob[i].before);
		close(fd);
	}
	close(failslab.probability);
}

/* Nothing between these two may allocate, or be lost by it */
static void memory_fails(void)
{
	/* What others print now is on its way before. */
	fflush(NULL);
	sleep_ms(5);
	if (!knob_set(failslab.probability, "100"))
		die("failslab/probability");
}

/*
 * The processes
 */

struct program {
	struct epid pid[CROWD];
	int fd[CROWD];
	int told[2];
	pid_t child;
};

FIXTURE(nomemory) {
	int node;
	int watcher;		/* of the same node; traps exits */
	struct epid watcher_pid;
	struct wire w;
	struct program *p;
};

FIXTURE_SETUP(nomemory)
{
	SETUP_ERLDIST();
	if (!failslab_open())
		SKIP(return, "this kernel has no failslab");
	self->node = node("k@h");
	self->watcher = proc("watcher", NULL);
	proc_trap_exit(self->watcher, true);
	proc_self(self->watcher, &self->watcher_pid);
	self->p = mmap(NULL, sizeof(*self->p), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->p);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->p->told));
}

FIXTURE_TEARDOWN(nomemory)
{
	if (failslab.probability > 0)
		failslab_close();
}

static void wire_link(FIXTURE_DATA(nomemory) *self, enum carrier carrier)
{
	wire_init(&self->w, -1, "w@h");
	if (wire_connect(&self->w, self->node, carrier, ERLDIST_ROLE_ACCEPTOR))
		die("the peer does not connect");
}

/* A crowd in this program, or in a child's */
static void crowd(struct program *p)
{
	for (int i = 0; i < CROWD; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		p->fd[i] = proc(name, NULL);
		proc_trap_exit(p->fd[i], true);
		proc_self(p->fd[i], &p->pid[i]);
	}
}

static int crowd_program(void *arg)
{
	struct program *p = arg;

	crowd(p);
	if (send(p->told[1], "", 1, 0) != 1)
		return 1;
	pause();
	return 0;
}

static void start(struct program *p)
{
	char c;

	p->child = spawn(crowd_program, p);
	if (recv(p->told[0], &c, 1, 0) != 1)
		die("the program did not start");
}

/* The peer's processes and the watcher each link to and monitor each */
static void watch(FIXTURE_DATA(nomemory) *self)
{
	uint64_t refs = proc_refs(self->watcher);
	DEFINE_BUF(ctl);
	DEFINE_BUF(dest);
	struct to link = { .op = ERLDIST_SIG_LINK, .dest = &dest };
	struct to monitor = { .op = ERLDIST_SIG_MONITOR, .dest = &dest };

	for (int i = 0; i < CROWD; i++) {
		struct epid linked = wire_pid(&self->w, LINKED + i);
		struct epid watching = wire_pid(&self->w, WATCHING + i);
		struct eref ref = wire_ref(&self->w, i);
		struct epid *pid = &self->p->pid[i];

		term(&ctl, "{ipp}", OP_LINK, &linked, pid);
		if (wire_send(&self->w, &ctl, NULL))
			die("LINK");
		term(&ctl, "{ippr}", OP_MONITOR_P, &watching, pid, &ref);
		if (wire_send(&self->w, &ctl, NULL))
			die("MONITOR_P");
		term(&dest, "p", pid);
		monitor.ref = refs + i;
		if (proc_ask(self->watcher, &link) || proc_ask(self->watcher, &monitor))
			die("the watcher cannot ask");
	}
	if (wire_sync(&self->w))
		die("the peer was not heard");
}

static int index_of(const struct program *p, const struct epid *pid)
{
	for (int i = 0; i < CROWD; i++) {
		if (pid_eq(&p->pid[i], pid))
			return i;
	}
	return -1;
}

/* Of each one EXIT and one DOWN, and no more */
static void peer_hears(struct __test_metadata *_metadata, FIXTURE_DATA(nomemory) *self,
		       const struct buf *reason)
{
	int told[2][CROWD] = { 0 };

	for (int n = 0; n < 2 * CROWD; n++) {
		struct epid from, to;
		DEFINE_FRAME(f);
		int i, down;

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS)) {
			TH_LOG("the peer heard %d of %d", n, 2 * CROWD);
		}
		down = frame_op(&f) == OP_PAYLOAD_MONITOR_P_EXIT;
		ASSERT_TRUE(down || frame_op(&f) == OP_PAYLOAD_EXIT);
		ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, down ? "{_pp_}" : "{_pp}", &from, &to));
		i = index_of(self->p, &from);
		ASSERT_LE(0, i);
		EXPECT_EQ((down ? WATCHING : LINKED) + i, to.id);
		EXPECT_EQ(1, ++told[down][i]);
		EXPECT_TRUE(buf_eq(&f.msg, reason)) {
			buf_dump("reason", &f.msg);
		}
	}
	EXPECT_EQ(0, wire_sync(&self->w));
}

static void watcher_hears(struct __test_metadata *_metadata, FIXTURE_DATA(nomemory) *self,
			  const struct buf *reason)
{
	int told[2][CROWD] = { 0 };

	for (int n = 0; n < 2 * CROWD; n++) {
		struct slice why;
		struct epid pid;
		DEFINE_MSG(m);
		int i, down;

		ASSERT_EQ(0, proc_recv(self->watcher, &m, WAIT_MS)) {
			TH_LOG("the watcher heard %d of %d", n, 2 * CROWD);
		}
		down = m.op == ERLDIST_SIG_DOWN;
		ASSERT_LT(0, scan(m.term.p, m.term.len, down ? "{___pt}" : "{_pt}", &pid, &why));
		i = index_of(self->p, &pid);
		ASSERT_LE(0, i);
		EXPECT_EQ(1, ++told[down][i]);
		EXPECT_TRUE(why.len == reason->len && !memcmp(why.p, reason->p, why.len));
	}
	EXPECT_FALSE(poll_for(self->watcher, POLLIN, QUIET_MS));
}

static void all_hear(struct __test_metadata *_metadata, FIXTURE_DATA(nomemory) *self,
		     const struct buf *reason)
{
	watcher_hears(_metadata, self, reason);
	peer_hears(_metadata, self, reason);
}

/* How long memory fails: longer than an end takes */
#define FAILING_MS	100

TEST_F_TIMEOUT(nomemory, a_program_is_killed, 300)
{
	const int rounds = scaled(20);
	DEFINE_BUF(reason);

	fmt(&reason, "{aa}", "signal", "sigkill");
	for (int carrier = CARRIER_TCP4; carrier <= CARRIER_UNIX; carrier += 2) {
		wire_link(self, carrier);
		for (int i = 0; i < rounds; i++) {
			start(self->p);
			watch(self);
			memory_fails();
			kill(self->p->child, SIGKILL);
			sleep_ms(FAILING_MS);
			memory_is_back();
			all_hear(_metadata, self, &reason);
			EXPECT_EQ(256 + SIGKILL, reap(self->p->child));
		}
		wire_close(&self->w);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	}
}

TEST_F_TIMEOUT(nomemory, processes_are_closed, 300)
{
	const int rounds = scaled(20);
	DEFINE_BUF(reason);

	fmt(&reason, "a", "normal");
	wire_link(self, CARRIER_TCP4);
	for (int n = 0; n < rounds; n++) {
		crowd(self->p);
		watch(self);
		memory_fails();
		for (int i = 0; i < CROWD; i++)
			close(self->p->fd[i]);
		sleep_ms(FAILING_MS);
		memory_is_back();
		all_hear(_metadata, self, &reason);
	}
}

/* One takes with it whoever is linked to it, and so on. */
TEST_F_TIMEOUT(nomemory, a_chain_falls, 300)
{
	const int rounds = scaled(20);
	DEFINE_BUF(reason);
	DEFINE_BUF(dest);

	fmt(&reason, "a", "boom");
	wire_link(self, CARRIER_UNIX);
	for (int n = 0; n < rounds; n++) {
		int *fd = self->p->fd;

		crowd(self->p);
		for (int i = 0; i < CROWD; i++) {
			struct to to = { .op = ERLDIST_SIG_LINK, .dest = &dest };

			proc_trap_exit(fd[i], false);
			term(&dest, "p", &self->p->pid[i ? i - 1 : 0]);
			ASSERT_EQ(0, i ? proc_ask(fd[i], &to) : 0);
		}
		ASSERT_EQ(0, setsockopt(fd[0], SOL_ERLDIST, ERLDIST_EXIT_REASON, reason.p,
					reason.len));
		watch(self);
		memory_fails();
		close(fd[0]);
		sleep_ms(FAILING_MS);
		memory_is_back();
		all_hear(_metadata, self, &reason);
		for (int i = 1; i < CROWD; i++)
			close(fd[i]);
	}
}

/* The node's own processes ask, and are asked by watch(): they hear that the peer is gone. */
static void ask_of_the_peer(FIXTURE_DATA(nomemory) *self, uint64_t *refs)
{
	DEFINE_BUF(dest);
	DEFINE_BUF(name);

	fmt(&name, "a", self->w.name);
	for (int i = 0; i < CROWD; i++) {
		struct epid pid = wire_pid(&self->w, 50 + i);
		struct to to = { .op = ERLDIST_SIG_LINK, .dest = term(&dest, "p", &pid) };

		refs[i] = proc_refs(self->p->fd[i]);
		if (proc_ask(self->p->fd[i], &to))
			die("LINK");
		to.op = ERLDIST_SIG_MONITOR;
		to.ref = refs[i];
		if (proc_ask(self->p->fd[i], &to))
			die("MONITOR");
		to = (struct to){ .op = ERLDIST_SIG_MONITOR_NODE, .dest = &name };
		if (proc_ask(self->p->fd[i], &to))
			die("MONITOR_NODE");
	}
	/* it has been asked all of it */
	for (int i = 0; i < 2 * CROWD; i++) {
		DEFINE_FRAME(f);

		if (wire_recv(&self->w, &f, WAIT_MS))
			die("the peer was not asked");
	}
}

static void hears_noconnection(struct __test_metadata *_metadata, FIXTURE_DATA(nomemory) *self,
			       int i, uint64_t ref)
{
	struct epid pid = wire_pid(&self->w, 50 + i), linked = wire_pid(&self->w, LINKED + i);
	struct eref e = proc_ref(self->p->fd[i], ref);
	int exits = 0, downs = 0;
	DEFINE_BUF(exit);
	DEFINE_BUF(exit_linked);
	DEFINE_BUF(down);
	DEFINE_BUF(nodedown);

	fmt(&exit, "{apa}", "EXIT", &pid, "noconnection");
	fmt(&exit_linked, "{apa}", "EXIT", &linked, "noconnection");
	fmt(&down, "{arapa}", "DOWN", &e, "process", &pid, "noconnection");
	fmt(&nodedown, "{aa}", "nodedown", self->w.name);
	for (int n = 0; n < 4; n++) {
		DEFINE_MSG(m);

		ASSERT_EQ(0, proc_recv(self->p->fd[i], &m, WAIT_MS)) {
			TH_LOG("process %d heard %d of 4", i, n);
		}
		exits += buf_eq(&m.term, &exit) ? 1 : buf_eq(&m.term, &exit_linked) ? 10 : 0;
		downs += buf_eq(&m.term, &down);
		/* the last of them */
		EXPECT_EQ(n == 3, buf_eq(&m.term, &nodedown)) {
			buf_dump("received", &m.term);
		}
	}
	EXPECT_EQ(11, exits);
	EXPECT_EQ(1, downs);
}

TEST_F_TIMEOUT(nomemory, a_node_is_lost, 300)
{
	const int rounds = scaled(20);
	uint64_t refs[CROWD];

	crowd(self->p);
	for (int n = 0; n < rounds; n++) {
		/* of TCP, the end would need memory itself */
		wire_link(self, CARRIER_UNIX);
		ask_of_the_peer(self, refs);
		watch(self);
		memory_fails();
		wire_close(&self->w);
		sleep_ms(FAILING_MS);
		memory_is_back();
		for (int i = 0; i < CROWD; i++)
			hears_noconnection(_metadata, self, i, refs[i]);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
		/* the watcher's are local: they stay, and end before the next round's */
		for (int i = 0; i < CROWD; i++)
			close(self->p->fd[i]);
		for (int i = 0; i < 2 * CROWD; i++) {
			DEFINE_MSG(m);

			ASSERT_EQ(0, proc_recv(self->watcher, &m, WAIT_MS));
		}
		EXPECT_FALSE(poll_for(self->watcher, POLLIN, 0));
		crowd(self->p);
	}
}

/* The same when the node itself is closed: its processes end. */
TEST_F_TIMEOUT(nomemory, the_node_is_closed, 300)
{
	const int rounds = scaled(10);
	int other = node("x@h"), outside = proc(NULL, "x@h");

	proc_trap_exit(outside, true);
	for (int n = 0; n < rounds; n++) {
		struct epid pid;
		DEFINE_BUF(dest);
		DEFINE_BUF(want);
		DEFINE_MSG(m);

		/* k@h and x@h are peers of each other */
		ASSERT_EQ(0, nodes_connect(self->node, other, "x@h", CARRIER_UNIX));
		proc_self(self->watcher, &pid);
		fmt(&dest, "p", &pid);
		ASSERT_EQ(0, proc_ask(outside, &(struct to){ .op = ERLDIST_SIG_LINK,
							     .dest = &dest }));
		sleep_ms(QUIET_MS);
		memory_fails();
		close(self->node);
		sleep_ms(FAILING_MS);
		memory_is_back();
		fmt(&want, "{apa}", "EXIT", &pid, "noconnection");
		EXPECT_TRUE(proc_expect(outside, &want));
		EXPECT_EQ(-ENETDOWN, proc_recv(self->watcher, &m, WAIT_MS));
		close(self->watcher);
		ASSERT_EQ(0, node_wait(other, ERLDIST_PENDING_DOWN, NULL));
		self->node = node("k@h");
		self->watcher = proc("watcher", "k@h");
	}
}

/*
 * Events that cannot be built
 */

/* What is done without memory is an event of the group, and so is what is done then. */
static void event_is_missed(struct __test_metadata *_metadata, struct genl *g, const int *fd,
			    int seq_attr, const int *again, int again_attr)
{
	struct genl_msg m;
	uint64_t seq;

	ASSERT_EQ(0, genl_event(g, &m, WAIT_MS));
	seq = get_u64(&m, seq_attr);
	memory_fails();
	close(*fd);
	sleep_ms(FAILING_MS);
	memory_is_back();
	EXPECT_EQ(-ENOBUFS, genl_event(g, &m, WAIT_MS));
	close(*again);
	ASSERT_EQ(0, genl_event(g, &m, WAIT_MS));
	EXPECT_EQ(seq + 2, get_u64(&m, again_attr));
}

static void events_of(struct __test_metadata *_metadata, struct genl *g, const char *group)
{
	ASSERT_EQ(0, genl_open(g, ERLDIST_FAMILY_NAME));
	ASSERT_EQ(0, genl_join(g, group));
}

TEST_F(nomemory, a_listener_hears_of_lost_events)
{
	int first = proc("a", NULL), again = proc("b", NULL);
	struct genl_msg m;
	struct genl g;

	events_of(_metadata, &g, ERLDIST_MCGRP_NAMES);
	close(proc("c", NULL));
	ASSERT_EQ(0, genl_event(&g, &m, WAIT_MS));
	event_is_missed(_metadata, &g, &first, ERLDIST_A_PROCESS_SEQ, &again,
			ERLDIST_A_PROCESS_SEQ);
	genl_close(&g);

	first = node("x@h");
	again = node("y@h");
	events_of(_metadata, &g, ERLDIST_MCGRP_NODES);
	close(node("z@h"));
	ASSERT_EQ(0, genl_event(&g, &m, WAIT_MS));
	event_is_missed(_metadata, &g, &first, ERLDIST_A_NODE_SEQ, &again,
			ERLDIST_A_NODE_SEQ);
	genl_close(&g);

	again = node("y@h");
	events_of(_metadata, &g, ERLDIST_MCGRP_NODES);
	wire_link(self, CARRIER_UNIX);
	event_is_missed(_metadata, &g, &self->w.fd, ERLDIST_A_PEER_SEQ, &again,
			ERLDIST_A_NODE_SEQ);
	genl_close(&g);
}

/*
 * One call
 */

struct call {
	int fd;			/* a socket, or a process */
	int other;		/* a process of the same node */
	int node;
	int pair[2];		/* a stream */
	struct buf local, remote, name, long_term, spawn;
	uint64_t ref;
	struct msg got;
};

static int set_value(int fd, int option, int32_t value)
{
	return setsockopt(fd, SOL_ERLDIST, option, &value, sizeof(value)) ? -errno : 0;
}

static int set_term(int fd, int option, const struct buf *b)
{
	return setsockopt(fd, SOL_ERLDIST, option, b->p, b->len) ? -errno : 0;
}

static int call_bind(struct call *c)
{
	struct sockaddr_erldist a = { .sed_family = family() };

	return bind(c->fd, (void *)&a, 2) ? -errno : 0;
}

static int call_bind_name(struct call *c)
{
	return set_term(c->fd, ERLDIST_BIND, &c->name);
}

static int call_attach(struct call *c)
{
	return set_value(c->fd, ERLDIST_ATTACH, c->other);
}

static int call_socket(struct call *c)
{
	int fd = socket(family(), SOCK_RDM, 0);

	return fd < 0 ? -errno : close(fd);
}

static int call_node(struct call *c)
{
	int fd = socket(family(), SOCK_RAW, 0), err;

	if (fd < 0)
		return -errno;
	err = set_term(fd, ERLDIST_BIND, &(struct buf){ (uint8_t *)"w\003a@h", 5, 5 });
	close(fd);
	return err;
}

static int call_name(struct call *c)
{
	return set_term(c->fd, ERLDIST_NAME, &(struct buf){ (uint8_t *)"w\002n2", 4, 4 });
}

static int call_reason(struct call *c)
{
	return set_term(c->fd, ERLDIST_EXIT_REASON, &c->name);
}

static int call_owner(struct call *c)
{
	return set_value(c->fd, ERLDIST_OWNER, ERLDIST_OWNER_SELF);
}

static int call_kill_signal(struct call *c)
{
	return set_value(c->fd, ERLDIST_KILL_SIGNAL, SIGTERM);
}

static int call_server(struct call *c)
{
	return set_value(c->fd, ERLDIST_SPAWN_SERVER, 1);
}

static int call_connect(struct call *c)
{
	return set_term(c->fd, ERLDIST_CONNECT, &c->remote);
}

static int call_send(struct call *c)
{
	return proc_sendto(c->fd, &(struct to){ .dest = &c->local, .cmsg = true }, &c->name);
}

static int call_send_long(struct call *c)
{
	return proc_sendto(c->fd, &(struct to){ .dest = &c->local }, &c->long_term);
}

static int call_send_remote(struct call *c)
{
	return proc_sendto(c->fd, &(struct to){ .dest = &c->remote, .cmsg = true }, &c->name);
}

static int call_send_long_remote(struct call *c)
{
	return proc_sendto(c->fd, &(struct to){ .dest = &c->remote }, &c->long_term);
}

static int request(struct call *c, const struct buf *dest)
{
	return proc_sendto(c->fd, &(struct to){ .dest = dest, .ref = c->ref,
						.sig_flags = ERLDIST_SIG_F_MONITOR |
							     ERLDIST_SIG_F_ALIAS }, &c->name);
}

static int call_request(struct call *c)
{
	return request(c, &c->local);
}

static int call_request_remote(struct call *c)
{
	return request(c, &c->remote);
}

static int ask(struct call *c, int op, const struct buf *dest, uint64_t ref, int flags)
{
	return proc_ask(c->fd, &(struct to){ .op = op, .dest = dest, .ref = ref,
					     .sig_flags = flags });
}

static int call_link(struct call *c)
{
	return ask(c, ERLDIST_SIG_LINK, &c->local, 0, 0);
}

static int call_link_remote(struct call *c)
{
	return ask(c, ERLDIST_SIG_LINK, &c->remote, 0, 0);
}

/* The link that was unlinked is not over before the peer acknowledges it. */
static int call_link_again(struct call *c)
{
	int err = call_link_remote(c);

	if (!err)
		err = ask(c, ERLDIST_SIG_UNLINK, &c->remote, 0, 0);
	return err ? err : call_link_remote(c);
}

static int call_monitor(struct call *c)
{
	return ask(c, ERLDIST_SIG_MONITOR, &c->local, c->ref, 0);
}

static int call_monitor_remote(struct call *c)
{
	return ask(c, ERLDIST_SIG_MONITOR, &c->remote, c->ref, 0);
}

static int call_alias(struct call *c)
{
	return ask(c, ERLDIST_SIG_ALIAS, NULL, c->ref, 0);
}

static int call_exit(struct call *c)
{
	return proc_sendto(c->fd, &(struct to){ .op = ERLDIST_SIG_EXIT, .dest = &c->local },
			   &c->name);
}

static int call_exit_remote(struct call *c)
{
	return proc_sendto(c->fd, &(struct to){ .op = ERLDIST_SIG_EXIT, .dest = &c->remote },
			   &c->name);
}

static int call_watch_node(struct call *c)
{
	DEFINE_BUF(dest);

	return ask(c, ERLDIST_SIG_MONITOR_NODE, fmt(&dest, "a", "w@h"), 0, 0);
}

static int call_watch_nodes(struct call *c)
{
	return ask(c, ERLDIST_SIG_MONITOR_NODES, NULL, 0,
		   ERLDIST_SIG_F_VISIBLE | ERLDIST_SIG_F_HIDDEN);
}

static int call_spawn(struct call *c)
{
	DEFINE_BUF(dest);

	return proc_sendto(c->fd, &(struct to){ .op = ERLDIST_SIG_SPAWN, .ref = c->ref,
						.dest = fmt(&dest, "a", "w@h") }, &c->spawn);
}

static int call_recv(struct call *c)
{
	struct call sender = { .fd = c->other, .local = c->name, .name = c->name };
	int err = 0;

	set_value(c->fd, ERLDIST_RECVTO, 1);
	/* what could not be received is still there */
	if (!(poll_now(c->fd) & POLLIN))
		err = call_send(&sender);
	return err < 0 ? err : proc_recv(c->fd, &c->got, 0);
}

static int call_peer(struct call *c)
{
	return node_peer(c->node, ERLDIST_PEER_COOKIE, "v@h", "secret", 0, 0);
}

static int call_hand_over(struct call *c)
{
	return node_accept(c->node, c->pair[0], 7);
}

static const struct {
	const char *name;
	int (*fn)(struct call *c);
	bool unbound;
} calls[] = {
	{ "bind", call_bind, true },
	{ "bind to a name", call_bind_name, true },
	{ "ATTACH", call_attach, true },
	{ "socket", call_socket, true },
	{ "node", call_node, true },
	{ "NAME", call_name },
	{ "EXIT_REASON", call_reason },
	{ "OWNER", call_owner },
	{ "KILL_SIGNAL", call_kill_signal },
	{ "SPAWN_SERVER", call_server },
	{ "CONNECT", call_connect },
	{ "a message", call_send },
	{ "a long message", call_send_long },
	{ "a message to the peer", call_send_remote },
	{ "a long message to the peer", call_send_long_remote },
	{ "a request", call_request },
	{ "a request to the peer", call_request_remote },
	{ "LINK", call_link },
	{ "LINK with the peer", call_link_remote },
	{ "LINK again", call_link_again },
	{ "MONITOR", call_monitor },
	{ "MONITOR at the peer", call_monitor_remote },
	{ "ALIAS", call_alias },
	{ "EXIT", call_exit },
	{ "EXIT to the peer", call_exit_remote },
	{ "MONITOR_NODE", call_watch_node },
	{ "MONITOR_NODES", call_watch_nodes },
	{ "SPAWN", call_spawn },
	{ "recvmsg", call_recv },
	{ "PEER", call_peer },
	{ "CHANNEL", call_hand_over },
};

static int fail_nth_fd(void)
{
	static const char *const quiet[] = {
		FAILSLAB "../fail_usercopy/verbose", FAILSLAB "../fail_page_alloc/verbose",
	};
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++) {
		fd = open(quiet[i], O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && !knob_set(fd, "0"))
			die("%s", quiet[i]);
		close(fd);
	}
	return open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

#define NEVER		(1 << 30)

/* The nth allocation, or copy from or to user space, of this thread fails. */
static void fail_nth(int fd, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(fd, text, len, 0) != len)
		die("fail-nth");
}

/* Reading and writing this copy, too: where there is one left to fail, it fails there. */
static bool has_failed(int fd)
{
	char text[16] = "";
	bool failed = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);

	if (pwrite(fd, "0", 1, 0) != 1 && pwrite(fd, "0", 1, 0) != 1)
		die("fail-nth");
	return failed;
}

static int tcp_orphans(void)
{
	FILE *f = fopen("/proc/net/sockstat", "re");
	char line[256];
	int n = -1;

	while (f && n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "TCP: inuse %*d orphan %d", &n);
	if (n < 0)
		die("sockstat");
	fclose(f);
	return n;
}

static bool write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && knob_set(fd, value);

	close(fd);
	return done;
}

/* Data and FINs of TCP are allocated from there, acknowledgements and resets are not. */
static bool only_data_of_tcp_fails(bool on)
{
	return write_file("/sys/kernel/slab/skbuff_fclone_cache/failslab", on ? "1" : "0") &&
	       write_file(FAILSLAB "cache-filter", on ? "Y" : "N");
}

/*
 * The peer closes, for which it has memory. TCP has none for the node's own FIN, and does
 * not try again: its socket would wait for the acknowledgement for ever.
 */
TEST_F(nomemory, a_tcp_connection_is_closed)
{
	int nth = fail_nth_fd(), before = tcp_orphans();
	uint64_t end;

	wire_link(self, CARRIER_TCP4);
	if (nth < 0 || !only_data_of_tcp_fails(true))
		SKIP(return, "this kernel has no fail-nth, or no failslab by cache");
	fail_nth(nth, NEVER);
	memory_fails();
	shutdown(self->w.fd, SHUT_WR);
	sleep_ms(FAILING_MS);
	memory_is_back();
	fail_nth(nth, 0);
	EXPECT_TRUE(only_data_of_tcp_fails(false));
	wire_close(&self->w);
	end = now_ms() + WAIT_MS;
	while (tcp_orphans() > before) {
		ASSERT_GT(end, now_ms()) {
			TH_LOG("orphans of TCP: %d, before: %d", tcp_orphans(), before);
		}
		sleep_ms(10);
	}
}

static void call_begin(struct call *c, bool unbound)
{
	c->fd = unbound ? socket(family(), SOCK_RDM | SOCK_CLOEXEC, 0) : proc("caller", NULL);
	c->ref = unbound ? 0 : proc_refs(c->fd);
	stream_pair(CARRIER_TCP4, c->pair);
}

static void call_end(struct call *c, struct wire *w)
{
	close(c->fd);
	close(c->pair[0]);
	close(c->pair[1]);
	msg_free(&c->got);
	memset(&c->got, 0, sizeof(c->got));
	while (poll_now(w->fd) & POLLIN) {
		DEFINE_FRAME(f);

		if (wire_recv(w, &f, WAIT_MS))
			die("the peer");
	}
	while (poll_now(c->other) & POLLIN) {
		DEFINE_MSG(m);

		proc_recv(c->other, &m, 0);
	}
}

static bool processes_are(unsigned int n)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct node_info i;

	do {
		if (node_info("k@h", &i))
			return false;
		if (i.processes == n)
			return true;
		sleep_ms(5);
	} while (now_ms() < end);
	fprintf(stderr, "# %u processes, not %u\n", i.processes, n);
	return false;
}

/* True: one has failed. What then gave an error succeeds when it is done again. */
static bool call_fails(struct __test_metadata *_metadata, struct call *c, int nth, int i, int n)
{
	int err;
	bool failed;

	fail_nth(nth, n);
	err = calls[i].fn(c);
	failed = has_failed(nth);
	if (failed && err < 0)
		err = calls[i].fn(c);
	EXPECT_LE(0, err) {
		TH_LOG("%s, %d", calls[i].name, n);
	}
	return failed;
}

TEST_F_TIMEOUT(nomemory, calls_that_fail, 300)
{
	struct call c = { .node = self->node, .other = self->watcher };
	int nth = fail_nth_fd(), n;
	struct epid pid;

	if (nth < 0)
		SKIP(return, "this kernel has no fail-nth");
	wire_link(self, CARRIER_UNIX);
	pid = wire_pid(&self->w, 9);
	fmt(&c.local, "p", &self->watcher_pid);
	fmt(&c.remote, "p", &pid);
	fmt(&c.name, "a", "caller");
	fmt(&c.long_term, "[B]", memset(malloc(100000), 'x', 100000), (size_t)100000);
	fmt(&c.spawn, "{aa[aa][]}", "m", "f", "link", "monitor");
	for (int i = 0; i < ARRAY_SIZE(calls); i++) {
		for (n = 1; n < 100; n++) {
			bool failed;

			call_begin(&c, calls[i].unbound);
			failed = call_fails(_metadata, &c, nth, i, n);
			call_end(&c, &self->w);
			if (!failed)
				break;
		}
		EXPECT_GT(100, n);
		ASSERT_TRUE(processes_are(1)) {
			TH_LOG("%s", calls[i].name);
		}
	}
}

TEST_HARNESS_MAIN
