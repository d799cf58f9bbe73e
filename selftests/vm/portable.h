/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For "make lint": what only other architectures would show.
 *
 * READ_ONCE() and WRITE_ONCE() of an u64 are an error. On 32 bit they are two
 * accesses, and a reader can see half of a new value. On 64 bit, where this is
 * compiled, unsigned long and what atomic64_t holds are other types of the same size.
 */
/* As main.c has it, before headers that would define another one */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compiler.h>
#include <uapi/asm/signal.h>

/* Not on MIPS and others */
#undef SIGSTKFLT

#undef compiletime_assert_rwonce_type
#define compiletime_assert_rwonce_type(t)					\
	compiletime_assert(!__builtin_types_compatible_p(typeof(t), u64),	\
			   "an u64 is read or written in halves on 32 bit")
