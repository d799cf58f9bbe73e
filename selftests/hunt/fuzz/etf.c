// SPDX-License-Identifier: GPL-2.0-only
/* Readers of single terms: what was read and written again reads the same. */
#include "etf.h"
#include "fuzz.h"

static u8 buf[ETF_REF_SIZE + ETF_PID_SIZE];

/* What is read as one term, with nothing behind it, is one that may be sent */
static void check_scan(struct etf_cursor whole, const struct etf_cursor *c)
{
	CHECK(!etf_scan_term(whole.p, c->p - whole.p, NULL));
}

static void fuzz_atom(struct etf_cursor c)
{
	struct etf_cursor whole = c;
	struct etf_atom a, b;

	if (etf_get_atom(&c, &a))
		return;
	check_scan(whole, &c);
	CHECK(etf_atom_valid(&a) == (a.len > 0));
	c = (struct etf_cursor){ buf, etf_put_atom(buf, &a) };
	CHECK((size_t)(c.end - buf) == etf_atom_size(&a));
	CHECK(!etf_get_atom(&c, &b) && c.p == c.end && !b.latin1);
	CHECK(etf_atom_equal(&a, &b) && etf_atom_equal(&b, &a));
	CHECK(etf_atom_hash(&a, 1) == etf_atom_hash(&b, 1));
}

static void fuzz_pid(struct etf_cursor c)
{
	struct etf_cursor whole = c;
	struct etf_pid a, b;

	if (etf_get_pid(&c, &a))
		return;
	check_scan(whole, &c);
	c = (struct etf_cursor){ buf, etf_put_pid(buf, &a) };
	CHECK((size_t)(c.end - buf) == etf_pid_size(&a));
	CHECK(!etf_get_pid(&c, &b) && c.p == c.end);
	CHECK(etf_atom_equal(&a.node, &b.node) && a.id == b.id &&
	      a.serial == b.serial && a.creation == b.creation);
}

static void fuzz_ref(struct etf_cursor c)
{
	struct etf_cursor whole = c;
	struct etf_ref a, b;

	if (etf_get_ref(&c, &a))
		return;
	/* One in an old encoding keeps its first word within what its node gives out. */
	if (*whole.p == ETF_NEWER_REFERENCE || a.word[0] < 1 << 18)
		check_scan(whole, &c);
	c = (struct etf_cursor){ buf, etf_put_ref(buf, &a) };
	CHECK((size_t)(c.end - buf) == etf_ref_size(&a));
	CHECK(!etf_get_ref(&c, &b) && c.p == c.end);
	CHECK(etf_atom_equal(&a.node, &b.node) && a.n == b.n &&
	      !memcmp(a.word, b.word, sizeof(a.word)) && a.creation == b.creation);
}

static void fuzz_int(struct etf_cursor c)
{
	struct etf_cursor t = c;
	u64 a, b;
	s64 i;

	if (!etf_get_int(&t, &i) && i >= 0)
		CHECK(!etf_get_u64(&c, &a) && a == (u64)i && c.p == t.p);
	else if (etf_get_u64(&c, &a))
		return;
	c = (struct etf_cursor){ buf, etf_put_u64(buf, a) };
	CHECK(c.end - buf <= ETF_U64_SIZE);
	CHECK(!etf_get_u64(&c, &b) && c.p == c.end && a == b);
}

/* An error moves nothing, success only forwards */
static void fuzz_skip(struct etf_cursor c)
{
	const u8 *p = c.p;
	u32 arity;
	int err = etf_skip(&c);

	CHECK(err ? c.p == p : c.p > p && c.p <= c.end);
	CHECK(err == 0 || err == -EBADMSG || err == -ENODATA);
	c.p = p;
	err = etf_get_tuple(&c, &arity);
	CHECK(err ? c.p == p : c.p > p && c.p <= c.end);
}

/* At each of the first places: parts of a term are terms */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct etf_cursor c = { data + 1, data + size };
	int i;

	for (i = 0; size && i < 64 && c.p <= c.end; i++, c.p++) {
		fuzz_atom(c);
		fuzz_pid(c);
		fuzz_ref(c);
		fuzz_int(c);
		fuzz_skip(c);
	}
	return 0;
}

size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	g->p = p;
	g->end = p + max;
	gen_u8(g, gen_below(g, 256));
	gen_term(g, gen_below(g, 4));
	return g->p - p;
}

size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	return size ? 1 + bend_terms(g, data + 1, size - 1, max - 1) : 0;
}
