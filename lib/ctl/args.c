/* SPDX-License-Identifier: MIT
 *
 * Command lines into values, and parameters judged, both by the rows of the command table.
 *
 * One table judges both ends. etlctl parses a command line by it and sends what it got;
 * the daemon checks what arrives by the same rows, as if it had never seen an etlctl:
 * varlinkctl, a script or a newer client speak to it as well.
 *   etlctl run airqino --window=2026-07-01T10:00Z --wait
 *   ->  {"job": "airqino", "window": "2026-07-01T10:00Z", "wait": true}
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "ctl/commands.h"

/* 10,000 rows are more than a terminal shows and a message of 16 MiB holds; 1,024 bytes
 * are a long reason, not a file; no command has more than 16 options. */
enum { INT_ARG_MAX = 10000, TEXT_ARG_MAX = 1024, OPTIONS_MAX = 16, NAME_MAX_BYTES = 64 };

/* Always the word itself in quotes: a mistake is often an invisible one (a dash that is
 * no '-'). */
static int usage(struct etl_error *err, const char *what, const char *word)
{
	return etl_error_set(err, ETL_CONFIG, "ctl.usage", "%s \"%.200s\"", what, word);
}

static int usage_near(struct etl_error *err, const char *what, const char *word,
	const char *near)
{
	if (!near)
		return usage(err, what, word);
	return etl_error_set(err, ETL_CONFIG, "ctl.usage",
		"%s \"%.200s\": did you mean \"%s\"?", what, word, near);
}

/*   next JOB [-n N] [--from TIME]     run JOB [--window START[/END]] ... [--wait]
 * A letter stands for its long option where there is one, as in manuals. */
void etl_command_synopsis(const struct etl_command *command, struct etl_buf *out)
{
	etl_buf_str(out, command->name);
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++) {
		bool optional = !(arg->flags & ETL_ARG_REQUIRED);

		etl_buf_str(out, optional ? " [" : " ");
		if (arg->letter)
			etl_buf_printf(out, "-%c", arg->letter);
		else if (arg->option)
			etl_buf_str(out, arg->option);
		if (arg->value)
			etl_buf_printf(out, "%s%s", arg->option ? " " : "", arg->value);
		if (optional)
			etl_buf_char(out, ']');
	}
}

/* ---- which command ---------------------------------------------------------------------- */

/* How many of argv's words spell the name, 0 if they do not.
 * "watermark show" and argv "watermark" "show" "airqino": 2. "watermark" "set": 0. Words of argv
 * are compared whole, so "water" matches nothing. */
static int words_matched(const char *name, int argc, char *const *argv)
{
	for (int i = 0; i < argc; i++) {
		size_t n = strlen(argv[i]);

		if (strncmp(name, argv[i], n) != 0)
			return 0;
		if (!name[n])
			return i + 1;
		if (name[n] != ' ')
			return 0;
		name += n + 1;
	}
	return 0;
}

/* "watermark" when the words begin as "watermark show" does and stop there. */
static const char *begun(const char *word)
{
	size_t n = strlen(word);

	ETL_COMMANDS_EACH(command)
		if (strncmp(command->name, word, n) == 0 && command->name[n] == ' ')
			return command->name;
	return NULL;
}

/* All that may follow it: "show, set, undo".
 * For "watermark" alone: "show, set, rewind, undo, history", in the order of the help. */
static char *second_words(const char *word)
{
	size_t n = strlen(word);
	struct etl_buf text;

	etl_buf_init(&text, 4096);
	ETL_COMMANDS_EACH(command)
		if (strncmp(command->name, word, n) == 0 && command->name[n] == ' ')
			etl_buf_printf(&text, "%s%s", text.len ? ", " : "", command->name + n + 1);
	return etl_buf_take(&text);
}

/* Both words first: "watermark shwo" is nearer to "watermark show" than "watermark" to
 * anything. */
static const char *nearest_command(const char *one, const char *two)
{
	etl_cleanup(free) char *both = two ? etl_strf("%s %s", one, two) : NULL;
	const char *names[ETL_COMMANDS_MAX], *near = NULL;
	size_t n = 0;

	ETL_COMMANDS_EACH(command)
		names[n++] = command->name;
	if (both)
		near = etl_nearest(both, names, n);
	return near ? near : etl_nearest(one, names, n);
}

const struct etl_command *etl_command_find(int argc, char *const *argv, int *used,
	struct etl_error *err)
{
	/* An option is no second word of a command. */
	const char *two = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
	const struct etl_command *found = NULL;
	const char *whole;

	if (!argc) {
		etl_error_set(err, ETL_CONFIG, "ctl.usage", "a command is missing");
		return NULL;
	}
	ETL_COMMANDS_EACH(command) {
		int n = words_matched(command->name, argc, argv);

		/* The longest name wins, whatever the order of the table. */
		if (n && (!found || n > *used)) { /* "windows accept" is not "windows" */
			*used = n;
			found = command;
		}
	}
	if (found)
		return found;
	/* Three ways to be wrong, three answers: "watermark" alone lists what may
	 * follow, "watermark shwo" has a nearest command, and "frobnicate" has none. */
	whole = begun(argv[0]);
	if (whole && !two) {
		etl_cleanup(free) char *words = second_words(argv[0]);

		etl_error_set(err, ETL_CONFIG, "ctl.usage", "\"%.64s\" wants another word: %s",
			argv[0], words);
	} else {
		etl_cleanup(free) char *both =
			whole ? etl_strf("%.64s %.64s", argv[0], two) : NULL;
		const char *near = nearest_command(argv[0], two);

		usage_near(err, "unknown command", both ? both : argv[0],
			whole && !near ? whole : near);
	}
	return NULL;
}

/* ---- a command line --------------------------------------------------------------------- */

/* `words` is "oldest|newest": compared between the bars, and the empty word is none of
 * them. */
static bool is_one_of(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (const char *p = words;; p++) {
		if (n && strcspn(p, "|") == n && strncmp(p, word, n) == 0)
			return true;
		p += strcspn(p, "|");
		if (!*p)
			return false;
	}
}

static const char *name_of(const struct etl_command_arg *arg)
{
	return arg->option ? arg->option : arg->value;
}

/* Values go into one object by their names on the wire: text as text, N as a number, a flag as
 * true. What is kept here is what the daemon gets, so nothing has to be converted a second time. */
static int add_value(struct etl_json *values, const struct etl_command_arg *arg,
	const char *text, struct etl_error *err)
{
	int64_t number;

	/* Neither the first nor the last of two values can be known to be meant. */
	if (etl_json_get(values, arg->wire))
		return usage(err, "given twice:", name_of(arg));
	if (arg->type == ETL_ARG_FLAG) {
		etl_json_add_bool(values, arg->wire, true);
		return 0;
	}
	if (arg->type == ETL_ARG_INT) {
		if (!etl_parse_int64(text, &number) || number < 1 || number > INT_ARG_MAX)
			return etl_error_set(err, ETL_CONFIG, "ctl.usage",
				"%s wants a number from 1 to %d, not \"%.100s\"", name_of(arg),
				INT_ARG_MAX, text);
		etl_json_add_int(values, arg->wire, number);
		return 0;
	}
	/* An empty value is most often a variable of a script that was not set: `--from
	 * "$SINCE"`. */
	if (!*text || strlen(text) > TEXT_ARG_MAX ||
		etl_utf8_check(text, strlen(text)) != strlen(text))
		return etl_error_set(err, ETL_CONFIG, "ctl.usage",
			"%s wants 1 to %d bytes of UTF-8 text", name_of(arg), TEXT_ARG_MAX);
	if (arg->words && !is_one_of(text, arg->words))
		return etl_error_set(err, ETL_CONFIG, "ctl.usage",
			"%s is one of %s, not \"%.100s\"", name_of(arg), arg->words, text);
	etl_json_add_text(values, arg->wire, text);
	return 0;
}

/* The option that `word` names ("--from", "--from=..." or "-n"); *inlined = what follows.
 * "--from", "--from=X", "-n", "-n5". A letter cannot be joined with others ("-fn"): there are so
 * few that nobody needs it, and a value that begins with a letter would be ambiguous. */
static const struct etl_command_arg *find_option(const struct etl_command *command,
	const char *word, const char **inlined)
{
	size_t n = strcspn(word, "=");

	*inlined = word[n] ? word + n + 1 : NULL;
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++) {
		if (!arg->option)
			continue;
		if (word[1] != '-') {
			if (arg->letter && word[1] == arg->letter) {
				*inlined = word[2] ? word + 2 : NULL; /* -n5 */
				return arg;
			}
		} else if (strlen(arg->option) == n && strncmp(arg->option, word, n) == 0) {
			return arg;
		}
	}
	return NULL;
}

/* The nearest of this command's own options: "--form" is told of "--from" where there
 * is one. */
static int unknown_option(const struct etl_command *command, const char *word,
	struct etl_error *err)
{
	const char *options[OPTIONS_MAX];
	size_t n = 0;

	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++)
		if (arg->option && n < OPTIONS_MAX)
			options[n++] = arg->option;
	return usage_near(err, "unknown option", word, etl_nearest(word, options, n));
}

/* Takes one option and its value. The number of words used, or -1.
 * The value may begin with a dash: `--partition -` names the partition of a job that
 * has none. */
static int take_option(const struct etl_command *command, int argc, char *const *argv,
	struct etl_json *values, struct etl_error *err)
{
	const char *inlined;
	const struct etl_command_arg *arg = find_option(command, argv[0], &inlined);
	bool flag = arg && arg->type == ETL_ARG_FLAG;

	if (!arg)
		return unknown_option(command, argv[0], err);
	if (flag && inlined)
		return usage(err, "this option takes no value:", argv[0]);
	if (!flag && !inlined && argc < 2)
		return usage(err, "a value is missing after", argv[0]);
	if (add_value(values, arg, inlined ? inlined : flag ? "" : argv[1], err) < 0)
		return -1;
	return flag || inlined ? 1 : 2;
}

/* 64 KiB cut nothing that a command line can hold in practice; what is longer is cut at
 * a word. */
static char *join(int argc, char *const *argv)
{
	struct etl_buf text;

	etl_buf_init(&text, 64 * 1024);
	for (int i = 0; i < argc; i++) {
		etl_buf_str(&text, i ? " " : "");
		etl_buf_str(&text, argv[i]);
	}
	return etl_buf_take(&text);
}

/* Takes a positional argument. The number of words used, or -1.
 * Positions are filled in the order of the table, wherever options stand between them. One whose
 * value ends with "..." takes all the rest as one text: help watermark show -> "watermark show". */
static int take_word(const struct etl_command_arg **next, int argc, char *const *argv,
	struct etl_json *values, struct etl_error *err)
{
	const struct etl_command_arg *arg = *next;

	while (arg->wire && arg->option)
		arg++;
	if (!arg->wire)
		return usage(err, "one argument too many:", argv[0]);
	*next = arg + 1;
	if (strstr(arg->value, "...")) {
		etl_cleanup(free) char *all = join(argc, argv);

		return add_value(values, arg, all, err) < 0 ? -1 : argc;
	}
	return add_value(values, arg, argv[0], err) < 0 ? -1 : 1;
}

/* Last, when all words are known: the message names what is missing and not what came
 * instead. */
static int check_required(const struct etl_command *command, const struct etl_json *values,
	struct etl_error *err)
{
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++)
		if ((arg->flags & ETL_ARG_REQUIRED) && !etl_json_get(values, arg->wire))
			return etl_error_set(err, ETL_CONFIG, "ctl.usage", "%s is missing",
				name_of(arg));
	return 0;
}

struct etl_json *etl_command_parse(const struct etl_command *command, int argc,
	char *const *argv, struct etl_error *err)
{
	etl_cleanup(etl_json_free) struct etl_json *values = etl_json_object();
	const struct etl_command_arg *next = command->args;
	bool options = true;

	while (argc) {
		int used;

		if (options && etl_streq(argv[0], "--")) {
			options = false;
			used = 1;
		} else if (options && argv[0][0] == '-' && argv[0][1]) {
			/* A dash alone is a word, the name of the one unit of a job
			 * without windows. */
			used = take_option(command, argc, argv, values, err);
		} else {
			used = take_word(&next, argc, argv, values, err);
		}
		if (used < 0)
			return NULL;
		argc -= used;
		argv += used;
	}
	return check_required(command, values, err) < 0 ? NULL : ETL_TAKE(values);
}

/* What is local (follow, lines, the file of `config check`) never leaves etlctl: the
 * daemon would refuse it as unknown. */
struct etl_json *etl_command_parameters(const struct etl_command *command,
	const struct etl_json *values)
{
	struct etl_json *parameters = etl_json_object();

	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++) {
		const struct etl_json *value = etl_json_get(values, arg->wire);

		if (value && !(arg->flags & ETL_ARG_LOCAL))
			etl_json_add_item(parameters, arg->wire, etl_json_copy(value));
	}
	return parameters;
}

/* ---- parameters from a peer ------------------------------------------------------------- */

static const struct etl_command_arg *find_wire(const struct etl_command *command,
	const char *name)
{
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++)
		if (etl_streq(arg->wire, name) && !(arg->flags & ETL_ARG_LOCAL))
			return arg;
	return NULL;
}

/* Types are those of JSON, without guessing: "5" is no number here, 1 is no true. */
static int check_one(const struct etl_command_arg *arg, const struct etl_json *value,
	struct etl_error *err)
{
	enum etl_json_type wanted = arg->type == ETL_ARG_INT ? ETL_JSON_NUMBER :
		arg->type == ETL_ARG_FLAG			     ? ETL_JSON_BOOL :
								       ETL_JSON_TEXT;
	int64_t number = etl_json_as_int(value, 0);
	const char *text = etl_json_as_text(value, "");

	if (etl_json_type(value) != wanted)
		return etl_error_set(err, ETL_DATA, "ctl.parameter",
			"parameter \"%s\" is not %s", arg->wire, etl_json_type_name(wanted));
	if (wanted == ETL_JSON_NUMBER && (number < 1 || number > INT_ARG_MAX))
		return etl_error_set(err, ETL_DATA, "ctl.parameter",
			"parameter \"%s\" is not from 1 to %d", arg->wire, INT_ARG_MAX);
	if (wanted == ETL_JSON_TEXT && (!*text || strlen(text) > TEXT_ARG_MAX))
		return etl_error_set(err, ETL_DATA, "ctl.parameter",
			"parameter \"%s\" has not 1 to %d bytes", arg->wire, TEXT_ARG_MAX);
	if (arg->words && !is_one_of(text, arg->words))
		return etl_error_set(err, ETL_DATA, "ctl.parameter",
			"parameter \"%s\" is one of %s", arg->wire, arg->words);
	return 0;
}

/* Unknown names are refused and not passed over: a misspelt "partiton" would otherwise
 * widen a command to all partitions. */
int etl_command_check(const struct etl_command *command, const struct etl_json *parameters,
	const char **wrong, struct etl_error *err)
{
	ETL_JSON_EACH(value, parameters) {
		const struct etl_command_arg *arg = find_wire(command, etl_json_key(value));

		*wrong = etl_json_key(value);
		if (!arg)
			return etl_error_set(err, ETL_DATA, "ctl.parameter",
				"%s takes no parameter \"%.*s\"", command->method,
				NAME_MAX_BYTES, etl_json_key(value));
		/* null means absent: Varlink's encoders send it for what is not set */
		if (etl_json_type(value) != ETL_JSON_NULL && check_one(arg, value, err) < 0)
			return -1;
	}
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++) {
		enum etl_json_type type = etl_json_type(etl_json_get(parameters, arg->wire));

		if ((arg->flags & ETL_ARG_REQUIRED) && type <= ETL_JSON_NULL) {
			*wrong = arg->wire;
			return etl_error_set(err, ETL_DATA, "ctl.parameter",
				"parameter \"%s\" is missing", arg->wire);
		}
	}
	return 0;
}
