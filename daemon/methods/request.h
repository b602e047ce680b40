/* SPDX-License-Identifier: MIT
 *
 * A request: what is asked, by whom, and the way back, whichever door it came by. Its parameters
 * are resolved by the rows of the command table before its method is called. It holds the
 * configuration that it was asked under, and owns what the method puts into its arena. It ends with
 * exactly one answer or refusal, also when nobody is left to read it. Loop thread, but for what a
 * worker does.
 */
#ifndef ETLD_REQUEST_H
#define ETLD_REQUEST_H

#include "base/arena.h"
#include "base/json.h"
#include "config/access.h"
#include "config/generation.h"
#include "ctl/commands.h"
#include "ctl/message.h"
#include "engine/engine.h"
#include "engine/walk.h"
#include "io/pool.h"

struct etld_request;

/* How a door brings answers to `client`, which is its own. All JSON is taken. */
struct etld_door {
	/* The last word: the request is gone after either. */
	void (*answer)(void *client, struct etl_json *reply);
	void (*refuse)(void *client, enum etl_ctl_error error, const char *message,
		const char *hint, struct etl_json *details);
	/* An answer that others will follow. False: the client does not read, and nothing was sent.
	 */
	bool (*more)(void *client, struct etl_json *reply);
};

/* What a method wants to be so, or the request is refused before it is called. */
enum etld_needs {
	ETLD_NEEDS_STORE = 1, /* MongoDB is not known to be unreachable */
	ETLD_NEEDS_JOB = 2,   /* the job is not left out for its configuration */
};

/* At the end of its file, as `const struct etld_method etld_method_NAME`: the build finds it there
 * (packaging/registry.sh). What it takes and who may call it stands in the row of the command table
 * whose `method` has this name. */
struct etld_method {
	const char *name;
	const char *schema; /* of its last answer: "etl.status/1" */
	unsigned needs;
	int how; /* for functions that serve several methods */
	void (*call)(struct etld_request *request);
};
extern const struct etld_method *const etld_methods[]; /* ends with NULL */
const struct etld_method *etld_method_find(const char *name); /* NULL: there is none */

/* What happens when a worker is done. */
enum etld_then {
	ETLD_THEN_ANSWER, /* the reply, or the refusal of the error */
	ETLD_THEN_AGAIN,  /* a worker goes on, after request->wait */
	ETLD_THEN_KEEP,	  /* neither: somebody else has the request now */
};

struct etld_request {
	struct etld_task task;
	struct etld *etld;
	const struct etld_door *door;
	void *client; /* the door's; NULL once it has gone: answers go nowhere */
	const struct etld_method *method;
	struct etl_ctl_request message; /* owned */
	enum etld_rank rank;
	char who[80]; /* "uid 1000 (pid 4711)", for the audit */
	struct etl_arena *arena;
	struct etld_generation *generation; /* held; the next three point into it */
	/* parameters; NULL = not given */
	const struct etl_job *job;
	const struct etl_partition *partition;
	const char *id; /* of a run, or a part of it: where a job might stand as well */
	const char *group; /* that some job is in */
	const etl_wall *from, *to, *time;
	const struct etl_json *parameters; /* all of them, as the table allows; may be NULL */
	/* of the method */
	void *own;
	struct etld_request *prev, *next; /* in etld->asked, while a worker has it or it waits for one */
	struct etl_json *reply; /* so far */
	struct etl_error error; /* a worker's */
	void (*work)(struct etld_request *request);
	etl_dur wait; /* set by `work` */
	struct etl_timer wait_timer;
	enum etld_then (*then)(struct etld_request *request);
	/* The client has gone. NULL: the request goes on to its end all the same; else this ends
	 * it, now or later. */
	void (*gone)(struct etld_request *request);
};

/* ---- doors ---- */

/* Takes the message. */
struct etld_request *etld_request_new(struct etld *etld, const struct etld_door *door, void *client,
	const struct etld_peer *peer, struct etl_ctl_request *message);
/* Judges it, writes the audit, resolves its parameters and calls its method. The request may have
 * ended when this returns. dispatch.c */
void etld_dispatch(struct etld_request *request);
void etld_request_gone(struct etld_request *request);
/* Ends those that no worker will answer any more: the pool is freed, and the doors are closed. */
void etld_requests_drop(struct etld *etld);

/* ---- answers; each but `more` ends the request ---- */

/* The reply so far: at first `schema` and `generated_at`. Lent. */
struct etl_json *etld_reply(struct etld_request *request);
/* Sends it. */
void etld_answer(struct etld_request *request);
/* An answer that others will follow (taken). False if the client does not read: nothing was sent.
 */
bool etld_answer_more(struct etld_request *request, struct etl_json *message);
void etld_refuse(struct etld_request *request, enum etl_ctl_error error, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same with details of the error (taken), such as {job}. */
void etld_refuse_with(struct etld_request *request, enum etl_ctl_error error,
	struct etl_json *details, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Without a word: its client has gone. */
void etld_request_end(struct etld_request *request);

/* ---- refusals with words of their own ---- */

/* "there is no job", with the one that may have been meant. */
void etld_refuse_job(struct etld_request *request, const char *name);
void etld_refuse_group(struct etld_request *request, const char *name);
void etld_refuse_time(struct etld_request *request, const char *text);
/* Not now. `starting`: a moment later the answer may be another one. */
void etld_refuse_not_ready(struct etld_request *request, const char *reason, bool starting);
/* "the job is running", with the run. */
void etld_refuse_busy(struct etld_request *request);
/* False, and refused, if MongoDB is known to be unreachable: an answer in five seconds that says
 * the same is worth less. */
bool etld_request_ready(struct etld_request *request);

/* ---- parameters ---- */

/* The job as it is now; NULL if it has left the configuration, never while the method is called. */
struct etld_job *etld_request_job(const struct etld_request *request);
/* The job's partition that `name` means, as request->partition. False, and refused: it has none
 * such. dispatch.c */
bool etld_request_partition(struct etld_request *request, const char *name);
/* A time as people type it; one without a zone is of that by which the job's windows go, else UTC. */
bool etld_request_time(const struct etld_request *request, const char *text, etl_wall *out);
/* `range` from what was asked for; what was not stays. False, and refused: it ends before it
 * begins. */
bool etld_request_range(struct etld_request *request, struct etl_window *range);
/* The parameter `reason` ("" without one) as others may read it: without controls and passwords of
 * URLs, of as many bytes or fewer. Of the arena. */
const char *etld_request_reason(const struct etld_request *request);

/* ---- what takes longer ---- */

/* Memory for the method, zeroed, as request->own. */
void *etld_request_own(struct etld_request *request, size_t bytes);
/* `work` on a worker: it reads the request and fills `reply` or `error`. `then` on the loop after
 * it, also after an error; NULL: the answer. */
void etld_request_submit(struct etld_request *request, void (*work)(struct etld_request *request),
	enum etld_then (*then)(struct etld_request *request));

/* A look at all jobs in pieces (takes it): its `end` answers, and it ends early when the client
 * goes. */
void etld_request_walk(struct etld_walk *walk, struct etld_request *request);

#endif
