// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: from the hand-over through the handshake to the close, and ticks.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/wait_bit.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "channel.h"
#include "kcov.h"
#include "netlink.h"
#include "node_watch.h"
#include "process.h"

static void channel_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct erldist_channel, rcu));
}

static void channel_free(struct erldist_channel *ch)
{
	struct erldist_node *node = ch->node;

	erldist_rx_free(ch);
	erldist_tx_free(ch);
	kfree_sensitive(ch->hs);
	kfree_sensitive(ch->cookie);
	if (ch->cred)
		put_cred(ch->cred);
	erldist_transport_release(ch);
	if (ch->file)
		fput(ch->file);
	erldist_peer_put(ch->peer);
	call_rcu(&ch->rcu, channel_free_rcu);
	erldist_node_put(node);
}

static void channel_release(struct work_struct *work)
{
	struct erldist_channel *ch = container_of(work, struct erldist_channel,
						  free_work);

	erldist_kcov_work_start(ch->node);
	channel_free(ch);
	erldist_kcov_work_stop();
}

/**
 * erldist_channel_put() - drop a reference
 * @ch: the channel
 *
 * Context: any: the last one is followed by a work.
 */
void erldist_channel_put(struct erldist_channel *ch)
{
	if (refcount_dec_and_test(&ch->ref))
		queue_work(erldist_wq, &ch->free_work);
}

/**
 * erldist_channel_queue() - queue one of a channel's works
 * @ch: the channel
 * @work: rx_work, tx_work or close_work
 *
 * A queued work holds a reference; every work looks at CHANNEL_DEAD first.
 *
 * Context: any.
 */
void erldist_channel_queue(struct erldist_channel *ch, struct work_struct *work)
{
	erldist_channel_get(ch);
	if (!queue_work(erldist_wq, work))
		erldist_channel_put(ch);
}

/**
 * erldist_channel_queue_delayed() - arm one of a channel's timers
 * @ch: the channel
 * @work: timer, stall_work or retry_work
 * @delay: jiffies
 *
 * It holds no reference: channel_close() waits for it, and has one. What
 * mod_delayed_work() returns does not say whether a work that is being cancelled is
 * queued: since 6.10 it is not, and false.
 *
 * Context: only where channel_close() waits: its own works, or a pusher.
 */
void erldist_channel_queue_delayed(struct erldist_channel *ch,
				   struct delayed_work *work,
				   unsigned long delay)
{
	mod_delayed_work(erldist_wq, work, delay);
}

/*
 * Close what is to be closed. Before the hand-over has succeeded that is not
 * yet, since it may still fail: whoever comes second, of the end and of the
 * success, does it.
 */
static void channel_close_due(struct erldist_channel *ch)
{
	/* Pairs with the same between the bit and this in the other one. */
	smp_mb();
	if (test_bit(CHANNEL_STARTED, &ch->flags) &&
	    test_bit(CHANNEL_CLOSING, &ch->flags) &&
	    !test_and_set_bit(CHANNEL_CLOSED_ONCE, &ch->flags))
		erldist_channel_queue(ch, &ch->close_work);
}

/**
 * erldist_channel_abort() - close a channel
 * @ch: the channel
 * @reason: enum erldist_reason; the first one counts
 * @error: a positive errno that goes with it, or 0
 *
 * Context: any.
 */
void erldist_channel_abort(struct erldist_channel *ch, u8 reason, int error)
{
	if (cmpxchg(&ch->verdict, 0, reason | error << 8))
		return;
	set_bit(CHANNEL_CLOSING, &ch->flags);
	channel_close_due(ch);
}

static void channel_uncount(struct erldist_channel *ch)
{
	if (ch->counted)
		atomic_dec(&ch->node->n_handshakes);
	ch->counted = false;
}

static void channel_cancel(struct erldist_channel *ch)
{
	if (cancel_work_sync(&ch->rx_work))
		erldist_channel_put(ch);
	if (cancel_work_sync(&ch->tx_work))
		erldist_channel_put(ch);
	cancel_delayed_work_sync(&ch->timer);
	cancel_delayed_work_sync(&ch->stall_work);
}

static void channel_unlist(struct erldist_channel *ch)
{
	spin_lock_bh(&ch->node->channel_lock);
	list_del_init(&ch->list);
	spin_unlock_bh(&ch->node->channel_lock);
}

/* Who sees the stream end finds it counted. */
static void channel_count_failure(struct erldist_channel *ch)
{
	struct erldist_node *node = ch->node;

	if (ch->state == CHANNEL_UP)
		return;
	WRITE_ONCE(node->last_reason, erldist_channel_reason(ch));
	/* Who sees the count, in fill_node(), sees its reason. */
	smp_mb__before_atomic();
	atomic64_inc(&node->failed);
}

/*
 * The keeper's answer came, or is not needed any more: the others of that name
 * look whether they can ask now. Pairs with erldist_peer_ask(): either it finds
 * that the peer is not asking, or we find its channel, whose peer is set.
 */
static void channel_ask_over(struct erldist_channel *ch)
{
	struct erldist_node *node = ch->node;
	struct erldist_channel *other;

	if (!erldist_peer_ask_over(ch->peer, ch))
		return;
	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(other, &node->channels, list) {
		if (READ_ONCE(other->peer) == ch->peer &&
		    READ_ONCE(other->state) == CHANNEL_HANDSHAKE)
			erldist_channel_queue(other, &other->rx_work);
	}
	spin_unlock_bh(&node->channel_lock);
}

static void channel_tell(struct erldist_channel *ch)
{
	if (!ch->peer)
		return;
	channel_ask_over(ch);
	erldist_peer_detach(ch->peer, ch, erldist_channel_reason(ch),
			    erldist_channel_error(ch));
}

/* Runs once, queued by erldist_channel_abort(). */
static void channel_close(struct work_struct *work)
{
	struct erldist_channel *ch = container_of(work, struct erldist_channel,
						  close_work);

	erldist_kcov_work_start(ch->node);
	set_bit(CHANNEL_DEAD, &ch->flags);
	erldist_transport_detach(ch);
	channel_cancel(ch);
	channel_unlist(ch);
	if (ch->rx.stalled)
		atomic_dec(&ch->node->n_stalled);
	channel_count_failure(ch);
	erldist_transport_shutdown(ch);
	channel_uncount(ch);
	channel_tell(ch);
	/* Whoever took the right to push before the peer let go of us */
	wait_var_event(&ch->pushing, !smp_load_acquire(&ch->pushing));
	cancel_delayed_work_sync(&ch->retry_work);
	WRITE_ONCE(ch->state, CHANNEL_CLOSED);
	erldist_rx_free(ch);
	erldist_tx_free(ch);
	erldist_node_quiet(ch->node);
	erldist_channel_put(ch);
	erldist_kcov_work_stop();
}

static unsigned long tick_interval(const struct erldist_node *node)
{
	return msecs_to_jiffies(READ_ONCE(node->tick.ticktime)) /
	       READ_ONCE(node->tick.intensity);
}

static void channel_arm_step(struct erldist_channel *ch)
{
	erldist_channel_queue_delayed(ch, &ch->timer,
				      msecs_to_jiffies(READ_ONCE(ch->node->tick.setup)));
}

/* A user may have changed the socket so that data no longer announces itself. */
static void tick_look_for_data(struct erldist_channel *ch)
{
	struct sock *sk = ch->sock->sk;

	if (!READ_ONCE(ch->rx.stalled) &&
	    (ch->carrier != CARRIER_TCP ||
	     !skb_queue_empty_lockless(&sk->sk_receive_queue)))
		erldist_channel_queue(ch, &ch->rx_work);
}

/*
 * As dist_util's mk_tick: silence for a whole ticktime ends the connection, an
 * interval in which nothing was sent is filled with a tick. While a full pool
 * keeps us from reading, the peer cannot be called silent.
 */
static void channel_tick(struct erldist_channel *ch)
{
	unsigned long ticktime = msecs_to_jiffies(READ_ONCE(ch->node->tick.ticktime));
	unsigned long interval = max(tick_interval(ch->node), 1UL);
	unsigned long silent;
	u64 rx = atomic64_read(&ch->rx_bytes), tx = atomic64_read(&ch->tx_bytes);
	u64 data = tx - atomic64_read(&ch->tx_ticks);

	if (rx != ch->ticked_rx || READ_ONCE(ch->rx.stalled))
		WRITE_ONCE(ch->last_rx, jiffies);
	ch->ticked_rx = rx;
	silent = jiffies - READ_ONCE(ch->last_rx);
	if (silent >= ticktime) {
		erldist_channel_abort(ch, ERLDIST_REASON_NET_TICK_TIMEOUT, 0);
		return;
	}
	if (data == ch->ticked_data)
		erldist_tx_tick(ch);
	ch->ticked_data = data;
	atomic64_set(&ch->ticked_tx, tx);
	tick_look_for_data(ch);
	erldist_channel_queue_delayed(ch, &ch->timer,
				      min(interval, ticktime - silent));
}

/* Under the lock, as channel_set_proven(): what is proven is no setup any more. */
static void channel_setup_timeout(struct erldist_channel *ch)
{
	spin_lock_bh(&ch->node->channel_lock);
	if (!test_bit(CHANNEL_PROVEN, &ch->flags))
		erldist_channel_abort(ch, ERLDIST_REASON_SETUP_TIMEOUT, 0);
	spin_unlock_bh(&ch->node->channel_lock);
}

static void channel_timer(struct work_struct *work)
{
	struct erldist_channel *ch = container_of(to_delayed_work(work),
						  struct erldist_channel,
						  timer);
	u8 state;

	erldist_kcov_work_start(ch->node);
	if (!test_bit(CHANNEL_DEAD, &ch->flags)) {
		/* Pairs with channel_up(): the timer's fields are set. */
		state = smp_load_acquire(&ch->state);
		if (state == CHANNEL_UP)
			channel_tick(ch);
		else if (state == CHANNEL_HANDSHAKE)
			channel_setup_timeout(ch);
	}
	erldist_kcov_work_stop();
}

/* Bytes of the first message in @p, its length included */
static u32 hs_message(const struct erldist_hs *hs, const u8 *p)
{
	return hs->framing == 4 ? 4 + get_unaligned_be32(p) :
				  2 + get_unaligned_be16(p);
}

/*
 * Each message by itself, as BEAM does: dissectors take a segment for a
 * message of the handshake only when it is one.
 */
static int channel_send_hs(struct erldist_channel *ch)
{
	struct erldist_hs *hs = ch->hs;
	struct kvec vec;
	u32 pos, len;
	int n;

	for (pos = 0; pos < hs->out_len; pos += len) {
		len = hs_message(hs, hs->out + pos);
		vec = (struct kvec){ hs->out + pos, len };
		/* A stream just opened has room for this much. */
		n = erldist_transport_send(ch, &vec, 1, len, 0);
		if (n != len)
			return n < 0 ? n : -EAGAIN;
		erldist_count(&ch->tx_bytes, n);
	}
	hs->out_len = 0;
	return 0;
}

/**
 * erldist_stream_end_reason() - why a stream ended
 * @err: 0 or a negative errno of the stream
 * @other: enum erldist_reason for an error that is no end
 *
 * A reset is one, as for OTP's inet driver (show_econnreset is off): a node that
 * halts with something unread resets the stream.
 *
 * Context: any.
 * Return: enum erldist_reason.
 */
u8 erldist_stream_end_reason(int err, u8 other)
{
	switch (err) {
	case 0:
	case -EPIPE:
	case -ECONNRESET:
		return ERLDIST_REASON_CONNECTION_CLOSED;
	default:
		return other;
	}
}

/**
 * erldist_hs_end_reason() - why a handshake ended with its stream
 * @ch: the channel, in handshake
 * @err: 0 or a negative errno of the stream
 * Return: enum erldist_reason.
 */
u8 erldist_hs_end_reason(const struct erldist_channel *ch, int err)
{
	u8 reason;

	/* It was decided before: told nok, waiting to be called instead */
	if (ch->hs->state == HS_ST_FAILED)
		return ch->hs->reason;
	if (err == -EBADMSG)
		return ERLDIST_REASON_TLS_RECORD;
	reason = erldist_stream_end_reason(err, ERLDIST_REASON_RECEIVE_ERROR);
	if (reason == ERLDIST_REASON_CONNECTION_CLOSED &&
	    ch->hs->state == HS_ST_WAIT_ACK)
		return ERLDIST_REASON_CLOSED_AFTER_PROOF;
	return reason;
}

static void channel_up(struct erldist_channel *ch)
{
	WRITE_ONCE(ch->last_rx, jiffies);
	ch->ticked_rx = atomic64_read(&ch->rx_bytes);
	ch->ticked_data = atomic64_read(&ch->tx_bytes);
	atomic64_set(&ch->ticked_tx, ch->ticked_data);
	/* Pairs with channel_timer(), which can be on its way for the handshake. */
	smp_store_release(&ch->state, CHANNEL_UP);
	kfree_sensitive(ch->hs);
	ch->hs = NULL;
	kfree_sensitive(ch->cookie);
	ch->cookie = NULL;
	erldist_peer_open(ch->peer, ch);
	erldist_channel_queue_delayed(ch, &ch->timer,
				      max(tick_interval(ch->node), 1UL));
}

/*
 * Under the lock: channel_evict() and channel_setup_timeout() have ended it before
 * this, or leave it alone. From now on it does not count: it can wait for the end of
 * another connection.
 */
static void channel_set_proven(struct erldist_channel *ch)
{
	spin_lock_bh(&ch->node->channel_lock);
	set_bit(CHANNEL_PROVEN, &ch->flags);
	spin_unlock_bh(&ch->node->channel_lock);
	channel_uncount(ch);
}

/*
 * The cookie is proven, both ways where we are the initiator. An acceptor's
 * last word comes when the connection is the peer's own.
 */
static int channel_finish(struct erldist_channel *ch)
{
	int err;

	channel_set_proven(ch);
	ch->peer_flags = ch->hs->peer_flags;
	ch->dflags = ch->hs->flags & ch->peer_flags;
	ch->header_mode = ch->dflags & DFLAG_HEADER_MODE;
	err = erldist_peer_adopt(ch->peer, ch);
	if (err == -EINPROGRESS) {
		WRITE_ONCE(ch->state, CHANNEL_WAITING);
		return 0;
	}
	if (err) {
		erldist_channel_abort(ch, err == -ENETDOWN ?
				      ERLDIST_REASON_NODE_DOWN :
				      err == -EUSERS ? ERLDIST_REASON_LIMIT :
				      ERLDIST_REASON_ALIVE, 0);
		return err;
	}
	err = erldist_watch_up(ch);
	if (err) {
		erldist_channel_abort(ch, ERLDIST_REASON_NO_MEMORY, 0);
		return err;
	}
	if (ch->role == ERLDIST_ROLE_ACCEPTOR)
		err = erldist_hs_accept(ch->hs);
	if (err >= 0)
		err = channel_send_hs(ch);
	if (err < 0) {
		erldist_channel_abort(ch, erldist_hs_end_reason(ch, err), -err);
		return err;
	}
	channel_up(ch);
	return 0;
}

static int channel_cookie(struct erldist_channel *ch)
{
	struct erldist_node *node = ch->node;
	struct erldist_cookie *cookie;

	if (!ch->cookie)
		ch->cookie = kmalloc(sizeof(*ch->cookie), GFP_KERNEL);
	if (!ch->cookie)
		return -ENOMEM;
	mutex_lock(&node->conf_lock);
	cookie = ch->peer && ch->peer->cookie ? ch->peer->cookie :
						&node->cookie;
	*ch->cookie = *cookie;
	mutex_unlock(&node->conf_lock);
	ch->hs->cookie = ch->cookie->data;
	ch->hs->cookie_len = ch->cookie->len;
	return ch->cookie->len ? 0 : -ENOKEY;
}

/* Refuse aloud: the status says so, the reason says why. */
static int channel_refuse(struct erldist_channel *ch, u8 reason)
{
	int err = erldist_hs_decide(ch->hs, HS_STATUS_NOT_ALLOWED);

	if (ch->hs->out_len)
		channel_send_hs(ch);
	erldist_channel_abort(ch, reason, 0);
	return err < 0 ? err : -EPROTO;
}

static int hs_step(struct erldist_channel *ch, int verdict);

static int channel_decided(struct erldist_channel *ch)
{
	int status;

	if (channel_cookie(ch))
		return channel_refuse(ch, ERLDIST_REASON_BAD_DIGEST);
	status = erldist_peer_status(ch->peer);
	if (status < 0) {
		erldist_channel_abort(ch, ERLDIST_REASON_ALIVE, 0);
		return status;
	}
	ch->replaces = status == HS_STATUS_ALIVE;
	return hs_step(ch, erldist_hs_decide(ch->hs, status));
}

static struct erldist_peer *channel_use_peer(struct erldist_node *node,
					     const struct etf_atom *name)
{
	struct erldist_peer *peer;

	for (;;) {
		peer = erldist_peer_make(node, name, NULL);
		if (IS_ERR(peer) || erldist_peer_use(peer))
			return peer;
		erldist_peer_put(peer);
		cond_resched();
	}
}

/* A node introduced itself. */
static int channel_decide(struct erldist_channel *ch)
{
	struct etf_atom name = {
		.text = (const u8 *)ch->hs->peer_name,
		.len = ch->hs->peer_name_len,
	};
	struct erldist_peer *peer;

	if (erldist_node_is(ch->node, &name))
		return channel_refuse(ch, ERLDIST_REASON_SAME_NAME);
	peer = channel_use_peer(ch->node, &name);
	if (IS_ERR(peer))
		return channel_refuse(ch, PTR_ERR(peer) == -EINVAL ?
				      ERLDIST_REASON_BAD_NAME :
				      ERLDIST_REASON_LIMIT);
	/*
	 * Pairs with READ_ONCE() in erldist_channel_answer(), which reads the peer's
	 * name, in channel_ask_over() and in tx_try(), which takes its lock.
	 */
	smp_store_release(&ch->peer, peer);
	if (!READ_ONCE(ch->node->admit))
		return channel_decided(ch);
	erldist_peer_ask(peer, ch);
	return 0;
}

/* The keeper is asked, or will be when it has answered about another. */
static int channel_asked(struct erldist_channel *ch)
{
	if (!test_bit(CHANNEL_DENIED, &ch->flags) &&
	    !test_bit(CHANNEL_ALLOWED, &ch->flags)) {
		erldist_peer_ask(ch->peer, ch);
		return 0;
	}
	channel_ask_over(ch);
	if (test_bit(CHANNEL_DENIED, &ch->flags))
		return channel_refuse(ch, ERLDIST_REASON_DENIED);
	return channel_decided(ch);
}

static int hs_alive(struct erldist_channel *ch)
{
	bool wants = erldist_peer_wants(ch->peer, ch);
	int err = erldist_hs_alive(ch->hs, wants);

	if (err < 0 || !wants) {
		channel_send_hs(ch);
		erldist_channel_abort(ch, ERLDIST_REASON_ALIVE, 0);
		return -EPROTO;
	}
	return hs_step(ch, err);
}

static int hs_failed(struct erldist_channel *ch, int err)
{
	channel_send_hs(ch);
	erldist_channel_abort(ch, err == -EPROTO ? ch->hs->reason :
			      ERLDIST_REASON_NO_MEMORY,
			      err == -EPROTO ? 0 : -err);
	return err;
}

/*
 * Is it a challenge of ours on another connection? The answer to it would be the
 * proof there of a peer that does not have the cookie.
 */
static bool challenge_is_ours(struct erldist_node *node, u32 challenge)
{
	const struct erldist_channel *ch;
	bool ours = false;

	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(ch, &node->channels, list) {
		if (READ_ONCE(ch->state) != CHANNEL_UP)
			ours |= ch->challenge == challenge;
	}
	spin_unlock_bh(&node->channel_lock);
	return ours;
}

/* An answer is not sent before its challenge has been compared with ours. */
static bool hs_reflects(const struct erldist_channel *ch)
{
	const struct erldist_hs *hs = ch->hs;

	return hs->state == HS_ST_WAIT_ACK && hs->out_len &&
	       challenge_is_ours(ch->node, hs->peer_challenge);
}

/* What a verdict of the state machine asks for */
static int hs_step(struct erldist_channel *ch, int verdict)
{
	int err;

	if (verdict < 0)
		return hs_failed(ch, verdict);
	if (hs_reflects(ch)) {
		erldist_channel_abort(ch, ERLDIST_REASON_BAD_HANDSHAKE, 0);
		return -EPROTO;
	}
	if (verdict != HS_UP && verdict != HS_PROVEN) {
		err = channel_send_hs(ch);
		if (err) {
			erldist_channel_abort(ch, erldist_hs_end_reason(ch, err),
					      -err);
			return err;
		}
	}
	switch (verdict) {
	case HS_DECIDE:
		return channel_decide(ch);
	case HS_ALIVE:
		return hs_alive(ch);
	case HS_PROVEN:
	case HS_UP:
		return channel_finish(ch);
	default:
		return 0;
	}
}

/**
 * erldist_channel_handshake() - one step of the handshake
 * @ch: the channel, in CHANNEL_HANDSHAKE or CHANNEL_WAITING
 * @msg: a message that came in, or NULL: begin, or go on after an answer
 * @len: its bytes
 *
 * Context: rx_work, no lock held.
 * Return: 0, look at ch->state; negative: the channel is being closed.
 */
int erldist_channel_handshake(struct erldist_channel *ch, const u8 *msg,
			      size_t len)
{
	/* READY: user space did the handshake. */
	if (ch->state == CHANNEL_WAITING || ch->role == ERLDIST_ROLE_READY)
		return channel_finish(ch);
	if (msg) {
		channel_arm_step(ch);
		return hs_step(ch, erldist_hs_recv(ch->hs, msg, len));
	}
	if (ch->hs->state == HS_ST_NONE) {
		channel_arm_step(ch);
		return hs_step(ch, erldist_hs_start(ch->hs));
	}
	if (ch->hs->state == HS_ST_DECIDING)
		return channel_asked(ch);
	return 0;
}

/**
 * erldist_channel_resume() - the old connection has been drained
 * @ch: the one that waits
 *
 * Context: any.
 */
void erldist_channel_resume(struct erldist_channel *ch)
{
	erldist_channel_queue(ch, &ch->rx_work);
}

/**
 * erldist_channel_answer() - the keeper's answer to asks
 * @node: the node
 * @name: who asked
 * @tag: its connection, or 0: any of that name
 * @allow: yes or no
 *
 * Context: process context.
 * Return: 0; -ENOENT: nobody of that name is asking.
 */
int erldist_channel_answer(struct erldist_node *node, const struct etf_atom *name,
			   u64 tag, bool allow)
{
	struct erldist_channel *ch;
	int err = -ENOENT;

	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(ch, &node->channels, list) {
		struct erldist_peer *peer = READ_ONCE(ch->peer);

		if (ch->role != ERLDIST_ROLE_ACCEPTOR || !peer ||
		    READ_ONCE(ch->state) != CHANNEL_HANDSHAKE ||
		    (tag && ch->tag != tag) ||
		    !etf_atom_equal(&peer->atom, name))
			continue;
		set_bit(allow ? CHANNEL_ALLOWED : CHANNEL_DENIED, &ch->flags);
		erldist_channel_queue(ch, &ch->rx_work);
		err = 0;
	}
	spin_unlock_bh(&node->channel_lock);
	return err;
}

/**
 * erldist_channels_close() - the node goes: close every channel
 * @node: the node, dead
 *
 * Context: process context.
 */
void erldist_channels_close(struct erldist_node *node)
{
	struct erldist_channel *ch;

	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(ch, &node->channels, list)
		erldist_channel_abort(ch, ERLDIST_REASON_NODE_DOWN, 0);
	spin_unlock_bh(&node->channel_lock);
}

/**
 * erldist_channels_sweep() - a process ended: drop what is coming for it
 * @node: the node
 *
 * Context: any.
 */
void erldist_channels_sweep(struct erldist_node *node)
{
	struct erldist_channel *ch;

	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(ch, &node->channels, list) {
		set_bit(CHANNEL_SWEEP, &ch->flags);
		erldist_channel_queue(ch, &ch->rx_work);
	}
	spin_unlock_bh(&node->channel_lock);
}

/**
 * erldist_channels_unstall() - the pool has room: who was held up reads on
 * @node: the node
 *
 * Context: any.
 */
void erldist_channels_unstall(struct erldist_node *node)
{
	struct erldist_channel *ch;

	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(ch, &node->channels, list) {
		if (READ_ONCE(ch->rx.stalled))
			erldist_channel_queue(ch, &ch->rx_work);
	}
	spin_unlock_bh(&node->channel_lock);
}

static void hs_setup(struct erldist_channel *ch,
		     const struct erldist_channel_req *req)
{
	struct erldist_hs *hs = ch->hs;

	hs->acceptor = ch->role == ERLDIST_ROLE_ACCEPTOR;
	hs->name = ch->node->name;
	hs->name_len = ch->node->atom.len;
	hs->creation = ch->node->creation;
	hs->flags = ch->node->flags;
	hs->demand = DFLAG_MANDATORY;
	ch->challenge = get_random_u32();
	hs->challenge = ch->challenge;
	hs->framing = req->framing;
	hs->peer_flags = req->flags;
	hs->peer_creation = req->creation;
	if (req->name.len) {
		memcpy(hs->peer_name, req->name.text, req->name.len);
		hs->peer_name_len = req->name.len;
	}
}

static struct erldist_channel *channel_alloc(struct erldist_node *node)
{
	struct erldist_channel *ch;

	ch = kzalloc(sizeof(*ch), GFP_KERNEL_ACCOUNT);
	if (!ch)
		return NULL;
	refcount_set(&ch->ref, 1);
	erldist_node_get(node);
	ch->node = node;
	INIT_LIST_HEAD(&ch->list);
	INIT_WORK(&ch->rx_work, erldist_rx_run);
	INIT_WORK(&ch->tx_work, erldist_tx_run);
	INIT_WORK(&ch->close_work, channel_close);
	INIT_WORK(&ch->free_work, channel_release);
	INIT_DELAYED_WORK(&ch->stall_work, erldist_rx_stall_over);
	INIT_DELAYED_WORK(&ch->retry_work, erldist_tx_retry);
	INIT_DELAYED_WORK(&ch->timer, channel_timer);
	erldist_rx_init(ch);
	ch->hs = kzalloc(sizeof(*ch->hs), GFP_KERNEL_ACCOUNT);
	ch->rx.hs_buf = kmalloc(ERLDIST_HS_MSG_MAX + 4, GFP_KERNEL_ACCOUNT);
	if (!ch->hs || !ch->rx.hs_buf) {
		erldist_channel_put(ch);
		return NULL;
	}
	return ch;
}

/*
 * Beyond the limit each handshake ends another one, see channel_make_room(). Those
 * that are ending count until they have ended, so there are twice as many at most.
 */
static int channel_count(struct erldist_channel *ch)
{
	struct erldist_node *node = ch->node;

	/* Strangers that call must not keep the keeper from calling. */
	if (ch->role != ERLDIST_ROLE_ACCEPTOR)
		return 0;
	ch->counted = true;
	return atomic_inc_return(&node->n_handshakes) >
	       2ULL * READ_ONCE(node->limits.handshakes) ? -EUSERS : 0;
}

/* It came by itself, and has not proven that it knows the cookie. */
static bool channel_is_stranger(const struct erldist_channel *ch)
{
	return ch->role == ERLDIST_ROLE_ACCEPTOR &&
	       READ_ONCE(ch->state) == CHANNEL_HANDSHAKE &&
	       !test_bit(CHANNEL_PROVEN, &ch->flags) &&
	       !test_bit(CHANNEL_CLOSING, &ch->flags);
}

static int origin_cmp(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* The address that most strangers have; a random one of several */
static u64 origin_of_most(u64 *origins, u32 n)
{
	u32 i, run = 0, most = 0, ties = 0;
	u64 origin = 0;

	sort(origins, n, sizeof(*origins), origin_cmp, NULL);
	for (i = 0; i < n; i++) {
		run = i && origins[i] == origins[i - 1] ? run + 1 : 1;
		if (i + 1 < n && origins[i] == origins[i + 1])
			continue;
		if (run > most)
			ties = 0;
		if (run < most || reciprocal_scale(get_random_u32(), ++ties))
			continue;
		most = run;
		origin = origins[i];
	}
	return origin;
}

static u32 origins_copy(struct erldist_node *node, u64 *origins, u32 max)
{
	struct erldist_channel *ch;
	u32 n = 0;

	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(ch, &node->channels, list) {
		if (n == max)
			break;
		if (channel_is_stranger(ch))
			origins[n++] = ch->origin;
	}
	spin_unlock_bh(&node->channel_lock);
	return n;
}

/* End a random one of the strangers, of those from this address if it is given */
static void channel_evict(struct erldist_node *node, const u64 *origin)
{
	struct erldist_channel *ch, *out = NULL;
	u32 n = 0;

	spin_lock_bh(&node->channel_lock);
	list_for_each_entry(ch, &node->channels, list) {
		if (!channel_is_stranger(ch) || (origin && ch->origin != *origin))
			continue;
		if (!reciprocal_scale(get_random_u32(), ++n))
			out = ch;
	}
	if (out)
		erldist_channel_abort(out, ERLDIST_REASON_LIMIT, 0);
	spin_unlock_bh(&node->channel_lock);
}

/*
 * At the limit a handshake that has proven nothing ends: connections that say
 * nothing must not shut out a node that needs a place for some milliseconds. It is
 * one of the address that has most; of any without memory to find that.
 */
static void channel_make_room(struct erldist_channel *ch)
{
	struct erldist_node *node = ch->node;
	u32 max = atomic_read(&node->n_handshakes);
	u64 *origins, origin;

	if (!ch->counted || max <= READ_ONCE(node->limits.handshakes))
		return;
	origins = kvmalloc_array(max, sizeof(*origins), GFP_KERNEL_ACCOUNT);
	if (origins)
		origin = origin_of_most(origins, origins_copy(node, origins, max));
	channel_evict(node, origins ? &origin : NULL);
	kvfree(origins);
}

static int channel_socket(struct erldist_channel *ch, int fd)
{
	ch->file = fget(fd);
	if (!ch->file)
		return -EBADF;
	ch->sock = sock_from_file(ch->file);
	return ch->sock ? 0 : -ENOTSOCK;
}

static int channel_attempt(struct erldist_channel *ch,
			   const struct etf_atom *name)
{
	struct erldist_peer *peer = erldist_peer_make(ch->node, name,
						       &ch->node->keeper);
	int err;

	if (IS_ERR(peer))
		return PTR_ERR(peer);
	err = erldist_peer_attempt(peer, ch);
	if (err)
		erldist_peer_put(peer);
	else
		ch->peer = peer;
	return err;
}

/* The peer is named beforehand: roles INITIATOR and READY. */
static int channel_target(struct erldist_channel *ch,
			  const struct erldist_channel_req *req)
{
	int err;

	if (ch->role == ERLDIST_ROLE_ACCEPTOR)
		return 0;
	if (erldist_node_is(ch->node, &req->name))
		return -EINVAL;
	do {
		err = channel_attempt(ch, &req->name);
		cond_resched();
	} while (err == -ESTALE);
	return err;
}

static int channel_prepare(struct erldist_channel *ch,
			   const struct erldist_channel_req *req)
{
	int err;

	err = channel_count(ch) ?: channel_socket(ch, req->fd) ?:
	      channel_target(ch, req);
	if (err)
		return err;
	if (ch->role != ERLDIST_ROLE_READY) {
		err = channel_cookie(ch);
		if (err)
			return err;
	} else if (req->data_len) {
		return erldist_rx_leftover(ch, req->data, req->data_len);
	}
	return 0;
}

/* From here on the channel is found by the node's close, and reads. */
static void channel_list(struct erldist_channel *ch)
{
	struct erldist_node *node = ch->node;
	bool dead;

	spin_lock_bh(&node->channel_lock);
	list_add_tail(&ch->list, &node->channels);
	set_bit(CHANNEL_STARTED, &ch->flags);
	dead = READ_ONCE(node->dead);
	spin_unlock_bh(&node->channel_lock);
	if (dead)
		erldist_channel_abort(ch, ERLDIST_REASON_NODE_DOWN, 0);
	channel_close_due(ch);
}

/*
 * Before it is listed, a channel can only be closed for the peer's own call,
 * which was first. Whatever else is wrong with the stream follows from that:
 * the peer has closed what it does not need.
 */
static int channel_attach(struct erldist_channel *ch)
{
	int err = erldist_transport_attach(ch);

	if (!err)
		ch->origin = erldist_transport_origin(ch);
	if (!test_bit(CHANNEL_CLOSING, &ch->flags))
		return err;
	erldist_transport_detach(ch);
	return -EALREADY;
}

static void channel_undo(struct erldist_channel *ch, int err)
{
	channel_uncount(ch);
	if (ch->peer)
		erldist_peer_detach(ch->peer, ch, ERLDIST_REASON_UNREACHABLE,
				    -err);
	erldist_node_quiet(ch->node);
	erldist_channel_put(ch);
}

/**
 * erldist_channel_hand_over() - take over a connected stream
 * @node: the node
 * @req: what the keeper said; checked for syntax
 *
 * On success the channel goes on by itself, and tells of its end through the
 * node socket; the caller's descriptor stays his to close. After an error the
 * socket is as it was, but for options; after -EALREADY it may be taken for good.
 * An error after the peer was found ends the attempt to connect it: what waits for
 * the peer gets the error.
 *
 * Context: process context.
 * Return: 0; -EBADF, -ENOTSOCK, -EPROTONOSUPPORT, -ENOTCONN, -EBUSY, -EINVAL
 * (the node's own name), -EISCONN, -EALREADY, -ENOKEY, -EUSERS, -ENETDOWN.
 */
int erldist_channel_hand_over(struct erldist_node *node,
			      const struct erldist_channel_req *req)
{
	struct erldist_channel *ch = channel_alloc(node);
	int err;

	if (!ch)
		return -ENOMEM;
	ch->role = req->role;
	ch->tag = req->tag;
	ch->cred = get_current_cred();
	ch->connection = atomic64_inc_return(&erldist_net(node->net)->connections);
	hs_setup(ch, req);
	atomic_inc(&node->busy);
	err = channel_prepare(ch, req) ?: channel_attach(ch);
	if (err) {
		channel_undo(ch, err);
		return err;
	}
	channel_make_room(ch);
	channel_list(ch);
	/* Data, or the end, may be there already. */
	erldist_channel_queue(ch, &ch->rx_work);
	erldist_channel_put(ch);
	return 0;
}
