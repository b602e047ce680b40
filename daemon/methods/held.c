/* SPDX-License-Identifier: MIT
 *
 * HeldList: units that checks hold back, and closed ones whose newer content they do. A worker asks the
 * store by its indexes, at most as many as are shown; the loop answers.
 *
 * Example: `etlctl held list airqino` shows for an hour that a check holds back
 *   JOB      PARTITION          START              CHECK         SINCE
 *   airqino  station=283164601  2026-07-01 10:00Z  range /pm2_5  2026-07-01 11:20Z (2h05m ago)
 * and under it the commands that release or discard the first one, fit to be pasted. They are made
 * here and not by etlctl: the partition's name and the quotes are those that this daemon reads
 * again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "methods/methods.h"
#include "ops/decision.h"

#define LIMIT_DEFAULT 200
#define LIMIT_MAX     2000

struct held_unit {
	char *job, *partition;
	struct etl_ledger_entry entry;
};

struct held_list {
	struct held_unit *units;
	size_t n, cap;
};

static void units_free(void *ctx)
{
	struct held_list *held = ctx;

	for (size_t i = 0; i < held->n; i++) {
		free(held->units[i].job);
		free(held->units[i].partition);
		etl_free_const(held->units[i].entry.object.name);
	}
	free(held->units);
}

/* A copy of everything, for entries are lent for the call; the lock of the memory store, or a batch
 * of the cursor, is not held while an answer is made. */
static int keep(void *ctx, const char *job, const char *partition,
	const struct etl_ledger_entry *entry)
{
	struct held_list *held = ctx;

	ETL_GROW(held->units, held->n, held->cap);
	held->units[held->n] = (struct held_unit){etl_strdup(job), etl_strdup(partition), *entry};
	held->units[held->n++].entry.object.name = etl_strdup(entry->object.name);
	return 0;
}

/* The store gives them by its index, in the order of the state's documents. People read by job,
 * then by partition, then by time. */
static int by_name_and_start(const void *a, const void *b)
{
	const struct held_unit *x = a, *y = b;
	int order = strcmp(x->job, y->job);

	if (!order)
		order = strcmp(x->partition, y->partition);
	return order ? order : (x->entry.window.start.ms > y->entry.window.start.ms) -
				(x->entry.window.start.ms < y->entry.window.start.ms);
}

/* `released` of some of them: a unit is free when all that hold it are released, so a list may show
 * one check as released and the unit as held all the same. */
void etld_json_held(struct etl_json *to, const char *key, const struct etl_held *held)
{
	struct etl_json *list = etl_json_add_array(to, key);

	for (size_t i = 0; i < held->n; i++) {
		struct etl_json *item = etl_json_add_object(list, NULL);

		etl_json_add_text(item, "check", held->checks[i].check);
		etl_json_add_text(item, "field", held->checks[i].field);
		etl_json_add_text(item, "value", held->checks[i].value);
		etl_json_add_text(item, "limit", held->checks[i].limit);
		etl_json_add_bool(item, "released", held->checks[i].released);
	}
}

static void add_command(struct etl_json *item, const char *key, enum etl_change_kind kind,
	const struct etl_unit *unit)
{
	etl_cleanup(free) char *text = etl_decision_command(kind, unit);

	etl_json_add_text(item, key, text);
}

/* A job that is not configured any more has units all the same, and nobody to run them. */
static void add_unit(const struct etld_request *request, struct etl_json *list,
	const struct held_unit *held)
{
	const struct etl_ledger_entry *e = &held->entry;
	const struct etl_job *job = etld_generation_job(request->generation, held->job);
	const struct etl_partition *partition = job && !job->left_out ?
		etl_job_partition(job, held->partition) : NULL;
	const struct etl_unit unit = {job, held->partition, e->window, e->object.name};
	struct etl_json *item = etl_json_add_object(list, NULL);

	etl_json_add_text(item, "job", held->job);
	etld_json_partition(item, job, held->partition);
	etl_json_add_text(item, "object", e->object.name);
	etld_json_time(item, "start", e->window.start);
	etld_json_time(item, "end", e->window.end);
	etld_json_time(item, "since", e->held.since.ms ? e->held.since : e->updated);
	etl_json_add_text(item, "state", etl_window_state_word(e->state));
	etl_json_add_text(item, "run_id", e->run_id);
	etl_json_add_int(item, "attempt", e->attempt);
	etl_json_add_text(item, "reason", e->reason);
	etld_json_held(item, "checks", &e->held);
	etl_json_add_bool(item, "more_checks", e->held.more);
	etl_json_add_text(item, "released_by", *e->held.by ? e->held.by : NULL);
	etld_json_time(item, "released_at", e->held.at);
	if (!partition)
		return;
	add_command(item, "release", ETL_CHANGE_RELEASE, &unit);
	add_command(item, "discard", ETL_CHANGE_DISCARD, &unit);
}

/* One more than the limit is not fetched: the store says itself whether it gave all (1) or was
 * stopped by the limit (0), which becomes `truncated`. */
static void held_work(struct etld_request *request)
{
	struct held_list *held = request->own;
	struct etl_state *state = request->etld->state;
	int64_t limit = etl_json_int(request->parameters, "limit", LIMIT_DEFAULT);
	struct etl_json *list;
	int all;

	all = state->ops->ledger_held(state, request->job ? request->job->name : NULL,
		(size_t)(limit < LIMIT_MAX ? limit : LIMIT_MAX), keep, held, &request->error);
	if (all < 0)
		return;
	if (held->n)
		qsort(held->units, held->n, sizeof *held->units, by_name_and_start);
	etl_json_add_bool(etld_reply(request), "truncated", !all);
	list = etl_json_add_array(etld_reply(request), "held");
	for (size_t i = 0; i < held->n; i++)
		add_unit(request, list, &held->units[i]);
}

static void held_list(struct etld_request *request)
{
	etl_arena_defer(request->arena, units_free,
		etld_request_own(request, sizeof(struct held_list)));
	etld_request_submit(request, held_work, NULL);
}

const struct etld_method etld_method_held_list = {"HeldList", "etl.held/1", ETLD_NEEDS_STORE,
	.call = held_list};
