/* SPDX-License-Identifier: MIT
 *
 * A reading of what the store holds: one question for each kind of document, however many jobs
 * there are; its lists are sorted by job. Workers read; the loop makes and frees. Nothing of
 * the loop's jobs is touched here.
 */
#include "engine/picture_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/picture_parts.h"
#include "io/loop.h"
#include "plan/ledger_part.h"

/* Jobs whose start or end was moved over open windows, or that have open local ones: so many are counted
 * anew in a reading. */
#define RECOUNTS_MAX 100

/* `began` is the number of the newest change when the reading began: a job that has changed
 * since keeps what it has. */
struct etld_picture *etld_picture_new(struct etld *etld, const struct etld_job *job)
{
	struct etld_picture *p = ETL_NEW(struct etld_picture);

	etld_on_loop(etld->loop);
	p->etld = etld;
	p->generation = etld_generation_ref(etld->generation);
	p->only = job ? job->job : NULL;
	p->had_open = job && (job->windows.open || job->windows.dirty);
	p->began = etld->changes;
	p->error = (struct etl_error)ETL_ERROR_INIT;
	p->timer.name = "picture";
	return p;
}

/* A reload's answer waits for it, so that it reads one list and nothing else. */
struct etld_picture *etld_picture_of_targets(struct etld *etld)
{
	struct etld_picture *p = etld_picture_new(etld, NULL);

	p->targets = true;
	return p;
}

/* On the loop, for the timer is the loop's; what the worker gathered is freed whether it was taken
 * or not. */
void etld_picture_free(struct etld_picture *p)
{
	if (!p)
		return;
	etl_timer_cancel(etld_loop_wheel(p->etld->loop), &p->timer);
	for (size_t i = 0; i < p->n_marks; i++) {
		free(p->marks[i].job);
		free(p->marks[i].partition);
		free(p->marks[i].elsewhere);
	}
	for (size_t i = 0; i < p->n_pauses; i++) {
		free(p->pauses[i].job);
		free(p->pauses[i].who);
		free(p->pauses[i].why);
	}
	for (size_t i = 0; i < p->n_schedules; i++)
		free(p->schedules[i].job);
	for (size_t i = 0; i < p->n_sums; i++)
		free(p->sums[i].reason);
	free(p->marks);
	free(p->pauses);
	free(p->schedules);
	free(p->sums);
	etld_generation_unref(p->generation);
	free(p);
}

/* Where the windows of this partition are, if its job is known and loads somewhere. */
static void look_at_targets(const struct etld_picture *p, const struct etl_watermark *watermark,
	struct mark *mark)
{
	const struct etl_job *job = etld_generation_job(p->generation, mark->job);
	const struct etl_partition *partition;
	struct etl_elsewhere sum = {.n = 0};

	if (!job)
		return;
	etl_job_target(job, p->etld->database, sum.target);
	partition = etl_job_partition(job, mark->partition);
	if (!*sum.target || !partition)
		return;
	sum.definition = partition->definition;
	if (etl_elsewhere_add(&sum, &job->window, watermark)) {
		mark->elsewhere = ETL_NEW(struct etl_elsewhere);
		*mark->elsewhere = sum;
	}
	mark->here = sum.here;
}

/* The ledger's own words about targets come with the watermark: no second question is needed for
 * them. */
static int keep_mark(void *ctx, const char *job, const char *partition,
	const struct etl_watermark *watermark)
{
	struct etld_picture *p = ctx;
	struct mark *mark;

	ETL_GROW(p->marks, p->n_marks, p->marks_cap);
	mark = &p->marks[p->n_marks++];
	*mark = (struct mark){
		etl_strdup(job), etl_strdup(partition), watermark->processed, NULL, 0};
	look_at_targets(p, watermark, mark);
	return 0;
}

/* Read although a pause is known here: another etld's resume shows by its absence. */
static int keep_pause(void *ctx, const void *thing)
{
	const struct etl_pause *pause = thing;
	struct etld_picture *p = ctx;

	ETL_GROW(p->pauses, p->n_pauses, p->pauses_cap);
	p->pauses[p->n_pauses++] = (struct pause){etl_strdup(pause->job), etl_strdup(pause->who),
		etl_strdup(pause->why), pause->at};
	return 0;
}

/* With it comes the last run on record, of whichever etld. */
static int keep_schedule(void *ctx, const char *job, const struct etl_schedule_info *info)
{
	struct etld_picture *p = ctx;

	ETL_GROW(p->schedules, p->n_schedules, p->schedules_cap);
	p->schedules[p->n_schedules++] = (struct schedule){etl_strdup(job), *info};
	return 0;
}

/* True for units that a run can still find due. Units of an older grid, or beyond the job's
 * start or end, would otherwise be told as open for ever, and no command could close them. */
static bool is_on_grid(const struct etl_window_rules *rules, const struct etl_open_sum *sum)
{
	struct etl_window oldest = {sum->oldest, {sum->oldest.ms + sum->size_ms}};

	return rules->none ? sum->size_ms == 0 : etl_grid_has(&rules->grid, oldest);
}

/* A job without an end is due up to any time. */
static struct etl_window range_of(const struct etl_window_rules *rules)
{
	return (struct etl_window){rules->grid.start, {rules->end.ms ? rules->end.ms : INT64_MAX}};
}

/* A partition that left the configuration is nobody's: its units are not told. */
static void put_sum(struct etld_picture *p, const struct etl_job *job, const struct etl_open_sum *sum)
{
	const struct etl_partition *partition = etl_job_partition(job, sum->partition);

	if (!partition)
		return;
	ETL_GROW(p->sums, p->n_sums, p->sums_cap);
	p->sums[p->n_sums++] = (struct sum){job->name, partition->name, sum->state, sum->dirty,
		sum->n, sum->oldest, etl_strdup(sum->reason)};
}

static int add_sum(struct etld_picture *p, const struct etl_job *job,
	const struct etl_open_sum *sum)
{
	if (is_on_grid(&job->window, sum))
		put_sum(p, job, sum);
	return 0;
}

struct recount {
	struct etld_picture *p;
	const struct etl_job *job;
	const struct etl_open_sum *of;
};

/* Only the sum that was straddling an end is replaced by its recount, not the others of the
 * job. */
static int add_recounted(void *ctx, const struct etl_open_sum *sum)
{
	struct recount *r = ctx;

	if (!etl_streq(sum->partition, r->of->partition) || sum->state != r->of->state ||
		sum->size_ms != r->of->size_ms || sum->phase_ms != r->of->phase_ms)
		return 0;
	return add_sum(r->p, r->job, sum);
}

/* Counts anew when some of these units lie beyond the job's start or end and others do not: the
 * sum cannot tell how many. Rare: a start or end was moved over open windows. */
static int recount(struct etld_picture *p, const struct etl_job *job,
	const struct etl_open_sum *sum)
{
	struct etl_window range = range_of(&job->window);
	struct recount r = {p, job, sum};
	struct etl_state *state = p->etld->state;

	if (p->recounts++ >= RECOUNTS_MAX)
		return add_sum(p, job, sum);
	return state->ops->open_sums(state, job->name, &range, add_recounted, &r, &p->error);
}

/* ---- local windows --------------------------------------------------------------------------- */

/* The store sums windows of one length and phase. Of a fixed grid these are all, or none; local days of
 * two lengths, of which some were made with an older zone file, stand in one sum with others that they
 * have nothing to do with. So the open units of such a job are looked at one by one, as planning does.
 *
 * Example: days of Paris, and before them fixed days from 22:00Z on. Failed are 30 June (22:00Z to 22:00Z,
 * either way) and, from before, 29 to 30 December (22:00Z): one sum of two, of which one is on the grid. */
static int add_unit(void *ctx, const char *partition, const struct etl_ledger_entry *entry)
{
	struct recount *r = ctx;
	struct etl_window range = range_of(&r->job->window);
	struct etl_open_sum one = {.job = r->job->name, .partition = partition, .state = entry->state,
		.dirty = etl_window_is_closed(entry->state),
		.size_ms = entry->window.end.ms - entry->window.start.ms, .n = 1,
		.oldest = entry->window.start, .newest = entry->window.start, .reason = entry->reason};

	return etl_window_holds(&range, entry->window.start) ? add_sum(r->p, r->job, &one) : 0;
}

/* Takes away the job's sums that stand before place `to`: its units, behind them, say the same better. */
static void drop_sums(struct etld_picture *p, const char *job, size_t to)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_sums; i++)
		if (i < to && etl_streq(p->sums[i].job, job))
			free(p->sums[i].reason);
		else
			p->sums[kept++] = p->sums[i];
	p->n_sums = kept;
}

/* Of a job with more open units than a list takes the sums stay: rather too many are told than none. */
static int count_units(struct etld_picture *p, const struct etl_job *job, struct etl_error *err)
{
	struct recount r = {.p = p, .job = job};
	size_t before = p->n_sums;
	int rc;

	if (p->recounts++ >= RECOUNTS_MAX)
		return 0;
	rc = p->etld->state->ops->ledger_open(p->etld->state, job->name, ETL_OPEN_MAX, add_unit, &r, err);
	if (rc == 1)
		drop_sums(p, job->name, before);
	while (rc == 0 && p->n_sums > before)
		free(p->sums[--p->n_sums].reason);
	return rc < 0 ? -1 : 0;
}

static int count_local(struct etld_picture *p, struct etl_error *err)
{
	for (size_t i = 0; i < p->generation->n_jobs; i++) {
		const struct etl_job *job = p->generation->jobs[i];
		size_t k = 0;

		if (!job->window.grid.zone)
			continue;
		while (k < p->n_sums && !etl_streq(p->sums[k].job, job->name))
			k++;
		if (k < p->n_sums && count_units(p, job, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the reading ------------------------------------------------------------------------------- */

/* Wholly inside the job's range the sum counts as it is, wholly outside not at all; only one
 * that straddles an end is counted anew. */
static int keep_sum(void *ctx, const struct etl_open_sum *sum)
{
	struct etld_picture *p = ctx;
	const struct etl_job *job = etld_generation_job(p->generation, sum->job);
	struct etl_window range;

	if (!job)
		return 0;
	if (job->window.grid.zone) { /* count_local looks closer */
		put_sum(p, job, sum);
		return 0;
	}
	range = range_of(&job->window);
	if (job->window.none || (sum->oldest.ms >= range.start.ms && sum->newest.ms < range.end.ms))
		return add_sum(p, job, sum);
	if (sum->newest.ms < range.start.ms || sum->oldest.ms >= range.end.ms)
		return 0;
	return recount(p, job, sum);
}

static int by_mark(const void *a, const void *b)
{
	return strcmp(((const struct mark *)a)->job, ((const struct mark *)b)->job);
}

static int by_pause(const void *a, const void *b)
{
	return strcmp(((const struct pause *)a)->job, ((const struct pause *)b)->job);
}

static int by_schedule(const void *a, const void *b)
{
	return strcmp(((const struct schedule *)a)->job, ((const struct schedule *)b)->job);
}

static int by_sum(const void *a, const void *b)
{
	return strcmp(((const struct sum *)a)->job, ((const struct sum *)b)->job);
}

#define SORT(list, n, by)                                                                       \
	do {                                                                                    \
		if (n)                                                                          \
			qsort(list, n, sizeof *(list), by);                                     \
	} while (0)

/* Sorted by job as the generation's jobs are: the loop then takes both lists side by side,
 * without a search for each job. */
static void sort(struct etld_picture *p)
{
	SORT(p->marks, p->n_marks, by_mark);
	SORT(p->pauses, p->n_pauses, by_pause);
	SORT(p->schedules, p->n_schedules, by_schedule);
	SORT(p->sums, p->n_sums, by_sum);
}

/* The first question that fails ends the reading: half a reading must not be taken for the
 * whole. */
int etld_picture_read(struct etld_picture *p, struct etl_error *err)
{
	struct etl_state *state = p->etld->state;
	int rc = 0;

	etld_on_worker();
	if (!p->only)
		rc = state->ops->watermark_list(state, keep_mark, p, err);
	if (rc == 0 && !p->only && !p->targets)
		rc = etl_doc_list(state, &etl_pauses, NULL, keep_pause, p, err);
	if (rc == 0 && !p->only && !p->targets)
		rc = state->ops->schedule_list(state, keep_schedule, p, err);
	if (rc == 0 && !p->targets)
		rc = state->ops->open_sums(state, p->only ? p->only->name : NULL, NULL, keep_sum, p,
			err);
	if (rc == 0 && !p->targets)
		rc = count_local(p, err);
	if (rc == 0 && p->error.kind != ETL_OK) {
		*err = p->error; /* a recount failed */
		rc = -1;
	}
	sort(p);
	p->read = rc == 0;
	return rc;
}

/* Most runs end well and leave nothing open; a question to the ledger after each of them would
 * cost as much as the runs' own. A reading is made only if the run, or what was known before
 * it, gives reason to. */
void etld_picture_read_after(struct etld_picture *p, const struct etl_run *run)
{
	struct etl_error ignored = ETL_ERROR_INIT; /* the next reading tries again */
	bool clean = run->state == ETL_RUN_OK && !run->windows.failed && !run->windows.held &&
		!run->windows_blocked && !run->windows.lost;

	if (p && (!clean || p->had_open))
		(void)etld_picture_read(p, &ignored);
}
