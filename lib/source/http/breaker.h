/* SPDX-License-Identifier: MIT
 *
 * The breaker of a host: a host that fails again and again is left alone for a while, then
 * one request is tried. Values in, values out: it reads no clock and makes no random number.
 *
 *   closed     --failures in a row-->  open        requests are refused until `until`
 *   open       --`until` passed----->  half_open   one probe goes, all others wait for it
 *   half_open  --it was answered---->  closed
 *   half_open  --it failed---------->  open        for longer
 *
 * It counts in wall time, because it is kept over restarts. No step of that clock keeps it
 * open: what is left is at most max_cool_down, counted from now. One thread at a time.
 */
#ifndef ETL_SOURCE_HTTP_BREAKER_H
#define ETL_SOURCE_HTTP_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "time/clock.h"

enum etl_breaker_state {
	ETL_BREAKER_CLOSED,
	ETL_BREAKER_OPEN,
	ETL_BREAKER_HALF_OPEN,
	ETL_BREAKER_STATE_MAX
};
/* "closed", "open", "half_open"; static. */
const char *etl_breaker_state_word(enum etl_breaker_state state);
bool etl_breaker_state_parse(const char *word, enum etl_breaker_state *out);

struct etl_breaker_rules {
	int64_t failures; /* in a row that open it; 0 = it never opens */
	/* The first pause and the longest one, > 0. Each pause is twice the one before, and
	 * between the half and the whole of that (time/backoff.h). */
	etl_dur cool_down, max_cool_down;
};

#define ETL_BREAKER_REASON_BYTES 256

/* All zero is closed. Every member but `probing` is kept over a restart. */
struct etl_breaker {
	enum etl_breaker_state state;
	int64_t failures; /* in a row */
	int64_t openings; /* without an answer in between: how far the pause has grown */
	etl_wall opened, until; /* not closed: since when, and when a probe may go */
	char reason[ETL_BREAKER_REASON_BYTES]; /* the last failure; "" = none */
	bool probing; /* half_open: the probe is on its way */
};

enum etl_breaker_verdict {
	ETL_BREAKER_GO,
	ETL_BREAKER_PROBE,  /* may go as the probe: say so by etl_breaker_probe */
	ETL_BREAKER_WAIT,   /* for the probe's end */
	ETL_BREAKER_REFUSE, /* not before `until` */
};

/* What a request meets now. An open breaker whose time has come becomes half_open. */
enum etl_breaker_verdict etl_breaker_ask(
	struct etl_breaker *b, const struct etl_breaker_rules *rules, etl_wall now);

/* The probe goes. Only after the verdict PROBE. */
void etl_breaker_probe(struct etl_breaker *b);

/* The host answered a request; `probe` says whether it was the probe. What was sent before
 * the breaker opened does not count any more. True if this closed it. */
bool etl_breaker_answered(struct etl_breaker *b, bool probe);

/* The host failed. `random`: any 64 bits. True if this opened it. */
bool etl_breaker_failed(struct etl_breaker *b, const struct etl_breaker_rules *rules, bool probe,
	etl_wall now, uint64_t random, const char *reason);

/* The probe ended without a word about the host (it was cancelled): another one may go. */
void etl_breaker_probe_lost(struct etl_breaker *b);

/* Takes over what was kept, or came from elsewhere: no probe is on its way, and no number in
 * it is believed further than the rules go. */
void etl_breaker_restore(struct etl_breaker *b, const struct etl_breaker_rules *rules,
	const struct etl_breaker *kept, etl_wall now);

/* How long an open one stays so; 0 for any other. */
etl_dur etl_breaker_left(const struct etl_breaker *b, etl_wall now);

#endif
