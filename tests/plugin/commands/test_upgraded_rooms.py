"""Commands in a room that replaces another one."""

from __future__ import annotations

import re

import pytest
from command_rig import ALICE, BOT, MOD, ROOM, Rig
from room_pictures import RECORD

from otterbot import texts
from otterbot.commands import predecessors
from otterbot.commands.setting_rows import ROWS

NEW = "!new:test"


def upgrade(rig: Rig, old: str = ROOM, new: str = NEW) -> None:
    """As ``/upgrade`` does it."""
    rig.homeserver.create(new, MOD, "12", {}, predecessor={"room_id": old})
    create = rig.homeserver.state[old]["m.room.create"]
    content = {"replacement_room": new}
    rig.homeserver.state[old]["m.room.tombstone"] = {**create, "type": "m.room.tombstone", "content": content}
    rig.homeserver.join(new, BOT, ALICE, MOD)


def encrypt(rig: Rig, room: str) -> None:
    create = rig.homeserver.state[room]["m.room.create"]
    rig.homeserver.state[room]["m.room.encryption"] = {**create, "type": "m.room.encryption"}


async def test_settings_hold(rig: Rig) -> None:
    await rig.answer("!model sdxl-turbo", MOD)
    await rig.answer("!settings safe on", MOD)
    upgrade(rig)
    assert "sdxl-turbo" in await rig.answer("!settings all", room=NEW)
    assert "`safe`: on (room)" in await rig.answer("!settings all", room=NEW)


EVERY = {
    "model": "sdxl-turbo", "size": "512x640", "steps": "20", "cfg": "2.5", "negative": "fog", "count_max": "2",
    "sweep_max": "9", "per_day": "20", "batch": "sheet", "offer": "🔁",
    "safe": "on", "expand": "on", "watch": "on", "alt": "describe", "chat": "llama3.2:3b",
    "persona": "You are a pirate.", "chat_draws": "on", "style": "watercolor,backlit",
}  # fmt: skip
"""A value of each setting."""


async def test_every_setting_follows_an_upgrade(rig: Rig) -> None:
    for row in ROWS:
        said = await rig.say(f"!settings {row.name} {EVERY[row.name]}", MOD)
        assert said is not None
        assert said.setting is not None, f"{row.name} is set"
    upgrade(rig)
    listed = await rig.answer("!settings all", room=NEW)
    for row in ROWS:
        assert re.search(rf"^- `{row.name}`: .* \(room\)$", listed, re.MULTILINE), f"{row.name} follows"
    kept = await rig.services.store.room_settings(NEW)
    assert kept == await rig.services.store.room_settings(ROOM)
    layer = {"layer": "room", "model": "sdxl-turbo", "expand": True, "steps": 20, "guidance_scale": 2.5,
             "size": [512, 640], "negative_prompt": "fog", "style": ["watercolor", "backlit"]}  # fmt: skip
    assert (await rig.drawn("!draw otter", room=NEW))["layers"] == [layer]
    told = texts.settings_came_along(kept)
    assert "the negative prompt" in told
    assert "at most 2 pictures at once" in told


@pytest.mark.parametrize("command", ["!settings safe default", "!model default"])
async def test_nothing_is_set_back_before_it_is_known_what_comes_along(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(predecessors, "TRIES", ())
    await rig.answer("!model sdxl-turbo", MOD)
    await rig.answer("!settings safe on", MOD)
    upgrade(rig)
    rig.homeserver.trouble["m.room.tombstone"] = [(502, {})]
    assert await rig.answer(command, MOD, room=NEW) == texts.BEFORE_UNKNOWN
    await rig.answer(command, MOD, room=NEW)
    kept = await rig.services.store.room_settings(NEW)
    assert kept == ({"model": "sdxl-turbo"} if "safe" in command else {"safe": "on"})


async def test_again_takes_the_last_picture_of_the_room_before(rig: Rig) -> None:
    rig.homeserver.picture(ROOM, RECORD)
    upgrade(rig)
    assert (await rig.drawn("!again --seed same", room=NEW))["seed"] == 7
    rig.homeserver.picture(NEW, {**RECORD, "used": {**RECORD["used"], "seed": 8}})  # type: ignore[dict-item]
    assert (await rig.drawn("!again --seed same", MOD, room=NEW))["seed"] == 8


async def test_again_brings_nothing_out_of_an_encrypted_room(rig: Rig) -> None:
    rig.homeserver.picture(ROOM, RECORD)
    encrypt(rig, ROOM)
    upgrade(rig)
    assert "no picture of mine" in await rig.answer("!again", room=NEW)


async def test_again_of_an_upgraded_room_without_any_picture(rig: Rig) -> None:
    upgrade(rig)
    assert "no picture of mine" in await rig.answer("!again", room=NEW)
