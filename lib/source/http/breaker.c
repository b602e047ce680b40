/* SPDX-License-Identifier: MIT
 *
 * The breaker's four transitions, and its defence against the wall clock.
 *
 * failures: 5, cool_down: 1m, max_cool_down: 10m. Five failures in a row open it for 30
 * s to 1 min; then one request goes. It fails: 1 to 2 min, and so on up to 10 min. It
 * is answered: closed, and the count begins at 0.
 */
#include "source/http/breaker.h"

#include <assert.h>

#include "base/str.h"
#include "time/backoff.h"
#include "time/civil.h"

/* Far above what doubles the longest pause; below what could overflow. */
#define COUNT_MAX 1000000

/* The same in status, metrics and the document that outlives a restart. */
static const char *const words[] = {
	[ETL_BREAKER_CLOSED] = "closed",
	[ETL_BREAKER_OPEN] = "open",
	[ETL_BREAKER_HALF_OPEN] = "half_open",
};
_Static_assert(sizeof words / sizeof *words == ETL_BREAKER_STATE_MAX, "each state has a word");

const char *etl_breaker_state_word(enum etl_breaker_state state)
{
	return words[state];
}

/* False for the word of a newer version; `out` stays as it is. */
bool etl_breaker_state_parse(const char *word, enum etl_breaker_state *out)
{
	for (int i = 0; i < ETL_BREAKER_STATE_MAX; i++)
		if (etl_streq(words[i], word)) {
			*out = (enum etl_breaker_state)i;
			return true;
		}
	return false;
}

/* An opening that lies ahead, or a pause longer than the rules allow: the clock was set back,
 * or the rules have changed. What is left counts from now. */
static void mend_until(struct etl_breaker *b, const struct etl_breaker_rules *rules, etl_wall now)
{
	etl_wall longest = etl_wall_add(now, rules->max_cool_down);

	if (b->opened.ms > now.ms) {
		b->until.ms = now.ms + (b->until.ms - b->opened.ms);
		b->opened = now;
	}
	if (b->until.ms > longest.ms)
		b->until = longest;
}

/* PROBE is answered to whoever asks until one of them begins (etl_breaker_probe): the
 * caller may yet find that it has no slot. WAIT: another request is the probe, and its
 * answer decides. */
enum etl_breaker_verdict etl_breaker_ask(
	struct etl_breaker *b, const struct etl_breaker_rules *rules, etl_wall now)
{
	if (!rules->failures) /* switched off, perhaps while it was open */
		*b = (struct etl_breaker){.state = ETL_BREAKER_CLOSED};
	if (b->state == ETL_BREAKER_CLOSED)
		return ETL_BREAKER_GO;
	if (b->state == ETL_BREAKER_OPEN) {
		mend_until(b, rules, now);
		if (now.ms < b->until.ms)
			return ETL_BREAKER_REFUSE;
		b->state = ETL_BREAKER_HALF_OPEN;
		b->probing = false;
	}
	return b->probing ? ETL_BREAKER_WAIT : ETL_BREAKER_PROBE;
}

void etl_breaker_probe(struct etl_breaker *b)
{
	assert(b->state == ETL_BREAKER_HALF_OPEN && !b->probing);
	b->probing = true;
}

bool etl_breaker_answered(struct etl_breaker *b, bool probe)
{
	/* An answer to a request that was sent before the breaker opened says nothing
	 * about the host now. */
	bool closes = b->state == ETL_BREAKER_HALF_OPEN && probe;

	if (closes || b->state == ETL_BREAKER_CLOSED)
		*b = (struct etl_breaker){.state = ETL_BREAKER_CLOSED};
	return closes;
}

/* The pause is drawn between its half and its whole, so that services that failed
 * together are not all asked in the same second. */
static void open_it(struct etl_breaker *b, const struct etl_breaker_rules *rules, etl_wall now,
	uint64_t random)
{
	etl_dur pause;

	b->openings += b->openings < COUNT_MAX;
	pause = etl_backoff((unsigned)b->openings, rules->cool_down, rules->max_cool_down, random);
	b->state = ETL_BREAKER_OPEN;
	b->probing = false;
	b->opened = now;
	/* Up: a pause is never shorter than the rules say. */
	b->until.ms = now.ms + (pause.us + 999) / 1000;
}

bool etl_breaker_failed(struct etl_breaker *b, const struct etl_breaker_rules *rules, bool probe,
	etl_wall now, uint64_t random, const char *reason)
{
	/* While it is open, late failures of old requests do not lengthen the pause. */
	bool counts = b->state == ETL_BREAKER_CLOSED || (b->state == ETL_BREAKER_HALF_OPEN && probe);

	if (!counts || !rules->failures)
		return false;
	b->failures += b->failures < COUNT_MAX;
	etl_text_copy(b->reason, sizeof b->reason, reason);
	if (b->state == ETL_BREAKER_CLOSED && b->failures < rules->failures)
		return false;
	open_it(b, rules, now, random);
	return true;
}

void etl_breaker_probe_lost(struct etl_breaker *b)
{
	if (b->state == ETL_BREAKER_HALF_OPEN)
		b->probing = false;
}

/* Numbers that were kept may come from another version, or from a hand in the database. */
static int64_t within(int64_t n, int64_t most)
{
	return n < 0 ? 0 : n > most ? most : n;
}

void etl_breaker_restore(struct etl_breaker *b, const struct etl_breaker_rules *rules,
	const struct etl_breaker *kept, etl_wall now)
{
	*b = *kept;
	b->probing = false;
	b->reason[sizeof b->reason - 1] = '\0';
	b->failures = within(b->failures, COUNT_MAX);
	b->openings = within(b->openings, COUNT_MAX);
	if (!rules->failures || b->state == ETL_BREAKER_CLOSED) {
		/* However many were kept, it takes one failure of now to open it. */
		b->state = ETL_BREAKER_CLOSED;
		b->openings = 0;
		b->failures = within(b->failures, rules->failures ? rules->failures - 1 : 0);
		b->opened.ms = b->until.ms = 0;
		return;
	}
	/* Nonsense is taken for "now": the next request is the probe. */
	if (!etl_wall_is_civil(b->opened) || !etl_wall_is_civil(b->until) ||
		b->until.ms < b->opened.ms)
		b->opened = b->until = now;
	mend_until(b, rules, now);
}

/* 0 while it is half open: nothing but the probe's answer is waited for then. */
etl_dur etl_breaker_left(const struct etl_breaker *b, etl_wall now)
{
	if (b->state != ETL_BREAKER_OPEN || b->until.ms <= now.ms)
		return (etl_dur){0};
	return etl_wall_diff(b->until, now);
}
