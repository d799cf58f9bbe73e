// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads named "slow" are held up where they enter a function, so that what another
 * CPU does meanwhile falls into a moment that otherwise is a few instructions long.
 */
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *function;
module_param(function, charp, 0444);
MODULE_PARM_DESC(function, "the one that is entered");

static char *caller = "";
module_param(caller, charp, 0444);
MODULE_PARM_DESC(caller, "part of the name of the function that calls it (any)");

static uint ms;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "for how long");

static uint times = UINT_MAX;
module_param(times, uint, 0444);
MODULE_PARM_DESC(times, "how often (always)");

static atomic_t entered = ATOMIC_INIT(0);

static bool called_by(struct pt_regs *regs)
{
	char symbol[KSYM_SYMBOL_LEN];

	if (!*caller)
		return true;
	sprint_symbol(symbol, regs_get_kernel_stack_nth(regs, 0));
	return strstr(symbol, caller) && strstr(symbol, "[erldist]");
}

static int delay_entry(struct kprobe *probe, struct pt_regs *regs)
{
	if (!strcmp(current->comm, "slow") && called_by(regs) &&
	    (uint)atomic_inc_return(&entered) <= times)
		mdelay(ms);
	return 0;
}

static struct kprobe delay_probe = {
	.pre_handler = delay_entry,
};

static int __init delay_init(void)
{
	delay_probe.symbol_name = function;
	return register_kprobe(&delay_probe);
}

static void __exit delay_exit(void)
{
	unregister_kprobe(&delay_probe);
}

module_init(delay_init);
module_exit(delay_exit);
MODULE_DESCRIPTION("Threads that are held up, for a test of erldist");
MODULE_LICENSE("GPL");
