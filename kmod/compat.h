/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place for what differs between kernels 6.1 and later. Features are
 * found in the headers by Kbuild (ERLDIST_HAVE_*), never by version number.
 */
#ifndef _ERLDIST_COMPAT_H
#define _ERLDIST_COMPAT_H

#include <linux/mm.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/string.h>

#if __has_include(<linux/unaligned.h>)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#if __has_include(<crypto/utils.h>)
#include <crypto/utils.h>
#else
#include <crypto/algapi.h>
#endif

#ifdef ERLDIST_HAVE_SOCKADDR_UNSIZED
typedef struct sockaddr_unsized erldist_sockaddr;
#else
typedef struct sockaddr erldist_sockaddr;
#endif

#ifdef ERLDIST_HAVE_ASSIGN_STR1
#define erldist_assign_str(dst, src)	__assign_str(dst)
#else
#define erldist_assign_str(dst, src)	__assign_str(dst, src)
#endif

/* kvrealloc() takes the old size on some kernels and not on others. */
static inline void *erldist_kvrealloc(void *old, size_t old_size, size_t size)
{
	void *p = kvmalloc(size, GFP_KERNEL_ACCOUNT);

	if (p && old)
		memcpy(p, old, min(old_size, size));
	if (p)
		kvfree(old);
	return p;
}

#endif /* _ERLDIST_COMPAT_H */
