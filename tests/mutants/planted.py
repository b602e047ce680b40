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
    ("no cap on bodies", "daemon/http.c", "if (t->bytes_max && t->bytes > t->bytes_max)", "if (false)",
     "system:tests/system/test_answers.py::test_answers_that_contradict_themselves"),
    ("no cap on headers", "daemon/http.c", "if (t->header_bytes > HEADERS_BYTES_MAX)", "if (false)",
     "system:tests/system/test_answers.py::test_answers_that_contradict_themselves"),
    ("two lengths are one", "lib/source/http/text.c", "(*has && *length != n)", "false",
     "system:tests/system/test_answers.py::test_answers_that_contradict_themselves"),
    ("full URLs in errors", "daemon/http.c", "etl_http_url_show(request->url_shown ?", "etl_text_copy(t->url_shown, sizeof t->url_shown, request->url_shown ?",
     "system:tests/system/test_answers.py::test_answers_that_contradict_themselves"),
    ("a secret of the URL is shown", "lib/source/http/text.c", "if (name < len && etl_http_looks_secret(query + 1, name))", "if (false)",
     "unit:source/test_http_answers"),
    ("CR and LF in headers", "lib/source/http/text.c",
     "if (((unsigned char)*value < 0x20 && *value != '\\t') || *value == 0x7f)", "if (false)", "unit:source/test_source_http"),
    ("202 is an answer", "lib/source/http/answer.c", "{200, 201, 203, 204, 205}", "{200, 201, 202, 204, 205}",
     "unit:source/test_http_answers"),
    ("a part is the whole", "lib/source/http/paging.c", "return total == 0 || (first == 0 && last + 1 == total);", "return true;",
     "unit:source/test_http_answers"),
    ("pages that are announced are left", "lib/source/source_http.c", "if (more && o->pagination != ETL_PAGINATION_NONE)", "if (false)",
     "unit:source/test_http_answers"),
    ("an error object is a record", "lib/source/source_http.c",
     "if (o->errors == ETL_ERRORS_FAIL && etl_paging_is_error(record->bson, record->len))", "if (false)",
     "unit:source/test_http_answers"),
    ("values are put into bodies as they are", "lib/source/http/request.c", "return ETL_ESCAPE_JSON;", "return ETL_ESCAPE_NONE;",
     "unit:source/test_http_answers"),
    # what records are made of
    ("the last parent's values for all", "lib/record/json_attach.c", "if (t->scope == scope && t->seen) {", "if (false) {",
     "unit:record/test_decode_json"),
    ("a skipped hour becomes the next", "lib/record/time_format.c", "if (f->gap == ETL_GAP_REJECT)", "if (false)",
     "unit:record/test_batch"),
    ("the second pass of an hour is the first", "lib/record/time_format.c", "if (f->fold == ETL_FOLD_REJECT)", "if (false)",
     "unit:record/test_batch"),
    ("decimals are added as doubles", "lib/transform/moments.c", "if (m->has_double || !m->exact ||", "if (true || !m->exact ||",
     "unit:transform/test_aggregate"),
]
