// SPDX-License-Identifier: GPL-2.0-only
/* What netlink tells about nodes and peers, as structures; and memory in use. */
#include "erldist_test.h"

void peer_info(struct peer_info *i, const struct genl_msg *m)
{
	snprintf(i->node, sizeof(i->node), "%s", get_str(m, ERLDIST_A_PEER_NODE));
	snprintf(i->name, sizeof(i->name), "%s", get_str(m, ERLDIST_A_PEER_NAME));
	i->state = get_u32(m, ERLDIST_A_PEER_STATE);
	i->connection = get_u64(m, ERLDIST_A_PEER_CONNECTION);
	i->tag = get_u64(m, ERLDIST_A_PEER_TAG);
	i->creation = get_u32(m, ERLDIST_A_PEER_CREATION);
	i->flags = get_u64(m, ERLDIST_A_PEER_FLAGS);
	i->reason = get_u32(m, ERLDIST_A_PEER_REASON);
	i->error = get_u32(m, ERLDIST_A_PEER_ERROR);
	i->failed = get_u32(m, ERLDIST_A_PEER_FAILED);
	i->pending = get_u32(m, ERLDIST_A_PEER_PENDING);
	i->retry = m->a[ERLDIST_A_PEER_RETRY] ? get_u32(m, ERLDIST_A_PEER_RETRY) : NOT_KEPT;
	i->since = get_u64(m, ERLDIST_A_PEER_SINCE);
	i->relations = get_u32(m, ERLDIST_A_PEER_RELATIONS);
	i->queued = get_u64(m, ERLDIST_A_PEER_QUEUED);
	i->lost = get_u64(m, ERLDIST_A_PEER_LOST);
	i->stalled = get_u64(m, ERLDIST_A_PEER_STALLED);
	i->rx_messages = get_u64(m, ERLDIST_A_PEER_RX_MESSAGES);
	i->tx_messages = get_u64(m, ERLDIST_A_PEER_TX_MESSAGES);
	i->tx_bytes = get_u64(m, ERLDIST_A_PEER_TX_BYTES);
	i->seq = get_u64(m, ERLDIST_A_PEER_SEQ);
}

int node_info(const char *name, struct node_info *i)
{
	struct genl_msg m;
	struct genl g;
	DEFINE_BUF(a);
	int err = genl_open(&g, ERLDIST_FAMILY_NAME);

	if (err)
		return err;
	attr_str(&a, ERLDIST_A_NODE_NAME, name);
	err = genl_do(&g, ERLDIST_CMD_NODE_GET, &a, &m);
	genl_close(&g);
	if (err)
		return err;
	i->handshakes_failed = get_u64(&m, ERLDIST_A_NODE_HANDSHAKES_FAILED);
	i->handshakes = get_u32(&m, ERLDIST_A_NODE_HANDSHAKES);
	i->last_reason = get_u32(&m, ERLDIST_A_NODE_LAST_REASON);
	i->lost = get_u64(&m, ERLDIST_A_NODE_LOST);
	i->no_receiver = get_u64(&m, ERLDIST_A_NODE_NO_RECEIVER);
	i->overflows = get_u64(&m, ERLDIST_A_NODE_OVERFLOWS);
	i->pool_used = get_u64(&m, ERLDIST_A_NODE_POOL_USED);
	i->pool_limit = get_u64(&m, ERLDIST_A_NODE_POOL_LIMIT);
	i->max_message = get_u64(&m, ERLDIST_A_NODE_MAX_MESSAGE);
	i->flags = get_u64(&m, ERLDIST_A_NODE_FLAGS);
	i->seq = get_u64(&m, ERLDIST_A_NODE_SEQ);
	i->peers = get_u32(&m, ERLDIST_A_NODE_PEERS);
	i->peers_up = get_u32(&m, ERLDIST_A_NODE_PEERS_UP);
	i->processes = get_u32(&m, ERLDIST_A_NODE_PROCESSES);
	i->creation = get_u32(&m, ERLDIST_A_NODE_CREATION);
	i->mode = get_u32(&m, ERLDIST_A_NODE_MODE);
	i->uid = get_u32(&m, ERLDIST_A_NODE_UID);
	i->by_admin = get_u32(&m, ERLDIST_A_NODE_BY_ADMIN);
	i->gid = get_u32(&m, ERLDIST_A_NODE_GID);
	return 0;
}

bool pool_is_empty(const char *node)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct node_info i;

	while (!node_info(node, &i) && i.pool_used) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

int peer_get(const char *node, const char *name, struct peer_info *i)
{
	struct genl_msg m;
	struct genl g;
	DEFINE_BUF(a);
	int err = genl_open(&g, ERLDIST_FAMILY_NAME);

	if (err)
		return err;
	attr_str(&a, ERLDIST_A_PEER_NODE, node);
	attr_str(&a, ERLDIST_A_PEER_NAME, name);
	err = genl_do(&g, ERLDIST_CMD_PEER_GET, &a, &m);
	genl_close(&g);
	if (!err)
		peer_info(i, &m);
	return err;
}

/* Of all lines of a file that begin so, blanks apart */
static long sum_of(const char *path, const char *begin)
{
	FILE *f = fopen(path, "r");
	char line[256], *p;
	long sum = 0;

	while (f && fgets(line, sizeof(line), f)) {
		p = line + strspn(line, " ");
		if (!strncmp(p, begin, strlen(begin)))
			sum += strtol(p + strlen(begin), NULL, 10);
	}
	if (f)
		fclose(f);
	return sum;
}

long memory_used(void)
{
	long kb = sum_of("/proc/meminfo", "MemTotal:") - sum_of("/proc/meminfo", "MemFree:");

	return (kb << 10) - sum_of("/proc/zoneinfo", "count:") * sysconf(_SC_PAGESIZE);
}
