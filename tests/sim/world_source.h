/* SPDX-License-Identifier: MIT
 *
 * The source that jobs ask, and the target that they load into. What a row is at a moment is a
 * pure function of the seed: whether it is there, when it arrives, when it is changed. A
 * dependant reads the target of its upstream. The target takes part in the store's
 * transaction, or gets its data before the ledger does.
 */
#ifndef TESTS_SIM_WORLD_SOURCE_H
#define TESTS_SIM_WORLD_SOURCE_H

#include "base/buf.h"
#include "base/uuid.h"
#include "world_conf.h"

struct etl_job;

/* ---- the truth ------------------------------------------------------------------------------ */

/* Dependants have the rows of the job at the root. */
const struct spec *root_of(const struct spec *s);
/* One row at the begin of each window: the one at the end of a range is the next window's. */
int64_t row_time(const struct spec *s, int64_t index);
int64_t index_at(const struct spec *s, int64_t ms);
/* Which version of it the source has at a moment; 0 = none. */
int row_version(const struct spec *s, int station, int64_t index, int64_t at);

/* ---- the target ----------------------------------------------------------------------------- */

struct row {
	int station, version;
	int64_t index;
};

/* The store's transaction as the simulation has it: rows that come in with its commit. */
struct sim_txn {
	int job;
	struct row *rows;
	size_t n, cap;
};

void rows_apply(const struct sim_txn *txn);
/* 0 = it is not there. */
int target_version(int job, int station, int64_t index);
void targets_fini(void);
/* Source and sink in place of http's peer and MongoDB. */
void world_plugins(struct etl_job *job, int index);

/* ---- what the peer answers ------------------------------------------------------------------ */

/* A request, read from its URL: /a/s0?run=ID&from=SECONDS&to=SECONDS */
struct question {
	int job, station;
	char run_id[ETL_UUID_BYTES];
	int64_t from, to;
};

enum mishap { ANSWER_GOOD, ANSWER_503, ANSWER_CUT, ANSWER_GARBAGE, ANSWER_NEVER, ANSWER_404 };

struct question question_of(const char *url);
enum mishap draw_mishap(void);
int64_t draw_latency(void);
void answer_body(const struct question *q, enum mishap mishap, struct etl_buf *body);

#endif
