"""What an event names becomes part of an address that is asked with our token: it cannot lead anywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from impostor import impostor
from plugin_rig import ROOM, Rig
from yarl import URL

from otterbot.errors import MatrixError, MatrixRefused
from otterbot.matrix import mxc
from otterbot.requests.input_images import NoStart, source_of

BAD = [
    "mxc://../x", "mxc://./x", "mxc://a/..", "mxc://a/.", "mxc://a/../../x", "mxc://a/b/c", "mxc:///x", "mxc://a/",
    "mxc://a%2e%2e/x", "mxc://a/x?y=1", "mxc://a/x#y", "mxc://a/x y", "mxc://a\\b/x", "mxc://a/%2e%2e", "mxc://-/x",
    "mxc://a..b/x", "mxc://.a/x", "mxc://[::1/x", "mxc://a:b/x", "mxc://a:123456/x", "mxc://user@a/x", "http://a/x",
    "mxc://a/ä", "mxc://a/x\n", "MXC://a/x", "mxc://" + "a" * 300 + "/x", "mxc://a/" + "x" * 300, "", None, 7, ["mxc://a/x"],
]  # fmt: skip
GOOD = {
    "mxc://example.org/aBc-_09": ("example.org", "aBc-_09"),
    "mxc://localhost:8448/x": ("localhost:8448", "x"),
    "mxc://127.0.0.1/x": ("127.0.0.1", "x"),
    "mxc://[2001:db8::1]:8448/x": ("[2001:db8::1]:8448", "x"),
    "mxc://a/x": ("a", "x"),
}


@pytest.mark.parametrize("uri", BAD)
def test_no_address_of_media(uri: Any) -> None:
    assert mxc.parse(uri) is None
    content = {"msgtype": "m.image", "body": "otter", "url": uri}
    with pytest.raises(NoStart):
        source_of({"type": "m.room.message", "content": content})


@pytest.mark.parametrize("uri", GOOD)
def test_addresses_of_media(uri: str) -> None:
    assert mxc.parse(uri) == GOOD[uri]


@pytest.mark.parametrize(("name", "media"), [("..", "x"), ("a", ".."), ("a/b", "c"), ("", "x"), ("a", "b?c")])
async def test_none_of_them_is_asked(rig: Rig, name: str, media: str) -> None:
    seen: list[str] = []

    def instead(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({})

    rig.server.instead = instead
    with pytest.raises(MatrixRefused):
        await rig.http.download(name, media, 1000)
    assert seen == []


ODD_IDS = ["$a/../../../x", "$a?access=1", "$a#b", "$a%2F..%2Fb", "$ä b", "../../../../v3/logout"]


@pytest.mark.parametrize("event_id", ODD_IDS)
async def test_an_id_stays_one_part_of_the_path(rig: Rig, event_id: str) -> None:
    """Whoever writes a reply chooses its id; what is asked for is an event of that room, whatever stands in it."""
    seen: list[str] = []

    def instead(request: web.Request) -> web.Response:
        if not request.path.endswith("/versions"):  # asked meanwhile, for the time
            seen.append(request.raw_path)
        return web.json_response({"errcode": "M_NOT_FOUND"}, status=404)

    rig.server.instead = instead
    with pytest.raises(MatrixRefused):
        await rig.http.event(ROOM, event_id)
    [path] = seen
    place = URL(path, encoded=True).raw_parts
    assert (place[4], place[6]) == ("rooms", "event")
    assert len(path.split("/")) == 8
    assert "?" not in path


@pytest.mark.parametrize("event_id", ["", ".", ".."])
async def test_dots_alone_are_never_asked(rig: Rig, event_id: str) -> None:
    rig.server.instead = lambda request: pytest.fail(request.path)
    for call in (rig.http.event(ROOM, event_id), rig.http.redact(ROOM, event_id, "txn"), rig.http.messages(event_id)):
        with pytest.raises(MatrixRefused):
            await call


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_token_follows_no_redirect(rig: Rig, status: int) -> None:
    seen: list[web.Request] = []

    async def spy(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"chunk": [], "event_id": "$x", "content_uri": "mxc://a/b"})

    async with impostor(spy) as elsewhere:
        rig.server.instead = lambda request: web.Response(status=status, headers={"Location": elsewhere + request.path})
        for call in (
            rig.http.messages(ROOM), rig.http.upload(b"x", "image/png"), rig.http.download("a", "b", 1000),
            rig.http.send(ROOM, "m.room.message", {}, "txn"),
        ):  # fmt: skip
            with pytest.raises(MatrixError):
                await call
    assert seen == []
