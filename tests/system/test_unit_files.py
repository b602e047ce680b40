# SPDX-License-Identifier: MIT
"""The files of systemd/ on their own: no daemon and no container needed."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "systemd"


def tool(name):
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          check=False, **options)


@pytest.fixture
def unit(tmp_path):
    """The unit with programs that exist, so that verify can look at all the rest."""
    text = (SYSTEMD / "etld.service").read_text()
    text = re.sub(r"(?m)^(Exec\w+=)\S+", r"\1/bin/true", text)
    path = tmp_path / "etld.service"
    path.write_text(text)
    path.chmod(0o644)
    return path


def test_verify_finds_nothing(unit):
    done = run(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", unit)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr


def test_verify_would_find_a_wrong_key(unit):
    unit.write_text(unit.read_text().replace("[Install]", "NoSuchKey=yes\n[Install]"))
    done = run(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", unit)
    assert done.returncode != 0 or "NoSuchKey" in done.stderr


def test_exposure_is_at_most_1_2(unit):
    done = run(tool("systemd-analyze"), "security", "--offline=yes", "--threshold=12", unit)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_no_private_users_and_only_the_main_process_notifies():
    text = (SYSTEMD / "etld.service").read_text()
    assert not re.search(r"(?m)^PrivateUsers=", text)  # it hides who speaks on the control socket
    assert re.search(r"(?m)^NotifyAccess=main$", text)


def test_programs_of_the_unit_are_installed_by_make():
    """Nothing from other packages (procps' kill is no part of a minimal system)."""
    text = (SYSTEMD / "etld.service").read_text()
    programs = set(re.findall(r"(?m)^Exec\w+=(\S+)", text))
    assert programs == {"/usr/sbin/etld", "/usr/bin/etlctl"}


def make_users(folder):
    (folder / "etc").mkdir()
    done = run(tool("systemd-sysusers"), f"--root={folder}", SYSTEMD / "etld.sysusers")
    assert done.returncode == 0, done.stderr


def test_sysusers_makes_user_and_groups(tmp_path):
    make_users(tmp_path)
    groups = {line.split(":")[0]: line.split(":")[3].split(",")
              for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert {"etl", "etladmin"} <= set(groups)
    assert "etl" in groups["etladmin"]  # the unit's reload runs as etl
    passwd = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"(?m)^etl:[^:]*:\d+:\d+:ETL daemon:/var/lib/etld:/usr/sbin/nologin$", passwd)


def test_tmpfiles_sets_owners_and_modes(tmp_path):
    tool("systemd-tmpfiles")
    if os.geteuid() != 0:
        pytest.skip("needs root: files change their owners")
    make_users(tmp_path)
    jobs = tmp_path / "etc/etld/jobs.d"
    jobs.mkdir(parents=True)
    for path in (tmp_path / "etc/etld/etld.yaml", jobs / "a.yaml"):
        path.write_text("")
        path.chmod(0o644)
    done = run("systemd-tmpfiles", f"--root={tmp_path}", "--create", SYSTEMD / "etld.tmpfiles")
    assert done.returncode == 0, done.stderr
    modes = {"": 0o750, "jobs.d": 0o750, "secrets": 0o700, "etld.yaml": 0o640, "jobs.d/a.yaml": 0o640}
    for name, mode in modes.items():
        assert (tmp_path / "etc/etld" / name).stat().st_mode & 0o777 == mode, name


def test_catalog_compiles_and_holds_both_languages(tmp_path):
    tool("journalctl")
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(SYSTEMD / "etld.catalog", folder)
    done = run("journalctl", f"--root={tmp_path}", "--update-catalog")
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    listed = run("journalctl", f"--root={tmp_path}", "--list-catalog").stdout
    ids = set(re.findall(r'"([0-9a-f]{32})"', (ROOT / "daemon/io/message_ids.h").read_text()))
    assert ids and all(i in listed for i in ids)
    text = (SYSTEMD / "etld.catalog").read_text()
    for number in ids:
        for head in (f"-- {number}\n", f"-- {number} fr\n"):
            entry = text.partition(head)[2].partition("\n-- ")[0]
            words = ("Cause :", "Conséquence :", "Ensuite :") if "fr" in head else \
                ("Cause:", "Consequence:", "Next:")
            assert all(word in entry for word in words), head


def test_restart_steps_drop_in_only_has_the_keys_of_254():
    text = (SYSTEMD / "etld.service.d/restart-steps.conf.example").read_text()
    assert re.findall(r"(?m)^(\w+)=", text) == ["RestartSteps", "RestartMaxDelaySec"]
