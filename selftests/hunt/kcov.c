// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coverage by KCOV: an area for each worker, and one for what works and softirqs do on
 * behalf of the program. The descriptors are the executor's and are used by one runner
 * after the other, which has no need of the areas themselves.
 */
#include <sys/mman.h>
#include <linux/kcov.h>

#include "hunt.h"

#define AREA_WORDS	(16 << 10)
#define REMOTE_WORDS	(64 << 10)

static uint64_t text_base;

static int open_area(uint64_t **area, size_t words)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, KCOV_INIT_TRACE, words))
		die("KCOV_INIT_TRACE");
	*area = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*area == MAP_FAILED)
		die("mmap of KCOV");
	madvise(*area, words * 8, MADV_DONTFORK);
	return fd;
}

/* Where the module's text is, so that a place has one number in all guests */
static uint64_t module_text(void)
{
	FILE *f = fopen("/sys/module/erldist/sections/.text", "re");
	unsigned long long base = 0;

	if (f && fscanf(f, "%llx", &base) != 1)
		base = 0;
	if (f)
		fclose(f);
	return base;
}

bool kcov_setup(struct shared *s, unsigned int executor)
{
	struct kcov_remote_arg arg = {
		.trace_mode = KCOV_TRACE_PC,
		.area_size = REMOTE_WORDS,
		.common_handle = kcov_remote_handle(KCOV_SUBSYSTEM_COMMON, executor + 1),
	};

	text_base = module_text();
	s->kcov_remote = -1;
	for (unsigned int i = 0; i < AREAS; i++)
		s->kcov[i] = -1;
	if (!text_base)
		return false;
	for (unsigned int i = 0; i < AREAS; i++) {
		s->kcov[i] = open_area(&s->area[i], AREA_WORDS);
		if (s->kcov[i] < 0)
			return false;
	}
	/* Whatever is made by a child of this thread has its handle */
	s->kcov_remote = open_area(&s->remote, REMOTE_WORDS);
	if (ioctl(s->kcov_remote, KCOV_REMOTE_ENABLE, &arg))
		die("KCOV_REMOTE_ENABLE");
	return true;
}

void kcov_thread_start(struct shared *s, unsigned int area)
{
	if (s->kcov[area] >= 0)
		ioctl(s->kcov[area], KCOV_ENABLE, KCOV_TRACE_PC);
}

void kcov_reset(struct shared *s)
{
	if (s->kcov_remote < 0)
		return;
	for (unsigned int i = 0; i < AREAS; i++)
		__atomic_store_n(&s->area[i][0], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&s->remote[0], 0, __ATOMIC_RELAXED);
}

/* True when the bit was not set; executors share the bits */
static bool set_bit(uint64_t *bits, uint32_t i)
{
	uint64_t mask = 1ULL << (i & 63);

	if (__atomic_load_n(&bits[i / 64], __ATOMIC_RELAXED) & mask)
		return false;
	return !(__atomic_fetch_or(&bits[i / 64], mask, __ATOMIC_RELAXED) & mask);
}

static unsigned int collect_area(const uint64_t *area, size_t words, bool edges,
				 struct coverage *all)
{
	uint64_t n = __atomic_load_n(&area[0], __ATOMIC_RELAXED);
	unsigned int fresh = 0;
	uint32_t last = 0;

	if (n > words - 1)
		n = words - 1;
	for (uint64_t i = 1; i <= n; i++) {
		uint64_t at = area[i] - text_base;
		uint32_t hash;

		if (at >= PC_BITS)
			continue;
		if (set_bit(all->pcs, at)) {
			__atomic_add_fetch(&all->n_pcs, 1, __ATOMIC_RELAXED);
			fresh++;
		}
		if (!edges)
			continue;
		hash = ((uint32_t)at ^ last * 0x9e3779b1U) * 0x85ebca6bU;
		last = at;
		if (set_bit(all->signal, (hash ^ hash >> 13) % SIGNAL_BITS)) {
			__atomic_add_fetch(&all->n_signal, 1, __ATOMIC_RELAXED);
			fresh++;
		}
	}
	return fresh;
}

unsigned int kcov_collect(struct shared *s, struct coverage *all)
{
	unsigned int fresh = 0;

	if (s->kcov_remote < 0)
		return 0;
	for (unsigned int i = 0; i < AREAS; i++)
		fresh += collect_area(s->area[i], AREA_WORDS, true, all);
	return fresh + collect_area(s->remote, REMOTE_WORDS, false, all);
}
