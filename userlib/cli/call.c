// SPDX-License-Identifier: GPL-2.0-only
/* erldist call DEST TERM, erldist rpc NODE MOD FUN ARGS */
#include <ctype.h>
#include <string.h>

#include "cli.h"

static int show(struct cli *c, const struct erldist_msg *m)
{
	struct out o;
	int status;

	out_begin(&o, c->json);
	status = out_term(&o, "term", m->term, m->len);
	out_end(&o);
	return status;
}

static ssize_t ask(struct cli *c, struct erldist *p, bool remote, const struct erldist_term *t,
		   struct erldist_msg *m)
{
	char **arg = c->argv;

	if (remote)
		return erldist_rpc(p, arg[0], arg[1], arg[2], t->term, t->len, m, c->timeout_ms);
	return erldist_call(p, arg[0], t->term, t->len, m, c->timeout_ms);
}

static int open_for(struct cli *c, struct erldist **p, bool remote)
{
	return remote ? local_open(c, p, NULL, c->argv[0]) : local_open_to_dest(c, p);
}

/* The arguments of a function: what is missing is mostly the brackets */
static bool is_list(const char *text)
{
	if (strchr("[\"", text[strspn(text, " \t\n")]))
		return true;
	return !complain("rpc: %s: the arguments are a list; write '[%s]'", text, text);
}

/* String is an Elixir module, which Erlang calls 'Elixir.String' */
static void rpc_failed(const struct cli *c, const char *why)
{
	const char *module = c->argv[1];

	if (isupper((unsigned char)*module) && strncmp(module, "Elixir.", 7) &&
	    strstr(why, "undef"))
		complain("%s; if it is an Elixir module, write Elixir.%s", why, module);
	else if (!tell_process_for_node(c->argv[0]))
		complain("%s", why);
}

static int run(struct cli *c, bool remote)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_msg m = ERLDIST_MSG_INIT;
	const char *text = c->argv[c->argc - 1];
	struct erldist *p = NULL;
	int status = 1;
	ssize_t n;

	if ((!remote || is_list(text)) && !parse_term(&t, text) && !open_for(c, &p, remote)) {
		n = ask(c, p, remote, &t, &m);
		if (n < 0 && !remote)
			tell_failed(c, p, (int)n);
		else if (n < 0)
			rpc_failed(c, erldist_strerror(p, (int)n));
		else
			status = show(c, &m);
	}
	erldist_close(p);
	erldist_msg_free(&m);
	erldist_term_free(&t);
	return status;
}

int call_term(struct cli *c)
{
	return run(c, false);
}

int rpc(struct cli *c)
{
	return run(c, true);
}
