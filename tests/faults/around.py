"""Faults around the machines: the network and who stands in it, and what happens to rooms."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import aiohttp

from lab.client import User

from .kinds import Scene, kind

# ---------------------------------------------------------------- the network, and who stands in it


@kind("torn", "network", weight=4)
async def _(scene: Scene) -> None:
    lab = scene.lab
    proxy, path = scene.dice.choice(
        (
            (lab.matrix_proxy, "/send/"),
            (lab.matrix_proxy, "/upload"),
            (lab.matrix_proxy, "/sync"),
            (lab.matrix_proxy, "/messages"),
            (lab.worker_proxy, "/v1/"),
        )
    )
    with proxy.swallow("*", path, times=scene.dice.randint(1, 4)):
        await scene.rest(0.2, 2)


@kind("slow-homeserver", "network")
async def _(scene: Scene) -> None:
    """It acts, and its answers come late."""
    with scene.lab.matrix_proxy.hold_after("*", scene.dice.choice(("/send/", "/upload", "/messages")), times=3):
        await scene.rest(0.5, 4)


@kind("refused-for-now", "network")
async def _(scene: Scene) -> None:
    """The homeserver is in trouble, or wants a pause, whatever it is asked."""
    status = scene.dice.choice((429, 500, 502, 503, 504))
    answer = {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 300} if status == 429 else {"errcode": "M_UNKNOWN"}
    what = scene.dice.choice(("/send/", "/upload", "joined_members", "/state/", "/messages", "/keys/", "client/"))
    with scene.lab.matrix_proxy.fail("*", what, status, answer):
        await scene.rest(0.5, 3)


@kind("page", "network")
async def _(scene: Scene) -> None:
    """A proxy's own page, to the plugin's questions and to the worker's client."""
    status = scene.dice.choice((403, 404, 502, 503, 413 if scene.dice.random() < 0.1 else 403))
    proxy = scene.dice.choice((scene.lab.matrix_proxy, scene.lab.matrix_proxy, scene.lab.worker_proxy))
    what = scene.dice.choice(("/send/", "/upload", "/messages", "/state/", "client/")) if proxy.url else "/"
    with proxy.page("*", what if proxy is scene.lab.matrix_proxy else "/v1/", status):
        await scene.rest(0.5, 3)


@kind("quota", "network", excuses=("quota", "room for", "larger than this homeserver", "did not take", "homeserver"))
async def _(scene: Scene) -> None:
    """The homeserver refuses uploads: this account has used up what it may have."""
    answer = scene.dice.choice(
        (
            (403, {"errcode": "M_FORBIDDEN", "error": "Quota exceeded"}),
            (413, {"errcode": "M_TOO_LARGE", "error": "Upload is too large"}),
            (429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too many uploads", "retry_after_ms": 400}),
        )
    )
    with scene.lab.matrix_proxy.fail("POST", "/upload", *answer):
        await scene.rest(0.5, 3)


@kind("silent-stream", "network")
async def _(scene: Scene) -> None:
    """The worker's events are begun and never come: something in between buffers them."""
    with scene.lab.worker_proxy.silence("GET", "/v1/events"):
        with scene.lab.worker_proxy.swallow("GET", "/v1/jobs", times=1):
            await scene.rest(2, 6)


# ---------------------------------------------------------------- rooms


async def _done(do: Callable[[], Awaitable[object]]) -> None:
    """What is done to a room may have been done although the answer was lost: then it is taken back all the same."""
    with contextlib.suppress(RuntimeError, OSError, TimeoutError, aiohttp.ClientError):
        await do()


async def _undone(undo: Callable[[], Awaitable[object]]) -> None:
    """The homeserver may be down just then. The whole fault, tried again, would be done to another room, or find the
    harm there and leave it."""
    for _ in range(60):
        try:
            await undo()
            return
        except TimeoutError:
            raise
        except (RuntimeError, OSError, aiohttp.ClientError):
            await asyncio.sleep(1)
    raise RuntimeError("the homeserver does not take back what was done to a room")


@kind("kick", "rooms", weight=1, excuses=("did not take", "not in", "room"))
async def _(scene: Scene) -> None:
    """Out, and invited again. What is typed meanwhile is not meant for it."""
    lab, place = scene.lab, scene.dice.choice(scene.places)
    place.deaf = True
    path = f"/_matrix/client/v3/rooms/{quote(place.id)}"
    await _done(lambda: lab.admin.api("POST", f"{path}/kick", {"user_id": lab.bot}))
    await scene.rest(0.5, 3)
    await _undone(lambda: _invite(lab.admin, f"{path}/invite", lab.bot))
    await _undone(lambda: lab.admin.wait_member(place.id, lab.bot, timeout=120))
    await asyncio.sleep(1)
    place.deaf = False


@kind("mute", "rooms", weight=1, excuses=("did not take", "may not", "not allowed"))
async def _(scene: Scene) -> None:
    """Only people with power may speak, for a while."""
    lab, place = scene.lab, scene.dice.choice(scene.places)
    path = f"/_matrix/client/v3/rooms/{quote(place.id)}/state/m.room.power_levels"
    levels = await lab.admin.api("GET", path)
    place.deaf = True
    users = {**levels.get("users", {}), lab.user.id: 50}
    await _done(lambda: lab.admin.api("PUT", path, {**levels, "users": users, "events_default": 50}))
    await scene.rest(0.5, 4)
    await _undone(lambda: lab.admin.api("PUT", path, levels))
    place.deaf = False


async def _invite(by: User, path: str, who: str) -> None:
    """Whoever is in the room already, or was invited a moment ago, cannot be."""
    with contextlib.suppress(RuntimeError):
        await by.api("POST", path, {"user_id": who})


async def _successor(by: User, room: str) -> str:
    """Upgrade ``room``, once: of a homeserver that died meanwhile its tombstone says whether that was done."""
    path = f"/_matrix/client/v3/rooms/{quote(room)}"
    for _ in range(120):
        try:
            return str((await by.api("GET", f"{path}/state/m.room.tombstone"))["replacement_room"])
        except RuntimeError as error:
            if "M_NOT_FOUND" in str(error):
                with contextlib.suppress(RuntimeError, OSError, aiohttp.ClientError):
                    return str((await by.api("POST", f"{path}/upgrade", {"new_version": "12"}))["replacement_room"])
        except (OSError, aiohttp.ClientError):
            pass
        await asyncio.sleep(1)
    raise RuntimeError("the homeserver does not upgrade a room")


@kind("upgrade", "rooms", weight=1, excuses=("moved", "upgraded", "new room", "room"))
async def _(scene: Scene) -> None:
    """The room gets a successor, and people go on there."""
    lab, place = scene.lab, scene.dice.choice(scene.places)
    place.deaf = True
    successor = await _successor(lab.admin, place.id)
    await _undone(lambda: lab.admin.wait_joined(successor))
    invite = f"/_matrix/client/v3/rooms/{quote(successor)}/invite"
    for who in (lab.user.id, lab.bot):
        await _undone(lambda who=who: _invite(lab.admin, invite, who))
    await _undone(lambda: lab.user.join(successor))
    for reader in (lab.admin, lab.user):
        await _undone(lambda reader=reader: reader.wait_member(successor, lab.bot, timeout=120))
    place.earlier.append(place.id)
    place.id, place.deaf = successor, False
