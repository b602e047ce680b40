/* SPDX-License-Identifier: MIT
 *
 * Lengths of time as text: "90s", "1h30m", "7d", "250ms". Values in, values out; any thread.
 */
#ifndef ETL_TIME_DURATION_H
#define ETL_TIME_DURATION_H

#include <stdbool.h>
#include <stddef.h>

#include "time/clock.h"

#define ETL_DURATION_TEXT_BYTES 48

/* Whole numbers with units, largest first, each at most once: w d h m s ms. No spaces, no
 * sign, no bare number. At most about 292,000 years. On failure `*why` is a static text that
 * completes "the duration is wrong: ...", and `*out` is untouched. */
bool etl_duration_parse(const char *s, etl_dur *out, const char **why);

/* The shortest text of the same notation that etl_duration_parse reads back ("1h30m",
 * "250ms", "0s"); weeks are printed only for whole weeks. Microseconds below a millisecond
 * are dropped; a negative length gets a leading '-'. Cut to `n` bytes with the NUL. */
void etl_duration_format(etl_dur d, char *out, size_t n);

#endif
