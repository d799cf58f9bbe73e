// SPDX-License-Identifier: GPL-2.0-only
/* A log that a flood does not fill. */
#include "../shared/limit.c"
#include "tap.h"

static unsigned int flood(struct limit *l, unsigned int lines, unsigned int *left_out)
{
	unsigned int passed = 0;

	while (lines--)
		passed += limit_pass(l, left_out);
	return passed;
}

int main(void)
{
	unsigned int left_out = 1;
	struct limit l = { 0 }, other = { 0 };

	ok(flood(&l, LINES_MAX, &left_out) == LINES_MAX && !left_out, "%d lines are logged",
	   LINES_MAX);
	ok(!flood(&l, 5000, &left_out), "and no more of them at once");
	ok(flood(&other, 1, &left_out) == 1, "a line of another kind is");
	l.until = now_ms();
	ok(limit_pass(&l, &left_out) && left_out == 5000, "after a while, with how many were not");
	ok(limit_pass(&l, &left_out) && !left_out, "which is told once");
	return tap_end();
}
