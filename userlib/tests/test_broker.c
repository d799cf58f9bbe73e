// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The broker, and asking it. In place of a process's socket there is a pipe's
 * end: the function of lib/broker_make.c is here.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker.h"
#include "tap.h"

#define NODE	"svc@host"

static char path[64];

static struct {
	int made, fail;
	int told, error;
	struct ucred asker;
	char text[600];
	int admit;
} seen;

int ed_broker_make(struct ed_error *e, const char *node, erlang_pid *self)
{
	int fds[2];

	if (seen.fail)
		return ed_fail(e, seen.fail, "%s has no room", node);
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	close(fds[1]);
	memset(self, 0, sizeof(*self));
	snprintf(self->node, sizeof(self->node), "%s", node);
	seen.made++;
	self->num = (unsigned int)seen.made;
	return fds[0];
}

static void on_event(void *user, const struct erldist_broker_event *e)
{
	(void)user;
	seen.told++;
	seen.error = e->error;
	seen.asker = *e->asker;
	snprintf(seen.text, sizeof(seen.text), "%s", e->text);
}

static int admit(void *user, const struct ucred *asker)
{
	(void)user;
	return asker->uid == getuid() ? seen.admit : 0;
}

static struct erldist_broker *open_broker(uint32_t mode)
{
	struct erldist_broker_options o = ERLDIST_BROKER_OPTIONS_INIT;
	struct erldist_broker *b;
	int err;

	o.path = path;
	o.node = NODE;
	o.mode = mode;
	o.admit = admit;
	o.event = on_event;
	err = erldist_broker_open(&b, &o);
	if (err)
		printf("# %s\n", erldist_strerror(b, err));
	return b;
}

/* As a program does that polls one descriptor */
static void serve(struct erldist_broker *b, int ms)
{
	struct pollfd pfd = { .fd = erldist_broker_fd(b), .events = POLLIN };
	int64_t deadline = ed_deadline(ms);

	while (poll(&pfd, 1, ed_time_left(deadline)) > 0 && !erldist_broker_dispatch(b))
		;
}

static int connect_path(int type)
{
	struct sockaddr_un sa;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ed_broker_address(NULL, &sa, path);
	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return fd;
	close(fd);
	return -1;
}

/* The error in the answer, which stays unread; 1: none yet */
static int answered(int sock)
{
	struct ed_broker_answer a = { 0 };
	ssize_t n = recv(sock, &a, sizeof(a), MSG_DONTWAIT | MSG_PEEK);

	if (n < 0)
		return errno == EAGAIN ? 1 : -errno;
	return a.magic == ED_BROKER_MAGIC ? a.error : -EPROTO;
}

struct question {
	pthread_t thread;
	struct ed_error e;
	int fd;
	int done[2];
};

static void *ask(void *arg)
{
	struct question *q = arg;

	q->fd = ed_broker_ask(&q->e, path);
	close(q->done[1]);
	return NULL;
}

/* What ed_broker_ask() gives while the broker is served, if there is one */
static int asked(struct erldist_broker *b, struct question *q)
{
	struct pollfd pfd = { .events = 0 };

	memset(q, 0, sizeof(*q));
	if (pipe(q->done) || pthread_create(&q->thread, NULL, ask, q))
		return -EIO;
	pfd.fd = q->done[0];
	while (b && !poll(&pfd, 1, 0))
		serve(b, 10);
	pthread_join(q->thread, NULL);
	close(q->done[0]);
	return q->fd;
}

static mode_t mode_of_path(void)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_mode & 07777;
}

static void check_path(void)
{
	struct erldist_broker *b, *other;
	struct erldist_broker_options o = ERLDIST_BROKER_OPTIONS_INIT;
	char too_long[151] = { 0 };
	struct sockaddr_un sa;
	mode_t mask;
	int err, fd;

	b = open_broker(0);
	ok(mode_of_path() == 0600, "the path is its owner's: %o", mode_of_path());
	o.path = path;
	o.node = NODE;
	err = erldist_broker_open(&other, &o);
	ok(err == -EADDRINUSE, "a path that is served: %s", erldist_strerror(other, err));
	erldist_broker_close(other);
	ok(mode_of_path() == 0600, "stays");
	erldist_broker_close(b);
	ok(!mode_of_path() && errno == ENOENT, "the path goes with the broker");

	mask = umask(077);
	b = open_broker(0666);
	umask(mask);
	ok(mode_of_path() == 0666, "the mode is what is asked for: %o", mode_of_path());
	erldist_broker_close(b);
	/* as kill -9 leaves it */
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ed_broker_address(NULL, &sa, path);
	ok(!bind(fd, (struct sockaddr *)&sa, sizeof(sa)), "a path is left behind");
	close(fd);
	b = open_broker(0);
	ok(b && erldist_broker_fd(b) >= 0 && mode_of_path() == 0600, "and taken over");
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
	close(fd);
	erldist_broker_close(b);
	ok(mode_of_path() == 0640, "what is there instead is not removed");
	err = erldist_broker_open(&b, &o);
	ok(err == -EADDRINUSE && mode_of_path() == 0640, "nor replaced: %s",
	   erldist_strerror(b, err));
	erldist_broker_close(b);
	unlink(path);

	o.node = "s v c";
	err = erldist_broker_open(&b, &o);
	ok(err == -EINVAL, "%s", erldist_strerror(b, err));
	erldist_broker_close(b);
	o.node = NODE;
	memset(too_long, 'x', sizeof(too_long) - 1);
	o.path = too_long;
	err = erldist_broker_open(&b, &o);
	ok(err == -EINVAL, "%.60s...", erldist_strerror(b, err));
	erldist_broker_close(b);
	o.path = "/no/such/directory/s";
	err = erldist_broker_open(&b, &o);
	ok(err == -ENOENT, "%s", erldist_strerror(b, err));
	erldist_broker_close(b);
	o.path = NULL;
	err = erldist_broker_open(&b, &o);
	ok(err == -EINVAL, "no path: %s", erldist_strerror(b, err));
	erldist_broker_close(b);
}

/* What bind() has just made is replaced by a link to this; NULL: it is not */
static const char *victim;

int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	long ret = syscall(SYS_bind, fd, sa, len);

	if (!ret && victim && (unlink(path) || symlink(victim, path)))
		printf("# no link: %s\n", strerror(errno));
	return (int)ret;
}

static void check_swapped(void)
{
	char file[] = "/tmp/erldist-victim-XXXXXX";
	int fd = mkstemp(file);
	struct erldist_broker *b;
	struct stat st;

	victim = file;
	b = open_broker(0666);
	victim = NULL;
	ok(!fstat(fd, &st) && (st.st_mode & 0777) == 0600,
	   "a path that is swapped for a link: the file it leads to keeps its mode");
	erldist_broker_close(b);
	ok(!lstat(path, &st) && S_ISLNK(st.st_mode), "and the link is left alone");
	unlink(path);
	unlink(file);
	close(fd);
}

/* The same, while the socket of the path is kept for the next broker */
static void check_adopted_link(void)
{
	struct erldist_broker_options o = ERLDIST_BROKER_OPTIONS_INIT;
	struct erldist_broker *first = open_broker(0666), *b;
	char file[] = "/tmp/erldist-victim-XXXXXX";
	int fd = mkstemp(file), err;
	struct stat st;

	unlink(path);
	if (symlink(file, path))
		printf("# no link: %s\n", strerror(errno));
	o.path = path;
	o.node = NODE;
	o.mode = 0666;
	o.listen_fd = erldist_broker_listen_fd(first);
	err = erldist_broker_open(&b, &o);
	ok(err == -EADDRINUSE, "a link where the socket was: %s", erldist_strerror(b, err));
	ok(!fstat(fd, &st) && (st.st_mode & 0777) == 0600,
	   "the file it leads to keeps its mode: %o", st.st_mode & 0777);
	erldist_broker_close(b);
	erldist_broker_close(first);
	ok(!lstat(path, &st) && S_ISLNK(st.st_mode), "and the link is left alone");
	unlink(path);
	unlink(file);
	close(fd);
}

static void check_asking(struct erldist_broker *b)
{
	struct question q;
	struct erldist *p;
	int fd, err;

	fd = asked(b, &q);
	ok(fd >= 0 && seen.made == 1, "who asks gets what was made");
	ok(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC, "not for his children");
	serve(b, 50);
	ok(seen.told == 1 && !seen.error && seen.asker.uid == getuid() &&
	   seen.asker.pid == getpid(), "%s", seen.text);
	close(fd);
	seen.fail = -EUSERS;
	fd = asked(b, &q);
	ok(fd == -EUSERS && strstr(q.e.text, NODE " has no room"), "why there is none: %s",
	   q.e.text);
	ok(seen.error == EUSERS, "%s", seen.text);
	seen.fail = 0;
	seen.admit = -EACCES;
	fd = asked(b, &q);
	ok(fd == -EACCES && seen.error == EACCES, "who is not admitted: %s", q.e.text);
	seen.admit = 0;
	unlink(path);
	fd = asked(NULL, &q);
	ok(fd == -ENOENT, "nobody is there: %s", q.e.text);
	err = erldist_open(&p, "x", "unix:", 0);
	ok(err == -EINVAL, "%s", erldist_strerror(p, err));
	erldist_close(p);
}

/* Who asks and takes nothing */
static void check_places(struct erldist_broker *b)
{
	int socks[64], one_more, i, given = 0, before = seen.made, told;
	char junk[1000] = "junk";
	struct question q;

	for (i = 0; i < 64; i++) {
		socks[i] = connect_path(SOCK_SEQPACKET);
		if (send(socks[i], junk, sizeof(junk), MSG_DONTWAIT) < 0)
			printf("# send: %s\n", strerror(errno));
		serve(b, 0);
	}
	serve(b, 20);
	for (i = 1; i < 64; i++)
		given += !answered(socks[i]);
	ok(given == 63 && seen.made == before + 64, "64 places, also for who talks");
	one_more = connect_path(SOCK_SEQPACKET);
	serve(b, 20);
	ok(answered(one_more) == -EAGAIN && seen.error == EAGAIN, "and no more: %s", seen.text);
	close(one_more);
	told = seen.told;
	for (i = 0; i < 10; i++) {
		close(connect_path(SOCK_SEQPACKET));
		serve(b, 0);
	}
	serve(b, 20);
	ok(seen.told == told, "which is told once, not of each");
	ok(asked(b, &q) == -EAGAIN, "who asks waits a while: %s", q.e.text);
	for (i = 0; i < 64; i++)
		close(socks[i]);
	i = asked(b, &q);
	ok(i >= 0, "who hangs up makes room");
	close(i);
}

/* An answer that is not read is under way until its asker has closed, whatever else it does */
static void check_shut(struct erldist_broker *b)
{
	int socks[66], i, before = seen.made, one_more;

	for (i = 0; i < 66; i++) {
		socks[i] = connect_path(SOCK_SEQPACKET);
		serve(b, 0);
		shutdown(socks[i], SHUT_RDWR);
		serve(b, 0);
	}
	serve(b, 20);
	ok(seen.made == before + 64, "who shuts down without reading keeps his place: %d of 64",
	   seen.made - before);
	for (i = 0; i < 66; i++)
		close(socks[i]);
	one_more = connect_path(SOCK_SEQPACKET);
	serve(b, 20);
	ok(!answered(one_more), "which is free once he has closed");
	close(one_more);
	serve(b, 20);
}

/* Users that take no answer, each with as many places as one user can have */
static void check_users(void)
{
	struct erldist_broker *b;
	int socks[6][64], user, i, fd;
	struct question q;
	int64_t begin;

	if (geteuid()) {
		skip("places are left for others", "it needs root");
		return;
	}
	b = open_broker(0666);
	for (user = 0; user < 6; user++) {
		if (seteuid((uid_t)(4001 + user)))
			printf("# seteuid: %s\n", strerror(errno));
		for (i = 0; i < 64; i++) {
			socks[user][i] = connect_path(SOCK_SEQPACKET);
			serve(b, 0);
		}
		if (seteuid(0))
			printf("# seteuid: %s\n", strerror(errno));
	}
	serve(b, 20);
	begin = ed_now();
	fd = asked(b, &q);
	ok(fd >= 0 && ed_now() - begin < ED_BROKER_WAIT_MS / 2,
	   "six users take all they can, and another one is served at once: %s", q.e.text);
	close(fd);
	for (user = 0; user < 6; user++)
		for (i = 0; i < 64; i++)
			close(socks[user][i]);
	erldist_broker_close(b);
}

static unsigned int descriptors(void)
{
	unsigned int n = 0, fd;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl((int)fd, F_GETFD) >= 0;
	return n;
}

static void check_many(struct erldist_broker *b)
{
	unsigned int before, after;
	struct question q;
	int i, fd, got = 0;

	serve(b, 50);
	before = descriptors();
	for (i = 0; i < 200; i++) {
		fd = asked(b, &q);
		got += fd >= 0;
		close(fd);
	}
	serve(b, 50);
	after = descriptors();
	ok(got == 200 && before == after, "200 times, %u descriptors and %u", before, after);
}

/* Without descriptors it waits, rather than looking again and again */
static void check_exhausted(struct erldist_broker *b)
{
	struct pollfd pfd = { .fd = erldist_broker_fd(b), .events = POLLIN };
	int sock = connect_path(SOCK_SEQPACKET), next = dup(sock);
	struct rlimit all, none;
	bool paused;

	close(next);
	getrlimit(RLIMIT_NOFILE, &all);
	none = all;
	none.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &none);
	paused = !erldist_broker_dispatch(b) && !poll(&pfd, 1, 300);
	setrlimit(RLIMIT_NOFILE, &all);
	ok(paused && answered(sock) == 1, "without descriptors it waits");
	serve(b, 1500);
	ok(!answered(sock), "and hands out afterwards");
	close(sock);
}

/* Who asks has one descriptor left: for the connection, not for the process */
static void check_asker_full(struct erldist_broker *b)
{
	struct ed_error e = { 0 };
	struct rlimit limit;
	int next, status = 0;
	pid_t child = fork();

	if (!child) {
		next = dup(0);
		close(next);
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = (rlim_t)next + 1;
		setrlimit(RLIMIT_NOFILE, &limit);
		_exit(-ed_broker_ask(&e, path));
	}
	serve(b, 500);
	waitpid(child, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == EMFILE,
	   "who has no descriptor left for it is told so: %s", strerror(WEXITSTATUS(status)));
}

/* What answers instead of a broker: bytes, and so many descriptors */
struct impostor {
	pthread_t thread;
	int listener;
	const void *bytes;
	size_t len;
	int fds;
};

static void *impose(void *arg)
{
	struct impostor *i = arg;
	int fds[3] = { 0, 0, 0 }, sock = accept(i->listener, NULL, NULL);
	struct iovec iov = { .iov_base = (void *)i->bytes, .iov_len = i->len };
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t size = sizeof(int) * (size_t)i->fds;

	if (i->fds) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(size);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(&control.align), fds, size);
	}
	if (i->len)
		sendmsg(sock, &m, 0);
	close(sock);
	return NULL;
}

static int listen_at_path(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un sa;

	unlink(path);
	ed_broker_address(NULL, &sa, path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1))
		printf("# no impostor: %s\n", strerror(errno));
	return fd;
}

static void impostor(const char *what, const void *bytes, size_t len, int fds)
{
	struct impostor i = { .bytes = bytes, .len = len, .fds = fds };
	unsigned int before = descriptors(), after;
	char where[80];
	struct erldist *p;
	int err;

	i.listener = listen_at_path();
	if (pthread_create(&i.thread, NULL, impose, &i))
		printf("# no impostor: %s\n", strerror(errno));
	snprintf(where, sizeof(where), "unix:%s", path);
	err = erldist_open(&p, "name", where, 0);
	ok(err == -EPROTO, "%s: %s", what, erldist_strerror(p, err));
	erldist_close(p);
	pthread_join(i.thread, NULL);
	close(i.listener);
	after = descriptors();
	ok(before == after, "and nothing is left: %u, %u descriptors", before, after);
}

/* What a broker says must not reach a terminal as it is */
static void check_rude(void)
{
	struct ed_broker_answer rude = { .magic = ED_BROKER_MAGIC, .error = -EACCES };
	const char *text = "no\033]0;x\a \xc2\x9b\x31m \xff";
	struct impostor i = { .bytes = &rude, .len = ED_BROKER_HEAD + strlen(text) };
	struct question q;

	strcpy(rude.text, text);
	i.listener = listen_at_path();
	if (pthread_create(&i.thread, NULL, impose, &i))
		printf("# no impostor: %s\n", strerror(errno));
	ok(asked(NULL, &q) == -EACCES &&
	   strstr(q.e.text, "no\\x1b]0;x\\x07 \\xc2\\x9b1m \\xff"), "it is escaped: %s", q.e.text);
	pthread_join(i.thread, NULL);
	close(i.listener);
}

static void check_impostors(void)
{
	struct ed_broker_answer good = { .magic = ED_BROKER_MAGIC };
	struct ed_broker_answer odd = { .magic = ED_BROKER_MAGIC, .error = 5 };
	struct sockaddr_un sa;
	struct question q;
	int64_t begin;
	int fd, err;

	impostor("no answer", NULL, 0, 0);
	impostor("another protocol", "hello", 5, 1);
	impostor("a positive error", &odd, ED_BROKER_HEAD, 1);
	impostor("no descriptor", &good, ED_BROKER_HEAD, 0);
	impostor("a descriptor of something else", &good, ED_BROKER_HEAD, 1);
	impostor("two descriptors", &good, ED_BROKER_HEAD, 2);
	impostor("three descriptors", &good, sizeof(good), 3);
	unlink(path);
	ed_broker_address(NULL, &sa, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		printf("# bind: %s\n", strerror(errno));
	err = asked(NULL, &q);
	ok(err == -ECONNREFUSED, "nobody listens: %s", q.e.text);
	listen(fd, 1);
	begin = ed_now();
	err = asked(NULL, &q);
	ok(err == -ETIMEDOUT && ed_now() - begin < ED_BROKER_WAIT_MS + 3000,
	   "nobody answers: %s", q.e.text);
	close(fd);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1))
		printf("# bind: %s\n", strerror(errno));
	err = asked(NULL, &q);
	ok(err == -EPROTOTYPE, "a stream: %s", q.e.text);
	close(fd);
	unlink(path);
}

/* Another broker goes on, as when the first was killed and its socket kept */
static void check_handed_on(void)
{
	struct erldist_broker_options o = ERLDIST_BROKER_OPTIONS_INIT;
	struct erldist_broker *first = open_broker(0), *b;
	int fd, err, wrong = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct question q;

	fd = fcntl(erldist_broker_listen_fd(first), F_DUPFD_CLOEXEC, 3);
	o.path = path;
	o.node = NODE;
	o.mode = 0660;
	o.listen_fd = wrong;
	err = erldist_broker_open(&b, &o);
	ok(err == -EINVAL && fcntl(wrong, F_GETFD) >= 0 && mode_of_path() == 0600,
	   "a socket of something else: %s", erldist_strerror(b, err));
	erldist_broker_close(b);
	ok(mode_of_path() == 0600, "takes no path away");
	close(wrong);
	o.listen_fd = fd;
	err = erldist_broker_open(&b, &o);
	ok(!err && fcntl(fd, F_GETFD) < 0, "the socket of a broker is taken: %s",
	   erldist_strerror(b, err));
	ok(mode_of_path() == 0660, "with the mode that is asked for: %o", mode_of_path());
	err = asked(b, &q);
	ok(err >= 0, "and served");
	close(err);
	erldist_broker_close(b);
	ok(!mode_of_path() && errno == ENOENT, "the path goes with the last");
	erldist_broker_close(first);
}

int main(void)
{
	struct erldist_broker *b;

	snprintf(path, sizeof(path), "/tmp/erldist-broker-%d", (int)getpid());
	check_path();
	check_swapped();
	check_adopted_link();
	b = open_broker(0);
	check_asking(b);
	erldist_broker_close(b);
	b = open_broker(0);
	check_many(b);
	check_places(b);
	check_shut(b);
	check_exhausted(b);
	check_asker_full(b);
	erldist_broker_close(b);
	check_users();
	check_impostors();
	check_rude();
	check_handed_on();
	return tap_end();
}
