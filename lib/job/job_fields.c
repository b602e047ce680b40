/* SPDX-License-Identifier: MIT
 *
 * Do the parts of a job fit one another? Fields that a transform takes away although the key,
 * the event time or a check needs them, and windows that a transform cannot work with. What is
 * said here is sure: who mentions a field behind the loss may make it again, and is believed.
 *
 *   transform: [{drop: [station]}]      load: {mongodb: {key: [station, time]}}
 *
 * is refused: 'key' needs the field 'station', which 'drop' takes away. With a `set: {station:
 * ...}` behind the drop it is believed that the field comes back, although nobody looks at how.
 */
#include <string.h>

#include "base/str.h"
#include "job/job_parts.h"

/* Windows of days are the longest that a change of the clocks can make uneven; a year
 * has both. */
#define WINDOWS_TRIED 400 /* of days: a year with both changes of the clocks */

struct fit {
	const struct etl_job *job;
	const struct etl_job_nodes *nodes;
	const struct etl_conf_env *env;
};

/* The word stands somewhere in the tree, as a key, a value, or inside of a template or pointer.
 * Too generous on purpose: a name that occurs in any text behind the loss lets the job
 * pass. An error here would stop a job that is right; a gap is found by the first run. */
static bool is_mentioned(const struct etl_node *node, const char *name)
{
	if (node->kind == ETL_NODE_SCALAR)
		return strstr(node->text, name) != NULL;
	for (size_t i = 0; i < node->n; i++)
		if ((node->kind == ETL_NODE_MAP && is_mentioned(node->keys[i], name)) ||
			is_mentioned(node->items[i], name))
			return true;
	return false;
}

/* The transform behind which no record has the field; NULL = there is none that is sure. */
static const struct etl_node *loser_of(const struct fit *fit, const char *name)
{
	const struct etl_node *lost = NULL;

	for (size_t i = 0; i < fit->job->n_transforms; i++) {
		const struct etl_job_stage *stage = &fit->job->transforms[i];
		const struct etl_node *node = fit->nodes->transform->items[i];

		/* Such as aggregate: what it gives has nothing to do with what it got,
		 * and is judged by its own names. */
		if (stage->type->flush) /* makes records of its own */
			lost = NULL;
		else if (stage->type->loses && stage->type->loses(stage->options, name))
			lost = node;
		else if (lost && is_mentioned(node, name))
			lost = NULL;
	}
	return lost;
}

/* `who` needs this field: "/a/b" needs "a".
 * "/a/b" leads into a document: losing "a" loses it. A name with '~' is escaped and
 * left unjudged. */
static void need(const struct fit *fit, const char *who, const char *field)
{
	char name[256];
	const struct etl_node *loser;

	if (!*field || strchr(field, '~'))
		return;
	etl_text_copy(name, sizeof name, *field == '/' ? field + 1 : field);
	if (*field == '/')
		name[strcspn(name, "/")] = '\0';
	loser = loser_of(fit, name);
	if (loser)
		etl_diag_add(fit->env->diag, &loser->keys[0]->mark, ETL_DIAG_CONFLICT,
			"takes it away", NULL,
			"%s needs the field '%s', which '%s' takes away in %s", who, name,
			loser->keys[0]->text, fit->env->what);
}

static void need_all(const struct fit *fit, const char *who, const struct etl_node *names)
{
	bool list = names && names->kind == ETL_NODE_LIST;

	for (size_t i = 0; names && i < (list ? names->n : 1); i++) {
		const struct etl_node *at = list ? names->items[i] : names;

		if (at->kind == ETL_NODE_SCALAR)
			need(fit, who, at->text);
	}
}

/* Under its own name; who renames it knows what for.
 * A rename of the event time's field is no loss: the record keeps its time apart from
 * the field. */
static void need_time(const struct fit *fit)
{
	const char *field = fit->job->decode->time_text.field;
	const struct etl_node *loser = field && *field != '/' ? loser_of(fit, field) : NULL;

	if (fit->job->window.none || !loser || etl_streq(loser->keys[0]->text, "rename"))
		return;
	need(fit, "the event time", field);
}

static void check_windows(const struct fit *fit, size_t i)
{
	const struct etl_window_rules *rules = &fit->job->window;
	const struct etl_job_stage *stage = &fit->job->transforms[i];
	struct etl_window window = etl_grid_at(&rules->grid, rules->grid.start);
	const char *fault = NULL;

	for (int k = 0; k < WINDOWS_TRIED && !fault; k++) {
		if (rules->end.ms && window.end.ms > rules->end.ms)
			return;
		/* Windows are tried and not computed: what a transform can work with it
		 * knows by itself. */
		fault = stage->type->window_fault(stage->options, &window);
		window = etl_grid_after(&rules->grid, window);
	}
	if (fault)
		etl_diag_add(fit->env->diag, &fit->nodes->transform->items[i]->keys[0]->mark,
			ETL_DIAG_CONFLICT, NULL, NULL, "'%s' of %s: %s", stage->type->name,
			fit->env->what, fault);
}

/* The newest ten of a request for a month are not the newest ten of each of its days. */
static void check_cut(const struct fit *fit)
{
	const struct etl_window_rules *rules = &fit->job->window;
	const struct etl_source_type *type = fit->job->source;
	const struct etl_node *at = type->cut ? type->cut(fit->job->source_options) : NULL;

	if (at && !rules->none && rules->max_span.us > etl_grid_mean(&rules->grid).us)
		etl_diag_say(fit->env->diag, ETL_DIAG_WARNING, &at->mark, ETL_DIAG_CUT,
			"sees all windows of a request as one",
			"with window.max_span of one window each is asked for by itself",
			"'%s' in %s: what a window gets depends on which others are asked for "
			"with it",
			at->text, fit->env->what);
}

/* In the order of the file the transforms have to be all there, since their nodes are
 * looked at by number. */
void etl_job_check_fields(const struct etl_job *job, const struct etl_job_nodes *nodes,
	const struct etl_conf_env *env)
{
	const struct fit fit = {job, nodes, env};

	check_cut(&fit);
	if (!nodes->transform || nodes->transform->kind != ETL_NODE_LIST ||
		job->n_transforms != nodes->transform->n)
		return;
	for (size_t i = 0; i < job->n_loads; i++)
		need_all(&fit, "'key'", etl_node_get(etl_job_load_body(nodes->load, i), "key"));
	need_time(&fit);
	for (size_t i = 0; nodes->check && i < nodes->check->n; i++) {
		const struct etl_node *rule = nodes->check->items[i];

		need_all(&fit, "a check", etl_node_get(rule->items[0], "field"));
		need_all(&fit, "a check", etl_node_get(rule->items[0], "fields"));
	}
	for (size_t i = 0; !job->window.none && i < job->n_transforms; i++)
		if (job->transforms[i].type->window_fault)
			check_windows(&fit, i);
}
