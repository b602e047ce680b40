# SPDX-License-Identifier: MIT
"""etlctl backfill with the real daemon: what it loads, what it leaves alone, how it goes on."""
import datetime as dt
import signal

import pytest

from airqino_sim import STATION_1, STATION_2
from flow import DAY, HOUR, Flow, iso
from wait import wait_for

pytestmark = pytest.mark.daemon

DAYS = 6
STATIONS = (STATION_1, STATION_2)
ENDED = "133ddce1083c4438b31f5ea3dc00a586"


@pytest.fixture(name="flow")
def hourly_flow(sim):
    return Flow(sim, span="12h", lookback="0s")


@pytest.fixture(name="loaded")
def daemon_with_history_skipped(etld, flow):
    """Live from the last day on: what lies before was skipped by an operator."""
    daemon = etld({"hourly": flow.hourly(flow.start + DAYS * DAY)})
    daemon.start()
    daemon.ctl("watermark", "set", "hourly", iso(flow.start + (DAYS - 1) * DAY), "--reason", "history later")
    daemon.run("hourly")
    return daemon


def backfill(daemon, flow, *more, days=DAYS, ok=(0,)):
    return daemon.ctl("backfill", "hourly", "--from", iso(flow.start), "--to",
                      iso(flow.start + days * DAY), *more, ok=ok).json


def final(daemon, identity):
    def ended():
        found = [b for b in daemon.ctl("backfills", "--all").json["backfills"]
                 if b["backfill_id"] == identity and b["state"] != "running"]
        return found[0] if found else None
    return wait_for(ended, lambda: f"the backfill goes on: {daemon.ctl('backfills', '--all').out}", 120)


def windows_of(backfill_json):
    return {k: v for k, v in backfill_json["windows"].items() if v}


def check_all_loaded(flow, db, metadata):
    for station in STATIONS:
        flow.check_hours(db["hourly"], station, flow.start, flow.start + DAYS * DAY)
        states = {e["state"] for _, e in flow.ledger(metadata, "hourly", station)}
        assert states <= {"loaded", "empty"}, states


def test_history_is_loaded_and_the_live_watermark_stays(loaded, flow, db, metadata):
    before = {s: flow.processed(metadata, "hourly", s) for s in STATIONS}
    dry = backfill(loaded, flow, "--dry-run")
    assert dry["survey"]["wanted"] == 2 * 24 * (DAYS - 1)
    assert dry["survey"]["states"]["skipped"] == dry["survey"]["wanted"]
    assert not loaded.ctl("backfills", "--all").json["backfills"]
    begun = backfill(loaded, flow)
    done = final(loaded, begun["backfill"]["backfill_id"])
    assert (done["state"], windows_of(done)) == (
        "done", {"wanted": dry["survey"]["wanted"], "done": dry["survey"]["wanted"]})
    assert done["pieces"] == dry["survey"]["pieces"]
    assert {s: flow.processed(metadata, "hourly", s) for s in STATIONS} == before
    check_all_loaded(flow, db, metadata)
    assert metadata["audit"].count_documents({"what": "backfill"}) == 1
    runs = [r for r in loaded.runs("hourly") if r["trigger"] == "backfill"]
    assert len(runs) == done["pieces"] and {r["state"] for r in runs} == {"ok"}
    # A second one finds nothing to do, and says so at once.
    again = backfill(loaded, flow, "--wait")
    assert again["backfill"]["state"] == "done" and not windows_of(again["backfill"])


def test_newest_first_and_followed(loaded, flow, db, metadata):
    result = backfill(loaded, flow, "--order", "newest", "--wait")
    assert result["backfill"]["state"] == "done"
    check_all_loaded(flow, db, metadata)
    starts = [r["window"]["start"] for r in reversed(loaded.runs("hourly")) if r["trigger"] == "backfill"]
    assert starts == sorted(starts, reverse=True) and len(starts) > 5


def test_killed_again_and_again(loaded, flow, db, metadata, sim):
    """What is next follows from the ledger: after each death it goes on, and nothing is doubled."""
    identity = backfill(loaded, flow, "--rate", "6000/m")["backfill"]["backfill_id"]
    for deaths in range(1, 4):
        wait_for(lambda n=deaths: metadata["runs"].count_documents({"trigger": "backfill"}) >= n,
                 loaded.stderr_tail, 240)
        loaded.kill9()
        flow.check_invariant_of(db, metadata, "hourly")
        loaded.start()
    assert final(loaded, identity)["state"] == "done"
    check_all_loaded(flow, db, metadata)
    assert sum(r["counts"]["updated"] for r in loaded.runs("hourly")) == 0


def test_live_runs_go_first(etld, flow, db, sim):
    """One place only: a manual run that comes in the middle of a backfill starts before the
    backfill's next piece."""
    daemon = etld({"hourly": flow.hourly(flow.start + DAYS * DAY),
                   "other": flow.hourly(flow.start + DAY, load={"mongodb": {
                       "collection": "other", "mode": "upsert", "key": ["station_id", "timestamp"]}})},
                  config={"limits": {"max_active": 1}})
    daemon.start()
    daemon.ctl("watermark", "set", "hourly", iso(flow.start + (DAYS - 1) * DAY), "--reason", "later")
    identity = backfill(daemon, flow)["backfill"]["backfill_id"]
    daemon.run("other")
    daemon.run("hourly")
    final(daemon, identity)
    runs = list(reversed(daemon.runs()))
    order = [(r["job"], r["trigger"]) for r in runs]
    last_piece = max(i for i, r in enumerate(order) if r == ("hourly", "backfill"))
    assert order.index(("other", "manual")) < last_piece
    assert order.index(("hourly", "manual")) < last_piece
    assert db["other"].count_documents({}) == sum(
        len(flow.hours(s, flow.start, flow.start + DAY)) for s in STATIONS)


def test_reprocess_finds_what_changed_and_marks_dependants(etld, flow, sim, db, metadata):
    daemon = etld(flow.jobs(DAYS))
    daemon.start()
    daemon.run("hourly")
    daemon.run("daily")
    daemon.wait_idle()
    attempts = {w["_id"]: w["attempt"] for w in metadata["windows"].find({"job": "daily"})}
    sim.recalibrate(iso(flow.start + DAY), iso(flow.start + 2 * DAY), "CO", STATION_1, factor=1.5)
    result = backfill(daemon, flow, "--reprocess", "all", "--partition", f"station={STATION_1}", "--wait")
    assert windows_of(result["backfill"]) == {"wanted": 24 * DAYS, "done": 24 * DAYS}
    daemon.wait_idle()
    changed = [r for r in daemon.runs("hourly") if r["counts"]["updated"]]
    assert {r["trigger"] for r in changed} == {"backfill"}
    again = [w for w in metadata["windows"].find({"job": "daily"}) if w["attempt"] > attempts[w["_id"]]]
    assert [(w["partition"], w["start"]) for w in again] == [(STATION_1, flow.start + DAY)]
    flow.check_final(db, metadata, DAYS)


@pytest.mark.slow
def test_a_source_that_fails_and_comes_back(loaded, flow, db, metadata, sim):
    sim.fault("status", code=500, times=10**6)
    begun = backfill(loaded, flow)
    identity = begun["backfill"]["backfill_id"]
    wait_for(lambda: [b for b in loaded.ctl("backfills").json["backfills"] if b["reason"]],
             loaded.stderr_tail, 240)
    sim.clear_faults()
    done = final(loaded, identity)
    assert done["state"] in ("done", "failed")
    backfill(loaded, flow, "--reprocess", "failed", "--wait")
    check_all_loaded(flow, db, metadata)


def test_cancelled(loaded, flow, metadata):
    identity = backfill(loaded, flow, "--rate", "1/m")["backfill"]["backfill_id"]
    wait_for(lambda: [b for b in loaded.ctl("backfills").json["backfills"] if b["waits_for"] == "its rate"],
             loaded.stderr_tail, 240)
    answer = loaded.ctl("cancel", identity[-8:]).json
    assert (answer["cancelled"], answer["id"]) == ("backfill", identity)
    done = final(loaded, identity)
    assert done["state"] == "cancelled" and "cancelled by uid" in done["reason"]
    wait_for(lambda: metadata["audit"].count_documents({"what": "cancel"}) == 1, "the audit")
    loaded.ctl("cancel", identity[-8:], ok=(4,))
    loaded.ctl("cancel", "hourly", ok=(4,))


def test_a_paused_job_keeps_its_backfill(loaded, flow, db, metadata):
    loaded.ctl("pause", "hourly")
    identity = backfill(loaded, flow)["backfill"]["backfill_id"]
    wait_for(lambda: [b for b in loaded.ctl("backfills").json["backfills"]
                      if b["waits_for"] == "the job is paused"], loaded.stderr_tail, 240)
    loaded.process.send_signal(signal.SIGHUP)  # and over a reload
    loaded.ctl("resume", "hourly")
    assert final(loaded, identity)["state"] == "done"
    check_all_loaded(flow, db, metadata)


def test_older_than_the_source_keeps(etld, flow, metadata):
    age = dt.datetime.now(dt.timezone.utc) - flow.start
    kept = dt.timedelta(hours=int((age - DAY) / HOUR))
    daemon = etld({"hourly": flow.hourly(flow.start + DAYS * DAY,
                                         window={"retention": f"{int(kept / HOUR)}h"})})
    daemon.start()
    daemon.ctl("watermark", "set", "hourly", iso(flow.start + 2 * DAY), "--reason", "later")
    dry = backfill(daemon, flow, "--dry-run", days=2)
    result = backfill(daemon, flow, "--wait", days=2)
    assert result["backfill"]["windows"]["unrecoverable"] == dry["survey"]["too_old"] > 0
    assert result["backfill"]["windows"]["done"] == dry["survey"]["wanted"] - dry["survey"]["too_old"]
    assert metadata["windows"].count_documents({"state": "unrecoverable"}) == dry["survey"]["too_old"]


@pytest.mark.parametrize("words, says", [
    (("--from", "2026-03-05", "--to", "2026-03-04"), "ends before it begins"),
    (("--from", "2020-01-01"), "before the first window of 'hourly', which begins at 2"),
    (("--rate", "60"), "--rate"), (("--rate", "-1/s"), "--rate"), (("--rate", "1/d"), "--rate"),
])
def test_what_cannot_be(loaded, words, says):
    answer = loaded.ctl("backfill", "hourly", *words, ok=(2,))
    assert says in answer.err


def test_what_the_ledger_lost_is_loaded_again(etld, flow, db, metadata):
    """Somebody deletes entries and their documents behind the daemon's back."""
    daemon = etld({"hourly": flow.hourly(flow.start + DAYS * DAY)})
    daemon.start()
    daemon.run("hourly")
    lost = {"job": "hourly", "start": {"$gte": flow.start + DAY, "$lt": flow.start + 2 * DAY}}
    gone = metadata["windows"].delete_many(lost).deleted_count
    db["hourly"].delete_many({"timestamp": {"$gte": flow.start + DAY, "$lt": flow.start + 2 * DAY}})
    assert len([w for w in daemon.windows("hourly") if w["state"] == "pending"]) == gone == 48
    daemon.stop()
    daemon.start()
    daemon.run("hourly")
    assert not daemon.windows("hourly")
    check_all_loaded(flow, db, metadata)


def test_cancelled_at_another_etld(loaded, etld, flow, metadata):
    """Any etld ends a backfill, whoever drives it: that one finds out at its next step."""
    other = etld({"hourly": flow.hourly(flow.start + DAYS * DAY)}, database=loaded.database)
    identity = backfill(loaded, flow, "--rate", "120/m")["backfill"]["backfill_id"]
    wait_for(lambda: metadata["backfills"].find_one({"_id": identity, "pieces": {"$gte": 1}}), loaded.stderr_tail, 240)
    other.start()
    wait_for(lambda: [b for b in other.ctl("backfills").json["backfills"]
                      if b["waits_for"] == "another etld drives it"], other.stderr_tail)
    answer = other.ctl("cancel", identity[-8:]).json
    assert (answer["cancelled"], answer["id"]) == ("backfill", identity)
    stored = metadata["backfills"].find_one({"_id": identity})
    assert stored["state"] == "cancelled" and "cancelled by uid" in stored["reason"]
    for each in (other, loaded):
        ended = each.wait_log(MESSAGE_ID=ENDED, ETL_BACKFILL_ID=identity, ETL_STATE="cancelled")
        assert ended["ETL_JOB"] == "hourly"
    assert metadata["backfills"].find_one({"_id": identity}) == stored
    wait_for(lambda: metadata["leases"].count_documents({"_id": f"backfill/{identity}"}) == 0, "its lease to go")
    wait_for(lambda: metadata["audit"].count_documents({"what": "cancel"}) == 1, "the audit")
    other.ctl("cancel", identity, ok=(4,))
    loaded.ctl("cancel", identity, ok=(4,))
