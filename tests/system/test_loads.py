# SPDX-License-Identifier: MIT
"""A job that loads into two collections, one in another database, and into null beside them: what
is in the ledger is in both, also after etld was killed at any of the points between them; what one
of them refuses is in neither."""
import signal

import pymongo
import pytest

from airqino_sim import STATION_1
from etld import Etld, faults_folder
from flow import CLOSED, HOUR, Flow

KEY = ["station_id", "timestamp"]
HOURS = 24
LIMIT = 120
# Both collections are of the state store's transaction: points before and behind each of their
# writes (the second passage of sink.compared is the second one's), and around the commit.
POINTS = ["load.before=kill:1", "sink.compared=kill:1", "sink.compared=kill:2", "load.after=kill:1",
          "commit.before=kill:1", "txn.before=kill:1", "txn.after=kill:1", "commit.after=kill:1",
          "load.before=kill:2", "sink.compared=kill:3", "sink.compared=kill:4", "load.after=kill:3",
          "commit.before=kill:2", "txn.before=kill:3", "txn.after=kill:2", "commit.after=kill:3"]


@pytest.fixture
def flow(sim):
    return Flow(sim, span="6h", stations=(STATION_1,))


@pytest.fixture
def beside(mongodb, database):
    """The other database, gone at the end."""
    with pymongo.MongoClient(mongodb.uri, tz_aware=True) as client:
        yield client[database + "_beside"]
        client.drop_database(database + "_beside")


def job(flow, beside, hours=HOURS, loads=None):
    made = flow.hourly(flow.start + hours * HOUR)
    made["load"] = loads or [
        {"null": {}},
        {"mongodb": {"collection": "hourly", "key": KEY}},
        {"mongodb": {"database": beside.name, "collection": "copy", "key": KEY}}]
    return made


def run_document(daemon):
    run = daemon.run("hourly").json["run"]
    return daemon.ctl("show", run["run_id"]).json["run"]


def loaded_hours(flow, metadata):
    return {start for start, e in flow.ledger(metadata, "hourly", STATION_1) if e["state"] == "loaded"}


def check(flow, db, beside, metadata):
    """What the ledger has is in both, and what it does not have is in neither: one transaction."""
    loaded = loaded_hours(flow, metadata)
    for collection in (db["hourly"], beside["copy"]):
        there = {doc["timestamp"] for doc in collection.find()}
        assert collection.count_documents({}) == len(there), f"twice in {collection.full_name}"
        assert there == loaded, f"{collection.full_name}: {sorted(there ^ loaded)}"
    assert list(db["hourly"].find().sort("_id")) == list(beside["copy"].find().sort("_id"))
    return loaded


def test_all_in_both(etld, flow, db, beside, metadata):
    daemon = etld({"hourly": job(flow, beside)})
    daemon.start()
    run = run_document(daemon)
    assert len(check(flow, db, beside, metadata)) == HOURS
    assert run["counts"]["inserted"] == HOURS
    none = {"updated": 0, "unchanged": 0, "overwritten": 0, "stale": 0, "rejected": 0}
    assert run["targets"] == [{"name": name, "inserted": HOURS, **none}
                              for name in ("null", f"{db.name}.hourly", f"{beside.name}.copy")]
    assert daemon.ctl("runs", "hourly").json["runs"][0]["targets"] == run["targets"]
    shown = daemon.ctl("show", run["run_id"], output="table").out
    assert "TARGET" in shown and f"{beside.name}.copy" in shown
    facts = {j["name"]: j for j in daemon.ctl("jobs").json["jobs"]}
    assert facts["hourly"]["sink"] == "null + mongodb + mongodb"
    known = daemon.jobs()["hourly"]
    assert known["guarantee"] == "effectively-once" and known["elsewhere"] is None

    # A load more: the windows are not in it, and that is told.
    loads = job(flow, beside)["load"] + [{"mongodb": {"collection": "third", "key": KEY}}]
    daemon.write_job("hourly", job(flow, beside, loads=loads))
    (warning,) = daemon.ctl("reload").json["warnings"]
    both = f"{db.name}.hourly + {beside.name}.copy"
    assert warning.startswith(f"hourly: {HOURS} windows are in 'hourly + {beside.name}.copy', none in "
                              f"'hourly + {beside.name}.copy + third'"), warning
    assert [m["target"] for m in metadata["watermarks"].find_one({"job_name": "hourly"})["targets"]] == [both]
    # One less: what is left has all of them.
    daemon.write_job("hourly", job(flow, beside, loads=loads[1:2]))
    (warning,) = daemon.ctl("reload").json["warnings"]
    assert "were made by an older definition" in warning and "is in" not in warning


def test_two_loads_into_one_place(etld, flow, beside, database):
    """The default database is the same place as its name, for the daemon's own loader as well."""
    daemon = etld({"hourly": job(flow, beside)})
    daemon.start()
    daemon.write_job("hourly", job(flow, beside, loads=[
        {"mongodb": {"collection": "hourly", "key": KEY}},
        {"mongodb": {"database": database, "collection": "hourly", "key": KEY}}]))
    refused = daemon.ctl("reload", ok=None)
    assert refused.code and "go to the same place" in refused.out + refused.err, refused


def test_refused_by_one(etld, flow, db, beside, metadata):
    """An hour that the copy's validator does not take is in neither; the dead letter names the copy."""
    bad = flow.start + 5 * HOUR
    beside.create_collection("copy", validator={"timestamp": {"$ne": bad}})
    made = job(flow, beside)
    made["rejects"] = {"max": 5, "max_ratio": 1, "whole_unit": "close"}
    daemon = etld({"hourly": made})
    daemon.start()
    run = run_document(daemon)
    for collection in (db["hourly"], beside["copy"]):
        assert collection.count_documents({}) == HOURS - 1
        assert not collection.find_one({"timestamp": bad})
    assert run["counts"]["rejected"] == run["counts"]["refused"] == 1
    assert run["counts"]["inserted"] == HOURS - 1
    assert [t["rejected"] for t in run["targets"]] == [0, 0, 1]
    (letter,) = metadata["dead_letters"].find()
    assert letter["rule"] == "validation" and letter["message"].startswith(f"{beside.name}.copy refuses it"), letter


@pytest.mark.faults
@pytest.mark.daemon
def test_killed_between_the_targets(mongodb, db, beside, metadata, database, flow, tmp_path):
    """Killed at each point, once at its first and once at a later passage; the next one goes on."""
    etld = Etld(mongodb.uri, {"hourly": job(flow, beside, hours=6)}, database=database,
                folder=tmp_path / "etld", build=faults_folder())
    hours, seen = 6, set()
    with etld:
        etld.run("hourly")
        etld.wait_idle()
    for point in POINTS:
        hours += 18
        etld.write_job("hourly", job(flow, beside, hours=hours))
        etld.env["ETLD_FAULTS"] = point
        etld.start(wait=False)
        assert etld.wait_end(LIMIT) == -signal.SIGKILL, f"{point}\n{etld.stderr_tail()}"
        loaded = check(flow, db, beside, metadata)
        assert seen <= loaded
        seen = loaded
    del etld.env["ETLD_FAULTS"]
    with etld:
        etld.run("hourly")
        etld.wait_idle()
    check(flow, db, beside, metadata)
    entries = flow.ledger(metadata, "hourly", STATION_1)
    assert len(entries) == hours and {e["state"] for _, e in entries} <= CLOSED
    flow.check_hours(db["hourly"], STATION_1, flow.start, flow.start + hours * HOUR)
    flow.check_hours(beside["copy"], STATION_1, flow.start, flow.start + hours * HOUR)
