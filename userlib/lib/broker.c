// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A broker: hands out processes of a node over an AF_UNIX path. It has nothing
 * to read, and to write one packet that fits the socket's buffer, so no asker can
 * keep it waiting. A descriptor that its asker has not taken counts against the
 * broker's user in the kernel, even after both sides have shut the connection
 * down. So an asker holds a place for as long as its answer is unread, and a user
 * can hold fewer places the fewer are free: however many places some users hold,
 * another one gets one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "broker.h"

#define BACKLOG		128
#define TURNS_MAX	64	/* of one dispatch, so that others have their turn */
#define ASKERS_MAX	256
#define ASKERS_OF_USER	64	/* and no more than there are free places */
#define PAUSE_MS	1000	/* without descriptors or memory to accept with */
#define BUSY_MS		1000	/* that there are too many is told so often at most */
#define PATH_MODE	0600

struct asker {
	struct asker *next;
	int fd;
	uid_t uid;
};

struct erldist_broker {
	struct ed_error error;	/* first */
	struct sockaddr_un path;
	struct stat made;	/* of the path */
	char node[ED_NODE_SIZE];
	int epfd;
	int listener;
	int timer;
	struct asker *askers;
	unsigned int n;
	int64_t busy;		/* until when it is not told that there are too many */
	int (*admit)(void *user, const struct ucred *asker);
	void (*event)(void *user, const struct erldist_broker_event *event);
	void *user;
};

static int watch(struct erldist_broker *b, int op, int fd, uint32_t events, void *what)
{
	struct epoll_event ev = { .events = events, .data.ptr = what };

	return epoll_ctl(b->epfd, op, fd, &ev) ? -errno : 0;
}

static void tell(struct erldist_broker *b, const struct ucred *asker, int err, const char *text)
{
	struct erldist_broker_event event = { .asker = asker, .error = -err, .text = text };

	if (b->event)
		b->event(b->user, &event);
}

static void tell_handed_out(struct erldist_broker *b, const struct ucred *asker,
			    const erlang_pid *self)
{
	char text[sizeof(b->error.text)];

	snprintf(text, sizeof(text), "<%.*s.%u.%u> is handed out to process %d of user %u",
		 ERLDIST_NAME_MAX, self->node, self->num, self->serial, (int)asker->pid,
		 (unsigned int)asker->uid);
	tell(b, asker, 0, text);
}

/* fd: the process's socket, or -1 */
static int answer(int sock, int err, const char *text, int fd)
{
	struct ed_broker_answer a = { .magic = ED_BROKER_MAGIC, .error = err };
	struct iovec iov = { .iov_base = &a };
	union ed_broker_control control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	iov.iov_len = ED_BROKER_HEAD + (size_t)snprintf(a.text, sizeof(a.text), "%.*s",
							(int)sizeof(a.text) - 1, text);
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Those who are many shall not fill a log */
static bool told_already(struct erldist_broker *b, int err)
{
	int64_t now = ed_now();

	if (err != -EAGAIN)
		return false;
	if (now < b->busy)
		return true;
	b->busy = now + BUSY_MS;
	return false;
}

static void deny(struct erldist_broker *b, int sock, const struct ucred *asker, int err,
		 const char *why)
{
	char text[sizeof(b->error.text)];

	snprintf(text, sizeof(text), "process %d of user %u is refused: %.600s", (int)asker->pid,
		 (unsigned int)asker->uid, why);
	if (!told_already(b, err))
		tell(b, asker, err, text);
	/* an asker that does not hear it has gone */
	answer(sock, err, why, -1);
}

static void refuse(struct erldist_broker *b, int sock, const struct ucred *asker, int err,
		   const char *why)
{
	deny(b, sock, asker, err, why);
	close(sock);
}

static void forget(struct erldist_broker *b, struct asker *a)
{
	struct asker **p;

	for (p = &b->askers; *p != a; p = &(*p)->next)
		;
	*p = a->next;
	b->n--;
	/* explicitly, as a child may hold a duplicate for a moment */
	epoll_ctl(b->epfd, EPOLL_CTL_DEL, a->fd, NULL);
	close(a->fd);
	free(a);
}

static unsigned int places_of(const struct erldist_broker *b, uid_t uid)
{
	const struct asker *a;
	unsigned int n = 0;

	for (a = b->askers; a; a = a->next)
		n += a->uid == uid;
	return n;
}

/* Whether the asker has yet to take its answer, with the descriptor in it */
static bool in_flight(const struct asker *a)
{
	int unread = 0;

	return !ioctl(a->fd, SIOCOUTQ, &unread) && unread;
}

/* Of askers that have their answers nothing more is to be expected */
static void free_places(struct erldist_broker *b)
{
	struct asker *a, *next;

	for (a = b->askers; a; a = next) {
		next = a->next;
		if (!in_flight(a))
			forget(b, a);
	}
}

static bool place_for(struct erldist_broker *b, uid_t uid)
{
	unsigned int max;

	free_places(b);
	max = ASKERS_MAX - b->n;
	return places_of(b, uid) < (max < ASKERS_OF_USER ? max : ASKERS_OF_USER);
}

/* An asker that hangs up may still have its answer unread: then its place is not free yet */
static void hung_up(struct erldist_broker *b, struct asker *a)
{
	if (in_flight(a))
		epoll_ctl(b->epfd, EPOLL_CTL_DEL, a->fd, NULL);
	else
		forget(b, a);
}

/* Keeps the connection until the asker has its answer */
static struct asker *remember(struct erldist_broker *b, int sock, uid_t uid)
{
	struct asker *a = malloc(sizeof(*a));

	if (!a)
		return NULL;
	a->fd = sock;
	a->uid = uid;
	a->next = b->askers;
	b->askers = a;
	b->n++;
	/*
	 * What the asker may send is not read, and hanging up is always told. Should
	 * that fail, the place is found to be free when one is looked for.
	 */
	watch(b, EPOLL_CTL_ADD, sock, 0, a);
	return a;
}

static void hand_out(struct erldist_broker *b, int sock, const struct ucred *asker)
{
	struct ed_error e = { .err = 0 };
	struct asker *a;
	erlang_pid self;
	int fd, err;

	fd = ed_broker_make(&e, b->node, &self);
	if (fd < 0) {
		refuse(b, sock, asker, fd, e.text);
		return;
	}
	/* before the answer: once that is under way it has to have a place */
	a = remember(b, sock, asker->uid);
	if (!a) {
		close(fd);
		refuse(b, sock, asker, -ENOMEM, "out of memory");
		return;
	}
	err = answer(sock, 0, "", fd);
	close(fd);
	if (!err) {
		tell_handed_out(b, asker, &self);
		return;
	}
	/* any other error: the asker has gone */
	if (err == -ETOOMANYREFS)
		deny(b, sock, asker, -EAGAIN, "too many processes are under way");
	forget(b, a);
}

static void receive(struct erldist_broker *b, int sock)
{
	struct ucred asker;
	socklen_t len = sizeof(asker);
	int err;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &asker, &len)) {
		close(sock);
		return;
	}
	if (!place_for(b, asker.uid)) {
		refuse(b, sock, &asker, -EAGAIN, "too many ask at once");
		return;
	}
	err = b->admit ? b->admit(b->user, &asker) : 0;
	if (err)
		refuse(b, sock, &asker, err < 0 ? err : -EACCES, "not admitted");
	else
		hand_out(b, sock, &asker);
}

/* Not listening for a moment, rather than trying again and again */
static void pause_accepting(struct erldist_broker *b)
{
	const struct itimerspec when = { .it_value.tv_sec = PAUSE_MS / 1000 };

	watch(b, EPOLL_CTL_MOD, b->listener, 0, &b->listener);
	timerfd_settime(b->timer, 0, &when, NULL);
}

static int accept_one(struct erldist_broker *b)
{
	int sock = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock >= 0) {
		receive(b, sock);
		return 0;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		pause_accepting(b);
		return 0;
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
		return 0;
	default:
		return ed_fail(&b->error, -errno, "%s: %s", b->path.sun_path,
			       ed_errno_text(errno));
	}
}

static int accept_again(struct erldist_broker *b)
{
	uint64_t n;

	if (read(b->timer, &n, sizeof(n)) < 0)
		return 0;
	return watch(b, EPOLL_CTL_MOD, b->listener, EPOLLIN, &b->listener);
}

/* 1: done something, 0: nothing to do */
static int turn(struct erldist_broker *b)
{
	struct epoll_event ev;
	int n = epoll_wait(b->epfd, &ev, 1, 0), err = 0;

	if (n <= 0)
		return n && errno != EINTR ? -errno : 0;
	if (ev.data.ptr == &b->listener)
		err = accept_one(b);
	else if (ev.data.ptr == &b->timer)
		err = accept_again(b);
	else
		hung_up(b, ev.data.ptr);
	return err ? err : 1;
}

int erldist_broker_dispatch(struct erldist_broker *b)
{
	int i, n = 1;

	for (i = 0; n > 0 && i < TURNS_MAX; i++)
		n = turn(b);
	return n < 0 ? n : 0;
}

/*
 * The mode is that of the socket, not of what has been put in its place or what a
 * link there leads to: a user that can write the directory can do both.
 */
static int finish_path(struct erldist_broker *b, mode_t mode)
{
	int fd = open(b->path.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
	char proc[32];

	if (fd < 0)
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fstat(fd, &b->made))
		err = -errno;
	else if (!S_ISSOCK(b->made.st_mode))
		err = -EADDRINUSE;
	else if ((b->made.st_mode & 0777) != mode && chmod(proc, mode))
		err = -errno;
	if (err)
		memset(&b->made, 0, sizeof(b->made));
	close(fd);
	return err;
}

static int listen_at(struct erldist_broker *b, mode_t mode)
{
	const char *path = b->path.sun_path;
	int err = finish_path(b, mode);

	if (!err && listen(b->listener, BACKLOG))
		err = -errno;
	return err ? ed_fail(&b->error, err, "%s: %s", path, ed_errno_text(err)) : 0;
}

/* Never wider than the mode, not for a moment: the path is made with that of the socket */
static int take_path(struct erldist_broker *b, mode_t mode)
{
	const char *path = b->path.sun_path;
	int err, lock;

	if (fchmod(b->listener, mode))
		return ed_fail(&b->error, -errno, "%s: %s", path, ed_errno_text(errno));
	lock = ed_path_lock(&b->path);
	err = ed_path_bind(&b->error, lock, b->listener, &b->path, path);
	if (!err)
		err = listen_at(b, mode);
	ed_path_unlock(lock, &b->path);
	return err;
}

/* Another broker had it, and its path is still there */
static int adopt(struct erldist_broker *b, int given, mode_t mode)
{
	struct sockaddr_un sa = { 0 };
	socklen_t len = sizeof(sa);
	int err;

	if (getsockname(given, (struct sockaddr *)&sa, &len) || sa.sun_family != AF_UNIX ||
	    strncmp(sa.sun_path, b->path.sun_path, sizeof(sa.sun_path)))
		return ed_fail(&b->error, -EINVAL, "descriptor %d does not listen at %s", given,
			       b->path.sun_path);
	err = finish_path(b, mode);
	if (!err) {
		b->listener = fcntl(given, F_DUPFD_CLOEXEC, 0);
		err = b->listener < 0 ? -errno : 0;
	}
	return err ? ed_fail(&b->error, err, "%s: %s", b->path.sun_path, ed_errno_text(err)) : 0;
}

static int open_path(struct erldist_broker *b, mode_t mode)
{
	b->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (b->listener < 0)
		return ed_fail(&b->error, -errno, "socket: %s", ed_errno_text(errno));
	return take_path(b, mode);
}

static int begin(struct erldist_broker *b, mode_t mode, int given)
{
	int err;

	b->epfd = epoll_create1(EPOLL_CLOEXEC);
	b->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (b->epfd < 0 || b->timer < 0)
		return ed_fail(&b->error, -errno, "epoll: %s", ed_errno_text(errno));
	err = given ? adopt(b, given, mode) : open_path(b, mode);
	if (err)
		return err;
	err = watch(b, EPOLL_CTL_ADD, b->timer, EPOLLIN, &b->timer);
	if (!err)
		err = watch(b, EPOLL_CTL_ADD, b->listener, EPOLLIN, &b->listener);
	return err ? ed_fail(&b->error, err, "epoll: %s", ed_errno_text(err)) : 0;
}

int erldist_broker_open(struct erldist_broker **bp, const struct erldist_broker_options *o)
{
	struct erldist_broker *b = calloc(1, sizeof(*b));
	int err;

	*bp = b;
	if (!b)
		return -ENOMEM;
	b->epfd = -1;
	b->timer = -1;
	b->listener = -1;
	b->admit = o->admit;
	b->event = o->event;
	b->user = o->user;
	err = ed_local_node(&b->error, b->node, o->node ? o->node : "");
	if (err)
		return err;
	err = ed_broker_address(&b->error, &b->path, o->path ? o->path : "");
	if (!err)
		err = begin(b, o->mode ? (mode_t)o->mode : PATH_MODE, o->listen_fd);
	if (!err && o->listen_fd)
		close(o->listen_fd);
	return err;
}

/* Another one's path by now is not removed */
static void leave_path(const struct erldist_broker *b)
{
	struct stat st;

	if (b->made.st_ino && !lstat(b->path.sun_path, &st) && st.st_ino == b->made.st_ino &&
	    st.st_dev == b->made.st_dev)
		unlink(b->path.sun_path);
}

void erldist_broker_close(struct erldist_broker *b)
{
	if (!b)
		return;
	while (b->askers)
		forget(b, b->askers);
	leave_path(b);
	if (b->listener >= 0)
		close(b->listener);
	if (b->timer >= 0)
		close(b->timer);
	if (b->epfd >= 0)
		close(b->epfd);
	free(b);
}

int erldist_broker_fd(const struct erldist_broker *b)
{
	return b->epfd >= 0 ? b->epfd : -EBADF;
}

int erldist_broker_listen_fd(const struct erldist_broker *b)
{
	return b->listener >= 0 ? b->listener : -EBADF;
}
