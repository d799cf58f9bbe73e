// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connecting on first reference: who sends to a node that is not connected
 * makes it wanted, and the node socket's holder answers.
 */
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

/* Long enough for what has to be done in time on a machine that pauses */
#define SETUP_MS	3000
#define RETRY_MS	1500

FIXTURE(connect) {
	int node;
	int p;
	struct wire w;
};

FIXTURE_SETUP(connect)
{
	SETUP_ERLDIST();
	self->node = node_open(&(struct node_config){
		.name = "k@h", .setup = SETUP_MS, .retry = RETRY_MS });
	ASSERT_LE(0, self->node);
	self->p = proc("svc", NULL);
	wire_init(&self->w, -1, "w@h");
}

FIXTURE_TEARDOWN(connect)
{
}

static ssize_t send_to(int p, const char *node, int n)
{
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	return proc_send(p, fmt(&d, "{aa}", "x", node), fmt(&msg, "i", n));
}

static struct buf *address(struct buf *b)
{
	return term(b, "{aa}", "x", "w@h");
}

TEST_F(connect, queued_messages_arrive_after_connecting)
{
	struct peer_info i;

	for (int n = 0; n < 50; n++)
		ASSERT_LT(0, send_to(self->p, "w@h", n));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
	EXPECT_STREQ("w@h", i.name);
	EXPECT_EQ(ERLDIST_PEER_STATE_WANTED, i.state);
	EXPECT_LT(0, i.queued);
	EXPECT_EQ(-EAGAIN, node_event(self->node, &i, QUIET_MS)) {
		TH_LOG("wanted is told once");
	}
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_INITIATOR));
	ASSERT_LT(0, send_to(self->p, "w@h", 50));
	for (int n = 0; n <= 50; n++) {
		DEFINE_FRAME(f);
		DEFINE_BUF(want);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_TRUE(buf_eq(&f.msg, fmt(&want, "i", n))) {
			TH_LOG("message %d", n);
		}
	}
}

/* The peer dials while it is wanted: that will do */
TEST_F(connect, wanted_and_it_comes_by_itself)
{
	DEFINE_FRAME(f);

	ASSERT_LT(0, send_to(self->p, "w@h", 7));
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	EXPECT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
}

TEST_F(connect, nobody_answers)
{
	struct peer_info i;
	uint64_t begin = now_ms();

	for (int n = 0; n < 10; n++)
		ASSERT_LT(0, send_to(self->p, "w@h", n));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_LE(SETUP_MS - 50, now_ms() - begin);
	/* not the default */
	EXPECT_GT(SETUP_MS + 3500, now_ms() - begin);
	EXPECT_EQ(ERLDIST_REASON_SETUP_TIMEOUT, i.reason);
	EXPECT_EQ(10, i.lost);
	EXPECT_EQ(0, i.queued);
	struct node_info k;

	ASSERT_EQ(0, node_info("k@h", &k));
	EXPECT_EQ(10, k.lost);
}

static int unreachable(int node, int error)
{
	return node_peer(node, ERLDIST_PEER_UNREACHABLE, "w@h", NULL, 0, error);
}

/* The answer is remembered for so long, and then asked for again */
TEST_F(connect, answer_is_remembered)
{
	struct peer_info i;

	ASSERT_LT(0, send_to(self->p, "w@h", 1));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, NULL));
	ASSERT_EQ(0, unreachable(self->node, ENETUNREACH));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_EQ(ERLDIST_REASON_UNREACHABLE, i.reason);
	EXPECT_EQ(ENETUNREACH, i.error);
	EXPECT_EQ(1, i.lost);

	EXPECT_LT(0, send_to(self->p, "w@h", 2)) {
		TH_LOG("sending to where nobody is succeeds");
	}
	EXPECT_EQ(-EAGAIN, node_event(self->node, &i, RETRY_MS / 3));
	sleep_ms(RETRY_MS);
	EXPECT_LT(0, send_to(self->p, "w@h", 3));
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
}

/* A node with little patience */
static int hasty_node(void)
{
	return node_open(&(struct node_config){ .name = "h@h", .setup = 200, .retry = 50 });
}

static bool forgets(const char *node, const char *peer)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info i;

	while (!peer_get(node, peer, &i)) {
		if (now_ms() > end)
			return false;
		sleep_ms(10);
	}
	return true;
}

/* What the keeper connects again and again is seen all the while, with its attempts */
TEST_F(connect, kept_peer_is_known)
{
	int node = hasty_node();
	struct peer_info i;

	ASSERT_LE(0, node);
	ASSERT_EQ(0, node_retry(node, 0, "w@h", 0, 0));
	ASSERT_EQ(0, peer_get("h@h", "w@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_DOWN, i.state);
	EXPECT_EQ(0, i.failed);
	EXPECT_EQ(0, i.retry);
	for (int n = 1; n <= 2; n++) {
		ASSERT_EQ(0, node_retry(node, ERLDIST_PEER_UNREACHABLE, "w@h", ENETUNREACH,
					60000));
		sleep_ms(200);
		ASSERT_EQ(0, peer_get("h@h", "w@h", &i)) {
			TH_LOG("it is known between attempts");
		}
		EXPECT_EQ(n, i.failed);
		EXPECT_EQ(ERLDIST_REASON_UNREACHABLE, i.reason);
		EXPECT_EQ(ENETUNREACH, i.error);
		EXPECT_LE(200 * n, i.since);
		EXPECT_GT(60000, i.retry);
		EXPECT_LT(60000 - 2 * WAIT_MS, i.retry);
	}
	EXPECT_EQ(0, node_retry(node, 0, "w@h", 0, 1));
	EXPECT_TRUE(forgets("h@h", "w@h")) {
		TH_LOG("a keeper that is silent keeps it no more");
	}
}

/* The keeper does not try it again: it is forgotten when others are, not when it is overdue */
TEST_F(connect, kept_peer_is_let_go)
{
	struct peer_info i;
	uint64_t begin;

	ASSERT_EQ(0, node_retry(self->node, ERLDIST_PEER_UNREACHABLE, "w@h", ENETUNREACH,
				60000));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	begin = now_ms();
	ASSERT_EQ(0, unreachable(self->node, ENETUNREACH));
	EXPECT_TRUE(forgets("k@h", "w@h"));
	EXPECT_GT(begin + RETRY_MS + WAIT_MS, now_ms());
	EXPECT_EQ(-EAGAIN, node_event(self->node, &i, 0)) {
		TH_LOG("nobody wanted it: nothing is to be told");
	}
}

/* Until the next try a sender gets the last error, which counts as one failure */
TEST_F(connect, kept_peer_is_refused)
{
	struct peer_info i;
	DEFINE_BUF(d);

	ASSERT_EQ(0, node_retry(self->node, ERLDIST_PEER_UNREACHABLE, "w@h", ENETUNREACH,
				60000));
	sleep_ms(RETRY_MS + 100);
	EXPECT_EQ(-ENETUNREACH, proc_connect(self->p, address(&d)));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(1, i.failed);
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(0, i.failed);
	EXPECT_EQ(NOT_KEPT, i.retry);
}

TEST_F(connect, kept_peer_is_refused_for_no_reason)
{
	DEFINE_BUF(d);

	ASSERT_EQ(0, node_retry(self->node, ERLDIST_PEER_UNREACHABLE, "w@h", 0, 60000));
	EXPECT_EQ(-EHOSTUNREACH, proc_connect(self->p, address(&d)));
}

/* The kernel itself uses this errno for a peer that must be looked up again */
TEST_F(connect, kept_peer_is_refused_as_stale)
{
	uint64_t begin = now_ms();
	DEFINE_BUF(d);

	ASSERT_EQ(0, node_retry(self->node, ERLDIST_PEER_UNREACHABLE, "w@h", ESTALE, 3000));
	EXPECT_EQ(-ESTALE, proc_connect(self->p, address(&d)));
	EXPECT_GT(3000, now_ms() - begin);
}

TEST_F(connect, retry_is_checked)
{
	struct erldist_peer_request r = {
		.action = ERLDIST_PEER_UNREACHABLE, .name_len = 3, .retry = 1,
	};
	DEFINE_BUF(b);

	buf_add(&b, &r, sizeof(r));
	buf_add(&b, "w@h", 3);
	EXPECT_EQ(-1, setsockopt(self->node, SOL_ERLDIST, ERLDIST_PEER, b.p, b.len));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-EINVAL, node_retry(self->node, 0, "w@h", 0, ERLDIST_RETRY_MAX + 1));
	EXPECT_EQ(0, node_retry(self->node, 0, "w@h", 0, ERLDIST_RETRY_MAX));
}

TEST_F(connect, not_wanted_at_all)
{
	struct to to = { .sig_flags = ERLDIST_SIG_F_NOCONNECT };
	struct peer_info i;
	DEFINE_BUF(d);

	to.dest = address(&d);
	EXPECT_EQ(-EHOSTUNREACH, proc_sendto(self->p, &to, &d));
	EXPECT_EQ(-EAGAIN, node_event(self->node, &i, QUIET_MS));
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	EXPECT_EQ(d.len, proc_sendto(self->p, &to, &d));
}

/* connect() waits, and its errno says why not */

struct caller {
	int node;
	int p;
	const struct buf *to;
};

static int call_connect(void *arg)
{
	struct caller *c = arg;

	close(c->node);
	return -proc_connect(c->p, c->to);
}

/* Who is told that a peer is up can send at once */
static int send_when_up(void *arg)
{
	struct caller *c = arg;
	struct to to = { .dest = c->to, .sig_flags = ERLDIST_SIG_F_NOCONNECT };
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info i;
	int err;

	/* the sooner, the better: it does not wait to be woken */
	do {
		err = node_event(c->node, &i, 0);
	} while (err == -EAGAIN && now_ms() < end);
	return err ? -err : proc_sendto(c->p, &to, c->to) != (ssize_t)c->to->len;
}

TEST_F(connect, up_for_everybody)
{
	DEFINE_BUF(d);
	struct caller c = { self->node, self->p, address(&d) };

	for (int i = 0; i < 20; i++) {
		pid_t child = spawn(send_when_up, &c);
		int sv[2];

		sleep_ms(10);
		stream_pair(CARRIER_TCP4, sv);
		ASSERT_EQ(0, node_accept(self->node, sv[0], 0));
		close(sv[0]);
		wire_init(&self->w, sv[1], "w@h");
		ASSERT_EQ(0, wire_initiate(&self->w));
		ASSERT_EQ(0, reap(child)) {
			TH_LOG("connection %d", i);
		}
		close(sv[1]);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	}
}

#define CALL()								\
	DEFINE_BUF(d_);							\
	struct caller c_ = { self->node, self->p, address(&d_) };			\
	pid_t child_ = spawn(call_connect, &c_);			\
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, NULL))

#define EXPECT_RESULT(err)	EXPECT_EQ(err, reap(child_))

TEST_F(connect, up)
{
	DEFINE_FRAME(f);

	CALL();
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_INITIATOR));
	EXPECT_RESULT(0);
	EXPECT_EQ(2, write(self->p, "\x61\x07", 2));
	EXPECT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	/* once it is up, and for the own node, there is nothing to wait for */
	EXPECT_EQ(0, proc_connect(self->p, &d_));
	EXPECT_EQ(0, proc_connect(self->p, term(&d_, "{aa}", "y", "k@h")));
}

TEST_F(connect, unreachable)
{
	CALL();
	ASSERT_EQ(0, unreachable(self->node, ENETUNREACH));
	EXPECT_RESULT(ENETUNREACH);
	EXPECT_EQ(-ENETUNREACH, proc_connect(self->p, &d_)) {
		TH_LOG("remembered");
	}
}

/* It comes by itself, up to its proof, which is in b */
static int comes_to_its_proof(int node, struct wire *w, struct buf *b)
{
	int sv[2], err;

	stream_pair(CARRIER_TCP4, sv);
	wire_init(w, sv[1], "w@h");
	err = node_accept(node, sv[0], 2);
	close(sv[0]);
	b->len = 0;
	hs_name(w, b);
	if (err || hs_send(w, b) || hs_recv(w, b, WAIT_MS) || !hs_is_status(b, "ok") ||
	    hs_recv(w, b, WAIT_MS) || !hs_take_challenge(w, b))
		return err ?: -EPROTO;
	b->len = 0;
	hs_reply(w, b);
	return 0;
}

static int keeper_fails(void *arg)
{
	return unreachable(*(int *)arg, ENETUNREACH);
}

/* The attempt fails, and the peer comes by itself while that is being told */
TEST_F_TIMEOUT(connect, unreachable_and_about_to_be_up, 60)
{
	int verdict = delay_calls("erldist_peer_verdict"), up = delay_calls("erldist_watch_up");
	socklen_t len = sizeof(int);
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	if (verdict < 0 || up < 0)
		SKIP(return, "no kprobes here");
	fcntl(self->p, F_SETFL, O_NONBLOCK);
	for (int n = 0; n < 12; n++) {
		int err = -1;
		pid_t keeper;

		EXPECT_EQ(-EINPROGRESS, proc_connect(self->p, address(&d)));
		ASSERT_EQ(0, comes_to_its_proof(self->node, &self->w, &b));
		keeper = spawn(keeper_fails, &self->node);
		sleep_ms(4 * n);
		ASSERT_EQ(0, hs_send(&self->w, &b));
		ASSERT_EQ(0, reap(keeper));
		EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
		ASSERT_EQ(0, getsockopt(self->p, SOL_SOCKET, SO_ERROR, &err, &len));
		EXPECT_TRUE(!err || err == ENETUNREACH) {
			TH_LOG("%d ms: %s", 4 * n, strerror(err));
		}
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
		wire_close(&self->w);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	}
	close(verdict);
	close(up);
}

TEST_F(connect, unreachable_for_no_reason)
{
	CALL();
	ASSERT_EQ(0, unreachable(self->node, 0));
	EXPECT_RESULT(EHOSTUNREACH);
}

TEST_F(connect, timeout)
{
	CALL();
	EXPECT_RESULT(ETIMEDOUT);
}

/* Hand over a stream for w, as initiator; the kernel's name was read */
static int dialled(FIXTURE_DATA(connect) *self)
{
	int sv[2], err;
	DEFINE_BUF(b);

	stream_pair(CARRIER_TCP4, sv);
	self->w.fd = sv[1];
	err = node_dial(self->node, sv[0], "w@h", 0);
	close(sv[0]);
	return err ? err : hs_recv(&self->w, &b, WAIT_MS);
}

TEST_F(connect, refused)
{
	DEFINE_BUF(b);

	CALL();
	ASSERT_EQ(0, dialled(self));
	hs_status(&b, "not_allowed");
	ASSERT_EQ(0, hs_send(&self->w, &b));
	EXPECT_RESULT(ECONNREFUSED);
}

TEST_F(connect, another_cookie)
{
	DEFINE_BUF(b);

	CALL();
	ASSERT_EQ(0, dialled(self));
	hs_status(&b, "ok");
	ASSERT_EQ(0, hs_send(&self->w, &b));
	b.len = 0;
	hs_challenge(&self->w, &b);
	ASSERT_EQ(0, hs_send(&self->w, &b));
	/* a BEAM that got a wrong digest closes without a word */
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	close(self->w.fd);
	EXPECT_RESULT(EKEYREJECTED);
}

TEST_F(connect, another_name)
{
	DEFINE_BUF(b);

	CALL();
	ASSERT_EQ(0, dialled(self));
	hs_status(&b, "ok");
	ASSERT_EQ(0, hs_send(&self->w, &b));
	self->w.name[0] = 'v';
	b.len = 0;
	hs_challenge(&self->w, &b);
	ASSERT_EQ(0, hs_send(&self->w, &b));
	EXPECT_RESULT(EPROTO);
}

TEST_F(connect, node_closed)
{
	CALL();
	close(self->node);
	EXPECT_RESULT(ENETDOWN);
}

TEST_F(connect, closed_in_the_handshake)
{
	int err;

	CALL();
	ASSERT_EQ(0, dialled(self));
	close(self->w.fd);
	err = reap(child_);
	EXPECT_TRUE(err == EPROTO || err == ECONNREFUSED || err == ECONNRESET ||
		    err == EHOSTUNREACH) {
		TH_LOG("errno %d", err);
	}
}

TEST_F(connect, without_blocking)
{
	int err = -1;
	socklen_t len = sizeof(err);
	DEFINE_BUF(d);

	fcntl(self->p, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(-EINPROGRESS, proc_connect(self->p, address(&d)));
	EXPECT_FALSE(poll_for(self->p, POLLOUT, QUIET_MS));
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_INITIATOR));
	EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	ASSERT_EQ(0, getsockopt(self->p, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, proc_connect(self->p, &d));

	/* and one that fails */
	EXPECT_EQ(-EINPROGRESS, proc_connect(self->p, term(&d, "{aa}", "x", "v@h")));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, NULL));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_UNREACHABLE, "v@h", NULL, 0,
			       ENETUNREACH));
	EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	ASSERT_EQ(0, getsockopt(self->p, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_EQ(ENETUNREACH, err);
	ASSERT_EQ(0, getsockopt(self->p, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_EQ(0, err);
}

/* It proves the cookie, and is not there for the answer */
static int prove_and_go(int node, const char *name)
{
	struct wire w;
	DEFINE_BUF(b);
	int sv[2];

	wire_init(&w, -1, name);
	stream_pair(CARRIER_UNIX, sv);
	w.fd = sv[0];
	if (node_accept(node, sv[1], 0))
		return -1;
	close(sv[1]);
	hs_name(&w, &b);
	if (hs_send(&w, &b) || hs_recv(&w, &b, WAIT_MS) || hs_recv(&w, &b, WAIT_MS) ||
	    !hs_take_challenge(&w, &b))
		return -1;
	b.len = 0;
	hs_reply(&w, &b);
	if (hs_send(&w, &b))
		return -1;
	return close(w.fd);
}

TEST_F(connect, proven_and_gone)
{
	char name[16];
	DEFINE_BUF(d);

	fcntl(self->p, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "g%d@h", i);
		EXPECT_EQ(-EINPROGRESS, proc_connect(self->p, term(&d, "{aa}", "x", name)));
		ASSERT_EQ(0, prove_and_go(self->node, name));
		ASSERT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	}
}

/* Several connect() that do not block: SO_ERROR is the last one's result */

static int so_error(int fd)
{
	int err = -1;
	socklen_t len = sizeof(err);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? -errno : err;
}

static int connect_to(int p, const char *node)
{
	DEFINE_BUF(d);

	return proc_connect(p, fmt(&d, "{aa}", "x", node));
}

static int call_off(int node, const char *name, int error)
{
	return node_peer(node, ERLDIST_PEER_UNREACHABLE, name, NULL, 0, error);
}

static int come_up(struct wire *w, int node, const char *name)
{
	wire_init(w, -1, name);
	return wire_connect(w, node, CARRIER_TCP4, ERLDIST_ROLE_INITIATOR);
}

TEST_F(connect, to_another_before_the_first_has_failed)
{
	DEFINE_FRAME(f);
	DEFINE_BUF(msg);

	fcntl(self->p, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "v@h"));
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
	ASSERT_EQ(0, call_off(self->node, "v@h", ENETUNREACH));
	EXPECT_FALSE(poll_for(self->p, POLLOUT, QUIET_MS));
	EXPECT_EQ(0, so_error(self->p));
	ASSERT_EQ(0, come_up(&self->w, self->node, "w@h"));
	EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	EXPECT_EQ(0, so_error(self->p));
	EXPECT_EQ(2, write(self->p, "\x61\x07", 2));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&f.msg, fmt(&msg, "i", 7)));
}

TEST_F(connect, to_another_before_the_first_is_up)
{
	fcntl(self->p, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "v@h"));
	ASSERT_EQ(0, come_up(&self->w, self->node, "w@h"));
	EXPECT_FALSE(poll_for(self->p, POLLOUT, QUIET_MS));
	ASSERT_EQ(0, call_off(self->node, "v@h", ENETUNREACH));
	EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	EXPECT_EQ(ENETUNREACH, so_error(self->p));
	EXPECT_EQ(0, so_error(self->p));
}

/* The second one has its result at once, or there is none any more */
TEST_F(connect, to_one_that_is_there_before_the_first_has_failed)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	fcntl(self->p, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "v@h"));
	EXPECT_EQ(0, connect_to(self->p, "k@h"));
	EXPECT_NE(0, poll_now(self->p) & POLLOUT);
	ASSERT_EQ(0, call_off(self->node, "v@h", ENETUNREACH));
	EXPECT_EQ(0, so_error(self->p));

	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "u@h"));
	EXPECT_EQ(0, poll_now(self->p) & POLLOUT);
	EXPECT_EQ(0, connect(self->p, &none, sizeof(none)));
	EXPECT_NE(0, poll_now(self->p) & POLLOUT);
	ASSERT_EQ(0, call_off(self->node, "u@h", ENETUNREACH));
	EXPECT_EQ(0, so_error(self->p));
}

/* An earlier result that nobody asked for is not the later one's */
TEST_F(connect, result_that_was_not_read)
{
	fcntl(self->p, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "u@h" : "v@h";

		EXPECT_EQ(-EINPROGRESS, connect_to(self->p, name));
		ASSERT_EQ(0, call_off(self->node, name, ENETUNREACH));
		EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
		EXPECT_NE(0, poll_now(self->p) & POLLERR);
		if (i) {
			EXPECT_EQ(0, connect_to(self->p, "k@h"));
			continue;
		}
		EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
		EXPECT_EQ(0, poll_now(self->p) & (POLLOUT | POLLERR));
		EXPECT_EQ(0, so_error(self->p));
		ASSERT_EQ(0, come_up(&self->w, self->node, "w@h"));
	}
	EXPECT_EQ(0, poll_now(self->p) & POLLERR);
	EXPECT_EQ(0, so_error(self->p));
}

TEST_F(connect, again_to_the_same)
{
	fcntl(self->p, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
	ASSERT_EQ(0, unreachable(self->node, ENETUNREACH));
	EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	EXPECT_EQ(ENETUNREACH, so_error(self->p));
	EXPECT_EQ(0, so_error(self->p));
	EXPECT_EQ(-ENETUNREACH, connect_to(self->p, "w@h")) {
		TH_LOG("remembered");
	}
	/* a new attempt has a result of its own */
	sleep_ms(RETRY_MS + 100);
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
	EXPECT_FALSE(poll_for(self->p, POLLOUT, QUIET_MS));
	ASSERT_EQ(0, unreachable(self->node, EHOSTUNREACH));
	EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	EXPECT_EQ(EHOSTUNREACH, so_error(self->p));
	sleep_ms(RETRY_MS + 100);
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
	ASSERT_EQ(0, come_up(&self->w, self->node, "w@h"));
	EXPECT_TRUE(poll_for(self->p, POLLOUT, WAIT_MS));
	EXPECT_EQ(0, so_error(self->p));
}

/*
 * The peer went down and its relations are being ended: that takes a while,
 * and connect() meanwhile waits for the next connection.
 */

/* To end relations takes some part of the time that it took to make them */
#define LINKING_MS	600
#define LINKS		250
#define LINKS_MAX	60000

static int link_some(struct wire *w, const struct epid *to, uint32_t first)
{
	struct epid from;
	DEFINE_BUF(ctl);
	DEFINE_BUF(b);

	for (uint32_t id = first; id < first + LINKS; id++) {
		from = wire_pid(w, id);
		wire_frame(w, &b, term(&ctl, "{ipp}", OP_LINK, &from, to), NULL);
	}
	return wire_write(w, b.p, b.len) ?: wire_sync(w);
}

/* As many as can be made in that time; nobody dies of them */
static int link_many(struct wire *w, int p)
{
	uint64_t end = now_ms() + LINKING_MS;
	struct epid pid;
	int err = 0;

	proc_trap_exit(p, true);
	proc_self(p, &pid);
	for (uint32_t n = 1; !err && n < LINKS_MAX && now_ms() < end; n += LINKS)
		err = link_some(w, &pid, n);
	return err;
}

/* The state once the connection has gone */
static uint32_t state_behind_up(void)
{
	struct peer_info i;

	do {
		if (peer_get("k@h", "w@h", &i))
			return ERLDIST_PEER_STATE_UP;
	} while (i.state == ERLDIST_PEER_STATE_UP);
	return i.state;
}

#define CALL_WHILE_DRAINING()						\
	struct caller c_;						\
	pid_t child_;							\
	DEFINE_BUF(d_);							\
									\
	ASSERT_EQ(0, wire_up(&self->w, self->node));			\
	ASSERT_EQ(0, link_many(&self->w, proc(NULL, NULL)));		\
	c_ = (struct caller){ self->node, self->p, address(&d_) };	\
	child_ = spawn(call_while_draining, &c_);			\
	shutdown(self->w.fd, SHUT_RDWR)

#define EARLY	255

static int call_while_draining(void *arg)
{
	return state_behind_up() == ERLDIST_PEER_STATE_DRAINING ?
	       call_connect(arg) : EARLY;
}

/* On a busy machine it may be over before anybody looks: then once more. */
#define TRIES	20

/* The peer is wanted; true when the caller has come too early or too late. */
static bool missed(int node, pid_t child)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info i;
	int status;

	while (now_ms() < end) {
		if (!node_event(node, &i, 20) && i.pending & ERLDIST_PENDING_WANTED)
			return false;
		if (waitpid(child, &status, WNOHANG) == child)
			return true;
	}
	return false;
}

/* It is wanted when that is over */
TEST_F_TIMEOUT(connect, while_draining, 200)
{
	for (int n = 0; n < TRIES; n++) {
		CALL_WHILE_DRAINING();
		if (missed(self->node, child_))
			continue;
		EXPECT_EQ(0, waitpid(child_, NULL, WNOHANG)) {
			TH_LOG("connect() ended without a connection");
		}
		ASSERT_EQ(0, come_up(&self->w, self->node, "w@h"));
		EXPECT_RESULT(0);
		return;
	}
	ASSERT_TRUE(false) {
		TH_LOG("it was never draining");
	}
}

/* The peer's next handshake, up to its proof. False: it was no more draining. */
static bool comes_by_itself(struct wire *w, int node)
{
	DEFINE_BUF(b);
	int sv[2];

	if (state_behind_up() != ERLDIST_PEER_STATE_DRAINING)
		return false;
	stream_pair(CARRIER_TCP4, sv);
	wire_init(w, sv[1], "w@h");
	if (node_accept(node, sv[0], 2))
		return false;
	hs_name(w, &b);
	if (hs_send(w, &b) || hs_recv(w, &b, WAIT_MS) || !hs_is_status(&b, "ok") ||
	    hs_recv(w, &b, WAIT_MS) || !hs_take_challenge(w, &b))
		return false;
	b.len = 0;
	hs_reply(w, &b);
	return !hs_send(w, &b) && state_behind_up() == ERLDIST_PEER_STATE_DRAINING;
}

/* Its next handshake has come to its end meanwhile, and waits as well */
TEST_F_TIMEOUT(connect, while_draining_and_it_comes_by_itself, 200)
{
	struct peer_info i;
	struct wire w;
	DEFINE_BUF(b);

	for (int n = 0; n < TRIES; n++) {
		bool came;
		int result;

		CALL_WHILE_DRAINING();
		wire_init(&w, -1, "w@h");
		came = comes_by_itself(&w, self->node);
		if (!came)
			kill(child_, SIGKILL);
		result = reap(child_);
		if (!came || result == EARLY) {
			wire_close(&w);
			while (!peer_get("k@h", "w@h", &i) && i.state != ERLDIST_PEER_STATE_DOWN)
				sleep_ms(10);
			continue;
		}
		ASSERT_EQ(0, hs_recv(&w, &b, WAIT_MS));
		EXPECT_TRUE(hs_take_ack(&w, &b));
		EXPECT_EQ(0, result);
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
		EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
		EXPECT_EQ(2, i.tag);
		return;
	}
	ASSERT_TRUE(false) {
		TH_LOG("it was never draining");
	}
}

/* The kernel's attempt meets its acceptor: up to the proof of both. 0 if so */
static int accept_it(struct wire *w)
{
	DEFINE_BUF(b);

	if (hs_recv(w, &b, WAIT_MS) || !hs_take_name(w, &b))
		return -EPROTO;
	b.len = 0;
	hs_status(&b, "ok_simultaneous");
	if (hs_send(w, &b))
		return -EPIPE;
	b.len = 0;
	hs_challenge(w, &b);
	if (hs_send(w, &b) || hs_recv(w, &b, WAIT_MS) || !hs_take_reply(w, &b))
		return -EPIPE;
	b.len = 0;
	hs_ack(w, &b);
	return hs_send(w, &b);
}

/* The state of a@h, or -1 */
static int state_of_a(void)
{
	struct peer_info i;

	return peer_get("k@h", "a@h", &i) ? -1 : (int)i.state;
}

/* a@h has proven the cookie on its own connection, and then on ours. True: in time */
static bool both_prove_while_draining(int node, struct wire *in, struct wire *out)
{
	int sv[2];
	DEFINE_BUF(b);

	wire_init(in, -1, "a@h");
	wire_init(out, -1, "a@h");
	stream_pair(CARRIER_UNIX, sv);
	in->fd = sv[1];
	if (node_accept(node, sv[0], 2))
		return false;
	close(sv[0]);
	hs_name(in, &b);
	if (hs_send(in, &b) || hs_recv(in, &b, WAIT_MS) || !hs_is_status(&b, "ok") ||
	    hs_recv(in, &b, WAIT_MS) || !hs_take_challenge(in, &b))
		return false;
	stream_pair(CARRIER_UNIX, sv);
	out->fd = sv[1];
	if (node_dial(node, sv[0], "a@h", 3))
		return false;
	close(sv[0]);
	b.len = 0;
	hs_reply(in, &b);
	return !hs_send(in, &b) && !poll_for(in->fd, POLLIN, 20) && !accept_it(out) &&
	       state_of_a() == ERLDIST_PEER_STATE_DRAINING;
}

/* The smaller name closes its own when it accepts ours, which is the next one then */
TEST_F_TIMEOUT(connect, while_draining_and_both_dial, 200)
{
	struct peer_info i;
	struct wire in, out;

	for (int n = 0; n < TRIES; n++) {
		bool drains;

		ASSERT_EQ(0, wire_up_as(&self->w, self->node, "a@h"));
		ASSERT_EQ(0, link_many(&self->w, proc(NULL, NULL)));
		shutdown(self->w.fd, SHUT_RDWR);
		while (state_of_a() == ERLDIST_PEER_STATE_UP)
			;
		drains = both_prove_while_draining(self->node, &in, &out);
		if (drains) {
			ASSERT_TRUE(wire_ends(&in, WAIT_MS));
			do {
				ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
			} while (i.tag != 3);
			return;
		}
		wire_close(&in);
		wire_close(&out);
		wire_close(&self->w);
		while (state_of_a() > ERLDIST_PEER_STATE_DOWN)
			sleep_ms(10);
	}
	ASSERT_TRUE(false) {
		TH_LOG("it was never draining");
	}
}

/* And when nobody comes, it hears of that, in time */
TEST_F_TIMEOUT(connect, while_draining_and_nobody_comes, 200)
{
	int result = EARLY;

	for (int n = 0; n < TRIES && result == EARLY; n++) {
		CALL_WHILE_DRAINING();
		result = reap(child_);
	}
	EXPECT_EQ(ETIMEDOUT, result);
}

static void on_signal(int sig)
{
}

/* Again and again: the first may come before the call that it is to interrupt */
static int interrupts(void *arg)
{
	for (;;) {
		sleep_ms(200);
		kill(*(pid_t *)arg, SIGUSR1);
	}
	return 0;
}

TEST_F(connect, interrupted)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pid_t me = getpid(), child;
	struct peer_info i;
	DEFINE_BUF(d);

	sigaction(SIGUSR1, &sa, NULL);
	child = spawn(interrupts, &me);
	EXPECT_EQ(-EINTR, proc_connect(self->p, address(&d)));
	signal(SIGUSR1, SIG_IGN);
	kill(child, SIGKILL);
	reap(child);
	/* the attempt goes on */
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_WANTED, i.state);
}

/* Events are state: one entry for a peer, whatever happened */
TEST_F(connect, events_are_coalesced)
{
	struct peer_info i;
	int sv[2], n = 0;

	for (int round = 0; round < 5; round++) {
		stream_pair(CARRIER_UNIX, sv);
		self->w.fd = sv[1];
		ASSERT_EQ(0, node_accept(self->node, sv[0], round));
		close(sv[0]);
		ASSERT_EQ(0, wire_initiate(&self->w));
		close(sv[1]);
		do {
			ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
		} while (i.state != ERLDIST_PEER_STATE_DOWN);
	}
	while (!node_event(self->node, &i, 0))
		n++;
	EXPECT_EQ(1, n);
	EXPECT_EQ(ERLDIST_PENDING_UP | ERLDIST_PENDING_DOWN, i.pending);
	EXPECT_EQ(4, i.tag);

	/* all there is, for a holder that starts anew */
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_REPLAY, NULL, 0));
	ASSERT_EQ(0, node_event(self->node, &i, WAIT_MS));
	EXPECT_STREQ("w@h", i.name);
	EXPECT_NE(0, i.pending);
	EXPECT_EQ(-EAGAIN, node_event(self->node, &i, 0));
}

TEST_F(connect, event_that_does_not_fit_stays)
{
	struct peer_info i;
	char small[8];

	ASSERT_LT(0, send_to(self->p, "w@h", 1));
	ASSERT_TRUE(poll_for(self->node, POLLIN, WAIT_MS));
	EXPECT_EQ(-1, recv(self->node, small, sizeof(small), 0));
	EXPECT_EQ(EMSGSIZE, errno);
	EXPECT_EQ(0, node_event(self->node, &i, 0));
	EXPECT_EQ(ERLDIST_PENDING_WANTED, i.pending);
}

TEST_F(connect, disconnect_by_the_holder)
{
	struct peer_info i;

	ASSERT_EQ(0, wire_up(&self->w, self->node));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_DISCONNECT, "w@h", NULL, 0, 0));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
	EXPECT_EQ(ERLDIST_REASON_DISCONNECT, i.reason);
	EXPECT_GT(0, node_peer(self->node, ERLDIST_PEER_DISCONNECT, "x@h", NULL, 0, 0));
}

/* A queue dies with its connection and is never sent on the next one */
TEST_F_TIMEOUT(connect, nothing_is_sent_again, 60)
{
	struct epid to = wire_pid(&self->w, 5);
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(big);
	DEFINE_FRAME(f);

	ASSERT_EQ(0, wire_up(&self->w, self->node));
	fmt(&d, "p", &to);
	buf_u8(&big, 109);
	buf_be32(&big, 200000);
	memset(buf_grow(&big, 200000), 0, 200000);
	while (proc_sendto(self->p, &(struct to){ &d, .flags = MSG_DONTWAIT }, &big) > 0)
		;
	close(self->w.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
	EXPECT_LT(0, i.lost);
	EXPECT_EQ(0, i.queued);
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	ASSERT_LT(0, send_to(self->p, "w@h", 77));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&f.msg, term(&d, "i", 77)));
}

/*
 * The peer of a default destination has been forgotten: what is asked for through
 * it makes a new one, and never means the own node's process of that name or pid.
 */

FIXTURE(forgotten) {
	int node;
	int p;
};

FIXTURE_SETUP(forgotten)
{
	SETUP_ERLDIST();
	self->node = node_open(&(struct node_config){
		.name = "k@h", .setup = SETUP_MS, .retry = 1 });
	ASSERT_LE(0, self->node);
	self->p = proc("svc", NULL);
	proc_trap_exit(self->p, true);
	fcntl(self->p, F_SETFL, O_NONBLOCK);
}

FIXTURE_TEARDOWN(forgotten)
{
}

/* p's default destination is at w@h, which is not connected and then not known */
static void connect_and_forget(struct __test_metadata *_metadata,
			       FIXTURE_DATA(forgotten) *self, const struct buf *dest)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info i;

	ASSERT_EQ(-EINPROGRESS, proc_connect(self->p, dest));
	ASSERT_EQ(0, call_off(self->node, "w@h", ENETUNREACH));
	while (!peer_get("k@h", "w@h", &i)) {
		ASSERT_GT(end, now_ms());
		while (!node_event(self->node, &i, 0))
			;
		sleep_ms(10);
	}
	ASSERT_EQ(ENETUNREACH, so_error(self->p));
}

enum { NOT_WANTED = -1, NOT_UP = -2, NOTHING_SENT = -3 };

/* It is wanted; the connection comes, and what was asked for is sent on it */
static int asked_op(int node, struct frame *f)
{
	struct wire w;

	if (node_wait(node, ERLDIST_PENDING_WANTED, NULL))
		return NOT_WANTED;
	if (come_up(&w, node, "w@h"))
		return NOT_UP;
	return wire_recv(&w, f, WAIT_MS) ? NOTHING_SENT : frame_op(f);
}

TEST_F(forgotten, message)
{
	DEFINE_FRAME(f);
	DEFINE_BUF(d);

	connect_and_forget(_metadata, self, address(&d));
	ASSERT_EQ(2, write(self->p, "\x61\x07", 2));
	EXPECT_EQ(OP_REG_SEND, asked_op(self->node, &f));
}

TEST_F(forgotten, message_without_connecting)
{
	struct to to = { .sig_flags = ERLDIST_SIG_F_NOCONNECT };
	DEFINE_BUF(d);

	connect_and_forget(_metadata, self, address(&d));
	EXPECT_EQ(-EHOSTUNREACH, proc_sendto(self->p, &to, &d));
}

TEST_F(forgotten, exit_signal)
{
	struct epid pid = { .node = "w@h", .id = 5, .creation = 77 };
	DEFINE_FRAME(f);
	DEFINE_BUF(d);
	DEFINE_BUF(reason);

	connect_and_forget(_metadata, self, term(&d, "p", &pid));
	ASSERT_LT(0, proc_sendto(self->p, &(struct to){ .op = ERLDIST_SIG_EXIT },
				 term(&reason, "a", "boom")));
	EXPECT_EQ(OP_PAYLOAD_EXIT2, asked_op(self->node, &f));
}

TEST_F(forgotten, link)
{
	struct epid pid = { .node = "w@h", .id = 5, .creation = 77 };
	DEFINE_FRAME(f);
	DEFINE_BUF(d);
	DEFINE_MSG(m);

	connect_and_forget(_metadata, self, term(&d, "p", &pid));
	ASSERT_EQ(0, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_LINK }));
	EXPECT_EQ(-ETIMEDOUT, proc_recv(self->p, &m, 0)) {
		TH_LOG("there was no answer to wait for, and one came");
	}
	EXPECT_EQ(OP_LINK, asked_op(self->node, &f));
}

/* There is a local process of that name, and it ends */
TEST_F(forgotten, monitor)
{
	int local = proc("x", NULL);
	DEFINE_FRAME(f);
	DEFINE_BUF(d);
	DEFINE_MSG(m);

	connect_and_forget(_metadata, self, address(&d));
	ASSERT_EQ(0, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_MONITOR,
						     .ref = proc_refs(self->p) }));
	close(local);
	EXPECT_EQ(-ETIMEDOUT, proc_recv(self->p, &m, QUIET_MS)) {
		TH_LOG("the monitor is of the local process");
	}
	EXPECT_EQ(OP_MONITOR_P, asked_op(self->node, &f));
}

/* There is nothing to be ended */
TEST_F(forgotten, unlink)
{
	struct epid pid = { .node = "w@h", .id = 5, .creation = 77 };
	struct peer_info i;
	DEFINE_BUF(d);

	connect_and_forget(_metadata, self, term(&d, "p", &pid));
	EXPECT_EQ(0, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_UNLINK }));
	EXPECT_EQ(-EAGAIN, node_event(self->node, &i, QUIET_MS));
}

/*
 * Peers are used again at about the time when they are forgotten, many at once: a
 * different moment in each round.
 */
#define MANY		100
#define ROUNDS_MS	2500

static void wait_about(int round)
{
	usleep(5000 + 370 * round % 9000);
}

static int set_cookie(int node, int i, const char *cookie)
{
	char name[16];

	snprintf(name, sizeof(name), "c%d@h", i);
	return node_peer(node, ERLDIST_PEER_COOKIE, name, cookie, 0, 0);
}

/* One that has a cookie is not forgotten */
TEST_F(forgotten, cookie)
{
	uint64_t end = now_ms() + ROUNDS_MS;
	struct node_info k;

	for (int round = 0; now_ms() < end; round++) {
		for (int i = 0; i < MANY; i++)
			ASSERT_EQ(0, set_cookie(self->node, i, ""));
		wait_about(round);
		for (int i = 0; i < MANY; i++)
			ASSERT_EQ(0, set_cookie(self->node, i, "other"));
		sleep_ms(2);
		ASSERT_EQ(0, node_info("k@h", &k));
		ASSERT_EQ(MANY, k.peers) {
			TH_LOG("round %d: a cookie is lost", round);
		}
	}
}

#define WANTED		16	/* at a time, by one process */

/* Nor is a peer that goes a reason to refuse what is asked for */
TEST_F(forgotten, connect)
{
	uint64_t end = now_ms() + ROUNDS_MS;
	struct peer_info p;
	char name[16];

	for (int round = 0; now_ms() < end; round++) {
		for (int i = 0; i < WANTED; i++) {
			int err;

			snprintf(name, sizeof(name), "c%d@h", i);
			err = connect_to(self->p, name);
			/* or the last failure is remembered */
			ASSERT_TRUE(err == -EINPROGRESS || err == -ENETUNREACH) {
				TH_LOG("round %d: %s", round, strerror(-err));
			}
		}
		for (int i = 0; i < WANTED; i++) {
			snprintf(name, sizeof(name), "c%d@h", i);
			ASSERT_EQ(0, call_off(self->node, name, ENETUNREACH));
		}
		while (!node_event(self->node, &p, 0))
			;
		wait_about(round);
	}
}

#define SLOW_MS		20	/* more than it takes to forget a peer */

/* This thread is held up where it enters a function */
static bool slow_at(const char *function, const char *parameter)
{
	prctl(PR_SET_NAME, "slow");
	return !run_command("modprobe -q erldist_test_delay ms=%u function=%s %s", SLOW_MS,
			    function, parameter);
}

static int no_longer_slow(void)
{
	prctl(PR_SET_NAME, "connect");
	return run_command("rmmod erldist_test_delay");
}

/* The peer is forgotten between the lookup and the use of what was found. */
TEST_F(forgotten, found_and_gone)
{
	struct wire w;
	int sv[2];
	DEFINE_BUF(b);

	if (!slow_at("erldist_peer_connect", "times=1"))
		SKIP(return, "no module erldist_test_delay for this kernel");
	EXPECT_EQ(-EINPROGRESS, connect_to(self->p, "w@h"));
	EXPECT_EQ(0, no_longer_slow());
	stream_pair(CARRIER_TCP4, sv);
	wire_init(&w, sv[1], "v@h");
	ASSERT_TRUE(slow_at("erldist_peer_attempt", "times=1"));
	EXPECT_EQ(0, node_dial(self->node, sv[0], "v@h", 0));
	EXPECT_EQ(0, no_longer_slow());
	EXPECT_EQ(0, hs_recv(&w, &b, WAIT_MS));
}

struct other {
	int node;
	int start[2];
};

/* Makes the peer just before the slow thread does, which looked for it in vain. */
static int make_before(void *arg)
{
	struct other *o = arg;
	char byte;

	prctl(PR_SET_NAME, "other");
	for (int round = 0; read(o->start[0], &byte, 1) == 1; round++) {
		sleep_ms(SLOW_MS - 1 - round % 5);
		if (set_cookie(o->node, 0, ""))
			return 1;
	}
	return 2;
}

/*
 * The lookup finds no peer, the insertion finds one that another thread has made, and
 * that one is forgotten before a reference is taken.
 */
TEST_F(forgotten, found_without_references)
{
	struct other o = { .node = self->node };
	int err = 0;
	pid_t child;

	if (!slow_at("__rcu_read_unlock", "caller=erldist_peer_"))
		SKIP(return, "no module erldist_test_delay for this kernel");
	ASSERT_EQ(0, pipe(o.start));
	child = spawn(make_before, &o);
	for (int round = 0; !err && round < 20; round++) {
		ASSERT_EQ(1, write(o.start[1], "x", 1));
		err = set_cookie(self->node, 0, "");
		sleep_ms(2 * SLOW_MS);
	}
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, no_longer_slow());
	kill(child, SIGKILL);
	EXPECT_EQ(256 + SIGKILL, reap(child));
}

TEST_HARNESS_MAIN
