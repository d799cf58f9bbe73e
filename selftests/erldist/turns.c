// SPDX-License-Identifier: GPL-2.0-only
/*
 * Senders and receivers in turn: each message has its own sender, receiver and
 * payload, whatever the one before it had, what else is between them, and how
 * they are cut into frames.
 */
#include "kselftest_harness.h"
#include "wire_peer.h"

#define TWO	2
#define BATCH	24	/* messages that are on their way at once */
#define FIRST	66	/* ids of the peer's processes begin here */

FIXTURE(turns) {
	int node;
	int fd[TWO];
	struct epid pid[TWO];
	struct wire w;
	uint32_t random;
	int sent;
	/* what each receiver has to see, or each sender's messages are: terms in order */
	struct buf want[TWO][BATCH];
	struct buf from[TWO][BATCH];
	unsigned int n_want[TWO];
	unsigned int n_seen[TWO];
};

FIXTURE_VARIANT(turns) {
	enum carrier carrier;
	uint64_t flags;
};

FIXTURE_VARIANT_ADD(turns, header_tcp) {
	.carrier = CARRIER_TCP4,
	.flags = DEFAULT_FLAGS,
};

FIXTURE_VARIANT_ADD(turns, header_unix) {
	.carrier = CARRIER_UNIX,
	.flags = DEFAULT_FLAGS,
};

FIXTURE_VARIANT_ADD(turns, pass_through_tcp) {
	.carrier = CARRIER_TCP6,
	.flags = DEFAULT_FLAGS & ~FLAG_FRAGMENTS,
};

FIXTURE_SETUP(turns)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->random = 1;
	for (int i = 0; i < TWO; i++) {
		self->fd[i] = proc("", NULL);
		proc_trap_exit(self->fd[i], true);
		proc_self(self->fd[i], &self->pid[i]);
	}
	wire_init(&self->w, -1, "w@h");
	self->w.flags = variant->flags;
	ASSERT_EQ(0, wire_connect(&self->w, self->node, variant->carrier,
				  ERLDIST_ROLE_ACCEPTOR));
}

FIXTURE_TEARDOWN(turns)
{
	for (int i = 0; i < TWO; i++) {
		for (int k = 0; k < BATCH; k++) {
			buf_free(&self->want[i][k]);
			buf_free(&self->from[i][k]);
		}
	}
}

static unsigned int choose(FIXTURE_DATA(turns) *self, unsigned int n)
{
	self->random = self->random * 1103515245 + 12345;
	return (self->random >> 16) % n;
}

static void forget(FIXTURE_DATA(turns) *self)
{
	memset(self->n_want, 0, sizeof(self->n_want));
	memset(self->n_seen, 0, sizeof(self->n_seen));
}

/* {N, Binary}, no two alike; mostly small, some in several pieces */
static struct buf *payload(FIXTURE_DATA(turns) *self, struct buf *b)
{
	static const size_t sizes[] = { 0, 1, 60, 60, 60, 60, 1000, 4090, 8000, 8200,
					16380, 20000, 33000, 70000 };
	size_t size = sizes[choose(self, ARRAY_SIZE(sizes))];
	uint8_t *p = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		p[i] = self->sent * 7 + i / 5 + (i >> 12);
	term(b, "{iB}", ++self->sent, p, size);
	free(p);
	return b;
}

static struct buf *next_want(FIXTURE_DATA(turns) *self, unsigned int who, const struct buf *from)
{
	unsigned int i = self->n_want[who]++;

	self->from[who][i].len = 0;
	if (from)
		buf_add(&self->from[who][i], from->p, from->len);
	self->want[who][i].len = 0;
	return &self->want[who][i];
}

/* Who sends to the kernel's process: a process, one of a third node, or nobody */
static void control(FIXTURE_DATA(turns) *self, struct buf *ctl, struct buf *from,
		    const struct epid *to)
{
	struct epid pid = wire_pid(&self->w, FIRST + choose(self, TWO));
	unsigned int which = choose(self, 8);

	ctl->len = 0;
	from->len = 0;
	if (which == 0) {
		fmt(ctl, "{iap}", OP_SEND, "", to);
		return;
	}
	if (which == 1)
		snprintf(pid.node, sizeof(pid.node), "x@h");
	fmt(from, "p", &pid);
	fmt(ctl, "{itp}", OP_SEND_SENDER, from, to);
}

/* A message in two fragments, and another sender's in between */
static void in_fragments(FIXTURE_DATA(turns) *self, struct buf *out, const struct buf *ctl,
			 const struct buf *msg, const struct epid *between)
{
	size_t at = choose(self, msg->len);
	struct epid from = wire_pid(&self->w, FIRST);
	DEFINE_BUF(other);
	DEFINE_BUF(pid);

	wire_fragment(out, 69, self->sent, 2, ctl, msg->p, at);
	if (between) {
		unsigned int who = between == &self->pid[1];
		struct buf *want = next_want(self, who, fmt(&pid, "p", &from));

		fmt(&other, "{ipp}", OP_SEND_SENDER, &from, between);
		wire_frame(&self->w, out, &other, payload(self, want));
	}
	/* It counts where it is complete: behind. */
	wire_fragment(out, 70, self->sent - !!between, 1, NULL, msg->p + at, msg->len - at);
}

/* Something that is no message, or is for nobody */
static void something_else(FIXTURE_DATA(turns) *self, struct buf *out)
{
	struct epid from = wire_pid(&self->w, FIRST + choose(self, TWO));
	struct epid to = self->pid[choose(self, TWO)];
	struct eref ref = wire_ref(&self->w, self->sent + 1000);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);

	term(&msg, "a", "else");
	switch (choose(self, 5)) {
	case 0:
		buf_be32(out, 0);
		return;
	case 1:
		to.id += 1000;
		wire_frame(&self->w, out, fmt(&ctl, "{ipp}", OP_SEND_SENDER, &from, &to), &msg);
		return;
	case 2:
		to.creation ^= 1;
		wire_frame(&self->w, out, fmt(&ctl, "{ipp}", OP_SEND_SENDER, &from, &to), &msg);
		return;
	case 3:
		wire_frame(&self->w, out, fmt(&ctl, "{ippr}", OP_MONITOR_P, &from, &to, &ref),
			   NULL);
		ctl.len = 0;
		wire_frame(&self->w, out, fmt(&ctl, "{ippr}", OP_DEMONITOR_P, &from, &to, &ref),
			   NULL);
		return;
	default:
		fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "nobody");
		wire_frame(&self->w, out, &ctl, &msg);
	}
}

/* A NEW_PORT_EXT is what a NEW_PID_EXT is, without a serial. */
static void make_port(struct buf *pid)
{
	pid->p[0] = 'Y';
	memmove(pid->p + pid->len - 8, pid->p + pid->len - 4, 4);
	pid->len -= 4;
}

/* An exit of a peer's process or port arrives as {'EXIT', From, Reason} */
static void exit_signal(FIXTURE_DATA(turns) *self, struct buf *out)
{
	struct epid from = wire_pid(&self->w, FIRST + choose(self, TWO));
	unsigned int who = choose(self, TWO);
	DEFINE_BUF(reason);
	DEFINE_BUF(ctl);
	DEFINE_BUF(pid);

	payload(self, &reason);
	fmt(&pid, "p", &from);
	if (!choose(self, 3))
		make_port(&pid);
	fmt(next_want(self, who, &pid), "{att}", "EXIT", &pid, &reason);
	fmt(&ctl, "{itp}", OP_PAYLOAD_EXIT2, &pid, &self->pid[who]);
	wire_frame(&self->w, out, &ctl, &reason);
}

static void one_in(FIXTURE_DATA(turns) *self, struct buf *out)
{
	bool fragments = self->w.flags & FLAG_FRAGMENTS;
	unsigned int who = choose(self, TWO), what = choose(self, 10);
	DEFINE_BUF(from);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);

	if (what < 2) {
		something_else(self, out);
		return;
	}
	if (what == 2) {
		exit_signal(self, out);
		return;
	}
	control(self, &ctl, &from, &self->pid[who]);
	payload(self, &msg);
	if (fragments && what == 3)
		in_fragments(self, out, &ctl, &msg, &self->pid[!who]);
	else if (fragments && what == 4)
		in_fragments(self, out, &ctl, &msg, NULL);
	else
		wire_frame(&self->w, out, &ctl, &msg);
	buf_add(next_want(self, who, &from), msg.p, msg.len);
}

/* All that was sent to one arrived, in order, with its senders */
static void receive(struct __test_metadata *_metadata, FIXTURE_DATA(turns) *self,
		    unsigned int who)
{
	for (unsigned int i = 0; i < self->n_want[who]; i++) {
		DEFINE_MSG(m);

		ASSERT_EQ(0, proc_recv(self->fd[who], &m, WAIT_MS)) {
			TH_LOG("receiver %u, %u of %u", who, i, self->n_want[who]);
		}
		ASSERT_TRUE(buf_eq(&m.term, &self->want[who][i])) {
			TH_LOG("receiver %u, %u of %u", who, i, self->n_want[who]);
		}
		ASSERT_TRUE(buf_eq(&m.from, &self->from[who][i])) {
			TH_LOG("receiver %u, %u of %u", who, i, self->n_want[who]);
			buf_dump("from", &m.from);
		}
	}
	ASSERT_FALSE(poll_for(self->fd[who], POLLIN, 0));
}

TEST_F_TIMEOUT(turns, in, 300)
{
	for (unsigned int round = scaled(60) + 3; round; round--) {
		DEFINE_BUF(out);

		forget(self);
		while (self->n_want[0] < BATCH - 2 && self->n_want[1] < BATCH - 2)
			one_in(self, &out);
		/* at once, or cut somewhere */
		if (round % 2) {
			ASSERT_EQ(0, wire_write(&self->w, out.p, out.len));
		} else {
			size_t at = choose(self, out.len);

			ASSERT_EQ(0, wire_write(&self->w, out.p, at));
			sleep_ms(2);
			ASSERT_EQ(0, wire_write(&self->w, out.p + at, out.len - at));
		}
		for (unsigned int who = 0; who < TWO; who++)
			receive(_metadata, self, who);
	}
}

/* The control message that a message to the peer's process has */
static void want_out(FIXTURE_DATA(turns) *self, unsigned int who, const struct buf *ctl,
		     const struct buf *msg)
{
	buf_add(next_want(self, who, ctl), msg->p, msg->len);
}

static void one_out(struct __test_metadata *_metadata, FIXTURE_DATA(turns) *self)
{
	unsigned int who = choose(self, TWO), what = choose(self, 10);
	struct epid *from = &self->pid[who];
	struct epid to = wire_pid(&self->w, FIRST + choose(self, TWO));
	DEFINE_BUF(dest);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);

	payload(self, &msg);
	/* the same process of an earlier instance of the peer */
	if (what == 2)
		to.creation ^= 1;
	if (what == 3)
		to.serial++;
	fmt(&dest, "p", &to);
	fmt(&ctl, "{ipp}", OP_SEND_SENDER, from, &to);
	if (what == 0) {
		term(&dest, "{aa}", "them", "w@h");
		term(&ctl, "{ipaa}", OP_REG_SEND, from, "", "them");
	} else if (what == 1) {
		struct to exit = { .dest = &dest, .op = ERLDIST_SIG_EXIT };

		term(&ctl, "{ipp}", OP_PAYLOAD_EXIT2, from, &to);
		ASSERT_EQ(msg.len, proc_sendto(self->fd[who], &exit, &msg));
		want_out(self, who, &ctl, &msg);
		return;
	}
	ASSERT_EQ(msg.len, proc_send(self->fd[who], &dest, &msg));
	want_out(self, who, &ctl, &msg);
}

/* Messages of one sender come in order; those of two as it happens */
static void expect_out(struct __test_metadata *_metadata, FIXTURE_DATA(turns) *self)
{
	unsigned int left = self->n_want[0] + self->n_want[1];

	while (left--) {
		unsigned int who, i;
		struct epid from;
		DEFINE_FRAME(f);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		ASSERT_LT(0, scan(f.ctl.p, f.ctl.len,
				  frame_op(&f) == OP_REG_SEND ? "{_p__}" : "{_p_}", &from));
		who = !pid_eq(&from, &self->pid[0]);
		i = self->n_seen[who]++;
		ASSERT_LT(i, self->n_want[who]);
		ASSERT_TRUE(buf_eq(&f.ctl, &self->from[who][i])) {
			TH_LOG("sender %u, %u of %u", who, i, self->n_want[who]);
			buf_dump("control message", &f.ctl);
		}
		ASSERT_TRUE(buf_eq(&f.msg, &self->want[who][i])) {
			TH_LOG("sender %u, %u of %u", who, i, self->n_want[who]);
		}
	}
}

TEST_F_TIMEOUT(turns, out, 300)
{
	for (unsigned int round = scaled(60) + 3; round; round--) {
		forget(self);
		while (self->n_want[0] < BATCH && self->n_want[1] < BATCH)
			one_out(_metadata, self);
		expect_out(_metadata, self);
	}
}

/* Each instance of a peer is another, and each sender that ends has another in its place */
TEST_F_TIMEOUT(turns, others_in_their_place, 300)
{
	for (int i = 0; i < 10; i++) {
		DEFINE_BUF(out);

		forget(self);
		while (self->n_want[0] < 4 && self->n_want[1] < 4)
			one_out(_metadata, self);
		expect_out(_metadata, self);
		forget(self);
		while (self->n_want[0] < 4 && self->n_want[1] < 4)
			one_in(self, &out);
		ASSERT_EQ(0, wire_write(&self->w, out.p, out.len));
		for (unsigned int who = 0; who < TWO; who++)
			receive(_metadata, self, who);
		close(self->fd[i % TWO]);
		self->fd[i % TWO] = proc("", NULL);
		proc_trap_exit(self->fd[i % TWO], true);
		proc_self(self->fd[i % TWO], &self->pid[i % TWO]);
		if (i % 3)
			continue;
		wire_close(&self->w);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
		wire_init(&self->w, -1, "w@h");
		self->w.creation += i + 1;
		/* the other mode, where there is one */
		self->w.flags = variant->flags & ~(i % 2 ? FLAG_FRAGMENTS : 0);
		ASSERT_EQ(0, wire_connect(&self->w, self->node, variant->carrier,
					  ERLDIST_ROLE_ACCEPTOR));
	}
}

TEST_HARNESS_MAIN
