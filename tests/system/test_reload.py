# SPDX-License-Identifier: MIT
"""A reload is read by a thread of its own: in the middle of it the loop answers, takes more
reloads and stops. The order is made by a fault point that holds the thread (`hold`), not by time."""
import json
import signal
import subprocess

import pytest

from etld import faults_folder
from hold import Hold
from test_many_jobs import yearly
from wait import wait_for

pytestmark = pytest.mark.faults
BROKEN = 78
NOT_READY = 1
THOUSANDS = 2000


@pytest.fixture
def hold(tmp_path):
    found = Hold(tmp_path / "hold")
    yield found
    found.leave()


@pytest.fixture
def held(etld, hold):
    """held(jobs, point): a daemon that runs, whose thread will stand at the point."""
    def make(jobs, point, **options):
        daemon = etld(jobs, build=faults_folder(),
                      env={"ETLD_FAULTS": point, "ETLD_FAULT_HOLD": str(hold.path)}, **options)
        return daemon.start()
    return make


def few(number=3):
    return {f"job{i}": yearly(i) for i in range(number)}


def begin(daemon):
    """etlctl reload, which goes on."""
    return subprocess.Popen(
        [str(daemon.build / "etlctl"), "--socket", str(daemon.control), "-o", "json", "reload"], env=daemon.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process, status=0):
    out, err = process.communicate(timeout=600)
    assert process.returncode == status, (process.returncode, out, err)
    return json.loads(out)


def config(daemon):
    return daemon.status()["daemon"]["config"]


def test_the_loop_answers_in_the_middle_of_thousands_of_files(held, hold):
    daemon = held({f"job{i:05}": yearly(i) for i in range(THOUSANDS)}, f"config.job=hold:{THOUSANDS + THOUSANDS // 2}")
    daemon.remove_job("job00007")
    daemon.write_job("more", yearly(1))
    asked = begin(daemon)
    hold.enter()
    status = daemon.status()
    assert status["daemon"]["config"]["loading"] and status["daemon"]["config"]["generation"] == 1
    names = {job["name"] for job in status["jobs"]}
    assert len(names) == THOUSANDS and "job00007" in names and "more" not in names
    assert daemon.ctl("pause", "job00008").json["changed"], "what is changed meanwhile is kept"
    assert daemon.notify.count("RELOADING") == 1 and daemon.notify.count("READY") == 1
    assert asked.poll() is None
    hold.leave()
    assert end(asked)["generation"] == 2
    assert daemon.notify.count("READY") == 2
    jobs = daemon.jobs()
    assert "job00007" not in jobs and "more" in jobs and jobs["job00008"]["paused"]
    assert not config(daemon)["loading"]


def test_one_that_hangs_is_told_and_the_daemon_lives(held, hold):
    daemon = held(few(), "config.job=hold:5", watchdog_usec=1_000_000)
    daemon.reload()
    hold.enter()
    daemon.wait_log(ETL_TASK="reload")
    fed = daemon.notify.count("WATCHDOG")
    wait_for(lambda: daemon.notify.count("WATCHDOG") > fed, "the watchdog is fed")
    assert "being read again" in daemon.ctl("status", output="table").out
    assert "being read again" in daemon.notify.last("STATUS")
    hold.leave()
    wait_for(lambda: config(daemon)["generation"] == 2, "it is taken")


def test_groups_are_looked_up_by_the_same_thread(held, hold):
    daemon = held(few(), "groups.look=hold:2")  # the first look is the start's
    asked = begin(daemon)
    hold.enter()
    assert config(daemon)["loading"]
    hold.leave()
    assert end(asked)["generation"] == 2


def test_who_asks_while_one_goes_shares_the_next(held, hold):
    """The file was read before it was written anew: the loading that goes would miss it."""
    daemon = held(few(), "config.job=hold:5")
    first = begin(daemon)
    hold.enter()
    daemon.write_job("job0", json.dumps({**json.loads(yearly(0)), "description": "anew"}))
    second, third = begin(daemon), begin(daemon)
    wait_for(lambda: len(daemon.log(MESSAGE="a reload is going: the configuration is read once more behind it")) == 2,
             "both are known")
    daemon.reload()
    assert daemon.jobs()["job0"]["description"] != "anew"
    hold.leave()
    answers = [end(process) for process in (first, second, third)]
    assert [(a["generation"], a["waited"]) for a in answers] == [(2, False), (3, True), (3, True)]
    assert daemon.jobs()["job0"]["description"] == "anew"
    assert config(daemon)["generation"] == 3
    assert daemon.notify.count("RELOADING") == 2 and daemon.notify.count("READY") == 3


def test_a_broken_one_and_a_good_one_behind_it(held, hold):
    daemon = held(few(), "config.job=hold:6")
    daemon.write_job("job0", yearly(0).replace("schedule", "shedule"))
    first = begin(daemon)
    hold.enter()
    daemon.write_job("job0", yearly(0))
    second = begin(daemon)
    daemon.wait_log(MESSAGE="a reload is going: the configuration is read once more behind it")
    hold.leave()
    assert "job0.yaml" in end(first, BROKEN)["details"]["diagnostics"]
    assert end(second)["generation"] == 2
    assert config(daemon)["error"] is None


def test_a_client_that_leaves_in_the_middle(held, hold):
    daemon = held(few(), "config.job=hold:5")
    asked = begin(daemon)
    hold.enter()
    asked.kill()
    asked.communicate(timeout=600)
    daemon.status()
    hold.leave()
    wait_for(lambda: config(daemon)["generation"] == 2, "it is taken all the same")


def test_a_stop_in_the_middle(held, hold):
    """Nobody waits for the thread but the process's end; what it read is not taken."""
    daemon = held(few(), "config.job=hold:5")
    first = begin(daemon)
    hold.enter()
    second = begin(daemon)
    daemon.wait_log(MESSAGE="a reload is going: the configuration is read once more behind it")
    daemon.process.send_signal(signal.SIGTERM)
    for asked in (first, second):
        assert "stopping" in end(asked, NOT_READY)["message"]
    hold.leave()
    assert daemon.wait_end() == 0
    assert "configuration 2" not in daemon.stderr_tail(200)
