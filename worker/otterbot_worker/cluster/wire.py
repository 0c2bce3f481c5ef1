"""What travels between relay, scout and the actors. Both ends have the same version of this package, or do not talk."""

from __future__ import annotations

from dataclasses import dataclass, field

CONNECT_SECONDS = 60.0
"""Until a cluster is joined and an actor is there: Ray starts slowly on a cold machine."""
PIECE = 32 * 1024 * 1024
"""Bytes of a file that go in one message."""


@dataclass(frozen=True, kw_only=True)
class Seating:
    """What an actor is told when it is made."""

    number: int
    """Which lane of its machine it is, from 0."""
    lanes: int
    """How many lanes that machine has."""
    gpu: bool
    """It has a card."""
    lease: float
    """Seconds without a word of the worker after which it ends itself."""


@dataclass(frozen=True, kw_only=True)
class End:
    """The GPU process is gone."""

    returncode: int | None
    reason: str
    """As ``gpu.deaths.describe_exit``, on its own machine."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the GPU process has said since the last one."""

    lines: tuple[bytes, ...] = ()
    """Of the protocol of ``gpu.messages``."""
    pixels: bytes | None = None
    """The raw RGB rows of the picture that the last line says is drawn."""
    end: End | None = None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a machine of the cluster says of itself."""

    version: str
    """Of its otterbot-worker."""
    models: dict[str, str] = field(default_factory=dict)
    """By name those that it can draw with, and what tells two models of one name apart (``inventory``)."""
    problem: str | None = None
    """Why it cannot draw, as a sentence."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster that has lanes."""

    id: str
    """Ray's: another one each time the machine joins."""
    name: str
    """Ray's: its address, unless ``--node-name`` gave it another."""
    lanes: int
    gpus: bool
    """Each of its lanes has a card."""
    here: bool
    """It is the machine of the worker."""
    version: str = ""
    models: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
