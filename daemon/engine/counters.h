/* SPDX-License-Identifier: MIT
 *
 * What the daemon counts: all of it starts with the process and only grows. Its text is made in
 * facts/metrics.c. Loop thread.
 */
#ifndef ETLD_COUNTERS_H
#define ETLD_COUNTERS_H

#include "run/run.h"

#define ETLD_HISTOGRAM_BOUNDS 18
extern const double etld_histogram_bounds[ETLD_HISTOGRAM_BOUNDS]; /* seconds, the upper ends */

struct etld_histogram {
	uint64_t buckets[ETLD_HISTOGRAM_BOUNDS + 1]; /* each alone; the last one: beyond all */
	uint64_t n;
	etl_dur sum, max;
};

/* Zeroed at first; others call the functions below and write nothing. */
struct etld_counters {
	uint64_t slots_due;
	uint64_t slots_skipped[ETL_SKIP_MAX];
	struct etld_histogram slot_lateness, start_delay, run_duration;
	uint64_t started[ETL_TRIGGER_MAX];
	uint64_t ended[ETL_RUN_BUSY + 1];
	struct etl_counts records;
	struct etl_window_counts windows;
	uint64_t warnings, requests, bytes;
};

/* Slots were found due; the newest of them `late` after it should have been. */
void etld_count_slots(struct etld_counters *c, uint64_t slots, etl_dur late);
void etld_count_skipped(struct etld_counters *c, const struct etl_skip *skip);
/* A run got its place; `waited` since its slot was due, jitter included. */
void etld_count_started(struct etld_counters *c, const struct etl_trigger *trigger, etl_dur waited);
void etld_count_ended(struct etld_counters *c, const struct etl_run *run);

#endif
