/* SPDX-License-Identifier: MIT
 *
 * Members by name: the document keeps the breaker's state as a word.
 *
 * The word and not the number of the breaker's state is stored: an enum that is reordered in a
 * later version reads old documents wrongly, a word never.
 */
#include "engine/host_record.h"

#include "base/str.h"

_Static_assert(ETLD_HOST_BYTES == ETL_SOURCE_HOST_BYTES, "each host that a gate has can be kept");

void etld_host_record(const struct etld_host_state *host, struct etl_source_state *out)
{
	const struct etl_breaker *b = &host->breaker;

	*out = (struct etl_source_state){
		.breaker = {.failures = b->failures, .openings = b->openings, .opened = b->opened,
			.until = b->until},
		.hold_until = host->hold_until,
		.full_at = host->full_at,
		.updated = host->updated,
	};
	etl_text_copy(out->host, sizeof out->host, host->host);
	etl_text_copy(out->breaker.state, sizeof out->breaker.state,
		etl_breaker_state_word(b->state));
	etl_text_copy(out->breaker.reason, sizeof out->breaker.reason, b->reason);
	etl_text_copy(out->hold_reason, sizeof out->hold_reason, host->hold_reason);
}

/* A word that is not known here (of a newer etld) is a closed breaker: the host is asked, and its
 * answer decides. */
void etld_host_of_record(const struct etl_source_state *record, struct etld_host_state *out)
{
	const struct etl_source_breaker *b = &record->breaker;

	*out = (struct etld_host_state){
		.breaker = {.failures = b->failures, .openings = b->openings, .opened = b->opened,
			.until = b->until},
		.hold_until = record->hold_until,
		.full_at = record->full_at,
		.updated = record->updated,
	};
	etl_text_copy(out->host, sizeof out->host, record->host);
	if (!etl_breaker_state_parse(b->state, &out->breaker.state))
		out->breaker.state = ETL_BREAKER_CLOSED;
	etl_text_copy(out->breaker.reason, sizeof out->breaker.reason, b->reason);
	etl_text_copy(out->hold_reason, sizeof out->hold_reason, record->hold_reason);
}
