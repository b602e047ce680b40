/* SPDX-License-Identifier: MIT
 *
 * completion: the script for a shell. It only carries words between the shell and
 * `etlctl __complete` (cmd_complete.c), which knows the commands.
 *
 * Each script passes the words of the line as they are and prints what comes back; a new command
 * needs no new script.
 */
#include "base/str.h"
#include "etlctl/print.h"

/* The shell's own words are not used: it breaks "station=1" and times at their = and : . */
static const char bash[] =
	"# bash completion for etlctl, made by: etlctl completion bash\n"
	"_etlctl() {\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} cur word prefix\n"
	"\tlocal -a words\n"
	"\tread -ra words <<<\"$line\"\n"
	"\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
	"\tcur=${words[-1]}\n"
	"\tprefix=${cur%\"${cur##*[=:]}\"}\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS=$'\\t' read -r word _; do\n"
	"\t\tif [[ $word == :files ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\tmapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\t\telse\n"
	"\t\t\tCOMPREPLY+=(\"${word#\"$prefix\"}\")\n"
	"\t\tfi\n"
	"\tdone < <(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -o nosort -F _etlctl etlctl 2>/dev/null || complete -F _etlctl etlctl\n";

/* (@Q) takes the quotes off: the daemon knows 'station=a b' without them. */
static const char zsh[] =
	"#compdef etlctl\n"
	"# zsh completion for etlctl, made by: etlctl completion zsh\n"
	"_etlctl() {\n"
	"\tlocal word what\n"
	"\tlocal -a names shown\n"
	"\twhile IFS=$'\\t' read -r word what; do\n"
	"\t\tif [[ $word == :files ]]; then\n"
	"\t\t\t_files\n"
	"\t\telse\n"
	"\t\t\tnames+=(\"$word\")\n"
	"\t\t\tshown+=(\"$word${what:+  -- $what}\")\n"
	"\t\tfi\n"
	"\tdone < <(\"${words[1]}\" __complete \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\tcompadd -l -d shown -a names\n"
	"}\n"
	"if [[ $funcstack[1] == _etlctl ]]; then\n"
	"\t_etlctl \"$@\"\n"
	"else\n"
	"\tcompdef _etlctl etlctl\n"
	"fi\n";

/* fish breaks words by itself as this program wants them; a word and its meaning are divided by a
 * tab, as they come. */
static const char fish[] =
	"# fish completion for etlctl, made by: etlctl completion fish\n"
	"function __etlctl_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l cur (commandline -ct)\n"
	"\tfor line in ($words[1] __complete $words[2..-1] \"$cur\" 2>/dev/null)\n"
	"\t\tif test \"$line\" = :files\n"
	"\t\t\t__fish_complete_path \"$cur\"\n"
	"\t\telse\n"
	"\t\t\techo $line\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"complete -c etlctl -f -k -a '(__etlctl_complete)'\n";

/* The table lets nothing but the three shells through. */
static int completion(const struct etlctl *ctl)
{
	const char *shell = etl_json_text(ctl->values, "shell", "");
	ETL_BUF_CLEANUP struct etl_buf out;

	etl_buf_init(&out, 64 * 1024);
	etl_buf_str(&out, etl_streq(shell, "bash") ? bash : etl_streq(shell, "zsh") ? zsh : fish);
	print_out(&out);
	return EXIT_FINE;
}

const struct etlctl_command etlctl_command_completion = {"completion", .run = completion};
