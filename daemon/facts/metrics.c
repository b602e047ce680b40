/* SPDX-License-Identifier: MIT
 *
 * The table of metrics, and their text. Names follow the rules that promtool checks: base
 * units, _total for counters and nothing else, a help for each. Labels have few values, but
 * for watermarks: there the number of series has a cap, and what is left out is counted.
 */
#include "facts/metrics.h"

#include <string.h>

#include "base/encode.h"
#include "engine/counters.h"
#include "engine/outbox.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/pool.h"
#include "source/http/breaker.h"

/* Partitions whose lag is told one by one. */
#define LAG_SERIES_MAX 1000
#define LAG_NAME "etld_watermark_lag_seconds" /* as in the table */
#define LATE_NAME "etld_late_seconds"

/* ---- writing ------------------------------------------------------------------------------- */

static double seconds(etl_dur d)
{
	return (double)d.us / 1e6;
}

struct writer {
	const struct etld_job_sums *sums;
	struct etl_buf *out;
	const char *name; /* of the metric that is being written */
};

static void put_number(struct etl_buf *out, double v)
{
	char text[ETL_DOUBLE_TEXT_BYTES];

	etl_encode_double(v, text);
	etl_buf_printf(out, "%s\n", text);
}

static void sample(const struct writer *w, double v)
{
	etl_buf_printf(w->out, "%s ", w->name);
	put_number(w->out, v);
}

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

static void labelled(const struct writer *w, const char *label, const char *value, double v)
{
	etl_buf_printf(w->out, "%s{", w->name);
	put_label(w->out, label, value);
	etl_buf_str(w->out, "} ");
	put_number(w->out, v);
}

static void histogram(const struct writer *w, const struct etld_histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ETLD_HISTOGRAM_BOUNDS; i++) {
		n += h->buckets[i];
		etl_buf_printf(w->out, "%s_bucket{le=\"%g\"} %llu\n", w->name, etld_histogram_bounds[i],
			(unsigned long long)n);
	}
	etl_buf_printf(w->out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", w->name,
		(unsigned long long)h->n, w->name);
	put_number(w->out, seconds(h->sum));
	etl_buf_printf(w->out, "%s_count %llu\n", w->name, (unsigned long long)h->n);
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void build_info(const struct writer *w, const struct etld *etld)
{
	(void)etld;
	labelled(w, "version", ETL_VERSION, 1);
}

static void start_time(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->started.ms / 1e3);
}

static void generation(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->generation->number);
}

static void reload_ok(const struct writer *w, const struct etld *etld)
{
	sample(w, !etld->config_error);
}

static void mongodb_up(const struct writer *w, const struct etld *etld)
{
	sample(w, etld->mongodb_up);
}

static void jobs(const struct writer *w, const struct etld *etld)
{
	(void)etld;
	for (int i = 0; i < ETLD_HEALTHS; i++)
		labelled(w, "health", etld_health_word((enum etld_health_id)i), (double)w->sums->health[i]);
}

static void slots_due(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->counters->slots_due);
}

static void slots_skipped(const struct writer *w, const struct etld *etld)
{
	for (int i = 0; i < ETL_SKIP_MAX; i++)
		labelled(w, "code", etl_skip_word((enum etl_skip_code)i),
			(double)etld->counters->slots_skipped[i]);
}

static void slot_lateness(const struct writer *w, const struct etld *etld)
{
	histogram(w, &etld->counters->slot_lateness);
}

static void slot_lateness_max(const struct writer *w, const struct etld *etld)
{
	sample(w, seconds(etld->counters->slot_lateness.max));
}

static void outbox_entries(const struct writer *w, const struct etld *etld)
{
	struct etld_outbox_facts facts;

	etld_outbox_facts(etld, &facts);
	for (int id = 0; id < ETLD_ENTRY_MAX; id++)
		labelled(w, "kind", etld_entry_word((enum etld_entry_id)id), (double)facts.waiting[id]);
}

static void outbox_age(const struct writer *w, const struct etld *etld)
{
	struct etld_outbox_facts facts;

	etld_outbox_facts(etld, &facts);
	sample(w, seconds(facts.oldest));
}

static void outbox_given_up(const struct writer *w, const struct etld *etld)
{
	struct etld_outbox_facts facts;

	etld_outbox_facts(etld, &facts);
	sample(w, (double)facts.given_up);
}

static void start_delay(const struct writer *w, const struct etld *etld)
{
	histogram(w, &etld->counters->start_delay);
}

static void start_delay_max(const struct writer *w, const struct etld *etld)
{
	sample(w, seconds(etld->counters->start_delay.max));
}

static void runs_started(const struct writer *w, const struct etld *etld)
{
	for (int i = 0; i < ETL_TRIGGER_MAX; i++)
		labelled(w, "trigger", etl_trigger_word((enum etl_trigger_kind)i),
			(double)etld->counters->started[i]);
}

static void runs_ended(const struct writer *w, const struct etld *etld)
{
	for (int i = ETL_RUN_RUNNING + 1; i <= ETL_RUN_BUSY; i++)
		labelled(w, "state", etl_run_state_word((enum etl_run_state)i),
			(double)etld->counters->ended[i]);
}

static void run_duration(const struct writer *w, const struct etld *etld)
{
	histogram(w, &etld->counters->run_duration);
}

static void runs_active(const struct writer *w, const struct etld *etld)
{
	struct etl_sched_facts facts;

	etl_sched_facts(etld->sched, &facts);
	labelled(w, "lane", "live", facts.active - facts.active_backfills);
	labelled(w, "lane", "backfill", facts.active_backfills);
}

static void runs_limit(const struct writer *w, const struct etld *etld)
{
	struct etl_sched_facts facts;

	etl_sched_facts(etld->sched, &facts);
	sample(w, facts.max_active);
}

static void jobs_waiting(const struct writer *w, const struct etld *etld)
{
	struct etl_sched_facts facts;

	etl_sched_facts(etld->sched, &facts);
	labelled(w, "lane", "live", (double)facts.ready);
	labelled(w, "lane", "backfill", (double)facts.ready_backfills);
}

/* Each count under its own name: the laws of state/counts.h can be asked of the sums. */
static void records(const struct writer *w, const struct etld *etld)
{
	for (size_t i = 0; i < etl_counts_n; i++)
		labelled(w, "count", etl_counts_rows[i].name,
			(double)etl_counts_get(&etld->counters->records, &etl_counts_rows[i]));
}

static void records_read(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->counters->records.in);
}

static void records_rejected(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->counters->records.rejected);
}

static void records_loaded(const struct writer *w, const struct etld *etld)
{
	const struct etl_counts *records = &etld->counters->records;

	labelled(w, "result", "inserted", (double)records->inserted);
	labelled(w, "result", "updated", (double)records->updated);
	labelled(w, "result", "unchanged", (double)records->unchanged);
	labelled(w, "result", "overwritten", (double)records->overwritten);
	labelled(w, "result", "stale", (double)records->stale);
	labelled(w, "result", "refused", (double)records->refused);
}

static void warnings(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->counters->warnings);
}

static void windows(const struct writer *w, const struct etld *etld)
{
	const struct etld_counters *m = etld->counters;

	labelled(w, "state", etl_window_state_word(ETL_WINDOW_LOADED), (double)m->windows_loaded);
	labelled(w, "state", etl_window_state_word(ETL_WINDOW_EMPTY), (double)m->windows_empty);
	labelled(w, "state", etl_window_state_word(ETL_WINDOW_FAILED), (double)m->windows_failed);
	labelled(w, "state", etl_window_state_word(ETL_WINDOW_HELD), (double)m->windows_held);
	labelled(w, "state", etl_window_state_word(ETL_WINDOW_UNRECOVERABLE),
		(double)m->windows_lost);
	labelled(w, "state", "discarded", (double)m->windows_discarded);
}

static void requests(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->counters->requests);
}

static void received(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld->counters->bytes);
}

struct host_count {
	uint64_t n[ETL_BREAKER_STATE_MAX];
};

static void count_host(void *ctx, const struct etld_gate_facts *facts)
{
	struct host_count *count = ctx;

	count->n[facts->state.breaker.state]++;
}

static void hosts(const struct writer *w, const struct etld *etld)
{
	struct host_count count = {{0}};

	etld_gates_each(etld_http_gates(etld->http), count_host, &count);
	for (int i = 0; i < ETL_BREAKER_STATE_MAX; i++)
		labelled(w, "breaker", etl_breaker_state_word((enum etl_breaker_state)i),
			(double)count.n[i]);
}

static void workers(const struct writer *w, const struct etld *etld)
{
	struct etld_pool_facts facts;

	etld_pool_facts(etld->pool, &facts);
	labelled(w, "state", "busy", facts.busy);
	labelled(w, "state", "idle", facts.workers - facts.busy);
}

static void worker_tasks(const struct writer *w, const struct etld *etld)
{
	struct etld_pool_facts facts;

	etld_pool_facts(etld->pool, &facts);
	sample(w, (double)facts.queued);
}

static void worker_oldest(const struct writer *w, const struct etld *etld)
{
	struct etld_pool_facts facts;

	etld_pool_facts(etld->pool, &facts);
	sample(w, seconds(facts.oldest));
}

static void timers(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etl_wheel_count(etld_loop_wheel(etld->loop)));
}

static void loop_turns(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld_loop_turns(etld->loop)->n);
}

static void long_turns(const struct writer *w, const struct etld *etld)
{
	sample(w, (double)etld_loop_turns(etld->loop)->n_long);
}

static void longest_turn(const struct writer *w, const struct etld *etld)
{
	const struct etld_turns *turns = etld_loop_turns(etld->loop);

	labelled(w, "at", turns->longest_at, seconds(turns->longest));
}

/* ---- watermarks ------------------------------------------------------------------------------ */

static void watermark_lag(const struct writer *w, const struct etld *etld)
{
	(void)etld;
	etl_buf_str(w->out, etl_buf_text(&w->sums->lags));
}

static void watermark_lag_max(const struct writer *w, const struct etld *etld)
{
	(void)etld;
	sample(w, seconds(w->sums->lag_max));
}

static void late(const struct writer *w, const struct etld *etld)
{
	(void)etld;
	etl_buf_str(w->out, etl_buf_text(&w->sums->lates));
}

static void late_max(const struct writer *w, const struct etld *etld)
{
	(void)etld;
	sample(w, seconds(w->sums->late_max));
}

static void windows_open(const struct writer *w, const struct etld *etld)
{
	const struct etld_job_sums *s = w->sums;

	(void)etld;
	labelled(w, "state", "failed", (double)s->failed);
	labelled(w, "state", "held", (double)s->held);
	labelled(w, "state", "other", (double)(s->open - s->failed - s->held));
	labelled(w, "state", "dirty", (double)s->dirty);
}

static void watermarks_left_out(const struct writer *w, const struct etld *etld)
{
	uint64_t n = w->sums->watermarks;

	(void)etld;
	sample(w, n > LAG_SERIES_MAX ? (double)(n - LAG_SERIES_MAX) : 0);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define COUNTER "counter"
#define GAUGE "gauge"
#define HISTOGRAM "histogram"

static const struct metric {
	const char *name, *type, *help;
	void (*write)(const struct writer *w, const struct etld *etld);
} metrics[] = {
	{"etld_build_info", GAUGE, "The version, as a label.", build_info},
	{"etld_start_time_seconds", GAUGE, "When the daemon started, since 1970.", start_time},
	{"etld_config_generation", GAUGE, "The configuration in force, counted from 1.", generation},
	{"etld_config_last_reload_successful", GAUGE, "0 if the configuration on disk was refused.",
		reload_ok},
	{"etld_mongodb_up", GAUGE, "1 if MongoDB answers.", mongodb_up},
	{"etld_jobs", GAUGE, "Jobs by their health.", jobs},
	{"etld_slots_due_total", COUNTER,
		"Slots that fell due; one that was taken back counts again.", slots_due},
	{"etld_slots_skipped_total", COUNTER, "Slots that did not run, by the rule that said so.",
		slots_skipped},
	{"etld_slot_lateness_seconds", HISTOGRAM,
		"How long after it was due, jitter included, a slot was found.", slot_lateness},
	{"etld_slot_lateness_max_seconds", GAUGE, "The longest of these since the start.",
		slot_lateness_max},
	{"etld_outbox_entries", GAUGE, "What waits to be stored, by kind.", outbox_entries},
	{"etld_outbox_age_seconds", GAUGE, "How long the oldest of it has waited; 0 if nothing does.",
		outbox_age},
	{"etld_outbox_given_up_total", COUNTER, "What was to be stored and could not be.",
		outbox_given_up},
	{"etld_run_start_delay_seconds", HISTOGRAM,
		"How long after its slot was due a run got its place; missed slots are left out.",
		start_delay},
	{"etld_run_start_delay_max_seconds", GAUGE, "The longest of these since the start.",
		start_delay_max},
	{"etld_runs_started_total", COUNTER, "Runs that got a place, by trigger.", runs_started},
	{"etld_runs_total", COUNTER, "Runs that ended, by state.", runs_ended},
	{"etld_run_duration_seconds", HISTOGRAM, "How long runs took.", run_duration},
	{"etld_runs_active", GAUGE, "Runs that are going, by lane.", runs_active},
	{"etld_runs_active_limit", GAUGE, "Runs that may go at the same time.", runs_limit},
	{"etld_jobs_waiting", GAUGE, "Jobs that wait for a place, by lane.", jobs_waiting},
	{"etld_records_total", COUNTER,
		"Records by what became of them; one record is in several of these.", records},
	{"etld_records_read_total", COUNTER, "Records that were placed in a window.", records_read},
	{"etld_records_rejected_total", COUNTER, "Records that became dead letters.",
		records_rejected},
	{"etld_records_loaded_total", COUNTER, "Records that were given to the target, by result.",
		records_loaded},
	{"etld_warnings_total", COUNTER, "What checks and loads warned of.", warnings},
	{"etld_windows_total", COUNTER, "Windows that runs closed or left open, by state.", windows},
	{"etld_source_requests_total", COUNTER, "Requests that runs sent to sources.", requests},
	{"etld_source_received_bytes_total", COUNTER, "Bytes of the answers.", received},
	{"etld_hosts", GAUGE, "Hosts that were asked, by the state of their breaker.", hosts},
	{"etld_workers", GAUGE, "Worker threads, by state.", workers},
	{"etld_worker_tasks_waiting", GAUGE, "Tasks that wait for a worker.", worker_tasks},
	{"etld_worker_task_age_seconds", GAUGE, "How long the oldest running task has been at it.",
		worker_oldest},
	{"etld_timers", GAUGE, "Timers that are armed.", timers},
	{"etld_loop_turns_total", COUNTER, "Turns of the event loop.", loop_turns},
	{"etld_loop_long_turns_total", COUNTER, "Turns that took 10 ms or longer.", long_turns},
	{"etld_loop_turn_max_seconds", GAUGE, "The longest turn since the start, by what took most of it.",
		longest_turn},
	{"etld_watermark_lag_seconds", GAUGE,
		"How far a partition's watermark is behind the clock; 1,000 series at most.",
		watermark_lag},
	{"etld_watermark_lag_max_seconds", GAUGE, "The furthest of all partitions.",
		watermark_lag_max},
	{"etld_late_seconds", GAUGE,
		"How long the oldest open window of a partition has been due; 0 if nothing is.", late},
	{"etld_late_max_seconds", GAUGE, "The longest of all partitions.", late_max},
	{"etld_windows_open", GAUGE,
		"Windows that the ledger has open now, by state; dirty ones are closed and due again.",
		windows_open},
	{"etld_watermarks_left_out", GAUGE, "Partitions beyond those 1,000.", watermarks_left_out},
};

void etld_metrics_write(const struct etld *etld, const struct etld_job_sums *sums,
	struct etl_buf *out)
{
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
		const struct metric *m = &metrics[i];
		const struct writer w = {sums, out, m->name};

		etl_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
		m->write(&w, etld);
	}
}

/* ---- what is gathered of jobs ---------------------------------------------------------------- */

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

void etld_metrics_look(struct etld_job_sums *sums, const struct etld *etld,
	const struct etld_job *job)
{
	etl_wall now = etl_now(etld->clock);
	struct etld_health health;

	etld_job_health(etld, job, &health);
	sums->health[health.id]++;
	sums->open += job->windows.open;
	sums->failed += job->windows.failed;
	sums->held += job->windows.held;
	sums->dirty += job->windows.dirty;
	if (health.late_by.us > sums->late_max.us)
		sums->late_max = health.late_by;
	for (size_t i = 0; i < job->job->n_partitions; i++) {
		etl_dur lag = etl_wall_age(now, job->partitions[i].watermark);

		if (!job->partitions[i].watermark.ms)
			continue;
		if (sums->watermarks++ < LAG_SERIES_MAX) {
			put_length(&sums->lags, LAG_NAME, job, i, lag);
			put_length(&sums->lates, LATE_NAME, job, i, etld_partition_late(etld, job, i));
		}
		if (lag.us > sums->lag_max.us)
			sums->lag_max = lag;
	}
}
