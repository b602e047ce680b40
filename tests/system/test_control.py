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
    assert "--force" in answer.err
    assert not daemon.runs("hourly")
    assert daemon.ctl("run", "hourly", "--force").json["job"] == "hourly"
