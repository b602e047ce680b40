# SPDX-License-Identifier: MIT
"""The shipped example in small, from the first start to the stop: load, read again, reload,
a station that fails and comes back, with questions asked all the while. Short, and it touches
every thread of the daemon: packaging/check.sh runs it under the sanitizers too.
"""
import datetime as dt
import subprocess
import threading

import pytest

from airqino_sim import STATION_1, STATION_2
from flow import DAY, iso
from wait import wait_for

pytestmark = pytest.mark.daemon

DAYS = 2
QUESTIONS = (("status",), ("jobs",), ("runs",), ("windows", "airqino"), ("next", "airqino"),
             ("watermark", "show", "airqino"), ("why", "airqino"), ("why", "airqino", "--window", "2099-01-01"),
             ("simulate",), ("metrics",))


class Asker(threading.Thread):
    """Asks one thing after the other until told to stop; keeps what went wrong."""

    def __init__(self, etld):
        super().__init__()
        self.etld, self.asked, self.wrong, self.done = etld, 0, [], threading.Event()

    def run(self):
        while not self.done.is_set():
            question = QUESTIONS[self.asked % len(QUESTIONS)]
            answer = self.etld.ctl(*question, ok=None)
            self.asked += 1
            if answer.code != 0:
                self.wrong.append((question, answer))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def follow(etld, job):
    """etlctl run --wait as a person sees it, with its progress; many at once."""
    return subprocess.Popen(
        [str(etld.build / "etlctl"), "--socket", str(etld.control), "run", job, "--wait"], env=etld.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def days_back():
    """The last whole days, and the end of the last: its hours are final, also soon after midnight. The
    service has gaps of days now and then."""
    final = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=2)
    today = final.replace(hour=0, minute=0, second=0, microsecond=0)
    return [today - (DAYS - i) * DAY for i in range(DAYS + 1)]


def test_a_small_load_from_start_to_stop(airqino_etld, sim, db, metadata):
    days = days_back()
    etld = airqino_etld(iso(days[0]))
    etld.edit_job("airqino", "retry: {max: 3, backoff: 30s", "retry: {max: 1, backoff: 50ms")
    etld.edit_job("airqino", "max_span: 30d", "max_span: 6h")
    sim.fault("status", code=500, times=4, station=STATION_2)
    etld.start()
    with Asker(etld) as asker:
        followers = [follow(etld, "airqino") for _ in range(3)]
        for follower in followers:
            out, _ = follower.communicate(timeout=120)
            assert follower.returncode in (0, 1), out  # 1: the station that fails at first
        etld.reload()
        wait_for(lambda: etld.run("airqino", ok=(0, 1)).code == 0, etld.stderr_tail)
        etld.run("airqino_daily")
        for station in (STATION_1, STATION_2):
            loaded = db.hourly_averages.count_documents(
                {"station_id": station, "timestamp": {"$lt": days[-1]}})
            assert loaded == len(sim.truth(station, iso(days[0]), iso(days[-1])))
        newest = db.hourly_averages.distinct("timestamp")
        etld.run("airqino")
        assert db.hourly_averages.distinct("timestamp")[:len(newest)] == newest
    assert asker.asked > len(QUESTIONS) and not asker.wrong, asker.wrong[:3]
    assert db.daily_averages.count_documents({}) == sum(
        bool(sim.truth(station, iso(day), iso(day + DAY)))
        for station in (STATION_1, STATION_2) for day in days[:-1])
    etld.wait_idle()
    last = metadata.runs.find_one({"job": "airqino", "state": "ok"}, sort=[("started", -1)])
    assert last["counts"]["updated"] == last["counts"]["inserted"] == 0
    assert etld.stop() == 0
