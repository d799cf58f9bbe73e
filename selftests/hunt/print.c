// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program as one file of C: its text, and the sources that run it, without their
 * includes of each other. It needs only uapi/ and libc.
 */
#include "hunt.h"

static const char *const parts[] = {
	"erldist/term.h", "erldist/genl.h", "erldist/md5.h", "erldist/erldist_test.h",
	"erldist/wire_peer.h", "hunt/hunt.h", "erldist/term.c", "erldist/genl.c",
	"erldist/md5.c", "erldist/observe.c", "erldist/erldist_test.c", "erldist/wire_peer.c", "hunt/program.c",
	"hunt/arguments.c", "hunt/calls.c", "hunt/wire.c", "hunt/run.c",
};

static int put_part(const char *sources, const char *part, FILE *out)
{
	char path[600], line[1000];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", sources, part);
	f = fopen(path, "re");
	if (!f) {
		fprintf(stderr, "%s: errno %d\n", path, errno);
		return 1;
	}
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "#include \"", 10))
			fputs(line, out);
	fclose(f);
	return 0;
}

static void put_string(const char *text, FILE *out)
{
	fputs("static const char program_text[] =\n\t\"", out);
	for (; *text; text++) {
		if (*text == '\n')
			fputs(text[1] ? "\\n\"\n\t\"" : "\\n\"", out);
		else
			fputc(*text, out);
	}
	fputs(";\n\n", out);
}

static const char program_main[] =
	"void kcov_thread_start(struct shared *s, unsigned int area)\n{\n}\n\n"
	"int main(int argc, char **argv)\n{\n"
	"\tstruct shared *s = shared_new();\n"
	"\tunsigned int times = argc > 1 ? atoi(argv[1]) : 100;\n"
	"\tenum verdict v = RAN;\n\n"
	"\tif (argc > 1 && !strcmp(argv[1], \"pause\"))\n\t\treturn pause();\n"
	"\tif (prog_parse(&s->prog, program_text) || enter_netns())\n\t\treturn 1;\n"
	"\tfor (unsigned int i = 0; i < times && v != HUNG && v != VIOLATED; i++)\n"
	"\t\tv = run_prog(s);\n"
	"\tfor (unsigned int i = 0; i < s->prog.n_calls; i++)\n"
	"\t\tprintf(\"x%u = %s: %ld\\n\", i, desc_of(s->prog.call[i].desc)->name, s->ret[i]);\n"
	"\tprintf(\"verdict %d %s\\n\", v, s->violation);\n"
	"\treturn v == HUNG || v == VIOLATED;\n}\n";

int print_c(const struct prog *p, const char *sources, FILE *out)
{
	static char text[TEXT_MAX];

	if (prog_print(p, text, sizeof(text)) < 0)
		return 1;
	fputs("// SPDX-License-" "Identifier: GPL-2.0-only\n"
	      "// A program that the hunt found. Build and run it as root, its module loaded:\n"
	      "//   gcc -std=gnu11 -O2 -pthread -I uapi -o found ./found.c && ./found TIMES\n"
	      "#define _GNU_SOURCE\n", out);
	put_string(text, out);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		if (put_part(sources, parts[i], out))
			return 1;
	fputs(program_main, out);
	return 0;
}
