// SPDX-License-Identifier: LGPL-2.1-or-later
/* Terms part by part. What encloses a part is on a stack that grows as needed. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The tag that stands for all encodings of what can be equal */
int ed_kind_of(int tag)
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

void ed_walk_init(struct ed_walk *w)
{
	memset(w, 0, sizeof(*w));
	w->frame = w->few;
	w->size = ED_ARRAY_SIZE(w->few);
}

void ed_walk_free(struct ed_walk *w)
{
	if (w->frame != w->few)
		free(w->frame);
}

/* May be called again for other terms; what was allocated is kept */
void ed_walk_start(struct ed_walk *w, const uint8_t *p, const uint8_t *end, uint32_t terms)
{
	w->r.p = p;
	w->r.end = end;
	w->begin = p;
	w->terms = terms;
	w->depth = 0;
}

/* Makes *mem an array of at least n elements, in steps that double */
static int grow(void **mem, size_t *size, size_t n, size_t element)
{
	size_t want = *size ? *size : 64;
	void *more;

	if (n <= *size)
		return 0;
	while (want < n)
		want *= 2;
	more = reallocarray(*mem, want, element);
	if (!more)
		return -ENOMEM;
	*mem = more;
	*size = want;
	return 0;
}

static int push(struct ed_walk *w, const struct ed_frame *f)
{
	void *mem = w->frame == w->few ? NULL : w->frame;
	int err;

	if (w->depth == w->size) {
		err = grow(&mem, &w->size, w->size + 1, sizeof(*f));
		if (err)
			return err;
		if (w->frame == w->few)
			memcpy(mem, w->few, sizeof(w->few));
		w->frame = mem;
	}
	w->frame[w->depth++] = *f;
	return 0;
}

static int collect_map(struct ed_maps *m, const uint8_t *at, uint32_t n)
{
	void *map = m->map, *place = m->place;
	int err;

	err = grow(&map, &m->size, m->n + 1, sizeof(*m->map));
	m->map = map;
	if (!err)
		err = grow(&place, &m->places_size, m->places + n + 1, sizeof(*m->place));
	m->place = place;
	if (err)
		return err;
	m->map[m->n++] = (struct ed_map){ at, m->places, n };
	m->places += n + 1;
	return 0;
}

static const struct ed_map *find_map(const struct ed_maps *m, const uint8_t *at)
{
	size_t low = 0, high = m->n, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (m->map[mid].at <= at)
			low = mid;
		else
			high = mid;
	}
	return &m->map[low];
}

static int open_map(struct ed_walk *w, struct ed_step *s, struct ed_frame *f)
{
	const uint8_t *at = w->r.p;
	uint32_t n;
	int err;

	err = ed_read_map(&w->r, &n);
	if (!err && n > UINT32_MAX / 2)
		err = -EBADMSG;
	if (err)
		return err;
	s->parts = 2 * n;
	f->left = 2 * n;
	if (!w->maps || n < 2)
		return 0;
	if (w->collect) {
		f->place = w->maps->places;
		return collect_map(w->maps, at, n);
	}
	f->place = find_map(w->maps, at)->first;
	return 0;
}

static int open_list(struct ed_walk *w, struct ed_frame *f)
{
	struct ed_list l;
	int err = ed_list_begin(&l, &w->r);

	f->left = l.left;
	f->string = l.string;
	return err;
}

static int open_fun(struct ed_walk *w, struct ed_step *s, struct ed_frame *f)
{
	struct ed_fun fun;
	int err;

	w->item = w->r;
	s->r = &w->item;
	err = ed_read_fun(&w->r, &fun);
	if (err)
		return err;
	f->place = (size_t)(w->r.p - w->begin);
	f->left = fun.free_vars;
	s->parts = fun.free_vars;
	w->r.p = fun.env.p;
	return 0;
}

/* The next term is at w->r: open it, or leave it to the caller as a leaf */
static int step_into(struct ed_walk *w, struct ed_step *s)
{
	struct ed_frame f = { .kind = 0 };
	int err;

	ed_skip_empty_lists(&w->r);
	s->tag = ed_kind_of(ed_peek(&w->r));
	if (w->strings && ed_peek(&w->r) == ERL_STRING_EXT)
		s->tag = ERL_STRING_EXT;
	s->r = &w->r;
	s->parts = 0;
	switch (s->tag) {
	case ERL_SMALL_TUPLE_EXT:
		err = ed_read_tuple(&w->r, &s->parts);
		f.left = s->parts;
		break;
	case ERL_LIST_EXT:
		err = open_list(w, &f);
		break;
	case ERL_MAP_EXT:
		err = open_map(w, s, &f);
		break;
	case ERL_NEW_FUN_EXT:
		if (w->funs) {
			err = open_fun(w, s, &f);
			break;
		}
		/* fall through */
	default:
		s->kind = ED_LEAF;
		return s->tag < 0 ? s->tag : 1;
	}
	s->kind = ED_OPEN;
	f.kind = (uint8_t)s->tag;
	if (!err)
		err = push(w, &f);
	return err ? err : 1;
}

static int step_close(struct ed_walk *w, struct ed_step *s, int kind)
{
	s->kind = ED_CLOSE;
	s->tag = kind;
	w->depth--;
	return 1;
}

static int next_of_list(struct ed_walk *w, struct ed_step *s, struct ed_frame *f)
{
	struct ed_list l = { .left = f->left, .string = f->string, .r = &w->r };

	if (f->tail)
		return step_close(w, s, ERL_LIST_EXT);
	s->r = ed_list_next(&l);
	f->left = l.left;
	f->string = l.string;
	if (!s->r) {
		if (l.string || ed_peek(&w->r) == ERL_NIL_EXT) {
			if (!l.string)
				w->r.p++;
			return step_close(w, s, ERL_LIST_EXT);
		}
		f->tail = true;
		s->tail = true;
	}
	if (!l.string)
		return step_into(w, s);
	w->item = l.item;
	s->r = &w->item;
	s->kind = ED_LEAF;
	s->tag = ERL_INTEGER_EXT;
	return 1;
}

/* Where the next pair is, or what follows the last one */
static void take_place(struct ed_walk *w, struct ed_frame *f)
{
	const uint8_t **place = &w->maps->place[f->place++];

	if (w->collect)
		*place = w->r.p;
	else
		w->r.p = *place;
}

static int next_of_map(struct ed_walk *w, struct ed_step *s, struct ed_frame *f)
{
	s->value = f->left % 2;
	if (f->place && !s->value)
		take_place(w, f);
	if (!f->left)
		return step_close(w, s, ERL_MAP_EXT);
	f->left--;
	return step_into(w, s);
}

static int next_counted(struct ed_walk *w, struct ed_step *s, struct ed_frame *f)
{
	if (f->left) {
		f->left--;
		return step_into(w, s);
	}
	if (f->kind == ERL_NEW_FUN_EXT && f->place != (size_t)(w->r.p - w->begin))
		return -EBADMSG;
	return step_close(w, s, f->kind);
}

/* Return: 1 with a step, 0 behind the last one, or -EBADMSG, -ENOMEM. */
int ed_walk_next(struct ed_walk *w, struct ed_step *s)
{
	struct ed_frame *f = w->depth ? &w->frame[w->depth - 1] : NULL;

	s->in = f ? f->kind : 0;
	s->first = f && !f->begun;
	s->value = false;
	s->tail = false;
	if (!f) {
		if (!w->terms)
			return 0;
		w->terms--;
		return step_into(w, s);
	}
	f->begun = true;
	if (f->kind == ERL_LIST_EXT)
		return next_of_list(w, s, f);
	return f->kind == ERL_MAP_EXT ? next_of_map(w, s, f) : next_counted(w, s, f);
}
