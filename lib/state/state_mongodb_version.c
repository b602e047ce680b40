/* SPDX-License-Identifier: MIT
 *
 * The version of the metadata's layout: one document that each etld reads before it writes
 * anything. A newer layout is refused, since an etld that does not know it would damage it.
 */
#include "state/doc_need.h"
#include "state/mongodb.h"
#include "time/clock.h"

#define COLLECTION "layout"
#define ID "metadata"

struct layout {
	int64_t version;
	char by[64];
};

static int read_layout(const bson_t *doc, void *out, struct etl_error *err)
{
	static const struct etl_doc_field fields[] = {{"version", ETL_DOC_NUMBER},
		{"written_by", ETL_DOC_TEXT}, {NULL, ETL_DOC_TEXT}};
	struct layout *layout = out;

	if (etl_doc_need(COLLECTION, doc, fields, err) < 0)
		return -1;
	layout->version = etl_bson_int(doc, "version", 0);
	etl_bson_text(doc, "written_by", layout->by, sizeof layout->by);
	return 0;
}

/* Metadata without the document are of before there was one: layout 1 reads them as they are. $max,
 * so that an older etld that starts at the same moment cannot take the version down. */
static int write_layout(struct etl_state *s, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(ID));
	bson_t *update = BCON_NEW("$max", "{", "version", BCON_INT32(ETL_LAYOUT), "}", "$set", "{",
		"written_by", BCON_UTF8("etld " ETL_VERSION), "updated_at",
		BCON_DATE_TIME(etl_now(etl_clock_real()).ms), "}");
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	struct etl_place place;
	bool matched;
	int rc = -1;

	if (etl_place_open(&place, s, COLLECTION, err) == 0) {
		rc = etl_state_update_one(place.collection, query, update, opts, &matched, err);
		if (rc < 0 && etl_smdb_met_another(err)) /* two etlds that start together */
			rc = 0;
		etl_place_close(&place);
	}
	bson_destroy(opts);
	bson_destroy(update);
	bson_destroy(query);
	return rc;
}

/* A layout that is older is raised without asking: this etld reads all layouts up to its own. On a
 * refusal nothing has been written. */
int etl_smdb_check_layout(struct etl_state *s, struct etl_error *err)
{
	bson_t *query = BCON_NEW("_id", BCON_UTF8(ID));
	struct layout found = {0};
	int rc = etl_state_find_one(s, COLLECTION, query, NULL, read_layout, &found, err);

	bson_destroy(query);
	if (rc < 0)
		return -1;
	if (found.version > ETL_LAYOUT)
		return etl_error_set(err, ETL_PERMANENT, "metadata.newer",
			"the metadata in '%s' have layout %lld, written by %s; this etld knows layouts "
			"up to %d and leaves them alone: start that etld or a newer one, or name "
			"another metadata.database",
			etl_state_mongodb(s)->database, (long long)found.version,
			*found.by ? found.by : "a newer etld", ETL_LAYOUT);
	return found.version == ETL_LAYOUT ? 0 : write_layout(s, err);
}
