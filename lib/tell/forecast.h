/* SPDX-License-Identifier: MIT
 *
 * The slots to come of many jobs, without running anything: when they fire, what the clocks
 * do to them, how many meet in one minute, the load of a host. Pure functions of the
 * configuration; no clock, no store. Any thread; 200,000 slots take a moment: a worker.
 */
#ifndef ETL_TELL_FORECAST_H
#define ETL_TELL_FORECAST_H

#include "job/job.h"

#define ETL_FORECAST_SPAN_MAX ETL_DAYS(400)
#define ETL_FORECAST_SLOTS_MAX 200000
#define ETL_FORECAST_LIST_MAX 1000 /* collisions, and notes about clocks */
#define ETL_FORECAST_BUSIEST 10

struct etl_forecast_job {
	const struct etl_job *job;
	etl_dur jitter;	  /* its own on this host */
	int64_t host_max; /* requests at once to the host that its source asks */
};

struct etl_forecast_slot {
	size_t job;   /* index */
	etl_wall slot, at; /* at: with jitter */
};

/* Each partition is taken for one request. */
struct etl_forecast_host {
	const char *host;
	size_t jobs;
	uint64_t runs, requests;
	uint64_t hour_peak, minute_peak; /* requests in the fullest hour, minute */
	etl_wall hour_at, minute_at;
};

/* A minute in which more starts than may go at once. */
struct etl_forecast_collision {
	etl_wall minute;
	const char *host; /* NULL = places for runs */
	uint64_t n;	  /* runs; of a host: requests that its jobs send at once */
	int64_t limit;
};

struct etl_forecast_minute {
	etl_wall at;
	uint64_t starts;
};

/* What a change of the clocks does to a job. X(id, word) */
#define ETL_FORECAST_CLOCKS(X)                                                                  \
	X(MOVED, "moved")     /* times that do not exist run at the first instant after */       \
	X(DROPPED, "dropped") /* times that do not exist; the next slot is an ordinary one */    \
	X(ONCE, "once")	      /* times that come twice run at their first pass */                \
	X(TWICE, "twice")     /* times that come twice run at both */

enum etl_forecast_clock {
#define X(id, word) ETL_FORECAST_##id,
	ETL_FORECAST_CLOCKS(X)
#undef X
		ETL_FORECAST_CLOCK_MAX
};
const char *etl_forecast_clock_word(enum etl_forecast_clock kind);

struct etl_forecast_note {
	size_t job;
	enum etl_forecast_clock kind;
	etl_wall at;		 /* when the clocks change */
	int64_t from, to;	 /* wall-clock seconds that do not exist, or come twice */
	int64_t first;		 /* the first of the job's own in there */
	uint64_t n;		 /* how many of them */
	etl_wall slot;		 /* MOVED, DROPPED: the next slot; else the first */
};

struct etl_forecast {
	struct etl_forecast_slot *slots; /* in the order in which they fire */
	size_t n_slots, slots_cap;
	bool cut; /* there are more slots than ETL_FORECAST_SLOTS_MAX: only those before ... */
	etl_wall cut_at;
	struct etl_forecast_host *hosts; /* by name */
	size_t n_hosts;
	struct etl_forecast_collision *collisions; /* in order of time */
	size_t n_collisions, collisions_cap;
	uint64_t all_collisions; /* those that are not listed too */
	struct etl_forecast_minute busiest[ETL_FORECAST_BUSIEST]; /* the fullest first */
	size_t n_busiest;
	struct etl_forecast_note *notes;
	size_t n_notes, notes_cap;
	uint64_t all_notes;
};

/* Slots of [range.start, range.end), jitter not counted: those that etl_calendar_next gives.
 * Jobs without a calendar have none. All is lent to `out`, which is zeroed. */
void etl_forecast_make(const struct etl_forecast_job *jobs, size_t n, struct etl_window range,
	int64_t max_active, struct etl_forecast *out);
/* Frees the lists and zeroes the struct. */
void etl_forecast_fini(struct etl_forecast *forecast);

/* forecast_clocks.c, for etl_forecast_make: the notes of one job. */
void etl_forecast_clocks(const struct etl_forecast_job *of, size_t index, struct etl_window range,
	struct etl_forecast *out);

/* "the clocks of Europe/Paris go forward from 02:00 to 03:00: ...", one sentence without a full
 * stop. */
#define ETL_FORECAST_TEXT_BYTES 256
void etl_forecast_note_text(const struct etl_forecast_note *note, const struct etl_job *job,
	char out[ETL_FORECAST_TEXT_BYTES]);

/* "2026-03-29T03:00:00+02:00": as a clock in the zone shows it. */
#define ETL_LOCAL_TEXT_BYTES 48
void etl_forecast_local(const struct etl_zone *zone, etl_wall t, char out[ETL_LOCAL_TEXT_BYTES]);

#endif
