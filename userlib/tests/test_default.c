// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading the default node's mark from a directory that another user can write to. */
#include <signal.h>

#include "internal.h"

#undef ERLDIST_DEFAULT_FILE
#define ERLDIST_DEFAULT_FILE	"/tmp/erldist-default-test/default"
#define ELSEWHERE		"/tmp/erldist-default-test/elsewhere"

#include "../lib/own.c"
#include "tap.h"

#define STUCK_S		5

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void on_alarm(int signal)
{
	static const char text[] = "not ok - reading the mark does not end\n1..1\n";

	(void)signal;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) > 0)
		unlink(ERLDIST_DEFAULT_FILE);
	_exit(1);
}

static bool marked(const char *text, const char *want)
{
	char node[ED_NODE_SIZE] = "";
	bool found;

	put(ERLDIST_DEFAULT_FILE, text);
	found = ed_default_node(node);
	unlink(ERLDIST_DEFAULT_FILE);
	return want ? found && !strcmp(node, want) : !found;
}

int main(void)
{
	char node[ED_NODE_SIZE], lengthy[2 * ED_NODE_SIZE];

	if (mkdir("/tmp/erldist-default-test", 0700) && errno != EEXIST)
		return 1;
	unlink(ERLDIST_DEFAULT_FILE);
	ok(!ed_default_node(node), "no node is marked");
	ok(marked("svc@host\n", "svc@host"), "a node");
	ok(marked("svc@host", "svc@host"), "without an end of line");
	ok(marked("svc@host and more\nb@host\n", "svc@host"), "the first word");
	ok(marked("", NULL), "an empty file marks none");
	ok(marked("svc\n", NULL), "nor does what is no node name");
	memset(lengthy, 'a', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = 0;
	lengthy[1] = '@';
	ok(marked(lengthy, NULL), "nor does a name that is too long");
	put(ELSEWHERE, "svc@host\n");
	ok(!symlink(ELSEWHERE, ERLDIST_DEFAULT_FILE) && !ed_default_node(node),
	   "a link is not followed");
	unlink(ERLDIST_DEFAULT_FILE);
	unlink(ELSEWHERE);
	signal(SIGALRM, on_alarm);
	alarm(STUCK_S);
	ok(!mkfifo(ERLDIST_DEFAULT_FILE, 0600) && !ed_default_node(node),
	   "a FIFO without a writer marks none, at once");
	alarm(0);
	unlink(ERLDIST_DEFAULT_FILE);
	ok(!mkdir(ERLDIST_DEFAULT_FILE, 0700) && !ed_default_node(node), "nor does a directory");
	rmdir(ERLDIST_DEFAULT_FILE);
	rmdir("/tmp/erldist-default-test");
	return tap_end();
}
