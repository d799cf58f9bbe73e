// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * served: serves the functions of the Erlang module interop_fun, for the tests with
 * Erlang nodes, until its standard input or SIGTERM ends it. Besides these:
 *
 *	cancelled/0	how many requests were cancelled
 *	open/0		how many are kept
 *	shapeless/0	ends with what is no term
 */
#include <erldist.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* A request that is kept */
struct later {
	struct erldist_request *rq;
	struct later *next;
	int64_t when;		/* ms; -1: never */
	struct erldist_slice value;
};

static struct later *kept;
static int cancellations;

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void forget(const struct later *one)
{
	struct later **l = &kept;

	while (*l != one)
		l = &(*l)->next;
	*l = one->next;
}

static void on_cancel(struct erldist_request *rq)
{
	struct later *one = rq->user;

	cancellations++;
	forget(one);
	free(one);
	erldist_request_endf(rq, ERLDIST_END_EXIT, "cancelled");
}

static int keep(struct erldist_request *rq, int64_t when, const struct erldist_slice *value)
{
	struct later *one = calloc(1, sizeof(*one));

	if (!one)
		return -ENOMEM;
	one->rq = rq;
	one->when = when;
	one->value = *value;
	one->next = kept;
	kept = one;
	rq->user = one;
	rq->cancel = on_cancel;
	return 0;
}

/* The one that is due first, or NULL */
static struct later *first(void)
{
	struct later *l, *found = NULL;

	for (l = kept; l; l = l->next)
		if (l->when >= 0 && (!found || l->when < found->when))
			found = l;
	return found;
}

static void end_due(void)
{
	struct later *l;

	while ((l = first()) && l->when <= now()) {
		forget(l);
		erldist_request_end(l->rq, ERLDIST_END_RETURN, l->value.term, l->value.len);
		free(l);
	}
}

/* A function of one argument that ends as data says, with the argument */
static int run_end(struct erldist_request *rq, void *data)
{
	const enum erldist_end *how = data;
	struct erldist_slice x;
	int err = erldist_match(rq->args.term, rq->args.len, "[~t]", &x);

	return err ? err : erldist_request_end(rq, *how, x.term, x.len);
}

static int run_only_int(struct erldist_request *rq, void *data)
{
	int x, err = erldist_match(rq->args.term, rq->args.len, "[~i]", &x);

	(void)data;
	return err ? err : erldist_request_endf(rq, ERLDIST_END_RETURN, "~i", x);
}

static int run_arity(struct erldist_request *rq, void *data)
{
	(void)data;
	return erldist_request_endf(rq, ERLDIST_END_RETURN, "~i", (int)rq->arity);
}

static int run_errno(struct erldist_request *rq, void *data)
{
	(void)rq;
	return *(const int *)data;
}

static int run_sum(struct erldist_request *rq, void *data)
{
	int a, b, err = erldist_match(rq->args.term, rq->args.len, "[~i,~i]", &a, &b);

	(void)data;
	return err ? err : erldist_request_endf(rq, ERLDIST_END_RETURN, "~i", a + b);
}

static int run_sleep(struct erldist_request *rq, void *data)
{
	struct erldist_slice x;
	int ms, err = erldist_match(rq->args.term, rq->args.len, "[~i,~t]", &ms, &x);

	(void)data;
	return err ? err : keep(rq, now() + ms, &x);
}

static int run_never(struct erldist_request *rq, void *data)
{
	(void)data;
	return keep(rq, -1, &rq->args);
}

/* From the process that the function is */
static int run_tell(struct erldist_request *rq, void *data)
{
	struct erldist_slice x;
	erlang_pid pid, self;
	int err = erldist_match(rq->args.term, rq->args.len, "[~p,~t]", &pid, &x);
	struct erldist_term t = ERLDIST_TERM_INIT;

	(void)data;
	if (err)
		return err;
	erldist_self(rq->process, &self);
	err = erldist_format(&t, "{~p,~t}", &self, x.term, x.len);
	if (!err)
		err = erldist_send_pid(rq->process, &pid, t.term, t.len);
	erldist_term_free(&t);
	return err ? err : erldist_request_endf(rq, ERLDIST_END_RETURN, "told");
}

static int run_cancelled(struct erldist_request *rq, void *data)
{
	(void)data;
	return erldist_request_endf(rq, ERLDIST_END_RETURN, "~i", cancellations);
}

static int run_open(struct erldist_request *rq, void *data)
{
	struct later *l;
	int n = 0;

	(void)data;
	for (l = kept; l; l = l->next)
		n++;
	return erldist_request_endf(rq, ERLDIST_END_RETURN, "~i", n);
}

static int run_shapeless(struct erldist_request *rq, void *data)
{
	(void)data;
	return erldist_request_end(rq, ERLDIST_END_RETURN, "\x01\x02", 2) == -EINVAL ? 0 : -EIO;
}

static enum erldist_end returns = ERLDIST_END_RETURN, throws = ERLDIST_END_THROW,
			exits = ERLDIST_END_EXIT, errors = ERLDIST_END_ERROR;
static int no_entry = -ENOENT;

#define M	"interop_fun"

static const struct erldist_function functions[] = {
	{ M, "echo", 1, run_end, &returns },
	{ M, "do_throw", 1, run_end, &throws },
	{ M, "do_exit", 1, run_end, &exits },
	{ M, "do_error", 1, run_end, &errors },
	{ M, "only_int", 1, run_only_int, NULL },
	{ M, "arity", ERLDIST_ANY_ARITY, run_arity, NULL },
	{ M, "enoent", 0, run_errno, &no_entry },
	{ M, "sum", 2, run_sum, NULL },
	{ M, "sleep", 2, run_sleep, NULL },
	{ M, "never", 0, run_never, NULL },
	{ M, "tell", 2, run_tell, NULL },
	{ M, "cancelled", 0, run_cancelled, NULL },
	{ M, "open", 0, run_open, NULL },
	{ M, "shapeless", 0, run_shapeless, NULL },
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* A process is a descriptor */
static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int serve(struct erldist_server *s)
{
	struct pollfd fds[] = {
		{ .fd = erldist_server_fd(s), .events = POLLIN },
		{ .fd = 0, .events = POLLIN },
	};
	struct later *l;
	int64_t wait;
	char byte;
	int err = 0;

	while (!err && !stop) {
		l = first();
		wait = l ? l->when - now() : -1;
		poll(fds, 2, l && wait < 0 ? 0 : (int)wait);
		if (fds[1].revents && read(0, &byte, 1) <= 0)
			break;
		end_due();
		err = erldist_server_dispatch(s);
	}
	return err;
}

int main(void)
{
	struct erldist_server *s;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	raise_limit();
	err = erldist_server_open(&s, NULL, 0, functions, sizeof(functions) / sizeof(functions[0]));
	if (!err) {
		puts("ready");
		err = serve(s);
	}
	if (err)
		printf("served: %s\n", erldist_strerror(s, err));
	erldist_server_close(s);
	return err != 0 || kept;
}
