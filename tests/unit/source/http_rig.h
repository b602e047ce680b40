/* SPDX-License-Identifier: MIT
 *
 * What the tests of `extract: http` share: a job's `http` mapping, with what may stand beside it,
 * from YAML text, an instance of it, and a service that answers from strings, in pieces of any size.
 */
#ifndef ETL_TEST_HTTP_RIG_H
#define ETL_TEST_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/load.h"
#include "source/http/options.h"
#include "source/source.h"

#define UNUSED __attribute__((unused))

extern const struct etl_source_type etl_source_http;

#define NOW_MS INT64_C(1930000000000) /* some instant */
#define SECRET_VALUE "s3cr3t/value&more"
#define PASSWORD_VALUE "pa55 word+x"

static const char *const partition_names[] = {"station", NULL};
static const char *partition_values[] = {"283164601", NULL};

struct rig {
	char dir[64];
	struct etl_arena *arena;
	struct etl_diag *diag;
	struct etl_conf_env conf;
	struct etl_http_options options;
	const struct etl_decode_spec *spec;
	struct etl_decode *decode;
	struct etl_vars vars;
	struct etl_source_env env;
	void *self;
	struct etl_window span;
	struct etl_arena *request_arena;
	struct etl_request request; /* the newest one */
	struct etl_batch *batch;
	struct etl_error err;
	etl_wall now;
	unsigned requests;
};

UNUSED static void write_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

UNUSED static void rig_new(struct rig *rig)
{
	*rig = (struct rig){.dir = "/tmp/etl-http-XXXXXX", .now = {NOW_MS}};
	assert_non_null(mkdtemp(rig->dir));
	write_file(rig->dir, "secret", SECRET_VALUE "\n");
	write_file(rig->dir, "password", PASSWORD_VALUE "\n");
	rig->arena = etl_arena_new(0);
	rig->diag = etl_diag_new();
	rig->conf = (struct etl_conf_env){.arena = rig->arena,
		.diag = rig->diag,
		.what = "job 'test'",
		.partition_names = partition_names,
		.credentials_dir = rig->dir,
		.config_dir = rig->dir};
	rig->span = (struct etl_window){{INT64_C(1800000000000)}, {INT64_C(1800003600000)}};
	rig->vars = (struct etl_vars){.window = rig->span,
		.partition_names = partition_names,
		.partition_values = partition_values,
		.run_id = "run-1"};
	rig->env = (struct etl_source_env){.vars = &rig->vars, .job = "test"};
	rig->batch = etl_batch_new();
	rig->request_arena = etl_arena_new(0);
	rig->request.arena = rig->request_arena;
}

/* Reads the options; the number of configuration errors. */
UNUSED static size_t rig_load(struct rig *rig, const char *yaml)
{
	const struct etl_conf_load_options load = {.texts = rig->arena};
	struct etl_arena *tree = etl_arena_new(0);
	struct etl_node beside = {.kind = ETL_NODE_MAP};
	const struct etl_node *own;
	struct etl_node *node =
		etl_conf_parse(tree, "test.yaml", yaml, strlen(yaml), &load, rig->diag);

	assert_non_null(node);
	own = etl_decode_split(node, etl_source_http.options, &beside, &rig->conf);
	rig->spec = etl_decode_load(&beside, false, &rig->conf);
	etl_options_fill(etl_source_http.options, own, &rig->options, "extract.http", &rig->conf);
	etl_source_http.check(&rig->options, own, rig->spec, &rig->conf);
	etl_arena_free(tree);
	return etl_diag_count(rig->diag);
}

UNUSED static void print_diag(const struct rig *rig)
{
	struct etl_buf text ETL_BUF_CLEANUP;

	etl_buf_init(&text, 1 << 20);
	etl_diag_print(rig->diag, &text);
	print_error("%s\n", etl_buf_text(&text));
}

/* Opens an instance of the options and gets its first request: what first() gave. */
UNUSED static int rig_first(struct rig *rig)
{
	int rc = etl_source_http.first(
		rig->self, &rig->span, rig->now, &rig->request, &rig->err);

	rig->requests += rc == 0;
	return rc;
}

UNUSED static void rig_open(struct rig *rig, const char *yaml)
{
	if (rig_load(rig, yaml) != 0) {
		print_diag(rig);
		fail_msg("the options have errors");
	}
	rig->env.shared = etl_source_http.shared_new(&rig->options);
	assert_int_equal(etl_decode_new(rig->spec, 0, &rig->decode, &rig->err), 0);
	rig->env.decode = rig->decode;
	rig->self = etl_calloc(1, etl_source_http.size);
	assert_int_equal(
		etl_source_http.open(rig->self, &rig->options, &rig->env, &rig->err), 0);
}

UNUSED static void rig_start(struct rig *rig, const char *yaml)
{
	rig_open(rig, yaml);
	assert_int_equal(rig_first(rig), 0);
}

UNUSED static void rig_free(struct rig *rig)
{
	char path[128];

	if (rig->self)
		etl_source_http.close(rig->self);
	free(rig->self);
	etl_decode_free(rig->decode);
	if (rig->env.shared)
		etl_source_http.shared_free(rig->env.shared);
	etl_batch_free(rig->batch);
	etl_arena_free(rig->request_arena);
	etl_diag_free(rig->diag);
	etl_arena_free(rig->arena);
	snprintf(path, sizeof path, "%s/secret", rig->dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/password", rig->dir);
	unlink(path);
	rmdir(rig->dir);
}

enum outcome { FAILED = -1, ENDED = 0, ANOTHER = 1, AGAIN = 2 };

/* The service answers the newest request; the body comes in pieces of `piece` bytes. */
UNUSED static enum outcome answer_in_pieces(struct rig *rig,
	const struct etl_response *response, const char *body, size_t len, size_t piece)
{
	enum etl_source_verdict verdict = ETL_SOURCE_BODY;
	int rc;

	rig->err = (struct etl_error)ETL_ERROR_INIT;
	if (etl_source_http.head(rig->self, response, &verdict, &rig->request, &rig->err))
		return FAILED;
	if (verdict == ETL_SOURCE_RETRY) {
		rig->requests++;
		return AGAIN;
	}
	for (size_t i = 0; i < len; i += piece) {
		size_t n = len - i < piece ? len - i : piece;
		char *copy = etl_memdup0(body + i, n); /* a read beyond the piece is found */

		rc = etl_source_http.decode(rig->self, copy, n, rig->batch, &rig->err);
		free(copy);
		if (rc)
			return FAILED;
	}
	rc = etl_source_http.next(rig->self, rig->now, rig->batch, &rig->request, &rig->err);
	rig->requests += rc == 1;
	return rc;
}

UNUSED static struct etl_response response_of(const struct rig *rig, int status)
{
	return (struct etl_response){.status = status,
		.received = rig->now,
		.content_type = "application/json",
		.etag = "",
		.location = "",
		.content_range = "",
		.hints = "",
		.retry_after = {-1}};
}

UNUSED static enum outcome answer(struct rig *rig, int status, const char *body)
{
	struct etl_response response = response_of(rig, status);

	return answer_in_pieces(rig, &response, body, strlen(body), 7);
}

UNUSED static const char *header_of(const struct etl_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}

/* No part of a secret's value may stand in what is shown. */
UNUSED static void assert_hides(const char *text)
{
	if (strstr(text, "s3cr3t") || strstr(text, "pa55") || strstr(text, "tok-"))
		fail_msg("a secret is shown: %s", text);
}

#define assert_message(rig, k, text)                                                           \
	do {                                                                                   \
		assert_string_equal(                                                           \
			etl_error_kind_name((rig)->err.kind), etl_error_kind_name(k));         \
		if (!strstr((rig)->err.message, (text)))                                       \
			fail_msg("'%s' is not in '%s'", (text), (rig)->err.message);           \
		assert_hides((rig)->err.message);                                              \
	} while (0)

#endif
