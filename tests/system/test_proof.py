# SPDX-License-Identifier: MIT
"""What an ordinary mistake leaves behind: nothing is closed without proof, and people see it. A field
that the source renamed, a key that no record has, a source that ignores what it was asked for, a load
that keeps nothing; and a small good run that hides none of it."""
import datetime as dt

import bson
import pytest

from host_sim import HostSim
from test_jobs_other import Api, job as api_job

HOURS = 6
FAILED = 1


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def job(host, start, key=("sensor", "ts"), field="ts", load=None):
    return {"schedule": {"cron": "0 0 29 2 *"}, "retry": {"max": 0},
            "window": {"size": "1h", "start": stamp(start), "end": stamp(start + dt.timedelta(hours=HOURS))},
            "extract": {"http": {"url": f"{host.url}/rows", "query": {"from": "{window.start}"}, "records": "/rows",
                                 "time": {"field": field, "format": "%Y-%m-%dT%H:%M:%SZ"}}},
            "load": load or {"mongodb": {"collection": "rows", "key": list(key)}}}


def windows(metadata, name):
    return [(w["state"], w.get("reason", "")) for w in metadata["windows"].find({"job": name}).sort("start", 1)]


def test_ordinary_mistakes_close_nothing(etld, metadata, db):
    start = dt.datetime.now(dt.timezone.utc).replace(minute=0, second=0, microsecond=0) - dt.timedelta(days=2)
    rows = [{"sensor": "a", "ts": stamp(start + dt.timedelta(minutes=20 * i)), "v": i} for i in range(3 * HOURS)]
    old = [{**row, "ts": row["ts"].replace(str(start.year), str(start.year - 1), 1)} for row in rows]
    with HostSim({"rows": rows}) as host, HostSim({"rows": old}) as elsewhere:
        daemon = etld({"renamed": job(host, start, field="time"), "key": job(host, start, key=("sensr", "ts")),
                       "elsewhere": job(elsewhere, start), "nothing": job(host, start, load={"null": {}}),
                       "good": job(host, start)}).start()

        run = daemon.run("renamed", ok=(FAILED,)).json["run"]
        # Each hour is asked for alone, and this host always sends all.
        assert run["state"] == "failed" and run["counts"]["rejected"] == HOURS * len(rows), run["counts"]
        assert run["counts"].get("in", 0) == 0 and run["windows"]["loaded"] == run["windows"]["empty"] == 0
        assert metadata["dead_letters"].count_documents({"job": "renamed"}) == len(rows)  # each once

        run = daemon.run("key", ok=(FAILED,)).json["run"]
        assert run["state"] == "failed" and run["counts"]["rejected"] == len(rows), run["counts"]
        assert {state for state, _ in windows(metadata, "key")} == {"failed"}
        assert run["rejects"][0]["n"] == len(rows) and "sensr" in str(run["rejects"][0])

        run = daemon.run("elsewhere", ok=(FAILED,)).json["run"]
        assert run["counts"]["outside"] == HOURS * len(old) and run["windows"]["empty"] == 0, run
        reasons = {reason for state, reason in windows(metadata, "elsewhere") if state == "failed"}
        assert len(reasons) == HOURS and all(old[0]["ts"] in r and old[-1]["ts"] in r for r in reasons), reasons

        run = daemon.run("nothing", ok=(0, FAILED)).json["run"]
        assert not [w for w in windows(metadata, "nothing") if w[0] in ("loaded", "empty")], run
        assert "keeps nothing" in run["reason"] + str(run["partitions"]), run

        run = daemon.run("good").json["run"]
        assert run["counts"]["inserted"] == len(rows) == db["rows"].count_documents({})
        assert {state for state, _ in windows(metadata, "good")} == {"loaded"}

        jobs = daemon.jobs()
        assert [jobs[name]["health"] for name in ("renamed", "key", "elsewhere", "good")] == \
            ["failing", "failing", "failing", "ok"], jobs
        assert daemon.ctl("status", "--check", ok=None).code == FAILED
        daemon.kill9()
        daemon.start()
        jobs = daemon.jobs()
        assert [jobs[name]["health"] for name in ("renamed", "key", "elsewhere", "good")] == \
            ["failing", "failing", "failing", "ok"], "a restart forgets nothing"
        assert all(jobs[name]["last_run"] for name in ("renamed", "key", "elsewhere", "good"))


def on_the_border(api, path, **time):
    return api_job(f"{api.url}/{path}", window={"size": "1h", "start": "2024-01-01T00:00:00Z", "end": "2024-01-01T04:00:00Z"},
                   time={"field": "ts", **time}, key=("id", "ts"), collection=path,
                   http={"query": {"from": "{window.start}", "to": "{window.end}"}})


def test_stamps_that_name_the_other_end(etld, metadata, db):
    """What comes lies on each window's border: one such window may be a gap's end, two in a row are not empty."""
    def answer(path, query, headers):
        stamps = {"/end": [query["to"]], "/start": [query["from"]], "/both": [query["from"], query["to"]],
                  "/gap": [query["to"]] if "T01" in query["from"] else [query["from"]] if "T02" in query["from"] else []}
        return 200, [{"ts": ts, "id": 1} for ts in stamps[path]]

    with Api(answer) as api:
        moved = on_the_border(api, "start", label="end", interval="1h")
        daemon = etld({"end": on_the_border(api, "end"), "moved": moved, "both": on_the_border(api, "both"),
                       "gap": on_the_border(api, "gap")}).start()
        for name in ("end", "moved"):
            for _ in range(2):  # the next run closes no more of them
                daemon.run(name, ok=(FAILED,))
            states = windows(metadata, name)
            assert [state for state, _ in states] == ["empty"] + 3 * ["failed"] and "time.label" in states[1][1], states
            assert daemon.jobs()[name]["health"] == "failing"
        first = metadata["runs"].find_one({"job": "end"}, sort=[("started", 1)])
        assert first["warned"][0]["rule"] == "border" and first["warnings"] == 1, first
        daemon.run("both")
        assert [state for state, _ in windows(metadata, "both")] == 4 * ["loaded"] and db["both"].count_documents({}) == 4
        run = daemon.run("gap").json["run"]
        assert [state for state, _ in windows(metadata, "gap")] == ["empty", "empty", "loaded", "empty"], run


def from_mongodb(collection, field):
    return {"schedule": {"cron": "0 0 29 2 *"}, "retry": {"max": 0},
            "window": {"size": "1h", "start": "2024-01-01T00:00:00Z", "end": "2024-01-01T03:00:00Z"},
            "extract": {"mongodb": {"collection": collection, "time": {"field": field}}},
            "load": {"mongodb": {"collection": "copy", "key": ["_id"]}}}


SECONDS = int(dt.datetime(2024, 1, 1, 1, tzinfo=dt.timezone.utc).timestamp())
OTHER_TIMES = {"timestamp": bson.Timestamp(SECONDS, 1), "decimal": bson.Decimal128(str(SECONDS)), "true": True,
               "document": {"date": "2024-01-01"}, "objectid": bson.ObjectId()}


def test_a_collection_that_has_nothing_of_any_window(etld, metadata, db):
    """One that is not there, and times of a type that the window is not compared with: found or refused."""
    for name, value in OTHER_TIMES.items():
        db[name].insert_one({"t": value})
    db.create_collection("bare")
    jobs = {name: from_mongodb(name, "t") for name in OTHER_TIMES}
    daemon = etld({**jobs, "id": from_mongodb("true", "_id"), "absent": from_mongodb("sensr", "t"),
                   "bare": from_mongodb("bare", "t")}).start()
    for name in [*OTHER_TIMES, "id"]:
        daemon.run(name, ok=(FAILED,))
        assert {state for state, _ in windows(metadata, name)} == {"failed"}, name
        assert "no window would ever hold it" in windows(metadata, name)[0][1], windows(metadata, name)
    daemon.run("absent", ok=(FAILED,))
    assert "there is no collection 'sensr'" in windows(metadata, "absent")[0][1]
    daemon.run("bare")
    assert [state for state, _ in windows(metadata, "bare")] == 3 * ["empty"]


@pytest.mark.parametrize("span", ["1h", "1d"])
def test_unique_is_asked_of_a_window(etld, metadata, db, span):
    rows = [{"ts": f"2024-01-01T0{hour}:{minute:02}:00Z", "id": n} for n, (hour, minute) in enumerate([(0, 0), (1, 0), (2, 0), (2, 5)])]
    with Api(lambda path, query, headers: (200, [r for r in rows if query["from"] <= r["ts"] < query["to"]])) as api:
        job = api_job(api.url, window={"size": "1h", "start": "2024-01-01T00:00:00Z", "end": "2024-01-01T03:00:00Z", "max_span": span},
                      time={"field": "ts"}, http={"query": {"from": "{window.start}", "to": "{window.end}"}}, collection="unique",
                      transform=[{"set": {"kind": "x"}}], check=[{"unique": {"fields": ["kind"]}}])
        run = etld({"unique": job}).start().run("unique", ok=(0, 5)).json["run"]
    assert run["counts"]["rejected"] == 1 and sorted(d["_id"] for d in db["unique"].find()) == [0, 1, 2], run
    assert {state for state, _ in windows(metadata, "unique")} == {"loaded"}
