// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nodes that run, one for each file. What another configuration changes is put
 * in place as a whole, or not at all.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "erldistd.h"

#define AGAIN_S		3	/* an editor may be at a file that is gone */

static struct node *nodes;
static int epfd;

void nodes_open(int fd)
{
	epfd = fd;
}

static void append(struct node **list, struct node *n)
{
	while (*list)
		list = &(*list)->next;
	*list = n;
}

/* A node that was there would end, though its file may be about to come back */
static bool lacks_file(const struct conf *list)
{
	struct park p = { .kind = PARK_NODE, .place = "" };
	unsigned int n = 0;

	for (; list; list = list->next) {
		p.node = list->node;
		n += park_has(&p);
	}
	return n < park_nodes();
}

static struct conf *read_at_start(const char *dir, struct mistakes *m)
{
	struct conf *list = conf_read(dir, m);

	if (m->n || !lacks_file(list))
		return list;
	say(LOG_NOTICE, "a node that was there has no file in %s: looking again in %d s", dir,
	    AGAIN_S);
	sleep(AGAIN_S);
	conf_free(list);
	return conf_read(dir, m);
}

/* What is wrong is told, each of it */
int nodes_start(const char *dir)
{
	struct mistakes m = { .tell = true };
	struct conf *list = read_at_start(dir, &m), *c;
	struct node *n;

	for (c = list; c && !m.n; c = c->next)
		node_want_parked(c);
	if (!m.n)
		park_drop_rest();
	while (!m.n && (c = list)) {
		list = c->next;
		n = node_open(epfd, c, &m);
		if (!n)
			break;
		node_tell_start(n);
		append(&nodes, n);
	}
	conf_free(list);
	if (m.n)
		return -1;
	if (!nodes)
		say(LOG_NOTICE, "there is no node in %s yet: write a file NAME.conf there (see "
		    "erldistd(8)), and send SIGHUP to read it: kill -HUP %d", dir, (int)getpid());
	return 0;
}

static struct node *running(const char *node)
{
	struct node *n;

	for (n = nodes; n; n = n->next)
		if (!strcmp(n->conf->node, node))
			return n;
	return NULL;
}

static const struct conf *find_conf(const struct conf *list, const char *node)
{
	for (; list; list = list->next)
		if (!strcmp(list->node, node))
			return list;
	return NULL;
}

/* A file whose node runs cannot make it another one */
static void check_name(const struct conf *list, const struct conf *c, struct mistakes *m)
{
	const struct node *n;

	for (n = nodes; n; n = n->next)
		if (!strcmp(n->conf->path, c->path) && !find_conf(list, n->conf->node))
			mistake(m, c, c->name_line, "name: it cannot change from %s to %s while "
				"that runs; another file can have it", n->conf->node, c->node);
}

static void check_change(const struct conf *list, struct mistakes *m)
{
	const struct conf *c;
	const struct node *n;

	for (c = list; c; c = c->next) {
		n = running(c->node);
		if (n)
			conf_check_fixed(n->conf, c, m);
		else
			check_name(list, c, m);
	}
}

static void close_list(struct node *list)
{
	struct node *next;

	if (!list)
		return;
	for (; list; list = next) {
		next = list->next;
		node_close(list);
	}
	/* so that a name is free again when we say so */
	notify_barrier();
}

/* Takes those that are new off the list */
static struct node *open_new(struct conf **list, struct mistakes *m)
{
	struct node *new = NULL, *n;
	struct conf *c;

	while (!m->n && (c = *list)) {
		if (running(c->node)) {
			list = &c->next;
			continue;
		}
		*list = c->next;
		n = node_open(epfd, c, m);
		if (n)
			append(&new, n);
	}
	return new;
}

/* All that stay, or none. Cookie files that have changed since cannot be had again */
static void configure_all(const struct conf *list, struct mistakes *m)
{
	const struct conf *c, *done;
	struct node *n;
	int err;

	for (c = list; c; c = c->next) {
		n = running(c->node);
		err = node_configure(n, c);
		if (!err)
			continue;
		node_failed(m, c, "", n->k, err);
		for (done = list; done != c; done = done->next) {
			n = running(done->node);
			if (node_configure(n, n->conf))
				say(LOG_WARNING, "%s has its new configuration already",
				    n->conf->node);
		}
		return;
	}
}

/* Each has its new file, or it ends */
static void put_in_place(struct conf *list, struct node *new)
{
	struct node **at = &nodes, *n, *gone = NULL;
	struct conf *was;

	while ((n = *at)) {
		if (find_conf(list, n->conf->node)) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		n->next = gone;
		gone = n;
		say(LOG_NOTICE, "%s ends: its file is gone", n->conf->node);
	}
	close_list(gone);
	while (list) {
		n = running(list->node);
		was = n->conf;
		n->conf = list;
		list = list->next;
		n->conf->next = NULL;
		node_change_rest(n, &was->setup);
		say(LOG_INFO, "%s is configured again, cookie from %s", n->conf->node,
		    node_cookie_source(n));
		conf_free(was);
	}
	append(&nodes, new);
	for (n = new; n; n = n->next)
		node_tell_start(n);
}

static void tell_refused(const struct mistakes *m)
{
	char more[64] = "";

	if (m->n > 1)
		snprintf(more, sizeof(more), " (and %u more: erldistd --check)", m->n - 1);
	say(LOG_ERR, "%s%s; nothing is changed", m->first, more);
}

/* All of it, or nothing and one message */
int nodes_reload(const char *dir)
{
	struct mistakes m = { .tell = false };
	struct conf *list = conf_read(dir, &m);
	struct node *new = NULL;

	if (!m.n)
		check_change(list, &m);
	if (!m.n)
		new = open_new(&list, &m);
	if (!m.n)
		configure_all(list, &m);
	if (!m.n) {
		put_in_place(list, new);
		return 0;
	}
	close_list(new);
	conf_free(list);
	tell_refused(&m);
	return -1;
}

/* Whoever has work. An error is one that a restart may help against */
int nodes_dispatch(void)
{
	struct epoll_event ev[16];
	int n = epoll_wait(epfd, ev, 16, 0), i, err;

	for (i = 0; i < n; i++) {
		/* the watchdog's is not a node's */
		if (!ev[i].data.ptr)
			continue;
		err = node_dispatch(ev[i].data.ptr);
		if (err)
			return err;
	}
	return 0;
}

/* The service manager has what the next erldistd goes on with, or ends it */
void nodes_leave(void)
{
	struct node *n;

	for (n = nodes; n; n = n->next)
		if (n->conf->setup.mark_default)
			unmark_default(n->conf->node);
}

void nodes_close(void)
{
	struct node *n;

	while ((n = nodes)) {
		nodes = n->next;
		node_close(n);
	}
}

/* "2 nodes: a@h b@h" */
const char *nodes_text(void)
{
	static char text[512];
	unsigned int count = 0;
	const struct node *n;
	size_t len;

	for (n = nodes; n; n = n->next)
		count++;
	snprintf(text, sizeof(text), "%u node%s%s", count, count == 1 ? "" : "s", count ? ":" : "");
	for (n = nodes; n; n = n->next) {
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, " %s", n->conf->node);
	}
	return text;
}
