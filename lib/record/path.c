/* SPDX-License-Identifier: MIT
 *
 * JSON Pointers, compiled to tokens and walked over BSON.
 *
 *   "/a/b"    the member b of a          "/a/0"   its first element (or the member named 0)
 *   "/a~1b"   the member a/b             "/m~0n"  the member m~n       (RFC 6901 section 3)
 *   "PM2.5"   the member PM2.5           ""       the document itself
 */
#include "record/path.h"

#include <string.h>

#include "conf/option.h"

/* "0" and "10" are indices, "01" and "-1" are names (RFC 6901 section 4). Nine digits fit 32
 * bits. */
static int64_t index_of(const char *name, size_t len)
{
	int64_t v = 0;

	if (!len || len > 9 || (len > 1 && *name == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		v = v * 10 + (name[i] - '0');
	}
	return v;
}

/* One token up to the next '/', with ~0 and ~1 undone. Gives the text behind it, or NULL.
 * A '~' may only stand before 0 or 1; anything else is a pointer that somebody forgot
 * to escape. */
static const char *compile_token(const char *p, struct etl_arena *arena,
	struct etl_path_token *out)
{
	size_t raw = strcspn(p, "/");
	char *name = etl_arena_alloc(arena, raw + 1);
	size_t len = 0;

	for (size_t i = 0; i < raw; i++) {
		char c = p[i];

		if (c == '~') {
			c = p[++i];
			if (c != '0' && c != '1')
				return NULL;
			c = c == '0' ? '~' : '/';
		}
		name[len++] = c;
	}
	name[len] = '\0';
	*out = (struct etl_path_token){.name = name,
		.len = (uint32_t)len,
		.any = raw == 1 && *p == '*',
		.index = index_of(name, len)};
	return p + raw;
}

int etl_path_compile_pointer(const char *text, struct etl_arena *arena, struct etl_path *out,
	struct etl_error *err)
{
	struct etl_path path = {.text = etl_arena_strdup(arena, text)};
	struct etl_path_token *tokens;
	size_t slashes = 0;

	/* Each slash begins a token, so their number is known before they are read. */
	for (const char *p = text; *p; p++)
		slashes += *p == '/';
	if (*text && *text != '/')
		return etl_error_set(err, ETL_CONFIG, "path.syntax",
			"'%s' is no JSON Pointer: it has to be empty or start with '/'", text);
	if (slashes > ETL_PATH_TOKENS_MAX)
		return etl_error_set(err, ETL_CONFIG, "path.syntax",
			"the JSON Pointer '%s' has more than %d parts", text,
			ETL_PATH_TOKENS_MAX);
	tokens = etl_arena_zalloc(arena, (slashes + 1) * sizeof *tokens);
	for (const char *p = text; p && *p;) {
		p = compile_token(p + 1, arena, &tokens[path.n]);
		if (!p)
			return etl_error_set(err, ETL_CONFIG, "path.syntax",
				"'~' in the JSON Pointer '%s' has to be followed by 0 or 1",
				text);
		path.has_any |= tokens[path.n++].any;
	}
	path.tokens = tokens;
	*out = path;
	return 0;
}

/* A literal name has one token and no index, so it never means an element of an array. */
int etl_path_compile(const char *field, struct etl_arena *arena, struct etl_path *out,
	struct etl_error *err)
{
	struct etl_path_token *token;

	if (*field == '/')
		return etl_path_compile_pointer(field, arena, out, err);
	if (!*field)
		return etl_error_set(err, ETL_CONFIG, "path.syntax", "a field's name is empty");
	token = etl_arena_zalloc(arena, sizeof *token);
	token->name = etl_arena_strdup(arena, field);
	token->len = (uint32_t)strlen(field);
	token->index = -1;
	*out = (struct etl_path){.text = token->name, .n = 1, .tokens = token};
	return 0;
}

/* Lengths first: most names differ in it. */
bool etl_path_token_is_key(const struct etl_path_token *token, const char *key, size_t len)
{
	return token->any || (token->len == len && memcmp(token->name, key, len) == 0);
}

bool etl_path_token_is_index(const struct etl_path_token *token, uint64_t index)
{
	return token->any || (token->index >= 0 && (uint64_t)token->index == index);
}

struct walk {
	const struct etl_path *path;
	bool (*each)(const struct etl_element *e, void *context);
	void *context;
	size_t calls;
	bool stopped;
};

/* Depth is the path's length, at most ETL_PATH_TOKENS_MAX. BSON's array keys are the
 * decimal indices, so a token is compared with the key in documents and arrays alike.
 * Without a star the first match ends the level: names are unique in sound documents. */
static void walk(struct walk *w, const uint8_t *bson, uint32_t len, size_t level)
{
	const struct etl_path_token *token = &w->path->tokens[level];
	struct etl_cursor cursor;
	struct etl_element e;

	etl_cursor_init(&cursor, bson, len);
	while (!w->stopped && etl_cursor_next(&cursor, &e)) {
		if (!etl_path_token_is_key(token, e.key, e.key_len))
			continue;
		if (level + 1 == w->path->n) {
			w->calls++;
			w->stopped = !w->each(&e, w->context);
		} else if (e.type == 0x03 || e.type == 0x04) {
			walk(w, e.value, e.value_len, level + 1);
		}
		if (!token->any)
			return;
	}
}

/* "/rows/" star "/v" of {"rows": [{"v": 1}, {"v": 2}]} calls for 1 and for 2. The empty path has no
 * element: the document is not inside of itself. */
size_t etl_path_each(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	bool (*each)(const struct etl_element *e, void *context), void *context)
{
	struct walk w = {.path = path, .each = each, .context = context};

	if (path->n)
		walk(&w, bson, len, 0);
	return w.calls;
}

/* The first call ends the walk; what it was called with is the answer. */
static bool take_first(const struct etl_element *e, void *context)
{
	*(struct etl_element *)context = *e;
	return false;
}

bool etl_path_find(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	struct etl_element *out)
{
	return etl_path_each(path, bson, len, take_first, out) > 0;
}

/* True if `key` is what the `raw` bytes of a pointer's token mean.
 * Compared while it is unescaped, without memory: this runs for fields that are named
 * in data. */
static bool means(const char *token, size_t raw, const char *key, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < raw; i++, n++) {
		char c =
			token[i] == '~' && i + 1 < raw ? (token[++i] == '0' ? '~' : '/') : token[i];

		if (n == len || key[n] != c)
			return false;
	}
	return n == len;
}

/* "/meta/t" in {"meta": {"t": 1}}: the int32 1. "/meta" leads to the document. */
bool etl_path_find_field(const char *field, const uint8_t *bson, uint32_t len,
	struct etl_element *out)
{
	struct etl_cursor cursor;

	if (*field != '/')
		return etl_doc_find(bson, len, field, out);
	for (;;) {
		size_t raw = strcspn(field + 1, "/");
		bool found = false;

		etl_cursor_init(&cursor, bson, len);
		while (!found && etl_cursor_next(&cursor, out))
			found = means(field + 1, raw, out->key, out->key_len);
		field += 1 + raw;
		if (!found || !*field)
			return found;
		if (out->type != BSON_TYPE_DOCUMENT && out->type != BSON_TYPE_ARRAY)
			return false;
		bson = out->value;
		len = out->value_len;
	}
}

/* ---- changing what it leads to ---- */

enum { EMPTY_BYTES = 5 };
static const uint8_t empty[EMPTY_BYTES] = {EMPTY_BYTES};

/* Passed down the recursion, which is as deep as the pointer is long. */
struct change {
	const struct etl_path *path;
	const struct etl_element *value; /* NULL = away */
	struct etl_arena *arena;
};

struct bytes {
	const uint8_t *data;
	uint32_t len;
};

/* The document with `name` as `fresh` in place of `old` (NULL = behind all others), or without
 * it.
 * Documents are immutable in a batch: a change is a new one beside the old, in the same
 * arena. */
static struct bytes rewrite(const struct change *c, struct bytes doc, const char *name,
	const struct etl_element *old, const struct etl_element *fresh)
{
	struct etl_cursor cursor;
	struct etl_element e;
	struct etl_writer w;
	struct bytes out;

	etl_writer_begin(&w, c->arena, doc.len + (fresh ? fresh->value_len + strlen(name) + 2 : 0));
	etl_cursor_init(&cursor, doc.data, doc.len);
	while (etl_cursor_next(&cursor, &e)) {
		if (!old || e.key != old->key)
			etl_writer_copy(&w, &e);
		else if (fresh)
			etl_writer_raw(&w, name, (uint32_t)strlen(name), fresh->type, fresh->value,
				fresh->value_len);
	}
	if (!old && fresh)
		etl_writer_raw(&w, name, (uint32_t)strlen(name), fresh->type, fresh->value,
			fresh->value_len);
	out.data = etl_writer_end(&w, &out.len);
	return out;
}

/* Depth is the path's length. The inner documents are made before those around them.
 * {"a": {"b": 1}}, /a/c = 2  ->  {"a": {"b": 1, "c": 2}}
 * {"a": 1},        /b/c = 2  ->  {"a": 1, "b": {"c": 2}}      the way is made
 * {"a": 1},        /a/c = 2  ->  refused: a is no document
 * {"a": [1, 2]},   /a/5 = 2  ->  refused: the array has no such element
 * {"a": 1},        /b/c gone ->  unchanged: there is nothing to take out */
static const char *change(const struct change *c, struct bytes doc, bool array, size_t level,
	struct bytes *out)
{
	const struct etl_path_token *token = &c->path->tokens[level];
	bool last = level + 1 == c->path->n, found;
	struct etl_element old, fresh = {.type = BSON_TYPE_DOCUMENT};
	struct bytes inner = {empty, EMPTY_BYTES};
	const char *why;

	*out = doc;
	found = etl_doc_find(doc.data, doc.len, token->name, &old);
	if (!found && !c->value)
		return NULL;
	if (array && (!found || (last && !c->value)))
		return found ? "an array's element cannot go" : "the array has no such element";
	if (last) {
		*out = rewrite(c, doc, token->name, found ? &old : NULL, c->value);
		return NULL;
	}
	if (found && old.type != BSON_TYPE_DOCUMENT && old.type != BSON_TYPE_ARRAY)
		return c->value ? "what leads there is no document" : NULL;
	if (found) {
		fresh.type = old.type;
		inner = (struct bytes){old.value, old.value_len};
	}
	why = change(c, inner, fresh.type == BSON_TYPE_ARRAY, level + 1, &inner);
	if (why)
		return why;
	fresh.value = inner.data;
	fresh.value_len = inner.len;
	*out = rewrite(c, doc, token->name, found ? &old : NULL, &fresh);
	return NULL;
}

/* The document that came is not changed, and `out` is set only if the new one is whole. */
const char *etl_path_put(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	const struct etl_element *value, struct etl_arena *arena, const uint8_t **out,
	uint32_t *out_len)
{
	const struct change c = {path, value, arena};
	struct bytes changed;
	const char *why = change(&c, (struct bytes){bson, len}, false, 0, &changed);

	if (why)
		return why;
	*out = changed.data;
	*out_len = changed.len;
	return NULL;
}

/* ---- in the configuration ---- */

/* A star leads to many values, and whoever asks here takes one: told at load, not at
 * the first record. */
bool etl_path_configure(const char *field, const struct etl_node *node, const char *what,
	const struct etl_conf_env *env, struct etl_path *out)
{
	const struct etl_mark *mark = node ? &node->mark : NULL;
	struct etl_error err = ETL_ERROR_INIT;

	if (!*field) {
		etl_diag_add(env->diag, mark, ETL_DIAG_RANGE, "a name is needed here", NULL,
			"empty field name in '%s' of %s", what, env->what);
		return false;
	}
	if (etl_path_compile(field, env->arena, out, &err) < 0) {
		etl_diag_add(env->diag, mark, ETL_DIAG_TYPE, "not a JSON Pointer", NULL,
			"'%s' of %s: %s", what, env->what, err.message);
		return false;
	}
	if (!out->has_any)
		return true;
	etl_diag_add(env->diag, mark, ETL_DIAG_TYPE, "leads to many values", NULL,
		"'%s' of %s takes one value, '%s' has a '*'", what, env->what, field);
	return false;
}
