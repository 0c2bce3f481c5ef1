"""A GPU process without torch: the real protocol and lock, and pictures whose colour is their seed.

Words in the prompt make it misbehave: ``die:NAME:N`` kills it at the second step the first N times it is asked
(counted in files beside its lock; a file ``cuda`` there makes it say that it has a card, and it leaves a file
``released`` when it was asked to free it; with a file ``slow-start`` it never gets ready), ``fail`` fails (``failodd``
only with an odd seed), ``unsafe`` does where the safety checker has to look, ``hang`` stops moving, ``slow`` takes a
tenth of a second a step, ``slowload`` never has its model. Where there is a `card_file`, ``ranout`` runs out of memory,
and ``breaks`` dies, if a language model is on the card as well.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import queue
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from card_file import CardFile
from PIL import Image

from otterbot_worker.errors import CROWDED
from otterbot_worker.gpu import messages
from otterbot_worker.gpu.card_lock import CardBusy, CardLock
from otterbot_worker.memory.oom_history import OutOfMemory
from otterbot_worker.memory.peaks import Peak

MEMORY = messages.Memory(total_bytes=8_000, free_bytes=7_000)


class Child:
    def __init__(self, connection: socket.socket, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.inbox: queue.SimpleQueue[messages.ToChild] = queue.SimpleQueue()
        self.cancelled: set[str] = set()
        self.card = CardFile(folder) if (folder / "card").exists() else None
        self.resident: str | None = None

    @property
    def memory(self) -> messages.Memory:
        if self.card is None:
            return MEMORY
        free = self.card.available() - self.card.held
        return messages.Memory(total_bytes=self.card.total, free_bytes=free, held_bytes=self.card.held)

    def send(self, message: messages.ToParent) -> None:
        self.connection.sendall(messages.encode(message))

    def read(self) -> None:
        with self.connection.makefile("rb") as lines:
            for line in lines:
                message = messages.for_child(line)
                if isinstance(message, messages.Cancel):
                    self.cancelled.add(message.task_id)
                elif isinstance(message, messages.Stop):
                    os._exit(0)  # in the middle of whatever, as the real one
                else:
                    self.inbox.put(message)
        os._exit(0)

    def run(self) -> None:
        threading.Thread(target=self.read, daemon=True).start()
        device = "cuda:0" if (self.folder / "cuda").exists() else "cpu"
        self.send(messages.Hello(device=device, name="double", memory=self.memory))
        while True:
            message = self.inbox.get()
            if isinstance(message, messages.Release):
                (self.folder / "released").touch()
                self.resident = None
                if self.card is not None:
                    self.card.hold(0)
                self.send(messages.Released(memory=self.memory))
            elif isinstance(message, messages.Trim):
                if self.card is not None:
                    self.card.hold(self.card.weights if self.resident else 0)
                self.send(messages.Trimmed(memory=self.memory, resident=self.resident))
            elif isinstance(message, messages.Draw):
                self.draw(message)
            elif isinstance(message, messages.Describe):
                self.describe(message)

    def describe(self, task: messages.Describe) -> None:
        """In three lines, the size of the picture among them; a file ``slow-captioner`` makes it wait to be cancelled,
        ``dumb-captioner`` makes it say nothing."""
        self.send(messages.Progress(task_id=task.task_id, phase="describing", step=0, steps=3))
        while (self.folder / "slow-captioner").exists():
            time.sleep(0.01)
            if task.task_id in self.cancelled:
                self.send(messages.Cancelled(task_id=task.task_id, memory=MEMORY, resident=None))
                return
            self.send(messages.Beat(task_id=task.task_id))
        size = Path(task.picture).stat().st_size
        said = ["an otter", f"an otter in a hat, of {size} bytes", "an otter in a hat stands on a meadow"]
        captions = ["", " ", "…"] if (self.folder / "dumb-captioner").exists() else said
        self.send(
            messages.Described(task_id=task.task_id, captions=captions, seconds=0.01, memory=MEMORY, resident=None)
        )

    def draw(self, task: messages.Draw) -> None:
        started = time.monotonic()
        if self.card is not None and task.beside and not self.card.fits():
            return self.crowded(task, spent=False)
        self.send(messages.Progress(task_id=task.task_id, phase="loading"))
        load_seconds = 0.0 if self.resident == task.model else 0.01
        self.resident = task.model
        if self.card is not None:
            self.card.hold(self.card.weights)
        time.sleep(3_600 if "slowload" in task.prompt else 0)
        self.send(messages.Progress(task_id=task.task_id, phase="denoising", steps=task.steps))
        for step in range(1, task.steps + 1):
            if task.task_id in self.cancelled:
                self.send(messages.Cancelled(task_id=task.task_id, memory=self.memory, resident=task.model))
                return None
            time.sleep(0.1 if "slow" in task.prompt else 0.002)
            self.send(messages.Progress(task_id=task.task_id, phase="denoising", step=step, steps=task.steps))
            if task.preview or task.film:
                self.send(self.preview(task, step))
            if step == 2:
                self.misbehave(task)
                if "ranout" in task.prompt and task.beside:
                    return self.crowded(task, spent=True)
                if self.fails(task) or self.unsafe(task):
                    return None
        pixels = bytes([task.seed % 256, 0, task.seed // 256 % 256]) * task.width * task.height
        try:
            task.output.write_bytes(pixels)
        except OSError as error:
            return self.fail(task, "image_failed", errno=error.errno)
        peak = self.peak()
        self.send(
            messages.Drawn(
                task_id=task.task_id, width=task.width, height=task.height, seconds=time.monotonic() - started,
                pipeline_seconds=time.monotonic() - started, load_seconds=load_seconds, model_hash="0" * 10,
                memory=self.memory, resident=task.model, peak=peak, versions={"double": "1"}, **self.plan(task),
                control=self.controlnet(task), alt="an otter, @room --steps 9" if task.captioner is not None else "",
                guidance_rescale=0.7 if "velocity" in task.prompt else None,
            )
        )  # fmt: skip
        return None

    def preview(self, task: messages.Draw, step: int) -> messages.Preview:
        """Text, unless a film is to be made of it: then a grey JPEG, lighter with each step; ``torn`` makes it half."""
        picture = b"behind step %d" % step
        if task.film:
            file = io.BytesIO()
            Image.new("L", (16, 16), min(255, 40 * step)).convert("RGB").save(file, "JPEG")
            picture = file.getvalue()[:200] if "torn" in task.prompt else file.getvalue()
        jpeg = base64.b64encode(picture).decode()
        return messages.Preview(task_id=task.task_id, jpeg=jpeg, frame=step if task.film else 0)

    def peak(self) -> Peak | None:
        """As it draws, it keeps what it computed with."""
        if self.card is None:
            return None
        took = self.card.weights + self.card.peak
        self.card.hold(took)
        return Peak(plan="resident", card=took, measured=took)

    def crowded(self, task: messages.Draw, *, spent: bool) -> None:
        assert self.card is not None
        if spent:
            self.resident = None
            self.card.hold(0)
        need = self.card.weights + self.card.peak
        self.fail(task, CROWDED, spent=spent, needed=need, free=self.card.available())

    def controlnet(self, task: messages.Draw) -> messages.UsedControlNet | None:
        return None if task.control is None else messages.UsedControlNet(name=task.control.name, hash="0" * 16)

    def plan(self, task: messages.Draw) -> dict[str, Any]:
        """Everything on the card fits, but where it is tight and nobody has told it so."""
        if "tight" not in task.prompt:
            return {"plan": "resident"}
        return {"plan": "tiled", "ooms": [] if task.oom_history else self.ooms()}

    def ooms(self) -> list[OutOfMemory]:
        return [OutOfMemory(plan="resident", card=5_000_000_000, available=5_100_000_000)]

    def misbehave(self, task: messages.Draw) -> None:
        if (wish := re.search(r"die:(\w+):(\d+)", task.prompt)) is not None:
            deaths = self.folder / f"deaths-{wish[1]}"
            count = len(deaths.read_text()) if deaths.exists() else 0
            if count < int(wish[2]):
                deaths.write_text("x" * (count + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        if "breaks" in task.prompt and task.beside:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in task.prompt:
            time.sleep(3_600)
        if self.fails(task):
            self.fail(task, "nan", ooms=self.ooms() if "tight" in task.prompt else [])
        if self.unsafe(task):
            self.fail(task, "unsafe")

    def fails(self, task: messages.Draw) -> bool:
        return "fail" in task.prompt and ("failodd" not in task.prompt or task.seed % 2 == 1)

    def unsafe(self, task: messages.Draw) -> bool:
        return task.checker is not None and "unsafe" in task.prompt

    def fail(self, task: messages.Draw, code: str, *, ooms: Sequence[OutOfMemory] = (), **details: int | None) -> None:
        self.send(
            messages.Failed(
                task_id=task.task_id, code=code, message="The picture came out empty.", memory=self.memory,
                resident=self.resident if code == CROWDED else None, details=details, ooms=list(ooms),
            )
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--lock", "--device", "--parent", "--threads"):
        parser.add_argument(name)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--lock-timeout", type=float)
    parser.add_argument("--reserve-mb", type=int)
    parser.add_argument("--ram-reserve-mb", type=int)
    parser.add_argument("--downloads", action="store_true")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = Path(asked.lock)
    if (lock.parent / "broken").exists():
        sys.exit(messages.EXIT_NO_ENGINE)
    time.sleep(3_600 if (lock.parent / "slow-start").exists() else 0)
    try:
        CardLock(lock).acquire(asked.lock_timeout)
    except CardBusy:
        sys.exit(messages.EXIT_CARD_BUSY)
    with socket.socket(fileno=asked.fd) as connection:
        Child(connection, lock.parent).run()


if __name__ == "__main__":
    main()
