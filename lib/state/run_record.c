/* SPDX-License-Identifier: MIT
 *
 * A run's record -> its document, and the row of those.
 *
 * A run's record is written when it starts (state "running") and again when it ends, replaced
 * whole. It is what `etlctl runs` and `etlctl show ID` print:
 *
 *   {_id: <run id>, job: "orders", trigger: "schedule", state: "ok", reason: "",
 *    host: "a", generation: 3, fence: 8, attempt: 1, slot: <00:20>,
 *    started: ..., ended: ..., duration_ms: 5120, counts: {...}, windows: {...},
 *    steps: [{name: "extract", visits: 3, duration_us: 40311}, ...],
 *    partitions: [{partition: "eu", state: "ok", windows: {...}, counts: {...}, ...}]}
 *
 * Nothing is decided by it: a record that is lost with MongoDB unreachable loses history, not data.
 * Nothing reads it back into a struct here, the answers are made from the document.
 */
#include "state/run_record.h"

#include <stdio.h>

#include "state/ledger_doc.h"

static void append_text(bson_t *out, const char *field, const char *text)
{
	bson_append_utf8(out, field, -1, text ? text : "", -1);
}

/* Of a run that has listed objects: what it did not read. */
static void append_objects(bson_t *out, uint64_t missing, uint64_t waiting)
{
	if (missing || waiting)
		BCON_APPEND(out, "objects", "{", "missing", BCON_INT64((int64_t)missing), "waiting",
			BCON_INT64((int64_t)waiting), "}");
}

/* Time is summed over partitions, which run side by side: the sum may be more than the run took. */
static void append_steps(bson_t *out, const struct etl_run_record *run)
{
	bson_t list, one;
	char key[16];

	BSON_APPEND_ARRAY_BEGIN(out, "steps", &list);
	for (size_t i = 0; i < run->n_steps && i < ETL_RUN_STEPS_MAX; i++) {
		snprintf(key, sizeof key, "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
		append_text(&one, "name", run->steps[i].name);
		BSON_APPEND_INT64(&one, "visits", (int64_t)run->steps[i].visits);
		BSON_APPEND_INT64(&one, "duration_us", run->steps[i].busy.us);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
}

/* Error kind, code and HTTP status are apart from the reason so that a query can count them. */
static void append_partition(bson_t *one, const struct etl_run_partition *p)
{
	append_text(one, "partition", p->partition);
	append_text(one, "state", p->state);
	etl_window_counts_append(one, &p->windows);
	append_objects(one, p->missing, p->waiting);
	etl_counts_append(one, "counts", &p->counts);
	BSON_APPEND_INT64(one, "warnings", (int64_t)p->warnings);
	append_text(one, "reason", p->reason);
	append_text(one, "error_kind", p->error_kind);
	append_text(one, "error_code", p->error_code);
	BSON_APPEND_INT32(one, "http_status", p->http_status);
	BSON_APPEND_INT64(one, "requests", (int64_t)p->requests);
	BSON_APPEND_INT64(one, "bytes", (int64_t)p->bytes);
	if (p->pages)
		BSON_APPEND_INT64(one, "pages", (int64_t)p->pages);
}

static void append_partitions(bson_t *out, const struct etl_run_record *run)
{
	bson_t list, one;
	char key[24];

	BSON_APPEND_ARRAY_BEGIN(out, "partitions", &list);
	for (size_t i = 0; i < run->n_partitions; i++) {
		snprintf(key, sizeof key, "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
		append_partition(&one, &run->partitions[i]);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
}

/* Only for a run that loads to several; for one the run's own counts say it. */
static void append_targets(bson_t *out, const struct etl_run_record *run)
{
	bson_t list, one;
	char key[24];

	if (!run->n_targets)
		return;
	BSON_APPEND_ARRAY_BEGIN(out, "targets", &list);
	for (size_t i = 0; i < run->n_targets; i++) {
		const struct etl_counts *c = &run->targets[i].counts;

		snprintf(key, sizeof key, "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
		append_text(&one, "name", run->targets[i].name);
		BSON_APPEND_INT64(&one, "inserted", (int64_t)c->inserted);
		BSON_APPEND_INT64(&one, "updated", (int64_t)c->updated);
		BSON_APPEND_INT64(&one, "unchanged", (int64_t)c->unchanged);
		BSON_APPEND_INT64(&one, "overwritten", (int64_t)c->overwritten);
		BSON_APPEND_INT64(&one, "stale", (int64_t)c->stale);
		BSON_APPEND_INT64(&one, "rejected", (int64_t)c->rejected);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
}

/* Before the counts: what reshape made of the answers' records. */
static void append_reshape(bson_t *out, const struct etl_run_record *run)
{
	bson_t sub;

	if (!run->unfolded && !run->folded)
		return;
	BSON_APPEND_DOCUMENT_BEGIN(out, "reshape", &sub);
	BSON_APPEND_INT64(&sub, "unfolded", (int64_t)run->unfolded);
	BSON_APPEND_INT64(&sub, "folded", (int64_t)run->folded);
	bson_append_document_end(out, &sub);
}

static void append_verdicts(bson_t *out, const struct etl_run_record *run)
{
	bson_t list, one;
	char key[24];

	if (!run->n_verdicts)
		return;
	BSON_APPEND_ARRAY_BEGIN(out, "verdicts", &list);
	for (size_t i = 0; i < run->n_verdicts; i++) {
		snprintf(key, sizeof key, "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
		append_text(&one, "check", run->verdicts[i].check);
		append_text(&one, "verdict", run->verdicts[i].verdict);
		append_text(&one, "message", run->verdicts[i].message);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
}

/* Slots that were decided without a run before this one, and why (`code`): after an hour's
 * standstill of a job every ten minutes "first 00:10, last 00:50, slots 5". */
static void append_passed_over(bson_t *out, const struct etl_run_record *run)
{
	bson_t sub;

	if (!run->passed_over.last.ms)
		return;
	BSON_APPEND_DOCUMENT_BEGIN(out, "passed_over", &sub);
	BSON_APPEND_DATE_TIME(&sub, "first", run->passed_over.first.ms);
	BSON_APPEND_DATE_TIME(&sub, "last", run->passed_over.last.ms);
	BSON_APPEND_INT64(&sub, "slots", (int64_t)run->passed_over.slots);
	append_text(&sub, "code", run->passed_over.code);
	bson_append_document_end(out, &sub);
}

/* The range that an operator has asked for; a run by schedule asks for none. */
static void append_asked(bson_t *out, const struct etl_window *w)
{
	bson_t sub;

	if (w->start.ms == w->end.ms)
		return;
	BSON_APPEND_DOCUMENT_BEGIN(out, "window", &sub);
	BSON_APPEND_DATE_TIME(&sub, "start", w->start.ms);
	BSON_APPEND_DATE_TIME(&sub, "end", w->end.ms);
	bson_append_document_end(out, &sub);
}

/* `run_id` stands beside `_id` because letters and entries call it so, and one query then does for
 * all. What is unknown is left out and not stored as 0 or "": a run without an end has no `ended`,
 * which also keeps the TTL index from removing it. */
void etl_run_record_to_bson(const struct etl_run_record *run, bson_t *out)
{
	append_text(out, "_id", run->run_id);
	append_text(out, "run_id", run->run_id);
	append_text(out, "job", run->job);
	append_text(out, "trigger", run->trigger);
	append_text(out, "state", run->state);
	append_text(out, "reason", run->reason);
	if (run->code && *run->code)
		append_text(out, "code", run->code);
	if (run->cause && *run->cause)
		append_text(out, "cause", run->cause);
	append_text(out, "host", run->host);
	BSON_APPEND_INT64(out, "generation", run->generation);
	BSON_APPEND_INT64(out, "fence", run->fence);
	BSON_APPEND_INT64(out, "attempt", run->attempt);
	if (run->slot.ms)
		BSON_APPEND_DATE_TIME(out, "slot", run->slot.ms);
	if (run->slot_first.ms)
		BSON_APPEND_DATE_TIME(out, "slot_first", run->slot_first.ms);
	if (run->slots)
		BSON_APPEND_INT64(out, "slots", (int64_t)run->slots);
	BSON_APPEND_DATE_TIME(out, "started", run->started.ms);
	if (run->ended.ms) {
		BSON_APPEND_DATE_TIME(out, "ended", run->ended.ms);
		BSON_APPEND_INT64(out, "duration_ms", etl_dur_ms(run->took));
	}
	append_passed_over(out, run);
	append_asked(out, &run->window);
	append_reshape(out, run);
	etl_counts_append(out, "counts", &run->counts);
	if (*run->target)
		append_text(out, "target", run->target);
	append_targets(out, run);
	etl_window_counts_append(out, &run->windows);
	append_objects(out, run->missing, run->waiting);
	BSON_APPEND_INT64(out, "warnings", (int64_t)run->warnings);
	if (run->warned)
		etl_tally_append(out, "warned", run->warned);
	append_verdicts(out, run);
	if (run->rejects)
		etl_tally_append(out, "rejects", run->rejects);
	append_steps(out, run);
	append_partitions(out, run);
}

static void encode(const void *thing, bson_t *out)
{
	etl_run_record_to_bson(thing, out);
}

const struct etl_collection etl_runs = {
	.name = "runs",
	.newest_by = "started",
	.indexes = {
		{"job_started", {{"job", 1}, {"started", -1}}},
		{"started", {{"started", -1}}},
		{"keep", {{"ended", 1}}, .keep_days = 90},
	},
	.encode = encode,
};

/* `job` NULL is all jobs; the newest first. */
int etl_run_list(struct etl_state *s, const char *job, int limit, etl_doc_fn fn, void *ctx,
	struct etl_error *err)
{
	const struct etl_doc_query query = {.equal = {{"job", job}}, .limit = limit};

	return s->ops->list(s, &etl_runs, &query, fn, ctx, err);
}
