/* SPDX-License-Identifier: MIT
 *
 * etld.yaml: its option rows and the two keys that need more than a row.
 *
 * How an option comes to be: a row here with name, type, place in the struct, default, bounds and
 * help. The loader fills the struct by it, errors name it, and `make lint` compares it with
 * etld.yaml(5). Nothing is parsed by hand but the two keys that a row cannot say: the URI, which
 * may be a secret, and hosts, whose keys are names.
 */
#include "config/settings.h"

#include <string.h>

#include "base/str.h"
#include "conf/open_secret.h"
#include "conf/secret.h"
#include "io/journal.h"

const char *const etld_log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};

/* Of the whole struct; IN is the same within a group, which is a table of its own. */
#define AT(member) offsetof(struct etld_settings, member)
/* Rows of an embedded struct count from its own begin. */
#define IN(group, member) \
	(offsetof(struct etld_settings, group.member) - offsetof(struct etld_settings, group))

/* The URI is a node: a text or a secret by reference, which load_uri tells apart. */
static const struct etl_option mongodb_table[] = {
	{.name = "uri", .type = ETL_OPT_NODE, .offset = IN(mongodb, uri_node), .required = true,
		.help = "mongodb://... of a replica set, or {credential: NAME}"},
	{.name = "database", .type = ETL_OPT_STRING, .offset = IN(mongodb, database),
		.fallback = "etl", .help = "where loads go unless a job names another"},
	{0},
};

static const struct etl_option metadata_table[] = {
	{.name = "database", .type = ETL_OPT_STRING, .offset = IN(metadata, database),
		.fallback = "etl_metadata",
		.help = "ledger, watermarks, runs, leases, dead letters"},
	{0},
};

/* The unit makes /run/etld and both groups (systemd/): these defaults are theirs. */
static const struct etl_option control_table[] = {
	{.name = "socket", .type = ETL_OPT_STRING, .offset = IN(control, socket),
		.fallback = "/run/etld/control", .help = "where etlctl asks"},
	{.name = "group", .type = ETL_OPT_STRING, .offset = IN(control, group), .fallback = "etl",
		.help = "may ask"},
	{.name = "admin_group", .type = ETL_OPT_STRING, .offset = IN(control, admin_group),
		.fallback = "etladmin", .help = "may change, like root"},
	{0},
};

/* Defaults for a small server: 16 runs wait for sources most of the time, four workers decode, 32
 * MiB hold what is on its way. */
static const struct etl_option limits_table[] = {
	{.name = "max_active", .type = ETL_OPT_INT, .offset = IN(limits, max_active),
		.fallback = "16", .min = 1, .max = 10000, .help = "runs at the same time"},
	{.name = "workers", .type = ETL_OPT_INT, .offset = IN(limits, workers), .fallback = "4",
		.min = 1, .max = 64, .help = "worker threads"},
	{.name = "memory", .type = ETL_OPT_SIZE, .offset = IN(limits, memory),
		.fallback = "32MiB", .min = 1 << 20, .max = 64.0 * (1 << 30),
		.help = "records on their way, of all runs together"},
	{.name = "hosts", .type = ETL_OPT_NODE, .offset = IN(limits, hosts),
		.help = "limits of each host: requests at once and a second, failures"},
	{0},
};

/* A day is the longest that one answer may take; a source that needs longer is asked in pieces. */
static const struct etl_option http_table[] = {
	{.name = "timeout", .type = ETL_OPT_DURATION, .offset = IN(http, timeout),
		.fallback = "60s", .min = 1, .max = 86400, .help = "for a whole answer"},
	{.name = "user_agent", .type = ETL_OPT_STRING, .offset = IN(http, user_agent),
		.fallback = "etld", .help = "what we call ourselves"},
	{.name = "ipv4_only", .type = ETL_OPT_BOOL, .offset = IN(http, ipv4_only),
		.fallback = "false", .help = "for services that tie a key to an IPv4 address"},
	{0},
};

/* Below the unit's TimeoutStopSec, which is extended by as much (etld_notify_extend). */
static const struct etl_option drain_table[] = {
	{.name = "timeout", .type = ETL_OPT_DURATION, .offset = IN(drain, timeout),
		.fallback = "30s", .max = 3600, .help = "how long runs may go on after SIGTERM"},
	{0},
};

static const struct etl_option log_table[] = {
	{.name = "level", .type = ETL_OPT_WORD, .offset = IN(log, level), .words = etld_log_levels,
		.fallback = "info", .help = "the least important message that is written"},
	{0},
};

/* The key is there so that a file for a later version is understood, and refused with a word. */
static const struct etl_option web_table[] = {
	{.name = "listen", .type = ETL_OPT_STRING, .offset = IN(web, listen), .fallback = "none",
		.help = "none: this version serves no web page"},
	{0},
};

const struct etl_option etld_settings_table[] = {
	{.name = "mongodb", .type = ETL_OPT_TABLE, .offset = AT(mongodb), .required = true,
		.sub = mongodb_table, .help = "the MongoDB that is loaded into"},
	{.name = "metadata", .type = ETL_OPT_TABLE, .offset = AT(metadata), .sub = metadata_table,
		.help = "where the ledger lives"},
	{.name = "jobs", .type = ETL_OPT_STRING, .offset = AT(jobs), .fallback = "jobs.d/*.yaml",
		.help = "the job files, relative to this file"},
	{.name = "control", .type = ETL_OPT_TABLE, .offset = AT(control), .sub = control_table,
		.help = "the control socket"},
	{.name = "limits", .type = ETL_OPT_TABLE, .offset = AT(limits), .sub = limits_table,
		.help = "of the daemon as a whole"},
	{.name = "http", .type = ETL_OPT_TABLE, .offset = AT(http), .sub = http_table,
		.help = "for all HTTP sources"},
	{.name = "drain", .type = ETL_OPT_TABLE, .offset = AT(drain), .sub = drain_table,
		.help = "stopping"},
	{.name = "log", .type = ETL_OPT_TABLE, .offset = AT(log), .sub = log_table,
		.help = "the journal"},
	{.name = "web", .type = ETL_OPT_TABLE, .offset = AT(web), .sub = web_table,
		.help = "the web page"},
	{0},
};

/* In the order of etld_log_levels. */
int etld_settings_log_priority(const struct etld_settings *settings)
{
	static const int priorities[] = {
		ETLD_ERR, ETLD_WARNING, ETLD_NOTICE, ETLD_INFO, ETLD_DEBUG};

	return priorities[settings->log.level];
}

/* A URI with a password in it is refused, literal or out of a variable: it would be in every copy
 * of the file or of the environment. `{credential: NAME}` may hold one. */
static void load_uri(struct etld_settings *out, const struct etl_conf_env *env)
{
	const struct etl_node *node = out->mongodb.uri_node;

	if (!node)
		return;
	if (node->kind != ETL_NODE_SCALAR) {
		struct etl_secret *secret = etl_secret_read(node, env);

		out->mongodb.uri = secret ? secret->value : NULL;
		return;
	}
	out->mongodb.uri = node->text;
	if (!etl_url_check_secret(node->text, node, "'mongodb.uri'", env))
		return;
	if (!etl_starts_with(node->text, "mongodb://") &&
		!etl_starts_with(node->text, "mongodb+srv://"))
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_RANGE, "begins with mongodb://",
			"mongodb://HOST1,HOST2/?replicaSet=NAME", "this is no MongoDB address");
}

struct host_options {
	int64_t max_active;
	double rate;
	int64_t burst;
	struct etl_breaker_rules breaker;
};

#define BREAKER(member) offsetof(struct etl_breaker_rules, member)
#define HOST(member) offsetof(struct host_options, member)

/* Five failures in a row are no accident any more; pauses of 30 s to 10 m let a host come back
 * without being asked all the time. */
static const struct etl_option breaker_table[] = {
	{.name = "failures", .type = ETL_OPT_INT, .offset = BREAKER(failures), .fallback = "5",
		.min = 0, .max = 1000, .help = "in a row that open it; 0 = never"},
	{.name = "cool_down", .type = ETL_OPT_DURATION, .offset = BREAKER(cool_down),
		.fallback = "30s", .min = 1, .max = 86400,
		.help = "the first pause; each next one is longer"},
	{.name = "max_cool_down", .type = ETL_OPT_DURATION, .offset = BREAKER(max_cool_down),
		.fallback = "10m", .min = 1, .max = 86400, .help = "the longest pause"},
	{0},
};

/* Eight requests at once and no rate for a host without a rule; a host that says less in its
 * answers (429, RateLimit) is heeded without any row. */
static const struct etl_option host_table[] = {
	{.name = "max_active", .type = ETL_OPT_INT, .offset = HOST(max_active), .fallback = "8",
		.min = 1, .max = 1000, .help = "requests at once"},
	{.name = "rate", .type = ETL_OPT_RATE, .offset = HOST(rate), .help = "requests a second"},
	{.name = "burst", .type = ETL_OPT_INT, .offset = HOST(burst), .fallback = "1", .min = 1,
		.max = 10000, .help = "requests that may go at once after a pause"},
	{.name = "breaker", .type = ETL_OPT_TABLE, .offset = HOST(breaker), .sub = breaker_table,
		.help = "when a host that fails is left alone"},
	{0},
};

/* The rule of hosts that have none of their own. */
static const char others[] = "default";

/* Bounds of single values are in the rows; here is what two of them mean together. */
static void check_host(const char *host, const struct host_options *o, const struct etl_node *key,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	const struct etl_node *burst = etl_node_get(node, "burst");
	const struct etl_node *breaker = etl_node_get(node, "breaker");

	if (!*host || strpbrk(host, "/?#@ \t"))
		etl_diag_add(env->diag, &key->mark, ETL_DIAG_RANGE, "HOST or HOST:PORT",
			"hosts: {api.example.org: {max_active: 2}}", "'%s' is no host", host);
	if (burst && o->burst > 1 && o->rate <= 0)
		etl_diag_add(env->diag, &burst->mark, ETL_DIAG_RANGE, "together with rate", NULL,
			"`burst` without a `rate` limits nothing");
	if (o->breaker.max_cool_down.us < o->breaker.cool_down.us)
		etl_diag_add(env->diag, breaker ? &breaker->mark : &key->mark, ETL_DIAG_RANGE,
			"at least cool_down", NULL, "`max_cool_down` is shorter than `cool_down`");
}

/* Without a node all defaults: the rule of hosts that have none. */
static struct etld_host_rule load_host(const char *host, const struct etl_node *key,
	const struct etl_node *node, const struct etl_conf_env *env)
{
	struct host_options o = {0};

	if (etl_options_fill(host_table, node, &o, "limits.hosts", env) && key)
		check_host(host, &o, key, node, env);
	return (struct etld_host_rule){host, o.max_active,
		etl_bucket_rules_of(o.rate, o.burst < 1 ? 1 : o.burst), o.breaker};
}

/* "default" is the rule of all that have none. */
static void load_hosts(struct etld_settings *out, const struct etl_conf_env *env)
{
	const struct etl_node *node = out->limits.hosts;

	out->other_hosts = load_host(NULL, NULL, NULL, env);
	if (!node)
		return;
	if (node->kind != ETL_NODE_MAP) {
		etl_diag_add(env->diag, &node->mark, ETL_DIAG_TYPE, NULL,
			"hosts: {api.example.org: {max_active: 2, rate: 10/s}}",
			"`limits.hosts` maps a host to its limits");
		return;
	}
	out->hosts = etl_arena_zalloc(env->arena, (node->n + 1) * sizeof *out->hosts);
	for (size_t i = 0; i < node->n; i++) {
		const char *host = node->keys[i]->text;
		struct etld_host_rule rule = load_host(host, node->keys[i], node->items[i], env);

		if (etl_streq(host, others))
			out->other_hosts = rule;
		else
			out->hosts[out->n_hosts++] = rule;
	}
}

/* All errors in one pass: what depends on a value that is wrong does without it. */
void etld_settings_load(struct etld_settings *out, const struct etl_node *root,
	const struct etl_conf_env *env)
{
	const struct etl_node *listen = etl_node_get(etl_node_get(root, "web"), "listen");

	etl_options_fill(etld_settings_table, root, out, "etld.yaml", env);
	load_uri(out, env);
	load_hosts(out, env);
	if (listen && out->web.listen && !etl_streq(out->web.listen, "none"))
		etl_diag_add(env->diag, &listen->mark, ETL_DIAG_RANGE, "only none", NULL,
			"this version serves no web page");
}

/* Lent to the transfers until the next generation is in force. */
void etld_settings_http(const struct etld_settings *settings, struct etld_http_options *out)
{
	*out = (struct etld_http_options){
		.timeout = settings->http.timeout,
		.user_agent = settings->http.user_agent,
		.ipv4_only = settings->http.ipv4_only,
		.other_hosts = &settings->other_hosts,
		.rules = settings->hosts,
		.n_rules = settings->n_hosts,
	};
}
