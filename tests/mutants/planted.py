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
    # the control socket
    ("no idle limit", "daemon/control_client.c",
     "\t\tetl_timer_arm(wheel, &client->idle, etl_mono_add(client->since, ETLD_CLIENT_IDLE));", "\t\t(void)wheel;",
     "system:tests/system/test_control_abuse.py::test_the_idle_limit_is_not_renewed_by_bytes"),
    ("an idle limit that each byte renews", "daemon/control_client.c",
     "\t\tcount(client);\n\t\tserve(client);", "\t\tclient->sent = PROGRESS_BYTES;\n\t\tcount(client);\n\t\tserve(client);",
     "system:tests/system/test_control_abuse.py::test_the_idle_limit_is_not_renewed_by_bytes"),
    ("no output cap", "daemon/control_client.c",
     "\treturn all->outputs <= ETLD_OUTPUTS_MAX || client->output.cap <= SMALL_BYTES;", "\treturn true;",
     "system:tests/system/test_control_abuse.py::test_askers_that_do_not_read_have_one_bound"),
    ("the next request while the last answer is unread", "daemon/control_client.c",
     "!client->closing && !client->output.len) {", "!client->closing) {",
     "system:tests/system/test_control_abuse.py::test_askers_that_do_not_read_have_one_bound"),
    ("no client cap", "daemon/control.c",
     "\treturn clients->n < (rank == ETLD_RANK_SELF ? ETLD_CLIENTS_MAX : OPERATORS_MAX);", "\treturn true;",
     "system:tests/system/test_control_abuse.py::test_there_are_so_many_places_and_no_more"),
    ("no places for root", "daemon/control.c", "#define OPERATORS_MAX (ETLD_CLIENTS_MAX - 4)", "#define OPERATORS_MAX ETLD_CLIENTS_MAX",
     "system:tests/system/test_control_abuse.py::test_places_are_kept_for_operators_and_root"),
    ("a place is never given", "daemon/control.c",
     "\t\tetld_clients_give_place(&control->clients, peer->rank)) {", "\t\tfalse) {",
     "system:tests/system/test_control_abuse.py::test_silent_clients_lock_nobody_out"),
    ("no spare descriptor", "daemon/control.c", "\tclose(control->spare_fd);\n\tfd = accept4(", "\tfd = accept4(",
     "system:tests/system/test_control_abuse.py::test_without_descriptors_each_client_is_told"),
    ("anybody may query", "daemon/access.c", "\tgids = groups_of(fd, &n);", "\tgids = groups_of(fd, &n);\n\tout->pid = 0;\n\tif (n == 0)\n\t\tpeer.uid = 0;",
     "system:tests/system/test_control_abuse.py::test_who_may_not_is_told_and_logged"),
    ("a range of a job without windows", "lib/job/window_plan.c", "rules->start.ms || size_ms(rules) <= 0)", "rules->start.ms)",
     "unit:job/test_window_plan"),
    # the watchdog
    ("a watchdog blind to a hanging worker", "daemon/etld.c", "\tif (!stuck)\n\t\tetld_notify_watchdog();", "\tetld_notify_watchdog();",
     "system:tests/system/test_watchdog.py::test_a_worker_that_hangs_is_told_and_the_watchdog_starves"),
    ("a worker that hangs starves it without a word", "daemon/etld.c", "\tlook_at_oldest(etld, &facts, stuck);\n", "",
     "system:tests/system/test_watchdog.py::test_a_worker_that_hangs_is_told_and_the_watchdog_starves"),
    # configuration
    ("configuration that everybody can write", "lib/conf/load.c", "(mode & S_IWOTH)", "false", "unit:conf/test_load"),
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
