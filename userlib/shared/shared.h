/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands erldist and erldistd share. */
#ifndef ERLDIST_SHARED_H
#define ERLDIST_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <erldist.h>

#define WORDS_MAX	256

/* What an option that may be repeated was given; ends with NULL */
struct words {
	const char *word[WORDS_MAX + 1];
	unsigned int n;
};

/*
 * setup.c: what a node is like, from the options of "erldist node run" or the lines
 * of a file of erldistd. What was given is pointed at.
 */
struct node_setup {
	struct erldist_keeper_options keeper;
	struct words listens, peers, cookies, keep, allow;
	bool mark_default, serve_info;
	const char *hand_out;		/* path of the broker */
	uint32_t hand_out_mode;
	char error[256];		/* why the last option was not taken */
};

enum option_kind {
	OPTION_FLAG, OPTION_BOOL, OPTION_TEXT, OPTION_LIST, OPTION_PORT, OPTION_NUMBER,
	OPTION_OCTAL, OPTION_AUTO_CONNECT, OPTION_EPMD_TYPE,
};

struct node_option {
	const char *name;
	enum option_kind kind;
	uint32_t limit;		/* of a number; a flag's bit */
	size_t at;		/* where in struct node_setup */
	enum { OPTION_CAN_CHANGE, OPTION_FIXED, OPTION_SECRET } how;	/* as the node runs */
	const char *value;	/* what it is followed by, or NULL */
	const char *about;	/* in a few words; NULL: it is not shown */
	const char *heading;	/* of the group that begins with it, or NULL */
};

extern const struct node_option node_options[];
extern const size_t node_options_n;

const struct node_option *node_option_find(const char *name);
bool node_option_has_value(const struct node_option *option);
int node_option_take(struct node_setup *s, const struct node_option *option, const char *value);
void node_setup_point(struct node_setup *s, const char *name);
int node_setup_finish(struct node_setup *s, const char *name);

/* inherit.c: descriptors that a service manager hands over */
struct inherited {
	int fd;			/* -1: it was taken */
	bool wanted;		/* by somebody who has yet to take it */
	char *name;
};

extern struct inherited *inherited;
extern unsigned int inherited_n;

void inherit(void);
int inherited_listeners(struct node_setup *s, const char *not_these);

/* mark.c: the default node of the machine */
int mark_default(const char *node);
void unmark_default(const char *node);

/* limit.c: log lines of one kind. Zeroed to begin with */
struct limit {
	int64_t until;		/* the end of the interval, CLOCK_MONOTONIC in ms */
	unsigned int lines;	/* logged in this interval */
	unsigned int left_out;	/* since the last one that was logged */
};

bool limit_pass(struct limit *l, unsigned int *left_out);

/* serve_info.c: a server beside a node, opened again when it fails */
struct serve_info;

int serve_info_open(struct serve_info **sip, const char *node);
const char *serve_info_error(const struct serve_info *si);
const char *serve_info_dispatch(struct serve_info *si);
int serve_info_fd(const struct serve_info *si);
void serve_info_close(struct serve_info *si);

/* trouble.c: failures of peers, each told once and counted */
struct trouble;

struct troubles {
	struct trouble *first;
	unsigned int n;
};

bool trouble_news(struct troubles *all, const struct erldist_keeper_event *e,
		  unsigned int *repeated);
void troubles_free(struct troubles *all);

/* holder.c: the programs that hold nodes, as far as this user may look at them */
struct holder {
	struct holder *next;
	pid_t pid;
	char program[16];	/* the first characters of its name */
	char node[ERLDIST_ATOM_SIZE];
};

struct holders {
	struct holder *first;
};

int holders_find(struct holders *all);
void holders_free(struct holders *all);
const struct holder *holder_of(const struct holders *all, const char *node);
bool holder_is_store(const struct holder *h);

/* stop.c: SIGINT and SIGTERM; SIGHUP, for who asks for it */
void stop_prepare(void);
void stop_take_hangup(void);
bool stop_asked(void);
bool hangup_came(void);
int stop_wait(const int *fds, unsigned int n);

#endif /* ERLDIST_SHARED_H */
