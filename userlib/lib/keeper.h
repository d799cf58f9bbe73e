/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a keeper. */
#ifndef ERLDIST_KEEPER_H
#define ERLDIST_KEEPER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "internal.h"

#define ADDRESSES_MAX		16
#define EPMD_ANSWER_MAX		1024

struct source {
	int fd;
	void (*ready)(struct source *s, uint32_t events);
};

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct addresses {
	unsigned int n;
	union address list[ADDRESSES_MAX];
};

/* An exchange with an epmd: a request out, an answer in */
struct exchange {
	uint8_t out[ED_EPMD_REQUEST_MAX];
	size_t out_len, out_done;
	uint8_t in[EPMD_ANSWER_MAX];
	size_t in_len;
};

/* Being known to the epmd of this host */
struct registration {
	struct source source;
	enum { REG_IDLE, REG_BUSY, REG_DONE } state;
	struct exchange x;
	uint32_t creation;
	int err;		/* of the last try */
	bool told;		/* that epmd is missing */
	bool started;		/* one by ourselves */
	unsigned int tries;	/* left while that one comes up */
	pid_t starter;
	int64_t next;		/* when to try, or to give up a try; -1: never */
};

/* Where a node listens, by configuration */
struct static_peer {
	struct static_peer *next;
	char node[ED_NODE_SIZE];
	char host[ED_NODE_SIZE];
	uint16_t port;
};

/* Resolving a host name without waiting: in a child, which writes to a pipe */
struct resolver {
	pid_t child;
	char line[512];
	size_t len;
	struct addresses *to;
};

enum dial_state { DIAL_RESOLVE, DIAL_EPMD, DIAL_NODE };

/* An attempt to connect a wanted peer */
struct dial {
	struct source source;
	struct dial *next;
	struct erldist_keeper *k;
	enum dial_state state;
	char peer[ED_NODE_SIZE];
	struct resolver resolver;
	struct addresses addresses;
	unsigned int at;	/* the address being tried */
	uint16_t port;		/* configured; 0: the address's epmd is to tell */
	int err;		/* of the last address */
	struct exchange x;
	int64_t deadline;
};

struct erldist_keeper {
	struct ed_error error;	/* first */
	int epfd;
	char node[ED_NODE_SIZE];
	size_t alive_len;
	unsigned int options;
	uint32_t setup;		/* ms, the kernel's patience */
	struct ed_cookie cookie;
	struct source node_source;
	struct source timer;
	struct source listener;
	int64_t listen_again;	/* when accept() is tried again after a failure; -1 */
	uint16_t port;
	struct registration reg;
	struct static_peer *statics;
	struct dial *dials;
	uint64_t next_tag;
	int fatal;
	void (*event)(void *user, const struct erldist_keeper_event *event);
	void *user;
};

/* keeper.c */
int ed_source_add(struct erldist_keeper *k, struct source *s, uint32_t events);
int ed_source_change(struct erldist_keeper *k, struct source *s, uint32_t events);
void ed_source_close(struct erldist_keeper *k, struct source *s);
void ed_keeper_tell(struct erldist_keeper *k, enum erldist_keeper_event_type type,
		    const char *peer, int error, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* node.c: the node socket */
int ed_node_open(struct erldist_keeper *k);
int ed_node_bind(struct erldist_keeper *k, const struct erldist_keeper_options *o);
int ed_node_channel(struct erldist_keeper *k, int fd, int role, const char *peer);
void ed_node_unreachable(struct erldist_keeper *k, const char *peer, int error);
void ed_node_ready(struct source *s, uint32_t events);

/* listen.c */
int ed_listen_open(struct erldist_keeper *k, const char *where);
int ed_listen_start(struct erldist_keeper *k);
void ed_listen_timer(struct erldist_keeper *k);

/* register.c */
void ed_register_try(struct erldist_keeper *k);
void ed_register_timer(struct erldist_keeper *k);
void ed_register_end(struct erldist_keeper *k);

/* exchange.c: an exchange over a non-blocking socket */
int ed_exchange_write(struct exchange *x, int fd);
int ed_exchange_read(struct exchange *x, int fd);
int ed_connect_to(const union address *a, uint16_t port);
int ed_connect_result(int fd);

/* dial.c */
void ed_dial_start(struct erldist_keeper *k, const char *peer);
void ed_dial_cancel(struct erldist_keeper *k, const char *peer);
void ed_dial_timer(struct erldist_keeper *k);
int ed_static_add(struct erldist_keeper *k, const char *text);

/* resolve.c */
int ed_resolve_start(struct resolver *r, struct addresses *to, const char *host);
int ed_resolve_read(struct resolver *r, int fd);
void ed_resolve_end(struct resolver *r);
int ed_resolve_number(struct addresses *to, const char *host);

#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

#endif /* ERLDIST_KEEPER_H */
