// SPDX-License-Identifier: GPL-2.0-only
/*
 * The descriptor store of the service manager: node sockets, connections to epmd
 * and listening sockets live there while no erldistd does. A name says what each is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "erldistd.h"

#define NAME_SIZE	256	/* sd_pid_notify_with_fds(3) */
#define HASHED		16

static const char *const kinds[] = {
	[PARK_NODE] = "node", [PARK_EPMD] = "epmd", [PARK_LISTEN] = "listen",
	[PARK_HAND_OUT] = "hand-out",
};

/* No colon, and nothing but what is printable */
static size_t escape(char *to, const char *s)
{
	size_t n = 0;

	for (; *s; s++) {
		if (*s > ' ' && *s < 127 && *s != ':' && *s != '%')
			to[n++] = *s;
		else
			n += (size_t)sprintf(to + n, "%%%02X", (unsigned char)*s);
	}
	to[n] = 0;
	return n;
}

static unsigned long long hash(const char *s)
{
	unsigned long long h = 0xcbf29ce484222325;	/* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	return h;
}

/* "erldist listen svc@host [%3A%3A1]%3A4400". One that is too long ends with a hash of it */
static void name_of(char name[NAME_SIZE], const struct park *p)
{
	char node[3 * ERLDIST_NAME_MAX + 1], place[3 * NAME_SIZE + 1], all[2048], part[NAME_SIZE];

	escape(node, p->node);
	snprintf(part, sizeof(part), "%s", p->place);
	escape(place, part);
	snprintf(all, sizeof(all), PARK_PREFIX "%s %s%s%s", kinds[p->kind], node,
		 *place ? " " : "", place);
	if (strlen(all) < NAME_SIZE)
		strcpy(name, all);
	else
		snprintf(name, NAME_SIZE, "%.*s%016llx", NAME_SIZE - 1 - HASHED, all, hash(all));
}

static void drop(const char *name)
{
	notify(-1, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static struct inherited *find(const struct park *p)
{
	char name[NAME_SIZE];
	unsigned int i;

	name_of(name, p);
	for (i = 0; i < inherited_n; i++)
		if (inherited[i].fd >= 0 && !strcmp(inherited[i].name, name))
			return &inherited[i];
	return NULL;
}

bool park_has(const struct park *p)
{
	return find(p);
}

/* So that it is not dropped before it is taken */
void park_want(const struct park *p)
{
	struct inherited *h = find(p);

	if (h)
		h->wanted = true;
}

/* One that an erldistd before us had, or 0. The manager has one of it all the same */
int park_take(const struct park *p)
{
	struct inherited *h = find(p);
	int fd = h ? h->fd : 0;

	if (h)
		h->fd = -1;
	return fd;
}

/* In place of what was there by this name */
void park_put(const struct park *p, int fd)
{
	char name[NAME_SIZE];

	if (fd < 0 || !notify_wanted())
		return;
	name_of(name, p);
	drop(name);
	notify(fd, "FDSTORE=1\nFDNAME=%s", name);
}

void park_drop(const struct park *p)
{
	char name[NAME_SIZE];

	name_of(name, p);
	drop(name);
}

static bool parked(const struct inherited *h)
{
	return h->fd >= 0 && !strncmp(h->name, PARK_PREFIX, strlen(PARK_PREFIX));
}

/* What a parked node is called, or NULL: it is something else */
static const char *node_of(const struct inherited *h)
{
	const char *what = h->name + strlen(PARK_PREFIX);
	size_t len = strlen(kinds[PARK_NODE]);

	return parked(h) && !strncmp(what, kinds[PARK_NODE], len) && what[len] == ' ' ?
	       what + len + 1 : NULL;
}

/* How many are there */
unsigned int park_nodes(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < inherited_n; i++)
		n += node_of(&inherited[i]) != NULL;
	return n;
}

static void tell_end(const struct inherited *h)
{
	if (node_of(h))
		say(LOG_NOTICE, "%s ends: there is no file for it", node_of(h));
	else
		say(LOG_DEBUG, "not needed any more: %s", h->name);
}

static void remove_path(int fd)
{
	struct sockaddr_un sa = { 0 };
	socklen_t len = sizeof(sa) - 1;

	if (!getsockname(fd, (struct sockaddr *)&sa, &len) && sa.sun_family == AF_UNIX &&
	    sa.sun_path[0])
		unlink(sa.sun_path);
}

static void drop_inherited(struct inherited *h)
{
	tell_end(h);
	remove_path(h->fd);
	close(h->fd);
	h->fd = -1;
	drop(h->name);
}

/* Names, ports and paths of what nobody wants are free afterwards */
void park_drop_rest(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < inherited_n; i++) {
		if (!parked(&inherited[i]) || inherited[i].wanted)
			continue;
		drop_inherited(&inherited[i]);
		n++;
	}
	if (n)
		notify_barrier();
}
