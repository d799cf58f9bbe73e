/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/erldist.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_ERLDIST_GEN_H
#define _LINUX_ERLDIST_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/erldist_netlink.h>

extern const struct nla_policy erldist_family_get_nl_policy[ERLDIST_A_FAMILY_ADDRESS_FAMILY + 1];

extern const struct nla_policy erldist_node_get_nl_policy[ERLDIST_A_NODE_NAME + 1];

extern const struct nla_policy erldist_peer_get_nl_policy[ERLDIST_A_PEER_NAME + 1];

extern const struct nla_policy erldist_process_get_nl_policy[ERLDIST_A_PROCESS_SERIAL + 1];

extern const struct nla_policy erldist_peer_disconnect_nl_policy[ERLDIST_A_PEER_CONNECTION + 1];

/* Ops table for erldist */
extern const struct genl_ops erldist_nl_ops[5];

int erldist_nl_family_get_doit(struct sk_buff *skb, struct genl_info *info);
int erldist_nl_node_get_doit(struct sk_buff *skb, struct genl_info *info);
int erldist_nl_node_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int erldist_nl_peer_get_doit(struct sk_buff *skb, struct genl_info *info);
int erldist_nl_peer_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int erldist_nl_process_get_doit(struct sk_buff *skb, struct genl_info *info);
int erldist_nl_process_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int erldist_nl_peer_disconnect_doit(struct sk_buff *skb,
				    struct genl_info *info);

enum {
	ERLDIST_NLGRP_NODES,
	ERLDIST_NLGRP_HANDSHAKES,
	ERLDIST_NLGRP_NAMES,
	ERLDIST_NLGRP_NAMES_ALL,
};

#endif /* _LINUX_ERLDIST_GEN_H */
