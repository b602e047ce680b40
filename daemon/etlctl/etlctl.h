/* SPDX-License-Identifier: MIT
 *
 * What the files of etlctl share: the options of one call, asking the daemon, and the
 * commands. Data goes to stdout, words to stderr. One thread.
 */
#ifndef ETLD_ETLCTL_H
#define ETLD_ETLCTL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/message.h"

/* Exit statuses (etlctl(1), EXIT STATUS); those of error replies stand in ctl/message.h. */
enum {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3,
	EXIT_REJECTED = 5,
	EXIT_CHECKS = 6,
	EXIT_STALE = 7,
	EXIT_BUSY = 8,
	EXIT_DENIED = 9,
	EXIT_CONFIG = 78,
	EXIT_INTERRUPTED = 130,
};

struct etlctl {
	const char *socket;
	bool json;
	bool color_out;
	bool utf8; /* the locale can show signs */
	size_t columns; /* what a table may take; 0 = no limit */
	const struct etl_command *command;
	const struct etl_json *values; /* of the command line */
};

/* At the end of its file, as `const struct etlctl_command etlctl_command_NAME`: the build finds it
 * there (packaging/registry.sh). */
struct etlctl_command {
	const char *name; /* as in its row of the command table: "watermark show" */
	/* Shows the one reply of the daemon; or all that there is to do, and the exit status. */
	void (*print)(const struct etlctl *ctl, const struct etl_json *reply);
	int (*run)(const struct etlctl *ctl);
};
extern const struct etlctl_command *const etlctl_commands[]; /* ends with NULL */
const struct etlctl_command *etlctl_command_find(const char *name); /* NULL: there is none */

/* cmd_complete.c: what may stand at the end of this line. Sets ctl->socket if the line does. */
int etlctl_complete(struct etlctl *ctl, int argc, char **argv);

void etlctl_help_command(const struct etl_command *command);
void etlctl_help_all(void);

/* ---- call.c ---- */

/* Calls the command's method and reads its one reply. 0, or an exit status after the reason
 * was told on stderr. The caller ends `reply` with etl_ctl_reply_fini. */
int etlctl_call(const struct etlctl *ctl, struct etl_ctl_reply *reply);

/* Most commands: asks, shows the answer as JSON (-o json) or by `print`. An exit status. */
int etlctl_call_and_print(const struct etlctl *ctl,
	void (*print)(const struct etlctl *ctl, const struct etl_json *reply));

/* A question beside the command's own: the one answer to a method (its whole name) within the limit
 * for each of connecting, sending and waiting. NULL without a word: nobody answers in time, or an
 * error. `parameters` are lent, NULL = none; the caller frees the answer. */
struct etl_json *etlctl_ask(const struct etlctl *ctl, const char *method,
	const struct etl_json *parameters, int limit_ms);

/* SIGINT and SIGTERM as a descriptor, for whoever waits. */
int etlctl_open_signals(void);

/* The same in steps, for commands that read several replies. NULL: told, *status is set. */
struct etl_client *etlctl_open(const struct etlctl *ctl, bool more, int *status);
/* The first reply: waits as long as the daemon shows life, a minute at most. */
int etlctl_first_reply(const struct etlctl *ctl, struct etl_client *client,
	struct etl_ctl_reply *reply);
/* Both in one, with `more`: while etld is starting it is asked again and again, for a minute at
 * most or until `signals` has something to read. NULL: told, *status is set. */
struct etl_client *etlctl_open_started(const struct etlctl *ctl, int signals, int *status,
	struct etl_ctl_reply *reply);

/* Tells what went wrong; gives the exit status. */
int etlctl_tell_error(const struct etlctl *ctl, const struct etl_error *err);
int etlctl_tell_reply(const struct etlctl *ctl, const struct etl_ctl_reply *reply);

/* For programs (-o json): an error is one document on stdout, as an answer would be. `hint` and
 * `details` may be NULL. */
void etlctl_print_error(const struct etlctl *ctl, const char *code, const char *message,
	const char *hint, const struct etl_json *details, int status);

/* "etlctl: text" on stderr. */
void etlctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- unit_state.c ---- */

/* What the service manager says about etld.service ("failed (exit-code)"), or NULL when it
 * cannot be asked quickly. Static buffer. */
const char *etlctl_unit_state(void);

/* ---- cmd_run.c ---- */

/* A finished run's state as an exit status. */
int etlctl_run_status(const struct etl_json *run);

#endif
