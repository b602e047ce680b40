# SPDX-License-Identifier: MIT
"""Windows of local days with the real daemon, over the end of daylight saving: days of 24, 25 and 24
hours, one of which fails, is repaired and loaded again by a backfill; commands take and print local
dates."""
import datetime as dt
import subprocess

import pytest

from wait import wait_for
from zonebox import ZoneBox

pytestmark = pytest.mark.daemon

FIRST = dt.datetime(2026, 10, 22, 22)  # midnight in Paris
DAYS = {"2026-10-23": 24, "2026-10-24": 24, "2026-10-25": 25, "2026-10-26": 24, "2026-10-27": 24}
BROKEN = dt.datetime(2026, 10, 25, 22)  # the last hour of the day that has 25

JOB = """
schedule: {cron: "0 0 1 1 *"}
retry: {max: 0}
rejects: {max: 0, max_ratio: 0}
window: {size: 1d, timezone: Europe/Paris, start: 2026-10-23, end: 2026-10-28, max_span: 10d, lookback: 0s}
extract:
  mongodb: {collection: src, time: {field: t}}
transform:
  - cast: {v: int}
  - aggregate: {every: 1d, timezone: Europe/Paris, sum: v, count: hours}
  - set: {day: "{window.start:%Y-%m-%d}", utc: "{window.start:%Y-%m-%dT%H:%MZ}"}
load:
  mongodb: {collection: out, key: [timestamp]}
"""


@pytest.fixture(name="daemon")
def daily(etld, db):
    db["src"].insert_many({"t": FIRST + dt.timedelta(hours=h), "v": 1} for h in range(sum(DAYS.values())))
    daemon = etld()
    daemon.write_job("daily", JOB)
    return daemon.start()


def loaded(db):
    return {d["day"]: d["hours"] for d in db["out"].find()}


def states(daemon):
    return {w["date"]: w["state"] for w in daemon.ctl("windows", "daily", "--all").json["windows"]}


def test_days_of_their_own_length(daemon, db):
    answer = daemon.run("daily")
    assert answer.json["run"]["windows"]["loaded"] == 5
    assert answer.json["run"]["counts"]["in"] == sum(DAYS.values())
    assert loaded(db) == DAYS
    first = db["out"].find_one({"day": "2026-10-26"})
    assert (first["timestamp"].isoformat(), first["utc"]) == ("2026-10-25T23:00:00+00:00", "2026-10-25T23:00Z")
    windows = daemon.ctl("windows", "daily", "--all").json
    assert windows["grid"] == "1d Europe/Paris"
    assert [(w["date"], w["start"], w["end"]) for w in windows["windows"]][2] == (
        "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    table = daemon.ctl("windows", "daily", "--all", output="wide")
    assert "2026-10-25" in table.out and "Europe/Paris" in table.err
    marks = daemon.ctl("watermark", "show", "daily").json["watermarks"]
    assert marks[0]["watermark"] == "2026-10-27T23:00:00Z" and marks[0]["grid"] == "1d Europe/Paris"


def test_a_day_that_failed_is_repaired(daemon, db):
    db["src"].update_one({"t": BROKEN}, {"$set": {"v": "-"}})
    daemon.run("daily", ok=range(256))
    want = dict.fromkeys(DAYS, "loaded") | {"2026-10-25": "failed"}
    assert states(daemon) == want
    job = daemon.jobs()["daily"]
    assert (job["health"], job["windows"]["failed"]) == ("failing", 1), job
    why = daemon.ctl("why", "daily", "--window", "2026-10-25").json["window"]
    assert (why["start"], why["end"]) == ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    db["src"].update_one({"t": BROKEN}, {"$set": {"v": 1}})
    daemon.run("daily")
    assert loaded(db) == DAYS and states(daemon) == dict.fromkeys(DAYS, "loaded")
    wait_for(lambda: daemon.jobs()["daily"]["health"] == "ok", lambda: daemon.jobs()["daily"])


def test_commands_take_local_dates(daemon, db):
    daemon.run("daily")
    before = {d["day"]: d for d in db["out"].find()}
    db["src"].update_many({}, {"$set": {"v": 2}})
    dates = ("--from", "2026-10-25", "--to", "2026-10-27")
    survey = daemon.ctl("backfill", "daily", *dates, "--reprocess", "all", "--dry-run").json["survey"]
    assert survey["wanted"] == 2
    for order in ("oldest", "newest"):
        done = daemon.ctl("backfill", "daily", *dates, "--reprocess", "all", "--order", order, "--wait").json
        assert done["backfill"]["state"] == "done" and done["backfill"]["windows"]["done"] == 2, done
    after = {d["day"]: d for d in db["out"].find()}
    assert {day for day in DAYS if after[day] != before[day]} == {"2026-10-25", "2026-10-26"}
    assert after["2026-10-25"]["v_sum"] == 50
    daemon.run("daily", "--window", "2026-10-24")
    assert db["out"].find_one({"day": "2026-10-24"})["v_sum"] == 48
    wrong = daemon.ctl("watermark", "rewind", "daily", "2026-10-25T03:00", "--reason", "x", ok=(2,))
    assert "2026-10-24T22:00:00Z or 2026-10-25T23:00:00Z" in wrong.err
    back = daemon.ctl("watermark", "rewind", "daily", "2026-10-25", "--reason", "x").json["partitions"][0]
    assert (back["to"], back["windows"]) == ("2026-10-24T22:00:00Z", 3)


def test_days_of_a_fixed_length_before(daemon, db, metadata):
    """What was loaded in days of UTC stays counted, and is not loaded again; the rest follows in local days."""
    daemon.stop()
    daemon.write_job("daily", JOB.replace("timezone: Europe/Paris, start: 2026-10-23, end: 2026-10-28",
                                          "start: 2026-10-23, end: 2026-10-25").replace(
                                              ", timezone: Europe/Paris, sum", ", sum"))
    daemon.start()
    daemon.run("daily")
    assert metadata["windows"].count_documents({"state": "loaded"}) == 2
    daemon.write_job("daily", JOB)
    daemon.ctl("reload")
    daemon.run("daily")
    # The start lies two hours before what was the first window: that day comes, and behind the watermark
    # the 25th, in which it lies.
    assert {day: hours for day, hours in loaded(db).items() if day >= "2026-10-25"} == {
        day: hours for day, hours in DAYS.items() if day >= "2026-10-25"}
    starts = sorted(w["start"] for w in metadata["windows"].find())
    assert [s.hour for s in starts] == [22, 0, 0, 22, 23, 23]
    assert daemon.jobs()["daily"]["health"] == "ok"


def test_what_is_told_of_both(daemon, db, metadata):
    """Of two days of 24 hours from 22:00Z on that failed, one was a local day and one never was."""
    db["src"].delete_many({})
    first = dt.datetime(2026, 3, 26, 22)
    db["src"].insert_many({"t": first + dt.timedelta(hours=h), "v": "-" if h in (30, 100) else 1}
                          for h in range(6 * 24))
    daemon.stop()
    daemon.write_job("daily", JOB.replace(
        "timezone: Europe/Paris, start: 2026-10-23, end: 2026-10-28",
        'start: "2026-03-26T22:00:00Z", end: "2026-04-01T22:00:00Z"').replace(
            "every: 1d, timezone: Europe/Paris", "every: 1h"))
    daemon.start()
    daemon.run("daily", ok=range(256))
    daemon.ctl("pause", "daily", "--reason", "the windows are changed")
    failed = sorted(w["start"].isoformat() for w in metadata["windows"].find({"state": "failed"}))
    assert failed == ["2026-03-27T22:00:00+00:00", "2026-03-30T22:00:00+00:00"]
    assert daemon.jobs()["daily"]["windows"]["failed"] == 2
    daemon.write_job("daily", JOB.replace("start: 2026-10-23, end: 2026-10-28", "start: 2026-03-27, end: 2026-04-02"))
    daemon.stop()
    daemon.start()
    wait_for(lambda: daemon.jobs()["daily"]["windows"]["failed"] == 1, lambda: daemon.jobs()["daily"])


@pytest.fixture(name="zones")
def own_zone_files(tmp_path):
    try:
        box = ZoneBox(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no mount namespace here: {error.stderr.strip()}")
    yield box
    box.close()


def test_a_new_zone_file(etld, db, metadata, zones):
    """Days of Paris become an hour earlier under the daemon: what is loaded stays, days behind it are by the
    new file, and so is the one before the start, which has moved back."""
    db["src"].insert_many({"t": FIRST + dt.timedelta(hours=h), "v": 1} for h in range(sum(DAYS.values())))
    daemon = etld(prefix=zones.prefix)
    daemon.write_job("daily", JOB.replace("end: 2026-10-28", "end: 2026-10-26"))
    daemon.start()
    daemon.run("daily")
    before = {w["_id"]: w for w in metadata["windows"].find()}
    assert len(before) == 3
    zones.replace("Europe/Paris", zones.read("Europe/Helsinki"))
    wait_for(lambda: daemon.status()["daemon"]["config"]["generation"] == 2, daemon.stderr_tail)
    daemon.edit_job("daily", "end: 2026-10-26", "end: 2026-10-28")
    daemon.ctl("reload")
    daemon.run("daily")
    after = {w["_id"]: w for w in metadata["windows"].find()}
    assert {i: w for i, w in after.items() if i in before} == before
    assert sorted((w["start"].isoformat(), w["state"]) for i, w in after.items() if i not in before) == [
        ("2026-10-22T21:00:00+00:00", "loaded"), ("2026-10-25T22:00:00+00:00", "loaded"),
        ("2026-10-26T22:00:00+00:00", "loaded")]
    assert (daemon.jobs()["daily"]["health"], daemon.jobs()["daily"]["windows"]["failed"]) == ("ok", 0)
