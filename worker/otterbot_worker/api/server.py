"""One worker process: opens its parts, serves the API, ends cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import ssl
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from .. import privacy
from ..config import BadConfig, Config
from . import auth
from .app import create_app
from .connections import IDLE_SECONDS, Connections
from .door import Door
from .mounts import Mount
from .parts import PARTS
from .protocol import Runner, Server

log = logging.getLogger(__name__)

EXIT_BROKEN = 70
"""A background loop died; whatever keeps the worker running may start it again."""
STREAMS_SECONDS = 2.0
MOST_FILES = 65_536
FILES_OF_OURS = 256
"""File handles for pictures, the database, pipes and outgoing connections; the rest of the limit is for clients'
connections."""


def runner_of(app: web.Application, *, shutdown_timeout: float = STREAMS_SECONDS) -> Runner:
    return Runner(
        app,
        access_log=None,
        shutdown_timeout=shutdown_timeout,
        keepalive_timeout=IDLE_SECONDS,
        auto_decompress=False,  # decompression would fail, or explode, before a handler can refuse it
    )


async def serve(config: Config, mounts: Sequence[Mount] = ()) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code. ``mounts``: what is served beside the API.

    :raises BadConfig: :raises BadToken: :raises AlreadyRunning: :raises NewerDatabase: :raises OSError: the address
    """
    tls = _tls(config)
    _warn(config)
    tokens = auth.load_tokens({client: config.token_file(client) for client in config.api.clients})
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    connections = Connections(_room_for(config.api.max_connections), config.api.max_connections_per_address)
    app = create_app(config, tokens, mounts)
    runner = runner_of(app)
    await runner.setup()
    assert isinstance(runner.server, Server)
    door = Door(connections, runner.server, tls=tls)
    try:
        address = _address(config, *await door.open(config.api.host, config.api.port))
        app[PARTS].background.start(door.run(), "door", ends=True)
        _write_listen_file(config.listen_file, address)
        log.info("listening on %s", address)
        if tls is None and not config.api.loopback:
            log.warning("without TLS, tokens and pictures can be read on the network; see api.tls_cert, or use a VPN")
        if (notice := app[PARTS].notice) is not None:
            log.warning("%s", notice)
        return await _until_end(stop, app[PARTS].background.broken)
    finally:
        config.listen_file.unlink(missing_ok=True)
        await door.close()
        await runner.cleanup()
        log.info("stopped")


async def _until_end(stop: asyncio.Event, broken: asyncio.Future[BaseException]) -> int:
    # A broken loop and a signal both end the same wait.
    broken.add_done_callback(lambda _: stop.set())
    await stop.wait()
    if broken.done():
        log.critical("the worker ends because a part of it died", exc_info=broken.result())
        return EXIT_BROKEN
    log.info("stopping")
    return 0


def _warn(config: Config) -> None:
    """What an operator should mend, one line each."""
    if privacy.is_root():
        log.warning("the worker runs as root: %s", privacy.ROOT)
    key = config.api.tls_key
    if key is not None and privacy.open_to_everybody(key):
        said = "everybody on this machine can read the key of the certificate; make the file 0600"
        log.warning(said, extra={"file": str(key)})
    chat_key = config.chat_key_file
    with contextlib.suppress(OSError):  # one that is not there stops the start, with its name
        if chat_key is not None and privacy.open_to_everybody(chat_key):
            said = "everybody on this machine can read the key of the chat server; make the file 0600"
            log.warning(said, extra={"file": str(chat_key)})


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.api.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.api.tls_cert, config.api.tls_key)
    except (OSError, ssl.SSLError):
        raise BadConfig("api.tls_cert, api.tls_key: expected a certificate and its key as PEM files") from None
    return context


def _room_for(wanted: int) -> int:
    """Raise the limit of open files as far as this user may. Returns how many connections fit into it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    room = wanted if soft == resource.RLIM_INFINITY else min(wanted, max(soft // 2, soft - FILES_OF_OURS))
    if room < wanted:
        log.warning("fewer connections than api.max_connections: this user may open few files", extra={"most": room})
    return room


def _address(config: Config, host: str, port: int) -> str:
    scheme = "http" if config.api.tls_cert is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _write_listen_file(path: Path, address: str) -> None:
    """For tools on this machine, and for tests with port 0."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(address + "\n", "ascii")
    temporary.replace(path)
