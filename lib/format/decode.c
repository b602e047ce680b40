/* SPDX-License-Identifier: MIT
 *
 * Charset, format, reshape and time, one behind the other. Each piece passes all of them at once,
 * so that nothing is kept but what a stage itself holds back, and what the batch has no room for.
 *
 * Stages of reshape have a queue before each of them, and the last one that has work goes first: so
 * no queue holds more than a batch, however much one record unfolds. Example: explode behind
 * columns. A payload of 100 columns with 10,000 rows waits in the first queue, 1,000 rows of it in
 * the second.
 *
 * A piece of bytes -> charset -> watch (what a service says of itself) -> format -> lone? ->
 * reshape -> time -> the batch. `from` marks in each step where the batch had ended before this
 * piece: only what is new passes the stages, since a record must not be moved by its label again.
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
	struct shape_queue {
		struct etl_batch *batch; /* what the stage has not taken yet, from `at` on */
		size_t at;
	} *queues;
	struct etl_reshape_env reshape_env;
	struct etl_decode_shaped shaped; /* of all payloads */
	uint64_t came, given; /* of all: records and rejects of the format, and those that went on
		*/
	bool finishes;	/* no further payload comes */
	size_t flushed; /* stages that have given all that they held back */
	struct etl_charset *charset;	      /* NULL = the payload is UTF-8 */
	struct etl_buf converted;
	uint64_t records; /* of this payload */
	uint64_t before;  /* of the pages before it */
	etl_wall last;	  /* event time of the newest of them so far */
};

/* The format knows this instance, not who watches it: the watch may be set after open. */
static void note(void *ctx, const struct etl_note *said)
{
	const struct etl_decode_watch *watch = ((struct etl_decode *)ctx)->watch;

	if (watch && watch->note)
		watch->note(watch->ctx, said);
}

static void count_shaped(void *ctx, etl_wall time, uint64_t made, uint64_t gone)
{
	struct etl_decode *d = ctx;

	(void)time;
	d->shaped.unfolded += made;
	d->shaped.folded += gone;
}

static int open_reshape(struct etl_decode *d, size_t memory_max, struct etl_error *err)
{
	const struct etl_decode_spec *spec = d->spec;

	d->reshape = etl_calloc(spec->n_reshape + 1, sizeof *d->reshape);
	d->queues = etl_calloc(spec->n_reshape + 1, sizeof *d->queues);
	d->reshape_env = (struct etl_reshape_env){
		.step = "decode", .memory_max = memory_max, .ctx = d, .count = count_shaped};
	for (size_t i = 0; i < spec->n_reshape; i++) {
		const struct etl_reshape_stage *stage = &spec->reshape[i];

		d->queues[i].batch = etl_batch_new();
		d->reshape[i] = etl_calloc(1, stage->type->size);
		if (stage->type->open(d->reshape[i], stage->options, &d->reshape_env, err) < 0)
			return -1;
	}
	return 0;
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
	return open_reshape(d, memory_max, err);
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
		etl_batch_free(d->queues[i].batch);
	}
	free(d->reshape);
	free(d->queues);
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
	if (watch->sought)
		d->spec->format->seek(d->format, watch->sought, watch->found, watch->ctx);
}

/* Bytes that are no text have no charset, whatever their Content-Type says. */
static bool is_text(const struct etl_decode *d)
{
	return d->spec->format && (d->spec->format->takes & ETL_FORMAT_TEXT);
}

static void empty(struct shape_queue *queue)
{
	etl_batch_reset(queue->batch);
	queue->at = 0;
}

/* The configured charset goes before that of the payload: services often name a wrong
 * one, and the one who configures has looked. */
static int begin_payload(struct etl_decode *d, const char *charset, struct etl_error *err)
{
	const char *configured = d->spec->charset;

	if (d->format)
		d->spec->format->begin(d->format);
	for (size_t i = 0; i < d->spec->n_reshape; i++) {
		if (d->spec->reshape[i].type->begin)
			d->spec->reshape[i].type->begin(d->reshape[i]);
		empty(&d->queues[i]);
	}
	d->finishes = false;
	d->flushed = 0;
	d->records = 0;
	return etl_charset_begin(
		&d->charset, !is_text(d) ? NULL : configured ? configured : charset, err);
}

int etl_decode_begin(struct etl_decode *d, const char *charset, struct etl_error *err)
{
	d->before = 0;
	d->last.ms = ETL_NO_TIME;
	return begin_payload(d, charset, err);
}

int etl_decode_continue(struct etl_decode *d, const char *charset, struct etl_error *err)
{
	d->before += d->records;
	return begin_payload(d, charset, err);
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

	if (from == out->n || !spec->format || !spec->format->lone ||
		!spec->format->lone(d->format))
		return 0;
	if (watch && watch->lone && watch->lone(watch->ctx, &out->records[from], err) < 0)
		return -1;
	if (spec->time && !spec->n_reshape && !etl_event_time_present(spec->time,
		&out->records[from]))
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

/* What the format gives to. */
static struct etl_batch *first_of(const struct etl_decode *d, struct etl_batch *out)
{
	return d->spec->n_reshape ? d->queues[0].batch : out;
}

/* What stage `i` gives to. */
static struct etl_batch *behind(const struct etl_decode *d, size_t i, struct etl_batch *out)
{
	return i + 1 < d->spec->n_reshape ? d->queues[i + 1].batch : out;
}

/* The last stage that has something to take, +1; 0 = none has. */
static size_t busy_stage(const struct etl_decode *d)
{
	size_t i = d->spec->n_reshape;

	while (i && d->queues[i - 1].at == d->queues[i - 1].batch->n)
		i--;
	return i;
}

bool etl_decode_waits(const struct etl_decode *d)
{
	return busy_stage(d) || (d->finishes && d->flushed < d->spec->n_reshape);
}

/* Refused before it came to the last stage. */
static void hand_on_rejects(struct etl_batch *from, struct etl_batch *out)
{
	for (size_t i = 0; from != out && i < from->n_rejects; i++)
		etl_batch_reject(out, &from->rejects[i]);
	if (from != out)
		from->n_rejects = 0;
}

static int apply_stage(struct etl_decode *d, size_t i, struct etl_batch *out, struct etl_error *err)
{
	struct shape_queue *queue = &d->queues[i];
	struct etl_batch *to = behind(d, i, out);
	int rc = d->spec->reshape[i].type->apply(d->reshape[i], queue->batch, &queue->at, to, err);

	hand_on_rejects(to, out);
	if (rc == 0 && queue->at == queue->batch->n)
		empty(queue);
	return rc;
}

/* What it held back passes those behind it before they let go of theirs. */
static int flush_stage(struct etl_decode *d, struct etl_batch *out, struct etl_error *err)
{
	const struct etl_reshape_type *type = d->spec->reshape[d->flushed].type;
	struct etl_batch *to = behind(d, d->flushed, out);
	int more = type->flush ? type->flush(d->reshape[d->flushed], to, err) : 0;

	hand_on_rejects(to, out);
	d->flushed += more == 0;
	return more < 0 ? -1 : 0;
}

/* As far as `out` has room. */
static int reshape(struct etl_decode *d, struct etl_batch *out, struct etl_error *err)
{
	while (etl_decode_waits(d) && etl_reshape_has_room(out)) {
		size_t busy = busy_stage(d);

		if ((busy ? apply_stage(d, busy - 1, out, err) : flush_stage(d, out, err)) < 0)
			return -1;
	}
	return 0;
}

static void give_times(struct etl_decode *d, struct etl_batch *out, size_t from)
{
	if (d->spec->time)
		etl_event_time_apply(d->spec->time, out, from, &d->last);
}

/* The law of reshape: what the format gave and what was made in addition has gone on, was refused,
 * or was told of as taken into others. A stage that loses one without a word is a bug of ours. */
static int check_lost(const struct etl_decode *d, struct etl_error *err)
{
	if (!d->spec->n_reshape || !d->finishes || etl_decode_waits(d) ||
		d->came + d->shaped.unfolded == d->given + d->shaped.folded)
		return 0;
	return etl_error_set(err, ETL_BUG, "reshape.lost",
		"%llu records came and %llu were made of them, but %llu went on and %llu were "
		"folded: reshape has lost some without a word", (unsigned long long)d->came,
		(unsigned long long)d->shaped.unfolded, (unsigned long long)d->given,
		(unsigned long long)d->shaped.folded);
}

/* The format gave records from index `first` on, of `out` or of the first queue. */
static int to_records(struct etl_decode *d, struct etl_batch *out, size_t from, size_t first,
	struct etl_error *err)
{
	struct etl_batch *given = first_of(d, out);
	size_t n_rejects = out->n_rejects;

	if (check_lone(d, given, first, err) < 0) {
		drop(given, first);
		return -1;
	}
	hand_on_rejects(given, out);
	if (reshape(d, out, err) < 0) {
		drop(out, from);
		return -1;
	}
	d->given += out->n - from + out->n_rejects - n_rejects;
	give_times(d, out, from);
	return check_lost(d, err);
}

int etl_decode_more(struct etl_decode *d, struct etl_batch *out, struct etl_error *err)
{
	return to_records(d, out, out->n, first_of(d, out)->n, err);
}

int etl_decode_finish(struct etl_decode *d, struct etl_batch *out, struct etl_error *err)
{
	d->finishes = true;
	return etl_decode_more(d, out, err);
}

/* A source's own documents lie in its batch, which goes on before they are all used up. */
int etl_decode_documents(struct etl_decode *d, struct etl_batch *out, size_t from,
	struct etl_error *err)
{
	struct etl_batch *queue = first_of(d, out);
	size_t first = queue == out ? from : queue->n;

	d->came += out->n - from;
	for (size_t i = from; queue != out && i < out->n; i++) {
		const struct etl_record *record = &out->records[i];
		bson_t doc;

		if (etl_record_bson(record, &doc))
			etl_batch_add_copy(queue, &doc, record->time, record->position);
	}
	if (queue != out)
		drop(out, from);
	return to_records(d, out, from, first, err);
}

/* ---- from bytes to documents ---- */

/* What the format gave of this piece. A format counts each payload from 0: behind the first page the
 * numbers go on, since two rejects of one number would be one dead letter.
 * Example: the first page had 100 records, so the second one's begin with 100. */
static void take_given(struct etl_decode *d, struct etl_batch *given, size_t from, size_t from_rejects)
{
	/* Rejects count: a payload of ten records, all refused, was not empty. */
	size_t n = given->n - from + given->n_rejects - from_rejects;

	d->records += n;
	d->came += n;
	for (size_t i = from; d->before && i < given->n; i++)
		given->records[i].position += d->before;
	for (size_t i = from_rejects; d->before && i < given->n_rejects; i++)
		given->rejects[i].position += d->before;
	if (d->watch && d->watch->given)
		d->watch->given(d->watch->ctx, given, from, from_rejects);
}

static int decode_text(struct etl_decode *d, const char *text, size_t len, struct etl_batch *out,
	struct etl_error *err)
{
	const struct etl_decode_watch *watch = d->watch;
	struct etl_batch *given = first_of(d, out);
	size_t from = out->n, first = given->n, n_rejects = given->n_rejects;
	/* 0 says that the payload turned out to be something else (an HTML page): its
	 * bytes are kept for the message and no format sees them. */
	int rc = watch && watch->text ? watch->text(watch->ctx, text, len, err) : 1;

	if (rc <= 0)
		return rc;
	rc = d->spec->format->decode(d->format, text, len, given, err);
	take_given(d, given, first, n_rejects);
	/* What came before the break is judged as well: an error object says more than its cut
	 * end. */
	return to_records(d, out, from, first, err) < 0 ? -1 : rc;
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
	struct etl_batch *given = first_of(d, out);
	size_t from, first, n_rejects;

	if (d->charset && end_charset(d, out, err) < 0)
		return -1;
	from = out->n;
	first = given->n;
	n_rejects = given->n_rejects;
	/* The proof that the payload was whole is the format's alone. */
	if (d->format && d->spec->format->end(d->format, given, err) < 0)
		return -1;
	take_given(d, given, first, n_rejects);
	return to_records(d, out, from, first, err);
}

struct etl_decode_shaped etl_decode_shaped(const struct etl_decode *d)
{
	return d->shaped;
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

	for (size_t i = 0; i < d->spec->n_reshape; i++) {
		held += etl_batch_held(d->queues[i].batch);
		if (d->spec->reshape[i].type->held)
			held += d->spec->reshape[i].type->held(d->reshape[i]);
	}
	return held;
}
