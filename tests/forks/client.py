"""Asks a server for a fork where a process is to be started that the server can be."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import server

PYTHON = sys.executable  # tests change it
TESTS = Path(__file__).resolve().parents[1]
PROGRAM = str(TESTS.parent / "worker")
DOUBLE = str(TESTS / "worker" / "support" / "child_double.py")
GPU_COMMANDS = (["serve"], ["doctor"])
"""Those of ``otterbot-worker`` that start a GPU process."""
ROOM = 4096
SUBREAPER = 36  # of prctl


class Client:
    """The other end of a server's socket. ``read``: what the server's libraries read of its environment; ``paths``:
    its ``PYTHONPATH``."""

    def __init__(self, connection: socket.socket, read: Mapping[str, str], paths: Sequence[str]) -> None:
        self._connection, self._read, self._paths = connection, read, set(paths)
        self._turn = threading.Lock()

    def can_be(self, start: Start) -> bool:
        """Whether a fork is what that process would be."""
        known = set(server.python_path(start.environment)) <= self._paths
        read = server.read_at_import(self._read, start.main)
        return known and server.read_at_import(start.environment, start.main) == read

    def fork(self, files: Mapping[int, int], **request: Any) -> int:
        """The id of a new child of this process. ``files``: the number that an open file gets there, and the file."""
        words = json.dumps({**request, "files": list(files), "parent": os.getpid()}).encode()
        with self._turn, subreaping():
            socket.send_fds(self._connection, [words], list(files.values()))
            answer = self._connection.recv(32)
        if not answer:
            raise RuntimeError("the server of forks has ended")
        return int(answer)

    def close(self) -> None:
        self._connection.close()


class Servers:
    """The servers of this process. The first who asks for one waits until it is ready: some ten seconds.

    ``python``: their interpreter; ``environment``: what they have beside this process's own.
    """

    def __init__(self, python: str = PYTHON, environment: Mapping[str, str] | None = None) -> None:
        self._python = python
        self._environment = environment or {}
        self._turn = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, kind: str) -> Client:
        with self._turn:
            if kind not in self._clients:
                self._clients[kind] = self._start(kind)
            return self._clients[kind]

    def _start(self, kind: str) -> Client:
        environment = {**(gpu_environment() if kind in ("draws", "serves") else os.environ), **self._environment}
        paths = [PROGRAM, *server.python_path({**os.environ, **self._environment})]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [self._python, server.__file__, str(theirs.fileno()), kind, "." * ROOM]
            process = subprocess.Popen(
                command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        if ours.recv(32) != server.READY:
            raise RuntimeError(f"no server of forks could be started: exit code {process.wait()}")
        return Client(ours, server.read_at_import(environment), paths)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        for process in self._processes:
            process.wait()


def gpu_environment() -> dict[str, str]:
    from otterbot_worker.gpu import child_command

    return child_command.environment()


@contextlib.contextmanager
def subreaping() -> Iterator[None]:
    """A process that descends from this one and loses its parent meanwhile becomes this one's child."""
    libc = ctypes.CDLL(None)
    libc.prctl(SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(SUBREAPER, 0, 0, 0, 0)


# ---------------------------------------------------------------- in place of the standard library's


class Start:
    """What `subprocess.Popen` asks the system for, by the positions of ``_posixsubprocess.fork_exec``."""

    def __init__(self, given: Sequence[Any]) -> None:
        self.command = [os.fsdecode(word) for word in given[0]]
        self.folder = os.fsdecode(given[4]) if given[4] is not None else os.getcwd()
        listed = given[5] if given[5] is not None else [name + b"=" + value for name, value in os.environb.items()]
        pairs = (os.fsdecode(one).partition("=") for one in listed)
        self.environment = {name: value for name, _, value in pairs}
        own = (given[6], given[9], given[11])
        self.files = {number: file if file != -1 else number for number, file in enumerate(own)}
        self.files |= {file: file for file in given[3] if file != given[13]}
        self.session = bool(given[15])
        self.usual = bool(given[2]) and list(given[16:22]) == [-1, None, None, None, -1, None]

    @property
    def main(self) -> str:
        """Its main module, or file."""
        words = [*self.command, "", ""]
        return words[2] if words[1] == "-m" else words[1]

    @property
    def kind(self) -> str | None:
        """Which server can be that process."""
        if self.command[0] != PYTHON:
            return None
        if self.main in (*server.DRAWS, server.MAKER):
            return "draws"
        if self.main in server.FETCHES:
            return "fetches"
        return "reads" if self.main in (*server.READS, DOUBLE) else None

    @property
    def anew(self) -> bool:
        """Whether it will start a GPU process itself."""
        is_ours = self.command[0] == PYTHON and self.main == "otterbot_worker.cli"
        return is_ours and self.command[3:4] in GPU_COMMANDS


REAL: Any = subprocess._fork_exec  # type: ignore[attr-defined]


def stand_in(client_of: Callable[[str], Client | None], *, anew: bool = False) -> Callable[..., int]:
    """For ``_posixsubprocess.fork_exec``: new children are forks where they can be. ``anew``: those that start GPU
    processes have a server of their own."""

    def fork_exec(*given: Any) -> int:
        start = Start(given)
        new = anew and start.anew
        kind = "draws" if new else start.kind
        client = client_of(kind) if start.usual and kind is not None else None
        if client is None or not (new or client.can_be(start)):
            return int(REAL(*given))
        return client.fork(
            start.files,
            arguments=start.command,
            environment=start.environment,
            folder=start.folder,
            session=start.session,
            dies=None,
            anew=new,
        )

    return fork_exec


@contextlib.contextmanager
def forking(client_of: Callable[[str], Client | None], *, anew: bool = False) -> Iterator[None]:
    """Meanwhile new children of this process are what `stand_in` says."""
    before = subprocess._fork_exec  # type: ignore[attr-defined]
    subprocess._fork_exec = stand_in(client_of, anew=anew)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        subprocess._fork_exec = before  # type: ignore[attr-defined]


def take_over() -> None:
    """In an interpreter that was started with a server of its own: what it starts are forks, until it ends."""
    number, read, paths = json.loads(os.environ.pop(server.SERVER))
    connection = socket.socket(fileno=number)
    connection.set_inheritable(False)
    fork_from(Client(connection, read, paths))


def fork_from(client: Client) -> None:
    """GPU processes and readers of this process are forks of that server, until it ends."""
    kinds = ("draws", "reads")
    subprocess._fork_exec = stand_in(lambda kind: client if kind in kinds else None)  # type: ignore[attr-defined]
