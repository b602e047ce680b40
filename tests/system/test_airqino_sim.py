# SPDX-License-Identifier: MIT
"""The AirQino simulator does what it promises: the other system tests lean on it."""
import gzip
import http.client
import json
import math
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from airqino_sim import DATA_PATH, TOKEN_PATH, AirqinoSim, epoch, short32, widen32  # noqa: E402

S1, S2 = "283164601", "283181971"
NOW = "2031-03-05T10:20:00Z"


def captured_year():
    folder = pathlib.Path(os.environ.get("ETLD_TEST_DATA", ROOT.parent / "shared" / "data"))
    path = folder / "airqino" / "283164601.json"
    if not path.exists():
        pytest.skip(f"the captured year is absent: {path}")
    return path


@pytest.fixture
def sim():
    with AirqinoSim(now=NOW) as running:
        yield running


def ask(sim, path, headers=None, body=None, method=None):
    """(status, headers, body bytes)"""
    request = urllib.request.Request(sim.url + path, data=body, headers=headers or {},
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def rows(sim, station=S1, start=None, end=None, names=("start_date", "end_date")):
    query = {}
    if start:
        query[names[0]] = start
    if end:
        query[names[1]] = end
    path = DATA_PATH + station + ("?" + urllib.parse.urlencode(query) if query else "")
    status, _, body = ask(sim, path)
    assert status == 200
    return json.loads(body)["data"]


def token(sim, **form):
    fields = {"grant_type": "password", "client_id": "etl", "client_secret": "sim-client-secret",
              "username": "reader", "password": "sim-password", **form}
    status, _, body = ask(sim, TOKEN_PATH, body=urllib.parse.urlencode(fields).encode())
    return status, json.loads(body)


# ---- data ------------------------------------------------------------------------------

def test_captured_year_is_served_as_it_was_captured():
    path = captured_year()
    wanted = json.loads(path.read_text())
    with AirqinoSim(data=path, now="2024-09-09T11:05:00Z") as sim:
        got = rows(sim)
        # The default is the last 365 days; its last row is the open hour of 11:00.
        assert got[0]["timestamp"] == wanted["data"][1]["timestamp"]
        assert got[:-1] == wanted["data"][1:]
        assert sim.truth(S1, "2023-09-10T11:00", "2024-09-10") == wanted["data"]
        _, _, body = ask(sim, DATA_PATH + S1)
        assert json.loads(body)["header"] == wanted["header"]


def test_captured_year_repeats_outside_its_span():
    with AirqinoSim(data=captured_year(), now="2026-01-01T00:00:00Z") as sim:
        first = sim.truth(S1, "2023-10-01", "2023-10-02")
        again = sim.truth(S1, "2024-09-30", "2024-10-01")  # 365 days later in a leap year
        assert first and [r["CO"] for r in first] == [r["CO"] for r in again]


def test_rows_have_the_shape_of_the_service(sim):
    got = rows(sim)
    stamps = [r["timestamp"] for r in got]
    assert stamps == sorted(set(stamps))
    assert 7000 < len(got) < 8760, "a year with gaps"
    assert stamps[-1] == "2031-03-05 10:00:00"
    assert stamps[0] >= "2030-03-05 11:00:00"
    without_rh = [r for r in got if "RH" not in r]
    assert 20 < len(without_rh) < 400
    for row in got:
        assert list(row)[0] == "timestamp" and len(row["timestamp"]) == 19
        assert row["timestamp"].endswith(":00:00")
        values = [v for k, v in row.items() if k != "timestamp"]
        assert all(isinstance(v, float) and math.isfinite(v) and short32(v) == v for v in values)
        assert row["PM2.5"] <= row["PM10"] + 0.01
    longest = max(epoch(b) - epoch(a) for a, b in zip(stamps, stamps[1:]))
    assert 9 * 3600 < longest <= 136 * 3600 * 2


def test_header_has_wrong_longitude(sim):
    _, _, body = ask(sim, DATA_PATH + S1)
    header = json.loads(body)["header"]
    assert header["station_name"] == "SMART188" and header["station_lon"] == widen32(0.05) > 0


def test_two_stations_are_never_equal(sim):
    one = {r["timestamp"]: r for r in rows(sim, S1)[:-1]}
    for other in (S2, "123", "124"):
        two = {r["timestamp"]: r for r in rows(sim, other)[:-1]}
        common = set(one) & set(two)
        assert len(common) > 3000
        assert all(one[t]["PM2.5"] != two[t]["PM2.5"] and one[t]["CO"] != two[t]["CO"]
                   for t in common)
    assert rows(sim, "123")[:-1] != rows(sim, "124")[:-1]


def test_station_2_is_off_at_night_for_weeks(sim):
    got = [epoch(r["timestamp"]) for r in rows(sim, S2)]
    gaps = [(b - a) // 3600 - 1 for a, b in zip(got, got[1:]) if b - a > 3600]
    assert gaps.count(11) >= 20 and gaps.count(42) >= 4


def test_same_seed_same_rows_other_seed_other_rows():
    with AirqinoSim(now=NOW) as a, AirqinoSim(now=NOW) as b, AirqinoSim(now=NOW, seed=2) as c:
        span = ("2031-03-01", "2031-03-03")
        assert a.truth(S1, *span) == b.truth(S1, *span)
        assert a.truth(S1, *span) != c.truth(S1, *span)


def test_window_both_names_and_bounds(sim):
    hours = [r["timestamp"][11:13] for r in sim.truth(S1, "2031-03-04T05:00", "2031-03-04T08:00")]
    assert hours == ["05", "06", "07"], "no gap stands here with this seed"
    wanted = {"[]": "05 06 07 08", "[)": "05 06 07", "(]": "06 07 08", "()": "06 07"}
    for bounds, text in wanted.items():
        sim.set_bounds(bounds)
        for names in (("start_date", "end_date"), ("dt_from_string", "dt_to_string")):
            got = rows(sim, S1, "20310304-0500", "20310304-0800", names)
            assert " ".join(r["timestamp"][11:13] for r in got) == text


def test_bad_requests(sim):
    assert ask(sim, DATA_PATH + "SMART188")[0] == 404
    assert ask(sim, DATA_PATH + S1 + "?start_date=2031-03-04")[0] == 400
    assert ask(sim, "/v3/other")[0] == 404


# ---- clock -----------------------------------------------------------------------------

def test_open_hour_changes_until_it_is_over(sim):
    span = ("20310305-1000", "20310305-1000")
    first, second = rows(sim, S1, *span), rows(sim, S1, *span)
    assert len(first) == len(second) == 1
    assert first[0]["PM2.5"] != second[0]["PM2.5"]
    assert sim.truth(S1, "2031-03-05T10:00", "2031-03-05T11:00") == []
    sim.clock.set("2031-03-05T10:59:59Z")
    assert rows(sim, S1, *span)[0]["PM2.5"] != second[0]["PM2.5"]
    sim.clock.set("2031-03-05T11:00:00Z")
    final = rows(sim, S1, *span)
    assert final == rows(sim, S1, *span) == sim.truth(S1, "2031-03-05T10:00", "2031-03-05T11:00")
    assert final[0]["PM2.5"] not in (first[0]["PM2.5"], second[0]["PM2.5"])


def test_the_future_is_never_served(sim):
    assert rows(sim, S1, "20310305-1100", "20320101-0000") == []
    sim.clock.advance(3 * 3600)
    got = rows(sim, S1, "20310305-1100", "20320101-0000")
    assert [r["timestamp"][11:13] for r in got] == ["11", "12", "13"]


def test_clock_can_run_and_follow_the_real_time():
    with AirqinoSim() as sim:
        real = epoch(rows(sim)[-1]["timestamp"])
        assert abs(real - sim.now.timestamp()) < 2 * 3600 + 136 * 3600
        sim.clock.set("2031-01-01T00:00:00Z", running=True)
        assert 0 <= (sim.now.timestamp() - epoch("2031-01-01T00:00:00Z")) < 60
        before = sim.now
        while sim.now == before:
            pass
        assert sim.now > before


def test_late_and_hidden_rows(sim):
    sim.set_late({S1: 2})
    assert rows(sim, S1)[-1]["timestamp"] == "2031-03-05 07:00:00"
    assert rows(sim, "123")[-1]["timestamp"] == "2031-03-05 10:00:00"
    sim.set_late(0)
    sim.hide("2031-03-04T05:00", "2031-03-04T07:00", S1)
    got = rows(sim, S1, "20310304-0400", "20310304-0800")
    assert [r["timestamp"][11:13] for r in got] == ["04", "07", "08"]
    sim.reveal()
    assert len(rows(sim, S1, "20310304-0400", "20310304-0800")) == 5


# ---- truth -----------------------------------------------------------------------------

def test_recalibration_changes_history(sim):
    span = ("20310301-0000", "20310302-2300")
    before = rows(sim, S1, *span)
    other = rows(sim, S2, *span)
    sim.recalibrate("2031-03-01", "2031-03-02", "CO", S1, factor=2.0, offset=-0.5)
    after = rows(sim, S1, *span)
    assert rows(sim, S2, *span) == other
    for b, a in zip(before, after):
        wanted = short32(b["CO"] * 2 - 0.5) if b["timestamp"] < "2031-03-02" else b["CO"]
        assert a["CO"] == wanted and a["PM2.5"] == b["PM2.5"]
    assert sim.truth(S1, "2031-03-01", "2031-03-03") == after


def test_daily_means_are_means_of_the_served_rows(sim):
    got = rows(sim, S1, "20310301-0000", "20310301-2300")
    mean = sim.daily_means(S1, "2031-03-01", "2031-03-02")["2031-03-01"]
    assert mean["samples"] == len(got) > 0
    assert mean["PM2.5"] == pytest.approx(sum(r["PM2.5"] for r in got) / len(got), rel=1e-12)
    assert sim.daily_means(S2, "2031-03-01", "2031-03-02") != \
        sim.daily_means(S1, "2031-03-01", "2031-03-02")


# ---- tokens ----------------------------------------------------------------------------

def test_auth_is_asked_for_and_tokens_run_out(sim):
    sim.require_auth = True
    assert ask(sim, DATA_PATH + S1)[::2] == (401, b"{}")
    status, answer = token(sim)
    assert status == 200 and answer["expires_in"] == 300 and answer["refresh_token"]
    bearer = {"Authorization": "Bearer " + answer["access_token"]}
    assert ask(sim, DATA_PATH + S1, bearer)[0] == 200
    sim.clock.advance(301)
    assert ask(sim, DATA_PATH + S1, bearer)[0] == 401
    status, again = token(sim, grant_type="refresh_token", refresh_token=answer["refresh_token"])
    assert status == 200
    assert ask(sim, DATA_PATH + S1, {"Authorization": "Bearer " + again["access_token"]})[0] == 200
    sim.tokens.revoke()
    assert ask(sim, DATA_PATH + S1, {"Authorization": "Bearer " + again["access_token"]})[0] == 401


def test_token_endpoint_refuses(sim):
    assert token(sim, password="wrong")[0] == 401
    assert token(sim, client_secret="wrong")[1]["error"] == "invalid_client"
    assert token(sim, grant_type="refresh_token", refresh_token="no")[1]["error"] == "invalid_grant"
    assert token(sim, grant_type="implicit")[1]["error"] == "unsupported_grant_type"
    _, answer = token(sim)
    sim.set_token({"refuse_refresh": True})
    assert token(sim, grant_type="refresh_token", refresh_token=answer["refresh_token"])[0] == 400
    sim.set_token({"as_string": True, "expires_in": 5})
    status, answer = token(sim, grant_type="client_credentials")
    assert status == 200 and answer["expires_in"] == "5" and "refresh_token" not in answer


# ---- misbehaviour ----------------------------------------------------------------------

@pytest.mark.parametrize("code", [401, 403, 404, 429, 500, 503])
def test_status_faults(sim, code):
    sim.fault("status", code=code, times=2, station=S1, retry_after=7)
    assert ask(sim, DATA_PATH + S2)[0] == 200
    for _ in range(2):
        status, headers, _ = ask(sim, DATA_PATH + S1)
        assert status == code and headers["Retry-After"] == "7"
    assert ask(sim, DATA_PATH + S1)[0] == 200


def test_retry_after_as_a_date_of_its_own_clock(sim):
    sim.fault("status", code=429, retry_after_date=60)
    assert ask(sim, DATA_PATH + S1)[1]["Retry-After"] == "Wed, 05 Mar 2031 10:21:00 GMT"


def test_faults_can_last(sim):
    sim.fault("status", code=500, times=None)
    assert [ask(sim, DATA_PATH + S1)[0] for _ in range(5)] == [500] * 5
    sim.clear_faults()
    assert ask(sim, DATA_PATH + S1)[0] == 200


@pytest.mark.parametrize("kind,wanted", [
    ("empty_object", b"{}"), ("null", b"null"), ("empty", b""), ("html", b"<!DOCTYPE html>"),
    ("text", b"Wrong ip address")])
def test_wrong_bodies_with_status_200(sim, kind, wanted):
    sim.fault(kind)
    status, _, body = ask(sim, DATA_PATH + S1)
    assert status == 200 and body[:15] == wanted[:15]


@pytest.mark.parametrize("kind,wanted", [
    ("big_integer", b"9007199254740993"), ("lone_surrogate", b'"\\ud800"'), ("nan", b":NaN"),
    ("bad_utf8", b"\xff\xfe"), ("duplicate_key", b'"index":1,"index":2'),
    ("future_row", b'"2031-03-07 10:00:00"'), ("deep", b'"deep":[[[')])
def test_one_bad_row(sim, kind, wanted):
    path = DATA_PATH + S1 + "?start_date=20310304-0000&end_date=20310304-0500"
    good = ask(sim, path)[2]
    sim.fault(kind)
    bad = ask(sim, path)[2]
    assert bad.count(wanted) == 1 and wanted not in good
    assert ask(sim, path)[2] == good


def test_truncated_bodies(sim):
    sim.fault("truncate", share=0.5)
    with pytest.raises(http.client.IncompleteRead) as error:
        ask(sim, DATA_PATH + S1)
    assert error.value.expected > 100_000
    sim.fault("truncate_chunked")
    with pytest.raises(http.client.IncompleteRead):
        ask(sim, DATA_PATH + S1)
    sim.fault("chunked")
    assert len(json.loads(ask(sim, DATA_PATH + S1)[2])["data"]) > 7000
    sim.fault("close")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(sim, DATA_PATH + S1)
    assert sim.count(status=0) == 1


def test_hang_is_cut_by_the_client_and_by_the_end(sim):
    sim.fault("hang", seconds=35, times=None)
    with pytest.raises(TimeoutError):
        connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=0.2)
        connection.request("GET", DATA_PATH + S1)
        connection.getresponse()


def test_gzip_only_where_it_is_accepted(sim):
    sim.gzip = True
    path = DATA_PATH + S1 + "?start_date=20310301-0000&end_date=20310302-0000"
    plain = ask(sim, path)
    packed = ask(sim, path, {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain[1] and packed[1]["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed[2]) == plain[2]


def test_redirect(sim):
    sim.fault("redirect", location="http://127.0.0.1:1/elsewhere")
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=20)
    connection.request("GET", DATA_PATH + S1)
    answer = connection.getresponse()
    assert answer.status == 302 and answer.headers["Location"] == "http://127.0.0.1:1/elsewhere"


# ---- control, users, program -----------------------------------------------------------

def post(sim, order):
    status, _, body = ask(sim, "/_control", body=json.dumps(order).encode())
    return status, json.loads(body)


def test_control_endpoint(sim):
    status, state = post(sim, {"now": "2031-04-01T00:30:00Z", "require_auth": True,
                               "bounds": "[)", "fault": {"kind": "nan", "station": S1}})
    assert status == 200 and state["now"] == "2031-04-01T00:30:00Z" and state["bounds"] == "[)"
    assert ask(sim, DATA_PATH + S2 + "?start_date=20310331-0000")[0] == 401
    state = json.loads(ask(sim, "/_control")[2])
    assert state["counts"] == [{"path": DATA_PATH.rstrip("/"), "station": S2, "status": 401, "n": 1}]
    assert state["queries"][0]["query"] == {"start_date": ["20310331-0000"]}
    assert sim.count(station=S2) == sim.count(status=401) == 1
    assert post(sim, {"advance": 60})[1]["now"] == "2031-04-01T00:31:00Z"
    assert post(sim, {"nonsense": 1})[0] == 400
    assert post(sim, {"fault": {"kind": "nonsense"}})[0] == 400
    assert post(sim, ["now"])[0] == 400


def test_control_can_be_closed():
    with AirqinoSim(now=NOW, control=False) as sim:
        assert ask(sim, "/_control")[0] == 404


def test_users(sim):
    status, headers, body = ask(sim, "/users")
    people = json.loads(body)
    assert status == 200 and [p["id"] for p in people] == list(range(1, 11))
    assert people[0]["address"]["geo"]["lat"] and people[0]["company"]["name"]
    assert ask(sim, "/users", {"If-None-Match": headers["ETag"]})[0] == 304


def test_as_a_program():
    program = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "lib" / "airqino_sim.py"), "--now", NOW, "--control"],
        stdout=subprocess.PIPE, text=True)
    try:
        line = program.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        with urllib.request.urlopen(line.split()[-1] + DATA_PATH + S1, timeout=20) as answer:
            assert len(json.load(answer)["data"]) > 7000
    finally:
        program.terminate()
        program.wait(20)
