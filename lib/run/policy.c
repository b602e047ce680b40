/* SPDX-License-Identifier: MIT
 *
 * Kinds of errors to verdicts.
 *
 * Example: a 429 with "Retry-After: 90" at the first try, of a job with `backoff: 30s`. THROTTLED
 * is worth a retry; the wait is the longer of the two, 90 s; with 60 s left of the run's timeout it
 * is a STOP instead, and the windows stay due for the next slot.
 */
#include "run/policy.h"

#include "time/backoff.h"

static const struct {
	bool retry;		  /* worth trying again inside this run */
	enum etl_verdict when_spent; /* otherwise, or when the tries are used up */
	bool operator_acts;
} rules[] = {
	[ETL_OK] = {false, ETL_VERDICT_STOP, false},
	[ETL_CONFIG] = {false, ETL_VERDICT_STOP, true},
	[ETL_TRANSIENT] = {true, ETL_VERDICT_STOP, false},
	[ETL_THROTTLED] = {true, ETL_VERDICT_STOP, false},
	[ETL_AUTH] = {false, ETL_VERDICT_STOP, true},
	/* What cannot be read today may stand alone: the windows beside it still load. */
	[ETL_DATA] = {false, ETL_VERDICT_NEXT_SPAN, true},
	[ETL_CONFLICT] = {false, ETL_VERDICT_STOP_RUN, false},
	[ETL_PERMANENT] = {false, ETL_VERDICT_STOP, true},
	[ETL_CANCELLED] = {false, ETL_VERDICT_STOP_RUN, false},
	[ETL_LIMIT] = {false, ETL_VERDICT_NEXT_SPAN, true},
	[ETL_BUG] = {false, ETL_VERDICT_STOP_RUN, true},
};
_Static_assert(sizeof rules / sizeof *rules == ETL_ERROR_KIND_MAX, "every kind has a rule");

/* What the other side asked for counts as a wait also beyond max_backoff: it knows its own limits.
 */
enum etl_verdict etl_policy_decide(const struct etl_policy_input *in, etl_dur *delay)
{
	etl_dur wait;

	if (!rules[in->kind].retry || in->attempt > in->retry_max)
		return rules[in->kind].when_spent;
	wait = etl_backoff((unsigned)in->attempt, in->backoff, in->max_backoff, in->random);
	if (in->retry_after_ms * 1000 > wait.us)
		wait = ETL_MS(in->retry_after_ms);
	if (wait.us >= in->left.us)
		return rules[in->kind].when_spent;
	*delay = wait;
	return ETL_VERDICT_RETRY;
}

bool etl_policy_needs_operator(enum etl_error_kind kind)
{
	return rules[kind].operator_acts;
}
