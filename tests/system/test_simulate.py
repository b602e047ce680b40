# SPDX-License-Identifier: MIT
"""etlctl simulate: the same slots as etlctl next, with this host's jitter; clock changes,
collisions, loads, limits. Nothing is run."""
import datetime as dt

import pytest


def job(cron, zone="UTC", host="api.example.org", **more):
    return {"schedule": {"cron": cron, "timezone": zone, **more.pop("schedule", {})}, "window": "none",
            "extract": {"http": {"url": f"https://{host}/x", "records": "/data"}}, "load": {"null": {}}, **more}


JOBS = {
    "paris": job("30 2 * * *", "Europe/Paris"),
    "howe": job("*/15 * * * *", "Australia/Lord_Howe", host="other.example.org"),
    "often": job("*/10 * * * *", schedule={"jitter": "5m"}, group="fast", partitions={"p": ["1", "2", "3"]}),
    "later": {**job("0 0 1 1 *"), "schedule": None, "after": ["paris"]},
    "daily": job("0 6 * * *", "America/New_York", group="fast"),
}
del JOBS["later"]["schedule"]


@pytest.fixture(name="daemon")
def a_daemon(etld):
    daemon = etld(JOBS, config={"limits": {"max_active": 3, "hosts": {"api.example.org": {"max_active": 4}}}})
    daemon.start()
    return daemon


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def simulate(daemon, *arguments):
    return daemon.ctl("simulate", *arguments, "-n", "10000").json


def test_agrees_with_next(daemon):
    """Through a year, both nights of both zones in it."""
    for name in ("paris", "howe", "often", "daily"):
        found = simulate(daemon, name, "--from", "2026-03-01", "--to", "2026-11-10")
        slots = [s["slot"] for s in found["slots"]]
        assert found["total"] >= len(slots) and found["cut_at"] is None
        said = daemon.ctl("next", name, "--from", "2026-03-01", "-n", len(slots)).json["slots"]
        assert said == slots, name
        assert found["total"] in (len(slots), 24384, 36576)  # every quarter of an hour, every ten minutes


def test_jitter_is_that_of_the_runs(daemon):
    found = simulate(daemon, "often")
    shifts = {instant(s["fires_at"]) - instant(s["slot"]) for s in found["slots"]}
    assert len(shifts) == 1 and dt.timedelta(0) <= shifts.pop() < dt.timedelta(minutes=5)
    assert len(found["slots"]) == 144  # a day, if nothing is said


def test_the_clocks_of_paris(daemon):
    spring = simulate(daemon, "--from", "2026-03-28T12:00Z", "--to", "2026-03-29T12:00Z")
    told = {c["job"]: c for c in spring["clocks"]}
    assert set(told) == {"paris"} and told["paris"]["kind"] == "moved"
    assert told["paris"]["slot"] == "2026-03-29T01:00:00Z" and "02:30 does not exist" in told["paris"]["text"]
    slot = next(s for s in spring["slots"] if s["job"] == "paris")
    assert slot["slot"] == "2026-03-29T01:00:00Z" and slot["local"] == "2026-03-29T03:00:00+02:00"
    autumn = simulate(daemon, "--from", "2026-10-24T12:00Z", "--to", "2026-10-25T12:00Z")
    assert [(c["job"], c["kind"]) for c in autumn["clocks"]] == [("paris", "once")]
    howe = simulate(daemon, "--from", "2026-04-04T00:00Z", "--to", "2026-04-05T12:00Z")
    assert [(c["job"], c["kind"]) for c in howe["clocks"]] == [("howe", "twice")]


def test_loads_and_collisions(daemon):
    found = simulate(daemon, "--from", "2026-07-01", "--to", "2026-07-02")
    assert found["jobs"] == 5 and found["without_slots"] == 1 and found["max_active"] == 3
    hosts = {h["host"]: h for h in found["hosts"]}
    assert hosts["api.example.org"]["requests"] == 144 * 3 + 2 and hosts["api.example.org"]["max_active"] == 4
    assert hosts["other.example.org"]["runs"] == 96 and hosts["other.example.org"]["hour_peak"] == 4
    assert found["busiest"][0]["starts"] <= 3 and found["collisions"] == []
    fast = simulate(daemon, "--group", "fast", "--from", "2026-07-01", "--to", "2026-07-02")
    assert fast["jobs"] == 2 and {s["job"] for s in fast["slots"]} == {"often", "daily"}


def test_paused_jobs_are_left_out(daemon):
    daemon.ctl("pause", "often")
    found = simulate(daemon)
    assert found["paused"] == 1 and "often" not in {s["job"] for s in found["slots"]}
    assert simulate(daemon, "often")["total"] == 144


def test_limits(daemon):
    assert daemon.ctl("simulate", "--from", "2026-01-01", "--to", "2027-03-01", ok=(2,)).err
    assert daemon.ctl("simulate", "--from", "2026-01-02", "--to", "2026-01-01", ok=(2,)).err
    assert daemon.ctl("simulate", "--from", "soon", ok=(2,)).err
    assert "did you mean" in daemon.ctl("simulate", "parsi", ok=(4,)).err
    assert "no job is in group 'none'" in daemon.ctl("simulate", "--group", "none", ok=(4,)).err
    assert daemon.ctl("simulate", "--from", "2026-01-01", "--to", "2027-01-01").json["cut_at"] is None


def test_too_many_slots_are_cut(etld):
    daemon = etld({"every_second": job("* * * * * *"), "hourly": job("0 * * * *")})
    daemon.start()
    found = daemon.ctl("simulate", "--from", "2026-01-01", "--to", "2026-02-01").json
    assert found["total"] == 200_000 and found["cut_at"] and len(found["slots"]) == 20
    assert found["collisions_total"] > len(found["collisions"]) == 1000
    assert "cut at" in daemon.ctl("simulate", "--from", "2026-01-01", "--to", "2026-02-01", output="table").out


def test_table(daemon):
    out = daemon.ctl("simulate", "--from", "2026-03-29", "--to", "2026-03-30", "-n", "3", output="table").out
    assert "slots: 242, of 5 jobs, from 2026-03-29 00:00Z to 2026-03-30 00:00Z\nplaces for runs: 3\n" in out
    assert "paris: the clocks of Europe/Paris go forward" in out
    assert "2026-03-29T01:00:00Z" in out and "more slots (-n lists more)" in out


def test_without_mongodb_and_without_a_daemon(etld, own_mongodb):
    daemon = etld(JOBS, uri=own_mongodb.uri + "&serverSelectionTimeoutMS=500")
    own_mongodb.stop()
    daemon.start(wait=False)
    daemon.wait_answer()
    assert simulate(daemon)["total"] > 0
    daemon.stop()
    assert "simulate needs the daemon" in daemon.ctl("simulate", ok=(3,)).err
