/* SPDX-License-Identifier: MIT
 *
 * help: printed from the command table.
 *
 * Nothing about a command is written twice: the synopsis, the words about each argument and the
 * examples stand in its row (lib/ctl/commands.c), from which the daemon's checks and the completion
 * come too.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "etlctl/print.h"

/* The statuses stand here because scripts are written with this page open. */
void etlctl_help_all(void)
{
	printf("Usage: etlctl [OPTION...] COMMAND\n\n"
	       "Queries and controls etld over its control socket.\n\n"
	       "  etlctl status\n"
	       "  etlctl run airqino --wait\n\n"
	       "Commands:\n");
	ETL_COMMANDS_EACH(command)
		printf("  %-19s%s\n", command->name, command->summary);
	printf("\nOptions:\n"
	       "  --socket PATH   the control socket (ETLD_SOCKET, /run/etld/control)\n"
	       "  -o FORMAT       table, wide or json\n"
	       "  --color WHEN    auto, always or never\n"
	       "  -h, --help      this; after a command: about the command\n"
	       "  --version       the version of etlctl\n\n"
	       "Exit: 0 ok, 1 failed, 2 usage, 3 daemon down, 4 no such job, run or window,\n"
	       "5 partly rejected, 6 checks failed, 7 stale or late, 8 busy, 9 not permitted,\n"
	       "78 bad configuration, 130 interrupted. More: etlctl(1)\n");
}

/* "-n, --limit N" on the left. What the words of a value may be stands behind what it means. */
static void put_arg(const struct etl_command_arg *arg, struct etl_buf *out)
{
	char letter[8] = "";
	etl_cleanup(free) char *left = NULL;

	if (arg->letter)
		snprintf(letter, sizeof letter, "-%c, ", arg->letter);
	left = etl_strf("%s%s%s%s", letter, arg->option ? arg->option : "",
		arg->option && arg->value ? " " : "", arg->value ? arg->value : "");
	etl_buf_printf(out, "  %-24s%s%s%s\n", left, arg->help, arg->words ? ": " : "",
		arg->words ? arg->words : "");
}

/* Broken between arguments, never inside "[--from TIME]". 96 columns whatever the terminal has:
 * help reads the same in a pipe, in a bug report and here. */
static void put_usage(const struct etl_command *command, struct etl_buf *out)
{
	static const char begin[] = "Usage: etlctl ";
	enum { WIDTH = 96 };
	ETL_BUF_CLEANUP struct etl_buf synopsis;
	size_t column = sizeof begin - 1;

	etl_buf_init(&synopsis, 4096);
	etl_command_synopsis(command, &synopsis);
	etl_buf_str(out, begin);
	for (const char *p = etl_buf_text(&synopsis); *p; p += strspn(p, " ")) {
		size_t n = *p == '[' ? strcspn(p, "]") + 1 : strcspn(p, " ");
		bool first = column == sizeof begin - 1;

		if (!first && column + 1 + n > WIDTH) {
			etl_buf_printf(out, "\n%*s", (int)sizeof begin - 1, "");
			column = sizeof begin - 1;
		} else if (!first) {
			etl_buf_char(out, ' ');
			column++;
		}
		etl_buf_append(out, p, n);
		column += n;
		p += n;
	}
}

/* "(root and the admin group)" tells who would be refused before he tries. */
void etlctl_help_command(const struct etl_command *command)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024);
	put_usage(command, &out);
	etl_buf_printf(&out, "\n\n%s%s.\n\n%s", command->summary,
		command->access == ETL_ACCESS_OPERATE ? " (root and the admin group)" : "",
		command->help);
	if (command->args->wire)
		etl_buf_char(&out, '\n');
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++)
		put_arg(arg, &out);
	print_out(&out);
}

/* "help watermark show": the words stand in one value. Four words are more than any command has. A
 * word too many is a command that is not known: "help status now" must not explain `status`. */
static const struct etl_command *find(const char *words, struct etl_error *err)
{
	etl_cleanup(free) char *copy = etl_strdup(words);
	char *argv[4];
	int argc = 0, used = 0;
	const struct etl_command *command;

	for (char *p = copy; p && argc < 4; argc++) {
		argv[argc] = p;
		p = strchr(p, ' ');
		if (p)
			*p++ = '\0';
	}
	command = etl_command_find(argc, argv, &used, err);
	if (command && used < argc) {
		etl_error_set(err, ETL_CONFIG, "ctl.usage", "unknown command \"%s\"", words);
		return NULL;
	}
	return command;
}

/* An unknown command is a usage error, told as anywhere else, with the nearest name. */
static int help(const struct etlctl *ctl)
{
	const char *words = etl_json_text(ctl->values, "command", NULL);
	struct etl_error err = ETL_ERROR_INIT;
	const struct etl_command *command;

	if (!words) {
		etlctl_help_all();
		return EXIT_FINE;
	}
	command = find(words, &err);
	if (!command)
		return etlctl_tell_error(ctl, &err);
	etlctl_help_command(command);
	return EXIT_FINE;
}

const struct etlctl_command etlctl_command_help = {"help", .run = help};
