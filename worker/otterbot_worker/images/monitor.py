"""The observer of a picture that is being drawn: the GPU process's socket, or a test's."""

from __future__ import annotations

from typing import Protocol

from ..gpu.messages import Phase


class Monitor(Protocol):
    def progress(self, phase: Phase, step: int = 0, steps: int = 0) -> None:
        """Report a phase, a finished step, or bytes of a download."""

    def preview(self, picture: bytes, frame: int = 0) -> None:
        """Send a preview, a small JPEG, where the task asks for some or for a film. ``frame`` as in
        `gpu.messages.Preview`."""

    def check(self) -> None:
        """Called often during the work, so it must be cheap: gives a sign of life. :raises Cancelled:"""
