/* SPDX-License-Identifier: MIT
 *
 * What may have been meant by a template that means nothing. Only inside this room.
 */
#ifndef ETL_CONF_TEMPLATE_HINT_H
#define ETL_CONF_TEMPLATE_HINT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/option.h"

#define ETL_TEMPLATE_HINT_BYTES 160

/* "did you mean '{window.start}'?" for a name that nothing fills. */
void etl_template_name_hint(const char *name, const struct etl_conf_env *env,
	char out[ETL_TEMPLATE_HINT_BYTES]);

/* True if the format says the same for every window: no directive is in it. */
bool etl_template_format_is_text(const char *format);

/* "did you mean '%Y-%m-%d'?" for a format without a directive or with an unknown one; else one that
 * is right. */
void etl_template_format_hint(const char *format, char out[ETL_TEMPLATE_HINT_BYTES]);

#endif
