/* SPDX-License-Identifier: MIT
 *
 * The sessions of a process, by holder: a dead or stopped etld leaves transactions open, and
 * what they wrote stays locked until the server drops them a minute later. Who takes over a
 * lease kills the sessions of the one before. All of it is best effort: without it the minute
 * is waited out.
 *
 * Without it: etld A dies in the middle of a commit, B takes the lease over half a minute later,
 * and B's own commit of the same entries meets A's locks until the server ends them, a minute after
 * their begin by default. With it B goes on at once.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "state/mongodb.h"
#include "time/clock.h"

/* Recorded again after this, so that the TTL does not forget a session that is in use. */
#define RECORD_AGAIN ETL_SECONDS(86400)

/* The driver gives sessions out of a pool, so that few ids are used again and again. */
static bool session_id(const struct etl_txn *txn, uint8_t id[16])
{
	const bson_t *lsid = mongoc_client_session_get_lsid(txn->session);
	const uint8_t *bytes;
	bson_iter_t it;
	uint32_t len;

	if (!bson_iter_init_find(&it, lsid, "id") || !BSON_ITER_HOLDS_BINARY(&it))
		return false;
	bson_iter_binary(&it, NULL, &len, &bytes);
	if (len != 16)
		return false;
	memcpy(id, bytes, 16);
	return true;
}

/* True if this session is not on record yet, or was long ago; from now on it counts as. */
static bool is_new(struct etl_sessions *sessions, const uint8_t id[16])
{
	etl_mono now = etl_mono_now(etl_clock_real());
	bool fresh = true;

	pthread_mutex_lock(&sessions->lock);
	for (size_t i = 0; i < sessions->n && fresh; i++) {
		struct etl_known_session *known = &sessions->known[i];

		if (memcmp(known->id, id, 16) != 0)
			continue;
		fresh = etl_mono_diff(now, known->recorded).us > RECORD_AGAIN.us;
		known->recorded = now;
		pthread_mutex_unlock(&sessions->lock);
		return fresh;
	}
	ETL_GROW(sessions->known, sessions->n, sessions->cap);
	memcpy(sessions->known[sessions->n].id, id, 16);
	sessions->known[sessions->n++].recorded = now;
	pthread_mutex_unlock(&sessions->lock);
	return true;
}

/* An error is nobody's concern: see above. */
static void record(struct etl_state *s, const char *holder, const uint8_t id[16])
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(holder));
	bson_t *update = BCON_NEW("$addToSet", "{", "ids", BCON_BIN(BSON_SUBTYPE_UUID, id, 16),
		"}", "$currentDate", "{", "updated_at", BCON_BOOL(true), "}");
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	struct etl_error ignored = ETL_ERROR_INIT;
	struct etl_place place;
	bool matched;

	if (etl_place_open(&place, s, "sessions", &ignored) == 0) {
		(void)etl_state_update_one(place.collection, query, update, opts, &matched, &ignored);
		etl_place_close(&place);
	}
	bson_destroy(opts);
	bson_destroy(update);
	bson_destroy(query);
}

/* Told with each lease that is acquired; it is always the same holder, without what the lease is
 * for. */
void etl_sessions_own(struct etl_sessions *sessions, const char *holder)
{
	pthread_mutex_lock(&sessions->lock);
	snprintf(sessions->holder, sizeof sessions->holder, "%s", holder);
	pthread_mutex_unlock(&sessions->lock);
}

/* The lock is not held while the server is asked: runs of other jobs begin their transactions
 * meanwhile. */
void etl_sessions_note(struct etl_state *s, const struct etl_txn *txn)
{
	struct etl_sessions *sessions = &etl_state_mongodb(s)->sessions;
	char holder[sizeof sessions->holder];
	uint8_t id[16];

	pthread_mutex_lock(&sessions->lock);
	memcpy(holder, sessions->holder, sizeof holder);
	pthread_mutex_unlock(&sessions->lock);
	if (*holder && session_id(txn, id) && is_new(sessions, id))
		record(s, holder, id);
}

/* {killSessions: [{id: ...}, ...]} of what `doc` lists. */
static void kill_listed(mongoc_client_t *client, const bson_t *doc)
{
	bson_t command = BSON_INITIALIZER, list, item;
	bson_iter_t it, ids;
	bson_error_t error;
	char key[16];
	int n = 0;

	BSON_APPEND_ARRAY_BEGIN(&command, "killSessions", &list);
	if (bson_iter_init_find(&it, doc, "ids") && BSON_ITER_HOLDS_ARRAY(&it) &&
		bson_iter_recurse(&it, &ids))
		while (bson_iter_next(&ids)) {
			snprintf(key, sizeof key, "%d", n++);
			BSON_APPEND_DOCUMENT_BEGIN(&list, key, &item);
			BSON_APPEND_VALUE(&item, "id", bson_iter_value(&ids));
			bson_append_document_end(&list, &item);
		}
	bson_append_array_end(&command, &list);
	if (n) /* refused or unknown: their locks run out by themselves */
		(void)mongoc_client_command_simple(client, "admin", &command, NULL, NULL, &error);
	bson_destroy(&command);
}

/* Called by who has just taken a lease that another process still held (settle_sessions). That
 * one's other transactions end with it; what they had not committed is read again. */
void etl_sessions_kill(struct etl_state *s, const char *holder)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(holder));
	struct etl_error ignored = ETL_ERROR_INIT;
	struct etl_place place;
	const bson_t *doc;

	if (etl_place_open(&place, s, "sessions", &ignored) == 0) {
		mongoc_cursor_t *cursor =
			mongoc_collection_find_with_opts(place.collection, query, NULL, NULL);

		if (mongoc_cursor_next(cursor, &doc))
			kill_listed(place.client, doc);
		mongoc_cursor_destroy(cursor);
		etl_place_close(&place);
	}
	bson_destroy(query);
}
