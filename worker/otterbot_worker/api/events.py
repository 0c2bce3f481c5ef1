"""The event stream: one per client connection, for all its jobs, beginning with a snapshot.

The backlog of a slow reader is bounded: only the newest state of each job, the newest progress of each picture and the
text so far of each chat are kept. A reader that falls further behind gets a new snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import BaseModel

from ..queue import disk
from ..queue.store import Store
from ..runner.job_view import Views
from ..schemas.jobs import ChatEvent, JobEvent, Pause, PauseEvent, Progress, ProgressEvent, Snapshot

MAX_WAITING = 2_000
MAX_SNAPSHOT = 5_000
KEEP_ALIVE_SECONDS = 15.0
PLACES_SECONDS = 1.0
"""How often a client is told that the places of its queued jobs changed."""
MANY_WAITING = 200
PLACES_SECONDS_MANY = 15.0
"""The same for clients with many queued jobs: computing places takes time, and far back a small change is no news."""

Key = tuple[str, str, int]


@dataclass(eq=False, kw_only=True)
class Subscriber:
    client: str
    token: str = ""
    """``Client.id`` of the token by which it was opened; empty: it needs none."""
    waiting: dict[Key, BaseModel | None] = field(default_factory=dict)
    """In order of arrival; ``None`` stands for a job, which is looked up when its turn comes."""
    restart: bool = True
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def put(self, key: Key, event: BaseModel | None) -> None:
        if self.restart:
            return
        if len(self.waiting) >= MAX_WAITING and key not in self.waiting:
            self.waiting.clear()
            self.restart = True
        else:
            self.waiting[key] = event
        self.wake.set()

    def close(self) -> None:
        self.closed = True
        self.wake.set()


class Hub:
    """The dispatcher's ``Listener``; hands what happens to every stream of the client that it concerns."""

    def __init__(self, pause: Callable[[], Pause]) -> None:
        self._pause = pause
        self._subscribers: set[Subscriber] = set()
        self._moved = asyncio.Event()
        self.changed = asyncio.Event()
        """Set whenever a job has changed."""

    # ------------------------------------------------------------ told by the jobs

    def job_changed(self, client: str, job_id: str) -> None:
        self.changed.set()
        for subscriber in self._of(client):
            # The job event contains all of it, so older events of this job must not follow it.
            for key in [key for key in subscriber.waiting if key[1] == job_id]:
                del subscriber.waiting[key]
            subscriber.put(("job", job_id, 0), None)

    def progressed(self, client: str, job_id: str, index: int, progress: Progress) -> None:
        event = ProgressEvent(job_id=job_id, index=index, progress=progress)
        for subscriber in self._of(client):
            subscriber.put(("progress", job_id, index), event)

    def chat_text(self, client: str, job_id: str, attempt: int, text: str) -> None:
        event = ChatEvent(job_id=job_id, attempt=attempt, text=text)
        for subscriber in self._of(client):
            subscriber.put(("chat", job_id, 0), event)

    def pause_changed(self) -> None:
        event = PauseEvent(pause=self._pause())
        for subscriber in self._subscribers:
            subscriber.put(("pause", "", 0), event)

    def queue_moved(self) -> None:
        self._moved.set()

    # ------------------------------------------------------------ streams

    @property
    def streams(self) -> int:
        return len(self._subscribers)

    def streams_of(self, client: str) -> int:
        return len(self._of(client))

    @contextmanager
    def subscribe(self, client: str, *, token: str = "") -> Iterator[Subscriber]:
        subscriber = Subscriber(client=client, token=token)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def close(self) -> None:
        """Ends every stream."""
        for subscriber in self._subscribers:
            subscriber.close()

    def close_unknown(self, knows: Callable[[str], bool]) -> None:
        """Ends the streams whose token opens nothing any more."""
        for subscriber in self._subscribers:
            if subscriber.token and not knows(subscriber.token):
                subscriber.close()

    async def watch_places(self, views: Views) -> None:
        """Tells clients about queued jobs whose place has changed, without being asked; runs for ever."""
        shown: dict[str, int] = {}
        while True:
            await self._moved.wait()
            await asyncio.sleep(PLACES_SECONDS if len(shown) <= MANY_WAITING else PLACES_SECONDS_MANY)
            self._moved.clear()
            now: dict[str, int] = {}
            for client in {subscriber.client for subscriber in self._subscribers}:
                try:
                    places = await views.places(client)
                except Exception as error:
                    if not disk.passes(error):
                        raise
                    continue  # the next change of the queue reports it
                now |= places
                for job_id in (job_id for job_id, place in places.items() if shown.get(job_id) not in (None, place)):
                    for subscriber in self._of(client):
                        subscriber.put(("job", job_id, 0), None)
            shown = now

    def _of(self, client: str) -> list[Subscriber]:
        return [subscriber for subscriber in self._subscribers if subscriber.client == client]


async def stream(
    subscriber: Subscriber, store: Store, views: Views, pause: Callable[[], Pause]
) -> AsyncGenerator[bytes, None]:
    """The encoded events, beginning with a snapshot, until the reader disconnects."""
    while not subscriber.closed:
        if subscriber.restart:
            # Collect events from here on: those during the reading of the snapshot follow it.
            subscriber.restart = False
            subscriber.waiting.clear()
            stored = await store.jobs(subscriber.client, room=None, only_open=True, limit=MAX_SNAPSHOT)
            yield _event("snapshot", Snapshot(jobs=await views.jobs(stored), pause=pause()))
        elif subscriber.waiting:
            key = next(iter(subscriber.waiting))
            event = subscriber.waiting.pop(key)
            if event is None:
                job = await store.job(key[1], subscriber.client)
                if job is not None:
                    yield _event("job", JobEvent(job=await views.job(job)))
            elif isinstance(event, ProgressEvent):
                # Add the job's ETA here: it includes other pictures, and no other event reports it while the job runs.
                yield _event("progress", event.model_copy(update={"eta_s": await views.eta(event.job_id)}))
            else:
                yield _event(key[0], event)
        else:
            subscriber.wake.clear()
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await subscriber.wake.wait()
            except TimeoutError:
                yield b": keep-alive\n\n"


def _event(name: str, data: BaseModel) -> bytes:
    # JSON has no raw newline, so the data is one line.
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n".encode()
