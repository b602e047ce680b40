# SPDX-License-Identifier: MIT
"""The shipped AirQino job against the simulator: a year at once, and hour by hour.

The wall clock is one that the test sets. All that is stored is compared with what the simulator
says is final, row by row.
"""
import datetime as dt
import os
import random

import pytest

import airqino_truth as truth
from airqino_sim import HOUR, STATION_1, STATION_2, AirqinoSim, epoch, utc
from airqino_truth import DAY, STATIONS_BOTH, iso
from airqino_year import captured_year, loaded_year
from etld import Etld
from fakeclock import FakeClock


@pytest.fixture(scope="module")
def year(mongodb, mongo_client, tmp_path_factory):
    with loaded_year(mongodb, mongo_client, f"year_{os.getpid()}", tmp_path_factory.mktemp("clock")) as loaded:
        yield loaded


@pytest.mark.daemon
class TestAYearAtOnce:
    def test_every_final_hour_is_stored_once_and_right(self, year):
        assert len(year.wanted) > 10000
        truth.assert_same_rows(truth.stored(year.db.hourly_averages), year.wanted)

    def test_the_open_and_the_unsettled_hours_are_absent(self, year):
        assert year.db.hourly_averages.count_documents({"timestamp": {"$gte": utc(year.end)}}) == 0
        assert year.metadata.windows.count_documents({"job": "airqino", "end": {"$gt": utc(year.end)}}) == 0

    def test_the_stations_are_never_mixed(self, year):
        """Equal values in the same hour would hide a mix-up."""
        one = {at: row for (s, at), row in year.wanted.items() if s == STATION_1}
        both = [(one[at], row) for (s, at), row in year.wanted.items() if s == STATION_2 and at in one]
        assert len(both) > 3000 and all(a["pm2_5"] != b["pm2_5"] for a, b in both)
        for station, name in ((STATION_1, "SMART188"), (STATION_2, "SMART189")):
            rows = year.db.hourly_averages
            assert rows.distinct("station_name", {"station_id": station}) == [name]
            assert rows.distinct("longitude", {"station_id": station}) == [truth.LONGITUDES[station]]

    def test_names_and_types_are_those_of_the_configuration(self, year):
        row = year.db.hourly_averages.find_one({"t_int_raw": {"$exists": True}})
        assert not {"PM2.5", "T. int.", "PM2", "T"} & set(row) - {"T"}
        assert isinstance(row["timestamp"], dt.datetime)
        for field in ("CO", "pm2_5", "longitude"):
            wrong = year.db.hourly_averages.count_documents({field: {"$exists": True, "$not": {"$type": "double"}}})
            assert wrong == 0, field

    @pytest.mark.parametrize("station", STATIONS_BOTH)
    def test_the_ledger_has_each_window_once(self, year, station):
        loaded = {at for s, at in year.wanted if s == station}
        truth.assert_ledger(year.metadata, "airqino", station, year.start, year.end, loaded)

    def test_gaps_are_known_and_no_failures(self, year):
        hours = (year.end - epoch(year.start)) // HOUR * 2
        assert year.run["state"] == "ok" and year.run["windows"]["failed"] == 0
        assert year.run["windows"]["loaded"] == len(year.wanted)
        assert year.run["windows"]["empty"] == hours - len(year.wanted) > 100
        assert year.run["counts"]["inserted"] == len(year.wanted)
        assert year.metadata.dead_letters.count_documents({}) == 0

    def test_daily_means_are_those_of_an_own_computation(self, year):
        wanted = truth.daily(year.wanted, year.days_end)
        assert len(wanted) > 600
        truth.assert_same_means(truth.stored(year.db.daily_averages), wanted)

    @pytest.mark.parametrize("station", STATIONS_BOTH)
    def test_the_daily_ledger_has_each_day_once(self, year, station):
        loaded = {at.replace(hour=0) for s, at in year.wanted if s == station}
        truth.assert_ledger(year.metadata, "airqino_daily", station, year.start, year.days_end, loaded, DAY)


class HourByHour:
    """A daemon whose clock is set manually; after each step all is compared."""

    def __init__(self, clock, etld, sim, db, metadata, start, settle):
        self.clock, self.etld, self.sim, self.db, self.metadata = clock, etld, sim, db, metadata
        self.start, self.settle = start, settle

    def end(self):
        return truth.settled(self.clock.now, self.settle)

    def step(self, to):
        """Sets the clock, runs the hourly job, and looks at what is loaded."""
        self.clock.set(to)
        self.etld.run("airqino")
        end = self.end()
        found = {(d["station_id"], d["timestamp"]) for d in self.db.hourly_averages.find(
            {"timestamp": {"$gte": utc(end - 6 * HOUR)}}, {"station_id": 1, "timestamp": 1})}
        wanted = {(s, utc(r["timestamp"])) for s in STATIONS_BOTH
                  for r in self.sim.truth(s, max(end - 6 * HOUR, epoch(self.start)), end)}
        assert found == wanted, f"at {self.clock.now}: {sorted(found ^ wanted)}"

    def compare_all(self):
        self.etld.wait_idle()
        end = self.end()
        wanted = truth.hourly(self.sim, self.start, end)
        truth.assert_same_rows(truth.stored(self.db.hourly_averages), wanted)
        for station in STATIONS_BOTH:
            loaded = {at for s, at in wanted if s == station}
            truth.assert_ledger(self.metadata, "airqino", station, self.start, end, loaded)
        return wanted


    def test_the_day_that_is_not_over_is_nobodys_debt(self, year):
        """Its hours have marked it, but until it is over it is not listed as wanting attention."""
        assert year.metadata.windows.count_documents({"job": "airqino_daily", "state": "pending"}) > 0
        assert year.etld.windows("airqino_daily") == []


@pytest.fixture
def hour_by_hour(mongodb, database, db, metadata, tmp_path):
    """Makes an HourByHour that begins at `start`, with an own simulator."""
    made = []

    def make(start, settle=truth.SETTLE, edit=()):
        sim = AirqinoSim(data=captured_year(), now=start).start()
        clock = FakeClock(tmp_path, start, sim)
        etld = Etld.airqino(mongodb.uri, sim, start, database=database, prefix=clock.prefix)
        made.extend((etld.close, sim.stop))
        for old, new in edit:
            etld.edit_job("airqino", old, new)
        etld.start()
        etld.ctl("pause", "airqino_daily")  # its runs after every hour would double the work
        return HourByHour(clock, etld, sim, db, metadata, start, settle)
    yield make
    for end in made:
        end()


@pytest.mark.daemon
@pytest.mark.slow
def test_hour_by_hour_for_twenty_days(hour_by_hour):
    """At every hour of 20 days exactly the settled hours are there, whatever minute it is."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    start = utc("2024-03-10T00:00:00Z")
    world = hour_by_hour(iso(start))
    for hour in range(2, 20 * 24 + 3):
        world.step(start + dt.timedelta(hours=hour, minutes=dice.randrange(60), seconds=dice.randrange(60)))
        if hour % 48 == 0:
            world.compare_all()
    wanted = world.compare_all()
    world.etld.ctl("resume", "airqino_daily")
    world.etld.run("airqino_daily")
    world.etld.wait_idle()
    means = truth.daily(wanted, world.end() // DAY * DAY)
    assert len(means) > 20
    truth.assert_same_means(truth.stored(world.db.daily_averages), means)


@pytest.mark.daemon
def test_the_open_hour_is_never_closed_early(hour_by_hour):
    """Without a settling time each request reaches to the open hour, which the service serves
    with another value at every call."""
    start = utc("2024-03-10T00:00:00Z")
    world = hour_by_hour(iso(start), settle=0, edit=[("settle: 70m", "settle: 0s")])
    for minute in range(61, 36 * 60, 20):
        world.step(start + dt.timedelta(minutes=minute))
    assert world.sim.open_calls > 100, "the open hour was never served: the test proves nothing"
    world.compare_all()
