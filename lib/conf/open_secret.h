/* SPDX-License-Identifier: MIT
 *
 * A secret belongs into a file of its own, and not into a URL. Loader's thread.
 */
#ifndef ETL_CONF_OPEN_SECRET_H
#define ETL_CONF_OPEN_SECRET_H

#include <stdbool.h>

struct etl_node;
struct etl_conf_env;

/* False, with E021 in env->diag and the text hidden in every excerpt, if `text`, which stands at
 * `node`, has a secret in the open. Of a connection string of MongoDB a user alone is none (X.509,
 * Kerberos); of any other URL it is, since many services take a token there. */
bool etl_url_check_secret(const char *text, const struct etl_node *node, const char *what,
	const struct etl_conf_env *env);

#endif
