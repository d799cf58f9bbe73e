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

/* As a timeout: -1 is for ever */
int ed_time_left(int64_t deadline)
{
	int64_t left;

	if (deadline < 0)
		return -1;
	left = deadline - ed_now();
	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Wait for one of the events, or an error condition. -ETIMEDOUT, -EINTR */
int ed_wait(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int n = poll(&pfd, 1, ed_time_left(deadline));

	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}
