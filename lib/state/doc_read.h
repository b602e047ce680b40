/* SPDX-License-Identifier: MIT
 *
 * Fields of the store's own documents by path ("breaker.until"): what is absent or of another
 * type is 0 or "". Any thread.
 */
#ifndef ETL_STATE_DOC_READ_H
#define ETL_STATE_DOC_READ_H

#include "state/state.h"

const char *etl_doc_text(const bson_t *doc, const char *path); /* lent by the document */
etl_wall etl_doc_date(const bson_t *doc, const char *path);
int64_t etl_doc_int(const bson_t *doc, const char *path); /* 32 or 64 bits */
double etl_doc_double(const bson_t *doc, const char *path);

/* Appends a date unless it is 0, "none". */
void etl_doc_put_date(bson_t *out, const char *name, etl_wall t);

#endif
