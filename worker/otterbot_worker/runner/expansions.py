"""The first stage of a job whose prompt a language model writes: asked once for all of its pictures, and stored before
any of them is drawn.

Whatever goes wrong, the pictures are drawn: from the person's own words then, which a note says.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from typing import cast

from ..chat import ChatBackend, Message, Wishes, failures
from ..errors import Cancelled, CannotLook, JobFailed, ProcessDied
from ..models.catalogue import Catalogue
from ..models.loras import Library
from ..prompts import expansion
from ..queue.disk import forgone, passes, surely
from ..queue.model import Row, StoredJob
from ..schemas.jobs import Progress
from ..schemas.resolved import ResolvedRequest, joined
from ..schemas.resolved_parts import ResolvedExpansion
from ..schemas.style_words import STYLED_MAX, Words, styled
from . import eta
from .interruptible import Interruptible
from .runner_common import Shared, WrongLane
from .unbroken import unbroken

log = logging.getLogger(__name__)

TOKENS = 300
"""Of the answer, for all prompts of a job together."""
LOAD_SECONDS = 180.0
"""In which the language model has to be there; from then on it has the time of the settings."""
TRIES = 2
"""Ends of the worker in the middle of it, after which it is not tried again."""


PROMPTS = 8
"""Of one job, where its pictures have different ones."""


class _Unwritten(Exception):
    """There is no prompt; the message is a sentence for people."""


class PromptRunner:
    def __init__(
        self, shared: Shared, *, backend: ChatBackend | None, catalogue: Catalogue, library: Library, seconds: float
    ) -> None:
        """``seconds``: for the answer, once the model is loaded."""
        self._store = shared.store
        self._card = shared.card
        self._live = shared.live
        self._speeds = shared.speeds
        self._listener = shared.listener
        self._backend = backend
        self._catalogue = catalogue
        self._library = library
        self._seconds = seconds
        self._asking = Interruptible[tuple[str, str]]("prompt")
        self._stopping = False

    async def run(self, row: Row, job: StoredJob, interrupted: Callable[[], bool], *, with_card: bool) -> None:
        """Runs a claimed row of the kind ``prompt``; its job's pictures wait to be drawn afterwards.

        :raises Cancelled: :raises WrongLane:
        """
        started = time.monotonic()
        try:
            request = await self._written(row, job, interrupted, with_card=with_card)
        except _Unwritten as why:
            request = _unwritten(job.pictures, str(why))
        except (Cancelled, WrongLane, ProcessDied):
            raise
        except Exception as error:
            if passes(error):
                raise
            log.exception("a prompt could not be written", extra={"job": row.job_id})
            request = _unwritten(job.pictures, "something unexpected went wrong in the worker; its log says what.")
        await unbroken(surely(lambda: self._store.prompt_written(row, request), ended=lambda: self._stopping))
        if request.expansion is not None:
            took = time.monotonic() - started
            log.info("prompt written", extra={"job": row.job_id, "took": round(took, 3)})
            with forgone():
                await self._store.set_speed(eta.PROMPT, *self._speeds.add(eta.PROMPT, took))

    def stop(self) -> None:
        """The worker ends: what the disk does not take is not waited for."""
        self._stopping = True

    def interrupt(self, row: Row) -> None:
        """Stops it, if it runs."""
        self._asking.interrupt(row)

    async def _written(
        self, row: Row, job: StoredJob, interrupted: Callable[[], bool], *, with_card: bool
    ) -> ResolvedRequest:
        """The job's request with its prompts. :raises _Unwritten: :raises Cancelled: :raises WrongLane:"""
        if self._backend is None:
            raise _Unwritten(failures.switched_off().message)
        if row.worker_deaths >= TRIES:
            raise _Unwritten("the worker ended twice in the middle of it.")
        self._report(row, job)
        backend = await self._backend.for_turn()
        if backend.capabilities.needs_card != with_card:
            raise WrongLane
        loads = with_card and await self._card.for_chat(None)
        if interrupted():
            raise Cancelled
        request = job.pictures

        async def write(request: ResolvedRequest) -> ResolvedRequest:
            return await self._with_prompts(row, request, backend, load_beside=loads, with_card=with_card)

        return joined(await _each(request, write), request.sweep) if request.each else await write(request)

    async def _with_prompts(
        self, row: Row, request: ResolvedRequest, backend: ChatBackend, *, load_beside: bool, with_card: bool
    ) -> ResolvedRequest:
        """:raises _Unwritten: :raises Cancelled:"""
        form, embeddings = await asyncio.to_thread(self._look, request)
        named = expansion.take_apart(request.prompt, embeddings)
        count = request.count
        within = expansion.Form(sentences=form.sentences, tokens=min(form.tokens, TOKENS * 9 // 10 // count))
        asked = [cast(Message, vars(one)) for one in expansion.question(named, within, count)]
        text, model = await self._answer(row, backend, asked, seed=request.seed, load_beside=load_beside)
        if with_card:
            await self._card.chatted(model)
        plain = expansion.read_answers(text, count)
        woven = (expansion.weave(named, one, form, embeddings) for one in plain)
        prompts = tuple(dict.fromkeys(one for one in woven if one is not None))
        if not prompts:
            raise _Unwritten("the chat model gave nothing that could be added to it.")
        prompts = tuple(one for one in prompts if _fits(one, request))
        if not prompts:
            raise _Unwritten("with its styles it would be too long.")
        return request.model_copy(
            update={
                "expand": False,
                "expansion": ResolvedExpansion(prompt=request.prompt, model=model, prompts=prompts),
                "notes": (*request.notes, *_fewer(len(prompts), count)),
            }
        )

    def _look(self, request: ResolvedRequest) -> tuple[expansion.Form, Collection[str]]:
        """What the model reads best, and the words that call embeddings. Reads folders: not for the event loop.

        :raises _Unwritten:
        """
        entry = self._catalogue.look().entry(request.model)
        if entry is None:
            raise _Unwritten("the image model is not in the catalogue any more.")
        try:
            return entry.prompt_form, frozenset(self._library.words())
        except CannotLook as error:
            raise _Unwritten(f"{error}.") from None

    async def _answer(
        self, row: Row, backend: ChatBackend, messages: list[Message], *, seed: int, load_beside: bool
    ) -> tuple[str, str]:
        """The answer, and the model's name. ``load_beside``: it has to be loaded beside the image model first.

        :raises _Unwritten: :raises Cancelled:
        """
        return await self._asking.run(row, self._ask(backend, messages, seed, load_beside=load_beside))

    async def _ask(
        self, backend: ChatBackend, messages: list[Message], seed: int, *, load_beside: bool
    ) -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOAD_SECONDS) as limit:

                def on_phase(phase: str) -> None:
                    if phase == "thinking" and not limit.expired():  # the model is there
                        limit.reschedule(loop.time() + self._seconds)

                if load_beside:
                    await self._card.load_beside(None, lambda _: None)
                outcome = await backend.chat(
                    None,
                    messages,
                    on_text=lambda _: None,
                    on_phase=on_phase,
                    wishes=Wishes(seed=seed, tokens=TOKENS),
                )
        except TimeoutError:
            raise _Unwritten("the chat model took too long.") from None
        except JobFailed as failed:
            raise _Unwritten(failed.message) from None
        return outcome.text, outcome.model

    def _report(self, row: Row, job: StoredJob) -> None:
        """What can be told of the time: the writing, and the pictures after it."""
        own, each = self._speeds.get(eta.PROMPT), self._speeds.row_seconds("image", row.model, row.work)
        left = None if own is None or each is None else round(own + each * job.pictures.count, 1)
        progress = Progress(phase="writing", attempt=row.attempt, eta_s=left)
        self._live.put(row.job_id, row.idx, progress)
        self._listener.progressed(row.client, row.job_id, row.idx, progress)


async def _each(
    request: ResolvedRequest, write: Callable[[ResolvedRequest], Awaitable[ResolvedRequest]]
) -> list[ResolvedRequest]:
    """The pictures of a request whose prompts may differ. Of one prompt they all get the same, so that what else they
    differ in can be seen. :raises _Unwritten: :raises Cancelled:"""
    pictures = [request.single(index) for index in range(request.count)]
    first = {one.prompt: one for one in reversed(pictures) if one.expand}
    if len(first) > PROMPTS:
        raise _Unwritten(f"the pictures have more than {PROMPTS} different ones.")
    written: dict[str, ResolvedRequest] = {}
    for prompt, one in reversed(first.items()):
        try:
            written[prompt] = await write(one)
        except _Unwritten as why:
            written[prompt] = _unwritten(one, str(why))
    return [_with_words_of(one, written[one.prompt]) if one.expand else one for one in pictures]


def _with_words_of(request: ResolvedRequest, other: ResolvedRequest) -> ResolvedRequest:
    """``other``: the first picture with the same prompt, once it is written."""
    said = other.notes[-1:] if other.expansion is None else ()
    notes = (*request.notes, *said)
    return request.model_copy(update={"expand": False, "expansion": other.expansion, "notes": notes})


def _unwritten(request: ResolvedRequest, why: str) -> ResolvedRequest:
    said = f"The prompt was not expanded: {why}"
    if request.each:
        pictures = [request.single(index) for index in range(request.count)]
        return joined([_unwritten(one, why) if one.expand else one for one in pictures], request.sweep)
    return request.model_copy(update={"expand": False, "notes": (*request.notes, said)})


def _fits(prompt: str, request: ResolvedRequest) -> bool:
    return max(map(len, styled(Words(prompt, request.negative_prompt), request.styles))) <= STYLED_MAX


def _fewer(there: int, count: int) -> list[str]:
    """What is said where there are fewer prompts than pictures."""
    if there >= count:
        return []
    if there == 1:
        return ["The chat model wrote one prompt, which all pictures have."]
    return [f"The chat model wrote {there} prompts for {count} pictures, so some have the same."]
