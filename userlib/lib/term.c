// SPDX-License-Identifier: LGPL-2.1-or-later
/* Building terms, with ei where it can. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* What ei may write behind the end for one term that is no container */
#define EI_ROOM	(ERLDIST_ATOM_SIZE + 64)

void erldist_term_free(struct erldist_term *t)
{
	free(t->term);
	memset(t, 0, sizeof(*t));
}

/* Room for n more bytes. Grows by half, where ei would grow by 200 bytes */
int ed_reserve(struct erldist_term *t, size_t n)
{
	size_t want = t->len + n, size = t->size + t->size / 2;
	char *mem;

	if (want < n || want > INT_MAX - 4096)	/* ei counts in int */
		return -ENOMEM;
	if (want <= t->size)
		return 0;
	if (size < want + 64)
		size = want + 64;
	mem = realloc(t->term, size);
	if (!mem)
		return -ENOMEM;
	t->term = mem;
	t->size = size;
	return 0;
}

int ed_put(struct erldist_term *t, const void *bytes, size_t n)
{
	int err = ed_reserve(t, n);

	if (err)
		return err;
	if (n)
		memcpy(t->term + t->len, bytes, n);
	t->len += n;
	return 0;
}

int ed_put_u8(struct erldist_term *t, uint8_t v)
{
	return ed_put(t, &v, 1);
}

int ed_put_u32(struct erldist_term *t, uint32_t v)
{
	int err = ed_reserve(t, 4);

	if (err)
		return err;
	t->len += 4;
	ed_patch_u32(t, t->len - 4, v);
	return 0;
}

void ed_patch_u32(struct erldist_term *t, size_t at, uint32_t v)
{
	t->term[at] = (char)(v >> 24);
	t->term[at + 1] = (char)(v >> 16);
	t->term[at + 2] = (char)(v >> 8);
	t->term[at + 3] = (char)v;
}

static int ei_done(struct erldist_term *t, int index, int result)
{
	if (result)
		return -EINVAL;
	t->len = (size_t)index;
	return 0;
}

int ed_put_atom(struct erldist_term *t, const char *s, size_t len)
{
	ssize_t count = ed_utf8_count(s, len);
	int err, index = (int)t->len;

	if (count < 0 || count > 255)
		return -EINVAL;
	err = ed_reserve(t, EI_ROOM);
	if (err)
		return err;
	err = ei_encode_atom_len_as(t->term, &index, s, (int)len, ERLANG_UTF8, ERLANG_UTF8);
	return ei_done(t, index, err);
}

int ed_put_int(struct erldist_term *t, long long v)
{
	int err = ed_reserve(t, EI_ROOM), index = (int)t->len;

	if (err)
		return err;
	err = ei_encode_longlong(t->term, &index, v);
	return ei_done(t, index, err);
}

int ed_put_uint(struct erldist_term *t, unsigned long long v)
{
	int err = ed_reserve(t, EI_ROOM), index = (int)t->len;

	if (err)
		return err;
	err = ei_encode_ulonglong(t->term, &index, v);
	return ei_done(t, index, err);
}

int ed_put_float(struct erldist_term *t, double v)
{
	int err = ed_reserve(t, EI_ROOM), index = (int)t->len;

	if (err)
		return err;
	err = isfinite(v) ? ei_encode_double(t->term, &index, v) : -1;
	return ei_done(t, index, err);
}

int ed_put_pid(struct erldist_term *t, const erlang_pid *pid)
{
	int err = ed_reserve(t, EI_ROOM), index = (int)t->len;

	if (err)
		return err;
	err = ei_encode_pid(t->term, &index, pid);
	return ei_done(t, index, err);
}

int ed_put_ref(struct erldist_term *t, const erlang_ref *ref)
{
	int err = ed_reserve(t, EI_ROOM), index = (int)t->len;

	if (ref->len < 1 || ref->len > (int)ED_ARRAY_SIZE(ref->n))
		return -EINVAL;
	if (err)
		return err;
	err = ei_encode_ref(t->term, &index, ref);
	return ei_done(t, index, err);
}

int ed_put_binary(struct erldist_term *t, const void *bytes, size_t n)
{
	int err;

	if (n > INT_MAX)
		return -EINVAL;
	err = ed_put_u8(t, ERL_BINARY_EXT);
	if (!err)
		err = ed_put_u32(t, (uint32_t)n);
	return err ? err : ed_put(t, bytes, n);
}

static int put_characters(struct erldist_term *t, const char *s, const char *end, size_t count)
{
	uint32_t c;
	int err;

	err = ed_put_u8(t, ERL_LIST_EXT);
	if (!err)
		err = ed_put_u32(t, (uint32_t)count);
	while (!err && s < end) {
		err = ed_utf8_next(&s, end, &c);
		if (!err)
			err = ed_put_int(t, c);
	}
	return err ? err : ed_put_u8(t, ERL_NIL_EXT);
}

/* The list of the characters of s, in UTF-8 */
int ed_put_string(struct erldist_term *t, const char *s, size_t len)
{
	const char *p = s, *end = s + len;
	size_t count = 0;
	bool bytes = true;
	uint32_t c;
	int err;

	for (; p < end; count++) {
		if (ed_utf8_next(&p, end, &c))
			return -EINVAL;
		if (c > 255)
			bytes = false;
	}
	if (!count)
		return ed_put_u8(t, ERL_NIL_EXT);
	if (!bytes || count > UINT16_MAX)
		return put_characters(t, s, end, count);
	err = ed_put_u8(t, ERL_STRING_EXT);
	if (!err)
		err = ed_put_u8(t, (uint8_t)(count >> 8));
	if (!err)
		err = ed_put_u8(t, (uint8_t)count);
	for (p = s; !err && p < end;) {
		err = ed_utf8_next(&p, end, &c);
		if (!err)
			err = ed_put_u8(t, (uint8_t)c);
	}
	return err;
}

int ed_put_term(struct erldist_term *t, const void *term, size_t len)
{
	struct erldist_slice s = ed_slice(term, len);

	if (erldist_check(s.term, s.len))
		return -EINVAL;
	return ed_put(t, s.term, s.len);
}

/* {Name, Node} */
int ed_put_name_at(struct erldist_term *t, const char *name, size_t len, const char *node)
{
	static const uint8_t pair[] = { ERL_SMALL_TUPLE_EXT, 2 };
	int err = ed_put(t, pair, sizeof(pair));

	if (!err)
		err = ed_put_atom(t, name, len);
	return err ? err : ed_put_atom(t, node, strlen(node));
}

struct erldist_slice ed_slice(const void *term, size_t len)
{
	struct erldist_slice s = { term, len };

	if (len && (uint8_t)s.term[0] == ED_VERSION_MAGIC) {
		s.term++;
		s.len--;
	}
	return s;
}
