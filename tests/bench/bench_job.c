/* SPDX-License-Identifier: MIT
 *
 * The worker's part of a whole job: a year of hourly rows, decoded by the real source, passed
 * through rename, set and cast, hashed, cut into slices and given to the null sink, with
 * ledger and watermark in memory. No network, no server: records per CPU-second of etld's
 * own code. The same bytes through the decoder alone are timed in turns for the ratio.
 *
 *   bench_job [ROUNDS] [FILE]    FILE: an answer of the hourly service (default: one is made)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lib/strand_driver.h"
#include "base/alloc.h"
#include "conf/load.h"
#include "job/job.h"
#include "time/civil.h"

#define START INT64_C(1694304000000) /* 2023-09-10T00:00:00Z */
#define HOURS 8760
#define DAYS 3650 /* of the job's windows: the captured year lies within */

static const char job_yaml[] =
	"schedule: {cron: '10 * * * *', timeout: 1d}\n"
	"window: {size: 1h, settle: 70m, max_span: 400d, start: 2023-09-10, end: 2024-09-09}\n"
	"extract:\n"
	"  http:\n"
	"    url: 'http://peer.test/hourly'\n"
	"    records: /data\n"
	"    time: {field: timestamp, format: '%Y-%m-%d %H:%M:%S', timezone: UTC}\n"
	"load: {\"null\": {}}\n";

static const char transform_yaml[] =
	"transform:\n"
	"  - rename: {PM2.5: pm2_5, T. int.: t_int_raw}\n"
	"  - set: {station_id: '283164601', co_unit: mg/m3}\n"
	"  - cast: {CO: double, pm2_5: double}\n";

static struct etl_buf body;

static void make_body(void)
{
	etl_buf_str(&body, "{\"data\":[");
	for (int h = 0; h < HOURS; h++) {
		struct etl_civil c;

		etl_civil_from_utc((etl_wall){START + h * INT64_C(3600000)}, &c);
		etl_buf_printf(&body,
			"%s{\"timestamp\":\"%04d-%02d-%02d %02d:00:00\",\"CO\":%d.%03d,\"T\":29.376667,"
			"\"T. int.\":407.9,\"NO2\":17.839743,\"O3\":35.581387,\"PM10\":9.966666,"
			"\"PM2.5\":2.9333334,\"RH\":73.753334}", h ? "," : "", c.year, c.month,
			c.day, c.hour, h % 4, h % 1000);
	}
	etl_buf_str(&body, "]}");
}

static void read_body(const char *path)
{
	FILE *file = fopen(path, "rb");
	char part[65536];
	size_t n;

	if (!file) {
		perror(path);
		exit(66);
	}
	while ((n = fread(part, 1, sizeof part, file)))
		etl_buf_append(&body, part, n);
	fclose(file);
}

static void answer(void *ctx, const struct etl_strand *strand, struct driver_answer *out)
{
	(void)ctx;
	(void)strand;
	etl_buf_append(&out->body, body.data, body.len);
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static struct etl_job *load_job(struct etl_arena *arena, const char *more)
{
	char *text = etl_arena_strf(arena, "%s%s", job_yaml, more);
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {.arena = arena, .diag = diag, .what = "job 'bench'"};
	struct etl_job *job = etl_job_load("bench",
		etl_conf_parse(arena, "bench.yaml", text, strlen(text), NULL, diag), &env);

	if (etl_diag_count(diag))
		abort();
	etl_diag_free(diag);
	return job;
}

/* Seconds for a whole first load; *records tells how many it had. */
static double whole_job(const struct etl_job *job, uint64_t *records)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct driver d;
	struct etl_trigger trigger = {.kind = ETL_TRIGGER_MANUAL};
	struct etl_run *run;
	double began, seconds;

	driver_init(&d, (etl_wall){START + DAYS * INT64_C(86400000)}, 1);
	d.answer = answer;
	d.piece_max = 32768;
	run = etl_run_new(job, &d.env, 1, &trigger);
	began = cpu_seconds();
	driver_run(&d, run, &err);
	seconds = cpu_seconds() - began;
	if (run->state != ETL_RUN_OK) {
		fprintf(stderr, "the run is %s: %s\n", etl_run_state_word(run->state),
			run->error.message);
		exit(1);
	}
	*records = run->counts.inserted;
	etl_run_free(run);
	driver_fini(&d);
	return seconds;
}

/* The source alone over the same bytes. */
static double decode_only(const struct etl_job *job)
{
	const char *const none[] = {NULL};
	struct etl_vars vars = {.window = {{START}, {START + 366 * INT64_C(86400000)}},
		.partition_names = none, .partition_values = none, .run_id = ""};
	struct etl_source_env env = {.vars = &vars, .database = "", .job = "bench",
		.shared = job->source_shared};
	struct etl_request request = {.arena = etl_arena_new(0)}, next = {.arena = etl_arena_new(0)};
	struct etl_response head = {.status = 200, .content_type = "application/json", .etag = "",
		.location = "", .content_range = "", .hints = "", .retry_after = {-1}};
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_batch *batch = etl_batch_new();
	enum etl_source_verdict verdict;
	void *self = etl_calloc(1, job->source->size);
	double began = cpu_seconds(), seconds;
	int rc = etl_decode_new(job->decode, 0, &env.decode, &err);

	rc |= job->source->open(self, job->source_options, &env, &err);
	rc |= job->source->first(self, &vars.window, (etl_wall){START}, &request, &err);
	rc |= job->source->head(self, &head, &verdict, &next, &err);
	for (size_t at = 0; rc == 0 && at < body.len; at += 32768) {
		size_t n = body.len - at < 32768 ? body.len - at : 32768;

		rc |= job->source->decode(self, body.data + at, n, batch, &err);
		if (etl_batch_is_full(batch))
			etl_batch_reset(batch);
	}
	seconds = cpu_seconds() - began;
	if (rc < 0) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	job->source->close(self);
	free(self);
	etl_decode_free(env.decode);
	etl_batch_free(batch);
	etl_arena_free(request.arena);
	etl_arena_free(next.arena);
	return seconds;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, by_value);
	return values[n / 2];
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 21;
	struct etl_arena *arena = etl_arena_new(0);
	struct etl_job *plain, *full;
	double *whole, *bare, *decode, *ratio;
	uint64_t records = 0;

	etl_buf_init(&body, 64 << 20);
	if (argc > 2)
		read_body(argv[2]);
	else
		make_body();
	plain = load_job(arena, "");
	full = load_job(arena, transform_yaml);
	rounds = rounds < 1 ? 1 : rounds;
	whole = etl_calloc(rounds, sizeof *whole);
	bare = etl_calloc(rounds, sizeof *bare);
	decode = etl_calloc(rounds, sizeof *decode);
	ratio = etl_calloc(rounds, sizeof *ratio);
	whole_job(full, &records); /* warms up */
	for (size_t i = 0; i < rounds; i++) {
		decode[i] = decode_only(plain);
		whole[i] = whole_job(full, &records);
		bare[i] = whole_job(plain, &records);
		ratio[i] = whole[i] / decode[i];
	}
	printf("bytes %zu, records %llu, rounds %zu\n", body.len, (unsigned long long)records, rounds);
	printf("decode alone          %10.0f records per CPU-second\n",
		(double)records / median(decode, rounds));
	printf("job without transform %10.0f records per CPU-second\n",
		(double)records / median(bare, rounds));
	printf("job with three        %10.0f records per CPU-second\n",
		(double)records / median(whole, rounds));
	printf("job with three / decode alone: %.2f of its time (median of pairs)\n",
		median(ratio, rounds));
	etl_job_fini(plain);
	etl_job_fini(full);
	etl_arena_free(arena);
	etl_buf_fini(&body);
	free(whole);
	free(bare);
	free(decode);
	free(ratio);
	return 0;
}
