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

/* Module or function of a fun */
static int parse_fun_name(struct ed_parser *ps, struct erldist_term *t, char behind)
{
	const char *name = ps->p;
	int err;

	if (*name == '\'') {
		err = parse_quoted_atom(ps, t);
	} else {
		ps->p += *name >= 'a' && *name <= 'z' ? strspn(name, in_name) : 0;
		err = ps->p > name ? put_atom(ps, t, name, (size_t)(ps->p - name)) :
				     ed_syntax(ps, "a fun is written fun module:name/arity");
	}
	if (err)
		return err;
	ed_space(ps);
	if (*ps->p != behind)
		return ed_syntax(ps, "a fun is written fun module:name/arity");
	ps->p++;
	ed_space(ps);
	return 0;
}

static int parse_arity(struct ed_parser *ps, struct erldist_term *t)
{
	size_t n = strspn(ps->p, "0123456789");
	const char *digits = ps->p, *behind = ps->p + n;

	/* a full stop can follow, a fraction or a base cannot */
	if (!n || n > 3 || atoi(digits) > 255 || (*behind && strchr(in_name, *behind)) ||
	    *behind == '#' || (*behind == '.' && behind[1] >= '0' && behind[1] <= '9'))
		return ed_syntax(ps, "an arity is a number up to 255");
	ps->p = behind;
	return ed_put_int(t, atoi(digits));
}

static int parse_export(struct ed_parser *ps, struct erldist_term *t)
{
	int err = ed_put_u8(t, ERL_EXPORT_EXT);

	ed_space(ps);
	if (!err)
		err = parse_fun_name(ps, t, ':');
	if (!err)
		err = parse_fun_name(ps, t, '/');
	return err ? err : parse_arity(ps, t);
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

/* What was opened and is not closed yet is on a stack, so text nests as it likes */
struct open {
	size_t head;		/* offset of the term */
	uint32_t n;		/* parts before the present one */
	char close;
	enum { ELEMENT, TAIL, KEY, VALUE } part;
};

/*
 * Tuples of more than 255 parts: their heads have one byte for the number, and get the
 * four that it takes when all is read, as each change moves what is behind.
 */
struct wide {
	size_t head;
	uint32_t n;
};

struct opens {
	struct open *open;
	size_t n, size;
	struct wide *wide;
	size_t n_wide, wide_size;
};

static int push(struct opens *o, const struct open *open)
{
	size_t size = o->size ? 2 * o->size : 16;
	struct open *mem;

	if (o->n == o->size) {
		mem = reallocarray(o->open, size, sizeof(*mem));
		if (!mem)
			return -ENOMEM;
		o->open = mem;
		o->size = size;
	}
	o->open[o->n++] = *open;
	return 0;
}

static int push_wide(struct opens *o, size_t head, uint32_t n)
{
	size_t size = o->wide_size ? 2 * o->wide_size : 16;
	struct wide *mem;

	if (o->n_wide == o->wide_size) {
		mem = reallocarray(o->wide, size, sizeof(*mem));
		if (!mem)
			return -ENOMEM;
		o->wide = mem;
		o->wide_size = size;
	}
	o->wide[o->n_wide++] = (struct wide){ head, n };
	return 0;
}

static int order_wide(const void *a, const void *b)
{
	const struct wide *x = a, *y = b;

	return (x->head > y->head) - (x->head < y->head);
}

/* From the last one on, so that each byte is moved once */
static int widen_tuples(struct erldist_term *t, struct opens *o)
{
	size_t more = 3 * o->n_wide, end = t->len, from;
	const struct wide *w;
	int err;

	if (!more)
		return 0;
	err = ed_reserve(t, more);
	if (err)
		return err;
	qsort(o->wide, o->n_wide, sizeof(*o->wide), order_wide);
	t->len += more;
	for (w = o->wide + o->n_wide; w-- > o->wide; more -= 3, end = w->head) {
		from = w->head + 2;
		memmove(t->term + from + more, t->term + from, end - from);
		t->term[w->head + more - 3] = ERL_LARGE_TUPLE_EXT;
		ed_patch_u32(t, w->head + more - 2, w->n);
	}
	return 0;
}

/* *begun: a part of it comes, else it is empty and done */
static int parse_open(struct ed_parser *ps, struct erldist_term *t, struct opens *o,
		      const char *head, size_t len, const struct open *open, bool *begun)
{
	int err;

	ed_space(ps);
	*begun = *ps->p != open->close;
	if (!*begun) {
		ps->p++;
		if (*head == ERL_LIST_EXT)
			return ed_put_u8(t, ERL_NIL_EXT);
		return ed_put(t, head, len);
	}
	err = ed_put(t, head, len);
	return err ? err : push(o, open);
}

static int parse_first(struct ed_parser *ps, struct erldist_term *t, struct opens *o,
		       bool *begun)
{
	static const char tuple[2] = { ERL_SMALL_TUPLE_EXT }, list[5] = { ERL_LIST_EXT },
			  map[5] = { ERL_MAP_EXT };

	*begun = false;
	switch (*ps->p) {
	case '{':
		ps->p++;
		return parse_open(ps, t, o, tuple, sizeof(tuple),
				  &(struct open){ t->len, 0, '}', ELEMENT }, begun);
	case '[':
		ps->p++;
		return parse_open(ps, t, o, list, sizeof(list),
				  &(struct open){ t->len, 0, ']', ELEMENT }, begun);
	case '"':
		return parse_string(ps, t);
	case '\'':
		return parse_quoted_atom(ps, t);
	case '<':
		return ps->p[1] == '<' ? ed_parse_bits(ps, t) : ed_parse_pid(ps, t);
	case '#':
		if (ps->p[1] != '{')
			return ed_parse_hash(ps, t);
		ps->p += 2;
		return parse_open(ps, t, o, map, sizeof(map),
				  &(struct open){ t->len, 0, '}', KEY }, begun);
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

/* Behind a part: *more if another one comes, else the container is done */
static int behind_element(struct ed_parser *ps, struct erldist_term *t, struct opens *opens,
			  struct open *o, bool *more)
{
	bool list = o->close == ']';
	char c = *ps->p;
	int err = 0;

	o->n += o->part == ELEMENT;
	*more = o->part == ELEMENT && (c == ',' || (list && c == '|'));
	if (!*more && c != o->close)
		return ed_syntax(ps, list ? "expected , or | or ] in a list" :
				     "expected , or } in a tuple");
	ps->p++;
	if (!*more && list && o->part == ELEMENT)
		err = ed_put_u8(t, ERL_NIL_EXT);
	else if (!*more && o->n > 255 && !list)
		err = push_wide(opens, o->head, o->n);
	if (err)
		return err;
	if (c == '|')
		o->part = TAIL;
	if (*more && c == ',')
		return 0;
	if (list)
		ed_patch_u32(t, o->head + 1, o->n);
	else
		t->term[o->head + 1] = (char)o->n;
	return 0;
}

static int behind_pair(struct ed_parser *ps, struct erldist_term *t, struct open *o, bool *more)
{
	*more = true;
	if (o->part == KEY) {
		if (ps->p[0] != '=' || ps->p[1] != '>')
			return ed_syntax(ps, "expected => in a map");
		ps->p += 2;
		o->part = VALUE;
		return 0;
	}
	o->n++;
	o->part = KEY;
	*more = *ps->p == ',';
	if (!*more && *ps->p != '}')
		return ed_syntax(ps, "expected , or } in a map");
	ps->p++;
	if (!*more)
		ed_patch_u32(t, o->head + 1, o->n);
	return 0;
}

/* Behind a term: closes what it was the last part of */
static int parse_behind(struct ed_parser *ps, struct erldist_term *t, struct opens *o)
{
	struct open *open;
	bool more = false;
	int err = 0;

	while (!err && !more && o->n) {
		open = &o->open[o->n - 1];
		ed_space(ps);
		err = open->part == KEY || open->part == VALUE ?
		      behind_pair(ps, t, open, &more) :
		      behind_element(ps, t, o, open, &more);
		if (!more)
			o->n--;
	}
	return err;
}

/* BEAM refuses a map that has a key twice */
static int refuse_twins(struct ed_parser *ps, const char *term, size_t len)
{
	int twins = ed_has_twins(term, len);

	return twins > 0 ? ed_syntax(ps, "a map has a key twice") : twins;
}

int ed_parse_value(struct ed_parser *ps, struct erldist_term *t)
{
	struct opens o = { 0 };
	size_t begin = t->len;
	bool begun;
	int err;

	do {
		ed_space(ps);
		err = parse_first(ps, t, &o, &begun);
		if (!err && !begun)
			err = parse_behind(ps, t, &o);
	} while (!err && o.n);
	if (!err)
		err = widen_tuples(t, &o);
	free(o.open);
	free(o.wide);
	return err ? err : refuse_twins(ps, t->term + begin, t->len - begin);
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
