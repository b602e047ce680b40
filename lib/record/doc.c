/* SPDX-License-Identifier: MIT
 *
 * BSON elements by hand: sizes of values, a cursor over them, a writer for them. The layout is
 * bsonspec.org's; numbers are little-endian in memory as in the file.
 *
 * A document: length (4 bytes, itself included), elements, a zero byte. An element: type byte,
 * name, zero byte, value. {"a": 1} is 12 bytes:
 *   0c 00 00 00   10   61 00   01 00 00 00   00
 *   length        int32 "a"    1             end
 */
#include "record/doc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "record/encode_json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "BSON is copied as it lies");


/* A string's bytes with its length field; SIZE_MAX if it is none. Readers trust the NUL, and
 * that there is room to subtract it.
 * "hi": 03 00 00 00 68 69 00. The length counts the NUL, so it is at least 1. A length beyond the
 * room, or a last byte that is no NUL, makes the whole value unreadable. */
static size_t string_size(const uint8_t *p, size_t room)
{
	size_t len = room < 4 ? 0 : etl_bson_load32(p);

	if (!len || len > room - 4 || p[4 + len - 1])
		return SIZE_MAX;
	return 4 + len;
}

/* Length, string, document: a length that does not hold them both is none.
 * Both lengths have to agree; the smallest document has 5 bytes. */
static size_t scoped_code_size(const uint8_t *p, size_t room)
{
	size_t size = room < 4 ? 0 : etl_bson_load32(p);
	size_t code = size < 8 || size > room ? SIZE_MAX : string_size(p + 4, size - 4);

	return code == SIZE_MAX || size - 4 - code < 5 ? SIZE_MAX : size;
}

/* Bytes of a value that starts at `p`; SIZE_MAX if it does not end before `end`. The rest of
 * the room is left to the caller to compare.
 * The sizes of bsonspec.org, by the type byte: 8 bytes for a double, a date, a timestamp and an
 * int64; 12 for an ObjectId; a length field for what varies. The caller compares the answer with
 * what is left, so an absurd length (4 GiB in a document of 40 bytes) ends the walk and reads
 * nothing. */
static size_t value_size(uint8_t type, const uint8_t *p, const uint8_t *end)
{
	size_t room = (size_t)(end - p);
	size_t size;

	switch (type) {
	case 0x01: /* double */
	case 0x09: /* date */
	case 0x11: /* timestamp */
	case 0x12: /* int64 */
		return 8;
	case 0x02: /* string */
	case 0x0d: /* code */
	case 0x0e: /* symbol */
		return string_size(p, room);
	case 0x03: /* document */
	case 0x04: /* array */
		return room < 5 || etl_bson_load32(p) < 5 ? SIZE_MAX : etl_bson_load32(p);
	case 0x0f: /* code with scope */
		return scoped_code_size(p, room);
	/* Length, one byte of subtype, bytes. */
	case 0x05: /* binary */
		return room < 4 ? SIZE_MAX : 5 + (size_t)etl_bson_load32(p);
	case 0x07: /* ObjectId */
		return 12;
	case 0x08: /* bool */
		return 1;
	case 0x0b: /* regex: two C strings */
		size = strnlen((const char *)p, room) + 1;
		if (size > room)
			return SIZE_MAX;
		return size + strnlen((const char *)p + size, room - size) + 1;
	case 0x0c: /* DBPointer */
		size = string_size(p, room);
		return size == SIZE_MAX ? size : size + 12;
	case 0x10: /* int32 */
		return 4;
	case 0x13: /* Decimal128 */
		return 16;
	case 0x06: /* undefined */
	case 0x0a: /* null */
	case 0x7f: /* MaxKey */
	case 0xff: /* MinKey */
		return 0;
	/* A type that the specification does not know: its length cannot be known, so
	 * the walk ends. */
	default:
		return SIZE_MAX;
	}
}

/* A document of fewer than 5 bytes has no elements; its end is put where its beginning
 * is. */
void etl_cursor_init(struct etl_cursor *cursor, const uint8_t *bson, uint32_t len)
{
	cursor->at = bson + 4;
	cursor->end = len >= 5 ? bson + len - 1 : bson + 4;
}

/* Three looks before anything is lent: the type is not the final zero, the name ends
 * inside, the value ends inside. Each is compared with what is left and never added to
 * a pointer first, which could pass the end of memory. */
bool etl_cursor_next(struct etl_cursor *cursor, struct etl_element *out)
{
	const uint8_t *p = cursor->at;
	size_t room, key_len, size;

	if (p >= cursor->end || !*p)
		return false;
	room = (size_t)(cursor->end - (p + 1));
	key_len = strnlen((const char *)p + 1, room);
	if (key_len == room)
		return false;
	const uint8_t *value = p + 1 + key_len + 1;
	size = value_size(*p, value, cursor->end);
	if (size > (size_t)(cursor->end - value))
		return false;
	out->type = *p;
	out->key = (const char *)p + 1;
	out->key_len = (uint32_t)key_len;
	out->value = value;
	out->value_len = (uint32_t)size;
	cursor->at = value + size;
	return true;
}

/* A walk: documents have tens of fields, and an index would cost more to make than it
 * saves. */
bool etl_doc_find(const uint8_t *bson, uint32_t len, const char *key, struct etl_element *out)
{
	size_t key_len = strlen(key);
	struct etl_cursor cursor;
	struct etl_element e;

	etl_cursor_init(&cursor, bson, len);
	while (etl_cursor_next(&cursor, &e))
		if (e.key_len == key_len && memcmp(e.key, key, key_len) == 0) {
			*out = e;
			return true;
		}
	return false;
}

/* An int32 is widened with its sign. A double is no integer here, even if it is whole. */
bool etl_element_int64(const struct etl_element *e, int64_t *out)
{
	int32_t small;

	if (e->type == 0x12) {
		memcpy(out, e->value, sizeof *out);
		return true;
	}
	if (e->type != 0x10)
		return false;
	memcpy(&small, e->value, sizeof small);
	*out = small;
	return true;
}

/* An int64 beyond 2^53 is rounded; who must not lose digits asks etl_number_double. */
bool etl_element_double(const struct etl_element *e, double *out)
{
	int64_t whole;

	if (e->type == 0x01) {
		memcpy(out, e->value, sizeof *out);
		return true;
	}
	if (!etl_element_int64(e, &whole))
		return false;
	*out = (double)whole;
	return true;
}

bool etl_element_text(const struct etl_element *e, const char **text, uint32_t *len)
{
	if (e->type != 0x02)
		return false;
	*text = (const char *)e->value + 4;
	*len = etl_bson_load32(e->value) - 1;
	return true;
}

void etl_element_decimal_text(const struct etl_element *e, char out[BSON_DECIMAL128_STRING])
{
	bson_decimal128_t decimal;

	memcpy(&decimal.low, e->value, 8);
	memcpy(&decimal.high, e->value + 8, 8);
	bson_decimal128_to_string(&decimal, out);
}

bool etl_element_date(const struct etl_element *e, etl_wall *out)
{
	if (e->type != 0x09)
		return false;
	memcpy(&out->ms, e->value, sizeof out->ms);
	return true;
}

/* As MongoDB's $type operator calls them, so that a message can be pasted into a query. */
static const char *type_name(uint8_t type)
{
	static const char *const names[0x14] = {
		[0x01] = "double",
		[0x02] = "string",
		[0x03] = "document",
		[0x04] = "array",
		[0x05] = "binary",
		[0x06] = "undefined",
		[0x07] = "objectId",
		[0x08] = "bool",
		[0x09] = "date",
		[0x0a] = "null",
		[0x0b] = "regex",
		[0x0c] = "dbPointer",
		[0x0d] = "code",
		[0x0e] = "symbol",
		[0x0f] = "codeWithScope",
		[0x10] = "int32",
		[0x11] = "timestamp",
		[0x12] = "int64",
		[0x13] = "decimal",
	};

	if (type == 0x7f)
		return "maxKey";
	if (type == 0xff)
		return "minKey";
	return type < 0x14 && names[type] ? names[type] : "unknown";
}

enum { DESCRIBE_MAX = 80 };

/* int32 42, string "abc", date "2026-07-01T10:00:00Z", null; a long one ends with an ellipsis. */
void etl_element_describe(const struct etl_element *e, char *out, size_t size)
{
	char text[DESCRIBE_MAX + 4];
	struct etl_buf json;
	size_t len = 0;

	/* A cap below the value's length stops the encoder early; what fits is shown. */
	etl_buf_init(&json, DESCRIBE_MAX);
	if (!etl_element_is_null(e))
		etl_json_encode_element(e, 0, &json);
	len = (size_t)snprintf(text, sizeof text, "%s%s%s", type_name(e->type),
		json.len ? " " : "", etl_buf_text(&json));
	if (json.full || len >= sizeof text || len > DESCRIBE_MAX) {
		len = etl_utf8_cut(text, len < DESCRIBE_MAX - 3 ? len : DESCRIBE_MAX - 3);
		memcpy(text + len, "…", sizeof "…");
	}
	etl_buf_fini(&json);
	if (!size)
		return;
	len = strlen(text);
	if (len >= size)
		len = etl_utf8_cut(text, size - 1);
	memcpy(out, text, len);
	out[len] = '\0';
}

/* The old bytes stay in the arena: what points into them (a value that is being copied)
 * stays good. */
static void grow(struct etl_writer *w, size_t need)
{
	size_t cap = 2 * w->cap;
	uint8_t *data;

	/* Doubling, in an arena: the smaller copies stay until the batch is done, in
	 * all less than the last. */
	while (cap - w->len < need)
		cap *= 2;
	data = etl_arena_alloc(w->arena, cap);
	memcpy(data, w->data, w->len);
	w->data = data;
	w->cap = cap;
}

void etl_writer_begin(struct etl_writer *w, struct etl_arena *arena, size_t size_hint)
{
	w->arena = arena;
	w->cap = size_hint < 64 ? 64 : (size_hint + 7) & ~(size_t)7;
	w->data = etl_arena_alloc(arena, w->cap);
	/* Room for the length, which is known only at the end. */
	w->len = 4;
}

/* The element's head, with room for its value behind it; gives the place of the value.
 * memcpy everywhere and no casts: elements begin at any address. */
static uint8_t *head(struct etl_writer *w, const char *key, size_t key_len, uint8_t type,
	size_t value_len)
{
	size_t need = 1 + key_len + 1 + value_len;
	uint8_t *p;

	if (w->cap - w->len < need + 1) /* and the document's final NUL */
		grow(w, need + 1);
	p = w->data + w->len;
	w->len += need;
	*p++ = type;
	memcpy(p, key, key_len);
	p[key_len] = '\0';
	return p + key_len + 1;
}

void etl_writer_raw(struct etl_writer *w, const char *key, uint32_t key_len, uint8_t type,
	const void *value, uint32_t value_len)
{
	uint8_t *p = head(w, key, key_len, type, value_len);

	if (value_len)
		memcpy(p, value, value_len);
}

void etl_writer_copy(struct etl_writer *w, const struct etl_element *e)
{
	etl_writer_raw(w, e->key, e->key_len, e->type, e->value, e->value_len);
}

void etl_writer_double(struct etl_writer *w, const char *key, double v)
{
	memcpy(head(w, key, strlen(key), 0x01, sizeof v), &v, sizeof v);
}

void etl_writer_int32(struct etl_writer *w, const char *key, int32_t v)
{
	memcpy(head(w, key, strlen(key), 0x10, sizeof v), &v, sizeof v);
}

void etl_writer_int64(struct etl_writer *w, const char *key, int64_t v)
{
	memcpy(head(w, key, strlen(key), 0x12, sizeof v), &v, sizeof v);
}

void etl_writer_bool(struct etl_writer *w, const char *key, bool v)
{
	*head(w, key, strlen(key), 0x08, 1) = v;
}

void etl_writer_date(struct etl_writer *w, const char *key, etl_wall v)
{
	memcpy(head(w, key, strlen(key), 0x09, sizeof v.ms), &v.ms, sizeof v.ms);
}

void etl_writer_text(struct etl_writer *w, const char *key, const char *s, uint32_t len)
{
	uint8_t *p = head(w, key, strlen(key), 0x02, 4 + (size_t)len + 1);
	uint32_t stored = len + 1;

	memcpy(p, &stored, sizeof stored);
	if (len)
		memcpy(p + 4, s, len);
	p[4 + (size_t)len] = '\0';
}

void etl_writer_null(struct etl_writer *w, const char *key)
{
	head(w, key, strlen(key), 0x0a, 0);
}

void etl_writer_document(struct etl_writer *w, const char *key, const uint8_t *bson,
	uint32_t len)
{
	etl_writer_raw(w, key, (uint32_t)strlen(key), 0x03, bson, len);
}

/* The length goes to the four bytes that were left for it. The document lies in the
 * arena as long as the batch does; nobody frees it. */
const uint8_t *etl_writer_end(struct etl_writer *w, uint32_t *len)
{
	uint32_t total;

	w->data[w->len++] = '\0';
	total = (uint32_t)w->len;
	memcpy(w->data, &total, sizeof total);
	*len = total;
	return w->data;
}
