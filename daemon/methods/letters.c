/* SPDX-License-Identifier: MIT
 *
 * Dead letters as JSON.
 *
 * A record that was refused is shown in three forms, by what it is. A BSON document: as JSON, where
 * a person sees the field that broke the rule. Bytes that are text: as they came. Bytes that are
 * none (a truncated gzip stream, Latin-1): a text in which each byte that cannot be shown is
 * replaced, so that a person sees where it breaks, and the very bytes in base64 beside it, so that
 * nothing is lost.
 */
#include "methods/letters.h"

#include <string.h>

#include "base/alloc.h"
#include "base/encode.h"
#include "base/str.h"
#include "methods/methods.h"
#include "record/encode_json.h"

#define FIELDS_BYTES 640 /* names, times, numbers */

/* A letter of a job without windows, or of a record that came before its unit was known, has none.
 */
void etld_letter_window(const struct etl_window *window, struct etl_json *to)
{
	if (window->start.ms < window->end.ms)
		etld_json_window(to, "window", window);
	else
		etl_json_add_null(to, "window");
}

static void add_origin(const struct etld_generation *generation,
	const struct etl_dead_letter *letter, struct etl_json *to)
{
	etl_json_add_text(to, "id", letter->id);
	etl_json_add_text(to, "job", letter->job);
	etld_json_partition(to, etld_generation_job(generation, letter->job), letter->partition);
	etl_json_add_text(to, "run_id", letter->run_id);
	etld_letter_window(&letter->window, to);
	etl_json_add_text(to, "object", *letter->object ? letter->object : NULL);
	etl_json_add_text(to, "step", letter->step);
}

static void add_violation(const struct etl_violation *violation, struct etl_json *to)
{
	etl_json_add_text(to, "rule", violation->rule);
	etl_json_add_text(to, "path", violation->path);
	etl_json_add_text(to, "message", violation->message);
}

/* The first rule is the one that the record counts under (in the order of the job's file); the
 * others are told because who mends the source wants to mend all of it at once. */
static void add_violations(const struct etl_dead_letter *letter, struct etl_json *to)
{
	struct etl_violation first = {letter->rule, letter->path, letter->message};
	struct etl_json *list = etl_json_add_array(to, "violations");

	add_violation(&first, etl_json_add_object(list, NULL));
	for (size_t i = 0; i < letter->n_also; i++)
		add_violation(&letter->also[i], etl_json_add_object(list, NULL));
}

/* `at` is the last time that it was refused and `first_at` the first: the same record, read again
 * each hour, is one letter with `times` 24 and not 24 letters. */
static void add_times(const struct etl_dead_letter *letter, struct etl_json *to)
{
	etld_json_time(to, "at", letter->at);
	etld_json_time(to, "first_at", letter->first_at);
	etl_json_add_int(to, "times", letter->times);
	etld_json_time(to, "time", letter->time.ms == ETL_NO_TIME ? (etl_wall){0} : letter->time);
	etl_json_add_int(to, "position", letter->position);
}

void etld_letter_line(const struct etld_generation *generation,
	const struct etl_dead_letter *letter, struct etl_json *to)
{
	struct etl_violation first = {letter->rule, letter->path, letter->message};

	add_origin(generation, letter, to);
	add_violation(&first, to);
	add_times(letter, to);
}

/* Its texts were masked when they were stored: JSON writes no byte of them as more than two. */
size_t etld_letter_line_bytes(const struct etl_dead_letter *l)
{
	return FIELDS_BYTES + 2 * (strlen(l->job) + strlen(l->partition) + strlen(l->step) +
				   strlen(l->rule) + strlen(l->path) + strlen(l->message));
}

/* ---- bytes --------------------------------------------------------------------------------- */

static bool is_text(const struct etl_dead_letter *l)
{
	return !memchr(l->raw, 0, l->raw_len) &&
		etl_utf8_check((const char *)l->raw, l->raw_len) == l->raw_len;
}

/* A text cannot hold a NUL; what else is no UTF-8 is replaced when it is printed. */
static void add_text(const struct etl_dead_letter *l, struct etl_json *to)
{
	etl_cleanup(free) char *text = etl_memdup0((const char *)l->raw, l->raw_len);

	for (size_t i = 0; i < l->raw_len; i++)
		if (!text[i])
			text[i] = '?';
	etl_json_add_text(to, "raw", text);
}

static void add_base64(const struct etl_dead_letter *l, struct etl_json *to)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, (size_t)2 * ETL_REJECT_RAW_MAX);
	etl_encode_base64(&text, l->raw, l->raw_len);
	etl_json_add_text(to, "raw_base64", etl_buf_text(&text));
}

/* As it came, or a document as JSON; beside it the very bytes, if a text cannot hold them. The
 * encoder may refuse (nested too deep, or longer than a message may be): then the document is shown
 * as bytes, and raw_form says so. */
static void add_raw(const struct etl_dead_letter *l, struct etl_json *to)
{
	ETL_BUF_CLEANUP struct etl_buf text;
	bool json;

	etl_buf_init(&text, ETL_CTL_MESSAGE_MAX);
	json = l->raw_len && l->raw_is_bson && etl_json_encode(l->raw, l->raw_len, 0, &text);
	etl_json_add_text(to, "raw_form", json ? "json" : "text");
	if (json)
		etl_json_add_text(to, "raw", etl_buf_text(&text));
	else if (l->raw_len)
		add_text(l, to);
	else
		etl_json_add_null(to, "raw");
	etl_json_add_int(to, "raw_bytes", l->raw_len);
	etl_json_add_bool(to, "raw_cut", l->raw_cut);
	if (l->raw_len && !json && !is_text(l))
		add_base64(l, to);
	else
		etl_json_add_null(to, "raw_base64");
}

void etld_letter_whole(const struct etld_generation *generation,
	const struct etl_dead_letter *letter, struct etl_json *to)
{
	add_origin(generation, letter, to);
	add_violations(letter, to);
	add_times(letter, to);
	add_raw(letter, to);
}
