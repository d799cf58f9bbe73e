// SPDX-License-Identifier: LGPL-2.1-or-later
/* Erlang syntax to terms. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define UTF8_MAX	4	/* bytes of a character */

static const char in_name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@";

int ed_syntax(struct ed_parser *ps, const char *what)
{
	if (!ps->what)
		ps->what = what;
	return -EINVAL;
}

/* White space and comments */
void ed_space(struct ed_parser *ps)
{
	for (;;) {
		ps->p += strspn(ps->p, " \t\r\n");
		if (*ps->p != '%')
			return;
		ps->p += strcspn(ps->p, "\n");
	}
}

static int parse_octal(struct ed_parser *ps, uint32_t *c)
{
	int i;

	for (*c = 0, i = 0; i < 3 && *ps->p >= '0' && *ps->p <= '7'; i++)
		*c = *c * 8 + (uint32_t)(*ps->p++ - '0');
	return 0;
}

static int parse_hex(struct ed_parser *ps, uint32_t *c)
{
	bool braces = *ps->p == '{';
	size_t n, i;

	ps->p += braces;
	n = strspn(ps->p, "0123456789abcdefABCDEF");
	if (!braces && n > 2)
		n = 2;
	if (n < 1 || n > 6 || (!braces && n < 2) || (braces && ps->p[n] != '}'))
		return ed_syntax(ps, "\\x takes two hexadecimal digits or {...}");
	for (*c = 0, i = 0; i < n; i++, ps->p++)
		*c = *c << 4 | (uint32_t)(*ps->p <= '9' ? *ps->p - '0' : (*ps->p | 32) - 'a' + 10);
	ps->p += braces;
	return 0;
}

static int parse_escape(struct ed_parser *ps, uint32_t *c)
{
	static const char from[] = "ntrbfvesd", to[] = "\n\t\r\b\f\v\033 \177";
	const char *known;

	if (*ps->p >= '0' && *ps->p <= '7')
		return parse_octal(ps, c);
	if (*ps->p == 'x') {
		ps->p++;
		return parse_hex(ps, c);
	}
	if (*ps->p == '^' && ps->p[1] >= '@' && ps->p[1] <= '~') {
		*c = (uint32_t)ps->p[1] & 31;
		ps->p += 2;
		return 0;
	}
	known = *ps->p ? strchr(from, *ps->p) : NULL;
	if (known) {
		*c = (uint32_t)to[known - from];
		ps->p++;
		return 0;
	}
	if (ed_utf8_next(&ps->p, ps->p + strnlen(ps->p, UTF8_MAX), c))
		return ed_syntax(ps, "escape without a character");
	return 0;
}

/* A character inside quotes, escapes resolved */
int ed_parse_char(struct ed_parser *ps, char quote, uint32_t *c)
{
	if (!*ps->p)
		return ed_syntax(ps, quote == '"' ? "string without end" :
				     quote ? "quoted atom without end" : "$ without a character");
	if (*ps->p == '\\') {
		ps->p++;
		return parse_escape(ps, c);
	}
	if (ed_utf8_next(&ps->p, ps->p + strnlen(ps->p, UTF8_MAX), c))
		return ed_syntax(ps, "text that is no UTF-8");
	return 0;
}

/* From behind the opening to behind the closing quote */
int ed_parse_quoted(struct ed_parser *ps, char quote, struct erldist_term *utf8)
{
	char bytes[4];
	uint32_t c;
	int err, n;

	while (*ps->p != quote) {
		err = ed_parse_char(ps, quote, &c);
		if (err)
			return err;
		n = ed_utf8_put(bytes, c);
		if (n < 0)
			return ed_syntax(ps, "no Unicode character");
		err = ed_put(utf8, bytes, (size_t)n);
		if (err)
			return err;
	}
	ps->p++;
	return 0;
}

static int put_atom(struct ed_parser *ps, struct erldist_term *t, const char *s, size_t len)
{
	int err = ed_put_atom(t, s, len);

	return err == -EINVAL ? ed_syntax(ps, "an atom has at most 255 characters") : err;
}

static int parse_quoted_atom(struct ed_parser *ps, struct erldist_term *t)
{
	struct erldist_term name = ERLDIST_TERM_INIT;
	int err;

	ps->p++;
	err = ed_parse_quoted(ps, '\'', &name);
	if (!err)
		err = put_atom(ps, t, name.term ? name.term : "", name.len);
	erldist_term_free(&name);
	return err;
}

static int parse_string(struct ed_parser *ps, struct erldist_term *t)
{
	struct erldist_term s = ERLDIST_TERM_INIT;
	int err = 0;

	/* adjacent strings are one */
	while (!err && *ps->p == '"') {
		ps->p++;
		err = ed_parse_quoted(ps, '"', &s);
		if (!err)
			ed_space(ps);
	}
	if (!err)
		err = ed_put_string(t, s.term ? s.term : "", s.len);
	erldist_term_free(&s);
	return err;
}

static int parse_export(struct ed_parser *ps, struct erldist_term *t)
{
	static const char want[] = { ':', '/' };
	size_t i;
	int err;

	err = ed_put_u8(t, ERL_EXPORT_EXT);
	for (i = 0; !err && i < 3; i++) {
		ed_space(ps);
		if (i < 2 && *ps->p != '\'' && !(*ps->p >= 'a' && *ps->p <= 'z'))
			return ed_syntax(ps, "a fun is written fun module:name/arity");
		if (i == 2 && (!(*ps->p >= '0' && *ps->p <= '9') || strtoul(ps->p, NULL, 10) > 255))
			return ed_syntax(ps, "an arity is a number up to 255");
		err = ed_parse_value(ps, t);
		if (err || i == 2)
			break;
		ed_space(ps);
		if (*ps->p != want[i])
			return ed_syntax(ps, "a fun is written fun module:name/arity");
		ps->p++;
	}
	return err;
}

static int parse_atom(struct ed_parser *ps, struct erldist_term *t)
{
	size_t n = strspn(ps->p, in_name);
	const char *name = ps->p;

	ps->p += n;
	if (n == 3 && !memcmp(name, "fun", 3) && (*ps->p == ' ' || *ps->p == '\t'))
		return parse_export(ps, t);
	return put_atom(ps, t, name, n);
}

/* Terms with commas between them; stops at what is neither. *n counts them */
static int parse_items(struct ed_parser *ps, struct erldist_term *t, char close, uint32_t *n)
{
	int err;

	*n = 0;
	ps->p++;
	ed_space(ps);
	if (*ps->p == close)
		return 0;
	for (;;) {
		err = ed_parse_value(ps, t);
		if (err)
			return err;
		++*n;
		ed_space(ps);
		if (*ps->p != ',')
			return 0;
		ps->p++;
	}
}

static int parse_tuple(struct ed_parser *ps, struct erldist_term *t)
{
	size_t head = t->len;
	uint32_t n;
	int err;

	err = ed_put_u8(t, ERL_LARGE_TUPLE_EXT);
	if (!err)
		err = ed_put_u32(t, 0);
	if (!err)
		err = parse_items(ps, t, '}', &n);
	if (err)
		return err;
	if (*ps->p != '}')
		return ed_syntax(ps, "expected , or } in a tuple");
	ps->p++;
	if (n > 255) {
		ed_patch_u32(t, head + 1, n);
		return 0;
	}
	t->term[head] = ERL_SMALL_TUPLE_EXT;
	t->term[head + 1] = (char)n;
	memmove(t->term + head + 2, t->term + head + 5, t->len - head - 5);
	t->len -= 3;
	return 0;
}

static int parse_list(struct ed_parser *ps, struct erldist_term *t)
{
	size_t head = t->len;
	uint32_t n;
	int err;

	err = ed_put_u8(t, ERL_LIST_EXT);
	if (!err)
		err = ed_put_u32(t, 0);
	if (!err)
		err = parse_items(ps, t, ']', &n);
	if (err)
		return err;
	if (*ps->p == '|' && n) {
		ps->p++;
		err = ed_parse_value(ps, t);
		ed_space(ps);
	} else if (n) {
		err = ed_put_u8(t, ERL_NIL_EXT);
	} else {
		t->term[head] = ERL_NIL_EXT;
		t->len = head + 1;
	}
	if (err)
		return err;
	if (*ps->p != ']')
		return ed_syntax(ps, "expected , or | or ] in a list");
	ps->p++;
	if (n)
		ed_patch_u32(t, head + 1, n);
	return 0;
}

/* BEAM refuses a map that has a key twice */
static int check_key(struct ed_parser *ps, const struct erldist_term *t, size_t pairs, size_t key)
{
	struct erldist_slice k, v;
	struct ed_reader r;

	r.p = (const uint8_t *)t->term + pairs;
	r.end = (const uint8_t *)t->term + key;
	while (ed_left(&r)) {
		if (ed_read_slice(&r, &k) || ed_read_slice(&r, &v))
			return -EINVAL;
		if (erldist_equal(k.term, k.len, t->term + key, t->len - key) == 1)
			return ed_syntax(ps, "the map has this key already");
	}
	return 0;
}

static int parse_pair(struct ed_parser *ps, struct erldist_term *t, size_t pairs)
{
	size_t key = t->len;
	int err;

	err = ed_parse_value(ps, t);
	if (!err)
		err = check_key(ps, t, pairs, key);
	if (err)
		return err;
	ed_space(ps);
	if (ps->p[0] != '=' || ps->p[1] != '>')
		return ed_syntax(ps, "expected => in a map");
	ps->p += 2;
	return ed_parse_value(ps, t);
}

/* From the { of #{ */
static int parse_map(struct ed_parser *ps, struct erldist_term *t)
{
	size_t head = t->len;
	uint32_t n = 0;
	int err;

	err = ed_put_u8(t, ERL_MAP_EXT);
	if (!err)
		err = ed_put_u32(t, 0);
	do {
		ps->p++;
		ed_space(ps);
		if (err || (!n && *ps->p == '}'))
			break;
		err = parse_pair(ps, t, head + 5);
		n++;
		ed_space(ps);
	} while (!err && *ps->p == ',');
	if (err)
		return err;
	if (*ps->p != '}')
		return ed_syntax(ps, "expected , or } in a map");
	ps->p++;
	ed_patch_u32(t, head + 1, n);
	return 0;
}

static int parse_by_first(struct ed_parser *ps, struct erldist_term *t)
{
	switch (*ps->p) {
	case '{':
		return parse_tuple(ps, t);
	case '[':
		return parse_list(ps, t);
	case '"':
		return parse_string(ps, t);
	case '\'':
		return parse_quoted_atom(ps, t);
	case '<':
		return ps->p[1] == '<' ? ed_parse_bits(ps, t) : ed_parse_pid(ps, t);
	case '#':
		if (ps->p[1] != '{')
			return ed_parse_hash(ps, t);
		ps->p++;
		return parse_map(ps, t);
	case '~':
		return ps->args ? ed_format_directive(ps, t) : ed_syntax(ps, "unexpected ~");
	case '$':
	case '-':
	case '+':
	case '0' ... '9':
		return ed_parse_number(ps, t);
	case 'a' ... 'z':
		return parse_atom(ps, t);
	case 'A' ... 'Z':
	case '_':
		return ed_syntax(ps, "variables have no value here; an atom that begins so is "
				     "quoted: 'Abc'");
	case 0:
		return ed_syntax(ps, "the text ends where a term was expected");
	default:
		return ed_syntax(ps, "no term begins so");
	}
}

int ed_parse_value(struct ed_parser *ps, struct erldist_term *t)
{
	int err;

	if (ps->depth == ED_DEPTH_MAX)
		return ed_syntax(ps, "nested too deeply");
	ps->depth++;
	ed_space(ps);
	err = parse_by_first(ps, t);
	ps->depth--;
	return err;
}

static int parse_all(struct ed_parser *ps, struct erldist_term *t)
{
	int err;

	t->len = 0;
	err = ed_parse_value(ps, t);
	if (err)
		return err;
	ed_space(ps);
	if (*ps->p == '.') {
		ps->p++;
		ed_space(ps);
	}
	return *ps->p ? ed_syntax(ps, "something follows the term") : 0;
}

int erldist_parse(struct erldist_term *t, const char *text,
		  struct erldist_parse_options *options)
{
	struct ed_parser ps = { .begin = text, .p = text, .options = options };
	int err = parse_all(&ps, t);

	if (err && options) {
		options->offset = (size_t)(ps.p - text);
		options->what = ps.what ? ps.what : ed_errno_text(err);
	}
	return err;
}

int ed_vformat(struct erldist_term *t, const char *fmt, va_list args)
{
	struct ed_parser ps = { .begin = fmt, .p = fmt };
	va_list copy;	/* has an address of its type, which a parameter may not */
	int err;

	va_copy(copy, args);
	ps.args = &copy;
	err = parse_all(&ps, t);
	va_end(copy);
	return err;
}

int erldist_format(struct erldist_term *t, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = ed_vformat(t, fmt, args);
	va_end(args);
	return err;
}
