/* SPDX-License-Identifier: MIT
 *
 * What an answer's headers ask for: each family, both kinds of reset, what is no sense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "source/http/hold.h"

/* 2026-11-22T12:00:00Z */
#define NOW_S INT64_C(1795348800)
#define MOST_MS 3600000

static const struct {
	int status;
	int64_t ms; /* -1 = nothing asked */
	const char *headers; /* one a line */
	const char *decided;
} cases[] = {
	{200, -1, "Content-Type: application/json\nX-RateLimit-Limit: 10", NULL},
	/* Retry-After */
	{429, 120000, "Retry-After: 120", "Retry-After"},
	{429, 120000, "retry-after:   120\t", "Retry-After"},
	{503, 7000, "RETRY-AFTER: 7", "Retry-After"},
	{403, 60000, "Retry-After: 60", "Retry-After"},
	{429, 1500, "Retry-After: 1.5", "Retry-After"},
	{429, 1001, "Retry-After: 1.0001", "Retry-After"},
	{429, 0, "Retry-After: 0", "Retry-After"},
	{200, -1, "Retry-After: 120", NULL},
	{301, -1, "Retry-After: 120", NULL},
	{429, -1, "Retry-After: -1", NULL},
	{429, -1, "Retry-After: soon", NULL},
	{429, -1, "Retry-After: 12 minutes", NULL},
	{429, -1, "Retry-After:", NULL},
	{429, MOST_MS, "Retry-After: 99999999999999999999999999999999", "Retry-After"},
	{429, 9000, "Retry-After: 3\nRetry-After: 9\nRetry-After: 6", "Retry-After"},
	{429, 90000, "Retry-After: Sun, 22 Nov 2026 12:01:30 GMT", "Retry-After"},
	{429, 90000, "Retry-After: Sunday, 22-Nov-26 12:01:30 GMT", "Retry-After"},
	{429, 90000, "Retry-After: Sun Nov 22 12:01:30 2026", "Retry-After"},
	{429, 3000, "Retry-After: Tue Dec  1 00:00:03 2026\nDate: Tue, 01 Dec 2026 00:00:00 GMT",
		"Retry-After"},
	{429, 0, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After"},
	{429, MOST_MS, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", "Retry-After"},
	{429, -1, "Retry-After: Sun, 31 Feb 2027 00:00:00 GMT", NULL},
	/* The server's clock is an hour behind ours: its dates count by its own. */
	{429, 90000, "Date: Sun, 22 Nov 2026 11:00:00 GMT\n"
		"Retry-After: Sun, 22 Nov 2026 11:01:30 GMT", "Retry-After"},
	/* IETF draft until revision 6 */
	{200, 42000, "RateLimit-Limit: 100\nRateLimit-Remaining: 0\nRateLimit-Reset: 42",
		"RateLimit-Reset"},
	{200, -1, "RateLimit-Remaining: 1\nRateLimit-Reset: 42", NULL},
	{200, -1, "RateLimit-Remaining: 0", NULL},
	{200, -1, "RateLimit-Reset: 42", NULL},
	{429, 42000, "RateLimit-Reset: 42", "RateLimit-Reset"},
	{429, -1, "RateLimit-Remaining: 5\nRateLimit-Reset: 42", NULL},
	{200, 42000, "RateLimit-Reset: 42\nRateLimit-Remaining: 0, 0;w=60", "RateLimit-Reset"},
	/* revision 7 */
	{200, 50000, "RateLimit: limit=100, remaining=0, reset=50", "RateLimit-Reset"},
	{200, -1, "RateLimit: limit=100, remaining=50, reset=50", NULL},
	{200, 50000, "ratelimit: LIMIT=100,Remaining=0 , reset = 50", "RateLimit-Reset"},
	/* since revision 8 */
	{200, 30000, "RateLimit: \"default\";r=0;t=30", "RateLimit"},
	{200, -1, "RateLimit: \"default\";r=50;t=30", NULL},
	{200, 30000, "RateLimit: \"day\";r=5;t=9000, \"minute\";r=0;t=30", "RateLimit"},
	{200, MOST_MS, "RateLimit: \"day\";r=0;t=9000, \"minute\";r=0;t=30", "RateLimit"},
	{200, 30000, "RateLimit: \"a;r=9,\\\"t=5\";r=0;t=30", "RateLimit"},
	{200, -1, "RateLimit: \"a;r=0;t=30", NULL},
	/* the X families */
	{200, 17000, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 17", "X-RateLimit-Reset"},
	{200, 60000, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1795348860",
		"X-RateLimit-Reset"},
	{403, 60000, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795348860",
		"X-RateLimit-Reset"},
	{200, 60500, "X-Rate-Limit-Remaining: 0\nX-Rate-Limit-Reset: 1795348860.5",
		"X-Rate-Limit-Reset"},
	{200, 60123, "X-Rate-Limit-Remaining: 0\nX-Rate-Limit-Reset: 1795348860123",
		"X-Rate-Limit-Reset"},
	{200, 0, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795340000", "X-RateLimit-Reset"},
	{200, 0, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: -3", "X-RateLimit-Reset"},
	{200, -1, "X-RateLimit-Remaining: -1\nX-RateLimit-Reset: 17", NULL}, /* no limit */
	{200, MOST_MS, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 2592000", "X-RateLimit-Reset"},
	{200, MOST_MS, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 99999999999999999999999",
		"X-RateLimit-Reset"},
	{200, -1, "X-RateLimit-Remaining: none\nX-RateLimit-Reset: 17", NULL},
	{200, -1, "X-RateLimit-Remaining: 0x0\nX-RateLimit-Reset: 17", NULL},
	{200, 60000, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1795345260\n"
		"Date: Sun, 22 Nov 2026 11:00:00 GMT", "X-RateLimit-Reset"},
	/* together */
	{429, 5000, "Retry-After: 5\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 17",
		"Retry-After"},
	{200, 17000, "RateLimit-Remaining: 0\nRateLimit-Reset: 4\nX-RateLimit-Remaining: 0\n"
		"X-RateLimit-Reset: 17", "X-RateLimit-Reset"},
	{200, 4000, "RateLimit-Remaining: 0\nRateLimit-Reset: 4\nX-RateLimit-Remaining: 2\n"
		"X-RateLimit-Reset: 17", "RateLimit-Reset"},
	{200, 20000, "X-RateLimit-Remaining: 9\nX-RateLimit-Reset: 20\n"
		"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 8", "X-RateLimit-Reset"},
	{429, -1, "RateLimit-Policy: 100;w=60\nX-RateLimit-Resets: 5\nRateLimit-: 5", NULL},
};

static void feed(struct etl_hold *h, const char *headers)
{
	etl_hold_begin(h);
	while (*headers) {
		size_t line = strcspn(headers, "\n"), name = strcspn(headers, ":");

		etl_hold_header(h, headers, name, headers + name + 1, line - name - 1);
		headers += line + (headers[line] == '\n');
	}
}

static void every_family(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *decided = "";
		struct etl_hold h;
		etl_dur asked, told;

		feed(&h, cases[i].headers);
		asked = etl_hold_asked(&h, cases[i].status, (etl_wall){NOW_S * 1000}, &decided,
			&told);
		if ((asked.us < 0 ? -1 : asked.us / 1000) != cases[i].ms)
			fail_msg("%s: %lld us", cases[i].headers, (long long)asked.us);
		assert_true(told.us >= asked.us);
		assert_true(told.us == asked.us || cases[i].ms == MOST_MS);
		if (cases[i].decided)
			assert_string_equal(decided, cases[i].decided);
		else
			assert_null(decided);
	}
}

static void the_name_is_not_needed(void **state)
{
	struct etl_hold h;

	(void)state;
	feed(&h, "Retry-After: 3");
	assert_int_equal(etl_hold_asked(&h, 429, (etl_wall){0}, NULL, NULL).us, 3000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_family),
		cmocka_unit_test(the_name_is_not_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
