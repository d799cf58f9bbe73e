// SPDX-License-Identifier: LGPL-2.1-or-later
/* Waiting with a deadline. Milliseconds; -1 is for ever. */
#include <limits.h>
#include <poll.h>
#include <time.h>

#include "internal.h"

int64_t ed_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t ed_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : ed_now() + timeout_ms;
}

/* Wait for one of the events, or an error condition. -ETIMEDOUT, -EINTR */
int ed_wait(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left = -1;
	int n;

	if (deadline >= 0) {
		left = deadline - ed_now();
		if (left < 0)
			left = 0;
		if (left > INT_MAX)
			left = INT_MAX;
	}
	n = poll(&pfd, 1, (int)left);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}
