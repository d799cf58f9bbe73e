// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What an observer has told to exist, so that after a resync nothing is told
 * twice: the kernel changes a thing first and numbers the event then, hence a
 * dump may show what an event is still to tell, or miss what has ended already.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct thing {
	struct ed_fact fact;	/* first; its names point behind */
	char names[];
};

static int compare(const void *a, const void *b)
{
	const struct ed_fact *x = a, *y = b;
	int order;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	order = strcmp(x->node, y->node);
	return order ? order : strcmp(x->name, y->name);
}

static bool same(const struct ed_fact *a, const struct ed_fact *b)
{
	return a->id == b->id && a->creation == b->creation;
}

static struct thing *find(const struct ed_mirror *m, const struct ed_fact *f)
{
	struct thing **found = tfind(f, &m->root, compare);

	return found ? *found : NULL;
}

static int insert(struct ed_mirror *m, const struct ed_fact *f)
{
	size_t node = strlen(f->node) + 1, name = strlen(f->name) + 1;
	struct thing *t = malloc(sizeof(*t) + node + name);

	if (!t)
		return -ENOMEM;
	t->fact = *f;
	t->fact.node = memcpy(t->names, f->node, node);
	t->fact.name = memcpy(t->names + node, f->name, name);
	if (tsearch(t, &m->root, compare))
		return 0;
	free(t);
	return -ENOMEM;
}

static void drop(struct ed_mirror *m, struct thing *t)
{
	tdelete(t, &m->root, compare);
	free(t);
}

/* From now on what is told is remembered; what was is forgotten */
void ed_mirror_begin(struct ed_mirror *m)
{
	ed_mirror_free(m);
	m->on = true;
}

void ed_mirror_free(struct ed_mirror *m)
{
	tdestroy(m->root, free);
	m->root = NULL;
	m->on = false;
}

/* A dump shows it. 0, or -ENOMEM */
int ed_mirror_is(struct ed_mirror *m, const struct ed_fact *f)
{
	struct thing *t = find(m, f);

	if (t)
		drop(m, t);
	return insert(m, f);
}

/* It began. 1: that is news, 0: it is not, or -ENOMEM */
int ed_mirror_new(struct ed_mirror *m, const struct ed_fact *f)
{
	struct thing *t = m->on ? find(m, f) : NULL;
	int err;

	if (!m->on)
		return 1;
	/* a younger one was told, or this one */
	if (t && (f->seq <= t->fact.seq || same(f, &t->fact)))
		return 0;
	if (t)
		drop(m, t);
	err = insert(m, f);
	return err ? err : 1;
}

/* It ended. 1: that is news, 0: it was not told that there is one */
int ed_mirror_del(struct ed_mirror *m, const struct ed_fact *f)
{
	struct thing *t = m->on ? find(m, f) : NULL;

	if (!m->on)
		return 1;
	if (!t || f->seq <= t->fact.seq || !same(f, &t->fact))
		return 0;
	drop(m, t);
	return 1;
}
