// SPDX-License-Identifier: LGPL-2.1-or-later
/* node/1: of pids, ports and references, and of nothing else. */
#include <string.h>

#include "internal.h"
#include "tap.h"

static void is_of(const char *text, const char *node)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	char got[ERLDIST_ATOM_SIZE] = "";
	int err = erldist_parse(&t, text, NULL);

	if (!err)
		err = erldist_node_of(got, sizeof(got), t.term, t.len);
	ok(!err && !strcmp(got, node), "%s: %s", text, got);
	erldist_term_free(&t);
}

static void is_none(const char *text)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	char got[ERLDIST_ATOM_SIZE];

	ok(!erldist_parse(&t, text, NULL) &&
	   erldist_node_of(got, sizeof(got), t.term, t.len) == -EINVAL, "%s has no node", text);
	erldist_term_free(&t);
}

static void check_bounds(void)
{
	/* V4_PORT_EXT of a@b, with the version byte */
	static const char port[] = "\x83\x78\x77\x03" "a@b" "\0\0\0\0\0\0\0\x07" "\0\0\0\x09";
	const size_t len = sizeof(port) - 1;
	char got[4] = "", small[3];
	size_t n, bad = 0;

	ok(!erldist_node_of(got, sizeof(got), port, len) && !strcmp(got, "a@b"), "a port: %s",
	   got);
	ok(erldist_node_of(small, sizeof(small), port, len) == -ERANGE, "too little room");
	for (n = 0; n < len; n++)
		bad += erldist_node_of(got, sizeof(got), port, n) != -EINVAL;
	ok(!bad, "cut anywhere it is none");
	ok(erldist_node_of(got, sizeof(got), port, sizeof(port)) == -EINVAL, "nor with more behind");
}

int main(void)
{
	is_of("<svc@host.12.0>", "svc@host");
	is_of("<'a b@host'.12.3.17>", "a b@host");
	is_of("#Ref<svc@host.1.2.3>", "svc@host");
	is_none("svc@host");
	is_none("{svc, 'svc@host'}");
	is_none("[]");
	is_none("12");
	check_bounds();
	return tap_end();
}
