/* SPDX-License-Identifier: MIT
 *
 * jsonl: one JSON document a line (JSON Lines, NDJSON), each with its records where the pointer
 * leads. Lines cut the payload whatever stands in them, so that a line which is no JSON is one
 * reject and the next one is read; only the last line, if no line break ends it, has to be whole:
 * else the payload was cut there. A line is judged when all of it is there, so that a bad one gives
 * no record, wherever the pieces were cut.
 *
 * {"t": 1}        record 0
 * {"t": 2         a reject, position 1: the line is no JSON, the payload goes on
 *                 passed over
 * {"t": 3}        record 2
 */
#include <string.h>

#include "base/buf.h"
#include "format/format.h"
#include "record/decode_json.h"

enum { TEXT_KEPT_BYTES = 1024 * 1024 }; /* of the buffer for a line, between lines */

/* An empty answer is no proof that there was nothing: a proxy may have sent it. */
enum { NO_LINES_FAIL, NO_LINES_EMPTY };
static const char *const no_lines_words[] = {"fail", "empty", NULL};

struct options {
	int no_lines;
};

static const struct etl_option options[] = {
	{.name = "no_lines", .type = ETL_OPT_WORD, .offset = offsetof(struct options, no_lines),
		.words = no_lines_words, .fallback = "fail",
		.help = "empty: an answer without a line says that there are no records"},
	{0}};

/* `length` and not line.len tells how far the line came: of one that is too long only
 * the beginning is kept. */
struct jsonl {
	struct etl_json_decoder *decoder;
	bool may_be_empty;   /* an answer of blank lines is one without records */
	bool has_lines;	     /* one that is not blank came */
	struct etl_buf line; /* of the line that a piece cut, as far as it came */
	bool too_long;	     /* the rest of it is passed over */
	uint64_t length;     /* bytes of the line so far */
	uint64_t offset;     /* of the line's first byte */
	uint64_t position;   /* of the next record */
};

static bool may_be_empty(const void *opts)
{
	return ((const struct options *)opts)->no_lines == NO_LINES_EMPTY;
}

/* The payload's charset, its lines and its end are looked at here; what is in a line is
 * the JSON decoder's matter, as if each line were an answer of its own. */
static int open_jsonl(void *self, const void *opts, const struct etl_format_env *env,
	struct etl_error *err)
{
	struct jsonl *j = self;

	(void)err;
	j->may_be_empty = may_be_empty(opts);
	j->decoder = etl_json_decoder_new(env->layout);
	etl_json_decoder_bound(j->decoder, env->memory_max);
	etl_buf_init(&j->line, ETL_DOCUMENT_BYTES_MAX);
	return 0;
}

static void clear_line(struct jsonl *j)
{
	if (j->line.cap > TEXT_KEPT_BYTES)
		etl_buf_fini(&j->line);
	etl_buf_clear(&j->line);
	j->too_long = false;
	j->length = 0;
}

static void begin(void *self)
{
	struct jsonl *j = self;

	clear_line(j);
	j->has_lines = false;
	j->offset = 0;
	j->position = 0;
}

/* '\r' is one of them: lines of Windows end with it. */
static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	return true;
}

static void reject(struct jsonl *j, const char *text, size_t len, const char *message,
	struct etl_batch *out)
{
	const struct etl_reject reject = {.step = "decode", .rule = "json", .path = "",
		.message = message, .raw = (const uint8_t *)text,
		.raw_len = (uint32_t)(len < ETL_REJECT_RAW_MAX ? len : ETL_REJECT_RAW_MAX),
		.raw_cut = len >= ETL_REJECT_RAW_MAX, .position = j->position++,
		.time = {ETL_NO_TIME}};

	etl_batch_reject(out, &reject);
}

/* The whole line or nothing of it: 0, or -1 with the batch as it was.
 * A line of which the second half is broken has given the first record already: the
 * batch goes back to where it was. Its bytes stay in the arena, which is emptied with
 * the batch. */
static int read_line(struct jsonl *j, const char *text, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	size_t n = out->n, bytes = out->bytes, n_rejects = out->n_rejects;

	etl_json_decoder_next(j->decoder, j->offset, j->position);
	if (etl_json_decoder_feed(j->decoder, text, len, out, err) == 0 &&
		etl_json_decoder_finish(j->decoder, out, err) == 0) {
		j->position = etl_json_decoder_records(j->decoder);
		return 0;
	}
	out->n = n;
	out->bytes = bytes;
	out->n_rejects = n_rejects;
	return -1;
}

static void take_line(struct jsonl *j, const char *text, size_t len, struct etl_batch *out)
{
	struct etl_error err = ETL_ERROR_INIT;

	/* A line that is refused is a line: the payload was not blank. */
	j->has_lines |= j->too_long || !is_blank(text, len);
	if (j->too_long || len > j->line.max)
		reject(j, text, len, "the line is longer than a record may be", out);
	else if (!is_blank(text, len) && read_line(j, text, len, out, &err) < 0)
		reject(j, text, len, err.message, out);
}

/* Keeps a piece of a line; of one that is too long its beginning, which a reject shows. */
static void keep(struct jsonl *j, const char *from, size_t len)
{
	size_t n = j->line.len < ETL_REJECT_RAW_MAX ? ETL_REJECT_RAW_MAX - j->line.len : 0;

	j->length += len;
	if (j->too_long || etl_buf_append(&j->line, from, len))
		return;
	j->too_long = true;
	j->line.full = false;
	etl_buf_append(&j->line, from, n < len ? n : len);
}

static int decode(void *self, const char *bytes, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	struct jsonl *j = self;
	const char *p = bytes, *end = bytes + len, *line_end;

	(void)err;
	for (; (line_end = memchr(p, '\n', (size_t)(end - p))); p = line_end + 1) {
		size_t n = (size_t)(line_end - p);

		/* The line began in an earlier piece: its end is put behind what is
		 * kept. */
		if (j->length) {
			keep(j, p, n);
			take_line(j, etl_buf_text(&j->line), j->line.len, out);
		} else {
			take_line(j, p, n, out);
			j->length = n;
		}
		/* The line break itself counts. */
		j->offset += j->length + 1;
		clear_line(j);
	}
	keep(j, p, (size_t)(end - p));
	return 0;
}

/* Line breaks alone are no more of a proof than no byte at all, which the source judges. */
static int judge_blank(const struct jsonl *j, struct etl_error *err)
{
	if (j->has_lines || j->may_be_empty || j->offset + j->length == 0)
		return 0;
	return etl_error_set(err, ETL_DATA, "jsonl.no_lines",
		"the answer has blank lines alone; 'no_lines: empty' says that this stands for no records");
}

/* A line break at the end of the payload is what most writers put there, and proves
 * that the last line is whole; without one only its JSON can. */
static int end(void *self, struct etl_batch *out, struct etl_error *err)
{
	struct jsonl *j = self;
	const char *text = etl_buf_text(&j->line);
	int rc;

	/* The last line without a break: blank or too long it is no sign of a cut,
	 * anything else has to be whole JSON. */
	if (j->too_long || is_blank(text, j->line.len))
		take_line(j, text, j->line.len, out);
	else if (read_line(j, text, j->line.len, out, err) < 0)
		return etl_error_prefix(err, "the last line, which no line break ends");
	else
		j->has_lines = true;
	rc = judge_blank(j, err);
	clear_line(j);
	return rc;
}

/* Three times, as with a record of json: the text, its BSON, and what a transform makes
 * of it. */
static size_t held(const void *self)
{
	const struct jsonl *j = self;

	return (j->too_long ? j->line.cap : 3 * j->line.len) + etl_json_decoder_held(j->decoder);
}

static void close_jsonl(void *self)
{
	struct jsonl *j = self;

	etl_json_decoder_free(j->decoder);
	etl_buf_fini(&j->line);
}

const struct etl_format_type etl_format_jsonl = {
	.name = "jsonl",
	.title = "JSON",
	.media = "application/x-ndjson",
	.summary = "one JSON document a line, its records where `records` leads in each",
	.takes = ETL_FORMAT_RECORDS | ETL_FORMAT_ATTACH | ETL_FORMAT_TEXT,
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct jsonl),
	.begins = etl_json_begins,
	.may_be_empty = may_be_empty,
	.open = open_jsonl,
	.begin = begin,
	.decode = decode,
	.end = end,
	.held = held,
	.close = close_jsonl,
};
