/* SPDX-License-Identifier: MIT
 *
 * The book of backfills that were asked for, their laws, and the operators who ask.
 */
#include "world_backfill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/backfill.h"
#include "laws.h"
#include "world_conf.h"

struct asked_backfill {
	struct etl_backfill begun, last; /* as it was saved last */
	int64_t at; /* in true time: its machine's clock may have been ahead of windows */
};

static struct {
	struct asked_backfill *list;
	size_t n, cap;
} backfills;

void backfills_fini(void)
{
	free(backfills.list);
	memset(&backfills, 0, sizeof backfills);
}

static struct asked_backfill *backfill_of(const char *id)
{
	for (size_t i = 0; i < backfills.n; i++)
		if (etl_streq(backfills.list[i].begun.id, id))
			return &backfills.list[i];
	broken("a backfill was asked for", "%s", id);
}

/* ---- what passes by ------------------------------------------------------------------------- */

struct closed {
	enum etl_reprocess reprocess;
	int64_t n;
};

/* Closed, or not asked for: a window that has failed is not missing. */
static int count_closed(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct closed *closed = ctx;

	(void)err;
	closed->n += etl_window_is_closed(entry->state) ||
		!etl_reprocess_wants(closed->reprocess, true, entry->state, false);
	return 0;
}

/* As soon as it says so. What waited in vain for its upstream, or failed, it has counted. */
static void law_backfill_done(const struct asked_backfill *a)
{
	const struct etl_backfill *b = &a->last;
	const struct spec *s = &conf.specs[job_index(b->job)];
	struct etl_window range = b->range;
	struct etl_error err = ETL_ERROR_INIT;
	int64_t windows;

	while (range.end.ms > range.start.ms && range.end.ms + s->settle > a->at)
		range.end = etl_grid_steps(&s->grid, range.end, -1);
	windows = (int64_t)etl_grid_count(&s->grid, range);
	if (b->failed || b->blocked || b->lost)
		return;
	counts.backfills_done++;
	for (int k = 0; k < s->stations; k++) {
		char partition[] = {'s', (char)('0' + k), 0};
		struct closed closed = {.reprocess = b->reprocess};

		world.bare->ledger_scan(world.state, b->job, partition, &range, ETL_LEDGER_ALL, count_closed,
			&closed, &err);
		if (closed.n != windows)
			broken("a backfill that is done has closed its windows", "%s of %s/%s: %lld of %lld",
				short_id(b->id), b->job, partition, (long long)closed.n, (long long)windows);
	}
}

void law_backfill_saved(const struct etl_backfill *b)
{
	struct asked_backfill *a = backfill_of(b->id);
	bool back = b->newest_first ? b->at.ms > a->last.at.ms : b->at.ms < a->last.at.ms;

	if (a->last.state != ETL_BACKFILL_RUNNING)
		broken("a backfill that has ended stays so", "%s: %s, and now %s", short_id(b->id),
			etl_backfill_state_word(a->last.state), etl_backfill_state_word(b->state));
	if (back || b->pieces < a->last.pieces)
		broken("a backfill goes forward", "%s: from %s to %s, %llu pieces and then %llu",
			short_id(b->id), time_text(a->last.at.ms), time_text(b->at.ms),
			(unsigned long long)a->last.pieces, (unsigned long long)b->pieces);
	if (b->state != ETL_BACKFILL_RUNNING)
		tell("backfill %s ends: %s %s", short_id(b->id), etl_backfill_state_word(b->state),
			b->reason);
	a->last = *b;
	if (b->state == ETL_BACKFILL_DONE)
		law_backfill_done(a);
}

void law_backfill_ended(const char *id, enum etl_backfill_state state)
{
	struct asked_backfill *a = backfill_of(id);

	if (a->last.state != ETL_BACKFILL_RUNNING)
		broken("a backfill that has ended stays so", "%s", short_id(id));
	a->last.state = state;
	tell("backfill %s ends: %s", short_id(id), etl_backfill_state_word(state));
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Asked for by a clock that was ahead, it waits until its windows are over. */
static bool may_end(const struct etl_backfill *b)
{
	return b->state == ETL_BACKFILL_RUNNING &&
		b->range.end.ms + conf.specs[job_index(b->job)].settle + HOUR <= world.now;
}

bool backfills_go_on(void)
{
	for (size_t i = 0; i < backfills.n; i++)
		if (may_end(&backfills.list[i].last))
			return true;
	return false;
}

void laws_of_backfills(void)
{
	for (size_t i = 0; i < backfills.n; i++) {
		const struct etl_backfill *b = &backfills.list[i].last;

		if (may_end(b))
			broken("a backfill ends", "%s of %s goes on from %s", short_id(b->id), b->job,
				time_text(b->at.ms));
	}
}

/* ---- operators ------------------------------------------------------------------------------ */

/* Of what is stale none is asked for: the jobs here have one definition and one target. */
static void begin_backfill(struct machine *m, const struct etld_job *job)
{
	const struct spec *s = &conf.specs[job_index(job->name)];
	struct etl_backfill b = {.state = ETL_BACKFILL_RUNNING, .attempt = 1, .who = "sim",
		.newest_first = one_in(2), .reprocess = (enum etl_reprocess)roll(ETL_REPROCESS_STALE)};
	struct etl_error err = ETL_ERROR_INIT;

	b.range.start = etl_grid_steps(&s->grid, (etl_wall){s->start}, roll(8));
	b.range.end = etl_grid_steps(&s->grid, b.range.start, between(1, 40));
	if (one_in(2)) /* so long for 30 windows */
		b.rate = 30000.0 / (double)(between(1, 2) * world.mood.unit);
	if (s->full || !etl_backfill_cut(job->job, (etl_wall){wall_of(m)}, &b.range))
		return; /* the daemon refuses that */
	b.at = b.newest_first ? b.range.end : b.range.start;
	b.created = b.updated = (etl_wall){wall_of(m)};
	b.windows = 1;
	snprintf(b.id, sizeof b.id, "00000000-0000-7000-8000-%012zu", backfills.n);
	etl_text_copy(b.job, sizeof b.job, job->name);
	tell("%s: backfill %s of %s to %s", job->name, short_id(b.id), time_text(b.range.start.ms),
		time_text(b.range.end.ms));
	ETL_GROW(backfills.list, backfills.n, backfills.cap);
	backfills.list[backfills.n++] = (struct asked_backfill){b, b, world.now};
	counts.backfills++;
	BARE(etl_backfill_save(world.state, &b, &err));
	etld_backfill_start(m->etld, &b);
}

/* At any machine, whoever drives it; if the store is unreachable, where it is driven. */
static void cancel_backfill(struct machine *m)
{
	struct asked_backfill *a = &backfills.list[roll((int64_t)backfills.n)];
	struct etld_backfill *here = etld_backfill_find(m->etld, a->begun.id);
	struct etl_error err = ETL_ERROR_INIT;

	if (m->etld->mongodb_up && etl_backfill_end(world.state, a->begun.id, ETL_BACKFILL_CANCELLED,
					   "cancelled by sim", (etl_wall){wall_of(m)}, &err) != 1)
		return;
	if (here)
		etld_backfill_cancel(here, "sim");
}

void act_managed_backfill(struct machine *m, const struct etld_job *job)
{
	if (backfills.n && one_in(4))
		cancel_backfill(m);
	else if (job && m->etld->mongodb_up)
		begin_backfill(m, job);
}
