# SPDX-License-Identifier: MIT
"""What a real daemon answers has the shapes that were recorded (tests/lib/etld_shapes.txt), by which the fake
etld of test_etlctl.py is held: it says nothing that a real one would not. When a method's answer is changed,
ETLD_TEST_RECORD=1 records it anew; the canned answers of test_etlctl.py then have all that is recorded, too."""
import json
import os
import re
import socket

import pytest

import shapes

from etld import ROOT
from test_etlctl import ANSWERS, finished
from test_jobs_other import Api
from test_why import NEVER, fetch, hour, iso
from wait import wait_for

pytestmark = pytest.mark.daemon
FOLLOWED = {"Run", "WatermarkSet", "WatermarkRewind", "WatermarkUndo"}  # by etlctl, with progress


def call(daemon, method, **parameters):
    """All that it answers: progress, if there is any, and the last word."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(daemon.control))
        client.settimeout(60)
        more = {"more": True} if method in FOLLOWED else {}
        client.sendall(json.dumps({"method": f"io.etld.Control.{method}", "parameters": parameters, **more}).encode() + b"\0")
        for message in messages(client, method):
            reply = json.loads(message)
            assert "error" not in reply, reply
            yield reply
            if not reply.get("continues"):
                return


def messages(client, method):
    data = b""
    while True:
        piece = client.recv(65536)
        assert piece, f"{method}: closed"
        data += piece
        while b"\0" in data:
            message, _, data = data.partition(b"\0")
            yield message


def answer(path, query, headers):
    """One station is served, the other one refused."""
    if path.endswith("2"):
        return 401, {}
    return 200, {"data": [{"at": iso(hour(back)), "place": place, "v": v} for back in range(1, 5)
                          for place, v in (("x", 7), ("y", 5000))]}


def jobs_of(url):
    """One with whatever there may be, one that holds, one of many windows, one with a schedule."""
    def asks(station, **more):
        job = fetch(1, **more)
        job["extract"]["http"]["url"] = f"{url}/{station}"
        return job

    many = asks("1")
    many["window"] = {"size": "1m", "start": iso(hour(4))}
    return {
        "airqino": asks("{station}", partitions={"station": ["1", "2"]}, group="air", deadline="window.end + 2h",
                        check=[{"range": {"field": "v", "max": 1, "on_fail": "warn"}},
                               {"range": {"field": "v", "max": 100, "on_fail": "reject"}}]),
        "held": asks("1", check=[{"range": {"field": "v", "max": 1, "on_fail": "hold"}},
                                 {"not_null": {"fields": "w", "on_fail": "hold"}}]),
        "many": many,
        "tick": {"schedule": {"every": "1s"}, "window": "none", "extract": {"mongodb": {"collection": "raw"}},
                 "load": {"null": {}}}}


def look_at_runs(daemon, look):
    daemon.run("airqino", ok=(1, 5))
    wait_for(lambda: daemon.runs("tick"), "a run by schedule")
    run_id = daemon.runs("airqino")[0]["run_id"]
    for method in ("Status", "Jobs", "Runs", "Metrics", "Version"):
        look(method)
    look("Next", job="airqino")
    look("Show", run_id=run_id)
    look("Show", run_id=daemon.runs("tick")[0]["run_id"])
    look("Run", job="airqino", wait=True, **{"from": iso(hour(3))})
    look("Runs")
    look("Show", run_id=daemon.runs("airqino")[0]["run_id"])
    return run_id


def look_at_windows(daemon, look):
    look("Windows", job="airqino", all=True)
    look("WindowsAccept", job="airqino", window=iso(hour(3)), partition="2", reason="x")
    look("Show", run_id=daemon.runs("airqino")[0]["run_id"])  # with the decision
    daemon.run("held", ok=(0, 6))
    look("HeldList")
    look("HeldRelease", job="held", window=iso(hour(3)), reason="x", check="range")
    look("HeldList", job="held")
    look("WatermarkShow", job="airqino")
    look("WatermarkSet", job="airqino", time=iso(hour(2)), partition="2", reason="x")
    look("WatermarkHistory", job="airqino")
    look("WatermarkSet", job="many", time=iso(hour(1)), reason="x")
    look("WatermarkRewind", job="many", time=iso(hour(3)), reason="x")
    look("WatermarkUndo", job="many")


def look_at_letters(metadata, run_id, look):
    metadata["dead_letters"].insert_many([
        {"_id": f"{i:032x}", "job": "airqino", "partition": "1", "run_id": run_id, "step": "check", "rule": "range",
         "path": "v", "message": "m", "at": hour(1), "first_at": hour(1), "times": 1, "position": i,
         "time": hour(2), "window_start": hour(2), "window_end": hour(1), "raw": b"\xff"} for i in range(2)])
    look("DeadList", what="airqino", limit=1)
    look("DeadList", what=run_id)
    look("DeadShow", letter=f"{1:032x}")


def look_at_configurations(daemon, jobs, look):
    """One that warns, one that is refused, and one of which a job is left out."""
    look("Pause", job="tick", reason="x")
    look("Resume", job="tick")
    daemon.write_job("airqino", {**jobs["airqino"], "load": {"mongodb": {
        **jobs["airqino"]["load"]["mongodb"], "collection": "elsewhere"}}})
    look("Reload")
    look("Status")
    look("Windows", job="airqino", stale=True)
    look("Restate", job="airqino", dry_run=True)
    daemon.write_job("tick", {**jobs["tick"], "colour": "red"})
    daemon.ctl("reload", ok=(78,), output="table")
    look("Status")
    daemon.stop()
    daemon.start()
    for method in ("Status", "Jobs"):
        look(method)
    look("Next", job="tick")


def on_time(answer):
    """Without what a run says of slots before it: whether it has some is a matter of how fast the machine is."""
    for run in [*answer.get("runs", []), answer.get("run") or {}]:
        for name in ("code", "passed_over", "slot_first", "slots"):
            run.pop(name, None)


def test_a_daemon_answers_as_was_recorded(etld, db, metadata):
    real = {}

    def look(method, **parameters):
        for reply in call(daemon, method, **parameters):
            on_time(reply["parameters"])
            name = method + ("+" if reply.get("continues") else "")
            real[name] = shapes.of(reply["parameters"], real.get(name))

    with Api(answer) as api:
        jobs = jobs_of(api.url)
        daemon = etld(jobs)
        daemon.start()
        run_id = look_at_runs(daemon, look)
        look_at_windows(daemon, look)
        look_at_letters(metadata, run_id, look)
        look_at_configurations(daemon, jobs, look)
    known = shapes.recorded()
    if os.environ.get("ETLD_TEST_RECORD"):  # progress comes only of what takes a second: it stays
        known = {**{method: shape for method, shape in known.items() if method.endswith("+")}, **real}
        shapes.record(known)
    found = [f"{method} is not recorded" for method in real.keys() - known.keys()]
    for method in real.keys() & known.keys():
        found += shapes.news(known[method], real[method], method) + shapes.lacks(known[method], real[method], method)
    page = set(re.findall(r"\w+", (ROOT / "lib/ctl/README.md").read_text()))
    found += [f"{method}: lib/ctl/README.md does not tell of {name}" for method, shape in real.items()
              for name in sorted(shapes.names(shape) - page)]
    assert not found, "\n".join(found)


def test_canned_answers_leave_nothing_out():
    """That they have nothing else, the fake etld sees to."""
    known = shapes.recorded()
    found = []
    for method, replies in ANSWERS.items():
        canned = None
        for reply in [*replies, *(finished() if method == "Run" else [])]:
            canned = shapes.of(reply["parameters"], canned)
        found += shapes.lacks(known[method], canned, method)
    assert not found, "\n".join(found)


def test_a_stranger_is_told():
    known = shapes.recorded()["Jobs"]
    good = {"schema": "etl.jobs/1", "jobs": [{"name": "a", "group": None}]}
    assert shapes.strangers(good, known, "Jobs") == []
    assert shapes.strangers({"jobs": [{"name": 7, "nmae": "a"}]}, known, "Jobs") == [
        "Jobs.jobs[].name is number, etld says ['str']", "Jobs.jobs[].nmae is not etld's"]
    old = shapes.of({"a": 1, "b": [{"c": 1}]})
    new = shapes.of({"b": [{"c": "x", "d": 1}]})
    assert shapes.lacks(old, new, "M") == ["M.a is gone"]
    assert shapes.news(old, new, "M") == ["M.b[].c is str now", "M.b[].d is new"]
