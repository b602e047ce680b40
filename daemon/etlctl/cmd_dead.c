/* SPDX-License-Identifier: MIT
 *
 * dead list, dead show: records that were refused. Their texts are strangers': all are shown
 * without characters that could deceive a reader.
 *
 * Example:
 *   ID            JOB      PARTITION  WINDOW             STEP   RULE   FIELD  MESSAGE
 *   aaaaaaaaaaaa  airqino  station=1  2026-07-01 10:00Z  check  range  v      5000 is above 100
 *   etlctl: one of them whole: etlctl dead show aaaaaaaaaaaa
 *   etlctl: when the job is mended: etlctl run airqino --from 2026-07-01T10:00:00Z --to ...
 * There is no command that sends one letter through again: the window is loaded again as a whole,
 * from the source, so that what is stored is what the source says by then.
 */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/str.h"
#include "etlctl/print.h"

enum {
	ID_SHOWN = 12,	   /* the beginning of an id: as good as unique, and what show takes */
	MESSAGE_SHOWN = 40 /* columns, where there is not room for all */
};

/* ---- list ------------------------------------------------------------------------------- */

/* Only above a page: on the one page of all letters the rules can be seen. */
static void print_rules(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"STEP", "RULE", ">REFUSED", NULL};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);

	ETL_JSON_EACH(rule, etl_json_get(reply, "rules")) {
		table_text(table, etl_json_text(rule, "step", ""));
		table_text(table, etl_json_text(rule, "rule", ""));
		table_int(table, etl_json_int(rule, "n", 0));
	}
	table_print(table, NULL);
	if (etl_json_size(etl_json_get(reply, "rules")))
		putchar('\n');
}

/* A long one would drive out all columns before it was cut. */
static void add_message(const struct etlctl *ctl, struct table *table, const char *message)
{
	ETL_BUF_CLEANUP struct etl_buf clean, cut;

	etl_buf_init(&clean, 4096);
	etl_buf_init(&cut, 4096);
	print_clean(message, &clean);
	if (ctl->columns)
		print_cut(ctl, etl_buf_text(&clean), MESSAGE_SHOWN, &cut);
	table_text(table, etl_buf_text(ctl->columns ? &cut : &clean));
}

/* `times` is empty for one: a column in which each row says 1 tells nothing, and falls away. */
static void add_letter(const struct etlctl *ctl, struct table *table, const struct etl_json *letter,
	bool one_job)
{
	int64_t times = etl_json_int(letter, "times", 0);

	table_textf(table, "%.*s", ID_SHOWN, etl_json_text(letter, "id", "?"));
	table_text(table, one_job ? "" : etl_json_text(letter, "job", "?"));
	table_text(table, etl_json_text(letter, "partition", "-"));
	if (etl_json_text(letter, "object", NULL))
		table_text(table, etl_json_text(letter, "object", ""));
	else if (etl_json_type(etl_json_get(letter, "window")) == ETL_JSON_OBJECT)
		table_time(table, etl_json_text(etl_json_get(letter, "window"), "start", NULL));
	else
		table_text(table, "");
	table_text(table, etl_json_text(letter, "step", ""));
	table_text(table, etl_json_text(letter, "rule", ""));
	table_text(table, etl_json_text(letter, "path", ""));
	table_time(table, etl_json_text(letter, "at", NULL));
	if (times > 1)
		table_int(table, times);
	else
		table_text(table, "");
	table_id(table, etl_json_text(letter, "run_id", ""));
	add_message(ctl, table, etl_json_text(letter, "message", ""));
}

/* What bounds a letter's place (job, partition, run) is left out before what was wrong with it. */
static void print_letters(const struct etlctl *ctl, const struct etl_json *reply)
{
	static const char *const titles[] = {"ID", "-JOB", "--PARTITION", "WINDOW", "STEP", "RULE",
		"---FIELD", "--WHEN", "---->TIMES", "-----RUN", "MESSAGE", NULL};
	etl_cleanup(table_free) struct table *table = table_new(ctl, titles);
	bool one_job = etl_json_text(reply, "job", NULL) != NULL;

	ETL_JSON_EACH(letter, etl_json_get(reply, "letters"))
		add_letter(ctl, table, letter, one_job);
	table_print(table, etl_json_get(ctl->values, "before") ? "no further dead letters" :
								     "no dead letters");
}

/* Quoted for a shell: a partition's name may hold blanks, and the line is meant to be pasted. */
static void add_option(const struct etlctl *ctl, const char *key, const char *option,
	struct etl_buf *out)
{
	const char *value = etl_json_text(ctl->values, key, NULL);

	if (!value)
		return;
	etl_buf_printf(out, " %s%s", option, *option ? " " : "");
	etl_encode_shell(out, value);
}

/* The same command, for the letters behind the last one. "or more": beyond 100,000 letters the
 * daemon stops counting (state/letters.h). */
static void say_next_page(const struct etlctl *ctl, const struct etl_json *reply)
{
	ETL_BUF_CLEANUP struct etl_buf command;
	int64_t limit = etl_json_int(ctl->values, "limit", 0);

	etl_buf_init(&command, 8192);
	add_option(ctl, "what", "", &command);
	add_option(ctl, "window", "--window", &command);
	add_option(ctl, "partition", "--partition", &command);
	if (limit)
		etl_buf_printf(&command, " -n %lld", (long long)limit);
	etl_buf_printf(&command, " --before %.*s", ID_SHOWN, etl_json_text(reply, "before", ""));
	etlctl_say("%zu of %lld%s dead letters, those behind them: etlctl dead list%s",
		etl_json_size(etl_json_get(reply, "letters")),
		(long long)etl_json_int(reply, "total", 0),
		etl_json_bool(reply, "total_is_least", false) ? " or more" : "",
		etl_buf_text(&command));
}

/* The command is null of a job that is not configured any more, and of records that were refused before
 * their time was known, in a request for several windows: any of these may be theirs. */
static void say_again(const struct etl_json *reply, const struct etl_json *letter)
{
	if (etl_json_text(reply, "again", NULL))
		etlctl_say("when the job is mended: %s", etl_json_text(reply, "again", ""));
	else if (etl_json_type(etl_json_get(letter, "window")) != ETL_JSON_OBJECT)
		etlctl_say("its window is not known; a span of windows is loaded again by: "
			"etlctl backfill %s --from TIME --to TIME --reprocess all",
			etl_json_text(letter, "job", "JOB"));
}

/* Three hints at most, each with the command: the next page, one letter whole, what loads the
 * windows again. */
static void print_list(const struct etlctl *ctl, const struct etl_json *reply)
{
	const struct etl_json *first = etl_json_first(etl_json_get(reply, "letters"));
	bool cut = etl_json_bool(reply, "truncated", false);

	if (cut || etl_json_get(ctl->values, "before"))
		print_rules(ctl, reply);
	print_letters(ctl, reply);
	if (cut)
		say_next_page(ctl, reply);
	if (first)
		etlctl_say("one of them whole: etlctl dead show %.*s", ID_SHOWN,
			etl_json_text(first, "id", ""));
	if (first)
		say_again(reply, first);
}

/* ---- show ------------------------------------------------------------------------------- */

/* Without `now` the text as it came: an event time is shown to the second, since the source may be
 * asked about that very record. */
static void put_time(const char *key, const char *text, const char *now, struct etl_buf *out)
{
	if (!text)
		return;
	print_key(key, out);
	if (now)
		print_time_past(text, now, out);
	else
		print_clean(text, out);
	etl_buf_char(out, '\n');
}

/* "range /v: 999 is above 100" for each. */
static void put_violations(const struct etl_json *letter, struct etl_buf *out)
{
	const char *key = "refused by";

	ETL_JSON_EACH(violation, etl_json_get(letter, "violations")) {
		const char *path = etl_json_text(violation, "path", "");

		print_key(key, out);
		print_clean(etl_json_text(violation, "rule", ""), out);
		etl_buf_str(out, *path ? " " : "");
		print_clean(path, out);
		etl_buf_str(out, ": ");
		print_clean(etl_json_text(violation, "message", ""), out);
		etl_buf_char(out, '\n');
		key = "";
	}
}

/* "refused" is the last time and "first" the first: a record that has been refused for a week is a
 * fault of the source, one of today maybe of yesterday's change. */
static void put_facts(const struct etl_json *letter, const char *now, struct etl_buf *out)
{
	int64_t times = etl_json_int(letter, "times", 0);

	etl_buf_str(out, "dead letter ");
	print_clean(etl_json_text(letter, "id", "?"), out);
	etl_buf_char(out, '\n');
	print_line("job", etl_json_text(letter, "job", "?"), out);
	print_line("partition", etl_json_text(letter, "partition", "-"), out);
	print_window("window", etl_json_get(letter, "window"), out);
	if (etl_json_text(letter, "object", NULL)) {
		print_key("object", out);
		print_clean(etl_json_text(letter, "object", ""), out);
		etl_buf_char(out, '\n');
	}
	print_line("run", etl_json_text(letter, "run_id", ""), out);
	print_line("step", etl_json_text(letter, "step", ""), out);
	put_violations(letter, out);
	put_time("event time", etl_json_text(letter, "time", NULL), NULL, out);
	print_key("position", out);
	etl_buf_printf(out, "%lld\n", (long long)etl_json_int(letter, "position", 0));
	put_time("refused", etl_json_text(letter, "at", NULL), now, out);
	if (times > 1) {
		put_time("first", etl_json_text(letter, "first_at", NULL), now, out);
		print_key("times", out);
		etl_buf_printf(out, "%lld\n", (long long)times);
	}
}

/* Behind bars, so that no line of it looks like one of ours. */
static void put_lines(const char *text, struct etl_buf *out)
{
	for (size_t n; *text; text += n + (text[n] == '\n')) {
		etl_cleanup(free) char *line = etl_memdup0(text, n = strcspn(text, "\n"));

		etl_buf_str(out, "  | ");
		print_clean(line, out);
		etl_buf_char(out, '\n');
	}
}

/* What is shown may be less than what came: cut when it was stored, or replaced where it is no
 * text. Both are said, with where the whole of it can be had. */
static void put_raw(const struct etl_json *letter, struct etl_buf *out)
{
	long long bytes = (long long)etl_json_int(letter, "raw_bytes", 0);
	bool cut = etl_json_bool(letter, "raw_cut", false);
	bool json = etl_streq(etl_json_text(letter, "raw_form", ""), "json");

	print_key("raw", out);
	if (!bytes) {
		etl_buf_str(out, "not kept\n");
		return;
	}
	etl_buf_printf(out, "%s%lld byte%s%s%s%s:\n", cut ? "the first " : "", bytes,
		bytes == 1 ? "" : "s", cut ? " of a longer one, whose rest was not kept" : "",
		json ? " of BSON, shown as JSON" : "",
		etl_json_text(letter, "raw_base64", NULL) ?
			", some of them no text (-o json has them all, in raw_base64)" :
			"");
	put_lines(etl_json_text(letter, "raw", ""), out);
}

/* All of one letter at once, in a buffer as large as a reply may be: its bytes are the longest
 * part. */
static void print_letter(const struct etlctl *ctl, const struct etl_json *reply)
{
	const struct etl_json *letter = etl_json_get(reply, "letter");
	ETL_BUF_CLEANUP struct etl_buf out;

	(void)ctl;
	etl_buf_init(&out, ETL_CTL_REPLY_MAX);
	put_facts(letter, etl_json_text(reply, "generated_at", NULL), &out);
	put_raw(letter, &out);
	print_out(&out);
	say_again(reply, letter);
}

const struct etlctl_command etlctl_command_dead_list = {"dead list", .print = print_list};
const struct etlctl_command etlctl_command_dead_show = {"dead show", .print = print_letter};
