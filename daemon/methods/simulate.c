/* SPDX-License-Identifier: MIT
 *
 * Simulate: the slots to come of all jobs, or of some. The loop says which jobs and what is
 * paused; a worker computes (lib/tell/forecast.h). No store is asked.
 *
 * Example: `etlctl simulate airqino --from 2026-10-25 --to 2026-10-26` of a job at "30 2 * * *" in
 * Europe/Rome: one slot at 00:30Z, and under `clocks` that 02:30 comes twice that night and the job
 * runs at the first pass. The very calendar that arms slots is asked, so that what is shown is what
 * will happen, as long as no reload, pause or sensor comes between.
 */
#include "methods/methods.h"
#include "tell/forecast.h"

struct simulation {
	const struct etld_settings *settings;
	struct etl_forecast_job *jobs; /* of the arena */
	size_t n_jobs, limit;
	struct etl_window range;
};

/* Of the request's generation: a forecast is of one configuration from its beginning to its end. */
static int host_limit(const struct etld_settings *settings, const char *host)
{
	return etld_host_rule_of(&settings->other_hosts, settings->hosts, settings->n_hosts,
		host)->max_active;
}

/* ---- the answer, on a worker ---------------------------------------------------------------- */

/* `slot` is the instant that the calendar names, `fires_at` has the job's jitter added: the same
 * jitter that this etld uses, for it follows from the job's and the host's name. */
static void add_slots(struct etl_json *reply, const struct simulation *s,
	const struct etl_forecast *forecast)
{
	struct etl_json *list = etl_json_add_array(reply, "slots");
	char local[ETL_LOCAL_TEXT_BYTES];

	for (size_t i = 0; i < forecast->n_slots && i < s->limit; i++) {
		const struct etl_forecast_slot *slot = &forecast->slots[i];
		const struct etl_job *job = s->jobs[slot->job].job;
		struct etl_json *item = etl_json_add_object(list, NULL);

		etl_json_add_text(item, "job", job->name);
		etld_json_time(item, "slot", slot->slot);
		etld_json_time(item, "fires_at", slot->at);
		etl_forecast_local(job->zone, slot->slot, local);
		etl_json_add_text(item, "local", local);
		etl_json_add_text(item, "timezone", job->timezone);
	}
}

/* Nights on which a clock is put forward or back. Both readings are told: what the expression means
 * on a wall clock that shows 02:30 twice or never, and which instants come of it. */
static void add_clocks(struct etl_json *reply, const struct simulation *s,
	const struct etl_forecast *forecast)
{
	struct etl_json *list = etl_json_add_array(reply, "clocks");
	char text[ETL_FORECAST_TEXT_BYTES];

	for (size_t i = 0; i < forecast->n_notes; i++) {
		const struct etl_forecast_note *note = &forecast->notes[i];
		const struct etl_job *job = s->jobs[note->job].job;
		struct etl_json *item = etl_json_add_object(list, NULL);

		etl_json_add_text(item, "job", job->name);
		etl_json_add_text(item, "kind", etl_forecast_clock_word(note->kind));
		etld_json_time(item, "at", note->at);
		etld_json_time(item, "slot", note->slot);
		etl_forecast_note_text(note, job, text);
		etl_json_add_text(item, "text", text);
	}
	etl_json_add_int(reply, "clocks_total", (int64_t)forecast->all_notes);
}

/* Each partition counts as one request, which is the least that a run asks. Peaks are shown beside
 * the host's limit: where they are above it, requests wait, and jobs end later than an operator
 * expects. */
static void add_hosts(struct etl_json *reply, const struct simulation *s,
	const struct etl_forecast *forecast)
{
	struct etl_json *list = etl_json_add_array(reply, "hosts");

	for (size_t i = 0; i < forecast->n_hosts; i++) {
		const struct etl_forecast_host *host = &forecast->hosts[i];
		struct etl_json *item = etl_json_add_object(list, NULL);

		etl_json_add_text(item, "host", host->host);
		etl_json_add_int(item, "jobs", (int64_t)host->jobs);
		etl_json_add_int(item, "runs", (int64_t)host->runs);
		etl_json_add_int(item, "requests", (int64_t)host->requests);
		etl_json_add_int(item, "max_active", host_limit(s->settings, host->host));
		etl_json_add_int(item, "hour_peak", (int64_t)host->hour_peak);
		etld_json_time(item, "hour", host->hour_at);
		etl_json_add_int(item, "minute_peak", (int64_t)host->minute_peak);
		etld_json_time(item, "minute", host->minute_at);
	}
}

/* Minutes, not instants: jobs that start in the same minute meet in practice, while two at exactly
 * the same millisecond are spread by their jitter. A collision without a host is one of
 * limits.max_active. */
static void add_meetings(struct etl_json *reply, const struct etl_forecast *forecast)
{
	struct etl_json *list = etl_json_add_array(reply, "collisions");

	for (size_t i = 0; i < forecast->n_collisions; i++) {
		const struct etl_forecast_collision *collision = &forecast->collisions[i];
		struct etl_json *item = etl_json_add_object(list, NULL);

		etld_json_time(item, "minute", collision->minute);
		etl_json_add_text(item, "host", collision->host);
		etl_json_add_int(item, "n", (int64_t)collision->n);
		etl_json_add_int(item, "limit", collision->limit);
	}
	etl_json_add_int(reply, "collisions_total", (int64_t)forecast->all_collisions);
	list = etl_json_add_array(reply, "busiest");
	for (size_t i = 0; i < forecast->n_busiest; i++) {
		struct etl_json *item = etl_json_add_object(list, NULL);

		etld_json_time(item, "minute", forecast->busiest[i].at);
		etl_json_add_int(item, "starts", (int64_t)forecast->busiest[i].starts);
	}
}

/* On a worker since 400 days of 1,000 jobs take seconds. It asks no store and holds no lock; a
 * caller that has gone costs these seconds of one worker and nothing else. */
static void simulate_work(struct etld_request *request)
{
	const struct simulation *s = request->own;
	struct etl_json *reply = etld_reply(request);
	struct etl_forecast forecast = {0};

	etl_forecast_make(s->jobs, s->n_jobs, s->range, s->settings->limits.max_active, &forecast);
	etl_json_add_int(reply, "total", (int64_t)forecast.n_slots);
	etld_json_time(reply, "cut_at", forecast.cut ? forecast.cut_at : (etl_wall){0});
	add_slots(reply, s, &forecast);
	add_clocks(reply, s, &forecast);
	add_hosts(reply, s, &forecast);
	add_meetings(reply, &forecast);
	etl_forecast_fini(&forecast);
}

/* ---- the question, on the loop ------------------------------------------------------------- */

/* False: refused. A day from now on is what most want to see. The limit of 400 days covers a year
 * and its two clock changes with some room; beyond it the 200,000 slots that are counted would be
 * reached anyway. */
static bool read_range(struct etld_request *request, struct etl_window *out)
{
	out->start = request->from ? *request->from : etl_now(request->etld->clock);
	out->end = etl_wall_add(out->start, ETL_DAYS(1));
	if (!etld_request_range(request, out))
		return false;
	if (etl_wall_diff(out->end, out->start).us > ETL_FORECAST_SPAN_MAX.us) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "ask for it in parts",
			"more than 400 days are too much at once");
		return false;
	}
	return true;
}

/* Jobs that have slots, are not left out and not paused. The others are counted, so that the answer
 * says why a job is missing in it. A paused job that is named is shown: whoever names it wants to
 * know when it would run. A job that has no calendar (it runs after others) stays in for its host's
 * limits. */
static void choose_jobs(struct etld_request *request, struct simulation *s)
{
	const struct etld_generation *g = request->generation;
	struct etl_json *reply = etld_reply(request);
	int64_t paused = 0, without = 0, left_out = 0;

	s->jobs = etl_arena_zalloc(request->arena, (g->n_jobs + 1) * sizeof *s->jobs);
	for (size_t i = 0; i < g->n_jobs; i++) {
		const struct etl_job *job = g->jobs[i];
		const struct etld_job *known = etld_job_find(request->etld, job->name);

		if (!known || (request->job && job != request->job) ||
			(request->group && !etld_job_is_in(job, request->group)))
			continue;
		if (job->left_out) {
			left_out++;
			continue;
		}
		if (known->sched.paused && !request->job) {
			paused++;
			continue;
		}
		without += !job->calendar;
		s->jobs[s->n_jobs++] =
			(struct etl_forecast_job){job, etl_job_jitter(job, request->etld->host),
				host_limit(s->settings, job->host)};
	}
	etl_json_add_int(reply, "jobs", (int64_t)s->n_jobs);
	etl_json_add_int(reply, "paused", paused);
	etl_json_add_int(reply, "left_out", left_out);
	etl_json_add_int(reply, "without_slots", without);
}

static void simulate(struct etld_request *request)
{
	struct simulation *s = etld_request_own(request, sizeof *s);
	struct etl_json *reply;

	if (!read_range(request, &s->range))
		return;
	s->settings = &request->generation->settings;
	s->limit = (size_t)etl_json_int(request->parameters, "limit", 20);
	reply = etld_reply(request);
	etld_json_time(reply, "from", s->range.start);
	etld_json_time(reply, "to", s->range.end);
	etl_json_add_int(reply, "max_active", s->settings->limits.max_active);
	choose_jobs(request, s);
	etld_request_submit(request, simulate_work, NULL);
}

const struct etld_method etld_method_simulate = {"Simulate", "etl.simulate/1", .call = simulate};
