/* SPDX-License-Identifier: MIT
 *
 * A job's `wait_for`: the sensor that a slot waits for. What is asked is put together here,
 * the question itself is mongo/newest.h, when it is asked is sched_sensor.c.
 *
 * wait_for: {collection: raw, field: t, newer_than: 2h}: a slot waits until some
 * document of raw has a t of the last two hours; it is asked every 5 min, and after 1 h
 * the slot is skipped.
 */
#include "base/str.h"
#include "conf/document.h"
#include "job/job_parts.h"

struct wait_options {
	const char *collection, *database, *field;
	const struct etl_node *filter;
	etl_dur newer_than, poke, timeout;
};

#define AT(member) offsetof(struct wait_options, member)

static const struct etl_option wait_table[] = {
	{.name = "collection", .type = ETL_OPT_STRING, .offset = AT(collection), .required = true,
		.help = "where something new is looked for"},
	{.name = "database", .type = ETL_OPT_STRING, .offset = AT(database),
		.help = "another database than the daemon's"},
	{.name = "field", .type = ETL_OPT_STRING, .offset = AT(field), .fallback = "_id",
		.help = "a date or an ObjectId; of an ObjectId its own time counts"},
	{.name = "filter", .type = ETL_OPT_NODE, .offset = AT(filter),
		.help = "a condition on the documents that count"},
	{.name = "newer_than", .type = ETL_OPT_DURATION, .offset = AT(newer_than),
		.required = true, .min = 1, .help = "how old the newest document may be"},
	{.name = "poke", .type = ETL_OPT_DURATION, .offset = AT(poke), .fallback = "5m", .min = 1,
		.max = 86400, .help = "how often it is asked"},
	{.name = "timeout", .type = ETL_OPT_DURATION, .offset = AT(timeout), .fallback = "1h",
		.min = 1, .max = 7 * 86400, .help = "then the slot is skipped"},
	{0},
};

/* A filter's bytes lie in the arena, like all of a job. NULL: it is wrong, or there is none.
 * Compiled once, without templates: a sensor has no window and no partition. */
static const bson_t *load_filter(const struct etl_node *node, const struct etl_conf_env *env)
{
	bson_t built = BSON_INITIALIZER;
	bson_t *filter = NULL;

	if (node && node->kind != ETL_NODE_MAP) {
		etl_job_fail_at(env, node, ETL_DIAG_TYPE, "a mapping of conditions",
			"wrong wait_for.filter");
	} else if (node && etl_conf_to_bson(node, true, &built, env) == 0) {
		uint8_t *bytes = etl_arena_alloc(env->arena, built.len);

		memcpy(bytes, bson_get_data(&built), built.len);
		filter = etl_arena_zalloc(env->arena, sizeof *filter);
		bson_init_static(filter, bytes, built.len);
	}
	bson_destroy(&built);
	return filter;
}

/* Told at load: the server would refuse such a name at the first poke, an hour before
 * anybody looks. */
static void check_names(const struct wait_options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (o->collection && !etl_is_name(o->collection, 200))
		etl_job_fail_at(env, etl_node_get(node, "collection"), ETL_DIAG_RANGE,
			"letters, digits, '_', '.' and '-'", "no collection's name");
	if (o->database && (!etl_is_name(o->database, 63) || strchr(o->database, '.')))
		etl_job_fail_at(env, etl_node_get(node, "database"), ETL_DIAG_RANGE,
			"letters, digits, '_' and '-'", "no database's name");
	if (o->field && (!*o->field || *o->field == '$'))
		etl_job_fail_at(env, etl_node_get(node, "field"), ETL_DIAG_RANGE,
			"a field, or a path with points", "no field's name");
}

/* The sensor is kept even if a name is wrong: the job is not used then. */
void etl_job_load_wait(struct etl_job *job, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct wait_options o = {0};
	struct etl_wait_for *wait;

	if (!node)
		return;
	etl_options_fill(wait_table, node, &o, "wait_for", env);
	check_names(&o, node, env);
	wait = etl_arena_zalloc(env->arena, sizeof *wait);
	*wait = (struct etl_wait_for){
		.collection = o.collection,
		.database = o.database,
		.field = o.field,
		.filter = load_filter(o.filter, env),
		.newer_than = o.newer_than,
		.poke = o.poke,
		.timeout = o.timeout,
	};
	job->wait_for = wait;
}
