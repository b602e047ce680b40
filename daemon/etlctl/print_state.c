/* SPDX-License-Identifier: MIT
 *
 * States as word, sign and colour, so that none of them is the only carrier of the meaning;
 * and text made safe for a terminal.
 *
 * Example: "✖ failing" in red on a terminal, "✖ failing" in a file, "x failing" in a locale without
 * UTF-8. Who cannot see colours has the sign, who cannot see signs has the word.
 */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/alloc.h"
#include "base/str.h"
#include "etlctl/print.h"

enum sign { FINE, WARNING, BAD, ACTIVE, QUIET, UNKNOWN };

static const struct {
	const char *utf8, *ascii, *color;
} signs[] = {
	[FINE] = {"\u2714", "+", "\033[32m"},
	[WARNING] = {"!", "!", "\033[33m"},
	[BAD] = {"\u2716", "x", "\033[31m"},
	[ACTIVE] = {"\u2026", ".", "\033[36m"},
	[QUIET] = {"\u2013", "-", "\033[2m"},
	[UNKNOWN] = {"?", "?", ""},
};

static const struct {
	const char *word;
	enum sign sign;
} states[] = {
	{"ok", FINE}, {"late", WARNING}, {"stale", WARNING}, {"failing", BAD},
	{"held", WARNING}, {"rejecting", WARNING}, {"paused", QUIET}, {"blocked", WARNING},
	{"config", BAD}, {"unreachable", BAD},
	{"running", ACTIVE}, {"queued", ACTIVE}, {"failed", BAD}, {"partial", BAD},
	{"cancelled", QUIET}, {"fenced", WARNING}, {"skipped", QUIET}, {"nothing_due", QUIET},
	{"pending", ACTIVE}, {"loaded", FINE}, {"empty", FINE}, {"unrecoverable", BAD},
	{"ready", FINE}, {"degraded", WARNING}, {"starting", ACTIVE}, {"draining", ACTIVE},
	{"up", FINE}, {"down", BAD},
	{"done", FINE}, {"busy", QUIET}, {"interrupted", WARNING},
	{"closed", FINE}, {"open", BAD}, {"half_open", ACTIVE}, /* a breaker's */
};

/* A word of a newer daemon is shown with "?": what it means is not known here, and guessing a
 * colour for it could hide a failure. */
static enum sign sign_of(const char *word)
{
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (etl_streq(states[i].word, word))
			return states[i].sign;
	return UNKNOWN;
}

/* Reset behind the word and not at the end of the line: a table goes on with other cells. */
void print_state(const struct etlctl *ctl, const char *word, bool color, struct etl_buf *out)
{
	enum sign sign = sign_of(word);

	color = color && *signs[sign].color;
	etl_buf_str(out, color ? signs[sign].color : "");
	etl_buf_str(out, ctl->utf8 ? signs[sign].utf8 : signs[sign].ascii);
	etl_buf_char(out, ' ');
	print_clean(word, out);
	etl_buf_str(out, color ? "\033[0m" : "");
}

/* What comes from sources and operators may hold escape sequences, line ends, and characters that
 * turn the direction of writing: a record that was refused must not be able to repaint the terminal
 * of who reads it. */
void print_clean(const char *text, struct etl_buf *out)
{
	char *clean = etl_strdup(text);

	etl_text_mask(clean);
	etl_buf_str(out, clean);
	free(clean);
}

/* Bytes and columns of the first character. What is none in this locale is a byte and a column. */
static size_t character(const char *text, size_t *columns)
{
	mbstate_t state = {0};
	wchar_t c;
	size_t n = mbrtowc(&c, text, strlen(text), &state);
	int width = n == 0 || n > 8 ? 1 : wcwidth(c);

	*columns = width < 0 ? 1 : (size_t)width;
	return n == 0 || n > 8 ? 1 : n;
}

/* Columns, not bytes: "é" has two bytes and one column, "語" three and two. Tables are aligned by
 * these. */
size_t print_width(const char *text)
{
	size_t width = 0, columns;

	for (; *text; width += columns)
		text += character(text, &columns);
	return width;
}

/* The sign takes a column of its own, so that the cut text is as wide as was asked and not wider.
 */
void print_cut(const struct etlctl *ctl, const char *text, size_t width, struct etl_buf *out)
{
	const char *end = text;
	size_t used = 0, columns, n;

	if (print_width(text) <= width) {
		etl_buf_str(out, text);
		return;
	}
	for (n = character(end, &columns); used + columns < width; n = character(end, &columns)) {
		used += columns;
		end += n;
	}
	etl_buf_append(out, text, (size_t)(end - text));
	etl_buf_str(out, ctl->utf8 ? "\u2026" : "~");
}
