/* SPDX-License-Identifier: MIT
 *
 * What aggregate keeps of a field: sum, mean, extremes, first, last, spread, of values that
 * come in any order: but for first and last of one time, the order makes no difference, not in
 * the last bit. Any thread.
 */
#ifndef ETL_TRANSFORM_MOMENTS_H
#define ETL_TRANSFORM_MOMENTS_H

#include <float.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "record/decimal.h"
#include "record/doc.h"
#include "time/clock.h"

/* A number as it stood in a record. */
struct etl_number {
	double real;   /* the nearest double */
	int64_t whole; /* if is_whole */
	bool is_whole; /* was int32 or int64 */
	bool is_decimal;
	bson_decimal128_t decimal; /* if is_decimal */
};

/* The widest kind that there is: its error is so far below what a double shows of a spread that the
 * order of the values does not show either. */
#if LDBL_MANT_DIG < 113 && defined __SIZEOF_FLOAT128__
#define ETL_WIDE __float128
#else
#define ETL_WIDE long double
#endif

/* An exact sum of doubles: of numbers that do not overlap, the least first. */
struct etl_exact_sum {
	double *parts; /* in the caller's arena */
	size_t n, cap;
};

struct etl_moments {
	uint64_t n;
	struct etl_exact_sum sum;
	__int128 whole_sum; /* while all were whole numbers */
	bool is_whole;
	bool has_double; /* else sum and mean are exact: decimals stay decimals */
	struct etl_decimal_sum *exact; /* once a decimal came; in the caller's arena */
	struct etl_number min, max, first, last;
	etl_wall first_time, last_time;
	ETL_WIDE mean, m2;  /* Welford; only if a spread is asked for */
};

/* Values above this are refused, so that no sum of them overflows. */
#define ETL_NUMBER_MAX 1e300

/* Reads a value: 1 = `out` is filled, 0 = null, -1 = no finite number (or too large). */
int etl_moments_read(const struct etl_element *e, struct etl_number *out);

/* `arena` is where it keeps what it needs for sums. `spread`: ETL_STDDEV will be asked for. */
void etl_moments_add(struct etl_moments *m, const struct etl_number *v, etl_wall time, bool spread,
	struct etl_arena *arena);

enum etl_function {
	ETL_MEAN,
	ETL_MIN,
	ETL_MAX,
	ETL_SUM,
	ETL_FIRST, /* by event time; of equal times the first that came */
	ETL_LAST,  /* by event time; of equal times the last that came */
	ETL_STDDEV, /* of a sample (n - 1); null for fewer than 2 values */
	ETL_FUNCTIONS
};

/* Writes the result under `name`; null without values. */
void etl_moments_write(const struct etl_moments *m, enum etl_function function,
	const char *name, struct etl_writer *w);

#endif
