# SPDX-License-Identifier: MIT
"""A thread of the daemon that stands still at a fault point, until the test lets it go on.

    hold = Hold(tmp_path / "hold")
    etld(jobs, build=faults_folder(), env={"ETLD_FAULTS": "config.job=hold:4", "ETLD_FAULT_HOLD": str(hold.path)})
    hold.enter()                                # it stands there
    hold.leave()
"""
import errno
import os

from wait import wait_for


class Hold:
    """The FIFO of the fault point: `enter` returns once the daemon's thread stands at it, `leave`
    lets it go on."""

    def __init__(self, path):
        self.path = path
        self.fd = -1
        os.mkfifo(path)

    def reached(self):
        try:
            self.fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
        return self.fd >= 0

    def enter(self):
        wait_for(self.reached, "the thread at its fault point", 600)

    def leave(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
