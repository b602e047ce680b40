/* SPDX-License-Identifier: MIT
 *
 * Types of fields, and what an operator can do about a wrong one.
 *
 * Whoever has mended metadata by hand has once written a text where a date belongs. A reader that
 * takes it for 0 would go on with 1970 or with fence 0; so what a decision depends on is checked
 * here before it is read. Example of what an operator sees:
 *
 *   the metadata cannot be read: in collection 'watermarks', document 'orders/eu', the field
 *   'fence' is a text and has to be a number; correct it, or remove the document: the ledger
 *   makes it again
 */
#include "state/doc_need.h"

#include <string.h>

#include "base/str.h"

static const char *const kind_words[] = {
	[ETL_DOC_TEXT] = "a text",
	[ETL_DOC_DATE] = "a date",
	[ETL_DOC_NUMBER] = "a number",
	[ETL_DOC_BOOL] = "true or false",
};

static const char *type_word(bson_type_t type)
{
	switch (type) {
	case BSON_TYPE_UTF8:
		return "a text";
	case BSON_TYPE_DATE_TIME:
		return "a date";
	case BSON_TYPE_DOUBLE:
	case BSON_TYPE_INT32:
	case BSON_TYPE_INT64:
		return "a number";
	case BSON_TYPE_DECIMAL128:
		return "a decimal";
	case BSON_TYPE_BOOL:
		return "true or false";
	case BSON_TYPE_DOCUMENT:
		return "a document";
	case BSON_TYPE_ARRAY:
		return "an array";
	case BSON_TYPE_OID:
		return "an ObjectId";
	case BSON_TYPE_TIMESTAMP:
		return "a timestamp";
	case BSON_TYPE_BINARY:
		return "binary";
	default:
		return "of another type";
	}
}

/* A number may be of any width, since mongosh writes 5 as a double. */
static bool is_kind(const bson_iter_t *it, enum etl_doc_kind kind)
{
	switch (kind) {
	case ETL_DOC_TEXT:
		return BSON_ITER_HOLDS_UTF8(it);
	case ETL_DOC_DATE:
		return BSON_ITER_HOLDS_DATE_TIME(it);
	case ETL_DOC_NUMBER:
		return BSON_ITER_HOLDS_INT32(it) || BSON_ITER_HOLDS_INT64(it) ||
			BSON_ITER_HOLDS_DOUBLE(it);
	case ETL_DOC_BOOL:
		return BSON_ITER_HOLDS_BOOL(it);
	}
	return false;
}

/* What happens if the document is removed, which for most is the shortest way out. */
static const char *remedy(const char *collection)
{
	static const struct {
		const char *collection, *what;
	} rows[] = {
		{"watermarks", "or remove the document: the ledger makes it again"},
		{"leases", "or remove the document while no run of the job goes on"},
		{"windows", "or remove the document: its window is loaded again"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (etl_streq(rows[i].collection, collection))
			return rows[i].what;
	return "or remove the document";
}

static int refuse(const char *collection, const bson_t *doc, const struct etl_doc_field *field,
	const bson_iter_t *found, struct etl_error *err)
{
	const char *id = "?";
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, "_id") && BSON_ITER_HOLDS_UTF8(&it))
		id = bson_iter_utf8(&it, NULL);
	return etl_error_set(err, ETL_DATA, "metadata.type",
		"the metadata cannot be read: in collection '%s', document '%s', the field '%s' is %s "
		"and has to be %s; correct it, %s",
		collection, id, field->name, type_word(bson_iter_type(found)),
		kind_words[field->kind], remedy(collection));
}

/* A field that is missing or null is no error: older etlds have not written all of them, and each
 * reader has a value for that. */
int etl_doc_need(const char *collection, const bson_t *doc, const struct etl_doc_field *fields,
	struct etl_error *err)
{
	bson_iter_t it;

	for (; fields->name; fields++)
		if (bson_iter_init_find(&it, doc, fields->name) && !BSON_ITER_HOLDS_NULL(&it) &&
			!is_kind(&it, fields->kind))
			return refuse(collection, doc, fields, &it, err);
	return 0;
}
