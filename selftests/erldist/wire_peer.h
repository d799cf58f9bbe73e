/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other side of a connection, in user space: handshake in both roles,
 * frames and fragments, well-formed or not. Nothing here looks at what the
 * kernel thinks; it reads and writes the bytes of the protocol.
 */
#ifndef ERLDIST_TEST_WIRE_PEER_H
#define ERLDIST_TEST_WIRE_PEER_H

#include "erldist_test.h"

enum {
	OP_LINK			= 1,
	OP_SEND			= 2,
	OP_EXIT			= 3,
	OP_REG_SEND		= 6,
	OP_EXIT2		= 8,
	OP_MONITOR_P		= 19,
	OP_DEMONITOR_P		= 20,
	OP_MONITOR_P_EXIT	= 21,
	OP_SEND_SENDER		= 22,
	OP_PAYLOAD_EXIT		= 24,
	OP_PAYLOAD_EXIT2	= 26,
	OP_PAYLOAD_MONITOR_P_EXIT = 28,
	OP_SPAWN_REQUEST	= 29,
	OP_SPAWN_REPLY		= 31,
	OP_ALIAS_SEND		= 33,
	OP_UNLINK_ID		= 35,
	OP_UNLINK_ID_ACK	= 36,
	OP_ALTACT_SIG_SEND	= 37,
};

#define FRAG_SEQS	16

struct frag {
	uint64_t seq;
	uint64_t next;		/* fragment id that has to come; 0: free */
	struct buf data;
};

struct wire {
	int fd;
	char name[300];
	const char *cookie;
	uint64_t flags;
	uint32_t creation;
	uint32_t challenge;
	int length_bytes;	/* of a handshake message */
	/* the kernel's */
	char peer_name[300];
	uint64_t peer_flags;
	uint32_t peer_creation;
	uint32_t peer_challenge;
	bool header;		/* frames carry a distribution header */
	unsigned int ticks;	/* seen by wire_recv() */
	uint64_t syncs;
	struct frag frag[FRAG_SEQS];
};

struct frame {
	struct buf ctl;
	struct buf msg;
	unsigned int fragments;
};

void frame_free(struct frame *f);

#define DEFINE_FRAME(name) struct frame name __attribute__((cleanup(frame_free))) = { 0 }

void wire_init(struct wire *w, int fd, const char *name);
void wire_close(struct wire *w);

/* Bytes: 0, -ETIMEDOUT, -EPIPE at the end of the stream, or an errno */
int wire_read(struct wire *w, void *p, size_t len, int timeout_ms);
int wire_write(struct wire *w, const void *p, size_t len);
/* True when the stream ends in time; what comes before is thrown away */
bool wire_ends(struct wire *w, int timeout_ms);

/* Handshake messages, without their length */
void hs_name(const struct wire *w, struct buf *b);
void hs_status(struct buf *b, const char *status);
void hs_challenge(const struct wire *w, struct buf *b);
void hs_reply(const struct wire *w, struct buf *b);
void hs_ack(const struct wire *w, struct buf *b);
int hs_send(struct wire *w, const struct buf *b);
int hs_recv(struct wire *w, struct buf *b, int timeout_ms);
/* What came as it has to be; false otherwise */
bool hs_take_name(struct wire *w, const struct buf *b);
bool hs_is_status(const struct buf *b, const char *status);
bool hs_take_challenge(struct wire *w, const struct buf *b);
bool hs_take_reply(struct wire *w, const struct buf *b);
bool hs_take_ack(struct wire *w, const struct buf *b);

/* The whole handshake: 0, a negative errno, or -EPROTO */
int wire_initiate(struct wire *w);
int wire_accept(struct wire *w);
/*
 * A stream of this kind between w and the node, handed over and up on both
 * sides. role is the kernel's. Set w->name and what else differs from
 * wire_init() before, or use wire_up().
 */
int wire_connect(struct wire *w, int node, enum carrier carrier, int role);
/* The usual peer: w@h over TCP, which dialled the node */
int wire_up(struct wire *w, int node);
int wire_up_as(struct wire *w, int node, const char *name);

/* One frame: payload may be NULL */
int wire_send(struct wire *w, const struct buf *ctl, const struct buf *msg);
/* Bytes of the same frame, its length in front */
void wire_frame(const struct wire *w, struct buf *b, const struct buf *ctl,
		const struct buf *msg);
/* A fragment, type 69 or 70; ctl only with 69 */
void wire_fragment(struct buf *b, int type, uint64_t seq, uint64_t id,
		   const struct buf *ctl, const void *part, size_t len);
int wire_tick(struct wire *w);
/* {6,From,'',Name} or {22,From,To} and the message */
int wire_reg_send(struct wire *w, const char *name, const struct buf *msg);
int wire_pid_send(struct wire *w, const struct epid *to, const struct buf *msg);
/* The next frame that is no tick, fragments put together */
int wire_recv(struct wire *w, struct frame *f, int timeout_ms);
/* The next frame is this one; payload may be NULL: there is none */
bool wire_expect(struct wire *w, const struct buf *ctl, const struct buf *payload);
/*
 * All that was sent was taken: an unlink of a process that never was is
 * acknowledged, and nothing came before that. 0 or a negative errno.
 */
int wire_sync(struct wire *w);
/* Operation of a control message, or -1 */
int frame_op(const struct frame *f);
/* A pid of this peer */
struct epid wire_pid(const struct wire *w, uint32_t id);
/* A reference of the peer's, for each number another */
struct eref wire_ref(const struct wire *w, uint32_t n);

#endif /* ERLDIST_TEST_WIRE_PEER_H */
