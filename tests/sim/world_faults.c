/* SPDX-License-Identifier: MIT
 *
 * The acts of a history, and the draw among them.
 */
#include "world_faults.h"

#include "base/str.h"
#include "engine/pauses.h"
#include "engine/sched.h"
#include "etld.h"
#include "laws.h"
#include "reload.h"
#include "world_backfill.h"
#include "world_conf.h"
#include "world_etld.h"
#include "world_sensor.h"
#include "world_source.h"

int64_t history_end;

static void last_at_least(int64_t at)
{
	if (history_end < at)
		history_end = at;
}

/* Short mostly, and now and then much longer than anything that is configured. */
static int64_t some_while(void)
{
	switch (roll(8)) {
	case 0:
	case 1:
		return between(0, 10 * SECOND);
	case 2:
	case 3:
		return between(10 * SECOND, 2 * MINUTE);
	case 4:
	case 5:
		return between(0, world.mood.unit);
	case 6:
		return between(world.mood.unit, 6 * world.mood.unit);
	default:
		return between(6 * world.mood.unit,
			world.mood.unit * (one_in(6) && !is_dense() ? 400 : 30));
	}
}

static struct machine *some_machine(void)
{
	struct machine *m = &world.machines[roll(MACHINES)];

	if (!m->etld)
		m = &world.machines[1 - m->index];
	return m->etld && !m->asleep_until ? m : NULL;
}

static struct etld_job *some_job(const struct machine *m)
{
	const struct spec *s = &conf.specs[roll(conf.n)];

	return etld_job_find(m->etld, s->name);
}

void start_later(struct machine *m, int64_t wait)
{
	if (m->starts)
		return;
	m->starts = true;
	push(world.now + wait, EVENT_START, m, NULL);
	last_at_least(world.now + wait + 3 * world.mood.unit);
}

/* ---- processes and clocks ------------------------------------------------------------------- */

static void act_crash(struct machine *m)
{
	counts.crashes++;
	world.acting = m;
	tell("the process dies");
	world.acting = NULL;
	machine_drop(m);
	if (one_in(4))
		m->boot++;
	start_later(m, some_while());
}

static void act_crash_inside(struct machine *m)
{
	static const char *const calls[] = {NULL, NULL, "skip", "skip", "slots_save", "lease_acquire",
		"commit", "run_save"};

	m->crash_at = calls[roll(8)];
	m->crash_in = (int)(m->crash_at ? between(1, 3) : between(1, 40));
	m->crash_after = one_in(2);
	m->restart_in = some_while();
}

static void act_stop(struct machine *m)
{
	counts.stops++;
	tell("is told to stop");
	m->restart_in = some_while();
	etld_drain(m->etld);
}

void step_clock(struct machine *m, int64_t off)
{
	counts.steps++;
	m->off = off;
	tell("its clock is set to %s", time_text(wall_of(m)));
	note_clocks();
	sensors_clock_set(m);
	m->fit_since = world.now;
	machine_clock_set(m);
}

static void act_step(struct machine *m)
{
	static const int64_t sizes[] = {SECOND, MINUTE, HOUR, DAY, 30 * DAY, 3650 * DAY};
	int64_t size = sizes[one_in(3) ? roll(6) : roll(4)];

	if (is_dense() && size > MINUTE && size <= DAY)
		size = 5 * MINUTE; /* a day ahead would be waited out slot by slot */

	if (m->off && one_in(2))
		step_clock(m, 0);
	else
		step_clock(m, m->off + (one_in(2) ? 1 : -1) * between(size / 2, size));
}

static void act_suspend(struct machine *m)
{
	counts.suspends++;
	m->asleep_until = world.now + some_while() + 1;
	if (world.mood.two && one_in(2)) /* the other one goes on meanwhile */
		m->asleep_until = world.now + between(world.mood.unit, 3 * world.mood.unit);
	tell("sleeps until %s", time_text(m->asleep_until));
	push(m->asleep_until, EVENT_WAKE, m, NULL);
	last_at_least(m->asleep_until + 3 * world.mood.unit);
}

/* ---- outages -------------------------------------------------------------------------------- */

static void act_outage(struct machine *m)
{
	int64_t until = world.now + some_while();

	counts.outages++;
	tell("the store is unreachable %suntil %s", m ? "for it " : "", time_text(until));
	*(m ? &m->away_until : &world.away_until) = until;
	last_at_least(until + 3 * world.mood.unit);
}

static void act_trouble(struct machine *m)
{
	int64_t *const troubles[] = {&world.source_down_until, &world.source_slow_until,
		&world.source_mad_until, &world.slow_until, &world.no_renewal_until, &world.lossy_until};
	static const char *const words[] = {"source is down", "source is slow", "source is mad",
		"store is slow", "store keeps no lease alive", "store loses answers"};
	int64_t which = roll(world.mood.losses ? 6 : 5), until = world.now + some_while();

	(void)m;
	if (which == 4) /* what goes on now is to last */
		world.source_slow_until = until;
	if (which == 5 && until > world.now + 2 * HOUR) /* a run a second, all the while */
		until = world.now + 2 * HOUR;
	counts.source_outages += which < 3;
	tell("the %s until %s", words[which], time_text(until));
	*troubles[which] = until;
	last_at_least(until + 3 * world.mood.unit);
}

static void act_sensor(void)
{
	int64_t until = world.now + some_while();

	produce_stops((int)roll(conf.n), until);
	last_at_least(until + 3 * world.mood.unit);
}

/* ---- operators ------------------------------------------------------------------------------ */

void set_paused(struct machine *m, struct etld_job *job, bool pause, int64_t from)
{
	struct etld_pause_order *order;
	int index = job_index(job->name);

	tell("%s is %s%s%s", job->name, pause ? "paused" : "resumed", from ? " from " : "",
		from ? time_text(from) : "");
	m->paused[index] = pause;
	m->resumed[index] = pause || from ? 0 : wall_of(m);
	order = etld_pauses_begin(m->etld, pause, "sim", "", (etl_wall){from});
	(void)etld_pauses_add(order, job);
	m->fit_since = world.now;
	etld_pauses_end(order, NULL, NULL);
}

static void act_pause(struct machine *m)
{
	struct etld_job *job = some_job(m);

	if (!job)
		return;
	counts.pauses++;
	if (m->paused[job_index(job->name)])
		set_paused(m, job, false, one_in(2) ? 0 : wall_of(m) - some_while());
	else
		set_paused(m, job, true, 0);
}

static bool is_upstream(int index)
{
	for (int i = 0; i < conf.n; i++)
		if (conf.specs[i].there && conf.specs[i].up == index)
			return true;
	return false;
}

/* A job leaves or comes back; never one without which another cannot be. */
static bool edit_there(struct spec *s)
{
	if (s->there && is_upstream((int)(s - conf.specs)))
		return false;
	if (!s->there && s->up >= 0 && !conf.specs[s->up].there)
		return false;
	if (s->there)
		close_interval(s, true);
	else
		open_interval(s);
	s->there = !s->there;
	return true;
}

static void edit_schedule(struct spec *s)
{
	if (!s->there || s->schedule < 0)
		return;
	close_interval(s, false);
	s->schedule = s->schedule / 4 * 4 + (int)((s->schedule + between(1, 3)) % 4);
	open_interval(s);
}

/* Every process learns of an edit, one after the other. */
static void spread(const struct spec *s)
{
	conf.version++;
	tell("job %s is edited: %s, %s, %s, %s", s->name, s->there ? "there" : "gone",
		s->schedule < 0 ? "after" : schedules[s->schedule].yaml, misfires[s->misfire],
		overlaps[s->overlap]);
	for (int i = 0; i < MACHINES; i++)
		if (world.machines[i].etld)
			push(world.now + (one_in(2) ? 0 : between(0, MINUTE)), EVENT_RELOAD,
				&world.machines[i], NULL);
	settle_intervals();
}

static void act_edit(struct machine *m)
{
	struct spec *s = &conf.specs[roll(conf.n)];

	(void)m;
	for (int i = 0; i < conf.n && one_in(2); i++)
		if (!conf.specs[i].there)
			s = &conf.specs[i];
	counts.edits++;
	if (one_in(3))
		s->misfire = (int)roll(4);
	if (one_in(3))
		s->overlap = draw_overlap();
	if (!one_in(3) || !edit_there(s))
		edit_schedule(s);
	spread(s);
}

void edit_unseen(void)
{
	for (int i = 0; i < conf.n; i++)
		if (!conf.specs[i].there && edit_there(&conf.specs[i]))
			spread(&conf.specs[i]);
}

void reload(struct machine *m)
{
	tell("reloads");
	for (int i = 0; i < JOBS; i++) {
		const struct etld_job *job = etld_job_find(m->etld, conf.specs[i].name);

		m->before[i] = job ? job->sched.decided.ms : 0;
	}
	etld_reload(m->etld);
	for (int i = 0; i < JOBS; i++)
		if (!etld_job_find(m->etld, conf.specs[i].name))
			m->paused[i] = false;
	m->fit_since = world.now;
	taken_up(m);
}

static void trigger(struct machine *m, enum etl_trigger_kind kind)
{
	struct etld_job *job = some_job(m);
	struct etl_trigger trigger = {.kind = kind};
	const struct spec *s;

	if (!job)
		return;
	s = &conf.specs[job_index(job->name)];
	if (s->full && kind == ETL_TRIGGER_BACKFILL)
		return; /* the daemon refuses that: there is nothing behind */
	if (!s->full && (kind == ETL_TRIGGER_BACKFILL || one_in(2))) {
		int64_t n = index_at(s, world.now), from = n > 0 ? roll(n) : 0;

		trigger.asked.start = etl_grid_steps(&s->grid, (etl_wall){s->start}, from);
		trigger.asked.end = etl_grid_steps(&s->grid, trigger.asked.start, between(1, 4));
	}
	tell("%s: a %s run is asked for", job->name, etl_trigger_word(kind));
	etl_sched_trigger(m->etld->sched, &job->sched, &trigger);
}

static void act_manual(struct machine *m)
{
	counts.manual++;
	trigger(m, ETL_TRIGGER_MANUAL);
}

static void act_backfills(struct machine *m)
{
	if (world.mood.managed) {
		act_managed_backfill(m, some_job(m));
		return;
	}
	for (int64_t n = between(1, 4); n; n--) {
		counts.backfills++;
		trigger(m, ETL_TRIGGER_BACKFILL);
	}
}

/* ---- the draw ------------------------------------------------------------------------------- */

void act(int64_t given)
{
	struct machine *m = given ? &world.machines[(given - 1) / ACTS - 1] : some_machine();
	int64_t which = given ? (given - 1) % ACTS : roll(ACTS);

	if (given && (!m->etld || m->asleep_until))
		return;
	if (!given && world.mood.sensors && one_in(3)) {
		act_sensor();
		return;
	}
	if (!given && world.mood.managed && m && one_in(2)) {
		world.acting = m;
		act_backfills(m);
		return;
	}
	if (!given && which != 12 && which != 13 && one_in(2)) {
		world.ambush = which + 1;
		return;
	}
	world.acting = which == 0 ? NULL : m;
	if (which >= 2 && !m && world.mood.edits)
		act_edit(NULL); /* while nobody is there to see it */
	else if (which >= 2 && !m)
		;
	else if (which < 2)
		act_outage(which ? m : NULL);
	else if (which < 5)
		act_trouble(m);
	else if (which < 7)
		act_crash(m);
	else if (which == 7)
		act_crash_inside(m);
	else if (which == 8)
		act_stop(m);
	else if (which == 9)
		act_suspend(m);
	else if (which < 12)
		act_pause(m);
	else if (which == 12)
		act_manual(m);
	else if (which == 13 && world.mood.backfills)
		act_backfills(m);
	else if (which >= 12 && world.mood.edits && (one_in(2) || !world.mood.clocks))
		act_edit(m);
	else if (which >= 13 && world.mood.clocks)
		act_step(m);
	world.acting = NULL;
}
