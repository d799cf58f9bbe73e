// SPDX-License-Identifier: LGPL-2.1-or-later
/* Listening, at any number of places, and handing over who connects. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper.h"

#define BACKLOG		128	/* as OTP */
#define ACCEPTS_MAX	64	/* of one call, so that others have their turn */
#define PAUSE_MS	1000	/* without descriptors or memory to accept with */
#define RESOLVE_MS	5000	/* the name of a place to listen at */
#define TELL_MS		1000	/* between refusals that are told */

/* "ADDR:PORT", "[ADDR]:PORT", "[ADDR]", ":PORT", "*:PORT", "PORT". Port 0: none is given */
int ed_split_place(struct ed_error *e, const char *where, char *host, size_t size,
		   uint16_t *port)
{
	const char *colon = strrchr(where, ':'), *begin = where, *end = colon, *number;

	if (*where == '[' && where[strlen(where) - 1] == ']')
		end = colon = where + strlen(where);
	number = !colon ? where : *colon ? colon + 1 : "0";
	if (!colon)
		end = where;
	if (*begin == '[' && end > begin + 1 && end[-1] == ']') {
		begin++;
		end--;
	}
	if ((size_t)(end - begin) >= size)
		return ed_fail(e, -EINVAL, "%s: the address is too long", where);
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = 0;
	if (!strcmp(host, "*"))
		host[0] = 0;
	if (!*number || number[strspn(number, "0123456789")] || strlen(number) > 5 ||
	    atol(number) > UINT16_MAX)
		return ed_fail(e, -EINVAL, "%s: expected ADDRESS:PORT, port 0 to 65535", where);
	*port = (uint16_t)atol(number);
	return 0;
}

static struct listener *add(struct erldist_keeper *k, int fd)
{
	struct listener *l = calloc(1, sizeof(*l)), **end;

	if (!l)
		return NULL;
	l->k = k;
	l->source.fd = fd;
	for (end = &k->listeners; *end; end = &(*end)->next)
		;
	*end = l;
	return l;
}

/* The first port is the one that epmd is told */
static int add_stream(struct erldist_keeper *k, int fd, const char *what)
{
	union address a;
	socklen_t len = sizeof(a);
	int err;

	if (listen(fd, BACKLOG) || getsockname(fd, &a.sa, &len)) {
		err = ed_fail(&k->error, -errno, "listen on %s: %s%s", what, ed_errno_text(errno),
			      errno == ENOENT ? "; its directory is missing" : "");
		close(fd);
		return err;
	}
	if (!add(k, fd)) {
		close(fd);
		return ed_fail(&k->error, -ENOMEM, "out of memory");
	}
	if (!k->port && a.sa.sa_family == AF_INET)
		k->port = ntohs(a.in.sin_port);
	else if (!k->port && a.sa.sa_family == AF_INET6)
		k->port = ntohs(a.in6.sin6_port);
	return 0;
}

/* A bound socket or a negative errno. IPv6 alone, so that both can have a place */
static int bind_to(const union address *to, uint16_t port)
{
	static const int one = 1;
	bool six = to->sa.sa_family == AF_INET6;
	union address a = *to;
	int fd, err;

	if (six)
		a.in6.sin6_port = htons(port);
	else
		a.in.sin_port = htons(port);
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &a.sa, six ? sizeof(a.in6) : sizeof(a.in))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/*
 * The place as a message names it. Without a port of its own it has those of
 * --listen-min and --listen-max.
 */
static void name_place(char *text, size_t size, const char *where, uint16_t min, uint16_t max)
{
	char host[ED_NODE_SIZE] = "";
	uint16_t given = 0;
	bool six;
	int len;

	if (ed_split_place(NULL, where, host, sizeof(host), &given) || given || !min) {
		snprintf(text, size, "%s", where);
		return;
	}
	six = strchr(host, ':');
	len = snprintf(text, size, "%s%s%s:%u", six ? "[" : "", *host ? host : "*",
		       six ? "]" : "", min);
	if (max > min && len > 0 && (size_t)len < size)
		snprintf(text + len, size - (size_t)len, "-%u", max);
}

static int failed(struct erldist_keeper *k, const char *where, uint16_t min, uint16_t max,
		  int err)
{
	char ports[32], place[ED_NODE_SIZE + 32];

	name_place(place, sizeof(place), where, min, max);
	if (!min)
		snprintf(ports, sizeof(ports), "any port");
	else if (min == max)
		snprintf(ports, sizeof(ports), "port %u", min);
	else
		snprintf(ports, sizeof(ports), "ports %u to %u", min, max);
	if (err == -EADDRNOTAVAIL)
		return ed_fail(&k->error, err, "listen on %s: it is no address of this host", where);
	if (err == -EADDRINUSE)
		return ed_fail(&k->error, err, "listen on %s: %s %s in use; choose another ('ss -ltnp' "
			       "shows the owner)", place, ports, min == max ? "is" : "are all");
	return ed_fail(&k->error, err, "listen on %s, %s: %s", place, ports, ed_errno_text(err));
}

/* A reader of a configuration can have a watchdog, and must not wait for a name server for long */
static int resolve_place(struct erldist_keeper *k, const char *where, uint16_t *port,
			 union address *to)
{
	struct addresses all = { .n = 0 };
	char host[ED_NODE_SIZE];
	int err;

	err = ed_split_place(&k->error, where, host, sizeof(host), port);
	if (err)
		return err;
	memset(to, 0, sizeof(*to));
	to->sa.sa_family = AF_INET;
	if (!host[0])
		return 0;
	if (ed_resolve_number(&all, host))
		err = ed_resolve_wait(&all, host, RESOLVE_MS);
	if (err == -ETIMEDOUT)
		return ed_fail(&k->error, err, "listen on %s: the host name was not resolved in "
			       "time", where);
	if (err)
		return ed_fail(&k->error, -EINVAL, "listen on %s: the host name does not resolve",
			       where);
	*to = all.list[0];
	return 0;
}

static int listen_tcp(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		      const char *where)
{
	int err, fd = -EADDRINUSE;
	uint32_t min, max, port;
	union address to;
	uint16_t given;

	err = resolve_place(k, where, &given, &to);
	if (err)
		return err;
	min = given ? given : o->listen_min;
	max = given ? given : o->listen_max;
	for (port = min; fd == -EADDRINUSE && port <= max; port++)
		fd = bind_to(&to, (uint16_t)port);
	return fd < 0 ? failed(k, where, (uint16_t)min, (uint16_t)max, fd) :
			add_stream(k, fd, where);
}

static int path_address(struct erldist_keeper *k, struct sockaddr_un *sa, const char *path)
{
	if (!*path || strlen(path) >= sizeof(sa->sun_path))
		return ed_fail(&k->error, -EINVAL, "listen on unix:%s: a path has 1 to %zu bytes",
			       path, sizeof(sa->sun_path) - 1);
	sa->sun_family = AF_UNIX;
	strcpy(sa->sun_path, path);
	return 0;
}

static int bind_path(struct erldist_keeper *k, int lock, int fd, const struct sockaddr_un *sa)
{
	char what[32 + sizeof(sa->sun_path)];
	int err;

	snprintf(what, sizeof(what), "listen on unix:%s", sa->sun_path);
	err = ed_path_bind(&k->error, lock, fd, sa, what);
	if (err) {
		close(fd);
		return err;
	}
	err = add_stream(k, fd, sa->sun_path);
	if (err)
		unlink(sa->sun_path);
	return err;
}

static int listen_path(struct erldist_keeper *k, const char *path)
{
	struct sockaddr_un sa = { 0 };
	struct listener *l;
	int fd, lock, err;

	err = path_address(k, &sa, path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ed_fail(&k->error, -errno, "socket: %s", ed_errno_text(errno));
	lock = ed_path_lock(&sa);
	err = bind_path(k, lock, fd, &sa);
	ed_path_unlock(lock, &sa);
	if (err)
		return err;
	for (l = k->listeners; l->next; l = l->next)
		;
	if (!lstat(path, &l->made))
		strcpy(l->path, path);
	return 0;
}

/* Nobody listens there any more, unless it is another's path by now, or kept by one */
static void leave_path(const struct listener *l)
{
	struct stat st;

	if (l->path[0] && !l->kept && !lstat(l->path, &st) && st.st_ino == l->made.st_ino &&
	    st.st_dev == l->made.st_dev)
		unlink(l->path);
}

/* A socket that whoever started us made, and which is ours now */
static int listen_inherited(struct erldist_keeper *k, const char *where)
{
	int listening = 0, fd = atoi(where + 3), fl;
	socklen_t len = sizeof(listening);

	if (!where[3] || where[3 + strspn(where + 3, "0123456789")])
		return ed_fail(&k->error, -EINVAL, "listen on %s: expected fd:NUMBER", where);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) || !listening)
		return ed_fail(&k->error, -EINVAL, "listen on %s: it is no listening socket", where);
	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK))
		return ed_fail(&k->error, -errno, "listen on %s: %s", where, ed_errno_text(errno));
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return ed_fail(&k->error, -errno, "listen on %s: %s", where, ed_errno_text(errno));
	return add_stream(k, fd, where);
}

/* Those that were given are ours */
void ed_listen_take(const struct erldist_keeper_options *o)
{
	const char *const *where;

	if (o->listen && !strncmp(o->listen, "fd:", 3))
		close(atoi(o->listen + 3));
	for (where = o->listens; where && *where; where++)
		if (!strncmp(*where, "fd:", 3))
			close(atoi(*where + 3));
}

static int listen_on(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		     const char *where)
{
	if (!strncmp(where, "unix:", 5))
		return listen_path(k, where + 5);
	if (!strncmp(where, "fd:", 3))
		return listen_inherited(k, where);
	return listen_tcp(k, o, where);
}

static int check_place(struct erldist_keeper *k, const char *where)
{
	struct sockaddr_un sa;
	union address to;
	uint16_t port;

	if (!strncmp(where, "unix:", 5))
		return path_address(k, &sa, where + 5);
	if (!strncmp(where, "fd:", 3))
		return 0;
	return resolve_place(k, where, &port, &to);
}

/* Are they places? */
int ed_listen_check(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	const char *const *where;
	int err = 0;

	if (o->listen)
		err = check_place(k, o->listen);
	for (where = o->listens; !err && where && *where; where++)
		err = check_place(k, *where);
	return err;
}

int ed_listen_open(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	const char *const *where;
	char any[16];
	int err = 0;

	if (o->listen_min > o->listen_max)
		return ed_fail(&k->error, -EINVAL, "ports %u to %u are no range", o->listen_min,
			       o->listen_max);
	if (o->listen)
		err = listen_on(k, o, o->listen);
	for (where = o->listens; !err && where && *where; where++)
		err = listen_on(k, o, *where);
	if (err || k->listeners)
		return err;
	snprintf(any, sizeof(any), "*:%u", o->dist_port);
	return listen_on(k, o, any);
}

/* One message a second, whoever knocks how often */
static void refuse(struct erldist_keeper *k, const union address *from, const char *why)
{
	char text[ADDRESS_TEXT];

	if (k->told_limit && ed_now() - k->told_limit < TELL_MS)
		return;
	k->told_limit = ed_now();
	ed_address_text(text, from);
	ed_keeper_tell(k, ERLDIST_KEEPER_REJECTED, NULL, EUSERS, "a connection from %s was "
		       "refused: %s", text, why);
}

static void hand_over(struct erldist_keeper *k, int fd, const union address *from)
{
	struct hand_over h = { .fd = fd, .role = ERLDIST_ROLE_ACCEPTOR };
	const char *why = ed_accepted_refuse(k, from);
	int err;

	if (why) {
		refuse(k, from, why);
		close(fd);
		return;
	}
	h.tag = ++k->next_tag;
	/* before, as the kernel may ask about it at once; takes the descriptor if it is of use */
	ed_accepted_add(k, fd, h.tag, from);
	err = ed_node_channel(k, &h);
	if (err == -EUSERS)
		refuse(k, from, "too many connections are in their handshake");
	else if (err)
		refuse(k, from, ed_errno_text(err));
	if (err)
		ed_accepted_forget(k, h.tag);
	close(fd);
}

static void watch_all(struct erldist_keeper *k, uint32_t events)
{
	struct listener *l;

	for (l = k->listeners; l; l = l->next)
		ed_source_change(k, &l->source, events);
}

/* Whoever waits stays readable: looking again at once would be a busy loop */
static void pause_accepting(struct erldist_keeper *k, int err)
{
	ed_keeper_tell(k, ERLDIST_KEEPER_REJECTED, NULL, -err, "%s cannot accept connections: %s",
		       k->node, ed_errno_text(err));
	watch_all(k, 0);
	k->listen_again = ed_now() + PAUSE_MS;
}

void ed_listen_timer(struct erldist_keeper *k)
{
	if (k->listen_again < 0 || k->listen_again > ed_now())
		return;
	k->listen_again = -1;
	watch_all(k, EPOLLIN);
}

static void accept_failed(struct erldist_keeper *k, int err)
{
	switch (err) {
	case -EMFILE:
	case -ENFILE:
	case -ENOBUFS:
	case -ENOMEM:
		pause_accepting(k, err);
		return;
	default:
		/* none there, or one that is gone again */
		return;
	}
}

static void on_connection(struct source *s, uint32_t events)
{
	struct listener *l = container_of(s, struct listener, source);
	union address from;
	socklen_t len;
	int fd, i;

	(void)events;
	for (i = 0; i < ACCEPTS_MAX; i++) {
		memset(&from, 0, sizeof(from));
		len = sizeof(from);
		fd = accept4(s->fd, &from.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			accept_failed(l->k, -errno);
			return;
		}
		hand_over(l->k, fd, &from);
	}
}

/* Once there is a node to accept for */
int ed_listen_start(struct erldist_keeper *k)
{
	struct listener *l;
	int err = 0;

	for (l = k->listeners; !err && l; l = l->next) {
		l->source.ready = on_connection;
		err = ed_source_add(k, &l->source, EPOLLIN);
	}
	return err;
}

void ed_listen_close(struct erldist_keeper *k)
{
	struct listener *l;

	while ((l = k->listeners)) {
		k->listeners = l->next;
		leave_path(l);
		ed_source_close(k, &l->source);
		free(l);
	}
}
