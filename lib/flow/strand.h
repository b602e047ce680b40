/* SPDX-License-Identifier: MIT
 *
 * What the steps of a strand share. Private to lib/flow: who carries a strand sees flow/flow.h.
 */
#ifndef ETL_FLOW_STRAND_H
#define ETL_FLOW_STRAND_H

#include "base/hash.h"
#include "flow/flow.h"
#include "flow/repeats.h"
#include "flow/tables.h"

#define ETL_SLICE_DOCUMENTS 1000	   /* of one transaction, ledger included */
#define ETL_SLICE_OVERHEAD 1		   /* ... and the watermark */
#define ETL_SLICE_BYTES (8 * 1024 * 1024)
#define ETL_SLICE_SECONDS 120		   /* how long one slice is tried again */
#define ETL_FUTURE_TOLERANCE ETL_MINUTES(10) /* a record dated later is a reject */
#define ETL_FAILED_SPANS_MAX 16		   /* of one run; then the strand stops */
#define ETL_FAILED_OBJECTS_MAX 1000	   /* the same of objects, which have little to do with each other */

/* Where a strand's walk is: a step of job/steps.h, or a place between steps. */
enum etl_place {
	ETL_AT_PLAN = ETL_STEP_PLAN,
	ETL_AT_EXTRACT = ETL_STEP_EXTRACT,
	ETL_AT_DECODE = ETL_STEP_DECODE,
	ETL_AT_TRANSFORM = ETL_STEP_TRANSFORM,
	ETL_AT_CHECK = ETL_STEP_CHECK,
	ETL_AT_LOAD = ETL_STEP_LOAD,
	ETL_AT_COMMIT = ETL_STEP_COMMIT,
	ETL_AT_END = ETL_STEP_FINISH, /* of the strand; the run finishes with its last one */
	ETL_AT_OPEN = ETL_STEP_MAX,   /* a span of windows begins, anew if it has failed */
	ETL_AT_FAILED,		      /* an error decides (run/policy.h) */
	ETL_PLACES
};

/* What a place says when it is done: where the walk goes on, and what it needs before it does. */
struct etl_go {
	enum etl_place to;
	enum etl_need need; /* NOTHING: it goes on at once, on the same worker */
};

static inline struct etl_go etl_go(enum etl_place to)
{
	return (struct etl_go){to, ETL_NEED_NOTHING};
}

static inline struct etl_go etl_go_when(enum etl_need need, enum etl_place to)
{
	return (struct etl_go){to, need};
}

/* What is known of the pages of a span. */
enum etl_input {
	ETL_INPUT_COMES,
	ETL_INPUT_NEXT_PAGE, /* this page ended; strand->request is the next one */
	ETL_INPUT_ENDED,     /* proven: there is no further page */
};

/* What a run's strands share: run->work. */
struct etl_flow {
	struct etl_open_list open; /* when it began; for the first plans of its strands */
	struct etl_tables tables;  /* that its transforms look into */
	struct etl_strand *strands;
};

static inline const struct etl_flow *etl_flow_of(const struct etl_run *run)
{
	return run->work;
}

/* A run of adjacent due windows that are asked for together. */
struct etl_span {
	size_t from, n; /* indexes into the due list */
};

/* What the current span's records say about one of its windows. */
struct etl_window_work {
	struct etl_due_window *due;
	struct etl_counts counts;  /* of what was read for it, and of committed slices */
	struct etl_counts written; /* what the slice at hand did in the target */
	size_t first, n; /* its records in work->slice.sorted */
	size_t bytes;
	etl_wall newest; /* event time of the newest record that came for it, or ETL_NO_TIME */
	char hash[40];
	struct etl_hash_set content; /* of its records, whatever the load is */
	bool same;	/* loaded before with the same content */
	bool unchanged; /* the same, and nobody asked for a comparison: nothing to write */
	bool changed;	/* a slice of it changed the target */
	unsigned parts; /* slices of it that are in, and did not end it */
	/* Rows of the slice at hand whose key an earlier slice of it has, and where the first came. */
	uint64_t repeated, repeated_at;
	bool hold, fail;
	bool judged; /* `fail` is the word of the slice at hand, and goes with it */
	struct etl_held *held; /* which checks hold it, or held it until they were released; NULL = none */
	const char *code; /* of the failure; static */
	char reason[ETL_CHECK_MESSAGE_MAX + 200];
};

/* What a check warns of at one field, of this attempt at the span. */
struct etl_warning {
	size_t check;
	const char *path; /* lent by the options */
	char first[ETL_CHECK_MESSAGE_MAX];
	uint32_t *n; /* for each window; owned */
};

/* What slices that are in told of a window that has not ended: another attempt would tell it again. */
struct etl_slice_notes {
	uint64_t warnings;
	struct etl_tally warned, rejects;
};

struct etl_sorted_record {
	const struct etl_record *record;
	uint32_t window;
	uint32_t order;
};

/* One of the job's loads, with the slice at hand. */
struct etl_load_work {
	struct etl_sink *sink;	   /* NULL = not open */
	bool joined;		   /* its writes are of the store's transaction */
	struct etl_counts written; /* what the slice did in it; kept where there are several loads */
};

/* Rows of the slice at hand that a target has refused after others had taken them. */
struct etl_refused {
	struct etl_batch *rejects; /* NULL = there are none */
	struct etl_refused_row {
		const uint8_t *bson; /* lent by the staged records */
		size_t load;	     /* who refused it */
	} *rows;		     /* of each reject */
	size_t n, cap;
};

/* What is owed, as the last plan found it. */
struct etl_plan_work {
	struct etl_watermark watermark;
	char target[ETL_TARGET_BYTES]; /* of the job; "" = it keeps nothing */
	struct etl_ledger_part ledger;
	struct etl_due_list due;
	size_t lost; /* at its front: what the source no longer has */
	struct etl_span *spans; /* still to do; the next one last */
	size_t n_spans, spans_cap;
};

/* One attempt at a span: from its opening until the next one, or until it is known what follows. */
struct etl_span_work {
	struct etl_vars vars;
	void *source;
	struct etl_decode *decode; /* that makes its records */
	struct etl_decode_shaped shaped; /* by it, as far as it is counted */
	uint64_t pages; /* of the source, the same */
	struct etl_source_env source_env; /* lent to the source until its close */
	void **transforms, **checks;
	struct etl_told {
		uint64_t made, gone;
	} told; /* by the transform at hand */
	struct etl_stage_env stage_env; /* lent to these until their close */
	struct etl_vars stage_vars;
	enum etl_input input;
	enum etl_input then; /* what it is once nothing waits in `decode` */
	bool spilled;	   /* some of this window's records are already in (larger than memory) */
	etl_wall fetched;  /* when the answer came */
	etl_dur used[ETL_STEP_MAX]; /* for the steps' limits */
	struct etl_batch *batch;   /* what decode fills */
	struct etl_batch **staged; /* decoded, transformed, checked; until committed */
	size_t n_staged, staged_cap;
	size_t staged_bytes;
	uint64_t seen; /* those outside are not seen */
	/* What no window of the span owns: records outside, unreadable ones, strays. */
	struct etl_counts loose;
	uint64_t timeless; /* rejects that any window may own */
	uint64_t beyond; /* of those outside, what does not even touch the border of the span */
	etl_wall beyond_first, beyond_last; /* the oldest and the newest of them */
	size_t tallied; /* windows before it have their rejects in the run's tally */
	struct etl_tally spilled_rejects; /* of batches that are let go before the window ends */
	struct etl_warning *warnings;
	size_t n_warnings, warnings_cap;
	struct etl_slice_notes notes;
	struct etl_window_work *windows; /* NULL = no span is open */
	size_t n_windows; /* work->walk.span is the next one's by the time they go */
};

/* What of it is being loaded: all its records in order, and the slice at hand. */
struct etl_slice_work {
	struct etl_sorted_record *sorted;
	size_t n_sorted;
	size_t window_at, record_at; /* where the next slice begins */
	size_t window_to, record_to; /* where this slice ends */
	struct etl_batch *batch;
	struct etl_load_result result; /* of the committing target, and what all refused */
	struct etl_txn *txn;
	struct etl_window *units; /* as the sinks are told of it */
	struct etl_load_work *loads; /* one for each of the job's; NULL = none is open */
	uint8_t *beside; /* of several loads: bits of rows that changed another target */
	struct etl_refused refused;
	struct etl_repeats repeats; /* keys of the slices that are in, of the window that has not ended */
	unsigned attempt;
	etl_mono began;
};

/* The walk itself: what outlives attempts and waits. */
struct etl_walk_work {
	enum etl_place place; /* what is done next */
	bool planned; /* once, or tried to */
	struct etl_span span; /* that is open, or is opened next */
	int64_t attempt; /* of this span, or of the plan, from 1 */
	unsigned failed_spans; /* of the run */
	/* Rows of slices that are in, of the one window that has not ended: a retry finds them
	 * unchanged, but this run wrote them. */
	struct etl_counts partial, before; /* of this attempt too; of those before it */
	const struct etl_due_window *partial_of; /* compared, never looked into */
	etl_mono fetch_began; /* when the request went out, for the step's time */
	etl_dur read;	      /* of the visit: what a blocking source took */
};

/* Four lives, each of which is reset by itself: a plan has many spans, a span several attempts, an
 * attempt several slices; the walk has all of them. */
struct etl_strand_work {
	struct etl_plan_work plan;
	struct etl_span_work span;
	struct etl_slice_work slice;
	struct etl_walk_work walk;
};

/* Each frees what its life holds and zeroes it. */
void etl_plan_reset(struct etl_strand_work *work); /* strand.c; due.from and due.after stay */
void etl_slice_reset(struct etl_strand *strand);   /* slice.c */
void etl_span_reset(struct etl_strand *strand);	   /* span.c; with its slice, request and mail */

/* True if the target is in MongoDB and its data cannot be committed together with the ledger:
 * then a write that was given up may take effect later, over newer data. The ledger's hash
 * proves nothing about the target then, and windows are marked before they are written. */
bool etl_strand_doubts(const struct etl_strand *strand);

/* Frees what a strand holds while it walks. */
void etl_strand_fini(struct etl_strand *strand);

/* The span's window as one interval. */
struct etl_window etl_span_window(const struct etl_strand_work *work);

/* Index in work->span.windows of the window that holds `t`, or -1. */
long etl_span_index(const struct etl_strand_work *work, etl_wall t);

/* flow.c: true if the table lets `to` follow `from`. */
bool etl_walk_may(enum etl_place from, enum etl_place to);

/* stages.c: the instances of transforms and checks for one attempt at a span; close after a failed
 * open, too. */
int etl_stages_open(struct etl_strand *strand, struct etl_error *err);
void etl_stages_close(struct etl_strand *strand);
/* The unit of a record, as struct etl_stage_env has it. */
struct etl_record_unit etl_unit_of(const struct etl_strand *strand, etl_wall time);

/* strand.c: adds to what a step took in this attempt at the span; -1 if that passes its limit. */
int etl_step_charge(struct etl_strand *strand, enum etl_step_id id, etl_dur took,
	struct etl_error *err);
/* Where the walk goes for more of the input: what waits in the decoder, the next page, or the rest of this
 * one. */
struct etl_go etl_go_on_reading(struct etl_strand *strand);

/* span.c */
/* Values of partition and run; no window, no object. */
struct etl_vars etl_span_vars(const struct etl_strand *strand);
/* For an instance of the job's source; `decode` NULL: it only lists. All is lent. */
struct etl_source_env etl_span_source_env(const struct etl_strand *strand, const struct etl_vars *vars,
	struct etl_decode *decode);
struct etl_strand_work *etl_strand_work_new(void); /* stands at PLAN; etl_strand_fini frees it */
/* The next span of the plan: OPEN, or PLAN if it was cut, or END when none is left. */
struct etl_go etl_span_next(struct etl_strand *strand);
/* Of a span that has failed: as above, and what its transfer may still use is kept. */
struct etl_go etl_span_skip(struct etl_strand *strand);
/* Records and what was made of them: they shall not wait for a retry, which reads anew. */
void etl_span_forget_records(struct etl_strand *strand);
/* The first `n` windows of the span are in: it is of the others only. */
void etl_span_cut_front(struct etl_strand *strand, size_t n);

/* The places of the walk, as rows of the table call them. -1 in one of them is etl_go(ETL_AT_FAILED). */
struct etl_go etl_step_plan(struct etl_strand *strand, struct etl_error *err);
struct etl_go etl_span_open(struct etl_strand *strand, struct etl_error *err);
struct etl_go etl_strand_failed(struct etl_strand *strand, struct etl_error *err);
struct etl_go etl_step_decode(struct etl_strand *strand, struct etl_error *err);
struct etl_go etl_step_transform(struct etl_strand *strand, struct etl_error *err);
struct etl_go etl_step_check(struct etl_strand *strand, struct etl_error *err);
struct etl_go etl_step_load(struct etl_strand *strand, struct etl_error *err);
struct etl_go etl_step_commit(struct etl_strand *strand, struct etl_error *err);

/* plan_objects.c: lists the job's objects, and fills the due list with those that are due. */
int etl_plan_objects(struct etl_strand *strand, struct etl_error *err);

/* holes.c: when the run is to look for windows that the ledger has lost: 1 = there are some, and
 * `range` reaches back to its begin; 0; -1. */
int etl_holes_look(struct etl_strand *strand, struct etl_window *range, struct etl_error *err);
/* Adds them to work->plan.ledger as pending ones; it has all entries from the origin on. */
void etl_holes_add(struct etl_strand_work *work, const struct etl_window_rules *rules);

/* upstream.c: keeps of `due` only the windows whose upstream windows are all closed. The
 * number taken out goes to strand->part.windows_blocked, the first reason to strand->part.reason. */
int etl_upstream_filter(struct etl_strand *strand, struct etl_due_list *due,
	struct etl_error *err);

/* loads.c: the job's targets. Opens all that are not open yet. */
int etl_loads_open(struct etl_strand *strand, struct etl_error *err);
void etl_loads_close(struct etl_strand *strand);
/* A fresh slice, or the same one again: what is known to be refused is a reject from the start. */
void etl_loads_cut(struct etl_strand *strand);
int etl_loads_begin(struct etl_strand *strand, struct etl_error *err);
/* The slice into all of them: 0; 1 = the slice is to be done again, without rows that are refused; -1. */
int etl_loads_write(struct etl_strand *strand, struct etl_error *err);
/* Those that are of the transaction, or all others. */
int etl_loads_commit(struct etl_strand *strand, bool joined, struct etl_error *err);
void etl_loads_abort(struct etl_strand *strand); /* those that have begun */
/* The slice is in: what it did in each target counts for the run. */
void etl_loads_count(struct etl_strand *strand, uint64_t unchanged);
void etl_refused_fini(struct etl_refused *refused); /* zeroed, ready to be used again */
void etl_load_result_init(struct etl_load_result *result, size_t n); /* of `n` rows */
void etl_load_result_fini(struct etl_load_result *result);
/* True if all that keep what they get write within the store's transaction. */
bool etl_loads_are_joined(const struct etl_strand *strand);

/* slice.c */
void etl_slice_sort(struct etl_strand *strand);
void etl_slice_cut(struct etl_strand *strand);
/* All records of the slice's windows have come; of a spilled window the rest is still on its way. */
static inline bool etl_slice_ends(const struct etl_strand_work *work)
{
	return work->span.input == ETL_INPUT_ENDED || !work->span.spilled;
}
/* The slice at hand as a sink is told of it; txn NULL. Lent until the next one is cut. */
struct etl_sink_slice etl_slice_tell(struct etl_strand *strand);
/* Without transactions: the windows of the slice are on record as being written (ledger_doubt);
 * a write that was not answered leaves them dirty when they close. */
int etl_slice_doubt(struct etl_strand *strand, struct etl_error *err);
void etl_slice_unanswered(struct etl_strand *strand);
void etl_slice_entry(const struct etl_strand *strand, const struct etl_window_work *window,
	bool whole, struct etl_ledger_entry *out);

/* held.c: bytes that a strand holds: records staged and being decoded, text of a record that is
 * not whole, state of transforms and checks. Worker. */
size_t etl_strand_held(const struct etl_strand *strand);
size_t etl_strand_state_held(const struct etl_strand *strand); /* of transforms and checks alone */

/* -1 with ETL_LIMIT if transforms and checks keep more than a share. */
int etl_strand_judge_state(const struct etl_strand *strand, struct etl_error *err);

/* Sets strand->part.memory to what it needs now; true if that is more than it was granted. */
bool etl_strand_lacks_memory(struct etl_strand *strand);

/* hold.c: a check with on_fail: hold minds something of the window; of each rule the first is kept. */
void etl_hold_note(struct etl_window_work *window, const char *check,
	const struct etl_finding *finding);
/* All is read and hashed: what an operator has released is let in, or why not is told. */
int etl_holds_settle(struct etl_strand *strand, struct etl_error *err);

/* run_checks.c: what checks of the run say of it. 0, or -1: one cannot tell. */
int etl_run_checks(struct etl_run *run, struct etl_error *err);

/* step_commit.c: load and commit of the same slice again, or the error as it is. */
struct etl_go etl_slice_again(struct etl_strand *strand, struct etl_error *err);

/* strand_targets.c: the record of where the windows are, as it is with this commit in. False: it
 * stays as it is. */
bool etl_strand_note_targets(const struct etl_strand *strand, const struct etl_commit *commit,
	struct etl_targets *out);
/* It was loaded before, into another target: the same content is news to the job's. */
bool etl_strand_is_elsewhere(const struct etl_strand *strand, const struct etl_ledger_brief *had);
/* Of the entries that the plan read: which of them are stale. */
void etl_strand_mark_stale(struct etl_strand *strand);
/* From where a plan for stale windows from `from` on reads the ledger. */
etl_wall etl_strand_stale_from(const struct etl_strand *strand, etl_wall from);
/* What the strand's end tells of other targets, from its watermark as it is now. */
void etl_strand_keep_targets(struct etl_strand *strand);

/* Stores the rejects of a batch as dead letters, which are the same ones however often they
 * are stored; before the commit that makes them final. Counts nothing. */
int etl_rejects_store(struct etl_strand *strand, const struct etl_batch *batch,
	struct etl_error *err);
int etl_rejects_store_staged(struct etl_strand *strand, struct etl_error *err);

/* account.c: what a record counts for, once. */
long etl_reject_window(const struct etl_strand_work *work, const struct etl_job *job,
	const struct etl_reject *reject); /* index in work->span.windows, or -1 */
void etl_account_decoded(struct etl_strand *strand, size_t n_rejects);
void etl_account_outside(struct etl_strand *strand, etl_wall t);
/* One that nobody asked for: neither of the span nor of its border. */
void etl_account_beyond(struct etl_strand *strand, etl_wall t);
/* A transform made records, or let some go, of one with this event time. */
void etl_account_told(struct etl_strand *strand, etl_wall time, uint64_t made, uint64_t gone);
void etl_account_flow(struct etl_strand *strand, const struct etl_batch *batch, int sign,
	size_t offset); /* of a member of struct etl_counts: += or -= the batch's records */
/* Rejects of work->span.batch from index `from` on were neither removed nor merged. */
void etl_account_new_rejects(struct etl_strand *strand, size_t from, size_t offset);
void etl_account_rejects(struct etl_strand *strand); /* of work->span.batch, as it is staged */
void etl_account_warning(struct etl_strand *strand, struct etl_window_work *window, size_t check,
	const struct etl_finding *finding);
/* The rejects of a batch into a tally: those of windows from `from` to before `to`, and those
 * that no window owns if `loose`. */
void etl_account_tally(const struct etl_strand *strand, const struct etl_batch *batch, size_t from,
	size_t to, bool loose, struct etl_tally *tally);
/* A window ended: its counts and warnings are the run's. */
void etl_account_window(struct etl_strand *strand, struct etl_window_work *window);
/* Windows of the span up to window_at are in and the rest will be asked for again; or, `all`,
 * the span is over. */
void etl_account_span(struct etl_strand *strand, bool all);
/* The answer came whole, and was refused: what it held counts for windows that stay open. */
void etl_account_refused(struct etl_strand *strand);
void etl_account_partial(struct etl_strand *strand); /* no retry will come */
void etl_account_notes(struct etl_strand *strand); /* no window of the slice goes on */
/* Adds what earlier attempts of this run wrote of a window to the counts of this one. */
void etl_account_before(const struct etl_strand_work *work, const struct etl_window_work *window,
	struct etl_counts *now);
void etl_account_fini(struct etl_span_work *span);   /* what it keeps of an attempt */

/* proof.c: 0, or -1 with what the answer lacks to close the span's windows. After the records
 * are sorted. */
int etl_span_proof(struct etl_strand *strand, struct etl_error *err);
/* The limits of rejects, with what the load refused of the slice: -1 if a window of it is past them. */
int etl_slice_judge(struct etl_strand *strand, struct etl_error *err);
/* A window of which every row was refused fails, whatever the limits say. */
void etl_window_judge(const struct etl_strand *strand, struct etl_window_work *window);
/* True if an error says that all of the answer is refused: halves would be refused too. */
bool etl_span_is_hopeless(const struct etl_error *err);
/* True if it says so of what a whole answer held, which then counts. */
bool etl_span_is_refused(const struct etl_error *err);

#endif
