"""Asks ``header_process`` what the headers of people's files say. Free of torch; blocks, so not for an event loop.

One process reads all files, one after another, and ends after a while without questions. A file that takes too long, or
kills the process, is marked as bad, and the next file gets a fresh process. Answers are cached until the file changes.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CannotLook
from . import plain_files, user_files
from .headers import BadFile

SEEN_MAX = 4 * user_files.FILES_MAX
WALL_SECONDS = 30.0
"""Wall-clock limit per file, long enough for a sleeping disk or a busy machine."""
LOOK_SECONDS = 5.0
"""Time that one look spends on new files; the next look continues."""
ANSWER_MAX = 64 * 1024
READY = b"ready\n"
"""The first line of the process."""

TOO_LONG = "takes too long to be read, so it is left alone"
ENDS = "breaks whatever reads it, so it is left alone"
NOT_YET = "it has not been read yet, please ask again in a moment"

_Stamp = tuple[int, int, int, int, int]
_Key = tuple[str, str, str]


class Patience:
    """How long one look may go on reading files that are new."""

    def __init__(self, seconds: float = LOOK_SECONDS, stopped: Callable[[], bool] = lambda: False) -> None:
        self._until = time.monotonic() + seconds
        self._stopped = stopped

    @property
    def over(self) -> bool:
        return self._stopped() or time.monotonic() >= self._until


class _Answer(NamedTuple):
    found: dict[str, Any] | None = None
    bad: str | None = None
    errno: int | None = None
    unread: tuple[str, str] | None = None

    @property
    def final(self) -> bool:
        """Whether the answer holds until the file changes."""
        return self.errno is None and self.unread is None


class _Died(Exception):
    """The process ended before it answered. ``quietly``: it was idle, or had given its last answer."""

    def __init__(self, returncode: int | None) -> None:
        super().__init__(returncode)
        self.returncode = returncode

    @property
    def quietly(self) -> bool:
        return self.returncode == 0


class HeaderReader:
    """Thread-safe. Owns one process and the cache of its answers."""

    def __init__(self, *, wall_seconds: float = WALL_SECONDS) -> None:
        self._wall_seconds = wall_seconds
        self._asking = threading.Lock()
        """Held while the process reads a file. Cached answers do not wait for it."""
        self._knowing = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: OrderedDict[_Key, tuple[_Stamp, _Answer]] = OrderedDict()

    def ask(self, kind: str, path: Path, patience: Patience | None = None, **options: Any) -> dict[str, Any]:
        """What the header says, by ``header_process.READERS``.

        :raises BadFile: the file is of no use
        :raises OSError: it is not there, or cannot be read now
        :raises CannotLook: it was not read, because no process could be started or ``patience`` is over
        """
        try:
            status = os.stat(path)
        except ValueError:  # a NUL: no file can be called so
            raise FileNotFoundError(path) from None
        if (problem := plain_files.kind_problem(status.st_mode)) is not None:
            raise BadFile(problem)
        # ctime as well: a file may become readable without another change.
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        key = (kind, os.fspath(path), json.dumps(options, sort_keys=True))
        answer = self._known(key, stamp)
        if answer is None:
            with self._asking:
                answer = self._known(key, stamp) or self._read(kind, path, options, patience)
                if answer.final:
                    self._keep(key, stamp, answer)
        if answer.unread is not None:
            raise CannotLook(*answer.unread)
        if answer.errno is not None:
            raise OSError(answer.errno, os.strerror(answer.errno))
        if answer.found is None:
            raise BadFile(answer.bad or ENDS)
        return answer.found

    def close(self) -> None:
        """End the process; the next question starts another one."""
        with self._asking:
            self._end()

    def _known(self, key: _Key, stamp: _Stamp) -> _Answer | None:
        with self._knowing:
            then, answer = self._seen.get(key, (None, None))
            if answer is not None:
                self._seen.move_to_end(key)
            return answer if then == stamp else None

    def _keep(self, key: _Key, stamp: _Stamp, answer: _Answer) -> None:
        with self._knowing:
            self._seen[key] = (stamp, answer)
            while len(self._seen) > SEEN_MAX:
                self._seen.popitem(last=False)

    def _read(self, kind: str, path: Path, options: Mapping[str, Any], patience: Patience | None) -> _Answer:
        """:raises CannotLook: no process could be started, or ``patience`` is over"""
        if patience is not None and patience.over:
            raise CannotLook(f"the file {plain_files.printable(path.name)}", NOT_YET)
        line = json.dumps({"kind": kind, "path": os.fspath(path), "options": options})
        deaths = 0
        while True:
            fresh = self._process is None
            try:
                return self._asked(line)
            except _Died as died:
                if died.quietly and not fresh:
                    continue  # it had ended because it was idle
                if died.returncode in (-signal.SIGPROF, -signal.SIGXCPU):
                    return _Answer(bad=TOO_LONG)
                deaths += 1
                if deaths >= 2:  # a single death may have another cause, such as the kernel's OOM killer
                    return _Answer(bad=ENDS)
            except TimeoutError:
                self._end()
                return _Answer(bad=TOO_LONG)
            except OSError as error:
                self._end()
                raise plain_files.cannot_look(path, error) from None
            except (RuntimeError, MemoryError) as error:  # no more threads, or no more memory, in this process
                self._end()
                raise CannotLook(f"the file {plain_files.printable(path.name)}", type(error).__name__) from None

    def _asked(self, line: str) -> _Answer:
        """:raises _Died: :raises TimeoutError: :raises OSError:"""
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(line.encode("ascii") + b"\n")
        except BrokenPipeError:
            raise _Died(self._end()) from None
        try:
            match json.loads(self._line(process)):
                case {"found": dict(found)}:
                    return _Answer(found=found)
                case {"bad": str(bad)}:
                    return _Answer(bad=bad)
                case {"errno": int(number)}:
                    return _Answer(errno=number)
                case {"unread": [str(what), str(why)]}:
                    return _Answer(unread=(what, why))
        except ValueError:
            pass
        self._end()
        return _Answer(bad=ENDS)

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        said, until = bytearray(), time.monotonic() + self._wall_seconds
        poll = select.poll()  # select itself takes no descriptor beyond 1023
        poll.register(process.stdout, select.POLLIN)
        while not said.endswith(b"\n"):
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), ANSWER_MAX)
            if not piece:
                raise _Died(self._end(wait=True))
            said += piece
            if len(said) > ANSWER_MAX:
                raise ValueError("too long")
        return bytes(said)

    def _start(self) -> subprocess.Popen[bytes]:
        """:raises OSError:"""
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        process = subprocess.Popen(
            [sys.executable, "-m", "otterbot_worker.models.header_process"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "MALLOC_ARENA_MAX": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        # Reap it in a thread: it may end by itself, and would be a zombie until the next question.
        threading.Thread(target=process.wait, name="header process", daemon=True).start()
        self._process = process
        try:
            ready = self._line(process) == READY
        except (_Died, TimeoutError, ValueError):
            ready = False
        if not ready:  # no file is to blame: none was read yet
            self._end()
            raise OSError(errno.EAGAIN, "no process for reading it could be started")
        return process

    def _end(self, *, wait: bool = False) -> int | None:
        """``wait``: it has closed its output, so wait for its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return process.wait(1.0 if wait else 0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


READER = HeaderReader()
"""One reader for the whole process: a header is the same for every caller."""
atexit.register(READER.close)
