"""A table of plans by model and card size. Needs neither torch nor a card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..models.entries import ModelEntry
from ..models.estimates import Needs, needs_of
from .device_info import DeviceInfo
from .placement import RAM_RESERVE_BYTES, RESERVE_BYTES, Choice, choose

GB = 10**9
SIZES_GB = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
FREE_GB = (4, 6, 8, 12)
"""Free card memory of the columns, in GB."""
RAM_GB = 12
"""Available computer memory in GB: 16 GB with a desktop running."""

CARDS: Mapping[str, DeviceInfo] = {
    "RTX 30 and later": DeviceInfo(
        kind="cuda",
        total=0,
        available=0,
        ram_available=RAM_GB * GB,
        capability=(8, 6),
        bf16=True,
        attention=("flash", "efficient", "math"),
    ),
    "GTX 16 and RTX 20 (compute in full precision what needs bf16)": DeviceInfo(
        kind="cuda", total=0, available=0, ram_available=RAM_GB * GB, capability=(7, 5)
    ),
    "GTX 10 (keeps half precision, computes in full precision)": DeviceInfo(
        kind="cuda", total=0, available=0, ram_available=RAM_GB * GB, capability=(6, 1)
    ),
}
"""By title; as much of them as there is memory is filled in."""


def page(entries: Iterable[ModelEntry], *, reserve: int = RESERVE_BYTES, ram_reserve: int = RAM_RESERVE_BYTES) -> str:
    """A Markdown table for each kind of card, with the plan and its estimated peak in GB at the model's usual size.

    In brackets: more than is free, so it is only tried for lack of a better one.
    """
    needed = [(entry, needs_of(entry)) for entry in entries]
    return "\n\n".join(
        f"{title}:\n\n{_table(needed, card, reserve=reserve, ram_reserve=ram_reserve)}" for title, card in CARDS.items()
    )


def smallest(entry: ModelEntry, *, reserve: int, ram_reserve: int) -> int | None:
    """The least free memory of a card, in GB of ``SIZES_GB``, that the model fits into at its usual size, neither layer
    by layer nor in 8 bits; ``None``: it fits into none.

    :raises KeyError: nobody knows how large it is :raises OSError: :raises CannotLook:
    """
    needs, pixels = needs_of(entry), entry.defaults.width * entry.defaults.height
    card = next(iter(CARDS.values()))
    precision = card.precision(wants_bf16=entry.abilities.bf16)
    for size in SIZES_GB:
        facts = replace(card, total=size * GB, available=size * GB)
        choice = choose(needs, facts, pixels, precision=precision, reserve=reserve, ram_reserve=ram_reserve)
        if choice.fits and choice.plan.offload != "groups" and not choice.plan.quantised:
            return size
    return None


def _table(needed: Iterable[tuple[ModelEntry, Needs]], card: DeviceInfo, *, reserve: int, ram_reserve: int) -> str:
    rows = [["model", "at", *(f"{free} GB free" for free in FREE_GB)]]
    for entry, needs in needed:
        width, height = entry.defaults.width, entry.defaults.height
        cells = []
        for free in FREE_GB:
            facts = DeviceInfo(**{**vars(card), "total": free * GB, "available": free * GB})
            choice = choose(
                needs,
                facts,
                width * height,
                precision=facts.precision(wants_bf16=entry.abilities.bf16),
                reserve=reserve,
                ram_reserve=ram_reserve,
            )
            cells.append(_cell(choice))
        rows.append([entry.name, f"{width}×{height}", *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cell(choice: Choice) -> str:
    words = f"{choice.plan.name} {choice.estimate.card / GB:.1f}"
    return words if choice.fits else f"({words})"
