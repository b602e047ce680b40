/* SPDX-License-Identifier: MIT
 *
 * Templates are compiled into parts: literal text and variables. Only values are escaped;
 * a value can therefore never leave the place that the literal text gives it.
 *
 * The grammar, with `station` a partition's name:
 *   text     = { char | "{{" | "}}" | "{" name [ ":" format ] "}" }
 *   name     = "window.start" | "window.end" | "run_id" | a partition's name
 *   "/s/{station}/{window.start:%Y%m%d}.json"  ->  /s/283164601/20260701.json
 *   "{{a}}"  ->  {a}           "{stat}", "{", "}"  ->  E022
 */
#include "conf/template.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/str.h"
#include "conf/template_hint.h"
#include "time/civil.h"
#include "time/timefmt.h"

/* A format has at most ETL_TIMEFMT_MAX bytes, of which a directive's two become nine at most
 * ("September"): 127 / 2 * 9 is 567, but such a row of month names is nobody's path. */
enum { INSTANT_TEXT_MAX = 512 };

enum part_kind {
	PART_LITERAL,
	PART_PARTITION,
	PART_START,
	PART_END,
	PART_RUN_ID,
	PART_OBJECT_NAME,
	PART_OBJECT_BASENAME,
	PART_OBJECT_MTIME,
};

/* "/s/{station}/x" is three parts: literal "/s/", variable, literal "/x". */
struct part {
	enum part_kind kind;
	const char *text; /* literal; variable: its name */
	size_t len;
	size_t index;			  /* partition: position in the names */
	const struct etl_timefmt *format; /* instant; NULL = RFC 3339 */
	const struct etl_zone *zone;	  /* in which it is printed; NULL = UTC */
};

struct etl_template {
	struct part *parts;
	size_t n, cap;
	struct etl_arena *arena;
};

/* ---- parsing ---------------------------------------------------------------------------- */

struct parser {
	struct etl_template *tpl;
	const struct etl_node *node;
	const struct etl_conf_env *env;
	struct etl_buf literal;
};

static bool refuse(const struct parser *ps, const char *hint, const char *what)
{
	etl_diag_add(ps->env->diag, &ps->node->mark, ETL_DIAG_TEMPLATE, hint, NULL, "%s", what);
	return false;
}

/* The pointer is good until the next part: the array may move. */
static struct part *add_part(struct parser *ps, enum part_kind kind)
{
	struct etl_template *tpl = ps->tpl;

	ETL_GROW(tpl->parts, tpl->n, tpl->cap);
	tpl->parts[tpl->n] = (struct part){.kind = kind};
	return &tpl->parts[tpl->n++];
}

/* What was collected becomes a part only when a variable follows or the text ends. */
static void end_literal(struct parser *ps)
{
	struct part *part;

	if (!ps->literal.len)
		return;
	part = add_part(ps, PART_LITERAL);
	part->len = ps->literal.len;
	part->text = etl_arena_memdup0(ps->tpl->arena, ps->literal.data, ps->literal.len);
	etl_buf_clear(&ps->literal);
}

static bool refuse_name(const struct parser *ps, const char *name)
{
	char hint[ETL_TEMPLATE_HINT_BYTES];

	etl_template_name_hint(name, ps->env, hint);
	etl_diag_add(ps->env->diag, &ps->node->mark, ETL_DIAG_TEMPLATE, hint, NULL,
		"nothing fills the template's {%s}", name);
	return false;
}

/* The index is kept instead of the name: values come in the same order, and rendering
 * then compares no names. */
static bool find_partition(const struct etl_conf_env *env, const char *name, size_t *index)
{
	for (size_t i = 0; env->partition_names && env->partition_names[i]; i++)
		if (etl_streq(env->partition_names[i], name)) {
			*index = i;
			return true;
		}
	return false;
}

static bool refuse_format(const struct parser *ps, const char *format, const char *why)
{
	char hint[ETL_TEMPLATE_HINT_BYTES];

	etl_template_format_hint(format, hint);
	etl_diag_add(ps->env->diag, &ps->node->mark, ETL_DIAG_TEMPLATE, hint, NULL, "%s", why);
	return false;
}

static const struct {
	const char *name;
	enum part_kind kind;
} object_names[] = {
	{"object.name", PART_OBJECT_NAME},
	{"object.basename", PART_OBJECT_BASENAME},
	{"object.mtime", PART_OBJECT_MTIME},
};

/* Of a job whose units are objects. */
static bool find_object(const struct etl_conf_env *env, const char *name, enum part_kind *kind)
{
	for (size_t i = 0; env->objects && i < sizeof object_names / sizeof *object_names; i++)
		if (etl_streq(object_names[i].name, name)) {
			*kind = object_names[i].kind;
			return true;
		}
	return false;
}

/* A name beyond 63 bytes is no partition's; the copy exists because the text ends with
 * a format. */
bool etl_template_knows(const char *inside, const struct etl_conf_env *env)
{
	size_t n = strcspn(inside, ":"), index;
	enum part_kind kind;
	char name[64];

	if (n >= sizeof name)
		return false;
	memcpy(name, inside, n);
	name[n] = '\0';
	return etl_streq(name, "window.start") || etl_streq(name, "window.end") ||
		etl_streq(name, "run_id") || find_object(env, name, &kind) ||
		find_partition(env, name, &index);
}

/* The law of printed windows: a format speaks of the clocks that the windows go by, since an API that is
 * asked by date means local dates. A text that ends in Z says UTC itself, and gets it.
 *
 * Example, days of Paris, the window from 2026-10-24T22:00:00Z: {window.start:%Y-%m-%d} is 2026-10-25,
 * {window.start:%Y-%m-%dT%H:%MZ} is 2026-10-24T22:00Z, and {window.start} is 2026-10-24T22:00:00Z. */
static const struct etl_zone *zone_of_format(const struct parser *ps, const char *format)
{
	size_t n = strlen(format);
	bool says_utc = n && format[n - 1] == 'Z' && (n < 2 || format[n - 2] != '%');

	return ps->env->grid && !says_utc ? ps->env->grid->zone : NULL;
}

/* {window.start:%Y%m%d} is good; {station:%Y} is refused, a station is no instant;
 * {window.start:YYYYMMDD} is refused too: a text without a directive would be the same for every
 * window, each request would fetch the same, and nobody would notice for weeks. */
static bool take_format(struct parser *ps, struct part *part, const char *format)
{
	struct etl_timefmt *compiled;
	struct etl_error err = ETL_ERROR_INIT;

	if (part->kind != PART_START && part->kind != PART_END && part->kind != PART_OBJECT_MTIME)
		return refuse(ps, NULL,
			"only {window.start}, {window.end} and {object.mtime} take a format");
	compiled = etl_arena_zalloc(ps->tpl->arena, sizeof *compiled);
	if (!*format)
		return refuse_format(ps, format, "the format is empty");
	if (etl_timefmt_compile(format, compiled, &err) != 0)
		return refuse_format(ps, format, err.message);
	if (etl_template_format_is_text(format))
		return refuse_format(ps, format,
			etl_arena_strf(ps->tpl->arena,
				"the format '%s' has no directive: it says the same for every "
				"window",
				format));
	part->format = compiled;
	part->zone = zone_of_format(ps, format);
	return true;
}

/* `inside` is what stands between the braces.
 * `inside` is a copy in the arena and is cut at its colon: the part's name points into
 * it. */
static bool take_variable(struct parser *ps, char *inside)
{
	char *format = strchr(inside, ':');
	struct part *part;
	enum part_kind kind;
	size_t index = 0;

	if (format)
		*format++ = '\0';
	if (etl_streq(inside, "window.start"))
		kind = PART_START;
	else if (etl_streq(inside, "window.end"))
		kind = PART_END;
	else if (etl_streq(inside, "run_id"))
		kind = PART_RUN_ID;
	else if (find_object(ps->env, inside, &kind))
		;
	else if (find_partition(ps->env, inside, &index))
		kind = PART_PARTITION;
	else
		return refuse_name(ps, inside);
	part = add_part(ps, kind);
	part->text = inside;
	part->index = index;
	return !format || take_format(ps, part, format);
}

/* Doubled braces are looked for first, so "{{station}}" is the text {station} and no
 * variable. */
static bool parse_text(struct parser *ps, const char *text)
{
	while (*text) {
		const char *close;

		if ((text[0] == '{' || text[0] == '}') && text[1] == text[0]) {
			etl_buf_char(&ps->literal, *text);
			text += 2;
			continue;
		}
		if (*text == '}')
			return refuse(ps, "a literal brace is written }}",
				"a '}' without its '{'");
		if (*text != '{') {
			etl_buf_char(&ps->literal, *text++);
			continue;
		}
		close = strchr(text, '}');
		if (!close)
			return refuse(ps, "a literal brace is written {{",
				"a '{' without its '}'");
		end_literal(ps);
		if (!take_variable(ps, etl_arena_memdup0(ps->tpl->arena, text + 1,
						  (size_t)(close - text - 1))))
			return false;
		text = close + 1;
	}
	end_literal(ps);
	return true;
}

const struct etl_template *etl_template_parse(const char *text, const struct etl_node *node,
	const struct etl_conf_env *env)
{
	struct etl_template *tpl = etl_arena_zalloc(env->arena, sizeof *tpl);
	struct parser ps = {.tpl = tpl, .node = node, .env = env};
	struct part *parts;
	bool good;

	tpl->arena = env->arena;
	etl_buf_init(&ps.literal, strlen(text) + 1);
	good = parse_text(&ps, text);
	etl_buf_fini(&ps.literal);
	/* The growing array was the heap's; its final size goes to the arena. */
	parts = etl_arena_alloc(env->arena, (tpl->n + 1) * sizeof *parts);
	if (tpl->n)
		memcpy(parts, tpl->parts, tpl->n * sizeof *parts);
	free(tpl->parts);
	tpl->parts = parts;
	return good ? tpl : NULL;
}

/* ---- rendering -------------------------------------------------------------------------- */

/* Walks over literal JSON: true if a string is open behind it.
 * Literal JSON around a value decides how the value has to be written:
 *   {"station": "{station}"}   inside of a string: escaped
 *   {"station": {station}}     outside: only a number, true, false or null
 * A backslash inside of a string skips the next byte, so \" does not end it. */
static bool json_string_after(const char *text, size_t len, bool open)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			open = !open;
		else if (text[i] == '\\' && open)
			i++;
	}
	return open;
}

/* A value outside of quotes that were anything else could close its object and open
 * another:
 *   {"id": {station}} with the station  7, "admin": true */
static bool is_json_word(const char *value)
{
	bool whole;

	return etl_streq(value, "true") || etl_streq(value, "false") ||
		etl_streq(value, "null") || etl_is_json_number(value, &whole);
}

/* The five of XML 1.0 section 4.6; the quote's as a number, because HTML 4 knows no
 * &apos;. */
static void put_xml_text(const char *value, struct etl_buf *out)
{
	for (const char *p = value; *p; p++) {
		const char *entity = *p == '&' ? "&amp;" : *p == '<' ? "&lt;" : *p == '>' ? "&gt;" :
				     *p == '"' ? "&quot;" : *p == '\'' ? "&#39;" : NULL;

		if (entity)
			etl_buf_str(out, entity);
		else
			etl_buf_char(out, *p);
	}
}

/* The value a/../b?x=1 as a path segment: a%2F..%2Fb%3Fx%3D1; in a query the same. Two values
 * need more than escaping: "." and ".." as a whole segment, which clients and servers take out of
 * a path (RFC 3986 section 5.2.4), and control bytes in a header, which would end it. */
static int put_escaped(const char *name, const char *value, enum etl_escape escape,
	bool in_string, struct etl_buf *out, struct etl_error *err)
{
	switch (escape) {
	case ETL_ESCAPE_JSON:
		if (!in_string && !is_json_word(value))
			return etl_error_set(err, ETL_DATA, "template.json",
				"the value of {%s} is no JSON number: put {%s} between quotes",
				name, name);
		if (!in_string)
			etl_buf_str(out, value);
		else
			for (const char *p = value; *p; p++)
				etl_encode_json_char(out, *p);
		return 0;
	case ETL_ESCAPE_XML:
		put_xml_text(value, out);
		return 0;
	case ETL_ESCAPE_PATH:
		/* Dots are unreserved, but a segment of dots alone climbs the path. */
		if (etl_streq(value, ".") || etl_streq(value, ".."))
			return etl_error_set(err, ETL_DATA, "template.path",
				"the value of {%s} would change the path", name);
		etl_encode_percent(out, value);
		return 0;
	case ETL_ESCAPE_QUERY:
		etl_encode_percent(out, value);
		return 0;
	case ETL_ESCAPE_HEADER:
		for (const char *p = value; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				return etl_error_set(err, ETL_DATA, "template.header",
					"the value of {%s} holds a control byte", name);
		break;
	case ETL_ESCAPE_NONE:
		break;
	}
	etl_buf_str(out, value);
	return 0;
}

static const char *object_text(const struct part *part, const struct etl_vars *vars)
{
	if (!vars->object)
		return NULL;
	return part->kind == PART_OBJECT_NAME ? vars->object->name :
						etl_object_basename(vars->object->name);
}

static int put_instant(const struct part *part, etl_wall t, enum etl_escape escape,
	bool in_string, struct etl_buf *out, struct etl_error *err)
{
	char text[INSTANT_TEXT_MAX];

	if (!part->format)
		etl_time_format_rfc3339(t, text);
	else if (etl_timefmt_print(part->format, t, part->zone, text, sizeof text) < 0)
		return etl_error_set(err, ETL_LIMIT, "template.instant",
			"the format of {%s} gives no text for this time", part->text);
	return put_escaped(part->text, text, escape, in_string, out, err);
}

/* `string`: a JSON string is open at this place; literal text moves it.
 * A BUG, and no error of data: names were checked when the template was compiled, so a
 * value that is missing was forgotten by whoever renders. */
static int put_part(const struct part *part, const struct etl_vars *vars,
	enum etl_escape escape, bool *string, struct etl_buf *out, struct etl_error *err)
{
	bool in_string = *string;
	const char *value;

	switch (part->kind) {
	case PART_LITERAL:
		etl_buf_append(out, part->text, part->len);
		if (escape == ETL_ESCAPE_JSON)
			*string = json_string_after(part->text, part->len, in_string);
		return 0;
	case PART_START:
		return put_instant(part, vars->window.start, escape, in_string, out, err);
	case PART_END:
		return put_instant(part, vars->window.end, escape, in_string, out, err);
	case PART_OBJECT_MTIME:
		if (vars->object)
			return put_instant(part, vars->object->mtime, escape, in_string, out, err);
		value = NULL;
		break;
	case PART_OBJECT_NAME:
	case PART_OBJECT_BASENAME:
		value = object_text(part, vars);
		break;
	case PART_RUN_ID:
		value = vars->run_id;
		break;
	case PART_PARTITION:
	default:
		value = vars->partition_values ? vars->partition_values[part->index] : NULL;
	}
	if (!value)
		return etl_error_set(err, ETL_BUG, "template.value", "{%s} has no value",
			part->text);
	return put_escaped(part->text, value, escape, in_string, out, err);
}

int etl_template_render(const struct etl_template *tpl, const struct etl_vars *vars,
	enum etl_escape escape, struct etl_buf *out, struct etl_error *err)
{
	/* All or nothing: what a failed template wrote is taken back, so that an error
	 * never leaves half a URL in the buffer of a request. */
	size_t before = out->len;
	bool string = false;

	for (size_t i = 0; i < tpl->n; i++) {
		int rc = put_part(&tpl->parts[i], vars, escape, &string, out, err);

		if (rc == 0 && !etl_buf_ok(out))
			rc = etl_error_set(err, ETL_LIMIT, "template.full",
				"the filled template is longer than %zu bytes", out->max);
		if (rc != 0) {
			out->len = before;
			if (out->data)
				out->data[before] = '\0';
			return -1;
		}
	}
	return 0;
}

bool etl_template_is_constant(const struct etl_template *tpl)
{
	for (size_t i = 0; i < tpl->n; i++)
		if (tpl->parts[i].kind != PART_LITERAL)
			return false;
	return true;
}

bool etl_template_has_window(const struct etl_template *tpl)
{
	for (size_t i = 0; i < tpl->n; i++)
		if (tpl->parts[i].kind == PART_START || tpl->parts[i].kind == PART_END)
			return true;
	return false;
}

/* With a format it is text: {window.start:%s} is asked for as seconds and must not
 * become a date. */
enum etl_template_instant etl_template_instant(const struct etl_template *tpl)
{
	const struct part *only = tpl->n == 1 ? &tpl->parts[0] : NULL;

	if (!only || only->format)
		return ETL_INSTANT_NONE;
	if (only->kind == PART_START)
		return ETL_INSTANT_START;
	if (only->kind == PART_OBJECT_MTIME)
		return ETL_INSTANT_MTIME;
	return only->kind == PART_END ? ETL_INSTANT_END : ETL_INSTANT_NONE;
}
