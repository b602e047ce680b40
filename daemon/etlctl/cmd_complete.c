/* SPDX-License-Identifier: MIT
 *
 * What may stand next on a command line, for the shells' completion scripts: they call
 * `etlctl __complete WORDS...`, the last word being the one under the cursor. One candidate a
 * line, "word<TAB>what it is"; a line ":files" asks the shell for its own files. Names of jobs,
 * partitions and runs come from the daemon, within a short limit; it never fails and never says
 * a word on stderr: a shell would print it in the middle of the line.
 *
 * Example: the cursor stands behind "etlctl windows accept airqino 2026-07". The words before it
 * name the command `windows accept` and the job; the word that is begun is the second positional,
 * `window`; a provider asks the daemon for windows of that job, those that have failed are what
 * accept is for, and of their starts those that begin with "2026-07" are printed with partition and
 * state. The shell shows them.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "etlctl/print.h"

/* A person who presses Tab waits a third of a second at most; twenty runs are a screen. */
enum { LIMIT_MS = 300, RUNS = 20 };

struct line {
	const struct etlctl *ctl;
	const char *cur; /* begins what is sought */
	const struct etl_command *command;
	const char *job; /* its positional JOB or JOB|RUN, if one was given */
	struct etl_buf out;
};

/* A name may hold what would break the line, if the daemon is not ours. Only what begins as the
 * word does: not every shell filters by itself. */
static void offer(struct line *line, const char *word, const char *what)
{
	if (!word || !*word || !etl_starts_with(word, line->cur))
		return;
	print_clean(word, &line->out);
	etl_buf_char(&line->out, '\t');
	print_clean(what ? what : "", &line->out);
	etl_buf_char(&line->out, '\n');
}

/* `seen` has those that were offered already. */
static void offer_once(struct line *line, struct etl_json *seen, const char *word)
{
	if (!*word || etl_json_get(seen, word))
		return;
	etl_json_add_bool(seen, word, true);
	offer(line, word, NULL);
}

/* "a|b|c" Values that the table lists are known without the daemon, and offered whether it is there
 * or not. */
static void offer_words(struct line *line, const char *words)
{
	char word[64];

	for (const char *p = words; *p; p += *p == '|') {
		size_t n = strcspn(p, "|");

		snprintf(word, sizeof word, "%.*s", (int)n, p);
		offer(line, word, NULL);
		p += n;
	}
}

/* ---- what the daemon knows --------------------------------------------------------------- */

/* The answer to a question of one parameter, NULL if there is none in time. */
static struct etl_json *ask(const struct line *line, const char *method, const char *key,
	const char *text, int64_t number)
{
	etl_cleanup(etl_json_free) struct etl_json *parameters = etl_json_object();
	etl_cleanup(free) char *name = etl_strf("%s.%s", ETL_CTL_INTERFACE, method);

	if (text)
		etl_json_add_text(parameters, key, text);
	else if (key)
		etl_json_add_int(parameters, key, number);
	return etlctl_ask(line->ctl, name, parameters, LIMIT_MS);
}

/* The description beside the name: zsh and fish show it. */
static void offer_jobs(struct line *line)
{
	etl_cleanup(etl_json_free) struct etl_json *reply = ask(line, "Jobs", NULL, NULL, 0);

	ETL_JSON_EACH(job, etl_json_get(reply, "jobs"))
		offer(line, etl_json_text(job, "name", ""), etl_json_text(job, "description", ""));
}

static void offer_groups(struct line *line)
{
	etl_cleanup(etl_json_free) struct etl_json *reply = ask(line, "Jobs", NULL, NULL, 0);
	etl_cleanup(etl_json_free) struct etl_json *seen = etl_json_object();

	ETL_JSON_EACH(job, etl_json_get(reply, "jobs"))
		offer_once(line, seen, etl_json_text(job, "group", ""));
}

/* From the watermarks of status, for these are the partitions that are configured, as people name
 * them. */
static void offer_partitions(struct line *line)
{
	etl_cleanup(etl_json_free) struct etl_json *reply =
		line->job ? ask(line, "Status", "job", line->job, 0) : NULL;
	const struct etl_json *job = etl_json_first(etl_json_get(reply, "jobs"));

	ETL_JSON_EACH(mark, etl_json_get(job, "watermarks"))
		if (!etl_streq(etl_json_text(mark, "partition", "-"), "-"))
			offer(line, etl_json_text(mark, "partition", ""), NULL);
}

/* Those that the command may be about, by their begin; of `run` all that want attention. */
static const char *state_for(const struct etl_command *command)
{
	if (etl_starts_with(command->name, "held "))
		return "held";
	return etl_streq(command->name, "windows accept") ? "failed" : NULL;
}

/* At most what `windows` lists: those that want attention. Whoever means another one knows its
 * time. */
static void offer_windows(struct line *line)
{
	etl_cleanup(etl_json_free) struct etl_json *reply =
		line->job ? ask(line, "Windows", "job", line->job, 0) : NULL;
	const char *state = state_for(line->command);

	ETL_JSON_EACH(window, etl_json_get(reply, "windows")) {
		const char *is = etl_json_text(window, "state", "");
		etl_cleanup(free) char *what =
			etl_strf("%s %s", etl_json_text(window, "partition", "-"), is);

		if (!state || etl_streq(state, is))
			offer(line, etl_json_text(window, "start", "-"), what);
	}
}

/* Those that hold windows of the job. */
static void offer_checks(struct line *line)
{
	etl_cleanup(etl_json_free) struct etl_json *reply =
		line->job ? ask(line, "HeldList", "job", line->job, 0) : NULL;
	etl_cleanup(etl_json_free) struct etl_json *seen = etl_json_object();

	ETL_JSON_EACH(unit, etl_json_get(reply, "held"))
		ETL_JSON_EACH(check, etl_json_get(unit, "checks"))
			offer_once(line, seen, etl_json_text(check, "check", ""));
}

/* The newest ones, of all jobs: what somebody has just seen in `runs`. */
static void offer_ids(struct line *line, const char *method, const char *list, const char *key)
{
	etl_cleanup(etl_json_free) struct etl_json *reply = ask(line, method, "limit", NULL, RUNS);

	ETL_JSON_EACH(one, etl_json_get(reply, list)) {
		etl_cleanup(free) char *what = etl_strf("%s %s %s", etl_json_text(one, "job", ""),
			etl_json_text(one, "state", ""), etl_json_text(one, "started", ""));

		offer(line, etl_json_text(one, key, ""), what);
	}
}

static void offer_runs(struct line *line)
{
	offer_ids(line, "Runs", "runs", "run_id");
}

static void offer_letters(struct line *line)
{
	etl_cleanup(etl_json_free) struct etl_json *reply =
		ask(line, "DeadList", "limit", NULL, RUNS);

	ETL_JSON_EACH(one, etl_json_get(reply, "letters")) {
		etl_cleanup(free) char *what = etl_strf("%s %s %s", etl_json_text(one, "job", ""),
			etl_json_text(one, "rule", ""), etl_json_text(one, "message", ""));

		offer(line, etl_json_text(one, "id", ""), what);
	}
}

static void offer_jobs_and_runs(struct line *line)
{
	offer_jobs(line);
	offer_runs(line);
}

static void offer_what_runs(struct line *line)
{
	offer_jobs_and_runs(line);
	offer_ids(line, "Backfills", "backfills", "backfill_id");
}

static void offer_files(struct line *line)
{
	etl_buf_str(&line->out, ":files\n");
}

static void offer_commands(struct line *line);

/* By the name that a value has on the wire. A value is completed by its name on the wire, so that a
 * new command with a JOB needs nothing here. */
static const struct {
	const char *wire;
	void (*offer)(struct line *line);
} providers[] = {
	{"job", offer_jobs},
	{"what", offer_jobs_and_runs},
	{"run_id", offer_runs},
	{"id", offer_what_runs},
	{"letter", offer_letters},
	{"before", offer_letters},
	{"partition", offer_partitions},
	{"window", offer_windows},
	{"check", offer_checks},
	{"group", offer_groups},
	{"file", offer_files},
	{"command", offer_commands},
};

static void offer_values(struct line *line, const struct etl_command_arg *arg)
{
	if (arg->words) {
		offer_words(line, arg->words);
		return;
	}
	for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
		if (etl_streq(providers[i].wire, arg->wire))
			providers[i].offer(line);
}

/* ---- the line ---------------------------------------------------------------------------- */

static const struct {
	const char *name, *words, *what; /* words: the values; NULL = it takes none, "" = a file */
} global[] = {
	{"--socket", "", "the control socket"},
	{"-o", "table|wide|json", "the form of the answer"},
	{"--output", "table|wide|json", "the form of the answer"},
	{"--color", "auto|always|never", "when to colour"},
	{"--help", NULL, "help"},
	{"--version", NULL, "the version"},
};

/* The first words of all commands, each once. */
static void offer_commands(struct line *line)
{
	const char *before = "";

	ETL_COMMANDS_EACH(command) {
		size_t n = strcspn(command->name, " ");
		char word[64];

		snprintf(word, sizeof word, "%.*s", (int)n, command->name);
		if (strncmp(before, command->name, n) != 0 || strcspn(before, " ") != n)
			offer(line, word, command->name[n] ? NULL : command->summary);
		before = command->name;
	}
}

/* After "watermark": what may follow. "watermark" alone is no command: without the daemon and
 * without a request, from the table. */
static void offer_second_words(struct line *line, const char *first)
{
	size_t n = strlen(first);

	ETL_COMMANDS_EACH(command)
		if (strncmp(command->name, first, n) == 0 && command->name[n] == ' ')
			offer(line, command->name + n + 1, command->summary);
}

/* Those of the command first: they are fewer, and what is wanted. */
static void offer_options(struct line *line)
{
	if (line->command)
		for (const struct etl_command_arg *arg = line->command->args; arg->wire; arg++)
			offer(line, arg->option, arg->help);
	for (size_t i = 0; i < sizeof global / sizeof *global; i++)
		offer(line, global[i].name, global[i].what);
}

/* The option of the command that this word is, NULL if it is none. */
static const struct etl_command_arg *option_of(const struct etl_command *command, const char *word)
{
	if (!command || word[0] != '-')
		return NULL;
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++)
		if (arg->option && (etl_streq(arg->option, word) ||
					   (arg->letter && word[1] == arg->letter && !word[2])))
			return arg;
	return NULL;
}

/* Index of the global option that this word is, -1 if it is none. */
static int global_of(const char *word)
{
	for (size_t i = 0; i < sizeof global / sizeof *global; i++)
		if (etl_streq(global[i].name, word))
			return (int)i;
	return -1;
}

/* The n-th of those without an option, from 0. */
static const struct etl_command_arg *positional(const struct etl_command *command, size_t n)
{
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++)
		if (!arg->option && n-- == 0)
			return arg;
	return NULL;
}

/* The value of `word` is sought, an option; false: it takes none. For "--window " and the like,
 * where the cursor stands behind an option that takes a value. */
static bool offer_value_of(struct line *line, const char *word)
{
	const struct etl_command_arg *arg = option_of(line->command, word);
	int i = global_of(word);

	if (i >= 0 && global[i].words) {
		if (*global[i].words)
			offer_words(line, global[i].words);
		else
			offer_files(line);
		return true;
	}
	if (!arg || arg->type == ETL_ARG_FLAG)
		return false;
	offer_values(line, arg);
	return true;
}

/* True if the word behind this one is its value. Needed to know which words are values: in
 * "--socket /x status" the command is the third word. */
static bool takes_value(const struct etl_command *command, const char *word)
{
	const struct etl_command_arg *arg = option_of(command, word);
	int i = global_of(word);

	return (i >= 0 && global[i].words) || (arg && arg->type != ETL_ARG_FLAG);
}

/* The words before the cursor that are neither options nor their values; how many. The command is
 * looked for after the first and the second word, for options of a command can stand between its
 * words and what follows. */
static int plain_words(struct line *line, struct etlctl *ctl, int argc, char **argv, char **plain)
{
	struct etl_error err = ETL_ERROR_INIT;
	int n = 0, used;

	for (int i = 0; i < argc - 1; i++) {
		bool value = takes_value(line->command, argv[i]);

		if (value && etl_streq(argv[i], "--socket") && i + 1 < argc - 1)
			ctl->socket = argv[i + 1];
		if (etl_starts_with(argv[i], "--socket="))
			ctl->socket = argv[i] + strlen("--socket=");
		if (argv[i][0] != '-')
			plain[n++] = argv[i];
		else
			i += value;
		if (n == 1 || n == 2) { /* "windows" may still become "windows accept" */
			const struct etl_command *found = etl_command_find(n, plain, &used, &err);

			line->command = found ? found : line->command;
		}
	}
	return n;
}

/* In this order: the value of an option, an option, the command's words, its positionals. "windows"
 * is a command and the beginning of another one: both are offered. */
static void complete(struct line *line, char **plain, int n, const char *before)
{
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_command_arg *arg;
	int used = 0;

	if (before && offer_value_of(line, before))
		return;
	if (line->cur[0] == '-') {
		offer_options(line);
		return;
	}
	if (!n) {
		offer_commands(line);
		return;
	}
	line->command = etl_command_find(n, plain, &used, &err);
	if (n == 1)
		offer_second_words(line, plain[0]);
	if (!line->command)
		return;
	arg = positional(line->command, (size_t)(n - used));
	if (arg)
		offer_values(line, arg);
}

/* The status is fine whatever happened: a shell that sees a failure falls back to names of files,
 * which are never what is meant. */
int etlctl_complete(struct etlctl *ctl, int argc, char **argv)
{
	struct line line = {.ctl = ctl, .cur = argc ? argv[argc - 1] : ""};
	char **plain = etl_calloc((size_t)argc + 1, sizeof *plain);
	int n, used = 0;
	struct etl_error err = ETL_ERROR_INIT;

	etl_buf_init(&line.out, 8 * 1024 * 1024);
	n = plain_words(&line, ctl, argc, argv, plain);
	if (n && etl_command_find(n, plain, &used, &err)) {
		const struct etl_command_arg *first = positional(line.command, 0);

		if (n > used && first &&
			(first->type == ETL_ARG_JOB || first->type == ETL_ARG_JOB_OR_RUN))
			line.job = plain[used];
	}
	complete(&line, plain, n, argc > 1 ? argv[argc - 2] : NULL);
	print_out(&line.out);
	etl_buf_fini(&line.out);
	free(plain);
	return EXIT_FINE;
}
