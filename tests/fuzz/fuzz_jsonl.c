/* SPDX-License-Identifier: MIT
 *
 * Lines of JSON through all stages (format_fuzz.h).
 */
static const char *const jobs[] = {
	"{format: jsonl}",
	"{format: jsonl, records: /d, attach: {n: /n}}",
	"{format: jsonl, records: /d/*, null_records: empty, time: {field: t, fold: sequence}}",
	"{format: jsonl, charset: utf-16}",
};
enum { JOBS = sizeof jobs / sizeof *jobs };

#include "format_fuzz.h"
