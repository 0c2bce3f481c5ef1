"""The worker's errors, free of imports of its parts so that every part may raise them.

::

    Exception
    ├── JobFailed      this picture or turn failed; the rest of the worker is well
    ├── Cancelled      somebody asked for it to stop
    ├── ProcessDied    the GPU process is gone (crash, kernel's OOM killer, hang)
    └── CannotLook     a file could not be looked at, which says nothing of whether it is there

Messages are sentences that a person in the room may read. They never hold prompts.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

Detail = str | int | float | bool | list[str] | None
Details = dict[str, Detail]
"""What a failure tells to programs: numbers and names, no words of a user."""


class JobFailed(Exception):
    """A picture or a chat turn failed for a reason of its own.

    ``code`` is one of ``schemas.Failure.code``; ``details`` says the same to programs.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, Detail] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details: Details = dict(details or {})
        self.ooms: list[Any] = []
        """Placements that ran out of memory before it failed, each a ``memory.oom_history.OutOfMemory``."""


class Cancelled(Exception):
    """It was stopped because somebody asked for it."""


class ProcessDied(Exception):
    """The GPU process ended, or had to be ended, before it answered.

    ``reason`` is a short plain phrase (``"killed by the kernel (out of memory?)"``); ``exit_code`` is negative for a
    signal and ``None`` where it is not known.
    """

    def __init__(self, reason: str, exit_code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code


ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
"""Errors that mean that there is no such file."""


CANNOT_LOOK = "cannot_look"
"""The code of a ``CannotLook`` from the GPU process."""


CROWDED = "crowded"
"""The code by which the GPU process gives back a picture for which it wants the card alone. ``details``: ``spent``,
whether it had begun; ``needed`` and ``free``, bytes."""


LANE_LACKS = "lane_lacks"
"""The code by which a lane on another machine gives back a picture for which that machine lacks something."""


class CannotLook(Exception):
    """A file or a folder could not be looked at, so nobody knows whether it is there: there is no permission, no room
    for one more open file, or the disk fails. Whoever asked tries again later.

    ``what``: a noun for people, as "the file a.ckpt"; ``why``: the system's words for it.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} could not be looked at: {why}")
        self.what = what
        self.why = why

    @property
    def sentence(self) -> str:
        text = str(self)
        return f"{text[0].upper()}{text[1:]}."


def look_failed(error: BaseException, what: str) -> None:
    """Call it with the error of an attempt to read a file. Returns where the file is absent or broken.

    :raises CannotLook: the system could not look
    """
    # An OSError without errno comes from a library that found the file invalid.
    if isinstance(error, OSError) and error.errno is not None and error.errno not in ABSENT:
        raise CannotLook(what, error.strerror or type(error).__name__) from None
