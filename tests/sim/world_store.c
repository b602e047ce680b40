/* SPDX-License-Identifier: MIT
 *
 * Each call of the store: the way there, the deed, the book, the way back.
 */
#include "world_store.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "laws.h"
#include "ops/backfill.h"
#include "state/documents.h"
#include "state/doc_read.h"
#include "world_backfill.h"
#include "world_deadline.h"
#include "world_sensor.h"
#include "world_source.h"

static int cannot_reach(struct etl_error *err)
{
	if (world.acting)
		world.acting->cut_off = world.now;
	return etl_error_set(err, ETL_TRANSIENT, "mongodb.unreachable", "no server could be reached");
}

static void dies(struct machine *m)
{
	tell("the process dies inside of a store call");
	counts.crashes_inside++;
	m->dead = true;
	m->crash_in = 0;
}

static bool store_is_away(const struct machine *m)
{
	return world.now < world.away_until || world.now < m->away_until;
}

int way_there(const char *call, struct etl_error *err)
{
	struct machine *m = world.acting;
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
static int way_back(int rc, struct etl_error *err)
{
	struct machine *m = world.acting;

	if (!m)
		return rc;
	if (m->crash_in < 0)
		dies(m);
	if (m->dead)
		return cannot_reach(err);
	if (world.now < world.lossy_until && one_in(6)) {
		counts.lost_answers++;
		tell("the store's answer is lost");
		return cannot_reach(err);
	}
	return rc;
}

static int store_prepare(struct etl_state *s, struct etl_error *err)
{
	return way_there("prepare", err) < 0 ? -1 : way_back(world.bare->prepare(s, err), err);
}

static bool store_has_transactions(struct etl_state *s)
{
	(void)s;
	return world.mood.transactions;
}

static int store_lease_acquire(struct etl_state *s, const struct etl_lease_ask *ask,
	struct etl_lease *lease, struct etl_error *err)
{
	struct book_run *run = ask->run_id ? book_run_of(ask->run_id) : NULL; /* else a backfill's */
	struct etl_lease got = *lease;
	int rc;

	if (way_there("lease_acquire", err) < 0)
		return -1;
	rc = world.bare->lease_acquire(s, ask, &got, err);
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
	if (world.now < world.no_renewal_until)
		return cannot_reach(err);
	return way_back(world.bare->lease_renew(s, job, fence, ttl, err), err);
}

static int store_lease_release(struct etl_state *s, const char *job, int64_t fence,
	struct etl_error *err)
{
	if (way_there("lease_release", err) < 0)
		return -1;
	return way_back(world.bare->lease_release(s, job, fence, err), err);
}

static int store_lease_end(struct etl_state *s, const char *job, int64_t fence,
	const struct etl_last_run *last, struct etl_error *err)
{
	if (way_there("lease_release", err) < 0)
		return -1;
	return way_back(world.bare->lease_end(s, job, fence, last, err), err);
}

static int store_slots_save(struct etl_state *s, const struct etl_slot_note *notes, size_t n,
	struct etl_error *err)
{
	if (way_there("slots_save", err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		law_note(&notes[i]);
	return way_back(world.bare->slots_save(s, notes, n, err), err);
}

static int store_open_sums(struct etl_state *s, const char *job, const struct etl_window *range,
	etl_open_fn fn, void *ctx, struct etl_error *err)
{
	return way_there("open_sums", err) < 0 ? -1 : world.bare->open_sums(s, job, range, fn, ctx, err);
}

static int store_schedule_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx,
	struct etl_error *err)
{
	return way_there("schedule_list", err) < 0 ? -1 : world.bare->schedule_list(s, fn, ctx, err);
}

static int store_schedule_get(struct etl_state *s, const char *job, struct etl_schedule_info *out,
	struct etl_error *err)
{
	return way_there("schedule_get", err) < 0 ? -1 : world.bare->schedule_get(s, job, out, err);
}

static int store_watermark_claim(struct etl_state *s, const char *job, const char *partition,
	int64_t fence, etl_wall origin, int64_t window_ms, struct etl_watermark *out,
	struct etl_error *err)
{
	if (way_there("watermark_claim", err) < 0)
		return -1;
	if (world.bare->watermark_claim(s, job, partition, fence, origin, window_ms, out, err) < 0)
		return way_back(-1, err);
	law_partition_claim(job, partition, fence);
	return way_back(0, err);
}

static int store_watermark_list(struct etl_state *s,
	int (*fn)(void *ctx, const char *job, const char *partition,
		const struct etl_watermark *watermark),
	void *ctx, struct etl_error *err)
{
	return way_there("watermark_list", err) < 0 ? -1 : world.bare->watermark_list(s, fn, ctx, err);
}

static int store_ledger_open(struct etl_state *s, const char *job, size_t max,
	int (*fn)(void *ctx, const char *partition, const struct etl_ledger_entry *entry), void *ctx,
	struct etl_error *err)
{
	if (way_there("ledger_open", err) < 0)
		return -1;
	return world.bare->ledger_open(s, job, max, fn, ctx, err);
}

static int store_ledger_scan(struct etl_state *s, const char *job, const char *partition,
	const struct etl_window *range, enum etl_ledger_select select, etl_ledger_fn fn, void *ctx,
	struct etl_error *err)
{
	if (way_there("ledger_scan", err) < 0)
		return -1;
	return world.bare->ledger_scan(s, job, partition, range, select, fn, ctx, err);
}

static int store_begin(struct etl_state *s, struct etl_txn **txn, struct etl_error *err)
{
	(void)s;
	if (way_there("begin", err) < 0)
		return -1;
	*txn = world.mood.transactions ? (struct etl_txn *)(void *)ETL_NEW(struct sim_txn) : NULL;
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
		rc = world.bare->commit(s, NULL, c, err);
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
	return way_back(world.bare->ledger_mark(s, job, partition, fence, entries, n, err), err);
}

/* What the laws look at. */
static struct etl_run_record record_of(const bson_t *doc)
{
	return (struct etl_run_record){.run_id = etl_doc_text(doc, "run_id"),
		.job = etl_doc_text(doc, "job"), .state = etl_doc_text(doc, "state"),
		.code = etl_doc_text(doc, "code"), .slot = etl_doc_date(doc, "slot"),
		.slot_first = etl_doc_date(doc, "slot_first"), .slots = (uint64_t)etl_doc_int(doc, "slots")};
}

/* Who dies in a certain call dies in one of these. */
static const char *call_of(const struct etl_collection *c, const bson_t *doc)
{
	if (c != &etl_runs)
		return "put";
	return etl_streq(etl_doc_text(doc, "state"), "skipped") ? "skip" : "run_save";
}

static void note_pause_stored(const bson_t *doc)
{
	struct etl_error ignored = ETL_ERROR_INIT;
	struct etl_pause pause;

	book.jobs[job_index(etl_doc_text(doc, "_id"))].paused_on_record =
		etl_pauses.decode(doc, &pause, &ignored) == 1;
}

static void note_put(const struct etl_collection *c, const bson_t *doc)
{
	struct etl_run_record run;

	/* The source of a history says nothing that could be refused. */
	if (c == &etl_dead_letters)
		broken("no record is refused", "%s/%s: %s", etl_doc_text(doc, "job"),
			etl_doc_text(doc, "partition"), etl_doc_text(doc, "message"));
	if (c == &etl_pauses)
		note_pause_stored(doc);
	if (c != &etl_runs)
		return;
	run = record_of(doc);
	law_record(&run);
	law_given_up(world.acting, &run);
}

static int store_put(struct etl_state *s, const struct etl_collection *c, bson_t *const *docs,
	size_t n, struct etl_error *err)
{
	if (way_there(call_of(c, docs[0]), err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		note_put(c, docs[i]);
	return way_back(world.bare->put(s, c, docs, n, err), err);
}

static int store_put_if(struct etl_state *s, const struct etl_collection *c, const bson_t *doc,
	const struct etl_equal *when, struct etl_error *err)
{
	struct etl_backfill b;
	int rc;

	if (way_there("put_if", err) < 0)
		return -1;
	rc = world.bare->put_if(s, c, doc, when, err);
	if (c == &etl_alerts && rc >= 0)
		law_alert(world.acting, etl_doc_text(doc, "_id"), rc == 1);
	if (c == &etl_backfills && rc == 1 && c->decode(doc, &b, err) == 1)
		law_backfill_saved(&b);
	if (c == &etl_pauses && rc == 1)
		note_pause_stored(doc);
	return way_back(rc, err);
}

static int store_update(struct etl_state *s, const struct etl_collection *c, const char *id,
	const struct etl_equal *when, const bson_t *fields, struct etl_error *err)
{
	struct etl_backfill b;
	int rc;

	if (way_there("update", err) < 0)
		return -1;
	rc = world.bare->update(s, c, id, when, fields, err);
	if (c == &etl_backfills && rc == 1 && c->decode(fields, &b, err) == 1)
		law_backfill_ended(id, b.state);
	return way_back(rc, err);
}

static int store_list(struct etl_state *s, const struct etl_collection *c,
	const struct etl_doc_query *query, etl_doc_fn fn, void *ctx, struct etl_error *err)
{
	if (way_there("list", err) < 0)
		return -1;
	return way_back(world.bare->list(s, c, query, fn, ctx, err), err);
}

static int store_remove(struct etl_state *s, const struct etl_collection *c, const char *id,
	struct etl_error *err)
{
	if (way_there("remove", err) < 0)
		return -1;
	return way_back(world.bare->remove(s, c, id, err), err);
}

static void store_stays(struct etl_state *s)
{
	(void)s; /* a process lets go of it; the world frees it */
}

void store_open(void)
{
	static struct etl_state_ops ops;

	world.state = etl_state_memory_new(&true_clock);
	world.bare = world.state->ops;
	ops = *world.bare;
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
	ops.put = store_put;
	ops.put_if = store_put_if;
	ops.update = store_update;
	ops.list = store_list;
	ops.remove = store_remove;
	ops.free = store_stays;
	world.state->ops = &ops;
}

void store_close(void)
{
	world.bare->free(world.state);
	world.state = NULL;
}
