/* SPDX-License-Identifier: MIT
 *
 * States as word, sign and colour, so that none of them is the only carrier of the meaning;
 * and text made safe for a terminal.
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
	{"running", ACTIVE}, {"queued", ACTIVE}, {"failed", BAD}, {"partial", BAD},
	{"cancelled", QUIET}, {"fenced", WARNING}, {"skipped", QUIET}, {"nothing_due", QUIET},
	{"pending", ACTIVE}, {"loaded", FINE}, {"empty", FINE}, {"unrecoverable", BAD},
	{"ready", FINE}, {"degraded", WARNING}, {"starting", ACTIVE}, {"draining", ACTIVE},
	{"up", FINE}, {"down", BAD},
	{"done", FINE}, {"busy", QUIET}, {"interrupted", WARNING},
	{"closed", FINE}, {"open", BAD}, {"half_open", ACTIVE}, /* a breaker's */
};

static enum sign sign_of(const char *word)
{
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (etl_streq(states[i].word, word))
			return states[i].sign;
	return UNKNOWN;
}

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

void print_clean(const char *text, struct etl_buf *out)
{
	char *clean = etl_strdup(text);

	etl_text_mask(clean);
	etl_buf_str(out, clean);
	free(clean);
}

size_t print_width(const char *text)
{
	mbstate_t state = {0};
	size_t width = 0;

	while (*text) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, strlen(text), &state);
		int columns;

		if (n == 0 || n > 8) { /* no character in this locale: a byte is a column */
			state = (mbstate_t){0};
			n = 1;
			columns = 1;
		} else {
			columns = wcwidth(c);
		}
		width += columns < 0 ? 1 : (size_t)columns;
		text += n;
	}
	return width;
}
