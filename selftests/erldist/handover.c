// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream that was handed over is still a descriptor of the program that gave
 * it. Whatever that program does with it, the kernel and the node survive; at
 * worst this one connection ends.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

#ifndef TCP_ULP
#define TCP_ULP		31
#endif
#ifndef TCP_REPAIR
#define TCP_REPAIR	19
#endif

FIXTURE(handover) {
	int node;
	int svc;
	int given;	/* our descriptor of the end that the kernel has */
	struct wire w;
};

FIXTURE_VARIANT(handover) {
	enum carrier carrier;
};

FIXTURE_VARIANT_ADD(handover, tcp4) {
	.carrier = CARRIER_TCP4,
};

FIXTURE_VARIANT_ADD(handover, tcp6) {
	.carrier = CARRIER_TCP6,
};

FIXTURE_VARIANT_ADD(handover, unix_stream) {
	.carrier = CARRIER_UNIX,
};

FIXTURE_SETUP(handover)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->svc = proc("svc", NULL);
	self->given = -1;
}

FIXTURE_TEARDOWN(handover)
{
}

/* Connected, and the descriptor is kept */
static int connect_kept(FIXTURE_DATA(handover) *self, enum carrier carrier)
{
	int sv[2], err;

	wire_init(&self->w, -1, "w@h");
	stream_pair(carrier, sv);
	self->given = sv[0];
	self->w.fd = sv[1];
	err = node_accept(self->node, sv[0], 0);
	if (!err)
		err = wire_initiate(&self->w);
	return err ? err : node_wait(self->node, ERLDIST_PENDING_UP, NULL);
}

#define CONNECT()							\
	ASSERT_EQ(0, connect_kept(self, variant->carrier))

static bool works(FIXTURE_DATA(handover) *self)
{
	static int n;
	DEFINE_BUF(msg);
	DEFINE_BUF(d);
	DEFINE_FRAME(f);

	term(&msg, "i", ++n);
	if (wire_reg_send(&self->w, "svc", &msg) || !proc_expect(self->svc, &msg))
		return false;
	fmt(&d, "{aa}", "x", "w@h");
	return proc_send(self->svc, &d, &msg) > 0 &&
	       !wire_recv(&self->w, &f, WAIT_MS) && buf_eq(&f.msg, &msg);
}

/* The connection ended, and a new one does what it should */
static bool ended(FIXTURE_DATA(handover) *self, enum carrier carrier)
{
	if (node_wait(self->node, ERLDIST_PENDING_DOWN, NULL))
		return false;
	close(self->given);
	wire_close(&self->w);
	return !connect_kept(self, carrier) && works(self);
}

static bool is_tcp(const FIXTURE_VARIANT(handover) *variant)
{
	return variant->carrier != CARRIER_UNIX;
}

TEST_F(handover, close_by_the_giver)
{
	CONNECT();
	close(self->given);
	EXPECT_TRUE(works(self));
}

TEST_F(handover, shutdown_by_the_giver)
{
	static const int how[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };

	CONNECT();
	for (int i = 0; i < 3; i++) {
		shutdown(self->given, how[i]);
		/* half of it is still open, until the peer sees the other half */
		wire_tick(&self->w);
		if (!poll_for(self->node, POLLIN, 200))
			shutdown(self->w.fd, SHUT_RDWR);
		EXPECT_TRUE(ended(self, variant->carrier)) {
			TH_LOG("shutdown %d", how[i]);
		}
	}
}

TEST_F(handover, other_protocols_on_top)
{
	CONNECT();
	if (!is_tcp(variant))
		SKIP(return, "TCP only");
	EXPECT_EQ(-1, setsockopt(self->given, SOL_TCP, TCP_ULP, "tls", 3));
	EXPECT_EQ(-1, setsockopt(self->given, SOL_TCP, TCP_ULP, "erldist", 7));
	EXPECT_EQ(-1, setsockopt(self->given, SOL_TCP, TCP_ULP, "smc", 3));
	EXPECT_TRUE(works(self));
}

/* The node's own protocol is not for sockets that no node has */
TEST_F(handover, our_protocol_by_hand)
{
	int sv[2];

	if (!is_tcp(variant))
		SKIP(return, "TCP only");
	stream_pair(variant->carrier, sv);
	EXPECT_EQ(-1, setsockopt(sv[0], SOL_TCP, TCP_ULP, "erldist", 7));
	EXPECT_EQ(EPERM, errno);
}

/* How often the module is in use, once that does not change any more */
static long module_uses(void)
{
	long n = -1, last;

	for (int same = 0, i = 0; same < 5 && i < 100; i++) {
		FILE *f = fopen("/sys/module/erldist/refcnt", "r");

		last = n;
		if (!f || fscanf(f, "%ld", &n) != 1)
			n = -1;
		if (f)
			fclose(f);
		same = n == last ? same + 1 : 0;
		sleep_ms(50);
	}
	return n;
}

/* TCP can have a socket for minutes after all have closed it */
TEST_F(handover, stream_that_is_over_leaves_the_module)
{
	long uses;

	CONNECT();
	shutdown(self->w.fd, SHUT_RDWR);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	uses = module_uses();
	if (uses < 0)
		SKIP(return, "the module is built in");
	close(self->given);
	EXPECT_EQ(uses, module_uses());
}

/* A timer that is armed anew while it is being cancelled leaves nothing behind */
TEST_F(handover, end_beside_a_tick)
{
	struct erldist_ticktime t = { .ticktime = 2000, .intensity = 1000 };
	int delay = delay_calls("erldist_tx_tick");
	long uses;

	if (!is_tcp(variant))
		SKIP(return, "the module's uses tell of TCP only");
	if (delay < 0)
		SKIP(return, "no delay of calls on this kernel");
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t, sizeof(t)));
	uses = module_uses();
	for (int i = 0; i < 4; i++) {
		CONNECT();
		sleep_ms(20);
		shutdown(self->w.fd, SHUT_RDWR);
		ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
		close(self->given);
		wire_close(&self->w);
	}
	EXPECT_EQ(uses, module_uses());
	close(delay);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int sockmap(void)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4,
			     .value_size = 4, .max_entries = 4 };

	return bpf(BPF_MAP_CREATE, &a);
}

static int sockmap_add(int map, int fd)
{
	uint32_t key = 0;
	union bpf_attr a = { .map_fd = map, .key = (uintptr_t)&key,
			     .value = (uintptr_t)&fd, .flags = BPF_ANY };

	return bpf(BPF_MAP_UPDATE_ELEM, &a);
}

TEST_F(handover, sockmap_after)
{
	int map = sockmap();

	if (map < 0)
		SKIP(return, "no sockmap here: %s", strerror(errno));
	CONNECT();
	if (is_tcp(variant)) {
		EXPECT_EQ(-1, sockmap_add(map, self->given));
		EXPECT_TRUE(works(self));
	} else {
		/* AF_UNIX has no slot to refuse with: it must only survive */
		sockmap_add(map, self->given);
		shutdown(self->given, SHUT_RDWR);
		close(map);
		EXPECT_TRUE(ended(self, variant->carrier));
	}
}

TEST_F(handover, sockmap_before)
{
	int map = sockmap(), sv[2];

	if (map < 0)
		SKIP(return, "no sockmap here: %s", strerror(errno));
	stream_pair(variant->carrier, sv);
	if (sockmap_add(map, sv[0]))
		SKIP(return, "sockmap does not take it: %s", strerror(errno));
	EXPECT_EQ(-EBUSY, node_accept(self->node, sv[0], 0));
}

TEST_F(handover, listen)
{
	CONNECT();
	EXPECT_EQ(-1, listen(self->given, 5));
	EXPECT_TRUE(works(self));
}

/* A child, whose callbacks are those of the socket that listens */
static bool has_child(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	bool some = false;
	int sv[2];

	if (getsockname(fd, (void *)&a, &len))
		return false;
	sv[0] = socket(a.ss_family, SOCK_STREAM, 0);
	if (!connect(sv[0], (void *)&a, len)) {
		sv[1] = accept(fd, NULL, NULL);
		some = sv[1] >= 0;
		send(sv[0], "x", 1, MSG_NOSIGNAL);
		close(sv[1]);
	}
	close(sv[0]);
	return some;
}

/*
 * A disconnected socket could listen, and its children inherit callbacks: it cannot until
 * the node has given it back.
 */
TEST_F(handover, disconnect_and_listen)
{
	struct erldist_ticktime t = { .ticktime = 6000, .intensity = 8 };
	struct sockaddr a = { .sa_family = AF_UNSPEC };

	/* it is noticed at the next tick, if not at once */
	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	CONNECT();
	if (!is_tcp(variant))
		SKIP(return, "TCP only");
	ASSERT_EQ(0, connect(self->given, &a, sizeof(a)));
	EXPECT_TRUE(listen(self->given, 5) || has_child(self->given));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	module_uses();
	EXPECT_EQ(0, listen(self->given, 5));
	EXPECT_TRUE(has_child(self->given));
	close(self->given);
	wire_close(&self->w);
	ASSERT_EQ(0, connect_kept(self, variant->carrier));
	EXPECT_TRUE(works(self));
}

TEST_F(handover, reading_by_the_giver)
{
	char buf[4096];
	DEFINE_BUF(msg);

	CONNECT();
	for (int i = 0; i < 200; i++) {
		wire_reg_send(&self->w, "svc", term(&msg, "i", i));
		recv(self->given, buf, 1 + i % 50, MSG_DONTWAIT);
		recv(self->given, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
	}
	while (poll_for(self->svc, POLLIN, QUIET_MS)) {
		DEFINE_MSG(m);

		proc_recv(self->svc, &m, 0);
	}
	/* what was stolen may leave half a frame: end it */
	shutdown(self->given, SHUT_RDWR);
	EXPECT_TRUE(ended(self, variant->carrier));
}

TEST_F(handover, writing_by_the_giver)
{
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	CONNECT();
	fmt(&d, "{aa}", "x", "w@h");
	for (int i = 0; i < 100; i++) {
		send(self->given, "\0\0\0\0", 4, MSG_DONTWAIT | MSG_NOSIGNAL);
		EXPECT_LT(0, proc_send(self->svc, &d, term(&msg, "i", i)));
	}
	for (int i = 0; i < 100; i++) {
		DEFINE_FRAME(f);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS)) {
			TH_LOG("whole frames between ticks, frame %d", i);
		}
		EXPECT_TRUE(buf_eq(&f.msg, term(&msg, "i", i)));
	}
}

static int set_int(int fd, int level, int option, int v)
{
	return setsockopt(fd, level, option, &v, sizeof(v)) ? -errno : 0;
}

/* What hides data from the kernel is repaired by the tick */
TEST_F_TIMEOUT(handover, low_water_mark, 60)
{
	struct erldist_ticktime t = { .ticktime = 6000, .intensity = 8 };

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	CONNECT();
	EXPECT_EQ(0, set_int(self->given, SOL_SOCKET, SO_RCVLOWAT, 100000));
	EXPECT_TRUE(works(self));
	if (is_tcp(variant)) {
		EXPECT_EQ(0, set_int(self->given, SOL_TCP, TCP_CORK, 1));
		EXPECT_TRUE(works(self));
	}
}

TEST_F(handover, socket_is_normalised)
{
	int sv[2], v;
	socklen_t len = sizeof(v);

	wire_init(&self->w, -1, "w@h");
	stream_pair(variant->carrier, sv);
	self->w.fd = sv[1];
	set_int(sv[0], SOL_SOCKET, SO_RCVLOWAT, 100000);
	if (is_tcp(variant)) {
		set_int(sv[0], SOL_TCP, TCP_CORK, 1);
		set_int(sv[0], SOL_TCP, TCP_NODELAY, 0);
	}
	ASSERT_EQ(0, node_accept(self->node, sv[0], 0));
	EXPECT_EQ(0, wire_initiate(&self->w));
	if (!is_tcp(variant))
		return;
	ASSERT_EQ(0, getsockopt(sv[0], SOL_TCP, TCP_NODELAY, &v, &len));
	EXPECT_EQ(1, v);
	ASSERT_EQ(0, getsockopt(sv[0], SOL_TCP, TCP_CORK, &v, &len));
	EXPECT_EQ(0, v);
}

TEST_F(handover, repair_mode)
{
	int sv[2];

	if (!is_tcp(variant))
		SKIP(return, "TCP only");
	stream_pair(variant->carrier, sv);
	if (set_int(sv[0], SOL_TCP, TCP_REPAIR, 1))
		SKIP(return, "no TCP_REPAIR here");
	EXPECT_EQ(-EBUSY, node_accept(self->node, sv[0], 0));
	CONNECT();
	set_int(self->given, SOL_TCP, TCP_REPAIR, 1);
	wire_tick(&self->w);
	set_int(self->given, SOL_TCP, TCP_REPAIR, 0);
	shutdown(self->w.fd, SHUT_RDWR);
	shutdown(self->given, SHUT_RDWR);
	EXPECT_TRUE(ended(self, variant->carrier));
}

TEST_F(handover, twice)
{
	int other = node("l@h");
	struct channel c;

	CONNECT();
	c = (struct channel){ .fd = self->given, .role = ERLDIST_ROLE_ACCEPTOR };
	EXPECT_EQ(-EBUSY, node_channel(self->node, &c));
	EXPECT_EQ(-EBUSY, node_channel(other, &c));
	EXPECT_TRUE(works(self));
	if (!is_tcp(variant))
		return;
	/* nor when it is closed: its protocol stays until its last close */
	shutdown(self->w.fd, SHUT_RDWR);
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, NULL));
	EXPECT_GT(0, node_channel(other, &c));
}

/* A lingering close must not hold up whoever closes the node */
TEST_F_TIMEOUT(handover, linger, 60)
{
	struct linger l = { .l_onoff = 1, .l_linger = 30 };
	struct epid to;
	uint64_t begin;
	DEFINE_BUF(big);
	DEFINE_BUF(d);

	CONNECT();
	to = wire_pid(&self->w, 5);
	ASSERT_EQ(0, setsockopt(self->given, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	buf_u8(&big, 109);
	buf_be32(&big, 8 << 20);
	memset(buf_grow(&big, 8 << 20), 0, 8 << 20);
	EXPECT_LT(0, proc_send(self->svc, fmt(&d, "p", &to), &big));
	close(self->given);
	begin = now_ms();
	close(self->node);
	EXPECT_GT(5000, now_ms() - begin);
	EXPECT_LE(0, node("k@h"));
}

TEST_F(handover, data_and_end_that_are_there_already)
{
	struct node_info i;
	uint64_t end;
	int sv[2], n;
	DEFINE_BUF(b);
	DEFINE_BUF(in);

	stream_pair(variant->carrier, sv);
	wire_init(&self->w, sv[1], "w@h");
	hs_name(&self->w, &b);
	ASSERT_EQ(0, hs_send(&self->w, &b));
	ASSERT_EQ(0, node_accept(self->node, sv[0], 0));
	EXPECT_EQ(0, hs_recv(&self->w, &in, WAIT_MS));
	close(sv[1]);

	stream_pair(variant->carrier, sv);
	shutdown(sv[1], SHUT_WR);
	n = node_accept(self->node, sv[0], 0);
	EXPECT_TRUE(!n || n == -ENOTCONN);
	end = now_ms() + WAIT_MS;
	do {
		sleep_ms(2);
		ASSERT_EQ(0, node_info("k@h", &i));
	} while (i.handshakes_failed < 1 + !n && now_ms() < end);
	EXPECT_EQ(1 + !n, i.handshakes_failed);
}

/* The module stays while anything of it is in use */
TEST_F(handover, no_unloading)
{
	CONNECT();
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(-1, syscall(SYS_delete_module, "erldist", O_NONBLOCK));
		EXPECT_TRUE(works(self));
	}
}

/* A node that is reachable only through its own channel goes all the same */
TEST_F_TIMEOUT(handover, cycle_through_scm_rights, 60)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "\0\0\0\0", 4 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	uint64_t end;
	int again = -1;

	if (is_tcp(variant))
		SKIP(return, "AF_UNIX only");
	CONNECT();
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &self->node, sizeof(int));
	ASSERT_EQ(4, sendmsg(self->w.fd, &h, 0));
	close(self->node);
	close(self->given);
	close(self->w.fd);
	end = now_ms() + WAIT_MS;
	while (again < 0 && now_ms() < end) {
		again = node_open(&(struct node_config){ .name = "k@h" });
		sleep_ms(5);
	}
	EXPECT_LE(0, again);
}

/* All of it at once, while channels come and go */

/*
 * The attacked stream is a descriptor of the attacker's own: the number of the giver's
 * is free again after close(), and the next pair of sockets would get it.
 */
#define ATTACKED	500

struct attack {
	FIXTURE_DATA(handover) *self;
	atomic_int fd;
	atomic_bool stop;
};

static void *attack(void *arg)
{
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	struct attack *x = arg;
	unsigned int seed = 1;
	char buf[256];

	while (!x->stop) {
		int fd = x->fd;

		switch (rand_r(&seed) % 9) {
		case 0:
			setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 3);
			break;
		case 1:
			listen(fd, 3);
			break;
		case 2:
			recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
			break;
		case 3:
			send(fd, "\0\0\0\0", 4, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		case 4:
			set_int(fd, SOL_SOCKET, SO_RCVLOWAT, rand_r(&seed) % 5000);
			break;
		case 5:
			set_int(fd, SOL_TCP, TCP_CORK, rand_r(&seed) % 2);
			break;
		case 6:
			connect(fd, &unspec, sizeof(unspec));
			break;
		case 7:
			shutdown(fd, rand_r(&seed) % 3);
			break;
		case 8:
			poll_for(fd, POLLIN | POLLOUT | POLLRDHUP, 1);
			break;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(handover, everything_at_once, 240)
{
	unsigned int rounds = scaled(60);
	struct attack x = { .self = self, .fd = -1 };
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, attack, &x));
	for (unsigned int i = 0; i < rounds; i++) {
		int n = node("n@h"), sv[2];
		struct wire w;
		DEFINE_BUF(b);

		stream_pair(variant->carrier, sv);
		ASSERT_EQ(ATTACKED, dup2(sv[0], ATTACKED));
		x.fd = ATTACKED;
		if (i & 1)
			node_accept(n, sv[0], 0);
		else
			node_dial(n, sv[0], "w@h", 0);
		wire_init(&w, sv[1], "w@h");
		if (i & 1) {
			hs_name(&w, &b);
			hs_send(&w, &b);
			hs_recv(&w, &b, 20);
		} else {
			hs_recv(&w, &b, 20);
		}
		if (i & 2)
			close(n);
		sleep_ms(i % 4);
		x.fd = -1;
		close(ATTACKED);
		close(sv[0]);
		wire_close(&w);
		if (!(i & 2))
			close(n);
	}
	x.stop = true;
	pthread_join(t, NULL);
	CONNECT();
	EXPECT_TRUE(works(self));
}

TEST_HARNESS_MAIN
