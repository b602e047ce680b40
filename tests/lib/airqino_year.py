# SPDX-License-Identifier: MIT
"""A year of the shipped AirQino example, loaded at once on a clock that stands: for the tests
that look at it or go on from there."""
import contextlib
import os

import airqino_truth as truth
from airqino_sim import AirqinoSim, epoch
from airqino_truth import DAY, iso
from etld import ROOT, Etld
from fakeclock import FakeClock
from wait import wait_for

YEAR_FILE = "airqino/283164601.json"
NOW = "2024-09-09T10:20:00Z"  # the captured year ends in this hour


def captured_year():
    """The captured year if it is at hand; else None, and the simulator generates one."""
    folder = os.environ.get("ETLD_TEST_DATA") or ROOT.parent / "shared" / "data"
    path = os.path.join(folder, YEAR_FILE)
    return path if os.path.exists(path) else None


def wait_clean(metadata, job, limit=240):
    """Until no window below the watermarks of `job` is marked any more."""
    def dirty():
        marks = {m["partition"]: m["last_processed"] for m in metadata.watermarks.find({"job_name": job})}
        return [e["start"] for e in metadata.windows.find({"job": job, "dirty": True})
                if e["end"] <= marks.get(e["partition"], e["end"])]
    wait_for(lambda: not dirty(), lambda: f"still marked: {dirty()[:5]}", limit)


class Year:
    """A year that was loaded once; the tests of this file look at it."""

    def __init__(self, etld, sim, clock, client, database, start):
        self.etld, self.sim, self.clock, self.start = etld, sim, clock, start
        self.db, self.metadata = client[database], client[f"{database}_metadata"]
        self.run = etld.run("airqino", limit=1200).json["run"]
        etld.run("airqino_daily", limit=1200)
        etld.wait_idle()
        wait_clean(self.metadata, "airqino_daily")
        self.end = truth.settled(NOW)
        self.days_end = self.end // DAY * DAY
        self.wanted = truth.hourly(sim, start, self.end)


@contextlib.contextmanager
def loaded_year(mongodb, client, name, folder):
    """A Year in the database `name`, which is dropped from a server that
    is not ours. `folder`: for the clock."""
    try:
        with AirqinoSim(data=captured_year(), now=NOW) as sim:
            sim.require_auth = True
            start = iso((epoch(sim.now) - 365 * DAY) // DAY * DAY)
            clock = FakeClock(folder, NOW, sim)
            with Etld.airqino(mongodb.uri, sim, start, database=name, prefix=clock.prefix) as etld:
                yield Year(etld, sim, clock, client, name, start)
    finally:
        # The stand-in takes a minute to drop a year, and its data goes with the session.
        for each in () if not mongodb.external else (name, f"{name}_metadata"):
            client.drop_database(each)
