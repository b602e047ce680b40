/* SPDX-License-Identifier: MIT
 *
 * One function for each method of the control interface (lib/ctl/README.md says what each
 * takes and gives). Quick ones answer at once; those that ask MongoDB go to a worker. Loop
 * thread.
 */
#ifndef ETLD_METHODS_H
#define ETLD_METHODS_H

#include "ctl/commands.h"
#include "doors/control.h"
#include "engine/backend.h"
#include "engine/deadline.h"
#include "engine/exec.h"
#include "engine/sched.h"
#include "engine/slots.h"
#include "facts/blocked.h"
#include "io/loop.h"
#include "io/pool.h"
#include "mongo/mongo.h"

typedef void (*etld_handler)(struct etld_request *request);

/* NULL for commands that etlctl does by itself. */
etld_handler etld_handler_of(enum etl_command_id id);

/* status.c */
void etld_handle_status(struct etld_request *request);
void etld_handle_jobs(struct etld_request *request);
void etld_handle_graph(struct etld_request *request); /* graph.c */
void etld_handle_next(struct etld_request *request);
void etld_handle_version(struct etld_request *request);
/* run.c */
void etld_handle_run(struct etld_request *request);
/* backfill.c */
void etld_handle_backfill(struct etld_request *request);
void etld_handle_backfills(struct etld_request *request);
void etld_handle_cancel(struct etld_request *request);
/* pause.c */
void etld_handle_pause(struct etld_request *request);
void etld_pauses_free(struct etld *etld); /* the workers are gone */
void etld_handle_host_release(struct etld_request *request); /* host.c */
/* "hosts": those whose breaker is not closed, or who asked to be left alone. host.c */
void etld_hosts_show(struct etld *etld, struct etl_json *reply);
void etld_handle_resume(struct etld_request *request);
void etld_handle_reload(struct etld_request *request); /* reload.c */
/* store.c: these ask MongoDB */
void etld_handle_runs(struct etld_request *request);
void etld_handle_show(struct etld_request *request);
void etld_handle_windows(struct etld_request *request);
/* watermark.c */
void etld_handle_watermark_show(struct etld_request *request);
void etld_handle_watermark_set(struct etld_request *request);
void etld_handle_watermark_rewind(struct etld_request *request);
void etld_handle_watermark_undo(struct etld_request *request);
void etld_handle_watermark_history(struct etld_request *request);
/* decide.c: one unit, by an operator */
void etld_handle_windows_accept(struct etld_request *request);
void etld_handle_held_release(struct etld_request *request);
void etld_handle_held_discard(struct etld_request *request);
void etld_handle_held_list(struct etld_request *request); /* held.c */
/* [{check, field, value, limit, released}] of what holds a unit. */
void etld_json_held(struct etl_json *to, const char *key, const struct etl_held *held);

/* dead.c */
void etld_handle_dead_list(struct etld_request *request);
void etld_handle_dead_show(struct etld_request *request);

/* methods.c: what they share */

/* The job that parameter `job` names. NULL: there is none, the request is answered and with it
 * gone, its parameters too: read them after this call. */
struct etld_job *etld_request_job(struct etld_request *request);

/* "there is no job", with the one that may have been meant. */
void etld_refuse_job(struct etld_request *request, const char *name);

/* "the job has no such partition", with the command that lists those that it has. */
void etld_refuse_partition(struct etld_request *request, const struct etl_job *job, const char *name);

/* False, and the request is answered, if MongoDB is known to be unreachable: an answer in five
 * seconds that says the same is worth less. */
bool etld_request_ready(struct etld_request *request);

/* False, and the request is answered, if the job is left out for its configuration: it neither
 * runs nor moves. */
bool etld_request_right(struct etld_request *request, const struct etld_job *job);

/* Not now. `starting`: a moment later the answer may be another one. */
void etld_refuse_not_ready(struct etld_request *request, const char *reason, bool starting);

/* "job is running", with the run. */
void etld_refuse_busy(struct etld_request *request, const struct etld_job *job);

/* A final answer's object with `schema` and `generated_at`. */
struct etl_json *etld_reply_object(const struct etld *etld, const char *schema);

void etld_json_time(struct etl_json *to, const char *key, etl_wall t); /* ms == 0: null */

/* The time that the parameter `name` gives (etl_time_parse); without it `out` keeps what it has.
 * False: it is not a time, and the request is answered. */
bool etld_request_time(struct etld_request *request, const char *name, etl_wall *out);

/* The parameter `reason` ("" without one) as others may read it: without controls and passwords of
 * URLs, of as many bytes or fewer. Owned by the caller. */
char *etld_request_reason(const struct etld_request *request);

/* Adds "partition" so; of a job (NULL) or a partition that is not configured by the bare name. */
void etld_json_partition(struct etl_json *to, const struct etl_job *job, const char *name);
/* The one that the parameter `partition` means; NULL = no one is asked for. False: the job has none
 * of that name, and the request is answered. */
bool etld_request_partition(struct etld_request *request, const struct etl_job *job,
	const struct etl_partition **out);

/* Worker: the record of the run that is meant so; `out` is made. -1 with "no_such_run" if none
 * or more than one is. store.c */
int etld_run_find(struct etl_state *state, const char *id, bson_t *out, struct etl_error *err);

/* why.c: what a question names. Is it an id rather than a job's name? The job whose run of
 * this id goes, NULL = none: such a run has no record yet. The job's window that holds the time of
 * `text` ([0, 0) of a job without windows); false: the request is answered. */
bool etld_may_be_id(const char *text);
struct etld_job *etld_job_that_runs(struct etld *etld, const char *id);
bool etld_request_window(struct etld_request *request, const struct etl_job *job, const char *text,
	struct etl_window *out);

/* A list that is printed as it is made: a tree of thousands of items would cost the loop as much
 * again to build, to print and to free in one piece. `list` is empty at first; takes the item. */
void etld_list_add(struct etl_buf *list, struct etl_json *item);
/* Its end. False: it is longer than an answer may be (the cap of the buffer). */
bool etld_list_end(struct etl_buf *list);

/* A BSON document as JSON: dates as RFC 3339 text, numbers as they are. */
struct etl_json *etld_json_of_bson(const bson_t *doc);

struct etl_change_walk;
/* Loop: what a walk has written so far into the job's watermarks, its deadline and those who wait
 * for it; `over`: it goes no further. watermark.c */
void etld_change_taken(struct etld *etld, const char *job, const struct etl_change_walk *walk,
	bool over);

/* A task for a worker that works on behalf of a request. */
struct etld_query {
	struct etld_task task;
	struct etld *etld;
	struct etld_request *request; /* NULL once its client has gone */
	struct etl_error error;
	struct etl_json *reply; /* what the worker made */
	/* On the loop each time that the worker is done, also after an error: true = the task is
	 * for a worker again. May be NULL. */
	bool (*again)(struct etld_query *query);
	void (*free)(struct etld_query *query);
};
void etld_query_submit(struct etld_query *query, struct etld_request *request,
	void (*work)(struct etld_task *task));
/* The same in two steps, where the loop has more to do between them: from the first on the client
 * may go. */
void etld_query_bind(struct etld_query *query, struct etld_request *request);
void etld_query_send(struct etld_query *query, void (*work)(struct etld_task *task));
/* One that goes to no worker, with its reply. */
void etld_query_drop(struct etld_query *query);

/* simulate.c */
void etld_handle_simulate(struct etld_request *request);

/* why.c */
void etld_handle_why(struct etld_request *request);

/* explain.c */
void etld_handle_metrics(struct etld_request *request);

#endif
