/* SPDX-License-Identifier: MIT
 *
 * The captured year, served hour by hour: 8,760 slots, two stations, an open hour that
 * changes at each call, late rows, gaps, an outage of two days, a recalibration of three
 * months; the hourly job and its daily means through the real engine, with source, decoder
 * and transforms as they are. Without the captured file a year of the same shape is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/job_rig.h"
#include "../lib/strand_driver.h"
#include "base/json.h"
#include "base/str.h"
#include "time/civil.h"

#define HOURS 8760
#define STATIONS 2
#define START INT64_C(1694304000000) /* 2023-09-10T00:00:00Z */
#define HOUR_MS INT64_C(3600000)
#define OUTAGE_FROM 3000
#define OUTAGE_HOURS 48
#define RECALIBRATED_AT 7000 /* then CO of the 2,160 hours before 6,900 changes */
#define RECALIBRATED_FROM (6900 - 2160)
#define RECALIBRATED_TO 6900

static const char *const stations[STATIONS] = {"283164601", "283181971"};

struct value {
	bool there;
	double co, pm;
	int arrives; /* hours after its end that the service has it */
};

static struct sim {
	struct job_rig jobs;
	struct driver driver;
	struct etl_job *hourly, *daily;
	struct value truth[STATIONS][HOURS];
	bool recalibrated;
	unsigned open_calls;
	uint64_t random;
	struct etl_error err;
} sim;

static uint64_t next_random(void)
{
	sim.random ^= sim.random << 13;
	sim.random ^= sim.random >> 7;
	sim.random ^= sim.random << 17;
	return sim.random;
}

/* ---- the year ----------------------------------------------------------------------------- */

static char *read_capture(size_t *len)
{
	const char *folder = getenv("ETLD_TEST_DATA");
	char *path = etl_strf("%s/airqino/283164601.json", folder ? folder : "../shared/data");
	FILE *file = fopen(path, "rb");
	char *text = NULL;

	free(path);
	if (!file)
		return NULL;
	text = etl_calloc(1, 8 << 20);
	*len = fread(text, 1, (8 << 20) - 1, file);
	fclose(file);
	return text;
}

static void take_row(const struct etl_json *row)
{
	struct etl_civil c = {0};
	const char *at = etl_json_text(row, "timestamp", "");
	int64_t h;

	if (sscanf(at, "%d-%d-%d %d", &c.year, &c.month, &c.day, &c.hour) != 4)
		return;
	h = (etl_civil_to_utc(&c).ms - START) / HOUR_MS;
	if (h >= 0 && h < HOURS)
		sim.truth[0][h] = (struct value){true, etl_json_double(row, "CO", 0),
			etl_json_double(row, "PM2.5", 0), 0};
}

static bool load_capture(void)
{
	struct etl_error err = ETL_ERROR_INIT;
	size_t len = 0;
	char *text = read_capture(&len);
	struct etl_json *json = text ? etl_json_parse(text, len, 8 << 20, &err) : NULL;

	free(text);
	if (!json)
		return false;
	ETL_JSON_EACH(row, etl_json_get(json, "data"))
		take_row(row);
	etl_json_free(json);
	return true;
}

/* The second station: other values, other gaps. A few rows of both come late. */
static void make_year(void)
{
	bool captured = load_capture();

	print_message("# the year is %s\n", captured ? "the captured one" : "a generated one");
	for (size_t h = 0; h < HOURS; h++) {
		if (!captured)
			sim.truth[0][h] = (struct value){next_random() % 8 != 0,
				(double)(next_random() % 4000) / 1000,
				(double)(next_random() % 90000) / 1000, 0};
		sim.truth[1][h] = (struct value){next_random() % 5 != 0,
			(double)(next_random() % 4000) / 1000, (double)(next_random() % 90000) / 1000, 0};
		for (size_t s = 0; s < STATIONS; s++)
			if (next_random() % 50 == 0)
				sim.truth[s][h].arrives = 1 + (int)(next_random() % 5);
	}
}

static double co_of(size_t s, size_t h)
{
	bool changed = sim.recalibrated && h >= RECALIBRATED_FROM && h < RECALIBRATED_TO;

	return sim.truth[s][h].co * (changed ? 1.25 : 1);
}

/* ---- the service -------------------------------------------------------------------------- */

static int64_t hour_now(void)
{
	return (etl_now(&sim.driver.clock.clock).ms - START) / HOUR_MS;
}

static etl_wall parse_minute(const char *text)
{
	struct etl_civil c = {0};

	assert_int_equal(sscanf(text, "%4d%2d%2d-%2d%2d", &c.year, &c.month, &c.day, &c.hour,
				 &c.minute), 5);
	return etl_civil_to_utc(&c);
}

static void put_row(struct etl_buf *body, const char **comma, size_t h, double co, double pm)
{
	struct etl_civil c;

	etl_civil_from_utc((etl_wall){START + (int64_t)h * HOUR_MS}, &c);
	etl_buf_printf(body,
		"%s{\"timestamp\":\"%04d-%02d-%02d %02d:00:00\",\"CO\":%.17g,\"T. int.\":407.9,"
		"\"PM2.5\":%.17g}", *comma, c.year, c.month, c.day, c.hour, co, pm);
	*comma = ",";
}

/* The real service returns both boundaries, and the hour in progress with what it has. */
static void serve(void *ctx, const struct etl_strand *strand, struct driver_answer *out)
{
	const char *url = strand->request.url;
	size_t s = strstr(url, stations[0]) ? 0 : 1;
	int64_t from = (parse_minute(strstr(url, "start=") + 6).ms - START) / HOUR_MS;
	int64_t to = (parse_minute(strstr(url, "end=") + 4).ms - START) / HOUR_MS;
	int64_t now = hour_now();
	const char *comma = "";

	(void)ctx;
	if (now >= OUTAGE_FROM && now < OUTAGE_FROM + OUTAGE_HOURS) {
		out->status = 503;
		return;
	}
	etl_buf_printf(&out->body, "{\"header\":{\"station_name\":\"SMART%zu\"},\"data\":[", s);
	for (int64_t h = from; h <= to && h < now && h < HOURS; h++)
		if (sim.truth[s][h].there && h + 1 + sim.truth[s][h].arrives <= now)
			put_row(&out->body, &comma, (size_t)h, co_of(s, (size_t)h),
				sim.truth[s][h].pm);
	if (to >= now)
		put_row(&out->body, &comma, (size_t)now, 1000 + ++sim.open_calls, -1);
	etl_buf_str(&out->body, "]}");
}

/* ---- the daily job reads what the hourly one loaded ---------------------------------------- */

struct reader {
	const struct etl_source_env *env;
	const struct memory_target *target;
	size_t at;
	bool begun;
};

static int reader_open(void *self, const void *options, const struct etl_source_env *env,
	struct etl_error *err)
{
	struct reader *r = self;

	(void)err;
	r->env = env;
	r->target = options;
	return 0;
}

static int reader_read(void *self, const struct etl_window *span, struct etl_batch *out,
	struct etl_error *err)
{
	struct reader *r = self;
	const char *station = r->env->vars->partition_values[0];

	(void)err;
	if (!r->begun)
		r->at = target_place(r->target, station, span->start);
	r->begun = true;
	for (; r->at < r->target->n; r->at++) {
		const struct target_row *row = &r->target->rows[r->at];
		bson_t doc;

		if (strcmp(row->station, station) != 0 || row->ts.ms >= span->end.ms)
			return 0;
		if (etl_batch_is_full(out))
			return 1;
		assert_true(bson_init_static(&doc, row->bson, row->len));
		etl_batch_add_copy(out, &doc, row->ts, out->n);
	}
	return 0;
}

static void reader_close(void *self)
{
	(void)self;
}

static const struct etl_source_type reader_type = {.name = "reader", .size = sizeof(struct reader),
	.open = reader_open, .read = reader_read, .close = reader_close};

#define COMMON                                                                                  \
	"retry: {max: 1, backoff: 5s}\n"                                                        \
	"partitions: {station: ['283164601', '283181971']}\n"                                   \
	"extract:\n"                                                                            \
	"  http:\n"                                                                             \
	"    url: 'http://peer.test/hourly/{station}'\n"                                        \
	"    query: {start: '{window.start:%Y%m%d-%H%M}', end: '{window.end:%Y%m%d-%H%M}'}\n"   \
	"    records: /data\n"                                                                  \
	"    attach: {station_name: /header/station_name}\n"                                    \
	"    time: {field: timestamp, format: '%Y-%m-%d %H:%M:%S', timezone: UTC}\n"            \
	"load: {\"null\": {}}\n"

static const char hourly_yaml[] = COMMON
	"schedule: {cron: '10 * * * *', timeout: 10m}\n"
	"window: {size: 1h, settle: 70m, lookback: 6h, max_span: 30d, start: 2023-09-10,\n"
	"  reread: {every: 30d, span: 140d}}\n"
	"transform:\n"
	"  - rename: {PM2.5: pm2_5, T. int.: t_int_raw}\n"
	"  - set: {station_id: '{station}', co_unit: mg/m3}\n"
	"  - cast: {CO: double, pm2_5: double}\n";

static const char daily_yaml[] = COMMON
	"schedule: {cron: '30 * * * *', timeout: 10m}\n"
	"after: [hourly]\n"
	"window: {size: 1d, settle: 70m, max_span: 30d, start: 2023-09-10}\n"
	"transform:\n"
	"  - aggregate: {every: 1d, by: [station_id], mean: [CO, pm2_5], count: samples}\n";

/* ---- the law of the watermark --------------------------------------------------------------- */

/* No window ahead of the settle time, and none below the watermark whose row is missing. */
static void law(void *ctx, const struct etl_commit *c)
{
	struct etl_watermark mark;
	size_t s = strcmp(c->partition, stations[0]) != 0;
	int64_t limit = etl_now(&sim.driver.clock.clock).ms - 70 * 60000, h;

	(void)ctx;
	assert_int_equal(sim.driver.state->ops->watermark_get(sim.driver.state, c->job, c->partition,
				 &mark, &sim.err), 1);
	assert_true(mark.processed.ms <= limit || mark.processed.ms == START);
	if (strcmp(c->job, "hourly") != 0)
		return;
	h = (mark.processed.ms - START) / HOUR_MS - 1;
	for (int64_t back = h; back >= 0 && back > h - 200; back--)
		if (sim.truth[s][back].there && !sim.truth[s][back].arrives)
			assert_non_null(target_find(&sim.jobs.targets[0], c->partition,
				(etl_wall){START + back * HOUR_MS}));
}

static enum etl_run_state run(const struct etl_job *job)
{
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_SCHEDULE};
	struct etl_run *r = etl_run_new(job, &sim.driver.env, 1, &trigger);
	enum etl_run_state state;

	assert_int_equal(driver_run(&sim.driver, r, &sim.err), 0);
	state = r->state;
	etl_run_free(r);
	return state;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void need_hours(void)
{
	size_t rows = 0;

	for (size_t s = 0; s < STATIONS; s++)
		for (size_t h = 0; h < HOURS; h++) {
			const struct target_row *row = target_find(&sim.jobs.targets[0], stations[s],
				(etl_wall){START + (int64_t)h * HOUR_MS});
			double co = 0, pm = 0;

			if (sim.truth[s][h].there != (row != NULL))
				fail_msg("station %zu, hour %zu: %s", s, h, row ? "too much" : "lost");
			rows += row != NULL;
			if (!row)
				continue;
			assert_true(target_double(row, "CO", &co) && target_double(row, "pm2_5", &pm));
			if (co != co_of(s, h) || pm != sim.truth[s][h].pm)
				fail_msg("station %zu, hour %zu: CO %.17g, not %.17g", s, h, co,
					co_of(s, h));
		}
	assert_int_equal(rows, sim.jobs.targets[0].n); /* each once, nothing else */
}

static int need_state(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	size_t s = *(size_t *)ctx, h = (size_t)((entry->window.start.ms - START) / HOUR_MS);

	(void)err;
	assert_false(entry->dirty);
	assert_true(h < HOURS);
	assert_int_equal(entry->state, sim.truth[s][h].there ? ETL_WINDOW_LOADED : ETL_WINDOW_EMPTY);
	return 0;
}

static void need_days(void)
{
	for (size_t s = 0; s < STATIONS; s++)
		for (size_t day = 0; day < HOURS / 24; day++) {
			double co = 0, pm = 0, got = 0;
			size_t n = 0;
			const struct target_row *row = target_find(&sim.jobs.targets[1], stations[s],
				(etl_wall){START + (int64_t)day * 24 * HOUR_MS});

			for (size_t h = day * 24; h < day * 24 + 24; h++)
				if (sim.truth[s][h].there) {
					co += co_of(s, h);
					pm += sim.truth[s][h].pm;
					n++;
				}
			assert_int_equal(row != NULL, n > 0);
			if (!n)
				continue;
			assert_true(target_double(row, "CO", &got));
			assert_true(fabs(got - co / (double)n) < 1e-9);
			assert_true(target_double(row, "pm2_5", &got));
			assert_true(fabs(got - pm / (double)n) < 1e-9);
		}
}

static void setup(void)
{
	const char *given = getenv("ETLD_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 20261122;

	print_message("# ETLD_TEST_SEED=%llu\n", (unsigned long long)seed);
	sim.random = seed ? seed : 1;
	sim.err = (struct etl_error)ETL_ERROR_INIT;
	make_year();
	driver_init(&sim.driver, (etl_wall){START + 10 * 60000}, sim.random);
	sim.driver.answer = serve;
	sim.driver.after_commit = law;
	job_rig_init(&sim.jobs);
	sim.hourly = job_rig_add(&sim.jobs, "hourly", hourly_yaml);
	sim.daily = job_rig_add(&sim.jobs, "daily", daily_yaml);
	job_rig_link(&sim.jobs);
	sim.hourly->window.end = (etl_wall){START + HOURS * HOUR_MS};
	sim.daily->window.end = sim.hourly->window.end;
	sim.daily->source = &reader_type;
	sim.daily->source_options = &sim.jobs.targets[0];
}

static void test_year(void **state)
{
	unsigned failed = 0, inserts;
	struct etl_window all = {{START}, {START + (HOURS + 1) * HOUR_MS}};

	(void)state;
	setup();
	for (int64_t slot = 0; slot < HOURS + 800; slot++) {
		etl_wall due = {START + slot * HOUR_MS + 10 * 60000};

		if (due.ms > sim.driver.clock.wall.ms)
			etl_clock_virtual_advance(&sim.driver.clock,
				etl_wall_diff(due, sim.driver.clock.wall));
		sim.recalibrated = slot >= RECALIBRATED_AT;
		if (slot > HOURS + 10)
			slot += 23; /* what is read again comes round once a month */
		failed += run(sim.hourly) == ETL_RUN_FAILED;
		if (slot % 6 == 0 || slot > HOURS)
			run(sim.daily);
	}
	assert_int_equal(failed, OUTAGE_HOURS);
	need_hours();
	need_days();
	for (size_t s = 0; s < STATIONS; s++)
		assert_int_equal(sim.driver.state->ops->ledger_scan(sim.driver.state, "hourly",
					 stations[s], &all, ETL_LEDGER_ALL, need_state, &s, &sim.err), 0);
	inserts = (unsigned)sim.jobs.targets[0].inserts;
	assert_int_equal(inserts, sim.jobs.targets[0].n); /* nothing was ever taken out */
	print_message("# %u hours, %u updates, %u commits, %u requests\n", inserts,
		(unsigned)sim.jobs.targets[0].updates, sim.driver.commits, sim.driver.requests);
	job_rig_fini(&sim.jobs);
	driver_fini(&sim.driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_year),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
