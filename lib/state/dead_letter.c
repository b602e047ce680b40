/* SPDX-License-Identifier: MIT
 *
 * A reject -> its document.
 */
#include "state/dead_letter.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* With the final NUL, so that no two lists of words are the same bytes. */
static void add_word(struct etl_hash_state *h, const char *word)
{
	word = word ? word : "";
	etl_hash_add(h, word, strlen(word) + 1);
}

void etl_dead_letter_id(const struct etl_dead_letter_info *info, const struct etl_reject *reject,
	char out[ETL_HASH_TEXT_BYTES])
{
	struct etl_hash_state *h = etl_hash_new();

	add_word(h, info->job);
	add_word(h, info->partition);
	add_word(h, reject->step);
	add_word(h, reject->rule);
	add_word(h, reject->path);
	if (reject->raw_len) {
		etl_hash_add(h, reject->raw, reject->raw_len);
	} else {
		etl_hash_add(h, &reject->position, sizeof reject->position);
		etl_hash_add(h, &reject->time.ms, sizeof reject->time.ms);
		add_word(h, reject->message);
	}
	etl_hash_text(h, out);
	etl_hash_free(h);
}

/* BSON text must be UTF-8; a message may quote what was not. */
static void append_text(bson_t *out, const char *field, const char *text)
{
	size_t len, bad;
	char *copy;

	text = text ? text : "";
	len = strlen(text);
	copy = etl_memdup0(text, len);
	while ((bad = etl_utf8_check(copy, len)) < len)
		copy[bad] = '?';
	bson_append_utf8(out, field, -1, copy, (int)len);
	free(copy);
}

void etl_dead_letter_append(bson_t *out, const struct etl_dead_letter_info *info,
	const struct etl_reject *reject)
{
	append_text(out, "job", info->job);
	append_text(out, "partition", info->partition);
	append_text(out, "run_id", info->run_id);
	BSON_APPEND_DATE_TIME(out, "at", info->at.ms);
	append_text(out, "step", reject->step);
	append_text(out, "rule", reject->rule);
	append_text(out, "path", reject->path);
	append_text(out, "message", reject->message);
	BSON_APPEND_INT64(out, "position", (int64_t)reject->position);
	if (reject->time.ms != ETL_NO_TIME)
		BSON_APPEND_DATE_TIME(out, "time", reject->time.ms);
	BSON_APPEND_BOOL(out, "raw_is_bson", reject->raw_is_bson);
	BSON_APPEND_BINARY(out, "raw", BSON_SUBTYPE_BINARY,
		reject->raw ? reject->raw : (const uint8_t *)"", reject->raw_len);
}
