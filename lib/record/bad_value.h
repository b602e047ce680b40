/* SPDX-License-Identifier: MIT
 *
 * What becomes of a value that is not what it should be (`on_bad`), and of one that is not there
 * (`absent`), in the same words everywhere: reject | null | text | default, the last with a value
 * under `default`. Text: it stays as it stands, and what is not there stays away. Immutable once
 * compiled.
 */
#ifndef ETL_RECORD_BAD_VALUE_H
#define ETL_RECORD_BAD_VALUE_H

#include "conf/option.h"
#include "record/doc.h"

enum etl_bad_value { ETL_BAD_REJECT, ETL_BAD_NULL, ETL_BAD_TEXT, ETL_BAD_DEFAULT };

/* As configured: rows of type ETL_OPT_NODE, because a plain null is a word here. NULL = not
 * said. */
struct etl_bad_options {
	const struct etl_node *on_bad, *absent, *fallback;
};

/* Set both words to what holds if nothing is said, then compile. */
struct etl_bad_rule {
	enum etl_bad_value on_bad, absent;
	struct etl_element fallback; /* without a name; of ETL_BAD_DEFAULT */
};

/* `what` is the plugin's name. False, with errors in env->diag, if a word is none, or `default` and
 * the words do not fit. Loader's thread. */
bool etl_bad_compile(const struct etl_bad_options *options, struct etl_bad_rule *rule,
	const char *what, const struct etl_conf_env *env);

/* What stands in place of a value by the words NULL and DEFAULT; without a name. */
struct etl_element etl_bad_element(const struct etl_bad_rule *rule, enum etl_bad_value word);

#endif
