# SPDX-License-Identifier: MIT
"""etlctl why: jobs in each phase, runs by each trigger, windows in each state, on the real
daemon. What it says of a window is held against what the next run does."""
import datetime as dt
import json
import socket
import subprocess
import threading

import pytest

from host_sim import HostSim
from wait import wait_for
from wireproxy import WireProxy

HOUR = dt.timedelta(hours=1)
NEVER = {"cron": "0 0 29 2 *"}


@pytest.fixture(name="silent")
def a_silent_server():
    """Takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield server.getsockname()[1]


def hour(back):
    """The start of the window so many whole hours ago."""
    now = dt.datetime.now(dt.timezone.utc).replace(minute=0, second=0, microsecond=0)
    return now - back * HOUR


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def load(collection):
    return {"mongodb": {"collection": collection, "key": ["at", "place"]}}


def copy(source, target, **more):
    """Copies a collection window by window; four hours are due, none of them is 'again'."""
    return {"schedule": NEVER, "window": {"size": "1h", "start": iso(hour(4))},
            "extract": {"mongodb": {"collection": source, "time": {"field": "at"}}}, "load": load(target), **more}


def fetch(port, **more):
    return {"schedule": NEVER, "window": {"size": "1h", "start": iso(hour(4))}, "retry": {"max": 0},
            "extract": {"http": {"url": f"http://127.0.0.1:{port}/x", "records": "/data", "timeout": "60s",
                                 "time": {"field": "at", "format": "%Y-%m-%dT%H:%M:%SZ"}}},
            "load": load("fetched"), **more}


def full(**schedule):
    """A full read of a small collection."""
    return {"schedule": schedule, "window": "none", "extract": {"mongodb": {"collection": "raw"}},
            "load": {"null": {}}}


def why(daemon, *what, ok=(0,)):
    return daemon.ctl("why", *what, ok=ok).json


def fill(db):
    db["raw"].insert_many([{"at": hour(back) + dt.timedelta(minutes=5), "place": place}
                           for back in range(1, 5) for place in ("x", "y")])


def test_an_idle_job(etld):
    daemon = etld({"calm": full(cron="10 4 * * *", timezone="Europe/Paris", jitter="1h")})
    daemon.start()
    said = why(daemon, "calm")
    slot = daemon.jobs()["calm"]["next"]
    assert (said["subject"], said["state"], said["health"]) == ("job", "idle", "ok")
    assert f"idle until its slot {slot}" in said["because"][0] and "jitter" in said["because"][0]
    fires = daemon.ctl("simulate", "calm", "--to", iso(hour(-48))).json["slots"][0]["fires_at"]
    assert said["next"] == {"what": f"its slot {slot} fires", "at": fires}
    table = daemon.ctl("why", "calm", output="table").out
    assert table.startswith("job calm  ✔ ok\n  because     idle until") and "\n  hint        etlctl run calm" in table


def test_a_paused_job_also_after_a_restart(etld):
    daemon = etld({"a": full(cron="0 4 * * *")})
    daemon.start()
    daemon.ctl("pause", "a", "--reason", "moves to a new host")
    before = why(daemon, "a")
    assert before["state"] == "paused" and before["next"] is None
    assert before["because"][0].startswith("paused by uid ") and "moves to a new host" in before["because"][0]
    assert "etlctl resume a" in before["hints"]
    daemon.stop()
    daemon.start()
    after = wait_for(lambda: (s := why(daemon, "a"))["state"] == "paused" and s, "the pause")
    assert after["because"][0][:40] == before["because"][0][:40]  # who and when, to the second at least


def test_a_run_that_goes_and_one_that_waits(etld, silent):
    daemon = etld({"slow": fetch(silent), "other": fetch(silent)}, config={"limits": {"max_active": 1}})
    daemon.start()
    run_id = daemon.ctl("run", "slow").json["run_id"]
    assert daemon.ctl("run", "other").json["state"] == "queued"
    said = wait_for(lambda: (s := why(daemon, "slow")) and "step extract" in str(s) and s, lambda: why(daemon, "slow"))
    assert said["state"] == "running" and run_id in said["because"][0] and "manually, by uid" in said["because"][0]
    assert said["next"]["at"] and "schedule.timeout" in said["next"]["what"]
    assert why(daemon, run_id[-8:])["because"][0] == said["because"][0]  # a run without a record yet
    # Who wants the same joins it; without --wait, or with windows of its own, there is another answer.
    assert daemon.ctl("run", "slow", ok=(8,), output="table").err.startswith("etlctl: job 'slow' is running: ")
    join = [str(daemon.build / "etlctl"), "--socket", str(daemon.control), "-o", "json", "run", "slow", "--wait"]
    joined = subprocess.Popen(join, env=daemon.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    assert joined.stderr.readline() == f"etlctl: the job is running already: waiting for run {run_id}\n"
    waits = why(daemon, "other")
    assert waits["state"] == "ready" and "1 of 1 places" in waits["because"][0]
    assert "no job is before it" in waits["because"][1] and waits["next"]["what"].startswith("a run ends")
    daemon.ctl("cancel", run_id)
    said = json.loads(joined.communicate(timeout=60)[0])
    assert joined.returncode == 1 and said["joined"] and said["run_id"] == run_id and said["state"] == "cancelled"
    wait_for(lambda: why(daemon, run_id)["subject"] == "run", "the end of the run")
    ended = why(daemon, run_id)
    assert ended["state"] == "cancelled" and "started manually, by uid" in ended["because"][0]


def test_mongodb_away(etld, own_mongodb):
    daemon = etld({"a": full(every="1s")}, uri=own_mongodb.uri + "&serverSelectionTimeoutMS=500")
    daemon.start()
    own_mongodb.stop()
    said = wait_for(lambda: (s := why(daemon, "a"))["state"] == "store" and s, "its absence to be seen", 240)
    assert "MongoDB is unreachable since" in said["because"][0] and said["next"]["what"] == "MongoDB is asked again"
    assert said["next"]["at"]
    assert "MongoDB cannot be asked" in daemon.ctl("why", "0123456789ab", ok=(1,)).err


def test_runs_by_schedule_and_missed(etld, db, metadata):
    db["raw"].insert_one({"_id": 1})
    daemon = etld({"tick": full(every="2s")})
    daemon.start()
    first = wait_for(lambda: metadata["runs"].find_one({"job": "tick", "trigger": "schedule", "state": "ok"}), "a slot")
    # The record is in MongoDB a little before the loop knows of the end.
    said = wait_for(lambda: "goes since" not in (said := why(daemon, first["run_id"]))["because"][0] and said, "its end")
    assert said["because"][0] == f"it ran because its slot {iso(first['slot'])} had come"
    assert said["because"][1].startswith("it ended ok") and said["next"]["what"] == "the job's next slot"
    daemon.kill9()
    cut = dt.datetime.now(dt.timezone.utc)
    wait_for(lambda: dt.datetime.now(dt.timezone.utc) > cut + dt.timedelta(seconds=5), "some slots to pass", 20)
    daemon.start()
    skipped = wait_for(lambda: metadata["runs"].find_one({"job": "tick", "state": "skipped"}), "the record of missed slots")
    said = why(daemon, skipped["run_id"])
    assert said["state"] == "skipped" and "this is no run" in said["because"][0]
    assert "(schedule.misfire: run_latest)" in said["because"][1]
    made_up = wait_for(lambda: metadata["runs"].find_one({"job": "tick", "passed_over.last": skipped["slot"]}), "its run")
    wait_for(lambda: "it is at step" not in str(why(daemon, made_up["run_id"])), "the end of what is stored already")
    said = why(daemon, made_up["run_id"])
    assert iso(skipped["slot"]) in said["because"][1]
    assert "did not run: missed" in said["because"][1]
    assert "did not run: missed" in str(why(daemon, "tick")["because"])


def test_slots_of_a_pause(etld, db, metadata):
    db["raw"].insert_one({"_id": 1})
    daemon = etld({"tick": full(every="1s")})
    daemon.start()
    daemon.ctl("pause", "tick")
    cut = dt.datetime.now(dt.timezone.utc)
    wait_for(lambda: dt.datetime.now(dt.timezone.utc) > cut + dt.timedelta(seconds=3), "some slots to pass", 20)
    daemon.ctl("resume", "tick")
    record = wait_for(lambda: metadata["runs"].find_one({"job": "tick", "code": "paused"}), "the record")
    said = why(daemon, record["run_id"])
    assert "the job was paused" in said["because"][1]
    assert any(h.endswith(": etlctl resume tick --from TIME") for h in said["hints"])


def test_windows_from_missing_to_loaded(etld, db):
    fill(db)
    daemon = etld({"a": copy("raw", "clean")})
    daemon.start()
    last, open_now = iso(hour(1)), iso(hour(0))
    said = why(daemon, "a", "--window", last)
    assert (said["subject"], said["state"], said["window"]["start"]) == ("window", "pending", last)
    assert said["because"][1] == "it is due: it was never loaded"
    assert "no window is due" not in str(why(daemon, "a")["because"])
    assert "4 windows are due, the oldest: window " + iso(hour(4)) in str(why(daemon, "a")["because"])
    future = why(daemon, "a", "--window", open_now)
    assert "it is not final before " + iso(hour(-1)) in future["because"][1]
    run_id = daemon.run("a").json["run"]["run_id"]
    said = why(daemon, "a", "--window", hour(1).strftime("%Y-%m-%dT%H:%M:30Z"))  # any time in it
    assert said["state"] == "loaded" and run_id in said["because"][0] and "2 records" in said["because"][0]
    assert said["because"][-1] == "it is not due: it is closed" and said["next"] is None
    assert "no window is due" in why(daemon, "a")["because"]
    assert "window.start" in daemon.ctl("why", "a", "--window", "2020-01-01", ok=(4,)).err


def test_what_it_says_is_what_the_next_run_does(etld, db, metadata):
    """Due or not, window by window, after a rewind, a skip and a failure."""
    fill(db)
    daemon = etld({"a": copy("raw", "clean", window={"size": "1h", "start": iso(hour(4)), "lookback": "1h"})})
    daemon.start()
    daemon.run("a")
    metadata["windows"].update_one({"job": "a", "start": hour(3)}, {"$set": {"dirty": True, "dirty_token": "t"}})
    metadata["windows"].update_one({"job": "a", "start": hour(4)}, {"$set": {"state": "failed", "reason": "by the test"}})
    said = {back: why(daemon, "a", "--window", iso(hour(back))) for back in range(1, 5)}
    due = {back for back, s in said.items() if any(b.startswith("it is due") for b in s["because"])}
    assert due == {1, 3, 4}
    assert "lookback" in str(said[1]) and "marked" in str(said[3]) and "by the test" in str(said[4])
    before = {w["start"]: w["updated_at"] for w in metadata["windows"].find({"job": "a"})}
    daemon.run("a")
    after = {w["start"]: w["updated_at"] for w in metadata["windows"].find({"job": "a"})}
    assert {back for back in range(1, 5) if after[hour(back)] != before[hour(back)]} == due


def test_changes_of_a_watermark(etld, db):
    fill(db)
    daemon = etld({"a": copy("raw", "clean")})
    daemon.start()
    daemon.run("a")
    daemon.ctl("watermark", "rewind", "a", iso(hour(2)), "--reason", "source was wrong")
    said = why(daemon, "a", "--window", iso(hour(1)))
    assert said["state"] == "pending" and "a change of the watermark (rewind)" in said["because"][1]
    assert "source was wrong" in said["because"][1] and "it is due: it is still open" in said["because"]
    daemon.ctl("watermark", "set", "a", iso(hour(0)), "--reason", "never mind")
    said = why(daemon, "a", "--window", iso(hour(1)))
    assert said["state"] == "skipped" and "never mind" in str(said["because"])
    assert any("watermark undo a" in h for h in said["hints"])


def test_failures(etld):
    daemon = etld({"a": fetch(1, partitions={"station": ["1", "2"]})})
    daemon.start()
    run_id = daemon.run("a", ok=(1,)).json["run"]["run_id"]
    said = why(daemon, run_id)
    assert said["state"] == "failed" and said["because"][1].startswith("it failed: ")
    said = why(daemon, "a", "--window", iso(hour(4)))
    assert said["state"] == "failed" and "partition" in said
    assert said["because"][0].startswith("station=1: failed: attempt 1 in run " + run_id)
    assert said["because"][2].startswith("station=2: failed")
    one = why(daemon, "a", "--window", iso(hour(4)), "--partition", "station=2")
    assert one["partition"] == "station=2" and one["because"][0].startswith("failed: attempt 1")
    assert f"etlctl run a --window {iso(hour(4))} --partition station=2" in one["hints"]
    assert run_id in str(why(daemon, "a")["because"])


def test_a_chain_of_jobs(etld, db):
    """c comes after b comes after a, and a's source is down."""
    daemon = etld({"a": {**fetch(1), "load": load("one")}, "b": copy("one", "two", after=["a"]),
                   "c": copy("two", "three", after=["b"])})
    daemon.start()
    daemon.run("a", ok=(1,))
    daemon.run("c", ok=(0, 1))
    said = why(daemon, "c", "--window", iso(hour(4)))
    assert f"it is blocked: it waits for window {iso(hour(4))} of job b, which no run has closed" in said["because"]
    chain = [b for b in said["because"] if b.startswith("that one waits for")]
    assert len(chain) == 1 and f"window {iso(hour(4))} of job a, which is failed" in chain[0]
    assert said["next"]["what"] == "job a runs" and "etlctl why a" in said["hints"]
    job = why(daemon, "c")
    assert job["because"][0].startswith(f"window {iso(hour(4))} is blocked: it waits for window")
    daemon.ctl("pause", "a")
    said = why(daemon, "c", "--window", iso(hour(4)))
    assert "job a is paused" in said["because"] and said["next"] is None and "etlctl resume a" in said["hints"]


def test_a_run_after_another_job(etld, db, metadata):
    fill(db)
    daemon = etld({"a": copy("raw", "one"), "b": {**copy("one", "two", after=["a"])}})
    daemon.start()
    daemon.run("a")
    run = wait_for(lambda: metadata["runs"].find_one({"job": "b", "trigger": "after"}), "the run of b")
    assert why(daemon, run["run_id"])["because"][0] == "it ran because job a had closed or changed windows"


def test_a_run_that_waits_for_a_retry(etld):
    with HostSim() as host:
        host.say(503)
        retry = {"max": 3, "backoff": "5m", "max_backoff": "5m"}
        daemon = etld({"a": fetch(host.port, retry=retry, deadline="window.end + 20m")})
        daemon.start()
        daemon.ctl("run", "a")
        said = wait_for(lambda: (s := why(daemon, "a")) and "wait" in str(s["because"]) and s, "the retry")
        assert said["state"] == "running" and "503" in said["because"][3]
        assert said["because"][2].startswith("1 of its partitions waits for a retry")
        assert said["next"]["what"] == "it is tried again at " + said["next"]["at"]
        window = why(daemon, "a", "--window", iso(hour(4)))
        assert f"it was not closed by its deadline {iso(hour(3) + dt.timedelta(minutes=20))} " \
               "(deadline: window.end + 20m)" in window["because"]


def test_a_job_that_is_backfilled(etld, db):
    """Its pieces come at a rate: it says so, and until when."""
    fill(db)
    daemon = etld({"a": copy("raw", "clean")})
    daemon.start()
    begun = daemon.ctl("backfill", "a", "--from", iso(hour(4)), "--rate", "1/h").json["backfill"]
    said = wait_for(lambda: (s := why(daemon, "a")) and "it waits: its rate, until" in str(s) and s,
                    lambda: why(daemon, "a"))
    (line,) = [b for b in said["because"] if b.startswith("backfill ")]
    assert begun["backfill_id"] in line and f"from {iso(hour(4))} to {iso(hour(0))}" in line
    assert "1 of 4 windows are done" in line and "etlctl backfills a" in said["hints"]
    daemon.ctl("pause", "a")
    assert "it waits: the job is paused" in str(why(daemon, "a")["because"])
    daemon.ctl("cancel", begun["backfill_id"])
    wait_for(lambda: "backfill" not in str(why(daemon, "a")["hints"]), "its end")


@pytest.mark.daemon
def test_a_run_that_ends_while_it_is_asked_for(etld, mongodb):
    """The store's answer is held back until the run is over: its record tells, not the idle job."""
    with HostSim(body={"data": []}) as host, WireProxy(mongodb.port) as proxy:
        host.hold = threading.Event()
        daemon = etld({"slow": fetch(host.port)}, uri=proxy.uri)
        daemon.start()
        run_id = daemon.ctl("run", "slow").json["run_id"]
        wait_for(host.count, "the run's request")

        def let_it_end():
            host.hold.set()
            wait_for(lambda: not daemon.jobs()["slow"]["running"], "the end of the run")
        fault = proxy.fault("find", "delay", then=let_it_end)
        said = why(daemon, run_id)
        assert fault.struck == 1
        assert (said["subject"], said["state"], said["run_id"]) == ("run", "ok", run_id)


def test_what_is_not_there(etld):
    daemon = etld({"airqino": full(cron="0 4 * * *")})
    daemon.start()
    assert "did you mean 'airqino'" in daemon.ctl("why", "airqin", ok=(4,)).err
    assert "no run has the id" in daemon.ctl("why", "00000000", ok=(4,)).err
    assert daemon.ctl("why", "nothing", "--window", "2026-01-01", ok=(4,)).err
    assert daemon.ctl("why", "airqino", "--window", "soon", ok=(2,)).err
    assert daemon.ctl("why", "airqino", "--partition", "x", ok=(2,)).err
    assert daemon.ctl("why", "airqino", "--window", "2026-01-01", "--partition", "x", ok=(4,)).err
    whole = why(daemon, "airqino", "--window", "2026-01-01")
    assert whole["because"][1] == "it is due: it was never loaded" and whole["window"]["start"] is None
