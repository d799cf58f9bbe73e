// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process asks for: links, monitors, exits and aliases, of a peer's
 * processes, in the bytes of the protocol.
 */
#include <sched.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(signals) {
	int node;
	int p;
	struct epid pid;	/* of p */
	struct epid other;	/* of the peer */
	struct buf dest;	/* the same as a term */
	uint64_t ref;		/* of p, and those that follow */
	struct wire w;
};

FIXTURE_SETUP(signals)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->p = proc("svc", NULL);
	proc_self(self->p, &self->pid);
	self->ref = proc_refs(self->p);
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	self->other = wire_pid(&self->w, 7);
	term(&self->dest, "p", &self->other);
}

FIXTURE_TEARDOWN(signals)
{
	buf_free(&self->dest);
}

static int ask(int fd, int op, const struct buf *dest)
{
	return proc_ask(fd, &(struct to){ .op = op, .dest = dest });
}

static int ask_ref(int fd, int op, const struct buf *dest, uint64_t ref, int flags)
{
	return proc_ask(fd, &(struct to){ .op = op, .dest = dest, .ref = ref,
					  .sig_flags = flags,
					  .user_data = ref ^ 0xabcd });
}

#define EXPECT_FRAME(payload, ...)					\
	do {								\
		DEFINE_BUF(ctl_);						\
		EXPECT_TRUE(wire_expect(&self->w, fmt(&ctl_, __VA_ARGS__), payload)); \
	} while (0)

#define SEND_FRAME(payload, ...)					\
	do {								\
		DEFINE_BUF(ctl_);						\
		ASSERT_EQ(0, wire_send(&self->w, fmt(&ctl_, __VA_ARGS__), payload)); \
	} while (0)

/* The tests' references come with this */
#define USER_DATA(n)	((n) ? (n) ^ 0xabcd : 0)

#define EXPECT_SIGNAL(fd, op_, ref_, ...)					\
	do {								\
		DEFINE_BUF(msg_);						\
		const struct to what_ = { .op = op_, .ref = ref_, .user_data = USER_DATA(ref_) }; \
		EXPECT_TRUE(proc_expect_signal(fd, &what_, fmt(&msg_, __VA_ARGS__))); \
	} while (0)

static bool quiet(int fd)
{
	return !poll_for(fd, POLLIN, QUIET_MS);
}

TEST_F(signals, link_and_die)
{
	DEFINE_BUF(normal);

	fmt(&normal, "a", "normal");
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	/* once is enough */
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	close(self->p);
	EXPECT_FRAME(&normal, "{ipp}", OP_PAYLOAD_EXIT, &self->pid, &self->other);
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(signals, link_and_exit_of_the_other)
{
	DEFINE_BUF(boom);

	fmt(&boom, "{ai}", "boom", 7);
	proc_trap_exit(self->p, true);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &self->other, &boom);
	/* over: a second one is nobody's */
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
	/* who does not trap ends with it */
	proc_trap_exit(self->p, false);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	EXPECT_TRUE(poll_for(self->p, POLLHUP, WAIT_MS));
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(signals, unlink_waits_for_its_ack)
{
	DEFINE_BUF(boom);
	DEFINE_FRAME(f);
	uint64_t id;

	fmt(&boom, "a", "boom");
	proc_trap_exit(self->p, true);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_UNLINK, &self->dest));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_UNLINK, &self->dest));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_UNLINK, &self->dest));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_UNLINK_ID, frame_op(&f));
	ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_u__}", &id));
	EXPECT_NE(0, id);
	/* An exit that crossed the unlink is not delivered. */
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	/* Nor does another's LINK, on its way meanwhile, count before the ack. */
	SEND_FRAME(NULL, "{ipp}", OP_LINK, &self->other, &self->pid);
	SEND_FRAME(NULL, "{iupp}", OP_UNLINK_ID_ACK, id + 1, &self->other, &self->pid);
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
	SEND_FRAME(NULL, "{iupp}", OP_UNLINK_ID_ACK, id, &self->other, &self->pid);
	SEND_FRAME(NULL, "{ipp}", OP_LINK, &self->other, &self->pid);
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &self->other, &boom);
}

TEST_F(signals, link_again_before_the_ack)
{
	DEFINE_BUF(boom);
	DEFINE_FRAME(f);
	uint64_t id;

	fmt(&boom, "a", "boom");
	proc_trap_exit(self->p, true);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_UNLINK, &self->dest));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	ASSERT_LT(0, scan(f.ctl.p, f.ctl.len, "{_u__}", &id));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	/* The ack of what is no more: the link stays. */
	SEND_FRAME(NULL, "{iupp}", OP_UNLINK_ID_ACK, id, &self->other, &self->pid);
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &self->other, &boom);
}

struct distant {
	struct wire *w;
	struct epid other;
	int told;
};

/* Sends EXIT to each that it is told of, some time */
static int exits_some_time(void *arg)
{
	struct distant *d = arg;
	struct epid pid;
	DEFINE_BUF(ctl);
	DEFINE_BUF(boom);

	term(&boom, "a", "boom");
	while (recv(d->told, &pid, sizeof(pid), 0) == sizeof(pid)) {
		for (volatile int i = 0; i < rand() % 5000; i++)
			;
		if (wire_send(d->w, term(&ctl, "{ipp}", OP_PAYLOAD_EXIT, &d->other, &pid), &boom) ||
		    send(d->told, "x", 1, 0) != 1)
			return 1;
	}
	return 0;
}

/* unlink() that returns 0 came before the EXIT: who does not trap lives. */
TEST_F_TIMEOUT(signals, who_has_unlinked_lives, 120)
{
	struct distant d = { .w = &self->w, .other = self->other };
	const int rounds = scaled(2000);
	int told[2], lived = 0, died = 0;
	struct epid pid;
	pid_t child;
	char byte;
	DEFINE_FRAME(f);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, told));
	d.told = told[1];
	child = spawn(exits_some_time, &d);
	for (int i = 0; i < rounds; i++) {
		int fd = proc("", NULL), err;

		proc_self(fd, &pid);
		ASSERT_EQ(0, ask(fd, ERLDIST_SIG_LINK, &self->dest));
		ASSERT_EQ(sizeof(pid), send(told[0], &pid, sizeof(pid), 0));
		for (volatile int j = 0; j < rand() % 20000; j++)
			;
		err = ask(fd, ERLDIST_SIG_UNLINK, &self->dest);
		ASSERT_EQ(1, recv(told[0], &byte, 1, 0));
		/* What is answered comes behind the EXIT. */
		SEND_FRAME(NULL, "{iupp}", OP_UNLINK_ID, 1ULL, &self->other, &pid);
		do {
			ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		} while (frame_op(&f) != OP_UNLINK_ID_ACK);
		EXPECT_EQ(err ? POLLHUP : 0, poll_now(fd) & POLLHUP);
		if (err)
			EXPECT_EQ(-EPIPE, err);
		lived += !err;
		died += !!err;
		close(fd);
	}
	shutdown(told[0], SHUT_WR);
	EXPECT_EQ(0, reap(child));
	TH_LOG("%d lived, %d died", lived, died);
}

TEST_F(signals, no_exit_while_unlinking)
{
	DEFINE_FRAME(f);

	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_UNLINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_UNLINK_ID, frame_op(&f));
	close(self->p);
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(signals, the_peer_unlinks)
{
	DEFINE_BUF(boom);

	fmt(&boom, "a", "boom");
	proc_trap_exit(self->p, true);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	SEND_FRAME(NULL, "{iupp}", OP_UNLINK_ID, 9ULL, &self->other, &self->pid);
	EXPECT_FRAME(NULL, "{iupp}", OP_UNLINK_ID_ACK, 9ULL, &self->pid, &self->other);
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &self->other, &self->pid);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
	close(self->p);
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(signals, monitor)
{
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(boom);

	fmt(&boom, "a", "boom");
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	EXPECT_EQ(-EEXIST, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
	/* as often as one likes */
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref + 1, 0));
	ref = proc_ref(self->p, self->ref + 1);
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	SEND_FRAME(&boom, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &self->other, &self->pid, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref + 1, "{arapt}", "DOWN", &ref,
		      "process", &self->other, &boom);
	/* one of another's references, or one that is over, is nobody's */
	SEND_FRAME(&boom, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &self->other, &self->pid, &ref);
	ref = proc_ref(self->p, self->ref);
	ref.creation++;
	SEND_FRAME(&boom, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &self->other, &self->pid, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
	close(self->p);
	ref = proc_ref(proc("other", NULL), self->ref);
	ref.word[2] = self->pid.id;
	EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &self->other, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(signals, monitor_a_name)
{
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(reason);
	DEFINE_BUF(dest);

	fmt(&reason, "a", "shutdown");
	fmt(&dest, "{aa}", "server", self->w.name);
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &dest, self->ref, 0));
	EXPECT_FRAME(NULL, "{ipar}", OP_MONITOR_P, &self->pid, "server", &ref);
	SEND_FRAME(&reason, "{iapr}", OP_PAYLOAD_MONITOR_P_EXIT, "server", &self->pid, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arat,t}", "DOWN", &ref,
		      "process", &dest, &reason);
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &dest, self->ref, 0));
	EXPECT_FRAME(NULL, "{ipar}", OP_MONITOR_P, &self->pid, "server", &ref);
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_DEMONITOR, NULL, self->ref, 0));
	EXPECT_FRAME(NULL, "{ipar}", OP_DEMONITOR_P, &self->pid, "server", &ref);
	SEND_FRAME(&reason, "{iapr}", OP_PAYLOAD_MONITOR_P_EXIT, "server", &self->pid, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
}

TEST_F(signals, demonitor_flushes)
{
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(boom);

	fmt(&boom, "a", "boom");
	for (int flush = 0; flush < 2; flush++) {
		ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
		EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
		SEND_FRAME(&boom, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &self->other,
			   &self->pid, &ref);
		ASSERT_EQ(0, wire_sync(&self->w));
		ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_DEMONITOR, NULL, self->ref,
				     flush ? ERLDIST_SIG_F_FLUSH : 0));
		if (!flush)
			EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN",
				      &ref, "process", &self->other, &boom);
		EXPECT_TRUE(quiet(self->p));
	}
}

TEST_F(signals, exit2)
{
	DEFINE_BUF(reason);
	struct to to = { .op = ERLDIST_SIG_EXIT, .dest = &self->dest };

	fmt(&reason, "{ab}", "stop", "please");
	ASSERT_LT(0, proc_sendto(self->p, &to, &reason));
	EXPECT_FRAME(&reason, "{ipp}", OP_PAYLOAD_EXIT2, &self->pid, &self->other);
	/* a reason of any size, and it is checked as a message is */
	DEFINE_BUF(big);
	uint8_t *bytes = calloc(1, 300000);

	fmt(&big, "B", bytes, (size_t)300000);
	free(bytes);
	ASSERT_LT(0, proc_sendto(self->p, &to, &big));
	EXPECT_FRAME(&big, "{ipp}", OP_PAYLOAD_EXIT2, &self->pid, &self->other);
	buf_hex(&reason, "61");
	EXPECT_EQ(-EINVAL, proc_sendto(self->p, &to, &reason));
}

/*
 * A reason that not every release decodes, or that names a third node, out of its
 * range: told here as it is, and to peers that there was one.
 */
TEST_F(signals, reasons_that_cannot_go_on)
{
	struct epid third = { .node = "v@h", .id = 1 << 28, .creation = 0x11223344 };
	struct buf reasons[2] = { 0 };
	DEFINE_BUF(instead);
	struct wire v;

	fmt(&instead, "a", "unsendable_reason");
	buf_hex(&reasons[0], "74 00000002 46 0000000000000000 61 01 46 8000000000000000 61 02");
	fmt(&reasons[1], "p", &third);
	ASSERT_EQ(0, wire_up_as(&v, self->node, "v@h"));
	for (int i = 0; i < 2; i++) {
		struct epid pid, far = wire_pid(&v, 3);
		int p = proc("", NULL);
		DEFINE_BUF(dest);
		DEFINE_BUF(ctl);

		proc_self(p, &pid);
		proc_trap_exit(self->p, true);
		term(&dest, "p", &pid);
		ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &dest));
		term(&dest, "p", &far);
		ASSERT_EQ(0, ask(p, ERLDIST_SIG_LINK, &dest));
		EXPECT_TRUE(wire_expect(&v, term(&ctl, "{ipp}", OP_LINK, &pid, &far), NULL));
		SEND_FRAME(&reasons[i], "{ipp}", OP_PAYLOAD_EXIT2, &self->other, &pid);
		EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &pid, &reasons[i]);
		EXPECT_TRUE(wire_expect(&v, term(&ctl, "{ipp}", OP_PAYLOAD_EXIT, &pid, &far), &instead));
		/* a process here cannot give such a reason */
		term(&dest, "p", &self->pid);
		EXPECT_EQ(-EINVAL, proc_sendto(self->p, &(struct to){ .op = ERLDIST_SIG_EXIT,
					       .dest = &dest }, &reasons[i]));
	}
	ASSERT_EQ(0, wire_sync(&self->w));
	ASSERT_EQ(0, wire_sync(&v));
	buf_free(&reasons[0]);
	buf_free(&reasons[1]);
}

TEST_F(signals, exit_with_a_reason)
{
	DEFINE_BUF(reason);
	DEFINE_BUF(dest);
	DEFINE_BUF(got);
	DEFINE_MSG(m);
	struct to to = { .op = ERLDIST_SIG_EXIT, .dest = &dest };
	uint8_t *bytes = calloc(1, 200000);

	fmt(&dest, "p", &self->pid);
	fmt(&reason, "{aB}", "bad_config", bytes, (size_t)200000);
	free(bytes);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	ASSERT_LT(0, proc_sendto(self->p, &to, &reason));
	EXPECT_FRAME(&reason, "{ipp}", OP_PAYLOAD_EXIT, &self->pid, &self->other);
	EXPECT_EQ(-ECANCELED, proc_recv(self->p, &m, WAIT_MS));
	EXPECT_EQ(-EPIPE, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	ASSERT_EQ(0, proc_term(self->p, ERLDIST_EXIT_STATUS, &got));
	EXPECT_TRUE(buf_eq(&got, &reason));
}

TEST_F(signals, alias)
{
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(hello);

	fmt(&hello, "a", "hello");
	SEND_FRAME(&hello, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_ALIAS, NULL, self->ref, 0));
	EXPECT_EQ(-EEXIST, ask_ref(self->p, ERLDIST_SIG_ALIAS, NULL, self->ref, 0));
	EXPECT_TRUE(quiet(self->p));
	SEND_FRAME(&hello, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_MESSAGE, self->ref, "a", "hello");
	SEND_FRAME(&hello, "{iipr}", OP_ALTACT_SIG_SEND, 4, &self->other, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_MESSAGE, self->ref, "a", "hello");
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_UNALIAS, NULL, self->ref, 0));
	EXPECT_EQ(-ENOENT, ask_ref(self->p, ERLDIST_SIG_UNALIAS, NULL, self->ref, 0));
	SEND_FRAME(&hello, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
	/* for one message */
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_ALIAS, NULL, self->ref, ERLDIST_SIG_F_ONCE));
	SEND_FRAME(&hello, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	SEND_FRAME(&hello, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_MESSAGE, self->ref, "a", "hello");
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
}

/* OTP 28's: priority, and exit/2 to whom an alias is of */
TEST_F(signals, alias_exit)
{
	enum { PRIO = 1, ALIAS = 4, EXIT = 16 };
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(hello);
	DEFINE_BUF(boom);

	fmt(&hello, "a", "hello");
	fmt(&boom, "a", "boom");
	proc_trap_exit(self->p, true);
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_ALIAS, NULL, self->ref, 0));
	SEND_FRAME(&hello, "{iipr}", OP_ALTACT_SIG_SEND, PRIO | ALIAS, &self->other, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_MESSAGE, self->ref, "a", "hello");
	SEND_FRAME(&boom, "{iipr}", OP_ALTACT_SIG_SEND, PRIO | ALIAS | EXIT, &self->other, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->other, "boom");
	SEND_FRAME(&boom, "{iipp}", OP_ALTACT_SIG_SEND, PRIO | EXIT, &self->other, &self->pid);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->other, "boom");
	/* nobody has it */
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_UNALIAS, NULL, self->ref, 0));
	SEND_FRAME(&boom, "{iipr}", OP_ALTACT_SIG_SEND, ALIAS | EXIT, &self->other, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
}

/* What a call is made of: monitor, alias and message in one */
TEST_F(signals, call)
{
	const int flags = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
	struct eref ref = proc_ref(self->p, self->ref);
	struct to to = { .dest = &self->dest, .sig_flags = flags, .ref = self->ref,
			 .user_data = self->ref ^ 0xabcd };
	DEFINE_BUF(request);
	DEFINE_BUF(reply);
	DEFINE_BUF(boom);

	fmt(&request, "{ar}", "request", &ref);
	fmt(&reply, "{ra}", &ref, "reply");
	fmt(&boom, "a", "boom");
	/* answered */
	ASSERT_LT(0, proc_sendto(self->p, &to, &request));
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	EXPECT_FRAME(&request, "{ipp}", OP_SEND_SENDER, &self->pid, &self->other);
	SEND_FRAME(&reply, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_MESSAGE, self->ref, "t", &reply);
	EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &self->other, &ref);
	/* the server dies */
	ASSERT_LT(0, proc_sendto(self->p, &to, &request));
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	EXPECT_FRAME(&request, "{ipp}", OP_SEND_SENDER, &self->pid, &self->other);
	SEND_FRAME(&boom, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &self->other, &self->pid, &ref);
	SEND_FRAME(&reply, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN", &ref, "process",
		      &self->other, &boom);
	ASSERT_EQ(0, wire_sync(&self->w));
	/* given up */
	ASSERT_LT(0, proc_sendto(self->p, &to, &request));
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	EXPECT_FRAME(&request, "{ipp}", OP_SEND_SENDER, &self->pid, &self->other);
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_DEMONITOR, NULL, self->ref, 0));
	EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &self->other, &ref);
	SEND_FRAME(&reply, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
}

TEST_F(signals, node_loss)
{
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(nc);
	DEFINE_BUF(later);
	struct wire again;

	fmt(&nc, "a", "noconnection");
	fmt(&later, "a", "later");
	proc_trap_exit(self->p, true);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	wire_close(&self->w);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &self->other, &nc);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN", &ref, "process",
		      &self->other, &nc);
	ASSERT_EQ(0, wire_up(&again, self->node));
	ASSERT_EQ(0, wire_pid_send(&again, &self->pid, &later));
	EXPECT_TRUE(proc_expect(self->p, &later));
	close(self->p);
	ASSERT_EQ(0, wire_sync(&again));
}

/* To a node that is not connected */
TEST_F(signals, connecting)
{
	struct eref ref = proc_ref(self->p, self->ref);
	struct epid far = { .node = "far@h", .id = 3, .creation = 77 };
	struct peer_info info;
	DEFINE_BUF(dest);
	DEFINE_BUF(ctl);
	DEFINE_BUF(nc);
	struct wire w;
	int sv[2];

	fmt(&dest, "p", &far);
	fmt(&nc, "a", "noconnection");
	proc_trap_exit(self->p, true);
	EXPECT_EQ(-EHOSTUNREACH, proc_ask(self->p, &(struct to){
		.op = ERLDIST_SIG_LINK, .dest = &dest, .sig_flags = ERLDIST_SIG_F_NOCONNECT }));
	/* the keeper cannot */
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &dest));
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &dest, self->ref, 0));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &info));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_UNREACHABLE, "far@h", NULL, 0,
			       ECONNREFUSED));
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &far, &nc);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN", &ref, "process",
		      &far, &nc);
	/* that is remembered */
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &dest));
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &far, &nc);
	/* it comes by itself */
	sleep_ms(1100);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &dest));
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &dest, self->ref, 0));
	stream_pair(CARRIER_TCP4, sv);
	wire_init(&w, sv[0], "far@h");
	w.creation = 77;
	ASSERT_EQ(0, node_accept(self->node, sv[1], 5));
	ASSERT_EQ(0, wire_initiate(&w));
	EXPECT_TRUE(wire_expect(&w, term(&ctl, "{ipp}", OP_LINK, &self->pid, &far), NULL));
	EXPECT_TRUE(wire_expect(&w, term(&ctl, "{ippr}", OP_MONITOR_P, &self->pid, &far, &ref), NULL));
	wire_close(&w);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &far, &nc);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN", &ref, "process",
		      &far, &nc);
}

/* What every process asks a peer for that offers only the mandatory flags */
static void ask_bare(struct __test_metadata *_metadata, FIXTURE_DATA(signals) *self,
		     const struct epid *far, const struct buf *large)
{
	const int call = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
	struct eref alias = { .creation = far->creation, .n = 3, .word = { 1, 2, 3 } };
	DEFINE_BUF(pid);
	DEFINE_BUF(name);
	DEFINE_BUF(ref);
	DEFINE_BUF(hello);
	DEFINE_BUF(spawn);
	DEFINE_BUF(at);

	snprintf(alias.node, sizeof(alias.node), "%s", far->node);
	fmt(&pid, "p", far);
	fmt(&name, "{aa}", "server", far->node);
	fmt(&ref, "r", &alias);
	fmt(&hello, "a", "hello");
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &pid, self->ref, 0));
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &name, self->ref + 1, 0));
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_DEMONITOR, NULL, self->ref + 1, 0));
	ASSERT_LT(0, proc_sendto(self->p, &(struct to){ .dest = &name, .sig_flags = call,
		.ref = self->ref + 2, .user_data = (self->ref + 2) ^ 0xabcd }, &hello));
	ASSERT_LT(0, proc_send(self->p, &ref, &hello));
	ASSERT_LT(0, proc_send(self->p, &pid, large));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &pid));
	ASSERT_LT(0, proc_sendto(self->p, &(struct to){ .op = ERLDIST_SIG_EXIT,
							.dest = &pid }, &hello));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_UNLINK, &pid));
	fmt(&spawn, "{aa[][]}", "m", "f");
	fmt(&at, "a", far->node);
	ASSERT_LT(0, proc_sendto(self->p, &(struct to){ .op = ERLDIST_SIG_SPAWN, .dest = &at,
		.ref = self->ref + 3, .user_data = (self->ref + 3) ^ 0xabcd }, &spawn));
}

/* How it hears of that, in the operations that every node knows */
static void expect_bare(struct __test_metadata *_metadata, FIXTURE_DATA(signals) *self,
			struct wire *w, const struct epid *far, const struct buf *large)
{
	struct eref ref = proc_ref(self->p, self->ref + 3);
	DEFINE_BUF(hello);
	DEFINE_BUF(ctl);
	DEFINE_FRAME(f);

	fmt(&hello, "a", "hello");
	EXPECT_TRUE(wire_expect(w, fmt(&ctl, "{ipaa}", OP_REG_SEND, &self->pid, "", "server"),
				&hello));
	EXPECT_TRUE(wire_expect(w, term(&ctl, "{iap}", OP_SEND, "", far), large));
	EXPECT_TRUE(wire_expect(w, term(&ctl, "{ipp}", OP_LINK, &self->pid, far), NULL));
	EXPECT_TRUE(wire_expect(w, term(&ctl, "{ippa}", OP_EXIT2, &self->pid, far, "hello"),
				NULL));
	ASSERT_EQ(0, wire_recv(w, &f, WAIT_MS));
	EXPECT_EQ(OP_UNLINK_ID, frame_op(&f));
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_SPAWN_REPLY, self->ref + 3, "{araa}", "spawn_reply",
		      &ref, "error", "notsup");
	ASSERT_EQ(0, wire_sync(w));
}

/* Its monitor holds, and it is not told of the end, as it does not know how. */
static void monitor_by_bare(struct __test_metadata *_metadata, FIXTURE_DATA(signals) *self,
			    struct wire *w, const struct epid *far)
{
	struct eref ref = wire_ref(w, 1);
	int q = proc("", NULL);
	struct epid pid;
	DEFINE_BUF(ctl);

	proc_self(q, &pid);
	ASSERT_EQ(0, wire_send(w, fmt(&ctl, "{ippr}", OP_MONITOR_P, far, &pid, &ref), NULL));
	ASSERT_EQ(0, wire_send(w, term(&ctl, "{ipp}", OP_LINK, far, &pid), NULL));
	ASSERT_EQ(0, wire_sync(w));
	close(q);
	EXPECT_TRUE(wire_expect(w, term(&ctl, "{ippa}", OP_EXIT, &pid, far, "normal"), NULL));
	ASSERT_EQ(0, wire_send(w, term(&ctl, "{ippr}", OP_MONITOR_P, far, &pid, &ref), NULL));
	ASSERT_EQ(0, wire_send(w, term(&ctl, "{ipar}", OP_MONITOR_P, far, "none", &ref), NULL));
	/* what net_kernel does not know is answered with DOWN, too */
	ASSERT_EQ(0, wire_reg_send(w, "net_kernel", term(&ctl, "{a{pr}a}", "$gen_call", far, &ref,
							 "what")));
	ASSERT_EQ(0, wire_sync(w));
}

/*
 * A peer gets no operation that it did not offer, also where that was asked for
 * before it was connected. A monitor of its processes lasts as long as the
 * connection.
 */
TEST_F(signals, a_peer_with_the_mandatory_flags)
{
	static const char * const names[] = { "bare@h", "later@h" };
	uint8_t *bytes = calloc(1, 200000);
	DEFINE_BUF(large);
	int sv[2];

	fmt(&large, "B", bytes, (size_t)200000);
	free(bytes);
	proc_trap_exit(self->p, true);
	for (int later = 0; later < 2; later++) {
		struct epid far = { .id = 3, .creation = 77 };
		struct eref ref = proc_ref(self->p, self->ref);
		struct eref call = proc_ref(self->p, self->ref + 2);
		DEFINE_BUF(server);
		DEFINE_BUF(end);
		struct wire w;

		snprintf(far.node, sizeof(far.node), "%s", names[later]);
		if (later)
			ask_bare(_metadata, self, &far, &large);
		stream_pair(CARRIER_TCP4, sv);
		wire_init(&w, sv[0], far.node);
		w.creation = 77;
		w.flags = MANDATORY_FLAGS;
		ASSERT_EQ(0, node_accept(self->node, sv[1], 5));
		ASSERT_EQ(0, wire_initiate(&w));
		if (!later)
			ask_bare(_metadata, self, &far, &large);
		expect_bare(_metadata, self, &w, &far, &large);
		monitor_by_bare(_metadata, self, &w, &far);
		EXPECT_TRUE(quiet(self->p));
		wire_close(&w);
		fmt(&server, "{aa}", "server", far.node);
		fmt(&end, "a", "noconnection");
		EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN", &ref,
			      "process", &far, &end);
		EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref + 2, "{aratt}", "DOWN", &call,
			      "process", &server, &end);
		EXPECT_TRUE(quiet(self->p));
		self->ref += 4;
	}
}

/* An unlink goes out behind its link, also if that is still waiting. */
TEST_F(signals, unlink_before_the_connection)
{
	struct epid far = { .node = "far@h", .id = 3, .creation = 77 };
	DEFINE_FRAME(f);
	DEFINE_BUF(dest);
	DEFINE_BUF(ctl);
	struct wire w;
	int sv[2];

	fmt(&dest, "p", &far);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &dest));
	ASSERT_EQ(0, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_UNLINK, .dest = &dest,
						     .sig_flags = ERLDIST_SIG_F_NOCONNECT }));
	stream_pair(CARRIER_TCP4, sv);
	wire_init(&w, sv[0], "far@h");
	w.creation = 77;
	ASSERT_EQ(0, node_accept(self->node, sv[1], 5));
	ASSERT_EQ(0, wire_initiate(&w));
	EXPECT_TRUE(wire_expect(&w, term(&ctl, "{ipp}", OP_LINK, &self->pid, &far), NULL));
	ASSERT_EQ(0, wire_recv(&w, &f, WAIT_MS));
	EXPECT_EQ(OP_UNLINK_ID, frame_op(&f));
}

/* The node has come and gone since connect(): what its name means is the same. */
TEST_F(signals, default_destination_of_a_node_that_was_away)
{
	struct peer_info info;
	DEFINE_FRAME(f);
	uint64_t end;

	ASSERT_EQ(0, proc_connect(self->p, &self->dest));
	wire_close(&self->w);
	end = now_ms() + WAIT_MS;
	while (!peer_get("k@h", "w@h", &info) && now_ms() < end)
		node_event(self->node, &info, 20);
	EXPECT_NE(0, peer_get("k@h", "w@h", &info));
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, NULL));
	EXPECT_FRAME(NULL, "{ipp}", OP_LINK, &self->pid, &self->other);
	ASSERT_EQ(0, ask(self->p, ERLDIST_SIG_UNLINK, NULL));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	EXPECT_EQ(OP_UNLINK_ID, frame_op(&f));
}

struct blocked {
	int told;
	struct buf *dest;
};

static void send_all_that_fits(int fd, const struct buf *dest, const struct buf *msg)
{
	while (proc_sendto(fd, &(struct to){ .dest = dest, .flags = MSG_DONTWAIT }, msg) > 0)
		;
}

/*
 * Sends until there is no room, then asks for a link, which waits for room. There
 * may be some once more, when the stream takes more: then it begins again.
 */
static int asks_in_vain(void *arg)
{
	struct blocked *b = arg;
	int fd = proc("", NULL), err;
	struct epid pid;
	uint8_t *bytes = calloc(1, 100000);
	DEFINE_BUF(small);
	DEFINE_BUF(big);

	fmt(&big, "B", bytes, (size_t)100000);
	term(&small, "[]");
	proc_self(fd, &pid);
	do {
		send_all_that_fits(fd, b->dest, &big);
		send_all_that_fits(fd, b->dest, &small);
		send(b->told, &pid, sizeof(pid), 0);
		err = ask(fd, ERLDIST_SIG_LINK, b->dest);
		if (!err)
			err = ask(fd, ERLDIST_SIG_UNLINK, b->dest);
	} while (!err);
	return err == -EPIPE ? 0 : 1;
}

TEST_F(signals, ended_while_waiting_for_room)
{
	struct erldist_limits l;
	struct blocked b = { .dest = &self->dest };
	struct epid pid;
	DEFINE_BUF(dest);
	DEFINE_BUF(kill_);
	int told[2];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, told));
	ASSERT_EQ(0, node_limits(self->node, &l));
	l.send_queue = 200000;
	l.stall = 60000;
	ASSERT_EQ(0, node_set_limits(self->node, &l));
	b.told = told[1];
	child = spawn(asks_in_vain, &b);
	do {
		ASSERT_EQ(sizeof(pid), recv(told[0], &pid, sizeof(pid), 0));
	} while (poll_for(told[0], POLLIN, 500));
	ASSERT_LT(0, proc_sendto(self->p, &(struct to){ .op = ERLDIST_SIG_EXIT,
				 .dest = term(&dest, "p", &pid) }, term(&kill_, "a", "kill")));
	EXPECT_EQ(0, reap(child));
}

/* Signals and messages of one sender come in the order they were sent in. */
TEST_F(signals, order)
{
	DEFINE_BUF(hello);
	uint8_t *bytes = calloc(1, 100000);
	DEFINE_BUF(big);

	fmt(&hello, "a", "hello");
	fmt(&big, "B", bytes, (size_t)100000);
	free(bytes);
	for (int i = 0; i < 20; i++) {
		struct eref ref = proc_ref(self->p, self->ref);

		ASSERT_LT(0, proc_send(self->p, &self->dest, i % 2 ? &hello : &big));
		ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
		ASSERT_LT(0, proc_send(self->p, &self->dest, &hello));
		ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_DEMONITOR, NULL, self->ref, 0));
		EXPECT_FRAME(i % 2 ? &hello : &big, "{ipp}", OP_SEND_SENDER, &self->pid,
			     &self->other);
		EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
		EXPECT_FRAME(&hello, "{ipp}", OP_SEND_SENDER, &self->pid, &self->other);
		EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &self->other, &ref);
	}
}

TEST_F(signals, refused)
{
	DEFINE_BUF(name);
	DEFINE_BUF(hello);

	fmt(&name, "{aa}", "server", self->w.name);
	fmt(&hello, "a", "hello");
	/* links and exits are of pids */
	EXPECT_EQ(-EINVAL, ask(self->p, ERLDIST_SIG_LINK, &name));
	EXPECT_EQ(-EINVAL, ask(self->p, ERLDIST_SIG_UNLINK, &name));
	EXPECT_EQ(-EINVAL, proc_sendto(self->p, &(struct to){ .op = ERLDIST_SIG_EXIT,
				       .dest = &name }, &hello));
	/* no payload, no destination, no such operation, no such flag */
	EXPECT_EQ(-EINVAL, proc_sendto(self->p, &(struct to){ .op = ERLDIST_SIG_LINK,
				       .dest = &self->dest }, &hello));
	EXPECT_EQ(-EDESTADDRREQ, ask(self->p, ERLDIST_SIG_LINK, NULL));
	EXPECT_EQ(-EOPNOTSUPP, ask(self->p, ERLDIST_SIG_DOWN, &self->dest));
	EXPECT_EQ(-EOPNOTSUPP, ask(self->p, 1000, &self->dest));
	EXPECT_EQ(-EINVAL, ask_ref(self->p, ERLDIST_SIG_LINK, &self->dest, 0,
				   ERLDIST_SIG_F_ALIAS));
	EXPECT_EQ(-EINVAL, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref,
				   ERLDIST_SIG_F_ONCE));
	/* references that were not given out */
	EXPECT_EQ(-EINVAL, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, 0, 0));
	EXPECT_EQ(-EINVAL, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest,
				   self->ref + 64, 0));
	EXPECT_EQ(-EINVAL, ask_ref(self->p, ERLDIST_SIG_ALIAS, NULL, ~0ULL, 0));
	ASSERT_EQ(0, wire_sync(&self->w));
}

/*
 * Reply ports
 */

/* What is asked for on a port comes back on it, and goes with it. */
TEST_F(signals, port)
{
	const int flags = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
	struct eref ref = proc_ref(self->p, self->ref), ref2 = proc_ref(self->p, self->ref + 1);
	struct to to = { .dest = &self->dest, .sig_flags = flags, .ref = self->ref,
			 .user_data = self->ref ^ 0xabcd };
	int port = proc_attach(self->p);
	DEFINE_BUF(request);
	DEFINE_BUF(boom);
	struct epid pid;

	ASSERT_LE(0, port);
	proc_self(port, &pid);
	EXPECT_TRUE(pid_eq(&pid, &self->pid));
	fmt(&request, "a", "request");
	fmt(&boom, "a", "boom");
	ASSERT_LT(0, proc_sendto(port, &to, &request));
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	EXPECT_FRAME(&request, "{ipp}", OP_SEND_SENDER, &self->pid, &self->other);
	/* what is for the process does not come here */
	ASSERT_EQ(0, wire_pid_send(&self->w, &self->pid, &request));
	SEND_FRAME(&boom, "{ipr}", OP_ALIAS_SEND, &self->other, &ref);
	EXPECT_SIGNAL(port, ERLDIST_SIG_MESSAGE, self->ref, "a", "boom");
	EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &self->other, &ref);
	EXPECT_TRUE(quiet(port));
	EXPECT_TRUE(proc_expect(self->p, &request));
	EXPECT_TRUE(quiet(self->p));
	/* a DOWN */
	ASSERT_EQ(0, ask_ref(port, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	SEND_FRAME(&boom, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &self->other, &self->pid, &ref);
	EXPECT_SIGNAL(port, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN", &ref, "process",
		      &self->other, &boom);
	EXPECT_TRUE(quiet(self->p));
	/* its close */
	ASSERT_EQ(0, ask_ref(port, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
	ASSERT_EQ(0, ask_ref(port, ERLDIST_SIG_ALIAS, NULL, self->ref + 1, 0));
	EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
	SEND_FRAME(&boom, "{ipr}", OP_ALIAS_SEND, &self->other, &ref2);
	ASSERT_EQ(0, wire_sync(&self->w));
	close(port);
	EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &self->other, &ref);
	SEND_FRAME(&boom, "{ipr}", OP_ALIAS_SEND, &self->other, &ref2);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
	EXPECT_EQ(0, ask_ref(self->p, ERLDIST_SIG_ALIAS, NULL, self->ref + 1, 0));
}

/*
 * A server without aliases sends {[alias|Ref], Reply} to the caller's pid. That is the
 * reply to the call which was made on the port.
 */
TEST_F(signals, reply_to_the_pid)
{
	const int flags = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
	struct to call = { .dest = &self->dest, .sig_flags = flags, .ref = self->ref,
			   .user_data = self->ref ^ 0xabcd };
	struct eref ref = proc_ref(self->p, self->ref);
	int port = proc_attach(self->p), other = proc("", NULL);
	uint8_t *bytes = calloc(1, 100000);
	DEFINE_BUF(self_dest);
	DEFINE_BUF(request);
	DEFINE_BUF(reply);

	ASSERT_LE(0, port);
	fmt(&self_dest, "p", &self->pid);
	fmt(&request, "a", "request");
	/* of a peer and of this node, in one piece and in many */
	for (int i = 0; i < 4; i++) {
		term(&reply, "{[a|r]B}", "alias", &ref, bytes, (size_t)(i & 2 ? 100000 : 5));
		ASSERT_LT(0, proc_sendto(port, &call, &request));
		EXPECT_FRAME(NULL, "{ippr}", OP_MONITOR_P, &self->pid, &self->other, &ref);
		EXPECT_FRAME(&request, "{ipp}", OP_SEND_SENDER, &self->pid, &self->other);
		ASSERT_LE(0, i & 1 ? proc_send(other, &self_dest, &reply) :
				     wire_pid_send(&self->w, &self->pid, &reply));
		EXPECT_SIGNAL(port, ERLDIST_SIG_MESSAGE, self->ref, "t", &reply);
		EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &self->other, &ref);
	}
	free(bytes);
	/* the call is over: it is a message as any other */
	ASSERT_EQ(0, wire_pid_send(&self->w, &self->pid, &reply));
	EXPECT_TRUE(proc_expect(self->p, &reply));
	/* so is what looks like a reply, and is none */
	ASSERT_EQ(0, ask_ref(port, ERLDIST_SIG_ALIAS, NULL, self->ref, 0));
	for (int i = 0; i < 10; i++) {
		static const char * const shapes[] = {
			"{[a|r]a}", "{[a|r]a}", "{[a|r]a}", "{[a|r]}", "{[a|r]aa}", "{[ar]a}",
			"[[a|r]a]", "{{ar}a}",
		};
		struct eref wrong = ref;

		wrong.creation += i == 0;
		wrong.word[0] += i == 1;
		if (i < 8)
			term(&reply, shapes[i], i == 2 ? "alibi" : "alias", &wrong, "a", "b");
		else
			term(&reply, i == 8 ? "{[a|a]a}" : "a", "alias", "a", "b");
		ASSERT_EQ(0, wire_pid_send(&self->w, &self->pid, &reply));
		EXPECT_TRUE(proc_expect(self->p, &reply));
	}
	EXPECT_TRUE(quiet(port));
	/* an alias of the process itself is where its messages are already */
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_ALIAS, NULL, self->ref + 1, 0));
	ref = proc_ref(self->p, self->ref + 1);
	ASSERT_EQ(0, wire_pid_send(&self->w, &self->pid, term(&reply, "{[a|r]a}", "alias", &ref,
							      "ok")));
	EXPECT_TRUE(proc_expect(self->p, &reply));
}

TEST_F(signals, port_of_a_process_that_ends)
{
	int port = proc_attach(self->p), on = 1;
	DEFINE_BUF(hello);
	DEFINE_MSG(m);

	ASSERT_LE(0, port);
	fmt(&hello, "a", "hello");
	EXPECT_EQ(-EOPNOTSUPP, ask(port, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_EQ(-1, setsockopt(port, SOL_ERLDIST, ERLDIST_TRAP_EXIT, &on, sizeof(on)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, setsockopt(port, SOL_ERLDIST, ERLDIST_ATTACH, &self->p, sizeof(int)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(0, ask_ref(port, ERLDIST_SIG_MONITOR, &self->dest, self->ref, 0));
	close(self->p);
	EXPECT_TRUE(poll_for(port, POLLHUP, WAIT_MS));
	EXPECT_EQ(-EOWNERDEAD, proc_recv(port, &m, WAIT_MS));
	EXPECT_EQ(-EPIPE, proc_send(port, &self->dest, &hello));
	EXPECT_EQ(-EPIPE, proc_attach(port));
	close(port);
}

TEST_F(signals, port_refused)
{
	int sv[2];

	stream_pair(CARRIER_UNIX, sv);
	EXPECT_EQ(-EBADF, proc_attach(-1));
	EXPECT_EQ(-ENOTSOCK, proc_attach(open("/dev/null", O_RDONLY)));
	EXPECT_EQ(-EINVAL, proc_attach(sv[0]));
	EXPECT_EQ(-EINVAL, proc_attach(self->node));
	EXPECT_EQ(-ENOTCONN, proc_attach(socket(family(), SOCK_RDM, 0)));
}

TEST_F(signals, ports_are_limited)
{
	struct rlimit files = { 2000, 2000 };
	int n = 0, fd;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	while ((fd = proc_attach(self->p)) >= 0)
		n++;
	EXPECT_EQ(-EUSERS, fd);
	EXPECT_EQ(1024, n);
}

TEST_F(signals, limits)
{
	struct erldist_limits l;

	ASSERT_EQ(0, node_limits(self->node, &l));
	l.relations = 3;
	ASSERT_EQ(0, node_set_limits(self->node, &l));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref + i, 0));
	EXPECT_EQ(-EUSERS, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
	EXPECT_EQ(-EUSERS, ask_ref(self->p, ERLDIST_SIG_MONITOR, &self->dest, self->ref + 3, 0));
	ASSERT_EQ(0, ask_ref(self->p, ERLDIST_SIG_DEMONITOR, NULL, self->ref, 0));
	EXPECT_EQ(0, ask(self->p, ERLDIST_SIG_LINK, &self->dest));
}

/*
 * Between processes of one node
 */

FIXTURE(local) {
	int node;
	int a, b;
	struct epid a_pid, b_pid;
	struct buf to_a, to_b;
	uint64_t ref;		/* of a */
};

FIXTURE_SETUP(local)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->a = proc("a", NULL);
	self->b = proc("b", NULL);
	proc_self(self->a, &self->a_pid);
	proc_self(self->b, &self->b_pid);
	term(&self->to_a, "p", &self->a_pid);
	term(&self->to_b, "p", &self->b_pid);
	self->ref = proc_refs(self->a);
	proc_trap_exit(self->a, true);
	proc_trap_exit(self->b, true);
}

FIXTURE_TEARDOWN(local)
{
	buf_free(&self->to_a);
	buf_free(&self->to_b);
}

TEST_F(local, link)
{
	/* from both sides it is one */
	ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, &self->to_b));
	ASSERT_EQ(0, ask(self->b, ERLDIST_SIG_LINK, &self->to_a));
	close(self->b);
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->b_pid, "normal");
	EXPECT_TRUE(quiet(self->a));
	/* to the dead, and to oneself */
	ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, &self->to_b));
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->b_pid, "noproc");
	ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, &self->to_a));
	EXPECT_TRUE(quiet(self->a));
}

/*
 * While the end of a process is still being told, a link to it that there was
 * stays the only one: noproc comes after its EXIT, if at all. What tells it has to
 * wait for this program, or does it beside it.
 */
TEST_F(local, link_again_to_who_is_ending)
{
	const struct sched_param first = { .sched_priority = 1 };
	const int rounds = scaled(50);
	int others[200], fd, last;
	struct epid pid;
	DEFINE_BUF(dest);
	DEFINE_MSG(m);

	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &first));
	for (int i = 0; i < 200; i++)
		others[i] = proc("", NULL);
	for (int i = 0; i < rounds; i++) {
		fd = proc("", NULL);
		proc_self(fd, &pid);
		term(&dest, "p", &pid);
		/* told in the order of pids */
		last = proc("", NULL);
		proc_trap_exit(last, true);
		for (int j = 0; j < 200; j++)
			ASSERT_EQ(0, ask(others[j], ERLDIST_SIG_LINK, &dest));
		ASSERT_EQ(0, ask(last, ERLDIST_SIG_LINK, &dest));
		close(fd);
		ASSERT_EQ(0, ask(last, ERLDIST_SIG_LINK, &dest));
		EXPECT_SIGNAL(last, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &pid, "normal");
		proc_recv(last, &m, 0);
		EXPECT_NE(0, proc_recv(last, &m, 0));
		close(last);
	}
}

TEST_F(local, unlink)
{
	ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, &self->to_b));
	ASSERT_EQ(0, ask(self->b, ERLDIST_SIG_UNLINK, &self->to_a));
	ASSERT_EQ(0, ask(self->b, ERLDIST_SIG_UNLINK, &self->to_a));
	close(self->b);
	EXPECT_TRUE(quiet(self->a));
}

TEST_F(local, a_chain_of_links_falls)
{
	int fd[50];
	struct epid pid;
	DEFINE_BUF(dest);
	DEFINE_BUF(boom);
	DEFINE_BUF(got);

	fd[0] = self->b;
	proc_trap_exit(self->b, false);
	for (int i = 1; i < 50; i++) {
		fd[i] = proc("", NULL);
		proc_self(fd[i - 1], &pid);
		ASSERT_EQ(0, ask(fd[i], ERLDIST_SIG_LINK, term(&dest, "p", &pid)));
	}
	proc_self(fd[49], &pid);
	ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, term(&dest, "p", &pid)));
	fmt(&boom, "a", "boom");
	ASSERT_LT(0, proc_sendto(self->a, &(struct to){ .op = ERLDIST_SIG_EXIT,
				 .dest = &self->to_b }, &boom));
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &pid, "boom");
	for (int i = 0; i < 50; i++) {
		got.len = 0;
		ASSERT_EQ(0, proc_term(fd[i], ERLDIST_EXIT_STATUS, &got));
		EXPECT_TRUE(buf_eq(&got, &boom));
	}
}

TEST_F(local, monitor)
{
	struct eref ref = proc_ref(self->a, self->ref), ref2 = proc_ref(self->a, self->ref + 1);
	DEFINE_BUF(name);

	fmt(&name, "a", "b");
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &self->to_b, self->ref, 0));
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &name, self->ref + 1, 0));
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &name, self->ref + 2, 0));
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_DEMONITOR, NULL, self->ref + 2, 0));
	close(self->b);
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_DOWN, self->ref, "{arapa}", "DOWN", &ref, "process",
		      &self->b_pid, "normal");
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_DOWN, self->ref + 1, "{ara{aa}a}", "DOWN", &ref2,
		      "process", "b", "k@h", "normal");
	EXPECT_TRUE(quiet(self->a));
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &name, self->ref, 0));
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_DOWN, self->ref, "{ara{aa}a}", "DOWN", &ref,
		      "process", "b", "k@h", "noproc");
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &self->to_b, self->ref, 0));
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_DOWN, self->ref, "{arapa}", "DOWN", &ref, "process",
		      &self->b_pid, "noproc");
	/* the node's own: it is always there */
	term(&name, "a", "net_kernel");
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &name, self->ref, 0));
	EXPECT_TRUE(quiet(self->a));
}

/* The pid of another life of the node means nobody. */
TEST_F(local, unlink_of_an_old_pid)
{
	struct epid old = self->b_pid;
	DEFINE_BUF(dest);

	old.creation ^= 0x100;
	ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, &self->to_b));
	ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_UNLINK, term(&dest, "p", &old)));
	close(self->b);
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->b_pid, "normal");
}

/* Who traps and does not read holds up who sends him exits. */
TEST_F(local, exits_have_a_limit)
{
	struct erldist_mailbox_limits l = { .local = 100000 };
	struct to to = { .op = ERLDIST_SIG_EXIT, .dest = &self->to_b, .flags = MSG_DONTWAIT };
	DEFINE_BUF(reason);
	int n = 0;

	ASSERT_EQ(0, setsockopt(self->b, SOL_ERLDIST, ERLDIST_MAILBOX, &l, sizeof(l)));
	fmt(&reason, "a", "boo");
	while (n < 10000 && proc_sendto(self->a, &to, &reason) > 0)
		n++;
	EXPECT_LT(n, 10000);
	EXPECT_EQ(-EAGAIN, proc_sendto(self->a, &to, &reason));
}

/*
 * The EXIT that the receiver reads is longer than its reason: there may be room for
 * the one and not for the other. A sender that does not wait finds its socket not
 * writable, one that does sleeps until its time is over.
 */
TEST_F(local, an_exit_waits_for_all_of_it)
{
	struct erldist_mailbox_limits l = { .local = 10000 };
	struct to to = { .op = ERLDIST_SIG_EXIT, .dest = &self->to_b, .flags = MSG_DONTWAIT };
	const struct timeval wait = { .tv_usec = 200000 };
	uint8_t bytes[6000] = { 0 };
	int status = SIGALRM;	/* it did not end */
	ssize_t err = 0;
	size_t n;
	pid_t child;

	ASSERT_EQ(0, setsockopt(self->b, SOL_ERLDIST, ERLDIST_MAILBOX, &l, sizeof(l)));
	for (n = 3000; n < sizeof(bytes) && err >= 0; n += 8) {
		DEFINE_BUF(first);
		DEFINE_BUF(reason);
		DEFINE_MSG(m);

		fmt(&first, "B", bytes, (size_t)5000);
		fmt(&reason, "B", bytes, n);
		ASSERT_LT(0, proc_send(self->a, &self->to_b, &first));
		err = proc_sendto(self->a, &to, &reason);
		if (err < 0)
			break;
		ASSERT_EQ(0, proc_recv(self->b, &m, WAIT_MS));
		msg_free(&m);
		memset(&m, 0, sizeof(m));
		ASSERT_EQ(0, proc_recv(self->b, &m, WAIT_MS));
	}
	/* n is the first length that finds no room. */
	ASSERT_EQ(-EAGAIN, err);
	EXPECT_EQ(0, poll_now(self->a) & POLLOUT);
	ASSERT_EQ(0, setsockopt(self->a, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)));
	to.flags = 0;
	child = fork();
	if (!child) {
		DEFINE_BUF(reason);

		fmt(&reason, "B", bytes, n);
		_exit(-proc_sendto(self->a, &to, &reason));
	}
	/* A child that never sleeps cannot be killed: do not wait for it for ever. */
	for (int ms = 0; ms < WAIT_MS && waitpid(child, &status, WNOHANG) != child; ms += 20)
		sleep_ms(20);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EAGAIN, WEXITSTATUS(status));
}

/* A reason is there once, however many hear it. */
TEST_F(local, a_large_reason_is_shared)
{
	struct to to = { .op = ERLDIST_SIG_EXIT, .dest = &self->to_b };
	uint8_t *bytes = calloc(1, 4 << 20);
	struct node_info info;
	DEFINE_BUF(reason);
	DEFINE_MSG(m);

	fmt(&reason, "B", bytes, (size_t)4 << 20);
	free(bytes);
	for (int i = 0; i < 16; i++)
		ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &self->to_b, self->ref + i, 0));
	proc_trap_exit(self->b, false);
	ASSERT_LT(0, proc_sendto(self->a, &to, &reason));
	EXPECT_TRUE(poll_for(self->a, POLLIN, WAIT_MS));
	ASSERT_EQ(0, node_info("k@h", &info));
	EXPECT_LT(info.pool_used, 1 << 20);
	for (int i = 0; i < 16; i++) {
		ASSERT_EQ(0, proc_recv(self->a, &m, WAIT_MS));
		EXPECT_LT(4 << 20, m.term.len);
	}
}

/* The node's own net_kernel answers where it was asked. */
TEST_F(local, call_to_net_kernel)
{
	const int flags = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
	struct eref ref = proc_ref(self->a, self->ref);
	int port = proc_attach(self->a);
	DEFINE_BUF(request);
	DEFINE_BUF(dest);
	struct to to = { .dest = &dest, .sig_flags = flags, .ref = self->ref,
			 .user_data = self->ref ^ 0xabcd };

	ASSERT_LE(0, port);
	fmt(&dest, "a", "net_kernel");
	fmt(&request, "{a{p[a|r]}{aa}}", "$gen_call", &self->a_pid, "alias", &ref, "is_auth", "k@h");
	ASSERT_LT(0, proc_sendto(port, &to, &request));
	EXPECT_SIGNAL(port, ERLDIST_SIG_MESSAGE, self->ref, "{[a|r]a}", "alias", &ref, "yes");
	/* without an alias, in the mailbox */
	term(&request, "{a{pr}{aa}}", "$gen_call", &self->a_pid, &ref, "is_auth", "k@h");
	ASSERT_LT(0, proc_send(port, &dest, &request));
	EXPECT_TRUE(proc_expect(self->a, term(&request, "{ra}", &ref, "yes")));
	EXPECT_TRUE(quiet(port));
}

/* So does its rex, if nobody is it. */
TEST_F(local, call_to_rex)
{
	const int flags = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
	struct eref ref = proc_ref(self->a, self->ref);
	int port = proc_attach(self->a), rex;
	DEFINE_BUF(request);
	DEFINE_BUF(want);
	DEFINE_BUF(dest);
	struct to to = { .dest = &dest, .sig_flags = flags, .ref = self->ref,
			 .user_data = self->ref ^ 0xabcd };

	ASSERT_LE(0, port);
	fmt(&dest, "a", "rex");
	fmt(&request, "{a{p[a|r]}{aaa[]a}}", "$gen_call", &self->a_pid, "alias", &ref, "call",
	    "m", "f", "user");
	ASSERT_LT(0, proc_sendto(port, &to, &request));
	EXPECT_SIGNAL(port, ERLDIST_SIG_MESSAGE, self->ref, "{[a|r]{aa}}", "alias", &ref, "badrpc",
		      "notsup");
	rex = proc("rex", NULL);
	ASSERT_LE(0, rex);
	ASSERT_LT(0, proc_send(self->a, &dest, &request));
	EXPECT_TRUE(proc_expect(rex, term(&want, "t", &request)));
	EXPECT_TRUE(quiet(port));
	EXPECT_TRUE(quiet(self->a));
}

/*
 * Once unlink() and demonitor with flush have returned, nothing comes any more,
 * whenever the other died.
 */
static int dies_with_name(int *told, const char *prefix)
{
	char name[32] = "";
	int round = 0;
	struct epid pid;
	DEFINE_BUF(self);
	DEFINE_BUF(reason);
	char byte;
	int fd;

	for (;;) {
		if (*prefix)
			snprintf(name, sizeof(name), "%s%d", prefix, round++);
		fd = proc(name, NULL);
		proc_self(fd, &pid);
		if (send(*told, &pid, sizeof(pid), 0) != sizeof(pid) ||
		    recv(*told, &byte, 1, 0) != 1 || !byte)
			return 0;
		for (volatile int i = 0; i < rand() % 20000; i++)
			;
		proc_sendto(fd, &(struct to){ .op = ERLDIST_SIG_EXIT, .dest = term(&self, "p", &pid) },
			    term(&reason, "a", "boom"));
		close(fd);
	}
}

static int dies_some_time(void *arg)
{
	return dies_with_name(arg, "");
}

static int named_dies(void *arg)
{
	return dies_with_name(arg, "named");
}

TEST_F(local, nothing_comes_after_unlink)
{
	const int rounds = scaled(500);
	struct epid pid;
	DEFINE_BUF(dest);
	DEFINE_MSG(m);
	int told[2];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, told));
	child = spawn(dies_some_time, &told[1]);
	for (int i = 0; i < rounds; i++) {
		uint64_t ref = i % 64 ? self->ref + i % 64 : (self->ref = proc_refs(self->a));

		ASSERT_EQ(sizeof(pid), recv(told[0], &pid, sizeof(pid), 0));
		term(&dest, "p", &pid);
		ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, &dest));
		ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &dest, ref, 0));
		ASSERT_EQ(1, send(told[0], "x", 1, 0));
		for (volatile int j = 0; j < rand() % 20000; j++)
			;
		ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_DEMONITOR, NULL, ref,
				     ERLDIST_SIG_F_FLUSH));
		ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_UNLINK, &dest));
		/* at most the EXIT, which is there already */
		while (!proc_recv(self->a, &m, 0))
			ASSERT_EQ(ERLDIST_SIG_EXIT, m.op);
		if (i % 50 == 0)
			EXPECT_TRUE(quiet(self->a));
	}
	ASSERT_EQ(sizeof(pid), recv(told[0], &pid, sizeof(pid), 0));
	send(told[0], "", 1, 0);
	EXPECT_EQ(0, reap(child));
	EXPECT_TRUE(quiet(self->a));
}

/* unlink() that returns 0 came before the other's end: who does not trap lives. */
TEST_F_TIMEOUT(local, who_has_unlinked_lives, 120)
{
	const int rounds = scaled(4000);
	struct epid pid;
	DEFINE_BUF(dest);
	int told[2], lived = 0, died = 0;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, told));
	child = spawn(dies_some_time, &told[1]);
	for (int i = 0; i < rounds; i++) {
		int fd = proc("", NULL), err;

		ASSERT_EQ(sizeof(pid), recv(told[0], &pid, sizeof(pid), 0));
		term(&dest, "p", &pid);
		ASSERT_EQ(0, ask(fd, ERLDIST_SIG_LINK, &dest));
		ASSERT_EQ(1, send(told[0], "x", 1, 0));
		for (volatile int j = 0; j < rand() % 20000; j++)
			;
		err = ask(fd, ERLDIST_SIG_UNLINK, &dest);
		EXPECT_EQ(err ? POLLHUP : 0, poll_now(fd) & POLLHUP);
		if (err)
			EXPECT_EQ(-EPIPE, err);
		lived += !err;
		died += !!err;
		close(fd);
	}
	ASSERT_EQ(sizeof(pid), recv(told[0], &pid, sizeof(pid), 0));
	send(told[0], "", 1, 0);
	EXPECT_EQ(0, reap(child));
	TH_LOG("%d lived, %d died", lived, died);
}

static bool down_with(const struct msg *m, const char *reason)
{
	char what[512];

	return m->op == ERLDIST_SIG_DOWN &&
	       scan(m->term.p, m->term.len, "{____a}", what) > 0 && !strcmp(what, reason);
}

/* Who finds a name free that a process had does not reach that by its pid. */
TEST_F(local, nobody_where_the_name_was)
{
	const int rounds = scaled(300);
	struct epid pid;
	char text[32];
	DEFINE_BUF(name);
	DEFINE_BUF(dest);
	DEFINE_MSG(m);
	int told[2];
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, told));
	child = spawn(named_dies, &told[1]);
	for (int i = 0; i < rounds; i++) {
		uint64_t ref = proc_refs(self->a);

		ASSERT_EQ(sizeof(pid), recv(told[0], &pid, sizeof(pid), 0));
		term(&dest, "p", &pid);
		snprintf(text, sizeof(text), "named%d", i);
		term(&name, "a", text);
		ASSERT_EQ(1, send(told[0], "x", 1, 0));
		do {
			ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_DEMONITOR, NULL, ref,
					     ERLDIST_SIG_F_FLUSH));
			ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &name, ref, 0));
		} while (proc_recv(self->a, &m, 0));
		if (!down_with(&m, "noproc"))
			continue;
		ASSERT_EQ(0, ask(self->a, ERLDIST_SIG_LINK, &dest));
		EXPECT_SIGNAL(self->a, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &pid, "noproc");
	}
	ASSERT_EQ(sizeof(pid), recv(told[0], &pid, sizeof(pid), 0));
	send(told[0], "", 1, 0);
	EXPECT_EQ(0, reap(child));
}

struct exit2 {
	int from;
	const struct buf *dest, *reason;
};

static const uint8_t big[1 << 20];

static int exits_another(void *arg)
{
	const struct exit2 *e = arg;

	proc_sendto(e->from, &(struct to){ .op = ERLDIST_SIG_EXIT, .dest = e->dest }, e->reason);
	return 0;
}

/*
 * Who hears of a process's end is not ended any more by an exit/2 that it had begun:
 * what one process sends another comes in order
 */
TEST_F(local, no_exit_after_the_news_of_the_sender_s_end)
{
	const int rounds = scaled(60);
	DEFINE_BUF(reason);
	DEFINE_BUF(boom);
	int told = 0;

	/* takes its time */
	fmt(&reason, "B", big, sizeof(big));
	term(&boom, "a", "boom");
	for (int i = 0; i < rounds || (!told && i < 100); i++) {
		int from = proc("", NULL), to = proc("", NULL);
		struct epid from_pid, to_pid;
		DEFINE_BUF(to_from);
		DEFINE_BUF(to_to);
		DEFINE_MSG(m);
		pid_t child;

		proc_self(from, &from_pid);
		proc_self(to, &to_pid);
		term(&to_from, "p", &from_pid);
		term(&to_to, "p", &to_pid);
		ASSERT_EQ(0, ask_ref(to, ERLDIST_SIG_MONITOR, &to_from, proc_refs(to), 0));
		child = spawn(exits_another, &(struct exit2){ from, &to_to, &reason });
		usleep(rand() % 10000);
		ASSERT_LT(0, proc_sendto(self->a, &(struct to){ .op = ERLDIST_SIG_EXIT,
								.dest = &to_from }, &boom));
		if (!proc_recv(to, &m, WAIT_MS)) {
			EXPECT_TRUE(down_with(&m, "boom"));
			told++;
			reap(child);
			EXPECT_EQ(-ETIMEDOUT, proc_recv(to, &m, 0));
		} else {
			reap(child);
		}
		close(from);
		close(to);
	}
	EXPECT_LT(0, told);
}

TEST_F(local, the_watcher_dies)
{
	ASSERT_EQ(0, ask_ref(self->a, ERLDIST_SIG_MONITOR, &self->to_b, self->ref, 0));
	ASSERT_EQ(0, ask(self->b, ERLDIST_SIG_LINK, &self->to_a));
	close(self->a);
	EXPECT_SIGNAL(self->b, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->a_pid, "normal");
	EXPECT_TRUE(quiet(self->b));
}

TEST_F(local, exit)
{
	struct to to = { .op = ERLDIST_SIG_EXIT, .dest = &self->to_b };
	DEFINE_BUF(reason);
	DEFINE_BUF(got);
	DEFINE_MSG(m);

	ASSERT_LT(0, proc_sendto(self->a, &to, term(&reason, "a", "shutdown")));
	EXPECT_SIGNAL(self->b, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->a_pid, "shutdown");
	proc_trap_exit(self->b, false);
	ASSERT_LT(0, proc_sendto(self->a, &to, term(&reason, "a", "normal")));
	EXPECT_TRUE(quiet(self->b));
	proc_trap_exit(self->b, true);
	ASSERT_LT(0, proc_sendto(self->a, &to, term(&reason, "a", "kill")));
	EXPECT_EQ(-ECONNRESET, proc_recv(self->b, &m, WAIT_MS));
	ASSERT_EQ(0, proc_term(self->b, ERLDIST_EXIT_STATUS, &got));
	EXPECT_TRUE(buf_eq(&got, term(&reason, "a", "killed")));
	ASSERT_LT(0, proc_sendto(self->a, &to, &reason));
}

TEST_F(local, call)
{
	const int flags = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
	struct eref ref = proc_ref(self->a, self->ref);
	struct to to = { .dest = &self->to_b, .sig_flags = flags, .ref = self->ref,
			 .user_data = self->ref ^ 0xabcd };
	DEFINE_BUF(hello);
	DEFINE_BUF(alias);

	fmt(&hello, "a", "hello");
	fmt(&alias, "r", &ref);
	ASSERT_LT(0, proc_sendto(self->a, &to, &hello));
	EXPECT_TRUE(proc_expect(self->b, &hello));
	ASSERT_LT(0, proc_send(self->b, &alias, &hello));
	ASSERT_LT(0, proc_send(self->b, &alias, &hello));
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_MESSAGE, self->ref, "a", "hello");
	close(self->b);
	EXPECT_TRUE(quiet(self->a));
	ASSERT_LT(0, proc_sendto(self->a, &to, &hello));
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_DOWN, self->ref, "{arapa}", "DOWN", &ref, "process",
		      &self->b_pid, "noproc");
}

/* Two link, unlink and die at the same time, many times: one EXIT at most. */
struct churn {
	int fd;
	struct buf *other;
	int rounds;
};

static int churn(void *arg)
{
	struct churn *c = arg;

	for (int i = 0; i < c->rounds; i++) {
		if (ask(c->fd, ERLDIST_SIG_LINK, c->other) ||
		    ask(c->fd, ERLDIST_SIG_UNLINK, c->other))
			return 1;
	}
	return ask(c->fd, ERLDIST_SIG_LINK, c->other) ? 2 : 0;
}

TEST_F(local, churn)
{
	struct churn a = { self->a, &self->to_b, scaled(3000) };
	struct churn b = { self->b, &self->to_a, scaled(3000) };
	pid_t child[2] = { spawn(churn, &a), spawn(churn, &b) };

	EXPECT_EQ(0, reap(child[0]));
	EXPECT_EQ(0, reap(child[1]));
	close(self->b);
	EXPECT_SIGNAL(self->a, ERLDIST_SIG_EXIT, 0, "{apa}", "EXIT", &self->b_pid, "normal");
	EXPECT_TRUE(quiet(self->a));
}

TEST_HARNESS_MAIN
