/* SPDX-License-Identifier: MIT
 *
 * Simulate: the slots to come of all jobs, or of some. The loop says which jobs and what is
 * paused; a worker computes (lib/tell/forecast.h). No store is asked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "methods/methods.h"
#include "tell/forecast.h"

struct simulation {
	struct etld_query query;
	struct etld_generation *generation;
	struct etl_forecast_job *jobs;
	size_t n_jobs;
	struct etl_window range;
	int64_t max_active, limit;
};

static void simulation_free(struct etld_query *query)
{
	struct simulation *s = (struct simulation *)query;

	etld_generation_unref(s->generation);
	free(s->jobs);
	free(s);
}

/* ---- the answer, on a worker ---------------------------------------------------------------- */

static void add_slots(struct etl_json *reply, const struct simulation *s,
	const struct etl_forecast *forecast)
{
	struct etl_json *list = etl_json_add_array(reply, "slots");
	char local[ETL_LOCAL_TEXT_BYTES];

	for (size_t i = 0; i < forecast->n_slots && i < (size_t)s->limit; i++) {
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
	const struct etld_settings *settings = &s->generation->settings;
	struct etl_json *list = etl_json_add_array(reply, "hosts");

	for (size_t i = 0; i < forecast->n_hosts; i++) {
		const struct etl_forecast_host *host = &forecast->hosts[i];
		struct etl_json *item = etl_json_add_object(list, NULL);

		etl_json_add_text(item, "host", host->host);
		etl_json_add_int(item, "jobs", (int64_t)host->jobs);
		etl_json_add_int(item, "runs", (int64_t)host->runs);
		etl_json_add_int(item, "requests", (int64_t)host->requests);
		etl_json_add_int(item, "max_active", etld_host_rule_of(&settings->other_hosts,
			settings->hosts, settings->n_hosts, host->host)->max_active);
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

static void simulate_work(struct etld_task *task)
{
	struct simulation *s = (struct simulation *)task;
	struct etl_json *reply = s->query.reply;
	struct etl_forecast forecast = {0};

	etld_on_worker();
	etl_forecast_make(s->jobs, s->n_jobs, s->range, s->max_active, &forecast);
	etl_json_add_int(reply, "total", (int64_t)forecast.n_slots);
	etld_json_time(reply, "cut_at", forecast.cut ? forecast.cut_at : (etl_wall){0});
	add_slots(reply, s, &forecast);
	add_clocks(reply, s, &forecast);
	add_hosts(reply, s, &forecast);
	add_meetings(reply, &forecast);
	etl_forecast_fini(&forecast);
}

/* ---- the question, on the loop ------------------------------------------------------------- */

/* False: answered. */
static bool read_range(struct etld_request *request, struct etl_window *out)
{
	out->start = etl_now(request->etld->clock);
	if (!etld_request_time(request, "from", &out->start))
		return false;
	out->end = etl_wall_add(out->start, ETL_DAYS(1));
	if (!etld_request_time(request, "to", &out->end))
		return false;
	if (out->start.ms >= out->end.ms) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, NULL, "the range ends before it begins");
		return false;
	}
	if (etl_wall_diff(out->end, out->start).us > ETL_FORECAST_SPAN_MAX.us) {
		etld_refuse(request, ETL_CTL_INVALID_PARAMETER, "ask for it in parts",
			"more than 400 days are too much at once");
		return false;
	}
	return true;
}

static bool is_of_group(const struct etl_job *job, const char *group)
{
	return !group || (job->group && etl_streq(job->group, group));
}

/* Jobs that have slots, are not left out and not paused; the others are counted. */
static void choose_jobs(struct simulation *s, struct etld *etld, const struct etld_job *only,
	const char *group)
{
	const struct etld_settings *settings = &s->generation->settings;
	int64_t paused = 0, without = 0, left_out = 0;

	s->jobs = etl_calloc(s->generation->n_jobs + 1, sizeof *s->jobs);
	for (size_t i = 0; i < s->generation->n_jobs; i++) {
		const struct etl_job *job = s->generation->jobs[i];
		const struct etld_job *known = etld_job_find(etld, job->name);

		if (!known || (only && known != only) || !is_of_group(job, group))
			continue;
		if (job->left_out) {
			left_out++;
			continue;
		}
		if (known->sched.paused && !only) {
			paused++;
			continue;
		}
		without += !job->calendar;
		s->jobs[s->n_jobs++] = (struct etl_forecast_job){job, etl_job_jitter(job, etld->host),
			etld_host_rule_of(&settings->other_hosts, settings->hosts, settings->n_hosts,
				job->host)->max_active};
	}
	etl_json_add_int(s->query.reply, "jobs", (int64_t)s->n_jobs);
	etl_json_add_int(s->query.reply, "paused", paused);
	etl_json_add_int(s->query.reply, "left_out", left_out);
	etl_json_add_int(s->query.reply, "without_slots", without);
}

/* A group that no job has is a mistake, not an empty answer. */
static bool group_is_there(struct etld_request *request, const char *group)
{
	const struct etld_generation *generation = request->etld->generation;

	for (size_t i = 0; group && i < generation->n_jobs; i++)
		if (is_of_group(generation->jobs[i], group))
			return true;
	if (group)
		etld_refuse(request, ETL_CTL_NO_SUCH_JOB, "etlctl jobs", "no job is of the group '%s'",
			group);
	return !group;
}

void etld_handle_simulate(struct etld_request *request)
{
	struct etld *etld = request->etld;
	struct etld_job *only = NULL;
	struct etl_window range;
	struct simulation *s;
	const char *group;

	if (etl_json_get(request->parameters, "job") && !(only = etld_request_job(request)))
		return;
	group = etl_json_text(request->parameters, "group", NULL);
	if (!group_is_there(request, group) || !read_range(request, &range))
		return;
	s = ETL_NEW(struct simulation);
	s->generation = etld_generation_ref(etld->generation);
	s->query.free = simulation_free;
	s->query.reply = etld_reply_object(etld, "etl.simulate/1");
	s->range = range;
	s->max_active = etld->generation->settings.limits.max_active;
	s->limit = etl_json_int(request->parameters, "limit", 20);
	etld_json_time(s->query.reply, "from", range.start);
	etld_json_time(s->query.reply, "to", range.end);
	etl_json_add_int(s->query.reply, "max_active", s->max_active);
	choose_jobs(s, etld, only, group);
	etld_query_submit(&s->query, request, simulate_work);
}
