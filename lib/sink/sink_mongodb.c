/* SPDX-License-Identifier: MIT
 *
 * mongodb: documents identified by a key, written in the transaction that also carries the
 * ledger. Knows nothing of windows and never touches the metadata.
 *
 * Inside a transaction one refused document ends the transaction. The sink then finds all
 * that are refused with transactions of its own, which it throws away, and asks for the
 * slice again ("txn.retry"): the second time they are rejects from the start.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/str.h"
#include "record/path.h"
#include "sink/mongodb_write.h"

/* Each costs a transaction of its own; 200 in one slice are a wrong mapping and not a
 * bad sensor. */
#define REFUSALS_MAX 200 /* in one slice; more than that is no accident */
#define NAME_MAX_BYTES 120

static const char *const mode_words[] = {"upsert", "insert", NULL};

#define AT(member) offsetof(struct etl_sink_mongodb_options, member)
/* Collection and database are told as the target, with the daemon's database where none is said. */
static const struct etl_option options[] = {
	{.name = "collection", .type = ETL_OPT_STRING, .offset = AT(collection), .required = true,
		.aside = true, .help = "where the documents go"},
	{.name = "database", .type = ETL_OPT_STRING, .offset = AT(database),
		.aside = true, .help = "another database than the daemon's"},
	{.name = "mode", .type = ETL_OPT_WORD, .offset = AT(mode), .words = mode_words,
		.fallback = "upsert",
		.help = "upsert replaces a changed document, insert leaves what is there"},
	{.name = "key", .type = ETL_OPT_STRINGS, .offset = AT(key), .required = true,
		.help = "the fields that identify a record: they become its _id"},
	{.name = "indexes", .type = ETL_OPT_NODE, .offset = AT(indexes_node),
		.aside = true, .help = "[{fields: [a, -b], unique: true, name: n, expire_after: 90d}]"},
	{.name = "version", .type = ETL_OPT_STRING, .offset = AT(version),
		.help = "a document with a greater value of this field is not replaced"},
	{0}};

/* One instance for a strand. Refusals live from one try of a slice to the next. */
struct sink {
	const struct etl_sink_mongodb_options *options;
	struct etl_mongo *mongo;
	const char *database;
	struct etl_txn *txn;
	struct etl_sink_refusal *refusals;
	size_t n_refusals, refusals_cap;
};

/* ---- configuration ---------------------------------------------------------------------- */

/* "system." is the server's own. */
static bool is_collection_name(const char *name)
{
	return etl_is_name(name, NAME_MAX_BYTES) && !etl_starts_with(name, "system.") &&
		name[0] != '.' && name[strlen(name) - 1] != '.';
}

/* At most 63 bytes, without dots: the server's rule. */
static bool is_database_name(const char *name)
{
	return etl_is_name(name, 63) && !strchr(name, '.');
}

static void bad_name(const struct etl_node *map, const char *key, const char *name,
	const struct etl_conf_env *env)
{
	const struct etl_node *node = etl_node_get(map, key);

	etl_diag_add(env->diag, node ? &node->mark : NULL, ETL_DIAG_RANGE, NULL,
		"letters, digits, '_', '-' and '.'; no dot in a database's name",
		"'%s' is no name for a %s in %s", name, key, env->what);
}

/* key: [station, station] would make "a|a" of every record: not wrong, but not what was meant. */
static void check_key(const struct etl_sink_mongodb_options *o, const struct etl_conf_env *env)
{
	struct etl_path path;

	for (size_t i = 0; i < o->key.n; i++) {
		const char *name = o->key.items[i];
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice |= etl_streq(o->key.items[k], name);
		if (twice || !*name || name[0] == '$')
			etl_diag_add(env->diag, &o->key.nodes[i]->mark, ETL_DIAG_RANGE, NULL, NULL,
				"'%s' in 'key' of %s is %s", name, env->what,
				twice ? "named twice" : "no field name");
		else
			etl_path_configure(name, o->key.nodes[i], "key", env, &path);
	}
}

/* Outside of a transaction the version is part of the query that replaces a document; a name that no
 * query can say would be left out there, and protect nothing. */
static void check_version(const struct etl_sink_mongodb_options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const struct etl_node *at = etl_node_get(node, "version");
	struct etl_path path;

	if (!o->version || !etl_path_configure(o->version, at, "version", env, &path))
		return;
	for (size_t i = 0; i < path.n; i++) {
		const char *name = path.tokens[i].name;

		if (*name && *name != '$' && !strchr(name, '.'))
			continue;
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_RANGE,
			"a field within a field is /meta/version; another name for it comes by rename",
			"etld.yaml(5), load, version",
			"no query of MongoDB can say '%s', the 'version' of %s", o->version, env->what);
		return;
	}
}

/* What etld keeps there is written by guarded updates alone: rows of a job among its documents would be
 * read as its own, and a `swap` or an index of a job would be the end of the ledger. */
static void check_metadata(const struct etl_sink_mongodb_options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	const char *database = o->database ? o->database : env->database;
	const struct etl_node *at = etl_node_get(node, "database");

	if (!database || !env->metadata || !etl_streq(database, env->metadata))
		return;
	etl_diag_add(env->diag, at ? &at->mark : &node->mark, ETL_DIAG_CONFLICT,
		o->database ? "name another database" :
			      "say `database:` here, or another one at `mongodb` or `metadata` in etld.yaml",
		"etld.yaml(5), metadata", "the load of %s goes into '%s', where etld keeps its metadata",
		env->what, database);
}

static void check(void *opts, const struct etl_node *node, const struct etl_conf_env *env)
{
	struct etl_sink_mongodb_options *o = opts;

	if (o->collection && !is_collection_name(o->collection))
		bad_name(node, "collection", o->collection, env);
	if (o->database && !is_database_name(o->database))
		bad_name(node, "database", o->database, env);
	check_key(o, env);
	check_version(o, node, env);
	check_metadata(o, node, env);
	etl_sink_indexes_compile(o, env);
}

/* The server is not part of it: the metadata lies on the same one, and goes where the data goes.
 * "etl.hourly": what the ledger notes for each unit that went there. */
static void target(const void *opts, const char *database, char *out, size_t size)
{
	const struct etl_sink_mongodb_options *o = opts;

	snprintf(out, size, "%s.%s", o->database ? o->database : database, o->collection);
}

/* The job's own database, or the daemon's. */
static const char *database_of(const struct etl_sink_mongodb_options *o,
	const struct etl_sink_env *env)
{
	return o->database ? o->database : env->database;
}

/* Collection and indexes are there before the first transaction, which could not make
 * them. */
static int prepare(const void *opts, const struct etl_sink_env *env, struct etl_error *err)
{
	mongoc_client_t *client;
	int rc;

	if (!env->mongo)
		return etl_error_set(err, ETL_CONFIG, "mongodb.absent", "no MongoDB is configured");
	client = etl_mongo_pop(env->mongo);
	if (!client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	rc = etl_sink_indexes_ensure(opts, client, database_of(opts, env), err);
	etl_mongo_push(env->mongo, client);
	return rc;
}

/* ---- refusals --------------------------------------------------------------------------- */

static void forget_refusals(struct sink *s)
{
	for (size_t i = 0; i < s->n_refusals; i++) {
		free(s->refusals[i].key);
		free(s->refusals[i].message);
	}
	s->n_refusals = 0;
}

/* Key and content: the same record again, and no other of the same key, is the one that
 * was refused. */
static void item_identity(struct etl_sink_plan *plan, const struct etl_sink_item *item,
	struct etl_sink_refusal *out)
{
	bson_t doc;

	etl_buf_clear(&plan->key);
	if (bson_init_static(&doc, item->doc, item->len))
		etl_sink_stored_key(&doc, &plan->key);
	out->key = plan->key.data;
	out->key_len = plan->key.len;
	out->digest = etl_hash64(item->doc, item->len, 0);
}

/* A walk, since there are few; most slices have none. */
static const struct etl_sink_refusal *find_refusal(const struct sink *s,
	const struct etl_sink_refusal *id)
{
	for (size_t i = 0; i < s->n_refusals; i++) {
		const struct etl_sink_refusal *r = &s->refusals[i];

		if (r->digest == id->digest && r->key_len == id->key_len &&
			memcmp(r->key, id->key, id->key_len) == 0)
			return r;
	}
	return NULL;
}

/* The message is kept, because the second time nobody asks the server for it. */
static void remember(struct sink *s, struct etl_sink_plan *plan, const struct etl_sink_item *item)
{
	struct etl_sink_refusal r = {.rule = item->rule};

	item_identity(plan, item, &r);
	if (find_refusal(s, &r))
		return;
	r.key = etl_memdup0(r.key, r.key_len);
	r.message = etl_strdup(item->message);
	ETL_GROW(s->refusals, s->n_refusals, s->refusals_cap);
	s->refusals[s->n_refusals++] = r;
}

/* Before anything is written: a document that was refused once would end the
 * transaction again. */
static void apply_refusals(const struct sink *s, struct etl_sink_plan *plan)
{
	struct etl_sink_refusal id;

	for (size_t i = 0; i < plan->n && s->n_refusals; i++) {
		struct etl_sink_item *item = &plan->items[i];
		const struct etl_sink_refusal *r;

		if (item->verdict == ETL_VERDICT_REFUSED)
			continue;
		item_identity(plan, item, &id);
		r = find_refusal(s, &id);
		if (!r)
			continue;
		item->verdict = ETL_VERDICT_REFUSED;
		item->rule = r->rule;
		item->message = etl_arena_strdup(plan->arena, r->message);
	}
}

/* ---- writing ---------------------------------------------------------------------------- */

/* A command that was refused as a whole: by what in it that the server cannot read, if that
 * is the reason. All of it is found at once.
 * Only for errors that a document may have caused: a lost connection is none. */
static struct etl_sink_item *find_malformed(struct sink *s, struct etl_sink_plan *plan,
	const struct etl_error *err)
{
	struct etl_sink_item *item, *first = NULL;

	if (err->kind != ETL_PERMANENT && err->kind != ETL_DATA)
		return NULL;
	while ((item = etl_sink_plan_malformed(plan))) {
		if (!first)
			first = item;
		if (s->txn && s->n_refusals < REFUSALS_MAX)
			remember(s, plan, item);
	}
	return first;
}

/* Look, then write. A fault point lies between: a test puts another writer there. */
static int attempt(struct sink *s, struct etl_sink_plan *plan, mongoc_client_t *client,
	const bson_t *session, struct etl_sink_item **refused, struct etl_error *err)
{
	mongoc_collection_t *c =
		mongoc_client_get_collection(client, s->database, s->options->collection);
	int rc = etl_sink_plan_compare(plan, c, session, err);

	*refused = NULL;
	if (rc == 0)
		rc = etl_fault("sink.compared", err);
	if (rc == 0)
		rc = etl_sink_plan_write(plan, c, session, refused, err);
	if (rc < 0 && !*refused)
		*refused = find_malformed(s, plan, err);
	mongoc_collection_destroy(c);
	return rc;
}

/* txn.retry: whoever drives the slice begins it again, with a new transaction. */
static int ask_again(const struct sink *s, struct etl_error *err)
{
	return etl_error_set(err, ETL_TRANSIENT, "txn.retry",
		"%s.%s refuses %zu documents; the slice goes in without them", s->database,
		s->options->collection, s->n_refusals);
}

/* Throw-away transactions until one is refused nothing.
 * A slice with three bad documents: the first try meets one and loses its transaction;
 * probes find the second and the third, and one that is refused nothing; the slice is
 * asked for again, and all three are rejects from the start. Without probes each would
 * cost a try of the whole slice. */
static int find_all_refused(struct sink *s, struct etl_sink_plan *plan,
	struct etl_sink_item *refused, struct etl_error *err)
{
	while (refused) {
		struct etl_txn *probe;

		if (s->n_refusals >= REFUSALS_MAX) {
			err->kind = ETL_PERMANENT;
			return etl_error_prefix(err, "more than %d documents refused, the last",
				REFUSALS_MAX);
		}
		remember(s, plan, refused);
		etl_sink_plan_settle(plan);
		probe = etl_txn_begin(s->mongo, err);
		if (!probe)
			return -1;
		if (attempt(s, plan, probe->client, probe->opts, &refused, err) < 0 && !refused) {
			etl_txn_free(probe);
			return -1;
		}
		etl_txn_free(probe);
	}
	return ask_again(s, err);
}

/* 0 and done, a refusal that is looked for, or an error that is not about a document. */
static int write_in_transaction(struct sink *s, struct etl_sink_plan *plan, struct etl_error *err)
{
	struct etl_sink_item *refused;

	if (attempt(s, plan, s->txn->client, s->txn->opts, &refused, err) == 0)
		return 0;
	return refused ? find_all_refused(s, plan, refused, err) : -1;
}

/* Without a transaction (another load commits, or the server has none) what is written
 * stays: a repeat finds it and leaves it alone. */
static int write_alone(struct sink *s, struct etl_sink_plan *plan, struct etl_error *err)
{
	mongoc_client_t *client = etl_mongo_pop(s->mongo);
	struct etl_sink_item *refused;
	int rc;

	if (!client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	rc = attempt(s, plan, client, NULL, &refused, err);
	if (rc < 0 && refused) { /* once more, without what the server cannot read */
		etl_error_clear(err);
		etl_sink_plan_settle(plan);
		rc = attempt(s, plan, client, NULL, &refused, err);
	}
	while (rc == 0 && etl_sink_plan_revive(plan))
		rc = attempt(s, plan, client, NULL, &refused, err);
	etl_mongo_push(s->mongo, client);
	return rc;
}

static void note(struct etl_load_note *note, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void note(struct etl_load_note *note, const char *fmt, ...)
{
	va_list ap;

	if (note->n++)
		return;
	va_start(ap, fmt);
	vsnprintf(note->first, sizeof note->first, fmt, ap);
	va_end(ap);
}

/* The beginning of the identity as JSON, for people: {"_id":"s1|@2026-..."}
 * A hundred bytes are enough to find it. */
static void id_text(const struct etl_sink_item *item, struct etl_buf *out)
{
	bson_t doc, only = BSON_INITIALIZER;
	bson_iter_t it;
	char *json;

	if (bson_init_static(&doc, item->doc, item->len) && bson_iter_init_find(&it, &doc, "_id"))
		bson_append_iter(&only, "_id", -1, &it);
	json = bson_as_relaxed_extended_json(&only, NULL);
	etl_buf_printf(out, "%.*s", (int)etl_utf8_cut(json, strlen(json) < 100 ? strlen(json) : 100), json);
	bson_free(json);
	bson_destroy(&only);
}

/* Told once a slice with an example, and counted: a thousand equal warnings say no more
 * than one. */
static void warn(const struct sink *s, const struct etl_batch *batch, size_t i,
	const struct etl_sink_item *item, struct etl_load_result *result)
{
	if (item->had_id)
		note(&result->ids, "record %llu of its answer has an _id of its own, which 'key' has "
			"replaced", (unsigned long long)batch->records[i].position);
	if (item->version)
		note(&result->versions, "'%s' of record %llu of its answer: %s", s->options->version,
			(unsigned long long)batch->records[i].position, item->version);
	if (item->verdict == ETL_VERDICT_SUPERSEDED) {
		ETL_BUF_CLEANUP struct etl_buf id;

		etl_buf_init(&id, 1024);
		if (!result->keys.n)
			id_text(item, &id);
		note(&result->keys, "%s: record %llu of its answer has the key of a later one, which "
			"is the one that stays", etl_buf_text(&id),
			(unsigned long long)batch->records[i].position);
	}
}

/* Which record became what, for those who have to know it of each (several loads of one
 * job). */
static void fate(struct etl_load_result *result, size_t i, enum etl_load_fate fate)
{
	if (result->fates)
		result->fates[i] = (uint8_t)fate;
}

/* Only what was written sets its bit: dependants are woken by what changed. */
static void report_one(struct etl_batch *batch, size_t i, const struct etl_sink_item *item,
	struct etl_load_result *result)
{
	switch (item->verdict) {
	case ETL_VERDICT_REFUSED:
		result->rejected++;
		fate(result, i, ETL_LOAD_REFUSED);
		etl_batch_reject_record(batch, i, "load", item->rule, item->path, "%s", item->message);
		return;
	case ETL_VERDICT_SUPERSEDED:
		result->overwritten++;
		fate(result, i, ETL_LOAD_OVERWRITTEN);
		return;
	case ETL_VERDICT_OLDER:
		result->stale++;
		fate(result, i, ETL_LOAD_STALE);
		return;
	case ETL_VERDICT_SAME:
		result->unchanged++;
		return;
	case ETL_VERDICT_NEW:
	case ETL_VERDICT_CHANGED:
		break;
	}
	result->inserted += item->verdict == ETL_VERDICT_NEW;
	result->updated += item->verdict == ETL_VERDICT_CHANGED;
	etl_bit_set(result->changed, i);
	if (result->created && item->verdict == ETL_VERDICT_NEW)
		etl_bit_set(result->created, i);
}

/* The counts of a slice: each record is in exactly one of them, so they add up to what
 * came. */
static void report(const struct sink *s, const struct etl_sink_plan *plan, struct etl_batch *batch,
	struct etl_load_result *result)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (result->identities)
			result->identities[i] = plan->items[i].identity;
		if (plan->items[i].verdict != ETL_VERDICT_REFUSED)
			warn(s, batch, i, &plan->items[i], result);
		report_one(batch, i, &plan->items[i], result);
	}
	if (result->rejected)
		etl_batch_compact(batch);
}

/* The plan is settled twice: with all records, and again without those that were
 * refused before. */
static int write_batch(void *self, struct etl_batch *batch, struct etl_load_result *result,
	struct etl_error *err)
{
	struct sink *s = self;
	struct etl_sink_plan *plan = etl_sink_plan_new(s->options, batch);
	int rc;

	apply_refusals(s, plan);
	etl_sink_plan_settle(plan); /* under what is refused an earlier one may stay */
	rc = s->txn ? write_in_transaction(s, plan, err) : write_alone(s, plan, err);
	if (rc == 0)
		report(s, plan, batch, result);
	etl_sink_plan_free(plan);
	return rc;
}

/* ---- life ------------------------------------------------------------------------------- */

/* Without MongoDB (a daemon that only checks) nothing can be opened, and the word says
 * so. */
static int open_sink(void *self, const void *opts, const struct etl_sink_env *env,
	struct etl_error *err)
{
	struct sink *s = self;

	if (!env->mongo)
		return etl_error_set(err, ETL_CONFIG, "mongodb.absent", "no MongoDB is configured");
	s->options = opts;
	s->mongo = env->mongo;
	s->database = database_of(opts, env);
	return 0;
}

static int begin(void *self, const struct etl_sink_slice *slice, struct etl_error *err)
{
	struct sink *s = self;

	(void)err;
	s->txn = slice->txn;
	return 0;
}

/* What was refused is in the ledger as dead letters; the next slice begins without
 * memory. */
static int commit(void *self, struct etl_error *err)
{
	struct sink *s = self;

	(void)err;
	s->txn = NULL;
	forget_refusals(s);
	return 0;
}

static void abort_sink(void *self)
{
	struct sink *s = self;

	s->txn = NULL; /* refusals stay: the slice may come again */
}

static void close_sink(void *self)
{
	struct sink *s = self;

	forget_refusals(s);
	free(s->refusals);
}

const struct etl_sink_type etl_sink_mongodb = {
	.name = "mongodb",
	.summary = "documents in a collection, identified by a key",
	.options = options,
	.options_size = sizeof(struct etl_sink_mongodb_options),
	.size = sizeof(struct sink),
	.joins_transaction = true,
	.check = check,
	.target = target,
	.prepare = prepare,
	.open = open_sink,
	.begin = begin,
	.write = write_batch,
	.commit = commit,
	.abort = abort_sink,
	.close = close_sink,
};
