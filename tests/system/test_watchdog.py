# SPDX-License-Identifier: MIT
"""A worker that hangs: told within the watchdog's time, with its task, while the watchdog is still fed;
then the feeding stops, and that is told too."""
import contextlib
import datetime as dt
import re
import socket

import pytest

from etld import ROOT
from fakeclock import FakeTime
from wait import wait_for

FOR_EVER = 24 * 3600 * 1000
STUCK_SECONDS = 300
WATCHDOG_SECONDS = 30
HANGS = re.search(r'ETLD_MSG_WORKER_HANGS "(\w+)"', (ROOT / "daemon" / "io" / "message_ids.h").read_text()).group(1)


def uptime(daemon):
    return daemon.status()["daemon"]["uptime_s"]


@pytest.mark.slow
def test_a_worker_that_hangs_is_told_and_the_watchdog_starves(etld, tmp_path):
    """It waits for a server that takes the connection and says nothing. Clocks run thirty times as fast."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        limits = "&".join(f"{name}TimeoutMS={FOR_EVER}" for name in ("connect", "socket", "serverSelection"))
        daemon = etld({}, uri=f"mongodb://127.0.0.1:{silent.getsockname()[1]}/?{limits}",
                      prefix=FakeTime(tmp_path, dt.timedelta(0), rate=30).prefix,
                      watchdog_usec=WATCHDOG_SECONDS * 1_000_000)
        daemon.start(wait=False)
        first = daemon.wait_log(MESSAGE_ID=HANGS)
        assert first["ETL_TASK"] == "connect" and first["ETL_JOB"] == "-"
        assert "a worker has been at the task 'connect'" in first["MESSAGE"]
        assert int(first["ETL_SECONDS"]) >= WATCHDOG_SECONDS / 2
        assert daemon.notify.count("WATCHDOG") > 0
        wait_for(lambda: len(daemon.log(MESSAGE_ID=HANGS)) > 1, "the worker is given up", 60)
        told = daemon.log(MESSAGE_ID=HANGS)
        assert [int(line["PRIORITY"]) for line in told] == [4, 3]
        assert int(told[0]["ETL_SECONDS"]) < STUCK_SECONDS <= int(told[1]["ETL_SECONDS"])
        assert "the watchdog is not fed any more" in told[1]["MESSAGE"]
        fed, began = daemon.notify.count("WATCHDOG"), uptime(daemon)
        wait_for(lambda: uptime(daemon) > began + 4 * WATCHDOG_SECONDS, "time passes", 60)
        assert daemon.notify.count("WATCHDOG") == fed, "it is fed although a worker hangs"
        assert len(daemon.log(MESSAGE_ID=HANGS)) == 2, "told once each"
        daemon.kill9()
