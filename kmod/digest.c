// SPDX-License-Identifier: GPL-2.0-only
/*
 * The digest of the handshake: MD5 of the cookie and a challenge.
 */
#include <crypto/hash.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "compat.h"
#include "handshake.h"

/**
 * erldist_digest() - prove that one has the cookie
 * @cookie: its bytes
 * @len: how many, at most 255
 * @challenge: what the other side asked
 * @digest: filled in
 *
 * Context: process context, may load a module.
 * Return: 0, or what the crypto layer says (MD5 is not there, as with FIPS).
 */
int erldist_digest(const u8 *cookie, size_t len, u32 challenge,
		   u8 digest[HS_DIGEST_LEN])
{
	u8 text[ERLDIST_HS_NAME_MAX + 11];
	struct crypto_shash *md5;
	int err;

	if (len > ERLDIST_HS_NAME_MAX)
		return -EINVAL;
	md5 = crypto_alloc_shash("md5", 0, 0);
	if (IS_ERR(md5))
		return PTR_ERR(md5);
	memcpy(text, cookie, len);
	len += scnprintf(text + len, sizeof(text) - len, "%u", challenge);
	err = crypto_shash_tfm_digest(md5, text, len, digest);
	memzero_explicit(text, sizeof(text));
	crypto_free_shash(md5);
	return err;
}

/**
 * erldist_digest_equal() - compare in constant time
 * @a: a digest
 * @b: another
 * Return: true when they are equal.
 */
bool erldist_digest_equal(const u8 *a, const u8 *b)
{
	return !crypto_memneq(a, b, HS_DIGEST_LEN);
}
