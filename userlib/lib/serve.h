/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a server of functions. */
#ifndef ERLDIST_SERVE_H
#define ERLDIST_SERVE_H

#include "internal.h"

/* What was asked, which says where the end of the function goes */
enum door {
	DOOR_SPAWN,	/* spawn/4: the end is that of the process */
	DOOR_ERPC,	/* erpc:execute_call/4: the result is its exit reason */
	DOOR_CALL,	/* {'$gen_call',{Pid,Tag},{call,M,F,A,_}} to rex */
	DOOR_PLAIN,	/* {Pid,{call,M,F,A,_}} to rex: {rex,Result} */
	DOOR_CAST,	/* {'$gen_cast',{cast,M,F,A,_}} to rex: nobody hears */
};

/* Slices are of the message that it came with */
struct asked {
	enum door door;
	struct erldist_slice mark;	/* ERPC: goes back with the result */
	struct erldist_slice module;
	struct erldist_slice function;
	struct erldist_slice args;
	unsigned int arity;
};

struct request {
	struct erldist_request open;	/* first: what the function sees */
	struct erldist_server *server;
	struct request *next, **link;
	struct asked asked;
	struct erldist_msg m;		/* what it came with */
	struct erldist_term out;	/* the reply that waits for room */
	bool running;			/* one of its functions: it may not be freed */
	bool ended;
	bool watched;			/* its process, by the server's epoll */
	bool cancelled;
	bool waiting;			/* for room, since then, with so much memory */
	int64_t since;
	size_t held;
	int why;			/* it fails when it begins: an errno, or 0 */
	char module[ERLDIST_ATOM_SIZE];
	char function[ERLDIST_ATOM_SIZE];
};

struct erldist_server {
	struct ed_error error;		/* first */
	int epfd;
	struct erldist *p;		/* rex, the spawn server */
	struct erldist_observer *observer;
	const struct erldist_function *functions;
	unsigned int n;
	struct request *requests;
	unsigned int waiting;		/* requests whose reply waits for room */
	size_t waiting_held;		/* their memory */
	unsigned int waiting_max;	/* of these, and of the answers */
	int timer;			/* of answers */
	struct answer *answers;		/* that wait for room, the oldest first */
	unsigned int answers_n;
	size_t answers_held;		/* memory of requests that they begin */
};

#define ED_WAITING_BYTES	(8U << 20)	/* of replies, and of answers, that wait */

/* How a function ended */
struct ending {
	enum erldist_end how;
	struct erldist_slice value;
	bool with_args;		/* the stack shows the arguments: it did not begin */
	bool of_call;		/* ERROR: of the call, not of the function */
};

/* serve_parse.c */
bool ed_spawn_options_ok(const struct erldist_slice *options);
int ed_asked_spawn(struct asked *a);
int ed_asked_resolve(struct asked *a);

/* serve_rex.c: what comes to rex that is no spawn request */
void ed_serve_rex(struct erldist_server *s, struct erldist_msg *m);

/* serve_end.c */
int ed_put_ending(struct erldist_term *t, const struct asked *a, const struct ending *e);
int ed_request_end(struct request *rq, const struct ending *e);
int ed_request_fail(struct request *rq, int err);
int ed_request_undef(struct request *rq);
int ed_request_send(struct request *rq);

/* serve_answer.c: the answers to spawn requests */
int ed_answers_open(struct erldist_server *s);
int ed_answer(struct erldist_server *s, const struct erldist_slice *ref,
	      const struct erldist_slice *what, struct request *rq);
void ed_answers_again(struct erldist_server *s);
void ed_answers_close(struct erldist_server *s);

/* serve_run.c: the requests */
void ed_request_start(struct erldist_server *s, struct erldist_msg *m, const struct asked *a,
		      const struct erldist_slice *spawn, int why);
void ed_request_begin(struct request *rq);
void ed_request_ready(struct request *rq);
void ed_request_cancel(struct request *rq);
void ed_request_free(struct request *rq);
void ed_request_finish(struct request *rq);

/* serve_info.c: what every server answers */
const struct erldist_function *ed_serve_info(const char *module, const char *name,
					     unsigned int arity);
int ed_serve_whereis(struct erldist_server *s, const char *name, struct erldist_term *pid);

#endif /* ERLDIST_SERVE_H */
