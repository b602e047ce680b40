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
]
