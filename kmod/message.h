/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is queued: messages in mailboxes, and on their way to a peer anything
 * that has a sender.
 */
#ifndef _ERLDIST_MESSAGE_H
#define _ERLDIST_MESSAGE_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include "control.h"

struct erldist_node;
struct msghdr;

/* One allocation holds at most this much: order 3 with 4 KiB pages. */
#define ERLDIST_PIECE_SIZE	32768
/* A small message is an object of this size, with room for so much data. */
#define ERLDIST_SMALL_SIZE	512
#define ERLDIST_SMALL_ROOM	(ERLDIST_SMALL_SIZE - sizeof(struct erldist_msg))
/* A message of at most this much is all in data: one object of a slab. */
#define ERLDIST_DATA_MAX	(8192 - sizeof(struct erldist_msg))
/* Else data holds the front, in which is all that is to be read here. */
#define ERLDIST_FRONT		(4096 - sizeof(struct erldist_msg))

/*
 * A term that several holders share: exit reasons. here_only: not every peer
 * would decode it, so none is sent it. told_once: a peer's, that is in one message
 * at most, and counts with that.
 */
struct erldist_blob {
	refcount_t ref;
	bool here_only;
	bool told_once;
	u32 len;
	u8 data[];
};

/* Reasons the kernel itself gives: always there, so no death can fail. */
enum erldist_known {
	KNOWN_NORMAL,
	KNOWN_NOCONNECTION,
	KNOWN_KILLED,
	KNOWN_OVERFLOW,
	KNOWN_NOPROC,
	KNOWN_UNSENDABLE,
	KNOWN_MAX,
};

int erldist_messages_init(void);
void erldist_messages_exit(void);
struct erldist_blob *erldist_blob_known(enum erldist_known which);
struct erldist_blob *erldist_blob_new(const void *p, size_t len, gfp_t gfp);
void erldist_blob_put(struct erldist_blob *blob);

static inline struct erldist_blob *erldist_blob_get(struct erldist_blob *blob)
{
	refcount_inc(&blob->ref);
	return blob;
}

enum erldist_out_kind {
	OUT_MESSAGE,	/* struct erldist_msg: control message made when sent */
	OUT_RAW,	/* struct erldist_msg: data is the whole frame body */
	OUT_RELATION,	/* struct erldist_relation: what its end sends */
};

/*
 * An item on its way to a peer. All items of one sender form a flow, in order:
 * the first of them is the flow's head, stands in the peer's ring of flows and is
 * found in its tree, so a flow needs no memory of its own. The caller that queues
 * an item has set key, size and kind; nothing else is set before. Everything here
 * is guarded by the peer's lock while the item is queued.
 */
struct erldist_out {
	struct list_head list;		/* head: peer->flows; else its head's items */
	struct list_head items;		/* head: the flow's other items */
	struct rb_node node;		/* head: peer->flow_tree */
	u64 key;			/* sender: serial and id; 0: the node */
	s64 deficit;			/* head: bytes it may still send */
	size_t size;			/* bytes, what it counts in peer->queued */
	size_t pos;			/* payload that has left in fragments */
	u32 frag;			/* fragments still to send, this one included */
	u32 frag_size;
	u8 kind;			/* enum erldist_out_kind */
};

/*
 * Payload behind data: in bytes, or in pages of its own, which are not changed
 * once they are full, so that others may hold them too.
 */
struct erldist_piece {
	struct erldist_piece *next;
	struct page *page;	/* a reference; NULL: in bytes */
	u8 *data;
	u32 len;
	u32 room;
	u8 bytes[];
};

/*
 * A message or a signal. It belongs to one holder at a time: the sender or the
 * receive path that builds it, a flow, a mailbox; a reader that peeks holds a
 * second reference. Fields do not change once it is queued, but for list and
 * out, which belong to the queue's lock.
 *
 * data holds bytes as they came: for a message of a peer the frame's body
 * (control message and first part of the payload), else copies of names and
 * the payload. from, to and body say where in it. The payload goes on in pieces,
 * and ends with reason.
 */
struct erldist_msg {
	union {
		struct {
			struct list_head list;	/* mailbox */
			struct rb_node down;	/* queue->downs */
		};
		struct erldist_out out;	/* flow */
	};
	refcount_t ref;
	u8 op;			/* enum erldist_signal_op */
	u8 to_kind;		/* enum erldist_ctl_kind, OUT_MESSAGE */
	u8 ctl_op;		/* OUT_MESSAGE: OP_LINK and so on; 0: a message */
	bool remote;		/* of a peer: counts in the node's pool */
	bool local_from;	/* from_id and from_serial, no term */
	bool to_latin1;
	bool small;		/* from the cache of small messages */
	u32 room;		/* size of data */
	u32 used;
	u32 from, from_len;	/* term of the sender */
	u32 to, to_len;		/* CTL_NAME: text of the name addressed */
	u32 body;		/* payload in data, up to used */
	size_t len;		/* payload in all */
	size_t charged;		/* bytes it counts where it is queued */
	u32 from_id, from_serial;
	u32 to_id, to_serial, to_creation;	/* CTL_PID */
	u32 ref_n, ref_word[ETF_REF_WORDS];	/* CTL_REF, with to_creation */
	u64 sequence;		/* of the monitor or alias it is about */
	u64 user_data;		/* what its maker gave it, when received */
	u64 unlink_id;		/* OP_UNLINK_ID */
	struct erldist_piece *pieces;
	struct erldist_piece **tail;
	struct erldist_blob *reason;	/* the payload's end, shared; or NULL */
	u8 data[];
};

struct erldist_msg *erldist_msg_alloc(u32 room, gfp_t gfp);
struct erldist_msg *erldist_msg_grow(struct erldist_msg *msg, u32 room,
				     gfp_t gfp);
u32 erldist_msg_room(u32 front, size_t len);
int erldist_msg_append(struct erldist_msg *msg, const u8 *p, size_t len,
		       size_t expect, gfp_t gfp);
bool erldist_msg_append_page(struct erldist_msg *msg, struct page *page,
			     const u8 *p, size_t len, gfp_t gfp);
size_t erldist_msg_unused(const struct erldist_msg *msg);
void erldist_msg_put(struct erldist_msg *msg);
void erldist_msg_put_resched(struct erldist_msg *msg);
void erldist_msg_set_reason(struct erldist_msg *msg,
			    struct erldist_blob *reason);
int erldist_msg_from_user(struct erldist_msg *msg, struct msghdr *mh,
			  size_t len, const struct etf_scan_rules *rules);
int erldist_msg_to_user(const struct erldist_msg *msg, struct msghdr *mh,
			size_t len);
struct erldist_blob *erldist_msg_blob(const struct erldist_msg *msg, size_t skip);

static inline struct etf_atom erldist_msg_name(const struct erldist_msg *msg)
{
	return (struct etf_atom) {
		.text = msg->data + msg->to,
		.len = msg->to_len,
		.latin1 = msg->to_latin1,
	};
}

/* A piece of payload, for sending it. pages: it is in pages of its own. */
struct erldist_span {
	const u8 *p;
	size_t len;
	bool pages;
};

struct erldist_span erldist_msg_span(const struct erldist_msg *msg, size_t pos);
size_t erldist_msg_peek(const struct erldist_msg *msg, u8 *p, size_t len);

#endif /* _ERLDIST_MESSAGE_H */
