/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <stdio.h>

#include "pure.h"

#define CHECK(cond) do { if (!(cond)) { puts("failed: " #cond); abort(); } } while (0)

/* What libFuzzer calls */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif /* _FUZZ_H */
