// SPDX-License-Identifier: LGPL-2.1-or-later
/* Exact equality, whatever the encoding. */
#include <string.h>

#include "internal.h"

static int equal(struct ed_reader *a, struct ed_reader *b, unsigned int depth);

/* For both kinds of integers, the digits with the least significant first */
static int int_digits(struct ed_reader *r, bool *negative, const uint8_t **digits, size_t *n,
		      uint8_t small[8])
{
	uint64_t magnitude;
	int err;

	err = ed_read_int(r, negative, &magnitude);
	if (err == -ERANGE)
		return ed_read_big(r, negative, digits, n);
	for (*n = 0; !err && magnitude; magnitude >>= 8)
		small[(*n)++] = (uint8_t)magnitude;
	*digits = small;
	return err;
}

static int equal_ints(struct ed_reader *a, struct ed_reader *b)
{
	const uint8_t *x, *y;
	uint8_t small_x[8], small_y[8];
	bool x_negative, y_negative;
	size_t x_n, y_n;
	int err;

	err = int_digits(a, &x_negative, &x, &x_n, small_x);
	if (!err)
		err = int_digits(b, &y_negative, &y, &y_n, small_y);
	if (err)
		return err;
	return x_negative == y_negative && x_n == y_n && !memcmp(x, y, x_n);
}

static int equal_floats(struct ed_reader *a, struct ed_reader *b)
{
	double x, y;
	int err;

	err = ed_read_float(a, &x);
	if (!err)
		err = ed_read_float(b, &y);
	return err ? err : !memcmp(&x, &y, sizeof(x));
}

static int equal_atoms(struct ed_reader *a, struct ed_reader *b)
{
	struct ed_atom x, y;
	int err;

	err = ed_read_atom(a, &x);
	if (!err)
		err = ed_read_atom(b, &y);
	return err ? err : x.len == y.len && !memcmp(x.s, y.s, x.len);
}

static int equal_pids(struct ed_reader *a, struct ed_reader *b)
{
	erlang_pid x, y;
	int err;

	err = ed_read_pid(a, &x);
	if (!err)
		err = ed_read_pid(b, &y);
	return err ? err : x.num == y.num && x.serial == y.serial &&
			   x.creation == y.creation && !strcmp(x.node, y.node);
}

static int equal_refs(struct ed_reader *a, struct ed_reader *b)
{
	erlang_ref x, y;
	int err;

	err = ed_read_ref(a, &x);
	if (!err)
		err = ed_read_ref(b, &y);
	return err ? err : x.len == y.len && x.creation == y.creation &&
			   !memcmp(x.n, y.n, sizeof(x.n)) && !strcmp(x.node, y.node);
}

static int equal_ports(struct ed_reader *a, struct ed_reader *b)
{
	erlang_port x, y;
	int err;

	err = ed_read_port(a, &x);
	if (!err)
		err = ed_read_port(b, &y);
	return err ? err : x.id == y.id && x.creation == y.creation && !strcmp(x.node, y.node);
}

static int equal_bits(struct ed_reader *a, struct ed_reader *b)
{
	unsigned int x_last, y_last;
	const uint8_t *x, *y;
	size_t x_n, y_n;
	int err;

	err = ed_read_bits(a, &x, &x_n, &x_last);
	if (!err)
		err = ed_read_bits(b, &y, &y_n, &y_last);
	if (err)
		return err;
	if (x_n != y_n || !x_n)
		return x_n == y_n;
	return x_last == y_last && !memcmp(x, y, x_n - 1) &&
	       !((x[x_n - 1] ^ y[x_n - 1]) >> (8 - x_last));
}

static int equal_items(struct ed_reader *a, struct ed_reader *b, uint32_t n, unsigned int depth)
{
	int same = 1;

	while (n-- && same == 1)
		same = equal(a, b, depth);
	return same;
}

static int equal_tuples(struct ed_reader *a, struct ed_reader *b, unsigned int depth)
{
	uint32_t x, y;
	int err;

	err = ed_read_tuple(a, &x);
	if (!err)
		err = ed_read_tuple(b, &y);
	if (err)
		return err;
	return x == y ? equal_items(a, b, x, depth) : 0;
}

static int equal_lists(struct ed_reader *a, struct ed_reader *b, unsigned int depth)
{
	struct ed_reader *x, *y;
	struct ed_list l, m;
	int same;

	same = ed_list_begin(&l, a);
	if (!same)
		same = ed_list_begin(&m, b);
	if (same)
		return same;
	for (;;) {
		x = ed_list_next(&l);
		y = ed_list_next(&m);
		if (!x || !y)
			break;
		same = equal(x, y, depth);
		if (same != 1)
			return same;
	}
	if (x || y)
		return 0;
	x = ed_list_tail(&l);
	y = ed_list_tail(&m);
	if (ed_peek(x) == ERL_NIL_EXT && ed_peek(y) == ERL_NIL_EXT)
		return ed_skip(x) || ed_skip(y) ? -EBADMSG : 1;
	return equal(x, y, depth);
}

/*
 * A pair of the map a against the pairs of b, which come in any order. The pair
 * at the same place is the likely one, so the search begins at *at.
 */
static int equal_pair(struct ed_reader *a, const struct ed_reader *pairs, uint32_t n,
		      struct ed_reader *at, unsigned int depth)
{
	const uint8_t *first = at->p;
	struct ed_reader key, other;
	uint32_t i;
	int same;

	for (i = 0; i <= n; i++) {
		/* what was tried is not again: keys may be maps, and so on */
		if (i && at->p == first && (ed_skip(at) || ed_skip(at)))
			return -EBADMSG;
		if (at->p == at->end)
			break;
		key = *a;
		other = *at;
		same = equal(&key, &other, depth);
		if (same < 0)
			return same;
		if (same)
			same = equal(&key, &other, depth);
		else
			same = -EAGAIN;
		if (same != -EAGAIN) {
			*a = key;
			*at = other;
			return same;
		}
		if (i == 0)
			*at = *pairs;
		else if (ed_skip(at) || ed_skip(at))
			return -EBADMSG;
	}
	return 0;
}

static int equal_maps(struct ed_reader *a, struct ed_reader *b, unsigned int depth)
{
	struct ed_reader pairs, at;
	uint32_t x, y, i;
	int same;

	same = ed_read_map(a, &x);
	if (!same)
		same = ed_read_map(b, &y);
	if (same)
		return same;
	if (x != y)
		return 0;
	pairs = *b;
	for (i = 0; i < x; i++)
		if (ed_skip(b) || ed_skip(b))
			return -EBADMSG;
	pairs.end = b->p;
	at = pairs;
	for (i = 0; i < x; i++) {
		if (at.p == at.end)
			at = pairs;
		same = equal_pair(a, &pairs, y, &at, depth);
		if (same != 1)
			return same;
	}
	return 1;
}

static int equal_raw(struct ed_reader *a, struct ed_reader *b)
{
	struct erldist_slice x, y;

	if (ed_read_slice(a, &x) || ed_read_slice(b, &y))
		return -EBADMSG;
	return x.len == y.len && !memcmp(x.term, y.term, x.len);
}

/* What can be equal has the same kind */
static int kind(int tag)
{
	if (ed_is_int(tag))
		return ERL_INTEGER_EXT;
	if (ed_is_atom(tag))
		return ERL_ATOM_EXT;
	if (ed_is_pid(tag))
		return ERL_PID_EXT;
	if (ed_is_ref(tag))
		return ERL_REFERENCE_EXT;
	switch (tag) {
	case NEW_FLOAT_EXT:
		return ERL_FLOAT_EXT;
	case ERL_LARGE_TUPLE_EXT:
		return ERL_SMALL_TUPLE_EXT;
	case ERL_NIL_EXT:
	case ERL_STRING_EXT:
		return ERL_LIST_EXT;
	case ERL_BIT_BINARY_EXT:
		return ERL_BINARY_EXT;
	case ERL_V4_PORT_EXT:
	case ERL_NEW_PORT_EXT:
		return ERL_PORT_EXT;
	default:
		return tag;
	}
}

/* Both readers are behind their terms if the answer is 1 */
static int equal(struct ed_reader *a, struct ed_reader *b, unsigned int depth)
{
	int k = kind(ed_peek(a));

	if (k < 0)
		return -EBADMSG;
	if (k != kind(ed_peek(b)))
		return 0;
	if (++depth > ED_DEPTH_MAX)
		return -EOVERFLOW;
	switch (k) {
	case ERL_INTEGER_EXT:
		return equal_ints(a, b);
	case ERL_FLOAT_EXT:
		return equal_floats(a, b);
	case ERL_ATOM_EXT:
		return equal_atoms(a, b);
	case ERL_PID_EXT:
		return equal_pids(a, b);
	case ERL_REFERENCE_EXT:
		return equal_refs(a, b);
	case ERL_PORT_EXT:
		return equal_ports(a, b);
	case ERL_BINARY_EXT:
		return equal_bits(a, b);
	case ERL_SMALL_TUPLE_EXT:
		return equal_tuples(a, b, depth);
	case ERL_LIST_EXT:
		return equal_lists(a, b, depth);
	case ERL_MAP_EXT:
		return equal_maps(a, b, depth);
	default:
		return equal_raw(a, b);
	}
}

int erldist_equal(const void *a, size_t alen, const void *b, size_t blen)
{
	struct ed_reader x, y;
	int same;

	ed_reader_init(&x, a, alen);
	ed_reader_init(&y, b, blen);
	same = equal(&x, &y, 0);
	if (same == 1 && (ed_left(&x) || ed_left(&y)))
		return -EBADMSG;
	return same;
}
