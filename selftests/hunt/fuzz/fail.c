// SPDX-License-Identifier: GPL-2.0-only
/* Allocations that fail, for the target alone: linked with --wrap. */
#include "fuzz.h"

void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static unsigned int left;

void fuzz_fail_from(unsigned int n)
{
	left = n;
}

static bool fails(void)
{
	if (left < 2)
		return left == 1;
	left--;
	return false;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}
