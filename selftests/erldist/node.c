// SPDX-License-Identifier: GPL-2.0-only
/* Nodes: names, options, permission, several at a time, and their end. */
#include <arpa/inet.h>
#include <grp.h>
#include <sched.h>

#include "erldist_test.h"
#include "kselftest_harness.h"

#define NOBODY	65534

FIXTURE(node) {
};

FIXTURE_SETUP(node)
{
	SETUP_ERLDIST();
}

FIXTURE_TEARDOWN(node)
{
}

TEST_F(node, socket_types)
{
	EXPECT_LT(0, family());
	EXPECT_EQ(-1, socket(family(), SOCK_STREAM, 0));
	EXPECT_TRUE(errno == ESOCKTNOSUPPORT || errno == EPROTONOSUPPORT);
	EXPECT_EQ(-1, socket(family(), SOCK_DGRAM, 0));
	EXPECT_EQ(-1, socket(family(), SOCK_SEQPACKET, 0));
	EXPECT_EQ(-1, socket(family(), SOCK_RDM, 1));
	EXPECT_EQ(EPROTONOSUPPORT, errno);
}

static int try_name(const char *name)
{
	int fd = node_open(&(struct node_config){ .name = name });

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

TEST_F(node, names)
{
	char name[260];

	EXPECT_EQ(0, try_name("a@h"));
	EXPECT_EQ(0, try_name("A-z_09@host.example.org"));
	EXPECT_EQ(-EINVAL, try_name("ah"));
	EXPECT_EQ(-EINVAL, try_name("@h"));
	EXPECT_EQ(-EINVAL, try_name("a@"));
	EXPECT_EQ(-EINVAL, try_name("a@b@c"));
	EXPECT_EQ(-EINVAL, try_name("a b@h"));
	EXPECT_EQ(-EINVAL, try_name("a.b@h"));
	EXPECT_EQ(-EINVAL, try_name("\xc3\xa4@h"));
	EXPECT_EQ(-EINVAL, try_name(""));

	memset(name, 'x', sizeof(name));
	memcpy(name + 100, "@", 1);
	name[255] = 0;
	EXPECT_EQ(0, try_name(name)) {
		TH_LOG("a name of 255 characters");
	}
	name[255] = 'x';
	name[256] = 0;
	EXPECT_EQ(-EINVAL, try_name(name)) {
		TH_LOG("a name of 256 characters");
	}
}

TEST_F(node, bind_wants_an_atom)
{
	static const char * const bad[] = {
		"61 05", "77", "77 05 61 40 68", "77 03 61 40 68 00",
		"68 01 77 03 61 40 68", "6d 00 00 00 03 61 40 68", "",
	};
	int fd = socket(family(), SOCK_RAW, 0);

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		DEFINE_BUF(b);

		EXPECT_EQ(-EINVAL, proc_bind_term(fd, buf_hex(&b, bad[i]))) {
			TH_LOG("address %s", bad[i]);
		}
	}
	DEFINE_BUF(good);
	DEFINE_BUF(other);

	EXPECT_EQ(0, proc_bind_term(fd, term(&good, "a", "a@h")));
	EXPECT_EQ(-EINVAL, proc_bind_term(fd, term(&other, "a", "b@h"))) {
		TH_LOG("bound twice");
	}
}

TEST_F(node, defaults)
{
	struct erldist_ticktime t;
	uint32_t creation, mode, other;
	struct erldist_limits l;
	uint64_t flags;
	socklen_t len;
	int fd = node("a@h"), fd2 = node("b@h");

	len = sizeof(creation);
	ASSERT_EQ(0, getsockopt(fd, SOL_ERLDIST, ERLDIST_CREATION, &creation, &len));
	EXPECT_LT(3, creation);
	ASSERT_EQ(0, getsockopt(fd2, SOL_ERLDIST, ERLDIST_CREATION, &other, &len));
	EXPECT_NE(creation, other);
	len = sizeof(flags);
	ASSERT_EQ(0, getsockopt(fd, SOL_ERLDIST, ERLDIST_FLAGS, &flags, &len));
	EXPECT_EQ(DEFAULT_FLAGS, flags);
	len = sizeof(mode);
	ASSERT_EQ(0, getsockopt(fd, SOL_ERLDIST, ERLDIST_MODE, &mode, &len));
	EXPECT_EQ(0600, mode);
	len = sizeof(t);
	ASSERT_EQ(0, getsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &t, &len));
	EXPECT_EQ(60000, t.ticktime);
	EXPECT_EQ(4, t.intensity);
	EXPECT_EQ(7000, t.setup);
	ASSERT_EQ(0, node_limits(fd, &l));
	EXPECT_EQ(5000, l.stall);
	EXPECT_EQ(64, l.handshakes);
	EXPECT_EQ(8 << 20, l.mailbox);
	EXPECT_LE(l.max_message, l.mailbox_pool / 2);
	EXPECT_GE(128 << 20, l.max_message);
}

static int set_u32(int fd, int option, uint32_t v)
{
	return setsockopt(fd, SOL_ERLDIST, option, &v, sizeof(v)) ? -errno : 0;
}

static int set_flags(int fd, uint64_t v)
{
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_FLAGS, &v, sizeof(v)) ? -errno : 0;
}

TEST_F(node, options_before_and_after_bind)
{
	int fd = socket(family(), SOCK_RAW, 0);
	DEFINE_BUF(name);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, set_u32(fd, ERLDIST_CREATION, 0));
	EXPECT_EQ(0, set_u32(fd, ERLDIST_CREATION, 77));
	EXPECT_EQ(-EINVAL, set_flags(fd, DEFAULT_FLAGS | 0x2000)) {
		TH_LOG("an atom cache is not to be offered");
	}
	EXPECT_EQ(0, set_flags(fd, DEFAULT_FLAGS | 1));
	EXPECT_EQ(0, set_u32(fd, ERLDIST_MODE, 0666));
	EXPECT_EQ(-EINVAL, set_u32(fd, ERLDIST_MODE, 01000));
	ASSERT_EQ(0, proc_bind_term(fd, term(&name, "a", "a@h")));

	EXPECT_GT(0, set_u32(fd, ERLDIST_CREATION, 78));
	EXPECT_GT(0, set_flags(fd, DEFAULT_FLAGS));
	EXPECT_EQ(0, set_u32(fd, ERLDIST_MODE, 0600));
	EXPECT_EQ(0, set_u32(fd, ERLDIST_ADMIT, 1));
	EXPECT_EQ(0, setsockopt(fd, SOL_ERLDIST, ERLDIST_COOKIE, "x", 1));

	struct node_info i;

	ASSERT_EQ(0, node_info("a@h", &i));
	EXPECT_EQ(77, i.creation);
	EXPECT_EQ(DEFAULT_FLAGS | 1, i.flags);
	EXPECT_EQ(0600, i.mode);
}

TEST_F(node, structures_may_grow)
{
	struct {
		struct erldist_ticktime t;
		uint32_t more;
	} big = { { .ticktime = 8000, .intensity = 8, .setup = 100 } };
	struct erldist_ticktime t;
	socklen_t len = sizeof(t);
	int fd = node("a@h");

	EXPECT_EQ(0, setsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &big, sizeof(big)));
	big.more = 1;
	EXPECT_EQ(-1, setsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &big, sizeof(big)));
	EXPECT_EQ(E2BIG, errno);
	EXPECT_EQ(0, setsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &big, 8));
	ASSERT_EQ(0, getsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &t, &len));
	EXPECT_EQ(8000, t.ticktime);
	EXPECT_EQ(8, t.intensity);
	EXPECT_EQ(7000, t.setup) {
		TH_LOG("what is missing reads as zero, and zero is the default");
	}
	big.more = 0;
	big.t.intensity = 3;
	EXPECT_EQ(-1, setsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &big, sizeof(big)));
	EXPECT_EQ(EINVAL, errno);
	big.t.intensity = 1001;
	EXPECT_EQ(-1, setsockopt(fd, SOL_ERLDIST, ERLDIST_TICKTIME, &big, sizeof(big)));
}

TEST_F(node, limits_that_are_none)
{
	struct erldist_limits l = { .fragments = ERLDIST_FRAGMENTS_MAX };
	int fd = node("a@h");

	EXPECT_EQ(0, node_set_limits(fd, &l));
	l.fragments++;
	EXPECT_EQ(-EINVAL, node_set_limits(fd, &l));
	ASSERT_EQ(0, node_limits(fd, &l));
	EXPECT_EQ(ERLDIST_FRAGMENTS_MAX, l.fragments);
	l.max_message = l.mailbox_pool / 2 + 1;
	EXPECT_EQ(-EINVAL, node_set_limits(fd, &l));
}

/* So much that a sum of a few of them would not fit: they are cut down to what does. */
TEST_F(node, limits_without_bound)
{
	struct erldist_limits l = {
		.mailbox_pool = ~0ULL, .mailbox = ~0ULL, .send_queue = ~0ULL,
		.max_message = 1 << 20,
	};
	struct erldist_mailbox_limits m = { .local = ~0ULL, .hard = ~0ULL };
	socklen_t len = sizeof(m);
	int fd = node("a@h"), p;

	ASSERT_EQ(0, node_set_limits(fd, &l));
	ASSERT_EQ(0, node_limits(fd, &l));
	EXPECT_GT(~0ULL / 3, l.mailbox_pool);
	EXPECT_GT(~0ULL / 3, l.mailbox);
	EXPECT_GT(~0ULL / 3, l.send_queue);
	EXPECT_LE(1ULL << 30, l.mailbox_pool);
	p = proc("p", NULL);
	ASSERT_EQ(0, setsockopt(p, SOL_ERLDIST, ERLDIST_MAILBOX, &m, sizeof(m)));
	ASSERT_EQ(0, getsockopt(p, SOL_ERLDIST, ERLDIST_MAILBOX, &m, &len));
	EXPECT_GT(~0ULL / 3, m.local);
	EXPECT_GT(~0ULL / 3, m.hard);
	EXPECT_LE(1ULL << 30, m.local);
}

TEST_F(node, cookies_are_write_only)
{
	char cookie[300];
	socklen_t len = sizeof(cookie);
	int fd = node("a@h");

	memset(cookie, 'c', sizeof(cookie));
	EXPECT_EQ(-1, getsockopt(fd, SOL_ERLDIST, ERLDIST_COOKIE, cookie, &len));
	EXPECT_EQ(ENOPROTOOPT, errno);
	EXPECT_EQ(0, setsockopt(fd, SOL_ERLDIST, ERLDIST_COOKIE, cookie, 255));
	EXPECT_EQ(-1, setsockopt(fd, SOL_ERLDIST, ERLDIST_COOKIE, cookie, 256));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, setsockopt(fd, SOL_ERLDIST, ERLDIST_COOKIE, cookie, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(node, name_taken_and_free_again)
{
	int fd = node("a@h");

	EXPECT_EQ(-EADDRINUSE, node_open(&(struct node_config){ .name = "a@h" }));
	close(fd);
	fd = node_open(&(struct node_config){ .name = "a@h" });
	EXPECT_LE(0, fd);
}

TEST_F(node, same_name_in_two_namespaces)
{
	int here = open("/proc/self/ns/net", O_RDONLY);
	int a = node("a@h"), a2, p, p2;
	struct epid pid, pid2;
	DEFINE_BUF(dest);
	DEFINE_BUF(hello);

	p = proc("svc", NULL);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	EXPECT_EQ(-EADDRNOTAVAIL, proc_open(NULL, "a@h"));
	a2 = node_open(&(struct node_config){ .name = "a@h" });
	ASSERT_LE(0, a2);
	p2 = proc("svc", NULL);
	proc_self(p, &pid);
	proc_self(p2, &pid2);
	EXPECT_NE(pid.creation, pid2.creation);

	/* a name is looked up where the socket was made */
	ASSERT_EQ(0, setns(here, CLONE_NEWNET));
	term(&hello, "{ab}", "hello", "there");
	EXPECT_EQ(hello.len, proc_send(p2, term(&dest, "a", "svc"), &hello));
	EXPECT_TRUE(proc_expect(p2, &hello));
	EXPECT_FALSE(poll_for(p, POLLIN, 0));
	EXPECT_EQ(hello.len, proc_send(p2, term(&dest, "{aa}", "svc", "a@h"), &hello));
	EXPECT_TRUE(proc_expect(p2, &hello));
	EXPECT_EQ(hello.len, proc_send(p2, term(&dest, "p", &pid), &hello));
	EXPECT_FALSE(poll_for(p, POLLIN, QUIET_MS));
	close(a);
}

TEST_F(node, several_and_the_default)
{
	struct epid pid;
	int a = node("a@h"), b = node("b@h"), p;
	DEFINE_BUF(name);

	p = proc(NULL, NULL);
	proc_self(p, &pid);
	EXPECT_STREQ("a@h", pid.node);
	p = proc("svc", NULL);
	proc_self(p, &pid);
	EXPECT_STREQ("a@h", pid.node);
	p = proc("svc", "b@h");
	proc_self(p, &pid);
	EXPECT_STREQ("b@h", pid.node);
	p = proc(NULL, "b@h");
	EXPECT_EQ(0, proc_term(p, ERLDIST_NODE, &name));
	EXPECT_EQ(5, name.len);
	EXPECT_EQ(0, memcmp(name.p, "\x77\003b@h", 5));
	p = proc("", "b@h");
	EXPECT_EQ(0, proc_term(p, ERLDIST_NODE, &name));

	EXPECT_EQ(-EADDRINUSE, proc_open("svc", "b@h"));
	EXPECT_EQ(-EADDRNOTAVAIL, proc_open("svc", "c@h"));
	EXPECT_EQ(-EADDRNOTAVAIL, proc_open(NULL, "c@h"));
	close(a);
	p = proc(NULL, NULL);
	proc_self(p, &pid);
	EXPECT_STREQ("b@h", pid.node);
	close(b);
	EXPECT_EQ(-EADDRNOTAVAIL, proc_open(NULL, NULL));
}

struct attempt {
	const char *name;
	const char *node;
	gid_t gid;
};

/* Bind a process as nobody; the errno is the exit status */
static int as_nobody(void *arg)
{
	struct attempt *a = arg;
	int fd;

	if (setgroups(0, NULL) || setresgid(a->gid, a->gid, a->gid) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return 255;
	fd = proc_open(a->name, a->node);
	return fd < 0 ? -fd : 0;
}

static int bind_as_nobody(const char *name, const char *node, gid_t gid)
{
	struct attempt a = { name, node, gid };

	return reap(spawn(as_nobody, &a));
}

TEST_F(node, mode_says_who_may_bind)
{
	int fd = node("a@h");

	EXPECT_EQ(EACCES, bind_as_nobody(NULL, "a@h", NOBODY));
	ASSERT_EQ(0, set_u32(fd, ERLDIST_MODE, 0606));
	EXPECT_EQ(0, bind_as_nobody(NULL, "a@h", NOBODY));
	EXPECT_EQ(0, bind_as_nobody("svc", "a@h", NOBODY));
	EXPECT_EQ(EACCES, bind_as_nobody("rex", "a@h", NOBODY)) {
		TH_LOG("reserved names are the node owner's");
	}
	EXPECT_EQ(EACCES, bind_as_nobody("init", "a@h", NOBODY));
	ASSERT_EQ(0, set_u32(fd, ERLDIST_MODE, 0660));
	EXPECT_EQ(EACCES, bind_as_nobody(NULL, "a@h", NOBODY));
	EXPECT_EQ(0, bind_as_nobody(NULL, "a@h", getgid())) {
		TH_LOG("the group may");
	}
}

/* As nobody, the default node is the first one that nobody may use */
static int default_as_nobody(void *arg)
{
	struct epid pid;
	int fd;

	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	fd = proc_open(NULL, NULL);
	if (fd < 0)
		return 2;
	proc_self(fd, &pid);
	return strcmp(pid.node, arg) ? 3 : 0;
}

TEST_F(node, default_is_one_that_may_be_used)
{
	int a = node("a@h");
	int b = node_open(&(struct node_config){ .name = "b@h", .mode = 0666 });

	ASSERT_LE(0, b);
	EXPECT_EQ(0, reap(spawn(default_as_nobody, "b@h")));
	close(b);
	EXPECT_EQ(2, reap(spawn(default_as_nobody, "b@h")));
	close(a);
}

/* A node of the user "nobody" that lets every user bind */
static int node_of_nobody(const char *name)
{
	int fd = socket(family(), SOCK_RAW | SOCK_CLOEXEC, 0), err;
	DEFINE_BUF(atom);

	set_u32(fd, ERLDIST_MODE, 0666);
	fmt(&atom, "a", name);
	if (seteuid(NOBODY))
		die("seteuid");
	err = setsockopt(fd, SOL_ERLDIST, ERLDIST_BIND, atom.p, atom.len);
	if (seteuid(0) || err)
		die("the node of nobody");
	return fd;
}

/* Without a node that is named, no program lands on another user's. */
TEST_F(node, default_is_not_another_users)
{
	int a = node_of_nobody("a@h"), b;
	struct node_info info;
	struct epid pid;
	int p;

	ASSERT_EQ(0, node_info("a@h", &info));
	EXPECT_EQ(NOBODY, info.uid);
	EXPECT_EQ(0, info.by_admin);
	EXPECT_EQ(-EADDRNOTAVAIL, proc_open(NULL, NULL));
	EXPECT_EQ(0, reap(spawn(default_as_nobody, "a@h")));
	p = proc(NULL, "a@h");
	close(p);
	b = node("b@h");
	ASSERT_EQ(0, node_info("b@h", &info));
	EXPECT_EQ(1, info.by_admin);
	p = proc(NULL, NULL);
	proc_self(p, &pid);
	EXPECT_STREQ("b@h", pid.node);
	/* the first node that is the user's own, or that root made and opened to it */
	close(a);
	EXPECT_EQ(2, reap(spawn(default_as_nobody, "b@h")));
	ASSERT_EQ(0, set_u32(b, ERLDIST_MODE, 0666));
	EXPECT_EQ(0, reap(spawn(default_as_nobody, "b@h")));
}

static int node_as_nobody(void *arg)
{
	(void)arg;
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return 255;
	return socket(family(), SOCK_RAW, 0) < 0 ? errno : 0;
}

TEST_F(node, unprivileged_makes_no_node)
{
	int fd = open("/sys/module/erldist/parameters/unprivileged", O_RDONLY);
	char on = 'N';

	if (fd >= 0 && read(fd, &on, 1) == 1 && (on == 'Y' || on == '1'))
		SKIP(return, "unprivileged nodes are allowed here");
	EXPECT_EQ(EPERM, reap(spawn(node_as_nobody, NULL)));
}

TEST_F(node, reserved_names)
{
	int fd = node("a@h");

	EXPECT_LE(0, proc_open("rex", NULL));
	EXPECT_LE(0, proc_open("user", NULL));
	EXPECT_EQ(-EADDRINUSE, proc_open("net_kernel", NULL));
	EXPECT_GT(0, proc_open("undefined", NULL));
	close(fd);
}

TEST_F(node, close_ends_its_processes)
{
	int fd = node("a@h"), p = proc("svc", NULL), q = proc(NULL, NULL);
	DEFINE_BUF(dest);
	DEFINE_BUF(hello);
	DEFINE_MSG(m);

	term(&hello, "a", "hello");
	term(&dest, "a", "svc");
	ASSERT_EQ(hello.len, proc_send(q, &dest, &hello));
	close(fd);

	EXPECT_TRUE(proc_expect(p, &hello)) {
		TH_LOG("what was there may be drained");
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ENETDOWN, proc_recv(p, &m, WAIT_MS));
	EXPECT_EQ(-EPIPE, proc_send(p, &dest, &hello));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR,
		  poll_now(p) & (POLLIN | POLLHUP | POLLERR));
	EXPECT_EQ(-EINVAL, proc_bind_term(p, &dest)) {
		TH_LOG("ENDED is permanent");
	}
}

TEST_F(node, what_a_node_socket_does_not_do)
{
	struct sockaddr_erldist a = { .sed_family = family() };
	int fd = node("a@h");
	char byte;

	EXPECT_EQ(-1, listen(fd, 1));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, accept(fd, NULL, NULL));
	EXPECT_EQ(-1, connect(fd, (void *)&a, sizeof(a)));
	EXPECT_EQ(-1, send(fd, "x", 1, 0));
	EXPECT_EQ(-1, recv(fd, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, poll_now(fd) & (POLLIN | POLLHUP | POLLERR));
	EXPECT_EQ(-ENOTCONN, node_accept(socket(family(), SOCK_RAW, 0), fd, 0)) {
		TH_LOG("hand-over before bind");
	}
}

/* What can be handed over, and how */

TEST_F(node, unfit_descriptors)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(9) };
	struct channel c = { .role = ERLDIST_ROLE_ACCEPTOR };
	int node_fd = node("k@h"), svc = proc("svc", NULL), p[2], sv[2];

	c.fd = -1;
	EXPECT_EQ(-EBADF, node_channel(node_fd, &c));
	c.fd = 999;
	EXPECT_EQ(-EBADF, node_channel(node_fd, &c));
	ASSERT_EQ(0, pipe(p));
	c.fd = p[0];
	EXPECT_GT(0, node_channel(node_fd, &c));
	c.fd = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_EQ(-ENOTCONN, node_channel(node_fd, &c));
	ASSERT_EQ(0, listen(c.fd, 1));
	EXPECT_EQ(-ENOTCONN, node_channel(node_fd, &c));
	c.fd = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_EQ(0, connect(c.fd, (void *)&a, sizeof(a)));
	EXPECT_EQ(-EPROTONOSUPPORT, node_channel(node_fd, &c));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	c.fd = sv[0];
	EXPECT_EQ(-EPROTONOSUPPORT, node_channel(node_fd, &c));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	c.fd = sv[0];
	EXPECT_EQ(-EPROTONOSUPPORT, node_channel(node_fd, &c));
	c.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_EQ(-ENOTCONN, node_channel(node_fd, &c));
	c.fd = socket(AF_NETLINK, SOCK_RAW, 0);
	EXPECT_EQ(-EPROTONOSUPPORT, node_channel(node_fd, &c));
	c.fd = node_fd;
	EXPECT_EQ(-EPROTONOSUPPORT, node_channel(node_fd, &c));
	c.fd = svc;
	EXPECT_EQ(-EPROTONOSUPPORT, node_channel(node_fd, &c));
}

TEST_F(node, malformed_requests)
{
	static const struct erldist_hand_over rows[] = {
		{ .role = 0, .framing = 2 },
		{ .role = 4, .framing = 2 },
		{ .role = ERLDIST_ROLE_ACCEPTOR, .framing = 3 },
		{ .role = ERLDIST_ROLE_ACCEPTOR, .framing = 2, .name_len = 3 },
		{ .role = ERLDIST_ROLE_INITIATOR, .framing = 2 },
		{ .role = ERLDIST_ROLE_INITIATOR, .framing = 2, .name_len = 65535 },
		{ .role = ERLDIST_ROLE_READY, .framing = 2, .data_len = ~0U },
	};
	struct erldist_hand_over h;
	int node_fd = node("k@h"), sv[2];

	stream_pair(CARRIER_TCP4, sv);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		h = rows[i];
		h.fd = sv[0];
		EXPECT_EQ(-1, setsockopt(node_fd, SOL_ERLDIST, ERLDIST_CHANNEL, &h,
					 sizeof(h)));
		EXPECT_EQ(EINVAL, errno) {
			TH_LOG("row %zu", i);
		}
	}
	h.role = ERLDIST_ROLE_ACCEPTOR;
	for (size_t len = 0; len < 6; len++)
		EXPECT_EQ(-1, setsockopt(node_fd, SOL_ERLDIST, ERLDIST_CHANNEL, &h,
					 len));
}

TEST_F(node, unbound_process)
{
	int fd = socket(family(), SOCK_RDM, 0);
	DEFINE_BUF(dest);
	DEFINE_MSG(m);

	ASSERT_LE(0, fd);
	term(&dest, "{aa}", "svc", "a@h");
	EXPECT_EQ(-ENOTCONN, proc_send(fd, &dest, &dest));
	EXPECT_EQ(-ENOTCONN, proc_term(fd, ERLDIST_SELF, &m.term));
	EXPECT_EQ(-EADDRNOTAVAIL, proc_bind_term(fd, &dest));
	close(fd);
}

TEST_HARNESS_MAIN
