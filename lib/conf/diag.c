/* SPDX-License-Identifier: MIT
 *
 * Collects what is wrong or strange in a configuration, with an excerpt of the file. All text of
 * the file is masked before it is shown: a control byte must not reach a terminal or forge a
 * line of the journal, and a password inside a URL is nobody's business.
 *
 * An error costs memory for as long as the collection lives, and a file of a mebibyte
 * can hold a hundred thousand of them: 50 of each severity are kept, the others only
 * counted. Errors do not push warnings out, nor the other way round.
 */
#include "conf/diag_parts.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "conf/file.h"
#include "conf/url.h"

/* 76 and the number in front fit into a terminal of 80 to 90 columns; 30 characters before the
 * caret show what the value belongs to. */
enum {
	EXCERPT_MAX = 76,    /* characters of a source line that are shown */
	EXCERPT_BEFORE = 30, /* of them in front of the caret when the line is cut */
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

const char *etl_diag_severity_word(enum etl_diag_severity severity)
{
	static const char *const words[] = {"error", "warning", "note"};

	_Static_assert(sizeof words / sizeof *words == ETL_DIAG_SEVERITIES, "each has its word");
	return words[severity];
}

struct etl_diag *etl_diag_new(void)
{
	return ETL_NEW(struct etl_diag);
}

static void entry_free(struct etl_diag_entry *e)
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

/* A copy that can be printed: tabs are blanks, what could deceive a reader at a terminal is '?',
 * user and password of a URL are '*'. One character stays one character. */
static char *presentable(const char *s, size_t len)
{
	char *copy = etl_memdup0(s, len);

	for (size_t i = 0; i < len; i++)
		if (copy[i] == '\t')
			copy[i] = ' ';
		else if (!copy[i])
			copy[i] = '?';
	etl_text_mask(copy);
	etl_url_mask(copy);
	return copy;
}

/* UTF-8 is walked by its continuation bytes (10xxxxxx), four bytes a character at the
 * most, so that text which was masked or cut never leads beyond its end. */
const char *etl_diag_skip(const char *p, const char *end, size_t n)
{
	for (; n && p < end; n--) {
		const char *last = end - p > 4 ? p + 4 : end;

		for (p++; p < last && ((unsigned char)*p & 0xc0) == 0x80;)
			p++;
	}
	return p;
}

/* Keeps the part of the source line around the mark.
 * A short line is kept whole. Of one that is longer than EXCERPT_MAX 30 characters before the
 * caret are kept: for an error at column 100 the excerpt begins at column 70, and print_excerpt
 * counts from there. Columns up to 31 need no cut in front. */
static void take_excerpt(struct etl_diag_entry *e, const struct etl_mark *mark)
{
	size_t len;
	const char *text = etl_conf_file_line(mark->file, mark->line, &len);
	etl_cleanup(free) char *line = presentable(text, len); /* whole: a cut URL hides its user */
	const char *end = line + strlen(line);
	size_t before = mark->column - 1 > EXCERPT_BEFORE ? mark->column - 1 - EXCERPT_BEFORE : 0;
	const char *from = line, *to;

	if (etl_diag_skip(line, end, EXCERPT_MAX) < end && before) {
		from = etl_diag_skip(line, end, before);
		e->excerpt_column = (unsigned)before + 1;
		e->cut_before = true;
	} else {
		e->excerpt_column = 1;
	}
	to = etl_diag_skip(from, end, EXCERPT_MAX);
	e->cut_after = to < end;
	e->excerpt = etl_memdup0(from, (size_t)(to - from));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && etl_streq(a, b));
}

/* An alias reads one node in several places: `a: &x {timeout: 5}` and `b: *x` give the
 * same error at the same place twice, and a reader needs it once. Errors without a file
 * are never the same: they have no place to compare. */
static bool is_known(const struct etl_diag *diag, const struct etl_diag_entry *e)
{
	for (size_t i = 0; i < diag->n; i++) {
		const struct etl_diag_entry *old = &diag->entries[i];

		if (e->has_file && old->has_file && old->code == e->code &&
			old->line == e->line && old->column == e->column &&
			same_text(old->path, e->path) && same_text(old->text, e->text))
			return true;
	}
	return false;
}

/* False: it is known, or there are enough of its kind. */
static bool keeps(struct etl_diag *diag, const struct etl_diag_entry *e)
{
	if (is_known(diag, e))
		return false;
	if (diag->kept[e->severity] < ETL_DIAG_ERRORS_MAX)
		return true;
	diag->dropped[e->severity]++;
	return false;
}

static void append(struct etl_diag *diag, const struct etl_diag_entry *e)
{
	ETL_GROW(diag->entries, diag->n, diag->cap);
	diag->entries[diag->n++] = *e;
	diag->kept[e->severity]++;
}

/* Counted first and kept second: the exit status of a check must not depend on the cap. */
static void put(struct etl_diag *diag, struct etl_diag_entry *e, const struct etl_mark *mark,
	const char *hint, const char *help)
{
	e->order = diag->added++;
	diag->counted[e->severity]++;
	if (mark && mark->file) {
		e->has_file = true;
		e->line = mark->line;
		e->column = mark->column;
		/* A caret at least: a mark of no width (the end of a file) is still a
		 * place. */
		e->width = mark->width ? mark->width : 1;
		e->path = presentable(mark->file->path, strlen(mark->file->path));
	}
	if (!keeps(diag, e)) {
		entry_free(e);
		return;
	}
	e->hint = hint ? presentable(hint, strlen(hint)) : NULL;
	e->help = help ? presentable(help, strlen(help)) : NULL;
	if (e->has_file && e->line)
		take_excerpt(e, mark);
	append(diag, e);
}

static char *text_of(const char *fmt, va_list ap)
{
	char *text, *shown;

	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	shown = presentable(text, strlen(text));
	free(text);
	return shown;
}

void etl_diag_add(struct etl_diag *diag, const struct etl_mark *mark, enum etl_diag_code code,
	const char *hint, const char *help, const char *fmt, ...)
{
	struct etl_diag_entry e = {.severity = ETL_DIAG_ERROR, .code = code};
	va_list ap;

	va_start(ap, fmt);
	e.text = text_of(fmt, ap);
	va_end(ap);
	put(diag, &e, mark, hint, help);
}

void etl_diag_say(struct etl_diag *diag, enum etl_diag_severity severity,
	const struct etl_mark *mark, enum etl_diag_code code, const char *hint, const char *help,
	const char *fmt, ...)
{
	struct etl_diag_entry e = {.severity = severity, .code = code};
	va_list ap;

	va_start(ap, fmt);
	e.text = text_of(fmt, ap);
	va_end(ap);
	put(diag, &e, mark, hint, help);
}

void etl_diag_file(struct etl_diag *diag, enum etl_diag_severity severity, const char *path,
	enum etl_diag_code code, const char *help, const char *fmt, ...)
{
	struct etl_diag_entry e = {.severity = severity, .code = code};
	const struct etl_conf_file file = {.path = path};
	const struct etl_mark mark = {.file = &file};
	va_list ap;

	va_start(ap, fmt);
	e.text = text_of(fmt, ap);
	va_end(ap);
	put(diag, &e, &mark, NULL, help);
}

/* Kept beside the entries and not in them: another error of the same line, found
 * earlier or later, must not show the secret in its excerpt either. */
void etl_diag_hide(struct etl_diag *diag, const struct etl_mark *mark)
{
	ETL_GROW(diag->hidden, diag->n_hidden, diag->cap_hidden);
	diag->hidden[diag->n_hidden++] = (struct etl_diag_hidden){
		.path = presentable(mark->file->path, strlen(mark->file->path)),
		.line = mark->line,
		.column = mark->column,
		.width = mark->width,
	};
}

/* Job files are loaded one by one, each with a collection of its own, so that one wrong
 * job can be left out; here they come together. The order numbers move behind those
 * that `to` gave already. */
void etl_diag_absorb(struct etl_diag *to, struct etl_diag *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct etl_diag_entry *e = &from->entries[i];

		e->order += to->added;
		if (keeps(to, e))
			append(to, e);
		else
			entry_free(e);
	}
	from->n = 0;
	for (size_t i = 0; i < from->n_hidden; i++) {
		ETL_GROW(to->hidden, to->n_hidden, to->cap_hidden);
		to->hidden[to->n_hidden++] = from->hidden[i];
	}
	from->n_hidden = 0;
	to->added += from->added;
	for (int k = 0; k < ETL_DIAG_SEVERITIES; k++) {
		to->counted[k] += from->counted[k];
		to->dropped[k] += from->dropped[k];
	}
	etl_diag_free(from);
}

size_t etl_diag_count(const struct etl_diag *diag)
{
	return diag->counted[ETL_DIAG_ERROR] + diag->counted[ETL_DIAG_NOTE];
}

size_t etl_diag_count_of(const struct etl_diag *diag, enum etl_diag_severity severity)
{
	return diag->counted[severity];
}
