# SPDX-License-Identifier: MIT
"""A host whose records are too large: what an answer is, its path says.

    with HugeSource() as host:
        host.url + "/keys/a"       # one record of a million fields
        host.url + "/string/a"     # one record with a string of 40 MB, then a good one
        host.url + "/endless/a"    # one record with a string that ends when host.release() is called
        host.url + "/good/a"       # one small record
        host.asked("/keys/a")      # how often
        host.sent                  # bytes of endless strings so far
"""
import http.server
import threading

GOOD = b'{"timestamp": "2026-03-02 00:30:00", "v": 1}'
PIECE = b"x" * 65536


class HugeSource:
    def __init__(self, keys=1_000_000, string=40_000_000):
        self.keys, self.string = keys, string
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.counts, self.sent = {}, 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def asked(self, path):
        with self.lock:
            return self.counts.get(path, 0)

    def release(self):
        self.released.set()

    def pieces(self, kind):
        """The body, never all of it at once."""
        yield b'{"data": ['
        if kind == "keys":
            yield b'{"timestamp": "2026-03-02 00:10:00"'
            for at in range(0, self.keys, 5000):
                yield b"".join(b',"k%06d":1' % i for i in range(at, at + 5000))
            yield b"},"
        elif kind in ("string", "endless"):
            yield b'{"timestamp": "2026-03-02 00:20:00", "text": "'
            if kind == "string":
                for _ in range(0, self.string, len(PIECE)):
                    yield PIECE
            while kind == "endless" and not self.released.is_set():
                yield PIECE
                with self.lock:
                    self.sent += len(PIECE)
            yield b'"},'
        yield GOOD + b"]}"

    def _handler(self):
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.split("?")[0]
                with host.lock:
                    host.counts[path] = host.counts.get(path, 0) + 1
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                try:
                    for piece in host.pieces(path.split("/")[1]):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.release()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
