// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receiving: from the bytes of a stream to whole frames, in the softirq or the
 * backlog where that is enough, else in the channel's work.
 */
#include <linux/skbuff.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "channel.h"
#include "kcov.h"
#include "node.h"
#include "peer.h"
#include "process.h"

/* Frames, and bytes, that one run takes before it makes room for others */
#define RX_BUDGET	256
#define RX_BYTES	(256 << 10)
/* Read at once from carriers that are read by recvmsg */
#define RX_BUF		16384
#define STALL_WINDOW	(60 * HZ)
/* Version, type, and how many atom cache references there are */
#define PLAIN_HEAD	3

/* One run of the reader */
struct rx_run {
	struct erldist_channel *ch;
	gfp_t gfp;
	bool may_sleep;		/* in the work */
	bool stop;
	int budget;
	int bytes;
	u8 reason;		/* enum erldist_reason: close the channel */
	size_t here;		/* bytes that lie together */
	struct page *page;	/* where the bytes are, if it may be kept */
};

/**
 * erldist_rx_init() - prepare a channel's receive state
 * @ch: a new channel
 */
void erldist_rx_init(struct erldist_channel *ch)
{
	INIT_LIST_HEAD(&ch->rx.seqs);
	ch->rx.work = true;
}

static void rx_drop(struct erldist_channel *ch, struct erldist_msg *msg,
		    struct erldist_process *to)
{
	if (msg && to)
		erldist_mailbox_uncharge(to, msg->charged);
	else if (msg)
		erldist_pool_sub(ch->node, msg->charged);
	erldist_msg_put_resched(msg);
	if (to)
		erldist_process_put(to);
}

static void seq_free(struct erldist_channel *ch, struct erldist_seq *seq)
{
	list_del(&seq->list);
	ch->rx.n_seqs--;
	rx_drop(ch, seq->msg, seq->to);
	kfree(seq);
}

/**
 * erldist_rx_free() - drop what was not received completely
 * @ch: the channel; nobody reads it any more
 */
void erldist_rx_free(struct erldist_channel *ch)
{
	struct erldist_rx *rx = &ch->rx;
	struct erldist_seq *seq, *next;

	list_for_each_entry_safe(seq, next, &rx->seqs, list)
		seq_free(ch, seq);
	/* Once it is known whom it is for, a sequence's message is its own. */
	if (rx->msg && !(rx->seq && rx->parsed))
		rx_drop(ch, rx->msg, rx->to);
	rx->msg = NULL;
	rx->to = NULL;
	kfree(rx->hs_buf);
	rx->hs_buf = NULL;
	kvfree(rx->buf);
	rx->buf = NULL;
}

/**
 * erldist_rx_leftover() - bytes that user space read behind the handshake
 * @ch: the channel, not attached yet
 * @p: the bytes
 * @len: how many
 * Return: 0 or -ENOMEM.
 */
int erldist_rx_leftover(struct erldist_channel *ch, const u8 *p, size_t len)
{
	ch->rx.buf = kvmalloc(max_t(size_t, len, RX_BUF), GFP_KERNEL_ACCOUNT);
	if (!ch->rx.buf)
		return -ENOMEM;
	memcpy(ch->rx.buf, p, len);
	ch->rx.buf_len = len;
	return 0;
}

/*
 * Nothing more is read: the work sees the verdict, whoever gave it, and what was
 * being read may be half dealt with.
 */
static void rx_fail(struct rx_run *run, u8 reason)
{
	run->reason = reason;
	run->ch->rx.work = true;
	run->stop = true;
}

/* What the softirq may not do is left to the work, with all that follows. */
static void rx_defer(struct rx_run *run)
{
	run->ch->rx.work = true;
	run->stop = true;
}

/* The work can wait for memory. */
static void rx_no_memory(struct rx_run *run)
{
	if (run->may_sleep)
		rx_fail(run, ERLDIST_REASON_NO_MEMORY);
	else
		rx_defer(run);
}

static void rx_next_frame(struct erldist_rx *rx)
{
	rx->state = RX_LENGTH;
	rx->have = 0;
	rx->parsed = false;
	rx->msg = NULL;
	rx->seq = NULL;
	rx->to = NULL;
}

static void rx_spend(struct rx_run *run)
{
	if (--run->budget <= 0)
		run->stop = true;
}

static void rx_tick(struct rx_run *run)
{
	struct erldist_channel *ch = run->ch;

	/* A tick is answered unless something went out since the last check. */
	if (atomic64_read(&ch->tx_bytes) == atomic64_read(&ch->ticked_tx))
		erldist_tx_tick(ch);
	rx_next_frame(&ch->rx);
	rx_spend(run);
}

static size_t rx_gather(struct erldist_rx *rx, size_t need, const u8 *p,
			size_t len)
{
	size_t n = min(len, need - rx->have);

	memcpy(rx->head + rx->have, p, n);
	rx->have += n;
	return n;
}

/* Length and head of a frame that is not in parts, when all is there at once */
static bool rx_plain_head(struct rx_run *run, const u8 *p, size_t len)
{
	struct erldist_rx *rx = &run->ch->rx;

	if (!run->ch->header_mode || rx->have || len < 4 + PLAIN_HEAD ||
	    get_unaligned_be32(p) < PLAIN_HEAD || p[4] != FRAME_VERSION ||
	    p[5] != FRAME_NORMAL)
		return false;
	memcpy(rx->head, p + 4, PLAIN_HEAD);
	rx->have = PLAIN_HEAD;
	rx->left = get_unaligned_be32(p) - PLAIN_HEAD;
	rx->state = RX_BEGIN;
	return true;
}

static size_t rx_length(struct rx_run *run, const u8 *p, size_t len)
{
	struct erldist_rx *rx = &run->ch->rx;
	size_t n;

	if (rx_plain_head(run, p, len))
		return 4 + PLAIN_HEAD;
	n = rx_gather(rx, 4, p, len);
	if (rx->have < 4)
		return n;
	rx->have = 0;
	rx->left = get_unaligned_be32(rx->head);
	if (rx->left)
		rx->state = RX_HEAD;
	else
		rx_tick(run);
	return n;
}

/* Bytes of head a frame has, going by what is there; 0: no frame of this mode */
static size_t head_size(const struct erldist_channel *ch)
{
	const u8 *head = ch->rx.head;

	if (!ch->rx.have)
		return 2;
	if (head[0] != (ch->header_mode ? FRAME_VERSION : FRAME_PASS_THROUGH))
		return 0;
	if (ch->rx.have < 2)
		return 2;
	if (!ch->header_mode)
		return head[1] == FRAME_VERSION ? 2 : 0;
	switch (head[1]) {
	case FRAME_NORMAL:
		return PLAIN_HEAD;
	case FRAME_FRAG_FIRST:
		return 19;
	case FRAME_FRAG_NEXT:
		return 18;
	default:
		return 0;
	}
}

static size_t rx_head(struct rx_run *run, const u8 *p, size_t len)
{
	struct erldist_rx *rx = &run->ch->rx;
	size_t need = head_size(run->ch), n;

	if (!need || rx->left < need - rx->have) {
		rx_fail(run, ERLDIST_REASON_BAD_FRAME);
		return 0;
	}
	n = rx_gather(rx, need, p, len);
	rx->left -= n;
	need = head_size(run->ch);
	if (!need || rx->left < need - rx->have)
		rx_fail(run, ERLDIST_REASON_BAD_FRAME);
	else if (rx->have == need)
		rx->state = RX_BEGIN;
	return n;
}

static struct erldist_seq *seq_find(struct erldist_channel *ch, u64 id)
{
	struct erldist_seq *seq;

	list_for_each_entry(seq, &ch->rx.seqs, list) {
		if (seq->id == id)
			return seq;
	}
	return NULL;
}

static unsigned long stall_left(struct erldist_channel *ch)
{
	unsigned long budget = msecs_to_jiffies(READ_ONCE(ch->node->limits.stall));

	/* A channel may be up for so long that jiffies of 32 bit come round. */
	if (time_after64(get_jiffies_64(), ch->window + STALL_WINDOW)) {
		ch->window = get_jiffies_64();
		ch->stall_used = 0;
	}
	return ch->stall_used < budget ? budget - ch->stall_used : 0;
}

static bool pool_full(struct erldist_node *node, size_t bytes)
{
	return (u64)atomic_long_read(&node->pool_used) + bytes >
	       erldist_limit(&node->limits.mailbox_pool);
}

static void stall_begin(struct rx_run *run, unsigned long left)
{
	struct erldist_channel *ch = run->ch;

	WRITE_ONCE(ch->rx.stalled, true);
	ch->stall_start = jiffies;
	atomic_inc(&ch->node->n_stalled);
	/* Who frees the last bytes now sees us, or we see the room. */
	smp_mb__after_atomic();
	if (!pool_full(ch->node, 0))
		left = 0;
	erldist_channel_queue_delayed(ch, &ch->stall_work, left + 1);
	run->stop = true;
}

static void stall_end(struct erldist_channel *ch)
{
	unsigned long held = jiffies - ch->stall_start;

	if (!ch->rx.stalled)
		return;
	WRITE_ONCE(ch->rx.stalled, false);
	atomic_dec(&ch->node->n_stalled);
	ch->stall_used += held;
	erldist_count(&ch->stall_total, held);
	WRITE_ONCE(ch->last_rx, jiffies);
}

/**
 * erldist_rx_stall_over() - the channel was held up as long as may be
 * @work: stall_work
 */
void erldist_rx_stall_over(struct work_struct *work)
{
	struct erldist_channel *ch = container_of(to_delayed_work(work),
						  struct erldist_channel,
						  stall_work);

	erldist_kcov_work_start(ch->node);
	if (!test_bit(CHANNEL_DEAD, &ch->flags))
		erldist_channel_queue(ch, &ch->rx_work);
	erldist_kcov_work_stop();
}

/* Waiting can help only when readers have something to read. */
static bool pool_may_drain(struct erldist_node *node)
{
	return atomic_long_read(&node->pool_ready) >=
	       erldist_limit(&node->limits.mailbox_pool) / 4;
}

/* Incomplete messages of processes that ended hold memory for nothing. */
static void rx_sweep(struct erldist_channel *ch)
{
	struct erldist_seq *seq;

	if (!test_and_clear_bit(CHANNEL_SWEEP, &ch->flags))
		return;
	list_for_each_entry(seq, &ch->rx.seqs, list) {
		if (!seq->to || erldist_process_alive(seq->to) ||
		    seq == ch->rx.seq)
			continue;
		rx_drop(ch, seq->msg, seq->to);
		seq->msg = NULL;
		seq->to = NULL;
	}
}

/*
 * The pool is full and waiting cannot help: what comes for processes that have
 * ended goes, then whoever has most in it. One for each frame is enough:
 * what it held is free, or will be soon.
 */
static void make_room(struct rx_run *run, size_t bytes)
{
	struct erldist_channel *ch = run->ch;

	erldist_channels_sweep(ch->node);
	rx_sweep(ch);
	if (!pool_full(ch->node, bytes))
		return;
	erldist_process_overflow(ch->node);
	rx_sweep(ch);
}

/*
 * Room for what a frame brings: true. Else the channel is held up, within its
 * budget, or whoever has most in the pool ends.
 */
static bool rx_admit(struct rx_run *run, size_t bytes)
{
	struct erldist_channel *ch = run->ch;
	unsigned long left;

	if (likely(!pool_full(ch->node, bytes)))
		return true;
	if (!run->may_sleep) {
		rx_defer(run);
		return false;
	}
	left = stall_left(ch);
	if (left && pool_may_drain(ch->node)) {
		stall_begin(run, left);
		return false;
	}
	make_room(run, bytes);
	return true;
}

static struct erldist_seq *seq_new(struct rx_run *run, u64 id)
{
	struct erldist_channel *ch = run->ch;
	struct erldist_seq *seq;

	if (ch->rx.n_seqs >= READ_ONCE(ch->node->limits.fragments)) {
		rx_fail(run, ERLDIST_REASON_LIMIT);
		return NULL;
	}
	seq = kzalloc(sizeof(*seq), run->gfp);
	if (!seq) {
		rx_no_memory(run);
		return NULL;
	}
	seq->id = id;
	list_add(&seq->list, &ch->rx.seqs);
	ch->rx.n_seqs++;
	return seq;
}

/* The first of several fragments. BEAM trusts the count; nobody else should. */
static bool rx_begin_sequence(struct rx_run *run, u64 id, u64 frag)
{
	struct erldist_channel *ch = run->ch;
	u64 most = div_u64(erldist_limit(&ch->node->limits.max_message), 1024) + 2;

	if (!frag || frag > most || seq_find(ch, id)) {
		rx_fail(run, ERLDIST_REASON_BAD_FRAGMENT);
		return false;
	}
	ch->rx.frag = frag;
	if (frag == 1)
		return true;
	ch->rx.seq = seq_new(run, id);
	if (!ch->rx.seq)
		return false;
	ch->rx.seq->next = frag - 1;
	return true;
}

static void rx_too_long(struct rx_run *run);
static void rx_forget(struct rx_run *run);

/*
 * Room for more of a message, as for a new one: true. The count and the first
 * fragment may have promised less.
 */
static bool rx_admit_next(struct rx_run *run)
{
	struct erldist_node *node = run->ch->node;
	struct erldist_rx *rx = &run->ch->rx;
	u64 most = erldist_limit(&node->limits.max_message) + ERLDIST_PIECE_SIZE;
	bool dead = rx->to && !erldist_process_alive(rx->to);
	bool too_long = rx->msg && (u64)rx->msg->charged + rx->left > most;

	if ((dead || too_long) && !run->may_sleep) {
		rx_defer(run);
		return false;
	}
	if (dead)
		rx_forget(run);
	else if (too_long)
		rx_too_long(run);
	if (!rx->msg || run->stop)
		return true;
	if (!rx->left || !pool_full(node, rx->left))
		return true;
	if (!rx_admit(run, rx->left))
		return false;
	if (!rx->to && pool_full(node, rx->left))
		rx_fail(run, ERLDIST_REASON_LIMIT);
	return true;
}

static void rx_begin_next(struct rx_run *run, u64 id, u64 frag)
{
	struct erldist_rx *rx = &run->ch->rx;
	struct erldist_seq *seq = seq_find(run->ch, id);

	if (!seq || seq->next != frag) {
		rx_fail(run, ERLDIST_REASON_BAD_FRAGMENT);
		return;
	}
	rx->seq = seq;
	rx->frag = frag;
	rx->msg = seq->msg;
	rx->to = seq->to;
	rx->ctl = seq->ctl;
	rx->last.len = 0;
	rx->parsed = true;
	if (!rx_admit_next(run))
		return;
	rx->state = rx->msg ? RX_BODY : RX_SKIP;
	if (!rx->left)
		rx->state = RX_COMPLETE;
}

/* Data of a message of so many bytes */
static u32 rx_front(u32 bytes)
{
	return erldist_msg_room(ERLDIST_FRONT, bytes);
}

/* What comes first is often all of a long one that has to be in data. */
static bool rx_room(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;
	u32 room = rx_front(rx->left);

	if (room < rx->left && run->here)
		room = min_t(size_t, room, run->here);
	rx->msg = erldist_msg_alloc(room, run->gfp);
	if (rx->msg) {
		rx->msg->remote = true;
		return true;
	}
	rx_no_memory(run);
	return false;
}

/* What a frame will hold: one that is too long will not be kept. */
static size_t rx_worth(const struct rx_run *run)
{
	u64 most = erldist_limit(&run->ch->node->limits.max_message);
	u32 left = run->ch->rx.left;

	return left > most + ERLDIST_PIECE_SIZE ? ERLDIST_PIECE_SIZE : left;
}

static void rx_begin_first(struct rx_run *run, bool fragment)
{
	struct erldist_rx *rx = &run->ch->rx;

	if (!rx->left) {
		rx_fail(run, ERLDIST_REASON_BAD_CONTROL);
		return;
	}
	/* No atom cache was negotiated: a reference to it is an attack. */
	if (run->ch->header_mode && rx->head[fragment ? 18 : 2]) {
		rx_fail(run, ERLDIST_REASON_BAD_FRAME);
		return;
	}
	if (!rx_admit(run, rx_worth(run)) || !rx_room(run))
		return;
	rx->frag = 1;
	if (fragment &&
	    !rx_begin_sequence(run, get_unaligned_be64(rx->head + 2),
			       get_unaligned_be64(rx->head + 10))) {
		erldist_msg_put(rx->msg);
		rx->msg = NULL;
		return;
	}
	rx->state = RX_BODY;
}

/* @here: bytes behind the head that lie together */
static void rx_begin(struct rx_run *run, size_t here)
{
	struct erldist_rx *rx = &run->ch->rx;
	bool header = run->ch->header_mode;
	u8 type = header ? rx->head[1] : FRAME_NORMAL;

	run->here = here;
	if (type == FRAME_FRAG_NEXT)
		rx_begin_next(run, get_unaligned_be64(rx->head + 2),
			      get_unaligned_be64(rx->head + 10));
	else
		rx_begin_first(run, type == FRAME_FRAG_FIRST);
}

/* The receiver is gone, or never was: the rest of the message is not kept. */
static void rx_forget(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;

	rx_drop(run->ch, rx->msg, rx->to);
	rx->msg = NULL;
	rx->to = NULL;
	if (rx->seq) {
		rx->seq->msg = NULL;
		rx->seq->to = NULL;
	}
}

static bool is_message(const struct erldist_ctl *ctl)
{
	return ctl->op == OP_SEND || ctl->op == OP_REG_SEND;
}

/*
 * Bytes of a message that is not complete: false when they are not to be kept.
 * What that means for a receiver is left to the work.
 */
static bool rx_charge(struct rx_run *run, size_t bytes)
{
	struct erldist_rx *rx = &run->ch->rx;
	int err = 0;

	if (rx->to)
		err = erldist_mailbox_charge(rx->to, bytes);
	else
		atomic_long_add(bytes, &run->ch->node->pool_used);
	if (!err)
		rx->msg->charged += bytes;
	else if (!run->may_sleep)
		rx_defer(run);
	else if (err == -ENOBUFS)
		rx_too_long(run);
	else
		rx_forget(run);
	return !err;
}

static void rx_uncharge(struct erldist_channel *ch, size_t bytes)
{
	struct erldist_rx *rx = &ch->rx;

	rx->msg->charged -= bytes;
	if (rx->to)
		erldist_mailbox_uncharge(rx->to, bytes);
	else
		erldist_pool_sub(ch->node, bytes);
}

/* Bytes the whole message will have, as far as can be told */
static u64 rx_announced(const struct erldist_rx *rx)
{
	u64 frame = (u64)rx->msg->used - rx->msg->body + rx->left;

	return rx->frag > 1 ? frame * (rx->frag - 1) : frame;
}

/* A message that no limit allows ends its receiver. */
static void rx_too_long(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;

	if (rx->to) {
		atomic64_inc(&run->ch->node->overflows);
		erldist_process_end_known(rx->to, KNOWN_OVERFLOW, ENOBUFS);
	}
	if (is_message(&rx->ctl))
		rx_forget(run);
	else
		rx_fail(run, ERLDIST_REASON_LIMIT);
}

/* The payload starts at the cursor; in pass-through behind a version byte. */
static bool rx_payload(struct rx_run *run, struct etf_cursor *c)
{
	struct erldist_rx *rx = &run->ch->rx;
	struct erldist_msg *msg = rx->msg;

	if (rx->ctl.payload && !run->ch->header_mode) {
		if (c->p == c->end || *c->p != ETF_VERSION)
			return false;
		c->p++;
	}
	if ((rx->ctl.payload || rx->ctl.reason_inside) && c->p == c->end &&
	    !rx->left && rx->frag == 1)
		return false;
	msg->body = c->p - msg->data;
	if (rx->ctl.raw_from) {
		msg->from = rx->ctl.raw_from - msg->data;
		msg->from_len = rx->ctl.raw_from_len;
	}
	msg->to_kind = rx->ctl.to_kind;
	if (msg->to_kind == CTL_NAME) {
		msg->to = rx->ctl.name.text - msg->data;
		msg->to_len = rx->ctl.name.len;
		msg->to_latin1 = rx->ctl.name.latin1;
	}
	return true;
}

/* Of a message more is to come: may it? */
static void rx_charge_front(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;
	u64 most = erldist_limit(&run->ch->node->limits.max_message) +
		   ERLDIST_PIECE_SIZE;

	if (rx_announced(rx) <= most)
		rx_charge(run, rx->msg->used);
	else if (run->may_sleep)
		rx_too_long(run);
	else
		rx_defer(run);
}

/* Whom is it for? False: the work has to ask again. */
static bool rx_address(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;

	/* -ESRCH: nobody; its bytes are not kept. */
	if (is_message(&rx->ctl) &&
	    erldist_dispatch_receiver(run->ch, &rx->ctl, &rx->to)) {
		rx_forget(run);
		return true;
	}
	if (rx->left || rx->frag > 1)
		rx_charge_front(run);
	if (run->may_sleep || !run->stop)
		return true;
	if (rx->to)
		erldist_process_put(rx->to);
	rx->to = NULL;
	return false;
}

/* Behind what is read of a frame */
static void rx_go_on(struct erldist_rx *rx)
{
	if (!rx->left)
		rx->state = RX_COMPLETE;
	else
		rx->state = rx->msg ? RX_BODY : RX_SKIP;
}

/* The front is there: whom is it for? */
static void rx_parse(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;
	struct etf_cursor c = { rx->msg->data, rx->msg->data + rx->msg->used };

	if (erldist_ctl_read_next(&c, &rx->ctl, &rx->last) || !rx_payload(run, &c)) {
		rx_fail(run, ERLDIST_REASON_BAD_CONTROL);
		return;
	}
	if (!rx_address(run))
		return;
	rx->parsed = true;
	if (rx->seq) {
		rx->seq->msg = rx->msg;
		rx->seq->to = rx->to;
		rx->seq->ctl = rx->ctl;
	}
	rx_go_on(rx);
}

/*
 * How much more of a message data has to hold; 0: it holds what is to be known.
 * A control message is rarely long, but whoever traces may make it so. What is
 * for a name may be read here.
 */
static u32 rx_more(const struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;
	struct erldist_msg *msg = rx->msg;
	struct etf_cursor c = { msg->data, msg->data + msg->used };
	u32 bytes = min_t(u64, (u64)msg->used + rx->left, U32_MAX);
	u32 front = rx_front(bytes);
	u32 most = min_t(u32, bytes, ERLDIST_PIECE_SIZE - sizeof(*msg));
	int err = erldist_ctl_read_next(&c, &rx->ctl, &rx->last);

	/* With the first byte of the payload */
	if (!err && c.p == c.end)
		err = -ENODATA;
	if (!err && is_message(&rx->ctl) && rx->ctl.to_kind != CTL_NAME)
		return 0;
	if (msg->room < front)
		return front;
	return err == -ENODATA && msg->room < most ? most : 0;
}

/* Data is full, or the frame complete. */
static void rx_front_done(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;
	u32 room = rx->left ? rx_more(run) : 0;
	struct erldist_msg *msg;

	if (!room) {
		rx_parse(run);
		return;
	}
	msg = erldist_msg_grow(rx->msg, room, run->gfp);
	if (!msg) {
		rx_no_memory(run);
		return;
	}
	rx->msg = msg;
	rx->state = RX_BODY;
}

/* No more than twice the memory of these bytes is held for them */
static bool rx_may_keep(const struct rx_run *run, size_t n)
{
	const struct erldist_msg *msg = run->ch->rx.msg;

	return run->page && n >= PAGE_SIZE && msg->used == msg->room &&
	       page_size(compound_head(run->page)) + erldist_msg_unused(msg) <=
	       2 * n;
}

/*
 * Payload behind data. Behind a part of a page, pages that may be kept are
 * likely to follow: room for it alone.
 */
static size_t rx_append(struct rx_run *run, const u8 *p, size_t n)
{
	struct erldist_rx *rx = &run->ch->rx;
	size_t expect = rx->left;

	if (rx_may_keep(run, n) &&
	    erldist_msg_append_page(rx->msg, run->page, p, n, run->gfp))
		return n;
	if (run->page)
		expect = min_t(size_t, expect, round_up(n, PAGE_SIZE));
	return erldist_msg_append(rx->msg, p, n, expect, run->gfp);
}

/* To the end of data, and no further */
static size_t rx_data(struct rx_run *run, const u8 *p, size_t n)
{
	struct erldist_rx *rx = &run->ch->rx;
	struct erldist_msg *msg = rx->msg;

	n = min_t(size_t, n, msg->room - msg->used);
	memcpy(msg->data + msg->used, p, n);
	msg->used += n;
	rx->left -= n;
	if (!rx->left || msg->used == msg->room)
		rx->state = RX_FRONT;
	return n;
}

/* Bytes of payload that were taken, or are not to be kept */
static size_t rx_more_payload(struct rx_run *run, const u8 *p, size_t n)
{
	struct erldist_channel *ch = run->ch;
	size_t taken;

	if (!rx_charge(run, n))
		return run->may_sleep ? n : 0;
	taken = rx_append(run, p, n);
	if (taken < n)
		rx_uncharge(ch, n - taken);
	if (!taken)
		rx_no_memory(run);
	return taken;
}

static size_t rx_body(struct rx_run *run, const u8 *p, size_t len)
{
	struct erldist_rx *rx = &run->ch->rx;
	size_t n = min_t(size_t, len, rx->left);

	if (!rx->parsed)
		return rx_data(run, p, n);
	n = rx_more_payload(run, p, n);
	rx->left -= n;
	if (!run->stop)
		rx_go_on(rx);
	return n;
}

static size_t rx_skip(struct rx_run *run, size_t len)
{
	struct erldist_rx *rx = &run->ch->rx;
	size_t n = min_t(size_t, len, rx->left);

	rx->left -= n;
	if (!rx->left)
		rx->state = RX_COMPLETE;
	return n;
}

/* What came in parts was charged as it came, all of it. */
static u32 rx_payload_len(const struct erldist_msg *msg)
{
	return (msg->charged ?: msg->used) - msg->body;
}

/*
 * One whole message: to its mailbox, or to the code that knows the operation.
 * Returns false when the work must do it. *reason is why the channel must be
 * closed, an enum erldist_reason: no errno, whose values mean something else.
 */
static bool rx_deliver(struct rx_run *run, u8 *reason)
{
	struct erldist_channel *ch = run->ch;
	struct erldist_rx *rx = &ch->rx;
	struct erldist_msg *msg = rx->msg;
	struct erldist_process *to = rx->to;

	msg->len = rx_payload_len(msg);
	if (is_message(&rx->ctl)) {
		if (erldist_dispatch_message(ch, &rx->ctl, to, msg,
					     run->may_sleep))
			return false;
		if (to)
			erldist_process_put(to);
		return true;
	}
	if (!run->may_sleep)
		return false;
	*reason = -erldist_dispatch_signal(ch, &rx->ctl, msg);
	erldist_pool_sub(ch->node, msg->charged);
	erldist_msg_put_resched(msg);
	return true;
}

static void rx_complete(struct rx_run *run)
{
	struct erldist_channel *ch = run->ch;
	struct erldist_rx *rx = &ch->rx;
	struct erldist_seq *seq = rx->seq;
	u8 reason = ERLDIST_REASON_NONE;

	if (seq && rx->frag > 1) {
		seq->next = rx->frag - 1;
		rx_next_frame(rx);
		rx_spend(run);
		return;
	}
	/* What was empty so far might have been followed by more. */
	if (rx->msg && rx->ctl.payload && !rx_payload_len(rx->msg)) {
		rx_fail(run, ERLDIST_REASON_BAD_CONTROL);
		return;
	}
	if (rx->msg && !rx_deliver(run, &reason)) {
		rx_defer(run);
		return;
	}
	if (seq) {
		seq->msg = NULL;
		seq->to = NULL;
		seq_free(ch, seq);
	}
	rx_next_frame(rx);
	if (reason)
		rx_fail(run, reason);
	erldist_count(&ch->rx_messages, 1);
	rx_spend(run);
}

/* Returns how many bytes were taken; stop says that no more are. */
static size_t rx_feed(struct rx_run *run, const u8 *p, size_t len)
{
	struct erldist_rx *rx = &run->ch->rx;
	size_t pos = 0;

	while (!run->stop) {
		if (rx->state == RX_COMPLETE)
			rx_complete(run);
		else if (rx->state == RX_BEGIN)
			rx_begin(run, len - pos);
		else if (rx->state == RX_FRONT)
			rx_front_done(run);
		else if (pos == len)
			break;
		else if (rx->state == RX_LENGTH)
			pos += rx_length(run, p + pos, len - pos);
		else if (rx->state == RX_HEAD)
			pos += rx_head(run, p + pos, len - pos);
		else if (rx->state == RX_BODY)
			pos += rx_body(run, p + pos, len - pos);
		else
			pos += rx_skip(run, len - pos);
	}
	erldist_count(&run->ch->rx_bytes, pos);
	run->bytes -= pos;
	if (run->bytes <= 0)
		run->stop = true;
	return pos;
}

static unsigned int rx_linear(struct rx_run *run, struct sk_buff *skb,
			      unsigned int offset, unsigned int len)
{
	unsigned int n = skb_headlen(skb);

	if (offset >= n || run->stop)
		return 0;
	return rx_feed(run, skb->data + offset, min(len, n - offset));
}

/* Nobody changes what is in its pages, and none is to be given back soon */
static bool pages_last(struct sk_buff *skb)
{
	return !skb_has_shared_frag(skb) && !skb_zcopy(skb) &&
	       !skb_pfmemalloc(skb);
}

static unsigned int rx_frag(struct rx_run *run, struct sk_buff *skb,
			    skb_frag_t *frag, unsigned int offset,
			    unsigned int len)
{
	u32 p_off, p_len, copied;
	unsigned int taken = 0;
	struct page *page;
	u8 *p;

	skb_frag_foreach_page(frag, skb_frag_off(frag) + offset, len,
			      page, p_off, p_len, copied) {
		p = kmap_local_page(page);
		/* Where it is mapped for good only */
		if (p == page_address(page) && pages_last(skb))
			run->page = page;
		taken += rx_feed(run, p + p_off, p_len);
		run->page = NULL;
		kunmap_local(p);
		if (run->stop)
			break;
	}
	return taken;
}

/* TCP gives each page of a larger one as a fragment of its own. */
static bool frag_follows(const skb_frag_t *frag, const skb_frag_t *next)
{
	struct page *page = skb_frag_page(frag), *more = skb_frag_page(next);

	return compound_head(page) == compound_head(more) &&
	       page_to_phys(page) + skb_frag_off(frag) + skb_frag_size(frag) ==
	       page_to_phys(more) + skb_frag_off(next);
}

/* Bytes of fragment *@i and of those that follow it in memory; *@i: the last */
static unsigned int frags_size(const struct sk_buff *skb, int *i)
{
	const skb_frag_t *frags = skb_shinfo(skb)->frags;
	unsigned int size = skb_frag_size(&frags[*i]);

	while (*i + 1 < skb_shinfo(skb)->nr_frags &&
	       frag_follows(&frags[*i], &frags[*i + 1]))
		size += skb_frag_size(&frags[++*i]);
	return size;
}

/*
 * The bytes from offset on of one buffer without its list of others. Unlike
 * skb_seq_read() this may sleep. Fragments in a device's memory (devmem TCP) have
 * no page to map: the connection ends, as a read of such a stream would fail.
 */
static unsigned int rx_skb(struct rx_run *run, struct sk_buff *skb,
			   unsigned int offset, unsigned int len)
{
	unsigned int taken = rx_linear(run, skb, offset, len);
	unsigned int start = skb_headlen(skb), end, pos;
	int i;

	if (taken < len && !run->stop && !skb_frags_readable(skb))
		rx_fail(run, ERLDIST_REASON_RECEIVE_ERROR);
	for (i = 0; i < skb_shinfo(skb)->nr_frags && !run->stop; i++) {
		skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		end = start + frags_size(skb, &i);
		pos = offset + taken;
		if (pos < end && taken < len)
			taken += rx_frag(run, skb, frag, pos - start,
					 min(len - taken, end - pos));
		start = end;
	}
	return taken;
}

static int rx_actor(read_descriptor_t *desc, struct sk_buff *skb,
		    unsigned int offset, size_t len)
{
	struct rx_run *run = desc->arg.data;
	unsigned int taken, start, pos;
	struct sk_buff *frag;

	if (run->stop)
		return 0;
	taken = rx_skb(run, skb, offset, len);
	start = skb_pagelen(skb);
	skb_walk_frags(skb, frag) {
		pos = offset + taken;
		if (taken < len && !run->stop && pos < start + frag->len)
			taken += rx_skb(run, frag, pos - start, len - taken);
		start += frag->len;
	}
	return taken;
}

static int rx_tcp_read(struct rx_run *run, struct sock *sk)
{
	read_descriptor_t desc = { .arg.data = run, .count = 1 };

	return tcp_read_sock(sk, &desc, rx_actor);
}

static struct rx_run rx_run_init(struct erldist_channel *ch, bool may_sleep)
{
	return (struct rx_run) {
		.ch = ch,
		.may_sleep = may_sleep,
		.gfp = __GFP_NOWARN | (may_sleep ? GFP_KERNEL :
				       GFP_NOWAIT | __GFP_NOMEMALLOC),
		.budget = RX_BUDGET,
		.bytes = RX_BYTES,
	};
}

/* The stream's lock is held, so that nothing may sleep, and not for long. */
static void rx_at_once(struct erldist_channel *ch, struct sock *sk)
{
	struct rx_run run = rx_run_init(ch, false);

	rx_tcp_read(&run, sk);
	/* Data behind an urgent mark does not come; the work sees to that. */
	if (unlikely(tcp_sk(sk)->urg_data))
		rx_defer(&run);
	if (run.reason)
		erldist_channel_abort(ch, run.reason, 0);
	else if (run.stop || ch->rx.work)
		erldist_channel_queue(ch, &ch->rx_work);
}

/**
 * erldist_rx_ready() - the stream has data
 * @ch: the channel
 * @sk: its stream, locked if it is TCP (softirq, or backlog of an owner)
 *
 * Context: any; the callback lock is held.
 */
void erldist_rx_ready(struct erldist_channel *ch, struct sock *sk)
{
	if (ch->carrier != CARRIER_TCP) {
		erldist_channel_queue(ch, &ch->rx_work);
		return;
	}
	if (ch->rx.work)
		erldist_channel_queue(ch, &ch->rx_work);
	else
		rx_at_once(ch, sk);
}

static void rx_leftover(struct rx_run *run)
{
	struct erldist_rx *rx = &run->ch->rx;

	rx->buf_pos += rx_feed(run, rx->buf + rx->buf_pos,
			       rx->buf_len - rx->buf_pos);
}

/* The reason for the end of a TCP stream; 0: it goes on. */
static u8 tcp_end(struct rx_run *run, struct sock *sk, int n)
{
	/* What user space read before is still to be taken. */
	if (run->ch->rx.buf_pos < run->ch->rx.buf_len)
		return 0;
	if (tcp_sk(sk)->urg_data)
		return ERLDIST_REASON_URGENT_DATA;
	if (tcp_inq(sk) > 0 && (n > 0 || run->stop))
		return 0;
	if (sk->sk_err)
		return erldist_stream_end_reason(-sk->sk_err,
						 ERLDIST_REASON_RECEIVE_ERROR);
	/* Also when it is our side that was shut down, by the giver */
	if (sk->sk_shutdown || sk->sk_state == TCP_CLOSE)
		return ERLDIST_REASON_CONNECTION_CLOSED;
	return 0;
}

/* Returns true when the work is to be queued again. */
static bool rx_work_tcp(struct rx_run *run)
{
	struct erldist_channel *ch = run->ch;
	struct sock *sk = ch->sock->sk;
	bool again, leftover;
	int n = 0;

	lock_sock(sk);
	stall_end(ch);
	rx_sweep(ch);
	rx_leftover(run);
	if (!run->stop)
		n = rx_tcp_read(run, sk);
	if (!run->reason)
		run->reason = tcp_end(run, sk, n);
	/* What comes next is read where it comes, unless only the work can. */
	leftover = ch->rx.buf_pos < ch->rx.buf_len;
	ch->rx.work = ch->rx.stalled || leftover || run->reason;
	again = (run->stop || leftover) && !ch->rx.stalled;
	release_sock(sk);
	return again;
}

static int rx_recv(struct erldist_channel *ch)
{
	struct erldist_rx *rx = &ch->rx;
	int n;

	if (!rx->buf)
		rx->buf = kvmalloc(RX_BUF, GFP_KERNEL_ACCOUNT);
	if (!rx->buf)
		return -ENOMEM;
	n = erldist_transport_recv(ch, rx->buf, RX_BUF);
	rx->buf_pos = 0;
	rx->buf_len = max(n, 0);
	return n;
}

static u8 recv_end(int n)
{
	switch (n) {
	case -EAGAIN:
		return ERLDIST_REASON_NONE;
	case -EBADMSG:
		return ERLDIST_REASON_TLS_RECORD;
	case -ENOMEM:
		return ERLDIST_REASON_NO_MEMORY;
	default:
		return erldist_stream_end_reason(n,
						 ERLDIST_REASON_RECEIVE_ERROR);
	}
}

static bool rx_work_recv(struct rx_run *run)
{
	struct erldist_channel *ch = run->ch;
	int n;

	stall_end(ch);
	rx_sweep(ch);
	for (;;) {
		rx_leftover(run);
		if (run->stop || erldist_channel_reason(ch))
			break;
		n = rx_recv(ch);
		if (n <= 0) {
			/* Our side may have been shut down, by the giver. */
			if (n == -EAGAIN && READ_ONCE(ch->sock->sk->sk_shutdown))
				n = rx_recv(ch);
			if (n > 0)
				continue;
			if (n == -EAGAIN && READ_ONCE(ch->sock->sk->sk_shutdown))
				n = 0;
			run->reason = recv_end(n);
			break;
		}
	}
	/* An idle channel holds no buffer. */
	if (ch->rx.buf_pos == ch->rx.buf_len) {
		kvfree(ch->rx.buf);
		ch->rx.buf = NULL;
		ch->rx.buf_pos = 0;
		ch->rx.buf_len = 0;
	}
	return run->stop && !ch->rx.stalled;
}

static void rx_frames(struct erldist_channel *ch)
{
	struct rx_run run = rx_run_init(ch, true);
	bool again;

	if (ch->carrier == CARRIER_TCP)
		again = rx_work_tcp(&run);
	else
		again = rx_work_recv(&run);
	if (run.reason)
		erldist_channel_abort(ch, run.reason,
				      erldist_transport_error(ch));
	else if (again)
		erldist_channel_queue(ch, &ch->rx_work);
}

/* Bytes of the handshake message that are still to come; 0: it is complete */
static int hs_wanted(struct erldist_channel *ch, u8 framing)
{
	const u8 *buf = ch->rx.hs_buf;
	u32 len;

	if (ch->rx.hs_have < framing)
		return framing - ch->rx.hs_have;
	len = framing == 4 ? get_unaligned_be32(buf) : get_unaligned_be16(buf);
	if (!len || len > ERLDIST_HS_MSG_MAX)
		return -EMSGSIZE;
	return framing + len - ch->rx.hs_have;
}

/* Returns the length of a whole message, 0: not yet, negative: closed. */
static int hs_read(struct erldist_channel *ch)
{
	struct erldist_rx *rx = &ch->rx;
	u8 framing = ch->hs->framing;
	int n, want;

	while ((want = hs_wanted(ch, framing)) > 0) {
		n = erldist_transport_recv(ch, rx->hs_buf + rx->hs_have, want);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0) {
			erldist_channel_abort(ch, erldist_hs_end_reason(ch, n),
					      erldist_transport_error(ch));
			return -EPIPE;
		}
		rx->hs_have += n;
		erldist_count(&ch->rx_bytes, n);
	}
	if (want < 0) {
		erldist_channel_abort(ch, ERLDIST_REASON_BAD_HANDSHAKE, 0);
		return want;
	}
	n = rx->hs_have - framing;
	rx->hs_have = 0;
	return n;
}

static bool hs_reads(const struct erldist_channel *ch)
{
	return ch->state == CHANNEL_HANDSHAKE && ch->hs->state != HS_ST_DECIDING;
}

/* Returns 0 when frames may follow. */
static int rx_handshake(struct erldist_channel *ch)
{
	u8 framing = ch->hs->framing;
	int err, len;

	err = erldist_channel_handshake(ch, NULL, 0);
	while (!err && hs_reads(ch)) {
		len = hs_read(ch);
		if (len <= 0)
			return len ?: -EAGAIN;
		err = erldist_channel_handshake(ch, ch->rx.hs_buf + framing,
						len);
	}
	if (err)
		return err;
	return ch->state == CHANNEL_UP ? 0 : -EAGAIN;
}

/**
 * erldist_rx_run() - the receiving work
 * @work: rx_work
 */
void erldist_rx_run(struct work_struct *work)
{
	struct erldist_channel *ch = container_of(work, struct erldist_channel,
						  rx_work);

	erldist_kcov_work_start(ch->node);
	if (!test_bit(CHANNEL_STARTED, &ch->flags) ||
	    test_bit(CHANNEL_DEAD, &ch->flags) || erldist_channel_reason(ch))
		goto out;
	if (ch->state != CHANNEL_UP && rx_handshake(ch))
		goto out;
	rx_frames(ch);
out:
	erldist_channel_put(ch);
	erldist_kcov_work_stop();
}
