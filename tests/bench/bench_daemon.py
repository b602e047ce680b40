#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole daemon: CPU and memory of a first load of a year (two stations, the shipped
example, a simulator, a MongoDB), how often it asks the source, what a run costs that finds nothing
new, and idling with 1, 1,000 and 10,000 jobs.
Usage: bench_daemon.py [BUILD]     The server is the one that tests/lib/mongodb.py finds; its
own time is in the figures only where they say so."""
import http.server
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from airqino_sim import AirqinoSim, epoch  # noqa: E402
from airqino_truth import DAY, iso  # noqa: E402
from airqino_year import NOW, captured_year  # noqa: E402
from etld import Etld  # noqa: E402
from fakeclock import FakeClock  # noqa: E402
from mongodb import MongoServer  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
IDLE_SECONDS = 5


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def status_kib(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def switches(pid):
    return sum(int(line.split()[1])
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
               for line in (task / "status").read_text().splitlines()
               if line.startswith("voluntary_ctxt_switches"))


def first_load(server, folder):
    with AirqinoSim(data=captured_year(), now=NOW) as sim:
        start = iso((epoch(sim.now) - 365 * DAY) // DAY * DAY)
        clock = FakeClock(folder, NOW, sim)
        with Etld.airqino(server.uri, sim, start, database="bench", prefix=clock.prefix) as etld:
            before = cpu_seconds(etld.pid)
            begun = time.monotonic()
            run = etld.run("airqino", limit=900).json["run"]
            took = time.monotonic() - begun
            spent = cpu_seconds(etld.pid) - before
            n = run["counts"]["inserted"]
            windows = run["windows"]["loaded"] + run["windows"]["empty"]
            print(f"first load: {n} records in {windows} windows: {took:.1f} s of wall time, "
                  f"{spent:.2f} CPU-seconds of etld = {n / spent:,.0f} records per CPU-second, "
                  f"peak RSS {status_kib(etld.pid, 'VmHWM') / 1024:.1f} MiB, {sim.count(status=200)} requests")


PARTITIONS, DAYS = 20, 10


class Nothing(http.server.BaseHTTPRequestHandler):
    """A source that has no record at all."""
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # noqa: A002
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")


def nothing_new(server, folder):
    """A plan reads what is open or recent, not the history."""
    source = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    threading.Thread(target=source.serve_forever, daemon=True).start()
    job = {"schedule": {"cron": "0 0 1 1 *", "max_active": 4}, "partitions": {"p": [f"p{i}" for i in range(PARTITIONS)]},
           "window": {"size": "1h", "start": iso(epoch(NOW) // DAY * DAY - DAYS * DAY), "lookback": "3h"},
           "extract": {"http": {"url": f"http://127.0.0.1:{source.server_address[1]}/{{p}}", "records": "",
                                "time": {"field": "t", "format": "iso8601"}}},
           "load": {"mongodb": {"collection": "c", "key": ["t"]}}}
    (folder / "quiet").mkdir()
    clock = FakeClock(folder / "quiet", NOW)
    with Etld(server.uri, {"quiet": job}, database="quiet", prefix=clock.prefix) as etld:
        for name in ("first", "with nothing new"):
            before = cpu_seconds(etld.pid), cpu_seconds(server.pid)
            etld.run("quiet", limit=900)
            print(f"run {name}, {PARTITIONS} partitions of {24 * DAYS} windows: {cpu_seconds(etld.pid) - before[0]:.2f} "
                  f"CPU-seconds of etld, {cpu_seconds(server.pid) - before[1]:.2f} of the server")
    source.shutdown()


def yearly_job(number):
    month = (time.gmtime().tm_mon + 5) % 12 + 1
    return json.dumps({
        "schedule": {"cron": f"{number % 60} {number // 60 % 24} {number // 1440 % 28 + 1} {month} *"},
        "window": {"size": "1h", "start": "2026-01-01"},
        "extract": {"http": {"url": "http://127.0.0.1:1/x", "records": "/data",
                             "time": {"field": "t", "format": "%Y-%m-%d", "timezone": "UTC"}}},
        "load": {"mongodb": {"collection": "c", "key": ["t"]}},
    })


def idle(server, n):
    with Etld(server.uri, {f"job{i:05}": yearly_job(i) for i in range(n)}, database=f"idle{n}") as etld:
        before, spent = switches(etld.pid), cpu_seconds(etld.pid)
        time.sleep(IDLE_SECONDS)  # a measurement, not a wait
        print(f"idle with {n} jobs: RSS {status_kib(etld.pid, 'VmRSS') / 1024:.1f} MiB, "
              f"{(switches(etld.pid) - before) / IDLE_SECONDS:.1f} wake-ups a second of all threads, "
              f"{(cpu_seconds(etld.pid) - spent) / IDLE_SECONDS * 100:.1f} % of a core")


def main():
    if len(sys.argv) > 1:
        os.environ["ETLD_BUILD"] = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="etld-bench-") as folder:
        with MongoServer(pathlib.Path(folder) / "mongodb") as server:
            first_load(server, folder)
            nothing_new(server, pathlib.Path(folder))
            for n in (1, 1000, 10000):
                idle(server, n)


if __name__ == "__main__":
    main()
