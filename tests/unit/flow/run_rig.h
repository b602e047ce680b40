/* SPDX-License-Identifier: MIT
 *
 * What the tests of whole runs share: a job over a service that holds rows in memory, a
 * target in memory, and the law of the watermark, looked at after every commit.
 */
#ifndef ETL_TEST_RUN_RIG_H
#define ETL_TEST_RUN_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/str.h"
#include "../../lib/job_rig.h"
#include "../../lib/strand_driver.h"
#include "time/civil.h"

#define UNUSED __attribute__((unused))
#define HOUR_MS INT64_C(3600000)
#define T0 INT64_C(1704067200000) /* 2024-01-01T00:00:00Z, start of all jobs here */

struct service_row {
	char station[8];
	etl_wall t;
	double v;
};

/* One answer out of the ordinary, used up by one request. */
struct scripted {
	int status;		  /* 0: no answer, `kind` */
	enum etl_error_kind kind; /* of a transport error */
	etl_dur retry_after;
	const char *body; /* NULL: the rows, as always */
	bool cut;
	etl_dur takes, step;
};

struct rig {
	struct job_rig jobs;
	struct driver driver;
	struct etl_job *job;		/* the first one */
	struct memory_target *target;	/* its target */
	struct service_row rows[20000];
	size_t n_rows;
	struct scripted script[40];
	size_t n_script, at_script;
	int64_t bad_from, bad_to; /* requests that touch this get no JSON; 0,0 = none */
	char asked[64][64];	  /* the windows of the first requests */
	struct etl_run *run;	  /* the last run, until the next one */
	struct etl_error err;

	/* what the hooks do */
	unsigned refuse_commits; /* "txn.retry" so many times */
	unsigned cancel_at;	 /* before this worker call, counted from 1; 0 = never */
	unsigned fence_at;	 /* another etld takes the job before this commit; 0 = never */
	bool taker_commits;	 /* ... and loads and closes the same windows */
	const struct etl_dirty_mark *mark_at_commit; /* comes in between plan and commit */
	size_t n_marks; /* there; 0 = 1 */
};

static const char rig_yaml[] =
	"schedule: {cron: '10 * * * *', timeout: 1h}\n"
	"retry: {max: 3, backoff: 5s, max_backoff: 10m}\n"
	"rejects: {max: 2, max_ratio: 0.25}\n"
	"partitions: {station: [a]}\n"
	"window: {size: 1h, settle: 10m, lookback: 2h, max_span: 1d, start: 2024-01-01}\n"
	"extract:\n"
	"  http:\n"
	"    url: 'http://peer.test/{station}'\n"
	"    query: {from: '{window.start:%Y%m%d%H}', to: '{window.end:%Y%m%d%H}'}\n"
	"    records: /data\n"
	"    time: {field: ts, format: '%Y-%m-%d %H:%M:%S', timezone: UTC}\n"
	"transform:\n"
	"  - set: {station_id: '{station}'}\n"
	"load: {\"null\": {}}\n";

static UNUSED etl_wall hour(int64_t h)
{
	return (etl_wall){T0 + h * HOUR_MS};
}

static UNUSED void service_put(struct rig *rig, const char *station, etl_wall t, double v)
{
	for (size_t i = 0; i < rig->n_rows; i++)
		if (rig->rows[i].t.ms == t.ms && etl_streq(rig->rows[i].station, station)) {
			rig->rows[i].v = v;
			return;
		}
	assert_true(rig->n_rows < sizeof rig->rows / sizeof *rig->rows);
	rig->rows[rig->n_rows] = (struct service_row){.t = t, .v = v};
	snprintf(rig->rows[rig->n_rows++].station, 8, "%s", station);
}

/* One row an hour, at half past, from hour `from` to before hour `to`. */
static UNUSED void service_fill(struct rig *rig, const char *station, int64_t from, int64_t to)
{
	for (int64_t h = from; h < to; h++)
		service_put(rig, station, (etl_wall){hour(h).ms + HOUR_MS / 2}, (double)h);
}

static UNUSED void service_say(struct rig *rig, struct scripted answer)
{
	assert_true(rig->n_script < sizeof rig->script / sizeof *rig->script);
	rig->script[rig->n_script++] = answer;
}

static void rows_body(const struct rig *rig, const char *station, struct etl_window window,
	struct etl_buf *body)
{
	const char *comma = "";

	etl_buf_str(body, "{\"data\":[");
	for (size_t i = 0; i < rig->n_rows; i++) {
		const struct service_row *row = &rig->rows[i];
		struct etl_civil c;

		if (!etl_window_holds(&window, row->t) || !etl_streq(row->station, station))
			continue;
		etl_civil_from_utc(row->t, &c);
		etl_buf_printf(body,
			"%s{\"ts\":\"%04d-%02d-%02d %02d:%02d:%02d\",\"v\":%.17g,\"n\":%zu}", comma,
			(int)c.year, c.month, c.day, c.hour, c.minute, c.second, row->v, i);
		comma = ",";
	}
	etl_buf_str(body, "]}");
}

/* "2024010203" */
static etl_wall parse_hour(const char *text)
{
	struct etl_civil c = {0};
	int year;

	assert_int_equal(sscanf(text, "%4d%2d%2d%2d", &year, &c.month, &c.day, &c.hour), 4);
	c.year = year;
	return etl_civil_to_utc(&c);
}

static struct etl_window request_window(const struct etl_request *request)
{
	const char *from = strstr(request->url, "from="), *to = strstr(request->url, "to=");

	if (!from || !to) /* a full read */
		return (struct etl_window){{INT64_MIN}, {INT64_MAX}};
	return (struct etl_window){parse_hour(from + 5), parse_hour(to + 3)};
}

static void answer(void *ctx, const struct etl_strand *strand, struct driver_answer *out)
{
	struct rig *rig = ctx;
	struct etl_window w = request_window(&strand->request);
	const struct scripted *s =
		rig->at_script < rig->n_script ? &rig->script[rig->at_script++] : NULL;

	if (rig->driver.requests <= 64)
		snprintf(rig->asked[rig->driver.requests - 1], 64, "%s %lld+%lld",
			strand->part.partition->name, (long long)(w.start.ms / HOUR_MS - T0 / HOUR_MS),
			(long long)(w.end.ms / HOUR_MS - w.start.ms / HOUR_MS));
	if (s) {
		out->status = s->status;
		if (s->retry_after.us)
			out->retry_after = s->retry_after;
		out->cut = s->cut;
		out->takes = s->takes;
		out->step = s->step;
		if (!s->status || s->cut)
			etl_error_set(&out->error, s->kind, "http.test", "no answer, on command");
	}
	if (s && s->body)
		etl_buf_str(&out->body, s->body);
	else if (rig->bad_to && w.start.ms < rig->bad_to && w.end.ms > rig->bad_from)
		etl_buf_str(&out->body, "{\"data\":[{\"ts\":nonsense");
	else
		rows_body(rig, strand->part.partition->name, w, &out->body);
}

static void before_work(void *ctx, struct etl_run *run, struct etl_strand *strand)
{
	struct rig *rig = ctx;

	(void)strand;
	if (rig->cancel_at && --rig->cancel_at == 0)
		atomic_store(&run->cancel, ETL_CANCEL_OPERATOR);
}

static void take_over(struct rig *rig, const struct etl_commit *c)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_lease lease = {0};
	struct etl_watermark mark;
	struct etl_state *s = rig->driver.state;

	struct etl_lease_ask ask = {.job = rig->job->name, .holder = "driver 2",
		.dead_holder = "driver 1", .ttl = ETL_LEASE_TTL};

	assert_int_equal(s->ops->lease_acquire(s, &ask, &lease, &err), 1);
	assert_int_equal(s->ops->watermark_claim(s, rig->job->name, "a", lease.fence, hour(0),
				 HOUR_MS, &mark, &err), 0);
	if (rig->taker_commits) {
		struct etl_commit theirs = *c;

		theirs.fence = lease.fence;
		theirs.run_id = "another run";
		assert_int_equal(driver_real_ops->commit(s, NULL, &theirs, &err), 0);
	}
}

static int before_commit(void *ctx, const struct etl_commit *c, struct etl_error *err)
{
	struct rig *rig = ctx;
	struct etl_commit with_mark = *c;

	if (rig->refuse_commits) {
		rig->refuse_commits--;
		return etl_error_set(err, ETL_TRANSIENT, "txn.retry", "refused on command");
	}
	if (rig->fence_at && --rig->fence_at == 0)
		take_over(rig, c);
	if (rig->mark_at_commit) {
		/* A commit of an upstream job, reduced to its mark. */
		with_mark.n_entries = 0;
		with_mark.watermark = (etl_wall){INT64_MIN};
		with_mark.dirty = (struct etl_dirty_mark *)(uintptr_t)ETL_TAKE(rig->mark_at_commit);
		with_mark.n_dirty = rig->n_marks ? rig->n_marks : 1;
		return driver_real_ops->commit(rig->driver.state, NULL, &with_mark, err);
	}
	return 0;
}

/* ---- the ledger and the law -------------------------------------------------------------- */

struct ledger_view {
	struct etl_ledger_entry *entries;
	size_t n, cap;
};

static int keep_entry(void *ctx, const struct etl_ledger_entry *entry, struct etl_error *err)
{
	struct ledger_view *view = ctx;

	(void)err;
	ETL_GROW(view->entries, view->n, view->cap);
	view->entries[view->n++] = *entry;
	return 0;
}

static void ledger_read(struct rig *rig, const char *job, const char *partition,
	struct ledger_view *view)
{
	struct etl_window all = {{INT64_MIN / 2}, {INT64_MAX / 2}};
	struct etl_state *s = rig->driver.state;

	*view = (struct ledger_view){0};
	assert_int_equal(s->ops->ledger_scan(s, job, partition, &all, ETL_LEDGER_ALL, keep_entry,
				 view, &rig->err), 0);
}

/* The entry of partition `partition` at hour `h`, zeroes if there is none. */
static UNUSED struct etl_ledger_entry entry_at(struct rig *rig, const char *job,
	const char *partition, int64_t h)
{
	struct etl_ledger_entry found = {0};
	struct ledger_view view;

	ledger_read(rig, job, partition, &view);
	for (size_t i = 0; i < view.n; i++)
		if (view.entries[i].window.start.ms == hour(h).ms)
			found = view.entries[i];
	free(view.entries);
	return found;
}

#define NEED_STATE(rig, h, want)                                                                \
	do {                                                                                    \
		struct etl_ledger_entry e_ = entry_at(rig, (rig)->job->name, "a", h);           \
		assert_string_equal(etl_window_state_word(e_.state),                            \
			etl_window_state_word(want));                                           \
	} while (0)

static UNUSED etl_wall watermark_of(struct rig *rig, const char *job, const char *partition)
{
	struct etl_watermark mark = {0};
	struct etl_state *s = rig->driver.state;

	s->ops->watermark_get(s, job, partition, &mark, &rig->err);
	return mark.processed;
}

#define NEED_WATERMARK(rig, h)                                                                  \
	assert_int_equal((watermark_of(rig, (rig)->job->name, "a").ms - T0) / HOUR_MS, h)

/* Every window from the origin to the watermark is closed, and none of them can still move. */
static void after_commit(void *ctx, const struct etl_commit *c)
{
	struct rig *rig = ctx;
	const struct etl_job *job = NULL;
	etl_wall mark = watermark_of(rig, c->job, c->partition), at = c->origin;
	struct ledger_view view;

	for (size_t i = 0; i < rig->jobs.n; i++)
		if (etl_streq(rig->jobs.jobs[i]->name, c->job))
			job = rig->jobs.jobs[i];
	if (job->window.none)
		return;
	assert_true(mark.ms <= etl_wall_sub(etl_now(&rig->driver.clock.clock),
				       job->window.settle).ms);
	ledger_read(rig, c->job, c->partition, &view);
	for (size_t i = 0; i < view.n && at.ms < mark.ms; i++) {
		if (at.ms < job->window.grid.start.ms) /* the start was moved on: no longer due */
			at = job->window.grid.start;
		if (view.entries[i].window.start.ms < at.ms)
			continue;
		assert_int_equal(view.entries[i].window.start.ms, at.ms);
		assert_true(etl_window_is_closed(view.entries[i].state));
		at = view.entries[i].window.end;
	}
	assert_true(at.ms >= mark.ms);
	free(view.entries);
}

/* ---- runs -------------------------------------------------------------------------------- */

/* `yaml` NULL: rig_yaml. The clock stands ten past hour `now`. */
static UNUSED struct rig *rig_new(const char *yaml, int64_t now)
{
	struct rig *rig = ETL_NEW(struct rig);

	rig->err = (struct etl_error)ETL_ERROR_INIT;
	driver_init(&rig->driver, etl_wall_add(hour(now), ETL_MINUTES(10)), 20261122);
	rig->driver.ctx = rig;
	rig->driver.answer = answer;
	rig->driver.before_work = before_work;
	rig->driver.before_commit = before_commit;
	rig->driver.after_commit = after_commit;
	job_rig_init(&rig->jobs);
	rig->job = job_rig_add(&rig->jobs, "job", yaml ? yaml : rig_yaml);
	rig->target = &rig->jobs.targets[0];
	return rig;
}

static UNUSED void rig_free(struct rig *rig)
{
	etl_run_free(rig->run);
	for (size_t i = 0; i < rig->jobs.n; i++)
		assert_int_equal(rig->jobs.targets[i].opens, rig->jobs.targets[i].closes);
	job_rig_fini(&rig->jobs);
	driver_fini(&rig->driver);
	free(rig);
}

static UNUSED enum etl_run_state run_triggered(struct rig *rig, const struct etl_job *job,
	struct etl_trigger *trigger)
{
	etl_run_free(rig->run);
	rig->driver.requests = 0;
	rig->driver.timers = 0;
	rig->driver.works = 0;
	rig->driver.commits = 0;
	rig->driver.waited = (etl_dur){0};
	rig->at_script = rig->n_script ? rig->at_script : 0;
	rig->run = etl_run_new(job, &rig->driver.env, 1, trigger);
	assert_int_equal(driver_run(&rig->driver, rig->run, &rig->err), 0);
	return rig->run->state;
}

static UNUSED enum etl_run_state run_job(struct rig *rig, const struct etl_job *job,
	struct etl_window asked)
{
	return run_triggered(rig, job, &(struct etl_trigger){.kind = ETL_TRIGGER_SCHEDULE, .asked = asked});
}

static UNUSED enum etl_run_state run_due(struct rig *rig)
{
	return run_job(rig, rig->job, (struct etl_window){0});
}

#define NEED_RUN(rig, want)                                                                     \
	do {                                                                                    \
		enum etl_run_state got_ = run_due(rig);                                         \
		if (got_ != (want))                                                             \
			fail_msg("line %d: the run is %s: %s", __LINE__,                        \
				etl_run_state_word(got_), (rig)->run->error.message);           \
	} while (0)

/* The clock goes on by whole hours. */
static UNUSED void pass_hours(struct rig *rig, int64_t n)
{
	etl_clock_virtual_advance(&rig->driver.clock, ETL_HOURS(n));
}

/* ---- the laws of counts (state/counts.h) ------------------------------------------------- */

static UNUSED void need_laws(const struct etl_counts *c, const char *what)
{
	uint64_t mid = c->rejected - c->unplaced - c->refused;

	if (c->seen != c->in + c->outside + c->unplaced ||
		c->in + c->made != c->out + c->filtered + c->merged + mid ||
		c->out != c->inserted + c->updated + c->unchanged + c->overwritten + c->stale +
				c->refused + c->withheld) {
		for (size_t i = 0; i < etl_counts_n; i++)
			print_error("%s %llu\n", etl_counts_rows[i].name,
				(unsigned long long)etl_counts_get(c, &etl_counts_rows[i]));
		fail_msg("%s: the counts do not balance", what);
	}
}

/* The run's counts balance, and each entry's that it left. */
static UNUSED void need_balance(struct rig *rig)
{
	struct ledger_view view;
	char at[ETL_TIME_TEXT_BYTES];

	need_laws(&rig->run->counts, "the run");
	ledger_read(rig, rig->job->name, "a", &view);
	for (size_t i = 0; i < view.n; i++) {
		etl_time_format_rfc3339(view.entries[i].window.start, at);
		need_laws(&view.entries[i].counts, at);
	}
	free(view.entries);
}

/* Edits rig_yaml: `from` must be in it. Lent until the next call. */
static UNUSED const char *yaml_with(const char *from, const char *to)
{
	static char text[4096];
	const char *at = strstr(rig_yaml, from);

	assert_non_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - rig_yaml), rig_yaml, to,
		at + strlen(from));
	return text;
}

#endif
