// SPDX-License-Identifier: GPL-2.0-only
/*
 * A limit of log lines. A peer or a local user that repeats something quickly must
 * not fill the log, so of each kind a few lines pass in an interval. The others are
 * counted, and the first line of a later interval tells how many they were.
 */
#include <stdint.h>
#include <time.h>

#include "shared.h"

#define INTERVAL_MS	30000
#define LINES_MAX	60

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* May one more line of this kind be logged? left_out: how many could not before it */
bool limit_pass(struct limit *l, unsigned int *left_out)
{
	int64_t now = now_ms();

	if (now >= l->until) {
		l->until = now + INTERVAL_MS;
		l->lines = 0;
	}
	if (l->lines >= LINES_MAX) {
		l->left_out++;
		return false;
	}
	l->lines++;
	*left_out = l->left_out;
	l->left_out = 0;
	return true;
}
