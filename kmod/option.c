// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying socket options to and from user space.
 */
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "option.h"

static int rest_is_zero(sockptr_t optval, size_t from, size_t to)
{
	u8 byte;

	for (; from < to; from++) {
		if (copy_from_sockptr_offset(&byte, optval, from, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

/**
 * erldist_option_get() - read a structure that may be older or newer than ours
 * @dst: where to
 * @size: of our structure; what is missing reads as zero
 * @optval: what setsockopt() was given
 * @optlen: its bytes
 *
 * Return: 0; -E2BIG bytes that are not known are not zero; -EFAULT; -EINVAL.
 */
int erldist_option_get(void *dst, size_t size, sockptr_t optval,
		       unsigned int optlen)
{
	if (!optlen || optlen > PAGE_SIZE)
		return -EINVAL;
	memset(dst, 0, size);
	if (copy_from_sockptr(dst, optval, min_t(size_t, size, optlen)))
		return -EFAULT;
	return rest_is_zero(optval, size, optlen);
}

/**
 * erldist_option_dup() - read bytes of any length
 * @optval: what setsockopt() was given
 * @optlen: its bytes
 * @most: how many are allowed
 *
 * Return: a copy to be freed with kvfree(); ERR_PTR.
 */
u8 *erldist_option_dup(sockptr_t optval, unsigned int optlen, size_t most)
{
	u8 *p;

	if (optlen > most)
		return ERR_PTR(-EINVAL);
	p = kvmalloc(max(optlen, 1U), GFP_KERNEL_ACCOUNT);
	if (!p)
		return ERR_PTR(-ENOMEM);
	if (copy_from_sockptr(p, optval, optlen)) {
		kvfree(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

/**
 * erldist_option_put() - return a structure, as much of it as is asked for
 * @src: the structure
 * @size: its bytes
 * @optval: where to
 * @optlen: room there, set to what was copied
 *
 * Return: 0 or -EFAULT, -EINVAL.
 */
int erldist_option_put(const void *src, size_t size, char __user *optval,
		       int __user *optlen)
{
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min_t(size_t, len, size);
	if (put_user(len, optlen) || copy_to_user(optval, src, len))
		return -EFAULT;
	return 0;
}

/**
 * erldist_option_put_all() - return bytes, all of them or none
 * @src: the bytes
 * @size: how many
 * @optval: where to
 * @optlen: room there, set to what there is
 *
 * Return: 0; -EMSGSIZE too little room, optlen says how much is needed;
 * -EFAULT, -EINVAL.
 */
int erldist_option_put_all(const void *src, size_t size, char __user *optval,
			   int __user *optlen)
{
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	if (put_user((int)size, optlen))
		return -EFAULT;
	if (len < size)
		return -EMSGSIZE;
	return copy_to_user(optval, src, size) ? -EFAULT : 0;
}
