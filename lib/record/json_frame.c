/* SPDX-License-Identifier: MIT
 *
 * The answer around the records: a pushdown reader, resumable at every byte. Strings that
 * nobody asked for are passed without looking at their UTF-8.
 *
 * Example, records at /data/rows: of {"meta": {...}, "data": {"rows": [ {...}, {...} ]}} this file
 * reads every byte but those inside of the two objects. What it keeps is a stack of brackets and,
 * for each pointer, how many of its tokens the way to here agrees with: at the '[' of rows the
 * pointer of the records has matched 2 of 2, so its elements are records.
 */
#include "record/json_frame.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

int etl_json_broken(struct etl_error *err, uint64_t offset, const char *what)
{
	return etl_error_set(err, ETL_DATA, "json.syntax", "%s at byte %llu of the answer",
		what, (unsigned long long)offset);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The value that starts now is what target `i` points at.
 * All of the pointer agrees, and nothing but the pointer leads here. */
static bool is_target(const struct etl_json_decoder *d, size_t i)
{
	return d->targets[i].matched == d->depth && d->targets[i].path.n == d->depth;
}

static bool leads_on(const struct etl_json_decoder *d, size_t i)
{
	return d->targets[i].matched == d->depth && d->targets[i].path.n > d->depth;
}

/* One level less of agreement for each pointer that went as deep as this value. */
void etl_json_frame_value_done(struct etl_json_decoder *d)
{
	for (size_t i = 0; i < d->n_targets; i++)
		if (d->depth && d->targets[i].matched == d->depth)
			d->targets[i].matched--;
	d->state = d->depth ? ETL_JSON_AFTER_VALUE : ETL_JSON_AT_END;
}

/* A scalar or a container ended; `d->depth` is that of its parent. */
static void value_ended(struct etl_json_decoder *d)
{
	if (d->capturing && d->depth == d->capture_depth) {
		d->capturing = false;
		d->captured = true;
	}
	etl_json_frame_value_done(d);
}

/* on_path: some pointer leads through this container, so its keys or indices are worth comparing.
 * In a metadata block of ten thousand members that nobody asked for none is looked at. */
static int push(struct etl_json_decoder *d, bool is_array, bool of_records, uint64_t at,
	struct etl_error *err)
{
	struct etl_json_level *level;
	bool on_path = false;

	/* A thousand levels are no answer of a service; memory for more is not worth
	 * having. */
	if (d->depth == ETL_JSON_FRAME_DEPTH_MAX)
		return etl_error_set(err, ETL_LIMIT, "json.depth",
			"nested deeper than %d at byte %llu of the answer",
			ETL_JSON_FRAME_DEPTH_MAX, (unsigned long long)at);
	for (size_t i = 0; i < d->n_targets; i++)
		on_path |= leads_on(d, i);
	ETL_GROW(d->levels, d->depth, d->levels_cap);
	level = &d->levels[d->depth++];
	*level = (struct etl_json_level){
		.is_array = is_array, .of_records = of_records, .on_path = on_path};
	d->state = is_array ? ETL_JSON_AT_FIRST_VALUE : ETL_JSON_AT_FIRST_KEY;
	return 0;
}

/* A parent that values belong to ends: before its siblings begin, its records have to
 * have them. */
static int pop(struct etl_json_decoder *d)
{
	d->depth--;
	if (d->scope_first && d->depth && d->targets[0].matched == d->depth)
		for (size_t i = 1; i <= d->spec->n_attach; i++)
			if (d->targets[i].scope == d->depth) {
				etl_json_scope_ended(d, d->depth);
				break;
			}
	value_ended(d);
	return 0;
}

/* Before an array's element: which pointers go on to it.
 * Called before each element, so `matched` is at most one level behind. */
static void match_index(struct etl_json_decoder *d)
{
	const struct etl_json_level *level = &d->levels[d->depth - 1];

	if (!level->on_path)
		return;
	for (size_t i = 0; i < d->n_targets; i++) {
		struct etl_json_target *t = &d->targets[i];

		if (t->matched == d->depth - 1 && t->path.n >= d->depth &&
			etl_path_token_is_index(&t->path.tokens[d->depth - 1], level->index)) {
			t->matched = d->depth;
			if (i == 0 && t->path.tokens[d->depth - 1].any)
				d->underscored = false;
		}
	}
}

/* The key's escapes undone, in place.
 * "da\u0074a" is data. Undone in place: what an escape means is never longer than it. */
static int unescape_key(struct etl_json_decoder *d, uint64_t at, struct etl_error *err)
{
	char *p = d->key.data, *end = p + d->key.len, *o = p;
	unsigned len, used;
	const char *why;
	char text[4];

	while (p < end) {
		if (*p != '\\') {
			*o++ = *p++;
			continue;
		}
		if (etl_json_unescape(p, end, text, &len, &used, &why) != ETL_JSON_OK)
			return etl_json_broken(err, at, "a bad escape in a key");
		memcpy(o, text, len);
		o += len;
		p += used;
	}
	d->key.len = (size_t)(o - d->key.data);
	d->key.data[d->key.len] = '\0';
	return 0;
}

/* The name is also kept for who watches, down to ETL_NOTE_DEPTH levels.
 * A star agrees with every name; under one, names with a leading '_' are told apart,
 * since services put metadata between their records there ("_params"). */
static int match_key(struct etl_json_decoder *d, uint64_t at, struct etl_error *err)
{
	/* A name that is longer than the buffer is nothing that anybody asks for. */
	if (d->key.len && !d->key.full && unescape_key(d, at, err) != 0)
		return -1;
	if (d->depth <= ETL_NOTE_DEPTH)
		etl_text_copy(d->names[d->depth - 1], ETL_JSON_NAME_BYTES, etl_buf_text(&d->key));
	for (size_t i = 0; i < d->n_targets; i++) {
		struct etl_json_target *t = &d->targets[i];
		const struct etl_path_token *token;

		if (t->matched != d->depth - 1 || t->path.n < d->depth)
			continue;
		token = &t->path.tokens[d->depth - 1];
		if (!etl_path_token_is_key(token, etl_buf_text(&d->key), d->key.len))
			continue;
		t->matched = d->depth;
		if (i == 0 && token->any)
			d->underscored = d->key.len && d->key.data[0] == '_';
	}
	return 0;
}

/* What follows is kept as text, byte for byte, until the value at this depth ends. */
static void capture(struct etl_json_decoder *d, bool as_reject)
{
	d->capturing = true;
	d->capture_reject = as_reject;
	d->capture_cut = false;
	d->capture_depth = d->depth;
	etl_buf_clear(&d->capture);
}

/* A container at a pointer: what is expected exists; what is attached is kept as it stands,
 * which no other pointer may lead into.
 * `expect` at one: it exists, and is equal to no scalar. `attach` takes it whole, as long as no
 * other pointer needs something inside, which would have to be read twice. */
static int note_container(struct etl_json_decoder *d, size_t i, struct etl_error *err)
{
	struct etl_json_target *t = &d->targets[i];
	bool shared = is_target(d, 0);

	if (etl_json_is_sought(d, i)) {
		t->seen = true;
		d->found(d->found_ctx, &(struct etl_found){.text = ""});
		return 0;
	}
	if (i > d->spec->n_attach) {
		t->seen = true;
		return etl_json_expected(d, i, NULL, false, err);
	}
	for (size_t other = 0; other < d->n_targets; other++)
		shared |= leads_on(d, other);
	if (shared)
		return etl_error_set(err, ETL_DATA, "json.attach",
			"%s holds the records or another value that is asked for",
			t->path.text);
	t->capturing = true;
	return 0;
}

/* Notes what the value that starts with `c` is to records, attach and expect.
 * One value may be several things: with records at /rows and expect /rows it is the list and the
 * proof that there is one. */
static int note_targets(struct etl_json_decoder *d, char c, uint64_t at, struct etl_error *err)
{
	bool container = c == '{' || c == '[', wanted = false;

	for (size_t i = 0; i < d->n_targets; i++) {
		struct etl_json_target *t = &d->targets[i];

		if (!is_target(d, i))
			continue;
		/* {"rows": [...], "rows": [...]}: which one is meant? A window must not depend
		 * on the answer. Stars are excepted, since they stand for many on purpose. */
		if (t->seen && (!t->path.has_any || t->scope))
			return etl_error_set(err, ETL_DATA, "json.duplicate",
				"'%s' appears twice in the answer, again at byte %llu",
				t->path.text, (unsigned long long)at);
		if (i == 0)
			t->seen = true;
		else if (!container)
			t->capturing = true;
		else if (note_container(d, i, err) != 0)
			return -1;
		wanted |= t->capturing;
	}
	if (wanted)
		capture(d, false);
	return 0;
}

/* True once the place of the records was reached: an empty array counts, absence does not. */
static void note_records(struct etl_json_decoder *d, char c)
{
	const struct etl_json_target *t = &d->targets[0];
	size_t sure = 0;

	/* The part of the pointer in front of its first star must exist: "/stations/" star
	 * "/rows" of {} is no empty answer, of {"stations": []} it is one. */
	while (sure < t->path.n && !t->path.tokens[sure].any)
		sure++;
	if (t->matched == d->depth && d->depth == sure &&
		(c == '{' || c == '[' || sure == t->path.n))
		d->records_seen = true;
	if (d->depth > sure && t->matched == d->depth && (c == '{' || c == '[') && !d->underscored)
		d->members_seen = true;
}

/* A value that is neither a list nor an object begins where the records are due. A member
 * that a last '*' stands for may be refused by itself; elsewhere there is no list at all.
 * records at /rows: {"rows": null} fails (with a hint at null_records), {"rows": 5} fails, {"rows":
 * {}} is one record. Under a star a single odd member is a reject and the others go on. */
static int no_list(struct etl_json_decoder *d, char c, struct etl_error *err)
{
	const struct etl_path *path = &d->targets[0].path;
	bool member = path->n && path->tokens[path->n - 1].any;
	const char *what = c == 'n' ? "null" : c == '"' ? "a text" :
			   c == 't' || c == 'f'		  ? "true or false" :
							    "a number";

	if (c == 'n' && d->spec->null_is_empty)
		return 0;
	if (member && d->underscored)
		return 0;
	if (member) {
		capture(d, true);
		return 0;
	}
	return etl_error_set(err, ETL_DATA, "json.records",
		"the answer has %s where its records should be ('%s')%s", what, path->text,
		c == 'n' ? "; 'null_records: empty' says that this stands for an empty list" : "");
}

/* Strings and words end later, in another piece perhaps: here only their kind is
 * decided. */
static int begin_scalar(struct etl_json_decoder *d, char c, uint64_t at, struct etl_error *err)
{
	if (c == '"') {
		d->state = ETL_JSON_IN_STRING;
		d->escaped = false;
		return 0;
	}
	/* Which word it is, and whether the number is one, is judged at its end. */
	if (!strchr("-0123456789tfn", c) || !c)
		return etl_json_broken(err, at, "a value was expected");
	etl_buf_clear(&d->word);
	etl_buf_char(&d->word, c);
	d->state = ETL_JSON_IN_WORD;
	return 0;
}

/* A value starts with `c`.
 * The one place where it is decided what a value is: a record, an element that should
 * have been one, something that a pointer asks for, or nothing to us. */
static int begin_value(struct etl_json_decoder *d, char c, uint64_t at, struct etl_error *err)
{
	bool element = d->depth && d->levels[d->depth - 1].of_records && !d->capturing;
	bool target = !d->capturing && !element && is_target(d, 0);

	/* Scalars near the root are shown to who watches: services say "next", "total"
	 * and "error" there. */
	d->noting = d->watch && d->depth && d->depth <= ETL_NOTE_DEPTH && !d->capturing &&
		    !element;
	d->note_len = 0;
	if (!d->capturing && !element) {
		note_records(d, c);
		if (note_targets(d, c, at, err) != 0)
			return -1;
	}
	if ((element || target) && c == '{') {
		d->single |= target && !d->targets[0].path.has_any;
		d->state = ETL_JSON_AT_RECORD;
		return 0;
	}
	if (element && !d->underscored)
		capture(d, true);
	if (target && c != '[' && strchr("-0123456789tfn\"", c) && c && no_list(d, c, err) != 0)
		return -1;
	if (c == '{' || c == '[')
		return push(d, c == '[', target, at, err);
	return begin_scalar(d, c, at, err);
}

/* Tells who watches of the scalar that ended. */
static void note(struct etl_json_decoder *d, const char *text, bool is_string)
{
	struct etl_note n = {.depth = d->depth, .text = text, .is_string = is_string};

	if (!d->noting)
		return;
	d->noting = false;
	for (size_t i = 0; i < d->depth; i++) {
		n.names[i] = d->levels[i].is_array ? "" : d->names[i];
		n.on_way += n.on_way == i && d->levels[i].on_path;
	}
	d->watch(d->watch_ctx, &n);
}

static bool word_is(const struct etl_buf *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->data, text, word->len) == 0;
}

/* A number is checked by the very reader that reads it in records, so "01" or "1." is
 * no JSON here either. */
static int end_word(struct etl_json_decoder *d, uint64_t at, struct etl_error *err)
{
	const char *text = etl_buf_text(&d->word), *p = text;
	enum etl_json_status status = ETL_JSON_BROKEN;
	uint8_t value[16], type;
	uint32_t size;

	if (d->word.full)
		return etl_error_set(err, ETL_LIMIT, "json.number",
			"a number longer than %d bytes before byte %llu of the answer",
			ETL_JSON_TOKEN_MAX, (unsigned long long)at);
	if (!word_is(&d->word, "true") && !word_is(&d->word, "false") &&
		!word_is(&d->word, "null")) {
		/* With its terminating NUL: a byte that belongs to no number. */
		if (*text == '-' || (*text >= '0' && *text <= '9'))
			status = etl_json_number(&p, text + d->word.len + 1,
				etl_json_record_locale(d->record), value, &type, &size);
		if (status == ETL_JSON_BROKEN || p != text + d->word.len)
			return etl_json_broken(err, at - d->word.len + (uint64_t)(p - text),
				"an unexpected byte");
	}
	note(d, text, false);
	value_ended(d);
	return 0;
}

/* One byte between tokens.
 * What may come in each state is the grammar of RFC 8259 as a table of one byte: [ then a value or
 * ], a value then , or ], a comma then a value. */
static int step(struct etl_json_decoder *d, char c, uint64_t at, struct etl_error *err)
{
	struct etl_json_level *level = d->depth ? &d->levels[d->depth - 1] : NULL;

	switch (d->state) {
	case ETL_JSON_AT_FIRST_VALUE:
		if (c == ']')
			return pop(d);
		/* fall through */
	case ETL_JSON_AT_VALUE:
		if (level && level->is_array)
			match_index(d);
		return begin_value(d, c, at, err);
	case ETL_JSON_AT_FIRST_KEY:
		if (c == '}')
			return pop(d);
		/* fall through */
	case ETL_JSON_AT_KEY:
		if (c != '"')
			return etl_json_broken(err, at, "a key was expected");
		d->state = ETL_JSON_IN_KEY;
		d->escaped = false;
		etl_buf_clear(&d->key);
		return 0;
	case ETL_JSON_AT_COLON:
		if (c != ':')
			return etl_json_broken(err, at, "':' was expected");
		d->state = ETL_JSON_AT_VALUE;
		return 0;
	/* Only here a comma or a closing bracket may stand; behind a comma neither may,
	 * which is why "[1,]" is broken. */
	case ETL_JSON_AFTER_VALUE:
		if (c == ',') {
			level->index++;
			d->state = level->is_array ? ETL_JSON_AT_VALUE : ETL_JSON_AT_KEY;
			return 0;
		}
		if (c != (level->is_array ? ']' : '}'))
			return etl_json_broken(err, at,
				"',' or the closing bracket was expected");
		return pop(d);
	default:
		return etl_json_broken(err, at, "something behind the document's end");
	}
}

/* Inside a string or key, up to behind its closing quote.
 * Long runs are passed with etl_json_plain_end; what is kept is kept piece by piece, so
 * a key may be cut anywhere. */
static int read_string(struct etl_json_decoder *d, const char **at, const char *end,
	uint64_t offset, struct etl_error *err)
{
	const char *p = *at, *from = p;
	bool key = d->state == ETL_JSON_IN_KEY;
	/* Only keys that some pointer could want are kept; the others are not even
	 * looked at. */
	bool on_path = key && d->levels[d->depth - 1].on_path && !d->capturing;
	bool keep = on_path || (key && d->watch && !d->capturing && d->depth <= ETL_NOTE_DEPTH);

	for (; p < end; p++) {
		if (d->escaped) {
			d->escaped = false;
			continue;
		}
		p = etl_json_plain_end(p, end);
		if (p == end || *p == '"')
			break;
		if ((unsigned char)*p < 0x20)
			return etl_json_broken(err, offset + (uint64_t)(p - from),
				"a control byte in a string");
		d->escaped = *p == '\\';
	}
	*at = p;
	if (d->noting && !key) {
		size_t room = sizeof d->note - 1 - d->note_len, n = (size_t)(p - from);

		n = n < room ? n : room;
		memcpy(d->note + d->note_len, from, n);
		d->note_len += n;
	}
	if (keep && !etl_buf_append(&d->key, from, (size_t)(p - from)) && on_path)
		return etl_error_set(err, ETL_LIMIT, "json.key",
			"a key longer than %d bytes at byte %llu of the answer",
			ETL_JSON_TOKEN_MAX, (unsigned long long)offset);
	if (p == end)
		return 0;
	++*at;
	if (!key) {
		d->note[d->note_len] = '\0';
		note(d, d->note, true);
		value_ended(d);
		return 0;
	}
	d->state = ETL_JSON_AT_COLON;
	return keep ? match_key(d, offset + (uint64_t)(p - from), err) : 0;
}

/* A number at the very end of a piece may go on in the next: it ends only at a byte
 * that follows it. */
static int read_word(struct etl_json_decoder *d, const char **at, const char *end,
	uint64_t offset, struct etl_error *err)
{
	const char *p = *at, *from = p;

	while (p < end && !is_blank(*p) && *p != ',' && *p != ']' && *p != '}')
		p++;
	etl_buf_append(&d->word, from, (size_t)(p - from));
	*at = p;
	return p < end ? end_word(d, offset + (uint64_t)(p - from), err) : 0;
}

/* A token, a byte between tokens, or blanks. */
static int read_some(struct etl_json_decoder *d, const char **p, const char *end,
	uint64_t offset, struct etl_error *err)
{
	int rc;

	if (d->state == ETL_JSON_IN_STRING || d->state == ETL_JSON_IN_KEY)
		return read_string(d, p, end, offset, err);
	if (d->state == ETL_JSON_IN_WORD)
		return read_word(d, p, end, offset, err);
	if (is_blank(**p)) {
		*p = etl_json_skip_blanks(*p, end);
		return 0;
	}
	rc = step(d, **p, offset, err);
	if (d->state != ETL_JSON_AT_RECORD)
		++*p;
	return rc;
}

/* Keeps what just passed of a wanted value, up to the cap.
 * What was read since `from` belongs to the value, its last byte included. */
static int keep_captured(struct etl_json_decoder *d, const char *from, const char *to,
	struct etl_error *err)
{
	size_t len = (size_t)(to - from), left = d->capture.max - d->capture.len;

	d->capture_cut |= len > left;
	etl_buf_append(&d->capture, from, len > left ? left : len);
	if (!d->captured)
		return 0;
	d->captured = false;
	return etl_json_captured(d, err);
}

int etl_json_frame_read(struct etl_json_decoder *d, const char **at, const char *end,
	struct etl_error *err)
{
	while (*at < end && d->state != ETL_JSON_AT_RECORD) {
		const char *from = *at;
		bool wanted = d->capturing;

		if (read_some(d, at, end, etl_json_offset(d, from), err) != 0)
			return -1;
		if ((wanted || d->capturing) && keep_captured(d, from, *at, err) != 0)
			return -1;
	}
	return 0;
}

int etl_json_frame_finish(struct etl_json_decoder *d, struct etl_error *err)
{
	/* The document `5`: nothing follows to end the number. */
	if (d->state == ETL_JSON_IN_WORD && !d->depth) {
		if (end_word(d, d->offset, err) != 0 || keep_captured(d, "", "", err) != 0)
			return -1;
	}
	if (d->state != ETL_JSON_AT_END)
		return etl_json_broken(err, d->offset, "the document ends too early");
	return 0;
}
