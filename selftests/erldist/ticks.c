// SPDX-License-Identifier: GPL-2.0-only
/* Ticks, and peers that fall silent; also while every program is stopped. */
#include "kselftest_harness.h"
#include "wire_peer.h"

#define TICKTIME	2000
#define SLACK		1500	/* of the measurement, on a machine that pauses */

FIXTURE(ticks) {
	int node;
	struct wire w;
};

FIXTURE_VARIANT(ticks) {
	enum carrier carrier;
};

FIXTURE_VARIANT_ADD(ticks, tcp) {
	.carrier = CARRIER_TCP4,
};

FIXTURE_VARIANT_ADD(ticks, unix_stream) {
	.carrier = CARRIER_UNIX,
};

FIXTURE_SETUP(ticks)
{
	SETUP_ERLDIST();
	self->node = node_open(&(struct node_config){
		.name = "k@h", .ticktime = TICKTIME, .intensity = 4 });
	ASSERT_LE(0, self->node);
	wire_init(&self->w, -1, "w@h");
	ASSERT_EQ(0, wire_connect(&self->w, self->node, variant->carrier,
				  ERLDIST_ROLE_ACCEPTOR));
}

FIXTURE_TEARDOWN(ticks)
{
}

/* Ticks that come in this time; we tick ourselves meanwhile */
static unsigned int count_ticks(struct wire *w, unsigned int ms)
{
	uint64_t end = now_ms() + ms;
	DEFINE_FRAME(f);

	w->ticks = 0;
	while (now_ms() < end) {
		wire_tick(w);
		if (wire_recv(w, &f, 100) != -ETIMEDOUT)
			return 0;
	}
	return w->ticks;
}

TEST_F(ticks, sent_when_nothing_else_is)
{
	unsigned int n = count_ticks(&self->w, 2 * TICKTIME);

	/* four in a ticktime; those we send are answered or not */
	EXPECT_LE(6, n);
	EXPECT_GE(40, n);
}

/*
 * A peer that asks (a tick, and silence from us) is answered, long before our own
 * tick would be due
 */
TEST_F_TIMEOUT(ticks, answered, 60)
{
	int node = node_open(&(struct node_config){
		.name = "slow@h", .ticktime = 600000, .intensity = 4 });
	uint8_t four[4];
	struct wire w;

	ASSERT_LE(0, node);
	wire_init(&w, -1, "w@h");
	ASSERT_EQ(0, wire_connect(&w, node, variant->carrier, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_tick(&w));
	ASSERT_EQ(0, wire_read(&w, four, 4, WAIT_MS));
	EXPECT_EQ(0, get32(four));
}

TEST_F_TIMEOUT(ticks, silent_peer, 60)
{
	struct peer_info i;
	uint64_t begin;

	begin = now_ms();
	ASSERT_EQ(0, wire_tick(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
	EXPECT_EQ(ERLDIST_REASON_NET_TICK_TIMEOUT, i.reason);
	EXPECT_LT(TICKTIME * 3 / 4 - 50, now_ms() - begin);
	EXPECT_GT(TICKTIME * 5 / 4 + SLACK, now_ms() - begin);
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
}

TEST_F_TIMEOUT(ticks, ticks_are_enough, 60)
{
	struct peer_info i;

	count_ticks(&self->w, 5 * TICKTIME / 2);
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
}

/* Bytes count, whole frames or not */
TEST_F_TIMEOUT(ticks, a_slow_frame_is_no_silence, 60)
{
	int p = proc("svc", NULL);
	struct epid from = wire_pid(&self->w, 1);
	uint64_t begin = now_ms();
	size_t at = 0;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(b);

	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	term(&msg, "{ab}", "slow", "................................ 0123456789");
	wire_frame(&self->w, &b, &ctl, &msg);
	for (; at < b.len && now_ms() - begin < 2 * TICKTIME; at++) {
		ASSERT_EQ(0, wire_write(&self->w, b.p + at, 1));
		sleep_ms(TICKTIME / 20);
	}
	ASSERT_EQ(0, wire_write(&self->w, b.p + at, b.len - at));
	EXPECT_TRUE(proc_expect(p, &msg));
}

TEST_F_TIMEOUT(ticks, changed_while_up, 60)
{
	struct erldist_ticktime t = { .ticktime = 4 * TICKTIME, .intensity = 4 };
	struct peer_info i;

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	sleep_ms(3 * TICKTIME / 2);
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	t.ticktime = 400;
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
	EXPECT_EQ(ERLDIST_REASON_NET_TICK_TIMEOUT, i.reason);
}

/* A program that holds the node and a process, and is stopped */

struct program {
	FIXTURE_DATA(ticks) *self;
	int up[2];	/* tells that it is bound */
	int count;	/* messages it has to get */
};

static int run_program(void *arg)
{
	struct program *x = arg;
	int p = proc("svc", NULL);
	DEFINE_BUF(msg);

	if (write(x->up[1], "u", 1) != 1)
		return 1;
	for (int i = 0; i < x->count; i++)
		if (!proc_expect(p, term(&msg, "i", i)))
			return 2;
	return 0;
}

static void wait_stopped(pid_t pid)
{
	int status;

	kill(pid, SIGSTOP);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		die("SIGSTOP");
}

TEST_F_TIMEOUT(ticks, stopped_programs, 120)
{
	struct program x = { .self = self, .count = 240 };
	struct peer_info i;
	char byte;
	DEFINE_FRAME(f);
	DEFINE_BUF(msg);

	ASSERT_EQ(0, pipe(x.up));
	pid_t child = spawn(run_program, &x);

	ASSERT_EQ(1, read(x.up[0], &byte, 1));
	wait_stopped(child);
	/* from here on only the kernel keeps the node alive: we only write */
	for (int n = 0; n < x.count; n++) {
		ASSERT_EQ(0, wire_reg_send(&self->w, "svc", term(&msg, "i", n)));
		sleep_ms(3 * TICKTIME / x.count);
		while (wire_recv(&self->w, &f, 0) != -ETIMEDOUT)
			;
	}
	EXPECT_LT(5, self->w.ticks);
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	kill(child, SIGCONT);
	EXPECT_EQ(0, reap(child)) {
		TH_LOG("all of them are delivered afterwards");
	}
}

TEST_F_TIMEOUT(ticks, silent_peer_of_stopped_programs, 120)
{
	struct program x = { .self = self, .count = 1 };
	struct peer_info i = { 0 };
	struct genl_msg m = { 0 };
	struct genl g;
	uint64_t begin;
	char byte;

	ASSERT_EQ(0, genl_open(&g, ERLDIST_FAMILY_NAME));
	ASSERT_EQ(0, genl_join(&g, ERLDIST_MCGRP_NODES));
	ASSERT_EQ(0, pipe(x.up));
	pid_t child = spawn(run_program, &x);

	ASSERT_EQ(1, read(x.up[0], &byte, 1));
	wait_stopped(child);
	ASSERT_EQ(0, wire_tick(&self->w));
	begin = now_ms();
	while (m.cmd != ERLDIST_CMD_PEER_DOWN_NTF)
		ASSERT_EQ(0, genl_event(&g, &m, WAIT_MS));
	EXPECT_GT(TICKTIME * 5 / 4 + SLACK, now_ms() - begin);
	peer_info(&i, &m);
	EXPECT_EQ(ERLDIST_REASON_NET_TICK_TIMEOUT, i.reason);
	EXPECT_STREQ("w@h", i.name);
	kill(child, SIGKILL);
	kill(child, SIGCONT);
	EXPECT_EQ(256 + SIGKILL, reap(child));
}

TEST_HARNESS_MAIN
