// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two nodes connect to each other at the same moment. Whatever the order in
 * which the four ends start, one connection remains, the same for both.
 */
#include <netinet/tcp.h>
#include <pthread.h>
#include <netinet/in.h>

#include "erldist_test.h"
#include "kselftest_harness.h"


FIXTURE(race) {
	int node[2];
	int sv[2][2];	/* stream i is dialled by node i: sv[i][0] is its end */
	pthread_barrier_t barrier;
	int err[2];
};

FIXTURE_VARIANT(race) {
	const char *name[2];
	enum carrier carrier;
};

FIXTURE_VARIANT_ADD(race, tcp) {
	.name = { "a@h", "b@h" },
	.carrier = CARRIER_TCP4,
};

FIXTURE_SETUP(race)
{
	SETUP_ERLDIST();
	for (int i = 0; i < 2; i++)
		self->node[i] = node(variant->name[i]);
	pthread_barrier_init(&self->barrier, NULL, 2);
}

FIXTURE_TEARDOWN(race)
{
}

typedef FIXTURE_DATA(race) race_data;
typedef FIXTURE_VARIANT(race) race_variant;

struct side {
	race_data *self;
	const race_variant *variant;
	int i;
	int first;	/* which of its two ends this side hands over first */
};

/*
 * Who is called already need not dial, nor who is called in this very moment:
 * it closes the socket, and all is well.
 */
static int dial(race_data *self, int i, const struct channel *out)
{
	int err = node_channel(self->node[i], out);

	if (err != -EALREADY && err != -EISCONN)
		return err;
	close(self->sv[i][0]);
	self->sv[i][0] = -1;
	return 0;
}

/* Node i dials the other one and takes the call of the other one */
static void *both_ends(void *arg)
{
	struct side *s = arg;
	int i = s->i;
	race_data *self = s->self;
	struct channel out = { .fd = self->sv[i][0], .tag = 1 + i,
			       .role = ERLDIST_ROLE_INITIATOR,
			       .peer = s->variant->name[!i] };
	struct channel in = { .fd = self->sv[!i][1], .tag = 1 + !i,
			      .role = ERLDIST_ROLE_ACCEPTOR };

	self->err[i] = 0;
	pthread_barrier_wait(&self->barrier);
	if (s->first)
		self->err[i] = node_channel(self->node[i], &in);
	if (!self->err[i])
		self->err[i] = dial(self, i, &out);
	if (!self->err[i] && !s->first)
		self->err[i] = node_channel(self->node[i], &in);
	return NULL;
}

static void race(race_data *self, const race_variant *variant,
		 int order)
{
	struct side a = { self, variant, 0, order & 1 };
	struct side b = { self, variant, 1, order >> 1 & 1 };
	pthread_t t;

	if (pthread_create(&t, NULL, both_ends, &a))
		die("pthread_create");
	both_ends(&b);
	pthread_join(t, NULL);
}

static bool established(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	       info.tcpi_state == TCP_ESTABLISHED;
}

/*
 * Tag of the connection that both nodes have up when nothing moves any more:
 * the other stream is closed at both ends. 0 when that does not come to be.
 */
static uint64_t settled(race_data *self,
			const race_variant *variant)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info p[2];

	while (now_ms() < end) {
		bool up = true;

		for (int i = 0; i < 2; i++)
			up &= !peer_get(variant->name[i], variant->name[!i], &p[i]) &&
			      p[i].state == ERLDIST_PEER_STATE_UP;
		if (up && p[0].tag == p[1].tag && p[0].tag &&
		    established(self->sv[p[0].tag - 1][0]) &&
		    established(self->sv[p[0].tag - 1][1]) &&
		    !established(self->sv[2 - p[0].tag][0]) &&
		    !established(self->sv[2 - p[0].tag][1]))
			return p[0].tag;
		sleep_ms(1);
	}
	for (int i = 0; i < 2; i++)
		fprintf(stderr, "# %s: state %u tag %llu reason %u, stream %d: %d %d\n",
			variant->name[i], p[i].state,
			(unsigned long long)p[i].tag, p[i].reason, i,
			established(self->sv[i][0]), established(self->sv[i][1]));
	return 0;
}

/* Both nodes saw their connection go */
static bool disconnect(race_data *self,
		       const race_variant *variant)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct node_info n[2];
	struct peer_info p;

	if (node_peer(self->node[0], ERLDIST_PEER_DISCONNECT, variant->name[1],
		      NULL, 0, 0))
		return false;
	do {
		for (int i = 0; i < 2; i++) {
			if (node_info(variant->name[i], &n[i]))
				return false;
			while (!node_event(self->node[i], &p, 0))
				;
		}
		if (!n[0].peers_up && !n[1].peers_up && !n[0].handshakes &&
		    !n[1].handshakes)
			return true;
		sleep_ms(1);
	} while (now_ms() < end);
	return false;
}

TEST_F_TIMEOUT(race, ends_in_one, 600)
{
	unsigned int won[3] = { 0 }, rounds = scaled(500);
	int svc[2];
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);

	for (int i = 0; i < 2; i++)
		svc[i] = proc("svc", variant->name[i]);
	for (unsigned int n = 0; n < rounds; n++) {
		uint64_t tag;

		for (int i = 0; i < 2; i++)
			stream_pair(variant->carrier, self->sv[i]);
		race(self, variant, n);
		ASSERT_EQ(0, self->err[0]);
		ASSERT_EQ(0, self->err[1]);
		tag = settled(self, variant);
		ASSERT_NE(0, tag) {
			TH_LOG("round %d", n);
		}
		won[tag]++;

		/* it carries messages both ways */
		for (int i = 0; i < 2; i++) {
			term(&dest, "{aa}", "svc", variant->name[!i]);
			term(&msg, "{ii}", n, i);
			ASSERT_EQ(msg.len, proc_send(svc[i], &dest, &msg));
			ASSERT_TRUE(proc_expect(svc[!i], &msg));
		}
		ASSERT_TRUE(disconnect(self, variant));
		for (int i = 0; i < 4; i++)
			close(self->sv[i / 2][i % 2]);
	}
	TH_LOG("the smaller name's connection remained %u times, the other %u",
	       won[1], won[2]);
}

TEST_HARNESS_MAIN
