# SPDX-License-Identifier: MIT
"""etld as a service of a real systemd: installed, started, reloaded, killed, read back.

One booted container for the file (tests/lib/nsbox.sh), whose root is this machine's under an
overlay: nothing of this reaches the disk. Its network is the machine's loopback, where the
session's MongoDB and the simulator listen. The shipped example runs in it word for word, with
drop-ins for addresses, credentials and shorter limits.
"""
import datetime as dt
import pathlib
import re
import subprocess

import pytest

from airqino_sim import AirqinoSim
from conftest import CANNOT
from etld import build_folder
from nsbox import Box
from wait import wait_for

pytestmark = [pytest.mark.systemd, pytest.mark.daemon, pytest.mark.alone]

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "etc" / "examples" / "r1-airqino"
UNIT = "etld.service"
DROP_IN = "/etc/systemd/system/etld.service.d"
DATABASE = "etld_systemd"
STATIONS = ("283164601", "283181971")
FAST = "[Service]\nRestartSec=200ms\nWatchdogSec=3\n"
READER, ADMIN, STRANGER = "etlreader", "etlboss", "etlstranger"


def message_ids():
    text = (ROOT / "daemon" / "io" / "message_ids.h").read_text()
    return dict(re.findall(r'#define ETLD_MSG_(\w+) "([0-9a-f]{32})"', text))


ID = message_ids()


@pytest.fixture(scope="module")
def source():
    with AirqinoSim() as running:
        running.require_auth = True
        yield running


@pytest.fixture(scope="module")
def box(mongodb, mongo_client, source):
    """The container with etld installed and configured, not started."""
    machine = Box(f"etld{mongodb.pid or 0}")
    try:
        machine.start()
    except subprocess.CalledProcessError as error:
        if error.returncode == CANNOT:
            pytest.skip(f"no container here: {(error.stderr or '').strip().splitlines()[-1:]}")
        raise AssertionError(error.stderr) from error
    try:
        install(machine, mongodb, source)
        yield machine
    finally:
        machine.stop()
        for name in (DATABASE, "etl_metadata"):
            mongo_client.drop_database(name)


def install(box, mongodb, source):
    # -o all: what make built before is what is tested.
    done = subprocess.run(["make", "-s", "-C", str(ROOT), f"BUILD={build_folder()}", "-o", "all", "install",
                           f"DESTDIR={box.root}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    box("systemd-sysusers")
    for name, groups in ((READER, "etl"), (ADMIN, "etl,etladmin"), (STRANGER, "")):
        box("useradd", "--no-create-home", *(["-G", groups] if groups else []), name)
    for path in ("etld.yaml", "jobs.d/airqino.yaml", "jobs.d/airqino_daily.yaml"):
        box.write(f"/etc/etld/{path}", (EXAMPLE / path).read_text())
    box("systemd-tmpfiles", "--create", "etld.conf")
    box("journalctl", "--update-catalog")
    box.write("/etc/etld/secrets/airqino_secret", source.tokens.client_secret + "\n", 0o600)
    box.write("/etc/etld/secrets/airqino_password", source.tokens.password + "\n", 0o600)
    start = (dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
    environment = {
        "MONGODB_URI": mongodb.uri, "AIRQINO_DATABASE": DATABASE, "AIRQINO_URL": source.url,
        "AIRQINO_AUTH_URL": source.url, "AIRQINO_CLIENT_ID": source.tokens.client_id,
        "AIRQINO_USERNAME": source.tokens.username, "AIRQINO_START": start,
    }
    box.write(f"{DROP_IN}/site.conf", "[Service]\n"
              + "".join(f"LoadCredential={n}:/etc/etld/secrets/{n}\n"
                        for n in ("airqino_secret", "airqino_password"))
              + "".join(f'Environment="{k}={v}"\n' for k, v in environment.items()))
    box.write(f"{DROP_IN}/fast.conf", FAST)
    box("systemctl", "daemon-reload")


@pytest.fixture
def service(box):
    """etld running and well, whatever an earlier test left."""
    box("systemctl", "reset-failed", UNIT, check=False)
    box("systemctl", "start", UNIT)
    box.wait_show(UNIT, ActiveState="active", SubState="running")
    return box


def etlctl(box, *arguments, user=None):
    command = ["etlctl", *arguments]
    if user:
        command = ["runuser", "-u", user, "--", *command]
    return box(*command, check=False)


def run_job(box, job):
    """etlctl run --wait, tried again while the schedule's own run is under way."""
    def attempt():
        done = etlctl(box, "run", job, "--wait")
        assert done.returncode in (0, 5, 6, 7, 8), f"{done}\n{box.journal_text(UNIT)}"
        return done.returncode != 8
    wait_for(attempt, f"{job} stays busy", limit=300)


def main_pid(box):
    return box.show(UNIT, "MainPID")["MainPID"]


def send_signal(box, name):
    """By systemd: a minimal system has no kill(1)."""
    box("systemctl", "kill", "--kill-whom=main", f"--signal={name}", UNIT)


def restarts(box):
    return int(box.show(UNIT, "NRestarts")["NRestarts"])


# ---- installed -----------------------------------------------------------------------------
def test_installation_owns_its_files(box):
    out = box("stat", "-c", "%U:%G %a %n", "/etc/etld", "/etc/etld/etld.yaml", "/etc/etld/jobs.d",
              "/etc/etld/jobs.d/airqino.yaml", "/etc/etld/secrets").stdout.splitlines()
    assert out == ["root:etl 750 /etc/etld", "root:etl 640 /etc/etld/etld.yaml",
                   "root:etl 750 /etc/etld/jobs.d", "root:etl 640 /etc/etld/jobs.d/airqino.yaml",
                   "root:root 700 /etc/etld/secrets"]
    assert "etladmin" in box("id", "-Gn", "etl").stdout.split()


def test_systemd_finds_no_fault_in_the_unit(box):
    for page in ("man8/etld.8", "man1/etlctl.1", "man5/etld.yaml.5"):
        box("test", "-s", f"/usr/share/man/{page}")
    # A machine without man(1) cannot look the pages up.
    done = box("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", UNIT, check=False)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    done = box("systemd-analyze", "security", "--offline=yes", "--threshold=12",
               "/usr/lib/systemd/system/etld.service", check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


# ---- started -------------------------------------------------------------------------------
def test_start_says_ready_and_a_status_in_words(service):
    shown = service.show(UNIT, "Type", "NotifyAccess", "StatusText", "WatchdogUSec", "Result")
    assert shown["Type"] == "notify" and shown["NotifyAccess"] == "main"
    assert shown["WatchdogUSec"] == "3s" and shown["Result"] == "success"
    assert re.search(r"[a-z]{3}", shown["StatusText"]), shown
    assert service.journal(f"MESSAGE_ID={ID['STARTED']}", f"_SYSTEMD_UNIT={UNIT}")


def test_walls_stand_around_the_process(service):
    text = service("cat", f"/proc/{main_pid(service)}/status").stdout
    status = dict(re.findall(r"(?m)^(\w+):\s+(.*)$", text))
    etl = service("id", "-u", "etl").stdout.strip()
    assert set(status["Uid"].split()) == {etl}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0


def test_secrets_are_neither_in_environment_nor_arguments(service, source):
    pid = main_pid(service)
    seen = service("cat", f"/proc/{pid}/environ", f"/proc/{pid}/cmdline").stdout
    assert source.tokens.password not in seen and source.tokens.client_secret not in seen


def test_control_socket_is_for_the_group(service):
    assert service("stat", "-c", "%a %G", "/run/etld/control").stdout.split() == ["660", "etl"]
    assert service("stat", "-c", "%a %U:%G", "/run/etld").stdout.split() == ["750", "etl:etl"]
    assert etlctl(service, "jobs", user=READER).returncode == 0
    stranger = etlctl(service, "jobs", user=STRANGER)
    assert stranger.returncode in (3, 9) and not stranger.stdout.strip(), stranger


def test_changing_is_for_the_admin_group(service):
    refused = etlctl(service, "pause", "airqino", user=READER)
    assert refused.returncode == 9, refused
    allowed = etlctl(service, "pause", "airqino", user=ADMIN)
    assert allowed.returncode == 0, allowed
    assert etlctl(service, "resume", "airqino", user=ADMIN).returncode == 0


# ---- at work, read back from the journal ---------------------------------------------------
def test_a_run_is_found_in_the_journal_by_its_fields(service, mongo_client):
    before = service.cursor()
    run_job(service, "airqino")
    loaded = mongo_client[DATABASE].hourly_averages.count_documents({})
    assert loaded > 0
    for station in STATIONS:
        assert mongo_client[DATABASE].hourly_averages.count_documents({"station_id": station}) > 0

    entries = service.journal("ETL_JOB=airqino", f"MESSAGE_ID={ID['RUN_FINISHED']}")
    assert entries
    for entry in entries:
        assert entry["_SYSTEMD_UNIT"] == UNIT
        for field in ("ETL_RUN_ID", "ETL_RECORDS_IN", "ETL_RECORDS_OUT", "ETL_REJECTED", "ETL_DURATION_US"):
            assert entry.get(field), f"{field} in {entry}"
    assert sum(int(e["ETL_RECORDS_OUT"]) for e in entries) >= loaded

    # One summary line for a run, and the run that it names is known.
    newest = [e for e in service.journal("ETL_JOB=airqino", since=before)
              if e.get("MESSAGE_ID") == ID["RUN_FINISHED"]]
    ids = [e["ETL_RUN_ID"] for e in newest]
    assert len(ids) == len(set(ids)) > 0
    assert etlctl(service, "show", ids[-1]).returncode == 0


def test_the_catalog_explains_a_message_in_its_words(service):
    run_job(service, "airqino")
    text = service("journalctl", "-b", "-x", "--no-pager", "-n", "1",
                   f"MESSAGE_ID={ID['RUN_FINISHED']}").stdout
    assert "Run of job airqino" in text and "etlctl show" in text, text
    assert "@ETL_" not in text and "@MESSAGE@" not in text


def test_the_catalog_speaks_french(service):
    if service("localedef", "-i", "fr_FR", "-f", "UTF-8", "fr_FR.UTF-8", check=False).returncode not in (0, 1):
        pytest.skip("no French locale can be made here")
    if "fr_FR" not in service("locale", "-a").stdout:
        pytest.skip("no French locale can be made here")
    run_job(service, "airqino")
    text = service("env", "LC_ALL=fr_FR.UTF-8", "journalctl", "-b", "-x", "--no-pager", "-n", "1",
                   f"MESSAGE_ID={ID['RUN_FINISHED']}").stdout
    assert "du travail airqino" in text and "Ensuite" in text, text


def test_no_secret_reaches_the_journal(service, source):
    run_job(service, "airqino")
    text = service("journalctl", "-b", "-u", UNIT, "-o", "json", "--all", "--no-pager").stdout
    assert source.tokens.password not in text and source.tokens.client_secret not in text
    assert not any(token in text for token in source.tokens.access)


# ---- reload --------------------------------------------------------------------------------
EXTRA_JOB = (EXAMPLE / "jobs.d" / "airqino.yaml").read_text().replace(
    "Hourly air quality of the Abidjan", "A third job of the Abidjan").replace(
    "collection: hourly_averages", "collection: extra_averages")


def test_reload_takes_a_new_job_without_a_restart(service):
    pid, before = main_pid(service), service.cursor()
    service.write("/etc/etld/jobs.d/extra.yaml", EXTRA_JOB)
    try:
        service("systemctl", "reload", UNIT)
        assert "extra" in etlctl(service, "jobs").stdout
        assert main_pid(service) == pid
        assert service.journal(f"MESSAGE_ID={ID['CONFIG_RELOADED']}", since=before)
    finally:
        service("rm", "/etc/etld/jobs.d/extra.yaml")
        service("systemctl", "reload", UNIT)
    assert "extra" not in etlctl(service, "jobs").stdout


def test_reload_of_a_broken_file_keeps_the_old_configuration(service):
    pid, before = main_pid(service), service.cursor()
    service.write("/etc/etld/jobs.d/broken.yaml", "shedule: {cron: '@hourly'}\n")
    try:
        refused = service("systemctl", "reload", UNIT, check=False)
        assert refused.returncode != 0
        assert service.show(UNIT, "ActiveState")["ActiveState"] == "active"
        assert main_pid(service) == pid
        jobs = etlctl(service, "jobs").stdout
        assert "airqino_daily" in jobs and "broken" not in jobs
        entries = service.journal(f"MESSAGE_ID={ID['CONFIG_RELOAD_FAILED']}", since=before)
        assert any("broken.yaml:1" in e["MESSAGE"] for e in entries), entries
        # By signal it is the same: refused, and it lives on.
        before = service.cursor()
        send_signal(service, "HUP")
        wait_for(lambda: service.journal(f"MESSAGE_ID={ID['CONFIG_RELOAD_FAILED']}", since=before),
                 "the refusal in the journal")
        assert main_pid(service) == pid
    finally:
        service("rm", "/etc/etld/jobs.d/broken.yaml")
        service("systemctl", "reload", UNIT)


# ---- killed --------------------------------------------------------------------------------
def test_a_hanging_process_is_ended_by_the_watchdog_and_started_again(service):
    pid, count = main_pid(service), restarts(service)
    send_signal(service, "STOP")
    wait_for(lambda: restarts(service) > count, lambda: service.journal_text(UNIT), limit=120)
    service.wait_show(UNIT, ActiveState="active", SubState="running")
    assert main_pid(service) not in (pid, "0")
    assert any("atchdog" in e["MESSAGE"] for e in service.journal(f"UNIT={UNIT}"))


def test_kill_9_is_followed_by_a_restart_that_doubles_nothing(service, mongo_client):
    run_job(service, "airqino")
    pid, count = main_pid(service), restarts(service)
    send_signal(service, "KILL")
    wait_for(lambda: restarts(service) > count, lambda: service.journal_text(UNIT), limit=120)
    service.wait_show(UNIT, ActiveState="active", SubState="running")
    run_job(service, "airqino")
    doubled = list(mongo_client[DATABASE].hourly_averages.aggregate([
        {"$group": {"_id": {"s": "$station_id", "t": "$timestamp"}, "n": {"$sum": 1}}},
        {"$match": {"n": {"$gt": 1}}}]))
    assert not doubled


def test_stop_drains_and_says_so(service):
    before = service.cursor()
    service("systemctl", "stop", UNIT)
    shown = service.show(UNIT, "ActiveState", "Result", "ExecMainStatus", "ExecMainCode")
    assert shown["ActiveState"] == "inactive" and shown["Result"] == "success", shown
    assert shown["ExecMainStatus"] == "0"
    said = [e.get("MESSAGE_ID") for e in service.journal(f"_SYSTEMD_UNIT={UNIT}", since=before)]
    assert said.index(ID["DRAINING"]) < said.index(ID["STOPPED"])
    assert not service("test", "-S", "/run/etld/control", check=False).returncode == 0


# ---- wrong from the start ------------------------------------------------------------------
def test_a_broken_configuration_ends_with_78_and_is_not_started_again(service):
    service("systemctl", "stop", UNIT)
    before = service.cursor()
    # A job that is wrong is left out; only the main configuration file ends the start.
    service("sh", "-c", "cp -p /etc/etld/etld.yaml /etc/etld/whole && echo 'shedule: {}' >>/etc/etld/etld.yaml")
    try:
        assert service("systemctl", "start", UNIT, check=False).returncode != 0
        service.wait_show(UNIT, ActiveState="failed")
        shown = service.show(UNIT, "ExecMainStatus", "NRestarts", "Result")
        assert shown == {"ExecMainStatus": "78", "NRestarts": "0", "Result": "exit-code"}
        entries = service.journal(f"MESSAGE_ID={ID['CONFIG_REFUSED']}", since=before)
        assert any("shedule" in e["MESSAGE"] for e in entries), entries
        # "failed" is final: a unit that waits for its restart is "activating".
        assert not [e for e in service.journal(f"UNIT={UNIT}", since=before)
                    if "Scheduled restart" in e["MESSAGE"]]
    finally:
        service("mv", "/etc/etld/whole", "/etc/etld/etld.yaml")
        service("systemctl", "reset-failed", UNIT)


def test_without_mongodb_it_lives_and_says_why(service):
    """A port of loopback on which nobody listens stands for a database that is unreachable."""
    service("systemctl", "stop", UNIT)
    service.write(f"{DROP_IN}/zz-away.conf",
                  '[Service]\nEnvironment="MONGODB_URI=mongodb://127.0.0.1:1/?replicaSet=rs0"\n')
    service("systemctl", "daemon-reload")
    try:
        service("systemctl", "start", "--no-block", UNIT)

        def answers():
            done = etlctl(service, "status")
            return done if done.returncode != 3 else None
        wait_for(answers, lambda: service.journal_text(UNIT), limit=120)
        wait_for(lambda: "mongodb" in etlctl(service, "status").stdout.lower(),
                 lambda: etlctl(service, "status"), limit=120)
        wait_for(lambda: "mongodb" in service.show(UNIT, "StatusText")["StatusText"].lower(),
                 lambda: service.show(UNIT, "StatusText"), limit=120)
        assert service.show(UNIT, "ActiveState")["ActiveState"] in ("activating", "active")
        assert service.show(UNIT, "NRestarts")["NRestarts"] == "0"
    finally:
        service("systemctl", "stop", UNIT)
        service("rm", f"{DROP_IN}/zz-away.conf")
        service("systemctl", "daemon-reload")
        service("systemctl", "start", UNIT)
