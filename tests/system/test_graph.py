# SPDX-License-Identifier: MIT
"""Jobs that wait for each other: what a failure means down the chain, and etlctl graph."""
import pytest

from flow import DAY, Flow
from wait import wait_for

NEVER = {"cron": "0 0 1 1 *"}
FAILED = 1


@pytest.fixture(name="flow")
def two_days(sim):
    return Flow(sim, span="24h", lookback="0s")


@pytest.fixture(name="make")
def daemon(etld, flow):
    """hourly -> daily -> report, and one that is alone."""
    def make(**more):
        jobs = flow.jobs(2)
        jobs["hourly"].update(schedule=NEVER, retry={"max": 0}, group="raw", **more)
        jobs["daily"].update(group="marts")
        del jobs["daily"]["schedule"]
        jobs["report"] = {**jobs["daily"], "after": ["daily"],
                          "extract": {"mongodb": {"collection": "daily",
                                                  "filter": {"station_id": "{station}"},
                                                  "time": {"field": "timestamp"}}}}
        jobs["report"]["load"] = {"mongodb": {"collection": "report", "mode": "upsert",
                                              "key": ["station_id", "timestamp"]}}
        jobs["alone"] = {**jobs["hourly"]}
        del jobs["alone"]["group"]
        return etld(jobs).start()
    return make


def graph(etld, *arguments):
    return etld.ctl("graph", *arguments).json


def nodes(etld, *arguments):
    return {n["name"]: n for n in graph(etld, *arguments)["nodes"]}


def test_a_failure_goes_down_the_chain(make, sim, flow, db):
    etld = make()
    assert {n: j["health"] for n, j in etld.jobs().items()} == dict.fromkeys(etld.jobs(), "ok")
    waits = nodes(etld)["daily"]["waits_for"]  # it waits, and nobody is ill
    assert (waits["job"], waits["culprit"]) == ("hourly", None)
    sim.fault("status", code=404, times=None)
    etld.run("hourly", ok=(FAILED,))
    # Nothing has moved: the others never started, and say why.
    assert {r["job"] for r in etld.runs()} == {"hourly"}
    jobs = etld.jobs()
    assert {n: jobs[n]["health"] for n in ("hourly", "daily", "report", "alone")} == {
        "hourly": "failing", "daily": "blocked", "report": "blocked", "alone": "ok"}
    first = flow.stations[0]
    assert jobs["daily"]["reason"].startswith(
        f"waits for window 2026-03-02T00:00:00Z of hourly/{first}; hourly is failing: ")
    assert jobs["report"]["reason"].startswith(
        f"waits for window 2026-03-02T00:00:00Z of daily/{first}; hourly is failing: ")
    # One station comes: the dependants try, and are blocked by what is missing.
    sim.clear_faults()
    sim.fault("status", code=404, times=None, station=flow.stations[1])
    etld.run("hourly", ok=(FAILED,))
    wait_for(lambda: {r["job"] for r in etld.runs()} == {"hourly", "daily", "report"}, "they ran")
    etld.wait_idle()
    jobs = etld.jobs()
    assert jobs["daily"]["health"] == jobs["report"]["health"] == "blocked"
    assert f"of hourly/{flow.stations[1]}, which is failed: " in jobs["daily"]["reason"]
    # All is there.
    sim.clear_faults()
    etld.run("hourly", ok=(0,))
    wait_for(lambda: {j["health"] for j in etld.jobs().values()} == {"ok"},
             lambda: {n: (j["health"], j["reason"]) for n, j in etld.jobs().items()})
    assert db["report"].count_documents({}) == 4
    assert {n["waits_for"] and n["waits_for"]["job"] for n in nodes(etld).values()} == {None}


def test_a_paused_upstream_blocks(make):
    etld = make()
    etld.ctl("pause", "hourly", "--reason", "moving house")
    job = etld.jobs()["report"]
    assert job["health"] == "blocked"
    assert job["reason"].endswith("; hourly is paused: moving house")


def test_graph(make):
    etld = make()
    shown = graph(etld)
    assert [(n["name"], n["depth"]) for n in shown["nodes"]] == [
        ("alone", 0), ("hourly", 0), ("daily", 1), ("report", 2)]
    assert [(e["from"], e["to"]) for e in shown["edges"]] == [
        ("hourly", "daily"), ("daily", "report")]
    daily = nodes(etld)["daily"]
    assert daily["group"] == "marts"
    assert daily["after"] == ["hourly"]
    assert daily["waits_for"]["window"] == {
        "start": "2026-03-02T00:00:00Z", "end": "2026-03-02T01:00:00Z"}
    assert set(nodes(etld, "daily")) == {"hourly", "daily", "report"}
    marts = graph(etld, "--group", "marts")
    assert [(n["name"], n["depth"]) for n in marts["nodes"]] == [("daily", 0), ("report", 1)]
    assert len(marts["edges"]) == 1
    assert set(nodes(etld, "hourly", "--group", "marts")) == {"daily", "report"}
    refused = etld.ctl("graph", "--group", "mart", ok=None)
    assert refused.code == 4
    assert "no job is in group 'mart'" in refused.err
    assert etld.ctl("graph", "dayly", ok=None).code == 4
    table = etld.ctl("graph", output="table").out.splitlines()
    assert table[0].split() == ["JOB", "GROUP", "STATE", "AFTER", "REASON"]
    assert table[3].startswith("  daily")
    assert table[4].startswith("    report")
    assert "waits for window 2026-03-02T00:00:00Z of hourly" in table[3]


def test_a_group_is_paused_and_goes_on(etld, flow, metadata):
    jobs = {name: {**flow.jobs(1)["hourly"], "schedule": NEVER, "group": group}
            for name, group in (("a", "stations"), ("b", "stations"), ("c", "others"))}
    daemon = etld(jobs).start()
    daemon.ctl("pause", "b")
    paused = daemon.ctl("pause", "--group", "stations", "--reason", "maintenance").json
    assert (paused["group"], paused["paused"], paused["changed"]) == ("stations", True, True)
    assert {j["job"]: j["changed"] for j in paused["jobs"]} == {"a": True, "b": False}
    daemon.stop()
    daemon.start()
    wait_for(lambda: {name for name, job in daemon.jobs().items() if job["paused"]} == {"a", "b"}, "the pauses")
    assert "maintenance" in daemon.ctl("why", "a").json["because"][0]
    table = daemon.ctl("resume", "--group", "stations", output="table").out.splitlines()
    assert sorted(table) == ["a goes on", "b goes on"]
    assert daemon.ctl("resume", "--group", "stations").json["changed"] is False
    assert metadata["audit"].count_documents({"what": "pause", "details.job": "a"}) == 1
    assert "no job is in group 'station'" in daemon.ctl("pause", "--group", "station", ok=(4,)).err
    for words in (["pause"], ["pause", "a", "--group", "stations"]):
        assert "one job is meant, or one group" in daemon.ctl(*words, ok=(2,)).err


def test_after_a_group(etld, flow, db):
    """The mart waits for all jobs of the group, and runs when the last one is there."""
    jobs = flow.jobs(1)
    for station in flow.stations:
        jobs[f"s{station}"] = {**jobs["hourly"], "partitions": {"station": [station]},
                               "schedule": NEVER, "group": "stations"}
    del jobs["hourly"]
    jobs["daily"]["after"] = ["group:stations"]
    daemon = etld(jobs).start()
    names = [f"s{s}" for s in flow.stations]
    assert sorted(nodes(daemon)["daily"]["after"]) == sorted(names)
    daemon.run(names[0], ok=(0,))
    wait_for(lambda: daemon.runs("daily"), "it looked")
    daemon.wait_idle()
    assert daemon.runs("daily")[0]["state"] == "blocked"
    assert f"of {names[1]}/" in daemon.jobs()["daily"]["reason"]
    daemon.run(names[1], ok=(0,))
    wait_for(lambda: daemon.runs("daily")[0]["state"] == "ok", lambda: daemon.runs("daily")[0])
    for station in flow.stations:
        flow.check_days(db["daily"], station, flow.start, flow.start + DAY)
