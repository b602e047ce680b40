# SPDX-License-Identifier: MIT
"""A TCP proxy that knows MongoDB's commands by name and breaks the n-th of a kind.

    with WireProxy(server.port) as proxy:
        proxy.fault("commitTransaction", "swallow", nth=3)
        ... a client on proxy.uri ...
        proxy.counts["commitTransaction"]

Actions: drop (closed before the server sees it), swallow (the server did it, its reply is lost
and the connection closed), cut (half of the reply, then closed), delay (seconds before the
reply), silent (the reply is lost and the connection stays open). `then` is called once when
the fault strikes, before the client notices: to kill the server, for example.

The URI has directConnection=true, so that clients do not follow the address that the server
announces. Wire format: OP_MSG of the MongoDB wire protocol.
"""
import collections
import dataclasses
import socket
import struct
import threading
import time

OP_MSG = 2013
HEADER = struct.Struct("<iiii")  # length, request id, response to, opcode
MESSAGE_MAX = 48_000_000 + 65_536
ACTIONS = ("drop", "swallow", "cut", "delay", "silent")


@dataclasses.dataclass
class Fault:
    command: str
    action: str
    nth: int = 1       # from when the fault was set; 0 = with `every`
    every: int = 0     # each k-th
    seconds: float = 0
    then: object = None
    seen: int = 0
    struck: int = 0

    def strikes(self):
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


def command_name(message):
    """The first key of an OP_MSG's body section: the command. "" for anything else."""
    at = HEADER.size + 4
    while at < len(message):
        kind = message[at]
        (size,) = struct.unpack_from("<i", message, at + 1)
        if kind == 0:
            key = at + 1 + 4 + 1  # the document's length, the element's type
            return message[key:message.index(b"\0", key)].decode()
        at += 1 + size  # a document sequence stands before the body
    return ""


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
            fault = self.proxy.note(command_name(message) if opcode == OP_MSG else "")
            if fault and fault.action == "drop":
                if fault.then:
                    fault.then()
                return
            if fault:
                self.doomed[request_id] = fault
            self.server.sendall(message)

    def downstream(self):
        while True:
            message, _, response_to, _ = receive_message(self.server)
            fault = self.doomed.pop(response_to, None)
            if fault is None:
                self.client.sendall(message)
                continue
            if fault.then:
                fault.then()
            if fault.action == "delay":
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
                link = Link(self, client)
            except OSError:  # the server is away: so are we
                close(client)
                continue
            with self.lock:
                self.links.append(link)

    def note(self, command):
        """Counts a command and gives the fault that strikes it."""
        with self.lock:
            self.counts[command] += 1
            for fault in self.faults:
                if fault.command == command and fault.strikes():
                    return fault
        return None

    def fault(self, command, action, nth=1, every=0, seconds=0.0, then=None):
        assert action in ACTIONS, action
        fault = Fault(command, action, 0 if every else nth, every, seconds, then)
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
