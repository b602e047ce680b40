/* SPDX-License-Identifier: MIT
 *
 * etlctl: reads the options of every command, finds the command, gives it its values. Links
 * base and ctl only, so that it starts whatever state the rest is in.
 *
 * What a user of any command may rely on: data on stdout and words on stderr, so that a pipe gets
 * nothing but data; with -o json one document on stdout in every case, of an error too; an exit
 * status that says who has to act (etlctl.h). Options of all commands may stand anywhere on the
 * line, before or after the command.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/str.h"
#include "etlctl/etlctl.h"

#define DEFAULT_SOCKET "/run/etld/control"

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct options {
	const char *socket;
	bool json, wide, help, version;
	enum color color;
};

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/* An option wins over the environment. NO_COLOR (no-color.org) wins over CLICOLOR_FORCE: who wants
 * none for sure says so once. stdout alone is asked about, for states are printed there. */
static bool colors(enum color wanted, int fd)
{
	const char *term = getenv("TERM");
	const char *clicolor = getenv("CLICOLOR");

	if (wanted != COLOR_AUTO)
		return wanted == COLOR_ALWAYS;
	if (is_set("NO_COLOR"))
		return false;
	if (is_set("CLICOLOR_FORCE") && !etl_streq(getenv("CLICOLOR_FORCE"), "0"))
		return true;
	return isatty(fd) && !(term && etl_streq(term, "dumb")) &&
		!(clicolor && etl_streq(clicolor, "0"));
}

/* Asked of the locale itself and not by the name of it: "C.UTF-8", "en_US.utf8" and others are
 * many. */
static bool shows_utf8(void)
{
	wchar_t c = 0;
	mbstate_t state = {0};

	return mbrtowc(&c, "\u2714", 3, &state) == 3 && c == 0x2714;
}

/* COLUMNS, else the terminal's own width. A pipe or a file takes whatever comes. */
static size_t room(void)
{
	const char *text = getenv("COLUMNS");
	struct winsize size = {0};
	long columns = text ? strtol(text, NULL, 10) : 0;

	if (columns > 0 && columns < 10000)
		return (size_t)columns;
	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		return size.ws_col;
	return 0;
}

static int set_color(struct options *options, const char *value, struct etl_error *err)
{
	static const char *const words[] = {"auto", "always", "never"};

	for (int i = 0; i < 3; i++)
		if (etl_streq(value, words[i])) {
			options->color = (enum color)i;
			return 0;
		}
	return etl_error_set(err, ETL_CONFIG, "ctl.usage",
		"--color is one of auto, always, never, not \"%.100s\"", value);
}

/* table fits the terminal, wide shows every column, json is for programs. Which one is the default
 * does not depend on where the output goes: a script that was written on a terminal sees the same.
 */
static int set_format(struct options *options, const char *value, struct etl_error *err)
{
	if (!etl_streq(value, "json") && !etl_streq(value, "table") && !etl_streq(value, "wide"))
		return etl_error_set(err, ETL_CONFIG, "ctl.usage",
			"-o is one of table, wide, json, not \"%.100s\"", value);
	options->json = etl_streq(value, "json");
	options->wide = etl_streq(value, "wide");
	return 0;
}

/* The value of `name` at argv[0], as "--name=value", "-ovalue" or the next word; *used words.
 * NULL: it is another option, or (with *used < 0) the value is missing. "-ojson" is taken, as
 * getopt does; "--outputjson" is another option. */
static const char *value_of(const char *name, int argc, char **argv, int *used)
{
	size_t n = strlen(name);
	bool is_long = name[1] == '-';

	*used = 0;
	if (strncmp(argv[0], name, n) != 0)
		return NULL;
	if (!argv[0][n]) {
		*used = argc > 1 ? 2 : -1;
		return argc > 1 ? argv[1] : NULL;
	}
	if (is_long && argv[0][n] != '=')
		return NULL;
	*used = 1;
	return argv[0] + n + is_long;
}

/* One option that every command knows. The words it took, 0 = it is none, -1 = it is wrong. --help
 * and --version end the reading: what stands behind them may be wrong, and help is wanted because
 * of that. */
static int take_option(struct options *options, int argc, char **argv, struct etl_error *err)
{
	static const char *const names[] = {"--socket", "--color", "--output", "-o"};

	if (etl_streq(argv[0], "-h") || etl_streq(argv[0], "--help"))
		options->help = true;
	else if (etl_streq(argv[0], "--version"))
		options->version = true;
	if (options->help || options->version)
		return 1;
	for (int i = 0; i < 4; i++) {
		int used;
		const char *value = value_of(names[i], argc, argv, &used);

		if (used < 0)
			return etl_error_set(err, ETL_CONFIG, "ctl.usage",
				"a value is missing after \"%s\"", names[i]);
		if (!value)
			continue;
		if (i == 0)
			options->socket = value;
		else if ((i == 1 ? set_color : set_format)(options, value, err) < 0)
			return -1;
		return used;
	}
	return 0;
}

/* Takes the common options out of argv, wherever they stand before "--". Returns the words
 * left, or -1. Behind "--" nothing is an option, so that an operator can give a reason that begins
 * with a dash. */
static int take_options(struct options *options, int argc, char **argv, struct etl_error *err)
{
	int left = 0;

	for (int i = 0; i < argc;) {
		int used = 0;

		if (etl_streq(argv[i], "--")) {
			while (i < argc)
				argv[left++] = argv[i++];
			break;
		}
		used = take_option(options, argc - i, argv + i, err);
		if (used < 0)
			return -1;
		if (!used)
			argv[left++] = argv[i++];
		i += used;
	}
	return left;
}

/* The shape of the command that was meant, where one was found; else where to look. For programs
 * the same as a document: the hint without its first word. */
static int tell_usage(const struct etlctl *ctl, const struct etl_error *err)
{
	ETL_BUF_CLEANUP struct etl_buf help;

	etl_buf_init(&help, 4096);
	if (ctl->command) {
		etl_buf_str(&help, "usage: etlctl ");
		etl_command_synopsis(ctl->command, &help);
	} else {
		etl_buf_str(&help, "hint: etlctl help lists the commands");
	}
	etlctl_say("%s", err->message);
	fprintf(stderr, "  %s\n", etl_buf_text(&help));
	etlctl_print_error(ctl, err->code, err->message, strchr(etl_buf_text(&help), ' ') + 1, NULL,
		EXIT_USAGE);
	return EXIT_USAGE;
}

/* A command has a `run` of its own if it does more than ask once and print: follow a run, give way
 * to another program, work without a daemon. */
static int run_command(struct etlctl *ctl, const struct options *options, int argc, char **argv)
{
	struct etl_error err = ETL_ERROR_INIT;
	etl_cleanup(etl_json_free) struct etl_json *values = NULL;
	const struct etlctl_command *code;
	int used = 0;

	ctl->command = etl_command_find(argc, argv, &used, &err);
	if (!ctl->command)
		return tell_usage(ctl, &err);
	if (options->help) {
		etlctl_help_command(ctl->command);
		return EXIT_FINE;
	}
	values = etl_command_parse(ctl->command, argc - used, argv + used, &err);
	if (!values)
		return tell_usage(ctl, &err);
	ctl->values = values;
	code = etlctl_command_find(ctl->command->name);
	return code->run ? code->run(ctl) : etlctl_call_and_print(ctl, code->print);
}

/* What was printed may still not have arrived: a full disk, a closed pipe. */
static int end(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	etlctl_say("the output could not be written");
	return status ? status : EXIT_FAILED;
}

/* SIGPIPE ends the program silently, as `etlctl runs | head` wants it; it may have been ignored by
 * whoever started it. LC_CTYPE is all that is taken from the locale: numbers and words are the same
 * everywhere. */
int main(int argc, char **argv)
{
	struct options options = {.socket = getenv("ETLD_SOCKET")};
	struct etl_error err = ETL_ERROR_INIT;
	struct etlctl ctl = {0};
	int left;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL);
	if (argc > 1 && etl_streq(argv[1], "__complete")) { /* a line that is not finished yet */
		ctl.socket = options.socket && *options.socket ? options.socket : DEFAULT_SOCKET;
		return end(etlctl_complete(&ctl, argc - 2, argv + 2));
	}
	left = take_options(&options, argc - 1, argv + 1, &err);
	ctl.json = options.json;
	if (left < 0)
		return end(tell_usage(&ctl, &err));
	if (options.version) {
		puts("etlctl " ETL_VERSION);
		return end(EXIT_FINE);
	}
	if (options.help && !left) {
		etlctl_help_all();
		return end(EXIT_FINE);
	}
	ctl.socket = options.socket && *options.socket ? options.socket : DEFAULT_SOCKET;
	ctl.color_out = colors(options.color, STDOUT_FILENO);
	ctl.utf8 = shows_utf8();
	ctl.columns = options.wide ? 0 : room();
	return end(run_command(&ctl, &options, left, argv + 1));
}
