# SPDX-License-Identifier: MIT
"""What the shipped AirQino example has to leave in the database, computed from the simulator.

Nothing here uses etld's own results: rows come from the simulator, means from math.fsum.
"""
import datetime as dt
import math

from airqino_sim import HOUR, STATION_1, STATION_2, STATIONS, epoch, stamp, utc, widen32

STATIONS_BOTH = (STATION_1, STATION_2)
LONGITUDES = {STATION_1: -3.99, STATION_2: -3.957}
RENAMED = {"PM2.5": "pm2_5", "T. int.": "t_int_raw"}
SETTLE = 70 * 60
DAY = 24 * HOUR


def iso(value):
    return utc(value).strftime("%Y-%m-%dT%H:%M:%SZ")


def settled(now, settle=SETTLE, size=HOUR):
    """The end of the newest final window at `now`, in epoch seconds."""
    return int(utc(now).timestamp() - settle) // size * size


def hourly(sim, start, end, stations=STATIONS_BOTH):
    """{(station, instant): the document without _id} of the final rows in [start, end)."""
    out = {}
    for station in stations:
        name, latitude, _ = STATIONS[station]
        for row in sim.truth(station, start, end):
            at = utc(dt.datetime.strptime(row["timestamp"], "%Y-%m-%d %H:%M:%S"))
            out[station, at] = {
                **{RENAMED.get(k, k): float(v) for k, v in row.items() if k != "timestamp"},
                "timestamp": at, "station_name": name, "latitude": widen32(latitude),
                "station_id": station, "co_unit": "mg/m3", "pm_unit": "ug/m3",
                "longitude": LONGITUDES[station]}
    return out


def daily(rows, end):
    """The means of the whole days before `end` from what hourly() gave."""
    groups = {}
    for (station, at), row in rows.items():
        day = at.replace(hour=0)
        if (day + dt.timedelta(days=1)).timestamp() <= end:
            groups.setdefault((station, day), []).append(row)
    return {key: {"samples": len(of_day), **{
        field: math.fsum(r[field] for r in of_day if field in r) /
        sum(field in r for r in of_day)
        for field in ("CO", "pm2_5") if any(field in r for r in of_day)}}
        for key, of_day in groups.items()}


def stored(collection, query=None):
    """{(station, instant): document without _id}; a pair that is there twice fails."""
    out = {}
    for document in collection.find(query or {}):
        key = document["station_id"], document["timestamp"]
        assert key not in out, f"{key} is stored twice"
        del document["_id"]
        out[key] = document
    return out


def assert_same_rows(found, wanted):
    """Row by row, field by field, value by value and type by type."""
    missing, extra = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    assert not missing and not extra, \
        f"{len(missing)} missing, first {sorted(missing)[:3]}; {len(extra)} too many, first {sorted(extra)[:3]}"
    for key, row in wanted.items():
        assert found[key] == row, f"{key}"
        for field, value in row.items():
            assert type(found[key][field]) is type(value), f"{key} {field}: {found[key][field]!r}"


def assert_same_means(found, wanted):
    assert found.keys() == wanted.keys(), f"days: {sorted(found.keys() ^ wanted.keys())[:5]}"
    for key, day in wanted.items():
        row = {k: v for k, v in found[key].items() if k not in ("station_id", "timestamp")}
        assert row.keys() == day.keys(), key
        assert row["samples"] == day["samples"], key
        for field in row.keys() - {"samples"}:
            assert math.isclose(row[field], day[field], rel_tol=0, abs_tol=1e-9), (key, field)


def assert_ledger(metadata, job, partition, start, end, loaded, size=HOUR):
    """Each window of [start, end) is there once, closed and clean: `loaded` for the instants
    given, `empty` for all others; the watermark stands at the end."""
    entries = list(metadata.windows.find({"job": job, "partition": partition}).sort("start", 1))
    open_ones = [e for e in entries if e["state"] not in ("loaded", "empty")]
    assert all(e["start"].timestamp() >= end or e["end"].timestamp() > end for e in open_ones), open_ones[:3]
    closed = [e for e in entries if e["state"] in ("loaded", "empty")]
    grid = [utc(at) for at in range(epoch(start), int(end), size)]
    assert [e["start"] for e in closed] == grid, f"{job}/{partition}: windows missing or doubled"
    for entry in closed:
        assert entry["end"] - entry["start"] == dt.timedelta(seconds=size), entry
        assert entry["state"] == ("loaded" if entry["start"] in loaded else "empty"), entry
        assert not entry["dirty"], entry
    mark = metadata.watermarks.find_one({"job_name": job, "partition": partition})
    assert mark["last_processed"] == utc(int(end)), f"watermark {mark['last_processed']}, wanted {stamp(end)}"
