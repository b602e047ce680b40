/* SPDX-License-Identifier: MIT
 *
 * The walk of an operator's change: the lease, a look at every partition (a refusal comes before
 * the first write), then partition by partition the audit and the slices.
 *
 * etlctl watermark set airqino 2026-07-01: BEGIN takes the lease (a run is going?
 * refused), LOOK plans each of a hundred stations and refuses if one of them cannot,
 * APPLY writes them one by one, in slices of at most ETL_CHANGE_SLICE windows, and at
 * the end the lease goes back. An etld that dies in between leaves whole slices; the
 * same command again goes on.
 */
#include "ops/change_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "ops/decision.h"
#include "run/lease.h"
#include "time/civil.h"

/* The purpose behind the ';' makes the holder another one, so that a run of the same daemon is
 * kept out as well: under its own name the daemon would be given its own lease. */
#define PURPOSE "; watermark"

/* `now` is taken once: all partitions are judged by the same moment, however long the
 * walk takes. */
struct etl_change_walk *etl_change_new(const struct etl_job *job, const struct etl_run_env *env,
	const struct etl_change_request *request)
{
	struct etl_change_walk *walk = ETL_NEW(struct etl_change_walk);

	walk->job = job;
	walk->env = env;
	walk->request = *request;
	walk->request.partition = etl_strdup(request->partition);
	walk->request.who = etl_strdup(request->who);
	walk->request.why = etl_strdup(request->why);
	walk->request.check = etl_strdup(request->check);
	walk->request.object = etl_strdup(request->object);
	walk->now = etl_now(env->clock);
	etl_uuid7(walk->now.ms, walk->command);
	return walk;
}

/* A lease that cannot be given back runs out by itself. */
static void release(struct etl_change_walk *walk)
{
	struct etl_error ignored = ETL_ERROR_INIT;

	/* What could not be written down at the begin; the lease is kept if it cannot be now: it
	 * runs out. */
	if (walk->leased &&
		etl_lease_record_lost(walk->env, walk->job->name, &walk->lease, &ignored) < 0)
		walk->leased = false;
	if (walk->leased && *walk->last.run_id)
		(void)store(walk)->ops->lease_end(store(walk), walk->job->name, walk->fence,
			&walk->last, &ignored);
	else if (walk->leased)
		(void)store(walk)->ops->lease_release(store(walk), walk->job->name, walk->fence,
			&ignored);
	walk->leased = false;
}

void etl_change_free(struct etl_change_walk *walk)
{
	if (!walk)
		return;
	release(walk);
	for (size_t i = 0; i < walk->n_parts; i++) {
		free(walk->parts[i].name);
		free(walk->parts[i].undoes);
		free(walk->parts[i].undo_object);
	}
	free(walk->parts);
	etl_change_plan_fini(&walk->plan);
	etl_free_const(walk->request.partition);
	etl_free_const(walk->request.who);
	etl_free_const(walk->request.why);
	etl_free_const(walk->request.check);
	etl_free_const(walk->request.object);
	free(walk);
}

/* ---- begin: the lease, and the partitions ------------------------------------------------ */

/* A watermark passes only what is final by both clocks, as in a run: if MongoDB's clock is
 * behind ours, the time is checked again with the earlier one. An undo and a decision ask for
 * no time of their own. */
static int heed_store_clock(struct etl_change_walk *walk, etl_wall store_now,
	struct etl_error *err)
{
	const struct etl_change_request *asked = &walk->request;

	if (!store_now.ms || store_now.ms >= walk->now.ms)
		return 0;
	walk->now = store_now;
	return asked->kind == ETL_CHANGE_UNDO || etl_change_is_decision(asked->kind) ? 0 :
		etl_change_check_time(&walk->job->window, asked->kind, asked->time, walk->now, err);
}

static int take_lease(struct etl_change_walk *walk, struct etl_error *err)
{
	etl_cleanup(free) char *holder = etl_strf("%s" PURPOSE, walk->env->holder);
	struct etl_lease_ask ask = {
		.job = walk->job->name, .holder = holder, .ttl = ETL_LEASE_TTL};
	int got = etl_lease_take(walk->env, &ask, &walk->lease, err);
	struct etl_error ignored = ETL_ERROR_INIT;
	char words[ETL_HOLDER_BYTES];

	if (got < 0)
		return -1;
	/* A run that died with its etld is known to the lease alone: that there was one is
	 * written down before anything else. */
	if (got == 1) {
		walk->fence = walk->lease.fence;
		walk->leased = true;
		walk->renewed = etl_mono_now(walk->env->clock);
		(void)etl_lease_record_lost(walk->env, walk->job->name, &walk->lease, &ignored);
		return heed_store_clock(walk, walk->lease.now, err);
	}
	etl_lease_words(walk->lease.holder, words, sizeof words);
	return etl_error_set(err, ETL_CONFLICT, "lease.held",
		"a run or another change of job '%s' is under way: %s", walk->job->name, words);
}

/* Pointers to parts are good until the next one is added.
 * The result shows the partition by name from the beginning, whatever becomes of it. */
static struct part *add_part(struct etl_change_walk *walk, const char *name)
{
	struct part *part;

	ETL_GROW(walk->parts, walk->n_parts, walk->cap_parts);
	part = &walk->parts[walk->n_parts++];
	*part = (struct part){.name = etl_strdup(name)};
	part->result.partition = part->name;
	part->result.kind = walk->request.kind;
	return part;
}

/* 1 ends the list: the newest is enough. */
static int note_command(void *ctx, const void *thing)
{
	const struct etl_change *change = thing;

	memcpy(ctx, change->command, strlen(change->command) + 1);
	return 1;
}

static int note_undone(void *ctx, const void *thing)
{
	const struct etl_change *change = thing;
	struct part *part = add_part(ctx, change->partition);

	part->undoes = etl_strdup(change->id);
	part->undo_from = change->from;
	part->undo_to = change->to;
	part->undo_unit = change->unit;
	part->undo_object = etl_strdup(change->object);
	part->result.kind = change->kind;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct part *)a)->name, ((const struct part *)b)->name);
}

/* The newest command that still stands, and all of its changes that do: one command may have
 * changed many partitions, and its newest change only tells which command is meant. */
static int find_undone(struct etl_change_walk *walk, struct etl_error *err)
{
	char command[ETL_UUID_BYTES] = "";
	struct etl_change_query query = {.job = walk->job->name,
		.partition = walk->request.partition, .standing = true, .limit = 1};

	if (etl_change_list(store(walk), &query, note_command, command, err) < 0)
		return -1;
	if (!*command)
		return etl_error_set(err, ETL_PERMANENT, "change.nothing",
			"job '%s' has no change of a watermark, and no decision about a window, "
			"that could be undone",
			walk->job->name);
	query.command = command;
	query.limit = 0;
	if (etl_change_list(store(walk), &query, note_undone, walk, err) < 0)
		return -1;
	if (walk->n_parts)
		qsort(walk->parts, walk->n_parts, sizeof *walk->parts, by_name);
	return 0;
}

static int begin(struct etl_change_walk *walk, struct etl_error *err)
{
	if (!walk->request.dry_run && take_lease(walk, err) < 0)
		return -1;
	if (walk->request.kind == ETL_CHANGE_UNDO)
		return find_undone(walk, err);
	for (size_t i = 0; i < walk->job->n_partitions; i++)
		if (!walk->request.partition ||
			etl_streq(walk->request.partition, walk->job->partitions[i].name))
			add_part(walk, walk->job->partitions[i].name);
	return 0;
}

/* ---- planning one partition -------------------------------------------------------------- */

/* The ledger as a plan wants it: with what the undone change touched put back to the state
 * before. */
struct seen {
	const char *undoes; /* NULL = nothing is taken back */
	struct etl_ledger_brief *entries;
	size_t n, cap;
	struct etl_window *touched;
	size_t n_touched, touched_cap;
};

/* A plan of an undo has to see the windows as they will be, not as the change left them: only
 * then is the watermark that it computes the one that the ledger supports afterwards. */
static int see(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct seen *seen = ctx;
	struct etl_ledger_brief *brief;

	(void)err;
	ETL_GROW(seen->entries, seen->n, seen->cap);
	brief = &seen->entries[seen->n++];
	etl_ledger_brief(entry, brief);
	if (seen->undoes && etl_streq(entry->change_id, seen->undoes)) {
		brief->state = entry->was;
		ETL_GROW(seen->touched, seen->n_touched, seen->touched_cap);
		seen->touched[seen->n_touched++] = entry->window;
	}
	return 0;
}

/* Accept and discard close the unit and may move the watermark over it; a release only
 * lets the next run in. */
static bool closes(const struct etl_change_walk *walk)
{
	return walk->request.kind != ETL_CHANGE_RELEASE;
}

/* Each kind of change has a plan of its own; an undo is planned by what it undoes. */
static void make_plan(struct etl_change_walk *walk, const struct etl_watermark *mark,
	const struct etl_change *undone, const struct seen *seen)
{
	const struct etl_window_rules *rules = &walk->job->window;
	struct etl_change_plan *plan = &walk->plan;

	etl_change_plan_fini(plan);
	switch (walk->request.kind) {
	case ETL_CHANGE_SET:
		etl_change_plan_set(rules, mark, walk->request.time, seen->entries, seen->n, plan);
		break;
	case ETL_CHANGE_REWIND:
		etl_change_plan_rewind(rules, mark, walk->request.time, seen->entries, seen->n,
			plan);
		break;
	case ETL_CHANGE_ACCEPT:
	case ETL_CHANGE_DISCARD:
	case ETL_CHANGE_RELEASE:
		etl_change_plan_unit(rules, mark, walk->unit.window, closes(walk), seen->entries,
			seen->n, plan);
		break;
	case ETL_CHANGE_UNDO:
	case ETL_CHANGE_KIND_MAX:
		etl_change_plan_undo(rules, mark, undone, seen->entries, seen->n, seen->touched,
			seen->n_touched, plan);
		break;
	}
}

/* Reads the unit as the ledger has it now, if the decision is possible. Under the fence it is
 * read again (begin_part): a run may have loaded it since the first look, and a decision about
 * a closed unit is refused. */
static int need_unit(struct etl_change_walk *walk, const struct part *part, struct etl_error *err)
{
	struct etl_unit unit = {.job = walk->job, .partition = part->name,
		.object = walk->request.object};
	int found = etl_decision_find(store(walk), &unit, walk->request.time, walk->now, &walk->unit,
		err);

	if (found < 0)
		return -1;
	if (etl_decision_check(walk->request.kind, &unit, found ? &walk->unit : NULL, err) < 0)
		return -1;
	walk->held = walk->unit.held;
	return closes(walk) ? 0 : etl_decision_release(&unit, &walk->unit, walk->request.check,
		walk->request.who, walk->now, &walk->held, err);
}

/* Plans a decision about one unit. The ledger behind the unit is read only if the watermark is
 * about to pass it. */
static int plan_unit(struct etl_change_walk *walk, const struct part *part,
	const struct etl_watermark *mark, struct etl_error *err)
{
	const struct etl_window_rules *rules = &walk->job->window;
	struct seen seen = {0};
	struct etl_window range;
	int rc = need_unit(walk, part, err);

	if (rc == 0 && closes(walk) && etl_change_is_at(rules, mark, walk->unit.window)) {
		range = (struct etl_window){
			walk->unit.window.end, etl_window_limit(rules, walk->now)};
		rc = store(walk)->ops->ledger_scan(store(walk), walk->job->name, part->name, &range,
			ETL_LEDGER_BEGUN, see, &seen, err);
	}
	if (rc == 0)
		make_plan(walk, mark, NULL, &seen);
	free(seen.entries);
	return rc;
}

/* Reads the one unit that a decision has touched. It may be of a job without windows, or of an
 * older grid, where the scan range of a watermark would not find it. */
static int see_unit(struct etl_change_walk *walk, const struct part *part, struct seen *seen,
	struct etl_error *err)
{
	int64_t start = part->undo_unit.start.ms;
	struct etl_window range = {{start - 1}, {start + 1}}; /* around [0, 0) as well */

	if (part->undo_object)
		return store(walk)->ops->ledger_objects(store(walk), walk->job->name, part->name,
			       part->undo_object, 1, see, seen, err) < 0 ? -1 : 0;
	return store(walk)->ops->ledger_scan(store(walk), walk->job->name, part->name, &range,
		ETL_LEDGER_BEGUN, see, seen, err);
}

/* All of the scan range is read, since a plan walks the grid and needs to know which windows
 * have no entry. */
static int see_all(struct etl_change_walk *walk, const struct part *part,
	const struct etl_watermark *mark, const struct etl_change *undo, struct seen *seen,
	struct etl_error *err)
{
	struct etl_window range;

	if (walk->job->window.none) /* the job had windows when the change was made */
		return etl_error_set(err, ETL_PERMANENT, "change.time",
			"job '%s' has window: %s and no watermark to move", walk->job->name,
			walk->job->window.object ? "object" : "none");
	range = etl_change_scan_range(&walk->job->window, mark, walk->request.time, undo, walk->now);
	return store(walk)->ops->ledger_scan(store(walk), walk->job->name, part->name, &range,
		ETL_LEDGER_ALL, see, seen, err);
}

int etl_change_plan_part(struct etl_change_walk *walk, const struct part *part,
	const struct etl_watermark *mark, struct etl_error *err)
{
	if (etl_change_is_decision(walk->request.kind))
		return plan_unit(walk, part, mark, err);

	struct etl_change undone = {.kind = part->result.kind, .from = part->undo_from,
		.to = part->undo_to};
	const struct etl_change *undo = part->undoes ? &undone : NULL;
	struct seen seen = {.undoes = part->undoes};
	int rc = undo && etl_change_is_decision(undo->kind) ? see_unit(walk, part, &seen, err) :
		see_all(walk, part, mark, undo, &seen, err);

	if (rc == 0)
		make_plan(walk, mark, undo, &seen);
	free(seen.entries);
	free(seen.touched);
	return rc;
}

/* ---- look -------------------------------------------------------------------------------- */

/* The message names the time up to which one step may go, so that the operator can take the
 * steps without counting. */
static int refuse_many(const struct etl_change_walk *walk, const struct part *part,
	struct etl_error *err)
{
	char text[ETL_TIME_TEXT_BYTES];

	etl_time_format_rfc3339(walk->plan.to, text);
	return etl_error_set(err, ETL_PERMANENT, "change.too_many",
		"partition '%s': more than %d windows at once; go in steps, the first one to %s",
		part->name, ETL_CHANGE_WINDOWS_MAX, text);
}

/* True if there is anything to do with a watermark at `mark`. A partition that is at the time
 * already, or beyond it, is left as it is: the command may be repeated after a failure, and
 * finishes the partitions that are left. */
static bool is_to_change(const struct etl_change_walk *walk, const struct part *part,
	const struct etl_watermark *mark)
{
	switch (walk->request.kind) {
	case ETL_CHANGE_SET:
		return mark->processed.ms < walk->request.time.ms;
	case ETL_CHANGE_REWIND:
		return part->result.known && mark->processed.ms > walk->request.time.ms;
	case ETL_CHANGE_UNDO:
	case ETL_CHANGE_ACCEPT:
	case ETL_CHANGE_DISCARD:
	case ETL_CHANGE_RELEASE:
	case ETL_CHANGE_KIND_MAX:
		break;
	}
	return true;
}

/* Windows before the origin are due without a rewind, and the ledger has none of them to open. */
static int check_origin(const struct etl_change_walk *walk, const struct part *part,
	const struct etl_watermark *mark, struct etl_error *err)
{
	char text[ETL_TIME_TEXT_BYTES];

	if (walk->request.kind != ETL_CHANGE_REWIND || !part->result.changed ||
		walk->request.time.ms >= mark->origin.ms)
		return 0;
	etl_time_format_rfc3339(mark->origin, text);
	return etl_error_set(err, ETL_PERMANENT, "change.time",
		"partition '%s' begins at %s; the windows before it are due in any case",
		part->name, text);
}

/* Looks at one partition and plans it, without a write: a refusal of any partition must come
 * before the first write to another. */
static int look(struct etl_change_walk *walk, struct etl_error *err)
{
	struct part *part = &walk->parts[walk->at];
	struct etl_watermark mark = {.origin = walk->job->window.grid.start,
		.processed = walk->job->window.grid.start};
	int found = store(walk)->ops->watermark_get(store(walk), walk->job->name, part->name,
		&mark, err);

	if (found < 0)
		return -1;
	part->result.known = found;
	part->result.from = part->result.to = part->result.reached = mark.processed;
	part->result.changed = is_to_change(walk, part, &mark);
	if (check_origin(walk, part, &mark, err) < 0)
		return -1;
	if (part->result.changed) {
		if (etl_change_plan_part(walk, part, &mark, err) < 0)
			return -1;
		if (walk->plan.too_many)
			return refuse_many(walk, part, err);
		part->result.to = walk->plan.to;
		part->result.windows = (int64_t)walk->plan.n;
	}
	walk->at++;
	return 0;
}

/* Tells where the watermark of the first partition on the wrong side is, and which command
 * moves it. */
static int refuse_side(const struct etl_change_walk *walk, const struct part *part,
	struct etl_error *err)
{
	bool set = walk->request.kind == ETL_CHANGE_SET;
	char at[ETL_TIME_TEXT_BYTES], to[ETL_TIME_TEXT_BYTES];

	if (!part->result.known)
		return etl_error_set(err, ETL_PERMANENT, "change.nothing",
			"partition '%s' has no watermark yet: there is nothing to rewind",
			part->name);
	etl_time_format_rfc3339(part->result.from, at);
	etl_time_format_rfc3339(walk->request.time, to);
	return etl_error_set(err, ETL_PERMANENT, "change.time",
		"the watermark of partition '%s' is %s, %s than %s: use %s", part->name, at,
		set ? "later" : "earlier", to, set ? "rewind" : "set");
}

/* Some partition has to move, or to stand at the time already (a repeat of the command then
 * changes nothing). Otherwise the opposite command was meant: a set to an earlier time would
 * move nothing, and say that it succeeded. */
static int judge(const struct etl_change_walk *walk, struct etl_error *err)
{
	const struct part *wrong = NULL;

	for (size_t i = 0; i < walk->n_parts; i++) {
		const struct etl_change_result *r = &walk->parts[i].result;
		bool counts = r->known || walk->request.kind == ETL_CHANGE_SET;

		if (r->changed || (counts && r->from.ms == walk->request.time.ms))
			return 0;
		if (!wrong || (!wrong->result.known && r->known))
			wrong = &walk->parts[i];
	}
	if (!wrong)
		return etl_error_set(err, ETL_PERMANENT, "change.nothing",
			"job '%s' has no partition '%s'", walk->job->name,
			walk->request.partition ? walk->request.partition : "");
	return refuse_side(walk, wrong, err);
}

/* ---- the walk ---------------------------------------------------------------------------- */

/* Does one small piece of work a call, so that the caller may look at cancellation and other
 * work between two of them. A refusal ends the walk in LOOK, before APPLY has written anything. */
static int step(struct etl_change_walk *walk, struct etl_error *err)
{
	switch (walk->phase) {
	case BEGIN:
		walk->phase = LOOK;
		return begin(walk, err);
	case LOOK:
		if (walk->at < walk->n_parts)
			return look(walk, err);
		walk->at = 0;
		walk->phase = walk->request.dry_run ? ENDED : APPLY;
		return judge(walk, err);
	case APPLY:
		if (walk->at < walk->n_parts)
			return etl_change_apply_next(walk, err);
		walk->phase = ENDED;
		break;
	case ENDED:
		break;
	}
	return 0;
}

/* The lease goes back as soon as the walk ends, well or not: the job's next run need not wait
 * until the walk is freed. */
int etl_change_step(struct etl_change_walk *walk, struct etl_error *err)
{
	int rc = step(walk, err);

	if (rc < 0)
		walk->phase = ENDED;
	if (walk->phase == ENDED)
		release(walk);
	return rc < 0 ? -1 : walk->phase != ENDED;
}

etl_dur etl_change_wait(const struct etl_change_walk *walk)
{
	return walk->wait;
}

const struct etl_change_result *etl_change_result(const struct etl_change_walk *walk, size_t i)
{
	return i < walk->n_parts ? &walk->parts[i].result : NULL;
}

const char *etl_change_id(const struct etl_change_walk *walk)
{
	return walk->id;
}

const struct etl_ledger_entry *etl_change_unit(const struct etl_change_walk *walk)
{
	return &walk->unit;
}

const struct etl_held *etl_change_held(const struct etl_change_walk *walk)
{
	return &walk->held;
}

const struct etl_last_run *etl_change_last(const struct etl_change_walk *walk)
{
	return *walk->last.run_id ? &walk->last : NULL;
}
