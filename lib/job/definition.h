/* SPDX-License-Identifier: MIT
 *
 * The definition of a job: what decides its documents, as a fingerprint of 8 bytes. Each unit of the
 * ledger bears the one that made it, so that a change of the job is known unit by unit (ADR 0032).
 *
 * In it: extract, transform, check and load as the loader understood them, where the rows go, and the
 * values of the partition. Not in it: schedule, window, retry, rejects, timeouts, after, description, and
 * of extract and load what only says how (timeouts, sizes of an answer, indexes). A secret is in it by
 * its reference. Formatting, comments, options that are written out at their default and the order of
 * keys change nothing; the order of transforms does.
 */
#ifndef ETL_JOB_DEFINITION_H
#define ETL_JOB_DEFINITION_H

#include "job/job.h"

/* The first byte of each fingerprint: of the canonical form that it was made of. Whoever changes the
 * form raises it, and what was made before is of an unknown definition instead of another one. */
#define ETL_DEFINITION_FORM 1

#define ETL_DEFINITION_TEXT_BYTES 17
/* "01c3f2a9b3d5e7f0"; "" for 0. */
void etl_definition_text(uint64_t definition, char out[ETL_DEFINITION_TEXT_BYTES]);

/* True if it is of this form, and can be compared with others. 0 is the definition of nothing. */
bool etl_definition_is_known(uint64_t definition);

/* Fills `definition` of all partitions of a job of which nothing is wrong. */
void etl_job_define(struct etl_job *job, const struct etl_conf_env *env);

/* The canonical form without the partition: to compare by eye. Owned by the caller. */
char *etl_job_canon(const struct etl_job *job, const struct etl_conf_env *env, size_t *len);

#endif
