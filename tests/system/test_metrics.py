# SPDX-License-Identifier: MIT
"""etlctl metrics: text that a strict reader takes, and counts that agree with what happened.
A herd: hundreds of jobs that are due in the same second all run once, or are on record."""
import datetime as dt
import json

import pytest

from promtext import FormatError, parse
from wait import wait_for

HERD = 300
HEAD = "# HELP a_total A.\n# TYPE a_total counter\n"
HISTOGRAM = "# HELP a_seconds A.\n# TYPE a_seconds histogram\n"


def metrics(etld):
    return parse(etld.ctl("metrics", output="table").out)


def copy_job(**schedule):
    """Reads a small collection; whatever is there, it costs next to nothing."""
    return {"schedule": schedule or {"cron": "0 0 1 1 *"}, "window": "none",
            "extract": {"mongodb": {"collection": "empty"}},
            "load": {"mongodb": {"collection": "copy", "key": ["_id"]}}}


# ---- the reader refuses what is wrong --------------------------------------------------------
@pytest.mark.parametrize("text", [
    "a_total 1\n", HEAD + "a_total 1", HEAD + "a_total  1\n", HEAD + "b_total 1\n", HEAD + "a_total 1.5\n", HEAD + "a_total -1\n",
    HEAD + "a_total 1\na_total 2\n", HEAD + 'a_total{x="1",x="2"} 1\n', HEAD + 'a_total{x="a\nb"} 1\n', HEAD + HEAD,
    HEAD.replace("counter", "gauge"), HEAD.replace("a_total", "a"), HEAD.replace(" A.", " "), "# TYPE a_total counter\n",
    HEAD + '\na_total{x="1"} 1\n', HEAD.replace("a_total", "a_ms_total"),
    HISTOGRAM + 'a_seconds_bucket{le="1"} 1\na_seconds_sum 1\na_seconds_count 1\n',
    HISTOGRAM + 'a_seconds_bucket{le="1"} 2\na_seconds_bucket{le="+Inf"} 1\na_seconds_sum 1\na_seconds_count 1\n',
    HISTOGRAM + 'a_seconds_bucket{le="+Inf"} 1\na_seconds_sum 1\na_seconds_count 2\n'])
def test_the_reader_is_strict(text):
    with pytest.raises(FormatError):
        parse(text)


def test_the_reader_reads():
    text = HEAD + 'a_total{x="q\\"\\\\\\n"} 3\n' + HISTOGRAM + (
        'a_seconds_bucket{le="1"} 2\na_seconds_bucket{le="3"} 4\na_seconds_bucket{le="+Inf"} 4\n'
        'a_seconds_sum 5.5\na_seconds_count 4\n')
    families = parse(text)
    assert families["a_total"].value(x='q"\\\n') == 3
    assert families["a_seconds"].quantile(0.5) == 1 and families["a_seconds"].quantile(0.75) == 2


# ---- the daemon's text -------------------------------------------------------------------------
def test_counts_agree_with_what_happened(etld, db):
    db["empty"].insert_many([{"_id": i} for i in range(3)])
    daemon = etld({"copy": copy_job(), "other": {**copy_job(), "extract": {"http": {
        "url": "http://127.0.0.1:1/", "records": "/data"}}, "retry": {"max": 0}}})
    daemon.start()
    before = metrics(daemon)
    assert before["etld_mongodb_up"].value() == 1 and before["etld_slots_due_total"].value() == 0
    assert before["etld_runs_started_total"].total() == 0
    daemon.run("copy")
    daemon.run("copy")
    daemon.run("other", ok=(1,))
    wait_for(lambda: metrics(daemon)["etld_runs_total"].total() == 3, "three ends")
    after = metrics(daemon)
    assert after["etld_runs_started_total"].value(trigger="manual") == 3
    assert after["etld_runs_total"].value(state="ok") == 2 and after["etld_runs_total"].value(state="failed") == 1
    assert after["etld_records_read_total"].value() == 6
    assert after["etld_records_loaded_total"].value(result="inserted") == 3
    assert after["etld_records_loaded_total"].value(result="unchanged") == 3
    assert after["etld_source_requests_total"].value() >= 1
    assert after["etld_run_duration_seconds"].count == 3
    assert after["etld_jobs"].value(health="failing") == 1 and after["etld_jobs"].value(health="ok") == 1
    assert after["etld_jobs"].total() == 2  # every word of health is listed
    assert after["etld_hosts"].total() == 1 and after["etld_hosts"].value(breaker="open") == 0
    assert after["etld_watermark_lag_seconds"].value(job="copy", partition="-") >= 0
    assert after["etld_run_start_delay_seconds"].count == 0  # none had a slot
    assert after["etld_loop_turns_total"].value() > before["etld_loop_turns_total"].value()
    assert after["etld_loop_long_turns_total"].value() >= before["etld_loop_long_turns_total"].value()
    assert after["etld_loop_turn_max_seconds"].total() >= before["etld_loop_turn_max_seconds"].total() > 0
    turns = daemon.status()["daemon"]["long_turns"]
    assert turns["at"] and turns["longest_s"] > 0
    assert all(after[n].kind == before[n].kind for n in before) and list(after) == list(before)
    assert json.loads(daemon.ctl("metrics").out)["schema"] == "etl.metrics/1"


def test_series_of_watermarks_have_a_cap(etld, db):
    db["empty"].insert_one({"_id": 1})
    names = [f"p{i:04}" for i in range(1100)]
    daemon = etld({"wide": {**copy_job(), "partitions": {"name": names}}})
    daemon.start()
    daemon.run("wide")
    found = metrics(daemon)
    assert len(found["etld_watermark_lag_seconds"].samples) == 1000
    assert found["etld_watermarks_left_out"].value() == 100


def test_metrics_without_mongodb(etld, own_mongodb):
    daemon = etld({"copy": copy_job(every="1s")}, uri=own_mongodb.uri + "&serverSelectionTimeoutMS=500")
    own_mongodb.stop()
    daemon.start(wait=False)
    daemon.wait_answer()
    wait_for(lambda: daemon.status()["daemon"]["state"] == "degraded", "degraded")
    found = metrics(daemon)
    assert found["etld_mongodb_up"].value() == 0
    assert found["etld_slots_due_total"].value() == 0  # nothing is decided while it is away
    assert found["etld_config_last_reload_successful"].value() == 1


def test_names_in_labels_are_escaped(etld, db):
    db["empty"].insert_one({"_id": 1})
    daemon = etld({"odd": {**copy_job(), "partitions": {"name": ['a"b\\c']}}})
    daemon.start()
    daemon.run("odd")
    assert metrics(daemon)["etld_watermark_lag_seconds"].value(job="odd", partition='name=a"b\\c') >= 0


# ---- a herd ------------------------------------------------------------------------------------
def test_a_herd_loses_and_doubles_nothing(etld, db, metadata):
    db["empty"].insert_one({"_id": 1})
    due = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=12)).replace(microsecond=0)
    cron = f"{due.second} {due.minute} {due.hour} {due.day} {due.month} *"
    daemon = etld({f"job{i:03}": {**copy_job(cron=cron), "load": {"null": {}}} for i in range(HERD)})
    daemon.start()
    wait_for(lambda: metrics(daemon)["etld_slots_due_total"].value() >= HERD, "the second", 40)
    daemon.wait_idle()
    found = metrics(daemon)
    records = list(metadata["runs"].find({"slot": due}))
    assert {r["job"] for r in records} == {f"job{i:03}" for i in range(HERD)}
    assert len(records) == HERD, "a slot has two records"
    assert {r["state"] for r in records} == {"ok"}
    assert found["etld_slots_due_total"].value() == HERD
    assert found["etld_runs_started_total"].value(trigger="schedule") == HERD
    assert found["etld_runs_total"].value(state="ok") == HERD
    assert found["etld_slots_skipped_total"].total() == 0
    assert found["etld_slot_lateness_seconds"].count == HERD
    assert found["etld_run_start_delay_seconds"].count == HERD
    assert found["etld_jobs_waiting"].total() == 0 and found["etld_runs_active"].total() == 0
