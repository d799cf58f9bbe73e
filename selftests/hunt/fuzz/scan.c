// SPDX-License-Identifier: GPL-2.0-only
/* The scanner: cuts change nothing, and what it accepts is one term. */
#include "etf.h"
#include "fuzz.h"

/* By the first byte of the input */
static struct etf_scan_rules rules;

static void set_rules(u8 how)
{
	rules = (struct etf_scan_rules){
		.peer = { .text = (const u8 *)"p@h", .len = how & 1 ? 3 : 0 },
		.creation = 7,
		.any_creation = how & 2,
		.any_peer = (how & 12) == 12,
	};
}

static int scan_cut(const u8 *p, size_t len, u32 seed)
{
	struct etf_scan s;
	size_t n;
	int err = 0;

	etf_scan_init(&s, &rules);
	for (; len && !err; p += n, len -= n) {
		seed = seed * 1103515245 + 12345;
		n = min_t(size_t, len, seed >> 16 & 31);
		err = etf_scan_feed(&s, p, n);
	}
	if (!err)
		err = etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}

/* As both keys of a map */
static int scan_twice(const u8 *p, size_t len)
{
	u8 *buf = malloc(5 + 2 * (len + 1));
	u8 *end = buf;
	int i, err;

	memcpy(end, "\x74\0\0\0\2", 5);
	end += 5;
	for (i = 0; i < 2; i++) {
		memcpy(end, p, len);
		end += len;
		*end++ = ETF_NIL;
	}
	err = etf_scan_term(buf, end - buf, &rules);
	free(buf);
	return err;
}

/* A term that is accepted: it still is, or there was no memory */
static void scan_without_memory(const u8 *p, size_t len, u32 fail)
{
	int err;

	fuzz_fail_from(fail);
	err = etf_scan_term(p, len, &rules);
	fuzz_fail_from(0);
	CHECK(!err || (fail && err == -ENOMEM));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct etf_cursor c;
	int err;

	if (!size)
		return 0;
	set_rules(data[0]);
	err = etf_scan_term(data + 1, size - 1, &rules);
	CHECK(err == 0 || err == -EINVAL || err == -E2BIG);
	CHECK(scan_cut(data + 1, size - 1, data[0]) == err);
	if (err)
		return 0;
	c = (struct etf_cursor){ data + 1, data + size };
	CHECK(!etf_skip(&c) && c.p == c.end);
	CHECK(etf_scan_term(data + 1, size - 2, &rules) == -EINVAL);
	CHECK(scan_twice(data + 1, size - 1) == -EINVAL);
	/* A receiver that is not known is the most narrow one, none the least. */
	CHECK(!etf_scan_term(data + 1, size - 1, NULL));
	scan_without_memory(data + 1, size - 1, data[0] >> 4);
	return 0;
}

size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	g->p = p;
	g->end = p + max;
	gen_u8(g, gen_below(g, 256));
	gen_term(g, gen_below(g, 5));
	return g->p - p;
}

size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	return size ? 1 + bend_terms(g, data + 1, size - 1, max - 1) : 0;
}
