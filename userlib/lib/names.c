// SPDX-License-Identifier: LGPL-2.1-or-later
/* Numbers of the netlink specification as words. */
#include "internal.h"

static const char *name_of(const char *const *names, size_t n, uint32_t i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

const char *erldist_reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[ERLDIST_REASON_NONE] = "none",
		[ERLDIST_REASON_CONNECTION_CLOSED] = "connection-closed",
		[ERLDIST_REASON_NET_TICK_TIMEOUT] = "net-tick-timeout",
		[ERLDIST_REASON_DISCONNECT] = "disconnect",
		[ERLDIST_REASON_NODE_DOWN] = "node-down",
		[ERLDIST_REASON_REPLACED] = "replaced",
		[ERLDIST_REASON_SETUP_TIMEOUT] = "setup-timeout",
		[ERLDIST_REASON_UNREACHABLE] = "unreachable",
		[ERLDIST_REASON_NOT_WANTED] = "not-wanted",
		[ERLDIST_REASON_NOK] = "nok",
		[ERLDIST_REASON_NOT_ALLOWED] = "not-allowed",
		[ERLDIST_REASON_ALIVE] = "alive",
		[ERLDIST_REASON_BAD_STATUS] = "bad-status",
		[ERLDIST_REASON_BAD_NAME] = "bad-name",
		[ERLDIST_REASON_WRONG_NAME] = "wrong-name",
		[ERLDIST_REASON_BAD_HANDSHAKE] = "bad-handshake",
		[ERLDIST_REASON_BAD_DIGEST] = "bad-digest",
		[ERLDIST_REASON_CLOSED_AFTER_PROOF] = "closed-after-proof",
		[ERLDIST_REASON_MISSING_FLAGS] = "missing-flags",
		[ERLDIST_REASON_DENIED] = "denied",
		[ERLDIST_REASON_LIMIT] = "limit",
		[ERLDIST_REASON_BAD_FRAME] = "bad-frame",
		[ERLDIST_REASON_BAD_CONTROL] = "bad-control",
		[ERLDIST_REASON_BAD_FRAGMENT] = "bad-fragment",
		[ERLDIST_REASON_BAD_TERM] = "bad-term",
		[ERLDIST_REASON_FOREIGN_SENDER] = "foreign-sender",
		[ERLDIST_REASON_URGENT_DATA] = "urgent-data",
		[ERLDIST_REASON_TLS_RECORD] = "tls-record",
		[ERLDIST_REASON_SEND_ERROR] = "send-error",
		[ERLDIST_REASON_RECEIVE_ERROR] = "receive-error",
		[ERLDIST_REASON_NO_MEMORY] = "no-memory",
		[ERLDIST_REASON_SAME_NAME] = "same-name",
	};

	return name_of(names, ED_ARRAY_SIZE(names), reason);
}

const char *erldist_peer_state_name(uint32_t state)
{
	static const char *const names[] = {
		[ERLDIST_PEER_STATE_DOWN] = "down",
		[ERLDIST_PEER_STATE_WANTED] = "wanted",
		[ERLDIST_PEER_STATE_CONNECTING] = "connecting",
		[ERLDIST_PEER_STATE_UP] = "up",
		[ERLDIST_PEER_STATE_DRAINING] = "draining",
	};

	return name_of(names, ED_ARRAY_SIZE(names), state);
}

const char *erldist_process_state_name(uint32_t state)
{
	static const char *const names[] = {
		[ERLDIST_PROCESS_STATE_ALIVE] = "alive",
		[ERLDIST_PROCESS_STATE_ENDED] = "ended",
	};

	return name_of(names, ED_ARRAY_SIZE(names), state);
}

const char *erldist_event_name(enum erldist_event_type type)
{
	static const char *const names[] = {
		[ERLDIST_EVENT_RESYNC] = "resync",
		[ERLDIST_EVENT_RESYNC_END] = "resync-end",
		[ERLDIST_EVENT_NODE_NEW] = "node-new",
		[ERLDIST_EVENT_NODE_DEL] = "node-del",
		[ERLDIST_EVENT_PEER_UP] = "peer-up",
		[ERLDIST_EVENT_PEER_DOWN] = "peer-down",
		[ERLDIST_EVENT_PEER_FAILED] = "peer-failed",
		[ERLDIST_EVENT_NAME_NEW] = "name-new",
		[ERLDIST_EVENT_NAME_DEL] = "name-del",
	};

	return name_of(names, ED_ARRAY_SIZE(names), (uint32_t)type);
}
