# SPDX-License-Identifier: MIT
"""Slots with the real daemon: each runs once or is on record with a reason, whatever happens to
the daemon. Schedules of a second make it short; nothing is asserted about time."""
import datetime as dt

import pytest

from etld import Etld
from wait import wait_for

pytestmark = pytest.mark.daemon

SECOND = dt.timedelta(seconds=1)


def job(**schedule):
    """Reads a small collection whole: a run without windows."""
    return {"schedule": {"every": "1s", "overlap": "queue_one", **schedule}, "window": "none",
            "extract": {"mongodb": {"collection": "source"}},
            "load": {"null": {}}}


@pytest.fixture(name="source", autouse=True)
def small_collection(db):
    db["source"].insert_many([{"_id": i} for i in range(3)])


def slots_of(metadata, name="tick"):
    """{slot: how often it ran}, and the skipped ranges as (first, last, n, code)."""
    ran, skipped = {}, []
    for run in metadata["runs"].find({"job": name}):
        if run["state"] == "skipped":
            skipped.append((run["slot_first"], run["slot"], run.get("slots", 0), run["code"]))
        elif "slot" in run:
            ran[run["slot"]] = ran.get(run["slot"], 0) + 1
    return ran, sorted(skipped)


def check_every_slot_once(metadata, first=None, name="tick"):
    """From the first to the last slot on record none is missing and none ran twice."""
    ran, skipped = slots_of(metadata, name)
    covered = {}
    for begin, end, n, code in skipped:
        assert n == (end - begin) / SECOND + 1, (begin, end, n, code)
        at = begin
        while at <= end:
            covered[at] = code
            at += SECOND
    assert set(ran.values()) <= {1}, {s: n for s, n in ran.items() if n > 1}
    both = set(ran) & set(covered)
    assert not both, f"ran and skipped: {sorted(both)}"
    every = sorted(set(ran) | set(covered))
    at = first or every[0]
    while at <= every[-1]:
        assert at in ran or at in covered, f"{at} is missing between {every[0]} and {every[-1]}"
        at += SECOND
    return ran, covered


def wait_for_runs(metadata, n, daemon, name="tick"):
    wait_for(lambda: len(slots_of(metadata, name)[0]) >= n, daemon.stderr_tail, 90)


def test_killed_and_restarted(etld, metadata):
    """kill -9 at any moment: what was missed is made up or on record, and nothing runs twice."""
    daemon = etld({"tick": job(misfire="run_latest")})
    daemon.start()
    for n in range(1, 5):
        wait_for_runs(metadata, 2 * n, daemon)
        daemon.kill9()
        daemon.start()
    wait_for_runs(metadata, 12, daemon)
    daemon.stop()
    _, covered = check_every_slot_once(metadata)
    assert set(covered.values()) <= {"misfire", "overlap_queue"}


@pytest.mark.parametrize("misfire, codes", [
    ("run_each", set()), ("run_latest", {"misfire"}), ("skip", {"misfire"}),
    ("run_if_younger(1h)", {"misfire"}), ("run_if_younger(1ms)", {"misfire", "misfire_age"})])
def test_policies_after_a_stop(etld, metadata, misfire, codes):
    daemon = etld({"tick": job(misfire=misfire)})
    daemon.start()
    wait_for_runs(metadata, 1, daemon)
    daemon.stop()
    before = set(slots_of(metadata)[0])
    stopped = max(before)
    wait_for(lambda: dt.datetime.now(dt.timezone.utc) > stopped + 5 * SECOND, "five slots to pass", 30)
    daemon.start()
    wait_for_runs(metadata, len(before) + (5 if misfire == "run_each" else 3), daemon)
    daemon.stop()
    ran, covered = check_every_slot_once(metadata)
    assert set(covered.values()) - {"overlap_queue"} <= codes
    if misfire == "run_each":
        assert all(stopped + n * SECOND in ran for n in range(1, 5))
        runs = [r for r in metadata["runs"].find({"job": "tick", "trigger": "catch_up"}, sort=[("started", 1)])]
        assert [r["slot"] for r in runs] == sorted(r["slot"] for r in runs)
    elif codes:
        assert stopped + SECOND in covered


def test_two_daemons_share_the_slots(mongodb, database, metadata, tmp_path):
    """Other hosts have another jitter: each slot is claimed by one of them, also when one dies."""
    first, second = (Etld(mongodb.uri, {"tick": job(jitter="400ms")}, database=database,
                          folder=tmp_path / name) for name in ("first", "second"))
    with first, second:
        wait_for_runs(metadata, 5, first)
        second.kill9()
        wait_for_runs(metadata, 9, first)
        second.start()
        first.stop()
        wait_for_runs(metadata, 13, second)
        first.start()
        wait_for_runs(metadata, 17, first)
    check_every_slot_once(metadata)


def test_pause_and_resume(etld, metadata):
    daemon = etld({"tick": job()})
    daemon.start()
    wait_for_runs(metadata, 2, daemon)
    daemon.ctl("pause", "tick", "--reason", "a look at the source")
    daemon.wait_idle()
    n = len(slots_of(metadata)[0])
    paused = dt.datetime.now(dt.timezone.utc)
    wait_for(lambda: dt.datetime.now(dt.timezone.utc) > paused + 3 * SECOND, "slots to pass", 30)
    assert len(slots_of(metadata)[0]) == n
    daemon.ctl("resume", "tick")
    wait_for_runs(metadata, n + 2, daemon)
    daemon.stop()
    _, covered = check_every_slot_once(metadata)
    assert "paused" in covered.values()


def test_resume_from(etld, metadata):
    """Slots since --from count as missed: run_each makes them up."""
    daemon = etld({"tick": job(misfire="run_each")})
    daemon.start()
    wait_for_runs(metadata, 1, daemon)
    daemon.ctl("pause", "tick")
    daemon.wait_idle()
    paused = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    wait_for(lambda: dt.datetime.now(dt.timezone.utc) > paused + 6 * SECOND, "slots to pass", 30)
    start = paused + 4 * SECOND
    daemon.ctl("resume", "tick", "--from", start.strftime("%Y-%m-%dT%H:%M:%SZ"))
    wait_for(lambda: start + 2 * SECOND in slots_of(metadata)[0], daemon.stderr_tail, 240)
    daemon.ctl("resume", "tick", "--from", "2099-01-01", ok=(2,))
    daemon.stop()
    ran, covered = check_every_slot_once(metadata)
    assert start in ran and start - SECOND in covered
    assert covered[start - SECOND] == "paused"


def test_an_edited_schedule_replays_nothing(etld, metadata):
    daemon = etld({"tick": job(misfire="run_each"), "gone": job(misfire="run_each")})
    daemon.start()
    wait_for_runs(metadata, 2, daemon)
    wait_for_runs(metadata, 2, daemon, "gone")
    daemon.stop()
    daemon.write_job("tick", job(misfire="run_each", every="1h", offset="59m"))
    daemon.remove_job("gone")
    stopped = dt.datetime.now(dt.timezone.utc)
    wait_for(lambda: dt.datetime.now(dt.timezone.utc) > stopped + 3 * SECOND, "slots to pass", 30)
    daemon.start()
    wait_for(lambda: [s for s in slots_of(metadata)[1] if s[3] == "edited"], daemon.stderr_tail, 120)
    before = len(slots_of(metadata, "gone")[0])
    daemon.write_job("gone", job(misfire="run_each"))
    daemon.reload()
    wait_for_runs(metadata, before + 2, daemon, "gone")
    daemon.stop()
    ran, _ = slots_of(metadata, "gone")
    late = [s for s in ran if stopped < s <= stopped + 3 * SECOND]
    assert not late, "slots of the time without the job"
