"""Whoever reaches the port may open connections; clients get in all the same, and the log stays small."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from core_lab import TOKEN, Api, Here, Process, events, image, settings, until, worker_here

from otterbot_worker.api.connections import (
    ANSWER_SECONDS,
    BODY_SECONDS,
    HEADER_SECONDS,
    IDLE_SECONDS,
    UNREAD_SECONDS,
    Connections,
    Link,
    group_of,
    traffic,
)

MANY = 1_200
SMALL_LOG = 20_000
HALF_A_LINE = b"GET /healthz HT"


@contextmanager
def half_open(address: str, number: int, said: bytes = HALF_A_LINE) -> Iterator[list[socket.socket]]:
    """So many connections, every other one with that in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    place = urlsplit(address)
    try:
        with contextlib.ExitStack() as stack:
            socks = []
            for count in range(number):
                sock = stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=20))
                with contextlib.suppress(ConnectionError):  # it had to make room already
                    sock.sendall(said if count % 2 else b"")
                socks.append(sock)
            yield socks
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def healthy(api: Api) -> bool:
    status, words = await api.call("GET", "/healthz", headers={"Connection": "close"})
    return (status, words) == (200, b"alive\n")


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * MANY, reason="too few files may be open")
async def test_a_thousand_half_open_connections_keep_nobody_out(tmp_path: Path) -> None:
    """With the usual limit of open files, the whole worker, and a stream that was there before."""
    process = Process(tmp_path / "data", under="ulimit -S -n 1024")
    async with process.running() as api, aclosing(events(api)) as stream:
        assert (await anext(stream))[0] == "snapshot"
        with half_open(api.address, MANY):
            assert all([await healthy(api) for _ in range(5)])
            job = await api.submit(image())
            assert (await api.done(job["id"]))["state"] == "succeeded"
            while (told := await anext(stream))[0] != "job" or told[1]["job"]["state"] != "succeeded":
                pass
    assert process.log.stat().st_size < SMALL_LOG


async def test_no_file_handles_left_is_one_line(tmp_path: Path) -> None:
    """So few that accepting fails: the oldest strangers make room, and a client gets in."""
    process = Process(tmp_path / "data", under="ulimit -n 26")
    async with process.running() as api:
        with half_open(api.address, 100):
            assert await healthy(api)
            files = len(os.listdir(f"/proc/{process.pid}/fd"))
            assert files <= 26
    log = process.log.read_text()
    assert "errno=24" in log, "accepting has failed"
    assert "fewer connections than api.max_connections" in log
    assert len(log) < SMALL_LOG
    assert "Traceback" not in log


async def test_handshakes_that_never_end_keep_nobody_out(tmp_path: Path) -> None:
    """With TLS: they are counted before there is anything to read."""
    cert, key = tmp_path / "cert", tmp_path / "key"
    await asyncio.to_thread(
        subprocess.run,
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", str(key), "-out", str(cert), "-subj", "/CN=worker"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    limits = {"max_connections": 16, "max_connections_per_address": 16}
    async with worker_here(settings(tmp_path / "data", api=limits), paused=True, tls=tls) as here:
        with half_open(here.api.address, 60, said=b"\x16\x03\x01"):  # as a handshake begins
            await until(lambda: len(here.connections) == 16)
            status, _ = await here.api.call("GET", "/v1/info", ssl=False)
            assert status == 200
            assert len(here.connections) <= 16
            (known,) = [link for link in here.connections._links if link.known]
            waiting = [link for link in here.connections._links if link is not known]
            assert {link.too_slow(link.since + HEADER_SECONDS + 1) for link in waiting} == {"no request"}


# ---------------------------------------------------------------- who makes room


@contextmanager
def pairs() -> Iterator[Callable[[], socket.socket]]:
    """Makes this end of a connection."""
    with contextlib.ExitStack() as stack:

        def make() -> socket.socket:
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            stack.enter_context(theirs)
            return ours

        yield make


def test_strangers_make_room_before_clients_and_the_oldest_first() -> None:
    with pairs() as make:
        connections = Connections(64, 8)
        links = [connections.admit(make(), "192.0.2.1") for _ in range(8)]
        for link in links[:4]:
            assert link is not None
            link.known = True
        assert connections.admit(make(), "192.0.2.2") is not None, "another address has room of its own"
        assert [closed(link) for link in links] == [False] * 8
        known_idle, known_busy, stranger = links[0], links[1], links[4]
        assert known_idle is not None
        assert known_busy is not None
        known_busy.phase = "working"
        connections.admit(make(), "192.0.2.1")
        assert [closed(link) for link in links] == [link is stranger for link in links]
        for _ in range(3):
            connections.admit(make(), "192.0.2.1")
        assert [closed(link) for link in links] == [False] * 4 + [True] * 4


def test_who_is_at_work_is_never_sent_away() -> None:
    with pairs() as make:
        connections = Connections(8, 8)
        for _ in range(8):
            link = connections.admit(make(), "192.0.2.1")
            assert link is not None
            link.known, link.phase = True, "working"
        newcomer = connections.admit(make(), "192.0.2.2")
        assert newcomer is None
        link.phase = "waiting"
        assert connections.admit(make(), "192.0.2.2") is not None
        assert closed(link)
        assert len(connections) == 8


def closed(link: Link | None) -> bool:
    assert link is not None
    try:
        return link.sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::1", "::1", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (group_of(one) == group_of(other)) is same


# ---------------------------------------------------------------- who is too slow


@pytest_asyncio.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with worker_here(settings(tmp_path), paused=True) as worker:
        yield worker


@asynccontextmanager
async def raw(here: Here, sent: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Link]]:
    """A connection over which that was sent and has arrived."""
    place = urlsplit(here.api.address)
    before = set(here.connections._links)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(sent)
        await until(lambda: len(set(here.connections._links) - before) == 1)
        (link,) = set(here.connections._links) - before
        await until(lambda: (traffic(link.sock) or (0, 0))[1] >= len(sent))
        yield reader, writer, link
    finally:
        writer.close()


def request(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {TOKEN}", *headers, "", ""]
    return "\r\n".join(lines).encode()


async def test_a_request_that_never_comes_is_given_up(here: Here) -> None:
    for sent in (b"", HALF_A_LINE, b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-"):
        async with raw(here, sent) as (_, _, link):
            assert link.too_slow(link.since + HEADER_SECONDS - 1) is None
            assert link.too_slow(link.since + HEADER_SECONDS + 1) == "no request"


async def test_a_second_request_has_as_long_as_the_first(here: Here) -> None:
    async with raw(here, request("GET", "/v1/info")) as (reader, writer, link):
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: link.phase == "waiting" and link.served)
        assert link.known
        assert link.too_slow(link.since + IDLE_SECONDS - 1) is None
        assert link.too_slow(link.since + IDLE_SECONDS + 1) == "idle"
        came = (traffic(link.sock) or (0, 0))[1]
        writer.write(HALF_A_LINE)
        await until(lambda: (traffic(link.sock) or (0, 0))[1] > came)
        begun = link.since + 30
        assert link.too_slow(begun) is None
        assert link.too_slow(begun + HEADER_SECONDS - 1) is None
        assert link.too_slow(begun + HEADER_SECONDS + 1) == "slow request"


async def test_a_body_at_a_crawl_is_given_up(here: Here) -> None:
    head = request("POST", "/v1/jobs", "Content-Type: application/json", "Content-Length: 100000")
    async with raw(here, head + b"{" * 10_000) as (_, _, link):
        await until(lambda: link.phase == "working")
        assert link.busy
        assert link.too_slow(link.since + BODY_SECONDS - 1) is None
        assert link.too_slow(link.since + BODY_SECONDS + 30) == "slow body"


async def test_an_answer_that_nobody_reads_is_given_up(here: Here) -> None:
    """Without a token: more answers than all buffers hold. The stranger makes room like any other meanwhile."""
    one = b"GET /nothing HTTP/1.1\r\nHost: here\r\n\r\n"
    place = urlsplit(here.api.address)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        before = set(here.connections._links)
        await loop.sock_connect(sock, (place.hostname, place.port))
        await until(lambda: len(set(here.connections._links) - before) == 1)
        (link,) = set(here.connections._links) - before
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while link.phase != "answering":
                    with contextlib.suppress(BlockingIOError):
                        sock.send(one * 1_000)
                    await asyncio.sleep(0)
        await until(lambda: link.phase == "answering")
        assert not link.busy
        now = link.since
        assert link.too_slow(now) is None
        assert link.too_slow(now + UNREAD_SECONDS + 1) in ("unread", "slow answer")
        assert link.too_slow(now + ANSWER_SECONDS + 10_000) is not None


async def test_work_that_takes_long_is_no_slow_client(here: Here) -> None:
    async with raw(here, request("GET", "/v1/events")) as (reader, _, link):
        await reader.readuntil(b"snapshot")
        await until(lambda: not link.too_slow(link.since + 10_000))
        assert link.busy
        here.parts.hub.close()


async def test_what_is_too_slow_is_closed(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterbot_worker.api.connections.HEADER_SECONDS", 0.0)
    async with raw(here, HALF_A_LINE) as (reader, _, link):
        assert await reader.read() == b""
        assert link not in here.connections._links
    status, _ = await here.api.call("GET", "/v1/info")
    assert status == 200


# ---------------------------------------------------------------- each client for itself


async def test_one_clients_streams_are_not_anothers(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, api={"max_streams": 1}), paused=True) as here:
        async with aclosing(events(here.api)) as stream, aclosing(events(here.other)) as others:
            assert (await anext(stream))[0] == (await anext(others))[0] == "snapshot"
            for api in (here.api, here.other):
                status, problem = await api.call("GET", "/v1/events")
                assert (status, problem["code"]) == (429, "too_many_streams")


async def test_one_clients_jobs_are_not_anothers(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, queue={"max_open": 2}), paused=True) as here:
        await here.api.submit(image(count=2))
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00002", owner="@bob:here"))
        assert (status, problem["code"]) == (429, "queue_full")
        await here.other.submit(image(count=2))
