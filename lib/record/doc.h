/* SPDX-License-Identifier: MIT
 *
 * Reading and rewriting a document's top-level elements without libbson's append calls:
 * a cursor lends each element's bytes, a writer puts elements one behind the other into a
 * batch's arena. Keys are literal: a dot is part of the name ("PM2.5").
 */
#ifndef ETL_RECORD_DOC_H
#define ETL_RECORD_DOC_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record/batch.h"

/* One element, lent from a document's bytes. */
struct etl_element {
	uint8_t type;	      /* BSON element type, bsonspec.org */
	const char *key;      /* NUL-terminated */
	uint32_t key_len;
	const uint8_t *value; /* as BSON stores it (a string: length, text, NUL) */
	uint32_t value_len;
};

/* A length or count as BSON stores it, at any address. */
static inline uint32_t etl_bson_load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

struct etl_cursor {
	const uint8_t *at, *end;
};

/* Walks a document's own elements. A record from JSON is valid BSON by its making; one from a
 * server is not checked on arrival (a validator would cost more than all else), therefore the
 * walk ends at the first element whose lengths do not fit. */
void etl_cursor_init(struct etl_cursor *cursor, const uint8_t *bson, uint32_t len);
bool etl_cursor_next(struct etl_cursor *cursor, struct etl_element *out);

/* Finds a top-level element by its literal name; false if there is none. */
bool etl_doc_find(const uint8_t *bson, uint32_t len, const char *key, struct etl_element *out);

/* Readers; false if the element is of another type. Numbers: int32, int64 and double. */
bool etl_element_double(const struct etl_element *e, double *out);
bool etl_element_int64(const struct etl_element *e, int64_t *out); /* int32 and int64 only */
bool etl_element_text(const struct etl_element *e, const char **text, uint32_t *len);
bool etl_element_date(const struct etl_element *e, etl_wall *out);
/* A Decimal128 element's text ("1.50", "NaN"). */
void etl_element_decimal_text(const struct etl_element *e, char out[BSON_DECIMAL128_STRING]);
static inline bool etl_element_is_null(const struct etl_element *e)
{
	return e->type == 0x0a || e->type == 0x06;
}

/* "int64 42", "string \"abc…\"", for messages: cut to 80 bytes. */
void etl_element_describe(const struct etl_element *e, char *out, size_t size);

/* Writes one document into `arena`. Between begin and end nothing else may be allocated
 * from that arena. */
struct etl_writer {
	struct etl_arena *arena;
	uint8_t *data;
	size_t len, cap;
};
/* `size_hint`: bytes that will probably do; a wrong one costs a copy. */
void etl_writer_begin(struct etl_writer *w, struct etl_arena *arena, size_t size_hint);
void etl_writer_raw(struct etl_writer *w, const char *key, uint32_t key_len, uint8_t type,
	const void *value, uint32_t value_len);
void etl_writer_copy(struct etl_writer *w, const struct etl_element *e); /* as it is */
void etl_writer_double(struct etl_writer *w, const char *key, double v);
void etl_writer_int32(struct etl_writer *w, const char *key, int32_t v);
void etl_writer_int64(struct etl_writer *w, const char *key, int64_t v);
void etl_writer_bool(struct etl_writer *w, const char *key, bool v);
void etl_writer_date(struct etl_writer *w, const char *key, etl_wall v);
void etl_writer_text(struct etl_writer *w, const char *key, const char *s, uint32_t len);
void etl_writer_null(struct etl_writer *w, const char *key);
void etl_writer_document(struct etl_writer *w, const char *key, const uint8_t *bson,
	uint32_t len);
/* The finished document, in the arena. */
const uint8_t *etl_writer_end(struct etl_writer *w, uint32_t *len);

#endif
