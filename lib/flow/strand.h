/* SPDX-License-Identifier: MIT
 *
 * What the steps of a strand share. Private to lib/flow: the daemon sees run/run.h.
 */
#ifndef ETL_FLOW_STRAND_H
#define ETL_FLOW_STRAND_H

#include "base/hash.h"
#include "flow/repeats.h"
#include "plan/ledger_part.h"
#include "run/run.h"

#define ETL_SLICE_DOCUMENTS 1000	   /* of one transaction, ledger included (spec.md 5) */
#define ETL_SLICE_OVERHEAD 1		   /* ... and the watermark */
#define ETL_SLICE_BYTES (8 * 1024 * 1024)
#define ETL_SLICE_SECONDS 120		   /* how long one slice is tried again */
#define ETL_FUTURE_TOLERANCE ETL_MINUTES(10) /* a record dated later is a reject */
#define ETL_FAILED_SPANS_MAX 16		   /* of one run; then the strand stops */

/* A run of adjacent due windows that are asked for together. */
struct etl_span {
	size_t from, n; /* indexes into the due list */
};

/* What the current span's records say about one of its windows. */
struct etl_window_work {
	struct etl_due_window *due;
	struct etl_counts counts;  /* of what was read for it, and of committed slices */
	struct etl_counts written; /* what the slice at hand did in the target */
	size_t first, n; /* its records in work->sorted */
	size_t bytes;
	etl_wall newest; /* event time of the newest record that came for it, or ETL_NO_TIME */
	char hash[40];
	bool same;	/* loaded before with the same content */
	bool unchanged; /* the same, and nobody asked for a comparison: nothing to write */
	bool changed;	/* a slice of it changed the target */
	/* Rows of the slice at hand whose key an earlier slice of it has, and where the first came. */
	uint64_t repeated, repeated_at;
	bool hold, fail;
	struct etl_held *held; /* which checks hold it, or held it until they were released; NULL = none */
	const char *code; /* of the failure; static */
	char reason[ETL_CHECK_MESSAGE_MAX + 200];
};

/* The first finding of a rule that warns, of this attempt at the span. */
struct etl_warning {
	const char *path; /* lent by the options */
	char first[ETL_CHECK_MESSAGE_MAX];
};

struct etl_sorted_record {
	const struct etl_record *record;
	uint32_t window;
	uint32_t order;
};

struct etl_strand_work {
	/* plan */
	struct etl_watermark watermark;
	char target[ETL_TARGET_BYTES]; /* of the job; "" = it keeps nothing */
	struct etl_ledger_part ledger;
	struct etl_due_list due;
	size_t lost; /* at its front: what the source no longer has */
	struct etl_span *spans; /* still to do; the next one last */
	size_t n_spans, spans_cap;
	unsigned failed_spans; /* of the run */

	/* the span being walked */
	struct etl_span span;
	struct etl_vars vars;
	int64_t attempt; /* of this span, from 1 */
	void *source;
	struct etl_source_env source_env; /* lent to the source until its close */
	void **transforms, **checks;
	struct etl_stage_env stage_env; /* lent to these until their close */
	struct etl_vars stage_vars;
	bool have_request; /* strand->request is the next page */
	bool input_ended;  /* proven end of pages */
	bool spilled;	   /* some of this window's records are already in (larger than memory) */
	etl_wall fetched;  /* when the answer came */
	etl_mono fetch_began; /* when the request went out, for the step's time */
	etl_dur used[ETL_STEP_MAX]; /* of this attempt at the span, for the steps' limits */
	etl_dur read;		    /* of the visit: what a blocking source took */
	uint64_t begun;		    /* attempts at spans so far */
	struct etl_batch *batch;   /* what decode fills */
	struct etl_batch **staged; /* decoded, transformed, checked; until committed */
	size_t n_staged, staged_cap;
	size_t staged_bytes;
	uint64_t seen; /* of the span; those outside are not seen */
	/* What no window of the span owns: records outside, unreadable ones, strays. */
	struct etl_counts loose;
	uint64_t timeless; /* rejects that any window may own */
	uint64_t beyond; /* of those outside, what does not even touch the border of the span */
	etl_wall beyond_first, beyond_last; /* the oldest and the newest of them */
	size_t tallied; /* windows before it have their rejects in the run's tally */
	struct etl_tally spilled_rejects; /* of batches that are let go before the window ends */
	uint32_t *warned; /* for each window and check, how often it warned; NULL = never */
	struct etl_warning *warnings; /* one for each check, with `warned` */
	/* Rows of slices that are in, of the one window that has not ended: a retry finds them
	 * unchanged, but this run wrote them. */
	struct etl_counts partial;
	etl_wall partial_of;
	struct etl_repeats repeats; /* keys of the slices of this attempt that are in, of that window */
	struct etl_window_work *windows;
	size_t span_windows; /* how many they are; `span` is the next one's by the time they go */

	/* the slice being loaded */
	struct etl_sorted_record *sorted;
	size_t n_sorted;
	size_t window_at, record_at; /* where the next slice begins */
	size_t window_to, record_to; /* where this slice ends */
	struct etl_batch *slice;
	struct etl_load_result result;
	struct etl_txn *txn;
	void *sink;
	unsigned slice_attempt;
	etl_mono slice_began;

	enum etl_step_id resume; /* where to go on after a wait */
	bool restart;		 /* begin the span again after the wait */
};

/* What a worker step of a strand says when it returns. */
enum etl_go {
	ETL_GO_NEXT,  /* on to the next step of the table */
	ETL_GO_INPUT, /* back to decode, when there is more input */
	ETL_GO_FETCH, /* back to extract, with a new request */
	ETL_GO_MEMORY, /* this step again, when there is memory for it */
	ETL_GO_LOAD,  /* back to load: the next slice, or the same one again */
	ETL_GO_WAIT,  /* back to where strand->work->resume says, after strand->wait */
	ETL_GO_END,   /* this strand has nothing left to do */
	ETL_GO_FAIL,  /* the error decides (policy.h) */
};

/* The span's window as one interval. */
struct etl_window etl_span_window(const struct etl_strand_work *work);

/* Index in work->windows of the window that holds `t`, or -1. */
long etl_span_index(const struct etl_strand_work *work, etl_wall t);

/* stages.c: the instances of transforms and checks for one attempt at a span; close after a failed
 * open, too. */
int etl_stages_open(struct etl_strand *strand, struct etl_error *err);
void etl_stages_close(struct etl_strand *strand);
/* The unit of a record, as struct etl_stage_env has it. */
struct etl_record_unit etl_unit_of(const struct etl_strand *strand, etl_wall time);

/* flow.c: adds to what a step took in this attempt at the span; -1 if that passes its limit. */
int etl_step_charge(struct etl_strand *strand, enum etl_step_id id, etl_dur took,
	struct etl_error *err);

/* step_plan.c */
enum etl_go etl_step_plan(struct etl_strand *strand, struct etl_error *err);
/* span.c: opens the next span: instances, first request. GO_END when none is left. */
enum etl_go etl_span_next(struct etl_strand *strand, struct etl_error *err);
enum etl_go etl_span_begin(struct etl_strand *strand, struct etl_error *err);
void etl_span_close(struct etl_strand *strand);
/* span.c: an error ended the span's walk; the policy decides what follows. */
enum etl_need etl_span_failed(struct etl_strand *strand, struct etl_error *err);

enum etl_go etl_step_decode(struct etl_strand *strand, struct etl_error *err);
enum etl_go etl_step_transform(struct etl_strand *strand, struct etl_error *err);
enum etl_go etl_step_check(struct etl_strand *strand, struct etl_error *err);
enum etl_go etl_step_load(struct etl_strand *strand, struct etl_error *err);
enum etl_go etl_step_commit(struct etl_strand *strand, struct etl_error *err);

/* holes.c: when the run is to look for windows that the ledger has lost: 1 = there are some, and
 * `range` reaches back to its begin; 0; -1. */
int etl_holes_look(struct etl_strand *strand, struct etl_window *range, struct etl_error *err);
/* Adds them to work->ledger as pending ones; it has all entries from the origin on. */
void etl_holes_add(struct etl_strand_work *work, const struct etl_window_rules *rules);

/* upstream.c: keeps of `due` only the windows whose upstream windows are all closed. The
 * number taken out goes to strand->windows_blocked, the first reason to strand->reason. */
int etl_upstream_filter(struct etl_strand *strand, struct etl_due_list *due,
	struct etl_error *err);

/* slice.c */
void etl_slice_sort(struct etl_strand *strand);
void etl_load_result_fini(struct etl_load_result *result);
void etl_slice_cut(struct etl_strand *strand);
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

/* Sets strand->memory to what it needs now; true if that is more than it was granted. */
bool etl_strand_lacks_memory(struct etl_strand *strand);

/* hold.c: a check with on_fail: hold minds something of the window; of each rule the first is kept. */
void etl_hold_note(struct etl_window_work *window, const char *check,
	const struct etl_finding *finding);
/* All is read and hashed: what an operator has released is let in, or why not is told. */
int etl_holds_settle(struct etl_strand *strand, struct etl_error *err);

/* step_commit.c: load and commit of the same slice again, or the error as it is. */
enum etl_go etl_slice_again(struct etl_strand *strand, struct etl_error *err);

/* strand_targets.c: the record of where the windows are, as it is with this commit in. False: it
 * stays as it is. */
bool etl_strand_note_targets(const struct etl_strand *strand, const struct etl_commit *commit,
	struct etl_targets *out);
/* It was loaded before, into another target: the same content is news to the job's. */
bool etl_strand_is_elsewhere(const struct etl_strand_work *work, struct etl_window window);
/* What the strand's end tells of other targets, from its watermark as it is now. */
void etl_strand_keep_targets(struct etl_strand *strand);

/* Stores the rejects of a batch as dead letters, which are the same ones however often they
 * are stored; before the commit that makes them final. Counts nothing. */
int etl_rejects_store(struct etl_strand *strand, const struct etl_batch *batch,
	struct etl_error *err);
int etl_rejects_store_staged(struct etl_strand *strand, struct etl_error *err);

/* account.c: what a record counts for, once. */
long etl_reject_window(const struct etl_strand_work *work, const struct etl_job *job,
	const struct etl_reject *reject); /* index in work->windows, or -1 */
void etl_account_decoded(struct etl_strand *strand, size_t n_rejects);
void etl_account_outside(struct etl_strand *strand, etl_wall t);
/* One that nobody asked for: neither of the span nor of its border. */
void etl_account_beyond(struct etl_strand *strand, etl_wall t);
void etl_account_flow(struct etl_strand *strand, const struct etl_batch *batch, int sign,
	size_t offset); /* of a member of struct etl_counts: += or -= the batch's records */
/* Rejects of work->batch from index `from` on were neither removed nor merged. */
void etl_account_new_rejects(struct etl_strand *strand, size_t from, size_t offset);
void etl_account_rejects(struct etl_strand *strand); /* of work->batch, as it is staged */
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
void etl_account_reset(struct etl_strand *strand);   /* a new attempt at a span */

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
