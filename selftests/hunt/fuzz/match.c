// SPDX-License-Identifier: GPL-2.0-only
/*
 * Patterns: erldist_match() on a term, with the patterns of a program that mean well
 * and others. The arguments that a pattern asks for are made when it does so, each in
 * memory of its own and no larger than it says, so what is written too far is seen.
 *
 * Input: how large texts may be, then the pattern, a 0, and the term.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ARGUMENTS	64

static struct {
	void *p[ARGUMENTS];
	size_t n;
	size_t size;		/* of the last text */
	size_t texts;		/* how large they are */
} arguments;

static void *new_argument(const char *type)
{
	size_t size = arguments.texts;
	void *p;

	if (!strcmp(type, "int *"))
		size = sizeof(int);
	else if (!strcmp(type, "long *"))
		size = sizeof(long);
	else if (!strcmp(type, "uint64_t *"))
		size = sizeof(uint64_t);
	else if (!strcmp(type, "double *"))
		size = sizeof(double);
	else if (!strcmp(type, "struct erldist_slice *"))
		size = sizeof(struct erldist_slice);
	else if (!strcmp(type, "erlang_pid *"))
		size = sizeof(erlang_pid);
	else if (!strcmp(type, "erlang_ref *"))
		size = sizeof(erlang_ref);
	arguments.size = size;
	p = calloc(1, size);	/* does not fail */
	if (arguments.n < ARGUMENTS)
		arguments.p[arguments.n++] = p;
	return p;
}

#undef va_arg
#define va_arg(list, type)							\
	((void)(list), __builtin_choose_expr(__builtin_types_compatible_p(type, size_t), \
					     arguments.size, new_argument(#type)))

#include "../../../userlib/lib/match.c"

#include "etf.h"
#include "fuzz.h"

static void free_arguments(void)
{
	while (arguments.n)
		free(arguments.p[--arguments.n]);
}

static unsigned int directives(const char *pattern)
{
	unsigned int n = 0;

	for (; *pattern; pattern++)
		n += *pattern == '~';
	return n;
}

/* The text of a term is a pattern that it matches; so is _, and ~t gives all of it */
static void check_own(const u8 *term, size_t len)
{
	char *text;
	int err;

	if (erldist_check(term, len))
		return;
	CHECK(!erldist_match(term, len, "_"));
	CHECK(!erldist_match(term, len, "~t"));
	CHECK(erldist_print(&text, term, len, ERLDIST_PRINT_CREATION) >= 0);
	if (!strstr(text, "#Port<") && !strstr(text, "#Fun<") && !ed_has_twins(term, len)) {
		err = erldist_match(term, len, text);
		/* Patterns do not nest without limit. */
		CHECK(!err || (err == -EINVAL && strlen(text) > 2 * DEPTH_MAX));
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	size_t n, len;
	const u8 *end;
	char *pattern;
	u8 *term;
	int err;

	if (size < 2)
		return 0;
	end = memchr(data + 1, 0, size - 1);
	if (!end)
		return 0;
	n = end - data;
	len = size - n - 1;
	pattern = malloc(n);
	memcpy(pattern, data + 1, n);
	term = malloc(len ? len : 1);
	memcpy(term, end + 1, len);
	arguments.texts = data[0] & 31;
	if (directives(pattern) <= ARGUMENTS) {
		fuzz_fail_from(data[0] & 128 ? data[0] >> 5 & 3 : 0);
		err = erldist_match(term, len, pattern);
		fuzz_fail_from(0);
		CHECK(err == 0 || err == -EINVAL || err == -ENOMSG || err == -EBADMSG ||
		      err == -ERANGE || err == -EOPNOTSUPP || err == -ENOMEM);
		CHECK(err || !erldist_check(term, len));
	}
	free_arguments();
	check_own(term, len);
	free_arguments();
	free(pattern);
	free(term);
	return 0;
}

/*
 * Patterns: the text of a term, in which some parts became directives
 */

static const char *const parts[] = {
	"~i", "~l", "~u", "~d", "~a", "~s", "~b", "~p", "~r", "~t", "_", "~", "~x", "[~t|_]",
	"[_|~t]", "{_,~i}", "#{a => ~t}", "#{}", "[]", "{}", "|", ",", "{", "[", "#{", "}", "]",
	"=>", "<<\"a\">>", "a", "1", " ", "'", "\"", "[~a,~a|_]", "_a", "%", "\"abc\"",
};

size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	static u8 term[8192];
	struct gen in = { .state = g->state, .p = term, .end = term + sizeof(term),
			  .weird = g->weird };
	char *text, *s;
	ssize_t len;

	g->p = p;
	g->end = p + max;
	gen_u8(g, gen_below(g, 256) & (gen_below(g, 4) ? 31 : 255));
	gen_term(&in, gen_below(g, 4));
	len = erldist_print(&text, term, in.p - term, ERLDIST_PRINT_CREATION);
	for (s = text; len > 0 && *s; s++) {
		/* A word or a number, up to what ends it */
		if (strchr("{[,|>", s == text ? ',' : s[-1]) && !gen_below(g, 3)) {
			gen_bytes(g, parts[gen_below(g, 11)], 2 - (g->p == g->end));
			s += strcspn(s, ",]}| ");
			if (!*s)
				break;
		}
		gen_bytes(g, s, 1);
	}
	free(text);
	gen_u8(g, 0);
	gen_bytes(g, term, in.p - term);
	return g->p - p;
}

size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	const u8 *end = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;
	const char *part = parts[gen_below(g, ARRAY_SIZE(parts))];
	size_t n = strlen(part), at, front;

	if (!end)
		return fuzz_generate(g, data, max);
	front = end + 1 - data;
	if (gen_below(g, 2))
		return front + bend_terms(g, data + front, size - front, max - front);
	at = 1 + gen_below(g, front - 1);
	if (size + n > max)
		return size;
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, part, n);
	return size + n;
}
