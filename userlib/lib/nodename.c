// SPDX-License-Identifier: LGPL-2.1-or-later
/* Node names: alive part, @, host; short and long names. */
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static const char in_alive[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/* A name that the kernel takes for a local node, and BEAM for a peer */
bool ed_node_ok(const char *node)
{
	size_t alive = strspn(node, in_alive), i;

	if (!alive || node[alive] != '@' || !node[alive + 1] ||
	    strlen(node) > ERLDIST_NAME_MAX)
		return false;
	for (i = alive + 1; node[i]; i++)
		if (node[i] <= ' ' || node[i] > '~' || node[i] == '@')
			return false;
	return true;
}

/* 1: a long name, it has a dot; 0: a short one */
int ed_host_kind(const char *host)
{
	return strchr(host, '.') || strchr(host, ':');
}

/* What the resolver completes names with, as OTP does it */
static int add_domain(struct ed_error *e, char *host, size_t size)
{
	size_t len = strlen(host);
	struct __res_state rs;

	memset(&rs, 0, sizeof(rs));
	if (!res_ninit(&rs)) {
		if (rs.defdname[0] && len + strlen(rs.defdname) + 2 <= size) {
			host[len] = '.';
			strcpy(host + len + 1, rs.defdname);
		}
		res_nclose(&rs);
	}
	if (!strchr(host, '.'))
		return ed_fail(e, -EINVAL, "host %s has no domain: give the node's name with "
			       "its host, or use short names", host);
	return 0;
}

/* The name of this host: up to the first dot, or with its domain */
static int host_name(struct ed_error *e, char *host, size_t size, bool long_name)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *ai = NULL;

	if (gethostname(host, size))
		return ed_fail(e, -errno, "the name of this host is not known");
	host[size - 1] = 0;
	if (!long_name) {
		host[strcspn(host, ".")] = 0;
		return 0;
	}
	if (strchr(host, '.'))
		return 0;
	if (!getaddrinfo(host, NULL, &hints, &ai) && ai->ai_canonname &&
	    strchr(ai->ai_canonname, '.'))
		snprintf(host, size, "%s", ai->ai_canonname);
	if (ai)
		freeaddrinfo(ai);
	return strchr(host, '.') ? 0 : add_domain(e, host, size);
}

static int no_name(struct ed_error *e, const char *name)
{
	size_t alive = strspn(name, in_alive);
	const char *rest = name + alive;

	if (alive && *rest == '.' && rest[1] && !strchr(name, '@'))
		return ed_fail(e, -EINVAL, "%s is no node name, as NAME has no dot: type NAME or "
			       "NAME@HOST, for example %.*s@%s", name, (int)alive, name, rest + 1);
	return ed_fail(e, -EINVAL, "%s is no node name: letters, digits, _ and -, then @ and the "
		       "host, at most %d characters", name, ERLDIST_NAME_MAX);
}

/*
 * "svc" becomes "svc@host", as with erl -sname; with long_names as with erl -name. A
 * host that is given makes the name long or short.
 */
int ed_full_name(struct ed_error *e, char node[ED_NODE_SIZE], const char *name,
		 bool long_names)
{
	char host[ED_NODE_SIZE];
	int err;

	if (!name || !*name)
		return ed_fail(e, -EINVAL, "a node needs a name");
	if (strchr(name, '@')) {
		snprintf(node, ED_NODE_SIZE, "%s", name);
	} else {
		err = host_name(e, host, sizeof(host), long_names);
		if (err)
			return err;
		if (snprintf(node, ED_NODE_SIZE, "%s@%s", name, host) >= ED_NODE_SIZE)
			return ed_fail(e, -EINVAL, "the node name is longer than %d characters",
				       ERLDIST_NAME_MAX);
	}
	if (strlen(name) > ERLDIST_NAME_MAX || !ed_node_ok(node))
		return no_name(e, name);
	if (long_names && !ed_host_kind(strchr(node, '@') + 1))
		return ed_fail(e, -EINVAL, "%s is a short name, its host has no dot: long names "
			       "were asked for", node);
	return 0;
}

/* "svc" becomes "svc@host", of the host of near, a node; NULL or "": of this host */
int ed_node_name(struct ed_error *e, char node[ED_NODE_SIZE], const char *text,
		 const char *near)
{
	const char *at = near ? strchr(near, '@') : NULL;
	char full[2 * ED_NODE_SIZE];

	if (!at || strchr(text, '@') || strlen(text) > ERLDIST_NAME_MAX)
		return ed_full_name(e, node, text, false);
	snprintf(full, sizeof(full), "%s%s", text, at);
	return ed_full_name(e, node, full, false);
}

int erldist_node_name(char *node, size_t size, const char *text, const char *local)
{
	char full[ED_NODE_SIZE];
	int err = ed_node_name(NULL, full, text, local);

	if (err)
		return err;
	if (strlen(full) >= size)
		return -ERANGE;
	memcpy(node, full, strlen(full) + 1);
	return 0;
}

int ed_put_node(struct ed_error *e, struct erldist_term *t, const char *node)
{
	if (!ed_node_ok(node))
		return ed_fail(e, -EINVAL, "%s is no node name: NAME@HOST", node);
	return ed_put_atom(t, node, strlen(node));
}
