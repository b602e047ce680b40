/* SPDX-License-Identifier: MIT
 *
 * Running statistics. The sum is J. R. Shewchuk's (Discrete & Computational Geometry 18, 1997):
 * the bits that an addition loses are kept as numbers of their own, so that it is exact until it
 * is rounded, once. The spread is B. P. Welford's (Technometrics 4, 1962).
 *
 * Why so much care: what is loaded must not depend on the order of the records, and
 * addition of doubles does: (0.1 + 0.2) + 0.3 is 0.6000000000000001, 0.1 + (0.2 + 0.3)
 * is 0.6. An exact sum that is rounded once is 0.6 in any order.
 *   1, 2, 3             sum 6 (int64), mean 2.0
 *   0.10, 0.20 decimal  sum 0.30, mean 0.15: exact, in decimal
 *   1, 0.5              sum 1.5, mean 0.75: one double makes doubles of all
 */
#include "transform/moments.h"

#include <math.h>
#include <string.h>

#include "record/number.h"

/* 0 for null, which no function counts; -1 for what is no number, NaN and numbers whose
 * sum could pass a double. */
int etl_moments_read(const struct etl_element *e, struct etl_number *out)
{
	if (etl_element_is_null(e))
		return 0;
	out->is_decimal = e->type == BSON_TYPE_DECIMAL128;
	out->is_whole = etl_element_int64(e, &out->whole);
	if (out->is_decimal) {
		memcpy(&out->decimal.low, e->value, 8);
		memcpy(&out->decimal.high, e->value + 8, 8);
	}
	if (out->is_whole) {
		out->real = (double)out->whole;
		return 1;
	}
	if (!etl_element_double(e, &out->real) &&
		!(e->type == BSON_TYPE_DECIMAL128 && etl_number_nearest(e, &out->real)))
		return -1;
	return fabs(out->real) <= ETL_NUMBER_MAX ? 1 : -1; /* false for NaN */
}

/* A double has no exact decimal of a reasonable length: from the first one on there is
 * no exact sum. */
static void add_exactly(struct etl_decimal_sum *sum, const struct etl_number *v, bool subtract)
{
	if (v->is_decimal)
		etl_decimal_add(sum, &v->decimal, subtract);
	else if (v->is_whole)
		etl_decimal_add_int64(sum, subtract ? -v->whole : v->whole);
	else
		sum->lost = true;
}

/* Of numbers that are one and the same as doubles. */
static int compare_exactly(const struct etl_number *a, const struct etl_number *b)
{
	struct etl_decimal_sum difference = {0};

	/* Its negation has no int64. */
	if (b->is_whole && b->whole == INT64_MIN)
		return 0;
	add_exactly(&difference, a, false);
	add_exactly(&difference, b, true);
	return difference.lost ? 0 : etl_decimal_sign(&difference);
}

/* <0, 0, >0; exact also for integers beyond 2^53.
 * 2^53 + 1 and 2^53 are one double and two numbers. */
static int compare(const struct etl_number *a, const struct etl_number *b)
{
	if (a->is_whole && b->is_whole)
		return (a->whole > b->whole) - (a->whole < b->whole);
	if (a->real == b->real && (a->is_decimal || b->is_decimal))
		return compare_exactly(a, b);
	return (a->real > b->real) - (a->real < b->real);
}

/* Which of two equal numbers is shown: whole ones before doubles before decimals, and of decimals,
 * 1.0 and 1.00, the one with the lesser bits.
 * max of 5 and 5.0: 5 is shown, whichever came first. Without a rule the order of the
 * records would show. */
static bool goes_before(const struct etl_number *a, const struct etl_number *b)
{
	int kind_a = a->is_whole ? 0 : 1 + a->is_decimal, kind_b = b->is_whole ? 0 : 1 + b->is_decimal;

	if (kind_a != kind_b || !a->is_decimal)
		return kind_a < kind_b;
	return a->decimal.high != b->decimal.high ? a->decimal.high < b->decimal.high :
						    a->decimal.low < b->decimal.low;
}

/* ---- exact sums -------------------------------------------------------------------------- */

/* The parts never overlap in their bits, so there are at most some forty of them; the
 * arena forgets smaller arrays with the groups. */
static void add_part(struct etl_exact_sum *sum, double part, struct etl_arena *arena)
{
	if (sum->n == sum->cap) {
		double *parts = etl_arena_alloc(arena, (2 * sum->cap + 2) * sizeof *parts);

		if (sum->n)
			memcpy(parts, sum->parts, sum->n * sizeof *parts);
		sum->parts = parts;
		sum->cap = 2 * sum->cap + 2;
	}
	sum->parts[sum->n++] = part;
}

/* Each part takes what it can of x and leaves, exactly, what it cannot. */
static void sum_add(struct etl_exact_sum *sum, double x, struct etl_arena *arena)
{
	size_t kept = 0;

	for (size_t i = 0; i < sum->n; i++) {
		double part = sum->parts[i], both = x + part;
		/* The larger one first: then the difference is exactly what rounding
		 * has lost (T. J. Dekker, Numerische Mathematik 18, 1971). */
		double left = fabs(x) < fabs(part) ? x - (both - part) : part - (both - x);

		if (left != 0)
			sum->parts[kept++] = left;
		x = both;
	}
	sum->n = kept;
	add_part(sum, x, arena);
}

/* Rounded once, half to even. What is left decides where the first two are just between two
 * doubles. Example: 1 + 2^-53 is a tie and becomes 1; with 2^-106 more it is above the tie. */
static double sum_round(const struct etl_exact_sum *sum)
{
	size_t n = sum->n;
	double high = n ? sum->parts[--n] : 0, low = 0;

	while (n && low == 0) {
		double before = high, part = sum->parts[--n];

		high = before + part;
		low = part - (high - before);
	}
	/* The sum of the first two was a tie, and a part behind them says on which side
	 * the truth lies. */
	if (n && low != 0 && (low < 0) == (sum->parts[n - 1] < 0)) {
		double twice = 2 * low, above = high + twice;

		if (above - high == twice)
			high = above;
	}
	return high;
}

/* ---- values ------------------------------------------------------------------------------ */

/* From the first decimal on; what came before was whole, or nothing is exact any more. */
static void add_decimal(struct etl_moments *m, const struct etl_number *v, struct etl_arena *arena)
{
	if (!m->exact) {
		if (!v->is_decimal)
			return;
		m->exact = etl_arena_zalloc(arena, sizeof *m->exact);
		if (m->n && m->is_whole && m->whole_sum == (int64_t)m->whole_sum)
			etl_decimal_add_int64(m->exact, (int64_t)m->whole_sum);
		else if (m->n)
			m->exact->lost = true;
	}
	add_exactly(m->exact, v, false);
}

/* While all is whole the sum is an integer of 128 bits; it is given as int64 if it
 * fits. */
static void add_sum(struct etl_moments *m, const struct etl_number *v, struct etl_arena *arena)
{
	m->has_double |= !v->is_whole && !v->is_decimal;
	if (!m->has_double)
		add_decimal(m, v, arena);
	sum_add(&m->sum, v->real, arena);
	m->is_whole = (m->n == 0 || m->is_whole) && v->is_whole;
	if (m->is_whole)
		m->whole_sum += v->whole;
}

/* Welford: mean and sum of squares are carried along, so that 1e9 + 1, 1e9 + 2, 1e9 + 3
 * have the standard deviation 1 and not the noise of two large sums. In wide numbers,
 * so that the order of the records is lost in the rounding at the end. */
static void add_spread(struct etl_moments *m, double x)
{
	ETL_WIDE delta = (ETL_WIDE)x - m->mean;

	m->mean += delta / (ETL_WIDE)m->n;
	m->m2 += delta * ((ETL_WIDE)x - m->mean);
}

/* The first value is minimum and maximum alike, hence -1 and 1 for an empty one. */
void etl_moments_add(struct etl_moments *m, const struct etl_number *v, etl_wall time, bool spread,
	struct etl_arena *arena)
{
	int to_min = m->n ? compare(v, &m->min) : -1, to_max = m->n ? compare(v, &m->max) : 1;

	add_sum(m, v, arena);
	if (to_min < 0 || (to_min == 0 && goes_before(v, &m->min)))
		m->min = *v;
	if (to_max > 0 || (to_max == 0 && goes_before(v, &m->max)))
		m->max = *v;
	/* Of equal times the first that came is `first` and the last that came is
	 * `last`: the order of the answer decides, as it does for documents of one key. */
	if (m->n == 0 || time.ms < m->first_time.ms) {
		m->first = *v;
		m->first_time = time;
	}
	if (m->n == 0 || time.ms >= m->last_time.ms) {
		m->last = *v;
		m->last_time = time;
	}
	m->n++;
	if (spread)
		add_spread(m, v->real);
}

static void write_decimal(const bson_decimal128_t *v, const char *name, struct etl_writer *w)
{
	uint64_t words[] = {v->low, v->high};

	etl_writer_raw(w, name, (uint32_t)strlen(name), BSON_TYPE_DECIMAL128, words, sizeof words);
}

/* Sum or mean of whole numbers and decimals; false if they were not only that.
 * A mean that needs more than 34 digits (1/3) is rounded half to even, as the sum
 * itself is. */
static bool write_exact(
	const struct etl_moments *m, uint64_t by, const char *name, struct etl_writer *w)
{
	bson_decimal128_t v;

	if (m->has_double || !m->exact || !etl_decimal_quotient(m->exact, by, &v))
		return false;
	write_decimal(&v, name, w);
	return true;
}

/* By the value and not by the type that came: int32 where it fits, as the decoder of
 * JSON would make it. */
static void write_number(const struct etl_number *v, const char *name, struct etl_writer *w)
{
	if (v->is_decimal)
		write_decimal(&v->decimal, name, w);
	else if (!v->is_whole)
		etl_writer_double(w, name, v->real);
	else if (v->whole >= INT32_MIN && v->whole <= INT32_MAX)
		etl_writer_int32(w, name, (int32_t)v->whole);
	else
		etl_writer_int64(w, name, v->whole);
}

/* int64 always: the type of a sum must not change with the size of the day's values. */
static void write_sum(const struct etl_moments *m, const char *name, struct etl_writer *w)
{
	if (m->is_whole && m->whole_sum == (int64_t)m->whole_sum)
		etl_writer_int64(w, name, (int64_t)m->whole_sum);
	else if (!write_exact(m, 1, name, w))
		etl_writer_double(w, name, sum_round(&m->sum));
}

void etl_moments_write(const struct etl_moments *m, enum etl_function function,
	const char *name, struct etl_writer *w)
{
	/* Nothing was there: null, and not 0, which would be a value. One value has no
	 * spread (n - 1 is 0). */
	if (m->n < (function == ETL_STDDEV ? 2 : 1)) {
		etl_writer_null(w, name);
		return;
	}
	switch (function) {
	case ETL_MEAN:
		if (!write_exact(m, m->n, name, w))
			etl_writer_double(w, name, sum_round(&m->sum) / (double)m->n);
		break;
	case ETL_MIN:
		write_number(&m->min, name, w);
		break;
	case ETL_MAX:
		write_number(&m->max, name, w);
		break;
	case ETL_SUM:
		write_sum(m, name, w);
		break;
	case ETL_FIRST:
		write_number(&m->first, name, w);
		break;
	case ETL_LAST:
		write_number(&m->last, name, w);
		break;
	case ETL_STDDEV:
		etl_writer_double(w, name, (double)sqrtl((long double)(m->m2 / (ETL_WIDE)(m->n - 1))));
		break;
	case ETL_FUNCTIONS:
		break;
	}
}
