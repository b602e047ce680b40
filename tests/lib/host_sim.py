# SPDX-License-Identifier: MIT
"""A small HTTP host that misbehaves on command and remembers who asked when.

    with HostSim() as host:
        host.say(503)                               # from now on
        host.say(200, headers={"RateLimit-Remaining": "0", "RateLimit-Reset": "60"}, times=1)
        host.down()                                 # connections are refused
        host.up()
        host.asked                                  # [(monotonic seconds, path)]
        host.hold = threading.Event()               # answers wait for it

What is said `times` times comes first, the latest said first; then what is said for good.
"""
import http.server
import json
import threading
import time
import urllib.parse

WAIT_SECONDS = 60


class HostSim:
    def __init__(self, body=None):
        self.body = [] if body is None else body  # as JSON, or bytes as they are
        self.lock = threading.Lock()
        self.asked = []
        self.active = self.most = 0
        self.always = (200, {})
        self.next = []
        self.hold = None
        self.server = self.thread = None
        self.port = 0
        self.up()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def name(self):
        """As etld names it."""
        return f"127.0.0.1:{self.port}"

    # ---- commands ------------------------------------------------------------------
    def say(self, status, headers=None, times=None):
        with self.lock:
            if times is None:
                self.always = (status, headers or {})
                self.next = []
            else:
                self.next[:0] = [(status, headers or {})] * times

    def count(self):
        with self.lock:
            return len(self.asked)

    def down(self):
        server, self.server = self.server, None
        server.shutdown()
        self.thread.join()
        server.server_close()

    def up(self):
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"  # a connection each: none outlives down()

            def log_message(self, format, *args):  # noqa: A002
                pass

            def do_GET(self):
                host.answer(self)

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    # ---- the service ---------------------------------------------------------------
    def answer(self, handler):
        with self.lock:
            self.asked.append((time.monotonic(), urllib.parse.urlsplit(handler.path).path))
            self.active += 1
            self.most = max(self.most, self.active)
            status, headers = self.next.pop(0) if self.next else self.always
            hold = self.hold
        if hold:
            hold.wait(WAIT_SECONDS)
        body = self.body if status < 300 else {"error": status}
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.lock:
            self.active -= 1
        try:
            self.send(handler, status, headers, body)
        except OSError:
            pass  # whoever asked has gone

    @staticmethod
    def send(handler, status, headers, body):
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json",
                            "Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server:
            self.down()
