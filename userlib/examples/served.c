// SPDX-License-Identifier: LGPL-2.1-or-later
/* rpc:call(Node, calc, add, [1, 2]), erpc:call, spawn/4, erl_call -a 'calc add [1,2]' */
#include <erldist.h>
#include <poll.h>
#include <stdio.h>

static int add(struct erldist_request *rq, void *data)
{
	long a, b;
	int err = erldist_match(rq->args.term, rq->args.len, "[~l,~l]", &a, &b);

	(void)data;
	return err ? err : erldist_request_endf(rq, ERLDIST_END_RETURN, "{ok,~l}", a + b);
}

static const struct erldist_function functions[] = {
	{ .module = "calc", .name = "add", .arity = 2, .run = add },
};

int main(void)
{
	struct erldist_server *s;
	int err = erldist_server_open(&s, NULL, 0, functions, 1);
	struct pollfd pfd = { .fd = erldist_server_fd(s), .events = POLLIN };

	while (!err) {
		poll(&pfd, 1, -1);
		err = erldist_server_dispatch(s);
	}
	fprintf(stderr, "served: %s\n", erldist_strerror(s, err));
	erldist_server_close(s);
	return 1;
}
