// SPDX-License-Identifier: GPL-2.0-only
/* Spawn requests: to a peer, and from a peer to the node's spawn server. */
#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(spawn) {
	int node;
	int p;
	struct epid pid;	/* of p */
	struct epid other;	/* of the peer */
	struct buf dest;	/* the peer's name */
	uint64_t ref;		/* of p, and those that follow */
	struct wire w;
};

FIXTURE_SETUP(spawn)
{
	const struct node_config c = { .name = "k@h" };
	int sv[2];

	SETUP_ERLDIST();
	self->node = node_open(&c);
	ASSERT_LE(0, self->node);
	self->p = proc("svc", NULL);
	proc_self(self->p, &self->pid);
	self->ref = proc_refs(self->p);
	proc_trap_exit(self->p, true);
	stream_pair(CARRIER_TCP4, sv);
	wire_init(&self->w, sv[0], "w@h");
	ASSERT_EQ(0, node_accept(self->node, sv[1], 5));
	ASSERT_EQ(0, wire_initiate(&self->w));
	self->other = wire_pid(&self->w, 7);
	term(&self->dest, "a", "w@h");
}

FIXTURE_TEARDOWN(spawn)
{
	buf_free(&self->dest);
}

static ssize_t spawn_at(int fd, const struct buf *node, uint64_t ref, const struct buf *what)
{
	return proc_sendto(fd, &(struct to){ .op = ERLDIST_SIG_SPAWN, .dest = node, .ref = ref,
					     .user_data = ref ^ 0xabcd }, what);
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

TEST_F(spawn, request)
{
	struct eref ref = proc_ref(self->p, self->ref);
	struct epid child = wire_pid(&self->w, 9);
	DEFINE_BUF(what);
	DEFINE_BUF(args);
	DEFINE_BUF(boom);

	fmt(&args, "[ai]", "x", 5);
	fmt(&boom, "a", "boom");
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref,
			      fmt(&what, "{aa[aa]t}", "m", "f", "link", "monitor", &args)));
	EXPECT_FRAME(&args, "{irpp{aai}[aa]}", 29, &ref, &self->pid, &self->pid, "m", "f", 2,
		     "link", "monitor");
	EXPECT_EQ(-EEXIST, spawn_at(self->p, &self->dest, self->ref, &what));
	SEND_FRAME(NULL, "{irpip}", 31, &ref, &self->pid, 3, &child);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_SPAWN_REPLY, self->ref, "{arap}", "spawn_reply", &ref,
		      "ok", &child);
	/* link and monitor hold */
	SEND_FRAME(&boom, "{ipp}", OP_PAYLOAD_EXIT, &child, &self->pid);
	SEND_FRAME(&boom, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &child, &self->pid, &ref);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_EXIT, 0, "{apt}", "EXIT", &child, &boom);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_DOWN, self->ref, "{arapt}", "DOWN", &ref, "process",
		      &child, &boom);
	EXPECT_TRUE(quiet(self->p));
	/* without them there is nothing to be told, or to tell */
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref, term(&what, "{aa[][]}", "m", "f")));
	args.len = 0;
	EXPECT_FRAME(fmt(&args, "[]"), "{irpp{aai}[]}", 29, &ref, &self->pid, &self->pid, "m", "f", 0);
	SEND_FRAME(NULL, "{irpip}", 31, &ref, &self->pid, 0, &child);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_SPAWN_REPLY, self->ref, "{arap}", "spawn_reply", &ref,
		      "ok", &child);
	close(self->p);
	ASSERT_EQ(0, wire_sync(&self->w));
}

TEST_F(spawn, errors)
{
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(what);
	DEFINE_BUF(args);
	DEFINE_BUF(far);
	struct peer_info info;
	struct wire v;

	fmt(&args, "[]");
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref,
			      fmt(&what, "{aa[a][]}", "m", "f", "monitor")));
	EXPECT_FRAME(&args, "{irpp{aai}[a]}", 29, &ref, &self->pid, &self->pid, "m", "f", 0, "monitor");
	SEND_FRAME(NULL, "{irpia}", 31, &ref, &self->pid, 0, "badopt");
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_SPAWN_REPLY, self->ref, "{araa}", "spawn_reply", &ref,
		      "error", "badopt");
	/* a second answer is nobody's */
	SEND_FRAME(NULL, "{irpia}", 31, &ref, &self->pid, 0, "badopt");
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(self->p));
	/* a peer that takes none */
	wire_init(&v, -1, "v@h");
	v.flags &= ~FLAG_SPAWN;
	ASSERT_EQ(0, wire_connect(&v, self->node, CARRIER_TCP4, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_LT(0, spawn_at(self->p, term(&far, "a", "v@h"), self->ref, &what));
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_SPAWN_REPLY, self->ref, "{araa}", "spawn_reply", &ref,
		      "error", "notsup");
	ASSERT_EQ(0, wire_sync(&v));
	/* one that cannot be reached */
	ASSERT_LT(0, spawn_at(self->p, term(&far, "a", "x@h"), self->ref, &what));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_WANTED, &info));
	ASSERT_EQ(0, node_peer(self->node, ERLDIST_PEER_UNREACHABLE, "x@h", NULL, 0, ECONNREFUSED));
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_SPAWN_REPLY, self->ref, "{araa}", "spawn_reply", &ref,
		      "error", "noconnection");
	/* one that goes before it answers */
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref, &what));
	wire_close(&self->w);
	EXPECT_SIGNAL(self->p, ERLDIST_SIG_SPAWN_REPLY, self->ref, "{araa}", "spawn_reply", &ref,
		      "error", "noconnection");
}

/* The requester has ended, or does not want the child any more. */
TEST_F(spawn, orphans)
{
	struct eref ref = proc_ref(self->p, self->ref);
	struct epid child = wire_pid(&self->w, 9);
	DEFINE_FRAME(f);
	DEFINE_BUF(what);
	DEFINE_BUF(why);

	fmt(&what, "{aa[aa][]}", "m", "f", "link", "monitor");
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref, &what));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	ASSERT_EQ(0, proc_ask(self->p, &(struct to){ .op = ERLDIST_SIG_DEMONITOR, .ref = self->ref }));
	SEND_FRAME(NULL, "{irpip}", 31, &ref, &self->pid, 3, &child);
	EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &child, &ref);
	EXPECT_FRAME(term(&why, "a", "abandoned"), "{ipp}", OP_PAYLOAD_EXIT, &self->pid, &child);
	EXPECT_TRUE(quiet(self->p));
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref, &what));
	ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	close(self->p);
	ASSERT_EQ(0, wire_sync(&self->w));
	SEND_FRAME(NULL, "{irpip}", 31, &ref, &self->pid, 3, &child);
	EXPECT_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->pid, &child, &ref);
	EXPECT_FRAME(term(&why, "a", "noproc"), "{ipp}", OP_PAYLOAD_EXIT, &self->pid, &child);
}

/*
 * The requester ends, or demonitors, while the answer makes its monitor hold: the
 * peer is told, by a DEMONITOR_P and no more.
 */
TEST_F_TIMEOUT(spawn, given_up_while_answered, 120)
{
	struct epid child = wire_pid(&self->w, 9);
	int delay = delay_calls("erldist_relation_hook_channel");
	int rounds = delay < 0 ? scaled(20) : 6;
	DEFINE_BUF(what);

	fmt(&what, "{aa[a][]}", "m", "f", "monitor");
	for (int n = 0; n < rounds; n++) {
		int p = proc(NULL, NULL);
		uint64_t refs = proc_refs(p);
		struct eref ref = proc_ref(p, refs);
		struct epid pid;
		DEFINE_FRAME(f);
		DEFINE_BUF(ctl);

		proc_self(p, &pid);
		ASSERT_LT(0, spawn_at(p, &self->dest, refs, &what));
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		SEND_FRAME(NULL, "{irpip}", 31, &ref, &pid, 2, &child);
		usleep(n / 2 * 700);
		if (n % 2)
			ASSERT_EQ(0, proc_ask(p, &(struct to){ .op = ERLDIST_SIG_DEMONITOR,
							       .ref = refs }));
		close(p);
		ASSERT_TRUE(wire_expect(&self->w, fmt(&ctl, "{ippr}", OP_DEMONITOR_P, &pid, &child,
						      &ref), NULL)) {
			TH_LOG("round %d", n);
		}
		ASSERT_EQ(0, wire_sync(&self->w));
	}
	close(delay);
}

TEST_F(spawn, refused)
{
	static const char *const bad[] = {
		"61 01",
		/* {m, f, [], []} with a string, an atom, a pid too few */
		"68 03 7701 6d 7701 66 6a",
		"68 04 6101 7701 66 6a 6a",
		"68 04 7701 6d 6101 6a 6a",
		/* options that are none, unknown, improper, or would kill a BEAM */
		"68 04 7701 6d 7701 66 6101 6a",
		"68 04 7701 6d 7701 66 6c 00000001 7703 666f6f 6a 6a",
		"68 04 7701 6d 7701 66 6c 00000001 7704 6c696e6b 7701 61 6a",
		"68 04 7701 6d 7701 66 6c 00000001 6802 770d 6d696e5f686561705f73697a65 6e06 00 000000000001 6a 6a",
		"68 04 7701 6d 7701 66 6c 00000001 6802 770d 6d696e5f686561705f73697a65 62 ffffffff 6a 6a",
		/* arguments that are no proper list, or too many */
		"68 04 7701 6d 7701 66 6a 6101",
		"68 04 7701 6d 7701 66 6a 6c 00000001 6101 616a",
		"68 04 7701 6d 7701 66 6a 6b 0100",
	};
	DEFINE_BUF(what);
	DEFINE_BUF(pid);

	fmt(&pid, "p", &self->other);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		what.len = 0;
		buf_hex(&what, bad[i]);
		if (i == ARRAY_SIZE(bad) - 1)
			memset(buf_grow(&what, 256), 7, 256), what.len += 256;
		EXPECT_EQ(-EINVAL, spawn_at(self->p, &self->dest, self->ref, &what)) {
			TH_LOG("row %zu", i);
		}
	}
	term(&what, "{aa[][]}", "m", "f");
	EXPECT_EQ(-EINVAL, spawn_at(self->p, &pid, self->ref, &what));
	EXPECT_EQ(-EINVAL, spawn_at(self->p, &self->dest, self->ref + 64, &what));
	EXPECT_EQ(-EINVAL, spawn_at(self->p, &self->dest, 0, &what));
	EXPECT_EQ(-EINVAL, spawn_at(self->p, term(&pid, "a", "k@h"), self->ref, &what));
	ASSERT_EQ(0, wire_sync(&self->w));
}

/* Options with values that every release takes go as they are. */
TEST_F(spawn, options)
{
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(what);
	DEFINE_BUF(options);
	DEFINE_BUF(args);
	uint8_t *bytes = calloc(1, 200000);

	fmt(&options, "[{aa}{ai}a]", "priority", "high", "min_heap_size", 4000, "link");
	fmt(&args, "[B]", bytes, (size_t)200000);
	free(bytes);
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref,
			      fmt(&what, "{aatt}", "m", "f", &options, &args)));
	EXPECT_FRAME(&args, "{irpp{aai}t}", 29, &ref, &self->pid, &self->pid, "m", "f", 1, &options);
}

/* They travel in the frame's head */
TEST_F(spawn, more_options_than_there_is_room_for)
{
	static const int numbers[] = { 84, 85, 1500, 5000 };
	struct eref ref = proc_ref(self->p, self->ref);
	DEFINE_BUF(args);

	fmt(&args, "[]");
	for (int i = 0; i < ARRAY_SIZE(numbers); i++) {
		DEFINE_BUF(options);
		DEFINE_BUF(what);

		buf_u8(&options, 108);
		buf_be32(&options, numbers[i]);
		for (int n = 0; n < numbers[i]; n++)
			fmt(&options, "a", "link");
		fmt(&options, "[]");
		fmt(&what, "{aatt}", "m", "f", &options, &args);
		EXPECT_EQ(i ? -EINVAL : (ssize_t)what.len,
			  spawn_at(self->p, &self->dest, self->ref, &what));
		if (!i)
			EXPECT_FRAME(&args, "{irpp{aai}t}", 29, &ref, &self->pid, &self->pid, "m",
				     "f", 0, &options);
	}
	ASSERT_EQ(0, wire_sync(&self->w));
}

/*
 * The other way round
 */

static int serve(int fd, int on)
{
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_SPAWN_SERVER, &on, sizeof(on)) ? -errno : 0;
}

static ssize_t answer(int fd, const struct eref *ref, const struct buf *what)
{
	DEFINE_BUF(dest);

	fmt(&dest, "r", ref);
	return proc_sendto(fd, &(struct to){ .op = ERLDIST_SIG_SPAWN_ANSWER, .dest = &dest }, what);
}

TEST_F(spawn, served)
{
	struct eref ref = wire_ref(&self->w, 1);
	int server = proc("server", NULL), child = proc("", NULL), other = proc("", NULL);
	struct epid pid;
	DEFINE_BUF(args);
	DEFINE_BUF(what);
	DEFINE_BUF(normal);

	fmt(&args, "[ai]", "x", 5);
	fmt(&normal, "a", "normal");
	proc_self(child, &pid);
	SEND_FRAME(&args, "{irpp{aai}[aa]}", 29, &ref, &self->other, &self->other, "m", "f", 2,
		   "link", "monitor");
	EXPECT_FRAME(NULL, "{irpia}", 31, &ref, &self->other, 0, "notsup");
	ASSERT_EQ(0, serve(server, 1));
	EXPECT_EQ(-EADDRINUSE, serve(other, 1));
	SEND_FRAME(&args, "{irpp{aai}[aa]}", 29, &ref, &self->other, &self->other, "m", "f", 2,
		   "link", "monitor");
	EXPECT_SIGNAL(server, ERLDIST_SIG_SPAWN_REQUEST, 0, "{arpp{aai}[aa]t}", "spawn_request",
		      &ref, &self->other, &self->other, "m", "f", 2, "link", "monitor", &args);
	/* only the server answers, once, with a pid of this node or an atom */
	term(&what, "p", &pid);
	EXPECT_EQ(-ENOENT, answer(other, &ref, &what));
	EXPECT_EQ(-EINVAL, answer(server, &ref, term(&what, "p", &self->other)));
	EXPECT_EQ(-EINVAL, answer(server, &ref, term(&what, "i", 5)));
	ASSERT_LT(0, answer(server, &ref, term(&what, "p", &pid)));
	EXPECT_EQ(-ENOENT, answer(server, &ref, &what));
	EXPECT_FRAME(NULL, "{irpip}", 31, &ref, &self->other, 3, &pid);
	close(child);
	/* EXIT and DOWN, in this order: links come first in its tree */
	EXPECT_FRAME(&normal, "{ipp}", OP_PAYLOAD_EXIT, &pid, &self->other);
	EXPECT_FRAME(&normal, "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &pid, &self->other, &ref);
	/* an error */
	ref = wire_ref(&self->w, 2);
	SEND_FRAME(&args, "{irpp{aai}[]}", 29, &ref, &self->other, &self->other, "m", "f", 2);
	EXPECT_SIGNAL(server, ERLDIST_SIG_SPAWN_REQUEST, 0, "{arpp{aai}[]t}", "spawn_request",
		      &ref, &self->other, &self->other, "m", "f", 2, &args);
	ASSERT_LT(0, answer(server, &ref, term(&what, "a", "not_today")));
	EXPECT_FRAME(NULL, "{irpia}", 31, &ref, &self->other, 0, "not_today");
	/* nothing that asks for what cannot be read */
	ref = wire_ref(&self->w, 3);
	SEND_FRAME(&args, "{irpp{aai}a}", 29, &ref, &self->other, &self->other, "m", "f", 2, "link");
	EXPECT_FRAME(NULL, "{irpia}", 31, &ref, &self->other, 0, "badopt");
	/* what is left when it goes */
	for (int i = 4; i < 7; i++) {
		ref = wire_ref(&self->w, i);
		SEND_FRAME(&args, "{irpp{aai}[]}", 29, &ref, &self->other, &self->other, "m", "f", 2);
	}
	ASSERT_EQ(0, wire_sync(&self->w));
	close(server);
	for (int i = 4; i < 7; i++) {
		ref = wire_ref(&self->w, i);
		EXPECT_FRAME(NULL, "{irpia}", 31, &ref, &self->other, 0, "notsup");
	}
	ASSERT_EQ(0, serve(other, 1));
	ASSERT_EQ(0, serve(other, 0));
	SEND_FRAME(&args, "{irpp{aai}[]}", 29, &ref, &self->other, &self->other, "m", "f", 2);
	EXPECT_FRAME(NULL, "{irpia}", 31, &ref, &self->other, 0, "notsup");
}

/* Answers a request with an atom of ISO 8859-1 characters of two bytes in UTF-8 each. */
static ssize_t answer_latin1(struct wire *w, int server, const struct eref *ref,
			     const struct epid *from, int n)
{
	DEFINE_BUF(ctl);
	DEFINE_BUF(args);
	DEFINE_BUF(error);
	DEFINE_MSG(m);

	fmt(&ctl, "{irpp{aai}[]}", 29, ref, from, from, "m", "f", 0);
	if (wire_send(w, &ctl, fmt(&args, "[]")) || proc_recv(server, &m, WAIT_MS))
		return -EIO;
	buf_u8(&error, 100);
	buf_be16(&error, n);
	memset(buf_grow(&error, n), 0xfe, n);
	return answer(server, ref, &error);
}

/* An error is an atom of up to 64 bytes in UTF-8, in which it is sent. */
TEST_F(spawn, longest_error)
{
	int server = proc("server", NULL);
	struct eref ref = wire_ref(&self->w, 1);
	DEFINE_BUF(sent);

	ASSERT_EQ(0, serve(server, 1));
	ASSERT_LT(0, answer_latin1(&self->w, server, &ref, &self->other, 32));
	buf_hex(&sent, "77 40");
	for (int i = 0; i < 32; i++)
		buf_hex(&sent, "c3be");
	EXPECT_FRAME(NULL, "{irpit}", 31, &ref, &self->other, 0, &sent);
	for (int n = 33; n <= 65; n++) {
		ref = wire_ref(&self->w, n);
		ASSERT_EQ(-EINVAL, answer_latin1(&self->w, server, &ref, &self->other, n));
	}
	close(server);
	for (int n = 33; n <= 65; n++) {
		ref = wire_ref(&self->w, n);
		EXPECT_FRAME(NULL, "{irpia}", 31, &ref, &self->other, 0, "notsup");
	}
}

/* Asks the server for a process, and answers; the child is its descriptor. */
static int spawn_child(struct wire *w, int server, const struct epid *from, uint32_t n,
		       const char *options, int flags)
{
	struct to to = { .op = ERLDIST_SIG_SPAWN_ANSWER, .sig_flags = flags, .user_data = n };
	struct eref ref = wire_ref(w, n);
	int child = proc("", NULL);
	struct epid pid;
	DEFINE_FRAME(f);
	DEFINE_BUF(ctl);
	DEFINE_BUF(dest);
	DEFINE_BUF(what);
	DEFINE_MSG(m);

	proc_self(child, &pid);
	fmt(&what, "[]");
	if (*options)
		fmt(&ctl, "{irpp{aai}[a]}", 29, &ref, from, from, "m", "f", 0, options);
	else
		fmt(&ctl, "{irpp{aai}[]}", 29, &ref, from, from, "m", "f", 0);
	if (wire_send(w, &ctl, &what) || proc_recv(server, &m, WAIT_MS))
		return -EIO;
	to.dest = term(&dest, "r", &ref);
	if (proc_sendto(server, &to, term(&what, "p", &pid)) < 0 || wire_recv(w, &f, WAIT_MS))
		return -EIO;
	return child;
}

static bool is_cancelled(int child, const struct eref *ref, uint32_t n)
{
	const struct to want = { .op = ERLDIST_SIG_SPAWN_CANCEL, .user_data = n };
	DEFINE_BUF(msg);

	return proc_expect_signal(child, &want, fmt(&msg, "{ar}", "spawn_cancel", ref));
}

/* Who asked does not want to know any more what becomes of the process. */
TEST_F(spawn, server_that_has_ended)
{
	int server = proc("server", NULL);

	ASSERT_EQ(0, serve(server, 1));
	close(self->node);
	EXPECT_TRUE(poll_for(server, POLLHUP, WAIT_MS));
	EXPECT_EQ(-EPIPE, serve(server, 1));
}

TEST_F(spawn, cancel)
{
	int child[5];
	struct eref ref[5];
	struct epid pid;
	DEFINE_BUF(normal);

	ASSERT_EQ(0, serve(self->p, 1));
	for (int i = 0; i < 5; i++) {
		ref[i] = wire_ref(&self->w, i + 1);
		child[i] = spawn_child(&self->w, self->p, &self->other, i + 1,
				       i == 2 ? "" : "monitor", i == 1 ? 0 : ERLDIST_SIG_F_CANCEL);
		ASSERT_LE(0, child[i]);
	}
	/* one that is to be told, one that is not, one that is not monitored */
	for (int i = 0; i < 3; i++) {
		proc_self(child[i], &pid);
		SEND_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->other, &pid, &ref[i]);
	}
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(is_cancelled(child[0], &ref[0], 1));
	EXPECT_TRUE(quiet(child[1]));
	EXPECT_FALSE(poll_for(child[2], POLLIN, 0));
	/* once, and nobody hears of its end */
	proc_self(child[0], &pid);
	SEND_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->other, &pid, &ref[0]);
	ASSERT_EQ(0, wire_sync(&self->w));
	EXPECT_TRUE(quiet(child[0]));
	close(child[0]);
	ASSERT_EQ(0, wire_sync(&self->w));
	/* one that ends first */
	proc_self(child[3], &pid);
	close(child[3]);
	EXPECT_FRAME(fmt(&normal, "a", "normal"), "{ippr}", OP_PAYLOAD_MONITOR_P_EXIT, &pid,
		     &self->other, &ref[3]);
	SEND_FRAME(NULL, "{ippr}", OP_DEMONITOR_P, &self->other, &pid, &ref[3]);
	ASSERT_EQ(0, wire_sync(&self->w));
	/* the node is lost */
	wire_close(&self->w);
	EXPECT_TRUE(is_cancelled(child[4], &ref[4], 5));
	EXPECT_TRUE(quiet(child[4]));
	EXPECT_FALSE(poll_for(child[1], POLLIN, 0));
}

TEST_F(spawn, requester_is_lost)
{
	struct eref ref = wire_ref(&self->w, 1);
	DEFINE_BUF(args);
	DEFINE_BUF(what);
	DEFINE_MSG(m);
	struct epid pid;
	int child = proc("", NULL);

	fmt(&args, "[]");
	proc_self(child, &pid);
	ASSERT_EQ(0, serve(self->p, 1));
	SEND_FRAME(&args, "{irpp{aai}[a]}", 29, &ref, &self->other, &self->other, "m", "f", 0, "link");
	ASSERT_EQ(0, proc_recv(self->p, &m, WAIT_MS));
	wire_close(&self->w);
	ASSERT_EQ(0, wire_up(&self->w, self->node));
	EXPECT_EQ(-ENOENT, answer(self->p, &ref, fmt(&what, "p", &pid)));
	ASSERT_EQ(0, wire_sync(&self->w));
	/* nobody is linked to the child */
	EXPECT_TRUE(quiet(child));
	EXPECT_FALSE(poll_for(child, POLLHUP, 0));
}

/* Long names of everything */
TEST_F(spawn, long_names)
{
	struct eref ref = proc_ref(self->p, self->ref);
	char name[256];
	DEFINE_BUF(what);
	DEFINE_BUF(atom);
	DEFINE_BUF(args);

	memset(name, 'x', 255);
	name[255] = 0;
	/* 255 characters of four bytes */
	buf_hex(&atom, "76 03fc");
	for (int i = 0; i < 255; i++)
		buf_hex(&atom, "f09f9880");
	fmt(&args, "[]");
	ASSERT_LT(0, spawn_at(self->p, &self->dest, self->ref,
			      fmt(&what, "{tt[][]}", &atom, &atom)));
	EXPECT_FRAME(&args, "{irpp{tti}[]}", 29, &ref, &self->pid, &self->pid, &atom, &atom, 0);
}

TEST_HARNESS_MAIN
