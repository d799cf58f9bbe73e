/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the command erldist share. */
#ifndef ERLDIST_CLI_H
#define ERLDIST_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include <erldist.h>

#define PEERS_MAX	256
#define TIMEOUT_MS	10000
#define CALL_TIMEOUT_MS	5000	/* gen_server:call's */

struct cli {
	bool json;
	bool stamps;
	const char *node;		/* the local node to act in, or NULL */
	const char *cookie;
	const char *cookie_file;
	const char *listen;
	const char *peers[PEERS_MAX + 1];
	unsigned int peers_n;
	unsigned long count;
	unsigned long ticktime;
	unsigned long mode;
	unsigned int keeper;		/* ERLDIST_KEEPER_* */
	bool serve_info;
	int timeout_ms;
	int argc;			/* what the options leave */
	char **argv;
};

/* main.c */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Each returns the exit status */
int node_show(struct cli *c);
int node_run(struct cli *c);
int peer_show(struct cli *c);
int peer_connect(struct cli *c);
int peer_disconnect(struct cli *c);
int process_show(struct cli *c);
int process_watch(struct cli *c);
int monitor(struct cli *c);
int ping(struct cli *c);
int send_term(struct cli *c);
int send_exit(struct cli *c);
int call_term(struct cli *c);
int rpc(struct cli *c);
int receive(struct cli *c);

/* out.c: a line of text or a JSON object from the same calls */
struct out {
	bool json;
	bool first;
};

void out_begin(struct out *o, bool json);
void out_word(struct out *o, const char *key, const char *value);
void out_text(struct out *o, const char *key, const char *value);
void out_name(struct out *o, const char *key, const char *name);
void out_number(struct out *o, const char *key, uint64_t v);
void out_octal(struct out *o, const char *key, uint32_t v);
void out_hex(struct out *o, const char *key, uint64_t v);
void out_seconds(struct out *o, const char *key, uint64_t ms);
void out_true(struct out *o, const char *key);
int out_term(struct out *o, const char *key, const void *term, size_t len);
void out_time(struct out *o);
void out_pid(struct out *o, const char *key, const char *node, uint32_t id,
	     uint32_t serial, uint32_t creation);
void out_end(struct out *o);

/* stop.c: SIGINT and SIGTERM */
void stop_prepare(void);
bool stop_asked(void);
int stop_wait(int fd);
int stop_wait_two(int fd, int other);

/* local.c: acting in a local node */
int local_open(struct cli *c, struct erldist **p, const char *name);
int local_reach(struct cli *c, struct erldist **p, const char *dest);
int parse_term(struct erldist_term *t, const char *text);

#endif /* ERLDIST_CLI_H */
