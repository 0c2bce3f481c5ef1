"""Puts the page into the app: its routes, its door, and what it notes meanwhile."""

from __future__ import annotations

from aiohttp import web

from ..api import auth
from ..api.mounts import Mount
from ..api.parts import PARTS
from ..config import Config
from . import gallery, guard, hosts, now, pictures, reading, sign_in
from .files import Files
from .filling import fill
from .history import HISTORY, History, sources
from .sessions import Sessions

CLEAR = (
    "The page is not shown here: what it sends could be read on the network. Set api.tls_cert and api.tls_key in the "
    "worker's settings; or api.page: on, where a VPN or a proxy with TLS protects it.\n"
)


def mount(config: Config) -> Mount | None:
    """``None``: it is off."""
    if config.api.page == "off":
        return None
    names = hosts.names(config.api.host, config.api.names)
    if config.api.page == "auto" and not config.api.loopback and config.api.tls_cert is None:
        return Mount(has=lambda path: path == guard.ROOT, middleware=guard.middleware(names), add=_add_refusal)
    return Mount(has=guard.is_page, middleware=guard.middleware(names), add=_add)


def _add_refusal(app: web.Application) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=403, text=CLEAR)

    app.router.add_get(guard.ROOT, refuse)
    app.on_response_prepare.append(guard.add_headers)


def _add(app: web.Application) -> None:
    own = Files()
    app.router.add_get(guard.ROOT, own.index)
    app.router.add_get(guard.STATIC + "{name}", own.static)
    app.router.add_routes(
        [
            web.post(guard.SIGN_IN, sign_in.sign_in),
            web.get(guard.SIGN_IN, sign_in.look),
            web.delete(guard.SIGN_IN, sign_in.sign_out),
            *now.ROUTES,
            *gallery.ROUTES,
            *pictures.ROUTES,
            *reading.ROUTES,
        ]
    )
    app[guard.SESSIONS] = Sessions(app[auth.ACCESS].tokens.knows)
    app.on_response_prepare.append(guard.add_headers)
    app.on_startup.append(_start)


async def _start(app: web.Application) -> None:
    """``parts`` are open here."""
    parts = app[PARTS]
    history = app[HISTORY] = History()
    parts.background.start(history.follow(lambda: sources(parts)), "the page's plot")
    parts.background.start(fill(parts.gallery, parts.archive), "the gallery")
