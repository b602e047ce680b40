/* SPDX-License-Identifier: MIT
 *
 * Tables: cells are kept as text until the widths are known.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "etlctl/print.h"

enum { COLUMNS_MAX = 16, CELL_MAX = 2048, GAP = 2 };

struct cell {
	char *text;
	bool state;
};

struct table {
	const struct etlctl *ctl;
	const char *const *titles;
	size_t n_columns;
	struct cell *cells; /* row after row */
	size_t n_cells, cap;
};

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

static void add(struct table *table, const char *text, bool state)
{
	ETL_BUF_CLEANUP struct etl_buf clean;

	etl_buf_init(&clean, CELL_MAX);
	print_clean(text ? text : "", &clean);
	ETL_GROW(table->cells, table->n_cells, table->cap);
	table->cells[table->n_cells++] = (struct cell){etl_buf_take(&clean), state};
}

void table_text(struct table *table, const char *text)
{
	add(table, text, false);
}

void table_textf(struct table *table, const char *fmt, ...)
{
	char text[CELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add(table, text, false);
}

void table_int(struct table *table, int64_t v)
{
	table_textf(table, "%lld", (long long)v);
}

void table_state(struct table *table, const char *word)
{
	add(table, word, word && *word);
}

static bool is_right(const struct table *table, size_t column)
{
	return table->titles[column][0] == '>';
}

static const char *title_of(const struct table *table, size_t column)
{
	return table->titles[column] + is_right(table, column);
}

static size_t cell_width(const struct cell *cell)
{
	return print_width(cell->text) + (cell->state ? 2 : 0); /* the sign and a blank */
}

/* 0 for a column without contents. */
static size_t column_width(const struct table *table, size_t column)
{
	size_t title = strlen(title_of(table, column)), width = 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t w = cell_width(&table->cells[i]);

		width = w > width ? w : width;
	}
	return width && width < title ? title : width;
}

static void pad(struct etl_buf *out, size_t n)
{
	etl_buf_printf(out, "%*s", (int)n, "");
}

static void put_cell(const struct table *table, const struct cell *cell, struct etl_buf *out)
{
	if (cell->state)
		print_state(table->ctl, cell->text, table->ctl->color_out, out);
	else
		etl_buf_str(out, cell->text);
}

/* One line; blanks wait until something follows, so that none ends a line. */
static void put_row(const struct table *table, const size_t *widths, const struct cell *row,
	struct etl_buf *out)
{
	size_t wait = 0;

	for (size_t c = 0; c < table->n_columns; c++) {
		struct cell title = {(char *)(uintptr_t)title_of(table, c), false};
		const struct cell *cell = row ? &row[c] : &title;
		size_t w = cell_width(cell), fill = widths[c] > w ? widths[c] - w : 0;

		if (!widths[c])
			continue;
		if (is_right(table, c))
			wait += fill;
		if (w) {
			pad(out, wait);
			put_cell(table, cell, out);
			wait = 0;
		}
		wait += GAP + (is_right(table, c) ? 0 : fill);
	}
	etl_buf_char(out, '\n');
}

void table_print(const struct table *table, const char *when_empty)
{
	size_t widths[COLUMNS_MAX];
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024 * 1024);
	if (!table->n_cells) {
		if (when_empty)
			etlctl_say("%s", when_empty);
		return;
	}
	for (size_t c = 0; c < table->n_columns; c++)
		widths[c] = column_width(table, c);
	put_row(table, widths, NULL, &out);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		put_row(table, widths, &table->cells[i], &out);
	print_out(&out);
}
