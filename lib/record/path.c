/* SPDX-License-Identifier: MIT
 *
 * JSON Pointers, compiled to tokens and walked over BSON.
 */
#include "record/path.h"

#include <string.h>

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

/* One token up to the next '/', with ~0 and ~1 undone. Gives the text behind it, or NULL. */
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
 * decimal indices, so a token is compared with the key in documents and arrays alike. */
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

size_t etl_path_each(const struct etl_path *path, const uint8_t *bson, uint32_t len,
	bool (*each)(const struct etl_element *e, void *context), void *context)
{
	struct walk w = {.path = path, .each = each, .context = context};

	if (path->n)
		walk(&w, bson, len, 0);
	return w.calls;
}

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
