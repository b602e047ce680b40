/* SPDX-License-Identifier: MIT
 *
 * Fields of documents.
 *
 * Lenient reading: what is missing or of another type is "" or 0. For what is only shown; what
 * decisions depend on is checked first (doc_need.c). A path may go into a document: "windows.done".
 */
#include "state/doc_read.h"

static bool find(const bson_t *doc, const char *path, bson_type_t type, bson_iter_t *found)
{
	bson_iter_t it;

	return bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, path, found) &&
	       bson_iter_type(found) == type;
}

/* The document's own bytes, good as long as it is. */
const char *etl_doc_text(const bson_t *doc, const char *path)
{
	bson_iter_t it;

	return find(doc, path, BSON_TYPE_UTF8, &it) ? bson_iter_utf8(&it, NULL) : "";
}

etl_wall etl_doc_date(const bson_t *doc, const char *path)
{
	bson_iter_t it;

	return (etl_wall){
		find(doc, path, BSON_TYPE_DATE_TIME, &it) ? bson_iter_date_time(&it) : 0};
}

int64_t etl_doc_int(const bson_t *doc, const char *path)
{
	bson_iter_t it;

	if (find(doc, path, BSON_TYPE_INT64, &it))
		return bson_iter_int64(&it);
	return find(doc, path, BSON_TYPE_INT32, &it) ? bson_iter_int32(&it) : 0;
}

double etl_doc_double(const bson_t *doc, const char *path)
{
	bson_iter_t it;

	return find(doc, path, BSON_TYPE_DOUBLE, &it) ? bson_iter_double(&it) : 0;
}

void etl_doc_put_date(bson_t *out, const char *name, etl_wall t)
{
	if (t.ms)
		BSON_APPEND_DATE_TIME(out, name, t.ms);
}
