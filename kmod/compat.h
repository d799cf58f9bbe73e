/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place for what differs between kernels 6.1 and later. Features are
 * found in the headers by Kbuild (ERLDIST_HAVE_*), never by version number.
 */
#ifndef _ERLDIST_COMPAT_H
#define _ERLDIST_COMPAT_H

#include <linux/mm.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/string.h>

#ifdef ERLDIST_HAVE_LINUX_UNALIGNED
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#ifdef ERLDIST_HAVE_CRYPTO_UTILS
#include <crypto/utils.h>
#else
#include <crypto/algapi.h>
#endif

/* Where there is none, what it is asked to splice is copied. */
#ifndef MSG_SPLICE_PAGES
#define MSG_SPLICE_PAGES	0
#endif

/* What proto_ops' bind and connect take */
#ifdef ERLDIST_HAVE_SOCKADDR_UNSIZED
#define erldist_sockaddr	struct sockaddr_unsized
#else
#define erldist_sockaddr	struct sockaddr
#endif

/* Where a buffer cannot be in a device's memory, it can be read. */
#ifndef ERLDIST_HAVE_SKB_FRAGS_READABLE
static inline bool skb_frags_readable(const struct sk_buff *skb)
{
	return true;
}
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
