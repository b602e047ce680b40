# SPDX-License-Identifier: MIT
"""What stands between an answer and its records, through the daemon: a record a line in envelopes, bad and cut lines,
JSON Pointers as names of fields from the source to the load."""
import json

import pytest

from host_sim import HostSim

pytestmark = pytest.mark.daemon
FAILED = 1
PARTLY_REJECTED = 5


def line(n, **more):
    return json.dumps({"_airbyte_emitted_at": 7, "_airbyte_data": {
        "meta": {"id": f"s{n}", "at": f"2024-01-01T0{n}:30:00Z"}, "temp": str(n) + ".5", **more}})


def job(host):
    """Hours of a night; `host` None = the caller says where its answers come from."""
    return {"schedule": {"cron": "0 0 29 2 *"}, "retry": {"max": 0},
            "window": {"size": "1h", "start": "2024-01-01T00:00:00Z", "end": "2024-01-01T03:00:00Z", "max_span": "3h"},
            "extract": {"http": {"url": f"{host.url}/export" if host else None}, "format": "jsonl", "records": "/_airbyte_data",
                        "attach": {"emitted": "/_airbyte_emitted_at"}, "time": {"field": "/meta/at"}},
            "transform": [{"cast": {"temp": "double"}}, {"rename": {"temp": "/outdoor/temp"}}, {"set": {"/meta/unit": "degC"}},
                          {"drop": ["/debug/trace"]}],
            "check": [{"not_null": {"fields": ["/outdoor/temp"], "on_fail": "reject"}}],
            "load": {"mongodb": {"collection": "rows", "key": ["/meta/id", "/meta/at"]}}}


def test_lines_and_pointers(etld, db, metadata):
    lines = [line(0, debug={"trace": "x", "n": 1}), "no JSON at all", line(1), line(2)]
    with HostSim() as host:
        host.body = "\n".join(lines)[:-20].encode()  # cut within its last line
        daemon = etld({"lines": job(host)}).start()
        run = daemon.run("lines", ok=(FAILED,)).json["run"]
        assert run["state"] == "failed" and db["rows"].count_documents({}) == 0, run
        assert {w["state"] for w in metadata["windows"].find({"job": "lines"})} == {"failed"}
        assert "the last line, which no line break ends" in json.dumps(run), run

        host.body = "\n".join(lines).encode()
        run = daemon.run("lines", ok=(0, PARTLY_REJECTED)).json["run"]
        assert run["counts"]["inserted"] == 3 and run["counts"]["rejected"] == 1, run
        stored = list(db["rows"].find().sort("_id", 1))
        assert [d["_id"] for d in stored] == [f"s{n}|@2024-01-01T0{n}:30:00Z" for n in range(3)]
        assert [d["outdoor"] for d in stored] == [{"temp": n + 0.5} for n in range(3)]
        assert all(d["meta"]["unit"] == "degC" and d["emitted"] == 7 and "temp" not in d for d in stored)
        assert stored[0]["debug"] == {"n": 1}
        letter = metadata["dead_letters"].find_one({"job": "lines"})
        assert letter["step"] == "decode" and bytes(letter["raw"]) == b"no JSON at all", letter


def test_rows_of_csv(etld, db, metadata):
    """A header, quotes, nulls, a ragged row; the same answer cut inside its last row leaves the window open."""
    rows = ["station;at;co;note", 'a;2024-01-01T00:10:00Z;1.5;"rain; wind"', "a;2024-01-01T01:10:00Z;-;", "a;2024-01-01T02:10:00Z",
            "b;2024-01-01T02:20:00Z;2;x"]
    csv_job = job(None)
    with HostSim() as host:
        csv_job["extract"] = {"http": {"url": f"{host.url}/export"}, "time": {"field": "at"},
                              "format": {"csv": {"delimiter": ";", "null_text": ["-"], "required": ["co"]}}}
        csv_job.update(transform=[{"cast": {"co": "double"}}], check=[])
        csv_job["load"]["mongodb"]["key"] = ["station", "at"]
        daemon = etld({"rows": csv_job}).start()
        host.body = "\n".join(rows)[:-4].encode()
        run = daemon.run("rows", ok=(FAILED,)).json["run"]
        assert "not whole" in json.dumps(run) and db["rows"].count_documents({}) == 0, run

        host.body = "\r\n".join(rows).encode()
        run = daemon.run("rows", ok=(0, PARTLY_REJECTED)).json["run"]
        assert run["counts"]["inserted"] == 3 and run["counts"]["rejected"] == 1, run
        assert [(d["co"], d["note"]) for d in db["rows"].find().sort("_id", 1)] == [(1.5, "rain; wind"), (None, None), (2.0, "x")]
        assert "line 4 has 2 fields" in metadata["dead_letters"].find_one({"job": "rows"})["message"]
