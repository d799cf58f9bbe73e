// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * puppet [NAME]: a process that does what its standard input says, a line at a
 * time, and answers with a line. For the tests with Erlang nodes.
 *
 *	self				pid PID
 *	call MS DEST TERM		reply TERM, or error
 *	rpc MS NODE MOD FUN ARGS	reply TERM, or error
 *	cast DEST TERM			ok, as all that follow, or error
 *	send DEST TERM
 *	link PID, unlink PID
 *	trap 0|1
 *	exit PID|self REASON
 *	monitor DEST USER		ref REF
 *	demonitor REF FLAGS
 *	alias FLAGS USER		ref REF
 *	unalias REF
 *	recv MS				message USER TERM, call USER TERM, cast USER TERM,
 *					exit PID REASON, down USER OBJECT REASON, none
 *	reply TERM			ok: answers the call that was received last
 *	storm THREADS CALLS MS DEST	see storm()
 *
 * An error is "error NAME TEXT"; with the server's end, "down NAME REASON TEXT".
 */
#include <erldist.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct erldist *p;
static struct erldist_msg received = ERLDIST_MSG_INIT;

/* The next word of the line */
static char *word(char **line)
{
	char *w = strsep(line, " ");

	return w ? w : "";
}

static int number(char **line)
{
	return atoi(word(line));
}

static int failed(int err)
{
	printf("error %s %s\n", strerrorname_np(-err), erldist_strerror(p, err));
	return err;
}

static int done(int err)
{
	if (err)
		return failed(err);
	puts("ok");
	return 0;
}

static void show(const char *what, const void *term, size_t len, const char *behind)
{
	char *text = NULL;

	if (erldist_print(&text, term, len, ERLDIST_PRINT_CREATION) < 0)
		text = NULL;
	printf("%s %s%s", what, text ? text : "?", behind);
	free(text);
}

static int show_id(const char *what, int err, const char *fmt, const void *id)
{
	struct erldist_term t = ERLDIST_TERM_INIT;

	if (!err)
		err = erldist_format(&t, fmt, id);
	if (err)
		failed(err);
	else
		show(what, t.term, t.len, "\n");
	erldist_term_free(&t);
	return err;
}

static int parse(struct erldist_term *t, const char *text)
{
	struct erldist_parse_options o = { .creation = erldist_creation_of };

	return erldist_parse(t, text ? text : "", &o);
}

static int parse_pid(erlang_pid *pid, const char *text)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = parse(&t, text);

	if (!err)
		err = erldist_match(t.term, t.len, "~p", pid);
	erldist_term_free(&t);
	return err;
}

static int parse_ref(erlang_ref *ref, const char *text)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = parse(&t, text);

	if (!err)
		err = erldist_match(t.term, t.len, "~r", ref);
	erldist_term_free(&t);
	return err;
}

static int outcome(ssize_t n, const struct erldist_msg *m)
{
	if (n >= 0) {
		show("reply", m->term, m->len, "\n");
		return 0;
	}
	if (n != -ESRCH && n != -EHOSTUNREACH && n != -EREMOTEIO)
		return failed((int)n);
	printf("%s %s", m->type == ERLDIST_DOWN ? "down" : "failed", strerrorname_np((int)-n));
	show("", m->term, m->len, " ");
	puts(erldist_strerror(p, (int)n));
	return 0;
}

static int do_call(char *line, bool remote)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_msg m = ERLDIST_MSG_INIT;
	int ms = number(&line), err;
	char *to = word(&line), *module = NULL, *function = NULL;
	ssize_t n;

	if (remote) {
		module = word(&line);
		function = word(&line);
	}
	err = parse(&t, line);
	if (err) {
		failed(err);
	} else {
		n = remote ? erldist_rpc(p, to, module, function, t.term, t.len, &m, ms) :
			     erldist_call(p, to, t.term, t.len, &m, ms);
		err = outcome(n, &m);
	}
	erldist_msg_free(&m);
	erldist_term_free(&t);
	return err;
}

static int do_connect(char *line)
{
	int ms = number(&line);

	return done(erldist_connect(p, word(&line), ms));
}

static int do_send(char *line, bool cast)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *to = word(&line);
	int err = parse(&t, line);

	if (!err)
		err = cast ? erldist_cast(p, to, t.term, t.len) :
			     erldist_send(p, to, t.term, t.len);
	erldist_term_free(&t);
	return done(err);
}

static int do_exit(char *line)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	const char *to = word(&line);
	bool self = !strcmp(to, "self");
	erlang_pid pid;
	int err = self ? 0 : parse_pid(&pid, to);

	if (!err)
		err = parse(&t, line);
	if (!err)
		err = erldist_exit(p, self ? NULL : &pid, t.term, t.len);
	erldist_term_free(&t);
	return done(err);
}

static int do_link(char *line, bool on)
{
	erlang_pid pid;
	int err = parse_pid(&pid, line);

	if (!err)
		err = on ? erldist_link(p, &pid) : erldist_unlink(p, &pid);
	return done(err);
}

static int do_monitor(char *line)
{
	char *to = word(&line);
	erlang_ref ref;

	return show_id("ref", erldist_monitor(p, to, &ref, (uint64_t)number(&line)), "~r", &ref);
}

static int do_alias(char *line)
{
	unsigned int flags = (unsigned int)number(&line);
	erlang_ref ref;

	return show_id("ref", erldist_alias(p, &ref, (uint64_t)number(&line), flags), "~r", &ref);
}

static int do_over(char *line, bool alias)
{
	erlang_ref ref;
	int err = parse_ref(&ref, word(&line));

	if (!err)
		err = alias ? erldist_unalias(p, &ref) :
			      erldist_demonitor(p, &ref, (unsigned int)number(&line));
	return done(err);
}

static int do_self(void)
{
	erlang_pid pid;

	return show_id("pid", erldist_self(p, &pid), "~p", &pid);
}

static void show_message(const struct erldist_msg *m)
{
	static const char *const types[] = {
		[ERLDIST_MESSAGE] = "message", [ERLDIST_CALL] = "call", [ERLDIST_CAST] = "cast",
		[ERLDIST_EXIT] = "exit", [ERLDIST_DOWN] = "down",
	};

	fputs(types[m->type], stdout);
	if (m->type != ERLDIST_EXIT)
		printf(" %" PRIu64, m->user_data);
	if (m->type == ERLDIST_EXIT)
		show("", m->caller.term, m->caller.len, "");
	if (m->type == ERLDIST_DOWN)
		show("", m->object.term, m->object.len, "");
	show("", m->term, m->len, "\n");
}

static int do_recv(char *line)
{
	ssize_t n = erldist_recv(p, &received, number(&line));

	if (n >= 0)
		show_message(&received);
	else if (n == -EAGAIN || n == -ETIMEDOUT)
		puts("none");
	else
		failed((int)n);
	return 0;
}

static int do_reply(const char *line)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = parse(&t, line);

	if (!err)
		err = erldist_reply(p, &received, t.term, t.len);
	erldist_term_free(&t);
	return done(err);
}

/* Who makes calls, and how they ended */
struct caller {
	pthread_t thread;
	const char *dest;
	int calls;
	int ms;
	unsigned int number;
	int replies, timeouts, downs, wrong;
	int done;
};

static void count(struct caller *c, ssize_t n, const struct erldist_msg *m, uint64_t id)
{
	uint64_t got;

	if (n == -ETIMEDOUT)
		c->timeouts++;
	else if (n == -ESRCH || n == -EREMOTEIO || n == -EHOSTUNREACH)
		c->downs++;
	else if (n >= 0 && !erldist_match(m->term, m->len, "{done,~u}", &got) && got == id)
		c->replies++;
	else
		c->wrong++;
}

/* Some calls have no time to wait at all, the others up to c->ms */
static void *call_much(void *arg)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_msg m = ERLDIST_MSG_INIT;
	struct caller *c = arg;
	uint64_t id, one = 1;
	unsigned int seed = c->number;
	ssize_t n;
	int i;

	for (i = 0; i < c->calls; i++) {
		id = (uint64_t)c->number << 32 | (unsigned int)i;
		n = erldist_format(&t, "{work,~u}", id);
		if (!n)
			n = erldist_call(p, c->dest, t.term, t.len, &m,
					 rand_r(&seed) % 20 ? rand_r(&seed) % c->ms : 0);
		count(c, n, &m, id);
	}
	erldist_term_free(&t);
	erldist_msg_free(&m);
	return write(c->done, &one, sizeof(one)) < 0 ? c : NULL;
}

/* What falls on the mailbox meanwhile: {rain,1}, {rain,2}, ..., {dry,Last} */
struct rain {
	int fd;			/* epoll: the mailbox, and callers that are done */
	int done;
	uint64_t callers;
	uint64_t last;
	uint64_t total;
	unsigned int stray;
	bool dry;
};

static void drop(struct rain *r, const struct erldist_msg *m)
{
	uint64_t n;

	if (!erldist_match(m->term, m->len, "{rain,~u}", &n) && n == r->last + 1) {
		r->last = n;
	} else if (!erldist_match(m->term, m->len, "{dry,~u}", &r->total)) {
		r->dry = true;
	} else {
		r->stray++;
		show("# stray", m->raw.term, m->raw.len, "\n");
	}
}

static int drain(struct rain *r, struct erldist_msg *m)
{
	ssize_t n;

	while ((n = erldist_recv(p, m, 0)) >= 0)
		drop(r, m);
	return n == -EAGAIN ? 0 : (int)n;
}

static void caller_done(struct rain *r)
{
	uint64_t n = 0;

	if (read(r->done, &n, sizeof(n)) < 0 || !r->callers)
		return;
	r->callers -= n;
	if (!r->callers)
		puts("calls done");
}

/* Edge triggered: a wake that is missed is a message that is missed */
static int fall(struct rain *r)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	struct erldist_msg m = ERLDIST_MSG_INIT;
	int err = 0;

	e.data.fd = erldist_fd(p);
	epoll_ctl(r->fd, EPOLL_CTL_ADD, e.data.fd, &e);
	e.data.fd = r->done;
	e.events = EPOLLIN;
	epoll_ctl(r->fd, EPOLL_CTL_ADD, e.data.fd, &e);
	while (!err && !(r->dry && !r->callers)) {
		if (epoll_wait(r->fd, &e, 1, -1) < 1)
			continue;
		if (e.data.fd == r->done)
			caller_done(r);
		else
			err = drain(r, &m);
	}
	erldist_msg_free(&m);
	return err;
}

static void sum_up(struct caller *c, int n, const struct rain *r)
{
	struct caller all = { .calls = 0 };
	int i;

	for (i = 0; i < n; i++) {
		pthread_join(c[i].thread, NULL);
		all.replies += c[i].replies;
		all.timeouts += c[i].timeouts;
		all.downs += c[i].downs;
		all.wrong += c[i].wrong;
	}
	printf("storm %d %d %d %d rain %" PRIu64 " %" PRIu64 " %u\n", all.replies, all.timeouts,
	       all.downs, all.wrong, r->last, r->total, r->stray);
}

/*
 * Each of THREADS makes CALLS of {work,Id}, answered with {done,Id}, within MS.
 * "calls done", then "storm REPLIES TIMEOUTS DOWNS WRONG rain GOT SENT STRAY".
 */
static int storm(char *line)
{
	int threads = number(&line), calls = number(&line), ms = number(&line), i, err;
	struct caller *c = calloc((size_t)threads, sizeof(*c));
	struct rain r = { .fd = epoll_create1(0), .done = eventfd(0, 0) };

	for (i = 0; i < threads; i++) {
		c[i].dest = line;
		c[i].calls = calls;
		c[i].ms = ms;
		c[i].number = (unsigned int)i + 1;
		c[i].done = r.done;
		if (pthread_create(&c[i].thread, NULL, call_much, &c[i]))
			break;
	}
	r.callers = (uint64_t)i;
	err = fall(&r);
	if (err)
		failed(err);
	sum_up(c, i, &r);
	close(r.fd);
	close(r.done);
	free(c);
	return err;
}

static int obey(char *line)
{
	const char *what = word(&line);

	if (!line)
		line = "";
	if (!strcmp(what, "self"))
		return do_self();
	if (!strcmp(what, "call") || !strcmp(what, "rpc"))
		return do_call(line, *what == 'r');
	if (!strcmp(what, "connect"))
		return do_connect(line);
	if (!strcmp(what, "cast") || !strcmp(what, "send"))
		return do_send(line, *what == 'c');
	if (!strcmp(what, "link") || !strcmp(what, "unlink"))
		return do_link(line, *what == 'l');
	if (!strcmp(what, "trap"))
		return done(erldist_trap_exit(p, number(&line)));
	if (!strcmp(what, "exit"))
		return do_exit(line);
	if (!strcmp(what, "monitor"))
		return do_monitor(line);
	if (!strcmp(what, "alias"))
		return do_alias(line);
	if (!strcmp(what, "demonitor") || !strcmp(what, "unalias"))
		return do_over(line, *what == 'u');
	if (!strcmp(what, "recv"))
		return do_recv(line);
	if (!strcmp(what, "reply"))
		return do_reply(line);
	if (!strcmp(what, "storm"))
		return storm(line);
	return done(-EOPNOTSUPP);
}

int main(int argc, char **argv)
{
	unsigned int flags = 0;
	char *line = NULL;
	size_t size = 0;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--wait"))
		flags = ERLDIST_OPEN_WAIT;
	else if (argc > 1 && !strcmp(argv[1], "--private"))
		flags = ERLDIST_OPEN_PRIVATE;
	argc -= flags != 0;
	argv += flags != 0;
	err = erldist_open(&p, argc > 1 ? argv[1] : NULL, NULL, flags);
	done(err);
	while (!err && getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		obey(line);
	}
	free(line);
	erldist_msg_free(&received);
	erldist_close(p);
	return err != 0;
}
