/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_SPAWN_H
#define _ERLDIST_SPAWN_H

#include <linux/types.h>

struct erldist_ask;
struct erldist_channel;
struct erldist_ctl;
struct erldist_msg;
struct erldist_process;
struct erldist_relation;

struct erldist_msg *erldist_spawn_message(const struct erldist_relation *rel,
					  const char *error);
struct erldist_msg *
erldist_spawn_cancel_message(const struct erldist_relation *rel);
int erldist_ask_spawn(const struct erldist_ask *ask, struct erldist_msg *msg);
int erldist_ask_spawn_answer(const struct erldist_ask *ask,
			     const struct erldist_msg *msg);
int erldist_spawn_server_set(struct erldist_process *proc, bool on);
bool erldist_spawn_server_is(const struct erldist_process *proc);
int erldist_spawn_requested(struct erldist_channel *ch,
			    const struct erldist_ctl *ctl,
			    struct erldist_msg *msg);
int erldist_spawn_replied(struct erldist_channel *ch,
			  const struct erldist_ctl *ctl,
			  struct erldist_process *proc);
void erldist_spawn_refused(struct erldist_channel *ch,
			   const struct erldist_msg *msg, u64 key);

#endif /* _ERLDIST_SPAWN_H */
