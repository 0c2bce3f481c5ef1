"""All exceptions of the plugin.

::

    OtterbotError
    ├── WorkerError                  the worker's HTTP API
    │   ├── WorkerUnreachable        off, asleep, restarting, answering 5xx: try again later
    │   │   └── WorkerForeign        something else answers there: a proxy, a login page
    │   ├── WorkerUnauthorized       it refuses our token: for the operator to mend
    │   └── WorkerRefused            a problem document: code, status, fields
    ├── Unanswered                   the homeserver could not be asked what a message means: nothing is decided
    └── MatrixError                  the homeserver's API
        ├── AnswerLost               no answer, 5xx, or a proxy's: the request may have been carried out
        ├── RateLimited              429, with the seconds to wait
        ├── TooLarge                 413 / M_TOO_LARGE: say it shorter
        ├── MatrixRefused            any other 4xx
        │   ├── NotAllowed           M_FORBIDDEN, not in the room, room gone: what that means, the room says
        │   └── UploadRefused        the homeserver takes no (more) files from us: final
        └── CannotEncrypt            the room is encrypted and we cannot encrypt

No message of these holds what a person wrote.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class OtterbotError(Exception):
    """Root of the tree."""


class WorkerError(OtterbotError):
    """Base of all errors about the worker."""


class WorkerUnreachable(WorkerError):
    """The worker did not answer, or answered 5xx."""


class WorkerForeign(WorkerUnreachable):
    """Something answers at its address, but not the worker."""


class WorkerUnauthorized(WorkerError):
    """The worker refuses the token."""


@dataclass(frozen=True)
class FieldProblem:
    """One bad field of a request; ``message`` can be shown to a person."""

    field: str
    code: str
    message: str
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Names and numbers for the plugin's own sentences."""


class WorkerRefused(WorkerError):
    """A problem document (RFC 9457). ``code`` is stable, ``fields`` name each bad field."""

    def __init__(
        self, status: int, code: str, *, detail: str | None = None, fields: tuple[FieldProblem, ...] = ()
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields

    @property
    def disk_full(self) -> bool:
        """The worker has no room at the moment; later the same request may pass."""
        return self.status == 507

    @property
    def not_found(self) -> bool:
        """The worker does not know the thing (any more)."""
        return self.status in (404, 410)


class Unanswered(OtterbotError):
    """What a message leads to cannot be told: the homeserver does not say what it depends on. It is asked again.

    ``sentence`` is what people are told when it never answers; ``None``: it may not have been meant for us at all.
    """

    sentence: str | None = None

    def __init__(self, what: str, *, sentence: str | None = None) -> None:
        super().__init__(what)
        if sentence is not None:
            self.sentence = sentence


class MatrixError(OtterbotError):
    """Base of all errors about the homeserver."""


class AnswerLost(MatrixError):
    """The homeserver may or may not have done it. ``status`` is what it answered, if it did."""

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status


class RateLimited(MatrixError):
    """429. ``retry_after`` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"rate limited for {retry_after:.1f} s")
        self.retry_after = retry_after


class TooLarge(MatrixError):
    """The event or the upload is larger than the homeserver takes. ``errcode``: empty if a proxy says so."""

    def __init__(self, what: str, errcode: str = "") -> None:
        super().__init__(what)
        self.errcode = errcode


class MatrixRefused(MatrixError):
    """A 4xx that is none of the others. ``errcode`` is Matrix's."""

    def __init__(self, status: int, errcode: str) -> None:
        super().__init__(f"{status} {errcode}")
        self.status = status
        self.errcode = errcode


class NotAllowed(MatrixRefused):
    """We may not do it in that room, as it is now."""


class UploadRefused(MatrixRefused):
    """The homeserver takes no file from us: a limit for all our files is reached, or we may not upload at all."""


class CannotEncrypt(MatrixError):
    """The room is encrypted and this client cannot encrypt. Nothing may be sent in the clear."""


def places(error: BaseException) -> str:
    """Where it happened, for the log. Without the exception's text: that may hold what somebody wrote."""
    return "".join(traceback.format_tb(error.__traceback__))
