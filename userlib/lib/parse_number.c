// SPDX-License-Identifier: LGPL-2.1-or-later
/* Numbers in Erlang syntax: 1, -1_000, 16#FF, $a, 1.5e3 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Quadratic time: this many take a moment */
#define DIGITS_MAX	65536

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'z')
		return (c | 32) - 'a' + 10;
	return 99;
}

static int parse_float(struct ed_parser *ps, struct erldist_term *t, const char *begin,
		       bool negative)
{
	char text[512];
	size_t n = 0;
	double v;
	int err;

	for (; strchr("0123456789._", *ps->p) && *ps->p; ps->p++) {
		/* the full stop behind a term */
		if (*ps->p == '.' && !(ps->p[1] >= '0' && ps->p[1] <= '9'))
			break;
	}
	if ((*ps->p | 32) == 'e') {
		ps->p++;
		ps->p += *ps->p == '+' || *ps->p == '-';
		ps->p += strspn(ps->p, "0123456789");
	}
	for (; begin < ps->p && n < sizeof(text) - 1; begin++)
		if (*begin != '_')
			text[n++] = *begin;
	text[n] = 0;
	err = begin < ps->p ? -EBADMSG : ed_float_value(text, &v);
	if (err == -EBADMSG)
		return ed_syntax(ps, "no float, or too large for one");
	return err ? err : ed_put_float(t, negative ? -v : v);
}

/* Digits with single underscores between them */
static int parse_digits(struct ed_parser *ps, struct ed_big *b, uint32_t base)
{
	const char *begin = ps->p;
	int err = 0;

	for (; !err; ps->p++) {
		if (*ps->p == '_' && ps->p > begin && digit_value(ps->p[1]) < (int)base)
			continue;
		if (digit_value(*ps->p) >= (int)base)
			break;
		if (ps->p - begin >= DIGITS_MAX)
			return ed_syntax(ps, "too many digits");
		err = ed_big_mul_add(b, base, (uint32_t)digit_value(*ps->p));
	}
	return err ? err : ps->p > begin ? 0 : ed_syntax(ps, "expected digits");
}

static int parse_integer(struct ed_parser *ps, struct erldist_term *t, bool negative)
{
	const char *begin = ps->p;
	struct ed_big b = { 0 };
	int err;

	err = parse_digits(ps, &b, 10);
	if (!err && *ps->p == '#') {
		uint32_t base = b.n == 1 ? b.limb[0] : 0;

		ed_big_free(&b);
		ps->p++;
		err = base >= 2 && base <= 36 ? parse_digits(ps, &b, base)
					      : ed_syntax(ps, "a base is 2 to 36");
	} else if (!err && *ps->p == '.' && ps->p[1] >= '0' && ps->p[1] <= '9') {
		ed_big_free(&b);
		return parse_float(ps, t, begin, negative);
	}
	if (!err)
		err = ed_put_big(t, &b, negative);
	ed_big_free(&b);
	return err;
}

int ed_parse_number(struct ed_parser *ps, struct erldist_term *t)
{
	bool negative = *ps->p == '-';
	uint32_t c;
	int err;

	ps->p += *ps->p == '-' || *ps->p == '+';
	if (*ps->p != '$')
		return parse_integer(ps, t, negative);
	ps->p++;
	err = ed_parse_char(ps, 0, &c);
	return err ? err : ed_put_int(t, negative ? -(long long)c : (long long)c);
}
