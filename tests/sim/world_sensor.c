/* SPDX-License-Identifier: MIT
 *
 * Producers and their moods, the book of what sensors were asked, and the laws of sensors.
 */
#include "world_sensor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "engine/jobs.h"
#include "laws.h"

/* An answer's way: to the worker, to the loop, when the store is slow. */
#define SENSOR_SLACK (2 * MINUTE)

/* The collection of a job. */
struct produce {
	int64_t since, until; /* nothing new comes; until == 0: it does */
	bool empty;	      /* not even something old is there */
	int64_t fails_until;  /* the question is answered with an error */
};

/* A slot that waits for its sensor. */
struct sensor_wait {
	int job, machine;
	unsigned life;
	int64_t slot, since;
};

/* What a machine's process has asked for a job. */
struct sensor_book {
	int64_t until;	    /* of the wait that goes on: what tells it from the one before */
	int64_t since;
	bool yes;	    /* the last answer */
	bool clock_was_set; /* the loop may judge the answer by another clock than the book */
};

static struct {
	struct produce of[JOBS];
	struct sensor_book book[MACHINES][JOBS];
	struct sensor_wait *waits;
	size_t n_waits, waits_cap;
} sensors;

void sensors_fini(void)
{
	free(sensors.waits);
	memset(&sensors, 0, sizeof sensors);
}

void sensors_heal(void)
{
	memset(sensors.of, 0, sizeof sensors.of);
}

void sensors_forget(const struct machine *m)
{
	memset(sensors.book[m->index], 0, sizeof sensors.book[m->index]);
}

void sensors_clock_set(const struct machine *m)
{
	for (int i = 0; i < JOBS; i++)
		sensors.book[m->index][i].clock_was_set = true;
}

/* ---- questions ------------------------------------------------------------------------------ */

static void book_wait(const struct machine *m, int job, int64_t slot)
{
	counts.sensor_waits++;
	ETL_GROW(sensors.waits, sensors.n_waits, sensors.waits_cap);
	sensors.waits[sensors.n_waits++] = (struct sensor_wait){job, m->index, m->life, slot, world.now};
}

void law_asks(const struct machine *m, const struct etld_job *job)
{
	const struct spec *s = &conf.specs[job_index(job->name)];
	struct sensor_book *b = &sensors.book[m->index][job_index(job->name)];

	if (job->sched.sensing_until.us != b->until) {
		b->until = job->sched.sensing_until.us;
		b->since = world.now;
		book_wait(m, job_index(job->name), job->sched.waiting->slot.ms);
	} else if (world.now > b->since + s->patience + SENSOR_SLACK && m->cut_off < b->since &&
		m->fit_since < b->since) {
		broken("a sensor is asked for its time", "%s: since %s, %llds are its timeout", job->name,
			time_text(b->since), (long long)(s->patience / SECOND));
	}
	b->yes = b->clock_was_set = false;
}

/* The newest document comes often enough, while any comes. */
static int newest_of(const struct spec *s, etl_wall *at, struct etl_error *err)
{
	const struct produce *p = &sensors.of[s - conf.specs];

	if (world.now < p->fails_until)
		return etl_error_set(err, ETL_AUTH, "mongodb.auth", "not allowed to look there");
	if (world.now < p->until && p->empty)
		return 0;
	at->ms = world.now < p->until ? p->since : world.now - world.now % (s->newer_than / 4);
	return 1;
}

int sensor_answers(const char *collection, etl_wall *at, struct etl_error *err)
{
	const struct machine *m = world.acting;
	const struct spec *s = &conf.specs[job_index(collection)];
	int found = newest_of(s, at, err);

	sensors.book[m->index][job_index(collection)].yes =
		found == 1 && wall_of(m) - at->ms <= s->newer_than;
	return found;
}

/* ---- what comes of it ----------------------------------------------------------------------- */

void law_sensed(const struct machine *m, const struct spec *s,
	const struct etl_trigger *trigger)
{
	struct sensor_book *b = &sensors.book[m->index][s - conf.specs];

	if (!s->newer_than || trigger->kind == ETL_TRIGGER_MANUAL ||
		trigger->kind == ETL_TRIGGER_BACKFILL)
		return;
	if (!b->yes && !b->clock_was_set)
		broken("nothing starts before its sensor said yes", "%s: slot %s", s->name,
			time_text(trigger->slot.ms));
	b->yes = false;
}

void law_given_up(const struct machine *m, const struct etl_run_record *r)
{
	int job = job_index(r->job);
	const struct spec *s = &conf.specs[job];

	if (!m || !etl_streq(r->state, "skipped") || code_of(r->code) != ETL_SKIP_SENSOR)
		return;
	for (size_t i = 0; i < sensors.n_waits; i++) {
		const struct sensor_wait *wait = &sensors.waits[i];

		if (wait->job == job && wait->machine == m->index && wait->life == m->life &&
			wait->slot == r->slot.ms && world.now >= wait->since + s->patience)
			return;
	}
	broken("a slot waits its time", "%s: slot %s was given up early", r->job,
		time_text(r->slot.ms));
}

/* ---- the fault ------------------------------------------------------------------------------ */

void produce_stops(int job, int64_t until)
{
	static const char *const words[] = {"is late", "has nothing", "refuses the question"};
	struct produce *p = &sensors.of[job];
	int64_t how = roll(4);

	tell("what %s waits for %s until %s", conf.specs[job].name, words[how ? how - 1 : 0],
		time_text(until));
	if (how == 3)
		p->fails_until = until;
	else
		*p = (struct produce){world.now, until, how == 2, p->fails_until};
}
