/* SPDX-License-Identifier: MIT
 *
 * The decoder as its users see it: pieces in, records and rejects out. A record that lies
 * whole in a piece is read where it lies. One that does not is copied together first, while
 * a scan for its closing bracket goes on with every piece, so that each byte is looked at
 * twice at most. What comes out never depends on where the pieces were cut.
 *
 * The states of a record that begins in one piece and ends in another:
 *   NO_RECORD --- '{' at the place of records, all of it in the piece ---> given, NO_RECORD
 *       |------- ... the piece ends first -----------> HELD: copied, its closing bracket sought
 *       |------- ... it is refused ------------------> REFUSED: only followed by its brackets
 *   HELD ------- the bracket is there ---------------> read from the copy: given or refused
 *   REFUSED ---- the bracket is there ---------------> a reject is given, NO_RECORD
 *
 * Example: {"r":[{"a":1},{"a":2}]} cut behind {"a": of the second record. The first is
 * given at once; of the second 5 bytes are copied, and the next piece completes it.
 */
#include "record/decode_json.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "record/doc.h"
#include "record/json_frame.h"
#include "record/number.h"

enum { TEXT_KEPT_BYTES = 1024 * 1024 }; /* of the buffer for a record, between records */

#define HELD_BYTES_DEFAULT ((size_t)32 * 1024 * 1024)

/* A wrong pointer is kept as `bad_spec` and told by the first feed: constructors cannot
 * fail, and the configuration has checked the pointers long before. */
static void compile_targets(struct etl_json_decoder *d)
{
	const struct etl_layout *spec = d->spec;
	struct etl_json_target *t = d->targets;
	int rc = etl_path_compile_pointer(spec->records, d->arena, &t++->path, &d->bad_spec);

	for (size_t i = 0; i < spec->n_attach && rc == 0; i++)
		rc = etl_json_compile_attach(d, spec->attach[i].pointer, t++);
	for (size_t i = 0; i < spec->n_expect && rc == 0; i++)
		rc = etl_path_compile_pointer(spec->expect[i].pointer, d->arena, &t++->path,
			&d->bad_spec);
}

struct etl_json_decoder *etl_json_decoder_new(const struct etl_layout *spec)
{
	struct etl_json_decoder *d = ETL_NEW(struct etl_json_decoder);

	d->spec = spec;
	d->arena = etl_arena_new(1024);
	d->attach_arena = etl_arena_new(1024);
	d->scope_arena = etl_arena_new(1024);
	d->record_bytes_max = spec->record_bytes_max ? spec->record_bytes_max :
						       ETL_DOCUMENT_BYTES_MAX;
	d->held_bytes_max = spec->held_bytes_max ? spec->held_bytes_max : HELD_BYTES_DEFAULT;
	d->n_targets = 1 + spec->n_attach + spec->n_expect;
	d->targets = etl_calloc(d->n_targets, sizeof *d->targets);
	d->attached = etl_calloc(spec->n_attach, sizeof *d->attached);
	/* Each buffer has its cap: 64 KiB for a key, a word or a value to attach, a
	 * document's size for the text of a record. */
	d->record = etl_json_record_new(spec->depth_max);
	etl_buf_init(&d->key, ETL_JSON_TOKEN_MAX);
	etl_buf_init(&d->word, ETL_JSON_TOKEN_MAX);
	etl_buf_init(&d->capture, ETL_JSON_TOKEN_MAX);
	etl_buf_init(&d->text, d->record_bytes_max);
	compile_targets(d);
	etl_json_decoder_reset(d);
	return d;
}

void etl_json_decoder_free(struct etl_json_decoder *d)
{
	if (!d)
		return;
	etl_batch_free(d->held);
	etl_json_record_free(d->record);
	etl_json_skip_fini(&d->skip);
	etl_buf_fini(&d->key);
	etl_buf_fini(&d->word);
	etl_buf_fini(&d->capture);
	etl_buf_fini(&d->text);
	free(d->attached);
	free(d->targets);
	free(d->levels);
	etl_arena_free(d->attach_arena);
	etl_arena_free(d->scope_arena);
	etl_arena_free(d->arena);
	free(d);
}

/* Everything that the last answer left is undone; memory stays for the next page of the
 * same job. */
void etl_json_decoder_reset(struct etl_json_decoder *d)
{
	for (size_t i = 0; i < d->n_targets; i++) {
		d->targets[i].matched = 0;
		d->targets[i].seen = false;
		d->targets[i].capturing = false;
	}
	for (size_t i = 0; i < d->spec->n_attach; i++)
		d->attached[i] = (struct etl_element){0};
	etl_arena_reset(d->attach_arena);
	etl_arena_reset(d->scope_arena);
	memset(d->held_from, 0, sizeof d->held_from);
	etl_batch_free(ETL_TAKE(d->held));
	etl_buf_clear(&d->text);
	d->failed = d->bad_spec;
	d->attach_missing = d->spec->n_attach;
	d->tail = NULL;
	d->depth = 0;
	d->state = ETL_JSON_AT_VALUE;
	d->offset = 0;
	d->bom = 0;
	d->capturing = false;
	d->captured = false;
	d->in_record = ETL_JSON_NO_RECORD;
	d->position = 0;
	d->records_seen = false;
	d->single = false;
	d->members_seen = false;
	d->underscored = false;
	d->noting = false;
}

/* A byte order mark belongs to the payload, not to each of its documents. */
void etl_json_decoder_next(struct etl_json_decoder *d, uint64_t offset, uint64_t position)
{
	etl_json_decoder_reset(d);
	d->offset = offset;
	d->position = position;
	/* 3 = the mark is behind us, or there was none. */
	d->bom = offset ? 3 : 0;
}

/* True as far as the text is the word; "not found" is no beginning of "null".
 * Only as far as the text goes: a first piece may end in the middle of a word. */
static bool begins_word(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return memcmp(text, word, len < n ? len : n) == 0;
}

/* For those who have to tell JSON from something else, such as the HTML page of a proxy. */
bool etl_json_begins(const char *text, size_t len)
{
	if (*text && strchr("{[\"-0123456789", *text))
		return true;
	return begins_word(text, len, "true") || begins_word(text, len, "false") ||
	       begins_word(text, len, "null");
}

void etl_json_decoder_watch(struct etl_json_decoder *d, etl_note_fn fn, void *ctx)
{
	d->watch = fn;
	d->watch_ctx = ctx;
}

/* One target more, behind all others: their indices stay. */
void etl_json_decoder_seek(struct etl_json_decoder *d, const char *pointer, etl_found_fn fn, void *ctx)
{
	size_t n = d->n_targets;

	d->targets = etl_realloc(d->targets, n + 1, sizeof *d->targets);
	d->targets[n] = (struct etl_json_target){.seen = false};
	if (etl_path_compile_pointer(pointer, d->arena, &d->targets[n].path, &d->bad_spec)) {
		d->failed = d->bad_spec;
		return;
	}
	d->n_targets++;
	d->found = fn;
	d->found_ctx = ctx;
}

uint64_t etl_json_decoder_records(const struct etl_json_decoder *d)
{
	return d->position;
}

bool etl_json_decoder_is_single(const struct etl_json_decoder *d)
{
	return d->single;
}

/* ---- expect ----------------------------------------------------------------------------- */

/* expect {/status: ok}: the answer {"status": "error", ...} fails with "the answer says 'error' at
 * '/status' where 'ok' is expected", before any of its records can be loaded. Who expects 200 means
 * the number: a server that writes it as 200.0 today says the same. A string is compared by its text,
 * so "007" is not "7". */
int etl_json_expected(struct etl_json_decoder *d, size_t i, const char *text, bool number,
	struct etl_error *err)
{
	const char *wanted = d->spec->expect[i - 1 - d->spec->n_attach].equals;

	if (!wanted || (text && etl_streq(text, wanted)) || (number && etl_number_same(text, wanted)))
		return 0;
	return etl_error_set(err, ETL_DATA, "json.expect",
		"the answer says '%.100s' at '%s' where '%s' is expected",
		text ? text : "(no scalar)", d->targets[i].path.text, wanted);
}

/* The captured scalar as text: of a string, what it means; a number or a word as it is written.
 * "o\u006b" is ok. False for a bad escape. */
static bool captured_text(const struct etl_json_decoder *d, struct etl_buf *text)
{
	const char *p = etl_buf_text(&d->capture), *end = p + d->capture.len;
	unsigned len, used;
	const char *why;
	char c[4];

	if (*p == '"') {
		p++;
		end--;
	}
	while (p < end) {
		if (*p != '\\') {
			etl_buf_char(text, *p++);
		} else if (etl_json_unescape(p, end, c, &len, &used, &why) == ETL_JSON_OK) {
			etl_buf_append(text, c, len);
			p += used;
		} else {
			return false;
		}
	}
	return true;
}

/* A string is compared by what it means, numbers by their value. */
static int expect(struct etl_json_decoder *d, size_t i, struct etl_error *err)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, ETL_JSON_TOKEN_MAX);
	if (!captured_text(d, &text))
		return etl_error_set(err, ETL_DATA, "json.expect",
			"the value at '%s' has a bad escape", d->targets[i].path.text);
	return etl_json_expected(d, i, etl_buf_text(&text), *etl_buf_text(&d->capture) != '"', err);
}

/* The value that is sought goes to who seeks it whole, or not at all: half of a cursor leads
 * anywhere. */
static int tell_found(struct etl_json_decoder *d, size_t i, struct etl_error *err)
{
	ETL_BUF_CLEANUP struct etl_buf text;
	struct etl_found found = {.is_scalar = true, .is_string = *etl_buf_text(&d->capture) == '"'};

	etl_buf_init(&text, ETL_FOUND_BYTES_MAX);
	if (!captured_text(d, &text))
		return etl_error_set(err, ETL_DATA, "json.syntax", "the value at '%s' has a bad escape",
			d->targets[i].path.text);
	found.is_cut = d->capture_cut || !etl_buf_ok(&text);
	found.text = found.is_cut ? "" : etl_buf_text(&text);
	found.len = found.is_cut ? 0 : text.len;
	d->found(d->found_ctx, &found);
	return 0;
}

/* [1, {"a": 2}]: the 1 has no fields and becomes a reject with its text; the object is
 * a record. */
static void reject_captured(struct etl_json_decoder *d)
{
	const char *text = etl_buf_text(&d->capture);
	struct etl_reject reject = {.step = "decode",
		.rule = "json",
		.path = "",
		.message = "a record has to be an object",
		.raw = (const uint8_t *)text,
		.raw_len = (uint32_t)d->capture.len,
		.position = d->position++,
		.time = {ETL_NO_TIME}};

	etl_batch_reject(d->out, &reject);
}

int etl_json_captured(struct etl_json_decoder *d, struct etl_error *err)
{
	if (d->capture_reject) {
		reject_captured(d);
		return 0;
	}
	for (size_t i = 1; i < d->n_targets; i++) {
		struct etl_json_target *t = &d->targets[i];
		bool attaches = i <= d->spec->n_attach;

		if (!t->capturing)
			continue;
		t->capturing = false;
		/* What a '*' stands for is asked of each. */
		if (etl_json_is_sought(d, i) ? tell_found(d, i, err) != 0 :
			attaches ? !t->seen && etl_json_attach_value(d, i - 1, err) != 0 :
				   expect(d, i, err) != 0)
			return -1;
		t->seen = true;
	}
	/* The last of the values has come: from now on each record gets them while it
	 * is written, and those that waited get them now. */
	if (d->spec->n_attach && !d->attach_missing && !d->tail)
		etl_json_release(d);
	return 0;
}

/* ---- records --------------------------------------------------------------------------- */

/* A record whose values to attach are not known yet cannot be given: batches may be
 * loaded at once. */
static struct etl_batch *target_batch(struct etl_json_decoder *d)
{
	if (!d->attach_missing)
		return d->out;
	if (!d->held)
		d->held = etl_batch_new();
	return d->held;
}

static int take_record(struct etl_json_decoder *d, const uint8_t *bson, uint32_t len,
	struct etl_error *err)
{
	struct etl_batch *batch = target_batch(d);

	etl_batch_add(batch, bson, len, (etl_wall){ETL_NO_TIME}, d->position++);
	/* An answer whose metadata stands behind its records holds them all. The cap
	 * turns a run that would eat the machine's memory into an error that says what
	 * to do without. */
	if (batch == d->held && batch->bytes > d->held_bytes_max)
		return etl_error_set(err, ETL_LIMIT, "json.held",
			"over %zu bytes of records came before the values to attach",
			d->held_bytes_max);
	d->in_record = ETL_JSON_NO_RECORD;
	etl_json_frame_value_done(d);
	return 0;
}

/* Tells what is wrong with the record whose first byte lies at `offset`.
 * The position counts rejects as well: it is the record's ordinal in the answer. */
static void give_reject(struct etl_json_decoder *d)
{
	struct etl_reject reject = {.step = "decode",
		.rule = "json",
		.path = d->fault.path,
		.message = d->fault.message,
		.raw = (const uint8_t *)etl_buf_text(&d->text),
		.raw_len = (uint32_t)(d->text.len > ETL_REJECT_RAW_MAX ? ETL_REJECT_RAW_MAX :
									 d->text.len),
		/* Text is kept up to that length, so a buffer that is full to it lost
		 * its end. */
		.raw_cut = d->text.len >= ETL_REJECT_RAW_MAX,
		.position = d->position++,
		.time = {ETL_NO_TIME}};

	etl_batch_reject(d->out, &reject);
	d->in_record = ETL_JSON_NO_RECORD;
	etl_json_frame_value_done(d);
}

/* Between records: a buffer that once held a huge one is given back.
 * One record of 15 MiB must not leave 15 MiB behind for the rest of the run; a mebibyte
 * may stay. */
static void clear_text(struct etl_json_decoder *d)
{
	if (d->text.cap > TEXT_KEPT_BYTES)
		etl_buf_fini(&d->text);
	etl_buf_clear(&d->text);
	d->text_len = 0;
}

/* Of a refused record its beginning is kept and no more, however long it goes on. */
static void too_large(struct etl_json_decoder *d)
{
	if (d->text.len > ETL_REJECT_RAW_MAX) {
		d->text.len = ETL_REJECT_RAW_MAX;
		d->text.data[d->text.len] = '\0';
		d->text.cap = d->text.len + 1;
		d->text.data = etl_realloc(d->text.data, d->text.cap, 1);
	}
	d->fault.path[0] = '\0';
	snprintf(d->fault.message, sizeof d->fault.message,
		"the record is longer than %zu bytes", d->record_bytes_max);
}

/* Reads a record's text; OK adds it, REJECT and BROKEN fill d->fault. */
static enum etl_json_status transcode(struct etl_json_decoder *d, const char **p,
	const char *end, const uint8_t **bson, uint32_t *len)
{
	struct etl_arena *arena = target_batch(d)->arena;

	if (arena != d->record_arena) {
		etl_json_record_target(d->record, arena);
		d->record_arena = arena;
	}
	return etl_json_record_read(d->record, p, end, d->tail, d->tail_len, bson, len,
		&d->fault);
}

/* At a record's '{'. */
static int begin_record(struct etl_json_decoder *d, const char **p, const char *end,
	struct etl_error *err)
{
	/* The reader sees at most so many bytes: if they do not end the record it is
	 * too large, whatever the rest of the piece holds. */
	bool cut = (size_t)(end - *p) >= d->record_bytes_max;
	const char *limit = cut ? *p + d->record_bytes_max : end;
	enum etl_json_status status;
	const uint8_t *bson;
	uint32_t len;

	d->text_offset = etl_json_offset(d, *p);
	status = transcode(d, p, limit, &bson, &len);
	if (status == ETL_JSON_OK)
		return take_record(d, bson, len, err);
	if (status == ETL_JSON_BROKEN)
		return etl_json_broken(err, etl_json_offset(d, d->fault.at), d->fault.message);
	clear_text(d);
	etl_json_skip_reset(&d->skip);
	d->in_record = ETL_JSON_REFUSED_RECORD;
	if (status == ETL_JSON_MORE && !cut)
		d->in_record = ETL_JSON_HELD_RECORD;
	else if (status == ETL_JSON_MORE)
		too_large(d);
	return 0;
}

/* The text is as complete as it gets. `scan` is what the search for the closing bracket
 * says: OK = there it is, MORE = the cap was reached, BROKEN = a wrong bracket comes last. */
static int end_held(struct etl_json_decoder *d, enum etl_json_status scan,
	struct etl_error *err)
{
	const char *p = d->text.data, *text = p;
	const uint8_t *bson;
	uint32_t len;
	enum etl_json_status status = transcode(d, &p, text + d->text.len, &bson, &len);

	if (status == ETL_JSON_OK) {
		clear_text(d);
		return take_record(d, bson, len, err);
	}
	if (status == ETL_JSON_BROKEN)
		return etl_json_broken(err, d->text_offset + (uint64_t)(d->fault.at - text),
			d->fault.message);
	/* {"a": [1}: the search for the end meets a bracket of the other kind. That is not a
	 * matter of one record: nobody can tell where it ends, so the answer fails. */
	if (scan == ETL_JSON_BROKEN || (scan == ETL_JSON_OK && status == ETL_JSON_MORE))
		return etl_json_broken(err, d->text_offset + d->text.len - 1,
			"an unexpected bracket");
	if (status == ETL_JSON_MORE)
		too_large(d);
	if (scan == ETL_JSON_OK)
		give_reject(d);
	else
		d->in_record = ETL_JSON_REFUSED_RECORD;
	return 0;
}

/* Copied up to the cap and no further; the search goes on where it stopped, so each
 * byte is searched once. */
static int go_on_held(struct etl_json_decoder *d, const char **p, const char *end,
	struct etl_error *err)
{
	size_t left = d->record_bytes_max - d->text.len;
	const char *from = *p, *limit = (size_t)(end - from) > left ? from + left : end;
	enum etl_json_status status = etl_json_skip(&d->skip, p, limit);

	if (status == ETL_JSON_BROKEN)
		++*p;
	etl_buf_append(&d->text, from, (size_t)(*p - from));
	if (status == ETL_JSON_MORE && d->text.len < d->record_bytes_max)
		return 0;
	return end_held(d, status, err);
}

/* {"a": 1, "a": 2, "b": ...}: refused at the second a. What follows up to its closing brace is not
 * read any more, but its beginning is kept for the dead letter. */
static int go_on_refused(struct etl_json_decoder *d, const char **p, const char *end,
	struct etl_error *err)
{
	const char *from = *p;
	enum etl_json_status status = etl_json_skip(&d->skip, p, end);
	size_t kept = d->text.len < ETL_REJECT_RAW_MAX ? ETL_REJECT_RAW_MAX - d->text.len : 0;
	size_t len = (size_t)(*p - from);

	if (kept > d->text.max - d->text.len)
		kept = d->text.max - d->text.len;
	etl_buf_append(&d->text, from, len < kept ? len : kept);
	if (status == ETL_JSON_BROKEN)
		return etl_json_broken(err, etl_json_offset(d, *p), "an unexpected bracket");
	if (status == ETL_JSON_OK)
		give_reject(d);
	return 0;
}

/* ---- pieces ---------------------------------------------------------------------------- */

/* A byte order mark is passed over, once, at the very start (RFC 8259 section 8.1).
 * EF BB BF in front of "{": written by editors and exports of Windows. RFC 8259 lets
 * readers pass over it. EF BB 7B is damaged, and nobody should guess what else is. */
static int skip_mark(struct etl_json_decoder *d, const char **p, const char *end,
	struct etl_error *err)
{
	static const char mark[] = "\xef\xbb\xbf";

	/* The mark itself may be cut between pieces. */
	while (d->bom < 3 && *p < end) {
		if (**p != mark[d->bom]) {
			if (d->bom)
				return etl_json_broken(err, etl_json_offset(d, *p),
					"a damaged byte order mark");
			break;
		}
		d->bom++;
		++*p;
	}
	if (*p < end)
		d->bom = 3;
	return 0;
}

/* Each turn takes at least a byte or changes the state: frame and records hand over to
 * one another. */
static int read_piece(struct etl_json_decoder *d, const char *p, const char *end,
	struct etl_error *err)
{
	int rc = skip_mark(d, &p, end, err);

	while (rc == 0 && p < end) {
		if (d->in_record == ETL_JSON_HELD_RECORD)
			rc = go_on_held(d, &p, end, err);
		else if (d->in_record == ETL_JSON_REFUSED_RECORD)
			rc = go_on_refused(d, &p, end, err);
		else if (d->state == ETL_JSON_AT_RECORD)
			rc = begin_record(d, &p, end, err);
		else
			rc = etl_json_frame_read(d, &p, end, err);
	}
	return rc;
}

/* An answer that is broken stays broken: what follows would be read out of step. */
static int already_failed(const struct etl_json_decoder *d, struct etl_error *err)
{
	if (d->failed.kind == ETL_OK)
		return 0;
	*err = d->failed;
	return -1;
}

int etl_json_decoder_feed(struct etl_json_decoder *d, const char *bytes, size_t len,
	struct etl_batch *out, struct etl_error *err)
{
	if (already_failed(d, err) != 0)
		return -1;
	d->out = out;
	d->piece = bytes;
	d->record_arena = NULL; /* the batch may have been emptied meanwhile */
	if (read_piece(d, bytes, bytes + len, err) != 0) {
		d->failed = *err;
		return -1;
	}
	d->offset += len;
	return 0;
}

/* The bytes end inside a record. If what is there is no JSON, that is the better
 * message. */
static int finish_record(struct etl_json_decoder *d, struct etl_error *err)
{
	if (d->in_record == ETL_JSON_HELD_RECORD) {
		const char *p = d->text.data;
		const uint8_t *bson;
		uint32_t len;

		if (transcode(d, &p, p + d->text.len, &bson, &len) == ETL_JSON_BROKEN)
			return etl_json_broken(err,
				d->text_offset + (uint64_t)(d->fault.at - d->text.data),
				d->fault.message);
	}
	if (d->in_record != ETL_JSON_NO_RECORD)
		return etl_json_broken(err, d->offset, "the document ends inside a record");
	return 0;
}

static int finish(struct etl_json_decoder *d, struct etl_error *err)
{
	if (finish_record(d, err) != 0 || etl_json_frame_finish(d, err) != 0)
		return -1;
	/* {"data": []} with records at /data is an empty answer; {"error": "..."} is not:
	 * nothing stands where the records should be, and a window must not close as empty for
	 * it. */
	if (!d->records_seen || (d->members_seen && !d->targets[0].seen))
		return etl_error_set(err, ETL_DATA, "json.records",
			"the answer has nothing at '%s', where its records should be",
			d->spec->records);
	for (size_t i = 1 + d->spec->n_attach; i < d->n_targets; i++)
		if (!d->targets[i].seen && !etl_json_is_sought(d, i))
			return etl_error_set(err, ETL_DATA, "json.expect",
				"the answer has nothing at '%s'", d->targets[i].path.text);
	if (d->attach_missing)
		etl_json_release(d);
	return 0;
}

int etl_json_decoder_finish(struct etl_json_decoder *d, struct etl_batch *out,
	struct etl_error *err)
{
	if (already_failed(d, err) != 0)
		return -1;
	d->out = out;
	d->record_arena = NULL;
	if (finish(d, err) == 0)
		return 0;
	d->failed = *err;
	return -1;
}

/* The text, and what it becomes: its BSON and what a transform makes of that are about as long. */
size_t etl_json_decoder_held(const struct etl_json_decoder *d)
{
	size_t text = d->in_record == ETL_JSON_HELD_RECORD ? 3 * d->text.len : d->text.cap;

	return text + etl_json_record_held(d->record) + d->capture.cap +
		(d->held ? etl_batch_held(d->held) : 0);
}

void etl_json_decoder_bound(struct etl_json_decoder *d, size_t held_bytes_max)
{
	if (held_bytes_max && held_bytes_max < d->held_bytes_max)
		d->held_bytes_max = held_bytes_max;
}
