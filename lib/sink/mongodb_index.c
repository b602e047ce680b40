/* SPDX-License-Identifier: MIT
 *
 * The indexes that a job declares for its target: read from the configuration, made when a
 * generation begins. An index that is there with other properties is an error, not changed.
 *
 * indexes: [{fields: [station, -t], unique: true}] makes station_1_t_-1 as
 * createIndexes would name it. It is made when a generation begins and not at the first
 * load: to build it on a collection of years takes minutes, and an error in it is the
 * configuration's.
 */
#include "base/buf.h"
#include "base/str.h"
#include "sink/mongodb.h"

#define CODE_NAMESPACE_EXISTS 48
#define CODE_OPTIONS_CONFLICT 85
#define CODE_KEY_SPECS_CONFLICT 86
#define CODE_DUPLICATE 11000
#define INDEXES_MAX 60 /* MongoDB allows 64 on a collection */
#define NAME_BYTES_MAX 512

static const struct etl_option index_table[] = {
	{.name = "fields", .type = ETL_OPT_STRINGS, .offset = offsetof(struct etl_sink_index, fields),
		.required = true, .help = "field names; -name for descending order"},
	{.name = "unique", .type = ETL_OPT_BOOL, .offset = offsetof(struct etl_sink_index, unique),
		.fallback = "false", .help = "no two documents with the same values"},
	{.name = "name", .type = ETL_OPT_STRING, .offset = offsetof(struct etl_sink_index, name),
		.help = "the index's name; made of the fields if absent"},
	{.name = "expire_after", .type = ETL_OPT_DURATION,
		.offset = offsetof(struct etl_sink_index, expire_after),
		.present = offsetof(struct etl_sink_index, expires), .min = 1, .max = 2147483647,
		.help = "documents are removed this long after the date in the one field"},
	{0}};

/* A TTL index of several fields expires nothing; the server refuses it only when it is
 * made. */
static void compile_one(struct etl_sink_index *index, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	if (!etl_options_fill(index_table, node, index, "load.mongodb.indexes", env))
		return;
	for (size_t i = 0; i < index->fields.n; i++)
		if (!*(index->fields.items[i] + (index->fields.items[i][0] == '-')))
			etl_diag_add(env->diag, &index->fields.nodes[i]->mark, ETL_DIAG_RANGE, NULL,
				NULL, "an index of %s has an empty field name", env->what);
	if (index->expires && index->fields.n != 1)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_CONFLICT, NULL, NULL,
			"'expire_after' of %s needs an index on one date field", env->what);
}

/* MongoDB allows 64; four are left for those that an operator makes. */
void etl_sink_indexes_compile(struct etl_sink_mongodb_options *o, const struct etl_conf_env *env)
{
	const struct etl_node *list = o->indexes_node;

	if (!list)
		return;
	if (list->kind != ETL_NODE_LIST || list->n > INDEXES_MAX) {
		etl_diag_add(env->diag, &list->mark,
			list->kind != ETL_NODE_LIST ? ETL_DIAG_TYPE : ETL_DIAG_LIMIT, NULL,
			"indexes: [{fields: [a, -b]}]", "'indexes' of %s is a list of at most %d",
			env->what, INDEXES_MAX);
		return;
	}
	o->indexes = etl_arena_zalloc(env->arena, (list->n + 1) * sizeof *o->indexes);
	for (size_t i = 0; i < list->n; i++)
		compile_one(&o->indexes[i], list->items[i], env);
	o->n_indexes = list->n;
}

/* "-t" is the name t, descending. */
static const char *field_name(const char *field, int *direction)
{
	*direction = field[0] == '-' ? -1 : 1;
	return field[0] == '-' ? field + 1 : field;
}

/* MongoDB's own way: a_1_b_-1
 * The name decides whether an index is there already: MongoDB compares names first. */
static void index_name(const struct etl_sink_index *index, struct etl_buf *name)
{
	int direction;

	if (index->name) {
		etl_buf_str(name, index->name);
		return;
	}
	for (size_t i = 0; i < index->fields.n; i++) {
		const char *field = field_name(index->fields.items[i], &direction);

		etl_buf_printf(name, "%s%s_%d", i ? "_" : "", field, direction);
	}
}

/* By command and not by the driver's helper, which has changed between its versions. */
static bson_t *create_indexes(const struct etl_sink_index *index, const char *collection,
	const char *name)
{
	bson_t *command = BCON_NEW("createIndexes", BCON_UTF8(collection));
	bson_t list, one, keys;
	int direction;

	BSON_APPEND_ARRAY_BEGIN(command, "indexes", &list);
	BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
	BSON_APPEND_DOCUMENT_BEGIN(&one, "key", &keys);
	for (size_t i = 0; i < index->fields.n; i++) {
		const char *field = field_name(index->fields.items[i], &direction);

		bson_append_int32(&keys, field, -1, direction);
	}
	bson_append_document_end(&one, &keys);
	BSON_APPEND_UTF8(&one, "name", name);
	if (index->unique)
		BSON_APPEND_BOOL(&one, "unique", true);
	if (index->expires)
		BSON_APPEND_INT64(&one, "expireAfterSeconds", etl_dur_ms(index->expire_after) / 1000);
	bson_append_document_end(&list, &one);
	bson_append_array_end(command, &list);
	return command;
}

/* Takes `command`.
 * `fine_code`: what would be an error and is what was wanted (the collection is there
 * already). */
static int run(mongoc_client_t *client, const char *database, bson_t *command, uint32_t fine_code,
	struct etl_error *err)
{
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	if (!mongoc_client_write_command_with_opts(
		    client, database, command, NULL, &reply, &error) &&
		(!fine_code || error.code != fine_code))
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	bson_destroy(command);
	return rc;
}

/* An index that is there with the same properties is no work at all. */
static int ensure_index(const struct etl_sink_mongodb_options *o,
	const struct etl_sink_index *index, mongoc_client_t *client, const char *database,
	struct etl_error *err)
{
	struct etl_buf name ETL_BUF_CLEANUP;
	int rc;

	etl_buf_init(&name, NAME_BYTES_MAX);
	index_name(index, &name);
	rc = run(client, database,
		create_indexes(index, o->collection, etl_buf_text(&name)), 0, err);
	if (rc == 0)
		return 0;
	/* The collection holds two documents of one value, or an index of other
	 * properties: an operator has to look; nothing is dropped to make room. */
	if (err->status == CODE_DUPLICATE || err->status == CODE_OPTIONS_CONFLICT ||
		err->status == CODE_KEY_SPECS_CONFLICT) {
		err->kind = ETL_PERMANENT;
		err->code = "mongodb.index";
	}
	return etl_error_prefix(err, "index '%s' of %s.%s", etl_buf_text(&name), database,
		o->collection);
}

int etl_sink_indexes_ensure(const struct etl_sink_mongodb_options *o, mongoc_client_t *client,
	const char *database, struct etl_error *err)
{
	/* Made by hand, because a transaction cannot make a collection on servers
	 * before 4.4. */
	bson_t *create = BCON_NEW("create", BCON_UTF8(o->collection));

	if (run(client, database, create, CODE_NAMESPACE_EXISTS, err) < 0)
		return etl_error_prefix(err, "collection %s.%s", database, o->collection);
	for (size_t i = 0; i < o->n_indexes; i++)
		if (ensure_index(o, &o->indexes[i], client, database, err) < 0)
			return -1;
	return 0;
}
