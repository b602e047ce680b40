/* SPDX-License-Identifier: MIT
 *
 * The one read model of jobs: what status, jobs, graph, why, --check and metrics tell, they take
 * from here and compute nothing themselves. From what the loop knows (engine/picture.h), also while
 * MongoDB is unreachable; asks nobody, changes nothing. Loop thread.
 */
#ifndef ETLD_FACTS_H
#define ETLD_FACTS_H

#include "facts/blocked.h"
#include "facts/health.h"
#include "facts/owed.h"
#include "job/elsewhere.h"

/* A job as it is now; good until the loop goes on. */
struct etld_facts {
	const struct etld_job *job;
	enum etl_sched_phase phase;
	etl_wall fires; /* its next slot, jitter included; ms == 0 = none is to come */
	const struct etld_run *running; /* NULL = no run goes */
	bool queued;	/* something waits behind that run, or for a place */
	struct etld_health health;
	bool owes; /* the first window that is owed: */
	struct etld_owed owed;
	bool has_deadline; /* the first one of its windows: */
	struct etld_due deadline;
	bool is_blocked; /* by an upstream window: */
	struct etld_block block;
	/* the job at which all hangs; NULL = those upstream are well */
	const struct etld_job *culprit;
	struct etl_elsewhere elsewhere; /* of none: nothing is elsewhere or of an older definition */
	struct etld_open windows; /* over all partitions; `open` counts failed and held ones too */
	uint64_t others; /* of them neither failed nor held: asked for again, begun, or waiting */
};
void etld_facts_of(const struct etld *etld, const struct etld_job *job, struct etld_facts *out);

/* Its i-th partition. */
struct etld_partition_facts {
	etl_wall watermark;   /* ms == 0 = not known */
	etl_dur lag, late_by; /* how far the watermark is behind the clock; 0 if it is not known */
	struct etld_open windows;
	uint64_t others;
};
void etld_facts_of_partition(const struct etld *etld, const struct etld_job *job, size_t i,
	struct etld_partition_facts *out);

/* When the job's next slot fires; ms == 0 = there is none. */
etl_wall etld_facts_fires(const struct etld *etld, const struct etld_job *job);

#endif
