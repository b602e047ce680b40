# SPDX-License-Identifier: MIT
"""MongoDB dies, is absent, or loses messages: etld lives, says why, and ends with the truth."""
import itertools

import pytest

from etld import Etld
from flow import STATIONS, Flow
from wait import wait_for
from wireproxy import WireProxy

DEATHS = 10
DAYS = 10
BACK_SECONDS = 240
NOT_NOW = 1
DOWN_SECONDS = 120


@pytest.fixture(name="flow")
def daily_flow(sim):
    return Flow(sim, span="6h")


def client_of(server):
    import pymongo  # pylint: disable=import-outside-toplevel
    return pymongo.MongoClient(server.uri, tz_aware=True, serverSelectionTimeoutMS=20000)


def only_once(db, metadata):
    """What went in twice would count as unchanged or updated the second time."""
    runs = list(metadata["runs"].find({"job": "hourly"}))
    assert sum(r["counts"]["inserted"] for r in runs) == db["hourly"].count_documents({})
    assert not sum(r["counts"]["updated"] for r in runs)


@pytest.mark.daemon
@pytest.mark.slow
def test_it_dies_ten_times_in_the_middle_of_commits(own_mongodb, flow, tmp_path):
    """Alternately before the server saw the commit and after it did, its answer lost."""
    def die():
        own_mongodb.kill9()

    with WireProxy(own_mongodb.port) as proxy, Etld(
            proxy.uri + "&serverSelectionTimeoutMS=2000", flow.jobs(DAYS), database="flow",
            folder=tmp_path / "etld") as etld:
        etld.ctl("run", "hourly")
        for death, action in zip(range(DEATHS), itertools.cycle(("swallow", "drop"))):
            fault = proxy.fault("commitTransaction", action, nth=2 + death % 5, then=die)
            wait_for(lambda fault=fault: fault.struck and not own_mongodb.is_running(),
                     lambda: f"death {death}\n{etld.stderr_tail(10)}", BACK_SECONDS)
            own_mongodb.start()
            with client_of(own_mongodb) as client:
                flow.check_invariant(client["flow"], client["flow_metadata"])
        with client_of(own_mongodb) as client:
            wait_for(lambda: flow.is_finished(client["flow_metadata"], DAYS), etld.stderr_tail, BACK_SECONDS)
            etld.wait_idle()
            flow.check_final(client["flow"], client["flow_metadata"], DAYS)
            only_once(client["flow"], client["flow_metadata"])


@pytest.mark.daemon
def test_it_is_down_at_the_start_and_for_a_while(own_mongodb, flow, sim, tmp_path):
    uri = own_mongodb.uri + "&serverSelectionTimeoutMS=1000"
    etld = Etld(uri, flow.jobs(1), database="flow", folder=tmp_path / "etld")
    with etld, client_of(own_mongodb) as client:
        etld.run("hourly")
        wait_for(lambda: flow.is_finished(client["flow_metadata"], 1), "the first day")
    for name, job in flow.jobs(3).items():
        etld.write_job(name, job)
    own_mongodb.kill9()
    with etld:  # READY, although there is no MongoDB
        assert etld.notify.count("READY") == 1
        wait_for(lambda: "degraded" in (etld.notify.last("STATUS") or ""), etld.notify.read)
        status = etld.status()["daemon"]
        assert status["mongodb"]["state"] == "down", status
        assert "selection" in str(status["mongodb"]["reason"]) or "connect" in str(status["mongodb"]["reason"])
        refused = etld.ctl("run", "hourly", ok=None)
        assert refused.code == NOT_NOW
        assert "MongoDB" in refused.err
        # A pause that cannot be stored yet holds all the same, and says so.
        paused = etld.ctl("pause", "hourly", ok=(1,), output="table")
        assert "paused on this etld, which stores it when MongoDB is back: MongoDB" in paused.err, paused
        assert etld.jobs()["hourly"]["paused"]
        resumed = etld.ctl("resume", "hourly", ok=(1,), output="table")
        assert "it goes on on this etld, which stores it" in resumed.err and not etld.jobs()["hourly"]["paused"], resumed
        sim.reset_counts()
        own_mongodb.start()
        with client_of(own_mongodb) as client:
            wait_for(lambda: flow.is_finished(client["flow_metadata"], 3), etld.stderr_tail, BACK_SECONDS)
            etld.wait_idle()
            in_order(sim)
            assert etld.status()["daemon"]["mongodb"]["state"] == "up"
            # Now it goes away in the middle of a run, for longer than the run's patience.
            for name, job in flow.jobs(5, retry={"max": 0}).items():
                etld.write_job(name, job)
            etld.ctl("reload")
            sim.fault("hang", times=2, seconds=1)
            run_id = etld.ctl("run", "hourly").json["run_id"]
            own_mongodb.kill9()
            wait_for(lambda: etld.status()["daemon"]["mongodb"]["state"] == "down", etld.stderr_tail, DOWN_SECONDS)
            assert etld.is_running
            wait_for(lambda: etld.jobs()["hourly"]["queued"], "its run ends, and it is due another", DOWN_SECONDS)
            sim.reset_counts()
            own_mongodb.start()
            wait_for(lambda: flow.is_finished(client["flow_metadata"], 5), etld.stderr_tail, BACK_SECONDS)
            # The run that ended without a database has its own record, as it ended.
            record = wait_for(lambda: client["flow_metadata"]["runs"].find_one({"run_id": run_id}), etld.stderr_tail)
            assert record["state"] == "failed", record
            said = [line["MESSAGE"] for line in etld.log(ETL_RUN_ID=run_id) if "the record of run" in line["MESSAGE"]]
            assert ["is kept until MongoDB is back" in said[0], "is saved now" in said[-1]] == [True, True], said
            etld.wait_idle()
            in_order(sim)
            flow.check_final(client["flow"], client["flow_metadata"], 5)


def in_order(sim):
    """Each station was asked for its oldest windows first."""
    for station in STATIONS:
        asked = [q["query"]["start_date"][0] for q in sim.queries if q["station"] == station]
        assert asked and asked == sorted(asked), asked


@pytest.mark.daemon
@pytest.mark.parametrize("command, action, nth", [
    ("commitTransaction", "swallow", (1, 2, 9)),
    ("commitTransaction", "drop", (1, 2, 9)),
    ("commitTransaction", "cut", (1, 2, 9)),
    ("commitTransaction", "delay", (1, 4)),
    ("update", "drop", (1, 2, 3, 14)),
    ("update", "swallow", (1, 2, 3, 14)),
    ("update", "cut", (2, 5)),
    ("find", "drop", (1, 2, 5)),
    ("find", "swallow", (1, 2, 5)),
    ("find", "cut", (3, 6)),
    ("findAndModify", "swallow", (1, 2)),
    ("findAndModify", "drop", (1, 2)),
])
def test_lost_messages(mongodb, flow, db, metadata, database, tmp_path, command, action, nth):
    if mongodb.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server whose port is not known")
    with WireProxy(mongodb.port) as proxy:
        etld = Etld(proxy.uri, flow.jobs(2), database=database, folder=tmp_path / "etld")
        with etld:
            seen = proxy.counts[command]
            faults = [proxy.fault(command, action, nth=n, seconds=0.5) for n in nth]
            etld.ctl("run", "hourly")
            wait_for(lambda: flow.is_finished(metadata, 2),
                     lambda: f"{proxy.counts} {etld.stderr_tail()}", BACK_SECONDS)
            etld.wait_idle()
            assert sum(f.struck for f in faults) == len(nth), (seen, proxy.counts)
    flow.check_final(db, metadata, 2)
    only_once(db, metadata)
