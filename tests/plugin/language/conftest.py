"""A room in which commands are typed."""

from __future__ import annotations

from command_rig import rig

__all__ = ["rig"]
