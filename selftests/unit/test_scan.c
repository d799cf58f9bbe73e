// SPDX-License-Identifier: GPL-2.0-only
/* The scanner of outgoing terms. */
#include <stdlib.h>

#include "tap.h"
#include "terms.h"

static const struct etf_scan_rules rules = {
	.peer = { .text = (const u8 *)PEER_NAME, .len = sizeof(PEER_NAME) - 1 },
	.creation = PEER_CREATION,
};

/* Calls of realloc() that succeed before one fails; negative: all do */
static long allocations = -1;

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_realloc(void *p, size_t size)
{
	if (allocations >= 0 && !allocations--) {
		allocations = 0;
		return NULL;
	}
	return __real_realloc(p, size);
}

/* A copy of its own for each piece, so that reading beyond it is noticed */
static int feed(struct etf_scan *s, const u8 *p, size_t len)
{
	u8 *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, p, len);
	err = etf_scan_feed(s, copy, len);
	free(copy);
	return err;
}

static int scan(const u8 *p, size_t len)
{
	u8 *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, p, len);
	err = etf_scan_term(copy, len, &rules);
	free(copy);
	return err;
}

/* Cut at sorted positions */
static int scan_cut(const u8 *p, size_t len, const size_t *cut, int cuts)
{
	struct etf_scan s;
	size_t at = 0;
	int err = 0;
	int i;

	etf_scan_init(&s, &rules);
	for (i = 0; i < cuts && !err; i++) {
		err = feed(&s, p + at, cut[i] - at);
		at = cut[i];
	}
	if (!err)
		err = feed(&s, p + at, len - at);
	if (!err)
		err = etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}

static int compare_cut(const void *a, const void *b)
{
	return *(const size_t *)a < *(const size_t *)b ? -1 : 1;
}

static bool same_when_cut(const struct row *r)
{
	size_t cut[256], all[1024];
	size_t i, j;

	for (i = 0; i <= r->len; i++)
		if (scan_cut(r->p, r->len, &i, 1) != r->verdict)
			return false;
	for (i = 0; i < r->len; i++)
		all[i] = i;
	if (scan_cut(r->p, r->len, all, r->len) != r->verdict)
		return false;
	for (i = 0; i < 50; i++) {
		for (j = 0; j < 1 + i % 7; j++)
			cut[j] = rand() % (r->len + 1);
		qsort(cut, j, sizeof(*cut), compare_cut);
		if (scan_cut(r->p, r->len, cut, j) != r->verdict)
			return false;
	}
	return true;
}

/* No beginning of a term is one, nor is a term with something behind it */
static bool exact(const struct row *r)
{
	u8 buf[1024];
	size_t i;

	for (i = 0; i < r->len; i++)
		if (scan(r->p, i) != -EINVAL)
			return false;
	memcpy(buf, r->p, r->len);
	buf[r->len] = 106;
	return scan(buf, r->len + 1) == -EINVAL;
}

static size_t append(u8 *buf, size_t at, const void *p, size_t len)
{
	memcpy(buf + at, p, len);
	return at + len;
}

#define APPEND(...) \
	append(buf, n, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static int scan_tuple(const struct row *r)
{
	u8 buf[1024];
	size_t n = 0;

	n = APPEND(104, 3, 97, 1);
	n = append(buf, n, r->p, r->len);
	n = APPEND(108, 0, 0, 0, 1);
	n = append(buf, n, r->p, r->len);
	n = APPEND(106);
	return scan(buf, n);
}

/* As values, in a map that is one itself */
static int scan_values(const struct row *r)
{
	u8 buf[1024];
	size_t n = 0;

	n = APPEND(116, 0, 0, 0, 2, 97, 1);
	n = append(buf, n, r->p, r->len);
	n = APPEND(97, 2, 116, 0, 0, 0, 2, 97, 3);
	n = append(buf, n, r->p, r->len);
	n = APPEND(97, 4);
	n = append(buf, n, r->p, r->len);
	return scan(buf, n);
}

/* #{A => [], unique => [], B => []} */
static int scan_keys(const struct row *a, const struct row *b)
{
	u8 buf[1024];
	size_t n = 0;

	n = APPEND(116, 0, 0, 0, 3);
	n = append(buf, n, a->p, a->len);
	n = APPEND(106, 119, 6, 'u', 'n', 'i', 'q', 'u', 'e', 106);
	n = append(buf, n, b->p, b->len);
	n = APPEND(106);
	return scan(buf, n);
}

/* #{[{1, A} | x] => [], [{1, B} | x] => []} */
static int scan_deep_keys(const struct row *a, const struct row *b)
{
	const struct row *r[2] = { a, b };
	u8 buf[1024];
	size_t n = 0;
	int i;

	n = APPEND(116, 0, 0, 0, 2);
	for (i = 0; i < 2; i++) {
		n = APPEND(108, 0, 0, 0, 1, 104, 2, 97, 1);
		n = append(buf, n, r[i]->p, r[i]->len);
		n = APPEND(119, 1, 'x', 106);
	}
	return scan(buf, n);
}

/* #{#{A => v} => [], #{B => v} => []}, and as values */
static int scan_map_keys(const struct row *a, const struct row *b, bool value)
{
	const struct row *r[2] = { a, b };
	u8 buf[1024];
	size_t n = 0;
	int i;

	n = APPEND(116, 0, 0, 0, 2);
	for (i = 0; i < 2; i++) {
		n = APPEND(116, 0, 0, 0, 2, 119, 1, 'k');
		if (!value)
			n = APPEND(106);
		n = append(buf, n, r[i]->p, r[i]->len);
		if (value)
			n = APPEND(119, 1, 'l');
		n = APPEND(106, 106);
	}
	return scan(buf, n);
}

static void test_row(const struct row *r)
{
	const struct row other = T(107, 0, 7, 'o', 't', 'h', 'e', 'r', '!', 0);

	if (!ok(scan(r->p, r->len) == r->verdict, "%s: %s", r->name,
		r->verdict ? "refused" : "accepted"))
		tap_bytes("term", r->p, r->len);
	ok(same_when_cut(r), "%s: the same when cut", r->name);
	ok(scan_tuple(r) == r->verdict, "%s: the same in a tuple and list", r->name);
	ok(scan_values(r) == r->verdict, "%s: the same as a map's value", r->name);
	ok(scan_keys(r, &other) == r->verdict, "%s: the same as a key", r->name);
	ok(scan_deep_keys(r, &other) == r->verdict, "%s: the same in a key", r->name);
	ok(scan_keys(r, r) == -EINVAL, "%s: refused as a key twice", r->name);
	ok(scan_deep_keys(r, r) == -EINVAL, "%s: refused in a key twice", r->name);
	if (!r->verdict)
		ok(exact(r), "%s: neither less nor more", r->name);
}

static void test_rows(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		test_row(&rows[i]);
}

static void test_equal(void)
{
	const struct pair *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(equal); i++) {
		p = &equal[i];
		ok(!scan(p->a.p, p->a.len) && !scan(p->b.p, p->b.len),
		   "equal, %s: both accepted", p->name);
		ok(scan_keys(&p->a, &p->b) == -EINVAL &&
		   scan_keys(&p->b, &p->a) == -EINVAL,
		   "equal, %s: refused as keys", p->name);
		ok(scan_deep_keys(&p->a, &p->b) == -EINVAL,
		   "equal, %s: refused in keys", p->name);
		ok(scan_map_keys(&p->a, &p->b, false) == -EINVAL &&
		   scan_map_keys(&p->a, &p->b, true) == -EINVAL,
		   "equal, %s: refused in maps that are keys", p->name);
	}
}

static void test_different(void)
{
	const struct pair *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(different); i++) {
		p = &different[i];
		ok(!scan_keys(&p->a, &p->b) && !scan_deep_keys(&p->a, &p->b),
		   "different, %s: accepted as keys", p->name);
		ok(!scan_map_keys(&p->a, &p->b, false) &&
		   !scan_map_keys(&p->a, &p->b, true),
		   "different, %s: accepted in maps that are keys", p->name);
	}
}

/* The texts that a FLOAT may have */
static const struct {
	const char *text;
	bool valid;
} floats[] = {
	{ "1.00000000000000000000e+00", true },
	{ "-1.50000000000000000000e-300", true },
	{ "0.0", true },
	{ "+1.5", true },
	{ "1.5E5", true },
	{ "00000.5e1", true },
	{ "1.79769313486231570815e+308", true },
	{ "17976931348623157.0e292", true },
	{ "0.0017976931348623157e311", true },
	{ "1.79769313486231580000e+308", false },
	{ "2.0e308", false },
	{ "1.0e309", false },
	{ "1000.0e306", false },
	{ "1.0e99999999999999999999", false },
	{ "0.0e99999999999999999999", true },
	{ "1.0e-99999999999999999999", true },
	{ "0.00001e313", true },
	{ "0.00001e314", false },
	{ "1", false },
	{ "1.", false },
	{ ".5", false },
	{ "1.0e", false },
	{ "1.0e+", false },
	{ "1.0x", false },
	{ "1.0 ", false },
	{ " 1.0", false },
	{ "1,0", false },
	{ "inf", false },
	{ "nan", false },
	{ "0x1.8p1", false },
	{ "", false },
	{ "+", false },
	{ "1.0000000000000000000000000000", true },
	{ "1.00000000000000000000000000000", false },	/* no 0 behind it */
};

static void test_floats(void)
{
	u8 buf[32 + 8] = { 99 };
	struct row r = { "float text", 0, buf, 32 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(floats); i++) {
		memset(buf + 1, 0, 31);
		memcpy(buf + 1, floats[i].text,
		       min_t(size_t, strlen(floats[i].text), 31));
		r.verdict = floats[i].valid ? 0 : -EINVAL;
		ok(scan(buf, 32) == r.verdict && same_when_cut(&r),
		   "float text \"%s\": %s", floats[i].text,
		   floats[i].valid ? "accepted" : "refused");
	}
	memcpy(buf + 1, "1.0", 4);
	ok(scan_keys(&r, &rows[0]) == -EINVAL, "float text: not as a key");
}

/* Atoms of the greatest length */
static void test_long_atoms(void)
{
	u8 buf[3 + 1024];
	size_t i;

	buf[0] = 118;
	for (i = 0; i < 256; i++)
		memcpy(buf + 3 + 4 * i, "\xf0\x9f\x90\xa7", 4);
	put_unaligned_be16(1020, buf + 1);
	ok(!scan(buf, 1023), "atom of 255 characters in 1020 bytes: accepted");
	put_unaligned_be16(1024, buf + 1);
	ok(scan(buf, 1027) == -EINVAL, "atom of 256 characters: refused");
	memset(buf + 3, 'a', 256);
	put_unaligned_be16(255, buf + 1);
	ok(!scan(buf, 258), "atom of 255 letters: accepted");
	put_unaligned_be16(256, buf + 1);
	ok(scan(buf, 259) == -EINVAL, "atom of 256 letters: refused");
	buf[0] = 100;
	ok(scan(buf, 259) == -EINVAL, "latin1 atom of 256 letters: refused");
	put_unaligned_be16(255, buf + 1);
	ok(!scan(buf, 258), "latin1 atom of 255 letters: accepted");
}

/* Bytes of no end: fed again and again from one page */
static int feed_many(struct etf_scan *s, u8 byte, size_t count)
{
	static u8 page[65536];
	int err = 0;
	size_t n;

	memset(page, byte, sizeof(page));
	for (; count && !err; count -= n) {
		n = min(count, sizeof(page));
		err = etf_scan_feed(s, page, n);
	}
	return err;
}

static int scan_head_and(const u8 *head, size_t len, u8 byte, size_t count)
{
	struct etf_scan s;
	int err;

	etf_scan_init(&s, NULL);
	err = etf_scan_feed(&s, head, len);
	if (!err)
		err = feed_many(&s, byte, count);
	if (!err)
		err = etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}

#define HEAD_AND(byte, count, ...) \
	scan_head_and((const u8[]){ __VA_ARGS__ }, \
		      sizeof((const u8[]){ __VA_ARGS__ }), byte, count)

static void test_large(void)
{
	ok(!HEAD_AND(1, 524280, 111, 0, 7, 0xff, 0xf8, 0),
	   "large big of 524280 bytes: accepted");
	ok(HEAD_AND(1, 524281, 111, 0, 7, 0xff, 0xf9, 0) == -EINVAL,
	   "large big of 524281 bytes: refused");
	ok(!HEAD_AND(106, 0xffffff, 105, 0, 0xff, 0xff, 0xff),
	   "tuple of 2^24 - 1: accepted");
	ok(HEAD_AND(106, 0x1000000, 105, 1, 0, 0, 0) == -EINVAL,
	   "tuple of 2^24: refused");
	ok(!HEAD_AND(106, 255, 112, 0, 0, 1, 53, 2, UNIQ16, WORD(1), WORD(255),
		     ATOM_A, 97, 1, 97, 2, PID_A),
	   "fun of 255 free variables: accepted");
	ok(HEAD_AND(106, 256, 112, 0, 0, 1, 54, 2, UNIQ16, WORD(1), 0, 0, 1, 0,
		    ATOM_A, 97, 1, 97, 2, PID_A) == -EINVAL,
	   "fun of 256 free variables: refused");
	ok(!HEAD_AND(106, 0x1000001, 108, 1, 0, 0, 0),
	   "list of 2^24: accepted");
	ok(!HEAD_AND(0, 0xffffffff, 109, ONES), "binary of 4 GiB: accepted");
	ok(HEAD_AND(0, 0xfffffffe, 109, ONES) == -EINVAL,
	   "binary of 4 GiB less a byte: refused");
	ok(HEAD_AND(108, 3000000, 106) == -EINVAL, "much behind the term: refused");
}

/* Tuples in tuples, n of them, and no stack for it */
static int scan_nested(u32 n)
{
	static const u8 tuple[2] = { 104, 1 };
	struct etf_scan s;
	int err = 0;

	etf_scan_init(&s, NULL);
	while (n-- && !err)
		err = etf_scan_feed(&s, tuple, sizeof(tuple));
	if (!err)
		err = feed_many(&s, 106, 1);
	if (!err)
		err = s.heap ? -E2BIG : etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}

/* Maps in maps, as keys or as values */
static int scan_nested_maps(u32 n, bool key)
{
	static const u8 map[7] = { 116, 0, 0, 0, 2, 97, 0 };
	static const u8 rest[4] = { 106, 97, 1, 106 };
	u32 i;
	struct etf_scan s;
	int err = 0;

	etf_scan_init(&s, NULL);
	for (i = 0; i < n && !err; i++)
		err = etf_scan_feed(&s, map, key ? 5 : 7);
	if (!err)
		err = feed_many(&s, 106, 1);
	for (i = 0; i < n && !err; i++)
		err = etf_scan_feed(&s, rest + !key, sizeof(rest) - !key);
	if (!err)
		err = etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}

static void test_deep(void)
{
	ok(!scan_nested(2000000), "2 million tuples deep: accepted, no stack");
	ok(!scan_nested_maps(ETF_SCAN_DEPTH, false), "maps as deep as documented");
	ok(scan_nested_maps(ETF_SCAN_DEPTH + 1, false) == -E2BIG, "and no deeper");
	ok(!scan_nested_maps(ETF_SCAN_DEPTH, true), "maps as keys of maps as deep");
	ok(scan_nested_maps(ETF_SCAN_DEPTH + 1, true) == -E2BIG, "and no deeper");
}

/* A map of count keys, integers; the last one is last */
static int scan_map(u32 count, u32 last)
{
	u8 head[5] = { 116 }, pair[6] = { 98 };
	struct etf_scan s;
	int err;
	u32 i;

	etf_scan_init(&s, NULL);
	put_unaligned_be32(count, head + 1);
	pair[5] = 106;
	err = etf_scan_feed(&s, head, sizeof(head));
	for (i = 0; i < count && !err; i++) {
		put_unaligned_be32(i == count - 1 ? last : i, pair + 1);
		err = etf_scan_feed(&s, pair, sizeof(pair));
	}
	if (!err)
		err = etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}

static void test_maps(void)
{
	static const u32 sizes[] = { 2, 3, 4, 7, 31, 32, 33, 48, 49, 64, 1000, 100000 };
	size_t i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		n = sizes[i];
		ok(!scan_map(n, n), "map of %u keys: accepted", n);
		ok(scan_map(n, 0) == -EINVAL, "map of %u keys: last is first", n);
		ok(scan_map(n, n - 2) == -EINVAL, "map of %u keys: last two equal", n);
	}
	ok(!scan_map(3000000, 3000000), "map of 3 million keys: accepted");
	ok(scan_map(4000000, 0) == -E2BIG, "map of 4 million keys: too many");
}

/* A map of keys that are references in tuples; the last one has another word */
static int scan_refs(u8 count, int word, bool nested)
{
	static const u8 key[] = { 104, 1, 90, 0, 5, NODE, WORD(3), WORD(9), WORD(9),
				  WORD(9), WORD(9), WORD(9), 106 };
	u8 buf[64 * sizeof(key)];
	size_t n = 0;
	int i;

	if (nested)
		n = APPEND(116, 0, 0, 0, 2, 106, 106);
	n = APPEND(116, 0, 0, 0, count);
	for (i = 0; i < count; i++) {
		n = append(buf, n, key, sizeof(key));
		/* The last byte of word 1 is 18 from the end, of word 5 it is 2 */
		if (i < count - 2)
			buf[n - 18] = 100 + i;
		else if (i == count - 1 && word)
			buf[n + 4 * word - 22] = 77;
	}
	if (nested)
		n = APPEND(106);
	return scan(buf, n);
}

/* What OTP 25 hashes of a reference, where it hashes keys at all */
static void test_refs(void)
{
	int word;

	for (word = 1; word <= 5; word++) {
		ok(!scan_refs(32, word, false), "32 references, word %d: accepted", word);
		ok(scan_refs(33, word, false) == (word > 3 ? -EINVAL : 0),
		   "33 references, word %d: %s", word, word > 3 ? "refused" : "accepted");
		ok(scan_refs(33, word, true) == (word > 3 ? -EINVAL : 0),
		   "33 references in a key, word %d: the same", word);
	}
	ok(scan_refs(32, 0, false) == -EINVAL, "32 references, none: refused");
}

/* Many maps in one term: the slots of those that ended are used again */
static void test_many_maps(void)
{
	static const u8 map[] = { 116, 0, 0, 0, 2, 97, 1, 116, 0, 0, 0, 2, 97, 1, 106,
				  97, 2, 106, 97, 2, 106 };
	const u32 n = 300000;
	u8 head[5] = { 108 };
	struct etf_scan s;
	int err;
	u32 i;

	etf_scan_init(&s, NULL);
	put_unaligned_be32(n, head + 1);
	err = etf_scan_feed(&s, head, sizeof(head));
	for (i = 0; i < n && !err; i++)
		err = etf_scan_feed(&s, map, sizeof(map));
	if (!err)
		err = feed_many(&s, 106, 1);
	ok(!err && !etf_scan_end(&s), "a list of 300000 maps of maps: accepted");
	etf_scan_free(&s);
}

/* Every allocation fails once */
static void test_no_memory(void)
{
	u8 buf[2048];
	size_t n = 0;
	long i = 0;
	int j, err;

	for (j = 0; j < 10; j++)
		n = APPEND(116, 0, 0, 0, 2, 97, 0, 106, 97, 1);
	n = APPEND(116, 0, 0, 0, 200);
	for (j = 0; j < 200; j++) {
		n = APPEND(108, 0, 0, 0, 1, 97, j);
		n = APPEND(106, 106);
	}
	do {
		allocations = i++;
		err = etf_scan_term(buf, n, NULL);
	} while (err == -ENOMEM);
	allocations = -1;
	ok(!err && i > 5, "no memory at each of %ld allocations", i - 1);
}

static void test_misc(void)
{
	const struct etf_scan_rules none = { .creation = PEER_CREATION };
	const u8 own[] = { 88, PEER, ONES, WORD(0), CREATION7 };
	struct etf_scan s;

	ok(!etf_scan_term(own, sizeof(own), NULL), "no rules: nothing is own");
	ok(!etf_scan_term(own, sizeof(own), &none), "no peer: nothing is own");
	etf_scan_init(&s, NULL);
	ok(etf_scan_end(&s) == -EINVAL, "nothing fed: no term");
	ok(!etf_scan_feed(&s, own, 0) && etf_scan_end(&s) == -EINVAL,
	   "no bytes fed: no term");
	ok(!etf_scan_feed(&s, (const u8[]){ 106 }, 1) && !etf_scan_end(&s) &&
	   !etf_scan_feed(&s, own, 0) && !etf_scan_end(&s),
	   "no bytes behind a term are none");
	etf_scan_free(&s);
	etf_scan_free(&s);
	ok(sizeof(s) <= 128, "state of %zu bytes", sizeof(s));
}

/* For the fuzzers to begin with */
static int write_seeds(const char *dir)
{
	char path[4096];
	FILE *f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(path, sizeof(path), "%s/term%zu", dir, i);
		f = fopen(path, "w");
		if (!f)
			return 1;
		fputc(i, f);
		fwrite(rows[i].p, 1, rows[i].len, f);
		fclose(f);
	}
	return 0;
}

/* For scan.escript to compare with Erlang: verdict, bytes, name */
static int print_rows(void)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		printf("%d ", !rows[i].verdict);
		for (j = 0; j < rows[i].len; j++)
			printf("%02x", rows[i].p[j]);
		printf(" %s\n", rows[i].name);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--rows"))
		return print_rows();
	if (argc > 2 && !strcmp(argv[1], "--seeds"))
		return write_seeds(argv[2]);
	tap_begin();
	test_rows();
	test_equal();
	test_different();
	test_floats();
	test_long_atoms();
	test_large();
	test_deep();
	test_maps();
	test_refs();
	test_many_maps();
	test_no_memory();
	test_misc();
	return tap_end();
}
