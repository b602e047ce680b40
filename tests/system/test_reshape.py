# SPDX-License-Identifier: MIT
"""Columns of an object that is keyed by station, through the daemon, with the place of each station
looked up in a collection: what is loaded, what finds nothing, what is told of the run as a whole, and that a
table which has changed is no change of the job."""
import json

import pytest

from host_sim import HostSim

pytestmark = pytest.mark.daemon
PARTLY_REJECTED = 5
HOURS = [f"2024-01-01T0{n}:30:00Z" for n in range(3)]


def job(host):
    return {"schedule": {"cron": "0 0 29 2 *"}, "retry": {"max": 0}, "rejects": {"max_ratio": 1},
            "window": {"size": "1h", "start": "2024-01-01T00:00:00Z", "end": "2024-01-01T03:00:00Z", "max_span": "3h"},
            "extract": {"http": {"url": f"{host.url}/export"}, "time": {"field": "at"},
                        "reshape": [{"keyed": {"key": "station", "in": "stations"}}, {"columns": {"fields": ["at", "pm"]}}]},
            "transform": [{"lookup": {"from": {"collection": "places"}, "on": {"station": "_id"}, "take": {"/geo/lat": "lat"}}}],
            "check": [{"expected_partitions": {"min": 7}}],
            "load": {"mongodb": {"collection": "rows", "key": ["station", "at"]}}}


def test_stations_and_places(etld, db, metadata):
    with HostSim() as host:
        host.body = json.dumps({"stations": {s: {"at": HOURS, "pm": [1, 2, None]} for s in ("a", "b")}}).encode()
        daemon = etld({"shapes": job(host)}).start()
        # A name that no collection has is the run's failure, and the source is not asked.
        run = daemon.run("shapes", ok=(1,)).json["run"]
        assert "looking up in places" in json.dumps(run) and metadata["windows"].count_documents({}) == 0, run
        db["places"].insert_many([{"_id": "a", "lat": 5.5, "rest": "x"}, {"_id": 7, "lat": 1}])
        run = daemon.run("shapes", ok=(0, PARTLY_REJECTED)).json["run"]
        assert run["counts"]["seen"] == 6 and run["counts"]["inserted"] == 3 and run["counts"]["rejected"] == 3, run
        shown = daemon.ctl("show", run["run_id"]).json["run"]
        assert shown["reshape"] == {"unfolded": 5, "folded": 0} and shown["warnings"] == 1, shown
        assert shown["verdicts"] == [{"check": "expected_partitions", "verdict": "warn",
                                      "message": "1 of 1 partitions brought fewer than 7 records: all"}], shown
        rows = list(db["rows"].find().sort("_id", 1))
        assert [r["_id"] for r in rows] == [f"a|@{h}" for h in HOURS]
        assert [r["pm"] for r in rows] == [1, 2, None] and all(r["geo"] == {"lat": 5.5} for r in rows), rows
        letters = list(metadata["dead_letters"].find({"job": "shapes"}))
        assert len(letters) == 3 and {letter["rule"] for letter in letters} == {"lookup"}, letters
        # The table changes, the job does not: what is closed stays until it is asked for.
        db["places"].update_one({"_id": "a"}, {"$set": {"lat": 6.5}})
        db["places"].insert_one({"_id": "b", "lat": 2.5})
        daemon.run("shapes", ok=(0, PARTLY_REJECTED))
        assert db["rows"].count_documents({"geo.lat": 5.5}) == 3 and db["rows"].count_documents({}) == 3
        run = daemon.run("shapes", "--from", "2024-01-01T00:00:00Z", "--to", "2024-01-01T03:00:00Z").json["run"]
        assert run["counts"]["rejected"] == 0 and run["counts"]["updated"] == 3 and run["counts"]["inserted"] == 3, run
