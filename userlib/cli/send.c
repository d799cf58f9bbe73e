// SPDX-License-Identifier: GPL-2.0-only
/* erldist send DEST TERM */
#include <string.h>

#include "cli.h"

static int parse(struct erldist_term *t, const char *text)
{
	struct erldist_parse_options o = { .creation = erldist_creation_of };
	int err = erldist_parse(t, text, &o);

	if (err)
		complain("%s: %s, at \"%.20s\"", text, o.what,
			 o.offset <= strlen(text) ? text + o.offset : "");
	return err;
}

int send_term(struct cli *c)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist *p;
	int err;

	err = local_open(c, &p, NULL);
	if (!err) {
		err = parse(&t, c->argv[1]);
		if (!err) {
			/* a send would succeed without anybody there */
			err = erldist_connect(p, c->argv[0], c->timeout_ms);
			if (!err)
				err = erldist_send(p, NULL, t.term, t.len);
			if (err)
				complain("%s", erldist_strerror(p, err));
		}
	}
	erldist_term_free(&t);
	erldist_close(p);
	return err != 0;
}
