/* SPDX-License-Identifier: MIT
 *
 * Secrets by reference: `{credential: NAME}` (systemd's $CREDENTIALS_DIRECTORY) or
 * `{file: PATH}` (mode checked: nobody but owner and group). The value is read when the
 * generation is loaded, one trailing newline is dropped, an empty value or one with control
 * bytes is an error; it is wiped with its generation and printed nowhere.
 */
#ifndef ETL_CONF_SECRET_H
#define ETL_CONF_SECRET_H

#include <stddef.h>

struct etl_secret {
	const char *reference; /* "credential:airqino_secret": what may be shown */
	char *value;	       /* NUL-terminated; never shown */
	size_t len;
};

struct etl_node;
struct etl_conf_env;

#define ETL_SECRET_MAX (16 * 1024) /* bytes of a value */

/* Reads what `node` refers to: {credential: NAME} or {file: PATH} (relative to the file's
 * folder). NULL and E021 in env->diag if it cannot be had, or if the secret itself stands
 * there (its text is then hidden in every excerpt). The value lies in env->arena and is
 * added to env->secrets. */
struct etl_secret *etl_secret_read(const struct etl_node *node, const struct etl_conf_env *env);

/* All secrets of a generation: for redaction and for the end. */
struct etl_secrets;
struct etl_secrets *etl_secrets_new(void);
/* Wipes every value; the arena they lie in must still exist. NULL is fine. */
void etl_secrets_free(struct etl_secrets *secrets);

/* Copies `text` to `out` with every occurrence of each secret's value (4 bytes or longer)
 * replaced by "***", also where occurrences overlap, and where the value stands in its
 * percent-encoded form. `secrets` is NULL-terminated; may be NULL. */
struct etl_buf;
void etl_redact(struct etl_buf *out, const char *text, const struct etl_secret *const *secrets);

#endif
