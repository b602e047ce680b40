/* SPDX-License-Identifier: MIT
 *
 * Lines of entries, one for each key. The first entry of a line may be with a worker, and no other
 * before that one is stored. A line stands in the list of its first entry's kind, or rests after a
 * failure.
 *
 * The law of the outbox, with an example. Job `a` is paused, resumed and paused again while MongoDB
 * is unreachable, and job `b` has three skipped slots. Line `a` has three entries, line `b` three.
 * When MongoDB is back the first entry of each line goes out, in tasks of one kind each; the second
 * of `a` follows when the first is stored, never beside it: were they to overtake one another, `a`
 * would end as running. `b` waits for nothing of `a`. An entry that the store refuses for good is
 * given up, told, counted, and its line goes on; one that may pass later rests, with its line,
 * while all other lines go on.
 */
#include "engine/outbox.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/str.h"
#include "engine/backend.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/pool.h"
#include "run/run.h"
#include "time/backoff.h"

#define REST_FIRST ETL_SECONDS(1)
#define REST_MOST ETL_SECONDS(15)

struct etld_entry_line {
	UT_hash_handle hh;
	struct etld_entry_line *prev, *next;
	struct etld_entry_line **list; /* in which it stands; NULL: a worker has its first entry */
	char *key;
	struct etld_entry *entries;
	unsigned attempts; /* of its first entry, that failed */
	bool busy;
};

/* What one task carries. */
struct shipment {
	struct etld_task task;
	struct shipment *prev, *next;
	struct etld *etld;
	const struct etld_entry_kind *kind;
	size_t n, sent;
	struct etl_error error; /* of the first that was not sent */
	struct etld_entry *entries[];
};

struct etld_outbox {
	struct etld_entry_line *lines; /* hash by key */
	struct etld_entry_line *resting; /* until the timer wakes them */
	struct etl_timer timer;
	struct {
		struct etld_entry_line *ready;
		struct etld_entry *waiting; /* the oldest first */
		size_t n;
		bool busy; /* a task carries some together */
	} kinds[ETLD_ENTRY_MAX];
	struct shipment *out;
	bool gave_up; /* a stopping daemon could not store, or has no time: no more is sent */
	atomic_bool hurry; /* the same, for a worker between two entries of its task */
	bool moved; /* what stood behind something that nobody wants may be of any kind */
	uint64_t given_up, looks;
};

const char *etld_entry_word(enum etld_entry_id id)
{
	static const char *const words[] = {
#define X(id, word) word,
		ETLD_ENTRY_KINDS(X)
#undef X
	};

	return words[id];
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* A line exists as long as it has entries: there are as many as jobs that have something to store.
 */
static struct etld_entry_line *line_of(struct etld_outbox *outbox, const char *key)
{
	struct etld_entry_line *line;

	HASH_FIND_STR(outbox->lines, key, line);
	if (line)
		return line;
	line = ETL_NEW(struct etld_entry_line);
	line->key = etl_strdup(key);
	HASH_ADD_KEYPTR(hh, outbox->lines, line->key, strlen(line->key), line);
	return line;
}

/* A line is in one list at most, and which one it is in says what may happen to it next. */
static void stand_nowhere(struct etld_entry_line *line)
{
	if (line->list)
		DL_DELETE(*line->list, line);
	line->list = NULL;
}

static void line_free(struct etld_outbox *outbox, struct etld_entry_line *line)
{
	stand_nowhere(line);
	HASH_DEL(outbox->lines, line);
	free(line->key);
	free(line);
}

/* Where the line belongs by its first entry; the end of it if that was the last. */
static void place(struct etld_outbox *outbox, struct etld_entry_line *line)
{
	outbox->looks++;
	if (line->busy)
		return;
	if (!line->entries) {
		line_free(outbox, line);
		return;
	}
	stand_nowhere(line);
	line->list = &outbox->kinds[line->entries->kind->id].ready;
	DL_APPEND(*line->list, line);
}

/* A worker has it now, or it is given up: it does not wait any more. */
static void count_out(struct etld_outbox *outbox, struct etld_entry *entry)
{
	DL_DELETE2(outbox->kinds[entry->kind->id].waiting, entry, older, newer);
	outbox->kinds[entry->kind->id].n--;
}

/* It leaves its line, and is nobody's any more. */
static void take_out(struct etld_outbox *outbox, struct etld_entry *entry)
{
	DL_DELETE(entry->line->entries, entry);
	place(outbox, entry->line);
}

/* The only place where an entry ends while etld goes on: told first, then freed. */
static void end_entry(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	etld->outbox->given_up += err != NULL;
	entry->kind->sent(etld, entry, err);
	entry->kind->free(entry);
}

/* The oldest goes, since what is newer says more of how things are. Entries that a worker has are
 * not counted: they may be stored already. */
static void make_room(struct etld *etld, const struct etld_entry_kind *kind)
{
	struct etld_outbox *outbox = etld->outbox;
	struct etld_entry *oldest = outbox->kinds[kind->id].waiting;
	struct etl_error err = ETL_ERROR_INIT;

	if (outbox->kinds[kind->id].n < (kind->max ? kind->max : ETLD_OUTBOX_MAX))
		return;
	etl_error_set(&err, ETL_LIMIT, "outbox.full", "too many wait for MongoDB");
	count_out(outbox, oldest);
	take_out(outbox, oldest);
	end_entry(etld, oldest, &err);
}

/* The last of the key that waits stands for it too. Not into one that a worker has: what it carries
 * is being written, and a change of it would be lost. */
static bool merged(struct etld_outbox *outbox, const char *key, const struct etld_entry_kind *kind,
	struct etld_entry *entry)
{
	struct etld_entry_line *line;
	struct etld_entry *last;

	HASH_FIND_STR(outbox->lines, key, line);
	last = line && line->entries ? line->entries->prev : NULL;
	if (!last || last->kind != kind || !kind->merge || (line->busy && last == line->entries) ||
		!kind->merge(last, entry))
		return false;
	kind->free(entry);
	return true;
}

/* A place in a list only for the first of a line: the others wait for it, wherever it is. */
void etld_outbox_put(struct etld *etld, const char *key, const struct etld_entry_kind *kind,
	struct etld_entry *entry)
{
	struct etld_outbox *outbox = etld->outbox;
	struct etld_entry_line *line;
	bool is_first;

	etld_on_loop(etld->loop);
	if (merged(outbox, key, kind, entry))
		return;
	make_room(etld, kind);
	line = line_of(outbox, key);
	is_first = !line->entries;
	entry->kind = kind;
	entry->line = line;
	entry->since = etl_mono_now(etld->clock);
	DL_APPEND(line->entries, entry);
	DL_APPEND2(outbox->kinds[kind->id].waiting, entry, older, newer);
	outbox->kinds[kind->id].n++;
	if (is_first)
		place(outbox, line);
}

/* ---- on a worker ---------------------------------------------------------------------------- */

/* One after the other until one fails: what stands behind it in the same task is put back and goes
 * again. */
static void ship_work(struct etld_task *task)
{
	struct shipment *s = (struct shipment *)task;

	etld_on_worker();
	if (s->kind->send_all) {
		if (s->kind->send_all(s->etld, s->entries, s->n, &s->error) == 0)
			s->sent = s->n;
		return;
	}
	while (s->sent < s->n && !atomic_load(&s->etld->outbox->hurry) &&
		s->kind->send(s->etld, s->entries[s->sent], &s->error) == 0)
		s->sent++;
}

/* ---- on the loop ---------------------------------------------------------------------------- */

/* Before all else of its key, and of its kind. The order among kinds is kept by the lists: what was
 * taken out first is put in front again. */
static void put_back(struct etld_outbox *outbox, struct etld_entry *entry)
{
	entry->line->busy = false;
	DL_PREPEND2(outbox->kinds[entry->kind->id].waiting, entry, older, newer);
	outbox->kinds[entry->kind->id].n++;
	place(outbox, entry->line);
}

/* All at once: the first of them to fail again rests again, and the others behind MongoDB's absence
 * with it. */
static void wake(struct etld_outbox *outbox)
{
	while (outbox->resting)
		place(outbox, outbox->resting);
}

/* Whatever rests is tried together: one look at a store that was busy tells as much as many. */
static void on_timer(struct etl_timer *timer, void *ctx)
{
	struct etld *etld = ctx;

	(void)timer;
	wake(etld->outbox);
	etld_outbox_flush(etld);
}

/* The pause is that of the line that came to rest first: those that follow wake with it. Growing by
 * how often the first entry has failed, spread by who we are: 1 s, 2 s, 4 s … 15 s. */
static void rest(struct etld *etld, struct etld_entry_line *line)
{
	struct etld_outbox *outbox = etld->outbox;
	etl_dur wait = etl_backoff(line->attempts, REST_FIRST, REST_MOST,
		etl_hash64(etld->holder, strlen(etld->holder), line->attempts));

	stand_nowhere(line);
	line->list = &outbox->resting;
	DL_APPEND(outbox->resting, line);
	if (!etl_timer_is_armed(&outbox->timer))
		etl_timer_arm(etld_loop_wheel(etld->loop), &outbox->timer,
			etl_mono_add(etl_mono_now(etld->clock), wait));
}

/* The line's next entry may go from here on (take_out places the line anew). */
static void finish(struct etld *etld, struct etld_entry *entry, const struct etl_error *err)
{
	entry->line->busy = false;
	entry->line->attempts = 0;
	take_out(etld->outbox, entry);
	end_entry(etld, entry, err);
}

/* One of several may be what all were refused for: then each goes by itself. MongoDB that cannot be
 * reached is news for the whole daemon, and the entries wait for its return without a timer of
 * their own; any other failure that may pass rests; one that never will ends the entry, told. */
static void take_failure(struct etld *etld, struct shipment *s)
{
	struct etld_outbox *outbox = etld->outbox;
	struct etld_entry *failed = s->entries[s->sent];
	bool may_pass = s->error.kind == ETL_TRANSIENT;
	bool apart = !may_pass && s->kind->send_all && s->n > 1;

	for (size_t i = s->n; i > s->sent + 1; i--) {
		s->entries[i - 1]->alone |= apart;
		put_back(outbox, s->entries[i - 1]);
	}
	failed->alone |= apart;
	if (!may_pass && !apart) {
		finish(etld, failed, &s->error);
		return;
	}
	failed->line->attempts += may_pass;
	put_back(outbox, failed);
	outbox->gave_up |= may_pass && etld->draining;
	if (etl_store_is_unreachable(&s->error))
		etld_backend_lost(etld, &s->error);
	else if (may_pass)
		rest(etld, failed->line);
}

/* What was stored ends first, so that the failure behind it finds its line as it is. */
static void shipped(struct etld_task *task)
{
	struct shipment *s = (struct shipment *)task;
	struct etld *etld = s->etld;

	DL_DELETE(etld->outbox->out, s);
	etld->outbox->kinds[s->kind->id].busy = false;
	for (size_t i = 0; i < s->sent; i++)
		finish(etld, s->entries[i], NULL);
	if (s->sent < s->n && s->error.kind == ETL_OK) /* in a hurry */
		while (s->n > s->sent)
			put_back(etld->outbox, s->entries[--s->n]);
	else if (s->sent < s->n)
		take_failure(etld, s);
	free(s);
	etld_outbox_flush(etld);
	if (etld->draining)
		etld->news->changed(etld);
}

/* Asked last of all whether it is still wanted: an alert about a job that was paused meanwhile is
 * not sent. */
static void take(struct etld_outbox *outbox, struct shipment *s, struct etld_entry_line *line)
{
	struct etld_entry *entry = line->entries;

	outbox->looks++;
	stand_nowhere(line);
	count_out(outbox, entry);
	if (s->kind->wanted && !s->kind->wanted(entry)) {
		take_out(outbox, entry);
		s->kind->free(entry);
		outbox->moved = true;
		return;
	}
	line->busy = true;
	s->entries[s->n++] = entry;
}

/* As many of the kind as one task carries. An entry that was refused together with others goes by
 * itself the next time (`alone`), so that one bad note does not keep a thousand good ones. */
static struct shipment *load(struct etld *etld, enum etld_entry_id id)
{
	struct etld_entry_line **ready = &etld->outbox->kinds[id].ready;
	const struct etld_entry_kind *kind = (*ready)->entries->kind;
	size_t most = kind->together && !(*ready)->entries->alone ? kind->together : 1;
	struct shipment *s;

	if (most > etld->outbox->kinds[id].n)
		most = etld->outbox->kinds[id].n;
	s = etl_calloc(1, sizeof *s + most * sizeof *s->entries);
	s->etld = etld;
	s->kind = kind;
	s->error = (struct etl_error)ETL_ERROR_INIT;
	while (s->n < most && *ready && (*ready)->entries->kind == kind &&
		!(s->n && (*ready)->entries->alone))
		take(etld->outbox, s, *ready);
	if (s->n)
		return s;
	free(s);
	return NULL;
}

/* The task is named after its kind, and after its key if it has one: "a worker has been at the task
 * 'records' of job airqino". */
static void send(struct etld *etld, enum etld_entry_id id)
{
	struct shipment *s = load(etld, id);

	if (!s)
		return;
	etld->outbox->kinds[id].busy = s->kind->together;
	s->task = (struct etld_task){.work = ship_work,
		.done = shipped,
		.name = etld_entry_word(id),
		.of = s->n == 1 && *s->entries[0]->line->key ? s->entries[0]->line->key : NULL};
	DL_APPEND(etld->outbox->out, s);
	etld_pool_submit(etld->pool, &s->task);
}

/* Until nothing more may go: what nobody wants any more is dropped on the way, and may uncover an
 * entry of a kind that was looked at already. */
void etld_outbox_flush(struct etld *etld)
{
	struct etld_outbox *outbox = etld->outbox;

	etld_on_loop(etld->loop);
	if (!etld->mongodb_up || outbox->gave_up)
		return;
	do {
		outbox->moved = false;
		for (int id = 0; id < ETLD_ENTRY_MAX; id++)
			while (outbox->kinds[id].ready && !outbox->kinds[id].busy)
				send(etld, (enum etld_entry_id)id);
	} while (outbox->moved);
}

void etld_outbox_up(struct etld *etld)
{
	wake(etld->outbox);
	etld_outbox_flush(etld);
}

/* At a stop each entry is sent once more at the most: `gave_up` is set by the first that finds the
 * store unreachable, so that a stop does not wait out the pauses between attempts. */
bool etld_outbox_settling(struct etld *etld)
{
	etld_outbox_up(etld);
	return etld->outbox->out != NULL;
}

void etld_outbox_give_up(struct etld *etld)
{
	etld->outbox->gave_up = true;
	atomic_store(&etld->outbox->hurry, true);
}

void etld_outbox_facts(const struct etld *etld, struct etld_outbox_facts *out)
{
	const struct etld_outbox *outbox = etld->outbox;
	etl_mono now = etl_mono_now(etld->clock);

	*out = (struct etld_outbox_facts){.given_up = outbox->given_up, .looks = outbox->looks};
	for (int id = 0; id < ETLD_ENTRY_MAX; id++) {
		const struct etld_entry *oldest = outbox->kinds[id].waiting;

		out->waiting[id] = outbox->kinds[id].n;
		if (oldest && etl_mono_diff(now, oldest->since).us > out->oldest.us)
			out->oldest = etl_mono_diff(now, oldest->since);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

void etld_outbox_open(struct etld *etld)
{
	etld->outbox = ETL_NEW(struct etld_outbox);
	etld->outbox->timer = (struct etl_timer){.fire = on_timer, .ctx = etld, .name = "outbox"};
}

/* One line with a number for each kind: who restarts etld in the middle of an outage must know the
 * price. */
static void tell_lost(const size_t *lost, bool back)
{
	ETL_BUF_CLEANUP struct etl_buf text;

	etl_buf_init(&text, 1024);
	for (int id = 0; id < ETLD_ENTRY_MAX; id++)
		if (lost[id])
			etl_buf_printf(&text, "%s%s %zu", text.len ? ", " : "",
				etld_entry_word((enum etld_entry_id)id), lost[id]);
	if (text.len)
		etld_log(ETLD_WARNING, NULL, NULL, 0,
			"etld ends before MongoDB %s, what it was to store is lost: %s",
			back ? "has taken all" : "is back", etl_buf_text(&text));
}

/* Tasks that were out have ended with the workers, and their entries are still in their lines: they
 * count as lost, though the store may have them. */
void etld_outbox_free(struct etld *etld)
{
	struct etld_outbox *outbox = etld->outbox;
	struct etld_entry_line *line, *next;
	struct etld_entry *entry, *after;
	struct shipment *s, *later;
	size_t lost[ETLD_ENTRY_MAX] = {0};

	if (!outbox)
		return;
	HASH_ITER(hh, outbox->lines, line, next) {
		DL_FOREACH_SAFE(line->entries, entry, after) {
			bool wanted = !entry->kind->wanted || entry->kind->wanted(entry);

			lost[entry->kind->id] += wanted;
			if (wanted && entry->kind->lost)
				entry->kind->lost(entry);
			entry->kind->free(entry);
		}
		line_free(outbox, line);
	}
	DL_FOREACH_SAFE(outbox->out, s, later)
		free(s);
	tell_lost(lost, etld->mongodb_up);
	etl_timer_cancel(etld_loop_wheel(etld->loop), &outbox->timer);
	free(ETL_TAKE(etld->outbox));
}
