"""``!draw``: what stands in the room afterwards, as an independent client sees it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from lab import Ev, Lab, png

from .conftest import QUICK

FLAGS = "--no blurry, ugly --steps 3 --cfg 4.5 --size 96x64 --seed 42 --sampler euler --model otter-noise"


async def shown(lab: Lab, event: Ev) -> Image.Image:
    """The picture that the event shows, decrypted and decoded."""
    return Image.open(io.BytesIO(await lab.user.image_bytes(event)))


async def test_a_picture_with_everything_chosen(lab: Lab, room: str, encrypted: bool) -> None:
    asked = await lab.user.send(room, f'!draw Oregon 💚, "очень" большая выдра, (hat)++ {FLAGS}')
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), timeout=90)
    prompt = 'Oregon 💚, "очень" большая выдра, (hat)++'

    used = picture.record["used"]
    assert used["prompt"] == prompt
    assert used["negative_prompt"] == "blurry, ugly"
    assert (used["steps"], used["width"], used["height"]) == (3, 96, 64)
    assert used["guidance_scale"] == "4.5", "Matrix has no fractions in events"
    assert (used["seed"], used["sampler"], used["model"]) == (42, "Euler", "otter-noise")
    assert used["model_hash"]
    assert used["parser"]
    assert used["versions"]["diffusers"]
    assert picture.record["asked"]["steps"] == 3
    assert float(picture.record["took"]) > 0

    assert prompt in picture.body
    for words in ("otter-noise", "42", "3 steps", "4.5", "Euler", "96×64"):
        assert words in picture.body
    assert picture.encrypted is encrypted
    assert picture.content["m.mentions"] == {}


async def test_the_file_and_what_is_said_about_it(lab: Lab, room: str, encrypted: bool) -> None:
    (picture,) = await lab.draw(room, "!draw otter --steps 2 --size 128x96")
    info = picture.content["info"]
    data = await lab.user.image_bytes(picture)
    assert (info["w"], info["h"], info["mimetype"], info["size"]) == (128, 96, "image/png", len(data))
    assert len(info["xyz.amorgan.blurhash"]) > 5
    assert picture.content["filename"].startswith("otter")
    assert picture.content["filename"].endswith(".png")

    decoded = Image.open(io.BytesIO(data))
    assert decoded.size == (128, 96)
    assert decoded.text["parameters"].startswith("otter\n")
    assert json.loads(decoded.text["otterbot"])["used"]["seed"] == picture.record["used"]["seed"]

    small = await lab.user.image_bytes(picture, "thumbnail_")
    thumbnail = Image.open(io.BytesIO(small))
    assert thumbnail.size == (info["thumbnail_info"]["w"], info["thumbnail_info"]["h"])
    assert info["thumbnail_info"]["size"] == len(small)
    assert ("file" in picture.content, "thumbnail_file" in info) == (encrypted, encrypted)
    assert ("url" in picture.content, "thumbnail_url" in info) == (not encrypted, not encrypted)
    if encrypted:
        for file in (picture.content["file"], info["thumbnail_file"]):
            stored = await lab.user.download(file["url"])
            assert stored not in (data, small)
            assert not stored.startswith((b"\x89PNG", b"\xff\xd8"))


async def test_seen_at_once_and_done_at_the_end(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw another otter {QUICK}")
    seen = await lab.user.wait_for(lab.reaction(asked), mark)
    assert seen.reaction == "⏳"
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=60)
    done = await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=60)
    assert seen.seen < picture.seen < done.seen


async def test_a_long_one_shows_a_status_that_becomes_one_short_line(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!draw otter --steps 40")
    await lab.worker.wait_step()
    with lab.worker.gpu_held():
        status = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.notice"), mark, timeout=30)
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=120)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=30)
    # The last word comes behind everything that is worth more.
    await lab.user.wait_for(lambda event: event.edits == status.event_id and "Done" in event.body, mark, timeout=30)
    edits = [event for event in lab.user.events[mark:] if event.edits == status.event_id]
    assert all(event.content["m.mentions"] == {} for event in [status, *edits])
    assert len(edits[-1].new_content["body"]) < 100


async def test_in_a_thread(lab: Lab, room: str) -> None:
    root = await lab.admin.send(room, "let us draw here")
    asked_mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK}", thread=root)
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), asked_mark, timeout=60)
    assert picture.thread == root


async def test_several_come_one_by_one_with_seeds_that_count_up(lab: Lab, room: str) -> None:
    pictures = await lab.draw(room, "!draw otter --steps 4 --seed 4294967295 --count 3 --separate", count=3)
    assert [picture.record["used"]["seed"] for picture in pictures] == [4294967295, 0, 1]
    assert len({picture.own["part"] for picture in pictures}) == 3
    assert len({await lab.user.image_bytes(picture) for picture in pictures}) == 3
    assert pictures[0].ts <= pictures[1].ts <= pictures[2].ts


async def test_the_same_seed_is_the_same_picture(lab: Lab, room: str) -> None:
    first, second = [(await lab.draw(room, f"!draw otter --seed 7 {QUICK}"))[0] for _ in range(2)]
    one, two = await shown(lab, first), await shown(lab, second)
    assert one.tobytes() == two.tobytes()


async def test_a_prompt_pings_nobody(lab: Lab, room: str) -> None:
    (picture,) = await lab.draw(room, f"!draw @room @moderator:lab.test <b>otter</b> & hat {QUICK}", by=lab.admin)
    assert picture.content["m.mentions"] == {}
    assert "@room" in picture.body
    assert "<b>otter</b>" not in picture.content.get("formatted_body", "")


async def test_a_command_in_the_caption_of_a_picture_is_seen(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    await lab.user.send_image(room, png(), caption=f"!draw otter {QUICK}")
    await lab.user.wait_for(lab.from_bot(room), mark, timeout=60)


async def test_an_edit_into_a_command_counts(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!drwa otter")
    await lab.user.send(room, f"!draw otter {QUICK}", edit=asked)
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=60)


async def test_an_edit_while_it_waits_replaces_it(lab: Lab, room: str) -> None:
    drawn = lab.from_bot(room, msgtype="m.image")
    with lab.worker_proxy.hold_before("POST", "/v1/jobs$") as held:
        mark = lab.user.mark()
        asked = await lab.user.send(room, f"!draw otter --seed 1 {QUICK}")
        await held.reached()
        await lab.user.send(room, f"!draw badger --seed 2 {QUICK}", edit=asked)
        await lab.user.never(drawn, mark, within=1)
    picture = await lab.user.wait_for(drawn, mark, timeout=60)
    assert picture.record["used"]["prompt"] == "badger"
    await lab.user.never(lambda event: drawn(event) and event is not picture, mark, within=2)


async def test_a_later_edit_gets_one_sentence(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK}")
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=60)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=30)
    mark = lab.user.mark()
    await lab.user.send(room, f"!draw badger {QUICK}", edit=asked)
    notice = lab.from_bot(room, msgtype="m.notice")  # a slow machine's status ends with an edit, which comes last
    answer = await lab.user.wait_for(lambda event: notice(event) and not event.edits, mark)
    assert "`!again --prompt badger --steps 2`" in answer.body
    await lab.user.never(lab.from_bot(room, msgtype="m.image"), mark, within=2)


@pytest.mark.parametrize("line", ["!draw", "!draw   ", "!draw --steps 3", "!again nothing like this"])
async def test_usage(lab: Lab, room: str, line: str) -> None:
    answer = await lab.answer(room, line)
    assert answer.msgtype == "m.notice"
    assert "`" in answer.body or "!draw" in answer.body


async def test_the_api_process_stays_free_of_torch(lab: Lab, room: str) -> None:
    """It survives whatever CUDA does, because it never loads it; its child does."""
    lab.worker.proc.forked = "new worker"
    await lab.worker.restart()
    try:
        await lab.draw(room, f"!draw otter {QUICK}")
        assert "libtorch" in _libraries_of(lab.worker.gpu_pids()[0])
        assert "libtorch" not in _libraries_of(lab.worker.proc.pid)
    finally:
        lab.worker.proc.forked = "worker"
        await lab.worker.restart()


def _libraries_of(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()
