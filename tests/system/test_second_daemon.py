# SPDX-License-Identifier: MIT
"""A second etld started by mistake, and one that was stopped for longer than its lease: at
most one moves the watermark, and the data is right."""
import datetime as dt
import os
import signal

import pytest

from airqino_sim import STATION_1, STATION_2
from etld import Etld
from flow import Flow
from wait import wait_for
from wireproxy import WireProxy

FENCED = "fenced"
LIMIT = 240


@pytest.fixture(name="flow")
def long_flow(sim):
    return Flow(sim, span="6h")


def pair(flow, uris, database, tmp_path, days, **more):
    return [Etld(uri, flow.jobs(days, **more), database=database, folder=tmp_path / name)
            for uri, name in zip(uris, ("first", "second"))]


@pytest.mark.daemon
def test_two_with_the_same_jobs(mongodb, flow, db, metadata, database, tmp_path):
    """Both run the same jobs all the time: one has the lease, the other one is busy."""
    first, second = pair(flow, [mongodb.uri] * 2, database, tmp_path, 6)
    with first, second:
        while not flow.is_finished(metadata, 6):
            for etld in (first, second):
                etld.ctl("run", "hourly", ok=(0, 8))
                etld.ctl("run", "daily", ok=(0, 8))
            flow.check_invariant(db, metadata)
        first.wait_idle()
        second.wait_idle()
    flow.check_final(db, metadata, 6)
    runs = list(metadata["runs"].find({"job": "hourly"}))
    assert sum(r["counts"]["inserted"] for r in runs) == db["hourly"].count_documents({})
    assert not sum(r["counts"]["updated"] for r in runs)
    assert not [r["reason"] for r in runs if r["state"] not in ("ok", "busy")]


def expire(metadata, job):
    """Stands for the 30 s that the lease would last."""
    past = dt.datetime.now(dt.timezone.utc) - dt.timedelta(seconds=1)
    assert metadata["leases"].update_one({"_id": job}, {"$set": {"expires": past}}).matched_count == 1


@pytest.mark.daemon
def test_a_lease_lasts_as_long_as_its_run(mongodb, flow, sim, metadata, database, tmp_path):
    """A request hangs: the lease is renewed, and lost when another one has it."""
    sim.fault("hang", times=None)
    with Etld(mongodb.uri, flow.jobs(2), database=database, folder=tmp_path / "etld") as etld:
        etld.wait_idle()
        etld.ctl("run", "hourly")
        lease = wait_for(lambda: metadata["leases"].find_one({"_id": "hourly", "holder": {"$ne": ""}}), "its lease")
        later = {"_id": "hourly", "fence": lease["fence"], "expires": {"$gt": lease["expires"]}}
        wait_for(lambda: metadata["leases"].find_one(later), etld.stderr_tail)
        assert etld.jobs()["hourly"]["running"]
        metadata["leases"].update_one({"_id": "hourly"}, {"$inc": {"fence": 1}, "$set": {"holder": "another"}})
        run = wait_for(lambda: metadata["runs"].find_one({"job": "hourly", "state": FENCED}), etld.stderr_tail)
        assert run["fence"] == lease["fence"]
        wait_for(lambda: not etld.jobs()["hourly"]["running"], "its end")


@pytest.mark.daemon
@pytest.mark.parametrize("command, nth", [
    ("update", 3),             # a transaction is open
    ("update", 4),
    ("commitTransaction", 1),  # it is in, and the daemon does not know
    ("commitTransaction", 3),
    ("find", 2),               # it reads the ledger
    ("findAndModify", 1),      # the lease itself
])
def test_stopped_for_longer_than_its_lease(mongodb, flow, db, metadata, database, tmp_path, command, nth):
    if mongodb.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server whose port is not known")
    with WireProxy(mongodb.port) as proxy:
        stale, fresh = pair(flow, [proxy.uri, mongodb.uri], database, tmp_path, 2)
        with stale, fresh:
            stale.wait_idle()
            ledger = (lambda message: b"windows" in message) if command == "find" else None
            fault = proxy.fault(command, "delay", nth=nth, where=ledger,
                                then=lambda: os.kill(stale.pid, signal.SIGSTOP))
            stale.ctl("run", "hourly")
            wait_for(lambda: fault.struck, "the stop")
            refused = fresh.ctl("run", "hourly", "--wait", ok=None)
            if refused.code == 0:
                os.kill(stale.pid, signal.SIGCONT)  # else its end is waited for in vain
            assert refused.code != 0, "the lease still holds"
            expire(metadata, "hourly")
            fresh.run("hourly", ok=(0,), limit=45)  # an open transaction does not hold it up
            wait_for(lambda: flow.is_finished(metadata, 2), fresh.stderr_tail, LIMIT)
            fresh.wait_idle()
            before = contents(db, metadata)
            os.kill(stale.pid, signal.SIGCONT)
            stale.wait_log(ETL_STATE=FENCED, limit=LIMIT)
            stale.wait_idle()
            assert contents(db, metadata) == before, "the stale one wrote"
            assert metadata["runs"].count_documents({"state": FENCED}) == 1
            # It is a good citizen again.
            stale.run("hourly", ok=(0,))
    flow.check_final(db, metadata, 2)


@pytest.mark.daemon
def test_stopped_while_it_waits_for_the_source(mongodb, flow, sim, db, metadata, database, tmp_path):
    sim.fault("hang", station=STATION_1, seconds=2)
    stale, fresh = pair(flow, [mongodb.uri] * 2, database, tmp_path, 1)
    with stale, fresh:
        stale.wait_idle()
        stale.ctl("run", "hourly")
        wait_for(lambda: sim.count(station=STATION_2) >= 1, "a request")
        os.kill(stale.pid, signal.SIGSTOP)
        expire(metadata, "hourly")
        fresh.run("hourly", ok=(0,))
        wait_for(lambda: flow.is_finished(metadata, 1), fresh.stderr_tail, LIMIT)
        fresh.wait_idle()
        before = contents(db, metadata)
        os.kill(stale.pid, signal.SIGCONT)
        stale.wait_log(ETL_STATE=FENCED, limit=LIMIT)
        assert contents(db, metadata) == before
    flow.check_final(db, metadata, 1)


def contents(db, metadata):
    """All that a stale daemon must not touch. (It may well take the daily job's lease after
    its own run ended, and put its fence there: that is in order.)"""
    found = {name: list(collection.find().sort("_id")) for name, collection in (
        ("hourly", db["hourly"]), ("daily", db["daily"]), ("windows", metadata["windows"]))}
    found["watermarks"] = list(metadata["watermarks"].find({"job_name": "hourly"}).sort("_id"))
    return found


@pytest.mark.daemon
def test_two_on_one_socket(mongodb, flow, database, tmp_path):
    first, second = pair(flow, [mongodb.uri] * 2, database, tmp_path, 1)
    second.settings["control"]["socket"] = str(first.control)
    second.write_settings()
    with first:
        second.start(wait=False)
        assert second.wait_end(20) != 0
        said = second.stderr_tail()
        assert str(first.control) in said and "another etld" in said, said
        assert first.status()["daemon"]["pid"] == first.pid
        assert first.is_running
    # A socket that a killed one left behind is no hindrance.
    first.start()
    first.kill9()
    assert first.control.exists()
    second.start()
    assert second.stop() == 0
