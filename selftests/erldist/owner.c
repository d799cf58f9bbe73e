// SPDX-License-Identifier: GPL-2.0-only
/* Whose end is the process's, and what a kill does to him. */
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(owner) {
	int node;
	int watcher;		/* traps exits, linked to the process */
	int told[2];		/* a program's process comes through here */
};

FIXTURE_SETUP(owner)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->watcher = proc("watcher", NULL);
	proc_trap_exit(self->watcher, true);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, self->told));
}

FIXTURE_TEARDOWN(owner)
{
}

static int set_owner(int fd, int32_t owner)
{
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_OWNER, &owner, sizeof(owner)) ? -errno : 0;
}

static int get_owner(int fd)
{
	int32_t owner = -1;
	socklen_t len = sizeof(owner);

	if (getsockopt(fd, SOL_ERLDIST, ERLDIST_OWNER, &owner, &len))
		return -errno;
	return owner;
}

static int set_kill(int fd, uint32_t sig)
{
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_KILL_SIGNAL, &sig, sizeof(sig)) ? -errno : 0;
}

static int get_kill(int fd)
{
	uint32_t sig = 99;
	socklen_t len = sizeof(sig);

	return getsockopt(fd, SOL_ERLDIST, ERLDIST_KILL_SIGNAL, &sig, &len) ? -errno : (int)sig;
}

static void link_to(int fd, int other)
{
	struct epid pid;
	DEFINE_BUF(dest);
	const struct to to = { .op = ERLDIST_SIG_LINK, .dest = &dest };

	proc_self(other, &pid);
	fmt(&dest, "p", &pid);
	if (proc_ask(fd, &to))
		die("LINK");
}

static void exit2(int fd, int other, const char *reason)
{
	struct epid pid;
	DEFINE_BUF(dest);
	DEFINE_BUF(term);
	const struct to to = { .op = ERLDIST_SIG_EXIT, .dest = &dest };

	proc_self(other, &pid);
	fmt(&dest, "p", &pid);
	fmt(&term, "a", reason);
	if (proc_sendto(fd, &to, &term) < 0)
		die("EXIT");
}

/* The watcher hears of an end with this reason */
static bool hears(int watcher, const struct buf *reason)
{
	struct slice tag, pid, why;
	DEFINE_MSG(m);

	if (proc_recv(watcher, &m, WAIT_MS))
		return false;
	if (scan(m.term.p, m.term.len, "{ttt}", &tag, &pid, &why) < 0)
		return false;
	if (why.len == reason->len && !memcmp(why.p, reason->p, why.len))
		return true;
	buf_dump("received", &m.term);
	return false;
}

static int waits(void *arg)
{
	pause();
	return 0;
}

static int dies(void *arg)
{
	raise(SIGKILL);
	return 0;
}

TEST_F(owner, child)
{
	int p = proc("svc", NULL);
	pid_t child = spawn(waits, NULL);
	DEFINE_BUF(reason);

	EXPECT_EQ(getpid(), get_owner(p));
	link_to(self->watcher, p);
	ASSERT_EQ(0, set_owner(p, child));
	EXPECT_EQ(child, get_owner(p));
	kill(child, SIGSEGV);
	EXPECT_TRUE(hears(self->watcher, fmt(&reason, "{aa}", "signal", "sigsegv")));
	EXPECT_EQ(256 + SIGSEGV, reap(child));
}

/* Also one that has died by then, if nobody has waited for it yet. */
TEST_F(owner, child_that_is_dead)
{
	int p = proc("svc", NULL);
	pid_t child = spawn(dies, NULL);
	siginfo_t info;
	DEFINE_BUF(reason);

	ASSERT_EQ(0, waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	link_to(self->watcher, p);
	ASSERT_EQ(0, set_owner(p, child));
	EXPECT_TRUE(hears(self->watcher, fmt(&reason, "{aa}", "signal", "sigkill")));
	EXPECT_EQ(256 + SIGKILL, reap(child));
	EXPECT_EQ(-ESRCH, set_owner(p, child));
}

struct giver {
	int told;
	int32_t owner;
	bool trap;
	uint32_t kill_signal;
	int status;
	bool wait;
};

/* Binds a process, gives its descriptor away, and ends when told to */
static int giver(void *arg)
{
	struct giver *g = arg;
	int fd = proc("svc", NULL);
	char byte;

	if (g->owner && set_owner(fd, g->owner))
		return 90;
	if (g->kill_signal && set_kill(fd, g->kill_signal))
		return 91;
	give_fd(g->told, fd);
	if (g->wait)
		pause();
	if (recv(g->told, &byte, 1, 0) != 1)
		return 92;
	return g->status;
}

/* Nobody waits for it: it has no pid from one moment to the next */
TEST_F_TIMEOUT(owner, child_that_is_reaped, 120)
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < scaled(500); i++) {
		int p = proc("", NULL), err;
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (!child)
			_exit(0);
		do
			err = set_owner(p, child);
		while (!err);
		EXPECT_TRUE(err == -ESRCH || err == -EPIPE);
		close(p);
	}
}

TEST_F(owner, none)
{
	struct giver g = { .told = self->told[1], .owner = ERLDIST_OWNER_NONE, .status = 3 };
	pid_t child = spawn(giver, &g);
	int p = take_fd(self->told[0]);
	DEFINE_BUF(reason);
	DEFINE_BUF(hello);

	EXPECT_EQ(0, get_owner(p));
	link_to(self->watcher, p);
	send(self->told[0], "x", 1, 0);
	EXPECT_EQ(3, reap(child));
	/* it lives, and its next holder makes it his own */
	EXPECT_FALSE(poll_for(self->watcher, POLLIN, QUIET_MS));
	fmt(&hello, "a", "hello");
	EXPECT_LT(0, proc_send(p, term(&reason, "a", "svc"), &hello));
	EXPECT_TRUE(proc_expect(p, &hello));
	ASSERT_EQ(0, set_owner(p, ERLDIST_OWNER_SELF));
	EXPECT_EQ(getpid(), get_owner(p));
	close(p);
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "normal")));
}

/* Without an owner the last close is the end, and no status counts. */
TEST_F(owner, none_and_last_close)
{
	struct giver g = { .told = self->told[1], .owner = ERLDIST_OWNER_NONE, .status = 3 };
	pid_t child = spawn(giver, &g);
	int p = take_fd(self->told[0]);
	DEFINE_BUF(reason);

	link_to(self->watcher, p);
	close(p);
	send(self->told[0], "x", 1, 0);
	EXPECT_EQ(3, reap(child));
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "normal")));
}

TEST_F(owner, refused)
{
	int p = proc("svc", NULL), fd = socket(family(), SOCK_RDM, 0);

	EXPECT_EQ(-ENOTCONN, set_owner(fd, ERLDIST_OWNER_NONE));
	EXPECT_EQ(-EINVAL, set_owner(p, -2));
	EXPECT_EQ(-ESRCH, set_owner(p, 1));
	EXPECT_EQ(-ESRCH, set_owner(p, getpid()));
	EXPECT_EQ(-ESRCH, set_owner(p, 0x7fffffff));
	EXPECT_EQ(-EINVAL, set_kill(p, SIGSTOP));
	EXPECT_EQ(-EINVAL, set_kill(p, 1000));
	EXPECT_EQ(-ENOTCONN, set_kill(fd, SIGTERM));
}

#define PORTS	1000	/* of one process, at most 1024 */

struct ports {
	int fd[PORTS];
	atomic_int at;		/* the one whose owner is being set */
	int taken;		/* how often it was */
};

/* Of each port, until it is one. It is refused before that and after. */
static void *set_owners(void *arg)
{
	struct ports *p = arg;
	int err;

	for (int i = 0; i < PORTS; i++) {
		atomic_store(&p->at, i);
		do
			err = set_owner(p->fd[i], ERLDIST_OWNER_SELF);
		while (err == -ENOTCONN);
		p->taken += err != -EOPNOTSUPP;
	}
	return NULL;
}

/* Sockets become ports while the owner of their process is being set through them. */
TEST_F_TIMEOUT(owner, set_on_what_becomes_a_port, 120)
{
	int main = proc("svc", NULL);
	struct ports p = { .at = -1 };
	pthread_t t;

	for (int n = 0; n < scaled(2); n++) {
		for (int i = 0; i < PORTS; i++)
			ASSERT_LE(0, p.fd[i] = socket(family(), SOCK_RDM | SOCK_CLOEXEC, 0));
		atomic_store(&p.at, -1);
		ASSERT_EQ(0, pthread_create(&t, NULL, set_owners, &p));
		for (int i = 0; i < PORTS; i++) {
			while (atomic_load(&p.at) < i)
				;
			for (volatile int delay = rand() % 300; delay > 0; delay--)
				;
			ASSERT_EQ(0, setsockopt(p.fd[i], SOL_ERLDIST, ERLDIST_ATTACH, &main,
						sizeof(main)));
		}
		pthread_join(t, NULL);
		for (int i = 0; i < PORTS; i++)
			close(p.fd[i]);
	}
	EXPECT_EQ(0, p.taken);
}

/* A program that is stopped, and one that catches nothing, are gone. */
TEST_F(owner, kill_signal)
{
	struct giver g = { .told = self->told[1], .kill_signal = SIGKILL, .wait = true };
	pid_t child = spawn(giver, &g);
	int p = take_fd(self->told[0]);
	DEFINE_BUF(reason);

	kill(child, SIGSTOP);
	EXPECT_EQ(SIGKILL, get_kill(p));
	link_to(self->watcher, p);
	/* another exit is the process's alone */
	exit2(self->watcher, p, "kill");
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "killed")));
	EXPECT_EQ(256 + SIGKILL, reap(child));
}

TEST_F(owner, other_exits_send_no_signal)
{
	struct giver g = { .told = self->told[1], .kill_signal = SIGKILL };
	pid_t child = spawn(giver, &g);
	int p = take_fd(self->told[0]);
	DEFINE_BUF(reason);

	link_to(self->watcher, p);
	exit2(self->watcher, p, "shutdown");
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "shutdown")));
	send(self->told[0], "x", 1, 0);
	EXPECT_EQ(0, reap(child));
}

/* The signal is for the owner it was set for. */
TEST_F(owner, a_new_owner_is_not_killed)
{
	pid_t child = spawn(waits, NULL);
	int p = proc("svc", NULL);
	DEFINE_BUF(reason);

	ASSERT_EQ(0, set_kill(p, SIGTERM));
	ASSERT_EQ(0, set_owner(p, child));
	EXPECT_EQ(0, get_kill(p));
	link_to(self->watcher, p);
	exit2(self->watcher, p, "kill");
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "killed")));
	EXPECT_EQ(0, kill(child, 0));
	kill(child, SIGTERM);
	EXPECT_EQ(256 + SIGTERM, reap(child));
}

/* What the setter may not do himself is not done for him. */
static int unprivileged(void *arg)
{
	int p = *(int *)arg;

	if (setresuid(65534, 65534, 65534))
		return 1;
	return set_kill(p, SIGKILL) ? 2 : 0;
}

TEST_F(owner, permission)
{
	struct giver g = { .told = self->told[1] };
	pid_t child = spawn(giver, &g), other;
	int p = take_fd(self->told[0]);
	DEFINE_BUF(reason);

	other = spawn(unprivileged, &p);
	ASSERT_EQ(0, reap(other));
	EXPECT_EQ(SIGKILL, get_kill(p));
	link_to(self->watcher, p);
	exit2(self->watcher, p, "kill");
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "killed")));
	send(self->told[0], "x", 1, 0);
	EXPECT_EQ(0, reap(child));
}

/* Runs in a PID namespace of its own, as its init */
static int init_of_a_container(void *arg)
{
	pid_t child;

	if (unshare(CLONE_NEWPID))
		return 93;
	child = spawn(giver, arg);
	return reap(child) & 0xff;
}

/* SIGKILL does not end the init of a container from within, nor does this. */
TEST_F(owner, init_of_a_container_is_not_killed)
{
	struct giver g = { .told = self->told[1], .kill_signal = SIGKILL, .status = 3 };
	pid_t child = spawn(init_of_a_container, &g);
	int p = take_fd(self->told[0]);
	DEFINE_BUF(reason);

	link_to(self->watcher, p);
	exit2(self->watcher, p, "kill");
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "killed")));
	sleep_ms(QUIET_MS);
	send(self->told[0], "x", 1, 0);
	EXPECT_EQ(3, reap(child));
}

#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_SIGNAL	(1ULL << 1)
#endif

/* Of Linux 6.12 */
struct landlock_scoped {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

/* Signals only what is in the same Landlock domain. */
static int confined(void *arg)
{
	struct landlock_scoped attr = { .scoped = LANDLOCK_SCOPE_SIGNAL };
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (fd < 0)
		return 10;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0))
		return 11;
	return set_kill(*(int *)arg, SIGKILL) ? 12 : 0;
}

/* What a security module forbids the setter is not done for it. */
TEST_F(owner, security_modules)
{
	struct giver g = { .told = self->told[1] };
	pid_t child = spawn(giver, &g);
	int p = take_fd(self->told[0]), status;
	DEFINE_BUF(reason);

	status = reap(spawn(confined, &p));
	if (status == 10)
		SKIP(return, "this kernel has no Landlock that confines signals");
	ASSERT_EQ(0, status);
	EXPECT_EQ(SIGKILL, get_kill(p));
	link_to(self->watcher, p);
	exit2(self->watcher, p, "kill");
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "killed")));
	send(self->told[0], "x", 1, 0);
	EXPECT_EQ(0, reap(child));
}

/* The setter's credentials count, not those of the program that kills. */
TEST_F(owner, kill_by_another_user)
{
	struct giver g = { .told = self->told[1], .kill_signal = SIGTERM, .wait = true };
	pid_t child = spawn(giver, &g);
	int p = take_fd(self->told[0]);
	DEFINE_BUF(reason);

	link_to(self->watcher, p);
	ASSERT_EQ(0, seteuid(65534));
	exit2(self->watcher, p, "kill");
	ASSERT_EQ(0, seteuid(0));
	EXPECT_TRUE(hears(self->watcher, term(&reason, "a", "killed")));
	EXPECT_EQ(256 + SIGTERM, reap(child));
}

TEST_HARNESS_MAIN
