/* SPDX-License-Identifier: MIT
 *
 * The calendars of all jobs as one stream in order of time, and what can be counted in it.
 * Knows nothing of runs: how long one takes, what misfires and what waits is not foretold.
 *
 * Example: ten jobs at `every 10m` with jitters of 0 to 119 s, and a host that takes two
 * requests at once. Of a day there are 1,440 slots; each tenth minute has some six starts and the
 * next one four; the host's fullest minute has 6 requests against its limit of 2: a collision, told
 * with the minute.
 */
#include "tell/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

/* ---- slots, merged ------------------------------------------------------------------------- */

/* A heap of jobs, the one with the earliest slot first; equal slots in order of the jobs.
 * Without it each of up to 200,000 slots would cost a look at every job. Jobs without a calendar
 * are in no heap: they run after others. */
struct merge {
	const struct etl_forecast_job *jobs;
	struct etl_forecast_slot *heap;
	size_t n;
	etl_wall end;
};

static bool is_before(const struct etl_forecast_slot *a, const struct etl_forecast_slot *b)
{
	return a->slot.ms != b->slot.ms ? a->slot.ms < b->slot.ms : a->job < b->job;
}

/* Earlier slots rise, as in any heap; the order of equal ones is fixed, so that two forecasts are
 * the same text. */
static void sink_down(struct merge *m, size_t i)
{
	for (;;) {
		size_t least = i;
		struct etl_forecast_slot swap = m->heap[i];

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < m->n; child++)
			if (is_before(&m->heap[child], &m->heap[least]))
				least = child;
		if (least == i)
			return;
		m->heap[i] = m->heap[least];
		m->heap[least] = swap;
		i = least;
	}
}

/* Puts the job's next slot in the place of its last; a job without one leaves the heap, and the
 * last leaf takes its place. The caller then sinks that place down. */
static void advance(struct merge *m, size_t i, etl_wall after)
{
	struct etl_forecast_slot *s = &m->heap[i];

	if (!etl_calendar_next(m->jobs[s->job].job->calendar, after, &s->slot) ||
		s->slot.ms >= m->end.ms)
		m->heap[i] = m->heap[--m->n];
}

/* A slot at the very beginning of the range is one of it. */
static void fill_heap(struct merge *m, size_t n_jobs, etl_wall start)
{
	for (size_t i = 0; i < n_jobs; i++) {
		if (!m->jobs[i].job->calendar)
			continue;
		m->heap[m->n++].job = i;
		advance(m, m->n - 1, (etl_wall){start.ms - 1});
	}
	for (size_t i = m->n / 2; i-- > 0;)
		sink_down(m, i);
}

/* Of equal times the jobs' order. */
static int by_firing(const void *a, const void *b)
{
	const struct etl_forecast_slot *x = a, *y = b;

	if (x->at.ms != y->at.ms)
		return x->at.ms < y->at.ms ? -1 : 1;
	return x->job < y->job ? -1 : x->job > y->job;
}

/* Merged by slot and sorted by firing time afterwards: jitter may let a later slot fire first.
 * If the list is cut at ETL_FORECAST_SLOTS_MAX, everything before `cut_at` is complete. */
static void list_slots(const struct etl_forecast_job *jobs, size_t n, struct etl_window range,
	struct etl_forecast *out)
{
	struct merge m = {.jobs = jobs, .end = range.end};

	m.heap = etl_calloc(n + 1, sizeof *m.heap);
	fill_heap(&m, n, range.start);
	while (m.n && out->n_slots < ETL_FORECAST_SLOTS_MAX) {
		struct etl_forecast_slot *s = &m.heap[0];

		s->at = etl_wall_add(s->slot, jobs[s->job].jitter);
		ETL_GROW(out->slots, out->n_slots, out->slots_cap);
		out->slots[out->n_slots++] = *s;
		advance(&m, 0, s->slot);
		sink_down(&m, 0);
	}
	out->cut = m.n > 0;
	if (out->cut)
		out->cut_at = m.heap[0].slot;
	free(m.heap);
	if (out->n_slots)
		qsort(out->slots, out->n_slots, sizeof *out->slots, by_firing);
}

/* ---- hosts --------------------------------------------------------------------------------- */

struct host_of {
	const struct etl_forecast_job *jobs;
	size_t job;
};

static int by_host(const void *a, const void *b)
{
	const struct host_of *x = a, *y = b;

	return strcmp(x->jobs[x->job].job->host, y->jobs[y->job].job->host);
}

/* Hosts by name; gives each job's index among them, or SIZE_MAX for a job that asks no host or
 * has no slots. The caller frees it. */
static size_t *list_hosts(const struct etl_forecast_job *jobs, size_t n, struct etl_forecast *out)
{
	struct host_of *order = etl_calloc(n + 1, sizeof *order);
	size_t *host = etl_calloc(n + 1, sizeof *host);

	out->hosts = etl_calloc(n + 1, sizeof *out->hosts);
	for (size_t i = 0; i < n; i++)
		order[i] = (struct host_of){jobs, i};
	qsort(order, n, sizeof *order, by_host);
	for (size_t i = 0; i < n; i++) {
		const char *name = jobs[order[i].job].job->host;

		host[order[i].job] = SIZE_MAX;
		if (!*name || !jobs[order[i].job].job->calendar)
			continue;
		if (!out->n_hosts || strcmp(out->hosts[out->n_hosts - 1].host, name) != 0)
			out->hosts[out->n_hosts++].host = name;
		out->hosts[out->n_hosts - 1].jobs++;
		host[order[i].job] = out->n_hosts - 1;
	}
	free(order);
	return host;
}

/* What is counted while one minute, or one hour, lasts. */
struct count {
	etl_wall at;
	uint64_t n;
};

struct load {
	struct count hour, minute; /* requests */
	uint64_t at_once;	   /* of the minute's requests, those that are sent at once */
	int64_t limit;
};

/* Also before 1970, where the remainder is negative. */
static etl_wall floor_to(etl_wall t, int64_t ms)
{
	int64_t rest = t.ms % ms;

	return (etl_wall){t.ms - rest - (rest < 0 ? ms : 0)};
}

/* Beyond the cap they are only counted: a thousand examples say no more than ten. */
static void add_collision(struct etl_forecast *out, struct etl_forecast_collision collision)
{
	out->all_collisions++;
	if (out->n_collisions == ETL_FORECAST_LIST_MAX)
		return;
	ETL_GROW(out->collisions, out->n_collisions, out->collisions_cap);
	out->collisions[out->n_collisions++] = collision;
}

/* The minute is over: keeps it if it is the fullest so far, and as a collision if the host gets
 * more than it may. */
static void close_minute(struct etl_forecast *out, struct etl_forecast_host *host, struct load *load)
{
	if (load->minute.n > host->minute_peak) {
		host->minute_peak = load->minute.n;
		host->minute_at = load->minute.at;
	}
	if (load->minute.n && load->at_once > (uint64_t)load->limit)
		add_collision(out, (struct etl_forecast_collision){load->minute.at, host->host,
			load->at_once, load->limit});
	load->minute.n = load->at_once = 0;
}

/* As close_minute: the first of equal hours is told. */
static void close_hour(struct etl_forecast_host *host, struct load *load)
{
	if (load->hour.n > host->hour_peak) {
		host->hour_peak = load->hour.n;
		host->hour_at = load->hour.at;
	}
	load->hour.n = 0;
}

/* A run asks once a partition, max_active of them at the same time. Example: a job with 50
 * partitions and max_active 4 adds 50 to the minute's requests and 4 to what its host gets at
 * once. */
static void load_host(struct etl_forecast *out, size_t h, struct load *load, etl_wall at,
	const struct etl_forecast_job *job)
{
	struct etl_forecast_host *host = &out->hosts[h];
	uint64_t requests = job->job->n_partitions;
	etl_wall minute = floor_to(at, MINUTE_MS), hour = floor_to(at, HOUR_MS);

	if (minute.ms != load->minute.at.ms)
		close_minute(out, host, load);
	if (hour.ms != load->hour.at.ms)
		close_hour(host, load);
	load->minute.at = minute;
	load->hour.at = hour;
	load->limit = job->host_max;
	host->runs++;
	host->requests += requests;
	load->minute.n += requests;
	load->hour.n += requests;
	load->at_once += requests < (uint64_t)job->job->max_active ? requests :
								     (uint64_t)job->job->max_active;
}

/* Slots come in order of firing, so each host needs the counts of one minute and one hour at a
 * time. */
static void count_hosts(const struct etl_forecast_job *jobs, size_t n, struct etl_forecast *out)
{
	size_t *host_of_job = list_hosts(jobs, n, out);
	struct load *loads = etl_calloc(out->n_hosts + 1, sizeof *loads);

	for (size_t i = 0; i < out->n_slots; i++) {
		const struct etl_forecast_slot *s = &out->slots[i];
		size_t h = host_of_job[s->job];

		if (h != SIZE_MAX)
			load_host(out, h, &loads[h], s->at, &jobs[s->job]);
	}
	for (size_t h = 0; h < out->n_hosts; h++) {
		close_minute(out, &out->hosts[h], &loads[h]);
		close_hour(&out->hosts[h], &loads[h]);
	}
	free(loads);
	free(host_of_job);
}

/* ---- minutes ------------------------------------------------------------------------------- */

/* Kept sorted, the fullest first, the earlier of two that are equal. Ten are kept by insertion:
 * cheaper than sorting 200,000 minutes. */
static void keep_busiest(struct etl_forecast *out, struct etl_forecast_minute minute)
{
	size_t i = out->n_busiest;

	if (i == ETL_FORECAST_BUSIEST && out->busiest[i - 1].starts >= minute.starts)
		return;
	if (i < ETL_FORECAST_BUSIEST)
		out->n_busiest++;
	else
		i--;
	for (; i && out->busiest[i - 1].starts < minute.starts; i--)
		out->busiest[i] = out->busiest[i - 1];
	out->busiest[i] = minute;
}

/* Slots are sorted: each minute is one stretch of the list. */
static void count_minutes(int64_t max_active, struct etl_forecast *out)
{
	for (size_t i = 0; i < out->n_slots;) {
		struct etl_forecast_minute minute = {floor_to(out->slots[i].at, MINUTE_MS), 0};

		for (; i < out->n_slots && out->slots[i].at.ms < minute.at.ms + MINUTE_MS; i++)
			minute.starts++;
		keep_busiest(out, minute);
		if (minute.starts > (uint64_t)max_active)
			add_collision(out, (struct etl_forecast_collision){minute.at, NULL,
				minute.starts, max_active});
	}
}

/* Places before hosts, hosts by name. */
static int by_minute(const void *a, const void *b)
{
	const struct etl_forecast_collision *x = a, *y = b;

	if (x->minute.ms != y->minute.ms)
		return x->minute.ms < y->minute.ms ? -1 : 1;
	if (!x->host || !y->host)
		return !y->host - !x->host;
	return strcmp(x->host, y->host);
}

/* If the list was cut, notes about clocks end where it ends: a note about a slot that is not in
 * the list would explain nothing. */
void etl_forecast_make(const struct etl_forecast_job *jobs, size_t n, struct etl_window range,
	int64_t max_active, struct etl_forecast *out)
{
	list_slots(jobs, n, range, out);
	count_minutes(max_active, out);
	count_hosts(jobs, n, out);
	if (out->n_collisions)
		qsort(out->collisions, out->n_collisions, sizeof *out->collisions, by_minute);
	if (out->cut)
		range.end = out->cut_at;
	for (size_t i = 0; i < n; i++)
		etl_forecast_clocks(&jobs[i], i, range, out);
}

/* Zeroed: a forecast can be made anew in the same place. */
void etl_forecast_fini(struct etl_forecast *forecast)
{
	free(forecast->slots);
	free(forecast->hosts);
	free(forecast->collisions);
	free(forecast->notes);
	*forecast = (struct etl_forecast){0};
}
