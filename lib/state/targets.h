/* SPDX-License-Identifier: MIT
 *
 * Where the windows of a partition are: which of them were closed by a commit into which target.
 * Kept beside its watermark as a short list of ranges, so that it costs the same however long the
 * history is. What was skipped or given up is in no range. Pure; any thread.
 */
#ifndef ETL_STATE_TARGETS_H
#define ETL_STATE_TARGETS_H

#include <bson/bson.h>

#include "state/counts.h"
#include "time/window.h"

#define ETL_TARGET_BYTES 192 /* "etl.hourly": a name of 63, a dot, one of 120 */
#define ETL_TARGET_AND " + " /* between the places of a job that loads into several */
#define ETL_TARGETS_MAX 6
#define ETL_TARGET_UNKNOWN "?" /* of windows that were closed before there was a record */
#define ETL_TARGET_RANGES_MAX 24

struct etl_targets {
	char names[ETL_TARGETS_MAX][ETL_TARGET_BYTES]; /* "" = a free place */
	struct etl_target_range {
		struct etl_window windows; /* from the start of the first to the end of the last */
		size_t name;
	} ranges[ETL_TARGET_RANGES_MAX]; /* in order, none overlaps another */
	size_t n;
	bool absent; /* the document has no list: an older etld made it */
};

/* The window is in `target` now, wherever it was before. The one window of a job without windows,
 * [0, 0), is kept as [0, 1). A list that is full forgets its shortest ranges, those of `target`
 * first: they are where they should be. */
void etl_targets_note(struct etl_targets *t, const char *target, struct etl_window window);

/* Whose the window at this time is; NULL = nothing is known of it. */
const char *etl_targets_at(const struct etl_targets *t, etl_wall start);

/* What a run did in one of several: inserted, updated, unchanged, overwritten, stale, rejected. */
struct etl_run_target {
	char name[ETL_TARGET_BYTES];
	struct etl_counts counts;
};

/* `targets: [{target, from, until}]`; what cannot be read is left out. */
void etl_targets_append(const struct etl_targets *t, bson_t *to);
void etl_targets_read(const bson_t *doc, struct etl_targets *out);

#endif
