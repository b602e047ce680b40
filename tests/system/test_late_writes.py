# SPDX-License-Identifier: MIT
"""A server without transactions executes a write long after etld gave it up: the data that it
overwrites is repaired by the next run, and what was not there before is never overwritten."""
import datetime as dt

import pytest

from airqino_sim import STATION_1
from etld import Etld
from flow import Flow
from mongodb import MongoServer
from wait import wait_for
from wireproxy import WireProxy

HOURS = 6
LIMIT = 60


@pytest.fixture(name="alone")
def standalone_server(tmp_path):
    server = MongoServer(tmp_path / "standalone", standalone=True)
    if server.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server that is not ours to break")
    with server:
        yield server


def values(db):
    return [d["CO"] for d in db["hourly"].find().sort("timestamp")]


@pytest.mark.daemon
def test_a_write_that_is_executed_late(alone, sim, tmp_path):
    import pymongo  # pylint: disable=import-outside-toplevel
    flow = Flow(sim, span="24h", stations=(STATION_1,), lookback="0s")
    start, end = "2026-03-02T00:00:00Z", f"2026-03-02T{HOURS:02d}:00:00Z"

    def truth():
        return [r["CO"] for r in sim.truth(STATION_1, start, end)]

    def late(etld, command):
        """The data of the next run is held back at the server, which etld does not wait for; the
        source is corrected; then it is executed."""
        fault = proxy.fault(command, "hold", where=lambda message: b"station_id" in message)
        etld.ctl("run", "hourly", "--from", start, "--to", end)
        wait_for(lambda: fault.struck, "the write that is held back", LIMIT)
        sim.recalibrate(start, end, "CO", offset=10.0)
        etld.wait_idle(LIMIT)
        assert values(db) == truth()
        windows = list(metadata["windows"].find({"job": "hourly"}))
        assert [w["state"] for w in windows] == ["loaded"] * HOURS
        assert all(w["dirty"] and "never answered" in w["reason"] for w in windows), [
            (w["state"], w["dirty"], w["reason"], w.get("writer")) for w in windows]
        fault.release()
        assert fault.done.wait(LIMIT)

    with WireProxy(alone.port) as proxy, pymongo.MongoClient(alone.uri, tz_aware=True) as client:
        db, metadata = client["late"], client["late_metadata"]
        with Etld(proxy.uri + "&socketTimeoutMS=1000",
                  {"hourly": flow.hourly(flow.start + dt.timedelta(hours=HOURS))},
                  database="late", folder=tmp_path / "etld") as etld:
            etld.wait_idle()
            late(etld, "insert")  # the windows are new
            assert values(db) == truth(), "an insert changes nothing of what is there"
            etld.run("hourly", ok=(0,))  # reads what is dirty, and closes it
            assert not metadata["windows"].count_documents({"dirty": True})

            sim.recalibrate(start, end, "CO", offset=5.0)
            late(etld, "update")  # they are there, and change
            assert values(db) != truth()
            etld.run("hourly", ok=(0,))
            assert values(db) == truth()
            assert not metadata["windows"].count_documents({"dirty": True})
