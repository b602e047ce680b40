#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scheduler in real time: N jobs (10,000) that are due evenly within one minute, then the
same N as a herd in one second. Each reads a small collection and throws it away, so what is
measured is etld and its bookkeeping in MongoDB. Prints lateness of slots and delay of starts
from `etlctl metrics` (lateness as soon as all slots were found), and how many slots were due, ran and were skipped, counted in the
collection of runs. Ends with status 1 if a slot is lost or ran twice.

Usage: bench_sched.py [--jobs N] [--only spread|herd] [--places N] [--limit SECONDS] [BUILD]
The server is the one that tests/lib/mongodb.py finds."""
import argparse
import datetime as dt
import json
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from etld import Etld  # noqa: E402
from mongodb import MongoServer  # noqa: E402
from promtext import parse  # noqa: E402
import pymongo  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
LEAD = dt.timedelta(seconds=25)  # for the start of the daemon


def job(at):
    """Due once, at this second."""
    return json.dumps({
        "schedule": {"cron": f"{at.second} {at.minute} {at.hour} {at.day} {at.month} *"},
        "window": "none", "extract": {"mongodb": {"collection": "one"}}, "load": {"null": {}}})


def slots(kind, n):
    """When each job is due: job i in second i * 60 / n of a minute, or all in its first."""
    first = (dt.datetime.now(dt.timezone.utc) + LEAD).replace(microsecond=0)
    return [first + dt.timedelta(seconds=i * 60 // n if kind == "spread" else 0) for i in range(n)]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def metrics(etld):
    return parse(etld.ctl("metrics", output="table").out)


def wait_until(etld, what, limit, condition):
    """Asks once a second: asking is not to be what is measured."""
    end = time.monotonic() + limit
    while not condition(metrics(etld)):
        if time.monotonic() > end:
            sys.exit(f"not within {limit} s: {what}")
        time.sleep(1)


def milliseconds(seconds):
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def show(name, histogram, longest):
    half, most = (milliseconds(min(histogram.quantile(q), longest)) for q in (0.5, 0.99))
    print(f"  {name}: p50 {half}, p99 {most}, max {milliseconds(longest)}")
    below = 0
    for upper, n in histogram.buckets():
        if n > below:
            print(f"    {'<= ' + format(upper, 'g') + ' s':>12} {n - below:7.0f}")
        below = n


def lost_or_doubled(records, expected):
    """What is wrong with the record of slots, in words. One skip may stand for several slots,
    but here each job has a single one."""
    found = {}
    for record in records:
        found.setdefault((record["job"], record["slot"]), []).append(record["state"])
    wrong = [f"{name} {at}: no record" for name, at in expected if (name, at) not in found]
    wrong += [f"{key}: {states}" for key, states in found.items() if len(states) > 1 or key not in expected]
    return wrong


def measure(server, kind, options):
    due = slots(kind, options.jobs)
    expected = {(f"job{i:05}", at) for i, at in enumerate(due)}
    name = f"bench_sched_{kind}"
    with pymongo.MongoClient(server.uri, tz_aware=True) as client:
        client[name]["one"].insert_one({"_id": 1})
        runs = client[f"{name}_metadata"]["runs"]
        with Etld(server.uri, {f"job{i:05}": job(at) for i, at in enumerate(due)}, database=name,
                  config={"limits": {"max_active": options.places}}) as etld:
            ahead = (due[0] - dt.datetime.now(dt.timezone.utc)).total_seconds()
            if ahead < 0:
                print(f"{kind}: the daemon was ready {-ahead:.1f} s after the first slot: a slower machine than this was made for")
                return 1
            spent = cpu_seconds(etld.pid)
            wait_until(etld, "all slots", 150, lambda m: m["etld_slots_due_total"].value() >= options.jobs)
            found = metrics(etld)
            print(f"{kind}: {options.jobs} jobs, {options.places} places: {found['etld_slots_due_total'].value():.0f} slots due")
            show("lateness", found["etld_slot_lateness_seconds"], found["etld_slot_lateness_max_seconds"].value())
            wait_until(etld, "the end of all runs", options.limit, lambda m: options.jobs <=
                       m["etld_runs_total"].total() + m["etld_slots_skipped_total"].total())
            took = time.time() - due[0].timestamp()
            wait_until(etld, "all skips on record", 60, lambda m: not m["etld_outbox_entries"].total())
            spent = cpu_seconds(etld.pid) - spent
            found = metrics(etld)
        records = list(runs.find({"slot": {"$exists": True}}, {"job": 1, "slot": 1, "state": 1}))
    wrong = lost_or_doubled(records, expected)
    states = sorted({r["state"] for r in records})
    print("  on record: " + ", ".join(f"{sum(r['state'] == s for r in records)} {s}" for s in states)
          + f", {len(wrong)} lost or doubled; all ended {took:.1f} s after the first was due, {spent:.1f} CPU-seconds of etld")
    show("start delay", found["etld_run_start_delay_seconds"], found["etld_run_start_delay_max_seconds"].value())
    for line in wrong[:10]:
        print("  WRONG", line)
    return int(bool(wrong) or found["etld_slots_due_total"].value() != options.jobs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--only", choices=("spread", "herd"))
    parser.add_argument("--places", type=int, default=16, help="limits.max_active")
    parser.add_argument("--limit", type=float, default=5400)
    parser.add_argument("build", nargs="?")
    options = parser.parse_args()
    if options.build:
        os.environ["ETLD_BUILD"] = options.build
    with tempfile.TemporaryDirectory(prefix="etld-bench-") as folder:
        with MongoServer(pathlib.Path(folder) / "mongodb") as server:
            kinds = [options.only] if options.only else ["spread", "herd"]
            sys.exit(max(measure(server, kind, options) for kind in kinds))


if __name__ == "__main__":
    main()
