/* SPDX-License-Identifier: MIT
 *
 * What methods share: times, partitions and BSON in answers, lists of many jobs, what an id or a
 * time of an operator means. What each method takes and gives stands in lib/ctl/README.md. Loop
 * thread, if nothing else is said.
 */
#ifndef ETLD_METHODS_H
#define ETLD_METHODS_H

#include "engine/backend.h"
#include "engine/deadline.h"
#include "engine/runs.h"
#include "engine/runs_watch.h"
#include "engine/sched.h"
#include "io/loop.h"
#include "io/pool.h"
#include "methods/request.h"
#include "mongo/mongo.h"

/* ---- in answers; any thread ---- */

void etld_json_time(struct etl_json *to, const char *key, etl_wall t); /* ms == 0: null */

/* {start, end} under `key`. */
void etld_json_window(struct etl_json *to, const char *key, const struct etl_window *window);

/* "partition": as people name it, or its bare name if job (NULL) or partition is not configured. */
void etld_json_partition(struct etl_json *to, const struct etl_job *job, const char *name);

/* "hosts": those whose breaker is not closed, or who asked to be left alone. host.c */
void etld_hosts_show(struct etld *etld, struct etl_json *reply);

/* [{check, field, value, limit, released}] of what holds a unit. held.c */
void etld_json_held(struct etl_json *to, const char *key, const struct etl_held *held);

/* A BSON document as JSON: dates as RFC 3339 text, numbers as they are. */
struct etl_json *etld_json_of_bson(const bson_t *doc);

/* A list that is printed as it is made: a tree of thousands of items would cost the loop as much
 * again to build, to print and to free in one piece. `list` is empty at first; takes the item. */
void etld_list_add(struct etl_buf *list, struct etl_json *item);
/* Its end. False: it is longer than an answer may be (the cap of the buffer). */
bool etld_list_end(struct etl_buf *list);

/* ---- what is meant ---- */

bool etld_job_is_in(const struct etl_job *job, const char *group);
bool etld_group_is_there(const struct etld_generation *generation, const char *group);

/* Refuses with the first window's begin: what was asked for lies before it. The job has windows. */
void etld_refuse_before_start(struct etld_request *request);

/* The job's window that holds request->time; {0, 0} if the job has none. False, and refused: it
 * lies before the first. */
bool etld_request_window(struct etld_request *request, struct etl_window *out);

/* What cannot be an id is a job's name with a mistake in it. */
bool etld_may_be_id(const char *text);
/* The job of which a run goes whose id this is, or a part of it; NULL: none. */
struct etld_job *etld_job_that_runs(struct etld *etld, const char *id);
/* Worker: a run's record by its id or a part of it. 0; -1 with "no_such_run" if none or more than
 * one is meant. The caller destroys it. store.c */
int etld_run_find(struct etl_state *state, const char *id, bson_t *out, struct etl_error *err);

struct etl_change_walk;
/* What a walk has written so far into the job's watermarks, its deadline and those who wait for it;
 * `over`: it goes no further. watermark.c */
void etld_change_taken(struct etld *etld, const char *job, const struct etl_change_walk *walk,
	bool over);

#endif
