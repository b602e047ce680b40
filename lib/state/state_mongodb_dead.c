/* SPDX-License-Identifier: MIT
 *
 * Dead letters in MongoDB. A letter's `_id` is a hash of what was refused and why, so that
 * the same bad record read again every hour stays one letter with a newer `at`.
 */
#include <string.h>

#include "base/hash.h"
#include "state/dead_letter.h"
#include "state/mongodb.h"

static int add_letter(mongoc_bulk_operation_t *bulk, const struct etl_dead_letter_info *info,
	const struct etl_reject *reject, const struct etl_window *window, struct etl_error *err)
{
	bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER;
	bson_t *opts = etl_state_upserts();
	char id[ETL_HASH_TEXT_BYTES];
	bson_error_t error;
	bson_t sub;
	bool ok;

	etl_dead_letter_id(info, reject, id);
	BSON_APPEND_UTF8(&query, "_id", id);
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &sub);
	etl_dead_letter_append(&sub, info, reject, window);
	bson_append_document_end(&update, &sub);
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$setOnInsert", &sub);
	BSON_APPEND_DATE_TIME(&sub, "first_at", info->at.ms);
	bson_append_document_end(&update, &sub);
	BSON_APPEND_DOCUMENT_BEGIN(&update, "$inc", &sub);
	BSON_APPEND_INT64(&sub, "times", 1);
	bson_append_document_end(&update, &sub);
	if (reject->time.ms == ETL_NO_TIME) /* the same bytes may have been given a time before */
		BCON_APPEND(&update, "$unset", "{", "time", BCON_BOOL(true), "}");
	ok = mongoc_bulk_operation_update_one_with_opts(bulk, &query, &update, opts, &error);
	bson_destroy(&update);
	bson_destroy(&query);
	bson_destroy(opts);
	return ok ? 0 : etl_mongo_error(err, &error, NULL);
}

#define LETTERS_PER_BULK 100 /* of at most 64 KiB each */

/* rejects[from..from + n) */
static int add_some(mongoc_collection_t *c, const struct etl_dead_letter_info *info,
	const struct etl_reject *rejects, size_t from, size_t n, struct etl_error *err)
{
	mongoc_bulk_operation_t *bulk;
	bson_error_t error;
	bson_t reply;
	int rc = 0;

	bulk = mongoc_collection_create_bulk_operation_with_opts(c, NULL);
	for (size_t i = from; i < from + n && rc == 0; i++)
		rc = add_letter(bulk, info, &rejects[i], info->windows ? &info->windows[i] : NULL,
			err);
	if (rc == 0) {
		if (!mongoc_bulk_operation_execute(bulk, &reply, &error))
			rc = etl_mongo_error(err, &error, &reply);
		bson_destroy(&reply);
	}
	mongoc_bulk_operation_destroy(bulk);
	return rc;
}

int etl_smdb_dead_letters_add(struct etl_state *s, const struct etl_dead_letter_info *info,
	const struct etl_reject *rejects, size_t n, struct etl_error *err)
{
	struct etl_place place;
	int rc = 0;

	if (n == 0)
		return 0;
	if (etl_place_open(&place, s, "dead_letters", err) < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i += LETTERS_PER_BULK) {
		size_t some = n - i < LETTERS_PER_BULK ? n - i : LETTERS_PER_BULK;

		rc = add_some(place.collection, info, rejects, i, some, err);
		if (rc < 0 && etl_smdb_met_another(err))
			rc = add_some(place.collection, info, rejects, i, some, err);
	}
	etl_place_close(&place);
	return rc;
}
