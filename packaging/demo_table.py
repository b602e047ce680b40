# SPDX-License-Identifier: MIT
"""Prints what the demo loaded: the newest hours and all days of each station.

Usage: demo_table.py MONGODB_URI DATABASE      (with an interpreter that has pymongo)
Ends with status 1 if a station has no hourly or no daily document, or if the means of two
stations are all the same (then they would have been mixed up).
"""
import sys

import pymongo

HOURS_SHOWN = 6
COLUMNS = ("CO", "pm2_5")


def show(title, rows, extra):
    print(f"\n{title}")
    print("  station    timestamp (UTC)   " + "".join(f"{c:>12}" for c in (*COLUMNS, *extra)))
    for row in rows:
        values = "".join(f"{row[c]:>12.4f}" for c in COLUMNS)
        values += "".join(f"{row.get(c, ''):>12}" for c in extra)
        print(f"  {row['station_id']:<10} {row['timestamp']:%Y-%m-%d %H:%M}  {values}")


def main():
    uri, database = sys.argv[1:3]
    db = pymongo.MongoClient(uri, serverSelectionTimeoutMS=10000)[database]
    stations = sorted(db.hourly_averages.distinct("station_id"))
    newest = [row for s in stations for row in reversed(list(
        db.hourly_averages.find({"station_id": s}).sort("timestamp", -1).limit(HOURS_SHOWN)))]
    show(f"hourly_averages: {db.hourly_averages.count_documents({})} documents, "
         f"the newest {HOURS_SHOWN} of each station", newest, ("longitude", "co_unit"))
    days = list(db.daily_averages.find().sort([("station_id", 1), ("timestamp", 1)]))
    show(f"daily_averages: {len(days)} documents", days, ("samples",))

    means = {s: [tuple(d[c] for c in COLUMNS) for d in days if d["station_id"] == s]
             for s in stations}
    if len(stations) < 2 or not all(means.values()):
        sys.exit("demo: a station has no data")
    if len({tuple(m) for m in means.values()}) == 1:
        sys.exit("demo: the stations have the same values")


if __name__ == "__main__":
    main()
