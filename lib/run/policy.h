/* SPDX-License-Identifier: MIT
 *
 * The one table that turns kinds of errors into verdicts. Nobody else decides to retry.
 */
#ifndef ETL_RUN_POLICY_H
#define ETL_RUN_POLICY_H

#include "base/error.h"
#include "time/clock.h"

enum etl_verdict {
	ETL_VERDICT_RETRY,     /* the same span again after `delay` */
	ETL_VERDICT_NEXT_SPAN, /* leave these windows open, try the others */
	ETL_VERDICT_STOP,      /* end the part; its other windows stay due */
	ETL_VERDICT_STOP_RUN,  /* end the run: nothing more may be written */
};

struct etl_policy_input {
	enum etl_error_kind kind;
	int64_t attempt;	/* tries of this span so far, from 1 */
	int64_t retry_max;	/* retries allowed */
	etl_dur backoff, max_backoff;
	int64_t retry_after_ms; /* what the other side asked for; 0 = nothing */
	etl_dur left;		/* until the run's timeout */
	uint64_t random;
};

/* Pure. `delay` is set for RETRY. A wait that would pass the run's timeout is a STOP. */
enum etl_verdict etl_policy_decide(const struct etl_policy_input *in, etl_dur *delay);

/* True if an operator has to act: shown as failing at once. */
bool etl_policy_needs_operator(enum etl_error_kind kind);

#endif
