/* SPDX-License-Identifier: MIT
 *
 * The options under `pagination`, and what has to be right across them:
 *
 *    pagination:
 *      cursor: {pointer: /meta/next_cursor, param: cursor}
 *      max_pages: 500
 *
 * Exactly one style, and beside it what all styles have.
 */
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "format/decode.h"
#include "record/decode_json.h"
#include "record/path.h"
#include "source/http/pages.h"
#include "source/http/text.h"

#define ROW(m) .offset = offsetof(struct etl_pages_options, m)
#define PRESENT(m) .present = offsetof(struct etl_pages_options, has_##m)

static const char *const end_words[] = {"empty", "short", NULL};
static const char *const announced_words[] = {"fail", "ignore", NULL};

/* How many records a page has at most: the same rows for each style that has it. A table is filled at
 * the offset of its row. */
static const struct etl_option size_table[] = {
	{.name = "param", .type = ETL_OPT_STRING, .offset = offsetof(struct etl_pages_size, param),
		.help = "the query parameter that says it; absent: it is not said"},
	{.name = "value", .type = ETL_OPT_INT, .offset = offsetof(struct etl_pages_size, value),
		.required = true, .min = 1, .max = 1000000000, .help = "records of a page"},
	{0},
};
#define IN(s, m) .offset = offsetof(struct etl_pages_options, s.m) - offsetof(struct etl_pages_options, s)
static const struct etl_option page_table[] = {
	{.name = "param", .type = ETL_OPT_STRING, IN(page, param), .required = true,
		.help = "the query parameter of the page's number"},
	{.name = "first", .type = ETL_OPT_INT, IN(page, first), .fallback = "1", .min = 0, .max = 1000000,
		.help = "number of the first page"},
	{.name = "size", .type = ETL_OPT_TABLE, IN(page, size), .sub = size_table,
		.help = "records of a page"},
	{0},
};
static const struct etl_option offset_table[] = {
	{.name = "param", .type = ETL_OPT_STRING, IN(offset, param), .required = true,
		.help = "the query parameter of the offset, in records"},
	{.name = "first", .type = ETL_OPT_INT, IN(offset, first), .fallback = "0", .min = 0, .max = 1000000,
		.help = "offset of the first record"},
	{.name = "limit", .type = ETL_OPT_TABLE, IN(offset, size), .sub = size_table,
		.help = "records of a page"},
	{0},
};
static const struct etl_option cursor_table[] = {
	{.name = "pointer", .type = ETL_OPT_STRING, IN(cursor, from), .required = true,
		.help = "JSON Pointer to the cursor in the answer"},
	{.name = "param", .type = ETL_OPT_STRING, IN(cursor, param), .required = true,
		.help = "the query parameter that takes it"},
	{0},
};
static const struct etl_option header_table[] = {
	{.name = "name", .type = ETL_OPT_STRING, IN(header, from), .required = true,
		.help = "the answer's header that has the token"},
	{.name = "param", .type = ETL_OPT_STRING, IN(header, param), .required = true,
		.help = "the query parameter that takes it"},
	{0},
};
static const struct etl_option last_record_table[] = {
	{.name = "field", .type = ETL_OPT_STRING, IN(last_record, field), .required = true,
		.help = "field of the page's last record, as it came"},
	{.name = "param", .type = ETL_OPT_STRING, IN(last_record, param), .required = true,
		.help = "the query parameter that takes its value"},
	{.name = "size", .type = ETL_OPT_TABLE, IN(last_record, size), .sub = size_table,
		.help = "records of a page"},
	{0},
};
static const struct etl_option next_url_table[] = {
	{.name = "pointer", .type = ETL_OPT_STRING, .offset = 0, .required = true,
		.help = "JSON Pointer to the next page's URL in the answer"},
	{0},
};
static const struct etl_option nothing_table[] = {{0}};

static const struct etl_option table[] = {
	{.name = "page", .type = ETL_OPT_TABLE, ROW(page), PRESENT(page), .sub = page_table,
		.help = "pages are numbered"},
	{.name = "offset", .type = ETL_OPT_TABLE, ROW(offset), PRESENT(offset), .sub = offset_table,
		.help = "pages begin at a record's number"},
	{.name = "cursor", .type = ETL_OPT_TABLE, ROW(cursor), PRESENT(cursor), .sub = cursor_table,
		.help = "the answer has a cursor for the next page"},
	{.name = "last_record", .type = ETL_OPT_TABLE, ROW(last_record), PRESENT(last_record),
		.sub = last_record_table, .help = "the next page begins behind the last record"},
	{.name = "link", .type = ETL_OPT_TABLE, ROW(page), PRESENT(link), .sub = nothing_table,
		.help = "the Link header has rel=next (RFC 8288)"},
	{.name = "next_url", .type = ETL_OPT_TABLE, ROW(next_url), PRESENT(next_url),
		.sub = next_url_table, .help = "the answer has the next page's URL"},
	{.name = "odata", .type = ETL_OPT_TABLE, ROW(page), PRESENT(odata), .sub = nothing_table,
		.help = "the answer has @odata.nextLink"},
	{.name = "header", .type = ETL_OPT_TABLE, ROW(header), PRESENT(header), .sub = header_table,
		.help = "a header of the answer has a token for the next page"},
	{.name = "end", .type = ETL_OPT_WORD, ROW(end), .words = end_words, .fallback = "empty",
		.help = "page, offset, last_record: an empty page is the end, or also a short one"},
	{.name = "announced", .type = ETL_OPT_WORD, ROW(announced), .words = announced_words,
		.fallback = "fail",
		.help = "ignore: totals and the like that an answer tells beside the style mean nothing"},
	{.name = "max_pages", .type = ETL_OPT_INT, ROW(max_pages), .fallback = "10000", .min = 1,
		.max = 10000000, .help = "pages of one span"},
	{.name = "max_bytes", .type = ETL_OPT_SIZE, ROW(max_bytes), .fallback = "100GiB", .min = 1,
		.help = "of all pages of one span, decompressed"},
	{.name = "hosts", .type = ETL_OPT_STRINGS, ROW(hosts),
		.help = "link, next_url, odata: other hosts that may be asked, without credentials"},
	{0},
};

/* ---- checks --------------------------------------------------------------------------------- */

static void conflict(const struct etl_conf_env *env, const struct etl_node *at, const char *hint,
	const char *what)
{
	etl_diag_add(env->diag, &at->mark, ETL_DIAG_CONFLICT, hint, NULL, "%s in %s", what, env->what);
}

static bool has(const struct etl_pages_options *o, const struct etl_pages_style *style)
{
	return *(const bool *)((const char *)o + style->has);
}

/* One style and no more: what would the second one be for? */
static void choose_style(struct etl_pages_options *o, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	size_t n = 0;

	for (const struct etl_pages_style *style = etl_pages_styles; style->name; style++)
		if (has(o, style)) {
			o->style = style;
			n++;
		}
	if (n == 1)
		return;
	o->style = NULL;
	conflict(env, node, NULL,
		"pagination takes one of page, offset, cursor, last_record, link, next_url, odata and "
		"header");
}

static const struct etl_pages_size *size_of(const struct etl_pages_options *o)
{
	return o->style->size ? o->style->size(o) : NULL;
}

bool etl_pages_has_param(const struct etl_pages_options *o, const char *name)
{
	const struct etl_pages_size *size = o->style ? size_of(o) : NULL;
	const char *param = o->style && o->style->param ? o->style->param(o) : NULL;

	return (param && etl_streq(param, name)) || (size && size->param && etl_streq(size->param, name));
}

/* In the literal part of the URL: "https://x/a?page=1" sends it too. */
static bool is_in_url(const char *url, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = strchr(url, '?'); at; at = strchr(at, '&')) {
		size_t n = strcspn(++at, "=&");

		if (n == len && memcmp(at, name, len) == 0)
			return true;
	}
	return false;
}

/* Sent twice, the service would take one of them, and nobody knows which. */
static void check_param(const char *name, const struct etl_node *at, const struct etl_pairs *query,
	const char *url, const struct etl_conf_env *env)
{
	if (!name)
		return;
	if (!*name)
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_RANGE, NULL, NULL,
			"a parameter of pagination has no name in %s", env->what);
	for (size_t i = 0; i < query->n; i++)
		if (etl_streq(query->keys[i], name))
			etl_diag_add(env->diag, &query->key_nodes[i]->mark, ETL_DIAG_CONFLICT,
				"leave it to pagination", NULL,
				"the parameter '%s' stands in query and in pagination in %s", name,
				env->what);
	if (is_in_url(url, name))
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_CONFLICT, "leave it to pagination", NULL,
			"the parameter '%s' stands in url and in pagination in %s", name, env->what);
}

static void check_params(const struct etl_pages_options *o, const struct etl_node *at,
	const struct etl_pairs *query, const char *url, const struct etl_conf_env *env)
{
	const struct etl_pages_size *size = size_of(o);
	const char *param = o->style->param ? o->style->param(o) : NULL;

	check_param(param, at, query, url, env);
	if (!size)
		return;
	check_param(size->param, at, query, url, env);
	if (param && size->param && etl_streq(param, size->param))
		conflict(env, at, NULL, "the page and its size are two parameters");
	if (o->end == ETL_PAGES_END_SHORT && !size->value)
		conflict(env, at, "write the size of a page, such as size: {param: per_page, value: 100}",
			"'end: short' needs to know how many records a page has");
}

/* A cursor stands outside of the records: inside of them it would be one of many. */
static void check_pointer(const struct etl_pages_options *o, const struct etl_node *at,
	const struct etl_decode_spec *decode, const struct etl_conf_env *env)
{
	const char *pointer = o->style->pointer ? o->style->pointer(o) : NULL;
	struct etl_error err = ETL_ERROR_INIT;
	struct etl_path path;

	if (!(o->style->is & ETL_PAGES_SEEKS))
		return;
	if (!decode->format || !decode->format->seek) {
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_CONFLICT, NULL,
			"with other formats: page, offset, last_record, link, header",
			"'%s' needs format: json in %s", o->style->name, env->what);
		return;
	}
	if (!pointer)
		return;
	if (etl_path_compile_pointer(pointer, env->arena, &path, &err) < 0 || path.has_any || !path.n)
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_RANGE, NULL,
			"a JSON Pointer such as /meta/next_cursor, without '*'",
			"'%s' is no pointer to one value in %s", pointer, env->what);
	else if (etl_json_is_inside(decode->layout.records, pointer))
		etl_diag_add(env->diag, &at->mark, ETL_DIAG_CONFLICT, NULL, NULL,
			"'%s' lies inside of the records ('%s') in %s", pointer, decode->layout.records,
			env->what);
}

static void check_beside(const struct etl_pages_options *o, const struct etl_node *node, bool gets,
	const struct etl_conf_env *env)
{
	const struct etl_node *end = etl_node_get(node, "end"), *hosts = etl_node_get(node, "hosts");
	const struct etl_node *style = etl_node_get(node, o->style->name);
	struct etl_path path;

	if (end && !(o->style->is & ETL_PAGES_MAY_END))
		conflict(env, end, NULL, "'end' is for page, offset and last_record");
	if (hosts && !(o->style->is & ETL_PAGES_FOLLOWS))
		conflict(env, hosts, NULL, "'hosts' is for link, next_url and odata");
	for (size_t i = 0; i < o->hosts.n; i++)
		if (!*o->hosts.items[i] || strpbrk(o->hosts.items[i], "/@?# "))
			conflict(env, o->hosts.nodes[i], "such as cdn.example.org or cdn.example.org:8443",
				"'hosts' has hosts, with their port if the URL has one, and no URLs");
	if (!gets && (o->style->is & ETL_PAGES_FOLLOWS))
		conflict(env, style, NULL, "the URL of a next page is asked for with GET");
	if (o->has_last_record && o->last_record.field)
		etl_path_configure(o->last_record.field, etl_node_get(style, "field"), "pagination",
			env, &path);
	if (o->has_header && o->header.from && !etl_http_is_token(o->header.from))
		conflict(env, style, NULL, "'name' is no name of a header");
}

const struct etl_node *etl_pages_definition(const struct etl_node *node, const struct etl_conf_env *env)
{
	static const char *const asides[] = {"announced", "max_pages", "max_bytes", "hosts"};
	struct etl_node *copy = etl_arena_zalloc(etl_conf_tree(env), sizeof *copy);

	*copy = *node;
	copy->n = 0;
	copy->keys = etl_arena_zalloc(etl_conf_tree(env), (node->n + 1) * sizeof *copy->keys);
	copy->items = etl_arena_zalloc(etl_conf_tree(env), (node->n + 1) * sizeof *copy->items);
	for (size_t i = 0; i < node->n; i++) {
		bool aside = false;

		for (size_t k = 0; k < sizeof asides / sizeof *asides; k++)
			aside |= etl_streq(node->keys[i]->text, asides[k]);
		if (aside)
			continue;
		copy->keys[copy->n] = node->keys[i];
		copy->items[copy->n++] = node->items[i];
	}
	return copy;
}

void etl_pages_compile(struct etl_pages_options *o, const struct etl_node *node,
	const struct etl_pairs *query, const char *url, bool gets,
	const struct etl_decode_spec *decode, const struct etl_conf_env *env)
{
	const struct etl_node *at;

	etl_options_fill(table, node, o, "extract.http.pagination", env);
	choose_style(o, node, env);
	if (!o->style)
		return;
	at = etl_node_get(node, o->style->name);
	check_params(o, at, query, url, env);
	check_pointer(o, at, decode, env);
	check_beside(o, node, gets, env);
}
