/* SPDX-License-Identifier: MIT
 *
 * Runs, Show, Windows: a worker asks MongoDB, the loop answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/uuid.h"
#include "methods/methods.h"
#include "state/doc_read.h"
#include "time/civil.h"

/* A question about the store: parameters are copied, the generation is held. */
struct store_query {
	struct etld_query query;
	struct etld_generation *generation;
	const struct etl_job *job; /* NULL = all jobs */
	const struct etl_partition *partition; /* NULL = all */
	char *text; /* run id or state */
	struct etl_window range;
	bool all, failed_only;
	int64_t limit;
	/* of windows, while a partition is walked */
	struct etl_json *list, *summary;
	size_t listed;
	bool truncated;
};

#define WINDOWS_MAX 2000
#define RUNS_SEARCHED 5000

static void store_free(struct etld_query *query)
{
	struct store_query *q = (struct store_query *)query;

	etld_generation_unref(q->generation);
	free(q->text);
	free(q);
}

static struct store_query *query_new(struct etld_request *request, const char *schema)
{
	struct store_query *q = ETL_NEW(struct store_query);

	q->generation = etld_generation_ref(request->etld->generation);
	q->query.free = store_free;
	q->query.reply = etld_reply_object(request->etld, schema);
	q->limit = etl_json_int(request->parameters, "limit", 20);
	return q;
}

/* ---- runs ----------------------------------------------------------------------------------- */

static bool is_failed(const bson_t *run)
{
	static const char *const fine[] = {"ok", "running", "skipped"};
	const char *state = etl_doc_text(run, "state");

	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
		if (etl_streq(fine[i], state))
			return false;
	return true;
}

static int keep_run(void *ctx, const bson_t *run)
{
	struct store_query *q = ctx;

	if (q->failed_only && !is_failed(run))
		return 0;
	if (q->listed == (size_t)q->limit)
		return -1; /* enough */
	q->listed++;
	etl_json_add_item(q->list, NULL, etld_json_of_bson(run));
	return 0;
}

static void runs_work(struct etld_task *task)
{
	struct store_query *q = (struct store_query *)task;
	struct etl_state *state = q->query.etld->state;

	etld_on_worker();
	q->list = etl_json_add_array(q->query.reply, "runs");
	state->ops->run_list(state, q->job ? q->job->name : NULL,
		q->failed_only ? RUNS_SEARCHED : (int)q->limit, keep_run, q, &q->query.error);
}

void etld_handle_runs(struct etld_request *request)
{
	struct etld_job *job = NULL;
	struct store_query *q;

	if (etl_json_get(request->parameters, "job") && !(job = etld_request_job(request)))
		return;
	if (!etld_request_ready(request))
		return;
	q = query_new(request, "etl.runs/1");
	q->job = job ? job->job : NULL;
	q->failed_only = etl_json_bool(request->parameters, "failed", false);
	etld_query_submit(&q->query, request, runs_work);
}

/* ---- show ----------------------------------------------------------------------------------- */

struct search {
	const char *text;
	bson_t *out;
	size_t n;
};

static int match_run(void *ctx, const bson_t *run)
{
	struct search *search = ctx;

	if (etl_uuid_matches(etl_doc_text(run, "run_id"), search->text) && ++search->n == 1)
		bson_copy_to(run, search->out);
	return 0;
}

int etld_run_find(struct etl_state *state, const char *id, bson_t *out, struct etl_error *err)
{
	struct search search = {id, out, 0};
	int found = state->ops->run_get(state, id, out, err);

	if (found)
		return found < 0 ? -1 : 0;
	if (state->ops->run_list(state, NULL, RUNS_SEARCHED, match_run, &search, err) == 0 && search.n == 1)
		return 0;
	if (search.n)
		bson_destroy(out);
	if (err->kind != ETL_OK)
		return -1;
	if (!search.n)
		return etl_error_set(err, ETL_PERMANENT, "no_such_run", "no run has the id '%s'", id);
	return etl_error_set(err, ETL_PERMANENT, "no_such_run", "%zu runs begin or end with '%s'", search.n,
		id);
}

#define DECISIONS_LOOKED 50 /* the newest of the job */

struct decided {
	struct etl_json *list;
	const struct etl_job *job; /* NULL = it is not configured any more */
	const char *run_id;
};

static int add_decision(void *ctx, const struct etl_change *change)
{
	const struct decided *d = ctx;
	struct etl_json *item;

	if (!etl_change_is_decision(change->kind) || *change->undone_by ||
		!etl_streq(change->run_id, d->run_id))
		return 0;
	item = etl_json_add_object(d->list, NULL);
	etl_json_add_text(item, "decision", etl_change_kind_word(change->kind));
	etld_json_partition(item, d->job, change->partition);
	etld_json_time(item, "start", change->unit.start);
	etld_json_time(item, "at", change->at);
	etl_json_add_text(item, "who", change->who);
	etl_json_add_text(item, "reason", change->why);
	return 0;
}

/* What operators have decided since about units that this run left. */
static void add_decisions(struct store_query *q, const bson_t *run)
{
	struct etl_state *state = q->query.etld->state;
	struct etl_change_query query = {.job = etl_doc_text(run, "job"), .limit = DECISIONS_LOOKED};
	struct decided d = {etl_json_add_array(q->query.reply, "decisions"),
		etld_generation_job(q->generation, query.job), etl_doc_text(run, "run_id")};

	state->ops->change_list(state, &query, add_decision, &d, &q->query.error);
}

static void show_work(struct etld_task *task)
{
	struct store_query *q = (struct store_query *)task;
	bson_t run;

	etld_on_worker();
	if (etld_run_find(q->query.etld->state, q->text, &run, &q->query.error) < 0)
		return;
	etl_json_add_item(q->query.reply, "run", etld_json_of_bson(&run));
	add_decisions(q, &run);
	bson_destroy(&run);
}

void etld_handle_show(struct etld_request *request)
{
	struct store_query *q;

	if (!etld_request_ready(request))
		return;
	q = query_new(request, "etl.show/1");
	q->text = etl_strdup(etl_json_text(request->parameters, "run_id", ""));
	etld_query_submit(&q->query, request, show_work);
}

/* ---- windows -------------------------------------------------------------------------------- */

struct walk {
	struct store_query *q;
	const char *shown; /* the partition's name as it is shown */
	struct etl_watermark mark;
	bool has_mark;
	etl_wall at; /* the ledger has been compared with the grid up to here */
	etl_wall limit; /* no window that ends later is due yet */
	uint64_t loaded, empty, failed, held, open, dirty, missing;
};

static void add_window(struct walk *walk, struct etl_window window, const char *state,
	const struct etl_ledger_entry *entry)
{
	struct store_query *q = walk->q;
	struct etl_json *item, *counts;

	if (q->listed == WINDOWS_MAX) {
		q->truncated = true;
		return;
	}
	q->listed++;
	item = etl_json_add_object(q->list, NULL);
	etl_json_add_text(item, "partition", walk->shown);
	etld_json_time(item, "start", window.start);
	etld_json_time(item, "end", window.end);
	etl_json_add_text(item, "state", state);
	etl_json_add_bool(item, "dirty", entry && entry->dirty);
	if (!entry)
		return;
	etl_json_add_int(item, "attempt", entry->attempt);
	etl_json_add_text(item, "run_id", entry->run_id);
	counts = etl_json_add_object(item, "counts");
	for (size_t i = 0; i < etl_counts_n; i++)
		etl_json_add_int(counts, etl_counts_rows[i].name,
			(int64_t)etl_counts_get(&entry->counts, &etl_counts_rows[i]));
	etl_json_add_text(item, "reason", entry->reason);
	etld_json_time(item, "updated", entry->updated);
}

static bool is_wanted(const struct store_query *q, const char *state, bool noteworthy)
{
	if (q->text)
		return etl_streq(q->text, state);
	return q->all || noteworthy;
}

static bool in_range(const struct store_query *q, struct etl_window window)
{
	return !q->range.end.ms ||
		(window.start.ms < q->range.end.ms && window.end.ms > q->range.start.ms);
}

/* Grid windows between two ledger entries that are due and that nobody has written down. */
static void note_missing(struct walk *walk, etl_wall until)
{
	const struct etl_window_rules *rules = &walk->q->job->window;

	for (; walk->at.ms + etl_dur_ms(rules->size) <= until.ms;
		walk->at = etl_wall_add(walk->at, rules->size)) {
		struct etl_window window = {walk->at, etl_wall_add(walk->at, rules->size)};

		if (!in_range(walk->q, window))
			continue;
		walk->missing++;
		if (is_wanted(walk->q, "pending", true))
			add_window(walk, window, "pending", NULL);
	}
}

static int take_entry(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct walk *walk = ctx;
	const char *state = etl_window_state_word(entry->state);
	bool closed = etl_window_is_closed(entry->state);

	(void)err;
	/* A mark from upstream on a window that is not over yet: nobody owes it. */
	if (entry->state == ETL_WINDOW_PENDING && entry->window.end.ms > walk->limit.ms)
		return 0;
	if (!in_range(walk->q, entry->window))
		return 0;
	if (!walk->q->job->window.none && entry->window.start.ms >= walk->at.ms) {
		note_missing(walk, entry->window.start);
		walk->at = entry->window.end;
	}
	walk->loaded += entry->state == ETL_WINDOW_LOADED;
	walk->empty += entry->state == ETL_WINDOW_EMPTY;
	walk->failed += entry->state == ETL_WINDOW_FAILED;
	walk->held += entry->state == ETL_WINDOW_HELD;
	walk->open += !closed;
	walk->dirty += entry->dirty;
	if (is_wanted(walk->q, state, !closed || entry->dirty))
		add_window(walk, entry->window, state, entry);
	return 0;
}

static void add_summary(const struct walk *walk)
{
	struct etl_json *item = etl_json_add_object(walk->q->summary, NULL);

	etl_json_add_text(item, "partition", walk->shown);
	etld_json_time(item, "watermark", walk->has_mark ? walk->mark.processed : (etl_wall){0});
	etl_json_add_int(item, "loaded", (int64_t)walk->loaded);
	etl_json_add_int(item, "empty", (int64_t)walk->empty);
	etl_json_add_int(item, "failed", (int64_t)walk->failed);
	etl_json_add_int(item, "held", (int64_t)walk->held);
	etl_json_add_int(item, "open", (int64_t)walk->open);
	etl_json_add_int(item, "dirty", (int64_t)walk->dirty);
	etl_json_add_int(item, "missing", (int64_t)walk->missing);
}

/* The years 1 to 9999: what lies outside is no date to every server. */
#define FIRST_DATE INT64_C(-62135596800000)
#define LAST_DATE  INT64_C(253402300799999)

/* With --from or --to only that part of the ledger is read, counted and compared with the grid.
 * A window that reaches into it begins at most its length before. */
static void bound(struct walk *walk, struct etl_window *range)
{
	const struct etl_window_rules *rules = &walk->q->job->window;
	int64_t longest = etl_dur_ms(rules->size);
	struct etl_window last;

	if (walk->has_mark && walk->mark.window_ms > longest)
		longest = walk->mark.window_ms;
	*range = walk->q->range;
	if (range->start.ms > rules->start.ms) /* before that nothing is missing */
		walk->at = etl_window_at(rules, range->start).start;
	last = etl_window_at(rules, (etl_wall){range->end.ms - 1});
	if (range->end.ms > rules->start.ms && last.end.ms < walk->limit.ms)
		walk->limit = last.end;
	if (range->end.ms <= rules->start.ms)
		walk->limit = rules->start; /* nothing is due there */
	if (range->start.ms > FIRST_DATE)
		range->start.ms -= longest;
}

static int walk_partition(struct store_query *q, const struct etl_partition *partition)
{
	struct etl_state *state = q->query.etld->state;
	const struct etl_window_rules *rules = &q->job->window;
	struct etl_window range = {{FIRST_DATE}, {LAST_DATE}};
	struct walk walk = {.q = q, .at = rules->start, .limit = {INT64_MAX}};
	etl_wall due, until; /* windows that end by then are due; ... and asked for */
	char shown[ETL_PARTITION_TEXT_BYTES];
	int found;

	etl_partition_text(q->job, partition, shown, sizeof shown);
	walk.shown = shown;
	found = state->ops->watermark_get(state, q->job->name, partition->name, &walk.mark,
		&q->query.error);
	if (found < 0)
		return -1;
	walk.has_mark = found == 1;
	if (!rules->none)
		walk.limit = etl_window_limit(rules, etl_now(q->query.etld->clock));
	due = walk.limit;
	if (!rules->none && q->range.end.ms)
		bound(&walk, &range);
	until = walk.limit;
	walk.limit = due;
	if (state->ops->ledger_scan(state, q->job->name, partition->name, &range,
		    ETL_LEDGER_BEGUN, take_entry, &walk, &q->query.error) < 0)
		return -1;
	if (!rules->none)
		note_missing(&walk, until);
	add_summary(&walk);
	return 0;
}

static void windows_work(struct etld_task *task)
{
	struct store_query *q = (struct store_query *)task;

	etld_on_worker();
	etl_json_add_text(q->query.reply, "job", q->job->name);
	q->list = etl_json_add_array(q->query.reply, "windows");
	q->summary = etl_json_add_array(q->query.reply, "summary");
	for (size_t i = 0; i < q->job->n_partitions; i++)
		if ((!q->partition || q->partition == &q->job->partitions[i]) &&
			walk_partition(q, &q->job->partitions[i]) < 0)
			return;
	etl_json_add_bool(q->query.reply, "truncated", q->truncated);
}

static bool read_window_parameters(struct etld_request *request, struct store_query *q)
{
	const char *from = etl_json_text(request->parameters, "from", NULL);
	const char *to = etl_json_text(request->parameters, "to", NULL);
	const char *state = etl_json_text(request->parameters, "state", NULL);
	enum etl_window_state known;

	q->all = etl_json_bool(request->parameters, "all", false);
	if (from || to)
		q->range = (struct etl_window){{FIRST_DATE}, {LAST_DATE}};
	if ((from && !etl_time_parse(from, &q->range.start)) ||
		(to && !etl_time_parse(to, &q->range.end)))
		return false;
	if (state && !etl_window_state_parse(state, &known))
		return false;
	q->text = etl_strdup(state);
	return true;
}

void etld_handle_windows(struct etld_request *request)
{
	struct etld_job *job = etld_request_job(request);
	const struct etl_partition *only;
	struct store_query *q;

	if (!job || !etld_request_ready(request) || !etld_request_partition(request, job->job, &only))
		return;
	q = query_new(request, "etl.windows/1");
	q->job = job->job;
	q->partition = only;
	if (read_window_parameters(request, q)) {
		etld_query_submit(&q->query, request, windows_work);
		return;
	}
	etld_query_drop(&q->query);
	etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL,
		"from and to are times such as 2026-07-01T10:00Z, state is a window's state");
}
