/* SPDX-License-Identifier: MIT
 *
 * What was collected, in the order of files and lines: with excerpts for people, on one line
 * each for the journal, as data for programs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "conf/diag_parts.h"

/* By file, line and column, whatever pass found it: readers fix a file from its top.
 * Errors without a file come first ("" sorts before every path). `order` makes the sort
 * stable, which qsort() is not. */
static int compare(const void *pa, const void *pb)
{
	const struct etl_diag_entry *a = *(const struct etl_diag_entry *const *)pa;
	const struct etl_diag_entry *b = *(const struct etl_diag_entry *const *)pb;
	int by_path = strcmp(a->path ? a->path : "", b->path ? b->path : "");

	if (by_path)
		return by_path;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* The entries in the order of print. The caller frees the array.
 * An array of pointers, since the collection itself is lent as const and stays in order
 * of arrival. */
static const struct etl_diag_entry **sorted(const struct etl_diag *diag)
{
	const struct etl_diag_entry **order = etl_calloc(diag->n + 1, sizeof *order);

	for (size_t i = 0; i < diag->n; i++)
		order[i] = &diag->entries[i];
	if (diag->n)
		qsort(order, diag->n, sizeof *order, compare);
	return order;
}

/* Column by column: a secret may begin outside of what the excerpt shows. */
static bool is_hidden(const struct etl_diag *diag, const struct etl_diag_entry *e, unsigned column)
{
	for (size_t i = 0; i < diag->n_hidden; i++) {
		const struct etl_diag_hidden *h = &diag->hidden[i];

		if (h->line == e->line && column >= h->column &&
			column < h->column + h->width &&
			etl_streq(h->path, e->path))
			return true;
	}
	return false;
}

/* The excerpt's line; returns how many characters stand in it.
 *    12 | ...password: ******** ...
 * Stars take exactly the columns of what they hide, so that carets stay where they belong. */
static unsigned print_line(const struct etl_diag *diag, const struct etl_diag_entry *e, int digits,
	struct etl_buf *out)
{
	const char *end = e->excerpt + strlen(e->excerpt);
	unsigned column = e->excerpt_column;

	etl_buf_printf(out, " %*u | %s", digits, e->line, e->cut_before ? "..." : "");
	for (const char *p = e->excerpt; p < end; column++) {
		const char *next = etl_diag_skip(p, end, 1);

		if (is_hidden(diag, e, column))
			etl_buf_char(out, '*');
		else
			etl_buf_append(out, p, (size_t)(next - p));
		p = next;
	}
	etl_buf_printf(out, "%s\n", e->cut_after ? "..." : "");
	return column - e->excerpt_column;
}

/*    12 | timeout: 60
 *       |          ^^ did you mean 60s, 60m or 60h?
 * The line number has room for three digits at least, so that excerpts of one file align. */
static void print_excerpt(const struct etl_diag *diag, const struct etl_diag_entry *e,
	struct etl_buf *out)
{
	int digits = snprintf(NULL, 0, "%u", e->line);
	unsigned shown, at = e->column - e->excerpt_column;
	unsigned room;

	digits = digits < 3 ? 3 : digits;
	shown = print_line(diag, e, digits, out);
	/* The mark may be wider than what is left of the line: a scalar over several
	 * lines, or a cut excerpt. */
	room = shown > at ? shown - at : 1;
	etl_buf_printf(out, " %*s | %*s", digits, "", (int)at + (e->cut_before ? 3 : 0), "");
	for (unsigned i = 0; i < e->width && i < room; i++)
		etl_buf_char(out, '^');
	if (e->hint)
		etl_buf_printf(out, " %s", e->hint);
	etl_buf_char(out, '\n');
}

static void print_entry(const struct etl_diag *diag, const struct etl_diag_entry *e,
	struct etl_buf *out)
{
	etl_buf_printf(out, "%s[%s]: %s\n", etl_diag_severity_word(e->severity),
		etl_diag_code_name(e->code), e->text);
	if (e->has_file && e->line)
		etl_buf_printf(out, "  --> %s:%u:%u\n", e->path, e->line, e->column);
	else if (e->has_file)
		etl_buf_printf(out, "  --> %s\n", e->path);
	if (e->excerpt)
		print_excerpt(diag, e, out);
	else if (e->hint)
		etl_buf_printf(out, "  hint: %s\n", e->hint);
	if (e->help)
		etl_buf_printf(out, "  help: %s\n", e->help);
}

/* "3 more errors": without the word about them a reader would think that a file with
 * fifty errors has fifty. */
static void print_dropped(const struct etl_diag *diag, enum etl_diag_severity severity,
	const char *before, struct etl_buf *out)
{
	size_t n = diag->dropped[severity];

	if (n)
		etl_buf_printf(out, "%s%zu more %s%s\n", before, n,
			etl_diag_severity_word(severity), n == 1 ? "" : "s");
}

void etl_diag_print(const struct etl_diag *diag, struct etl_buf *out)
{
	const struct etl_diag_entry **order = sorted(diag);

	for (size_t i = 0; i < diag->n; i++) {
		if (i)
			etl_buf_char(out, '\n');
		print_entry(diag, order[i], out);
	}
	for (int k = 0; k < ETL_DIAG_SEVERITIES; k++)
		print_dropped(diag, (enum etl_diag_severity)k, "\n", out);
	free(order);
}

static void print_line_of(const struct etl_diag_entry *e, struct etl_buf *out)
{
	if (e->has_file && e->line)
		etl_buf_printf(out, "%s:%u:%u: ", e->path, e->line, e->column);
	else if (e->has_file)
		etl_buf_printf(out, "%s: ", e->path);
	etl_buf_printf(out, "%s[%s]: %s", etl_diag_severity_word(e->severity),
		etl_diag_code_name(e->code), e->text);
}

/* An error before a note; a warning is none of both.
 * The first error is what status and the journal name; the notes of a check outside of
 * the unit are the second choice, since something that cannot be judged is no error. */
static bool comes_before(const struct etl_diag_entry *e, const struct etl_diag_entry *first)
{
	if (e->severity == ETL_DIAG_WARNING)
		return false;
	return !first || (e->severity == ETL_DIAG_ERROR && first->severity != ETL_DIAG_ERROR);
}

/* For one line of the journal: /etc/etld/jobs.d/a.yaml:2:1: error[E012]: unknown key 'shedule'
 * ... */
void etl_diag_first(const struct etl_diag *diag, struct etl_buf *out)
{
	const struct etl_diag_entry **order = sorted(diag), *first = NULL;

	for (size_t i = 0; i < diag->n; i++)
		if (comes_before(order[i], first))
			first = order[i];
	if (first)
		print_line_of(first, out);
	free(order);
}

void etl_diag_warnings(const struct etl_diag *diag, struct etl_buf *out)
{
	const struct etl_diag_entry **order = sorted(diag);

	for (size_t i = 0; i < diag->n; i++) {
		if (order[i]->severity != ETL_DIAG_WARNING)
			continue;
		print_line_of(order[i], out);
		etl_buf_printf(out, "%s%s\n", order[i]->help ? "; " : "",
			order[i]->help ? order[i]->help : "");
	}
	print_dropped(diag, ETL_DIAG_WARNING, "", out);
	free(order);
}

static void add_place(struct etl_json *to, const char *key, bool known, unsigned n)
{
	if (known)
		etl_json_add_int(to, key, (int64_t)n);
	else
		etl_json_add_null(to, key);
}

void etl_diag_to_json(const struct etl_diag *diag, struct etl_json *list)
{
	const struct etl_diag_entry **order = sorted(diag);

	for (size_t i = 0; i < diag->n; i++) {
		/* Programs get null where people see nothing: no line, no hint, no
		 * help. */
		const struct etl_diag_entry *e = order[i];
		struct etl_json *item = etl_json_add_object(list, NULL);

		etl_json_add_text(item, "file", e->path);
		add_place(item, "line", e->line != 0, e->line);
		add_place(item, "column", e->line != 0, e->column);
		etl_json_add_text(item, "code", etl_diag_code_name(e->code));
		etl_json_add_text(item, "severity", etl_diag_severity_word(e->severity));
		etl_json_add_text(item, "message", e->text);
		etl_json_add_text(item, "hint", e->hint);
		etl_json_add_text(item, "help", e->help);
	}
	free(order);
}
