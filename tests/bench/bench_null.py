#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a record costs etld when the target costs nothing: tests/lib/nullserver.py answers the writes,
the metadata is a real server's. Two shapes, hourly (a record a window) and bulk (all records in one
window), each in turns with a pymongo script that does the same without a ledger: requests, json,
bulk_write of 1,000 upserts. CPU-seconds of the processes alone; medians of the rounds.
Usage: bench_null.py [--rounds N] [--huge GIB] [BUILD]
--huge: one answer of so many GiB instead, and the peak of memory that it leaves."""
import argparse
import http.server
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from airqino_sim import epoch  # noqa: E402
from etld import Etld  # noqa: E402
from fakeclock import FakeClock  # noqa: E402
from mongodb import MongoServer  # noqa: E402
from nullserver import NullServer  # noqa: E402

START = 1_704_067_200  # 2024-01-01
NOW = "2026-01-01T00:30:00Z"
HOURS = 731 * 24  # of two years
BULK = 200_000
TICKS = os.sysconf("SC_CLK_TCK")
FIELDS = '"CO": 1.25, "NO2": 31.5, "O3": 40.25, "pm2_5": 12.5, "pm10": 20.75, "T": 29.5, "RH": 71.25'
SCRIPT = """
import json, sys, urllib.request, pymongo
url, uri = sys.argv[1:]
rows = json.load(urllib.request.urlopen(url))
target = pymongo.MongoClient(uri)["bench"]["script"]
for at in range(0, len(rows), 1000):
    target.bulk_write([pymongo.ReplaceOne({"_id": r["t"]}, {**r, "_id": r["t"]}, upsert=True)
                       for r in rows[at:at + 1000]], ordered=False)
"""


def rows(step, first, last):
    """JSON text, piece by piece: records `first` to before `last`, `step` seconds apart."""
    yield b"["
    for at in range(first, last, 1000):
        text = ",".join(f'{{"t": {START + i * step}, "n": {i}, {FIELDS}}}' for i in range(at, min(at + 1000, last)))
        yield (("," if at > first else "") + text).encode()
    yield b"]"


def asked(path):
    """What /hourly/COUNT?from=...&to=... or /bulk/COUNT asks for, as `rows` takes it."""
    url = urllib.parse.urlparse(path)
    _, kind, count = url.path.split("/")
    bounds = [int((epoch(value) - START) // 3600) for _, value in urllib.parse.parse_qsl(url.query)]
    if bounds:
        return 3600, max(bounds[0], 0), min(bounds[1], int(count))
    return 3600 * (kind == "hourly"), 0, int(count)


class Source(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, format, *args):  # noqa: A002
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        for piece in rows(*asked(self.path)):
            self.wfile.write(piece)


def job(url, kind):
    end = "2026-01-01T00:00:00Z" if kind == "hourly" else "2024-01-02T00:00:00Z"
    bounds = {"from": "{window.start}", "to": "{window.end}"} if kind == "hourly" else {}
    return {"schedule": {"cron": "0 0 1 1 *", "timeout": "1d"},
            "window": {"size": "1h" if kind == "hourly" else "1d", "max_span": "731d" if kind == "hourly" else "1d",
                       "settle": "0s", "start": "2024-01-01T00:00:00Z", "end": end},
            "extract": {"http": {"url": url, "query": bounds, "records": "", "timeout": "1d",
                                 "time": {"field": "t", "format": "epoch"}}},
            "load": {"mongodb": {"collection": kind, "key": ["n"]}}}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def load(server, folder, url, kind):
    """(records, CPU-seconds of etld, its peak RSS in MiB)"""
    folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    clock = FakeClock(folder, NOW)
    with NullServer(server.port, "bench") as null:
        with Etld(null.uri, {kind: job(url, kind)}, database="bench", metadata=folder.name,
                  prefix=clock.prefix) as etld:
            before = cpu_seconds(etld.pid)
            counts = etld.run(kind, limit=24 * 3600).json["run"]["counts"]
            assert counts["inserted"] == counts["seen"], counts
            return counts["inserted"], cpu_seconds(etld.pid) - before, peak_mib(etld.pid)


def script(server, url):
    with NullServer(server.port, "bench") as null:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", SCRIPT, url, null.uri], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(server, folder, base, kind, count, rounds):
    url = f"{base}/{kind}/{count}"
    ours, theirs = [], []
    for _ in range(rounds):
        records, spent, peak = load(server, folder, url, kind)
        ours.append(records / spent)
        theirs.append(count / script(server, url))
    print(f"{kind}, {count} records: {statistics.median(ours):,.0f} records per CPU-second of etld "
          f"(peak RSS {peak:.1f} MiB), a pymongo script without a ledger {statistics.median(theirs):,.0f}: "
          f"{statistics.median(a / b for a, b in zip(ours, theirs)):.1f} times", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--huge", type=float)
    parser.add_argument("build", nargs="?")
    args = parser.parse_args()
    if args.build:
        os.environ["ETLD_BUILD"] = args.build
    source = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source)
    threading.Thread(target=source.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{source.server_address[1]}"
    with tempfile.TemporaryDirectory(prefix="etld-bench-") as folder, \
            MongoServer(pathlib.Path(folder) / "mongodb") as server:
        if args.huge:
            size = sum(map(len, rows(0, 0, 1000))) / 1000
            begun = time.monotonic()
            records, spent, peak = load(server, folder, f"{base}/bulk/{int(args.huge * 2**30 / size)}", "bulk")
            print(f"one answer of {args.huge} GiB, {records} records in one window: peak RSS {peak:.1f} MiB, "
                  f"{spent:.0f} CPU-seconds, {time.monotonic() - begun:.0f} s")
            return
        compare(server, folder, base, "hourly", HOURS, args.rounds)
        compare(server, folder, base, "bulk", BULK, args.rounds)


if __name__ == "__main__":
    main()
