/* SPDX-License-Identifier: MIT
 *
 * Hints for templates: names and formats as other tools write them.
 *
 * A hint is a guess and is shown as a question; nothing is ever replaced by it.
 */
#include "conf/template_hint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "time/timefmt.h"

enum { NAMES_MAX = 64 };

/* ---- names --------------------------------------------------------------------------------- */

/* Words of other tools (Airflow, Airbyte, dbt) that are too far from ours for the edit
 * distance. */
static const char *meant(const char *name)
{
	static const char *const others[][2] = {{"window.begin", "window.start"},
		{"window.from", "window.start"}, {"start", "window.start"},
		{"from", "window.start"}, {"begin", "window.start"}, {"window", "window.start"},
		{"window.to", "window.end"}, {"window.until", "window.end"},
		{"window.stop", "window.end"}, {"end", "window.end"}, {"to", "window.end"},
		{"until", "window.end"}, {"run", "run_id"}, {"run.id", "run_id"}};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (etl_streq(others[i][0], name))
			return others[i][1];
	return NULL;
}

void etl_template_name_hint(const char *name, const struct etl_conf_env *env,
	char out[ETL_TEMPLATE_HINT_BYTES])
{
	const char *words[NAMES_MAX] = {"window.start", "window.end", "run_id", "object.name",
		"object.basename", "object.mtime"};
	const char *const *partitions = env->partition_names;
	const char *near;
	size_t n = env->objects ? 6 : 3;

	for (; partitions && *partitions && n < NAMES_MAX; partitions++)
		words[n++] = *partitions;
	/* {statoin} with a partition `station`: "did you mean '{station}'?"; {start}:
	 * '{window.start}', by the table above; {city}: partitions: {city: [...]} would fill it. */
	near = etl_nearest(name, words, n);
	if (!near)
		near = meant(name);
	if (!env->objects && etl_starts_with(name, "object."))
		snprintf(out, ETL_TEMPLATE_HINT_BYTES, "window: object makes a unit of each object");
	else if (near)
		snprintf(out, ETL_TEMPLATE_HINT_BYTES, "did you mean '{%.64s}'?", near);
	else if (etl_is_name(name, 64) && !strchr(name, '.'))
		snprintf(out, ETL_TEMPLATE_HINT_BYTES,
			"partitions: {%s: [...]} would fill it; a literal brace is written {{",
			name);
	else
		snprintf(out, ETL_TEMPLATE_HINT_BYTES, "a literal brace is written {{ or }}");
}

/* ---- formats ------------------------------------------------------------------------------- */

/* "%%" is a percent sign and says the same for every window, too. */
bool etl_template_format_is_text(const char *format)
{
	for (const char *p = format; *p; p++) {
		if (*p == '%' && p[1] != '%')
			return false;
		p += *p == '%';
	}
	return true;
}

/* YYYY-MM-DD HH:mm:ss, in the words of other tools.
 * Longest first: YYYY before YY. MM is a month and mm are minutes, as in Java and Moment. */
static size_t other_word(const char *p, const char **directive)
{
	static const char *const words[][2] = {{"YYYY", "%Y"}, {"yyyy", "%Y"}, {"YY", "%y"},
		{"yy", "%y"}, {"MM", "%m"}, {"mm", "%M"}, {"DD", "%d"}, {"dd", "%d"}, {"HH", "%H"},
		{"hh", "%H"}, {"SS", "%S"}, {"ss", "%S"}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (etl_starts_with(p, words[i][0])) {
			*directive = words[i][1];
			return strlen(words[i][0]);
		}
	return 0;
}

/* What date(1) and other libraries know and this format does not; another case of a letter that is
 * known. */
static const char *other_directive(char letter, char room[3])
{
	static const struct {
		char letter;
		const char *directive;
	} others[] = {{'F', "%Y-%m-%d"}, {'T', "%H:%M:%S"}, {'R', "%H:%M"}, {'N', "%f"},
		{'L', "%f"}, {'k', "%H"}, {'l', "%I"}, {'h', "%b"}, {'P', "%p"}, {'G', "%Y"}};
	struct etl_error ignored = ETL_ERROR_INIT;
	struct etl_timefmt compiled;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i].letter == letter)
			return others[i].directive;
	room[0] = '%';
	room[1] = (char)(isupper((unsigned char)letter) ? tolower((unsigned char)letter) :
							  toupper((unsigned char)letter));
	room[2] = '\0';
	return etl_timefmt_compile(room, &compiled, &ignored) == 0 ? room : NULL;
}

/* The format with what is meant in the place of what is not known. False: no guess.
 *   YYYY-MM-DD  ->  %Y-%m-%d      %F  ->  %Y-%m-%d      %Q  ->  no guess
 * Words of letters are looked for only in a text without any directive: in "%Y-DD" the DD may
 * really be meant as text. */
static bool guess(const char *format, struct etl_buf *out)
{
	bool text = etl_template_format_is_text(format), any = false;
	struct etl_error ignored = ETL_ERROR_INIT;
	struct etl_timefmt compiled;
	const char *directive;
	char room[3];
	size_t n;

	for (const char *p = format; *p;) {
		char one[3] = {p[0], p[0] == '%' ? p[1] : '\0', '\0'};

		if (text && (n = other_word(p, &directive)) > 0) {
			etl_buf_str(out, directive);
			p += n;
			any = true;
			continue;
		}
		if (*p == '%' && p[1] && etl_timefmt_compile(one, &compiled, &ignored) < 0) {
			directive = other_directive(p[1], room);
			if (!directive)
				return false;
			etl_buf_str(out, directive);
			any = true;
		} else {
			etl_buf_str(out, one);
		}
		p += one[1] ? 2 : 1;
	}
	return any && etl_buf_ok(out);
}

void etl_template_format_hint(const char *format, char out[ETL_TEMPLATE_HINT_BYTES])
{
	struct etl_buf text ETL_BUF_CLEANUP;

	etl_buf_init(&text, 100);
	if (guess(format, &text))
		snprintf(out, ETL_TEMPLATE_HINT_BYTES, "did you mean '%s'?", etl_buf_text(&text));
	else
		snprintf(out, ETL_TEMPLATE_HINT_BYTES,
			"such as {window.start:%%Y-%%m-%%dT%%H:%%M:%%SZ}");
}
