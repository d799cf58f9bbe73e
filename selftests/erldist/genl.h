/* SPDX-License-Identifier: GPL-2.0-only */
/* Generic netlink by hand: one request, one answer, dumps and events. */
#ifndef ERLDIST_TEST_GENL_H
#define ERLDIST_TEST_GENL_H

#include <stdint.h>
#include <linux/netlink.h>

#include "term.h"

#define GENL_ATTRS	32

struct genl_msg {
	uint8_t cmd;
	uint16_t nl_flags;
	const struct nlattr *a[GENL_ATTRS];
	size_t len;
	uint64_t data[1024];
};

struct genl {
	int fd;
	uint16_t family;
	uint32_t seq;
	char extack[256];	/* of the last error */
};

/* 0, or -ENOENT when the kernel has no such family */
int genl_open(struct genl *g, const char *family);
void genl_close(struct genl *g);
/* Take part in a multicast group of the family */
int genl_join(struct genl *g, const char *group);

void attr_put(struct buf *b, int type, const void *p, size_t len);
void attr_u32(struct buf *b, int type, uint32_t v);
void attr_u64(struct buf *b, int type, uint64_t v);
void attr_str(struct buf *b, int type, const char *s);

/* A request; the answer, where there is one, in reply. 0 or -errno */
int genl_do(struct genl *g, int cmd, const struct buf *attrs,
	    struct genl_msg *reply);
/* fn for each entry; number of entries or -errno */
int genl_dump(struct genl *g, int cmd, const struct buf *attrs,
	      void (*fn)(const struct genl_msg *m, void *arg), void *arg);
/* The next multicast message: 0, -ETIMEDOUT, or an errno of recv() */
int genl_event(struct genl *g, struct genl_msg *m, int timeout_ms);

/* Attributes that follow a genlmsghdr */
int genl_parse(struct genl_msg *m, const void *p, size_t len);
uint32_t get_u32(const struct genl_msg *m, int type);
uint64_t get_u64(const struct genl_msg *m, int type);
const char *get_str(const struct genl_msg *m, int type);	/* "" without */

#endif /* ERLDIST_TEST_GENL_H */
