// SPDX-License-Identifier: GPL-2.0-only
/*
 * interop_way NODE NAME WAY: a native process that ends in this way (ways.h).
 * interop_way: lists the ways that this machine has, as Erlang terms {Way, Alive, Reason}.
 */
#include "ways.h"

static void show(const struct way *way)
{
	printf("{%s, %s, ", way->name, way->alive ? "true" : "false");
	if (way->signal)
		printf("{signal, %s}}.\n", way->signal);
	else if (way->status)
		printf("{exit_status, %d}}.\n", way->status);
	else
		puts("normal}.");
}

int main(int argc, char **argv)
{
	const struct way *way;

	if (argc == 4) {
		way = way_find(argv[3]);
		if (!way || (way->possible && way->possible()))
			die("no way %s", argv[3]);
		way_go(way, argv[2], argv[1], 0, 1);
	}
	for (way = ways; way->name; way++) {
		if (!way->possible || !way->possible())
			show(way);
	}
	return 0;
}
