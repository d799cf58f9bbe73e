// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames as they should be, in both modes: cut anywhere, in fragments, in
 * every operation that carries a message, and as large as they come.
 */
#include <netinet/in.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(frames) {
	int node;
	int svc;
	struct epid pid;	/* of svc */
	struct wire w;
};

FIXTURE_VARIANT(frames) {
	enum carrier carrier;
	uint64_t flags;
};

FIXTURE_VARIANT_ADD(frames, header_tcp) {
	.carrier = CARRIER_TCP4,
	.flags = DEFAULT_FLAGS,
};

FIXTURE_VARIANT_ADD(frames, header_unix) {
	.carrier = CARRIER_UNIX,
	.flags = DEFAULT_FLAGS,
};

FIXTURE_VARIANT_ADD(frames, pass_through_tcp) {
	.carrier = CARRIER_TCP6,
	.flags = DEFAULT_FLAGS & ~FLAG_FRAGMENTS,
};

FIXTURE_VARIANT_ADD(frames, pass_through_unix) {
	.carrier = CARRIER_UNIX,
	.flags = DEFAULT_FLAGS & ~FLAG_FRAGMENTS,
};

FIXTURE_SETUP(frames)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->svc = proc("svc", NULL);
	proc_self(self->svc, &self->pid);
	wire_init(&self->w, -1, "w@h");
	self->w.flags = variant->flags;
	ASSERT_EQ(0, wire_connect(&self->w, self->node, variant->carrier,
				  ERLDIST_ROLE_ACCEPTOR));
}

FIXTURE_TEARDOWN(frames)
{
}

static bool fragments(const FIXTURE_VARIANT(frames) *variant)
{
	return variant->flags & FLAG_FRAGMENTS;
}

/* {N, Binary} with that many bytes, different for each N and position */
static struct buf *pattern(struct buf *b, int n, size_t size)
{
	uint8_t *p = malloc(size + 1);
	uint32_t x = 12345 + n;

	for (size_t i = 0; i < size; i++) {
		x = x * 1103515245 + 12345;
		p[i] = x >> 16;
	}
	term(b, "{iB}", n, p, size);
	free(p);
	return b;
}

static void reg_send_ctl(struct wire *w, struct buf *ctl, const char *name)
{
	struct epid from = wire_pid(w, 66);

	fmt(ctl, "{ipaa}", OP_REG_SEND, &from, "", name);
}

/* A message as fragments of part bytes of it, the first ones with `first` */
static unsigned int cut(struct wire *w, struct buf *out, uint64_t seq,
			const struct buf *ctl, const struct buf *msg,
			size_t first, size_t part)
{
	size_t left = msg->len > first ? msg->len - first : 0;
	uint64_t id = 1 + (left + part - 1) / part;
	unsigned int n = id;
	size_t at = msg->len < first ? msg->len : first;

	wire_fragment(out, 69, seq, id, ctl, msg->p, at);
	while (--id) {
		size_t len = msg->len - at < part ? msg->len - at : part;

		wire_fragment(out, 70, seq, id, NULL, msg->p + at, len);
		at += len;
	}
	return n;
}

TEST_F_TIMEOUT(frames, split_at_every_byte, 120)
{
	DEFINE_BUF(one);
	DEFINE_BUF(two);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	reg_send_ctl(&self->w, &ctl, "svc");
	term(&one, "{ab}", "first", "0123456789");
	term(&two, "a", "second");
	wire_frame(&self->w, &b, &ctl, &one);
	buf_be32(&b, 0);
	wire_frame(&self->w, &b, &ctl, &two);
	for (size_t at = 0; at <= b.len; at++) {
		ASSERT_EQ(0, wire_write(&self->w, b.p, at));
		ASSERT_EQ(0, wire_write(&self->w, b.p + at, b.len - at));
		ASSERT_TRUE(proc_expect(self->svc, &one)) {
			TH_LOG("cut at %zu", at);
		}
		ASSERT_TRUE(proc_expect(self->svc, &two));
	}
	for (size_t at = 0; at < b.len; at++)
		ASSERT_EQ(0, wire_write(&self->w, b.p + at, 1));
	EXPECT_TRUE(proc_expect(self->svc, &one));
	EXPECT_TRUE(proc_expect(self->svc, &two));
	EXPECT_FALSE(poll_for(self->svc, POLLIN, 0));
}

/* Fragments whose bytes come one by one */
TEST_F_TIMEOUT(frames, fragments_split_at_every_byte, 120)
{
	DEFINE_BUF(msg);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!fragments(variant))
		SKIP(return, "no fragments in pass-through mode");
	reg_send_ctl(&self->w, &ctl, "svc");
	term(&msg, "{ab}", "in", "three fragments");
	ASSERT_EQ(3, cut(&self->w, &b, 77, &ctl, &msg, 4, 11));
	for (size_t at = 0; at <= b.len; at++) {
		ASSERT_EQ(0, wire_write(&self->w, b.p, at));
		ASSERT_EQ(0, wire_write(&self->w, b.p + at, b.len - at));
		ASSERT_TRUE(proc_expect(self->svc, &msg)) {
			TH_LOG("cut at %zu", at);
		}
	}
}

TEST_F(frames, one_fragment)
{
	DEFINE_BUF(msg);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!fragments(variant))
		SKIP(return, "no fragments in pass-through mode");
	reg_send_ctl(&self->w, &ctl, "svc");
	term(&msg, "a", "whole");
	wire_fragment(&b, 69, 9, 1, &ctl, msg.p, msg.len);
	ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
	EXPECT_TRUE(proc_expect(self->svc, &msg));
}

TEST_F(frames, nothing_of_the_message_in_the_first)
{
	DEFINE_BUF(msg);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!fragments(variant))
		SKIP(return, "no fragments in pass-through mode");
	reg_send_ctl(&self->w, &ctl, "svc");
	pattern(&msg, 1, 100000);
	cut(&self->w, &b, 9, &ctl, &msg, 0, 65536);
	ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
	EXPECT_TRUE(proc_expect(self->svc, &msg));
}

/* Eight messages in fragments of one byte to 64 KiB at once, and small ones */
TEST_F_TIMEOUT(frames, interleaved, 120)
{
	static const size_t size[8] = { 100, 5000, 65536, 70000, 131072, 200000,
					3, 1000 };
	int p[8];

	if (!fragments(variant))
		SKIP(return, "no fragments in pass-through mode");
	DEFINE_BUF(msg);
	DEFINE_BUF(small);
	struct buf b[8] = { 0 };
	size_t at[8] = { 0 };
	int left = 8;

	for (int i = 0; i < 8; i++) {
		char name[8];
		DEFINE_BUF(ctl);

		snprintf(name, sizeof(name), "p%d", i);
		p[i] = proc(name, NULL);
		reg_send_ctl(&self->w, &ctl, name);
		cut(&self->w, &b[i], 100 + i, &ctl, pattern(&msg, i, size[i]),
		    size[i] / 3, size[i] / 7 + 1);
	}
	/* whole frames, in turn */
	while (left) {
		for (int i = 0; i < 8; i++) {
			size_t n;

			if (at[i] == b[i].len)
				continue;
			n = 4 + get32(b[i].p + at[i]);
			ASSERT_EQ(0, wire_write(&self->w, b[i].p + at[i], n));
			at[i] += n;
			left -= at[i] == b[i].len;
		}
		ASSERT_EQ(0, wire_reg_send(&self->w, "svc", term(&small, "i", left)));
		ASSERT_TRUE(proc_expect(self->svc, &small));
	}
	for (int i = 0; i < 8; i++) {
		EXPECT_TRUE(proc_expect(p[i], pattern(&msg, i, size[i])));
		buf_free(&b[i]);
	}
}

/* A sequence to nobody is taken and thrown away, also while others go on */
TEST_F(frames, fragments_to_nobody)
{
	DEFINE_BUF(msg);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!fragments(variant))
		SKIP(return, "no fragments in pass-through mode");
	reg_send_ctl(&self->w, &ctl, "nobody");
	pattern(&msg, 1, 300000);
	cut(&self->w, &b, 9, &ctl, &msg, 65536, 65536);
	ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
	ASSERT_EQ(0, wire_reg_send(&self->w, "svc", term(&msg, "a", "next")));
	EXPECT_TRUE(proc_expect(self->svc, &msg));
}

/* The receiver ends in the middle of a sequence */
TEST_F(frames, receiver_gone_meanwhile)
{
	int p = proc("gone", NULL);
	size_t half;
	DEFINE_BUF(msg);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	if (!fragments(variant))
		SKIP(return, "no fragments in pass-through mode");
	reg_send_ctl(&self->w, &ctl, "gone");
	cut(&self->w, &b, 9, &ctl, pattern(&msg, 1, 300000), 65536, 65536);
	half = 4 + get32(b.p);
	half += 4 + get32(b.p + half);
	ASSERT_EQ(0, wire_write(&self->w, b.p, half));
	ASSERT_EQ(0, wire_reg_send(&self->w, "svc", term(&msg, "i", 1)));
	ASSERT_TRUE(proc_expect(self->svc, &msg));
	close(p);
	ASSERT_EQ(0, wire_write(&self->w, b.p + half, b.len - half));
	ASSERT_EQ(0, wire_reg_send(&self->w, "svc", term(&msg, "i", 2)));
	EXPECT_TRUE(proc_expect(self->svc, &msg));
}

static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 1 << 20, 16 << 20 };

TEST_F_TIMEOUT(frames, large_ones_in, 300)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		DEFINE_BUF(msg);
		DEFINE_BUF(ctl);
		DEFINE_BUF(b);

		pattern(&msg, i, sizes[i]);
		ASSERT_EQ(0, wire_pid_send(&self->w, &self->pid, &msg));
		ASSERT_TRUE(proc_expect(self->svc, &msg)) {
			TH_LOG("%zu bytes in one frame", sizes[i]);
		}
		if (!fragments(variant))
			continue;
		reg_send_ctl(&self->w, &ctl, "svc");
		cut(&self->w, &b, i, &ctl, &msg, 65536, 65536);
		ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
		ASSERT_TRUE(proc_expect(self->svc, &msg)) {
			TH_LOG("%zu bytes in fragments", sizes[i]);
		}
	}
}

TEST_F_TIMEOUT(frames, large_ones_out, 300)
{
	struct epid to = wire_pid(&self->w, 9);
	DEFINE_BUF(dest);

	fmt(&dest, "p", &to);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int least, most;
		DEFINE_BUF(msg);
		DEFINE_FRAME(f);

		pattern(&msg, i, sizes[i]);
		ASSERT_EQ(msg.len, proc_send(self->svc, &dest, &msg));
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_EQ(OP_SEND_SENDER, frame_op(&f));
		EXPECT_TRUE(buf_eq(&f.msg, &msg)) {
			TH_LOG("%zu bytes", sizes[i]);
		}
		least = fragments(variant) ? sizes[i] / 65536 : 0;
		most = !fragments(variant) ? 0 : sizes[i] < 65000 ? 1 : ~0U;
		EXPECT_LE(least, f.fragments);
		EXPECT_GE(most, f.fragments);
	}
}

/* Small messages of others get through while a large one is on its way */
TEST_F_TIMEOUT(frames, small_ones_pass_large_ones, 120)
{
	struct epid to = wire_pid(&self->w, 9);
	int other = proc(NULL, NULL);
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);
	DEFINE_BUF(small);
	const struct buf *order[] = { &small, &msg, &dest };

	if (!fragments(variant))
		SKIP(return, "no fragments in pass-through mode");
	fmt(&dest, "p", &to);
	pattern(&msg, 1, 16 << 20);
	term(&small, "a", "small");
	ASSERT_EQ(msg.len, proc_send(self->svc, &dest, &msg));
	ASSERT_EQ(small.len, proc_send(other, &dest, &small));
	/* one more of the first sender stays behind its large one */
	ASSERT_EQ(small.len, proc_send(self->svc, &dest, &dest) > 0 ? small.len : 0);
	for (int i = 0; i < 3; i++) {
		DEFINE_FRAME(f);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_TRUE(buf_eq(&f.msg, order[i])) {
			TH_LOG("frame %d", i);
		}
	}
}

/* Every operation that carries a message, with a seq_trace token and without */
TEST_F(frames, operations)
{
	struct epid from = wire_pid(&self->w, 66), third = from;
	DEFINE_BUF(token);
	DEFINE_BUF(want);

	snprintf(third.node, sizeof(third.node), "third@h");
	fmt(&token, "{iaipi}", 1, "label", 2, &from, 3);
	struct {
		int op;
		bool sender;
		struct buf ctl;
	} rows[] = {
		{ OP_SEND }, { 12 }, { OP_REG_SEND, true }, { 16, true },
		{ OP_SEND_SENDER, true }, { 23, true }, { OP_SEND_SENDER, true },
		{ OP_ALTACT_SIG_SEND, true }, { OP_ALTACT_SIG_SEND, true },
		{ OP_ALTACT_SIG_SEND, true }, { OP_SEND }, { OP_SEND_SENDER, true },
	};
	fmt(&rows[0].ctl, "{iap}", OP_SEND, "", &self->pid);
	fmt(&rows[1].ctl, "{iapt}", 12, "", &self->pid, &token);
	fmt(&rows[2].ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	fmt(&rows[3].ctl, "{ipaat}", 16, &from, "", "svc", &token);
	fmt(&rows[4].ctl, "{ipp}", OP_SEND_SENDER, &from, &self->pid);
	fmt(&rows[5].ctl, "{ippt}", 23, &from, &self->pid, &token);
	fmt(&rows[6].ctl, "{ipp}", OP_SEND_SENDER, &third, &self->pid);
	fmt(&rows[7].ctl, "{iipp}", OP_ALTACT_SIG_SEND, 1, &from, &self->pid);
	fmt(&rows[8].ctl, "{iipa}", OP_ALTACT_SIG_SEND, 8, &from, "svc");
	/* it may grow, and its flags may have bits that nobody knows */
	fmt(&rows[9].ctl, "{iuppai}", OP_ALTACT_SIG_SEND, 1ULL << 40, &from,
	    &self->pid, "more", 1);
	/* operation and tuple in their longer forms */
	buf_hex(&rows[10].ctl, "69 00 00 00 03 62 00 00 00 02 73 00");
	fmt(&rows[10].ctl, "p", &self->pid);
	/* the node's name as a latin1 atom */
	buf_hex(&rows[11].ctl, "68 03 61 16");
	fmt(&rows[11].ctl, "p", &from);
	buf_hex(&rows[11].ctl, "58 64 00 03 6b 40 68");
	buf_be32(&rows[11].ctl, self->pid.id);
	buf_be32(&rows[11].ctl, self->pid.serial);
	buf_be32(&rows[11].ctl, self->pid.creation);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		DEFINE_MSG(m);
		DEFINE_BUF(pid);

		term(&want, "{ai}", "row", (int)i);
		ASSERT_EQ(0, wire_send(&self->w, &rows[i].ctl, &want));
		ASSERT_EQ(0, proc_recv(self->svc, &m, WAIT_MS)) {
			TH_LOG("row %zu, operation %d", i, rows[i].op);
		}
		EXPECT_TRUE(buf_eq(&m.term, &want));
		EXPECT_EQ(0, m.flags & ERLDIST_MSG_SIGNAL);
		fmt(&pid, "p", i == 6 ? &third : &from);
		if (rows[i].sender) {
			EXPECT_TRUE(buf_eq(&m.from, &pid)) {
				TH_LOG("row %zu", i);
			}
		} else {
			EXPECT_EQ(0, m.from.len);
		}
		buf_free(&rows[i].ctl);
	}
}

/* A message whose control message has a token with a label of that many bytes */
static void labelled(FIXTURE_DATA(frames) *self, struct buf *ctl, bool named, size_t size)
{
	struct epid from = wire_pid(&self->w, 66);
	uint8_t *label = calloc(1, size);
	DEFINE_BUF(token);

	fmt(&token, "{iBipi}", 1, label, size, 2, &from, 3);
	if (named)
		fmt(ctl, "{ipaat}", 16, &from, "", "svc", &token);
	else
		fmt(ctl, "{ippt}", 23, &from, &self->pid, &token);
	free(label);
}

static void with_label(struct __test_metadata *_metadata, FIXTURE_DATA(frames) *self,
		       bool parts, size_t label, size_t size)
{
	for (int named = 0; named < 2; named++) {
		DEFINE_BUF(msg);
		DEFINE_BUF(ctl);
		DEFINE_BUF(b);

		labelled(self, &ctl, named, label);
		pattern(&msg, label, size);
		if (parts)
			cut(&self->w, &b, label, &ctl, &msg, size / 2, size);
		else
			wire_frame(&self->w, &b, &ctl, &msg);
		ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
		ASSERT_TRUE(proc_expect(self->svc, &msg)) {
			TH_LOG("a label of %zu bytes, a message of %zu", label, size);
		}
	}
}

/* The label of a seq_trace token may be any term. */
TEST_F_TIMEOUT(frames, long_control_messages, 120)
{
	static const size_t label[] = { 1000, 4000, 5000, 8000, 16000, 30000 };
	static const size_t size[] = { 10, 6000, 20000, 100000 };

	for (size_t i = 0; i < ARRAY_SIZE(label); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(size); k++) {
			with_label(_metadata, self, false, label[i], size[k]);
			if (fragments(variant))
				with_label(_metadata, self, true, label[i], size[k]);
		}
	}
	/* They end where what is read at first does, too. */
	for (size_t i = 3400; i < 3900; i++)
		with_label(_metadata, self, false, i, 11000);
}

/* What is for nobody is dropped, and the connection stays */
TEST_F(frames, for_nobody)
{
	struct epid other = self->pid, old = self->pid, gone = self->pid;
	struct eref alias = { .node = "k@h", .creation = self->pid.creation,
			      .n = 4, .word = { 1, 2, 3, 4 } };
	struct epid from = wire_pid(&self->w, 66);
	struct node_info before, after;
	DEFINE_BUF(msg);
	DEFINE_BUF(ctl);

	ASSERT_EQ(0, node_info("k@h", &before));
	snprintf(other.node, sizeof(other.node), "else@h");
	old.creation ^= 0x1000;
	gone.id += 1000;
	term(&msg, "a", "hello");
	ASSERT_EQ(0, wire_pid_send(&self->w, &other, &msg));
	ASSERT_EQ(0, wire_pid_send(&self->w, &old, &msg));
	ASSERT_EQ(0, wire_pid_send(&self->w, &gone, &msg));
	ASSERT_EQ(0, wire_reg_send(&self->w, "nobody", &msg));
	fmt(&ctl, "{ipr}", OP_ALIAS_SEND, &from, &alias);
	ASSERT_EQ(0, wire_send(&self->w, &ctl, &msg));
	ctl.len = 0;
	fmt(&ctl, "{iipr}", OP_ALTACT_SIG_SEND, 4, &from, &alias);
	ASSERT_EQ(0, wire_send(&self->w, &ctl, &msg));
	term(&msg, "a", "last");
	ASSERT_EQ(0, wire_reg_send(&self->w, "svc", &msg));
	EXPECT_TRUE(proc_expect(self->svc, &msg));
	ASSERT_EQ(0, node_info("k@h", &after));
	EXPECT_LE(before.no_receiver + 3, after.no_receiver);
}

/* Requests that this node does not serve get an answer or none, and no close */
TEST_F(frames, not_served)
{
	struct epid from = wire_pid(&self->w, 66), to;
	struct eref ref = { .node = "w@h", .creation = self->w.creation, .n = 3,
			    .word = { 1, 2, 3 } }, got;
	char result[512];
	int64_t flags;
	DEFINE_BUF(ctl);
	DEFINE_BUF(args);
	DEFINE_FRAME(f);

	fmt(&ctl, "{ipp}", 7, &from, &self->pid);
	ASSERT_EQ(0, wire_send(&self->w, &ctl, NULL));
	ctl.len = 0;
	fmt(&ctl, "{irpp{aai}[]}", 29, &ref, &from, &from, "os", "cmd", 1);
	ASSERT_EQ(0, wire_send(&self->w, &ctl, fmt(&args, "[b]", "ls")));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_LT(0, scan(f.ctl.p, f.ctl.len, "{_rpia}", &got, &to, &flags, result));
	EXPECT_EQ(31, frame_op(&f));
	EXPECT_TRUE(ref_eq(&ref, &got));
	EXPECT_TRUE(pid_eq(&from, &to));
	EXPECT_EQ(0, flags);
	EXPECT_STREQ("notsup", result);
}

/* How a message to an alias travels depends on what the peer knows */
TEST_F(frames, to_an_alias)
{
	static const struct {
		uint64_t without;
		int op;
	} rows[] = {
		{ 0, OP_ALTACT_SIG_SEND },
		{ 1ULL << 37, OP_ALIAS_SEND },
		{ 1ULL << 37 | 1ULL << 35, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct eref alias = { .creation = 0x11223344, .n = 3,
				      .word = { 1, 2, 3 } };
		struct epid to;
		struct wire w;
		DEFINE_BUF(d);
		DEFINE_BUF(msg);
		DEFINE_FRAME(f);

		wire_init(&w, -1, "alias@h");
		snprintf(alias.node, sizeof(alias.node), "alias@h");
		w.flags = variant->flags & ~rows[i].without;
		ASSERT_EQ(0, wire_connect(&w, self->node, variant->carrier,
					  ERLDIST_ROLE_ACCEPTOR));
		term(&msg, "{ai}", "alias", (int)i);
		ASSERT_EQ(msg.len, proc_send(self->svc, fmt(&d, "r", &alias), &msg));
		to = wire_pid(&w, 5);
		term(&d, "p", &to);
		ASSERT_EQ(d.len, proc_send(self->svc, &d, &d));
		ASSERT_EQ(0, wire_recv(&w, &f, WAIT_MS));
		if (rows[i].op) {
			EXPECT_EQ(rows[i].op, frame_op(&f));
			EXPECT_TRUE(buf_eq(&f.msg, &msg));
			ASSERT_EQ(0, wire_recv(&w, &f, WAIT_MS));
		}
		EXPECT_EQ(OP_SEND_SENDER, frame_op(&f));
		wire_close(&w);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	}
}

/* What leaves for peers that know less */
TEST_F(frames, older_operations)
{
	struct epid to;
	struct wire w;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_FRAME(f);

	wire_init(&w, -1, "old@h");
	w.flags = variant->flags & ~0x80000ULL;
	ASSERT_EQ(0, wire_connect(&w, self->node, variant->carrier,
				  ERLDIST_ROLE_INITIATOR));
	to = wire_pid(&w, 5);
	term(&msg, "a", "hello");
	ASSERT_EQ(msg.len, proc_send(self->svc, fmt(&d, "p", &to), &msg));
	ASSERT_EQ(0, wire_recv(&w, &f, WAIT_MS));
	EXPECT_EQ(OP_SEND, frame_op(&f));
	EXPECT_TRUE(buf_eq(&f.msg, &msg));
	term(&d, "{aa}", "them", "old@h");
	ASSERT_EQ(msg.len, proc_send(self->svc, &d, &msg));
	ASSERT_EQ(0, wire_recv(&w, &f, WAIT_MS));
	EXPECT_EQ(OP_REG_SEND, frame_op(&f));
	d.len = 0;
	fmt(&d, "{ipaa}", OP_REG_SEND, &self->pid, "", "them");
	EXPECT_TRUE(buf_eq(&f.ctl, &d));
}

/* Fragments in a device's memory are not read: the connection ends. */
TEST(device_memory)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	struct peer_info peer;
	struct wire w;
	int n, svc;
	DEFINE_BUF(msg);

	SETUP_ERLDIST();
	n = node("k@h");
	svc = proc("svc", NULL);
	ASSERT_EQ(0, wire_up(&w, n));
	ASSERT_EQ(0, getpeername(w.fd, (struct sockaddr *)&in, &len));
	if (run_command("modprobe -q erldist_test_unreadable port=%u", ntohs(in.sin_port)))
		SKIP(return, "no module erldist_test_unreadable for this kernel");
	EXPECT_EQ(0, wire_reg_send(&w, "svc", pattern(&msg, 1, 5000)));
	EXPECT_EQ(0, node_wait(n, ERLDIST_PENDING_DOWN, &peer));
	EXPECT_EQ(ERLDIST_REASON_RECEIVE_ERROR, peer.reason);
	EXPECT_EQ(0, poll_now(svc) & POLLIN);
	EXPECT_EQ(0, run_command("rmmod erldist_test_unreadable"));
}

/* Nor is a reason to close a connection an errno, whatever its value. */
TEST(reason_with_the_value_of_an_errno)
{
	struct peer_info peer;
	struct epid from, to;
	struct wire w;
	int n;
	DEFINE_BUF(ctl);

	SETUP_ERLDIST();
	n = node("k@h");
	proc_self(proc("svc", NULL), &to);
	ASSERT_EQ(0, wire_up(&w, n));
	from = wire_pid(&w, 1);
	if (run_command("modprobe -q erldist_test_reason value=%u", EAGAIN))
		SKIP(return, "no module erldist_test_reason for this kernel");
	EXPECT_EQ(0, wire_send(&w, term(&ctl, "{ipp}", OP_LINK, &from, &to), NULL));
	EXPECT_EQ(0, node_wait(n, ERLDIST_PENDING_DOWN, &peer));
	EXPECT_EQ(EAGAIN, peer.reason);
	EXPECT_EQ(0, run_command("rmmod erldist_test_reason"));
}

TEST_HARNESS_MAIN
