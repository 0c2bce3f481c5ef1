"""Programs of a lab that start quickly: forks of processes that have imported what they need (:mod:`forks`).

Synapse, Maubot and the worker are forks, and what the worker starts itself: its GPU processes and its readers of
headers and pictures. A ``new worker`` is a new interpreter as ever, of which only those are forks: it has loaded what
it needs itself, and no more.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from forks.client import Servers

from . import places

if (program := str(places.REPOSITORY / "worker")) not in sys.path:
    sys.path.append(program)  # the demo and benchmarks have a lab without pytest's paths

INTERPRETERS = {"worker": "serves", "maubot": "maubot", "synapse": "synapse"}
"""Which server (:data:`forks.server.IMPORTS`) serves programs of an environment."""


MORE: dict[str, Mapping[str, str]] = {
    "worker": places.ALONE, "maubot": {"PYTHONPATH": places.CLOCK, "LAB_CLOCK": os.devnull}, "synapse": {},
}  # fmt: skip
"""What is read at their start, beside this process's own environment."""


@cache
def _servers(environment: str) -> Servers:
    servers = Servers(places.python(environment), MORE[environment])
    atexit.register(servers.close)
    return servers


def prepare() -> None:
    """Starts the servers, which import for seconds: not for an event loop."""
    for environment, kind in INTERPRETERS.items():
        _servers(environment)(kind)


class Fork:
    """A child of this process as :class:`subprocess.Popen` has them, which gets SIGTERM when this process has ended.

    ``kind``: a key of :data:`INTERPRETERS`, or ``new worker``. ``serves``: a worker's GPU processes are forks.
    """

    def __init__(
        self, kind: str, command: Sequence[str], folder: Path, env: Mapping[str, str], out: int, *, serves: bool = True
    ) -> None:
        anew, environment = kind == "new worker", kind.removeprefix("new ")
        client = _servers(environment)(INTERPRETERS[environment])
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            self.pid = client.fork(
                {0: nothing, 1: out, 2: out}, arguments=list(command), environment=dict(env), folder=str(folder),
                session=True, dies=int(signal.SIGTERM), anew=anew, serves=serves and kind == "worker",
            )  # fmt: skip
        finally:
            os.close(nothing)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._reap(os.WNOHANG)

    def wait(self) -> int | None:
        return self._reap(0)

    def _reap(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
