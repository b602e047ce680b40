#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a record of the hourly job costs the whole daemon, in instructions (valgrind), the ledger and the driver
included: repeatable whatever else the machine does. Two loads of the shipped example that differ
only in their length; start, stop and all that does not grow with the records cancel out.
Usage: bench_instructions.py [BUILD]      Wants valgrind and the captured data (ETLD_TEST_DATA)."""
import os
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
from airqino_sim import AirqinoSim, epoch  # noqa: E402
from airqino_truth import DAY, iso  # noqa: E402
from airqino_year import NOW, captured_year  # noqa: E402
from etld import Etld  # noqa: E402
from fakeclock import FakeClock  # noqa: E402
from mongodb import MongoServer  # noqa: E402

SHORT, LONG = 20, 80  # days
LIMIT = 1800  # ends what hangs
SPANS = {"spans of 30 days": "30d", "each window by itself": "1h"}


def load(server, folder, span, days):
    """(records, instructions of the process from its start to its end)"""
    folder = pathlib.Path(folder) / f"{span}-{days}"
    folder.mkdir()
    counted = folder / "callgrind"
    with AirqinoSim(data=captured_year(), now=NOW) as sim:
        clock = FakeClock(folder, NOW, sim)
        start = iso(epoch(NOW) // DAY * DAY - days * DAY)
        prefix = [*clock.prefix, "valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={counted}"]
        etld = Etld.airqino(server.uri, sim, start, database=f"bench_{span}_{days}", prefix=prefix)
        etld.edit_job("airqino", "max_span: 30d", f"max_span: {span}")
        etld.remove_job("airqino_daily")
        with etld:
            etld.wait_idle(LIMIT)
            run = etld.run("airqino", limit=LIMIT).json["run"]
            records = run["counts"]["inserted"] + run["counts"]["unchanged"]
    return records, int(re.search(r"^totals: (\d+)", counted.read_text(), re.MULTILINE).group(1))


def main():
    if len(sys.argv) > 1:
        os.environ["ETLD_BUILD"] = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="etld-bench-") as folder:
        with MongoServer(pathlib.Path(folder) / "mongodb") as server:
            for name, span in SPANS.items():
                few, spent_few = load(server, folder, span, SHORT)
                many, spent_many = load(server, folder, span, LONG)
                print(f"{name}: {(spent_many - spent_few) / (many - few):,.0f} instructions a record "
                      f"({many - few} records more)", flush=True)


if __name__ == "__main__":
    main()
