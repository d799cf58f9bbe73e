/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the command erldist share. */
#ifndef ERLDIST_CLI_H
#define ERLDIST_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "../shared/shared.h"

#define TIMEOUT_MS	10000
#define INTERVAL_MS	1000	/* of status */
#define CALL_TIMEOUT_MS	5000	/* gen_server:call's */

struct cli {
	bool json;
	bool stamps;
	bool since_start;
	bool background;
	const char *node;		/* the local node to act in, or NULL */
	unsigned long count;
	unsigned long interval_ms;
	struct node_setup setup;	/* of node run */
	int timeout_ms;
	bool timeout_given;
	int argc;			/* what the options leave */
	char **argv;
};

/* say.c */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void speak_as(const char *node);
void say_line(int fd, const char *text);

/* main.c */
enum {
	OPT_NODE = 256, OPT_COUNT, OPT_TIMEOUT, OPT_SINCE_START, OPT_INTERVAL,
	OPT_BACKGROUND, OPT_VERSION,
	OPT_NODE_RUN,	/* the first of node_options, and so on */
};

int number(const char *what, const char *text, int base, unsigned long max,
	   unsigned long *v);

#define NO_NODE "there is no node on this machine (network namespace); start one with " \
		"'erldist node run NAME' or erldistd"

/* Each returns the exit status */
int status(struct cli *c);
int node_show(struct cli *c);
int node_run(struct cli *c);
int node_stop(struct cli *c);
int node_own(struct cli *c);
int node_of(struct cli *c);
int nodes(struct cli *c);
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

/* table.c: rows under headings, on a terminal; elsewhere it is not used */
#define TABLE_COLUMNS	24

struct row;

struct table {
	bool used;
	struct row *rows, **last, *row;
	unsigned int columns;
	const char *heads[TABLE_COLUMNS];
	int widths[TABLE_COLUMNS];
};

void table_init(struct table *t, bool json);
void table_row(struct table *t);
void table_cell(struct table *t, const char *key, char *text);
void table_print(struct table *t);

/* out.c: a line of text, a JSON object or a table's row from the same calls */
struct out {
	bool json;
	bool first;
	bool lines;		/* one value a line */
	struct table *table;	/* NULL: no row */
	FILE *file;		/* where values go: standard output, or a cell */
	const char *key;	/* of the cell */
	char *cell;
	size_t cell_size;
};

void out_begin(struct out *o, bool json);
void out_begin_lines(struct out *o, bool json);
void out_begin_row(struct out *o, bool json, struct table *table);
void out_word(struct out *o, const char *key, const char *value);
void out_text(struct out *o, const char *key, const char *value);
void out_none(struct out *o, const char *key);
void out_name(struct out *o, const char *key, const char *name);
void out_number(struct out *o, const char *key, uint64_t v);
void out_rate(struct out *o, const char *key, double v);
void out_list(struct out *o, const char *key);
void out_list_end(struct out *o);
void out_item(struct out *o);
void out_item_end(struct out *o);
void out_octal(struct out *o, const char *key, uint32_t v);
void out_hex(struct out *o, const char *key, uint64_t v);
void out_seconds(struct out *o, const char *key, uint64_t ms);
void out_true(struct out *o, const char *key);
int out_term(struct out *o, const char *key, const void *term, size_t len);
void out_time(struct out *o);
void out_pid(struct out *o, const char *key, const char *node, uint32_t id,
	     uint32_t serial, uint32_t creation);
void out_end(struct out *o);

/* help.c */
void help_node_options(void);

/* run.c */
void tell_limited(struct limit *l, const char *event, bool bad, const char *text);

/* hand_out.c: the broker beside a node */
int hand_out_open(struct cli *c, struct erldist_broker **b, const char *node);
int hand_out_dispatch(struct erldist_broker *b);

/* local.c: acting in a local node */
int local_open(struct cli *c, struct erldist **p, const char *name, const char *dest);
int local_open_to_node(struct cli *c, struct erldist **p, char node[ERLDIST_ATOM_SIZE]);
int local_open_lasting(struct cli *c, struct erldist **p, char node[ERLDIST_ATOM_SIZE]);
int local_open_to_dest(struct cli *c, struct erldist **p);
/* Terms for people; those of JSON can be read back, of later nodes, too */
static inline unsigned int print_flags(bool json)
{
	return ERLDIST_PRINT_STRINGS | (json ? ERLDIST_PRINT_CREATION : 0);
}

int tell_failed(struct cli *c, struct erldist *p, int err);
bool tell_process_for_node(const char *text);
int connect_node(struct cli *c, struct erldist *p, const char *node);
int local_reach(struct cli *c, struct erldist **p, struct erldist_term *dest);
bool tell_no_node(struct erldist_observer *o);
void tell_closed(struct erldist_observer *o);
int tell_not_here(const char *node);
bool same_node(const char *text, const char *node, const char *local);
int ask_node(struct erldist *p, const char *node, int timeout_ms);
int parse_term(struct erldist_term *t, const char *text);

#endif /* ERLDIST_CLI_H */
