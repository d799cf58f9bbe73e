/* SPDX-License-Identifier: GPL-2.0-only */
/* How programs are made: shared by what makes terms, calls and changes. */
#ifndef ERLDIST_HUNT_GENERATE_H
#define ERLDIST_HUNT_GENERATE_H

#include "hunt.h"

/* The program that is being made, and where */
struct maker {
	struct prog *p;
	uint64_t *rng;
	unsigned int at;	/* the call that takes arguments now */
	struct call *call;
	bool plain;		/* the call is made as a careful caller makes it */
	bool about;		/* most results that it takes are of the call @res */
	bool towards;		/* it is sent to the process @res, by another one */
	unsigned int res;
	bool taken;		/* the call has taken it: the next one is another, half the time */
};

/* grammar.c */
struct arg *put(struct maker *m, int kind, uint64_t v);
unsigned int find_res(const struct prog *p, unsigned int at, unsigned int what, uint64_t *rng);
bool is_about(const struct maker *m, unsigned int what);
bool is_towards(const struct maker *m, unsigned int what);
uint64_t some_number(uint64_t *rng);
int name_argument(const struct desc *d);
void put_term(struct maker *m, unsigned int grammar, unsigned int depth);

/* generate.c */
void put_param(struct maker *m, const struct param *q);
unsigned int some_nth(uint64_t *rng);
void make_room(struct prog *p, unsigned int at, uint64_t *rng);
unsigned int find_named(const struct prog *p, unsigned int at, const struct call *c);
void make_call(struct maker *outer, unsigned int desc);
void add_call(struct prog *p, unsigned int at, uint64_t *rng);
void choose_race(struct prog *p, uint64_t *rng);
void add_encounter(struct prog *p, uint64_t *rng);
void add_story(struct prog *p, uint64_t *rng);

#endif /* ERLDIST_HUNT_GENERATE_H */
