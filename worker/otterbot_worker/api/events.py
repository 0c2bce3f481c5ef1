"""The event stream: one per client connection, for all its jobs, beginning with a snapshot.

The backlog of a slow reader is bounded: only the newest state of each job, the newest progress of each picture and the
text so far of each chat are kept. A reader that falls further behind gets a new snapshot.

What several streams of a client are told is looked up and encoded once, by the first that sends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import BaseModel

from ..queue import disk
from ..queue.store import Store
from ..runner.job_view import Views
from ..schemas.jobs import ChatEvent, JobEvent, Pause, PauseEvent, Progress, ProgressEvent, Snapshot

MAX_WAITING = 2_000
MAX_SNAPSHOT = 5_000
SLICE_BYTES = 32_768
"""Written at a time: what a slow reader has not taken is copied, and of a snapshot that may be megabytes."""
KEEP_ALIVE_SECONDS = 15.0
PLACES_SECONDS = 1.0
"""How often a client is told that the places of its queued jobs changed."""
MANY_WAITING = 200
PLACES_SECONDS_MANY = 15.0
"""The same for clients with many queued jobs: computing places takes time, and far back a small change is no news."""

Key = tuple[str, str, int]


class Piece:
    """One event for all streams of a client."""

    def __init__(self, event: BaseModel | None = None) -> None:
        """``None``: it is looked up when the first stream sends it, so that it is the newest."""
        self.event = event
        self._encoded: bytes | None = None
        self._lock = asyncio.Lock()

    async def encoded(self, encode: Callable[[], Awaitable[bytes]]) -> bytes:
        """What ``encode`` gives, which is called once. Where it fails, or its caller is cancelled, the next one calls
        its own."""
        async with self._lock:
            if self._encoded is None:
                self._encoded = await encode()
            return self._encoded


@dataclass(eq=False, kw_only=True)
class Audience:
    """The streams of one client."""

    subscribers: set[Subscriber] = field(default_factory=set)
    snapshot: Piece = field(default_factory=Piece)
    """For streams that begin now: replaced with every event, so that it never misses one which they do not get."""

    def tell(self, key: Key, piece: Piece) -> None:
        self.snapshot = Piece()
        for subscriber in self.subscribers:
            subscriber.put(key, piece)


@dataclass(eq=False, kw_only=True)
class Subscriber:
    client: str
    audience: Audience
    token: str = ""
    """``Client.id`` of the token by which it was opened; empty: it needs none."""
    waiting: dict[Key, Piece] = field(default_factory=dict)
    """In order of arrival."""
    restart: bool = True
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def put(self, key: Key, piece: Piece) -> None:
        if self.restart:
            return
        if len(self.waiting) >= MAX_WAITING and key not in self.waiting:
            self.waiting.clear()
            self.restart = True
        else:
            self.waiting[key] = piece
        self.wake.set()

    def close(self) -> None:
        self.closed = True
        self.wake.set()


@dataclass(eq=False, kw_only=True)
class Watch:
    """One job, for a request that waits for it: what has happened since it last looked."""

    changed: bool = True
    """To be looked up: at first it may have changed before anybody watched."""
    progress: dict[int, Progress] = field(default_factory=dict)
    """The newest of each of its pictures."""
    said: ChatEvent | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    """The worker ends."""


class Hub:
    """The dispatcher's ``Listener``; hands what happens to every stream of the client that it concerns."""

    def __init__(self, pause: Callable[[], Pause]) -> None:
        self._pause = pause
        self._audiences: dict[str, Audience] = {}
        self._watches: dict[str, set[Watch]] = {}
        """By job."""
        self._moved = asyncio.Event()
        self._closed = False
        self.changed = asyncio.Event()
        """Set whenever a job has changed."""

    # ------------------------------------------------------------ told by the jobs

    def job_changed(self, client: str, job_id: str) -> None:
        self.changed.set()
        for watch in self._watches.get(job_id, ()):
            watch.changed = True
            watch.wake.set()
        if (audience := self._audiences.get(client)) is None:
            return
        for subscriber in audience.subscribers:
            # The job event contains all of it, so older events of this job must not follow it.
            for key in [key for key in subscriber.waiting if key[1] == job_id]:
                del subscriber.waiting[key]
        audience.tell(("job", job_id, 0), Piece())

    def progressed(self, client: str, job_id: str, index: int, progress: Progress) -> None:
        for watch in self._watches.get(job_id, ()):
            watch.progress[index] = progress
            watch.wake.set()
        self._tell(client, ("progress", job_id, index), ProgressEvent(job_id=job_id, index=index, progress=progress))

    def chat_text(self, client: str, job_id: str, attempt: int, text: str) -> None:
        event = ChatEvent(job_id=job_id, attempt=attempt, text=text)
        for watch in self._watches.get(job_id, ()):
            watch.said = event
            watch.wake.set()
        self._tell(client, ("chat", job_id, 0), event)

    def pause_changed(self) -> None:
        piece = Piece(PauseEvent(pause=self._pause()))
        for audience in self._audiences.values():
            audience.tell(("pause", "", 0), piece)

    def queue_moved(self) -> None:
        self._moved.set()

    # ------------------------------------------------------------ streams

    @property
    def streams(self) -> int:
        return sum(len(audience.subscribers) for audience in self._audiences.values())

    def streams_of(self, client: str) -> int:
        audience = self._audiences.get(client)
        return len(audience.subscribers) if audience is not None else 0

    @contextmanager
    def subscribe(self, client: str, *, token: str = "") -> Iterator[Subscriber]:
        audience = self._audiences.setdefault(client, Audience())
        subscriber = Subscriber(client=client, audience=audience, token=token)
        audience.subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            audience.subscribers.discard(subscriber)
            if not audience.subscribers:
                self._audiences.pop(client, None)

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """For who waits for one job, which is no stream of its client's."""
        watch = Watch(closed=self._closed)
        self._watches.setdefault(job_id, set()).add(watch)
        try:
            yield watch
        finally:
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]

    def close(self) -> None:
        """Ends every stream, and all waiting for single jobs."""
        self._closed = True
        for watch in (watch for watches in self._watches.values() for watch in watches):
            watch.closed = True
            watch.wake.set()
        for subscriber in self._subscribers():
            subscriber.close()

    def close_unknown(self, knows: Callable[[str], bool]) -> None:
        """Ends the streams whose token opens nothing any more."""
        for subscriber in self._subscribers():
            if subscriber.token and not knows(subscriber.token):
                subscriber.close()

    def _subscribers(self) -> list[Subscriber]:
        return [subscriber for audience in self._audiences.values() for subscriber in audience.subscribers]

    async def watch_places(self, views: Views) -> None:
        """Tells clients about queued jobs whose place has changed, without being asked; runs for ever."""
        shown: dict[str, int] = {}
        while True:
            await self._moved.wait()
            await asyncio.sleep(PLACES_SECONDS if len(shown) <= MANY_WAITING else PLACES_SECONDS_MANY)
            self._moved.clear()
            now: dict[str, int] = {}
            for client in list(self._audiences):
                try:
                    places = await views.places(client)
                except Exception as error:
                    if not disk.passes(error):
                        raise
                    continue  # the next change of the queue reports it
                now |= places
                for job_id in (job_id for job_id, place in places.items() if shown.get(job_id) not in (None, place)):
                    self._tell(client, ("job", job_id, 0), None)
            shown = now

    def _tell(self, client: str, key: Key, event: BaseModel | None) -> None:
        if (audience := self._audiences.get(client)) is not None:
            audience.tell(key, Piece(event))


async def stream(
    subscriber: Subscriber, store: Store, views: Views, pause: Callable[[], Pause]
) -> AsyncGenerator[bytes, None]:
    """The encoded events in slices, beginning with a snapshot, until the reader disconnects."""

    async def snapshot() -> bytes:
        stored = await store.jobs(subscriber.client, room=None, only_open=True, limit=MAX_SNAPSHOT)
        jobs = [job.model_dump_json() async for job in views.each(stored)]
        frame = Snapshot(jobs=[], pause=pause()).model_dump_json()
        # Built of texts: thousands of jobs as models take many times the memory of what is sent.
        return _event("snapshot", frame.replace('"jobs":[]', f'"jobs":[{",".join(jobs)}]', 1))

    while not subscriber.closed:
        if subscriber.restart:
            # Collect events from here on: those during the reading of the snapshot follow it.
            subscriber.restart = False
            subscriber.waiting.clear()
            data = await subscriber.audience.snapshot.encoded(snapshot)
            # Streams that begin together have it together; afterwards it would lie in memory for nothing.
            subscriber.audience.snapshot = Piece()
        elif subscriber.waiting:
            key = next(iter(subscriber.waiting))
            piece = subscriber.waiting.pop(key)
            data = await piece.encoded(lambda: _encode(key, piece.event, subscriber.client, store, views))  # noqa: B023
        else:
            subscriber.wake.clear()
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await subscriber.wake.wait()
            except TimeoutError:
                yield b": keep-alive\n\n"
            continue
        for part in _slices(data, subscriber):
            yield part


def _slices(data: bytes, subscriber: Subscriber) -> Iterator[bytes]:
    """Until it is closed: a slow reader may take its time."""
    for start in range(0, len(data), SLICE_BYTES):
        if subscriber.closed:
            return
        yield data[start : start + SLICE_BYTES]


async def _encode(key: Key, event: BaseModel | None, client: str, store: Store, views: Views) -> bytes:
    """Nothing where the job is not there any more."""
    if event is None:
        job = await store.job(key[1], client)
        return b"" if job is None else _event("job", JobEvent(job=await views.job(job)).model_dump_json())
    if isinstance(event, ProgressEvent):
        # Add the job's ETA here: it includes other pictures, and no other event reports it while the job runs.
        event = event.model_copy(update={"eta_s": await views.eta(event.job_id)})
    return _event(key[0], event.model_dump_json())


def _event(name: str, data: str) -> bytes:
    # JSON has no raw newline, so the data is one line.
    return f"event: {name}\ndata: {data}\n\n".encode()
