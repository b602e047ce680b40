/* SPDX-License-Identifier: MIT
 *
 * Collects configuration errors and prints them with an excerpt of the file. All text of the
 * file is masked before it is shown: a control byte must not reach a terminal or forge a
 * line of the journal.
 */
#include "conf/diag.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/file.h"

enum {
	EXCERPT_MAX = 76,    /* characters of a source line that are shown */
	EXCERPT_BEFORE = 30, /* of them in front of the caret when the line is cut */
};

struct entry {
	enum etl_diag_code code;
	size_t order;	/* of arrival: decides between equals */
	bool has_file;
	unsigned line, column, width; /* line 0: the whole file */
	unsigned excerpt_column;      /* column of the excerpt's first character */
	bool cut_before, cut_after;
	char *path, *text, *hint, *help, *excerpt;
};

struct hidden {
	char *path;
	unsigned line, column, width;
};

struct etl_diag {
	struct entry *entries;
	size_t n, cap;
	size_t added;
	size_t dropped; /* beyond the cap */
	struct hidden *hidden;
	size_t n_hidden, cap_hidden;
};

static const char *const code_names[] = {
#define X(id, code, meaning) [ETL_DIAG_##id] = code,
	ETL_DIAG_CODES(X)
#undef X
};

const char *etl_diag_code_name(enum etl_diag_code code)
{
	return code_names[code];
}

struct etl_diag *etl_diag_new(void)
{
	return ETL_NEW(struct etl_diag);
}

static void entry_free(struct entry *e)
{
	free(e->path);
	free(e->text);
	free(e->hint);
	free(e->help);
	free(e->excerpt);
}

void etl_diag_free(struct etl_diag *diag)
{
	if (!diag)
		return;
	for (size_t i = 0; i < diag->n; i++)
		entry_free(&diag->entries[i]);
	for (size_t i = 0; i < diag->n_hidden; i++)
		free(diag->hidden[i].path);
	free(diag->entries);
	free(diag->hidden);
	free(diag);
}

/* A copy in which every byte can be printed: tabs are blanks, other control bytes and what
 * is no UTF-8 are '?'. One character stays one character. */
static char *presentable(const char *s, size_t len)
{
	char *copy = etl_memdup0(s, len);

	for (size_t i = 0; (i += etl_utf8_check(copy + i, len - i)) < len;)
		copy[i] = '?';
	for (size_t i = 0; i < len; i++)
		if (copy[i] == '\t')
			copy[i] = ' ';
		else if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
			copy[i] = '?';
	return copy;
}

static const char *skip_characters(const char *p, const char *end, size_t n)
{
	for (; n && p < end; n--) {
		const char *last = end - p > 4 ? p + 4 : end;

		for (p++; p < last && ((unsigned char)*p & 0xc0) == 0x80;)
			p++;
	}
	return p;
}

/* Keeps the part of the source line around the mark. */
static void take_excerpt(struct entry *e, const struct etl_mark *mark)
{
	size_t len;
	const char *line = etl_conf_file_line(mark->file, mark->line, &len);
	const char *end = line + len;
	size_t before = mark->column - 1 > EXCERPT_BEFORE ? mark->column - 1 - EXCERPT_BEFORE : 0;
	const char *from = line, *to;

	if (skip_characters(line, end, EXCERPT_MAX) < end && before) {
		from = skip_characters(line, end, before);
		e->excerpt_column = (unsigned)before + 1;
		e->cut_before = true;
	} else {
		e->excerpt_column = 1;
	}
	to = skip_characters(from, end, EXCERPT_MAX);
	e->cut_after = to < end;
	e->excerpt = presentable(from, (size_t)(to - from));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && etl_streq(a, b));
}

static bool is_known(const struct etl_diag *diag, const struct entry *e)
{
	for (size_t i = 0; i < diag->n; i++) {
		const struct entry *old = &diag->entries[i];

		if (e->has_file && old->has_file && old->code == e->code &&
			old->line == e->line && old->column == e->column &&
			same_text(old->path, e->path) && same_text(old->text, e->text))
			return true;
	}
	return false;
}

void etl_diag_add(struct etl_diag *diag, const struct etl_mark *mark, enum etl_diag_code code,
	const char *hint, const char *help, const char *fmt, ...)
{
	struct entry e = {.code = code, .order = diag->added};
	char *text = NULL;
	va_list ap;

	diag->added++;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	e.text = presentable(text, strlen(text));
	free(text);
	if (mark && mark->file) {
		e.has_file = true;
		e.line = mark->line;
		e.column = mark->column;
		e.width = mark->width ? mark->width : 1;
		e.path = presentable(mark->file->path, strlen(mark->file->path));
	}
	if (is_known(diag, &e) || diag->n == ETL_DIAG_ERRORS_MAX) {
		diag->dropped += !is_known(diag, &e);
		entry_free(&e);
		return;
	}
	e.hint = hint ? presentable(hint, strlen(hint)) : NULL;
	e.help = help ? presentable(help, strlen(help)) : NULL;
	if (e.has_file && e.line)
		take_excerpt(&e, mark);
	ETL_GROW(diag->entries, diag->n, diag->cap);
	diag->entries[diag->n++] = e;
}

void etl_diag_hide(struct etl_diag *diag, const struct etl_mark *mark)
{
	ETL_GROW(diag->hidden, diag->n_hidden, diag->cap_hidden);
	diag->hidden[diag->n_hidden++] = (struct hidden){
		.path = presentable(mark->file->path, strlen(mark->file->path)),
		.line = mark->line,
		.column = mark->column,
		.width = mark->width,
	};
}

void etl_diag_absorb(struct etl_diag *to, struct etl_diag *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct entry *e = &from->entries[i];

		e->order += to->added;
		if (is_known(to, e) || to->n == ETL_DIAG_ERRORS_MAX) {
			to->dropped += !is_known(to, e);
			entry_free(e);
			continue;
		}
		ETL_GROW(to->entries, to->n, to->cap);
		to->entries[to->n++] = *e;
	}
	from->n = 0;
	for (size_t i = 0; i < from->n_hidden; i++) {
		ETL_GROW(to->hidden, to->n_hidden, to->cap_hidden);
		to->hidden[to->n_hidden++] = from->hidden[i];
	}
	from->n_hidden = 0;
	to->added += from->added;
	to->dropped += from->dropped;
	etl_diag_free(from);
}

size_t etl_diag_count(const struct etl_diag *diag)
{
	return diag->added;
}

static int compare(const void *pa, const void *pb)
{
	const struct entry *a = *(const struct entry *const *)pa;
	const struct entry *b = *(const struct entry *const *)pb;
	int by_path = strcmp(a->path ? a->path : "", b->path ? b->path : "");

	if (by_path)
		return by_path;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* The entries in the order of print. The caller frees the array. */
static const struct entry **sorted(const struct etl_diag *diag)
{
	const struct entry **order = etl_calloc(diag->n + 1, sizeof *order);

	for (size_t i = 0; i < diag->n; i++)
		order[i] = &diag->entries[i];
	if (diag->n)
		qsort(order, diag->n, sizeof *order, compare);
	return order;
}

static bool is_hidden(const struct etl_diag *diag, const struct entry *e, unsigned column)
{
	for (size_t i = 0; i < diag->n_hidden; i++) {
		const struct hidden *h = &diag->hidden[i];

		if (h->line == e->line && column >= h->column &&
			column < h->column + h->width &&
			etl_streq(h->path, e->path))
			return true;
	}
	return false;
}

/* The excerpt's line; returns how many characters stand in it. */
static unsigned print_line(const struct etl_diag *diag, const struct entry *e, int digits,
	struct etl_buf *out)
{
	const char *end = e->excerpt + strlen(e->excerpt);
	unsigned column = e->excerpt_column;

	etl_buf_printf(out, " %*u | %s", digits, e->line, e->cut_before ? "..." : "");
	for (const char *p = e->excerpt; p < end; column++) {
		const char *next = skip_characters(p, end, 1);

		if (is_hidden(diag, e, column))
			etl_buf_char(out, '*');
		else
			etl_buf_append(out, p, (size_t)(next - p));
		p = next;
	}
	etl_buf_printf(out, "%s\n", e->cut_after ? "..." : "");
	return column - e->excerpt_column;
}

static void print_excerpt(const struct etl_diag *diag, const struct entry *e,
	struct etl_buf *out)
{
	int digits = snprintf(NULL, 0, "%u", e->line);
	unsigned shown, at = e->column - e->excerpt_column;
	unsigned room;

	digits = digits < 3 ? 3 : digits;
	shown = print_line(diag, e, digits, out);
	room = shown > at ? shown - at : 1;
	etl_buf_printf(out, " %*s | %*s", digits, "", (int)at + (e->cut_before ? 3 : 0), "");
	for (unsigned i = 0; i < e->width && i < room; i++)
		etl_buf_char(out, '^');
	if (e->hint)
		etl_buf_printf(out, " %s", e->hint);
	etl_buf_char(out, '\n');
}

static void print_entry(const struct etl_diag *diag, const struct entry *e, struct etl_buf *out)
{
	etl_buf_printf(out, "error[%s]: %s\n", code_names[e->code], e->text);
	if (e->has_file && e->line)
		etl_buf_printf(out, "  --> %s:%u:%u\n", e->path, e->line, e->column);
	else if (e->has_file)
		etl_buf_printf(out, "  --> %s\n", e->path);
	if (e->excerpt)
		print_excerpt(diag, e, out);
	else if (e->hint)
		etl_buf_printf(out, "  hint: %s\n", e->hint);
	if (e->help)
		etl_buf_printf(out, "  help: %s\n", e->help);
}

void etl_diag_print(const struct etl_diag *diag, struct etl_buf *out)
{
	const struct entry **order = sorted(diag);

	for (size_t i = 0; i < diag->n; i++) {
		if (i)
			etl_buf_char(out, '\n');
		print_entry(diag, order[i], out);
	}
	if (diag->dropped)
		etl_buf_printf(out, "\n%zu more error%s\n", diag->dropped,
			diag->dropped == 1 ? "" : "s");
	free(order);
}

void etl_diag_first(const struct etl_diag *diag, struct etl_buf *out)
{
	const struct entry **order = sorted(diag);
	const struct entry *e = order[0];

	if (e && e->has_file && e->line)
		etl_buf_printf(out, "%s:%u:%u: ", e->path, e->line, e->column);
	else if (e && e->has_file)
		etl_buf_printf(out, "%s: ", e->path);
	if (e)
		etl_buf_printf(out, "error[%s]: %s", code_names[e->code], e->text);
	free(order);
}
