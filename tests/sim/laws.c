/* SPDX-License-Identifier: MIT
 *
 * The book as it is kept, and what each law asks of it.
 */
#include "laws.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "run/run.h"
#include "sched/slots.h"
#include "world_source.h"

struct counts counts;
struct book book;

const char *short_id(const char *id)
{
	return strlen(id) > 24 ? id + 24 : id;
}

void book_init(void)
{
	for (int i = 0; i < JOBS; i++)
		for (int s = 0; s < STATIONS; s++)
			book.jobs[i].committer[s] = -1;
}

void book_fini(void)
{
	for (int i = 0; i < JOBS; i++)
		free(book.jobs[i].claims);
	free(book.runs);
	book = (struct book){0};
}

struct book_run *book_run_of(const char *id)
{
	for (size_t i = book.n_runs; i-- > 0;)
		if (etl_streq(book.runs[i].id, id))
			return &book.runs[i];
	return NULL;
}

/* ---- slots ---------------------------------------------------------------------------------- */

/* Edited and edited back, and the store has heard of neither: who starts then cannot know that
 * the schedule was another one in between. 0 = it was not so. */
static int64_t goes_on_until(const struct spec *s, size_t k)
{
	for (size_t i = k + 1; i + 1 < s->n_intervals && !s->intervals[i].heard; i++)
		if (s->intervals[i + 1].schedule == s->intervals[k].schedule)
			return s->intervals[i + 1].from;
	return 0;
}

static const struct interval *interval_of(const struct spec *s, int64_t slot)
{
	for (size_t k = 0; k < s->n_intervals; k++) {
		const struct interval *in = &s->intervals[k];
		int64_t last = in->let_go;
		etl_wall next;

		if (in->removed && !in->retired && k + 1 < s->n_intervals)
			last = s->intervals[k + 1].known; /* nobody lived to tell that it was gone */
		if (last < goes_on_until(s, k))
			last = goes_on_until(s, k);
		if (in->calendar && slot > in->from - (world.mood.clocks ? NEVER / 2 : 0) &&
			(world.mood.clocks || slot <= last) &&
			etl_calendar_next(in->calendar, (etl_wall){slot - 1}, &next) &&
			next.ms == slot)
			return in;
	}
	return NULL;
}

void law_claim(const char *job, int64_t slot, const char *run_id)
{
	struct book_job *b = &book.jobs[job_index(job)];
	struct claim *claim;

	counts.claims++;
	tell("%s: slot %s is claimed by run %s", job, time_text(slot), short_id(run_id));
	if (slot <= b->cursor)
		broken("no slot twice", "%s: slot %s was claimed, and slots were decided up to %s", job,
			time_text(slot), time_text(b->cursor));
	if (!interval_of(&conf.specs[job_index(job)], slot))
		broken("only slots of the schedule in force", "%s: %s is none", job, time_text(slot));
	b->cursor = slot;
	heard_of(&conf.specs[job_index(job)], slot - 1);
	ETL_GROW(b->claims, b->n_claims, b->claims_cap);
	claim = &b->claims[b->n_claims++];
	*claim = (struct claim){.slot = slot, .at = world.now};
	snprintf(claim->run_id, sizeof claim->run_id, "%s", run_id);
}

void law_note(const struct etl_slot_note *note)
{
	struct book_job *b = &book.jobs[job_index(note->job)];

	counts.notes++;
	tell("%s: slots are decided %s %s (%s)", note->job, note->back ? "back to" : "up to",
		time_text(note->slot.ms), *note->schedule ? note->schedule : "retired");
	if (*note->schedule)
		heard_of(&conf.specs[job_index(note->job)], note->slot.ms);
	else if (!conf.specs[job_index(note->job)].there)
		heard_of_removal(&conf.specs[job_index(note->job)]);
	if (note->back ? note->slot.ms < b->cursor : note->slot.ms > b->cursor)
		b->cursor = note->slot.ms;
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* A slot of the schedule that fell due after `slot` and before the machine last had rest. */
static bool newer_is_due(const struct machine *m, const struct etl_job *job, int64_t slot)
{
	etl_wall next;

	return etl_calendar_next(job->calendar, (etl_wall){slot}, &next) &&
		next.ms + etl_dur_ms(etl_job_jitter(job, m->host)) <=
			(m->quiet_wall < wall_of(m) ? m->quiet_wall : wall_of(m));
}

static void law_pools(const struct machine *m, const struct etl_sched *sched, bool backfill)
{
	struct etl_sched_facts facts;
	unsigned active = 0, backfills = 0;
	unsigned most = world.mood.max_active / 2 ? world.mood.max_active / 2 : 1;

	for (size_t i = book.n_runs; i-- > 0 && book.n_runs - i < 64;) {
		const struct book_run *run = &book.runs[i];

		if (run->ended || run->orphan || run->machine != m->index || run->life != m->life)
			continue;
		active++;
		backfills += run->kind == ETL_TRIGGER_BACKFILL;
	}
	if (active > world.mood.max_active)
		broken("at most max_active runs", "%u of %u go on", active, world.mood.max_active);
	if (backfills > most)
		broken("half of the places for backfills", "%u go on", backfills);
	etl_sched_facts(sched, &facts);
	if (backfill && facts.ready)
		broken("live before backfill", "a backfill starts, and %zu live ones wait", facts.ready);
}

static void law_slot_starts(const struct machine *m, const struct etl_job *job,
	const struct etl_trigger *trigger)
{
	int64_t slot = trigger->slot.ms;
	bool late = trigger->kind == ETL_TRIGGER_CATCH_UP;

	if (m->paused[job_index(job->name)])
		broken("nothing runs while paused", "%s: slot %s", job->name, time_text(slot));
	if (!world.mood.clocks && slot <= m->resumed[job_index(job->name)])
		broken("a pause skips its slots", "%s: slot %s", job->name, time_text(slot));
	if (slot + etl_dur_ms(etl_job_jitter(job, m->host)) > wall_of(m))
		broken("no slot before its time", "%s: slot %s", job->name, time_text(slot));
	if (slot <= m->before[job_index(job->name)])
		return; /* it waits since before a reload: decided by the policy of then */
	if (job->misfire == ETL_MISFIRE_SKIP && late)
		broken("misfire skip: no slot late", "%s: slot %s", job->name, time_text(slot));
	if (job->misfire == ETL_MISFIRE_RUN_EACH && late && trigger->as_of.ms != slot)
		broken("run_each: as of its slot", "%s: slot %s", job->name, time_text(slot));
	/* the others may have skipped the newer one, while this waited for a place or its sensor */
	if (job->misfire == ETL_MISFIRE_RUN_LATEST && job->overlap != ETL_OVERLAP_SKIP &&
		!job->wait_for && newer_is_due(m, job, slot))
		broken("the newest slot runs", "%s: slot %s starts, a newer one is due", job->name,
			time_text(slot));
}

void law_starts(const struct machine *m, const struct etl_job *job,
	const struct etl_trigger *trigger)
{
	for (size_t i = book.n_runs; i-- > 0 && book.n_runs - i < 64;)
		if (book.runs[i].machine == m->index && book.runs[i].life == m->life &&
			book.runs[i].job == job_index(job->name) && !book.runs[i].ended &&
			!book.runs[i].orphan)
			broken("one run a job", "%s starts a second one", job->name);
	if (trigger->slot.ms)
		law_slot_starts(m, job, trigger);
}

void book_started(const struct machine *m, const struct etl_sched *sched,
	const struct etl_run *run)
{
	struct book_run *b;

	counts.runs++;
	counts.each += run->trigger.as_of.ms != 0;
	ETL_GROW(book.runs, book.n_runs, book.runs_cap);
	b = &book.runs[book.n_runs++];
	*b = (struct book_run){.job = job_index(run->job->name), .machine = m->index,
		.life = m->life, .kind = run->trigger.kind, .slot = run->trigger.slot.ms,
		.as_of = run->trigger.as_of.ms, .misfire = run->job->misfire};
	snprintf(b->id, sizeof b->id, "%s", run->run_id);
	tell("%s: run %s starts (%s%s%s)", run->job->name, short_id(run->run_id),
		etl_trigger_word(run->trigger.kind), b->slot ? ", slot " : "",
		b->slot ? time_text(b->slot) : "");
	law_pools(m, sched, b->kind == ETL_TRIGGER_BACKFILL);
	if (world.ambush)
		push(world.now + roll(one_in(2) ? 50 : 2000), EVENT_ACT, NULL,
			(void *)(intptr_t)(world.ambush + ACTS * (m->index + 1)));
	world.ambush = 0;
}

void book_ended(const struct etl_run *run)
{
	struct book_run *b = book_run_of(run->run_id);

	tell("%s: run %s has ended: %s%s%.100s", run->job->name, short_id(run->run_id),
		etl_run_state_word(run->state), run->error.kind ? ": " : "",
		run->error.kind ? run->error.message : "");
	if (b)
		b->ended = true;
}

/* ---- commits -------------------------------------------------------------------------------- */

struct look {
	int64_t covered;
	bool gap;
};

static int look_at_entry(void *ctx, const struct etl_ledger_entry *entry,
	struct etl_error *err)
{
	struct look *look = ctx;

	(void)err;
	if (entry->window.start.ms > look->covered || !etl_window_is_closed(entry->state))
		look->gap = true;
	else if (!look->gap)
		look->covered = entry->window.end.ms;
	return 0;
}

/* The watermark stands behind the settle time, and all windows below it are closed. */
static void law_watermark(const char *job, const char *partition)
{
	const struct spec *s = &conf.specs[job_index(job)];
	struct book_job *b = &book.jobs[job_index(job)];
	int station = partition[1] - '0';
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_watermark mark;
	struct look look;

	if (world.bare->watermark_get(world.state, job, partition, &mark, &err) != 1)
		return;
	if (mark.processed.ms > s->start && mark.processed.ms > world.now - s->settle)
		broken("the watermark is never ahead", "%s/%s: it is %s", job, partition,
			time_text(mark.processed.ms));
	if (s->full)
		return;
	look = (struct look){b->looked[station] ? b->looked[station] : s->start, false};
	if (mark.processed.ms <= look.covered)
		return;
	struct etl_window range = {{look.covered}, mark.processed};
	world.bare->ledger_scan(world.state, job, partition, &range, ETL_LEDGER_ALL, look_at_entry, &look,
		&err);
	if (look.covered < mark.processed.ms)
		broken("closed below the watermark", "%s/%s: window %s is not, the watermark is %s", job,
			partition, time_text(look.covered), time_text(mark.processed.ms));
	b->looked[station] = mark.processed.ms;
}

void law_partition_claim(const char *job, const char *partition, int64_t fence)
{
	int64_t *known = &book.jobs[job_index(job)].fence[partition[1] - '0'];

	*known = fence > *known ? fence : *known;
}

/* In a partition a run that was passed by another one's commit never commits again. */
static void law_fence(const struct etl_commit *c)
{
	struct book_job *b = &book.jobs[job_index(c->job)];
	struct book_run *run = book_run_of(c->run_id);
	long index = run ? run - book.runs : -1;
	int station = c->partition[1] - '0';

	if (!run)
		broken("runs that commit have begun", "%s: %s", c->job, c->run_id);
	if (c->fence < b->fence[station])
		broken("fences only grow", "%s/%s: fence %lld after %lld", c->job, c->partition,
			(long long)c->fence, (long long)b->fence[station]);
	if (run->passed[station])
		broken("one run commits at a time", "%s: run %s commits after a later one", c->job,
			short_id(c->run_id));
	if (b->committer[station] >= 0 && b->committer[station] != index)
		book.runs[b->committer[station]].passed[station] = true;
	b->committer[station] = index;
	b->fence[station] = c->fence;
}

static int note_dirty(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	bool *dirty = ctx;

	(void)err;
	*dirty = entry->dirty;
	return 0;
}

/* What a dependant has read may be old when it commits: then the mark of the upstream's commit
 * is still there. */
static void law_mark(const struct etl_commit *c, const struct spec *s,
	const struct etl_window *window, int station)
{
	const struct spec *root = root_of(s);
	struct etl_error err = ETL_ERROR_INIT;
	bool old = false, dirty = false;

	for (int64_t k = index_at(root, window->start.ms); k < index_at(root, window->end.ms); k++)
		old |= target_version(job_index(c->job), station, k) < target_version(s->up, station, k);
	counts.old_data += old;
	if (!old || !world.mood.transactions || s->n_intervals > 1 || conf.specs[s->up].n_intervals > 1)
		return;
	world.bare->ledger_scan(world.state, c->job, c->partition, window, ETL_LEDGER_ALL, note_dirty,
		&dirty, &err);
	if (!dirty)
		broken("a newer mark stays", "%s/%s: window %s holds old data and is not dirty", c->job,
			c->partition, time_text(window->start.ms));
}

/* Of a full read: all that there are. */
static uint64_t rows_of(const struct spec *s, const struct etl_window *window, int station)
{
	const struct spec *root = root_of(s);
	int64_t k = s->full ? 0 : index_at(root, window->start.ms);
	int64_t end = index_at(root, s->full ? world.now : window->end.ms) + s->full;
	uint64_t rows = 0;

	for (; k < end; k++)
		rows += target_version((int)(s - conf.specs), station, k) != 0;
	return rows;
}

void law_commit(const struct etl_commit *c)
{
	const struct spec *s = &conf.specs[job_index(c->job)];
	const struct book_run *run;
	int station = c->partition[1] - '0';

	counts.commits++;
	law_fence(c);
	run = book_run_of(c->run_id);
	for (size_t i = 0; i < c->n_entries; i++) {
		const struct etl_ledger_entry *e = &c->entries[i];
		uint64_t rows;

		rows = rows_of(s, &e->window, station);
		if (e->state == ETL_WINDOW_LOADED && rows < e->counts.out)
			broken("data before the ledger", "%s/%s: window %s has %llu of %llu rows", c->job,
				c->partition, time_text(e->window.start.ms), (unsigned long long)rows,
				(unsigned long long)e->counts.out);
		if (s->up >= 0 && (e->state == ETL_WINDOW_LOADED || e->state == ETL_WINDOW_EMPTY))
			law_mark(c, s, &e->window, station);
		if (e->window.end.ms > world.now - s->settle)
			broken("no window before it is final", "%s/%s: window %s", c->job, c->partition,
				time_text(e->window.start.ms));
		if (run->as_of && e->window.end.ms > run->as_of - s->settle)
			broken("run_each: as of its slot", "%s/%s: window %s for slot %s", c->job,
				c->partition, time_text(e->window.start.ms), time_text(run->slot));
	}
	tell("%s/%s: run %s commits %zu windows from %s, fence %lld", c->job, c->partition,
		short_id(c->run_id), c->n_entries,
		c->n_entries ? time_text(c->entries[0].window.start.ms) : "-", (long long)c->fence);
	law_watermark(c->job, c->partition);
}

/* ---- records -------------------------------------------------------------------------------- */

int code_of(const char *word)
{
	for (int code = 0; code < ETL_SKIP_MAX; code++)
		if (etl_streq(etl_skip_word(code), word))
			return code;
	broken("a skip has a known reason", "'%s'", word);
}

/* May this rule have said that of this job? */
static void law_skip(const struct etl_run_record *r)
{
	const struct spec *s = &conf.specs[job_index(r->job)];
	enum etl_skip_code code = (enum etl_skip_code)code_of(r->code);
	bool may = true;

	counts.skips++;
	counts.codes[code]++;
	counts.resets += code == ETL_SKIP_CLOCK;
	tell("%s: slots %s to %s (%llu) do not run: %s", r->job, time_text(r->slot_first.ms),
		time_text(r->slot.ms), (unsigned long long)r->slots, r->code);
	if (r->slot_first.ms > r->slot.ms)
		broken("a skip has slots", "%s: from %s to %s", r->job, time_text(r->slot_first.ms),
			time_text(r->slot.ms));
	if (world.mood.edits)
		return;
	if (code == ETL_SKIP_MISFIRE)
		may = s->misfire != ETL_MISFIRE_RUN_EACH;
	else if (code == ETL_SKIP_TOO_OLD)
		may = s->misfire == ETL_MISFIRE_RUN_IF_YOUNGER;
	else if (code == ETL_SKIP_TOO_MANY)
		may = s->misfire == ETL_MISFIRE_RUN_EACH;
	else if (code == ETL_SKIP_OVERLAP)
		may = s->overlap == ETL_OVERLAP_SKIP;
	else if (code == ETL_SKIP_CLOCK)
		may = world.mood.clocks;
	else if (code == ETL_SKIP_SENSOR)
		may = s->newer_than != 0;
	else if (code == ETL_SKIP_EDITED)
		may = false;
	if (!may)
		broken("a skip has its own rule's reason", "%s says %s", r->job, r->code);
}

void law_record(const struct etl_run_record *r)
{
	const struct book_run *run = book_run_of(r->run_id);

	if (etl_streq(r->state, "skipped"))
		law_skip(r);
	counts.interrupted += etl_streq(r->state, "interrupted");
	for (int s = 0; run && etl_streq(r->state, "ok") && s < STATIONS; s++)
		if (run->bad[s])
			broken("ok has to be earned", "%s: run %s had no good answer for s%d", r->job,
				short_id(r->run_id), s);
}
