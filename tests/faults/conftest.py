"""The fixtures of the end-to-end tests: where a lab lies."""

from __future__ import annotations

from e2e.conftest import folder

__all__ = ["folder"]
