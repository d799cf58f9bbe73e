// SPDX-License-Identifier: GPL-2.0-only
/* Readers and writers of the external term format. */
#include <stdlib.h>

#include "tap.h"
#include "terms.h"

/* What a reader says of a term, and of each beginning of it */
enum reader { ATOM, PID, REF, INT, U64, TUPLE, SKIP };

union value {
	struct etf_atom atom;
	struct etf_pid pid;
	struct etf_ref ref;
	s64 i;
	u64 u;
	u32 n;
};

static int get(enum reader reader, struct etf_cursor *c, union value *v)
{
	switch (reader) {
	case ATOM:
		return etf_get_atom(c, &v->atom);
	case PID:
		return etf_get_pid(c, &v->pid);
	case REF:
		return etf_get_ref(c, &v->ref);
	case INT:
		return etf_get_int(c, &v->i);
	case U64:
		return etf_get_u64(c, &v->u);
	case TUPLE:
		return etf_get_tuple(c, &v->n);
	default:
		return etf_skip(c);
	}
}

/* From memory that ends where the bytes do; used: by how much it moved */
static int get_copy(enum reader reader, const u8 *p, size_t len, size_t *used)
{
	u8 *copy = malloc(len ? len : 1);
	struct etf_cursor c = { copy, copy + len };
	union value v;
	int err;

	memcpy(copy, p, len);
	err = get(reader, &c, &v);
	*used = c.p - copy;
	free(copy);
	return err;
}

/* -ENODATA for each beginning, and nothing moved; all: all of it used */
static bool all_cuts(enum reader reader, const u8 *p, size_t len)
{
	size_t i, used;

	for (i = 0; i < len; i++)
		if (get_copy(reader, p, i, &used) != -ENODATA || used)
			return false;
	return !get_copy(reader, p, len, &used) && used == len;
}

static const struct {
	const char *name;
	enum reader reader;
	struct row row;
} reads[] = {
	{ "atom", ATOM, YES("", ATOM_A) },
	{ "empty atom", ATOM, YES("", 119, 0) },
	{ "atom, long tag", ATOM, YES("", 118, 0, 1, 'a') },
	{ "latin1 atom", ATOM, YES("", 115, 1, 0xe9) },
	{ "latin1 atom, long tag", ATOM, YES("", 100, 0, 1, 0xe9) },
	{ "pid", PID, YES("", PID_A) },
	{ "old pid", PID, YES("", 103, NODE, ONES, ONES, 3) },
	{ "reference", REF, YES("", 90, 0, 3, NODE, CREATION7, ONES, ONES, ONES) },
	{ "reference of 5 words", REF, YES("", 90, 0, 5, NODE, CREATION7, ONES,
					   ONES, ONES, ONES, ONES) },
	{ "new reference", REF, YES("", 114, 0, 2, NODE, 3, ONES, ONES) },
	{ "old reference", REF, YES("", 101, NODE, ONES, 3) },
	{ "small tuple", TUPLE, YES("", 104, 3) },
	{ "large tuple", TUPLE, YES("", 105, ONES) },
	{ "integer", INT, YES("", 98, ONES) },
	{ "small big", INT, YES("", 110, 2, 1, 1, 1) },
	{ "large big", U64, YES("", 111, 0, 0, 0, 2, 0, 1, 1) },
};

/* Bad even where the bytes end too early, as the first ones say so */
static const struct {
	const char *name;
	enum reader reader;
	struct row row;
} bad_reads[] = {
	{ "no atom", ATOM, NO("", 97, 1) },
	{ "invalid UTF-8", ATOM, NO("", 119, 1, 0x80) },
	{ "overlong UTF-8", ATOM, NO("", 119, 2, 0xc0, 0x80) },
	{ "atom of 1021 bytes", ATOM, NO("", 118, 3, 0xfd) },
	{ "latin1 atom of 256", ATOM, NO("", 100, 1, 0) },
	{ "atom cache reference", ATOM, NO("", 82, 0) },
	{ "no pid", PID, NO("", ATOM_A) },
	{ "pid of a number", PID, NO("", 88, 97, 1, ONES, ONES, ONES) },
	{ "old pid, creation 4", PID, NO("", 103, NODE, ONES, ONES, 4) },
	{ "port for a pid", PID, NO("", 120, NODE, ONES, ONES, ONES) },
	{ "no reference", REF, NO("", PID_A) },
	{ "reference of 0", REF, NO("", 90, 0, 0, NODE, CREATION7) },
	{ "reference of 6", REF, NO("", 90, 0, 6, NODE) },
	{ "reference of 65535", REF, NO("", 90, 255, 255, NODE) },
	{ "new reference, creation 4", REF, NO("", 114, 0, 1, NODE, 4, ONES) },
	{ "old reference, creation 4", REF, NO("", 101, NODE, ONES, 4) },
	{ "float for an integer", INT, NO("", 70, 0, 0, 0, 0, 0, 0, 0, 0) },
	{ "2^63", INT, NO("", 110, 8, 0, 0, 0, 0, 0, 0, 0, 0, 128) },
	{ "-2^63 - 1", INT, NO("", 110, 8, 1, 1, 0, 0, 0, 0, 0, 0, 128) },
	{ "2^64", U64, NO("", 110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
	{ "2^64 in a large big", INT, NO("", 111, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0,
					 0, 0, 1) },
	{ "-1 for u64", U64, NO("", 98, ONES) },
	{ "-1 for u64, big", U64, NO("", 110, 1, 1, 1) },
	{ "list for a tuple", TUPLE, NO("", 108, 0, 0, 0, 1) },
	{ "nothing known to skip", SKIP, NO("", 82, 0) },
	{ "version to skip", SKIP, NO("", 131, 97, 1) },
	{ "compressed to skip", SKIP, NO("", 80, 0, 0, 0, 0) },
	{ "local to skip", SKIP, NO("", 121, 0, 0, 0, 0) },
	{ "old fun to skip", SKIP, NO("", 117, 0, 0, 0, 0) },
	{ "pid of a number to skip", SKIP, NO("", 88, 97, 1, ONES, ONES, ONES) },
	{ "bad term in a tuple to skip", SKIP, NO("", 104, 2, 97, 1, 255) },
};

static void test_reads(void)
{
	size_t i, used;
	int err;

	for (i = 0; i < ARRAY_SIZE(reads); i++)
		ok(all_cuts(reads[i].reader, reads[i].row.p, reads[i].row.len),
		   "read %s, whole and cut", reads[i].name);
	for (i = 0; i < ARRAY_SIZE(bad_reads); i++) {
		err = get_copy(bad_reads[i].reader, bad_reads[i].row.p,
			       bad_reads[i].row.len, &used);
		ok(err == -EBADMSG && !used, "read %s: bad", bad_reads[i].name);
	}
}

static void test_skip(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (!rows[i].verdict)
			ok(all_cuts(SKIP, rows[i].p, rows[i].len),
			   "skip %s, whole and cut", rows[i].name);
}

static void test_skip_counts(void)
{
	static const u8 huge[] = { 116, ONES, 108, ONES, 105, ONES, 106 };
	size_t used;

	ok(get_copy(SKIP, huge, sizeof(huge), &used) == -ENODATA && !used,
	   "skip what announces more than there is");
	/* OTP may write a Size that is too large */
	ok(!get_copy(SKIP, (const u8[]){ FUN_HEAD(9, 0, 0), ATOM_A, 97, 1, 97, 2,
		     PID_A }, 55, &used) && used == 55,
	   "skip a fun without looking at its Size");
}

static const struct {
	s64 value;
	struct row row;
} ints[] = {
	{ 0, YES("", 97, 0) },
	{ 255, YES("", 97, 255) },
	{ -1, YES("", 98, ONES) },
	{ -2147483648LL, YES("", 98, 128, 0, 0, 0) },
	{ 2147483647, YES("", 98, 127, 255, 255, 255) },
	{ 37, YES("", 98, 0, 0, 0, 37) },
	{ 0, YES("", 110, 0, 1) },
	{ -256, YES("", 110, 3, 1, 0, 1, 0) },
	{ 9223372036854775807LL, YES("", 110, 9, 0, ONES, 255, 255, 255, 127, 0) },
	{ -9223372036854775807LL - 1, YES("", 110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128) },
	{ 1, YES("", 111, 0, 0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
};

static void test_ints(void)
{
	struct etf_cursor c;
	size_t i;
	s64 v;

	for (i = 0; i < ARRAY_SIZE(ints); i++) {
		c.p = ints[i].row.p;
		c.end = c.p + ints[i].row.len;
		ok(!etf_get_int(&c, &v) && v == ints[i].value && c.p == c.end,
		   "integer %lld", ints[i].value);
	}
}

static void test_u64(void)
{
	static const struct {
		u64 value;
		size_t len;
	} sizes[] = {
		{ 0, 2 }, { 1, 2 }, { 255, 2 }, { 256, 5 }, { 0x7fffffff, 5 },
		{ 0x80000000, 7 }, { 0xffffffff, 7 }, { 1ULL << 32, 8 },
		{ ~0ULL >> 8, 10 }, { ~0ULL, 11 },
	};
	u8 buf[ETF_U64_SIZE + 1];
	struct etf_cursor c;
	size_t i;
	u64 v;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		c.p = buf;
		c.end = etf_put_u64(buf, sizes[i].value);
		ok(c.end == buf + sizes[i].len && !etf_get_u64(&c, &v) &&
		   v == sizes[i].value && c.p == c.end,
		   "write and read %llx in %zu bytes", sizes[i].value, sizes[i].len);
	}
}

static struct etf_atom atom(const char *text, bool latin1)
{
	return (struct etf_atom){
		.text = (const u8 *)text, .len = strlen(text), .latin1 = latin1,
	};
}

static void test_atoms(void)
{
	struct etf_atom a = atom("caf\xe9", true);
	struct etf_atom b = atom("caf\xc3\xa9", false);
	struct etf_atom c = atom("caf\xc3\xa9", true);
	struct etf_atom ab = atom("ab", true), abc = atom("abc", false);
	struct etf_atom empty = atom("", false);

	ok(etf_atom_equal(&a, &b) && etf_atom_equal(&b, &a), "equal in latin1 and UTF-8");
	ok(!etf_atom_equal(&b, &c) && !etf_atom_equal(&a, &c), "not equal by bytes");
	ok(!etf_atom_equal(&ab, &abc) && !etf_atom_equal(&abc, &ab), "not equal by length");
	ok(etf_atom_hash(&a, 1) == etf_atom_hash(&b, 1), "equal ones hash alike");
	ok(etf_atom_hash(&a, 1) != etf_atom_hash(&c, 1), "others do not");
	ok(etf_atom_hash(&a, 1) != etf_atom_hash(&a, 2), "nor with another seed");
	ok(etf_atom_is(&abc, "abc") && !etf_atom_is(&abc, "abcd") &&
	   !etf_atom_is(&abc, "ab") && etf_atom_is(&empty, ""), "compared with ASCII");
	ok(etf_atom_is(&ab, "ab"), "compared with ASCII in latin1");
	ok(!etf_atom_valid(&empty), "no name: not valid");
	ok(etf_atom_valid(&a) && etf_atom_valid(&b), "names: valid");
}

/* Names of 1 to 40 bytes: no two hash alike, and cuts at 8 bytes are no seams */
static void test_atom_hash(void)
{
	static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct etf_atom a = { .text = (const u8 *)text };
	struct etf_atom l = { .text = (const u8 *)text, .latin1 = true };
	u32 hash[41];
	int i, j, bad = 0;

	for (i = 0; i <= 40; i++) {
		a.len = i;
		l.len = i;
		hash[i] = etf_atom_hash(&a, 7);
		bad += hash[i] != etf_atom_hash(&l, 7);
		for (j = 0; j < i; j++)
			bad += hash[i] == hash[j];
	}
	ok(!bad, "hashes of names of 0 to 40 bytes");
}

static void test_long_names(void)
{
	u8 text[1025];
	struct etf_atom a = { .text = text, .latin1 = true };

	memset(text, 0xff, sizeof(text));
	a.len = 255;
	ok(etf_atom_valid(&a), "255 latin1 characters: valid");
	ok(etf_atom_size(&a) == 3 + 510, "and take 510 bytes");
	a.len = 256;
	ok(!etf_atom_valid(&a), "256 latin1 characters: not valid");
	memset(text, 'a', sizeof(text));
	a.latin1 = false;
	ok(!etf_atom_valid(&a), "256 letters: not valid");
	a.len = 255;
	ok(etf_atom_valid(&a) && etf_atom_size(&a) == 257, "255 letters: valid, small tag");
	for (a.len = 0; a.len < 1024; a.len += 4)
		memcpy(text + a.len, "\xf0\x9f\x90\xa7", 4);
	ok(!etf_atom_valid(&a), "256 characters of 4 bytes: not valid");
	a.len = 1020;
	ok(etf_atom_valid(&a) && etf_atom_size(&a) == ETF_ATOM_SIZE,
	   "255 characters of 4 bytes: valid");
	a.len = 1019;
	ok(!etf_atom_valid(&a), "a cut one: not valid");
}

static bool pids_equal(const struct etf_pid *a, const struct etf_pid *b)
{
	return etf_atom_equal(&a->node, &b->node) && a->id == b->id &&
	       a->serial == b->serial && a->creation == b->creation;
}

static void test_pids(void)
{
	static const u8 golden[] = {
		88, 119, 12, 'k', 'c', '@', 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't',
		0, 0, 0, 1, 0, 0, 0, 0, 0x11, 0x22, 0x33, 0x44,
	};
	struct etf_pid v, pid = {
		.node = etf_ascii("kc@localhost"), .id = 1, .creation = 0x11223344,
	};
	u8 buf[ETF_PID_SIZE];
	struct etf_cursor c = { buf, etf_put_pid(buf, &pid) };
	u8 latin1[] = { 103, 100, 0, 3, 'a', '@', 0xe9, ONES, WORD(9), 2 };

	ok(c.end == buf + sizeof(golden) && !memcmp(buf, golden, sizeof(golden)),
	   "write a pid");
	ok(etf_pid_size(&pid) == sizeof(golden), "size of a pid");
	ok(!etf_get_pid(&c, &v) && pids_equal(&v, &pid), "and read it");
	c = (struct etf_cursor){ latin1, latin1 + sizeof(latin1) };
	ok(!etf_get_pid(&c, &v) && v.id == 0xffffffff && v.serial == 9 &&
	   v.creation == 2 && v.node.latin1, "read an old pid");
	c = (struct etf_cursor){ buf, etf_put_pid(buf, &v) };
	ok(etf_pid_size(&v) == (size_t)(c.end - buf), "size of it in canonical form");
	ok(!etf_get_pid(&c, &pid) && pids_equal(&v, &pid), "equal in canonical form");
}

static void test_refs(void)
{
	static const u8 golden[] = {
		90, 0, 3, 119, 3, 'x', '@', 'h', 0x11, 0x22, 0x33, 0x44,
		WORD(1), WORD(2), WORD(3),
	};
	struct etf_ref v, ref = {
		.node = etf_ascii("x@h"), .creation = 0x11223344, .n = 3,
		.word = { 1, 2, 3 },
	};
	u8 buf[ETF_REF_SIZE];
	struct etf_cursor c = { buf, etf_put_ref(buf, &ref) };
	const u8 new[] = { 114, 0, 2, NODE, 3, WORD(1), WORD(2) };
	const u8 old[] = { 101, NODE, WORD(1), 2 };

	ok(c.end == buf + sizeof(golden) && !memcmp(buf, golden, sizeof(golden)),
	   "write a reference");
	ok(etf_ref_size(&ref) == sizeof(golden), "size of a reference");
	ok(!etf_get_ref(&c, &v) && v.n == 3 && v.word[2] == 3 &&
	   v.creation == ref.creation && etf_atom_is(&v.node, "x@h"), "and read it");
	c = (struct etf_cursor){ new, new + sizeof(new) };
	ok(!etf_get_ref(&c, &v) && v.n == 2 && v.word[0] == 1 && v.word[1] == 2 &&
	   v.creation == 3, "read a new reference");
	c = (struct etf_cursor){ old, old + sizeof(old) };
	ok(!etf_get_ref(&c, &v) && v.n == 1 && v.word[0] == 1 && v.creation == 2,
	   "read an old reference");
}

int main(void)
{
	tap_begin();
	test_reads();
	test_skip();
	test_skip_counts();
	test_ints();
	test_u64();
	test_atoms();
	test_atom_hash();
	test_long_names();
	test_pids();
	test_refs();
	return tap_end();
}
