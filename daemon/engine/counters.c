/* SPDX-License-Identifier: MIT
 *
 * Counting.
 *
 * All of it starts at 0 with the process: Prometheus sees a restart by that, and computes rates
 * over it. What must survive a restart is in the store, not here.
 */
#include "engine/counters.h"

/* Seconds. Slots are held against a clock of milliseconds. */
const double etld_histogram_bounds[ETLD_HISTOGRAM_BOUNDS] = {
	0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600};

/* The first bound that is not below it; what is beyond all has a bucket of its own (+Inf). Each
 * bucket counts alone and is summed when it is printed: one addition here for each event, not
 * eighteen. */
static void observe(struct etld_histogram *h, etl_dur d)
{
	size_t i = 0;

	if (d.us < 0) /* the wall clock was set back under it */
		d.us = 0;
	while (i < ETLD_HISTOGRAM_BOUNDS && (double)d.us / 1e6 > etld_histogram_bounds[i])
		i++;
	h->buckets[i]++;
	h->n++;
	h->sum.us += d.us;
	if (d.us > h->max.us)
		h->max = d;
}

void etld_count_slots(struct etld_counters *c, uint64_t slots, etl_dur late)
{
	c->slots_due += slots;
	observe(&c->slot_lateness, late);
}

/* A skip without a number of slots is at least one. */
void etld_count_skipped(struct etld_counters *c, const struct etl_skip *skip)
{
	c->slots_skipped[skip->code] += skip->slots ? skip->slots : 1;
}

/* What was missed waited for a daemon, not for a place: it would hide how long that takes. */
void etld_count_started(struct etld_counters *c, const struct etl_trigger *trigger, etl_dur waited)
{
	c->started[trigger->kind]++;
	if (trigger->kind == ETL_TRIGGER_SCHEDULE && trigger->slot.ms)
		observe(&c->start_delay, waited);
}

/* A run that never began its work (its lease was refused) has no duration to tell. */
void etld_count_ended(struct etld_counters *c, const struct etl_run *run)
{
	c->ended[run->state]++;
	if (run->ended.ms)
		observe(&c->run_duration, run->took);
	etl_counts_add(&c->records, &run->counts);
	etl_window_counts_add(&c->windows, &run->windows);
	c->warnings += run->warnings;
	c->requests += run->requests;
	c->bytes += run->bytes;
}
