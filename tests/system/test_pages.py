# SPDX-License-Identifier: MIT
"""Sources that answer in pages: every style loads exactly what there is; a walk that does not come to a
proven end leaves its windows open and says why; death in the middle of a walk loses and doubles nothing."""
import datetime as dt
import pathlib
import re
import threading

import pytest

from paged_sim import SIZE, PagedSim
from test_jobs_other import job
from wait import wait_for

pytestmark = pytest.mark.daemon

START = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
HOURS = 6
FAILED = 1
# Of five hours; the sixth is empty. Seven pages and a short one.
ROWS = [{"id": i, "at": (START + dt.timedelta(seconds=45 * i)).strftime("%Y-%m-%dT%H:%M:%SZ"), "v": i * i}
        for i in range(385)]
PAGES = -(-len(ROWS) // SIZE)

PAGE = {"page": {"param": "page", "size": {"param": "per_page", "value": SIZE}}}
CURSOR = {"cursor": {"pointer": "/meta/next_cursor", "param": "cursor"}}
STYLES = {
    "page": PAGE,
    "offset": {"offset": {"param": "offset", "limit": {"param": "limit", "value": SIZE}}, "end": "short"},
    "cursor": CURSOR,
    "last_record": {"last_record": {"field": "id", "param": "after"}},
    "link": {"link": {}},
    "next_url": {"next_url": {"pointer": "/next"}},
    "odata": {"odata": {}},
    "header": {"header": {"name": "X-My-Next", "param": "cursor"}},
    "csv": PAGE,
    "jsonl": PAGE,
}
# What is done: the style, the run's word, words of the reason. Spans that are refused are asked for in halves.
BAD = [
    ("same_cursor", "cursor", "http.pages_loop", "page 2 of "),
    ("same_cursor", "link", "http.pages_loop", "the same URL appears twice"),
    ("same_page", "page", "http.pages_same", "'page'"),
    ("same_page", "header", "http.pages_same", "as the one before"),
    ("lost", "offset", "http.more", "'/total' is"),
    ("lost", "page", "http.more", "'/total' is"),
    ("status_500", "next_url", "http.status", "page 3 of "),
    ("cut", "page", "http.cut", ""),
    ("other_host", "odata", "http.pages_host", "other.invalid"),
    ("other_host", "link", "http.pages_host", "other.invalid"),
    ("endless", "cursor", "http.pages_max", "max_pages (20)"),
    ("more", "last_record", "http.more", "has_more"),
]


@pytest.fixture(name="sim")
def paged_sim():
    with PagedSim(ROWS) as sim:
        yield sim


def paged(sim, style, **more):
    form = {"csv": {"format": "csv"}, "jsonl": {"format": {"jsonl": {"no_lines": "empty"}}}}.get(style, {"records": "/data"})
    window = {"size": "1h", "start": START.isoformat(), "end": (START + dt.timedelta(hours=HOURS)).isoformat(),
              "max_span": "6h", **more.pop("window", {})}
    made = job(f"{sim.url}/{style}", window=window, key=("id",), collection=style, **more)
    made["extract"] = {"http": {"url": f"{sim.url}/{style}",
                                "query": {"from": "{window.start}", "to": "{window.end}"},
                                "pagination": {**STYLES[style], "max_pages": 20}},
                       "time": {"field": "at"}, **form}
    return made


def check_exact(db, metadata, style):
    stored = sorted((int(d["id"]), int(d["v"])) for d in db[style].find())
    assert stored == [(r["id"], r["v"]) for r in ROWS]
    entries = list(metadata["windows"].find({"job": style}).sort("start"))
    assert [e["start"] for e in entries] == [START + dt.timedelta(hours=i) for i in range(HOURS)]
    assert [e["state"] for e in entries] == ["loaded"] * 5 + ["empty"]


@pytest.mark.parametrize("style", PagedSim.STYLES)
def test_a_style_loads_exactly(etld, sim, db, metadata, style):
    daemon = etld({style: paged(sim, style)}).start()
    run = daemon.run(style, ok=(0,)).json["run"]
    assert run["counts"]["inserted"] == len(ROWS)
    pages = [page for _, page in sim.asked]
    assert [part["pages"] for part in run["partitions"]] == [len(pages)]
    assert f"pages {len(pages)} " in " ".join(daemon.ctl("show", run["run_id"], output="table").out.split())
    ends_empty = style in ("page", "csv", "jsonl", "last_record")
    assert pages == list(range(1, PAGES + 1 + ends_empty))
    check_exact(db, metadata, style)


@pytest.mark.parametrize("bad, style, code, says", BAD)
def test_a_walk_without_a_proven_end(etld, sim, db, metadata, bad, style, code, says):
    sim.bad = bad
    daemon = etld({style: paged(sim, style, window={"size": "6h"})}).start()
    daemon.run(style, ok=(FAILED,))
    run = metadata["runs"].find_one({"job": style})
    (part,) = run["partitions"]
    assert part["error_code"] == code, part["reason"]
    assert says in part["reason"] and f"{sim.url}/{style}?" in part["reason"]
    (window,) = metadata["windows"].find({"job": style})
    assert window["state"] == "failed"
    assert db[style].count_documents({}) == 0
    sim.bad = None
    daemon.run(style, ok=(0,))
    assert db[style].count_documents({}) == len(ROWS)
    (window,) = metadata["windows"].find({"job": style})
    assert window["state"] == "loaded"


@pytest.mark.parametrize("style", ["cursor", "page"])
def test_killed_in_the_middle_of_a_walk(etld, sim, db, metadata, style):
    """Page 4 is on its way when etld is killed: no window of the first three is closed."""
    daemon = etld({style: paged(sim, style)}).start()
    sim.hold_at(4)
    asker = threading.Thread(target=daemon.ctl, args=("run", style), kwargs={"ok": range(256)})
    asker.start()
    wait_for(sim.held.is_set, "page 4 is asked for")
    daemon.kill9()
    asker.join()
    assert not list(metadata["windows"].find({"job": style, "state": {"$in": ["loaded", "empty"]}}))
    sim.release()
    daemon.start()
    daemon.run(style, ok=(0,))
    check_exact(db, metadata, style)


LARGE = [{"id": i, "at": "2024-05-01T00:00:00Z", "v": i, "text": "x" * 600} for i in range(60_000)]
# The process at rest, a run's share (8 MiB) and what goes with it: see test_memory.py.
PEAK_MIB = 48


def test_a_window_larger_than_memory_comes_in_pages(etld, db, metadata):
    """Its slices are loaded while pages come; a page that fails leaves the window open although rows of it
    are in, and so does a kill between pages. The next walk ends it, and nothing is there twice."""
    with PagedSim(LARGE, size=2000) as sim:
        made = paged(sim, "link", window={"end": (START + dt.timedelta(hours=1)).isoformat()})
        made["extract"]["http"]["pagination"]["max_pages"] = 100
        daemon = etld({"link": made}).start()
        sim.bad = "status_500"
        daemon.run("link", ok=(FAILED,))
        assert [e["state"] for e in metadata["windows"].find({"job": "link"})] == ["failed"]
        sim.bad = None
        sim.hold_at(28)
        asker = threading.Thread(target=daemon.ctl, args=("run", "link"), kwargs={"ok": range(256)})
        asker.start()
        wait_for(sim.held.is_set, "page 28 is asked for")
        wait_for(lambda: db["link"].count_documents({}) > 10_000, "slices are in")
        peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{daemon.pid}/status").read_text()).group(1))
        daemon.kill9()
        asker.join()
        assert [e["state"] for e in metadata["windows"].find({"job": "link"})] == ["running"]
        sim.release()
        daemon.start()
        # What a kill interrupted goes on by itself, or manually.
        daemon.run("link", ok=(0,))
    (run,) = metadata["runs"].find({"job": "link", "state": "ok", "partitions.pages": {"$gt": 0}})
    assert run["counts"]["in"] == len(LARGE) and run["partitions"][0]["pages"] == len(LARGE) // 2000
    print(f"peak {peak // 1024} MiB")
    assert peak // 1024 <= PEAK_MIB
    assert db["link"].count_documents({}) == len(LARGE) == len(db["link"].distinct("id"))
    assert [e["state"] for e in metadata["windows"].find({"job": "link"})] == ["loaded"]
