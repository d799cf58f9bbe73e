// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process with thousands of links, and thousands of processes with one each:
 * every EXIT arrives, in a time that grows with their number and no faster; one
 * thing among thousands costs what it costs among few; and a connection that takes
 * the place of another brings nothing of the other's.
 */
#include <time.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

#define MANY	10000
#define NUMBERS	3	/* each is ten times the one before */
#define FEW	1000
#define FACTOR	16	/* among FEW, then among so many times as many */
#define MOST	(FACTOR * FEW)
#define FIRST	1000	/* ids of the peer's processes begin here */

FIXTURE(crowd) {
	int node;
	struct wire w;
	int *fd;
	struct epid *pid;
	uint8_t *told;
	unsigned int number[NUMBERS];
	unsigned int sample;	/* how many are measured together */
	uint64_t took[NUMBERS];
};

FIXTURE_SETUP(crowd)
{
	const struct rlimit files = { MOST + 1000, MOST + 1000 };

	SETUP_ERLDIST();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	self->node = node("k@h");
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	self->fd = calloc(MOST, sizeof(*self->fd));
	self->pid = calloc(MOST, sizeof(*self->pid));
	self->told = calloc(MANY, 1);
	ASSERT_TRUE(self->fd && self->pid && self->told);
	self->sample = scaled(FEW / 4);
	for (int i = 0, n = MANY / 100; i < NUMBERS; i++, n *= 10)
		self->number[i] = scaled(n);
}

FIXTURE_TEARDOWN(crowd)
{
	free(self->fd);
	free(self->pid);
	free(self->told);
}

static void crowd(FIXTURE_DATA(crowd) *self, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		self->fd[i] = proc("", NULL);
		proc_trap_exit(self->fd[i], true);
		proc_self(self->fd[i], &self->pid[i]);
	}
}

static void disperse(FIXTURE_DATA(crowd) *self, unsigned int n)
{
	while (n)
		close(self->fd[--n]);
}

/* Frames of many, in few system calls */
static void wire_flush(struct wire *w, struct buf *frames)
{
	if (wire_write(w, frames->p, frames->len))
		die("the peer cannot send");
	frames->len = 0;
}

/* One of the peer's processes asks, or tells, each of the crowd */
static void wire_each(FIXTURE_DATA(crowd) *self, int op, const struct buf *msg, unsigned int n)
{
	struct epid from = wire_pid(&self->w, 7);
	DEFINE_BUF(frames);
	DEFINE_BUF(ctl);

	for (unsigned int i = 0; i < n; i++) {
		wire_frame(&self->w, &frames, term(&ctl, "{ipp}", op, &from, &self->pid[i]), msg);
		if (frames.len > 60000)
			wire_flush(&self->w, &frames);
	}
	wire_flush(&self->w, &frames);
}

/* Each of the peer's processes asks one */
static void wire_link_from_each(FIXTURE_DATA(crowd) *self, const struct epid *to, unsigned int n)
{
	DEFINE_BUF(frames);
	DEFINE_BUF(ctl);

	for (unsigned int i = 0; i < n; i++) {
		struct epid from = wire_pid(&self->w, FIRST + i);

		wire_frame(&self->w, &frames, term(&ctl, "{ipp}", OP_LINK, &from, to), NULL);
		if (frames.len > 60000)
			wire_flush(&self->w, &frames);
	}
	wire_flush(&self->w, &frames);
}

/* The peer's processes hear of one process's end, each once */
static void each_hears(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
		       const struct epid *of, unsigned int n)
{
	struct epid from, to;
	DEFINE_FRAME(f);

	memset(self->told, 0, n);
	for (unsigned int i = 0; i < n; i++) {
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS)) {
			TH_LOG("%u of %u", i, n);
		}
		ASSERT_EQ(OP_PAYLOAD_EXIT, frame_op(&f));
		ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_pp}", &from, &to));
		ASSERT_TRUE(pid_eq(&from, of));
		ASSERT_GT(n, to.id - FIRST);
		ASSERT_EQ(1, ++self->told[to.id - FIRST]);
	}
}

static int index_of(FIXTURE_DATA(crowd) *self, const struct epid *pid, unsigned int n)
{
	uint32_t i = pid->id - self->pid[0].id;

	return i < n && pid_eq(&self->pid[i], pid) ? (int)i : -1;
}

/* One process of the peer hears of each of the crowd's end, once */
static void one_hears(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
		      unsigned int n)
{
	struct epid from;
	DEFINE_FRAME(f);

	memset(self->told, 0, n);
	for (unsigned int i = 0; i < n; i++) {
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS)) {
			TH_LOG("%u of %u", i, n);
		}
		ASSERT_EQ(OP_PAYLOAD_EXIT, frame_op(&f));
		ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_p_}", &from));
		ASSERT_LE(0, index_of(self, &from, n));
		ASSERT_EQ(1, ++self->told[index_of(self, &from, n)]);
	}
}

/* Each of the crowd hears of the peer's process, once */
static void crowd_hears(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
			const char *reason, unsigned int n)
{
	struct epid pid = wire_pid(&self->w, 7);
	DEFINE_BUF(want);

	fmt(&want, "{apa}", "EXIT", &pid, reason);
	for (unsigned int i = 0; i < n; i++) {
		ASSERT_TRUE(proc_expect(self->fd[i], &want)) {
			TH_LOG("%u of %u", i, n);
		}
	}
}

/* One measurement: with that many, the time that it takes */
typedef uint64_t measured(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
			  unsigned int n);

/* A machine that pauses spoils one measurement, a time that grows too fast all of them. */
#define TRIES	4

static void measure(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
		    const char *what, measured *once)
{
	bool grows = true;

	for (int i = 0; i < TRIES && grows; i++) {
		for (int k = 0; k < NUMBERS; k++)
			self->took[k] = once(_metadata, self, self->number[k]);
		TH_LOG("%s: %u in %llu ms, %u in %llu ms, %u in %llu ms", what,
		       self->number[0], (unsigned long long)self->took[0],
		       self->number[1], (unsigned long long)self->took[1],
		       self->number[2], (unsigned long long)self->took[2]);
		/* of ten times as many, far from a hundred times as long */
		grows = self->took[2] >= 30 * self->took[1] + 200;
	}
	EXPECT_FALSE(grows);
}

static uint64_t one_linked_by_many_closes(struct __test_metadata *_metadata,
					  FIXTURE_DATA(crowd) *self, unsigned int n)
{
	int fd = proc("svc", NULL);
	struct epid pid;
	uint64_t begin;

	proc_self(fd, &pid);
	wire_link_from_each(self, &pid, n);
	ASSERT_EQ(0, wire_sync(&self->w));
	begin = now_ms();
	close(fd);
	each_hears(_metadata, self, &pid, n);
	begin = now_ms() - begin;
	ASSERT_EQ(0, wire_sync(&self->w));
	return begin;
}

TEST_F_TIMEOUT(crowd, one_linked_by_many_closes, 300)
{
	measure(_metadata, self, "EXITs of one to its links", one_linked_by_many_closes);
}

/* The same, of links that it asked for */
static uint64_t one_linked_to_many_closes(struct __test_metadata *_metadata,
					  FIXTURE_DATA(crowd) *self, unsigned int n)
{
	int fd = proc("svc", NULL);
	struct epid pid;
	uint64_t begin;
	DEFINE_FRAME(f);
	DEFINE_BUF(dest);

	proc_self(fd, &pid);
	for (unsigned int i = 0; i < n; i++) {
		struct epid to = wire_pid(&self->w, FIRST + i);

		ASSERT_EQ(0, proc_ask(fd, &(struct to){ .op = ERLDIST_SIG_LINK,
				      .dest = term(&dest, "p", &to) }));
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		ASSERT_EQ(OP_LINK, frame_op(&f));
	}
	begin = now_ms();
	close(fd);
	each_hears(_metadata, self, &pid, n);
	return now_ms() - begin;
}

TEST_F_TIMEOUT(crowd, one_linked_to_many_closes, 300)
{
	measure(_metadata, self, "EXITs of one to those it linked to", one_linked_to_many_closes);
}

static uint64_t many_close(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
			   unsigned int n)
{
	uint64_t begin;

	crowd(self, n);
	wire_each(self, OP_LINK, NULL, n);
	ASSERT_EQ(0, wire_sync(&self->w));
	begin = now_ms();
	disperse(self, n);
	one_hears(_metadata, self, n);
	begin = now_ms() - begin;
	ASSERT_EQ(0, wire_sync(&self->w));
	return begin;
}

TEST_F_TIMEOUT(crowd, many_close, 300)
{
	measure(_metadata, self, "EXITs of many that close", many_close);
}

/* A program with all of them is killed. */
static int crowd_program(void *arg)
{
	pause();
	return 0;
}

static uint64_t many_die_at_once(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
				 unsigned int n)
{
	pid_t child = spawn(crowd_program, NULL);
	uint64_t begin;

	crowd(self, n);
	for (unsigned int i = 0; i < n; i++)
		ASSERT_EQ(0, setsockopt(self->fd[i], SOL_ERLDIST, ERLDIST_OWNER, &child,
					sizeof(child)));
	wire_each(self, OP_LINK, NULL, n);
	ASSERT_EQ(0, wire_sync(&self->w));
	begin = now_ms();
	kill(child, SIGKILL);
	one_hears(_metadata, self, n);
	begin = now_ms() - begin;
	ASSERT_EQ(0, wire_sync(&self->w));
	disperse(self, n);
	reap(child);
	return begin;
}

TEST_F_TIMEOUT(crowd, many_die_at_once, 300)
{
	measure(_metadata, self, "EXITs of many whose owner dies", many_die_at_once);
}

static uint64_t one_of_the_peer_dies(struct __test_metadata *_metadata,
				     FIXTURE_DATA(crowd) *self, unsigned int n)
{
	uint64_t begin;
	DEFINE_BUF(boom);

	fmt(&boom, "a", "boom");
	crowd(self, n);
	wire_each(self, OP_LINK, NULL, n);
	ASSERT_EQ(0, wire_sync(&self->w));
	begin = now_ms();
	wire_each(self, OP_PAYLOAD_EXIT, &boom, n);
	crowd_hears(_metadata, self, "boom", n);
	begin = now_ms() - begin;
	disperse(self, n);
	return begin;
}

TEST_F_TIMEOUT(crowd, one_of_the_peer_dies, 300)
{
	measure(_metadata, self, "EXITs of one of the peer's", one_of_the_peer_dies);
}

static void reconnect(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self)
{
	wire_close(&self->w);
	ASSERT_EQ(0, wire_up(&self->w, self->node));
}

/* All that the node tells of a loss comes before what the new connection brings. */
static uint64_t a_peer_is_back_at_once(struct __test_metadata *_metadata,
				       FIXTURE_DATA(crowd) *self, unsigned int n)
{
	struct epid from = wire_pid(&self->w, 7);
	uint64_t begin;
	DEFINE_BUF(hello);
	DEFINE_BUF(want);

	fmt(&hello, "a", "hello");
	fmt(&want, "{apa}", "EXIT", &from, "noconnection");
	crowd(self, n);
	wire_each(self, OP_LINK, NULL, n);
	ASSERT_EQ(0, wire_sync(&self->w));
	begin = now_ms();
	reconnect(_metadata, self);
	wire_each(self, OP_SEND_SENDER, &hello, n);
	for (unsigned int i = 0; i < n; i++) {
		ASSERT_TRUE(proc_expect(self->fd[i], &want));
		ASSERT_TRUE(proc_expect(self->fd[i], &hello));
	}
	begin = now_ms() - begin;
	/* of the links, nothing is left */
	disperse(self, n);
	ASSERT_EQ(0, wire_sync(&self->w));
	return begin;
}

TEST_F_TIMEOUT(crowd, a_peer_is_back_at_once, 300)
{
	DEFINE_FRAME(f);

	measure(_metadata, self, "EXITs of a lost peer, then messages of a new one",
		a_peer_is_back_at_once);
	EXPECT_EQ(-ETIMEDOUT, wire_recv(&self->w, &f, QUIET_MS));
}

/* A connection that ends amid the EXITs of one leaves none of them to the next. */
TEST_F_TIMEOUT(crowd, lost_amid_exits, 300)
{
	unsigned int n = self->number[NUMBERS - 1];

	for (int i = 0; i < 10; i++) {
		int fd = proc("svc", NULL);
		struct epid pid;
		DEFINE_FRAME(f);

		proc_self(fd, &pid);
		wire_link_from_each(self, &pid, n);
		ASSERT_EQ(0, wire_sync(&self->w));
		close(fd);
		for (unsigned int k = 0; k < i * n / 100; k++)
			ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		reconnect(_metadata, self);
		ASSERT_EQ(0, wire_sync(&self->w));
	}
	EXPECT_FALSE(poll_for(self->w.fd, POLLIN, QUIET_MS));
}

/*
 * One among many
 */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* The cost of one does not grow with how many there are: 16 times as many, not 4 times */
static void compare(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
		    const char *what, measured *once)
{
	unsigned int few = scaled(FEW), most = FACTOR * few;
	bool grows = true;

	for (int i = 0; i < TRIES && grows; i++) {
		uint64_t one = once(_metadata, self, few);
		uint64_t more = once(_metadata, self, most);

		TH_LOG("%s: %llu ns among %u, %llu ns among %u", what,
		       (unsigned long long)one / self->sample, few,
		       (unsigned long long)more / self->sample, most);
		grows = more >= 4 * one;
	}
	EXPECT_FALSE(grows);
}

static const struct buf *binary(struct buf *b, uint32_t size)
{
	buf_u8(b, 109);
	buf_be32(b, size);
	memset(buf_grow(b, size), 'x', size);
	return b;
}

/* A process has sent the peer more than a stream holds, and the peer reads nothing. */
static void stop_reading(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
			 const struct buf *dest)
{
	struct erldist_limits limits;
	int fd = proc("", NULL);
	DEFINE_BUF(msg);

	ASSERT_EQ(0, node_limits(self->node, &limits));
	limits.send_queue = 1 << 30;
	ASSERT_EQ(0, node_set_limits(self->node, &limits));
	ASSERT_LT(0, proc_send(fd, dest, binary(&msg, 16 << 20)));
	close(fd);
}

/* Each process has something queued to the peer but for the last, which have nothing. */
static void queue_from_each(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
			    const struct buf *dest, unsigned int n)
{
	struct to to = { .dest = dest, .flags = MSG_DONTWAIT };
	DEFINE_BUF(msg);

	stop_reading(_metadata, self, dest);
	binary(&msg, 3000);
	for (unsigned int i = 0; i < n - self->sample; i++)
		ASSERT_LT(0, proc_sendto(self->fd[i], &to, &msg));
}

static uint64_t send_beside_queues(struct __test_metadata *_metadata,
				   FIXTURE_DATA(crowd) *self, unsigned int n)
{
	struct to to = { .flags = MSG_DONTWAIT };
	uint64_t begin;
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);

	to.dest = term(&dest, "{aa}", "x", "w@h");
	term(&msg, "a", "small");
	crowd(self, n);
	queue_from_each(_metadata, self, &dest, n);
	begin = now_ns();
	for (unsigned int i = n - self->sample; i < n; i++)
		ASSERT_LT(0, proc_sendto(self->fd[i], &to, &msg));
	begin = now_ns() - begin;
	reconnect(_metadata, self);
	disperse(self, n);
	return begin;
}

TEST_F_TIMEOUT(crowd, send_beside_queues, 300)
{
	compare(_metadata, self, "a send to a peer that does not read", send_beside_queues);
}

/* The end of processes that the peer is linked to: it is told when it reads again. */
static uint64_t die_beside_queues(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
				  unsigned int n)
{
	struct to monitor = { .op = ERLDIST_SIG_MONITOR };
	int watcher = proc("", NULL);
	uint64_t begin;
	DEFINE_BUF(dest);
	DEFINE_BUF(to);
	DEFINE_MSG(m);

	term(&dest, "{aa}", "x", "w@h");
	crowd(self, n);
	wire_each(self, OP_LINK, NULL, n);
	ASSERT_EQ(0, wire_sync(&self->w));
	queue_from_each(_metadata, self, &dest, n);
	monitor.dest = term(&to, "p", &self->pid[n - 1]);
	monitor.ref = proc_refs(watcher);
	ASSERT_EQ(0, proc_ask(watcher, &monitor));
	begin = now_ns();
	for (unsigned int i = n - self->sample; i < n; i++)
		close(self->fd[i]);
	ASSERT_EQ(0, proc_recv(watcher, &m, WAIT_MS));
	begin = now_ns() - begin;
	ASSERT_EQ(ERLDIST_SIG_DOWN, m.op);
	reconnect(_metadata, self);
	disperse(self, n - self->sample);
	close(watcher);
	return begin;
}

TEST_F_TIMEOUT(crowd, die_beside_queues, 300)
{
	compare(_metadata, self, "a death told to a peer that does not read", die_beside_queues);
}

/* A monitor of a process that never was: its DOWN is there at once. */
static uint64_t monitor_nothing(struct __test_metadata *_metadata, int fd,
				const struct buf *dest, unsigned int n)
{
	uint64_t ref = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct to monitor = { .dest = dest, .op = ERLDIST_SIG_MONITOR };

		if (!(i % 64))
			ref = proc_refs(fd);
		monitor.ref = ref + i % 64;
		ASSERT_EQ(0, proc_ask(fd, &monitor)) {
			TH_LOG("monitor %u", i);
		}
	}
	return ref;
}

static int flush(int fd, uint64_t ref)
{
	return proc_ask(fd, &(struct to){ .op = ERLDIST_SIG_DEMONITOR, .ref = ref,
			.sig_flags = ERLDIST_SIG_F_FLUSH });
}

static uint64_t flush_among_downs(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
				  unsigned int n)
{
	int fd = proc("", NULL);
	uint64_t ref, begin;
	struct epid pid;
	DEFINE_BUF(dest);

	proc_self(fd, &pid);
	pid.id += 1000;
	monitor_nothing(_metadata, fd, term(&dest, "p", &pid), n);
	ref = proc_refs(fd);
	begin = now_ns();
	for (unsigned int i = 0; i < self->sample; i++)
		ASSERT_EQ(0, flush(fd, ref));
	begin = now_ns() - begin;
	close(fd);
	return begin;
}

TEST_F_TIMEOUT(crowd, flush_among_downs, 300)
{
	compare(_metadata, self, "a flush of a DOWN that did not come", flush_among_downs);
}

/* A flush takes out the DOWN of that monitor and no other, which come in their order. */
TEST_F(crowd, flushed_are_gone)
{
	int fd = proc("", NULL);
	struct epid pid;
	uint64_t ref;
	DEFINE_BUF(dest);

	proc_self(fd, &pid);
	pid.id += 1000;
	ref = monitor_nothing(_metadata, fd, term(&dest, "p", &pid), 64);
	for (int i = 63; i >= 0; i -= 3)
		ASSERT_EQ(0, flush(fd, ref + i));
	for (int i = 0; i < 64; i++) {
		DEFINE_MSG(m);

		if (i % 3 == 0)
			continue;
		ASSERT_EQ(0, proc_recv(fd, &m, WAIT_MS));
		EXPECT_EQ(ERLDIST_SIG_DOWN, m.op);
		EXPECT_EQ(ref + i, m.ref);
	}
	EXPECT_EQ(0, poll_now(fd) & POLLIN);
}

/*
 * The process that holds most of the pool
 */

#define PIECE	10000

/* A message of so many bytes for each of these processes */
static void wire_fill(FIXTURE_DATA(crowd) *self, unsigned int from, unsigned int n, uint32_t size)
{
	struct epid pid = wire_pid(&self->w, 7);
	DEFINE_BUF(frames);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);

	binary(&msg, size);
	for (unsigned int i = from; i < from + n; i++) {
		wire_frame(&self->w, &frames, term(&ctl, "{ipp}", OP_SEND_SENDER, &pid,
						   &self->pid[i]), &msg);
		wire_flush(&self->w, &frames);
	}
}

/* A pool that holds so much, and that nothing waits for */
static void limit_pool(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self, size_t bytes)
{
	struct erldist_limits limits;

	ASSERT_EQ(0, node_limits(self->node, &limits));
	limits.max_message = bytes / 2;
	limits.mailbox_pool = bytes;
	limits.stall = 1;
	ASSERT_EQ(0, node_set_limits(self->node, &limits));
}

/* Some fill the pool, so that each message more ends one of them; others have nothing. */
static uint64_t overflow_of_one(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
				unsigned int n)
{
	struct node_info before, after;
	uint64_t begin;

	limit_pool(_metadata, self, self->sample * PIECE);
	crowd(self, n);
	wire_fill(self, 0, self->sample, PIECE);
	ASSERT_EQ(0, wire_sync(&self->w));
	ASSERT_EQ(0, node_info("k@h", &before));
	begin = now_ns();
	wire_fill(self, self->sample, self->sample, PIECE);
	ASSERT_EQ(0, wire_sync(&self->w));
	begin = now_ns() - begin;
	ASSERT_EQ(0, node_info("k@h", &after));
	EXPECT_LE(self->sample, after.overflows - before.overflows);
	disperse(self, n);
	return begin;
}

TEST_F_TIMEOUT(crowd, overflow_of_one, 300)
{
	compare(_metadata, self, "an overflow", overflow_of_one);
}

/* It is the one that holds most now, whatever it or another has held. */
TEST_F_TIMEOUT(crowd, who_holds_most_ends, 60)
{
	enum { READER, SECOND, FIRST_TO_GO, LITTLE, LATE, ALL };
	DEFINE_MSG(m);

	limit_pool(_metadata, self, 1000000);
	crowd(self, ALL);
	wire_fill(self, LITTLE, 1, 1000);
	wire_fill(self, READER, 1, 400000);
	wire_fill(self, SECOND, 1, 150000);
	ASSERT_EQ(0, proc_recv(self->fd[READER], &m, WAIT_MS));
	wire_fill(self, FIRST_TO_GO, 1, 250000);
	wire_fill(self, READER, 1, 100000);
	wire_fill(self, LATE, 1, 490000);
	ASSERT_EQ(0, wire_sync(&self->w));
	for (int i = 0; i < ALL; i++)
		EXPECT_EQ(0, poll_now(self->fd[i]) & POLLHUP);
	wire_fill(self, LITTLE, 1, 100000);
	ASSERT_EQ(0, wire_sync(&self->w));
	for (int i = 0; i < ALL; i++)
		EXPECT_EQ(i == LATE, !!(poll_now(self->fd[i]) & POLLHUP));
	wire_fill(self, LITTLE, 1, 400000);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(poll_now(self->fd[FIRST_TO_GO]) & POLLHUP);
	EXPECT_FALSE(poll_now(self->fd[READER]) & POLLHUP);
	EXPECT_FALSE(poll_now(self->fd[SECOND]) & POLLHUP);
}

TEST_HARNESS_MAIN
