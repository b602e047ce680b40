# SPDX-License-Identifier: MIT
"""etlctl watermark set, rewind, undo, history against a real daemon: what is read again and what
is not, who may, what is on record, and what a kill in the middle leaves behind."""
import datetime as dt
import os
import pwd
import shutil
import signal
import subprocess

import pymongo
import pytest

from airqino_sim import STATION_1
from etld import Etld, faults_folder
from flow import DAY, HOUR, Flow, iso
from mongodb import MongoServer
from wait import wait_for

LIMIT = 240
SLICE = 400  # windows of one transaction (lib/state/state.h)
CLOSED = {"loaded", "empty", "skipped", "unrecoverable"}
WHY = ("--reason", "because $x")


@pytest.fixture(name="flow")
def a_flow(sim):
    return Flow(sim, span="31d", lookback="0s")


def quiet_jobs(flow, days):
    """No slot and no restart starts them: what a run would load is not in the way."""
    jobs = flow.jobs(days)
    for job in jobs.values():
        job["schedule"].update(cron="@yearly", misfire="skip")
    return jobs


def daemon(flow, uri, database, days, tmp_path, **options):
    return Etld(uri, quiet_jobs(flow, days), database=database, folder=tmp_path / "etld", **options)


def load(etld, flow, metadata, days):
    etld.run("hourly", ok=(0,))
    wait_for(lambda: flow.is_finished(metadata, days), etld.stderr_tail, LIMIT)
    etld.wait_idle()


def move(etld, kind, *arguments, ok=(0,), **options):
    return etld.ctl("watermark", kind, "hourly", *arguments, ok=ok, **options)


def history(etld):
    return move(etld, "history").json["changes"]


def states(flow, metadata, station=STATION_1):
    return {start: entry["state"] for start, entry in flow.ledger(metadata, "hourly", station)}


def check_law(flow, metadata):
    """The watermark is the end of the contiguous closed windows, whatever happened."""
    for station in flow.stations:
        found = states(flow, metadata, station)
        at = flow.start
        while found.get(at) in CLOSED:
            at += HOUR
        assert flow.processed(metadata, "hourly", station) == at


@pytest.mark.daemon
def test_rewind_is_read_again_and_changes_what_changed(mongodb, flow, sim, db, metadata, database, tmp_path):
    with daemon(flow, mongodb.uri, database, 2, tmp_path) as etld:
        load(etld, flow, metadata, 2)
        back = flow.start + 30 * HOUR
        answer = move(etld, "rewind", iso(back), *WHY, "--dry-run").json
        assert answer["windows"] == 2 * 18 and answer["dry_run"]
        assert flow.is_finished(metadata, 2) and not history(etld)

        answer = move(etld, "rewind", iso(back), *WHY).json
        assert [(p["from"], p["to"], p["windows"], p["changed"]) for p in answer["partitions"]] == \
            [(iso(flow.start + 2 * DAY), iso(back), 18, True)] * 2
        assert {w["watermark"] for w in etld.jobs()["hourly"]["watermarks"]} == {iso(back)}, "status knows at once"
        assert {w["state"] for w in etld.windows("hourly")} == {"pending"}
        check_law(flow, metadata)
        documents = db["hourly"].count_documents({})

        sim.recalibrate(iso(flow.start + 40 * HOUR), iso(flow.start + 41 * HOUR), "CO", offset=0.5)
        run = etld.run("hourly", ok=(0,)).json["run"]
        changed = sum(len(flow.hours(s, flow.start + 40 * HOUR, flow.start + 41 * HOUR)) for s in flow.stations)
        assert run["counts"]["updated"] == changed > 0 and not run["counts"]["inserted"]
        assert db["hourly"].count_documents({}) == documents
        etld.wait_idle()
        wait_for(lambda: flow.is_finished(metadata, 2), etld.stderr_tail, LIMIT)
        flow.check_final(db, metadata, 2)
        assert not metadata["windows"].count_documents({"change_id": {"$nin": [None, ""]}})
        # All that was touched was loaded since: an undo has nothing to bring back.
        assert move(etld, "undo").json["windows"] == 0
        flow.check_final(db, metadata, 2)


@pytest.mark.daemon
def test_set_undo_history_and_audit_over_a_restart(mongodb, flow, db, metadata, database, tmp_path):
    etld = daemon(flow, mongodb.uri, database, 2, tmp_path)
    with etld:
        on = flow.start + 10 * HOUR
        move(etld, "set", iso(on), *WHY, "--partition", f"station={STATION_1}")
        assert set(states(flow, metadata).values()) == {"skipped"}
        assert flow.processed(metadata, "hourly", STATION_1) == on
        load_two_days(etld, flow, metadata)
        assert db["hourly"].count_documents({"station_id": STATION_1, "timestamp": {"$lt": on}}) == 0
        # At its time already, and all the others beyond it.
        refused = move(etld, "set", iso(on), *WHY, ok=(2,), output="table")
        assert "use rewind" in refused.err
        move(etld, "rewind", iso(flow.start + 20 * HOUR), *WHY)
        move(etld, "rewind", iso(flow.start + 15 * HOUR), *WHY)
    etld.start()
    assert [(c["kind"], c["windows"], c["state"]) for c in history(etld)] == \
        [("rewind", 5, "done")] * 2 + [("rewind", 28, "done")] * 2 + [("set", 10, "done")]
    assert {w["watermark"] for w in etld.jobs()["hourly"]["watermarks"]} == {iso(flow.start + 15 * HOUR)}
    for windows in (2 * 5, 2 * 28, 10):
        assert move(etld, "undo", "--reason", "after all").json["windows"] == windows
        check_law(flow, metadata)
    assert flow.processed(metadata, "hourly", STATION_1) == flow.start
    nothing = move(etld, "undo", ok=(1,), output="table")
    assert "no change of a watermark" in nothing.err
    assert [c["state"] for c in history(etld) if c["kind"] != "undo"] == ["undone"] * 5
    load(etld, flow, metadata, 2)
    flow.check_final(db, metadata, 2)
    assert len(move(etld, "history", "-n", 3).json["changes"]) == 3
    records = list(metadata["audit"].find({"what": {"$regex": "^watermark"}}).sort("at", 1))
    assert [r["what"] for r in records] == \
        ["watermark set"] + ["watermark rewind"] * 4 + ["watermark undo"] * 5
    first = records[0]["details"]
    assert first["reason"] == WHY[1] and first["job"] == "hourly" and first["partition"] == STATION_1
    assert first["from"].replace(tzinfo=dt.timezone.utc) == flow.start
    assert f"uid {os.getuid()} " in records[0]["who"]
    etld.close()


def load_two_days(etld, flow, metadata):
    etld.run("hourly", ok=(0,))
    wait_for(lambda: all(flow.processed(metadata, "hourly", s) == flow.start + 2 * DAY for s in flow.stations),
             etld.stderr_tail, LIMIT)
    etld.wait_idle()


@pytest.mark.daemon
def test_refusals(mongodb, flow, sim, metadata, database, tmp_path):
    with daemon(flow, mongodb.uri, database, 1, tmp_path) as etld:
        jobs = quiet_jobs(flow, 1)
        jobs["whole"] = {**jobs["daily"], "after": [], "window": "none", "transform": [],
                         "extract": {"mongodb": {"collection": "hourly"}}}
        etld.write_job("whole", jobs["whole"])
        etld.ctl("reload")
        day = iso(flow.start + DAY)
        for words, code, says in (
                (("set", "hourly", "2026-03-02T00:30Z", *WHY), 2,
                 "take 2026-03-02T00:00:00Z or 2026-03-02T01:00:00Z"),
                (("set", "hourly", "2026-03-01", *WHY), 2, "begins at 2026-03-02T00:00:00Z"),
                (("set", "hourly", "2026-03-04", *WHY), 2, "not final yet"),
                (("set", "hourly", "yesterday", *WHY), 2, "is not a time"),
                (("set", "hourly", day), 2, "--reason is missing"),
                (("set", "hourly", day, "--reason", "x" * 600), 2, "more than 511 bytes"),
                (("set", "hourly", day, *WHY, "--partition", "no"), 4, "no partition 'no'"),
                (("set", "hurly", day, *WHY), 4, "did you mean 'hourly'"),
                (("rewind", "hourly", day, *WHY), 1, "has no watermark yet"),
                (("set", "whole", day, *WHY), 2, "window: none"),
                (("undo", "whole"), 1, "no decision about a window"),
                (("undo", "hourly"), 1, "no change of a watermark")):
            answer = etld.ctl("watermark", *words, ok=(code,), output="table")
            assert says in answer.err, (words, answer)
        assert not metadata["windows"].count_documents({}) and not history(etld)

        sim.fault("hang", seconds=2)
        started = etld.ctl("run", "hourly").json["run_id"]
        wait_for(lambda: sim.count() >= 1, "a request")
        busy = move(etld, "set", day, *WHY, ok=(8,), output="table")
        assert started in busy.err
        etld.wait_idle()


@pytest.mark.daemon
def test_a_run_of_another_daemon_keeps_it_out(mongodb, flow, sim, metadata, database, tmp_path):
    first = daemon(flow, mongodb.uri, database, 1, tmp_path)
    second = Etld(mongodb.uri, quiet_jobs(flow, 1), database=database, folder=tmp_path / "second")
    with first, second:
        sim.fault("hang", seconds=2)
        first.ctl("run", "hourly")
        wait_for(lambda: sim.count() >= 1, "a request")
        busy = move(second, "set", iso(flow.start + DAY), *WHY, ok=(8,), output="table")
        assert str(first.pid) in busy.err, "it names the holder"
        first.wait_idle()
        assert not metadata["windows"].count_documents({"state": "skipped"})


@pytest.mark.daemon
def test_a_reader_may_look_only(mongodb, flow, metadata, database, open_folder):
    if os.getuid() != 0:
        pytest.skip("only root can ask as somebody else")
    nobody = pwd.getpwnam("nobody")
    etld = daemon(flow, mongodb.uri, database, 1, open_folder, config={"control": {"group": "nogroup"}})
    etlctl = shutil.copy(etld.build / "etlctl", open_folder)
    with etld:
        etld.folder.chmod(0o755)

        def ask(*words):
            return subprocess.run(
                [str(etlctl), "--socket", str(etld.control), "watermark", *words], cwd="/",
                env=etld.env, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], timeout=LIMIT,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        for word in ("show", "history"):
            assert ask(word, "hourly").returncode == 0
        for words in (("set", "hourly", iso(flow.start + DAY), *WHY), ("undo", "hourly"),
                      ("rewind", "hourly", iso(flow.start), *WHY)):
            answer = ask(*words)
            assert answer.returncode == 9, answer
            assert "may query this daemon, but not control it" in answer.stderr
        assert not history(etld) and not metadata["audit"].count_documents({})


# ---- killed in the middle --------------------------------------------------------------------
DAYS = 35  # 840 hours: three slices


@pytest.mark.faults
@pytest.mark.daemon
@pytest.mark.parametrize("kind", ["set", "rewind"])
@pytest.mark.parametrize("point, slices", [
    ("change.before=kill:1", 0), ("change.before=kill:2", 1), ("change.after=kill:2", 2),
    ("change.after=kill:3", 3)])
def test_killed_during_a_change(mongodb, sim, db, metadata, database, tmp_path, kind, point, slices):
    flow = Flow(sim, span="31d", lookback="0s", stations=(STATION_1,))
    etld = daemon(flow, mongodb.uri, database, DAYS, tmp_path, build=faults_folder())
    end = flow.start + DAYS * DAY
    to = flow.start if kind == "rewind" else end
    if kind == "rewind":
        with etld:
            load(etld, flow, metadata, DAYS)
    before = contents(metadata)
    etld.env["ETLD_FAULTS"] = point
    etld.start()
    gone = move(etld, kind, iso(to), *WHY, ok=(3,), output="table")
    assert "watermark history" in gone.err or "does not answer" in gone.err
    assert etld.wait_end(LIMIT) == -signal.SIGKILL
    del etld.env["ETLD_FAULTS"]

    # Whole slices are in, the watermark follows from the ledger, and it is on record.
    done = min(slices * SLICE, DAYS * 24)
    reached = end - done * HOUR if kind == "rewind" else flow.start + done * HOUR
    found = states(flow, metadata)
    assert list(found.values()).count("pending" if kind == "rewind" else "skipped") == done
    assert (flow.processed(metadata, "hourly", STATION_1) or flow.start) == reached
    if done or kind == "rewind":
        check_law(flow, metadata)
    assert metadata["audit"].count_documents({"what": f"watermark {kind}"}) == 1
    changes = list(metadata["watermark_changes"].find())
    assert [(c["windows"], c["done"]) for c in changes] == ([(done, slices == 3)] if slices else [])

    etld.start()  # the dead one's lease is no hindrance
    assert etld.jobs()["hourly"]["watermarks"][0]["watermark"] in (iso(reached), None)
    assert [c["state"] for c in history(etld)] == (["done" if slices == 3 else "unfinished"] if slices else [])
    if slices == 2:  # the same again goes on
        assert move(etld, kind, iso(to), *WHY).json["windows"] == DAYS * 24 - done
        check_law(flow, metadata)
        assert flow.processed(metadata, "hourly", STATION_1) == to
        move(etld, "undo")
    if slices:
        assert move(etld, "undo").json["windows"] == done
    move(etld, "undo", ok=(1,))
    assert contents(metadata) == before
    load(etld, flow, metadata, DAYS)
    flow.check_final(db, metadata, DAYS)
    etld.close()


@pytest.mark.faults
@pytest.mark.daemon
def test_killed_during_an_undo(mongodb, sim, metadata, database, tmp_path):
    flow = Flow(sim, span="31d", lookback="0s", stations=(STATION_1,))
    etld = daemon(flow, mongodb.uri, database, DAYS, tmp_path, build=faults_folder())
    with etld:
        load(etld, flow, metadata, DAYS)
        before = contents(metadata)
        move(etld, "rewind", iso(flow.start), *WHY)
    etld.env["ETLD_FAULTS"] = "change.after=kill:1"
    etld.start()
    move(etld, "undo", ok=(3,))
    assert etld.wait_end(LIMIT) == -signal.SIGKILL
    del etld.env["ETLD_FAULTS"]
    check_law(flow, metadata)
    assert flow.processed(metadata, "hourly", STATION_1) == flow.start + SLICE * HOUR
    with etld:
        assert [(c["kind"], c["state"]) for c in history(etld)] == [("undo", "unfinished"), ("rewind", "done")]
        assert move(etld, "undo").json["windows"] == DAYS * 24 - SLICE
        assert [(c["kind"], c["state"]) for c in history(etld)] == \
            [("undo", "done"), ("undo", "unfinished"), ("rewind", "undone")]
    assert contents(metadata) == before
    check_law(flow, metadata)


@pytest.mark.faults
@pytest.mark.daemon
def test_a_refused_transaction_is_tried_again(mongodb, flow, metadata, database, tmp_path):
    etld = daemon(flow, mongodb.uri, database, 1, tmp_path, build=faults_folder(),
                  env={"ETLD_FAULTS": "change.before=error:1"})
    with etld:
        assert move(etld, "set", iso(flow.start + DAY), *WHY).json["windows"] == 48
        check_law(flow, metadata)
        assert etld.status()["daemon"]["mongodb"]["state"] == "up"


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.daemon
@pytest.mark.parametrize("again", [True, False], ids=["again", "undo"])
@pytest.mark.parametrize("kind, point", [
    ("set", "change.before"), ("rewind", "change.step"), ("rewind", "change.before")])
def test_killed_without_transactions(sim, tmp_path, kind, point, again):
    """Between ledger and watermark, where they are no transaction."""
    flow = Flow(sim, span="31d", lookback="0s", stations=(STATION_1,))
    with MongoServer(tmp_path / "mongodb", standalone=True) as server, \
            pymongo.MongoClient(server.uri, tz_aware=True) as client:
        etld = daemon(flow, server.uri, "alone", DAYS, tmp_path, build=faults_folder())
        metadata = client["alone_metadata"]
        to = flow.start if kind == "rewind" else flow.start + DAYS * DAY
        with etld:
            assert etld.status()["daemon"]["mongodb"]["guarantee"] == "idempotent at-least-once"
            if kind == "rewind":
                load(etld, flow, metadata, DAYS)
        before = contents(metadata)
        etld.env["ETLD_FAULTS"] = f"{point}=kill:1"
        etld.start()
        move(etld, kind, iso(to), *WHY, ok=(3,))
        assert etld.wait_end(LIMIT) == -signal.SIGKILL
        del etld.env["ETLD_FAULTS"]
        closed = {start for start, state in states(flow, metadata).items() if state in CLOSED}
        mark, at = flow.processed(metadata, "hourly", STATION_1), flow.start
        while at < mark:
            assert at in closed, "the watermark is ahead of the ledger"
            at += HOUR
        with etld:
            assert [c["state"] for c in history(etld)] == ["unfinished"]
            if again:
                assert move(etld, kind, iso(to), *WHY).json["windows"] == DAYS * 24 - \
                    (SLICE if point == "change.before" else 0)
                assert flow.processed(metadata, "hourly", STATION_1) == to
                check_law(flow, metadata)
                move(etld, "undo")
            move(etld, "undo")
            check_law(flow, metadata)
            assert contents(metadata) == before
            load(etld, flow, metadata, DAYS)
        flow.check_final(client["alone"], metadata, DAYS)


def contents(metadata):
    """The ledger and the watermarks of the hourly job, but for fences and times of writing."""
    changing = {"fence", "updated_at", "commit_id", "run_id", "change_id", "was", "dirty_token"}
    found = {}
    for name, key in (("windows", "job"), ("watermarks", "job_name")):
        found[name] = [{k: v for k, v in doc.items() if k not in changing}
                       for doc in metadata[name].find({key: "hourly"}).sort("_id")]
    # A watermark that was never moved is as good as none.
    found["watermarks"] = [m for m in found["watermarks"] if m["last_processed"] != m["origin"]]
    return found


def test_dependants_look_at_what_was_closed_by_hand(mongodb, flow, sim, metadata, database, tmp_path):
    """The daily job waits for hours that its source will never give: set closes them, and it runs."""
    sim.fault("status", code=404, times=None)
    jobs = quiet_jobs(flow, 1)
    with Etld(mongodb.uri, jobs, database=database, folder=tmp_path / "etld") as etld:
        etld.run("hourly", ok=(1,))
        etld.run("daily", ok=(0, 1))
        etld.wait_idle()
        blocked = metadata["runs"].count_documents({"job": "daily"})
        move(etld, "set", iso(flow.start + DAY), *WHY, "--dry-run")
        move(etld, "set", iso(flow.start + DAY), *WHY)
        run = wait_for(lambda: metadata["runs"].find_one({"job": "daily", "trigger": "after"}), etld.stderr_tail)
        assert run["cause"] == "hourly"
        wait_for(lambda: all(e["state"] in CLOSED for _, e in flow.ledger(metadata, "daily", STATION_1))
                 and flow.ledger(metadata, "daily", STATION_1), etld.stderr_tail)
        etld.wait_idle()
        assert metadata["runs"].count_documents({"job": "daily"}) == blocked + 1  # the dry run moved nobody
