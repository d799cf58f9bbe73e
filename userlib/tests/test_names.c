// SPDX-License-Identifier: LGPL-2.1-or-later
/* Node names, by the rules of erl -sname and -name. */
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

static void good(const char *name, bool long_names, const char *want)
{
	char node[ED_NODE_SIZE] = "";
	struct ed_error e = { 0 };
	int err = ed_full_name(&e, node, name, long_names);

	ok(!err && !strcmp(node, want), "%s, %s: %s %s", name, long_names ? "long" : "short",
	   node, e.text);
}

static void bad(const char *name, bool long_names, const char *because)
{
	char node[ED_NODE_SIZE] = "";
	struct ed_error e = { 0 };
	int err = ed_full_name(&e, node, name, long_names);

	ok(err == -EINVAL && strstr(e.text, because), "refused: %s", e.text);
}

/* What a host is called where the resolver knows a domain */
static void check_domain(void)
{
	char node[ED_NODE_SIZE] = "", host[256] = "";
	struct ed_error e = { 0 };
	int err;

	gethostname(host, sizeof(host) - 1);
	if (strchr(host, '.')) {
		skip("the domain of the resolver", "the host's name has one");
		return;
	}
	setenv("LOCALDOMAIN", "example.org", 1);
	err = ed_full_name(&e, node, "svc", true);
	ok(!err && strchr(node, '@') && strchr(strchr(node, '@'), '.'), "filled in, long: %s %s",
	   node, e.text);
}

int main(void)
{
	char host[256] = "", want[300], name[400];

	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = 0;
	snprintf(want, sizeof(want), "svc@%s", host);
	good("svc", false, want);
	good("svc@h", false, "svc@h");
	good("svc_1-X@h-1", false, "svc_1-X@h-1");
	good("svc@h.example.org", true, "svc@h.example.org");
	good("svc@192.0.2.1", true, "svc@192.0.2.1");
	good("svc@::1", true, "svc@::1");
	good("svc@h.example.org", false, "svc@h.example.org");
	good("svc@192.0.2.1", false, "svc@192.0.2.1");
	bad("svc@h", true, "short name");
	bad("", false, "needs a name");
	bad("@h", false, "no node name");
	bad("svc@", false, "no node name");
	bad("a b@h", false, "no node name");
	bad("a@b@c", false, "no node name");
	bad("a.b@h", false, "no node name");
	memset(name, 'x', sizeof(name));
	memcpy(name + 300, "@h", 3);
	bad(name, false, "255");
	check_domain();
	return tap_end();
}
