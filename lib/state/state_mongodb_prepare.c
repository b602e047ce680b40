/* SPDX-License-Identifier: MIT
 *
 * Collections and indexes of the MongoDB store, made once at start and never while a
 * transaction is open: an index built then may miss that transaction's documents.
 */
#include <stdio.h>

#include "state/mongodb.h"

enum { INDEX_KEYS = 7 };

struct index_row {
	const char *collection;
	const char *name;
	struct {
		const char *field;
		int direction;
	} keys[INDEX_KEYS];
	int keep_days; /* TTL; 0 = none */
};

#define COUNTED {"step", 1}, {"rule", 1}, {"window_start", 1}

static const struct index_row indexes[] = {
	{"windows", "job_partition_start", {{"job", 1}, {"partition", 1}, {"start", 1}}},
	{"windows", "job_start", {{"job", 1}, {"start", 1}}},
	/* What is open is looked for by job and over all jobs alike, so the state comes first. Not partial
	 * indexes: not every server puts a document in that comes to match later. */
	{"windows", "state_job", {{"state", 1}, {"job", 1}}},
	{"windows", "dirty_job_start", {{"dirty", 1}, {"job", 1}, {"start", 1}}},
	{"watermarks", "job_name", {{"job_name", 1}}},
	{"watermark_changes", "job_at", {{"job", 1}, {"at", -1}}},
	{"runs", "job_started", {{"job", 1}, {"started", -1}}},
	{"runs", "started", {{"started", -1}}},
	{"runs", "keep", {{"ended", 1}}, ETL_RUNS_KEEP_DAYS},
	/* A list goes along one of these; counting by rule looks at nothing but the index, since what
	 * was refused may be 64 KiB a letter. */
	{"dead_letters", "at_id", {{"at", -1}, {"_id", -1}, COUNTED}},
	{"dead_letters", "job_at_id", {{"job", 1}, {"at", -1}, {"_id", -1}, COUNTED}},
	{"dead_letters", "job_partition_at_id",
		{{"job", 1}, {"partition", 1}, {"at", -1}, {"_id", -1}, COUNTED}},
	{"dead_letters", "job_window_at_id", {{"job", 1}, {"window_start", 1}, {"at", -1}, {"_id", -1},
		{"step", 1}, {"rule", 1}, {"partition", 1}}},
	{"dead_letters", "run_at_id", {{"run_id", 1}, {"at", -1}, {"_id", -1}, COUNTED}},
	{"dead_letters", "keep", {{"at", 1}}, ETL_DEAD_LETTERS_KEEP_DAYS},
	{"audit", "at", {{"at", -1}}},
	{"backfills", "job_created", {{"job", 1}, {"created_at", -1}}},
	{"backfills", "keep", {{"ended_at", 1}}, ETL_RUNS_KEEP_DAYS},
	{"sessions", "keep", {{"updated_at", 1}}, ETL_SESSIONS_KEEP_DAYS},
	{"sources", "keep", {{"updated_at", 1}}, ETL_SOURCES_KEEP_DAYS},
	{"alerts", "keep", {{"at", 1}}, ETL_ALERTS_KEEP_DAYS},
	/* Named so that they exist before the first transaction writes to them. */
	{"leases", NULL},
	{"pauses", NULL},
};

static void append_index(bson_t *list, const struct index_row *row)
{
	bson_t one, keys;

	BSON_APPEND_DOCUMENT_BEGIN(list, "0", &one);
	BSON_APPEND_DOCUMENT_BEGIN(&one, "key", &keys);
	for (size_t k = 0; k < INDEX_KEYS && row->keys[k].field; k++)
		BSON_APPEND_INT32(&keys, row->keys[k].field, row->keys[k].direction);
	bson_append_document_end(&one, &keys);
	BSON_APPEND_UTF8(&one, "name", row->name);
	if (row->keep_days)
		BSON_APPEND_INT32(&one, "expireAfterSeconds", row->keep_days * 86400);
	bson_append_document_end(list, &one);
}

static int run_command(mongoc_client_t *client, const char *database, const bson_t *command,
	uint32_t fine_code, struct etl_error *err)
{
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	if (!mongoc_client_write_command_with_opts(
		    client, database, command, NULL, &reply, &error) &&
		error.code != fine_code)
		rc = etl_mongo_error(err, &error, &reply);
	bson_destroy(&reply);
	return rc;
}

#define CODE_NAMESPACE_EXISTS 48

static int make(mongoc_client_t *client, const char *database, const struct index_row *row,
	struct etl_error *err)
{
	bson_t command = BSON_INITIALIZER;
	bson_t list;
	int rc;

	if (row->name) {
		BSON_APPEND_UTF8(&command, "createIndexes", row->collection);
		BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &list);
		append_index(&list, row);
		bson_append_array_end(&command, &list);
	} else {
		BSON_APPEND_UTF8(&command, "create", row->collection);
	}
	rc = run_command(client, database, &command, CODE_NAMESPACE_EXISTS, err);
	bson_destroy(&command);
	if (rc < 0)
		etl_error_prefix(err, "%s.%s%s%s", database, row->collection,
			row->name ? ", index " : "", row->name ? row->name : "");
	return rc;
}

int etl_smdb_prepare(struct etl_state *s, struct etl_error *err)
{
	struct etl_state_mongodb *store = etl_state_mongodb(s);
	struct etl_mongo_topology topology;
	mongoc_client_t *client;
	int rc = 0;

	if (etl_mongo_ping(store->mongo, &topology, err) < 0 || etl_smdb_check_layout(s, err) < 0)
		return -1;
	client = etl_mongo_pop(store->mongo);
	if (!client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes && rc == 0; i++)
		rc = make(client, store->database, &indexes[i], err);
	etl_mongo_push(store->mongo, client);
	if (rc == 0)
		store->transactions = topology.transactions;
	return rc;
}
