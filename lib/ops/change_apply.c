/* SPDX-License-Identifier: MIT
 *
 * The writing half of an operator's change: partition by partition a plan under the fence, the
 * audit, and the slices. Refuses nothing that the first look (change.c) has let through, but
 * for what another etld has moved since.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "ops/change_internal.h"
#include "ops/decision.h"
#include "run/lease.h"
#include "time/backoff.h"

/* As long as the transactions specification lets a commit be tried. */
#define PATIENCE ETL_SECONDS(120) /* with one slice */

/* What it was and what it held, so that the audit tells the whole story after the
 * ledger has moved on. */
static void audit_unit(const struct etl_change_walk *walk, bson_t *details)
{
	bson_t window;

	BSON_APPEND_DOCUMENT_BEGIN(details, "window", &window);
	BSON_APPEND_DATE_TIME(&window, "start", walk->unit.window.start.ms);
	BSON_APPEND_DATE_TIME(&window, "end", walk->unit.window.end.ms);
	bson_append_document_end(details, &window);
	BSON_APPEND_UTF8(details, "was", walk->unit.reason);
	if (walk->request.kind != ETL_CHANGE_RELEASE)
		return;
	BSON_APPEND_UTF8(details, "check", walk->request.check ? walk->request.check : "all");
	BSON_APPEND_UTF8(details, "hash", walk->unit.hash);
}

/* {who: "uid 0 (pid 7)", what: "windows accept", job, partition, from, to, windows, reason,
 * change_id}: the change_id leads to the document that the slices keep. */
static int audit(const struct etl_change_walk *walk, const struct part *part,
	struct etl_error *err)
{
	bool decision = etl_change_is_decision(walk->request.kind);
	etl_cleanup(free) char *what =
		decision ? etl_strdup(etl_decision_words(walk->request.kind)) :
			   etl_strf("watermark %s", etl_change_kind_word(walk->request.kind));
	etl_cleanup(free) char *id = etl_strf("%s/%s", walk->id, part->name);
	bson_t details = BSON_INITIALIZER;
	int rc;

	BSON_APPEND_UTF8(&details, "job", walk->job->name);
	BSON_APPEND_UTF8(&details, "partition", part->name);
	BSON_APPEND_DATE_TIME(&details, "from", walk->plan.from.ms);
	BSON_APPEND_DATE_TIME(&details, "to", walk->plan.to.ms);
	BSON_APPEND_INT64(&details, "windows", (int64_t)walk->plan.n);
	BSON_APPEND_UTF8(&details, "reason", walk->request.why);
	BSON_APPEND_UTF8(&details, "change_id", walk->id);
	if (part->undoes)
		BSON_APPEND_UTF8(&details, "undoes", part->undoes);
	if (decision)
		audit_unit(walk, &details);
	rc = etl_audit_add(store(walk), id, walk->request.who, what, &details, err);
	bson_destroy(&details);
	return rc;
}

/* The first look was made without the fence: what another etld has moved since is seen here,
 * and from here on nobody else moves the partition. The audit comes before the first write, so
 * that no change is without its author; a change that then fails leaves an entry that nothing
 * followed. */
static int begin_part(struct etl_change_walk *walk, struct part *part, struct etl_error *err)
{
	struct etl_watermark mark;

	if (store(walk)->ops->watermark_claim(store(walk), walk->job->name, part->name,
		    walk->fence, walk->job->window.grid.start,
		    etl_window_longest_ms(&walk->job->window), &mark, err) < 0 ||
		etl_change_plan_part(walk, part, &mark, err) < 0)
		return -1;
	etl_uuid7(etl_now(walk->env->clock).ms, walk->id);
	if (audit(walk, part, err) < 0)
		return -1;
	part->result.from = part->result.reached = mark.processed;
	part->result.to = walk->plan.to;
	part->result.windows = (int64_t)walk->plan.n;
	walk->in = 0;
	walk->planned = true;
	return 0;
}

/* A change of many slices may take longer than its lease; without a renewal between slices
 * another etld could take the job in the middle of the change. It is renewed when a third of
 * its time is over. */
static int keep_lease(struct etl_change_walk *walk, struct etl_error *err)
{
	etl_mono now = etl_mono_now(walk->env->clock);

	if (etl_mono_diff(now, walk->renewed).us < ETL_LEASE_TTL.us / 3)
		return 0;
	walk->renewed = now;
	return store(walk)->ops->lease_renew(store(walk), walk->job->name, walk->fence,
		ETL_LEASE_TTL, err);
}

/* Health tells how many records the last run refused. What an operator has accepted or
 * discarded is no news any more and is taken off that count; if the count is of another run it
 * says nothing of this unit, and stays. */
static void take_back_rejects(struct etl_change_walk *walk)
{
	struct etl_schedule_info info;
	struct etl_error ignored = ETL_ERROR_INIT; /* the next run counts anew */
	uint64_t n = walk->unit.counts.rejected;

	if (!etl_change_is_decision(walk->request.kind) || !n ||
		store(walk)->ops->schedule_get(store(walk), walk->job->name, &info, &ignored) !=
			1 ||
		!etl_streq(info.last.run_id, walk->unit.run_id))
		return;
	walk->last = info.last;
	walk->last.rejected -= n < walk->last.rejected ? n : walk->last.rejected;
	if (!walk->last.rejected)
		walk->last.first_reject[0] = '\0';
}

/* The same slice once more, if the store says that nothing is in or that it does not know. After
 * such a try nothing that may pass ends the change: an answer has to be had first. */
static int slice_again(struct etl_change_walk *walk, struct etl_error *err)
{
	etl_mono now = etl_mono_now(walk->env->clock);

	walk->unknown |= etl_streq(err->code, "txn.unknown");
	if (err->kind != ETL_TRANSIENT || (!walk->unknown && !etl_streq(err->code, "txn.retry")) ||
		etl_mono_diff(now, walk->tried).us > PATIENCE.us)
		return -1;
	etl_error_clear(err);
	walk->tries++;
	walk->wait = etl_backoff_transaction(walk->tries,
		etl_hash64(walk->commit_id, sizeof walk->commit_id, walk->tries));
	return 0;
}

/* A slice that is tried again keeps its id: a commit whose answer was lost is known by
 * it, and then counts as done instead of being written a second time. */
static void begin_slice(struct etl_change_walk *walk)
{
	walk->wait = (etl_dur){0};
	if (*walk->commit_id)
		return;
	etl_uuid7(etl_now(walk->env->clock).ms, walk->commit_id);
	walk->tries = 0;
	walk->unknown = false;
	walk->tried = etl_mono_now(walk->env->clock);
}

/* The law of slices: a change is written in parts of ETL_CHANGE_SLICE windows, each small
 * enough for one transaction, and after each the watermark, the ledger and the change's own
 * document agree. Example: a set over 1,000 windows writes 400, 400 and 200. If etld dies after
 * the second, the document says 800 windows and not done, the watermark stands in front of the
 * 801st, and the same command goes on there. `expected` is the watermark that the slice before
 * left: if anything else is found, somebody else moved it, and the change ends there. */
static int apply_slice(struct etl_change_walk *walk, struct part *part, struct etl_error *err)
{
	etl_cleanup(free) char *reason = etl_change_is_decision(walk->request.kind) ?
		etl_decision_reason(walk->request.kind, walk->request.who, walk->request.why,
			&walk->held) : NULL;
	size_t left = walk->plan.n - walk->in;
	size_t n = left < ETL_CHANGE_SLICE ? left : ETL_CHANGE_SLICE;
	struct etl_change change = {
		.id = walk->id,
		.command = walk->command,
		.kind = walk->request.kind,
		.job = walk->job->name,
		.partition = part->name,
		.who = walk->request.who,
		.why = walk->request.why,
		.at = walk->now,
		.from = part->result.from,
		.to = walk->plan.to,
		.reached = etl_change_plan_after(&walk->plan, walk->in + n),
		.windows = (int64_t)(walk->in + n),
		.done = n == left,
		.undoes = part->undoes ? part->undoes : "",
		.undone_by = "",
		.unit = walk->unit.window,
		.object = part->undo_object ? part->undo_object : walk->request.object,
		.run_id = walk->unit.run_id,
	};
	struct etl_change_slice slice = {.change = &change, .fence = walk->fence,
		.expected = part->result.reached, .windows = walk->plan.windows + walk->in, .n = n,
		.commit_id = walk->commit_id, .reason = reason, .held = &walk->held};

	begin_slice(walk);
	if (keep_lease(walk, err) < 0 ||
		store(walk)->ops->change_apply(store(walk), &slice, err) < 0)
		return slice_again(walk, err);
	walk->commit_id[0] = '\0';
	walk->in += n;
	part->result.in = change.windows;
	part->result.reached = change.reached;
	part->result.done = change.done;
	part->result.known = true;
	if (change.done) {
		take_back_rejects(walk);
		walk->planned = false;
		walk->at++;
	}
	return 0;
}

/* A partition that has nothing to change is passed without an audit. */
int etl_change_apply_next(struct etl_change_walk *walk, struct etl_error *err)
{
	struct part *part = &walk->parts[walk->at];

	if (!part->result.changed) {
		walk->at++;
		return 0;
	}
	if (!walk->planned && begin_part(walk, part, err) < 0)
		return -1;
	return apply_slice(walk, part, err);
}
