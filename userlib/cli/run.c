// SPDX-License-Identifier: GPL-2.0-only
/* erldist node run: hold a node in the foreground. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static void on_event(void *user, const struct erldist_keeper_event *e)
{
	(void)user;
	switch (e->type) {
	case ERLDIST_KEEPER_UP:
	case ERLDIST_KEEPER_DOWN:
	case ERLDIST_KEEPER_WANTED:
	case ERLDIST_KEEPER_REGISTERED:
		puts(e->text);
		return;
	default:
		complain("%s", e->text);
		return;
	}
}

static void tell_start(struct erldist_keeper *k)
{
	printf("%s is running", erldist_keeper_node(k));
	if (erldist_keeper_port(k))
		printf(", port %d", erldist_keeper_port(k));
	printf(", cookie from %s\n", erldist_keeper_cookie_source(k));
}

/* A node, and what else is served beside it, or NULL */
struct held {
	struct erldist_keeper *k;
	struct erldist_server *s;
	struct erldist_broker *b;
};

/* Cookies are read again. What was goes on where that fails */
static void reload(struct erldist_keeper *k, const struct erldist_keeper_options *options)
{
	int err = erldist_keeper_configure(k, options);

	if (err)
		complain("%s: nothing is changed: %s", erldist_keeper_node(k),
			 erldist_strerror(k, err));
	else
		printf("%s is configured again, cookie from %s\n", erldist_keeper_node(k),
		       erldist_keeper_cookie_source(k));
}

static int dispatch(const struct held *h)
{
	int err = erldist_keeper_dispatch(h->k);

	if (err)
		return complain("%s: %s", erldist_keeper_node(h->k), erldist_strerror(h->k, err));
	err = h->s ? erldist_server_dispatch(h->s) : 0;
	if (err)
		return complain("--serve-info: %s", erldist_strerror(h->s, err));
	return hand_out_dispatch(h->b);
}

static int hold(struct cli *c, const struct held *h)
{
	int err, status = 0;

	while (!status && !stop_asked()) {
		const int fds[] = {
			erldist_keeper_fd(h->k),
			h->s ? erldist_server_fd(h->s) : -1,
			h->b ? erldist_broker_fd(h->b) : -1,
		};

		err = stop_wait(fds, 3);
		if (err)
			return complain("poll: %s", erldist_strerror(NULL, err));
		if (hangup_came())
			reload(h->k, &c->keeper);
		status = dispatch(h);
	}
	return status;
}

/* What tells of the node only: it can be asked for by whoever has the cookie */
static int serve_info(struct held *h)
{
	int err = erldist_server_open(&h->s, erldist_keeper_node(h->k), NULL, 0);

	return err ? complain("--serve-info: %s", erldist_strerror(h->s, err)) : 0;
}

/* So that programs find it that name no node */
static int mark_default(const struct erldist_keeper *k)
{
	FILE *f;
	int bad;

	if (mkdir("/run/erldist", 0755) && errno != EEXIST)
		return complain("/run/erldist: %s", strerror(errno));
	f = fopen(ERLDIST_DEFAULT_FILE, "we");
	if (!f)
		return complain("%s: %s", ERLDIST_DEFAULT_FILE, strerror(errno));
	bad = fprintf(f, "%s\n", erldist_keeper_node(k)) < 0;
	if (fclose(f) || bad)
		return complain("%s: %s", ERLDIST_DEFAULT_FILE, strerror(errno));
	return 0;
}

/* Another one may have been marked since */
static void unmark_default(const struct erldist_keeper *k)
{
	char node[ERLDIST_NAME_MAX + 2] = "";
	FILE *f = fopen(ERLDIST_DEFAULT_FILE, "re");

	if (!f)
		return;
	if (fgets(node, sizeof(node), f))
		node[strcspn(node, "\n")] = 0;
	fclose(f);
	if (!strcmp(node, erldist_keeper_node(k)))
		unlink(ERLDIST_DEFAULT_FILE);
}

static int take_options(struct cli *c)
{
	struct erldist_keeper_options *o = &c->keeper;

	if (o->cookie && o->cookie_file)
		return complain("node run: --cookie or --cookie-file, not both");
	if (o->options & ERLDIST_KEEPER_NO_LISTEN && c->listens.n)
		return complain("node run: --listen or --no-listen, not both");
	if (o->listen_max && !o->listen_min)
		return complain("node run: --listen-max goes with --listen-min");
	if (!o->listen_max)
		o->listen_max = o->listen_min;
	if (o->listen_min > o->listen_max)
		return complain("node run: --listen-min %u is more than --listen-max %u",
				o->listen_min, o->listen_max);
	o->name = c->argv[0];
	o->listens = c->listens.word;
	o->peers = c->peers.word;
	o->cookies = c->cookies.word;
	o->keep = c->keep.word;
	o->allow = c->allow.n ? c->allow.word : NULL;
	o->event = on_event;
	return 0;
}

static int run(struct cli *c, struct held *h)
{
	int status = 0;

	if (c->serve_info)
		status = serve_info(h);
	if (!status)
		status = hand_out_open(c, &h->b, erldist_keeper_node(h->k));
	if (!status && c->mark_default)
		status = mark_default(h->k);
	if (status)
		return status;
	tell_start(h->k);
	status = hold(c, h);
	if (c->mark_default)
		unmark_default(h->k);
	return status;
}

int node_run(struct cli *c)
{
	struct held h = { NULL, NULL, NULL };
	int err, status = 1;

	if (take_options(c))
		return 1;
	stop_prepare();
	stop_take_hangup();
	err = erldist_keeper_open(&h.k, &c->keeper);
	if (err)
		complain("%s: %s", c->argv[0], erldist_strerror(h.k, err));
	else
		status = run(c, &h);
	erldist_server_close(h.s);
	erldist_broker_close(h.b);
	erldist_keeper_close(h.k);
	return status;
}
