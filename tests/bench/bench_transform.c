/* SPDX-License-Identifier: MIT
 *
 * rename, set and cast on a record of 14 fields, against rebuilding the document with
 * libbson (bson_copy_to_excluding and appends, the short way to the same result). Both in
 * turns in one process; the medians' ratio counts, nanoseconds are for orientation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "conf/load.h"
#include "record/batch.h"
#include "transform/transform.h"

enum { RECORDS = 1000, ROUNDS = 201 };

extern const struct etl_transform_type etl_transform_rename, etl_transform_set,
	etl_transform_cast;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Like a row of the AirQino hourly answer. */
static bson_t *sample(void)
{
	return BCON_NEW("timestamp", BCON_DATE_TIME(1700000000000), "CO", "0.41", "NO2",
		BCON_DOUBLE(21.5), "O3", BCON_DOUBLE(33.25), "PM10", BCON_DOUBLE(18.0), "PM2.5",
		BCON_DOUBLE(8.5), "RH", BCON_DOUBLE(61.2), "T", BCON_DOUBLE(27.9), "T. int.",
		BCON_DOUBLE(35.1), "VOC", BCON_INT32(120), "latitude", BCON_DOUBLE(5.34),
		"longitude", BCON_DOUBLE(-4.02), "station_name", "SMART188", "samples",
		BCON_INT32(60));
}

static void lib_rename(const bson_t *in, bson_t *out)
{
	bson_copy_to_excluding_noinit(in, out, "PM2.5", "T. int.", NULL);
	BSON_APPEND_DOUBLE(out, "pm2_5", 8.5);
	BSON_APPEND_DOUBLE(out, "t_int", 35.1);
}

static void lib_set(const bson_t *in, bson_t *out)
{
	bson_copy_to_excluding_noinit(in, out, "station_id", "co_unit", NULL);
	BSON_APPEND_UTF8(out, "station_id", "283164601");
	BSON_APPEND_UTF8(out, "co_unit", "mg/m3");
}

static void lib_cast(const bson_t *in, bson_t *out)
{
	bson_iter_t iter;

	bson_copy_to_excluding_noinit(in, out, "CO", "VOC", NULL);
	if (bson_iter_init_find(&iter, in, "CO"))
		BSON_APPEND_DOUBLE(out, "CO", strtod(bson_iter_utf8(&iter, NULL), NULL));
	if (bson_iter_init_find(&iter, in, "VOC"))
		BSON_APPEND_DOUBLE(out, "VOC", bson_iter_int32(&iter));
}

static const struct pair {
	const struct etl_transform_type *type;
	const char *yaml;
	void (*lib)(const bson_t *in, bson_t *out);
} pairs[] = {
	{&etl_transform_rename, "{PM2.5: pm2_5, \"T. int.\": t_int}", lib_rename},
	{&etl_transform_set, "{station_id: \"283164601\", co_unit: mg/m3}", lib_set},
	{&etl_transform_cast, "{CO: double, VOC: double}", lib_cast},
};

static double ours(const struct pair *p, void *self, struct etl_batch *batch, const bson_t *doc)
{
	struct etl_error err = ETL_ERROR_INIT;
	double start;

	etl_batch_reset(batch);
	for (size_t i = 0; i < RECORDS; i++)
		etl_batch_add_copy(batch, doc, (etl_wall){0}, i);
	start = now_ns();
	if (p->type->apply(self, batch, &err) < 0 || batch->n != RECORDS)
		abort();
	return (now_ns() - start) / RECORDS;
}

static double theirs(const struct pair *p, const bson_t *doc)
{
	double start = now_ns();

	for (size_t i = 0; i < RECORDS; i++) {
		bson_t out = BSON_INITIALIZER;

		p->lib(doc, &out);
		bson_destroy(&out);
	}
	return (now_ns() - start) / RECORDS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void *open_transform(const struct pair *p, struct etl_arena *arena)
{
	static const struct etl_vars vars;
	static const struct etl_stage_env stage = {.vars = &vars};
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {.arena = arena, .diag = diag, .what = "bench"};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_node *node =
		etl_conf_parse(arena, "bench", p->yaml, strlen(p->yaml), NULL, diag);
	void *options = etl_arena_zalloc(arena, p->type->options_size);
	void *self = etl_calloc(1, p->type->size);

	if (!node || !etl_options_fill(p->type->options, node, options, p->type->name, &env))
		abort();
	p->type->check(options, node, &env);
	if (etl_diag_count(diag) || p->type->open(self, options, &stage, &err) < 0)
		abort();
	etl_diag_free(diag);
	return self;
}

int main(void)
{
	static double a[ROUNDS], b[ROUNDS];
	bson_t *doc = sample();

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct etl_arena *arena = etl_arena_new(0);
		struct etl_batch *batch = etl_batch_new();
		void *self = open_transform(&pairs[i], arena);

		for (size_t r = 0; r < ROUNDS; r++) {
			a[r] = ours(&pairs[i], self, batch, doc);
			b[r] = theirs(&pairs[i], doc);
		}
		qsort(a, ROUNDS, sizeof *a, by_value);
		qsort(b, ROUNDS, sizeof *b, by_value);
		printf("transform %-7s %5.0f ns a record, libbson %5.0f ns, ratio %.2f\n",
			pairs[i].type->name, a[ROUNDS / 2], b[ROUNDS / 2],
			b[ROUNDS / 2] / a[ROUNDS / 2]);
		pairs[i].type->close(self);
		free(self);
		etl_batch_free(batch);
		etl_arena_free(arena);
	}
	bson_destroy(doc);
	return 0;
}
