# SPDX-License-Identifier: MIT
"""Bugs of the daemon and of the stores, each with the test that has to find it.

A row: name, file, exact old text (there once), new text, test. The test is a unit program
(`unit:ROOM/test_x`, with a MongoDB at hand) or a system test
(`system:tests/system/test_x.py::test_y`). `make mutants NAME="part of the name"` tries some; the
scheduler's own list is tests/sim/mutants.py.
"""

PLANTED = [
    # what is written
    ("a commit without its fence in MongoDB", "lib/state/state_mongodb_commit.c",
     '\tBSON_APPEND_INT64(&query, "fence", e->c->fence);\n\trc = etl_state_update_one(watermarks',
     "\trc = etl_state_update_one(watermarks", "unit:state/test_state_mongodb"),
    # what is asked of a source
    ("a certificate that nobody checks", "daemon/http.c",
     "\tcurl_easy_setopt(easy, CURLOPT_SSLVERSION,",
     "\tcurl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);\n"
     "\tcurl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);\n"
     "\tcurl_easy_setopt(easy, CURLOPT_SSLVERSION,",
     "system:tests/system/test_transport.py::test_a_certificate_that_nobody_vouches_for"),
    ("proxies of the environment", "daemon/http.c",
     '\tcurl_easy_setopt(easy, CURLOPT_PROXY, "");\n', "",
     "system:tests/system/test_transport.py::test_nothing_of_the_environment"),
    ("passwords of a .netrc", "daemon/http.c", "(long)CURL_NETRC_IGNORED", "(long)CURL_NETRC_OPTIONAL",
     "system:tests/system/test_transport.py::test_nothing_of_the_environment"),
    # what is held in memory, and who may hold it
    ("batches charged by what they reserve", "lib/record/batch.c", "return etl_arena_used(batch->arena) +",
     "return 1088 * 1024 +", "unit:job/test_run_limits"),
    ("state of transforms and checks without a bound", "lib/job/memory.c",
     "\tif (held <= share)\n\t\treturn 0;", "\tif (held <= share || *what)\n\t\treturn 0;",
     "unit:job/test_run_limits"),
    ("a retry that keeps the last try's records", "lib/job/span.c",
     "\tif (strand->work && strand->work->restart)\n\t\tforget_records(strand);\n", "",
     "unit:job/test_run_limits"),
    ("a large record that asks for nothing", "lib/job/step_decode.c",
     "\t\tif (etl_strand_lacks_memory(strand))\n\t\t\treturn ETL_GO_MEMORY;\n\t\tmail",
     "\t\tmail", "unit:job/test_run_limits"),
    ("one host has all the memory", "daemon/shares.c", "(shares->total == 1 || lane + 1 < shares->total)",
     "(shares->total == 1 || lane < shares->total)", "unit:daemon/test_shares"),
    ("two oversize records at once", "daemon/shares.c",
     "wants == ETL_MEMORY_OVERSIZE && s->has == ETL_MEMORY_OVERSIZE", "wants > ETL_MEMORY_OVERSIZE",
     "unit:daemon/test_shares"),
    ("one host has all workers", "daemon/pool.c", "n + 1 < pool->n_workers", "n < pool->n_workers",
     "unit:daemon/test_pool"),
    ("one host has all places", "lib/job/sched_queue.c", "sched->of_host[place] + kept < sched->max_active",
     "sched->of_host[place] < sched->max_active", "unit:job/test_sched"),
    ("strands for partitions that do not run", "lib/job/run.c", "etl_calloc(only ? 1 : job->n_partitions",
     "etl_calloc(job->n_partitions", "unit:job/test_run_limits"),
    # what a plan reads
    ("a plan that looks through the history", "lib/job/ledger_part.c", "range, ETL_LEDGER_BEGUN, keep",
     "range, ETL_LEDGER_ALL, keep", "unit:job/test_run_limits"),
    ("a read by begin without its lower bound", "lib/state/state_mongodb_ledger.c",
     '\t\t\tBSON_APPEND_DATE_TIME(&sub, "$gte", range->start.ms);', "\t\t\t(void)sub;",
     "unit:state/test_state_mongodb"),
    ("old marks of one partition only", "lib/job/ledger_part.c",
     "strcmp(list->entries[middle].partition, partition) < 0",
     "strcmp(list->entries[middle].partition, partition) > 0",
     "unit:job/test_run_limits"),
    # what a server cannot read
    ("a text that is not UTF-8 stops the slice", "lib/sink/sink_mongodb.c",
     "\t\t*refused = find_malformed(s, plan, err);", "\t\t(void)find_malformed;", "unit:sink/test_sink_mongodb"),
]
