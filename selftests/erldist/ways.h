/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways in which a program, or its descriptor of a process, comes to its end. The
 * program talks about it in lines:
 *
 *	it writes	pid HEX		its process's pid, a term
 *	it reads	a line
 *	it writes	alive		in a way that has a part which ends nothing,
 *					when that has happened
 *	it reads	a line
 *
 * and ends the process. A program that lives longer than its process then waits
 * to be killed.
 */
#ifndef ERLDIST_TEST_WAYS_H
#define ERLDIST_TEST_WAYS_H

#include "erldist_test.h"

struct way {
	const char *name;
	/* what its watchers are told: an exit status, a signal, or normal */
	int status;
	const char *signal;
	bool alive;		/* has a part that ends nothing */
	void (*end)(int fd);
	/* 0, or a negative errno: this machine has no such way */
	int (*possible)(void);
};

/* All of them; the last has no name */
extern const struct way ways[];

/* NULL: there is none */
const struct way *way_find(const char *name);
void way_reason(const struct way *way, struct buf *reason);
/*
 * The whole life of a program: binds a process of this name, which may be "",
 * and goes that way; reads from in and writes to out.
 */
noreturn void way_go(const struct way *way, const char *name, const char *node,
		     int in, int out);

#endif /* ERLDIST_TEST_WAYS_H */
