/* SPDX-License-Identifier: MIT
 *
 * The daemon's own file, etld.yaml, as a struct. Immutable, lives in its generation.
 */
#ifndef ETLD_SETTINGS_H
#define ETLD_SETTINGS_H

#include "conf/option.h"
#include "io/http.h"

struct etld_settings {
	struct {
		const struct etl_node *uri_node;
		const char *uri; /* may hold a password: never shown */
		const char *database;
	} mongodb;
	struct {
		const char *database;
	} metadata;
	const char *jobs; /* glob, relative to the file */
	struct {
		const char *socket, *group, *admin_group;
	} control;
	struct {
		int64_t max_active, workers;
		uint64_t memory;
		const struct etl_node *hosts;
	} limits;
	struct {
		etl_dur timeout;
		const char *user_agent;
		bool ipv4_only;
	} http;
	struct {
		etl_dur timeout;
	} drain;
	struct {
		int level; /* index into etld_log_levels */
	} log;
	struct {
		const char *listen;
	} web;
	struct etld_host_rule *hosts, other_hosts;
	size_t n_hosts;
};

extern const struct etl_option etld_settings_table[];
extern const char *const etld_log_levels[]; /* error warning notice info debug */

/* syslog priority of settings->log.level */
int etld_settings_log_priority(const struct etld_settings *settings);

/* Fills `out` (zeroed) from the file's tree; errors go to env->diag. */
void etld_settings_load(struct etld_settings *out, const struct etl_node *root,
	const struct etl_conf_env *env);

void etld_settings_http(const struct etld_settings *settings, struct etld_http_options *out);

#endif
