"""Numbers that no computer holds, in whatever somebody else has written: nothing breaks, nothing is believed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from aiohttp import web
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot import numeric, texts
from otterbot.commands.recorded_settings import read_settings
from otterbot.errors import RateLimited
from otterbot.language.message import from_raw
from otterbot.matrix import event_content
from otterbot.matrix.power_levels import read_power
from otterbot.matrix.sync_answer import seconds
from otterbot.outbox.find_sent import find_sent
from otterbot.store.rows import Part

HUGE = 10**400
NUMBERS: list[Any] = [HUGE, -HUGE, math.inf, -math.inf, math.nan, 2**53, 1e308, True, "1", None]
IDS = ["10^400", "-10^400", "inf", "-inf", "nan", "2^53", "1e308", "true", "text", "null"]


@pytest.mark.parametrize("value", NUMBERS, ids=IDS)
def test_numbers_are_told_from_what_only_looks_like_one(value: Any) -> None:
    assert numeric.whole(value) is None
    assert numeric.number(value) in (None, float(2**53), 1e308)


@pytest.mark.parametrize("text", ["1" * 5_000, "-" + "9" * 5_000, "1e999", "NaN", "-Infinity", "1" * 400])
def test_json_with_such_a_number_can_be_read(text: str) -> None:
    assert numeric.parse(f'{{"a": {text}, "b": 1}}')["b"] == 1


def test_json_that_is_nested_too_deeply_is_none() -> None:
    with pytest.raises(ValueError, match="deeply"):
        numeric.parse("[" * 200_000)


@pytest.mark.parametrize("value", NUMBERS, ids=IDS)
@pytest.mark.parametrize("name", ["steps", "guidance_scale", "width", "seed", "count", "strength", "upscale"])
def test_again_on_such_a_record(name: str, value: Any) -> None:
    """Refused as a record that nobody could have typed; ``null`` is what was not typed at all."""
    found = read_settings({"prompt": "otter", name: value})
    assert found is None or value is None or (name, value) == ("guidance_scale", "1")


@pytest.mark.parametrize("value", NUMBERS, ids=IDS)
def test_such_numbers_within_settings(value: Any) -> None:
    for name, inner in (
        ("variation", {"seed": value, "strength": "0.2"}), ("variation", {"seed": 1, "strength": value}),
        ("control", {"kind": "canny", "scale": value}), ("hires", {"scale": value}),
        ("hires", {"scale": "2.0", "strength": value, "steps": value}),
    ):  # fmt: skip
        read_settings({"prompt": "otter", name: inner})


@pytest.mark.parametrize("value", NUMBERS, ids=IDS)
def test_a_caption_says_what_can_be_said(value: Any) -> None:
    names = ("seed", "steps", "guidance_scale", "strength", "width", "height", "upscale")
    used = {**dict.fromkeys((*names, "hires", "variation", "control"), value), "model": "mini"}
    assert texts.summary({"used": used, "took": value}).startswith("mini")
    used |= {
        "variation": {"seed": value, "strength": value}, "hires": {"width": value, "height": value},
        "control": {"kind": "canny", "scale": value}, "seed": 1,
    }  # fmt: skip
    assert "seed 1" in texts.summary({"used": used, "took": value})


@pytest.mark.parametrize("value", NUMBERS, ids=IDS)
def test_what_goes_into_an_event_is_what_matrix_allows(value: Any) -> None:
    sent = json.dumps(event_content.canonical({"a": [value], "b": {"c": value}}))
    said = json.loads(sent, parse_constant=pytest.fail)
    assert said["b"]["c"] is None or isinstance(said["b"]["c"], str | bool)


def test_boxes_in_boxes_are_cut() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": deep}
    assert len(json.dumps(event_content.canonical(deep))) < 1_000
    assert event_content.canonical({"a": "otter \ud800"}) == {"a": None}


@pytest.mark.parametrize("value", NUMBERS, ids=IDS)
async def test_an_event_of_such_a_time(rig: Rig, value: Any) -> None:
    raw = {
        "type": "m.room.message", "event_id": "$a", "sender": "@a:test", "room_id": ROOM, "origin_server_ts": value,
        "content": {"msgtype": "m.text", "body": "!help"},
    }  # fmt: skip
    assert from_raw(raw, encrypted=False) is None
    assert seconds(raw) == 0.0
    event = rig.server.say(ROOM, "hello", sender="@bot:test")
    event["origin_server_ts"] = value if isinstance(value, int) and abs(value) == HUGE else 0
    part = Part(key="k", part="reply", room_id=ROOM, updated_at=10**9)
    assert await find_sent(rig.http, rig.encryption, "@bot:test", part, rig.store.clock.now()) is None


@pytest.mark.parametrize("value", NUMBERS, ids=IDS)
def test_power_of_such_a_level(value: Any) -> None:
    power = read_power({"sender": "@a:test", "content": {}}, {"users": {"@b:test": value}, "users_default": value})
    assert power.of("@b:test") in (0, 1)


async def test_a_message_beside_such_an_event_is_answered(listening: Listening, rig: Rig) -> None:
    odd = rig.server.say(ROOM, "!say odd", number=HUGE)
    odd["origin_server_ts"] = HUGE
    await listening.sync(odd, rig.server.say(ROOM, "!say well"))
    await rig.until(lambda: rig.bodies() == ["!say well"])


@pytest.mark.parametrize("wait", ["1" * 500, "NaN", "1e999", '"soon"', "-5", "null"])
async def test_a_limit_of_such_a_time(rig: Rig, wait: str) -> None:
    """The homeserver says when to come again; at most ten minutes are believed."""
    body = f'{{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": {wait}}}'
    rig.server.instead = lambda request: web.Response(status=429, text=body, content_type="application/json")
    with pytest.raises(RateLimited) as limit:
        await rig.http.send(ROOM, "m.room.message", {}, "txn")
    assert 0.05 <= limit.value.retry_after <= 600
