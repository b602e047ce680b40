/* SPDX-License-Identifier: MIT
 *
 * Types that the fields of the metadata must have. People edit these documents, and tools restore
 * them: what is of another type is named, never read as something else.
 */
#ifndef ETL_STATE_DOC_NEED_H
#define ETL_STATE_DOC_NEED_H

#include <bson/bson.h>

#include "base/error.h"

enum etl_doc_kind { ETL_DOC_TEXT, ETL_DOC_DATE, ETL_DOC_NUMBER, ETL_DOC_BOOL };

struct etl_doc_field {
	const char *name;
	enum etl_doc_kind kind;
};

/* Checks the fields of a document; `fields` ends with a name of NULL. What is absent or null is
 * fine. -1 with ETL_DATA "metadata.type" names the collection, the document's _id, the field, what
 * it is and what it has to be, and says what to do about it. */
int etl_doc_need(const char *collection, const bson_t *doc, const struct etl_doc_field *fields,
	struct etl_error *err);

#endif
