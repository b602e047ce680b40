/* SPDX-License-Identifier: MIT
 *
 * The head of an answer, line by line: what a source is given, what an interim answer said, what
 * cannot be believed, and its caps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "io/http_head.h"

static struct etl_error err;

static bool line(struct etld_http_head *head, const char *text)
{
	return etld_http_head_line(head, text, strlen(text), false, &err);
}

static void kept_values_are_told(void **state)
{
	struct etld_http_head head;
	struct etl_response told = {.status = 200};

	(void)state;
	etld_http_head_init(&head, NULL);
	assert_true(line(&head, "HTTP/1.1 200 OK\r\n"));
	assert_true(line(&head, "Content-TYPE: text/csv\r\n"));
	assert_true(line(&head, "ETag: \"7\"\r\n"));
	assert_true(line(&head, "Content-Type-Options: nosniff\r\n"));
	assert_true(line(&head, "\r\n"));
	etld_http_head_tell(&head, &told);
	assert_string_equal(told.content_type, "text/csv");
	assert_string_equal(told.etag, "\"7\"");
	assert_string_equal(told.location, "");
	etld_http_head_fini(&head);
}

/* The header that a request wants is told with the hints; one that does not fit ends the answer, since a
 * page whose Link is missing looks like the last one. */
static void a_wanted_header_is_a_hint(void **state)
{
	static char link[9000];
	struct etld_http_head head;
	struct etl_response told = {.status = 200};

	(void)state;
	etld_http_head_init(&head, "X-More");
	assert_true(line(&head, "x-more: t/1\r\n"));
	assert_true(line(&head, "X-Moreover: 5\r\n"));
	etld_http_head_tell(&head, &told);
	assert_string_equal(told.hints, "x-more: t/1\n");
	snprintf(link, sizeof link, "Link: <https://x/%08500d>; rel=last\r\n", 1);
	assert_true(line(&head, link));
	err = (struct etl_error)ETL_ERROR_INIT;
	assert_false(line(&head, link));
	assert_int_equal(err.kind, ETL_LIMIT);
	etld_http_head_fini(&head);
}

/* 103, and then the answer: a Link of the first is no next page of the second. */
static void an_interim_answer_is_forgotten(void **state)
{
	struct etld_http_head head;
	struct etl_response told = {.status = 200};

	(void)state;
	etld_http_head_init(&head, NULL);
	assert_true(line(&head, "HTTP/1.1 103 Early Hints\r\n"));
	assert_true(line(&head, "Link: <https://example.org/?page=2>; rel=\"next\"\r\n"));
	assert_true(line(&head, "Content-Length: 1\r\n"));
	assert_true(line(&head, "ETag: \"early\"\r\n"));
	etld_http_head_tell(&head, &told);
	assert_string_equal(told.etag, "\"early\"");
	assert_non_null(strstr(told.hints, "page=2"));
	assert_true(line(&head, "HTTP/1.1 200 OK\r\n"));
	assert_true(line(&head, "Content-Length: 2\r\n"));
	etld_http_head_tell(&head, &told);
	assert_string_equal(told.hints, "");
	assert_string_equal(told.etag, "");
	etld_http_head_fini(&head);
}

static void two_lengths_are_not_believed(void **state)
{
	struct etld_http_head head;

	(void)state;
	etld_http_head_init(&head, NULL);
	etl_error_clear(&err);
	assert_true(line(&head, "Content-Length: 10\r\n"));
	assert_true(line(&head, "Content-Length: 10\r\n"));
	assert_false(line(&head, "Content-Length: 11\r\n"));
	assert_int_equal(err.kind, ETL_DATA);
	etld_http_head_fini(&head);
}

/* They are counted, and change nothing any more. */
static void trailers_change_nothing(void **state)
{
	static const char trailer[] = "ETag: \"late\"\r\n";
	struct etld_http_head head;
	struct etl_response told = {.status = 200};

	(void)state;
	etld_http_head_init(&head, NULL);
	assert_true(etld_http_head_line(&head, trailer, strlen(trailer), true, &err));
	etld_http_head_tell(&head, &told);
	assert_string_equal(told.etag, "");
	assert_int_equal(head.bytes, strlen(trailer));
	etld_http_head_fini(&head);
}

static void headers_have_a_cap(void **state)
{
	struct etld_http_head head;
	size_t n = 0;

	(void)state;
	etld_http_head_init(&head, NULL);
	etl_error_clear(&err);
	while (n < 100000 && line(&head, "X-A-Long-Name: 0123456789012345678901234567890123456789\r\n"))
		n++;
	assert_true(n > 1000 && n < 1200);
	assert_int_equal(err.kind, ETL_LIMIT);
	etld_http_head_fini(&head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_values_are_told),
		cmocka_unit_test(a_wanted_header_is_a_hint),
		cmocka_unit_test(an_interim_answer_is_forgotten),
		cmocka_unit_test(two_lengths_are_not_believed),
		cmocka_unit_test(trailers_change_nothing),
		cmocka_unit_test(headers_have_a_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
