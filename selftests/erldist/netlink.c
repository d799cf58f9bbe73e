// SPDX-License-Identifier: GPL-2.0-only
/* What generic netlink tells about nodes, and to whom. */
#include <grp.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

#define NOBODY	65534

FIXTURE(netlink) {
	struct genl g;
	struct genl events;
};

FIXTURE_SETUP(netlink)
{
	SETUP_ERLDIST();
	ASSERT_EQ(0, genl_open(&self->g, ERLDIST_FAMILY_NAME));
	ASSERT_EQ(0, genl_open(&self->events, ERLDIST_FAMILY_NAME));
}

FIXTURE_TEARDOWN(netlink)
{
}

TEST_F(netlink, family)
{
	struct genl_msg m;

	ASSERT_EQ(0, genl_do(&self->g, ERLDIST_CMD_FAMILY_GET, NULL, &m));
	EXPECT_EQ(family(), get_u32(&m, ERLDIST_A_FAMILY_ADDRESS_FAMILY));
	EXPECT_NE(0, get_str(&m, ERLDIST_A_FAMILY_VERSION)[0]);
	EXPECT_EQ(0, get_u64(&m, ERLDIST_A_FAMILY_NODES_SEQ));
	EXPECT_LT(1 << 20, get_u64(&m, ERLDIST_A_FAMILY_MAX_MESSAGE));
	EXPECT_LE(get_u64(&m, ERLDIST_A_FAMILY_MAX_MESSAGE),
		  get_u64(&m, ERLDIST_A_FAMILY_MAILBOX_POOL) / 2);
}

struct found {
	int n;
	const char *cookie;	/* must not be in there */
	bool leaked;
	char names[8][256];
	uint64_t seq;
};

static void count_entry(const struct genl_msg *m, void *arg)
{
	struct found *f = arg;

	if (f->n < 8)
		snprintf(f->names[f->n], 256, "%s", get_str(m, 1));
	f->n++;
	if (f->cookie && memmem(m->data, m->len, f->cookie, strlen(f->cookie)))
		f->leaked = true;
}

TEST_F(netlink, nodes)
{
	struct found f = { .cookie = "sesame" };
	struct node_info i;
	struct genl_msg m;
	DEFINE_BUF(a);
	int k = node_open(&(struct node_config){ .name = "k@h", .cookie = "sesame",
		.creation = 99, .mode = 0640, .ticktime = 8000, .intensity = 8 });

	ASSERT_LE(0, k);
	node("l@h");
	proc("svc", "k@h");
	EXPECT_EQ(2, genl_dump(&self->g, ERLDIST_CMD_NODE_GET, NULL, count_entry, &f));
	EXPECT_EQ(2, f.n);
	EXPECT_TRUE(!strcmp(f.names[0], "k@h") || !strcmp(f.names[1], "k@h"));
	EXPECT_FALSE(f.leaked);

	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(99, i.creation);
	EXPECT_EQ(0640, i.mode);
	EXPECT_EQ(getuid(), i.uid);
	EXPECT_EQ(getgid(), i.gid);
	EXPECT_EQ(DEFAULT_FLAGS, i.flags);
	EXPECT_EQ(1, i.processes);
	EXPECT_EQ(0, i.peers_up);
	EXPECT_LT(0, i.pool_limit);

	attr_str(&a, ERLDIST_A_NODE_NAME, "k@h");
	ASSERT_EQ(0, genl_do(&self->g, ERLDIST_CMD_NODE_GET, &a, &m));
	EXPECT_EQ(8000, get_u32(&m, ERLDIST_A_NODE_TICKTIME));
	EXPECT_EQ(8, get_u32(&m, ERLDIST_A_NODE_INTENSITY));

	EXPECT_EQ(-ENOENT, node_info("x@h", &i));
	EXPECT_EQ(-EINVAL, genl_do(&self->g, ERLDIST_CMD_NODE_GET, NULL, &m)) {
		TH_LOG("a name is missing");
	}
	a.len = 0;
	attr_put(&a, ERLDIST_A_NODE_NAME, "no end", 6);
	EXPECT_GT(0, genl_do(&self->g, ERLDIST_CMD_NODE_GET, &a, &m));
	a.len = 0;
	attr_u32(&a, ERLDIST_A_NODE_CREATION, 5);
	EXPECT_EQ(-EINVAL, genl_do(&self->g, ERLDIST_CMD_NODE_GET, &a, &m));
}

TEST_F(netlink, errors_say_what)
{
	struct genl_msg m;
	DEFINE_BUF(a);

	attr_str(&a, ERLDIST_A_NODE_NAME, "x@h");
	EXPECT_EQ(-ENOENT, genl_do(&self->g, ERLDIST_CMD_NODE_GET, &a, &m));
	EXPECT_NE(0, self->g.extack[0]) {
		TH_LOG("no text with ENOENT");
	}
	EXPECT_EQ(-EOPNOTSUPP, genl_do(&self->g, ERLDIST_CMD_NODE_NEW_NTF, &a, &m));
	EXPECT_EQ(-EOPNOTSUPP, genl_do(&self->g, 200, &a, &m));
}

TEST_F(netlink, peers)
{
	struct found f = { .cookie = "sesame" };
	struct peer_info i;
	struct wire w;
	DEFINE_BUF(msg);
	int k = node("k@h"), p = proc("svc", NULL);
	uint64_t end = now_ms() + WAIT_MS;

	ASSERT_EQ(0, node_peer(k, ERLDIST_PEER_COOKIE, "w@h", "sesame", 0, 0));
	wire_init(&w, -1, "w@h");
	w.cookie = "sesame";
	ASSERT_EQ(0, wire_connect(&w, k, CARRIER_TCP4, ERLDIST_ROLE_ACCEPTOR));
	for (int n = 0; n < 5; n++) {
		ASSERT_EQ(0, wire_reg_send(&w, "svc", term(&msg, "i", n)));
		ASSERT_TRUE(proc_expect(p, &msg));
	}
	/* a message is counted when it was delivered */
	do {
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	} while (i.rx_messages < 5 && now_ms() < end);
	EXPECT_STREQ("k@h", i.node);
	EXPECT_STREQ("w@h", i.name);
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	EXPECT_EQ(5, i.rx_messages);
	EXPECT_EQ(w.creation, i.creation);
	EXPECT_EQ(-ENOENT, peer_get("k@h", "x@h", &i));
	EXPECT_EQ(-ENOENT, peer_get("x@h", "w@h", &i));
	EXPECT_LE(1, genl_dump(&self->g, ERLDIST_CMD_PEER_GET, NULL, count_entry, &f));
	EXPECT_FALSE(f.leaked);
}

static void sum_names(const struct genl_msg *m, void *arg)
{
	int *named = arg;

	*named += get_str(m, ERLDIST_A_PROCESS_NAME)[0] != 0;
}

TEST_F(netlink, processes)
{
	unsigned int count = scaled(300);
	struct erldist_limits l;
	struct genl_msg m;
	struct epid pid;
	int named = 0, p, k = node("k@h");
	DEFINE_BUF(msg);
	DEFINE_BUF(d);
	DEFINE_BUF(a);

	ASSERT_EQ(0, node_limits(k, &l));
	p = proc("svc", NULL);
	for (unsigned int i = 1; i < count; i++)
		proc(NULL, NULL);
	EXPECT_EQ(count, genl_dump(&self->g, ERLDIST_CMD_PROCESS_GET, NULL, sum_names,
				   &named));
	EXPECT_EQ(1, named);

	proc_self(p, &pid);
	term(&msg, "{ab}", "hello", "there");
	ASSERT_LT(0, proc_send(p, term(&d, "a", "svc"), &msg));
	attr_str(&a, ERLDIST_A_PROCESS_NODE, "k@h");
	attr_u32(&a, ERLDIST_A_PROCESS_ID, pid.id);
	attr_u32(&a, ERLDIST_A_PROCESS_SERIAL, pid.serial);
	ASSERT_EQ(0, genl_do(&self->g, ERLDIST_CMD_PROCESS_GET, &a, &m));
	EXPECT_STREQ("svc", get_str(&m, ERLDIST_A_PROCESS_NAME));
	EXPECT_EQ(pid.id, get_u32(&m, ERLDIST_A_PROCESS_ID));
	EXPECT_EQ(pid.creation, get_u32(&m, ERLDIST_A_PROCESS_CREATION));
	EXPECT_EQ(ERLDIST_PROCESS_STATE_ALIVE, get_u32(&m, ERLDIST_A_PROCESS_STATE));
	EXPECT_EQ(getpid(), get_u32(&m, ERLDIST_A_PROCESS_OWNER));
	EXPECT_EQ(1, get_u32(&m, ERLDIST_A_PROCESS_MESSAGES));
	EXPECT_LE(msg.len, get_u64(&m, ERLDIST_A_PROCESS_LOCAL_BYTES));
	EXPECT_EQ(0, get_u64(&m, ERLDIST_A_PROCESS_REMOTE_BYTES));
}

/* The next event is this one; its number follows on the last */
#define EVENT(command, seq_attr)					\
	do {								\
		ASSERT_EQ(0, genl_event(&self->events, &m, WAIT_MS));	\
		EXPECT_EQ(command, m.cmd);				\
		EXPECT_EQ(seq + 1, get_u64(&m, seq_attr));		\
		seq = get_u64(&m, seq_attr);				\
	} while (0)

TEST_F(netlink, events_of_nodes)
{
	struct genl_msg m, fam;
	struct peer_info i;
	struct node_info k_info;
	uint64_t seq = 0, connection;
	struct wire w;
	int k;

	ASSERT_EQ(0, genl_join(&self->events, ERLDIST_MCGRP_NODES));
	k = node("k@h");
	EVENT(ERLDIST_CMD_NODE_NEW_NTF, ERLDIST_A_NODE_SEQ);
	EXPECT_STREQ("k@h", get_str(&m, ERLDIST_A_NODE_NAME));
	ASSERT_EQ(0, wire_up(&w, k));
	EVENT(ERLDIST_CMD_PEER_UP_NTF, ERLDIST_A_PEER_SEQ);
	peer_info(&i, &m);
	EXPECT_STREQ("k@h", i.node);
	EXPECT_STREQ("w@h", i.name);
	EXPECT_NE(0, i.connection);
	connection = i.connection;
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(connection, i.connection);
	EXPECT_EQ(seq, i.seq) {
		TH_LOG("an entry tells the number it is consistent with");
	}
	close(w.fd);
	EVENT(ERLDIST_CMD_PEER_DOWN_NTF, ERLDIST_A_PEER_SEQ);
	peer_info(&i, &m);
	EXPECT_EQ(connection, i.connection);
	EXPECT_EQ(ERLDIST_REASON_CONNECTION_CLOSED, i.reason);
	ASSERT_EQ(0, wire_up(&w, k));
	EVENT(ERLDIST_CMD_PEER_UP_NTF, ERLDIST_A_PEER_SEQ);
	EXPECT_LT(connection, get_u64(&m, ERLDIST_A_PEER_CONNECTION));
	ASSERT_EQ(0, node_info("k@h", &k_info));
	EXPECT_EQ(seq, k_info.seq);
	close(k);
	/* in which order the two go is not said */
	for (int n = 0; n < 2; n++) {
		bool peer;

		ASSERT_EQ(0, genl_event(&self->events, &m, WAIT_MS));
		peer = m.cmd == ERLDIST_CMD_PEER_DOWN_NTF;
		EXPECT_TRUE(peer || m.cmd == ERLDIST_CMD_NODE_DEL_NTF);
		EXPECT_EQ(++seq, get_u64(&m, peer ? ERLDIST_A_PEER_SEQ :
						    ERLDIST_A_NODE_SEQ));
		if (peer) {
			EXPECT_EQ(ERLDIST_REASON_NODE_DOWN,
				  get_u32(&m, ERLDIST_A_PEER_REASON));
		}
	}
	ASSERT_EQ(0, genl_do(&self->g, ERLDIST_CMD_FAMILY_GET, NULL, &fam));
	EXPECT_EQ(seq, get_u64(&fam, ERLDIST_A_FAMILY_NODES_SEQ));
	EXPECT_EQ(-ETIMEDOUT, genl_event(&self->events, &m, QUIET_MS));
}

TEST_F(netlink, events_of_handshakes)
{
	struct peer_info i;
	struct genl_msg m;
	uint64_t seq = 0;
	struct wire w;
	int k = node("k@h");

	ASSERT_EQ(0, genl_join(&self->events, ERLDIST_MCGRP_HANDSHAKES));
	wire_init(&w, -1, "w@h");
	w.cookie = "a guess";
	EXPECT_GT(0, wire_connect(&w, k, CARRIER_TCP4, ERLDIST_ROLE_ACCEPTOR));
	EVENT(ERLDIST_CMD_PEER_FAILED_NTF, ERLDIST_A_PEER_SEQ);
	peer_info(&i, &m);
	EXPECT_EQ(ERLDIST_REASON_BAD_DIGEST, i.reason);
	EXPECT_STREQ("k@h", i.node);
}

/* What the keeper tries again and again is told when it fails in another way */
TEST_F(netlink, events_of_a_kept_peer)
{
	static const int errors[] = { ENETUNREACH, ENETUNREACH, ETIMEDOUT, ENETUNREACH };
	struct peer_info i;
	struct genl_msg m;
	uint64_t seq = 0;
	int k = node("k@h");

	ASSERT_EQ(0, genl_join(&self->events, ERLDIST_MCGRP_HANDSHAKES));
	for (unsigned int n = 0; n < ARRAY_SIZE(errors); n++) {
		ASSERT_EQ(0, node_retry(k, ERLDIST_PEER_UNREACHABLE, "w@h", errors[n], 60000));
		if (n && errors[n] == errors[n - 1])
			continue;
		EVENT(ERLDIST_CMD_PEER_FAILED_NTF, ERLDIST_A_PEER_SEQ);
		peer_info(&i, &m);
		EXPECT_EQ(ERLDIST_REASON_UNREACHABLE, i.reason);
		EXPECT_EQ(errors[n], i.error);
		EXPECT_EQ(n + 1, i.failed);
	}
	EXPECT_EQ(-ETIMEDOUT, genl_event(&self->events, &m, QUIET_MS));
}

TEST_F(netlink, events_of_names)
{
	struct genl_msg m;
	uint64_t seq = 0;
	struct epid pid;
	int k = node_open(&(struct node_config){ .name = "k@h", .mode = 0606 }), p;
	DEFINE_BUF(name);

	ASSERT_LE(0, k);
	ASSERT_EQ(0, genl_join(&self->events, ERLDIST_MCGRP_NAMES));
	p = proc("svc", NULL);
	proc_self(p, &pid);
	EVENT(ERLDIST_CMD_NAME_NEW_NTF, ERLDIST_A_PROCESS_SEQ);
	EXPECT_STREQ("k@h", get_str(&m, ERLDIST_A_PROCESS_NODE));
	EXPECT_STREQ("svc", get_str(&m, ERLDIST_A_PROCESS_NAME));
	EXPECT_EQ(pid.id, get_u32(&m, ERLDIST_A_PROCESS_ID));
	fmt(&name, "a", "other");
	ASSERT_EQ(0, setsockopt(p, SOL_ERLDIST, ERLDIST_NAME, name.p, name.len));
	/* in which order a rename tells its two halves is not said */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, genl_event(&self->events, &m, WAIT_MS));
		EXPECT_EQ(++seq, get_u64(&m, ERLDIST_A_PROCESS_SEQ));
		EXPECT_STREQ(m.cmd == ERLDIST_CMD_NAME_NEW_NTF ? "other" : "svc",
			     get_str(&m, ERLDIST_A_PROCESS_NAME));
	}
	close(p);
	EVENT(ERLDIST_CMD_NAME_DEL_NTF, ERLDIST_A_PROCESS_SEQ);
	EXPECT_STREQ("other", get_str(&m, ERLDIST_A_PROCESS_NAME));
	close(k);

	/* of a node that shuts others out, not the name */
	k = node("k@h");
	p = proc("svc", NULL);
	EVENT(ERLDIST_CMD_NAME_NEW_NTF, ERLDIST_A_PROCESS_SEQ);
	EXPECT_STREQ("k@h", get_str(&m, ERLDIST_A_PROCESS_NODE));
	EXPECT_STREQ("", get_str(&m, ERLDIST_A_PROCESS_NAME));
	EXPECT_EQ(0, get_u32(&m, ERLDIST_A_PROCESS_ID));
	close(p);
	close(k);
}

/* The administrator's group has the names of nodes that shut others out, too */
TEST_F(netlink, all_names)
{
	int k = node("k@h"), p;
	struct genl_msg m;
	uint64_t seq = 0;
	struct epid pid;

	ASSERT_EQ(0, genl_join(&self->events, "names-all"));
	p = proc("svc", NULL);
	proc_self(p, &pid);
	EVENT(ERLDIST_CMD_NAME_NEW_NTF, ERLDIST_A_PROCESS_SEQ);
	EXPECT_STREQ("k@h", get_str(&m, ERLDIST_A_PROCESS_NODE));
	EXPECT_STREQ("svc", get_str(&m, ERLDIST_A_PROCESS_NAME));
	EXPECT_EQ(pid.id, get_u32(&m, ERLDIST_A_PROCESS_ID));
	close(p);
	EVENT(ERLDIST_CMD_NAME_DEL_NTF, ERLDIST_A_PROCESS_SEQ);
	EXPECT_STREQ("svc", get_str(&m, ERLDIST_A_PROCESS_NAME));
	close(k);
}

/* A subscriber that overran sees it by the numbers */
TEST_F(netlink, overrun_shows)
{
	int small = 1, err = 0, n = 0, p = 0;
	uint64_t last = 0;
	struct genl_msg m, fam;

	node("k@h");
	setsockopt(self->events.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ASSERT_EQ(0, genl_join(&self->events, ERLDIST_MCGRP_NAMES));
	for (int i = 0; i < 100; i++) {
		p = proc("svc", NULL);
		close(p);
	}
	while (err != -ETIMEDOUT) {
		err = genl_event(&self->events, &m, 0);
		n += !err;
		if (!err)
			last = get_u64(&m, ERLDIST_A_PROCESS_SEQ);
	}
	EXPECT_GT(200, n);
	ASSERT_EQ(0, genl_do(&self->g, ERLDIST_CMD_FAMILY_GET, NULL, &fam));
	EXPECT_EQ(200, get_u64(&fam, ERLDIST_A_FAMILY_NAMES_SEQ));
	EXPECT_GT(200, last);
}

static int disconnect(struct genl *g, const char *name, uint64_t connection)
{
	DEFINE_BUF(a);

	attr_str(&a, ERLDIST_A_PEER_NODE, "k@h");
	attr_str(&a, ERLDIST_A_PEER_NAME, name);
	if (connection)
		attr_u64(&a, ERLDIST_A_PEER_CONNECTION, connection);
	return genl_do(g, ERLDIST_CMD_PEER_DISCONNECT, &a, NULL);
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		die("become nobody");
}

static int disconnect_as_nobody(void *arg)
{
	struct genl g;

	become_nobody();
	return genl_open(&g, ERLDIST_FAMILY_NAME) ? 255 : -disconnect(&g, "w@h", 0);
}

static int join_as_nobody(void *arg)
{
	struct genl g;

	become_nobody();
	return genl_open(&g, ERLDIST_FAMILY_NAME) ? 255 : -genl_join(&g, arg);
}

TEST_F(netlink, disconnect)
{
	struct peer_info i;
	struct wire w;
	int k = node("k@h");

	ASSERT_EQ(0, wire_up(&w, k));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(EPERM, reap(spawn(disconnect_as_nobody, NULL)));
	EXPECT_EQ(-ENOENT, disconnect(&self->g, "x@h", 0));
	EXPECT_GT(0, disconnect(&self->g, "w@h", i.connection + 1)) {
		TH_LOG("that connection is another one");
	}
	EXPECT_FALSE(wire_ends(&w, QUIET_MS));
	EXPECT_EQ(0, disconnect(&self->g, "w@h", i.connection));
	EXPECT_TRUE(wire_ends(&w, WAIT_MS));
	ASSERT_EQ(0, node_wait(k, ERLDIST_PENDING_DOWN, &i));
	EXPECT_EQ(ERLDIST_REASON_DISCONNECT, i.reason);
}

TEST_F(netlink, who_may_listen)
{
	EXPECT_EQ(0, reap(spawn(join_as_nobody, ERLDIST_MCGRP_NODES)));
	EXPECT_EQ(0, reap(spawn(join_as_nobody, ERLDIST_MCGRP_NAMES)));
	EXPECT_EQ(EPERM, reap(spawn(join_as_nobody, ERLDIST_MCGRP_HANDSHAKES)));
	EXPECT_EQ(EPERM, reap(spawn(join_as_nobody, "names-all")));
}

static int count_as_nobody(void *arg)
{
	struct found f = { 0 };
	struct genl g;

	become_nobody();
	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return 255;
	return genl_dump(&g, ERLDIST_CMD_PROCESS_GET, NULL, count_entry, &f);
}

/* Names and pids of a node are for those who may use it */
TEST_F(netlink, processes_of_a_node_that_shuts_others_out)
{
	struct found f = { 0 };
	int k = node_open(&(struct node_config){ .name = "open@h", .mode = 0606 });

	ASSERT_LE(0, k);
	proc("svc", "open@h");
	node("k@h");
	proc("secret", "k@h");
	proc(NULL, "k@h");
	EXPECT_EQ(3, genl_dump(&self->g, ERLDIST_CMD_PROCESS_GET, NULL, count_entry, &f));
	EXPECT_EQ(1, reap(spawn(count_as_nobody, NULL)));
}

static int find_process(struct genl *g, const struct epid *pid)
{
	struct genl_msg m;
	DEFINE_BUF(attrs);

	attr_str(&attrs, ERLDIST_A_PROCESS_NODE, pid->node);
	attr_u32(&attrs, ERLDIST_A_PROCESS_ID, pid->id);
	attr_u32(&attrs, ERLDIST_A_PROCESS_SERIAL, pid->serial);
	return genl_do(g, ERLDIST_CMD_PROCESS_GET, &attrs, &m);
}

/*
 * What a user may not see is not shown on a socket that the user opened, even if
 * root sends the request: the user can read the answer. On a socket that root
 * opened it is shown to root alone.
 */
TEST_F(netlink, a_socket_of_another_user)
{
	struct found f = { 0 };
	struct epid pid;
	struct genl g;
	int p;

	node("k@h");
	p = proc("secret", "k@h");
	proc_self(p, &pid);
	ASSERT_EQ(0, seteuid(NOBODY));
	ASSERT_EQ(0, genl_open(&g, ERLDIST_FAMILY_NAME));
	EXPECT_EQ(-EACCES, find_process(&g, &pid));
	EXPECT_EQ(-EACCES, find_process(&self->g, &pid));
	EXPECT_EQ(0, genl_dump(&self->g, ERLDIST_CMD_PROCESS_GET, NULL, count_entry, &f));
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(-EACCES, find_process(&g, &pid));
	EXPECT_EQ(0, genl_dump(&g, ERLDIST_CMD_PROCESS_GET, NULL, count_entry, &f));
	EXPECT_EQ(0, find_process(&self->g, &pid));
	EXPECT_EQ(1, genl_dump(&self->g, ERLDIST_CMD_PROCESS_GET, NULL, count_entry, &f));
	genl_close(&g);
}

TEST_F(netlink, namespaces_see_their_own)
{
	struct found f = { 0 };
	struct peer_info i;
	struct node_info n;
	struct genl_msg m;
	struct genl g;
	struct wire w;
	int k;

	ASSERT_EQ(0, genl_join(&self->events, ERLDIST_MCGRP_NODES));
	ASSERT_EQ(0, enter_netns());
	ASSERT_EQ(0, genl_open(&g, ERLDIST_FAMILY_NAME));
	k = node("k@h");
	ASSERT_EQ(0, wire_up(&w, k));
	proc("svc", NULL);
	for (int cmd = ERLDIST_CMD_NODE_GET; cmd <= ERLDIST_CMD_PROCESS_GET; cmd++) {
		EXPECT_EQ(0, genl_dump(&self->g, cmd, NULL, count_entry, &f));
		EXPECT_EQ(1, genl_dump(&g, cmd, NULL, count_entry, &f));
	}
	EXPECT_EQ(-ENOENT, disconnect(&self->g, "w@h", 0));
	EXPECT_EQ(-ETIMEDOUT, genl_event(&self->events, &m, QUIET_MS));
	EXPECT_EQ(0, node_info("k@h", &n));
	EXPECT_EQ(0, peer_get("k@h", "w@h", &i));
	close(k);
	EXPECT_EQ(-ETIMEDOUT, genl_event(&self->events, &m, QUIET_MS));
}

TEST_HARNESS_MAIN
