/* SPDX-License-Identifier: MIT
 *
 * Ten levels of 64 slots: a slot of level k spans 64^k ticks. A timer is on the level of the
 * highest base-64 digit in which its due tick differs from the wheel's position, in the slot of
 * that digit (hierarchical timing wheels: the paper of SOSP 1987). All timers of one level
 * share their higher digits with the position, so that a lower level is always due before a
 * higher one, and one bitmap a level tells the next slot without a search.
 *
 * Example: the position is 100 (digits 1, 36), a timer is due at 165 (digits 2, 37). They
 * differ in the higher digit, so it goes to level 1, slot 2, which begins at tick 128. When the
 * position enters 128 the slot is spread: 165 and 128 differ in the lowest digit only, and the
 * timer goes to level 0, slot 37. At 165 it fires. The process woke twice for it, at 128 and
 * 165, and not once a tick.
 *
 * Timers of one tick keep the order of arming: at any moment they are in one slot, because a
 * slot is spread over the finer ones at the very moment the position enters it.
 */
#include "time/wheel.h"

#include <assert.h>

#include "base/alloc.h"
enum {
	BITS = 6,
	SLOTS = 1 << BITS,
	LEVELS = 10, /* 2^60 ms is more than an etl_mono can hold */
	/* due when it was armed: in `late`, and in `firing` during the next advance */
	LEVEL_LATE = -1,
};

struct etl_wheel {
	int64_t origin;	  /* tick of the wheel's birth, so that ticks start at 0 */
	int64_t position; /* every tick up to here has been fired or is firing */
	int64_t now;	  /* the time last given to us; position <= now */
	size_t count;
	void (*fired)(void *ctx, const char *name); /* may be NULL */
	void *fired_ctx;
	uint64_t used[LEVELS]; /* a bit for each slot that is not empty */
	struct etl_timer_link late, firing;
	struct etl_timer_link slots[LEVELS][SLOTS];
};

static void ring_init(struct etl_timer_link *head)
{
	head->next = head->prev = head;
}

static bool ring_is_empty(const struct etl_timer_link *head)
{
	return head->next == head;
}

static void ring_append(struct etl_timer_link *head, struct etl_timer_link *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static void ring_remove(struct etl_timer_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

/* Moves all of `from` behind `to`.
 * One splice, however many timers: the order of both rings is kept. */
static void ring_move(struct etl_timer_link *to, struct etl_timer_link *from)
{
	if (ring_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	ring_init(from);
}

static struct etl_timer *timer_of(struct etl_timer_link *link)
{
	return ETL_OF(struct etl_timer, link, link);
}

/* A due time is rounded up and the present time down to whole ticks, so that no timer fires
 * early, not even by the rest of a millisecond. */
static int64_t tick_below(etl_mono t)
{
	return t.us / 1000 - (t.us % 1000 < 0);
}

static int64_t tick_above(etl_mono t)
{
	return t.us / 1000 + (t.us % 1000 > 0);
}

struct etl_wheel *etl_wheel_new(etl_mono now)
{
	struct etl_wheel *wheel = ETL_NEW(struct etl_wheel);

	/* Ticks count from the wheel's birth, so they are never negative and a shift is
	 * a division. */
	wheel->origin = tick_below(now);
	ring_init(&wheel->late);
	ring_init(&wheel->firing);
	for (int level = 0; level < LEVELS; level++)
		for (int slot = 0; slot < SLOTS; slot++)
			ring_init(&wheel->slots[level][slot]);
	return wheel;
}

static void disarm_ring(struct etl_timer_link *head)
{
	while (!ring_is_empty(head))
		ring_remove(head->next);
}

void etl_wheel_free(struct etl_wheel *wheel)
{
	if (!wheel)
		return;
	disarm_ring(&wheel->late);
	disarm_ring(&wheel->firing);
	for (int level = 0; level < LEVELS; level++)
		for (int slot = 0; slot < SLOTS; slot++)
			disarm_ring(&wheel->slots[level][slot]);
	free(wheel);
}

/* Puts a timer whose due tick is not before the position into its slot. The OR makes two equal
 * ticks differ in the lowest digit, since a timer that is due now belongs to level 0 and a zero
 * has no highest bit. */
static void place(struct etl_wheel *wheel, struct etl_timer *timer)
{
	uint64_t differ = (uint64_t)(timer->due_tick ^ wheel->position) | (SLOTS - 1);
	int level = (63 - __builtin_clzll(differ)) / BITS;
	int slot = (int)(timer->due_tick >> (level * BITS)) & (SLOTS - 1);

	timer->level = level;
	timer->slot = slot;
	wheel->used[level] |= UINT64_C(1) << slot;
	ring_append(&wheel->slots[level][slot], &timer->link);
}

static void unlink_timer(struct etl_wheel *wheel, struct etl_timer *timer)
{
	ring_remove(&timer->link);
	if (timer->level >= 0 && ring_is_empty(&wheel->slots[timer->level][timer->slot]))
		wheel->used[timer->level] &= ~(UINT64_C(1) << timer->slot);
	wheel->count--;
}

/* What is due already does not go into a slot: the slot of the present tick may be the one that
 * is being fired, and a callback that arms itself at once would keep the advance from ever
 * ending. */
void etl_timer_arm(struct etl_wheel *wheel, struct etl_timer *timer, etl_mono due)
{
	int64_t tick = tick_above(due) - wheel->origin;

	assert(timer->fire);
	etl_timer_cancel(wheel, timer);
	wheel->count++;
	if (tick <= wheel->now) {
		timer->due_tick = wheel->now;
		timer->level = LEVEL_LATE;
		ring_append(&wheel->late, &timer->link);
		return;
	}
	timer->due_tick = tick;
	place(wheel, timer);
}

void etl_timer_cancel(struct etl_wheel *wheel, struct etl_timer *timer)
{
	if (etl_timer_is_armed(timer))
		unlink_timer(wheel, timer);
}

/* The next slot that is not empty and the tick at which it begins. */
static bool next_slot(const struct etl_wheel *wheel, int *level, int *slot, int64_t *start)
{
	for (int l = 0; l < LEVELS; l++) {
		int64_t higher;

		if (!wheel->used[l])
			continue;
		/* Slots behind the position's digit are empty: the lowest bit is the next slot,
		 * and the lowest level that has one is the next of all. */
		*level = l;
		*slot = __builtin_ctzll(wheel->used[l]);
		higher = wheel->position >> ((l + 1) * BITS) << ((l + 1) * BITS);
		*start = higher | (int64_t)*slot << (l * BITS);
		return true;
	}
	return false;
}

/* The answer may be the beginning of a coarse slot, earlier than any timer in it: waking there
 * to spread it costs less than a search for the earliest timer at each arming. */
bool etl_wheel_next(const struct etl_wheel *wheel, etl_mono *at)
{
	int64_t tick = wheel->now;
	int level, slot;

	if (ring_is_empty(&wheel->late) && ring_is_empty(&wheel->firing) &&
		!next_slot(wheel, &level, &slot, &tick))
		return false;
	at->us = (tick + wheel->origin) * 1000;
	return true;
}

/* Spreads a slot over the finer levels, in order, so that timers of one tick keep the order of
 * arming. */
static void cascade(struct etl_wheel *wheel, int level, int slot)
{
	struct etl_timer_link all;

	ring_init(&all);
	ring_move(&all, &wheel->slots[level][slot]);
	wheel->used[level] &= ~(UINT64_C(1) << slot);
	while (!ring_is_empty(&all)) {
		struct etl_timer *timer = timer_of(all.next);

		ring_remove(&timer->link);
		place(wheel, timer);
	}
}

void etl_wheel_watch(struct etl_wheel *wheel, void (*fired)(void *ctx, const char *name), void *ctx)
{
	wheel->fired = fired;
	wheel->fired_ctx = ctx;
}

static void fire_ring(struct etl_wheel *wheel, struct etl_timer_link *ring)
{
	/* The ring is read from its head each time, since a callback may cancel any timer, also
	 * the next one. */
	while (!ring_is_empty(ring)) {
		struct etl_timer *timer = timer_of(ring->next);
		const char *name = timer->name ? timer->name : "";

		unlink_timer(wheel, timer);
		/* Unlinked before it is called, so the callback may arm it again. Its
		 * name was read before, since the callback may free it with its owner. */
		timer->fire(timer, timer->ctx); /* the callback may free the timer */
		if (wheel->fired)
			wheel->fired(wheel->fired_ctx, name);
	}
}

void etl_wheel_advance(struct etl_wheel *wheel, etl_mono now)
{
	int64_t target = tick_below(now) - wheel->origin;
	int64_t start;
	int level, slot;

	/* A callback that advances the wheel would fire timers in the middle of
	 * another's turn. */
	assert(ring_is_empty(&wheel->firing));
	if (target > wheel->now)
		wheel->now = target;
	/* A timer that a callback arms in the past goes to `late` again, for the next advance. */
	ring_move(&wheel->firing, &wheel->late);
	fire_ring(wheel, &wheel->firing);
	/* Each turn empties one slot or spreads it to finer levels, so a sleep of a
	 * week costs as many turns as slots in use were passed, not as many as ticks. */
	while (next_slot(wheel, &level, &slot, &start) && start <= wheel->now) {
		wheel->position = start;
		/* Nothing new gets into this slot meanwhile: its tick is not after `now`. */
		if (level == 0)
			fire_ring(wheel, &wheel->slots[0][slot]);
		else
			cascade(wheel, level, slot);
	}
	/* Nothing lies between: all slots that began until now were emptied. */
	wheel->position = wheel->now;
}

size_t etl_wheel_count(const struct etl_wheel *wheel)
{
	return wheel->count;
}
