/* SPDX-License-Identifier: MIT
 *
 * Numbers as people write them, "1 234,56" or "1.234,56" or "1'234.56", to the text of a number. Which
 * marks a source uses nobody guesses: "1.234" is one thing in Paris and another in London.
 */
#ifndef ETL_RECORD_NUMBER_MARKS_H
#define ETL_RECORD_NUMBER_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "record/number.h"

enum etl_thousands { ETL_THOUSANDS_NONE, ETL_THOUSANDS_BLANK, ETL_THOUSANDS_DOT, ETL_THOUSANDS_COMMA,
	ETL_THOUSANDS_QUOTE };

struct etl_number_marks {
	bool comma; /* between whole and fraction; else a point */
	enum etl_thousands thousands;
};

/* The number with a point and without marks in `out`, `out_len` bytes; what is left of the text (an
 * exponent, a word) is for the reader of numbers to judge. False if marks stand where these have none, or
 * the text is longer than a number may be. Pure. */
bool etl_number_unmark(const struct etl_number_marks *marks, const char *text, uint32_t len,
	char out[ETL_NUMBER_TEXT_BYTES], uint32_t *out_len);

#endif
