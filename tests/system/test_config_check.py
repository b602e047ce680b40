# SPDX-License-Identifier: MIT
"""What the loader says of a whole configuration, by etld --check: nothing is started."""
import json

import pytest

from test_control_abuse import GOOD_JOB

BROKEN = 78


@pytest.fixture
def check(etld):
    """Checks the daemon's file as a text, with a good job beside it."""
    daemon = etld({"job": json.dumps(GOOD_JOB)})

    def run(**settings):
        daemon.settings.update(settings)
        daemon.write_settings()
        return daemon.check()
    run.daemon = daemon
    return run


def test_a_password_in_the_uri_of_mongodb(check):
    check.daemon.env["WHOLE_URI"] = "mongodb://me:swordfish@db1/?replicaSet=rs0"
    for uri in ("mongodb://me:swordfish@db1/", "${WHOLE_URI}", "${NOT_SET_HERE:-mongodb://me:swordfish@db1/}",
                "mongodb://db1/?tlsCertificateKeyFilePassword=swordfish", "mongodb+srv://me:sword/swordfish@db1/"):
        answer = check(mongodb={"uri": uri})
        assert answer.code == BROKEN, uri
        assert "error[E021]: 'mongodb.uri' holds a" in answer.err
        assert "{credential: NAME} or {file: PATH}" in answer.err
        assert "swordfish" not in answer.out + answer.err, answer.err
    assert check(mongodb={"uri": "mongodb://me@db1/?authMechanism=MONGODB-X509"}).code == 0
    check.daemon.write_credentials({"uri": "mongodb://me:swordfish@db1/"})
    assert check(mongodb={"uri": {"credential": "uri"}}).code == 0


def test_a_password_is_in_no_line_of_the_journal(check):
    """A start and a reload that are refused say why."""
    daemon = check.daemon
    check(mongodb={"uri": "mongodb://me:swordfish@db1/"})
    daemon.start(wait=False)
    assert daemon.wait_end(10) == BROKEN
    said = daemon.stderr_tail(1000)
    assert "E021" in said and "swordfish" not in said, said


# ---- warnings and notes --------------------------------------------------------------------

WARNED = "7e46e6e0b662406cb6a0f481cbabbb55"


def outside(daemon):
    """As in CI: nothing of the unit is there."""
    daemon.env = {k: v for k, v in daemon.env.items() if k not in ("NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY")}


def secret_job():
    job = json.loads(json.dumps(GOOD_JOB))
    job["extract"]["http"]["auth"] = {"bearer": {"token": {"credential": "token"}}}
    return job


def test_what_only_the_unit_has_is_a_note_outside_of_it(check):
    daemon = check.daemon
    daemon.write_job("secret", secret_job())
    daemon.write_job("variable", {**GOOD_JOB, "description": "${ONLY_THE_UNIT_HAS_IT}", "after": ["secret"]})
    outside(daemon)
    answer = check()
    assert answer.code == 0, answer
    assert "3 jobs, no error, 2 notes" in answer.out and str(daemon.config_path) in answer.out
    assert "note[E021]: secret credential:token" in answer.err and "LoadCredential=" in answer.err
    assert "note[E020]: environment variable 'ONLY_THE_UNIT_HAS_IT' is not set" in answer.err
    # A mistake beside it is one all the same.
    daemon.write_job("variable", {**GOOD_JOB, "description": "${ONLY_THE_UNIT_HAS_IT}", "schedul": {}})
    assert check().code == BROKEN


def test_within_the_unit_it_is_an_error_that_names_the_way(check):
    daemon = check.daemon
    daemon.write_job("secret", secret_job())
    daemon.write_job("variable", {**GOOD_JOB, "description": "${ONLY_THE_UNIT_HAS_IT}"})
    for variable in ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"):
        outside(daemon)
        daemon.env[variable] = str(daemon.folder)
        answer = check()
        assert answer.code == BROKEN, variable
        assert "LoadCredential=token:PATH in the unit (systemctl edit etld), then systemctl restart etld" in answer.err
        assert "error[E020]" in answer.err and "Environment= or EnvironmentFile= in the unit" in answer.err


def test_files_that_no_pattern_takes(check):
    folder = check.daemon.jobs_folder
    for name in ("x.yml", "job.yaml.bak", "notes.txt", ".hidden.yml", "editor.yaml~"):
        (folder / name).write_text("{")
    answer = check()
    assert answer.code == 0 and "1 job, no error, 2 warnings" in answer.out, answer
    assert "warning[W001]: x.yml is not read: the pattern is " in answer.err and "rename it to x.yaml" in answer.err
    assert "warning[W001]: job.yaml.bak is not read" in answer.err and "rename it to job.yaml" not in answer.err


def test_no_job_is_a_warning(check):
    check.daemon.remove_job("job")
    answer = check()
    assert answer.code == 0 and "warning[W002]: there is no job" in answer.err, answer


def changed_job(checked, **change):
    checked.daemon.write_job("job", {**GOOD_JOB, **change})
    return checked.daemon.check()


@pytest.mark.parametrize("change", [
    {"check": [{"not_null": {"fields": []}}]}, {"check": [{"unique": {"fields": []}}]},
    {"transform": [{"keep": []}]}, {"transform": [{"drop": []}]},
    {"load": {"mongodb": {"collection": "c", "key": []}}}])
def test_a_list_that_names_nothing(check, change):
    """It would be read as a rule that always holds."""
    answer = changed_job(check, **change)
    assert answer.code == BROKEN, answer
    assert "is empty" in answer.err and "job.yaml:" in answer.err, answer.err


@pytest.mark.parametrize("version, code", [("v", 0), ("/meta/v", 0), ("meta.v", BROKEN), ("/a.b/v", BROKEN), ("$v", BROKEN)])
def test_a_version_that_no_query_can_say(check, version, code):
    """Without transactions it would let an older document replace a newer one."""
    answer = changed_job(check, load={"mongodb": {"collection": "c", "key": ["t"], "version": version}})
    assert answer.code == code, answer
    assert not code or ("no query of MongoDB can say" in answer.err and "/meta/version" in answer.err), answer.err


def test_a_load_into_the_metadata(check):
    ours = check.daemon.metadata
    answer = changed_job(check, load={"mongodb": {"collection": "windows", "database": ours, "key": ["t"]}})
    assert answer.code == BROKEN
    assert f"the load of job 'job' goes into '{ours}', where etld keeps its metadata" in answer.err, answer.err
    assert "name another database" in answer.err and "job.yaml:" in answer.err
    assert changed_job(check, load={"mongodb": {"collection": "windows", "database": "mine", "key": ["t"]}}).code == 0
    answer = check(mongodb={"uri": check.daemon.uri, "database": ours}, metadata={"database": ours})
    assert answer.code == 0, "the job says where it goes itself"
    assert changed_job(check, load={"mongodb": {"collection": "windows", "key": ["t"]}}).code == BROKEN


@pytest.mark.parametrize("max_span, warned", [("1d", True), ("1h", False), (None, False)])
def test_a_stage_that_sees_all_windows_of_a_request(check, max_span, warned):
    """The newest ten of a day are not the newest ten of each of its hours."""
    job = {**GOOD_JOB, "window": {"size": "1h", "start": "2026-03-01", **({"max_span": max_span} if max_span else {})},
           "extract": {"mongodb": {"collection": "c", "time": {"field": "at"},
                                   "pipeline": [{"$match": {"a": 1}}, {"$sort": {"at": -1}}, {"$limit": "10"}]}}}
    check.daemon.write_job("job", job)
    answer = check.daemon.check()
    assert answer.code == 0, answer
    assert ("warning[W004]: '$limit' in " in answer.err) == warned and ("max_span" in answer.err) == warned


def test_warnings_reach_people(etld):
    """At start and at reload: the journal, and who asked for the reload."""
    future = {**GOOD_JOB, "window": {**GOOD_JOB["window"], "start": "2222-03-02T00:00:00Z"}}
    future["window"].pop("end", None)
    daemon = etld({"job": json.dumps(GOOD_JOB)})
    (daemon.jobs_folder / "x.yml").write_text("{")
    daemon.start()
    assert "x.yml is not read" in daemon.wait_log(MESSAGE_ID=WARNED)["MESSAGE"]
    daemon.write_job("later", future)
    warnings = daemon.ctl("reload").json["warnings"]
    assert len(warnings) == 2 and any("x.yml is not read" in w for w in warnings), warnings
    assert any("later.yaml:" in w and "begins at 2222-03-02T00:00:00Z: its first window is due at" in w for w in warnings)
    assert len(daemon.log(MESSAGE_ID=WARNED)) == 3
    assert "warning: " in daemon.ctl("reload", output="table").err


def test_the_file_of_the_etld_that_answers_and_data(etld):
    daemon = etld({"job": json.dumps({**GOOD_JOB, "schedul": {}}), "good": json.dumps(GOOD_JOB)})
    daemon.start()
    answer = daemon.ctl("config", "check", ok=(BROKEN,))
    found = answer.json
    assert found["file"] == str(daemon.config_path) and found["schema"] == "etl.config_check/1"
    assert (found["errors"], found["warnings"], found["notes"], found["jobs"]) == (1, 0, 0, None)
    error, = found["diagnostics"]
    assert error["file"] == str(daemon.jobs_folder / "job.yaml") and error["line"] > 0 and error["column"] > 0
    assert (error["code"], error["severity"]) == ("E012", "error")
    assert "schedul" in error["message"] and "schedule" in error["hint"] and error["help"]
    words = daemon.ctl("config", "check", ok=(BROKEN,), output="table")
    assert f"{daemon.config_path}: 1 error" in words.err
    daemon.remove_job("job")
    assert daemon.ctl("config", "check").json["jobs"] == 1
    other = daemon.folder / "other.yaml"
    other.write_text("{")
    assert daemon.ctl("config", "check", other, ok=(BROKEN,)).json["file"] == str(other)


def test_a_job_in_place_of_the_daemons_file(check):
    answer = check.daemon.ctl("config", "check", check.daemon.jobs_folder / "job.yaml", ok=(BROKEN,), output="table")
    assert "this is a job, not etld's own file" in answer.err
