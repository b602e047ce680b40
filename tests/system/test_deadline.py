# SPDX-License-Identifier: MIT
"""Deadlines of windows with the real daemon: one alert for each, over timers, restarts, reloads,
a pause and a second daemon."""
import datetime as dt

import pytest

from flow import HOUR, Flow, iso
from wait import wait_for

MISSED = "7c58eec9bff249a39015cd9ff45a1065"
FAILED = 1
NEVER = {"cron": "0 0 1 1 *"}


@pytest.fixture(name="flow")
def hourly_flow(sim):
    return Flow(sim, span="24h", lookback="0s")


def job_of(flow, seconds=None, hours=2, **more):
    """Hours that ended long ago; with `seconds` the first one's deadline is that far ahead."""
    start = flow.start
    deadline = "90m"
    if seconds is not None:
        now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
        start = now - 10 * HOUR
        deadline = f"{9 * 3600 + seconds}s"
    job = flow.hourly(start + hours * HOUR, schedule=NEVER, window={"start": iso(start)},
                      retry={"max": 0}, **more)
    return {**job, "schedule": NEVER, "deadline": f"window.end + {deadline}"}


def alerts(etld):
    return etld.log(MESSAGE_ID=MISSED)


def wait_alerts(etld, n):
    wait_for(lambda: len(alerts(etld)) >= n, lambda: f"{n} alerts: {alerts(etld)}\n{etld.stderr_tail()}")
    assert len(alerts(etld)) == n
    return alerts(etld)


def health(etld):
    job = etld.jobs()["hourly"]
    return job["health"], job["reason"]


def test_one_alert_for_each_partition(etld, sim, flow, metadata):
    daemon = etld({"hourly": job_of(flow)}).start()
    assert daemon.jobs()["hourly"]["deadline"] is None  # it never ran: nothing is due yet
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", ok=(FAILED,))
    found = wait_alerts(daemon, 2)
    assert {a["ETL_PARTITION"] for a in found} == set(flow.stations)
    assert {(a["ETL_JOB"], a["ETL_WINDOW_START"], a["ETL_WINDOW_END"], a["ETL_DEADLINE"])
            for a in found} == {("hourly", "2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z",
                                 "2026-03-02T02:30:00Z")}
    shown = daemon.jobs()["hourly"]["deadline"]
    assert shown["missed"] is True
    assert shown["window"] == {"start": "2026-03-02T00:00:00Z", "end": "2026-03-02T01:00:00Z"}
    assert shown["due"] == "2026-03-02T02:30:00Z"
    # Told once: by another run, after a restart, by another daemon.
    daemon.run("hourly", ok=(FAILED,))
    daemon.stop()
    daemon.start()
    other = etld({"hourly": job_of(flow)}).start()
    for each in (daemon, other):
        each.run("hourly", ok=(FAILED,))
        assert each.jobs()["hourly"]["deadline"]["missed"] is True
    assert metadata["alerts"].count_documents({}) == 2
    assert len(alerts(daemon)) == 2
    assert alerts(other) == []
    other.stop()
    # The source is in order again: the windows close, and there will be no more of them.
    sim.clear_faults()
    daemon.run("hourly", ok=(0,))
    assert daemon.jobs()["hourly"]["deadline"] is None
    assert health(daemon) == ("ok", "")
    assert metadata["alerts"].count_documents({}) == 2


def test_the_timer_tells(etld, sim, flow):
    """Nothing happens in between: the daemon sleeps until the deadline."""
    daemon = etld({"hourly": job_of(flow, seconds=5)}).start()
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", ok=(FAILED,))
    assert daemon.jobs()["hourly"]["deadline"]["missed"] is False
    assert alerts(daemon) == []
    wait_alerts(daemon, 2)
    sim.clear_faults()
    daemon.run("hourly", ok=(0,))
    assert len(alerts(daemon)) == 2


def test_late_is_its_health(etld, sim, flow):
    daemon = etld({"hourly": job_of(flow)}).start()
    daemon.run("hourly", "--window", iso(flow.start), ok=(0,))
    wait_alerts(daemon, 2)
    late = ("late", f"{flow.stations[0]}: the window that ended 2026-03-02T02:00:00Z "
                    "was not closed by its deadline 2026-03-02T03:30:00Z")
    assert health(daemon) == late
    daemon.stop()
    daemon.start()  # it has not run since
    assert health(daemon) == late
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", ok=(FAILED,))
    assert health(daemon)[0] == "failing"  # the worse word


def test_a_paused_job_does_not_alert(etld, sim, flow):
    daemon = etld({"hourly": job_of(flow)}).start()
    daemon.ctl("pause", "hourly")
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", "--force", ok=(FAILED,))
    daemon.ctl("reload")
    assert daemon.jobs()["hourly"]["deadline"]["missed"] is True
    assert alerts(daemon) == []
    daemon.ctl("resume", "hourly")
    wait_alerts(daemon, 2)


def test_a_reload_brings_a_deadline(etld, sim, flow):
    job = job_of(flow)
    without = {k: v for k, v in job.items() if k != "deadline"}
    daemon = etld({"hourly": without}).start()
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", ok=(FAILED,))
    assert daemon.jobs()["hourly"]["deadline"] is None
    daemon.write_job("hourly", job)
    daemon.ctl("reload")
    wait_alerts(daemon, 2)
    daemon.ctl("reload")
    daemon.write_job("other", job)
    daemon.remove_job("hourly")
    daemon.ctl("reload")
    assert set(daemon.jobs()) == {"other"}
    assert len(alerts(daemon)) == 2


def test_the_other_daemon_has_closed_it(etld, sim, flow, metadata):
    """What this one knows of the watermark is old: it looks before it tells."""
    job = job_of(flow, seconds=8)
    first, second = etld({"hourly": job}), etld({"hourly": job})
    first.start()
    sim.fault("status", code=404, times=None)
    first.run("hourly", ok=(FAILED,))
    sim.clear_faults()
    second.start()
    assert second.run("hourly", ok=(0,)).code == 0
    assert first.jobs()["hourly"]["deadline"]["missed"] is False
    wait_for(lambda: first.jobs()["hourly"]["deadline"] is None, "the look at the deadline")
    assert alerts(first) == alerts(second) == []
    assert metadata["alerts"].count_documents({}) == 0


def test_mongodb_is_away_when_it_passes(etld, sim, flow, own_mongodb):
    """Told when it is back, and once."""
    daemon = etld({"hourly": job_of(flow, seconds=4)}, uri=own_mongodb.uri + "&serverSelectionTimeoutMS=500").start()
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", ok=(FAILED,))
    own_mongodb.kill9()
    wait_for(lambda: daemon.jobs()["hourly"]["deadline"]["missed"], "the deadline")
    wait_for(lambda: daemon.status()["daemon"]["mongodb"]["state"] == "down", "down")
    assert alerts(daemon) == []
    own_mongodb.start()
    wait_alerts(daemon, 2)
    daemon.run("hourly", ok=(FAILED,))
    assert len(alerts(daemon)) == 2
