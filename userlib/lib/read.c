// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading terms. The ei_decode functions take no length, and what a peer sends
 * is checked by nobody before it is here: so each read is bounded by the end of
 * the message, and a malformed term is -EBADMSG.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define SMALL_INTS_16(n)						\
	{ 97, (n) }, { 97, (n) + 1 }, { 97, (n) + 2 }, { 97, (n) + 3 },	\
	{ 97, (n) + 4 }, { 97, (n) + 5 }, { 97, (n) + 6 }, { 97, (n) + 7 }, \
	{ 97, (n) + 8 }, { 97, (n) + 9 }, { 97, (n) + 10 }, { 97, (n) + 11 }, \
	{ 97, (n) + 12 }, { 97, (n) + 13 }, { 97, (n) + 14 }, { 97, (n) + 15 }

/* An element of STRING_EXT is no term where it stands; these are */
static const uint8_t small_ints[256][2] = {
	SMALL_INTS_16(0), SMALL_INTS_16(16), SMALL_INTS_16(32), SMALL_INTS_16(48),
	SMALL_INTS_16(64), SMALL_INTS_16(80), SMALL_INTS_16(96), SMALL_INTS_16(112),
	SMALL_INTS_16(128), SMALL_INTS_16(144), SMALL_INTS_16(160), SMALL_INTS_16(176),
	SMALL_INTS_16(192), SMALL_INTS_16(208), SMALL_INTS_16(224), SMALL_INTS_16(240),
};

static const uint8_t nil[1] = { ERL_NIL_EXT };

void ed_reader_init(struct ed_reader *r, const void *term, size_t len)
{
	r->p = term;
	r->end = r->p + len;
	if (len && *r->p == ED_VERSION_MAGIC)
		r->p++;
}

size_t ed_left(const struct ed_reader *r)
{
	return (size_t)(r->end - r->p);
}

int ed_peek(const struct ed_reader *r)
{
	return r->p < r->end ? *r->p : -EBADMSG;
}

int ed_read_bytes(struct ed_reader *r, size_t n, const uint8_t **bytes)
{
	if (ed_left(r) < n)
		return -EBADMSG;
	if (bytes)
		*bytes = r->p;
	r->p += n;
	return 0;
}

static int read_number(struct ed_reader *r, size_t n, uint64_t *v)
{
	const uint8_t *b;
	size_t i;

	if (ed_read_bytes(r, n, &b))
		return -EBADMSG;
	for (*v = 0, i = 0; i < n; i++)
		*v = *v << 8 | b[i];
	return 0;
}

int ed_read_u8(struct ed_reader *r, uint8_t *v)
{
	uint64_t x = 0;
	int err = read_number(r, 1, &x);

	*v = (uint8_t)x;
	return err;
}

int ed_read_u16(struct ed_reader *r, uint16_t *v)
{
	uint64_t x = 0;
	int err = read_number(r, 2, &x);

	*v = (uint16_t)x;
	return err;
}

int ed_read_u32(struct ed_reader *r, uint32_t *v)
{
	uint64_t x = 0;
	int err = read_number(r, 4, &x);

	*v = (uint32_t)x;
	return err;
}

int ed_read_u64(struct ed_reader *r, uint64_t *v)
{
	*v = 0;
	return read_number(r, 8, v);
}

bool ed_is_atom(int tag)
{
	return tag == ERL_SMALL_ATOM_UTF8_EXT || tag == ERL_ATOM_UTF8_EXT ||
	       tag == ERL_SMALL_ATOM_EXT || tag == ERL_ATOM_EXT;
}

bool ed_is_int(int tag)
{
	return tag == ERL_SMALL_INTEGER_EXT || tag == ERL_INTEGER_EXT ||
	       tag == ERL_SMALL_BIG_EXT || tag == ERL_LARGE_BIG_EXT;
}

bool ed_is_pid(int tag)
{
	return tag == ERL_NEW_PID_EXT || tag == ERL_PID_EXT;
}

bool ed_is_ref(int tag)
{
	return tag == ERL_NEWER_REFERENCE_EXT || tag == ERL_NEW_REFERENCE_EXT ||
	       tag == ERL_REFERENCE_EXT;
}

static int read_atom_bytes(struct ed_reader *r, const uint8_t **s, size_t *len, bool *latin1)
{
	uint16_t long_len;
	uint8_t tag, short_len;
	int err;

	err = ed_read_u8(r, &tag);
	if (err)
		return err;
	if (!ed_is_atom(tag))
		return -ENOMSG;
	*latin1 = tag == ERL_SMALL_ATOM_EXT || tag == ERL_ATOM_EXT;
	if (tag == ERL_SMALL_ATOM_UTF8_EXT || tag == ERL_SMALL_ATOM_EXT) {
		err = ed_read_u8(r, &short_len);
		*len = short_len;
	} else {
		err = ed_read_u16(r, &long_len);
		*len = long_len;
	}
	return err ? err : ed_read_bytes(r, *len, s);
}

/* An atom in any encoding, as UTF-8 */
int ed_read_atom(struct ed_reader *r, struct ed_atom *a)
{
	struct ed_reader at = *r;
	const uint8_t *s;
	size_t i, len;
	ssize_t count;
	bool latin1;
	int err;

	err = read_atom_bytes(&at, &s, &len, &latin1);
	if (err)
		return err;
	count = latin1 ? (ssize_t)len : ed_utf8_count((const char *)s, len);
	if (count < 0 || count > 255)
		return -EBADMSG;
	a->len = 0;
	if (latin1) {
		for (i = 0; i < len; i++)
			a->len += (size_t)ed_utf8_put(a->s + a->len, s[i]);
	} else {
		memcpy(a->s, s, len);
		a->len = len;
	}
	a->s[a->len] = 0;
	*r = at;
	return 0;
}

bool ed_read_this_atom(struct ed_reader *r, const char *name)
{
	struct ed_reader at = *r;
	size_t len, want = strlen(name);
	const uint8_t *s;
	bool latin1;

	/* used with ASCII names only, which all encodings spell alike */
	if (read_atom_bytes(&at, &s, &len, &latin1) || len != want || memcmp(s, name, want))
		return false;
	*r = at;
	return true;
}

int ed_read_tuple(struct ed_reader *r, uint32_t *arity)
{
	struct ed_reader at = *r;
	uint8_t tag, small;
	int err;

	err = ed_read_u8(&at, &tag);
	if (err)
		return err;
	if (tag == ERL_SMALL_TUPLE_EXT) {
		err = ed_read_u8(&at, &small);
		*arity = small;
	} else if (tag == ERL_LARGE_TUPLE_EXT) {
		err = ed_read_u32(&at, arity);
	} else {
		return -ENOMSG;
	}
	if (err || *arity > ed_left(&at))
		return -EBADMSG;
	*r = at;
	return 0;
}

int ed_read_map(struct ed_reader *r, uint32_t *pairs)
{
	struct ed_reader at = *r;
	uint8_t tag;

	if (ed_read_u8(&at, &tag))
		return -EBADMSG;
	if (tag != ERL_MAP_EXT)
		return -ENOMSG;
	if (ed_read_u32(&at, pairs) || *pairs > ed_left(&at) / 2)
		return -EBADMSG;
	*r = at;
	return 0;
}

int ed_list_begin(struct ed_list *l, struct ed_reader *r)
{
	struct ed_reader at = *r;
	uint32_t left = 0;
	uint16_t len;
	uint8_t tag;

	l->r = r;
	l->left = 0;
	l->string = false;	/* until it is known to be one: a tail may be malformed */
	if (ed_read_u8(&at, &tag))
		return -EBADMSG;
	if (tag == ERL_STRING_EXT) {
		if (ed_read_u16(&at, &len) || len > ed_left(&at))
			return -EBADMSG;
		left = len;
	} else if (tag == ERL_LIST_EXT) {
		if (ed_read_u32(&at, &left) || left >= ed_left(&at))
			return -EBADMSG;
	} else if (tag != ERL_NIL_EXT) {
		return -ENOMSG;
	}
	l->left = left;
	l->string = tag != ERL_LIST_EXT;
	*r = at;
	return 0;
}

/* A list of no elements is its tail, be that what it may */
void ed_skip_empty_lists(struct ed_reader *r)
{
	static const uint8_t empty[5] = { ERL_LIST_EXT };

	while (ed_left(r) > sizeof(empty) && !memcmp(r->p, empty, sizeof(empty)))
		r->p += sizeof(empty);
}

/*
 * The reader to take the next element from, which must be taken; NULL at the end.
 * A tail that is a list itself goes on with its elements.
 */
struct ed_reader *ed_list_next(struct ed_list *l)
{
	int tag;

	while (!l->left && !l->string) {
		tag = ed_peek(l->r);
		if ((tag != ERL_LIST_EXT && tag != ERL_STRING_EXT) || ed_list_begin(l, l->r))
			return NULL;
	}
	if (!l->left)
		return NULL;
	l->left--;
	if (!l->string)
		return l->r;
	l->item.p = small_ints[*l->r->p++];
	l->item.end = l->item.p + 2;
	return &l->item;
}

/* After the last element: the reader to take the tail from */
struct ed_reader *ed_list_tail(struct ed_list *l)
{
	if (!l->string)
		return l->r;
	l->item.p = nil;
	l->item.end = nil + 1;
	return &l->item;
}

int ed_read_big(struct ed_reader *r, bool *negative, const uint8_t **digits, size_t *n)
{
	struct ed_reader at = *r;
	uint8_t tag, len, sign;
	uint32_t long_len;
	int err;

	err = ed_read_u8(&at, &tag);
	if (err)
		return err;
	if (tag == ERL_SMALL_BIG_EXT) {
		err = ed_read_u8(&at, &len);
		*n = len;
	} else if (tag == ERL_LARGE_BIG_EXT) {
		err = ed_read_u32(&at, &long_len);
		*n = long_len;
	} else {
		return -ENOMSG;
	}
	if (err || ed_read_u8(&at, &sign) || ed_read_bytes(&at, *n, digits))
		return -EBADMSG;
	while (*n && !(*digits)[*n - 1])
		(*n)--;
	*negative = sign && *n;
	*r = at;
	return 0;
}

/* Any integer of up to 64 bits and a sign; -ERANGE if it is larger */
int ed_read_int(struct ed_reader *r, bool *negative, uint64_t *magnitude)
{
	struct ed_reader at = *r;
	const uint8_t *digits;
	uint8_t tag, small;
	uint32_t word;
	size_t n;
	int err;

	err = ed_read_u8(&at, &tag);
	if (err)
		return err;
	*negative = false;
	*magnitude = 0;
	if (tag == ERL_SMALL_INTEGER_EXT) {
		err = ed_read_u8(&at, &small);
		*magnitude = small;
	} else if (tag == ERL_INTEGER_EXT) {
		err = ed_read_u32(&at, &word);
		*negative = (int32_t)word < 0;
		*magnitude = *negative ? (uint64_t)-(int64_t)(int32_t)word : word;
	} else {
		at = *r;
		err = ed_read_big(&at, negative, &digits, &n);
		if (!err && n > 8)
			err = -ERANGE;
		while (!err && n--)
			*magnitude = *magnitude << 8 | digits[n];
	}
	if (!err)
		*r = at;
	return err;
}

int ed_read_float(struct ed_reader *r, double *v)
{
	struct ed_reader at = *r;
	const uint8_t *text;
	char copy[32];
	uint64_t bits;
	uint8_t tag;
	int err;

	err = ed_read_u8(&at, &tag);
	if (err)
		return err;
	if (tag == NEW_FLOAT_EXT) {
		err = ed_read_u64(&at, &bits);
		memcpy(v, &bits, sizeof(*v));
	} else if (tag == ERL_FLOAT_EXT) {
		err = ed_read_bytes(&at, 31, &text);
		/* ei takes it for a C string */
		if (!err && !memchr(text, 0, 31))
			err = -EBADMSG;
		if (!err) {
			memcpy(copy, text, 31);
			copy[31] = 0;
			err = ed_float_value(copy, v);
		}
	} else {
		return -ENOMSG;
	}
	if (err || !isfinite(*v))
		return -EBADMSG;
	*r = at;
	return 0;
}

/* A binary or bit string; last: bits used of its last byte, 8 in a binary */
int ed_read_bits(struct ed_reader *r, const uint8_t **bytes, size_t *n, unsigned int *last)
{
	struct ed_reader at = *r;
	uint8_t tag, bits = 8;
	uint32_t len;

	if (ed_read_u8(&at, &tag))
		return -EBADMSG;
	if (tag != ERL_BINARY_EXT && tag != ERL_BIT_BINARY_EXT)
		return -ENOMSG;
	if (ed_read_u32(&at, &len))
		return -EBADMSG;
	if (tag == ERL_BIT_BINARY_EXT && ed_read_u8(&at, &bits))
		return -EBADMSG;
	if (bits > 8 || (!bits && len) || (bits && bits < 8 && !len) ||
	    ed_read_bytes(&at, len, bytes))
		return -EBADMSG;
	*n = len;
	*last = bits;
	*r = at;
	return 0;
}

/* The node of a pid and the like, as a C string */
static int read_node(struct ed_reader *r, char node[MAXATOMLEN_UTF8])
{
	struct ed_atom a;

	if (ed_read_atom(r, &a) || memchr(a.s, 0, a.len))
		return -EBADMSG;
	memcpy(node, a.s, a.len + 1);
	return 0;
}

static int read_creation(struct ed_reader *r, bool old, unsigned int *creation)
{
	uint8_t small;
	uint32_t word;
	int err;

	if (old) {
		err = ed_read_u8(r, &small);
		*creation = small & 3;
	} else {
		err = ed_read_u32(r, &word);
		*creation = word;
	}
	return err;
}

int ed_read_pid(struct ed_reader *r, erlang_pid *pid)
{
	struct ed_reader at = *r;
	uint32_t num, serial;
	uint8_t tag;

	if (ed_read_u8(&at, &tag))
		return -EBADMSG;
	if (!ed_is_pid(tag))
		return -ENOMSG;
	if (read_node(&at, pid->node) || ed_read_u32(&at, &num) || ed_read_u32(&at, &serial) ||
	    read_creation(&at, tag == ERL_PID_EXT, &pid->creation))
		return -EBADMSG;
	pid->num = num;
	pid->serial = serial;
	*r = at;
	return 0;
}

static int read_ref_words(struct ed_reader *r, erlang_ref *ref)
{
	uint32_t word;
	int i;

	for (i = 0; i < ref->len; i++) {
		if (ed_read_u32(r, &word))
			return -EBADMSG;
		ref->n[i] = word;
	}
	return 0;
}

int ed_read_ref(struct ed_reader *r, erlang_ref *ref)
{
	struct ed_reader at = *r;
	uint16_t len = 1;
	uint8_t tag;

	memset(ref, 0, sizeof(*ref));
	if (ed_read_u8(&at, &tag))
		return -EBADMSG;
	if (!ed_is_ref(tag))
		return -ENOMSG;
	if (tag != ERL_REFERENCE_EXT && ed_read_u16(&at, &len))
		return -EBADMSG;
	if (len < 1 || len > ED_ARRAY_SIZE(ref->n) || read_node(&at, ref->node))
		return -EBADMSG;
	ref->len = len;
	if (tag == ERL_REFERENCE_EXT) {
		if (read_ref_words(&at, ref) || read_creation(&at, true, &ref->creation))
			return -EBADMSG;
	} else if (read_creation(&at, tag == ERL_NEW_REFERENCE_EXT, &ref->creation) ||
		   read_ref_words(&at, ref)) {
		return -EBADMSG;
	}
	*r = at;
	return 0;
}

int ed_read_port(struct ed_reader *r, erlang_port *port)
{
	struct ed_reader at = *r;
	uint64_t id = 0;
	uint32_t word;
	uint8_t tag;
	int err;

	if (ed_read_u8(&at, &tag))
		return -EBADMSG;
	if (tag != ERL_V4_PORT_EXT && tag != ERL_NEW_PORT_EXT && tag != ERL_PORT_EXT)
		return -ENOMSG;
	if (read_node(&at, port->node))
		return -EBADMSG;
	if (tag == ERL_V4_PORT_EXT) {
		err = ed_read_u64(&at, &id);
	} else {
		err = ed_read_u32(&at, &word);
		id = word;
	}
	if (err || read_creation(&at, tag == ERL_PORT_EXT, &port->creation))
		return -EBADMSG;
	port->id = id;
	*r = at;
	return 0;
}

static int read_fun_number(struct ed_reader *r, uint32_t *v)
{
	uint64_t magnitude;
	bool negative;

	if (ed_read_int(r, &negative, &magnitude))
		return -EBADMSG;
	*v = (uint32_t)(negative ? -magnitude : magnitude);
	return 0;
}

/* A fun up to its environment, which is fun->env; r is then behind all of it */
int ed_read_fun(struct ed_reader *r, struct ed_fun *fun)
{
	struct ed_reader at = *r;
	const uint8_t *body;
	uint32_t size;
	uint8_t tag;

	if (ed_read_u8(&at, &tag))
		return -EBADMSG;
	if (tag != ERL_NEW_FUN_EXT)
		return -ENOMSG;
	if (ed_read_u32(&at, &size) || size < 4 || ed_read_bytes(&at, size - 4, &body))
		return -EBADMSG;
	fun->env.p = body;
	fun->env.end = at.p;
	/* the pid of its maker is no part of what it is */
	if (ed_read_bytes(&fun->env, sizeof(fun->id), &body) ||
	    ed_read_u32(&fun->env, &fun->index) || ed_read_u32(&fun->env, &fun->free_vars) ||
	    ed_read_atom(&fun->env, &fun->module) ||
	    read_fun_number(&fun->env, &fun->old_index) ||
	    read_fun_number(&fun->env, &fun->uniq) || !ed_is_pid(ed_peek(&fun->env)) ||
	    ed_skip(&fun->env) || fun->free_vars > ed_left(&fun->env))
		return -EBADMSG;
	memcpy(fun->id, body, sizeof(fun->id));
	*r = at;
	return 0;
}

static int skip_atom(struct ed_reader *r)
{
	const uint8_t *s;
	ssize_t count;
	bool latin1;
	size_t len;

	if (read_atom_bytes(r, &s, &len, &latin1))
		return -EBADMSG;
	count = latin1 ? (ssize_t)len : ed_utf8_count((const char *)s, len);
	return count < 0 || count > 255 ? -EBADMSG : 0;
}

/* Like read_node(): the structures of ei hold the name as a C string */
static int skip_id(struct ed_reader *r, size_t rest)
{
	const uint8_t *s;
	bool latin1;
	size_t len;
	struct ed_reader at = *r;

	if (skip_atom(r) || read_atom_bytes(&at, &s, &len, &latin1) || memchr(s, 0, len))
		return -EBADMSG;
	return ed_read_bytes(r, rest, NULL);
}

static int skip_counted(struct ed_reader *r, size_t length_bytes, size_t more)
{
	uint64_t n;

	if (read_number(r, length_bytes, &n) || n > SIZE_MAX - more)
		return -EBADMSG;
	return ed_read_bytes(r, n + more, NULL);
}

static int skip_ref(struct ed_reader *r, size_t creation)
{
	erlang_ref *ref;
	uint16_t words;

	if (ed_read_u16(r, &words) || words < 1 || words > ED_ARRAY_SIZE(ref->n))
		return -EBADMSG;
	return skip_id(r, creation + 4 * (size_t)words);
}

static int skip_float(struct ed_reader *r)
{
	double v;

	r->p--;
	return ed_read_float(r, &v);
}

/* A bit string with what ed_read_bits() wants of its last byte */
static int skip_bits(struct ed_reader *r)
{
	const uint8_t *bytes;
	unsigned int last;
	size_t n;

	r->p--;
	return ed_read_bits(r, &bytes, &n, &last);
}

static int skip_export(struct ed_reader *r)
{
	uint64_t arity;
	bool negative;

	if (skip_atom(r) || skip_atom(r) || ed_read_int(r, &negative, &arity))
		return -EBADMSG;
	return negative || arity > 255 ? -EBADMSG : 0;
}

/*
 * Funs that the term being stepped over is in. A fun has a size and a number of
 * free variables, and ei goes by the one and by the other: they must agree.
 */
struct open_fun {
	uint64_t todo;		/* terms that are left when the fun ends */
	const uint8_t *end;	/* where it must end then */
};

struct open_funs {
	struct open_fun *fun;
	size_t n, size;
	struct open_fun few[8];
};

static int push_fun(struct open_funs *o, uint64_t todo, const uint8_t *end)
{
	struct open_fun *mem;

	if (o->n == o->size) {
		mem = realloc(o->fun == o->few ? NULL : o->fun, 2 * o->size * sizeof(*mem));
		if (!mem)
			return -ENOMEM;
		if (o->fun == o->few)
			memcpy(mem, o->few, sizeof(o->few));
		o->fun = mem;
		o->size *= 2;
	}
	o->fun[o->n++] = (struct open_fun){ todo, end };
	return 0;
}

/* The part of a fun before its free variables */
static int skip_fun(struct ed_reader *r, struct open_funs *o, uint64_t todo, uint64_t *more)
{
	const uint8_t *begin = r->p;
	uint32_t size, free_vars, number;

	/* arity, MD5, index, free variables; module, old index, old uniq, pid */
	if (ed_read_u32(r, &size) || size > ed_left(r) + 4 ||
	    ed_read_bytes(r, 1 + 16 + 4, NULL) || ed_read_u32(r, &free_vars) || skip_atom(r) ||
	    read_fun_number(r, &number) || read_fun_number(r, &number) ||
	    !ed_is_pid(ed_peek(r)) || ed_skip(r))
		return -EBADMSG;
	*more = free_vars;
	return push_fun(o, todo, begin + size);
}

/* A term's own bytes. *more is the number of terms that follow as its parts */
static int skip_one(struct ed_reader *r, struct open_funs *o, uint64_t todo, uint64_t *more)
{
	uint32_t n;
	uint8_t tag;

	*more = 0;
	if (ed_read_u8(r, &tag))
		return -EBADMSG;
	switch (tag) {
	case ERL_NIL_EXT:
		return 0;
	case ERL_SMALL_INTEGER_EXT:
		return ed_read_bytes(r, 1, NULL);
	case ERL_INTEGER_EXT:
		return ed_read_bytes(r, 4, NULL);
	case NEW_FLOAT_EXT:
	case ERL_FLOAT_EXT:
		return skip_float(r);
	case ERL_SMALL_ATOM_UTF8_EXT:
	case ERL_SMALL_ATOM_EXT:
	case ERL_ATOM_UTF8_EXT:
	case ERL_ATOM_EXT:
		r->p--;
		return skip_atom(r);
	case ERL_STRING_EXT:
		return skip_counted(r, 2, 0);
	case ERL_SMALL_BIG_EXT:
		return skip_counted(r, 1, 1);
	case ERL_LARGE_BIG_EXT:
		return skip_counted(r, 4, 1);
	case ERL_BIT_BINARY_EXT:
		return skip_bits(r);
	case ERL_BINARY_EXT:
		return skip_counted(r, 4, 0);
	case ERL_NEW_PID_EXT:
	case ERL_V4_PORT_EXT:
		return skip_id(r, 12);
	case ERL_PID_EXT:
		return skip_id(r, 9);
	case ERL_NEW_PORT_EXT:
		return skip_id(r, 8);
	case ERL_PORT_EXT:
	case ERL_REFERENCE_EXT:
		return skip_id(r, 5);
	case ERL_NEWER_REFERENCE_EXT:
		return skip_ref(r, 4);
	case ERL_NEW_REFERENCE_EXT:
		return skip_ref(r, 1);
	case ERL_NEW_FUN_EXT:
		return skip_fun(r, o, todo, more);
	case ERL_EXPORT_EXT:
		return skip_export(r);
	case ERL_SMALL_TUPLE_EXT:
	case ERL_LARGE_TUPLE_EXT:
		r->p--;
		if (ed_read_tuple(r, &n))
			return -EBADMSG;
		*more = n;
		return 0;
	case ERL_LIST_EXT:
		if (ed_read_u32(r, &n))
			return -EBADMSG;
		*more = (uint64_t)n + 1;
		return 0;
	case ERL_MAP_EXT:
		if (ed_read_u32(r, &n))
			return -EBADMSG;
		*more = 2 * (uint64_t)n;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int skip_all(struct ed_reader *r, struct open_funs *o)
{
	uint64_t todo = 1, more;
	int err;

	for (;; todo += more) {
		for (; o->n && o->fun[o->n - 1].todo == todo; o->n--)
			if (o->fun[o->n - 1].end != r->p)
				return -EBADMSG;
		if (!todo)
			return 0;
		todo--;
		err = skip_one(r, o, todo, &more);
		if (err)
			return err;
		/* each part has a byte at least, so the sum cannot overflow */
		if (more > ed_left(r))
			return -EBADMSG;
	}
}

/* Step over a term, without recursion: it may be nested as deeply as it is long */
int ed_skip(struct ed_reader *r)
{
	struct open_funs o = { .fun = o.few, .size = ED_ARRAY_SIZE(o.few) };
	int err = skip_all(r, &o);

	if (o.fun != o.few)
		free(o.fun);
	return err;
}

int ed_read_slice(struct ed_reader *r, struct erldist_slice *s)
{
	const uint8_t *begin = r->p;
	int err = ed_skip(r);

	if (err)
		return err;
	s->term = (const char *)begin;
	s->len = (size_t)(r->p - begin);
	return 0;
}

int erldist_check(const void *term, size_t len)
{
	struct ed_reader r;

	int err;

	ed_reader_init(&r, term, len);
	err = ed_skip(&r);
	return err ? err : ed_left(&r) ? -EBADMSG : 0;
}
