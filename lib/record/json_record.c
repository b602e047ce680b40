/* SPDX-License-Identifier: MIT
 *
 * The transcoder. Text is read once; each string byte is copied once, to its final place;
 * lengths are filled in when a value closes. Whatever it may return depends on the text alone,
 * never on how much of it is there: a byte that is missing gives MORE.
 *
 * {"a":{"b":1}} is written as it is read:
 *   4 bytes left for the length | 03 "a" 0 | 4 bytes | 10 "b" 0 | 01 00 00 00 | 0 | 0
 * At each closing brace the length of its document is filled in. Nothing is moved, unless the
 * room ends (grow) and the whole record goes to a larger one; therefore frames keep offsets, not
 * pointers.
 */
#include "record/json_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "record/batch.h"
#include "record/doc.h"
#include "record/json_keys.h"
#include "record/json_room.h"
#include "record/json_scan.h"
#include "record/json_simd.h"

enum { DEPTH_DEFAULT = 64, DEPTH_LIMIT = 180 }; /* libbson's validator stops at 200 */
enum {
	/* A remembered key is copied with 32 bytes at a time, whatever its length, and
	 * a number is at most 16: so much room in front of each member makes all the
	 * copies safe without a look. */
	HEAD_ROOM = 80, /* a type, a remembered key, the largest scalar, copy slack */
	STEP_ROOM = 32, /* one step of a string's copy */
};

/* An open document or array of the record. Offsets count from the record's first byte. */
struct frame {
	size_t start;	/* its length field */
	size_t element; /* the type byte of its current member */
	uint32_t members;
	uint32_t serial; /* names this object in the set of keys */
	bool is_array;
};

/* What outlives a record: the frames' memory, the shape and the set of keys, and the
 * rest of a chunk. */
struct etl_json_record {
	struct etl_json_room room;
	locale_t c_locale;
	unsigned depth_max;
	struct frame *frames; /* depth_max + 1 */

	/* While a record is read: */
	const char *p, *end;
	uint8_t *base, *o; /* the record's first byte, the next byte to write */
	unsigned depth;	   /* open frames */
	bool known_keys;   /* so far, keys came as in the last record */
	const char *why, *why_at;

	struct etl_json_shape shape;
	struct etl_json_keys keys;
	const uint8_t *tail_of; /* no record of this shape has a key of this tail; or NULL */
};

struct etl_json_record *etl_json_record_new(unsigned depth_max)
{
	struct etl_json_record *r = ETL_NEW(struct etl_json_record);

	r->depth_max = depth_max ? depth_max : DEPTH_DEFAULT;
	if (r->depth_max > DEPTH_LIMIT)
		r->depth_max = DEPTH_LIMIT;
	r->frames = etl_calloc(r->depth_max + 1, sizeof *r->frames);
	/* strtod() takes the decimal point of the process; a library that sets a locale
	 * must not change data. */
	r->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	etl_json_keys_init(&r->keys);
	return r;
}

void etl_json_record_free(struct etl_json_record *r)
{
	if (!r)
		return;
	if (r->c_locale)
		freelocale(r->c_locale);
	etl_json_keys_fini(&r->keys);
	free(r->room.large);
	free(r->frames);
	free(r);
}

locale_t etl_json_record_locale(const struct etl_json_record *r)
{
	return r->c_locale;
}

void etl_json_record_target(struct etl_json_record *r, struct etl_arena *arena)
{
	etl_json_room_target(&r->room, arena);
	r->tail_of = NULL;
}

/* The reason is kept as a static text and a place, since most faults are MORE in
 * disguise: nothing is formatted before it is sure that somebody will read it. */
static enum etl_json_status fault(struct etl_json_record *r, enum etl_json_status status,
	const char *at, const char *why)
{
	r->why = why;
	r->why_at = at;
	return status;
}
#define reject(r, at, why) fault(r, ETL_JSON_REJECT, at, why)
#define broken(r, at, why) fault(r, ETL_JSON_BROKEN, at, why)

/* Moves the record to a larger chunk. False if it passed what MongoDB stores.
 * Only here the size is looked at: a record below the cap never pays for it. */
static bool grow(struct etl_json_record *r, size_t need)
{
	size_t used = (size_t)(r->o - r->base);

	if (used > ETL_DOCUMENT_BYTES_MAX) {
		reject(r, r->p, "the record is larger than a document may be");
		return false;
	}
	r->base = etl_json_room_grow(&r->room, r->base, used, need);
	r->o = r->base + used;
	return true;
}

/* Asked before every copy; the answer is nearly always yes, so the way out is a
 * function of its own. */
static inline bool room(struct etl_json_record *r, size_t need)
{
	return (size_t)(r->room.limit - r->o) >= need || grow(r, need);
}

static inline void store32(uint8_t *p, size_t v)
{
	memcpy(p, &(uint32_t){(uint32_t)v}, 4);
}

/* To the next byte that is no white space; false at the end of the bytes.
 * JSON between members is nearly always ", " or ":" without more: one byte is looked at
 * before the general walk. */
static inline bool next_byte(struct etl_json_record *r)
{
	if (r->p < r->end && (unsigned char)*r->p > ' ')
		return true;
	if (r->end - r->p > 1 && *r->p == ' ' && (unsigned char)r->p[1] > ' ') {
		r->p++;
		return true;
	}
	r->p = etl_json_skip_blanks(r->p, r->end);
	return r->p < r->end;
}

/* What ended a run of plain bytes: a backslash, a character beyond ASCII, or a bad byte.
 * Anything that is not plain ASCII is one step: an escape becomes its bytes, a longer
 * character is checked and copied. */
static enum etl_json_status copy_odd(struct etl_json_record *r)
{
	unsigned len = 0, used = 0;
	enum etl_json_status status;
	int n;

	if (*r->p == '\\') {
		status = etl_json_unescape(r->p, r->end, (char *)r->o, &len, &used, &r->why);
		r->why_at = r->p;
		r->o += len;
		r->p += used;
		return status;
	}
	if ((unsigned char)*r->p < 0x20)
		return reject(r, r->p, "a control byte in a string");
	n = etl_json_utf8(r->p, r->end);
	if (n <= 0)
		return n ? ETL_JSON_MORE : reject(r, r->p, "bytes that are not UTF-8");
	memcpy(r->o, r->p, (size_t)n);
	r->o += n;
	r->p += n;
	return ETL_JSON_OK;
}

/* Copies plain bytes to r->o and stops at the first other one, or at the end. Sixteen bytes are
 * copied before it is known how many of them count: the room is there, and what is too much is
 * overwritten by what follows. The comparison is signed, so that one "less than blank" finds
 * control bytes and all bytes from 0x80 up. */
static inline bool copy_plain(struct etl_json_record *r)
{
	const char *p = r->p;
	uint8_t *o = r->o;

#if ETL_JSON_SSE2
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i blank = _mm_set1_epi8(0x20);

	while (r->end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
						   _mm_cmpeq_epi8(v, slash)),
			_mm_cmplt_epi8(v, blank)); /* signed: also 0x80 and more */
		unsigned mask = (unsigned)_mm_movemask_epi8(odd);
		unsigned n = mask ? (unsigned)__builtin_ctz(mask) : 16;

		_mm_storeu_si128((__m128i *)(void *)o, v);
		p += n;
		o += n;
		r->p = p;
		r->o = o;
		if (mask)
			return true;
		if (!room(r, STEP_ROOM))
			return false;
		o = r->o;
	}
#endif
	while (p < r->end && (signed char)*p >= 0x20 && *p != '"' && *p != '\\') {
		*o++ = (uint8_t)*p++;
		r->p = p;
		r->o = o;
		if (!room(r, STEP_ROOM))
			return false;
		o = r->o;
	}
	return true;
}

/* A string's contents from behind its opening quote to behind the closing one.
 * Three ends: the quote, the end of the bytes, or something that no record can hold. */
static enum etl_json_status copy_string(struct etl_json_record *r)
{
	enum etl_json_status status;

	for (;;) {
		if (!room(r, STEP_ROOM) || !copy_plain(r))
			return ETL_JSON_REJECT;
		if (r->p == r->end)
			return ETL_JSON_MORE;
		if (*r->p == '"') {
			r->p++;
			return ETL_JSON_OK;
		}
		status = copy_odd(r);
		if (status != ETL_JSON_OK)
			return status;
	}
}

/* From the first key that the last record did not have: puts the keys read so far of all open
 * objects into the set. The last record was {"a","b","c"}; this one begins {"a","b","x". a and b
 * were matched by shape and are in no set: now that x makes doubles possible, they have to be. */
static void forget_known_keys(struct etl_json_record *r)
{
	r->known_keys = false;
	r->tail_of = NULL;
	for (unsigned i = 0; i < r->depth; i++) {
		const struct frame *f = &r->frames[i];
		struct etl_cursor cursor = {r->base + f->start + 4, r->base + f->element};
		struct etl_element e;

		while (!f->is_array && etl_cursor_next(&cursor, &e))
			etl_json_keys_add(&r->keys, f->serial, r->base, e.key, e.key_len);
		if (!f->is_array && i + 1 < r->depth) {
			const char *key = (const char *)r->base + f->element + 1;

			etl_json_keys_add(&r->keys, f->serial, r->base, key, strlen(key));
		}
	}
}

/* A key that has to be read byte for byte; r->p is behind its opening quote.
 * An empty name is legal JSON, but fields without a name cannot be asked for in
 * MongoDB. */
static enum etl_json_status read_new_key(struct etl_json_record *r, struct frame *f)
{
	const char *text = r->p;
	size_t key_at = f->element + 1, len;
	enum etl_json_status status;
	const char *key;

	if (r->known_keys)
		forget_known_keys(r);
	status = copy_string(r);
	if (status != ETL_JSON_OK)
		return status;
	key = (const char *)r->base + key_at;
	len = (size_t)(r->o - r->base) - key_at;
	if (!len)
		return reject(r, text, "an empty key");
	*r->o++ = '\0';
	if (!etl_json_keys_add(&r->keys, f->serial, r->base, key, len))
		return reject(r, text, "a key that appears twice");
	etl_json_shape_learn(&r->shape, text, (size_t)(r->p - text), len + 1, r->depth,
		f->members);
	return ETL_JSON_OK;
}

/* "key" and the colon; the element's type byte is left to the value.
 * A key that matches the shape is copied and compared in one step; any other is read
 * byte for byte. */
static enum etl_json_status read_key(struct etl_json_record *r, struct frame *f)
{
	enum etl_json_status status;
	size_t n = 0;

	if (*r->p != '"')
		return broken(r, r->p, "a key was expected");
	r->p++;
	/* Room for the type byte, which is known only when the value has been seen. */
	r->o++;
	if (r->known_keys)
		n = etl_json_shape_match(&r->shape, r->p, r->end, r->depth, f->members, r->o);
	if (n) {
		r->p += n;
		r->o += n;
	} else {
		status = read_new_key(r, f);
		if (status != ETL_JSON_OK)
			return status;
	}
	if (!next_byte(r))
		return ETL_JSON_MORE;
	if (*r->p != ':')
		return broken(r, r->p, "':' was expected");
	r->p++;
	return next_byte(r) ? ETL_JSON_OK : ETL_JSON_MORE;
}

/* BSON's arrays are documents with the names "0", "1", "2". */
static void write_index(struct etl_json_record *r, uint32_t index)
{
	char digits[12];
	unsigned n = 0;

	r->o++;
	do {
		digits[n++] = (char)('0' + index % 10);
		index /= 10;
	} while (index);
	while (n)
		*r->o++ = (uint8_t)digits[--n];
	*r->o++ = '\0';
}

/* Type, length, text, NUL: the length is filled in when the closing quote has been
 * seen. */
static enum etl_json_status read_string(struct etl_json_record *r, size_t element)
{
	size_t length_at = (size_t)(r->o - r->base);

	r->p++;
	r->o += 4;
	enum etl_json_status status = copy_string(r);
	if (status != ETL_JSON_OK)
		return status;
	*r->o++ = '\0';
	/* A string's length counts its NUL. */
	store32(r->base + length_at, (size_t)(r->o - r->base) - length_at - 4);
	r->base[element] = 0x02;
	return ETL_JSON_OK;
}

/* The type byte is written by the reader of numbers itself: it alone knows int32 from
 * Decimal128. */
static enum etl_json_status read_number(struct etl_json_record *r, size_t element)
{
	const char *at = r->p;
	uint32_t size = 0;
	enum etl_json_status status = etl_json_number(&r->p, r->end, r->c_locale, r->o,
		&r->base[element], &size);

	r->o += size;
	if (status == ETL_JSON_REJECT)
		return reject(r, at, "a number that no BSON type holds exactly");
	if (status == ETL_JSON_BROKEN) {
		/* -Infinity: written by Python's json.dumps among others. The record is refused
		 * and not the answer: it is clear where the value ends. */
		if (*at == '-' && *r->p == 'I')
			return reject(r, at, "Infinity is no JSON number");
		return broken(r, r->p, "a digit was expected");
	}
	return status;
}

/* `word` at r->p: OK, MORE or BROKEN.
 * "nul" at the end of a piece is MORE, "nulx" is broken. */
static enum etl_json_status match_word(struct etl_json_record *r, const char *word)
{
	const char *p = r->p;

	for (; *word; word++, p++) {
		if (p == r->end)
			return ETL_JSON_MORE;
		if (*p != *word)
			return broken(r, p, "an unexpected byte");
	}
	r->p = p;
	return ETL_JSON_OK;
}

/* NaN and Infinity are read as words, so that the record is refused and the answer goes
 * on. */
static enum etl_json_status read_word(struct etl_json_record *r, size_t element)
{
	const char *at = r->p;
	enum etl_json_status status;

	switch (*at) {
	case 't':
	case 'f':
		r->base[element] = 0x08;
		*r->o++ = *at == 't';
		return match_word(r, *at == 't' ? "true" : "false");
	case 'n':
		r->base[element] = 0x0a;
		return match_word(r, "null");
	case 'N':
	case 'I':
		status = match_word(r, *at == 'N' ? "NaN" : "Infinity");
		return status == ETL_JSON_OK ?
			       reject(r, at, "NaN and Infinity are no JSON values") :
			       status;
	default:
		return broken(r, at, "a value was expected");
	}
}

/* The type byte of the member was written by the caller; here begins the inner
 * document. */
static enum etl_json_status open_frame(struct etl_json_record *r, bool is_array)
{
	struct frame *f = &r->frames[r->depth];

	/* The cap stays below the 200 levels of libbson's validator, since records are put
	 * into other documents. */
	if (r->depth == r->depth_max)
		return reject(r, r->p, "nested too deeply");
	r->depth++;
	r->p++;
	f->start = (size_t)(r->o - r->base);
	f->element = f->start + 4;
	f->members = 0;
	f->is_array = is_array;
	f->serial = etl_json_keys_object(&r->keys);
	r->o += 4;
	return ETL_JSON_OK;
}

/* The zero byte ends the document, and its length is what lies between: both are known
 * now. */
static void close_frame(struct etl_json_record *r)
{
	struct frame *f = &r->frames[--r->depth];

	r->p++;
	*r->o++ = '\0';
	store32(r->base + f->start, (size_t)(r->o - r->base) - f->start);
}

/* One value; an object or array is only opened.
 * `'0' ... '9'` is GNU C: a jump table, since this is asked for each value of each
 * record. */
static enum etl_json_status read_value(struct etl_json_record *r, size_t element)
{
	switch (*r->p) {
	case '"':
		return read_string(r, element);
	case '{':
		r->base[element] = 0x03;
		return open_frame(r, false);
	case '[':
		r->base[element] = 0x04;
		return open_frame(r, true);
	case '-':
	case '0' ... '9':
		return read_number(r, element);
	default:
		return read_word(r, element);
	}
}

/* The next member of the innermost frame: its key or index, and its value.
 * Room is asked for twice, since a key that is copied byte for byte may have used the
 * first. */
static enum etl_json_status read_member(struct etl_json_record *r)
{
	struct frame *f = &r->frames[r->depth - 1];
	enum etl_json_status status;

	if (!room(r, HEAD_ROOM))
		return ETL_JSON_REJECT;
	f->element = (size_t)(r->o - r->base);
	if (f->is_array) {
		write_index(r, f->members);
	} else {
		status = read_key(r, f);
		if (status != ETL_JSON_OK)
			return status;
		if (!room(r, HEAD_ROOM))
			return ETL_JSON_REJECT;
	}
	f->members++;
	return read_value(r, f->element);
}

/* Behind a value: closes frames, takes one comma. OK with depth 0 = the record is complete.
 * Behind the 1 of {"a":{"b":[1]}} three levels close in one go. */
static enum etl_json_status read_after(struct etl_json_record *r)
{
	while (r->depth) {
		const struct frame *f = &r->frames[r->depth - 1];

		if (!next_byte(r))
			return ETL_JSON_MORE;
		/* A comma needs a member before it: {,"a":1} is broken. */
		if (*r->p == ',' && f->members) {
			r->p++;
			return next_byte(r) ? ETL_JSON_OK : ETL_JSON_MORE;
		}
		if (*r->p != (f->is_array ? ']' : '}')) {
			if (!f->members)
				return ETL_JSON_OK; /* just opened: its first member */
			return broken(r, r->p, f->is_array ? "',' or ']' was expected" :
							     "',' or '}' was expected");
		}
		if (!room(r, HEAD_ROOM))
			return ETL_JSON_REJECT;
		close_frame(r);
	}
	return ETL_JSON_OK;
}

/* A loop and no recursion: frames are the stack, and their number is capped. */
static enum etl_json_status read_object(struct etl_json_record *r)
{
	enum etl_json_status status = open_frame(r, false);

	while (status == ETL_JSON_OK) {
		status = read_after(r);
		if (status != ETL_JSON_OK || !r->depth)
			return status;
		status = read_member(r);
	}
	return status;
}

/* Elements of `tail` whose keys the record lacks go behind its last element.
 * Values to attach, as finished BSON: {"v": 1} and the tail {"city": "Florence"}. If the record has
 * a `city` of its own it stays. `tail_of` remembers that records of this shape have none of the
 * tail's names, so that the search is made once for a million of them. */
static bool append_tail(struct etl_json_record *r, const uint8_t *tail, uint32_t tail_len)
{
	bool sure = r->known_keys && r->tail_of == tail, absent = true;
	uint32_t own = (uint32_t)(r->o - r->base);
	struct etl_cursor cursor;
	struct etl_element e, other;

	if (!room(r, tail_len + HEAD_ROOM))
		return false;
	r->o--; /* over the final NUL */
	etl_cursor_init(&cursor, tail, tail_len);
	while (etl_cursor_next(&cursor, &e)) {
		const uint8_t *from = (const uint8_t *)e.key - 1;
		size_t size = (size_t)(cursor.at - from);

		if (!sure && etl_doc_find(r->base, own, e.key, &other)) {
			absent = false;
			continue;
		}
		memcpy(r->o, from, size);
		r->o += size;
	}
	*r->o++ = '\0';
	store32(r->base, (size_t)(r->o - r->base));
	if (absent && r->shape.at == r->shape.n)
		r->tail_of = tail;
	return true;
}

/* Where in the record it happened: the current member of each open frame.
 * /rows/3/name: the member that was being read in each open frame. */
static void describe_path(const struct etl_json_record *r, struct etl_json_fault *out)
{
	size_t used = 0;

	out->path[0] = '\0';
	for (unsigned i = 0; i < r->depth && used < sizeof out->path - 1; i++) {
		const struct frame *f = &r->frames[i];
		char name[128];

		if ((size_t)(r->o - r->base) <= f->element)
			break; /* opened, nothing read in it */
		if (f->is_array)
			snprintf(name, sizeof name, "%u", f->members - 1);
		else
			etl_json_key_text((const char *)r->base + f->element + 1,
				(size_t)(r->o - r->base) - f->element - 1, name, sizeof name);
		used += (size_t)snprintf(out->path + used, sizeof out->path - used, "/%s",
			name);
	}
	used = strlen(out->path);
	out->path[etl_utf8_check(out->path, used)] = '\0';
}

/* The chunk is a little larger than the text, since BSON is about as long as JSON; a
 * piece of many records shares one. */
static void begin(struct etl_json_record *r, const char *p, const char *end)
{
	size_t left = (size_t)(end - p), want = left + left / 4 + ETL_JSON_CHUNK_MIN / 2;

	if ((size_t)(r->room.limit - r->room.free) < ETL_JSON_CHUNK_MIN / 4)
		etl_json_room_chunk(
			&r->room, want > ETL_JSON_CHUNK_MAX ? ETL_JSON_CHUNK_MAX : want);
	r->p = p;
	r->end = end;
	r->base = r->room.free;
	r->o = r->room.free;
	r->depth = 0;
	r->known_keys = true;
	etl_json_shape_begin(&r->shape);
	etl_json_keys_begin(&r->keys);
}

/* A record that fails leaves no trace: the next one is written over it. One that succeeds moves
 * `room.free` behind it, and the batch keeps its bytes without a copy. */
enum etl_json_status etl_json_record_read(struct etl_json_record *r, const char **p,
	const char *end, const uint8_t *tail, uint32_t tail_len, const uint8_t **bson,
	uint32_t *len, struct etl_json_fault *out)
{
	enum etl_json_status status;

	begin(r, *p, end);
	status = read_object(r);
	if (status == ETL_JSON_OK && tail && !append_tail(r, tail, tail_len))
		status = ETL_JSON_REJECT;
	if (status == ETL_JSON_OK && r->o - r->base > ETL_DOCUMENT_BYTES_MAX)
		status = reject(r, *p, "the record is larger than a document may be");
	if (r->keys.cap > ETL_JSON_KEYS_KEPT) /* of a record with very many fields: given back */
		etl_json_keys_clear(&r->keys, ETL_JSON_KEYS_FIRST);
	if (status == ETL_JSON_OK) {
		*p = r->p;
		*len = (uint32_t)(r->o - r->base);
		r->room.free = r->o;
		*bson = r->room.large ? etl_json_room_settle(&r->room, *len) : r->base;
		return status;
	}
	r->room.free = r->base;
	if (status != ETL_JSON_MORE) {
		out->at = r->why_at;
		snprintf(out->message, sizeof out->message, "%s", r->why);
		describe_path(r, out);
	}
	if (r->room.large)
		etl_json_room_settle(&r->room, 0);
	return status;
}

size_t etl_json_record_held(const struct etl_json_record *r)
{
	return r->keys.cap * sizeof *r->keys.slots;
}
