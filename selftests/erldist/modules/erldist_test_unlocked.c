// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns lockdep off until the next boot, as its first complaint does. Random programs
 * (selftests/hunt) are half as fast again without it.
 */
#include <linux/debug_locks.h>
#include <linux/module.h>

static int __init erldist_test_unlocked_init(void)
{
	__debug_locks_off();
	return 0;
}

static void __exit erldist_test_unlocked_exit(void)
{
}

module_init(erldist_test_unlocked_init);
module_exit(erldist_test_unlocked_exit);
MODULE_DESCRIPTION("lockdep is turned off");
MODULE_LICENSE("GPL");
