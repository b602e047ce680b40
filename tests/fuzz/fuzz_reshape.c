/* SPDX-License-Identifier: MIT
 *
 * Documents of all shapes through the stages of reshape: one go against pieces whose lengths the
 * input chooses. Both must say the same, every record must be valid BSON, and none goes without a
 * word. Byte 0 chooses the job, byte 1 the cuts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/format/format_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const jobs[] = {
	"{reshape: [columns]}",
	"{reshape: [columns: {in: /h, fields: [t, v], on_bad: text, absent: null}]}",
	"{reshape: [explode: {field: /a/v}], time: {field: t, format: epoch}}",
	"{reshape: [{explode: {field: v, as: w, keep_empty: true, on_bad: null, absent: text}}, "
	"{explode: {field: w}}]}",
	"{reshape: [keyed: {key: id}]}",
	"{reshape: [{keyed: {key: id, in: s, as: v, absent: null}}, {columns: {in: v}}]}",
	"{reshape: [rows: {header: /d/h, rows: /d/r, absent: default, default: 0}]}",
	"{format: jsonl, reshape: [pivot: {by: [s, /m/t], name: p, value: v}]}",
	"{reshape: [{explode: {field: r}}, {pivot: {by: [s], name: p, value: v, fields: [a, b], "
	"absent: reject, "
	"duplicates: last}}]}",
};
enum { JOBS = sizeof jobs / sizeof *jobs };

static void check_batch(struct etl_batch *batch)
{
	if (batch->bytes > ETL_BATCH_BYTES + ETL_DOCUMENT_BYTES_MAX)
		abort();
	for (size_t i = 0; i < batch->n; i++) {
		size_t offset;
		bson_t doc;

		if (!etl_record_bson(&batch->records[i], &doc) ||
			!bson_validate(&doc, BSON_VALIDATE_UTF8 | BSON_VALIDATE_EMPTY_KEYS,
				&offset))
			abort();
	}
	etl_batch_reset(batch);
}

static void check_records(const struct etl_decode_spec *spec, const char *text, size_t len)
{
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;
	int rc;

	if (etl_decode_new(spec, 0, &d, &err) < 0 || etl_decode_begin(d, NULL, &err) < 0)
		abort();
	rc = etl_decode_feed(d, text, len, batch, &err);
	while (rc == 0 && etl_decode_waits(d)) {
		check_batch(batch);
		rc = etl_decode_more(d, batch, &err);
	}
	if (rc == 0)
		rc = etl_decode_end(d, batch, &err);
	if (rc == 0)
		rc = etl_decode_finish(d, batch, &err);
	while (rc == 0 && etl_decode_waits(d)) {
		check_batch(batch);
		rc = etl_decode_more(d, batch, &err);
	}
	check_batch(batch);
	if (rc < 0 && err.kind == ETL_BUG)
		abort();
	etl_batch_free(batch);
	etl_decode_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct etl_decode_spec *specs[JOBS];
	static struct etl_arena *arena;
	const struct etl_decode_spec *spec;
	const char *text = (const char *)data + 2;
	char *whole, *pieces;

	if (!arena) {
		arena = etl_arena_new(0);
		for (size_t i = 0; i < JOBS; i++)
			specs[i] = format_load(jobs[i], arena, NULL);
	}
	if (size < 2 || size > 65536)
		return 0;
	spec = specs[data[0] % JOBS];
	size -= 2;
	check_records(spec, text, size);
	whole = format_tell(spec, text, size, size, 0, false);
	pieces = format_tell(spec, text, size, size ? (data[1] >> 3) % (size + 1) : 0, data[1] % 8 +
		1,
		false);
	if (strcmp(whole, pieces) != 0)
		abort();
	free(whole);
	free(pieces);
	return 0;
}
