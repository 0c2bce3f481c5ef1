"""Relays between a handle of the worker and the GPU process of another machine: ``python -m
otterbot_worker.cluster.relay``, started by ``cluster.process`` alone. One for each lane.

To the worker it is a GPU process. It makes the actor, and ends when the actor, its machine or the cluster is gone; its
exit code says which (``exits``). An actor ends with the driver that made it, and that is this process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from .. import privacy
from ..errors import CANNOT_LOOK
from ..gpu import messages
from ..parent_death import die_with
from . import exits, rays, travel
from .actor import LaneActor
from .wire import CONNECT_SECONDS, PIECE, Batch, Seating

POLL_SECONDS = 1.0
"""How long an actor waits for something to say: an empty answer is its heartbeat."""
AT_ONCE = 4
"""Calls of an actor that run beside each other: it is asked for news, a cancel comes, a file comes, it is stopped."""
STOP_SECONDS = 2.0


class Relay:
    def __init__(self, sock: socket.socket, actor: Any, watchdog: rays.Watchdog, heartbeat: float) -> None:
        self._sock = sock
        self._actor = actor
        self._watchdog = watchdog
        self._heartbeat = heartbeat
        self._outputs: dict[str, Path] = {}
        """Where the pixels of a task go."""
        self._uploaded: set[str] = set()
        """Files that the actor has, as far as is known here."""

    async def run(self) -> NoReturn:
        """:raises Exception: whatever Ray raises when the actor is gone"""
        reader, writer = await asyncio.open_connection(sock=self._sock, limit=messages.LINE_LIMIT)
        both = [asyncio.create_task(self._down(reader, writer)), asyncio.create_task(self._up(writer))]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
            raise AssertionError("neither direction ends without an error")
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            writer.close()

    # ------------------------------------------------------------ to the worker

    async def _up(self, writer: asyncio.StreamWriter) -> NoReturn:
        while True:
            batch: Batch = await self._actor.take.remote(POLL_SECONDS)
            self._watchdog.beat(self._heartbeat)
            for line in batch.lines:
                writer.write(await self._line(line, batch.pixels))
            await writer.drain()
            if batch.end is not None:
                sys.stderr.flush()
                os._exit(exits.code(batch.end.returncode, batch.end.reason))

    async def _line(self, line: bytes, pixels: bytes | None) -> bytes:
        """The line for the worker, once the pixels that it speaks of lie where it wants them."""
        if pixels is None:
            return line
        message = messages.for_parent(line)
        if not isinstance(message, messages.Drawn):
            return line
        try:
            output = self._outputs.pop(message.task_id)
            await asyncio.to_thread(output.write_bytes, pixels)
        except OSError as error:
            sentence, told = "The drawn picture could not be written to the disk.", {"errno": error.errno}
            return messages.encode(_failed(message, "image_failed", sentence).model_copy(update={"details": told}))
        return line

    # ------------------------------------------------------------ from the worker

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> NoReturn:
        while line := await reader.readline():
            message = messages.for_child(line)
            if isinstance(message, messages.Stop):
                break
            if isinstance(message, messages.Draw):
                await self._draw(message, writer)
            else:
                await self._actor.send.remote(line)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._actor.stop.remote()
        finally:
            os._exit(0)

    async def _draw(self, task: messages.Draw, writer: asyncio.StreamWriter) -> None:
        packed, sent = travel.packed(task)
        self._outputs = {task.task_id: task.output}
        line = messages.encode(packed)
        names = [name for name in sent if name.startswith(travel.INPUT) or name not in self._uploaded]
        try:
            while True:
                for name in names:
                    await self._upload(name, sent[name])
                if not (names := await self._actor.send.remote(line)):
                    return
        except OSError as error:
            sentence = f"A file of this picture could not be read: {error.strerror or type(error).__name__}."
            memory = messages.Memory()
            failed = messages.Failed(
                task_id=task.task_id, code=CANNOT_LOOK, message=sentence, memory=memory, resident=None
            )
            writer.write(messages.encode(failed))

    async def _upload(self, name: str, path: Path) -> None:
        """:raises OSError: the file cannot be read here"""
        with path.open("rb") as file:
            piece, first = await asyncio.to_thread(file.read, PIECE), True
            while piece or first:
                await self._actor.put.remote(name, piece, first)
                piece, first = await asyncio.to_thread(file.read, PIECE), False
        self._uploaded.add(name)


def _failed(message: messages.Drawn, code: str, sentence: str) -> messages.Failed:
    return messages.Failed(
        task_id=message.task_id, code=code, message=sentence, memory=message.memory, resident=message.resident
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="otterbot_worker.cluster.relay")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--resource", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--lanes", type=int, required=True)
    parser.add_argument("--heartbeat", type=float, required=True)
    asked = parser.parse_args()
    privacy.keep_to_ourselves()
    die_with(asked.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watchdog = rays.Watchdog(exits.EXIT_NODE_LOST, CONNECT_SECONDS)
    try:
        ray = rays.connect(asked.address, asked.namespace)
        actor = _actor(ray, asked)
        ray.get(actor.pid.remote())
        watchdog.beat(asked.heartbeat)
        asyncio.run(Relay(socket.socket(fileno=asked.fd), actor, watchdog, asked.heartbeat).run())
    except Exception as error:
        # The type alone: Ray's messages are pages long, and no picture may be quoted.
        print(f"the lane is gone: {type(error).__name__}", file=sys.stderr, flush=True)
        os._exit(exits.EXIT_NODE_LOST)


def _actor(ray: Any, asked: argparse.Namespace) -> Any:
    """On that machine and no other. Never restarted, and no call repeated: the worker's own attempts decide."""
    wanted: dict[str, Any] = {"num_gpus": 1} if asked.gpu else {}
    if asked.resource != rays.GPU:
        wanted["resources"] = {asked.resource: 1}
    options = ray.remote(LaneActor).options(
        num_cpus=0,
        max_restarts=0,
        max_task_retries=0,
        max_concurrency=AT_ONCE,
        scheduling_strategy=rays.on_node(asked.node),
        **wanted,
    )
    return options.remote(Seating(number=asked.number, lanes=asked.lanes, gpu=asked.gpu, lease=3 * asked.heartbeat))


if __name__ == "__main__":
    main()
