// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers that sleep, and readers that never read: what comes for them costs
 * their neighbours on the same connection little, and a stated time at most.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(overload) {
	int node;
	struct wire w;
	struct erldist_limits l;
};

FIXTURE_SETUP(overload)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	ASSERT_EQ(0, node_limits(self->node, &self->l));
}

FIXTURE_TEARDOWN(overload)
{
}

#define BURST	10000

/* A program asleep while a burst comes for it, and a neighbour that is not */
TEST_F_TIMEOUT(overload, burst_to_a_sleeper, 120)
{
	int p = proc("sleeper", NULL), q = proc("neighbour", NULL);
	struct epid from = wire_pid(&self->w, 1);
	uint64_t begin, waited;
	struct node_info info;
	struct peer_info peer;
	DEFINE_BUF(all);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);

	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "sleeper");
	for (int i = 0; i < BURST; i++) {
		term(&msg, "{ib}", i, "0123456789012345678901234567890123456789");
		wire_frame(&self->w, &all, &ctl, &msg);
	}
	begin = now_ms();
	ASSERT_EQ(0, wire_write(&self->w, all.p, all.len));
	ASSERT_EQ(0, wire_reg_send(&self->w, "neighbour", term(&msg, "a", "hello")));
	ASSERT_TRUE(proc_expect(q, &msg));
	waited = now_ms() - begin;
	EXPECT_GT(5000, waited) {
		TH_LOG("the neighbour waited %llu ms for the bytes ahead of its own",
		       (unsigned long long)waited);
	}
	/* nothing of that is a stall */
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, wire_reg_send(&self->w, "neighbour", &msg));
		ASSERT_TRUE(proc_expect(q, &msg));
	}
	ASSERT_EQ(0, peer_get("k@h", "w@h", &peer));
	EXPECT_EQ(0, peer.stalled);
	sleep_ms(1000);
	for (int i = 0; i < BURST; i++) {
		term(&msg, "{ib}", i, "0123456789012345678901234567890123456789");
		ASSERT_TRUE(proc_expect(p, &msg)) {
			TH_LOG("message %d", i);
		}
	}
	ASSERT_EQ(0, node_info("k@h", &info));
	EXPECT_EQ(0, info.overflows);
}

#define POOL	(2 << 20)
#define STALL	2500
#define PIECE	10000

struct writer {
	struct wire *w;
	int hogs;
	int rounds;
	bool failed;
};

/* Rounds of one message for each hog and one for the neighbour */
static void *write_all(void *arg)
{
	struct writer *x = arg;
	char name[16];
	DEFINE_BUF(big);
	DEFINE_BUF(small);

	buf_u8(&big, 109);
	buf_be32(&big, PIECE);
	memset(buf_grow(&big, PIECE), 'x', PIECE);
	for (int i = 0; i < x->rounds && !x->failed; i++) {
		for (int h = 0; h < x->hogs && !x->failed; h++) {
			snprintf(name, sizeof(name), "hog%d", h);
			x->failed = wire_reg_send(x->w, name, &big);
		}
		if (wire_reg_send(x->w, "neighbour", term(&small, "i", i)))
			x->failed = true;
	}
	return NULL;
}

/*
 * So many processes that never read, sent several times what the pool holds.
 * The neighbour gets all that is for it, and the whole of its waiting is one
 * stall time; who did not read has ended, and no one else.
 */
static void never_read(struct __test_metadata *_metadata,
		       FIXTURE_DATA(overload) *self, int hogs)
{
	struct writer x = { .w = &self->w, .hogs = hogs,
			    .rounds = (hogs == 1 ? 4 : 12) * POOL / PIECE / hogs };
	int fd[hogs], q = proc("neighbour", NULL), ended = 0;
	uint64_t last, longest = 0;
	struct peer_info peer;
	struct node_info info;
	pthread_t t;
	char name[16];
	DEFINE_MSG(m);

	self->l.max_message = 1 << 20;
	self->l.mailbox_pool = POOL;
	self->l.stall = STALL;
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	for (int i = 0; i < hogs; i++) {
		snprintf(name, sizeof(name), "hog%d", i);
		fd[i] = proc(name, NULL);
	}
	ASSERT_EQ(0, pthread_create(&t, NULL, write_all, &x));
	last = now_ms();
	for (int i = 0; i < x.rounds; i++) {
		uint64_t now;
		DEFINE_BUF(small);

		ASSERT_TRUE(proc_expect(q, term(&small, "i", i))) {
			TH_LOG("round %d", i);
		}
		now = now_ms();
		if (now - last > longest)
			longest = now - last;
		last = now;
	}
	pthread_join(t, NULL);
	EXPECT_FALSE(x.failed);
	EXPECT_GT(2 * STALL, longest) {
		TH_LOG("the longest wait was %llu ms", (unsigned long long)longest);
	}
	ASSERT_EQ(0, peer_get("k@h", "w@h", &peer));
	EXPECT_LT(0, peer.stalled);
	EXPECT_GT(2 * STALL, peer.stalled) {
		TH_LOG("held up for %llu ms in all", (unsigned long long)peer.stalled);
	}
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, peer.state);
	for (int i = 0; i < hogs; i++) {
		DEFINE_BUF(reason);
		DEFINE_BUF(want);

		if (!(poll_now(fd[i]) & POLLHUP))
			continue;
		ended++;
		EXPECT_EQ(-ENOBUFS, proc_recv(fd[i], &m, 0));
		EXPECT_EQ(0, proc_term(fd[i], ERLDIST_EXIT_STATUS, &reason));
		EXPECT_TRUE(buf_eq(&reason, fmt(&want, "a", "mailbox_overflow")));
	}
	EXPECT_LT(0, ended);
	ASSERT_EQ(0, node_info("k@h", &info));
	EXPECT_EQ(ended, info.overflows);
	EXPECT_GE(POOL + (1 << 20), info.pool_used);
}

TEST_F_TIMEOUT(overload, one_that_never_reads, 120)
{
	never_read(_metadata, self, 1);
}

TEST_F_TIMEOUT(overload, hundred_that_never_read, 300)
{
	never_read(_metadata, self, 100);
}

/*
 * Large messages in fragments, interleaved, that cannot all be whole at once:
 * waiting cannot help, so some receivers end at once and others get theirs.
 */
#define LARGE	(1024 * 1024)
#define PARTS	(LARGE / 65536)

struct interleave {
	struct wire *w;
	bool failed;
};

static void *write_interleaved(void *arg)
{
	struct interleave *x = arg;
	struct epid from = wire_pid(x->w, 1);
	DEFINE_BUF(msg);
	DEFINE_BUF(part);

	buf_u8(&msg, 109);
	buf_be32(&msg, LARGE - 5);
	memset(buf_grow(&msg, LARGE - 5), 'y', LARGE - 5);
	for (int i = 0; i < PARTS && !x->failed; i++) {
		for (int s = 0; s < 8; s++) {
			char name[16];
			DEFINE_BUF(ctl);

			snprintf(name, sizeof(name), "p%d", s);
			fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", name);
			part.len = 0;
			wire_fragment(&part, i ? 70 : 69, s + 1, PARTS - i,
				      i ? NULL : &ctl, msg.p + i * 65536, 65536);
			if (wire_write(x->w, part.p, part.len))
				x->failed = true;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(overload, large_ones_interleaved, 120)
{
	struct interleave x = { .w = &self->w };
	int p[8], q = proc("neighbour", NULL), whole = 0, ended = 0;
	uint64_t begin = now_ms();
	struct node_info info;
	char name[16];
	pthread_t t;
	DEFINE_BUF(msg);

	self->l.max_message = LARGE;
	self->l.mailbox_pool = POOL;
	self->l.fragments = 16;
	self->l.stall = 500;
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		p[i] = proc(name, NULL);
	}
	ASSERT_EQ(0, pthread_create(&t, NULL, write_interleaved, &x));
	pthread_join(t, NULL);
	EXPECT_FALSE(x.failed);
	ASSERT_EQ(0, wire_reg_send(&self->w, "neighbour", term(&msg, "a", "hello")));
	EXPECT_TRUE(proc_expect(q, &msg));
	for (int i = 0; i < 8; i++) {
		DEFINE_MSG(m);
		int err = proc_recv(p[i], &m, 1000);

		whole += !err && m.term.len == LARGE;
		ended += err == -ENOBUFS;
	}
	EXPECT_EQ(8, whole + ended);
	EXPECT_LT(0, whole);
	EXPECT_LT(0, ended);
	EXPECT_GT(30000, now_ms() - begin);
	EXPECT_TRUE(pool_is_empty("k@h"));
	ASSERT_EQ(0, node_info("k@h", &info));
	EXPECT_EQ(ended, info.overflows);
}

#define SERIES	8

/* One after the other, to one */
static void *write_series(void *arg)
{
	struct interleave *x = arg;
	struct epid from = wire_pid(x->w, 1);
	DEFINE_BUF(msg);
	DEFINE_BUF(ctl);

	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "reader");
	buf_u8(&msg, 109);
	buf_be32(&msg, LARGE - 5);
	memset(buf_grow(&msg, LARGE - 5), 'z', LARGE - 5);
	for (int i = 0; i < SERIES * PARTS && !x->failed; i++) {
		int part = i % PARTS;
		DEFINE_BUF(out);

		wire_fragment(&out, part ? 70 : 69, i / PARTS, PARTS - part,
			      part ? NULL : &ctl, msg.p + part * 65536, 65536);
		x->failed = wire_write(x->w, out.p, out.len);
	}
	return NULL;
}

/*
 * The pool is full before the second message is whole: its bytes wait for who reads
 * the first one, as another message would.
 */
TEST_F_TIMEOUT(overload, large_ones_and_a_slow_reader, 60)
{
	struct interleave x = { .w = &self->w };
	int p = proc("reader", NULL);
	struct node_info info;
	pthread_t t;

	self->l.max_message = LARGE;
	self->l.mailbox_pool = POOL;
	self->l.stall = STALL;
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	ASSERT_EQ(0, pthread_create(&t, NULL, write_series, &x));
	for (int i = 0; i < SERIES; i++) {
		DEFINE_MSG(m);

		sleep_ms(100);
		ASSERT_EQ(0, proc_recv(p, &m, WAIT_MS)) {
			TH_LOG("message %d", i);
		}
		EXPECT_EQ(LARGE, m.term.len);
	}
	pthread_join(t, NULL);
	EXPECT_FALSE(x.failed);
	ASSERT_EQ(0, node_info("k@h", &info));
	EXPECT_EQ(0, info.overflows);
	EXPECT_TRUE(pool_is_empty("k@h"));
}

#define PAGES	1000
#define PAGE	4096

/* Each page's bytes in a page of their own, one byte more between two of them */
static int write_pages(int fd, const uint8_t *p)
{
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int one = 1, err = page == MAP_FAILED;
	char news[256];

	err |= setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	err |= setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	for (int i = 0; i < PAGES && !err; i++, p += PAGE + 1) {
		struct msghdr mh = { .msg_control = news, .msg_controllen = sizeof(news) };

		memcpy(page, p + 1, PAGE);
		err |= send(fd, p, 1, 0) != 1;
		err |= send(fd, page, PAGE, MSG_ZEROCOPY) != PAGE;
		/* The page is free when it has been told. */
		while (!err && recvmsg(fd, &mh, MSG_ERRQUEUE) < 0)
			err |= !poll_for(fd, POLLERR, WAIT_MS);
	}
	munmap(page, PAGE);
	return err;
}

/* What is received costs about as much memory as it counts, however it comes */
TEST_F_TIMEOUT(overload, pages_and_single_bytes, 120)
{
	size_t size = PAGES * (PAGE + 1), head;
	struct epid from = wire_pid(&self->w, 1), to;
	uint64_t begin = now_ms();
	struct node_info info;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(out);
	int p = proc(NULL, NULL);
	long before;

	proc_self(p, &to);
	fmt(&ctl, "{ipp}", OP_SEND_SENDER, &from, &to);
	buf_u8(&msg, 109);
	buf_be32(&msg, size + 1);
	for (size_t i = 0; i <= size; i++)
		buf_u8(&msg, i * 7 + (i >> 12));
	wire_frame(&self->w, &out, &ctl, &msg);
	head = out.len - size - 1;
	before = memory_used();
	ASSERT_EQ(0, wire_write(&self->w, out.p, head));
	ASSERT_EQ(0, write_pages(self->w.fd, out.p + head));
	do {
		ASSERT_EQ(0, node_info("k@h", &info));
		ASSERT_GT(WAIT_MS, now_ms() - begin);
	} while (info.pool_used < size);
	/* What has been copied may be given back a moment later. */
	while (memory_used() - before >= (long)(3 * size) && now_ms() - begin < WAIT_MS)
		usleep(100000);
	EXPECT_GT(3 * size, memory_used() - before);
	TH_LOG("%ld kB for %zu", (memory_used() - before) >> 10, size >> 10);
	ASSERT_EQ(0, wire_write(&self->w, out.p + out.len - 1, 1));
	EXPECT_TRUE(proc_expect(p, &msg));
}

/* What was sent out of a file does not change with it while it waits to be read. */
TEST_F(overload, pages_of_a_file)
{
	int p = proc(NULL, NULL), fd = memfd_create("file", 0), size = 0;
	struct epid from = wire_pid(&self->w, 1), to;
	uint8_t bytes[16 * PAGE];
	uint64_t begin = now_ms();
	off_t at = 0;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(out);

	proc_self(p, &to);
	fmt(&ctl, "{ipp}", OP_SEND_SENDER, &from, &to);
	memset(bytes, 'a', sizeof(bytes));
	buf_u8(&msg, 109);
	buf_be32(&msg, sizeof(bytes));
	buf_add(&msg, bytes, sizeof(bytes));
	wire_frame(&self->w, &out, &ctl, &msg);
	ASSERT_EQ(sizeof(bytes), pwrite(fd, bytes, sizeof(bytes), 0));
	ASSERT_EQ(0, wire_write(&self->w, out.p, out.len - sizeof(bytes)));
	ASSERT_EQ(sizeof(bytes), sendfile(self->w.fd, fd, &at, sizeof(bytes)));
	while (!size && now_ms() - begin < WAIT_MS)
		ASSERT_EQ(0, ioctl(p, SIOCINQ, &size));
	memset(bytes, 'b', sizeof(bytes));
	ASSERT_EQ(sizeof(bytes), pwrite(fd, bytes, sizeof(bytes), 0));
	EXPECT_TRUE(proc_expect(p, &msg));
	close(fd);
}

/* The peer's silence clock stands still while this side does not read */
TEST_F_TIMEOUT(overload, no_tick_timeout_in_a_stall, 60)
{
	struct erldist_ticktime t = { .ticktime = 2000, .intensity = 4 };
	struct writer x = { .w = &self->w, .hogs = 1, .rounds = 2 * POOL / PIECE };
	int hog = proc("hog0", NULL), q = proc("neighbour", NULL);
	struct peer_info i;
	pthread_t thread;

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &t,
				sizeof(t)));
	self->l.max_message = 1 << 20;
	self->l.mailbox_pool = POOL;
	self->l.stall = 5000;
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_all, &x));
	for (int n = 0; n < x.rounds; n++) {
		DEFINE_BUF(small);

		ASSERT_TRUE(proc_expect(q, term(&small, "i", n)));
	}
	pthread_join(thread, NULL);
	ASSERT_EQ(0, peer_get("k@h", "w@h", &i));
	EXPECT_EQ(ERLDIST_PEER_STATE_UP, i.state);
	EXPECT_LT(4000, i.stalled);
	EXPECT_NE(0, poll_now(hog) & POLLHUP);
}

TEST_HARNESS_MAIN
