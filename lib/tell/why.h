/* SPDX-License-Identifier: MIT
 *
 * Why something is as it is, in sentences: facts in, words out. Pure functions; they look
 * nothing up and decide nothing that is decided elsewhere (sched.h, window_plan.h, policy.h):
 * they only tell. Sentences have no full stop. Whoever has the facts may call them, any thread.
 */
#ifndef ETL_TELL_WHY_H
#define ETL_TELL_WHY_H

#include "base/buf.h"
#include "job/elsewhere.h"
#include "plan/deadline.h"
#include "sched/sched.h"
#include "state/state.h"
#include "time/civil.h"

struct etl_why_list {
	char **items; /* owned */
	size_t n, cap;
};

struct etl_why {
	struct etl_why_list because; /* never empty */
	char *next;		     /* what will change it; NULL = nothing will by itself */
	etl_wall next_at;	     /* when, or at the latest; ms == 0 = that is not known */
	struct etl_why_list hints;   /* commands and settings */
};
/* Frees all sentences and zeroes the struct. */
void etl_why_fini(struct etl_why *why);

/* Adds a sentence; cut to 2 KiB. */
void etl_why_because(struct etl_why *why, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void etl_why_hint(struct etl_why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Only the first event that is told is kept. `at`.ms == 0: it is not known when. */
void etl_why_next(struct etl_why *why, etl_wall at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The time as sentences have it, in `out`, which is given back: an argument of the above. */
const char *etl_why_stamp(etl_wall t, char out[ETL_TIME_TEXT_BYTES]);

/* "schedule.misfire: run_latest": the setting of the job behind a rule. */
#define ETL_WHY_SETTING_BYTES 64
void etl_why_setting(const struct etl_job *job, enum etl_skip_code code, char out[ETL_WHY_SETTING_BYTES]);

/* Slots that did not run: "slots A to B (3) did not run: they were missed ... (setting)". `job`
 * NULL: it is not configured any more, the setting is not known. */
void etl_why_skip(const struct etl_job *job, const struct etl_skip *skip, struct etl_why *why);

/* The command that loads windows again, closed ones too: of [range.start, range.end), of one
 * partition as it is shown, NULL or "-" = of all. A run if one request would hold them, else a
 * backfill. */
void etl_why_again(const struct etl_job *job, const char *partition, const struct etl_window *range,
	struct etl_buf *out);

/* ---- what windows wait for ------------------------------------------------------------------ */

/* One of the windows that another one waits for, and what that one waits for. */
struct etl_why_link {
	const struct etl_job *job;
	const struct etl_partition *partition;
	struct etl_window window;
	char why[ETL_REASON_MAX]; /* of the ledger: "failed: HTTP 500"; "" = nobody tried it */
	bool is_final; /* false: its time has not come yet */
	/* of its job */
	enum etl_sched_phase phase;
	etl_wall fire; /* its next slot, jitter included; ms == 0 = none */
};
#define ETL_WHY_LINKS 4

/* "SUBJECT is blocked: it waits for ...", and what will change that. n > 0. */
void etl_why_links(const char *subject, const struct etl_why_link *links, size_t n,
	struct etl_why *why);

/* Windows of a job that its next run will ask for, those not counted that it only reads again. */
struct etl_why_owed {
	uint64_t n;
	bool more; /* the plan was cut: there are more */
	size_t partitions, looked, all; /* that owe some; that were looked at; of the job */
	struct etl_window oldest;
	const struct etl_partition *of; /* whose the oldest is */
	struct etl_why_link links[ETL_WHY_LINKS]; /* what the first blocked one waits for */
	size_t n_links;
	struct etl_window blocked;
	const struct etl_partition *blocked_of;
};

/* ---- a job ---------------------------------------------------------------------------------- */

struct etl_why_run {
	const char *run_id, *job, *state, *reason, *host;
	const char *trigger, *cause; /* the word; who, the upstream job, the backfill; "" = none */
	const char *code;	     /* of skipped */
	etl_wall slot, slot_first, started, ended;
	uint64_t slots;
	struct etl_window asked;
	struct etl_skip passed_over; /* last.ms == 0 = none; code ETL_SKIP_MAX = not known */
	uint64_t windows_failed, windows_lost, windows_held, rejected;
	/* what the daemon adds; `config` NULL: the job is not configured any more */
	const struct etl_job *config;
	etl_wall next_fire; /* jitter included; ms == 0 = none */
	bool paused;
};

/* A backfill of the job that this etld drives. */
struct etl_why_backfill {
	struct etl_backfill facts;
	const char *waits_for; /* static; "" = its piece runs */
	etl_wall until;	       /* ms == 0 = not known */
};
#define ETL_WHY_BACKFILLS 4 /* that are told */

struct etl_why_job {
	const char *name;
	const struct etl_job *job;
	etl_wall now;
	enum etl_sched_phase phase;
	etl_wall slot; /* the next one; ms == 0 = none to come */
	etl_dur jitter;
	bool waiting; /* something waits behind the run that goes */

	const char *paused_by, *pause_why; /* paused */
	etl_wall paused_at;
	int pause_unsaved; /* 1: MongoDB does not have it yet; 2: and never will */

	const char *run_id, *step, *partition; /* running */
	etl_wall started;
	const struct etl_trigger *trigger;
	uint64_t records, windows;
	size_t retrying; /* partitions that wait for a retry: */
	etl_wall retry_at;     /* when the first of them is tried again; ms == 0 = not known */
	const char *retry_why; /* its failure; NULL or "" = not known */

	size_t ahead; /* waits for a place: jobs before it */
	unsigned active, max_active;
	bool only_backfill; /* nothing but a backfill's piece waits: */
	unsigned active_backfills;

	const char *mongodb_why; /* MongoDB */
	etl_wall mongodb_since, mongodb_next;

	etl_wall held_until; /* another etld */

	const char *sense_said; /* sensor; "" = it has not answered yet */
	etl_wall sense_slot, sense_next, sense_until; /* sense_next.ms == 0: it is being asked */

	const char *host_why; /* the host is left alone; NULL = it is not */
	etl_wall host_until;

	const struct etl_why_backfill *backfills;
	size_t n_backfills; /* all there are, also if more than ETL_WHY_BACKFILLS */

	/* the window that has to be closed first; NULL = none, or it has no deadline */
	const struct etl_deadline *deadline;
	const struct etl_partition *deadline_of;

	const struct etl_skip *skip; /* the last ones; NULL or last.ms == 0: none is known */
	const struct etl_why_run *last; /* the last run; NULL = none, or not known */
	const struct etl_why_owed *owed; /* NULL = not known */
	const struct etl_elsewhere *elsewhere; /* NULL or of none: nothing is, or not known */
};
/* Tells of a job that is left out because of errors in its file (job.h). */
void etl_why_left_out(const struct etl_job *job, struct etl_why *why);

/* A job in words: why it runs or does not run now. Adds to `why`, which is zeroed. */
void etl_why_of_job(const struct etl_why_job *facts, struct etl_why *why);

/* ---- a run ---------------------------------------------------------------------------------- */

/* A run in words: why it ran, what was passed over, how it ended. Adds to `why`, which is
 * zeroed. */
void etl_why_of_run(const struct etl_why_run *facts, struct etl_why *why);

/* "its slot 2026-07-01T10:10:00Z had come": completes "it ran because". */
#define ETL_WHY_TRIGGER_BYTES 256
void etl_why_trigger(const struct etl_why_run *facts, char out[ETL_WHY_TRIGGER_BYTES]);

/* ---- a window ------------------------------------------------------------------------------- */

struct etl_why_window {
	const struct etl_job *job;
	const char *partition; /* as it is shown; "-" = the job has none */
	struct etl_window window; /* [0, 0) of a job without windows */
	const char *object; /* its name, lent; NULL = it is a window */
	etl_wall now;
	bool has_entry;
	struct etl_ledger_entry entry;
	bool has_mark;
	struct etl_watermark mark;
	/* the operator's change that touched it last; at.ms == 0 = none */
	char change_kind[16], change_who[80], change_why[ETL_REASON_MAX];
	etl_wall change_at;
	char target[ETL_TARGET_BYTES]; /* where its job loads to; "" = nowhere */
	uint64_t definition; /* of its partition today; 0 = not known */
	/* what etl_window_plan and etl_upstream_hole say of it */
	bool due, lost;
	enum etl_due why;
	struct etl_why_link links[ETL_WHY_LINKS];
	size_t n_links; /* 0 = it waits for no other window */
	/* of its job */
	enum etl_sched_phase phase;
	etl_wall fire; /* the next slot, jitter included; ms == 0 = none */
	etl_dur jitter;
};
/* A window in words: its state, whether it is due, what it waits for. Adds to `why`, which is
 * zeroed. */
void etl_why_of_window(const struct etl_why_window *facts, struct etl_why *why);
/* The same of an object. */
void etl_why_of_object(const struct etl_why_window *facts, struct etl_why *why);
/* What the ledger says of either: the first part of both. */
void etl_why_ledger(const struct etl_why_window *facts, struct etl_why *why);

#endif
