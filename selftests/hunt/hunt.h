/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A generator of random programs for AF_ERLDIST: calls on node sockets, process
 * sockets, generic netlink and the peer's end of a connection, in up to eight
 * threads and processes.
 *
 * A program is a list of calls. An argument is a number, the result of an earlier
 * call, or a term that may name results of earlier calls, so that pids and
 * references are those of the run. Descriptions (calls.c, wire.c) say which
 * arguments a call takes; generation, mutation and the text form follow from them.
 */
#ifndef ERLDIST_HUNT_H
#define ERLDIST_HUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "erldist_test.h"
#include "wire_peer.h"

#define MAX_CALLS	32
#define MAX_ARGS	72
#define MAX_WORKERS	8
#define MAX_DESCS	128
#define MAX_CHILDREN	16
#define NO_RES		0xff
#define NTH_SWEEP	0xff	/* each allocation fails in turn */
#define COME_MS		20	/* how long what was sent before may take to be there */
#define TEXT_MAX	(48 << 10)	/* longest text of a program */

/* Arguments. Terms stand in prefix order: a tuple is followed by its elements. */
enum arg_kind {
	A_INT,			/* v */
	A_RES,			/* res */
	A_NONE,			/* no term */
	A_TUPLE, A_LIST,	/* n elements follow */
	A_IMPROPER,		/* n elements and a tail follow */
	A_MAP,			/* n keys and values follow */
	A_NIL,
	A_ATOM,			/* v: which name, n: how encoded */
	A_NUMBER,		/* v, n: how encoded */
	A_BIG,			/* v bytes */
	A_BINARY, A_STRING,	/* v bytes */
	A_BITS,
	A_FLOAT,
	A_EXPORT,
	A_RAW,			/* v: seed, n: bytes */
	A_PID,			/* of res; n: which, or how it is bent */
	A_REF,			/* of res; n: which */
	A_SEEN_PID,		/* what res received */
	A_SEEN_REF,
	A_BEND,			/* one term follows; v: where, n: how */
	A_KINDS,
};

struct arg {
	uint8_t kind;
	uint8_t n;
	uint8_t res;
	uint8_t reserved;
	uint32_t hi;		/* upper half of v */
	uint32_t lo;
};

static inline uint64_t arg_v(const struct arg *a)
{
	return (uint64_t)a->hi << 32 | a->lo;
}

static inline void arg_set(struct arg *a, uint64_t v)
{
	a->hi = v >> 32;
	a->lo = v;
}

struct call {
	uint8_t desc;
	uint8_t worker;
	uint8_t nth;		/* fail this allocation; 0: none; NTH_SWEEP */
	uint8_t n_args;
	struct arg arg[MAX_ARGS];
};

struct prog {
	uint8_t n_calls;
	uint8_t processes;	/* workers (a bit each) that are processes */
	uint8_t loop_from;	/* from this call to race_from: in turn in each round */
	uint8_t race_from;	/* from this call on all workers run freely */
	uint8_t rounds;		/* how often they do */
	struct call call[MAX_CALLS];
};

/* What a call makes and takes: bits */
enum {
	R_NODE	= 1,
	R_PROC	= 2,
	R_WIRE	= 4,		/* the peer's end of a stream */
	R_NL	= 8,
	R_CHILD	= 16,
	R_FD	= 32,		/* another descriptor */
	R_FRESH	= 64,		/* a process socket that is not bound */
	R_FRESH_NODE = 128,
	R_ANY_FD = R_NODE | R_PROC | R_WIRE | R_NL | R_FD,
	R_SOCKET = R_NODE | R_PROC,
};

/* What a term is to be */
enum grammar {
	G_ANY, G_ADDRESS, G_PID, G_REF, G_NODE, G_NAME, G_REASON, G_SPAWN, G_ANSWER,
	G_CONTROL, G_LINK_CONTROL, G_MONITOR_CONTROL, G_MESSAGE_CONTROL, G_EXIT_CONTROL,
	G_SPAWN_REQUEST, G_SPAWN_REPLY, G_ARGUMENTS, G_SMALL, G_REQUEST, G_BIND, G_SEEN_REF,
};

enum param_kind {
	P_END,
	P_PICK,			/* one of values; plain: of the first two */
	P_ONE_OF,		/* one of values */
	P_FLAGS,		/* some of values */
	P_ODD_FLAGS,		/* the same; plain: none */
	P_RANGE,		/* values[0] to values[1] */
	P_RES,			/* what: R_* */
	P_RES_MAYBE,
	P_TERM,			/* what: enum grammar */
	P_TERM_MAYBE,
	P_TERM_ODD,		/* plain: none */
};

struct param {
	const char *name;
	uint8_t kind;
	uint8_t what;
	uint8_t n;
	const uint64_t *values;
};

/* For tables of descriptions */
#define VALUES(...)	((const uint64_t[]){ __VA_ARGS__ })
#define COUNT(...)	(sizeof(VALUES(__VA_ARGS__)) / sizeof(uint64_t))
#define PICK(name, ...)	{ name, P_PICK, 0, COUNT(__VA_ARGS__), VALUES(__VA_ARGS__) }
#define ONE_OF(name, ...) { name, P_ONE_OF, 0, COUNT(__VA_ARGS__), VALUES(__VA_ARGS__) }
#define FLAGS(name, ...) { name, P_FLAGS, 0, COUNT(__VA_ARGS__), VALUES(__VA_ARGS__) }
#define ODD_FLAGS(name, ...) { name, P_ODD_FLAGS, 0, COUNT(__VA_ARGS__), VALUES(__VA_ARGS__) }
#define RANGE(name, from, to) { name, P_RANGE, 0, 2, VALUES(from, to) }
#define RES(name, types) { name, P_RES, types, 0, NULL }
#define RES_MAYBE(name, types) { name, P_RES_MAYBE, types, 0, NULL }
#define TERM(name, grammar) { name, P_TERM, grammar, 0, NULL }
#define TERM_MAYBE(name, grammar) { name, P_TERM_MAYBE, grammar, 0, NULL }
#define TERM_ODD(name, grammar) { name, P_TERM_ODD, grammar, 0, NULL }
#define PARAMS(...)	((const struct param[]){ __VA_ARGS__ { 0 } })
#define NO_PARAMS	((const struct param[]){ { 0 } })
/* By place in names_table: a node's first, the peers' for what is connected */
#define NODE_PICK(name)	PICK(name, 0, 0, 1, 2, 6, 7)
#define PEER_PICK(name)	PICK(name, 3, 4, 5, 1, 6, 7, 13)

struct cursor;

struct desc {
	const char *name;
	uint8_t makes;		/* R_* or 0 */
	uint8_t weight;
	uint16_t op;		/* for functions that serve several */
	const struct param *params;
	long (*run)(struct cursor *c);
};

extern const struct desc calls_table[];
extern const struct desc world_table[];
extern const struct desc wire_table[];
const struct desc *desc_of(unsigned int i);
unsigned int desc_count(void);
int desc_find(const char *name);

extern const struct name_entry {
	const char *id;		/* in the text of a program */
	const char *text;
	uint8_t kind;
} names_table[];

#define NAME_NODE	1
#define NAME_PEER	2
#define NAME_PROCESS	4
#define NAME_ODD	8
#define NAME_WORD	16
unsigned int names_count(void);
const char *name_text(unsigned int i);

/* Random numbers: one state for each generator */
uint64_t rnd64(uint64_t *state);
uint32_t rnd(uint64_t *state, uint32_t n);
bool one_in(uint64_t *state, uint32_t n);

/* program.c */
void prog_generate(struct prog *p, uint64_t *rng);
unsigned int pair_count(void);
void prog_pair(struct prog *p, unsigned int number, uint64_t *rng);
void prog_mutate(struct prog *p, uint64_t *rng);
void prog_splice(struct prog *p, const struct prog *other, uint64_t *rng);
void prog_remove(struct prog *p, unsigned int call);
/* What does not fit the descriptions (any more) goes */
void prog_repair(struct prog *p);
size_t term_args(const struct arg *a, size_t n);
int prog_print(const struct prog *p, char *text, size_t size);
int prog_parse(struct prog *p, const char *text);

/* Running */

#define SEEN		4
#define SEEN_BYTES	160

struct seen {
	uint8_t len;
	uint8_t bytes[SEEN_BYTES];
};

struct result {
	int fd;
	uint8_t type;		/* R_*, 0: none */
	uint8_t n_pids, n_refs;
	pid_t child;
	uint64_t first_ref;
	struct seen self;
	struct seen pids[SEEN];
	struct seen refs[SEEN];
	struct wire wire;
	uint32_t buffered;	/* bytes of a frame that is not whole */
	uint8_t buffer[4096];
};

#define AREAS	(2 * MAX_WORKERS)	/* threads, which stay, and processes */

struct shared;

struct cursor {
	struct shared *s;
	const struct arg *a;
	size_t left;
	struct result *out;
	unsigned int worker;
	unsigned int op;
	uint64_t bits;		/* deterministic, for what is not described */
};

uint64_t arg_int(struct cursor *c);
/* The result, or NULL when the call made none */
struct result *arg_res(struct cursor *c);
int arg_fd(struct cursor *c);
/* False: no term */
bool arg_term(struct cursor *c, struct buf *b);

void seen_terms(struct result *r, const uint8_t *p, size_t len);
void seen_add(struct seen *list, uint8_t *n, const uint8_t *p, size_t len);
long make_fd(struct cursor *c, int fd, int type);
/* Refs of a process: the k-th of them, 0 for 0 */
uint64_t ref_number(struct result *r, unsigned int k);
void term_of_res(struct cursor *c, const struct arg *a, struct buf *b);

/* What must not be, found by the program itself: ends the hunt */
void violation(struct cursor *c, const char *f, ...) __printf(2, 3);
int hunt_family(void);
void hunt_netlink(void);

#define ERRNOS		135

/* How calls of each description ended: by errno, 0 for success */
struct outcomes {
	uint64_t n[MAX_DESCS][ERRNOS];
};

/* Shared by the executor, the program's child and its processes */
struct shared {
	struct prog prog;
	struct result res[MAX_CALLS];
	uint32_t turn[AREAS];		/* what is to be done next, see run.c */
	uint32_t done[AREAS];		/* the last turn that is over */
	pid_t tid[MAX_WORKERS];		/* threads, which stay */
	pid_t pid[MAX_WORKERS];		/* processes, of this program only */
	pid_t children[MAX_CHILDREN];
	uint32_t n_children;
	uint32_t ask, answer;		/* which program: executor to runner, and back */
	uint32_t stop;			/* the program is over: no further call */
	uint32_t racers, arrived;
	uint32_t pairing;		/* a lock */
	uint32_t streams;		/* ends made: the next one's number */
	uint64_t race_end;
	bool changed;			/* the runner has another user or namespace */
	bool retire;			/* the runner cannot or should not go on */
	pid_t runner;
	unsigned int programs, started;	/* of this runner; runners */
	uint32_t executed;
	long ret[MAX_CALLS];
	struct outcomes outcomes;	/* of all programs */
	char violation[512];
	int kcov[AREAS];
	uint64_t *area[AREAS];
	int kcov_remote;
	uint64_t *remote;
	uint64_t ran_at;		/* when the calls were over, or 0 */
};

enum verdict { RAN, TIMED_OUT, HUNG, VIOLATED };

struct shared *shared_new(void);
/* Runs s->prog in a child, which stays for the next one */
enum verdict run_prog(struct shared *s);
void hunt_drain(struct shared *s);
/* The child: runs what is asked for, and never returns */
void runner(struct shared *s);
int hunt_pair(struct cursor *c, enum carrier kind, int sv[2]);

/* kcov.c */
#define SIGNAL_BITS	(1 << 21)
#define PC_BITS		(1 << 21)

struct coverage {
	uint64_t signal[SIGNAL_BITS / 64];
	uint64_t pcs[PC_BITS / 64];
	uint32_t n_signal, n_pcs;
};

bool kcov_setup(struct shared *s, unsigned int executor);
void kcov_thread_start(struct shared *s, unsigned int area);
void kcov_reset(struct shared *s);
/* Adds what the run covered; how much of it was new */
unsigned int kcov_collect(struct shared *s, struct coverage *all);

/* print.c, shrink.c */
int print_c(const struct prog *p, const char *sources, FILE *out);

#endif /* ERLDIST_HUNT_H */
