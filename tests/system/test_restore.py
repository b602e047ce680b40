# SPDX-License-Identifier: MIT
"""Metadata that were lost or restored: yesterday's, in whole or in part, or edited by hand. What is
due again is loaded again by its keys; what cannot be read is named."""
import datetime as dt

import pytest

from etld import Etld
from flow import Flow

FAILED = 1
FUTURE = dt.datetime(2200, 1, 1, tzinfo=dt.timezone.utc)


@pytest.fixture(name="flow")
def daily_flow(sim):
    return Flow(sim, span="12h")


def copy(metadata):
    return {name: list(metadata[name].find()) for name in metadata.list_collection_names()}


def restore(metadata, backup, only=None):
    """As mongorestore --drop does, the daemon stopped."""
    for name in only or metadata.list_collection_names():
        metadata[name].delete_many({})
        if backup.get(name):
            metadata[name].insert_many(backup[name])


def last_reason(metadata, job):
    return metadata["runs"].find_one({"job": job, "state": {"$ne": "skipped"}}, sort=[("started", -1)])["reason"]


@pytest.mark.daemon
def test_metadata_of_before(mongodb, flow, db, metadata, database, tmp_path):
    etld = Etld(mongodb.uri, flow.jobs(1), database=database, folder=tmp_path / "etld")
    with etld:
        for _ in range(3):  # fences grow
            etld.run("hourly", ok=(0,))
        etld.run("daily", ok=(0,))
    backup = copy(metadata)
    assert backup["layout"][0]["version"] == 2
    for name, job in flow.jobs(2).items():
        etld.write_job(name, job)
    with etld:
        etld.run("hourly", ok=(0,))
        etld.run("daily", ok=(0,))
    documents = db["hourly"].count_documents({})
    later = copy(metadata)

    restore(metadata, backup)  # the whole of it
    with etld:
        etld.run("hourly", ok=(0,))
        etld.run("daily", ok=(0,))
    flow.check_final(db, metadata, 2)
    assert db["hourly"].count_documents({}) == documents

    restore(metadata, later)
    restore(metadata, backup, only=["leases"])  # a part: older fences than the watermarks bear
    with etld:
        etld.run("hourly", ok=(0,))
    restore(metadata, later)
    metadata["leases"].delete_many({})
    metadata["watermarks"].delete_many({"job_name": "hourly"})  # the ledger has it all
    with etld:
        etld.run("hourly", ok=(0,))
    flow.check_final(db, metadata, 2)

    # Edited by hand: refused and told, and well again when it is put right.
    marks = list(metadata["watermarks"].find({"job_name": "hourly"}))
    for change, words in (({"last_processed": FUTURE}, "2200-01-01T00:00:00Z"),
                          ({"last_processed": "yesterday"}, "'last_processed' is a text"),
                          ({"fence": "7"}, "'fence' is a text")):
        metadata["watermarks"].update_many({"job_name": "hourly"}, {"$set": change})
        with etld:
            assert etld.ctl("run", "hourly", "--wait", ok=None).code == FAILED
            assert words in last_reason(metadata, "hourly")
            assert etld.jobs()["hourly"]["health"] == "failing"
        for mark in marks:
            metadata["watermarks"].replace_one({"_id": mark["_id"]}, mark)
    with etld:
        etld.run("hourly", ok=(0,))

    metadata["layout"].update_one({"_id": "metadata"}, {"$set": {"version": 99, "written_by": "etld 99"}})
    with etld:
        said = etld.status()["daemon"]["mongodb"]
        assert said["state"] == "down" and "layout 99, written by etld 99" in said["reason"], said
        assert etld.is_running
