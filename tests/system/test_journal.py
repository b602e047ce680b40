# SPDX-License-Identifier: MIT
"""etld and a real journald, without systemd: what was said is read back by field.

sd_journal_sendv returns 0 even when nobody listens, so these tests read the journal itself.
Each event is made to happen; daemon/io/message_ids.h says which fields it has to carry.
"""
import datetime as dt
import pathlib
import re

import pytest

from airqino_sim import STATION_1, STATION_2
from wait import wait_for

pytestmark = [pytest.mark.journal, pytest.mark.daemon]

HEADER = (pathlib.Path(__file__).resolve().parents[2] / "daemon" / "io" / "message_ids.h").read_text()
EVENTS = re.findall(r'/\* (.*?) \*/\n#define ETLD_MSG_(\w+) "([0-9a-f]{32})"', HEADER)
ID = {name: number for _, name, number in EVENTS}
FIELDS = {number: [] if fields == "no field" else fields.split() for fields, _, number in EVENTS}
RENEWAL_SECONDS = 10  # a third of the lease's life
ANYTHING = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)  # the journal is looked at, not etlctl's verdict


def ago(**span):
    return (dt.datetime.now(dt.timezone.utc) - dt.timedelta(**span)).strftime("%Y-%m-%dT00:00:00Z")


@pytest.fixture
def logged(airqino_etld, jbox):
    """Makes the shipped example's daemon, quick to give up, with its words in the journal."""
    def make(start=None, edits=()):
        # Soon after midnight yesterday is not final yet.
        etld = airqino_etld(start or ago(days=1, hours=3), prefix=jbox.prefix, env={"ETLD_LOG": "journal"})
        etld.edit_job("airqino", "retry: {max: 3, backoff: 30s", "retry: {max: 1, backoff: 100ms")
        for job, old, new in edits:
            etld.edit_job(job, old, new)
        return etld
    return make


def events(jbox, name, *matches):
    """The entries of an event. Each carries all the fields that the catalog's text needs."""
    entries = jbox.read(f"MESSAGE_ID={ID[name]}", *matches)
    for entry in entries:
        missing = [field for field in FIELDS[ID[name]] if not entry.get(field)]
        assert not missing, f"{name} without {missing}: {entry}"
    return entries


def test_entries_are_found_by_job_run_and_message(logged, jbox):
    etld = logged().start()
    etld.run("airqino")
    assert etld.stop() == 0
    for name in ("STARTED", "MONGODB_UP", "DRAINING", "STOPPED"):
        assert len(events(jbox, name)) == 1, name
    runs = events(jbox, "RUN_FINISHED", "ETL_JOB=airqino")
    assert runs
    for run in runs:
        assert jbox.read(f"ETL_RUN_ID={run['ETL_RUN_ID']}")
        assert int(run["ETL_DURATION_US"]) > 0 and run["PRIORITY"] in ("5", "6")
    assert sum(int(run["ETL_WINDOWS_LOADED"]) for run in runs) > 0
    assert not etld.log(ETL_JOB="airqino"), "what went to the journal is not on stderr too"


def test_a_failing_partition_stands_there_with_its_reason(logged, jbox, sim):
    sim.fault("status", code=500, times=None, station=STATION_2)
    etld = logged().start()
    etld.run("airqino", ok=ANYTHING)
    etld.run("airqino_daily", ok=ANYTHING)
    etld.stop()
    failed = events(jbox, "PARTITION_FAILED", "ETL_JOB=airqino")
    assert failed and all(entry["ETL_PARTITION"] == STATION_2 for entry in failed)
    for entry in failed:
        assert entry["ETL_HTTP_STATUS"] == "500" and "500" in entry["MESSAGE"], entry
        assert entry["ETL_STEP"] == "extract" and int(entry["PRIORITY"]) <= 4 and entry["ETL_WINDOW_START"] < entry["ETL_WINDOW_END"]
    # One partition is no whole run: the other went on, and the run says both.
    summary = events(jbox, "RUN_FAILED", "ETL_JOB=airqino")[0]
    assert summary["ETL_STATE"] == "partial" and int(summary["ETL_WINDOWS_LOADED"]) > 0
    # The job that reads its windows waits, for this station alone.
    blocked = events(jbox, "WINDOW_BLOCKED", "ETL_JOB=airqino_daily")
    last = blocked[-1]["ETL_RUN_ID"]
    assert {entry["ETL_PARTITION"] for entry in blocked if entry["ETL_RUN_ID"] == last} == {STATION_2}


@pytest.mark.parametrize("code, event", [(403, "SOURCE_AUTH"), (429, "SOURCE_THROTTLED")])
def test_a_refusing_source_is_named_for_what_it_is(logged, jbox, sim, code, event):
    sim.fault("status", code=code, times=None)
    etld = logged().start()
    etld.run("airqino", ok=ANYTHING)
    etld.stop()
    entries = events(jbox, event, "ETL_JOB=airqino")
    assert entries and all(entry["ETL_HTTP_STATUS"] == str(code) for entry in entries)
    assert events(jbox, "RUN_FAILED", "ETL_JOB=airqino")[0]["ETL_STATE"] == "failed"


def test_rejected_records_are_counted(logged, jbox, sim, metadata):
    sim.fault("future_row", times=1, station=STATION_1)
    etld = logged().start()
    etld.run("airqino", ok=ANYTHING)
    etld.stop()
    entries = events(jbox, "RECORDS_REJECTED", "ETL_JOB=airqino")
    assert sum(int(entry["ETL_REJECTED"]) for entry in entries) == metadata.dead_letters.count_documents({}) > 0


def test_a_failed_check_is_told_as_such(logged, jbox):
    etld = logged(edits=[("airqino", "range: {field: pm2_5, min: 0, max: 1000, on_fail: warn}",
                          "range: {field: pm2_5, min: -2, max: -1, on_fail: fail}")]).start()
    etld.run("airqino", ok=ANYTHING)
    etld.stop()
    entries = events(jbox, "CHECK_FAILED", "ETL_JOB=airqino")
    assert {entry["ETL_PARTITION"] for entry in entries} == {STATION_1, STATION_2}
    assert all("pm2_5" in entry["MESSAGE"] for entry in entries), entries


def test_windows_that_the_source_lost_are_told_once(logged, jbox, metadata):
    """Three days are due, but the source keeps one: two days are given up, in one message."""
    etld = logged(ago(days=3), edits=[("airqino", "  lookback: 3h\n", "  lookback: 3h\n  retention: 1d\n")])
    etld.start()
    for _ in range(2):
        etld.run("airqino")
    etld.stop()
    entries = events(jbox, "UNRECOVERABLE", "ETL_JOB=airqino")
    assert sorted(entry["ETL_PARTITION"] for entry in entries) == [STATION_1, STATION_2]
    lost = {"job": "airqino", "state": "unrecoverable"}
    for entry in entries:
        mine = list(metadata.windows.find({**lost, "partition": entry["ETL_PARTITION"]}).sort("start"))
        assert len(mine) == int(entry["ETL_WINDOWS_LOST"]) >= 48
        assert entry["ETL_WINDOW_START"].startswith(ago(days=3)[:13])
        assert mine[-1]["end"].strftime("%Y-%m-%dT%H") == entry["ETL_WINDOW_END"][:13]
    runs = list(metadata.runs.find({"job": "airqino"}))
    assert sum(run["windows"]["unrecoverable"] for run in runs) == metadata.windows.count_documents(lost)


def test_a_window_that_an_operator_names_is_tried_all_the_same(logged, metadata):
    etld = logged(ago(days=3), edits=[("airqino", "  lookback: 3h\n", "  lookback: 3h\n  retention: 1d\n")])
    etld.start()
    etld.run("airqino")
    given_up = {"job": "airqino", "state": "unrecoverable"}
    before = metadata.windows.count_documents(given_up)
    answer = etld.ctl("run", "airqino", "--wait", "--window", ago(days=3), ok=ANYTHING)
    assert metadata.windows.count_documents(given_up) == before - 2, answer
    etld.stop()


def test_a_job_taken_by_another_daemon_is_told(logged, jbox, sim, metadata):
    """The lease changes its owner while a request hangs: the renewal finds out."""
    sim.fault("hang", times=None)
    etld = logged().start()
    etld.ctl("run", "airqino")
    run_id = wait_for(lambda: etld.jobs()["airqino"]["running"], "the run")
    wait_for(lambda: metadata.leases.find_one({"_id": "airqino", "run_id": run_id}), "its lease")
    metadata.leases.update_one({"_id": "airqino"}, {"$inc": {"fence": 1}, "$set": {"holder": "another"}})
    wait_for(lambda: events(jbox, "LEASE_LOST", "ETL_JOB=airqino"), etld.stderr_tail, 9 * RENEWAL_SECONDS)
    wait_for(lambda: events(jbox, "FENCED", "ETL_JOB=airqino"), etld.stderr_tail, 9 * RENEWAL_SECONDS)
    etld.stop()


def test_reloads_are_told_with_the_place_of_an_error(logged, jbox):
    etld = logged().start()
    etld.reload()
    wait_for(lambda: events(jbox, "CONFIG_RELOADED"), etld.stderr_tail)
    etld.edit_job("airqino", "schedule:", "shedule:")
    etld.reload()
    entry = wait_for(lambda: events(jbox, "CONFIG_RELOAD_FAILED"), etld.stderr_tail)[0]
    assert "airqino.yaml:" in entry["MESSAGE"] and entry["PRIORITY"] == "3"
    etld.stop()


def test_a_database_that_goes_away_and_comes_back_is_told(airqino_etld, own_mongodb, jbox):
    etld = airqino_etld(ago(days=1), uri=own_mongodb.uri, prefix=jbox.prefix, env={"ETLD_LOG": "journal"}).start()
    own_mongodb.kill9()
    wait_for(lambda: (etld.ctl("run", "airqino", "--wait", ok=None), events(jbox, "MONGODB_DOWN"))[1],
             etld.stderr_tail, 240)
    own_mongodb.restart()
    wait_for(lambda: len(events(jbox, "MONGODB_UP")) == 2, etld.stderr_tail, 240)
    etld.stop()


def test_without_journald_the_same_fields_go_to_stderr(airqino_etld):
    etld = airqino_etld(ago(days=1)).start()
    etld.run("airqino")
    entry = etld.wait_log(ETL_JOB="airqino", MESSAGE_ID=ID["RUN_FINISHED"])
    assert {"ETL_RUN_ID", "ETL_RECORDS_IN", "ETL_RECORDS_OUT", "MESSAGE"} <= set(entry)
