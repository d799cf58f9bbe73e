// SPDX-License-Identifier: GPL-2.0-only
/* erldist node run: hold a node in the foreground. */
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

static int dispatch(struct erldist_keeper *k, struct erldist_server *s)
{
	int err = erldist_keeper_dispatch(k);

	if (err)
		return complain("%s: %s", erldist_keeper_node(k), erldist_strerror(k, err));
	err = s ? erldist_server_dispatch(s) : 0;
	if (err)
		return complain("--serve-info: %s", erldist_strerror(s, err));
	return 0;
}

static int hold(struct erldist_keeper *k, struct erldist_server *s)
{
	int err, status = 0;

	while (!status && !stop_asked()) {
		err = stop_wait_two(erldist_keeper_fd(k), s ? erldist_server_fd(s) : -1);
		if (err)
			return complain("poll: %s", erldist_strerror(NULL, err));
		status = dispatch(k, s);
	}
	return status;
}

/* What tells of the node only: it can be asked for by whoever has the cookie */
static int hold_serving(struct erldist_keeper *k)
{
	struct erldist_server *s;
	int status, err;

	err = erldist_server_open(&s, erldist_keeper_node(k), NULL, 0);
	if (err)
		status = complain("--serve-info: %s", erldist_strerror(s, err));
	else
		status = hold(k, s);
	erldist_server_close(s);
	return status;
}

int node_run(struct cli *c)
{
	struct erldist_keeper_options options = ERLDIST_KEEPER_OPTIONS_INIT;
	struct erldist_keeper *k;
	int err, status = 1;

	if (c->cookie && c->cookie_file)
		return complain("node run: --cookie or --cookie-file, not both");
	options.name = c->argv[0];
	options.cookie = c->cookie;
	options.cookie_file = c->cookie_file;
	options.listen = c->listen;
	options.peers = c->peers;
	options.options = c->keeper;
	options.mode = (uint32_t)c->mode;
	options.ticktime = (uint32_t)c->ticktime;
	options.event = on_event;
	stop_prepare();
	err = erldist_keeper_open(&k, &options);
	if (!err) {
		tell_start(k);
		status = c->serve_info ? hold_serving(k) : hold(k, NULL);
	} else {
		complain("%s: %s", c->argv[0], erldist_strerror(k, err));
	}
	erldist_keeper_close(k);
	return status;
}
