// SPDX-License-Identifier: LGPL-2.1-or-later
/* Terms to text in Erlang syntax. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct printer {
	struct erldist_term text;
	unsigned int flags;
};

static int put(struct printer *o, const char *s)
{
	return ed_put(&o->text, s, strlen(s));
}

static int put_format(struct printer *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int put_format(struct printer *o, const char *fmt, ...)
{
	char s[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	return put(o, s);
}

static int put_escape(struct printer *o, uint32_t c)
{
	static const char named[][2] = {
		{ '\n', 'n' }, { '\t', 't' }, { '\r', 'r' }, { '\b', 'b' },
		{ '\f', 'f' }, { '\v', 'v' }, { 27, 'e' },
	};
	size_t i;

	for (i = 0; i < ED_ARRAY_SIZE(named); i++)
		if (c == (uint32_t)named[i][0])
			return put_format(o, "\\%c", named[i][1]);
	return put_format(o, "\\x{%X}", c);
}

static int put_char(struct printer *o, uint32_t c, char quote)
{
	char utf8[4];

	if (c == '\\' || c == (uint32_t)quote)
		return put_format(o, "\\%c", (char)c);
	if (ed_utf8_printable(c))
		return ed_put(&o->text, utf8, (size_t)ed_utf8_put(utf8, c));
	return put_escape(o, c);
}

static int put_quoted(struct printer *o, const char *s, size_t len, char quote)
{
	const char *end = s + len;
	uint32_t c;
	int err;

	err = ed_put_u8(&o->text, (uint8_t)quote);
	while (!err && s < end) {
		if (ed_utf8_next(&s, end, &c))
			return -EBADMSG;
		err = put_char(o, c, quote);
	}
	return err ? err : ed_put_u8(&o->text, (uint8_t)quote);
}

static bool reserved(const char *s)
{
	static const char *const words[] = {
		"after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr",
		"bxor", "case", "catch", "cond", "div", "else", "end", "fun", "if", "let",
		"maybe", "not", "of", "or", "orelse", "receive", "rem", "try", "when", "xor",
	};
	size_t i;

	for (i = 0; i < ED_ARRAY_SIZE(words); i++)
		if (!strcmp(s, words[i]))
			return true;
	return false;
}

static bool bare(const struct ed_atom *a)
{
	static const char in_atom[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_@";

	return a->len && a->s[0] >= 'a' && a->s[0] <= 'z' &&
	       strspn(a->s, in_atom) == a->len && !reserved(a->s);
}

static int put_atom(struct printer *o, const struct ed_atom *a)
{
	return bare(a) ? ed_put(&o->text, a->s, a->len) : put_quoted(o, a->s, a->len, '\'');
}

static int print_atom(struct printer *o, struct ed_reader *r)
{
	struct ed_atom a;
	int err = ed_read_atom(r, &a);

	return err ? err : put_atom(o, &a);
}

static int print_int(struct printer *o, struct ed_reader *r)
{
	const uint8_t *digits;
	uint64_t magnitude;
	bool negative;
	char *text;
	size_t n;
	int err;

	err = ed_read_int(r, &negative, &magnitude);
	if (!err)
		return put_format(o, "%s%llu", negative ? "-" : "",
				  (unsigned long long)magnitude);
	if (err != -ERANGE)
		return err;
	err = ed_read_big(r, &negative, &digits, &n);
	if (!err)
		err = ed_big_text(&text, digits, n, negative);
	if (err)
		return err;
	err = put(o, text);
	free(text);
	return err;
}

static int print_float(struct printer *o, struct ed_reader *r)
{
	char text[64];
	double v;
	int err;

	err = ed_read_float(r, &v);
	if (!err)
		err = ed_float_text(text, sizeof(text), v);
	return err ? err : put(o, text);
}

static bool is_for_people(uint32_t c)
{
	return ed_utf8_printable(c) || (c >= '\b' && c <= '\r') || c == 27;
}

/* Is it text for people: 1 as it is, 2 in UTF-8 */
static int text_kind(const uint8_t *bytes, size_t n)
{
	const char *s = (const char *)bytes, *end = s + n;
	int kind = 1;
	uint32_t c;

	while (s < end) {
		if (ed_utf8_next(&s, end, &c))
			return 0;
		if (!is_for_people(c))
			return 0;
		if (c > 127)
			kind = 2;
	}
	return kind;
}

static int print_bytes(struct printer *o, const uint8_t *bytes, size_t n, unsigned int last)
{
	int err = 0;
	size_t i;

	for (i = 0; !err && i < n; i++) {
		if (i + 1 < n || last == 8)
			err = put_format(o, "%s%u", i ? "," : "", bytes[i]);
		else
			err = put_format(o, "%s%u:%u", i ? "," : "", bytes[i] >> (8 - last), last);
	}
	return err;
}

/* A list of bytes: as the Erlang shell does, text where all of it is for people */
static int print_string(struct printer *o, struct ed_reader *r)
{
	const uint8_t *p;
	size_t n, i = 0;
	int err;

	err = ed_read_bytes(r, 3, &p);
	if (err)
		return err;
	n = (size_t)p[1] << 8 | p[2];
	err = ed_read_bytes(r, n, &p);
	if (err)
		return err;
	while (i < n && is_for_people(p[i]))
		i++;
	if (i < n) {
		err = put(o, "[");
		if (!err)
			err = print_bytes(o, p, n, 8);
		return err ? err : put(o, "]");
	}
	err = put(o, "\"");
	for (i = 0; !err && i < n; i++)
		err = put_char(o, p[i], '"');
	return err ? err : put(o, "\"");
}

static int print_bits(struct printer *o, struct ed_reader *r)
{
	const uint8_t *bytes;
	unsigned int last;
	int err, kind;
	size_t n;

	err = ed_read_bits(r, &bytes, &n, &last);
	if (err)
		return err;
	err = put(o, "<<");
	kind = n && last == 8 ? text_kind(bytes, n) : 0;
	if (!err)
		err = kind ? put_quoted(o, (const char *)bytes, n, '"')
			   : print_bytes(o, bytes, n, last);
	if (!err && kind == 2)
		err = put(o, "/utf8");
	return err ? err : put(o, ">>");
}

/*
 * In <svc@host.12.0> the node ends where only numbers follow, or after the four
 * numbers of an IPv4 address; a node that this does not tell is quoted.
 */
static bool bare_node(const char *node)
{
	static const char in_node[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_@-.";
	const char *host = strchr(node, '@'), *last;
	unsigned int a, b, c, d;
	char more;

	if (!host || host == node || !host[1] || strspn(node, in_node) != strlen(node))
		return false;
	if (host[strspn(host + 1, "0123456789.") + 1])
		last = strrchr(host, '.');
	else
		return sscanf(host + 1, "%u.%u.%u.%u%c", &a, &b, &c, &d, &more) == 4;
	return !last || (last[1] && last[strspn(last + 1, "0123456789") + 1]);
}

static int put_node(struct printer *o, const char *node)
{
	return bare_node(node) ? put(o, node) : put_quoted(o, node, strlen(node), '\'');
}

static int print_pid(struct printer *o, struct ed_reader *r)
{
	erlang_pid pid;
	int err;

	err = ed_read_pid(r, &pid);
	if (!err)
		err = put(o, "<");
	if (!err)
		err = put_node(o, pid.node);
	if (!err)
		err = put_format(o, ".%u.%u", pid.num, pid.serial);
	if (!err && (o->flags & ERLDIST_PRINT_CREATION))
		err = put_format(o, ".%u", pid.creation);
	return err ? err : put(o, ">");
}

static int print_ref(struct printer *o, struct ed_reader *r)
{
	erlang_ref ref;
	int err, i;

	err = ed_read_ref(r, &ref);
	if (!err)
		err = put(o, "#Ref<");
	if (!err)
		err = put_node(o, ref.node);
	for (i = 0; !err && i < ref.len; i++)
		err = put_format(o, ".%u", ref.n[i]);
	if (!err && (o->flags & ERLDIST_PRINT_CREATION))
		err = put_format(o, "/%u", ref.creation);
	return err ? err : put(o, ">");
}

static int print_port(struct printer *o, struct ed_reader *r)
{
	erlang_port port;
	int err;

	err = ed_read_port(r, &port);
	if (!err)
		err = put(o, "#Port<");
	if (!err)
		err = put_node(o, port.node);
	return err ? err : put_format(o, ".%llu>", (unsigned long long)port.id);
}

static int print_fun(struct printer *o, struct ed_reader *r)
{
	struct ed_fun fun;
	int err;

	err = ed_read_fun(r, &fun);
	if (!err)
		err = put(o, "#Fun<");
	if (!err)
		err = put_atom(o, &fun.module);
	return err ? err : put_format(o, ".%u.%u>", fun.index, fun.uniq);
}

static int print_export(struct printer *o, struct ed_reader *r)
{
	int err;

	ed_read_bytes(r, 1, NULL);
	err = put(o, "fun ");
	if (!err)
		err = print_atom(o, r);
	if (!err)
		err = put(o, ":");
	if (!err)
		err = print_atom(o, r);
	if (!err)
		err = put(o, "/");
	return err ? err : print_int(o, r);
}

static int print_leaf(struct printer *o, int tag, struct ed_reader *r)
{
	switch (tag) {
	case ERL_INTEGER_EXT:
		return print_int(o, r);
	case ERL_ATOM_EXT:
		return print_atom(o, r);
	case ERL_PID_EXT:
		return print_pid(o, r);
	case ERL_REFERENCE_EXT:
		return print_ref(o, r);
	case ERL_FLOAT_EXT:
		return print_float(o, r);
	case ERL_BINARY_EXT:
		return print_bits(o, r);
	case ERL_PORT_EXT:
		return print_port(o, r);
	case ERL_NEW_FUN_EXT:
		return print_fun(o, r);
	case ERL_EXPORT_EXT:
		return print_export(o, r);
	case ERL_STRING_EXT:
		return print_string(o, r);
	default:
		return -EBADMSG;
	}
}

static const char *opening(int tag)
{
	return tag == ERL_LIST_EXT ? "[" : tag == ERL_MAP_EXT ? "#{" : "{";
}

static const char *before(const struct ed_step *s)
{
	if (s->kind == ED_CLOSE)
		return s->tag == ERL_LIST_EXT ? "]" : "}";
	if (s->tail)
		return "|";
	if (!s->in || s->first)
		return "";
	return s->value ? " => " : ",";
}

static int print_step(struct printer *o, const struct ed_step *s)
{
	int err = put(o, before(s));

	if (err || s->kind == ED_CLOSE)
		return err;
	return s->kind == ED_OPEN ? put(o, opening(s->tag)) : print_leaf(o, s->tag, s->r);
}

static int print_term(struct printer *o, const struct ed_reader *r)
{
	struct ed_walk w;
	struct ed_step s;
	int got, err = 0;

	ed_walk_init(&w);
	w.strings = o->flags & ERLDIST_PRINT_STRINGS;
	ed_walk_start(&w, r->p, r->end, 1);
	while (!err && (got = ed_walk_next(&w, &s)))
		err = got < 0 ? got : print_step(o, &s);
	ed_walk_free(&w);
	return err;
}

ssize_t erldist_print(char **text, const void *term, size_t len, unsigned int flags)
{
	struct printer o = { .flags = flags };
	struct ed_reader r;
	int err;

	*text = NULL;
	ed_reader_init(&r, term, len);
	err = erldist_check(term, len);
	if (!err)
		err = print_term(&o, &r);
	if (!err)
		err = ed_put_u8(&o.text, 0);
	if (err) {
		erldist_term_free(&o.text);
		return err;
	}
	*text = o.text.term;
	return (ssize_t)o.text.len - 1;
}
