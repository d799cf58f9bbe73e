// SPDX-License-Identifier: LGPL-2.1-or-later
/* How many descriptors one thing may use, so that others still find some. */
#include <sys/resource.h>

#include "internal.h"

/* One part of so many of the limit of this process, but at least and at most so many */
unsigned int ed_descriptors(unsigned int parts, unsigned int min, unsigned int max)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur / parts < min)
		return min;
	return limit.rlim_cur / parts < max ? (unsigned int)(limit.rlim_cur / parts) : max;
}
