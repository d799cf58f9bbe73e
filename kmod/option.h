/* SPDX-License-Identifier: GPL-2.0-only */
/* Socket options: structures that may grow, and terms. */
#ifndef _ERLDIST_OPTION_H
#define _ERLDIST_OPTION_H

#include <linux/sockptr.h>

#include "etf.h"

int erldist_option_get(void *dst, size_t size, sockptr_t optval,
		       unsigned int optlen);
u8 *erldist_option_dup(sockptr_t optval, unsigned int optlen, size_t most);
int erldist_option_put(const void *src, size_t size, char __user *optval,
		       int __user *optlen);
int erldist_option_put_all(const void *src, size_t size, char __user *optval,
			   int __user *optlen);

#endif /* _ERLDIST_OPTION_H */
