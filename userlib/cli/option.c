// SPDX-License-Identifier: GPL-2.0-only
/* The options that say what a node is like. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define FIRST_FD	3	/* of those that systemd hands over */

int number(const char *what, const char *text, int base, unsigned long max,
	   unsigned long *v)
{
	char *end;

	*v = strtoul(text, &end, base);
	if (!*text || *end || text[0] == '-' || *v > max)
		return complain("%s: %s is no number up to %lu", what, text, max);
	return 0;
}

static int number32(const char *what, const char *text, int base, uint32_t max, uint32_t *v)
{
	unsigned long n;

	if (number(what, text, base, max, &n))
		return 1;
	*v = (uint32_t)n;
	return 0;
}

static int port(const char *what, const char *text, uint16_t *v)
{
	unsigned long n;

	if (number(what, text, 10, UINT16_MAX, &n))
		return 1;
	if (!n)
		return complain("%s: 0 is no port", what);
	*v = (uint16_t)n;
	return 0;
}

static int add(const char *what, struct words *w, const char *word)
{
	if (w->n == WORDS_MAX)
		return complain("%s: it is given more than %d times", what, WORDS_MAX);
	w->word[w->n++] = word;
	return 0;
}

/* The command line is shown to everyone by ps */
static const char *take_secret(char *arg)
{
	char *copy = strdup(arg);

	memset(arg, '*', strlen(arg));
	return copy ? copy : "";
}

/* The sockets that systemd made for this process: LISTEN_FDS of them */
static int listen_systemd(struct cli *c)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int n = fds ? atoi(fds) : 0, i;
	char *word;

	if (!pid || atol(pid) != (long)getpid() || n < 1 || n > WORDS_MAX)
		return complain("--listen systemd: systemd has handed over no socket");
	for (i = 0; i < n; i++) {
		if (asprintf(&word, "fd:%d", FIRST_FD + i) < 0)
			return complain("out of memory");
		if (add("--listen", &c->listens, word))
			return 1;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return 0;
}

static int epmd_type(struct cli *c, const char *type)
{
	if (!strcmp(type, "normal"))
		c->keeper.options |= ERLDIST_KEEPER_EPMD_NORMAL;
	else if (strcmp(type, "hidden"))
		return complain("--epmd-type: %s is neither hidden nor normal", type);
	return 0;
}

static int auto_connect(struct cli *c, const char *how)
{
	if (!strcmp(how, "never"))
		c->keeper.auto_connect = ERLDIST_AUTO_CONNECT_NEVER;
	else if (!strcmp(how, "once"))
		c->keeper.auto_connect = ERLDIST_AUTO_CONNECT_ONCE;
	else
		return complain("--dist-auto-connect: %s is neither never nor once", how);
	return 0;
}

static int flag(struct cli *c, unsigned int bit)
{
	c->keeper.options |= bit;
	return 0;
}

static int text(const char **to, const char *arg)
{
	*to = arg;
	return 0;
}

static int list_option(struct cli *c, int opt, char *arg)
{
	switch (opt) {
	case OPT_COOKIE_FOR:
		return add("--cookie-for", &c->cookies, arg);
	case OPT_LISTEN:
		return strcmp(arg, "systemd") ? add("--listen", &c->listens, arg)
					      : listen_systemd(c);
	case OPT_PEER:
		return add("--peer", &c->peers, arg);
	case OPT_KEEP:
		return add("--keep", &c->keep, arg);
	default:
		return add("--allow", &c->allow, arg);
	}
}

static int number_option(struct erldist_keeper_options *o, int opt, const char *arg)
{
	switch (opt) {
	case OPT_LISTEN_MIN:
		return port("--listen-min", arg, &o->listen_min);
	case OPT_LISTEN_MAX:
		return port("--listen-max", arg, &o->listen_max);
	case OPT_DIST_PORT:
		return port("--dist-port", arg, &o->dist_port);
	case OPT_HANDSHAKES:
		return number32("--max-handshakes", arg, 10, UINT32_MAX, &o->handshakes);
	case OPT_CONNECTIONS:
		return number32("--max-connections", arg, 10, UINT32_MAX, &o->connections);
	case OPT_PER_ADDRESS:
		return number32("--max-per-address", arg, 10, UINT32_MAX, &o->per_address);
	case OPT_TICKTIME:
		return number32("--ticktime", arg, 10, 1000000, &o->ticktime);
	default:
		return number32("--mode", arg, 8, 0777, &o->mode);
	}
}

int keeper_option(struct cli *c, int opt, char *arg)
{
	switch (opt) {
	case OPT_COOKIE:
		c->keeper.cookie = take_secret(arg);
		return 0;
	case OPT_COOKIE_FILE:
		return text(&c->keeper.cookie_file, arg);
	case OPT_ADMIT:
		return text(&c->keeper.admit, arg);
	case OPT_CONNECT_WITH:
		return text(&c->keeper.connect_with, arg);
	case OPT_EPMD:
		return text(&c->keeper.epmd, arg);
	case OPT_EPMD_TYPE:
		return epmd_type(c, arg);
	case OPT_AUTO_CONNECT:
		return auto_connect(c, arg);
	case OPT_LONG_NAMES:
		return flag(c, ERLDIST_KEEPER_LONG_NAMES);
	case OPT_NO_EPMD:
		return flag(c, ERLDIST_KEEPER_WITHOUT_EPMD);
	case OPT_NO_EPMD_START:
		return flag(c, ERLDIST_KEEPER_NO_EPMD_START);
	case OPT_NO_LISTEN:
		return flag(c, ERLDIST_KEEPER_NO_LISTEN);
	case OPT_VISIBLE:
		return flag(c, ERLDIST_KEEPER_VISIBLE);
	case OPT_DEFAULT:
		c->mark_default = true;
		return 0;
	case OPT_COOKIE_FOR:
	case OPT_LISTEN:
	case OPT_PEER:
	case OPT_KEEP:
	case OPT_ALLOW:
		return list_option(c, opt, arg);
	default:
		return number_option(&c->keeper, opt, arg);
	}
}
