/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_NETLINK_H
#define _ERLDIST_NETLINK_H

#include <uapi/linux/erldist_netlink.h>

#include "etf.h"
#include "node.h"
#include "peer.h"

struct sk_buff;

/* What a node socket is told of a peer */
struct erldist_peer_news {
	u32 pending;	/* enum erldist_pending */
	u64 tag;
	u64 connection;
	u64 flags;	/* offered by the connection that asks */
};

int erldist_netlink_init(void);
void erldist_netlink_exit(void);
void erldist_netlink_node(struct erldist_node *node, u8 cmd);
void erldist_netlink_peer(struct erldist_peer *peer, u8 cmd);
void erldist_netlink_name(struct erldist_process *proc,
			  const struct etf_atom *name, u8 cmd);
struct sk_buff *erldist_netlink_news(struct erldist_peer *peer,
				     const struct erldist_peer_news *news);

#endif /* _ERLDIST_NETLINK_H */
