// SPDX-License-Identifier: LGPL-2.1-or-later
/* A process: open, options, close. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define LOOK_AGAIN_MS	500

static int set(struct erldist *p, int option, const void *value, size_t len)
{
	return setsockopt(p->fd, SOL_ERLDIST, option, value, (socklen_t)len) ? -errno : 0;
}

static int get(struct erldist *p, int option, void *value, socklen_t *len)
{
	return getsockopt(p->fd, SOL_ERLDIST, option, value, len) ? -errno : 0;
}

int ed_sockaddr(struct sockaddr_erldist *sa, int family, const void *term, size_t len)
{
	if (len > sizeof(sa->sed_term))
		return -EOVERFLOW;
	sa->sed_family = (__kernel_sa_family_t)family;
	if (len)
		memcpy(sa->sed_term, term, len);
	return (int)(offsetof(struct sockaddr_erldist, sed_term) + len);
}

/* The address to bind: nothing, Name, Node or {Name, Node} */
static int own_address(struct erldist *p, struct erldist_term *t, const char *name,
		       const char *node)
{
	char full[ED_NODE_SIZE];
	int err;

	if (node) {
		err = ed_local_node(&p->error, full, node);
		if (err)
			return err;
		node = full;
	}
	if (name && node)
		err = ed_put_name_at(t, name, strlen(name), node);
	else if (name && strchr(name, '@'))
		return ed_fail(&p->error, -EINVAL, "%s: a name with @ needs the node to be given",
			       name);
	else if (name || node)
		err = ed_put_atom(t, name ? name : node, strlen(name ? name : node));
	else
		return 0;
	if (err == -EINVAL)
		ed_fail(&p->error, err, "%s: a name has 1 to 255 characters, in UTF-8", name);
	return err;
}

static int bind_term(struct erldist *p, const struct erldist_term *t)
{
	struct sockaddr_erldist sa;
	int len = ed_sockaddr(&sa, p->family, t->term, t->len);

	if (len < 0)
		return set(p, ERLDIST_BIND, t->term, t->len);
	return bind(p->fd, (struct sockaddr *)&sa, (socklen_t)len) ? -errno : 0;
}

static int bind_failed(struct erldist *p, int err, const char *name, const char *node)
{
	switch (err) {
	case -EADDRNOTAVAIL:
		if (node)
			return ed_fail(&p->error, err, "%s is no node of " ED_THIS_MACHINE
				       "; look at 'erldist node show'", node);
		return ed_no_node(&p->error, "");
	case -EADDRINUSE:
		return ed_fail(&p->error, err, "the name %s is taken%s%s; look at "
			       "'erldist process show'", name ? name : "", node ? " on " : "",
			       node ? node : "");
	case -EACCES:
		return ed_not_let_in(&p->error, name, node);
	default:
		return ed_fail(&p->error, err, "bind: %s", ed_errno_text(err));
	}
}

static int learn_self(struct erldist *p)
{
	uint8_t term[ERLDIST_ATOM_SIZE + 32];
	socklen_t len = sizeof(term);
	struct ed_reader r;
	int err;

	err = get(p, ERLDIST_SELF, term, &len);
	if (!err) {
		ed_reader_init(&r, term, len);
		err = ed_read_pid(&r, &p->self);
	}
	if (err)
		return ed_fail(&p->error, err, "the own pid is not known: %s", ed_errno_text(err));
	snprintf(p->node, sizeof(p->node), "%.*s", ERLDIST_NAME_MAX, p->self.node);
	return 0;
}

static int open_on(struct erldist *p, int family, const char *name, const char *node)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err;

	p->family = family;
	p->fd = socket(family, SOCK_RDM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return ed_fail(&p->error, -errno, "socket: %s", ed_errno_text(errno));
	err = own_address(p, &t, name, node);
	if (!err) {
		err = bind_term(p, &t);
		if (err)
			bind_failed(p, err, name, node);
	}
	erldist_term_free(&t);
	return err ? err : learn_self(p);
}

/* What came is ours, and ends with us, as if we had bound it */
static int adopt(struct erldist *p, int fd)
{
	const int32_t self = ERLDIST_OWNER_SELF;
	socklen_t len = sizeof(p->family);

	p->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &p->family, &len) ||
	    setsockopt(fd, SOL_ERLDIST, ERLDIST_OWNER, &self, sizeof(self)))
		return ed_fail(&p->error, -EPROTO, "%s: what was handed out is no process",
			       p->broker);
	return learn_self(p);
}

/* The kernel judges the name of us, not of the broker */
static int open_by_broker(struct erldist *p, const char *name, const char *path)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err;

	p->broker = strdup(path);
	if (!p->broker)
		return ed_fail(&p->error, -ENOMEM, "out of memory");
	err = ed_broker_ask(&p->error, path);
	err = err < 0 ? err : adopt(p, err);
	if (err || !name)
		return err;
	err = ed_put_atom(&t, name, strlen(name));
	if (!err)
		err = set(p, ERLDIST_NAME, t.term, t.len);
	erldist_term_free(&t);
	return err ? bind_failed(p, err, name, p->node) : 0;
}

static struct erldist *handle_new(void)
{
	struct erldist *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = -1;
	p->own.fd = -1;
	p->error.shared_by = p;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

/* One more process, on the node of another, which gets its errors */
int ed_open_alone(struct erldist **pp, struct erldist *other)
{
	struct erldist *p = handle_new();

	*pp = p;
	if (!p)
		return ed_fail(&other->error, -ENOMEM, "out of memory");
	p->error.shared_by = other;
	if (other->broker)
		return open_by_broker(p, NULL, other->broker);
	return open_on(p, other->family, NULL, other->node);
}

/* An attempt of which nothing is to be left */
static void undo(struct erldist *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->node[0] = 0;
	free(p->broker);
	p->broker = NULL;
}

static int open_own(struct erldist *p, int family, const char *name)
{
	char node[ED_NODE_SIZE];
	int err;

	err = ed_own_open(&p->error, &p->own, node);
	return err ? err : open_on(p, family, name, node);
}

struct choice {
	struct erldist *p;
	int family;
	const char *name;
	int err;
};

static int try_node(void *user, const struct erldist_node_info *info)
{
	struct choice *c = user;

	/* As in the kernel's choice: a node of another user must be named. */
	if (ed_own_info(info) || (!info->by_admin && info->uid != geteuid()))
		return 0;
	c->err = open_on(c->p, c->family, c->name, info->name);
	if (c->err != -EACCES && c->err != -EADDRNOTAVAIL)
		return 1;
	undo(c->p);
	return 0;
}

/* The kernel's choice is a node that ends with its program: any other one */
static int open_other(struct erldist *p, int family, const char *name)
{
	struct choice c = { .p = p, .family = family, .name = name, .err = -EADDRNOTAVAIL };
	struct erldist_observer *o = NULL;

	undo(p);
	if (!erldist_observer_open(&o, 0))
		erldist_nodes(o, try_node, &c);
	erldist_observer_close(o);
	return c.err == -EADDRNOTAVAIL ? ed_no_node(&p->error, "") : c.err;
}

/* The one that is marked, if it is there and may be used; else whichever may be */
static int open_default(struct erldist *p, int family, const char *name)
{
	char node[ED_NODE_SIZE];
	int err;

	if (ed_default_node(node)) {
		err = open_on(p, family, name, node);
		if (err != -EADDRNOTAVAIL && err != -EACCES)
			return err;
		undo(p);
	}
	err = open_on(p, family, name, NULL);
	return !err && ed_own_node(p->node) ? open_other(p, family, name) : err;
}

/* What erldist_open() was asked for */
struct open_to {
	const char *name;
	const char *node;	/* or NULL */
	const char *path;	/* of a broker, or NULL */
	int family;
};

static int try_open(struct erldist *p, const struct open_to *to)
{
	if (to->path)
		return open_by_broker(p, to->name, to->path);
	return to->node ? open_on(p, to->family, to->name, to->node) :
			  open_default(p, to->family, to->name);
}

/* Is the node, or the broker, missing, so that it may come? */
static bool may_come(const struct open_to *to, int err)
{
	return to->path ? err == -ENOENT || err == -ECONNREFUSED : err == -EADDRNOTAVAIL;
}

static int pass_over(void *user, const struct erldist_event *event)
{
	(void)user;
	(void)event;
	return 0;
}

/*
 * Until a node comes or goes, or for LOOK_AGAIN_MS: a broker and a change of a
 * node's mode send no event. o is NULL for a broker.
 */
static int wait_for_event(struct erldist_observer *o)
{
	int err = ed_wait(o ? erldist_observer_fd(o) : -1, POLLIN, ed_deadline(LOOK_AGAIN_MS));

	if (err == -ETIMEDOUT)
		return 0;
	return err ? err : erldist_observer_dispatch(o, pass_over, NULL);
}

/* The observer subscribes before the first try, which therefore misses no new node. */
static int open_and_wait(struct erldist *p, const struct open_to *to)
{
	struct erldist_observer *o = NULL;
	int err = to->path ? 0 : erldist_observer_open(&o, ERLDIST_OBSERVE_NODES);

	while (!err) {
		err = try_open(p, to);
		if (!may_come(to, err))
			break;
		undo(p);
		err = wait_for_event(o);
		if (err)
			ed_fail(&p->error, err, "waiting for a node: %s", ed_errno_text(err));
	}
	erldist_observer_close(o);
	return err;
}

int erldist_open(struct erldist **pp, const char *name, const char *node, unsigned int flags)
{
	return erldist_open_to(pp, name, node, flags, NULL, 0);
}

/* The caller did not name the node, and may not know of the variable that did */
static int node_of_variable_failed(struct erldist *p, int err, const char *node)
{
	char text[sizeof(p->error.text)];

	if (err == -EADDRINUSE)
		return err;
	snprintf(text, sizeof(text), "%s", erldist_strerror(p, err));
	return ed_fail(&p->error, err, "%s; ERLDIST_NODE is %s", text, node);
}

static int open_flagged(struct erldist *p, struct open_to *to, unsigned int flags)
{
	int err = to->path ? 0 : ed_family(&p->error, &to->family);

	if (err)
		return err;
	if (flags & ERLDIST_OPEN_WAIT)
		return open_and_wait(p, to);
	err = try_open(p, to);
	if (err == -EADDRNOTAVAIL && !to->node && flags & ERLDIST_OPEN_PRIVATE) {
		undo(p);
		err = open_own(p, to->family, to->name);
	}
	return err;
}

int erldist_open_to(struct erldist **pp, const char *name, const char *node,
		    unsigned int flags, const char *dest, int timeout_ms)
{
	struct open_to to = { .name = name, .node = node };
	struct erldist *p = handle_new();
	int err;

	*pp = p;
	if (!p)
		return -ENOMEM;
	if (flags & ~(ERLDIST_OPEN_WAIT | ERLDIST_OPEN_PRIVATE) ||
	    flags == (ERLDIST_OPEN_WAIT | ERLDIST_OPEN_PRIVATE))
		return ed_fail(&p->error, -EINVAL, "open: the flags 0x%x do not go together",
			       flags);
	ed_own_named_by(&p->own, dest, timeout_ms);
	if (!node) {
		to.node = secure_getenv("ERLDIST_NODE");
		if (to.node && !*to.node)
			to.node = NULL;
	}
	to.path = ed_broker_path(to.node);
	err = open_flagged(p, &to, flags);
	return err && to.node && !node ? node_of_variable_failed(p, err, to.node) : err;
}

void erldist_close(struct erldist *p)
{
	if (!p)
		return;
	ed_ports_close(p);
	if (p->fd >= 0)
		close(p->fd);
	ed_own_close(&p->own);
	pthread_mutex_destroy(&p->lock);
	free(p->broker);
	free(p);
}

int erldist_fd(const struct erldist *p)
{
	return p->fd >= 0 ? p->fd : -EBADF;
}

int erldist_self(struct erldist *p, erlang_pid *pid)
{
	if (p->fd < 0)
		return -EBADF;
	*pid = p->self;
	return 0;
}

int erldist_register(struct erldist *p, const char *name)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = 0;

	if (name)
		err = ed_put_atom(&t, name, strlen(name));
	if (!err)
		err = set(p, ERLDIST_NAME, t.term, t.len);
	erldist_term_free(&t);
	return err ? ed_fail(&p->error, err, "%s: %s", name ? name : "no name",
			     ed_errno_text(err)) : 0;
}

int erldist_trap_exit(struct erldist *p, int on)
{
	uint32_t v = on != 0;

	return set(p, ERLDIST_TRAP_EXIT, &v, sizeof(v));
}

int erldist_exit_reason(struct erldist *p, const void *term, size_t len)
{
	struct erldist_slice s = ed_slice(term, len);

	return set(p, ERLDIST_EXIT_REASON, s.term, s.len);
}

static int refs_more(struct erldist *p)
{
	socklen_t len = sizeof(p->refs);
	int err;

	memset(&p->refs, 0, sizeof(p->refs));
	p->refs_used = 0;
	err = get(p, ERLDIST_REFS, &p->refs, &len);
	return !err && !p->refs.count ? -EPROTO : err;
}

/* The numbers of references come from the kernel in blocks; each is given once only */
int ed_ref_next(struct erldist *p, uint64_t *number)
{
	int err = 0;

	pthread_mutex_lock(&p->lock);
	if (p->refs_used >= p->refs.count)
		err = refs_more(p);
	if (!err)
		*number = p->refs.first + p->refs_used++;
	pthread_mutex_unlock(&p->lock);
	return err ? ed_fail(&p->error, err, "references: %s", ed_errno_text(err)) : 0;
}

/* As the kernel makes a reference of its number, see struct erldist_refs */
void ed_ref_make(const struct erldist *p, uint64_t number, erlang_ref *ref)
{
	memset(ref, 0, sizeof(*ref));
	memcpy(ref->node, p->self.node, sizeof(ref->node));
	ref->len = 3;
	ref->n[0] = (uint32_t)(number & 0x3ffff);
	ref->n[1] = (uint32_t)(number >> 18);
	ref->n[2] = p->self.num;
	ref->creation = p->self.creation;
}

int ed_ref_number(struct erldist *p, const erlang_ref *ref, uint64_t *number)
{
	if (ref->len != 3 || ref->n[2] != p->self.num || ref->n[0] > 0x3ffff ||
	    ref->creation != p->self.creation || strcmp(ref->node, p->self.node))
		return ed_fail(&p->error, -EINVAL, "the reference is none of this process");
	*number = (uint64_t)ref->n[1] << 18 | ref->n[0];
	return 0;
}

int erldist_make_ref(struct erldist *p, erlang_ref *ref)
{
	uint64_t number;
	int err = ed_ref_next(p, &number);

	if (!err)
		ed_ref_make(p, number, ref);
	return err;
}

/* The process has ended: what it died of */
int ed_ended(struct erldist *p, int err)
{
	char term[4096], *reason = NULL;
	socklen_t len = sizeof(term);

	if (err == -ENETDOWN)
		return ed_fail(&p->error, err, "the process has ended: its node %s is gone",
			       p->node);
	if (!get(p, ERLDIST_EXIT_STATUS, term, &len) && len &&
	    erldist_print(&reason, term, len, 0) >= 0)
		ed_fail(&p->error, err, "the process has ended: %s", reason);
	else
		ed_fail(&p->error, err, "%s", ed_errno_text(err));
	free(reason);
	return err;
}
