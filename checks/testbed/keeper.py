"""The process between the harness and one process tree: it starts it, hears it, and ends it.

The keeper is the tree's subreaper, so nothing that the tree forks can leave it, whatever sessions
it makes. It holds one end of a socket pair; when the other end closes, because the harness says so
or because it was killed, it ends the whole tree and leaves. Standard library only, in all that it
imports; started by ``process.py`` as ``python -I -S -c BOOT FD``.

From the harness, one line each: first the order, as JSON; then ``end``, ``pause``, ``resume``,
``log``. To the harness, JSON lines: ``started``, ``failed``, ``paused``, ``resumed``, ``log``,
``exit``, ``crashed``.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from typing import Any

from checks.testbed.confine import apply
from checks.testbed.descendants import descendants, proportional, resident, state
from checks.testbed.folders import clean, sizes
from checks.testbed.order import Order

_PR_SET_CHILD_SUBREAPER = 36
_RING = 64 * 1024
_WATCH_SECONDS = 0.5
_ENDING_SECONDS = 20.0
_STOPPING_SECONDS = 1.0


class Keeper:
    """One process tree, from its start to its last process."""

    def __init__(self, harness: socket.socket, order: Order) -> None:
        self._harness = harness
        self._order = order
        self._ring = bytearray()
        self._printed = 0
        self._output, self._their_output = os.pipe()
        self._wake, wake = os.pipe()
        for end in (self._wake, wake, self._output):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._first = 0
        self._status: int | None = None
        self._limit: str | None = None

    def run(self) -> None:
        """Start the tree and stay until all of it is gone."""
        failure = self._start()
        if failure:
            self._tell(event="failed", **failure)
            return
        self._tell(event="started", pid=self._first)
        self._stay()
        self._end()
        self._read_output()
        status = self._status or 0
        self._tell(
            event="exit",
            status=os.waitstatus_to_exitcode(status),
            limit=self._limit,
            log=self._log(),
            truncated=self._printed > len(self._ring),
        )

    def _start(self) -> dict[str, Any] | None:
        read, write = os.pipe()
        self._first = os.fork()
        if self._first == 0:
            self._become(write)
        os.close(write)
        os.close(self._their_output)
        with os.fdopen(read, "rb") as stream:
            report = stream.read()
        if not report:
            return None
        os.waitpid(self._first, 0)
        return dict(json.loads(report))

    def _become(self, report: int) -> None:
        """In the child: confine it, and become the command."""
        stage = "confine"
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for changed in ("CHLD", "INT", "TERM", "HUP", "PIPE"):
                signal.signal(getattr(signal, f"SIG{changed}"), signal.SIG_DFL)
            nothing = os.open("/dev/null", os.O_RDONLY)
            for source, target in ((nothing, 0), (self._their_output, 1), (self._their_output, 2)):
                os.dup2(source, target, inheritable=True)
            argv = apply(self._order.confinement, self._order.argv, self._order.folder)
            stage = "execute"
            os.execvpe(argv[0], argv, self._order.environment)  # noqa: S606 - this is the launcher
        except BaseException as error:
            number = error.errno if isinstance(error, OSError) else None
            text = f"{type(error).__name__}: {error}"
            os.write(report, json.dumps({"stage": stage, "errno": number, "why": text}).encode())
        finally:
            os._exit(127)

    def _stay(self) -> None:
        """Until the first process exits, the harness says so or goes away, or a bound is passed."""
        poll = select.poll()
        for source in (self._harness.fileno(), self._output, self._wake):
            poll.register(source, select.POLLIN)
        commands = b""
        next_watch = time.monotonic() + _WATCH_SECONDS
        while self._status is None:
            wait = max(0.0, next_watch - time.monotonic())
            ready = {number for number, _ in poll.poll(wait * 1000)}
            if self._output in ready and not self._read_output(once=True):
                poll.unregister(self._output)
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            if self._harness.fileno() in ready:
                chunk = self._harness.recv(4096)
                commands += chunk
                if not chunk:
                    return
                while b"\n" in commands:
                    line, commands = commands.split(b"\n", 1)
                    if line == b"end":
                        return
                    self._obey(line)
            if time.monotonic() >= next_watch:
                self._limit = self._passed_bound()
                if self._limit:
                    return
                next_watch = time.monotonic() + _WATCH_SECONDS

    def _obey(self, command: bytes) -> None:
        if command == b"pause":
            self._signal_tree(signal.SIGSTOP)
            self._until_stopped()
            self._tell(event="paused")
        elif command == b"resume":
            self._signal_tree(signal.SIGCONT)
            self._tell(event="resumed")
        elif command == b"log":
            truncated = self._printed > len(self._ring)
            self._tell(event="log", log=self._log(), truncated=truncated)

    def _signal_tree(self, number: int) -> None:
        """Twice, because a process may have forked while the first round went on."""
        for _ in range(2):
            for pid in list(descendants(os.getpid())):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _until_stopped(self) -> None:
        """A signal to stop is obeyed when its process next leaves the kernel."""
        deadline = time.monotonic() + _STOPPING_SECONDS
        while time.monotonic() < deadline:
            if all(state(pid) in "TtZXD" for pid in descendants(os.getpid())):
                return
            time.sleep(0.001)

    def _reap(self) -> bool:
        """Collects the dead; whether any process is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._first:
                self._status = status

    def _end(self) -> None:
        """End the tree: politely if told so, then at once, until nothing is left of it."""
        if self._status is None and self._order.grace:
            with suppress(ProcessLookupError):
                os.kill(self._first, self._order.end_signal)
            self._wait(self._order.grace)
        deadline = time.monotonic() + _ENDING_SECONDS
        while self._reap() and time.monotonic() < deadline:
            self._kill()
            self._wait(0.05)

    def _wait(self, seconds: float) -> None:
        """Until no process is left, or so many seconds have gone."""
        deadline = time.monotonic() + seconds
        while self._reap() and (left := deadline - time.monotonic()) > 0:
            ready = select.select([self._wake, self._output], [], [], left)[0]
            if self._wake in ready:
                os.read(self._wake, 4096)
            if self._output in ready and not self._read_output(once=True):
                select.select([self._wake], [], [], min(left, 0.01))

    def _kill(self) -> None:
        """As root, everything of the user in one call, which no fork can outrun.

        Otherwise all are stopped first: a stopped process counts against the bound on processes, so
        that even a fork bomb runs dry.
        """
        uid = self._order.confinement.uid
        if uid is None:
            self._signal_tree(signal.SIGSTOP)
            self._signal_tree(signal.SIGKILL)
            return
        helper = os.fork()
        if helper == 0:
            try:
                os.setresuid(uid, uid, uid)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)

    def _read_output(self, *, once: bool = False) -> bool:
        """Keeps the last of what was printed; whether more may come."""
        while True:
            try:
                chunk = os.read(self._output, _RING)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._printed += len(chunk)
            self._ring += chunk
            del self._ring[:-_RING]
            if once:
                return True

    def _log(self) -> str:
        return self._ring.decode(errors="replace")

    def _passed_bound(self) -> str | None:
        limits = self._order.confinement.limits
        if limits is None:
            return None
        tree = list(descendants(os.getpid()))
        # Pages that forks share count for each in the first figure; the second costs more to ask.
        for measure in (resident, proportional):
            if sum(map(measure, tree)) <= limits.memory:
                break
        else:
            return "memory"
        size = entries = 0
        for folder in self._order.watched:
            for entry in sizes(folder):
                size += entry
                entries += 1
                if size > limits.disk or entries > limits.disk_entries:
                    return "disk"
        return None

    def _tell(self, **message: object) -> None:
        with suppress(OSError):
            self._harness.sendall(json.dumps(message).encode() + b"\n")


def _first_line(harness: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n"):
        chunk = harness.recv(65536)
        if not chunk:
            return ""
        text += chunk
    return text.decode()


def main(descriptor: int) -> None:
    """The keeper's life; with ``{"clean": FOLDER}`` for an order, the janitor's."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    for inherited in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are all it needs
        if int(inherited) > 2:
            with suppress(OSError):
                os.set_inheritable(int(inherited), False)
    with socket.socket(fileno=descriptor) as harness:
        text = _first_line(harness)
        if not text:
            return
        raw = json.loads(text)
        if "clean" in raw:
            while harness.recv(4096):
                pass
            clean(raw["clean"])
            return
        try:
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            Keeper(harness, Order.from_json(text)).run()
        except BaseException:
            with suppress(OSError):
                crash = {"event": "crashed", "why": traceback.format_exc()}
                harness.sendall(json.dumps(crash).encode() + b"\n")
            sys.exit(3)
