/* SPDX-License-Identifier: MIT
 *
 * Two lists, of shares that are held and of those that wait: never longer than the strands in
 * flight. A strand that waits for the oversize place keeps its share meanwhile; the holder of
 * that place waits for nobody, so that nothing waits in a circle. Measures no memory: a share
 * is a permission, and its holder keeps to it.
 */
#include "engine/shares.h"

#include <stddef.h>

void etld_shares_init(struct etld_shares *shares, unsigned total, void (*granted)(void *ctx))
{
	*shares = (struct etld_shares){.total = total ? total : 1, .granted = granted};
}

/* The law of shares. Example: four shares; the jobs of api.example.org are one lane. Its
 * strands get three shares and never the fourth, so that a job of another host can start at
 * once. One strand at a time may go beyond its share (oversize): it keeps the share that it
 * has, and the others keep theirs. With a single share a lane may have it. */
static bool may_have(const struct etld_shares *shares, const struct etld_share *share,
	enum etl_memory wants)
{
	unsigned all = 0, lane = 0;

	for (const struct etld_share *s = shares->holders; s; s = s->next_holder) {
		if (s == share)
			continue;
		if (wants == ETL_MEMORY_OVERSIZE && s->has == ETL_MEMORY_OVERSIZE)
			return false;
		all++;
		lane += s->lane == share->lane;
	}
	if (share->has != ETL_MEMORY_NONE)
		return true; /* a strand that grows to oversize has been counted */
	return all < shares->total && (shares->total == 1 || lane + 1 < shares->total);
}

static void grant(struct etld_shares *shares, struct etld_share *share)
{
	if (share->has == ETL_MEMORY_NONE) {
		share->next_holder = shares->holders;
		shares->holders = share;
	}
	share->has = share->wants;
	if (share->has == ETL_MEMORY_OVERSIZE)
		shares->last_oversize = share->lane;
}

/* The oldest strand that may go on. For the oversize place one of another lane than the last is
 * preferred, or a host with many large answers would have it all the time; if only that lane
 * waits, it gets the place again. */
static struct etld_share *next_in_turn(const struct etld_shares *shares)
{
	struct etld_share *again = NULL;

	for (struct etld_share *s = shares->waiting; s; s = s->next_waiting) {
		if (!may_have(shares, s, s->wants))
			continue;
		if (s->wants != ETL_MEMORY_OVERSIZE || s->lane != shares->last_oversize)
			return s;
		if (!again)
			again = s;
	}
	return again;
}

static void stop_waiting(struct etld_shares *shares, struct etld_share *share)
{
	for (struct etld_share **p = &shares->waiting; *p; p = &(*p)->next_waiting)
		if (*p == share) {
			*p = share->next_waiting;
			break;
		}
	share->waits = false;
}

static void stop_holding(struct etld_shares *shares, struct etld_share *share)
{
	for (struct etld_share **p = &shares->holders; *p; p = &(*p)->next_holder)
		if (*p == share) {
			*p = share->next_holder;
			break;
		}
}

/* A strand that has what it wants, or more, goes on at once; whoever has to wait goes behind
 * all that wait already. */
bool etld_shares_ask(struct etld_shares *shares, struct etld_share *share, enum etl_memory wants)
{
	struct etld_share **last = &shares->waiting;

	share->wants = wants;
	if (wants <= share->has)
		return true;
	if (may_have(shares, share, wants)) {
		grant(shares, share);
		return true;
	}
	while (*last)
		last = &(*last)->next_waiting;
	share->waits = true;
	share->next_waiting = NULL;
	*last = share;
	return false;
}

/* Whoever can go on with what became free is granted here, one after the other, since each
 * grant may use up what the next one waits for. */
void etld_shares_return(struct etld_shares *shares, struct etld_share *share, enum etl_memory needs)
{
	struct etld_share *next;

	if (share->waits)
		stop_waiting(shares, share);
	if (needs >= share->has)
		return;
	if (needs == ETL_MEMORY_NONE)
		stop_holding(shares, share);
	share->has = needs;
	while ((next = next_in_turn(shares)) != NULL) {
		stop_waiting(shares, next);
		grant(shares, next);
		shares->granted(next->ctx);
	}
}
