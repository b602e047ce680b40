/* SPDX-License-Identifier: MIT
 *
 * Simulate: the slots to come of all jobs, or of some. The loop says which jobs and what is
 * paused; a worker computes (lib/tell/forecast.h). No store is asked.
 */
#include "methods/methods.h"
#include "tell/forecast.h"

struct simulation {
	const struct etld_settings *settings;
	struct etl_forecast_job *jobs; /* of the arena */
	size_t n_jobs, limit;
	struct etl_window range;
};

static int host_limit(const struct etld_settings *settings, const char *host)
{
	return etld_host_rule_of(&settings->other_hosts, settings->hosts, settings->n_hosts,
		host)->max_active;
}

/* ---- the answer, on a worker ---------------------------------------------------------------- */

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

/* False: refused. */
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

/* Jobs that have slots, are not left out and not paused; the others are counted. */
static void choose_jobs(struct etld_request *request, struct simulation *s, const char *group)
{
	const struct etld_generation *g = request->generation;
	struct etl_json *reply = etld_reply(request);
	int64_t paused = 0, without = 0, left_out = 0;

	s->jobs = etl_arena_zalloc(request->arena, (g->n_jobs + 1) * sizeof *s->jobs);
	for (size_t i = 0; i < g->n_jobs; i++) {
		const struct etl_job *job = g->jobs[i];
		const struct etld_job *known = etld_job_find(request->etld, job->name);

		if (!known || (request->job && job != request->job) ||
			(group && !etld_job_is_in(job, group)))
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
		s->jobs[s->n_jobs++] = (struct etl_forecast_job){job,
			etl_job_jitter(job, request->etld->host), host_limit(s->settings, job->host)};
	}
	etl_json_add_int(reply, "jobs", (int64_t)s->n_jobs);
	etl_json_add_int(reply, "paused", paused);
	etl_json_add_int(reply, "left_out", left_out);
	etl_json_add_int(reply, "without_slots", without);
}

static void simulate(struct etld_request *request)
{
	struct simulation *s = etld_request_own(request, sizeof *s);
	const char *group = etl_json_text(request->parameters, "group", NULL);
	struct etl_json *reply;

	if (group && !etld_group_is_there(request->generation, group)) {
		etld_refuse(request, ETL_CTL_NO_SUCH_JOB, "etlctl jobs", "no job is of the group '%s'",
			group);
		return;
	}
	if (!read_range(request, &s->range))
		return;
	s->settings = &request->generation->settings;
	s->limit = (size_t)etl_json_int(request->parameters, "limit", 20);
	reply = etld_reply(request);
	etld_json_time(reply, "from", s->range.start);
	etld_json_time(reply, "to", s->range.end);
	etl_json_add_int(reply, "max_active", s->settings->limits.max_active);
	choose_jobs(request, s, group);
	etld_request_submit(request, simulate_work, NULL);
}

const struct etld_method etld_method_simulate = {"Simulate", "etl.simulate/1", .call = simulate};
