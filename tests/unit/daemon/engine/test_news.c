/* SPDX-License-Identifier: MIT
 *
 * The engine's news: who is told of what, in which order, and what the scheduler is told of a run that
 * lost MongoDB. Those who are told are played here: each writes down its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above */
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "engine/backend.h"
#include "engine/backfill.h"
#include "engine/counters.h"
#include "engine/deadline.h"
#include "engine/hosts.h"
#include "engine/news.h"
#include "engine/outbox.h"
#include "engine/outcome.h"
#include "engine/pauses.h"
#include "engine/picture.h"
#include "engine/records.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/runs_watch.h"
#include "engine/sched.h"
#include "io/loop.h"
#include "io/notify.h"

static struct etl_buf told; /* "picture sched" */
static struct etl_run_outcome outcome;
static bool is_busy;

static void note(const char *who)
{
	etl_buf_printf(&told, "%s%s", told.len ? " " : "", who);
}

/* ---- those who are told, played ------------------------------------------------------------ */

void etld_on_loop(const struct etld_loop *loop)
{
	(void)loop;
}

void etld_loop_stop(struct etld_loop *loop)
{
	(void)loop;
	note("stop");
}

void etld_picture_schedules(const struct etld_picture *p,
	void (*each)(void *ctx, const char *job, const struct etl_schedule_info *info), void *ctx)
{
	(void)p;
	note("schedules");
	each(ctx, "job", NULL);
}

void etld_sched_known(struct etld *etld, const char *name, const struct etl_schedule_info *info)
{
	(void)etld;
	(void)name;
	(void)info;
	note("slots");
}

void etld_hosts_restore(struct etld_hosts *hosts, const struct etl_source_state *record)
{
	(void)hosts;
	(void)record;
	note("host");
}

void etld_hosts_save(struct etld_hosts *hosts)
{
	(void)hosts;
	note("save");
}

void etld_picture_take(struct etld_picture *p)
{
	(void)p;
	note("picture");
}

void etld_picture_watch(struct etld *etld)
{
	(void)etld;
	note("watch");
}

void etld_sched_unheard(struct etld *etld)
{
	(void)etld;
	note("unheard");
}

void etld_sched_catch_up(struct etld *etld)
{
	(void)etld;
	note("catch-up");
}

void etld_backfills_up(struct etld *etld)
{
	(void)etld;
	note("backfills");
}

void etld_deadline_look_all(struct etld *etld)
{
	(void)etld;
	note("deadlines");
}

void etld_outbox_up(struct etld *etld)
{
	assert_true(etld->marks_known);
	note("outbox");
}

void etl_sched_store(struct etl_sched *sched, bool there)
{
	(void)sched;
	note(there ? "sched" : "sched-down");
}

void etld_pauses_down(struct etld *etld)
{
	(void)etld;
	note("pauses");
}

void etld_backend_lost(struct etld *etld, const struct etl_error *err)
{
	(void)etld;
	note(err->code);
}

bool etld_backend_is_busy(const struct etld *etld)
{
	(void)etld;
	return is_busy;
}

void etld_job_remember(struct etld *etld, struct etld_job *job, const struct etl_run *run,
	struct etld_picture *picture)
{
	(void)etld;
	(void)job;
	(void)run;
	(void)picture;
	note("job");
}

void etld_count_ended(struct etld_counters *c, const struct etl_run *run)
{
	(void)c;
	(void)run;
	note("counters");
}

void etld_report_run(struct etld *etld, const struct etl_run *run)
{
	(void)etld;
	(void)run;
	note("journal");
}

void etld_run_tell(struct etld_run *run, bool ended)
{
	(void)run;
	assert_true(ended);
	note("watchers");
}

void etld_backfills_run_ended(struct etld *etld, const struct etl_run *run)
{
	(void)etld;
	(void)run;
	note("backfill");
}

void etl_sched_ended(struct etl_sched *sched, struct etl_sched_job *job,
	const struct etl_run_outcome *of_run)
{
	(void)sched;
	(void)job;
	outcome = *of_run;
	note("sched");
}

void etld_deadline_look(struct etld *etld, struct etld_job *job)
{
	(void)etld;
	(void)job;
	note("deadline");
}

struct etl_run *etld_records_failed(struct etld *etld, struct etl_run *run,
	struct etld_generation *generation, const struct etl_error *error)
{
	(void)etld;
	(void)generation;
	(void)error;
	note("record");
	return run;
}

unsigned etld_active_runs(const struct etld *etld)
{
	(void)etld;
	return 0;
}

bool etld_outbox_settling(struct etld *etld)
{
	(void)etld;
	note("outbox");
	return false;
}

void etld_notify_status(const char *fmt, ...)
{
	(void)fmt;
	note("status");
}

/* ---- MongoDB --------------------------------------------------------------------------------- */

static int begin(void **state)
{
	(void)state;
	etl_buf_init(&told, 4096);
	is_busy = false;
	return 0;
}

static int end(void **state)
{
	(void)state;
	etl_buf_fini(&told);
	return 0;
}

/* The scheduler starts runs within its call: by slots, hosts and marks that are known, and behind
 * what was decided while MongoDB was unreachable. */
static void what_was_read_is_known_before_anything_starts(void **state)
{
	struct etl_source_state hosts[1] = {0};
	struct etld_found found = {.first = true, .hosts = hosts, .n_hosts = 1};
	struct etld etld = {0};

	(void)state;
	etld_engine_news.up(&etld, &found);
	assert_string_equal(etl_buf_text(&told),
		"schedules slots host picture save unheard outbox sched catch-up backfills deadlines watch");
	etl_buf_clear(&told);
	found = (struct etld_found){0};
	etld_engine_news.up(&etld, &found);
	assert_string_equal(etl_buf_text(&told),
		"picture save outbox sched backfills deadlines watch");
}

static void a_lost_mongodb_starts_nothing(void **state)
{
	struct etld etld = {0};

	(void)state;
	etld_engine_news.down(&etld);
	assert_string_equal(etl_buf_text(&told), "sched-down pauses");
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void run_ends(bool has_job, const char *run_code, const char *finish_code)
{
	static const struct etl_run_env env = {0};
	struct etld etld = {0};
	struct etld_job job = {0};
	struct etl_run run = {.env = &env, .error = ETL_ERROR_INIT};
	struct etld_run r = {.etld = &etld, .job = has_job ? &job : NULL, .run = &run,
		.finish_error = ETL_ERROR_INIT};

	if (run_code)
		etl_error_set(&run.error, ETL_TRANSIENT, run_code, "away");
	if (finish_code)
		etl_error_set(&r.finish_error, ETL_TRANSIENT, finish_code, "away");
	etl_buf_clear(&told);
	memset(&outcome, 0, sizeof outcome);
	etld_engine_news.ended(&etld, &r);
}

/* Within its call the scheduler may start the job's next run and give the place to another
 * backfill: the job has what the ended run left, and the backfill knows that its piece is over.
 * Deadlines go by what runs then. */
static void the_scheduler_hears_of_an_end_when_all_is_remembered(void **state)
{
	(void)state;
	run_ends(true, NULL, NULL);
	assert_string_equal(etl_buf_text(&told),
		"job counters journal watchers backfill sched deadline");
	assert_false(outcome.store_lost);
	run_ends(false, NULL, NULL); /* its job has left the configuration */
	assert_string_equal(etl_buf_text(&told), "counters journal watchers");
}

/* The run is owed once more, whether MongoDB was lost to it or to the record of its end. */
static void a_lost_mongodb_is_told_of_run_and_record(void **state)
{
	(void)state;
	run_ends(true, "mongodb.unreachable", NULL);
	assert_true(outcome.store_lost);
	assert_string_equal(etl_buf_text(&told),
		"mongodb.unreachable job counters journal watchers backfill sched deadline");
	run_ends(true, NULL, "mongodb.network");
	assert_true(outcome.store_lost);
	assert_string_equal(etl_buf_text(&told),
		"mongodb.network job counters journal watchers backfill sched deadline record");
	run_ends(true, "http.timeout", "mongodb.election");
	assert_true(outcome.store_lost);
	run_ends(true, "http.timeout", "mongodb.refused"); /* an answer: it is there */
	assert_false(outcome.store_lost);
	assert_string_equal(etl_buf_text(&told),
		"job counters journal watchers backfill sched deadline record");
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What hosts ask to be kept is given to the outbox before it is asked whether it has anything. */
static void a_stopping_etld_ends_when_all_is_stored(void **state)
{
	struct etld_generation generation = {0};
	struct etld etld = {.generation = &generation};

	(void)state;
	etld_engine_news.changed(&etld);
	assert_string_equal(etl_buf_text(&told), "status");
	etl_buf_clear(&told);
	etld.draining = is_busy = true;
	etld_engine_news.changed(&etld);
	assert_string_equal(etl_buf_text(&told), "status");
	etl_buf_clear(&told);
	is_busy = false;
	etld_engine_news.changed(&etld);
	assert_string_equal(etl_buf_text(&told), "status save outbox stop");
}

#define NEWS_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NEWS_TEST(what_was_read_is_known_before_anything_starts),
		NEWS_TEST(a_lost_mongodb_starts_nothing),
		NEWS_TEST(the_scheduler_hears_of_an_end_when_all_is_remembered),
		NEWS_TEST(a_lost_mongodb_is_told_of_run_and_record),
		NEWS_TEST(a_stopping_etld_ends_when_all_is_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
