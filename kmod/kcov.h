/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Coverage of what runs outside of the caller's context (KCOV_REMOTE_ENABLE): a
 * node's works, and the callbacks of its streams in a softirq, are the coverage of
 * the program that made the node. Without CONFIG_KCOV nothing of this is left.
 */
#ifndef _ERLDIST_KCOV_H
#define _ERLDIST_KCOV_H

#include <linux/kcov.h>
#include <linux/preempt.h>

#include "node.h"

/* The node's maker, in its own context */
static inline void erldist_kcov_init(struct erldist_node *node)
{
#ifdef CONFIG_KCOV
	node->kcov = kcov_common_handle();
#endif
}

/* Around a work, which ends in the same function. The node can be gone by then. */
static inline void erldist_kcov_work_start(const struct erldist_node *node)
{
#ifdef CONFIG_KCOV
	kcov_remote_start_common(node->kcov);
#endif
}

static inline void erldist_kcov_work_stop(void)
{
	kcov_remote_stop();
}

/*
 * Around a stream's callback. One that runs in a task is the coverage of that task:
 * a section must not begin there, as the task can be in one, or collect its own.
 */
static inline void erldist_kcov_softirq_start(const struct erldist_node *node)
{
#ifdef CONFIG_KCOV
	if (in_serving_softirq() && !in_hardirq())
		kcov_remote_start_common(node->kcov);
#endif
}

static inline void erldist_kcov_softirq_stop(void)
{
	kcov_remote_stop_softirq();
}

#endif /* _ERLDIST_KCOV_H */
