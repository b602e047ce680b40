/* SPDX-License-Identifier: MIT
 *
 * What lies elsewhere: windows of a job that were loaded into another target than the one that it
 * loads into now, or that another definition made. Counted by the ranges beside the watermark, without a
 * look at the ledger. Nothing is loaded again unasked; it is told, with the command that would. Pure,
 * any thread.
 */
#ifndef ETL_JOB_ELSEWHERE_H
#define ETL_JOB_ELSEWHERE_H

#include "job/job.h"

/* Sums over partitions. Windows before the job's start or behind its end are nobody's business. */
struct etl_elsewhere {
	char target[ETL_TARGET_BYTES]; /* the job's own, set by the caller before the first sum */
	bool whole;		       /* a job without windows: each is a full read */
	uint64_t definition; /* of the partition, set before it is added; 0 = not known */
	uint64_t here;		       /* windows that are in it */
	uint64_t older;	  /* ... of which another definition made so many */
	bool about; /* at most so many: where the list of ranges was full, some may not be */
	uint64_t unknown; /* windows that were closed before there was a record */
	uint64_t n;	  /* windows that are elsewhere: in all, */
	struct {
		char name[ETL_TARGET_BYTES];
		uint64_t n;
	} in[ETL_TARGETS_MAX]; /* ... and in each; those beyond so many count in `n` alone */
	size_t n_in;
};

static inline bool etl_elsewhere_any(const struct etl_elsewhere *sum)
{
	return sum->n || sum->older;
}

/* Adds one partition; true if some of its windows are elsewhere, or of another definition. */
bool etl_elsewhere_add(struct etl_elsewhere *sum, const struct etl_window_rules *rules,
	const struct etl_watermark *mark);

/* Adds one sum, of the same target, to another. */
void etl_elsewhere_join(struct etl_elsewhere *sum, const struct etl_elsewhere *other);

/* "19 windows are in 'a', none in 'b'": names without their database if all have the same; "19 windows
 * were made by an older definition". */
#define ETL_ELSEWHERE_TEXT_BYTES 1024
void etl_elsewhere_text(const struct etl_elsewhere *sum, char out[ETL_ELSEWHERE_TEXT_BYTES]);

/* The command that loads them again, to be pasted: "etlctl restate a". */
void etl_elsewhere_command(const struct etl_job *job, char out[ETL_ELSEWHERE_TEXT_BYTES]);

/* A target as it is told beside another one: without its database if that is the same. */
void etl_target_beside(const char *target, const char *other, char out[ETL_TARGET_BYTES]);

/* Whether what was loaded into `had` is in all places of `target`: "a + b" covers "b + a", and
 * "a". */
bool etl_target_covers(const char *had, const char *target);

#endif
