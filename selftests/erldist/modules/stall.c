// SPDX-License-Identifier: GPL-2.0-only
/*
 * With ERLDIST_KCOV=1, part of erldist.ko: stalls its code at random places, so that
 * what another CPU does meanwhile falls into moments that otherwise are a few
 * instructions long. The compiler calls __sanitizer_cov_trace_pc() in each basic
 * block; the linker makes these calls come here (--wrap, see Kbuild).
 */
#include <linux/delay.h>
#include <linux/kcov.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>

typeof(__sanitizer_cov_trace_pc) __real___sanitizer_cov_trace_pc, __wrap___sanitizer_cov_trace_pc;

/* One in so many blocks; 0: none. Set by the generator (selftests/hunt). */
static uint stall;
module_param(stall, uint, 0644);
MODULE_PARM_DESC(stall, "stall one in so many basic blocks (0: none)");

static DEFINE_PER_CPU(u32, stall_state);

/* A race between an interrupt and what it interrupts makes it only more random. */
static u32 stall_random(void)
{
	u32 x = raw_cpu_read(stall_state) ?: (u32)local_clock() | 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	raw_cpu_write(stall_state, x);
	return x;
}

/* What is about to wait, or may not sleep, is only held up. */
static bool can_sleep(void)
{
	return preemptible() && !rcu_preempt_depth() && !in_serving_softirq() &&
	       READ_ONCE(current->__state) == TASK_RUNNING;
}

static noinline void stall_here(u32 x)
{
	if (x & 3 || !can_sleep())
		udelay(x >> 8 & 31);
	else
		usleep_range(50, 50 + (x >> 8 & 511));
}

/* The return address is that of the block: what is behind it must be a jump. */
void __wrap___sanitizer_cov_trace_pc(void)
{
	uint every = READ_ONCE(stall);
	u32 x;

	if (unlikely(every)) {
		x = stall_random();
		if (x % every == 0)
			stall_here(x / every);
	}
	__real___sanitizer_cov_trace_pc();
}
