/* SPDX-License-Identifier: MIT
 *
 * A ledger entry <-> its document, and the words of the states. Asks no server. Reading is
 * strict about what planning depends on and lenient about the rest: a document of a newer etld
 * has fields that this one does not know.
 *
 * The words are what stands in the database and in the answers of `etlctl`: a word that is
 * published is never changed, a state that is new gets a new one.
 */
#include "state/ledger_doc.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "state/doc_need.h"
#include "time/civil.h"

int etl_ledger_need_token(const struct etl_ledger_entry *entry, struct etl_error *err)
{
	if (entry->token.len <= ETL_TOKEN_MAX)
		return 0;
	return etl_error_set(err, ETL_LIMIT, "ledger.token",
		"the token of stream '%.200s' has %u bytes, and %d are kept", entry->object.name,
		(unsigned)entry->token.len, ETL_TOKEN_MAX);
}

static const char *const state_words[] = {
#define X(id, word) word,
	ETL_WINDOW_STATES(X)
#undef X
};
_Static_assert(sizeof state_words / sizeof *state_words == ETL_WINDOW_STATE_MAX,
	"every state has a word");

const char *etl_window_state_word(enum etl_window_state state)
{
	return (unsigned)state < ETL_WINDOW_STATE_MAX ? state_words[state] : "unknown";
}

/* False: not one of ours, and `out` is as it was. */
bool etl_window_state_parse(const char *word, enum etl_window_state *out)
{
	for (int i = 0; i < ETL_WINDOW_STATE_MAX; i++) {
		if (etl_streq(state_words[i], word)) {
			*out = (enum etl_window_state)i;
			return true;
		}
	}
	return false;
}

static const char *const change_words[] = {
#define X(id, word) word,
	ETL_CHANGE_KINDS(X)
#undef X
};
_Static_assert(sizeof change_words / sizeof *change_words == ETL_CHANGE_KIND_MAX,
	"every kind of change has a word");

const char *etl_change_kind_word(enum etl_change_kind kind)
{
	return (unsigned)kind < ETL_CHANGE_KIND_MAX ? change_words[kind] : "unknown";
}

/* As above. */
bool etl_change_kind_parse(const char *word, enum etl_change_kind *out)
{
	for (int i = 0; i < ETL_CHANGE_KIND_MAX; i++) {
		if (etl_streq(change_words[i], word)) {
			*out = (enum etl_change_kind)i;
			return true;
		}
	}
	return false;
}

/* The _id is made of what tells units apart, so that two writers of one unit meet in one
 * document instead of making two. Example: "orders/eu/2026-05-01T10:00:00Z"; without a start it
 * is the id of the partition's watermark, "orders/eu". */
void etl_ledger_append_id(bson_t *doc, const char *job, const char *partition,
	const etl_wall *start)
{
	char at[ETL_TIME_TEXT_BYTES] = "";
	char *id;

	if (start)
		etl_time_format_rfc3339(*start, at);
	id = etl_strf("%s/%s%s%s", job, partition, start ? "/" : "", at);
	BSON_APPEND_UTF8(doc, "_id", id);
	free(id);
}

/* "job//3/all/": no window's id has two strokes behind the job, since no partition's name is empty. */
static char *object_id(const char *job, const char *partition, const char *name)
{
	return etl_strf("%s//%zu/%s/%s", job, strlen(partition), partition, name);
}

void etl_ledger_append_unit(bson_t *doc, const char *job, const char *partition,
	const struct etl_unit_key *unit)
{
	char *id;

	if (!unit->object) {
		etl_ledger_append_id(doc, job, partition, &unit->window.start);
		return;
	}
	id = object_id(job, partition, unit->object);
	BSON_APPEND_UTF8(doc, "_id", id);
	free(id);
}

/* The ids of the partition's objects begin alike; the end is that beginning with its last stroke, 0x2f,
 * counted up by one. The index of _id does all of it: no other is made, for which windows would pay. */
void etl_ledger_append_objects(bson_t *query, const char *job, const char *partition, const char *from)
{
	char *first = object_id(job, partition, from ? from : ""), *end = object_id(job, partition, "");
	bson_t range;

	end[strlen(end) - 1]++;
	BSON_APPEND_DOCUMENT_BEGIN(query, "_id", &range);
	BSON_APPEND_UTF8(&range, "$gte", first);
	BSON_APPEND_UTF8(&range, "$lt", end);
	bson_append_document_end(query, &range);
	free(first);
	free(end);
}

static void append_object(bson_t *out, const struct etl_object *object)
{
	BSON_APPEND_UTF8(out, "object", object->name);
	BSON_APPEND_INT64(out, "size", (int64_t)object->size);
	BSON_APPEND_DATE_TIME(out, "modified_at", object->mtime.ms);
	BSON_APPEND_UTF8(out, "etag", object->etag);
}

/* The whole entry as commit writes it. `writer`, `was` and `change_id` are left out: commit clears
 * the first, and the others belong to an operator's change (state_mongodb_change.c). */
void etl_ledger_to_bson(const char *job, const char *partition,
	const struct etl_ledger_entry *entry, bson_t *out)
{
	struct etl_unit_key key = etl_entry_key(entry);

	etl_ledger_append_unit(out, job, partition, &key);
	BSON_APPEND_UTF8(out, "job", job);
	BSON_APPEND_UTF8(out, "partition", partition);
	if (key.object)
		append_object(out, &entry->object);
	BSON_APPEND_DATE_TIME(out, "start", entry->window.start.ms);
	BSON_APPEND_DATE_TIME(out, "end", entry->window.end.ms);
	if (entry->token.len)
		bson_append_binary(out, "token", -1, BSON_SUBTYPE_BINARY, entry->token.data,
			entry->token.len);
	BSON_APPEND_UTF8(out, "state", etl_window_state_word(entry->state));
	BSON_APPEND_BOOL(out, "dirty", entry->dirty);
	BSON_APPEND_UTF8(out, "run_id", entry->run_id);
	BSON_APPEND_INT64(out, "attempt", entry->attempt);
	BSON_APPEND_INT64(out, "fence", entry->fence);
	etl_counts_append_some(out, "counts", &entry->counts);
	BSON_APPEND_UTF8(out, "hash", entry->hash);
	if (entry->definition)
		BSON_APPEND_INT64(out, "definition", (int64_t)entry->definition);
	BSON_APPEND_UTF8(out, "reason", entry->reason);
	BSON_APPEND_UTF8(out, "dirty_token", entry->dirty_token);
	BSON_APPEND_DATE_TIME(out, "fetched_at", entry->fetched.ms);
	BSON_APPEND_DATE_TIME(out, "updated_at", entry->updated.ms);
	if (entry->held.n)
		etl_held_to_bson(&entry->held, out);
	if (*entry->held.by)
		etl_waiver_to_bson(&entry->held, out);
}

/* A text of another type is empty here: those that matter were checked before. */
static void read_text(const bson_iter_t *it, char *out, size_t size)
{
	etl_text_copy(out, size, BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, NULL) : "");
}

static etl_wall read_date(const bson_iter_t *it)
{
	return (etl_wall){BSON_ITER_HOLDS_DATE_TIME(it) ? bson_iter_date_time(it) : 0};
}

/* `was` is [{state, ...}, ...], what the changes found, the newest first. The word "absent" is
 * no state of an entry and leaves `was` pending. True if there is anything to go back to. */
static bool read_was(const bson_iter_t *it, struct etl_ledger_entry *e)
{
	bson_iter_t list, sub;

	if (!BSON_ITER_HOLDS_ARRAY(it) || !bson_iter_recurse(it, &list) || !bson_iter_next(&list) ||
		!BSON_ITER_HOLDS_DOCUMENT(&list) || !bson_iter_recurse(&list, &sub))
		return false;
	if (bson_iter_find(&sub, "state") && BSON_ITER_HOLDS_UTF8(&sub))
		(void)etl_window_state_parse(bson_iter_utf8(&sub, NULL), &e->was);
	return true;
}

/* One pass over the document instead of a search for each field: a scan reads tens of thousands
 * of entries, and a search begins at the first field each time. Longer than a table of fields would
 * be fast: comparing a dozen short keys costs less than the document's way over the network. */
static void read_field(const bson_iter_t *it, struct etl_ledger_entry *e, char *state, size_t size)
{
	const char *key = bson_iter_key(it);

	if (etl_streq(key, "start"))
		e->window.start = read_date(it);
	else if (etl_streq(key, "end"))
		e->window.end = read_date(it);
	else if (etl_streq(key, "state"))
		read_text(it, state, size);
	else if (etl_streq(key, "dirty"))
		e->dirty = bson_iter_as_bool(it);
	else if (etl_streq(key, "run_id"))
		read_text(it, e->run_id, sizeof e->run_id);
	else if (etl_streq(key, "attempt"))
		e->attempt = bson_iter_as_int64(it);
	else if (etl_streq(key, "fence"))
		e->fence = bson_iter_as_int64(it);
	else if (etl_streq(key, "hash"))
		read_text(it, e->hash, sizeof e->hash);
	else if (etl_streq(key, "definition") && BSON_ITER_HOLDS_INT64(it))
		e->definition = (uint64_t)bson_iter_int64(it);
	else if (etl_streq(key, "reason"))
		read_text(it, e->reason, sizeof e->reason);
	else if (etl_streq(key, "dirty_token"))
		read_text(it, e->dirty_token, sizeof e->dirty_token);
	else if (etl_streq(key, "writer"))
		read_text(it, e->writer, sizeof e->writer);
	else if (etl_streq(key, "fetched_at"))
		e->fetched = read_date(it);
	else if (etl_streq(key, "updated_at"))
		e->updated = read_date(it);
	else if (etl_streq(key, "change_id"))
		read_text(it, e->change_id, sizeof e->change_id);
	else if (etl_streq(key, "object"))
		e->object.name = BSON_ITER_HOLDS_UTF8(it) ? bson_iter_utf8(it, NULL) : NULL;
	else if (etl_streq(key, "size"))
		e->object.size = (uint64_t)bson_iter_as_int64(it);
	else if (etl_streq(key, "modified_at"))
		e->object.mtime = read_date(it);
	else if (etl_streq(key, "etag"))
		read_text(it, e->object.etag, sizeof e->object.etag);
	else if (etl_streq(key, "token") && BSON_ITER_HOLDS_BINARY(it))
		bson_iter_binary(it, NULL, &e->token.len, &e->token.data);
}

/* An unknown state is refused and not guessed: taken for pending it would load the window
 * again, taken for loaded it might hide a window that was never loaded. */
static int unknown_state(const bson_t *doc, const char *state, struct etl_error *err)
{
	bson_iter_t it;
	bool has_id = bson_iter_init_find(&it, doc, "_id") && BSON_ITER_HOLDS_UTF8(&it);

	return etl_error_set(err, ETL_DATA, "ledger.state",
		"the metadata cannot be read: in collection 'windows', document '%s' has the unknown "
		"state '%s'; correct it, or remove the document: its window is loaded again",
		has_id ? bson_iter_utf8(&it, NULL) : "?", state);
}

/* `out` is written when all of the document is known to be right; a caller never sees half an
 * entry. */
int etl_ledger_from_bson(const bson_t *doc, struct etl_ledger_entry *out, struct etl_error *err)
{
	static const struct etl_doc_field fields[] = {{"start", ETL_DOC_DATE},
		{"end", ETL_DOC_DATE}, {"state", ETL_DOC_TEXT}, {"dirty", ETL_DOC_BOOL},
		{"fence", ETL_DOC_NUMBER}, {"attempt", ETL_DOC_NUMBER}, {"hash", ETL_DOC_TEXT},
		{"fetched_at", ETL_DOC_DATE}, {NULL, ETL_DOC_TEXT}};
	struct etl_ledger_entry entry = {0};
	char state[32] = "";
	bool is_held = false;
	bson_iter_t it;

	if (etl_doc_need("windows", doc, fields, err) < 0)
		return -1;
	if (bson_iter_init(&it, doc))
		while (bson_iter_next(&it)) {
			read_field(&it, &entry, state, sizeof state);
			is_held |= etl_starts_with(bson_iter_key(&it), "held");
		}
	if (!etl_window_state_parse(state, &entry.state))
		return unknown_state(doc, state, err);
	etl_counts_read(doc, "counts", &entry.counts);
	if (is_held) /* few are: the others are not looked through for it */
		etl_held_from_bson(doc, &entry.held);
	if (!bson_iter_init_find(&it, doc, "was") || !read_was(&it, &entry))
		entry.change_id[0] = '\0'; /* nothing to go back to */
	*out = entry;
	return 0;
}
