"""Logs: one line per event, with fields, and without anything that a person typed.

Call sites name what happened and pass facts as ``extra``: ``log.info("picture drawn", extra={"took": 3.1})``.
Prompts and chat text are never passed, and of an exception only its type and places are shown: messages of
libraries may repeat their input.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
import warnings
from typing import Literal, TextIO

from . import terminal

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _PLAIN}


def _trace(record: logging.LogRecord) -> str | None:
    """Where an exception came from, without its message: that may repeat what a person typed."""
    if not record.exc_info or record.exc_info[0] is None:
        return None
    kind, _, trace = record.exc_info
    frames = traceback.extract_tb(trace)
    places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
    return f"{kind.__name__} at {' > '.join(places)}"


class TextFormatter(logging.Formatter):
    """``2026-01-01T12:00:00+0100 INFO jobs.dispatcher: picture drawn job=… took=3.1``"""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created))
        line = f"{stamp} {record.levelname} {record.name.removeprefix('otterbot_worker.')}: {record.getMessage()}"
        for key, value in _fields(record).items():
            text = f"{value:.3f}" if isinstance(value, float) else str(value)
            line += f" {key}={json.dumps(text, ensure_ascii=False) if set(text) & set(' =') else text}"
        trace = _trace(record)
        line += f" error={json.dumps(trace, ensure_ascii=False)}" if trace else ""
        return terminal.visible(line.replace("\n", "\\n"))


class JsonFormatter(logging.Formatter):
    """The same as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        trace = _trace(record)
        if trace:
            entry["error"] = trace
        return terminal.visible(json.dumps(entry, default=str, ensure_ascii=False))


class Seldom:
    """Rate limit for log lines that anybody on the network can cause: at most one a minute, with their count. The rest
    are counted in the next line."""

    SECONDS = 60.0

    def __init__(self, logger: str, words: str) -> None:
        self._log = logging.getLogger(logger)
        self._words = words
        self._count = 0
        self._said: float | None = None

    def warning(self, **fields: object) -> None:
        self._say(logging.WARNING, fields)

    def error(self, **fields: object) -> None:
        self._say(logging.ERROR, fields)

    def _say(self, level: int, fields: dict[str, object]) -> None:
        """``fields``: of the last occurrence."""
        self._count += 1
        now = time.monotonic()
        if self._said is not None and now - self._said < self.SECONDS:
            return
        self._log.log(level, self._words, extra={"count": self._count, **fields})
        self._said, self._count = now, 0


class _Handler(logging.StreamHandler[TextIO]):
    """Drops a line that cannot be written, on a full disk for example, and carries on."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


def setup(level: str, form: Literal["text", "json"]) -> None:
    """Sends all logs of this process to standard error, ours at ``level``, libraries' from warnings up."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("otterbot_worker").setLevel(level.upper())
    for name in ("aiosqlite", "asyncio", "aiohttp", "PIL"):
        # aiosqlite shows the values of every statement at its debug level.
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    # Show only the category: a warning's text may quote a value.
    warnings.formatwarning = lambda message, category, filename, lineno, line=None: (
        f"{category.__name__} at {filename.rsplit('/', 1)[-1]}:{lineno}"
    )
