// SPDX-License-Identifier: GPL-2.0-only
/* Programs are changed, and joined. */
#include "generate.h"

static bool is_term(const struct arg *a)
{
	return a->kind > A_RES;
}

/* Another term in the place of some part of one */
static void change_term(struct maker *m, struct call *c, unsigned int at)
{
	struct call fresh = { .n_args = 0 };
	size_t old = term_args(&c->arg[at], c->n_args - at);

	m->call = &fresh;
	if (one_in(m->rng, 8) && c->n_args < MAX_ARGS) {
		memmove(&c->arg[at + 1], &c->arg[at], (c->n_args - at) * sizeof(c->arg[0]));
		c->arg[at] = (struct arg){ .kind = A_BEND, .res = NO_RES,
					   .n = rnd(m->rng, 5) };
		arg_set(&c->arg[at], rnd64(m->rng));
		c->n_args++;
		return;
	}
	put_term(m, rnd(m->rng, G_SEEN_REF + 1), 1);
	if (c->n_args - old + fresh.n_args > MAX_ARGS)
		return;
	memmove(&c->arg[at + fresh.n_args], &c->arg[at + old],
		(c->n_args - at - old) * sizeof(c->arg[0]));
	memcpy(&c->arg[at], fresh.arg, fresh.n_args * sizeof(c->arg[0]));
	c->n_args += fresh.n_args - old;
}

static const struct param *param_of(const struct call *c, unsigned int at)
{
	const struct param *q = desc_of(c->desc)->params;

	for (unsigned int i = 0; q->kind && i < c->n_args; q++) {
		size_t n = term_args(&c->arg[i], c->n_args - i);

		if (at < i + n)
			return q;
		i += n;
	}
	return NULL;
}

static void change_arg(struct prog *p, unsigned int i, uint64_t *rng)
{
	struct maker m = { .p = p, .rng = rng, .at = i };
	struct call *c = &p->call[i], fresh = { .n_args = 0 };
	const struct param *q;
	struct arg *a;
	unsigned int at;

	if (!c->n_args)
		return;
	at = rnd(rng, c->n_args);
	a = &c->arg[at];
	q = param_of(c, at);
	if (is_term(a)) {
		if (a->res != NO_RES && one_in(rng, 2))
			a->res = rnd(rng, i);
		else if (one_in(rng, 3))
			a->n = a->kind >= A_PID || a->kind == A_ATOM ? rnd(rng, 6) : a->n;
		else
			change_term(&m, c, at);
		return;
	}
	if (!q)
		return;
	if (a->kind == A_RES) {
		a->res = find_res(p, i, q->what, rng);
	} else if (one_in(rng, 3)) {
		arg_set(a, arg_v(a) ^ 1ULL << rnd(rng, 12));
	} else {
		m.call = &fresh;
		put_param(&m, q);
		/* the call may have moved, no other way is a number made */
		if (fresh.n_args == 1)
			p->call[m.at].arg[at] = fresh.arg[0];
	}
}

static void mutate_once(struct prog *p, uint64_t *rng)
{
	unsigned int i = rnd(rng, p->n_calls);

	switch (rnd(rng, 20)) {
	case 0 ... 5:
		add_call(p, one_in(rng, 2) ? p->n_calls : rnd(rng, p->n_calls + 1), rng);
		break;
	case 6 ... 11:
		change_arg(p, i, rng);
		break;
	case 12 ... 13:
		if (p->n_calls > 2)
			prog_remove(p, i);
		break;
	case 14:
		p->call[i].worker = rnd(rng, 4);
		break;
	case 15:
		p->call[i].nth = one_in(rng, 3) ? 0 : some_nth(rng);
		break;
	case 16:
		choose_race(p, rng);
		break;
	case 17:
		if (one_in(rng, 3))
			add_story(p, rng);
		else
			add_encounter(p, rng);
		break;
	default: {
		/* the same once more, by another or later */
		struct call c = p->call[i];
		unsigned int at = i + 1 + rnd(rng, p->n_calls - i);

		if (p->n_calls == MAX_CALLS || desc_of(c.desc)->makes)
			break;
		if (one_in(rng, 2))
			c.worker = rnd(rng, 4);
		for (unsigned int k = at; k < p->n_calls; k++)
			for (unsigned int j = 0; j < p->call[k].n_args; j++)
				if (p->call[k].arg[j].res != NO_RES &&
				    p->call[k].arg[j].res >= at)
					p->call[k].arg[j].res++;
		memmove(&p->call[at + 1], &p->call[at], (p->n_calls - at) * sizeof(c));
		p->call[at] = c;
		p->n_calls++;
		make_room(p, at, rng);
		break;
	}
	}
}

/* What named a call that was removed names another one */
static void relink(struct prog *p, uint64_t *rng)
{
	for (unsigned int i = 0; i < p->n_calls; i++) {
		struct call *c = &p->call[i];

		for (unsigned int k = 0; k < c->n_args; k++) {
			struct arg *a = &c->arg[k];
			const struct param *q;

			if (a->res != NO_RES || one_in(rng, 10))
				continue;
			if (a->kind >= A_PID && a->kind <= A_SEEN_REF)
				a->res = find_res(p, i, R_PROC | R_WIRE, rng);
			q = a->kind == A_RES ? param_of(c, k) : NULL;
			if (q && q->kind == P_RES)
				a->res = find_res(p, i, q->what, rng);
		}
	}
}

void prog_mutate(struct prog *p, uint64_t *rng)
{
	do {
		mutate_once(p, rng);
	} while (!one_in(rng, 3));
	relink(p, rng);
}

void prog_splice(struct prog *p, const struct prog *other, uint64_t *rng)
{
	uint8_t moved[MAX_CALLS];	/* where a call of @other is now */

	p->n_calls = 1 + rnd(rng, p->n_calls);
	for (unsigned int i = 0; i < other->n_calls && p->n_calls < MAX_CALLS; i++) {
		struct call *c = &p->call[p->n_calls];

		*c = other->call[i];
		for (unsigned int k = 0; k < c->n_args; k++)
			if (c->arg[k].res != NO_RES)
				c->arg[k].res = moved[c->arg[k].res];
		/* Both are about one node, where it has the same name. */
		moved[i] = desc_of(c->desc)->makes == R_NODE ? find_named(p, p->n_calls, c) : NO_RES;
		if (moved[i] == NO_RES)
			moved[i] = p->n_calls++;
	}
	choose_race(p, rng);
}
