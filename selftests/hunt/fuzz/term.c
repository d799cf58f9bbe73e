// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes of a peer in the library: check, print, equality, and the readers under them,
 * which take what the kernel lets pass. Input: which allocation fails, then two terms,
 * the second behind the first, or all of the first one with another encoding.
 */
#include <erldist.h>

#include "etf.h"
#include "fuzz.h"
#include "internal.h"

/* Each reader: an error leaves the cursor, success moves it by what a step over does */
#define CHECK_READER(r, call) do {					\
	struct ed_reader at_ = (r), over_ = (r);			\
	int err_ = ed_skip(&over_);					\
	struct ed_reader *c = &at_;					\
	int got_ = (call);						\
									\
	CHECK(got_ == 0 || got_ == -EBADMSG || got_ == -ENOMSG || got_ == -ERANGE); \
	CHECK(got_ ? at_.p == (r).p : at_.p > (r).p && at_.p <= at_.end); \
	CHECK(got_ || err_ || at_.p == over_.p);			\
	CHECK(!got_ || got_ == -ENOMSG || got_ == -ERANGE || err_);	\
} while (0)

static void check_readers(const struct ed_reader *at)
{
	const uint8_t *bytes;
	struct ed_fun fun;
	erlang_port port;
	unsigned int last;
	struct ed_atom a;
	uint64_t magnitude;
	erlang_pid pid;
	erlang_ref ref;
	bool negative;
	double v;
	size_t n;

	CHECK_READER(*at, ed_read_atom(c, &a));
	CHECK_READER(*at, ed_read_int(c, &negative, &magnitude));
	CHECK_READER(*at, ed_read_big(c, &negative, &bytes, &n));
	CHECK_READER(*at, ed_read_float(c, &v));
	CHECK_READER(*at, ed_read_bits(c, &bytes, &n, &last));
	CHECK_READER(*at, ed_read_pid(c, &pid));
	CHECK_READER(*at, ed_read_ref(c, &ref));
	CHECK_READER(*at, ed_read_port(c, &port));
	CHECK_READER(*at, ed_read_fun(c, &fun));
}

/* A list by its elements, up to the tail */
static void check_list(struct ed_reader r)
{
	struct ed_reader over = r, *item;
	struct ed_list l;

	if (ed_list_begin(&l, &r))
		return;
	while ((item = ed_list_next(&l)))
		if (ed_skip(item))
			return;
	item = ed_list_tail(&l);
	if (!ed_skip(item))
		CHECK(!ed_skip(&over) && (l.string || item->p == over.p));
}

static void check_atoms(struct ed_reader r)
{
	struct ed_reader again = r;
	struct ed_atom a;

	if (!ed_read_atom(&r, &a) && !memchr(a.s, 0, a.len) && strspn(a.s, "\1\177") == a.len)
		CHECK(ed_read_this_atom(&again, a.s));
}

/* Names with a 0 are no C strings, which those of ei are. */
static bool check_is_stricter(const u8 *p, size_t len)
{
	return memchr(p, 0, len);
}

/* Can it be read back from its text? Ports and funs cannot. */
static bool has_text(const char *text)
{
	return !strstr(text, "#Port<") && !strstr(text, "#Fun<");
}

static void check_print(const u8 *p, size_t len, bool twins)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *text, *brief;
	ssize_t n;
	int err;

	n = erldist_print(&text, p, len, ERLDIST_PRINT_CREATION);
	CHECK(n >= 0 && (size_t)n == strlen(text));
	CHECK(erldist_print(&brief, p, len, 0) <= n);
	err = erldist_parse(&t, text, NULL);
	CHECK(!err || err == -EINVAL);
	if (has_text(text) && !twins) {
		CHECK(!err);
		CHECK(erldist_equal(p, len, t.term, t.len) == 1);
		CHECK(erldist_equal(t.term, t.len, p, len) == 1);
	}
	free(text);
	free(brief);
	erldist_term_free(&t);
}

static void check_one(const u8 *p, size_t len)
{
	int twins;

	CHECK(erldist_equal(p, len, p, len) == 1);
	twins = ed_has_twins(p, len);
	CHECK(twins == 0 || twins == 1);
	CHECK(twins || !memchr(p, ETF_FLOAT, len) || erldist_equal(p, len, p, len) == 1);
	check_print(p, len, twins);
}

/* What may be sent can be received */
static void check_kernel(const u8 *p, size_t len, int err)
{
	if (!etf_scan_term(p, len, NULL))
		CHECK(!err || check_is_stricter(p, len));
}

static void check_without_memory(const u8 *p, size_t len, unsigned int fail)
{
	char *text = NULL;
	ssize_t n;
	int err;

	fuzz_fail_from(fail);
	n = erldist_print(&text, p, len, 0);
	CHECK(n >= 0 || n == -ENOMEM || n == -EBADMSG);
	fuzz_fail_from(fail);
	err = erldist_equal(p, len, p, len);
	CHECK(err == 1 || err == -ENOMEM || err == -EBADMSG);
	fuzz_fail_from(0);
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ed_reader r, at;
	const u8 *p = data + 1, *q;
	size_t len, rest;
	int err, ab, ba;

	if (size < 2)
		return 0;
	ed_reader_init(&r, p, size - 1);
	if (r.p == p) {
		check_readers(&r);
		check_list(r);
		check_atoms(r);
	}
	at = r;
	err = ed_skip(&at);
	len = err ? size - 1 : at.p - p;
	if (!err)
		check_one(p, len);
	CHECK(!erldist_check(p, len) == !err);
	if (r.p == p)
		check_kernel(p, len, err);
	if (data[0])
		check_without_memory(p, len, data[0]);
	q = p + len;
	rest = size - 1 - len;
	if (err || !rest)
		return 0;
	ab = erldist_equal(p, len, q, rest);
	ba = erldist_equal(q, rest, p, len);
	CHECK(ab == ba);
	CHECK(ab >= 0 || erldist_check(q, rest));
	return 0;
}

/* A term and the same one, or a bent one */
size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	size_t len;

	g->p = p;
	g->end = p + max;
	gen_u8(g, gen_below(g, 3) ? 0 : gen_below(g, 64));
	gen_term(g, gen_below(g, 5));
	len = g->p - p - 1;
	switch (gen_below(g, 4)) {
	case 0:
		gen_term(g, 2);
		break;
	case 1:
	case 2:
		if (len <= (size_t)(g->end - g->p)) {
			gen_bytes(g, p + 1, len);
			if (gen_below(g, 2))
				return 1 + len + bend_terms(g, p + 1 + len, len, max - 1 - len);
		}
	}
	return g->p - p;
}

size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	return size ? 1 + bend_terms(g, data + 1, size - 1, max - 1) : 0;
}
