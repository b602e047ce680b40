# SPDX-License-Identifier: MIT
"""A job that is wrong is left out at start and all others run; who waits for it is blocked, people
see it everywhere, and a good reload brings it back with what it has missed."""
import json

from flow import DAY, Flow
from test_control_abuse import BROKEN_JOBS, GOOD_JOB
from wait import wait_for

CONFIG = 78


def waits_for(*names):
    return json.dumps({**GOOD_JOB, "after": list(names), "window": {**GOOD_JOB["window"], "end": "2026-03-03T00:00:00Z"}})


def test_all_that_is_broken_leaves_the_others_running(etld, sim, db):
    flow = Flow(sim)
    broken = {f"broken_{i:02}": text for i, (text, _) in enumerate(BROKEN_JOBS)}
    # `after: [job]` among them waits for a job that is not there under this name.
    jobs = {**broken, "hourly": flow.hourly(flow.start + DAY), "waits": waits_for("hourly", "broken_15"),
            "waits_too": waits_for("waits"), "of_a_group": waits_for("group:hours"),
            "member": json.dumps({**GOOD_JOB, "group": "hours"}),
            "a": waits_for("b"), "b": waits_for("a"), "whole": json.dumps({**GOOD_JOB, "window": "none", "after": ["broken_16"]})}
    daemon = etld(jobs)
    (daemon.jobs_folder / "no name.yaml").write_text(json.dumps(GOOD_JOB))
    assert daemon.check().code == CONFIG
    daemon.start()
    known = daemon.jobs()

    for i, (_, word) in enumerate(BROKEN_JOBS):
        job = known[f"broken_{i:02}"]
        assert job["health"] == "config" and f"broken_{i:02}.yaml" in job["reason"], job
        assert "error[E" in job["reason"]
        assert job["next"] is None
    line = known["broken_15"]["reason"]
    assert "broken_15.yaml:1:" in line and "schedul" in line, line
    assert known["no_name"]["health"] == "config"
    assert {known["a"]["health"], known["b"]["health"]} == {"config", "blocked"}, "one of them closes the circle"
    for name in ("waits", "waits_too", "whole"):
        assert known[name]["health"] == "blocked", known[name]
    assert "broken_15, which is left out: " in known["waits"]["reason"]
    # Files that nobody can read may be of any group.
    assert known["of_a_group"]["health"] == "blocked", known["of_a_group"]

    # The others do what they did.
    daemon.run("hourly")
    for station in flow.stations:
        flow.check_hours(db["hourly"], station, flow.start, flow.start + DAY)

    left = [n for n in known if known[n]["health"] == "config"]
    assert daemon.status()["daemon"]["config"]["left_out"] == len(left)
    assert {e["ETL_JOB"] for e in daemon.log(MESSAGE_ID="dc5a4b6b23ae493ebf0060a333229102")} == set(left)
    assert f"{len(left)} left out" in daemon.notify.last("STATUS")
    assert daemon.ctl("status", "hourly", "--check", ok=None).code != CONFIG
    assert daemon.ctl("status", "broken_15", "--check", ok=(CONFIG,))
    assert daemon.ctl("status", "--check", ok=(CONFIG,), output="table")
    assert f'etld_jobs{{health="config"}} {len(left)}\n' in daemon.ctl("metrics", output="table").out


def test_every_question_and_order(etld, sim):
    """Nothing that is asked of a job that is left out ends the daemon or moves data."""
    flow = Flow(sim)
    daemon = etld({"bad": json.dumps({**GOOD_JOB, "check": [{"no_such": {}}]}), "worse": "{", "hourly": flow.hourly(flow.start + DAY),
                   "after_bad": waits_for("bad")})
    daemon.start()
    at = "2026-03-02T01:00:00Z"
    orders = [("run",), ("run", "--wait"), ("run", "--window", at), ("run", "--from", at, "--to", "2026-03-02T03:00Z"),
              ("run", "--partition", "x"), ("backfill", "--from", at, "--to", "2026-03-03", "--dry-run"),
              ("backfill", "--from", at, "--to", "2026-03-03"), ("watermark", "set", at, "--reason", "x"),
              ("watermark", "rewind", at, "--reason", "x"), ("watermark", "undo", "--reason", "x")]
    questions = [("status",), ("next",), ("next", "-n", "3"), ("runs",), ("windows",), ("why",), ("why", "--window", at),
                 ("watermark", "show"), ("watermark", "history"), ("backfills",), ("simulate", "--from", at, "--to", "2026-03-03"),
                 ("graph",), ("pause", "--reason", "x"), ("resume",)]
    for job in ("bad", "worse"):
        for words in orders + questions:
            command = ("watermark", words[1], job, *words[2:]) if words[0] == "watermark" else (words[0], job, *words[1:])
            answer = daemon.ctl(*command, ok=None)
            assert answer.code in ((CONFIG,) if words in orders else (0, 4)), (command, answer)
            if words in orders:
                assert f"{job}.yaml:" in answer.out + answer.err, (command, answer)
    assert "no_such" in daemon.ctl("next", "bad").json["left_out"]
    assert "'bad' is left out" in daemon.ctl("next", "bad", output="table").err
    one = daemon.ctl("simulate", "bad", "--from", at, "--to", "2026-03-03").json
    assert (one["jobs"], one["left_out"], one["without_slots"]) == (0, 1, 0), one
    assert "left out for errors in their files (etlctl jobs): 2\n" in daemon.ctl("simulate", output="table").out
    (because, *_) = daemon.ctl("why", "bad").json["because"]
    assert "is left out" in because and "no_such" in because
    why = daemon.ctl("why", "after_bad").json
    assert any("bad" in s and "left out" in s for s in why["because"]), why
    assert "etlctl reload" in why["hints"]
    listed = {job["name"]: job for job in daemon.ctl("jobs").json["jobs"]}
    assert "no_such" in listed["bad"]["left_out"] and not listed["bad"]["enabled"]
    assert listed["hourly"]["left_out"] is None and listed["hourly"]["enabled"]
    for output in ("table", "json"):
        for command in ("jobs", "graph", "status", "metrics"):
            daemon.ctl(command, output=output)
    assert daemon.is_running


def test_a_credential_wants_a_restart(etld, monkeypatch):
    """What the unit hands over at its start is not there after a reload: no hint sends anybody there."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/nonexistent")
    http = {**GOOD_JOB["extract"]["http"], "auth": {"bearer": {"token": {"credential": "api_token"}}}}
    daemon = etld({"bad": json.dumps({**GOOD_JOB, "extract": {"http": http}})})
    daemon.start()
    hints = daemon.ctl("why", "bad").json["hints"]
    assert hints == ["etlctl config check", "systemctl restart etld"], hints
    refused = daemon.ctl("run", "bad", ok=(CONFIG,), output="table")
    assert "systemctl restart etld" in refused.err and "etlctl reload" not in refused.err, refused


def test_it_comes_back(etld, sim, db):
    """Broken while the daemon was down, mended while it runs: it loads what is due, its watermark
    and its pause are where they were."""
    flow = Flow(sim)
    good = flow.hourly(flow.start + DAY, schedule={"cron": "0 0 1 * *"})
    daemon = etld({"hourly": good, "paused": flow.hourly(flow.start + DAY)})
    daemon.start()
    daemon.ctl("pause", "paused", "--reason", "we look at it")
    daemon.run("hourly")
    daemon.stop()
    flow_of_two = flow.hourly(flow.start + 2 * DAY, schedule={"cron": "0 0 1 * *"})
    daemon.write_job("hourly", json.dumps({**flow_of_two, "lod": {}}))
    daemon.write_job("paused", json.dumps({**flow.hourly(flow.start + DAY), "lod": {}}))
    daemon.start()
    wait_for(lambda: daemon.status()["daemon"]["state"] == "ready", "MongoDB is there")
    assert {job["health"] for job in daemon.jobs().values()} == {"config"}

    daemon.write_job("paused", json.dumps(flow.hourly(flow.start + DAY)))
    assert daemon.ctl("reload", ok=(CONFIG,)), "the other one is wrong still: all or nothing"
    assert daemon.jobs()["paused"]["health"] == "config"
    daemon.write_job("hourly", json.dumps(flow_of_two))
    daemon.ctl("reload")
    status = daemon.status()
    assert status["daemon"]["config"]["left_out"] == 0 and status["daemon"]["config"]["error"] is None
    assert daemon.jobs()["paused"]["health"] == "paused"
    wait_for(lambda: daemon.jobs()["hourly"]["watermarks"][0]["watermark"] == "2026-03-04T00:00:00Z",
             lambda: f"the windows of the second day, unasked: {daemon.jobs()['hourly']}")
    daemon.wait_idle()
    for station in flow.stations:
        flow.check_hours(db["hourly"], station, flow.start, flow.start + 2 * DAY)
