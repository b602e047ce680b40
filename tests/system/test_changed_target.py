# SPDX-License-Identifier: MIT
"""A load that goes to another collection or database than before: what stays where it was is told at
reload, at start, by status and why, as long as it is so, with the command that loads it again."""
import shlex

import pytest

from airqino_sim import STATION_1
from etld import faults_folder
from flow import HOUR, Flow, iso
from hold import Hold
from test_reload import begin, end
from wait import wait_for

CHANGED = "57b18100013340dea8d2c3a429258204"


@pytest.fixture
def flow(sim):
    return Flow(sim, stations=(STATION_1,))


def job(flow, hours, collection="a"):
    """`collection` None: a load of nothing."""
    made = flow.hourly(flow.start + hours * HOUR)
    made["load"] = {"mongodb": {"collection": collection, "mode": "upsert", "key": ["station_id", "timestamp"]}}
    return made if collection else {**made, "load": {"null": {}}}


def loaded(daemon):
    daemon.start()
    daemon.run("hourly")
    daemon.wait_idle()
    assert daemon.jobs()["hourly"]["elsewhere"] is None
    return daemon


def reload(daemon, flow, hours, collection):
    daemon.write_job("hourly", job(flow, hours, collection))
    return daemon.ctl("reload").json["warnings"]


def elsewhere(daemon):
    return daemon.jobs()["hourly"]["elsewhere"]


def test_a_changed_collection(etld, flow, db):
    daemon = loaded(etld({"hourly": job(flow, 19)}))
    text = "19 windows are in 'a', none in 'b'"
    command = "etlctl restate hourly"

    # At reload, before anything else can have looked.
    assert reload(daemon, flow, 19, "b") == [
        f"hourly: {text}; etlctl windows hourly --stale lists them, {command} loads them again"]
    known = daemon.jobs()["hourly"]
    assert known["elsewhere"] == {"text": text, "target": f"{db.name}.b", "here": 0, "windows": 19,
                                  "older": 0, "about": False,
                                  "in": [{"target": f"{db.name}.a", "windows": 19}], "command": command}
    assert known["health"] == "ok" and known["reason"] == text
    assert text in daemon.ctl("status", "hourly", output="table").out
    assert command in daemon.ctl("status", "hourly", output="table").out
    why = daemon.ctl("why", "hourly").json
    assert any(text in line for line in why["because"]) and command in why["hints"], why
    why = daemon.ctl("why", "hourly", "--window", iso(flow.start)).json
    assert any("loaded into 'a', and its job loads into 'b' now" in line for line in why["because"]), why
    assert f"{command} --from {iso(flow.start)} --to {iso(flow.start + HOUR)} --partition {STATION_1}" in [
        hint.replace("station=", "") for hint in why["hints"]], why
    stale = daemon.ctl("windows", "hourly", "--stale").json
    assert {w["stale"] for w in stale["windows"]} == {"in 'a', now 'b'"} and stale["summary"][0]["stale"] == 19
    entry = daemon.wait_log(MESSAGE_ID=CHANGED)
    assert entry["ETL_JOB"] == "hourly" and int(entry["ETL_WINDOWS"]) == 19 and text in entry["MESSAGE"]

    # It is told once, and again by the next start.
    assert daemon.ctl("reload").json["warnings"] == []
    assert len(daemon.log(MESSAGE_ID=CHANGED)) == 1
    daemon.stop()
    daemon.start()
    wait_for(lambda: elsewhere(daemon), "the start finds nothing elsewhere")
    assert elsewhere(daemon)["text"] == text
    wait_for(lambda: len(daemon.log(MESSAGE_ID=CHANGED)) == 2, "the start tells nothing")

    # The first windows in the new target: both are counted, and the change back is one as well.
    assert reload(daemon, flow, 22, "b") == []
    daemon.run("hourly")
    daemon.wait_idle()
    assert elsewhere(daemon)["text"] == "19 windows are in 'a', 3 in 'b'"
    assert db["b"].count_documents({}) and len(daemon.log(MESSAGE_ID=CHANGED)) == 2
    assert "3 windows are in 'b', 19 in 'a'" in reload(daemon, flow, 22, "a")[0]

    # The command loads all of them again, and then there is nothing to tell.
    reload(daemon, flow, 22, "b")
    daemon.ctl(*shlex.split(elsewhere(daemon)["command"])[1:], "--wait")
    wait_for(lambda: elsewhere(daemon) is None, lambda: f"still elsewhere: {elsewhere(daemon)}")
    flow.check_hours(db["b"], STATION_1, flow.start, flow.start + 22 * HOUR)
    assert not any("'a'" in line for line in daemon.ctl("why", "hourly").json["because"])


@pytest.mark.faults
def test_all_who_share_a_reload_are_told(etld, flow, tmp_path):
    """They asked for the same one, so they get the same answer; who asks later was told. The first one
    has read the file before it was changed."""
    hold = Hold(tmp_path / "hold")
    daemon = loaded(etld({"hourly": job(flow, 5)}, build=faults_folder(),
                         env={"ETLD_FAULTS": "groups.look=hold:2", "ETLD_FAULT_HOLD": str(hold.path)}))
    first = begin(daemon)
    hold.enter()
    daemon.write_job("hourly", job(flow, 5, "b"))
    others = [begin(daemon) for _ in range(3)]
    wait_for(lambda: len(daemon.log(MESSAGE="a reload is going: the configuration is read once more behind it")) == 3,
             "all are known")
    hold.leave()
    assert end(first)["warnings"] == []
    for other in others:
        answer = end(other)
        assert answer["generation"] == 3
        assert ["5 windows are in 'a', none in 'b'" in line for line in answer["warnings"]] == [True], answer
    assert daemon.ctl("reload").json["warnings"] == []


def test_partitions_that_differ(etld, sim):
    """One of two is loaded again: the sum says so, the command of the whole stays right."""
    both = Flow(sim)
    daemon = loaded(etld({"hourly": job(both, 6)}))
    assert "12 windows are in 'a', none in 'b'" in reload(daemon, both, 6, "b")[0]
    span = ("--from", iso(both.start), "--to", iso(both.start + 6 * HOUR), "--reprocess", "all", "--wait")
    daemon.ctl("backfill", "hourly", *span, "--partition", f"station={STATION_1}")
    wait_for(lambda: elsewhere(daemon)["here"], "nothing has moved")
    assert elsewhere(daemon)["text"] == "6 windows are in 'a', 6 in 'b'"
    daemon.ctl("backfill", "hourly", *span)
    wait_for(lambda: elsewhere(daemon) is None, lambda: f"still elsewhere: {elsewhere(daemon)}")


def test_another_database_at_the_next_start(etld, flow, mongo_client):
    """The same collection of another database: the content is the same, and is written all the same."""
    daemon = loaded(etld({"hourly": job(flow, 5)}))
    was = daemon.settings["mongodb"]["database"]
    daemon.stop()
    daemon.settings["mongodb"]["database"] = f"{was}_2"
    daemon.write_settings()
    daemon.start()
    wait_for(lambda: elsewhere(daemon), "the start finds nothing elsewhere")
    assert elsewhere(daemon)["text"] == f"5 windows are in '{was}.a', none in '{was}_2.a'"
    daemon.run("hourly")
    daemon.wait_idle()
    there = mongo_client[f"{was}_2"]["a"]
    assert elsewhere(daemon)["here"] == there.count_documents({}) > 0, "the lookback was noted, but not written"
    mongo_client.drop_database(f"{was}_2")


def test_no_false_alarm(etld, flow, metadata):
    """A watermark of an older etld says nothing of targets; a load of nothing has none."""
    daemon = loaded(etld({"hourly": job(flow, 5)}))
    assert reload(daemon, flow, 5, "a") == []
    assert reload(daemon, flow, 5, None) == []
    assert elsewhere(daemon) is None
    assert metadata["watermarks"].update_many({}, {"$unset": {"targets": ""}}).modified_count == 1
    assert reload(daemon, flow, 8, "b") == []
    daemon.run("hourly")
    daemon.wait_idle()
    assert elsewhere(daemon) is None
    assert "3 windows are in 'b', none in 'a'; of 5 more it is not on record" in reload(daemon, flow, 8, "a")[0]
    assert daemon.log(MESSAGE_ID=CHANGED)
