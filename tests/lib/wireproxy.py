# SPDX-License-Identifier: MIT
"""A TCP proxy that knows MongoDB's commands by name and breaks the n-th of a kind.

    with WireProxy(server.port) as proxy:
        proxy.fault("commitTransaction", "swallow", nth=3)
        ... a client on proxy.uri ...
        proxy.counts["commitTransaction"]

Actions: drop (closed before the server sees it), swallow (the server did it, its reply is lost
and the connection closed), cut (half of the reply, then closed), delay (seconds before the
reply), silent (the reply is lost and the connection stays open), hold (the request waits until
release(), as at a slow server: it is done even if its client has gone; `done` is set then),
edit (the reply becomes edit(reply)). `then` is called when the fault strikes, before the client
notices: to kill the server, for example. `where(message)` picks by the bytes of the request.
Each fault counts each message of its command, whatever struck it: nth=1, 2, 3 lose three in a row.

    sent = proxy.watch("commitTransaction")      # each from now on, decoded

The URI has directConnection=true, so that clients do not follow the address that the server
announces. Wire format: OP_MSG of the MongoDB wire protocol.
"""
import collections
import dataclasses
import socket
import struct
import threading
import time

import bson

OP_MSG = 2013
HEADER = struct.Struct("<iiii")  # length, request id, response to, opcode
MESSAGE_MAX = 48_000_000 + 65_536
ACTIONS = ("drop", "swallow", "cut", "delay", "silent", "hold", "edit")
BODY = HEADER.size + 4 + 1  # of a message whose first section is its body
HELD_SECONDS = 300
DONE_SECONDS = 60


@dataclasses.dataclass
class Fault:
    command: str
    action: str
    nth: int = 1       # from when the fault was set; 0 = with `every`
    every: int = 0     # each k-th
    seconds: float = 0
    then: object = None
    where: object = None
    edit: object = None
    seen: int = 0
    struck: int = 0
    gate: threading.Event = dataclasses.field(default_factory=threading.Event)
    done: threading.Event = dataclasses.field(default_factory=threading.Event)

    def release(self):
        self.gate.set()

    def strikes(self, message):
        if self.where and not self.where(message):
            return False
        self.seen += 1
        hit = self.seen == self.nth if self.nth else self.seen % self.every == 0
        self.struck += hit
        return hit


def receive(sock, n):
    data = bytearray()
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return bytes(data)


def receive_message(sock):
    head = receive(sock, HEADER.size)
    length, request_id, response_to, opcode = HEADER.unpack(head)
    if not HEADER.size <= length <= MESSAGE_MAX:
        raise OSError(f"a message of {length} bytes")
    return head + receive(sock, length - HEADER.size), request_id, response_to, opcode


def body_of(message):
    """The body section of an OP_MSG, as it came; b"" if there is none."""
    at = HEADER.size + 4
    while at < len(message):
        kind = message[at]
        (size,) = struct.unpack_from("<i", message, at + 1)
        if kind == 0:
            return message[at + 1:at + 1 + size]
        at += 1 + size  # a document sequence stands before the body
    return b""


def command_name(message):
    """The first key of an OP_MSG's body section: the command. "" for anything else."""
    body = body_of(message)
    return body[5:body.index(b"\0", 5)].decode() if body else ""  # length, type, then the key


def edited(message, edit):
    """The reply with another body; without a checksum."""
    body = bson.encode(edit(bson.decode(body_of(message))))
    _, request_id, response_to, opcode = HEADER.unpack(message[:HEADER.size])
    return HEADER.pack(BODY + len(body), request_id, response_to, opcode) + b"\0" * 5 + body


def close(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


class Link:
    """One client's connection and its connection to the server."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", proxy.target), timeout=10)
        for sock in (self.client, self.server):
            sock.settimeout(None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.doomed = {}  # request id -> fault, for its reply
        for work in (self.upstream, self.downstream):
            threading.Thread(target=self.guarded, args=(work,), daemon=True).start()

    def guarded(self, work):
        try:
            work()
        except OSError:
            pass
        self.close()

    def close(self):
        close(self.client)
        close(self.server)

    def upstream(self):
        while True:
            message, request_id, _, opcode = receive_message(self.client)
            fault = self.proxy.note(message) if opcode == OP_MSG else None
            if fault and fault.action == "drop":
                if fault.then:
                    fault.then()
                return
            if fault:
                self.doomed[request_id] = fault
            if fault and fault.action == "hold":
                fault.gate.wait(HELD_SECONDS)
            self.server.sendall(message)
            if fault and fault.action == "hold":
                fault.done.wait(DONE_SECONDS)  # the client may have gone: not so the server

    def downstream(self):
        while True:
            message, _, response_to, _ = receive_message(self.server)
            fault = self.doomed.pop(response_to, None)
            if fault is None:
                self.client.sendall(message)
                continue
            if fault.then:
                fault.then()
            if fault.action == "hold":
                fault.done.set()
                self.client.sendall(message)
            elif fault.action == "edit":
                self.client.sendall(edited(message, fault.edit))
            elif fault.action == "delay":
                time.sleep(fault.seconds)
                self.client.sendall(message)
            elif fault.action == "cut":
                self.client.sendall(message[:len(message) // 2])
                return
            elif fault.action == "swallow":
                return


class WireProxy:
    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.faults = []
        self.watched = {}
        self.links = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                link = self.link(client)
            except OSError:  # the server is away: so are we
                close(client)
                continue
            with self.lock:
                self.links.append(link)

    def link(self, client):
        return Link(self, client)

    def note(self, message):
        """Counts a command and gives the first fault that strikes it; each of them counts it."""
        command = command_name(message)
        with self.lock:
            self.counts[command] += 1
            if command in self.watched:
                self.watched[command].append(bson.decode(body_of(message)))
            struck = [fault for fault in self.faults
                      if fault.command == command and fault.strikes(message)]
        return struck[0] if struck else None

    def watch(self, command):
        with self.lock:
            return self.watched.setdefault(command, [])

    def fault(self, command, action, nth=1, every=0, seconds=0.0, **more):
        """more: then, where, edit"""
        assert action in ACTIONS, action
        fault = Fault(command, action, 0 if every else nth, every, seconds, **more)
        with self.lock:
            self.faults.append(fault)
        return fault

    def clear(self):
        with self.lock:
            self.faults.clear()

    def stop(self):
        close(self.listener)
        with self.lock:
            links, self.links = self.links, []
        for link in links:
            link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
