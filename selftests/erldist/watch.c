// SPDX-License-Identifier: GPL-2.0-only
/* Processes that are told of nodes that come and go. */
#include <pthread.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

#define VISIBLE	ERLDIST_SIG_F_VISIBLE
#define HIDDEN	ERLDIST_SIG_F_HIDDEN
#define OFF	ERLDIST_SIG_F_OFF

FIXTURE(watch) {
	int node;
	int p;
	struct epid pid;
};

FIXTURE_SETUP(watch)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->p = proc("svc", NULL);
	proc_self(self->p, &self->pid);
}

FIXTURE_TEARDOWN(watch)
{
}

static int watch_node(int fd, const char *name, int flags)
{
	DEFINE_BUF(dest);

	fmt(&dest, "a", name);
	return proc_ask(fd, &(struct to){ .op = ERLDIST_SIG_MONITOR_NODE, .dest = &dest,
					  .sig_flags = flags, .user_data = 5 });
}

static int watch_all(int fd, int flags)
{
	return proc_ask(fd, &(struct to){ .op = ERLDIST_SIG_MONITOR_NODES,
					  .sig_flags = flags, .user_data = 6 });
}

static void expect(struct __test_metadata *_metadata, int fd, const char *what,
		   const char *name, uint64_t data)
{
	DEFINE_MSG(m);
	DEFINE_BUF(b);

	ASSERT_EQ(0, proc_recv(fd, &m, WAIT_MS));
	EXPECT_EQ(what[4] == 'u' ? ERLDIST_SIG_NODEUP : ERLDIST_SIG_NODEDOWN, m.op);
	EXPECT_NE(0, m.flags & ERLDIST_MSG_SIGNAL);
	EXPECT_EQ(data, m.user_data);
	EXPECT_TRUE(buf_eq(&m.term, fmt(&b, "{aa}", what, name))) {
		buf_dump("received", &m.term);
		buf_dump("expected", &b);
	}
}

#define EXPECT_TOLD(what, name, data)	expect(_metadata, self->p, what, name, data)

/* The node has seen its end */
static bool gone(const char *name)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info i;

	while (!peer_get("k@h", name, &i) && i.state != ERLDIST_PEER_STATE_DOWN)
		if (now_ms() > end)
			return false;
	return true;
}

static bool quiet(int fd)
{
	return !poll_for(fd, POLLIN, QUIET_MS);
}

TEST_F(watch, one_node)
{
	struct wire w;

	ASSERT_EQ(0, wire_up(&w, self->node));
	/* as often as it was asked for */
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, watch_node(self->p, "w@h", 0));
	ASSERT_EQ(0, watch_node(self->p, "w@h", OFF));
	/* the own node, and one less than none */
	ASSERT_EQ(0, watch_node(self->p, "k@h", 0));
	ASSERT_EQ(0, watch_node(self->p, "x@h", OFF));
	EXPECT_TRUE(quiet(self->p));
	wire_close(&w);
	EXPECT_TOLD("nodedown", "w@h", 5);
	EXPECT_TOLD("nodedown", "w@h", 5);
	EXPECT_TRUE(quiet(self->p));
	/* once */
	ASSERT_TRUE(gone("w@h"));
	ASSERT_EQ(0, wire_up(&w, self->node));
	wire_close(&w);
	EXPECT_TRUE(quiet(self->p));
}

/* It connects, and when that fails the node is down. */
TEST_F(watch, not_connected)
{
	struct peer_info info;
	struct wire w;
	int sv[2];

	ASSERT_EQ(0, watch_node(self->p, "far@h", 0));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &info));
	EXPECT_STREQ("far@h", info.name);
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_UNREACHABLE, "far@h", NULL, 0, ENETUNREACH));
	EXPECT_TOLD("nodedown", "far@h", 5);
	/* remembered */
	ASSERT_EQ(0, watch_node(self->p, "far@h", 0));
	EXPECT_TOLD("nodedown", "far@h", 5);
	EXPECT_EQ(-EHOSTUNREACH, watch_node(self->p, "near@h", ERLDIST_SIG_F_NOCONNECT));
	ASSERT_EQ(0, watch_node(self->p, "near@h", 0));
	stream_pair(CARRIER_TCP4, sv);
	wire_init(&w, sv[0], "near@h");
	ASSERT_EQ(0, node_accept(self->node, sv[1], 5));
	ASSERT_EQ(0, wire_initiate(&w));
	EXPECT_TRUE(quiet(self->p));
	wire_close(&w);
	EXPECT_TOLD("nodedown", "near@h", 5);
}

TEST_F(watch, all_nodes)
{
	struct wire w, v, u;
	DEFINE_BUF(hello);

	fmt(&hello, "a", "hello");
	ASSERT_EQ(0, wire_up(&u, self->node));
	EXPECT_EQ(-EINVAL, watch_all(self->p, 0));
	EXPECT_EQ(-EINVAL, watch_all(self->p, OFF | HIDDEN));
	ASSERT_EQ(0, watch_all(self->p, VISIBLE | HIDDEN));
	/* of who is there only the end is told */
	EXPECT_TRUE(quiet(self->p));
	ASSERT_EQ(0, wire_up_as(&w, self->node, "w2@h"));
	ASSERT_EQ(0, wire_pid_send(&w, &self->pid, &hello));
	EXPECT_TOLD("nodeup", "w2@h", 6);
	EXPECT_TRUE(proc_expect(self->p, &hello));
	wire_close(&u);
	EXPECT_TOLD("nodedown", "w@h", 6);
	/* comes and goes, again and again */
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, wire_up_as(&v, self->node, "v@h"));
		EXPECT_TOLD("nodeup", "v@h", 6);
		wire_close(&v);
		EXPECT_TOLD("nodedown", "v@h", 6);
		ASSERT_TRUE(gone("v@h"));
	}
	ASSERT_EQ(0, watch_all(self->p, OFF));
	wire_close(&w);
	ASSERT_TRUE(gone("v@h"));
	ASSERT_EQ(0, wire_up_as(&v, self->node, "v@h"));
	EXPECT_TRUE(quiet(self->p));
	/* such nodes are hidden */
	ASSERT_EQ(0, watch_all(self->p, VISIBLE));
	wire_close(&v);
	ASSERT_TRUE(gone("v@h"));
	ASSERT_EQ(0, wire_up_as(&v, self->node, "v@h"));
	EXPECT_TRUE(quiet(self->p));
}

/* nodedown comes behind all noconnection, nodeup before anything of the node. */
TEST_F(watch, order)
{
	uint64_t ref = proc_refs(self->p);
	struct wire w;
	struct epid other;
	DEFINE_BUF(dest);
	DEFINE_MSG(m);

	proc_trap_exit(self->p, true);
	ASSERT_EQ(0, watch_all(self->p, VISIBLE | HIDDEN));
	ASSERT_EQ(0, wire_up(&w, self->node));
	EXPECT_TOLD("nodeup", "w@h", 6);
	ASSERT_EQ(0, watch_node(self->p, "w@h", 0));
	for (int i = 0; i < 20; i++) {
		other = wire_pid(&w, i + 1);
		term(&dest, "p", &other);
		ASSERT_EQ(0, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_LINK, .dest = &dest }));
		ASSERT_EQ(0, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_MONITOR,
						.dest = &dest, .ref = ref + i }));
	}
	wire_close(&w);
	for (int i = 0; i < 40; i++) {
		ASSERT_EQ(0, proc_recv(self->p, &m, WAIT_MS));
		EXPECT_TRUE(m.op == ERLDIST_SIG_EXIT || m.op == ERLDIST_SIG_DOWN);
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, proc_recv(self->p, &m, WAIT_MS));
		EXPECT_EQ(ERLDIST_SIG_NODEDOWN, m.op);
	}
}

TEST_F(watch, refused)
{
	DEFINE_BUF(dest);

	EXPECT_EQ(-EINVAL, watch_node(self->p, "svc", 0));
	fmt(&dest, "p", &self->pid);
	EXPECT_EQ(-EINVAL, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_MONITOR_NODE,
							   .dest = &dest }));
	term(&dest, "{aa}", "svc", "k@h");
	EXPECT_EQ(-EINVAL, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_MONITOR_NODE,
							   .dest = &dest }));
	EXPECT_EQ(-EOPNOTSUPP, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_NODEUP }));
	EXPECT_EQ(-EINVAL, watch_node(self->p, "w@h", HIDDEN));
}

/* Who watched and is gone leaves nothing behind. */
TEST_F(watch, ends)
{
	struct wire w;

	ASSERT_EQ(0, watch_all(self->p, VISIBLE | HIDDEN));
	ASSERT_EQ(0, wire_up(&w, self->node));
	ASSERT_EQ(0, watch_node(self->p, "w@h", 0));
	close(self->p);
	wire_close(&w);
	ASSERT_TRUE(gone("w@h"));
	ASSERT_EQ(0, wire_up(&w, self->node));
	ASSERT_EQ(0, wire_sync(&w));
}

static void *watches_all(void *arg)
{
	return (void *)(intptr_t)watch_all(*(int *)arg, VISIBLE | HIDDEN);
}

/* A process that ends while it begins to watch: the peer does not hear of it. */
TEST_F_TIMEOUT(watch, ends_while_it_begins, 120)
{
	int delay = delay_calls("erldist_relation_hook_channel");
	int rounds = delay < 0 ? scaled(50) : 4;
	struct wire w;
	DEFINE_BUF(bye);

	ASSERT_EQ(0, wire_up(&w, self->node));
	fmt(&bye, "a", "bye");
	for (int n = 0; n < rounds; n++) {
		int p = proc(NULL, NULL);
		struct epid pid;
		pthread_t t;
		DEFINE_BUF(dest);

		proc_self(p, &pid);
		fmt(&dest, "p", &pid);
		ASSERT_EQ(0, pthread_create(&t, NULL, watches_all, &p));
		usleep(n % 4 * 700);
		EXPECT_EQ(bye.len, proc_sendto(p, &(struct to){ .op = ERLDIST_SIG_EXIT,
								.dest = &dest }, &bye));
		pthread_join(t, NULL);
		close(p);
		ASSERT_EQ(0, wire_sync(&w)) {
			TH_LOG("round %d", n);
		}
	}
	close(delay);
}

TEST_HARNESS_MAIN
