// SPDX-License-Identifier: GPL-2.0-only
/* Acting in a local node: a process of ours there. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int open_with(struct cli *c, struct erldist **p, const char *name, unsigned int flags,
		     const char *dest)
{
	int err = erldist_open_to(p, name, c->node, flags, dest, c->timeout_ms);

	if (err)
		complain("%s", erldist_strerror(*p, err));
	return err;
}

/*
 * dest: the node, or a destination with its node, that it is about, or NULL. A process
 * without a name is a client, for which a private node will do; one with a name has to be
 * found by others.
 */
int local_open(struct cli *c, struct erldist **p, const char *name, const char *dest)
{
	unsigned int flags = name ? 0 : ERLDIST_OPEN_PRIVATE;

	return open_with(c, p, name, flags, dest);
}

/* For a command whose first argument is a node; node receives its full name */
int local_open_to_node(struct cli *c, struct erldist **p, char node[ERLDIST_ATOM_SIZE])
{
	int err = local_open(c, p, NULL, c->argv[0]);
	erlang_pid self;

	if (!err)
		err = erldist_self(*p, &self);
	return err ? err : erldist_node_name(node, ERLDIST_ATOM_SIZE, c->argv[0], self.node);
}

/*
 * The first argument as a destination, local being the node it is seen from, or NULL.
 * text receives it with its node and host; NULL: it is of the local node.
 */
static int parse_dest(struct cli *c, struct erldist_term *dest, char **text, const char *local)
{
	struct erldist_parse_options o = {
		.creation = local ? erldist_creation_of : NULL, .node = local,
	};
	int err = erldist_address(dest, c->argv[0], &o);
	char node[ERLDIST_ATOM_SIZE];

	*text = NULL;
	if (err)
		return complain("%s: %s", c->argv[0], o.what ? o.what : erldist_strerror(NULL, err));
	if (erldist_match(dest->term, dest->len, "~a", node, sizeof(node)) &&
	    erldist_print(text, dest->term, dest->len, ERLDIST_PRINT_CREATION) < 0)
		return complain("out of memory");
	return 0;
}

/*
 * For a command whose first argument is a destination. A name of the own node cannot be
 * registered on a private node, so there is none for it.
 */
int local_open_to_dest(struct cli *c, struct erldist **p)
{
	struct erldist_term dest = ERLDIST_TERM_INIT;
	char *text;
	int err;

	*p = NULL;
	err = parse_dest(c, &dest, &text, NULL);
	if (!err)
		err = text ? local_open(c, p, NULL, text) : open_with(c, p, NULL, 0, NULL);
	free(text);
	erldist_term_free(&dest);
	return err;
}

static int connect_to(struct cli *c, struct erldist *p, const char *dest)
{
	int err = erldist_connect(p, dest, c->timeout_ms);

	if (err)
		complain("%s", erldist_strerror(p, err));
	return err;
}

/*
 * A process for the destination that is the first argument, whose node is connected:
 * without that much would succeed though no process is there.
 */
int local_reach(struct cli *c, struct erldist **p, struct erldist_term *dest)
{
	char *text = NULL;
	erlang_pid self;
	int err = local_open_to_dest(c, p);

	if (!err)
		err = erldist_self(*p, &self);
	if (!err)
		err = parse_dest(c, dest, &text, self.node);
	if (!err && text)
		err = connect_to(c, *p, text);
	free(text);
	return err;
}

static int found(void *user, const struct erldist_node_info *info)
{
	(void)user;
	(void)info;
	return 1;
}

/* For a list that is empty. On standard error, as scripts read the list. */
bool tell_no_node(struct cli *c, struct erldist_observer *o)
{
	if (c->json || erldist_nodes(o, found, NULL))
		return false;
	complain(NO_NODE);
	return true;
}

/* Returns the exit status */
int tell_not_here(const char *node)
{
	return complain("%s is no node of this machine (network namespace); look at 'erldist "
			"status'", node);
}

/* Does the text, seen from a local node, mean that node? */
bool same_node(const char *text, const char *node, const char *local)
{
	char full[ERLDIST_ATOM_SIZE];

	return !erldist_node_name(full, sizeof(full), text, local) && !strcmp(full, node);
}

/* As net_adm:ping/1 does: it answers when all that came before this was handled there */
int ask_node(struct erldist *p, const char *node, int timeout_ms)
{
	struct erldist_term request = ERLDIST_TERM_INIT;
	struct erldist_msg m = ERLDIST_MSG_INIT;
	char dest[ERLDIST_NAME_MAX + 16];
	erlang_pid self;
	ssize_t n;

	snprintf(dest, sizeof(dest), "net_kernel@%s", node);
	n = erldist_self(p, &self);
	if (!n)
		n = erldist_format(&request, "{is_auth,~a}", self.node);
	if (!n)
		n = erldist_call(p, dest, request.term, request.len, &m, timeout_ms);
	if (n >= 0 && erldist_match(m.term, m.len, "yes"))
		n = -EPROTO;
	erldist_term_free(&request);
	erldist_msg_free(&m);
	return n < 0 ? (int)n : 0;
}

int parse_term(struct erldist_term *t, const char *text)
{
	struct erldist_parse_options o = { .creation = erldist_creation_of };
	int err = erldist_parse(t, text, &o);

	if (err && o.offset < strlen(text))
		complain("%s: %s, at \"%.20s\"", text, o.what, text + o.offset);
	else if (err)
		complain("%s: %s, at the end", text, o.what);
	return err;
}
