// SPDX-License-Identifier: LGPL-2.1-or-later
/* Integers of any size and floats, to text and back, in any locale. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Larger ones are written in hexadecimal, as decimal takes quadratic time */
#define DECIMAL_BYTES_MAX	4096

void ed_big_free(struct ed_big *b)
{
	free(b->limb);
	memset(b, 0, sizeof(*b));
}

static int big_push(struct ed_big *b, uint32_t limb)
{
	size_t size = b->size ? 2 * b->size : 8;
	uint32_t *mem;

	if (b->n == b->size) {
		mem = realloc(b->limb, size * sizeof(*mem));
		if (!mem)
			return -ENOMEM;
		b->limb = mem;
		b->size = size;
	}
	b->limb[b->n++] = limb;
	return 0;
}

/* b = b * mul + add */
int ed_big_mul_add(struct ed_big *b, uint32_t mul, uint32_t add)
{
	uint64_t carry = add;
	size_t i;

	for (i = 0; i < b->n; i++) {
		carry += (uint64_t)b->limb[i] * mul;
		b->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return carry ? big_push(b, (uint32_t)carry) : 0;
}

static uint8_t big_byte(const struct ed_big *b, size_t i)
{
	return (uint8_t)(b->limb[i / 4] >> 8 * (i % 4));
}

static long long small_value(const struct ed_big *b, bool negative)
{
	uint64_t v = b->n ? b->limb[0] : 0;

	if (b->n > 1)
		v |= (uint64_t)b->limb[1] << 32;
	return negative ? -(long long)v : (long long)v;
}

int ed_put_big(struct erldist_term *t, const struct ed_big *b, bool negative)
{
	size_t i, n = 4 * b->n;
	int err;

	if (b->n < 2 || (b->n == 2 && !(b->limb[1] >> 31)))
		return ed_put_int(t, small_value(b, negative));
	while (!big_byte(b, n - 1))
		n--;
	err = ed_put_u8(t, n < 256 ? ERL_SMALL_BIG_EXT : ERL_LARGE_BIG_EXT);
	if (!err)
		err = n < 256 ? ed_put_u8(t, (uint8_t)n) : ed_put_u32(t, (uint32_t)n);
	if (!err)
		err = ed_put_u8(t, negative);
	for (i = 0; !err && i < n; i++)
		err = ed_put_u8(t, big_byte(b, i));
	return err;
}

static char *hexadecimal(const uint8_t *digits, size_t n, bool negative)
{
	char *text = malloc(2 * n + 8), *p = text;

	if (!text)
		return NULL;
	p += sprintf(p, "%s16#%X", negative ? "-" : "", digits[n - 1]);
	for (n--; n--;)
		p += sprintf(p, "%02X", digits[n]);
	return text;
}

static int load_limbs(struct ed_big *b, const uint8_t *digits, size_t n)
{
	size_t i;
	int err;

	for (i = 0; i < n; i++) {
		if (i % 4 == 0) {
			err = big_push(b, 0);
			if (err)
				return err;
		}
		b->limb[i / 4] |= (uint32_t)digits[i] << 8 * (i % 4);
	}
	return 0;
}

/* b = b / 10^9, the remainder is returned */
static uint32_t big_div_1e9(struct ed_big *b)
{
	uint64_t rest = 0;
	size_t i;

	for (i = b->n; i--;) {
		rest = rest << 32 | b->limb[i];
		b->limb[i] = (uint32_t)(rest / 1000000000);
		rest %= 1000000000;
	}
	while (b->n && !b->limb[b->n - 1])
		b->n--;
	return (uint32_t)rest;
}

static char *decimal(const uint8_t *digits, size_t n, bool negative)
{
	size_t size = n * 5 / 2 + 16, at = size;
	struct ed_big b = { 0 };
	char *text = malloc(size), part[10];

	if (!text || load_limbs(&b, digits, n)) {
		ed_big_free(&b);
		free(text);
		return NULL;
	}
	text[--at] = 0;
	do {
		snprintf(part, sizeof(part), "%09u", big_div_1e9(&b));
		at -= 9;
		memcpy(text + at, part, 9);
	} while (b.n);
	ed_big_free(&b);
	while (text[at] == '0' && text[at + 1])
		at++;
	if (negative)
		text[--at] = '-';
	memmove(text, text + at, size - at);
	return text;
}

/* digits: n bytes, least significant first */
int ed_big_text(char **text, const uint8_t *digits, size_t n, bool negative)
{
	*text = n > DECIMAL_BYTES_MAX ? hexadecimal(digits, n, negative)
				      : decimal(digits, n, negative);
	return *text ? 0 : -ENOMEM;
}

/* The point is a point in "C" only, and a program may have set another locale */
static locale_t enter_c(locale_t *c)
{
	*c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return *c ? uselocale(*c) : (locale_t)0;
}

static void leave_c(locale_t c, locale_t old)
{
	if (!c)
		return;
	uselocale(old);
	freelocale(c);
}

/* 1.5e+20 becomes 1.5e20, 1e-07 becomes 1.0e-7 */
static void scientific(char *text, size_t size, const char *c_style, int exponent)
{
	int digits = (int)strcspn(c_style, "e");

	snprintf(text, size, "%.*s%se%d", digits, c_style,
		 memchr(c_style, '.', (size_t)digits) ? "" : ".0", exponent);
}

/* The fewest digits that read back as v, with digits on both sides of a point */
int ed_float_text(char *text, size_t size, double v)
{
	int digits, exponent, decimals;
	locale_t c, old = enter_c(&c);
	char s[40];

	if (!c)
		return -ENOMEM;
	for (digits = 1; digits < 17; digits++) {
		snprintf(s, sizeof(s), "%.*e", digits - 1, v);
		if (strtod(s, NULL) == v)
			break;
	}
	snprintf(s, sizeof(s), "%.*e", digits - 1, v);
	exponent = atoi(strchr(s, 'e') + 1);
	decimals = digits - 1 - exponent;
	if (exponent < -4 || exponent > 15)
		scientific(text, size, s, exponent);
	else
		snprintf(text, size, "%.*f", decimals < 1 ? 1 : decimals, v);
	leave_c(c, old);
	return 0;
}

/* All of text must be a finite decimal number */
int ed_float_value(const char *text, double *v)
{
	locale_t c, old;
	char *end;

	if (!*text || text[strspn(text, "+-0123456789.eE")])
		return -EBADMSG;	/* strtod() knows hexadecimal, nan and inf too */
	old = enter_c(&c);
	if (!c)
		return -ENOMEM;
	*v = strtod(text, &end);
	leave_c(c, old);
	return *end || !isfinite(*v) ? -EBADMSG : 0;
}
