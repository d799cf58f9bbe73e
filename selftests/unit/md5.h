/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MD5_H
#define _MD5_H

#include "pure.h"

void md5(const void *data, size_t len, u8 digest[16]);

/* What erldist_digest() is to fail with */
extern int md5_error;

#endif /* _MD5_H */
