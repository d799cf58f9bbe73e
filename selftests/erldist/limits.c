// SPDX-License-Identifier: GPL-2.0-only
/* Each limit of a node and of a process: what happens at it, and beyond. */
#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(limits) {
	int node;
	struct wire w;
	struct erldist_limits l;
};

FIXTURE_SETUP(limits)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	ASSERT_EQ(0, node_limits(self->node, &self->l));
}

FIXTURE_TEARDOWN(limits)
{
}

static struct buf *binary(struct buf *b, size_t size)
{
	b->len = 0;
	buf_u8(b, 109);
	buf_be32(b, size);
	memset(buf_grow(b, size), 'x', size);
	return b;
}

#define SET(field, value)						\
	do {								\
		self->l.field = value;					\
		ASSERT_EQ(0, node_set_limits(self->node, &self->l));	\
	} while (0)

TEST_F(limits, largest_message)
{
	int p = proc("p", NULL), q = proc("q", NULL);
	struct node_info i;
	struct epid pid;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_BUF(reason);
	DEFINE_MSG(m);

	SET(max_message, 100000);
	term(&d, "a", "p");
	EXPECT_EQ(-EMSGSIZE, proc_send(q, &d, binary(&msg, 100001)));
	EXPECT_EQ(99005, proc_send(q, &d, binary(&msg, 99000)));
	EXPECT_TRUE(proc_expect(p, &msg));
	term(&d, "{aa}", "x", "w@h");
	EXPECT_EQ(-EMSGSIZE, proc_send(q, &d, binary(&msg, 100001)));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(100000, i.max_message);

	/* a larger one from outside ends its receiver, and nobody else */
	ASSERT_EQ(0, wire_reg_send(&self->w, "p", binary(&msg, 200000)));
	EXPECT_EQ(-ENOBUFS, proc_recv(p, &m, WAIT_MS));
	ASSERT_EQ(0, proc_term(p, ERLDIST_EXIT_STATUS, &reason));
	EXPECT_TRUE(buf_eq(&reason, term(&d, "a", "mailbox_overflow")));
	proc_self(q, &pid);
	ASSERT_EQ(0, wire_pid_send(&self->w, &pid, term(&msg, "a", "next")));
	EXPECT_TRUE(proc_expect(q, &msg));
}

/* Fragments, the first of ten bytes, and count - 1 more of so many */
static void fragments(struct buf *b, const struct buf *ctl, uint64_t seq,
		      uint64_t count, size_t part)
{
	DEFINE_BUF(bytes);

	binary(&bytes, part);
	wire_fragment(b, 69, seq, count, ctl, bytes.p, 10);
	for (uint64_t id = count - 1; id; id--)
		wire_fragment(b, 70, seq, id, NULL, bytes.p, part);
}

/* The count and the first fragment promise what is allowed; the rest is not */
TEST_F(limits, fragments_longer_than_announced)
{
	static const struct {
		uint64_t count;
		size_t part;
	} rows[] = {
		{ 2, 200000 },		/* one is too long */
		{ 10, 30000 },		/* none is, all together are */
		{ 99, 90000 },
	};
	struct epid from = wire_pid(&self->w, 1);
	int q = proc("q", NULL);
	struct node_info i;

	SET(max_message, 100000);
	SET(mailbox_pool, 1 << 20);
	for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
		int p = proc("p", NULL);
		DEFINE_BUF(ctl);
		DEFINE_BUF(b);
		DEFINE_BUF(reason);
		DEFINE_MSG(m);

		fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "p");
		fragments(&b, &ctl, n + 1, rows[n].count, rows[n].part);
		ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
		ASSERT_EQ(0, wire_reg_send(&self->w, "q", term(&b, "i", (int)n)));
		EXPECT_TRUE(proc_expect(q, &b));
		EXPECT_EQ(-ENOBUFS, proc_recv(p, &m, WAIT_MS)) {
			TH_LOG("row %zu: %zu bytes", n, m.term.len);
		}
		EXPECT_EQ(0, proc_term(p, ERLDIST_EXIT_STATUS, &reason));
		EXPECT_TRUE(buf_eq(&reason, term(&b, "a", "mailbox_overflow")));
		ASSERT_EQ(0, node_info("k@h", &i));
		EXPECT_EQ(n + 1, i.overflows);
		EXPECT_TRUE(pool_is_empty("k@h"));
		close(p);
	}
}

/* The same as the reason of an exit, which is for no mailbox */
TEST_F(limits, signal_longer_than_announced)
{
	int p = proc("p", NULL);
	struct epid from, pid;
	struct peer_info i;
	struct node_info k;
	struct wire w;
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	proc_self(p, &pid);
	SET(max_message, 100000);
	ASSERT_EQ(0, wire_up_as(&w, self->node, "evil@h"));
	from = wire_pid(&w, 1);
	fmt(&ctl, "{ipp}", OP_PAYLOAD_EXIT2, &from, &pid);
	fragments(&b, &ctl, 1, 10, 30000);
	wire_write(&w, b.p, b.len);
	EXPECT_TRUE(wire_ends(&w, WAIT_MS));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
	EXPECT_STREQ("evil@h", i.name);
	EXPECT_EQ(ERLDIST_REASON_LIMIT, i.reason);
	ASSERT_EQ(0, wire_reg_send(&self->w, "p", term(&b, "a", "hello")));
	EXPECT_TRUE(proc_expect(p, &b));
	EXPECT_TRUE(pool_is_empty("k@h"));
	ASSERT_EQ(0, node_info("k@h", &k));
	EXPECT_EQ(0, k.overflows);
}

/* Small messages are mostly what the kernel keeps beside them */
TEST_F(limits, small_messages)
{
	int p = proc("p", NULL), q = proc("q", NULL), count = 6000;
	struct epid from = wire_pid(&self->w, 1);
	struct node_info i;
	DEFINE_BUF(ctl);
	DEFINE_BUF(one);
	DEFINE_BUF(b);
	DEFINE_MSG(m);

	SET(max_message, 65536);
	SET(mailbox_pool, 512 << 10);
	SET(stall, 1);
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "p");
	fmt(&one, "i", 1);
	for (int n = 0; n < 1000; n++)
		wire_frame(&self->w, &b, &ctl, &one);
	ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
	ASSERT_EQ(0, wire_sync(&self->w));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_LE(1000 * 200, i.pool_used);
	EXPECT_GE(512 << 10, i.pool_used);

	/* their bytes would fit, with their structures they do not */
	ASSERT_GT(512 << 10, count / 1000 * b.len);
	for (int n = 1000; n < count; n += 1000)
		ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
	ASSERT_EQ(0, wire_reg_send(&self->w, "q", &one));
	EXPECT_TRUE(proc_expect(q, &one));
	EXPECT_EQ(-ENOBUFS, proc_recv(p, &m, 0));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(1, i.overflows);
	EXPECT_TRUE(pool_is_empty("k@h"));
}

/* One request that is answered, of a peer that may not read the answer */
static int ask_nobody(struct wire *w, int op, uint32_t n)
{
	struct epid from = wire_pid(w, 9), to = { .id = 0xffffff };
	struct eref ref = { .creation = w->creation, .n = 3, .word = { n, 1, 1 } };
	DEFINE_BUF(ctl);
	DEFINE_BUF(args);

	snprintf(ref.node, sizeof(ref.node), "%s", w->name);
	snprintf(to.node, sizeof(to.node), "%s", w->peer_name);
	to.creation = w->peer_creation;
	if (op == OP_SPAWN_REQUEST) {
		fmt(&ctl, "{irpp{aai}[]}", op, &ref, &from, &from, "os", "cmd", 1);
		return wire_send(w, &ctl, fmt(&args, "[b]", "ls"));
	}
	if (op == OP_MONITOR_P)
		fmt(&ctl, "{ippr}", op, &from, &to, &ref);
	else if (op == OP_LINK)
		fmt(&ctl, "{ipp}", op, &from, &to);
	else
		fmt(&ctl, "{iupp}", op, (uint64_t)n + 1, &from, &to);
	return wire_send(w, &ctl, NULL);
}

#define ANSWERS		(64 << 10)
/* Requests that were read at once are answered all the same */
#define AT_ONCE		(256 * 512)
/* What has been made ready for the stream, 32 KiB of short frames, counts too */
#define GATHERED		((32 << 10) / 64 * 512)
#define REQUESTS	20000

/* A peer that asks and asks and does not read is not answered for ever */
TEST_F_TIMEOUT(limits, answers_that_are_not_read, 120)
{
	static const int ops[] = { OP_MONITOR_P, OP_LINK, OP_UNLINK_ID,
				   OP_SPAWN_REQUEST };
	struct peer_info i;
	uint64_t most;
	uint32_t n;

	SET(send_queue, ANSWERS);
	for (size_t row = 0; row < ARRAY_SIZE(ops); row++) {
		struct wire w;

		ASSERT_EQ(0, wire_up_as(&w, self->node, "asks@h"));
		for (n = 0, most = 0; n < REQUESTS; n++) {
			if (ask_nobody(&w, ops[row], n))
				break;
			if (n % 64 == 0 && !peer_get("k@h", "asks@h", &i) &&
			    i.queued > most)
				most = i.queued;
		}
		EXPECT_TRUE(poll_for(w.fd, POLLRDHUP, WAIT_MS)) {
			TH_LOG("operation %d: answered for ever", ops[row]);
		}
		EXPECT_GT(ANSWERS + AT_ONCE + GATHERED, most);
		close(w.fd);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
		EXPECT_STREQ("asks@h", i.name);
		EXPECT_EQ(ERLDIST_REASON_LIMIT, i.reason);
		EXPECT_EQ(0, i.queued);
		EXPECT_EQ(0, wire_sync(&self->w)) {
			TH_LOG("its neighbour");
		}
	}
}

#define MANY	10000

static ssize_t send_now(int fd, const struct buf *d, const struct buf *msg)
{
	return proc_sendto(fd, &(struct to){ d, .flags = MSG_DONTWAIT }, msg);
}

/*
 * Send until there is no room, and still none when what the stream could take
 * has left the queue.
 */
static int fill(int fd, const struct buf *d, const struct buf *msg)
{
	int sent = 0, full = 0;

	while (sent < MANY && full < 5) {
		if (send_now(fd, d, msg) > 0) {
			sent++;
			full = 0;
		} else {
			full++;
			sleep_ms(20);
		}
	}
	return sent;
}

/* A peer that does not read: its queue fills, and has room again when it does */
TEST_F(limits, send_queue)
{
	struct epid to = wire_pid(&self->w, 5);
	int p = proc(NULL, NULL), sent = 0, got = 0;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	SET(send_queue, 256 << 10);
	fmt(&d, "p", &to);
	binary(&msg, 10000);
	/* again when the stream did take more */
	for (int i = 0; i < 10 && (!i || poll_now(p) & POLLOUT); i++)
		sent += fill(p, &d, &msg);
	EXPECT_LT(10, sent);
	EXPECT_GT(MANY, sent);
	EXPECT_EQ(0, poll_now(p) & POLLOUT) {
		TH_LOG("not writable until that destination has room");
	}
	while (got < sent) {
		DEFINE_FRAME(f);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_EQ(msg.len, f.msg.len);
		got++;
	}
	EXPECT_TRUE(poll_for(p, POLLOUT, WAIT_MS));
	EXPECT_EQ(msg.len, send_now(p, &d, &msg));
	/* one message of any size goes into an empty queue */
	DEFINE_FRAME(f);

	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	binary(&msg, 1 << 20);
	EXPECT_EQ(msg.len, send_now(p, &d, &msg));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&msg, &f.msg));
}

/* What the stream has not taken is queued, also of the message that it is taking. */
TEST_F_TIMEOUT(limits, queued_until_it_has_gone, 120)
{
	struct epid to = wire_pid(&self->w, 5);
	uint64_t end = now_ms() + WAIT_MS;
	int p = proc(NULL, NULL);
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_FRAME(f);

	/* more than a stream takes that nobody reads from */
	binary(&msg, 16 << 20);
	ASSERT_EQ(msg.len, proc_send(p, fmt(&d, "p", &to), &msg));
	for (int n = 0; n < 20 || i.queued >= msg.len; n++) {
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
		ASSERT_LT(0, i.queued);
		ASSERT_LE(msg.len, i.queued + i.tx_bytes);
		sleep_ms(10);
	}
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&msg, &f.msg));
	do {
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	} while (i.queued && now_ms() < end);
	EXPECT_EQ(0, i.queued);
}

/* The peer goes while a sender waits for room: the sender is let go */
static int close_later(void *arg)
{
	int *fd = arg;

	sleep_ms(200);
	shutdown(*fd, SHUT_RDWR);
	return 0;
}

TEST_F(limits, send_queue_of_a_peer_that_goes)
{
	struct epid to = wire_pid(&self->w, 5);
	int p = proc(NULL, NULL);
	uint64_t begin;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	SET(send_queue, 64 << 10);
	SET(stall, 15000);
	fmt(&d, "p", &to);
	binary(&msg, 60000);
	fill(p, &d, &msg);
	pid_t child = spawn(close_later, &self->w.fd);

	begin = now_ms();
	proc_send(p, &d, &msg);
	EXPECT_GT(10000, now_ms() - begin);
	EXPECT_EQ(0, reap(child));
}

TEST_F(limits, peers)
{
	struct wire w2, w3;
	struct node_info i;

	SET(peers, 2);
	ASSERT_EQ(0, wire_up_as(&w2, self->node, "w2@h"));
	/* refused when it has proven the cookie: until then it has a stranger's place */
	EXPECT_NE(0, wire_up_as(&w3, self->node, "w3@h"));
	EXPECT_TRUE(wire_ends(&w3, WAIT_MS));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(ERLDIST_REASON_LIMIT, i.last_reason);
	EXPECT_EQ(2, i.peers_up);
	/* whom it knows may come again */
	close(w2.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	EXPECT_EQ(0, wire_up_as(&w2, self->node, "w2@h"));
}

TEST_F(limits, processes)
{
	int p[8], n = 0;

	SET(processes, 5);
	while (n < 8 && (p[n] = proc_open(NULL, NULL)) >= 0)
		n++;
	EXPECT_EQ(5, n);
	close(p[0]);
	EXPECT_LE(0, proc_open(NULL, NULL));
}

static int link_to(struct wire *w, const struct epid *to, uint32_t id)
{
	struct epid from = wire_pid(w, id);
	DEFINE_BUF(ctl);

	return wire_send(w, fmt(&ctl, "{ipp}", OP_LINK, &from, to), NULL);
}

static int monitor(struct wire *w, const struct epid *to, uint32_t n)
{
	struct epid from = wire_pid(w, 9);
	struct eref ref = { .creation = w->creation, .n = 3, .word = { n, 1, 1 } };
	DEFINE_BUF(ctl);

	snprintf(ref.node, sizeof(ref.node), "%s", w->name);
	return wire_send(w, fmt(&ctl, "{ippr}", OP_MONITOR_P, &from, to, &ref), NULL);
}

/* A request that finds no room is answered at once */
TEST_F(limits, relations)
{
	int p = proc(NULL, NULL), q = proc(NULL, NULL);
	struct peer_info info;
	struct epid pid, pid2;
	DEFINE_BUF(reason);

	proc_self(p, &pid);
	proc_self(q, &pid2);
	/* of a process's own; and a peer alone gets half of seven eighths: four */
	SET(relations, 1);
	SET(node_relations, 8);
	term(&reason, "a", "system_limit");
	for (int i = 0; i < 6; i++) {
		ASSERT_EQ(0, i & 1 ? monitor(&self->w, &pid, i) :
				     link_to(&self->w, &pid, 100 + i));
		DEFINE_FRAME(f);

		if (i < 4)
			continue;
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_EQ(i & 1 ? OP_PAYLOAD_MONITOR_P_EXIT : OP_PAYLOAD_EXIT,
			  frame_op(&f));
		EXPECT_TRUE(buf_eq(&f.msg, &reason));
	}
	DEFINE_FRAME(f);

	ASSERT_EQ(0, link_to(&self->w, &pid2, 200));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS)) {
		TH_LOG("another process has none for it either");
	}
	EXPECT_TRUE(buf_eq(&f.msg, &reason));
	/* what is gone makes room */
	close(p);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	do {
		ASSERT_EQ(0, peer_get("k@h", "w@h", &info));
	} while (info.relations);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, link_to(&self->w, &pid2, 300 + i));
	ASSERT_EQ(0, wire_sync(&self->w));
	close(q);
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_TRUE(buf_eq(&f.msg, term(&reason, "a", "normal")));
	}
}

static ssize_t send_far(int p, const char *node)
{
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	return proc_send(p, fmt(&d, "{aa}", "x", node), fmt(&msg, "a", "hello"));
}

TEST_F(limits, wanted)
{
	int p = proc(NULL, NULL), q = proc(NULL, NULL);

	SET(process_wanted, 2);
	SET(wanted, 3);
	EXPECT_LT(0, send_far(p, "p1@h"));
	EXPECT_LT(0, send_far(p, "p2@h"));
	EXPECT_EQ(-EUSERS, send_far(p, "p3@h"));
	EXPECT_LT(0, send_far(p, "p1@h")) {
		TH_LOG("wanted already");
	}
	EXPECT_LT(0, send_far(q, "q1@h"));
	EXPECT_EQ(-EUSERS, send_far(q, "q2@h"));
	/* an answer makes room */
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_UNREACHABLE, "p1@h", NULL, 0,
			       EHOSTUNREACH));
	EXPECT_LT(0, send_far(q, "q3@h"));
}

/* What is refused, or cannot be wanted, leaves no trace */
TEST_F(limits, names_that_are_made_up)
{
	const struct eref ref = { .node = "r@h", .creation = 1, .n = 3 };
	int p = proc(NULL, NULL), peers;
	struct node_info i;
	DEFINE_BUF(bad);
	DEFINE_BUF(d);

	buf_u8(&bad, 255);
	ASSERT_EQ(0, node_info("k@h", &i));
	peers = i.peers;
	SET(process_wanted, 2);
	EXPECT_EQ(-EINVAL, proc_send(p, fmt(&d, "{aa}", "x", "m@h"), &bad));
	term(&bad, "a", "nobody");
	EXPECT_EQ(-ENOENT, proc_sendto(p, &(struct to){ .op = ERLDIST_SIG_SPAWN_ANSWER,
				       .dest = term(&d, "r", &ref) }, &bad));
	EXPECT_LT(0, send_far(p, "p1@h"));
	EXPECT_LT(0, send_far(p, "p2@h"));
	EXPECT_EQ(-EUSERS, proc_connect(p, term(&d, "{aa}", "x", "p3@h")));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(peers + 2, i.peers);
}

/* Local senders */

static int ask(int fd, int op, int flags, const struct buf *dest, uint64_t ref)
{
	return proc_ask(fd, &(struct to){ .op = op, .sig_flags = flags, .dest = dest, .ref = ref });
}

/* More than its mailbox may hold is unread: it cannot ask for more to be told, but for less */
TEST_F(limits, what_undoes_is_not_refused)
{
	struct erldist_mailbox_limits box = { .local = 100000 };
	int p = proc("p", NULL), q = proc(NULL, NULL), r = proc("r", NULL);
	struct epid pid;
	uint64_t refs;
	DEFINE_BUF(self_dest);
	DEFINE_BUF(q_dest);
	DEFINE_BUF(r_dest);
	DEFINE_BUF(w_dest);
	DEFINE_BUF(msg);

	self->l.max_message = 1 << 17;
	SET(mailbox_pool, 1 << 18);
	ASSERT_EQ(0, setsockopt(p, SOL_ERLDIST, ERLDIST_MAILBOX, &box, sizeof(box)));
	proc_self(q, &pid);
	fmt(&q_dest, "p", &pid);
	proc_self(r, &pid);
	fmt(&r_dest, "p", &pid);
	term(&w_dest, "a", "w@h");
	refs = proc_refs(p);
	for (int i = 0; i < 40; i++)
		ASSERT_EQ(0, ask(p, ERLDIST_SIG_MONITOR, 0, &q_dest, refs + i));
	ASSERT_EQ(0, ask(p, ERLDIST_SIG_MONITOR, 0, &r_dest, refs + 40));
	ASSERT_EQ(0, ask(p, ERLDIST_SIG_ALIAS, 0, NULL, refs + 41));
	ASSERT_EQ(0, ask(p, ERLDIST_SIG_LINK, 0, &r_dest, 0));
	ASSERT_EQ(0, ask(p, ERLDIST_SIG_MONITOR_NODE, 0, &w_dest, 0));
	ASSERT_EQ(0, ask(p, ERLDIST_SIG_MONITOR_NODES, ERLDIST_SIG_F_VISIBLE, NULL, 0));

	term(&self_dest, "a", "p");
	binary(&msg, 1000);
	while (send_now(p, &self_dest, &msg) > 0)
		;
	close(q);
	for (uint64_t end = now_ms() + WAIT_MS; now_ms() < end; sleep_ms(10)) {
		if (ask(p, ERLDIST_SIG_MONITOR, 0, &r_dest, refs + 42))
			break;
		ASSERT_EQ(0, ask(p, ERLDIST_SIG_DEMONITOR, 0, NULL, refs + 42));
	}
	EXPECT_EQ(-EAGAIN, ask(p, ERLDIST_SIG_MONITOR, 0, &r_dest, refs + 43));
	EXPECT_EQ(-EAGAIN, ask(p, ERLDIST_SIG_LINK, 0, &r_dest, 0));
	EXPECT_EQ(0, ask(p, ERLDIST_SIG_DEMONITOR, 0, NULL, refs + 40));
	EXPECT_EQ(0, ask(p, ERLDIST_SIG_UNALIAS, 0, NULL, refs + 41));
	EXPECT_EQ(0, ask(p, ERLDIST_SIG_UNLINK, 0, &r_dest, 0));
	EXPECT_EQ(0, ask(p, ERLDIST_SIG_MONITOR_NODE, ERLDIST_SIG_F_OFF, &w_dest, 0));
	EXPECT_EQ(0, ask(p, ERLDIST_SIG_MONITOR_NODES, ERLDIST_SIG_F_OFF, NULL, 0));
	EXPECT_EQ(0, ask(p, ERLDIST_SIG_DEMONITOR, ERLDIST_SIG_F_FLUSH, NULL, refs));
}

TEST_F(limits, mailbox)
{
	struct erldist_mailbox_limits box = { .local = 100000 };
	int p = proc("p", NULL), q = proc(NULL, NULL), n = 0;
	struct timeval t = { .tv_usec = 200000 };
	uint64_t begin;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_MSG(m);

	ASSERT_EQ(0, setsockopt(p, SOL_ERLDIST, ERLDIST_MAILBOX, &box, sizeof(box)));
	term(&d, "a", "p");
	binary(&msg, 10000);
	while (n < 100 && send_now(q, &d, &msg) > 0)
		n++;
	EXPECT_LE(9, n);
	EXPECT_GE(12, n);
	EXPECT_EQ(-EAGAIN, send_now(q, &d, &msg));
	EXPECT_EQ(0, poll_now(q) & POLLOUT);
	EXPECT_NE(0, poll_now(p) & POLLOUT);

	/* a sender that may wait waits so long */
	ASSERT_EQ(0, setsockopt(q, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	begin = now_ms();
	EXPECT_EQ(-EAGAIN, proc_send(q, &d, &msg));
	EXPECT_LE(150, now_ms() - begin);
	/* less than the stall time */
	EXPECT_GE(4500, now_ms() - begin);

	/* peers are not held up by what neighbours sent, nor oneself */
	ASSERT_EQ(0, wire_reg_send(&self->w, "p", term(&m.term, "a", "remote")));
	EXPECT_LT(0, send_now(p, &d, &msg));

	while (n--)
		EXPECT_EQ(0, proc_recv(p, &m, WAIT_MS));
	EXPECT_TRUE(poll_for(q, POLLOUT, WAIT_MS));
	EXPECT_EQ(msg.len, send_now(q, &d, &msg));
}

TEST_F(limits, one_message_fits_an_empty_mailbox)
{
	struct erldist_mailbox_limits box = { .local = 1000 };
	int p = proc("p", NULL), q = proc(NULL, NULL);
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	ASSERT_EQ(0, setsockopt(p, SOL_ERLDIST, ERLDIST_MAILBOX, &box, sizeof(box)));
	term(&d, "a", "p");
	EXPECT_LT(0, send_now(q, &d, binary(&msg, 1 << 20)));
	EXPECT_EQ(-EAGAIN, send_now(q, &d, &msg));
	EXPECT_TRUE(proc_expect(p, &msg));
	EXPECT_LT(0, send_now(q, &d, &msg));
}

TEST_F(limits, hard_limit)
{
	struct erldist_mailbox_limits box = { .local = 1 << 20, .hard = 200000 };
	int p = proc("p", NULL), q = proc("q", NULL);
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_BUF(reason);
	DEFINE_MSG(m);

	ASSERT_EQ(0, setsockopt(p, SOL_ERLDIST, ERLDIST_MAILBOX, &box, sizeof(box)));
	binary(&msg, 50000);
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(0, wire_reg_send(&self->w, "p", &msg));
	ASSERT_EQ(0, wire_reg_send(&self->w, "q", term(&d, "a", "x")));
	EXPECT_TRUE(proc_expect(q, &d));
	EXPECT_EQ(-ENOBUFS, proc_recv(p, &m, WAIT_MS));
	ASSERT_EQ(0, proc_term(p, ERLDIST_EXIT_STATUS, &reason));
	EXPECT_TRUE(buf_eq(&reason, term(&d, "a", "mailbox_overflow")));
	struct node_info i;

	EXPECT_TRUE(pool_is_empty("k@h"));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(1, i.overflows);
}

/* Bytes of peers count until they are read or their receiver is gone */
TEST_F(limits, pool_is_given_back)
{
	int p = proc("p", NULL);
	struct node_info i;
	DEFINE_BUF(msg);

	binary(&msg, 100000);
	for (int n = 0; n < 10; n++)
		ASSERT_EQ(0, wire_reg_send(&self->w, "p", &msg));
	for (int n = 0; n < 10; n++) {
		EXPECT_TRUE(proc_expect(p, &msg));
		ASSERT_EQ(0, wire_reg_send(&self->w, "p", &msg));
	}
	do {
		ASSERT_EQ(0, node_info("k@h", &i));
	} while (i.pool_used < 10 * msg.len);
	EXPECT_GT(20 * msg.len, i.pool_used);
	close(p);
	EXPECT_TRUE(pool_is_empty("k@h"));
}

/* A reason is as large as a message may be */
TEST_F(limits, pool_counts_reasons)
{
	int p = proc("p", NULL);
	struct epid pid, from = wire_pid(&self->w, 7);
	DEFINE_BUF(reason);
	struct node_info i;
	DEFINE_BUF(ctl);

	binary(&reason, 1000000);
	proc_self(p, &pid);
	proc_trap_exit(p, true);
	ASSERT_EQ(0, wire_send(&self->w, fmt(&ctl, "{ipp}", OP_PAYLOAD_EXIT2, &from, &pid),
			       &reason));
	ASSERT_TRUE(poll_for(p, POLLIN, WAIT_MS));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_LT(reason.len, i.pool_used);
	EXPECT_TRUE(proc_expect_signal(p, &(struct to){ .op = ERLDIST_SIG_EXIT },
				       term(&ctl, "{apt}", "EXIT", &from, &reason)));
	EXPECT_TRUE(pool_is_empty("k@h"));
}

/* Each fills the other one's mailbox and waits for room; nobody reads */
static int flood(void *arg)
{
	struct epid *to = (void *)((int *)arg + 1);
	int fd = *(int *)arg;
	ssize_t n;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	fmt(&d, "p", to);
	binary(&msg, 100000);
	for (int i = 0; i < 200; i++) {
		n = proc_send(fd, &d, &msg);
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return 1;
	}
	return 2;
}

TEST_F_TIMEOUT(limits, two_that_flood_each_other, 60)
{
	struct erldist_mailbox_limits box = { .local = 1 << 20 };
	struct {
		int fd;
		struct epid to;
	} a, b;
	pid_t child[2];
	uint64_t begin = now_ms();

	SET(stall, 1000);
	a.fd = proc(NULL, NULL);
	b.fd = proc(NULL, NULL);
	proc_self(a.fd, &b.to);
	proc_self(b.fd, &a.to);
	ASSERT_EQ(0, setsockopt(a.fd, SOL_ERLDIST, ERLDIST_MAILBOX, &box, sizeof(box)));
	ASSERT_EQ(0, setsockopt(b.fd, SOL_ERLDIST, ERLDIST_MAILBOX, &box, sizeof(box)));
	child[0] = spawn(flood, &a);
	child[1] = spawn(flood, &b);
	EXPECT_EQ(0, reap(child[0]));
	EXPECT_EQ(0, reap(child[1]));
	EXPECT_LT(900, now_ms() - begin);
	EXPECT_GT(20000, now_ms() - begin) {
		TH_LOG("a wait without SO_SNDTIMEO ends after the stall time");
	}
}

/* A reply to a node that is gone must not hold up the next one */
TEST_F(limits, reply_to_a_node_that_is_gone)
{
	struct epid gone, here = wire_pid(&self->w, 5);
	int p = proc(NULL, NULL);
	struct wire w2;
	uint64_t begin;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	ASSERT_EQ(0, wire_up_as(&w2, self->node, "w2@h"));
	gone = wire_pid(&w2, 5);
	wire_close(&w2);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	begin = now_ms();
	for (int i = 0; i < 100; i++) {
		DEFINE_FRAME(f);

		EXPECT_LT(0, proc_send(p, term(&d, "p", &gone), term(&msg, "i", i)));
		EXPECT_LT(0, proc_send(p, term(&d, "p", &here), &msg));
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_TRUE(buf_eq(&msg, &f.msg));
	}
	EXPECT_GT(4500, now_ms() - begin);
}

TEST_HARNESS_MAIN
