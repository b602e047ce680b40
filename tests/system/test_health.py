# SPDX-License-Identifier: MIT
"""Health is the ledger's: what failed stays failed until it is loaded, whatever a small good run says,
over restarts, in status, --check, metrics and graph alike; and MongoDB unreachable is not ok."""
import re
import socket

import pymongo
import pytest

from flow import HOUR, Flow, iso
from mongodb import MongoServer
from wait import wait_for

FAILED = 1
NEVER = {"cron": "0 0 1 1 *"}
HOURLY = {"cron": "0 * * * *"}


@pytest.fixture(name="flow")
def hourly_flow(sim):
    return Flow(sim, span="24h", lookback="0s")


def job_of(flow, hours=3, schedule=None):
    job = flow.hourly(flow.start + hours * HOUR, retry={"max": 0})
    return {**job, "schedule": schedule or NEVER}


def metric(daemon, name):
    text = daemon.ctl("metrics", output="table").out
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    assert found, f"{name} is not in\n{text}"
    return float(found.group(1))


def shown(daemon):
    job = daemon.jobs()["hourly"]
    return job["health"], job["windows"]["failed"], job["windows"]["held"]


def say_the_same(daemon, word, failed, code):
    """One function behind all of them."""
    assert shown(daemon)[:2] == (word, failed), daemon.jobs()["hourly"]
    assert daemon.ctl("status", "--check", ok=None).code == code
    assert daemon.ctl("status", "hourly", "--check", ok=None).code == code
    assert metric(daemon, f'etld_jobs{{health="{word}"}}') == 1
    assert metric(daemon, 'etld_windows_open{state="failed"}') == failed
    assert [n["health"] for n in daemon.ctl("graph").json["nodes"]] == [word]
    assert daemon.ctl("why", "hourly").json["health"] == word


def test_a_small_good_run_hides_nothing(etld, sim, flow, metadata):
    daemon = etld({"hourly": job_of(flow)}).start()
    assert daemon.jobs()["hourly"]["last_run"] is None
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", ok=(FAILED,))
    say_the_same(daemon, "failing", 6, FAILED)
    assert daemon.jobs()["hourly"]["reason"].startswith("6 windows have failed, the oldest: ")
    sim.clear_faults()
    daemon.run("hourly", "--window", iso(flow.start), ok=(0,))
    say_the_same(daemon, "failing", 4, FAILED)
    station = flow.stations[0]
    daemon.run("hourly", "--partition", f"station={station}", ok=(0,))
    say_the_same(daemon, "failing", 2, FAILED)
    marks = {m["partition"]: m for m in daemon.jobs()["hourly"]["watermarks"]}
    assert [m["windows"]["failed"] for m in marks.values()] == [0, 2]
    # From the first second after a restart, the last run too; and beside another daemon.
    last = daemon.jobs()["hourly"]["last_run"]
    daemon.stop()
    daemon.start()
    say_the_same(daemon, "failing", 2, FAILED)
    again = daemon.jobs()["hourly"]["last_run"]
    assert {k: again[k] for k in ("run_id", "state")} == {k: last[k] for k in ("run_id", "state")}
    assert last["state"] == "ok"
    # Windows that the job has no more are nobody's business.
    daemon.stop()
    daemon.write_job("hourly", {**job_of(flow), "window": {
        **job_of(flow)["window"], "start": iso(flow.start + 2 * HOUR)}})
    daemon.start()
    assert shown(daemon)[:2] == ("failing", 1)
    daemon.run("hourly", ok=(0,))
    say_the_same(daemon, "ok", 0, 0)
    assert metadata["windows"].count_documents({"state": "failed"}) == 1


def test_late_by_is_counted_from_the_slot(etld, sim, flow):
    """The first window ended months ago, and each hour had a slot for it."""
    daemon = etld({"hourly": job_of(flow, schedule=NEVER)}).start()
    sim.fault("status", code=404, times=None)
    daemon.run("hourly", ok=(FAILED,))
    assert daemon.jobs()["hourly"]["late_by_s"] == 0  # its next slot is in January
    daemon.write_job("hourly", job_of(flow, schedule=HOURLY))
    daemon.ctl("reload")
    job = daemon.jobs()["hourly"]
    # final 70 minutes after 01:00, so due at 03:00 of 2 March 2026
    assert job["late_by_s"] > 24 * 3600
    assert metric(daemon, "etld_late_max_seconds") >= job["late_by_s"]
    assert all(m["late_by_s"] > 24 * 3600 for m in job["watermarks"])


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_unreachable_is_not_ok_and_says_why(etld, flow, mongodb):
    host = re.search(r"//([^/?]+)", mongodb.uri).group(1).split("@")[-1].split(",")[0]
    name = re.search(r"replicaSet=(\w+)", mongodb.uri)
    cases = [(f"127.0.0.1:{closed_port()}", "", "connection refused"),
             ("nowhere.invalid:27017", "", "no such host")]
    if name:
        cases.append((host, "&replicaSet=other",
                      f"wrong replica set (it is '{name.group(1)}', the URI says 'other')"))
    for at, options, reason in cases:
        daemon = etld({"hourly": job_of(flow)},
                      uri=f"mongodb://{at}/?serverSelectionTimeoutMS=500{options}").start()
        wait_for(lambda d=daemon, r=reason: r in d.jobs()["hourly"]["reason"],
                 lambda d=daemon: f"{d.jobs()['hourly']}")
        assert daemon.jobs()["hourly"]["health"] == "unreachable"
        assert daemon.ctl("status", "--check", ok=None).code == FAILED
        assert metric(daemon, 'etld_jobs{health="unreachable"}') == 1
        assert reason in daemon.status()["daemon"]["mongodb"]["reason"]
        told = daemon.wait_log(MESSAGE_ID="01cfd15bec1d4802b7267a21002bed38")
        assert reason in told["MESSAGE"]
        daemon.stop()


class Guarded(MongoServer):
    """Asks for users once it is told to."""
    asks = False

    def argv(self):
        return super().argv() + (["--auth"] if self.asks else [])


def test_a_wrong_password_is_told(etld, flow, tmp_path):
    server = Guarded(tmp_path / "guarded")
    if server.external:
        pytest.skip("ETLD_TEST_MONGODB_URI names a server that is not ours to stop")
    with server:
        with pymongo.MongoClient(server.uri) as client:
            client.admin.command("createUser", "etl", pwd="right", roles=["root"])
        server.stop()
        server.asks = True
        server.start()
        daemon = etld({"hourly": job_of(flow)})
        daemon.settings["mongodb"]["uri"] = {"file": str(tmp_path / "uri")}
        daemon.write_settings()
        for password, state in (("wrong", "down"), ("right", "up")):
            uri = server.uri.replace("//", f"//etl:{password}@").replace("/?", "/?authSource=admin&")
            (tmp_path / "uri").write_text(uri)
            (tmp_path / "uri").chmod(0o600)
            daemon.start()
            wait_for(lambda s=state: daemon.status()["daemon"]["mongodb"]["state"] == s, daemon.stderr_tail)
            if state == "down":
                assert "authentication failed" in daemon.status()["daemon"]["mongodb"]["reason"]
                assert daemon.jobs()["hourly"]["health"] == "unreachable"
                assert "authentication failed" in daemon.jobs()["hourly"]["reason"]
                assert daemon.ctl("status", "--check", ok=None).code == FAILED
            assert password not in daemon.ctl("status").out + daemon.stderr_tail()
            daemon.stop()
