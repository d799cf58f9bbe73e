// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attempts without the right to them, by another user than the node's: plain, as root of a
 * user namespace of its own, and as root of a container. What must follow is in
 * Documentation/hostile.md.
 */
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

#define ATTACKER	65533	/* user and group */
#define OWNER		65532	/* of the node that is open to all */

/* What an attempt is made with, and what it may find */
struct attempt {
	int (*try)(struct attempt *a);
	int spaces;		/* CLONE_NEW*: of one's own */
	int keep;		/* a descriptor it was given, or -1 */
	int number;		/* a descriptor that it was not given */
	pid_t program;
	uint64_t ref;
	struct epid pid;
	int told;		/* a socket to the test */
	bool confined;		/* to GROUP */
	uid_t uid;		/* 0: ATTACKER */
};

#define NO_RESULT	250	/* no errno: the attempt could not be made */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(path);
		_exit(NO_RESULT);
	}
	close(fd);
}

static void be_user(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(NO_RESULT);
	prctl(PR_SET_DUMPABLE, 1);
}

/* In user and other namespaces of its own, root there */
static void enter_spaces(int spaces)
{
	if (!spaces)
		return;
	if (unshare(spaces))
		_exit(NO_RESULT);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 65533 1");
	write_file("/proc/self/gid_map", "0 65533 1");
}

/* The attacker has no descriptor of the test but those it was given */
static void close_others(const struct attempt *a)
{
	for (int fd = 3; fd < 200; fd++) {
		if (fd != a->keep && fd != a->told)
			close(fd);
	}
}

#define GROUP		"/sys/fs/cgroup/erldist-hostile"
#define GROUP_LIMIT	(16L << 20)

static int attacker(void *arg)
{
	struct attempt *a = arg;

	close_others(a);
	if (a->confined)
		write_file(GROUP "/cgroup.procs", "0");
	be_user(a->uid ? a->uid : ATTACKER);
	enter_spaces(a->spaces);
	return a->try(a);
}

FIXTURE(user) {
	int node;		/* k@h, root's, 0600 */
	int open;		/* open@h, another user's, 0666 */
	int svc;		/* of k@h */
	int taken;		/* of open@h */
	struct wire w;		/* a peer of k@h */
	struct attempt a;
};

FIXTURE_VARIANT(user) {
	int spaces;
};

FIXTURE_VARIANT_ADD(user, plain) {
	.spaces = 0,
};

FIXTURE_VARIANT_ADD(user, userns) {
	.spaces = CLONE_NEWUSER,
};

FIXTURE_VARIANT_ADD(user, container) {
	.spaces = CLONE_NEWUSER | CLONE_NEWNET,
};

/* A node of a user without privileges, for all */
static int open_node(const char *name)
{
	int fd = socket(family(), SOCK_RAW | SOCK_CLOEXEC, 0), err;
	uint32_t mode = 0666;
	DEFINE_BUF(atom);

	fmt(&atom, "a", name);
	err = setsockopt(fd, SOL_ERLDIST, ERLDIST_MODE, &mode, sizeof(mode)) ||
	      setsockopt(fd, SOL_ERLDIST, ERLDIST_COOKIE, COOKIE, strlen(COOKIE)) ||
	      seteuid(OWNER) ||
	      setsockopt(fd, SOL_ERLDIST, ERLDIST_BIND, atom.p, atom.len);
	if (seteuid(0) || err)
		die("the node of a user");
	return fd;
}

FIXTURE_SETUP(user)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->open = open_node("open@h");
	self->svc = proc("svc", "k@h");
	self->taken = proc("taken", "open@h");
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	self->a = (struct attempt){ .spaces = variant->spaces, .keep = -1, .told = -1 };
}

FIXTURE_TEARDOWN(user)
{
}

static int attempt(struct attempt *a, int (*try)(struct attempt *a))
{
	a->try = try;
	return reap(spawn(attacker, a));
}

static bool contained(int spaces)
{
	return spaces & CLONE_NEWNET;
}

#define ATTEMPT(fn)		attempt(&self->a, fn)
/* An attacker in a network namespace of its own sees another result */
#define HERE_OR(there)		(contained(variant->spaces) ? (there) : 0)

static int make_node(struct attempt *a)
{
	int fd = node_open(&(struct node_config){ .name = "evil@h" });

	return fd < 0 ? -fd : 0;
}

TEST_F(user, makes_no_node)
{
	struct node_info i;

	EXPECT_EQ(EPERM, ATTEMPT(make_node));
	EXPECT_EQ(-ENOENT, node_info("evil@h", &i));
}

static int use_node(struct attempt *a)
{
	int fd = proc_open(NULL, "k@h");

	return fd < 0 ? -fd : 0;
}

static int use_default(struct attempt *a)
{
	int fd = proc_open(NULL, NULL);

	return fd < 0 ? -fd : 0;
}

static int use_open(struct attempt *a)
{
	int fd = proc_open(NULL, "open@h");

	return fd < 0 ? -fd : 0;
}

TEST_F(user, uses_a_node)
{
	struct node_info i;

	EXPECT_EQ(HERE_OR(EADDRNOTAVAIL) ?: EACCES, ATTEMPT(use_node));
	EXPECT_EQ(EADDRNOTAVAIL, ATTEMPT(use_default));
	EXPECT_EQ(HERE_OR(EADDRNOTAVAIL), ATTEMPT(use_open));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(1, i.processes);
}

static int set_name(int fd, const char *name)
{
	DEFINE_BUF(b);

	fmt(&b, "a", name);
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_NAME, b.p, b.len) ? -errno : 0;
}

static int take_reserved(struct attempt *a)
{
	int fd = proc_open("rex", "open@h");

	return fd < 0 ? -fd : 0;
}

static int take_taken(struct attempt *a)
{
	int fd = proc_open("taken", "open@h");

	return fd < 0 ? -fd : 0;
}

static int rename_to_reserved(struct attempt *a)
{
	int fd = proc_open("mine", "open@h");

	return fd < 0 ? -fd : -set_name(fd, "global_name_server");
}

static int rename_to_taken(struct attempt *a)
{
	int fd = proc_open("mine", "open@h");

	return fd < 0 ? -fd : -set_name(fd, "taken");
}

TEST_F(user, takes_a_name)
{
	int there = HERE_OR(EADDRNOTAVAIL);
	DEFINE_BUF(dest);
	DEFINE_BUF(hello);

	EXPECT_EQ(there ?: EACCES, ATTEMPT(take_reserved));
	EXPECT_EQ(there ?: EACCES, ATTEMPT(rename_to_reserved));
	EXPECT_EQ(there ?: EADDRINUSE, ATTEMPT(take_taken));
	EXPECT_EQ(there ?: EADDRINUSE, ATTEMPT(rename_to_taken));
	/* The name is where it was. */
	ASSERT_LT(0, proc_send(self->taken, fmt(&dest, "a", "taken"), fmt(&hello, "a", "x")));
	EXPECT_TRUE(proc_expect(self->taken, &hello));
}

/* The descriptor of a node gives the right to change it, not to read its cookie. */
static int read_option(struct attempt *a)
{
	char cookie[256];
	socklen_t len = sizeof(cookie);

	return getsockopt(a->keep, SOL_ERLDIST, ERLDIST_COOKIE, cookie, &len) ? errno : 0;
}

struct search {
	int entries;
	int found;
};

static void look_for_cookie(const struct genl_msg *m, void *arg)
{
	struct search *s = arg;

	s->entries++;
	s->found += !!memmem(m->data, m->len, COOKIE, strlen(COOKIE));
}

/* 100 and the entries; 99 when one has the cookie in it */
static int search_netlink(struct attempt *a)
{
	struct search s = { 0 };
	struct genl g;

	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return NO_RESULT;
	for (int cmd = ERLDIST_CMD_NODE_GET; cmd <= ERLDIST_CMD_PROCESS_GET; cmd++) {
		if (genl_dump(&g, cmd, NULL, look_for_cookie, &s) < 0)
			return NO_RESULT;
	}
	return s.found ? 99 : 100 + s.entries;
}

TEST_F(user, reads_a_cookie)
{
	self->a.keep = self->node;
	EXPECT_EQ(ENOPROTOOPT, ATTEMPT(read_option));
	self->a.keep = -1;
	/* two nodes, a peer, and the process of the node it may use */
	EXPECT_EQ(contained(variant->spaces) ? 100 : 104, ATTEMPT(search_netlink));
}

static int attach(struct attempt *a)
{
	int fd = socket(family(), SOCK_RDM, 0);

	return setsockopt(fd, SOL_ERLDIST, ERLDIST_ATTACH, &a->number, sizeof(a->number)) ?
	       errno : 0;
}

static int steal(struct attempt *a)
{
	int pidfd = syscall(SYS_pidfd_open, a->program, 0);

	if (pidfd < 0)
		return NO_RESULT;
	return syscall(SYS_pidfd_getfd, pidfd, a->number, 0) < 0 ? errno : 0;
}

/*
 * An alias by a number that was given to another process: the reference has the id of
 * its own process in it, so it is another one. ETIMEDOUT when nothing comes to it.
 */
static int alias_of_another(struct attempt *a)
{
	struct to to = { .op = ERLDIST_SIG_ALIAS, .ref = a->ref };
	int fd = proc_open(NULL, "open@h"), err;
	DEFINE_MSG(m);

	if (fd < 0)
		return -fd;
	err = proc_ask(fd, &to);
	if (err)
		return -err;
	if (write(a->told, "x", 1) != 1)
		return NO_RESULT;
	return -proc_recv(fd, &m, 5 * QUIET_MS);
}

static int send_to_alias(int from, int to, uint64_t n)
{
	struct to alias = { .op = ERLDIST_SIG_ALIAS, .ref = n };
	struct eref ref = proc_ref(to, n);
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);
	int err = proc_ask(to, &alias);

	if (err)
		return err;
	if (proc_send(from, fmt(&dest, "r", &ref), fmt(&msg, "a", "hello")) < 0)
		return -EIO;
	return proc_expect(to, &msg) ? 0 : -ENOMSG;
}

/* The attacker has its alias while another process makes one of the same number. */
static int beside_alias(struct attempt *a, int from, int to)
{
	int pair[2], err = 0;
	pid_t pid;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	a->told = pair[1];
	a->try = alias_of_another;
	pid = spawn(attacker, a);
	close(pair[1]);
	if (read(pair[0], &c, 1) == 1)
		err = send_to_alias(from, to, a->ref);
	close(pair[0]);
	a->told = -1;
	return err ? err : reap(pid);
}

/* The message is the sender's own pid. */
static int say_who(struct attempt *a)
{
	int fd = proc_open(NULL, "open@h");
	struct epid pid;
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);

	if (fd < 0)
		return -fd;
	proc_self(fd, &pid);
	return proc_send(fd, fmt(&dest, "a", "taken"), fmt(&msg, "p", &pid)) < 0 ? 1 : 0;
}

TEST_F(user, speaks_as_another)
{
	int there = HERE_OR(EADDRNOTAVAIL);
	struct epid sender;
	DEFINE_BUF(want);
	DEFINE_MSG(m);

	self->a.number = self->taken;
	self->a.program = getpid();
	self->a.ref = proc_refs(self->taken);
	proc_self(self->taken, &self->a.pid);
	EXPECT_EQ(EBADF, ATTEMPT(attach));
	EXPECT_EQ(EPERM, ATTEMPT(steal));
	EXPECT_EQ(there ?: ETIMEDOUT,
		  beside_alias(&self->a, proc(NULL, "open@h"), self->taken));
	EXPECT_EQ(there, ATTEMPT(say_who));
	if (there)
		return;
	ASSERT_EQ(0, proc_recv(self->taken, &m, WAIT_MS));
	ASSERT_LT(0, scan(m.term.p, m.term.len, "p", &sender));
	EXPECT_FALSE(pid_eq(&sender, &self->a.pid));
	EXPECT_TRUE(buf_eq(&m.from, fmt(&want, "p", &sender)));
}

static int disconnect(struct attempt *a)
{
	struct genl g;
	DEFINE_BUF(attrs);

	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return NO_RESULT;
	attr_str(&attrs, ERLDIST_A_PEER_NODE, "k@h");
	attr_str(&attrs, ERLDIST_A_PEER_NAME, "w@h");
	return -genl_do(&g, ERLDIST_CMD_PEER_DISCONNECT, &attrs, NULL);
}

static int take_spawns(struct attempt *a)
{
	int fd = proc_open(NULL, "open@h"), on = 1;

	if (fd < 0)
		return -fd;
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_SPAWN_SERVER, &on, sizeof(on)) ? errno : 0;
}

TEST_F(user, changes_a_node)
{
	int err = ATTEMPT(disconnect);

	EXPECT_TRUE(err == EPERM || (contained(variant->spaces) && err == ENOENT)) {
		TH_LOG("disconnect: %s", strerror(err));
	}
	EXPECT_EQ(HERE_OR(EADDRNOTAVAIL) ?: EACCES, ATTEMPT(take_spawns));
	EXPECT_EQ(0, wire_sync(&self->w));
}

static void count_entry(const struct genl_msg *m, void *arg)
{
	++*(int *)arg;
}

static int count_entries(int cmd)
{
	struct genl g;
	int n = 0;

	if (genl_open(&g, ERLDIST_FAMILY_NAME) || genl_dump(&g, cmd, NULL, count_entry, &n) < 0)
		return NO_RESULT;
	return n;
}

static int count_nodes(struct attempt *a)
{
	return count_entries(ERLDIST_CMD_NODE_GET);
}

static int count_processes(struct attempt *a)
{
	return count_entries(ERLDIST_CMD_PROCESS_GET);
}

static int find_process(struct attempt *a)
{
	struct genl_msg m;
	struct genl g;
	DEFINE_BUF(attrs);

	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return NO_RESULT;
	attr_str(&attrs, ERLDIST_A_PROCESS_NODE, "k@h");
	attr_u32(&attrs, ERLDIST_A_PROCESS_ID, a->pid.id);
	attr_u32(&attrs, ERLDIST_A_PROCESS_SERIAL, a->pid.serial);
	return -genl_do(&g, ERLDIST_CMD_PROCESS_GET, &attrs, &m);
}

/* ETIMEDOUT: it may listen and nothing came; else why it may not */
static int listen_to(struct attempt *a, const char *group)
{
	struct genl_msg m;
	struct genl g;
	int err;

	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return NO_RESULT;
	err = genl_join(&g, group);
	if (err)
		return -err;
	if (write(a->told, "x", 1) != 1)
		return NO_RESULT;
	return -genl_event(&g, &m, 5 * QUIET_MS);
}

static int listen_to_handshakes(struct attempt *a)
{
	return listen_to(a, ERLDIST_MCGRP_HANDSHAKES);
}

static int listen_to_names(struct attempt *a)
{
	return listen_to(a, ERLDIST_MCGRP_NAMES_ALL);
}

/* While the attacker listens, if it may, a handshake fails and a name is registered. */
static int listening(struct attempt *a, int (*try)(struct attempt *a), int node)
{
	int pair[2], sv[2];
	pid_t pid;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	a->told = pair[1];
	a->try = try;
	pid = spawn(attacker, a);
	close(pair[1]);
	if (read(pair[0], &c, 1) == 1) {
		stream_pair(CARRIER_TCP4, sv);
		node_accept(node, sv[0], 0);
		close(sv[0]);
		close(sv[1]);
		close(proc("named", "k@h"));
	}
	close(pair[0]);
	a->told = -1;
	return reap(pid);
}

TEST_F(user, sees)
{
	bool out = contained(variant->spaces);
	int err;

	proc_self(self->svc, &self->a.pid);
	EXPECT_EQ(out ? 0 : 2, ATTEMPT(count_nodes));
	EXPECT_EQ(out ? 0 : 1, ATTEMPT(count_processes));
	EXPECT_EQ(out ? ENOENT : EACCES, ATTEMPT(find_process));
	err = listening(&self->a, listen_to_handshakes, self->node);
	EXPECT_TRUE(err == EPERM || (out && err == ETIMEDOUT)) {
		TH_LOG("handshakes: %s", strerror(err));
	}
	err = listening(&self->a, listen_to_names, self->node);
	EXPECT_TRUE(err == EPERM || (out && err == ETIMEDOUT)) {
		TH_LOG("names: %s", strerror(err));
	}
}

/* A program with a process of the open node; it gives the descriptor away and waits. */
static int program(void *arg)
{
	int through = *(int *)arg, fd = proc("victim", "open@h");
	char c;

	give_fd(through, fd);
	return read(through, &c, 1) == 1 ? 7 : 8;
}

static int set_kill(struct attempt *a)
{
	uint32_t sig = SIGKILL;

	/* It does not matter whether this succeeds: the program must live. */
	setsockopt(a->keep, SOL_ERLDIST, ERLDIST_KILL_SIGNAL, &sig, sizeof(sig));
	return 0;
}

TEST_F(user, kills_a_program)
{
	int pair[2], fd;
	struct epid pid;
	struct to kill_it = { .op = ERLDIST_SIG_EXIT };
	DEFINE_BUF(dest);
	DEFINE_BUF(reason);
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = spawn(program, &pair[1]);
	fd = take_fd(pair[0]);
	proc_self(fd, &pid);
	self->a.keep = fd;
	ASSERT_EQ(0, ATTEMPT(set_kill));
	kill_it.dest = fmt(&dest, "p", &pid);
	ASSERT_LT(0, proc_sendto(self->taken, &kill_it, fmt(&reason, "a", "kill")));
	EXPECT_TRUE(poll_for(fd, POLLHUP, WAIT_MS));
	sleep_ms(QUIET_MS);
	ASSERT_EQ(1, write(pair[0], "x", 1));
	EXPECT_EQ(7, reap(child)) {
		TH_LOG("the program was signalled");
	}
}

/* The root of a container, and nodes that were made in it */

static int pause_in_container(struct attempt *a)
{
	char c;
	int fd;

	if (write(a->told, "x", 1) != 1 || read(a->told, &c, 1) != 1)
		return NO_RESULT;
	fd = proc_open(NULL, "c@h");
	return fd < 0 ? -fd : 0;
}

TEST(root_of_a_container_uses_its_nodes)
{
	struct attempt a = { .try = pause_in_container, .keep = -1,
			     .spaces = CLONE_NEWUSER | CLONE_NEWNET };
	char path[64], c;
	int pair[2], ns;
	pid_t child;

	SETUP_ERLDIST();
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	a.told = pair[1];
	child = spawn(attacker, &a);
	ASSERT_EQ(1, read(pair[0], &c, 1));
	snprintf(path, sizeof(path), "/proc/%d/ns/net", child);
	ns = open(path, O_RDONLY);
	ASSERT_LE(0, ns);
	ASSERT_EQ(0, setns(ns, CLONE_NEWNET));
	node("c@h");
	ASSERT_EQ(1, write(pair[0], "x", 1));
	EXPECT_EQ(0, reap(child));
}

/* Shares: one user takes all of a limit, then the node's owner needs some */

FIXTURE(share) {
	int node;
	int owner;		/* a process of the node's owner */
	int svc;
	int told[2];
	struct erldist_limits l;
	struct attempt a;
	pid_t pid;
};

FIXTURE_SETUP(share)
{
	SETUP_ERLDIST();
	self->node = node_open(&(struct node_config){ .name = "k@h", .mode = 0666, .setup = 60000 });
	ASSERT_LE(0, self->node);
	self->owner = proc("owner", NULL);
	self->svc = proc("svc", NULL);
	ASSERT_EQ(0, node_limits(self->node, &self->l));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->told));
	self->a = (struct attempt){ .keep = -1, .told = self->told[1] };
}

FIXTURE_TEARDOWN(share)
{
}

/*
 * The attacker takes and keeps all it can get, once in a test; returns its last error, or
 * -1 if the attacker ends before it tells.
 */
static int exhaust(FIXTURE_DATA(share) *self, int (*try)(struct attempt *a))
{
	uint8_t err;

	if (node_set_limits(self->node, &self->l))
		die("limits");
	self->a.try = try;
	self->pid = spawn(attacker, &self->a);
	close(self->told[1]);
	return read(self->told[0], &err, 1) == 1 ? err : -1;
}

/* The attacker ends: true when fn works afterwards */
static bool free_again(FIXTURE_DATA(share) *self, int (*fn)(FIXTURE_DATA(share) *self))
{
	uint64_t end = now_ms() + WAIT_MS;
	int err;

	kill(self->pid, SIGKILL);
	reap(self->pid);
	while ((err = fn(self)) && now_ms() < end)
		sleep_ms(10);
	return !err;
}

static int tell(struct attempt *a, int err)
{
	uint8_t byte = err;

	if (write(a->told, &byte, 1) != 1)
		return 1;
	for (;;)
		pause();
}

static int take_processes(struct attempt *a)
{
	int fd;

	do
		fd = proc_open(NULL, "k@h");
	while (fd >= 0);
	return tell(a, -fd);
}

static int bind_one(FIXTURE_DATA(share) *self)
{
	int fd = proc_open(NULL, "k@h");

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

TEST_F(share, processes)
{
	int err;

	self->l.processes = 50;
	EXPECT_EQ(EUSERS, exhaust(self, take_processes));
	err = bind_one(self);
	EXPECT_EQ(0, err) {
		TH_LOG("one user's processes leave the node's owner none");
	}
	EXPECT_TRUE(free_again(self, bind_one));
}

static int take_ports(struct attempt *a)
{
	int fd = proc_open(NULL, "k@h"), n = 0, err;

	while ((err = proc_attach(fd)) >= 0)
		n++;
	return tell(a, err == -EUSERS ? n : 255);
}

static int attach_one(FIXTURE_DATA(share) *self)
{
	int fd = proc_attach(self->owner);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

TEST_F(share, ports)
{
	int err;

	self->l.processes = 50;
	EXPECT_EQ(22, exhaust(self, take_ports));
	err = attach_one(self);
	EXPECT_EQ(0, err) {
		TH_LOG("one user's ports leave the node's owner none");
	}
	EXPECT_TRUE(free_again(self, attach_one));
}

static int processes(void)
{
	struct node_info i;

	return node_info("k@h", &i) ? -1 : (int)i.processes;
}

/* A user gets as many as are left then, but for the last eighth, which is the owner's */
TEST_F(share, what_is_left)
{
	int there = processes();

	ASSERT_EQ(2, there);
	self->l.processes = 64;
	EXPECT_EQ(EUSERS, exhaust(self, take_processes));
	EXPECT_EQ(there += 27, processes());
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->told));
	self->a.told = self->told[1];
	self->a.uid = ATTACKER - 1;
	EXPECT_EQ(EUSERS, exhaust(self, take_processes));
	EXPECT_EQ(there += 14, processes());
	for (; there < 64; there++)
		ASSERT_LE(0, proc_open(NULL, "k@h"));
	EXPECT_EQ(-EUSERS, proc_open(NULL, "k@h"));
}

static int monitor_svc(int fd, uint64_t ref)
{
	struct to to = { .op = ERLDIST_SIG_MONITOR, .ref = ref };
	DEFINE_BUF(dest);

	to.dest = fmt(&dest, "a", "svc");
	return proc_ask(fd, &to);
}

static int take_relations(struct attempt *a)
{
	int err = 0, fd = proc_open(NULL, "k@h");

	while (!err) {
		uint64_t refs = proc_refs(fd);

		for (int i = 0; i < 64 && !err; i++)
			err = monitor_svc(fd, refs + i);
	}
	return tell(a, -err);
}

static int monitor_one(FIXTURE_DATA(share) *self)
{
	return monitor_svc(self->owner, proc_refs(self->owner));
}

TEST_F(share, relations)
{
	int err;

	self->l.node_relations = 200;
	EXPECT_EQ(EUSERS, exhaust(self, take_relations));
	err = monitor_one(self);
	EXPECT_EQ(0, err) {
		TH_LOG("one user's monitors leave the node's owner none");
	}
	EXPECT_TRUE(free_again(self, monitor_one));
}

static int want(int fd, const char *node)
{
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);
	ssize_t n = proc_send(fd, fmt(&dest, "{aa}", "x", node), fmt(&msg, "a", "hello"));

	return n < 0 ? n : 0;
}

static int take_wanted(struct attempt *a)
{
	int err = 0;

	/* Each process may want 16. */
	for (int n = 0; n < 10; n++) {
		int fd = proc_open(NULL, "k@h");

		for (int i = 0; i < 16 && !err; i++) {
			char name[32];

			snprintf(name, sizeof(name), "far%d_%d@h", n, i);
			err = want(fd, name);
		}
	}
	return tell(a, -err);
}

static int want_one(FIXTURE_DATA(share) *self)
{
	return want(self->owner, "near@h");
}

TEST_F(share, wanted)
{
	struct erldist_ticktime soon = { .setup = 3000 };
	int err;

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &soon, sizeof(soon)));
	self->l.wanted = 64;
	EXPECT_EQ(EUSERS, exhaust(self, take_wanted));
	err = want_one(self);
	EXPECT_EQ(0, err) {
		TH_LOG("one user's destinations leave the node's owner none");
	}
	EXPECT_TRUE(free_again(self, want_one));
}

static int take_peers(struct attempt *a)
{
	int err = 0, fd = proc_open(NULL, "k@h");

	for (int i = 0; i < 100 && !err; i++) {
		char name[32];

		snprintf(name, sizeof(name), "far%d@h", i);
		err = want(fd, name);
	}
	return tell(a, -err);
}

/* The names that one user makes up leave others places. */
TEST_F(share, peers)
{
	struct erldist_ticktime soon = { .setup = 3000 };
	struct node_info i;
	int err;

	ASSERT_EQ(0, setsockopt(self->node, SOL_ERLDIST, ERLDIST_TICKTIME, &soon, sizeof(soon)));
	self->l.peers = 64;
	self->l.wanted = 1000;
	self->l.process_wanted = 1000;
	EXPECT_EQ(EUSERS, exhaust(self, take_peers));
	ASSERT_EQ(0, node_info("k@h", &i));
	/* half of what is not the owner's: own - 1 <= 56 - own */
	EXPECT_EQ(28, i.peers);
	err = want_one(self);
	EXPECT_EQ(0, err) {
		TH_LOG("one user's names leave the node's owner no place");
	}
	EXPECT_TRUE(free_again(self, want_one));
}

/* A process with an administrator's rights, and a peer that was made for it, which stays */
static int privileged(FIXTURE_DATA(share) *self)
{
	int fd, err;

	syscall(SYS_setfsuid, ATTACKER);
	fd = proc_open(NULL, "k@h");
	syscall(SYS_setfsuid, 0);
	if (fd < 0)
		return fd;
	err = want(fd, "p@h");
	if (!err)
		err = nodes_connect(self->node, node("p@h"), "p@h", CARRIER_UNIX);
	close(fd);
	return err;
}

/* A user's share does not grow by what processes of that user with more rights did before. */
TEST_F(share, rights_of_another_process)
{
	self->l.processes = 64;
	ASSERT_EQ(0, privileged(self));
	EXPECT_EQ(EUSERS, exhaust(self, take_processes));
	/* with the owner's two: own - 1 <= 56 - 2 - own */
	EXPECT_GE(29, processes());
	EXPECT_EQ(0, bind_one(self));
	kill(self->pid, SIGKILL);
	reap(self->pid);
}

/* The last eighth is rounded up: a limit of one is the owner's alone */
TEST_F(share, limit_of_one)
{
	self->l.wanted = 1;
	EXPECT_EQ(EUSERS, exhaust(self, take_wanted));
	EXPECT_EQ(0, want_one(self));
	kill(self->pid, SIGKILL);
	reap(self->pid);
}

/* Watches of all nodes do not use up the number of relations */
static int take_all_nodes(struct attempt *a)
{
	int err = 0;

	for (int i = 0; i < 60 && !err; i++) {
		int fd = proc_open(NULL, "k@h");

		err = fd < 0 ? fd : proc_ask(fd, &(struct to){
			.op = ERLDIST_SIG_MONITOR_NODES,
			.sig_flags = ERLDIST_SIG_F_VISIBLE | ERLDIST_SIG_F_HIDDEN });
	}
	return tell(a, -err);
}

TEST_F(share, all_nodes)
{
	char name[16];

	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "p%d@h", i);
		ASSERT_EQ(0, nodes_connect(self->node, node(name), name, CARRIER_UNIX));
	}
	self->l.node_relations = 200;
	EXPECT_EQ(0, exhaust(self, take_all_nodes));
	EXPECT_EQ(0, monitor_one(self));
	kill(self->pid, SIGKILL);
	reap(self->pid);
}

/* In a user namespace with a range of uids, as newuidmap gives one to everybody */
static int take_as_many(struct attempt *a)
{
	char c = 0;

	if (unshare(CLONE_NEWUSER) || write(a->told, &c, 1) != 1 || read(a->told, &c, 1) != 1)
		return NO_RESULT;
	for (uid_t uid = 1; uid <= 12; uid++) {
		int fd = -1;

		if (setresuid(uid, uid, 0))
			return NO_RESULT;
		while ((fd = proc_open(NULL, "k@h")) >= 0)
			;
		if (fd != -EUSERS || setresuid(0, 0, 0))
			return NO_RESULT;
	}
	return tell(a, EUSERS);
}

TEST_F(share, many_uids)
{
	char path[64], c;

	self->l.processes = 64;
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	self->a.try = take_as_many;
	self->pid = spawn(attacker, &self->a);
	ASSERT_EQ(1, read(self->told[0], &c, 1));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", self->pid);
	write_file(path, "0 65533 1\n1 100000 1000\n");
	ASSERT_EQ(1, write(self->told[0], &c, 1));
	ASSERT_EQ(1, read(self->told[0], &c, 1));
	ASSERT_EQ(EUSERS, c);
	EXPECT_EQ(2 + 27, processes()) {
		TH_LOG("more than one user's share");
	}
	kill(self->pid, SIGKILL);
	reap(self->pid);
}

static int send_now(int fd, const char *name, size_t size)
{
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);
	ssize_t n;

	buf_u8(&msg, 109);
	buf_be32(&msg, size);
	memset(buf_grow(&msg, size), 'x', size);
	fmt(&dest, "a", name);
	n = proc_sendto(fd, &(struct to){ .dest = &dest, .flags = MSG_DONTWAIT }, &msg);
	return n < 0 ? n : 0;
}

/* Each byte that is read: a port that waits for room at "victim" */
static int wait_for_room(struct attempt *a)
{
	int fd = proc_open(NULL, "k@h"), port;
	char c;

	while (read(a->told, &c, 1) == 1) {
		port = proc_attach(fd);
		while (port >= 0 && !send_now(port, "victim", 40000))
			;
		if (write(a->told, &c, 1) != 1)
			break;
	}
	return 0;
}

/* A process that has ended does not count, though a sender still refers to it */
TEST_F(share, ended)
{
	char c = 0;
	int fd;

	self->l.processes = 32;
	self->l.mailbox = 1 << 16;
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	self->a.try = wait_for_room;
	self->pid = spawn(attacker, &self->a);
	for (int i = 0; i < 10; i++) {
		fd = proc("victim", "k@h");
		ASSERT_EQ(1, write(self->told[0], &c, 1));
		ASSERT_EQ(1, read(self->told[0], &c, 1));
		close(fd);
	}
	for (uint64_t end = now_ms() + WAIT_MS; processes() > 3 && now_ms() < end; sleep_ms(10))
		;
	EXPECT_EQ(3, processes());
	kill(self->pid, SIGKILL);
	reap(self->pid);
}

static int fill_mailbox(struct attempt *a)
{
	int err, fd = proc_open(NULL, "k@h");

	do
		err = send_now(fd, "svc", 1000);
	while (!err);
	return tell(a, -err);
}

TEST_F(share, mailbox)
{
	int err;

	self->l.mailbox = 1 << 20;
	/* The limit is that of processes made after it is set. */
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	close(self->svc);
	self->svc = proc("svc", NULL);
	EXPECT_EQ(EAGAIN, exhaust(self, fill_mailbox));
	err = send_now(self->owner, "svc", 1000);
	EXPECT_FAILS_TODAY(!err, "one user fills the mailbox of a server: %s", strerror(-err));
	/* Other mailboxes have room. */
	EXPECT_EQ(0, send_now(self->svc, "owner", 1000));
	kill(self->pid, SIGKILL);
	reap(self->pid);
}

#define OWN_POOL	(8 << 20)

/* The MB that a process may send to itself, at most 64 */
static int fill_own(struct attempt *a)
{
	struct erldist_mailbox_limits box = { .local = 1ULL << 63 };
	int fd = proc_open("mine", "k@h"), n = 0;

	setsockopt(fd, SOL_ERLDIST, ERLDIST_MAILBOX, &box, sizeof(box));
	while (n < 64 && !send_now(fd, "mine", 1000000))
		n++;
	return tell(a, n);
}

TEST_F_TIMEOUT(share, own_mailbox, 60)
{
	int mb;

	self->l.mailbox_pool = OWN_POOL;
	self->l.max_message = OWN_POOL / 2;
	mb = exhaust(self, fill_own);
	EXPECT_FAILS_TODAY(mb <= OWN_POOL >> 20, "a user sent %d MB to itself with a pool of %d",
			   mb, OWN_POOL >> 20);
	EXPECT_EQ(0, send_now(self->owner, "svc", 1000));
	kill(self->pid, SIGKILL);
	reap(self->pid);
}

#define LARGE	(16L << 20)
#define DOWNS	12

/* A process of this node ends with a long reason; the owner monitors it. */
static int end_with(int watcher, uint64_t ref, const struct buf *reason)
{
	struct to monitor = { .op = ERLDIST_SIG_MONITOR, .ref = ref };
	struct to bye = { .op = ERLDIST_SIG_EXIT };
	int p = proc(NULL, NULL), err;
	struct epid pid;
	DEFINE_BUF(dest);

	proc_self(p, &pid);
	fmt(&dest, "p", &pid);
	monitor.dest = &dest;
	bye.dest = &dest;
	err = proc_ask(watcher, &monitor);
	if (!err)
		err = proc_sendto(p, &bye, reason) < 0 ? -EIO : 0;
	close(p);
	return err;
}

TEST_F_TIMEOUT(share, reasons, 60)
{
	uint64_t refs = proc_refs(self->owner);
	long used, more;
	DEFINE_BUF(reason);

	self->l.mailbox_pool = 4 * LARGE;
	self->l.max_message = 2 * LARGE;
	ASSERT_EQ(0, node_set_limits(self->node, &self->l));
	buf_u8(&reason, 109);
	buf_be32(&reason, LARGE);
	memset(buf_grow(&reason, LARGE), 'x', LARGE);
	used = memory_used();
	for (int n = 0; n < DOWNS; n++)
		ASSERT_EQ(0, end_with(self->owner, refs + n, &reason));
	more = memory_used() - used;
	EXPECT_FAILS_TODAY(more <= 6 * LARGE, "unread DOWNs hold %ld MB with a pool of %ld",
			   more >> 20, 4 * LARGE >> 20);
}

static long slab(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[256];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "SUnreclaim: %ld", &kb);
	if (f)
		fclose(f);
	return kb << 10;
}

/* Small messages to nodes that do not come, until they exceed the group's limit by far */
static int queue_small(struct attempt *a)
{
	long before = slab();
	int err = 0, fd = proc_open(NULL, "k@h");

	for (int n = 0; n < 64 && slab() - before < 3 * GROUP_LIMIT; n++) {
		char name[32];

		snprintf(name, sizeof(name), "far%d@h", n);
		do {
			DEFINE_BUF(dest);
			DEFINE_BUF(msg);

			fmt(&dest, "{aa}", "x", name);
			err = proc_sendto(fd, &(struct to){ .dest = &dest,
					  .flags = MSG_DONTWAIT }, fmt(&msg, "i", 1));
		} while (err > 0);
	}
	return tell(a, 0);
}

TEST_F_TIMEOUT(share, cgroup, 120)
{
	char limit[32];
	long before, more;

	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	ASSERT_TRUE(!mkdir(GROUP, 0755) || errno == EEXIST);
	snprintf(limit, sizeof(limit), "%ld", GROUP_LIMIT);
	write_file(GROUP "/memory.max", limit);
	self->a.confined = true;
	before = slab();
	/*
	 * The group's own OOM killer ends it, which is what memory.max means. Where leaks
	 * are looked for, the kernel has a record of its own for each object.
	 */
	exhaust(self, queue_small);
	more = slab() - before;
	TH_LOG("%ld MB of slab more", more >> 20);
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		more /= 2;
	EXPECT_LE(more, GROUP_LIMIT + GROUP_LIMIT / 16);
	EXPECT_EQ(0, send_now(self->owner, "svc", 1000));
	kill(self->pid, SIGKILL);
	reap(self->pid);
	rmdir(GROUP);
}

TEST_HARNESS_MAIN
