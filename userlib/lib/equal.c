// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Exact equality, whatever the encoding. Both terms are walked side by side, with
 * the pairs of each map sorted by any total order that has equal terms equal.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Two walks, and the first error of what cannot return one */
struct order {
	struct ed_walk a, b;
	int err;
};

static void order_init(struct order *o)
{
	ed_walk_init(&o->a);
	ed_walk_init(&o->b);
	o->a.funs = true;
	o->b.funs = true;
	o->err = 0;
}

static void order_free(struct order *o)
{
	ed_walk_free(&o->a);
	ed_walk_free(&o->b);
}

#define THREE_WAY(x, y)	(((x) > (y)) - ((x) < (y)))

static int order_bytes(const void *x, size_t x_n, const void *y, size_t y_n)
{
	int order = THREE_WAY(x_n, y_n);

	return order || !x_n ? order : memcmp(x, y, x_n);
}

static int failed(struct order *o, int err)
{
	if (!o->err)
		o->err = err;
	return 0;
}

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

static int order_ints(struct order *o, struct ed_reader *a, struct ed_reader *b)
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
		return failed(o, err);
	if (x_negative != y_negative)
		return x_negative - y_negative;
	return order_bytes(x, x_n, y, y_n);
}

static int order_floats(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	double x, y;
	int err;

	err = ed_read_float(a, &x);
	if (!err)
		err = ed_read_float(b, &y);
	return err ? failed(o, err) : memcmp(&x, &y, sizeof(x));
}

static int order_atoms(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	struct ed_atom x, y;
	int err;

	err = ed_read_atom(a, &x);
	if (!err)
		err = ed_read_atom(b, &y);
	return err ? failed(o, err) : order_bytes(x.s, x.len, y.s, y.len);
}

static int order_pids(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	erlang_pid x, y;
	int err;

	err = ed_read_pid(a, &x);
	if (!err)
		err = ed_read_pid(b, &y);
	if (err)
		return failed(o, err);
	if (x.num != y.num)
		return THREE_WAY(x.num, y.num);
	if (x.serial != y.serial)
		return THREE_WAY(x.serial, y.serial);
	if (x.creation != y.creation)
		return THREE_WAY(x.creation, y.creation);
	return strcmp(x.node, y.node);
}

static int order_refs(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	erlang_ref x, y;
	int err;

	err = ed_read_ref(a, &x);
	if (!err)
		err = ed_read_ref(b, &y);
	if (err)
		return failed(o, err);
	if (x.len != y.len)
		return THREE_WAY(x.len, y.len);
	if (x.creation != y.creation)
		return THREE_WAY(x.creation, y.creation);
	err = memcmp(x.n, y.n, sizeof(x.n));
	return err ? err : strcmp(x.node, y.node);
}

static int order_ports(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	erlang_port x, y;
	int err;

	err = ed_read_port(a, &x);
	if (!err)
		err = ed_read_port(b, &y);
	if (err)
		return failed(o, err);
	if (x.id != y.id)
		return THREE_WAY(x.id, y.id);
	if (x.creation != y.creation)
		return THREE_WAY(x.creation, y.creation);
	return strcmp(x.node, y.node);
}

static int order_bits(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	unsigned int x_last, y_last;
	const uint8_t *x, *y;
	size_t x_n, y_n;
	int err;

	err = ed_read_bits(a, &x, &x_n, &x_last);
	if (!err)
		err = ed_read_bits(b, &y, &y_n, &y_last);
	if (err)
		return failed(o, err);
	if (x_n != y_n || !x_n)
		return THREE_WAY(x_n, y_n);
	if (x_last != y_last)
		return THREE_WAY(x_last, y_last);
	err = memcmp(x, y, x_n - 1);
	return err ? err : (x[x_n - 1] >> (8 - x_last)) - (y[x_n - 1] >> (8 - x_last));
}

/* fun Module:Name/Arity */
static int order_exports(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	int order;

	ed_read_bytes(a, 1, NULL);
	ed_read_bytes(b, 1, NULL);
	order = order_atoms(o, a, b);
	if (!order)
		order = order_atoms(o, a, b);
	return order ? order : order_ints(o, a, b);
}

/* Without the environments, which are walked */
static int order_funs(struct order *o, struct ed_reader *a, struct ed_reader *b)
{
	struct ed_fun x, y;
	int err;

	err = ed_read_fun(a, &x);
	if (!err)
		err = ed_read_fun(b, &y);
	if (err)
		return failed(o, err);
	if (x.index != y.index)
		return THREE_WAY(x.index, y.index);
	if (x.old_index != y.old_index)
		return THREE_WAY(x.old_index, y.old_index);
	if (x.uniq != y.uniq)
		return THREE_WAY(x.uniq, y.uniq);
	err = memcmp(x.id, y.id, sizeof(x.id));
	return err ? err : order_bytes(x.module.s, x.module.len, y.module.s, y.module.len);
}

static int order_leaves(struct order *o, int tag, struct ed_reader *a, struct ed_reader *b)
{
	switch (tag) {
	case ERL_INTEGER_EXT:
		return order_ints(o, a, b);
	case ERL_FLOAT_EXT:
		return order_floats(o, a, b);
	case ERL_ATOM_EXT:
		return order_atoms(o, a, b);
	case ERL_PID_EXT:
		return order_pids(o, a, b);
	case ERL_REFERENCE_EXT:
		return order_refs(o, a, b);
	case ERL_PORT_EXT:
		return order_ports(o, a, b);
	case ERL_BINARY_EXT:
		return order_bits(o, a, b);
	case ERL_EXPORT_EXT:
		return order_exports(o, a, b);
	default:
		return failed(o, -EBADMSG);
	}
}

static int order_steps(struct order *o, const struct ed_step *x, const struct ed_step *y)
{
	if (x->kind != y->kind)
		return THREE_WAY(x->kind, y->kind);
	if (x->kind == ED_CLOSE)
		return 0;
	if (x->tail != y->tail)
		return x->tail - y->tail;
	if (x->tag != y->tag)
		return THREE_WAY(x->tag, y->tag);
	if (x->kind == ED_LEAF)
		return order_leaves(o, x->tag, x->r, y->r);
	if (x->parts != y->parts)
		return THREE_WAY(x->parts, y->parts);
	return x->tag == ERL_NEW_FUN_EXT ? order_funs(o, x->r, y->r) : 0;
}

/* Of what the walks were started for: negative, 0 or positive; look at o->err */
static int order_walks(struct order *o)
{
	struct ed_step x, y;
	int order = 0, a, b;

	while (!order && !o->err) {
		a = ed_walk_next(&o->a, &x);
		b = ed_walk_next(&o->b, &y);
		if (a < 0 || b < 0)
			return failed(o, a < 0 ? a : b);
		if (!a)
			return 0;
		order = order_steps(o, &x, &y);
	}
	return order;
}

/* By key, and pairs with the same key by value: in one order however they come */
static int order_pairs(const void *x, const void *y, void *arg)
{
	const uint8_t *const *a = x, *const *b = y;
	struct order *o = arg;

	if (o->err)
		return 0;
	ed_walk_start(&o->a, *a, o->a.r.end, 2);
	ed_walk_start(&o->b, *b, o->b.r.end, 2);
	return order_walks(o);
}

/* Inner maps first, as they are parts of keys of the outer ones */
static int sort_maps(struct ed_maps *m, const uint8_t *end)
{
	struct order o;
	size_t i;

	order_init(&o);
	o.a.maps = m;
	o.b.maps = m;
	o.a.r.end = end;
	o.b.r.end = end;
	for (i = m->n; i-- && !o.err;)
		qsort_r(m->place + m->map[i].first, m->map[i].n, sizeof(*m->place),
			order_pairs, &o);
	order_free(&o);
	return o.err;
}

static int find_maps(struct ed_maps *m, const struct ed_reader *r)
{
	struct ed_walk w;
	struct ed_step s;
	int got, err = 0;

	ed_walk_init(&w);
	w.funs = true;
	w.maps = m;
	w.collect = true;
	ed_walk_start(&w, r->p, r->end, 1);
	while (!err && (got = ed_walk_next(&w, &s)))
		err = got < 0 ? got : s.kind == ED_LEAF ? ed_skip(s.r) : 0;
	if (!err && ed_left(&w.r))
		err = -EBADMSG;
	ed_walk_free(&w);
	return err;
}

/*
 * The term is checked first: a map that is malformed may announce as many pairs as
 * there are bytes, and so may each one in it, for which there would be no memory.
 */
static int maps_init(struct ed_maps *m, const struct ed_reader *r)
{
	int err;

	*m = (struct ed_maps){ .places = 1 };
	err = erldist_check(r->p, ed_left(r));
	if (!err)
		err = find_maps(m, r);
	return err ? err : sort_maps(m, r->end);
}

static void maps_free(struct ed_maps *m)
{
	free(m->map);
	free(m->place);
}

static int equal(const struct ed_reader *a, struct ed_maps *a_maps,
		 const struct ed_reader *b, struct ed_maps *b_maps)
{
	struct order o;
	int order;

	order_init(&o);
	o.a.maps = a_maps;
	o.b.maps = b_maps;
	ed_walk_start(&o.a, a->p, a->end, 1);
	ed_walk_start(&o.b, b->p, b->end, 1);
	order = order_walks(&o);
	order_free(&o);
	return o.err ? o.err : !order;
}

int erldist_equal(const void *a, size_t alen, const void *b, size_t blen)
{
	struct ed_maps a_maps, b_maps = { 0 };
	struct ed_reader x, y;
	int result;

	ed_reader_init(&x, a, alen);
	ed_reader_init(&y, b, blen);
	result = maps_init(&a_maps, &x);
	if (!result)
		result = maps_init(&b_maps, &y);
	if (!result)
		result = equal(&x, &a_maps, &y, &b_maps);
	maps_free(&a_maps);
	maps_free(&b_maps);
	return result;
}

/* Sorted, equal keys are neighbours */
static bool map_has_twins(struct order *o, const struct ed_maps *m, const struct ed_map *map)
{
	const uint8_t **key = m->place + map->first;
	bool twins = false;
	uint32_t i;

	for (i = 1; i < map->n && !twins && !o->err; i++) {
		ed_walk_start(&o->a, key[i - 1], o->a.r.end, 1);
		ed_walk_start(&o->b, key[i], o->b.r.end, 1);
		twins = !order_walks(o) && !o->err;
	}
	return twins;
}

/* Has a map, at any depth, a key twice? 1, 0 or an error */
int ed_has_twins(const void *term, size_t len)
{
	bool twins = false;
	struct ed_reader r;
	struct ed_maps m;
	struct order o;
	size_t i;

	order_init(&o);
	ed_reader_init(&r, term, len);
	o.err = maps_init(&m, &r);
	o.a.maps = &m;
	o.b.maps = &m;
	o.a.r.end = r.end;
	o.b.r.end = r.end;
	for (i = 0; i < m.n && !twins && !o.err; i++)
		twins = map_has_twins(&o, &m, &m.map[i]);
	order_free(&o);
	maps_free(&m);
	return o.err ? o.err : twins;
}
