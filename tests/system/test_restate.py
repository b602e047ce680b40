# SPDX-License-Identifier: MIT
"""A job whose definition changes: what an older one made is told at reload, at start, by status, why and
windows --stale, nothing is replayed unasked, and restate loads exactly these windows again. And checks
that hold what is loaded already."""
import datetime as dt

import pytest

from airqino_sim import STATION_1
from flow import HOUR, Flow, iso
from host_sim import HostSim
from test_decisions import BAD, HELD, HOURS, begin, held, hour, pasted, rows_of
from test_decisions import job as checked_job
from wait import wait_for


@pytest.fixture
def flow(sim):
    return Flow(sim, stations=(STATION_1,))


def job(flow, hours, unit="mg/m3", **more):
    made = flow.hourly(flow.start + hours * HOUR, **more)
    made["transform"].append({"set": {"co_unit": unit}})
    return made


def loaded(daemon):
    daemon.start()
    daemon.run("hourly")
    daemon.wait_idle()
    return daemon


def reload(daemon, made):
    daemon.write_job("hourly", made)
    return daemon.ctl("reload").json["warnings"]


def stale(daemon, *words):
    return daemon.ctl("windows", "hourly", "--stale", *words).json


def documents(collection):
    """What is in it, whoever loaded it and in which order."""
    return sorted((sorted(d.items(), key=str) for d in collection.find()), key=str)


def test_a_changed_transform(etld, flow, db, metadata):
    daemon = loaded(etld({"hourly": job(flow, 19)}))
    assert stale(daemon)["windows"] == [] and stale(daemon)["summary"][0]["stale"] == 0
    first = daemon.ctl("windows", "hourly", "--all").json["windows"]
    assert {w["target"] for w in first} == {f"{db.name}.hourly"} and len({w["definition"] for w in first}) == 1
    runs = metadata["runs"].count_documents({})
    (run,) = daemon.ctl("runs", "hourly").json["runs"]
    assert run["target"] == f"{db.name}.hourly"
    assert f"{db.name}.hourly" in daemon.ctl("show", run["run_id"], output="table").out

    # At reload, and nothing is replayed.
    text = "19 windows were made by an older definition"
    warning = (f"hourly: {text}; etlctl windows hourly --stale lists them, etlctl restate hourly loads them again")
    assert reload(daemon, job(flow, 19, "g/m3")) == [warning]
    assert reload(daemon, job(flow, 19, "g/m3")) == []
    known = daemon.jobs()["hourly"]
    assert known["health"] == "ok" and known["reason"] == text
    assert known["elsewhere"]["older"] == 19 and known["elsewhere"]["command"] == "etlctl restate hourly"
    assert text in daemon.ctl("status", "hourly", output="table").out
    why = daemon.ctl("why", "hourly").json
    assert any(text in line for line in why["because"]) and "etlctl restate hourly" in why["hints"], why
    why = daemon.ctl("why", "hourly", "--window", iso(flow.start)).json
    assert any("made by another definition of " in line for line in why["because"]), why
    (entry,) = [e for e in daemon.log() if e.get("MESSAGE") == warning]
    assert entry["ETL_JOB"] == "hourly" and int(entry["ETL_WINDOWS"]) == 19

    listed = stale(daemon)
    today = metadata["windows"].find_one({"job": "hourly"})["updated_at"].strftime("%Y-%m-%d")
    assert len(listed["windows"]) == 19 and listed["summary"][0]["stale"] == 19
    assert {w["stale"] for w in listed["windows"]} == {f"made by another definition of {today}"}
    assert len(stale(daemon, "--to", iso(flow.start + 4 * HOUR))["windows"]) == 4
    assert "made by another definition" in daemon.ctl("windows", "hourly", "--stale", output="table").out
    assert {d["co_unit"] for d in db["hourly"].find()} == {"mg/m3"}
    assert metadata["runs"].count_documents({}) == runs

    # The next run takes its lookback with it, and no more.
    reload(daemon, job(flow, 20, "g/m3"))
    daemon.run("hourly")
    daemon.wait_idle()
    assert len(stale(daemon)["windows"]) == 17

    # A dry run counts, the restatement loads, and it is audited.
    dry = daemon.ctl("restate", "hourly", "--dry-run").json
    assert dry["survey"]["wanted"] == 17 and len(stale(daemon)["windows"]) == 17
    done = daemon.ctl("restate", "hourly", "--wait").json
    assert done["backfill"]["windows"]["done"] == 17 and done["backfill"]["reprocess"] == "stale"
    assert stale(daemon)["windows"] == []
    wait_for(lambda: daemon.jobs()["hourly"]["elsewhere"] is None, "status tells it still")
    (record,) = metadata["audit"].find({"what": "restate"})
    assert record["details"]["job"] == "hourly" and record["details"]["reprocess"] == "stale"
    assert daemon.ctl("restate", "hourly", "--wait").json["backfill"]["windows"]["wanted"] == 0
    daemon.stop()

    # As if it had been loaded so from the beginning.
    restated = documents(db["hourly"])
    db["hourly"].drop()
    for name in ("windows", "watermarks", "leases"):
        metadata[name].delete_many({})
    loaded(daemon)
    wait_for(lambda: db["hourly"].count_documents({}) == len(restated), "not all is loaded")
    assert documents(db["hourly"]) == restated


def test_each_changed_partition_is_told(etld, db):
    """The values of one partition change, and then those of another, while nothing was restated."""
    db["src"].insert_many({"t": when, "s": s} for s in ("a", "b", "c") for when in (
        dt.datetime(2026, 1, 1, 0, 30), dt.datetime(2026, 1, 1, 1, 30)))

    def stations(**heights):
        return {"schedule": {"cron": "0 0 1 1 *"}, "partitions": {
            "station": ["a", "b", "c"], "values": {"height": {s: str(heights.get(s, 10)) for s in "abc"}}},
            "window": {"size": "1h", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T02:00:00Z"},
            "extract": {"mongodb": {"collection": "src", "filter": {"s": "{station}"}, "time": {"field": "t"}}},
            "transform": [{"set": {"height": "{height}"}}],
            "load": {"mongodb": {"collection": "out", "key": ["s", "t"]}}}
    daemon = etld({"hourly": stations()})
    loaded(daemon)
    for made, n in ((stations(b=20), 2), (stations(b=20, c=30), 4)):
        (warning,) = reload(daemon, made)
        assert warning.startswith(f"hourly: {n} windows were made by an older definition"), warning
        assert sum(entry.get("MESSAGE") == warning for entry in daemon.log()) == 1
    assert {w["partition"] for w in stale(daemon)["windows"]} == {"station=b", "station=c"}
    daemon.ctl("restate", "hourly", "--wait")
    assert sorted(d["height"] for d in db["out"].find()) == ["10", "10", "20", "20", "30", "30"]


def test_killed_and_reloaded_in_the_middle(etld, flow, db):
    """A restatement goes on behind a kill, by the definition that holds then; what it had done by another
    one is stale, and nothing is there twice."""
    daemon = loaded(etld({"hourly": job(flow, 19)}))
    before = db["hourly"].count_documents({})
    reload(daemon, job(flow, 19, "g/m3"))
    daemon.ctl("restate", "hourly", "--rate", "1/s")  # ten seconds between its two pieces
    wait_for(lambda: len(stale(daemon)["windows"]) == 9, "the first piece is not in")
    daemon.kill9()
    daemon.write_job("hourly", job(flow, 19, "kg/m3"))
    daemon.start()
    wait_for(lambda: len(stale(daemon)["windows"]) == 10, "the second piece is not in")
    wait_for(lambda: not daemon.ctl("backfills").json["backfills"], "the restatement goes on")
    assert {d["co_unit"] for d in db["hourly"].find()} == {"g/m3", "kg/m3"}

    # A reload as soon as the rest is in: all of it is stale at once.
    daemon.ctl("restate", "hourly")
    wait_for(lambda: not stale(daemon)["windows"], "the first piece is not in")
    reload(daemon, job(flow, 19))
    wait_for(lambda: not daemon.ctl("backfills").json["backfills"], "the restatement goes on")
    assert daemon.ctl("restate", "hourly", "--wait").json["backfill"]["windows"]["done"] == 19
    assert stale(daemon)["windows"] == []
    assert {d["co_unit"] for d in db["hourly"].find()} == {"mg/m3"}
    assert db["hourly"].count_documents({}) == before


def test_what_the_change_back_means(etld, flow):
    """What the old definition made is its own again, without a read; what the other one made is stale."""
    daemon = loaded(etld({"hourly": job(flow, 6)}))
    assert "6 windows were made by an older definition" in reload(daemon, job(flow, 8, "g/m3"))[0]
    daemon.run("hourly")
    daemon.wait_idle()
    assert len(stale(daemon)["windows"]) == 5
    assert "3 windows were made by an older definition" in reload(daemon, job(flow, 8))[0]
    assert [w["start"] for w in stale(daemon)["windows"]] == [iso(flow.start + h * HOUR) for h in range(5, 8)]


def test_what_is_no_change(etld, flow):
    """Schedule, retries, description, lookback and an option at its default replace nothing and are told
    as nothing; what an older etld has closed is unknown and not stale."""
    daemon = loaded(etld({"hourly": job(flow, 6)}))
    made = job(flow, 6, description="hours", window={"lookback": "1h"}, retry={"max": 1})
    made["load"]["mongodb"]["database"] = daemon.settings["mongodb"]["database"]
    assert reload(daemon, made) == [] and stale(daemon)["windows"] == []


def test_entries_of_an_older_etld(etld, flow, metadata):
    daemon = loaded(etld({"hourly": job(flow, 6)}))
    metadata["windows"].update_many({}, {"$unset": {"definition": ""}})
    metadata["watermarks"].update_many({}, {"$unset": {"targets.0.definition": "", "targets.0.since": ""}})
    assert reload(daemon, job(flow, 6, "g/m3")) == []
    assert stale(daemon)["windows"] == [] and stale(daemon)["summary"][0]["unknown"] == 6


def test_the_next_start_tells_it(etld, flow):
    daemon = loaded(etld({"hourly": job(flow, 5)}))
    daemon.stop()
    daemon.write_job("hourly", job(flow, 5, "g/m3"))
    daemon.start()
    wait_for(lambda: daemon.jobs()["hourly"]["elsewhere"], "the start finds nothing")
    assert daemon.jobs()["hourly"]["elsewhere"]["text"] == "5 windows were made by an older definition"
    wait_for(lambda: [e for e in daemon.log() if "older definition" in e.get("MESSAGE", "")], "nobody is told")


def test_what_the_source_no_longer_keeps(etld, flow):
    """It is loaded, and stays so: nothing loaded becomes unrecoverable."""
    daemon = loaded(etld({"hourly": job(flow, 6)}))
    reload(daemon, job(flow, 6, "g/m3", window={"retention": "2d"}))
    survey = daemon.ctl("restate", "hourly", "--dry-run").json["survey"]
    assert (survey["wanted"], survey["kept"]) == (0, 6)
    assert "older than the source keeps" in daemon.ctl("restate", "hourly", "--dry-run", output="table").out
    daemon.ctl("restate", "hourly", "--wait")
    assert {w["state"] for w in stale(daemon)["windows"]} == {"loaded"} and len(stale(daemon)["windows"]) == 6


# ---- checks that hold what is loaded -----------------------------------------------------------------

def test_a_release_outlives_a_changed_collection(etld, metadata, db):
    start = begin()
    with HostSim({"rows": rows_of(start)}) as host:
        daemon = etld({"hourly": checked_job(host, start, "hold")}).start()
        daemon.run("hourly", ok=(0, HELD))
        daemon.wait_idle()
        pasted(daemon, held(daemon)[0]["release"])
        daemon.run("hourly")
        daemon.wait_idle()
        made = checked_job(host, start, "hold")
        made["load"]["mongodb"]["collection"] = "elsewhere"
        assert "none in 'elsewhere'" in reload(daemon, made)[0]
        assert daemon.ctl("restate", "hourly", "--wait").json["backfill"]["windows"]["failed"] == 0
        assert db["elsewhere"].count_documents({}) == HOURS and not held(daemon)
        assert stale(daemon)["windows"] == []


def test_newer_content_of_a_loaded_window_is_held(etld, metadata, db):
    """It is in held list with the commands that decide, and what is loaded stays."""
    start = begin()
    rows = rows_of(start, bad=7)
    with HostSim({"rows": rows}) as host:
        daemon = etld({"hourly": checked_job(host, start, "hold")}).start()
        daemon.run("hourly")
        daemon.wait_idle()
        rows[BAD]["v"] = 2000
        daemon.ctl("run", "hourly", "--window", hour(start, BAD), "--wait", ok=None)
        (unit,) = held(daemon)
        assert unit["state"] == "loaded" and unit["checks"][0]["value"] == "2000"
        assert db["rows"].count_documents({"v": 7}) == 1 and not db["rows"].count_documents({"v": 2000})
        because = daemon.ctl("why", "hourly", "--window", hour(start, BAD)).json
        assert any("newer content" in line for line in because["because"]), because
        assert unit["release"] in because["hints"] and unit["discard"] in because["hints"]
        answer = pasted(daemon, unit["discard"])
        assert answer["state"] == "loaded" and not held(daemon)
        daemon.ctl("watermark", "undo", "hourly")
        answer = pasted(daemon, held(daemon)[0]["release"])
        assert answer["state"] == "loaded"
        daemon.run("hourly")
        wait_for(lambda: db["rows"].count_documents({"v": 2000}) == 1, "what was released is not in")
        assert not held(daemon)
