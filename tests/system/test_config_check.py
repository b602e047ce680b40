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
