/* SPDX-License-Identifier: MIT
 *
 * A payload through all stages of a format: one go against pieces whose lengths the input chooses. Both
 * must say the same, and every record must be valid BSON. Byte 0 chooses the job, byte 1 the cuts. The
 * including file has `jobs`, a list of texts, and JOBS, their number.
 */
#ifndef ETL_FUZZ_FORMAT_H
#define ETL_FUZZ_FORMAT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/format/format_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_records(const struct etl_decode_spec *spec, const char *text, size_t len)
{
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_decode *d;

	if (etl_decode_new(spec, 0, &d, &err) < 0 || etl_decode_begin(d, NULL, &err) < 0)
		abort();
	if (etl_decode_feed(d, text, len, batch, &err) == 0 && etl_decode_end(d, batch, &err) == 0 &&
		etl_decode_held(d) > (2u << 20))
		abort();
	for (size_t i = 0; i < batch->n; i++) {
		size_t offset;
		bson_t doc;

		if (!etl_record_bson(&batch->records[i], &doc) ||
			!bson_validate(&doc, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL |
				BSON_VALIDATE_EMPTY_KEYS, &offset))
			abort();
	}
	etl_batch_free(batch);
	etl_decode_free(d);
}

/* Its last line: how many records there were, or the error that ended it. */
static const char *verdict(const char *told)
{
	size_t len = strlen(told), last = len ? len - 1 : 0;

	while (last && told[last - 1] != '\n')
		last--;
	return told + last;
}

static bool is_charset(const char *verdict)
{
	return strncmp(verdict, "error http.charset", 18) == 0;
}

/* What a failed payload gave before its end is thrown away. Where bytes are not of the charset it depends
 * on the pieces, and so does whether they or another fault of the payload are met first. */
static bool is_same(const char *whole, const char *pieces)
{
	const char *a = verdict(whole), *b = verdict(pieces);

	if (is_charset(a) || is_charset(b))
		return strncmp(a, "error ", 6) == 0 && strncmp(b, "error ", 6) == 0;
	return strcmp(whole, pieces) == 0;
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
	pieces = format_tell(spec, text, size, size ? (data[1] >> 3) % (size + 1) : 0, data[1] % 8 + 1,
		false);
	if (!is_same(whole, pieces))
		abort();
	free(whole);
	free(pieces);
	return 0;
}

#endif
