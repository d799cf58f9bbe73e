/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of liberldist share. Nothing in here is exported. */
#ifndef ERLDIST_INTERNAL_H
#define ERLDIST_INTERNAL_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

#include <erldist.h>

#define ED_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define ED_VERSION_MAGIC	131
#define ED_NODE_SIZE		(ERLDIST_NAME_MAX + 1)
#define ED_DEST_MAX		(2 * ERLDIST_ATOM_SIZE + 64)

/*
 * error.c: the last error of a handle. Every handle begins with one. Threads that
 * share a handle have one each, which is not in here.
 */
struct ed_error {
	const void *shared_by;	/* users of this handle, or NULL: it is not shared */
	int err;
	char text[768];
};

int ed_fail(struct ed_error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ed_suspect(const char *node, const char *peer);
void ed_suspect_within(int ms);
const char *ed_errno_text(int err);

/* The nodes that a program sees are those of its network namespace. */
#define ED_THIS_MACHINE	"this machine (network namespace)"
#define ED_NO_NODE	"there is no node on " ED_THIS_MACHINE "; start one with " \
			"'erldist node run NAME' or erldistd"

/* utf8.c */
int ed_utf8_next(const char **p, const char *end, uint32_t *c);
int ed_utf8_put(char out[4], uint32_t c);
bool ed_utf8_printable(uint32_t c);
void ed_utf8_escape(char *to, size_t size, const char *s);
ssize_t ed_utf8_count(const char *s, size_t len);

/* read.c: a bounded reader, for terms that come from a peer */
struct ed_reader {
	const uint8_t *p;
	const uint8_t *end;
};

struct ed_atom {
	size_t len;
	char s[ERLDIST_ATOM_SIZE];
};

struct ed_fun {
	struct ed_atom module;
	uint8_t id[1 + 16];	/* arity and MD5 */
	uint32_t index;
	uint32_t old_index;
	uint32_t uniq;
	uint32_t free_vars;
	struct ed_reader env;	/* at the first of them */
};

void ed_reader_init(struct ed_reader *r, const void *term, size_t len);
size_t ed_left(const struct ed_reader *r);
int ed_peek(const struct ed_reader *r);
int ed_read_bytes(struct ed_reader *r, size_t n, const uint8_t **bytes);
int ed_read_u8(struct ed_reader *r, uint8_t *v);
int ed_read_u16(struct ed_reader *r, uint16_t *v);
int ed_read_u32(struct ed_reader *r, uint32_t *v);
int ed_read_u64(struct ed_reader *r, uint64_t *v);
int ed_skip(struct ed_reader *r);
int ed_read_slice(struct ed_reader *r, struct erldist_slice *s);
int ed_read_atom(struct ed_reader *r, struct ed_atom *a);
bool ed_read_this_atom(struct ed_reader *r, const char *name);
int ed_read_tuple(struct ed_reader *r, uint32_t *arity);
int ed_read_map(struct ed_reader *r, uint32_t *pairs);
int ed_read_big(struct ed_reader *r, bool *negative, const uint8_t **digits, size_t *n);
int ed_read_int(struct ed_reader *r, bool *negative, uint64_t *magnitude);
int ed_read_float(struct ed_reader *r, double *v);
int ed_read_bits(struct ed_reader *r, const uint8_t **bytes, size_t *n, unsigned int *last);
int ed_read_pid(struct ed_reader *r, erlang_pid *pid);
int ed_read_ref(struct ed_reader *r, erlang_ref *ref);
int ed_read_port(struct ed_reader *r, erlang_port *port);
int ed_read_fun(struct ed_reader *r, struct ed_fun *fun);
bool ed_is_int(int tag);
bool ed_is_atom(int tag);
bool ed_is_pid(int tag);
bool ed_is_ref(int tag);

/* A list in any of its encodings, element by element */
struct ed_list {
	uint32_t left;
	bool string;
	struct ed_reader *r;
	struct ed_reader item;
};

void ed_skip_empty_lists(struct ed_reader *r);
int ed_list_begin(struct ed_list *l, struct ed_reader *r);
struct ed_reader *ed_list_next(struct ed_list *l);
struct ed_reader *ed_list_tail(struct ed_list *l);

/*
 * walk.c: a term part by part, without recursion. A container is opened, its parts
 * come, and it is closed; a list is one, whatever it is encoded as.
 */
struct ed_frame {
	size_t place;		/* of a map, see struct ed_maps; of a fun, its end */
	uint32_t left;		/* parts that are to come; of a list, as in struct ed_list */
	uint8_t kind;		/* the tag it is counted as, see ed_kind_of() */
	bool string;
	bool begun;		/* a part of it was given */
	bool tail;		/* the last one was */
};

enum ed_step_kind { ED_CLOSE, ED_LEAF, ED_OPEN };

struct ed_step {
	enum ed_step_kind kind;
	int tag;		/* as ed_kind_of() has it */
	uint32_t parts;		/* ED_OPEN, but of a list */
	struct ed_reader *r;	/* ED_LEAF: the caller must read it; a fun that opens: at it */
	int in;			/* the container's tag, 0: none */
	bool first;		/* in it */
	bool value;		/* of a pair */
	bool tail;		/* of an improper list */
};

/*
 * The pairs of all maps of a term that have more than one. Those of a map are at
 * "first" and behind, in the order in which they are walked, then the map's end.
 * No map is at place 0.
 */
struct ed_maps {
	struct ed_map {
		const uint8_t *at;
		size_t first;
		uint32_t n;
	} *map;		/* ascending by "at": an outer one before its inner ones */
	size_t n, size;
	const uint8_t **place;
	size_t places, places_size;
};

struct ed_walk {
	struct ed_reader r, item;
	const uint8_t *begin;
	uint32_t terms;			/* to walk one after the other */
	bool funs;			/* are opened too */
	bool strings;			/* STRING_EXT is a leaf, not a list */
	struct ed_maps *maps;		/* or NULL */
	bool collect;			/* fill them, instead of going by their order */
	struct ed_frame *frame;
	size_t depth, size;
	struct ed_frame few[8];
};

void ed_walk_init(struct ed_walk *w);
void ed_walk_free(struct ed_walk *w);
void ed_walk_start(struct ed_walk *w, const uint8_t *p, const uint8_t *end, uint32_t terms);
int ed_walk_next(struct ed_walk *w, struct ed_step *s);
int ed_kind_of(int tag);

/* equal.c */
int ed_has_twins(const void *term, size_t len);

/* term.c: building */
int ed_reserve(struct erldist_term *t, size_t n);
int ed_put(struct erldist_term *t, const void *bytes, size_t n);
int ed_put_u8(struct erldist_term *t, uint8_t v);
int ed_put_u32(struct erldist_term *t, uint32_t v);
void ed_patch_u32(struct erldist_term *t, size_t at, uint32_t v);
int ed_put_atom(struct erldist_term *t, const char *s, size_t len);
int ed_put_int(struct erldist_term *t, long long v);
int ed_put_uint(struct erldist_term *t, unsigned long long v);
int ed_put_float(struct erldist_term *t, double v);
int ed_put_pid(struct erldist_term *t, const erlang_pid *pid);
int ed_put_ref(struct erldist_term *t, const erlang_ref *ref);
int ed_put_binary(struct erldist_term *t, const void *bytes, size_t n);
int ed_put_string(struct erldist_term *t, const char *s, size_t len);
int ed_put_term(struct erldist_term *t, const void *term, size_t len);
int ed_put_name_at(struct erldist_term *t, const char *name, size_t len, const char *node);

/* number.c */
struct ed_big {
	uint32_t *limb;		/* least significant first */
	size_t n, size;
};

int ed_big_mul_add(struct ed_big *b, uint32_t mul, uint32_t add);
void ed_big_free(struct ed_big *b);
int ed_put_big(struct erldist_term *t, const struct ed_big *b, bool negative);
int ed_big_text(char **text, const uint8_t *digits, size_t n, bool negative);
int ed_float_text(char *text, size_t size, double v);
int ed_float_value(const char *text, double *v);

/* parse.c */
struct ed_parser {
	const char *begin;
	const char *p;
	const char *what;
	va_list *args;		/* of erldist_format() */
	struct erldist_parse_options *options;
	unsigned int depth;	/* of erldist_match() */
};

void ed_space(struct ed_parser *ps);
int ed_parse_value(struct ed_parser *ps, struct erldist_term *t);
int ed_syntax(struct ed_parser *ps, const char *what);
int ed_vformat(struct erldist_term *t, const char *fmt, va_list args);

/* parse_id.c, parse_bits.c, format.c */
int ed_parse_pid(struct ed_parser *ps, struct erldist_term *t);
int ed_parse_hash(struct ed_parser *ps, struct erldist_term *t);
int ed_parse_bits(struct ed_parser *ps, struct erldist_term *t);
int ed_parse_char(struct ed_parser *ps, char quote, uint32_t *c);
int ed_parse_quoted(struct ed_parser *ps, char quote, struct erldist_term *utf8);
int ed_parse_number(struct ed_parser *ps, struct erldist_term *t);
int ed_format_directive(struct ed_parser *ps, struct erldist_term *t);

/* nodename.c */
bool ed_node_ok(const char *node);
int ed_full_name(struct ed_error *e, char node[ED_NODE_SIZE], const char *name,
		 bool long_names);
int ed_node_name(struct ed_error *e, char node[ED_NODE_SIZE], const char *text,
		 const char *near);
int ed_host_kind(const char *host);
int ed_put_node(struct ed_error *e, struct erldist_term *t, const char *node);

/* netlink.c */
struct nl_sock;
struct nlattr;

struct ed_netlink {
	struct nl_sock *sock;
	int family;
};

typedef int (*ed_nl_cb)(void *user, int cmd, struct nlattr *attrs, int len);

int ed_nl_open(struct ed_netlink *n, struct ed_error *e);
void ed_nl_close(struct ed_netlink *n);
struct nl_msg *ed_nl_request(struct ed_netlink *n, int cmd, int flags);
int ed_nl_talk(struct ed_netlink *n, struct ed_error *e, struct nl_msg *msg,
	       ed_nl_cb cb, void *user);
int ed_nl_receive(struct ed_netlink *n, struct ed_error *e, ed_nl_cb cb, void *user);
int ed_nl_join(struct ed_netlink *n, struct ed_error *e, const char *group);
int ed_family(struct ed_error *e, int *family);

/* info.c */
int ed_node_info(struct erldist_node_info *info, struct nlattr *attrs, int len);
int ed_peer_info(struct erldist_peer_info *info, struct nlattr *attrs, int len);
int ed_process_info(struct erldist_process_info *info, struct nlattr *attrs, int len);

/* spawn.c: a child by its descriptor, as its number may be another's once it has ended */
struct ed_child {
	pid_t pid;		/* 0: none, or none any more */
	int fd;
};

bool ed_program_find(char *path, size_t size, const char *program);
int ed_spawn(struct ed_child *c, char *const argv[], int in, int out, bool quiet);
bool ed_child_ended(struct ed_child *c);
bool ed_child_ends(struct ed_child *c, int ms);
void ed_child_kill(const struct ed_child *c);
void ed_child_wait(struct ed_child *c);

/* descriptors.c */
unsigned int ed_descriptors(unsigned int parts, unsigned int min, unsigned int max);

/* path.c */
int ed_path_lock(const struct sockaddr_un *sa);
void ed_path_unlock(int lock, const struct sockaddr_un *sa);
int ed_path_bind(struct ed_error *e, int lock, int fd, const struct sockaddr_un *sa,
		 const char *what);

/* own.c */
struct ed_own {
	struct ed_child child;
	int fd;			/* it ends when this is closed; -1 */
	char named_by[ED_NODE_SIZE];	/* who is to give it a name, or nobody */
	int within_ms;
	int close_ms;		/* until it is killed; 0: ED_OWN_CLOSE_MS */
};

#define ED_OWN_CLOSE_MS	20000	/* longer than it waits for what was sent to arrive */

bool ed_given_name(const char *node);
bool ed_own_node(const char *node);
bool ed_own_info(const struct erldist_node_info *info);
bool ed_default_node(char node[ED_NODE_SIZE]);
int ed_no_node(struct ed_error *e, const char *private_failed);
int ed_not_let_in(struct ed_error *e, const char *name, const char *node);
int ed_own_open(struct ed_error *e, struct ed_own *own, char node[ED_NODE_SIZE]);
void ed_own_named_by(struct ed_own *own, const char *dest, int timeout_ms);
void ed_own_close(struct ed_own *own);

/* nodes.c */
int ed_local_node(struct ed_error *e, char node[ED_NODE_SIZE], const char *text);

/* mirror.c: what an observer has told to exist, since it was resynchronised */
enum ed_kind { ED_NODE, ED_PEER, ED_NAME };

struct ed_fact {
	enum ed_kind kind;
	const char *node;
	const char *name;	/* a node's: empty */
	uint64_t id;		/* who it is: a connection, a process */
	uint32_t creation;	/* of the node, or the process's; a peer's: 0 */
	uint64_t seq;
};

struct ed_mirror {
	void *root;
	bool on;
};

void ed_mirror_begin(struct ed_mirror *m);
void ed_mirror_free(struct ed_mirror *m);
int ed_mirror_is(struct ed_mirror *m, const struct ed_fact *f);
int ed_mirror_new(struct ed_mirror *m, const struct ed_fact *f);
int ed_mirror_del(struct ed_mirror *m, const struct ed_fact *f);

/*
 * process.c. Threads share a process: what is not written at open is guarded by
 * the lock.
 */
struct erldist {
	struct ed_error error;	/* first */
	int fd;
	int family;
	char node[ED_NODE_SIZE];
	erlang_pid self;
	pthread_mutex_t lock;
	struct erldist_refs refs;
	uint32_t refs_used;
	struct ed_port *idle;	/* reply ports that nobody uses now */
	unsigned int n_idle;
	struct ed_own own;	/* the node it was made for, if any */
	char *broker;		/* path of the broker it is from, or NULL */
};

int ed_open_alone(struct erldist **pp, struct erldist *other);
int ed_ended(struct erldist *p, int err);
int ed_ref_next(struct erldist *p, uint64_t *number);
void ed_ref_make(const struct erldist *p, uint64_t number, erlang_ref *ref);
int ed_ref_number(struct erldist *p, const erlang_ref *ref, uint64_t *number);

/* broker_ask.c */
const char *ed_broker_path(const char *node);
int ed_broker_ask(struct ed_error *e, const char *path);

/* port.c: reply ports, one for each call that is under way */
struct ed_port {
	struct ed_port *next;
	int fd;
	int wait_ms;		/* what SO_RCVTIMEO is */
};

struct ed_port *ed_port_get(struct erldist *p, int *err);
void ed_port_put(struct erldist *p, struct ed_port *port);
void ed_port_close(struct ed_port *port);
void ed_ports_close(struct erldist *p);
int ed_port_wait(struct ed_port *port, int ms);

/* send.c: what one sendmsg() is about. The payload is in up to four pieces */
struct ed_out {
	int fd;			/* the process's, or a port's */
	int flags;		/* MSG_DONTWAIT */
	struct erldist_slice dest;	/* nothing: the default */
	const struct erldist_slice *pieces;
	int n;
	struct erldist_signal signal;
};

int ed_send(struct erldist *p, const struct ed_out *out);
struct erldist_slice ed_slice(const void *term, size_t len);
int ed_sockaddr(struct sockaddr_erldist *sa, int family, const void *term, size_t len);
bool ed_alias_of(const struct erldist_slice *tag, struct erldist_slice *alias);

/* recv.c: from the process's socket, or a port's */
ssize_t ed_recv(int fd, struct erldist_msg *m, int flags);
ssize_t ed_recv_signal(int fd, struct erldist_msg *m, int flags, int *op);
int ed_recv_failed(struct erldist *p, int err);

/* call.c */
int ed_put_call(struct erldist_term *t, const erlang_pid *self, const erlang_ref *alias);
int ed_reason_errno(const struct erldist_slice *reason);

/* connect.c */
int ed_not_connected(struct erldist *p, const char *dest, const struct erldist_slice *to,
		     int err);
void ed_suspect_node_of(struct erldist *p, const struct erldist_slice *to);
bool ed_node_of(const struct erldist_slice *to, char node[ED_NODE_SIZE]);
void ed_explain_peer(struct ed_error *e, const char *node, const char *peer, int within_ms);

/* address.c */
int ed_address(struct erldist_term *t, const char *dest, struct erldist_parse_options *o,
	       bool node_alone);
int ed_resolve_address(struct erldist *p, struct erldist_term *t, const char *dest,
		       bool node_alone);
int ed_destination(struct erldist *p, struct erldist_term *t, const char *dest);

/* time.c */
int64_t ed_now(void);
int ed_wait(int fd, short events, int64_t deadline);
int64_t ed_deadline(int timeout_ms);
int ed_time_left(int64_t deadline);

/* cookie.c */
struct ed_cookie {
	size_t len;
	char value[ERLDIST_COOKIE_MAX + 1];
	char source[512];
};

int ed_cookie_file(char *file, size_t size);
int ed_cookie_get(struct ed_error *e, struct ed_cookie *c, const char *value,
		  const char *file);

/* md5.c */
#define ED_MD5_SIZE	16
#define ED_MD5_MAX	320

void ed_md5(const void *text, size_t len, uint8_t digest[ED_MD5_SIZE]);

/* shake.c: being given a name by the peer, see there */
#define ED_SHAKE_MAX	(2 + 1 + 8 + 4 + 2 + ED_NODE_SIZE)

struct ed_shake {
	enum { ED_SHAKE_STATUS, ED_SHAKE_CHALLENGE, ED_SHAKE_ACK, ED_SHAKE_DONE } state;
	const char *peer;
	const char *host;	/* of the name that is wanted */
	const struct ed_cookie *cookie;
	uint64_t flags;		/* to offer */
	uint32_t challenge;
	char name[ED_NODE_SIZE];	/* given, with its creation */
	uint32_t creation;
	uint64_t peer_flags;
	uint32_t peer_creation;
};

int ed_shake_hello(struct ed_shake *s, uint8_t out[ED_SHAKE_MAX]);
int ed_shake_take(struct ed_shake *s, const uint8_t *msg, size_t len,
		  uint8_t out[ED_SHAKE_MAX]);

/* epmd.c: requests and answers, no sockets */
#define ED_EPMD_REQUEST_MAX	(2 + 13 + 2 * ED_NODE_SIZE)

struct ed_epmd_alive {
	int result;
	uint32_t creation;
};

struct ed_epmd_port {
	int result;
	uint16_t port;
	uint16_t highest, lowest;
};

int ed_epmd_service(void);
size_t ed_epmd_alive_request(uint8_t *buf, const char *alive, size_t len, uint16_t port,
			     bool hidden);
int ed_epmd_alive_answer(const uint8_t *buf, size_t len, struct ed_epmd_alive *a);
size_t ed_epmd_port_request(uint8_t *buf, const char *alive, size_t len);
int ed_epmd_port_answer(const uint8_t *buf, size_t len, struct ed_epmd_port *a);
struct sockaddr;
int ed_epmd_start(struct ed_child *c, uint16_t port, const struct sockaddr *address);

#endif /* ERLDIST_INTERNAL_H */
