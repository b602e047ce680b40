/* SPDX-License-Identifier: MIT
 *
 * The table of metrics, and their text. All numbers are read into one structure, and a row of the
 * table says where in it its own are. Names follow the rules that promtool checks: base units,
 * _total for counters and nothing else, a help for each. Labels have few values, but for
 * watermarks: there the number of series has a cap, and what is left out is counted.
 *
 * Example of a row and what it becomes:
 *   {"etld_mongodb_up", GAUGE, "1 if MongoDB answers.", ONE(mongodb_up)}
 *   # HELP etld_mongodb_up 1 if MongoDB answers.
 *   # TYPE etld_mongodb_up gauge
 *   etld_mongodb_up 1
 * A metric more is a row more, its line in etld(8) (the lint compares them), and a member of
 * `readings`.
 */
#include "facts/metrics.h"

#include <string.h>

#include "base/encode.h"
#include "engine/counters.h"
#include "engine/outbox.h"
#include "facts/facts.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/pool.h"
#include "source/http/breaker.h"

/* Partitions whose lag is told one by one. Two series each: some 160 KiB of a scrape. The maxima
 * count all partitions. */
#define LAG_SERIES_MAX 1000
#define LAG_NAME "etld_watermark_lag_seconds" /* as in the table */
#define LATE_NAME "etld_late_seconds"

/* ---- writing ------------------------------------------------------------------------------- */

static double seconds(etl_dur d)
{
	return (double)d.us / 1e6;
}

/* The shortest text that reads back as the same number. */
static void put_number(struct etl_buf *out, double v)
{
	char text[ETL_DOUBLE_TEXT_BYTES];

	etl_encode_double(v, text);
	etl_buf_printf(out, "%s\n", text);
}

/* What the format wants to be escaped, and nothing else: names of jobs hold none of it, partitions
 * may. */
static void put_label(struct etl_buf *out, const char *label, const char *value)
{
	etl_buf_printf(out, "%s=\"", label);
	for (; *value; value++) {
		if (*value == '\n')
			etl_buf_str(out, "\\n");
		else if (*value == '"' || *value == '\\')
			etl_buf_printf(out, "\\%c", *value);
		else
			etl_buf_char(out, *value);
	}
	etl_buf_char(out, '"');
}

static void put_sample(struct etl_buf *out, const char *name, const char *label, const char *value,
	double v)
{
	etl_buf_str(out, name);
	if (label) {
		etl_buf_char(out, '{');
		put_label(out, label, value);
		etl_buf_char(out, '}');
	}
	etl_buf_char(out, ' ');
	put_number(out, v);
}

/* Buckets are cumulative in the format and each alone in memory: the sum is made here. */
static void put_histogram(struct etl_buf *out, const char *name, const struct etld_histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ETLD_HISTOGRAM_BOUNDS; i++) {
		n += h->buckets[i];
		etl_buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, etld_histogram_bounds[i],
			(unsigned long long)n);
	}
	etl_buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", name, (unsigned long long)h->n,
		name);
	put_number(out, seconds(h->sum));
	etl_buf_printf(out, "%s_count %llu\n", name, (unsigned long long)h->n);
}

/* ---- what is told ---------------------------------------------------------------------------- */

/* Everything at the moment it is asked for. */
struct readings {
	struct etld_counters counters;
	struct etld_job_sums sums;
	struct etl_sched_facts sched;
	struct etld_pool_facts pool;
	struct etld_turns turns;
	struct etld_outbox_facts outbox;
	uint64_t hosts[ETL_BREAKER_STATE_MAX];
	double started;
	uint64_t generation, reload_ok, mongodb_up, timers;
	uint64_t live_runs, idle_workers, other_windows, left_out;
};

/* Hosts as the gates have them: those that were asked since the start, or whose state the store
 * had. */
static void count_host(void *ctx, const struct etld_gate_facts *facts)
{
	struct readings *r = ctx;

	r->hosts[facts->state.breaker.state]++;
}

/* In one turn of the loop, so that figures that belong together (busy and idle, active and waiting)
 * fit. */
static void read_all(struct readings *r, const struct etld *etld, const struct etld_job_sums *sums)
{
	*r = (struct readings){
		.counters = *etld->counters,
		.sums = *sums,
		.turns = *etld_loop_turns(etld->loop),
		.started = (double)etld->started.ms / 1e3,
		.generation = (uint64_t)etld->generation->number,
		.reload_ok = !etld->config_error,
		.mongodb_up = etld->mongodb_up,
		.timers = etl_wheel_count(etld_loop_wheel(etld->loop)),
		.other_windows = sums->open - sums->failed - sums->held,
		.left_out =
			sums->watermarks > LAG_SERIES_MAX ? sums->watermarks - LAG_SERIES_MAX : 0,
	};
	etl_sched_facts(etld->sched, &r->sched);
	r->live_runs = r->sched.active - r->sched.active_backfills;
	etld_pool_facts(etld->pool, &r->pool);
	etld_outbox_facts(etld, &r->outbox);
	r->idle_workers = r->pool.workers - r->pool.busy;
	etld_gates_each(etld_http_gates(etld->http), count_host, r);
}

enum kind {
	KIND_NONE,
	KIND_COUNT,	/* uint64_t */
	KIND_UNSIGNED,
	KIND_SECONDS,	/* etl_dur */
	KIND_REAL,
	KIND_HISTOGRAM,
};

/* One number of a metric with a label. Where a number stands, not a pointer to it: the table is
 * constant and the readings are made anew. */
struct series {
	const char *value; /* of the label */
	enum kind kind;
	size_t at; /* in struct readings */
};

/* The kind follows from the member's type: a row cannot name the wrong one. */
#define KIND_OF(member) \
	_Generic(((struct readings *)0)->member, uint64_t : KIND_COUNT, unsigned : KIND_UNSIGNED, \
		etl_dur : KIND_SECONDS, double : KIND_REAL, struct etld_histogram : KIND_HISTOGRAM)
#define AT(member) KIND_OF(member), offsetof(struct readings, member)

static const struct series run_lanes[] = {
	{"live", AT(live_runs)}, {"backfill", AT(sched.active_backfills)}};
static const struct series waiting_lanes[] = {
	{"live", AT(sched.ready)}, {"backfill", AT(sched.ready_backfills)}};
static const struct series load_results[] = {{"inserted", AT(counters.records.inserted)},
	{"updated", AT(counters.records.updated)}, {"unchanged", AT(counters.records.unchanged)},
	{"overwritten", AT(counters.records.overwritten)}, {"stale", AT(counters.records.stale)},
	{"refused", AT(counters.records.refused)}};
static const struct series window_states[] = {
#define X(name, word) {word, AT(counters.windows.name)},
	ETL_WINDOW_COUNTS(X)
#undef X
};
static const struct series worker_states[] = {{"busy", AT(pool.busy)}, {"idle", AT(idle_workers)}};
static const struct series open_states[] = {{"failed", AT(sums.failed)}, {"held", AT(sums.held)},
	{"other", AT(other_windows)}, {"dirty", AT(sums.dirty)}};

/* The words are those of status: a label of a metric and a word of etlctl are the same thing. */
static const char *health_word(int i)
{
	return etld_health_word((enum etld_health_id)i);
}

static const char *entry_word(int i)
{
	return etld_entry_word((enum etld_entry_id)i);
}

static const char *skip_word(int i)
{
	return etl_skip_word((enum etl_skip_code)i);
}

static const char *trigger_word(int i)
{
	return etl_trigger_word((enum etl_trigger_kind)i);
}

static const char *run_state_word(int i)
{
	return etl_run_state_word((enum etl_run_state)i);
}

static const char *breaker_word(int i)
{
	return etl_breaker_state_word((enum etl_breaker_state)i);
}

/* ---- what is no number at a place of its own ------------------------------------------------ */

/* A value of 1 with the version as its label, as Prometheus' own servers do it: joins give it to
 * others. */
static void write_version(struct etl_buf *out, const char *name, const struct readings *r)
{
	(void)r;
	put_sample(out, name, "version", ETL_VERSION, 1);
}

/* Each count under its own name: the laws of state/counts.h can be asked of the sums. */
static void write_records(struct etl_buf *out, const char *name, const struct readings *r)
{
	for (size_t i = 0; i < etl_counts_n; i++)
		put_sample(out, name, "count", etl_counts_rows[i].name,
			(double)etl_counts_get(&r->counters.records, &etl_counts_rows[i]));
}

/* A label that changes its value now and then, not with each turn: what the longest one was busy
 * with. */
static void write_longest_turn(struct etl_buf *out, const char *name, const struct readings *r)
{
	put_sample(out, name, "at", r->turns.longest_at, seconds(r->turns.longest));
}

/* Written while the jobs were looked at, in pieces; here they are only put in their place. */
static void write_lags(struct etl_buf *out, const char *name, const struct readings *r)
{
	(void)name;
	etl_buf_str(out, etl_buf_text(&r->sums.lags));
}

/* As write_lags. */
static void write_lates(struct etl_buf *out, const char *name, const struct readings *r)
{
	(void)name;
	etl_buf_str(out, etl_buf_text(&r->sums.lates));
}

/* ---- the table ------------------------------------------------------------------------------- */

#define COUNTER "counter"
#define GAUGE "gauge"
#define HISTOGRAM "histogram"

#define ONE(member) .one = {NULL, AT(member)}
#define SERIES(l, list) .label = (l), .series = (list), .n = sizeof(list) / sizeof *(list)
#define EACH(l, words, first, last, member) \
	.label = (l), .word = (words), .one = {NULL, AT(member[0])}, .from = (first), .to = (last)

/* Four forms of a row: ONE number; SERIES of some with a label; EACH of an array by the words of an
 * enum; or a function that writes. */
static const struct metric {
	const char *name, *type, *help;
	struct series one; /* a number without a label; */
	const char *label;
	const struct series *series; /* or one for each of these; */
	size_t n;
	/* or, from `one` on, an array of counts: those of these words; */
	const char *(*word)(int i);
	int from, to;
	/* or this writes */
	void (*write)(struct etl_buf *out, const char *name, const struct readings *r);
} metrics[] = {
	{"etld_build_info", GAUGE, "The version, as a label.", .write = write_version},
	{"etld_start_time_seconds", GAUGE, "When the daemon started, since 1970.", ONE(started)},
	{"etld_config_generation", GAUGE, "The configuration in force, counted from 1.",
		ONE(generation)},
	{"etld_config_last_reload_successful", GAUGE, "0 if the configuration on disk was refused.",
		ONE(reload_ok)},
	{"etld_mongodb_up", GAUGE, "1 if MongoDB answers.", ONE(mongodb_up)},
	{"etld_jobs", GAUGE, "Jobs by their health.",
		EACH("health", health_word, 0, ETLD_HEALTHS - 1, sums.health)},
	{"etld_slots_due_total", COUNTER,
		"Slots that fell due; one that was taken back counts again.",
		ONE(counters.slots_due)},
	{"etld_slots_skipped_total", COUNTER, "Slots that did not run, by the rule that said so.",
		EACH("code", skip_word, 0, ETL_SKIP_MAX - 1, counters.slots_skipped)},
	{"etld_slot_lateness_seconds", HISTOGRAM,
		"How long after it was due, jitter included, a slot was found.",
		ONE(counters.slot_lateness)},
	{"etld_slot_lateness_max_seconds", GAUGE, "The longest of these since the start.",
		ONE(counters.slot_lateness.max)},
	{"etld_outbox_entries", GAUGE, "What waits to be stored, by kind.",
		EACH("kind", entry_word, 0, ETLD_ENTRY_MAX - 1, outbox.waiting)},
	{"etld_outbox_age_seconds", GAUGE,
		"How long the oldest of it has waited; 0 if nothing does.",
		ONE(outbox.oldest)},
	{"etld_outbox_given_up_total", COUNTER, "What was to be stored and could not be.",
		ONE(outbox.given_up)},
	{"etld_run_start_delay_seconds", HISTOGRAM,
		"How long after its slot was due a run got its place; missed slots are left out.",
		ONE(counters.start_delay)},
	{"etld_run_start_delay_max_seconds", GAUGE, "The longest of these since the start.",
		ONE(counters.start_delay.max)},
	{"etld_runs_started_total", COUNTER, "Runs that got a place, by trigger.",
		EACH("trigger", trigger_word, 0, ETL_TRIGGER_MAX - 1, counters.started)},
	{"etld_runs_total", COUNTER, "Runs that ended, by state.",
		EACH("state", run_state_word, ETL_RUN_RUNNING + 1, ETL_RUN_BUSY, counters.ended)},
	{"etld_run_duration_seconds", HISTOGRAM, "How long runs took.", ONE(counters.run_duration)},
	{"etld_runs_active", GAUGE, "Runs that are going, by lane.", SERIES("lane", run_lanes)},
	{"etld_runs_active_limit", GAUGE, "Runs that may go at the same time.",
		ONE(sched.max_active)},
	{"etld_jobs_waiting", GAUGE, "Jobs that wait for a place, by lane.",
		SERIES("lane", waiting_lanes)},
	{"etld_records_total", COUNTER,
		"Records by what became of them; one record is in several of these.",
		.write = write_records},
	{"etld_records_read_total", COUNTER, "Records that were placed in a window.",
		ONE(counters.records.in)},
	{"etld_records_rejected_total", COUNTER, "Records that became dead letters.",
		ONE(counters.records.rejected)},
	{"etld_records_loaded_total", COUNTER, "Records that were given to the target, by result.",
		SERIES("result", load_results)},
	{"etld_warnings_total", COUNTER, "What checks and loads warned of.",
		ONE(counters.warnings)},
	{"etld_windows_total", COUNTER, "Windows that runs closed or left open, by state.",
		SERIES("state", window_states)},
	{"etld_source_requests_total", COUNTER, "Requests that runs sent to sources.",
		ONE(counters.requests)},
	{"etld_source_received_bytes_total", COUNTER, "Bytes of the answers.", ONE(counters.bytes)},
	{"etld_hosts", GAUGE, "Hosts that were asked, by the state of their breaker.",
		EACH("breaker", breaker_word, 0, ETL_BREAKER_STATE_MAX - 1, hosts)},
	{"etld_workers", GAUGE, "Worker threads, by state.", SERIES("state", worker_states)},
	{"etld_worker_tasks_waiting", GAUGE, "Tasks that wait for a worker.", ONE(pool.queued)},
	{"etld_worker_task_age_seconds", GAUGE, "How long the oldest running task has been at it.",
		ONE(pool.oldest)},
	{"etld_timers", GAUGE, "Timers that are armed.", ONE(timers)},
	{"etld_loop_turns_total", COUNTER, "Turns of the event loop.", ONE(turns.n)},
	{"etld_loop_long_turns_total", COUNTER, "Turns that took 10 ms or longer.",
		ONE(turns.n_long)},
	{"etld_loop_turn_max_seconds", GAUGE,
		"The longest turn since the start, by what took most of it.",
		.write = write_longest_turn},
	{"etld_watermark_lag_seconds", GAUGE,
		"How far a partition's watermark is behind the clock; 1,000 series at most.",
		.write = write_lags},
	{"etld_watermark_lag_max_seconds", GAUGE, "The furthest of all partitions.",
		ONE(sums.lag_max)},
	{"etld_late_seconds", GAUGE,
		"How long the oldest open window of a partition has been due; 0 if nothing is.",
		.write = write_lates},
	{"etld_late_max_seconds", GAUGE, "The longest of all partitions.", ONE(sums.late_max)},
	{"etld_windows_open", GAUGE,
		"Windows open in the ledger now, by state; dirty ones are closed and due again.",
		SERIES("state", open_states)},
	{"etld_watermarks_left_out", GAUGE, "Partitions beyond those 1,000.", ONE(left_out)},
};

/* By the kind of the member, which the compiler has chosen (KIND_OF). */
static void put_series(struct etl_buf *out, const struct metric *m, const struct series *s,
	const char *value, const struct readings *r)
{
	const char *at = (const char *)r + s->at;
	double v = s->kind == KIND_COUNT   ? (double)*(const uint64_t *)at :
		s->kind == KIND_UNSIGNED ? *(const unsigned *)at :
		s->kind == KIND_SECONDS	 ? seconds(*(const etl_dur *)at) :
		s->kind == KIND_REAL	 ? *(const double *)at :
					   0;

	if (s->kind == KIND_HISTOGRAM)
		put_histogram(out, m->name, (const struct etld_histogram *)at);
	else
		put_sample(out, m->name, m->label, value, v);
}

/* HELP and TYPE once for each name, also if no series follows: the name exists. */
static void put_metric(struct etl_buf *out, const struct metric *m, const struct readings *r)
{
	etl_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
	if (m->write)
		m->write(out, m->name, r);
	else if (!m->label)
		put_series(out, m, &m->one, NULL, r);
	for (size_t i = 0; i < m->n; i++)
		put_series(out, m, &m->series[i], m->series[i].value, r);
	for (int i = m->from; m->word && i <= m->to; i++) {
		struct series s = m->one;

		s.at += (size_t)i * sizeof(uint64_t);
		put_series(out, m, &s, m->word(i), r);
	}
}

/* In the order of the table, which is that of the manual. */
void etld_metrics_write(const struct etld *etld, const struct etld_job_sums *sums,
	struct etl_buf *out)
{
	struct readings r;

	read_all(&r, etld, sums);
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
		put_metric(out, &metrics[i], &r);
}

/* ---- what is gathered of jobs ---------------------------------------------------------------- */

/* The partition as people write it ("station=1"), so that a graph's legend can be read. */
static void put_length(struct etl_buf *out, const char *name, const struct etld_job *job, size_t i,
	etl_dur length)
{
	char partition[256];

	etl_partition_text(job->job, &job->job->partitions[i], partition, sizeof partition);
	etl_buf_printf(out, "%s{", name);
	put_label(out, "job", job->name);
	etl_buf_char(out, ',');
	put_label(out, "partition", partition);
	etl_buf_str(out, "} ");
	put_number(out, seconds(length));
}

/* The maxima are over all partitions, also those beyond the cap: an alert on them sees every one. A
 * partition without a watermark has no lag: it never ran. */
void etld_metrics_look(struct etld_job_sums *sums, const struct etld *etld,
	const struct etld_job *job)
{
	struct etld_facts facts;

	etld_facts_of(etld, job, &facts);
	sums->health[facts.health.id]++;
	sums->open += facts.windows.open;
	sums->failed += facts.windows.failed;
	sums->held += facts.windows.held;
	sums->dirty += facts.windows.dirty;
	if (facts.health.late_by.us > sums->late_max.us)
		sums->late_max = facts.health.late_by;
	for (size_t i = 0; i < job->job->n_partitions; i++) {
		struct etld_partition_facts part;

		etld_facts_of_partition(etld, job, i, &part);
		if (!part.watermark.ms)
			continue;
		if (sums->watermarks++ < LAG_SERIES_MAX) {
			put_length(&sums->lags, LAG_NAME, job, i, part.lag);
			put_length(&sums->lates, LATE_NAME, job, i, part.late_by);
		}
		if (part.lag.us > sums->lag_max.us)
			sums->lag_max = part.lag;
	}
}
