// SPDX-License-Identifier: GPL-2.0-only
/* Lines of several programs in one terminal: each is whole, and names its program. */
#include <fcntl.h>

#include "../cli/say.c"
#include "tap.h"

static int from;	/* what is written to standard error, one packet for each write() */

static void said(const char *line)
{
	char text[256];
	ssize_t n = read(from, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	ok(!strcmp(text, line), "in one write(): %s", text);
}

int main(void)
{
	int fd[2];

	if (pipe2(fd, O_DIRECT | O_NONBLOCK) || dup2(fd[1], STDERR_FILENO) < 0)
		return 1;
	from = fd[0];
	ok(complain("%s is missing", "NODE") == 1, "an error is an exit status");
	said("erldist: NODE is missing\n");
	complain("erldist: there is no such process");
	said("erldist: erldist: there is no such process\n");
	say_line(fd[1], "svc@vm is registered with epmd");
	said("svc@vm is registered with epmd\n");
	speak_as("svc@vm");
	complain("bob@vm has another cookie");
	said("svc@vm: bob@vm has another cookie\n");
	say_line(fd[1], "bob@vm is up");
	said("svc@vm: bob@vm is up\n");
	complain("svc@vm is not registered with epmd");
	said("svc@vm is not registered with epmd\n");
	complain("svc@vm2 has another cookie");
	said("svc@vm: svc@vm2 has another cookie\n");
	return tap_end();
}
