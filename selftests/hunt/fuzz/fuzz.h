/* SPDX-License-Identifier: GPL-2.0-only */
/* What the targets share: properties, a generator of valid input, and what bends it. */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <stdio.h>

#include "pure.h"

#define CHECK(cond) do {							\
	if (!(cond)) {								\
		fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
		abort();							\
	}									\
} while (0)

/* What libFuzzer calls, and what it offers */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);

/* Random numbers that a seed repeats, and where what is generated goes */
struct gen {
	u64 state;
	u8 *p;
	u8 *end;
	unsigned int weird;	/* one value in so many is not valid; 0: all are */
};

/* Below n, which is not 0 */
u32 gen_below(struct gen *g, u32 n);
void gen_u8(struct gen *g, u8 v);
void gen_u16(struct gen *g, u16 v);
void gen_u32(struct gen *g, u32 v);
void gen_bytes(struct gen *g, const void *p, size_t n);
void gen_atom(struct gen *g);
void gen_pid(struct gen *g);
void gen_ref(struct gen *g);
void gen_term(struct gen *g, unsigned int depth);
void gen_control(struct gen *g);
/* A control message, and the term that may follow it */
void gen_signal(struct gen *g, bool version);

/*
 * Bend the terms in data, which are one behind the other: one of them or a part is
 * replaced, repeated, removed, swapped or wrapped, or the numbers in its head change.
 */
size_t bend_terms(struct gen *g, u8 *data, size_t size, size_t max);

/*
 * Given by each target: fill p with valid input; bend what is valid (both return its
 * size). size is at most max.
 */
size_t fuzz_generate(struct gen *g, u8 *p, size_t max);
size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max);

/*
 * The n-th allocation from here on fails, and all behind it; 0: none does. Only for
 * targets that are linked with FAIL (Makefile).
 */
void fuzz_fail_from(unsigned int n);

#endif /* _FUZZ_H */
