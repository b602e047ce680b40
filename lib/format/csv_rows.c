/* SPDX-License-Identifier: MIT
 *
 * Cuts a CSV payload into rows, one look at each byte. A row that lies whole in a piece is given
 * where it lies; only what a piece cuts is copied.
 */
#include "format/csv_rows.h"

#include "record/batch.h"

enum { ROW_KEPT_BYTES = 1024 * 1024 }; /* of the buffer for a row, between rows */

static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF */
enum { MARK_BYTES = sizeof mark - 1 };

/* A quote opens a quoted field only where a field begins; elsewhere it is text, which is for the
 * parser to judge. Example: in `5" pipe,2` no field is quoted, and the row ends with its line; a
 * walk that only counted quotes would take the next line for a part of it.
 *
 * Inside quotes two of them stand for one. The first of the two looks like the end, so there is a
 * state between them, and pieces may be cut there.
 *
 * A line that says nothing has no fields: in `# unit,"m` and in what is passed over before the header a
 * quote opens nothing, or it would take the rows behind it along. */
enum { ROW_BEGINS, FIELD_BEGINS, BARE, QUOTED, MAYBE_CLOSED, PLAIN };

void etl_csv_rows_init(struct etl_csv_rows *rows, char delimiter, char quote, char comment,
	size_t row_max)
{
	*rows = (struct etl_csv_rows){.delimiter = delimiter, .quote = quote, .comment = comment};
	etl_buf_init(&rows->row, row_max);
	etl_csv_rows_begin(rows);
}

void etl_csv_rows_fini(struct etl_csv_rows *rows)
{
	etl_buf_fini(&rows->row);
}

/* One row of sixteen mebibytes must not cost as much until the source ends. */
static void row_begins(struct etl_csv_rows *rows)
{
	if (rows->row.cap > ROW_KEPT_BYTES)
		etl_buf_fini(&rows->row);
	etl_buf_clear(&rows->row);
	rows->at = rows->plain ? PLAIN : ROW_BEGINS;
	rows->too_long = false;
	rows->begins = rows->line;
}

void etl_csv_rows_begin(struct etl_csv_rows *rows)
{
	rows->line = 1;
	rows->mark = 0;
	rows->after_cr = false;
	row_begins(rows);
}

/* With commas, each byte of `"a""b",c` leads to: QUOTED QUOTED MAYBE_CLOSED QUOTED
 * QUOTED MAYBE_CLOSED FIELD_BEGINS BARE. */
static int state_behind(const struct etl_csv_rows *rows, char c)
{
	bool quote = rows->quote && c == rows->quote;

	switch (rows->at) {
	case PLAIN:
		return PLAIN;
	case QUOTED:
		return quote ? MAYBE_CLOSED : QUOTED;
	case MAYBE_CLOSED:
		if (quote)
			return QUOTED;
		break;
	case ROW_BEGINS:
		if (rows->comment && c == rows->comment)
			return PLAIN;
		if (quote)
			return QUOTED;
		break;
	case FIELD_BEGINS:
		if (quote)
			return QUOTED;
		break;
	default:
		break;
	}
	return c == rows->delimiter ? FIELD_BEGINS : BARE;
}

/* Keeps a part of a row; of one that is too long its beginning, which a reject shows. */
static void keep(struct etl_csv_rows *rows, const char *from, size_t len)
{
	size_t room = rows->row.len < ETL_REJECT_RAW_MAX ? ETL_REJECT_RAW_MAX - rows->row.len : 0;

	if (rows->too_long || etl_buf_append(&rows->row, from, len))
		return;
	rows->too_long = true;
	rows->row.full = false;
	etl_buf_append(&rows->row, from, room < len ? room : len);
}

/* `from` to `end` is the rest of the row, behind what was kept of it.
 * A row that lies whole in the piece is lent from there, and nothing is copied. */
static int give(struct etl_csv_rows *rows, const char *from, const char *end, etl_csv_row_fn fn,
	void *ctx, struct etl_error *err)
{
	struct etl_csv_row row = {.text = from, .len = (size_t)(end - from), .line = rows->begins};

	if (rows->row.len || rows->too_long || row.len > rows->row.max) {
		keep(rows, from, row.len);
		row.text = etl_buf_text(&rows->row);
		row.len = rows->row.len;
		row.too_long = rows->too_long;
	}
	return fn(ctx, &row, err);
}

/* A byte order mark before the first row is no part of it: `"a"` behind one is a quoted field. Returns
 * what of the piece is left. Where the bytes turn out to be the beginning of another character, they
 * are given back. */
static const char *pass_mark(struct etl_csv_rows *rows, const char *p, const char *end)
{
	for (; p < end && rows->mark < MARK_BYTES; p++) {
		if (*p != mark[rows->mark]) {
			keep(rows, mark, rows->mark);
			if (rows->mark && rows->at == ROW_BEGINS)
				rows->at = BARE;
			rows->mark = MARK_BYTES;
			return p;
		}
		rows->mark++;
	}
	return p;
}

/* The three line breaks are one thing: "\n", "\r\n" and "\r" alone, as old programs write it. The
 * first byte of "\r\n" ends the row, and the second, wherever a piece is cut, is nothing. */
int etl_csv_rows_feed(struct etl_csv_rows *rows, const char *bytes, size_t len, etl_csv_row_fn fn,
	void *ctx, struct etl_error *err)
{
	const char *end = bytes + len, *from = pass_mark(rows, bytes, end);

	for (const char *p = from; p < end; p++) {
		bool is_break = *p == '\n' || *p == '\r', second = *p == '\n' && rows->after_cr;

		rows->after_cr = *p == '\r';
		rows->line += is_break && !second;
		if (second && rows->at != QUOTED) {
			from = p + 1;
		} else if (!is_break || rows->at == QUOTED) {
			rows->at = state_behind(rows, *p);
		} else {
			if (give(rows, from, p, fn, ctx, err) < 0)
				return -1;
			row_begins(rows);
			from = p + 1;
		}
	}
	keep(rows, from, (size_t)(end - from));
	return 0;
}

/* A cut inside of quotes is an error and no reject: how many rows went is unknown. */
int etl_csv_rows_end(struct etl_csv_rows *rows, bool *unended, etl_csv_row_fn fn, void *ctx,
	struct etl_error *err)
{
	static const char nothing[] = "";

	*unended = rows->row.len || rows->too_long;
	if (rows->at == QUOTED)
		return etl_error_set(err, ETL_DATA, "csv.quote",
			"the payload ends inside a quoted field, in the row that begins in line %llu",
			(unsigned long long)rows->begins);
	return *unended ? give(rows, nothing, nothing, fn, ctx, err) : 0;
}
