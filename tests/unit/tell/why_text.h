/* SPDX-License-Identifier: MIT
 *
 * What the tests of tell/why.h share: an answer as one line, and a job of every hour.
 */
#ifndef WHY_TEXT_H
#define WHY_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "tell/why.h"
#include "time/civil.h"

#define RUN "0197c5d2-7a10-7b3c-9f00-4f1c2a9b3d5e"

static inline etl_wall at(const char *text)
{
	etl_wall t = {0};

	if (*text)
		assert_true(etl_time_parse_rfc3339(text, strlen(text), &t));
	return t;
}

/* "because; because > next @ when | hint | hint" */
static inline char *as_text(const struct etl_why *why)
{
	char when[ETL_TIME_TEXT_BYTES];
	struct etl_buf out;

	etl_buf_init(&out, 65536);
	for (size_t i = 0; i < why->because.n; i++)
		etl_buf_printf(&out, "%s%s", i ? "; " : "", why->because.items[i]);
	if (why->next) {
		etl_buf_printf(&out, " > %s", why->next);
		if (why->next_at.ms) {
			etl_time_format_rfc3339(why->next_at, when);
			etl_buf_printf(&out, " @ %s", when);
		}
	}
	for (size_t i = 0; i < why->hints.n; i++)
		etl_buf_printf(&out, " | %s", why->hints.items[i]);
	return etl_buf_take(&out);
}

static inline void says(struct etl_why *why, const char *expected)
{
	etl_cleanup(free) char *text = as_text(why);

	assert_string_equal(text, expected);
	assert_true(why->because.n > 0);
	etl_why_fini(why);
}

/* ---- a job of every hour ---------------------------------------------------------------------- */

static const struct etl_wait_for sensor = {.collection = "orders", .poke = {INT64_C(300000000)},
	.timeout = {INT64_C(3600000000)}};
static const char *const no_names[] = {NULL};
static struct etl_partition one_partition[] __attribute__((unused)) = {{.name = "all"}};

static inline struct etl_job hourly(void)
{
	struct etl_job job = {.name = "a", .schedule_text = "10 * * * *", .timezone = "UTC",
		.misfire = ETL_MISFIRE_RUN_LATEST, .overlap = ETL_OVERLAP_QUEUE_ONE,
		.timeout = ETL_MINUTES(10), .partition_names = no_names,
			.partitions = one_partition,
		.n_partitions = 1, .host = "api.example.org", .wait_for = &sensor,
		.window = {.grid = {.start = at("2026-01-01T00:00:00Z"), .size = ETL_HOURS(1)},
			.settle = ETL_MINUTES(70)}};
	struct etl_error err = ETL_ERROR_INIT;

	job.calendar = etl_calendar_cron(job.schedule_text, NULL, &err);
	assert_non_null(job.calendar);
	return job;
}

static inline void unmake(struct etl_job *job)
{
	etl_calendar_free((struct etl_calendar *)(uintptr_t)job->calendar);
}

#endif
