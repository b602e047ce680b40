# SPDX-License-Identifier: MIT
"""What is to be stored while MongoDB is unreachable: a pause, the record of a run, a host that asked to be left
alone, an alert. All of it is stored when MongoDB is back, once and in order; what a stop or a kill takes with it
is told, or was never said to be stored."""
import datetime
import json
import threading

import pymongo
import pytest

from etld import Etld
from flow import Flow
from host_sim import HostSim
from test_deadline import alerts, job_of
from test_hosts import job
from test_many_jobs import yearly
from wait import wait_for

pytestmark = pytest.mark.daemon

FAILED = 1
AWAY_SECONDS = 240
# What is stored within so many seconds of its order is the newest: daemon/engine/pauses.c
AS_IT_IS_GIVEN = 10


@pytest.fixture(name="host")
def a_host():
    with HostSim() as running:
        yield running


@pytest.fixture(name="flow")
def hourly_flow(sim):
    return Flow(sim, span="24h", lookback="0s")


@pytest.fixture(name="metadata")
def their_metadata(own_mongodb):
    with pymongo.MongoClient(own_mongodb.uri, tz_aware=True, serverSelectionTimeoutMS=20000) as client:
        yield client["flow_metadata"]


@pytest.fixture(name="daemon")
def a_daemon(own_mongodb, sim, flow, host, tmp_path):
    """Of "hourly" an alert is due as soon as its pause ends."""
    jobs = {"hourly": job_of(flow), "a": job(host), "b": yearly(1)}
    with Etld(own_mongodb.uri + "&serverSelectionTimeoutMS=1000", jobs, database="flow",
              folder=tmp_path / "etld") as running:
        running.ctl("pause", "hourly")
        sim.fault("status", code=404, times=None)
        running.run("hourly", "--force", ok=(FAILED,))
        assert not alerts(running)
        yield running


def lose_mongodb(daemon, own_mongodb, host):
    """In the middle of a run of "a", whose host then asks to be left alone. Returns the run's id."""
    host.hold = threading.Event()
    host.say(429, {"Retry-After": "3600"}, times=1)
    run_id = daemon.ctl("run", "a").json["run_id"]
    wait_for(host.count, "its request")
    own_mongodb.kill9()
    host.hold.set()
    wait_for(lambda: [line for line in daemon.log(ETL_RUN_ID=run_id) if "is kept until" in line["MESSAGE"]],
             daemon.stderr_tail, AWAY_SECONDS)
    wait_for(lambda: daemon.status()["daemon"]["mongodb"]["state"] == "down", daemon.stderr_tail, AWAY_SECONDS)
    return run_id


def order(daemon, *words):
    """It takes effect, and says that it is not stored yet."""
    answer = daemon.ctl(*words, ok=(FAILED,), output="table")
    assert "which stores it when MongoDB is back: " in answer.err, answer


def audits(metadata, name):
    return [doc["what"] for doc in metadata["audit"].find({"details.job": name}).sort("_id", 1)]


def paused(metadata):
    return {doc["_id"] for doc in metadata["pauses"].find({"paused": True})}


def test_all_of_it_is_stored_once_in_order(daemon, own_mongodb, host, metadata):
    run_id = lose_mongodb(daemon, own_mongodb, host)
    for words in (("pause", "b", "--reason", "first"), ("resume", "b"), ("pause", "b", "--reason", "last"),
                  ("resume", "hourly")):
        order(daemon, *words)
    assert {name for name, j in daemon.jobs().items() if j["paused"]} == {"b"}
    assert "MongoDB does not have it yet" in json.dumps(daemon.ctl("why", "b").json["because"])
    unsaved = daemon.status()["daemon"]["unsaved"]
    assert unsaved["entries"] >= 6 and unsaved["oldest_s"] > 0, unsaved  # four orders, the record, the host
    assert "to be stored" in daemon.ctl("status", ok=None, output="table").out
    assert not alerts(daemon)
    own_mongodb.start()
    wait_for(lambda: daemon.status()["daemon"]["unsaved"]["entries"] == 0 and paused(metadata) == {"b"} and
             len(alerts(daemon)) == 2, daemon.stderr_tail, AWAY_SECONDS)
    wait_for(lambda: metadata["runs"].count_documents({"run_id": run_id, "state": "failed"}), daemon.stderr_tail)
    wait_for(lambda: (metadata["sources"].find_one({"_id": host.name}) or {}).get("hold_until"), daemon.stderr_tail)
    assert audits(metadata, "b") == ["pause", "resume", "pause"]
    assert audits(metadata, "hourly") == ["pause", "resume"]
    assert metadata["pauses"].find_one({"_id": "b"})["why"] == "last"
    assert metadata["alerts"].count_documents({}) == 2
    assert "yet" not in json.dumps(daemon.ctl("why", "b").json["because"])
    daemon.stop()
    assert not [line for line in daemon.log() if "is lost" in line["MESSAGE"]]
    daemon.start()
    assert {name for name, j in daemon.jobs().items() if j["paused"]} == {"b"}
    assert len(alerts(daemon)) == 2 and metadata["alerts"].count_documents({}) == 2


def test_a_late_pause_gives_way_to_a_newer_order(daemon, own_mongodb, host, metadata):
    """Another etld, which could reach MongoDB, was told to resume after this one was told to pause."""
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    metadata["pauses"].insert_one({"_id": "b", "who": "another", "why": "", "at": later, "paused": False})
    lose_mongodb(daemon, own_mongodb, host)
    order(daemon, "pause", "b")
    wait_for(lambda: daemon.status()["daemon"]["unsaved"]["oldest_s"] > AS_IT_IS_GIVEN, "an order that is late")
    own_mongodb.start()
    wait_for(lambda: daemon.status()["daemon"]["unsaved"]["entries"] == 0, daemon.stderr_tail, AWAY_SECONDS)
    wait_for(lambda: not daemon.jobs()["b"]["paused"], daemon.stderr_tail, AWAY_SECONDS)
    assert "b" not in paused(metadata) and metadata["pauses"].find_one({"_id": "b"})["who"] == "another"
    assert [line for line in daemon.log(ETL_JOB="b") if "a newer order is on record" in line["MESSAGE"]]
    assert metadata["audit"].find_one({"details.job": "b"})["details"]["overtaken"] is True


@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_what_its_end_takes_with_it(daemon, own_mongodb, host, metadata, end):
    run_id = lose_mongodb(daemon, own_mongodb, host)
    order(daemon, "pause", "b")
    order(daemon, "resume", "hourly")
    getattr(daemon, end)()
    told = [line["MESSAGE"] for line in daemon.log() if "is lost" in line["MESSAGE"]]
    if end == "stop":
        assert any(run_id in line for line in told), told
        assert "records 1" in told[-1] and "pauses 2" in told[-1], told
    own_mongodb.start()
    daemon.start()
    wait_for(lambda: {name for name, j in daemon.jobs().items() if j["paused"]} == {"hourly"}, daemon.stderr_tail)
    assert audits(metadata, "b") == [] and audits(metadata, "hourly") == ["pause"]
    daemon.ctl("resume", "hourly")
    wait_for(lambda: len(alerts(daemon)) == 2, daemon.stderr_tail)
    assert metadata["alerts"].count_documents({}) == 2
