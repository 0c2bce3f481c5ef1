"""Connections that stay in the operator's network, whatever a name leads to today."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from ...addresses import is_home


class LeavesHome(OSError):
    """A name of the own network leads out of it."""


class HomeResolver(AbstractResolver):
    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_home(one["host"]) for one in found):
            raise LeavesHome(f"{host} is outside")
        return found

    async def close(self) -> None:
        await self._inner.close()
