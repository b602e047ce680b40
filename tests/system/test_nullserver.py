# SPDX-License-Identifier: MIT
"""The target that keeps nothing (tests/lib/nullserver.py): etld sees all of its records loaded, in
transactions that the server behind commits, and nothing of them is there.
"""
import pytest

from airqino_sim import AirqinoSim
from etld import Etld
from fakeclock import FakeClock
from nullserver import NullServer

pytestmark = pytest.mark.daemon
NOW = "2026-03-02T12:00:00Z"


def test_a_load_into_nothing(mongodb, mongo_client, tmp_path):
    with AirqinoSim(now=NOW) as sim, NullServer(mongodb.port, "nothing") as null:
        clock = FakeClock(tmp_path, NOW, sim)
        with Etld.airqino(null.uri, sim, "2026-03-01T00:00:00Z", database="nothing", metadata="nothing_meta",
                          prefix=clock.prefix) as etld:
            counts = etld.run("airqino").json["run"]["counts"]
        assert counts["inserted"] > 0
        assert null.documents == counts["inserted"]
        assert null.counts["commitTransaction"] > 0
    try:
        assert mongo_client["nothing"]["hourly_averages"].count_documents({}) == 0
        ledger = mongo_client["nothing_meta"]["windows"]
        assert ledger.count_documents({"state": "loaded"}) > 0
    finally:
        mongo_client.drop_database("nothing")
        mongo_client.drop_database("nothing_meta")
