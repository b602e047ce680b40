/* SPDX-License-Identifier: MIT
 *
 * How a field's text or number is read as a time, the same for the event time of sources and
 * for parse_time: iso8601, epochs, or a pattern, in a zone, with a rule for local times that a
 * clock change skips (gap) or shows twice (fold). A time that stands for two is never taken
 * for one of them in silence. Compiled once; immutable, shared by threads.
 */
#ifndef ETL_RECORD_TIME_FORMAT_H
#define ETL_RECORD_TIME_FORMAT_H

#include "conf/option.h"
#include "record/doc.h"
#include "time/timefmt.h"
#include "time/zone.h"

enum etl_time_kind {
	ETL_TIME_ISO8601,
	ETL_TIME_EPOCH, /* seconds */
	ETL_TIME_EPOCH_MS,
	ETL_TIME_EPOCH_US,
	ETL_TIME_EPOCH_NS,
	ETL_TIME_PATTERN
};
enum etl_fold { ETL_FOLD_REJECT, ETL_FOLD_FIRST, ETL_FOLD_SECOND, ETL_FOLD_SEQUENCE };
enum etl_gap { ETL_GAP_REJECT, ETL_GAP_FORWARD };

struct etl_time_format {
	const char *text; /* as configured */
	enum etl_time_kind kind;
	struct etl_timefmt pattern;
	const struct etl_zone *zone;
	enum etl_fold fold;
	enum etl_gap gap;
};

/* The words of the options `fold` and `gap`, in the order of the enums. */
extern const char *const etl_fold_words[];
extern const char *const etl_gap_words[];
#define ETL_FOLD_HELP                                                                          \
	"a local time that the clock showed twice: first, second, sequence (by the order of "  \
	"the records), or reject"
#define ETL_GAP_HELP "a local time that the clock skipped: forward (the first after it) or reject"

/* The word of an epoch or iso8601; false if `format` is a pattern. */
bool etl_time_kind_parse(const char *format, enum etl_time_kind *out);

/* Fills all but fold and gap. False and an error in env->diag at `format_mark` or `zone_mark`. */
bool etl_time_format_compile(struct etl_time_format *out, const char *format,
	const char *zone, const struct etl_mark *format_mark, const struct etl_mark *zone_mark,
	const struct etl_conf_env *env);

/* NULL and `*out`, or why the element is no time of this format (static, follows its value:
 * "..., which <why>"). `last` is for fold: sequence: the time before this one (ETL_NO_TIME at
 * the beginning); NULL = the order is not known. A date element is taken as it is. */
const char *etl_time_format_read(const struct etl_time_format *format,
	const struct etl_element *e, const etl_wall *last, etl_wall *out);

#endif
