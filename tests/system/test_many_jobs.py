# SPDX-License-Identifier: MIT
"""10,000 jobs: checked, started and asked at the price of ten times a thousand, and idle without
waking. What it measured is printed: `make check-system TESTS="-s -k many_jobs"`."""
import json
import pathlib
import resource
import socket
import time

import pytest

from promtext import parse
from wait import wait_for

pytestmark = pytest.mark.alone

JOBS = 10_000
FEW = 1_000
# Ten times the jobs may cost so many times the processor's seconds, which a busy machine does not
# change: what looks at every job for every job would cost a hundred times as many.
COST_RATIO = 25
WATCH_SECONDS = 4
# The first slot of each job is written in one go, which the stand-in for MongoDB takes long for.
STOP_SECONDS = 600
HANDFUL = 20


def facts(pid):
    """(RSS in KiB, voluntary context switches of all threads)"""
    rss = 0
    switches = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmRSS":
                rss = int(value.split()[0])
            if name == "voluntary_ctxt_switches":
                switches += int(value)
    return rss, switches


def is_settled(daemon, job="job00042"):
    """Nothing waits to be stored, and no worker is busy with it."""
    told = daemon.ctl("status", job).json["daemon"]
    return not told["unsaved"]["entries"] and not told["workers"]["busy"]


def cpu_seconds(pid):
    """What the process has used of the processor."""
    return sum(int((thread / "schedstat").read_text().split()[0])
               for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cost_of(daemon, jobs):
    """Seconds of the processor to check, to start, to answer status; the daemon goes on."""
    before = children_seconds()
    checked = daemon.check()
    check = children_seconds() - before
    assert checked.code == 0, checked
    assert f"{jobs} jobs" in checked.out
    daemon.start()
    start = cpu_seconds(daemon.pid)
    status = daemon.status()
    assert len(status["jobs"]) == jobs
    assert all(job["next"] for job in status["jobs"])
    return {"check": check, "start": start, "status": cpu_seconds(daemon.pid) - start}


def yearly(number):
    """A job that runs once a year, months away from any day on which this test may run."""
    month = (time.gmtime().tm_mon + 5) % 12 + 1
    return json.dumps({
        "schedule": {"cron": f"{number % 60} {number // 60 % 24} {number // 1440 % 28 + 1} {month} *"},
        "partitions": {"station": ["1", "2"]},
        "window": {"size": "1h", "settle": "70m", "start": "2026-03-02T00:00:00Z"},
        "extract": {"http": {"url": "http://127.0.0.1:1/{station}", "records": "/data",
                             "time": {"field": "t", "format": "%Y-%m-%d", "timezone": "UTC"}}},
        "transform": [{"rename": {"a": "b"}}, {"set": {"station": "{station}"}}],
        "load": {"mongodb": {"collection": "c", "mode": "upsert", "key": ["station", "t"]}},
    })


def leave_in_the_middle(daemon, method, **parameters):
    """Asks, and is gone before the answer is made."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(daemon.control))
        client.sendall(json.dumps({"method": f"io.etld.Control.{method}", "parameters": parameters}).encode() + b"\0")


def loop_turns(daemon):
    return daemon.ctl("status", "job01042").json["daemon"]["loop_turns"]


def test_a_long_answer_is_made_in_pieces(etld):
    """A thousand jobs are more than one turn of the loop looks at. Who leaves meanwhile is let
    go; jobs that leave meanwhile are passed over."""
    names = [f"job{number:05}" for number in range(1000)]
    daemon = etld({name: yearly(number) for number, name in enumerate(names)})
    daemon.start()
    turns = daemon.ctl("status", "job00042").json["daemon"]["loop_turns"]
    status = daemon.status()
    assert [job["name"] for job in status["jobs"]] == names
    assert status["daemon"]["loop_turns"] > turns + 8
    assert [job["name"] for job in daemon.ctl("jobs").json["jobs"]] == names
    assert parse(daemon.ctl("metrics", output="table").out)["etld_jobs"].total() == len(names)
    for method in ("Status", "Jobs", "Metrics") * 10:
        leave_in_the_middle(daemon, method)
    for name in names[:500]:
        daemon.remove_job(name)
    leave_in_the_middle(daemon, "Status")
    assert daemon.ctl("reload").code == 0
    assert [job["name"] for job in daemon.status()["jobs"]] == names[500:]
    assert daemon.stop() == 0


def grouped(number):
    return json.dumps({**json.loads(yearly(number)), "group": "herd"})


@pytest.mark.slow
def test_a_graph_and_a_group_of_thousands(etld):
    """Made and paused in pieces: turns of the loop lie between, in which others are answered. Who
    leaves takes no half of the group along; a reload in the middle confuses nothing."""
    names = [f"job{number:05}" for number in range(2000)]
    herd = names[:800]
    daemon = etld({name: grouped(number) if name in herd else yearly(number) for number, name in enumerate(names)})
    daemon.write_job("last", json.dumps({**json.loads(yearly(1)), "after": [names[0]]}))
    daemon.start()
    turns = loop_turns(daemon)
    graph = daemon.ctl("graph").json
    assert loop_turns(daemon) > turns + 8
    assert sorted(node["name"] for node in graph["nodes"]) == [*names, "last"]
    assert graph["edges"] == [{"from": names[0], "to": "last"}]
    assert [n["name"] for n in graph["nodes"] if n["depth"]] == ["last"]

    turns = loop_turns(daemon)
    paused = daemon.ctl("pause", "--group", "herd", "--reason", "moves").json
    assert loop_turns(daemon) > turns + 6
    assert [job["job"] for job in paused["jobs"]] == herd and all(job["changed"] for job in paused["jobs"])
    jobs = daemon.jobs()
    assert {name for name, job in jobs.items() if job["paused"]} == set(herd)

    leave_in_the_middle(daemon, "Resume", group="herd")
    wait_for(lambda: not any(job["paused"] for job in daemon.jobs().values()), "all of them go on", 600)
    for name in [*names[:400], "last"]:
        daemon.remove_job(name)
    leave_in_the_middle(daemon, "Graph")
    leave_in_the_middle(daemon, "Pause", group="herd")
    assert daemon.ctl("reload").json["jobs"] == 1600
    assert [n["name"] for n in daemon.ctl("graph").json["nodes"]] == names[400:]
    assert daemon.stop(STOP_SECONDS) == 0


@pytest.mark.slow
def test_ten_thousand(etld):
    few = etld({f"job{number:05}": yearly(number) for number in range(FEW)})
    few_cost = cost_of(few, FEW)
    assert few.stop(STOP_SECONDS) == 0
    daemon = etld({f"job{number:05}": yearly(number) for number in range(JOBS)})
    cost = cost_of(daemon, JOBS)
    one = daemon.ctl("status", "job00042").json
    assert [job["name"] for job in one["jobs"]] == ["job00042"]
    wait_for(lambda: is_settled(daemon), "the slots of a start on record", 600)
    rss, before = facts(daemon.pid)
    turns = daemon.ctl("status", "job00042").json["daemon"]["loop_turns"]
    # Nothing is expected to happen; another process's seconds pass meanwhile.
    until = time.monotonic() + WATCH_SECONDS
    wait_for(lambda: time.monotonic() > until, "the clock", WATCH_SECONDS + 600)
    later = daemon.ctl("status", "job00042").json["daemon"]["loop_turns"]
    after = facts(daemon.pid)[1]
    for what, seconds in cost.items():
        print(f"{what}: {few_cost[what]:.3f} s of the processor for {FEW} jobs, {seconds:.3f} s for {JOBS}")
    print(f"RSS {rss} KiB, {later - turns} loop turns and {after - before} switches in {WATCH_SECONDS} s")
    for what, seconds in cost.items():
        assert seconds < COST_RATIO * few_cost[what], (what, cost, few_cost)
    assert later - turns < HANDFUL
    assert after - before < 2 * HANDFUL
    assert daemon.stop(STOP_SECONDS) == 0


# What a job costs in memory, and what ten reloads may add to all of it: a reload once left a
# configuration's worth of holes in the heap, and ten of them twice that.
JOB_KIB = 6.2
RELOADED_KIB = 4096
RELOADS = 10


def test_memory_of_a_job_and_of_reloads(etld):
    one = etld({"job00000": yearly(0)})
    one.start()
    wait_for(lambda: is_settled(one, "job00000"), "the slot of a start on record")
    alone = facts(one.pid)[0]
    assert one.stop(STOP_SECONDS) == 0
    daemon = etld({f"job{number:05}": yearly(number) for number in range(FEW)})
    daemon.start()
    wait_for(lambda: is_settled(daemon), "the slots of a start on record", 600)
    begun = facts(daemon.pid)[0]
    for _ in range(RELOADS):
        daemon.ctl("reload")
    wait_for(lambda: is_settled(daemon), "what a reload reads", 600)
    reloaded = facts(daemon.pid)[0]
    print(f"RSS {alone} KiB with a job, {begun} with {FEW}, {reloaded} after {RELOADS} reloads")
    assert (begun - alone) / FEW < JOB_KIB
    assert reloaded - begun < RELOADED_KIB
