// SPDX-License-Identifier: GPL-2.0-only
/* erldist: look at and use the Erlang nodes and processes of this machine. */
#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Those of node run are behind */
static const struct option own_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "timestamp", no_argument, NULL, 't' },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "since-start", no_argument, NULL, OPT_SINCE_START },
	{ "background", no_argument, NULL, OPT_BACKGROUND },
};

#define OWN_OPTIONS	(sizeof(own_options) / sizeof(own_options[0]))

static struct option *all_options;

/* Options a command takes besides -j and -h */
static const int no_opts[] = { 0 };
static const int in_node_opts[] = { OPT_NODE, OPT_TIMEOUT, 0 };
static const int own_opts[] = { OPT_TIMEOUT, 0 };
static const int recv_opts[] = { OPT_NODE, OPT_COUNT, OPT_TIMEOUT, 0 };
static const int monitor_opts[] = { 't', OPT_COUNT, OPT_SINCE_START, 0 };
static const int nodes_opts[] = { OPT_NODE, 0 };
static const int status_opts[] = { OPT_INTERVAL, 0 };
static const int run_opts[] = { OPT_NODE_RUN, OPT_BACKGROUND, 0 };

enum {
	OF_TERM = 1,		/* the last argument is a term */
	MILLISECONDS = 2,	/* --timeout is in, and short */
	OF_NODE = 4,		/* the first argument is a node */
};

static const struct command {
	const char *object;
	const char *verb;	/* NULL: the object is all */
	int (*run)(struct cli *c);
	const int *opts;
	int min, max;		/* arguments */
	int how;		/* OF_TERM, MILLISECONDS, OF_NODE */
	const char *usage;
	const char *about;
} commands[] = {
	{ "status", NULL, status, status_opts, 0, 0, 0, "status [--interval MS]",
	  "all nodes and their peers at a glance" },
	{ "node", "show", node_show, no_opts, 0, 1, OF_NODE, "node show [NODE]",
	  "the nodes of this machine" },
	{ "node", "run", node_run, run_opts, 1, 1, 0,
	  "node run NAME [OPTION]...",
	  "make a node and hold it until SIGINT or SIGTERM" },
	{ "node", "stop", node_stop, own_opts, 1, 1, OF_NODE, "node stop [--timeout S] NODE",
	  "end the program that holds a node" },
	{ "node", "own", node_own, own_opts, 0, 1, MILLISECONDS | OF_NODE,
	  "node own [--timeout MS] [NODE]",
	  "make a private node, for the program that starts this" },
	{ "node", "of", node_of, no_opts, 1, 1, 0, "node of PID",
	  "the node that a pid is from" },
	{ "nodes", NULL, nodes, nodes_opts, 0, 1, 0,
	  "nodes [--node N] [visible | hidden | connected | this | known]",
	  "the nodes that a node of this machine is connected to" },
	{ "peer", "show", peer_show, no_opts, 0, 1, OF_NODE, "peer show [NODE]",
	  "the remote nodes, and why a connection ended" },
	{ "peer", "connect", peer_connect, in_node_opts, 1, 1, OF_NODE,
	  "peer connect [--node N] [--timeout S] NODE",
	  "connect a node" },
	{ "peer", "disconnect", peer_disconnect, in_node_opts, 1, 1, OF_NODE,
	  "peer disconnect [--node N] [--timeout S] NODE",
	  "close the connection to a node" },
	{ "process", "show", process_show, no_opts, 0, 0, 0, "process show",
	  "the processes of this machine" },
	{ "process", "watch", process_watch, in_node_opts, 1, 1, 0,
	  "process watch [--node N] [--timeout S] DEST",
	  "wait for the end of a process, and print the reason" },
	{ "monitor", NULL, monitor, monitor_opts, 0, 0, 0,
	  "monitor [-t] [--since-start] [--count K]",
	  "nodes, peers and names that come and go" },
	{ "ping", NULL, ping, in_node_opts, 1, 1, OF_NODE, "ping [--node N] [--timeout S] NODE",
	  "is a node reachable, and if not, why" },
	{ "send", NULL, send_term, in_node_opts, 2, 2, OF_TERM,
	  "send [--node N] [--timeout S] DEST TERM",
	  "send a message" },
	{ "call", NULL, call_term, in_node_opts, 2, 2, OF_TERM | MILLISECONDS,
	  "call [--node N] [--timeout MS] DEST TERM",
	  "gen_server:call, and print the reply" },
	{ "rpc", NULL, rpc, in_node_opts, 4, 4, OF_TERM | MILLISECONDS | OF_NODE,
	  "rpc [--node N] [--timeout MS] NODE MOD FUN ARGS",
	  "rpc:call, and print the result" },
	{ "exit", NULL, send_exit, in_node_opts, 2, 2, OF_TERM,
	  "exit [--node N] [--timeout S] PID REASON",
	  "exit/2: end a process" },
	{ "recv", NULL, receive, recv_opts, 1, 1, 0,
	  "recv [--node N] [--timeout S] NAME [--count K]",
	  "register NAME, and print the messages it gets" },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static bool takes(const struct command *cmd, int opt)
{
	const int *o;

	if (opt > OPT_NODE_RUN)
		opt = OPT_NODE_RUN;
	for (o = cmd->opts; *o; o++)
		if (*o == opt)
			return true;
	return false;
}

/* "call DEST TERM": the usage without its options */
static void print_short(const struct command *cmd)
{
	const char *p = cmd->usage;
	char text[64];
	size_t n = 0;

	while (*p && n < sizeof(text) - 1) {
		if (strchr("\n ", *p) && strchr("\n ", p[1])) {
			p++;
		} else if (strchr("\n ", *p) && p[1] == '[' && p[2] == '-') {
			int depth = 0;

			do {
				p++;
				depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
			} while (depth && *p);
			p += strspn(p, "].");
		} else {
			text[n++] = *p++;
		}
	}
	text[n] = 0;
	printf("  %-26s%s%s\n", text, n > 25 ? "\n                            " : "", cmd->about);
}

/* With its options, and the units of their values */
static void print_long(const struct command *cmd)
{
	printf("       erldist %s\n           %s\n", cmd->usage, cmd->about);
	if (cmd->opts == run_opts)
		help_node_options();
	if (cmd->opts == status_opts)
		printf("           --interval: milliseconds in which rates are measured; %d if not "
		       "given, 0: none\n", INTERVAL_MS);
	if (cmd->how & MILLISECONDS)
		printf("           --timeout: milliseconds, as in Erlang, or 5s; %d if not given\n",
		       CALL_TIMEOUT_MS);
	else if (cmd->run == node_stop)
		printf("           --timeout: seconds to wait for its end, or 500ms; %d if not "
		       "given\n", TIMEOUT_MS / 1000);
	else if (cmd->run == receive)
		puts("           --timeout: seconds to wait for a message, or 500ms; if not given, "
		     "as long as it takes");
	else if (takes(cmd, OPT_TIMEOUT))
		printf("           --timeout: seconds to connect, or 500ms; %d if not given\n",
		       TIMEOUT_MS / 1000);
}

/* object: NULL: all commands, without their options */
static int usage(const char *object)
{
	size_t i;

	puts("usage: erldist [-j] OBJECT [VERB] ...");
	for (i = 0; i < COMMANDS; i++) {
		if (!object)
			print_short(&commands[i]);
		else if (!strcmp(object, commands[i].object))
			print_long(&commands[i]);
	}
	puts("NODE:   NAME@HOST, or NAME of this host\n"
	     "DEST:   NAME of the own node, NAME@NODE, {Name, 'Node@Host'}, or a pid like\n"
	     "        <svc@host.12.0>\n"
	     "TERM:   Erlang syntax\n"
	     "ARGS:   a list in Erlang syntax\n"
	     "-j:     one JSON object a line from all commands that print\n"
	     "--node: the local node to act in, or unix:PATH of a broker that hands out\n"
	     "        processes, else $ERLDIST_NODE, else the default node");
	if (!object)
		puts("The options of a command: erldist call --help");
	puts("See erldist(8).");
	return 0;
}

/* After an error, which must not be scrolled away. object, cmd: as far as they are known */
static int usage_error(const char *object, const struct command *cmd)
{
	if (cmd)
		fprintf(stderr, "usage: erldist %s\n", cmd->usage);
	fprintf(stderr, "Try 'erldist%s%s --help', or erldist(8).\n", object ? " " : "",
		object ? object : "");
	return 1;
}

static bool known(const char *object)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(object, commands[i].object))
			return true;
	return false;
}

static int help(const char *object)
{
	if (!object || known(object))
		return usage(object);
	complain("no such command: %s", object);
	return usage_error(NULL, NULL);
}

/* "stop" is "node stop", "start" nothing, but plausible; else the objects */
static void list_objects(const char *word)
{
	const char *last = "", *comma = "";
	size_t i;

	if (!strcmp(word, "start"))
		word = "run";

	for (i = 0; i < COMMANDS; i++) {
		if (!commands[i].verb || strcmp(word, commands[i].verb))
			continue;
		fprintf(stderr, "%s'erldist %s %s'", *comma ? comma : "erldist: there is ",
			commands[i].object, word);
		comma = ", ";
	}
	if (*comma) {
		fputc('\n', stderr);
		return;
	}
	fprintf(stderr, "erldist: there are: ");
	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(last, commands[i].object))
			fprintf(stderr, "%s%s", i ? ", " : "", commands[i].object);
		last = commands[i].object;
	}
	fputc('\n', stderr);
}

/* "node run, show ..." */
static void list_verbs(const char *object)
{
	const char *comma = "";
	size_t i;

	fprintf(stderr, "erldist: %s is followed by one of: ", object);
	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(object, commands[i].object))
			continue;
		fprintf(stderr, "%s%s", comma, commands[i].verb);
		comma = ", ";
	}
	fputc('\n', stderr);
}

/* Not even the object, or not that verb */
static int no_command(int argc, char **argv)
{
	if (argc > 1 || !known(argv[0]))
		complain("no such command: %s%s%s", argv[0], argc > 1 ? " " : "",
			 argc > 1 ? argv[1] : "");
	if (!known(argv[0])) {
		list_objects(argv[0]);
		return usage_error(NULL, NULL);
	}
	list_verbs(argv[0]);
	return usage_error(argv[0], NULL);
}

static bool known_value(int opt)
{
	const struct option *o;

	for (o = all_options; o->name && o->val != opt; o++)
		;
	return o->name;
}

/* What getopt did not like: the option, never its value, which may be a secret */
static void bad_option(int opt, char *word)
{
	char letter[] = { '-', (char)optopt, 0 };

	if (!optopt || optopt > UCHAR_MAX || strchr(word, '='))
		word = strndup(word, strcspn(word, "="));
	else
		word = strdup(letter);
	complain(opt == ':' ? "%s wants a value" : optopt && known_value(optopt) ?
		 "%s takes no value" : "no such option: %s", word ? word : "");
	free(word);
}

static void not_taken(const char *object, int opt)
{
	const struct option *o;

	for (o = all_options; o->name && o->val != opt; o++)
		;
	if (object)
		complain("%s does not take --%s", object, o->name);
	else
		complain("--%s is an option of a command: put it behind that", o->name);
}

/* "--cookie --background": the value was forgotten; "--cookie=--background" may be meant */
static bool is_forgotten(int opt, const char *value, const char *last)
{
	const struct option *all = all_options, *o, *given = NULL;

	if (!value || value != last || strncmp(value, "--", 2))
		return false;
	for (o = all; o->name; o++)
		if (o->val == opt)
			given = o;
	for (o = all; o->name && strcmp(o->name, value + 2); o++)
		;
	return o->name && complain("--%s wants a value, and %s is an option; if it is the value, "
				   "write --%s=%s", given->name, value, given->name, value);
}

/* The command as it was typed: "node run" */
static const char *title(const struct command *cmd, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", cmd->object, cmd->verb ? " " : "",
		 cmd->verb ? cmd->verb : "");
	return text;
}

/* A term that the shell has taken apart has neither braces nor blanks any more */
static const char *place_of(const struct command *cmd, const char *extra)
{
	if (!(cmd->how & OF_TERM))
		return "";
	if (!strpbrk(extra, "{[ "))
		return ": put a term in quotes for the shell, like '{add,1,2}'";
	return cmd->how & OF_NODE ? "" : ": a process of another node is one word, like calc@svc";
}

/* The arguments are the words of the usage that are in no brackets */
static void wrong_arguments(const struct cli *c, const struct command *cmd)
{
	const char *p = cmd->usage + strlen(cmd->object);
	int depth = 0, n = 0;
	char name[64];
	size_t len;

	title(cmd, name, sizeof(name));
	if (c->argc > cmd->max) {
		complain("%s: there is no place for %s%s", name, c->argv[cmd->max],
			 place_of(cmd, c->argv[cmd->max]));
		return;
	}
	for (p += cmd->verb ? strlen(cmd->verb) + 1 : 0; *p; p += len) {
		len = strcspn(p, "\n[] ");
		if (len && !depth && n++ == c->argc)
			complain("%s: %.*s is missing", name, (int)len, p);
		depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
		len += !len;
	}
}

int number(const char *what, const char *text, int base, unsigned long max,
	   unsigned long *v)
{
	char *end;

	*v = strtoul(text, &end, base);
	if (!*text || *end || text[0] == '-' || *v > max)
		return complain("%s: %s is no number up to %lu", what, text, max);
	return 0;
}

/* 5s, 500ms; a number alone is in the command's unit */
static int take_timeout(struct cli *c, bool ms)
{
	size_t n = strspn(optarg, "0123456789");
	char digits[16];
	unsigned long v;

	if (n && (!strcmp(optarg + n, "s") || !strcmp(optarg + n, "ms")))
		ms = optarg[n] == 'm';
	else
		n = sizeof(digits);
	snprintf(digits, sizeof(digits), "%.*s", (int)n, optarg);
	if (number(ms ? "--timeout in milliseconds" : "--timeout in seconds", digits, 10,
		   ms ? 1000000000 : 1000000, &v))
		return 1;
	c->timeout_ms = (int)v * (ms ? 1 : 1000);
	c->timeout_given = true;
	return 0;
}

/* The command line is shown to everyone by ps */
static const char *take_secret(char *arg)
{
	char *copy = strdup(arg);

	memset(arg, '*', strlen(arg));
	return copy ? copy : "";
}

static int take_node_option(struct cli *c, const struct node_option *option)
{
	const char *value = option->how == OPTION_SECRET ? take_secret(optarg) : optarg;

	if (node_option_take(&c->setup, option, value))
		return complain("--%s: %s", option->name, c->setup.error);
	return 0;
}

static int take_option(struct cli *c, int opt, int how)
{
	switch (opt) {
	case 'j':
		c->json = true;
		return 0;
	case 't':
		c->stamps = true;
		return 0;
	case OPT_NODE:
		c->node = optarg;
		return 0;
	case OPT_COUNT:
		if (number("--count", optarg, 10, 1000000000, &c->count))
			return 1;
		return c->count ? 0 : complain("--count: 0: at least 1; without --count there is no "
					       "end");
	case OPT_TIMEOUT:
		return take_timeout(c, how & MILLISECONDS);
	case OPT_INTERVAL:
		return number("--interval in milliseconds", optarg, 10, 1000000, &c->interval_ms);
	case OPT_SINCE_START:
		c->since_start = true;
		return 0;
	case OPT_BACKGROUND:
		c->background = true;
		return 0;
	default:
		return take_node_option(c, &node_options[opt - OPT_NODE_RUN]);
	}
}

/* bob.vm: most likely bob@vm is meant */
static bool dot_for_at(const char *text, char *meant, size_t size)
{
	char node[ERLDIST_ATOM_SIZE];
	const char *dot = strchr(text, '.');

	if (!dot || strchr(text, '@'))
		return false;
	snprintf(meant, size, "%.*s@%s", (int)(dot - text), text, dot + 1);
	return !erldist_node_name(node, sizeof(node), meant, NULL);
}

static bool not_a_node(const char *text)
{
	char node[ERLDIST_ATOM_SIZE], meant[ERLDIST_ATOM_SIZE];

	if (!erldist_node_name(node, sizeof(node), text, NULL))
		return false;
	if (dot_for_at(text, meant, sizeof(meant)))
		return complain("%s is no node name, as NAME has no dot: type NAME or NAME@HOST, "
				"for example %s", text, meant);
	return complain("%s is no node name: NAME or NAME@HOST", text);
}

static const struct command *find(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[0], commands[i].object))
			continue;
		if (!commands[i].verb || (argc > 1 && !strcmp(argv[1], commands[i].verb)))
			return &commands[i];
	}
	return NULL;
}

static bool asks_for_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* A term can be a negative number, which is no option */
static bool is_argument(const char *word)
{
	return word[0] != '-' || !word[1] || isdigit((unsigned char)word[1]);
}

/* The next option, or -1: options may be before, between and behind the arguments */
static int next_option(struct cli *c, int argc, char **argv)
{
	int opt = -1;

	while (optind < argc && is_argument(argv[optind]))
		c->argv[c->argc++] = argv[optind++];
	if (optind < argc && !strcmp(argv[optind], "--"))
		optind++;
	else if (optind < argc)
		opt = getopt_long(argc, argv, "+:jht", all_options, NULL);
	/* what is behind -- */
	while (opt == -1 && optind < argc)
		c->argv[c->argc++] = argv[optind++];
	return opt;
}

/* -1, or the exit status. getopt wants a program name in front of the words */
static int take_words(struct cli *c, const struct command *cmd, int argc, char **argv)
{
	int opt;

	/* the arguments move to the front, over words that were read */
	c->argc = 0;
	c->argv = argv + 1;
	optind = 1;
	while ((opt = next_option(c, argc, argv)) != -1) {
		if (opt == 'h')
			return usage(cmd->object);
		if (opt == '?' || opt == ':') {
			bad_option(opt, argv[optind - 1]);
			return usage_error(cmd->object, cmd);
		}
		if (opt != 'j' && !takes(cmd, opt)) {
			not_taken(cmd->object, opt);
			return usage_error(cmd->object, cmd);
		}
		if (is_forgotten(opt, optarg, argv[optind - 1]))
			return usage_error(cmd->object, cmd);
		if (take_option(c, opt, cmd->how))
			return 1;
	}
	return -1;
}

static int run(struct cli *c, const struct command *cmd, int argc, char **argv)
{
	int skip = cmd->verb ? 1 : 0, status;

	c->timeout_ms = cmd->how & MILLISECONDS ? CALL_TIMEOUT_MS : TIMEOUT_MS;
	status = take_words(c, cmd, argc - skip, argv + skip);
	if (status >= 0)
		return status;
	if (c->argc == 1 && !strcmp(c->argv[0], "help"))
		return usage(cmd->object);
	if (c->argc < cmd->min || c->argc > cmd->max) {
		wrong_arguments(c, cmd);
		return usage_error(cmd->object, cmd);
	}
	if (cmd->how & OF_NODE && c->argc && not_a_node(c->argv[0]))
		return 1;
	return cmd->run(c);
}

static void make_options(void)
{
	struct option *o = calloc(OWN_OPTIONS + node_options_n + 1, sizeof(*o));
	size_t i;

	if (!o)
		exit(complain("out of memory"));
	memcpy(o, own_options, sizeof(own_options));
	all_options = o;
	o += OWN_OPTIONS;
	for (i = 0; i < node_options_n; i++, o++) {
		o->name = node_options[i].name;
		o->has_arg = node_option_has_value(&node_options[i]) ? required_argument :
								       no_argument;
		o->val = OPT_NODE_RUN + (int)i;
	}
}

int main(int argc, char **argv)
{
	static struct cli c = { .interval_ms = INTERVAL_MS };
	const struct command *cmd;
	int opt, status;

	setlocale(LC_ALL, "");
	setlinebuf(stdout);
	make_options();
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:jh", all_options, NULL)) != -1) {
		if (opt == 'h')
			return usage(NULL);
		if (opt == OPT_VERSION)
			return puts("erldist " ERLDIST_VERSION) < 0;
		if (opt == '?' || opt == ':') {
			bad_option(opt, argv[optind - 1]);
			return usage_error(NULL, NULL);
		}
		if (opt != 'j' && opt != OPT_NODE) {
			not_taken(NULL, opt);
			return usage_error(NULL, NULL);
		}
		take_option(&c, opt, 0);
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		usage(NULL);
		return 1;
	}
	if (!strcmp(argv[0], "help"))
		return help(argc > 1 ? argv[1] : NULL);
	cmd = find(argc, argv);
	if (!cmd) {
		if (argc > 1 && asks_for_help(argv[1]))
			return help(argv[0]);
		return no_command(argc, argv);
	}
	status = run(&c, cmd, argc, argv);
	if (fflush(stdout) || ferror(stdout))
		return complain("standard output: %s", strerror(errno));
	return status;
}
