/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of the shared memory that are waited for */
#ifndef ERLDIST_HUNT_FUTEX_H
#define ERLDIST_HUNT_FUTEX_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline void futex_wait(uint32_t *word, uint32_t value, unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &t, NULL, 0);
}

static inline uint32_t load(uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void store_wake(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, 64, NULL, NULL, 0);
}

#endif /* ERLDIST_HUNT_FUTEX_H */
