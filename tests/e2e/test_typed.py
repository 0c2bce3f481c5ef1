"""Requests as a phone types them: a pill before the command, dashes of another kind, a caption."""

from __future__ import annotations

from urllib.parse import quote

from lab import Lab, png


async def test_a_pill_before_a_command_typed_on_a_phone(lab: Lab, room: str, encrypted: bool) -> None:
    await lab.user.send(room, "Ottie, what do you think?", html=f"{_pill(lab)}, what do you think?")
    asked = await lab.user.send(
        room,
        "Ottie: draw a small\u200b otter, (hat)—, ––steps 2 \\-\\-seed 7. -no hat",
        html=f"{_pill(lab)}: draw a small otter, (hat)—, ––steps 2 \\-\\-seed 7. -no hat",
        **{"m.mentions": {"user_ids": [lab.bot]}},
    )
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), timeout=90)
    used = picture.record["used"]
    assert (used["prompt"], used["steps"], used["seed"]) == ("a small otter, (hat)—, -no hat", 2, 7)
    assert "-no was read as words" in picture.body.replace("`", "")
    assert picture.encrypted is encrypted
    again = await lab.user.send(room, "！again. —seed same")
    second = await lab.user.wait_for(lab.reply_to(again, msgtype="m.image"), timeout=90)
    assert second.record["used"]["seed"] == 7


async def test_a_caption_with_the_rooms_name_of_the_bot(lab: Lab, room: str) -> None:
    path = f"/_matrix/client/v3/rooms/{quote(room)}/state/m.room.member/{quote(lab.bot)}"
    bot = {"Authorization": f"Bearer {lab.bot_login.access_token}"}
    await lab.user.api("PUT", path, {"membership": "join", "displayname": "Frau Otter"}, headers=bot)
    asked = await lab.user.send_image(
        room, png(64, 64), caption="Frau Otter, draw a fox −−steps 2 ——strength 0.5", filename="pic.png"
    )
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), timeout=90)
    assert (picture.record["used"]["prompt"], picture.record["used"]["strength"]) == ("a fox", "0.5")


def _pill(lab: Lab) -> str:
    return f'<a href="https://matrix.to/#/{lab.bot}">Ottie</a>'
