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

/* A payload of `d`, which may have had others. Pieces: `first` bytes, then `step` each (0 = all the
 * rest). Heap text. */
UNUSED static char *format_tell_by(struct etl_decode *d, const char *text, size_t len, size_t first,
	size_t step, bool as_json)
{
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_buf records, rejects;
	int rc = etl_decode_begin(d, NULL, &err);
	size_t at = 0;

	etl_buf_init(&records, 256 << 20);
	etl_buf_init(&rejects, 256 << 20);
	for (size_t n = first; rc == 0 && at < len; n = step ? step : len) {
		n = n > len - at ? len - at : n;
		rc = format_feed(d, text + at, n, batch, &err);
		at += n;
		tell_batch(batch, as_json, &records, &rejects);
	}
	if (rc == 0)
		rc = etl_decode_end(d, batch, &err);
	tell_batch(batch, as_json, &records, &rejects);
	etl_buf_append(&records, etl_buf_text(&rejects), rejects.len);
	if (rc != 0)
		etl_buf_printf(&records, "error %s: %s\n", err.code, err.message);
	else
		etl_buf_printf(&records, "= %llu\n", (unsigned long long)etl_decode_records(d));
	etl_batch_free(batch);
	etl_buf_fini(&rejects);
	return etl_buf_take(&records);
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
