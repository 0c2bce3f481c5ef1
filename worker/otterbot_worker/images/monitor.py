"""Who watches a picture being drawn: the GPU process's end of the socket, or a test."""

from __future__ import annotations

from typing import Protocol

from ..gpu.messages import Phase


class Monitor(Protocol):
    def progress(self, phase: Phase, step: int = 0, steps: int = 0) -> None:
        """A phase begins, or a step is done, or some bytes of a download."""

    def preview(self, picture: bytes) -> None:
        """A small JPEG of how far it is. Only where the task asks for previews."""

    def check(self) -> None:
        """Called often, from inside the work: a sign of life; cheap. :raises Cancelled:"""
