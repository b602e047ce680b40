# SPDX-License-Identifier: MIT
"""A flow for the fault tests: hourly rows of two stations, daily means of them, small spans
so that commits are many; and the judge of what it left in MongoDB.

    flow = Flow(sim, start="2026-03-02")
    etld = Etld(uri, jobs=flow.jobs(days=1))
    ...
    flow.check_invariant(client[db], client[metadata])     # at any time, etld dead
    flow.check_final(client[db], client[metadata], days=1)
"""
import datetime as dt
import math

from airqino_sim import FIELDS, STATION_1, STATION_2

STATIONS = (STATION_1, STATION_2)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
NAMES = {"PM2.5": "pm2_5", "T. int.": "t_int_raw"}
CLOSED = {"loaded", "empty"}
TOLERANCE = 1e-9


def iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def stored(row):
    """A row of the simulator as the hourly job stores it."""
    return {NAMES.get(k, k): v for k, v in row.items() if k != "timestamp"}


class Flow:
    def __init__(self, sim, start="2026-03-02", *, span="6h", stations=STATIONS, lookback="3h"):
        self.sim = sim
        self.start = dt.datetime.fromisoformat(start).replace(tzinfo=dt.timezone.utc)
        self.span = span
        self.stations = stations
        self.lookback = lookback

    # ---- configuration -------------------------------------------------------------
    def hourly(self, end, **more):
        job = {
            "schedule": {"cron": "10 * * * *", "timeout": "10m"},
            "retry": {"max": 3, "backoff": "1s", "max_backoff": "2s"},
            "partitions": {"station": list(self.stations)},
            "window": {"size": "1h", "settle": "70m", "lookback": self.lookback,
                       "start": iso(self.start), "end": iso(end), "max_span": self.span},
            "extract": {"http": {
                "url": self.sim.url + "/v3/getStationHourlyAvg/{station}",
                "query": {"start_date": "{window.start:%Y%m%d-%H%M}",
                          "end_date": "{window.end:%Y%m%d-%H%M}"},
                "records": "/data",
                "time": {"field": "timestamp", "format": "%Y-%m-%d %H:%M:%S",
                         "timezone": "UTC", "label": "start"}}},
            "transform": [{"rename": NAMES}, {"set": {"station_id": "{station}"}}],
            "check": [{"not_null": {"fields": ["station_id", "timestamp"],
                                    "on_fail": "reject"}}],
            "load": {"mongodb": {"collection": "hourly", "mode": "upsert",
                                 "key": ["station_id", "timestamp"]}},
        }
        for key, value in more.items():
            job[key] = {**job[key], **value} if isinstance(job.get(key), dict) else value
        return job

    def daily(self, end):
        return {
            "schedule": {"cron": "30 * * * *", "timeout": "10m"},
            "after": ["hourly"],
            "retry": {"max": 3, "backoff": "1s", "max_backoff": "2s"},
            "partitions": {"station": list(self.stations)},
            "window": {"size": "1d", "settle": "70m", "start": iso(self.start),
                       "end": iso(end), "max_span": "1d"},
            "extract": {"mongodb": {"collection": "hourly",
                                    "filter": {"station_id": "{station}"},
                                    "time": {"field": "timestamp"}}},
            "transform": [{"aggregate": {"every": "1d", "by": ["station_id"],
                                         "mean": ["CO", "pm2_5"], "count": "samples"}}],
            "load": {"mongodb": {"collection": "daily", "mode": "upsert",
                                 "key": ["station_id", "timestamp"]}},
        }

    def jobs(self, days, **more):
        end = self.start + days * DAY
        return {"hourly": self.hourly(end, **more), "daily": self.daily(end)}

    # ---- what is true --------------------------------------------------------------
    def hours(self, station, start, end):
        """{hour: the stored row}"""
        rows = self.sim.truth(station, iso(start), iso(end))
        return {dt.datetime.fromisoformat(r["timestamp"]).replace(tzinfo=dt.timezone.utc):
                stored(r) for r in rows}

    # ---- what is there -------------------------------------------------------------
    @staticmethod
    def documents(collection, station, start, end):
        """{timestamp: document}; an hour that is there twice is a failure."""
        found = {}
        for doc in collection.find({"station_id": station,
                                    "timestamp": {"$gte": start, "$lt": end}}):
            assert doc["timestamp"] not in found, f"twice: {doc}"
            found[doc["timestamp"]] = doc
        return found

    def check_hours(self, collection, station, start, end):
        truth = self.hours(station, start, end)
        there = self.documents(collection, station, start, end)
        assert set(there) == set(truth), (
            f"{station}: missing {sorted(set(truth) - set(there))[:5]}, "
            f"too many {sorted(set(there) - set(truth))[:5]}")
        for at, row in truth.items():
            got = {k: there[at].get(k) for k in (NAMES.get(f, f) for f in FIELDS) if k in row}
            assert got == row, f"{station} {at}: {got} is not {row}"
            assert not {NAMES.get(f, f) for f in FIELDS} - set(row) & set(there[at])

    def check_days(self, collection, station, start, end):
        truth = self.sim.daily_means(station, iso(start), iso(end), ("CO", "PM2.5"))
        there = self.documents(collection, station, start, end)
        assert {at.strftime("%Y-%m-%d") for at in there} == set(truth), f"{station}: days"
        for at, doc in there.items():
            wanted = truth[at.strftime("%Y-%m-%d")]
            assert doc["samples"] == wanted["samples"], f"{station} {at}: {doc} {wanted}"
            for field in ("CO", "PM2.5"):
                if field in wanted:
                    assert math.isclose(doc[NAMES.get(field, field)], wanted[field],
                                        rel_tol=TOLERANCE, abs_tol=TOLERANCE), (doc, wanted)

    @staticmethod
    def ledger(metadata, job, station):
        """[(start, entry)] in order; a window that is there twice is a failure."""
        entries = [(e["start"], e) for e in metadata["windows"].find({"job": job})
                   if station in str(e["partition"])]
        entries.sort(key=lambda pair: pair[0])
        starts = [start for start, _ in entries]
        assert len(set(starts)) == len(starts), f"{job} {station}: a window is doubled"
        return entries

    @staticmethod
    def processed(metadata, job, station):
        marks = [m for m in metadata["watermarks"].find({"job_name": job})
                 if station in str(m["partition"])]
        assert len(marks) <= 1, marks
        return marks[0].get("last_processed") if marks else None

    # ---- judgements ----------------------------------------------------------------
    def check_invariant_of(self, db, metadata, job):
        """Of one job alone: the ledger is never ahead of the data."""
        for station in self.stations:
            self.check_partition(db, metadata, job, station, HOUR if job == "hourly" else DAY,
                                 skipped_is_closed=True)

    def check_invariant(self, db, metadata):
        """The watermark is never ahead of the ledger, the ledger never ahead of the data."""
        for station in self.stations:
            self.check_partition(db, metadata, "hourly", station, HOUR)
            self.check_partition(db, metadata, "daily", station, DAY)

    def check_partition(self, db, metadata, job, station, size, skipped_is_closed=False):
        mark = self.processed(metadata, job, station) or self.start
        entries = self.ledger(metadata, job, station)
        closed = {start for start, e in entries if e["state"] in CLOSED}
        skipped = {start for start, e in entries if skipped_is_closed and e["state"] == "skipped"}
        at = self.start
        while at < mark:
            assert at in closed | skipped, f"{job} {station}: the watermark {mark} is ahead of {at}"
            at += size
        judge = self.check_hours if job == "hourly" else self.check_days
        for begin, end in ranges(sorted(closed), size):
            judge(db[job], station, begin, end)
        for start, entry in entries:
            rows = len(self.hours(station, start, start + size))
            state = "empty" if not rows else "loaded"
            if entry["state"] in CLOSED:
                assert entry["state"] == state, f"{job} {station}: {entry}"
            if entry["state"] in CLOSED and job == "hourly":
                assert entry["counts"].get("in", 0) == rows, entry  # the ledger has no counts of 0

    def check_final(self, db, metadata, days):
        end = self.start + days * DAY
        self.check_invariant(db, metadata)
        for station in self.stations:
            for job, size in (("hourly", HOUR), ("daily", DAY)):
                entries = self.ledger(metadata, job, station)
                assert [s for s, _ in entries] == [
                    self.start + i * size for i in range((end - self.start) // size)], \
                    f"{job} {station}: windows missing or too many"
                assert {e["state"] for _, e in entries} <= CLOSED
                assert self.processed(metadata, job, station) == end
            self.check_hours(db["hourly"], station, self.start, end)
            self.check_days(db["daily"], station, self.start, end)
        assert db["hourly"].count_documents({}) == sum(
            len(self.hours(s, self.start, end)) for s in self.stations)

    def is_finished(self, metadata, days):
        end = self.start + days * DAY
        return all(self.processed(metadata, job, station) == end
                   for job in ("hourly", "daily") for station in self.stations)


def ranges(starts, size):
    """Adjacent windows as [begin, end) pairs."""
    out = []
    for start in starts:
        if out and out[-1][1] == start:
            out[-1][1] = start + size
        else:
            out.append([start, start + size])
    return out
