/* SPDX-License-Identifier: MIT
 *
 * Arguments of commands: of those that steer, and what several commands share. A part of the
 * table in commands.c, which alone includes this.
 */
#ifndef ETL_CTL_COMMAND_ARGS_H
#define ETL_CTL_COMMAND_ARGS_H

#include "ctl/commands.h"

#define JOB_OPTIONAL {"job", NULL, 0, "JOB", ETL_ARG_JOB, 0, "only this job"}
#define JOB_REQUIRED {"job", NULL, 0, "JOB", ETL_ARG_JOB, ETL_ARG_REQUIRED, "the job"}
#define END	     {NULL}

static const struct etl_command_arg job_args[] = {JOB_REQUIRED, END};
#define PARTITION                                                                                  \
	{"partition", "--partition", 0, "PARTITION", ETL_ARG_PARTITION, 0, "this partition only"}
#define DRY_RUN                                                                                    \
	{"dry_run", "--dry-run", 0, NULL, ETL_ARG_FLAG, 0, "show what would happen, change nothing"}

static const struct etl_command_arg move_args[] = {
	JOB_REQUIRED,
	{"time", NULL, 0, "TIME", ETL_ARG_TIME, ETL_ARG_REQUIRED, "where a window begins"},
	PARTITION,
	{"reason", "--reason", 0, "TEXT", ETL_ARG_TEXT, ETL_ARG_REQUIRED,
		"why, for those who ask later"},
	DRY_RUN,
	END,
};
/* WINDOW: a time in it, an object's name, or "-" for the one unit of a job without windows. */
#define WINDOW_OF_ONE {"window", NULL, 0, "WINDOW", ETL_ARG_TEXT, ETL_ARG_REQUIRED, \
	"a time in the window; an object's name; - if the job has no windows"}
#define PARTITION_OF_ONE {"partition", "--partition", 0, "PARTITION", ETL_ARG_PARTITION, 0, \
	"of this partition; a must if the job has several"}
#define REASON_MUST {"reason", "--reason", 0, "TEXT", ETL_ARG_TEXT, ETL_ARG_REQUIRED, \
	"why, for those who ask later"}

static const struct etl_command_arg decide_args[] = {
	JOB_REQUIRED, WINDOW_OF_ONE, PARTITION_OF_ONE, REASON_MUST, END,
};
static const struct etl_command_arg release_args[] = {
	JOB_REQUIRED, WINDOW_OF_ONE, PARTITION_OF_ONE, REASON_MUST,
	{"check", "--check", 0, "NAME", ETL_ARG_TEXT, 0,
		"of this check alone: range, or 'range FIELD' (of all that hold it)"},
	END,
};
static const struct etl_command_arg held_args[] = {
	JOB_OPTIONAL,
	{"limit", "--limit", 'n', "N", ETL_ARG_INT, 0, "how many (200)"},
	END,
};
static const struct etl_command_arg undo_args[] = {
	JOB_REQUIRED,
	PARTITION,
	{"reason", "--reason", 0, "TEXT", ETL_ARG_TEXT, 0, "why, for those who ask later"},
	DRY_RUN,
	END,
};
static const struct etl_command_arg history_args[] = {
	JOB_REQUIRED,
	PARTITION,
	{"limit", "--limit", 'n', "N", ETL_ARG_INT, 0, "how many (20)"},
	END,
};
static const struct etl_command_arg dead_list_args[] = {
	{"what", NULL, 0, "JOB|RUN", ETL_ARG_JOB_OR_RUN, 0,
		"of a job, or of a run: its id, or six characters or more of its beginning or end"},
	{"window", "--window", 0, "TIME", ETL_ARG_TIME, 0,
		"of the job's window that holds this time"},
	{"partition", "--partition", 0, "PARTITION", ETL_ARG_PARTITION, 0,
		"of this partition of the job"},
	{"limit", "--limit", 'n', "N", ETL_ARG_INT, 0, "how many (20)"},
	{"before", "--before", 0, "ID", ETL_ARG_TEXT, 0, "go on behind this one: the next page"},
	END,
};
static const struct etl_command_arg dead_show_args[] = {
	{"letter", NULL, 0, "ID", ETL_ARG_TEXT, ETL_ARG_REQUIRED,
		"its id, or as much of its beginning as no other one has"},
	END,
};
static const struct etl_command_arg backfill_args[] = {
	JOB_REQUIRED,
	{"from", "--from", 0, "TIME", ETL_ARG_TIME, 0, "windows from here on (window.start)"},
	{"to", "--to", 0, "TIME", ETL_ARG_TIME, 0, "windows that end by then (now)"},
	PARTITION,
	{"order", "--order", 0, "ORDER", ETL_ARG_TEXT, 0, "which end first (oldest)",
		"oldest|newest"},
	{"rate", "--rate", 0, "RATE", ETL_ARG_TEXT, 0, "windows in a time at the most: 60/m"},
	{"reprocess", "--reprocess", 0, "WHICH", ETL_ARG_TEXT, 0, "which windows (missing)",
		"missing|failed|stale|all"},
	{"dry_run", "--dry-run", 0, NULL, ETL_ARG_FLAG, 0, "count them, load nothing"},
	{"wait", "--wait", 0, NULL, ETL_ARG_FLAG, 0, "follow it to its end and exit by its result"},
	END,
};
static const struct etl_command_arg restate_args[] = {
	JOB_REQUIRED,
	{"from", "--from", 0, "TIME", ETL_ARG_TIME, 0, "windows from here on (window.start)"},
	{"to", "--to", 0, "TIME", ETL_ARG_TIME, 0, "windows that end by then (now)"},
	PARTITION,
	{"rate", "--rate", 0, "RATE", ETL_ARG_TEXT, 0, "windows in a time at the most: 60/m"},
	{"dry_run", "--dry-run", 0, NULL, ETL_ARG_FLAG, 0, "count them, load nothing"},
	{"wait", "--wait", 0, NULL, ETL_ARG_FLAG, 0, "follow it to its end and exit by its result"},
	END,
};
static const struct etl_command_arg backfills_args[] = {
	JOB_OPTIONAL,
	{"limit", "--limit", 'n', "N", ETL_ARG_INT, 0, "how many (20)"},
	{"all", "--all", 0, NULL, ETL_ARG_FLAG, 0, "those that have ended too"},
	END,
};
static const struct etl_command_arg cancel_args[] = {
	{"id", NULL, 0, "JOB|RUN|BACKFILL", ETL_ARG_TEXT, ETL_ARG_REQUIRED,
		"a job (its run), a run or a backfill; six characters of an id are enough"},
	END,
};
static const struct etl_command_arg host_args[] = {
	{"host", NULL, 0, "HOST", ETL_ARG_TEXT, ETL_ARG_REQUIRED,
		"as status shows it: api.example.org or api.example.org:8443"},
	END,
};
static const struct etl_command_arg pause_args[] = {
	{"job", NULL, 0, "JOB", ETL_ARG_JOB, 0, "the job"},
	{"group", "--group", 0, "GROUP", ETL_ARG_GROUP, 0, "all jobs of this group"},
	{"reason", "--reason", 0, "TEXT", ETL_ARG_TEXT, 0, "why, for those who ask later"},
	END,
};
static const struct etl_command_arg resume_args[] = {
	{"job", NULL, 0, "JOB", ETL_ARG_JOB, 0, "the job"},
	{"group", "--group", 0, "GROUP", ETL_ARG_GROUP, 0, "all jobs of this group"},
	{"from", "--from", 0, "TIME", ETL_ARG_TIME, 0,
		"slots since then count as missed (misfire decides)"},
	END,
};
static const struct etl_command_arg check_args[] = {
	{"file", NULL, 0, "FILE", ETL_ARG_TEXT, ETL_ARG_LOCAL, "the main configuration file"},
	END,
};
static const struct etl_command_arg logs_args[] = {
	{"job", NULL, 0, "JOB", ETL_ARG_JOB, ETL_ARG_REQUIRED | ETL_ARG_LOCAL, "the job"},
	{"follow", "--follow", 'f', NULL, ETL_ARG_FLAG, ETL_ARG_LOCAL, "go on as lines arrive"},
	{"lines", "--lines", 'n', "N", ETL_ARG_INT, ETL_ARG_LOCAL,
		"how many of the last lines"},
	END,
};
static const struct etl_command_arg help_args[] = {
	{"command", NULL, 0, "COMMAND...", ETL_ARG_TEXT, ETL_ARG_LOCAL, "the command"},
	END,
};
static const struct etl_command_arg completion_args[] = {
	{"shell", NULL, 0, "SHELL", ETL_ARG_TEXT, ETL_ARG_REQUIRED | ETL_ARG_LOCAL,
		"the shell", "bash|zsh|fish"},
	END,
};

#endif
