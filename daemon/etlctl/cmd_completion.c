/* SPDX-License-Identifier: MIT
 *
 * completion: a script for bash, made from the command table. Names of jobs are asked live,
 * with a short limit, each time.
 */
#include <string.h>

#include "base/str.h"
#include "etlctl/print.h"

static const char head[] =
	"# bash completion for etlctl, made by: etlctl completion bash\n"
	"_etlctl_jobs() {\n"
	"\ttimeout 0.2 etlctl --color never jobs 2>/dev/null | sed -e 1d -e 's/ .*//'\n"
	"}\n\n"
	"_etlctl() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tlocal command= words= i\n"
	"\tcase $prev in\n"
	"\t-o) words='table json' ;;\n"
	"\t--color) words='auto always never' ;;\n"
	"\t--socket) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n";

static const char find_command[] =
	"\tesac\n"
	"\tif [[ $words ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tcase ${COMP_WORDS[i]} in\n"
	"\t\t-o | --color | --socket) ((i++)) ;;\n"
	"\t\t-*) ;;\n";

static const char tail[] =
	"\tesac\n"
	"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	"}\n"
	"complete -o default -F _etlctl etlctl\n";

/* "a|b|c" as "a b c". */
static void put_words(const char *words, struct etl_buf *out)
{
	for (; *words; words++)
		etl_buf_char(out, *words == '|' ? ' ' : *words);
}

/* The values of options that take one of a few words. */
static void put_option_values(const struct etl_command *command, struct etl_buf *out)
{
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++) {
		if (!arg->option || !arg->words)
			continue;
		etl_buf_printf(out, "\t%s) words='", arg->option);
		put_words(arg->words, out);
		etl_buf_str(out, "' ;;\n");
	}
}

/* Is this the first command in the table that begins with its first word? */
static bool begins_group(int i, size_t *n)
{
	const char *name = etl_command_get((enum etl_command_id)i)->name;

	*n = strcspn(name, " ");
	for (int k = 0; k < i; k++) {
		const char *other = etl_command_get((enum etl_command_id)k)->name;

		if (strncmp(other, name, *n) == 0 && (other[*n] == ' ' || !other[*n]))
			return false;
	}
	return true;
}

static void put_first_words(struct etl_buf *out)
{
	size_t n;

	etl_buf_str(out, "\t\"\") words='");
	for (int i = 0; i < ETL_COMMAND_MAX; i++)
		if (begins_group(i, &n))
			etl_buf_printf(out, "%.*s ", (int)n,
				etl_command_get((enum etl_command_id)i)->name);
	etl_buf_str(out, "--socket -o --color --help --version' ;;\n");
}

/* After "watermark": the second words. */
static void put_second_words(int first, struct etl_buf *out)
{
	const char *name = etl_command_get((enum etl_command_id)first)->name;
	size_t n;

	if (!begins_group(first, &n) || !name[n])
		return;
	etl_buf_printf(out, "\t\"%.*s\") words='", (int)n, name);
	for (int i = first; i < ETL_COMMAND_MAX; i++) {
		const char *other = etl_command_get((enum etl_command_id)i)->name;

		if (strncmp(other, name, n + 1) == 0)
			etl_buf_printf(out, "%s ", other + n + 1);
	}
	etl_buf_str(out, "' ;;\n");
}

/* How a command's words are found on the line. */
static void put_finder(struct etl_buf *out)
{
	size_t n;

	for (int i = 0; i < ETL_COMMAND_MAX; i++) {
		const char *name = etl_command_get((enum etl_command_id)i)->name;

		if (begins_group(i, &n) && name[n])
			etl_buf_printf(out,
				"\t\t%.*s)\n"
				"\t\t\tcommand=${COMP_WORDS[i]}\n"
				"\t\t\t((i + 1 < COMP_CWORD)) && "
				"command+=\" ${COMP_WORDS[i+1]}\"\n"
				"\t\t\tbreak ;;\n",
				(int)n, name);
	}
	etl_buf_str(out, "\t\t*) command=${COMP_WORDS[i]}; break ;;\n"
			 "\t\tesac\n"
			 "\tdone\n"
			 "\tcase $command in\n");
}

/* What may follow the command's own words. */
static void put_command(const struct etl_command *command, struct etl_buf *out)
{
	bool job = false;

	etl_buf_printf(out, "\t\"%s\") words=\"--help", command->name);
	for (const struct etl_command_arg *arg = command->args; arg->wire; arg++) {
		if (arg->option)
			etl_buf_printf(out, " %s", arg->option);
		else if (arg->words)
			etl_buf_char(out, ' ');
		if (!arg->option && arg->words)
			put_words(arg->words, out);
		job |= arg->type == ETL_ARG_JOB;
	}
	etl_buf_printf(out, "%s\" ;;\n", job ? " $(_etlctl_jobs)" : "");
}

int etlctl_completion(const struct etlctl *ctl)
{
	ETL_BUF_CLEANUP struct etl_buf out;

	(void)ctl;
	etl_buf_init(&out, 256 * 1024);
	etl_buf_str(&out, head);
	for (int i = 0; i < ETL_COMMAND_MAX; i++)
		put_option_values(etl_command_get((enum etl_command_id)i), &out);
	etl_buf_str(&out, find_command);
	put_finder(&out);
	put_first_words(&out);
	for (int i = 0; i < ETL_COMMAND_MAX; i++)
		put_second_words(i, &out);
	for (int i = 0; i < ETL_COMMAND_MAX; i++)
		put_command(etl_command_get((enum etl_command_id)i), &out);
	etl_buf_str(&out, tail);
	print_out(&out);
	return EXIT_FINE;
}
