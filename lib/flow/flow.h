/* SPDX-License-Identifier: MIT
 *
 * Flow as whoever carries it sees it: a run's work that brings records from a source to a target. Each
 * partition walks as a strand of its own through the step table (flow.c):
 *
 *   plan -> extract -> decode -> transform -> check -> load -> commit -> ... -> finish -> report
 *
 * The library holds the order and the worker steps; the daemon (or a test) carries a strand between
 * threads, moves bytes and waits. A strand is touched by one thread at a time.
 */
#ifndef ETL_FLOW_FLOW_H
#define ETL_FLOW_FLOW_H

#include "base/alloc.h"
#include "plan/ledger_part.h"
#include "run/run.h"

/* lib/flow/work_flow.c: the work of a job that has `extract`. */
extern const struct etl_work_type etl_work_flow;

enum etl_mail_kind { ETL_MAIL_HEAD, ETL_MAIL_CHUNK, ETL_MAIL_END, ETL_MAIL_ERROR };

/* What comes back from an extract, piece by piece. Made by the daemon, owned by whoever has
 * it; the strand frees what it took. */
struct etl_mail {
	struct etl_mail *next;
	enum etl_mail_kind kind;
	struct etl_response response; /* HEAD; its texts are owned by the mail */
	char *data;		      /* CHUNK */
	size_t len;
	struct etl_error error; /* ERROR */
	etl_dur took; /* END: of the transfer, without waits that are not the source's */
};
void etl_mail_free(struct etl_mail *mail);
/* Head mail with copies of the texts. Gives. */
struct etl_mail *etl_mail_of_head(const struct etl_response *response);

struct etl_strand_work;

/* The walk of one partition through the steps: a part of the run. */
struct etl_strand {
	struct etl_part part;
	struct etl_run *run;

	/* between the strand and who carries it */
	struct etl_mail *inbox;	    /* in order; the strand takes from its front */
	struct etl_request request; /* for ETL_NEED_FETCH; lives until the next one is made */
	etl_dur fetch_limit; /* for ETL_NEED_FETCH: what is left of the step's; us == 0 = no limit */
	bool reading; /* the transfer that runs is still wanted; else it is to be dropped */

	struct etl_strand_work *work; /* the steps' own: strand.h */
};

/* Lent. Of a run whose work is flow. */
static inline struct etl_strand *etl_strand_of(struct etl_part *part)
{
	return ETL_OF(struct etl_strand, part, part);
}

/* Worker: walks the strand through the table's worker steps until it needs something. */
enum etl_need etl_strand_walk(struct etl_strand *strand);

/* True if the source of this strand's job blocks (its extract runs inside the worker). */
bool etl_strand_blocks(const struct etl_strand *strand);

#endif
