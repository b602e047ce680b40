/* SPDX-License-Identifier: MIT
 *
 * A job's options as a real component would declare them: all types, nested tables, words,
 * limits. Shared by the golden test and the fuzz target.
 */
#ifndef TESTS_CONF_SAMPLE_H
#define TESTS_CONF_SAMPLE_H

#include "base/alloc.h"
#include "conf/diag.h"
#include "conf/document.h"
#include "conf/load.h"
#include "conf/option.h"
#include "conf/secret.h"
#include "conf/template.h"

struct sample_auth {
	const char *user;
	struct etl_secret *password;
};

struct sample_http {
	const char *url;
	int method;
	struct etl_pairs query;
	struct sample_auth auth;
	etl_dur timeout;
	uint64_t max_bytes;
	double rate;
	bool ipv4_only;
	const struct etl_node *body;
};

struct sample {
	const char *description;
	struct {
		const char *cron;
		etl_dur jitter;
		int misfire;
	} schedule;
	struct {
		int64_t max;
		etl_dur backoff;
	} retry;
	struct {
		etl_dur size;
		etl_wall start;
	} window;
	struct {
		struct sample_http http;
	} extract;
	struct etl_strings keep;
	struct etl_pairs rename;
	const struct etl_node *set;
	const struct etl_node *filter;
	double tolerance;
	bool has_retry;
};

static const char *const sample_methods[] = {"GET", "POST", NULL};
static const char *const sample_misfires[] = {"run_each", "run_latest", "skip", NULL};

#define AT(member) .offset = offsetof(struct sample, member)
#define AT_HTTP(member) .offset = offsetof(struct sample_http, member)

static const struct etl_option sample_auth_table[] = {
	{.name = "user", .type = ETL_OPT_STRING, .offset = offsetof(struct sample_auth, user),
		.required = true, .help = "who asks"},
	{.name = "password", .type = ETL_OPT_SECRET,
		.offset = offsetof(struct sample_auth, password), .required = true,
		.help = "where the password stands"},
	{0}};

static const struct etl_option sample_http_table[] = {
	{.name = "url", .type = ETL_OPT_STRING, AT_HTTP(url), .required = true,
		.help = "where to ask"},
	{.name = "method", .type = ETL_OPT_WORD, AT_HTTP(method), .words = sample_methods,
		.fallback = "GET", .help = "the request's method"},
	{.name = "query", .type = ETL_OPT_PAIRS, AT_HTTP(query), .help = "what follows the '?'"},
	{.name = "auth", .type = ETL_OPT_TABLE, AT_HTTP(auth), .sub = sample_auth_table,
		.help = "basic authentication"},
	{.name = "timeout", .type = ETL_OPT_DURATION, AT_HTTP(timeout), .fallback = "60s",
		.min = 1, .max = 3600, .help = "for the whole answer"},
	{.name = "max_bytes", .type = ETL_OPT_SIZE, AT_HTTP(max_bytes), .fallback = "64MiB",
		.min = 1024, .max = 1073741824, .help = "of one answer"},
	{.name = "rate", .type = ETL_OPT_RATE, AT_HTTP(rate), .fallback = "10/s", .min = 0.001,
		.max = 1000, .help = "of requests"},
	{.name = "ipv4_only", .type = ETL_OPT_BOOL, AT_HTTP(ipv4_only), .fallback = "false",
		.help = "never ask by IPv6"},
	{.name = "body", .type = ETL_OPT_NODE, AT_HTTP(body), .help = "what is sent"},
	{0}};

static const struct etl_option sample_extract_table[] = {
	{.name = "http", .type = ETL_OPT_TABLE, .offset = 0, .required = true,
		.sub = sample_http_table, .help = "asks a web service"},
	{0}};

static const struct etl_option sample_schedule_table[] = {
	{.name = "cron", .type = ETL_OPT_STRING, .offset = 0, .required = true,
		.help = "when it runs"},
	{.name = "jitter", .type = ETL_OPT_DURATION, .offset = sizeof(const char *),
		.fallback = "0s", .max = 3600, .help = "spread of the start"},
	{.name = "misfire", .type = ETL_OPT_WORD, .offset = sizeof(const char *) + sizeof(etl_dur),
		.words = sample_misfires, .fallback = "run_each", .help = "what a late slot does"},
	{0}};

static const struct etl_option sample_retry_table[] = {
	{.name = "max", .type = ETL_OPT_INT, .offset = 0, .fallback = "3", .max = 10,
		.help = "tries after the first"},
	{.name = "backoff", .type = ETL_OPT_DURATION, .offset = sizeof(int64_t), .fallback = "30s",
		.min = 1, .help = "pause before the second try"},
	{0}};

static const struct etl_option sample_window_table[] = {
	{.name = "size", .type = ETL_OPT_DURATION, .offset = 0, .required = true, .min = 60,
		.help = "length of a window"},
	{.name = "start", .type = ETL_OPT_TIME, .offset = sizeof(etl_dur), .required = true,
		.help = "the first window's start"},
	{0}};

static const struct etl_option sample_table[] = {
	{.name = "description", .type = ETL_OPT_STRING, AT(description), .help = "for people"},
	{.name = "schedule", .type = ETL_OPT_TABLE, AT(schedule), .required = true,
		.sub = sample_schedule_table, .help = "when it runs"},
	{.name = "retry", .type = ETL_OPT_TABLE, AT(retry), .sub = sample_retry_table,
		.present = offsetof(struct sample, has_retry), .help = "what follows a failure"},
	{.name = "window", .type = ETL_OPT_TABLE, AT(window), .sub = sample_window_table,
		.help = "what a run asks for"},
	{.name = "extract", .type = ETL_OPT_TABLE, AT(extract), .required = true,
		.sub = sample_extract_table, .help = "where data comes from"},
	{.name = "keep", .type = ETL_OPT_STRINGS, AT(keep), .help = "fields that stay"},
	{.name = "rename", .type = ETL_OPT_PAIRS, AT(rename), .help = "old to new names"},
	{.name = "set", .type = ETL_OPT_NODE, AT(set), .help = "constant fields"},
	{.name = "filter", .type = ETL_OPT_NODE, AT(filter), .help = "a MongoDB filter"},
	{.name = "tolerance", .type = ETL_OPT_DOUBLE, AT(tolerance), .fallback = "0.5", .min = 0,
		.max = 1, .help = "share that may be missing"},
	{0}};

static const char *const sample_partition_names[] = {"station", "city", NULL};

static inline const char *sample_variable(const char *name)
{
	if (strcmp(name, "HOST_NAME") == 0)
		return "api.example.org";
	if (strcmp(name, "RETRIES") == 0)
		return "5";
	if (strcmp(name, "EMPTY") == 0)
		return "";
	if (strcmp(name, "TRICKY") == 0)
		return "x: y, ${HOST_NAME}\nkey: {a: b}";
	return NULL;
}

static const struct etl_conf_load_options sample_load = {.env = sample_variable};

/* Reads a job as the loader of jobs does: table, then templates, then documents. */
static inline void sample_read(const struct etl_node *node, struct sample *out,
	const struct etl_conf_env *env)
{
	*out = (struct sample){.tolerance = 0};
	if (!node)
		return;
	etl_options_fill(sample_table, node, out, "job", env);
	if (out->extract.http.url)
		etl_template_parse(out->extract.http.url,
			etl_node_get(etl_node_get(etl_node_get(node, "extract"), "http"), "url"), env);
	for (size_t i = 0; i < out->extract.http.query.n; i++)
		etl_template_parse(out->extract.http.query.values[i],
			out->extract.http.query.nodes[i], env);
	if (out->set)
		etl_value_compile(out->set, env);
	if (out->filter)
		etl_document_compile(out->filter, env);
}

#endif
