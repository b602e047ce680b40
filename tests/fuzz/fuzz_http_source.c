/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the http source as a service could: any sequence of heads and bodies, in pieces of
 * any size, to requests for tokens and for data. Input: one byte that chooses the options,
 * then answers, each of a status, flags, a length of two bytes and so many bytes of body.
 */
#include <bson/bson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "conf/load.h"
#include "source/http/link.h"
#include "source/http/options.h"
#include "source/source.h"

extern const struct etl_source_type etl_source_http;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWERS_MAX = 40 };

static const char *const jobs[] = {
	"url: https://h/v3/{station}\nrecords: /data\nattach: {name: /header/name}\n"
	"time: {field: t}\nexpect: {pointer: /status, equals: OK}\nmax_bytes: 32KiB\n",
	"url: https://h/v3/{station}\nquery: {from: \"{window.start}\"}\n"
	"auth: {oauth2: {token_url: https://h/token, client_id: c}}\n",
	"url: https://h/users\nmethod: POST\nbody: '\"{run_id}\"'\nrecords: /a/*/b\n",
	"url: https://h/v3/{station}\nrecords: /data\nattach: {a: /x, b: /y/z}\n"
	"auth: {oauth2: {token_url: https://h/token, client_id: c, auth_style: form}}\n",
	"url: https://h/p\nrecords: /data\npagination: {cursor: {pointer: /m/c, param: c}}\n",
	"url: https://h/p\nrecords: /data\npagination: {next_url: {pointer: /n}, announced: ignore}\n",
	"url: https://h/p\nrecords: /data\npagination: {last_record: {field: id, param: a}}\n",
	"url: https://h/p\nrecords: /data\npagination: {page: {param: p, size: {value: 2}}, end: short}\n"
	"auth: {oauth2: {token_url: https://h/token, client_id: c}}\n",
};
enum { JOBS = sizeof jobs / sizeof *jobs };

static const char *const names[] = {"station", NULL};
static const char *const values[] = {"1", NULL};
static struct etl_http_options loaded[JOBS];
static const struct etl_decode_spec *specs[JOBS];
static struct etl_arena *job_arena;

static void load_jobs(void)
{
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {
		.diag = diag, .what = "job 'fuzz'", .partition_names = names};

	job_arena = etl_arena_new(0);
	env.arena = job_arena;
	for (size_t i = 0; i < JOBS; i++) {
		struct etl_node *node =
			etl_conf_parse(job_arena, "fuzz", jobs[i], strlen(jobs[i]), NULL, diag);

		struct etl_node beside = {.kind = ETL_NODE_MAP};
		const struct etl_node *own = etl_decode_split(node, etl_source_http.options, &beside, &env);

		specs[i] = etl_decode_load(&beside, false, &env);
		etl_options_fill(etl_source_http.options, own, &loaded[i], "extract.http", &env);
		etl_source_http.check(&loaded[i], own, specs[i], &env);
	}
	if (etl_diag_count(diag)) {
		struct etl_buf said;

		etl_buf_init(&said, 64 * 1024);
		etl_diag_print(diag, &said);
		fputs(etl_buf_text(&said), stderr);
		abort();
	}
	etl_diag_free(diag);
}

struct input {
	const uint8_t *at, *end;
};

static unsigned take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static struct etl_response take_head(struct input *in, etl_wall now, unsigned *flags)
{
	static const int statuses[] = {200, 200, 200, 204, 401, 400, 301, 304, 403, 404, 408,
		425, 429, 500, 503, 0, 999, -1};
	static const char *const types[] = {"application/json", "text/html", "",
		"text/plain; charset=windows-1252", "a/b; charset=\"utf-16\"", "c/d;charset=x//",
		"e/f; charset=shift_jis", "g/h; charset=utf-8"};
	unsigned status = take(in);

	*flags = take(in);
	return (struct etl_response){
		.status = statuses[status % (sizeof statuses / sizeof *statuses)],
		.received = now,
		.content_type = types[(*flags & 3) | (*flags >> 5 & 4)],
		.etag = "",
		.location = *flags & 4 ? "https://u:p@other/x" : "//",
		.content_range = *flags & 4 ? "items 0-24/25" : "",
		.hints = *flags & 8 ? "Link: <x>; rel=prev,<\nX-Total-Count: 7\nX-Total" : "",
		.retry_after = {*flags & 8 ? (int64_t)*flags << 33 : -1},
	};
}

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_request(const struct etl_request *request)
{
	char origin[ETL_LINK_ORIGIN_BYTES];

	/* A page that an answer leads to is never of another host. */
	demand(etl_link_origin(request->url, origin) && strcmp(origin, "https://h:443") == 0);
	demand(!strpbrk(request->url, " \r\n#"));
	demand(request->url_shown && request->method);
	for (size_t i = 0; i < request->n_headers; i++)
		demand(!strpbrk(request->headers[i].value, "\r\n"));
}

static void check_batch(const struct etl_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		bson_t doc;
		size_t at;

		demand(etl_record_bson(&batch->records[i], &doc));
		demand(bson_validate(&doc, BSON_VALIDATE_NONE, &at));
	}
}

static int feed(void *self, struct input *in, unsigned flags, struct etl_batch *batch,
	struct etl_error *err)
{
	size_t len = take(in);
	size_t piece = (flags >> 4) * (flags >> 4) + 1;

	len |= (size_t)take(in) << 8;
	if (len > (size_t)(in->end - in->at))
		len = (size_t)(in->end - in->at);
	while (len) {
		size_t n = len < piece ? len : piece;
		char *copy = etl_memdup0(in->at, n);
		int rc = etl_source_http.decode(self, copy, n, batch, err);

		free(copy);
		in->at += n;
		len -= n;
		if (rc)
			return -1;
	}
	return 0;
}

/* One answer. 1 = another request was made, 0 = the end, -1 = failed. */
static int answer(void *self, struct input *in, etl_wall now, struct etl_batch *batch,
	struct etl_request *request)
{
	enum etl_source_verdict verdict = ETL_SOURCE_BODY;
	struct etl_error err = ETL_ERROR_INIT;
	unsigned flags;
	struct etl_response response = take_head(in, now, &flags);
	int rc = etl_source_http.head(self, &response, &verdict, request, &err);

	if (rc == 0 && verdict == ETL_SOURCE_RETRY) {
		check_request(request);
		return 1;
	}
	if (rc == 0)
		rc = feed(self, in, flags, batch, &err);
	if (rc == 0)
		rc = etl_source_http.next(self, now, batch, request, &err);
	if (rc == 1)
		check_request(request);
	demand(rc >= 0 || (err.kind != ETL_OK && err.kind != ETL_BUG && *err.message));
	demand(err.retry_after_ms >= 0 && err.retry_after_ms <= 86400000);
	return rc;
}

static void play(void *self, struct input *in, struct etl_batch *batch)
{
	const struct etl_window span = {{0}, {3600000}};
	etl_wall now = {INT64_C(1800000000000)};
	struct etl_arena *arena = etl_arena_new(0);
	int rc = 0;

	for (int i = 0; i < ANSWERS_MAX && in->at < in->end; i++, now.ms += 100000) {
		struct etl_request request = {.arena = arena};
		struct etl_error err = ETL_ERROR_INIT;

		if (rc != 1) {
			etl_batch_reset(batch);
			demand(etl_source_http.first(self, &span, now, &request, &err) == 0);
			check_request(&request);
		}
		rc = answer(self, in, now, batch, &request);
		check_batch(batch);
	}
	etl_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct etl_vars vars = {
		.partition_names = names, .partition_values = values, .run_id = "r"};
	struct etl_source_env env = {.vars = &vars, .job = "fuzz"};
	struct etl_error err = ETL_ERROR_INIT;
	unsigned job;
	struct etl_batch *batch = etl_batch_new();
	void *self = etl_calloc(1, etl_source_http.size);

	if (!job_arena)
		load_jobs();
	job = take(&in) % JOBS;
	demand(etl_decode_new(specs[job], 0, &env.decode, &err) == 0);
	env.shared = etl_source_http.shared_new(&loaded[job]);
	demand(etl_source_http.open(self, &loaded[job], &env, &err) == 0);
	play(self, &in, batch);
	etl_source_http.close(self);
	free(self);
	etl_decode_free(env.decode);
	if (env.shared)
		etl_source_http.shared_free(env.shared);
	etl_batch_free(batch);
	return 0;
}
