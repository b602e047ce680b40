/* SPDX-License-Identifier: MIT
 *
 * What the daemon counts (engine/counters.h), as text for Prometheus, and gauges, which are read
 * when they are asked for. One table in metrics.c has the names, types and helps; etld(8) lists the
 * same. Loop thread.
 */
#ifndef ETLD_METRICS_H
#define ETLD_METRICS_H

#include "base/buf.h"
#include "facts/health.h"

/* What is told of jobs, gathered one by one. */
struct etld_job_sums {
	uint64_t health[ETLD_HEALTHS];
	uint64_t watermarks;
	etl_dur lag_max, late_max;
	uint64_t open, failed, held, dirty; /* windows */
	struct etl_buf lags, lates; /* the series, as text */
};
void etld_metrics_look(struct etld_job_sums *sums, const struct etld *etld,
	const struct etld_job *job);

/* The text exposition format, version 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/ */
void etld_metrics_write(const struct etld *etld, const struct etld_job_sums *sums,
	struct etl_buf *out);

#endif
