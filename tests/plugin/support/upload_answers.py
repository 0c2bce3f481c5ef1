"""What a homeserver, or something before it, answers to an upload."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web


def refused(status: int, errcode: str, **more: object) -> web.Response:
    return web.json_response({"errcode": errcode, "error": "no", **more}, status=status)


def uploads(answer: Callable[[], web.Response], times: int = 10**6) -> Callable[[web.Request], web.Response | None]:
    """Answers uploads in the homeserver's place, so many times."""
    left = times

    def instead(request: web.Request) -> web.Response | None:
        nonlocal left
        if not request.path.endswith("/upload") or not left:
            return None
        left -= 1
        return answer()

    return instead
