/* SPDX-License-Identifier: MIT
 *
 * A job as configured: schedule, windows, and the chain source -> transforms -> checks ->
 * loads, filled from one YAML file. Immutable once loaded; lives in its generation's arena and
 * is shared by all threads.
 */
#ifndef ETL_JOB_JOB_H
#define ETL_JOB_JOB_H

#include "check/check.h"
#include "conf/option.h"
#include "job/steps.h"
#include "job/work_config.h"
#include "plan/window_plan.h"
#include "sink/sink.h"
#include "source/source.h"
#include "state/targets.h"
#include "time/calendar.h"
#include "time/zone.h"
#include "transform/transform.h"

#define ETL_JOB_NAME_MAX 64
#define ETL_PARTITIONS_MAX 100000

enum etl_misfire {
	ETL_MISFIRE_RUN_EACH,	    /* one run for each missed slot, as it would have been */
	ETL_MISFIRE_RUN_LATEST,	    /* one run for the newest */
	ETL_MISFIRE_RUN_IF_YOUNGER, /* the same, unless it is older than misfire_age */
	ETL_MISFIRE_SKIP,
};
enum etl_overlap { ETL_OVERLAP_SKIP, ETL_OVERLAP_QUEUE_ONE, ETL_OVERLAP_CANCEL_RUNNING };

/* One independent slice of a job. */
struct etl_partition {
	const char *name;	   /* its value, several joined by '/'; "all" without partitions */
	const char *const *values; /* one for each of the job's partition_names, same order */
	uint64_t definition; /* job/definition.h; 0 = of a job that is left out */
};

struct etl_job_stage {
	const struct etl_transform_type *type;
	void *options;
};

struct etl_job_check {
	const struct etl_check_type *type;
	void *options;
	enum etl_on_fail on_fail;
};

/* One of the places that a job's rows go to. */
struct etl_job_load {
	const struct etl_sink_type *type;
	void *options;
};
#define ETL_LOADS_MAX 8

/* A sensor: the job waits until a collection has something new enough. */
struct etl_wait_for {
	const char *collection, *database; /* database NULL = the daemon's */
	const char *field;		   /* a date, or an ObjectId */
	const bson_t *filter;		   /* NULL = any document */
	etl_dur newer_than;		   /* how old the newest may be */
	etl_dur poke;			   /* how often it is asked */
	etl_dur timeout;		   /* then the slot is skipped */
};

struct etl_job {
	const char *name; /* the file's name without .yaml */
	const char *description;
	const char *group; /* a label that `after` and etlctl know; NULL = none */
	/* Its first error, with file and line: the job is known by name, group, windows and
	 * partitions (as far as those are right), and never runs. NULL = it is right. */
	const char *left_out;
	bool group_unknown; /* left out, and the file cannot even tell its group */
	/* What its runs do (run/work.h): the kind whose key the file has. NULL: the job is left out. */
	const struct etl_work_type *work;
	void *work_options; /* as that kind's rows were filled; its own */

	/* schedule; calendar is NULL for a job that only runs `after` others or manually */
	const struct etl_calendar *calendar;
	const struct etl_zone *zone;
	const char *schedule_text; /* "10 * * * *", "every 15m", "after airqino" */
	const char *timezone;
	etl_dur jitter; /* upper bound of the stable shift */
	enum etl_misfire misfire;
	etl_dur misfire_age; /* of RUN_IF_YOUNGER */
	enum etl_overlap overlap;
	etl_dur timeout; /* of a run */
	int64_t max_active; /* partitions of this job in flight at once */

	const struct etl_wait_for *wait_for; /* NULL = none */
	etl_dur deadline; /* of a window, behind its end; us == 0 = none */

	int64_t retry_max;
	etl_dur retry_backoff, retry_max_backoff;
	etl_dur step_timeout[ETL_STEP_MAX]; /* us == 0 = none */

	const char *const *partition_names; /* NULL-terminated: dimensions, then extra values */
	struct etl_partition *partitions;
	size_t n_partitions;

	struct etl_window_rules window;
	double max_reject_ratio; /* above it (and above max_rejects) a span fails */
	int64_t max_rejects;
	int close_refused; /* a window closes also if its every record was refused */
	int covers_all; /* what lies outside of what was asked for is nothing strange */

	const struct etl_source_type *source;
	void *source_options;
	const struct etl_decode_spec *decode; /* what stands beside the source: payload to records */
	const char *host; /* that the source asks, in small letters; "" = none */
	void *source_shared; /* owned: tokens and the like */
	struct etl_job_stage *transforms;
	size_t n_transforms;
	struct etl_job_check *checks;
	size_t n_checks;
	struct etl_job_load *loads; /* in the order of the file */
	size_t n_loads;
	/* The one of them that commits with the ledger, and whose counts are the job's: the first that can
	 * join the store's transaction, else the first that keeps what it gets. */
	size_t committing;
	uint64_t load_digest; /* of the text under `load`: a changed target makes old hashes void */

	/* Graph, resolved by etl_graph_link. */
	struct etl_strings after; /* as configured: names, and group:NAME; its nodes are void */
	size_t number;		  /* its place among the jobs */
	const struct etl_job **upstream;
	size_t n_upstream;
	const struct etl_job **dependants;
	size_t n_dependants;
};

/* Fills a job from a file's tree; everything wrong goes to env->diag, and such a job is good
 * for nothing but its name and its `after` (so that the graph can be judged in the same
 * pass). `root` NULL: a file that could not be read. Never NULL; etl_job_fini ends it. Sets
 * env->partition_names. Loader's thread. */
struct etl_job *etl_job_load(const char *name, const struct etl_node *root,
	struct etl_conf_env *env);

/* The same with other kinds of work than the build's; `kinds` ends with zeroes. */
struct etl_job *etl_job_load_as(const char *name, const struct etl_node *root,
	const struct etl_work_kind *kinds, struct etl_conf_env *env);

/* Makes a job of which something is wrong one that only stands there (`left_out`), so that its
 * dependants are blocked and people see it. `error` is copied. */
void etl_job_leave_out(struct etl_job *job, const char *error, const struct etl_conf_env *env);

/* A job that is left out for a credential or a variable: the unit hands these over at its start, so
 * that a reload cannot mend it. */
bool etl_job_wants_restart(const struct etl_job *job);

/* Its part for `partitions` (partitions.c). Sets env->partition_names. */
void etl_job_load_partitions(struct etl_job *job, const struct etl_node *node,
	struct etl_conf_env *env);

/* Where a load goes, "etl.hourly", with the daemon's default `database`. "" = it keeps nothing. */
void etl_load_target(const struct etl_job_load *load, const char *database,
	char out[ETL_TARGET_BYTES]);

/* What people call a load: where it goes, or what it is if that is nowhere. */
void etl_load_name(const struct etl_job_load *load, const char *database, char out[ETL_TARGET_BYTES]);

/* Where the job's rows go, with the daemon's default `database`: the committing target, and behind it the
 * others, "etl.hourly + etl.raw". "" = nowhere: it is left out, or its loads keep nothing. */
void etl_job_target(const struct etl_job *job, const char *database, char out[ETL_TARGET_BYTES]);

/* What a job owns beyond the arena: calendar, the source's shared state. */
void etl_job_fini(struct etl_job *job);

/* Resolves `after` among all jobs, group:NAME to all others of that group. Unknown names,
 * empty groups and circles are errors in diag, and leave out the job that has them. Who is left
 * out waits for nobody, and those that wait for it never get what they wait for. A left-out job
 * whose group is not known counts as one of each group. */
void etl_graph_link(struct etl_job **jobs, size_t n, const struct etl_conf_env *env);

/* The partition of `other` that belongs to partition `name` of a linked job: the one of the
 * same name, or NULL = all of them. */
const struct etl_partition *etl_job_partition(const struct etl_job *job, const char *name);

/* How people name a partition: "station=283164601", or "-" for a job without partitions. */
#define ETL_PARTITION_TEXT_BYTES 1100 /* room for any: a dimension of 64, '=', a name of 1,023 */
void etl_partition_text(const struct etl_job *job, const struct etl_partition *partition, char *out,
	size_t size);
/* The partition meant by "station=X", "X" or "-"; NULL if there is none. */
const struct etl_partition *etl_partition_find(const struct etl_job *job, const char *text);

/* " --partition NAME", as a shell takes it; nothing for NULL or "-", which a job without partitions has. */
void etl_job_partition_option(const char *partition, struct etl_buf *out);

/* What makes a schedule the one it is: "10 * * * *|Europe/Paris". Slots are remembered with
 * it, so that an edited schedule never replays slots of the old one. Cut to fit `out`. */
void etl_job_schedule_key(const struct etl_job *job, char out[ETL_SCHEDULE_BYTES]);

/* The stable shift of a job's slots on this host: within [0, jitter). */
etl_dur etl_job_jitter(const struct etl_job *job, const char *host);

#endif
