/* SPDX-License-Identifier: MIT
 *
 * One scalar's text to one typed value, with the error that names the likely fix. Only
 * inside this room; components use conf/option.h.
 */
#ifndef ETL_CONF_CONVERT_H
#define ETL_CONF_CONVERT_H

#include "conf/option.h"

/* Where a value goes and how messages call it. */
struct etl_conversion {
	const struct etl_option *row;
	const struct etl_node *node;
	const char *name;    /* "'timeout'"; "the value" where there is no key */
	const char *context; /* "extract.http" */
	const struct etl_conf_env *env;
};

/* STRING to WORD of the option types. False and an error in env->diag. */
bool etl_convert_scalar(const struct etl_conversion *cv, void *out);

/* True if the node is a scalar with a text; else an E014 that says what is due. */
bool etl_convert_needs_scalar(const struct etl_conversion *cv);

/* Adds an error at the node with the help line of the context. */
void etl_convert_refuse(const struct etl_conversion *cv, enum etl_diag_code code,
	const char *hint, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A limit of the table in the notation of its type: "1h", "64KiB", "10". Gives `out`. */
const char *etl_option_limit_text(enum etl_option_type type, double v, char out[32]);

#endif
