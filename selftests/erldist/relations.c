// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a peer asks of a process, and what it is told when the process ends:
 * links, monitors, exit signals, reasons, and the node's net_kernel.
 */
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(relations) {
	int node;
	int p;			/* named "svc" */
	struct epid pid;	/* of p */
	struct epid from;	/* of the peer */
	struct wire w;
};

FIXTURE_SETUP(relations)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->p = proc("svc", NULL);
	proc_self(self->p, &self->pid);
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	self->from = wire_pid(&self->w, 7);
}

FIXTURE_TEARDOWN(relations)
{
}

/* A control message without a payload */
#define ASK(...)							\
	do {								\
		DEFINE_BUF(ctl_);						\
		ASSERT_EQ(0, wire_send(&self->w, fmt(&ctl_, __VA_ARGS__), NULL)); \
	} while (0)

/* The next frame is this control message, with this reason behind it */
static void expect(struct __test_metadata *_metadata, struct wire *w,
		   const struct buf *ctl, const struct buf *reason)
{
	DEFINE_FRAME(f);

	ASSERT_EQ(0, wire_recv(w, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&f.ctl, ctl)) {
		buf_dump("received", &f.ctl);
		buf_dump("expected", ctl);
	}
	if (reason) {
		EXPECT_TRUE(buf_eq(&f.msg, reason)) {
			buf_dump("reason", &f.msg);
			buf_dump("expected", reason);
		}
	} else {
		EXPECT_EQ(0, f.msg.len);
	}
}

#define EXPECT_EXIT(to, reason)						\
	do {								\
		DEFINE_BUF(ctl_);						\
		expect(_metadata, &self->w, fmt(&ctl_, "{ipp}",		\
		       OP_PAYLOAD_EXIT, &self->pid, to), reason);	\
	} while (0)

#define EXPECT_DOWN(ref, reason)					\
	do {								\
		DEFINE_BUF(ctl_);						\
		expect(_metadata, &self->w, fmt(&ctl_, "{ippr}",	\
		       OP_PAYLOAD_MONITOR_P_EXIT, &self->pid, &self->from, \
		       ref), reason);					\
	} while (0)

TEST_F(relations, link_and_close)
{
	struct epid second = wire_pid(&self->w, 8);
	DEFINE_BUF(normal);

	fmt(&normal, "a", "normal");
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	ASK("{ipp}", OP_LINK, &second, &self->pid);
	ASSERT_EQ(0, wire_sync(&self->w));
	close(self->p);
	for (int i = 0; i < 2; i++) {
		DEFINE_FRAME(f);
		struct epid a, b;

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_EQ(OP_PAYLOAD_EXIT, frame_op(&f));
		ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_pp}", &a, &b));
		EXPECT_TRUE(pid_eq(&a, &self->pid));
		EXPECT_TRUE(b.id == 7 || b.id == 8);
		EXPECT_TRUE(buf_eq(&f.msg, &normal));
	}
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(relations, unlink_is_always_acknowledged)
{
	static const uint64_t ids[] = { 1, 255, 256, 1ULL << 31, 1ULL << 32, ~0ULL };
	DEFINE_BUF(ctl);

	/* with a link and without */
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		ASK("{iupp}", OP_UNLINK_ID, ids[i], &self->from, &self->pid);
		ctl.len = 0;
		expect(_metadata, &self->w,
		       fmt(&ctl, "{iupp}", OP_UNLINK_ID_ACK, ids[i], &self->pid,
			   &self->from), NULL);
	}
	close(self->p);
	/* for one that is dead, and for one of another life of the node */
	for (int i = 0; i < 2; i++) {
		ASK("{iupp}", OP_UNLINK_ID, 5ULL, &self->from, &self->pid);
		ctl.len = 0;
		expect(_metadata, &self->w,
		       fmt(&ctl, "{iupp}", OP_UNLINK_ID_ACK, 5ULL, &self->pid,
			   &self->from), NULL);
		self->pid.creation ^= 0x100;
	}
}

TEST_F(relations, nobody_there)
{
	struct eref ref = wire_ref(&self->w, 1);
	struct epid gone = self->pid, old = self->pid;
	DEFINE_BUF(noproc);
	DEFINE_BUF(ctl);

	fmt(&noproc, "a", "noproc");
	gone.id += 100;
	old.creation ^= 0x100;
	self->pid = gone;
	ASK("{ipp}", OP_LINK, &self->from, &gone);
	EXPECT_EXIT(&self->from, &noproc);
	ASK("{ippr}", OP_MONITOR_P, &self->from, &gone, &ref);
	EXPECT_DOWN(&ref, &noproc);
	self->pid = old;
	ASK("{ipp}", OP_LINK, &self->from, &old);
	EXPECT_EXIT(&self->from, &noproc);
	ASK("{ippr}", OP_MONITOR_P, &self->from, &old, &ref);
	EXPECT_DOWN(&ref, &noproc);
	ASK("{ipar}", OP_MONITOR_P, &self->from, "nobody", &ref);
	expect(_metadata, &self->w,
	       fmt(&ctl, "{iapr}", OP_PAYLOAD_MONITOR_P_EXIT, "nobody", &self->from,
		   &ref), &noproc);
	/* no answer to these */
	ASK("{ippr}", OP_DEMONITOR_P, &self->from, &gone, &ref);
	ASK("{ippa}", OP_EXIT, &self->from, &gone, "oops");
	ASK("{ippa}", OP_EXIT2, &self->from, &gone, "oops");
	ASK("{iipp}", OP_UNLINK_ID_ACK, 3, &self->from, &gone);
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(relations, monitors)
{
	struct eref r1 = wire_ref(&self->w, 1), r2 = wire_ref(&self->w, 2);
	struct eref r3 = wire_ref(&self->w, 3);
	bool by_pid = false, by_name = false;
	DEFINE_BUF(normal);

	fmt(&normal, "a", "normal");
	ASK("{ippr}", OP_MONITOR_P, &self->from, &self->pid, &r1);
	ASK("{ipar}", OP_MONITOR_P, &self->from, "svc", &r2);
	ASK("{ippr}", OP_MONITOR_P, &self->from, &self->pid, &r3);
	ASK("{ippr}", OP_DEMONITOR_P, &self->from, &self->pid, &r3);
	ASSERT_EQ(0, wire_sync(&self->w));
	close(self->p);
	for (int i = 0; i < 2; i++) {
		struct slice object;
		struct epid to;
		struct eref ref;
		DEFINE_FRAME(f);
		DEFINE_BUF(want);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_EQ(OP_PAYLOAD_MONITOR_P_EXIT, frame_op(&f));
		ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_tpr}", &object, &to, &ref));
		EXPECT_TRUE(pid_eq(&to, &self->from));
		EXPECT_TRUE(buf_eq(&f.msg, &normal));
		if (ref_eq(&ref, &r1))
			fmt(&want, "p", &self->pid);
		else
			fmt(&want, "a", "svc");
		by_pid |= ref_eq(&ref, &r1);
		by_name |= ref_eq(&ref, &r2);
		EXPECT_TRUE(want.len == object.len &&
			    !memcmp(want.p, object.p, want.len));
	}
	EXPECT_TRUE(by_pid && by_name);
	ASSERT_EQ(0, wire_sync(&self->w));
}

/* A reference that the peer encodes in its own way comes back so */
TEST_F(relations, references_come_back_bit_for_bit)
{
	struct eref ref = { .creation = 0x11223344, .n = 5,
			    .word = { ~0U, 1, 2, 3, ~0U } };
	DEFINE_BUF(normal);

	snprintf(ref.node, sizeof(ref.node), "w@h");
	ASK("{ippr}", OP_MONITOR_P, &self->from, &self->pid, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	close(self->p);
	EXPECT_DOWN(&ref, fmt(&normal, "a", "normal"));
}

/* A node's name as long as it may be */
static void longest_name(char name[256], char c)
{
	memset(name, c, 253);
	memcpy(name + 253, "@h", 3);
}

/* A registered name as long as it may be: 255 characters of four bytes */
static void longest_atom(char name[1021])
{
	for (int i = 0; i < 255; i++)
		memcpy(name + 4 * i, "\xf0\x9f\x98\x80", 4);
	name[1020] = 0;
}

/* DOWN of what is monitored as object, a term, as this peer knows it */
static void expect_down(struct __test_metadata *_metadata,
			FIXTURE_DATA(relations) *self, const struct buf *object,
			const struct eref *ref, const char *reason)
{
	bool payload = self->w.flags & FLAG_EXIT_PAYLOAD;
	DEFINE_BUF(why);
	DEFINE_BUF(ctl);

	fmt(&why, "a", reason);
	if (payload)
		fmt(&ctl, "{itpr}", OP_PAYLOAD_MONITOR_P_EXIT, object, &self->from,
		    ref);
	else
		fmt(&ctl, "{itprt}", OP_MONITOR_P_EXIT, object, &self->from, ref,
		    &why);
	expect(_metadata, &self->w, &ctl, payload ? &why : NULL);
}

/* Whatever a peer puts into a request comes back whole: room was made for it */
static void longest_answers(struct __test_metadata *_metadata,
			    FIXTURE_DATA(relations) *self, int node)
{
	struct eref ref = { .creation = ~0U, .n = 5,
			    .word = { ~0U, 1, ~2U, 3, ~4U } };
	char name[1021];
	int p;
	DEFINE_BUF(pid);
	DEFINE_BUF(atom);
	DEFINE_BUF(ctl);

	ASSERT_EQ(0, wire_connect(&self->w, node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	self->from = wire_pid(&self->w, 0xfffffff);
	snprintf(ref.node, sizeof(ref.node), "%s", self->w.name);
	self->pid = (struct epid){ .id = 0xfffffff, .serial = ~0U,
				   .creation = self->w.peer_creation };
	snprintf(self->pid.node, sizeof(self->pid.node), "%s", self->w.peer_name);
	longest_atom(name);
	fmt(&pid, "p", &self->pid);
	fmt(&atom, "a", name);

	ASK("{ippr}", OP_MONITOR_P, &self->from, &self->pid, &ref);
	expect_down(_metadata, self, &pid, &ref, "noproc");
	ASK("{iptr}", OP_MONITOR_P, &self->from, &atom, &ref);
	expect_down(_metadata, self, &atom, &ref, "noproc");
	ASK("{iupp}", OP_UNLINK_ID, ~0ULL, &self->from, &self->pid);
	expect(_metadata, &self->w, fmt(&ctl, "{iupp}", OP_UNLINK_ID_ACK, ~0ULL,
					&self->pid, &self->from), NULL);
	ctl.len = 0;
	fmt(&ctl, "{irpp{aai}[]}", OP_SPAWN_REQUEST, &ref, &self->from,
	    &self->from, "os", "cmd", 1);
	ASSERT_EQ(0, wire_send(&self->w, &ctl, term(&pid, "[b]", "ls")));
	expect(_metadata, &self->w,
	       term(&ctl, "{irpia}", OP_SPAWN_REPLY, &ref, &self->from, 0,
		    "notsup"), NULL);

	/* the same from a process that was there */
	p = proc(name, self->w.peer_name);
	ASK("{iptr}", OP_MONITOR_P, &self->from, &atom, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	close(p);
	expect_down(_metadata, self, &atom, &ref, "normal");
	ASSERT_EQ(0, wire_sync(&self->w));
	close(self->w.fd);
	ASSERT_EQ(0, node_wait(node, ERLDIST_PENDING_DOWN, NULL));
}

TEST_F(relations, longest_answers)
{
	static const uint64_t without[] = { 0, FLAG_FRAGMENTS, FLAG_EXIT_PAYLOAD };
	char here[256], there[256];
	int n;

	longest_name(here, 'k');
	longest_name(there, 'w');
	n = node(here);
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		wire_init(&self->w, -1, there);
		self->w.flags = DEFAULT_FLAGS & ~without[i];
		longest_answers(_metadata, self, n);
	}
}

TEST_F(relations, peer_without_payload_exits)
{
	struct eref ref;
	DEFINE_BUF(ctl);

	wire_init(&self->w, -1, "old@h");
	self->w.flags = DEFAULT_FLAGS & ~FLAG_EXIT_PAYLOAD;
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	self->from = wire_pid(&self->w, 7);
	ref = wire_ref(&self->w, 1);
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	ASSERT_EQ(0, wire_sync(&self->w));
	close(self->p);
	expect(_metadata, &self->w, fmt(&ctl, "{ippa}", OP_EXIT, &self->pid,
					&self->from, "normal"), NULL);
	ASK("{ippr}", OP_MONITOR_P, &self->from, &self->pid, &ref);
	ctl.len = 0;
	expect(_metadata, &self->w, fmt(&ctl, "{ippra}", OP_MONITOR_P_EXIT,
					&self->pid, &self->from, &ref, "noproc"), NULL);
}

/* EXIT comes behind all that the process sent there */
TEST_F_TIMEOUT(relations, order_behind_messages, 120)
{
	DEFINE_BUF(normal);
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_FRAME(f);

	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	ASSERT_EQ(0, wire_sync(&self->w));
	fmt(&d, "p", &self->from);
	for (int i = 0; i < 100; i++)
		ASSERT_LT(0, proc_send(self->p, &d, term(&msg, "i", i)));
	msg.len = 0;
	buf_u8(&msg, 109);
	buf_be32(&msg, 4 << 20);
	memset(buf_grow(&msg, 4 << 20), 'x', 4 << 20);
	ASSERT_LT(0, proc_send(self->p, &d, &msg));
	close(self->p);
	for (int i = 0; i < 101; i++) {
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_EQ(OP_SEND_SENDER, frame_op(&f)) {
			TH_LOG("frame %d", i);
		}
	}
	EXPECT_EXIT(&self->from, fmt(&normal, "a", "normal"));
}

/* When DOWN is there, the name is free */
TEST_F_TIMEOUT(relations, name_is_free_before_down, 120)
{
	unsigned int rounds = scaled(200);

	for (unsigned int i = 0; i < rounds; i++) {
		struct eref ref = wire_ref(&self->w, i);
		DEFINE_FRAME(f);

		ASK("{ipar}", OP_MONITOR_P, &self->from, "svc", &ref);
		ASSERT_EQ(0, wire_sync(&self->w));
		close(self->p);
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		self->p = proc_open("svc", NULL);
		ASSERT_LE(0, self->p);
	}
}

/* A process with many relations: each is told, once */
TEST_F_TIMEOUT(relations, many, 240)
{
	unsigned int count = scaled(5000), got = 0;
	struct erldist_limits l;
	struct epid me, to;
	struct eref ref;
	uint8_t *seen;
	DEFINE_FRAME(f);

	ASSERT_EQ(0, node_limits(self->node, &l));
	/* half of seven eighths is the peer's */
	l.node_relations = 3 * count;
	ASSERT_EQ(0, node_set_limits(self->node, &l));
	seen = calloc(count, 1);
	for (unsigned int i = 0; i < count; i++) {
		ref = wire_ref(&self->w, i);
		ASK("{ippr}", OP_MONITOR_P, &self->from, &self->pid, &ref);
	}
	ASSERT_EQ(0, wire_sync(&self->w));
	close(self->p);
	while (got < count) {
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS)) {
			TH_LOG("%u of %u", got, count);
		}
		ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_ppr}", &me, &to, &ref));
		ASSERT_GT(count, ref.word[0]);
		ASSERT_EQ(0, seen[ref.word[0]]++);
		got++;
	}
	ASSERT_EQ(0, wire_sync(&self->w));
	free(seen);
}

/* What reaches the process */

static void exit_status(struct __test_metadata *_metadata, int fd, int err,
			const char *reason)
{
	DEFINE_BUF(got);
	DEFINE_BUF(want);
	DEFINE_MSG(m);

	for (int i = 0; i < 2; i++)
		EXPECT_EQ(-err, proc_recv(fd, &m, WAIT_MS));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR,
		  poll_now(fd) & (POLLIN | POLLHUP | POLLERR));
	fmt(&want, "a", reason);
	EXPECT_EQ(-EPIPE, proc_send(fd, &want, &want));
	EXPECT_EQ(0, proc_term(fd, ERLDIST_EXIT_STATUS, &got));
	EXPECT_TRUE(buf_eq(&got, &want)) {
		buf_dump("exit status", &got);
	}
}

TEST_F(relations, exit2)
{
	DEFINE_BUF(oops);

	fmt(&oops, "a", "oops");
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	/* normal is ignored */
	ASK("{ippa}", OP_EXIT2, &self->from, &self->pid, "normal");
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_EQ(0, poll_now(self->p) & POLLHUP);
	ASK("{ippa}", OP_EXIT2, &self->from, &self->pid, "oops");
	exit_status(_metadata, self->p, ECONNRESET, "oops");
	EXPECT_EXIT(&self->from, &oops);
	EXPECT_LE(0, proc_open("svc", NULL));
}

TEST_F(relations, kill_cannot_be_trapped)
{
	DEFINE_BUF(kill);
	DEFINE_BUF(killed);
	DEFINE_BUF(ctl);

	proc_trap_exit(self->p, true);
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	fmt(&ctl, "{ipp}", OP_PAYLOAD_EXIT2, &self->from, &self->pid);
	ASSERT_EQ(0, wire_send(&self->w, &ctl, fmt(&kill, "a", "kill")));
	exit_status(_metadata, self->p, ECONNRESET, "killed");
	EXPECT_EXIT(&self->from, fmt(&killed, "a", "killed"));
}

TEST_F(relations, trap_exit)
{
	static const char * const reasons[] = { "normal", "oops", "kill" };

	proc_trap_exit(self->p, true);
	/* exit/2, then the same through a link; kill is only special in exit/2 */
	for (int i = 0; i < 5; i++) {
		const char *reason = reasons[i < 2 ? i : i - 2];
		DEFINE_BUF(want);
		DEFINE_MSG(m);

		if (i >= 2)
			ASK("{ipp}", OP_LINK, &self->from, &self->pid);
		ASK("{ippa}", i < 2 ? OP_EXIT2 : OP_EXIT, &self->from, &self->pid,
		    reason);
		ASSERT_EQ(0, proc_recv(self->p, &m, WAIT_MS));
		fmt(&want, "{apa}", "EXIT", &self->from, reason);
		EXPECT_TRUE(buf_eq(&m.term, &want)) {
			buf_dump("message", &m.term);
		}
		EXPECT_EQ(ERLDIST_SIG_EXIT, m.op);
		EXPECT_EQ(ERLDIST_MSG_SIGNAL, m.flags & ERLDIST_MSG_SIGNAL);
	}
}

TEST_F(relations, exit_through_a_link)
{
	DEFINE_BUF(normal);

	/* without a link it means nothing */
	ASK("{ippa}", OP_EXIT, &self->from, &self->pid, "oops");
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_EQ(0, poll_now(self->p) & POLLHUP);
	/* normal ends the link, not the process */
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	ASK("{ippa}", OP_EXIT, &self->from, &self->pid, "normal");
	ASK("{ippa}", OP_EXIT, &self->from, &self->pid, "oops");
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_EQ(0, poll_now(self->p) & POLLHUP);
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	ASK("{ippa}", OP_EXIT, &self->from, &self->pid, "kill");
	exit_status(_metadata, self->p, ECONNRESET, "kill");
}

TEST_F(relations, a_message_is_no_signal)
{
	DEFINE_BUF(fake);
	DEFINE_MSG(m);

	term(&fake, "{apa}", "EXIT", &self->from, "oops");
	ASSERT_EQ(0, wire_pid_send(&self->w, &self->pid, &fake));
	ASSERT_EQ(0, proc_recv(self->p, &m, WAIT_MS));
	EXPECT_TRUE(buf_eq(&m.term, &fake));
	EXPECT_EQ(0, m.flags & ERLDIST_MSG_SIGNAL);
	EXPECT_NE(ERLDIST_SIG_EXIT, m.op);
}

TEST_F(relations, connection_lost)
{
	int q = proc(NULL, NULL), bystander = proc(NULL, NULL);
	struct epid q_pid;
	DEFINE_BUF(want);
	DEFINE_MSG(m);

	proc_self(q, &q_pid);
	proc_trap_exit(q, true);
	ASK("{ipp}", OP_LINK, &self->from, &self->pid);
	ASK("{ipp}", OP_LINK, &self->from, &q_pid);
	ASSERT_EQ(0, wire_sync(&self->w));
	close(self->w.fd);
	exit_status(_metadata, self->p, ECONNRESET, "noconnection");
	ASSERT_EQ(0, proc_recv(q, &m, WAIT_MS));
	EXPECT_TRUE(buf_eq(&m.term, fmt(&want, "{apa}", "EXIT", &self->from,
					"noconnection")));
	EXPECT_EQ(ERLDIST_MSG_SIGNAL, m.flags & ERLDIST_MSG_SIGNAL);
	EXPECT_EQ(0, poll_now(bystander) & POLLHUP);
}

/* net_kernel, which every node has */

TEST_F(relations, net_kernel_answers_ping)
{
	struct eref ref = wire_ref(&self->w, 4), mon = wire_ref(&self->w, 5);
	DEFINE_BUF(msg);
	DEFINE_BUF(want);
	DEFINE_BUF(tag);
	struct epid from, to;
	struct eref alias;
	int64_t flags;

	ASK("{ipar}", OP_MONITOR_P, &self->from, "net_kernel", &mon);
	fmt(&tag, "[a|r]", "alias", &ref);
	for (int i = 0; i < 2; i++) {
		DEFINE_FRAME(f);

		if (i) {
			tag.len = 0;
			fmt(&tag, "r", &ref);
		}
		term(&msg, "{a{pt}{aa}}", "$gen_call", &self->from, &tag, "is_auth",
		     "w@h");
		ASSERT_EQ(0, wire_reg_send(&self->w, "net_kernel", &msg));
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_TRUE(buf_eq(&f.msg, term(&want, "{ta}", &tag, "yes")));
		if (i) {
			EXPECT_LT(0, scan(f.ctl.p, f.ctl.len, "{_pp}", &from, &to));
			EXPECT_TRUE(pid_eq(&to, &self->from));
		} else {
			EXPECT_EQ(OP_ALTACT_SIG_SEND, frame_op(&f));
			EXPECT_LT(0, scan(f.ctl.p, f.ctl.len, "{_ipr}", &flags, &from,
					  &alias));
			EXPECT_TRUE(ref_eq(&alias, &ref));
		}
	}
	ASK("{ipar}", OP_DEMONITOR_P, &self->from, "net_kernel", &mon);
	ASSERT_EQ(0, wire_sync(&self->w));
}

/* Any other call gets DOWN at once, from the reference in its tag */
TEST_F(relations, net_kernel_knows_nothing_else)
{
	struct eref ref = wire_ref(&self->w, 4);
	DEFINE_BUF(msg);
	DEFINE_BUF(noproc);
	DEFINE_BUF(ctl);

	term(&msg, "{a{p[a|r]}{aa}}", "$gen_call", &self->from, "alias", &ref,
	     "connect", "x@h");
	ASSERT_EQ(0, wire_reg_send(&self->w, "net_kernel", &msg));
	expect(_metadata, &self->w,
	       fmt(&ctl, "{iapr}", OP_PAYLOAD_MONITOR_P_EXIT, "net_kernel",
		   &self->from, &ref), fmt(&noproc, "a", "noproc"));
	/* what is no call is thrown away */
	ASSERT_EQ(0, wire_reg_send(&self->w, "net_kernel", term(&msg, "a", "hi")));
	ASSERT_EQ(0, wire_reg_send(&self->w, "net_kernel",
				   term(&msg, "{aa}", "$gen_call", "x")));
	ASSERT_EQ(0, wire_sync(&self->w));
}

/* rex, which every node has as long as no process is it */

#define EXPECT_ANSWER(...)						\
	do {								\
		DEFINE_FRAME(f_);					\
		DEFINE_BUF(want_);					\
		ASSERT_EQ(0, wire_recv(&self->w, &f_, WAIT_MS));	\
		EXPECT_TRUE(buf_eq(&f_.msg, term(&want_, __VA_ARGS__))); \
	} while (0)

TEST_F(relations, rex_serves_nothing)
{
	struct eref ref = wire_ref(&self->w, 4), mon = wire_ref(&self->w, 5);
	uint8_t *large = calloc(1, 300000);
	DEFINE_BUF(msg);
	DEFINE_BUF(args);
	int rex;

	ASK("{ipar}", OP_MONITOR_P, &self->from, "rex", &mon);
	/* however large what it is asked for is */
	for (size_t n = 1; n <= 300000; n += 299999) {
		args.len = 0;
		fmt(&args, "[B]", large, n);
		term(&msg, "{a{p[a|r]}{aaatp}}", "$gen_call", &self->from, "alias", &ref, "call",
		     "m", "f", &args, &self->from);
		ASSERT_EQ(0, wire_reg_send(&self->w, "rex", &msg));
		EXPECT_ANSWER("{[a|r]{aa}}", "alias", &ref, "badrpc", "notsup");
		term(&msg, "{p{aaata}}", &self->from, "call", "m", "f", &args, "user");
		ASSERT_EQ(0, wire_reg_send(&self->w, "rex", &msg));
		EXPECT_ANSWER("{a{aa}}", "rex", "badrpc", "notsup");
	}
	free(large);
	term(&msg, "{pa}", &self->from, "features_request");
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", &msg));
	EXPECT_ANSWER("{aa[]}", "features_reply", "k@h");
	term(&msg, "{p{aaa}}", &self->from, "sbcast", "nobody", "x");
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", &msg));
	EXPECT_ANSWER("{aa{aa}}", "rex", "k@h", "nonexisting_name", "nobody");
	/* what asks for nothing is thrown away, as is what another node's process asks */
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", term(&msg, "{pa}", &self->from, "hello")));
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", term(&msg, "{aa}", "$gen_cast", "x")));
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", term(&msg, "a", "x")));
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", term(&msg, "{}")));
	ASSERT_EQ(0, wire_sync(&self->w));
	/* a process takes its place */
	rex = proc("rex", NULL);
	ASSERT_LE(0, rex);
	term(&msg, "{pa}", &self->from, "features_request");
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", &msg));
	EXPECT_TRUE(proc_expect(rex, &msg));
	ASSERT_EQ(0, wire_sync(&self->w));
	close(rex);
	ASSERT_EQ(0, wire_reg_send(&self->w, "rex", &msg));
	EXPECT_ANSWER("{aa[]}", "features_reply", "k@h");
}

TEST_HARNESS_MAIN
