/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_NODE_WATCH_H
#define _ERLDIST_NODE_WATCH_H

#include <linux/types.h>

struct erldist_ask;
struct erldist_channel;
struct erldist_msg;
struct erldist_relation;

struct erldist_msg *erldist_watch_message(const struct erldist_relation *rel,
					  u8 op);
int erldist_watch_node(const struct erldist_ask *ask);
int erldist_watch_nodes(const struct erldist_ask *ask);
int erldist_watch_up(struct erldist_channel *ch);

#endif /* _ERLDIST_NODE_WATCH_H */
