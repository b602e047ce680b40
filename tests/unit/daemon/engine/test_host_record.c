/* SPDX-License-Identifier: MIT
 *
 * A host in its document and back: nothing is lost, and a word that no breaker has closes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/host_record.h"

static void there_and_back(void **state)
{
	static const struct {
		enum etl_breaker_state state;
		const char *word;
	} rows[] = {{ETL_BREAKER_CLOSED, "closed"}, {ETL_BREAKER_OPEN, "open"},
		{ETL_BREAKER_HALF_OPEN, "half_open"}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct etld_host_state host = {.host = "api.example.org:8443",
			.breaker = {.state = rows[i].state, .failures = 3, .openings = 2, .opened = {1000},
				.until = {61000}, .reason = "http.timeout: x"},
			.hold_until = {71000}, .hold_reason = "status 429", .full_at = {81000},
			.updated = {500}};
		struct etl_source_state record;
		struct etld_host_state back;

		memset(&back, 0, sizeof back);
		etld_host_record(&host, &record);
		assert_string_equal(record.breaker.state, rows[i].word);
		assert_string_equal(record.host, host.host);
		etld_host_of_record(&record, &back);
		assert_string_equal(back.host, host.host);
		assert_int_equal(back.breaker.state, host.breaker.state);
		assert_int_equal(back.breaker.failures, 3);
		assert_int_equal(back.breaker.openings, 2);
		assert_int_equal(back.breaker.opened.ms, 1000);
		assert_int_equal(back.breaker.until.ms, 61000);
		assert_string_equal(back.breaker.reason, "http.timeout: x");
		assert_int_equal(back.hold_until.ms, 71000);
		assert_string_equal(back.hold_reason, "status 429");
		assert_int_equal(back.full_at.ms, 81000);
		assert_int_equal(back.updated.ms, 500);
	}
}

static void nonsense_in_the_metadata_closes_it(void **state)
{
	struct etl_source_state record = {.host = "h", .breaker = {.state = "ajar", .failures = -5}};
	struct etld_host_state host;

	(void)state;
	etld_host_of_record(&record, &host);
	assert_int_equal(host.breaker.state, ETL_BREAKER_CLOSED);
	assert_int_equal(host.breaker.failures, -5); /* the rules of the breaker judge that */
	memset(record.hold_reason, 'x', sizeof record.hold_reason - 1);
	memset(record.breaker.reason, 'x', sizeof record.breaker.reason - 1);
	etld_host_of_record(&record, &host);
	assert_true(strlen(host.hold_reason) < sizeof host.hold_reason);
	assert_true(strlen(host.breaker.reason) < sizeof host.breaker.reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(nonsense_in_the_metadata_closes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
