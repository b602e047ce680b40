/* SPDX-License-Identifier: MIT
 *
 * Showing things to people (tables, states, times) and to programs (JSON). All on stdout.
 * Text from the daemon is shown without control characters.
 */
#ifndef ETLD_ETLCTL_PRINT_H
#define ETLD_ETLCTL_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "etlctl/etlctl.h"

/* ---- print_table.c ---- */

struct table;

/* Column titles, NULL-terminated. '>' before one: a column of numbers, aligned to the right.
 * Dashes before both: left out where the terminal is too narrow, the most dashes first:
 * "--TRIGGER", "->TOOK". Columns whose cells are all empty are left out always. */
struct table *table_new(const struct etlctl *ctl, const char *const *titles);
void table_free(struct table *table);
ETL_DEFINE_CLEANUP(struct table *, table_free)

/* The next cell of the row; NULL is an empty one. */
void table_text(struct table *table, const char *text);
void table_textf(struct table *table, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void table_int(struct table *table, int64_t v);
void table_id(struct table *table, const char *id); /* of a run: its end, where room is short */
void table_state(struct table *table, const char *word);
void table_print(const struct table *table, const char *when_empty);

/* ---- print_state.c ---- */

/* Word, sign and colour of a health, a run's or a window's state: "✔ ok". */
void print_state(const struct etlctl *ctl, const char *word, bool color, struct etl_buf *out);

/* Text without control and direction characters, which could rewrite the screen. */
void print_clean(const char *text, struct etl_buf *out);

/* Columns that clean text takes on a terminal. */
size_t print_width(const char *text);

/* Clean text in at most `width` columns, at least 1; with a sign at its end if it was cut. */
void print_cut(const struct etlctl *ctl, const char *text, size_t width, struct etl_buf *out);

/* ---- print_time.c ---- */

/* Seconds since 1970 of RFC 3339 text; false if it is none (NULL included). */
bool print_time_parse(const char *text, int64_t *out);

/* "2026-07-01 10:00Z"; "-" for what is not a time. */
void print_time(const char *text, struct etl_buf *out);

/* "2026-07-01 10:00Z to 2026-07-01 11:00Z" */
void print_range(const char *from, const char *to, struct etl_buf *out);

/* print_time and its distance from `now` (text too): "2026-07-01 10:00Z (5m ago)". */
void print_time_age(const char *text, const char *now, struct etl_buf *out);

/* The same of what has happened: what lies ahead was noted by a clock that was set back since, or
 * by another machine's. "2036-07-01 10:00Z (ahead of the clock)". */
void print_time_past(const char *text, const char *now, struct etl_buf *out);

/* "0.3ms", "850ms", "12.3s", "4m10s", "3h20m", "2d4h". */
void print_duration(double seconds, struct etl_buf *out);

/* Cells of them. */
void table_time(struct table *table, const char *text);
void table_time_age(struct table *table, const char *text, const char *now);
void table_time_past(struct table *table, const char *text, const char *now);
void table_duration(struct table *table, double seconds);

/* ---- print_run.c ---- */

/* "  key         " and, by print_line, a clean text behind it; no line without a text. */
void print_key(const char *key, struct etl_buf *out);
void print_line(const char *key, const char *text, struct etl_buf *out);

/* "  key         FROM to TO" of {start, end}; nothing if it is none. */
void print_window(const char *key, const struct etl_json *window, struct etl_buf *out);

/* On a terminal one line of stderr that is drawn again and again; elsewhere nothing: a line now and
 * then is no help. NULL: it is wiped out. */
void print_progress(const char *text);

/* The windows, the records and the warnings of a run or of one of its partitions. */
void print_counts(const struct etl_json *run, struct etl_buf *out);
/* "2 records rejected, 49 warnings": what a run that is ok has to tell; "" = nothing. */
void print_notes(const struct etl_json *run, struct etl_buf *out);
int64_t print_count_of(const struct etl_json *json, const char *group, const char *name);

/* ---- print_json.c ---- */

/* The reply as it came, indented. */
void print_json(const struct etl_json *json);

/* Writes the text and empties the buffer. */
void print_out(struct etl_buf *buf);

#endif
