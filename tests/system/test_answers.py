# SPDX-License-Identifier: MIT
"""Answers that no library is asked to believe, byte by byte from a server of our own: headers
and encodings that contradict themselves have names of their own and are not tried again as the
network's; caps on headers and bodies; and in each reason the URL, without its secrets."""
import gzip
import socketserver
import threading

import pytest

from test_jobs_other import job

pytestmark = pytest.mark.daemon

BODY = b'[{"id": 1}]'


def reply(*headers, body=BODY, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode() + body


LENGTH = f"Content-Length: {len(BODY)}"
# By the job's name: the answer, the run's word for it, and how often it is asked for.
ANSWERS = {
    "good": (reply(LENGTH), "", 1),
    "same-length-twice": (reply(LENGTH, LENGTH), "", 1),
    "two-lengths": (reply(LENGTH, "Content-Length: 3"), "http.headers", 1),
    "no-length": (reply("Content-Length: -1"), "http.headers", 1),
    "no-http": (b"hello, this is no web service\r\n", "http.headers", 1),
    "headers": (reply(*(f"X-{i}: {'v' * 1000}" for i in range(80)), LENGTH), "http.headers", 1),
    "long-header": (reply(f"X-Long: {'v' * 300000}", LENGTH), "http.headers", 1),
    "no-gzip": (reply("Content-Encoding: gzip", LENGTH), "http.encoding", 1),
    "unknown-encoding": (reply("Content-Encoding: rot13", LENGTH), "http.encoding", 1),
    "gzip": (reply("Content-Encoding: gzip", f"Content-Length: {len(gzip.compress(BODY))}", body=gzip.compress(BODY)), "", 1),
    "large": (reply(f"Content-Length: {5 << 20}", body=b" " * (5 << 20)), "http.too_large", 1),
    "bomb": (reply("Content-Encoding: gzip", body=gzip.compress(b" " * (64 << 20))), "http.too_large", 1),
    "charset": (reply("Content-Type: application/json; charset=klingon", LENGTH), "http.charset", 1),
    "cut": (reply("Content-Length: 100"), "http.cut", 2),
}


class Raw(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        name = self.rfile.readline().split()[1].decode().split("?")[0].strip("/")
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(name)
        try:
            self.wfile.write(ANSWERS[name][0])
        except OSError:
            pass  # it has read enough


def test_answers_that_contradict_themselves(etld, metadata):
    with Raw() as server:
        jobs = {name: job(f"{server.url}/{name}", retry={"max": 1, "backoff": "1s"}) for name in ANSWERS}
        for one in jobs.values():
            one["extract"]["http"].update(auth={"api_key": {"query": "api_key", "value": {"credential": "key"}}}, max_bytes="1MiB")
        hosts = {"default": {"breaker": {"failures": 0}}}
        daemon = etld(jobs, config={"limits": {"hosts": hosts}}, credentials={"key": "in-the-open"}).start()
        for name in ANSWERS:
            daemon.run(name, ok=(0, 1))
        server.shutdown()
    told = {}
    for run in metadata["runs"].find():
        (part,) = run["partitions"]
        told[run["job"]] = (part["error_code"], server.asked.count(run["job"]))
        if part["error_code"]:
            assert f"{server.url}/{run['job']}?api_key=***: " in part["reason"]
            assert "in-the-open" not in str(run)
    assert told == {name: (code, times) for name, (_, code, times) in ANSWERS.items()}
