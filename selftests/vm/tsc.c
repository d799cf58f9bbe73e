// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints how many kHz this machine's time stamp counter has, by its clock. An
 * emulated processor has the same counter, and its kernel, on a loaded host, would
 * measure something else.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES	1000
#define APART	50000000	/* ns */

struct reading {
	uint64_t ns, ticks;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Both at one time: of many readings the one that took least */
static struct reading take_reading(void)
{
	uint64_t least = UINT64_MAX;
	struct reading best = { 0 };

	for (int i = 0; i < TRIES; i++) {
		uint64_t ticks = __rdtsc();
		uint64_t ns = now();
		uint64_t took = __rdtsc() - ticks;

		if (took < least) {
			least = took;
			best.ns = ns;
			best.ticks = ticks + took / 2;
		}
	}
	return best;
}

int main(void)
{
	const struct timespec apart = { .tv_nsec = APART };
	struct reading a = take_reading(), b;

	nanosleep(&apart, NULL);
	b = take_reading();
	b.ns -= a.ns;
	b.ticks -= a.ticks;
	printf("%" PRIu64 "\n", (b.ticks * 1000000 + b.ns / 2) / b.ns);
	return 0;
}
