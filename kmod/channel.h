/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_CHANNEL_H
#define _ERLDIST_CHANNEL_H

#include <linux/net.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

#include "handshake.h"
#include "message.h"
#include "peer.h"

struct erldist_process;

enum erldist_carrier {
	CARRIER_TCP,	/* read in the softirq */
	CARRIER_TLS,	/* kTLS */
	CARRIER_UNIX,
};

enum erldist_channel_state {
	CHANNEL_HANDSHAKE,
	CHANNEL_WAITING,	/* proven; the old connection drains */
	CHANNEL_UP,
	CHANNEL_CLOSED,
};

/* Bits of flags */
enum {
	CHANNEL_STARTED,	/* the hand-over succeeded, it may read */
	CHANNEL_CLOSING,	/* the verdict is set */
	CHANNEL_CLOSED_ONCE,	/* close_work was queued */
	CHANNEL_DEAD,		/* callbacks are gone, nothing may be queued */
	CHANNEL_WAKE,		/* the stream has room again */
	CHANNEL_TICK,		/* a tick is due */
	CHANNEL_SWEEP,		/* drop what comes for ended processes */
	CHANNEL_DENIED,		/* answers to asks */
	CHANNEL_ALLOWED,
	CHANNEL_PROVEN,		/* the peer knows the cookie */
};

enum erldist_rx_state {
	RX_LENGTH,
	RX_HEAD,	/* type, fragment numbers */
	RX_BEGIN,	/* the head is there; memory is not */
	RX_BODY,
	RX_FRONT,	/* data is full, or the frame complete: whom is it for? */
	RX_SKIP,	/* rest of a frame nobody wants */
	RX_COMPLETE,	/* the frame is there and not dealt with */
};

/* An incomplete fragmented message */
struct erldist_seq {
	struct list_head list;
	u64 id;
	u64 next;		/* fragment number that must come */
	struct erldist_msg *msg;	/* NULL: its rest is dropped */
	struct erldist_process *to;	/* whom it is charged to, or NULL */
	struct erldist_ctl ctl;
};

/*
 * Receive state. Plain TCP: owned by the stream's socket lock (softirq or
 * lock_sock). Other carriers: owned by rx_work, the only reader.
 */
struct erldist_rx {
	bool work;		/* the work reads, not the softirq */
	bool stalled;		/* waits for room in the pool */
	u8 state;		/* enum erldist_rx_state */
	u8 have;		/* bytes of head */
	u8 head[20];
	u32 left;		/* of the frame */
	u64 frag;		/* number of this fragment; 1: no more follow */
	bool parsed;		/* ctl is valid */
	struct erldist_msg *msg;	/* being read; a continued one is seq's */
	struct erldist_seq *seq;	/* the frame belongs to this sequence */
	struct erldist_process *to;	/* whom msg is charged to, a reference */
	struct erldist_ctl ctl;		/* of msg, slices point into it */
	struct erldist_ctl_last last;	/* what ctl was read from */
	struct list_head seqs;
	u32 n_seqs;
	/* handshake: one message */
	u16 hs_have;
	u8 *hs_buf;
	bool ticket;		/* within a TLS session ticket */
	/* carriers read by recvmsg: what was read and not taken */
	u8 *buf;
	u32 buf_pos;
	u32 buf_len;
};

/* Send state, owned by whoever has pushing. */
struct erldist_tx {
	u8 *buf;		/* heads and small frames; none while idle */
	u32 size;
	const u8 *from;		/* buf, or a tick */
	u32 pos;
	u32 len;
	struct erldist_out *item;	/* its payload is sent from where it lies */
	size_t frame_left;	/* of the present frame, still to go */
	size_t taken;	/* from the queue, and has not gone whole */
	/* the last head of a message to a pid, to be that of others */
	struct {
		u32 creation;	/* of To */
		u8 len;		/* 0: none */
		u8 to;		/* where the numbers of To stand */
		u8 from;	/* and those of From, 0: there is none */
		u8 data[128];
	} last;
};

/*
 * One stream to a peer.
 *
 * References: the stream's sk_user_data (until detached), peer->channel,
 * attempt or next, and every queued work (erldist_channel_queue()). Timers have
 * none: close_work cancels them, and nothing arms them after that. Destroyed: by
 * close_work, which runs once, and then by the last reference.
 *
 * state belongs to close_work and rx_work in turn: rx_work is cancelled before
 * close_work changes it. Walks of node->channels read it meanwhile
 * (channel_ask_over(), erldist_channel_answer(), challenge_is_ours(),
 * channel_is_stranger()), and so does channel_timer(), with smp_load_acquire(), as
 * channel_up() sets the timer's fields first. flags are atomic bits. challenge and
 * origin are set before the channel is in node->channels, and do not change then.
 * So is peer, but that of an acceptor, which rx_work sets once; channel_ask_over(),
 * erldist_channel_answer() and tx_try() read it meanwhile. attached and on_top are set
 * by the hand-over; then the one is close_work's, the other that of the last reference.
 */
struct erldist_channel {
	refcount_t ref;
	struct rcu_head rcu;
	struct erldist_node *node;
	struct erldist_peer *peer;	/* once the name is known; a reference */
	struct list_head list;		/* node->channels */
	struct socket *sock;
	struct file *file;
	const struct cred *cred;
	void (*saved_data_ready)(struct sock *sk);
	void (*saved_write_space)(struct sock *sk);
	void (*saved_state_change)(struct sock *sk);
	void (*saved_error_report)(struct sock *sk);
	u8 carrier;
	u8 role;
	u8 state;
	u32 verdict;			/* reason and error of the end, once */
	unsigned long flags;
	u64 connection;
	u64 tag;
	u32 challenge;			/* ours, in the handshake */
	u64 origin;			/* erldist_transport_origin() */
	u64 dflags;			/* both sides have */
	u64 peer_flags;			/* the peer has */
	bool header_mode;
	bool attached;			/* callbacks are ours */
	bool on_top;			/* so is the upper layer protocol, until channel_free() */
	bool replaces;			/* was told alive, and goes on */
	bool counted;			/* in node->n_handshakes */
	bool pushing;			/* guarded by peer->lock */
	bool blocked;			/* the stream had no room; likewise */
	unsigned long pushed_rx;	/* rx_bytes at the last push */
	struct erldist_cookie *cookie;	/* for hs */

	struct erldist_hs *hs;		/* until up */
	struct erldist_rx rx;
	struct erldist_tx tx;

	/* erldist_count(): rx by the reader, tx by the pusher, ticked_tx by the timer */
	atomic64_t rx_bytes;
	atomic64_t rx_messages;
	atomic64_t tx_bytes;
	atomic64_t tx_messages;
	atomic64_t tx_ticks;		/* of tx_bytes */
	atomic64_t ticked_tx;		/* tx_bytes at the last tick check */
	u64 ticked_data;		/* likewise, without ticks; the timer's */
	u64 ticked_rx;			/* the timer's */
	unsigned long last_rx;		/* jiffies */
	unsigned long stall_start;	/* of the present stall */
	u64 window;			/* jiffies at the start of the counted minute */
	unsigned long stall_used;	/* jiffies stalled in it */
	atomic64_t stall_total;		/* jiffies; the reader's */
	unsigned long retry;		/* next delayed push, jiffies */

	struct work_struct rx_work;
	struct work_struct tx_work;
	struct delayed_work retry_work;
	struct delayed_work timer;	/* handshake step, then ticks */
	struct delayed_work stall_work;	/* the stall has lasted long enough */
	struct work_struct close_work;
	struct work_struct free_work;
};

extern struct workqueue_struct *erldist_wq;
extern struct workqueue_struct *erldist_reaper_wq;

/* A hand-over, as the node socket read it */
struct erldist_channel_req {
	int fd;
	u8 role;
	u8 framing;
	u64 tag;
	u64 flags;
	u32 creation;
	struct etf_atom name;
	const u8 *data;
	u32 data_len;
};

/* channel.c */
int erldist_channel_hand_over(struct erldist_node *node,
			      const struct erldist_channel_req *req);
void erldist_channel_put(struct erldist_channel *ch);
void erldist_channel_abort(struct erldist_channel *ch, u8 reason, int error);
void erldist_channel_queue(struct erldist_channel *ch, struct work_struct *work);
void erldist_channel_queue_delayed(struct erldist_channel *ch,
				   struct delayed_work *work,
				   unsigned long delay);
u8 erldist_stream_end_reason(int err, u8 other);
u8 erldist_hs_end_reason(const struct erldist_channel *ch, int err);
void erldist_channel_resume(struct erldist_channel *ch);
int erldist_channel_answer(struct erldist_node *node, const struct etf_atom *name,
			   u64 tag, bool allow);
int erldist_channel_handshake(struct erldist_channel *ch, const u8 *msg,
			      size_t len);
void erldist_channels_close(struct erldist_node *node);
void erldist_channels_sweep(struct erldist_node *node);
void erldist_channels_unstall(struct erldist_node *node);

/* enum erldist_reason, and a positive errno or 0 */
static inline u8 erldist_channel_reason(const struct erldist_channel *ch)
{
	return READ_ONCE(ch->verdict) & 0xff;
}

static inline int erldist_channel_error(const struct erldist_channel *ch)
{
	return READ_ONCE(ch->verdict) >> 8;
}

/*
 * Add to a counter that one context at a time writes. Others that read it never
 * see half of a value, not even on 32 bit, and on 64 bit this is a plain addition.
 */
static inline void erldist_count(atomic64_t *counter, u64 n)
{
	atomic64_set(counter, atomic64_read(counter) + n);
}

static inline void erldist_channel_get(struct erldist_channel *ch)
{
	refcount_inc(&ch->ref);
}

/* transport.c */
int erldist_transport_check(struct erldist_channel *ch);
int erldist_transport_attach(struct erldist_channel *ch);
u64 erldist_transport_origin(const struct erldist_channel *ch);
void erldist_transport_detach(struct erldist_channel *ch);
void erldist_transport_release(struct erldist_channel *ch);
void erldist_transport_shutdown(struct erldist_channel *ch);
int erldist_transport_send(struct erldist_channel *ch, struct kvec *vec,
			   unsigned int n, size_t len, int flags);
bool erldist_transport_splices(const struct erldist_channel *ch);
int erldist_transport_recv(struct erldist_channel *ch, void *p, size_t len);
bool erldist_transport_idle(const struct erldist_channel *ch);
int erldist_transport_error(struct erldist_channel *ch);
int erldist_transport_init(void);
void erldist_transport_exit(void);

/* receive.c */
void erldist_rx_init(struct erldist_channel *ch);
void erldist_rx_free(struct erldist_channel *ch);
void erldist_rx_ready(struct erldist_channel *ch, struct sock *sk);
void erldist_rx_run(struct work_struct *work);
int erldist_rx_leftover(struct erldist_channel *ch, const u8 *p, size_t len);
void erldist_rx_stall_over(struct work_struct *work);

/* dispatch.c */
int erldist_dispatch_receiver(struct erldist_channel *ch,
			      const struct erldist_ctl *ctl,
			      struct erldist_process **to);
int erldist_dispatch_message(struct erldist_channel *ch,
			     const struct erldist_ctl *ctl,
			     struct erldist_process *to,
			     struct erldist_msg *msg, bool may_sleep);
int erldist_dispatch_orphan(struct erldist_channel *ch,
			    const struct erldist_ctl *ctl, u8 flags,
			    const char *why);
int erldist_dispatch_signal(struct erldist_channel *ch,
			    const struct erldist_ctl *ctl,
			    struct erldist_msg *msg);

/* send.c */
void erldist_tx_run(struct work_struct *work);
void erldist_tx_retry(struct work_struct *work);
void erldist_tx_free(struct erldist_channel *ch);
void erldist_tx_tick(struct erldist_channel *ch);

#endif /* _ERLDIST_CHANNEL_H */
