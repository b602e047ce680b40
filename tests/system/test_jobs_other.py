# SPDX-License-Identifier: MIT
"""Jobs that have nothing to do with AirQino: other shapes, keys, times, windows and sources.
What they leave in target and ledger is looked at with pymongo."""
import copy
import datetime as dt
import http.server
import json
import threading
import urllib.parse

import pytest

from airqino_sim import users, utc
from etld import Etld
from fakeclock import FakeClock

pytestmark = pytest.mark.daemon

NOW = "2024-05-02T12:00:00Z"
NEVER = {"cron": "0 0 1 1 *"}  # these tests start the runs
FAILED = 1
PARTLY_REJECTED = 5


class Api:
    """A small HTTP service: `answer(path, query, headers)` gives (status, value). Counts what
    was asked, and how many requests were under way at once."""

    def __init__(self, answer, hold=0):
        api, self.asked, self.active, self.most = self, [], 0, 0
        self.lock = threading.Lock()
        self.gate = threading.Barrier(hold) if hold else None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format, *args):  # noqa: A002
                pass

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                with api.lock:
                    api.asked.append((url.path, query))
                    api.active += 1
                    api.most = max(api.most, api.active)
                if api.gate:  # nobody is answered before so many have come
                    api.gate.wait(20)
                status, value = answer(url.path, query, self.headers)
                body = json.dumps(value).encode()
                with api.lock:
                    api.active -= 1
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def job(url, *, window="none", records="", time=None, key=("id",), collection="out", **more):
    http_source = {"url": url, "records": records, **more.pop("http", {})}
    if time:
        http_source["time"] = time
    return {"schedule": {**NEVER, **more.pop("schedule", {})}, "window": window,
            "extract": {"http": http_source}, "retry": {"max": 0},
            "load": {"mongodb": {"collection": collection, "mode": "upsert", "key": list(key)}}, **more}


@pytest.fixture
def fake_etld(mongodb, database, tmp_path):
    """Makes a started daemon at NOW; .clock moves it."""
    made = []

    def make(jobs, **options):
        clock = FakeClock(tmp_path, NOW)
        etld = Etld(mongodb.uri, jobs, database=database, prefix=clock.prefix, **options)
        etld.clock = clock
        made.append(etld)
        return etld.start()
    yield make
    for etld in made:
        etld.close()


def windows(metadata, name, partition=None):
    query = {"job": name, **({"partition": partition} if partition else {})}
    return list(metadata.windows.find(query).sort([("partition", 1), ("start", 1)]))


def watermark(metadata, name):
    return {m["partition"]: m["last_processed"] for m in metadata.watermarks.find({"job_name": name})}


def test_users_without_windows(fake_etld, db, metadata):
    people = users()
    with Api(lambda path, query, headers: (200, people)) as api:
        etld = fake_etld({"people": job(f"{api.url}/users")})
        first = etld.run("people").json["run"]
        assert first["state"] == "ok" and first["counts"]["inserted"] == 10
        second = etld.run("people").json["run"]
        assert second["counts"]["inserted"] == second["counts"]["updated"] == 0
        assert second["counts"]["unchanged"] == 10
        before = copy.deepcopy(people)
        people[3]["address"]["geo"]["lat"] = "5.9999"
        third = etld.run("people").json["run"]
        assert third["counts"]["updated"] == 1 and third["counts"]["unchanged"] == 9
    stored = {d["id"]: {k: v for k, v in d.items() if k != "_id"} for d in db.out.find()}
    assert stored == {u["id"]: u for u in people} and people != before
    assert len(windows(metadata, "people")) == 1
    assert windows(metadata, "people")[0]["state"] == "loaded"


def test_an_api_key_and_what_a_body_must_say(fake_etld, db, metadata, tmp_path):
    secret = tmp_path / "key"
    secret.write_text("the-key\n")
    secret.chmod(0o600)
    body = {"status": "BUSY", "rows": []}

    def answer(path, query, headers):
        return (200, body) if headers.get("X-Api-Key") == "the-key" else (401, {"error": "key"})
    with Api(answer) as api:
        etld = fake_etld({"keyed": job(f"{api.url}/rows", records="/rows", time={"field": "at"},
                                       window={"size": "1d", "start": "2024-05-01"}, http={
            "expect": {"pointer": "/status", "equals": "OK"},
            "auth": {"api_key": {"header": "X-Api-Key", "value": {"file": str(secret)}}}})})
        busy = etld.run("keyed", ok=(FAILED,)).json["run"]
        assert busy["state"] == "failed" and "BUSY" in busy["reason"], busy["reason"]
        assert [w["state"] for w in windows(metadata, "keyed")] == ["failed"]
        assert watermark(metadata, "keyed").popitem()[1] == utc("2024-05-01T00:00:00Z")
        body.update(status="OK", rows=[{"id": 7, "at": "2024-05-01T10:00:00Z", "v": 1.5}])
        assert etld.run("keyed").json["run"]["state"] == "ok"
    assert [w["state"] for w in windows(metadata, "keyed")] == ["loaded"]
    assert db.out.find_one()["at"] == utc("2024-05-01T10:00:00Z")
    assert "the-key" not in etld.stderr_path.read_text()


def epoch_rows(path, query, headers):
    """A row every 5 minutes of what was asked; numeric ids, times in epoch seconds."""
    begin, end = (int(utc(query[k]).timestamp()) for k in ("from", "to"))
    return 200, {"rows": [{"id": at // 300, "t": at, "v": at % 7 / 2} for at in range(-(-begin // 300) * 300, end, 300)]}


EPOCH = {"records": "/rows", "time": {"field": "t", "format": "epoch"},
         "http": {"query": {"from": "{window.start}", "to": "{window.end}"}}}


@pytest.mark.parametrize("max_span, requests", [("15m", 20), ("1h", 5), ("7d", 1)])
def test_quarters_of_an_hour_from_a_crooked_start(fake_etld, db, metadata, max_span, requests):
    """15m windows from 07:07, ended by window.end; numeric keys and epoch times."""
    with Api(epoch_rows) as api:
        etld = fake_etld({"quarters": job(f"{api.url}/rows", **copy.deepcopy(EPOCH), window={
            "size": "15m", "start": "2024-05-02T07:07:00Z", "end": "2024-05-02T12:07:00Z",
            "max_span": max_span, "settle": "0s"})})
        etld.clock.set("2024-05-02T15:00:00Z")
        run = etld.run("quarters").json["run"]
        assert run["state"] == "ok" and len(api.asked) == requests
    entries = windows(metadata, "quarters")
    assert [e["start"] for e in entries] == [utc("2024-05-02T07:07:00Z") + dt.timedelta(minutes=15 * i) for i in range(20)]
    assert {e["state"] for e in entries} == {"loaded"} and {e["counts"]["out"] for e in entries} == {3}
    assert set(watermark(metadata, "quarters").values()) == {utc("2024-05-02T12:07:00Z")}
    rows = list(db.out.find().sort("id", 1))
    assert [r["t"] for r in rows] == [utc("2024-05-02T07:10:00Z") + dt.timedelta(minutes=5 * i) for i in range(60)]
    assert all(isinstance(r["id"], int) and r["_id"] != "" for r in rows)


def test_twenty_partitions_a_few_at_once(fake_etld, db, metadata):
    names = [f"n{i:02}" for i in range(20)]

    def answer(path, query, headers):
        return 200, [{"id": 1, "node": path.strip("/"), "at": "2024-05-01T06:00:00Z"}]
    with Api(answer, hold=4) as api:
        etld = fake_etld({"nodes": job(f"{api.url}/{{node}}", partitions={"node": names}, key=("node", "id"),
                                       time={"field": "at"}, schedule={"max_active": 4},
                                       window={"size": "1d", "start": "2024-05-01"})})
        run = etld.run("nodes").json["run"]
        assert run["state"] == "ok" and run["counts"]["inserted"] == 20
        assert api.most == 4 and sorted(p for p, _ in api.asked) == [f"/{n}" for n in names]
    assert sorted(db.out.distinct("node")) == names
    assert watermark(metadata, "nodes") == dict.fromkeys(names, utc("2024-05-02T00:00:00Z"))


def test_a_pipeline_over_another_collection(fake_etld, db, metadata):
    db.orders.insert_many([{"at": utc("2024-04-30T00:00:00Z") + dt.timedelta(hours=i), "shop": i % 2, "sum": i}
                           for i in range(72)])
    etld = fake_etld({"totals": {
        "schedule": NEVER, "window": {"size": "1d", "start": "2024-04-30"},
        "extract": {"mongodb": {"collection": "orders", "window": "manual", "time": {"field": "day"}, "pipeline": [
            {"$match": {"at": {"$gte": "{window.start}", "$lt": "{window.end}"}}},
            {"$group": {"_id": {"shop": "$shop", "day": {"$dateTrunc": {"date": "$at", "unit": "day"}}},
                        "total": {"$sum": "$sum"}}},
            {"$project": {"_id": 0, "shop": "$_id.shop", "day": "$_id.day", "total": 1}}]}},
        "load": {"mongodb": {"collection": "totals", "mode": "upsert", "key": ["shop", "day"]}}}})
    run = etld.run("totals").json["run"]
    assert run["state"] == "ok", run
    found = {(d["shop"], d["day"].day): d["total"] for d in db.totals.find()}
    assert found == {(s, d): sum(i for i in range(72) if i % 2 == s and i // 24 == n)
                     for s in (0, 1) for n, d in enumerate((30, 1))}
    assert [w["state"] for w in windows(metadata, "totals")] == ["loaded"] * 2


def test_documents_with_odd_names_are_stored_or_refused_one_by_one(fake_etld, db, metadata):
    """What the server takes is stored as it is; what it would take for an operator is a dead letter."""
    at = utc("2024-05-01T00:30:00Z")
    good = [{"": 1}, {"a.b": {"c.d": {"$e": 3}}}, {"n": {"": {"": 4}}}, {"l": [{"$y": 1}]}, {"plain": 6}]
    bad = [{"$x": 2}, {"$set": {"at": 5}}]
    db.src.insert_many([{"_id": i, "at": at, **odd} for i, odd in enumerate(good + bad)])
    etld = fake_etld({"odd": {
        "schedule": NEVER, "window": {"size": "1h", "start": "2024-05-01", "end": "2024-05-01T02:00:00Z"},
        "extract": {"mongodb": {"collection": "src", "time": {"field": "at"}}},
        "load": {"mongodb": {"collection": "out", "mode": "upsert", "key": ["_id"]}}}})
    run = etld.ctl("run", "odd", "--wait", ok=(PARTLY_REJECTED,)).json["run"]
    assert (run["counts"]["inserted"], run["counts"]["rejected"]) == (len(good), len(bad))
    assert list(db.out.find({}, sort=[("_id", 1)])) == [{"_id": i, "at": at, **odd} for i, odd in enumerate(good)]
    letters = etld.ctl("dead", "list", "odd").json["letters"]
    assert sorted((found["rule"], found["path"]) for found in letters) == [("name", "$set"), ("name", "$x")]
    assert [w["state"] for w in windows(metadata, "odd")] == ["loaded", "empty"]


def test_one_key_in_several_slices_of_a_window(fake_etld, db, metadata):
    """2,500 rows with 2,000 keys go into the target in three slices: who is overwritten is told as if it were one."""
    rows = [{"id": i % 2000, "v": i} for i in range(2500)]
    with Api(lambda path, query, headers: (200, rows)) as api:
        etld = fake_etld({"full": job(f"{api.url}/all", window="none", key=("id",))})
        run = etld.run("full").json["run"]
        assert {k: run["counts"][k] for k in ("out", "inserted", "updated", "unchanged", "overwritten")} == {
            "out": 2500, "inserted": 2000, "updated": 0, "unchanged": 0, "overwritten": 500}
        assert run["warnings"] == 500 and "has the key of an earlier one" in str(run)
        assert db.out.count_documents({}) == 2000 and db.out.find_one({"id": 7})["v"] == 2007
        (entry,) = metadata.windows.find()
        assert (entry["counts"]["inserted"], entry["counts"]["overwritten"]) == (2000, 500)
        rows[0]["v"] = rows[2100]["v"] = -1
        counts = etld.run("full").json["run"]["counts"]
        assert counts["overwritten"] == 500 and counts["inserted"] == 0
        assert counts["updated"] + counts["unchanged"] == 2000
        assert db.out.find_one({"id": 100})["v"] == -1 and db.out.find_one({"id": 0})["v"] == 2000


@pytest.mark.parametrize("options, hours", [
    (["--from", "2024-05-01T01:00Z"], [1, 2]), (["--to", "2024-05-01T01:00Z"], [0]),
    (["--from", "2024-05-01T00:00Z", "--to", "2024-05-01T02:00Z"], [0, 1]), (["--from", "2024-05-01T00:30Z"], [0, 1, 2]),
    (["--to", "2024-05-01T01:30Z"], [0, 1]), (["--from", "2024-04-01"], [0, 1, 2]),
    (["--from", "2030-01-01"], []), (["--to", "2020-01-01"], [])])
def test_a_range_of_the_ledger(fake_etld, db, options, hours):
    """What touches the range, nothing else; before window.start nothing is missing."""
    db.src.insert_one({"at": utc("2024-05-01T00:30:00Z")})
    etld = fake_etld({"some": {
        "schedule": NEVER, "window": {"size": "1h", "start": "2024-05-01", "end": "2024-05-01T03:00:00Z"},
        "extract": {"mongodb": {"collection": "src", "time": {"field": "at"}}},
        "load": {"mongodb": {"collection": "out", "mode": "upsert", "key": ["at"]}}}})
    answer = etld.ctl("windows", "some", "--all", *options).json  # nothing ran: all of it is missing
    assert [found["start"][11:13] for found in answer["windows"]] == [f"{hour:02}" for hour in hours]
    assert (answer["summary"][0]["missing"], answer["truncated"]) == (len(hours), False)
    etld.run("some")
    answer = etld.ctl("windows", "some", "--all", *options).json
    assert [found["start"][11:13] for found in answer["windows"]] == [f"{hour:02}" for hour in hours]
    (summary,) = answer["summary"]
    assert (summary["missing"], summary["loaded"] + summary["empty"]) == (0, len(hours))


def test_windows_that_cut_the_buckets_of_an_aggregate_are_no_silent_half_means(fake_etld, db, metadata):
    """Days from 07:00 to 07:00, but means of calendar days: each would lack some hours."""
    with Api(epoch_rows) as api:
        cut = job(f"{api.url}/rows", **copy.deepcopy(EPOCH), key=("timestamp",),
                  transform=[{"aggregate": {"every": "1d", "mean": ["v"], "count": "samples"}}],
                  window={"size": "1d", "start": "2024-04-28T07:00:00Z", "max_span": "2d"})
        whole = copy.deepcopy(cut)
        whole["window"]["start"] = "2024-04-28"
        etld = fake_etld({"cut": cut, "whole": whole})
        refused = etld.ctl("run", "cut", ok=(78,), output="table")  # left out: the loader knows it
        assert "window.start" in refused.out + refused.err, refused
        assert db.out.count_documents({}) == 0
        assert etld.run("whole").json["run"]["state"] == "ok"
    assert [d["samples"] for d in db.out.find().sort("timestamp", 1)] == [288] * 4


def test_what_the_source_no_longer_keeps_is_unrecoverable(fake_etld, metadata):
    with Api(epoch_rows) as api:
        etld = fake_etld({"kept": job(f"{api.url}/rows", **copy.deepcopy(EPOCH), window={
            "size": "1d", "start": "2024-04-22", "retention": "4d", "max_span": "2d"})})
        etld.run("kept")
        etld.run("kept")
        assert min(q["from"] for _, q in api.asked) >= "2024-04-28"
    states = [(e["start"].day, e["state"]) for e in windows(metadata, "kept")]
    assert states == [(d, "unrecoverable") for d in range(22, 28)] + [(d, "loaded") for d in (28, 29, 30, 1)]
    assert set(watermark(metadata, "kept").values()) == {utc("2024-05-02T00:00:00Z")}


@pytest.mark.parametrize("broken, words", [
    ({"url": "http://127.0.0.1:1/{nope}"}, "nope"),
    ({"url": "http://127.0.0.1:1/{window.start:%Q}"}, "%Q"),
    ({"url": "http://127.0.0.1:1/{window.start"}, "{"),
])
def test_a_template_that_cannot_be_filled_is_refused(etld, broken, words):
    bad = job("http://127.0.0.1:1/", time={"field": "at"}, window={"size": "1h", "start": "2024-05-01"})
    bad["extract"]["http"].update(broken)
    answer = etld(jobs={"bad": bad}).check()
    assert answer.code == 78 and words in answer.err + answer.out and "bad.yaml:" in answer.err + answer.out


def test_a_request_shorter_than_a_window_is_refused(etld):
    bad = job("http://127.0.0.1:1/", time={"field": "at"},
              window={"size": "1h", "start": "2024-05-01", "max_span": "30m"})
    answer = etld(jobs={"bad": bad}).check()
    assert answer.code == 78 and "max_span" in answer.err + answer.out
