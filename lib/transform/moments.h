/* SPDX-License-Identifier: MIT
 *
 * What aggregate keeps of a field: sum, mean, extremes, first, last, spread, of values that
 * come in any order. Any thread.
 */
#ifndef ETL_TRANSFORM_MOMENTS_H
#define ETL_TRANSFORM_MOMENTS_H

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

struct etl_moments {
	uint64_t n;
	double sum, lost;      /* Neumaier's compensated sum */
	int64_t whole_sum;     /* while all were whole numbers and the sum fitted */
	bool is_whole;
	bool has_double; /* else sum and mean are exact: decimals stay decimals */
	struct etl_decimal_sum *exact; /* once a decimal came; in the caller's arena */
	struct etl_number min, max, first, last;
	etl_wall first_time, last_time;
	long double mean, m2;  /* Welford; long double keeps 1e-12 for any order */
};

/* Values above this are refused, so that no sum of them overflows. */
#define ETL_NUMBER_MAX 1e300

/* Reads a value: 1 = `out` is filled, 0 = null, -1 = no finite number (or too large). */
int etl_moments_read(const struct etl_element *e, struct etl_number *out);

/* `arena` is where it keeps what it needs for decimals. */
void etl_moments_add(struct etl_moments *m, const struct etl_number *v, etl_wall time,
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
