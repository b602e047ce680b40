/* SPDX-License-Identifier: MIT
 *
 * Where the rows of a CSV payload begin and end (RFC 4180, and line breaks as they are met): cuts
 * pieces of any length into whole rows, so that a row is judged when all of it is there. Knows quotes
 * only as far as a line break inside of them ends no row; what a row says is libcsv's business.
 */
#ifndef ETL_FORMAT_CSV_ROWS_H
#define ETL_FORMAT_CSV_ROWS_H

#include "base/buf.h"
#include "base/error.h"

struct etl_csv_row {
	const char *text; /* without its line break; lent for the call, not terminated */
	size_t len;
	bool too_long; /* `text` is its beginning */
	uint64_t line; /* of the payload, from 1, in which it begins */
};

/* 0, or -1 with the error that ends the payload. */
typedef int (*etl_csv_row_fn)(void *ctx, const struct etl_csv_row *row, struct etl_error *err);

struct etl_csv_rows {
	char delimiter;
	char quote;   /* '\0' = none: each line break ends a row */
	char comment; /* a row that begins so ends with its line; '\0' = none does */
	bool plain;   /* set by its user: quotes are text in the rows to come */
	int at;	      /* what the last byte was, see csv_rows.c */
	bool after_cr; /* a line feed now belongs to the line break before it */
	bool too_long;
	size_t mark;  /* bytes of a byte order mark that came, or all of them: it is passed */
	uint64_t line, begins; /* where we are, and where the row at hand began */
	struct etl_buf row; /* of the row that a piece cut, as far as it came */
};

/* `row_max`: bytes of a row. `etl_csv_rows_fini` frees. */
void etl_csv_rows_init(struct etl_csv_rows *rows, char delimiter, char quote, char comment,
	size_t row_max);
void etl_csv_rows_fini(struct etl_csv_rows *rows);
/* A payload begins. */
void etl_csv_rows_begin(struct etl_csv_rows *rows);

/* Gives each row that ends in the piece. 0, or -1 if `fn` said so. */
int etl_csv_rows_feed(struct etl_csv_rows *rows, const char *bytes, size_t len, etl_csv_row_fn fn,
	void *ctx, struct etl_error *err);

/* The payload ended. A last row without line break is given; -1 (ETL_DATA, "csv.quote") if it ended
 * inside of quotes, for then nobody knows how many rows were in there. `*unended`: there was such a
 * last row. */
int etl_csv_rows_end(struct etl_csv_rows *rows, bool *unended, etl_csv_row_fn fn, void *ctx,
	struct etl_error *err);

#endif
