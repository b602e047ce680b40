# SPDX-License-Identifier: MIT
"""The wall clock is set while the real daemon runs. The machine's own clock is never touched:
the daemon's is fakeclock.c's or libfaketime's, and clockstep.c tells it as the kernel would.

Whatever the clock does, each slot has run or is on record, none runs twice, and no window is
closed ahead of the store's clock, which goes on in its own time.
"""
import datetime as dt
import threading

import pymongo
import pytest

from etld import Etld
from fakeclock import FakeClock, FakeTime
from test_jobs_other import Api
from test_journal import ID, events
from wait import wait_for

pytestmark = [pytest.mark.daemon, pytest.mark.alone]

HOUR = dt.timedelta(hours=1)
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
FAST = 1440  # a day in a minute


def utcnow():
    return dt.datetime.now(dt.timezone.utc)


def half_past(hours_ago):
    """An instant between two slots, behind the store's clock."""
    return utcnow().replace(minute=0, second=0, microsecond=0) - hours_ago * HOUR + HOUR / 2


def hour_rows(path, query, headers):
    """One row for each hour that is asked for."""
    at, end = (dt.datetime.strptime(query[name], FORMAT) for name in ("from", "to"))
    rows = []
    while at < end:
        rows.append({"at": at.strftime(FORMAT)})
        at += HOUR
    return 200, rows


def hourly(url, start, **schedule):
    return {"schedule": {"cron": "0 * * * *", **schedule}, "retry": {"max": 0},
            "window": {"size": "1h", "start": start.strftime(FORMAT), "max_span": "1d"},
            "extract": {"http": {"url": url, "time": {"field": "at"},
                                 "query": {"from": "{window.start}", "to": "{window.end}"}}},
            "load": {"mongodb": {"collection": "out", "mode": "upsert", "key": ["at"]}}}


class Story:
    """A daemon on a fake clock, the hours that it asks for, and what its store says."""

    def __init__(self, folder, mongodb, database, client, start, schedules=None, prefix=(), answer=hour_rows,
                 clock=None, **options):
        self.api = Api(answer)
        self.clock = clock or FakeClock(folder, start)
        self.runs_of = client[f"{database}_metadata"].runs
        self.windows = client[f"{database}_metadata"].windows
        jobs = {name: hourly(f"{self.api.url}/{name}", start - 3 * HOUR, **schedule)
                for name, schedule in (schedules or {"j": {}}).items()}
        options.setdefault("uri", mongodb.uri)
        self.etld = Etld(jobs=jobs, database=database, prefix=[*prefix, *self.clock.prefix], **options)

    def __enter__(self):
        self.api.__enter__()
        self.etld.start()
        return self

    def __exit__(self, *_):
        self.etld.close()
        self.api.__exit__()

    def slots(self, job="j"):
        """Slots that ran, the oldest first; none of them twice."""
        ran = [run["slot"] for run in self.runs_of.find(
            {"job": job, "slot": {"$exists": True}, "state": {"$ne": "skipped"}}).sort("slot")]
        assert len(ran) == len(set(ran)), ran
        return ran

    def skips(self, job="j"):
        """[(first slot, last slot, how many, code)] of those on record that do not run."""
        return [(doc["slot_first"], doc["slot"], doc.get("slots"), doc["code"]) for doc in
                self.runs_of.find({"job": job, "state": "skipped"}).sort("slot_first")]

    def wait_slots(self, *slots, job="j"):
        wait_for(lambda: self.slots(job) == sorted(slots),
                 lambda: f"{slots} of {job}: {self.slots(job)}, {self.skips(job)}\n{self.etld.stderr_tail()}")

    def wait_skips(self, *skips, job="j"):
        wait_for(lambda: self.skips(job) == list(skips),
                 lambda: f"{skips} of {job}: {self.skips(job)}, {self.slots(job)}\n{self.etld.stderr_tail()}")

    def next(self, job="j"):
        return dt.datetime.strptime(self.etld.jobs()[job]["next"], FORMAT).replace(tzinfo=dt.timezone.utc)

    def step(self, to):
        """The clock is set. Returns when the daemon has planned again."""
        before = len(self.told())
        self.clock.step(to)
        wait_for(lambda: len(self.told()) > before, lambda: f"the step\n{self.etld.stderr_tail()}")

    def told(self):
        return self.etld.log(MESSAGE_ID=ID["CLOCK_STEPPED"])

    def closed_ahead(self):
        """Windows that were closed before they were over by the store's clock."""
        return list(self.windows.find({"state": {"$in": ["loaded", "empty"]}, "end": {"$gt": utcnow()}}))


@pytest.fixture
def story(tmp_path, mongodb, database, mongo_client):
    made = []

    def make(start, schedules=None, **options):
        made.append(Story(tmp_path, mongodb, database, mongo_client, start, schedules, **options))
        return made[-1].__enter__()
    yield make
    for each in made:
        each.__exit__()


def test_forward_over_several_slots(story):
    """Three slots are jumped over: the misfire rule of each job says what becomes of them."""
    start = half_past(8)
    tale = story(start, {"latest": {}, "each": {"misfire": "run_each"}, "skips": {"misfire": "skip"}})
    first, second, third = (start + (n - 0.5) * HOUR for n in (1, 2, 3))
    tale.step(start + 3 * HOUR)
    tale.wait_slots(third, job="latest")
    tale.wait_skips((first, second, 2, "misfire"), job="latest")
    tale.wait_slots(first, second, third, job="each")
    tale.wait_skips((first, third, 3, "misfire"), job="skips")
    assert tale.skips("each") == [] and tale.slots("skips") == []
    assert {tale.next(job) for job in ("latest", "each", "skips")} == {third + HOUR}


def test_back_by_an_hour(story):
    """Slots that ran come by a second time: they do not run again, and are nothing to record."""
    start = half_past(8)
    slot = start + HOUR / 2
    tale = story(start)
    tale.step(start + HOUR)
    tale.wait_slots(slot)
    tale.step(start)
    assert tale.next() == slot + HOUR
    tale.step(slot)  # the hour goes on, onto the slot and past it
    tale.step(start + HOUR)
    tale.step(slot + HOUR + dt.timedelta(seconds=1))
    tale.wait_slots(slot, slot + HOUR)
    assert tale.skips() == []


def test_onto_a_slot(story):
    """Set to the very instant of a slot: it runs, once, also when it is set there again."""
    start = half_past(8)
    slot = start + HOUR / 2
    tale = story(start)
    tale.step(slot - dt.timedelta(seconds=1))
    assert tale.slots() == []
    tale.step(slot)
    tale.wait_slots(slot)
    tale.step(slot)
    tale.step(slot + dt.timedelta(seconds=1))
    tale.step(slot)
    assert tale.next() == slot + HOUR
    tale.step(slot + HOUR)
    tale.wait_slots(slot, slot + HOUR)
    assert tale.skips() == []


def test_ten_years_ahead_and_back(story):
    """A clock that was set wrong and right again: what it decided is on record as such, the job
    goes on, and no window was closed that is not over by the store's clock."""
    start = half_past(4)
    later = start.replace(year=start.year + 10)
    tale = story(start)
    tale.step(later)
    wait_for(lambda: len(tale.slots()) == 1, tale.etld.stderr_tail)
    decided = tale.slots()[0]
    assert later - HOUR < decided <= later
    tale.etld.wait_idle()
    assert not tale.closed_ahead()
    before = tale.skips()
    assert len(before) == 1 and before[0][3] == "misfire" and before[0][0] == start + HOUR / 2
    tale.step(start)
    wait_for(lambda: (start, decided, None, "clock") in tale.skips(), lambda: f"{tale.skips()}")
    assert tale.next() == start + HOUR / 2
    tale.step(start + HOUR)
    tale.wait_slots(decided, start + HOUR / 2)
    assert not tale.closed_ahead()
    told = tale.etld.log(MESSAGE_ID=ID["SLOTS_SKIPPED"])
    assert [entry["ETL_REASON"] for entry in told][1].startswith("decided by a clock that was ahead")


def test_the_next_start_survives_a_clock_that_was_ahead(story):
    """etld ends while its clock is ten years ahead, and starts with a right one."""
    start = half_past(4)
    tale = story(start)
    tale.step(start.replace(year=start.year + 10))
    wait_for(lambda: len(tale.slots()) == 1, tale.etld.stderr_tail)
    decided = tale.slots()[0]
    tale.etld.wait_idle()
    tale.etld.stop()
    tale.clock.set(start)
    tale.etld.start()
    wait_for(lambda: (start, decided, None, "clock") in tale.skips(), lambda: f"{tale.skips()}")
    tale.step(start + HOUR)
    tale.wait_slots(decided, start + HOUR / 2)


class Slow:
    """A service that answers when it is let."""

    def __init__(self):
        self.hold, self.asked = threading.Event(), threading.Event()

    def __call__(self, path, query, headers):
        self.asked.set()
        self.hold.wait(30)
        return hour_rows(path, query, headers)


def test_while_a_run_is_going(story):
    """Forward and back under a run: it ends as it began, its slot is not given twice, and the
    slots that were jumped over meanwhile are decided once."""
    start = half_past(8)
    slow = Slow()
    tale = story(start, answer=slow)
    first = start + HOUR / 2
    try:
        tale.step(start + HOUR)
        assert slow.asked.wait(20)
        tale.step(start + 3 * HOUR)
        tale.step(start)
        tale.step(start + 3 * HOUR)
    finally:
        slow.hold.set()
    tale.wait_slots(first, first + 2 * HOUR)
    tale.wait_skips((first + HOUR, first + HOUR, 1, "misfire"))
    tale.etld.wait_idle()
    runs = list(tale.runs_of.find({"job": "j", "state": {"$ne": "skipped"}}))
    assert [run["state"] for run in runs] == ["ok", "ok"]


def test_lengths_are_none_of_the_wall_clock(story):
    """A run under which the clock goes back by an hour takes as long as it took; neither it, nor
    the daemon's uptime, nor a watermark's lag is told as negative, nor as hours."""
    start = half_past(8)
    slow = Slow()
    tale = story(start, answer=slow)
    try:
        tale.step(start + HOUR)
        assert slow.asked.wait(20)
        tale.step(start - 3 * HOUR)
    finally:
        slow.hold.set()
    tale.wait_slots(start + HOUR / 2)
    tale.etld.wait_idle()
    run = tale.runs_of.find_one({"job": "j"})
    assert run["ended"] < run["started"] and 0 <= run["duration_ms"] < HOUR.total_seconds() * 1000 / 2
    entry = tale.etld.wait_log(MESSAGE_ID=ID["RUN_FINISHED"])
    assert 0 <= entry["ETL_DURATION_US"] // 1000 <= run["duration_ms"] + 60_000
    status = tale.etld.status()
    assert 0 <= status["daemon"]["uptime_s"] < HOUR.total_seconds() / 2
    assert [mark["lag_s"] for mark in status["jobs"][0]["watermarks"]] == [0]
    assert [mark["lag_s"] for mark in tale.etld.ctl("watermark", "show", "j").json["watermarks"]] == [0]
    metrics = tale.etld.ctl("metrics", output="table").out
    values = [line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#")]
    assert not [line for line in values if float(line[1]) < 0]


def test_while_mongodb_is_away(story, own_mongodb, mongo_client):
    """Nothing is decided without the store; what was jumped over is decided when it is back."""
    start = half_past(8)
    with pymongo.MongoClient(own_mongodb.uri, tz_aware=True) as client:
        tale = story(start, uri=own_mongodb.uri)
        name = tale.runs_of.database.name
        own_mongodb.kill9()
        wait_for(lambda: (tale.etld.ctl("run", "j", "--wait", ok=None), tale.etld.log(MESSAGE_ID=ID["MONGODB_DOWN"]))[1],
                 tale.etld.stderr_tail, 240)
        tale.step(start + 3 * HOUR)
        tale.step(start + 2 * HOUR)
        own_mongodb.restart()
        tale.runs_of = client[name].runs
        tale.wait_slots(start + 1.5 * HOUR)
        tale.wait_skips((start + HOUR / 2, start + HOUR / 2, 1, "misfire"))
        tale.step(start + 3 * HOUR)
        tale.wait_slots(start + 1.5 * HOUR, start + 2.5 * HOUR)


@pytest.mark.journal
def test_the_journal_tells(story, jbox):
    start = half_past(8)
    tale = story(start, prefix=jbox.prefix, env={"ETLD_LOG": "journal"})
    tale.told = lambda: events(jbox, "CLOCK_STEPPED")
    tale.step(start + 2 * HOUR)
    tale.wait_slots(start + 1.5 * HOUR)
    tale.step(start)
    entries = events(jbox, "CLOCK_STEPPED")
    assert len(entries) == 2 and all(entry["PRIORITY"] == "5" for entry in entries)
    skipped = wait_for(lambda: events(jbox, "SLOTS_SKIPPED", "ETL_JOB=j"), tale.etld.stderr_tail)
    assert len(skipped) == 1 and skipped[0]["ETL_SLOTS"] == "1"


# ---- libfaketime ---------------------------------------------------------------------------

@pytest.fixture
def faketime(tmp_path):
    def make(offset, rate=None, **options):
        try:
            return FakeTime(tmp_path, offset, rate, **options)
        except FileNotFoundError as error:
            pytest.skip(f"no libfaketime here: {error}")
    return make


@pytest.mark.parametrize("hours", [3, -3])
def test_libfaketime_jumps(story, faketime, hours):
    """Three hours, forward or back, on a clock that goes on. An hour's timer is set meanwhile."""
    base = dt.timedelta(days=-1)
    clock = faketime(base)
    start = half_past(24)
    tale = story(clock.now, clock=clock)
    to = start - clock.now + base  # half past, so that no slot comes by itself
    tale.step(to)
    slot = start + HOUR / 2
    assert tale.slots() == [] and tale.next() == slot
    tale.step(to + hours * HOUR)
    if hours > 0:
        tale.wait_slots(slot + 2 * HOUR)
        tale.wait_skips((slot, slot + HOUR, 2, "misfire"))
        assert tale.next() == slot + 3 * HOUR
    else:
        assert tale.next() == slot  # the three hours are waited out
        tale.step(to + HOUR)
        tale.wait_slots(slot)
        assert tale.skips() == []


def test_libfaketime_suspends(story, faketime):
    """All clocks move by three hours at once and nobody is told, as after a suspend. There the
    kernel ends the wait as soon as the machine is back; here a question does."""
    base = half_past(24) - utcnow()
    clock = faketime(base, monotonic=True)
    tale = story(clock.now, clock=clock)
    slot = tale.next()
    clock.set(base + 3 * HOUR)
    tale.etld.status()
    tale.wait_slots(slot + 2 * HOUR)
    tale.wait_skips((slot, slot + HOUR, 2, "misfire"))
    assert tale.next() == slot + 3 * HOUR and not tale.told()
    assert tale.etld.status()["daemon"]["mongodb"]["state"] == "up"


@pytest.mark.slow
def test_libfaketime_runs_a_day_in_a_minute(story, faketime, mongodb):
    """All clocks run 1440 times as fast: the loop, its workers, the driver and curl. An hourly
    job runs each of its slots by its timer."""
    clock = faketime(dt.timedelta(days=-1), FAST)
    limits = "&".join(f"{name}TimeoutMS=36000000" for name in ("serverSelection", "connect", "socket"))
    uri = f"{mongodb.uri}{'&' if '?' in mongodb.uri else '/?'}{limits}"
    tale = story(utcnow() - dt.timedelta(days=1), clock=clock, uri=uri, config={"http": {"timeout": "1h"}})

    def all_accounted_for():
        slots = tale.slots()
        passed_over = sum(skip[2] for skip in tale.skips())  # a machine that stood still for two seconds
        return len(slots) >= 23 and (slots[-1] - slots[0]) / HOUR + 1 == len(slots) + passed_over
    wait_for(all_accounted_for, lambda: f"{tale.slots()} {tale.skips()}\n{tale.etld.stderr_tail()}", 120)
    assert not tale.told()


def test_libfaketime_beyond_the_last_century(story, faketime):
    """In 2150 nothing is different: the watch for steps has not expired, so the loop sleeps."""
    clock = faketime(dt.timedelta(days=45000), steps=False)
    tale = story(clock.now, clock=clock)
    turns, asked = tale.etld.status()["daemon"]["loop_turns"], 10
    for _ in range(asked):
        later = tale.etld.status()["daemon"]["loop_turns"]
    assert later - turns < 20 * asked, "it turns without being asked"
