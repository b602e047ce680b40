/* SPDX-License-Identifier: MIT
 *
 * A chain of stages: opened from its end, closed from its front.
 *
 * A type may name stages before it (`stages`): rows pass them in order, each gives to
 * `next`. Opened from the end, so that each finds its next one ready.
 */
#include "sink/sink.h"

#include <stdlib.h>

#include "base/alloc.h"

struct etl_sink *etl_sink_open(const struct etl_sink_type *type, const void *options,
	const struct etl_sink_env *env, struct etl_error *err)
{
	struct etl_sink_stage stages[ETL_SINK_STAGES_MAX + 1];
	size_t n = type->stages ? type->stages(options, stages) : 0;
	struct etl_sink_env own = *env;
	struct etl_sink *head = NULL;

	assert(n <= ETL_SINK_STAGES_MAX);
	stages[n] = (struct etl_sink_stage){type, options};
	for (size_t i = n + 1; i-- > 0;) {
		struct etl_sink *sink = ETL_NEW(struct etl_sink);

		sink->type = stages[i].type;
		sink->self = etl_calloc(1, sink->type->size);
		sink->next = own.next = head;
		head = sink;
		/* What is open so far is closed again, the one that failed included:
		 * its `close` has to bear that. */
		if (sink->type->open && sink->type->open(sink->self, stages[i].options, &own, err) < 0) {
			etl_sink_close(head);
			return NULL;
		}
	}
	return head;
}

/* NULL is fine: a chain that was never opened. */
void etl_sink_close(struct etl_sink *sink)
{
	while (sink) {
		struct etl_sink *next = sink->next;

		/* A chain that is closed in the middle of a slice has to take it back
		 * first. */
		if (sink->begun)
			etl_sink_abort(sink);
		if (sink->type->close)
			sink->type->close(sink->self);
		free(sink->self);
		free(sink);
		sink = next;
	}
}
