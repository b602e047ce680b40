/* SPDX-License-Identifier: MIT
 *
 * How long a strand's request takes, and the alarm when that passes what is left of the
 * step's limit (timeouts.extract). It stands still while the request waits for its host's
 * gate and while we pause the transfer: neither is the source's doing. Loop thread.
 */
#ifndef ETLD_FETCH_CLOCK_H
#define ETLD_FETCH_CLOCK_H

#include "time/wheel.h"

struct etld_fetch_clock {
	struct etl_wheel *wheel;
	const struct etl_clock *clock;
	struct etl_timer alarm;
	etl_mono since; /* while it goes */
	etl_dur took;	/* before that */
	etl_dur limit;	/* us == 0 = none */
	bool goes;
};

/* `fire` and `ctx` are those of the alarm. */
void etld_fetch_clock_init(struct etld_fetch_clock *c, struct etl_wheel *wheel,
	const struct etl_clock *clock, void (*fire)(struct etl_timer *timer, void *ctx), void *ctx);

/* For a new request: nothing was taken yet, and the clock stands. */
void etld_fetch_clock_reset(struct etld_fetch_clock *c, etl_dur limit);
/* Lets the clock go on, and arms the alarm for what is left of the limit. Harmless if it goes
 * already. */
void etld_fetch_clock_go(struct etld_fetch_clock *c);
/* How long the request has taken so far. */
etl_dur etld_fetch_clock_stop(struct etld_fetch_clock *c);

#endif
