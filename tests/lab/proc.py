"""Child processes: start, wait for an answer, freeze, stop. Ends only what it started, and by its id."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

from .forking import Fork

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_KEPT: list[socket.socket] = []
"""The sockets of :func:`free_port`."""
PATIENCE = 3.0
"""How many times longer than it is told everything here waits for what must come: what a test says fits a quiet
machine, and other tests run beside it."""


def free_port() -> int:
    """A port for a server of this program's. It stays its own until this program ends, also while that server is down:
    a bound socket that does not listen keeps it from everybody but a server that asks for ``SO_REUSEADDR``, as all do.
    """
    keeper = socket.socket()
    keeper.bind(("127.0.0.1", 0))  # still without the option: with it, two keepers could get the same port
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _KEPT.append(keeper)
    port: int = keeper.getsockname()[1]
    return port


def _die_with_parent() -> None:
    """Runs in the child: SIGTERM when the parent is gone, however it went, so that nothing is left running."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def process_exists(pid: int) -> bool:
    """Whether ``pid`` runs; a zombie that nobody has waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def children_of(pid: int) -> list[int]:
    """The direct children of ``pid``, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return sorted(found)


async def until(condition: Callable[[], object], what: str, *, timeout: float = 20) -> None:
    """Waits until ``condition()`` is true; what is waited for gives no sign of its own."""
    end = time.monotonic() + timeout * PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout * PATIENCE:.0f} s: {what}")
        await asyncio.sleep(0.03)


class Proc:
    """One child process and its log file, to which every start appends."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, log: Path, env: Mapping[str, str] | None = None,
        forked: str = "",
    ) -> None:  # fmt: skip
        """``forked``: started as a fork of this kind, see :class:`lab.forking.Fork`."""
        self.forked = forked
        self.name, self.command, self.folder, self.log = name, list(command), folder, log
        # The worker reads its settings from OTTERBOT_…: the developer's own must not reach the lab's.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTTERBOT_")}
        self.env = {**inherited, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._child: subprocess.Popen[bytes] | Fork | None = None

    @property
    def child(self) -> subprocess.Popen[bytes] | Fork:
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child

    @property
    def pid(self) -> int:
        return self.child.pid

    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        if self.alive():
            raise RuntimeError(f"{self.name} already runs")
        with self.log.open("ab") as out:
            if self.forked:
                self._child = Fork(self.forked, self.command, self.folder, self.env, out.fileno())
                return
            self._child = subprocess.Popen(
                self.command, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip

    def check_alive(self) -> None:
        if not self.alive():
            raise RuntimeError(f"{self.name} died (exit code {self.child.returncode}):\n{self.tail()}")

    async def wait_http(self, url: str, timeout: float = 60, trust: ssl.SSLContext | bool = True) -> float:
        """Seconds until ``url`` answered 200; raises when the process died or the time is up."""
        started = time.monotonic()
        async with aiohttp.ClientSession() as http:
            while time.monotonic() - started < timeout * PATIENCE:
                self.check_alive()
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(url, timeout=aiohttp.ClientTimeout(total=2), ssl=trust) as response:
                        if response.status == 200:
                            return time.monotonic() - started
                await asyncio.sleep(0.05)
        raise TimeoutError(f"{self.name}: {url} not up after {timeout * PATIENCE:.0f} s\n{self.tail()}")

    async def wait_log(self, text: str, timeout: float = 60, start: int = 0) -> float:
        """Seconds until ``text`` stands in the log after byte ``start``."""
        started = time.monotonic()
        while text not in self.log_text(start):
            self.check_alive()
            if time.monotonic() - started > timeout * PATIENCE:
                what = f"{text!r} not in its log after {timeout * PATIENCE:.0f} s"
                raise TimeoutError(f"{self.name}: {what}\n{self.tail()}")
            await asyncio.sleep(0.05)
        return time.monotonic() - started

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def log_text(self, start: int = 0) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def rss_mib(self) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    async def stop(self, sig: int = signal.SIGTERM, timeout: float = 20) -> float:
        """Sends ``sig``, waits, escalates to SIGKILL. Returns the seconds it took."""
        started = time.monotonic()
        if not self.alive():
            return 0.0
        self.child.send_signal(sig)
        try:
            await until(lambda: not self.alive(), f"{self.name} ends", timeout=timeout)
        except TimeoutError:
            self.child.kill()
        self.child.wait()
        return time.monotonic() - started

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """Stops the process's clock: what is sent until :meth:`thaw` comes to it all at once."""
        self.child.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.child.send_signal(signal.SIGCONT)
