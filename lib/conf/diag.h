/* SPDX-License-Identifier: MIT
 *
 * Configuration errors, and what is worth a word without being one: collected, all of all files in
 * one pass, then printed as
 *
 *   error[E012]: unknown key 'shedule' in job 'airqino'
 *     --> /etc/etld/jobs.d/airqino.yaml:2:1
 *      2 | shedule: "@hourly"
 *        | ^^^^^^^ did you mean 'schedule'?
 *     help: etlctl schema job
 */
#ifndef ETL_CONF_DIAG_H
#define ETL_CONF_DIAG_H

#include <stddef.h>

#include "base/buf.h"
#include "conf/node.h"

/* Stable codes; the manual page etld.yaml(5) lists them. X(id, code, meaning) */
#define ETL_DIAG_CODES(X)                                                                       \
	X(SYNTAX, "E001", "the file is not YAML that etld reads")                               \
	X(FILE, "E002", "a file cannot be read")                                                \
	X(DUPLICATE, "E010", "a key appears twice in one mapping")                               \
	X(UNSUPPORTED, "E011", "a YAML feature that etld refuses (tag, directive, merge key)")  \
	X(UNKNOWN, "E012", "unknown key")                                                       \
	X(MISSING, "E013", "a required key is missing")                                         \
	X(TYPE, "E014", "a value of the wrong type")                                            \
	X(RANGE, "E015", "a value out of its range")                                            \
	X(UNIT, "E016", "a number without its unit")                                            \
	X(WORD, "E017", "not one of the allowed words")                                         \
	X(REFERENCE, "E018", "a name that nothing has")                                         \
	X(CYCLE, "E019", "jobs wait for each other in a circle")                                \
	X(VARIABLE, "E020", "an environment variable that is not set")                          \
	X(SECRET, "E021", "a secret that cannot be read or stands in the open")                 \
	X(TEMPLATE, "E022", "a template that cannot be filled")                                 \
	X(CONFLICT, "E023", "keys that contradict each other")                                  \
	X(LIMIT, "E024", "too large, too deep, too many")                                       \
	X(UNREAD, "W001", "a file that no pattern takes")                                       \
	X(NO_JOB, "W002", "there is no job")                                                    \
	X(FUTURE, "W003", "nothing is due yet")                                                 \
	X(CUT, "W004", "what is loaded depends on how requests are cut")

enum etl_diag_code {
#define X(id, code, meaning) ETL_DIAG_##id,
	ETL_DIAG_CODES(X)
#undef X
		ETL_DIAG_MAX
};

enum etl_diag_severity {
	ETL_DIAG_ERROR,
	ETL_DIAG_WARNING, /* nothing is wrong, but it may not be meant so */
	/* What only the daemon's unit hands over (a credential, a variable), in a check outside
	 * of it: what depends on it cannot be judged here. */
	ETL_DIAG_NOTE,
	ETL_DIAG_SEVERITIES
};

struct etl_diag; /* the collection; keeps 50 of each severity and counts the rest */

#define ETL_DIAG_ERRORS_MAX 50

struct etl_diag *etl_diag_new(void);
void etl_diag_free(struct etl_diag *diag);

/* Adds an error at `mark` (NULL = no place). `hint` stands beside the caret, `help` below;
 * both may be NULL. Texts and the excerpt are copied: the collection may outlive the tree.
 * The same error at the same place (an alias read twice) is kept once. */
void etl_diag_add(struct etl_diag *diag, const struct etl_mark *mark, enum etl_diag_code code,
	const char *hint, const char *help, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* The same with another severity. */
void etl_diag_say(struct etl_diag *diag, enum etl_diag_severity severity,
	const struct etl_mark *mark, enum etl_diag_code code, const char *hint, const char *help,
	const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/* Of a whole file that was not read. */
void etl_diag_file(struct etl_diag *diag, enum etl_diag_severity severity, const char *path,
	enum etl_diag_code code, const char *help, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* The text at `mark` must not be shown (a secret in the open): every excerpt of its line, of
 * this error or another, has stars there. */
void etl_diag_hide(struct etl_diag *diag, const struct etl_mark *mark);

/* Moves all that `from` has to `to`, and frees `from`. */
void etl_diag_absorb(struct etl_diag *to, struct etl_diag *from);

/* How many errors and notes were added, those above the cap and repeated ones included: if there
 * are any, what they are about is not fit for use. */
size_t etl_diag_count(const struct etl_diag *diag);
size_t etl_diag_count_of(const struct etl_diag *diag, enum etl_diag_severity severity);

/* "E012". Static. */
const char *etl_diag_code_name(enum etl_diag_code code);
const char *etl_diag_severity_word(enum etl_diag_severity severity);

/* All of them sorted by file, line, column, as above, an empty line between two. */
void etl_diag_print(const struct etl_diag *diag, struct etl_buf *out);

/* The first error on one line: "FILE:LINE:COLUMN: error[E012]: text" (status, journal). Without any
 * the first note. */
void etl_diag_first(const struct etl_diag *diag, struct etl_buf *out);

/* The warnings, each on one line with its help; at last how many more there are. */
void etl_diag_warnings(const struct etl_diag *diag, struct etl_buf *out);

/* Appends {file, line, column, code, severity, message, hint, help} of each; null = there is
 * none. */
struct etl_json;
void etl_diag_to_json(const struct etl_diag *diag, struct etl_json *list);

#endif
