// SPDX-License-Identifier: LGPL-2.1-or-later
/* gen_server:call({calc, 'b@host'}, {add, 1, 2}): client calc@b@host 1 2 prints 3 */
#include <erldist.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct erldist_term request = ERLDIST_TERM_INIT;
	struct erldist_msg m = ERLDIST_MSG_INIT;
	struct erldist *p;
	long sum;
	ssize_t err = erldist_open(&p, NULL, NULL, ERLDIST_OPEN_PRIVATE);

	if (!err && argc == 4)
		err = erldist_format(&request, "{add,~l,~l}", atol(argv[2]), atol(argv[3]));
	if (!err)
		err = erldist_call(p, argc > 1 ? argv[1] : "", request.term, request.len, &m, 5000);
	if (err >= 0)
		err = erldist_match(m.term, m.len, "~l", &sum);
	if (!err)
		printf("%ld\n", sum);
	else
		fprintf(stderr, "client: %s\n", erldist_strerror(p, (int)err));
	erldist_term_free(&request);
	erldist_msg_free(&m);
	erldist_close(p);
	return err != 0;
}
