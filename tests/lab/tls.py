"""TLS: a certificate as ``docs/operating.md`` has operators make one, and a proxy that ends it before a worker."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from .places import REPOSITORY

NAME = "gpu.lan"
"""A name in that certificate. Browsers take no loopback address for insecure, so cookies need another name."""


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


def certificate(folder: Path) -> Certificate:
    """Made in ``folder`` by the command of the docs, for `NAME`."""
    page = (REPOSITORY / "docs" / "operating.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (command,) = (block for block in blocks if "openssl req" in block)
    assert f"DNS:{NAME}" in command
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["sh", "-euc", command], cwd=folder, check=True, capture_output=True)
    return Certificate(folder / "worker-cert.pem", folder / "worker-key.pem")


def trusting(cert: Path) -> ssl.SSLContext:
    """For a client that trusts this certificate alone, whatever name the server is called by."""
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = False
    return context


@asynccontextmanager
async def ending_tls(own: Certificate, url: str) -> AsyncIterator[int]:
    """The port of a proxy that speaks TLS and passes every byte on to ``url`` in clear, headers as they are."""
    host, _, port = url.partition("://")[2].partition(":")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, out = await asyncio.open_connection(host, int(port))
        with contextlib.suppress(OSError):
            await asyncio.gather(_pass_on(reader, out), _pass_on(inside, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=own.server())
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
