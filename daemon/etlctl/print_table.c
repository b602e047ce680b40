/* SPDX-License-Identifier: MIT
 *
 * Tables: cells are kept as text until the widths are known. One that is wider than the
 * terminal shortens ids first, then leaves out the columns that are missed least, and at last
 * cuts the last column; `-o wide` shows all of it.
 *
 * Example: with COLUMNS=60 `runs` shortens its ids to the last twelve characters, then leaves out
 * TRIGGER (three dashes), TOOK and WINDOWS (two), and so on until it fits, or until RUN, JOB,
 * STATE, REJECTED and REASON are left; then REASON is cut. Which columns may go is said by who
 * makes the table, since he knows what they are for.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "etlctl/print.h"

enum {
	COLUMNS_MAX = 16,
	CELL_MAX = 2048,
	GAP = 2,
	SHORT_ID = 12, /* the end of an id, which differs most */
	CUT_MIN = 8,   /* the last column is never cut to less */
};

enum kind { KIND_TEXT, KIND_STATE, KIND_ID };

struct cell {
	char *text;
	enum kind kind;
};

struct table {
	const struct etlctl *ctl;
	const char *const *titles;
	size_t n_columns;
	struct cell *cells; /* row after row */
	size_t n_cells, cap;
};

/* How a table is printed: columns of width 0 are left out. */
struct layout {
	size_t widths[COLUMNS_MAX];
	bool short_ids;
	size_t hidden, cut; /* columns left out; the last one is cut to this, 0 = it is not */
};

/* Titles are static texts of the caller and are not copied. */
struct table *table_new(const struct etlctl *ctl, const char *const *titles)
{
	struct table *table = ETL_NEW(struct table);

	table->ctl = ctl;
	table->titles = titles;
	while (titles[table->n_columns] && table->n_columns < COLUMNS_MAX)
		table->n_columns++;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

/* The width of a cell is that of its clean text: it is cleaned once, here, before anything is
 * measured. */
static void add(struct table *table, const char *text, enum kind kind)
{
	ETL_BUF_CLEANUP struct etl_buf clean;

	etl_buf_init(&clean, CELL_MAX);
	print_clean(text ? text : "", &clean);
	ETL_GROW(table->cells, table->n_cells, table->cap);
	table->cells[table->n_cells++] = (struct cell){etl_buf_take(&clean), kind};
}

void table_text(struct table *table, const char *text)
{
	add(table, text, KIND_TEXT);
}

void table_id(struct table *table, const char *id)
{
	add(table, id, KIND_ID);
}

void table_textf(struct table *table, const char *fmt, ...)
{
	char text[CELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(table, text, KIND_TEXT);
}

void table_int(struct table *table, int64_t v)
{
	table_textf(table, "%lld", (long long)v);
}

/* The sign is added when it is printed: it counts in the width and is no part of the text. */
void table_state(struct table *table, const char *word)
{
	add(table, word, word && *word ? KIND_STATE : KIND_TEXT);
}

/* ---- titles ------------------------------------------------------------------------------ */

/* How early a column is left out where there is little room; 0 = never. */
static size_t rank_of(const struct table *table, size_t column)
{
	return strspn(table->titles[column], "-");
}

static bool is_right(const struct table *table, size_t column)
{
	return table->titles[column][rank_of(table, column)] == '>';
}

static const char *title_of(const struct table *table, size_t column)
{
	return table->titles[column] + rank_of(table, column) + is_right(table, column);
}

/* ---- widths ------------------------------------------------------------------------------ */

/* The part of a cell's text that is shown. */
static const char *shown(const struct cell *cell, const struct layout *layout)
{
	size_t n = strlen(cell->text);

	return layout->short_ids && cell->kind == KIND_ID && n > SHORT_ID ?
		       cell->text + n - SHORT_ID :
		       cell->text;
}

static size_t cell_width(const struct cell *cell, const struct layout *layout)
{
	/* a state has its sign and a blank before it */
	return print_width(shown(cell, layout)) + (cell->kind == KIND_STATE ? 2 : 0);
}

/* 0 for a column without contents. A column without contents takes no room, whatever its title: a
 * table of jobs without groups has no GROUP. */
static size_t column_width(const struct table *table, size_t column, const struct layout *layout)
{
	size_t title = strlen(title_of(table, column)), width = 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t w = cell_width(&table->cells[i], layout);

		width = w > width ? w : width;
	}
	return width && width < title ? title : width;
}

static void measure(const struct table *table, struct layout *layout)
{
	for (size_t c = 0; c < table->n_columns; c++)
		layout->widths[c] = column_width(table, c, layout);
}

static size_t width_of(const struct table *table, const struct layout *layout)
{
	size_t width = 0;

	for (size_t c = 0; c < table->n_columns; c++)
		if (layout->widths[c])
			width += layout->widths[c] + (width ? GAP : 0);
	return width;
}

/* "0 rejected" in each row says nothing that its absence would not say. */
static bool is_all_zero(const struct table *table, size_t column)
{
	for (size_t i = column; i < table->n_cells; i += table->n_columns)
		if (strcmp(table->cells[i].text, "0") != 0)
			return false;
	return true;
}

/* The column that is missed least: one of zeros, else that of the most dashes; the rightmost of
 * equals. NULL: none may be left out. A column of zeros goes before all dashes: "0 rejected" in
 * each row is the absence of news. */
static size_t *least(const struct table *table, struct layout *layout)
{
	size_t *found = NULL, least_rank = 1;

	for (size_t c = 0; c < table->n_columns; c++) {
		size_t rank = is_all_zero(table, c) ? SIZE_MAX : rank_of(table, c);

		if (layout->widths[c] && rank >= least_rank) {
			least_rank = rank;
			found = &layout->widths[c];
		}
	}
	return found;
}

/* Only what stands at the very end can be cut without taking the others' columns apart. A beginning
 * of it stays, also where it is a little too much. A number is never cut: half of it would be
 * another number. */
static void cut_last(const struct table *table, struct layout *layout, size_t too_much)
{
	size_t last = table->n_columns, width;

	while (last && !layout->widths[last - 1])
		last--;
	if (!last || is_right(table, last - 1))
		return;
	width = layout->widths[last - 1];
	width = width > too_much + CUT_MIN ? width - too_much : CUT_MIN;
	if (width >= layout->widths[last - 1])
		return;
	layout->widths[last - 1] = width;
	layout->cut = width;
}

/* No limit (a pipe, -o wide): everything is shown at its width. */
static void fit(const struct table *table, struct layout *layout)
{
	size_t room = table->ctl->columns, *column;

	measure(table, layout);
	if (!room || width_of(table, layout) <= room)
		return;
	layout->short_ids = true;
	measure(table, layout);
	while (width_of(table, layout) > room && (column = least(table, layout))) {
		*column = 0;
		layout->hidden++;
	}
	if (width_of(table, layout) > room)
		cut_last(table, layout, width_of(table, layout) - room);
}

/* ---- printing ---------------------------------------------------------------------------- */

static void pad(struct etl_buf *out, size_t n)
{
	etl_buf_printf(out, "%*s", (int)n, "");
}

/* A state is printed with its colour, whose bytes take no column: its width was counted from the
 * word. */
static void put_cell(const struct table *table, const struct layout *layout,
	const struct cell *cell, bool last, struct etl_buf *out)
{
	if (cell->kind == KIND_STATE)
		print_state(table->ctl, cell->text, table->ctl->color_out, out);
	else if (last && layout->cut)
		print_cut(table->ctl, shown(cell, layout), layout->cut, out);
	else
		etl_buf_str(out, shown(cell, layout));
}

static bool is_last(const struct table *table, const struct layout *layout, size_t column)
{
	while (++column < table->n_columns)
		if (layout->widths[column])
			return false;
	return true;
}

/* One line; blanks wait until something follows, so that none ends a line. The row NULL is that of
 * the titles, which are set like the cells under them. */
static void put_row(const struct table *table, const struct layout *layout,
	const struct cell *row, struct etl_buf *out)
{
	size_t wait = 0;

	for (size_t c = 0; c < table->n_columns; c++) {
		struct cell title = {(char *)(uintptr_t)title_of(table, c), KIND_TEXT};
		const struct cell *cell = row ? &row[c] : &title;
		size_t width = layout->widths[c], w = cell_width(cell, layout);
		size_t fill = width > w ? width - w : 0;

		if (!width)
			continue;
		if (is_right(table, c))
			wait += fill;
		if (w) {
			pad(out, wait);
			put_cell(table, layout, cell, is_last(table, layout, c), out);
			wait = 0;
		}
		wait += GAP + (is_right(table, c) ? 0 : fill);
	}
	etl_buf_char(out, '\n');
}

/* Whoever looks at a terminal learns that there is more; a program's input stays clean. */
static void tell_hidden(const struct layout *layout)
{
	if ((layout->hidden || layout->cut) && isatty(STDERR_FILENO))
		etlctl_say("%zu column%s left out%s: -o wide shows all", layout->hidden,
			layout->hidden == 1 ? "" : "s", layout->cut ? ", the last one cut" : "");
}

/* 64 MiB are more than any answer makes (16 MiB of JSON). An empty table says in words that there
 * is nothing: a title without rows looks like a fault. */
void table_print(const struct table *table, const char *when_empty)
{
	struct layout layout = {0};
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024 * 1024);
	if (!table->n_cells) {
		if (when_empty)
			etlctl_say("%s", when_empty);
		return;
	}
	fit(table, &layout);
	put_row(table, &layout, NULL, &out);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		put_row(table, &layout, &table->cells[i], &out);
	print_out(&out);
	tell_hidden(&layout);
}
