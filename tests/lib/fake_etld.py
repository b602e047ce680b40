# SPDX-License-Identifier: MIT
"""A control socket with canned answers, for tests of etlctl. What it says has to have the shape of what a real
etld once answered (shapes.py): a member or a type that no etld would send fails the test.

    with FakeEtld(path) as fake:
        fake.answers["Status"] = [{"parameters": {...}}]      # one or several replies
        ...
        fake.requests    # what was asked, in order

An answer may also be bytes (sent as they are), SILENCE (never an answer) or HANG_UP. `strict = False` is for
answers that are wrong on purpose.
"""
import json
import os
import socket
import threading

import shapes

SILENCE = object()
HANG_UP = object()
INTERFACE = "io.etld.Control"
SERVICE = "org.varlink.service"


def frame(message):
    return message if isinstance(message, bytes) else json.dumps(message).encode() + b"\0"


def error(name, message, hint=None, interface=INTERFACE, **details):
    parameters = {"message": message, **details}
    if hint:
        parameters["hint"] = hint
    return [{"error": f"{interface}.{name}", "parameters": parameters}]


class FakeEtld:
    def __init__(self, path):
        self.path = str(path)
        self.answers = {}  # method without its interface -> list of replies
        self.requests = []
        self.alive = True  # answers GetInfo
        self.strict = True
        self.known = shapes.recorded()
        self.strangers = []
        self.released = threading.Event()  # ends every SILENCE
        self.connections = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(5)
        os.unlink(self.path)
        assert not self.strangers, "no etld says that: " + "; ".join(self.strangers)

    def _judge(self, method, reply):
        if not self.strict or isinstance(reply, bytes) or "error" in reply:
            return
        method += "+" if reply.get("continues") else ""
        self.strangers += shapes.strangers(reply["parameters"], self.known[method], method) if method in self.known else [
            f"{method} is not recorded"]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        with connection:
            while True:
                try:
                    chunk = connection.recv(65536)
                except OSError:
                    return
                if not chunk:
                    return
                data += chunk
                while b"\0" in data:
                    message, _, data = data.partition(b"\0")
                    if not self._answer(connection, json.loads(message)):
                        return

    def _answer(self, connection, request):
        """False ends the connection."""
        method = request["method"]
        if method == f"{SERVICE}.GetInfo":
            if not self.alive:
                return self.released.wait(60)
            connection.sendall(frame({"parameters": {"product": "etld"}}))
            return True
        self.requests.append(request)
        for reply in self.answers[method.removeprefix(f"{INTERFACE}.")]:
            if reply is HANG_UP:
                return False
            if reply is SILENCE:
                self.released.wait(60)
                return False
            if isinstance(reply, threading.Event):
                reply.wait(60)
                continue
            self._judge(method.removeprefix(f"{INTERFACE}."), reply)
            try:
                connection.sendall(frame(reply))
            except OSError:
                return False
        return True
