/* SPDX-License-Identifier: MIT
 *
 * What the checks share: a field named in the configuration (a top-level name, taken
 * literally, or a JSON Pointer into nested documents) and the words of a finding.
 */
#ifndef ETL_CHECK_FIELD_H
#define ETL_CHECK_FIELD_H

#include "check/check.h"
#include "record/path.h"

struct etl_check_field {
	const char *name; /* as the configuration says it */
	struct etl_path path;
};

/* Compiles a name: false and an error in env->diag if it is empty, no JSON Pointer, or one
 * with "*" (a check judges one value). */
bool etl_check_field_compile(struct etl_check_field *field, const char *name,
	const struct etl_node *node, const char *what, const struct etl_conf_env *env);

/* The same for a list; no name may appear twice. NULL on errors; lives in env->arena. */
struct etl_check_field *etl_check_fields_compile(const struct etl_strings *names,
	const char *what, const struct etl_conf_env *env);

/* Reads the field; false if it is missing. */
bool etl_check_field_find(const struct etl_check_field *field, const struct etl_record *record,
	struct etl_element *out);

/* Fills a finding: text that is too long is cut between characters, control bytes become
 * '?'. Returns false, so that a rule can end with it. */
bool etl_finding_set(struct etl_finding *finding, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The value and the limit of a finding, masked and cut likewise. */
void etl_finding_values(struct etl_finding *finding, const char *value, const char *limit);

/* The value as a person would write it: 1200, "abc", 2026-11-22T15:00:00Z. */
void etl_check_show(const struct etl_element *e, char *out, size_t size);

#endif
