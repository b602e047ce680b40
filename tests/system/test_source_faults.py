# SPDX-License-Identifier: MIT
"""What a source may answer instead of its data. Nothing of it closes a window, what is lost is
written down with its reason, and the other partition is loaded all the same."""
import datetime as dt
import re

import pytest

from airqino_sim import STATION_1, STATION_2, TOKEN_PATH
from flow import HOUR, Flow
from wait import wait_for

HOURS = 6
RETRIES = 2
# A span that cannot be read is asked for in halves, down to single windows.
HALVES = 2 * HOURS - 1
FAILED = 1
PARTLY_REJECTED = 5

# What is armed for the first station: the run's word for it, the status that it names, and
# how often the source is asked.
REFUSED = [
    ("401", {"kind": "status", "code": 401}, "http.auth", 401, 1),
    ("403", {"kind": "status", "code": 403}, "http.forbidden", 403, 1),
    ("404", {"kind": "status", "code": 404}, "http.not_found", 404, 1),
    # What a host asks for holds the other station too: test_hosts.py has a wait beyond the run.
    ("429 seconds", {"kind": "status", "code": 429, "retry_after": 1}, "http.throttled", 429, 1 + RETRIES),
    ("429 date", {"kind": "status", "code": 429, "retry_after_date": 2}, "http.throttled", 429, 1 + RETRIES),
    ("500", {"kind": "status", "code": 500}, "http.status", 500, 1 + RETRIES),
    ("503", {"kind": "status", "code": 503}, "http.status", 503, 1 + RETRIES),
    ("redirect", {"kind": "redirect", "location": "http://127.0.0.1:1/"}, "http.redirect", 302, 1),
    ("cut", {"kind": "truncate"}, "http.cut", 0, 1 + RETRIES),
    ("cut chunks", {"kind": "truncate_chunked"}, "http.cut", 0, 1 + RETRIES),
    ("empty object", {"kind": "empty_object"}, "json.records", 0, HALVES),
    ("null", {"kind": "null"}, "json.records", 0, HALVES),
    ("empty", {"kind": "empty"}, "http.empty", 0, HALVES),
    ("html", {"kind": "html"}, "http.not_json", 0, HALVES),
    ("text", {"kind": "text"}, "http.not_json", 0, HALVES),
]
# One row in the middle is spoilt: the words of its dead letter.
SPOILT = [
    ("lone_surrogate", "lone surrogate"),
    ("nan", "NaN"),
    ("bad_utf8", "UTF-8"),
    ("duplicate_key", "twice"),
    ("null_byte_key", "U+0000"),
    ("deep", "deep"),
]


@pytest.fixture(name="flow")
def hourly_flow(sim):
    return Flow(sim, span="24h", lookback="0s")


@pytest.fixture(name="make")
def daemon(etld, flow):
    def make(http=None, hosts=None, **more):
        more.setdefault("retry", {"max": RETRIES, "backoff": "100ms"})
        job = flow.hourly(flow.start + HOURS * HOUR, **more)
        return etld({"hourly": job}, config={"http": http or {}, "limits": {"hosts": hosts or {}}}).start()
    return make


WINDOW_PART = re.compile(r"start_date=[^&]+&end_date=[0-9-]+")


def states(metadata, station):
    return [e["state"] for _, e in Flow.ledger(metadata, "hourly", station)]


def partition(metadata, run_id, station):
    run = metadata["runs"].find_one({"run_id": run_id})
    (found,) = [p for p in run["partitions"] if p["partition"] == station]
    return found


def check_told(etld, metadata, code, status):
    """The reason is in `etlctl show`, in the log line's fields, in the runs collection and in
    the ledger, and it is the same."""
    (run,) = etld.runs("hourly")
    assert run["state"] == "partial"
    stored = partition(metadata, run["run_id"], STATION_1)
    assert (stored["state"], stored["error_code"], stored["http_status"]) == ("failed", code, status)
    reason = stored["reason"]
    assert reason
    shown = etld.ctl("show", run["run_id"], output="table").out
    assert reason[:60] in " ".join(shown.split()) or reason in etld.ctl("show", run["run_id"]).out
    line = etld.wait_log(ETL_RUN_ID=run["run_id"], ETL_PARTITION=STATION_1)
    assert line["ETL_ERROR_CODE"] == code
    assert line["ETL_HTTP_STATUS"] == status
    assert line["ETL_JOB"] == "hourly"
    assert line["ETL_WINDOW_START"] == "2026-03-02T00:00:00Z"
    assert reason in line["MESSAGE"]
    # Each window says what was asked for it.
    assert {WINDOW_PART.sub("", e["reason"]) for _, e in Flow.ledger(metadata, "hourly", STATION_1)} == {
        WINDOW_PART.sub("", reason)}
    return reason


def check_other(flow, db, metadata):
    assert Flow.processed(metadata, "hourly", STATION_2) == flow.start + HOURS * HOUR
    flow.check_hours(db["hourly"], STATION_2, flow.start, flow.start + HOURS * HOUR)


def check_recovers(etld, sim, flow, db, metadata):
    sim.clear_faults()
    etld.run("hourly", ok=(0,))
    for station in (STATION_1, STATION_2):
        flow.check_hours(db["hourly"], station, flow.start, flow.start + HOURS * HOUR)
        assert states(metadata, station) == ["loaded"] * HOURS
        assert Flow.processed(metadata, "hourly", station) == flow.start + HOURS * HOUR


@pytest.mark.parametrize("fault, code, status, asked", [pytest.param(*r[1:], id=r[0]) for r in REFUSED])
def test_refused(make, sim, flow, db, metadata, fault, code, status, asked):
    sim.fault(times=None, station=STATION_1, **fault)
    etld = make()
    etld.run("hourly", ok=(FAILED,))
    assert sim.count(station=STATION_1) == asked
    assert sim.count(station=STATION_2) == 1
    assert states(metadata, STATION_1) == ["failed"] * HOURS
    assert Flow.processed(metadata, "hourly", STATION_1) == flow.start
    assert db["hourly"].count_documents({"station_id": STATION_1}) == 0
    check_told(etld, metadata, code, status)
    check_other(flow, db, metadata)
    check_recovers(etld, sim, flow, db, metadata)


def test_connection_closed(make, sim, flow, db, metadata):
    sim.fault("close", times=None, station=STATION_1)
    etld = make()
    etld.run("hourly", ok=(FAILED,))
    # A request on a kept connection that closes is repeated once by libcurl.
    assert 1 + RETRIES <= sim.count(station=STATION_1) <= 2 * (1 + RETRIES)
    check_told(etld, metadata, "http.cut", 0)
    check_other(flow, db, metadata)
    check_recovers(etld, sim, flow, db, metadata)


def test_silence_longer_than_the_timeout(make, sim, flow, db, metadata):
    sim.fault("hang", times=None, station=STATION_1, seconds=600)
    etld = make(http={"timeout": "1s"})
    etld.run("hourly", ok=(FAILED,))
    check_told(etld, metadata, "http.timeout", 0)
    assert partition(metadata, etld.runs("hourly")[0]["run_id"], STATION_1)["requests"] == 1 + RETRIES
    check_other(flow, db, metadata)
    check_recovers(etld, sim, flow, db, metadata)


def test_silence_longer_than_the_step_may_take(make, sim, flow, db, metadata):
    sim.fault("hang", times=None, station=STATION_1, seconds=600)
    etld = make(timeouts={"extract": "1s"})
    etld.run("hourly", ok=(FAILED,))
    reason = check_told(etld, metadata, "step.timeout", 0)
    assert reason == "step extract passed its limit of 1s (timeouts.extract) after 1s"
    assert partition(metadata, etld.runs("hourly")[0]["run_id"], STATION_1)["requests"] == 1 + RETRIES
    check_other(flow, db, metadata)
    check_recovers(etld, sim, flow, db, metadata)


def test_a_step_does_not_pay_for_its_turn(make, sim, flow, db):
    """One request at a time, each slower than half of the limit: the second one's wait for the
    host is not the source's doing."""
    sim.fault("hang", times=None, seconds=2)
    etld = make(http={"timeout": "30s"}, hosts={"127.0.0.1": {"max_active": 1}},
                timeouts={"extract": "3s"}, retry={"max": 0})
    etld.run("hourly", ok=(0,))
    for station in (STATION_1, STATION_2):
        flow.check_hours(db["hourly"], station, flow.start, flow.start + HOURS * HOUR)


def test_silence_shorter_than_the_timeout(make, sim, flow, db, metadata):
    """The other partition does not wait for the slow one."""
    sim.fault("hang", station=STATION_1, seconds=4)
    etld = make(http={"timeout": "30s"})
    etld.ctl("run", "hourly")
    wait_for(lambda: Flow.processed(metadata, "hourly", STATION_2) == flow.start + HOURS * HOUR,
             "the other station", 3.5)
    assert Flow.processed(metadata, "hourly", STATION_1) == flow.start
    etld.wait_idle()
    assert etld.runs("hourly")[0]["state"] == "ok"
    check_other(flow, db, metadata)
    flow.check_hours(db["hourly"], STATION_1, flow.start, flow.start + HOURS * HOUR)


@pytest.mark.parametrize("kind, words", SPOILT)
def test_a_spoilt_row(make, sim, flow, db, metadata, kind, words):
    """Its neighbours are loaded, the row itself is a dead letter with position and reason. All are
    of one window: one that has nothing but a spoilt row fails, see test_run_counts.c."""
    sim.fault(kind, station=STATION_1)
    etld = make(window={"size": "6h"})
    etld.run("hourly", ok=(PARTLY_REJECTED,))
    (run,) = etld.runs("hourly")
    (letter,) = metadata["dead_letters"].find()
    assert words in letter["message"]
    assert letter["position"] == HOURS // 2
    assert (letter["job"], letter["partition"], letter["run_id"], letter["step"]) == \
        ("hourly", STATION_1, run["run_id"], "decode")
    assert letter["raw"]
    there = flow.documents(db["hourly"], STATION_1, flow.start, flow.start + HOURS * HOUR)
    lost = set(flow.hours(STATION_1, flow.start, flow.start + HOURS * HOUR)) - set(there)
    assert len(lost) == 1
    check_other(flow, db, metadata)
    line = etld.wait_log(ETL_RUN_ID=run["run_id"], ETL_REJECTED="1")
    assert line["ETL_JOB"] == "hourly"
    shown = etld.ctl("show", run["run_id"]).json
    assert shown["run"]["counts"]["rejected"] == 1
    # The source is in order again: asked for manually, the lost hour comes.
    etld.run("hourly", "--from", "2026-03-02", "--to", "2026-03-03", ok=(0,))
    flow.check_hours(db["hourly"], STATION_1, flow.start, flow.start + HOURS * HOUR)


def test_an_integer_beyond_doubles(make, sim, flow, db):
    sim.fault("big_integer", station=STATION_1)
    make().run("hourly", ok=(0,))
    (doc,) = db["hourly"].find({"count": {"$exists": True}})
    assert doc["count"] == 9007199254740993
    flow.check_hours(db["hourly"], STATION_1, flow.start, flow.start + HOURS * HOUR)


def test_a_row_from_the_future(make, sim, flow, db, metadata):
    sim.fault("future_row", times=None, station=STATION_1)
    etld = make()
    etld.run("hourly", ok=(PARTLY_REJECTED,))
    (letter,) = metadata["dead_letters"].find()
    assert "in the future" in letter["message"]
    assert Flow.processed(metadata, "hourly", STATION_1) == flow.start + HOURS * HOUR
    assert states(metadata, STATION_1) == ["loaded"] * HOURS
    newest = db["hourly"].find_one(sort=[("timestamp", -1)])["timestamp"]
    assert newest < dt.datetime.now(dt.timezone.utc)
    flow.check_hours(db["hourly"], STATION_1, flow.start, flow.start + HOURS * HOUR)
    # Read again it is the same letter.
    etld.run("hourly", "--from", "2026-03-02", "--to", "2026-03-03", ok=(PARTLY_REJECTED,))
    assert metadata["dead_letters"].count_documents({}) == 1


def test_it_recovers_within_the_run(make, sim, flow, db):
    for kind in ({"kind": "status", "code": 503}, {"kind": "truncate"}):
        sim.fault(station=STATION_1, **kind)
    etld = make()
    etld.run("hourly", ok=(0,))
    assert sim.count(station=STATION_1) == 2  # both faults struck the first request
    flow.check_hours(db["hourly"], STATION_1, flow.start, flow.start + HOURS * HOUR)


def test_a_throttled_source_is_left_alone(make, sim, flow, db):
    """Retry-After is longer than the backoff: it decides."""
    sim.fault("status", code=429, retry_after=3, station=STATION_1)
    etld = make()
    started = dt.datetime.now(dt.timezone.utc)
    etld.run("hourly", ok=(0,))
    assert dt.datetime.now(dt.timezone.utc) - started >= dt.timedelta(seconds=3)
    assert sim.count(station=STATION_1) == 2
    flow.check_hours(db["hourly"], STATION_1, flow.start, flow.start + HOURS * HOUR)


# ---- OAuth2 --------------------------------------------------------------------------------


def oauth(sim):
    return {"oauth2": {"grant": "password", "token_url": sim.token_url,
                       "client_id": sim.tokens.client_id, "client_secret": {"credential": "secret"},
                       "username": sim.tokens.username, "password": {"credential": "password"}}}


@pytest.fixture(name="authorised")
def daemon_with_token(etld, flow, sim):
    sim.require_auth = True

    def make():
        job = flow.hourly(flow.start + HOURS * HOUR, retry={"max": RETRIES, "backoff": "100ms"})
        job["extract"]["http"]["auth"] = oauth(sim)
        return etld({"hourly": job}, credentials={
            "secret": sim.tokens.client_secret, "password": sim.tokens.password}).start()
    return make


def test_a_revoked_token_is_fetched_again(authorised, sim, flow, db):
    etld = authorised()
    etld.run("hourly", ok=(0,))
    grants = sum(sim.tokens.grants.values())
    sim.tokens.revoke()
    etld.run("hourly", "--from", "2026-03-02", "--to", "2026-03-03", ok=(0,))
    assert sim.count(status=401) <= 2  # at most one for each station
    assert sum(sim.tokens.grants.values()) - grants <= 2
    assert [r["state"] for r in etld.runs("hourly")] == ["ok", "ok"]
    for station in (STATION_1, STATION_2):
        flow.check_hours(db["hourly"], station, flow.start, flow.start + HOURS * HOUR)


def test_401_with_a_fresh_token_is_final(authorised, sim, flow, db, metadata):
    """The token is fetched anew once; a second 401 is AUTH, and nobody asks on."""
    sim.fault("status", code=401, times=None, station=STATION_1)
    etld = authorised()
    etld.run("hourly", ok=(FAILED,))
    assert sim.count(station=STATION_1, status=401) == 2
    assert sim.count(path=TOKEN_PATH) <= 3
    check_told(etld, metadata, "http.auth", 401)
    check_other(flow, db, metadata)
    check_recovers(etld, sim, flow, db, metadata)


def test_the_token_service_refuses(authorised, sim, flow, db, metadata):
    sim.tokens.refuse = True
    etld = authorised()
    etld.run("hourly", ok=(FAILED,))
    (run,) = etld.runs("hourly")
    assert run["state"] == "failed"
    assert sim.count(station=STATION_1) == 0
    assert sim.count(path=TOKEN_PATH) <= 2
    line = etld.wait_log(ETL_RUN_ID=run["run_id"], ETL_PARTITION=STATION_1)
    assert "invalid_client" in line["MESSAGE"] or "credentials" in line["MESSAGE"]
    assert sim.tokens.password not in etld.stderr_tail(1000)
    assert states(metadata, STATION_1) == ["failed"] * HOURS
    sim.tokens.refuse = False
    check_recovers(etld, sim, flow, db, metadata)
