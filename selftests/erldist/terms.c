// SPDX-License-Identifier: GPL-2.0-only
/*
 * The terms and destinations that would make a BEAM close the connection, or
 * die, do not leave this machine; those that BEAM decodes do.
 */
#include "kselftest_harness.h"
#include "wire_peer.h"

FIXTURE(terms) {
	int p;		/* sends */
	int q;		/* a local receiver */
	struct wire w;	/* a remote one */
	struct epid q_pid, w_pid;
};

FIXTURE_SETUP(terms)
{
	int n;

	SETUP_ERLDIST();
	n = node("k@h");
	ASSERT_EQ(0, wire_up(&self->w, n));
	self->p = proc(NULL, NULL);
	self->q = proc("q", NULL);
	proc_self(self->q, &self->q_pid);
	self->w_pid = wire_pid(&self->w, 5);
}

FIXTURE_TEARDOWN(terms)
{
}

struct row {
	const char *what;
	const char *hex;
};

/* Refused with EINVAL, whoever it is for */
static void refused(struct __test_metadata *_metadata,
		    FIXTURE_DATA(terms) *self, const struct buf *t,
		    const char *what)
{
	DEFINE_BUF(d);

	EXPECT_EQ(-EINVAL, proc_send(self->p, fmt(&d, "p", &self->w_pid), t)) {
		TH_LOG("to a peer: %s", what);
	}
	EXPECT_EQ(-EINVAL, proc_send(self->p, term(&d, "p", &self->q_pid), t)) {
		TH_LOG("to a neighbour: %s", what);
	}
}

/* Accepted, and it arrives as it was */
static void accepted(struct __test_metadata *_metadata,
		     FIXTURE_DATA(terms) *self, const struct buf *t,
		     const char *what)
{
	ssize_t n;
	DEFINE_FRAME(f);
	DEFINE_BUF(d);

	n = proc_send(self->p, fmt(&d, "p", &self->w_pid), t);
	EXPECT_EQ(t->len, n) {
		TH_LOG("to a peer: %s", what);
	}
	if (n > 0) {
		ASSERT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
		EXPECT_TRUE(buf_eq(&f.msg, t)) {
			TH_LOG("to a peer: %s", what);
		}
	}
	n = proc_send(self->p, term(&d, "p", &self->q_pid), t);
	EXPECT_EQ(t->len, n) {
		TH_LOG("to a neighbour: %s", what);
	}
	if (n > 0) {
		ASSERT_TRUE(proc_expect(self->q, t)) {
			TH_LOG("to a neighbour: %s", what);
		}
	}
}

static void all_refused(struct __test_metadata *_metadata,
			FIXTURE_DATA(terms) *self, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		DEFINE_BUF(t);

		refused(_metadata, self, buf_hex(&t, rows[i].hex), rows[i].what);
	}
}

TEST_F(terms, not_one_term)
{
	static const struct row rows[] = {
		{ "nothing", "" },
		{ "only a version byte", "83" },
		{ "two version bytes", "83 83 6a" },
		{ "two terms", "6a 6a" },
		{ "a byte behind", "61 01 00" },
		{ "a version byte inside", "68 01 83 6a" },
		{ "an unknown tag", "00" },
		{ "another unknown tag", "ff" },
		{ "a cache reference", "52 00" },
		{ "a cache reference inside", "68 01 52 00" },
		{ "compressed", "50 00 00 00 02 78 9c 4b 04 00" },
		{ "compressed inside", "68 01 50 00 00 00 02 78 9c 4b 04 00" },
		{ "local external", "79 00 00 00 00 6a" },
		{ "a native record, not negotiated", "43 00 00 00 00" },
		{ "an old fun",
		  "75 00 00 00 00 67 77 03 61 40 62 00 00 00 01 00 00 00 00 01 "
		  "77 01 6d 61 00 61 00" },
		{ "a tuple that lacks one", "68 02 6a" },
		{ "a list without its tail", "6c 00 00 00 01 6a" },
		{ "a tuple of 2^32 - 1", "69 ff ff ff ff 6a" },
		{ "a binary of 2^32 - 1", "6d ff ff ff ff 00" },
		{ "a map of 2^32 - 1", "74 ff ff ff ff 6a 6a" },
	};

	all_refused(_metadata, self, rows, ARRAY_SIZE(rows));
}

TEST_F(terms, atoms_and_numbers)
{
	static const struct row rows[] = {
		{ "no UTF-8", "77 02 c3 28" },
		{ "cut UTF-8", "77 01 c3" },
		{ "overlong UTF-8", "77 02 c0 80" },
		{ "overlong in three bytes", "77 03 e0 80 af" },
		{ "a surrogate", "77 03 ed a0 80" },
		{ "beyond Unicode", "77 04 f4 90 80 80" },
		{ "a lone continuation", "77 01 80" },
		{ "NaN", "46 7f f8 00 00 00 00 00 01" },
		{ "infinity", "46 7f f0 00 00 00 00 00 00" },
		{ "minus infinity", "46 ff f0 00 00 00 00 00 00" },
		{ "text that is no float",
		  "63 61 62 63 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
		  "00 00 00 00 00 00 00 00 00 00 00 00" },
		{ "text inf",
		  "63 69 6e 66 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
		  "00 00 00 00 00 00 00 00 00 00 00 00" },
		{ "bits of no bytes", "4d 00 00 00 00 03" },
		{ "no bits of a byte", "4d 00 00 00 01 00 ff" },
		{ "nine bits", "4d 00 00 00 01 09 ff" },
	};

	all_refused(_metadata, self, rows, ARRAY_SIZE(rows));
}

TEST_F(terms, long_atoms)
{
	DEFINE_BUF(t);

	for (int latin1 = 0; latin1 < 2; latin1++) {
		t.len = 0;
		buf_u8(&t, latin1 ? 100 : 118);
		buf_be16(&t, 256);
		for (int i = 0; i < 256; i++)
			buf_u8(&t, 'a');
		refused(_metadata, self, &t, "256 characters");
		t.p[1] = 0;
		t.p[2] = 255;
		t.len--;
		accepted(_metadata, self, &t, "255 characters");
	}
	t.len = 0;
	buf_u8(&t, 118);
	buf_be16(&t, 765);
	for (int i = 0; i < 255; i++)
		buf_hex(&t, "e2 82 ac");
	accepted(_metadata, self, &t, "255 characters of three bytes");
	t.p[1] = 768 >> 8;
	t.p[2] = 768 & 255;
	buf_hex(&t, "e2 82 ac");
	refused(_metadata, self, &t, "256 characters of three bytes");
}

/* A fun says how long it is, in its first four bytes */
static struct buf *sized_fun(struct buf *t, const char *hex)
{
	buf_hex(t, hex);
	if (t->p[0] == 112)
		t->p[4] = t->len - 1;
	return t;
}

TEST_F(terms, funs)
{
	/* size, arity, uniq[16], index, n free, module, index, uniq, pid, free */
#define UNIQ	"00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"
#define PID	"58 77 03 61 40 62 00 00 00 01 00 00 00 00 00 00 00 05"
	static const struct row bad[] = {
		{ "module is an integer",
		  "70 00 00 00 00 00 " UNIQ " 00 00 00 01 00 00 00 01 "
		  "61 6d 61 00 61 00 " PID " 61 07" },
		{ "a free variable is missing",
		  "70 00 00 00 00 00 " UNIQ " 00 00 00 01 00 00 00 02 "
		  "77 01 6d 61 00 61 00 " PID " 61" },
		{ "index is an atom",
		  "70 00 00 00 00 00 " UNIQ " 00 00 00 01 00 00 00 01 "
		  "77 01 6d 77 01 61 61 00 " PID " 61 07" },
		{ "its process is no pid",
		  "70 00 00 00 00 00 " UNIQ " 00 00 00 01 00 00 00 01 "
		  "77 01 6d 61 00 61 00 61 01 61 07" },
		{ "broken inside",
		  "70 00 00 00 00 00 " UNIQ " 00 00 00 01 00 00 00 01 "
		  "77 01 6d 61 00 61 00 " PID " 77 02" },
		{ "an export of an integer", "71 61 01 77 01 66 61 01" },
		{ "an export with a function that is none", "71 77 01 6d 61 01 61 01" },
		{ "an export with an arity that is none", "71 77 01 6d 77 01 66 6a" },
		{ "an export with arity 300", "71 77 01 6d 77 01 66 62 00 00 01 2c" },
		{ "an export with arity -1", "71 77 01 6d 77 01 66 62 ff ff ff ff" },
	};
	static const struct row good[] = {
		{ "a fun with one free variable",
		  "70 00 00 00 00 00 " UNIQ " 00 00 00 01 00 00 00 01 "
		  "77 01 6d 61 00 62 01 02 03 04 " PID " 61 07" },
		{ "an export", "71 77 01 6d 77 01 66 61 02" },
		{ "an export with arity 255", "71 77 01 6d 77 01 66 61 ff" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		DEFINE_BUF(t);

		refused(_metadata, self, sized_fun(&t, bad[i].hex), bad[i].what);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		DEFINE_BUF(t);

		accepted(_metadata, self, sized_fun(&t, good[i].hex), good[i].what);
		if (t.p[0] != 112)
			continue;
		t.p[4]--;
		refused(_metadata, self, &t, "a fun that says it is smaller");
		t.p[4] += 2;
		refused(_metadata, self, &t, "a fun that says it is larger");
	}
}

TEST_F(terms, maps)
{
	static const struct row bad[] = {
		{ "a key twice", "74 00 00 00 02 61 01 6a 61 01 6a" },
		{ "1 in two forms", "74 00 00 00 02 61 01 6a 62 00 00 00 01 6a" },
		{ "1 as a small big", "74 00 00 00 02 61 01 6a 6e 01 00 01 6a" },
		{ "1 with a leading zero", "74 00 00 00 02 61 01 6a 6e 02 00 01 00 6a" },
		{ "0.0 and -0.0",
		  "74 00 00 00 02 46 00 00 00 00 00 00 00 00 6a "
		  "46 80 00 00 00 00 00 00 00 6a" },
		{ "an atom in two forms", "74 00 00 00 02 77 01 61 6a 64 00 01 61 6a" },
		{ "a latin1 atom and the same in UTF-8",
		  "74 00 00 00 02 73 01 e4 6a 77 02 c3 a4 6a" },
		{ "a tuple in two forms",
		  "74 00 00 00 02 68 01 6a 6a 69 00 00 00 01 6a 6a" },
		{ "a string and a list",
		  "74 00 00 00 02 6b 00 02 61 62 6a "
		  "6c 00 00 00 02 61 61 61 62 6a 6a" },
		{ "inside a tuple", "68 01 74 00 00 00 02 6a 6a 6a 6a" },
		{ "inside a value", "74 00 00 00 01 6a 74 00 00 00 02 6a 6a 6a 6a" },
		{ "inside a key", "74 00 00 00 01 74 00 00 00 02 6a 6a 6a 6a 6a" },
		{ "equal maps in another order",
		  "74 00 00 00 02 74 00 00 00 02 61 01 6a 61 02 6a 6a "
		  "74 00 00 00 02 61 02 6a 61 01 6a 6a" },
	};
	static const struct row good[] = {
		{ "empty", "74 00 00 00 00" },
		{ "1 and 1.0",
		  "74 00 00 00 02 61 01 6a 46 3f f0 00 00 00 00 00 00 6a" },
		{ "equal values", "74 00 00 00 02 61 01 6a 61 02 6a" },
		{ "the same key in two maps",
		  "68 02 74 00 00 00 01 61 01 6a 74 00 00 00 01 61 01 6a" },
		{ "keys of every kind",
		  "74 00 00 00 05 61 01 6a 77 01 61 6a 6d 00 00 00 01 61 6a 6a 6a "
		  "68 01 61 01 6a" },
		{ "only -0.0", "74 00 00 00 01 46 80 00 00 00 00 00 00 00 6a" },
	};

	all_refused(_metadata, self, bad, ARRAY_SIZE(bad));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		DEFINE_BUF(t);

		accepted(_metadata, self, buf_hex(&t, good[i].hex), good[i].what);
	}
}

TEST_F(terms, large_maps)
{
	static const int sizes[] = { 32, 33, 100, 5000 };
	DEFINE_BUF(t);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		t.len = 0;
		buf_u8(&t, 116);
		buf_be32(&t, sizes[i]);
		for (int k = 0; k < sizes[i]; k++)
			fmt(&t, "ia", k, "v");
		accepted(_metadata, self, &t, "distinct keys");
		/* the last key is the first one, in a form of its own */
		t.len = 5;
		for (int k = 0; k < sizes[i] - 1; k++)
			fmt(&t, "ia", k, "v");
		buf_hex(&t, "62 00 00 00 00 6a");
		refused(_metadata, self, &t, "one key twice among many");
	}
}

TEST_F(terms, identifiers)
{
	static const struct row rows[] = {
		{ "a pid whose node is no atom", "58 61 01 00 00 00 01 00 00 00 00 00 00 00 01" },
		{ "a reference whose node is no atom", "5a 00 01 6a 00 00 00 01 00 00 00 01" },
		{ "a port whose node is no atom", "59 6a 00 00 00 01 00 00 00 01" },
		{ "a reference of no word", "5a 00 00 77 03 61 40 62 00 00 00 01" },
		{ "a reference of six words",
		  "5a 00 06 77 03 61 40 62 00 00 00 01 00 00 00 01 00 00 00 01 "
		  "00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 01" },
		{ "an old reference of six words",
		  "72 00 06 77 03 61 40 62 01 00 00 00 01 00 00 00 01 "
		  "00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 01" },
		{ "a cut pid", "58 77 03 61 40 62 00 00 00 01" },
	};

	all_refused(_metadata, self, rows, ARRAY_SIZE(rows));
}

/* What names the receiving node, as it is now, has a narrower range */
TEST_F(terms, identifiers_of_the_receiver)
{
	struct epid pid = wire_pid(&self->w, 1 << 28);
	struct eref ref = { .creation = pid.creation, .n = 3,
			    .word = { 1 << 18, 1, 1 } };
	DEFINE_BUF(port);
	DEFINE_BUF(d);
	DEFINE_BUF(t);

	snprintf(ref.node, sizeof(ref.node), "%s", pid.node);
	fmt(&d, "p", &self->w_pid);
	EXPECT_EQ(-EINVAL, proc_send(self->p, &d, term(&t, "p", &pid)));
	EXPECT_EQ(-EINVAL, proc_send(self->p, &d, term(&t, "{ap}", "x", &pid)));
	EXPECT_EQ(-EINVAL, proc_send(self->p, &d, term(&t, "r", &ref)));
	buf_hex(&port, "78 77 03 77 40 68 ff ff ff ff ff ff ff ff 11 22 33 44");
	EXPECT_EQ(-EINVAL, proc_send(self->p, &d, &port));

	/* just within it, of another creation, of another node */
	pid.id--;
	ref.word[0]--;
	accepted(_metadata, self, term(&t, "{pr}", &pid, &ref), "within the range");
	pid.id = ~0U;
	pid.serial = ~0U;
	pid.creation++;
	ref.word[0] = ~0U;
	ref.creation++;
	accepted(_metadata, self, term(&t, "{pr}", &pid, &ref), "another creation");
	pid.creation--;
	ref.creation--;
	pid.node[0] = 'x';
	ref.node[0] = 'x';
	ref.n = 5;
	accepted(_metadata, self, term(&t, "{pr}", &pid, &ref), "another node");
}

TEST_F(terms, too_much)
{
	DEFINE_BUF(t);

	buf_u8(&t, 111);
	buf_be32(&t, 600000);
	buf_u8(&t, 0);
	for (int i = 0; i < 600000; i++)
		buf_u8(&t, 0xff);
	refused(_metadata, self, &t, "an integer of 600 kB");
	t.len = 0;
	buf_u8(&t, 105);
	buf_be32(&t, 1 << 24);
	memset(buf_grow(&t, 1 << 24), 106, 1 << 24);
	refused(_metadata, self, &t, "a tuple of 2^24");
}

TEST_F(terms, cut_at_every_byte)
{
	struct eref ref = { .node = "a@b", .creation = 5, .n = 5,
			    .word = { 1, 2, 3, 4, 5 } };
	DEFINE_BUF(all);
	DEFINE_BUF(t);

	fmt(&all, "{aiuup[bp]r[i|a]}", "atom", 1, (uint64_t)70000, 1ULL << 60,
	    &self->q_pid, "binary", &self->w_pid, &ref, 1, "tail");
	accepted(_metadata, self, &all, "the whole term");
	for (size_t len = 0; len < all.len; len++) {
		t.len = 0;
		buf_add(&t, all.p, len);
		refused(_metadata, self, &t, "cut");
	}
}

/* The scanner sees the message in pieces: the cut may be in any place */
TEST_F_TIMEOUT(terms, across_pages, 120)
{
	DEFINE_BUF(head);
	DEFINE_BUF(t);

	fmt(&head, "{aip}", "behind", 70000, &self->w_pid);
	for (int pad = 3900; pad < 4110; pad += 7) {
		t.len = 0;
		buf_hex(&t, "68 03 6d");
		buf_be32(&t, pad);
		memset(buf_grow(&t, pad), 'x', pad);
		buf_add(&t, head.p, head.len);
		buf_hex(&t, "74 00 00 00 02 61 01 6a 62 00 00 00 02 6a");
		accepted(_metadata, self, &t, "a term that crosses a page");
		t.p[t.len - 2] = 1;
		refused(_metadata, self, &t, "a bad one that crosses a page");
	}
}

TEST_F(terms, every_tag_that_beam_sends)
{
	static const struct row rows[] = {
		{ "small integer", "61 ff" },
		{ "integer", "62 80 00 00 00" },
		{ "small big", "6e 08 01 ff ff ff ff ff ff ff ff" },
		{ "float", "46 40 09 21 fb 54 44 2d 18" },
		{ "atom", "77 02 6f 6b" },
		{ "empty atom", "77 00" },
		{ "latin1 atoms", "68 02 64 00 01 e4 73 01 e4" },
		{ "nil", "6a" },
		{ "string", "6b 00 03 61 62 63" },
		{ "list", "6c 00 00 00 02 6a 6a 6a" },
		{ "improper list", "6c 00 00 00 01 6a 61 01" },
		{ "empty tuple", "68 00" },
		{ "large tuple", "69 00 00 00 02 6a 6a" },
		{ "binary", "6d 00 00 00 03 61 62 63" },
		{ "empty binary", "6d 00 00 00 00" },
		{ "bits", "4d 00 00 00 02 03 ff e0" },
		{ "port", "78 77 03 61 40 62 00 00 00 00 00 00 00 01 00 00 00 05" },
		{ "older port", "59 77 03 61 40 62 00 00 00 01 00 00 00 05" },
		{ "old pid", "67 77 03 61 40 62 00 00 00 01 00 00 00 00 02" },
	};
	DEFINE_BUF(t);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		t.len = 0;
		accepted(_metadata, self, buf_hex(&t, rows[i].hex), rows[i].what);
	}
	t.len = 0;
	buf_u8(&t, 111);
	buf_be32(&t, 300);
	buf_u8(&t, 1);
	memset(buf_grow(&t, 300), 0x77, 300);
	accepted(_metadata, self, &t, "large big");
}

TEST_F(terms, deep)
{
	DEFINE_BUF(t);

	for (int i = 0; i < 10000; i++)
		buf_hex(&t, "68 01");
	buf_u8(&t, 106);
	accepted(_metadata, self, &t, "10,000 tuples deep");
	t.len = 0;
	for (int i = 0; i < 30; i++)
		buf_hex(&t, "74 00 00 00 01 61 01");
	buf_u8(&t, 106);
	accepted(_metadata, self, &t, "maps 30 deep");
}

/* Destinations */

TEST_F(terms, destinations)
{
	static const struct row rows[] = {
		{ "an integer", "61 01" },
		{ "the empty atom", "77 00" },
		{ "a name that is no UTF-8", "77 02 c3 28" },
		{ "a list", "6a" },
		{ "a binary", "6d 00 00 00 01 61" },
		{ "a tuple of three", "68 03 77 01 61 77 03 61 40 62 6a" },
		{ "a tuple of one", "68 01 77 01 61" },
		{ "a name that is none", "68 02 61 01 77 03 61 40 62" },
		{ "a node that is none", "68 02 77 01 61 61 01" },
		{ "a node without @", "68 02 77 01 61 77 02 61 62" },
		{ "a node without a host", "68 02 77 01 61 77 02 61 40" },
		{ "bytes behind", "77 01 71 00" },
		{ "a cut pid", "58 77 03 61 40 62 00 00 00 01" },
		{ "a pid without a node", "58 6a 00 00 00 01 00 00 00 00 00 00 00 01" },
		{ "a reference of six words",
		  "5a 00 06 77 03 77 40 68 00 00 00 01 00 00 00 01 00 00 00 01 "
		  "00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 01" },
		{ "a port", "78 77 03 77 40 68 00 00 00 00 00 00 00 01 00 00 00 05" },
		{ "a version byte in front", "83 77 01 71" },
	};
	DEFINE_BUF(msg);

	term(&msg, "a", "hello");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct to to = { .cmsg = true };
		DEFINE_BUF(d);

		to.dest = buf_hex(&d, rows[i].hex);
		EXPECT_EQ(-EINVAL, proc_send(self->p, &d, &msg)) {
			TH_LOG("%s", rows[i].what);
		}
		EXPECT_EQ(-EINVAL, proc_sendto(self->p, &to, &msg)) {
			TH_LOG("in a control message: %s", rows[i].what);
		}
		EXPECT_GT(0, proc_connect(self->p, &d)) {
			TH_LOG("connect: %s", rows[i].what);
		}
	}
}

TEST_F(terms, destinations_of_the_peer)
{
	struct epid pid = wire_pid(&self->w, 1 << 28);
	struct eref ref = { .creation = pid.creation, .n = 3,
			    .word = { 1 << 18, 1, 1 } };
	char name[300];
	DEFINE_BUF(msg);
	DEFINE_BUF(d);
	DEFINE_FRAME(f);

	snprintf(ref.node, sizeof(ref.node), "%s", pid.node);
	term(&msg, "a", "hello");
	EXPECT_EQ(-EINVAL, proc_send(self->p, term(&d, "p", &pid), &msg));
	EXPECT_EQ(-EINVAL, proc_send(self->p, term(&d, "r", &ref), &msg));
	memset(name, 'x', 256);
	name[256] = 0;
	EXPECT_EQ(-EINVAL, proc_send(self->p, term(&d, "{aa}", name, "w@h"), &msg));
	name[255] = 0;
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "{aa}", name, "w@h"), &msg));
	EXPECT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
	pid.id--;
	EXPECT_EQ(msg.len, proc_send(self->p, term(&d, "p", &pid), &msg));
	EXPECT_EQ(0, wire_recv(&self->w, &f, WAIT_MS));
}

static int set_reason(int fd, const struct buf *t)
{
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_EXIT_REASON, t->p, t->len) ? -errno : 0;
}

/* Which node it names that has to decode it is not known before the end */
TEST_F(terms, identifiers_in_exit_reasons)
{
	struct epid pid = wire_pid(&self->w, 1 << 28);
	struct eref ref = { .node = "c@d", .creation = 5, .n = 3, .word = { 1 << 18, 1, 1 } };
	DEFINE_BUF(port);
	DEFINE_BUF(t);

	EXPECT_EQ(-EINVAL, set_reason(self->p, term(&t, "{ap}", "why", &pid)));
	EXPECT_EQ(-EINVAL, set_reason(self->p, term(&t, "r", &ref)));
	buf_hex(&port, "78 77 03 77 40 68 ff ff ff ff ff ff ff ff 11 22 33 44");
	EXPECT_EQ(-EINVAL, set_reason(self->p, &port));
	pid.id--;
	ref.word[0]--;
	EXPECT_EQ(0, set_reason(self->p, term(&t, "{pr}", &pid, &ref)));
}

/* A reason of one's own is a term like any other */
TEST_F(terms, exit_reasons)
{
	DEFINE_BUF(big);

	EXPECT_EQ(0, setsockopt(self->p, SOL_ERLDIST, ERLDIST_EXIT_REASON,
				"\x77\x02hi", 4));
	EXPECT_EQ(-1, setsockopt(self->p, SOL_ERLDIST, ERLDIST_EXIT_REASON,
				 "\x77\x02\xc3\x28", 4));
	EXPECT_EQ(EINVAL, errno);
	buf_u8(&big, 109);
	buf_be32(&big, 65536);
	memset(buf_grow(&big, 65536), 0, 65536);
	EXPECT_EQ(-1, setsockopt(self->p, SOL_ERLDIST, ERLDIST_EXIT_REASON, big.p,
				 big.len));
}

TEST_HARNESS_MAIN
