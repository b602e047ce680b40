/* SPDX-License-Identifier: MIT
 *
 * A host as the gates know it and as its document in the metadata has it.
 */
#ifndef ETLD_HOST_RECORD_H
#define ETLD_HOST_RECORD_H

#include "io/http_gate.h"
#include "state/state.h"

void etld_host_record(const struct etld_host_state *host, struct etl_source_state *out);

/* A word that no breaker has stands for a closed one. */
void etld_host_of_record(const struct etl_source_state *record, struct etld_host_state *out);

#endif
