/* SPDX-License-Identifier: MIT
 *
 * A job's `schedule` and `window`: when it runs, and over which grid.
 *
 * schedule: {cron: "10 * * * *", timezone: Europe/Paris, jitter: 2m}   window: {size:
 * 1h, settle: 10m, start: 2026-01-01}: each hour at ten past, at a second of its own,
 * the windows are due that ended ten minutes ago or more. Slots say when is looked,
 * windows say what is owed.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "conf/zones.h"
#include "job/job_parts.h"
#include "plan/deadline.h"
#include "time/civil.h"
#include "time/duration.h"

/* The third one is shown with its argument, so that the list of allowed words is one
 * that can be copied. */
static const char *const misfire_words[] = {
	"run_each", "run_latest", "run_if_younger(2h)", "skip", NULL};
static const char *const overlap_words[] = {"skip", "queue_one", "cancel_running", NULL};

struct schedule_options {
	const char *cron;
	etl_dur every, offset;
	const char *timezone;
	etl_dur jitter, timeout;
	const struct etl_node *misfire;
	int overlap;
	int64_t max_active;
};

#define AT(type, member) offsetof(struct type, member)

static const struct etl_option schedule_table[] = {
	{.name = "cron", .type = ETL_OPT_STRING, .offset = AT(schedule_options, cron),
		.help = "5 or 6 fields, or @hourly, @daily ..."},
	{.name = "every", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, every), .min = 1,
		.help = "instead of cron: each multiple of this length, counted from 1970 UTC"},
	{.name = "offset", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, offset),
		.help = "with every: how long after the multiple"},
	{.name = "timezone", .type = ETL_OPT_STRING, .offset = AT(schedule_options, timezone),
		.fallback = "UTC", .help = "IANA zone in which cron is read"},
	{.name = "jitter", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, jitter),
		.fallback = "0s", .max = 86400,
		.help = "spread: a shift below this, always the same for a job on a host"},
	{.name = "misfire", .type = ETL_OPT_NODE, .offset = AT(schedule_options, misfire),
		.help = "missed slots: run_each, run_latest (default), run_if_younger(2h) or skip"},
	{.name = "overlap", .type = ETL_OPT_WORD, .offset = AT(schedule_options, overlap),
		.words = overlap_words, .fallback = "queue_one",
		.help = "a slot that comes while a run is still going"},
	{.name = "timeout", .type = ETL_OPT_DURATION, .offset = AT(schedule_options, timeout),
		.fallback = "1h", .min = 1, .max = 7 * 86400, .help = "the longest run"},
	{.name = "max_active", .type = ETL_OPT_INT, .offset = AT(schedule_options, max_active),
		.fallback = "8", .min = 1, .max = 1000,
		.help = "partitions of this job that are fetched at once"},
	{0},
};

struct reread_options {
	etl_dur every, span;
};

static const struct etl_option reread_table[] = {
	{.name = "every", .type = ETL_OPT_DURATION, .offset = AT(reread_options, every),
		.required = true, .min = 1, .help = "how often"},
	{.name = "span", .type = ETL_OPT_DURATION, .offset = AT(reread_options, span),
		.required = true, .min = 1, .help = "how far back"},
	{0},
};

struct window_options {
	struct etl_grid_step size;
	const char *timezone;
	etl_dur settle, lookback, max_span, retention;
	etl_wall start, end;
	bool has_start;
	struct reread_options reread;
};

/* The grid is a pure function of start, size and zone, on every machine; all other lengths are fixed
 * ones. */
static const struct etl_option window_table[] = {
	{.name = "size", .type = ETL_OPT_STEP, .offset = AT(window_options, size),
		.required = true, .min = 1, .max = 366 * 86400.0,
		.help = "length of a window: 1h, 1d, 1w, 1mo, 1y"},
	{.name = "timezone", .type = ETL_OPT_STRING, .offset = AT(window_options, timezone),
		.help = "IANA zone whose days, weeks, months or years the windows are (default: UTC)"},
	{.name = "settle", .type = ETL_OPT_DURATION, .offset = AT(window_options, settle),
		.fallback = "0s", .help = "how long after its end a window counts as final"},
	{.name = "lookback", .type = ETL_OPT_DURATION, .offset = AT(window_options, lookback),
		.fallback = "0s", .help = "how far back each run reads again"},
	{.name = "max_span", .type = ETL_OPT_DURATION, .offset = AT(window_options, max_span),
		.help = "the longest request (default: one window)"},
	{.name = "retention", .type = ETL_OPT_DURATION, .offset = AT(window_options, retention),
		.help = "how long the source keeps its data; older holes become unrecoverable"},
	{.name = "start", .type = ETL_OPT_TIME, .offset = AT(window_options, start),
		.required = true, .help = "start of the first window; the grid is anchored here"},
	{.name = "end", .type = ETL_OPT_TIME, .offset = AT(window_options, end),
		.help = "no window ends later"},
	{.name = "reread", .type = ETL_OPT_TABLE, .offset = AT(window_options, reread),
		.sub = reread_table, .help = "deep re-read of what the source may rewrite"},
	{0},
};

/* ---- schedule ---------------------------------------------------------------------------- */

static void load_calendar(struct etl_job *job, const struct schedule_options *o,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_wall slot;

	if (o->cron && o->every.us) {
		etl_job_fail_at(env, etl_node_get(node, "every"), ETL_DIAG_CONFLICT,
			"there is a cron as well", "a schedule is either cron or every");
		return;
	}
	if (o->cron) {
		job->calendar = etl_calendar_cron(o->cron, job->zone, &err);
		job->schedule_text = o->cron;
	} else if (o->every.us) {
		job->calendar = etl_calendar_every(o->every, o->offset, &err);
		job->schedule_text =
			etl_arena_strf(env->arena, o->offset.us ? "every %s offset %s" : "every %s",
				etl_node_get(node, "every")->text,
				o->offset.us ? etl_node_get(node, "offset")->text : "");
	} else if (!job->after.n) {
		/* A job that waits for others needs no clock of its own: it runs when they
		 * are done. */
		etl_job_fail_at(env, node, ETL_DIAG_MISSING, "needs cron or every", "no schedule");
	}
	/* The next time after 1970 is asked for: an expression such as 30 February is found
	 * here, at load, and not by a job that never runs. */
	if (err.kind)
		etl_diag_add(env->diag, &etl_node_get(node, o->cron ? "cron" : "every")->mark,
			ETL_DIAG_RANGE, NULL, "man etld.yaml, schedule", "%s", err.message);
	else if (job->calendar && !etl_calendar_next(job->calendar, (etl_wall){0}, &slot))
		etl_job_fail_at(env, etl_node_get(node, "cron"), ETL_DIAG_RANGE,
			"no such day in 40 years", "this schedule never fires,");
}

/* "run_if_younger(2h)": the word and its age.
 * "run_if_younger(2h)" -> 2 h. "run_if_younger(2)" and "run_if_younger(2h" are told
 * what is due. */
static bool load_misfire_age(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	static const char word[] = "run_if_younger(";
	const char *why = "a length such as 2h is due in the parentheses";
	size_t n = strlen(node->text);
	char age[32];

	if (!etl_starts_with(node->text, word))
		return false;
	job->misfire = ETL_MISFIRE_RUN_IF_YOUNGER;
	snprintf(age, sizeof age, "%s", node->text + sizeof word - 1);
	age[strcspn(age, ")")] = '\0';
	if (node->text[n - 1] != ')' || !etl_duration_parse(age, &job->misfire_age, &why))
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_RANGE, "run_if_younger(2h)",
			"man etld.yaml, schedule", "'misfire' is '%s': %s", node->text, why);
	return true;
}

static void load_misfire(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	int word = ETL_MISFIRE_RUN_LATEST;

	job->misfire = ETL_MISFIRE_RUN_LATEST;
	if (!node || (node->kind == ETL_NODE_SCALAR && load_misfire_age(job, node, env)))
		return;
	etl_conf_word(node, "misfire", "schedule", misfire_words, &word, env);
	job->misfire = (enum etl_misfire)word;
}

/* `node` may be NULL; then `body`, the job, is where it is missing. */
void etl_job_load_schedule(struct etl_job *job, const struct etl_node *body,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct schedule_options o = {0};
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_zone *zone;

	if (!node && !job->after.n) {
		etl_diag_add(env->diag, &body->mark, ETL_DIAG_MISSING, NULL,
			"schedule: {cron: \"10 * * * *\"}, or after: [other_job]",
			"%s has no schedule and waits for no other job", env->what);
		return;
	}
	if (!etl_options_fill(schedule_table, node, &o, "schedule", env))
		return;
	zone = etl_conf_zone(o.timezone, env, &err);
	if (!zone) {
		etl_diag_add(env->diag, &etl_node_get(node, "timezone")->mark, ETL_DIAG_REFERENCE,
			NULL, "timedatectl list-timezones prints the names", "%s", err.message);
		return;
	}
	job->zone = zone;
	job->timezone = o.timezone;
	job->jitter = o.jitter;
	load_misfire(job, o.misfire, env);
	job->overlap = o.overlap;
	job->timeout = o.timeout;
	job->max_active = o.max_active;
	if (node)
		load_calendar(job, &o, node, env);
	if (!job->schedule_text && job->after.n)
		job->schedule_text = etl_arena_strf(env->arena, "after %s", job->after.items[0]);
}

/* ---- windows ----------------------------------------------------------------------------- */

/* All three are looked at, so that one pass shows all. */
static bool check_window(const struct window_options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	size_t before = etl_diag_count(env->diag);

	if (o->end.ms && o->end.ms <= o->start.ms)
		etl_job_fail_at(env, etl_node_get(node, "end"), ETL_DIAG_RANGE, "not after start",
			"the last window ends before the first begins");
	if (o->max_span.us && o->max_span.us < etl_grid_step_mean(o->size).us)
		etl_job_fail_at(env, etl_node_get(node, "max_span"), ETL_DIAG_RANGE,
			"shorter than size", "a request cannot be shorter than one window");
	if (o->size.length.us % 1000)
		etl_job_fail_at(env, etl_node_get(node, "size"), ETL_DIAG_RANGE, NULL,
			"a window is a whole number of milliseconds");
	return etl_diag_count(env->diag) == before;
}

/* A date alone is a day of the zone.
 * `start: 2026-07-01` with `timezone: Europe/Rome` is 2026-06-30T22:00Z; a time of day
 * with an offset means the same in every zone. */
static void read_in_zone(const struct etl_node *node, const struct etl_zone *zone, etl_wall *t)
{
	if (node)
		(void)etl_zone_time_parse(zone, node->text, t); /* the option table has read it before */
}

/* The boundaries around a start that is none: of single days or months, whatever the step.
 * `size: 1mo` and `start: 2026-01-31` give the hint "2026-01-01 or 2026-02-01". */
static void refuse_start(const struct window_options *o, const struct etl_node *node,
	const struct etl_zone *zone, const struct etl_conf_env *env)
{
	struct etl_grid_step one = {.length = o->size.months ? (etl_dur){0} : ETL_DAYS(1),
		.months = o->size.months ? 1 : 0};
	char before[ETL_DATE_TEXT_BYTES], behind[ETL_DATE_TEXT_BYTES];
	struct etl_window around;
	struct etl_grid grid;

	etl_grid_init(&grid, o->start, one, zone);
	around = etl_grid_at(&grid, o->start);
	if (!etl_window_holds(&around, o->start)) { /* a grid of a zone has no boundary so far away */
		etl_job_fail_at(env, etl_node_get(node, "start"), ETL_DIAG_RANGE,
			"from the year 3 to the year 9997", "'start' is too far away for windows of a zone");
		return;
	}
	etl_zone_date(zone, around.start, before);
	etl_zone_date(zone, around.end, behind);
	etl_diag_add(env->diag, &etl_node_get(node, "start")->mark, ETL_DIAG_RANGE,
		etl_arena_strf(env->arena, "%s or %s", before, behind), "man etld.yaml, window",
		"'start' in %s is not the first instant of a %s in %s", env->what,
		o->size.months ? "month" : "day", etl_zone_name(zone));
}

/* The law of the start: it is a boundary, since windows are counted from it: days and weeks from the first
 * instant of a local day, months and years from that of the first of a month. A week begins on the
 * weekday of the start, a year in its month. Nothing is rounded: whoever writes 31 January would not know
 * what the month after is to be. */
static bool load_grid(struct window_options *o, const struct etl_node *node, struct etl_grid *grid,
	const struct etl_conf_env *env)
{
	const struct etl_zone *zone = etl_zone_utc();
	struct etl_error err = ETL_ERROR_INIT;

	if (o->timezone)
		zone = etl_conf_zone(o->timezone, env, &err);
	if (!zone) {
		etl_diag_add(env->diag, &etl_node_get(node, "timezone")->mark, ETL_DIAG_REFERENCE,
			NULL, "timedatectl list-timezones prints the names", "%s", err.message);
		return false;
	}
	if (zone != etl_zone_utc() && !etl_grid_step_is_local(o->size)) {
		etl_job_fail_at(env, etl_node_get(node, "timezone"), ETL_DIAG_CONFLICT,
			"leave it out, or take a size of whole days, weeks, months or years",
			"windows of hours and minutes are the same in every zone");
		return false;
	}
	read_in_zone(etl_node_get(node, "start"), zone, &o->start);
	read_in_zone(etl_node_get(node, "end"), zone, &o->end);
	if (etl_grid_init(grid, o->start, o->size, zone))
		return true;
	refuse_start(o, node, zone, env);
	return false;
}

void etl_job_load_window(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct window_options o = {0};
	struct etl_grid grid;

	/* The whole source is one unit: there is no grid. */
	if (node->kind == ETL_NODE_SCALAR && etl_streq(node->text, "none")) {
		job->window.none = true;
		return;
	}
	if (node->kind == ETL_NODE_SCALAR && etl_streq(node->text, "object")) {
		job->window.none = job->window.object = true;
		return;
	}
	if (node->kind != ETL_NODE_MAP) {
		etl_job_fail_at(env, node, ETL_DIAG_TYPE, "a mapping with size and start, object, or none",
			"wrong window");
		return;
	}
	if (!etl_options_fill(window_table, node, &o, "window", env))
		return;
	if (!load_grid(&o, node, &grid, env) || !check_window(&o, node, env))
		return;
	job->window = (struct etl_window_rules){
		.grid = grid,
		.end = o.end,
		.settle = o.settle,
		.lookback = o.lookback,
		.max_span = o.max_span,
		.retention = o.retention,
		.reread_every = o.reread.every,
		.reread_span = o.reread.span,
	};
}

/* Its first window is not due for as long as it has not begun: not wrong, but a typing error in the
 * year looks like this. */
void etl_job_check_start(const struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *start = etl_node_get(node, "start");
	char at[ETL_TIME_TEXT_BYTES], due[ETL_TIME_TEXT_BYTES];
	etl_wall final_at = etl_wall_add(etl_grid_at(&job->window.grid, job->window.grid.start).end,
		job->window.settle);
	etl_wall first = final_at;

	if (!env->now.ms || !start || job->window.grid.start.ms <= env->now.ms)
		return;
	/* The first slot at or after the moment at which the first window is final. */
	if (job->calendar && !etl_calendar_next(job->calendar, (etl_wall){final_at.ms - 1}, &first))
		first = final_at;
	etl_time_format_rfc3339(job->window.grid.start, at);
	etl_time_format_rfc3339(first, due);
	etl_diag_say(env->diag, ETL_DIAG_WARNING, &start->mark, ETL_DIAG_FUTURE,
		"lies in the future", NULL,
		"%s begins at %s: its first window is due at %s, and nothing is loaded before",
		env->what, at, due);
}

void etl_job_load_deadline(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const char *why;

	if (!node)
		return;
	if (node->kind != ETL_NODE_SCALAR) {
		etl_job_fail_at(env, node, ETL_DIAG_TYPE, "window.end + 20m", "wrong deadline");
	} else if (!etl_deadline_parse(node->text, &job->deadline, &why)) {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_RANGE, "window.end + 20m",
			"man etld.yaml, deadline", "'deadline' is '%s': %s", node->text, why);
	} else if (job->window.none) {
		etl_job_fail_at(env, node, ETL_DIAG_CONFLICT,
			job->window.object ? "window: object" : "window: none", "a deadline needs windows");
	} else if (etl_grid_has_windows(&job->window.grid) &&
		job->deadline.us <= job->window.settle.us) {
		/* Such as settle 1h and deadline window.end + 20m: the window may not even
		 * be asked for by then. */
		etl_job_fail_at(env, node, ETL_DIAG_CONFLICT, "not later than window.settle",
			"a deadline before a window has settled cannot be met");
	}
}
