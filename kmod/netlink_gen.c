// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/erldist.yaml */
/* YNL-GEN kernel source */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/erldist_netlink.h>

/* ERLDIST_CMD_FAMILY_GET - do */
const struct nla_policy erldist_family_get_nl_policy[ERLDIST_A_FAMILY_ADDRESS_FAMILY + 1] = {
	[ERLDIST_A_FAMILY_ADDRESS_FAMILY] = { .type = NLA_U32, },
};

/* ERLDIST_CMD_NODE_GET - do */
const struct nla_policy erldist_node_get_nl_policy[ERLDIST_A_NODE_NAME + 1] = {
	[ERLDIST_A_NODE_NAME] = { .type = NLA_NUL_STRING, .len = ERLDIST_NODE_NAME_MAX, },
};

/* ERLDIST_CMD_PEER_GET - do */
const struct nla_policy erldist_peer_get_nl_policy[ERLDIST_A_PEER_NAME + 1] = {
	[ERLDIST_A_PEER_NODE] = { .type = NLA_NUL_STRING, .len = ERLDIST_NODE_NAME_MAX, },
	[ERLDIST_A_PEER_NAME] = { .type = NLA_NUL_STRING, .len = ERLDIST_NODE_NAME_MAX, },
};

/* ERLDIST_CMD_PROCESS_GET - do */
const struct nla_policy erldist_process_get_nl_policy[ERLDIST_A_PROCESS_SERIAL + 1] = {
	[ERLDIST_A_PROCESS_NODE] = { .type = NLA_NUL_STRING, .len = ERLDIST_NODE_NAME_MAX, },
	[ERLDIST_A_PROCESS_ID] = { .type = NLA_U32, },
	[ERLDIST_A_PROCESS_SERIAL] = { .type = NLA_U32, },
};

/* ERLDIST_CMD_PEER_DISCONNECT - do */
const struct nla_policy erldist_peer_disconnect_nl_policy[ERLDIST_A_PEER_CONNECTION + 1] = {
	[ERLDIST_A_PEER_NODE] = { .type = NLA_NUL_STRING, .len = ERLDIST_NODE_NAME_MAX, },
	[ERLDIST_A_PEER_NAME] = { .type = NLA_NUL_STRING, .len = ERLDIST_NODE_NAME_MAX, },
	[ERLDIST_A_PEER_CONNECTION] = { .type = NLA_U64, },
};

/* Ops table for erldist */
const struct genl_ops erldist_nl_ops[5] = {
	{
		.cmd		= ERLDIST_CMD_FAMILY_GET,
		.validate	= GENL_DONT_VALIDATE_STRICT,
		.doit		= erldist_nl_family_get_doit,
		.policy		= erldist_family_get_nl_policy,
		.maxattr	= ERLDIST_A_FAMILY_ADDRESS_FAMILY,
	},
	{
		.cmd		= ERLDIST_CMD_NODE_GET,
		.doit		= erldist_nl_node_get_doit,
		.dumpit		= erldist_nl_node_get_dumpit,
		.policy		= erldist_node_get_nl_policy,
		.maxattr	= ERLDIST_A_NODE_NAME,
	},
	{
		.cmd		= ERLDIST_CMD_PEER_GET,
		.doit		= erldist_nl_peer_get_doit,
		.dumpit		= erldist_nl_peer_get_dumpit,
		.policy		= erldist_peer_get_nl_policy,
		.maxattr	= ERLDIST_A_PEER_NAME,
	},
	{
		.cmd		= ERLDIST_CMD_PROCESS_GET,
		.doit		= erldist_nl_process_get_doit,
		.dumpit		= erldist_nl_process_get_dumpit,
		.policy		= erldist_process_get_nl_policy,
		.maxattr	= ERLDIST_A_PROCESS_SERIAL,
	},
	{
		.cmd		= ERLDIST_CMD_PEER_DISCONNECT,
		.doit		= erldist_nl_peer_disconnect_doit,
		.policy		= erldist_peer_disconnect_nl_policy,
		.maxattr	= ERLDIST_A_PEER_CONNECTION,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
};

static const struct genl_multicast_group erldist_nl_mcgrps[] = {
	[ERLDIST_NLGRP_NODES] = { "nodes", },
	[ERLDIST_NLGRP_HANDSHAKES] = { "handshakes", },
	[ERLDIST_NLGRP_NAMES] = { "names", },
	[ERLDIST_NLGRP_NAMES_ALL] = { "names-all", },
};
