# SPDX-License-Identifier: MIT
"""10,000 jobs: checked and started in seconds, asked in a moment, and idle without waking.
What it measured is printed: `make check-system TESTS="-s -k many_jobs"`."""
import json
import pathlib
import socket
import time

import pytest

from promtext import parse
from wait import wait_for

pytestmark = pytest.mark.alone

JOBS = 10_000
CHECK_SECONDS = 30
START_SECONDS = 30
STATUS_SECONDS = 10
WATCH_SECONDS = 4
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


def leave_in_the_middle(daemon, method):
    """Asks, and is gone before the answer is made."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(daemon.control))
        client.sendall(json.dumps({"method": f"io.etld.Control.{method}"}).encode() + b"\0")


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


@pytest.mark.slow
def test_ten_thousand(etld):
    daemon = etld({f"job{number:05}": yearly(number) for number in range(JOBS)})
    begun = time.monotonic()
    checked = daemon.check()
    check_took = time.monotonic() - begun
    assert checked.code == 0, checked
    assert f"{JOBS} jobs" in checked.out
    begun = time.monotonic()
    daemon.start()
    start_took = time.monotonic() - begun
    rss_started, _ = facts(daemon.pid)
    begun = time.monotonic()
    status = daemon.status()
    status_took = time.monotonic() - begun
    assert len(status["jobs"]) == JOBS
    assert all(job["next"] for job in status["jobs"])
    one = daemon.ctl("status", "job00042").json
    assert [job["name"] for job in one["jobs"]] == ["job00042"]
    rss, before = facts(daemon.pid)
    turns = daemon.ctl("status", "job00042").json["daemon"]["loop_turns"]
    # Nothing is expected to happen; another process's seconds pass meanwhile.
    until = time.monotonic() + WATCH_SECONDS
    wait_for(lambda: time.monotonic() > until, "the clock", WATCH_SECONDS + 5)
    later = daemon.ctl("status", "job00042").json["daemon"]["loop_turns"]
    after = facts(daemon.pid)[1]
    print(f"{JOBS} jobs: check {check_took:.2f} s, start {start_took:.2f} s, status {status_took:.2f} s, "
          f"RSS {rss_started} KiB, {rss} after status, {later - turns} loop turns and {after - before} switches in {WATCH_SECONDS} s")
    assert check_took < CHECK_SECONDS
    assert start_took < START_SECONDS
    assert status_took < STATUS_SECONDS
    assert later - turns < HANDFUL
    assert after - before < 2 * HANDFUL
    assert daemon.stop() == 0
