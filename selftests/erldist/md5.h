/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ERLDIST_TEST_MD5_H
#define ERLDIST_TEST_MD5_H

#include <stddef.h>
#include <stdint.h>

/* RFC 1321, of a text of at most 512 bytes */
void md5(const void *p, size_t len, uint8_t digest[16]);

#endif /* ERLDIST_TEST_MD5_H */
