// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames that no node may send. Each costs the sender its connection, with the
 * right reason, and nobody else anything.
 */
#include "kselftest_harness.h"
#include "wire_peer.h"

#define CLOSE_MS	10000	/* within which a bad frame has its effect: before a tick */
#define R(reason)	(1ULL << ERLDIST_REASON_##reason)
#define HEAD		R(BAD_FRAME)
#define CONTROL		(R(BAD_CONTROL) | R(BAD_FRAME) | R(BAD_TERM))
#define FRAGMENT	(R(BAD_FRAGMENT) | R(LIMIT))
#define FOREIGN		(R(FOREIGN_SENDER) | R(BAD_CONTROL))

FIXTURE(evil) {
	int node;
	int svc;
	struct epid pid;	/* of svc */
	struct wire good;	/* another peer, which must notice nothing */
	struct wire w;
};

FIXTURE_VARIANT(evil) {
	enum carrier carrier;
	uint64_t flags;
};

FIXTURE_VARIANT_ADD(evil, header_tcp) {
	.carrier = CARRIER_TCP4,
	.flags = DEFAULT_FLAGS,
};

FIXTURE_VARIANT_ADD(evil, header_unix) {
	.carrier = CARRIER_UNIX,
	.flags = DEFAULT_FLAGS,
};

FIXTURE_VARIANT_ADD(evil, pass_through_tcp) {
	.carrier = CARRIER_TCP4,
	.flags = DEFAULT_FLAGS & ~FLAG_FRAGMENTS,
};

FIXTURE_SETUP(evil)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->svc = proc("svc", NULL);
	proc_self(self->svc, &self->pid);
	ASSERT_EQ(0, wire_up_as(&self->good, self->node, "good@h"));
}

FIXTURE_TEARDOWN(evil)
{
}

static int connect_evil(FIXTURE_DATA(evil) *self,
			const FIXTURE_VARIANT(evil) *variant)
{
	wire_init(&self->w, -1, "w@h");
	self->w.flags = variant->flags;
	return wire_connect(&self->w, self->node, variant->carrier,
			    ERLDIST_ROLE_ACCEPTOR);
}

/* The node, its process and its other peer are as they were */
static bool undisturbed(FIXTURE_DATA(evil) *self)
{
	static int n;
	DEFINE_BUF(b);

	if (wire_reg_send(&self->good, "svc", term(&b, "{ai}", "still", ++n)))
		return false;
	return proc_expect(self->svc, &b);
}

/* Bit of the reason with which w went down, 0 when it does not */
static uint64_t down_reason(FIXTURE_DATA(evil) *self)
{
	struct peer_info i;

	if (!wire_ends(&self->w, CLOSE_MS) ||
	    node_wait(self->node, ERLDIST_PENDING_DOWN, &i))
		return 0;
	close(self->w.fd);
	return strcmp(i.name, "w@h") ? 0 : 1ULL << i.reason;
}

/* It should have been closed and was not */
static void drop_evil(FIXTURE_DATA(evil) *self)
{
	close(self->w.fd);
	node_wait(self->node, ERLDIST_PENDING_DOWN, NULL);
}

/* bytes are all that w sends, their length included */
static void expect_close(struct __test_metadata *_metadata,
			 FIXTURE_DATA(evil) *self,
			 const FIXTURE_VARIANT(evil) *variant,
			 const struct buf *bytes, uint64_t reasons,
			 const char *what)
{
	uint64_t reason;

	ASSERT_EQ(0, connect_evil(self, variant));
	wire_write(&self->w, bytes->p, bytes->len);
	reason = down_reason(self);
	EXPECT_NE(0, reason & reasons) {
		TH_LOG("%s: reason %d", what, reason ? __builtin_ctzll(reason) : -1);
	}
	if (!reason)
		drop_evil(self);
	ASSERT_TRUE(undisturbed(self)) {
		TH_LOG("after %s", what);
	}
}

static void raw_frame(struct buf *b, const char *hex)
{
	DEFINE_BUF(body);

	b->len = 0;
	buf_hex(&body, hex);
	buf_be32(b, body.len);
	buf_add(b, body.p, body.len);
}

TEST_F_TIMEOUT(evil, heads, 120)
{
	static const struct {
		const char *what;
		const char *hex;
		int mode;	/* 1: header mode, 2: pass-through, 3: both */
		uint64_t reasons;
	} rows[] = {
		{ "one byte", "83", 3, HEAD },
		{ "a head and nothing", "83 44", 1, HEAD },
		{ "no control message", "83 44 00", 1, CONTROL },
		{ "pass-through in header mode", "70 83 68 01 61 02", 1, HEAD },
		{ "header in pass-through mode", "83 44 00 68 01 61 02", 2, HEAD },
		{ "a fragment in pass-through mode",
		  "83 45 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 00 68 01",
		  2, HEAD },
		{ "no version byte", "70 68 01 61 02", 2, HEAD | CONTROL },
		{ "pass-through and nothing", "70 83", 2, HEAD | CONTROL },
		{ "unknown type of frame", "83 47 00 68 01 61 02", 1, HEAD },
		{ "no version at all", "00 00 00 00 00 00 00 00", 3, HEAD },
		{ "one atom reference without a cache",
		  "83 44 01 08 00 03 61 62 63 68 01 61 02", 1, HEAD },
		{ "255 atom references", "83 44 ff 00 00 00", 1, HEAD },
		{ "fragment id 0",
		  "83 45 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 68 01",
		  1, FRAGMENT },
		{ "fragment id 2^40",
		  "83 45 00 00 00 00 00 00 00 01 00 00 01 00 00 00 00 00 00 68 01",
		  1, FRAGMENT | CONTROL },
		{ "fragment id 2^64 - 1",
		  "83 45 00 00 00 00 00 00 00 01 ff ff ff ff ff ff ff ff 00 68 01",
		  1, FRAGMENT | CONTROL },
		{ "a fragment with atom references",
		  "83 45 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 01 08 00",
		  1, FRAGMENT | HEAD },
		{ "a fragment that ends in its head", "83 45 00 00 00 00", 1,
		  FRAGMENT | HEAD },
		{ "a continuation of nothing",
		  "83 46 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 61 01",
		  1, FRAGMENT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		DEFINE_BUF(b);

		if (!(rows[i].mode & (variant->flags & FLAG_FRAGMENTS ? 1 : 2)))
			continue;
		raw_frame(&b, rows[i].hex);
		expect_close(_metadata, self, variant, &b, rows[i].reasons,
			     rows[i].what);
	}
}

TEST_F(evil, four_gigabytes)
{
	DEFINE_BUF(b);

	buf_hex(&b, "ff ff ff ff");
	memset(buf_grow(&b, 100), 0, 100);
	expect_close(_metadata, self, variant, &b,
		     HEAD | R(LIMIT) | R(BAD_CONTROL), "a length of 4 GiB");
}

/* A control message as a frame, without a payload */
static void control_frame(FIXTURE_DATA(evil) *self,
			  const FIXTURE_VARIANT(evil) *variant, struct buf *b,
			  const struct buf *ctl)
{
	struct wire w = { .header = variant->flags & FLAG_FRAGMENTS };

	b->len = 0;
	wire_frame(&w, b, ctl, NULL);
}

TEST_F_TIMEOUT(evil, control_tuples, 240)
{
	static const struct {
		const char *what;
		const char *hex;
	} rows[] = {
		{ "an atom", "77 02 68 69" },
		{ "a list", "6c 00 00 00 01 61 02 6a" },
		{ "an empty tuple", "68 00" },
		{ "operation 0", "68 03 61 00 6a 6a" },
		{ "operation 5, NODE_LINK", "68 01 61 05" },
		{ "operation 9", "68 03 61 09 6a 6a" },
		{ "operation 10", "68 03 61 0a 6a 6a" },
		{ "operation 11", "68 03 61 0b 6a 6a" },
		{ "operation 14", "68 03 61 0e 6a 6a" },
		{ "operation 15", "68 03 61 0f 6a 6a" },
		{ "operation 17", "68 03 61 11 6a 6a" },
		{ "operation 38", "68 03 61 26 6a 6a" },
		{ "operation 255", "68 03 61 ff 6a 6a" },
		{ "operation -1", "68 03 62 ff ff ff ff 6a 6a" },
		{ "operation 2 + 2^32", "68 03 6e 05 00 02 00 00 00 01 77 00 6a" },
		{ "operation an atom", "68 03 77 04 73 65 6e 64 77 00 6a" },
		{ "operation from a cache", "68 03 52 00 77 00 6a" },
		{ "arity 2^32 - 1", "69 ff ff ff ff 61 02" },
		{ "LINK of 2", "68 02 61 01 6a" },
		{ "LINK of atoms", "68 03 61 01 77 01 61 77 01 62" },
		{ "SEND to an atom", "68 03 61 02 77 00 77 03 73 76 63" },
		{ "SEND of 4", "68 04 61 02 77 00 6a 6a" },
		{ "REG_SEND from an atom",
		  "68 04 61 06 77 01 61 77 00 77 03 73 76 63" },
		{ "REG_SEND to an integer", "68 04 61 06 6a 77 00 61 01" },
		{ "a compressed element", "68 03 61 02 77 00 50 00 00 00 01" },
		{ "a local external term", "68 03 61 02 77 00 79 00 00 00 00" },
		{ "an atom that is no UTF-8", "68 04 61 06 6a 77 00 77 02 c3 28" },
		{ "UNLINK_ID of 2", "68 02 61 23 61 01" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		DEFINE_BUF(ctl);
		DEFINE_BUF(b);

		control_frame(self, variant, &b, buf_hex(&ctl, rows[i].hex));
		expect_close(_metadata, self, variant, &b, CONTROL, rows[i].what);
	}
}

TEST_F(evil, unlink_ids)
{
	static const char * const ids[] = {
		"61 00", "6e 01 00 00", "6e 09 00 00 00 00 00 00 00 00 00 01",
		"62 ff ff ff ff", "6e 01 01 05", "6e 00 00",
	};
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		DEFINE_BUF(id);
		DEFINE_BUF(ctl);
		DEFINE_BUF(b);

		buf_hex(&id, ids[i]);
		fmt(&ctl, "{itpp}", OP_UNLINK_ID, &id, &from, &self->pid);
		control_frame(self, variant, &b, &ctl);
		expect_close(_metadata, self, variant, &b, CONTROL, ids[i]);
	}
}

/* Signals in the name of somebody else's process */
TEST_F_TIMEOUT(evil, foreign_senders, 120)
{
	struct epid from = { .node = "good@h", .id = 5, .creation = 0x11223344 };
	struct eref ref = { .node = "w@h", .creation = 0x11223344, .n = 3 };
	static const int ops[] = { OP_LINK, OP_UNLINK_ID, OP_UNLINK_ID_ACK, OP_EXIT,
				   OP_EXIT2, OP_MONITOR_P, OP_DEMONITOR_P };

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		char what[32];
		DEFINE_BUF(ctl);
		DEFINE_BUF(b);

		if (ops[i] == OP_LINK)
			fmt(&ctl, "{ipp}", ops[i], &from, &self->pid);
		else if (ops[i] >= OP_UNLINK_ID)
			fmt(&ctl, "{iipp}", ops[i], 1, &from, &self->pid);
		else if (ops[i] >= OP_MONITOR_P)
			fmt(&ctl, "{ippr}", ops[i], &from, &self->pid, &ref);
		else
			fmt(&ctl, "{ippa}", ops[i], &from, &self->pid, "kill");
		control_frame(self, variant, &b, &ctl);
		snprintf(what, sizeof(what), "operation %d", ops[i]);
		expect_close(_metadata, self, variant, &b, FOREIGN, what);
	}
}

/* References of a node that is neither side's, with the longest name there is */
TEST_F(evil, foreign_references)
{
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	struct wire w = { .header = variant->flags & FLAG_FRAGMENTS };
	struct eref ref = { .creation = 0x11223344, .n = 5 };
	static const int ops[] = { OP_MONITOR_P, OP_DEMONITOR_P, OP_SPAWN_REQUEST };
	DEFINE_BUF(args);

	memset(ref.node, 'x', 253);
	memcpy(ref.node + 253, "@h", 3);
	fmt(&args, "[b]", "ls");
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		bool spawn = ops[i] == OP_SPAWN_REQUEST;
		char what[32];
		DEFINE_BUF(ctl);
		DEFINE_BUF(b);

		if (spawn)
			fmt(&ctl, "{irpp{aai}[]}", ops[i], &ref, &from, &from, "os",
			    "cmd", 1);
		else
			fmt(&ctl, "{ippr}", ops[i], &from, &self->pid, &ref);
		wire_frame(&w, &b, &ctl, spawn ? &args : NULL);
		snprintf(what, sizeof(what), "operation %d", ops[i]);
		expect_close(_metadata, self, variant, &b, R(FOREIGN_SENDER), what);
	}
}

TEST_F(evil, references)
{
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	struct eref six = { .node = "w@h", .creation = 0x11223344, .n = 6 };
	struct eref none = { .node = "w@h", .creation = 0x11223344 };
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	fmt(&ctl, "{ippr}", OP_MONITOR_P, &from, &self->pid, &six);
	control_frame(self, variant, &b, &ctl);
	expect_close(_metadata, self, variant, &b, CONTROL, "six words");
	ctl.len = 0;
	fmt(&ctl, "{ippr}", OP_MONITOR_P, &from, &self->pid, &none);
	control_frame(self, variant, &b, &ctl);
	expect_close(_metadata, self, variant, &b, CONTROL, "no word");
}

/* A message whose frame ends at each byte of its control tuple */
TEST_F_TIMEOUT(evil, cut_control, 240)
{
	struct wire w = { .header = variant->flags & FLAG_FRAGMENTS };
	size_t head = w.header ? 3 : 2;
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	wire_frame(&w, &b, &ctl, NULL);
	for (size_t len = 1; len < head + ctl.len; len++) {
		char what[32];
		DEFINE_BUF(cut);

		buf_be32(&cut, len);
		buf_add(&cut, b.p + 4, len);
		snprintf(what, sizeof(what), "%zu bytes", len);
		expect_close(_metadata, self, variant, &cut, CONTROL, what);
	}
	/* the tuple is whole and its payload is missing */
	expect_close(_metadata, self, variant, &b, CONTROL, "no payload");
}

static void two_frames(struct buf *b, int type2, uint64_t seq2, uint64_t id2,
		       const struct buf *ctl)
{
	b->len = 0;
	wire_fragment(b, 69, 5, 3, ctl, "\x6d\x00\x00\x00\x06xx", 7);
	wire_fragment(b, type2, seq2, id2, type2 == 69 ? ctl : NULL, "yy", 2);
}

TEST_F(evil, fragments_out_of_order)
{
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!(variant->flags & FLAG_FRAGMENTS))
		SKIP(return, "no fragments in pass-through mode");
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	two_frames(&b, 70, 5, 1, &ctl);
	expect_close(_metadata, self, variant, &b, FRAGMENT, "one left out");
	two_frames(&b, 70, 5, 3, &ctl);
	expect_close(_metadata, self, variant, &b, FRAGMENT, "the same again");
	two_frames(&b, 70, 5, 0, &ctl);
	expect_close(_metadata, self, variant, &b, FRAGMENT, "0");
	two_frames(&b, 70, 6, 2, &ctl);
	expect_close(_metadata, self, variant, &b, FRAGMENT, "another sequence");
	two_frames(&b, 69, 5, 2, &ctl);
	expect_close(_metadata, self, variant, &b, FRAGMENT, "a start when open");
}

/* A payload may begin in the next fragment, but there has to be one. */
TEST_F(evil, fragments_without_payload)
{
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!(variant->flags & FLAG_FRAGMENTS))
		SKIP(return, "no fragments in pass-through mode");
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	wire_fragment(&b, 69, 5, 2, &ctl, "", 0);
	wire_fragment(&b, 70, 5, 1, NULL, "", 0);
	expect_close(_metadata, self, variant, &b, CONTROL, "two of no bytes");
}

TEST_F(evil, too_many_sequences)
{
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	struct erldist_limits l;
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!(variant->flags & FLAG_FRAGMENTS))
		SKIP(return, "no fragments in pass-through mode");
	ASSERT_EQ(0, node_limits(self->node, &l));
	l.fragments = 8;
	ASSERT_EQ(0, node_set_limits(self->node, &l));
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	for (int seq = 1; seq <= 9; seq++)
		wire_fragment(&b, 69, seq, 2, &ctl, "\x6d\x00\x00\x00\x01", 5);
	expect_close(_metadata, self, variant, &b, FRAGMENT, "nine sequences");
}

TEST_F(evil, urgent_data)
{
	/* the tick looks for what hides from the reader */
	struct erldist_ticktime t = { .ticktime = 8000, .intensity = 16 };

	if (variant->carrier == CARRIER_UNIX)
		SKIP(return, "TCP only");
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	ASSERT_EQ(0, connect_evil(self, variant));
	ASSERT_EQ(0, wire_write(&self->w, "\0\0", 2));
	ASSERT_EQ(1, send(self->w.fd, "!", 1, MSG_OOB));
	wire_write(&self->w, "\0\0\0\0\0\0", 6);
	EXPECT_NE(0, down_reason(self) & (R(URGENT_DATA) | HEAD));
	EXPECT_TRUE(undisturbed(self));
}

/* An exit reason nested a million deep, for the control message and a payload */
TEST_F_TIMEOUT(evil, deep_nesting, 60)
{
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	struct wire w = { .header = variant->flags & FLAG_FRAGMENTS };
	DEFINE_BUF(deep);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	for (int i = 0; i < 1000000; i++)
		buf_add(&deep, "\x68\x01", 2);
	buf_u8(&deep, 106);

	ASSERT_EQ(0, connect_evil(self, variant));
	fmt(&ctl, "{ippt}", OP_EXIT, &from, &self->pid, &deep);
	wire_frame(&w, &b, &ctl, NULL);
	wire_write(&self->w, b.p, b.len);
	EXPECT_TRUE(undisturbed(self));
	ctl.len = 0;
	b.len = 0;
	fmt(&ctl, "{ipp}", OP_PAYLOAD_EXIT, &from, &self->pid);
	wire_frame(&w, &b, &ctl, &deep);
	wire_write(&self->w, b.p, b.len);
	EXPECT_TRUE(undisturbed(self));
}

/* Random damage to a good frame: closed or not, never more than that */
TEST_F_TIMEOUT(evil, damaged, 240)
{
	struct epid from = { .node = "w@h", .id = 5, .creation = 0x11223344 };
	struct wire w = { .header = variant->flags & FLAG_FRAGMENTS };
	unsigned int rounds = scaled(300);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(b);

	srandom(4711);
	term(&msg, "{aib}", "hello", 1000, "there");
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svd");
	wire_frame(&w, &b, &ctl, &msg);
	ASSERT_EQ(0, connect_evil(self, variant));
	for (unsigned int i = 0; i < rounds; i++) {
		struct peer_info p;
		DEFINE_BUF(bad);

		buf_add(&bad, b.p, b.len);
		for (int n = random() % 3; n >= 0; n--)
			bad.p[4 + random() % (b.len - 4)] ^= 1 << random() % 8;
		if (!wire_write(&self->w, bad.p, bad.len) &&
		    !poll_for(self->w.fd, POLLRDHUP, 1))
			continue;
		EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
		close(self->w.fd);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &p));
		EXPECT_STREQ("w@h", p.name);
		ASSERT_EQ(0, connect_evil(self, variant));
	}
	/* a changed length or name may have hit svc: read what is there */
	while (poll_for(self->svc, POLLIN, QUIET_MS)) {
		DEFINE_MSG(m);

		ASSERT_EQ(0, proc_recv(self->svc, &m, 0));
	}
	EXPECT_TRUE(undisturbed(self));
}

TEST_HARNESS_MAIN
