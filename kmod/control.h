/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control messages: the tuple that says what a frame is about. Pure.
 */
#ifndef _ERLDIST_CONTROL_H
#define _ERLDIST_CONTROL_H

#include "etf.h"
#include "wire.h"

/* How To (or, in a DOWN, From) is given */
enum erldist_ctl_kind {
	CTL_NONE,
	CTL_PID,
	CTL_NAME,
	CTL_REF,	/* an alias */
	CTL_PORT,	/* From only: an exit of a port; not decoded */
};

struct erldist_ctl_raw {
	const u8 *p;
	u32 len;
};

/**
 * struct erldist_ctl - a control message, decoded
 * @op: the operation, normalised; says what else is set
 * @op_wire: as it stood there
 * @from_kind: how From is given, CTL_NONE if it is not
 * @to_kind: how To is given
 * @payload: a term follows the control message
 * @reason_inside: the reason is the tuple's last element
 * @flags: of OP_ALTACT_SIG_SEND, OP_SPAWN_REPLY
 * @id: of an unlink, not 0
 * @from: CTL_PID
 * @to: CTL_PID
 * @name: CTL_NAME, of To or (DOWN) From
 * @to_ref: CTL_REF
 * @ref: the monitor, or the id of a spawn request
 * @raw_from: From as it stood, for echoing
 * @raw_from_len: its length
 * @raw_ref: @ref as it stood
 * @raw_ref_len: its length
 * @n_raw: how many of @raw there are
 * @raw: terms as they stood
 *
 * Slices point into the buffer it was read from. The _TT, PAYLOAD_ and SENDER
 * variants become the plain operation (OP_SEND, OP_EXIT, OP_EXIT2,
 * OP_MONITOR_P_EXIT, OP_REG_SEND ...); ALIAS_SEND and ALTACT_SIG_SEND become
 * OP_SEND or OP_EXIT2 with to_kind CTL_REF, CTL_PID or CTL_NAME.
 *
 * ====================  ====================================================
 * OP_SEND               from (if from_kind), to; payload is the message
 * OP_REG_SEND           from, to (CTL_NAME); payload is the message
 * OP_LINK               from, to
 * OP_UNLINK             from, to (OTP 25 accepts it, nobody sends it)
 * OP_UNLINK_ID(_ACK)    id, from, to
 * OP_EXIT, OP_EXIT2     from (CTL_PID or CTL_PORT), to; reason
 * OP_MONITOR_P          from, to (CTL_PID or CTL_NAME), ref
 * OP_DEMONITOR_P        from, to, ref
 * OP_MONITOR_P_EXIT     from (CTL_PID, CTL_NAME or CTL_PORT), to, ref; reason
 * OP_GROUP_LEADER       nothing else is read
 * OP_SPAWN_REQUEST      ref (the request id), from; raw: the group leader,
 *                       {M, F, Arity}, options; payload is the arguments
 * OP_SPAWN_REPLY        ref (the request id), to, flags, from (CTL_PID) or, not
 *                       spawned, name (from_kind CTL_NAME): the result
 * ====================  ====================================================
 */
struct erldist_ctl {
	u8 op;
	u8 op_wire;
	u8 from_kind;
	u8 to_kind;
	bool payload;
	bool reason_inside;
	u32 flags;
	u64 id;
	struct etf_pid from;
	struct etf_pid to;
	struct etf_atom name;
	struct etf_ref to_ref;
	struct etf_ref ref;
	const u8 *raw_from;
	u32 raw_from_len;
	const u8 *raw_ref;
	u32 raw_ref_len;
	u8 n_raw;
	struct erldist_ctl_raw raw[3];
};

/**
 * erldist_ctl_read() - decode a control message
 * @c: cursor; moved to where the payload starts (in header mode, right behind
 *     the tuple; the caller deals with a version byte). With reason_inside it
 *     is moved to the start of the reason, which may run past the end.
 *     Unchanged after an error.
 * @ctl: filled in
 *
 * A seq_trace token is skipped. Ids of UNLINK_ID must be 1 to 2^64-1.
 *
 * Return: 0; -EBADMSG: not a control message of the protocol (unknown
 * operation, wrong arity, wrong type of an element); -ENODATA: the bytes end
 * within it.
 */
int erldist_ctl_read(struct etf_cursor *c, struct erldist_ctl *ctl);

/**
 * struct erldist_ctl_last - what the next control message is likely to be like
 * @len: bytes, 0: none
 * @to: where the numbers of To stand, which are another process's
 * @from: where those of From stand, 0: there is no From
 * @bytes: the control message
 * @at: where it was read, and where the slices of what was read point to
 */
struct erldist_ctl_last {
	u8 len;
	u8 to;
	u8 from;
	u8 bytes[128];
	const u8 *at;
};

/**
 * erldist_ctl_read_next() - decode a control message like the one before
 * @c: cursor, as for erldist_ctl_read()
 * @ctl: what was read last with @last; filled in
 * @last: all 0 at first; its len is to be 0 also when @ctl was changed
 *
 * Most are of messages to pids, and differ in the numbers of these.
 *
 * Return: as erldist_ctl_read().
 */
int erldist_ctl_read_next(struct etf_cursor *c, struct erldist_ctl *ctl,
			  struct erldist_ctl_last *last);

/**
 * struct erldist_ctl_out - a control message to write
 * @op: the plain operation; the variant follows from the flags that both sides
 *	have (SEND_SENDER for SEND if DFLAG_SEND_SENDER, PAYLOAD_ forms if
 *	DFLAG_EXIT_PAYLOAD, ALTACT_SIG_SEND or ALIAS_SEND to a CTL_REF)
 * @to_kind: CTL_REF: an alias; CTL_NAME: to monitor a name; else a pid
 * @from_kind: DOWN of a monitored name: CTL_NAME; else a pid
 * @id: of an unlink; SPAWN_REPLY: its flags
 * @from: the sender; SPAWN_REPLY: the result, if from_kind is CTL_PID
 * @to: the receiver
 * @name: CTL_NAME, of To or (DOWN) From; SPAWN_REPLY: the result
 * @to_ref: CTL_REF
 * @ref: the monitor, or the id of a spawn request
 * @raw: SPAWN_REQUEST: {M, F, Arity} and the options
 * @raw_len: bytes of it
 */
struct erldist_ctl_out {
	u8 op;
	u8 to_kind;
	u8 from_kind;
	u64 id;
	struct etf_pid from;
	struct etf_pid to;
	struct etf_atom name;
	struct etf_ref to_ref;
	const struct etf_ref *ref;
	const u8 *raw;
	u32 raw_len;
};

#define ERLDIST_CTL_SIZE	(8 + 2 * ETF_PID_SIZE + ETF_REF_SIZE + 16)

/**
 * erldist_ctl_write() - encode a control message
 * @p: room for ERLDIST_CTL_SIZE bytes
 * @out: what
 * @flags: distribution flags both sides have
 *
 * Operations: OP_SEND (to pid or alias), OP_REG_SEND, OP_EXIT, OP_EXIT2,
 * OP_MONITOR_P_EXIT, OP_LINK, OP_UNLINK_ID, OP_UNLINK_ID_ACK, OP_MONITOR_P,
 * OP_DEMONITOR_P, OP_SPAWN_REQUEST (raw_len bytes more than ERLDIST_CTL_SIZE may
 * be needed), OP_SPAWN_REPLY (ref is the request id, to the requester).
 * For OP_EXIT, OP_EXIT2 and OP_MONITOR_P_EXIT without DFLAG_EXIT_PAYLOAD the
 * reason is the tuple's last element: the caller appends its bytes directly.
 * With it, the caller appends it as a payload (behind a version byte in
 * pass-through frames).
 *
 * Return: the end of what was written, or NULL when the peer cannot take it: it
 * did not offer the flags that the operation needs (ctl_forms[]: monitors,
 * messages to an alias, spawn requests), an OP_EXIT2 to an alias, another operation.
 */
u8 *erldist_ctl_write(u8 *p, const struct erldist_ctl_out *out, u64 flags);

#endif /* _ERLDIST_CONTROL_H */
