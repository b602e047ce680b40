/* SPDX-License-Identifier: MIT
 *
 * Dead letters (collection dead_letters): records that were refused, as the store gives them. A
 * letter's `_id` is a hash of what was refused and why, so that the same bad record read again every
 * hour stays one letter with a newer `at`.
 */
#ifndef ETL_STATE_LETTERS_H
#define ETL_STATE_LETTERS_H

#include "record/batch.h"
#include "state/rows.h"
#include "time/window.h"

struct etl_dead_letter_info {
	const char *job, *partition, *run_id;
	etl_wall at;
	/* Of each reject, in their order; one with start == end: no window owns it. NULL = none has. */
	const struct etl_window *windows;
	const char *object; /* that all of them are of; NULL = none */
};

/* A dead letter as it is stored. Its texts and bytes are lent for the call. */
struct etl_dead_letter {
	const char *id; /* 32 hexadecimal digits */
	const char *job, *partition, *run_id; /* the newest run that refused it */
	const char *step, *rule, *path, *message;
	struct etl_violation also[ETL_ALSO_MAX]; /* what else it breaks */
	size_t n_also;
	etl_wall at, first_at;	  /* refused last, and first; first_at.ms == 0 = not known */
	int64_t times;		  /* how often it was written down; 0 = not known */
	struct etl_window window; /* start == end: none */
	const char *object; /* it came from; "" = none */
	etl_wall time;		  /* its event time, or ETL_NO_TIME */
	int64_t position;	  /* in the source's answer, from 0 */
	const uint8_t *raw;	  /* NULL where a list leaves it out */
	uint32_t raw_len;
	bool raw_is_bson, raw_cut; /* known in a list as well, if the document has them */
};
extern const struct etl_collection etl_dead_letters; /* newest first, of equals the greater id */

/* Which dead letters. NULL and 0: all. An index bounds each of these. */
struct etl_dead_query {
	const char *job, *run_id;
	const char *partition;		 /* with a job */
	const struct etl_window *window; /* with a job: those of the window that begins as this one */
	const char *before; /* a letter's id: only what comes behind it in the list, it being of */
	etl_wall before_at; /* ... this time */
	int limit;	    /* of a list */
};

/* Dead letters by what refused them. */
struct etl_dead_sum {
	const char *step, *rule; /* lent for the call */
	uint64_t n;
	etl_wall oldest, newest; /* starts of their windows; ms == 0 = none has a window */
};
typedef int (*etl_dead_sum_fn)(void *ctx, const struct etl_dead_sum *sum); /* not 0 ends it */
#define ETL_DEAD_COUNTED 100000 /* the newest, which are counted: more are not looked at */

int etl_dead_letters_add(struct etl_state *s, const struct etl_dead_letter_info *info,
	const struct etl_reject *rejects, size_t n, struct etl_error *err);
/* Newest first, without raw bytes. Gives struct etl_dead_letter, as does the next. */
int etl_dead_letter_list(struct etl_state *s, const struct etl_dead_query *query, etl_thing_fn fn,
	void *ctx, struct etl_error *err);
/* Those whose id begins so, whole, in order of the id; at most `limit` (> 0). */
int etl_dead_letter_find(struct etl_state *s, const char *prefix, int limit, etl_thing_fn fn, void *ctx,
	struct etl_error *err);
/* The same letters as listed (`before` and `limit` aside), the newest ETL_DEAD_COUNTED of them. */
int etl_dead_letter_sums(struct etl_state *s, const struct etl_dead_query *query, etl_dead_sum_fn fn,
	void *ctx, struct etl_error *err);

#endif
