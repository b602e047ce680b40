/* SPDX-License-Identifier: MIT
 *
 * Comparing and writing one batch. Only what differs is written; every write replaces a
 * whole document by its _id, so that a repeat changes nothing.
 *
 * The way of a batch of 1,000: documents are made (a key is missing: refused), of
 * several with one key one stays, one query asks for the stored ones by _id, what is
 * equal byte for byte is left alone, and one bulk replaces the rest. A re-read of what
 * is loaded writes nothing at all.
 */
#include "sink/mongodb_write.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "record/path.h"

#define KEY_BYTES_MAX (1024 * 1024)
#define CODE_DUPLICATE 11000
#define NOBODY SIZE_MAX

/* The plan owns all that it says; the batch is only read until the outcome is reported. */
struct etl_sink_plan *etl_sink_plan_new(const struct etl_sink_mongodb_options *options,
	const struct etl_batch *batch)
{
	struct etl_sink_plan *plan = ETL_NEW(struct etl_sink_plan);

	plan->options = options;
	plan->arena = etl_arena_new(0);
	plan->keys = etl_keyset_new(batch->n + 1, 2 * (size_t)ETL_DOCUMENT_BYTES_MAX);
	plan->items = etl_calloc(batch->n, sizeof *plan->items);
	plan->last = etl_calloc(batch->n, sizeof *plan->last);
	plan->n = batch->n;
	etl_buf_init(&plan->key, KEY_BYTES_MAX);
	for (size_t i = 0; i < batch->n; i++) {
		struct etl_sink_item *item = &plan->items[i];
		int rc;

		etl_buf_clear(&plan->key);
		etl_sink_document(options, &batch->records[i], plan->arena, &plan->key, item);
		if (item->verdict == ETL_VERDICT_REFUSED)
			continue;
		rc = etl_buf_ok(&plan->key) ? etl_keyset_put(plan->keys, plan->key.data,
			plan->key.len, &item->number) : -1;
		if (rc < 0)
			*item = (struct etl_sink_item){.verdict = ETL_VERDICT_REFUSED, .rule = "key",
				.path = "", .message = "the key is too large"};
		else
			/* The lowest bit is set, so that 0 can mean "none". */
			item->identity = etl_hash64(plan->key.data, plan->key.len, 0) | 1;
	}
	etl_sink_plan_settle(plan);
	return plan;
}

/* Of two with the same key the later one stays, unless the earlier one has a greater version: what
 * stays is what would be stored if they came one by one.
 * version: rev; records {k: 1, rev: 5}, {k: 1, rev: 3} in one answer: the first one
 * stays, as it would if the second came a day later. */
static bool stays(const struct etl_sink_plan *plan, const struct etl_sink_item *before,
	const struct etl_sink_item *item)
{
	bson_t doc;

	return plan->options->version && bson_init_static(&doc, before->doc, before->len) &&
		etl_sink_is_newer(plan->options->version, &doc, item->doc, item->len);
}

/* Three records of one key, the second refused: the third stays, and the first is
 * superseded. Called again after each refusal, since a record that was superseded may
 * be the best one left. */
void etl_sink_plan_settle(struct etl_sink_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		plan->last[i] = NOBODY;
	for (size_t i = 0; i < plan->n; i++) {
		struct etl_sink_item *item = &plan->items[i];
		size_t *last = &plan->last[item->number];

		if (item->verdict == ETL_VERDICT_REFUSED)
			continue;
		item->verdict = ETL_VERDICT_NEW;
		if (*last != NOBODY && stays(plan, &plan->items[*last], item)) {
			item->verdict = ETL_VERDICT_OLDER;
			continue;
		}
		if (*last != NOBODY)
			plan->items[*last].verdict = ETL_VERDICT_SUPERSEDED;
		*last = i;
	}
}

/* What a former attempt has written is not written again, though its verdict stays. */
static bool to_be_written(const struct etl_sink_item *item)
{
	return !item->written &&
		(item->verdict == ETL_VERDICT_NEW || item->verdict == ETL_VERDICT_CHANGED);
}

/* Outside of a transaction the others are written already: only those are tried that
 * come back. */
bool etl_sink_plan_revive(struct etl_sink_plan *plan)
{
	bool any = false;

	for (size_t i = 0; i < plan->n; i++)
		plan->items[i].written |= to_be_written(&plan->items[i]);
	for (size_t i = plan->n; i-- > 0;) { /* of several the last */
		struct etl_sink_item *item = &plan->items[i];
		size_t *last = &plan->last[item->number];

		if (item->verdict != ETL_VERDICT_SUPERSEDED ||
			plan->items[*last].verdict != ETL_VERDICT_REFUSED)
			continue;
		item->verdict = ETL_VERDICT_NEW;
		*last = i;
		any = true;
	}
	return any;
}

void etl_sink_plan_free(struct etl_sink_plan *plan)
{
	if (!plan)
		return;
	etl_keyset_free(plan->keys);
	etl_buf_fini(&plan->key);
	etl_arena_free(plan->arena);
	free(plan->items);
	free(plan->last);
	free(plan);
}

/* From the finished document, so that the query has exactly the type that is stored. */
static bool append_id(bson_t *out, const char *name, const struct etl_sink_item *item)
{
	bson_iter_t it;
	bson_t doc;

	return bson_init_static(&doc, item->doc, item->len) &&
		bson_iter_init_find(&it, &doc, "_id") && bson_append_iter(out, name, -1, &it);
}

/* {_id: {$in: [...]}}; false if there is nothing to ask.
 * One query for the whole batch, answered by the index on _id. */
static bool ids_query(const struct etl_sink_plan *plan, bson_t *query)
{
	uint32_t n = 0;
	bson_t in, list;
	const char *name;
	char room[16];

	BSON_APPEND_DOCUMENT_BEGIN(query, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (size_t i = 0; i < plan->n; i++)
		if (to_be_written(&plan->items[i])) {
			bson_uint32_to_string(n++, &name, room, sizeof room);
			append_id(&list, name, &plan->items[i]);
		}
	bson_append_array_end(&in, &list);
	bson_append_document_end(query, &in);
	return n > 0;
}

/* insert: what is there stays, whatever it is. upsert: equal to the byte is SAME; a
 * greater version in the store is OLDER; everything else is CHANGED. */
static void judge(struct etl_sink_plan *plan, const bson_t *stored)
{
	const struct etl_sink_mongodb_options *o = plan->options;
	struct etl_sink_item *item;
	size_t number;

	etl_buf_clear(&plan->key);
	if (!etl_sink_stored_key(stored, &plan->key) ||
		etl_keyset_put(plan->keys, plan->key.data, plan->key.len, &number) != 0)
		return; /* not one that we asked for */
	item = &plan->items[plan->last[number]];
	if (o->mode == ETL_SINK_INSERT || (item->len == stored->len &&
		memcmp(item->doc, bson_get_data(stored), item->len) == 0))
		item->verdict = ETL_VERDICT_SAME;
	else if (o->version && etl_sink_is_newer(o->version, stored, item->doc, item->len))
		item->verdict = ETL_VERDICT_OLDER;
	else
		item->verdict = ETL_VERDICT_CHANGED;
}

/* In the same transaction as the writes: nobody can come between the look and the
 * write. */
int etl_sink_plan_compare(struct etl_sink_plan *plan, mongoc_collection_t *c,
	const bson_t *session, struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER;
	mongoc_cursor_t *cursor;
	const bson_t *doc, *reply;
	bson_error_t error;
	int rc = 0;

	if (ids_query(plan, &query)) {
		cursor = mongoc_collection_find_with_opts(c, &query, session, NULL);
		while (mongoc_cursor_next(cursor, &doc))
			judge(plan, doc);
		if (mongoc_cursor_error_document(cursor, &error, &reply))
			rc = etl_mongo_error(err, &error, reply);
		mongoc_cursor_destroy(cursor);
	}
	bson_destroy(&query);
	return rc;
}

#define TYPE_TEXT 0x02
#define TYPE_DOCUMENT 0x03
#define TYPE_ARRAY 0x04
#define TYPE_REGEX 0x0b
#define TYPE_CODE 0x0d
#define TYPE_SYMBOL 0x0e

enum { DEPTH_MAX = 250 }; /* a server's own limit is 100 to 200 */

/* Names and texts are UTF-8, on every level. (libbson 1.23's bson_validate passes bad texts.)
 * A server of strict UTF-8 refuses the whole command for one bad text, without saying
 * which document it was: this finds it. */
static bool is_utf8(const uint8_t *bson, uint32_t len, unsigned depth)
{
	struct etl_cursor cursor;
	struct etl_element e;
	bool good = depth < DEPTH_MAX;

	etl_cursor_init(&cursor, bson, len);
	while (good && etl_cursor_next(&cursor, &e)) {
		const char *value = (const char *)e.value;

		good = etl_utf8_check(e.key, e.key_len) == e.key_len;
		if (e.type == TYPE_DOCUMENT || e.type == TYPE_ARRAY)
			good &= is_utf8(e.value, e.value_len, depth + 1);
		else if (e.type == TYPE_TEXT || e.type == TYPE_CODE || e.type == TYPE_SYMBOL)
			good &= etl_utf8_check(value + 4, e.value_len - 5) == e.value_len - 5;
		else if (e.type == TYPE_REGEX)
			good &= etl_utf8_check(value, e.value_len) == e.value_len;
	}
	return good;
}

struct etl_sink_item *etl_sink_plan_malformed(struct etl_sink_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct etl_sink_item *item = &plan->items[i];

		if (!to_be_written(item) || is_utf8(item->doc, item->len, 0))
			continue;
		item->verdict = ETL_VERDICT_REFUSED;
		item->rule = "utf8";
		item->path = "";
		item->message = "a text or a field name in it is not UTF-8";
		return item;
	}
	return NULL;
}

/* The version of a document, and its name in a query: "/meta/v" is "meta.v" there. False if it
 * has none, or no query can say its name. The driver wants a dotted name, the record has a
 * pointer or a literal one. */
static bool find_version(const struct etl_sink_plan *plan, const bson_t *doc, struct etl_buf *name,
	bson_iter_t *it)
{
	const char *version = plan->options->version;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_path path;
	bson_iter_t root;

	if (*version != '/')
		return etl_buf_str(name, version) && bson_iter_init_find(it, doc, version);
	if (etl_path_compile(version, plan->arena, &path, &err) < 0)
		return false;
	for (size_t i = 0; i < path.n; i++) {
		const char *token = path.tokens[i].name;

		if (!*token || *token == '$' || strchr(token, '.'))
			return false;
		etl_buf_printf(name, "%s%s", i ? "." : "", token);
	}
	return bson_iter_init(&root, doc) && bson_iter_find_descendant(&root, etl_buf_text(name), it);
}

/* {_id: ..., version: {$not: {$gt: ours}}}: outside a transaction a newer one may have come
 * since it was compared; it is then not matched and the upsert fails on its _id.
 * {_id: "a|#1", rev: {$not: {$gt: 5}}}, replaced by ours of rev 5: if a newer one has
 * come, the query finds nothing, the upsert wants to insert and meets the _id that is
 * there. */
static void item_query(const struct etl_sink_plan *plan, const struct etl_sink_item *item,
	bool guarded, bson_t *query)
{
	ETL_BUF_CLEANUP struct etl_buf name;
	bson_t doc, not, gt;
	bson_iter_t it;

	append_id(query, "_id", item);
	etl_buf_init(&name, KEY_BYTES_MAX);
	if (!plan->options->version || !guarded || !bson_init_static(&doc, item->doc, item->len) ||
		!find_version(plan, &doc, &name, &it))
		return;
	bson_append_document_begin(query, etl_buf_text(&name), -1, &not);
	BSON_APPEND_DOCUMENT_BEGIN(&not, "$not", &gt);
	bson_append_iter(&gt, "$gt", -1, &it);
	bson_append_document_end(&not, &gt);
	bson_append_document_end(query, &not);
}

/* Outside a transaction what was not there is inserted, not upserted: if the server is slow and
 * executes it after somebody else's newer write, it finds the _id taken and changes nothing.
 * The driver's look at the names is switched off, as with a replacement. */
static int insert_item(mongoc_bulk_operation_t *bulk, const struct etl_sink_item *item,
	struct etl_error *err)
{
	bson_t opts = BSON_INITIALIZER, doc;
	bson_error_t error;
	bool ok;

	BSON_APPEND_BOOL(&opts, "validate", false); /* as below */
	ok = bson_init_static(&doc, item->doc, item->len) &&
		mongoc_bulk_operation_insert_with_opts(bulk, &doc, &opts, &error);
	bson_destroy(&opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}


static int replace_item(const struct etl_sink_plan *plan, mongoc_bulk_operation_t *bulk,
	const struct etl_sink_item *item, bool guarded, struct etl_error *err)
{
	bson_t opts = BSON_INITIALIZER, query = BSON_INITIALIZER, doc;
	bson_error_t error;
	bool ok;

	/* The document is ours: `_id` leads it, so that no name of the data can make an operator
	 * of it. The driver's own look at every name and text would cost half of the write; what
	 * only the server can tell comes back as the refusal of this one document. */
	BSON_APPEND_BOOL(&opts, "validate", false);
	BSON_APPEND_BOOL(&opts, "upsert", true);
	item_query(plan, item, guarded, &query);
	ok = bson_init_static(&doc, item->doc, item->len) &&
		mongoc_bulk_operation_replace_one_with_opts(bulk, &query, &doc, &opts, &error);
	bson_destroy(&query);
	bson_destroy(&opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

/* What the server refuses because of the document itself.
 * Codes that are about the document and not about server, network or rights: such a
 * document will be refused again, so it becomes a dead letter, and the unit goes on. */
static const char *refusal_rule(int code)
{
	static const struct {
		int code;
		const char *rule;
	} rules[] = {
		{2, "value"},		/* BadValue: a value that the server cannot hold */
		{15, "depth"},		/* Overflow: nested too deep */
		{52, "name"},		/* DollarPrefixedFieldName */
		{53, "key"},		/* InvalidIdField */
		{56, "name"},		/* EmptyFieldName */
		{121, "validation"},	/* DocumentValidationFailure */
		{171, "index"},		/* CannotIndexParallelArrays */
		{CODE_DUPLICATE, "unique"},
		{10334, "size"},	/* BSONObjectTooLarge */
		{16755, "index"},	/* no geometry that can be indexed */
		{17280, "index"},	/* KeyTooLong */
	};

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].code == code)
			return rules[i].rule;
	return NULL;
}

struct write_error {
	int32_t index, code;
	const char *message; /* lent from the reply */
	bool on_id;
};

/* {index: 3, code: 11000, keyPattern: {_id: 1}, errmsg: "..."}: index counts in the
 * bulk. */
static void read_write_error(bson_iter_t *entry, struct write_error *out)
{
	bson_iter_t it, deep;

	*out = (struct write_error){.index = -1, .message = ""};
	if (!bson_iter_recurse(entry, &it))
		return;
	while (bson_iter_next(&it)) {
		const char *key = bson_iter_key(&it);

		if (strcmp(key, "index") == 0)
			out->index = (int32_t)bson_iter_as_int64(&it);
		else if (strcmp(key, "code") == 0)
			out->code = (int32_t)bson_iter_as_int64(&it);
		else if (strcmp(key, "errmsg") == 0 && BSON_ITER_HOLDS_UTF8(&it))
			out->message = bson_iter_utf8(&it, NULL);
		else if (strcmp(key, "keyPattern") == 0 && bson_iter_recurse(&it, &deep))
			out->on_id = bson_iter_next(&deep) &&
				strcmp(bson_iter_key(&deep), "_id") == 0;
	}
}

/* One bulk under way: `members` are the items in it, by their index in the bulk. */
struct bulk_write {
	struct etl_sink_plan *plan;
	struct etl_sink_item **members, **raced;
	size_t n, n_raced;
	bool in_transaction;
	bool again; /* outside a transaction: these met another writer the first time */
	bool met;   /* inside a transaction: one met another writer, so the slice begins again */
	struct etl_sink_item *refused; /* inside a transaction: the first */
};

/* True if the error is explained: the item is refused, or lost a race.
 * A document that is refused gets the server's words; those stand in its dead letter. */
static bool explain(struct bulk_write *w, const struct write_error *e)
{
	const char *rule = refusal_rule(e->code);
	struct etl_sink_item *item;

	if (!rule || e->index < 0 || (size_t)e->index >= w->n)
		return false;
	item = w->members[e->index];
	/* Not a fault of the document: another writer had the same _id in the same
	 * moment. */
	if (e->code == CODE_DUPLICATE && e->on_id) {
		w->met = w->in_transaction;
		if (w->met)
			return false;
		w->raced[w->n_raced++] = item;
		return true;
	}
	item->rule = rule;
	item->message = etl_arena_strdup(w->plan->arena, e->message);
	item->verdict = ETL_VERDICT_REFUSED;
	if (!w->refused)
		w->refused = item;
	return true;
}

/* One error that nobody can explain makes the whole bulk a failure: nothing is guessed. */
static bool explain_all(struct bulk_write *w, const bson_t *reply)
{
	struct write_error e;
	bson_iter_t it, entry;
	size_t explained = 0;

	if (bson_iter_init_find(&it, reply, "writeConcernErrors") &&
		bson_iter_recurse(&it, &entry) && bson_iter_next(&entry))
		return false;
	if (!bson_iter_init_find(&it, reply, "writeErrors") || !bson_iter_recurse(&it, &entry))
		return false;
	while (bson_iter_next(&entry)) {
		read_write_error(&entry, &e);
		if (!explain(w, &e))
			return false;
		explained++;
	}
	return explained > 0;
}

/* Ordered inside of a transaction, where the first refusal ends it anyhow; unordered
 * outside, so that one refusal does not keep the others from being written. */
static mongoc_bulk_operation_t *new_bulk(mongoc_collection_t *c, const bson_t *session)
{
	bson_t opts = BSON_INITIALIZER;
	mongoc_bulk_operation_t *bulk;

	if (session)
		bson_concat(&opts, session);
	BSON_APPEND_BOOL(&opts, "ordered", session != NULL);
	bulk = mongoc_collection_create_bulk_operation_with_opts(c, &opts);
	bson_destroy(&opts);
	return bulk;
}

/* The first time what was not there is inserted; the second time, after a race, it is
 * replaced if ours is the newer. */
static int add_item(const struct bulk_write *w, mongoc_bulk_operation_t *bulk,
	const struct etl_sink_item *item, struct etl_error *err)
{
	if (!w->in_transaction && !w->again && item->verdict == ETL_VERDICT_NEW)
		return insert_item(bulk, item, err);
	return replace_item(w->plan, bulk, item, !w->in_transaction, err);
}

/* What could not even be put into the bulk is our own failure, and nothing has been
 * sent. */
static int execute(struct bulk_write *w, mongoc_collection_t *c, const bson_t *session,
	struct etl_error *err)
{
	mongoc_bulk_operation_t *bulk = new_bulk(c, session);
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	for (size_t i = 0; i < w->n && rc == 0; i++)
		rc = add_item(w, bulk, w->members[i], err);
	if (rc == 0) {
		if (!mongoc_bulk_operation_execute(bulk, &reply, &error)) {
			rc = etl_mongo_error(err, &error, &reply);
			if (explain_all(w, &reply) && !w->in_transaction) {
				etl_error_clear(err); /* each item says what became of it */
				rc = 0;
			} else if (w->met) {
				err->kind = ETL_TRANSIENT;
				err->code = "txn.retry";
			}
		}
		bson_destroy(&reply);
	}
	mongoc_bulk_operation_destroy(bulk);
	return rc;
}

/* Once more for those that met another writer; who then still fails met a newer one. In mode
 * insert what is there stays, whoever was first. */
static int execute_raced(struct bulk_write *w, mongoc_collection_t *c, struct etl_error *err)
{
	struct etl_sink_item **first = w->members;
	bool stays = w->plan->options->mode == ETL_SINK_INSERT;
	int rc = 0;

	for (size_t i = 0; i < w->n_raced && stays; i++)
		w->raced[i]->verdict = ETL_VERDICT_SAME;
	w->members = w->raced;
	w->raced = first;
	w->n = stays ? 0 : w->n_raced;
	w->n_raced = 0;
	w->again = true;
	if (w->n)
		rc = execute(w, c, NULL, err);
	for (size_t i = 0; i < w->n_raced && rc == 0; i++)
		w->raced[i]->verdict = ETL_VERDICT_OLDER;
	return rc;
}

/* Raced ones are few: they go once more, each as a guarded replacement. */
int etl_sink_plan_write(struct etl_sink_plan *plan, mongoc_collection_t *c, const bson_t *session,
	struct etl_sink_item **refused, struct etl_error *err)
{
	struct bulk_write w = {
		.plan = plan,
		.members = etl_calloc(plan->n, sizeof *w.members),
		.raced = etl_calloc(plan->n, sizeof *w.raced),
		.in_transaction = session != NULL,
	};
	int rc = 0;

	for (size_t i = 0; i < plan->n; i++)
		if (to_be_written(&plan->items[i]))
			w.members[w.n++] = &plan->items[i];
	if (w.n)
		rc = execute(&w, c, session, err);
	if (rc == 0 && !session)
		rc = execute_raced(&w, c, err);
	*refused = w.refused;
	free(w.members);
	free(w.raced);
	return rc;
}
