/* SPDX-License-Identifier: MIT
 *
 * Running statistics. The sum is A. Neumaier's (ZAMM 54, 1974): the bits that an addition
 * loses are gathered beside it, so the order of the values hardly matters. The spread is
 * B. P. Welford's (Technometrics 4, 1962).
 */
#include "transform/moments.h"

#include <math.h>
#include <string.h>

#include "record/number.h"

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

	if (b->is_whole && b->whole == INT64_MIN)
		return 0;
	add_exactly(&difference, a, false);
	add_exactly(&difference, b, true);
	return difference.lost ? 0 : etl_decimal_sign(&difference);
}

/* <0, 0, >0; exact also for integers beyond 2^53. */
static int compare(const struct etl_number *a, const struct etl_number *b)
{
	if (a->is_whole && b->is_whole)
		return (a->whole > b->whole) - (a->whole < b->whole);
	if (a->real == b->real && (a->is_decimal || b->is_decimal))
		return compare_exactly(a, b);
	return (a->real > b->real) - (a->real < b->real);
}

/* From the first decimal on; what came before was whole, or nothing is exact any more. */
static void add_decimal(struct etl_moments *m, const struct etl_number *v, struct etl_arena *arena)
{
	if (!m->exact) {
		if (!v->is_decimal)
			return;
		m->exact = etl_arena_zalloc(arena, sizeof *m->exact);
		if (m->n && m->is_whole)
			etl_decimal_add_int64(m->exact, m->whole_sum);
		else if (m->n)
			m->exact->lost = true;
	}
	add_exactly(m->exact, v, false);
}

static void add_sum(struct etl_moments *m, const struct etl_number *v, struct etl_arena *arena)
{
	double x = v->real, sum = m->sum + x;

	m->has_double |= !v->is_whole && !v->is_decimal;
	if (!m->has_double)
		add_decimal(m, v, arena);

	m->lost += fabs(m->sum) >= fabs(x) ? (m->sum - sum) + x : (x - sum) + m->sum;
	m->sum = sum;
	if (m->n == 0)
		m->is_whole = true;
	m->is_whole = m->is_whole && v->is_whole &&
		!__builtin_add_overflow(m->whole_sum, v->whole, &m->whole_sum);
}

void etl_moments_add(struct etl_moments *m, const struct etl_number *v, etl_wall time,
	struct etl_arena *arena)
{
	add_sum(m, v, arena);
	if (m->n == 0 || compare(v, &m->min) < 0)
		m->min = *v;
	if (m->n == 0 || compare(v, &m->max) > 0)
		m->max = *v;
	if (m->n == 0 || time.ms < m->first_time.ms) {
		m->first = *v;
		m->first_time = time;
	}
	if (m->n == 0 || time.ms >= m->last_time.ms) {
		m->last = *v;
		m->last_time = time;
	}
	m->n++;

	long double delta = (long double)v->real - m->mean;
	m->mean += delta / (long double)m->n;
	m->m2 += delta * ((long double)v->real - m->mean);
}

static void write_decimal(const bson_decimal128_t *v, const char *name, struct etl_writer *w)
{
	uint64_t words[] = {v->low, v->high};

	etl_writer_raw(w, name, (uint32_t)strlen(name), BSON_TYPE_DECIMAL128, words, sizeof words);
}

/* Sum or mean of whole numbers and decimals; false if they were not only that. */
static bool write_exact(
	const struct etl_moments *m, uint64_t by, const char *name, struct etl_writer *w)
{
	bson_decimal128_t v;

	if (m->has_double || !m->exact || !etl_decimal_quotient(m->exact, by, &v))
		return false;
	write_decimal(&v, name, w);
	return true;
}

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

static void write_sum(const struct etl_moments *m, const char *name, struct etl_writer *w)
{
	if (m->is_whole)
		etl_writer_int64(w, name, m->whole_sum);
	else if (!write_exact(m, 1, name, w))
		etl_writer_double(w, name, m->sum + m->lost);
}

void etl_moments_write(const struct etl_moments *m, enum etl_function function,
	const char *name, struct etl_writer *w)
{
	if (m->n < (function == ETL_STDDEV ? 2 : 1)) {
		etl_writer_null(w, name);
		return;
	}
	switch (function) {
	case ETL_MEAN:
		if (!write_exact(m, m->n, name, w))
			etl_writer_double(w, name, (m->sum + m->lost) / (double)m->n);
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
		etl_writer_double(w, name, (double)sqrtl(m->m2 / (long double)(m->n - 1)));
		break;
	case ETL_FUNCTIONS:
		break;
	}
}
