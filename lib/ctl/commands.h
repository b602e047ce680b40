/* SPDX-License-Identifier: MIT
 *
 * The one table of commands. From it come etlctl's dispatch, usage, help and completion, the
 * daemon's dispatch and parameter checks, and the interface text that introspection gives.
 * packaging/doc/HACKING.md tells how a command is added. Static data; any thread.
 */
#ifndef ETL_CTL_COMMANDS_H
#define ETL_CTL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

enum etl_access {
	ETL_ACCESS_READ,    /* the group of the socket */
	ETL_ACCESS_OPERATE, /* root and the admin group; audited */
};

enum etl_arg_type {
	ETL_ARG_TEXT,
	ETL_ARG_JOB,        /* text that names a job */
	ETL_ARG_JOB_OR_RUN, /* ... or is a run's id, or six characters or more of an end of it */
	ETL_ARG_PARTITION, /* of the job: "station=X", "X" or "-" */
	ETL_ARG_GROUP,     /* that some job is in */
	ETL_ARG_TIME,      /* text: "2026-07-01", "2026-07-01T10:00Z", RFC 3339; UTC if no offset */
	ETL_ARG_INT,       /* 1 .. 10000 */
	ETL_ARG_FLAG,      /* an option without a value; a bool on the wire */
};

enum etl_arg_flags {
	ETL_ARG_REQUIRED = 1,
	ETL_ARG_LOCAL = 2, /* for etlctl alone: never on the wire */
};

/* One positional argument or one option. */
struct etl_command_arg {
	const char *wire;	/* the parameter's name; of a local one the key in the values */
	const char *option;	/* "--from"; NULL = positional, in this order */
	char letter;		/* of "-n"; 0 = none */
	const char *value;	/* stands for the value in usage texts: "JOB"; NULL = flag. A
				 * last positional one that ends with "..." takes all words left */
	enum etl_arg_type type;
	unsigned flags;
	const char *help;	/* one line */
	const char *words;	/* the values that are taken, parted by '|'; NULL = any */
};

struct etl_command {
	const char *name;    /* "watermark show" */
	const char *summary; /* one line, no full stop */
	const char *help;    /* what help COMMAND tells, with examples */
	enum etl_access access;
	const char *method;  /* "Status"; NULL = done by etlctl without the daemon */
	const char *reply;   /* the method's answer, in the interface language */
	bool more;	     /* the method may answer several times */
	const struct etl_command_arg *args; /* ends with a row without `wire` */
};

/* In the order of the help; ends with a row without a name. */
extern const struct etl_command etl_commands[];
#define ETL_COMMANDS_MAX 64
#define ETL_COMMANDS_EACH(command)                                                              \
	for (const struct etl_command *command = etl_commands; command->name; command++)

/* By the method's whole name ("io.etld.Control.Run"), or NULL. */
const struct etl_command *etl_command_by_method(const char *method);

/* Which command do the words argv[0..argc) begin with? Its words are counted in *used. NULL
 * with ETL_CONFIG ("ctl.usage") and a did-you-mean if none. */
const struct etl_command *etl_command_find(int argc, char *const *argv, int *used,
	struct etl_error *err);

/* The rest of a command line as values by wire name (job, from, wait ...; text, number, true).
 * NULL with ETL_CONFIG ("ctl.usage"), the message says what and, for options, did-you-mean.
 * Gives the object. Options and arguments may stand in any order; "--" ends the options. */
struct etl_json *etl_command_parse(const struct etl_command *command, int argc,
	char *const *argv, struct etl_error *err);

/* Those of the values that go over the wire. Gives. */
struct etl_json *etl_command_parameters(const struct etl_command *command,
	const struct etl_json *values);

/* "next JOB [-n N] [--from TIME]". */
void etl_command_synopsis(const struct etl_command *command, struct etl_buf *out);

/* The daemon's side: are the parameters (NULL = none) known, there and of their type? Texts
 * are at most 1024 bytes; a JOB's or a TIME's own shape is for the daemon to judge. 0, or -1
 * with ETL_DATA ("ctl.parameter") and *wrong = the parameter's name (static or lent). */
int etl_command_check(const struct etl_command *command, const struct etl_json *parameters,
	const char **wrong, struct etl_error *err);

#endif
