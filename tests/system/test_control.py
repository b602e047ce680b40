# SPDX-License-Identifier: MIT
"""The control socket of a real daemon: what a caller's mistake may do to it, which is nothing."""
import pytest

MINIMAL = {
    "schedule": {"cron": "@yearly"},
    "window": {"size": "1h", "start": "2026-01-01T00:00:00Z"},
    "extract": {"http": {"url": "http://127.0.0.1:9/", "time": {"field": "t"}}},
    "load": {"mongodb": {"collection": "c", "key": ["t"]}},
}
UNKNOWN_JOB = [
    ["status", "hurly"], ["next", "hurly"], ["run", "hurly"], ["runs", "hurly"], ["windows", "hurly"],
    ["watermark", "show", "hurly"], ["pause", "hurly"], ["resume", "hurly"],
    ["run", "hurly", "--partition", "x"], ["next", "hurly", "--from", "2026-01-01", "-n", "3"],
    ["windows", "hurly", "--partition", "x"], ["pause", "hurly", "--reason", "x"],
]


@pytest.fixture
def daemon(etld):
    running = etld(jobs={"hourly": MINIMAL})
    running.start()
    return running


def test_an_unknown_job_is_refused_and_the_daemon_lives(daemon):
    pid = daemon.status()["daemon"]["pid"]
    for words in UNKNOWN_JOB:
        answer = daemon.ctl(*words, ok=(4,), output="table")
        assert "there is no job 'hurly'" in answer.err, words
        assert "did you mean 'hourly'?" in answer.err, words
        assert not answer.out, words
    assert daemon.status()["daemon"]["pid"] == pid
    assert daemon.is_running


def test_a_paused_job_runs_by_force_only(daemon):
    daemon.ctl("pause", "hourly")
    answer = daemon.ctl("run", "hourly", ok=(1,), output="table")
    assert "job 'hourly' is paused" in answer.err
    assert "hint: etlctl resume hourly, or etlctl run hourly --force\n" in answer.err
    assert not daemon.runs("hourly")
    assert daemon.ctl("run", "hourly", "--force").json["job"] == "hourly"


def test_hints_name_commands_that_work(daemon):
    """With the job's name in them, where they need one."""
    nobody = ["--partition", "nobody"]
    for words in (["run", "hourly", *nobody], ["windows", "hourly", *nobody], ["backfill", "hourly", "--from", "2026-01-02", *nobody],
                  ["watermark", "set", "hourly", "2026-01-02", "--reason", "x", *nobody], ["dead", "list", "hourly", *nobody],
                  ["why", "hourly", "--window", "2026-01-01", *nobody]):
        answer = daemon.ctl(*words, ok=(4,), output="table")
        assert "job 'hourly' has no partition 'nobody'" in answer.err, words
        assert "hint: etlctl watermark show hourly\n" in answer.err, words
    early = daemon.ctl("run", "hourly", "--window", "2999-01-01T10:00Z", ok=(4,), output="table")
    assert "hint: etlctl why hourly --window 2999-01-01T10:00:00Z\n" in early.err
    daemon.ctl("why", "hourly", "--window", "2999-01-01T10:00:00Z")
    assert "hint: etlctl runs\n" in daemon.ctl("show", "nothing", ok=(4,), output="table").err
    assert "hint: etlctl dead list\n" in daemon.ctl("dead", "show", "zzz", ok=(4,), output="table").err
