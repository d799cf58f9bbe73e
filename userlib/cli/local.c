// SPDX-License-Identifier: GPL-2.0-only
/* Acting in a local node: a process of ours there. */
#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define LOOK_MS	100

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

static int full_name(struct cli *c, struct erldist *p, char node[ERLDIST_ATOM_SIZE])
{
	erlang_pid self;
	int err = erldist_self(p, &self);

	return err ? err : erldist_node_name(node, ERLDIST_ATOM_SIZE, c->argv[0], self.node);
}

/* For a command whose first argument is a node; node receives its full name */
int local_open_to_node(struct cli *c, struct erldist **p, char node[ERLDIST_ATOM_SIZE])
{
	int err = local_open(c, p, NULL, c->argv[0]);

	return err ? err : full_name(c, *p, node);
}

/* The same, for what is to last longer than the command: a private node ends with that */
int local_open_lasting(struct cli *c, struct erldist **p, char node[ERLDIST_ATOM_SIZE])
{
	int err = open_with(c, p, NULL, 0, NULL);

	return err ? err : full_name(c, *p, node);
}

struct known {
	const char *text;
	bool found;
};

static int known_node(void *user, const struct erldist_node_info *n)
{
	struct known *k = user;

	k->found = same_node(k->text, n->name, n->name);
	return k->found;
}

static int known_peer(void *user, const struct erldist_peer_info *p)
{
	struct known *k = user;

	k->found = p->state == ERLDIST_PEER_STATE_UP && same_node(k->text, p->name, p->name);
	return k->found;
}

/* Does the text name a node of this machine, or one that these are connected to? */
static bool names_node(const char *text)
{
	struct known k = { .text = text };
	struct erldist_observer *o = NULL;

	if (!erldist_observer_open(&o, 0) && !erldist_nodes(o, known_node, &k))
		erldist_peers(o, known_peer, &k);
	erldist_observer_close(o);
	return k.found;
}

/* Is the host, in NAME@HOST, this one's name? */
static bool names_this_host(const char *text)
{
	char full[ERLDIST_ATOM_SIZE];
	const char *at = strchr(text, '@');

	return at && !erldist_node_name(full, sizeof(full), "x", NULL) &&
	       !strcmp(strchr(full, '@'), at);
}

/* A node of this host needs no host */
static int tell_node(const char *text, const char *node)
{
	int len = (int)(names_this_host(node) ? strcspn(node, "@") : strlen(node));

	return complain("%s is a node, and a process is wanted: write NAME@%.*s, for example "
			"calc@%.*s", text, len, node, len, node);
}

/* echo@bob, where bob is wanted. Told if so */
bool tell_process_for_node(const char *text)
{
	const char *at = strchr(text, '@');

	if (!at || names_node(text) || !names_node(at + 1))
		return false;
	return complain("%s is a process of the node %s, and the node is wanted: write %s", text,
			at + 1, at + 1);
}

/* A dot that stands for an @: calc.svc, svc.vm */
static bool tell_dotted(const char *text)
{
	char at[ERLDIST_ATOM_SIZE];
	char *dot;

	snprintf(at, sizeof(at), "%s", text);
	dot = strchr(at, '.');
	if (!dot || strchr(at, '@'))
		return false;
	*dot = '@';
	if (names_node(at))
		return tell_node(text, at);
	if (!names_node(dot + 1))
		return false;
	return complain("%s is no process: write %s", text, at);
}

/* A node where a process is wanted is a common mistake: text could be one. Told if so */
static bool tell_mistaken(const char *text, int err)
{
	bool named = strchr(text, '@');

	if (strchr("<{#'", *text) || (!named && err != -ESRCH) || err == -EREMOTEIO)
		return false;
	if (names_node(text))
		return tell_node(text, text);
	if (!named)
		return tell_dotted(text);
	/* svc@vm is process svc of the node vm here, which is seldom meant */
	if (!names_this_host(text) || names_node(strchr(text, '@') + 1))
		return false;
	return complain("%s means the process %.*s of the node %s, which is not there; a process "
			"of the node %s is written calc@%.*s", text, (int)strcspn(text, "@"),
			text, strchr(text, '@') + 1, text, (int)strcspn(text, "@"), text);
}

/* For a command whose first argument is a destination. Returns the exit status */
int tell_failed(struct cli *c, struct erldist *p, int err)
{
	const char *text = c->argv[0];

	if (tell_mistaken(text, err))
		return 1;
	if (err == -ESRCH && isupper((unsigned char)*text) && strncmp(text, "Elixir.", 7))
		return complain("%s; if it is named after an Elixir module, write Elixir.%s",
				erldist_strerror(p, err), text);
	if (err == -ESRCH && !strpbrk(text, "<{#'@"))
		return complain("%s; a process of another node is NAME@NODE",
				erldist_strerror(p, err));
	return complain("%s", erldist_strerror(p, err));
}

/* {calc,svc}: a term is taken as it is, and its node lacks the host */
static bool tell_no_host(const char *text)
{
	char name[ERLDIST_ATOM_SIZE], node[ERLDIST_ATOM_SIZE];
	struct erldist_term t = ERLDIST_TERM_INIT;
	bool told = false;

	if (!erldist_parse(&t, text, NULL) &&
	    !erldist_match(t.term, t.len, "{~a,~a}", name, sizeof(name), node, sizeof(node)) &&
	    !strchr(node, '@'))
		told = complain("%s: a node in a tuple has its host, as in {%s,'%s@HOST'}; or write "
				"%s@%s", text, name, node, name, node);
	erldist_term_free(&t);
	return told;
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
	if (err && tell_no_host(c->argv[0]))
		return err;
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
		tell_failed(c, p, err);
	return err;
}

/* A peer as a local node sees it, which connects it again and again by itself */
struct kept {
	const char *node;
	const char *peer;
	bool waits;		/* for the next try */
	uint32_t failed;
};

static int look_kept(void *user, const struct erldist_peer_info *p)
{
	struct kept *k = user;

	if (strcmp(p->node, k->node) || strcmp(p->name, k->peer))
		return 0;
	k->waits = p->kept && p->retry && p->state != ERLDIST_PEER_STATE_UP;
	k->failed = p->failed;
	return 1;
}

static void look_at_kept(struct kept *k)
{
	struct erldist_observer *o = NULL;

	k->waits = false;
	if (!erldist_observer_open(&o, 0))
		erldist_peers(o, look_kept, k);
	erldist_observer_close(o);
}

/* Until the next try is over. false: there is none, what was said is new */
static bool await_try(int timeout_ms, const char *node, const char *peer)
{
	struct kept before = { .node = node, .peer = peer }, now = before;
	int left;

	look_at_kept(&before);
	if (!before.waits)
		return false;
	for (left = timeout_ms; left > 0; left -= LOOK_MS) {
		poll(NULL, 0, LOOK_MS);
		look_at_kept(&now);
		if (now.failed != before.failed)
			break;
	}
	return true;
}

/*
 * For the commands that are about a connection. What is said of a peer that is connected
 * again and again is the last try's, seconds old: they wait for the next one.
 */
int connect_node(struct cli *c, struct erldist *p, const char *node)
{
	int err = erldist_connect(p, node, c->timeout_ms);
	erlang_pid self;

	if (err && !erldist_self(p, &self) && await_try(c->timeout_ms, self.node, node))
		err = erldist_connect(p, node, c->timeout_ms);
	return err;
}

struct registered {
	const char *name;
	const char *node;
};

static int has_name(void *user, const struct erldist_process_info *p)
{
	const struct registered *r = user;

	return p->name && !strcmp(p->name, r->name) && !strcmp(p->node, r->node);
}

static bool is_registered(const char *name, const char *node)
{
	struct registered r = { .name = name, .node = node };
	struct erldist_observer *o = NULL;
	bool found = !erldist_observer_open(&o, 0) && erldist_processes(o, has_name, &r) > 0;

	erldist_observer_close(o);
	return found;
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
	else if (!err && names_node(c->argv[0]) && !is_registered(c->argv[0], self.node))
		err = tell_node(c->argv[0], c->argv[0]);
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
bool tell_no_node(struct erldist_observer *o)
{
	if (erldist_nodes(o, found, NULL))
		return false;
	complain(NO_NODE);
	return true;
}

/* As the kernel has it: the owner's, the group's or the others' bit of its mode */
static bool may_use(const struct erldist_node_info *n)
{
	if (!geteuid())
		return true;
	if (n->uid == geteuid())
		return n->mode & 0200;
	return n->mode & (group_member(n->gid) ? 0020 : 0002);
}

struct closed {
	char node[ERLDIST_ATOM_SIZE];	/* the first */
	uint32_t uid;
	uint32_t gid;
	bool open;			/* there is one that this user may use */
};

static int look_closed(void *user, const struct erldist_node_info *n)
{
	struct closed *closed = user;

	closed->open |= may_use(n);
	if (*closed->node)
		return 0;
	snprintf(closed->node, sizeof(closed->node), "%s", n->name);
	closed->uid = n->uid;
	closed->gid = n->gid;
	return 0;
}

/* For a list of processes that is empty: there is none, or this user may see those of no node */
void tell_closed(struct erldist_observer *o)
{
	struct closed closed = { .open = false };

	if (erldist_nodes(o, look_closed, &closed) || !*closed.node)
		return;
	if (closed.open) {
		complain("there are no processes");
		return;
	}
	complain("no processes are shown, as this user may use no node here: %s is one of uid %u; "
		 "run this as that user or root, or start it with --mode 0660 (for the group %u "
		 "too) or 0666 (for all users)", closed.node, closed.uid, closed.gid);
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

/*
 * {:ok, %{a: 1}}: where the parser stopped there is what only Elixir has. %{ is not where
 * it stopped, as a comment begins there.
 */
static const char *elixir_hint(const char *text, size_t offset)
{
	const char *p = text + offset;
	bool colon = *p == ':' && (!offset || p[1] == ' ' || strchr("{[,|> ", p[-1]));

	if (!colon && !strstr(text, "%{"))
		return "";
	return "; this is Elixir's syntax, and Erlang's is wanted: {add,1,2} and #{a => 1}, "
	       "with no colons";
}

int parse_term(struct erldist_term *t, const char *text)
{
	struct erldist_parse_options o = { .creation = erldist_creation_of };
	int err = erldist_parse(t, text, &o);

	if (err && o.offset < strlen(text))
		complain("%s: %s, at \"%.20s\"%s", text, o.what, text + o.offset,
			 elixir_hint(text, o.offset));
	else if (err)
		complain("%s: %s, at the end%s", text, o.what, elixir_hint(text, o.offset));
	return err;
}
