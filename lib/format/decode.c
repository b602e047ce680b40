/* SPDX-License-Identifier: MIT
 *
 * Charset, format, reshape and time, one behind the other. Each piece passes all of them at
 * once, so that nothing is kept but what a stage itself holds back.
 *
 * A piece of bytes -> charset -> watch (what a service says of itself) -> format -> lone? ->
 * reshape -> time -> the batch. `from` marks in each step where the batch had ended before this
 * piece: only what is new passes the stages, since a record must not be reshaped or moved by its
 * label again.
 */
#include "format/decode.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "format/charset.h"

/* A character of four bytes of UTF-8 may come from one byte. */
/* Bytes that are converted at once; 4 bytes of UTF-8 for each and a step's room. */
enum { CONVERT_MAX = 64 * 1024, CONVERTED_MAX = 4 * CONVERT_MAX + 16 * 1024 };

struct etl_decode {
	const struct etl_decode_spec *spec;
	const struct etl_decode_watch *watch; /* NULL = nobody */
	void *format;			      /* its instance */
	void **reshape;			      /* theirs */
	struct etl_charset *charset;	      /* NULL = the payload is UTF-8 */
	struct etl_buf converted;
	uint64_t records; /* of this payload */
	etl_wall last;	  /* event time of the newest of them so far */
};

/* The format knows this instance, not who watches it: the watch may be set after open. */
static void note(void *ctx, const struct etl_note *said)
{
	const struct etl_decode_watch *watch = ((struct etl_decode *)ctx)->watch;

	if (watch && watch->note)
		watch->note(watch->ctx, said);
}

/* What was opened before a failure stays and is closed by etl_decode_free. */
static int open_stages(struct etl_decode *d, size_t memory_max, struct etl_error *err)
{
	const struct etl_decode_spec *spec = d->spec;
	const struct etl_format_env env = {
		.layout = &spec->layout, .memory_max = memory_max, .note = note, .note_ctx = d};

	if (spec->format) {
		d->format = etl_calloc(1, spec->format->size);
		if (spec->format->open(d->format, spec->format_options, &env, err) < 0)
			return -1;
	}
	d->reshape = etl_calloc(spec->n_reshape + 1, sizeof *d->reshape);
	for (size_t i = 0; i < spec->n_reshape; i++) {
		const struct etl_reshape_stage *stage = &spec->reshape[i];

		d->reshape[i] = etl_calloc(1, stage->type->size);
		if (stage->type->open(d->reshape[i], stage->options, err) < 0)
			return -1;
	}
	return 0;
}

int etl_decode_new(const struct etl_decode_spec *spec, size_t memory_max, struct etl_decode **out,
	struct etl_error *err)
{
	struct etl_decode *d = ETL_NEW(struct etl_decode);

	*out = d;
	d->spec = spec;
	d->last.ms = ETL_NO_TIME;
	etl_buf_init(&d->converted, CONVERTED_MAX);
	return open_stages(d, memory_max, err);
}

void etl_decode_free(struct etl_decode *d)
{
	if (!d)
		return;
	if (d->format)
		d->spec->format->close(d->format);
	free(d->format);
	for (size_t i = 0; d->reshape && i < d->spec->n_reshape; i++) {
		if (d->reshape[i] && d->spec->reshape[i].type->close)
			d->spec->reshape[i].type->close(d->reshape[i]);
		free(d->reshape[i]);
	}
	free(d->reshape);
	etl_charset_free(d->charset);
	etl_buf_fini(&d->converted);
	free(d);
}

const struct etl_decode_spec *etl_decode_spec_of(const struct etl_decode *d)
{
	return d->spec;
}

void etl_decode_set_watch(struct etl_decode *d, const struct etl_decode_watch *watch)
{
	d->watch = watch;
}

/* Bytes that are no text have no charset, whatever their Content-Type says. */
static bool is_text(const struct etl_decode *d)
{
	return d->spec->format && (d->spec->format->takes & ETL_FORMAT_TEXT);
}

/* The configured charset goes before that of the payload: services often name a wrong
 * one, and the one who configures has looked. */
int etl_decode_begin(struct etl_decode *d, const char *charset, struct etl_error *err)
{
	const char *configured = d->spec->charset;

	if (d->format)
		d->spec->format->begin(d->format);
	for (size_t i = 0; i < d->spec->n_reshape; i++)
		if (d->spec->reshape[i].type->begin)
			d->spec->reshape[i].type->begin(d->reshape[i]);
	d->records = 0;
	d->last.ms = ETL_NO_TIME;
	return etl_charset_begin(
		&d->charset, !is_text(d) ? NULL : configured ? configured : charset, err);
}

/* ---- from documents to records ---- */

/* A lone object where a list is due is a record only if it looks like one: no error of a
 * service, and with the event time that all records have. Asked before anything else is made of
 * it. records: /data, and the answer is {"data": {"error": "too many requests"}}: an object
 * stands where a list is due. As a record it would be loaded, and the window closed. */
static int check_lone(const struct etl_decode *d, const struct etl_batch *out, size_t from,
	struct etl_error *err)
{
	const struct etl_decode_spec *spec = d->spec;
	const struct etl_decode_watch *watch = d->watch;

	if (from == out->n || !spec->format || !spec->format->lone || !spec->format->lone(d->format))
		return 0;
	if (watch && watch->lone && watch->lone(watch->ctx, &out->records[from], err) < 0)
		return -1;
	if (spec->time && !spec->n_reshape && !etl_event_time_present(spec->time, &out->records[from]))
		return etl_error_set(err, ETL_DATA, "json.records",
			"the answer has an object without '%s' where its records should be ('%s')",
			etl_event_time_field(spec->time), spec->layout.records);
	return 0;
}

/* A payload that fails gives nothing from the piece that broke it; what earlier pieces
 * gave is the run's to throw away. */
static void drop(struct etl_batch *out, size_t from)
{
	for (size_t i = from; i < out->n; i++)
		etl_batch_remove(out, i);
	etl_batch_compact(out);
}

/* Through the stages from `first` on.
 * In the order of the file; a later stage sees what an earlier one made. */
static int reshape(struct etl_decode *d, size_t first, struct etl_batch *out, size_t from,
	struct etl_error *err)
{
	for (size_t i = first; i < d->spec->n_reshape; i++)
		if (d->spec->reshape[i].type->apply(d->reshape[i], out, from, err) < 0)
			return -1;
	return 0;
}

/* What a stage held back passes those behind it.
 * Stage 0 gives what it held back, stages 1 ... see it; then stage 1 ends, and so on:
 * nothing passes a stage that has ended. */
static int end_reshape(struct etl_decode *d, struct etl_batch *out, struct etl_error *err)
{
	for (size_t i = 0; i < d->spec->n_reshape; i++) {
		const struct etl_reshape_type *type = d->spec->reshape[i].type;
		size_t from = out->n;

		if (type->end && (type->end(d->reshape[i], out, err) < 0 ||
					 reshape(d, i + 1, out, from, err) < 0))
			return -1;
	}
	return 0;
}

static void give_times(struct etl_decode *d, struct etl_batch *out, size_t from)
{
	if (d->spec->time)
		etl_event_time_apply(d->spec->time, out, from, &d->last);
}

int etl_decode_documents(struct etl_decode *d, struct etl_batch *out, size_t from,
	struct etl_error *err)
{
	if (check_lone(d, out, from, err) < 0 || reshape(d, 0, out, from, err) < 0) {
		drop(out, from);
		return -1;
	}
	give_times(d, out, from);
	return 0;
}

/* ---- from bytes to documents ---- */

static int decode_text(struct etl_decode *d, const char *text, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	const struct etl_decode_watch *watch = d->watch;
	size_t from = out->n, n_rejects = out->n_rejects;
	/* 0 says that the payload turned out to be something else (an HTML page): its
	 * bytes are kept for the message and no format sees them. */
	int rc = watch && watch->text ? watch->text(watch->ctx, text, len, err) : 1;

	if (rc <= 0)
		return rc;
	rc = d->spec->format->decode(d->format, text, len, out, err);
	/* Rejects count: a payload of ten records, all refused, was not empty. */
	d->records += out->n - from + out->n_rejects - n_rejects;
	/* What came before the break is judged as well: an error object says more than its cut
	 * end. */
	return etl_decode_documents(d, out, from, err) < 0 ? -1 : rc;
}

/* In steps: what comes out of a charset is up to four times as long.
 * Whatever the size of a piece, the memory for its conversion has one size. */
static int decode_charset(struct etl_decode *d, const char *bytes, size_t len,
	struct etl_batch *out, struct etl_error *err)
{
	for (size_t n; len; bytes += n, len -= n) {
		n = len < CONVERT_MAX ? len : CONVERT_MAX;
		etl_buf_clear(&d->converted);
		if (etl_charset_convert(d->charset, bytes, n, &d->converted, err) < 0)
			return -1;
		/* A piece may be half a character and nothing else. */
		if (d->converted.len && decode_text(d, d->converted.data, d->converted.len, out, err) < 0)
			return -1;
	}
	return 0;
}

int etl_decode_feed(struct etl_decode *d, const char *bytes, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	return d->charset ? decode_charset(d, bytes, len, out, err) :
			    decode_text(d, bytes, len, out, err);
}

static int end_charset(struct etl_decode *d, struct etl_batch *out, struct etl_error *err)
{
	etl_buf_clear(&d->converted);
	if (etl_charset_end(d->charset, &d->converted, err) < 0)
		return -1;
	return d->converted.len ? decode_text(d, d->converted.data, d->converted.len, out, err) : 0;
}

int etl_decode_end(struct etl_decode *d, struct etl_batch *out, struct etl_error *err)
{
	size_t from, n_rejects;

	if (d->charset && end_charset(d, out, err) < 0)
		return -1;
	from = out->n;
	n_rejects = out->n_rejects;
	/* The proof that the payload was whole is the format's alone. */
	if (d->format && d->spec->format->end(d->format, out, err) < 0)
		return -1;
	d->records += out->n - from + out->n_rejects - n_rejects;
	if (etl_decode_documents(d, out, from, err) < 0)
		return -1;
	from = out->n;
	if (end_reshape(d, out, err) < 0) {
		drop(out, from);
		return -1;
	}
	give_times(d, out, from);
	return 0;
}

uint64_t etl_decode_records(const struct etl_decode *d)
{
	return d->records;
}

/* What a strand counts against its share of memory: bytes that no batch holds yet. */
size_t etl_decode_held(const struct etl_decode *d)
{
	const struct etl_format_type *format = d->spec->format;
	size_t held = format && format->held ? format->held(d->format) : 0;

	for (size_t i = 0; i < d->spec->n_reshape; i++)
		if (d->spec->reshape[i].type->held)
			held += d->spec->reshape[i].type->held(d->reshape[i]);
	return held;
}
