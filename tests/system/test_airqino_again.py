# SPDX-License-Identifier: MIT
"""What a second look at the source does: nothing, if nothing changed; else exactly the changed
documents and exactly the days they touch. Also rows that come late, and a daemon that was away.
"""
import contextlib
import datetime as dt
import hashlib
import os

import bson
import pytest

import airqino_truth as truth
from airqino_sim import HOUR, STATION_1, STATION_2, AirqinoSim, epoch, utc
from airqino_truth import DAY, STATIONS_BOTH, iso
from airqino_year import captured_year, loaded_year, wait_clean
from etld import Etld
from fakeclock import FakeClock
from wait import wait_for

pytestmark = pytest.mark.daemon
RUN_FINISHED = "c8987263840b4ff9a81264c55b962ad3"


@pytest.fixture(scope="module")
def year(mongodb, mongo_client, tmp_path_factory):
    with loaded_year(mongodb, mongo_client, f"again_{os.getpid()}", tmp_path_factory.mktemp("clock")) as loaded:
        yield loaded


@contextlib.contextmanager
def events_of(db):
    """Collects what a change stream says of `db` while the body runs. A document written at
    the end tells that all events before it have been seen."""
    events = []
    with db.watch() as stream:
        yield events
        db.the_end.insert_one({})
        while True:
            event = wait_for(stream.try_next, "the change stream's end")
            if event["ns"]["coll"] == "the_end":
                break
            events.append((event["ns"]["coll"], event["operationType"], event["documentKey"]["_id"]))
    db.the_end.drop()


def fingerprint(collection):
    digest = hashlib.sha256()
    for document in collection.find().sort("_id", 1):
        digest.update(bson.encode(document))
    return digest.hexdigest()


def ids(db, collection, keys):
    wanted = set(keys)
    return {d["_id"] for d in db[collection].find({}, {"station_id": 1, "timestamp": 1})
            if (d["station_id"], d["timestamp"]) in wanted}


def marked_days(metadata, end):
    """The days before `end` that are to be computed again."""
    return {(e["partition"], e["start"]) for e in metadata.windows.find({"job": "airqino_daily", "dirty": True})
            if e["end"].timestamp() <= end}


@pytest.mark.slow
def test_a_second_run_writes_nothing(year):
    before = fingerprint(year.db.hourly_averages), fingerprint(year.db.daily_averages)
    with events_of(year.db) as events:
        first = year.etld.run("airqino", "--from", iso(year.end - 40 * DAY), "--to", iso(year.end)).json["run"]
        hourly = year.etld.run("airqino").json["run"]
        daily = year.etld.run("airqino_daily").json["run"]
        year.etld.wait_idle()
    assert events == []
    assert before == (fingerprint(year.db.hourly_averages), fingerprint(year.db.daily_averages))
    assert first["counts"]["in"] > 1000 and hourly["counts"]["in"] > 0
    for run in (first, hourly, daily):
        counts = run["counts"]
        assert run["state"] == "ok" and counts["updated"] == counts["inserted"] == 0, run
        assert counts["unchanged"] == counts["out"] == counts["in"], run


def recalibrate(year, months_back, **change):
    """Three months of CO of one station rewritten by the service. Returns the range and the
    rows that differ for it."""
    begin = (year.end - (months_back * 30 + 1) * DAY) // DAY * DAY + 5 * HOUR
    end = begin + 90 * DAY
    before = truth.hourly(year.sim, year.start, year.end)
    year.sim.recalibrate(iso(begin), iso(end), "CO", STATION_1, **change)
    after = truth.hourly(year.sim, year.start, year.end)
    changed = {key for key in after if after[key] != before[key]}
    assert 5 < len(changed) <= 90 * 24 and {s for s, _ in changed} == {STATION_1}
    return begin, end, changed, after


def check_exactly(year, changed, after, reread):
    """`reread` makes the hourly job read; exactly `changed` and their days may move."""
    days = {(s, at.replace(hour=0)) for s, at in changed}
    wait_clean(year.metadata, "airqino_daily")
    year.etld.ctl("pause", "airqino_daily")
    before_daily = truth.stored(year.db.daily_averages)
    with events_of(year.db) as events:
        run = reread()
        year.etld.wait_idle()
    assert run["state"] == "ok" and run["counts"]["updated"] == len(changed), run["counts"]
    touched = [e for e in events if e[0] == "hourly_averages" and e[1] != "insert"]
    assert len(touched) == len(changed)
    assert {e[2] for e in touched} == ids(year.db, "hourly_averages", changed)
    assert marked_days(year.metadata, year.days_end) == days

    year.etld.ctl("resume", "airqino_daily")
    with events_of(year.db) as events:
        run = year.etld.run("airqino_daily").json["run"]
        year.etld.wait_idle()
    assert marked_days(year.metadata, year.days_end) == set()
    recomputed = {(e["partition"], e["start"]) for e in
                  year.metadata.windows.find({"job": "airqino_daily", "run_id": run["run_id"]})
                  if e["end"].timestamp() <= year.days_end}
    assert recomputed == days
    wanted = truth.daily(after, year.days_end)
    moved = {key for key in days if wanted[key] != {
        k: v for k, v in before_daily[key].items() if k not in ("station_id", "timestamp")}}
    assert {e[2] for e in events if e[1] != "insert"} == ids(year.db, "daily_averages", moved)
    stored = {k: v for k, v in truth.stored(year.db.daily_averages).items() if k[1].timestamp() < year.days_end}
    truth.assert_same_means(stored, wanted)
    rows = truth.stored(year.db.hourly_averages, {"timestamp": {"$lt": utc(year.end)}})
    truth.assert_same_rows(rows, after)


def test_a_recalibration_read_again_by_hand(year):
    begin, end, changed, after = recalibrate(year, 8, offset=0.03125)
    check_exactly(year, changed, after, lambda: year.etld.run(
        "airqino", "--from", iso(begin), "--to", iso(end)).json["run"])


def test_a_recalibration_found_by_the_configured_reread(year):
    _, _, changed, after = recalibrate(year, 4, factor=1.37)
    year.etld.edit_job("airqino", "reread: {every: 1d, span: 7d}", "reread: {every: 1s, span: 130d}")
    year.etld.ctl("reload")
    year.clock.set(year.clock.now + dt.timedelta(minutes=5))  # no hour settles by that
    try:
        check_exactly(year, changed, after, lambda: year.etld.run("airqino").json["run"])
    finally:
        year.etld.edit_job("airqino", "reread: {every: 1s, span: 130d}", "reread: {every: 1d, span: 7d}")
        year.etld.ctl("reload")


# ---- on a clock of the test's own ----------------------------------------------------------

class World:
    """Clock, simulator and daemon of the shipped example; `start` is the first window."""

    def __init__(self, uri, database, folder, start, now):
        self.sim = AirqinoSim(data=captured_year(), now=now).start()
        self.clock = FakeClock(folder, now, self.sim)
        self.start = start
        self.etld = Etld.airqino(uri, self.sim, start, database=database, prefix=self.clock.prefix)

    def close(self):
        self.etld.close()
        self.sim.stop()


@pytest.fixture
def world(mongodb, database, tmp_path):
    made = []

    def make(start, now):
        made.append(World(mongodb.uri, database, tmp_path, start, now))
        return made[-1]
    yield make
    for each in made:
        each.close()


def test_late_rows_are_taken_in_and_their_day_computed_again(world, db, metadata):
    """Two hours come late, after their windows were closed as empty and their day was done."""
    day = utc("2024-03-13T00:00:00Z")
    late = [day + dt.timedelta(hours=h) for h in (22, 23)]
    w = world("2024-03-10T00:00:00Z", "2024-03-14T01:30:00Z")
    w.sim.hide(iso(late[0]), iso(day + dt.timedelta(days=1)), STATION_1)
    w.etld.start()
    w.etld.run("airqino")
    w.etld.run("airqino_daily")
    w.etld.wait_idle()
    assert db.daily_averages.find_one({"station_id": STATION_1, "timestamp": day})["samples"] == 22
    entries = metadata.windows.find({"job": "airqino", "partition": STATION_1, "start": {"$in": late}})
    assert [e["state"] for e in entries] == ["empty", "empty"]
    others = truth.stored(db.daily_averages, {"timestamp": {"$ne": day}})

    w.etld.ctl("pause", "airqino_daily")
    w.sim.reveal()
    w.clock.set("2024-03-14T01:50:00Z")
    with events_of(db) as events:
        run = w.etld.run("airqino").json["run"]
        w.etld.wait_idle()
    assert run["counts"]["inserted"] == 2 and run["counts"]["updated"] == 0
    assert {e[2] for e in events} == ids(db, "hourly_averages", {(STATION_1, at) for at in late})
    assert marked_days(metadata, epoch("2024-03-14T00:00:00Z")) == {(STATION_1, day)}

    w.etld.ctl("resume", "airqino_daily")
    w.etld.run("airqino_daily")
    w.etld.wait_idle()
    wanted = truth.hourly(w.sim, w.start, "2024-03-14T00:00:00Z")
    truth.assert_same_rows(truth.stored(db.hourly_averages), wanted)
    truth.assert_same_means(truth.stored(db.daily_averages), truth.daily(wanted, epoch("2024-03-14T00:00:00Z")))
    assert truth.stored(db.daily_averages, {"timestamp": {"$ne": day}}) == others


def test_a_daemon_that_was_away_catches_up_by_itself_in_order(world, db, metadata):
    w = world("2024-03-10T00:00:00Z", "2024-03-11T10:30:00Z")
    w.etld.edit_job("airqino", "max_span: 30d", "max_span: 6h")
    w.etld.edit_job("airqino", "reread: {every: 1d, span: 7d}", "# no reread here")
    w.etld.start()
    w.etld.run("airqino")
    w.etld.wait_idle()
    assert w.etld.stop() == 0
    stood = {m["partition"]: m["last_processed"] for m in metadata.watermarks.find({"job_name": "airqino"})}
    assert set(stood.values()) == {utc("2024-03-11T09:00:00Z")}

    w.clock.set("2024-03-15T03:40:00Z")
    w.sim.reset_counts()
    w.etld.start()
    end = truth.settled("2024-03-15T03:40:00Z")

    def caught_up():
        marks = [m["last_processed"] for m in metadata.watermarks.find({"job_name": "airqino"})]
        return marks == [utc(end)] * 2
    wait_for(caught_up, lambda: list(metadata.watermarks.find()), 240)
    w.etld.wait_idle()
    wait_for(lambda: metadata.watermarks.find_one({"_id": f"airqino_daily/{STATION_2}"})["last_processed"] ==
             utc("2024-03-15T00:00:00Z"), "the daily means catch up too", 240)
    w.etld.wait_idle()
    # From the log: the record's TTL runs on the server's clock, and the daemon's is years behind.
    assert w.etld.log(ETL_JOB="airqino", MESSAGE_ID=RUN_FINISHED)[-1]["ETL_TRIGGER"] == "catch_up"
    for station in STATIONS_BOTH:
        asked = [q["query"]["start_date"][0] for q in w.sim.queries if q["station"] == station]
        # The last three hours before the watermark are looked at again; then on from there.
        assert asked == sorted(asked) and len(asked) == len(set(asked)), asked
        assert "20240311-0600" <= asked[0] <= "20240311-0900", asked
    wanted = truth.hourly(w.sim, w.start, iso(end))
    truth.assert_same_rows(truth.stored(db.hourly_averages), wanted)
    for station in STATIONS_BOTH:
        loaded = {at for s, at in wanted if s == station}
        truth.assert_ledger(metadata, "airqino", station, w.start, end, loaded)
    truth.assert_same_means(truth.stored(db.daily_averages), truth.daily(wanted, end // DAY * DAY))
