/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a keeper. */
#ifndef ERLDIST_KEEPER_H
#define ERLDIST_KEEPER_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "internal.h"

#define ADDRESSES_MAX		16
#define EPMD_ANSWER_MAX		1024
#define ADDRESS_TEXT		128

struct source {
	int fd;
	void (*ready)(struct source *s, uint32_t events);
};

/* AF_UNSPEC: what a command connects */
union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
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

#define ED_SETUP_MS	7000	/* the kernel's patience, where nothing else is said */

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
	struct ed_child starter;
	int64_t next;		/* when to try, or to give up a try; -1: never */
};

/* Strings of a configuration, in their order */
struct text_list {
	struct text_list *next;
	char text[];
};

/* Where a node listens, by configuration */
struct static_peer {
	struct static_peer *next;
	char node[ED_NODE_SIZE];
	char host[ED_NODE_SIZE];	/* or a path */
	uint16_t port;			/* 0: host is a path */
};

/* The cookie of a peer, while it is being configured */
struct peer_cookie {
	struct peer_cookie *next;
	char node[ED_NODE_SIZE];
	struct ed_cookie cookie;
};

/* What erldist_keeper_configure() can change */
struct config {
	struct static_peer *statics;
	struct peer_cookie *cookies;	/* values are wiped once the kernel has them */
	struct text_list *keep;
	struct text_list *allow;
	char *admit;
	char *connect_with;
	struct ed_cookie cookie;
	uint16_t dist_port;
	unsigned int auto_connect;
	uint32_t connections;
	uint32_t per_address;
	bool ask;
};

/* What is known of a peer beyond an attempt: there is one while it matters */
struct peer {
	struct peer *next;
	char node[ED_NODE_SIZE];
	bool keep;
	bool was_kept;		/* by the list before */
	bool up;
	bool barred;		/* was down, and is not to be connected again */
	unsigned int failures;	/* in a row */
	int err;		/* of the last one */
	int64_t again;		/* when it may be tried again; kept: is */
	bool named;		/* it gave us our name, which is ours while it is up */
	uint64_t tag;		/* of the connection that was handed over last */
	int64_t settled;	/* when the kernel knows at the latest what came of it */
};

/* Resolving a host name without waiting: in a child, which writes to a pipe */
struct resolver {
	struct ed_child child;
	char line[512];
	size_t len;
	struct addresses *to;
};

enum attempt_state { ATTEMPT_EPMD, ATTEMPT_NODE };

/* One address of a dial */
struct attempt {
	struct source source;
	struct attempt *next;
	struct dial *d;
	enum attempt_state state;
	union address to;
	struct exchange x;
};

/* Connecting a peer: all its addresses, one beginning after the other */
struct dial {
	struct source source;	/* of the resolver */
	struct dial *next;
	struct erldist_keeper *k;
	char peer[ED_NODE_SIZE];
	char host[ED_NODE_SIZE];
	struct resolver resolver;
	struct addresses addresses;
	unsigned int at;	/* the address to be tried next */
	struct attempt *attempts;
	uint16_t port;		/* configured; 0: the address's epmd is to tell */
	int err;		/* what says most of those that failed */
	int64_t sooner;		/* when the next one begins; -1: after a failure */
	int64_t deadline;
};

/* A place to accept at */
struct listener {
	struct source source;
	struct listener *next;
	struct erldist_keeper *k;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];	/* ours to remove */
	struct stat made;	/* of the path */
	bool kept;		/* the socket goes on without us, and so does the path */
};

/* A connection that was accepted and counts: by a duplicate that tells its end */
struct accepted {
	struct source source;
	struct accepted *next;
	struct erldist_keeper *k;
	uint64_t tag;
	union address from;
};

/* A program that was asked about a connection */
struct ask {
	struct source source;
	struct ask *next;
	struct erldist_keeper *k;
	struct ed_child child;
	uint64_t tag;
	char peer[ED_NODE_SIZE];
	char from[ADDRESS_TEXT];
	char answer[ERLDIST_COOKIE_MAX + 64];
	size_t len;
	int64_t deadline;
};

/* A command that connects, for as long as it runs; it is killed some time after its stream ends */
struct child {
	struct source source;
	struct source stream;	/* a duplicate of our end, which tells the end */
	int64_t kill_at;	/* -1: the stream has not ended */
	struct child *next;
	struct erldist_keeper *k;
	struct ed_child child;
};

/* What of the node itself can be changed, as the kernel has it */
struct node_settings {
	uint32_t mode;
	uint32_t admit;
	struct erldist_ticktime tick;
	struct erldist_limits limits;
};

struct erldist_keeper {
	struct ed_error error;	/* first */
	int epfd;
	char node[ED_NODE_SIZE];
	size_t alive_len;
	unsigned int options;
	uint32_t setup;		/* ms, the kernel's patience */
	struct config config;
	char cookie_source[512];
	union address epmd;	/* the one to register with */
	uint16_t epmd_port;	/* of every epmd */
	bool epmd_given;
	struct source node_source;
	struct source timer;
	struct listener *listeners;
	int64_t listen_again;	/* when accept() is tried again after a failure; -1 */
	uint16_t port;
	struct accepted *accepted;
	int64_t told_limit;	/* when the last refusal for a limit was told */
	struct registration reg;
	struct peer *peers;
	struct dial *dials;
	struct ask *asks;
	struct child *children;
	struct naming *naming;	/* while the node is made */
	uint64_t next_tag;
	int fatal;
	void (*event)(void *user, const struct erldist_keeper_event *event);
	void *user;
};

/* keeper.c */
int ed_source_add(struct erldist_keeper *k, struct source *s, uint32_t events);
int ed_source_change(struct erldist_keeper *k, struct source *s, uint32_t events);
void ed_source_close(struct erldist_keeper *k, struct source *s);
void ed_keeper_arm(struct erldist_keeper *k);
void ed_keeper_tell(struct erldist_keeper *k, enum erldist_keeper_event_type type,
		    const char *peer, int error, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* config.c */
int ed_config_make(struct erldist_keeper *k, struct config *c,
		   const struct erldist_keeper_options *o);
int ed_config_check(struct erldist_keeper *k, const struct erldist_keeper_options *o);
int ed_config_apply(struct erldist_keeper *k, struct config *c);
void ed_config_free(struct config *c);
const struct static_peer *ed_config_static(const struct config *c, const char *node);
bool ed_config_allows(const struct config *c, const char *node);
const struct ed_cookie *ed_config_cookie(const struct config *c, const char *node);

/* node.c: the node socket */
struct hand_over {
	int fd;
	int role;
	const char *peer;
	uint64_t tag;
	uint64_t flags;		/* READY */
	uint32_t creation;
};

int ed_node_open(struct erldist_keeper *k, int given);
int ed_node_bind(struct erldist_keeper *k, const struct erldist_keeper_options *o);
int ed_node_settings(struct erldist_keeper *k, struct node_settings *s);
void ed_node_restore(struct erldist_keeper *k, const struct node_settings *s);
int ed_node_change(struct erldist_keeper *k, const struct erldist_keeper_options *o);
int ed_node_channel(struct erldist_keeper *k, const struct hand_over *h);
int ed_node_cookie(struct erldist_keeper *k, const char *peer, const struct ed_cookie *c);
int ed_node_answer(struct erldist_keeper *k, const char *peer, uint64_t tag, bool allow,
		   const struct ed_cookie *c);
void ed_node_unreachable(struct erldist_keeper *k, const char *peer, int error,
			 int64_t retry);
void ed_node_retry(struct erldist_keeper *k, const char *peer, int64_t ms);
int ed_node_flags(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		  uint64_t *flags);
void ed_node_ready(struct source *s, uint32_t events);

/* listen.c */
int ed_listen_open(struct erldist_keeper *k, const struct erldist_keeper_options *o);
int ed_listen_check(struct erldist_keeper *k, const struct erldist_keeper_options *o);
int ed_listen_start(struct erldist_keeper *k);
void ed_listen_timer(struct erldist_keeper *k);
void ed_listen_close(struct erldist_keeper *k);
void ed_listen_take(const struct erldist_keeper_options *o);
int ed_split_place(struct ed_error *e, const char *where, char *host, size_t size,
		   uint16_t *port);

/* accepted.c */
const char *ed_accepted_refuse(struct erldist_keeper *k, const union address *from);
void ed_accepted_add(struct erldist_keeper *k, int fd, uint64_t tag,
		     const union address *from);
void ed_accepted_forget(struct erldist_keeper *k, uint64_t tag);
void ed_accepted_from(struct erldist_keeper *k, uint64_t tag, char text[ADDRESS_TEXT]);
void ed_accepted_close(struct erldist_keeper *k);
void ed_address_text(char text[ADDRESS_TEXT], const union address *a);

/* admit.c */
void ed_admit(struct erldist_keeper *k, const char *peer, uint64_t tag, uint64_t flags);
void ed_admit_timer(struct erldist_keeper *k);
void ed_admit_close(struct erldist_keeper *k);

/* register.c */
int ed_register_configure(struct erldist_keeper *k, const char *epmd);
void ed_register_try(struct erldist_keeper *k);
int ed_register_adopt(struct erldist_keeper *k, int given);
void ed_register_timer(struct erldist_keeper *k);
void ed_register_end(struct erldist_keeper *k);

/* exchange.c: an exchange over a non-blocking socket */
int ed_exchange_write(struct exchange *x, int fd);
int ed_exchange_read(struct exchange *x, int fd);
int ed_connect_to(const union address *a, uint16_t port);
int ed_connect_result(int fd);

/* command.c */
int ed_command_check(const char *format);
int ed_command_connect(struct erldist_keeper *k, const char *host, uint16_t port);
int64_t ed_commands_next(const struct erldist_keeper *k);
void ed_commands_timer(struct erldist_keeper *k);
void ed_command_close(struct erldist_keeper *k);
bool ed_host_sane(const char *host);

/* dial.c */
void ed_dial_start(struct erldist_keeper *k, const char *peer);
bool ed_dial_room(const struct erldist_keeper *k);
void ed_dial_cancel(struct erldist_keeper *k, const char *peer);
bool ed_dialing(struct erldist_keeper *k, const char *peer);
void ed_dial_timer(struct erldist_keeper *k);

/* naming.c */
int ed_naming_begin(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		    struct config *c);
bool ed_naming_takes(struct erldist_keeper *k, int fd);
int64_t ed_naming_left(struct erldist_keeper *k);
void ed_naming_settle(struct erldist_keeper *k);
int ed_naming_give(struct erldist_keeper *k);
void ed_naming_end(struct erldist_keeper *k);

/* peers.c */
int ed_peers_keep(struct erldist_keeper *k, const struct text_list *keep);
int64_t ed_peer_retry(struct erldist_keeper *k, const char *node);
void ed_peer_wanted(struct erldist_keeper *k, const char *node);
void ed_peer_failed(struct erldist_keeper *k, const char *node, int err);
void ed_peer_handed_over(struct erldist_keeper *k, const char *node, uint64_t tag);
void ed_peer_rejected(struct erldist_keeper *k, const char *node, uint64_t tag, int err);
void ed_peer_up(struct erldist_keeper *k, const char *node);
void ed_peer_down(struct erldist_keeper *k, const char *node);
void ed_peer_named_us(struct erldist_keeper *k, const char *node);
int64_t ed_peers_next(struct erldist_keeper *k);
void ed_peers_timer(struct erldist_keeper *k);
void ed_peers_free(struct erldist_keeper *k);

/* resolve.c */
int ed_resolve_start(struct resolver *r, struct addresses *to, const char *host);
int ed_resolve_read(struct resolver *r, int fd);
void ed_resolve_end(struct resolver *r);
int ed_resolve_wait(struct addresses *to, const char *host, int ms);
int ed_resolve_number(struct addresses *to, const char *host);
void ed_resolve_interleave(struct addresses *a);

#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

#endif /* ERLDIST_KEEPER_H */
