/* SPDX-License-Identifier: MIT
 *
 * Zones: names, known offsets, gaps and folds, rules given as text, damaged files. The
 * comparison of every zone with another reader is in tests/system/test_time_oracle.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "time/civil.h"
#include "time/zone_internal.h"

static etl_wall at(const char *text)
{
	etl_wall t;

	assert_true(etl_time_parse_rfc3339(text, strlen(text), &t));
	return t;
}

/* What the clock on the wall shows, written as if it were UTC. */
static int64_t shows(const char *text)
{
	return at(text).ms / 1000;
}

static void names(void **state)
{
	static const char *const bad[] = {"", "/etc/passwd", "..", "../zoneinfo/UTC",
		"Europe/../UTC", "Europe//Paris", "Europe/Paris/", "Europe/Paris ", "zone.tab",
		"a234567890123456789012345678901234567890123456789012345678901234"};
	static const char *const unknown[] = {"Mars/Olympus", "Europe", "Europe/Paris/x"};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_zone *zone;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(etl_zone_load(bad[i], &err));
		assert_int_equal(err.kind, ETL_CONFIG);
		assert_string_equal(err.code, "zone.name");
	}
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		assert_null(etl_zone_load(unknown[i], &err));
		assert_string_equal(err.code, "zone.unknown");
	}
	zone = etl_zone_load("UTC", &err);
	assert_string_equal(etl_zone_name(zone), "UTC");
	etl_zone_free(zone);
	assert_string_equal(etl_zone_name(etl_zone_utc()), "UTC");
	assert_int_equal(etl_zone_offset(etl_zone_utc(), (etl_wall){INT64_MIN}, NULL), 0);
	etl_zone_free(NULL);
}

static void a_name_is_suggested(void **state)
{
	static const char list[] =
		"# version 1\nR d 1916 o - Jun 14 23s 1 S\nZ Europe/Rome 0:49 - LMT\n"
		"1 E CE%sT\nZ America/New_York -4:56 u E%sT\nL Europe/Rome Europe/San_Marino\n"
		"Z America/Belem -3 - -03\nZ Europe/Berlin 1 E CE%sT\n"
		"Z Asia/Tokyo 9 - JST\nL\nZ\nL x\n\nZ UTC 0";
	static const struct {
		const char *name, *near; /* NULL = none */
	} cases[] = {
		{"Europe/Rom", "Europe/Rome"},
		{"europe/rome", "Europe/Rome"},
		{"Europ/Rmoe", "Europe/Rome"},
		{"Rome", "Europe/Rome"},
		{"San_Marino", "Europe/San_Marino"},
		{"America/New York", "America/New_York"},
		{"US/New_York", "America/New_York"},
		{"America/Berlin", "Europe/Berlin"}, /* Belem has three edits */
		{"America/Belim", "America/Belem"},
		{"Asia/Tokio", "Asia/Tokyo"},
		{"Utc", "UTC"},
		{"Mars/Olympus", NULL},
		{"", NULL},
		{"X", NULL},
		{"a234567890123456789012345678901234567890123456789012345678901234567890", NULL},
	};
	char path[] = "/tmp/etl-zones-XXXXXX", near[ETL_ZONE_NAME_MAX + 1];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, list, sizeof list - 1), sizeof list - 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool found = etl_zone_nearest(cases[i].name, path, near);

		if (found != (cases[i].near != NULL))
			fail_msg("%s: %s", cases[i].name, found ? near : "nothing");
		if (found)
			assert_string_equal(near, cases[i].near);
	}
	unlink(path);
	close(fd);
	assert_false(etl_zone_nearest("Europe/Rom", path, near));
}

static void an_unknown_zone_comes_with_a_hint(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;

	(void)state;
	if (access("/usr/share/zoneinfo/tzdata.zi", R_OK) != 0)
		skip();
	assert_null(etl_zone_load("Europe/Rom", &err));
	assert_string_equal(err.code, "zone.unknown");
	assert_string_equal(err.message,
		"unknown time zone \"Europe/Rom\": did you mean \"Europe/Rome\"?");
	assert_null(etl_zone_load("America/New York", &err));
	assert_string_equal(err.code, "zone.name");
	assert_non_null(strstr(err.message, "did you mean \"America/New_York\"?"));
}

static void paris(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *zone = etl_zone_load("Europe/Paris", &err);
	etl_wall first, second;
	bool dst;

	(void)state;
	assert_non_null(zone);
	assert_int_equal(etl_zone_offset(zone, at("2026-01-01T00:00:00Z"), &dst), 3600);
	assert_false(dst);
	assert_int_equal(etl_zone_offset(zone, at("2026-03-29T00:59:59.999Z"), &dst), 3600);
	assert_int_equal(etl_zone_offset(zone, at("2026-03-29T01:00:00Z"), &dst), 7200);
	assert_true(dst);
	assert_int_equal(etl_zone_offset(zone, at("1850-01-01T00:00:00Z"), NULL), 561);
	assert_int_equal(etl_zone_offset(zone, at("9998-07-01T00:00:00Z"), NULL), 7200);
	assert_int_equal(etl_zone_to_utc(zone, shows("2026-03-29T02:30:00Z"), &first, &second),
		ETL_LOCAL_GAP);
	assert_int_equal(first.ms, at("2026-03-29T01:00:00Z").ms);
	assert_int_equal(second.ms, first.ms);
	assert_int_equal(etl_zone_to_utc(zone, shows("2026-10-25T02:30:00Z"), &first, &second),
		ETL_LOCAL_FOLD);
	assert_int_equal(first.ms, at("2026-10-25T00:30:00Z").ms);
	assert_int_equal(second.ms, at("2026-10-25T01:30:00Z").ms);
	/* The edges: 02:00 is the fold's first second, 03:00 no longer in it. */
	assert_int_equal(etl_zone_to_utc(zone, shows("2026-10-25T02:00:00Z"), &first, &second),
		ETL_LOCAL_FOLD);
	assert_int_equal(etl_zone_to_utc(zone, shows("2026-10-25T03:00:00Z"), &first, &second),
		ETL_LOCAL_UNIQUE);
	assert_int_equal(etl_zone_to_utc(zone, shows("2026-03-29T03:00:00Z"), &first, &second),
		ETL_LOCAL_UNIQUE);
	assert_true(etl_zone_next_transition(zone, at("2026-03-29T00:59:59.999Z"), &first));
	assert_int_equal(first.ms, at("2026-03-29T01:00:00Z").ms);
	assert_true(etl_zone_next_transition(zone, first, &first));
	assert_int_equal(first.ms, at("2026-10-25T01:00:00Z").ms);
	assert_false(etl_zone_next_transition(zone, at("9999-12-31T00:00:00Z"), &first));
}

static void put32(unsigned char *p, uint32_t n)
{
	for (int i = 3; i >= 0; i--, n >>= 8)
		p[i] = (unsigned char)n;
}

/* A version 3 file without transitions whose footer is `rule`. */
static struct etl_zone *from_rule(const char *rule, struct etl_error *err)
{
	unsigned char data[512] = {0};
	size_t len = 0;

	for (int block = 0; block < 2; block++) {
		memcpy(data + len, "TZif3", 5);
		put32(data + len + 36, 1);
		put32(data + len + 40, 1);
		len += 44 + 6 + 1;
	}
	len += (size_t)snprintf((char *)data + len, sizeof data - len, "\n%s\n", rule);
	return etl_zone_parse(data, len, "Test/Rule", err);
}

static void rules(void **state)
{
	static const struct {
		const char *rule, *instant;
		int32_t offset;
	} cases[] = {
		{"UTC0", "2026-07-01T00:00:00Z", 0},
		{"<-03>3", "2026-07-01T00:00:00Z", -10800},
		{"<+0545>-5:45", "2026-07-01T00:00:00Z", 20700},
		{"XYZ-5:45:30", "2026-07-01T00:00:00Z", 20730},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "1826-07-01T00:00:00Z", 7200},
		/* Southern summer spans the new year. */
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", 39600},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", 36000},
		/* J60 is 1 March in every year; 59 is 29 February or 1 March. */
		{"STD0DST,J60/0,J300", "2024-02-29T23:59:59Z", 0},
		{"STD0DST,J60/0,J300", "2024-03-01T00:00:00Z", 3600},
		{"STD0DST,59/0,J300", "2024-02-29T00:00:00Z", 3600},
		{"STD0DST,59/0,J300", "2023-03-01T00:00:00Z", 3600},
		{"STD0DST,59/0,J300", "2023-02-28T23:59:59Z", 0},
		/* Times beyond the day, both ways. */
		{"STD0DST,M3.1.0/-24,M10.1.0/48", "2026-02-28T00:00:00Z", 3600},
		{"STD0DST,M3.1.0/-24,M10.1.0/48", "2026-10-05T22:59:59Z", 3600},
		{"STD0DST,M3.1.0/-24,M10.1.0/48", "2026-10-05T23:00:00Z", 0},
		{"STD0DST,M3.1.0/167,M10.1.0", "2026-03-07T22:59:59Z", 0},
		{"STD0DST,M3.1.0/167,M10.1.0", "2026-03-07T23:00:00Z", 3600},
		/* Daylight saving time all year round (RFC 8536 section 3.3.1). */
		{"EST5EDT4,0/0,J365/25", "2025-12-31T23:59:59Z", -14400},
		{"EST5EDT4,0/0,J365/25", "2026-01-01T05:00:00Z", -14400},
		/* Irish winter time is the "daylight saving" one. */
		{"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		etl_cleanup(etl_zone_free) struct etl_zone *zone =
			from_rule(cases[i].rule, &err);
		int32_t offset;

		if (!zone)
			fail_msg("%s: %s", cases[i].rule, err.message);
		offset = etl_zone_offset(zone, at(cases[i].instant), NULL);
		if (offset != cases[i].offset)
			fail_msg("%s at %s: %d", cases[i].rule, cases[i].instant, offset);
	}
}

static void all_year_summer_has_no_transitions(void **state)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_zone_free) struct etl_zone *zone =
		from_rule("EST5EDT4,0/0,J365/25", &err);
	etl_wall t;

	(void)state;
	assert_non_null(zone);
	for (int64_t s = -60000000000; s < INT64_C(250000000000); s += 3000000001) {
		assert_false(etl_zone_next_transition(zone, (etl_wall){s * 1000}, &t));
		assert_int_equal(etl_zone_offset(zone, (etl_wall){s * 1000}, NULL), -14400);
	}
}

static void wrong_rules(void **state)
{
	static const char *const texts[] = {"X0", "UTC", "CET-1CEST", "CET-25", "<+01-1",
		"<+01>", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J300",
		"CET-1CEST,J366,J300", "CET-1CEST,366,J300", "CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0x", "CET-1CEST,M3.5.0,M10.5.0,", "CET-1:60",
		"CET-0000001"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct etl_error err = ETL_ERROR_INIT;

		if (from_rule(texts[i], &err))
			fail_msg("accepted %s", texts[i]);
		assert_int_equal(err.kind, ETL_DATA);
	}
}

/* A sound file, cut at every length, is refused or read, but never read beyond its end (the
 * address sanitizer watches the exactly sized copy). */
static void cut_files(void **state)
{
	FILE *file = fopen("/usr/share/zoneinfo/America/New_York", "rb");
	struct etl_error err = ETL_ERROR_INIT;
	static char data[8192];
	size_t len;

	(void)state;
	if (!file)
		skip();
	len = fread(data, 1, sizeof data, file);
	fclose(file);
	for (size_t n = 0; n <= len; n++) {
		char *copy = etl_memdup0(data, n);
		struct etl_zone *zone;

		copy = etl_realloc(copy, n ? n : 1, 1);
		zone = etl_zone_parse(copy, n, "Test/Cut", &err);
		assert_true((zone != NULL) == (n == len));
		etl_zone_free(zone);
		free(copy);
	}
}

static void extreme_instants(void **state)
{
	static const char *const zones[] = {
		"UTC", "Europe/Paris", "Asia/Kolkata", "Pacific/Apia"};
	static const int64_t edges[] = {
		INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		struct etl_error err = ETL_ERROR_INIT;
		etl_cleanup(etl_zone_free) struct etl_zone *zone =
			etl_zone_load(zones[i], &err);
		etl_wall first, second;

		assert_non_null(zone);
		for (size_t j = 0; j < sizeof edges / sizeof *edges; j++) {
			int32_t offset = etl_zone_offset(zone, (etl_wall){edges[j]}, NULL);

			assert_in_range(offset + 100000, 0, 200000);
			etl_zone_to_utc(zone, edges[j], &first, &second);
			assert_true(first.ms <= second.ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(a_name_is_suggested),
		cmocka_unit_test(an_unknown_zone_comes_with_a_hint),
		cmocka_unit_test(paris),
		cmocka_unit_test(rules),
		cmocka_unit_test(all_year_summer_has_no_transitions),
		cmocka_unit_test(wrong_rules),
		cmocka_unit_test(cut_files),
		cmocka_unit_test(extreme_instants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
