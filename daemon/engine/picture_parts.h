/* SPDX-License-Identifier: MIT
 *
 * Inside a reading of what the store holds: its lists, as the worker fills them (picture_read.c)
 * and the loop takes them (picture_take.c). Nobody else includes this.
 */
#ifndef ETLD_PICTURE_PARTS_H
#define ETLD_PICTURE_PARTS_H

#include "engine/elsewhere.h"
#include "engine/picture_read.h"
#include "io/pool.h"

struct mark {
	char *job, *partition;
	etl_wall processed;
	struct etl_elsewhere *elsewhere; /* NULL = nothing is */
	uint64_t here;
};

struct pause {
	char *job, *who, *why;
	etl_wall at;
};

struct schedule {
	char *job;
	struct etl_schedule_info info;
};

struct sum {
	const char *job, *partition; /* lent by the generation */
	enum etl_window_state state;
	bool dirty;
	uint64_t n;
	etl_wall oldest;
	char *reason;
};

struct etld_picture {
	struct etld_task task;
	struct etl_timer timer; /* between two pieces */
	struct etld *etld;
	struct etld_generation *generation;
	const struct etl_job *only; /* NULL = all */
	bool targets;   /* nothing but where windows are, of jobs whose target has changed */
	uint64_t began; /* of etld->changes */
	bool read, had_open;
	struct etl_error error;
	struct mark *marks;
	size_t n_marks, marks_cap;
	struct pause *pauses;
	size_t n_pauses, pauses_cap;
	struct schedule *schedules;
	size_t n_schedules, schedules_cap;
	struct sum *sums;
	size_t n_sums, sums_cap;
	int recounts;
	/* how far it is taken */
	size_t next, mark, pause, schedule, sum;
};

/* Loop: what was read of one job; names come in the generation's order. */
void etld_picture_take_job(struct etld_picture *p, const char *name);

#endif
