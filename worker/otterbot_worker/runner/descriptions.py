"""One description of a picture: by a language model that sees, else by the captioner in the GPU process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from ..chat import ChatBackend, description
from ..chat.description import Described
from ..errors import CANNOT_LOOK, Cancelled, CannotLook, JobFailed
from ..gpu import messages
from ..gpu.process import GpuProcess
from ..inputs.files import InputFiles
from ..models.catalogue import Catalogue
from ..queue.disk import forgone, surely
from ..queue.model import Row, StoredJob
from ..schemas import jobs
from ..schemas.draw_files import CaptionerFiles
from ..schemas.jobs import Progress
from . import eta
from .describer import CAPTIONER, MISSING, Describer, find
from .interruptible import Interruptible
from .runner_common import HandBack, Shared, WrongLane
from .taking import Taking
from .unbroken import unbroken

log = logging.getLogger(__name__)

UNREAD_SECONDS = 15.0
"""Before a row is tried again where nobody could say whether there is a captioner."""
NOTHING_SAID = "No description of that picture could be made. Please try again."


class DescriptionRunner:
    def __init__(
        self,
        shared: Shared,
        *,
        backend: ChatBackend | None,
        gpu: GpuProcess,
        inputs: InputFiles,
        catalogue: Catalogue,
    ) -> None:
        self._store = shared.store
        self._card = shared.card
        self._live = shared.live
        self._speeds = shared.speeds
        self._listener = shared.listener
        self._measures = shared.measures
        self._backend = backend
        self._gpu = gpu
        self._inputs = inputs
        self._catalogue = catalogue
        self._answers = Interruptible[Described]("describe")
        self._taking = Taking(shared.card)
        self._blind: set[str] = set()
        """Models that were shown a picture and did not see it; not every server says beforehand which do."""
        self._stopping = False

    async def find(self) -> Describer:
        """Who would describe a picture now. :raises CannotLook:"""
        return await find(self._backend, self._catalogue, self._blind)

    async def would_need_card(self) -> bool:
        """Whether a description that began now would."""
        try:
            return (await self.find()).needs_card
        except CannotLook:
            return True

    async def run(self, row: Row, job: StoredJob, interrupted: Callable[[], bool], *, with_card: bool) -> None:
        """Runs a claimed description to its end; ``with_card``: in the lane that has the card.

        :raises JobFailed: :raises Cancelled: :raises WrongLane: :raises HandBack: :raises ProcessDied:
        """
        if job.content is None or not job.shown:
            raise JobFailed("forgotten", "The picture is not kept any more; please ask again.")
        started = time.monotonic()
        report = self._reporter(row)
        report(Progress(phase="starting"))
        try:
            who = await self.find()
        except CannotLook as error:
            raise HandBack(error.sentence, UNREAD_SECONDS, alone=True) from None
        if who.name is None:
            raise JobFailed("cannot_describe", MISSING)
        if who.needs_card != with_card:
            raise WrongLane
        if interrupted():
            raise Cancelled
        model, said, notes = await self._described(row, job, who, report, interrupted, with_card=with_card)
        result = jobs.Described(
            alt=said.alt,
            prompts=list(said.prompts),
            model=model,
            took=round(time.monotonic() - started, 3),
            notes=notes,
        )
        await unbroken(self._succeed(row, result))

    def stop(self) -> None:
        """The worker ends: an answer that the disk does not take is not waited for."""
        self._stopping = True

    def interrupt(self, row: Row) -> None:
        """Stops a description by a language model, if it runs; the GPU process is told by its owner."""
        self._answers.interrupt(row)

    # ------------------------------------------------------------ who describes

    async def _described(
        self,
        row: Row,
        job: StoredJob,
        who: Describer,
        report: Callable[[Progress], None],
        interrupted: Callable[[], bool],
        *,
        with_card: bool,
    ) -> tuple[str, Described, list[str]]:
        """By which model, what, and what is to be said of that. Where the language model does not see it, the captioner
        is asked; where it fails, too, in the lane that has the card."""
        notes: list[str] = []
        if who.backend is not None and who.model is not None:
            try:
                return who.model, await self._by_chat(row, job, who.backend, who.model, report, with_card), notes
            except JobFailed as failed:
                if failed.code == "chat_blind":
                    self._blind.add(who.model)
                    if who.captioner is None:
                        raise JobFailed("cannot_describe", MISSING) from None
                    if not with_card:
                        raise WrongLane from None
                elif who.captioner is None or not with_card:
                    raise
                else:
                    log.info("the captioner describes a picture, since a chat model could not: %s", failed.code)
                    notes.append(f"{who.model} could not describe it, so the captioner did.")
        assert who.captioner is not None, "one of both describes"
        if interrupted():
            raise Cancelled
        said, more = await self._by_captioner(row, job, who.captioner, report)
        return CAPTIONER, said, [*notes, *more]

    async def _by_chat(
        self,
        row: Row,
        job: StoredJob,
        backend: ChatBackend,
        model: str,
        report: Callable[[Progress], None],
        with_card: bool,
    ) -> Described:
        [image] = await self._inputs.shown(job.client, job.shown)
        if image is None:
            raise _gone()
        loads = with_card and await self._card.for_chat(model)

        def on_phase(phase: str) -> None:
            report(Progress(phase="loading" if phase == "loading" else "describing"))

        answer = await self._answers.run(row, self._asked(backend, model, image, on_phase, load_beside=loads))
        if with_card:
            await self._card.chatted(model)
        return answer

    async def _asked(
        self, backend: ChatBackend, model: str, image: str, on_phase: Callable[[str], None], *, load_beside: bool
    ) -> Described:
        """``load_beside``: the model has to be loaded beside the image model first. :raises JobFailed:"""
        if load_beside:
            await self._card.load_beside(model, on_phase)
        outcome = await backend.chat(
            model, description.question(image), on_text=lambda _: None, on_phase=on_phase, needs_sight=True
        )
        said = description.read(outcome.text)
        if said is None:
            raise JobFailed("describe_failed", NOTHING_SAID, {"model": model})
        return said

    async def _by_captioner(
        self, row: Row, job: StoredJob, files: CaptionerFiles, report: Callable[[Progress], None]
    ) -> tuple[Described, list[str]]:
        path = self._inputs.path(job.client, job.shown[0])
        if not await asyncio.to_thread(path.exists):
            raise _gone()
        await self._taking.take(CAPTIONER)
        task = messages.Describe(task_id=row.task_id, picture=str(path), captioner=files)
        try:
            found = await self._gpu.describe(task, report)
        except JobFailed as error:
            if error.code == CANNOT_LOOK:
                raise HandBack(error.message, UNREAD_SECONDS, alone=True) from None
            raise
        said = description.from_captions(found.captions)
        if said is None:
            raise JobFailed("describe_failed", NOTHING_SAID)
        return said, found.notes

    # ------------------------------------------------------------ afterwards

    async def _succeed(self, row: Row, result: jobs.Described) -> None:
        if not await surely(lambda: self._store.succeed(row, result, None, time.time()), ended=lambda: self._stopping):
            return
        log.info("picture described", extra={"job": row.job_id, "took": result.took, "model": result.model})
        self._measures.finished.labels("describe", "succeeded").inc()
        for name in {eta.turn_name(row.model, "describe"), eta.turn_name(result.model, "describe")}:
            with forgone():
                await self._store.set_speed(name, *self._speeds.add(name, result.took))

    def _reporter(self, row: Row) -> Callable[[Progress], None]:
        expected = self._speeds.get(eta.turn_name(row.model, "describe"))
        at = None if expected is None else time.monotonic() + expected

        def report(progress: Progress) -> None:
            left = None if at is None else round(max(0.0, at - time.monotonic()), 1)
            shown = progress.model_copy(update={"attempt": row.attempt, "eta_s": left})
            self._live.put(row.job_id, row.idx, shown)
            self._listener.progressed(row.client, row.job_id, row.idx, shown)

        return report


def _gone() -> JobFailed:
    return JobFailed("input_gone", "The picture is not on the worker any more; please ask again.")
