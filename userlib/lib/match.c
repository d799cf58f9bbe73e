// SPDX-License-Identifier: LGPL-2.1-or-later
/* Taking terms apart: the pattern is walked beside the term. */
#include <limits.h>
#include <string.h>

#include "internal.h"

/* Patterns are a program's own, so few levels will do, and a small stack */
#define DEPTH_MAX	64

static int match_value(struct ed_parser *ps, struct ed_reader *r);

static int store_int(struct ed_reader *r, long min, long max, long *v)
{
	uint64_t magnitude;
	bool negative;
	int err;

	err = ed_read_int(r, &negative, &magnitude);
	if (err)
		return err;
	if (negative) {
		if (magnitude > (uint64_t)-(min + 1) + 1)
			return -ERANGE;
		*v = (long)-magnitude;
	} else {
		if (magnitude > (uint64_t)max)
			return -ERANGE;
		*v = (long)magnitude;
	}
	return 0;
}

static int match_int(struct ed_reader *r, int *to)
{
	long v;
	int err = store_int(r, INT_MIN, INT_MAX, &v);

	if (!err)
		*to = (int)v;
	return err;
}

static int match_unsigned(struct ed_reader *r, uint64_t *to)
{
	bool negative;
	int err = ed_read_int(r, &negative, to);

	return err ? err : negative ? -ERANGE : 0;
}

static int match_double(struct ed_reader *r, double *to)
{
	uint64_t magnitude;
	bool negative;
	int err = ed_read_float(r, to);

	if (err != -ENOMSG)
		return err;
	err = ed_read_int(r, &negative, &magnitude);
	if (!err)
		*to = negative ? -(double)magnitude : (double)magnitude;
	return err;
}

static int match_atom(struct ed_reader *r, char *to, size_t size)
{
	struct ed_atom a;
	int err = ed_read_atom(r, &a);

	if (err)
		return err;
	if (a.len >= size || memchr(a.s, 0, a.len))
		return -ERANGE;
	memcpy(to, a.s, a.len + 1);
	return 0;
}

static int copy_binary(struct ed_reader *r, char *to, size_t size)
{
	const uint8_t *bytes;
	unsigned int last;
	size_t n;
	int err;

	err = ed_read_bits(r, &bytes, &n, &last);
	if (err)
		return err;
	if (n && last != 8)
		return -ENOMSG;
	if (n >= size || memchr(bytes, 0, n))
		return -ERANGE;
	memcpy(to, bytes, n);
	to[n] = 0;
	return 0;
}

/* A binary, or a list of characters */
static int match_text(struct ed_reader *r, char *to, size_t size)
{
	struct ed_reader *item;
	struct ed_list l;
	size_t len = 0;
	char utf8[4];
	uint64_t c;
	bool negative;
	int err, n;

	err = copy_binary(r, to, size);
	if (err != -ENOMSG)
		return err;
	err = ed_list_begin(&l, r);
	while (!err && (item = ed_list_next(&l))) {
		err = ed_read_int(item, &negative, &c);
		if (err)
			break;
		n = negative || c > UINT32_MAX ? -EILSEQ : ed_utf8_put(utf8, (uint32_t)c);
		if (n < 0)
			return -ENOMSG;
		if (!c || len + (size_t)n >= size)
			return -ERANGE;
		memcpy(to + len, utf8, (size_t)n);
		len += (size_t)n;
	}
	if (err)
		return err == -ERANGE ? -ENOMSG : err;
	if (!size)
		return -ERANGE;
	to[len] = 0;
	item = ed_list_tail(&l);
	return ed_peek(item) == ERL_NIL_EXT ? ed_skip(item) : -ENOMSG;
}

static int match_binary(struct ed_reader *r, struct erldist_slice *to)
{
	const uint8_t *bytes;
	unsigned int last;
	int err = ed_read_bits(r, &bytes, &to->len, &last);

	if (err)
		return err;
	to->term = (const char *)bytes;
	return to->len && last != 8 ? -ENOMSG : 0;
}

static int match_directive(struct ed_parser *ps, struct ed_reader *r)
{
	char *to;

	ps->p += 2;
	switch (ps->p[-1]) {
	case 'i':
		return match_int(r, va_arg(*ps->args, int *));
	case 'l':
		return store_int(r, LONG_MIN, LONG_MAX, va_arg(*ps->args, long *));
	case 'u':
		return match_unsigned(r, va_arg(*ps->args, uint64_t *));
	case 'd':
		return match_double(r, va_arg(*ps->args, double *));
	case 'a':
		to = va_arg(*ps->args, char *);
		return match_atom(r, to, va_arg(*ps->args, size_t));
	case 's':
		to = va_arg(*ps->args, char *);
		return match_text(r, to, va_arg(*ps->args, size_t));
	case 'b':
		return match_binary(r, va_arg(*ps->args, struct erldist_slice *));
	case 'p':
		return ed_read_pid(r, va_arg(*ps->args, erlang_pid *));
	case 'r':
		return ed_read_ref(r, va_arg(*ps->args, erlang_ref *));
	case 't':
		return ed_read_slice(r, va_arg(*ps->args, struct erldist_slice *));
	default:
		return -EINVAL;
	}
}

/* What holds no directive: made a term and compared */
static int match_constant(struct ed_parser *ps, struct ed_reader *r)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice s;
	va_list *args = ps->args;
	int err, same;

	ps->args = NULL;
	err = ed_parse_value(ps, &t);
	ps->args = args;
	if (!err)
		err = ed_read_slice(r, &s);
	if (!err) {
		same = erldist_equal(t.term, t.len, s.term, s.len);
		err = same < 0 ? same : same ? 0 : -ENOMSG;
	}
	erldist_term_free(&t);
	return err;
}

static int match_tuple(struct ed_parser *ps, struct ed_reader *r)
{
	uint32_t arity, i;
	int err;

	err = ed_read_tuple(r, &arity);
	if (err)
		return err;
	ps->p++;
	for (i = 0; i < arity; i++) {
		ed_space(ps);
		if (i && *ps->p++ != ',')
			return ps->p[-1] == '}' ? -ENOMSG : -EINVAL;
		ed_space(ps);
		if (*ps->p == '}')
			return i ? -EINVAL : -ENOMSG;
		err = match_value(ps, r);
		if (err)
			return err;
	}
	ed_space(ps);
	if (*ps->p != '}')
		return !arity || *ps->p == ',' ? -ENOMSG : -EINVAL;
	ps->p++;
	return 0;
}

static bool at_wildcard(const struct ed_parser *ps)
{
	return ps->p[0] == '_' && !(ps->p[1] == '_' || ps->p[1] == '@' ||
				    (ps->p[1] >= '0' && ps->p[1] <= '9') ||
				    ((ps->p[1] | 32) >= 'a' && (ps->p[1] | 32) <= 'z'));
}

/* Behind the |, or where ] stands for |[] */
static int match_tail(struct ed_parser *ps, struct ed_list *l)
{
	struct ed_reader *item;
	int err = 0;

	ed_space(ps);
	if (!l->left)
		return match_value(ps, ed_list_tail(l));
	if (!at_wildcard(ps))
		return *ps->p == '~' ? -EOPNOTSUPP : -ENOMSG;
	ps->p++;
	while (!err && (item = ed_list_next(l)))
		err = ed_skip(item);
	return err ? err : ed_skip(ed_list_tail(l));
}

static int end_list(struct ed_parser *ps, struct ed_list *l)
{
	struct ed_reader *tail;
	int err;

	if (*ps->p == '|') {
		ps->p++;
		err = match_tail(ps, l);
		ed_space(ps);
		if (!err && *ps->p++ != ']')
			err = -EINVAL;
		return err;
	}
	if (*ps->p != ']')
		return *ps->p == ',' ? -ENOMSG : -EINVAL;
	ps->p++;
	/* The tail may be a list of no elements. */
	if (ed_list_next(l))
		return -ENOMSG;
	tail = ed_list_tail(l);
	return ed_peek(tail) == ERL_NIL_EXT ? ed_skip(tail) : -ENOMSG;
}

static int match_list(struct ed_parser *ps, struct ed_reader *r)
{
	struct ed_reader *item;
	struct ed_list l;
	bool first = true;
	int err;

	err = ed_list_begin(&l, r);
	if (err)
		return err;
	ps->p++;
	ed_space(ps);
	while (first ? *ps->p != ']' : *ps->p == ',') {
		ps->p += !first;
		first = false;
		item = ed_list_next(&l);
		if (!item)
			return -ENOMSG;
		err = match_value(ps, item);
		if (err)
			return err;
		ed_space(ps);
	}
	return end_list(ps, &l);
}

/* The value of a key; -ENOMSG if the map has it not */
static int find_key(struct ed_reader pairs, uint32_t n, const struct erldist_term *key,
		    struct erldist_slice *value)
{
	struct erldist_slice k;
	int same;

	while (n--) {
		if (ed_read_slice(&pairs, &k) || ed_read_slice(&pairs, value))
			return -EBADMSG;
		same = erldist_equal(key->term, key->len, k.term, k.len);
		if (same)
			return same < 0 ? same : 0;
	}
	return -ENOMSG;
}

static int match_pair(struct ed_parser *ps, const struct ed_reader *pairs, uint32_t n)
{
	struct erldist_term key = ERLDIST_TERM_INIT;
	struct erldist_slice value;
	va_list *args = ps->args;
	struct ed_reader r;
	int err;

	ps->args = NULL;
	err = ed_parse_value(ps, &key);
	ps->args = args;
	ed_space(ps);
	if (!err && (ps->p[0] != '=' || ps->p[1] != '>'))
		err = -EINVAL;
	if (!err)
		err = find_key(*pairs, n, &key, &value);
	erldist_term_free(&key);
	if (err)
		return err;
	ps->p += 2;
	r.p = (const uint8_t *)value.term;
	r.end = r.p + value.len;
	return match_value(ps, &r);
}

static int match_map(struct ed_parser *ps, struct ed_reader *r)
{
	struct erldist_slice whole;
	struct ed_reader pairs = *r;
	uint32_t n;
	int err;

	err = ed_read_map(&pairs, &n);
	if (!err)
		err = ed_read_slice(r, &whole);
	if (err)
		return err;
	ps->p += 2;
	ed_space(ps);
	if (*ps->p == '}') {
		ps->p++;
		return 0;
	}
	for (;;) {
		err = match_pair(ps, &pairs, n);
		if (err)
			return err;
		ed_space(ps);
		if (*ps->p == '}')
			break;
		if (*ps->p++ != ',')
			return -EINVAL;
	}
	ps->p++;
	return 0;
}

static int match_value(struct ed_parser *ps, struct ed_reader *r)
{
	int err;

	ed_space(ps);
	ed_skip_empty_lists(r);
	if (*ps->p == '~')
		return match_directive(ps, r);
	if (at_wildcard(ps)) {
		ps->p++;
		return ed_skip(r);
	}
	if (++ps->depth > DEPTH_MAX)
		return -EINVAL;
	if (*ps->p == '{')
		err = match_tuple(ps, r);
	else if (*ps->p == '[')
		err = match_list(ps, r);
	else if (ps->p[0] == '#' && ps->p[1] == '{')
		err = match_map(ps, r);
	else
		err = match_constant(ps, r);
	ps->depth--;
	return err;
}

int erldist_match(const void *term, size_t len, const char *pattern, ...)
{
	struct ed_parser ps = { .begin = pattern, .p = pattern };
	struct ed_reader r;
	va_list args;
	int err;

	ed_reader_init(&r, term, len);
	va_start(args, pattern);
	ps.args = &args;
	err = match_value(&ps, &r);
	va_end(args);
	if (err)
		return err;
	ed_space(&ps);
	if (*ps.p)
		return -EINVAL;
	return ed_left(&r) ? -EBADMSG : 0;
}
