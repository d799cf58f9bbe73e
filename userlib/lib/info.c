// SPDX-License-Identifier: LGPL-2.1-or-later
/* Netlink attributes to structures. */
#include <netlink/attr.h>
#include <stddef.h>
#include <string.h>

#include "internal.h"

enum kind { U32, U64, STRING };

struct field {
	int attr;
	enum kind kind;
	size_t offset;
};

#define F(kind, attr, type, member)	{ attr, kind, offsetof(struct type, member) }
#define NODE(kind, a, m)		F(kind, ERLDIST_A_NODE_##a, erldist_node_info, m)
#define PEER(kind, a, m)		F(kind, ERLDIST_A_PEER_##a, erldist_peer_info, m)
#define PROC(kind, a, m)		F(kind, ERLDIST_A_PROCESS_##a, erldist_process_info, m)

static const struct field node_fields[] = {
	NODE(STRING, NAME, name),
	NODE(U32, CREATION, creation),
	NODE(U64, FLAGS, flags),
	NODE(U32, MODE, mode),
	NODE(U32, UID, uid),
	NODE(U32, GID, gid),
	NODE(U32, TICKTIME, ticktime),
	NODE(U32, INTENSITY, intensity),
	NODE(U32, PROCESSES, processes),
	NODE(U32, PEERS, peers),
	NODE(U32, PEERS_UP, peers_up),
	NODE(U32, HANDSHAKES, handshakes),
	NODE(U64, HANDSHAKES_FAILED, handshakes_failed),
	NODE(U32, LAST_REASON, last_reason),
	NODE(U64, POOL_USED, pool_used),
	NODE(U64, POOL_LIMIT, pool_limit),
	NODE(U64, MAX_MESSAGE, max_message),
	NODE(U64, LOST, lost),
	NODE(U64, NO_RECEIVER, no_receiver),
	NODE(U64, OVERFLOWS, overflows),
	NODE(U64, SEQ, seq),
	NODE(U32, BY_ADMIN, by_admin),
};

static const struct field peer_fields[] = {
	PEER(STRING, NODE, node),
	PEER(STRING, NAME, name),
	PEER(U32, STATE, state),
	PEER(U64, CONNECTION, connection),
	PEER(U64, TAG, tag),
	PEER(U32, CREATION, creation),
	PEER(U64, FLAGS, flags),
	PEER(U32, REASON, reason),
	PEER(U32, ERROR, error),
	PEER(U32, FAILED, failed),
	PEER(U32, PENDING, pending),
	PEER(U64, SINCE, since),
	PEER(U64, RX_BYTES, rx_bytes),
	PEER(U64, RX_MESSAGES, rx_messages),
	PEER(U64, TX_BYTES, tx_bytes),
	PEER(U64, TX_MESSAGES, tx_messages),
	PEER(U64, QUEUED, queued),
	PEER(U64, LOST, lost),
	PEER(U32, RELATIONS, relations),
	PEER(U64, STALLED, stalled),
	PEER(U32, RETRY, retry),
	PEER(U64, SEQ, seq),
};

static const struct field process_fields[] = {
	PROC(STRING, NODE, node),
	PROC(U32, ID, id),
	PROC(U32, SERIAL, serial),
	PROC(U32, CREATION, creation),
	PROC(STRING, NAME, name),
	PROC(U32, STATE, state),
	PROC(U32, OWNER, owner),
	PROC(U32, UID, uid),
	PROC(U32, MESSAGES, messages),
	PROC(U64, LOCAL_BYTES, local_bytes),
	PROC(U64, REMOTE_BYTES, remote_bytes),
	PROC(U32, RELATIONS, relations),
	PROC(U64, SEQ, seq),
};

static void store(char *to, enum kind kind, struct nlattr *a)
{
	uint32_t v32;
	uint64_t v64;
	const char *s;

	switch (kind) {
	case U32:
		if (nla_len(a) < 4)
			return;
		v32 = nla_get_u32(a);
		memcpy(to, &v32, sizeof(v32));
		return;
	case U64:
		if (nla_len(a) < 8)
			return;
		v64 = nla_get_u64(a);
		memcpy(to, &v64, sizeof(v64));
		return;
	case STRING:
		s = nla_data(a);
		if (nla_len(a) && !s[nla_len(a) - 1])
			memcpy(to, &s, sizeof(s));
		return;
	}
}

static void fill(void *info, const struct field *fields, size_t n, struct nlattr *attrs, int len)
{
	struct nlattr *a;
	int rem;
	size_t i;

	nla_for_each_attr(a, attrs, len, rem)
		for (i = 0; i < n; i++)
			if (nla_type(a) == fields[i].attr)
				store((char *)info + fields[i].offset, fields[i].kind, a);
}

/* The strings point into the attributes. -EPROTO if what identifies it is missing */
int ed_node_info(struct erldist_node_info *info, struct nlattr *attrs, int len)
{
	memset(info, 0, sizeof(*info));
	fill(info, node_fields, ED_ARRAY_SIZE(node_fields), attrs, len);
	return info->name ? 0 : -EPROTO;
}

int ed_peer_info(struct erldist_peer_info *info, struct nlattr *attrs, int len)
{
	memset(info, 0, sizeof(*info));
	fill(info, peer_fields, ED_ARRAY_SIZE(peer_fields), attrs, len);
	info->kept = nla_find(attrs, len, ERLDIST_A_PEER_RETRY) != NULL;
	if (!info->node)
		info->node = "";
	if (!info->name)
		info->name = "";
	return 0;
}

int ed_process_info(struct erldist_process_info *info, struct nlattr *attrs, int len)
{
	memset(info, 0, sizeof(*info));
	fill(info, process_fields, ED_ARRAY_SIZE(process_fields), attrs, len);
	if (info->name && !*info->name)
		info->name = NULL;
	return info->node ? 0 : -EPROTO;
}
