// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A node for one program, where there is none to be used: "erldist node own" holds
 * it, as a child that ends with us. And which node is the default one.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define BEGIN_MS	10000
#define NAMED_MS	7000	/* of that, until it has its name */

static bool own_name(const char *node)
{
	size_t n = strlen(ERLDIST_OWN_PREFIX);

	return !strncmp(node, ERLDIST_OWN_PREFIX, n) &&
	       node[n + strspn(node + n, "0123456789")] == '@';
}

/* Is it a name as BEAM gives them to others? */
bool ed_given_name(const char *node)
{
	return node[strspn(node, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '@';
}

/* Somebody's own: not to be used by others, as it ends with its program */
bool ed_own_info(const struct erldist_node_info *info)
{
	return own_name(info->name) ||
	       (ed_given_name(info->name) && info->mode & ERLDIST_MODE_OWN);
}

static int is_own(void *user, const struct erldist_node_info *info)
{
	return !strcmp(info->name, user) && ed_own_info(info);
}

bool ed_own_node(const char *node)
{
	struct erldist_observer *o = NULL;
	bool own = own_name(node);

	if (!own && ed_given_name(node)) {
		if (!erldist_observer_open(&o, 0))
			own = erldist_nodes(o, is_own, (void *)(uintptr_t)node) > 0;
		erldist_observer_close(o);
	}
	return own;
}

/*
 * The node that is marked as the default one. The directory can belong to the user of
 * erldistd, so that anything can be at the path: a FIFO must not stop this program, and
 * a link must not lead it elsewhere.
 */
bool ed_default_node(char node[ED_NODE_SIZE])
{
	int fd = open(ERLDIST_DEFAULT_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[ED_NODE_SIZE + 1];	/* shows a name that is too long */
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	text[strcspn(text, " \t\r\n")] = 0;
	if (!ed_node_ok(text))
		return false;
	strcpy(node, text);
	return true;
}

/* A line within the time: "NODE", or words that say why there is none */
static int read_line(int fd, char *line, size_t size)
{
	int64_t deadline = ed_deadline(BEGIN_MS);
	size_t len = 0;
	ssize_t n;
	int err;

	while (len < size - 1 && !memchr(line, '\n', len)) {
		err = ed_wait(fd, POLLIN, deadline);
		if (err == -EINTR)
			continue;
		if (err)
			return err;
		n = read(fd, line + len, size - 1 - len);
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	line[len] = 0;
	line[strcspn(line, "\n")] = 0;
	return len ? 0 : -ECONNRESET;
}

/* in, out: the child's ends */
static int begin(struct ed_own *own, int in, int out)
{
	char *argv[] = { "erldist", "node", "own", NULL, NULL, NULL, NULL, NULL };
	char ms[16];

	if (own->named_by[0]) {
		snprintf(ms, sizeof(ms), "%d", own->within_ms);
		argv[3] = "--timeout";
		argv[4] = ms;
		argv[5] = "--";
		argv[6] = own->named_by;
	}
	return ed_spawn(&own->child, argv, in, out, true);
}

static int start(struct ed_own *own, int *from)
{
	int in[2], out[2], err;

	/* a stream, not a pipe: it is written to without SIGPIPE */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in))
		return -errno;
	if (pipe2(out, O_CLOEXEC)) {
		err = -errno;
		close(in[0]);
		close(in[1]);
		return err;
	}
	err = begin(own, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	own->fd = in[1];
	*from = out[0];
	return err;
}

/* The node of dest is to give it its name, if it is a node's */
void ed_own_named_by(struct ed_own *own, const char *dest, int timeout_ms)
{
	struct erldist_parse_options o = { .user = NULL };
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice s;

	if (!dest || !timeout_ms || ed_address(&t, dest, &o, true))
		return;
	s.term = t.term;
	s.len = t.len;
	if (!ed_node_of(&s, own->named_by) || !ed_node_ok(own->named_by))
		own->named_by[0] = 0;
	own->within_ms = timeout_ms < 0 || timeout_ms > NAMED_MS ? NAMED_MS : timeout_ms;
	erldist_term_free(&t);
}

/* What is told of a node that did not let us in */
struct others_node {
	const char *wanted;	/* or NULL: the first that is no program's own */
	char name[ED_NODE_SIZE];
	uint32_t uid;
	uint32_t gid;
	uint32_t mode;
	bool by_admin;
};

/* As the kernel finds it: "svc" is the first of that name, whatever its host */
static bool is_named(const struct erldist_node_info *info, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(info->name, name, n) &&
	       (!info->name[n] || (info->name[n] == '@' && !strchr(name, '@')));
}

static int look_at_node(void *user, const struct erldist_node_info *info)
{
	struct others_node *node = user;

	if (node->wanted ? !is_named(info, node->wanted) : ed_own_info(info))
		return 0;
	snprintf(node->name, sizeof(node->name), "%s", info->name);
	node->uid = info->uid;
	node->gid = info->gid;
	node->mode = info->mode;
	node->by_admin = info->by_admin;
	return 1;
}

static bool find_others(struct others_node *node)
{
	struct erldist_observer *o = NULL;
	bool found = !erldist_observer_open(&o, 0) && erldist_nodes(o, look_at_node, node) > 0;

	erldist_observer_close(o);
	return found;
}

static int excluded(struct ed_error *e, int err, const struct others_node *node, const char *also,
		    const char *private_failed)
{
	return ed_fail(e, err, "%s lets in whom its mode %04o allows, and not this user: run this "
		       "program as uid %u, which owns the node, or start the node with --mode 0660 "
		       "(lets in group %u) or 0666 (all users: they can then run code on all "
		       "Erlang nodes that accept it)%s%s", node->name, node->mode, node->uid,
		       node->gid, also, private_failed);
}

/* private_failed: why a node of this program's own was not made either, or "" */
int ed_no_node(struct ed_error *e, const char *private_failed)
{
	const char *also = *private_failed ? "; a node of its own could not be made: " : "";
	struct others_node node = { .wanted = NULL };

	if (!find_others(&node))
		return ed_fail(e, -EADDRNOTAVAIL, ED_NO_NODE "%s%s", also, private_failed);
	/* As in the kernel's choice: such a node is used only by its name. */
	if (!node.by_admin && node.uid != geteuid())
		return ed_fail(e, -EADDRNOTAVAIL, "%s is a node of another user, uid %u: to use "
			       "it all the same, name it with --node or ERLDIST_NODE%s%s", node.name,
			       node.uid, also, private_failed);
	return excluded(e, -EADDRNOTAVAIL, &node, also, private_failed);
}

/* A list that the kernel has too */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = { "rex", "global_name_server", "init", "user" };
	size_t i;

	for (i = 0; name && i < ED_ARRAY_SIZE(reserved); i++)
		if (!strcmp(name, reserved[i]))
			return true;
	return false;
}

/* The node that was named, or chosen if it is NULL, did not let us be a process, or name */
int ed_not_let_in(struct ed_error *e, const char *name, const char *node)
{
	struct others_node seen = { .wanted = node };

	if (is_reserved(name))
		return ed_fail(e, -EACCES, "the name %s is reserved for the owner of %s", name,
			       node ? node : "the node");
	if (!node || !find_others(&seen))
		return ed_fail(e, -EACCES, "%s does not let this user in; 'erldist status' shows "
			       "mode and owner", node ? node : "the node");
	return excluded(e, -EACCES, &seen, "", "");
}

/* Makes one; node receives its name. On error nothing is left of it */
int ed_own_open(struct ed_error *e, struct ed_own *own, char node[ED_NODE_SIZE])
{
	char line[sizeof(e->text) / 2] = "";
	const char *why;
	int from = -1, err;

	err = start(own, &from);
	if (!err)
		err = read_line(from, line, sizeof(line));
	if (from >= 0)
		close(from);
	if (!err && ed_node_ok(line)) {
		snprintf(node, ED_NODE_SIZE, "%.*s", ED_NODE_SIZE - 1, line);
		return 0;
	}
	ed_child_kill(&own->child);
	ed_own_close(own);
	why = !err ? line : err == -ENOENT ? "there is no command erldist" : ed_errno_text(err);
	return ed_no_node(e, why);
}

/* Without SIGPIPE: the child may have ended */
static void tell_end(int fd)
{
	send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * It ends when its input has something, or ends: that alone need not come, as who
 * was forked from us may hold it open as well. What was sent has arrived by then, if
 * its readers were not too slow.
 */
void ed_own_close(struct ed_own *own)
{
	if (own->fd >= 0) {
		tell_end(own->fd);
		close(own->fd);
	}
	own->fd = -1;
	if (ed_child_ends(&own->child, own->close_ms ? own->close_ms : ED_OWN_CLOSE_MS))
		return;
	ed_child_kill(&own->child);
	ed_child_wait(&own->child);
}
