# SPDX-License-Identifier: MIT
"""Every shipped configuration passes the loader, as it stands in etc/."""
import pathlib
import re
import shutil

import pytest

from etld import Etld, own_group

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = sorted(p.parent for p in (ROOT / "etc" / "examples").glob("*/etld.yaml"))
SECRETS = {"airqino_secret": "a-secret", "airqino_password": "a-password"}

pytestmark = pytest.mark.daemon


@pytest.fixture
def configured(tmp_path):
    """Makes an Etld whose folder holds a copy of the given files; it is only checked."""
    def make(source):
        etld = Etld("mongodb://127.0.0.1:1/?replicaSet=rs0", folder=tmp_path, credentials=SECRETS,
                    env={"ETLD_GROUP": own_group(), "ETLD_ADMIN_GROUP": own_group()})
        if source.is_dir():
            shutil.copytree(source, etld.config_path.parent, dirs_exist_ok=True)
        else:
            shutil.copy(source, etld.config_path)
        return etld
    return make


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_example_is_valid(configured, example):
    answer = configured(example).check()
    assert answer.code == 0, answer.out + answer.err


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_a_misspelt_key_in_an_example_is_found(configured, example):
    etld = configured(example)
    name = sorted(etld.jobs_folder.glob("*.yaml"))[0].stem
    etld.edit_job(name, "schedule:", "shedule:")
    answer = etld.check()
    assert answer.code == 78
    assert f"{name}.yaml:" in answer.err + answer.out and "schedule" in answer.err + answer.out


def test_the_daemons_file_is_valid(configured):
    answer = configured(ROOT / "etc" / "etld.yaml").check()
    assert answer.code == 0, answer.out + answer.err


def test_the_defaults_written_in_the_daemons_file_are_accepted(configured):
    """Taking the '#' away from each commented key gives a valid file too."""
    etld = configured(ROOT / "etc" / "etld.yaml")
    lines = etld.config_path.read_text().splitlines()
    # "#key" and "#  key below it" are settings, "# Words" are words.
    opened = [re.sub(r"#", "", line, count=1) if re.match(r"\s*#(  +)?[a-z]", line) else line
              for line in lines]
    assert opened != lines
    text = "\n".join(opened) + "\n"
    # The groups of an installed system do not exist where this test runs.
    text = text.replace("group: etl,", f"group: {own_group()},").replace("admin_group: etladmin",
                                                                         f"admin_group: {own_group()}")
    etld.config_path.write_text(text)
    answer = etld.check()
    assert answer.code == 0, answer.out + answer.err


@pytest.mark.parametrize("page", ["README.md", "packaging/doc/RECIPES.md"])
def test_the_jobs_of_a_page_are_valid(tmp_path, page):
    jobs = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert jobs
    etld = Etld("mongodb://127.0.0.1:1/?replicaSet=rs0", folder=tmp_path, credentials={"api_token": "a-token"})
    for i, text in enumerate(jobs):
        etld.write_job(f"page{i}", text)
    answer = etld.check()
    assert answer.code == 0, answer.out + answer.err
