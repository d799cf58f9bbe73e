// SPDX-License-Identifier: LGPL-2.1-or-later
/* Binaries and bit strings: <<"text", 1, 500:16, "utf8"/utf8, 5:3>> */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct bits {
	struct erldist_term bytes;
	unsigned int used;	/* bits of the last byte, 0: none is begun */
};

static int put_bit(struct bits *b, unsigned int bit)
{
	int err = 0;

	if (!b->used)
		err = ed_put_u8(&b->bytes, 0);
	if (err)
		return err;
	if (bit)
		b->bytes.term[b->bytes.len - 1] |= (char)(0x80 >> b->used);
	b->used = (b->used + 1) % 8;
	return 0;
}

/* The low n bits of an integer of any size, in two's complement */
static int put_integer(struct bits *b, const struct erldist_term *t, unsigned long n)
{
	const uint8_t *digits;
	struct ed_reader r;
	uint8_t small[8];
	uint64_t magnitude;
	bool negative;
	size_t len, i, borrow_end = 0;
	int err;

	ed_reader_init(&r, t->term, t->len);
	err = ed_read_int(&r, &negative, &magnitude);
	if (err == -ERANGE) {
		err = ed_read_big(&r, &negative, &digits, &len);
	} else {
		for (i = 0; i < 8; i++)
			small[i] = (uint8_t)(magnitude >> 8 * i);
		digits = small;
		len = 8;
	}
	if (err)
		return err;
	/* -x is ~x + 1: bits up to the lowest set one stay, those above flip */
	while (negative && borrow_end < 8 * len &&
	       !(digits[borrow_end / 8] >> borrow_end % 8 & 1))
		borrow_end++;
	while (!err && n--) {
		unsigned int bit = n / 8 < len ? digits[n / 8] >> n % 8 & 1 : 0;

		err = put_bit(b, negative && n > borrow_end ? !bit : bit);
	}
	return err;
}

static int put_byte(struct bits *b, uint8_t v)
{
	int err = 0;
	int i;

	if (!b->used)
		return ed_put_u8(&b->bytes, v);
	for (i = 7; !err && i >= 0; i--)
		err = put_bit(b, v >> i & 1);
	return err;
}

static int parse_text(struct ed_parser *ps, struct bits *b)
{
	struct erldist_term s = ERLDIST_TERM_INIT;
	const char *p, *end;
	bool utf8;
	uint32_t c;
	int err;

	ps->p++;
	err = ed_parse_quoted(ps, '"', &s);
	utf8 = !err && !strncmp(ps->p, "/utf8", 5);
	if (utf8)
		ps->p += 5;
	p = s.term ? s.term : "";
	end = p + s.len;
	while (!err && p < end) {
		if (utf8) {
			err = put_byte(b, (uint8_t)*p++);
			continue;
		}
		err = ed_utf8_next(&p, end, &c);
		if (!err && c > 255)
			err = ed_syntax(ps, "characters beyond 255 in a binary need \"...\"/utf8");
		if (!err)
			err = put_byte(b, (uint8_t)c);
	}
	erldist_term_free(&s);
	return err;
}

static int parse_segment(struct ed_parser *ps, struct bits *b)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	unsigned long size = 8;
	char *end;
	int err;

	ed_space(ps);
	if (*ps->p == '"')
		return parse_text(ps, b);
	if (!*ps->p || !strchr("$-+0123456789", *ps->p))
		return ed_syntax(ps, "a binary holds numbers and strings");
	err = ed_parse_number(ps, &t);
	if (!err && !ed_is_int((uint8_t)t.term[0]))
		err = ed_syntax(ps, "a binary holds integers and strings");
	if (!err && *ps->p == ':') {
		size = strtoul(ps->p + 1, &end, 10);
		if (end == ps->p + 1 || size > 1 << 20)
			err = ed_syntax(ps, "a size is a number of bits up to 2^20");
		else
			ps->p = end;
	}
	if (!err)
		err = put_integer(b, &t, size);
	erldist_term_free(&t);
	return err;
}

static int put_bits(struct erldist_term *t, const struct bits *b)
{
	int err;

	if (!b->used)
		return ed_put_binary(t, b->bytes.term, b->bytes.len);
	err = ed_put_u8(t, ERL_BIT_BINARY_EXT);
	if (!err)
		err = ed_put_u32(t, (uint32_t)b->bytes.len);
	if (!err)
		err = ed_put_u8(t, (uint8_t)b->used);
	return err ? err : ed_put(t, b->bytes.term, b->bytes.len);
}

int ed_parse_bits(struct ed_parser *ps, struct erldist_term *t)
{
	struct bits b = { ERLDIST_TERM_INIT, 0 };
	bool first = true;
	int err = 0;

	ps->p += 2;
	ed_space(ps);
	while (!err && (!first || ps->p[0] != '>')) {
		err = parse_segment(ps, &b);
		ed_space(ps);
		if (err || *ps->p != ',')
			break;
		ps->p++;
		first = false;
	}
	if (!err && (ps->p[0] != '>' || ps->p[1] != '>'))
		err = ed_syntax(ps, "expected , or >> in a binary");
	if (!err) {
		ps->p += 2;
		err = put_bits(t, &b);
	}
	erldist_term_free(&b.bytes);
	return err;
}
