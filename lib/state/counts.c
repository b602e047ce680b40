/* SPDX-License-Identifier: MIT
 *
 * Counts of records and tallies by rule: sums and documents.
 *
 * Three kinds of numbers that are carried from a piece of work upwards, unit -> partition -> run ->
 * the daemon's counters: records (etl_counts), windows (etl_window_counts), and warnings and
 * rejects by rule (etl_tally). Each has one function that adds, and nobody adds member by member: a
 * count that is new is one row in counts.h and is then added, stored and read everywhere.
 */
#include "state/counts.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

const struct etl_counts_row etl_counts_rows[] = {
#define X(name, help) {#name, help, offsetof(struct etl_counts, name)},
	ETL_COUNTS(X)
#undef X
};
const size_t etl_counts_n = sizeof etl_counts_rows / sizeof *etl_counts_rows;
_Static_assert(sizeof etl_counts_rows / sizeof *etl_counts_rows ==
		sizeof(struct etl_counts) / sizeof(uint64_t), "every count has a row");

void etl_counts_add(struct etl_counts *to, const struct etl_counts *from)
{
#define X(name, help) to->name += from->name;
	ETL_COUNTS(X)
#undef X
}

/* All of them, zeros too: whoever asks `runs` in mongosh finds every field there. */
void etl_counts_append(bson_t *out, const char *field, const struct etl_counts *counts)
{
	bson_t sub;

	bson_append_document_begin(out, field, -1, &sub);
#define X(name, help) BSON_APPEND_INT64(&sub, #name, (int64_t)counts->name);
	ETL_COUNTS(X)
#undef X
	bson_append_document_end(out, &sub);
}

/* Only those that are not 0: there is an entry for each window of ten years, and a zero that is not
 * stored reads as zero. */
void etl_counts_append_some(bson_t *out, const char *field, const struct etl_counts *counts)
{
	bson_t sub;

	bson_append_document_begin(out, field, -1, &sub);
#define X(name, help)                                                                           \
	if (counts->name)                                                                       \
		BSON_APPEND_INT64(&sub, #name, (int64_t)counts->name);
	ETL_COUNTS(X)
#undef X
	bson_append_document_end(out, &sub);
}

/* A name that we do not know is left out. */
void etl_counts_read(const bson_t *doc, const char *field, struct etl_counts *out)
{
	bson_iter_t it, sub;

	*out = (struct etl_counts){0};
	if (!bson_iter_init_find(&it, doc, field) || !bson_iter_recurse(&it, &sub))
		return;
	while (bson_iter_next(&sub)) {
#define X(name, help)                                                                           \
	if (etl_streq(bson_iter_key(&sub), #name))                                              \
		out->name = (uint64_t)bson_iter_as_int64(&sub);
		ETL_COUNTS(X)
#undef X
	}
}

void etl_window_counts_add(struct etl_window_counts *to, const struct etl_window_counts *from)
{
#define X(name, word) to->name += from->name;
	ETL_WINDOW_COUNTS(X)
#undef X
}

/* Example: "windows": {"loaded": 3, "empty": 1, "failed": 0, ...}; the words are those of counts.h.
 */
void etl_window_counts_append(bson_t *out, const struct etl_window_counts *counts)
{
	bson_t sub;

	BSON_APPEND_DOCUMENT_BEGIN(out, "windows", &sub);
#define X(name, word) BSON_APPEND_INT64(&sub, word, (int64_t)counts->name);
	ETL_WINDOW_COUNTS(X)
#undef X
	bson_append_document_end(out, &sub);
}

/* ---- tallies --------------------------------------------------------------------------------- */

/* Compared as far as a row has room, since a long name was cut when it was stored. Two names that
 * differ only behind that are one row. */
static struct etl_tally_row *find_row(const struct etl_tally *tally, const char *step,
	const char *rule, const char *field)
{
	for (size_t i = 0; i < tally->n; i++) {
		struct etl_tally_row *row = &tally->rows[i];

		if (strncmp(row->step, step, sizeof row->step - 1) == 0 &&
			strncmp(row->rule, rule, sizeof row->rule - 1) == 0 &&
			strncmp(row->field, field, sizeof row->field - 1) == 0)
			return row;
	}
	return NULL;
}

/* `first` is the message of the first one and stays: it is the example that people see beside the
 * number. When all rows are taken the rest is only counted: a rule with a value in its name must
 * not let a run's record grow without end. */
void etl_tally_add(struct etl_tally *tally, const char *step, const char *rule, const char *field,
	const char *first, uint64_t n)
{
	struct etl_tally_row *row;

	if (!n)
		return;
	step = step ? step : "";
	rule = rule ? rule : "";
	field = field ? field : "";
	row = find_row(tally, step, rule, field);
	if (!row && tally->n == ETL_TALLY_ROWS) {
		tally->others += n;
		return;
	}
	if (!row) {
		ETL_GROW(tally->rows, tally->n, tally->cap);
		row = &tally->rows[tally->n++];
		*row = (struct etl_tally_row){.n = 0};
		etl_text_copy(row->step, sizeof row->step, step);
		etl_text_copy(row->rule, sizeof row->rule, rule);
		etl_text_copy(row->field, sizeof row->field, field);
		etl_text_copy(row->first, sizeof row->first, first ? first : "");
	}
	row->n += n;
}

/* What `from` had no row for has none here either. */
void etl_tally_merge(struct etl_tally *to, const struct etl_tally *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct etl_tally_row *row = &from->rows[i];

		etl_tally_add(to, row->step, row->rule, row->field, row->first, row->n);
	}
	to->others += from->others;
}

void etl_tally_fini(struct etl_tally *tally)
{
	free(tally->rows);
	*tally = (struct etl_tally){0};
}

/* BSON text must be UTF-8; a name of a field may be anything. */
static void append_text(bson_t *out, const char *name, const char *text)
{
	char copy[ETL_TALLY_TEXT_BYTES];
	size_t len, bad;

	etl_text_copy(copy, sizeof copy, text);
	len = strlen(copy);
	while ((bad = etl_utf8_check(copy, len)) < len)
		copy[bad] = '?';
	bson_append_utf8(out, name, -1, copy, (int)len);
}

/* [{step, rule, field, n, first}, ..., {others: n}]; nothing if there is no row. */
void etl_tally_append(bson_t *out, const char *field, const struct etl_tally *tally)
{
	bson_t list, one;
	char key[24];

	if (!tally->n)
		return;
	bson_append_array_begin(out, field, -1, &list);
	for (size_t i = 0; i < tally->n; i++) {
		const struct etl_tally_row *row = &tally->rows[i];

		snprintf(key, sizeof key, "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
		append_text(&one, "step", row->step);
		append_text(&one, "rule", row->rule);
		append_text(&one, "field", row->field);
		BSON_APPEND_INT64(&one, "n", (int64_t)row->n);
		append_text(&one, "first", row->first);
		bson_append_document_end(&list, &one);
	}
	if (tally->others) {
		snprintf(key, sizeof key, "%zu", tally->n);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
		BSON_APPEND_INT64(&one, "others", (int64_t)tally->others);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
}
