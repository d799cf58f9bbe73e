// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <linux/genetlink.h>

#include "genl.h"

#define REPLY_SIZE	65536

void attr_put(struct buf *b, int type, const void *p, size_t len)
{
	struct nlattr a = { .nla_len = NLA_HDRLEN + len, .nla_type = type };
	static const char zero[4];

	buf_add(b, &a, sizeof(a));
	buf_add(b, p, len);
	buf_add(b, zero, NLA_ALIGN(len) - len);
}

void attr_u32(struct buf *b, int type, uint32_t v)
{
	attr_put(b, type, &v, sizeof(v));
}

void attr_u64(struct buf *b, int type, uint64_t v)
{
	attr_put(b, type, &v, sizeof(v));
}

void attr_str(struct buf *b, int type, const char *s)
{
	attr_put(b, type, s, strlen(s) + 1);
}

static int parse_attrs(const struct nlattr **a, int max, const void *p, size_t len)
{
	const uint8_t *at = p;

	memset(a, 0, max * sizeof(*a));
	while (len >= NLA_HDRLEN) {
		const struct nlattr *n = (const void *)at;
		size_t step = NLA_ALIGN(n->nla_len);
		int type = n->nla_type & NLA_TYPE_MASK;

		if (n->nla_len < NLA_HDRLEN || n->nla_len > len)
			return -EBADMSG;
		if (type < max)
			a[type] = n;
		if (step > len)
			break;
		at += step;
		len -= step;
	}
	return 0;
}

int genl_parse(struct genl_msg *m, const void *p, size_t len)
{
	const struct genlmsghdr *g = p;

	if (len < GENL_HDRLEN || len - GENL_HDRLEN > sizeof(m->data))
		return -EBADMSG;
	m->cmd = g->cmd;
	m->len = len - GENL_HDRLEN;
	memcpy(m->data, (const uint8_t *)p + GENL_HDRLEN, m->len);
	return parse_attrs(m->a, GENL_ATTRS, m->data, m->len);
}

uint32_t get_u32(const struct genl_msg *m, int type)
{
	uint32_t v = 0;

	if (m->a[type] && m->a[type]->nla_len >= NLA_HDRLEN + sizeof(v))
		memcpy(&v, m->a[type] + 1, sizeof(v));
	return v;
}

uint64_t get_u64(const struct genl_msg *m, int type)
{
	uint64_t v = 0;

	if (m->a[type] && m->a[type]->nla_len >= NLA_HDRLEN + sizeof(v))
		memcpy(&v, m->a[type] + 1, sizeof(v));
	return v;
}

const char *get_str(const struct genl_msg *m, int type)
{
	return m->a[type] ? (const char *)(m->a[type] + 1) : "";
}

static int request(struct genl *g, int family, int flags, int cmd,
		   const struct buf *attrs)
{
	struct nlmsghdr h = {
		.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN + (attrs ? attrs->len : 0),
		.nlmsg_type = family,
		.nlmsg_flags = NLM_F_REQUEST | flags,
		.nlmsg_seq = ++g->seq,
	};
	struct genlmsghdr gh = { .cmd = cmd, .version = 1 };
	DEFINE_BUF(b);

	buf_add(&b, &h, sizeof(h));
	buf_add(&b, &gh, sizeof(gh));
	if (attrs)
		buf_add(&b, attrs->p, attrs->len);
	return send(g->fd, b.p, b.len, 0) < 0 ? -errno : 0;
}

/* What NLMSG_ERROR says; the text of the extended answer is kept */
static int read_error(struct genl *g, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	const struct nlattr *a[8];
	size_t skip = sizeof(*e);

	g->extack[0] = 0;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return e->error;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	if (!parse_attrs(a, 8, (const uint8_t *)e + skip,
			 h->nlmsg_len - NLMSG_HDRLEN - skip) &&
	    a[NLMSGERR_ATTR_MSG])
		snprintf(g->extack, sizeof(g->extack), "%s",
			 (const char *)(a[NLMSGERR_ATTR_MSG] + 1));
	return e->error;
}

typedef void (*entry_fn)(const struct genl_msg *m, void *arg);

/*
 * Messages of one datagram. 1: the end was there, with its errno in *err.
 */
static int take(struct genl *g, const uint8_t *p, size_t len, entry_fn fn,
		void *arg, int *count, int *err)
{
	const struct nlmsghdr *h = (const void *)p;
	struct genl_msg m;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_seq != g->seq)
			continue;
		if (h->nlmsg_type == NLMSG_DONE) {
			*err = h->nlmsg_len >= NLMSG_HDRLEN + 4 ?
			       *(int *)NLMSG_DATA(h) : 0;
			return 1;
		}
		if (h->nlmsg_type == NLMSG_ERROR) {
			*err = read_error(g, h);
			return 1;
		}
		m.nl_flags = h->nlmsg_flags;
		if (genl_parse(&m, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN)) {
			*err = -EBADMSG;
			return 1;
		}
		(*count)++;
		if (fn)
			fn(&m, arg);
	}
	return 0;
}

static int collect(struct genl *g, entry_fn fn, void *arg)
{
	uint8_t *p = malloc(REPLY_SIZE);
	int count = 0, err = 0;
	ssize_t n;

	do {
		n = recv(g->fd, p, REPLY_SIZE, 0);
		if (n < 0)
			err = -errno;
	} while (n > 0 && !take(g, p, n, fn, arg, &count, &err));
	free(p);
	return err < 0 ? err : count;
}

static void keep_first(const struct genl_msg *m, void *arg)
{
	struct genl_msg *to = arg;

	if (to) {
		*to = *m;
		parse_attrs(to->a, GENL_ATTRS, to->data, to->len);
	}
}

static int genl_call(struct genl *g, int family, int cmd,
		     const struct buf *attrs, struct genl_msg *reply)
{
	int err = request(g, family, NLM_F_ACK, cmd, attrs);

	if (err)
		return err;
	err = collect(g, keep_first, reply);
	return err < 0 ? err : 0;
}

int genl_do(struct genl *g, int cmd, const struct buf *attrs,
	    struct genl_msg *reply)
{
	return genl_call(g, g->family, cmd, attrs, reply);
}

int genl_dump(struct genl *g, int cmd, const struct buf *attrs,
	      void (*fn)(const struct genl_msg *m, void *arg), void *arg)
{
	int err = request(g, g->family, NLM_F_DUMP, cmd, attrs);

	return err ? err : collect(g, fn, arg);
}

static int get_family(struct genl *g, const char *family, struct genl_msg *m)
{
	DEFINE_BUF(a);

	attr_str(&a, CTRL_ATTR_FAMILY_NAME, family);
	return genl_call(g, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &a, m);
}

int genl_open(struct genl *g, const char *family)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct genl_msg m;
	int err, one = 1;

	memset(g, 0, sizeof(*g));
	g->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (g->fd < 0 || bind(g->fd, (void *)&addr, sizeof(addr)))
		return -errno;
	setsockopt(g->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	err = get_family(g, family, &m);
	if (err) {
		genl_close(g);
		return err;
	}
	memcpy(&g->family, m.a[CTRL_ATTR_FAMILY_ID] + 1, 2);
	return 0;
}

void genl_close(struct genl *g)
{
	close(g->fd);
	g->fd = -1;
}

/* Number of a group in the nest that CTRL_CMD_GETFAMILY gives, or 0 */
static uint32_t group_id(const struct nlattr *groups, const char *name)
{
	const struct nlattr *list[64], *a[8];
	uint32_t id = 0;

	if (!groups || parse_attrs(list, 64, groups + 1,
				   groups->nla_len - NLA_HDRLEN))
		return 0;
	for (int i = 0; i < 64; i++) {
		if (!list[i] || parse_attrs(a, 8, list[i] + 1,
					    list[i]->nla_len - NLA_HDRLEN))
			continue;
		if (!strcmp((const char *)(a[CTRL_ATTR_MCAST_GRP_NAME] + 1), name))
			memcpy(&id, a[CTRL_ATTR_MCAST_GRP_ID] + 1, 4);
	}
	return id;
}

int genl_join(struct genl *g, const char *group)
{
	struct genl_msg m;
	uint32_t id;
	int err;

	err = get_family(g, "erldist", &m);
	if (err)
		return err;
	id = group_id(m.a[CTRL_ATTR_MCAST_GROUPS], group);
	if (!id)
		return -ENOENT;
	return setsockopt(g->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &id,
			  sizeof(id)) ? -errno : 0;
}

int genl_event(struct genl *g, struct genl_msg *m, int timeout_ms)
{
	struct pollfd p = { .fd = g->fd, .events = POLLIN };
	static uint8_t data[16384];
	struct nlmsghdr *h = (void *)data;
	ssize_t n;

	if (poll(&p, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	n = recv(g->fd, data, sizeof(data), 0);
	if (n < 0)
		return -errno;
	m->nl_flags = h->nlmsg_flags;
	return genl_parse(m, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN);
}
