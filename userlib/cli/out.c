// SPDX-License-Identifier: GPL-2.0-only
/* A line of text, a JSON object or a row of a table, from the same calls. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

void out_begin(struct out *o, bool json)
{
	memset(o, 0, sizeof(*o));
	o->json = json;
	o->first = true;
	o->file = stdout;
	if (json)
		putchar('{');
}

/* One value a line on a terminal, else as out_begin(): scripts read one object a line */
void out_begin_lines(struct out *o, bool json)
{
	out_begin(o, json);
	o->lines = !json && isatty(STDOUT_FILENO);
}

/* A row if the table is used, else as out_begin() */
void out_begin_row(struct out *o, bool json, struct table *table)
{
	out_begin(o, json);
	if (!table->used)
		return;
	o->table = table;
	table_row(table);
}

/* Node names and reasons are ASCII and terms UTF-8, but a name may hold anything */
static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 127)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void json_key(struct out *o, const char *key)
{
	if (!o->first)
		putchar(',');
	json_string(key);
	putchar(':');
}

static void end_cell(struct out *o)
{
	if (!o->key)
		return;
	fclose(o->file);
	table_cell(o->table, o->key, o->cell);
	o->key = NULL;
}

static void begin_cell(struct out *o, const char *key)
{
	end_cell(o);
	o->file = open_memstream(&o->cell, &o->cell_size);
	if (!o->file)
		exit(complain("out of memory"));
	o->key = key;
}

/* shown: the key is a part of the line */
static void text_key(struct out *o, const char *key, bool shown)
{
	if (o->table) {
		begin_cell(o, key);
		return;
	}
	if (!o->first)
		fputs(o->lines ? "\n  " : " ", stdout);
	if (key && shown)
		printf("%s ", key);
}

/* What identifies the object: text shows it without its key */
void out_word(struct out *o, const char *key, const char *value)
{
	if (o->json) {
		json_key(o, key);
		json_string(value);
	} else {
		text_key(o, key, false);
		fputs(value, o->file);
	}
	o->first = false;
}

void out_text(struct out *o, const char *key, const char *value)
{
	if (o->json) {
		out_word(o, key, value);
		return;
	}
	text_key(o, key, true);
	fputs(value, o->file);
	o->first = false;
}

/* What this object does not have: a table's columns are in the order of the first row */
void out_none(struct out *o, const char *key)
{
	if (o->table)
		out_text(o, key, "-");
}

/* A registered name may hold anything: text shows it as an atom is written */
void out_name(struct out *o, const char *key, const char *name)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *text = NULL;

	if (o->json)
		out_text(o, key, name);
	else if (!erldist_format(&t, "~a", name) && erldist_print(&text, t.term, t.len, 0) >= 0)
		out_text(o, key, text);
	free(text);
	erldist_term_free(&t);
}

void out_number(struct out *o, const char *key, uint64_t v)
{
	if (o->json)
		json_key(o, key);
	else
		text_key(o, key, true);
	fprintf(o->file, "%" PRIu64, v);
	o->first = false;
}

void out_rate(struct out *o, const char *key, double v)
{
	if (o->json)
		json_key(o, key);
	else
		text_key(o, key, true);
	fprintf(o->file, "%.3f", v);
	o->first = false;
}

/* In JSON only: a list of objects inside of one, each between item and item_end */
void out_list(struct out *o, const char *key)
{
	json_key(o, key);
	putchar('[');
	o->first = true;
}

void out_list_end(struct out *o)
{
	putchar(']');
	o->first = false;
}

void out_item(struct out *o)
{
	if (!o->first)
		putchar(',');
	putchar('{');
	o->first = true;
}

void out_item_end(struct out *o)
{
	putchar('}');
	o->first = false;
}

/* In JSON a string: it has no octal numbers */
void out_octal(struct out *o, const char *key, uint32_t v)
{
	char text[16];

	snprintf(text, sizeof(text), "%04o", v);
	out_text(o, key, text);
}

void out_hex(struct out *o, const char *key, uint64_t v)
{
	if (o->json) {
		out_number(o, key, v);
		return;
	}
	text_key(o, key, true);
	fprintf(o->file, "0x%" PRIx64, v);
	o->first = false;
}

void out_seconds(struct out *o, const char *key, uint64_t ms)
{
	if (o->json)
		json_key(o, key);
	else
		text_key(o, key, true);
	fprintf(o->file, "%" PRIu64 ".%03" PRIu64 "%s", ms / 1000, ms % 1000, o->json ? "" : "s");
	o->first = false;
}

/* In text a flag is its name */
void out_true(struct out *o, const char *key)
{
	if (o->json) {
		json_key(o, key);
		fputs("true", stdout);
	} else {
		out_word(o, key, key);
	}
	o->first = false;
}

void out_time(struct out *o)
{
	struct timespec ts;
	struct tm tm;
	char s[64];

	clock_gettime(CLOCK_REALTIME, &ts);
	if (o->json) {
		json_key(o, "time");
		fprintf(o->file, "%lld.%06ld", (long long)ts.tv_sec, ts.tv_nsec / 1000);
	} else {
		text_key(o, "time", false);
		localtime_r(&ts.tv_sec, &tm);
		strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%S", &tm);
		fprintf(o->file, "%s.%06ld", s, ts.tv_nsec / 1000);
	}
	o->first = false;
}

void out_pid(struct out *o, const char *key, const char *node, uint32_t id,
	     uint32_t serial, uint32_t creation)
{
	erlang_pid pid = { .num = id, .serial = serial, .creation = creation };
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *text = NULL;

	memcpy(pid.node, node, strnlen(node, sizeof(pid.node) - 1));
	if (!erldist_format(&t, "~p", &pid) &&
	    erldist_print(&text, t.term, t.len, print_flags(o->json)) >= 0)
		out_word(o, key, text);
	free(text);
	erldist_term_free(&t);
}

/* 0, or the exit status: it cannot be shown, and that was told */
int out_term(struct out *o, const char *key, const void *term, size_t len)
{
	char *text;
	ssize_t n = erldist_print(&text, term, len, print_flags(o->json));

	if (n < 0)
		return complain("a term of %zu bytes cannot be shown: %s", len,
				erldist_strerror(NULL, (int)n));
	out_word(o, key, text);
	free(text);
	return 0;
}

void out_end(struct out *o)
{
	if (o->table)
		end_cell(o);
	else
		puts(o->json ? "}" : "");
}
