/* SPDX-License-Identifier: MIT
 *
 * The book of a history, kept from what passes by (claims, notes, skips, commits, runs), never
 * from what the engine thinks, and the laws that are looked at with each entry. laws_end.h
 * has those of the end.
 */
#ifndef TESTS_SIM_LAWS_H
#define TESTS_SIM_LAWS_H

#include "base/uuid.h"
#include "state/documents.h"
#include "sched/sched.h"
#include "state/state.h"
#include "world.h"

struct etl_run;
struct book_run {
	char id[ETL_UUID_BYTES];
	int job, machine;
	unsigned life;
	enum etl_trigger_kind kind;
	int64_t slot, as_of;
	int misfire;
	bool orphan; /* its job left the configuration under it */
	bool leased, ended, unanswered; /* it never learned that it has the lease */
	bool passed[STATIONS]; /* another run has committed there since it did */
	bool bad[STATIONS]; /* the last answer to it was none */
};

struct book_job {
	struct claim {
		int64_t slot, at;
		char run_id[ETL_UUID_BYTES];
	} *claims;
	size_t n_claims, claims_cap;
	int64_t cursor;	      /* as claims and notes have moved it */
	int64_t fence[STATIONS];  /* the highest that has claimed it */
	long committer[STATIONS]; /* the run that committed last; -1 = none */
	int64_t looked[STATIONS]; /* windows up to here were found closed */
	bool paused_on_record;
};

/* How often something happened, over all histories: a law that is never asked proves nothing. */
#define COUNTS(X)                                                                               \
	X(histories) X(runs) X(claims) X(refusals) X(skips) X(notes) X(resets) X(commits)       \
	X(fenced) X(crashes) X(crashes_inside) X(stops) X(steps) X(suspends) X(outages)         \
	X(lost_answers) X(source_outages) X(pauses) X(edits) X(manual) X(backfills)              \
	X(backfills_done) X(each) X(old_data) X(interrupted) X(slots) X(windows) X(rows)        \
	X(changed_rows) X(dependants) X(sensor_waits) X(alerts)
struct counts {
#define X(name) uint64_t name;
	COUNTS(X)
#undef X
	uint64_t codes[ETL_SKIP_MAX];
	uint64_t digest; /* the sum of all that was told: the same histories give the same */
};
extern struct counts counts;

struct book {
	struct book_job jobs[JOBS];
	struct book_run *runs;
	size_t n_runs, runs_cap;
	size_t n_refused; /* another machine's run goes on: they ask again each second */
};
extern struct book book;

/* ---- the book ------------------------------------------------------------------------------- */

/* The end of an identity: its begin is the time, which runs of two machines share. */
const char *short_id(const char *id);
/* Of the word of a skip. */
int code_of(const char *word);
void book_init(void);
void book_fini(void);
/* NULL = no such run has begun. */
struct book_run *book_run_of(const char *id);
/* Begun: it has an id now. */
void book_started(const struct machine *m, const struct etl_sched *sched,
	const struct etl_run *run);
void book_ended(const struct etl_run *run);

/* ---- the laws, each asked when its call has done what it does ------------------------------- */

/* The store has given the lease for a slot. */
void law_claim(const char *job, int64_t slot, const char *run_id);
void law_note(const struct etl_slot_note *note);
/* Asked before it begins. */
void law_starts(const struct machine *m, const struct etl_job *job,
	const struct etl_trigger *trigger);
/* From here on nobody with a lower fence may commit there. */
void law_partition_claim(const char *job, const char *partition, int64_t fence);
/* The data of a window is in the target when the ledger says that it is loaded; a made-up
 * slot has not looked further than it could then. */
void law_commit(const struct etl_commit *c);
void law_record(const struct etl_run_record *r);

#endif
