/* SPDX-License-Identifier: MIT
 *
 * Configuration errors: collected, all of all files in one pass, then printed as
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
	X(LIMIT, "E024", "too large, too deep, too many")

enum etl_diag_code {
#define X(id, code, meaning) ETL_DIAG_##id,
	ETL_DIAG_CODES(X)
#undef X
		ETL_DIAG_MAX
};

struct etl_diag; /* the collection; caps itself at 50 errors and counts the rest */

#define ETL_DIAG_ERRORS_MAX 50

struct etl_diag *etl_diag_new(void);
void etl_diag_free(struct etl_diag *diag);

/* Adds an error at `mark` (NULL = no place). `hint` stands beside the caret, `help` below;
 * both may be NULL. Texts and the excerpt are copied: the collection may outlive the tree.
 * The same error at the same place (an alias read twice) is kept once. */
void etl_diag_add(struct etl_diag *diag, const struct etl_mark *mark, enum etl_diag_code code,
	const char *hint, const char *help, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* The text at `mark` must not be shown (a secret in the open): every excerpt of its line, of
 * this error or another, has stars there. */
void etl_diag_hide(struct etl_diag *diag, const struct etl_mark *mark);

/* Moves all that `from` has to `to`, and frees `from`. */
void etl_diag_absorb(struct etl_diag *to, struct etl_diag *from);

/* How many were added, those above the cap and repeated ones included. */
size_t etl_diag_count(const struct etl_diag *diag);

/* "E012". Static. */
const char *etl_diag_code_name(enum etl_diag_code code);

/* All errors sorted by file, line, column, as above, an empty line between two. */
void etl_diag_print(const struct etl_diag *diag, struct etl_buf *out);

/* The first error on one line: "FILE:LINE:COLUMN: error[E012]: text" (status, journal). */
void etl_diag_first(const struct etl_diag *diag, struct etl_buf *out);

#endif
