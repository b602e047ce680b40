# SPDX-License-Identifier: MIT
"""A target that keeps nothing: a proxy that answers all reads and writes of one database itself, so
that what is measured is etld and not a server. The metadata is real and lies behind it.

    with NullServer(server.port, "bench") as null:
        ... a client on null.uri that loads into the database `bench` ...
        null.documents                   # written so far

A find finds nothing and each write succeeds: all documents are new at any time. Indexes, collections
and all other commands go to the server behind. A transaction may hold statements of both kinds: its
first statement carries `startTransaction`, and if that one is answered here, the first that goes on
has to begin it, or the server would know of no transaction.
"""
import struct

import bson

from wireproxy import HEADER, OP_MSG, Link, WireProxy, body_of, command_name, receive_message

READS = ("find", "aggregate", "getMore")
WRITES = {"insert": "documents", "update": "updates", "delete": "deletes"}
ENDS = ("commitTransaction", "abortTransaction")
FLAG_CHECKSUM, FLAG_MORE_TO_COME = 1, 2


def sections(message):
    """(kind, name, bytes) of an OP_MSG: ("body", "", document) and ("sequence", name, documents)."""
    at = HEADER.size + 4
    (flags,) = struct.unpack_from("<I", message, HEADER.size)
    end = len(message) - (4 if flags & FLAG_CHECKSUM else 0)
    while at < end:
        (size,) = struct.unpack_from("<i", message, at + 1)
        piece = message[at + 1:at + 1 + size]
        if message[at] == 0:
            yield "body", "", piece
        else:
            name, _, documents = piece[4:].partition(b"\0")
            yield "sequence", name.decode(), documents
        at += 1 + size


def documents_of(message, body, name):
    """The raw documents of a write, wherever they are in its message."""
    for kind, called, data in sections(message):
        if kind == "sequence" and called == name:
            at = 0
            while at < len(data):
                (size,) = struct.unpack_from("<i", data, at)
                yield data[at:at + size]
                at += size
    for document in body.get(name, ()):
        yield bson.encode(document)


def reply_to(request_id, document):
    body = bson.encode(document)
    return HEADER.pack(HEADER.size + 5 + len(body), 0, request_id, OP_MSG) + b"\0" * 5 + body


def with_body(message, document):
    """The same message with another body, without a checksum."""
    body = bson.encode(document)
    rest = b"".join(b"\1" + struct.pack("<i", len(data) + len(name) + 5) + name.encode() + b"\0" + data
                    for kind, name, data in sections(message) if kind == "sequence")
    _, request_id, response_to, _ = HEADER.unpack(message[:HEADER.size])
    (flags,) = struct.unpack_from("<I", message, HEADER.size)
    size = HEADER.size + 5 + len(body) + len(rest)
    return (HEADER.pack(size, request_id, response_to, OP_MSG) +
            struct.pack("<I", flags & ~FLAG_CHECKSUM) + b"\0" + body + rest)


class NullLink(Link):
    """A connection of which some messages are answered here."""

    def upstream(self):
        while True:
            message, request_id, _, opcode = receive_message(self.client)
            if opcode == OP_MSG:
                answer, message = self.proxy.take(message, request_id)
                if answer:
                    self.client.sendall(answer)
                    continue
            self.server.sendall(message)


class NullServer(WireProxy):
    def __init__(self, target, database):
        self.database = database
        self.pending = set()  # transactions of which the server behind knows nothing yet
        self.documents = 0
        super().__init__(target)

    def link(self, client):
        return NullLink(self, client)

    def take(self, message, request_id):
        """(the answer, None), or (None, the message as it goes on)."""
        command = command_name(message)
        self.note(message)
        ours = command in READS or command in WRITES
        if not ours and command not in ENDS and b"\x08startTransaction\0" not in message and not self.pending:
            return None, message
        body = bson.decode(body_of(message))
        deal = (bytes(body["lsid"]["id"]), body["txnNumber"]) if "autocommit" in body else None
        if ours and body["$db"] == self.database:
            if deal and body.get("startTransaction"):
                with self.lock:
                    self.pending.add(deal)
            return reply_to(request_id, self.answer(command, body, message)), None
        with self.lock:
            unknown = deal in self.pending
            self.pending.discard(deal)
        if not unknown:
            return None, message
        if command in ENDS:
            return reply_to(request_id, {"ok": 1.0}), None
        return None, with_body(message, {**body, "startTransaction": True})

    def answer(self, command, body, message):
        if command in READS:
            name = body.get(command) if isinstance(body.get(command), str) else body.get("collection", "")
            return {"cursor": {"id": bson.Int64(0), "ns": f"{self.database}.{name}", "firstBatch": []}, "ok": 1.0}
        rows = list(documents_of(message, body, WRITES[command]))
        with self.lock:
            self.documents += len(rows)
        if command != "update":
            return {"n": len(rows), "ok": 1.0}
        new = [{"index": i, "_id": update["q"].get("_id")} for i, update in enumerate(map(bson.decode, rows))
               if update.get("upsert")]
        reply = {"n": len(rows), "nModified": len(rows) - len(new), "ok": 1.0}
        return {**reply, "upserted": new} if new else reply
