/* SPDX-License-Identifier: MIT
 *
 * What methods share: times, partitions and BSON in answers, lists of many jobs, what an id or a time
 * of an operator means. What each method takes and gives stands in lib/ctl/README.md. Loop thread,
 * if nothing else is said.
 */
#ifndef ETLD_METHODS_H
#define ETLD_METHODS_H

#include "methods/request.h"

/* ---- in answers; any thread ---- */

void etld_json_time(struct etl_json *to, const char *key, etl_wall t); /* ms == 0: null */

/* {start, end} under `key`. */
void etld_json_window(struct etl_json *to, const char *key, const struct etl_window *window);

/* "station=283164601", or "-" for a job without partitions. */
void etld_partition_text(const struct etl_job *job, const struct etl_partition *partition,
	char *out, size_t size);
#define ETLD_PARTITION_BYTES 1100 /* room for any: a dimension of 64, '=', a name of 1,023 (partitions.c) */
/* Adds "partition" so; of a job (NULL) or a partition that is not configured by the bare name. */
void etld_json_partition(struct etl_json *to, const struct etl_job *job, const char *name);

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

/* "2026-07-01", "2026-07-01T10:00Z", RFC 3339. */
bool etld_parse_time(const char *text, etl_wall *out);
/* The partition meant by "station=X", "X" or "-"; NULL if there is none. */
const struct etl_partition *etld_partition_find(const struct etl_job *job, const char *text);
bool etld_job_is_in(const struct etl_job *job, const char *group);

/* The job's window that holds request->time; {0, 0} if the job has none. False, and refused: it lies
 * before the first. why.c */
bool etld_request_window(struct etld_request *request, struct etl_window *out);

/* Is `part` the id, or six characters or more of its beginning or end? */
bool etld_id_matches(const char *id, const char *part);
/* What cannot be an id is a job's name with a mistake in it. why.c */
bool etld_may_be_id(const char *text);
/* The job of which a run goes whose id this is, or a part of it; NULL: none. why.c */
struct etld_job *etld_job_that_runs(struct etld *etld, const char *id);
/* Worker: a run's record by its id or a part of it. 0; -1 with "no_such_run" if none or more than one
 * is meant. The caller destroys it. store.c */
int etld_run_find(struct etl_state *state, const char *id, bson_t *out, struct etl_error *err);

struct etl_change_walk;
/* What a walk has written so far into the job's watermarks, its deadline and those who wait for it;
 * `over`: it goes no further. watermark.c */
void etld_change_taken(struct etld *etld, const char *job, const struct etl_change_walk *walk,
	bool over);

#endif
