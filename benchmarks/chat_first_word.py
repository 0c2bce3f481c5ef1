"""From a language model's first word to that word in the room. Goal: median <= 0.4 s.

    scripts/setup --dev && PYTHONPATH=tests .venvs/test/bin/python benchmarks/chat_first_word.py [--answers 12]

A real Synapse, Maubot, worker and an independent client, all on this machine, and a small server that speaks OpenAI's
language: after 1.5 seconds it writes a word, then forty more in a second, for three seconds. The clock runs from when
it has written its first word until the client's sync brings a message of the bot's, or an edit, with that word. Plain
and encrypted room in turn. Also counted: the events that one answer takes (``--words 1000``: one of 1,000 tokens).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from lab import Ev, Lab
from lab.places import memory_folder

FIRST, WORD = "Otters", " hold"


class Server:
    """``POST /v1/chat/completions``; ``wrote`` is when the latest answer's first word was written (monotonic)."""

    def __init__(self, words: int) -> None:
        self.words, self.wrote, self.port = words, 0.0, 0

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes([web.get("/v1/models", self._models), web.post("/v1/chat/completions", self._answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "tiny", "object": "model"}]})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await request.json()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(1.5)
        for number in range(self.words):
            await self._say(response, {"content": WORD if number else FIRST}, None)
            if not number:
                self.wrote = time.monotonic()
            await asyncio.sleep(0.025)
        await self._say(response, {}, "stop")
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _say(self, response: web.StreamResponse, delta: dict[str, Any], finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        await response.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")


async def once(lab: Lab, room: str, server: Server) -> tuple[float, int]:
    """Seconds from the first word to the room, and the answer's events."""
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!chat why?")

    def says(event: Ev) -> bool:
        own = event.sender == lab.bot and event.room_id == room and event.type == "m.room.message"
        return own and FIRST in str(event.new_content.get("body"))

    seen = await lab.user.wait_for(says, mark, 60)
    later = seen.seen - server.wrote
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 120)
    own = [event for event in lab.user.events[mark:] if event.sender == lab.bot and event.type == "m.room.message"]
    return later, len(own)


async def measure(folder: Path, answers: int, words: int) -> None:
    server = Server(words)
    runner = await server.start()
    chat = {"backend": "openai", "url": f"http://127.0.0.1:{server.port}/v1"}
    try:
        async with Lab(folder / "lab", proxies=False, worker_config={"chat": chat}) as lab:
            rooms = {"plain": await lab.room(), "encrypted": await lab.room(encrypted=True)}
            later: dict[str, list[float]] = {kind: [] for kind in rooms}
            events: list[int] = []
            for number in range(answers + 2):
                for kind, room in rooms.items():
                    seconds, count = await once(lab, room, server)
                    if number >= 2:  # until it is known how a model's answers begin, they come in one piece
                        later[kind].append(seconds)
                        events.append(count)
    finally:
        await runner.cleanup()
    for kind, seconds in later.items():
        middle, most = statistics.median(seconds), max(seconds)
        print(f"{kind:9} first word → room {middle:.3f} s (most {most:.3f}), n = {len(seconds)}")
    together = statistics.median([*later["plain"], *later["encrypted"]])
    print(f"median of both {together:.3f} s; goal 0.4 s: {'reached' if together <= 0.4 else 'missed'}")
    print(f"events of an answer of {words} words: {statistics.median(events):g}, most {max(events)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=12, help="for each kind of room (at least 2)")
    parser.add_argument("--words", type=int, default=120, help="of an answer")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="otterbot-first-word-", dir=memory_folder()))
    try:
        asyncio.run(measure(folder, max(2, options.answers), options.words))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
