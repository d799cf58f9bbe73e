// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile peers, beside a process and a peer that must not notice. What must follow, and what
 * it may cost, is in Documentation/hostile.md; so are the cases that other tests show.
 */
#include "kselftest_harness.h"
#include "wire_peer.h"

#define OTHERS_MS	2000	/* in which others are served during an attack */
#define MB		(1 << 20)

/* A node, and a process and a peer that an attack must not disturb */
struct scene {
	int node;
	int svc;
	struct epid pid;	/* of svc */
	struct wire good;
	uint64_t connection;	/* of good */
};

static void scene_begin(struct scene *s)
{
	struct peer_info i;

	s->node = node("k@h");
	s->svc = proc("svc", NULL);
	proc_self(s->svc, &s->pid);
	if (wire_up_as(&s->good, s->node, "good@h") || peer_get("k@h", "good@h", &i))
		die("the good peer");
	s->connection = i.connection;
}

/* A message of the other peer arrives in time, and its connection is the same as before. */
static bool undisturbed(struct scene *s)
{
	uint64_t begin = now_ms(), took;
	struct peer_info i;
	static int n;
	DEFINE_BUF(b);

	if (wire_reg_send(&s->good, "svc", term(&b, "{ai}", "still", ++n)) ||
	    !proc_expect(s->svc, &b) || peer_get("k@h", "good@h", &i))
		return false;
	took = now_ms() - begin;
	if (took > OTHERS_MS)
		fprintf(stderr, "# others waited %llu ms\n", (unsigned long long)took);
	return took <= OTHERS_MS && i.state == ERLDIST_PEER_STATE_UP &&
	       i.connection == s->connection;
}

static struct buf *binary(struct buf *b, size_t size)
{
	b->len = 0;
	buf_u8(b, 109);
	buf_be32(b, size);
	memset(buf_grow(b, size), 'x', size);
	return b;
}

static int set_times(int node, uint32_t ticktime, uint32_t setup)
{
	struct erldist_ticktime t = { .ticktime = ticktime, .intensity = 4, .setup = setup };

	return setsockopt(node, SOL_ERLDIST, ERLDIST_TICKTIME, &t, sizeof(t)) ? -errno : 0;
}

static int set_pool(int node, size_t pool, size_t message, uint32_t stall)
{
	struct erldist_limits l;
	int err = node_limits(node, &l);

	l.mailbox_pool = pool;
	l.max_message = message;
	l.stall = stall;
	return err ? err : node_set_limits(node, &l);
}

/* Bytes in the pool, once they are so many, or after a wait */
static uint64_t pool_of(const char *node, uint64_t at_least)
{
	uint64_t end = now_ms() + 3000;
	struct node_info i;

	do {
		if (node_info(node, &i))
			return ~0ULL;
		sleep_ms(10);
	} while (i.pool_used < at_least && now_ms() < end);
	return i.pool_used;
}

/* Wait until the stream of w ends and the peer is down: the reason, or -1 */
static int down_reason(int node, struct wire *w)
{
	struct peer_info i;

	if (!wire_ends(w, WAIT_MS))
		return -1;
	close(w->fd);
	w->fd = -1;
	do {
		if (node_wait(node, ERLDIST_PENDING_DOWN, &i))
			return -1;
	} while (strcmp(i.name, w->name));
	return i.reason;
}

/* The keeper reads all events. */
static void drain(int node)
{
	struct peer_info i;

	while (!node_event(node, &i, 0))
		;
}

/* Close the stream of w, and wait until the peer is down */
static int drop(int node, struct wire *w)
{
	struct peer_info i;

	wire_close(w);
	do {
		if (node_wait(node, ERLDIST_PENDING_DOWN, &i))
			return -1;
	} while (strcmp(i.name, w->name));
	return 0;
}

/* Peers without the cookie */

FIXTURE(stranger) {
	struct scene s;
	struct node_info before;
};

FIXTURE_SETUP(stranger)
{
	SETUP_ERLDIST();
	scene_begin(&self->s);
	ASSERT_EQ(0, node_info("k@h", &self->before));
}

FIXTURE_TEARDOWN(stranger)
{
}

#define HANDSHAKES	64	/* limit of a node that sets none */

/* Three ways to be half open: silent, a whole name, a part of a name */
static int half_open(int node, int n)
{
	struct linger reset = { .l_onoff = 1 };
	struct wire w;
	char name[32];
	int sv[2], err;
	DEFINE_BUF(b);

	snprintf(name, sizeof(name), "n%d@h", n);
	stream_pair(CARRIER_TCP4, sv);
	wire_init(&w, sv[1], name);
	hs_name(&w, &b);
	if (n % 3 == 1)
		hs_send(&w, &b);
	else if (n % 3 == 2)
		wire_write(&w, "\0\x13N", 3);
	err = node_accept(node, sv[0], n);
	close(sv[0]);
	setsockopt(sv[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (!err)
		return sv[1];
	close(sv[1]);
	return err;
}

/* Close the streams that have ended; returns how many are left */
static int sift(int *fd, int n)
{
	int left = 0;

	for (int i = 0; i < n; i++) {
		if (poll_for(fd[i], POLLRDHUP, 0))
			close(fd[i]);
		else
			fd[left++] = fd[i];
	}
	return left;
}

static bool all_failed(uint64_t count)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct node_info i;

	do {
		if (node_info("k@h", &i))
			return false;
		sleep_ms(5);
	} while ((i.handshakes || i.handshakes_failed < count) && now_ms() < end);
	return !i.handshakes && i.handshakes_failed == count;
}

TEST_F_TIMEOUT(stranger, half_open_connections, 300)
{
	int far[4 * HANDSHAKES], n, open = 0, count = whole(10000), refused = 0;
	struct node_info i;
	struct wire w;
	long used = 0;

	ASSERT_EQ(0, set_times(self->s.node, 60000, 5 * WAIT_MS));
	for (n = 0; n < count; n++) {
		int fd = half_open(self->s.node, n);

		/* Twice the limit are open or about to end. */
		if (fd == -EUSERS) {
			refused++;
			sleep_ms(1);
			continue;
		}
		ASSERT_LE(0, fd);
		far[open++] = fd;
		if (n % HANDSHAKES && open < ARRAY_SIZE(far))
			continue;
		open = sift(far, open);
		ASSERT_GT(ARRAY_SIZE(far), open);
		ASSERT_EQ(0, node_info("k@h", &i));
		ASSERT_GE(2 * HANDSHAKES, i.handshakes);
		drain(self->s.node);
		if (!used && n >= 4 * HANDSHAKES)
			used = memory_used();
		if (n % (16 * HANDSHAKES) == 0)
			ASSERT_TRUE(undisturbed(&self->s));
	}
	/* With a count too small to reach the limit well, there is no growth to see. */
	if (used) {
		EXPECT_GT(8 * MB, memory_used() - used) {
			TH_LOG("%ld kB more", (memory_used() - used) >> 10);
		}
	}
	/* A peer with the cookie connects. */
	drain(self->s.node);
	ASSERT_EQ(0, wire_up_as(&w, self->s.node, "w@h"));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(ERLDIST_REASON_LIMIT, i.last_reason);
	TH_LOG("%d handed over, %d refused, %d open", count - refused, refused, i.handshakes);
	while (open)
		close(far[--open]);
	EXPECT_TRUE(all_failed(self->before.handshakes_failed + count - refused));
	EXPECT_TRUE(undisturbed(&self->s));
}

/* w dials k@h and tells its name; b is the status that it gets */
static int dial(int node, struct wire *w, struct buf *b)
{
	int sv[2], err;

	stream_pair(CARRIER_TCP4, sv);
	w->fd = sv[1];
	err = node_accept(node, sv[0], 1);
	close(sv[0]);
	b->len = 0;
	hs_name(w, b);
	if (!err)
		err = hs_send(w, b);
	return err ? err : hs_recv(w, b, WAIT_MS);
}

/* A handshake under a name of its own that ends after the status */
static int introduce(int node, int n)
{
	struct wire w;
	char name[256];
	DEFINE_BUF(b);
	int err;

	memset(name, 'n', sizeof(name));
	snprintf(name + 200, 50, "%d@h", n);
	wire_init(&w, -1, name);
	err = dial(node, &w, &b);
	if (!err && !hs_is_status(&b, "ok"))
		err = -EPROTO;
	close(w.fd);
	return err;
}

/* Each under another name: the node forgets them. */
TEST_F_TIMEOUT(stranger, names, 120)
{
	int count = whole(1000);
	uint64_t end;
	struct node_info i;

	for (int n = 0; n < count; n++) {
		ASSERT_EQ(0, introduce(self->s.node, n));
		drain(self->s.node);
	}
	EXPECT_TRUE(all_failed(self->before.handshakes_failed + count));
	drain(self->s.node);
	end = now_ms() + WAIT_MS;
	do {
		ASSERT_EQ(0, node_info("k@h", &i));
	} while (i.peers > self->before.peers && now_ms() < end);
	EXPECT_EQ(self->before.peers, i.peers);
	EXPECT_TRUE(undisturbed(&self->s));
}

#define PLACES	16

/* Strangers' names for all places of peers; the keeper reads each event. */
TEST_F(stranger, names_beside_others)
{
	struct erldist_limits l;
	struct wire w;
	int err;

	ASSERT_EQ(0, node_limits(self->s.node, &l));
	l.peers = PLACES;
	ASSERT_EQ(0, node_set_limits(self->s.node, &l));
	for (int n = 0; n < 2 * PLACES && !introduce(self->s.node, n); n++)
		drain(self->s.node);
	err = wire_up_as(&w, self->s.node, "w@h");
	EXPECT_EQ(0, err) {
		TH_LOG("names of strangers take all places of peers for a retry time");
	}
	EXPECT_TRUE(undisturbed(&self->s));
}

/* Another node with the cookie connects, where so many peers may be known. */
static int proven_at(int node, const char *name, unsigned int places)
{
	struct erldist_limits l;
	struct wire w;

	if (node_limits(node, &l))
		return -EINVAL;
	l.peers = places;
	return node_set_limits(node, &l) ?: wire_up_as(&w, node, name);
}

/* The keeper reads no event, so names are not forgotten: strangers have places of their own. */
TEST_F(stranger, names_and_a_keeper_that_does_not_read)
{
	struct erldist_limits l;
	struct node_info i;
	int p = proc(NULL, NULL);
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);

	ASSERT_EQ(0, node_limits(self->s.node, &l));
	l.peers = 64;
	ASSERT_EQ(0, node_set_limits(self->s.node, &l));
	for (int n = 0; n < 300; n++)
		introduce(self->s.node, n);
	ASSERT_EQ(0, node_info("k@h", &i));
	/* half of theirs, which are peers and twice handshakes */
	EXPECT_GE(1 + 32 + (int)l.handshakes + 1, (int)i.peers);
	EXPECT_LE(32 + (int)l.handshakes, (int)i.peers);
	EXPECT_LT(0, proc_send(p, fmt(&dest, "{aa}", "x", "near@h"), fmt(&msg, "a", "hello")));
	EXPECT_EQ(0, proven_at(self->s.node, "late@h", 64));
	EXPECT_TRUE(undisturbed(&self->s));
}

/* good@h is known: of two places one is free, and who comes has the cookie. */
TEST_F(stranger, last_place_for_the_cookie)
{
	struct node_info i;

	EXPECT_EQ(0, proven_at(self->s.node, "late@h", 2));
	EXPECT_NE(0, proven_at(self->s.node, "later@h", 2));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(2, i.peers_up);
}

/* Who asked and has gone does not come back as a peer of the keeper's. */
TEST_F(stranger, answer_about_one_that_has_gone)
{
	struct node_info i;
	char name[32];

	for (int n = 0; n < 20; n++) {
		snprintf(name, sizeof(name), "gone%d@h", n);
		EXPECT_EQ(-ENOENT, node_peer(self->s.node, ERLDIST_PEER_DENY, name, NULL, n + 1,
					     0));
	}
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(self->before.peers, i.peers);
}

/* A proof of the cookie holds for one challenge only. */
TEST_F(stranger, replay)
{
	struct node_info i;
	struct wire w;
	DEFINE_BUF(reply);
	DEFINE_BUF(b);

	wire_init(&w, -1, "w@h");
	ASSERT_EQ(0, dial(self->s.node, &w, &b));
	ASSERT_EQ(0, hs_recv(&w, &b, WAIT_MS));
	ASSERT_TRUE(hs_take_challenge(&w, &b));
	hs_reply(&w, &reply);
	ASSERT_EQ(0, hs_send(&w, &reply));
	ASSERT_EQ(0, hs_recv(&w, &b, WAIT_MS));
	EXPECT_TRUE(hs_take_ack(&w, &b));
	ASSERT_EQ(0, node_wait(self->s.node, ERLDIST_PENDING_UP, NULL));
	ASSERT_EQ(0, drop(self->s.node, &w));
	for (int n = 1; n <= 10; n++) {
		ASSERT_EQ(0, dial(self->s.node, &w, &b));
		ASSERT_EQ(0, hs_recv(&w, &b, WAIT_MS));
		ASSERT_EQ(0, hs_send(&w, &reply));
		EXPECT_EQ(-EPIPE, hs_recv(&w, &b, WAIT_MS));
		close(w.fd);
		EXPECT_TRUE(all_failed(self->before.handshakes_failed + n));
		ASSERT_EQ(0, node_info("k@h", &i));
		EXPECT_EQ(ERLDIST_REASON_BAD_DIGEST, i.last_reason);
	}
	EXPECT_TRUE(undisturbed(&self->s));
}

/* Peers with the cookie */

FIXTURE(peer) {
	struct scene s;
	struct wire w;
	struct epid from;	/* a process of w */
};

FIXTURE_SETUP(peer)
{
	SETUP_ERLDIST();
	scene_begin(&self->s);
	ASSERT_EQ(0, wire_up(&self->w, self->s.node));
	self->from = wire_pid(&self->w, 9);
}

FIXTURE_TEARDOWN(peer)
{
}

/* Frames */

static const char part[3][4] = { "\x6d\0", "\0\0\4", "abcd" };
static const int part_len[3] = { 2, 3, 4 };

/* The part of that number, 0 to 2, of sequence seq */
static void put_part(struct buf *b, uint64_t seq, const struct buf *ctl, int n)
{
	wire_fragment(b, n ? 70 : 69, seq, 3 - n, n ? NULL : ctl, part[n], part_len[n]);
}

TEST_F_TIMEOUT(peer, fragments_in_every_order, 120)
{
	DEFINE_BUF(ctl);

	fmt(&ctl, "{ipaa}", OP_REG_SEND, &self->from, "", "svc");
	for (int n = 0; n < 27; n++) {
		int order[3] = { n / 9, n / 3 % 3, n % 3 }, reason;
		bool right = order[0] == 0 && order[1] == 1 && order[2] == 2;
		DEFINE_BUF(b);

		for (int i = 0; i < 3; i++)
			put_part(&b, 7, &ctl, order[i]);
		ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
		if (right) {
			b.len = 0;
			EXPECT_TRUE(proc_expect(self->s.svc, fmt(&b, "b", "abcd")));
		} else {
			reason = down_reason(self->s.node, &self->w);
			EXPECT_EQ(ERLDIST_REASON_BAD_FRAGMENT, reason) {
				TH_LOG("parts %d, %d, %d", order[0], order[1], order[2]);
			}
			EXPECT_TRUE(pool_is_empty("k@h"));
			ASSERT_EQ(0, wire_up(&self->w, self->s.node));
		}
		ASSERT_TRUE(undisturbed(&self->s));
	}
}

TEST_F_TIMEOUT(peer, fragments_in_every_mix, 60)
{
	int mixes = 0;
	DEFINE_BUF(ctl);

	fmt(&ctl, "{ipaa}", OP_REG_SEND, &self->from, "", "svc");
	for (int mask = 0; mask < 64; mask++) {
		int at[2] = { 0, 0 };
		DEFINE_BUF(b);
		DEFINE_BUF(msg);

		if (__builtin_popcount(mask) != 3)
			continue;
		for (int i = 0; i < 6; i++) {
			int which = mask >> i & 1;

			put_part(&b, 1 + which, &ctl, at[which]++);
		}
		ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
		fmt(&msg, "b", "abcd");
		EXPECT_TRUE(proc_expect(self->s.svc, &msg));
		EXPECT_TRUE(proc_expect(self->s.svc, &msg));
		mixes++;
	}
	EXPECT_EQ(20, mixes);
	EXPECT_TRUE(undisturbed(&self->s));
	EXPECT_TRUE(pool_is_empty("k@h"));
}

/* Frames that stop in the length, the head, the tuple, the payload */
TEST_F_TIMEOUT(peer, half_a_frame, 60)
{
	static const int cuts[] = { 1, 3, 5, 12, 60, 5000, 99990 };
	struct wire w[ARRAY_SIZE(cuts)];
	uint64_t begin = now_ms();
	int left = ARRAY_SIZE(cuts);
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);
	DEFINE_BUF(msg);

	ASSERT_EQ(0, set_times(self->s.node, 5000, 0));
	ASSERT_EQ(0, drop(self->s.node, &self->w));
	fmt(&ctl, "{ipp}", OP_SEND_SENDER, &self->from, &self->s.pid);
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		char name[16];

		snprintf(name, sizeof(name), "cut%d@h", cuts[i]);
		ASSERT_EQ(0, wire_up_as(&w[i], self->s.node, name));
	}
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		b.len = 0;
		wire_frame(&w[i], &b, &ctl, binary(&msg, 100000));
		ASSERT_LT(cuts[i], b.len);
		ASSERT_EQ(0, wire_write(&w[i], b.p, cuts[i]));
	}
	while (left && now_ms() - begin < WAIT_MS) {
		struct peer_info i;

		EXPECT_TRUE(undisturbed(&self->s));
		if (node_event(self->s.node, &i, 200))
			continue;
		EXPECT_EQ(ERLDIST_REASON_NET_TICK_TIMEOUT, i.reason) {
			TH_LOG("%s", i.name);
		}
		left--;
	}
	EXPECT_EQ(0, left);
	EXPECT_TRUE(undisturbed(&self->s));
	EXPECT_TRUE(pool_is_empty("k@h"));
}

/* A node answers at most one tick between two of its own. */
TEST_F_TIMEOUT(peer, ticks, 60)
{
	int count = scaled(100000);
	uint8_t zeros[4000] = { 0 };

	for (int n = 0; n < count; n += sizeof(zeros) / 4)
		ASSERT_EQ(0, wire_write(&self->w, zeros, sizeof(zeros)));
	EXPECT_TRUE(undisturbed(&self->s));
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_GE(2, self->w.ticks);
}

/* Memory beyond the pool */

#define POOL		(2 * MB)
#define LONG		1000000
#define ALMOST		1040000		/* two of these leave no room for 50,000 more */

/* Sends @count first fragments, each of @size bytes, of exit/2 to a process that does not exist */
static int incomplete_reasons(struct wire *w, const struct epid *from, int count,
			      size_t size)
{
	struct epid to = { .id = 0xffffff };
	int err = 0;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(out);

	snprintf(to.node, sizeof(to.node), "%s", w->peer_name);
	to.creation = w->peer_creation;
	fmt(&ctl, "{ipp}", OP_PAYLOAD_EXIT2, from, &to);
	binary(&msg, size);
	for (int s = 1; s <= count && !err; s++) {
		out.len = 0;
		wire_fragment(&out, 69, s, 2, &ctl, msg.p, size);
		err = wire_write(w, out.p, out.len);
	}
	return err;
}

TEST_F_TIMEOUT(peer, incomplete_reasons, 60)
{
	uint64_t used;

	ASSERT_EQ(0, set_pool(self->s.node, POOL, MB, 1000));
	incomplete_reasons(&self->w, &self->from, 20, LONG);
	used = pool_of("k@h", 20 * LONG);
	EXPECT_FAILS_TODAY(used <= POOL + MB,
			   "incomplete signals held %llu bytes with a pool of %d",
			   (unsigned long long)used, POOL);
	EXPECT_TRUE(undisturbed(&self->s));
	close(self->w.fd);
	EXPECT_TRUE(pool_is_empty("k@h"));
}

TEST_F_TIMEOUT(peer, incomplete_reasons_beside_others, 60)
{
	int other[8], reader = proc("reader", NULL), ended = 0;
	DEFINE_BUF(msg);

	ASSERT_EQ(0, set_pool(self->s.node, POOL, MB, 1000));
	for (int i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "other%d", i);
		other[i] = proc(name, NULL);
		/* unread */
		ASSERT_EQ(0, wire_reg_send(&self->s.good, name, term(&msg, "i", i)));
	}
	incomplete_reasons(&self->w, &self->from, 2, ALMOST);
	pool_of("k@h", 2 * ALMOST);
	/* This process reads at once. */
	for (int i = 0; i < 7; i++) {
		DEFINE_MSG(m);

		ASSERT_EQ(0, wire_reg_send(&self->s.good, "reader", binary(&msg, 50000)));
		proc_recv(reader, &m, 3000);
	}
	for (int i = 0; i < 8; i++)
		ended += !!(poll_now(other[i]) & POLLHUP);
	ended += !!(poll_now(reader) & POLLHUP);
	EXPECT_FAILS_TODAY(!ended, "%d of 9 other processes ended for incomplete signals of a peer",
			   ended);
}

#define HALVES	16

TEST_F_TIMEOUT(peer, half_frames_of_many, 60)
{
	struct wire w[HALVES];
	uint64_t used;
	DEFINE_BUF(msg);

	ASSERT_EQ(0, set_pool(self->s.node, POOL, MB, 1000));
	binary(&msg, LONG);
	for (int i = 0; i < HALVES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "w%d@h", i);
		ASSERT_EQ(0, wire_up_as(&w[i], self->s.node, name));
		snprintf(name, sizeof(name), "p%d", i);
		proc(name, NULL);
	}
	/* the beginning of each frame, then all but a byte */
	for (int half = 0; half < 2; half++) {
		for (int i = 0; i < HALVES; i++) {
			struct epid from = wire_pid(&w[i], 1);
			size_t at = half ? 1000 : 0, to;
			char name[16];
			DEFINE_BUF(ctl);
			DEFINE_BUF(out);

			snprintf(name, sizeof(name), "p%d", i);
			fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", name);
			wire_frame(&w[i], &out, &ctl, &msg);
			to = half ? out.len - 1 : 1000;
			ASSERT_EQ(0, wire_write(&w[i], out.p + at, to - at));
		}
		sleep_ms(300);
	}
	used = pool_of("k@h", HALVES / 2 * LONG);
	EXPECT_FAILS_TODAY(used <= POOL + MB, "half frames held %llu bytes with a pool of %d",
			   (unsigned long long)used, POOL);
	EXPECT_TRUE(undisturbed(&self->s));
}

/* Signals */

enum kind { TO_NAME, TO_ALIAS, TO_OLD_PID, UNLINK, UNLINK_ACK, DEMONITOR, LINK, MONITOR, SPAWN,
	    SAME_LINK, SAME_MONITOR };

struct flood {
	const char *what;
	enum kind kind;
	int answer;		/* operation; 0: none */
	bool nobody;		/* counted in no-receiver */
	unsigned int relations;	/* that are left */
};

/* One request of this kind, its frame into b */
static void put_request(struct wire *w, struct buf *b, enum kind kind, uint32_t n,
			const struct epid *target)
{
	struct epid from = wire_pid(w, 9), nobody = *target;
	struct eref ref = wire_ref(w, n + 1), alias;
	bool payload = kind <= TO_OLD_PID || kind == SPAWN;
	char name[32];
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);

	nobody.id = 0xffffff;
	fmt(&msg, "[i]", 1);
	switch (kind) {
	case TO_NAME:
		snprintf(name, sizeof(name), "nobody%u", n);
		fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", name);
		break;
	case TO_ALIAS:
		alias = (struct eref){ .creation = target->creation, .n = 3,
				       .word = { n, 0, target->id } };
		snprintf(alias.node, sizeof(alias.node), "k@h");
		fmt(&ctl, "{ipr}", OP_ALIAS_SEND, &from, &alias);
		break;
	case TO_OLD_PID:
		nobody = *target;
		nobody.creation--;
		fmt(&ctl, "{ipp}", OP_SEND_SENDER, &from, &nobody);
		break;
	case UNLINK:
	case UNLINK_ACK:
		fmt(&ctl, "{iupp}", kind == UNLINK ? OP_UNLINK_ID : OP_UNLINK_ID_ACK,
		    (uint64_t)n + 1, &from, kind == UNLINK ? &nobody : target);
		break;
	case DEMONITOR:
		fmt(&ctl, "{ippr}", OP_DEMONITOR_P, &from, target, &ref);
		break;
	case LINK:
		fmt(&ctl, "{ipp}", OP_LINK, &from, &nobody);
		break;
	case MONITOR:
		fmt(&ctl, "{ippr}", OP_MONITOR_P, &from, &nobody, &ref);
		break;
	case SPAWN:
		fmt(&ctl, "{irpp{aai}[]}", OP_SPAWN_REQUEST, &ref, &from, &from, "m", "f", 1);
		break;
	case SAME_LINK:
		fmt(&ctl, "{ipp}", OP_LINK, &from, target);
		break;
	case SAME_MONITOR:
		ref = wire_ref(w, 1);
		fmt(&ctl, "{ippr}", OP_MONITOR_P, &from, target, &ref);
		break;
	}
	wire_frame(w, b, &ctl, payload ? &msg : NULL);
}

/* So many frames of this operation and no other: 0 or a negative errno */
static int read_answers(struct wire *w, int count, int op)
{
	uint8_t p[512];
	int err = 0;

	while (count && !err) {
		uint32_t len;

		err = wire_read(w, p, 4, WAIT_MS);
		len = get32(p);
		if (err || !len)
			continue;
		if (len > sizeof(p))
			return -EMSGSIZE;
		err = wire_read(w, p, len, WAIT_MS);
		/* version, type, no atoms; a tuple, its arity, an integer */
		if (!err && (len < 7 || p[3] != 104 || p[5] != 97 || p[6] != op))
			err = -EPROTO;
		count--;
	}
	return err;
}

#define BATCH	200

static int flood(struct wire *w, const struct flood *f, int count, const struct epid *target)
{
	int err = 0;

	for (int n = 0; n < count && !err; n += BATCH) {
		DEFINE_BUF(b);

		for (int i = n; i < n + BATCH; i++)
			put_request(w, &b, f->kind, i, target);
		err = wire_write(w, b.p, b.len);
		if (!err && f->answer)
			err = read_answers(w, BATCH, f->answer);
	}
	return err ? err : wire_sync(w);
}

TEST_F_TIMEOUT(peer, floods, 300)
{
	static const struct flood rows[] = {
		{ "names", TO_NAME, .nobody = true },
		{ "aliases", TO_ALIAS, .nobody = true },
		{ "pids of an old creation", TO_OLD_PID, .nobody = true },
		{ "unlinks", UNLINK, .answer = OP_UNLINK_ID_ACK },
		{ "acknowledgements", UNLINK_ACK },
		{ "demonitors", DEMONITOR },
		{ "links", LINK, .answer = OP_PAYLOAD_EXIT },
		{ "monitors", MONITOR, .answer = OP_PAYLOAD_MONITOR_P_EXIT },
		{ "spawn requests", SPAWN, .answer = OP_SPAWN_REPLY },
		{ "the same link", SAME_LINK, .relations = 1 },
		{ "the same monitor", SAME_MONITOR, .relations = 1 },
	};
	int count = (whole(10000) + BATCH - 1) / BATCH * BATCH;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int t = proc("target", NULL);
		struct node_info before, after;
		uint64_t begin = now_ms();
		struct peer_info peer;
		struct epid target;

		proc_trap_exit(t, true);
		proc_self(t, &target);
		ASSERT_EQ(0, node_info("k@h", &before));
		ASSERT_EQ(0, flood(&self->w, &rows[i], count, &target)) {
			TH_LOG("%s", rows[i].what);
		}
		TH_LOG("%d %s: %llu ms", count, rows[i].what,
		       (unsigned long long)(now_ms() - begin));
		ASSERT_TRUE(undisturbed(&self->s));
		ASSERT_EQ(0, node_info("k@h", &after));
		EXPECT_EQ(before.no_receiver + (rows[i].nobody ? count : 0), after.no_receiver) {
			TH_LOG("%s", rows[i].what);
		}
		EXPECT_TRUE(pool_is_empty("k@h"));
		ASSERT_EQ(0, peer_get("k@h", "w@h", &peer));
		EXPECT_EQ(rows[i].relations, peer.relations) {
			TH_LOG("%s", rows[i].what);
		}
		EXPECT_EQ(ERLDIST_PEER_STATE_UP, peer.state);
		ASSERT_EQ(0, drop(self->s.node, &self->w));
		close(t);
		ASSERT_EQ(0, wire_up(&self->w, self->s.node));
	}
}

#define RELATIONS	100

static int set_relations(int node, uint32_t process, uint32_t all)
{
	struct erldist_limits l;
	int err = node_limits(node, &l);

	l.relations = process;
	l.node_relations = all;
	return err ? err : node_set_limits(node, &l);
}

/* LINK from the process of that number */
static int link_with(struct wire *w, int n, const struct epid *to)
{
	struct epid from = wire_pid(w, n);
	DEFINE_BUF(ctl);
	int err = wire_send(w, fmt(&ctl, "{ipp}", OP_LINK, &from, to), NULL);

	buf_free(&ctl);
	return err;
}

/* A peer's links to a process do not keep it from linking by itself. */
TEST_F(peer, links_beside_others)
{
	struct to link = { .op = ERLDIST_SIG_LINK };
	int other = proc(NULL, NULL), err;
	struct epid pid;
	DEFINE_BUF(dest);

	proc_self(other, &pid);
	ASSERT_EQ(0, set_relations(self->s.node, RELATIONS, 10000));
	for (int n = 0; n < RELATIONS; n++)
		ASSERT_EQ(0, link_with(&self->w, n + 1, &self->s.pid));
	ASSERT_EQ(0, wire_sync(&self->w));
	link.dest = fmt(&dest, "p", &pid);
	err = proc_ask(self->s.svc, &link);
	EXPECT_EQ(0, err) {
		TH_LOG("links of a peer took all relations of a process");
	}
	/* Another process has a number of its own. */
	dest.len = 0;
	fmt(&dest, "p", &self->from);
	EXPECT_EQ(0, proc_ask(other, &link));
}

/* One peer's relations leave room for another's, and for a local program's. */
TEST_F(peer, relations_beside_others)
{
	struct to link = { .op = ERLDIST_SIG_LINK };
	int other = proc(NULL, NULL), taken = 0;
	struct peer_info i;
	struct epid pid;
	struct wire w2;
	DEFINE_FRAME(f);
	DEFINE_BUF(dest);

	/* a process may ask for few; others may ask for more of it */
	ASSERT_EQ(0, set_relations(self->s.node, 10, 200));
	ASSERT_EQ(0, wire_up_as(&w2, self->s.node, "w2@h"));
	for (;; taken++) {
		ASSERT_EQ(0, link_with(&self->w, taken + 1, &self->s.pid));
		/* the answer to a link that is refused comes before that of the sync */
		if (wire_sync(&self->w))
			break;
	}
	/* The sync's answer, behind the EXIT with system_limit. */
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_UNLINK_ID_ACK, frame_op(&f));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(taken, i.relations);
	/* half of what is not the owner's: own - 1 <= 175 - own */
	EXPECT_EQ(88, taken);
	for (int n = 0; n < 10; n++) {
		ASSERT_EQ(0, link_with(&w2, n + 1, &self->s.pid));
		EXPECT_EQ(0, wire_sync(&w2)) {
			TH_LOG("one peer's links leave another none");
		}
	}
	fmt(&dest, "p", &self->s.pid);
	link.dest = &dest;
	EXPECT_EQ(0, proc_ask(other, &link));
	/* What is gone makes room. */
	ASSERT_EQ(0, drop(self->s.node, &self->w));
	ASSERT_EQ(0, wire_up(&self->w, self->s.node));
	proc_self(proc(NULL, NULL), &pid);
	ASSERT_EQ(0, link_with(&self->w, 1, &pid));
	EXPECT_EQ(0, wire_sync(&self->w));
}

/* A link that holds is not refused to a peer that has no room for one more. */
TEST_F(peer, link_that_crosses)
{
	struct to link = { .op = ERLDIST_SIG_LINK };
	struct epid remote = wire_pid(&self->w, 5000), pid;
	int p = proc(NULL, NULL);
	DEFINE_FRAME(f);
	DEFINE_BUF(dest);
	DEFINE_BUF(ctl);

	ASSERT_EQ(0, set_relations(self->s.node, 10, 20));
	proc_self(p, &pid);
	link.dest = fmt(&dest, "p", &remote);
	ASSERT_EQ(0, proc_ask(p, &link));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	ASSERT_EQ(OP_LINK, frame_op(&f));
	for (int n = 1; n <= 20; n++)
		ASSERT_EQ(0, link_with(&self->w, n, &self->s.pid));
	/* Each that is refused is answered; then comes the acknowledgement. */
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{iupp}", OP_UNLINK_ID, 1ULL, &remote,
					      &self->s.pid), NULL));
	for (int n = 0;; n++) {
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		if (frame_op(&f) == OP_UNLINK_ID_ACK) {
			ASSERT_LT(0, n);
			break;
		}
		ASSERT_EQ(OP_PAYLOAD_EXIT, frame_op(&f));
	}
	ASSERT_EQ(0, link_with(&self->w, 5000, &pid));
	EXPECT_EQ(0, wire_sync(&self->w)) {
		TH_LOG("an EXIT for a link that holds");
	}
	close(p);
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_PAYLOAD_EXIT, frame_op(&f));
	EXPECT_EQ(0, wire_sync(&self->w));
}

/* Milliseconds from the death of a process to the DOWN; big: it dies before */
static long down_after(int big)
{
	int q = proc(NULL, NULL), r = proc("r", NULL);
	struct to m = { .op = ERLDIST_SIG_MONITOR, .ref = proc_refs(q) };
	DEFINE_BUF(dest);
	uint64_t begin;

	m.dest = fmt(&dest, "a", "r");
	if (proc_ask(q, &m))
		return -1;
	begin = now_ms();
	if (big >= 0)
		close(big);
	close(r);
	if (!poll_for(q, POLLIN, 10 * WAIT_MS))
		return -1;
	close(q);
	return now_ms() - begin;
}

/* The death of a process with many relations does not keep another's from being told. */
TEST_F_TIMEOUT(peer, death_behind_a_large_one, 300)
{
	int big = proc("big", NULL), count = scaled(200000);
	uint64_t begin;
	struct epid pid;
	long behind;
	struct peer_info i;

	NEEDS_IDLE_PROCESSORS(2);
	proc_self(big, &pid);
	for (int n = 0; n < count; n++) {
		ASSERT_EQ(0, link_with(&self->w, n + 1, &pid));
		if (n % 2000 == 1999)
			ASSERT_EQ(0, wire_sync(&self->w));
	}
	begin = now_ms();
	behind = down_after(big);
	ASSERT_LE(0, behind);
	do {
		sleep_ms(1);
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	} while (i.relations);
	TH_LOG("told after %ld ms, all of the large one after %llu ms", behind,
	       (unsigned long long)(now_ms() - begin));
	EXPECT_GT((now_ms() - begin) / 4, (uint64_t)behind);
}

TEST_F_TIMEOUT(peer, spawn_requests_unread, 60)
{
	int server = proc("server", NULL), on = 1, count = 10 * RELATIONS;
	struct peer_info i;

	/* A peer alone gets half of seven eighths. */
	ASSERT_EQ(0, set_relations(self->s.node, RELATIONS, 228));
	ASSERT_EQ(0, setsockopt(server, SOL_ERLDIST, ERLDIST_SPAWN_SERVER, &on, sizeof(on)));
	for (int n = 0; n < count; n++) {
		DEFINE_BUF(b);

		put_request(&self->w, &b, SPAWN, n, &self->s.pid);
		ASSERT_EQ(0, wire_write(&self->w, b.p, b.len));
	}
	/* system_limit */
	ASSERT_EQ(0, read_answers(&self->w, count - RELATIONS, OP_SPAWN_REPLY));
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(undisturbed(&self->s));
	close(server);
	/* notsup */
	ASSERT_EQ(0, read_answers(&self->w, RELATIONS, OP_SPAWN_REPLY));
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(pool_is_empty("k@h"));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(0, i.relations);
}

#define LARGE	(16 * MB)

/* exit/2 to a process that traps exits and does not read */
TEST_F_TIMEOUT(peer, reasons_unread, 120)
{
	int p = proc("sleeper", NULL);
	struct node_info i;
	struct epid to;
	DEFINE_BUF(ctl);
	DEFINE_BUF(reason);
	DEFINE_BUF(want);

	proc_trap_exit(p, true);
	proc_self(p, &to);
	ASSERT_EQ(0, set_pool(self->s.node, 4 * LARGE, LARGE + MB, 500));
	fmt(&ctl, "{ipp}", OP_PAYLOAD_EXIT2, &self->from, &to);
	binary(&reason, LARGE);
	for (int n = 0; n < 8 && !(poll_now(p) & POLLHUP); n++) {
		ASSERT_EQ(0, wire_send(&self->w, &ctl, &reason));
		ASSERT_EQ(0, node_info("k@h", &i));
		EXPECT_GE(5 * LARGE + MB, i.pool_used);
		EXPECT_TRUE(undisturbed(&self->s));
	}
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_NE(0, poll_now(p) & POLLHUP);
	ASSERT_EQ(0, proc_term(p, ERLDIST_EXIT_STATUS, &reason));
	EXPECT_TRUE(buf_eq(&reason, fmt(&want, "a", "mailbox_overflow")));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(1, i.overflows);
	EXPECT_TRUE(pool_is_empty("k@h"));
	EXPECT_TRUE(undisturbed(&self->s));
}

/* Monitored processes end, each with a long reason; the DOWNs are not read. */
TEST_F_TIMEOUT(peer, downs_unread, 120)
{
	int p = proc("watcher", NULL), count = 12, n;
	uint64_t refs = proc_refs(p);
	struct epid self_pid;
	struct node_info i;
	long used;
	DEFINE_BUF(reason);
	DEFINE_BUF(want);

	proc_self(p, &self_pid);
	ASSERT_EQ(0, set_pool(self->s.node, 4 * LARGE, LARGE + MB, 500));
	binary(&reason, LARGE);
	for (n = 0; n < count; n++) {
		struct epid pid = wire_pid(&self->w, 100 + n);
		struct to monitor = { .op = ERLDIST_SIG_MONITOR, .ref = refs + n };
		DEFINE_BUF(dest);
		DEFINE_FRAME(f);

		monitor.dest = fmt(&dest, "p", &pid);
		ASSERT_EQ(0, proc_ask(p, &monitor));
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		ASSERT_EQ(OP_MONITOR_P, frame_op(&f));
	}
	used = memory_used();
	for (n = 0; n < count && !(poll_now(p) & POLLHUP); n++) {
		struct epid pid = wire_pid(&self->w, 100 + n);
		struct eref ref = proc_ref(p, refs + n);
		DEFINE_BUF(ctl);

		fmt(&ctl, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &pid, &self_pid, &ref);
		ASSERT_EQ(0, wire_send(&self->w, &ctl, &reason));
		/* the pool, one message more, and its copy on the way */
		EXPECT_GT(6L * LARGE, memory_used() - used);
		EXPECT_TRUE(undisturbed(&self->s));
	}
	EXPECT_TRUE(poll_for(p, POLLHUP, WAIT_MS));
	ASSERT_EQ(0, proc_term(p, ERLDIST_EXIT_STATUS, &reason));
	EXPECT_TRUE(buf_eq(&reason, fmt(&want, "a", "mailbox_overflow")));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(1, i.overflows);
	EXPECT_TRUE(pool_is_empty("k@h"));
	EXPECT_TRUE(undisturbed(&self->s));
}

/* Names that are not its own */

TEST_F_TIMEOUT(peer, senders_of_our_own, 60)
{
	static const int ops[] = { OP_LINK, OP_UNLINK_ID, OP_UNLINK_ID_ACK, OP_PAYLOAD_EXIT,
				   OP_PAYLOAD_EXIT2, OP_MONITOR_P, OP_DEMONITOR_P,
				   OP_SPAWN_REQUEST };
	int victim = proc("victim", NULL);
	struct epid ours;
	DEFINE_BUF(kill);

	proc_self(victim, &ours);
	fmt(&kill, "a", "kill");
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		struct eref ref = wire_ref(&self->w, 1);
		int op = ops[i];
		bool payload = true;
		DEFINE_BUF(ctl);

		if (op == OP_SPAWN_REQUEST)
			fmt(&ctl, "{irpp{aai}[]}", op, &ref, &ours, &ours, "m", "f", 1);
		else if (op == OP_PAYLOAD_EXIT || op == OP_PAYLOAD_EXIT2)
			fmt(&ctl, "{ipp}", op, &ours, &self->s.pid);
		else
			payload = false;
		if (op == OP_LINK)
			fmt(&ctl, "{ipp}", op, &ours, &self->s.pid);
		else if (op == OP_UNLINK_ID || op == OP_UNLINK_ID_ACK)
			fmt(&ctl, "{iipp}", op, 1, &ours, &self->s.pid);
		else if (op == OP_MONITOR_P || op == OP_DEMONITOR_P)
			fmt(&ctl, "{ippr}", op, &ours, &self->s.pid, &ref);
		ASSERT_EQ(0, wire_send(&self->w, &ctl, payload ? &kill : NULL));
		EXPECT_EQ(ERLDIST_REASON_FOREIGN_SENDER,
			  down_reason(self->s.node, &self->w)) {
			TH_LOG("operation %d", op);
		}
		ASSERT_EQ(0, wire_up(&self->w, self->s.node));
		ASSERT_TRUE(undisturbed(&self->s));
	}
	EXPECT_EQ(0, poll_now(victim) & (POLLIN | POLLHUP));
}

/* As in BEAM, From informs and proves nothing. */
TEST_F(peer, messages_of_others)
{
	struct epid from[3] = { wire_pid(&self->s.good, 5), self->s.pid,
				{ .node = "third@h", .id = 1, .creation = 77 } };
	int p = proc("p", NULL);
	struct epid to;

	proc_self(p, &to);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		DEFINE_BUF(ctl);
		DEFINE_BUF(msg);
		DEFINE_BUF(want);
		DEFINE_MSG(m);

		fmt(&ctl, "{ipp}", OP_SEND_SENDER, &from[i], &to);
		ASSERT_EQ(0, wire_send(&self->w, &ctl, fmt(&msg, "a", "hello")));
		ASSERT_EQ(0, proc_recv(p, &m, WAIT_MS));
		EXPECT_TRUE(buf_eq(&m.term, &msg));
		EXPECT_TRUE(buf_eq(&m.from, fmt(&want, "p", &from[i])));
		EXPECT_EQ(0, m.flags & ERLDIST_MSG_SIGNAL);
	}
	EXPECT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(undisturbed(&self->s));
}

/* Pids of another creation are other pids, the peer's and ours. */
TEST_F(peer, creations)
{
	struct epid first = self->from, second = self->from, to, old;
	int p = proc("p", NULL);
	struct peer_info i;
	DEFINE_BUF(bye);
	DEFINE_BUF(want);
	DEFINE_BUF(ctl);
	DEFINE_FRAME(f);
	DEFINE_MSG(m);

	proc_trap_exit(p, true);
	proc_self(p, &to);
	old = to;
	old.creation--;
	second.creation++;
	fmt(&bye, "a", "bye");
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{ipp}", OP_LINK, &first, &to), NULL));
	/* Signals of the second pid do not touch the link of the first. */
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{iipp}", OP_UNLINK_ID, 77, &second, &to),
			       NULL));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_UNLINK_ID_ACK, frame_op(&f));
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{ipp}", OP_PAYLOAD_EXIT, &second, &to),
			       &bye));
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{ipp}", OP_LINK, &second, &to), NULL));
	ASSERT_EQ(0, wire_sync(&self->w));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(2, i.relations);
	EXPECT_EQ(-ETIMEDOUT, proc_recv(p, &m, 0));
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{ipp}", OP_PAYLOAD_EXIT, &first, &to),
			       &bye));
	EXPECT_TRUE(proc_expect(p, term(&want, "{apa}", "EXIT", &first, "bye")));
	/* a pid of our node's earlier creation */
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{ipp}", OP_LINK, &first, &old), NULL));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_PAYLOAD_EXIT, frame_op(&f));
	EXPECT_TRUE(buf_eq(&f.msg, term(&want, "a", "noproc")));
	ASSERT_EQ(0, wire_send(&self->w, term(&ctl, "{ipp}", OP_PAYLOAD_EXIT2, &first, &old),
			       &bye));
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_EQ(-ETIMEDOUT, proc_recv(p, &m, 0));
	/* The second link ends with the connection. */
	wire_close(&self->w);
	EXPECT_TRUE(proc_expect(p, term(&want, "{apa}", "EXIT", &second, "noconnection")));
	EXPECT_TRUE(undisturbed(&self->s));
}

/* A peer with the cookie replaces its own connection again and again. */
TEST_F_TIMEOUT(peer, replaces_itself, 120)
{
	int p = proc("p", NULL), rounds = scaled(50);
	uint64_t connection = 0;
	struct peer_info i;
	struct epid to;
	struct wire w;
	DEFINE_BUF(ctl);
	DEFINE_BUF(want);

	proc_trap_exit(p, true);
	proc_self(p, &to);
	fmt(&want, "{apa}", "EXIT", &self->from, "noconnection");
	fmt(&ctl, "{ipp}", OP_LINK, &self->from, &to);
	for (int n = 0; n < rounds; n++) {
		ASSERT_EQ(0, wire_send(&self->w, &ctl, NULL));
		ASSERT_EQ(0, wire_sync(&self->w));
		ASSERT_EQ(0, wire_up(&w, self->s.node));
		EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
		EXPECT_TRUE(proc_expect(p, &want));
		wire_close(&self->w);
		self->w = w;
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
		EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
		EXPECT_LT(connection, i.connection);
		connection = i.connection;
		EXPECT_EQ(0, i.relations);
		ASSERT_TRUE(undisturbed(&self->s));
	}
	EXPECT_EQ(0, wire_sync(&self->w));
}

/* The peer sends our frames back unchanged. */
TEST_F(peer, reflects)
{
	struct node_info before, after;
	int p = proc(NULL, NULL);
	struct to link = { .op = ERLDIST_SIG_LINK };
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);
	DEFINE_FRAME(f);

	fmt(&dest, "p", &self->from);
	ASSERT_LT(0, proc_send(p, &dest, fmt(&msg, "a", "hello")));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	ASSERT_EQ(0, node_info("k@h", &before));
	ASSERT_EQ(0, wire_send(&self->w, &f.ctl, &f.msg));
	ASSERT_EQ(0, wire_sync(&self->w));
	ASSERT_EQ(0, node_info("k@h", &after));
	EXPECT_EQ(before.no_receiver + 1, after.no_receiver);
	link.dest = &dest;
	ASSERT_EQ(0, proc_ask(p, &link));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	ASSERT_EQ(0, wire_send(&self->w, &f.ctl, NULL));
	EXPECT_EQ(ERLDIST_REASON_FOREIGN_SENDER, down_reason(self->s.node, &self->w));
	EXPECT_TRUE(undisturbed(&self->s));
}

TEST_HARNESS_MAIN
