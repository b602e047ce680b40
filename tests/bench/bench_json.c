/* SPDX-License-Identifier: MIT
 *
 * JSON to BSON (workload W1): our decoder against libbson's reader and against cJSON with
 * append calls, interleaved in one process, so that a busy neighbour hits all alike. Prints
 * the medians of the ratios. Usage: bench_json [ROUNDS] [FILE]   FILE: {"data": [...]}.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "record/decode_json.h"

enum { RECORDS = 50000, ROUNDS = 9, ROUNDS_MAX = 99, PIECE = 256 * 1024 };

struct input {
	struct etl_buf text;	/* {"data":[RECORD,...]} */
	size_t *at, *len, n;	/* of each record in the text */
	size_t cap;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rnd(double low, double high)
{
	return low + (high - low) * ((double)rand() / RAND_MAX);
}

static void add_record(struct input *in, const char *quality, int i)
{
	if (in->n == in->cap) {
		in->cap = in->cap ? 2 * in->cap : 1024;
		in->at = etl_realloc(in->at, in->cap, sizeof *in->at);
		in->len = etl_realloc(in->len, in->cap, sizeof *in->len);
	}
	if (in->n)
		etl_buf_char(&in->text, ',');
	in->at[in->n] = in->text.len;
	etl_buf_printf(&in->text,
		"{\"station\":\"283164601\",\"timestamp\":\"2023-09-%02d %02d:00:00\",\"seq\":%d,"
		"\"CO\":%.6f,\"T\":%.6f,\"T. int.\":%.5f,\"NO2\":%.6f,\"O3\":%.6f,\"PM10\":%.6f,"
		"\"PM2.5\":%.7f,\"RH\":%.5f,\"P\":%.3f,\"valid\":true,\"quality\":%s}",
		i % 30 + 1, i % 24, i, rnd(0, 3), rnd(20, 35), rnd(390, 420), rnd(10, 30),
		rnd(20, 50), rnd(5, 60), rnd(1, 9), rnd(60, 90), rnd(990, 1020), quality);
	in->len[in->n] = in->text.len - in->at[in->n];
	in->n++;
}

static void generate(struct input *in)
{
	srand(42);
	etl_buf_init(&in->text, 256 * 1024 * 1024);
	etl_buf_str(&in->text, "{\"data\":[");
	for (int i = 0; i < RECORDS; i++)
		add_record(in, "null", i);
	etl_buf_str(&in->text, "]}");
}

static size_t run_ours(const struct input *in, const char *pointer)
{
	const struct etl_layout spec = {.records = pointer};
	struct etl_json_decoder *decoder = etl_json_decoder_new(&spec);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	size_t records = 0, bytes = 0;

	for (size_t at = 0; at < in->text.len; at += PIECE) {
		size_t len = in->text.len - at < PIECE ? in->text.len - at : PIECE;

		if (etl_json_decoder_feed(decoder, in->text.data + at, len, batch, &err) != 0)
			break;
		if (batch->n_rejects)
			fprintf(stderr, "%s\n", batch->rejects[0].message);
		records += batch->n;
		bytes += batch->bytes;
		etl_batch_reset(batch);
	}
	if (err.kind != ETL_OK || etl_json_decoder_finish(decoder, batch, &err) != 0)
		fprintf(stderr, "%s\n", err.message);
	etl_batch_free(batch);
	etl_json_decoder_free(decoder);
	return records == in->n ? bytes : 0;
}

static size_t run_libbson(const struct input *in)
{
	size_t bytes = 0;

	for (size_t i = 0; i < in->n; i++) {
		bson_error_t error;
		bson_t doc;

		if (!bson_init_from_json(&doc, in->text.data + in->at[i], (ssize_t)in->len[i],
			&error))
			return 0;
		bytes += doc.len;
		bson_destroy(&doc);
	}
	return bytes;
}

static void append_item(bson_t *doc, const cJSON *item)
{
	if (cJSON_IsString(item))
		BSON_APPEND_UTF8(doc, item->string, item->valuestring);
	else if (cJSON_IsNumber(item) && item->valuedouble == floor(item->valuedouble) &&
		fabs(item->valuedouble) < 2147483648.0)
		BSON_APPEND_INT32(doc, item->string, item->valueint);
	else if (cJSON_IsNumber(item))
		BSON_APPEND_DOUBLE(doc, item->string, item->valuedouble);
	else if (cJSON_IsBool(item))
		BSON_APPEND_BOOL(doc, item->string, cJSON_IsTrue(item));
	else
		BSON_APPEND_NULL(doc, item->string);
}

static size_t run_cjson(const struct input *in)
{
	size_t bytes = 0;

	for (size_t i = 0; i < in->n; i++) {
		cJSON *tree = cJSON_ParseWithLength(in->text.data + in->at[i], in->len[i]);
		const cJSON *item;
		bson_t doc;

		if (!tree)
			return 0;
		bson_init(&doc);
		cJSON_ArrayForEach(item, tree)
			append_item(&doc, item);
		bytes += doc.len;
		bson_destroy(&doc);
		cJSON_Delete(tree);
	}
	return bytes;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static int compare(const char *name, const struct input *in, const char *pointer, int rounds)
{
	double ours[ROUNDS_MAX], libbson[ROUNDS_MAX], cjson[ROUNDS_MAX];
	double to_libbson[ROUNDS_MAX], to_cjson[ROUNDS_MAX];
	double mb = (double)in->text.len / 1e6;

	for (int i = 0; i < rounds; i++) {
		double t0 = seconds();
		size_t a = run_ours(in, pointer);
		double t1 = seconds();
		size_t b = run_libbson(in);
		double t2 = seconds();
		size_t c = run_cjson(in);
		double t3 = seconds();

		if (!a || !b || !c) {
			fprintf(stderr, "%s: not all records were read\n", name);
			return 1;
		}
		ours[i] = t1 - t0;
		libbson[i] = t2 - t1;
		cjson[i] = t3 - t2;
		to_libbson[i] = libbson[i] / ours[i];
		to_cjson[i] = cjson[i] / ours[i];
	}
	double mine = median(ours, (size_t)rounds);

	printf("%s: %zu records of %.0f bytes, %d rounds\n", name, in->n,
		mb * 1e6 / (double)in->n,
		rounds);
	printf("  etl      %7.0f MB/s  %6.0f ns/record\n", mb / mine,
		mine * 1e9 / (double)in->n);
	printf("  libbson  %7.0f MB/s  ratio %.1f\n", mb / median(libbson, (size_t)rounds),
		median(to_libbson, (size_t)rounds));
	printf("  cJSON    %7.0f MB/s  ratio %.1f\n", mb / median(cjson, (size_t)rounds),
		median(to_cjson, (size_t)rounds));
	return 0;
}

/* Cuts {"data": [...]} into its records by brackets; strings there hold none. */
static bool load(struct input *in, const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t start = 0, depth = 0;
	char *to;

	if (!file)
		return false;
	etl_buf_init(&in->text, 256 * 1024 * 1024);
	while ((to = etl_buf_reserve(&in->text, 1 << 20))) {
		size_t n = fread(to, 1, 1 << 20, file);

		if (!n)
			break;
		in->text.len += n;
	}
	fclose(file);
	in->text.data[in->text.len] = '\0';
	for (size_t i = 0; i < in->text.len; i++) {
		char c = in->text.data[i];

		if ((c == '{' || c == '[') && depth++ == 2)
			start = i;
		if ((c == '}' || c == ']') && --depth == 2) {
			if (in->n == in->cap) {
				in->cap = in->cap ? 2 * in->cap : 1024;
				in->at = etl_realloc(in->at, in->cap, sizeof *in->at);
				in->len = etl_realloc(in->len, in->cap, sizeof *in->len);
			}
			in->at[in->n] = start;
			in->len[in->n++] = i + 1 - start;
		}
	}
	return in->n > 0;
}

static void drop(struct input *in)
{
	etl_buf_fini(&in->text);
	free(in->at);
	free(in->len);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS;
	const char *file = argc > 2 ? argv[2] : "../shared/data/airqino/283164601.json";
	struct input made = {0}, real = {0};
	int rc;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		rounds = ROUNDS;
	generate(&made);
	rc = compare("sensor", &made, "/data", rounds);
	drop(&made);
	if (load(&real, file))
		rc |= compare("airqino year", &real, "/data", rounds);
	else
		printf("airqino year: skipped, %s is not there\n", file);
	drop(&real);
	return rc;
}
