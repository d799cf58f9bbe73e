// SPDX-License-Identifier: LGPL-2.1-or-later
/* Destinations, node names, explanations. */
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

static void check_address(const char *dest, const char *want)
{
	struct erldist_parse_options o = { .what = NULL };
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *text = NULL;
	int err = erldist_address(&t, dest, &o);

	if (!want) {
		ok(err == -EINVAL && o.what, "%s: %s", dest, o.what ? o.what : "accepted");
	} else {
		erldist_print(&text, t.term, t.len, 0);
		ok(!err && text && !strcmp(text, want), "%s is %s", dest, text ? text : o.what);
	}
	free(text);
	erldist_term_free(&t);
}

/* Of this host, or of a local node's */
static void check_host(const char *dest, const char *local, const char *want)
{
	struct erldist_parse_options o = { .node = local };
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *text = NULL, host[256] = "", all[600];
	int err = erldist_address(&t, dest, &o);

	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = 0;
	snprintf(all, sizeof(all), want, host);
	erldist_print(&text, t.term, t.len, 0);
	ok(!err && text && !strcmp(text, all), "%s seen from %s is %s", dest,
	   local ? local : "nowhere", text ? text : o.what);
	free(text);
	erldist_term_free(&t);
}

static void check_node(const char *node, const char *local, const char *want)
{
	char full[ERLDIST_ATOM_SIZE] = "", less[4];
	int err = erldist_node_name(full, sizeof(full), node, local);

	ok(want ? !err && !strcmp(full, want) : err == -EINVAL, "node %s is %s", node, full);
	if (want)
		ok(erldist_node_name(less, sizeof(less), node, local) == -ERANGE, "or too long");
}

static void check_connect(const char *dest, const char *want)
{
	struct erldist_parse_options o = { .node = "svc@h" };
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *text = NULL;
	int err = ed_address(&t, dest, &o, true);

	erldist_print(&text, t.term, t.len, 0);
	ok(!err && text && !strcmp(text, want), "to connect to %s is %s", dest,
	   text ? text : o.what);
	free(text);
	erldist_term_free(&t);
}

static void check_name(const char *name, bool long_names, const char *want)
{
	struct ed_error e = { 0 };
	char node[ED_NODE_SIZE];
	int err = ed_full_name(&e, node, name, long_names);

	if (want)
		ok(!err && !strcmp(node, want), "%s is node %s%s", name, node, e.text);
	else
		ok(err == -EINVAL, "%s: %s", name, e.text);
}

static void check_explain(void)
{
	struct erldist_peer_info info = {
		.node = "svc@host", .name = "b@host",
		.reason = ERLDIST_REASON_CLOSED_AFTER_PROOF,
	};
	char text[512];
	unsigned int r;

	erldist_explain(text, sizeof(text), &info, "/root/.erlang.cookie");
	ok(!strcmp(text, "b@host closed the connection after the cookie proof: most likely it "
			 "has another cookie (of a BEAM erlang:get_cookie() shows it); ours is from "
			 "/root/.erlang.cookie"), "%s", text);
	info.node = "erldist-1@host";
	setenv("HOME", "/home/of/it", 1);
	erldist_explain(text, sizeof(text), &info, NULL);
	ok(strstr(text, "/home/of/it/.erlang.cookie"), "%s", text);
	info.node = "svc@host";
	erldist_explain(text, sizeof(text), &info, NULL);
	ok(strstr(text, "svc@host has that of ~/.erlang.cookie of its user, or of an option") &&
	   !strstr(text, "node run"), "%s", text);
	info.reason = ERLDIST_REASON_UNREACHABLE;
	info.error = ERLDIST_NOT_REGISTERED;
	erldist_explain(text, sizeof(text), &info, NULL);
	ok(strstr(text, "epmd on host knows no node"), "%s", text);
	for (r = 0; r <= ERLDIST_REASON_SAME_NAME; r++) {
		info.reason = r;
		erldist_explain(text, sizeof(text), &info, NULL);
		ok(strcmp(erldist_reason_name(r), "unknown") && text[0], "%s: %s",
		   erldist_reason_name(r), text);
	}
	ok(!strcmp(erldist_reason_name(999), "unknown"), "a later kernel's reason");
	ok(strstr(erldist_strerror(NULL, -EAFNOSUPPORT), "modprobe"), "%s",
	   erldist_strerror(NULL, -EAFNOSUPPORT));
	ok(strlen(erldist_strerror(NULL, -EMFILE)) > 3, "%s", erldist_strerror(NULL, -EMFILE));
}

/* A node with a broker can be erldistd's: the message does not send its user elsewhere. */
static void check_no_broker(void)
{
	struct ed_error e = { .err = 0 };
	int err = ed_broker_ask(&e, "/no/such/path");

	ok(err == -ENOENT && strstr(e.text, "erldistd") && !strstr(e.text, "node run"), "%s",
	   e.text);
}

int main(void)
{
	check_address("svc@b@host", "{svc,b@host}");
	check_address("Elixir.MyApp.Server@a@h", "{'Elixir.MyApp.Server',a@h}");
	check_address("with@sign@a@h", "{with@sign,a@h}");
	check_address("svc", "svc");
	check_address("{svc, 'b@host'}", "{svc,b@host}");
	check_address("{'My Proc', b@host}", "{'My Proc',b@host}");
	check_address("<b@host.12.0>", "<b@host.12.0>");
	check_address("#Ref<b@host.1.2.3>", "#Ref<b@host.1.2.3>");
	check_address("'my proc'", "'my proc'");
	check_address("@b@host", NULL);
	check_address("svc@@host", NULL);
	check_address("svc@b@", NULL);
	check_address("", NULL);
	check_address("{a,b}", NULL);
	check_address("{a,b,c}", NULL);
	check_address("{1,'b@host'}", NULL);
	check_address("<0.12.0>", NULL);

	check_address("b@host.example.org", NULL);
	check_address("b@", NULL);
	check_host("echo@svc", NULL, "{echo,svc@%s}");
	check_host("echo@svc", "own@h.example.org", "{echo,'svc@h.example.org'}");
	check_host("echo@svc@host", "own@h.example.org", "{echo,svc@host}");
	check_host("echo", "own@h.example.org", "echo");
	check_node("bob", "svc@h.example.org", "bob@h.example.org");
	check_node("bob@a", "svc@h.example.org", "bob@a");
	check_node("bo b", "svc@h", NULL);
	check_node("", "svc@h", NULL);
	check_node("a@b@c", "svc@h", NULL);
	check_connect("bob", "{net_kernel,bob@h}");
	check_connect("bob@a.b", "{net_kernel,'bob@a.b'}");
	check_connect("echo@bob@a", "{echo,bob@a}");

	check_name("svc@host", false, "svc@host");
	check_name("svc@host.example.org", false, "svc@host.example.org");
	check_name("svc@host.example.org", true, "svc@host.example.org");
	check_name("svc@host", true, NULL);
	check_name("s.v@host", false, NULL);
	check_name("@host", false, NULL);
	check_name("svc@", false, NULL);
	check_name("a@b@c", false, NULL);
	check_name("", false, NULL);
	check_name("å@host", false, NULL);
	ok(ed_host_kind("a.b") && !ed_host_kind("localhost"), "long and short hosts");
	check_explain();
	check_no_broker();
	return tap_end();
}
