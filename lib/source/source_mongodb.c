/* SPDX-License-Identifier: MIT
 *
 * mongodb: a find or an aggregation on a collection, cut to the window by its time field.
 * Blocking kind: read() runs on a worker and gives one batch a call. Reads what a majority
 * has; never writes.
 *
 * collection: raw, filter: {kind: "air"}, time: {field: t}; the window 10:00 to 11:00
 * is asked for as find({$and: [{t: {$gte: 10:00, $lt: 11:00}}, {kind:
 * "air"}]}).sort({t: 1}) Records come in batches of ETL_BATCH_RECORDS at most; the
 * cursor stays open between two calls.
 */
#include <mongoc/mongoc.h>
#include <stdio.h>

#include "base/str.h"
#include "conf/document.h"
#include "mongo/mongo.h"
#include "record/time_format.h"
#include "source/source.h"

/* manual: a pipeline that joins or groups may have to put the window elsewhere than at
 * its front. */
enum { WINDOW_MATCH, WINDOW_MANUAL };

#define CODE_UNAUTHORIZED 13

struct options {
	const char *collection, *database;
	const struct etl_node *filter_node, *pipeline_node, *projection_node, *sort_node;
	int window;
	int64_t batch_size;
	etl_dur timeout;
	/* compiled */
	const struct etl_document *filter, *pipeline, *projection, *sort;
	const struct etl_decode_spec *decode; /* with the event time, which the window is put on */
	enum etl_time_kind kind; /* of the times in the collection */
	const char *time_name;	 /* of the field as MongoDB has it */
};

static const char *const window_words[] = {"match", "manual", NULL};

#define AT(member) offsetof(struct options, member)
static const struct etl_option options[] = {
	{.name = "collection", .type = ETL_OPT_STRING, .offset = AT(collection),
		.required = true,
		.help = "what to read"},
	{.name = "database", .type = ETL_OPT_STRING, .offset = AT(database),
		.help = "another database than the daemon's"},
	{.name = "filter", .type = ETL_OPT_NODE, .offset = AT(filter_node),
		.help = "condition of a find; the window is added to it"},
	{.name = "projection", .type = ETL_OPT_NODE, .offset = AT(projection_node),
		.help = "fields of a find"},
	{.name = "sort", .type = ETL_OPT_NODE, .offset = AT(sort_node),
		.help = "order of a find; by the time field if absent"},
	{.name = "pipeline", .type = ETL_OPT_NODE, .offset = AT(pipeline_node),
		.help = "stages of an aggregation, instead of filter, projection and sort"},
	{.name = "window", .type = ETL_OPT_WORD, .offset = AT(window), .words = window_words,
		.fallback = "match",
		.help = "match adds the window as a condition, manual leaves it to "
			"{window.start} and {window.end} in filter or pipeline"},
	{.name = "batch_size", .type = ETL_OPT_INT, .offset = AT(batch_size),
		.fallback = "1000", .aside = true,
		.min = 1, .max = 100000, .help = "documents in one answer of the server"},
	{.name = "timeout", .type = ETL_OPT_DURATION, .offset = AT(timeout), .fallback = "60s",
		.aside = true, .min = 1, .max = 86400, .help = "for the server's work on the query"},
	{0}};

struct source {
	const struct options *options;
	const struct etl_source_env *env;
	mongoc_client_t *client;
	mongoc_collection_t *collection;
	mongoc_cursor_t *cursor; /* open while a span is being read */
	struct etl_window span;
	uint64_t position;
	bool types_checked; /* no document's time is of a type that no window finds */
};

/* ---- configuration ---------------------------------------------------------------------- */

/* A filter is a mapping, a pipeline a list: a mapping where stages are due is a common
 * slip. */
static const struct etl_document *compile(const struct etl_node *node, bool list,
	const char *key, const struct etl_conf_env *env)
{
	const struct etl_document *doc;

	if (!node)
		return NULL;
	doc = etl_document_compile(node, env);
	if (doc && etl_document_is_list(doc) != list)
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, NULL, NULL,
			"'%s' of %s must be a %s", key, env->what, list ? "list" : "mapping");
	return doc;
}

static void contradiction(const struct etl_node *node, const struct etl_conf_env *env,
	const char *text)
{
	etl_diag_add(env->diag, node ? &node->mark : NULL, ETL_DIAG_CONFLICT, NULL, NULL,
		"%s: %s", env->what, text);
}

/* What the window is compared with on the server: a date, or a number. False for a pattern,
 * whose texts cannot be compared.
 * ISO 8601 stands for dates here: they need no format to be compared. */
static bool time_kind(const struct etl_event_time_options *time, enum etl_time_kind *kind)
{
	*kind = ETL_TIME_ISO8601;
	return !time->format || etl_time_kind_parse(time->format, kind);
}

/* A source reads. Stages that write are found at any depth: the server refuses them inside of a
 * $facet or $lookup, but only when the window is due.
 * At any depth, since $facet and $lookup hold pipelines of their own. */
static void refuse_writes(const struct etl_node *node, const struct etl_conf_env *env)
{
	for (size_t i = 0; i < node->n; i++) {
		const struct etl_node *key = node->kind == ETL_NODE_MAP ? node->keys[i] : NULL;

		if (key && (etl_streq(key->text, "$out") || etl_streq(key->text, "$merge")))
			etl_diag_add(env->diag, &key->mark, ETL_DIAG_CONFLICT, "this stage writes",
				"what is read is written by `load`",
				"the pipeline of a source only reads, in %s", env->what);
		refuse_writes(node->items[i], env);
	}
}

/* Stages at the top, which see the records of all windows of a request.
 * For a warning of the loader: the newest ten of a month are not the newest ten of each
 * of its days. */
static const struct etl_node *cut(const void *opts)
{
	static const char *const stages[] = {"$limit", "$skip", "$sample", NULL};
	const struct options *o = opts;

	for (size_t i = 0; o->pipeline_node && i < o->pipeline_node->n; i++) {
		const struct etl_node *stage = o->pipeline_node->items[i];

		for (size_t k = 0; stage->kind == ETL_NODE_MAP && k < stage->n; k++)
			for (size_t s = 0; stages[s]; s++)
				if (etl_streq(stage->keys[k]->text, stages[s]))
					return stage->keys[k];
	}
	return NULL;
}

/* The window is a condition on the time field: can MongoDB compare it? */
static void check_time(struct options *o, const struct etl_node *node, const struct etl_conf_env *env)
{
	const struct etl_decode_spec *decode = o->decode;

	if (!decode->time_text.field)
		return;
	if (o->window == WINDOW_MATCH && !time_kind(&decode->time_text, &o->kind))
		contradiction(node, env, "times stored as text need 'window: manual'");
	/* {s: 1, readings: [{t: ...}]} has no field `t` that the server could compare: each window
	 * would be empty. */
	if (o->window == WINDOW_MATCH && decode->n_reshape)
		contradiction(node, env, "the time is of what reshape makes, which MongoDB does not see: "
			"'window: manual'");
	if (decode->time)
		o->time_name = etl_event_time_dotted(decode->time);
	if (decode->time && !o->time_name && o->window == WINDOW_MATCH)
		contradiction(node, env, "MongoDB has no name for this field: 'window: manual'");
}

static void check(void *opts, const struct etl_node *node, const struct etl_decode_spec *decode,
	const struct etl_conf_env *env)
{
	struct options *o = opts;

	o->decode = decode;
	if (o->collection && !etl_is_name(o->collection, 200))
		etl_diag_add(env->diag, node ? &node->mark : NULL, ETL_DIAG_RANGE, NULL, NULL,
			"'%s' is no collection name in %s", o->collection, env->what);
	/* Both would have to be merged by a rule that nobody knows. */
	if (o->pipeline_node && (o->filter_node || o->projection_node || o->sort_node))
		contradiction(o->pipeline_node, env,
			"'pipeline' excludes 'filter', 'projection' and 'sort'");
	o->filter = compile(o->filter_node, false, "filter", env);
	o->projection = compile(o->projection_node, false, "projection", env);
	o->sort = compile(o->sort_node, false, "sort", env);
	o->pipeline = compile(o->pipeline_node, true, "pipeline", env);
	if (o->pipeline_node)
		refuse_writes(o->pipeline_node, env);
	check_time(o, node, env);
}

/* ---- the query -------------------------------------------------------------------------- */

static void append_bound(bson_t *out, const char *operator, const struct options *o, etl_wall t)
{
	int64_t n;

	/* label: end, interval 1h: the record of 10:00 to 11:00 is stamped 11:00, so
	 * the window is asked for as 11:00 to 12:00. */
	t = etl_wall_add(t, etl_decode_label(o->decode)); /* stamped at its end */
	switch (o->kind) {
	case ETL_TIME_EPOCH:
		/* A double, because seconds may be stored with fractions; the server
		 * compares numbers of all types. */
		bson_append_double(out, operator, -1, (double)t.ms / 1000);
		break;
	case ETL_TIME_EPOCH_MS:
		bson_append_int64(out, operator, -1, t.ms);
		break;
	case ETL_TIME_EPOCH_US:
		bson_append_int64(out, operator, -1, t.ms * 1000);
		break;
	case ETL_TIME_EPOCH_NS:
		/* Years 1678 to 2261 are what 64 bits of nanoseconds hold. */
		if (__builtin_mul_overflow(t.ms, 1000000, &n))
			n = t.ms < 0 ? INT64_MIN : INT64_MAX;
		bson_append_int64(out, operator, -1, n);
		break;
	case ETL_TIME_ISO8601:
	case ETL_TIME_PATTERN:
		bson_append_date_time(out, operator, -1, t.ms);
		break;
	}
}

/* {FIELD: {$gte: start, $lt: end}} */
static void append_window(bson_t *out, const struct options *o, const struct etl_window *span)
{
	bson_t range;

	bson_append_document_begin(out, o->time_name, -1, &range);
	append_bound(&range, "$gte", o, span->start);
	append_bound(&range, "$lt", o, span->end);
	bson_append_document_end(out, &range);
}

/* Without an event time (window: none) there is nothing to cut by. */
static bool adds_window(const struct options *o)
{
	return o->decode->time_text.field && o->window == WINDOW_MATCH;
}

/* {$and: [window, filter]}: the filter may itself speak of the time field. */
static int build_filter(struct source *s, const struct etl_vars *vars, bson_t *out,
	struct etl_error *err)
{
	const struct options *o = s->options;
	bson_t list, one;
	int rc = 0;

	if (!adds_window(o))
		return o->filter ? etl_document_render(o->filter, vars, out, err) : 0;
	BSON_APPEND_ARRAY_BEGIN(out, "$and", &list);
	BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
	append_window(&one, o, &vars->window);
	bson_append_document_end(&list, &one);
	if (o->filter) {
		BSON_APPEND_DOCUMENT_BEGIN(&list, "1", &one);
		rc = etl_document_render(o->filter, vars, &one, err);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
	return rc;
}

/* Appends {KEY: document} if there is one. */
static int append_rendered(bson_t *out, const char *key, const struct etl_document *doc,
	const struct etl_vars *vars, struct etl_error *err)
{
	bson_t sub;
	int rc;

	if (!doc)
		return 0;
	bson_append_document_begin(out, key, -1, &sub);
	rc = etl_document_render(doc, vars, &sub, err);
	bson_append_document_end(out, &sub);
	return rc;
}

/* The time limit holds on the server as well: a query that nobody waits for any more
 * must not go on. */
static void append_common(bson_t *out, const struct options *o)
{
	BSON_APPEND_INT64(out, "maxTimeMS", etl_dur_ms(o->timeout));
	BSON_APPEND_INT32(out, "batchSize", (int32_t)o->batch_size);
}

/* In the order of time, since what follows (fold: sequence, first and last of an
 * aggregate) relies on an order that is always the same. */
static void append_default_sort(bson_t *out, const struct options *o)
{
	bson_t sort;

	BSON_APPEND_DOCUMENT_BEGIN(out, "sort", &sort);
	bson_append_int32(&sort, o->time_name, -1, 1);
	bson_append_document_end(out, &sort);
}

static int find(struct source *s, const struct etl_vars *vars, struct etl_error *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	const struct options *o = s->options;
	int rc = build_filter(s, vars, &filter, err);

	append_common(&opts, o);
	if (rc == 0)
		rc = append_rendered(&opts, "projection", o->projection, vars, err);
	if (rc == 0)
		rc = append_rendered(&opts, "sort", o->sort, vars, err);
	if (rc == 0 && !o->sort && o->time_name)
		append_default_sort(&opts, o);
	if (rc == 0)
		s->cursor = mongoc_collection_find_with_opts(s->collection, &filter, &opts,
			NULL);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return rc;
}

/* The window's $match stands first, then the stages as configured.
 * First, so that the server can use an index on the time field for it. */
static int build_pipeline(const struct options *o, const struct etl_vars *vars, bson_t *out,
	struct etl_error *err)
{
	bson_t stages = BSON_INITIALIZER, one, match;
	uint32_t n = 0;
	bson_iter_t it;
	const char *key;
	char room[16];
	int rc = etl_document_render(o->pipeline, vars, &stages, err);

	if (rc == 0 && adds_window(o)) {
		BSON_APPEND_DOCUMENT_BEGIN(out, "0", &one);
		BSON_APPEND_DOCUMENT_BEGIN(&one, "$match", &match);
		append_window(&match, o, &vars->window);
		bson_append_document_end(&one, &match);
		bson_append_document_end(out, &one);
		n++;
	}
	if (rc == 0 && bson_iter_init(&it, &stages))
		while (bson_iter_next(&it)) {
			bson_uint32_to_string(n++, &key, room, sizeof room);
			bson_append_iter(out, key, -1, &it);
		}
	bson_destroy(&stages);
	return rc;
}

static int aggregate(struct source *s, const struct etl_vars *vars, struct etl_error *err)
{
	bson_t pipeline = BSON_INITIALIZER, wrapped = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	int rc = build_pipeline(s->options, vars, &pipeline, err);

	append_common(&opts, s->options);
	/* A sort or group over 100 MB would fail otherwise, after having worked for a
	 * while. */
	BSON_APPEND_BOOL(&opts, "allowDiskUse", true);
	BSON_APPEND_ARRAY(&wrapped, "pipeline", &pipeline);
	if (rc == 0)
		s->cursor = mongoc_collection_aggregate(
			s->collection, MONGOC_QUERY_NONE, &wrapped, &opts, NULL);
	bson_destroy(&opts);
	bson_destroy(&wrapped);
	bson_destroy(&pipeline);
	return rc;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* No client is taken yet: a strand may wait long for its turn. */
static int open_source(void *self, const void *opts, const struct etl_source_env *env,
	struct etl_error *err)
{
	struct source *s = self;

	if (!env->mongo)
		return etl_error_set(err, ETL_CONFIG, "mongodb.absent",
			"no MongoDB is configured");
	s->options = opts;
	s->env = env;
	return 0;
}

/* A client is held only while a span is being read.
 * Clients are few (the pool's size) and strands may be many: who waits for its turn
 * holds none. */
static void end_span(struct source *s)
{
	if (s->cursor)
		mongoc_cursor_destroy(s->cursor);
	if (s->collection)
		mongoc_collection_destroy(s->collection);
	etl_mongo_push(s->env->mongo, s->client);
	s->cursor = NULL;
	s->collection = NULL;
	s->client = NULL;
}

/* Types that are no dates, and those that are no numbers.
 * Null and missing are left out: such a document has no time at all and belongs to no
 * window. */
static const int32_t no_dates[] = {BSON_TYPE_DOUBLE, BSON_TYPE_INT32, BSON_TYPE_INT64,
	BSON_TYPE_DECIMAL128, BSON_TYPE_TIMESTAMP, BSON_TYPE_OID, BSON_TYPE_DOCUMENT, BSON_TYPE_BOOL,
	BSON_TYPE_BINARY, BSON_TYPE_UTF8};
static const int32_t no_numbers[] = {BSON_TYPE_DATE_TIME, BSON_TYPE_TIMESTAMP, BSON_TYPE_OID,
	BSON_TYPE_DOCUMENT, BSON_TYPE_BOOL, BSON_TYPE_BINARY, BSON_TYPE_UTF8};

static void append_types(bson_t *out, const int32_t *types, uint32_t n)
{
	const char *key;
	char room[16];

	for (uint32_t i = 0; i < n; i++) {
		bson_uint32_to_string(i, &key, room, sizeof room);
		bson_append_int32(out, key, -1, types[i]);
	}
}

/* {$and: [{FIELD: {$type: [...]}}, filter]}: documents whose time is of a type that the window
 * is not compared with, so that no window would ever hold them. */
static int build_type_filter(
	struct source *s, const struct etl_vars *vars, bson_t *out, struct etl_error *err)
{
	const struct options *o = s->options;
	bson_t list, one, type, types;
	int rc = 0;

	BSON_APPEND_ARRAY_BEGIN(out, "$and", &list);
	BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
	bson_append_document_begin(&one, o->time_name, -1, &type);
	BSON_APPEND_ARRAY_BEGIN(&type, "$type", &types);
	if (o->kind == ETL_TIME_ISO8601)
		append_types(&types, no_dates, sizeof no_dates / sizeof *no_dates);
	else
		append_types(&types, no_numbers, sizeof no_numbers / sizeof *no_numbers);
	bson_append_array_end(&type, &types);
	bson_append_document_end(&one, &type);
	bson_append_document_end(&list, &one);
	if (o->filter) {
		BSON_APPEND_DOCUMENT_BEGIN(&list, "1", &one);
		rc = etl_document_render(o->filter, vars, &one, err);
		bson_append_document_end(&list, &one);
	}
	bson_append_array_end(out, &list);
	return rc;
}

/* "the times in raw are compared with the window as dates, but 't' of a document is text
 * '2026-07-01': no window would ever hold it; ..." */
static int found_type(const struct source *s, const bson_t *doc, struct etl_error *err)
{
	const struct options *o = s->options;
	char shown[96] = "";
	bson_iter_t it, at;

	if (bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, o->time_name, &at)) {
		struct etl_element e = {.type = (uint8_t)bson_iter_type(&at)};
		uint32_t len = 0;

		if (BSON_ITER_HOLDS_UTF8(&at))
			snprintf(shown, sizeof shown, "text '%.60s'", bson_iter_utf8(&at, &len));
		else if (BSON_ITER_HOLDS_OID(&at))
			snprintf(shown, sizeof shown, "an ObjectId");
		else if (BSON_ITER_HOLDS_TIMESTAMP(&at))
			snprintf(shown, sizeof shown, "a Timestamp");
		else
			snprintf(shown, sizeof shown, "of BSON type %d", e.type);
	}
	return etl_error_set(err, ETL_DATA, "mongodb.time_type",
		"the times in %s are compared with the window as %s, but '%s' of a document is %s: "
		"no window would ever hold it; give time.format as it is stored, leave it out by "
		"'filter', or write 'window: manual'",
		o->collection, o->kind == ETL_TIME_ISO8601 ? "dates" : "numbers", o->decode->time_text.field,
		*shown ? shown : "of another type");
}

/* Once for each partition of a run: no window may be empty because its documents have their
 * time in another type. An index on the time field answers it at once. */
static int check_types(struct source *s, const struct etl_vars *vars, struct etl_error *err)
{
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER;
	const struct options *o = s->options;
	const bson_t *doc, *reply;
	mongoc_cursor_t *cursor;
	bson_error_t error;
	int rc = 0;

	if (s->types_checked || !adds_window(o))
		goto out;
	BSON_APPEND_INT64(&opts, "limit", 1);
	BSON_APPEND_INT64(&opts, "maxTimeMS", etl_dur_ms(o->timeout));
	rc = build_type_filter(s, vars, &filter, err);
	if (rc < 0)
		goto out;
	cursor = mongoc_collection_find_with_opts(s->collection, &filter, &opts, NULL);
	if (mongoc_cursor_next(cursor, &doc)) {
		rc = found_type(s, doc, err);
	} else if (mongoc_cursor_error_document(cursor, &error, &reply)) {
		etl_mongo_error(err, &error, reply);
		rc = etl_error_prefix(err, "looking at the times in %s", o->collection);
	}
	mongoc_cursor_destroy(cursor);
	/* Once is enough for a run: what is written meanwhile is found by the next. */
	s->types_checked = rc == 0;
out:
	bson_destroy(&filter);
	bson_destroy(&opts);
	return rc;
}

/* The pool reads what a majority has, so nothing that is read can be rolled back. */
static int begin_span(struct source *s, const struct etl_window *span, struct etl_error *err)
{
	const struct options *o = s->options;
	struct etl_vars vars = {0};

	s->client = etl_mongo_pop(s->env->mongo);
	if (!s->client)
		return etl_error_set(err, ETL_TRANSIENT, "mongodb.pool",
			"no client became free in time");
	s->collection = mongoc_client_get_collection(
		s->client, o->database ? o->database : s->env->database, o->collection);
	if (s->env->vars)
		vars = *s->env->vars;
	vars.window = *span;
	s->span = *span;
	s->position = 0;
	if (etl_decode_begin(s->env->decode, NULL, err) < 0 || check_types(s, &vars, err) < 0)
		return -1;
	return o->pipeline ? aggregate(s, &vars, err) : find(s, &vars, err);
}

/* Nothing was found. A collection that is not there has nothing of any window: its name may be
 * wrong, and then all of them would be empty. Who may not list names is not asked further.
 * MongoDB answers a query on a collection that does not exist with nothing at all. */
static int check_is_there(struct source *s, struct etl_error *err)
{
	const struct options *o = s->options;
	const char *database = o->database ? o->database : s->env->database;
	mongoc_database_t *place = mongoc_client_get_database(s->client, database);
	bson_t *opts = BCON_NEW("nameOnly", BCON_BOOL(true), "authorizedCollections", BCON_BOOL(true),
		"filter", "{", "name", BCON_UTF8(o->collection), "}");
	bson_error_t error = {0};
	char **names = mongoc_database_get_collection_names_with_opts(place, opts, &error);
	bool there = names && *names;
	int rc = 0;

	if (names && !there)
		rc = etl_error_set(err, ETL_PERMANENT, "mongodb.no_collection",
			"there is no collection '%s' in the database '%s'", o->collection, database);
	else if (!names && error.code != CODE_UNAUTHORIZED)
		rc = etl_mongo_error(err, &error, NULL);
	bson_strfreev(names);
	bson_destroy(opts);
	mongoc_database_destroy(place);
	return rc;
}

/* Another span ends the cursor of the one before: a halved span begins anew. */
static bool is_span(const struct source *s, const struct etl_window *span)
{
	return s->cursor && s->span.start.ms == span->start.ms &&
		s->span.end.ms == span->end.ms;
}

/* 0 at the end of the span, 1 while there is more: the caller asks again with the same
 * span. */
static int read_batch(void *self, const struct etl_window *span, struct etl_batch *out,
	struct etl_error *err)
{
	struct source *s = self;
	size_t first = out->n;
	bson_error_t error;
	const bson_t *doc, *reply;
	int rc = 1;

	if (!is_span(s, span)) {
		end_span(s);
		if (begin_span(s, span, err) < 0) {
			end_span(s);
			return -1;
		}
	}
	/* Documents are copied: the driver's buffer is the next answer's. */
	while (!etl_batch_is_full(out) && rc == 1) {
		if (mongoc_cursor_next(s->cursor, &doc))
			etl_batch_add_copy(out, doc, (etl_wall){ETL_NO_TIME}, s->position++);
		else
			rc = 0;
	}
	/* The end of a cursor proves nothing until it says that there was no error. */
	if (rc == 0 && mongoc_cursor_error_document(s->cursor, &error, &reply)) {
		etl_mongo_error(err, &error, reply);
		etl_error_prefix(err, "reading %s", s->options->collection);
		rc = -1;
	}
	/* Only an answer without a document is doubted. */
	if (rc == 0 && !s->position)
		rc = check_is_there(s, err);
	if (rc >= 0 && etl_decode_documents(s->env->decode, out, first, err) < 0)
		rc = -1;
	if (rc == 0)
		rc = etl_decode_end(s->env->decode, out, err);
	/* At the end and after a failure the client goes back at once. */
	if (rc <= 0)
		end_span(s);
	return rc;
}

static void close_source(void *self)
{
	struct source *s = self;

	if (s->env)
		end_span(s);
}

const struct etl_source_type etl_source_mongodb = {
	.name = "mongodb",
	.summary = "a find or an aggregation on a MongoDB collection",
	.options = options,
	.options_size = sizeof(struct options),
	.size = sizeof(struct source),
	.documents = true,
	.check = check,
	.cut = cut,
	.open = open_source,
	.read = read_batch,
	.close = close_source,
};
