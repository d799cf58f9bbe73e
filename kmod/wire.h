/* SPDX-License-Identifier: GPL-2.0-only */
/* Wire format of the Erlang distribution, no logic. */
#ifndef _ERLDIST_WIRE_H
#define _ERLDIST_WIRE_H

#include "pure.h"

/* Distribution flags, erts/emulator/beam/dist.h */
#define DFLAG_PUBLISHED			0x1ULL
#define DFLAG_ATOM_CACHE		0x2ULL
#define DFLAG_EXTENDED_REFERENCES	0x4ULL
#define DFLAG_DIST_MONITOR		0x8ULL
#define DFLAG_FUN_TAGS			0x10ULL
#define DFLAG_DIST_MONITOR_NAME		0x20ULL
#define DFLAG_NEW_FUN_TAGS		0x80ULL
#define DFLAG_EXTENDED_PIDS_PORTS	0x100ULL
#define DFLAG_EXPORT_PTR_TAG		0x200ULL
#define DFLAG_BIT_BINARIES		0x400ULL
#define DFLAG_NEW_FLOATS		0x800ULL
#define DFLAG_UNICODE_IO		0x1000ULL
#define DFLAG_DIST_HDR_ATOM_CACHE	0x2000ULL
#define DFLAG_SMALL_ATOM_TAGS		0x4000ULL
#define DFLAG_UTF8_ATOMS		0x10000ULL
#define DFLAG_MAP_TAG			0x20000ULL
#define DFLAG_BIG_CREATION		0x40000ULL
#define DFLAG_SEND_SENDER		0x80000ULL
#define DFLAG_BIG_SEQTRACE_LABELS	0x100000ULL
#define DFLAG_EXIT_PAYLOAD		0x400000ULL
#define DFLAG_FRAGMENTS			0x800000ULL
#define DFLAG_HANDSHAKE_23		0x1000000ULL
#define DFLAG_UNLINK_ID			0x2000000ULL
#define DFLAG_MANDATORY_25_DIGEST	0x4000000ULL
#define DFLAG_SPAWN			BIT_ULL(32)
#define DFLAG_NAME_ME			BIT_ULL(33)
#define DFLAG_V4_NC			BIT_ULL(34)
#define DFLAG_ALIAS			BIT_ULL(35)
#define DFLAG_ALTACT_SIG		BIT_ULL(37)
#define DFLAG_NATIVE_RECORDS		BIT_ULL(38)

/* What the digest flag stands for */
#define DFLAG_MANDATORY_25		0x01070F94ULL
/* What a peer must have: OTP 25 sends it all, OTP 26 and later demand it */
#define DFLAG_MANDATORY			(DFLAG_MANDATORY_25 | DFLAG_V4_NC | \
					 DFLAG_UNLINK_ID)
/*
 * Hidden node with fragments and no atom cache. It is asked to spawn: whether
 * somebody serves that may change while peers are connected.
 */
#define DFLAG_DEFAULT			0x2D07DF5FBCULL
/* Any of these: frames carry a distribution header */
#define DFLAG_HEADER_MODE		(DFLAG_DIST_HDR_ATOM_CACHE | \
					 DFLAG_FRAGMENTS)
/* Never to be offered: this implementation cannot serve them */
#define DFLAG_REFUSED			(DFLAG_ATOM_CACHE | \
					 DFLAG_DIST_HDR_ATOM_CACHE | 0x40ULL | \
					 DFLAG_NATIVE_RECORDS | BIT_ULL(36))

/* Handshake message tags */
#define HS_NAME				'N'
#define HS_NAME_V5			'n'
#define HS_STATUS			's'
#define HS_REPLY			'r'
#define HS_ACK				'a'
#define HS_DIGEST_LEN			16

/* Frame head */
#define FRAME_VERSION			131
#define FRAME_NORMAL			68
#define FRAME_FRAG_FIRST		69
#define FRAME_FRAG_NEXT			70
#define FRAME_PASS_THROUGH		112

/* Operations of control messages */
enum erldist_op {
	OP_LINK			= 1,
	OP_SEND			= 2,
	OP_EXIT			= 3,
	OP_UNLINK		= 4,
	OP_NODE_LINK		= 5,
	OP_REG_SEND		= 6,
	OP_GROUP_LEADER		= 7,
	OP_EXIT2		= 8,
	OP_SEND_TT		= 12,
	OP_EXIT_TT		= 13,
	OP_REG_SEND_TT		= 16,
	OP_EXIT2_TT		= 18,
	OP_MONITOR_P		= 19,
	OP_DEMONITOR_P		= 20,
	OP_MONITOR_P_EXIT	= 21,
	OP_SEND_SENDER		= 22,
	OP_SEND_SENDER_TT	= 23,
	OP_PAYLOAD_EXIT		= 24,
	OP_PAYLOAD_EXIT_TT	= 25,
	OP_PAYLOAD_EXIT2	= 26,
	OP_PAYLOAD_EXIT2_TT	= 27,
	OP_PAYLOAD_MONITOR_P_EXIT = 28,
	OP_SPAWN_REQUEST	= 29,
	OP_SPAWN_REQUEST_TT	= 30,
	OP_SPAWN_REPLY		= 31,
	OP_SPAWN_REPLY_TT	= 32,
	OP_ALIAS_SEND		= 33,
	OP_ALIAS_SEND_TT	= 34,
	OP_UNLINK_ID		= 35,
	OP_UNLINK_ID_ACK	= 36,
	OP_ALTACT_SIG_SEND	= 37,
};

/* Flags of OP_SPAWN_REPLY */
#define SPAWN_LINKED			1
#define SPAWN_MONITORED			2

/* Flags of OP_ALTACT_SIG_SEND */
#define ALTACT_PRIO			1
#define ALTACT_TOKEN			2
#define ALTACT_ALIAS			4
#define ALTACT_NAME			8
#define ALTACT_EXIT			16

/* First word of a reference, as its own node reads it */
#define ERLDIST_REF_WORD0_MAX	((1U << 18) - 1)

#endif /* _ERLDIST_WIRE_H */
