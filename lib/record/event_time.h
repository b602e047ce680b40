/* SPDX-License-Identifier: MIT
 *
 * A record's event time: a field parsed with format, zone and label and stored back as a
 * BSON date under its own name. Shared by all sources. Worker thread.
 */
#ifndef ETL_RECORD_EVENT_TIME_H
#define ETL_RECORD_EVENT_TIME_H

#include "conf/option.h"
#include "record/batch.h"

struct etl_event_time; /* compiled: field, format, zone, label; immutable, shared by threads */

/* The rows of `time: {field, format, timezone, label}`; use as ETL_OPT_TABLE with
 * struct etl_event_time_options. `field`: a name or a JSON Pointer; a name with dots that no
 * field bears leads into documents, as MongoDB has it. `format`: record/time_format.h. `label`:
 * start (default) or end; `end` needs `interval` and moves the time back by it, so that a stamp
 * 13:00 on an hour that ends there falls into its window. */
struct etl_event_time_options {
	const char *field; /* NULL = the source has no event time */
	const char *format;
	const char *timezone;
	int label;	   /* 0 start, 1 end */
	etl_dur interval;
	int fold, gap; /* enum etl_fold, enum etl_gap */
};
extern const struct etl_option etl_event_time_table[];

/* NULL and an error in env->diag if zone or format is unknown. `node` is the `time` map. */
const struct etl_event_time *etl_event_time_compile(
	const struct etl_event_time_options *options, const struct etl_node *node,
	const struct etl_conf_env *env);

/* Gives every record from index `first` its time and rewrites the field as a date; one that
 * is a date already is only moved by its label. A record whose field is missing, unreadable
 * or beyond the years 1 to 9999 becomes a reject (step "decode", rule "time"). Compacts the
 * batch. Call it once for a record: `label: end` would move it again. `last` is the answer's
 * last time so far, for fold: sequence; ETL_NO_TIME before its first record. */
void etl_event_time_apply(const struct etl_event_time *spec, struct etl_batch *batch,
	size_t first, etl_wall *last);

/* True if the record has the field, whatever is in it. */
bool etl_event_time_present(const struct etl_event_time *spec, const struct etl_record *record);

/* The field as configured; lent. */
const char *etl_event_time_field(const struct etl_event_time *spec);

/* The same as MongoDB names it: "/meta/t" is "meta.t". NULL if MongoDB has no name for it (a
 * part of the pointer is empty, holds a dot or begins with '$'). Lent. */
const char *etl_event_time_dotted(const struct etl_event_time *spec);

#endif
