# SPDX-License-Identifier: MIT
"""The canned answers by which etlctl is tested (test_etlctl.py) have the shape of a real daemon's:
every member of theirs is one that the daemon gives, with a value of the same type, and every one that
the daemon gives stands in theirs."""
import json
import re
import socket

import pytest

from etld import ROOT
from test_etlctl import ANSWERS
from test_jobs_other import Api
from test_why import NEVER, fetch, hour, iso
from wait import wait_for

pytestmark = pytest.mark.daemon
# Names are data here, not members: what is counted, by name.
TALLIES = {"counts", "windows", "summary"}


def call(daemon, method, **parameters):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(daemon.control))
        client.settimeout(60)
        client.sendall(json.dumps({"method": f"io.etld.Control.{method}", "parameters": parameters}).encode() + b"\0")
        data = b""
        while not data.endswith(b"\0"):
            piece = client.recv(65536)
            assert piece, f"{method}: closed"
            data += piece
    reply = json.loads(data[:-1])
    assert "error" not in reply, reply
    return reply["parameters"]


def shape(value, found=None):
    """{types, members by name, elements}: of this value and of all that were looked at before."""
    found = found if found is not None else {"types": set(), "members": {}, "elements": None}
    if isinstance(value, dict):
        found["types"].add("object")
        for name, member in value.items():
            found["members"][name] = shape(member, found["members"].get(name))
    elif isinstance(value, list):
        found["types"].add("array")
        for element in value:
            found["elements"] = shape(element, found["elements"])
    else:
        found["types"].add("null" if value is None else "number" if type(value) in (int, float) else type(value).__name__)
    return found


def strangers(canned, real, path):
    """What the canned answer has and the real one has not."""
    kind = next(iter(shape(canned)["types"]))
    if kind != "null" and kind not in real["types"]:
        return [f"{path} is {kind}, the daemon says {sorted(real['types'])}"]
    found = []
    if kind == "object":
        for name, member in canned.items():
            if name in real["members"]:
                found += strangers(member, real["members"][name], f"{path}.{name}")
            elif path.rpartition(".")[2].removesuffix("[]") not in TALLIES:
                found.append(f"{path}.{name} is not the daemon's")
    elif kind == "array":
        objects = [element for element in canned if isinstance(element, dict)]
        assert real["elements"] or not objects, f"{path}: no real element to compare with"
        for element in objects:
            found += strangers(element, real["elements"], f"{path}[]")
    return found


def lacks(canned, real, path):
    """What the real answers have and no canned one has, in objects that the canned ones have."""
    if path.rpartition(".")[2].removesuffix("[]") in TALLIES:
        return []
    found = [] if not canned["members"] else [
        f"{path}.{name} is not in the canned answers" for name in real["members"] if name not in canned["members"]]
    for name in canned["members"].keys() & real["members"].keys():
        found += lacks(canned["members"][name], real["members"][name], f"{path}.{name}")
    if canned["elements"] and real["elements"]:
        found += lacks(canned["elements"], real["elements"], f"{path}[]")
    return found


def members(real):
    """The names of all members, at any depth."""
    found = set(real["members"])
    for member in real["members"].values():
        found |= members(member)
    return found | (members(real["elements"]) if real["elements"] else set())


def answer(path, query, headers):
    """One station is served, the other one refused."""
    if path.endswith("2"):
        return 401, {}
    return 200, {"data": [{"at": iso(hour(back)), "place": "x", "v": 7} for back in range(1, 5)]}


def test_canned_answers_have_the_daemons_shape(etld, db, metadata):
    real = {}

    def look(method, **parameters):
        real[method] = shape(call(daemon, method, **parameters), real.get(method))

    with Api(answer) as api:
        job = fetch(1, partitions={"station": ["1", "2"]})
        job["extract"]["http"]["url"] = api.url + "/{station}"
        held = fetch(1, check=[{"range": {"field": "v", "max": 1, "on_fail": "hold"}},
                              {"not_null": {"fields": "w", "on_fail": "hold"}}])
        held["extract"]["http"]["url"] = api.url + "/1"
        daemon = etld({"airqino": job, "held": held, "tick": {"schedule": {"every": "1s"}, "window": "none", "extract": {
            "mongodb": {"collection": "raw"}}, "load": {"null": {}}}})
        daemon.start()
        daemon.run("airqino", ok=(1, 5))
        wait_for(lambda: daemon.runs("tick"), "a run by schedule")
        run_id = daemon.runs("airqino")[0]["run_id"]
        for method in ("Status", "Jobs", "Runs", "Metrics", "Version"):
            look(method)
        look("Next", job="airqino")
        look("Show", run_id=run_id)
        look("Show", run_id=daemon.runs("tick")[0]["run_id"])
        daemon.run("airqino", "--from", iso(hour(3)), ok=(1, 5))
        look("Runs")
        look("Show", run_id=daemon.runs("airqino")[0]["run_id"])
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
        metadata["dead_letters"].insert_many([
            {"_id": f"{i:032x}", "job": "airqino", "partition": "1", "run_id": run_id, "step": "check", "rule": "range",
             "path": "v", "message": "m", "at": hour(1), "first_at": hour(1), "times": 1, "position": i,
             "time": hour(2), "window_start": hour(2), "window_end": hour(1), "raw": b"\xff"} for i in range(2)])
        look("DeadList", what="airqino", limit=1)
        look("DeadList", what=run_id)
        look("DeadShow", letter=f"{1:032x}")
        look("Pause", job="tick", reason="x")
        look("Resume", job="tick")
        look("Reload")
        look("Run", job="airqino")
    found = [line for method, replies in ANSWERS.items() for reply in replies
             for line in strangers(reply["parameters"], real[method], method)]
    for method, replies in ANSWERS.items():
        canned = None
        for reply in replies:
            canned = shape(reply["parameters"], canned)
        found += lacks(canned, real[method], method)
    page = set(re.findall(r"\w+", (ROOT / "lib/ctl/README.md").read_text()))
    found += [f"{method}: lib/ctl/README.md does not tell of {name}" for method, known in real.items()
              for name in sorted(members(known) - page)]
    assert not found, "\n".join(found)
