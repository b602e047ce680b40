/* SPDX-License-Identifier: MIT
 *
 * What the daemon counts, and its text for Prometheus. Counters start with the process and
 * only grow; gauges are read when they are asked for. One table in metrics.c has the names,
 * types and helps; etld(8) lists the same. Loop thread.
 */
#ifndef ETLD_METRICS_H
#define ETLD_METRICS_H

#include "base/buf.h"
#include "run/run.h"

#define ETLD_HISTOGRAM_BOUNDS 18
#define ETLD_HEALTHS 10 /* words of health.h */

struct etld_histogram {
	uint64_t buckets[ETLD_HISTOGRAM_BOUNDS + 1]; /* each alone; the last one: beyond all */
	uint64_t n;
	etl_dur sum, max;
};

/* Part of the manager; others call the functions below and write nothing. */
struct etld_metrics {
	uint64_t slots_due;
	uint64_t slots_skipped[ETL_SKIP_MAX];
	struct etld_histogram slot_lateness, start_delay, run_duration;
	uint64_t started[ETL_TRIGGER_MAX];
	uint64_t ended[ETL_RUN_BUSY + 1];
	struct etl_counts records;
	uint64_t windows_loaded, windows_empty, windows_failed, windows_held, windows_lost;
	uint64_t windows_discarded, warnings;
	uint64_t requests, bytes;
};

/* Slots were found due; the newest of them `late` after it should have been. */
void etld_metrics_slots(struct etld_metrics *m, uint64_t slots, etl_dur late);
void etld_metrics_skipped(struct etld_metrics *m, const struct etl_skip *skip);
/* A run got its place; `waited` since its slot was due, jitter included. */
void etld_metrics_started(struct etld_metrics *m, const struct etl_trigger *trigger, etl_dur waited);
void etld_metrics_ended(struct etld_metrics *m, const struct etl_run *run);

/* What is told of jobs, gathered one by one. */
struct etld;
struct etld_job;
struct etld_job_sums {
	uint64_t health[ETLD_HEALTHS];
	uint64_t watermarks;
	etl_dur lag_max, late_max;
	uint64_t open, failed, held, dirty; /* windows */
	struct etl_buf lags, lates; /* the series, as text */
};
void etld_metrics_look(struct etld_job_sums *sums, const struct etld *etld,
	const struct etld_job *job);

/* The text exposition format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
void etld_metrics_write(const struct etld *etld, const struct etld_job_sums *sums,
	struct etl_buf *out);

#endif
