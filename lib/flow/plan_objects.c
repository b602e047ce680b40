/* SPDX-License-Identifier: MIT
 *
 * The plan of a job whose units are objects: its source lists what there is, page by page, and plan/ says
 * what of it is due. What is in the way of an object is told here; nothing is left out silently.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "flow/strand.h"
#include "plan/object_plan.h"

struct listing {
	struct etl_strand *strand;
	struct etl_object_plan plan;
	char *last; /* the listing goes on behind it; owned; NULL = from the first */
};

static void warn(struct etl_strand *strand, const char *rule, const char *text)
{
	strand->part.warnings++;
	etl_tally_add(&strand->part.warned, "plan", rule, "", text, 1);
}

static void tell_refused(struct etl_strand *strand, const struct etl_listed *listed)
{
	char shown[200], text[300];

	etl_object_show(listed->object.name, shown, sizeof shown);
	snprintf(text, sizeof text, "'%s' %s", shown, listed->refused);
	warn(strand, "refused", text);
}

/* A page may end with what is refused: the next one begins behind it. */
static int take(void *ctx, const struct etl_listed *listed, struct etl_error *err)
{
	struct listing *l = ctx;

	free(l->last);
	l->last = etl_strdup(listed->object.name);
	if (!listed->refused)
		return etl_object_plan_take(&l->plan, &listed->object, listed->waits != NULL, err);
	tell_refused(l->strand, listed);
	return 0;
}

static int list_pages(struct listing *l, void *source, struct etl_error *err)
{
	const struct etl_run *run = l->strand->run;
	int more = 1;

	while (more == 1 && !l->plan.due->more)
		more = run->job->source->list(source, l->last, etl_now(run->env->clock), take,
			l, err);
	if (more < 0)
		return -1;
	return l->plan.due->more ? 0 : etl_object_plan_end(&l->plan, err);
}

/* Nobody can read them any more: they are closed with that word, and due again should they come back. */
static int give_up_gone(struct etl_strand *strand, struct etl_object_plan *plan, struct etl_error *err)
{
	const struct etl_run *run = strand->run;

	for (size_t i = 0; i < plan->n_gone; i++) {
		struct etl_ledger_entry *entry = &plan->gone[i];

		entry->state = ETL_WINDOW_UNRECOVERABLE;
		entry->updated = etl_now(run->env->clock);
		memcpy(entry->run_id, run->run_id, sizeof entry->run_id);
		snprintf(entry->reason, sizeof entry->reason,
			"the source does not list it any more, and it was never loaded");
	}
	if (!plan->n_gone)
		return 0;
	strand->part.windows.lost += plan->n_gone;
	return run->env->state->ops->ledger_mark(run->env->state, run->job->name,
		strand->part.partition->name, run->fence, plan->gone, plan->n_gone, err);
}

static int plan_all(struct listing *l, void *source, struct etl_error *err)
{
	bool first = !l->plan.due->after;

	if (list_pages(l, source, err) < 0)
		return -1;
	if (l->plan.asked) {
		if (!l->plan.due->n)
			warn(l->strand, "not_listed",
				"the source lists nothing of what was asked for, or it is too young");
		return 0;
	}
	if (give_up_gone(l->strand, &l->plan, err) < 0)
		return -1;
	l->strand->part.missing += l->plan.missing;
	l->strand->part.waiting += l->plan.waiting;
	if (first && !l->plan.listed && !l->plan.due->more)
		warn(l->strand, "nothing", "the source lists no object at all: see extract");
	return 0;
}

int etl_plan_objects(struct etl_strand *strand, struct etl_error *err)
{
	const struct etl_run *run = strand->run;
	const struct etl_source_type *type = run->job->source;
	struct etl_vars vars = etl_span_vars(strand);
	struct etl_source_env env = etl_span_source_env(strand, &vars, NULL);
	struct listing *l = ETL_NEW(struct listing);
	void *source = etl_calloc(1, type->size);
	struct etl_due_list *due = &strand->work->plan.due;
	struct etl_objects_asked asked = {run->trigger.object, run->trigger.reprocess};
	int rc;

	l->strand = strand;
	l->plan = (struct etl_object_plan){.asked = run->trigger.object ? &asked : NULL,
		.state = run->env->state, .job = run->job->name,
		.partition = strand->part.partition->name, .now = run->planned, .due = due};
	if (due->after)
		l->last = etl_strdup(due->after);
	etl_object_plan_begin(&l->plan);
	rc = type->open(source, run->job->source_options, &env, err);
	if (rc == 0)
		rc = plan_all(l, source, err);
	type->close(source);
	free(source);
	etl_object_plan_fini(&l->plan);
	free(l->last);
	free(l);
	return rc;
}
