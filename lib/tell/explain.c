/* SPDX-License-Identifier: MIT
 *
 * Reads what etl_why_* tell of. Plans with the very functions of a run and writes nothing, not
 * even a watermark that a first run would make.
 *
 * The law of explaining: what is due, lost or blocked is asked of the functions that a run asks,
 * with the same ledger, watermark and "now". Example: an operator wonders why 13:00 is not loaded.
 * A second rule here, "due if its end lies behind now", would say "due"; the plan says that it
 * settles until 14:10, and so does the answer. A rule that changes changes both.
 */
#include "tell/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "flow/upstream.h"
#include "plan/ledger_part.h"

/* Changes of a partition that are looked through for the one that touched a window: years of an
 * operator's work. */
#define CHANGES_SEARCHED 500

/* ---- planning ------------------------------------------------------------------------------ */

/* A plan as a run would make it now, of one partition, list after list. */
struct look {
	struct etl_state *state;
	const struct etl_job *job;
	const struct etl_partition *partition;
	etl_wall now;
	struct etl_watermark mark;
	bool has_mark;
	struct etl_ledger_part ledger;
	struct etl_due_list due;
};

/* The ledger is read as far as a plan would look, not as far as it goes: a job of ten years is
 * explained as fast as a new one. */
static int look_open(struct look *look, struct etl_error *err)
{
	const struct etl_window_rules *rules = &look->job->window;
	struct etl_window range;
	int found = look->state->ops->watermark_get(look->state, look->job->name, look->partition->name,
		&look->mark, err);

	if (found < 0)
		return -1;
	look->has_mark = found;
	if (!found && !rules->none) /* the watermark that the claim of the first run makes */
		look->mark = (struct etl_watermark){.origin = rules->grid.start,
			.processed = rules->grid.start, .window_ms = etl_window_longest_ms(rules)};
	range = etl_window_scan_range(rules, &look->mark, look->now);
	return etl_ledger_part_read(&look->ledger, look->state, look->job->name, look->partition->name,
		&range, NULL, err);
}

/* Plans the next list; false when there is none. A plan is cut at ETL_DUE_MAX windows, so a
 * window that is far ahead is found in a later list. */
static bool look_plan(struct look *look)
{
	bool first = !look->due.windows && !look->due.more;

	if (!first && !look->due.more)
		return false;
	if (!first)
		look->due.from = look->due.more_from;
	etl_window_plan(&look->job->window, &look->mark, look->now, look->ledger.entries, look->ledger.n,
		NULL, &look->due);
	return look->due.n > 0;
}

/* Also of a look that failed halfway. */
static void look_close(struct look *look)
{
	free(look->ledger.entries);
	etl_due_list_fini(&look->due);
}

/* ---- what is waited for -------------------------------------------------------------------- */

/* Follows a window to what it waits for, and that to what it waits for in turn, at most
 * ETL_WHY_LINKS long: the last link is the one that an operator can do something about.
 * Example: `report` of 1 May waits for `daily` of 1 May, which waits for `hourly` of 13:00,
 * whose source is down. */
static int follow(struct etl_state *state, const struct etl_job *job,
	const struct etl_partition *partition, struct etl_window window, etl_wall now,
	struct etl_why_link *links, size_t *n, struct etl_error *err)
{
	struct etl_upstream_hole hole;

	for (*n = 0; *n < ETL_WHY_LINKS && job->n_upstream; (*n)++) {
		struct etl_why_link *link = &links[*n];
		int ready = etl_upstream_hole(state, job, partition->name, &window, &hole, err);

		if (ready < 0)
			return -1;
		if (ready)
			break;
		*link = (struct etl_why_link){.job = hole.job, .partition = hole.partition,
			.window = hole.window,
			.is_final = etl_window_is_final(&hole.job->window, hole.window, now)};
		etl_text_copy(link->why, sizeof link->why, hole.why);
		job = hole.job;
		partition = hole.partition;
		window = hole.window;
	}
	return 0;
}

/* ---- a window ------------------------------------------------------------------------------ */

/* The entry of exactly this window: one of an older window size overlaps it and is another one. */
static int keep_entry(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct etl_why_window *out = ctx;

	(void)err;
	if (entry->window.start.ms == out->window.start.ms && entry->window.end.ms == out->window.end.ms) {
		out->entry = *entry;
		out->has_entry = true;
	}
	return 0;
}

/* The newest change that touched the entry is named by the entry itself; among the last
 * CHANGES_SEARCHED it is looked for. */
static int keep_change(void *ctx, const void *thing)
{
	const struct etl_change *change = thing;
	struct etl_why_window *out = ctx;

	if (!etl_streq(change->id, out->entry.change_id))
		return 0;
	etl_text_copy(out->change_kind, sizeof out->change_kind, etl_change_kind_word(change->kind));
	etl_text_copy(out->change_who, sizeof out->change_who, change->who);
	etl_text_copy(out->change_why, sizeof out->change_why, change->why);
	out->change_at = change->at;
	return 1;
}

/* All entries, those without a state of their own too: a mark alone is something that can be told.
 */
static int read_ledger(struct look *look, struct etl_why_window *out, struct etl_error *err)
{
	struct etl_state *state = look->state;
	struct etl_window range = out->window;
	struct etl_change_query query = {.job = look->job->name, .partition = look->partition->name,
		.limit = CHANGES_SEARCHED};

	if (look->job->window.none) /* [-1, 1) overlaps the one entry, [0, 0) */
		range = (struct etl_window){{-1}, {1}};
	if (state->ops->ledger_scan(state, look->job->name, look->partition->name, &range, ETL_LEDGER_ALL,
		    keep_entry, out, err) < 0)
		return -1;
	if (!out->has_entry || !*out->entry.change_id)
		return 0;
	return etl_change_list(state, &query, keep_change, out, err) < 0 ? -1 : 0;
}

/* The lists are walked to the end instead of asking about the window alone, so that the answer
 * is the plan's own. */
static const struct etl_due_window *find_due(struct look *look, struct etl_window window)
{
	while (look_plan(look))
		for (size_t i = 0; i < look->due.n; i++)
			if (look->due.windows[i].window.start.ms == window.start.ms)
				return &look->due.windows[i];
	return NULL;
}

/* Lost is told beside due: the next run gives such a window up, which is done by a plan like
 * loading it. */
static int judge(struct look *look, struct etl_why_window *out, struct etl_error *err)
{
	const struct etl_due_window *due = find_due(look, out->window);

	if (!due)
		return 0;
	out->lost = etl_window_is_gone(&look->job->window, out->window, look->now);
	/* data that is loaded stays, although the source keeps it no more */
	if (out->lost && etl_window_is_closed(due->had.state)) {
		out->lost = false;
		return 0;
	}
	out->due = true;
	out->why = due->why;
	return follow(look->state, look->job, look->partition, out->window, look->now, out->links,
		&out->n_links, err);
}

/* One partition at a time: whoever asks about several calls it for each. */
int etl_explain_window(struct etl_state *state, const struct etl_job *job,
	const struct etl_partition *partition, struct etl_window window, etl_wall now,
	struct etl_why_window *out, struct etl_error *err)
{
	struct look look = {.state = state, .job = job, .partition = partition, .now = now};
	int rc;

	out->job = job;
	out->window = window;
	out->now = now;
	out->definition = partition->definition;
	rc = look_open(&look, err);
	out->has_mark = look.has_mark;
	out->mark = look.mark;
	if (rc == 0)
		rc = read_ledger(&look, out, err);
	if (rc == 0)
		rc = judge(&look, out, err);
	look_close(&look);
	return rc;
}

/* ---- an object ------------------------------------------------------------------------------ */

static int keep_object(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct etl_why_window *out = ctx;

	(void)err;
	if (!etl_streq(entry->object.name, out->object))
		return 0;
	out->entry = *entry;
	out->entry.object.name = out->object;
	out->window = entry->window;
	out->has_entry = true;
	return 0;
}

int etl_explain_object(struct etl_state *state, const struct etl_job *job,
	const struct etl_partition *partition, const char *name, etl_wall now, struct etl_why_window *out,
	struct etl_error *err)
{
	struct etl_change_query query = {.job = job->name, .partition = partition->name,
		.limit = CHANGES_SEARCHED};

	out->job = job;
	out->now = now;
	out->object = name;
	if (state->ops->ledger_objects(state, job->name, partition->name, name, 1, keep_object, out, err) < 0)
		return -1;
	if (!out->has_entry || !*out->entry.change_id)
		return 0;
	return etl_change_list(state, &query, keep_change, out, err) < 0 ? -1 : 0;
}

/* ---- a job --------------------------------------------------------------------------------- */

/* Windows that are read again by rule (lookback, re-read) owe nothing: their data is in. Only
 * the first window of a partition is asked what it waits for, and only until one is found to
 * wait: each such question reads the ledger of other jobs. */
static int add_owed(struct look *look, struct etl_why_owed *out, struct etl_error *err)
{
	bool first = true;

	if (!look_plan(look))
		return 0;
	for (size_t i = 0; i < look->due.n; i++) {
		const struct etl_due_window *due = &look->due.windows[i];

		if (due->why == ETL_DUE_AGAIN && !look->job->window.none)
			continue;
		out->n++;
		if (!first)
			continue;
		first = false;
		out->partitions++;
		if (!out->of || due->window.start.ms < out->oldest.start.ms) {
			out->oldest = due->window;
			out->of = look->partition;
		}
		if (out->n_links || !look->job->n_upstream)
			continue;
		out->blocked = due->window;
		out->blocked_of = look->partition;
		if (follow(look->state, look->job, look->partition, due->window, look->now, out->links,
			    &out->n_links, err) < 0)
			return -1;
	}
	out->more |= look->due.more;
	return 0;
}

struct open_objects {
	const struct etl_job *job;
	struct etl_why_owed *out;
};

static int add_open(void *ctx, const struct etl_open_sum *sum)
{
	struct open_objects *o = ctx;
	const struct etl_partition *partition = etl_job_partition(o->job, sum->partition);

	if (sum->size_ms || !partition)
		return 0;
	if (!o->out->n || sum->oldest.ms < o->out->oldest.start.ms) {
		o->out->oldest = (struct etl_window){sum->oldest, sum->oldest};
		o->out->of = partition;
	}
	o->out->partitions += !o->out->n || partition != o->out->of;
	o->out->n += sum->n;
	return 0;
}

/* Twenty partitions at most, in the job's order: a job of a thousand is told as "in the first 20 of
 * its 1,000". */
int etl_explain_owed(struct etl_state *state, const struct etl_job *job, etl_wall now,
	struct etl_why_owed *out, struct etl_error *err)
{
	struct open_objects open = {job, out};
	int rc = 0;

	*out = (struct etl_why_owed){.all = job->n_partitions};
	if (job->window.object) { /* what is new only a listing knows */
		out->looked = out->all;
		return state->ops->open_sums(state, job->name, NULL, add_open, &open, err);
	}
	for (size_t i = 0; rc == 0 && i < job->n_partitions && i < ETL_EXPLAIN_PARTITIONS; i++) {
		struct look look = {.state = state, .job = job, .partition = &job->partitions[i], .now = now};

		out->looked++;
		rc = look_open(&look, err);
		if (rc == 0)
			rc = add_owed(&look, out, err);
		look_close(&look);
	}
	return rc;
}

/* ---- a run --------------------------------------------------------------------------------- */

/* Documents of other versions may lack a field or hold another type: that reads as not known. */
static const char *text_in(const bson_t *doc, const char *path)
{
	bson_iter_t iter, at;

	return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) &&
			BSON_ITER_HOLDS_UTF8(&at) ?
		bson_iter_utf8(&at, NULL) : "";
}

static etl_wall time_in(const bson_t *doc, const char *path)
{
	bson_iter_t iter, at;

	if (bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) &&
		BSON_ITER_HOLDS_DATE_TIME(&at))
		return (etl_wall){bson_iter_date_time(&at)};
	return (etl_wall){0};
}

static uint64_t count_in(const bson_t *doc, const char *path)
{
	bson_iter_t iter, at;

	return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) ?
		(uint64_t)bson_iter_as_int64(&at) : 0;
}

/* A rule of a newer etld is not known here: ETL_SKIP_MAX, which is told without a setting. */
static enum etl_skip_code code_of(const char *word)
{
	enum etl_skip_code code;

	return etl_skip_parse(word, &code) ? code : ETL_SKIP_MAX;
}

/* From the document and not from a run: a run that ended on another host is explained as well as
 * one of ours. */
void etl_explain_run(const bson_t *record, struct etl_why_run *out)
{
	*out = (struct etl_why_run){
		.run_id = text_in(record, "run_id"),
		.job = text_in(record, "job"),
		.state = text_in(record, "state"),
		.reason = text_in(record, "reason"),
		.host = text_in(record, "host"),
		.trigger = text_in(record, "trigger"),
		.cause = text_in(record, "cause"),
		.code = text_in(record, "code"),
		.slot = time_in(record, "slot"),
		.slot_first = time_in(record, "slot_first"),
		.started = time_in(record, "started"),
		.ended = time_in(record, "ended"),
		.slots = count_in(record, "slots"),
		.asked = {time_in(record, "window.start"), time_in(record, "window.end")},
		.passed_over = {time_in(record, "passed_over.first"), time_in(record, "passed_over.last"),
			count_in(record, "passed_over.slots"), code_of(text_in(record, "passed_over.code"))},
		.windows_failed = count_in(record, "windows.failed"),
		.windows_lost = count_in(record, "windows.unrecoverable"),
		.rejected = count_in(record, "counts.rejected"),
		.windows_held = count_in(record, "windows.held"),
	};
}
