# SPDX-License-Identifier: MIT
"""etld is killed, again and again, at every step and at any instant; it goes on by itself, and
MongoDB holds the truth after each death. ETLD_TEST_KILLS says how often (default 40; 1,000 at
night), ETLD_SEED repeats a run."""
import os
import random
import signal
import subprocess
import time

import pytest

from etld import Etld, faults_folder
from flow import Flow
from wait import wait_for

KILLS = int(os.environ.get("ETLD_TEST_KILLS", "40"))
SEED = int(os.environ.get("ETLD_SEED", time.time_ns() % 1_000_000))
STEPS = ("plan", "decode", "transform", "check", "load", "commit", "txn")
POINTS = [f"{step}.{side}" for step in STEPS for side in ("before", "after")]
CYCLE_SECONDS = 240
CATCH_UP_SECONDS = 300 + 3 * KILLS  # each kill may leave its day
# What a stretch lasts from READY to idle is measured; before it is known, this is the guess.
STRETCH_SECONDS = 0.5


def daemon(flow, uri, database, days, tmp_path, **options):
    return Etld(uri, flow.jobs(days), database=database, folder=tmp_path / "etld",
                build=faults_folder(), **options)


def stretch(etld, flow, days):
    """The jobs may now load up to the end of this day."""
    for name, job in flow.jobs(days).items():
        etld.write_job(name, job)


def plan_of_kills(rng):
    """Every point at its first and some later passage, the rest at any instant."""
    kills = [f"{point}=kill:{n}" for point in POINTS for n in (1, rng.choice((2, 2, rng.randint(3, 9))))]
    kills += [None] * (KILLS - len(kills))
    rng.shuffle(kills)
    return kills


@pytest.mark.faults
@pytest.mark.daemon
@pytest.mark.slow
def test_killed_at_every_step_and_at_any_instant(mongodb, db, metadata, database, sim, tmp_path):
    print(f"ETLD_SEED={SEED} ETLD_TEST_KILLS={KILLS}")
    rng = random.Random(SEED)
    flow = Flow(sim, span="8h")
    etld = daemon(flow, mongodb.uri, database, 1, tmp_path)
    dead, days, took = 0, 1, STRETCH_SECONDS
    missed = []  # points that were not reached in their stretch
    with etld:  # a fresh job begins with a slot, or manually
        etld.run("hourly")
        wait_for(lambda: flow.is_finished(metadata, days), "the first day", CYCLE_SECONDS)
    kills = plan_of_kills(rng)
    while kills or dead < KILLS:
        where = kills.pop() if kills else None
        days += 1
        stretch(etld, flow, days)
        etld.env.pop("ETLD_FAULTS", None)
        if where:
            etld.env["ETLD_FAULTS"] = where
        etld.start(wait=False)
        begun = time.monotonic()
        if where:
            wait_for(lambda: not etld.is_running or flow.is_finished(metadata, days),
                     lambda: f"{where}: neither death nor an end\n{etld.stderr_tail()}", CYCLE_SECONDS)
        else:
            try:
                etld.process.wait(rng.uniform(0, 1.5 * took))
            except subprocess.TimeoutExpired:
                pass
        if etld.is_running:
            if where:
                took = max(0.2, 0.5 * took + 0.5 * (time.monotonic() - begun))
                missed.append(where)
            etld.process.kill()
        assert etld.wait_end() == -signal.SIGKILL, etld.stderr_tail()
        dead += 1
        flow.check_invariant(db, metadata)
    etld.env.pop("ETLD_FAULTS", None)
    etld.start()
    etld.wait_idle(CATCH_UP_SECONDS)
    if not flow.is_finished(metadata, days):  # a run that was fenced leaves its windows to the next one
        etld.run("hourly", limit=CATCH_UP_SECONDS)
        etld.run("daily", limit=CATCH_UP_SECONDS)
    wait_for(lambda: flow.is_finished(metadata, days), etld.stderr_tail, CYCLE_SECONDS)
    etld.wait_idle()
    assert etld.stop() == 0
    flow.check_final(db, metadata, days)
    assert dead >= KILLS
    # Later passages may lie behind the stretch's end; the first ones never do.
    assert not [w for w in missed if w.endswith((":1", ":2"))], missed
    print(f"{dead} kills, {days} days, not reached: {missed}")
    etld.close()


@pytest.mark.faults
@pytest.mark.daemon
def test_killed_between_a_change_and_its_day(mongodb, db, metadata, database, sim, tmp_path):
    """The hourly commit left a day dirty and etld died before the daily job ran: after the
    restart it runs, although no slot and no window of its own is due."""
    flow = Flow(sim)
    etld = daemon(flow, mongodb.uri, database, 1, tmp_path)
    with etld:
        etld.run("hourly")
        wait_for(lambda: flow.is_finished(metadata, 1), "the first day", CYCLE_SECONDS)
        etld.wait_idle()
    sim.recalibrate("2026-03-02T21:00:00Z", "2026-03-03T00:00:00Z", "CO", offset=0.5)
    # Passages: the daily job looks at the start, the hourly one runs, the daily one again.
    etld.env["ETLD_FAULTS"] = f"plan.before=kill:{2 * len(flow.stations) + 1}"
    etld.start()
    etld.wait_idle()
    etld.ctl("run", "hourly")
    assert etld.wait_end(CYCLE_SECONDS) == -signal.SIGKILL
    assert metadata["windows"].count_documents({"job": "daily", "dirty": True}) == 2
    del etld.env["ETLD_FAULTS"]
    with etld:
        wait_for(lambda: not metadata["windows"].count_documents({"dirty": True}),
                 etld.stderr_tail, 15)
        etld.wait_idle()
    flow.check_final(db, metadata, 1)


@pytest.mark.faults
@pytest.mark.daemon
@pytest.mark.parametrize("point", ["txn.before", "load.after"])
def test_an_open_transaction_holds_nobody_up(mongodb, db, metadata, database, sim, tmp_path,
                                             point):
    """What a killed etld left open is locked in the server for a minute. The next one ends it."""
    flow = Flow(sim)
    etld = daemon(flow, mongodb.uri, database, 1, tmp_path)
    with etld:
        etld.run("hourly")
        wait_for(lambda: flow.is_finished(metadata, 1), "the first day", CYCLE_SECONDS)
    stretch(etld, flow, 2)
    etld.env["ETLD_FAULTS"] = f"{point}=kill:1"
    etld.start(wait=False)
    assert etld.wait_end(CYCLE_SECONDS) == -signal.SIGKILL
    del etld.env["ETLD_FAULTS"]
    with etld:
        wait_for(lambda: flow.is_finished(metadata, 2), etld.stderr_tail, 15)
        etld.wait_idle()
    flow.check_final(db, metadata, 2)
