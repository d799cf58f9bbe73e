// SPDX-License-Identifier: LGPL-2.1-or-later
/* Why a connection ended or did not come up, in sentences for an operator. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

struct story {
	char *text;
	size_t size;
	const struct erldist_peer_info *info;
	const char *host;
	const char *node;	/* ours, in words if it was made for a program */
	char cookie[600];
};

static void other_cookie(const struct story *s)
{
	snprintf(s->text, s->size, "%s has another cookie (of a BEAM erlang:get_cookie() shows it); "
		 "%s", s->info->name, s->cookie);
}

static const char *names_of(const char *node)
{
	const char *host = strchr(node, '@');

	return host && ed_host_kind(host + 1) ? "long" : "short";
}

static bool is_this_host(const char *host)
{
	char node[ED_NODE_SIZE];

	return !ed_node_name(NULL, node, "x", NULL) && !strcmp(strchr(node, '@') + 1, host);
}

/* Before the handshake: what the keeper met. See enum erldist_unreachable */
static void unreachable(const struct story *s)
{
	const char *peer = s->info->name;

	switch (s->info->error) {
	case ERLDIST_NO_SUCH_HOST:
		snprintf(s->text, s->size, "%s: the host name %s does not resolve; look at "
			 "/etc/hosts and DNS, or give the address to the node here (erldist node "
			 "run --peer)", peer, s->host);
		return;
	case ERLDIST_NOT_RESOLVED:
		snprintf(s->text, s->size, "%s: the host name %s was not resolved in time; do the "
			 "name servers in /etc/resolv.conf answer?", peer, s->host);
		return;
	case ERLDIST_NO_EPMD:
		snprintf(s->text, s->size, "%s: no epmd answers on %s; %s", peer, s->host,
			 is_this_host(s->host) ? "that is this host: does a node run here, or was "
			 "its epmd ended?" : "is a node running there, and port 4369 (or "
			 "ERL_EPMD_PORT) open?");
		return;
	case ERLDIST_NOT_REGISTERED:
		snprintf(s->text, s->size, "%s: the epmd on %s knows no node of that name: it is "
			 "not running, or has another name; look at 'epmd -names' there", peer,
			 s->host);
		return;
	case ERLDIST_OTHER_NAMES:
		snprintf(s->text, s->size, "%s has a %s name, %s a %s one, and such nodes cannot "
			 "connect: the host of a long name has a dot; erl -name makes long names, "
			 "erl -sname short ones", peer, names_of(peer), s->node,
			 names_of(s->info->node));
		return;
	case ERLDIST_NO_ADDRESS:
		snprintf(s->text, s->size, "%s: the keeper of %s asks no epmd, and has no address "
			 "for it; start it with one (erldist node run --peer)", peer,
			 s->node);
		return;
	case ERLDIST_NOT_ALLOWED:
		snprintf(s->text, s->size, "%s is not in the list of nodes that the keeper of %s "
			 "allows", peer, s->node);
		return;
	case ERLDIST_NOT_BY_ITSELF:
		snprintf(s->text, s->size, "%s is not connected, and the keeper of %s does not "
			 "connect it by itself (--dist-auto-connect)", peer, s->node);
		return;
	case ERLDIST_REFUSED:
		snprintf(s->text, s->size, "%s did not allow %s a moment ago, and is left alone "
			 "for some seconds; look at net_kernel:allow/1 there", peer,
			 s->node);
		return;
	case EKEYREJECTED:
		other_cookie(s);
		return;
	case EUSERS:
		snprintf(s->text, s->size, "%s: the keeper of %s connects too many other nodes at "
			 "the moment; try again later", peer, s->node);
		return;
	case ECONNREFUSED:
		snprintf(s->text, s->size, "%s: nothing listens on the port it is registered with "
			 "or configured for, or a firewall rejects it", peer);
		return;
	case EHOSTUNREACH:
	case ENETUNREACH:
		snprintf(s->text, s->size, "%s: no route to %s, or a firewall rejects it", peer,
			 s->host);
		return;
	case ERLDIST_EPMD_SILENT:
		snprintf(s->text, s->size, "%s: the epmd on %s does not answer; is the host up, "
			 "or is a firewall in the way of port 4369 (or ERL_EPMD_PORT)?", peer,
			 s->host);
		return;
	case ETIMEDOUT:
		snprintf(s->text, s->size, "%s: its port on %s does not answer; is the host up, "
			 "or is a firewall in the way? 'epmd -names' there shows the port", peer,
			 s->host);
		return;
	case 0:
		snprintf(s->text, s->size, "%s cannot be reached", peer);
		return;
	default:
		snprintf(s->text, s->size, "%s cannot be reached: %s", peer,
			 ed_errno_text((int)s->info->error));
		return;
	}
}

static void handshake(const struct story *s)
{
	const char *peer = s->info->name, *node = s->node;

	switch (s->info->reason) {
	case ERLDIST_REASON_CLOSED_AFTER_PROOF:
		snprintf(s->text, s->size, "%s closed the connection after the cookie proof: most "
			 "likely it has another cookie (of a BEAM erlang:get_cookie() shows it); %s",
			 peer, s->cookie);
		return;
	case ERLDIST_REASON_BAD_DIGEST:
		other_cookie(s);
		return;
	case ERLDIST_REASON_NOT_ALLOWED:
		snprintf(s->text, s->size, "%s does not allow %s; look at net_kernel:allow/1 there",
			 peer, node);
		return;
	case ERLDIST_REASON_NOK:
		snprintf(s->text, s->size, "%s was connecting to %s at the same time, and its "
			 "attempt did not come through; can it reach us?", peer, node);
		return;
	case ERLDIST_REASON_ALIVE:
		snprintf(s->text, s->size, "%s holds an older connection of %s; it goes when its "
			 "tick time is over", peer, node);
		return;
	case ERLDIST_REASON_SETUP_TIMEOUT:
		snprintf(s->text, s->size, "%s: the connection was not made in time; is the keeper "
			 "of %s running, and does %s answer?", peer, node, peer);
		return;
	case ERLDIST_REASON_MISSING_FLAGS:
		snprintf(s->text, s->size, "%s lacks features of the protocol that are needed: "
			 "OTP 25 or later is", peer);
		return;
	case ERLDIST_REASON_WRONG_NAME:
		snprintf(s->text, s->size, "%s: a node of another name answers at its address: "
			 "perhaps the same with a %s name (erl %s), which %s cannot connect to; or "
			 "another's --peer of 'node run'", peer, names_of(peer)[0] == 's' ? "long" : "short",
			 names_of(peer)[0] == 's' ? "-name" : "-sname", node);
		return;
	case ERLDIST_REASON_SAME_NAME:
		snprintf(s->text, s->size, "a node called %s like this one tried to "
			 "connect; names must differ", node);
		return;
	case ERLDIST_REASON_DENIED:
		snprintf(s->text, s->size, "%s was denied by the keeper of %s", peer, node);
		return;
	case ERLDIST_REASON_LIMIT:
		snprintf(s->text, s->size, "%s: a limit of %s is reached; look at 'erldist node "
			 "show'", peer, node);
		return;
	case ERLDIST_REASON_BAD_NAME:
		snprintf(s->text, s->size, "a connection told no proper node name");
		return;
	default:
		snprintf(s->text, s->size, "%s: %s%s%s", peer[0] ? peer : "a connection",
			 erldist_reason_name(s->info->reason), s->info->error ? ": " : "",
			 s->info->error ? ed_errno_text((int)s->info->error) : "");
		return;
	}
}

static void ended(const struct story *s)
{
	const char *peer = s->info->name;

	switch (s->info->reason) {
	case ERLDIST_REASON_CONNECTION_CLOSED:
		snprintf(s->text, s->size, "%s closed the connection", peer);
		return;
	case ERLDIST_REASON_NET_TICK_TIMEOUT:
		snprintf(s->text, s->size, "%s was silent for longer than the tick time", peer);
		return;
	case ERLDIST_REASON_DISCONNECT:
		snprintf(s->text, s->size, "%s was disconnected by request", peer);
		return;
	case ERLDIST_REASON_NODE_DOWN:
		snprintf(s->text, s->size, "%s: the local node %s ended", peer, s->info->node);
		return;
	case ERLDIST_REASON_REPLACED:
		snprintf(s->text, s->size, "%s connected anew", peer);
		return;
	default:
		handshake(s);
		return;
	}
}

/* Of a node made for this program, or another one of this user */
static void own_cookie(struct story *s)
{
	char file[512];

	snprintf(s->cookie, sizeof(s->cookie), "this program's own node has the one of %s",
		 ed_cookie_file(file, sizeof(file)) ? "the home directory" : file);
}

void erldist_explain(char *text, size_t size, const struct erldist_peer_info *info,
		     const char *cookie_source)
{
	const char *at = strchr(info->name, '@');
	struct story s = { .text = text, .size = size, .info = info };
	bool own = !cookie_source && ed_own_node(info->node);

	s.host = at ? at + 1 : info->name;
	s.node = own ? "the program's own node" : info->node;
	if (cookie_source)
		snprintf(s.cookie, sizeof(s.cookie), "ours is from %s", cookie_source);
	else if (own)
		own_cookie(&s);
	else
		snprintf(s.cookie, sizeof(s.cookie), "%s has that of ~/.erlang.cookie of its user, "
			 "or of an option that it was started with", info->node);
	if (info->reason == ERLDIST_REASON_UNREACHABLE)
		unreachable(&s);
	else
		ended(&s);
}
