"""The protocol of a chat backend: a server, or a process of the worker's, that answers with a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .card_use import CardModels
from .records import NO_WISHES, ChatModel, ChatOutcome, Message, Phase, Unloaded, Wishes


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a backend can do whichever model it has. What differs by model is in `ChatModel`."""

    needs_card: bool
    """Its models share the worker's card. The runner takes the lease before a turn, and unloads the backend before a
    picture. Without it neither happens, and turns are answered while a picture is drawn: the backend computes on the
    processor or on another machine."""
    sees_pictures: bool
    """Messages may carry pictures, for models that see (`ChatModel.sees_pictures`)."""
    knows_context: bool
    """How many tokens fit is known before a turn. Else the whole conversation is sent, and turns are left out when the
    server refuses it."""
    sends_thoughts: bool
    """Thoughts may come apart from the answer. Those inside the answer are looked for in any case."""
    counts_tokens: bool
    """The server counts what was read and written: `ChatOutcome.usage`."""
    calls_tools: bool = False
    """Models that can may be given tools (`Wishes.tools`); without them they are not told of any."""


@dataclass(frozen=True, kw_only=True)
class BackendStatus:
    """What there is to chat with now."""

    reachable: bool
    models: Sequence[ChatModel] = ()
    """Those that can chat."""
    default: str | None = None
    """The model of a turn that names none."""
    problem: str | None = None
    """Why a chat with ``default`` cannot work, as a sentence; `chat` fails with the same one."""
    notice: str | None = None
    """What the operator should know though chats work, as sentences."""


class ChatBackend(Protocol):
    """One backend, used from one event loop.

    Failures are `JobFailed` with a code of `failures.ChatCode` and a sentence that a room may read. Neither they nor
    the log hold words of a conversation. Cancelling a call stops the work at the server, too; it leaves as
    `asyncio.CancelledError`.
    """

    @property
    def name(self) -> str:
        """As sentences for people call it; they may begin with it."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def card(self) -> CardModels | None:
        """What its models take of the worker's card; ``None`` where they need none."""

    @property
    def about(self) -> str | None:
        """What people should know of its answers before they trust them, as a sentence; said once in each room."""

    async def for_turn(self) -> ChatBackend:
        """The backend that a turn which begins now is for: itself, or the one of several that it chooses.

        Its ``capabilities`` say whether this turn needs the card.
        """

    async def status(self) -> BackendStatus:
        """Never raises `JobFailed`: where nobody answers, that is the problem."""

    async def models(self) -> list[ChatModel]:
        """The models that can chat. :raises JobFailed:"""

    async def chat(
        self,
        model: str | None,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        on_phase: Callable[[Phase], None],
        wishes: Wishes = NO_WISHES,
    ) -> ChatOutcome:
        """One turn with ``model``, or with the default one.

        ``on_text`` gets all of the answer so far, without thoughts; ``on_phase`` each change of phase, once. An answer
        that breaks off after something came is an outcome (``complete=False``), not an error.

        :raises JobFailed:
        """

    async def unload(self, timeout: float) -> Unloaded:
        """Takes every model off the card within ``timeout`` seconds, whoever loaded it. Never raises `JobFailed`.

        A backend that needs no card has nothing there: ``Unloaded(gone=True, on_card=0)``.
        """

    async def close(self) -> None:
        """Ends what is open. May be called twice."""
