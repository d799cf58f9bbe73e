// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the sides of a handshake decide: statuses, connections that cross,
 * replacement of a live one, cookies, admission, and channels in role READY.
 */
#include <pthread.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(status) {
	int node;
	struct wire w;
	struct wire w2;
};

FIXTURE_SETUP(status)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	wire_init(&self->w, -1, "w@h");
	wire_init(&self->w2, -1, "w@h");
}

FIXTURE_TEARDOWN(status)
{
}

/* The kernel dials w; it told its name when this returns 0 */
static int dialled(int node, struct wire *w, uint64_t tag)
{
	int sv[2], err;
	DEFINE_BUF(b);

	stream_pair(CARRIER_TCP4, sv);
	w->fd = sv[1];
	err = node_dial(node, sv[0], w->name, tag);
	close(sv[0]);
	if (!err)
		err = hs_recv(w, &b, WAIT_MS);
	return err ? err : hs_take_name(w, &b) ? 0 : -EPROTO;
}

/* w dials the kernel and tells its name; the status comes back in b */
static int dial(int node, struct wire *w, uint64_t tag, struct buf *b)
{
	int sv[2], err;

	stream_pair(CARRIER_TCP4, sv);
	w->fd = sv[1];
	err = node_accept(node, sv[0], tag);
	close(sv[0]);
	b->len = 0;
	hs_name(w, b);
	if (!err)
		err = hs_send(w, b);
	return err ? err : hs_recv(w, b, WAIT_MS);
}

/* The acceptor's rest, after it got a status: up to the verdict of its peer */
static int prove(struct wire *w, const char *cookie)
{
	DEFINE_BUF(b);
	int err = hs_recv(w, &b, WAIT_MS);

	if (err || !hs_take_challenge(w, &b))
		return err ? err : -EPROTO;
	w->cookie = cookie;
	b.len = 0;
	hs_reply(w, &b);
	err = hs_send(w, &b);
	if (!err)
		err = hs_recv(w, &b, WAIT_MS);
	if (!err && !hs_take_ack(w, &b))
		err = -EPROTO;
	w->header = true;
	return err;
}

static int say(struct wire *w, const char *status)
{
	DEFINE_BUF(b);

	hs_status(&b, status);
	return hs_send(w, &b);
}

/* The initiator's peer goes on after its status, to the end */
static int challenge_it(struct wire *w)
{
	DEFINE_BUF(b);
	int err;

	hs_challenge(w, &b);
	err = hs_send(w, &b);
	if (!err)
		err = hs_recv(w, &b, WAIT_MS);
	if (err || !hs_take_reply(w, &b))
		return err ? err : -EPROTO;
	b.len = 0;
	hs_ack(w, &b);
	w->header = true;
	return hs_send(w, &b);
}

TEST_F(status, told_not_allowed)
{
	struct peer_info i;

	ASSERT_EQ(0, dialled(self->node, &self->w, 7));
	ASSERT_EQ(0, say(&self->w, "not_allowed"));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_EQ(ERLDIST_REASON_NOT_ALLOWED, i.reason);
	EXPECT_EQ(7, i.tag);
}

TEST_F(status, told_nonsense)
{
	static const char * const bad[] = { "okay", "named:", "", "true", "ok\n" };
	struct peer_info i;

	for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
		ASSERT_EQ(0, dialled(self->node, &self->w, n));
		ASSERT_EQ(0, say(&self->w, bad[n]));
		EXPECT_TRUE(wire_ends(&self->w, WAIT_MS)) {
			TH_LOG("status '%s'", bad[n]);
		}
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
		EXPECT_TRUE(i.reason == ERLDIST_REASON_BAD_STATUS ||
			    i.reason == ERLDIST_REASON_BAD_HANDSHAKE);
		close(self->w.fd);
	}
}

TEST_F(status, told_ok_simultaneous)
{
	ASSERT_EQ(0, dialled(self->node, &self->w, 0));
	ASSERT_EQ(0, say(&self->w, "ok_simultaneous"));
	ASSERT_EQ(0, challenge_it(&self->w));
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
}

/* "alive": the peer believes an older connection; ours is still wanted */
TEST_F(status, told_alive)
{
	DEFINE_BUF(b);

	ASSERT_EQ(0, dialled(self->node, &self->w, 0));
	ASSERT_EQ(0, say(&self->w, "alive"));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_TRUE(hs_is_status(&b, "true"));
	ASSERT_EQ(0, challenge_it(&self->w));
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
}

TEST_F(status, told_alive_but_up_meanwhile)
{
	struct peer_info i;
	DEFINE_BUF(b);

	/* k@h is the smaller name: its own attempt gives way */
	wire_init(&self->w, -1, "z@h");
	wire_init(&self->w2, -1, "z@h");
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok_simultaneous"));
	say(&self->w, "alive");
	ASSERT_EQ(0, prove(&self->w2, COOKIE));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(2, i.tag);
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
}

/* How long a step may take that is to take too long: all others take less */
#define SHORT_SETUP	1500

static int set_setup(int node, uint32_t setup)
{
	struct erldist_ticktime t = { .setup = setup, .retry = 100 };

	return setsockopt(node, SOL_ERLDIST, ERLDIST_TICKTIME, &t, sizeof(t)) ? -errno : 0;
}

/* "nok": the peer dials us at this moment and its connection will win */
TEST_F(status, told_nok)
{
	struct peer_info i;
	DEFINE_BUF(b);

	wire_init(&self->w, -1, "z@h");
	wire_init(&self->w2, -1, "z@h");
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, say(&self->w, "nok"));
	EXPECT_FALSE(wire_ends(&self->w, QUIET_MS)) {
		TH_LOG("an initiator that was told nok waits");
	}
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok_simultaneous"));
	ASSERT_EQ(0, prove(&self->w2, COOKIE));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(2, i.tag);
}

TEST_F(status, nok_and_nobody_comes)
{
	struct peer_info i;

	ASSERT_EQ(0, set_setup(self->node, SHORT_SETUP));
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, say(&self->w, "nok"));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_TRUE(i.reason == ERLDIST_REASON_NOK ||
		    i.reason == ERLDIST_REASON_SETUP_TIMEOUT);
}

/* Both dial: the greater name keeps its own attempt */
TEST_F(status, crossing_with_a_smaller_name)
{
	struct peer_info i;
	DEFINE_BUF(b);

	wire_init(&self->w, -1, "a@h");
	wire_init(&self->w2, -1, "a@h");
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "nok"));
	EXPECT_TRUE(wire_ends(&self->w2, WAIT_MS));
	ASSERT_EQ(0, say(&self->w, "ok"));
	ASSERT_EQ(0, challenge_it(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(1, i.tag);
}

TEST_F(status, crossing_with_a_greater_name)
{
	struct peer_info i;
	DEFINE_BUF(b);

	wire_init(&self->w, -1, "z@h");
	wire_init(&self->w2, -1, "z@h");
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok_simultaneous"));
	ASSERT_EQ(0, prove(&self->w2, COOKIE));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(2, i.tag);
}

/* A message through w arrives: that connection is the one in use */
static bool usable(struct wire *w, int p)
{
	static int n;
	DEFINE_BUF(b);

	return !wire_reg_send(w, "svc", term(&b, "i", ++n)) && proc_expect(p, &b);
}

/* A page: who touches it waits until it is filled */
struct trap {
	int fd;
	void *page;
};

#define TRAP_SIZE	4096

static bool trap_set(struct trap *t)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .range.len = TRAP_SIZE,
				     .mode = UFFDIO_REGISTER_MODE_MISSING };

	t->page = mmap(NULL, TRAP_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	r.range.start = (uintptr_t)t->page;
	return t->page != MAP_FAILED && t->fd >= 0 &&
	       !ioctl(t->fd, UFFDIO_API, &api) &&
	       !ioctl(t->fd, UFFDIO_REGISTER, &r);
}

static int trap_fill(struct trap *t)
{
	struct uffdio_zeropage z = { .range = { (uintptr_t)t->page, TRAP_SIZE } };

	return ioctl(t->fd, UFFDIO_ZEROPAGE, &z) ? -errno : 0;
}

/* Two threads that want the same socket */
struct busy {
	int node;
	int fd;
	struct trap trap;
	int err;
};

static void *send_trap(void *arg)
{
	struct busy *x = arg;

	send(x->fd, x->trap.page, TRAP_SIZE, MSG_NOSIGNAL);
	return NULL;
}

static void *dial_busy(void *arg)
{
	struct busy *x = arg;

	x->err = node_dial(x->node, x->fd, "z@h", 1);
	return NULL;
}

static bool is_connecting(const char *name)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct peer_info i;

	while (now_ms() < end) {
		if (!peer_get("k@h", name, &i) &&
		    i.state == ERLDIST_PEER_STATE_CONNECTING)
			return true;
		sleep_ms(1);
	}
	return false;
}

/*
 * The greater name calls while the stream is being handed over, which waits for
 * the socket's lock, and closes what was to be our call.
 */
TEST_F(status, overtaken_while_handed_over)
{
	struct linger reset = { .l_onoff = 1 };
	struct busy x = { .node = self->node, .err = 1 };
	pthread_t sender, dialler;
	struct peer_info i;
	int sv[2];
	DEFINE_BUF(b);

	if (!trap_set(&x.trap))
		SKIP(return, "no userfaultfd here: %s", strerror(errno));
	stream_pair(CARRIER_TCP4, sv);
	x.fd = sv[0];
	ASSERT_EQ(0, pthread_create(&sender, NULL, send_trap, &x));
	ASSERT_TRUE(poll_for(x.trap.fd, POLLIN, WAIT_MS));
	ASSERT_EQ(0, pthread_create(&dialler, NULL, dial_busy, &x));
	ASSERT_TRUE(is_connecting("z@h"));

	wire_init(&self->w2, -1, "z@h");
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok_simultaneous"));
	ASSERT_EQ(0, prove(&self->w2, COOKIE));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	ASSERT_EQ(0, setsockopt(sv[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
	close(sv[1]);
	ASSERT_EQ(0, trap_fill(&x.trap));
	pthread_join(sender, NULL);
	pthread_join(dialler, NULL);
	EXPECT_TRUE(x.err == -EALREADY || x.err == -EISCONN) {
		TH_LOG("handing over: %s", strerror(-x.err));
	}
	EXPECT_TRUE(usable(&self->w2, proc("svc", NULL)));
	ASSERT_EQ(0, peer_get("k@h", "z@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	EXPECT_EQ(2, i.tag);
}

static bool lingers(int fd)
{
	struct linger l = { 0 };
	socklen_t len = sizeof(l);

	return getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len) || l.l_onoff;
}

/* The end of a connection changes the stream's flags, which its lock guards */
TEST_F(status, closed_while_the_stream_is_locked)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 10 };
	struct busy x = { .node = self->node };
	uint64_t end;
	pthread_t sender;
	int sv[2];

	if (!trap_set(&x.trap))
		SKIP(return, "no userfaultfd here: %s", strerror(errno));
	stream_pair(CARRIER_TCP4, sv);
	x.fd = sv[0];
	ASSERT_EQ(0, setsockopt(sv[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	ASSERT_EQ(0, node_accept(self->node, sv[0], 1));
	self->w.fd = sv[1];
	ASSERT_EQ(0, wire_initiate(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));

	ASSERT_EQ(0, pthread_create(&sender, NULL, send_trap, &x));
	ASSERT_TRUE(poll_for(x.trap.fd, POLLIN, WAIT_MS));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_DISCONNECT, "w@h", NULL, 0, 0));
	for (end = now_ms() + QUIET_MS; lingers(sv[0]) && now_ms() < end; )
		sleep_ms(5);
	EXPECT_TRUE(lingers(sv[0])) {
		TH_LOG("changed while another has the lock");
	}
	ASSERT_EQ(0, trap_fill(&x.trap));
	pthread_join(sender, NULL);
	for (end = now_ms() + WAIT_MS; lingers(sv[0]) && now_ms() < end; )
		sleep_ms(5);
	EXPECT_FALSE(lingers(sv[0]));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
}

/* A message whose last bytes are read when the trap is filled */
struct trapped {
	int p;
	struct trap trap;
	size_t len;
	ssize_t result;
};

static void *send_trapped(void *arg)
{
	struct trapped *x = arg;
	const struct buf message = { .p = x->trap.page, .len = x->len };
	DEFINE_BUF(d);

	x->result = proc_send(x->p, fmt(&d, "{aa}", "x", "w@h"), &message);
	return NULL;
}

static int trap_fill_with(struct trap *t, const struct buf *b)
{
	uint8_t page[TRAP_SIZE] __aligned(TRAP_SIZE) = { 0 };
	struct uffdio_copy c = { .dst = (uintptr_t)t->page, .src = (uintptr_t)page,
				 .len = TRAP_SIZE };

	memcpy(page, b->p, b->len);
	return ioctl(t->fd, UFFDIO_COPY, &c) ? -errno : 0;
}

/* What is sent is checked for the peer as it is then, not as it was before a restart */
TEST_F(status, restarts_while_a_message_is_read)
{
	struct trapped x = { .p = proc(NULL, NULL) };
	struct epid pid = { .node = "w@h", .id = 1 << 28, .creation = 78 };
	pthread_t sender;
	DEFINE_BUF(t);

	if (!trap_set(&x.trap))
		SKIP(return, "no userfaultfd here: %s", strerror(errno));
	x.len = term(&t, "p", &pid)->len;
	self->w.creation = 77;
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, pthread_create(&sender, NULL, send_trapped, &x));
	ASSERT_TRUE(poll_for(x.trap.fd, POLLIN, WAIT_MS));
	wire_close(&self->w);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	self->w2.creation = pid.creation;
	ASSERT_EQ(0, wire_connect(&self->w2, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, trap_fill_with(&x.trap, &t));
	pthread_join(sender, NULL);
	EXPECT_EQ(-EINVAL, x.result);
	EXPECT_FALSE(poll_for(self->w2.fd, POLLIN, QUIET_MS)) {
		TH_LOG("what the peer does not decode is on its way");
	}
}

TEST_F(status, alive_is_replaced_once_the_cookie_is_proven)
{
	int p = proc("svc", NULL);
	struct peer_info i;
	uint64_t first;
	DEFINE_BUF(b);

	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	first = i.connection;
	ASSERT_TRUE(usable(&self->w, p));

	/* who says false, or anything else, changes nothing */
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "alive"));
	ASSERT_EQ(0, say(&self->w2, "false"));
	EXPECT_TRUE(wire_ends(&self->w2, WAIT_MS));
	close(self->w2.fd);
	EXPECT_TRUE(usable(&self->w, p));

	/* nor does who has another cookie */
	ASSERT_EQ(0, dial(self->node, &self->w2, 3, &b));
	EXPECT_TRUE(hs_is_status(&b, "alive"));
	ASSERT_EQ(0, say(&self->w2, "true"));
	EXPECT_EQ(-EPIPE, prove(&self->w2, "a guess"));
	close(self->w2.fd);
	EXPECT_TRUE(usable(&self->w, p));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(first, i.connection);

	ASSERT_EQ(0, dial(self->node, &self->w2, 4, &b));
	EXPECT_TRUE(hs_is_status(&b, "alive"));
	EXPECT_TRUE(usable(&self->w, p));
	ASSERT_EQ(0, say(&self->w2, "true"));
	ASSERT_EQ(0, prove(&self->w2, COOKIE));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	EXPECT_TRUE(usable(&self->w2, p));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_LT(first, i.connection);
	EXPECT_EQ(4, i.tag);
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
}

TEST_F(status, dialling_what_is_there)
{
	/* our own attempt */
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	EXPECT_EQ(-EALREADY, dialled(self->node, &self->w2, 2));
	close(self->w2.fd);
	ASSERT_EQ(0, say(&self->w, "ok"));
	ASSERT_EQ(0, challenge_it(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	EXPECT_EQ(-EISCONN, dialled(self->node, &self->w2, 3));
}

/* One that has introduced itself and proven nothing keeps the node from nothing */
TEST_F(status, dialled_beside_a_stranger)
{
	static const char * const names[] = { "a@h", "z@h" };
	struct peer_info i;
	DEFINE_BUF(b);

	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		wire_init(&self->w, -1, names[n]);
		wire_init(&self->w2, -1, names[n]);
		ASSERT_EQ(0, dial(self->node, &self->w2, 1, &b));
		EXPECT_TRUE(hs_is_status(&b, "ok"));
		ASSERT_EQ(0, dialled(self->node, &self->w, 2)) {
			TH_LOG("%s", names[n]);
		}
		ASSERT_EQ(0, say(&self->w, "ok"));
		ASSERT_EQ(0, challenge_it(&self->w));
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
		EXPECT_EQ(2, i.tag);
		EXPECT_EQ(-EPIPE, prove(&self->w2, "a guess"));
		close(self->w2.fd);
	}
}

/* Nor does one of greater name that comes while the node dials */
TEST_F(status, stranger_beside_what_was_dialled)
{
	struct peer_info i;
	DEFINE_BUF(b);

	wire_init(&self->w, -1, "z@h");
	wire_init(&self->w2, -1, "z@h");
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok_simultaneous"));
	EXPECT_EQ(-EPIPE, prove(&self->w2, "a guess"));
	ASSERT_EQ(0, say(&self->w, "ok"));
	ASSERT_EQ(0, challenge_it(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(1, i.tag);
}

/* What waits for the peer hears that it is unreachable while a stranger calls */
TEST_F(status, unreachable_beside_a_stranger)
{
	struct to to = { .op = ERLDIST_SIG_MONITOR };
	int p = proc("svc", NULL);
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(b);
	DEFINE_MSG(m);

	/* the stranger stays */
	ASSERT_EQ(0, set_setup(self->node, 5 * WAIT_MS));
	ASSERT_EQ(0, dial(self->node, &self->w2, 1, &b));
	to.dest = term(&d, "{aa}", "x", "w@h");
	to.ref = proc_refs(p);
	ASSERT_EQ(0, proc_ask(p, &to));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_WANTED, i.state);
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_UNREACHABLE, "w@h", NULL, 0,
			       ENETUNREACH));
	ASSERT_EQ(0, proc_recv(p, &m, WAIT_MS));
	EXPECT_EQ(ERLDIST_SIG_DOWN, m.op);
}

/* Strangers that come and go do not postpone the end of a wait */
TEST_F(status, strangers_do_not_put_off_the_end_of_a_wait)
{
	struct erldist_ticktime t = { .setup = 1500, .retry = 1000 };
	int p = proc("svc", NULL);
	struct peer_info i;
	uint64_t begin;
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t, sizeof(t)));
	ASSERT_LT(0, proc_send(p, fmt(&d, "{aa}", "x", "w@h"), term(&b, "i", 7)));
	begin = now_ms();
	do {
		ASSERT_EQ(0, dial(self->node, &self->w2, 1, &b));
		close(self->w2.fd);
		sleep_ms(20);
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	} while (i.state == ERLDIST_PEER_STATE_WANTED && now_ms() - begin < 3 * t.setup);
	EXPECT_NE(ERLDIST_PEER_STATE_WANTED, i.state);
	EXPECT_EQ(1, i.lost);
}

/* A stranger's failed handshake does not change the remembered error of our own attempt */
TEST_F(status, strangers_do_not_change_what_is_remembered)
{
	struct erldist_ticktime t = { .retry = 60000 };
	int p = proc("svc", NULL);
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	fcntl(p, F_SETFL, O_NONBLOCK);
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t, sizeof(t)));
	ASSERT_EQ(-EINPROGRESS, proc_connect(p, term(&d, "{aa}", "x", "w@h")));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_UNREACHABLE, "w@h", NULL, 0,
			       ENETUNREACH));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	ASSERT_EQ(0, dial(self->node, &self->w2, 1, &b));
	EXPECT_EQ(-EPIPE, prove(&self->w2, "a guess"));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_EQ(ERLDIST_REASON_BAD_DIGEST, i.reason);
	EXPECT_EQ(-ENETUNREACH, proc_connect(p, &d));
}

/*
 * The keeper tries the peer, a stranger's handshake fails meanwhile, and the keeper
 * tells when it tries again: what is refused until then is our own attempts' failure
 * alone, and there was none.
 */
TEST_F(status, a_later_try_does_not_extend_a_strangers_failure)
{
	int p = proc("svc", NULL);
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	ASSERT_EQ(0, node_retry(self->node, 0, "w@h", 0, 0));
	ASSERT_EQ(0, dial(self->node, &self->w2, 1, &b));
	close(self->w2.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	ASSERT_EQ(ERLDIST_PEER_STATE_DOWN, i.state);
	ASSERT_EQ(0, node_retry(self->node, 0, "w@h", 0, 60000));
	ASSERT_LT(0, proc_send(p, fmt(&d, "{aa}", "x", "w@h"), term(&b, "i", 7)));
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
}

/* Our own attempt: the peer's last message follows the one before it after @ms */
static int proven_after(int node, struct wire *w, unsigned int ms)
{
	DEFINE_BUF(b);
	int err = dialled(node, w, 1) ?: say(w, "ok");

	hs_challenge(w, &b);
	if (!err)
		err = hs_send(w, &b) ?: hs_recv(w, &b, WAIT_MS);
	if (err || !hs_take_reply(w, &b))
		return err ?: -EPROTO;
	sleep_ms(ms);
	b.len = 0;
	hs_ack(w, &b);
	return hs_send(w, &b);
}

static bool is_decided(const char *peer)
{
	uint64_t end = now_ms() + 2000;
	struct peer_info i;

	while (!peer_get("k@h", peer, &i) && i.state == ERLDIST_PEER_STATE_CONNECTING) {
		if (now_ms() > end)
			return false;
		sleep_ms(5);
	}
	return true;
}

/*
 * The cookie is proven at about the moment at which the step times out: the peer
 * does not stay in the state CONNECTING.
 */
TEST_F_TIMEOUT(status, proven_at_the_last_moment, 60)
{
	int timer = delay_calls("channel_timer"), adopt = delay_calls("erldist_peer_adopt");
	char name[16];

	if (timer < 0 || adopt < 0)
		SKIP(return, "no kprobes here");
	ASSERT_EQ(0, set_setup(self->node, 60));
	for (int n = 0; n < 30; n++) {
		snprintf(name, sizeof(name), "c%d@h", n);
		wire_init(&self->w, -1, name);
		proven_after(self->node, &self->w, 58 + n);
		ASSERT_TRUE(is_decided(name)) {
			TH_LOG("after %d ms", 58 + n);
		}
		close(self->w.fd);
	}
	close(timer);
	close(adopt);
}

static uint32_t state_of(const char *peer)
{
	struct peer_info i;

	return peer_get("k@h", peer, &i) ? ERLDIST_PEER_STATE_DOWN : i.state;
}

/* The timer has seen the handshake, and would end it when it is a connection */
TEST_F_TIMEOUT(status, up_at_the_last_moment, 60)
{
	int end = delay_calls("erldist_channel_abort"), up = 0;
	char name[16];

	if (end < 0)
		SKIP(return, "no kprobes here");
	ASSERT_EQ(0, set_setup(self->node, 60));
	for (int n = 0; n < 30; n++) {
		snprintf(name, sizeof(name), "c%d@h", n);
		wire_init(&self->w, -1, name);
		proven_after(self->node, &self->w, 50 + 2 * n);
		ASSERT_TRUE(is_decided(name));
		if (state_of(name) == ERLDIST_PEER_STATE_UP) {
			up++;
			sleep_ms(QUIET_MS);
			EXPECT_EQ(ERLDIST_PEER_STATE_UP, state_of(name)) {
				TH_LOG("proven after %d ms", 50 + 2 * n);
			}
		}
		close(self->w.fd);
	}
	EXPECT_LT(0, up);
	close(end);
}

/* It has told its name, and the node dials it then: both have begun */
static int both_began(int node, struct wire *in, struct wire *out, const char *name)
{
	DEFINE_BUF(b);
	int err;

	wire_init(in, -1, name);
	wire_init(out, -1, name);
	err = dial(node, in, 2, &b) ?: hs_recv(in, &b, WAIT_MS);
	if (err || !hs_take_challenge(in, &b))
		return err ?: -EPROTO;
	err = dialled(node, out, 1);
	b.len = 0;
	hs_reply(in, &b);
	return err ?: hs_send(in, &b);
}

/* A smaller name closes its own connection when it answers ours, which must go on */
TEST_F(status, dialled_before_the_proof_of_a_smaller_name)
{
	struct peer_info i;
	DEFINE_BUF(b);

	ASSERT_EQ(0, both_began(self->node, &self->w2, &self->w, "a@h"));
	EXPECT_EQ(-ETIMEDOUT, hs_recv(&self->w2, &b, QUIET_MS));
	ASSERT_EQ(0, say(&self->w, "ok_simultaneous"));
	close(self->w2.fd);
	ASSERT_EQ(0, challenge_it(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(1, i.tag);
	EXPECT_TRUE(usable(&self->w, proc("svc", NULL)));

	/* and where ours fails, it is the one */
	ASSERT_EQ(0, both_began(self->node, &self->w2, &self->w, "b@h"));
	EXPECT_EQ(-ETIMEDOUT, hs_recv(&self->w2, &b, QUIET_MS));
	close(self->w.fd);
	ASSERT_EQ(0, hs_recv(&self->w2, &b, WAIT_MS));
	EXPECT_TRUE(hs_take_ack(&self->w2, &b));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(2, i.tag);
}

/* A greater name answers nok to ours, and its own connection goes on */
TEST_F(status, dialled_before_the_proof_of_a_greater_name)
{
	int p = proc("svc", NULL);
	struct peer_info i;
	DEFINE_FRAME(f);
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	ASSERT_LT(0, proc_send(p, fmt(&d, "{aa}", "x", "z@h"), term(&b, "i", 7)));
	wire_init(&self->w, -1, "z@h");
	wire_init(&self->w2, -1, "z@h");
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, say(&self->w, "nok"));
	close(self->w.fd);
	while (!peer_get("k@h", "z@h", &i) && i.state == ERLDIST_PEER_STATE_CONNECTING)
		sleep_ms(2);
	EXPECT_EQ(ERLDIST_PEER_STATE_WANTED, i.state);
	ASSERT_EQ(0, prove(&self->w2, COOKIE));
	ASSERT_EQ(0, wire_recv(&self->w2, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&f.msg, term(&b, "i", 7)));
	ASSERT_EQ(0, peer_get("k@h", "z@h", &i));
	EXPECT_EQ(0, i.lost);
	EXPECT_EQ(2, i.tag);
}

/* After nok there is no connection of the greater name: the keeper connects again */
TEST_F(status, told_nok_beside_a_stranger)
{
	int p = proc("svc", NULL), err;
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	ASSERT_LT(0, proc_send(p, fmt(&d, "{aa}", "x", "z@h"), term(&b, "i", 7)));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
	wire_init(&self->w, -1, "z@h");
	wire_init(&self->w2, -1, "z@h");
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	ASSERT_EQ(0, dialled(self->node, &self->w, 1));
	ASSERT_EQ(0, say(&self->w, "nok"));
	close(self->w.fd);
	while (!peer_get("k@h", "z@h", &i) && i.state == ERLDIST_PEER_STATE_CONNECTING)
		sleep_ms(2);
	EXPECT_EQ(ERLDIST_PEER_STATE_WANTED, i.state);
	EXPECT_EQ(-EAGAIN, node_event(self->node, &i, QUIET_MS));
	close(self->w2.fd);
	do {
		err = node_event(self->node, &i, 2000);
	} while (!err && !(i.pending & ERLDIST_PENDING_WANTED));
	EXPECT_EQ(0, err);
}

TEST_F(status, own_name)
{
	DEFINE_BUF(b);

	wire_init(&self->w, -1, "k@h");
	ASSERT_EQ(0, dial(self->node, &self->w, 1, &b));
	EXPECT_TRUE(hs_is_status(&b, "not_allowed"));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	close(self->w.fd);
	EXPECT_EQ(-EINVAL, dialled(self->node, &self->w, 1));
}

/* Cookies */

TEST_F(status, cookie_of_a_peer)
{
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_COOKIE, "w@h", "other", 0, 0));
	EXPECT_GT(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	close(self->w.fd);
	self->w.cookie = "other";
	EXPECT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	/* everybody else keeps the node's */
	EXPECT_EQ(0, wire_up_as(&self->w2, self->node, "v@h"));
	/* an empty one gives it back; it matters to the next connection */
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_COOKIE, "w@h", "", 0, 0));
	close(self->w.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	self->w.cookie = COOKIE;
	EXPECT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_INITIATOR));
}

TEST_F(status, no_cookie_at_all)
{
	int n = node_open(&(struct node_config){ .name = "n@h", .cookie = "" });
	int sv[2];

	ASSERT_LE(0, n);
	stream_pair(CARRIER_TCP4, sv);
	EXPECT_EQ(-ENOKEY, node_dial(n, sv[0], "w@h", 0));
	EXPECT_FALSE(poll_for(sv[1], POLLRDHUP, 0)) {
		TH_LOG("a stream that was refused is as it was");
	}
}

TEST_F(status, cookie_changed_while_up)
{
	int p = proc("svc", NULL);

	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_COOKIE, "new", 3));
	EXPECT_TRUE(usable(&self->w, p));
	wire_init(&self->w2, -1, "v@h");
	self->w2.cookie = "new";
	EXPECT_EQ(0, wire_connect(&self->w2, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
}

/* Admission */

static void ask(int node)
{
	uint32_t one = 1;

	if (setsockopt(node, SOL_ERLDIST, ERLDIST_ADMIT, &one, sizeof(one)))
		die("ERLDIST_ADMIT");
}

/* w told its name; the node socket was asked about it */
static int asked(int node, struct wire *w, uint64_t tag, struct peer_info *i)
{
	int sv[2], err;
	DEFINE_BUF(b);

	stream_pair(CARRIER_TCP4, sv);
	w->fd = sv[1];
	err = node_accept(node, sv[0], tag);
	close(sv[0]);
	hs_name(w, &b);
	if (!err)
		err = hs_send(w, &b);
	return err ? err : node_wait(node, ERLDIST_PENDING_ASKS, i);
}

TEST_F(status, admission)
{
	struct peer_info i;
	DEFINE_BUF(b);

	ask(self->node);
	ASSERT_EQ(0, asked(self->node, &self->w, 11, &i));
	EXPECT_EQ(11, i.tag);
	EXPECT_STREQ("w@h", i.name);
	EXPECT_EQ(self->w.flags, i.flags & self->w.flags);
	EXPECT_EQ(-ETIMEDOUT, hs_recv(&self->w, &b, QUIET_MS));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_DENY, "w@h", NULL, 11, 0));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_TRUE(hs_is_status(&b, "not_allowed"));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_EQ(ERLDIST_REASON_DENIED, i.reason);
	close(self->w.fd);

	ASSERT_EQ(0, asked(self->node, &self->w, 12, &i));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_ALLOW, "w@h", NULL, 0, 0));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_TRUE(hs_is_status(&b, "ok"));
	EXPECT_EQ(0, prove(&self->w, COOKIE));
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(12, i.tag);
}

TEST_F(status, admission_with_a_cookie)
{
	struct peer_info i;
	DEFINE_BUF(b);

	ask(self->node);
	ASSERT_EQ(0, asked(self->node, &self->w, 1, &i));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_ALLOW | ERLDIST_PEER_COOKIE,
			       "w@h", "for you", 1, 0));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_EQ(0, prove(&self->w, "for you"));
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
}

TEST_F(status, admission_of_another_connection)
{
	struct peer_info i;
	DEFINE_BUF(b);

	ask(self->node);
	ASSERT_EQ(0, asked(self->node, &self->w, 5, &i));
	node_peer(self->node, ERLDIST_PEER_ALLOW, "w@h", NULL, 4, 0);
	EXPECT_EQ(-ETIMEDOUT, hs_recv(&self->w, &b, QUIET_MS)) {
		TH_LOG("an answer for another tag");
	}
	node_peer(self->node, ERLDIST_PEER_ALLOW, "v@h", NULL, 5, 0);
	EXPECT_EQ(-ETIMEDOUT, hs_recv(&self->w, &b, QUIET_MS));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_ALLOW, "w@h", NULL, 5, 0));
	EXPECT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
}

TEST_F(status, admission_that_is_never_answered)
{
	struct peer_info i;

	ASSERT_EQ(0, set_setup(self->node, SHORT_SETUP));
	ask(self->node);
	ASSERT_EQ(0, asked(self->node, &self->w, 1, &i));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
	EXPECT_EQ(ERLDIST_REASON_SETUP_TIMEOUT, i.reason);
}

/* An answer that takes its time: what nobody uses is forgotten meanwhile */
TEST_F(status, admission_that_is_answered_late)
{
	struct peer_info i;
	DEFINE_BUF(b);

	ASSERT_EQ(0, set_setup(self->node, WAIT_MS));
	ask(self->node);
	ASSERT_EQ(0, asked(self->node, &self->w, 1, &i));
	sleep_ms(500);
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_DENY, "w@h", NULL, 1, 0));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_TRUE(hs_is_status(&b, "not_allowed"));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	close(self->w.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));

	ASSERT_EQ(0, asked(self->node, &self->w, 2, &i));
	sleep_ms(500);
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_ALLOW, "w@h", NULL, 2, 0));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_TRUE(hs_is_status(&b, "ok"));
	EXPECT_EQ(0, prove(&self->w, COOKIE));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(2, i.tag);
	EXPECT_TRUE(usable(&self->w, proc("svc", NULL)));
}

/* The answer to one that has gone is nothing to the one that comes then */
TEST_F(status, admission_of_one_that_has_gone)
{
	static const int answers[] = { ERLDIST_PEER_ALLOW, ERLDIST_PEER_DENY };
	struct peer_info i;
	DEFINE_BUF(b);

	ask(self->node);
	for (size_t n = 0; n < ARRAY_SIZE(answers); n++) {
		/* its end was seen: nobody asks */
		ASSERT_EQ(0, set_setup(self->node, SHORT_SETUP));
		ASSERT_EQ(0, asked(self->node, &self->w, 1, &i));
		close(self->w.fd);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));
		EXPECT_EQ(-ENOENT, node_peer(self->node, answers[n], "w@h", NULL,
					     1, 0));
		ASSERT_EQ(0, set_setup(self->node, WAIT_MS));
		/* not seen yet: nothing is read while someone is asked */
		ASSERT_EQ(0, asked(self->node, &self->w, 2, &i));
		close(self->w.fd);
		node_peer(self->node, answers[n], "w@h", NULL, 2, 0);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i));

		ASSERT_EQ(0, asked(self->node, &self->w, 3, &i));
		EXPECT_EQ(-ENOENT, node_peer(self->node, answers[n], "w@h", NULL,
					     2, 0));
		EXPECT_EQ(-ETIMEDOUT, hs_recv(&self->w, &b, 50));
		ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_ALLOW, "w@h", NULL,
				       3, 0));
		ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
		EXPECT_TRUE(hs_is_status(&b, "ok"));
		EXPECT_EQ(0, prove(&self->w, COOKIE));
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
		close(self->w.fd);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
	}
}

/* Two of one name ask: about each there is an answer of its own, in turn */
TEST_F(status, admission_of_two_of_a_name)
{
	static const uint64_t tags[] = { 21, 22 };
	struct wire *w[] = { &self->w, &self->w2 };
	struct peer_info i;
	int sv[2];
	DEFINE_BUF(b);

	ask(self->node);
	for (int n = 0; n < 2; n++) {
		stream_pair(CARRIER_TCP4, sv);
		w[n]->fd = sv[1];
		w[n]->flags |= n ? 0 : 1ULL << 60;
		ASSERT_EQ(0, node_accept(self->node, sv[0], tags[n]));
		close(sv[0]);
		b.len = 0;
		hs_name(w[n], &b);
		ASSERT_EQ(0, hs_send(w[n], &b));
		/* until it has been read: the first one asks */
		ASSERT_TRUE(poll_for(self->node, POLLIN, WAIT_MS));
		sleep_ms(n ? QUIET_MS : 0);
	}
	for (int n = 0; n < 2; n++) {
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_ASKS, &i));
		EXPECT_EQ(tags[n], i.tag);
		EXPECT_EQ(!n, i.flags >> 60 & 1);
		if (n == 0)
			EXPECT_EQ(-EAGAIN, node_event(self->node, &i, QUIET_MS));
		ASSERT_EQ(0, node_peer(self->node, n ? ERLDIST_PEER_ALLOW :
				       ERLDIST_PEER_DENY, "w@h", NULL, tags[n], 0));
		ASSERT_EQ(0, hs_recv(w[n], &b, WAIT_MS));
		EXPECT_TRUE(hs_is_status(&b, n ? "ok" : "not_allowed"));
	}
	EXPECT_EQ(0, prove(&self->w2, COOKIE));
}

/* ERLDIST_REPLAY repeats the question also when the peer is wanted */
TEST_F(status, admission_beside_a_wait)
{
	int p = proc("svc", NULL);
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	ask(self->node);
	ASSERT_EQ(0, asked(self->node, &self->w, 11, &i));
	ASSERT_LT(0, proc_send(p, fmt(&d, "{aa}", "x", "w@h"), term(&b, "i", 7)));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &i));
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_REPLAY, NULL, 0));
	ASSERT_EQ(0, node_event(self->node, &i, WAIT_MS));
	EXPECT_EQ(ERLDIST_PENDING_WANTED, i.pending);
	ASSERT_EQ(0, node_event(self->node, &i, QUIET_MS));
	EXPECT_EQ(ERLDIST_PENDING_ASKS, i.pending);
	EXPECT_EQ(11, i.tag);
}

/* A challenge of ours comes back on another connection, for us to answer it there */
TEST_F(status, reflected_to_another_connection)
{
	struct node_info k;
	DEFINE_BUF(b);

	ASSERT_EQ(0, dial(self->node, &self->w, 1, &b));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	ASSERT_TRUE(hs_take_challenge(&self->w, &b));
	wire_init(&self->w2, -1, "evil@h");
	ASSERT_EQ(0, dialled(self->node, &self->w2, 2));
	ASSERT_EQ(0, say(&self->w2, "ok"));
	self->w2.challenge = self->w.peer_challenge;
	b.len = 0;
	hs_challenge(&self->w2, &b);
	ASSERT_EQ(0, hs_send(&self->w2, &b));
	EXPECT_EQ(-EPIPE, hs_recv(&self->w2, &b, WAIT_MS)) {
		TH_LOG("it was answered");
	}
	ASSERT_EQ(0, node_info("k@h", &k));
	EXPECT_EQ(ERLDIST_REASON_BAD_HANDSHAKE, k.last_reason);
	/* the same, of a connection that we began */
	close(self->w2.fd);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, NULL));
	wire_close(&self->w);
	wire_init(&self->w, -1, "v@h");
	ASSERT_EQ(0, dialled(self->node, &self->w, 3));
	ASSERT_EQ(0, say(&self->w, "ok"));
	b.len = 0;
	hs_challenge(&self->w, &b);
	ASSERT_EQ(0, hs_send(&self->w, &b));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	ASSERT_TRUE(hs_take_reply(&self->w, &b));
	wire_init(&self->w2, -1, "u@h");
	ASSERT_EQ(0, dialled(self->node, &self->w2, 4));
	ASSERT_EQ(0, say(&self->w2, "ok"));
	self->w2.challenge = self->w.peer_challenge;
	b.len = 0;
	hs_challenge(&self->w2, &b);
	ASSERT_EQ(0, hs_send(&self->w2, &b));
	EXPECT_EQ(-EPIPE, hs_recv(&self->w2, &b, WAIT_MS));
}

/* Strangers that use a peer's name, and do not know the cookie */

/* Messages wait for w; strangers call in its name, and fail each in its way */
TEST_F(status, strangers_lose_no_messages)
{
	int p = proc("svc", NULL);
	struct peer_info i;
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	ASSERT_EQ(0, set_setup(self->node, WAIT_MS));
	fmt(&d, "{aa}", "x", "w@h");
	for (int n = 0; n < 10; n++)
		ASSERT_LT(0, proc_send(p, &d, term(&b, "i", n)));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, NULL));
	for (int n = 0; n < 3; n++) {
		ASSERT_EQ(0, dial(self->node, &self->w2, 10 + n, &b));
		EXPECT_TRUE(hs_is_status(&b, "ok"));
		if (n == 2)
			break;	/* one that says no more */
		if (n == 1)
			EXPECT_EQ(-EPIPE, prove(&self->w2, "a guess"));
		close(self->w2.fd);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_FAILED, &i)) {
			TH_LOG("stranger %d", n);
		}
		EXPECT_EQ(ERLDIST_PEER_STATE_WANTED, i.state);
		EXPECT_EQ(0, i.lost);
		EXPECT_LT(0, i.queued);
	}
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_INITIATOR));
	for (int n = 0; n < 10; n++) {
		DEFINE_FRAME(f);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_TRUE(buf_eq(&f.msg, term(&b, "i", n)));
	}
}

/* One calls while the real one does, before it and after it */
TEST_F(status, strangers_beside_the_real_one)
{
	int p = proc("svc", NULL);
	struct peer_info i;
	struct wire w3;
	DEFINE_FRAME(f);
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	wire_init(&w3, -1, "w@h");
	ASSERT_LT(0, proc_send(p, fmt(&d, "{aa}", "x", "w@h"), term(&b, "i", 7)));
	ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok"));
	ASSERT_EQ(0, dial(self->node, &self->w, 1, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok"));
	ASSERT_EQ(0, dial(self->node, &w3, 3, &b));
	EXPECT_TRUE(hs_is_status(&b, "ok"));
	EXPECT_EQ(-EPIPE, prove(&w3, "a guess"));
	ASSERT_EQ(0, prove(&self->w, COOKIE));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(1, i.tag);
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&f.msg, term(&b, "i", 7)));
	EXPECT_EQ(-EPIPE, prove(&self->w2, "a guess"));
	EXPECT_TRUE(usable(&self->w, p));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	EXPECT_EQ(1, i.tag);
	EXPECT_EQ(0, i.lost);
}

/* A connection came and went, and is wanted again, before anybody looked */
TEST_F(status, tag_of_a_connection_that_is_wanted_again)
{
	int p = proc("svc", NULL);
	struct peer_info i;
	uint64_t end = now_ms() + WAIT_MS;
	DEFINE_BUF(d);
	DEFINE_BUF(b);

	ASSERT_EQ(0, dial(self->node, &self->w, 7, &b));
	ASSERT_EQ(0, prove(&self->w, COOKIE));
	close(self->w.fd);
	do {
		ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	} while (i.state != ERLDIST_PEER_STATE_DOWN && now_ms() < end);
	ASSERT_LT(0, proc_send(p, fmt(&d, "{aa}", "x", "w@h"), term(&b, "i", 1)));
	ASSERT_EQ(0, node_event(self->node, &i, WAIT_MS));
	EXPECT_EQ(ERLDIST_PENDING_UP | ERLDIST_PENDING_DOWN | ERLDIST_PENDING_WANTED,
		  i.pending);
	EXPECT_EQ(7, i.tag);
}

/* A running connection, and many who claim to be its peer and prove nothing */
TEST_F(status, strangers_do_not_replace_a_connection)
{
	int p = proc("svc", NULL), far[16];
	uint64_t first, end;
	struct node_info k;
	struct peer_info i;
	DEFINE_BUF(b);

	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_TCP4,
				  ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	first = i.connection;
	ASSERT_EQ(0, set_setup(self->node, 3000));
	for (size_t n = 0; n < ARRAY_SIZE(far); n++) {
		ASSERT_EQ(0, dial(self->node, &self->w2, 2, &b));
		EXPECT_TRUE(hs_is_status(&b, "alive"));
		if (n & 1) {
			ASSERT_EQ(0, say(&self->w2, "true"));
			ASSERT_EQ(0, hs_recv(&self->w2, &b, WAIT_MS));
		}
		far[n] = self->w2.fd;
		EXPECT_TRUE(usable(&self->w, p));
	}
	for (size_t n = 0; n < ARRAY_SIZE(far) / 2; n++)
		close(far[n]);
	/* the others end by themselves */
	end = now_ms() + WAIT_MS;
	do {
		sleep_ms(2);
		ASSERT_EQ(0, node_info("k@h", &k));
	} while (k.handshakes && now_ms() < end);
	EXPECT_EQ(0, k.handshakes);
	EXPECT_EQ(ARRAY_SIZE(far), k.handshakes_failed);
	EXPECT_TRUE(usable(&self->w, p));
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	EXPECT_EQ(first, i.connection);
}

/* A stream whose handshake was done in user space */

TEST_F(status, ready)
{
	int p = proc("svc", NULL), sv[2];
	struct epid from = wire_pid(&self->w, 1);
	struct peer_info i;
	DEFINE_FRAME(f);
	DEFINE_BUF(b);
	DEFINE_BUF(hello);
	DEFINE_BUF(ctl);
	DEFINE_BUF(dest);

	/* two messages, the second one half read already */
	self->w.header = true;
	term(&hello, "{ab}", "hello", "early");
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	wire_frame(&self->w, &b, &ctl, &hello);
	wire_frame(&self->w, &b, &ctl, &hello);
	stream_pair(CARRIER_TCP4, sv);
	self->w.fd = sv[1];

	size_t whole = b.len;

	b.len -= 10;
	ASSERT_EQ(0, node_channel(self->node, &(struct channel){
		.fd = sv[0], .role = ERLDIST_ROLE_READY, .peer = "w@h", .tag = 9,
		.flags = DEFAULT_FLAGS, .creation = self->w.creation, .data = &b }));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, &i));
	EXPECT_EQ(9, i.tag);
	EXPECT_EQ(self->w.creation, i.creation);
	EXPECT_TRUE(proc_expect(p, &hello));
	EXPECT_FALSE(poll_for(p, POLLIN, QUIET_MS));
	ASSERT_EQ(0, wire_write(&self->w, b.p + b.len, whole - b.len));
	EXPECT_TRUE(proc_expect(p, &hello));

	term(&dest, "{aa}", "them", "w@h");
	ASSERT_EQ(hello.len, proc_send(p, &dest, &hello));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_TRUE(buf_eq(&f.msg, &hello));
}

/* More frames were read than are taken at once, and nothing comes behind them */
TEST_F(status, ready_with_all_there_will_be)
{
	int p = proc("svc", NULL), sv[2];
	struct epid from = wire_pid(&self->w, 1);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(b);

	self->w.header = true;
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	for (int n = 0; n < 1000; n++)
		wire_frame(&self->w, &b, &ctl, term(&msg, "i", n));
	stream_pair(CARRIER_TCP4, sv);
	close(sv[1]);
	ASSERT_TRUE(poll_for(sv[0], POLLRDHUP, WAIT_MS));
	ASSERT_EQ(0, node_channel(self->node, &(struct channel){
		.fd = sv[0], .role = ERLDIST_ROLE_READY, .peer = "w@h",
		.flags = DEFAULT_FLAGS, .creation = self->w.creation, .data = &b }));
	for (int n = 0; n < 1000; n++) {
		ASSERT_TRUE(proc_expect(p, term(&msg, "i", n))) {
			TH_LOG("message %d", n);
		}
	}
}

TEST_F(status, ready_with_flags_that_do_not_suffice)
{
	int sv[2];

	stream_pair(CARRIER_TCP4, sv);
	EXPECT_GT(0, node_channel(self->node, &(struct channel){
		.fd = sv[0], .role = ERLDIST_ROLE_READY, .peer = "w@h",
		.flags = 0x4000000, .creation = 5 }));
	EXPECT_GT(0, node_channel(self->node, &(struct channel){
		.fd = sv[0], .role = ERLDIST_ROLE_READY, .peer = "no name",
		.flags = DEFAULT_FLAGS, .creation = 5 }));
	EXPECT_GT(0, node_channel(self->node, &(struct channel){
		.fd = sv[0], .role = ERLDIST_ROLE_READY, .peer = "k@h",
		.flags = DEFAULT_FLAGS, .creation = 5 }));
}

/* Limit */

static bool handshakes_are(uint32_t n)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct node_info i;

	while (!node_info("k@h", &i) && i.handshakes != n) {
		if (now_ms() > end)
			return false;
		sleep_ms(2);
	}
	return i.handshakes == n;
}

/* A stream of which nothing comes, from one address or without any */
static int silent(int node, enum carrier carrier)
{
	int sv[2], err;

	stream_pair(carrier, sv);
	err = node_accept(node, sv[0], 0);
	close(sv[0]);
	return err ?: sv[1];
}

static int ended(const int *fd, int n)
{
	int k = 0;

	while (n--)
		k += !!(poll_now(fd[n]) & POLLHUP);
	return k;
}

#define HANDSHAKES	64

TEST_F(status, handshakes_at_a_time)
{
	int far[2 * HANDSHAKES];

	/* none ends by itself */
	ASSERT_EQ(0, set_setup(self->node, 5 * WAIT_MS));
	for (int n = 0; n < HANDSHAKES; n++) {
		far[n] = silent(self->node, CARRIER_UNIX);
		ASSERT_LE(0, far[n]);
	}
	EXPECT_TRUE(handshakes_are(HANDSHAKES));
	EXPECT_EQ(0, ended(far, HANDSHAKES));
	/* for each that comes now another one goes */
	for (int n = HANDSHAKES; n < 2 * HANDSHAKES; n++) {
		far[n] = silent(self->node, CARRIER_UNIX);
		ASSERT_LE(0, far[n]);
		ASSERT_TRUE(handshakes_are(HANDSHAKES));
		EXPECT_EQ(0, ended(far + n, 1));
	}
	EXPECT_EQ(HANDSHAKES, ended(far, 2 * HANDSHAKES));
	/* not the oldest ones, nor the newest */
	EXPECT_GT(HANDSHAKES, ended(far, HANDSHAKES));
	EXPECT_LT(HANDSHAKES / 4, ended(far, HANDSHAKES));
	/* whom the node calls does not count: strangers cannot keep it from that */
	ASSERT_EQ(0, dialled(self->node, &self->w2, 1));
	ASSERT_EQ(0, say(&self->w2, "ok"));
	ASSERT_EQ(0, challenge_it(&self->w2));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	EXPECT_EQ(HANDSHAKES, ended(far, 2 * HANDSHAKES));
	/* connections that are up do not count, and stay */
	self->w.fd = -1;
	snprintf(self->w.name, sizeof(self->w.name), "v@h");
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_UNIX,
				  ERLDIST_ROLE_ACCEPTOR));
	EXPECT_EQ(HANDSHAKES + 1, ended(far, 2 * HANDSHAKES));
	for (int n = 0; n < HANDSHAKES; n++)
		ASSERT_LE(0, silent(self->node, CARRIER_UNIX));
	EXPECT_TRUE(usable(&self->w, proc("svc", NULL)));
}

/* One that comes by itself, whose cookie is proven while strangers of its address come */
static bool survives_strangers(int node, struct wire *w, int far[2 * HANDSHAKES])
{
	DEFINE_BUF(b);

	wire_init(w, -1, "v@h");
	if (dial(node, w, 1, &b) || hs_recv(w, &b, WAIT_MS) || !hs_take_challenge(w, &b))
		return false;
	b.len = 0;
	hs_reply(w, &b);
	hs_send(w, &b);
	/* it is proven now, and is being adopted */
	sleep_ms(40);
	for (int n = HANDSHAKES - 1; n < 2 * HANDSHAKES; n++)
		far[n] = silent(node, CARRIER_TCP4);
	return !hs_recv(w, &b, WAIT_MS) && hs_take_ack(w, &b);
}

/* A handshake whose cookie is proven is not ended for one that has proven nothing */
TEST_F_TIMEOUT(status, proven_among_strangers, 120)
{
	int adopt = delay_calls("erldist_peer_adopt"), watch = delay_calls("erldist_watch_up");
	int far[2 * HANDSHAKES], survived = 0;

	if (adopt < 0 || watch < 0)
		SKIP(return, "no kprobes here");
	ASSERT_EQ(0, set_setup(self->node, 5 * WAIT_MS));
	for (int round = 0; round < 8; round++) {
		for (int n = 0; n < HANDSHAKES - 1; n++)
			far[n] = silent(self->node, CARRIER_TCP4);
		ASSERT_TRUE(handshakes_are(HANDSHAKES - 1));
		survived += survives_strangers(self->node, &self->w, far);
		for (int n = 0; n < 2 * HANDSHAKES; n++)
			close(far[n]);
		close(self->w.fd);
		ASSERT_TRUE(handshakes_are(0));
	}
	/* on a slow host one or two are ended before they are proven */
	EXPECT_LE(6, survived);
	close(adopt);
	close(watch);
}

#define WAITING		8

/* Those that have proven the cookie, and wait for our attempt to end, do not count */
TEST_F(status, proven_ones_that_wait)
{
	struct erldist_limits limits = { .handshakes = WAITING / 2 };
	struct wire in[WAITING], out[WAITING];
	char name[16];

	ASSERT_EQ(0, set_setup(self->node, 5 * WAIT_MS));
	for (int n = 0; n < WAITING; n++) {
		snprintf(name, sizeof(name), "a%d@h", n);
		ASSERT_EQ(0, both_began(self->node, &in[n], &out[n], name));
		ASSERT_FALSE(poll_for(in[n].fd, POLLIN, QUIET_MS));
	}
	ASSERT_EQ(0, node_set_limits(self->node, &limits));
	EXPECT_TRUE(handshakes_are(0));
	self->w.fd = -1;
	EXPECT_EQ(0, wire_connect(&self->w, self->node, CARRIER_UNIX,
				  ERLDIST_ROLE_ACCEPTOR));
	for (int n = 0; n < WAITING; n++)
		EXPECT_EQ(0, poll_now(in[n].fd) & (POLLIN | POLLHUP));
}

/* Strangers of one address end each other, and none of another address */
TEST_F(status, handshakes_of_another_address)
{
	int far[8], n;
	DEFINE_BUF(b);

	ASSERT_EQ(0, set_setup(self->node, 5 * WAIT_MS));
	for (n = 0; n < 8; n++) {
		far[n] = silent(self->node, CARRIER_UNIX);
		ASSERT_LE(0, far[n]);
	}
	for (n = 0; n < 2 * HANDSHAKES; n++)
		ASSERT_LE(0, silent(self->node, CARRIER_TCP4));
	self->w.fd = -1;
	snprintf(self->w.name, sizeof(self->w.name), "v@h");
	ASSERT_EQ(0, dial(self->node, &self->w2, 1, &b));
	close(self->w2.fd);
	EXPECT_EQ(0, ended(far, 8));
	ASSERT_EQ(0, wire_connect(&self->w, self->node, CARRIER_UNIX,
				  ERLDIST_ROLE_ACCEPTOR));
}

TEST_HARNESS_MAIN
