/* SPDX-License-Identifier: MIT
 *
 * Runs, Show, Windows: a worker asks MongoDB, the loop answers.
 *
 * Windows is the answer to "is anything missing?". Example: a job of hours since 00:00, and a
 * ledger that has 00:00 to 03:00 as loaded, 05:00 as failed, and nothing else up to 07:00, which is
 * final at 08:10. The list has 03:00, 04:00 and 06:00 as pending (the grid has them, the ledger
 * does not) and 05:00 as failed; the summary says loaded 3, failed 1, open 1, missing 3. What
 * nobody wrote down is what a list of entries alone would hide.
 */
#include "base/str.h"
#include "base/uuid.h"
#include "job/definition.h"
#include "job/stale.h"
#include "methods/methods.h"
#include "state/doc_read.h"

/* Windows of one answer: some 700 bytes each as JSON, so that they fit into a message with room to
 * spare. */
#define WINDOWS_MAX 2000
/* Runs that are looked through for part of an id, or for failed ones: some weeks of a busy daemon.
 * The whole id is found by the index, however old the run is. */
#define RUNS_SEARCHED 5000

/* ---- runs ----------------------------------------------------------------------------------- */

/* Whatever is not known to be fine counts as failed: a state of a newer version is shown rather
 * than hidden. */
static bool is_failed(const bson_t *run)
{
	static const char *const fine[] = {"ok", "running", "skipped"};
	const char *state = etl_doc_text(run, "state");

	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
		if (etl_streq(fine[i], state))
			return false;
	return true;
}

struct run_list {
	struct etl_json *items;
	size_t n, limit;
	bool failed_only;
};

/* -1 ends the list, which is no error: the limit is the operator's and the search may go further.
 */
static int keep_run(void *ctx, const bson_t *run)
{
	struct run_list *list = ctx;

	if (list->failed_only && !is_failed(run))
		return 0;
	if (list->n == list->limit)
		return -1; /* enough */
	list->n++;
	etl_json_add_item(list->items, NULL, etld_json_of_bson(run));
	return 0;
}

static void runs_work(struct etld_request *request)
{
	struct etl_state *state = request->etld->state;
	struct run_list list = {.items = etl_json_add_array(etld_reply(request), "runs"),
		.limit = (size_t)etl_json_int(request->parameters, "limit", 20),
		.failed_only = etl_json_bool(request->parameters, "failed", false)};

	etl_run_list(state, request->job ? request->job->name : NULL,
		list.failed_only ? RUNS_SEARCHED : (int)list.limit, keep_run, &list,
		&request->error);
}

static void runs(struct etld_request *request)
{
	etld_request_submit(request, runs_work, NULL);
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

/* By its whole id first, which costs one look-up by the index; only then by a part of it. UUIDv7
 * begin with the time: runs of some hours share their first six digits, which is why the end of an
 * id is as good as its beginning. */
int etld_run_find(struct etl_state *state, const char *id, bson_t *out, struct etl_error *err)
{
	struct search search = {id, out, 0};
	int found = etl_doc_get(state, &etl_runs, id, out, err);

	if (found)
		return found < 0 ? -1 : 0;
	if (etl_run_list(state, NULL, RUNS_SEARCHED, match_run, &search, err) == 0 && search.n == 1)
		return 0;
	if (search.n)
		bson_destroy(out);
	if (err->kind != ETL_OK)
		return -1;
	if (!search.n)
		return etl_error_set(err, ETL_PERMANENT, "no_such_run", "no run has the id '%s'",
			id);
	return etl_error_set(err, ETL_PERMANENT, "no_such_run", "%zu runs begin or end with '%s'",
		search.n, id);
}

#define DECISIONS_LOOKED 50 /* the newest of the job */

struct decided {
	struct etl_json *list;
	const struct etl_job *job; /* NULL = it is not configured any more */
	const char *run_id;
};

static int add_decision(void *ctx, const void *thing)
{
	const struct etl_change *change = thing;
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

/* What operators have decided since about units that this run left. A run's record is never written
 * again, so that "held" stands there for ever: what became of it since is told beside it. Decisions
 * that were taken back are not. */
static void add_decisions(struct etld_request *request, const bson_t *run)
{
	struct etl_state *state = request->etld->state;
	struct etl_change_query query = {
		.job = etl_doc_text(run, "job"), .limit = DECISIONS_LOOKED};
	struct decided d = {etl_json_add_array(etld_reply(request), "decisions"),
		etld_generation_job(request->generation, query.job), etl_doc_text(run, "run_id")};

	etl_change_list(state, &query, add_decision, &d, &request->error);
}

/* A failure of the decisions fails the answer: half of an answer would be taken for all of it. */
static void show_work(struct etld_request *request)
{
	const char *id = etl_json_text(request->parameters, "run_id", "");
	bson_t run;

	if (etld_run_find(request->etld->state, id, &run, &request->error) < 0)
		return;
	etl_json_add_item(etld_reply(request), "run", etld_json_of_bson(&run));
	add_decisions(request, &run);
	bson_destroy(&run);
}

static void show(struct etld_request *request)
{
	etld_request_submit(request, show_work, NULL);
}

/* The years 1 to 9999: what lies outside is no date to every server. */
#define FIRST_DATE INT64_C(-62135596800000)
#define LAST_DATE  INT64_C(253402300799999)

/* ---- windows -------------------------------------------------------------------------------- */

struct window_list {
	struct etld_request *request;
	const char *from;  /* objects from this name on; NULL = from the first */
	const char *state; /* only windows in this state; NULL = those that want attention */
	bool all, stale;   /* `stale`: only those that are not of the job's definition or target */
	struct etl_window range; /* asked for; end.ms == 0: all time */
	struct etl_json *items, *summary;
	size_t n;
	bool truncated;
};

/* A partition. */
struct walk {
	struct window_list *list;
	const struct etl_window_rules *rules;
	const char *partition, *shown; /* its name, and as it is shown */
	struct etl_watermark mark;
	bool has_mark;
	etl_wall at; /* the ledger has been compared with the grid up to here */
	etl_wall limit; /* no window that ends later is due yet */
	uint64_t loaded, empty, failed, held, open, dirty, missing, stale;
	uint64_t unknown; /* closed, and nobody knows by which definition */
	struct etl_current current; /* that its windows are held against */
	char target[ETL_TARGET_BYTES];
};

static void add_object(struct etl_json *item, const struct etl_object *object)
{
	etl_json_add_text(item, "object", object->name);
	etl_json_add_int(item, "size", (int64_t)object->size);
	etld_json_time(item, "mtime", object->mtime);
	etl_json_add_text(item, "etag", *object->etag ? object->etag : NULL);
}

/* Where a window is and what made it: the entry's own word, and the watermark's. */
static void add_maker(struct etl_json *item, const struct walk *walk, const struct etl_ledger_entry *entry)
{
	char text[ETL_STALE_TEXT_BYTES], definition[ETL_DEFINITION_TEXT_BYTES];

	etl_definition_text(entry->definition, definition);
	etl_json_add_text(item, "definition", *definition ? definition : NULL);
	etl_json_add_text(item, "target", etl_stale_place(&walk->current, entry));
	etl_stale_text(&walk->current, entry, text);
	etl_json_add_text(item, "stale", *text ? text : NULL);
}

/* Behind the cap windows are still counted in the summary: its figures are those of the whole
 * range. */
static void add_window(struct walk *walk, struct etl_window window, const char *state,
	const struct etl_ledger_entry *entry)
{
	struct window_list *list = walk->list;
	const struct etl_zone *zone = walk->rules->grid.zone;
	struct etl_json *item, *counts;
	char date[ETL_DATE_TEXT_BYTES];

	if (list->n == WINDOWS_MAX) {
		list->truncated = true;
		return;
	}
	list->n++;
	item = etl_json_add_object(list->items, NULL);
	etl_json_add_text(item, "partition", walk->shown);
	if (entry && entry->object.name)
		add_object(item, &entry->object);
	etld_json_time(item, "start", window.start);
	etld_json_time(item, "end", window.end);
	if (zone) {
		etl_zone_date(zone, window.start, date);
		etl_json_add_text(item, "date", date);
	}
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
	add_maker(item, walk, entry);
}

/* By default what is missing, open or dirty: a ledger of a year has 8,760 closed hours that nobody
 * asks for. */
static bool is_wanted(const struct window_list *list, const char *state, bool noteworthy, bool stale)
{
	if (list->stale && !stale)
		return false;
	if (list->stale && !list->state)
		return true;
	if (list->state)
		return etl_streq(list->state, state);
	return list->all || noteworthy;
}

static bool in_range(const struct window_list *list, struct etl_window window)
{
	return !list->range.end.ms ||
		(window.start.ms < list->range.end.ms && window.end.ms > list->range.start.ms);
}

/* An entry of an older grid may end inside a window. */
static struct etl_window first_from(const struct etl_grid *grid, etl_wall t)
{
	struct etl_window window = etl_grid_at(grid, t);

	return window.start.ms < t.ms ? etl_grid_after(grid, window) : window;
}

/* Grid windows between two ledger entries that are due and that nobody has written down. */
static void note_missing(struct walk *walk, etl_wall until)
{
	const struct etl_window_rules *rules = walk->rules;

	for (struct etl_window window = first_from(&rules->grid, walk->at); window.end.ms <= until.ms;
		window = etl_grid_after(&rules->grid, window)) {
		walk->at = window.end;
		if (!in_range(walk->list, window))
			continue;
		walk->missing++;
		if (is_wanted(walk->list, "pending", true, false))
			add_window(walk, window, "pending", NULL);
	}
}

static bool is_stale(struct walk *walk, const struct etl_ledger_entry *entry)
{
	bool read = entry->state == ETL_WINDOW_LOADED || entry->state == ETL_WINDOW_EMPTY;
	bool stale = etl_stale_of(&walk->current, entry->state, entry->definition,
		entry->window.start) != ETL_STALE_NOT;

	walk->stale += stale;
	walk->unknown += read && !stale && !etl_definition_is_known(entry->definition);
	return stale;
}

/* Entries come in the order of their starts. The grid is compared up to each of them; an entry that
 * overlaps what was compared already (of an older window size) moves nothing back. */
static int take_entry(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct walk *walk = ctx;
	const char *state = etl_window_state_word(entry->state);
	bool closed = etl_window_is_closed(entry->state);

	(void)err;
	/* A mark from upstream on a window that is not over yet: nobody owes it. */
	if (entry->state == ETL_WINDOW_PENDING && entry->window.end.ms > walk->limit.ms)
		return 0;
	if (!in_range(walk->list, entry->window))
		return 0;
	if (!walk->rules->none && entry->window.start.ms >= walk->at.ms) {
		note_missing(walk, entry->window.start);
		walk->at = entry->window.end;
	}
	walk->loaded += entry->state == ETL_WINDOW_LOADED;
	walk->empty += entry->state == ETL_WINDOW_EMPTY;
	walk->failed += entry->state == ETL_WINDOW_FAILED;
	walk->held += entry->state == ETL_WINDOW_HELD;
	walk->open += !closed;
	walk->dirty += entry->dirty;
	if (is_wanted(walk->list, state, !closed || entry->dirty, is_stale(walk, entry)))
		add_window(walk, entry->window, state, entry);
	return 0;
}

static void add_summary(const struct walk *walk)
{
	struct etl_json *item = etl_json_add_object(walk->list->summary, NULL);

	etl_json_add_text(item, "partition", walk->shown);
	etld_json_time(item, "watermark", walk->has_mark ? walk->mark.processed : (etl_wall){0});
	etl_json_add_int(item, "loaded", (int64_t)walk->loaded);
	etl_json_add_int(item, "empty", (int64_t)walk->empty);
	etl_json_add_int(item, "failed", (int64_t)walk->failed);
	etl_json_add_int(item, "held", (int64_t)walk->held);
	etl_json_add_int(item, "open", (int64_t)walk->open);
	etl_json_add_int(item, "dirty", (int64_t)walk->dirty);
	etl_json_add_int(item, "missing", (int64_t)walk->missing);
	etl_json_add_int(item, "stale", (int64_t)walk->stale);
	etl_json_add_int(item, "unknown", (int64_t)walk->unknown);
}

/* With --from or --to only that part of the ledger is read, counted and compared with the grid.
 * A window that reaches into it begins at most its length before. */
static void bound(struct walk *walk, struct etl_window *range, etl_wall *until)
{
	const struct etl_window_rules *rules = walk->rules;
	int64_t longest = etl_window_longest_ms(rules);
	struct etl_window last;

	if (walk->has_mark && walk->mark.window_ms > longest)
		longest = walk->mark.window_ms;
	*range = walk->list->range;
	if (range->start.ms > rules->grid.start.ms) /* before that nothing is missing */
		walk->at = etl_window_at(rules, range->start).start;
	last = etl_window_at(rules, (etl_wall){range->end.ms - 1});
	if (range->end.ms > rules->grid.start.ms && last.end.ms < until->ms)
		*until = last.end;
	if (range->end.ms <= rules->grid.start.ms)
		*until = rules->grid.start; /* nothing is due there */
	if (range->start.ms > FIRST_DATE)
		range->start.ms -= longest;
}

/* One question for the watermark, one for the ledger, whatever its length: entries are counted as
 * they come and never gathered. */
static int walk_partition(struct window_list *list, const struct etl_partition *partition)
{
	struct etld_request *request = list->request;
	const struct etl_job *job = request->job;
	struct etl_state *state = request->etld->state;
	const struct etl_window_rules *rules = &job->window;
	struct etl_window range = {{FIRST_DATE}, {LAST_DATE}};
	struct walk walk = {.list = list, .rules = rules, .at = rules->grid.start,
		.limit = {INT64_MAX}};
	etl_wall until; /* windows that end by then are due, and asked for */
	char shown[ETL_PARTITION_TEXT_BYTES];
	int found;

	etl_partition_text(job, partition, shown, sizeof shown);
	walk.shown = shown;
	found = state->ops->watermark_get(state, job->name, partition->name, &walk.mark,
		&request->error);
	if (found < 0)
		return -1;
	walk.has_mark = found == 1;
	etl_job_target(job, request->etld->database, walk.target);
	walk.current = (struct etl_current){partition->definition, walk.target, &walk.mark.targets};
	if (!rules->none)
		walk.limit = etl_window_limit(rules, etl_now(request->etld->clock));
	until = walk.limit;
	if (!rules->none && list->range.end.ms)
		bound(&walk, &range, &until);
	if (state->ops->ledger_scan(state, job->name, partition->name, &range, ETL_LEDGER_BEGUN,
		    take_entry, &walk, &request->error) < 0)
		return -1;
	if (!rules->none)
		note_missing(&walk, until);
	add_summary(&walk);
	return 0;
}

/* ---- objects -------------------------------------------------------------------------------- */

static int take_object(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct walk *walk = ctx;
	const char *state = etl_window_state_word(entry->state);
	struct etl_ledger_entry at = *entry; /* where its target is on record: that of all objects */

	(void)err;
	at.window = (struct etl_window){{0}, {0}};
	if (is_wanted(walk->list, state, !etl_window_is_closed(entry->state) || entry->dirty,
		    is_stale(walk, &at)))
		add_window(walk, entry->window, state, &at);
	return 0;
}

static int take_open_object(void *ctx, const char *partition, const struct etl_ledger_entry *entry)
{
	struct walk *walk = ctx;
	struct etl_error ignored = ETL_ERROR_INIT; /* nothing in it fails */

	return !entry->object.name || !etl_streq(partition, walk->partition) ? 0 :
		take_object(walk, entry, &ignored);
}

static int add_open_sum(void *ctx, const struct etl_open_sum *sum)
{
	struct walk *walk = ctx;

	if (sum->size_ms || !etl_streq(sum->partition, walk->partition))
		return 0;
	walk->failed += sum->state == ETL_WINDOW_FAILED ? sum->n : 0;
	walk->held += sum->state == ETL_WINDOW_HELD ? sum->n : 0;
	walk->dirty += sum->dirty ? sum->n : 0;
	walk->open += sum->dirty ? 0 : sum->n;
	return 0;
}

/* What wants attention an index finds; all, or those of a state, are read by name. There may be a million:
 * they are counted by the store, and a page of them is given. */
static int walk_objects(struct window_list *list, const struct etl_partition *partition)
{
	struct etld_request *request = list->request;
	const struct etl_job *job = request->job;
	struct etl_state *state = request->etld->state;
	struct etl_window ever = {{FIRST_DATE}, {LAST_DATE}};
	struct walk walk = {.list = list, .rules = &job->window, .partition = partition->name};
	char shown[ETL_PARTITION_TEXT_BYTES];
	uint64_t objects = 0;
	struct etl_json *item;
	bool all = list->all || list->state || list->stale;
	int rc = state->ops->watermark_get(state, job->name, partition->name, &walk.mark, &request->error);

	if (rc < 0)
		return -1;
	etl_partition_text(job, partition, shown, sizeof shown);
	walk.shown = shown;
	etl_job_target(job, request->etld->database, walk.target);
	walk.current = (struct etl_current){partition->definition, walk.target, &walk.mark.targets};
	if (all)
		rc = state->ops->ledger_objects(state, job->name, partition->name, list->from,
			WINDOWS_MAX + 1, take_object, &walk, &request->error);
	else
		rc = state->ops->ledger_open(state, job->name, WINDOWS_MAX + 1, take_open_object, &walk,
			&request->error);
	list->truncated |= rc == 0;
	if (rc < 0 || state->ops->ledger_count(state, job->name, partition->name, &ever, &objects,
			      &request->error) < 0 ||
		state->ops->open_sums(state, job->name, NULL, add_open_sum, &walk, &request->error) < 0)
		return -1;
	item = etl_json_add_object(list->summary, NULL);
	etl_json_add_text(item, "partition", walk.shown);
	etl_json_add_int(item, "objects", (int64_t)objects);
	etl_json_add_int(item, "failed", (int64_t)walk.failed);
	etl_json_add_int(item, "held", (int64_t)walk.held);
	etl_json_add_int(item, "open", (int64_t)walk.open);
	etl_json_add_int(item, "dirty", (int64_t)walk.dirty);
	return 0;
}

/* Partition after partition on one worker: `etlctl windows` of a job with a thousand of them takes
 * its time, and takes one worker, not all. */
static void windows_work(struct etld_request *request)
{
	struct window_list *list = request->own;
	const struct etl_job *job = request->job;
	struct etl_json *reply = etld_reply(request);
	char grid[ETL_GRID_TEXT_BYTES];

	etl_json_add_text(reply, "job", job->name);
	if (job->window.grid.zone) {
		etl_grid_text(&job->window.grid, grid);
		etl_json_add_text(reply, "grid", grid);
	}
	list->items = etl_json_add_array(reply, "windows");
	list->summary = etl_json_add_array(reply, "summary");
	for (size_t i = 0; i < job->n_partitions; i++)
		if ((!request->partition || request->partition == &job->partitions[i]) &&
			(job->window.object ? walk_objects : walk_partition)(list, &job->partitions[i]) < 0)
			return;
	etl_json_add_bool(reply, "truncated", list->truncated);
}

static void windows(struct etld_request *request)
{
	struct window_list *list = etld_request_own(request, sizeof *list);

	list->request = request;
	list->from = etl_json_text(request->parameters, "object", NULL);
	list->state = etl_json_text(request->parameters, "state", NULL);
	list->all = etl_json_bool(request->parameters, "all", false);
	if (request->job->window.object && (request->from || request->to)) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "--object NAME: from this name on",
			"job '%s' has objects, which lie in no range of time", request->job->name);
		return;
	}
	list->stale = etl_json_bool(request->parameters, "stale", false);
	if (request->from || request->to) {
		list->range.start = request->from ? *request->from : (etl_wall){FIRST_DATE};
		list->range.end = request->to ? *request->to : (etl_wall){LAST_DATE};
	}
	etld_request_submit(request, windows_work, NULL);
}

const struct etld_method etld_method_runs = {"Runs", "etl.runs/1", ETLD_NEEDS_STORE, .call = runs};
const struct etld_method etld_method_show = {"Show", "etl.show/1", ETLD_NEEDS_STORE, .call = show};
const struct etld_method etld_method_windows = {"Windows", "etl.windows/1", ETLD_NEEDS_STORE,
	.call = windows};
