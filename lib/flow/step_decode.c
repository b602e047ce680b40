/* SPDX-License-Identifier: MIT
 *
 * The decode step: mail from the transfer (or a blocking read) to records, and the cut: a
 * window holds the records whose time lies in it, whatever else the source sent along.
 *
 * Mail is what the transfer has put into strand->inbox: HEAD, CHUNKs, END or ERROR. A visit takes
 * as much as fits one batch; its socket waits while nobody reads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "flow/strand.h"
#include "time/civil.h"

/* The payload is over, or all of them. Whatever it was made into comes before what follows it. */
static int end_payload(struct etl_strand *strand, enum etl_input then, struct etl_error *err)
{
	struct etl_span_work *span = &strand->work->span;

	if (then == ETL_INPUT_ENDED && etl_decode_finish(span->decode, span->batch, err) < 0)
		return -1;
	span->then = then;
	span->input = etl_decode_waits(span->decode) ? ETL_INPUT_COMES : then;
	return 0;
}

/* More of what waits: the batch has room again. A few bytes may become many records, so that memory
 * is asked for as it is for each piece that comes in. 1: not without more of it. */
static int read_waiting(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_span_work *span = &strand->work->span;

	if (etl_strand_lacks_memory(strand))
		return 1;
	if (etl_decode_more(span->decode, span->batch, err) < 0)
		return -1;
	if (!etl_decode_waits(span->decode))
		span->input = span->then;
	return 0;
}

/* Takes the request of the next page over from the source; the old one's memory goes. */
static void take_request(struct etl_strand *strand, struct etl_request *fresh)
{
	etl_arena_free(strand->request.arena);
	strand->request = *fresh;
	strand->part.requests++;
}

/* A source may want to ask again after it has seen the head (its token has run out); the body is
 * not read then. */
static int take_head(struct etl_strand *strand, const struct etl_mail *mail,
	struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_request again = {.arena = etl_arena_new(0)};
	enum etl_source_verdict verdict = ETL_SOURCE_BODY;

	work->span.fetched = mail->response.received;
	if (strand->run->job->source->head(work->span.source, &mail->response, &verdict, &again, err) < 0) {
		etl_arena_free(again.arena);
		return -1;
	}
	if (verdict != ETL_SOURCE_RETRY) {
		etl_arena_free(again.arena);
		return 0;
	}
	take_request(strand, &again);
	return end_payload(strand, ETL_INPUT_NEXT_PAGE, err);
}

static void count_pages(struct etl_strand *strand)
{
	const struct etl_source_type *type = strand->run->job->source;
	struct etl_span_work *span = &strand->work->span;
	uint64_t now = type->pages ? type->pages(span->source) : 0;

	strand->part.pages += now - span->pages;
	span->pages = now;
}

/* Only here an input ends for certain: next() says whether there is another page. A connection that
 * breaks gives ERROR and no END. */
static int take_end(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_request next = {.arena = etl_arena_new(0)};
	int more = strand->run->job->source->next(work->span.source, etl_now(strand->run->env->clock),
		work->span.batch, &next, err);

	count_pages(strand);
	if (more == 1) {
		take_request(strand, &next);
		return end_payload(strand, ETL_INPUT_NEXT_PAGE, err);
	}
	etl_arena_free(next.arena);
	return more < 0 ? -1 : end_payload(strand, ETL_INPUT_ENDED, err);
}

/* The step's time is that of the transfer, from the request to the last byte, and not of this
 * function. */
static int take_mail(struct etl_strand *strand, const struct etl_mail *mail,
	struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;

	if (mail->kind == ETL_MAIL_END || mail->kind == ETL_MAIL_ERROR)
		strand->part.steps[ETL_STEP_EXTRACT].busy.us +=
			etl_mono_diff(etl_mono_now(strand->run->env->clock), work->walk.fetch_began).us;
	if (mail->kind == ETL_MAIL_END &&
		etl_step_charge(strand, ETL_STEP_EXTRACT, mail->took, err) < 0)
		return -1;
	switch (mail->kind) {
	case ETL_MAIL_HEAD:
		return take_head(strand, mail, err);
	case ETL_MAIL_CHUNK:
		strand->part.bytes += mail->len;
		return strand->run->job->source->decode(work->span.source, mail->data, mail->len,
			work->span.batch, err);
	case ETL_MAIL_END:
		return take_end(strand, err);
	case ETL_MAIL_ERROR:
		*err = mail->error;
		if (strand->run->job->source->broken)
			strand->run->job->source->broken(work->span.source, err);
		return -1;
	}
	abort();
}

/* 1: not without more memory. Mail that was taken is freed also after an error; what is behind it
 * is dropped with the span. */
static int read_mail(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	struct etl_mail *mail;
	int rc = 0;

	while (rc == 0 && strand->inbox && !etl_batch_is_full(work->span.batch) &&
		work->span.input == ETL_INPUT_COMES && !etl_decode_waits(work->span.decode)) {
		if (etl_strand_lacks_memory(strand))
			return 1;
		mail = strand->inbox;
		rc = take_mail(strand, mail, err);
		strand->inbox = mail->next;
		etl_mail_free(mail);
	}
	return rc;
}

/* 1: not without more memory. For drivers that cannot be polled: it runs on the worker, which is
 * lost for others meanwhile. */
static int read_blocking(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	const struct etl_clock *clock = strand->run->env->clock;
	etl_mono began = etl_mono_now(clock);
	int more;

	if (etl_strand_lacks_memory(strand))
		return 1;
	more = strand->run->job->source->read(work->span.source, &work->span.vars.window,
		work->span.batch, err);
	work->walk.read = etl_mono_diff(etl_mono_now(clock), began);
	strand->part.steps[ETL_STEP_EXTRACT].visits++;
	strand->part.steps[ETL_STEP_EXTRACT].busy.us += work->walk.read.us;
	if (more < 0 || etl_step_charge(strand, ETL_STEP_EXTRACT, work->walk.read, err) < 0)
		return -1;
	return more ? 0 : end_payload(strand, ETL_INPUT_ENDED, err);
}

/* ---- the cut ----------------------------------------------------------------------------- */

/* For checks of units (facts.newest). */
static void note_newest(struct etl_window_work *window, etl_wall t)
{
	if (t.ms > window->newest.ms) /* ETL_NO_TIME is the least of all */
		window->newest = t;
}

/* Later than this no record can be dated: the run may go on for long. */
static etl_wall latest_date(const struct etl_run *run)
{
	etl_dur gone = etl_mono_diff(etl_mono_now(run->env->clock), run->began);

	return etl_wall_add(etl_wall_add(run->present, gone), ETL_FUTURE_TOLERANCE);
}

/* Three fates: dated in the future is a reject, outside of the span is not ours and only counted,
 * all others have a window. Removed are records first here and compacted once, since each removal
 * would move all behind it. */
static void cut(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;
	etl_wall latest = latest_date(strand->run);

	for (size_t i = 0; i < work->span.batch->n; i++) {
		const struct etl_record *record = &work->span.batch->records[i];
		long window = etl_span_index(work, record->time);

		if (record->time.ms > latest.ms) {
			char at[ETL_TIME_TEXT_BYTES];

			etl_time_format_rfc3339(record->time, at);
			etl_account_beyond(strand, record->time);
			etl_batch_reject_record(work->span.batch, i, "decode", "future", "",
				"dated %s, in the future", at);
		} else if (window < 0) {
			etl_account_outside(strand, record->time);
			etl_batch_remove(work->span.batch, i);
		} else {
			note_newest(&work->span.windows[window], record->time);
			work->span.windows[window].counts.in++;
			work->span.windows[window].counts.seen++;
			work->span.seen++;
		}
	}
	etl_batch_compact(work->span.batch);
}

/* A full read has one pseudo-window that holds everything. */
static void take_all(struct etl_strand *strand)
{
	struct etl_strand_work *work = strand->work;

	for (size_t i = 0; i < work->span.batch->n; i++)
		note_newest(&work->span.windows[0], work->span.batch->records[i].time);
	work->span.windows[0].counts.in += work->span.batch->n;
	work->span.windows[0].counts.seen += work->span.batch->n;
	work->span.seen += work->span.batch->n;
}

/* Mail is read here, but what the service refused, or the transfer did not bring, failed in
 * extract: only an answer that came and cannot be read is of this step. */
static void blame_extract(struct etl_strand *strand, const struct etl_error *err)
{
	if (err->kind != ETL_DATA && err->kind != ETL_LIMIT && err->kind != ETL_BUG)
		strand->part.step = ETL_STEP_EXTRACT;
}

static void count_shaped(struct etl_strand *strand)
{
	struct etl_span_work *span = &strand->work->span;
	struct etl_decode_shaped now = etl_decode_shaped(span->decode);

	strand->part.unfolded += now.unfolded - span->shaped.unfolded;
	strand->part.folded += now.folded - span->shaped.folded;
	span->shaped = now;
}

/* A full batch goes on to transform and comes back here for the rest. */
struct etl_go etl_step_decode(struct etl_strand *strand, struct etl_error *err)
{
	struct etl_strand_work *work = strand->work;
	bool blocks = etl_strand_blocks(strand), waits = etl_decode_waits(work->span.decode);
	int rc = waits ? read_waiting(strand, err) :
		blocks ? read_blocking(strand, err) : read_mail(strand, err);

	count_shaped(strand);
	if (rc > 0)
		return etl_go_when(ETL_NEED_MEMORY, ETL_AT_DECODE);
	if (rc < 0) {
		blame_extract(strand, err);
		return etl_go(ETL_AT_FAILED);
	}
	/* A batch costs its memory whether it is full or not: pieces and pages fill it up. */
	if (!blocks && work->span.input != ETL_INPUT_ENDED && !etl_batch_is_full(work->span.batch) &&
		!etl_decode_waits(work->span.decode))
		return etl_go_on_reading(strand);
	if (strand->run->job->window.none)
		take_all(strand);
	else
		cut(strand);
	etl_account_decoded(strand, work->span.batch->n_rejects);
	return etl_go(ETL_AT_TRANSFORM);
}
