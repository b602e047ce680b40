/* SPDX-License-Identifier: MIT
 *
 * Turns the world, draws it, and plays a history from its begin to the laws of its end.
 */
#include "history.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/jobs.h"
#include "etld.h"
#include "laws.h"
#include "laws_end.h"
#include "world.h"
#include "world_backfill.h"
#include "world_conf.h"
#include "world_deadline.h"
#include "world_etld.h"
#include "world_faults.h"
#include "world_sensor.h"
#include "world_source.h"
#include "world_store.h"

/* A world that turns so often without time moving turns for ever. */
#define STANDING_MAX 20000
/* ... and a history of so many runs has runs that make themselves. */
#define RUNS_MAX 30000

/* ---- time ----------------------------------------------------------------------------------- */

static int64_t wheel_time(const struct machine *m)
{
	etl_mono at;

	if (!m->etld || m->asleep_until || !etl_wheel_next(m->wheel, &at))
		return NEVER;
	at.us = at.us / 1000 - HOUR + world.begin;
	return at.us > world.now ? at.us : world.now;
}

static void after_event(struct machine *m)
{
	if (!m || !m->etld)
		return;
	if (m->dead || m->stopped) {
		machine_drop(m);
		start_later(m, world.faults ? m->restart_in : 0);
	} else if (wheel_time(m) > world.now) {
		m->quiet_wall = wall_of(m);
	}
}

static void world_event(const struct event *event)
{
	struct machine *m = event->machine;

	if (m && world.now < m->asleep_until) {
		struct event later = *event;

		later.at = m->asleep_until;
		push_event(&later);
		return;
	}
	world.acting = m;
	if (m && m->asleep_until) {
		m->asleep_until = 0;
		m->fit_since = world.now;
		tell("wakes");
	}
	switch (event->kind) {
	case EVENT_WAKE:
		break;
	case EVENT_ACT:
		if (world.faults)
			act((intptr_t)event->what);
		break;
	case EVENT_RELOAD:
		if (m->etld && !m->etld->draining)
			reload(m);
		break;
	case EVENT_START:
		m->starts = false;
		if (world.faults && world.mood.edits && one_in(2))
			edit_unseen();
		if (!m->etld)
			machine_start(m);
		break;
	default:
		machine_event(m, event);
		break;
	}
	after_event(m);
	world.acting = NULL;
}

static void advance_wheel(struct machine *m)
{
	world.acting = m;
	etl_wheel_advance(m->wheel, world_mono(NULL));
	after_event(m);
	world.acting = NULL;
}

static void move_time(int64_t at)
{
	world.standing = at > world.now ? 0 : world.standing + 1;
	world.events++;
	if (at > world.now) {
		note_clocks();
		world.now = at;
		note_clocks();
	}
	if (book.n_runs > RUNS_MAX + book.n_refused)
		broken("catch-up ends", "after %d runs it has not", RUNS_MAX);
	if (world.standing > STANDING_MAX)
		broken("the world does not stand still", "%d events in one millisecond", STANDING_MAX);
}

/* Of several that are due at once any may come first. */
static void play_until(int64_t end)
{
	for (;;) {
		int64_t at = world.n_heap ? world.heap[0].at : NEVER;
		struct machine *turns = NULL;

		for (int i = 0; i < MACHINES; i++) {
			int64_t wheel = wheel_time(&world.machines[i]);

			if (wheel < at || (wheel == at && wheel != NEVER && one_in(2))) {
				at = wheel;
				turns = &world.machines[i];
			}
		}
		if (at > end)
			break;
		move_time(at);
		if (turns) {
			advance_wheel(turns);
		} else {
			struct event event = pop_event();

			world_event(&event);
		}
	}
	move_time(end);
}

/* ---- the draw ------------------------------------------------------------------------------- */

static void draw_mood(void)
{
	int64_t unit = schedules[4 * roll(UNITS)].unit;

	world.mood = (struct mood){
		.transactions = !one_in(4),
		.clocks = one_in(3),
		.losses = one_in(3),
		.two = one_in(2),
		.edits = one_in(3),
		.backfills = one_in(3),
		.unit = unit,
		.max_active = (unsigned)between(1, 3),
	};
	world.mood.changes = world.mood.transactions && one_in(2);
	/* no throw of the dice: other seeds keep their histories */
	world.mood.sensors = world.seed % 4 == 0;
	world.mood.deadlines = world.seed % 4 == 1;
	world.mood.full = world.seed % 8 == 6;
	world.mood.managed = world.seed % 8 == 5 && unit < DAY; /* they look every few minutes */
	world.mood.backfills |= world.mood.managed;
}

static int draw_schedule(void)
{
	int first = 0;

	while (schedules[first].unit != world.mood.unit)
		first += 4;
	if (first + 4 < SCHEDULES && one_in(3))
		first += 4;
	return first + (int)roll(4);
}

/* Shorter and longer than the period, all of it. */
static void draw_sensor(struct spec *s)
{
	int64_t unit = world.mood.unit / SECOND;

	s->newer_than = (4 + roll(2 * unit)) * SECOND;
	s->poke = (2 + roll(unit / 4)) * SECOND;
	s->patience = s->poke * between(1, 15);
}

/* Nobody can wait for windows that it does not have. */
static void draw_full(struct spec *s)
{
	s->full = true;
	s->settle = s->lookback = s->reread = 0;
}

/* Of jobs that run by the day, every other one has local days, and with it who waits for it. Without a
 * throw of the dice: histories that are remembered stay what they are. */
static void draw_grid(struct spec *s)
{
	struct etl_grid_step day = {.length = ETL_DAYS(1)}, step = {.length = ETL_MS(s->size)};
	uint64_t h = etl_hash64(s->name, 1, world.seed);
	struct etl_grid days;

	if (s->up >= 0)
		s->zone = conf.specs[s->up].zone;
	else if (!s->full && schedules[s->schedule].unit == DAY && h % 2)
		s->zone = local_zone((unsigned)(h / 2 % 5));
	if (s->zone && s->up < 0) {
		etl_grid_init(&days, (etl_wall){0}, day, s->zone);
		s->start = etl_grid_floor(&days, (etl_wall){s->start}).ms;
	}
	etl_grid_init(&s->grid, (etl_wall){s->start}, step, s->zone);
}

static void draw_job(int index)
{
	struct spec *s = &conf.specs[index];

	*s = (struct spec){
		.name = {(char)('a' + index)},
		.there = true,
		.schedule = draw_schedule(),
		.misfire = (int)roll(4),
		.overlap = draw_overlap(),
		.jitter = one_in(2) ? 0 : roll(world.mood.unit / 4 / SECOND),
		.stations = (int)between(1, STATIONS),
		.span = (int)between(1, 8),
		.up = index && one_in(3) ? (int)roll(index) : -1,
		.timeout = 10 * MINUTE,
	};
	if (s->up >= 0 && conf.specs[s->up].full)
		s->up = -1;
	s->size = schedules[s->schedule].unit * (1 << roll(3));
	s->start = world.begin - world.begin % s->size - s->size * roll(10);
	s->reread = one_in(3) ? 0 : schedules[s->schedule].unit * between(4, 10);
	if (s->up >= 0) {
		const struct spec *up = &conf.specs[s->up];

		s->size = up->size * between(1, 3);
		s->start = up->start;
		s->stations = up->stations;
		s->reread = 0;
		s->schedule = one_in(4) ? s->schedule : one_in(2) ? up->schedule : -1;
	}
	s->settle = one_in(2) ? 0 : roll(s->size / SECOND) * SECOND;
	s->lookback = one_in(2) ? 0 : s->size * between(1, 6);
	if (s->up >= 0 && one_in(2)) { /* reads what its upstream reads again, at the same time */
		s->settle = conf.specs[s->up].settle;
		s->lookback = conf.specs[s->up].lookback;
	}
	if (world.mood.sensors && one_in(2))
		draw_sensor(s);
	if (world.mood.full && s->up < 0 && !one_in(3))
		draw_full(s);
	if (world.mood.deadlines && !one_in(3))
		s->deadline = s->settle + between(1, 4 * world.mood.unit / SECOND) * SECOND;
	draw_grid(s);
	open_interval(s);
}

static void draw_world(uint64_t seed)
{
	memset(&world, 0, sizeof world);
	world.seed = seed;
	seed_dice(seed);
	draw_mood();
	world.begin = INT64_C(1700000000000) + between(0, 3 * 365) * DAY + roll(DAY);
	world.now = world.begin;
	world.faults = true;
	for (int i = 0; i < MACHINES; i++)
		world.machines[i] = (struct machine){.clock = {machine_wall, world_mono}, .index = i,
			.host = {(char)('A' + i)}, .boot = 1};
	conf.n = (int)between(2, JOBS);
	for (int i = 0; i < conf.n; i++)
		draw_job(i);
	book_init();
	store_open();
}

/* ---- a history ------------------------------------------------------------------------------ */

static void play_faults(void)
{
	int64_t length = between(6, 30) * world.mood.unit * (is_dense() ? 2 : 1);

	history_end = world.begin + length;
	machine_start(&world.machines[0]);
	if (world.mood.two)
		start_later(&world.machines[1], roll(length / 2));
	for (int64_t n = roll(14); n; n--)
		push(world.begin + roll(length), EVENT_ACT, NULL, NULL);
	while (world.now < history_end)
		play_until(history_end);
}

/* Everything is well again. */
static void end_faults(void)
{
	struct etl_error err = ETL_ERROR_INIT;

	tell("the faults are over");
	world.faults = false;
	world.ambush = 0;
	world.away_until = world.lossy_until = world.slow_until = world.no_renewal_until = 0;
	world.source_down_until = world.source_slow_until = world.source_mad_until = 0;
	sensors_heal();
	for (int i = 0; i < conf.n; i++) {
		book.jobs[i].paused_on_record = false;
		BARE(etl_pause_set(world.state,
			&(struct etl_pause){.job = conf.specs[i].name, .who = "sim", .why = ""},
			false, &err));
	}
	for (int i = 0; i < MACHINES; i++) {
		struct machine *m = &world.machines[i];

		m->away_until = m->asleep_until = 0;
		m->crash_in = 0;
		world.acting = m;
		if (!m->etld && (i == 0 || world.mood.two)) {
			m->off = 0;
			machine_start(m);
			continue;
		}
		if (m->etld && m->off)
			step_clock(m, 0);
		for (int k = 0; m->etld && k < conf.n; k++)
			if (m->paused[k] && etld_job_find(m->etld, conf.specs[k].name))
				set_paused(m, etld_job_find(m->etld, conf.specs[k].name), false, 0);
		after_event(m);
		world.acting = NULL;
	}
}

/* Long enough for all that is due: slots, what is read again, what a wrong clock left. */
static int64_t time_to_settle(void)
{
	int64_t longest = 0, reread = 0, ahead = 0;

	for (int i = 0; i < conf.n; i++) {
		int64_t cursor = book.jobs[i].cursor - world.now;

		if (cursor > ahead && cursor <= DAY) /* a clock was a little ahead: waited out */
			ahead = cursor;
		if (period_of(&conf.specs[i]) > longest)
			longest = period_of(&conf.specs[i]);
		if (conf.specs[i].reread > reread)
			reread = conf.specs[i].reread;
	}
	longest = 4 * longest + reread + ahead + slack();
	if (world.ahead_until && world.mood.unit >= HOUR && longest < 30 * HOUR)
		longest = 30 * HOUR;
	return longest;
}

static bool windows_are_owed(void)
{
	struct etl_error err = ETL_ERROR_INIT;

	for (int i = 0; i < conf.n; i++)
		for (int k = 0; conf.specs[i].there && k < conf.specs[i].stations; k++) {
			const struct spec *s = &conf.specs[i];
			char partition[] = {'s', (char)('0' + k), 0};
			struct etl_watermark mark = {.processed = {s->start}};

			world.bare->watermark_get(world.state, s->name, partition, &mark, &err);
			if (end_of(s, mark.processed.ms) <= last_round(s, world.now - MINUTE))
				return true;
		}
	return false;
}

/* Nothing is made up for any more; what comes by the clock goes on. */
static bool is_caught_up(void)
{
	if (windows_are_owed())
		return false;
	for (int i = 0; i < MACHINES; i++)
		for (int k = 0; world.machines[i].etld && k < conf.n; k++) {
			const struct etld_job *job =
				etld_job_find(world.machines[i].etld, conf.specs[k].name);

			if (job && (job->sched.each_until.ms || job->sched.owed))
				return false;
		}
	return true;
}

/* Slots that are made up one by one take their time; there is an end to them. */
static void play_until_caught_up(void)
{
	int64_t runs = (int64_t)book.n_runs;
	int64_t limit = world.now + 1100 * (is_dense() ? 10 * SECOND : 2 * MINUTE);

	while (!is_caught_up() && world.now < limit)
		play_until(world.now + 7777); /* not in step with the slots */
	if (!is_caught_up())
		broken("catch-up ends", "%lld more runs, and no end",
			(long long)((int64_t)book.n_runs - runs));
}

/* A lease has to run out, others look after five minutes, a piece is tried five times; then those
 * that come after have their turn. */
static void play_until_backfilled(void)
{
	int64_t limit = world.now + 3 * HOUR + 20 * world.mood.unit;
	bool went_on = backfills_go_on();

	while (backfills_go_on() && world.now < limit)
		play_until(world.now + 7777 + world.mood.unit / 100);
	laws_of_backfills();
	if (went_on)
		play_until(world.now + slack());
}

void play(uint64_t seed)
{
	counts.histories++;
	draw_world(seed);
	play_faults();
	end_faults();
	play_until(world.now + time_to_settle());
	play_until_caught_up();
	play_until_backfilled();
	laws_of_the_end(world.now - MINUTE);
	counts.digest += world.digest;
	for (int i = 0; i < MACHINES; i++)
		if (world.machines[i].etld)
			machine_drop(&world.machines[i]);
	store_close();
	targets_fini();
	book_fini();
	sensors_fini();
	deadlines_fini();
	backfills_fini();
	conf_fini();
	free(world.heap);
}
