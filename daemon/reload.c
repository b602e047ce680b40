/* SPDX-License-Identifier: MIT
 *
 * Reload: a whole new generation is read and checked, then swapped in within one turn of the
 * loop; if anything is wrong the old one goes on and status says so.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "etld.h"
#include "journal.h"
#include "message_ids.h"
#include "notify.h"

static bool differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

/* Keys that are bound to open things: the change is taken up at the next start. */
static void warn_of_restart(const struct etld_settings *was, const struct etld_settings *is,
	struct etl_buf *report)
{
	const struct {
		const char *key;
		bool changed;
	} keys[] = {
		{"mongodb.uri", differs(was->mongodb.uri, is->mongodb.uri)},
		{"mongodb.database", differs(was->mongodb.database, is->mongodb.database)},
		{"metadata.database", differs(was->metadata.database, is->metadata.database)},
		{"control.socket", differs(was->control.socket, is->control.socket)},
		{"limits.workers", was->limits.workers != is->limits.workers},
		{"limits.memory", was->limits.memory != is->limits.memory},
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (keys[i].changed)
			etl_buf_printf(report, "%s has changed and takes effect at the next start\n",
				keys[i].key);
}

static void refuse(struct etld *etld, const struct etl_buf *first)
{
	free(etld->config_error);
	etld->config_error = etl_strdup(etl_buf_text(first));
	etld_log(ETLD_ERR, ETLD_MSG_CONFIG_RELOAD_FAILED, NULL, 0,
		"the configuration on disk is not taken, the old one goes on: %s", etl_buf_text(first));
}

static void swap_in(struct etld *etld, struct etld_generation *fresh, struct etl_buf *report)
{
	struct etld_http_options options;

	fresh->number = etld->generation->number + 1;
	warn_of_restart(&etld->generation->settings, &fresh->settings, report);
	etld_settings_http(&fresh->settings, &options);
	etld_http_options(etld->http, &options);
	etld_journal_level(etld_settings_log_priority(&fresh->settings));
	etld_sched_adopt(etld, fresh);
	etld_access_look(fresh->settings.control.group, fresh->settings.control.admin_group,
		&etld->access);
	etld_zones_watch(etld);
	etld_slots_flush(etld);
	free(ETL_TAKE(etld->config_error));
	etld_log(ETLD_NOTICE, ETLD_MSG_CONFIG_RELOADED, NULL, 0,
		"configuration %lld is in force: %zu jobs", (long long)fresh->number, fresh->n_jobs);
}

void etld_tell_warnings(const struct etl_diag *diag)
{
	struct etl_buf all ETL_BUF_CLEANUP;
	char *text, *next;

	etl_buf_init(&all, 1024 * 1024);
	etl_diag_warnings(diag, &all);
	text = etl_strdup(etl_buf_text(&all));
	for (char *line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		etld_log(ETLD_WARNING, ETLD_MSG_CONFIG_WARNING, NULL, 0, "%s", line);
	}
	free(text);
}

int etld_reload(struct etld *etld, struct etl_buf *report)
{
	struct etl_diag *diag = etl_diag_new();
	struct etld_generation *fresh;
	struct etl_buf first ETL_BUF_CLEANUP;

	etl_buf_init(&first, 4096);
	etld_notify_reloading();
	fresh = etld_generation_load(etld->config_path, diag);
	if (fresh) {
		etl_diag_warnings(diag, report);
		swap_in(etld, fresh, report);
		etld_tell_warnings(diag);
	} else {
		etl_diag_print(diag, report);
		etl_diag_first(diag, &first);
		refuse(etld, &first);
	}
	etl_diag_free(diag);
	etld_notify_ready();
	etld_tell_status(etld);
	return fresh ? 0 : -1;
}
