/* SPDX-License-Identifier: MIT
 *
 * libyaml's events to our own tree. Depth, nodes and anchors are capped while events are
 * read, not afterwards: deep flow nesting costs libyaml quadratic time, and a bomb of
 * aliases would cost every reader of the tree. An alias shares the node it names; its whole
 * size counts again.
 *
 * Why each cap: libyaml looks at all open brackets of "[[[[..." for each token, so depth is cut
 * at the first bracket too many; nine anchors of which each lists the one before ten times ("a
 * billion laughs") are a billion values in 500 bytes, so an alias counts for all that it names.
 *
 * Example: "a: &x [1, 2]" and "b: *x" is a mapping of two items whose values are one and the
 * same node; it counts as 9 values: the mapping, two keys, twice a list with its two numbers.
 */
#include "conf/load.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/expand.h"
#include "conf/file.h"

enum { REST_OF_LINE = 1 << 20 }; /* the width of a scalar that ends on a later line */

/* What an alias stands for, and what it costs. `size` and `height` are known when the
 * value ends. */
struct anchor {
	const char *name;
	struct etl_node *node;
	size_t size;	 /* nodes, itself included */
	unsigned height; /* 1 for a scalar */
	bool open;	 /* still being read: an alias here would be a circle */
};

/* One open mapping or list. Children are collected on the heap, since their number is
 * not known, and go into the arena as one array when it ends. The arrays stay for the
 * next value of that depth. */
struct frame {
	struct etl_node *node;
	struct etl_node **items, **keys;
	size_t n, cap_items, cap_keys;
	struct etl_node *key; /* waits for its value; NULL if it was refused */
	bool key_read;
	unsigned height;     /* of the tallest child */
	size_t nodes_before; /* loader->nodes without this node */
	size_t anchor;	     /* index + 1 */
};

struct loader {
	struct etl_arena *arena, *texts;
	struct etl_diag *diag;
	const struct etl_conf_load_options *options;
	const struct etl_conf_file *file;
	yaml_parser_t parser;
	struct frame frames[ETL_CONF_DEPTH_MAX];
	size_t depth;
	struct anchor *anchors;
	size_t n_anchors, cap_anchors;
	size_t nodes;
	size_t expanded; /* bytes */
	unsigned documents;
	struct etl_node *root;
	bool failed; /* no tree */
};

/* libyaml counts from 0 in characters; people and editors count from 1. */
static struct etl_mark mark_of(const struct loader *ld, const yaml_event_t *event)
{
	const yaml_mark_t *start = &event->start_mark, *end = &event->end_mark;
	size_t width = 1;

	if (event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT)
		width = end->line != start->line ? (size_t)REST_OF_LINE :
						   end->column - start->column;
	return (struct etl_mark){
		.file = ld->file,
		.line = (unsigned)start->line + 1,
		.column = (unsigned)start->column + 1,
		.width = width ? (unsigned)width : 1,
	};
}

/* A limit ends the reading: the tree would be cut at an arbitrary place, and errors
 * about what is missing behind it would mislead. */
static bool fail_limit(struct loader *ld, const struct etl_mark *mark, const char *what,
	size_t limit)
{
	etl_diag_add(ld->diag, mark, ETL_DIAG_LIMIT, NULL, NULL, "more than %zu %s", limit,
		what);
	ld->failed = true;
	return false;
}

static void refuse(struct loader *ld, const struct etl_mark *mark, const char *hint,
	const char *what)
{
	etl_diag_add(ld->diag, mark, ETL_DIAG_UNSUPPORTED, hint, NULL, "%s", what);
}

/* With `shared`, the same pointer for the same bytes: nobody writes into a node's text. */
static const char *keep_text(struct loader *ld, const char *text, size_t len)
{
	struct etl_texts *shared = ld->options ? ld->options->shared : NULL;

	return shared ? etl_texts_get(shared, text, len) : etl_arena_memdup0(ld->texts, text, len);
}

/* ---- the tree --------------------------------------------------------------------------- */

static struct etl_node *node_new(struct loader *ld, enum etl_node_kind kind,
	const struct etl_mark *mark)
{
	struct etl_node *node = etl_arena_zalloc(ld->arena, sizeof *node);

	node->kind = kind;
	node->mark = *mark;
	node->text = "";
	return node;
}

/* Counts `n` more nodes, of which the tallest has `height` levels. */
static bool count_nodes(struct loader *ld, const struct etl_mark *mark, size_t n,
	unsigned height)
{
	ld->nodes += n;
	if (ld->nodes > ETL_CONF_NODES_MAX)
		return fail_limit(ld, mark, "values in one file (aliases expanded)",
			ETL_CONF_NODES_MAX);
	if (ld->depth + height > ETL_CONF_DEPTH_MAX)
		return fail_limit(ld, mark, "mappings and lists in one another",
			ETL_CONF_DEPTH_MAX);
	return true;
}

static bool key_is_due(const struct loader *ld)
{
	const struct frame *top = ld->depth ? &ld->frames[ld->depth - 1] : NULL;

	return top && top->node->kind == ETL_NODE_MAP && !top->key_read;
}

/* A key as it may stand in the tree, or NULL.
 * The value behind a refused key is read and thrown away: it may hold more errors worth
 * telling. */
static struct etl_node *accept_key(struct loader *ld, struct etl_node *key)
{
	if (key->kind != ETL_NODE_SCALAR) {
		refuse(ld, &key->mark, "a key is a word; text with braces needs quotes",
			"a mapping or list as a key is not supported");
		return NULL;
	}
	/* Merge keys would make the origin of a value invisible; `defaults:` does what
	 * they are used for, and says so in `config show --origin`. A quoted "<<" is a
	 * key like any other. */
	if (key->plain && etl_streq(key->text, "<<")) {
		refuse(ld, &key->mark, "write the keys out",
			"a merge key '<<' is not supported");
		return NULL;
	}
	return key;
}

static void add_child(struct loader *ld, struct etl_node *node, unsigned height)
{
	struct frame *f;

	if (!ld->depth) {
		ld->root = node;
		return;
	}
	/* Keys and values of a mapping arrive as one stream of children; `key_read`
	 * tells whose turn it is. */
	f = &ld->frames[ld->depth - 1];
	if (height > f->height)
		f->height = height;
	if (f->node->kind == ETL_NODE_MAP && !f->key_read) {
		f->key = accept_key(ld, node);
		f->key_read = true;
		return;
	}
	f->key_read = false;
	if (f->node->kind == ETL_NODE_MAP && !f->key)
		return;
	ETL_GROW(f->items, f->n, f->cap_items);
	ETL_GROW(f->keys, f->n, f->cap_keys);
	f->items[f->n] = node;
	f->keys[f->n] = f->key;
	f->n++;
}

struct sorted_key {
	const char *text;
	size_t index;
};

static int compare_keys(const void *pa, const void *pb)
{
	const struct sorted_key *a = pa, *b = pb;
	int by_text = strcmp(a->text, b->text);

	return by_text ? by_text : a->index < b->index ? -1 : 1;
}

/* Reports keys that appear twice and takes the later ones out of the frame.
 * "a: 1, b: 2, a: 3" reports the second a with the place of the first, and keeps a: 1, b: 2.
 * YAML 1.2 section 3.2.1.3 forbids it, libyaml lets it pass, and the one who reads the file sees
 * only one of them. Sorting an index keeps the order of the file for everything else. */
static void drop_duplicates(struct loader *ld, struct frame *f)
{
	struct sorted_key *sorted = etl_calloc(f->n + 1, sizeof *sorted);
	size_t first = 0, kept = 0;

	for (size_t i = 0; i < f->n; i++)
		sorted[i] = (struct sorted_key){f->keys[i]->text, i};
	if (f->n)
		qsort(sorted, f->n, sizeof *sorted, compare_keys);
	for (size_t i = 1; i < f->n; i++) {
		if (!etl_streq(sorted[i].text, sorted[first].text)) {
			first = i;
			continue;
		}
		struct etl_node **twice = &f->keys[sorted[i].index];
		const struct etl_mark *place = &f->keys[sorted[first].index]->mark;

		etl_diag_add(ld->diag, &(*twice)->mark, ETL_DIAG_DUPLICATE, NULL, NULL,
			"the key '%s' appears twice; first at line %u, column %u",
			(*twice)->text, place->line, place->column);
		*twice = NULL;
	}
	for (size_t i = 0; i < f->n; i++)
		if (f->keys[i]) {
			f->keys[kept] = f->keys[i];
			f->items[kept++] = f->items[i];
		}
	f->n = kept;
	free(sorted);
}

static struct etl_node **copy_nodes(struct loader *ld, struct etl_node *const *nodes, size_t n)
{
	struct etl_node **copy = etl_arena_alloc(ld->arena, (n + 1) * sizeof *copy);

	if (n)
		memcpy(copy, nodes, n * sizeof *copy);
	copy[n] = NULL;
	return copy;
}

/* ---- anchors ---------------------------------------------------------------------------- */

/* Index + 1 of the new anchor; 0 if the node has none.
 * An open anchor is known by name while its value is read, so that an alias inside is
 * seen as the circle that it would be. */
static bool add_anchor(struct loader *ld, const yaml_char_t *name, struct etl_node *node,
	bool open, size_t *anchor)
{
	*anchor = 0;
	if (!name)
		return true;
	if (ld->n_anchors == ETL_CONF_ANCHORS_MAX)
		return fail_limit(ld, &node->mark, "anchors", ETL_CONF_ANCHORS_MAX);
	ETL_GROW(ld->anchors, ld->n_anchors, ld->cap_anchors);
	ld->anchors[ld->n_anchors++] = (struct anchor){
		.name = etl_arena_strdup(ld->arena, (const char *)name),
		.node = node,
		.size = 1,
		.height = 0,
		.open = open,
	};
	*anchor = ld->n_anchors;
	return true;
}

static const struct anchor *find_anchor(const struct loader *ld, const char *name)
{
	/* Backwards: a name may be given again, and the newest counts (YAML 1.2 section
	 * 3.2.2.2). */
	for (size_t i = ld->n_anchors; i-- > 0;)
		if (etl_streq(ld->anchors[i].name, name))
			return &ld->anchors[i];
	return NULL;
}

static bool on_alias(struct loader *ld, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor = find_anchor(ld, name);
	struct etl_mark mark = mark_of(ld, event);
	struct etl_node *nothing;

	if (anchor && !anchor->open) {
		if (!count_nodes(ld, &mark, anchor->size, anchor->height))
			return false;
		add_child(ld, anchor->node, anchor->height);
		return true;
	}
	if (anchor)
		refuse(ld, &mark, NULL, "the alias stands inside the value that it names");
	else
		etl_diag_add(ld->diag, &mark, ETL_DIAG_REFERENCE, NULL, NULL,
			"the alias '*%s' has no anchor '&%s' before it", name, name);
	if (!count_nodes(ld, &mark, 1, 0))
		return false;
	/* An empty value takes its place, so that the mapping around it keeps its
	 * pairs. */
	nothing = node_new(ld, ETL_NODE_SCALAR, &mark);
	nothing->plain = true;
	add_child(ld, nothing, 0);
	return true;
}

/* ---- events ----------------------------------------------------------------------------- */

/* Only values are expanded. A variable can therefore never make a key, a list or a
 * comment, whatever it holds: its text is not read as YAML again. */
static bool expand(struct loader *ld, struct etl_node *node)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, ETL_CONF_EXPANDED_MAX - ld->expanded);
	if (etl_conf_expand(node->text, ld->options ? ld->options->env : NULL,
		    ld->options && ld->options->outside, &node->mark, ld->diag, &out)) {
		node->text = keep_text(ld, etl_buf_text(&out), out.len);
		node->expanded = true;
		ld->expanded += out.len;
	} else {
		node->text = "";
		node->plain = false;
		node->unset = true;
	}
	if (!etl_buf_ok(&out))
		return fail_limit(ld, &node->mark, "bytes of text with variables",
			ETL_CONF_EXPANDED_MAX);
	return true;
}

static bool on_scalar(struct loader *ld, const yaml_event_t *event)
{
	struct etl_mark mark = mark_of(ld, event);
	struct etl_node *node;
	const char *text = (const char *)event->data.scalar.value;
	size_t anchor;

	if (!count_nodes(ld, &mark, 1, 0))
		return false;
	node = node_new(ld, ETL_NODE_SCALAR, &mark);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = keep_text(ld, text, event->data.scalar.length);
	/* "\0" in double quotes is legal YAML; as a C string the text would silently
	 * end there. */
	if (strlen(node->text) != event->data.scalar.length)
		etl_diag_add(ld->diag, &mark, ETL_DIAG_SYNTAX, NULL, NULL,
			"text with a NUL byte");
	if (event->data.scalar.tag)
		refuse(ld, &mark, "values have no tags here", "a tag is not supported");
	/* A key with a ${VAR} stays as it is; in all but free mappings it is then an
	 * unknown key, which is what it should be. */
	if (!key_is_due(ld) && strstr(node->text, "${") && !expand(ld, node))
		return false;
	if (!add_anchor(ld, event->data.scalar.anchor, node, false, &anchor))
		return false;
	add_child(ld, node, 0);
	return true;
}

/* `before` is noted for the size of an anchored value: all nodes counted until its end
 * are its own. */
static bool on_start(struct loader *ld, const yaml_event_t *event)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *tag = is_map ? event->data.mapping_start.tag :
					  event->data.sequence_start.tag;
	const yaml_char_t *anchor = is_map ? event->data.mapping_start.anchor :
					     event->data.sequence_start.anchor;
	struct etl_mark mark = mark_of(ld, event);
	struct frame *f;
	size_t before = ld->nodes;

	if (!count_nodes(ld, &mark, 1, 1))
		return false;
	if (tag)
		refuse(ld, &mark, "values have no tags here", "a tag is not supported");
	f = &ld->frames[ld->depth++];
	f->node = node_new(ld, is_map ? ETL_NODE_MAP : ETL_NODE_LIST, &mark);
	f->n = 0;
	f->key = NULL;
	f->key_read = false;
	f->height = 0;
	f->nodes_before = before;
	return add_anchor(ld, anchor, f->node, true, &f->anchor);
}

static bool on_end(struct loader *ld)
{
	struct frame *f = &ld->frames[ld->depth - 1];
	struct etl_node *node = f->node;

	if (node->kind == ETL_NODE_MAP) {
		drop_duplicates(ld, f);
		node->keys = copy_nodes(ld, f->keys, f->n);
	}
	node->items = copy_nodes(ld, f->items, f->n);
	node->n = f->n;
	if (f->anchor) {
		struct anchor *anchor = &ld->anchors[f->anchor - 1];

		anchor->size = ld->nodes - f->nodes_before;
		anchor->height = f->height + 1;
		anchor->open = false;
	}
	ld->depth--;
	add_child(ld, node, f->height + 1);
	return true;
}

static bool on_document(struct loader *ld, const yaml_event_t *event)
{
	struct etl_mark mark = mark_of(ld, event);

	/* A tree has one root. Without this the last document would silently win. */
	if (ld->documents++) {
		refuse(ld, &mark, "one file, one document",
			"a second document is not supported");
		return false;
	}
	if (event->data.document_start.version_directive ||
		event->data.document_start.tag_directives.start !=
			event->data.document_start.tag_directives.end)
		refuse(ld, &mark, "leave it out", "a directive is not supported");
	return true;
}

/* True if there is more to read.
 * The events that begin and end the stream say nothing; everything ends with the end of
 * the stream. */
static bool on_event(struct loader *ld, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(ld, event);
	case YAML_SCALAR_EVENT:
		return on_scalar(ld, event);
	case YAML_ALIAS_EVENT:
		return on_alias(ld, event);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return on_start(ld, event);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_end(ld);
	default:
		return event->type != YAML_STREAM_END_EVENT;
	}
}

/* ---- syntax errors ---------------------------------------------------------------------- */

/* "http://x/{station}" or "{station}/x" without quotes: a brace that touches text.
 * libyaml speaks of tokens and block mappings there, which helps nobody; a brace that touches a
 * letter on its outer side is most likely a template without quotes. */
static bool has_bare_braces(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '{' && i && !strchr(" \t[{,\"'$", line[i - 1]))
			return true;
		if (line[i] == '}' && i + 1 < len && !strchr(" \t]},\"'#:", line[i + 1]))
			return true;
	}
	return false;
}

/* libyaml's own words are kept as the error; these hints translate those that people meet
 * most. */
static const char *syntax_hint(const struct loader *ld, const struct etl_mark *mark,
	const char *problem)
{
	size_t len;
	const char *line = etl_conf_file_line(ld->file, mark->line, &len);
	char c = mark->column <= len ? line[mark->column - 1] : '\0';

	if (strstr(problem, "cannot start any token")) {
		if (c == '\t')
			return "indent with blanks, not with tabs";
		return "text that begins with this character needs quotes";
	}
	if (strstr(problem, "did not find expected alphabetic or numeric character"))
		return "text that begins with * or & needs quotes: \"*/10 * * * *\"";
	if (has_bare_braces(line, len))
		return "text with braces needs quotes";
	if (strstr(problem, "mapping values are not allowed"))
		return "text with ': ' needs quotes; or the indentation is off";
	return NULL;
}

/* The reader fails before there are tokens: it knows an offset and, mostly, the byte. */
static void report_reader(struct loader *ld)
{
	struct etl_mark mark = {.file = ld->file, .width = 1};
	int value = ld->parser.problem_value;

	etl_conf_file_place(ld->file, ld->parser.problem_offset, &mark.line, &mark.column);
	if (value >= 0)
		etl_diag_add(ld->diag, &mark, ETL_DIAG_SYNTAX, NULL, NULL, "%s (0x%02X)",
			ld->parser.problem, (unsigned)value);
	else
		etl_diag_add(ld->diag, &mark, ETL_DIAG_SYNTAX, NULL, NULL, "%s",
			ld->parser.problem);
}

static void report_syntax(struct loader *ld)
{
	const yaml_parser_t *p = &ld->parser;
	struct etl_mark mark = {
		.file = ld->file,
		.line = (unsigned)p->problem_mark.line + 1,
		.column = (unsigned)p->problem_mark.column + 1,
		.width = 1,
	};
	const char *problem = p->problem ? p->problem : "syntax error";
	const char *hint = syntax_hint(ld, &mark, problem);

	/* "did not find expected key while parsing a block mapping that begins at line
	 * 3": the beginning is often where the mistake is. */
	if (p->context && p->context_mark.line != p->problem_mark.line)
		etl_diag_add(ld->diag, &mark, ETL_DIAG_SYNTAX, hint, NULL,
			"%s %s that begins at line %zu", problem, p->context,
			p->context_mark.line + 1);
	else
		etl_diag_add(ld->diag, &mark, ETL_DIAG_SYNTAX, hint, NULL, "%s%s%s", problem,
			p->context ? " " : "", p->context ? p->context : "");
}

static void report_failure(struct loader *ld)
{
	if (ld->parser.error == YAML_MEMORY_ERROR)
		abort();
	if (ld->parser.error == YAML_READER_ERROR)
		report_reader(ld);
	else
		report_syntax(ld);
	ld->failed = true;
}

static void read_events(struct loader *ld)
{
	yaml_event_t event;
	bool more = true;

	while (more) {
		if (!yaml_parser_parse(&ld->parser, &event)) {
			report_failure(ld);
			return;
		}
		more = on_event(ld, &event);
		yaml_event_delete(&event);
	}
}

/* ---- entrances -------------------------------------------------------------------------- */

static const struct etl_conf_file *file_new(struct etl_arena *arena, const char *name,
	const char *bytes, size_t len)
{
	struct etl_conf_file *file = etl_arena_zalloc(arena, sizeof *file);

	/* Editors of Windows put a byte order mark in front. It is no text, and columns
	 * must not count it. */
	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		len -= 3;
	}
	file->path = etl_arena_strdup(arena, name);
	file->text = etl_arena_memdup0(arena, bytes, len);
	file->len = len;
	return file;
}

static struct etl_node *read_tree(struct loader *ld)
{
	const struct etl_mark start = {.file = ld->file, .line = 1, .column = 1, .width = 1};

	if (!yaml_parser_initialize(&ld->parser))
		abort();
	/* Never guessed: a file that libyaml took for UTF-16 would have other columns
	 * than its excerpt. */
	yaml_parser_set_encoding(&ld->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&ld->parser, (const unsigned char *)ld->file->text,
		ld->file->len);
	read_events(ld);
	yaml_parser_delete(&ld->parser);
	for (size_t i = 0; i < ETL_CONF_DEPTH_MAX; i++) {
		free(ld->frames[i].items);
		free(ld->frames[i].keys);
	}
	free(ld->anchors);
	if (ld->failed)
		return NULL;
	if (!ld->root) {
		ld->root = node_new(ld, ETL_NODE_SCALAR, &start);
		ld->root->plain = true;
	}
	return ld->root;
}

struct etl_node *etl_conf_parse(struct etl_arena *arena, const char *name, const char *bytes,
	size_t len, const struct etl_conf_load_options *options, struct etl_diag *diag)
{
	struct loader ld = {.arena = arena, .texts = arena, .diag = diag, .options = options};

	if (len > ETL_CONF_FILE_MAX) {
		const struct etl_conf_file *file = file_new(arena, name, "", 0);

		fail_limit(&ld, &(struct etl_mark){.file = file}, "bytes in one file",
			ETL_CONF_FILE_MAX);
		return NULL;
	}
	if (options && options->texts)
		ld.texts = options->texts;
	ld.file = file_new(arena, name, bytes, len);
	return read_tree(&ld);
}

struct etl_node *etl_conf_load(struct etl_arena *arena, const char *path,
	const struct etl_conf_load_options *options, struct etl_diag *diag)
{
	etl_cleanup(free) char *bytes = NULL;
	const char *why, *hint = NULL;
	size_t len;
	mode_t mode;
	int rc = etl_conf_file_read(path, ETL_CONF_FILE_MAX + 1, &bytes, &len, &mode, &why);

	/* Whoever can write it decides what is loaded, and with whose secrets. */
	if (rc == 0 && (mode & S_IWOTH)) {
		rc = -1;
		why = "everybody can write it";
		hint = "chmod o-w";
	}
	if (rc != 0) {
		const struct etl_conf_file *file = file_new(arena, path, "", 0);

		etl_diag_add(diag, &(struct etl_mark){.file = file}, ETL_DIAG_FILE, NULL, hint,
			"cannot read the file: %s", why);
		return NULL;
	}
	return etl_conf_parse(arena, path, bytes, len, options, diag);
}
