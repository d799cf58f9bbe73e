/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * AF_ERLDIST: processes and nodes of the Erlang distribution as sockets.
 *
 * The number of the address family is not in this header: a module outside the
 * kernel tree borrows one when it is loaded. Ask the generic netlink family
 * "erldist" for it (family-get).
 *
 * A node is a SOCK_RAW socket, a process a SOCK_RDM socket. An address is an
 * external term without its version byte: a pid, a reference (an alias),
 * {Name, Node} or an atom. Where a term is longer than sed_term, the options
 * ERLDIST_BIND, ERLDIST_CONNECT, ERLDIST_SELF and ERLDIST_PEERNAME and the control
 * messages ERLDIST_DEST, ERLDIST_FROM and ERLDIST_TO carry it.
 *
 * Integers are in host order, times in milliseconds, sizes in bytes. Structures
 * may grow at their end: what is missing reads as zero, and bytes that the
 * kernel does not know must be zero (E2BIG).
 */
#ifndef _UAPI_LINUX_ERLDIST_H
#define _UAPI_LINUX_ERLDIST_H

#include <linux/types.h>
#include <linux/socket.h>

#define SOL_ERLDIST		0x4544

#define ERLDIST_TERM_MAX	126	/* longest term in a sockaddr_erldist */
#define ERLDIST_NAME_MAX	255	/* node name, characters */
#define ERLDIST_COOKIE_MAX	255

struct sockaddr_erldist {
	__kernel_sa_family_t sed_family;
	__u8 sed_term[ERLDIST_TERM_MAX];	/* addrlen = 2 + its length */
};

/* recvmsg() msg_flags: the kernel made this message, no process sent it */
#define ERLDIST_MSG_SIGNAL	0x8000

/* Options of a node socket. (r) can be read, (b) only before bind() */
enum {
	ERLDIST_CREATION = 1,	/* __u32, not 0 (r, b) */
	ERLDIST_FLAGS,		/* __u64, distribution flags offered (r, b) */
	ERLDIST_COOKIE,		/* 1 to 255 bytes, cannot be read */
	ERLDIST_TICKTIME,	/* struct erldist_ticktime (r) */
	ERLDIST_LIMITS,		/* struct erldist_limits (r) */
	ERLDIST_MODE,		/* __u32, permission bits to bind processes (r) */
	ERLDIST_CHANNEL,	/* struct erldist_hand_over: give a stream */
	ERLDIST_PEER,		/* struct erldist_peer_request: settings, answers */
	ERLDIST_REPLAY,		/* no value: every peer's state is pending again */
	ERLDIST_ADMIT,		/* __u32, 1: ask before accepting a node (r) */
};

/*
 * Options of a process socket. One that was attached to a process, instead of
 * bound, is a reply port: what is asked for on it comes back on it (messages to
 * aliases, DOWN), and what it sends is the process's. A message to the process's pid
 * that begins with {[alias|Ref], Ref an alias made on a port, counts as one to the
 * alias, since servers that know no aliases reply so. Its close ends what was asked
 * for.
 */
enum {
	ERLDIST_BIND = 32,	/* address term, as for bind() */
	ERLDIST_CONNECT,	/* address term, as for connect() */
	ERLDIST_SELF,		/* the process's pid (read only) */
	ERLDIST_PEERNAME,	/* the default destination (read only) */
	ERLDIST_NAME,		/* atom: register, rename; empty: drop (r) */
	ERLDIST_TRAP_EXIT,	/* __u32, 1: exit signals become messages (r) */
	ERLDIST_EXIT_REASON,	/* term, up to 64 KiB: reason at last close */
	ERLDIST_EXIT_STATUS,	/* the reason an ended process has (read only) */
	ERLDIST_MAILBOX,	/* struct erldist_mailbox_limits (r) */
	ERLDIST_REFS,		/* struct erldist_refs (read only) */
	ERLDIST_NODE,		/* atom: the node the process is bound to (read only) */
	ERLDIST_RECVTO,		/* __u32, 1: deliver ERLDIST_TO (r) */
	ERLDIST_ATTACH,		/* __s32, fd of a process: be a reply port of it */
	ERLDIST_OWNER,		/* __s32, see below (r: its pid, 0: none, or not seen) */
	/*
	 * __u32, 0, SIGTERM or SIGKILL (r): sent to the owner when exit/2 kills
	 * the process, if the program that set it may send it then; SIGKILL not
	 * to the init of a PID namespace
	 */
	ERLDIST_KILL_SIGNAL,
	ERLDIST_SPAWN_SERVER,	/* __u32, 1: take the node's spawn requests (r) */
};

/*
 * ERLDIST_OWNER: whose end is the process's. First the program that bound it;
 * any change clears ERLDIST_KILL_SIGNAL. Else a child of the caller, by its pid.
 */
#define ERLDIST_OWNER_SELF	0
#define ERLDIST_OWNER_NONE	(-1)	/* it lives until its last close */

struct erldist_ticktime {
	__u32 ticktime;		/* silence after which a peer is down; 0: default */
	__u32 intensity;	/* ticks in a ticktime, 4 to 1000 */
	__u32 setup;		/* longest step of a handshake, and of "wanted" */
	__u32 retry;		/* how long a failure to connect is remembered */
};

/* Bytes, here and below, are cut down to a quarter of the kernel's address space. */
struct erldist_limits {
	__aligned_u64 max_message;	/* bytes of one message */
	__aligned_u64 mailbox_pool;	/* unread bytes that came from peers */
	__aligned_u64 mailbox;		/* default of ERLDIST_MAILBOX local */
	__aligned_u64 send_queue;	/* bytes queued to one peer */
	__u32 stall;			/* time a full pool may hold up a channel a minute */
	/*
	 * peers, processes, node_relations, wanted: the last eighth is reserved for the
	 * node's keeper and owner. Another user, or a peer that asks for relations, gets
	 * as many as it leaves free of the rest: alone, half.
	 */
	__u32 peers;			/* that are known; see below for others */
	/*
	 * Accepted and not proven; beyond it one ends. There are at most
	 * peers + 2 * handshakes peers that have not proven the cookie.
	 */
	__u32 handshakes;
	__u32 processes;		/* and as many ports */
	__u32 relations;		/* that one process asks for */
	__u32 node_relations;		/* of all processes of the node */
	__u32 wanted;			/* peers being connected */
	__u32 process_wanted;		/* of these, on behalf of one process */
	__u32 fragments;		/* incomplete messages on one channel */
#define ERLDIST_FRAGMENTS_MAX	4096
	__u32 reserved;
};

enum erldist_role {
	ERLDIST_ROLE_INITIATOR = 1,
	ERLDIST_ROLE_ACCEPTOR,
	ERLDIST_ROLE_READY,	/* the handshake was done in user space */
};

/*
 * ERLDIST_CHANNEL. fd is a connected stream: TCP, TCP with kTLS in both
 * directions, or AF_UNIX. Afterwards it is good for close() and getsockopt();
 * whatever else is done to it has the effect of the same thing done by the
 * network. data holds the peer's name (roles INITIATOR and READY), then, for
 * READY, bytes already read behind the handshake.
 */
struct erldist_hand_over {
	__s32 fd;
	__u8  role;		/* enum erldist_role */
	__u8  framing;		/* handshake length: 2 bytes, or 4 inside TLS */
	__u16 name_len;
	__aligned_u64 tag;	/* comes back in every event of this connection */
	__aligned_u64 flags;	/* READY: what the peer offered */
	__u32 creation;		/* READY: the peer's */
	__u32 data_len;		/* READY */
	__u8  data[];
};

/* ERLDIST_PEER actions */
#define ERLDIST_PEER_COOKIE		0x01	/* set its cookie; empty: the node's */
#define ERLDIST_PEER_ALLOW		0x02	/* answer to asks */
#define ERLDIST_PEER_DENY		0x04	/* answer to asks */
#define ERLDIST_PEER_DISCONNECT		0x08
#define ERLDIST_PEER_UNREACHABLE	0x10	/* answer to wanted: error says why */
/*
 * The keeper connects it by itself, in retry milliseconds. Until then, and for some time
 * after, the node knows the peer though it is down and unused. With UNREACHABLE it counts
 * as an attempt that failed also if the peer was not wanted.
 */
#define ERLDIST_PEER_RETRY		0x20

struct erldist_peer_request {
	__u32 action;		/* ERLDIST_PEER_*, COOKIE goes with ALLOW */
	__s32 error;		/* UNREACHABLE: a positive errno */
	__aligned_u64 tag;	/* ALLOW, DENY: the connection that asks; 0: any */
	__u16 name_len;
	__u16 cookie_len;
	__u32 retry;		/* RETRY; else 0 */
#define ERLDIST_RETRY_MAX	3600000
	__u8  data[];		/* name, cookie */
};

struct erldist_mailbox_limits {
	__aligned_u64 local;	/* bytes of local senders before they wait */
	__aligned_u64 hard;	/* bytes in all before the process ends; 0: none */
};

/*
 * References nobody else has: for each sequence number n from first to
 * first + count - 1 the three words {n & 0x3ffff, n >> 18, id}, with the node
 * and creation of the process. Three, because OTP 25 hashes no others right.
 */
struct erldist_refs {
	__aligned_u64 first;
	__u32 count;
	__u32 id;
	__u32 creation;
	__u32 reserved;
};

/* Control messages, level SOL_ERLDIST */
enum {
	ERLDIST_DEST = 1,	/* to send: the destination, a term */
	ERLDIST_FROM,		/* received: the sender, where msg_name is too short */
	ERLDIST_TO,		/* received: the pid, name or alias addressed */
	ERLDIST_SIGNAL,		/* struct erldist_signal, both ways */
};

/*
 * What is sent or received. To send: the destination is the message's. ref is
 * the sequence number of a reference from ERLDIST_REFS that is not in use.
 */
enum erldist_signal_op {
	ERLDIST_SIG_MESSAGE,
	/*
	 * to send: exit/2, the payload is the reason; received: {'EXIT', Pid,
	 * Reason}
	 */
	ERLDIST_SIG_EXIT,
	ERLDIST_SIG_DOWN,	/* received: {'DOWN', Ref, process, Object, Reason} */
	ERLDIST_SIG_LINK,	/* to a pid; no payload, as below, unless it is said */
	ERLDIST_SIG_UNLINK,	/* from a pid */
	ERLDIST_SIG_MONITOR,	/* a pid or a name; ref */
	ERLDIST_SIG_DEMONITOR,	/* ref, no destination; a spawn is abandoned */
	ERLDIST_SIG_ALIAS,	/* ref becomes an address of the process */
	ERLDIST_SIG_UNALIAS,	/* ref, which may be a monitor's too */
	/*
	 * the destination is a node's name, an atom: its loss is told once for
	 * each time this was sent, also that it cannot be connected
	 */
	ERLDIST_SIG_MONITOR_NODE,
	ERLDIST_SIG_MONITOR_NODES,	/* every node that comes and goes, no destination */
	ERLDIST_SIG_NODEUP,	/* received: {nodeup, Node} */
	ERLDIST_SIG_NODEDOWN,	/* received: {nodedown, Node} */
	/*
	 * to a node, an atom; ref; the payload is {Module, Function, Options,
	 * Arguments}
	 */
	ERLDIST_SIG_SPAWN,
	/*
	 * received: {spawn_reply, Ref, ok, Pid} or {spawn_reply, Ref, error,
	 * Reason}
	 */
	ERLDIST_SIG_SPAWN_REPLY,
	/*
	 * received by the node's spawn server: {spawn_request, Ref, From,
	 * GroupLeader, {Module, Function, Arity}, Options, Arguments}
	 */
	ERLDIST_SIG_SPAWN_REQUEST,
	/*
	 * to the Ref of a request; the payload is the pid of a process of this
	 * node, or an atom
	 */
	ERLDIST_SIG_SPAWN_ANSWER,
	/*
	 * received by such a process: {spawn_cancel, Ref}, see F_CANCEL;
	 * user_data is the answer's
	 */
	ERLDIST_SIG_SPAWN_CANCEL,
};

/* To send: */
#define ERLDIST_SIG_F_NOCONNECT	0x01	/* EHOSTUNREACH rather than connect */
#define ERLDIST_SIG_F_MONITOR	0x02	/* MESSAGE: monitor the receiver first */
#define ERLDIST_SIG_F_ALIAS	0x04	/* MESSAGE, MONITOR: ref is an alias too */
/*
 * ALIAS, F_ALIAS: until a message came, which ends the monitor as well
 */
#define ERLDIST_SIG_F_ONCE	0x08
#define ERLDIST_SIG_F_FLUSH	0x10	/* DEMONITOR: drop a DOWN that came */
#define ERLDIST_SIG_F_OFF	0x20	/* MONITOR_NODE: one less; MONITOR_NODES: none */
#define ERLDIST_SIG_F_VISIBLE	0x40	/* MONITOR_NODES: those that publish themselves */
#define ERLDIST_SIG_F_HIDDEN	0x80	/* MONITOR_NODES: the others */
/*
 * SPAWN_ANSWER: if who asked monitors the process, that is told when he does so no
 * more: he demonitored, or ended, or his node is lost
 */
#define ERLDIST_SIG_F_CANCEL	0x100

struct erldist_signal {
	__u16 op;		/* enum erldist_signal_op */
	__u16 flags;		/* ERLDIST_SIG_F_* */
	__u32 reserved;
	__aligned_u64 user_data;	/* comes back with what is told of ref, or of nodes */
	/*
	 * 0 where none is used; received: of the monitor, alias or spawn
	 */
	__aligned_u64 ref;
};

#endif /* _UAPI_LINUX_ERLDIST_H */
