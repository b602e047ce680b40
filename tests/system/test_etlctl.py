# SPDX-License-Identifier: MIT
"""etlctl against a control socket with canned answers: tables, JSON, exit statuses, words."""
import json
import os
import pathlib
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from fake_etld import HANG_UP, SILENCE, SERVICE, FakeEtld, error  # noqa: E402
from wait import wait_for  # noqa: E402

ETLCTL = ROOT / os.environ.get("ETLD_BUILD", "build") / "etlctl"
NOW = "2026-07-01T12:10:00.000Z"
RUN_ID = "0197c5d2-7a10-7b3c-9f00-4f1c2a9b3d5e"
LIMIT = 120

JOB = {
    "name": "airqino", "description": "Hourly air quality", "health": "late", "reason": "no data since 08:00",
    "paused": False, "next": "2026-07-01T13:10:00Z", "guarantee": "effectively-once", "running": None,
    "queued": False,
    "last_run": {"run_id": RUN_ID, "state": "ok", "started": "2026-07-01T11:10:00Z",
                 "ended": "2026-07-01T11:10:05Z", "reason": ""},
    "watermarks": [
        {"partition": "station=1", "watermark": "2026-07-01T10:00:00Z", "lag_s": 7800, "late_by_s": 0,
         "windows": {}},
        {"partition": "station=2", "watermark": "2026-07-01T08:00:00Z", "lag_s": 15000,
         "late_by_s": 10800, "windows": {"failed": 1}}],
    "windows": {"open": 2, "failed": 1, "held": 0, "dirty": 0}, "late_by_s": 10800, "deadline": None, "elsewhere": None,
}
FINE = {**JOB, "name": "daily", "health": "ok", "reason": "", "watermarks": [], "last_run": None, "late_by_s": 0,
        "windows": {"open": 0, "failed": 0, "held": 0, "dirty": 0}}
STATUS = {
    "schema": "etl.status/1", "generated_at": NOW,
    "daemon": {
        "version": "0.1.0", "pid": 42, "started": "2026-07-01T09:00:00Z", "uptime_s": 11400,
        "state": "ready", "reason": "",
        "config": {"generation": 3, "loaded_at": "2026-07-01T09:00:00Z", "path": "/etc/etld/etld.yaml", "error": None,
                   "loading": False, "left_out": 0},
        "mongodb": {"state": "up", "topology": "replica set rs0", "reason": "", "guarantee": "effectively-once"},
        "unsaved": {"entries": 0, "oldest_s": 0.0},
        "workers": {"busy": 1, "total": 4, "blocked": 0}, "active_runs": 1, "timers": 7, "loop_turns": 900,
        "long_turns": {"count": 1, "longest_s": 0.012, "at": "reload"}},
    "hosts": [], "jobs": [JOB, FINE],
}
COUNTS = {"in": 24, "rejected": 0, "out": 24, "inserted": 20, "updated": 3, "unchanged": 1}
RUN = {
    "_id": RUN_ID, "run_id": RUN_ID, "job": "airqino", "trigger": "schedule", "state": "ok", "reason": "", "cause": "",
    "host": "db1", "generation": 3, "fence": 17, "attempt": 1, "slot": "2026-07-01T11:10:00Z",
    "started": "2026-07-01T11:10:00Z", "ended": "2026-07-01T11:10:05Z", "duration_ms": 5250,
    "window": {"start": "2026-07-01T09:00:00Z", "end": "2026-07-01T11:00:00Z"}, "target": "etl.hourly",
    "counts": COUNTS, "windows": {"loaded": 2, "empty": 1, "failed": 0}, "warnings": 2, "warned": [], "rejects": [],
    "steps": [{"name": "plan", "visits": 1, "duration_us": 1500}, {"name": "extract", "visits": 2, "duration_us": 4200000}],
    "partitions": [
        {"partition": "station=1", "state": "ok", "windows": {"loaded": 2, "empty": 1, "failed": 0}, "counts": COUNTS,
         "reason": "", "error_kind": "", "error_code": "", "http_status": 0, "requests": 2, "bytes": 9000, "warnings": 2},
        {"partition": "station=2", "state": "failed", "windows": {"loaded": 0, "empty": 0, "failed": 3}, "counts": {},
         "reason": "the service refused us", "error_kind": "auth", "error_code": "http.status", "http_status": 401,
         "requests": 1, "bytes": 12}],
}


def envelope(name, **members):
    return [{"parameters": {"schema": f"etl.{name}/1", "generated_at": NOW, **members}}]


LETTER = {"object": None, "id": "a" * 32, "job": "airqino", "partition": "station=1", "run_id": RUN_ID,
          "window": {"start": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z"}, "step": "check",
          "at": "2026-07-01T12:00:00Z", "first_at": "2026-07-01T11:00:00Z", "times": 1, "time": "2026-07-01T10:20:00Z",
          "position": 7}
VIOLATION = {"rule": "range", "path": "v", "message": "5000 is above 100"}
AGAIN = "etlctl run airqino --from 2026-07-01T10:00:00Z --to 2026-07-01T11:00:00Z"
CHANGED = {"partition": "station=1", "kind": "set", "changed": True, "from": "2026-07-01T03:00:00Z",
           "to": "2026-07-01T10:00:00Z", "windows": 7}
ANSWERS = {
    "Status": [{"parameters": STATUS}],
    "Jobs": envelope("jobs", jobs=[{
        "name": "airqino", "description": "Hourly air quality", "schedule": "10 * * * *", "timezone": "UTC",
        "source": "http", "sink": "mongodb", "partitions": 2, "paused": True, "enabled": True,
        "group": None, "left_out": None}]),
    "Next": envelope("next", job="airqino", timezone="UTC", left_out=None, slots=["2026-07-01T13:10:00Z", "2026-07-01T14:10:00Z"],
                     local=["2026-07-01T13:10:00Z", "2026-07-01T14:10:00Z"]),
    "Run": envelope("run", run_id=RUN_ID, job="airqino", state="queued"),  # with `more`: finished()
    "Runs": envelope("runs", runs=[RUN, {**RUN, "state": "failed", "reason": "401", "job": "daily"}]),
    "Show": envelope("show", run=RUN, decisions=[
        {"decision": "accept", "partition": "2", "start": "2026-07-01T10:00:00Z", "at": "2026-07-01T11:50:00Z",
         "who": "uid 0 (pid 7)", "reason": "noise"}]),
    "Windows": envelope(
        "windows", job="airqino", truncated=False,
        windows=[{"partition": "station=1", "start": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z",
                  "state": "failed", "dirty": False, "attempt": 3, "run_id": RUN_ID, "counts": {"in": 0},
                  "reason": "HTTP 500", "updated": "2026-07-01T11:10:00Z", "definition": None, "target": None,
                  "stale": None},
                 {"partition": "station=1", "start": "2026-06-01T10:00:00Z", "end": "2026-06-01T11:00:00Z",
                  "state": "loaded", "dirty": True, "attempt": 1, "run_id": RUN_ID, "counts": COUNTS,
                  "reason": "late data", "updated": "2026-07-01T11:10:00Z", "definition": "0100000000000001",
                  "target": "etl.hourly", "stale": None}],
        summary=[{"partition": "station=1", "watermark": "2026-07-01T10:00:00Z", "loaded": 4242, "empty": 7,
                  "failed": 1, "held": 0, "open": 1, "dirty": 1, "missing": 0, "stale": 3,
                  "unknown": 0}]),
    "WatermarkShow": envelope("watermark", job="airqino", watermarks=[{
        "partition": "station=1", "watermark": "2026-07-01T10:00:00Z", "origin": "2023-01-01T00:00:00Z", "lag_s": 7800,
        "window_s": 3600, "updated": "2026-07-01T11:10:05Z", "run_id": RUN_ID, "fence": 17}]),
    "WatermarkHistory": envelope("watermark_history", job="airqino", changes=[
        {"change_id": RUN_ID, "command_id": RUN_ID, "at": "2026-07-01T12:00:00Z", "who": "uid 1000 (pid 7)",
         "kind": "rewind", "partition": "station=1", "from": "2026-07-01T10:00:00Z", "to": "2026-06-01T00:00:00Z",
         "reached": "2026-06-01T00:00:00Z", "windows": 730, "reason": "recalibrated", "state": "done",
         "undoes": None, "undone_by": None},
        {"change_id": "0" + RUN_ID[1:], "command_id": RUN_ID, "at": "2026-07-01T11:00:00Z", "who": "uid 0 (pid 7)",
         "kind": "accept", "partition": "station=2", "from": "2026-07-01T10:00:00Z", "to": "2026-07-01T11:00:00Z",
         "reached": "2026-07-01T11:00:00Z", "windows": 1, "reason": "noise", "state": "done", "undoes": None,
         "undone_by": None, "window": {"start": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z"}, "run_id": RUN_ID}]),
    "DeadList": envelope(
        "dead_list", job=None, run_id=None, partition=None, window=None, total=1234, total_is_least=False,
        rules=[{"step": "check", "rule": "range", "n": 1200}, {"step": "decode", "rule": "json", "n": 34}],
        letters=[{**LETTER, **VIOLATION}, {**LETTER, **VIOLATION, "id": "b" * 32, "window": None, "times": 3}],
        truncated=True, before="b" * 32, again=AGAIN),
    "DeadShow": envelope("dead_show", letter={
        **LETTER, "violations": [VIOLATION], "raw_form": "text", "raw": "a\nb", "raw_bytes": 3, "raw_cut": True,
        "raw_base64": None}, again=AGAIN),
    "WatermarkSet": envelope("watermark_change", job="airqino", kind="set", dry_run=False, reason="x", windows=7,
                             partitions=[CHANGED, {**CHANGED, "partition": "station=2", "changed": False,
                                                   "windows": 0, "to": CHANGED["from"]}]),
    "WindowsAccept": envelope("decision", job="airqino", decision="accept", partition="station=1", state="skipped", object=None,
                              window={"start": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z"},
                              was={"state": "failed", "reason": "every record was rejected", "run_id": RUN_ID},
                              reason="noise", watermark="2026-07-01T12:00:00Z", change_id=RUN_ID),
    "HeldList": envelope("held", truncated=False, held=[{
        "job": "airqino", "partition": "station=1", "start": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z", "object": None,
        "since": "2026-07-01T11:10:00Z", "state": "held", "run_id": RUN_ID, "attempt": 2, "reason": "check range: CO is 1000, above 100",
        "checks": [{"check": "range", "field": "CO", "value": "1000", "limit": "max 100", "released": True},
                   {"check": "freshness", "field": "", "value": "5h", "limit": "3h", "released": False}],
        "more_checks": False, "released_by": "uid 0 (pid 7)", "released_at": "2026-07-01T11:20:00Z",
        "release": "etlctl held release airqino 2026-07-01T10:00:00Z --partition 1 --reason TEXT",
        "discard": "etlctl held discard airqino 2026-07-01T10:00:00Z --partition 1 --reason TEXT"}]),
    "HeldRelease": envelope("decision", job="airqino", decision="release", partition="station=1", state="pending", object=None,
                            window={"start": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z"},
                            was={"state": "held", "reason": "check range", "run_id": RUN_ID},
                            checks=[{"check": "range", "field": "CO", "value": "1000", "limit": "max 100",
                                     "released": True}],
                            reason="a storm", watermark="2026-07-01T10:00:00Z", change_id=RUN_ID),
    "Pause": envelope("pause", job="airqino", paused=True, changed=True, reason="move",
                      jobs=[{"job": "airqino", "changed": True}]),
    "Resume": envelope("pause", job="airqino", paused=False, changed=True, reason=None,
                       jobs=[{"job": "airqino", "changed": True}]),
    "Reload": envelope("reload", generation=4, jobs=2, waited=False, warnings=["jobs.d/x.yaml: soon out of use"]),
    "Metrics": envelope("metrics", text="# HELP a A.\n# TYPE a gauge\na 1\n"),
    "Version": envelope("version", version="0.1.0", pid=42, started="2026-07-01T09:00:00Z", config="/etc/etld/etld.yaml"),
}


class Answer:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(name="folder")
def a_folder(tmp_path):
    if not ETLCTL.exists():
        pytest.skip(f"{ETLCTL} is not built")
    return tmp_path


@pytest.fixture(name="fake")
def a_fake(folder):
    with FakeEtld(folder / "control") as fake:
        fake.answers.update(ANSWERS)
        yield fake


def environment(folder, **more):
    env = {k: v for k, v in os.environ.items()
           if k not in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_CTYPE", "LANG")}
    return {**env, "ETLD_SOCKET": str(folder / "control"), "LC_ALL": "C.UTF-8", **more}


@pytest.fixture(name="ctl")
def the_ctl(folder):
    def ctl(*arguments, program=ETLCTL, **env):
        return Answer(subprocess.run([str(program), *arguments], env=environment(folder, **env), text=True,
                                     stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False))
    return ctl


def rows(text):
    """A table's lines as lists of cells."""
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines() if line.strip()]


# ---- each command as a table ---------------------------------------------------------------
def test_status_table(fake, ctl):
    answer = ctl("status")
    assert answer.code == 0 and answer.err == ""
    lines = answer.out.splitlines()
    assert lines[0] == "etld 0.1.0  ✔ ready; up 3h10m; 1 run active, 1 of 4 workers busy"
    assert lines[1] == "mongodb  ✔ up; replica set rs0; effectively-once"
    assert lines[2] == "config  generation 3, loaded 2026-07-01 09:00Z (3h10m ago)"
    assert rows(answer.out)[3:] == [
        ["JOB", "STATE", "LAST RUN", "NEXT", "WATERMARK", "LATE BY", "WINDOWS", "REASON"],
        ["airqino", "! late", "ok 2026-07-01 11:10Z (59m ago)", "2026-07-01 13:10Z (in 1h00m)", "2026-07-01 08:00Z",
         "3h00m", "2 open, 1 failed", "no data since 08:00"],
        ["daily", "✔ ok", "2026-07-01 13:10Z (in 1h00m)", "-", "-"]]
    assert fake.requests == [{"method": "io.etld.Control.Status", "parameters": {}}]


def test_columns_stand_below_one_another(fake, ctl):
    lines = ctl("status").out.splitlines()[4:]
    assert len({line.index("2026-07-01 13:10Z (in") for line in lines[1:]}) == 1
    assert lines[0].index("NEXT") == lines[1].index("2026-07-01 13:10Z (in")


@pytest.mark.parametrize("columns", [200, 120, 100, 80, 60, 40])
def test_tables_fit_the_terminal(fake, ctl, columns):
    whole = {words: ctl(*words).out.splitlines() for words in (("status",), ("runs",), ("windows", "airqino"))}
    for words, wide in whole.items():
        answer = ctl(*words, COLUMNS=str(columns))
        lines = answer.out.splitlines()
        assert answer.code == 0 and len(lines) == len(wide)
        table = [line for line in lines if not line.startswith(("etld ", "mongodb ", "config ", "hosts"))]
        assert max(map(len, table)) <= columns or columns < 80, "\n".join(table)
        assert ctl("-o", "wide", *words, COLUMNS=str(columns)).out.splitlines() == wide
    # What is missed least goes first; name, state and reason stay. An id is cut to its end.
    runs = ctl("runs", COLUMNS=str(columns)).out
    assert runs.split()[:3] == ["RUN", "JOB", "STATE"]
    assert (RUN_ID in runs) == (columns >= 200) and RUN_ID[-12:] in runs
    assert ("TRIGGER" in runs) == (columns >= 120)


@pytest.mark.parametrize("columns", ["0", "-5", "x", "", "99999999999999999999"])
def test_columns_that_mean_nothing(fake, ctl, columns):
    assert ctl("runs", COLUMNS=columns).out == ctl("runs").out


def test_a_reason_is_cut_at_its_end(fake, ctl):
    long = {**RUN, "state": "failed", "reason": "no data since 08:00, é" * 10}
    fake.answers["Runs"] = envelope("runs", runs=[long])
    line = ctl("runs", COLUMNS="80").out.splitlines()[1]
    assert len(line) == 80 and line.endswith("…")
    assert ctl("runs", COLUMNS="80", LC_ALL="C").out.splitlines()[1].endswith("~")


def test_errors_for_programs(fake, ctl):
    fake.answers["Show"] = error("NoSuchRun", "there is no run 'x'", "etlctl runs", run="x")
    answer = ctl("-o", "json", "show", "abcdef")
    assert answer.code == 4 and "there is no run" in answer.err
    assert answer.json == {"schema": "etl.error/1", "error": "io.etld.Control.NoSuchRun", "message": "there is no run 'x'",
                           "hint": "etlctl runs", "exit": 4, "details": {"message": "there is no run 'x'",
                                                                         "hint": "etlctl runs", "run": "x"}}
    answer = ctl("-o", "json", "status", ETLD_SOCKET="/nowhere/control")
    assert answer.code == 3 and answer.json["error"] == "ctl.absent" and answer.json["exit"] == 3
    for words, hint in ((["jobs", "--nosuch"], "etlctl jobs"), (["nosuch"], "etlctl help lists the commands")):
        answer = ctl("-o", "json", *words)
        assert answer.code == 2 and answer.json["schema"] == "etl.error/1" and answer.json["exit"] == 2
        assert answer.json["hint"] == hint and answer.json["message"] in answer.err


def test_status_of_one_job(fake, ctl):
    fake.answers["Status"] = [{"parameters": {**STATUS, "jobs": [JOB]}}]
    answer = ctl("status", "airqino")
    assert fake.requests[0]["parameters"] == {"job": "airqino"}
    assert "airqino  ! late; no data since 08:00" in answer.out
    assert f"etlctl show {RUN_ID}" in answer.out
    assert ["station=2", "2026-07-01 08:00Z", "3h00m", "1 failed"] in rows(answer.out)
    assert "deadline" not in answer.out
    window = {"start": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z"}
    for due, missed, words in (("11:20", True, "(50m ago), missed\n"), ("13:10", False, "(in 1h00m)\n")):
        late = {"partition": "-", "window": window, "due": f"2026-07-01T{due}:00Z", "missed": missed}
        fake.answers["Status"] = [{"parameters": {**STATUS, "jobs": [{**JOB, "deadline": late}]}}]
        assert f"window 2026-07-01 10:00Z is due 2026-07-01 {due}Z {words}" in ctl("status", "airqino").out


def test_status_of_a_degraded_daemon(fake, ctl):
    daemon = {**STATUS["daemon"], "state": "degraded", "reason": "MongoDB is down",
              "mongodb": {"state": "down", "reason": "connection refused", "topology": "", "guarantee": ""},
              "config": {**STATUS["daemon"]["config"], "error": "3 errors in jobs.d/x.yaml"}}
    fake.answers["Status"] = [{"parameters": {**STATUS, "daemon": daemon}}]
    answer = ctl("status", "--check")
    assert answer.code == 1
    assert "! degraded; MongoDB is down;" in answer.out
    assert "✖ down; connection refused" in answer.out
    assert "refused: 3 errors in jobs.d/x.yaml" in answer.out


def test_status_of_workers_that_wait_for_a_source(fake, ctl):
    """limits.workers is what people set; threads of sources that block come on top of it."""
    daemon = {**STATUS["daemon"], "workers": {"busy": 1, "total": 4, "blocked": 2}}
    fake.answers["Status"] = [{"parameters": {**STATUS, "daemon": daemon}}]
    assert ctl("status").out.splitlines()[0].endswith("1 of 4 workers busy, 2 more wait for a source")


def test_what_happened_is_never_ahead(fake, ctl):
    """The clock was set back: a run that is noted as ten years ahead has an end all the same."""
    last = {**JOB["last_run"], "started": "2036-07-01T11:10:00Z", "ended": "2036-07-01T11:10:05Z"}
    fake.answers["Status"] = [{"parameters": {**STATUS, "jobs": [{**JOB, "last_run": last}]}}]
    assert "ok 2036-07-01 11:10Z (ahead of the clock)" in ctl("status").out
    fake.answers["Runs"] = envelope("runs", runs=[{**RUN, "started": "2026-07-01T12:10:02Z"}])
    assert "2026-07-01 12:10Z (0s ago)" in ctl("runs").out


def test_jobs(fake, ctl):
    answer = ctl("jobs")
    assert answer.code == 0
    assert rows(answer.out)[1] == ["airqino", "10 * * * *", "UTC", "http", "mongodb", "2", "paused", "Hourly air quality"]
    fake.answers["Jobs"] = envelope("jobs", jobs=[{"name": "a", "group": "g", "schedule": "every 1h"}])
    assert rows(ctl("jobs").out)[1][:3] == ["a", "g", "every 1h"]
    fake.answers["Jobs"] = envelope("jobs", jobs=[])
    answer = ctl("jobs")
    assert (answer.code, answer.out, answer.err) == (0, "", "etlctl: no jobs are configured\n")


def test_next(fake, ctl):
    answer = ctl("next", "airqino", "-n", "2", "--from", "2026-07-01")
    assert rows(answer.out) == [["SLOT"], ["2026-07-01 13:10Z (in 1h00m)"], ["2026-07-01 14:10Z (in 2h00m)"]]
    assert fake.requests[0]["parameters"] == {"job": "airqino", "count": 2, "from": "2026-07-01"}


def test_next_in_a_zone(fake, ctl):
    """What `0 6 * * *` of Paris means is seen on a clock of Paris."""
    fake.answers["Next"] = envelope("next", job="airqino", timezone="Europe/Paris", left_out=None,
                                    slots=["2026-07-02T04:00:00Z"], local=["2026-07-02T06:00:00+02:00"])
    assert rows(ctl("next", "airqino").out)[1][1:] == ["2026-07-02T06:00:00+02:00", "Europe/Paris"]


def test_next_of_a_job_that_is_left_out(fake, ctl):
    """"No slot to come" would be said of a schedule: here nobody could read it."""
    fake.answers["Next"] = envelope("next", job="airqino", timezone="UTC", left_out="jobs.d/airqino.yaml:1:1: error[E012]",
                                    slots=[], local=[])
    answer = ctl("next", "airqino")
    assert (answer.code, answer.out) == (0, "")
    assert "'airqino' is left out, no slot of it runs: jobs.d/airqino.yaml:1:1: error[E012]" in answer.err


def test_runs(fake, ctl):
    answer = ctl("runs", "-n50", "--failed")
    assert rows(answer.out)[1] == [RUN_ID, "airqino", "✔ ok", "schedule", "2026-07-01 11:10Z (1h00m ago)", "5.2s", "3",
                                   "24", "23", "0", "2 warnings"]
    assert "✖ failed" in answer.out
    assert fake.requests[0]["parameters"] == {"limit": 50, "failed": True}


def test_show(fake, ctl):
    answer = ctl("show", RUN_ID[-8:])
    assert fake.requests[0]["parameters"] == {"run_id": RUN_ID[-8:]}
    assert answer.out.startswith(f"run {RUN_ID}  ✔ ok\n")
    for part in ("asked for   2026-07-01 09:00Z to 2026-07-01 11:00Z", "took 5.2s", "2 loaded, 1 empty, 0 failed",
                 "24 in, 0 rejected, 24 out, 20 inserted, 3 updated, 1 unchanged", "warnings    2",
                 f"journalctl ETL_RUN_ID={RUN_ID}"):
        assert part in answer.out
    table = rows(answer.out)
    assert ["extract", "2", "4.2s"] in table and ["plan", "1", "1.5ms"] in table
    assert ["station=2", "✖ failed", "0", "0", "3", "0", "0", "0", "0", "0", "0", "0", "0", "1",
            "the service refused us (http.status, HTTP 401)"] in table


def test_show_counts_by_rule(fake, ctl):
    """A rule need not be of a field."""
    by = [{"step": "load", "rule": "overwritten", "field": field, "n": 8, "first": "a later one stays"} for field in ("", "a")]
    fake.answers["Show"] = envelope("run", run={**RUN, "warned": by})
    answer = ctl("show", RUN_ID)
    assert "8 by load/overwritten, the first: a later one stays\n" in answer.out
    assert "8 by load/overwritten a, the first: a later one stays\n" in answer.out


def test_windows_says_what_was_not_found(fake, ctl):
    fake.answers["Windows"] = envelope("windows", job="airqino", truncated=False, windows=[], summary=[])
    assert "no window wants attention" in ctl("windows", "airqino").err
    for words in (["--all"], ["--state", "failed"]):
        assert "no such windows" in ctl("windows", "airqino", *words).err


def test_windows(fake, ctl):
    answer = ctl("windows", "airqino", "--partition", "station=1", "--state", "failed", "--all")
    table = rows(answer.out)
    assert table[1] == ["station=1", "2026-07-01 10:00Z", "4242", "7", "1", "0", "1", "1", "0", "3"]
    assert table[3] == ["station=1", "2026-07-01 10:00Z", "2026-07-01 11:00Z", "✖ failed", "3", "0", "0", "0", "0",
                        "2026-07-01 11:10Z (1h00m ago)", "HTTP 500"]
    assert table[4][3:5] == ["✔ loaded", "dirty"]
    assert fake.requests[0]["parameters"] == {"job": "airqino", "partition": "station=1", "state": "failed", "all": True}


def test_stale_windows(fake, ctl):
    """Of windows that are alike one line, with why and where; a loaded one has a line of its own elsewhere."""
    hours = [f"2026-07-01T{hour:02}:00:00Z" for hour in range(5)]
    windows = [{"partition": "station=1", "start": a, "end": b, "state": "loaded", "dirty": False, "attempt": 1,
                "run_id": RUN_ID, "counts": {"in": 5}, "reason": "", "updated": None, "target": "etl.a",
                "definition": "0100000000000001", "stale": "made by another definition of 2026-06-30"}
               for a, b in zip(hours, hours[1:])]
    windows[3] = {**windows[3], "target": "etl.b", "stale": "in 'b', now 'a'"}
    fake.answers["Windows"] = envelope("windows", job="airqino", truncated=False, windows=windows, summary=[])
    table = rows(ctl("windows", "airqino", "--stale").out)
    assert [row[-2:] for row in table[1:]] == [["etl.a", "made by another definition of 2026-06-30"],
                                               ["etl.b", "in 'b', now 'a'"]], table
    assert table[1][3] == "3" and fake.requests[0]["parameters"] == {"job": "airqino", "stale": True}
    fake.answers["Windows"] = envelope("windows", job="airqino", truncated=False, windows=[], summary=[])
    assert "no window is stale" in ctl("windows", "airqino", "--stale").err
    summary = [{"partition": "station=1", "watermark": NOW, "loaded": 4, "stale": 4}]
    fake.answers["Windows"] = envelope("windows", job="airqino", truncated=False, windows=[], summary=summary)
    assert "--stale lists them" in ctl("windows", "airqino").err


def test_restate(fake, ctl):
    """A backfill by another name; what stays as it is is told."""
    states = {"loaded": 20, "failed": 0}
    fake.answers["Restate"] = envelope(
        "backfill", dry_run=True, backfill={"backfill_id": RUN_ID, "from": NOW, "to": NOW, "windows": {}},
        survey={"windows": 20, "wanted": 12, "pieces": 2, "too_old": 0, "kept": 3, "states": states})
    answer = ctl("restate", "airqino", "--from", "2026-07-01", "--rate", "60/m", "--dry-run")
    assert "12 of 20 windows" in answer.out and "3 stale ones stay as they are" in answer.out
    assert fake.requests[0]["method"] == "io.etld.Control.Restate"
    assert fake.requests[0]["parameters"] == {"job": "airqino", "from": "2026-07-01", "rate": "60/m", "dry_run": True}
    assert "is stale" not in answer.err
    fake.answers["Restate"] = envelope(
        "backfill", dry_run=True, survey={"windows": 20, "wanted": 0, "pieces": 0, "states": states},
        backfill={"backfill_id": RUN_ID, "job": "airqino", "reprocess": "stale", "from": NOW, "to": NOW, "windows": {}})
    assert "etlctl backfill airqino --reprocess all" in ctl("restate", "airqino", "--dry-run").err


def test_a_hole_is_one_line(fake, ctl):
    """Windows that follow one another and are alike; a window with data stands by itself."""
    hours = [f"2026-07-01T{hour:02}:00:00Z" for hour in range(9)]
    windows = [{"partition": "station=1", "start": a, "end": b, "state": "pending", "dirty": False, "attempt": 0,
                "run_id": None, "counts": {}, "reason": "", "updated": None} for a, b in zip(hours, hours[1:])]
    windows[3:5] = [{**w, "state": "loaded", "counts": {"in": 5, "out": 5}} for w in windows[3:5]]
    windows[5:7] = [{**w, "state": "failed", "reason": "refused", "counts": {"in": 5, "rejected": 4}} for w in windows[5:7]]
    windows.append({**windows[7], "partition": "station=2"})
    fake.answers["Windows"] = envelope("windows", job="airqino", truncated=False, windows=windows, summary=[])
    table = rows(ctl("windows", "airqino").out)
    assert table[0][:5] == ["PARTITION", "START", "END", "WINDOWS", "STATE"]
    told = [["station=1", 0, 3, "3", "pending"], ["station=1", 3, 4, "", "loaded"], ["station=1", 4, 5, "", "loaded"],
            ["station=1", 5, 7, "2", "failed"], ["station=1", 7, 8, "", "pending"], ["station=2", 7, 8, "", "pending"]]
    for row, (partition, start, end, n, state) in zip(table[1:], told, strict=True):
        assert (row[0], row[1][11:13], row[2][11:13]) == (partition, f"{start:02}", f"{end:02}"), row
        assert state in row[4 if n else 3] and (not n or row[3] == n), row
    assert table[4][5:9] == ["0", "10", "0", "8"], table[4]
    # However narrow it is: a reason is cut, not printed whole because no room is left for it.
    fake.answers["Windows"] = envelope("windows", job="airqino", truncated=False, summary=[],
                                       windows=[{**w, "reason": "x" * 200} for w in windows])
    narrow = ctl("windows", "airqino", COLUMNS="56").out
    assert max(map(len, narrow.splitlines())) < 70 and "x…" in narrow, narrow


def test_no_window_wants_attention(fake, ctl):
    fake.answers["Windows"] = envelope("windows", job="airqino", truncated=True, windows=[], summary=[])
    answer = ctl("windows", "airqino")
    assert answer.code == 0 and "no window wants attention" in answer.err and "there are more" in answer.err


def test_windows_accept(fake, ctl):
    answer = ctl("windows", "accept", "airqino", "2026-07-01T10:00Z", "--partition", "station=1", "--reason", "noise")
    assert fake.requests[0] == {"method": "io.etld.Control.WindowsAccept", "parameters": {
        "job": "airqino", "window": "2026-07-01T10:00Z", "partition": "station=1", "reason": "noise"}}
    assert rows(answer.out) == [
        ["PARTITION", "START", "END", "WAS", "NOW", "WATERMARK", "REASON"],
        ["station=1", "2026-07-01 10:00Z", "2026-07-01 11:00Z", "✖ failed", "– skipped", "2026-07-01 12:00Z", "noise"]]
    assert (answer.code, answer.err) == (0, "")
    answer = ctl("windows", "accept", "airqino", "2026-07-01T10:00Z")
    assert answer.code == 2 and "--reason is missing" in answer.err
    assert ctl("windows", "accept").code == 2  # a job of that name: windows -- accept
    ctl("windows", "--", "accept")
    assert fake.requests[-1] == {"method": "io.etld.Control.Windows", "parameters": {"job": "accept"}}


def test_held(fake, ctl):
    answer = ctl("held", "list", "airqino", "-n", "5")
    assert fake.requests[0] == {"method": "io.etld.Control.HeldList", "parameters": {"job": "airqino", "limit": 5}}
    assert rows(answer.out)[1][:7] == ["airqino", "station=1", "2026-07-01 10:00Z", "2026-07-01 11:00Z",
                                       "range CO (released), freshness", "1000, 5h", "max 100, 3h"]
    assert "etlctl held release airqino 2026-07-01T10:00:00Z --partition 1 --reason TEXT\n" in answer.err
    assert "etlctl held discard airqino 2026-07-01T10:00:00Z --partition 1 --reason TEXT\n" in answer.err
    fake.answers["HeldList"] = envelope("held", truncated=True, held=[])
    answer = ctl("held", "list")
    assert answer.code == 0 and "no window is held" in answer.err and "there are more" in answer.err

    answer = ctl("held", "release", "airqino", "2026-07-01T10:00Z", "--reason", "a storm", "--check", "range CO")
    assert fake.requests[-1]["parameters"] == {"job": "airqino", "window": "2026-07-01T10:00Z", "reason": "a storm",
                                               "check": "range CO"}
    assert answer.code == 0 and "etlctl run airqino" in answer.err
    final = {**ANSWERS["HeldRelease"][0]["parameters"], "state": "held"}
    fake.answers["HeldRelease"] = [{"parameters": final}]
    assert "other checks hold it still" in ctl("held", "release", "airqino", "-", "--reason", "x").err
    assert ctl("held", "discard", "airqino", "2026-07-01T10:00Z").code == 2
    assert "wants another word: list, release, discard" in ctl("held").err


def test_watermark_change(fake, ctl):
    answer = ctl("watermark", "set", "airqino", "2026-07-01T10:00Z", "--reason", "broken sensor")
    assert fake.requests[0] == {"method": "io.etld.Control.WatermarkSet", "more": True, "parameters": {
        "job": "airqino", "time": "2026-07-01T10:00Z", "reason": "broken sensor"}}
    assert rows(answer.out) == [
        ["PARTITION", "FROM", "TO", "WINDOWS", "NOW"],
        ["station=1", "2026-07-01 03:00Z", "2026-07-01 10:00Z", "7", "skipped"],
        ["station=2", "2026-07-01 03:00Z", "2026-07-01 03:00Z", "0", "left alone"]]
    assert (answer.code, answer.err) == (0, "")
    answer = ctl("watermark", "set", "airqino", "2026-07-01")
    assert answer.code == 2 and "--reason is missing" in answer.err
    final = {**ANSWERS["WatermarkSet"][0]["parameters"], "kind": "rewind"}
    fake.answers["WatermarkRewind"] = [
        *[{"parameters": {"job": "airqino", "windows": n}, "continues": True} for n in (400, 800)],
        {"parameters": {**final, "dry_run": True}}]
    answer = ctl("watermark", "rewind", "airqino", "2026-07-01", "--reason", "x", "--dry-run")
    assert answer.code == 0 and rows(answer.out)[1][-1] == "pending"
    assert answer.err == "etlctl: nothing was changed: --dry-run\n"
    fake.answers["WatermarkRewind"][-1] = {"parameters": final}
    assert "etlctl run airqino" in ctl("watermark", "rewind", "airqino", "2026-07-01", "--reason", "x").err
    fake.answers["WatermarkUndo"] = [{"parameters": {"job": "airqino", "windows": 400}, "continues": True}, HANG_UP]
    answer = ctl("watermark", "undo", "airqino")
    assert answer.code == 3 and "etlctl watermark history" in answer.err


def test_watermark_history(fake, ctl):
    answer = ctl("watermark", "history", "airqino", "-n", "5")
    assert fake.requests[0]["parameters"] == {"job": "airqino", "limit": 5}
    assert rows(answer.out)[1] == [
        "2026-07-01 12:00Z (10m ago)", "rewind", "done", "station=1", "2026-07-01 10:00Z", "2026-06-01 00:00Z", "730",
        "-", "uid 1000 (pid 7)", "recalibrated"]
    fake.answers["WatermarkHistory"] = envelope("watermark_history", job="airqino", changes=[])
    assert ctl("watermark", "history", "airqino").err == "etlctl: nobody moved a watermark of this job\n"


def test_dead_list(fake, ctl):
    answer = ctl("dead", "list", "airqino", "--partition", "station=a b", "-n", "2")
    assert fake.requests[0]["parameters"] == {"what": "airqino", "partition": "station=a b", "limit": 2}
    rules, letters = ([line.split() for line in part.splitlines()] for part in answer.out.split("\n\n"))
    assert rules == [["STEP", "RULE", "REFUSED"], ["check", "range", "1200"], ["decode", "json", "34"]]
    assert letters[1][:2] == ["a" * 12, "airqino"] and letters[2][0] == "b" * 12 and len(letters) == 3
    assert answer.err.splitlines() == [
        "etlctl: 2 of 1234 dead letters, those behind them: etlctl dead list airqino --partition 'station=a b' -n 2 "
        f"--before {'b' * 12}",
        f"etlctl: one of them whole: etlctl dead show {'a' * 12}", f"etlctl: when the job is mended: {AGAIN}"]
    # A long message gives way to the other columns, and is whole where there is room.
    long = {**LETTER, **VIOLATION, "message": "x" * 300 + "\u202e"}
    fake.answers["DeadList"] = envelope("dead_list", job="airqino", total=1, rules=[], letters=[long], truncated=False)
    lines = ctl("dead", "list", COLUMNS="120").out.splitlines()
    assert all(len(line) <= 120 for line in lines) and {"PARTITION", "WHEN"} <= set(lines[0].split())
    assert "x" * 300 + "?" in ctl("-o", "wide", "dead", "list", COLUMNS="120").out
    assert all(len(line) <= 70 for line in ctl("dead", "list", COLUMNS="70").out.splitlines())


def test_a_letter_without_a_window(fake, ctl):
    """Refused before its time was known, in a request for several windows: no command is its own."""
    letter = {**LETTER, **VIOLATION, "window": None}
    fake.answers["DeadList"] = envelope("dead_list", job="airqino", total=1, rules=[], letters=[letter], again=None)
    assert "etlctl backfill airqino --from TIME --to TIME --reprocess all" in ctl("dead", "list").err


def test_dead_show(fake, ctl):
    answer = ctl("dead", "show", "aaaa")
    assert fake.requests[0]["parameters"] == {"letter": "aaaa"}
    assert answer.err == f"etlctl: when the job is mended: {AGAIN}\n"
    assert answer.out.splitlines() == [
        f"dead letter {'a' * 32}", "  job         airqino", "  partition   station=1",
        "  window      2026-07-01 10:00Z to 2026-07-01 11:00Z", f"  run         {RUN_ID}", "  step        check",
        "  refused by  range v: 5000 is above 100", "  event time  2026-07-01T10:20:00Z", "  position    7",
        "  refused     2026-07-01 12:00Z (10m ago)",
        "  raw         the first 3 bytes of a longer one, whose rest was not kept:", "  | a", "  | b"]


def test_watermark_show(fake, ctl):
    assert rows(ctl("watermark", "show", "airqino").out)[1] == [
        "station=1", "2026-07-01 10:00Z", "2h10m", "2023-01-01 00:00Z", "1h00m", "2026-07-01 11:10Z (59m ago)", RUN_ID,
        "17"]


def test_metrics_are_printed_as_they_are(fake, ctl):
    answer = ctl("metrics")
    assert answer.code == 0 and answer.out == "# HELP a A.\n# TYPE a gauge\na 1\n"
    fake.answers["Metrics"] = envelope("metrics", text='a{x="\x1b[2J"} 1\n')
    assert "\x1b" not in ctl("metrics").out


def test_pause_and_resume(fake, ctl):
    assert ctl("pause", "airqino", "--reason", "move of the service").out == "airqino is paused\n"
    assert ctl("resume", "airqino").out == "airqino goes on\n"
    assert [r["parameters"] for r in fake.requests] == [
        {"job": "airqino", "reason": "move of the service"}, {"job": "airqino"}]
    fake.answers["Resume"] = envelope("pause", job="airqino", paused=False, changed=False,
                                      jobs=[{"job": "airqino", "changed": False}])
    assert ctl("resume", "airqino").out == "airqino was not paused\n"


def test_reload(fake, ctl):
    answer = ctl("reload")
    assert (answer.code, answer.out) == (0, "generation 4 is active, 2 jobs\n")
    assert "warning: jobs.d/x.yaml: soon out of use" in answer.err
    fake.answers["Reload"] = envelope("reload", generation=5, jobs=2, waited=True, warnings=[])
    answer = ctl("reload")
    assert answer.out == "generation 5 is active, 2 jobs\n" and "another reload was going" in answer.err
    fake.answers["Reload"] = error("ConfigInvalid", "2 errors; the old configuration stays",
                                   diagnostics="jobs.d/x.yaml:3:1: E012 unknown key\n  | colour: red\n")
    answer = ctl("reload")
    assert answer.code == 78 and answer.out == ""
    assert "jobs.d/x.yaml:3:1: E012 unknown key\n  | colour: red\n" in answer.err


def test_version(fake, ctl):
    answer = ctl("version")
    assert re.fullmatch(r"etlctl \d+\.\d+\.\d+\netld 0\.1\.0 \(pid 42\)\n", answer.out)
    both = ctl("-o", "json", "version").json
    assert both["schema"] == "etl.version/1" and both["daemon"]["pid"] == 42 and both["etlctl"]
    assert ctl("--version").out.startswith("etlctl ")


# ---- JSON ----------------------------------------------------------------------------------
@pytest.mark.parametrize("words, method", [
    (["status"], "Status"), (["jobs"], "Jobs"), (["next", "a"], "Next"), (["run", "a"], "Run"), (["runs"], "Runs"),
    (["show", RUN_ID], "Show"), (["windows", "a"], "Windows"), (["watermark", "show", "a"], "WatermarkShow"),
    (["pause", "a"], "Pause"), (["resume", "a"], "Resume"), (["reload"], "Reload")])
def test_json_is_the_reply_as_it_came(fake, ctl, words, method):
    for arguments in (["-o", "json", *words], [*words, "-ojson"]):
        answer = ctl(*arguments)
        assert answer.code == 0
        assert answer.json == ANSWERS[method][0]["parameters"]
        assert list(answer.json) == list(ANSWERS[method][0]["parameters"])


def test_large_integers_pass_unchanged(fake, ctl):
    fake.strict = False  # a number that no double holds is text
    fake.answers["Runs"] = envelope("runs", runs=[{**RUN, "counts": {"in": 2**53 - 1, "out": str(2**63 - 1)}}])
    counts = ctl("-o", "json", "runs").json["runs"][0]["counts"]
    assert counts == {"in": 2**53 - 1, "out": str(2**63 - 1)}
    assert str(2**53 - 1) in ctl("runs").out


# ---- run -----------------------------------------------------------------------------------
def progress(**members):
    return {"parameters": {"run_id": RUN_ID, "job": "airqino", "state": "running", "step": "extract",
                           "partition": "station=1", "records": 10, "windows": 1, **members}, "continues": True}


def finished(**members):
    run = {**RUN, "trigger": "manual", **members}
    del run["slot"]
    return envelope("run", run_id=RUN_ID, job="airqino", state=run["state"], joined=False, run=run)


def test_run(fake, ctl):
    answer = ctl("run", "airqino", "--from", "2026-07-01", "--to", "2026-07-02", "--force")
    assert (answer.code, answer.out) == (0, f"… queued  {RUN_ID}\n")
    assert fake.requests[0] == {"method": "io.etld.Control.Run", "parameters": {
        "job": "airqino", "from": "2026-07-01", "to": "2026-07-02", "force": True}}


REFUSED = [{**RUN["partitions"][1], "error_code": "check.failed", "error_kind": "data"}]


@pytest.mark.parametrize("members, code", [
    ({}, 0), ({"state": "failed"}, 1), ({"state": "partial"}, 1), ({"state": "cancelled"}, 1), ({"state": "skipped"}, 1),
    ({"state": "some new word"}, 1), ({"state": "fenced"}, 8), ({"counts": {**COUNTS, "rejected": 2}}, 5),
    ({"state": "failed", "partitions": REFUSED}, 6), ({"state": "partial", "partitions": REFUSED}, 6)])
def test_run_wait_ends_by_the_run(fake, ctl, members, code):
    fake.answers["Run"] = [progress(), progress(step="load"), *finished(**members)]
    answer = ctl("run", "airqino", "--wait", "--window", "2026-07-01T10:00Z")
    assert answer.code == code, answer.err
    head, *counts = answer.out.splitlines()
    assert head.endswith(f"  {RUN_ID}")
    assert [line.split()[0] for line in counts] == ["windows", "records", "warnings"]
    assert fake.requests[0]["more"] is True
    assert fake.requests[0]["parameters"] == {"job": "airqino", "window": "2026-07-01T10:00Z", "wait": True}
    assert (f"etlctl show {RUN_ID}" in answer.err) == (code != 0)
    assert "\r" not in answer.err  # no drawing without a terminal


def test_run_wait_json_is_one_document(fake, ctl):
    fake.answers["Run"] = [progress(), progress(), *finished()]
    answer = ctl("-o", "json", "run", "airqino", "--wait")
    assert answer.json["run"]["counts"] == COUNTS and answer.json["schema"] == "etl.run/1"


def test_run_wait_is_left_by_ctrl_c(fake, folder):
    fake.answers["Run"] = [progress(), SILENCE]
    with subprocess.Popen([str(ETLCTL), "run", "airqino", "--wait"], env=environment(folder), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr.readline() == f"etlctl: run {RUN_ID}\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130 and out == ""
    assert err == f"etlctl: no longer waiting; the run goes on: etlctl show {RUN_ID}\n"


def test_run_wait_when_the_daemon_goes_away(fake, ctl):
    fake.answers["Run"] = [progress(), HANG_UP]
    answer = ctl("run", "airqino", "--wait")
    assert answer.code == 3 and f"may have gone on: etlctl show {RUN_ID}" in answer.err


def test_run_wait_error_after_progress(fake, ctl):
    fake.answers["Run"] = [progress(), *error("Failed", "MongoDB went away")]
    answer = ctl("run", "airqino", "--wait")
    assert answer.code == 1 and "MongoDB went away" in answer.err


def test_run_wait_waits_for_a_daemon_that_is_starting(fake, ctl, folder):
    starting = error("NotReady", "etld is still starting", starting=True)
    fake.answers["Run"] = starting
    with subprocess.Popen([str(ETLCTL), "run", "airqino", "--wait"], env=environment(folder), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr.readline() == "etlctl: etld is starting: waiting for it\n"
        fake.answers["Run"] = [progress(joined=True), *finished()]
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0 and RUN_ID in out
    assert err == f"etlctl: the job is running already: waiting for run {RUN_ID}\n"
    fake.answers["Run"] = error("NotReady", "authentication failed", starting=False)
    answer = ctl("run", "airqino", "--wait")
    assert answer.code == 1 and "authentication failed" in answer.err and "waiting" not in answer.err


# ---- status --check ------------------------------------------------------------------------
@pytest.mark.parametrize("healths, code", [
    (["ok"], 0), (["ok", "paused"], 0), (["late"], 7), (["ok", "stale"], 7), (["held"], 6), (["blocked"], 0),
    (["late", "failing"], 1), ([], 0), (["held", "late"], 6), (["stale", "rejecting"], 5), (["rejecting", "held"], 6),
    (["held", "config"], 78), (["config", "unreachable"], 1), (["unreachable"], 1), (["config", "failing"], 1)])
def test_status_check(fake, ctl, healths, code):
    jobs = [{**FINE, "name": f"job{i}", "health": health} for i, health in enumerate(healths)]
    fake.answers["Status"] = [{"parameters": {**STATUS, "jobs": jobs}}]
    assert ctl("status", "--check").code == code
    assert ctl("status").code == 0
    assert "check" not in fake.requests[0]["parameters"]


def test_each_health_has_a_sign_of_its_own(fake, ctl):
    header = (ROOT / "daemon/facts/health.h").read_text()
    words = re.findall(r'^\tX\([A-Z]+, "([a-z]+)"\)', header, re.M)
    assert len(words) == 10
    for word in words:
        fake.answers["Status"] = [{"parameters": {**STATUS, "jobs": [{**FINE, "health": word}]}}]
        assert f"? {word}" not in ctl("status").out


# ---- errors --------------------------------------------------------------------------------
@pytest.mark.parametrize("name, code", [
    ("NoSuchJob", 4), ("NoSuchRun", 4), ("NoSuchWindow", 4), ("NoSuchLetter", 4), ("NotPermitted", 9), ("Busy", 8), ("NotReady", 1),
    ("Failed", 1), ("SomethingNew", 1)])
def test_error_replies(fake, ctl, name, code):
    fake.answers["Windows"] = error(name, "that did not work", "try this", reason="because")
    for form in ("table", "json"):
        answer = ctl("-o", form, "windows", "airqino")
        assert (answer.code, bool(answer.out)) == (code, form == "json")
        assert form == "table" or answer.json["error"].removeprefix("io.etld.Control.") in (name, "Failed")
        assert answer.err == "etlctl: that did not work: because\n  hint: try this\n"


def test_errors_of_the_protocol(fake, ctl):
    fake.answers["Next"] = error("InvalidParameter", "no such time", interface=SERVICE, parameter="from")
    answer = ctl("next", "airqino", "--from", "noon")
    assert answer.code == 2 and "no such time" in answer.err and "etlctl help next" in answer.err
    fake.answers["Next"] = [{"error": f"{SERVICE}.MethodNotFound", "parameters": {"method": "x"}}]
    answer = ctl("next", "airqino")
    assert answer.code == 2 and "no such method" in answer.err


def test_no_daemon(folder, ctl):
    answer = ctl("status")
    assert (answer.code, answer.out) == (3, "")
    assert f"there is no socket {folder}/control" in answer.err and "journalctl -u etld" in answer.err
    answer = ctl("version")
    assert answer.code == 3 and answer.out.startswith("etlctl ")


def test_a_socket_without_listener(folder, ctl):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "control"))
    answer = ctl("status")
    assert answer.code == 3 and "nobody listens on the socket" in answer.err


def test_the_unit_state_is_told(folder, ctl):
    tool = folder / "bin" / "systemctl"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nprintf 'LoadState=loaded\\nActiveState=failed\\nResult=exit-code\\n'\n")
    tool.chmod(0o755)
    answer = ctl("status", PATH=f"{tool.parent}:{os.environ['PATH']}")
    assert answer.code == 3 and "etld.service: failed (exit-code)" in answer.err


def test_a_daemon_that_never_answers(fake, ctl, folder):
    hanging = folder / "bin" / "systemctl"
    hanging.parent.mkdir()
    hanging.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    hanging.chmod(0o755)
    fake.alive = False
    fake.answers["Status"] = [SILENCE]
    answer = ctl("status", PATH=f"{hanging.parent}:{os.environ['PATH']}")
    assert answer.code == 3 and "no answer within the time limit" in answer.err


def test_a_busy_daemon_is_waited_for(fake, ctl):
    go_on = threading.Event()
    fake.answers["Runs"] = [go_on, *ANSWERS["Runs"]]
    timer = threading.Timer(1.6, go_on.set)  # longer than an answer may take without a sign of life
    timer.start()
    answer = ctl("runs")
    timer.join()
    assert answer.code == 0 and RUN_ID in answer.out


@pytest.mark.parametrize("garbage", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n\0", b"\0", b"[]\0", b'{"parameters":7}\0', b'{"parameters":{},"parameters":{}}\0',
    b'{"error":true}\0', b'{"continues":"yes"}\0', b"\xff\xfe\0", b"{" * 100 + b"\0", b"x" * (17 * 1024 * 1024)])
def test_garbage(fake, ctl, garbage):
    fake.answers["Status"] = [garbage]
    answer = ctl("status")
    assert (answer.code, answer.out) == (3, "")
    assert "etlctl: etld does not answer: " in answer.err
    said = json.loads(ctl("-o", "json", "status").out)
    assert "--socket" in said["hint"] and f"  hint: {said['hint']}\n" in answer.err


@pytest.mark.parametrize("parameters", [
    {}, {"jobs": 7, "daemon": []}, {"jobs": [7, None, {}], "daemon": {"state": 1, "config": 2, "mongodb": 3}},
    {"jobs": [{"name": "a", "health": "?", "watermarks": "x", "windows": [], "last_run": 5, "next": "soon"}]}])
def test_a_reply_of_another_shape_is_shown_as_far_as_it_goes(fake, ctl, parameters):
    fake.strict = False
    for method, words in (("Status", ["status"]), ("Jobs", ["jobs"]), ("Runs", ["runs"]), ("Show", ["show", "abcdef"]),
                          ("Windows", ["windows", "a"]), ("Next", ["next", "a"])):
        fake.answers[method] = [{"parameters": parameters}]
        assert ctl(*words).code == 0
        assert ctl("-o", "json", *words).json == parameters


def test_hang_up(fake, ctl):
    fake.answers["Status"] = [HANG_UP]
    answer = ctl("status")
    assert answer.code == 3 and "closed the connection" in answer.err


def test_no_permission_for_the_socket(open_folder):
    if os.getuid() != 0:
        pytest.skip("only root can become somebody without permission")
    copy = shutil.copy(ETLCTL, open_folder)
    with FakeEtld(open_folder / "control") as fake:
        os.chmod(fake.path, 0o600)
        done = subprocess.run([str(copy), "status"], env=environment(open_folder), user=65534, group=65534,
                              extra_groups=[], cwd="/", capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 9 and "no permission for the socket" in done.stderr


# ---- usage ---------------------------------------------------------------------------------
@pytest.mark.parametrize("words, said", [
    (["statsu"], 'unknown command "statsu": did you mean "status"?'),
    (["watermark", "shwo", "a"], 'unknown command "watermark shwo": did you mean "watermark show"?'),
    (["watermark"], '"watermark" wants another word: show, set, rewind, undo, history'),
    (["frobnicate"], 'unknown command "frobnicate"\n'),
    (["status", "--chekc"], 'unknown option "--chekc": did you mean "--check"?'),
    (["next"], "JOB is missing"), (["next", "a", "-n", "0"], "-count wants a number from 1 to 10000"),
    (["next", "a", "-n"], 'a value is missing after "-n"'), (["next", "a", "b"], 'one argument too many: "b"'),
    (["next", "a", "-n", "1", "--count=2"], 'given twice: "--count"'),
    (["status", "--check=yes"], 'takes no value: "--check=yes"'),
    (["windows", "a", "--state", "lost"], "--state is one of pending|running|"),
    (["-o", "yaml", "status"], "-o is one of table, wide, json"), (["--color", "pink", "status"], "--color is one of"),
    (["--socket"], 'a value is missing after "--socket"'), ([], "a command is missing"),
    (["pause", ""], "JOB wants 1 to 1024 bytes"), (["completion", "tcsh"], "SHELL is one of bash"),
    (["help", "statsu"], 'did you mean "status"')])
def test_usage_errors(ctl, words, said):
    answer = ctl(*words)
    assert answer.code == 2 and answer.out == ""
    assert said in answer.err


def test_a_socket_path_that_is_too_long(ctl):
    answer = ctl("--socket", "/" + "x" * 200, "status")
    assert answer.code == 2 and "path" in answer.err


def test_help(ctl):
    answer = ctl("help")
    assert answer.code == 0 and answer.err == ""
    assert ctl("--help").out == ctl("-h").out == answer.out
    commands = re.search(r"Commands:\n(.*?)\n\n", answer.out, re.S)[1].splitlines()
    names = [re.match(r"  (\w+(?: \w+)?) ", line)[1] for line in commands]
    assert {"status", "run", "watermark show", "config check", "completion"} <= set(names)
    for name in names:
        one = ctl("help", *name.split())
        assert one.code == 0 and one.out.startswith(f"Usage: etlctl {name}")
        assert ctl(*name.split(), "--help").out == one.out
        assert all(len(line) < 120 for line in one.out.splitlines())


# ---- signs and colours ---------------------------------------------------------------------
def on_terminal(folder, *arguments, **env):
    """etlctl's output on a terminal."""
    main, side = pty.openpty()
    with subprocess.Popen([str(ETLCTL), *arguments], env=environment(folder, **{"TERM": "xterm", **env}), stdin=side,
                          stdout=side, stderr=side) as process:
        os.close(side)
        data = b""
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            data += chunk
        process.wait(LIMIT)
    os.close(main)
    return data.decode()


def test_colour(fake, ctl, folder):
    assert "\033[33m! late\033[0m" in on_terminal(folder, "status")
    for env in ({"NO_COLOR": "1"}, {"CLICOLOR": "0"}, {"TERM": "dumb"}):
        shown = on_terminal(folder, "status", **env)
        assert "\033" not in shown and "! late" in shown
    assert "\033" in on_terminal(folder, "status", NO_COLOR="")
    assert "\033" not in on_terminal(folder, "--color", "never", "status")
    assert "\033" not in ctl("status").out
    assert "\033[33m! late" in ctl("--color=always", "status", NO_COLOR="1").out
    assert "\033[33m! late" in ctl("status", CLICOLOR_FORCE="1").out


def test_progress_is_drawn_on_a_terminal(fake, folder):
    fake.answers["Run"] = [progress(), *finished()]
    assert "\r\033[Kextract station=1  10 records, 1 windows" in on_terminal(folder, "run", "airqino", "--wait")


def test_signs_without_utf8(fake, ctl):
    answer = ctl("status", LC_ALL="C")
    assert "+ ready" in answer.out and "! late" in answer.out and answer.out.isascii()
    fake.answers["Run"] = [progress(), *finished(state="failed")]
    assert ctl("run", "a", "--wait", LC_ALL="C").out.startswith("x failed  ")


def test_text_from_outside_cannot_rewrite_the_screen(fake, ctl):
    evil = "a\033[2Jb\rc\u202ed\u009be\nf"
    fake.answers["Status"] = [{"parameters": {**STATUS, "jobs": [{**JOB, "reason": evil, "name": evil}]}}]
    answer = ctl("status")
    assert "a?[2Jb?c?d?e?f" in answer.out
    assert not re.search("[\033\r\u202e\u009b]", answer.out)
    fake.answers["Status"] = error("Failed", evil, evil)
    assert not re.search("[\033\r\u202e\u009b]", ctl("status").err)


# ---- programs it gives way to --------------------------------------------------------------
def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_config_check(folder, ctl):
    copy = folder / "usr" / "bin" / "etlctl"
    copy.parent.mkdir(parents=True)
    shutil.copy(ETLCTL, copy)
    answer = ctl("config", "check", program=copy)
    assert answer.code == 1 and "not installed beside" in answer.err
    program(folder / "usr" / "sbin" / "etld", 'echo "out: $@"; echo words >&2; exit 78')
    answer = ctl("config", "check", "my file.yaml", program=copy)
    assert (answer.code, answer.out, answer.err) == (78, "out: --check --config my file.yaml\n", "words\n")
    program(folder / "usr" / "bin" / "etld", 'echo "beside: $@"')
    answer = ctl("config", "check", program=copy)
    assert (answer.code, answer.out) == (0, "beside: --check\n")


def test_logs(folder, ctl):
    answer = ctl("logs", "airqino", PATH=str(folder))
    assert answer.code == 1 and "there is no journalctl here" in answer.err
    program(folder / "journalctl", 'echo "$@"')
    path = f"{folder}:{os.environ['PATH']}"
    assert ctl("logs", "airqino", PATH=path).out == "ETL_JOB=airqino\n"
    assert ctl("-o", "json", "logs", "airqino", "-f", "-n", "5", PATH=path).out == \
        "ETL_JOB=airqino --follow --lines=5 --output=json\n"


COMPLETE = {
    "bash": ". {script}; COMP_LINE={line}; COMP_POINT=${{#COMP_LINE}}; _etlctl 2>/dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    "fish": "source {script}; complete -C {line} | string split -f1 \\t",
    # zsh completes only at a terminal: its function is called as the line editor would call it
    "zsh": "compdef() {{ :; }}; _files() {{ print -l -- $words[CURRENT]*; }}; compadd() {{ print -l -- $names; }}; . {script}; words=({words});"
           " CURRENT=$#words; _etlctl",
}


def complete(shell, folder, *words):
    script = folder / f"etlctl.{shell}"
    line = shlex.quote(" ".join(words))
    quoted = " ".join(shlex.quote(w) for w in words)
    done = subprocess.run([shell, "-c", COMPLETE[shell].format(script=script, line=line, words=quoted)],
                          env={**environment(folder), "PATH": f"{ETLCTL.parent}:{os.environ['PATH']}", "HOME": str(folder)},
                          cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", COMPLETE)
def test_completion(fake, ctl, folder, shell):
    answer = ctl("completion", shell)
    assert answer.code == 0
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (folder / f"etlctl.{shell}").write_text(answer.out)
    fake.answers["Jobs"] = envelope("jobs", jobs=[{"name": "airqino", "group": "air"}, {"name": "daily"}])
    fake.answers["Status"] = [{"parameters": {"jobs": [JOB]}}]
    fake.answers["Runs"] = envelope("runs", runs=[RUN])
    assert complete(shell, folder, "etlctl", "st") == ["status"]
    assert complete(shell, folder, "etlctl", "watermark", "") == ["show", "set", "rewind", "undo", "history"]
    assert complete(shell, folder, "etlctl", "-o", "j") == ["json"]
    assert complete(shell, folder, "etlctl", "-o", "json", "windows", "--st") == ["--state", "--stale"]
    assert complete(shell, folder, "etlctl", "windows", "--state", "unr") == ["unrecoverable"]
    assert complete(shell, folder, "etlctl", "config", "ch") == ["check"]
    assert complete(shell, folder, "etlctl", "config", "check", f"etlctl.{shell[:2]}") == [f"etlctl.{shell}"]
    wait_for(lambda: complete(shell, folder, "etlctl", "run", "air") == ["airqino"], "the names of jobs")
    assert complete(shell, folder, "etlctl", "windows", "ac") == ["accept"]
    assert complete(shell, folder, "etlctl", "windows", "accept", "--rea") == ["--reason"]
    wait_for(lambda: complete(shell, folder, "etlctl", "windows", "accept", "airqino", "") == ["2026-07-01T10:00:00Z"],
             "the window that failed")
    assert complete(shell, folder, "etlctl", "held", "") == ["list", "release", "discard"]
    wait_for(lambda: complete(shell, folder, "etlctl", "held", "release", "airqino", "x", "--check", "")
             == ["range", "freshness"], "the checks that hold something")
    wait_for(lambda: complete(shell, folder, "etlctl", "pause", "--group", "") == ["air"], "the groups")
    wait_for(lambda: complete(shell, folder, "etlctl", "show", RUN_ID[:6]) == [RUN_ID], "the runs")
    # bash has parted the word at its "=" already
    whole = ["station=1", "station=2"] if shell != "bash" else ["1", "2"]
    wait_for(lambda: complete(shell, folder, "etlctl", "run", "airqino", "--partition", "station=") == whole, "the partitions")


def test_output_that_cannot_be_written(fake, folder):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([str(ETLCTL), "status"], env=environment(folder), stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=LIMIT, check=False)
    assert done.returncode == 1 and "could not be written" in done.stderr
