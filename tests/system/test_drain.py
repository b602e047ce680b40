# SPDX-License-Identifier: MIT
"""SIGTERM in every phase: etld ends with 0 and in time, what was begun is in or still due."""
import signal
import time

import pytest

from airqino_sim import STATION_1, STATION_2
from etld import Etld, faults_folder
from flow import DAY, Flow
from wait import wait_for
from wireproxy import WireProxy

# Below every backoff, limit and silence used here: who ends at all within it has waited for none.
SOON = 240
LONG = {"drain": {"timeout": "20m"}}


@pytest.fixture(name="flow")
def small_flow(sim):
    return Flow(sim, span="6h", lookback="0s")


def hourly(flow, **more):
    return {"hourly": flow.hourly(flow.start + DAY, **more)}


def terminate(etld, limit=SOON):
    """Seconds until it had ended well."""
    begun = time.monotonic()
    assert etld.stop(limit) == 0, etld.stderr_tail()
    return time.monotonic() - begun


def finish(etld, flow, db, metadata):
    """What was left is still due: the next daemon loads it."""
    flow.check_partition(db, metadata, "hourly", STATION_1, DAY / 24)
    flow.check_partition(db, metadata, "hourly", STATION_2, DAY / 24)
    with etld:
        etld.wait_idle()
        etld.run("hourly", ok=(0,))
    for station in (STATION_1, STATION_2):
        flow.check_hours(db["hourly"], station, flow.start, flow.start + DAY)
        assert flow.processed(metadata, "hourly", station) == flow.start + DAY


def test_idle(etld, flow):
    daemon = etld(hourly(flow), config=LONG).start()
    notify = daemon.notify
    terminate(daemon)
    assert any(m.get("STOPPING") == "1" for m in notify.messages)


def test_a_slow_source_is_waited_for_within_the_limit(etld, flow, sim, db, metadata):
    """One station answers in time and is loaded, the other one never does."""
    sim.fault("hang", times=None, station=STATION_1, seconds=600)
    daemon = etld(hourly(flow), config={"drain": {"timeout": "2s"}}).start()
    daemon.ctl("run", "hourly")
    wait_for(lambda: flow.processed(metadata, "hourly", STATION_2) == flow.start + DAY, "the other one")
    assert terminate(daemon) > 1.5
    (run,) = metadata["runs"].find()
    assert run["state"] == "cancelled"
    assert "stopping" in run["reason"]
    assert flow.processed(metadata, "hourly", STATION_1) == flow.start
    sim.clear_faults()
    finish(daemon, flow, db, metadata)


def test_an_answer_within_the_limit_is_loaded(etld, flow, sim, db, metadata):
    sim.fault("hang", station=STATION_1, seconds=2)
    daemon = etld(hourly(flow)).start()
    daemon.ctl("run", "hourly")
    wait_for(lambda: flow.processed(metadata, "hourly", STATION_2) == flow.start + DAY, "the other one")
    terminate(daemon)
    for station in (STATION_1, STATION_2):
        flow.check_hours(db["hourly"], station, flow.start, flow.start + DAY)
    assert [r["state"] for r in metadata["runs"].find()] == ["ok"]


def test_a_retry_is_not_waited_for(etld, flow, sim, db, metadata):
    sim.fault("status", times=None, station=STATION_1, code=503)
    daemon = etld(hourly(flow, retry={"max": 3, "backoff": "5m", "max_backoff": "10m"},
                         schedule={"timeout": "1h"}), config=LONG).start()
    daemon.ctl("run", "hourly")
    wait_for(lambda: flow.processed(metadata, "hourly", STATION_2) == flow.start + DAY
             and sim.count(station=STATION_1) == 1, "the retry wait")
    terminate(daemon)
    (run,) = metadata["runs"].find()
    assert run["state"] == "cancelled"
    assert sim.count(station=STATION_1) == 1
    sim.clear_faults()
    daemon.write_job("hourly", hourly(flow)["hourly"])
    finish(daemon, flow, db, metadata)


def test_a_second_signal_does_not_wait(etld, flow, sim, db, metadata):
    sim.fault("hang", times=None, seconds=600)
    daemon = etld(hourly(flow), config=LONG).start()
    daemon.ctl("run", "hourly")
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_log(MESSAGE="stopping: 1 runs are ending")
    terminate(daemon)
    sim.clear_faults()
    finish(daemon, flow, db, metadata)


@pytest.mark.daemon
def test_in_a_commit(mongodb, flow, db, metadata, database):
    """The answer of the commit comes late: the daemon waits for it, and it counts."""
    with WireProxy(mongodb.port) as proxy:
        fault = proxy.fault("commitTransaction", "delay", seconds=2)
        daemon = Etld(proxy.uri, hourly(flow), database=database)
        daemon.start()
        daemon.ctl("run", "hourly")
        wait_for(lambda: fault.seen, "a commit")
        terminate(daemon)
        assert fault.struck == 1
    for station in (STATION_1, STATION_2):
        flow.check_partition(db, metadata, "hourly", station, DAY / 24)
    daemon.settings["mongodb"]["uri"] = mongodb.uri
    daemon.write_settings()
    finish(daemon, flow, db, metadata)


@pytest.mark.daemon
def test_a_commit_that_nobody_answers(mongodb, flow, db, metadata, database):
    """MongoDB is gone under a commit: what became of it is asked again for minutes, but not by an etld that
    is to end. Two minutes of asking again and two of looking for it, less than SOON, would be seen."""
    with WireProxy(mongodb.port) as proxy:
        daemon = Etld(proxy.uri + "&serverSelectionTimeoutMS=1000&socketTimeoutMS=1000", hourly(flow), database=database,
                      config={"drain": {"timeout": "1s"}})
        daemon.start()
        gone = proxy.fault("commitTransaction", "swallow", then=proxy.stop)
        daemon.ctl("run", "hourly")
        wait_for(lambda: gone.struck, "a commit")
        terminate(daemon, 100)
    daemon.settings["mongodb"]["uri"] = mongodb.uri
    daemon.write_settings()
    finish(daemon, flow, db, metadata)


@pytest.mark.faults
@pytest.mark.daemon
@pytest.mark.parametrize("step", ["plan", "decode", "transform", "check", "load", "commit"])
def test_with_a_step_that_fails(mongodb, flow, db, metadata, database, step):
    """The signal meets a run whose steps fail now and then: no step is left half done."""
    daemon = Etld(mongodb.uri, hourly(flow), database=database, build=faults_folder(),
                  env={"ETLD_FAULTS": f"{step}.before=error:2"})
    daemon.start()
    daemon.ctl("run", "hourly")
    terminate(daemon, 40)
    del daemon.env["ETLD_FAULTS"]
    finish(daemon, flow, db, metadata)
