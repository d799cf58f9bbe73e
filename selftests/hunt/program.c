// SPDX-License-Identifier: GPL-2.0-only
/* Programs: checked, written as text and read again. */
#include <inttypes.h>

#include "hunt.h"

uint64_t rnd64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint32_t rnd(uint64_t *state, uint32_t n)
{
	return n ? (rnd64(state) >> 32) * n >> 32 : 0;
}

bool one_in(uint64_t *state, uint32_t n)
{
	return !rnd(state, n);
}

/* Length in arguments of the term, number or result at a */
size_t term_args(const struct arg *a, size_t n)
{
	size_t todo = 1, len = 0;

	while (todo && len < n) {
		todo--;
		switch (a[len].kind) {
		case A_TUPLE:
		case A_LIST:
			todo += a[len].n;
			break;
		case A_IMPROPER:
			todo += a[len].n + 1;
			break;
		case A_MAP:
			todo += 2 * a[len].n;
			break;
		case A_BEND:
			todo++;
		}
		len++;
	}
	return len;
}

static bool is_term(const struct arg *a)
{
	return a->kind > A_RES;
}

void prog_remove(struct prog *p, unsigned int at)
{
	memmove(&p->call[at], &p->call[at + 1],
		(p->n_calls - at - 1) * sizeof(p->call[0]));
	p->n_calls--;
	if (p->race_from > at)
		p->race_from--;
	if (p->loop_from > at)
		p->loop_from--;
	for (unsigned int i = at; i < p->n_calls; i++) {
		for (unsigned int k = 0; k < p->call[i].n_args; k++) {
			struct arg *a = &p->call[i].arg[k];

			if (a->res == NO_RES)
				continue;
			if (a->res == at)
				a->res = NO_RES;
			else if (a->res > at)
				a->res--;
		}
	}
}

/* As many arguments of the right kind as the description says, or false */
static bool call_fits(const struct call *c, unsigned int at)
{
	const struct param *q;
	unsigned int i = 0;

	for (q = desc_of(c->desc)->params; q->kind; q++) {
		size_t n;

		if (i >= c->n_args)
			return false;
		n = term_args(&c->arg[i], c->n_args - i);
		switch (q->kind) {
		case P_PICK:
		case P_ONE_OF:
		case P_FLAGS:
		case P_ODD_FLAGS:
		case P_RANGE:
			if (c->arg[i].kind != A_INT)
				return false;
			break;
		case P_RES:
		case P_RES_MAYBE:
			if (c->arg[i].kind != A_RES)
				return false;
			break;
		default:
			if (!is_term(&c->arg[i]))
				return false;
		}
		i += n;
	}
	return true;
}

void prog_repair(struct prog *p)
{
	for (unsigned int i = 0; i < p->n_calls; i++) {
		struct call *c = &p->call[i];

		c->worker %= MAX_WORKERS;
		for (unsigned int k = 0; k < c->n_args; k++)
			if (c->arg[k].res != NO_RES && c->arg[k].res >= i)
				c->arg[k].res = NO_RES;
		if (!call_fits(c, i) && p->n_calls > 1)
			prog_remove(p, i--);
	}
	p->processes &= ~1;
	if (p->race_from > p->n_calls)
		p->race_from = p->n_calls;
	if (p->loop_from > p->race_from)
		p->loop_from = p->race_from;
}

/* Text: a line for each call, "w2 x5 = send n3 x1 T2 a:bob/0 a:n1/0 ..." */

static const char *const kind_words[A_KINDS] = {
	[A_INT] = "", [A_RES] = "x", [A_NONE] = "none", [A_TUPLE] = "T", [A_LIST] = "L",
	[A_IMPROPER] = "I", [A_MAP] = "M", [A_NIL] = "nil", [A_ATOM] = "a", [A_NUMBER] = "i",
	[A_BIG] = "big", [A_BINARY] = "b", [A_STRING] = "s", [A_BITS] = "bits",
	[A_FLOAT] = "f", [A_EXPORT] = "fun", [A_RAW] = "raw", [A_PID] = "pid",
	[A_REF] = "ref", [A_SEEN_PID] = "seenpid", [A_SEEN_REF] = "seenref",
	[A_BEND] = "bend",
};

static int print_res(char *at, size_t size, const char *word, const struct arg *a)
{
	if (a->res == NO_RES)
		return snprintf(at, size, " %s:-.%u", word, a->n);
	return snprintf(at, size, " %s:%u.%u", word, a->res, a->n);
}

static int print_arg(const struct arg *a, char *at, size_t size)
{
	const char *word = kind_words[a->kind];

	switch (a->kind) {
	case A_INT:
		return snprintf(at, size, " %#" PRIx64, arg_v(a));
	case A_RES:
		return a->res == NO_RES ? snprintf(at, size, " x-") :
			snprintf(at, size, " x%u", a->res);
	case A_NONE:
	case A_NIL:
		return snprintf(at, size, " %s", word);
	case A_TUPLE ... A_MAP:
		return snprintf(at, size, " %s:%u", word, a->n);
	case A_ATOM:
		return snprintf(at, size, " a:%s.%u", names_table[arg_v(a) % names_count()].id,
				a->n);
	case A_PID ... A_SEEN_REF:
		return print_res(at, size, word, a);
	default:
		return snprintf(at, size, " %s:%#" PRIx64 ".%u", word, arg_v(a), a->n);
	}
}

int prog_print(const struct prog *p, char *text, size_t size)
{
	size_t len = snprintf(text, size, "program processes %#x race %u rounds %u loop %u\n",
			      p->processes, p->race_from, p->rounds, p->loop_from);

	for (unsigned int i = 0; i < p->n_calls && len < size; i++) {
		const struct call *c = &p->call[i];

		len += snprintf(text + len, size - len, "w%u n%u x%u = %s", c->worker, c->nth,
				i, desc_of(c->desc)->name);
		for (unsigned int k = 0; k < c->n_args && len < size; k++)
			len += print_arg(&c->arg[k], text + len, size - len);
		if (len < size)
			len += snprintf(text + len, size - len, "\n");
	}
	return len < size ? (int)len : -1;
}

static int parse_arg(struct arg *a, char *word)
{
	char *colon = strchr(word, ':'), *dot;
	int kind;

	*a = (struct arg){ .res = NO_RES };
	if (*word >= '0' && *word <= '9') {
		a->kind = A_INT;
		arg_set(a, strtoull(word, NULL, 0));
		return 0;
	}
	if (*word == 'x' && !colon) {
		a->kind = A_RES;
		a->res = word[1] == '-' ? NO_RES : atoi(word + 1);
		return 0;
	}
	if (colon)
		*colon++ = 0;
	for (kind = A_NONE; kind < A_KINDS && strcmp(kind_words[kind], word); kind++)
		;
	if (kind == A_KINDS)
		return -EINVAL;
	a->kind = kind;
	if (!colon)
		return 0;
	dot = strrchr(colon, '.');
	if (dot) {
		*dot++ = 0;
		a->n = atoi(dot);
	}
	if (kind >= A_TUPLE && kind <= A_MAP) {
		a->n = atoi(colon);
	} else if (kind == A_ATOM) {
		unsigned int i = 0;

		while (i < names_count() && strcmp(names_table[i].id, colon))
			i++;
		if (i == names_count())
			return -EINVAL;
		arg_set(a, i);
	} else if (kind >= A_PID && kind <= A_SEEN_REF) {
		a->res = *colon == '-' ? NO_RES : atoi(colon);
	} else {
		arg_set(a, strtoull(colon, NULL, 0));
	}
	return 0;
}

static int parse_call(struct prog *p, char *line)
{
	struct call *c = &p->call[p->n_calls];
	unsigned int worker, nth, number;
	char *word, *rest, name[64];
	int used, desc;

	if (p->n_calls == MAX_CALLS ||
	    sscanf(line, "w%u n%u x%u = %63s%n", &worker, &nth, &number, name, &used) != 4)
		return -EINVAL;
	desc = desc_find(name);
	if (desc < 0)
		return -EINVAL;
	*c = (struct call){ .desc = desc, .worker = worker, .nth = nth };
	for (word = strtok_r(line + used, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (c->n_args == MAX_ARGS || parse_arg(&c->arg[c->n_args++], word))
			return -EINVAL;
	p->n_calls++;
	return 0;
}

int prog_parse(struct prog *p, const char *text)
{
	unsigned int processes, race, rounds, loop = MAX_CALLS;
	char *copy, *line, *rest;
	int err = 0;

	text = strstr(text, "program ");
	if (!text || sscanf(text, "program processes %x race %u rounds %u loop %u",
			    &processes, &race, &rounds, &loop) < 3)
		return -EINVAL;
	p->n_calls = 0;
	copy = strdup(text);
	for (line = strtok_r(copy, "\n", &rest); line && !err;
	     line = strtok_r(NULL, "\n", &rest))
		if (*line == 'w')
			err = parse_call(p, line);
	free(copy);
	p->processes = processes;
	p->race_from = race;
	p->rounds = rounds;
	p->loop_from = loop;
	if (!err)
		prog_repair(p);
	return err ? err : p->n_calls ? 0 : -EINVAL;
}
