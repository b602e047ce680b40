# SPDX-License-Identifier: MIT
"""Hosts of sources: the breaker of one that fails, the wish of one to be left alone, and what
it bears. All of it holds over kill -9, and none of it needs a request to find out."""
import datetime as dt
import re
import threading

import pymongo
import pytest

from etld import Etld
from host_sim import HostSim
from wait import wait_for
from wireproxy import WireProxy

pytestmark = pytest.mark.daemon

NEVER = "0 0 1 1 *"  # these tests start the runs
FAILED = 1
USAGE = 2
BREAKER_OPENED = "9b57273aa7984c21980bff84cd5c2b63"
BREAKER_CLOSED = "324f3cd54438433a986b73f8837b288a"
LONG = {"failures": 3, "cool_down": "10m", "max_cool_down": "1h"}
SHORT = {"failures": 3, "cool_down": "1s", "max_cool_down": "1s"}


@pytest.fixture(name="host")
def a_host():
    with HostSim() as running:
        yield running


def job(host, n=1, timeout="30s", **more):
    """n partitions, each a request."""
    return {"schedule": {"cron": NEVER, "timeout": timeout, "max_active": 50}, "window": "none",
            "partitions": {"part": [f"p{i}" for i in range(n)]},
            "extract": {"http": {"url": host.url + "/{part}", "records": ""}}, "retry": {"max": 0},
            "load": {"mongodb": {"collection": "out", "mode": "upsert", "key": ["id"]}}, **more}


def limits(**rule):
    return {"limits": {"hosts": {"default": rule}}}


def kept(metadata, host, **fields):
    """The host's document once it has these values; dots lead into it."""
    def found():
        return metadata["sources"].find_one({"_id": host.name, **fields})
    return wait_for(found, lambda: f"{fields} in {list(metadata['sources'].find())}")


def codes(etld, metadata, name):
    """{error code: how many partitions} of the newest run."""
    (run, *_) = etld.runs(name)
    counts = {}
    for part in metadata["runs"].find_one({"run_id": run["run_id"]})["partitions"]:
        counts[part["error_code"]] = counts.get(part["error_code"], 0) + 1
    return counts


def set_rule(etld, **rule):
    etld.settings.update(limits(**rule))
    etld.write_settings()
    etld.ctl("reload")


def shown(etld):
    """The one host of status."""
    (found,) = etld.status()["hosts"]
    return found


def check_open(etld, host, metadata, reason):
    found = shown(etld)
    assert (found["host"], found["breaker"]["state"]) == (host.name, "open")
    assert reason in found["breaker"]["reason"]
    table = etld.ctl("status", output="table").out
    assert re.search(rf"host +{host.name} +\S open until .*{reason}", table), table
    etld.run("a", ok=(FAILED,))
    assert set(codes(etld, metadata, "a")) == {"http.breaker_open"}
    line = etld.log(ETL_RUN_ID=etld.runs("a")[0]["run_id"], ETL_PARTITION="p0")[0]
    for text in (host.name, reason, "until 20"):
        assert text in line["MESSAGE"]


def test_a_breaker_opens_survives_a_kill_and_is_closed_by_one_probe(etld, host, metadata):
    daemon = etld({"a": job(host, 6)}, config=limits(breaker=LONG)).start()
    assert daemon.status()["hosts"] == []
    host.down()
    daemon.run("a", ok=(FAILED,))
    assert codes(daemon, metadata, "a")["http.connect"] >= 3
    opened = daemon.wait_log(MESSAGE_ID=BREAKER_OPENED)
    assert opened["ETL_HOST"] == host.name and "http.connect" in opened["ETL_REASON"]
    doc = kept(metadata, host, **{"breaker.state": "open"})
    assert doc["breaker"]["failures"] >= 3 and doc["breaker"]["until"] > doc["updated_at"]
    host.up()
    check_open(daemon, host, metadata, "http.connect")

    daemon.kill9()
    daemon.start()
    check_open(daemon, host, metadata, "http.connect")
    assert host.count() == 0

    # A shorter rule shortens the pause that is under way.
    daemon.write_job("a", job(host, 6, retry={"max": 3, "backoff": "100ms"}))
    set_rule(daemon, breaker=SHORT)
    host.hold = threading.Event()
    daemon.ctl("run", "a")
    wait_for(lambda: host.count() == 1 and shown(daemon)["waiting"] == 5,
             lambda: f"one probe, five that wait: {host.asked} {daemon.status()['hosts']}")
    assert (shown(daemon)["breaker"]["state"], shown(daemon)["active"]) == ("half_open", 1)
    host.hold.set()
    daemon.wait_idle()
    assert daemon.runs("a")[0]["state"] == "ok"
    assert host.count() == 6
    assert daemon.wait_log(MESSAGE_ID=BREAKER_CLOSED)["ETL_HOST"] == host.name
    assert daemon.status()["hosts"] == []
    kept(metadata, host, **{"breaker.state": "closed", "breaker.failures": 0})


def test_a_failed_probe_opens_it_again(etld, host, metadata):
    host.say(503)
    daemon = etld({"a": job(host, retry={"max": 2, "backoff": "100ms"})},
                  config=limits(breaker={**SHORT, "failures": 1})).start()
    daemon.run("a", ok=(FAILED,))  # 503, refused, and after the pause the probe: 503
    assert host.count() == 2
    doc = kept(metadata, host, **{"breaker.openings": 2})
    assert doc["breaker"]["reason"] == "status 503"
    assert len(daemon.log(MESSAGE_ID=BREAKER_OPENED)) == 2


@pytest.mark.parametrize("status", [200, 400, 404, 429])
def test_answers_do_not_open_it(etld, host, status, metadata):
    """Unreadable data and refusals are no failures of the host."""
    host.body = b"<html>"
    host.say(status)
    daemon = etld({"a": job(host, 5)}, config=limits(breaker={**LONG, "failures": 1})).start()
    daemon.run("a", ok=(FAILED,))
    assert host.count() == 5
    assert daemon.status()["hosts"] == []
    assert metadata["sources"].count_documents({"breaker.state": {"$ne": "closed"}}) == 0


def test_a_wait_beyond_the_run_holds_the_host_for_the_next_ones(etld, host, metadata):
    host.say(429, {"Retry-After": "3600"}, times=1)
    daemon = etld({"a": job(host), "b": job(host, retry={"max": 3, "backoff": "100ms"})}).start()
    daemon.run("a", ok=(FAILED,))
    assert codes(daemon, metadata, "a") == {"http.throttled": 1}
    for name in ("a", "b"):
        daemon.run(name, ok=(FAILED,))
        assert codes(daemon, metadata, name) == {"http.host_held": 1}
    found = shown(daemon)
    assert found["breaker"]["state"] == "closed"
    assert "Retry-After" in found["hold_reason"]
    assert re.search(rf"host +{host.name} +\S held until ", daemon.ctl("status", output="table").out)
    until = kept(metadata, host, hold_until={"$exists": True})["hold_until"]
    left = until - dt.datetime.now(dt.timezone.utc)
    assert dt.timedelta(minutes=50) < left <= dt.timedelta(minutes=60)

    daemon.kill9()
    daemon.start()
    daemon.run("b", ok=(FAILED,))
    assert codes(daemon, metadata, "b") == {"http.host_held": 1}
    assert host.count() == 1


def test_an_operator_releases_a_host_that_is_held(etld, host, metadata):
    host.say(429, {"Retry-After": "3600"}, times=1)
    daemon = etld({"a": job(host)}).start()
    daemon.run("a", ok=(FAILED,))
    assert shown(daemon)["hold_reason"]
    assert daemon.ctl("host", "release", host.name).json["released"] is True
    assert daemon.run("a").json["run"]["state"] == "ok"
    assert host.count() == 2
    (told,) = wait_for(lambda: list(metadata["audit"].find({"what": "host release"})), "the audit")
    assert told["details"]["host"] == host.name and told["who"].startswith("uid ")
    for name in (host.name, "nowhere.example:1"):  # nothing to release any more, and never was
        answer = daemon.ctl("host", "release", name, ok=(USAGE,), output="table")
        assert name in answer.err and "etlctl status" in answer.err


def test_nothing_remaining_holds_the_host(etld, host, metadata):
    host.say(200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3600"}, times=1)
    daemon = etld({"a": job(host), "b": job(host)}).start()
    daemon.run("a", ok=(0,))
    daemon.run("b", ok=(FAILED,))
    assert codes(daemon, metadata, "b") == {"http.host_held": 1}
    assert host.count() == 1
    assert "X-RateLimit-Reset" in shown(daemon)["hold_reason"]


def test_a_short_hold_is_waited_for(etld, host):
    host.say(200, {"RateLimit": "limit=10, remaining=0, reset=2"}, times=1)
    daemon = etld({"a": job(host), "b": job(host)}).start()
    daemon.run("a", ok=(0,))
    daemon.run("b", ok=(0,))
    (first, _), (second, _) = host.asked
    assert second - first >= 2.0


def test_burst_then_rate_also_after_a_kill(etld, host, metadata):
    """Four go at once; the next one would be due in a minute, and a restart gives no new ones."""
    host.hold = threading.Event()
    daemon = etld({"a": job(host, 6), "b": job(host, 2, timeout="2s")},
                  config={"limits": {"hosts": {host.name: {"rate": "1/m", "burst": 4, "max_active": 9}}}})
    daemon.start()
    daemon.ctl("run", "a")
    wait_for(lambda: host.active == 4, lambda: f"four at once: {host.asked}")
    kept(metadata, host, full_at={"$exists": True})
    daemon.kill9()
    host.hold.set()
    daemon.start()
    daemon.run("b", ok=(FAILED,))  # it waits in vain, to its own end
    assert daemon.runs("b")[0]["reason"]
    assert host.count() == 4


def test_the_rate_keeps_requests_apart(etld, host):
    daemon = etld({"a": job(host, 6)}, config=limits(rate="5/s", burst=2)).start()
    daemon.run("a", ok=(0,))
    assert host.asked[-1][0] - host.asked[0][0] >= 4 / 5 - 0.2  # the first may come late
    assert host.most <= 6


def test_live_requests_go_before_those_of_a_backfill(etld, host):
    """One request at a time: those of the backfill came first and wait; the live one is served next."""
    day = dt.datetime.now(dt.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=2)
    old = job(host, 4, window={"size": "1d", "start": day.strftime("%Y-%m-%dT%H:%M:%SZ")})
    old["extract"]["http"]["time"] = {"field": "at"}
    live = job(host)
    live["partitions"] = {"part": ["live"]}
    daemon = etld({"old": old, "live": live}, config=limits(max_active=1)).start()
    host.hold = threading.Event()

    def waiting(n):
        def seen():
            return [h["waiting"] for h in daemon.status()["hosts"] if h["host"] == host.name] == [n]
        wait_for(seen, lambda: daemon.status()["hosts"])
    daemon.ctl("backfill", "old", "--from", day.strftime("%Y-%m-%d"), "--to",
               (day + dt.timedelta(days=1)).strftime("%Y-%m-%d"))
    waiting(3)
    daemon.ctl("run", "live")
    waiting(4)
    assert re.search(rf"host +{host.name} +\S closed; 4 requests wait, 1 out", daemon.ctl("status", output="table").out)
    host.hold.set()
    daemon.wait_idle()
    wait_for(lambda: host.count() == 5, lambda: host.asked)
    paths = [path for _, path in host.asked]
    assert paths[1] == "/live" and sorted(paths[:1] + paths[2:]) == [f"/p{i}" for i in range(4)]


def test_a_change_is_saved_when_mongodb_is_back(own_mongodb, host, tmp_path):
    """The breaker opens while there is nobody to be told."""
    uri = own_mongodb.uri + "&serverSelectionTimeoutMS=1000"
    host.hold = threading.Event()
    host.say(500)
    with Etld(uri, {"a": job(host)}, folder=tmp_path / "etld",
              config=limits(breaker={**LONG, "failures": 1})) as daemon:
        daemon.ctl("run", "a")
        wait_for(lambda: host.active == 1, "the request")
        own_mongodb.kill9()
        host.hold.set()
        daemon.wait_log(MESSAGE_ID=BREAKER_OPENED)
        wait_for(lambda: daemon.status()["daemon"]["mongodb"]["state"] == "down", "MongoDB is unreachable")
        own_mongodb.start()
        with pymongo.MongoClient(own_mongodb.uri, tz_aware=True) as client:
            doc = kept(client["etld_test_metadata"], host, **{"breaker.state": "open"})
        assert doc["breaker"]["reason"] == "status 500"


def test_our_own_slowness_is_no_failure_of_the_host(etld, host, mongodb):
    """A slow MongoDB pauses the transfer until its time is over: that opens no breaker."""
    host.body = [{"id": i, "text": "x" * 200} for i in range(60_000)]
    with WireProxy(mongodb.port) as proxy:
        daemon = etld({"a": job(host)}, uri=proxy.uri, config={
            "http": {"timeout": "2s"},
            "limits": {"memory": "1MiB", "workers": 1, "hosts": {"default": {"breaker": {**LONG, "failures": 1}}}}})
        daemon.start()
        proxy.fault("commitTransaction", "delay", every=1, seconds=3)
        daemon.run("a", ok=(FAILED,))
        (run,) = daemon.runs("a")
        assert "Operation timed out" in run["reason"]
        assert daemon.status()["hosts"] == []
        assert daemon.log(MESSAGE_ID=BREAKER_OPENED) == []
        # The same, not paused, is one.
        proxy.clear()
        host.hold = threading.Event()
        daemon.run("a", ok=(FAILED,))
        assert shown(daemon)["breaker"]["state"] == "open"
        assert "http.timeout" in shown(daemon)["breaker"]["reason"]
        host.hold.set()


def test_wrong_rules_are_refused(etld, host):
    daemon = etld({"a": job(host)}, config={"limits": {"hosts": {
        "https://api.example.org/": {"max_active": 2},
        "a.example.org": {"burst": 5},
        "b.example.org": {"breaker": {"cool_down": "1h", "max_cool_down": "5m"}},
        "c.example.org": {"breaker": {"failure": 5}}}}})
    answer = daemon.check()
    assert answer.code == 78
    for text in ("'https://api.example.org/' is no host", "`burst` without a `rate`",
                 "`max_cool_down` is shorter", "failures"):
        assert text in answer.out + answer.err
