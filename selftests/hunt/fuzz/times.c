// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time: what reads a term or text takes no more than in proportion to its length.
 *
 * Each shape is made in two sizes, one 16 times the other. A test fails when the
 * larger one takes more than 80 times as long, as it would in the square (256).
 */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <erldist.h>

#include "etf.h"
#include "tap.h"

#define SMALL	(256UL << 10)
#define LARGE	(16 * SMALL)
#define RATIO	80
/* What takes no longer than this says nothing */
#define MOMENT	0.02

/* front, then body as often as it fits, a middle, then the ends as often as body */
struct shape {
	const char *name;
	const char *front, *body, *middle, *end;
	size_t front_len, body_len, middle_len, end_len;
};

#define TEXT(name, front, body, middle, end)					\
	{ name, front, body, middle, end, sizeof(front) - 1, sizeof(body) - 1,	\
	  sizeof(middle) - 1, sizeof(end) - 1 }

#define SIXTEEN(s)	s s s s s s s s s s s s s s s s
#define MANY(s)		SIXTEEN(SIXTEEN(s))

static const struct shape texts[] = {
	TEXT("tuples in each other", "", "{", "1", "}"),
	TEXT("tuples in each other, of 257", "", "{", "1", MANY(",1") "}"),
	TEXT("tuples in each other, first of 257", "", "{" MANY("1,"), "1", "}"),
	TEXT("lists in each other", "", "[a,", "1", "]"),
	TEXT("lists as tails", "", "[a|", "[]", "]"),
	TEXT("maps as values", "", "#{a => ", "1", "}"),
	TEXT("maps as keys", "", "#{", "1", " => 1}"),
	TEXT("maps as keys beside others", "", "#{a => 1,", "1", " => 1}"),
	TEXT("atoms", "[a", ",abc", "]", ""),
	TEXT("quoted atoms", "[a", ",'a b'", "]", ""),
	TEXT("numbers", "[1", ",12345", "]", ""),
	TEXT("floats", "[1", ",1.5", "]", ""),
	TEXT("numbers of 1024 digits", "[1", "," MANY("1234"), "]", ""),
	TEXT("numbers of 4096 digits", "[1", "," SIXTEEN(MANY("1")), "]", ""),
	TEXT("pids", "[1", ",<a@b.1.2.3>", "]", ""),
	TEXT("references", "[1", ",#Ref<a@b.1.2.3/4>", "]", ""),
	TEXT("funs", "[1", ",fun a:b/1", "]", ""),
	TEXT("a string", "\"", "abc", "\"", ""),
	TEXT("a string in escapes", "\"", "\\x{65e5}", "\"", ""),
	TEXT("strings behind each other", "[", "\"a\" ", "]", ""),
	TEXT("a binary of segments", "<<1", ",1:7", ">>", ""),
	TEXT("a binary of text", "<<\"", "abc", "\">>", ""),
	TEXT("comments", "[1", "%\n", "]", ""),
	TEXT("what is not closed", "", "{", "", ""),
	TEXT("pids of no node", "[", "<a.1.2>,", "]", ""),
	TEXT("hexadecimal", "[1", ",16#" MANY("ab"), "]", ""),
};

static const struct shape terms[] = {
	TEXT("tuples in each other", "", "h\1", "j", ""),
	TEXT("lists in each other", "", "l\0\0\0\1", "j", "j"),
	TEXT("lists as tails", "", "l\0\0\0\1a\1", "j", ""),
	TEXT("strings as tails", "", "l\0\0\0\1jk\0\1a", "j", ""),
	TEXT("empty lists as tails", "l\0\0\0\1j", "l\0\0\0\0", "j", ""),
	TEXT("maps as values", "", "t\0\0\0\1a\1", "j", ""),
	TEXT("maps as keys", "", "t\0\0\0\1", "j", "a\1"),
	TEXT("maps of two, as keys", "", "t\0\0\0\2a\1a\1", "a\2", "a\2"),
	TEXT("maps of two, as values", "", "t\0\0\0\2a\1a\1a\2", "j", ""),
	TEXT("maps of two, as both", "", "t\0\0\0\2jjt\0\0\0\1", "j", "jj"),
	TEXT("maps that announce much", "", "t\0\0\0\x7f", "j", ""),
	TEXT("tuples that announce much", "", "h\xff", "j", ""),
	TEXT("old floats", "", "l\0\0\0\1c1.50000000000000000000e+00\0\0\0\0\0", "j", ""),
	TEXT("floats", "", "l\0\0\0\1F\x3f\xb9\x99\x99\x99\x99\x99\x9a", "j", ""),
	TEXT("bignums of 256 bytes", "", "l\0\0\0\1o\0\0\1\0\0" MANY("\xab"), "j", ""),
	TEXT("bignums of 4096 bytes", "", "l\0\0\0\1o\0\0\x10\0\0" SIXTEEN(MANY("\xab")), "j", ""),
	TEXT("pids", "", "l\0\0\0\1Xw\3a@b\0\0\0\1\0\0\0\2\0\0\0\3", "j", ""),
	TEXT("atoms", "", "l\0\0\0\1w\4abcd", "j", ""),
	TEXT("a pair in each map", "", "l\0\0\0\1t\0\0\0\2a\1ja\2j", "j", ""),
};

static char *make(const struct shape *s, size_t size, size_t *len)
{
	size_t n = (size - s->front_len - s->middle_len) / (s->body_len + s->end_len), i;
	char *text = malloc(size + 1), *p = text;

	memcpy(p, s->front, s->front_len);
	p += s->front_len;
	for (i = 0; i < n; i++, p += s->body_len)
		memcpy(p, s->body, s->body_len);
	memcpy(p, s->middle, s->middle_len);
	p += s->middle_len;
	for (i = 0; i < n; i++, p += s->end_len)
		memcpy(p, s->end, s->end_len);
	*p = 0;
	*len = (size_t)(p - text);
	return text;
}

/* A map of so many bytes whose keys are all different */
static char *make_map(size_t size, size_t *len)
{
	unsigned int n = (unsigned int)(size - 5) / 6, i;
	char *term = malloc(size), *p = term;

	*p++ = ETF_MAP;
	put_unaligned_be32(n, p);
	for (p += 4, i = 0; i < n; i++, p += 6) {
		*p = ETF_INTEGER;
		put_unaligned_be32(i * 2654435761U, p + 1);
		p[5] = ETF_NIL;
	}
	*len = (size_t)(p - term);
	return term;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void use_parse(const char *text, size_t len)
{
	struct erldist_term t = ERLDIST_TERM_INIT;

	(void)len;
	erldist_parse(&t, text, NULL);
	erldist_term_free(&t);
}

static void use_print(const char *term, size_t len)
{
	char *text;

	erldist_print(&text, term, len, 0);
	free(text);
}

static void use_equal(const char *term, size_t len)
{
	erldist_equal(term, len, term, len);
}

static void use_match(const char *term, size_t len)
{
	struct erldist_slice a, b;
	int i;

	erldist_match(term, len, "[~t|~t]", &a, &b);
	erldist_match(term, len, "[[_],~i|_]", &i);
	erldist_match(term, len, "#{1 => #{x => ~t}}", &a);
}

static void use_scan(const char *term, size_t len)
{
	etf_scan_term((const u8 *)term, len, NULL);
}

static double time_of(void (*use)(const char *, size_t), const char *p, size_t len)
{
	double begin = seconds();

	use(p, len);
	return seconds() - begin;
}

static void check(const char *what, const char *name, void (*use)(const char *, size_t),
		  const char *small, size_t small_len, const char *large, size_t large_len)
{
	double a, b;
	int tries = 4;

	/* Again, if something else may have come between: what is in the square stays so. */
	do {
		b = time_of(use, large, large_len);
		a = time_of(use, small, small_len);
	} while (b > MOMENT && b > RATIO * a && --tries);
	ok(b <= MOMENT || b <= RATIO * a, "%s, %s: %.1f ms, and 16 times as much in %.1f ms", what,
	   name, a * 1e3, b * 1e3);
}

static void check_term(const char *name, const char *small, size_t small_len,
		       const char *large, size_t large_len)
{
	check("print", name, use_print, small, small_len, large, large_len);
	check("equal", name, use_equal, small, small_len, large, large_len);
	check("match", name, use_match, small, small_len, large, large_len);
	check("scan", name, use_scan, small, small_len, large, large_len);
}

int main(void)
{
	size_t small_len, large_len, i;
	char *small, *large;

	/*
	 * Memory that was freed is used again: what new pages cost, which the kernel
	 * clears one by one, is not the code's.
	 */
	mallopt(M_MMAP_THRESHOLD, INT_MAX);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	tap_begin();
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		small = make(&texts[i], SMALL, &small_len);
		large = make(&texts[i], LARGE, &large_len);
		check("parse", texts[i].name, use_parse, small, small_len, large, large_len);
		free(small);
		free(large);
	}
	for (i = 0; i < ARRAY_SIZE(terms); i++) {
		small = make(&terms[i], SMALL, &small_len);
		large = make(&terms[i], LARGE, &large_len);
		check_term(terms[i].name, small, small_len, large, large_len);
		free(small);
		free(large);
	}
	small = make_map(SMALL, &small_len);
	large = make_map(LARGE, &large_len);
	check_term("a map", small, small_len, large, large_len);
	free(small);
	free(large);
	return tap_end();
}
