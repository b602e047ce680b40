/* SPDX-License-Identifier: MIT
 *
 * What became of records: the counts of a unit, a partition and a run, and a short table of
 * what was found by which rule. One list has the names; documents, answers, journal, metrics
 * and printers take them from it. Pure; any thread.
 *
 * Three laws hold for each unit that closed, and for a run as their sum:
 *   the source's side   seen = in + outside + unplaced
 *   the flow            in + made = out + filtered + merged + (rejected - unplaced - refused)
 *   the unit's side     out = inserted + updated + unchanged + overwritten + stale + refused
 *                             + withheld
 * A worked example: an answer for 10:00 to 11:00 has twelve records. One has no readable time
 * (unplaced), one is dated 11:00 (outside), ten are in; a cast rejects one, nine are out; two
 * of them have the same key (one is overwritten), one has no key (refused), seven are new. So
 * seen 12 = 10 + 1 + 1, rejected 3 = unplaced 1 + cast 1 + refused 1, out 9 = 7 + 1 + 1.
 */
#ifndef ETL_STATE_COUNTS_H
#define ETL_STATE_COUNTS_H

#include <bson/bson.h>
#include <stdint.h>

/* X(name, what it counts). A ledger entry has only those that are not 0. */
#define ETL_COUNTS(X)                                                                           \
	X(seen, "records in the answers, as reshape made them")                                 \
	X(outside, "of those, dated outside of what was asked for")                             \
	X(unplaced, "of those, refused before they had a place: unreadable, no time, future")   \
	X(in, "of those, placed in a window that was asked for")                                \
	X(filtered, "left out by a transform, as configured")                                   \
	X(merged, "taken into others by a transform")                                           \
	X(made, "made by a transform")                                                          \
	X(rejected, "refused by any step: dead letters")                                        \
	X(out, "rows that the flow gave to the load")                                           \
	X(inserted, "rows that were new in the target")                                         \
	X(updated, "rows that replaced an older version")                                       \
	X(unchanged, "rows that the target has already")                                        \
	X(overwritten, "rows replaced by a later row of the same unit with the same key")       \
	X(stale, "rows older than what the target has")                                         \
	X(refused, "rows that the target refused; they are among the rejected")                 \
	X(withheld, "rows of units that were held, failed or thrown away: not written")

struct etl_counts {
#define X(name, help) uint64_t name;
	ETL_COUNTS(X)
#undef X
};

void etl_counts_add(struct etl_counts *to, const struct etl_counts *from);

/* Under `field` as a document: all of them, or those that are not 0 (a ledger has many entries,
 * and what is not there reads as 0). */
void etl_counts_append(bson_t *out, const char *field, const struct etl_counts *counts);
void etl_counts_append_some(bson_t *out, const char *field, const struct etl_counts *counts);
void etl_counts_read(const bson_t *doc, const char *field, struct etl_counts *out);

/* One row for each count, in the order of the list. */
struct etl_counts_row {
	const char *name, *help;
	size_t offset; /* in struct etl_counts */
};
extern const struct etl_counts_row etl_counts_rows[];
extern const size_t etl_counts_n;
static inline uint64_t etl_counts_get(const struct etl_counts *counts, const struct etl_counts_row *row)
{
	return *(const uint64_t *)(const void *)((const char *)counts + row->offset);
}

/* ---- what became of windows ----------------------------------------------------------------- */

/* Counted by each part of a run; the run, its record and the daemon's counters are sums of those. X(name,
 * word): the word is that of documents, answers and metrics. Example: a run reads three windows of one
 * partition and four of another; loaded 2 + 4, held 1. */
#define ETL_WINDOW_COUNTS(X)                                                                    \
	X(loaded, "loaded")                                                                     \
	X(empty, "empty")                                                                       \
	X(failed, "failed")                                                                     \
	X(held, "held")                                                                         \
	X(discarded, "discarded") /* read, and thrown away by a load that keeps nothing */      \
	X(lost, "unrecoverable")  /* given up: older than the source keeps */

struct etl_window_counts {
#define X(name, word) uint64_t name;
	ETL_WINDOW_COUNTS(X)
#undef X
};

void etl_window_counts_add(struct etl_window_counts *to, const struct etl_window_counts *from);
/* All of them, as a document under "windows". */
void etl_window_counts_append(bson_t *out, const struct etl_window_counts *counts);

/* ---- what was found, by rule --------------------------------------------------------------- */

#define ETL_TALLY_ROWS 20	  /* then only `others` counts on */
#define ETL_TALLY_TEXT_BYTES 240 /* of a first message */

/* Rejects by step, rule and field; warnings by check and field (step "check" or "load"). */
struct etl_tally {
	struct etl_tally_row {
		char step[16], rule[32], field[64];
		char first[ETL_TALLY_TEXT_BYTES]; /* the first of them, in words */
		uint64_t n;
	} *rows; /* owned */
	size_t n, cap;
	uint64_t others; /* of rules beyond ETL_TALLY_ROWS */
};

/* NULL texts are "". `n` of them; `first` is kept if the row is new. */
void etl_tally_add(struct etl_tally *tally, const char *step, const char *rule, const char *field,
	const char *first, uint64_t n);
void etl_tally_merge(struct etl_tally *to, const struct etl_tally *from);
void etl_tally_fini(struct etl_tally *tally); /* zeroed, ready to be used again */

/* [{step, rule, field, n, first}, ...]; a last row {others: n} if there were more rules.
 * Nothing is appended for an empty one. */
void etl_tally_append(bson_t *out, const char *field, const struct etl_tally *tally);

#endif
