/* SPDX-License-Identifier: MIT
 *
 * Slots held against claims and records, ledgers and targets held against the source.
 */
#include "laws_end.h"

#include <stdlib.h>

#include <bson/bson.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/jobs.h"
#include "etld.h"
#include "laws.h"
#include "state/documents.h"
#include "world_source.h"

/* ---- no slot is lost without a reason ------------------------------------------------------- */

struct cover {
	int job;
	bool skipped; /* else a run that was */
	int64_t first, last, at;
};

struct covers {
	struct cover *list;
	size_t n, cap;
};

static int64_t date_of(const bson_t *doc, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, doc, key) && BSON_ITER_HOLDS_DATE_TIME(&it) ?
		bson_iter_date_time(&it) : 0;
}

static const char *text_of(const bson_t *doc, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, doc, key) && BSON_ITER_HOLDS_UTF8(&it) ?
		bson_iter_utf8(&it, NULL) : "";
}

static int read_cover(void *ctx, const bson_t *run)
{
	struct covers *covers = ctx;
	struct cover c = {.job = job_index(text_of(run, "job")),
		.skipped = etl_streq(text_of(run, "state"), "skipped"),
		.last = date_of(run, "slot"),
		.first = date_of(run, "slot_first"),
		.at = date_of(run, "started")};

	if (!c.last)
		return 0;
	if (!c.first)
		c.first = c.last;
	ETL_GROW(covers->list, covers->n, covers->cap);
	covers->list[covers->n++] = c;
	return 0;
}

/* When it was; 0 = never. */
static int64_t claimed_at(const struct book_job *b, int64_t slot)
{
	for (size_t i = 0; i < b->n_claims; i++)
		if (b->claims[i].slot == slot)
			return b->claims[i].at;
	return 0;
}

/* A record of skipped slots speaks of those that its clock could know; what a clock that was
 * far ahead said counts until it was put right, and a day more. */
static bool is_covered(const struct covers *covers, int job, int64_t slot, bool run)
{
	for (size_t i = 0; i < covers->n; i++)
		if (covers->list[i].job == job && covers->list[i].skipped != run &&
			covers->list[i].first <= slot && slot <= covers->list[i].last)
			return true;
	return false;
}

/* Slots count from the moment at which the machines and the store know of the schedule; said
 * by a clock that was far ahead, from when that was put right. */
static int64_t first_to_account(const struct interval *in)
{
	int64_t from = in->known;

	if (!in->heard || from == NEVER)
		return NEVER;
	if (in->heard > in->heard_at + DAY || in->wall > in->known + DAY)
		return world.ahead_until > from ? world.ahead_until : from;
	from = in->heard > from ? in->heard : from;
	return in->wall > from ? in->wall : from;
}

/* At the end a run may still go. */
static bool still_goes(int job, int64_t slot)
{
	for (size_t i = book.n_runs; i-- > 0;)
		if (book.runs[i].job == job && book.runs[i].slot == slot && book.runs[i].leased)
			return !book.runs[i].ended &&
				world.machines[book.runs[i].machine].life == book.runs[i].life;
	return false;
}

/* The run that took the lease next was to write down that this one had died, and died itself,
 * or never learned that it had the lease: the lease remembers one run. */
static bool died_twice(int job, int64_t slot)
{
	size_t i = 0;

	while (i < book.n_runs && (book.runs[i].job != job || book.runs[i].slot != slot ||
			!book.runs[i].leased))
		i++;
	for (i++; i < book.n_runs; i++)
		if (book.runs[i].job == job && book.runs[i].leased)
			return !book.runs[i].ended || book.runs[i].unanswered;
	return false;
}

static bool run_goes(int job)
{
	for (size_t i = book.n_runs; i-- > 0 && book.n_runs - i < 64;) {
		const struct book_run *run = &book.runs[i];

		if (run->job == job && run->leased && !run->ended &&
			world.machines[run->machine].life == run->life)
			return true;
	}
	return false;
}

/* A machine on which runs go on in all places. */
static bool is_full(const struct machine *m)
{
	unsigned active = 0;

	for (size_t i = book.n_runs; i-- > 0 && book.n_runs - i < 64;)
		active += !book.runs[i].ended && !book.runs[i].orphan && book.runs[i].machine == m->index &&
			book.runs[i].life == m->life;
	return active >= world.mood.max_active;
}

/* At the end a slot may still be undecided behind runs that go on: another one of its job, or
 * others in all the places of all machines. Example: 03:12:20 waits behind the run of 03:12:00,
 * which ends at 03:13:03; the one place goes to another job for half a minute more, and the
 * history ends. */
static bool still_waits(const struct spec *s, int64_t slot)
{
	bool waits = false, full = true;

	for (int i = 0; i < MACHINES; i++) {
		const struct machine *m = &world.machines[i];
		const struct etld_job *job = m->etld ? etld_job_find(m->etld, s->name) : NULL;

		full &= !m->etld || is_full(m);
		waits |= job && job->sched.live &&
			etl_trigger_before(job->sched.live).ms < slot && slot <= job->sched.live->slot.ms;
	}
	return waits && (full || run_goes((int)(s - conf.specs)));
}

/* The oldest slot so far that nothing tells of; 0 = none. It is lost as soon as a newer one
 * was decided; what was still to be decided when the job left the configuration left with it,
 * also where a machine that had not heard of that yet took the job up again and ran a newer one. */
static int64_t law_interval(const struct spec *s, const struct interval *in,
	const struct covers *covers, int64_t end, int64_t open)
{
	int job = (int)(s - conf.specs);
	etl_wall slot = {first_to_account(in)};

	end = in->to < end ? in->to : end;
	end = in->last_wall < end ? in->last_wall : end;
	while (slot.ms != NEVER && etl_calendar_next(in->calendar, slot, &slot) && slot.ms <= end) {
		int64_t claimed = claimed_at(&book.jobs[job], slot.ms);

		counts.slots++;
		if (claimed && s->there && !is_covered(covers, job, slot.ms, true) &&
			!still_goes(job, slot.ms) && !died_twice(job, slot.ms))
			broken("a run is on record", "%s: slot %s was claimed and no run tells of it",
				s->name, time_text(slot.ms));
		if (!claimed && !is_covered(covers, job, slot.ms, false))
			open = open ? open : slot.ms;
		else if (open && !(in->removed && claimed > in->to))
			broken("no slot is lost without a reason",
				"%s: slot %s did not run, and no record says why", s->name,
				time_text(open));
	}
	return in->removed ? 0 : open;
}

static void law_slots_of(const struct spec *s, const struct covers *covers, int64_t end)
{
	int64_t open = 0;

	for (size_t k = 0; k < s->n_intervals; k++)
		if (s->intervals[k].calendar)
			open = law_interval(s, &s->intervals[k], covers, end, open);
	if (open && !still_waits(s, open))
		broken("no slot is lost without a reason", "%s: slot %s is not decided", s->name,
			time_text(open));
}

static void law_no_slot_lost(int64_t end)
{
	struct covers covers = {0};
	struct etl_error err = ETL_ERROR_INIT;

	BARE(etl_run_list(world.state, NULL, 0, read_cover, &covers, &err));
	for (int i = 0; i < conf.n; i++)
		law_slots_of(&conf.specs[i], &covers, end - conf.specs[i].jitter * SECOND);
	free(covers.list);
}

/* ---- the data is there ---------------------------------------------------------------------- */

int64_t slack(void)
{
	return is_dense() ? 10 * MINUTE : HOUR;
}

int64_t last_round(const struct spec *s, int64_t end)
{
	int64_t period = period_of(s), size = longest_of(s), settle = s->settle;

	for (; s->up >= 0; s = &conf.specs[s->up]) {
		period += period_of(&conf.specs[s->up]);
		size += longest_of(&conf.specs[s->up]);
		settle += conf.specs[s->up].settle;
	}
	return end - 2 * period - size - settle - slack();
}

struct whole {
	const struct spec *spec;
	int64_t covered;
};

/* Its run is to begin, but others have all the places. */
static bool run_waits(const struct spec *s)
{
	for (int i = 0; i < MACHINES; i++) {
		const struct etld_job *job =
			world.machines[i].etld ? etld_job_find(world.machines[i].etld, s->name) : NULL;

		if (job && !job->sched.run && etl_sched_has_waiting(&job->sched))
			return true;
	}
	return false;
}

/* A dependant with slots of its own may find what was marked last at its next one; the others
 * begin when the run that marks has ended and a place is free. */
static int count_entry(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct whole *whole = ctx;
	const struct spec *s = whole->spec;
	bool dirty = entry->dirty && (s->up < 0 ||
		(s->schedule < 0 && !run_goes(s->up) && !run_goes((int)(s - conf.specs)) &&
			!run_waits(s)));

	(void)err;
	if (entry->window.start.ms != whole->covered || !etl_window_is_closed(entry->state) || dirty)
		broken("the ledger is whole at the end", "%s: window %s is %s%s, wanted %s",
			whole->spec->name, time_text(entry->window.start.ms),
			etl_window_state_word(entry->state), dirty ? " and dirty" : "",
			time_text(whole->covered));
	whole->covered = entry->window.end.ms;
	counts.windows++;
	return 0;
}

/* A dependant that was away has missed the marks of that time. */
static bool was_away(const struct spec *s)
{
	for (size_t k = 0; s->up >= 0 && k < s->n_intervals; k++)
		if (s->intervals[k].removed)
			return true;
	return s->up >= 0 && was_away(&conf.specs[s->up]);
}

/* What is read again by rule is in when that rule had its time; without it only what the source
 * had when the window became final. Nothing is in that the source never had. */
static void law_row(const struct spec *s, int station, int64_t index)
{
	const struct spec *root = root_of(s);
	int64_t read = root->reread ?
		world.now - root->reread - 3 * period_of(s) - s->settle - longest_of(s) - slack() :
		row_time(root, index);
	int job = (int)(s - conf.specs), got = target_version(job, station, index);
	int least = was_away(s) ? 0 : row_version(root, station, index, read);

	counts.rows += got != 0;
	counts.changed_rows += got > 1;
	counts.dependants += got && s->up >= 0;
	if (got > row_version(root, station, index, world.now))
		broken("nothing but what the source has", "%s/s%d: row %s is there", s->name, station,
			time_text(row_time(root, index)));
	if (got < least)
		broken("all that the source has is in", "%s/s%d: row %s has version %d, the source %d",
			s->name, station, time_text(row_time(root, index)), got, least);
}

/* Without windows the watermark is the moment of the last read: what was there then is in. */
static void law_full_read(const struct spec *s, int station, int64_t read)
{
	for (int64_t i = 0; i <= index_at(s, world.now); i++) {
		int got = target_version((int)(s - conf.specs), station, i);

		counts.rows += got != 0;
		if (got > row_version(s, station, i, world.now))
			broken("nothing but what the source has", "%s/s%d: row %s is there", s->name,
				station, time_text(row_time(s, i)));
		if (got < row_version(s, station, i, read))
			broken("a full read reads all", "%s/s%d: row %s has version %d, the source %d at %s",
				s->name, station, time_text(row_time(s, i)), got,
				row_version(s, station, i, read), time_text(read));
	}
}

/* `due`: windows that ended before it must be in. */
static void law_station(const struct spec *s, int station, int64_t due)
{
	char partition[4] = {'s', (char)('0' + station), 0};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark mark = {.processed = {s->start}};
	struct etl_window range;
	struct whole whole = {s, s->start};

	world.bare->watermark_get(world.state, s->name, partition, &mark, &err);
	if (end_of(s, mark.processed.ms) <= due)
		broken("catch-up ends", "%s/s%d: the watermark is %s, windows up to %s are due", s->name,
			station, time_text(mark.processed.ms), time_text(due));
	if (s->full) {
		law_full_read(s, station, mark.processed.ms);
		return;
	}
	range = (struct etl_window){{s->start}, mark.processed};
	world.bare->ledger_scan(world.state, s->name, partition, &range, ETL_LEDGER_ALL, count_entry, &whole,
		&err);
	if (whole.covered != mark.processed.ms)
		broken("the ledger is whole at the end", "%s/s%d: up to %s of %s", s->name, station,
			time_text(whole.covered), time_text(mark.processed.ms));
	for (int64_t i = 0; i < index_at(root_of(s), whole.covered); i++)
		law_row(s, station, i);
}

void laws_of_the_end(int64_t end)
{
	law_no_slot_lost(end);
	for (int i = 0; i < conf.n; i++)
		for (int s = 0; conf.specs[i].there && s < conf.specs[i].stations; s++)
			law_station(&conf.specs[i], s, last_round(&conf.specs[i], end));
}
