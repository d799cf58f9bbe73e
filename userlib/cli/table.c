// SPDX-License-Identifier: GPL-2.0-only
/* For a person: objects as the rows of a table, each key as a heading. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

struct cell {
	struct cell *next;	/* in the row */
	unsigned int column;
	char *text;
};

struct row {
	struct row *next;
	struct cell *cells;
};

static void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		exit(complain("out of memory"));
	return p;
}

/* Characters, most of which are as wide as one */
static int width_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static unsigned int column_of(struct table *t, const char *key)
{
	unsigned int i;

	for (i = 0; i < t->columns; i++)
		if (!strcmp(t->heads[i], key))
			return i;
	if (t->columns == TABLE_COLUMNS)
		exit(complain("a table has at most %d columns", TABLE_COLUMNS));
	t->heads[i] = key;
	t->widths[i] = width_of(key);
	t->columns++;
	return i;
}

/* Scripts read lines in which each value has its key: the table is for a terminal. */
void table_init(struct table *t, bool json)
{
	memset(t, 0, sizeof(*t));
	t->last = &t->rows;
	t->used = !json && isatty(STDOUT_FILENO);
}

void table_row(struct table *t)
{
	struct row *row = allocate(sizeof(*row));

	*t->last = row;
	t->last = &row->next;
	t->row = row;
}

/* key has to stay; text becomes the table's */
void table_cell(struct table *t, const char *key, char *text)
{
	struct cell *cell = allocate(sizeof(*cell));
	int width = width_of(text);

	cell->column = column_of(t, key);
	cell->text = text;
	cell->next = t->row->cells;
	t->row->cells = cell;
	if (width > t->widths[cell->column])
		t->widths[cell->column] = width;
}

static const char *text_in(const struct row *row, unsigned int column)
{
	const struct cell *cell;

	for (cell = row->cells; cell; cell = cell->next)
		if (cell->column == column)
			return cell->text;
	return "";
}

/* row: NULL: the headings */
static void print_row(const struct table *t, const struct row *row)
{
	unsigned int i, gap = 0;
	const char *text;

	for (i = 0; i < t->columns; i++) {
		text = row ? text_in(row, i) : t->heads[i];
		if (*text) {
			printf("%*s%s", (int)gap, "", text);
			gap = 0;
		}
		gap += (unsigned int)(t->widths[i] - width_of(text)) + 2;
	}
	putchar('\n');
}

static void free_row(struct row *row)
{
	struct cell *cell;

	while ((cell = row->cells)) {
		row->cells = cell->next;
		free(cell->text);
		free(cell);
	}
	free(row);
}

/* Nothing where there are no rows */
void table_print(struct table *t)
{
	struct row *row;

	if (t->rows)
		print_row(t, NULL);
	while ((row = t->rows)) {
		print_row(t, row);
		t->rows = row->next;
		free_row(row);
	}
}
