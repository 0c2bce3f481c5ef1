"""Which picture or turn comes next: a pure function.

People take turns: whoever was served longest ago is first, and one person's own rows keep their order (chat before
pictures). Two things may overtake in this fair order: chat, because a person waits for the answer, and rows of the
loaded model, because loading takes longer than drawing. A row that is overtaken counts this: at most N times, and not
after T seconds from the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .store import Head

Owner = tuple[str, str]
"""Client and owner: the same name at two clients is two people."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    times: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    seq: int
    overtaken: tuple[int, ...] = ()
    """Rows that it overtakes in the fair order."""


def choose(
    heads: Sequence[Head],
    *,
    resident: str | None,
    chatting: bool = False,
    served: Mapping[Owner, float],
    now: float,
    bounds: Bounds,
    skip: frozenset[str] = frozenset(),
) -> Choice | None:
    """The next row of ``heads`` (the first queued row of each owner, kind and model).

    ``resident``: the image model on the card; ``chatting``: a language model has it, which prompts fit; ``served``:
    when each owner was last served; ``skip``: kinds that cannot run now. ``None``: nothing can.
    """
    order = fair_order([head for head in heads if head.kind not in skip], served)
    for position, head in sorted(enumerate(order), key=lambda item: (_class(item[1], resident, chatting), item[0])):
        ahead = _ahead(order, position)
        if all(_may_be_overtaken(row, now, bounds) for row in ahead):
            return Choice(seq=head.seq, overtaken=tuple(row.seq for row in ahead))
    return None


def fair_order(heads: Iterable[Head], served: Mapping[Owner, float]) -> list[Head]:
    """Rows in fair order: owners by last service (never served ones by arrival), each owner's rows in their order."""
    by_owner: dict[Owner, list[Head]] = {}
    for head in heads:
        by_owner.setdefault((head.client, head.owner), []).append(head)
    for rows in by_owner.values():
        rows.sort(key=lambda head: (head.kind != "chat", head.seq))
    owners = sorted(by_owner, key=lambda owner: (served.get(owner, float("-inf")), min(h.seq for h in by_owner[owner])))
    return [head for owner in owners for head in by_owner[owner]]


def _class(head: Head, resident: str | None, chatting: bool) -> int:
    if head.kind == "chat" or (head.kind == "prompt" and chatting):
        return 0
    return 1 if resident is not None and head.model == resident else 2


def _ahead(order: Sequence[Head], position: int) -> list[Head]:
    """Rows that ``order[position]`` would overtake: the first row of every earlier owner, and earlier rows of its own
    owner. Other owners' further rows do not count: their turns come later anyway."""
    chosen = order[position]
    mine = (chosen.client, chosen.owner)
    passed: list[Head] = []
    seen: set[Owner] = set()
    for head in order[:position]:
        owner = (head.client, head.owner)
        if owner == mine or owner not in seen:
            passed.append(head)
        seen.add(owner)
    return passed


def _may_be_overtaken(head: Head, now: float, bounds: Bounds) -> bool:
    if head.overtaken >= bounds.times:
        return False
    return head.overtaken_at is None or now - head.overtaken_at < bounds.seconds
