// SPDX-License-Identifier: GPL-2.0-only
/* Sending and receiving: every destination, every way to wait, every size. */
#include <pthread.h>
#include <sys/mman.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(message) {
	int a, b;		/* two nodes, connected */
	int p, q;		/* of a */
	int r;			/* of b, named "r" */
	struct epid p_pid, q_pid, r_pid;
};

FIXTURE_SETUP(message)
{
	SETUP_ERLDIST();
	self->a = node("a@h");
	self->b = node("b@h");
	ASSERT_EQ(0, nodes_connect(self->a, self->b, "b@h", CARRIER_TCP4));
	self->p = proc("p", "a@h");
	self->q = proc(NULL, "a@h");
	self->r = proc("r", "b@h");
	proc_self(self->p, &self->p_pid);
	proc_self(self->q, &self->q_pid);
	proc_self(self->r, &self->r_pid);
}

FIXTURE_TEARDOWN(message)
{
}

/* A message from `from` to this term arrives at to, with the right sender */
static void delivered(struct __test_metadata *_metadata, int from, int to,
		      const struct buf *dest, const char *what)
{
	struct epid self;
	static int n;
	DEFINE_BUF(msg);
	DEFINE_BUF(pid);
	DEFINE_MSG(m);

	term(&msg, "{bi}", what, ++n);
	EXPECT_EQ(msg.len, proc_send(from, dest, &msg)) {
		TH_LOG("%s", what);
	}
	ASSERT_EQ(0, proc_recv(to, &m, WAIT_MS)) {
		TH_LOG("%s", what);
	}
	EXPECT_TRUE(buf_eq(&m.term, &msg));
	proc_self(from, &self);
	fmt(&pid, "p", &self);
	EXPECT_TRUE(buf_eq(&m.from, &pid));
	EXPECT_FALSE(m.from_cmsg);
	EXPECT_EQ(0, m.flags & (ERLDIST_MSG_SIGNAL | MSG_TRUNC | MSG_CTRUNC));
	EXPECT_TRUE(m.op == -1 || m.op == ERLDIST_SIG_MESSAGE);
}

TEST_F(message, destinations)
{
	DEFINE_BUF(d);

	delivered(_metadata, self->q, self->p, term(&d, "a", "p"), "name");
	delivered(_metadata, self->q, self->p, term(&d, "p", &self->p_pid), "pid");
	delivered(_metadata, self->q, self->p, term(&d, "{aa}", "p", "a@h"),
		  "name and own node");
	delivered(_metadata, self->q, self->r, term(&d, "{aa}", "r", "b@h"),
		  "name and another node");
	delivered(_metadata, self->q, self->r, term(&d, "p", &self->r_pid),
		  "pid of another node");
	delivered(_metadata, self->p, self->q, term(&d, "p", &self->q_pid),
		  "pid without a name");
	delivered(_metadata, self->r, self->q, &d, "and from there");
	delivered(_metadata, self->p, self->p, term(&d, "a", "p"), "itself");
	/* a latin1 atom and one with a long length are the same name */
	d.len = 0;
	delivered(_metadata, self->q, self->p, buf_hex(&d, "73 01 70"), "latin1");
	d.len = 0;
	delivered(_metadata, self->q, self->p, buf_hex(&d, "76 00 01 70"), "118");
}

TEST_F(message, destination_in_a_control_message)
{
	struct to to = { .cmsg = true };
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	term(&msg, "a", "hello");
	to.dest = term(&d, "{aa}", "r", "b@h");
	EXPECT_EQ(msg.len, proc_sendto(self->p, &to, &msg));
	EXPECT_TRUE(proc_expect(self->r, &msg));
	to.dest = term(&d, "p", &self->q_pid);
	EXPECT_EQ(msg.len, proc_sendto(self->p, &to, &msg));
	EXPECT_TRUE(proc_expect(self->q, &msg));
}

TEST_F(message, version_byte)
{
	DEFINE_BUF(msg);
	DEFINE_BUF(with);
	DEFINE_BUF(d);

	term(&d, "a", "p");
	term(&msg, "{ab}", "hello", "there");
	buf_u8(&with, 131);
	buf_add(&with, msg.p, msg.len);
	EXPECT_EQ(with.len, proc_send(self->q, &d, &with));
	EXPECT_TRUE(proc_expect(self->p, &msg));
	term(&d, "{aa}", "r", "b@h");
	EXPECT_EQ(with.len, proc_send(self->q, &d, &with));
	EXPECT_TRUE(proc_expect(self->r, &msg));
}

TEST_F(message, to_nobody_succeeds)
{
	struct epid gone = self->p_pid, old = self->p_pid, far = self->r_pid;
	struct eref alias = { .node = "a@h", .creation = self->p_pid.creation,
			      .n = 4, .word = { self->p_pid.id, 0, 0, 99 } };
	struct eref there = { .node = "b@h", .creation = self->r_pid.creation,
			      .n = 3, .word = { 1, 2, 3 } };
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	gone.id += 100;
	old.creation ^= 0x10000;
	far.id += 100;
	term(&msg, "a", "hello");
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "a", "nobody"), &msg));
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "p", &gone), &msg));
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "p", &old), &msg));
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "r", &alias), &msg));
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "p", &far), &msg));
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "r", &there), &msg));
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "{aa}", "x", "b@h"), &msg));
	EXPECT_FALSE(poll_for(self->p, POLLIN, QUIET_MS));
	EXPECT_FALSE(poll_for(self->r, POLLIN, 0));
	/* the connection took none of it amiss */
	delivered(_metadata, self->q, self->r, term(&d, "p", &self->r_pid), "next");
}

TEST_F_TIMEOUT(message, order, 120)
{
	unsigned int count = scaled(2000);
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	for (int remote = 0; remote < 2; remote++) {
		term(&d, "p", remote ? &self->r_pid : &self->p_pid);
		for (unsigned int i = 0; i < count; i++) {
			term(&msg, "i", (int)i);
			ASSERT_EQ(msg.len, proc_send(self->q, &d, &msg));
		}
		for (unsigned int i = 0; i < count; i++) {
			term(&msg, "i", (int)i);
			ASSERT_TRUE(proc_expect(remote ? self->r : self->p, &msg)) {
				TH_LOG("message %u", i);
			}
		}
	}
}

TEST_F(message, default_destination)
{
	struct sockaddr a = { .sa_family = AF_UNSPEC };
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_BUF(name);

	term(&msg, "a", "hello");
	EXPECT_EQ(-1, write(self->q, msg.p, msg.len));
	EXPECT_EQ(EDESTADDRREQ, errno);
	ASSERT_EQ(0, proc_connect(self->q, term(&d, "a", "p")));
	EXPECT_EQ(msg.len, write(self->q, msg.p, msg.len));
	EXPECT_TRUE(proc_expect(self->p, &msg));
	ASSERT_EQ(0, proc_connect(self->q, term(&d, "{aa}", "r", "b@h")));
	EXPECT_EQ(msg.len, write(self->q, msg.p, msg.len));
	EXPECT_TRUE(proc_expect(self->r, &msg));
	ASSERT_EQ(0, proc_term(self->q, ERLDIST_PEERNAME, &name));
	EXPECT_TRUE(buf_eq(&d, &name));
	/* an address in the call goes before it; others still get through */
	EXPECT_EQ(msg.len, proc_send(self->q, term(&d, "a", "p"), &msg));
	EXPECT_TRUE(proc_expect(self->p, &msg));
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "p", &self->q_pid), &msg));
	EXPECT_TRUE(proc_expect(self->q, &msg));
	EXPECT_EQ(0, connect(self->q, &a, sizeof(a)));
	EXPECT_EQ(-1, write(self->q, msg.p, msg.len));
	EXPECT_EQ(EDESTADDRREQ, errno);
	EXPECT_NE(0, proc_term(self->q, ERLDIST_PEERNAME, &name));
}

TEST_F(message, own_address)
{
	struct sockaddr_erldist a;
	socklen_t len = sizeof(a);
	DEFINE_BUF(pid);
	DEFINE_BUF(got);

	ASSERT_EQ(0, getsockname(self->p, (void *)&a, &len));
	EXPECT_EQ(family(), a.sed_family);
	fmt(&pid, "p", &self->p_pid);
	ASSERT_EQ(2 + pid.len, len);
	EXPECT_EQ(0, memcmp(a.sed_term, pid.p, pid.len));
	EXPECT_STREQ("a@h", self->p_pid.node);
	EXPECT_LT(0, self->p_pid.id);
	EXPECT_GT(1 << 28, self->p_pid.id);
	EXPECT_FALSE(pid_eq(&self->p_pid, &self->q_pid));
	ASSERT_EQ(0, proc_term(self->p, ERLDIST_NAME, &got));
	EXPECT_TRUE(buf_eq(&got, term(&pid, "a", "p")));
}

TEST_F(message, nothing_there)
{
	struct timeval t = { .tv_usec = 50000 };
	uint64_t begin = now_ms();
	int size = -1;
	char byte;

	EXPECT_EQ(-1, recv(self->p, &byte, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, ioctl(self->p, SIOCINQ, &size));
	EXPECT_EQ(0, size);
	ASSERT_EQ(0, setsockopt(self->p, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	EXPECT_EQ(-1, recv(self->p, &byte, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LE(40, now_ms() - begin);
	EXPECT_EQ(POLLOUT, poll_now(self->p) & (POLLIN | POLLOUT | POLLERR | POLLHUP));
}

static int send_later(void *arg)
{
	const int *fd = arg;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	sleep_ms(100);
	return proc_send(*fd, fmt(&d, "a", "p"), fmt(&msg, "a", "late")) <= 0;
}

TEST_F(message, blocking_receive)
{
	char buf[64];
	DEFINE_BUF(msg);
	pid_t child = spawn(send_later, &self->q);

	term(&msg, "a", "late");
	EXPECT_EQ(msg.len, recv(self->p, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, msg.p, msg.len));
	EXPECT_EQ(0, reap(child));
	child = spawn(send_later, &self->q);
	EXPECT_TRUE(poll_for(self->p, POLLIN, WAIT_MS));
	EXPECT_TRUE(proc_expect(self->p, &msg));
	EXPECT_EQ(0, reap(child));
}

TEST_F(message, peek_size_and_short_buffers)
{
	char buf[256] = "";
	DEFINE_BUF(d);
	DEFINE_BUF(one);
	DEFINE_BUF(two);
	int size;

	term(&d, "a", "p");
	term(&one, "{ab}", "first", "0123456789");
	term(&two, "a", "second");
	ASSERT_EQ(one.len, proc_send(self->q, &d, &one));
	ASSERT_EQ(two.len, proc_send(self->q, &d, &two));

	EXPECT_EQ(0, ioctl(self->p, SIOCINQ, &size));
	EXPECT_EQ(one.len, size);
	for (int i = 0; i < 2; i++) {
		memset(buf, 0, sizeof(buf));
		EXPECT_EQ(one.len, recv(self->p, buf, sizeof(buf), MSG_PEEK));
		EXPECT_EQ(0, memcmp(buf, one.p, one.len));
	}
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-1, recv(self->p, buf, one.len - 1, 0));
		EXPECT_EQ(EMSGSIZE, errno);
	}
	EXPECT_EQ(-1, recv(self->p, buf, 0, 0));
	EXPECT_EQ(EMSGSIZE, errno);
	EXPECT_EQ(one.len, recv(self->p, buf, 4, MSG_PEEK | MSG_TRUNC));
	EXPECT_EQ(one.len, recv(self->p, buf, one.len, MSG_PEEK));

	struct iovec iov = { buf, 5 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(buf, 'z', sizeof(buf));
	EXPECT_EQ(one.len, recvmsg(self->p, &h, MSG_TRUNC));
	EXPECT_EQ(MSG_TRUNC, h.msg_flags & MSG_TRUNC);
	EXPECT_EQ(0, memcmp(buf, one.p, 5));
	EXPECT_EQ('z', buf[5]);

	EXPECT_EQ(0, ioctl(self->p, SIOCINQ, &size));
	EXPECT_EQ(two.len, size);
	EXPECT_EQ(two.len, recv(self->p, buf, sizeof(buf), 0));
	EXPECT_EQ(0, ioctl(self->p, FIONREAD, &size));
	EXPECT_EQ(0, size);
}

/* What is received and what describes it go together. */
TEST_F(message, a_buffer_that_cannot_be_written)
{
	void *bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char data[64], control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = bad,
			    .msg_controllen = 256 };
	DEFINE_BUF(dest);
	DEFINE_BUF(message);

	ASSERT_NE(MAP_FAILED, bad);
	fmt(&dest, "p", &self->p_pid);
	/* whom it was sent to is told in a control message, its sender as an address */
	ASSERT_EQ(0, setsockopt(self->p, SOL_ERLDIST, ERLDIST_RECVTO, &(int){ 1 }, sizeof(int)));
	ASSERT_LE(0, proc_send(self->q, &dest, fmt(&message, "a", "hello")));
	EXPECT_EQ(-1, recvmsg(self->p, &h, MSG_DONTWAIT));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, recvmsg(self->p, &h, MSG_DONTWAIT | MSG_PEEK));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(proc_expect(self->p, &message));
	ASSERT_LE(0, proc_send(self->r, &dest, &message));
	ASSERT_TRUE(poll_for(self->p, POLLIN, WAIT_MS));
	EXPECT_EQ(-1, recvmsg(self->p, &h, MSG_DONTWAIT));
	EXPECT_EQ(EFAULT, errno);
	h.msg_control = control;
	iov.iov_base = bad;
	EXPECT_EQ(-1, recvmsg(self->p, &h, MSG_DONTWAIT));
	EXPECT_EQ(EFAULT, errno);
	iov.iov_base = data;
	h.msg_controllen = sizeof(control);
	EXPECT_EQ(message.len, recvmsg(self->p, &h, MSG_DONTWAIT));
	EXPECT_EQ(0, h.msg_flags & MSG_CTRUNC);
	EXPECT_LT(0, h.msg_controllen);
	munmap(bad, 4096);
}

TEST_F(message, gather_and_scatter)
{
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	uint8_t got[64];
	struct iovec out[3], in[2] = { { got, 3 }, { got + 3, 61 } };
	struct msghdr h = { .msg_iov = in, .msg_iovlen = 2 };

	ASSERT_EQ(0, proc_connect(self->q, term(&d, "a", "p")));
	term(&msg, "{ab}", "hello", "there");
	out[0] = (struct iovec){ msg.p, 1 };
	out[1] = (struct iovec){ msg.p + 1, 0 };
	out[2] = (struct iovec){ msg.p + 1, msg.len - 1 };
	EXPECT_EQ(msg.len, writev(self->q, out, 3));
	EXPECT_EQ(msg.len, recvmsg(self->p, &h, 0));
	EXPECT_EQ(0, memcmp(got, msg.p, msg.len));
}

TEST_F(message, several_in_one_call)
{
	struct mmsghdr out[32] = { 0 }, in[64] = { 0 };
	struct sockaddr_erldist a = { .sed_family = family() };
	struct iovec iov[32], iov_in[64];
	uint8_t data[32][2], got[64][64];
	int n = 0;
	DEFINE_BUF(d);

	term(&d, "{aa}", "r", "b@h");
	memcpy(a.sed_term, d.p, d.len);
	for (int i = 0; i < 32; i++) {
		data[i][0] = 97;
		data[i][1] = i;
		iov[i] = (struct iovec){ data[i], 2 };
		out[i].msg_hdr.msg_iov = &iov[i];
		out[i].msg_hdr.msg_iovlen = 1;
		out[i].msg_hdr.msg_name = &a;
		out[i].msg_hdr.msg_namelen = 2 + d.len;
	}
	for (int i = 0; i < 64; i++) {
		iov_in[i] = (struct iovec){ got[i], 64 };
		in[i].msg_hdr.msg_iov = &iov_in[i];
		in[i].msg_hdr.msg_iovlen = 1;
	}
	ASSERT_EQ(32, sendmmsg(self->p, out, 32, 0));
	while (n < 32) {
		int err = recvmmsg(self->r, in + n, 64 - n, MSG_WAITFORONE, NULL);

		ASSERT_LT(0, err);
		n += err;
	}
	ASSERT_EQ(32, n);
	for (int i = 0; i < 32; i++) {
		EXPECT_EQ(2, in[i].msg_len);
		EXPECT_EQ(i, got[i][1]);
	}
	/* the first bad one ends the call; those before it were sent */
	data[3][0] = 200;
	EXPECT_EQ(3, sendmmsg(self->p, out, 32, 0));
	for (int i = 0; i < 3; i++) {
		DEFINE_MSG(m);

		EXPECT_EQ(0, proc_recv(self->r, &m, WAIT_MS));
	}
	EXPECT_FALSE(poll_for(self->r, POLLIN, QUIET_MS));
}

TEST_F(message, to_whom)
{
	uint32_t one = 1;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	ASSERT_EQ(0, setsockopt(self->r, SOL_ERLDIST, ERLDIST_RECVTO, &one, sizeof(one)));
	ASSERT_EQ(0, setsockopt(self->p, SOL_ERLDIST, ERLDIST_RECVTO, &one, sizeof(one)));
	term(&msg, "a", "hello");
	for (int i = 0; i < 4; i++) {
		bool pid = i & 1, remote = i & 2;
		DEFINE_MSG(m);
		DEFINE_BUF(to);

		if (pid)
			term(&d, "p", remote ? &self->r_pid : &self->p_pid);
		else
			term(&d, "{aa}", remote ? "r" : "p", remote ? "b@h" : "a@h");
		ASSERT_EQ(msg.len, proc_send(self->q, &d, &msg));
		ASSERT_EQ(0, proc_recv(remote ? self->r : self->p, &m, WAIT_MS));
		if (pid)
			fmt(&to, "p", remote ? &self->r_pid : &self->p_pid);
		else
			fmt(&to, "a", remote ? "r" : "p");
		EXPECT_TRUE(buf_eq(&m.to, &to)) {
			TH_LOG("case %d", i);
			buf_dump("to", &m.to);
		}
	}
}

TEST_F(message, long_node_names)
{
	char long_name[256];
	struct sockaddr_erldist a;
	socklen_t len = sizeof(a);
	struct epid pid;
	int n, s;
	DEFINE_BUF(d);
	DEFINE_BUF(msg);
	DEFINE_MSG(m);
	DEFINE_BUF(want);

	memset(long_name, 'n', 255);
	long_name[100] = '@';
	long_name[255] = 0;
	n = node(long_name);
	s = proc("s", long_name);
	proc_self(s, &pid);
	EXPECT_STREQ(long_name, pid.node);
	EXPECT_EQ(-1, getsockname(s, (void *)&a, &len));
	EXPECT_EQ(EOVERFLOW, errno);
	ASSERT_EQ(0, nodes_connect(self->a, n, long_name, CARRIER_TCP6));

	term(&msg, "a", "hello");
	EXPECT_EQ(msg.len, proc_send(s, term(&d, "{aa}", "p", "a@h"), &msg));
	ASSERT_EQ(0, proc_recv(self->p, &m, WAIT_MS));
	EXPECT_TRUE(m.from_cmsg);
	EXPECT_TRUE(buf_eq(&m.from, fmt(&want, "p", &pid)));

	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "{aa}", "s", long_name), &msg));
	EXPECT_TRUE(proc_expect(s, &msg));
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "p", &pid), &msg));
	EXPECT_TRUE(proc_expect(s, &msg));
	ASSERT_EQ(0, proc_connect(self->p, &d));
	EXPECT_EQ(msg.len, write(self->p, msg.p, msg.len));
	EXPECT_TRUE(proc_expect(s, &msg));
	EXPECT_EQ(-1, getpeername(self->p, (void *)&a, &len));
	EXPECT_EQ(EOVERFLOW, errno);
}

static int set_name(int fd, const char *name)
{
	DEFINE_BUF(b);

	if (name)
		fmt(&b, "a", name);
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_NAME, b.p, b.len) ? -errno : 0;
}

TEST_F(message, register_rename_drop)
{
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	term(&msg, "a", "hello");
	EXPECT_EQ(-EADDRINUSE, set_name(self->q, "p"));
	EXPECT_EQ(0, set_name(self->q, "q"));
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "a", "q"), &msg));
	EXPECT_TRUE(proc_expect(self->q, &msg));
	EXPECT_EQ(0, set_name(self->q, "q2"));
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "a", "q2"), &msg));
	EXPECT_TRUE(proc_expect(self->q, &msg));
	EXPECT_EQ(0, set_name(self->p, "q"));
	EXPECT_EQ(0, set_name(self->q, NULL));
	EXPECT_EQ(-EADDRINUSE, set_name(self->p, "net_kernel"));
	EXPECT_EQ(-EINVAL, set_name(self->p, "undefined"));
	EXPECT_EQ(-EINVAL, set_name(self->p, "\xc3\x28"));
	EXPECT_EQ(0, set_name(self->q, "\xc3\xa4\xe2\x82\xac"));
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "a", "\xc3\xa4\xe2\x82\xac"),
				     &msg));
	EXPECT_TRUE(proc_expect(self->q, &msg));
	close(self->q);
	EXPECT_LE(0, proc_open("\xc3\xa4\xe2\x82\xac", "a@h")) {
		TH_LOG("the name of a closed process is free");
	}
}

TEST_F(message, references)
{
	struct erldist_refs r, s;
	socklen_t len = sizeof(r);

	ASSERT_EQ(0, getsockopt(self->p, SOL_ERLDIST, ERLDIST_REFS, &r, &len));
	EXPECT_EQ(64, r.count);
	EXPECT_EQ(self->p_pid.id, r.id);
	EXPECT_EQ(self->p_pid.creation, r.creation);
	ASSERT_EQ(0, getsockopt(self->p, SOL_ERLDIST, ERLDIST_REFS, &s, &len));
	EXPECT_LE(r.first + r.count, s.first) {
		TH_LOG("handed out twice");
	}
}

TEST_F(message, a_descriptor_in_another_process)
{
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	term(&msg, "a", "late");
	EXPECT_EQ(0, reap(spawn(send_later, &self->q)));
	DEFINE_MSG(m);
	DEFINE_BUF(pid);

	ASSERT_EQ(0, proc_recv(self->p, &m, WAIT_MS));
	EXPECT_TRUE(buf_eq(&m.from, fmt(&pid, "p", &self->q_pid))) {
		TH_LOG("a child sends as the process it has the socket of");
	}
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "p", &self->q_pid), &msg));
	EXPECT_TRUE(proc_expect(self->q, &msg)) {
		TH_LOG("and its end ended nothing");
	}
}

TEST_F(message, what_a_process_socket_does_not_do)
{
	EXPECT_EQ(-1, listen(self->p, 1));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, accept(self->p, NULL, NULL));
	EXPECT_EQ(-1, shutdown(self->p, SHUT_RDWR));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, send(self->p, "j", 1, MSG_OOB));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

struct prober {
	volatile bool stop;
	double latest;		/* seconds it ran after it should have, at most */
	int err;
};

/* Comes first on its processor, whenever it wants to run */
static void *probe(void *arg)
{
	const struct sched_param first = { .sched_priority = 1 };
	const struct timespec nap = { .tv_nsec = 1000000 };
	struct prober *x = arg;
	double begin, late;

	x->err = pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	while (!x->stop && !x->err) {
		begin = now();
		nanosleep(&nap, NULL);
		late = now() - begin - 0.001;
		if (late > x->latest)
			x->latest = late;
	}
	return NULL;
}

#define LARGE	(64 << 20)
#define ROUNDS	6

static uint8_t large_in[LARGE];

static void large_binary(struct buf *msg)
{
	buf_u8(msg, 109);
	buf_be32(msg, LARGE - 5);
	memset(buf_grow(msg, LARGE - 5), 'x', LARGE - 5);
}

static ssize_t read_it(int fd)
{
	return recv(fd, large_in, LARGE, 0);
}

static ssize_t close_it(int fd)
{
	return close(fd);
}

/*
 * How late who comes first on this processor is while that is done with a process
 * that has a large message, as a part of the time it takes: the least of some
 * rounds, as a machine that pauses does not do so each time.
 */
static double late_part(int from, const struct buf *msg, ssize_t (*what)(int fd))
{
	double took, part = 1;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return -1;
	for (int i = 0; i < ROUNDS; i++) {
		int fd = proc(NULL, "a@h");
		struct prober x = {};
		struct epid pid;
		DEFINE_BUF(to);
		pthread_t t;

		proc_self(fd, &pid);
		fmt(&to, "p", &pid);
		if (proc_send(from, &to, msg) != LARGE ||
		    pthread_create(&t, NULL, probe, &x))
			return -1;
		sleep_ms(20);
		took = now();
		if (what(fd) < 0)
			return -1;
		took = now() - took;
		x.stop = true;
		pthread_join(t, NULL);
		if (x.err)
			return -1;
		printf("# late by %.1f ms of %.1f\n", x.latest * 1000, took * 1000);
		if (x.latest / took < part)
			part = x.latest / took;
		close(fd);
	}
	return part;
}

/* Who reads a large message does not keep the processor from who comes first. */
TEST_F_TIMEOUT(message, a_large_one_is_read_with_others, 120)
{
	DEFINE_BUF(msg);
	double part;

	NEEDS_IDLE_PROCESSORS(1);
	large_binary(&msg);
	part = late_part(self->q, &msg, read_it);
	EXPECT_LE(0, part);
	EXPECT_GT(0.5, part);
	EXPECT_EQ(0, memcmp(large_in, msg.p, LARGE));
}

/* Nor does who ends without reading it. */
TEST_F_TIMEOUT(message, a_large_one_is_dropped_with_others, 120)
{
	DEFINE_BUF(msg);
	double part;

	NEEDS_IDLE_PROCESSORS(1);
	large_binary(&msg);
	part = late_part(self->q, &msg, close_it);
	EXPECT_LE(0, part);
	EXPECT_GT(0.5, part);
}

struct bulk {
	int from, to;		/* processes of two nodes */
	const struct buf *dest;
	const struct buf *msg;
	volatile bool stop;
	volatile unsigned int passed;
};

static void *bulk_send(void *arg)
{
	struct bulk *x = arg;

	while (!x->stop && proc_send(x->from, x->dest, x->msg) == LARGE)
		;
	return NULL;
}

static void *bulk_recv(void *arg)
{
	struct bulk *x = arg;

	while (!x->stop) {
		if (recv(x->to, large_in, LARGE, 0) == LARGE)
			x->passed++;
	}
	return NULL;
}

static long times_asleep(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw;
}

#define SMALL_ONES	3000

/* What is sent does not wait for what comes in on the same connection. */
TEST_F_TIMEOUT(message, small_ones_leave_while_large_ones_come, 120)
{
	struct bulk x = { .from = self->q, .to = self->r };
	const struct timeval soon = { .tv_sec = 1 };
	pthread_t source, sink;
	DEFINE_BUF(large);
	DEFINE_BUF(dest);
	DEFINE_BUF(back);
	DEFINE_BUF(msg);
	long slept = 0;
	double until;
	int s, n;

	NEEDS_IDLE_PROCESSORS(2);
	s = proc("s", "b@h");
	ASSERT_LE(0, s);
	setsockopt(self->r, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	large_binary(&large);
	x.dest = fmt(&dest, "p", &self->r_pid);
	x.msg = &large;
	fmt(&back, "p", &self->p_pid);
	fmt(&msg, "i", 1);
	ASSERT_EQ(0, pthread_create(&source, NULL, bulk_send, &x));
	ASSERT_EQ(0, pthread_create(&sink, NULL, bulk_recv, &x));
	while (!x.passed)
		sleep_ms(1);
	for (n = 0; n < SMALL_ONES; n++) {
		/* Alone, so that they are sent at once, and by who sends them */
		for (until = now() + 0.0002; now() < until;)
			;
		slept -= times_asleep();
		ASSERT_LT(0, proc_send(s, &back, &msg));
		slept += times_asleep();
	}
	x.stop = true;
	pthread_join(source, NULL);
	pthread_join(sink, NULL);
	TH_LOG("slept %ld times while %u passed", slept, x.passed);
	EXPECT_GT(SMALL_ONES / 200, slept);
	for (n = 0; n < SMALL_ONES; n++)
		ASSERT_TRUE(proc_expect(self->p, &msg));
	close(s);
}

TEST_HARNESS_MAIN
