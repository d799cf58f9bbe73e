// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term.h"

void buf_free(struct buf *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
	if (b->len + n > b->cap) {
		b->cap = (b->len + n) * 2 + 64;
		b->p = realloc(b->p, b->cap);
		if (!b->p)
			abort();
	}
	b->len += n;
	return b->p + b->len - n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_grow(b, n);

	if (n)
		memcpy(to, p, n);
}

void buf_u8(struct buf *b, uint8_t v)
{
	*buf_grow(b, 1) = v;
}

static void buf_be(struct buf *b, uint64_t v, int bytes)
{
	uint8_t *p = buf_grow(b, bytes);

	while (bytes--) {
		p[bytes] = v;
		v >>= 8;
	}
}

void buf_be16(struct buf *b, uint16_t v)
{
	buf_be(b, v, 2);
}

void buf_be32(struct buf *b, uint32_t v)
{
	buf_be(b, v, 4);
}

void buf_be64(struct buf *b, uint64_t v)
{
	buf_be(b, v, 8);
}

struct buf *buf_hex(struct buf *b, const char *hex)
{
	unsigned int v;
	int n;

	while (sscanf(hex, " %2x%n", &v, &n) == 1) {
		buf_u8(b, v);
		hex += n;
	}
	return b;
}

bool buf_eq(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && !memcmp(a->p, b->p, a->len);
}

void buf_dump(const char *what, const struct buf *b)
{
	fprintf(stderr, "# %s, %zu bytes:", what, b->len);
	for (size_t i = 0; i < b->len && i < 160; i++)
		fprintf(stderr, " %02x", b->p[i]);
	fprintf(stderr, "\n");
}

static uint64_t get_be(const uint8_t *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

uint16_t get16(const uint8_t *p)
{
	return get_be(p, 2);
}

uint32_t get32(const uint8_t *p)
{
	return get_be(p, 4);
}

uint64_t get64(const uint8_t *p)
{
	return get_be(p, 8);
}

static void put_atom(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	if (n < 256) {
		buf_u8(b, 119);
		buf_u8(b, n);
	} else {
		buf_u8(b, 118);
		buf_be16(b, n);
	}
	buf_add(b, s, n);
}

static void put_int(struct buf *b, int v)
{
	if (v >= 0 && v < 256) {
		buf_u8(b, 97);
		buf_u8(b, v);
	} else {
		buf_u8(b, 98);
		buf_be32(b, v);
	}
}

static void put_u64(struct buf *b, uint64_t v)
{
	int n = 0;

	if (v < 0x80000000) {
		put_int(b, v);
		return;
	}
	while (n < 8 && v >> (8 * n))
		n++;
	buf_u8(b, 110);
	buf_u8(b, n);
	buf_u8(b, 0);
	for (; n; n--, v >>= 8)
		buf_u8(b, v);
}

static void put_binary(struct buf *b, const void *p, size_t len)
{
	buf_u8(b, 109);
	buf_be32(b, len);
	buf_add(b, p, len);
}

static void put_pid(struct buf *b, const struct epid *pid)
{
	buf_u8(b, 88);
	put_atom(b, pid->node);
	buf_be32(b, pid->id);
	buf_be32(b, pid->serial);
	buf_be32(b, pid->creation);
}

static void put_ref(struct buf *b, const struct eref *ref)
{
	buf_u8(b, 90);
	buf_be16(b, ref->n);
	put_atom(b, ref->node);
	buf_be32(b, ref->creation);
	for (uint32_t i = 0; i < ref->n; i++)
		buf_be32(b, ref->word[i]);
}

/* Terms from *f to where the opening bracket is closed; their number. */
static int put_terms(struct buf *b, const char **f, va_list *ap);

static void put_tuple(struct buf *b, const char **f, va_list *ap)
{
	size_t at = b->len + 1;
	int n;

	buf_u8(b, 104);
	buf_u8(b, 0);
	n = put_terms(b, f, ap);
	b->p[at] = n;
}

static void put_list(struct buf *b, const char **f, va_list *ap)
{
	size_t at = b->len + 1;
	int n;

	buf_u8(b, 108);
	buf_be32(b, 0);
	n = put_terms(b, f, ap);
	if ((*f)[-1] == '|')
		put_terms(b, f, ap);
	else
		buf_u8(b, 106);
	b->p[at + 3] = n;
	if (!n) {		/* [] has a tag of its own */
		b->len = at - 1;
		buf_u8(b, 106);
	}
}

static void put_leaf(struct buf *b, char c, va_list *ap)
{
	const struct buf *t;
	const char *s;
	const void *p;

	switch (c) {
	case 'a':
		put_atom(b, va_arg(*ap, const char *));
		break;
	case 'i':
		put_int(b, va_arg(*ap, int));
		break;
	case 'u':
		put_u64(b, va_arg(*ap, uint64_t));
		break;
	case 'b':
		s = va_arg(*ap, const char *);
		put_binary(b, s, strlen(s));
		break;
	case 'B':
		p = va_arg(*ap, const void *);
		put_binary(b, p, va_arg(*ap, size_t));
		break;
	case 'p':
		put_pid(b, va_arg(*ap, const struct epid *));
		break;
	case 'r':
		put_ref(b, va_arg(*ap, const struct eref *));
		break;
	case 't':
		t = va_arg(*ap, const struct buf *);
		buf_add(b, t->p, t->len);
		break;
	default:
		fprintf(stderr, "# bad term format '%c'\n", c);
		abort();
	}
}

static int put_terms(struct buf *b, const char **f, va_list *ap)
{
	int n = 0;
	char c;

	while ((c = *(*f))) {
		(*f)++;
		if (c == ',' || c == ' ')
			continue;
		if (c == '}' || c == ']' || c == '|')
			return n;
		n++;
		if (c == '{')
			put_tuple(b, f, ap);
		else if (c == '[')
			put_list(b, f, ap);
		else
			put_leaf(b, c, ap);
	}
	return n;
}

struct buf *fmt(struct buf *b, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	put_terms(b, &f, &ap);
	va_end(ap);
	return b;
}

struct buf *term(struct buf *b, const char *f, ...)
{
	va_list ap;

	b->len = 0;
	va_start(ap, f);
	put_terms(b, &f, &ap);
	va_end(ap);
	return b;
}

/* Bytes of the head of a term, its raw contents included; terms inside. */
static ssize_t head_len(const uint8_t *p, size_t len, uint64_t *inside)
{
	*inside = 0;
	if (!len)
		return -1;
	switch (p[0]) {
	case 97:
		return 2;
	case 98:
		return 5;
	case 70:
		return 9;
	case 99:
		return 32;
	case 106:
		return 1;
	case 119:
	case 115:
		return len < 2 ? -1 : 2 + p[1];
	case 118:
	case 100:
	case 107:
		return len < 3 ? -1 : 3 + get16(p + 1);
	case 109:
		return len < 5 ? -1 : 5 + (ssize_t)get32(p + 1);
	case 77:
		return len < 5 ? -1 : 6 + (ssize_t)get32(p + 1);
	case 110:
		return len < 2 ? -1 : 3 + p[1];
	case 111:
		return len < 5 ? -1 : 6 + (ssize_t)get32(p + 1);
	case 104:
		*inside = len < 2 ? 0 : p[1];
		return 2;
	case 105:
		*inside = len < 5 ? 0 : get32(p + 1);
		return 5;
	case 108:
		*inside = len < 5 ? 0 : (uint64_t)get32(p + 1) + 1;
		return 5;
	case 116:
		*inside = len < 5 ? 0 : 2ULL * get32(p + 1);
		return 5;
	}
	return -1;
}

/* Terms that hold an atom in front of raw bytes: pids, references, ports */
static ssize_t node_term_len(const uint8_t *p, size_t len)
{
	size_t skip = 1, tail;
	ssize_t atom;

	switch (p[0]) {
	case 88:
		tail = 12;
		break;
	case 103:
		tail = 9;
		break;
	case 89:
		tail = 8;
		break;
	case 120:
		tail = 12;
		break;
	case 90:
		if (len < 3)
			return -1;
		skip = 3;
		tail = 4 + 4 * get16(p + 1);
		break;
	default:
		return -1;
	}
	if (len < skip)
		return -1;
	atom = term_len(p + skip, len - skip);
	return atom < 0 ? -1 : (ssize_t)(skip + atom + tail);
}

ssize_t term_len(const uint8_t *p, size_t len)
{
	uint64_t left = 1, inside;
	size_t at = 0;
	ssize_t n;

	while (left--) {
		if (at >= len)
			return -1;
		n = head_len(p + at, len - at, &inside);
		if (n < 0)
			n = node_term_len(p + at, len - at);
		if (n < 0 || (size_t)n > len - at)
			return -1;
		at += n;
		left += inside;
	}
	return at;
}

static ssize_t get_atom(const uint8_t *p, size_t len, char *out)
{
	ssize_t n = term_len(p, len);
	size_t head;

	if (n < 0 || !strchr("wsvd", p[0]))
		return -1;
	head = p[0] == 'w' || p[0] == 's' ? 2 : 3;
	if (n - head >= 512)
		return -1;
	memcpy(out, p + head, n - head);
	out[n - head] = 0;
	return n;
}

static ssize_t get_int(const uint8_t *p, size_t len, uint64_t *v)
{
	ssize_t n = term_len(p, len);

	if (n < 0)
		return -1;
	if (p[0] == 97) {
		*v = p[1];
	} else if (p[0] == 98) {
		*v = (int64_t)(int32_t)get32(p + 1);
	} else if (p[0] == 110 && p[1] <= 8) {
		*v = 0;
		for (int i = p[1]; i; i--)
			*v = *v << 8 | p[2 + i];
	} else {
		return -1;
	}
	return n;
}

static ssize_t get_pid(const uint8_t *p, size_t len, struct epid *pid)
{
	ssize_t n = term_len(p, len);

	if (n < 0 || p[0] != 88 || get_atom(p + 1, len - 1, pid->node) < 0)
		return -1;
	pid->id = get32(p + n - 12);
	pid->serial = get32(p + n - 8);
	pid->creation = get32(p + n - 4);
	return n;
}

static ssize_t get_ref(const uint8_t *p, size_t len, struct eref *ref)
{
	ssize_t n = term_len(p, len);
	ssize_t atom;

	if (n < 0 || p[0] != 90)
		return -1;
	ref->n = get16(p + 1);
	atom = get_atom(p + 3, len - 3, ref->node);
	if (atom < 0 || ref->n > 6)
		return -1;
	ref->creation = get32(p + 3 + atom);
	for (uint32_t i = 0; i < ref->n; i++)
		ref->word[i] = get32(p + 7 + atom + 4 * i);
	return n;
}

static ssize_t scan_leaf(const uint8_t *p, size_t len, char c, va_list *ap)
{
	ssize_t n = term_len(p, len);
	struct slice *s;

	switch (c) {
	case 'a':
		return get_atom(p, len, va_arg(*ap, char *));
	case 'i':
	case 'u':
		return get_int(p, len, va_arg(*ap, uint64_t *));
	case 'p':
		return get_pid(p, len, va_arg(*ap, struct epid *));
	case 'r':
		return get_ref(p, len, va_arg(*ap, struct eref *));
	case 't':
		s = va_arg(*ap, struct slice *);
		s->p = p;
		s->len = n;
		return n;
	case '_':
		return n;
	}
	return -1;
}

/* Elements that a bracket just opened has in the format */
static uint32_t arity_of(const char *f)
{
	uint32_t n = 0;
	int depth = 0;

	for (; *f && depth >= 0; f++) {
		if (!depth && !strchr(", }]|", *f))
			n++;
		if (!depth && *f == '|')
			break;
		if (*f == '{' || *f == '[')
			depth++;
		if (*f == '}' || *f == ']')
			depth--;
	}
	return n;
}

static ssize_t open_bracket(const uint8_t *p, size_t len, char c, uint32_t n)
{
	if (c == '{' && len >= 2 && p[0] == 104)
		return p[1] == n ? 2 : -1;
	if (c == '{' && len >= 5 && p[0] == 105)
		return get32(p + 1) == n ? 5 : -1;
	if (c == '[' && len >= 5 && p[0] == 108)
		return get32(p + 1) == n ? 5 : -1;
	if (c == '[' && len >= 1 && p[0] == 106)
		return n ? -1 : 0;
	return -1;
}

ssize_t scan(const uint8_t *p, size_t len, const char *f, ...)
{
	size_t at = 0;
	va_list ap;
	ssize_t n;
	char last;

	if (term_len(p, len) < 0)
		return -1;
	va_start(ap, f);
	for (last = 0; *f; last = *f++) {
		n = 0;
		if (*f == '{' || *f == '[')
			n = open_bracket(p + at, len - at, *f, arity_of(f + 1));
		else if (*f == ']' && last != '|')
			n = at < len && p[at] == 106 ? 1 : -1;
		else if (!strchr(", }|]", *f))
			n = scan_leaf(p + at, len - at, *f, &ap);
		if (n < 0)
			break;
		at += n;
		/* the bar must be seen by the bracket behind its term */
		if (last == '|' && !strchr(", ", *f) && f[1] == ']')
			f++;
	}
	va_end(ap);
	return *f ? -1 : (ssize_t)at;
}

bool pid_eq(const struct epid *a, const struct epid *b)
{
	return !strcmp(a->node, b->node) && a->id == b->id &&
	       a->serial == b->serial && a->creation == b->creation;
}

bool ref_eq(const struct eref *a, const struct eref *b)
{
	return !strcmp(a->node, b->node) && a->creation == b->creation &&
	       a->n == b->n && !memcmp(a->word, b->word, 4 * a->n);
}
