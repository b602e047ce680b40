#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts and stops the MongoDB that demo and tests use. Standard library only.

  mongodb.py start --dir DIR [--port N] [--standalone] [--test-commands]   prints the URI
  mongodb.py stop | kill | restart | uri --dir DIR

Which server: ETLD_TEST_MONGODB_URI (taken as it is, nothing is started), else the binary
that ETLD_TEST_MONGODB_SERVER names (flags of SecantusDB), else mongod from PATH as a
replica set of one, else SecantusDB: beside the running interpreter, or from the private
environment that packaging/mongodb-venv.sh makes (ETLD_TEST_VENV, default
build/mongodb-venv). `kill` is SIGKILL: what was acknowledged must survive it.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY_SECONDS = 300
STOP_SECONDS = 120
POLL_SECONDS = 0.02
# A server ends a transaction that is older than a minute. SecantusDB looks for such ones only when it
# is asked about a transaction: where one whose client was killed holds up all others, nobody asks.
REAP_SECONDS = 10
# For how long its log says that somebody has tried, where even that did not help.
WEDGED_SECONDS = 90
TRIED = re.compile(rb"retrying on write conflicts for ([0-9.]+)s")


class ServerError(Exception):
    """The server could not be started or stopped; the text says why."""


def bson(document):
    """The few BSON types that the commands here need."""
    body = b""
    for key, value in document.items():
        name = key.encode() + b"\0"
        if isinstance(value, bool):
            body += b"\x08" + name + bytes([value])
        elif isinstance(value, int):
            body += b"\x12" + name + struct.pack("<q", value)
        elif isinstance(value, uuid.UUID):
            body += b"\x05" + name + struct.pack("<ib", 16, 4) + value.bytes
        elif isinstance(value, str):
            text = value.encode() + b"\0"
            body += b"\x02" + name + struct.pack("<i", len(text)) + text
        elif isinstance(value, list):
            body += b"\x04" + name + bson({str(i): v for i, v in enumerate(value)})
        else:
            body += b"\x03" + name + bson(value)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def receive(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise OSError("connection closed")
        data += piece
    return data


def command(port, document, timeout=5.0):
    """Sends one command to 127.0.0.1 and gives the raw reply document."""
    message = struct.pack("<i", 0) + b"\0" + bson({**document, "$db": "admin"})
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(struct.pack("<iiii", 16 + len(message), 1, 0, 2013) + message)
        (length,) = struct.unpack("<i", receive(sock, 4))
        return receive(sock, length - 4)[12 + 5:]


def is_ok(reply):
    return b"\x01ok\0" + struct.pack("<d", 1.0) in reply


def free_port():
    """One below those that the kernel gives to outgoing connections: a server that is killed and
    started again finds its port free, whatever other tests connect to meanwhile."""
    while True:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", random.SystemRandom().randrange(15000, 32000)))
                return sock.getsockname()[1]
            except OSError:
                pass


def find_server():
    """(kind, binary): kind is "mongod" or "secantus"."""
    named = os.environ.get("ETLD_TEST_MONGODB_SERVER")
    if named:
        return "secantus", named
    mongod = shutil.which("mongod")
    if mongod:
        return "mongod", mongod
    beside = pathlib.Path(sys.executable).parent / "secantusd-py"
    if beside.exists():
        return "secantus", str(beside)
    venv = pathlib.Path(os.environ.get("ETLD_TEST_VENV") or ROOT / "build" / "mongodb-venv")
    made = subprocess.run([str(ROOT / "packaging" / "mongodb-venv.sh"), str(venv)],
                          stdout=sys.stderr, check=False)
    if made.returncode != 0:
        raise ServerError("no mongod on PATH, and packaging/mongodb-venv.sh failed")
    return "secantus", str(venv / "bin" / "secantusd-py")


class MongoServer:
    """One server with its data in `directory`; the port stays over restarts."""

    made = []  # those of this process

    def __init__(self, directory, port=0, standalone=False, test_commands=False):
        self.dir = pathlib.Path(directory).resolve()
        self.port = port
        self.standalone = standalone
        self.test_commands = test_commands
        self.external = os.environ.get("ETLD_TEST_MONGODB_URI")
        self.kind = self.binary = None
        self.process = None  # only in the process that started it
        self.pid = None
        MongoServer.made.append(self)

    @property
    def uri(self):
        if self.external:
            return self.external
        name = {"mongod": "rs0", "secantus": "secantus"}[self.kind]
        tail = "directConnection=true" if self.standalone else f"replicaSet={name}"
        return f"mongodb://127.0.0.1:{self.port}/?{tail}"

    @classmethod
    def load(cls, directory):
        """The server that another process started in `directory`."""
        server = cls(directory)
        if server.external:
            return server
        try:
            saved = json.loads((server.dir / "mongodb.json").read_text())
        except FileNotFoundError as missing:
            raise ServerError(f"no server was started in {directory}") from missing
        for key, value in saved.items():
            setattr(server, key, value)
        return server

    def save(self):
        saved = {key: getattr(self, key) for key in
                 ("port", "standalone", "test_commands", "kind", "binary", "pid")}
        (self.dir / "mongodb.json").write_text(json.dumps(saved) + "\n")
        (self.dir / "mongodb.pid").write_text(f"{self.pid}\n")

    def argv(self):
        data = self.dir / "data"
        data.mkdir(parents=True, exist_ok=True)
        if self.kind == "mongod":
            argv = [self.binary, "--bind_ip", "127.0.0.1", "--port", str(self.port),
                    "--dbpath", str(data)]
            argv += [] if self.standalone else ["--replSet", "rs0"]
            argv += ["--setParameter", "enableTestCommands=1"] if self.test_commands else []
            return argv
        argv = [self.binary, "--host", "127.0.0.1", "--port", str(self.port),
                "--storage-path", str(data), "--sync-on-commit"]
        # The Rust build preallocates 134 MB of log per server unless it is told not to.
        argv += ["--log-file-max", "4MB"] if self.binary.endswith("-rs") else []
        argv += ["--standalone"] if self.standalone else []
        argv += ["--enable-test-commands"] if self.test_commands else []
        return argv

    def start(self):
        """Returns the URI once the server answers as a writable primary."""
        if self.external:
            return self.uri
        if self.kind is None:
            self.kind, self.binary = find_server()
        self.dir.mkdir(parents=True, exist_ok=True)
        self._refuse_second()
        chosen = self.port
        for attempt in range(5):
            self.port = chosen or free_port()
            try:
                self._launch()
                break
            except ServerError:
                if chosen or attempt == 4:  # a port that was free may be taken meanwhile
                    raise
        self.save()
        return self.uri

    def _reap(self, process):
        """As long as the process lives. The answer, that there is no such transaction, tells nothing."""
        while process.poll() is None:
            try:
                command(self.port, {"abortTransaction": 1, "lsid": {"id": uuid.uuid4()}, "txnNumber": 1,
                                    "autocommit": False})
            except OSError:
                pass
            time.sleep(REAP_SECONDS)

    def _refuse_second(self):
        if (self.dir / "mongodb.json").exists() and MongoServer.load(self.dir).is_running():
            raise ServerError(f"a server already runs in {self.dir}")

    def _launch(self):
        with open(self.dir / "mongodb.log", "ab") as log:
            self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.dir, start_new_session=True)
        self.pid = self.process.pid
        if self.kind == "secantus":
            threading.Thread(target=self._reap, args=(self.process,), daemon=True).start()
        limit = time.monotonic() + READY_SECONDS
        initiated = False
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                raise ServerError(f"{self.binary} ended with status {self.process.returncode}; "
                                  f"see {self.dir / 'mongodb.log'}:\n{self.log_tail()}")
            try:
                if self.kind == "mongod" and not self.standalone and not initiated:
                    initiated = self._initiate()
                if b"\x08isWritablePrimary\0\x01" in command(self.port, {"hello": 1}) and \
                        is_ok(command(self.port, {"ping": 1})):
                    return
            except OSError:
                pass
            time.sleep(POLL_SECONDS)
        self.kill9()
        raise ServerError(f"{self.binary} did not answer within {READY_SECONDS} s")

    def _initiate(self):
        reply = command(self.port, {"replSetInitiate": {"_id": "rs0", "members": [
            {"_id": 0, "host": f"127.0.0.1:{self.port}"}]}})
        return is_ok(reply) or b"AlreadyInitialized" in reply

    def log_tail(self):
        text = (self.dir / "mongodb.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-15:])

    def is_wedged(self):
        """A lock of nobody's holds up what others write: a fault of SecantusDB, see WEDGED_SECONDS."""
        log = self.dir / "mongodb.log"
        return self.kind == "secantus" and log.exists() and any(
            float(seconds) > WEDGED_SECONDS for seconds in TRIED.findall(log.read_bytes()))

    def renew(self):
        """The same server without its data."""
        self.kill9()
        shutil.rmtree(self.dir / "data")
        (self.dir / "mongodb.log").rename(self.dir / f"mongodb.log.{time.time_ns()}")
        return self.start()

    def is_running(self):
        if self.process is not None:
            return self.process.poll() is None
        try:
            command_line = pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes()
            state = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return state != "Z" and str(self.dir).encode() in command_line  # not a stranger's pid

    def _signal_and_wait(self, number):
        if self.external or self.pid is None or not self.is_running():
            return
        pid = self.pid
        os.kill(pid, number)
        limit = time.monotonic() + STOP_SECONDS
        # Another thread may see the end first and start the next server: that is not ours to wait for.
        while self.pid == pid and self.is_running():
            if time.monotonic() > limit:
                raise ServerError(f"process {pid} did not end within {STOP_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def stop(self):
        try:
            self._signal_and_wait(signal.SIGTERM)
        except ServerError:
            self._signal_and_wait(signal.SIGKILL)

    def kill9(self):
        self._signal_and_wait(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


def main():
    parser = argparse.ArgumentParser(description="the MongoDB for demo and tests")
    parser.add_argument("action", choices=["start", "stop", "kill", "restart", "uri"])
    parser.add_argument("--dir", required=True, help="data, log, pid and port live here")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--standalone", action="store_true", help="no replica set")
    parser.add_argument("--test-commands", action="store_true", help="allow failCommand")
    options = parser.parse_args()
    try:
        if options.action == "start":
            server = MongoServer(options.dir, options.port, options.standalone,
                                 options.test_commands)
            print(server.start())
            return
        server = MongoServer.load(options.dir)
        if options.action == "restart":
            print(server.restart())
        elif options.action == "uri":
            print(server.uri)
        else:
            {"stop": server.stop, "kill": server.kill9}[options.action]()
    except ServerError as error:
        sys.exit(f"mongodb.py: {error}")


if __name__ == "__main__":
    main()
