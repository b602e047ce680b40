/* SPDX-License-Identifier: MIT
 *
 * Plays the daemon for whole runs: one thread, a virtual clock, a peer that answers requests
 * from a function, mail in pieces of seeded sizes, timers that move the clock. Strands take
 * turns, each one worker call long. The state store's commit passes through a hook, where a
 * test may look, refuse or interfere. Header only.
 */
#ifndef TESTS_LIB_STRAND_DRIVER_H
#define TESTS_LIB_STRAND_DRIVER_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "flow/flow.h"

#define DRIVER_UNUSED __attribute__((unused))

/* What the peer says to one request. */
struct driver_answer {
	int status;		/* 0 = no answer at all: `error` */
	etl_dur retry_after;	/* us = -1: none */
	const char *content_type;
	struct etl_buf body;
	bool cut;		/* the body breaks off: `error` instead of the end */
	struct etl_error error;
	etl_dur takes;		/* the clock moves by this before the answer */
	etl_dur step;		/* and the wall clock is set by this */
};

struct driver;

struct driver_strand {
	struct etl_strand *strand;
	enum etl_need need;
	bool ended;
	etl_mono wake;			/* TIMER */
	struct etl_mail *mail, **last;	/* on its way */
};

struct driver {
	struct etl_clock_virtual clock;
	struct etl_state *state;
	struct etl_run_env env;
	uint64_t random;	/* sizes of pieces; not 0 */
	size_t piece_max;	/* 0 = whole bodies */

	void (*answer)(void *ctx, const struct etl_strand *strand, struct driver_answer *out);
	void (*before_work)(void *ctx, struct etl_run *run, struct etl_strand *strand);
	/* Before the store's commit: -1 refuses it with *err. After it: may assert. */
	int (*before_commit)(void *ctx, const struct etl_commit *c, struct etl_error *err);
	void (*after_commit)(void *ctx, const struct etl_commit *c);
	void *ctx;

	unsigned requests, timers, works, commits, memory_waits;
	etl_dur waited; /* by timers */
};

/* ---- the commit hook --------------------------------------------------------------------- */

/* Only one driver at a time: the store's functions are given no context. */
static struct driver *driver_now;
static struct etl_state_ops driver_ops;
static const struct etl_state_ops *driver_real_ops;

static int driver_commit(struct etl_state *s, struct etl_txn *txn, const struct etl_commit *c,
	struct etl_error *err)
{
	int rc;

	if (driver_now->before_commit && driver_now->before_commit(driver_now->ctx, c, err) < 0)
		return -1;
	rc = driver_real_ops->commit(s, txn, c, err);
	driver_now->commits += rc == 0;
	if (rc == 0 && driver_now->after_commit)
		driver_now->after_commit(driver_now->ctx, c);
	return rc;
}

static DRIVER_UNUSED void driver_init(struct driver *d, etl_wall start, uint64_t seed)
{
	*d = (struct driver){.random = seed ? seed : 1, .piece_max = 700};
	etl_clock_virtual_init(&d->clock, start);
	d->state = etl_state_memory_new(&d->clock.clock);
	driver_real_ops = d->state->ops;
	driver_ops = *d->state->ops;
	driver_ops.commit = driver_commit;
	d->state->ops = &driver_ops;
	driver_now = d;
	d->env = (struct etl_run_env){.state = d->state, .database = "test",
		.clock = &d->clock.clock, .host = "host", .holder = "driver 1",
		.memory_max = UINT64_C(64) << 20};
}

static DRIVER_UNUSED void driver_fini(struct driver *d)
{
	d->state->ops->free(d->state);
	driver_now = NULL;
}

static uint64_t driver_random(struct driver *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return d->random;
}

/* ---- mail -------------------------------------------------------------------------------- */

static void driver_post(struct driver_strand *s, struct etl_mail *mail)
{
	*s->last = mail;
	s->last = &mail->next;
}

static void driver_drop_mail(struct driver_strand *s)
{
	while (s->mail) {
		struct etl_mail *next = s->mail->next;

		etl_mail_free(s->mail);
		s->mail = next;
	}
	s->last = &s->mail;
}

static void driver_post_body(struct driver *d, struct driver_strand *s, const struct etl_buf *body)
{
	for (size_t at = 0; at < body->len;) {
		size_t n = d->piece_max ? 1 + driver_random(d) % d->piece_max : body->len;
		struct etl_mail *mail = ETL_NEW(struct etl_mail);

		n = n < body->len - at ? n : body->len - at;
		mail->kind = ETL_MAIL_CHUNK;
		mail->data = etl_memdup0(body->data + at, n);
		mail->len = n;
		driver_post(s, mail);
		at += n;
	}
}

static void driver_post_answer(struct driver *d, struct driver_strand *s,
	const struct driver_answer *answer)
{
	struct etl_mail *mail;

	if (answer->status) {
		mail = ETL_NEW(struct etl_mail);
		mail->kind = ETL_MAIL_HEAD;
		mail->response = (struct etl_response){.status = answer->status,
			.received = etl_now(&d->clock.clock),
			.content_type = etl_strdup(answer->content_type),
			.etag = etl_strdup(""),
			.location = etl_strdup(""),
			.content_range = etl_strdup(""),
			.hints = etl_strdup(""),
			.retry_after = answer->retry_after};
		driver_post(s, mail);
		driver_post_body(d, s, &answer->body);
	}
	mail = ETL_NEW(struct etl_mail);
	mail->kind = answer->status && !answer->cut ? ETL_MAIL_END : ETL_MAIL_ERROR;
	mail->error = answer->error;
	mail->took = answer->takes;
	driver_post(s, mail);
}

static void driver_fetch(struct driver *d, struct driver_strand *s)
{
	struct driver_answer answer = {.status = 200,
		.retry_after = {-1},
		.content_type = "application/json",
		.error = ETL_ERROR_INIT};

	etl_buf_init(&answer.body, 256 << 20);
	d->requests++;
	d->answer(d->ctx, s->strand, &answer);
	if (s->strand->fetch_limit.us && answer.takes.us > s->strand->fetch_limit.us) {
		answer.takes = s->strand->fetch_limit;
		answer.cut = true;
		etl_step_timeout(&answer.error, ETL_STEP_EXTRACT, answer.takes,
			s->strand->run->job->step_timeout[ETL_STEP_EXTRACT]);
	}
	etl_clock_virtual_advance(&d->clock, answer.takes);
	etl_clock_virtual_step(&d->clock, answer.step);
	driver_post_answer(d, s, &answer);
	etl_buf_fini(&answer.body);
}

/* Up to three pieces at a time, so that a strand also runs dry. */
static void driver_deliver(struct driver *d, struct driver_strand *s)
{
	struct etl_mail **to = &s->strand->inbox;

	while (*to)
		to = &(*to)->next;
	for (size_t n = 1 + driver_random(d) % 3; n && s->mail; n--) {
		*to = s->mail;
		s->mail = s->mail->next;
		(*to)->next = NULL;
		to = &(*to)->next;
	}
	if (!s->mail)
		s->last = &s->mail;
}

/* ---- a run ------------------------------------------------------------------------------- */

static void driver_turn(struct driver *d, struct etl_run *run, struct driver_strand *s)
{
	if (d->before_work)
		d->before_work(d->ctx, run, s->strand);
	d->works++;
	s->need = run->job->work->go(&s->strand->part);
	if (!s->strand->reading)
		driver_drop_mail(s);
	switch (s->need) {
	case ETL_NEED_FETCH:
		driver_fetch(d, s);
		driver_deliver(d, s);
		break;
	case ETL_NEED_INPUT:
		if (!s->mail) /* nothing more will ever come: a real daemon would hang */
			abort();
		driver_deliver(d, s);
		break;
	case ETL_NEED_TIMER:
		d->timers++;
		s->wake = etl_mono_add(etl_mono_now(&d->clock.clock), s->strand->part.wait);
		break;
	case ETL_NEED_MEMORY:
		d->memory_waits++;
		s->strand->part.granted = s->strand->part.memory;
		break;
	case ETL_NEED_WORK:
		break;
	case ETL_NEED_NOTHING:
		s->ended = true;
		break;
	}
}

static bool driver_sleeps(const struct driver *d, const struct driver_strand *s,
	const struct etl_run *run)
{
	return s->need == ETL_NEED_TIMER && !atomic_load(&run->cancel) &&
		s->wake.us > etl_mono_now(&d->clock.clock).us;
}

/* Moves the clock to the first timer when everybody sleeps. */
static void driver_sleep(struct driver *d, const struct driver_strand *strands, size_t n)
{
	int64_t first = INT64_MAX, now = etl_mono_now(&d->clock.clock).us;

	for (size_t i = 0; i < n; i++)
		if (!strands[i].ended && strands[i].wake.us < first)
			first = strands[i].wake.us;
	d->waited.us += first - now;
	etl_clock_virtual_advance(&d->clock, (etl_dur){first - now});
}

static void driver_walk(struct driver *d, struct etl_run *run, struct driver_strand *strands)
{
	for (size_t left = run->n_parts; left;) {
		size_t awake = 0;

		for (size_t i = 0; i < run->n_parts; i++) {
			if (strands[i].ended || driver_sleeps(d, &strands[i], run))
				continue;
			awake++;
			driver_turn(d, run, &strands[i]);
			left -= strands[i].ended;
		}
		if (!awake)
			driver_sleep(d, strands, run->n_parts);
	}
}

/* Walks a run from begin to finish. The caller frees it. */
static DRIVER_UNUSED int driver_run(struct driver *d, struct etl_run *run, struct etl_error *err)
{
	struct driver_strand *strands;

	if (etl_run_begin(run) == 0) {
		strands = etl_calloc(run->n_parts, sizeof *strands);
		for (size_t i = 0; i < run->n_parts; i++) {
			strands[i].strand = etl_strand_of(run->parts[i]);
			strands[i].last = &strands[i].mail;
			strands[i].need = ETL_NEED_WORK;
		}
		driver_walk(d, run, strands);
		free(strands);
	}
	return etl_run_finish(run, err);
}

#endif
