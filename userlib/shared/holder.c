// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs that hold nodes. A node is a socket; /proc shows which program has it
 * open, to root and mostly to the program's own user.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "shared.h"

#define NODE_PROTOCOL	"ERLDIST-NODE"	/* the kernel's name for node sockets */
#define PATH_SIZE	64
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE	71
#endif

/* Looked at without opening it: a socket of another kind is left alone */
static bool is_node_socket(const char *path)
{
	char link[16] = "", protocol[sizeof(NODE_PROTOCOL)] = "";

	if (readlink(path, link, sizeof(link) - 1) < 0 || strncmp(link, "socket:", 7))
		return false;
	return getxattr(path, "system.sockprotoname", protocol, sizeof(protocol)) > 0 &&
	       !memcmp(protocol, NODE_PROTOCOL, sizeof(protocol));
}

/* fd: a node socket of ours; fails for one that is not bound yet */
static int bound_to(int fd, char node[ERLDIST_ATOM_SIZE])
{
	struct sockaddr_erldist sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return -errno;
	return erldist_match(sa.sed_term, len - offsetof(struct sockaddr_erldist, sed_term), "~a",
			     node, ERLDIST_ATOM_SIZE);
}

/* Nodes of another network namespace can have the same names: that of a socket */
static uint64_t namespace_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) ? 0 : cookie;
}

static uint64_t own_namespace(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t own = fd < 0 ? 0 : namespace_of(fd);

	if (fd >= 0)
		close(fd);
	return own;
}

static int add(struct holders *all, pid_t pid, const char *node)
{
	struct holder *h = calloc(1, sizeof(*h));
	char path[PATH_SIZE];
	FILE *f;

	if (!h)
		return -ENOMEM;
	h->pid = pid;
	snprintf(h->node, sizeof(h->node), "%s", node);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (f && fgets(h->program, sizeof(h->program), f))
		h->program[strcspn(h->program, "\n")] = 0;
	if (f)
		fclose(f);
	h->next = all->first;
	all->first = h;
	return 0;
}

/* The name of the node is asked for on a descriptor of ours, which is closed at once */
static int take(struct holders *all, pid_t pid, int number)
{
	char node[ERLDIST_ATOM_SIZE];
	int err = 0, pidfd, fd;

	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return 0;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd >= 0) {
		if (namespace_of(fd) == own_namespace() && !bound_to(fd, node))
			err = add(all, pid, node);
		close(fd);
	}
	close(pidfd);
	return err;
}

static int look_into(struct holders *all, pid_t pid)
{
	char path[PATH_SIZE];
	struct dirent *e;
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (!err && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", (int)pid, e->d_name);
		if (isdigit((unsigned char)*e->d_name) && is_node_socket(path))
			err = take(all, pid, atoi(e->d_name));
	}
	closedir(dir);
	return err;
}

/* Of this network namespace, all that this user can find. On error there are none */
int holders_find(struct holders *all)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int err = 0;

	all->first = NULL;
	if (!dir)
		return -errno;
	while (!err && (e = readdir(dir)))
		if (isdigit((unsigned char)*e->d_name))
			err = look_into(all, (pid_t)atoi(e->d_name));
	closedir(dir);
	if (err)
		holders_free(all);
	return err;
}

void holders_free(struct holders *all)
{
	struct holder *h;

	while ((h = all->first)) {
		all->first = h->next;
		free(h);
	}
}

bool holder_is_store(const struct holder *h)
{
	return !strcmp(h->program, "systemd");
}

/* A service manager that stores the socket for its service is the second choice */
const struct holder *holder_of(const struct holders *all, const char *node)
{
	const struct holder *h, *store = NULL;

	for (h = all->first; h; h = h->next) {
		if (strcmp(h->node, node))
			continue;
		if (!holder_is_store(h))
			return h;
		store = h;
	}
	return store;
}
