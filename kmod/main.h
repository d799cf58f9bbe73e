/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_MAIN_H
#define _ERLDIST_MAIN_H

#include <linux/types.h>

struct proto;

/*
 * A module outside the tree borrows a vacant number: nothing else in the
 * kernel or in Debian's user space uses 18 (AF_ASH).
 */
#ifndef AF_ERLDIST
#define AF_ERLDIST	18
#endif

#define ERLDIST_VERSION	"0.1"

int erldist_family(void);
bool erldist_may_make_nodes(void);

/* node_socket.c, process_socket.c */
extern struct proto erldist_node_proto;
extern struct proto erldist_process_proto;

#endif /* _ERLDIST_MAIN_H */
