/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all tests of AF_ERLDIST share: nodes, processes, streams between them,
 * and time. Functions return 0, a descriptor or a length, or a negative errno,
 * unless they say otherwise; what can only fail when the test machine is
 * broken ends the test.
 */
#ifndef ERLDIST_TEST_H
#define ERLDIST_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <linux/erldist.h>
#include <linux/erldist_netlink.h>

#include "genl.h"
#include "term.h"

#define WAIT_MS		20000	/* longest wait for what has to come */
#define QUIET_MS	150	/* how long to watch for what must not come */

#define COOKIE		"secret"
#define DEFAULT_FLAGS	0x2D07DF5FBCULL
#define MANDATORY_FLAGS	0x403070F94ULL
#define FLAG_SPAWN	(1ULL << 32)
#define FLAG_ALIAS	(1ULL << 35)
#define FLAG_ALTACT_SIG	(1ULL << 37)
#define FLAG_EXIT_PAYLOAD	0x400000ULL
#define FLAG_FRAGMENTS	0x800000ULL

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#ifndef __printf
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#endif
#ifndef __aligned
#define __aligned(n)	__attribute__((aligned(n)))
#endif

noreturn void die(const char *f, ...) __printf(1, 2);

/* Surroundings */

/* The address family, or -ENODEV when the module is not there */
int family(void);
/*
 * A network namespace of its own for this test, with its loopback up: nothing
 * is left of it afterwards. -EPERM when that is not allowed.
 */
int enter_netns(void);
/* Path of the module's parameter directory exists */
bool module_loaded(void);

#define SETUP_ERLDIST()							\
	do {								\
		if (enter_netns() == -EPERM)				\
			SKIP(return, "needs CAP_SYS_ADMIN");		\
		if (family() < 0)					\
			SKIP(return, "module erldist is not loaded");	\
	} while (0)

/* n * $ERLDIST_SCALE, at least 1: for counts that nothing prescribes */
unsigned int scaled(unsigned int n);
/* n where nothing is to be shortened ($ERLDIST_FULL), else a tenth, scaled */
unsigned int whole(unsigned int n);
/*
 * Percent of the time for which the busiest of that many processors was not there: a
 * host had something else to run. The least of some tries; 100 where there are fewer.
 */
int processors_away(int number);

/* For a test whose result depends on processors that run at the same time */
#define NEEDS_IDLE_PROCESSORS(number)					\
	do {								\
		int away = processors_away(number);			\
									\
		if (away > 10)						\
			SKIP(return, "needs %d idle processors: away for %d%% of the time", \
			     number, away);				\
	} while (0)

/*
 * What must hold and is known not to. The test is an expected failure with this reason,
 * or an unexpected success; an EXPECT that fails beside it is a failure as ever.
 */
#define EXPECT_FAILS_TODAY(holds, ...)						\
	do {									\
		int code = (holds) ? KSFT_XPASS : KSFT_XFAIL;			\
										\
		snprintf(_metadata->results->reason,				\
			 sizeof(_metadata->results->reason), __VA_ARGS__);	\
		if (_metadata->exit_code != KSFT_FAIL)				\
			_metadata->exit_code = code;				\
	} while (0)

uint64_t now_ms(void);
void sleep_ms(unsigned int ms);
/* A child that dies with its parent. It runs fn and exits with its result. */
pid_t spawn(int (*fn)(void *), void *arg);
/* Exit status of a child, or 256 + the signal */
int reap(pid_t pid);
/* Status of a command line, as system(3) returns it */
int run_command(const char *f, ...) __attribute__((format(printf, 1, 2)));
/* True when events come within the time */
bool poll_for(int fd, int events, int timeout_ms);
int poll_now(int fd);

/*
 * From now on each call of this function of the kernel begins 50 ms late (on a
 * fast machine 20 ms), until the descriptor is closed: a race is won every time. A
 * negative errno where the kernel cannot do that.
 */
int delay_calls(const char *function);

/* Streams */

enum carrier { CARRIER_TCP4, CARRIER_TCP6, CARRIER_UNIX };

/* Two ends of a connected stream */
void stream_pair(enum carrier carrier, int sv[2]);

/* A descriptor through a socket of the other kind, AF_UNIX */
void give_fd(int through, int fd);
int take_fd(int through);

/* Nodes */

struct node_config {
	const char *name;
	const char *cookie;	/* NULL: COOKIE; "": none */
	uint64_t flags;		/* 0: default */
	uint32_t creation;	/* 0: random */
	int mode;		/* 0: default; -1: 0 */
	bool admit;
	uint32_t ticktime;
	uint32_t intensity;
	uint32_t setup;
	uint32_t retry;
};

int node_open(const struct node_config *c);
/* A node with COOKIE and defaults, or the end of the test */
int node(const char *name);
int node_limits(int node, struct erldist_limits *l);
int node_set_limits(int node, const struct erldist_limits *l);

struct channel {
	int fd;
	int role;
	const char *peer;	/* NULL for an acceptor */
	uint64_t tag;
	int framing;		/* 0: 2 */
	uint64_t flags;
	uint32_t creation;
	const struct buf *data;
};

int node_channel(int node, const struct channel *c);
/* The usual ones: framing 2, and a tag */
int node_accept(int node, int fd, uint64_t tag);
int node_dial(int node, int fd, const char *peer, uint64_t tag);
int node_peer(int node, int action, const char *name, const char *cookie,
	      uint64_t tag, int error);
/* ERLDIST_PEER_RETRY, in retry ms, with another action or 0 */
int node_retry(int node, int action, const char *name, int error, uint32_t retry);

/* In retry: the keeper does not connect the peer by itself */
#define NOT_KEPT	UINT32_MAX

struct peer_info {
	char node[256];
	char name[256];
	uint32_t state, creation, reason, error, failed, pending, relations, retry;
	uint64_t since;
	uint64_t connection, tag, flags, queued, lost, seq, stalled;
	uint64_t rx_messages, tx_messages, tx_bytes;
};

void peer_info(struct peer_info *i, const struct genl_msg *m);
/* The next peer with news; -EAGAIN when there is none in time */
int node_event(int node, struct peer_info *i, int timeout_ms);
/* Read events until one has a bit of pending */
int node_wait(int node, uint32_t pending, struct peer_info *i);
/* Connect two nodes by a stream; both have seen "up" when it returns */
int nodes_connect(int a, int b, const char *b_name, enum carrier carrier);

/* Processes */

/* "": anonymous on the default node; NULL name or node: left out */
int proc_open(const char *name, const char *node);
/* A port of the process: a descriptor, or -errno */
int proc_attach(int main);
/* The same, and the end of the test when it fails */
int proc(const char *name, const char *node);
int proc_bind_term(int fd, const struct buf *address);
void proc_self(int fd, struct epid *pid);
void proc_trap_exit(int fd, bool on);
int proc_connect(int fd, const struct buf *address);

/* What is to be sent beside the payload */
struct to {
	const struct buf *dest;	/* NULL: the default destination */
	bool cmsg;		/* as ERLDIST_DEST, whatever its length */
	uint16_t op;		/* ERLDIST_SIG_* */
	uint16_t sig_flags;
	uint64_t ref;
	uint64_t user_data;
	int flags;		/* MSG_* */
};

ssize_t proc_sendto(int fd, const struct to *to, const struct buf *message);
/* To a term, as msg_name where it fits, else as ERLDIST_DEST */
ssize_t proc_send(int fd, const struct buf *dest, const struct buf *message);
/* A signal without payload: 0 or a negative errno */
int proc_ask(int fd, const struct to *to);
/* The first of 64 sequence numbers of references */
uint64_t proc_refs(int fd);
/* The reference with this number */
struct eref proc_ref(int fd, uint64_t n);

struct msg {
	struct buf term;
	struct buf from;	/* a pid, or empty */
	struct buf to;
	int op;			/* of ERLDIST_SIGNAL, -1 without */
	uint64_t ref;
	uint64_t user_data;
	int flags;		/* msg_flags */
	bool from_cmsg;
};

void msg_free(struct msg *m);

#define DEFINE_MSG(name) struct msg name __attribute__((cleanup(msg_free))) = { 0 }

/* The next message: 0, or a negative errno, -ETIMEDOUT among them */
int proc_recv(int fd, struct msg *m, int timeout_ms);
/* The same for what has to come: also that it is this term */
bool proc_expect(int fd, const struct buf *message);
/* What comes next is this signal: its op, ref and user_data */
bool proc_expect_signal(int fd, const struct to *what, const struct buf *message);
/*
 * The answer to {'$gen_call', {Pid, Tag}, Request}: to the alias in a tag [alias | Ref]
 * or [[alias | Ref] | Label], else to the pid
 */
void proc_reply(int fd, const struct epid *pid, const struct slice *tag,
		const struct buf *answer);
/* The term that getsockopt() gives, e.g. ERLDIST_EXIT_STATUS */
int proc_term(int fd, int option, struct buf *b);

/* Numbers that netlink tells about a local node */
struct node_info {
	uint64_t handshakes_failed, lost, no_receiver, overflows, pool_used;
	uint64_t flags, seq, pool_limit, max_message;
	uint32_t handshakes, last_reason, peers_up, processes, creation, mode;
	uint32_t peers, uid, gid, by_admin;
};

int node_info(const char *name, struct node_info *i);
/* Nothing is held for mailboxes any more, or soon: what is dropped or read is counted later */
bool pool_is_empty(const char *node);
int peer_get(const char *node, const char *name, struct peer_info *i);
/* Bytes of the machine that are neither free nor kept free by a processor */
long memory_used(void);

#endif /* ERLDIST_TEST_H */
