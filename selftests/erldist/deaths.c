// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever is linked to a process or monitors it is told of its end: in all the
 * ways a program can come to it, and of thousands of ends in a row.
 */
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "ways.h"
#include "wire_peer.h"

static void wire_ask(struct wire *w, const struct buf *ctl)
{
	if (wire_send(w, ctl, NULL))
		die("the peer cannot send");
}

/*
 * Each way to end
 */

FIXTURE(ways) {
	int node;
	int watcher;		/* of the same node; traps exits */
	struct wire w;
	int told[2];		/* lines of the program */
};

FIXTURE_SETUP(ways)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->watcher = proc("watcher", NULL);
	proc_trap_exit(self->watcher, true);
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->told));
}

FIXTURE_TEARDOWN(ways)
{
}

/* The next line of the program */
static bool read_line(int fd, char *line, size_t size)
{
	ssize_t n;

	if (!poll_for(fd, POLLIN, WAIT_MS))
		return false;
	n = recv(fd, line, size - 1, 0);
	if (n < 1)
		return false;
	line[n - 1] = 0;
	return true;
}

static bool line_is(int fd, const char *want)
{
	char line[1024];

	return read_line(fd, line, sizeof(line)) && !strcmp(line, want);
}

/* The pid in "pid HEX" */
static bool read_pid(int fd, struct epid *pid)
{
	char line[2048];
	DEFINE_BUF(term);

	if (!read_line(fd, line, sizeof(line)) || strncmp(line, "pid ", 4))
		return false;
	buf_hex(&term, line + 4);
	return scan(term.p, term.len, "p", pid) > 0;
}

struct going {
	const struct way *way;
	int told;
};

static int go(void *arg)
{
	struct going *g = arg;

	way_go(g->way, "svc", NULL, g->told, g->told);
}

/* The peer and the watcher, each with a link and a monitor */
static void watch(FIXTURE_DATA(ways) *self, const struct epid *pid)
{
	struct epid linked = wire_pid(&self->w, 7), watching = wire_pid(&self->w, 8);
	struct eref ref = wire_ref(&self->w, 1);
	struct to link = { .op = ERLDIST_SIG_LINK };
	struct to monitor = { .op = ERLDIST_SIG_MONITOR, .ref = proc_refs(self->watcher) };
	DEFINE_BUF(ctl);
	DEFINE_BUF(dest);

	wire_ask(&self->w, term(&ctl, "{ipp}", OP_LINK, &linked, pid));
	wire_ask(&self->w, term(&ctl, "{ippr}", OP_MONITOR_P, &watching, pid, &ref));
	fmt(&dest, "p", pid);
	link.dest = &dest;
	monitor.dest = &dest;
	if (proc_ask(self->watcher, &link) || proc_ask(self->watcher, &monitor))
		die("the watcher cannot ask");
	if (wire_sync(&self->w))
		die("the peer was not heard");
}

static void expect_frames(struct __test_metadata *_metadata, FIXTURE_DATA(ways) *self,
			  const struct epid *pid, const struct buf *reason)
{
	struct epid linked = wire_pid(&self->w, 7), watching = wire_pid(&self->w, 8);
	struct eref ref = wire_ref(&self->w, 1);
	int exits = 0, downs = 0;
	DEFINE_BUF(exit);
	DEFINE_BUF(down);

	fmt(&exit, "{ipp}", OP_PAYLOAD_EXIT, pid, &linked);
	fmt(&down, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, pid, &watching, &ref);
	for (int i = 0; i < 2; i++) {
		DEFINE_FRAME(f);

		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		exits += buf_eq(&f.ctl, &exit);
		downs += buf_eq(&f.ctl, &down);
		EXPECT_TRUE(buf_eq(&f.msg, reason)) {
			buf_dump("reason", &f.msg);
			buf_dump("expected", reason);
		}
	}
	EXPECT_EQ(1, exits);
	EXPECT_EQ(1, downs);
	EXPECT_EQ(0, wire_sync(&self->w));
}

static void expect_signals(struct __test_metadata *_metadata, int watcher,
			   const struct buf *reason)
{
	int exits = 0, downs = 0;
	struct slice why;
	DEFINE_MSG(m);

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, proc_recv(watcher, &m, WAIT_MS));
		exits += m.op == ERLDIST_SIG_EXIT;
		downs += m.op == ERLDIST_SIG_DOWN;
		ASSERT_TRUE(scan(m.term.p, m.term.len, "{__t}", &why) > 0 ||
			    scan(m.term.p, m.term.len, "{____t}", &why) > 0);
		EXPECT_TRUE(why.len == reason->len && !memcmp(why.p, reason->p, why.len));
	}
	EXPECT_EQ(1, exits);
	EXPECT_EQ(1, downs);
}

static void expect_alive(struct __test_metadata *_metadata, FIXTURE_DATA(ways) *self)
{
	ASSERT_TRUE(line_is(self->told[0], "alive"));
	EXPECT_FALSE(poll_for(self->watcher, POLLIN, QUIET_MS));
	EXPECT_EQ(0, wire_sync(&self->w));
	EXPECT_EQ(-EADDRINUSE, proc_open("svc", NULL));
	ASSERT_EQ(1, send(self->told[0], "\n", 1, 0));
}

static void ends(struct __test_metadata *_metadata, FIXTURE_DATA(ways) *self,
		 const struct way *way)
{
	struct going g = { way, self->told[1] };
	pid_t child = spawn(go, &g);
	struct epid pid;
	DEFINE_BUF(reason);
	int fd;

	way_reason(way, &reason);
	ASSERT_TRUE(read_pid(self->told[0], &pid));
	watch(self, &pid);
	ASSERT_EQ(1, send(self->told[0], "\n", 1, 0));
	if (way->alive)
		expect_alive(_metadata, self);
	expect_frames(_metadata, self, &pid, &reason);
	expect_signals(_metadata, self->watcher, &reason);
	fd = proc_open("svc", NULL);
	EXPECT_LE(0, fd);
	close(fd);
	kill(child, SIGKILL);
	reap(child);
	EXPECT_FALSE(poll_for(self->watcher, POLLIN, 0));
}

TEST_F_TIMEOUT(ways, each, 300)
{
	for (const struct way *way = ways; way->name; way++) {
		int err = way->possible ? way->possible() : 0;

		TH_LOG("%s%s", way->name, err ? ": not possible here" : "");
		if (!err)
			ends(_metadata, self, way);
	}
}

/*
 * Thousands in a row
 */

#define RAIN_MAX	(1 << 20)
#define IDS		(1 << 20)	/* pids' ids, of which none comes twice */

/* What all programs of the test see */
struct shared {
	uint32_t id;		/* the pid of whoever is alive, or about to die */
	uint32_t serial;
	bool stop;
	uint32_t talked;
	uint32_t rained;
};

FIXTURE(storm) {
	int node;
	int watcher;
	struct shared *s;
};

FIXTURE_SETUP(storm)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->watcher = proc("watcher", NULL);
	proc_trap_exit(self->watcher, true);
	self->s = mmap(NULL, sizeof(*self->s), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->s);
}

FIXTURE_TEARDOWN(storm)
{
}

static bool stopped(struct shared *s)
{
	return __atomic_load_n(&s->stop, __ATOMIC_ACQUIRE);
}

/* self is a process of the node; false: nobody was born yet */
static bool target(struct shared *s, struct epid *pid)
{
	pid->serial = __atomic_load_n(&s->serial, __ATOMIC_ACQUIRE);
	pid->id = __atomic_load_n(&s->id, __ATOMIC_ACQUIRE);
	return pid->id;
}

/* What was asked for, and what was told of it */
struct rain {
	struct shared *s;
	struct wire *w;			/* of a peer, or NULL */
	struct epid pid;		/* with the node and its creation */
	uint32_t asked, told;
	uint8_t *monitor, *link;	/* by number; by the id of the pid */
};

#define ASKED	1
#define TOLD	2
#define DROPPED	4	/* nothing may come any more, or only what is on its way */

static void rain_alloc(struct rain *r)
{
	r->monitor = calloc(1, RAIN_MAX);
	r->link = calloc(1, IDS);
	if (!r->monitor || !r->link)
		die("memory");
}

static void mark(struct rain *r, uint8_t *what)
{
	if (*what & TOLD || !(*what & ASKED))
		die("told twice, or of what nobody asked for");
	*what |= TOLD;
	r->told += !(*what & DROPPED);
}

/* A peer's processes 1000 + n link and monitor, each another. */
static void wire_rain(struct rain *r, uint32_t n)
{
	struct epid from = wire_pid(r->w, 1000 + n);
	struct eref ref = wire_ref(r->w, n);
	DEFINE_BUF(ctl);

	wire_ask(r->w, fmt(&ctl, "{ipp}", OP_LINK, &from, &r->pid));
	wire_ask(r->w, term(&ctl, "{ippr}", OP_MONITOR_P, &from, &r->pid, &ref));
	r->monitor[n] = ASKED;
	r->link[n] = ASKED;
	r->asked += 2;
	if (n % 4)
		return;
	wire_ask(r->w, term(&ctl, "{iupp}", OP_UNLINK_ID, (uint64_t)n + 1, &from, &r->pid));
	wire_ask(r->w, term(&ctl, "{ippr}", OP_DEMONITOR_P, &from, &r->pid, &ref));
	r->monitor[n] |= DROPPED;
	r->link[n] |= DROPPED;
	r->asked -= 2;
}

/* What the node tells the peer; false: nothing in time */
static bool wire_hears(struct rain *r, int timeout_ms)
{
	struct epid from, to;
	struct eref ref;
	DEFINE_FRAME(f);

	if (!poll_for(r->w->fd, POLLIN, timeout_ms))
		return false;
	if (wire_recv(r->w, &f, WAIT_MS))
		die("the connection is lost");
	if (frame_op(&f) == OP_PAYLOAD_EXIT && scan(f.ctl.p, f.ctl.len, "{_pp}", &from, &to) > 0)
		mark(r, &r->link[to.id - 1000]);
	else if (frame_op(&f) == OP_PAYLOAD_MONITOR_P_EXIT &&
		 scan(f.ctl.p, f.ctl.len, "{_ppr}", &from, &to, &ref) > 0)
		mark(r, &r->monitor[ref.word[0]]);
	else if (frame_op(&f) != OP_UNLINK_ID_ACK)
		die("frame %d", frame_op(&f));
	return true;
}

static void all_told(struct rain *r, bool (*hears)(struct rain *, int))
{
	while (r->told < r->asked) {
		if (!hears(r, WAIT_MS))
			die("asked %u times, told %u times", r->asked, r->told);
	}
	/* and not once more */
	while (hears(r, QUIET_MS))
		;
	if (r->told != r->asked)
		die("asked %u times, told %u times", r->asked, r->told);
	__atomic_fetch_add(&r->s->rained, r->asked, __ATOMIC_RELAXED);
}

/* So much at a time, and a while without more: it is rain, not a flood. */
#define IN_FLIGHT	100
#define DRY_MS		2

static int rain_of_a_peer(void *arg)
{
	struct rain *r = arg;
	uint32_t n = 0;

	rain_alloc(r);
	while (!stopped(r->s) && n < RAIN_MAX) {
		if (target(r->s, &r->pid) && r->asked - r->told < IN_FLIGHT)
			wire_rain(r, n++);
		while (wire_hears(r, n % 16 ? 0 : DRY_MS))
			;
	}
	all_told(r, wire_hears);
	return 0;
}

struct local_rain {
	struct rain r;
	int fd;
	uint64_t refs;
};

/*
 * A process of the node monitors, and links to whoever it did not link to. A
 * link or monitor that it drops is silent from then on.
 */
static void local_rain(struct local_rain *l, uint32_t n)
{
	struct to to = { .op = ERLDIST_SIG_MONITOR, .user_data = n };
	struct rain *r = &l->r;
	uint8_t *link = &r->link[r->pid.id % IDS];
	DEFINE_BUF(dest);

	if (n % 64 == 0)
		l->refs = proc_refs(l->fd);
	to.dest = fmt(&dest, "p", &r->pid);
	to.ref = l->refs + n % 64;
	if (proc_ask(l->fd, &to))
		die("MONITOR");
	r->monitor[n] = ASKED;
	r->asked++;
	if (n % 4 == 0) {
		to = (struct to){ .op = ERLDIST_SIG_DEMONITOR, .ref = to.ref,
				  .sig_flags = ERLDIST_SIG_F_FLUSH };
		if (proc_ask(l->fd, &to))
			die("DEMONITOR");
		r->monitor[n] |= DROPPED | TOLD;
		r->asked--;
	}
	if (*link)
		return;
	to = (struct to){ .op = ERLDIST_SIG_LINK, .dest = &dest };
	if (proc_ask(l->fd, &to))
		die("LINK");
	*link = ASKED;
	r->asked++;
}

static bool local_hears(struct rain *r, int timeout_ms)
{
	struct local_rain *l = (void *)r;
	struct epid pid;
	DEFINE_MSG(m);
	int err = proc_recv(l->fd, &m, timeout_ms);

	if (err == -ETIMEDOUT)
		return false;
	if (err)
		die("recvmsg: %d", err);
	if (m.op == ERLDIST_SIG_DOWN)
		mark(r, &r->monitor[m.user_data]);
	else if (m.op == ERLDIST_SIG_EXIT && scan(m.term.p, m.term.len, "{_p_}", &pid) > 0)
		mark(r, &r->link[pid.id % IDS]);
	else
		die("signal %d", m.op);
	return true;
}

static int rain_of_a_process(void *arg)
{
	struct local_rain l = { .r.s = arg };
	uint32_t n = 0;

	l.fd = proc("", NULL);
	proc_trap_exit(l.fd, true);
	proc_self(l.fd, &l.r.pid);
	rain_alloc(&l.r);
	while (!stopped(l.r.s) && n < RAIN_MAX) {
		if (target(l.r.s, &l.r.pid) && l.r.asked - l.r.told < IN_FLIGHT)
			local_rain(&l, n++);
		while (local_hears(&l.r, n % 16 ? 0 : DRY_MS))
			;
	}
	all_told(&l.r, local_hears);
	return 0;
}

/* Two that talk, all the time: who is asked answers */
struct talk {
	int fd;
	struct shared *s;
};

static int answers(void *arg)
{
	struct talk *t = arg;
	DEFINE_MSG(m);

	while (!proc_recv(t->fd, &m, 10 * WAIT_MS)) {
		if (proc_send(t->fd, &m.from, &m.term) < 0)
			return 1;
	}
	return 2;
}

static int talks(void *arg)
{
	struct talk *t = arg;
	DEFINE_BUF(to);
	DEFINE_BUF(hello);

	fmt(&to, "a", "answers");
	for (int n = 0; !stopped(t->s); n++) {
		term(&hello, "i", n);
		if (proc_send(t->fd, &to, &hello) < 0 || !proc_expect(t->fd, &hello))
			return 1;
		__atomic_fetch_add(&t->s->talked, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* A program whose process is called "mortal" and ends with it */
static int mortal_program(void *arg)
{
	int fd = proc("mortal", NULL), *told = arg;
	struct epid pid;
	char c;

	proc_self(fd, &pid);
	if (send(*told, &pid, sizeof(pid), 0) != sizeof(pid) || recv(*told, &c, 1, 0) != 1)
		return 1;
	raise(SIGKILL);
	return 2;
}

struct mortal {
	int told[2];
	int fd;			/* of this program, or -1 */
	pid_t child;		/* another */
	struct epid pid;
};

/* Who comes after the DOWN of the last has its name. */
static bool bear(struct mortal *m, int n)
{
	m->fd = -1;
	if (n % 8 == 0) {
		m->child = spawn(mortal_program, &m->told[1]);
		return poll_for(m->told[0], POLLIN, WAIT_MS) &&
		       recv(m->told[0], &m->pid, sizeof(m->pid), 0) == sizeof(m->pid);
	}
	m->fd = proc_open("mortal", NULL);
	if (m->fd < 0)
		return false;
	proc_self(m->fd, &m->pid);
	return true;
}

static void end(struct mortal *m, int n, struct buf *reason)
{
	DEFINE_BUF(self);

	if (m->fd < 0) {
		term(reason, "{aa}", "signal", "sigkill");
		send(m->told[0], "", 1, 0);
	} else if (n % 2) {
		term(reason, "a", "normal");
		close(m->fd);
	} else {
		term(reason, "{ai}", "boom", n);
		proc_sendto(m->fd, &(struct to){ .op = ERLDIST_SIG_EXIT,
						 .dest = fmt(&self, "p", &m->pid) }, reason);
	}
}

static void bury(struct mortal *m, int n)
{
	if (m->fd < 0)
		reap(m->child);
	else if (n % 2 == 0)
		close(m->fd);
}

static void one_death(struct __test_metadata *_metadata, FIXTURE_DATA(storm) *self,
		      struct mortal *m, int n)
{
	struct to to = { .op = ERLDIST_SIG_MONITOR };
	uint64_t ref = proc_refs(self->watcher);
	struct eref e = proc_ref(self->watcher, ref);
	DEFINE_BUF(dest);
	DEFINE_BUF(reason);
	DEFINE_BUF(want);
	DEFINE_MSG(got);

	ASSERT_TRUE(bear(m, n)) {
		TH_LOG("death %d: %d", n, m->fd);
	}
	to.dest = fmt(&dest, "p", &m->pid);
	to.ref = ref;
	ASSERT_EQ(0, proc_ask(self->watcher, &to));
	__atomic_store_n(&self->s->serial, m->pid.serial, __ATOMIC_RELEASE);
	__atomic_store_n(&self->s->id, m->pid.id, __ATOMIC_RELEASE);
	end(m, n, &reason);
	ASSERT_EQ(0, proc_recv(self->watcher, &got, WAIT_MS));
	fmt(&want, "{arapt}", "DOWN", &e, "process", &m->pid, &reason);
	ASSERT_TRUE(buf_eq(&got.term, &want)) {
		buf_dump("received", &got.term);
		buf_dump("expected", &want);
	}
	/* the name is taken again before this one is buried */
}

static unsigned int deaths(void)
{
	const char *s = getenv("ERLDIST_DEATHS");

	return s ? atoi(s) : scaled(10000);
}

TEST_F_TIMEOUT(storm, ten_thousand, 1200)
{
	unsigned int n = deaths();
	struct rain r = { .s = self->s };
	struct mortal m[2];
	uint64_t begin;
	struct wire w;
	pid_t child[5];

	ASSERT_EQ(0, wire_up(&w, self->node));
	r.w = &w;
	proc_self(self->watcher, &r.pid);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m[i].told));
	child[0] = spawn(answers, &(struct talk){ proc("answers", NULL), self->s });
	child[1] = spawn(talks, &(struct talk){ proc("talks", NULL), self->s });
	child[2] = spawn(rain_of_a_peer, &r);
	child[3] = spawn(rain_of_a_process, self->s);
	child[4] = spawn(rain_of_a_process, self->s);
	begin = now_ms();
	for (unsigned int i = 0; i < n; i++) {
		one_death(_metadata, self, &m[i % 2], i);
		if (i)
			bury(&m[(i - 1) % 2], i - 1);
	}
	bury(&m[(n - 1) % 2], n - 1);
	begin = now_ms() - begin;
	__atomic_store_n(&self->s->stop, true, __ATOMIC_RELEASE);
	for (int i = 1; i < 5; i++)
		EXPECT_EQ(0, reap(child[i]));
	kill(child[0], SIGKILL);
	reap(child[0]);
	EXPECT_FALSE(poll_for(self->watcher, POLLIN, QUIET_MS));
	EXPECT_LT(0, self->s->talked);
	TH_LOG("%u deaths in %llu ms; %u links and monitors, %u answers meanwhile", n,
	       (unsigned long long)begin, self->s->rained, self->s->talked);
}

TEST_HARNESS_MAIN
