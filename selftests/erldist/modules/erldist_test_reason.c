// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next signal of a peer is a reason to close its connection: that number. No
 * signal leads to ERLDIST_REASON_ALIVE, which has the value of EAGAIN.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static uint value;
module_param(value, uint, 0444);
MODULE_PARM_DESC(value, "enum erldist_reason");

static atomic_t once = ATOMIC_INIT(1);

static int reason_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (atomic_xchg(&once, 0))
		regs_set_return_value(regs, -(long)value);
	return 0;
}

static struct kretprobe reason_probe = {
	.kp.symbol_name = "erldist_dispatch_signal",
	.handler = reason_return,
	.maxactive = 16,
};

static int __init reason_init(void)
{
	return register_kretprobe(&reason_probe);
}

static void __exit reason_exit(void)
{
	unregister_kretprobe(&reason_probe);
}

module_init(reason_init);
module_exit(reason_exit);
MODULE_DESCRIPTION("A reason to close a connection, for a test of erldist");
MODULE_LICENSE("GPL");
