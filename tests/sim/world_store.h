/* SPDX-License-Identifier: MIT
 *
 * The store in memory, one for all machines, behind what can happen on the way to it: it is
 * away, an answer is lost after the deed is done, the process dies before or after a call.
 * Calls that succeed pass by the book.
 */
#ifndef TESTS_SIM_WORLD_STORE_H
#define TESTS_SIM_WORLD_STORE_H

#include "world_backfill.h"
#include "world_deadline.h"
#include "world_sensor.h"

static inline int cannot_reach(struct etl_error *err)
{
	if (w.acting)
		w.acting->cut_off = w.now;
	return etl_error_set(err, ETL_TRANSIENT, "mongodb.unreachable", "no server could be reached");
}

static inline void dies(struct machine *m)
{
	tell("the process dies inside of a store call");
	counts.crashes_inside++;
	m->dead = true;
	m->crash_in = 0;
}

static inline bool store_is_away(const struct machine *m)
{
	return w.now < w.away_until || w.now < m->away_until;
}

/* Before the deed; -1: it is not done. */
static inline int way_there(const char *call, struct etl_error *err)
{
	struct machine *m = w.acting;
	bool here;

	if (!m)
		return 0;
	here = !m->crash_at || etl_streq(m->crash_at, call);
	if (!m->dead && m->crash_in > 0 && here && !--m->crash_in) {
		if (!m->crash_after)
			dies(m);
		else
			m->crash_in = -1; /* way_back */
	}
	if (m->dead || store_is_away(m))
		return cannot_reach(err);
	return 0;
}

/* After it; the answer may not come. */
static inline int way_back(int rc, struct etl_error *err)
{
	struct machine *m = w.acting;

	if (!m)
		return rc;
	if (m->crash_in < 0)
		dies(m);
	if (m->dead)
		return cannot_reach(err);
	if (w.now < w.lossy_until && one_in(6)) {
		counts.lost_answers++;
		tell("the store's answer is lost");
		return cannot_reach(err);
	}
	return rc;
}

static int store_prepare(struct etl_state *s, struct etl_error *err)
{
	return way_there("prepare", err) < 0 ? -1 : way_back(real_ops->prepare(s, err), err);
}

static bool store_has_transactions(struct etl_state *s)
{
	(void)s;
	return w.mood.transactions;
}

static int store_lease_acquire(struct etl_state *s, const struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err)
{
	struct book_run *run = ask->run_id ? book_run_of(ask->run_id) : NULL; /* else a backfill's */
	struct etl_lease got = *lease;
	int rc;

	if (way_there("lease_acquire", err) < 0)
		return -1;
	rc = real_ops->lease_acquire(s, ask, &got, err);
	if (run)
		run->leased = rc == 1;
	if (rc == 1 && ask->slot.ms)
		law_claim(ask->job, ask->slot.ms, ask->run_id);
	counts.refusals += rc == 0;
	book.n_refused += rc == 0;
	if (rc == 0)
		tell("%s: the lease is refused: slots are decided up to %s, held by %s until %s", ask->job,
			time_text(got.slot.ms), got.holder, time_text(got.expires.ms));
	if (way_back(0, err) < 0) {
		if (run)
			run->unanswered = true;
		return -1;
	}
	*lease = got;
	return rc;
}

static int store_lease_renew(struct etl_state *s, const char *job, int64_t fence, etl_dur ttl,
	struct etl_error *err)
{
	if (way_there("lease_renew", err) < 0)
		return -1;
	if (w.now < w.no_renewal_until)
		return cannot_reach(err);
	return way_back(real_ops->lease_renew(s, job, fence, ttl, err), err);
}

static int store_lease_release(struct etl_state *s, const char *job, int64_t fence,
	struct etl_error *err)
{
	if (way_there("lease_release", err) < 0)
		return -1;
	return way_back(real_ops->lease_release(s, job, fence, err), err);
}

static int store_lease_end(struct etl_state *s, const char *job, int64_t fence,
	const struct etl_last_run *last, struct etl_error *err)
{
	if (way_there("lease_release", err) < 0)
		return -1;
	return way_back(real_ops->lease_end(s, job, fence, last, err), err);
}

static int store_slots_save(struct etl_state *s, const struct etl_slot_note *notes, size_t n,
	struct etl_error *err)
{
	if (way_there("slots_save", err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		law_note(&notes[i]);
	return way_back(real_ops->slots_save(s, notes, n, err), err);
}

static int store_open_sums(struct etl_state *s, const char *job, const struct etl_window *range,
	etl_open_fn fn, void *ctx, struct etl_error *err)
{
	return way_there("open_sums", err) < 0 ? -1 : real_ops->open_sums(s, job, range, fn, ctx, err);
}

static int store_schedule_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err)
{
	return way_there("schedule_list", err) < 0 ? -1 : real_ops->schedule_list(s, fn, ctx, err);
}

static int store_schedule_get(struct etl_state *s, const char *job, struct etl_schedule_info *out,
	struct etl_error *err)
{
	return way_there("schedule_get", err) < 0 ? -1 : real_ops->schedule_get(s, job, out, err);
}

static int store_watermark_claim(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, etl_wall origin, int64_t window_ms, struct etl_watermark *out,
	struct etl_error *err)
{
	if (way_there("watermark_claim", err) < 0)
		return -1;
	if (real_ops->watermark_claim(s, job, partition, fence, origin, window_ms, out, err) < 0)
		return way_back(-1, err);
	law_partition_claim(job, partition, fence);
	return way_back(0, err);
}

static int store_watermark_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const char *partition,
		const struct etl_watermark *watermark),
	void *ctx, struct etl_error *err)
{
	return way_there("watermark_list", err) < 0 ? -1 : real_ops->watermark_list(s, fn, ctx, err);
}

static int store_ledger_open(struct etl_state *s, const char *job, size_t max,
	int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry), void *ctx,
	struct etl_error *err)
{
	if (way_there("ledger_open", err) < 0)
		return -1;
	return real_ops->ledger_open(s, job, max, fn, ctx, err);
}

static int store_ledger_scan(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, enum etl_ledger_select select, etl_ledger_fn fn, void *ctx,
	struct etl_error *err)
{
	if (way_there("ledger_scan", err) < 0)
		return -1;
	return real_ops->ledger_scan(s, job, partition, range, select, fn, ctx, err);
}

static int store_begin(struct etl_state *s, struct etl_txn **txn, struct etl_error *err)
{
	(void)s;
	if (way_there("begin", err) < 0)
		return -1;
	*txn = w.mood.transactions ? (struct etl_txn *)(void *)ETL_NEW(struct sim_txn) : NULL;
	return 0;
}

static void txn_free(struct sim_txn *txn)
{
	if (txn)
		free(txn->rows);
	free(txn);
}

static int store_commit(struct etl_state *s, struct etl_txn *txn, const struct etl_commit *c,
	struct etl_error *err)
{
	struct sim_txn *rows = (struct sim_txn *)(void *)txn;
	int rc = way_there("commit", err);

	if (rc == 0)
		rc = real_ops->commit(s, NULL, c, err);
	if (rc == 0) {
		if (rows)
			rows_apply(rows);
		law_commit(c);
		book_mark(c->job, c->partition);
		rc = way_back(0, err);
	} else if (err->kind == ETL_CONFLICT) {
		counts.fenced++;
		tell("%s/%s: a commit of run %s is refused: %s", c->job, c->partition, short_id(c->run_id),
			err->message);
	}
	txn_free(rows);
	return rc;
}

static void store_abort(struct etl_state *s, struct etl_txn *txn)
{
	(void)s;
	txn_free((struct sim_txn *)(void *)txn);
}

static int store_ledger_mark(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, const struct etl_ledger_entry *entries, size_t n, struct etl_error *err)
{
	if (way_there("ledger_mark", err) < 0)
		return -1;
	return way_back(real_ops->ledger_mark(s, job, partition, fence, entries, n, err), err);
}

static int store_run_save(struct etl_state *s, const struct etl_run_record *run,
	struct etl_error *err)
{
	if (way_there(etl_streq(run->state, "skipped") ? "skip" : "run_save", err) < 0)
		return -1;
	law_record(run);
	law_given_up(w.acting, run);
	return way_back(real_ops->run_save(s, run, err), err);
}

static int store_run_get(struct etl_state *s, const char *run_id, bson_t *out,
	struct etl_error *err)
{
	return way_there("run_get", err) < 0 ? -1 : real_ops->run_get(s, run_id, out, err);
}

static int store_pause_set(struct etl_state *s, const char *job, bool paused, const char *who,
	const char *why, struct etl_error *err)
{
	if (way_there("pause_set", err) < 0)
		return -1;
	book.jobs[job_index(job)].paused_on_record = paused;
	return way_back(real_ops->pause_set(s, job, paused, who, why, err), err);
}

static int store_pause_list(struct etl_state *s,
	int (*fn)(void *ctx, const struct etl_pause *pause), void *ctx, struct etl_error *err)
{
	return way_there("pause_list", err) < 0 ? -1 : real_ops->pause_list(s, fn, ctx, err);
}

/* The source of a history says nothing that could be refused. */
static int store_dead_letters_add(struct etl_state *s, const struct etl_dead_letter_info *info,
	const struct etl_reject *rejects, size_t n, struct etl_error *err)
{
	(void)s;
	(void)n;
	(void)err;
	broken("no record is refused", "%s/%s: %s", info->job, info->partition, rejects->message);
}

static int store_alert_once(struct etl_state *s, const char *key, struct etl_error *err)
{
	int rc;

	if (way_there("alert_once", err) < 0)
		return -1;
	rc = real_ops->alert_once(s, key, err);
	if (rc >= 0)
		law_alert(w.acting, key, rc == 1);
	return way_back(rc, err);
}

static int store_backfill_save(struct etl_state *s, const struct etl_backfill *b, struct etl_error *err)
{
	int rc;

	if (way_there("backfill_save", err) < 0)
		return -1;
	rc = real_ops->backfill_save(s, b, err);
	if (rc == 0)
		law_backfill_saved(b);
	return way_back(rc, err);
}

static int store_backfill_get(struct etl_state *s, const char *id, struct etl_backfill *out,
	struct etl_error *err)
{
	if (way_there("backfill_get", err) < 0)
		return -1;
	return way_back(real_ops->backfill_get(s, id, out, err), err);
}

static int store_backfill_end(struct etl_state *s, const char *id, enum etl_backfill_state state,
	const char *reason, etl_wall at, struct etl_error *err)
{
	int rc;

	if (way_there("backfill_end", err) < 0)
		return -1;
	rc = real_ops->backfill_end(s, id, state, reason, at, err);
	if (rc == 1)
		law_backfill_ended(id, state);
	return way_back(rc, err);
}

static int store_backfill_list(struct etl_state *s, const char *job, bool running_only, int limit,
	int (*fn)(void *ctx, const struct etl_backfill *backfill), void *ctx, struct etl_error *err)
{
	if (way_there("backfill_list", err) < 0)
		return -1;
	return way_back(real_ops->backfill_list(s, job, running_only, limit, fn, ctx, err), err);
}

static void store_stays(struct etl_state *s)
{
	(void)s; /* a process lets go of it; the world frees it */
}

static void store_open(void)
{
	static struct etl_state_ops ops;

	w.state = etl_state_memory_new(&true_clock);
	real_ops = w.state->ops;
	ops = *real_ops;
	ops.prepare = store_prepare;
	ops.has_transactions = store_has_transactions;
	ops.lease_acquire = store_lease_acquire;
	ops.lease_renew = store_lease_renew;
	ops.lease_release = store_lease_release;
	ops.lease_end = store_lease_end;
	ops.slots_save = store_slots_save;
	ops.schedule_list = store_schedule_list;
	ops.open_sums = store_open_sums;
	ops.schedule_get = store_schedule_get;
	ops.watermark_claim = store_watermark_claim;
	ops.watermark_list = store_watermark_list;
	ops.ledger_scan = store_ledger_scan;
	ops.ledger_open = store_ledger_open;
	ops.begin = store_begin;
	ops.commit = store_commit;
	ops.abort = store_abort;
	ops.ledger_mark = store_ledger_mark;
	ops.run_save = store_run_save;
	ops.run_get = store_run_get;
	ops.dead_letters_add = store_dead_letters_add;
	ops.pause_set = store_pause_set;
	ops.pause_list = store_pause_list;
	ops.alert_once = store_alert_once;
	ops.backfill_save = store_backfill_save;
	ops.backfill_get = store_backfill_get;
	ops.backfill_end = store_backfill_end;
	ops.backfill_list = store_backfill_list;
	ops.free = store_stays;
	w.state->ops = &ops;
}

static void store_close(void)
{
	real_ops->free(w.state);
	w.state = NULL;
}

#endif
