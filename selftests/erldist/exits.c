// SPDX-License-Identifier: GPL-2.0-only
/* How the end of a program becomes the end of a process, and its reason. */
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(exits) {
	int node;
	struct wire w;
	struct epid from;
	int told[2];	/* the pid of the program's process comes through here */
};

FIXTURE_SETUP(exits)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	self->from = wire_pid(&self->w, 7);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->told));
}

FIXTURE_TEARDOWN(exits)
{
}

struct program {
	int told;
	int status;		/* to exit with */
	bool wait;		/* rather than exit */
	bool heir;		/* a child keeps the descriptor */
	bool give;		/* so does whoever has the other end of told */
	const char *reason;	/* ERLDIST_EXIT_REASON */
};

/* Becomes a process, says which, and ends when it is told to */
static int program(void *arg)
{
	const struct rlimit no_core = { 0 };
	struct program *x = arg;
	struct epid pid;
	char byte;
	DEFINE_BUF(term);
	int fd = proc("svc", NULL);

	setrlimit(RLIMIT_CORE, &no_core);
	/* a shell may have us ignore some of them */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	if (x->heir && !fork()) {
		sleep_ms(2 * WAIT_MS);
		_exit(0);
	}
	if (x->reason)
		fmt(&term, "a", x->reason);
	if (x->reason && setsockopt(fd, SOL_ERLDIST, ERLDIST_EXIT_REASON, term.p,
				    term.len))
		return 99;
	proc_self(fd, &pid);
	if (x->give)
		give_fd(x->told, fd);
	send(x->told, &pid, sizeof(pid), 0);
	if (recv(x->told, &byte, 1, 0) != 1)
		return 98;
	if (x->wait)
		pause();
	exit(x->status);
}

/* A program that is linked to the peer */
static pid_t linked(FIXTURE_DATA(exits) *self, struct program *x,
		    struct epid *pid)
{
	DEFINE_BUF(ctl);
	pid_t child;

	x->told = self->told[1];
	child = spawn(program, x);
	if (!x->give && recv(self->told[0], pid, sizeof(*pid), 0) != sizeof(*pid))
		die("the program did not start");
	if (x->give)
		return child;
	if (wire_send(&self->w, fmt(&ctl, "{ipp}", OP_LINK, &self->from, pid), NULL))
		die("LINK");
	if (wire_sync(&self->w))
		die("LINK was not taken");
	return child;
}

/* The peer is told this; how long it took since begin, in ms */
static void expect_exit(struct __test_metadata *_metadata,
			FIXTURE_DATA(exits) *self, const struct epid *pid,
			const struct buf *reason)
{
	struct epid from, to;
	DEFINE_FRAME(f);

	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_PAYLOAD_EXIT, frame_op(&f));
	ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_pp}", &from, &to));
	EXPECT_TRUE(pid_eq(&from, pid));
	EXPECT_TRUE(pid_eq(&to, &self->from));
	EXPECT_TRUE(buf_eq(&f.msg, reason)) {
		buf_dump("reason", &f.msg);
		buf_dump("expected", reason);
	}
}

static void ends(struct __test_metadata *_metadata, FIXTURE_DATA(exits) *self,
		 struct program *x, int signal, const struct buf *reason)
{
	struct epid pid;
	pid_t child = linked(self, x, &pid);

	ASSERT_EQ(1, send(self->told[0], "x", 1, 0));
	if (signal)
		kill(child, signal);
	expect_exit(_metadata, self, &pid, reason);
	reap(child);
}

TEST_F(exits, status)
{
	struct program x = { 0 };
	DEFINE_BUF(reason);

	ends(_metadata, self, &x, 0, fmt(&reason, "a", "normal"));
	x.status = 3;
	ends(_metadata, self, &x, 0, term(&reason, "{ai}", "exit_status", 3));
	x.status = 255;
	ends(_metadata, self, &x, 0, term(&reason, "{ai}", "exit_status", 255));
}

TEST_F(exits, reason_of_its_own)
{
	struct program x = { .status = 3, .reason = "shutdown" };
	DEFINE_BUF(reason);

	ends(_metadata, self, &x, 0, fmt(&reason, "a", "shutdown"));
	x.wait = true;
	ends(_metadata, self, &x, SIGTERM, term(&reason, "{aa}", "signal", "sigterm"));
}

TEST_F(exits, signals)
{
	static const struct {
		int signal;
		const char *name;
	} rows[] = {
		{ SIGKILL, "sigkill" }, { SIGTERM, "sigterm" }, { SIGINT, "sigint" },
		{ SIGSEGV, "sigsegv" }, { SIGABRT, "sigabrt" }, { SIGHUP, "sighup" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct program x = { .wait = true };
		DEFINE_BUF(reason);

		ends(_metadata, self, &x, rows[i].signal,
		     fmt(&reason, "{aa}", "signal", rows[i].name));
	}
}

/* The owner's death is the end, even when a child keeps the descriptor */
TEST_F_TIMEOUT(exits, a_child_keeps_the_descriptor, 60)
{
	struct program x = { .wait = true, .heir = true };
	DEFINE_BUF(reason);

	/* what is waited for comes before the child ends */
	ends(_metadata, self, &x, SIGKILL,
	     fmt(&reason, "{aa}", "signal", "sigkill"));
	EXPECT_LE(0, proc_open("svc", NULL));
}

/* The same for a descriptor that went to another process */
TEST_F(exits, owner_gone)
{
	struct program x = { .status = 4, .give = true };
	struct epid pid, mine;
	DEFINE_BUF(reason);
	DEFINE_BUF(want);
	DEFINE_MSG(m);
	int fd;
	pid_t child = linked(self, &x, &pid);

	fd = take_fd(self->told[0]);
	ASSERT_EQ(sizeof(pid), recv(self->told[0], &pid, sizeof(pid), 0));
	proc_self(fd, &mine);
	EXPECT_TRUE(pid_eq(&pid, &mine));
	ASSERT_EQ(0, wire_pid_send(&self->w, &pid, fmt(&want, "a", "hello")));
	EXPECT_TRUE(proc_expect(fd, &want));
	ASSERT_EQ(1, send(self->told[0], "x", 1, 0));
	EXPECT_EQ(4, reap(child));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(-EOWNERDEAD, proc_recv(fd, &m, WAIT_MS));
	EXPECT_EQ(-EPIPE, proc_send(fd, &want, &want));
	EXPECT_EQ(0, proc_term(fd, ERLDIST_EXIT_STATUS, &reason));
	EXPECT_TRUE(buf_eq(&reason, term(&want, "{ai}", "exit_status", 4)));
	EXPECT_LE(0, proc_open("svc", NULL));
}

/* Becomes the process of a socket that its parent has too, and ends when told */
struct heir {
	int fd;
	int told;
};

static int become(void *arg)
{
	struct heir *x = arg;
	char byte = 0;
	DEFINE_BUF(name);

	if (proc_bind_term(x->fd, fmt(&name, "a", "svc")) ||
	    send(x->told, &byte, 1, 0) != 1 || recv(x->told, &byte, 1, 0) != 1)
		return 99;
	return 0;
}

/* Who looks all the time sees the end, by this or that call */
static int look_until_ended(int fd, bool receive)
{
	uint64_t end = now_ms() + WAIT_MS;
	char data[512];
	socklen_t len;
	int err;

	do {
		len = sizeof(data);
		if (!receive)
			err = getsockopt(fd, SOL_ERLDIST, ERLDIST_EXIT_STATUS, data,
					 &len) ? -errno : 0;
		else if (recv(fd, data, 0, MSG_DONTWAIT | MSG_PEEK) < 0)
			err = errno == EOWNERDEAD ? 0 : -errno;
		else
			err = -EBUSY;
	} while ((err == -EBUSY || err == -EMSGSIZE) && now_ms() < end);
	return err;
}

/* From the moment that the end can be seen, the name is free */
TEST_F_TIMEOUT(exits, name_is_free_for_who_looks, 120)
{
	int q = proc(NULL, NULL), rounds = scaled(60);
	char byte;
	DEFINE_BUF(d);

	fmt(&d, "a", "svc");
	for (int i = 0; i < rounds; i++) {
		struct heir x = { socket(family(), SOCK_RDM | SOCK_CLOEXEC, 0),
				  self->told[1] };
		pid_t child = spawn(become, &x);
		int heir;

		ASSERT_EQ(1, recv(self->told[0], &byte, 1, 0));
		/* unread messages make the end longer */
		for (int n = 0; n < 500; n++)
			ASSERT_LT(0, proc_send(q, &d, &d));
		ASSERT_EQ(1, send(self->told[0], &byte, 1, 0));
		ASSERT_EQ(0, look_until_ended(x.fd, i & 1));
		heir = proc_open("svc", NULL);
		ASSERT_LE(0, heir) {
			TH_LOG("round %d", i);
		}
		close(heir);
		close(x.fd);
		EXPECT_EQ(0, reap(child));
	}
}

/* A thread's end is nothing, exec neither: fd is not closed by it */
TEST_F(exits, exec_is_no_end)
{
	int fd = proc("svc", NULL);
	pid_t child = fork();
	DEFINE_BUF(hello);

	if (!child) {
		execl("/bin/true", "true", NULL);
		_exit(0);
	}
	EXPECT_EQ(0, reap(child));
	ASSERT_EQ(0, wire_reg_send(&self->w, "svc", fmt(&hello, "a", "hello")));
	EXPECT_TRUE(proc_expect(fd, &hello));
}

TEST_HARNESS_MAIN
