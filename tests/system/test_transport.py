# SPDX-License-Identifier: MIT
"""Whom the HTTP source trusts: no certificate that nobody vouches for, and nothing that lies
around in the environment or in a home (proxies, .netrc)."""
import ssl
import subprocess

import pytest

from test_jobs_other import Api, job

pytestmark = pytest.mark.daemon
FAILED = 1


class TlsApi(Api):
    """An Api behind a certificate that it signed itself."""

    def __init__(self, answer, folder):
        super().__init__(answer)
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
                        str(certificate)], check=True, capture_output=True, timeout=120)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")


def rows(path, query, headers):
    return 200, [{"id": 1}]


def test_a_certificate_that_nobody_vouches_for(etld, db, metadata, tmp_path):
    with TlsApi(rows, tmp_path) as api:
        daemon = etld({"j": job(api.url, retry={"max": 0})}).start()
        daemon.run("j", ok=(FAILED,))
        assert not api.asked  # no word before the certificate is good: a token may be in it
    (run,) = metadata["runs"].find()
    assert [p["error_code"] for p in run["partitions"]] == ["http.certificate"]
    assert not db["out"].count_documents({})


def test_nothing_of_the_environment(etld, db, tmp_path):
    """A proxy of the environment is not asked, and a .netrc hands out no password."""
    seen = []

    def answer(path, query, headers):
        seen.append(headers.get("Authorization"))
        return rows(path, query, headers)

    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    with Api(answer) as api, Api(rows) as proxy:
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")
        daemon = etld({"j": job(api.url)}, env={"HOME": str(tmp_path), **{name: proxy.url for name in names}}).start()
        daemon.run("j", ok=(0,))
        assert not proxy.asked
    assert seen == [None]
    assert db["out"].count_documents({}) == 1
