/* SPDX-License-Identifier: MIT
 *
 * What tests of formats share: the keys beside a source from YAML, and a payload through all stages,
 * in pieces, told as text: equal texts = equal behaviour. Also for fuzz targets: no cmocka here.
 */
#ifndef ETL_TEST_FORMAT_RIG_H
#define ETL_TEST_FORMAT_RIG_H

#include <stdio.h>

#include "../record/json_helper.h"
#include "base/alloc.h"
#include "conf/load.h"
#include "format/decode.h"

#define UNUSED __attribute__((unused))

/* `arena` gets all of it. NULL with the errors printed to `said` (NULL = stderr, and abort). */
UNUSED static const struct etl_decode_spec *format_load(const char *yaml, struct etl_arena *arena,
	struct etl_buf *said)
{
	static const char *const names[] = {NULL};
	const struct etl_conf_load_options load = {.texts = arena};
	struct etl_diag *diag = etl_diag_new();
	struct etl_conf_env env = {.arena = arena, .diag = diag, .what = "job 't'", .partition_names = names};
	struct etl_node *node = etl_conf_parse(arena, "t.yaml", yaml, strlen(yaml), &load, diag);
	const struct etl_decode_spec *spec = node ? etl_decode_load(node, false, &env) : NULL;
	struct etl_buf own ETL_BUF_CLEANUP;

	etl_buf_init(&own, 1 << 20);
	if (etl_diag_count(diag)) {
		etl_diag_print(diag, said ? said : &own);
		spec = NULL;
	}
	etl_diag_free(diag);
	if (!spec && !said) {
		fputs(etl_buf_text(&own), stderr);
		abort();
	}
	return spec;
}

/* Feeds an exactly sized copy, so that a sanitizer sees a read beyond the piece. */
UNUSED static int format_feed(struct etl_decode *d, const char *p, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	char *copy = malloc(len ? len : 1);
	int rc;

	memcpy(copy, p, len);
	rc = etl_decode_feed(d, copy, len, out, err);
	free(copy);
	return rc;
}

/* What a payload gave so far. Rejects are told in the order of their records: which stage refused one
 * first depends on the pieces, and is nobody's business. */
struct format_told {
	struct etl_buf records;
	struct format_reject {
		uint64_t position;
		char *text;
	} *rejects;
	size_t n, cap;
};

UNUSED static void format_take(struct format_told *told, struct etl_batch *batch, bool as_json)
{
	for (size_t i = 0; i < batch->n_rejects; i++) {
		const struct etl_reject *r = &batch->rejects[i];
		struct etl_buf text;

		etl_buf_init(&text, 1 << 20);
		etl_buf_printf(&text, "%llu reject %s: %s: ", (unsigned long long)r->position, r->path,
			r->message);
		if (r->raw_is_bson)
			etl_json_encode(r->raw, r->raw_len, 0, &text);
		else
			etl_buf_append(&text, r->raw, r->raw_len);
		ETL_GROW(told->rejects, told->n, told->cap);
		told->rejects[told->n++] = (struct format_reject){r->position, etl_buf_take(&text)};
	}
	batch->n_rejects = 0;
	tell_batch(batch, as_json, &told->records, NULL);
}

UNUSED static int format_by_position(const void *a, const void *b)
{
	const struct format_reject *x = a, *y = b;

	return (x->position > y->position) - (x->position < y->position);
}

UNUSED static void format_end(struct format_told *told)
{
	if (told->n)
		qsort(told->rejects, told->n, sizeof *told->rejects, format_by_position);
	for (size_t i = 0; i < told->n; i++) {
		etl_buf_printf(&told->records, "%s\n", told->rejects[i].text);
		free(told->rejects[i].text);
	}
	free(told->rejects);
}

/* What reshape makes comes by the batch: a few bytes never become more memory than that. */
UNUSED static int format_drain(struct etl_decode *d, struct format_told *told, struct etl_batch *batch,
	bool as_json, struct etl_error *err)
{
	int rc = 0;

	while (rc == 0 && etl_decode_waits(d)) {
		rc = etl_decode_more(d, batch, err);
		if (batch->n > 2 * ETL_BATCH_RECORDS || batch->n_rejects > 2 * ETL_BATCH_RECORDS ||
			batch->bytes > ETL_BATCH_BYTES + ETL_DOCUMENT_BYTES_MAX)
			abort();
		format_take(told, batch, as_json);
	}
	return rc;
}

/* A payload of `d`, which may have had others. Pieces: `first` bytes, then `step` each (0 = all the
 * rest). Heap text. */
UNUSED static char *format_tell_by(struct etl_decode *d, const char *text, size_t len, size_t first,
	size_t step, bool as_json)
{
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct format_told told = {0};
	int rc = etl_decode_begin(d, NULL, &err);
	size_t at = 0;

	etl_buf_init(&told.records, 256 << 20);
	for (size_t n = first; rc == 0 && at < len; n = step ? step : len) {
		n = n > len - at ? len - at : n;
		rc = format_feed(d, text + at, n, batch, &err);
		at += n;
		format_take(&told, batch, as_json);
		rc = rc == 0 ? format_drain(d, &told, batch, as_json, &err) : rc;
	}
	if (rc == 0)
		rc = etl_decode_end(d, batch, &err);
	if (rc == 0)
		rc = etl_decode_finish(d, batch, &err);
	format_take(&told, batch, as_json);
	if (rc == 0)
		rc = format_drain(d, &told, batch, as_json, &err);
	etl_batch_free(batch);
	format_end(&told);
	if (rc == 0)
		etl_buf_printf(&told.records, "= %llu\n", (unsigned long long)etl_decode_records(d));
	else
		etl_buf_printf(&told.records, "error %s: %s\n", err.code, err.message);
	return etl_buf_take(&told.records);
}

UNUSED static char *format_tell(const struct etl_decode_spec *spec, const char *text, size_t len,
	size_t first, size_t step, bool as_json)
{
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;
	char *told;

	if (etl_decode_new(spec, 0, &d, &err) < 0)
		abort();
	told = format_tell_by(d, text, len, first, step, as_json);
	etl_decode_free(d);
	return told;
}

#endif
