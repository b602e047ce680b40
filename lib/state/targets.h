/* SPDX-License-Identifier: MIT
 *
 * Where the windows of a partition are, and what made them: which of them were closed by a commit into
 * which target under which definition. Kept beside its watermark as a short list of ranges, so that it
 * costs the same however long the history is: it is asked first, and each entry of the ledger knows its
 * own definition. What was skipped or given up is in no range. Pure; any thread.
 */
#ifndef ETL_STATE_TARGETS_H
#define ETL_STATE_TARGETS_H

#include <bson/bson.h>

#include "state/counts.h"
#include "time/window.h"

#define ETL_TARGET_BYTES 192 /* "etl.hourly": a name of 63, a dot, one of 120 */
#define ETL_TARGET_AND " + " /* between the places of a job that loads into several */
#define ETL_TARGETS_MAX 8
#define ETL_TARGET_UNKNOWN "?" /* of windows that were closed before there was a record */
#define ETL_TARGET_RANGES_MAX 24
#define ETL_TARGET_MIXED ETL_TARGETS_MAX /* a range of several: the ledger knows which window is whose */

struct etl_targets {
	struct etl_maker {
		char target[ETL_TARGET_BYTES]; /* "" = a free place */
		uint64_t definition;	       /* job/definition.h; 0 = not known */
		etl_wall since; /* its first commit; ms == 0 = not known */
	} makers[ETL_TARGETS_MAX];
	struct etl_target_range {
		struct etl_window windows; /* from the start of the first to the end of the last */
		size_t maker;		   /* index, or ETL_TARGET_MIXED */
		bool loose; /* between its windows some may be open, skipped or given up */
	} ranges[ETL_TARGET_RANGES_MAX]; /* in order, none overlaps another */
	size_t n;
	bool absent; /* the document has no list: an older etld made it */
};

/* The window is in `target` now, made by `definition`, wherever it was before. The one window of a job
 * without windows, [0, 0), is kept as [0, 1). In a list that is full neighbours become one range: of one
 * maker over the gap between them (loose), of several a mixed one. Nothing that is said is ever wrong.
 * Noting the windows of a mixed range again, in order, makes it a sharp one; a loose range of one maker
 * stays loose until another one has made its windows. */
void etl_targets_note_by(struct etl_targets *t, const struct etl_maker *by, struct etl_window window);
/* The same without a definition. */
void etl_targets_note(struct etl_targets *t, const char *target, struct etl_window window);

/* Whose the window at this time is; NULL = nothing is known of it from here alone. */
const char *etl_targets_at(const struct etl_targets *t, etl_wall start);
/* The same of a window whose entry bears this definition: known in a mixed range, too. */
const struct etl_maker *etl_targets_maker(const struct etl_targets *t, etl_wall start, uint64_t definition);
/* The range that holds this time; NULL = none does. */
const struct etl_target_range *etl_targets_range(const struct etl_targets *t, etl_wall start);

/* What a run did in one of several: inserted, updated, unchanged, overwritten, stale, rejected. */
struct etl_run_target {
	char name[ETL_TARGET_BYTES];
	struct etl_counts counts;
};

/* `targets: [{target, from, until, definition, since, loose}]`, "*" for several, and behind these the
 * makers that are in no range of their own; what cannot be read is left out. */
void etl_targets_append(const struct etl_targets *t, bson_t *to);
void etl_targets_read(const bson_t *doc, struct etl_targets *out);

#endif
