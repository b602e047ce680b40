# SPDX-License-Identifier: MIT
"""Who pauses last has the last word, in the store too: a pause that hangs on its way there is not
overtaken by the resume that came after it."""
import subprocess

import pytest

from etld import faults_folder
from hold import Hold
from test_many_jobs import grouped, yearly
from wait import wait_for

pytestmark = pytest.mark.faults


@pytest.fixture
def hold(tmp_path):
    found = Hold(tmp_path / "hold")
    yield found
    found.leave()


def begin(daemon, *words):
    """etlctl, which goes on."""
    return subprocess.Popen([str(daemon.build / "etlctl"), "--socket", str(daemon.control), *words], env=daemon.env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process):
    out = process.communicate(timeout=600)[0]
    assert process.returncode == 0, out


@pytest.mark.parametrize("later", [["resume", "--group", "herd"], ["resume", "job1"]])
def test_the_store_keeps_the_order(etld, hold, metadata, later):
    jobs = {f"job{number}": grouped(number) for number in range(4)}
    daemon = etld({**jobs, "other": yearly(1)}, build=faults_folder(), config={"limits": {"workers": 2}},
                  env={"ETLD_FAULTS": "pause.store=hold:1", "ETLD_FAULT_HOLD": str(hold.path)})
    daemon.start()
    first = begin(daemon, "pause", "--group", "herd")
    hold.enter()
    second = begin(daemon, *later)
    daemon.wait_log(ETL_METHOD="io.etld.Control.Resume")
    daemon.ctl("runs")  # the other worker has done by now what was given to it before
    assert not metadata["pauses"].count_documents({}) and second.poll() is None
    hold.leave()
    end(first)
    end(second)
    paused = {name for name, job in daemon.jobs().items() if job["paused"]}
    assert paused == (set() if "--group" in later else {"job0", "job2", "job3"})
    assert {doc["_id"] for doc in metadata["pauses"].find({"paused": True})} == paused


def test_a_second_signal_waits_for_nothing_to_be_stored(etld, hold, metadata):
    """MongoDB is there, but slow: what a worker is at ends, the rest is told as lost."""
    jobs = {f"job{number}": grouped(number) for number in range(4)}
    daemon = etld(jobs, build=faults_folder(), env={"ETLD_FAULTS": "pause.store=hold:1", "ETLD_FAULT_HOLD": str(hold.path)})
    daemon.start()
    first = begin(daemon, "pause", "--group", "herd")
    hold.enter()
    daemon.process.terminate()
    wait_for(lambda: [line for line in daemon.log() if line["MESSAGE"].startswith("stopping")], daemon.stderr_tail)
    daemon.process.terminate()
    wait_for(lambda: len([line for line in daemon.log() if "asked twice" in line["MESSAGE"]]) == 1, daemon.stderr_tail)
    hold.leave()
    first.communicate(timeout=600)
    daemon.wait_end()
    told = [line["MESSAGE"] for line in daemon.log() if "is lost" in line["MESSAGE"]]
    assert len(told) == 1 and "before MongoDB has taken all" in told[0] and "pauses 3" in told[0], told
    assert metadata["pauses"].count_documents({"paused": True}) == 1
