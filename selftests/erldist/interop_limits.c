// SPDX-License-Identifier: GPL-2.0-only
/*
 * interop_limits PID FIELD=NUMBER...: sets limits of the node that a process
 * holds, whatever program that is. Other fields stay as they are.
 */
#include <dirent.h>
#include <sys/syscall.h>

#include "erldist_test.h"

#define FIELD(name) { #name, offsetof(struct erldist_limits, name),	\
		      sizeof(((struct erldist_limits *)NULL)->name) }

static const struct field {
	const char *name;
	size_t offset;
	size_t size;
} fields[] = {
	FIELD(max_message),
	FIELD(mailbox_pool),
	FIELD(stall),
};

/* Our own descriptor of the node socket that a process holds */
static int find_node(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct erldist_limits l;
	struct dirent *e;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (pidfd < 0 || !dir)
		die("process %d", pid);
	while ((e = readdir(dir))) {
		int fd = syscall(SYS_pidfd_getfd, pidfd, atoi(e->d_name), 0);

		if (*e->d_name == '.' || fd < 0)
			continue;
		if (!node_limits(fd, &l))
			return fd;
		close(fd);
	}
	die("process %d holds no node", pid);
}

static void set_field(struct erldist_limits *l, const char *arg)
{
	const char *is = strchr(arg, '=');
	uint64_t number = is ? strtoull(is + 1, NULL, 10) : 0;

	for (size_t i = 0; is && i < ARRAY_SIZE(fields); i++) {
		const struct field *f = &fields[i];
		uint32_t small = number;
		void *p = (char *)l + f->offset;

		if (strlen(f->name) != is - arg || strncmp(f->name, arg, is - arg))
			continue;
		if (f->size == sizeof(small))
			memcpy(p, &small, sizeof(small));
		else
			memcpy(p, &number, sizeof(number));
		return;
	}
	die("no such limit: %s", arg);
}

int main(int argc, char **argv)
{
	struct erldist_limits l;
	int node;

	if (argc < 3)
		die("usage: interop_limits PID FIELD=NUMBER...");
	node = find_node(atoi(argv[1]));
	if (node_limits(node, &l))
		die("limits");
	for (int i = 2; i < argc; i++)
		set_field(&l, argv[i]);
	if (node_set_limits(node, &l))
		die("limits");
	return 0;
}
