// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handshakes that succeed and handshakes that are broken, over each carrier
 * and in both roles: every failure is a clean close, counted, with its reason.
 */
#include "kselftest_harness.h"
#include "wire_peer.h"

#define MANDATORY_25	0x01070F94ULL
#define MANDATORY	(MANDATORY_25 | 1ULL << 34 | 0x2000000)
#define DIGEST_25	0x4000000ULL

FIXTURE(handshake) {
	int node;
	uint64_t failed;	/* handshakes that had failed at last look */
	struct wire w;
};

FIXTURE_VARIANT(handshake) {
	enum carrier carrier;
	int role;
};

FIXTURE_VARIANT_ADD(handshake, acceptor_tcp4) {
	.carrier = CARRIER_TCP4,
	.role = ERLDIST_ROLE_ACCEPTOR,
};

FIXTURE_VARIANT_ADD(handshake, acceptor_tcp6) {
	.carrier = CARRIER_TCP6,
	.role = ERLDIST_ROLE_ACCEPTOR,
};

FIXTURE_VARIANT_ADD(handshake, acceptor_unix) {
	.carrier = CARRIER_UNIX,
	.role = ERLDIST_ROLE_ACCEPTOR,
};

FIXTURE_VARIANT_ADD(handshake, initiator_tcp4) {
	.carrier = CARRIER_TCP4,
	.role = ERLDIST_ROLE_INITIATOR,
};

FIXTURE_VARIANT_ADD(handshake, initiator_tcp6) {
	.carrier = CARRIER_TCP6,
	.role = ERLDIST_ROLE_INITIATOR,
};

FIXTURE_VARIANT_ADD(handshake, initiator_unix) {
	.carrier = CARRIER_UNIX,
	.role = ERLDIST_ROLE_INITIATOR,
};

FIXTURE_SETUP(handshake)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	wire_init(&self->w, -1, "w@h");
	self->failed = 0;
}

FIXTURE_TEARDOWN(handshake)
{
}

/* Hand over one end of a stream; w has the other one */
static int start_once(int node, struct wire *w, enum carrier over, int role)
{
	int sv[2], err;

	stream_pair(over, sv);
	w->fd = sv[1];
	err = node_channel(node, &(struct channel){
		.fd = sv[0], .role = role,
		.peer = role == ERLDIST_ROLE_INITIATOR ? "w@h" : NULL });
	close(sv[0]);
	return err;
}

/* An attempt that failed is counted a moment before the next one may be made. */
static int start(int node, struct wire *w, enum carrier over, int role)
{
	uint64_t end = now_ms() + WAIT_MS;
	int err;

	for (;;) {
		err = start_once(node, w, over, role);
		if (err != -EALREADY || now_ms() >= end)
			return err;
		close(w->fd);
		sleep_ms(1);
	}
}

/* Messages that the peer of a kernel in this role sends */
static int messages(int role)
{
	return role == ERLDIST_ROLE_ACCEPTOR ? 2 : 3;
}

/*
 * Message i of the peer into b, after reading what the kernel sends before it.
 * False when the kernel did not send that.
 */
static bool message(struct wire *w, int role, int i, struct buf *b)
{
	DEFINE_BUF(in);

	b->len = 0;
	if (role == ERLDIST_ROLE_ACCEPTOR && i == 0) {
		hs_name(w, b);
	} else if (role == ERLDIST_ROLE_ACCEPTOR) {
		if (hs_recv(w, &in, WAIT_MS) || !hs_is_status(&in, "ok") ||
		    hs_recv(w, &in, WAIT_MS) || !hs_take_challenge(w, &in))
			return false;
		hs_reply(w, b);
	} else if (i == 0) {
		if (hs_recv(w, &in, WAIT_MS) || !hs_take_name(w, &in))
			return false;
		hs_status(b, "ok");
	} else if (i == 1) {
		hs_challenge(w, b);
	} else {
		if (hs_recv(w, &in, WAIT_MS) || !hs_take_reply(w, &in))
			return false;
		hs_ack(w, b);
	}
	return true;
}

/* Do the first n messages of the handshake */
static bool run_until(struct wire *w, int role, int n)
{
	DEFINE_BUF(b);

	for (int i = 0; i < n; i++)
		if (!message(w, role, i, &b) || hs_send(w, &b))
			return false;
	return true;
}

/* One more handshake failed; its reason, or -1 when that does not come */
static int next_failure(int node, uint64_t *failed)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info p;
	struct node_info i;

	do {
		if (node_info("k@h", &i))
			return -1;
		if (i.handshakes_failed == *failed + 1) {
			(*failed)++;
			while (!node_event(node, &p, 0))
				;
			return i.last_reason;
		}
		if (i.handshakes_failed > *failed)
			return -1;
		sleep_ms(2);
	} while (now_ms() < end);
	return -1;
}

/* The peer's end saw the stream end, and the failure was counted */
#define EXPECT_FAILURE(reason)						\
	do {								\
		EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));		\
		EXPECT_EQ(reason, next_failure(self->node, &self->failed)); \
		close(self->w.fd);					\
	} while (0)

#define START()								\
	ASSERT_EQ(0, start(self->node, &self->w, variant->carrier, variant->role))

#define RUN_UNTIL(n)							\
	ASSERT_TRUE(run_until(&self->w, variant->role, n))

TEST_F(handshake, succeeds)
{
	struct peer_info i;
	struct wire *w = &self->w;
	int p = proc("svc", NULL);
	DEFINE_BUF(hello);

	w->fd = -1;
	ASSERT_EQ(0, start(self->node, w, variant->carrier, variant->role));
	ASSERT_EQ(0, variant->role == ERLDIST_ROLE_INITIATOR ? wire_accept(w) :
							       wire_initiate(w));
	EXPECT_STREQ("k@h", w->peer_name);
	EXPECT_EQ(DEFAULT_FLAGS, w->peer_flags);

	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_STREQ("w@h", i.name);
	EXPECT_STREQ("k@h", i.node);
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	EXPECT_EQ(w->creation, i.creation);
	EXPECT_EQ(w->flags & w->peer_flags, i.flags);
	EXPECT_NE(0, i.connection);

	ASSERT_EQ(0, wire_reg_send(w, "svc", term(&hello, "{ab}", "hello", "x")));
	EXPECT_TRUE(proc_expect(p, &hello));
}

/* Each message cut at each byte, then the end of the stream */
TEST_F_TIMEOUT(handshake, truncated, 240)
{
	struct wire *w = &self->w;
	size_t cut, len;

	for (int i = 0; i < messages(variant->role); i++) {
		for (cut = 0, len = 1; cut < len; cut++) {
			bool ack = variant->role == ERLDIST_ROLE_INITIATOR && i == 2;
			int reason;
			DEFINE_BUF(b);
			DEFINE_BUF(framed);

			START();
			RUN_UNTIL(i);
			ASSERT_TRUE(message(w, variant->role, i, &b));
			buf_be16(&framed, b.len);
			buf_add(&framed, b.p, b.len);
			len = framed.len;
			ASSERT_EQ(0, wire_write(w, framed.p, cut));
			shutdown(w->fd, SHUT_WR);
			EXPECT_TRUE(wire_ends(w, WAIT_MS));
			reason = next_failure(self->node, &self->failed);
			EXPECT_EQ(ack ? ERLDIST_REASON_CLOSED_AFTER_PROOF :
				  ERLDIST_REASON_CONNECTION_CLOSED, reason) {
				TH_LOG("message %d cut at byte %zu", i, cut);
			}
			close(w->fd);
		}
	}
}

/* The same messages, complete, one byte at a time */
TEST_F(handshake, byte_by_byte)
{
	struct wire *w = &self->w;
	DEFINE_BUF(b);

	START();
	for (int i = 0; i < messages(variant->role); i++) {
		uint8_t len[2];

		ASSERT_TRUE(message(w, variant->role, i, &b));
		len[0] = b.len >> 8;
		len[1] = b.len;
		ASSERT_EQ(0, wire_write(w, len, 1));
		ASSERT_EQ(0, wire_write(w, len + 1, 1));
		for (size_t at = 0; at < b.len; at++)
			ASSERT_EQ(0, wire_write(w, b.p + at, 1));
	}
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
}

TEST_F(handshake, wrong_digest)
{
	struct wire *w = &self->w;
	int last = messages(variant->role) - 1;
	DEFINE_BUF(b);

	START();
	RUN_UNTIL(last);
	ASSERT_TRUE(message(w, variant->role, last, &b));
	b.p[b.len - 1] ^= 1;
	ASSERT_EQ(0, hs_send(w, &b));
	if (variant->role == ERLDIST_ROLE_ACCEPTOR) {
		EXPECT_EQ(-EPIPE, hs_recv(w, &b, WAIT_MS)) {
			TH_LOG("nothing is said about a wrong digest");
		}
	}
	EXPECT_FAILURE(ERLDIST_REASON_BAD_DIGEST);
}

/* A digest that is the peer's own, sent back to it */
TEST_F(handshake, reflected_challenge)
{
	struct wire *w = &self->w;
	int reason;
	DEFINE_BUF(b);

	if (variant->role != ERLDIST_ROLE_ACCEPTOR)
		SKIP(return, "the acceptor proves last");
	START();
	RUN_UNTIL(1);
	ASSERT_EQ(0, hs_recv(w, &b, WAIT_MS));
	ASSERT_EQ(0, hs_recv(w, &b, WAIT_MS));
	ASSERT_TRUE(hs_take_challenge(w, &b));
	w->cookie = "a guess";
	w->challenge = w->peer_challenge;
	b.len = 0;
	hs_reply(w, &b);
	ASSERT_EQ(0, hs_send(w, &b));
	EXPECT_TRUE(wire_ends(w, WAIT_MS));
	reason = next_failure(self->node, &self->failed);
	EXPECT_TRUE(reason == ERLDIST_REASON_BAD_DIGEST ||
		    reason == ERLDIST_REASON_BAD_HANDSHAKE) {
		TH_LOG("reason %d", reason);
	}
}

TEST_F(handshake, closed_after_proof)
{
	struct peer_info i;
	DEFINE_BUF(proof);

	if (variant->role != ERLDIST_ROLE_INITIATOR)
		SKIP(return, "only an initiator has to guess");
	START();
	RUN_UNTIL(2);
	ASSERT_EQ(0, hs_recv(&self->w, &proof, WAIT_MS));
	close(self->w.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_EQ(ERLDIST_REASON_CLOSED_AFTER_PROOF, i.reason);
	EXPECT_STREQ("w@h", i.name);
	EXPECT_EQ(1, i.failed);
}

/* The peer's name, where it tells it, is this one */
static int with_name(int node, struct wire *w, enum carrier over, int role,
		     const char *name, size_t claimed)
{
	DEFINE_BUF(b);
	int err = start(node, w, over, role);
	size_t at;

	if (err || !run_until(w, role, role == ERLDIST_ROLE_INITIATOR))
		return -1;
	snprintf(w->name, sizeof(w->name), "%s", name);
	if (role == ERLDIST_ROLE_INITIATOR)
		hs_challenge(w, &b);
	else
		hs_name(w, &b);
	at = b.len - strlen(w->name);
	b.p[at - 2] = claimed >> 8;
	b.p[at - 1] = claimed;
	snprintf(w->name, sizeof(w->name), "w@h");
	return hs_send(w, &b);
}

TEST_F(handshake, wrong_name)
{
	static const char * const names[] = {
		"wh", "@h", "w@", "w@h@h", "w w@h", "w@h\n", "w\x01@h", "",
	};
	bool initiator = variant->role == ERLDIST_ROLE_INITIATOR;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ASSERT_EQ(0, with_name(self->node, &self->w, variant->carrier,
				       variant->role, names[i], strlen(names[i])));
		EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
		int reason = next_failure(self->node, &self->failed);

		EXPECT_TRUE(reason == ERLDIST_REASON_BAD_NAME ||
			    reason == ERLDIST_REASON_BAD_HANDSHAKE ||
			    (initiator && reason == ERLDIST_REASON_WRONG_NAME)) {
			TH_LOG("name '%s': reason %d", names[i], reason);
		}
		close(self->w.fd);
	}
	if (initiator) {
		ASSERT_EQ(0, with_name(self->node, &self->w, variant->carrier,
				       variant->role, "x@h", 3));
		EXPECT_FAILURE(ERLDIST_REASON_WRONG_NAME);
	}
}

TEST_F(handshake, length_of_the_name)
{
	char name[300];
	int reason;

	memset(name, 'n', sizeof(name));
	name[100] = '@';
	name[256] = 0;
	ASSERT_EQ(0, with_name(self->node, &self->w, variant->carrier,
			       variant->role, name, 256));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	reason = next_failure(self->node, &self->failed);
	EXPECT_TRUE(reason == ERLDIST_REASON_BAD_NAME ||
		    reason == ERLDIST_REASON_WRONG_NAME ||
		    reason == ERLDIST_REASON_BAD_HANDSHAKE) {
		TH_LOG("256 characters: reason %d", reason);
	}
	/* longer than what is there */
	ASSERT_EQ(0, with_name(self->node, &self->w, variant->carrier,
			       variant->role, "w@h", 4));
	EXPECT_FAILURE(ERLDIST_REASON_BAD_HANDSHAKE);
	ASSERT_EQ(0, with_name(self->node, &self->w, variant->carrier,
			       variant->role, "w@h", 65535));
	EXPECT_FAILURE(ERLDIST_REASON_BAD_HANDSHAKE);

	/* the longest that there is */
	name[255] = 0;
	self->w.fd = -1;
	snprintf(self->w.name, sizeof(self->w.name), "%s", name);
	EXPECT_EQ(0, wire_connect(&self->w, self->node, variant->carrier,
				  variant->role));
}

TEST_F(handshake, bytes_behind_the_name_are_ignored)
{
	struct wire *w = &self->w;
	int i = variant->role == ERLDIST_ROLE_INITIATOR;
	DEFINE_BUF(b);

	START();
	RUN_UNTIL(i);
	ASSERT_TRUE(message(w, variant->role, i, &b));
	buf_add(&b, "more", 4);
	ASSERT_EQ(0, hs_send(w, &b));
	for (i++; i < messages(variant->role); i++) {
		ASSERT_TRUE(message(w, variant->role, i, &b));
		ASSERT_EQ(0, hs_send(w, &b));
	}
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
}

/* Whole messages that are not what has to come */
TEST_F(handshake, wrong_message)
{
	static const char * const bad[] = {
		"", "00", "4e", "6e 00 05 00 00 00 00", "72 00 00 00 00",
		"61", "63 00 00 00 00 00 00 00 00", "53", "4e 00 00 00 00 00",
	};

	for (int i = 0; i < messages(variant->role); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			int reason;
			DEFINE_BUF(b);

			START();
			RUN_UNTIL(i);
			ASSERT_EQ(0, hs_send(&self->w, buf_hex(&b, bad[j])));
			EXPECT_TRUE(wire_ends(&self->w, WAIT_MS)) {
				TH_LOG("message %d is '%s'", i, bad[j]);
			}
			reason = next_failure(self->node, &self->failed);
			EXPECT_TRUE(reason == ERLDIST_REASON_BAD_HANDSHAKE ||
				    reason == ERLDIST_REASON_BAD_STATUS) {
				TH_LOG("message %d is '%s': reason %d", i,
				       bad[j], reason);
			}
			close(self->w.fd);
		}
	}
}

TEST_F(handshake, longest_length_field)
{
	for (int i = 0; i < messages(variant->role); i++) {
		START();
		RUN_UNTIL(i);
		ASSERT_EQ(0, wire_write(&self->w, "\xff\xff", 2));
		EXPECT_TRUE(wire_ends(&self->w, WAIT_MS)) {
			TH_LOG("a length is refused before its bytes came");
		}
		EXPECT_EQ(ERLDIST_REASON_BAD_HANDSHAKE,
			  next_failure(self->node, &self->failed));
		close(self->w.fd);
	}
}

static void with_flags(struct __test_metadata *_metadata,
		       FIXTURE_DATA(handshake) *self,
		       const FIXTURE_VARIANT(handshake) *variant, uint64_t flags)
{
	struct wire *w = &self->w;
	DEFINE_BUF(b);

	w->flags = flags;
	START();
	RUN_UNTIL(variant->role == ERLDIST_ROLE_INITIATOR);
	if (variant->role == ERLDIST_ROLE_INITIATOR) {
		hs_challenge(w, &b);
		ASSERT_EQ(0, hs_send(w, &b));
	} else {
		hs_name(w, &b);
		ASSERT_EQ(0, hs_send(w, &b));
		ASSERT_EQ(0, hs_recv(w, &b, WAIT_MS));
		EXPECT_TRUE(hs_is_status(&b, "not_allowed"));
	}
	EXPECT_FAILURE(ERLDIST_REASON_MISSING_FLAGS);
}

TEST_F_TIMEOUT(handshake, missing_flags, 60)
{
	for (int bit = 0; bit < 64; bit++) {
		uint64_t flag = 1ULL << bit;

		if (!(MANDATORY & flag))
			continue;
		/* the digest flag stands for those of OTP 25 */
		with_flags(_metadata, self, variant,
			   (DEFAULT_FLAGS & ~flag) &
			   ~(MANDATORY_25 & flag ? DIGEST_25 : 0));
	}
	with_flags(_metadata, self, variant, 0);
}

TEST_F(handshake, flags_that_suffice)
{
	static const uint64_t flags[] = {
		MANDATORY, DIGEST_25 | 1ULL << 34 | 0x2000000,
		~0ULL & ~0x2040ULL & ~(1ULL << 33), 0x6D07DF7FBC & ~0x2000,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct peer_info p;

		wire_init(&self->w, -1, "w@h");
		self->w.flags = flags[i];
		ASSERT_EQ(0, wire_connect(&self->w, self->node, variant->carrier,
					  variant->role)) {
			TH_LOG("flags %llx", (unsigned long long)flags[i]);
		}
		close(self->w.fd);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &p));
		EXPECT_EQ(ERLDIST_REASON_CONNECTION_CLOSED, p.reason);
	}
}

/* As a node that halts with something unread does it */
TEST_F(handshake, a_reset_is_a_close)
{
	struct linger at_once = { .l_onoff = 1 };
	struct peer_info p;

	ASSERT_EQ(0, wire_connect(&self->w, self->node, variant->carrier, variant->role));
	setsockopt(self->w.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(self->w.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &p));
	EXPECT_EQ(ERLDIST_REASON_CONNECTION_CLOSED, p.reason);
	EXPECT_STREQ("w@h", p.name);
}

TEST_F_TIMEOUT(handshake, silence, 60)
{
	struct erldist_ticktime t = { .setup = 1000 };
	uint64_t begin;

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	for (int i = 0; i < messages(variant->role); i++) {
		begin = now_ms();
		START();
		RUN_UNTIL(i);
		EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
		EXPECT_GE(now_ms() - begin, 900);
		/* not the default */
		EXPECT_LE(now_ms() - begin, 6000) {
			TH_LOG("silent instead of message %d", i);
		}
		EXPECT_EQ(ERLDIST_REASON_SETUP_TIMEOUT,
			  next_failure(self->node, &self->failed));
		close(self->w.fd);
	}
}

/* The time is for one step, and a byte now and then does not stretch it */
TEST_F_TIMEOUT(handshake, dribble, 60)
{
	struct erldist_ticktime t = { .setup = 1000 };
	struct wire *w = &self->w;
	uint64_t begin = now_ms();
	DEFINE_BUF(b);

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	START();
	ASSERT_TRUE(message(w, variant->role, 0, &b));
	for (int i = 0; i < 100 && !poll_for(w->fd, POLLRDHUP, 0); i++) {
		wire_write(w, "\0", 1);
		sleep_ms(200);
		if (i == 0)
			wire_write(w, "\x7f", 1);
	}
	EXPECT_LE(now_ms() - begin, 6000);
	EXPECT_NE(-1, next_failure(self->node, &self->failed));
}

TEST_HARNESS_MAIN
