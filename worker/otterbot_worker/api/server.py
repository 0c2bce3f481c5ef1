"""One worker process: from the settings to the last word."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from pathlib import Path

from aiohttp import web

from otterbot_worker.api import auth
from otterbot_worker.api.app import create_app
from otterbot_worker.api.parts import PARTS
from otterbot_worker.config import BadConfig, Config

log = logging.getLogger(__name__)

EXIT_BROKEN = 70
"""A background loop died; whatever keeps the worker running may start it again."""
STREAMS_SECONDS = 2.0
IDLE_SECONDS = 75.0
"""How long a connection may stay without a whole request; a thousand silent ones would use up all file handles."""


def runner_of(app: web.Application, *, shutdown_timeout: float = STREAMS_SECONDS) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=shutdown_timeout,
        keepalive_timeout=IDLE_SECONDS,
        auto_decompress=False,  # what is broken, or a bomb, would break before a handler can refuse it
    )


async def serve(config: Config) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code.

    :raises BadConfig: :raises BadToken: :raises AlreadyRunning: :raises NewerDatabase: :raises OSError: the address
    """
    tls = _tls(config)
    tokens = auth.load_tokens({client: config.token_file(client) for client in config.api.clients})
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = create_app(config, tokens)
    runner = runner_of(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.api.host, config.api.port, ssl_context=tls, reuse_address=True).start()
        address = _address(config, runner)
        _write_listen_file(config.listen_file, address)
        log.info("listening on %s", address)
        if tls is None and not config.api.loopback:
            log.warning("without TLS, tokens and pictures can be read on the network; see api.tls_cert, or use a VPN")
        if (notice := app[PARTS].notice) is not None:
            log.warning("%s", notice)
        return await _until_end(stop, app[PARTS].background.broken)
    finally:
        config.listen_file.unlink(missing_ok=True)
        await runner.cleanup()
        log.info("stopped")


async def _until_end(stop: asyncio.Event, broken: asyncio.Future[BaseException]) -> int:
    # The future's end is no different from a signal's: both wake this one wait.
    broken.add_done_callback(lambda _: stop.set())
    await stop.wait()
    if broken.done():
        log.critical("the worker ends because a part of it died", exc_info=broken.result())
        return EXIT_BROKEN
    log.info("stopping")
    return 0


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.api.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.api.tls_cert, config.api.tls_key)
    except (OSError, ssl.SSLError):
        raise BadConfig("api.tls_cert, api.tls_key: expected a certificate and its key as PEM files") from None
    return context


def _address(config: Config, runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    scheme = "http" if config.api.tls_cert is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _write_listen_file(path: Path, address: str) -> None:
    """For tools on this machine, and for tests with port 0."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(address + "\n", "ascii")
    temporary.replace(path)
