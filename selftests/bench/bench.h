/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of the bench share: the ways to send messages that are
 * compared ("peers", each in a file of its own), two ends in processes of
 * their own, and the clock.
 *
 * A program prints one line "NAME VALUE" for each thing it measured. What can
 * only fail when the machine is broken ends it.
 */
#ifndef ERLDIST_BENCH_H
#define ERLDIST_BENCH_H

#include <ei.h>

#include "erldist_test.h"

/* The two namespaces that "guest" connects by veth, and their addresses */
#define NEAR_NETNS	"near"
#define FAR_NETNS	"far"
#define NEAR_ADDRESS	"10.7.7.1"
#define FAR_ADDRESS	"10.7.7.2"
#define NEAR_NODE	"near@" NEAR_ADDRESS
#define FAR_NODE	"far@" FAR_ADDRESS

/* The BEAM node in the far namespace, and where it listens */
#define BEAM_NODE	"beam@" FAR_ADDRESS
#define BEAM_PORT	9100

/* What the command line asked for */
struct bench {
	size_t size;		/* bytes of a message */
	unsigned int count;	/* messages, or round trips, of each pair */
	unsigned int batch;	/* of a stream: messages until one comes back */
	unsigned int pairs;
	unsigned int warm;	/* messages before the clock starts */
	unsigned int beam;	/* the far end is a BEAM's */
	unsigned int processes;	/* how many more the near node has */
	unsigned int peers;	/* likewise */
};

/* One of two ends of a pair, in its own process */
struct end {
	const struct bench *bench;
	unsigned int pair;
	bool far;
	int fd;
	int control;		/* a socket to the other end, to meet by */
	uint8_t *spare;		/* size bytes and some, for the peer's use */
	struct sockaddr_erldist to;
	socklen_t to_len;
	ei_cnode ec;
	erlang_pid pid;
	ei_x_buff in;
};

/* A way to send messages */
struct peer {
	const char *name;
	/* In the parent, before its ends are there; may be NULL */
	void (*prepare)(const struct bench *b);
	/* In the end's own process */
	void (*join)(struct end *e);
	/* Instead of prepare and join: the far end is a process of the BEAM's */
	void (*join_beam)(struct end *e, const char *role);
	/* message: bench->size bytes, an external term of a binary */
	void (*send)(struct end *e, const uint8_t *message);
	/* Bytes received */
	size_t (*recv)(struct end *e, uint8_t *p, size_t room);
	/* To whom the last message came from; NULL: as send */
	void (*answer)(struct end *e, const uint8_t *message);
};

extern const struct peer peer_unix, peer_tipc, peer_tcp, peer_ei;
extern const struct peer peer_erldist, peer_erldist_tcp;

/* The clock, and marks for count.c around what is measured */
#define bench_mark(n)	asm volatile(".byte 0x0f, 0x1f, 0x80, " #n ", 0x71, 0xe4, 0x1d" : : : "memory")

uint64_t now_ns(void);

static inline uint64_t clock_start(void)
{
	bench_mark(1);
	return now_ns();
}

static inline uint64_t clock_stop(void)
{
	uint64_t ns = now_ns();

	bench_mark(0);
	return ns;
}

void result(const char *name, double value);
/* "--name=value" options: fills in @b, returns the first word left, or NULL */
char **bench_options(struct bench *b, char **argv);
/* A binary, as an external term of @size bytes without version byte */
uint8_t *bench_message(size_t size);

/* This process makes its sockets there from now on. */
void netns_enter(const char *name);
/* A TCP connection between the namespaces: [0] near, [1] far */
void tcp_connect(int sv[2]);

/* One word with the other end: both have come this far */
void meet(struct end *e);
/* Give the other end bytes, and take as many of it */
void swap_bytes(struct end *e, const void *mine, void *theirs, size_t len);

/* A connection from the near namespace to this port of the far one */
int tcp_dial(int port);
/* {Self, Role, Batch, Size, Arg}: asks a BEAM for a far end */
void ask_term(struct buf *b, const struct end *e, const struct epid *self,
	      const char *role, const struct buf *arg);

/* The near node, connected to the BEAM */
void node_beam(void);

#endif /* ERLDIST_BENCH_H */
