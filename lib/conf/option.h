/* SPDX-License-Identifier: MIT
 *
 * Typed option tables. A component declares its options once, as rows; the same rows fill
 * its struct, make the errors and their hints, and print the manual and the schema.
 *
 *   struct opts { const char *url; etl_dur timeout; };
 *   static const struct etl_option options[] = {
 *       {.name = "url", .type = ETL_OPT_STRING, .offset = offsetof(struct opts, url),
 *        .required = true, .help = "where to ask"},
 *       {.name = "timeout", .type = ETL_OPT_DURATION, .offset = offsetof(struct opts, timeout),
 *        .fallback = "60s", .min = 1, .max = 3600, .help = "for the whole answer"},
 *       {0}};
 *
 * A table whose only row has the name "" describes the whole body: `keep: [a, b]`,
 * `rename: {a: b}`. Everything that is filled lives in the arena given. Loader's thread.
 */
#ifndef ETL_CONF_OPTION_H
#define ETL_CONF_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "conf/diag.h"
#include "conf/node.h"
#include "time/clock.h"
#include "time/grid.h"

enum etl_option_type {
	ETL_OPT_STRING,	  /* const char *; NULL when absent without fallback */
	ETL_OPT_BOOL,	  /* bool; only true and false */
	ETL_OPT_INT,	  /* int64_t within min..max */
	ETL_OPT_DOUBLE,	  /* double within min..max; min == max == 0 means any */
	ETL_OPT_DURATION, /* etl_dur; min and max in seconds; a bare number is an error */
	ETL_OPT_STEP,	  /* struct etl_grid_step: 6h 1d 1mo 1y; min and max in seconds, of its mean length */
	ETL_OPT_SIZE,	  /* uint64_t bytes: 512B 64KiB 1MiB 2GiB */
	ETL_OPT_RATE,	  /* double per second: 10/s 30/m 1500/d */
	ETL_OPT_TIME,	  /* etl_wall: RFC 3339 instant with zone, or YYYY-MM-DD (UTC) */
	ETL_OPT_WORD,	  /* int: index into `words` */
	ETL_OPT_STRINGS,  /* struct etl_strings; a single scalar counts as a list of one */
	ETL_OPT_PAIRS,	  /* struct etl_pairs: free keys, scalar values */
	ETL_OPT_SECRET,	  /* struct etl_secret *: {credential: N} or {file: P}, see secret.h */
	ETL_OPT_NODE,	  /* const struct etl_node *: the component reads it itself */
	ETL_OPT_TABLE,	  /* an embedded struct, filled by `sub` */
};

struct etl_strings {
	size_t n;
	const char *const *items;
	const struct etl_node *const *nodes; /* where each stands, as long as there is a tree */
};
bool etl_strings_have(const struct etl_strings *strings, const char *text);

struct etl_pairs {
	size_t n;
	const char *const *keys;
	const char *const *values;
	const struct etl_node *const *key_nodes;
	const struct etl_node *const *nodes; /* the values' */
};

struct etl_canon; /* conf/canon.h */

struct etl_option {
	const char *name; /* "" = the whole body; NULL ends the table */
	enum etl_option_type type;
	size_t offset;
	bool required;
	const char *fallback; /* as it would stand in the file; NULL = zero */
	/* Both belong to the range. DURATION and STEP in seconds, SIZE in bytes, RATE per second, INT
	 * and DOUBLE as they are; max 0 = no upper bound, both 0 = no bound. */
	double min, max;
	const char *const *words; /* WORD: NULL-terminated */
	const struct etl_option *sub; /* TABLE: its rows */
	size_t present; /* offsetof a bool that tells whether the key stood there; 0 = none */
	/* Of its canonical form (canon.h): it says how and not what, and is left out; its order means
	 * nothing; the component's own way to write it, such as what it made of a NODE. */
	bool aside, unordered;
	void (*canon)(struct etl_canon *to, const void *options);
	const char *help;     /* one line for manual, schema and hints */
};

struct etl_secrets; /* conf/secret.h */
struct etl_conf_zone; /* conf/zones.h */

/* What a component sees while it is configured. */
struct etl_conf_env {
	struct etl_arena *arena;
	/* For what nobody needs when the file has been read, such as places of words; it goes with the
	 * file's tree. NULL = `arena`. */
	struct etl_arena *tree;
	struct etl_diag *diag;
	const char *what;		 /* "job 'airqino'", for messages */
	const char *const *partition_names; /* NULL-terminated: names that templates may use */
	bool objects; /* the job's units are objects: templates may use {object.name} and its like */
	const struct etl_grid *grid;	 /* of the job's windows; NULL = it has none */
	const char *credentials_dir;	 /* systemd's $CREDENTIALS_DIRECTORY or NULL */
	bool outside; /* a check outside of the daemon's unit: what it hands over cannot be had */
	etl_wall now; /* when this is; ms == 0 = not known */
	const char *database; /* where loads go unless they say otherwise; NULL = not known */
	const char *metadata; /* the database of etld's own; NULL = not known */
	const char *config_dir;		 /* folder of the file: relative paths start here */
	struct etl_secrets *secrets;	 /* collects what is read; NULL = it is not wiped */
	struct etl_conf_zone **zones;	 /* those that were read; NULL = nobody keeps them */
};

static inline struct etl_arena *etl_conf_tree(const struct etl_conf_env *env)
{
	return env->tree ? env->tree : env->arena;
}

/* Fills `out` (zeroed by the caller) from the map `node` (NULL = nothing given, fallbacks
 * apply). Unknown, missing and wrong values are added to env->diag. `context` names the
 * place for messages: "extract.http". Returns true if this node added no error. */
bool etl_options_fill(const struct etl_option *table, const struct etl_node *node, void *out,
	const char *context, const struct etl_conf_env *env);

/* Fills `out` (zeroed by the caller) with the fallbacks of all rows; what has none stays zero. */
void etl_options_defaults(const struct etl_option *table, void *out, const struct etl_conf_env *env);

/* Options of a plugin: `size` zeroed bytes in the arena, filled, then given to `check` (NULL =
 * none). NULL if they could not be filled. */
void *etl_options_load(const struct etl_option *table, size_t size,
	void (*check)(void *options, const struct etl_node *node, const struct etl_conf_env *env),
	const struct etl_node *node, const char *context, const struct etl_conf_env *env);

/* One scalar at a time, for components that read nodes themselves: -1 and an error in diag. */
int etl_conf_time(const struct etl_node *node, etl_wall *out, const struct etl_conf_env *env);
/* `key` names it in the message; *out is the index in `words` (NULL-terminated). */
int etl_conf_word(const struct etl_node *node, const char *key, const char *context,
	const char *const *words, int *out, const struct etl_conf_env *env);

/* `key` names a plugin of `kind` ("source") that is not among `names`: an error with the nearest
 * one as hint and all of them as help. Callers cut longer lists at ETL_CONF_NAMES_MAX. */
#define ETL_CONF_NAMES_MAX 64
void etl_conf_unknown(const struct etl_node *key, const char *kind, const char *const *names,
	size_t n, const struct etl_conf_env *env);

/* The YAML subtree as a BSON value belongs to conf/document.h. */

#endif
