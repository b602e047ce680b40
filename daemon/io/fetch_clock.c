/* SPDX-License-Identifier: MIT
 *
 * A clock that can stand still, with an alarm on the wheel. Example: limit 60 s. A request
 * waits 5 min for its host's gate (the clock stands), is answered for 20 s, is paused for 2 min
 * while a worker catches up (it stands), and goes on: the alarm comes 40 s later, and not at
 * once.
 */
#include "io/fetch_clock.h"

void etld_fetch_clock_init(struct etld_fetch_clock *c, struct etl_wheel *wheel,
	const struct etl_clock *clock, void (*fire)(struct etl_timer *timer, void *ctx), void *ctx)
{
	*c = (struct etld_fetch_clock){.wheel = wheel,
		.clock = clock,
		.alarm = {.fire = fire, .ctx = ctx, .name = "extract timeout"}};
}

void etld_fetch_clock_reset(struct etld_fetch_clock *c, etl_dur limit)
{
	etld_fetch_clock_stop(c);
	c->took = (etl_dur){0};
	c->limit = limit;
}

/* What is left of the limit, not the limit: each pause would else give a slow host its whole time
 * again. */
void etld_fetch_clock_go(struct etld_fetch_clock *c)
{
	if (c->goes)
		return;
	c->goes = true;
	c->since = etl_mono_now(c->clock);
	if (c->limit.us)
		etl_timer_arm(c->wheel, &c->alarm,
			etl_mono_add(c->since, (etl_dur){c->limit.us - c->took.us}));
}

etl_dur etld_fetch_clock_stop(struct etld_fetch_clock *c)
{
	if (c->goes)
		c->took.us += etl_mono_diff(etl_mono_now(c->clock), c->since).us;
	c->goes = false;
	etl_timer_cancel(c->wheel, &c->alarm);
	return c->took;
}
