/* SPDX-License-Identifier: MIT
 *
 * The JSON decoder: one go against pieces whose lengths the input chooses. Both must say
 * the same, and every record must be valid BSON. Byte 0 chooses the spec, byte 1 the cuts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/record/json_helper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct etl_attach attach[] = {{"n", "/n"}};
static const struct etl_expect expects[] = {{"/s", "OK"}};
static const struct etl_layout specs[] = {
	{.records = ""},
	{.records = "/d"},
	{.records = "/d/*"},
	{.records = "/d", .attach = attach, .n_attach = 1},
	{.records = "/d", .expect = expects, .n_expect = 1},
	{.records = "", .depth_max = 4, .record_bytes_max = 40},
};

static void check_records(const struct etl_layout *spec, const char *text, size_t len)
{
	struct etl_json_decoder *d = etl_json_decoder_new(spec);
	struct etl_batch *batch = etl_batch_new();
	struct etl_error err = ETL_ERROR_INIT;

	if (etl_json_decoder_feed(d, text, len, batch, &err) == 0)
		etl_json_decoder_finish(d, batch, &err);
	for (size_t i = 0; i < batch->n; i++) {
		size_t offset;
		bson_t doc;

		if (!etl_record_bson(&batch->records[i], &doc) ||
			!bson_validate(&doc, BSON_VALIDATE_UTF8 | BSON_VALIDATE_EMPTY_KEYS,
				&offset))
			abort();
	}
	etl_batch_free(batch);
	etl_json_decoder_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct etl_layout *spec;
	const char *text = (const char *)data + 2;
	char *whole, *pieces;

	if (size < 2 || size > 65536)
		return 0;
	spec = &specs[data[0] % (sizeof specs / sizeof *specs)];
	size -= 2;
	check_records(spec, text, size);
	whole = decode_told(spec, text, size, size, 0, false);
	pieces = decode_told(spec, text, size, size ? (data[1] >> 3) % (size + 1) : 0,
		data[1] % 8 + 1,
		false);
	if (strcmp(whole, pieces) != 0)
		abort();
	free(whole);
	free(pieces);
	return 0;
}
