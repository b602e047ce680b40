/* SPDX-License-Identifier: MIT
 *
 * A backfill's way to the store: its lease, its document, its next piece. Workers: nothing of
 * the loop is touched but the part of the backfill that is the worker's while on_worker.
 */
#include "engine/backfill_step.h"

#include <stdio.h>

#include "base/str.h"
#include "run/lease.h"

#define LEASE_TTL ETL_MINUTES(5)

static void lease_name(const struct etl_backfill *b, char out[64])
{
	snprintf(out, 64, "backfill/%s", b->id); /* a job's name holds no '/' */
}

/* 1 = this etld drives the backfill, 0 = another one does, -1. A lease that was lost is not
 * asked for again in the same step: what the other etld has done meanwhile has to be read
 * first. */
static int own(struct etld_backfill *f)
{
	struct etl_state *state = f->etld->state;
	struct etl_lease lease = {0};
	char name[64];
	struct etl_lease_ask ask = {.job = name, .holder = f->etld->holder, .ttl = LEASE_TTL};
	int got;

	lease_name(&f->save, name);
	if (f->owned && state->ops->lease_renew(state, name, f->fence, LEASE_TTL, &f->error) < 0) {
		if (f->error.kind != ETL_CONFLICT)
			return -1;
		etl_error_clear(&f->error);
		f->owned = false;
		return 0;
	}
	if (f->owned)
		return 1;
	got = etl_lease_take(f->etld->run_env, &ask, &lease, &f->error);
	f->owned = got == 1;
	f->fence = lease.fence;
	return got;
}

static int next_piece(struct etld_backfill *f)
{
	const struct etl_backfill_of of = {f->etld->state, f->etld->database, f->job, &f->save};
	int found;

	if (!f->job || f->job->window.none) {
		f->save.state = ETL_BACKFILL_FAILED;
		etl_text_copy(f->save.reason, sizeof f->save.reason, f->job ?
			"its job has no windows any more (window: none)" :
			"its job left the configuration");
		return 0;
	}
	found = etl_backfill_next(&of, &f->piece, &f->error);
	if (found == 0)
		f->save.state = ETL_BACKFILL_DONE;
	return found < 0 ? -1 : 0;
}

/* An operator's cancel is written whoever drives the backfill: the driver reads it at its next
 * step (read_back, save). */
static int cancel_in_store(struct etld_backfill *f)
{
	struct etl_state *state = f->etld->state;

	return etl_backfill_end(state, f->save.id, ETL_BACKFILL_CANCELLED, f->save.reason,
		etl_now(f->etld->clock), &f->error);
}

/* Takes over what the store has, if the backfill was ended there, or if another etld may have
 * driven it since this one knew it. 1 = it goes on, 0 = it was ended there, -1. A document that
 * was removed ends the backfill as cancelled. */
static int read_back(struct etld_backfill *f, bool taken_over)
{
	struct etl_state *state = f->etld->state;
	struct etl_backfill stored;
	int found = etl_doc_get(state, &etl_backfills, f->save.id, &stored, &f->error);

	if (found < 0)
		return -1;
	if (!found) {
		stored = f->save;
		stored.state = ETL_BACKFILL_CANCELLED;
		etl_text_copy(stored.reason, sizeof stored.reason, "its document was removed");
	}
	if (taken_over || stored.state != ETL_BACKFILL_RUNNING)
		f->save = stored;
	return stored.state == ETL_BACKFILL_RUNNING;
}

/* Saves where the backfill is. A CONFLICT means that it was ended in the store meanwhile: then
 * it is ended here. */
static int save(struct etld_backfill *f)
{
	struct etl_state *state = f->etld->state;

	f->save.updated = etl_now(f->etld->clock);
	if (f->save.state != ETL_BACKFILL_RUNNING)
		f->save.ended = f->save.updated;
	if (etl_backfill_save(state, &f->save, &f->error) == 0)
		return 0;
	if (f->error.kind != ETL_CONFLICT)
		return -1;
	etl_error_clear(&f->error);
	return read_back(f, true) < 0 ? -1 : 0;
}

/* The law of a step, in this order: a cancel, the lease, what the store says, the next piece,
 * the save. Example: etld A stalls in the middle of a backfill, and B takes its lease and does
 * three pieces. When A goes on, its renewal fails, and it does nothing. When B stops and A has
 * the lease again, A reads that the place is behind B's third piece before it looks for a piece
 * of its own; with its own old place it would do the three again. */
void etld_backfill_step_work(struct etld_task *task)
{
	struct etld_backfill *f = (struct etld_backfill *)task;
	struct etl_state *state = f->etld->state;
	struct etl_error ignored = ETL_ERROR_INIT;
	bool had = f->owned;
	char name[64];
	int ours, goes_on;

	etld_on_worker();
	f->tells = had || f->cancelled;
	if (f->cancelled && cancel_in_store(f) < 0)
		return;
	ours = own(f);
	goes_on = ours < 0 ? -1 : read_back(f, !had);
	if (goes_on < 0)
		return;
	if (ours && f->save.state == ETL_BACKFILL_RUNNING && next_piece(f) < 0)
		return;
	if (ours && goes_on && save(f) < 0)
		return;
	f->tells |= ours && goes_on;
	lease_name(&f->save, name);
	/* a lease that cannot be dropped runs out by itself */
	if (ours && f->save.state != ETL_BACKFILL_RUNNING)
		(void)state->ops->lease_drop(state, name, f->fence, &ignored);
}

/* A lost lease is not taken again by a renewal: only a step reads what others have done
 * meanwhile. */
void etld_backfill_renew_work(struct etld_task *task)
{
	struct etld_backfill *f = (struct etld_backfill *)task;

	etld_on_worker();
	if (f->owned)
		own(f);
}
