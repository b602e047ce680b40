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
    # what closes a window, and what counts
    ("rejects that count twice", "lib/job/account.c",
     "&work->batch->rejects[i]))->rejected++;", "&work->batch->rejects[i]))->rejected += 2;",
     "unit:job/test_run_counts"),
    ("records outside that nobody counts", "lib/job/account.c",
     "\tcounts->seen++;\n\tcounts->outside++;\n", "\t(void)counts;\n", "unit:job/test_run_counts"),
    ("an answer from elsewhere that closes windows", "lib/job/proof.c",
     "if (!work->beyond || job->covers_all)", "if (true)", "unit:job/test_run_counts"),
    ("a window of rejects alone that closes", "lib/job/proof.c",
     "return c->rejected && !rows && !c->filtered;", "return c->rejected && !rows && !c->filtered && false;",
     "unit:job/test_run_counts"),
    ("a half that forgets that its span was refused", "lib/job/proof.c",
     "work->span.strict ? 0 :", "work->span.strict && false ? 0 :", "unit:job/test_run_counts"),
    ("rejects of the load that no limit knows", "lib/job/step_load.c",
     "etl_rejects_judge(strand, work->slice->n_rejects, err)", "etl_rejects_judge(strand, 0, err)",
     "unit:job/test_run_counts"),
    ("a load of nothing that closes windows", "lib/sink/sink_null.c",
     "\t.discards = true,\n", "", "unit:job/test_run_counts"),
    ("a retry whose rows are told as unchanged", "lib/job/account.c",
     "\tadd_partial(work, window);\n\tetl_counts_add(&strand->counts", "\tetl_counts_add(&strand->counts",
     "unit:job/test_run_counts"),
]
