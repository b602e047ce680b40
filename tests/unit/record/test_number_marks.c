/* SPDX-License-Identifier: MIT
 *
 * Marks in numbers: what each country writes, and what would have to be guessed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record/number_marks.h"

static const struct etl_number_marks french = {.comma = true, .thousands = ETL_THOUSANDS_BLANK};
static const struct etl_number_marks german = {.comma = true, .thousands = ETL_THOUSANDS_DOT};
static const struct etl_number_marks english = {.thousands = ETL_THOUSANDS_COMMA};
static const struct etl_number_marks swiss = {.thousands = ETL_THOUSANDS_QUOTE};
static const struct etl_number_marks comma = {.comma = true};
static const struct etl_number_marks point = {.comma = false};

static void gives(const struct etl_number_marks *marks, const char *text, const char *wanted)
{
	char out[ETL_NUMBER_TEXT_BYTES], *copy = malloc(strlen(text) + 1);
	uint32_t len = 0;
	bool good;

	memcpy(copy, text, strlen(text)); /* exactly sized, without a NUL */
	good = etl_number_unmark(marks, copy, (uint32_t)strlen(text), out, &len);
	if (good != (wanted != NULL) || (good && (strcmp(out, wanted) != 0 || len != strlen(wanted))))
		fail_msg("'%s' gives '%s'", text, good ? out : "nothing");
	free(copy);
}

static void test_countries(void **state)
{
	(void)state;
	gives(&french, "1 234,56", "1234.56");
	gives(&french, "1\xc2\xa0" "234\xe2\x80\xaf" "567", "1234567");
	gives(&french, "-12,5", "-12.5");
	gives(&french, "1234,5", "1234.5");
	gives(&german, "1.234.567,8", "1234567.8");
	gives(&german, "12,5e3", "12.5e3");
	gives(&english, "1,234.5", "1234.5");
	gives(&swiss, "1'234.5", "1234.5");
	gives(&comma, ",5", ".5");
	gives(&point, "12.5", "12.5");
	gives(&point, "abc", "abc"); /* for the reader of numbers to judge */
}

static void test_what_would_be_a_guess(void **state)
{
	char sixty_four[65] = {0};

	(void)state;
	memset(sixty_four, '1', 64);
	gives(&french, "1.5", NULL);
	gives(&german, "1.5", NULL); /* a group of one */
	gives(&german, "1234.567", NULL);
	gives(&german, "1.234.56", NULL);
	gives(&english, "12,34", NULL);
	gives(&english, "1,234,", NULL);
	gives(&english, ",234", NULL);
	gives(&point, "1,5", NULL);
	gives(&point, "1.2.3", NULL);
	gives(&comma, "1,2,3", NULL);
	gives(&french, " 1", NULL);
	gives(&french, "1 ", NULL);
	gives(&french, "", NULL);
	gives(&point, sixty_four, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_countries),
		cmocka_unit_test(test_what_would_be_a_guess),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
