/* SPDX-License-Identifier: MIT
 *
 * The command table. Summaries have no full stop; help texts end with one example or more.
 *
 * Where to look: `access` decides who may (READ: the socket's group; OPERATE: root and
 * the admin group, audited), `more` that a method may answer several times, no `method`
 * that etlctl does it alone. `reply` is Varlink's language for what ctl/README.md tells
 * in full. Help texts are at most 80 columns wide as they are shown, which is why lines
 * of this file may pass 100.
 */
#include "ctl/commands.h"

#include "base/str.h"
#include "ctl/command_args.h"
#include "ctl/message.h"

/* The words of the ledger, in the order of a window's life. */
#define WINDOW_STATES "pending|running|loaded|empty|held|failed|unrecoverable|skipped"

/* --check is local: the daemon's answer is the same, and only the exit status follows
 * from it. */
static const struct etl_command_arg status_args[] = {
	JOB_OPTIONAL,
	{"check", "--check", 0, NULL, ETL_ARG_FLAG, ETL_ARG_LOCAL,
		"exit 7 if a job is late or stale, 1 if one is failing"},
	END,
};
static const struct etl_command_arg no_args[] = {END};
static const struct etl_command_arg graph_args[] = {
	{"job", NULL, 0, "JOB", ETL_ARG_JOB, 0, "only what is tied to this job"},
	{"group", "--group", 0, "GROUP", ETL_ARG_GROUP, 0, "only jobs of this group"},
	END,
};
static const struct etl_command_arg next_args[] = {
	JOB_REQUIRED,
	{"count", "--count", 'n', "N", ETL_ARG_INT, 0, "how many (5)"},
	{"from", "--from", 0, "TIME", ETL_ARG_TIME, 0, "start there instead of now"},
	END,
};
/* PARTITION is a text and no ETL_ARG_PARTITION where JOB|RUN may name a run, which says
 * by itself what job it is of. */
static const struct etl_command_arg why_args[] = {
	{"what", NULL, 0, "JOB|RUN", ETL_ARG_JOB_OR_RUN, ETL_ARG_REQUIRED,
		"a job, or a run: its id, or six characters or more of its beginning or end"},
	{"window", "--window", 0, "TIME", ETL_ARG_TIME, 0, "the job's window that holds this time"},
	{"object", "--object", 0, "NAME", ETL_ARG_TEXT, 0, "the job's object of this name"},
	{"partition", "--partition", 0, "PARTITION", ETL_ARG_TEXT, 0, "of this partition"},
	END,
};
static const struct etl_command_arg simulate_args[] = {
	JOB_OPTIONAL,
	{"from", "--from", 0, "TIME", ETL_ARG_TIME, 0, "slots from here on (now)"},
	{"to", "--to", 0, "TIME", ETL_ARG_TIME, 0, "slots before this (a day later)"},
	{"group", "--group", 0, "GROUP", ETL_ARG_GROUP, 0, "only jobs of this group"},
	{"limit", "--limit", 'n', "N", ETL_ARG_INT, 0, "how many slots are listed (20)"},
	END,
};
/* --window and --from/--to are judged by the method: the table knows types, not which
 * of them fit together. */
static const struct etl_command_arg run_args[] = {
	JOB_REQUIRED,
	{"window", "--window", 0, "START[/END]", ETL_ARG_TEXT, 0, "this window only"},
	{"object", "--object", 0, "NAME", ETL_ARG_TEXT, 0, "objects of this name or pattern only: '*.csv'"},
	{"from", "--from", 0, "TIME", ETL_ARG_TIME, 0, "windows from here on"},
	{"to", "--to", 0, "TIME", ETL_ARG_TIME, 0, "windows that end by then"},
	{"partition", "--partition", 0, "PARTITION", ETL_ARG_PARTITION, 0, "this partition only"},
	{"force", "--force", 0, NULL, ETL_ARG_FLAG, 0, "also if the job is paused"},
	{"wait", "--wait", 0, NULL, ETL_ARG_FLAG, 0, "wait for the end and exit by its result"},
	END,
};
static const struct etl_command_arg runs_args[] = {
	JOB_OPTIONAL,
	{"limit", "--limit", 'n', "N", ETL_ARG_INT, 0, "how many (20)"},
	{"failed", "--failed", 0, NULL, ETL_ARG_FLAG, 0, "only those that did not end well"},
	END,
};
static const struct etl_command_arg show_args[] = {
	{"run_id", NULL, 0, "RUN", ETL_ARG_TEXT, ETL_ARG_REQUIRED,
		"its id, or six characters or more of its beginning or end"},
	END,
};
static const struct etl_command_arg windows_args[] = {
	JOB_REQUIRED,
	{"partition", "--partition", 0, "PARTITION", ETL_ARG_PARTITION, 0, "this partition only"},
	{"state", "--state", 0, "STATE", ETL_ARG_TEXT, 0, "only windows in this state",
		WINDOW_STATES},
	{"from", "--from", 0, "TIME", ETL_ARG_TIME, 0, "windows from here on"},
	{"to", "--to", 0, "TIME", ETL_ARG_TIME, 0, "windows that end by then"},
	{"object", "--object", 0, "NAME", ETL_ARG_TEXT, 0, "objects from this name on: the next page"},
	{"all", "--all", 0, NULL, ETL_ARG_FLAG, 0, "closed ones too"},
	{"stale", "--stale", 0, NULL, ETL_ARG_FLAG, 0,
		"those that another definition made, or that are in another target"},
	END,
};
/* What every final reply begins with: `schema` tells a program which version of the
 * answer it reads. */
#define HEAD "schema: string, generated_at: string"
#define DECISION_REPLY                                                                          \
	"(" HEAD ", job: string, decision: string, partition: string, window: object, "         \
	"state: string, was: object, checks: ?[]object, reason: string, watermark: ?string, "  \
	"change_id: string)"
/* Progress has `job` and `windows` alone. */
#define CHANGE_REPLY                                                                            \
	"(schema: ?string, generated_at: ?string, job: string, windows: int, kind: ?string, "   \
	"dry_run: ?bool, reason: ?string, partitions: ?[]object)"

const struct etl_command etl_commands[] = {
	{
		/* The one command that has to answer whatever is wrong with the daemon:
		 * it reads memory alone. */
		.name = "status",
		.summary = "Health of the daemon and of its jobs",
		.help =
			"Each job has one word: failing, unreachable, config, held, rejecting, stale,\n"
			"late, blocked, paused or ok, and a reason when it is not ok. Times are UTC.\n\n"
			"  etlctl status\n"
			"  etlctl status airqino\n"
			"  etlctl status --check || mail-the-owner\n",
		.access = ETL_ACCESS_READ,
		.method = "Status",
		.reply = "(" HEAD ", daemon: object, jobs: []object)",
		.args = status_args,
	},
	{
		/* What stands in the files, not what happens: `status` has that. */
		.name = "jobs",
		.summary = "What is configured: schedule, source, sink",
		.help = "  etlctl jobs\n"
			"  etlctl -o json jobs | jq -r '.jobs[].name'\n",
		.access = ETL_ACCESS_READ,
		.method = "Jobs",
		.reply = "(" HEAD ", jobs: []object)",
		.args = no_args,
	},
	{
		/* `after` as a tree. JSON has nodes and edges apart, since a job may
		 * wait for several. */
		.name = "graph",
		.summary = "Which job waits for which, with the state of each",
		.help =
			"A job stands below the first job that it waits for; what it waits for right now\n"
			"is told. With JOB: that job, all that it waits for and all that wait for it.\n\n"
			"  etlctl graph\n"
			"  etlctl graph daily\n"
			"  etlctl graph --group stations\n"
			"  etlctl -o json graph | jq -r '.edges[] | .from + \" -> \" + .to'\n",
		.access = ETL_ACCESS_READ,
		.method = "Graph",
		.reply = "(" HEAD ", nodes: []object, edges: []object)",
		.args = graph_args,
	},
	{
		/* Without jitter, so that two hosts show the same slots. */
		.name = "next",
		.summary = "The slots to come of a job's schedule",
		.help = "Slots are shown without jitter.\n\n"
			"  etlctl next airqino -n 3\n"
			"  etlctl next airqino --from 2026-03-29\n",
		.access = ETL_ACCESS_READ,
		.method = "Next",
		.reply = "(" HEAD ", job: string, timezone: string, left_out: ?string, "
			 "slots: []string)",
		.args = next_args,
	},
	{
		/* `more`, for --wait: progress comes as replies of the same call, so
		 * that Ctrl-C ends the call and not the run. */
		.name = "run",
		.summary = "Run a job at once: what is due, or the windows named",
		.help =
			"Without a range the run does whatever is due. A time is a day, or RFC 3339; in\n"
			"window.timezone of the job, or UTC, unless it says otherwise. --wait joins a run\n"
			"that is going (a range waits behind it), waits while etld starts, and exits by\n"
			"the result; Ctrl-C leaves the run alone.\n\n"
			"  etlctl run airqino --wait\n"
			"  etlctl run airqino --window 2026-07-01T10:00Z\n"
			"  etlctl run airqino --from 2026-07-01 --to 2026-07-08 --wait\n"
			"  etlctl run exports --object '/srv/export/2026-07-*.csv'\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "Run",
		.reply =
			"(schema: ?string, generated_at: ?string, run_id: string, job: string, "
			 "state: string, joined: ?bool, step: ?string, partition: ?string, records: ?int, "
			 "windows: ?int, run: ?object)",
		.more = true,
		.args = run_args,
	},
	{
		/* From the metadata: runs of other etlds are listed, too. */
		.name = "runs",
		.summary = "The last runs, newest first",
		.help = "  etlctl runs airqino -n 50\n"
			"  etlctl runs --failed\n",
		.access = ETL_ACCESS_READ,
		.method = "Runs",
		.reply = "(" HEAD ", runs: []object)",
		.args = runs_args,
	},
	{
		/* One document of the runs collection, as it is stored. */
		.name = "show",
		.summary = "One run: steps, partitions, counts, errors",
		.help = "  etlctl show 4f1c2a9b3d5e\n",
		.access = ETL_ACCESS_READ,
		.method = "Show",
		.reply = "(" HEAD ", run: object, decisions: []object)",
		.args = show_args,
	},
	{
		/* Holes and failures by default: a ledger of years has a hundred
		 * thousand entries that are well. */
		.name = "windows",
		.summary = "The ledger of a job: holes, failures, what is to be read again",
		.help =
			"Without --all and --state only windows that want attention are listed:\n"
			"missing, failed, held, or closed and dirty. Stale ones are closed and want\n"
			"nothing: the job has changed since it loaded them (etlctl restate). Of windows\n"
			"in a zone FROM is the local date; START and END are UTC. A job with window:\n"
			"object has a line for each object.\n\n"
			"  etlctl windows airqino\n"
			"  etlctl windows airqino --state failed --from 2026-07-01\n"
			"  etlctl windows airqino --stale\n",
		.access = ETL_ACCESS_READ,
		.method = "Windows",
		.reply = "(" HEAD ", job: string, grid: ?string, truncated: bool, windows: []object, "
			 "summary: []object)",
		.args = windows_args,
	},
	{
		/* The decisions: one window, one reason, audited and undoable. They
		 * have commands of their own instead of options of `run`, because each
		 * closes or opens data for good. */
		.name = "windows accept",
		.summary = "Close one window that failed, as it is: it becomes skipped",
		.help =
			"For a window that can never be loaded, such as one of which every record is\n"
			"refused. Nothing of it goes into the target; no run asks for it any more, and\n"
			"the watermark passes it. The job must not be running. 'etlctl watermark undo'\n"
			"takes it back.\n\n"
			"  etlctl windows accept airqino 2026-07-01T10:00Z --reason 'sensor sent noise'\n"
			"  etlctl windows accept exports /srv/export/x.csv --reason 'cut by its writer'\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "WindowsAccept",
		.reply = DECISION_REPLY,
		.args = decide_args,
	},
	{
		/* Of all jobs at once, because whoever decides wants to see everything
		 * that waits. */
		.name = "held list",
		.summary = "Windows that a check holds back: which one, its value and limit, since when",
		.help =
			"Nothing of a held window is in the target, and each run asks for it again: it\n"
			"is loaded by itself once the check passes. Else somebody decides: held release\n"
			"or held discard.\n\n"
			"  etlctl held list\n"
			"  etlctl held list airqino\n",
		.access = ETL_ACCESS_READ,
		.method = "HeldList",
		.reply = "(" HEAD ", truncated: bool, held: []object)",
		.args = held_args,
	},
	{
		.name = "held release",
		.summary = "Let in what a check holds back, if it is still the same",
		.help =
			"A release counts for the checks that hold the window now (--check: for one of\n"
			"them) and for the content that they held: the next run loads the window if its\n"
			"source gives the same to the byte; if not it is held anew and says so. The job\n"
			"must not be running. 'etlctl watermark undo' takes it back until then.\n\n"
			"  etlctl held release airqino 2026-07-01T10:00Z --reason 'a storm, seen by all'\n"
			"  etlctl run airqino --wait\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "HeldRelease",
		.reply = DECISION_REPLY,
		.args = release_args,
	},
	{
		.name = "held discard",
		.summary = "Close one window that a check holds back, without its records: skipped",
		.help =
			"Nothing of a held window is stored, so nothing is deleted: no run asks for it\n"
			"any more, and the watermark passes it. The job must not be running.\n"
			"'etlctl watermark undo' takes it back.\n\n"
			"  etlctl held discard airqino 2026-07-01T10:00Z --reason 'the sensor fell over'\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "HeldDiscard",
		.reply = DECISION_REPLY,
		.args = decide_args,
	},
	{
		/* The moves: `set` gives windows up, `rewind` asks for them again,
		 * `undo` takes the newest back. All three work slice by slice through
		 * the ledger, hence `more`. */
		.name = "watermark show",
		.summary = "How far each partition of a job is loaded without a gap",
		.help = "  etlctl watermark show airqino\n",
		.access = ETL_ACCESS_READ,
		.method = "WatermarkShow",
		.reply = "(" HEAD ", job: string, watermarks: []object)",
		.args = job_args,
	},
	{
		/* Gives windows up: a reason is a must, and the audit keeps it beside who
		 * did it and when. */
		.name = "watermark set",
		.summary = "Move a watermark on: what is not loaded before TIME is skipped",
		.help =
			"The windows before TIME that are not closed become skipped: no run asks for\n"
			"them any more. Without --partition all partitions move that are not there\n"
			"yet. Needs a time at which a window begins. The job must not be running.\n\n"
			"  etlctl watermark set airqino 2026-07-01 --reason 'sensor was broken'\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "WatermarkSet",
		.reply = CHANGE_REPLY,
		.more = true,
		.args = move_args,
	},
	{
		/* Deletes nothing: what is read again is compared, and what is the same
		 * stays as it is. */
		.name = "watermark rewind",
		.summary = "Move a watermark back: what is loaded since TIME is read again",
		.help =
			"The closed windows from TIME on become pending. The next run reads them and\n"
			"compares document by document; nothing is deleted. Without --partition all\n"
			"partitions move that are beyond TIME. The job must not be running.\n\n"
			"  etlctl watermark rewind airqino 2026-07-01 --reason 'recalibrated' --dry-run\n"
			"  etlctl watermark rewind airqino 2026-07-01 --reason 'recalibrated'\n"
			"  etlctl run airqino --wait\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "WatermarkRewind",
		.reply = CHANGE_REPLY,
		.more = true,
		.args = move_args,
	},
	{
		/* The reason is optional here, since what is taken back has one. */
		.name = "watermark undo",
		.summary = "Take back the newest set, rewind or decision that still stands",
		.help =
			"Windows that no run has loaded since get back the state that they had.\n"
			"Again takes back the one before. Without --partition all partitions of the\n"
			"newest command are meant.\n\n"
			"  etlctl watermark undo airqino\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "WatermarkUndo",
		.reply = CHANGE_REPLY,
		.more = true,
		.args = undo_args,
	},
	{
		/* The audit of the moves and decisions of one job, with what was undone
		 * by what. */
		.name = "watermark history",
		.summary = "Who moved a watermark, when, from where to where and why",
		.help = "Newest first. \"unfinished\": under way, or ended in the middle; the same\n"
			"command again goes on, undo goes back.\n\n"
			"  etlctl watermark history airqino -n 50\n",
		.access = ETL_ACCESS_READ,
		.method = "WatermarkHistory",
		.reply = "(" HEAD ", job: string, changes: []object)",
		.args = history_args,
	},
	{
		/* Refused records are read only: what mends them is a change of the job
		 * or of the source, and a run of their windows. */
		.name = "dead list",
		.summary = "Records that were refused, newest first, with the reason",
		.help =
			"Of all jobs, of a job, of one of its windows, or of a run. A record that is\n"
			"refused again and again is listed once, under the newest run that refused it.\n"
			"Where the list is cut, a count by rule stands above it.\n\n"
			"  etlctl dead list\n"
			"  etlctl dead list airqino -n 100\n"
			"  etlctl dead list airqino --window 2026-07-01T10:00Z\n"
			"  etlctl dead list 4f1c2a9b3d5e\n",
		.access = ETL_ACCESS_READ,
		.method = "DeadList",
		.reply = "(" HEAD ", job: ?string, run_id: ?string, partition: ?string, window: ?object, "
			 "total: int, total_is_least: bool, rules: []object, letters: []object, "
			 "truncated: bool, before: ?string, again: ?string)",
		.args = dead_list_args,
	},
	{
		/* By the beginning of an id: people copy what a list shows of it. */
		.name = "dead show",
		.summary = "One refused record: why, when, and its bytes as they came",
		.help = "Characters that could deceive a reader are shown as '?'; -o json has the text as\n"
			"it is.\n\n"
			"  etlctl dead show 1a2b3c4d5e6f\n"
			"  etlctl -o json dead show 1a2b3c4d5e6f | jq -r .letter.raw\n",
		.access = ETL_ACCESS_READ,
		.method = "DeadShow",
		.reply = "(" HEAD ", letter: object, again: ?string)",
		.args = dead_show_args,
	},
	{
		/* `more`, for --wait, as with run: a backfill may take days. */
		.name = "backfill",
		.summary = "Load the windows of a range in the background, behind live runs",
		.help =
			"In pieces of a request's length; live slots go first, and the watermark stays\n"
			"where it is. `missing` takes windows that were never loaded (skipped ones too),\n"
			"`failed` also those that failed or are held, `stale` what another definition\n"
			"made, `all` compares closed ones with the source again. It goes on after a\n"
			"restart. Windows older than window.retention are given up.\n\n"
			"  etlctl backfill airqino --from 2026-01-01 --to 2026-04-01 --dry-run\n"
			"  etlctl backfill airqino --from 2026-01-01 --order newest --rate 60/m\n"
			"  etlctl backfill airqino --from 2026-03-01 --reprocess all --wait\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "Backfill",
		.reply = "(schema: ?string, generated_at: ?string, dry_run: ?bool, backfill: object, "
			 "survey: ?object)",
		.more = true,
		.args = backfill_args,
	},
	{
		.name = "restate",
		.summary = "Load again what another definition of the job made, or what is elsewhere",
		.help =
			"A backfill of exactly the windows that 'etlctl windows JOB --stale' lists: each\n"
			"is compared record by record and written where it differs; nothing is deleted,\n"
			"and what an older definition or target holds besides stays. What the source no\n"
			"longer keeps (window.retention) stays as it is, and stays stale.\n\n"
			"  etlctl restate airqino --dry-run\n"
			"  etlctl restate airqino --rate 60/m\n"
			"  etlctl restate airqino --from 2026-03-01 --wait\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "Restate",
		.reply = "(schema: ?string, generated_at: ?string, dry_run: ?bool, backfill: object, "
			 "survey: ?object)",
		.more = true,
		.args = restate_args,
	},
	{
		/* Those under way; those that have ended are history, and --all asks
		 * for it. */
		.name = "backfills",
		.summary = "Backfills under way: how far, what they wait for, when they end",
		.help = "  etlctl backfills\n"
			"  etlctl backfills airqino --all\n",
		.access = ETL_ACCESS_READ,
		.method = "Backfills",
		.reply = "(" HEAD ", backfills: []object)",
		.args = backfills_args,
	},
	{
		/* One word for a job, a run and a backfill: whoever wants to stop
		 * something has an id at hand and no time to look up its kind. */
		.name = "cancel",
		.summary = "End a run or a backfill; what it has not loaded stays due",
		.help = "  etlctl cancel airqino\n"
			"  etlctl cancel 4f1c2a9b3d5e\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "Cancel",
		.reply = "(" HEAD ", cancelled: string, id: string, job: string)",
		.args = cancel_args,
	},
	{
		/* For operators, since a hold is what the other side asked for: to end
		 * it early may cost a ban. */
		.name = "host release",
		.summary = "End a host's hold and close its breaker",
		.help = "For a host that asked for too long a wait, or that is known to be well again.\n"
			"Requests that wait for it go on at once.\n\n"
			"  etlctl host release api.example.org\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "HostRelease",
		.reply = "(" HEAD ", host: string, released: bool)",
		.args = host_args,
	},
	{
		/* A job or a group, and the method refuses both and none. */
		.name = "pause",
		.summary = "Stop starting a job; what runs goes on",
		.help = "A pause outlives a restart of the daemon.\n\n"
			"  etlctl pause airqino --reason 'service moves to a new host'\n"
			"  etlctl pause --group stations\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "Pause",
		.reply =
			"(" HEAD ", job: ?string, group: ?string, paused: bool, changed: bool, "
			"jobs: []object, reason: ?string)",
		.args = pause_args,
	},
	{
		/* --from counts slots since then as missed, where they would be skipped
		 * as paused: misfire decides. */
		.name = "resume",
		.summary = "Let a paused job go on; windows missed meanwhile are caught up",
		.help =
			"Slots that the pause kept from running are skipped with that reason, but\n"
			"those since --from count as missed: the job's misfire policy decides. Windows\n"
			"do not depend on slots: the next run loads all that are due.\n\n"
			"  etlctl resume airqino\n"
			"  etlctl resume --group stations\n"
			"  etlctl resume airqino --from 2026-07-01T10:00Z\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "Resume",
		.reply =
			"(" HEAD ", job: ?string, group: ?string, paused: bool, changed: bool, "
			"jobs: []object, reason: ?string)",
		.args = resume_args,
	},
	{
		/* Without a method: it runs the daemon's binary, so that it works when
		 * no daemon does. */
		.name = "config check",
		.summary = "Check the configuration files; needs no daemon",
		.help =
			"Runs the very loader that start and reload run, on FILE and the job files\n"
			"that it names. Without FILE it is the one of the etld that answers, else\n"
			"/etc/etld/etld.yaml. Exit 78 if something is wrong; all errors are shown, and\n"
			"warnings. Credentials and variables that only the unit has are notes here.\n\n"
			"  etlctl config check\n"
			"  etlctl config check ./etld.yaml && etlctl reload\n",
		.access = ETL_ACCESS_READ,
		.args = check_args,
	},
	{
		/* Answers when the files were read; with errors it is ConfigInvalid,
		 * and the old generation stays. */
		.name = "reload",
		.summary = "Load the configuration again; if it is wrong the old one stays",
		.help = "  etlctl reload\n",
		.access = ETL_ACCESS_OPERATE,
		.method = "Reload",
		.reply = "(" HEAD ", generation: int, jobs: int, warnings: []string)",
		.args = no_args,
	},
	{
		/* Together with simulate and metrics: what the daemon knows, told in
		 * sentences, in slots and in numbers. All three only read. */
		.name = "why",
		.summary = "Why a job waits, a run ended so, a window is not loaded; what changes it",
		.help =
			"Tells the reasons, the next thing that will change them, and what to do.\n"
			"Of a job: what it waits for, what it owes, its last run. Of a run: what\n"
			"started it, what was passed over for it, what follows; a record of skipped\n"
			"slots: the rule and its setting. Of a window: its ledger entry, whether it is\n"
			"due, and what blocks it.\n\n"
			"  etlctl why airqino\n"
			"  etlctl why 4f1c2a9b3d5e\n"
			"  etlctl why airqino --window 2026-07-01T10:00Z --partition station=283164601\n"
			"  etlctl why exports --object /srv/export/x.csv\n",
		.access = ETL_ACCESS_READ,
		.method = "Why",
		.reply = "(" HEAD ", subject: string, job: string, run_id: ?string, state: string, "
			 "because: []string, next: ?object, hints: []string)",
		.args = why_args,
	},
	{
		/* Computed in the daemon, because it alone knows the loaded generation
		 * and this host's jitter. */
		.name = "simulate",
		.summary = "Runs to come: slots, clock changes, collisions; nothing is run",
		.help =
			"Computed by the daemon from the configuration that it has loaded, with this\n"
			"host's jitter. Each partition is taken for one request. Paused jobs are left\n"
			"out unless they are named. At most 400 days and 200,000 slots.\n\n"
			"  etlctl simulate\n"
			"  etlctl simulate --from 2026-03-28 --to 2026-03-30 -n 100\n"
			"  etlctl simulate airqino --from 2026-01-01 --to 2027-01-01\n",
		.access = ETL_ACCESS_READ,
		.method = "Simulate",
		.reply = "(" HEAD ", from: string, to: string, jobs: int, paused: int, "
			 "left_out: int, without_slots: int, max_active: int, total: int, cut_at: ?string, "
			 "slots: []object, clocks: []object, clocks_total: int, hosts: []object, "
			 "collisions: []object, collisions_total: int, busiest: []object)",
		.args = simulate_args,
	},
	{
		/* One text and no object: it is Prometheus' own format. */
		.name = "metrics",
		.summary = "Counters of the daemon, as text for Prometheus",
		.help = "etld(8) lists them.\n\n"
			"  etlctl metrics | grep ^etld_slot_lateness\n",
		.access = ETL_ACCESS_READ,
		.method = "Metrics",
		.reply = "(" HEAD ", text: string)",
		.args = no_args,
	},
	{
		/* From here on etlctl needs no daemon (but for the names in completions
		 * and the version). */
		.name = "logs",
		.summary = "What the journal says about a job",
		.help =
			"Runs journalctl with the job's field; journalctl -x adds explanations.\n\n"
			"  etlctl logs airqino -n 50\n"
			"  etlctl logs airqino -f\n",
		.access = ETL_ACCESS_READ,
		.args = logs_args,
	},
	{
		/* For a bug report: both programs, since they may be of two
		 * installations. */
		.name = "version",
		.summary = "Versions of etlctl and of the daemon that answers",
		.help = "  etlctl version\n",
		.access = ETL_ACCESS_READ,
		.method = "Version",
		.reply = "(" HEAD ", version: string, pid: int, started: string, config: string)",
		.args = no_args,
	},
	{
		.name = "help",
		.summary = "This list, or all about one command",
		.help = "  etlctl help run\n",
		.access = ETL_ACCESS_READ,
		.args = help_args,
	},
	{
		.name = "completion",
		.summary = "Print the completion script of a shell",
		.help =
			"make install puts them where the shells look. For one user:\n\n"
			"  etlctl completion bash > ~/.local/share/bash-completion/completions/etlctl\n"
			"  etlctl completion zsh > ~/.zfunc/_etlctl\n"
			"  etlctl completion fish > ~/.config/fish/completions/etlctl.fish\n",
		.access = ETL_ACCESS_READ,
		.args = completion_args,
	},
	/* The end of every walk over the table. */
	{NULL},
};
_Static_assert(sizeof etl_commands / sizeof *etl_commands <= ETL_COMMANDS_MAX + 1, "there is room for all");

/* "io.etld.Control.Run" -> run. sizeof counts the NUL of the interface's name, which takes the
 * place of the dot. */
const struct etl_command *etl_command_by_method(const char *method)
{
	if (!etl_starts_with(method, ETL_CTL_INTERFACE "."))
		return NULL;
	method += sizeof ETL_CTL_INTERFACE;
	ETL_COMMANDS_EACH(command)
		if (command->method && etl_streq(command->method, method))
			return command;
	return NULL;
}
