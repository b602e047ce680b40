# SPDX-License-Identifier: MIT
"""Few file descriptors: clients of the control socket take all that are left, a run asks a host that
it has no connection to. It says what it lacks, holds nothing against the host, and goes on when there
are some again."""
import json
import socket

import pytest

from host_sim import HostSim
from test_hosts import job
from wait import wait_for

pytestmark = pytest.mark.daemon
FEW = 64
STRICT = {"failures": 1, "cool_down": "10m", "max_cool_down": "1h"}  # one would be too many
LACK = f"no file descriptors left: LimitNOFILE is {FEW}; raise it or lower limits.max_active"


class Client:
    """A connection that stays, and asks one thing after the other."""

    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(str(daemon.control))

    def ask(self, method, **parameters):
        """The reply; None if the daemon has hung up."""
        data = b""
        try:
            self.socket.sendall(json.dumps({"method": f"io.etld.Control.{method}", "parameters": parameters}).encode()
                                + b"\0")
        except BrokenPipeError:
            pass  # what it said before it went is there to be read
        while not data.endswith(b"\0"):
            piece = self.socket.recv(65536)
            if not piece:
                return None
            data += piece
        return json.loads(data[:-1])

    def close(self):
        self.socket.close()


def take_all(daemon, clients):
    """Connects until the daemon has no descriptor for one more."""
    while True:
        client = Client(daemon)
        said = client.ask("Version")
        if said and "error" not in said:
            clients.append(client)
            continue
        client.close()
        assert said and "descriptor" in said["parameters"]["message"], said
        return


def keep(clients):
    """Nobody is sent away for silence."""
    for client in clients:
        assert client.ask("Version")


@pytest.fixture(name="hosts")
def two_hosts():
    with HostSim() as known, HostSim() as new:
        yield known, new


def test_a_run_says_what_it_lacks(etld, hosts):
    known, new = hosts
    daemon = etld({"known": job(known), "new": job(new, timeout="10m", retry={"max": 50, "backoff": "1s",
                                                                              "max_backoff": "1s"})},
                  prefix=("prlimit", f"--nofile={FEW}:{FEW}"), config={"limits": {"workers": 2, "hosts": {"default": {"breaker": STRICT}}}})
    daemon.start()
    daemon.run("known", ok=(0,))  # all connections to MongoDB are there
    first = Client(daemon)
    clients = [first]
    take_all(daemon, clients)
    assert "error" not in first.ask("Run", job="new")

    def said():
        keep(clients)
        return first.ask("Why", what="new")["parameters"]
    why = wait_for(lambda: (answer := said()) and LACK in json.dumps(answer) and answer, lambda: said(), 240)
    assert new.name in json.dumps(why)
    assert not first.ask("Status", job="new")["parameters"]["hosts"], "no host is held, none is to blame"
    assert not new.asked
    for client in clients:
        client.close()
    wait_for(lambda: "jobs" in daemon.status(), "a place again")  # the loop hears of the next one first, maybe
    daemon.wait_idle()
    (run,) = daemon.runs("new")
    assert run["state"] == "ok" and new.asked
    assert daemon.stop() == 0
