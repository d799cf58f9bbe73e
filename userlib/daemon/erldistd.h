/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of erldistd. */
#ifndef ERLDISTD_H
#define ERLDISTD_H

#include <stdbool.h>
#include <syslog.h>

#include "../shared/shared.h"

#define SERVICE_USER	"erldist"	/* of the unit */
#define NODES_DIR	"/etc/erldist/nodes.d"

/* log.c: lines for a person, or with the level in front for the journal */
void log_open(void);
int log_level(const char *name);
void log_set_level(int level);
void say(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_limited(struct limit *l, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* notify.c: what the service manager is told, as sd_notify(3) has it */
void notify_open(void);
bool notify_wanted(void);
void notify(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void notify_barrier(void);
int watchdog_open(void);
void watchdog_ping(int timer);

/* park.c: descriptors that the service manager keeps while erldistd starts again */
enum park_kind { PARK_NODE, PARK_EPMD, PARK_LISTEN, PARK_HAND_OUT };

struct park {
	enum park_kind kind;
	const char *node;
	const char *place;	/* "", but of the last two */
};

bool park_has(const struct park *p);
unsigned int park_nodes(void);
void park_want(const struct park *p);
int park_take(const struct park *p);
void park_put(const struct park *p, int fd);
void park_drop(const struct park *p);
void park_drop_rest(void);

#define PARK_PREFIX	"erldist "

/* conf.c: one node a file */
struct conf_line {
	const struct node_option *option;
	const char *value;
	unsigned int number;
};

struct conf {
	struct conf *next;
	char *path;
	char *text;		/* of the file: what is pointed at */
	size_t size;
	mode_t mode;
	struct conf_line *lines;
	unsigned int n;
	const char *name;	/* as it was given */
	unsigned int name_line;	/* 0: by the file's name */
	char node[ERLDIST_NAME_MAX + 1];
	struct node_setup setup;
};

/* What is wrong: each of it is told, or the first of it is kept */
struct mistakes {
	unsigned int n;
	bool tell;
	char first[1024];
};

struct conf *conf_read(const char *dir, struct mistakes *m);
void conf_check_fixed(const struct conf *was, const struct conf *now, struct mistakes *m);
void conf_free(struct conf *list);
void mistake(struct mistakes *m, const struct conf *c, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* node.c: one that runs */
struct node {
	struct node *next;
	struct conf *conf;
	int epfd;
	struct erldist_keeper *k;
	struct serve_info *info;	/* or NULL */
	struct erldist_broker *b;
	struct troubles troubles;
	struct limit limits[ERLDIST_KEEPER_ASKS + 1];	/* of what the keeper tells */
	struct limit handed_out, not_handed_out;	/* of what the broker tells */
	struct limit not_served;
	bool registration;	/* with epmd: it is another one */
	bool adopted;		/* its paths are not the library's to remove */
};

void node_want_parked(const struct conf *c);
struct node *node_open(int epfd, struct conf *c, struct mistakes *m);
void node_close(struct node *n);
int node_configure(struct node *n, const struct conf *c);
void node_change_rest(struct node *n, const struct node_setup *was);
int node_dispatch(struct node *n);
void node_tell_start(const struct node *n);
const char *node_cookie_source(const struct node *n);
int node_failed(struct mistakes *m, const struct conf *c, const char *what, const void *handle,
		int err);

/* nodes.c: all of them */
void nodes_open(int epfd);
int nodes_start(const char *dir);
int nodes_reload(const char *dir);
int nodes_dispatch(void);
void nodes_leave(void);
void nodes_close(void);
const char *nodes_text(void);

#endif /* ERLDISTD_H */
