// SPDX-License-Identifier: GPL-2.0-only
/* What --help says of options. */
#include "cli.h"

#define OPTION_WIDTH	32

static void print_option(const struct node_option *o)
{
	const char *value = o->value ? o->value : "";
	char text[64];

	if (o->heading)
		printf("         %s\n", o->heading);
	snprintf(text, sizeof(text), "--%s%s%s%s", o->name, *value ? " " : "", value,
		 o->kind == OPTION_LIST ? " ..." : "");
	printf("           %-*s %s\n", OPTION_WIDTH, text, o->about);
}

/* Those of node run */
void help_node_options(void)
{
	static const struct node_option background = {
		.name = "background", .about = "return when the node runs",
	};
	size_t i;

	puts("         (...: can be repeated; after a semicolon: the value if it is not given)");
	for (i = 0; i < node_options_n; i++)
		if (node_options[i].about)
			print_option(&node_options[i]);
	print_option(&background);
}
