/* SPDX-License-Identifier: MIT
 *
 * Inside the collection of errors, warnings and notes: what diag.c collects and diag_print.c shows.
 * Nobody else includes this.
 */
#ifndef ETL_CONF_DIAG_PARTS_H
#define ETL_CONF_DIAG_PARTS_H

#include "conf/diag.h"

struct etl_diag_entry {
	enum etl_diag_severity severity;
	enum etl_diag_code code;
	size_t order;	/* of arrival: decides between equals */
	bool has_file;
	unsigned line, column, width; /* line 0: the whole file */
	unsigned excerpt_column;      /* column of the excerpt's first character */
	bool cut_before, cut_after;
	char *path, *text, *hint, *help, *excerpt;
};

struct etl_diag_hidden {
	char *path;
	unsigned line, column, width;
};

struct etl_diag {
	struct etl_diag_entry *entries;
	size_t n, cap;
	size_t added, dropped[ETL_DIAG_SEVERITIES]; /* dropped: beyond the cap */
	size_t counted[ETL_DIAG_SEVERITIES], kept[ETL_DIAG_SEVERITIES];
	struct etl_diag_hidden *hidden;
	size_t n_hidden, cap_hidden;
};

/* `n` characters on, at most to `end`. */
const char *etl_diag_skip(const char *p, const char *end, size_t n);

#endif
