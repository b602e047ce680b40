# SPDX-License-Identifier: MIT
"""etld and a real journald, without systemd: what was said is read back by field.

sd_journal_sendv returns 0 even when nobody listens, so these tests read the journal itself.
"""
import datetime as dt
import pathlib
import re

import pytest

pytestmark = [pytest.mark.journal, pytest.mark.daemon]

ROOT = pathlib.Path(__file__).resolve().parents[2]
ID = dict(re.findall(r'#define ETLD_MSG_(\w+) "([0-9a-f]{32})"', (ROOT / "daemon" / "message_ids.h").read_text()))


def yesterday():
    return (dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")


def test_entries_are_found_by_job_run_and_message(airqino_etld, jbox):
    etld = airqino_etld(yesterday(), prefix=jbox.prefix, env={"ETLD_LOG": "journal"}).start()
    etld.run("airqino")
    assert etld.stop() == 0
    assert jbox.read(f"MESSAGE_ID={ID['STARTED']}") and jbox.read(f"MESSAGE_ID={ID['STOPPED']}")
    runs = jbox.read("ETL_JOB=airqino", f"MESSAGE_ID={ID['RUN_FINISHED']}")
    assert runs
    for run in runs:
        assert jbox.read(f"ETL_RUN_ID={run['ETL_RUN_ID']}")
        assert int(run["ETL_DURATION_US"]) > 0 and run["PRIORITY"] in ("5", "6")
    assert not etld.log(ETL_JOB="airqino"), "what went to the journal is not on stderr too"


def test_a_failing_source_stands_there_with_its_reason(airqino_etld, jbox, sim):
    sim.fault("status", code=500, times=None, station="283181971")
    etld = airqino_etld(yesterday(), prefix=jbox.prefix, env={"ETLD_LOG": "journal"})
    etld.edit_job("airqino", "backoff: 30s", "backoff: 100ms")
    etld.start()
    etld.run("airqino", ok=(0, 1, 5, 6, 7))
    etld.stop()
    failed = jbox.read("ETL_JOB=airqino", f"MESSAGE_ID={ID['PARTITION_FAILED']}")
    assert failed and all("283181971" in f["ETL_PARTITION"] for f in failed)
    assert all(f["ETL_ERROR_CODE"] and int(f["PRIORITY"]) <= 4 for f in failed)
    assert any("500" in f["MESSAGE"] or f.get("ETL_HTTP_STATUS") == "500" for f in failed)


def test_without_journald_the_same_fields_go_to_stderr(airqino_etld):
    etld = airqino_etld(yesterday()).start()
    etld.run("airqino")
    entry = etld.wait_log(ETL_JOB="airqino", MESSAGE_ID=ID["RUN_FINISHED"])
    assert {"ETL_RUN_ID", "ETL_RECORDS_IN", "ETL_RECORDS_OUT", "MESSAGE"} <= set(entry)
