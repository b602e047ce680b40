/* SPDX-License-Identifier: MIT
 *
 * Rows of CSV through all stages (format_fuzz.h).
 */
static const char *const jobs[] = {
	"{format: csv}",
	"{format: {csv: {delimiter: ;, comment: '#', short_rows: fill, empty: absent, null_text: NA}}}",
	"{format: {csv: {header: none, names: [a, b, c], quote: none, delimiter: tab}}, time: {field: a}}",
	"{format: {csv: {names: [x, y], skip: 1, required: [a]}}, charset: windows-1252}",
};
enum { JOBS = sizeof jobs / sizeof *jobs };

#include "format_fuzz.h"
