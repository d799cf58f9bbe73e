// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending: flows of items to a peer, and pushing them into its stream.
 */
#include <linux/wait_bit.h>

#include "channel.h"
#include "kcov.h"
#include "node.h"
#include "peer.h"
#include "process.h"
#include "relation.h"
#include "spawn.h"

/* Bytes a flow may send before it is another's turn */
#define QUANTUM			16384
/* Payload of a fragment: as BEAM's; less while others wait */
#define FRAGMENT		65536
#define FRAGMENT_SHARED		16384
/*
 * Longest head of a frame: node names are ASCII of at most 255 bytes, so but for
 * a spawn only one atom in it can be longer.
 */
#define HEAD_MAX		3584
/* Bytes of frames that are gathered to be sent at once: in turns, in a stream */
#define TX_BUF			8192
#define TX_BUF_STREAM		32768
/* Longest payload that is gathered; a longer one is sent from where it lies */
#define TX_SMALL		4096
/* Parts of a frame that are given to the stream at once */
#define TX_PARTS		5
/* Bytes in a row that are worth to be given as pages */
#define SPLICE_MIN		4096
/* Frames the work pushes before it makes room for others */
#define PUSH_BUDGET		1024
/* What an item counts beyond its payload: small ones are mostly this */
#define ITEM_OVERHEAD		sizeof(struct erldist_msg)

#define RETRY_MIN		msecs_to_jiffies(10)
#define RETRY_MAX		msecs_to_jiffies(1000)

static u64 flow_key(const struct rb_node *node)
{
	return rb_entry(node, struct erldist_out, node)->key;
}

static int flow_cmp(const void *key, const struct rb_node *node)
{
	u64 a = *(const u64 *)key, b = flow_key(node);

	return a < b ? -1 : a > b;
}

static bool flow_less(struct rb_node *a, const struct rb_node *b)
{
	return flow_key(a) < flow_key(b);
}

/*
 * A tree, as a table that grows with the number of flows would have to allocate,
 * which must not fail where a process has ended.
 */
static struct erldist_out *flow_find(struct erldist_peer *peer, u64 key)
{
	struct rb_node *node = rb_find(&key, &peer->flow_tree, flow_cmp);

	return rb_entry_safe(node, struct erldist_out, node);
}

static void flow_start(struct erldist_peer *peer, struct erldist_out *out)
{
	out->deficit = QUANTUM;
	rb_add(&out->node, &peer->flow_tree, flow_less);
	list_add_tail(&out->list, &peer->flows);
}

/* @out takes the place of @head, which is not in the flow any more. */
static void flow_pass_on(struct erldist_peer *peer, struct erldist_out *head,
			 struct erldist_out *out)
{
	out->deficit = head->deficit;
	rb_replace_node(&head->node, &out->node, &peer->flow_tree);
	list_replace_init(&head->list, &out->list);
	list_splice_init(&head->items, &out->items);
}

static void flow_append(struct erldist_peer *peer, struct erldist_out *out)
{
	struct erldist_out *head = flow_find(peer, out->key);

	INIT_LIST_HEAD(&out->items);
	out->pos = 0;
	if (head)
		list_add_tail(&out->list, &head->items);
	else
		flow_start(peer, out);
	WRITE_ONCE(peer->queued, peer->queued + out->size);
	WRITE_ONCE(peer->n_queued, peer->n_queued + 1);
	if (out->kind == OUT_RAW)
		peer->queued_raw += out->size;
}

/* Back to the front, to go on with its next fragment when it is its turn. */
static void flow_return(struct erldist_peer *peer, struct erldist_out *out)
{
	struct erldist_out *head = flow_find(peer, out->key);

	if (head) {
		flow_pass_on(peer, head, out);
		list_add(&head->list, &out->items);
		list_move_tail(&out->list, &peer->flows);
	} else {
		flow_start(peer, out);
	}
	WRITE_ONCE(peer->queued, peer->queued + out->size);
	WRITE_ONCE(peer->n_queued, peer->n_queued + 1);
}

/* The next item, deficit round robin. */
static struct erldist_out *flow_pop(struct erldist_peer *peer)
{
	struct erldist_out *out, *next;

	out = list_first_entry_or_null(&peer->flows, struct erldist_out, list);
	if (!out)
		return NULL;
	WRITE_ONCE(peer->queued, peer->queued - out->size);
	WRITE_ONCE(peer->n_queued, peer->n_queued - 1);
	if (out->kind == OUT_RAW)
		peer->queued_raw -= out->size;
	out->deficit -= out->size;
	next = list_first_entry_or_null(&out->items, struct erldist_out, list);
	if (!next) {
		rb_erase(&out->node, &peer->flow_tree);
		list_del_init(&out->list);
		return out;
	}
	list_del_init(&next->list);
	flow_pass_on(peer, out, next);
	if (next->deficit <= 0) {
		next->deficit = QUANTUM;
		list_move_tail(&next->list, &peer->flows);
	}
	return out;
}

/**
 * erldist_send_queue_locked() - append an item to its sender's flow
 * @peer: the peer, locked
 * @out: the item; key, size and kind are set
 */
void erldist_send_queue_locked(struct erldist_peer *peer,
			       struct erldist_out *out)
{
	lockdep_assert_held(&peer->lock);
	flow_append(peer, out);
}

/**
 * erldist_send_take_locked() - take everything that is queued
 * @peer: the peer, locked
 * @items: list to add it to, flow by flow, for erldist_send_drop()
 */
void erldist_send_take_locked(struct erldist_peer *peer,
			      struct list_head *items)
{
	list_splice_tail_init(&peer->flows, items);
	peer->flow_tree = RB_ROOT;
	WRITE_ONCE(peer->queued, 0);
	peer->queued_raw = 0;
	WRITE_ONCE(peer->n_queued, 0);
}

static struct erldist_msg *out_msg(struct erldist_out *out)
{
	return container_of(out, struct erldist_msg, out);
}

static struct erldist_relation *out_relation(struct erldist_out *out)
{
	return container_of(out, struct erldist_relation, out);
}

/* Returns 1 for a message of a process. */
static u32 out_free(struct erldist_out *out)
{
	bool message = out->kind == OUT_MESSAGE && !out_msg(out)->ctl_op;

	if (out->kind == OUT_RELATION)
		erldist_relation_put(out_relation(out));
	else
		erldist_msg_put_resched(out_msg(out));
	return message;
}

/**
 * erldist_send_drop() - free items that will not be sent
 * @peer: the peer
 * @items: list of them
 *
 * Context: process context, no lock held.
 * Return: how many were messages of processes.
 */
u32 erldist_send_drop(struct erldist_peer *peer, struct list_head *items)
{
	struct erldist_out *out;
	u32 n = 0;

	while (!list_empty(items)) {
		out = list_first_entry(items, struct erldist_out, list);
		list_del_init(&out->list);
		/* The others of its flow, if it is a head, are next. */
		list_splice_init(&out->items, items);
		n += out_free(out);
		cond_resched();
	}
	return n;
}

static void tx_buffer_drop(struct erldist_tx *tx)
{
	kfree(tx->buf);
	tx->buf = NULL;
	tx->size = 0;
}

/**
 * erldist_tx_free() - drop what was being sent
 * @ch: the channel; nobody pushes any more
 */
void erldist_tx_free(struct erldist_channel *ch)
{
	if (ch->tx.item && out_free(ch->tx.item))
		atomic64_inc(&ch->node->lost);
	ch->tx.item = NULL;
	tx_buffer_drop(&ch->tx);
}

static struct etf_pid key_pid(const struct erldist_channel *ch, u64 key)
{
	return (struct etf_pid) {
		.node = ch->node->atom,
		.id = lower_32_bits(key),
		.serial = upper_32_bits(key),
		.creation = ch->node->creation,
	};
}

static void msg_control(const struct erldist_channel *ch,
			struct erldist_msg *msg, struct erldist_ctl_out *ctl)
{
	if (msg->ctl_op)
		ctl->op = msg->ctl_op;
	else
		ctl->op = msg->to_kind == CTL_NAME ? OP_REG_SEND : OP_SEND;
	ctl->id = msg->unlink_id;
	ctl->raw = msg->data + msg->to;
	ctl->raw_len = msg->to_len;
	ctl->to_kind = msg->to_kind;
	if (msg->to_kind == CTL_NAME) {
		ctl->name = erldist_msg_name(msg);
	} else if (msg->to_kind == CTL_PID) {
		ctl->to.node = ch->peer->atom;
		ctl->to.id = msg->to_id;
		ctl->to.serial = msg->to_serial;
		ctl->to.creation = msg->to_creation;
	} else {
		ctl->to_ref.node = ch->peer->atom;
		ctl->to_ref.creation = msg->to_creation;
		ctl->to_ref.n = msg->ref_n;
		memcpy(ctl->to_ref.word, msg->ref_word, sizeof(msg->ref_word));
	}
}

/* From stays the child, whose flow this is in. */
static void spawn_reply_control(struct erldist_relation *rel,
				struct erldist_ctl_out *ctl)
{
	ctl->op = OP_SPAWN_REPLY;
	ctl->from_kind = rel->spawned ? CTL_PID : CTL_NAME;
	ctl->name = rel->name;
	ctl->id = rel->spawned ? rel->spawn_flags : 0;
	ctl->to_kind = CTL_PID;
	ctl->to.node = rel->peer->atom;
	ctl->to.id = rel->id;
	ctl->to.serial = rel->serial;
	ctl->to.creation = rel->creation;
}

/* EXIT, DEMONITOR_P of a monitor of ours, or the DOWN of another's */
static void relation_control(struct erldist_relation *rel,
			     struct erldist_ctl_out *ctl)
{
	bool ours = rel->near.kind == END_OWN;

	if (rel->type == RELATION_ASKED) {
		spawn_reply_control(rel, ctl);
		return;
	}
	ctl->op = ours ? OP_DEMONITOR_P : OP_MONITOR_P_EXIT;
	if (rel->type == RELATION_LINK)
		ctl->op = OP_EXIT;
	ctl->to_kind = CTL_PID;
	if (rel->by_name) {
		*(ours ? &ctl->to_kind : &ctl->from_kind) = CTL_NAME;
		ctl->name = rel->name;
	}
	ctl->to.node = rel->peer->atom;
	ctl->to.id = rel->id;
	ctl->to.serial = rel->serial;
	ctl->to.creation = rel->creation;
}

/* The reference of a monitor. Who it is of says whose node it names. */
static struct etf_ref out_ref(const struct erldist_channel *ch,
			      struct erldist_out *out)
{
	struct erldist_relation *rel;
	struct etf_ref ref = {};

	if (out->kind == OUT_RELATION) {
		rel = out_relation(out);
		ref = rel->ref_id;
		ref.node = rel->near.kind == END_OWN ? ch->node->atom :
						       ch->peer->atom;
	} else if (out_msg(out)->ctl_op == OP_MONITOR_P ||
		   out_msg(out)->ctl_op == OP_SPAWN_REQUEST) {
		ref = erldist_own_ref(ch->node, lower_32_bits(out->key),
				      out_msg(out)->sequence);
	}
	return ref;
}

/* Does a term follow the control message? */
static bool has_payload(const struct erldist_channel *ch,
			struct erldist_out *out)
{
	bool message = out->kind == OUT_MESSAGE;

	if (message && (!out_msg(out)->ctl_op ||
			out_msg(out)->ctl_op == OP_SPAWN_REQUEST))
		return true;
	if (message ? out_msg(out)->ctl_op != OP_EXIT2 :
		      !out_relation(out)->reason)
		return false;
	return ch->dflags & DFLAG_EXIT_PAYLOAD;
}

/* The control message; for OUT_RAW it is in the payload. NULL: not possible. */
static u8 *put_control(struct erldist_channel *ch, struct erldist_out *out,
		       u8 *p)
{
	struct erldist_ctl_out ctl = {
		.from_kind = CTL_PID,
		.from = key_pid(ch, out->key),
	};
	struct etf_ref ref;

	if (out->kind == OUT_RAW)
		return p;
	ref = out_ref(ch, out);
	ctl.ref = &ref;
	if (out->kind == OUT_MESSAGE)
		msg_control(ch, out_msg(out), &ctl);
	else
		relation_control(out_relation(out), &ctl);
	/* Who spawns need not be spawned at. */
	p = erldist_ctl_write(p, &ctl,
			      ch->dflags | (ch->peer_flags & DFLAG_SPAWN));
	if (p && has_payload(ch, out) && !ch->header_mode)
		*p++ = ETF_VERSION;
	return p;
}

static size_t out_len(struct erldist_out *out)
{
	struct erldist_blob *reason;

	if (out->kind == OUT_RELATION) {
		reason = out_relation(out)->reason;
		return reason ? reason->len : 0;
	}
	if (out->kind == OUT_RAW)
		return out_msg(out)->used;
	return out_msg(out)->len;
}

static struct erldist_span out_span(struct erldist_out *out, size_t pos)
{
	struct erldist_blob *blob;

	if (out->kind != OUT_RELATION)
		return erldist_msg_span(out_msg(out), pos);
	blob = out_relation(out)->reason;
	return (struct erldist_span){ blob->data + pos, blob->len - pos, false };
}

/* In how many fragments, of which size, an item leaves */
static void plan_fragments(struct erldist_channel *ch, struct erldist_out *out,
			   bool shared)
{
	bool may = ch->dflags & DFLAG_FRAGMENTS && out->kind != OUT_RAW &&
		   has_payload(ch, out);

	out->frag_size = shared ? FRAGMENT_SHARED : FRAGMENT;
	out->frag = 1;
	if (may && out_len(out) > FRAGMENT)
		out->frag = DIV_ROUND_UP(out_len(out), out->frag_size);
}

static size_t frame_payload(struct erldist_out *out)
{
	size_t left = out_len(out) - out->pos;

	return out->frag > 1 ? out->frag_size : left;
}

static u8 *put_frag_head(u8 *p, const struct erldist_out *out, u8 type)
{
	*p++ = FRAME_VERSION;
	*p++ = type;
	put_unaligned_be64(out->key, p);
	put_unaligned_be64(out->frag, p + 8);
	return p + 16;
}

/* What stands between the length and the control message */
static u8 *put_frame_head(struct erldist_channel *ch, u8 *p,
			  const struct erldist_out *out)
{
	if (!ch->header_mode) {
		*p++ = FRAME_PASS_THROUGH;
		*p++ = FRAME_VERSION;
		return p;
	}
	if (out->frag > 1) {
		p = put_frag_head(p, out, FRAME_FRAG_FIRST);
	} else {
		*p++ = FRAME_VERSION;
		*p++ = FRAME_NORMAL;
	}
	*p++ = 0;	/* no atom cache references */
	return p;
}

/* A message to a pid, in one frame: its head is kept for the next one. */
static bool head_lasts(struct erldist_out *out)
{
	return out->kind == OUT_MESSAGE && !out_msg(out)->ctl_op &&
	       out_msg(out)->to_kind == CTL_PID && out->frag == 1;
}

/* It ends with the creation of To, in pass-through with a version byte too. */
static void head_keep(struct erldist_channel *ch, const struct erldist_msg *msg,
		      const u8 *head, size_t len)
{
	size_t to = len - !ch->header_mode - ETF_PID_TAIL;
	struct erldist_tx *tx = &ch->tx;

	tx->last.len = len <= sizeof(tx->last.data) ? len : 0;
	if (!tx->last.len)
		return;
	tx->last.creation = msg->to_creation;
	tx->last.to = to;
	tx->last.from = 0;
	if (ch->dflags & DFLAG_SEND_SENDER)
		tx->last.from = to - etf_atom_size(&ch->peer->atom) - 1 -
				ETF_PID_TAIL;
	memcpy(tx->last.data, head, len);
}

static void put_numbers(u8 *p, u32 id, u32 serial)
{
	put_unaligned_be32(id, p);
	put_unaligned_be32(serial, p + 4);
}

/* Between the same nodes only the numbers of the pids differ. */
static u8 *put_last_head(const struct erldist_tx *tx,
			 const struct erldist_out *out,
			 const struct erldist_msg *msg, u8 *p)
{
	memcpy(p, tx->last.data, tx->last.len);
	put_numbers(p + tx->last.to, msg->to_id, msg->to_serial);
	if (tx->last.from)
		put_numbers(p + tx->last.from, lower_32_bits(out->key),
			    upper_32_bits(out->key));
	return p + tx->last.len;
}

static u8 *put_first_head(struct erldist_channel *ch, struct erldist_out *out,
			  u8 *p)
{
	bool lasts = head_lasts(out);
	u8 *start = p;

	if (lasts && ch->tx.last.len &&
	    ch->tx.last.creation == out_msg(out)->to_creation)
		return put_last_head(&ch->tx, out, out_msg(out), p);
	p = put_frame_head(ch, p, out);
	p = put_control(ch, out, p);
	if (p && lasts)
		head_keep(ch, out_msg(out), start, p - start);
	return p;
}

/* Length and head of the item's next frame. False: the peer cannot take it. */
static bool put_head(struct erldist_channel *ch, struct erldist_out *out)
{
	u8 *start = ch->tx.buf + ch->tx.len, *p = start + 4;

	if (out->pos)
		p = put_frag_head(p, out, FRAME_FRAG_NEXT);
	else
		p = put_first_head(ch, out, p);
	if (!p)
		return false;
	WARN_ON_ONCE(p - start > HEAD_MAX);
	put_unaligned_be32(p - start - 4 + frame_payload(out), start);
	ch->tx.len = p - ch->tx.buf;
	return true;
}

/* Small payloads travel with their heads, in one piece. */
static void put_small(struct erldist_channel *ch, struct erldist_out *out)
{
	struct erldist_span span;
	size_t pos, n = out_len(out);

	for (pos = 0; pos < n; pos += span.len) {
		span = out_span(out, pos);
		memcpy(ch->tx.buf + ch->tx.len, span.p, span.len);
		ch->tx.len += span.len;
	}
}

/* Both under the lock when the item moves: it is queued here or there. */
static void tx_taken(struct erldist_channel *ch, const struct erldist_out *out)
{
	WRITE_ONCE(ch->tx.taken, ch->tx.taken + out->size);
}

static void tx_returned(struct erldist_channel *ch,
			const struct erldist_out *out)
{
	WRITE_ONCE(ch->tx.taken, ch->tx.taken - out->size);
}

static void tx_take(struct erldist_channel *ch, struct erldist_out *out,
		    bool shared)
{
	struct erldist_tx *tx = &ch->tx;

	if (!out->pos)
		plan_fragments(ch, out, shared);
	if (!put_head(ch, out)) {
		if (out->kind == OUT_MESSAGE &&
		    out_msg(out)->ctl_op == OP_SPAWN_REQUEST)
			erldist_spawn_refused(ch, out_msg(out), out->key);
		tx_returned(ch, out);
		atomic64_add(out_free(out), &ch->node->lost);
		/* The stream may wait for it with what is before it (MSG_MORE). */
		set_bit(CHANNEL_TICK, &ch->flags);
		return;
	}
	if (out->frag == 1 && !out->pos &&
	    out_len(out) <= min_t(size_t, TX_SMALL, tx->size - tx->len)) {
		put_small(ch, out);
		out_free(out);
		erldist_count(&ch->tx_messages, 1);
		return;
	}
	tx->item = out;
	tx->frame_left = frame_payload(out);
}

static struct erldist_out *tx_next(struct erldist_channel *ch, bool *shared)
{
	struct erldist_peer *peer = ch->peer;
	struct erldist_out *out = NULL;

	spin_lock_bh(&peer->lock);
	if (peer->channel == ch && peer->open)
		out = flow_pop(peer);
	if (out)
		tx_taken(ch, out);
	*shared = !list_empty(&peer->flows);
	spin_unlock_bh(&peer->lock);
	return out;
}

/* Wake senders when half of the queue is free. */
static void tx_room(struct erldist_peer *peer)
{
	if (wq_has_sleeper(&peer->wait) &&
	    READ_ONCE(peer->queued) <= erldist_limit(&peer->node->limits.send_queue) / 2)
		wake_up_all(&peer->wait);
}

/* A buffer, if something is queued; a large one if much is. False: no memory. */
static bool tx_buffer(struct erldist_channel *ch)
{
	size_t queued = READ_ONCE(ch->peer->queued);
	u32 size = queued > TX_BUF ? TX_BUF_STREAM : TX_BUF;
	struct erldist_tx *tx = &ch->tx;
	u8 *buf;

	if (!queued || tx->size >= size)
		return true;
	buf = kmalloc(size, GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
	if (!buf)
		return tx->buf;
	kfree(tx->buf);
	tx->buf = buf;
	tx->size = size;
	return true;
}

static void tx_gather(struct erldist_channel *ch, int *budget)
{
	struct erldist_tx *tx = &ch->tx;
	struct erldist_out *out;
	bool shared;

	while (!tx->item && tx->len + HEAD_MAX <= tx->size && *budget > 0) {
		out = tx_next(ch, &shared);
		if (!out)
			break;
		(*budget)--;
		tx_take(ch, out, shared);
	}
}

/* The stream has all of it. */
static void tx_reset(struct erldist_tx *tx)
{
	tx->pos = 0;
	tx->len = 0;
	WRITE_ONCE(tx->taken, 0);
}

/* Nothing was sent for an interval: a tick, which needs no buffer. */
static void tx_put_tick(struct erldist_channel *ch)
{
	static const u8 tick[4];

	tx_buffer_drop(&ch->tx);
	ch->tx.from = tick;
	ch->tx.len = sizeof(tick);
	erldist_count(&ch->tx_ticks, sizeof(tick));
}

/* Returns 1 when there is nothing to send, or -EAGAIN without memory. */
static int tx_fill(struct erldist_channel *ch, int *budget)
{
	struct erldist_tx *tx = &ch->tx;

	if (!tx_buffer(ch))
		return -EAGAIN;
	tx->from = tx->buf;
	tx_gather(ch, budget);
	tx_room(ch->peer);
	if (test_and_clear_bit(CHANNEL_TICK, &ch->flags) && !tx->len)
		tx_put_tick(ch);
	return !tx->len;
}

/* The frame's payload has gone: is that all of the item? */
static void tx_frame_done(struct erldist_channel *ch)
{
	struct erldist_peer *peer = ch->peer;
	struct erldist_out *out = ch->tx.item;
	bool back = false;

	ch->tx.item = NULL;
	if (--out->frag) {
		spin_lock_bh(&peer->lock);
		back = peer->channel == ch;
		if (back) {
			tx_returned(ch, out);
			/* What has gone is queued no more. */
			out->size -= out->frag_size;
			flow_return(peer, out);
		}
		spin_unlock_bh(&peer->lock);
		if (back)
			return;
		atomic64_add(out_free(out), &ch->node->lost);
		return;
	}
	out_free(out);
	erldist_count(&ch->tx_messages, 1);
}

/* Is there more of the frame than the @n bytes that are sent now? */
static bool tx_rest(const struct erldist_tx *tx, size_t n)
{
	return tx->item && tx->len - tx->pos + tx->frame_left > n;
}

/* Is this given to the stream as pages, not as bytes to copy? */
static bool tx_splices(const struct erldist_channel *ch,
		       const struct erldist_span *span)
{
	return span->pages && span->len >= SPLICE_MIN &&
	       erldist_transport_splices(ch) &&
	       !WARN_ON_ONCE(!sendpage_ok(virt_to_page(span->p)));
}

/*
 * What lies ready: gathered frames, then the payload of the last one's frame.
 * What goes without being copied goes by itself.
 */
static size_t tx_parts(const struct erldist_channel *ch, struct kvec *vec,
		       unsigned int *n, int *flags)
{
	const struct erldist_tx *tx = &ch->tx;
	size_t all = tx->len - tx->pos, left = tx->item ? tx->frame_left : 0;
	size_t pos = tx->item ? tx->item->pos : 0;
	struct erldist_span span;

	*n = 0;
	if (all)
		vec[(*n)++] = (struct kvec){ (u8 *)tx->from + tx->pos, all };
	for (; left && *n < TX_PARTS && !*flags; left -= span.len) {
		span = out_span(tx->item, pos);
		span.len = min(span.len, left);
		if (tx_splices(ch, &span)) {
			if (all)
				break;
			*flags = MSG_SPLICE_PAGES | MSG_NO_SHARED_FRAGS;
		}
		vec[(*n)++] = (struct kvec){ (u8 *)span.p, span.len };
		pos += span.len;
		all += span.len;
	}
	return all;
}

static void tx_sent(struct erldist_channel *ch, size_t n)
{
	struct erldist_tx *tx = &ch->tx;
	size_t head = min_t(size_t, n, tx->len - tx->pos);

	erldist_count(&ch->tx_bytes, n);
	tx->pos += head;
	if (!tx->item)
		return;
	tx->item->pos += n - head;
	tx->frame_left -= n - head;
	if (!tx->frame_left)
		tx_frame_done(ch);
}

/* Gives the stream what lies ready. Returns 0, or an error of the stream. */
static int tx_give(struct erldist_channel *ch)
{
	struct kvec vec[TX_PARTS];
	unsigned int parts;
	int n, flags = 0;
	size_t all;

	all = tx_parts(ch, vec, &parts, &flags);
	if (READ_ONCE(ch->peer->n_queued) || tx_rest(&ch->tx, all))
		flags |= MSG_MORE;
	n = erldist_transport_send(ch, vec, parts, all, flags);
	if (n < 0)
		return n;
	tx_sent(ch, n);
	return 0;
}

/*
 * One step of sending. Returns 1 when there is nothing to do, 0 after
 * progress, or an error of the stream.
 */
static int tx_step(struct erldist_channel *ch, int *budget)
{
	struct erldist_tx *tx = &ch->tx;

	if (tx->pos < tx->len || tx->item)
		return tx_give(ch);
	tx_reset(tx);
	return *budget > 0 ? tx_fill(ch, budget) : 1;
}

static int tx_steps(struct erldist_channel *ch, int *budget)
{
	int err;

	do {
		err = tx_step(ch, budget);
	} while (!err);
	return err;
}

static bool tx_pending(const struct erldist_channel *ch)
{
	return ch->tx.pos < ch->tx.len || ch->tx.item ||
	       (ch->peer->channel == ch && ch->peer->open &&
		!list_empty(&ch->peer->flows)) ||
	       test_bit(CHANNEL_TICK, &ch->flags);
}

static bool tx_take_turn_locked(struct erldist_channel *ch)
{
	if (ch->pushing || ch->peer->channel != ch || !ch->peer->open)
		return false;
	if (test_and_clear_bit(CHANNEL_WAKE, &ch->flags))
		ch->blocked = false;
	if (ch->blocked)
		return false;
	ch->pushing = true;
	return true;
}

/* The stream has no room. Returns true when it has again already. */
static bool tx_blocked_locked(struct erldist_channel *ch)
{
	ch->blocked = true;
	if (test_and_clear_bit(CHANNEL_WAKE, &ch->flags)) {
		ch->blocked = false;
		return true;
	}
	return false;
}

/*
 * The stream said EAGAIN. It calls back when room comes, but not if nothing
 * is in flight: then only time helps.
 */
static void tx_arm_retry(struct erldist_channel *ch)
{
	ch->retry = clamp(ch->retry * 2, RETRY_MIN, RETRY_MAX);
	erldist_channel_queue_delayed(ch, &ch->retry_work,
				      erldist_transport_idle(ch) ? ch->retry :
								   RETRY_MAX);
}

/* Give the turn back, or go on. Returns true to go on. */
static bool tx_release(struct erldist_channel *ch, int err, int budget)
{
	bool again = false;

	if (err == -EAGAIN)
		tx_arm_retry(ch);
	else
		ch->retry = 0;
	spin_lock_bh(&ch->peer->lock);
	if (err == -EAGAIN)
		again = tx_blocked_locked(ch);
	else if (err > 0 && tx_pending(ch))
		again = true;
	if (again && budget <= 0) {
		again = false;
		erldist_channel_queue(ch, &ch->tx_work);
	}
	if (!again) {
		/* Pairs with the wait in channel_close(). */
		smp_store_release(&ch->pushing, false);
	}
	spin_unlock_bh(&ch->peer->lock);
	if (!again) {
		/* Who waits has set it before, and looks at pushing behind a barrier. */
		smp_mb();
		if (test_bit(CHANNEL_DEAD, &ch->flags))
			wake_up_var(&ch->pushing);
	}
	return again;
}

static void tx_failed(struct erldist_channel *ch, int err)
{
	u8 reason = erldist_stream_end_reason(err, ERLDIST_REASON_SEND_ERROR);

	erldist_channel_abort(ch, reason, -err);
}

/* The caller has the turn. */
static void tx_push(struct erldist_channel *ch, int budget)
{
	int err;

	WRITE_ONCE(ch->pushed_rx, atomic64_read(&ch->rx_bytes));
	do {
		err = tx_steps(ch, &budget);
		if (err < 0 && err != -EAGAIN)
			tx_failed(ch, err);
	} while (tx_release(ch, err, budget));
}

static void tx_try(struct erldist_channel *ch)
{
	/* Pairs with smp_store_release() in channel_decide(). */
	struct erldist_peer *peer = READ_ONCE(ch->peer);
	bool turn;

	if (test_bit(CHANNEL_DEAD, &ch->flags) || !peer)
		return;
	spin_lock_bh(&peer->lock);
	turn = tx_take_turn_locked(ch);
	spin_unlock_bh(&peer->lock);
	if (turn)
		tx_push(ch, PUSH_BUDGET);
}

/**
 * erldist_tx_run() - the pushing work
 * @work: tx_work
 */
void erldist_tx_run(struct work_struct *work)
{
	struct erldist_channel *ch = container_of(work, struct erldist_channel,
						  tx_work);

	erldist_kcov_work_start(ch->node);
	tx_try(ch);
	erldist_channel_put(ch);
	erldist_kcov_work_stop();
}

/**
 * erldist_tx_retry() - try again though nothing called back
 * @work: retry_work
 */
void erldist_tx_retry(struct work_struct *work)
{
	struct erldist_channel *ch = container_of(to_delayed_work(work),
						  struct erldist_channel,
						  retry_work);

	erldist_kcov_work_start(ch->node);
	set_bit(CHANNEL_WAKE, &ch->flags);
	tx_try(ch);
	erldist_kcov_work_stop();
}

/**
 * erldist_tx_tick() - send a tick, unless something else is on its way
 * @ch: the channel, up
 *
 * Context: any.
 */
void erldist_tx_tick(struct erldist_channel *ch)
{
	set_bit(CHANNEL_TICK, &ch->flags);
	erldist_channel_queue(ch, &ch->tx_work);
}

/**
 * erldist_send_kick() - something was queued: have it pushed
 * @peer: the peer
 *
 * Context: any.
 */
void erldist_send_kick(struct erldist_peer *peer)
{
	spin_lock_bh(&peer->lock);
	if (peer->open)
		erldist_channel_queue(peer->channel, &peer->channel->tx_work);
	spin_unlock_bh(&peer->lock);
}

/**
 * erldist_send_raw() - queue an answer whose bytes are ready
 * @ch: the connection it answers on
 * @key: the sender's flow, 0: the node's
 * @msg: data is the frame's body; taken
 *
 * Context: process context.
 */
void erldist_send_raw(struct erldist_channel *ch, u64 key,
		      struct erldist_msg *msg)
{
	struct erldist_peer *peer = ch->peer;
	bool queued, full = false;

	msg->out.kind = OUT_RAW;
	msg->out.key = key;
	msg->out.size = msg->used + ITEM_OVERHEAD;
	spin_lock_bh(&peer->lock);
	queued = peer->channel == ch;
	if (queued) {
		flow_append(peer, &msg->out);
		full = peer->queued_raw >
		       erldist_limit(&peer->node->limits.send_queue);
	}
	spin_unlock_bh(&peer->lock);
	if (queued)
		erldist_send_kick(peer);
	else
		erldist_msg_put(msg);
	/* It asks, and does not read the answers. */
	if (full)
		erldist_channel_abort(ch, ERLDIST_REASON_LIMIT, 0);
}

/**
 * erldist_send_room() - may a message of this size be queued
 * @peer: the peer
 * @bytes: its payload; any size is admitted to an empty queue
 * Return: true if so.
 */
bool erldist_send_room(const struct erldist_peer *peer, size_t bytes)
{
	return !READ_ONCE(peer->n_queued) ||
	       (u64)READ_ONCE(peer->queued) + bytes + ITEM_OVERHEAD <=
	       erldist_limit(&peer->node->limits.send_queue);
}

/* Returns 1 when the message is to be dropped, as to a node that is not there. */
static int send_admit_locked(struct erldist_peer *peer,
			     struct erldist_process *from,
			     struct erldist_msg *msg, bool noconnect, bool *news)
{
	int err = erldist_peer_admit_locked(peer, from, noconnect, news);

	if (err > 0)
		peer->lost_messages += !msg->ctl_op;
	if (err)
		return err;
	/* Who asks for a relation has waited for room before. */
	if (msg->ctl_op && msg->ctl_op != OP_EXIT2)
		return 0;
	return erldist_send_room(peer, msg->len) ? 0 : -EAGAIN;
}

/* Returns false when there is no more to it: the relation has ended. */
static bool send_append_locked(struct erldist_peer *peer,
			       struct erldist_msg *msg,
			       struct erldist_relation *rel)
{
	if (rel && !erldist_relation_hook_peer_locked(rel))
		return false;
	flow_append(peer, &msg->out);
	return true;
}

/**
 * erldist_send() - queue a process's message, push it if that is best now
 * @peer: where to
 * @from: the sender
 * @msg: the message, to_kind and so on are set; taken when 0 or 1 is returned
 * @rel: the relation it asks for, hooked at the peer with it; or NULL
 * @noconnect: only if connected
 * @batch: more follow: do not push now
 *
 * Pushing at once pays when the message would travel alone; else the work,
 * queued now, takes all there is.
 *
 * Context: process context.
 * Return: 0; 1: to a node that is not there; -EAGAIN no room; -EHOSTUNREACH;
 * -EUSERS; -EPIPE the sender has ended; -ESTALE the peer was forgotten, look it up
 * again; -ENETDOWN.
 */
int erldist_send(struct erldist_peer *peer, struct erldist_process *from,
		 struct erldist_msg *msg, struct erldist_relation *rel,
		 bool noconnect, bool batch)
{
	bool news = false, alone, over = false;
	struct erldist_channel *ch = NULL;
	int err;

	msg->out.kind = OUT_MESSAGE;
	msg->out.key = erldist_process_key(from);
	msg->out.size = msg->len + ITEM_OVERHEAD;
	spin_lock_bh(&peer->lock);
	err = send_admit_locked(peer, from, msg, noconnect, &news);
	if (!err) {
		alone = !batch && list_empty(&peer->flows);
		over = !send_append_locked(peer, msg, rel);
		ch = peer->open && !over ? peer->channel : NULL;
		if (ch && alone && erldist_transport_idle(ch) &&
		    tx_take_turn_locked(ch)) {
			erldist_channel_get(ch);
		} else if (ch) {
			erldist_channel_queue(ch, &ch->tx_work);
			ch = NULL;
		}
	}
	spin_unlock_bh(&peer->lock);
	if (news)
		erldist_peer_wanted(peer);
	if (err > 0 && !msg->ctl_op)
		atomic64_inc(&peer->node->lost);
	if (err > 0 || over)
		erldist_msg_put_resched(msg);
	if (ch) {
		tx_push(ch, 1);
		erldist_channel_put(ch);
	}
	return err;
}
