"""``!describe``: what a picture shows, in words of a real captioner of random weights; its lines, drawn by number."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import Ev, Lab
from lab.lab import make_models
from lab.pictures import png

TWO = "2\ufe0f\u20e3"


@pytest.fixture(scope="session")
def florence(folder: Path) -> Path:
    make_models(folder, "captioner")
    return folder / "captioner"


@pytest.fixture
async def lab(lab: Lab, florence: Path) -> AsyncIterator[Lab]:
    shutil.copytree(florence, lab.worker.data / "captioner", dirs_exist_ok=True)
    yield lab
    shutil.rmtree(lab.worker.data / "captioner")


def lines(event: Ev) -> list[str]:
    return re.findall(r"^\d\. (.+)$", event.body, re.MULTILINE)


async def described(lab: Lab, room: str, *, reply: str | None = None) -> tuple[str, Ev]:
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!describe", reply=reply)
    answer = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.text"), mark, timeout=120)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=30)
    return asked, answer


async def test_a_picture_is_described_and_a_line_of_that_drawn(lab: Lab, room: str, encrypted: bool) -> None:
    (drawn,) = await lab.draw(room, "!draw otter --steps 2")
    _, answer = await described(lab, room, reply=drawn.event_id)
    assert answer.encrypted is encrypted
    prompts = lines(answer)
    assert len(prompts) == 3
    assert answer.body.splitlines()[0], "what it shows, first"
    assert f"react with 1\ufe0f\u20e3 {TWO}" in answer.body
    assert answer.content["m.mentions"] == {}

    (second,) = await lab.draw(room, "2", reply=answer.event_id, timeout=120)
    assert second.record["used"]["prompt"] == prompts[1]
    assert second.encrypted is encrypted
    assert second.record["used"]["init_image"] is None, "by its words alone"

    mark = lab.admin.mark()
    await lab.admin.react(room, answer.event_id, TWO)
    third = await lab.admin.wait_for(lab.reply_to(answer.event_id, msgtype="m.image"), mark, timeout=120)
    assert third.record["used"]["prompt"] == prompts[1]
    assert third.record["used"]["seed"] != second.record["used"]["seed"]


async def test_the_last_picture_and_a_caption(lab: Lab, room: str) -> None:
    (drawn,) = await lab.draw(room, "!draw otter --steps 2")
    _, last = await described(lab, room)
    assert last.content["org.otterbot"]["describes"] == drawn.event_id
    mark = lab.user.mark()
    asked = await lab.user.send_image(room, png(96, 64), caption="!describe")
    captioned = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.text"), mark, timeout=120)
    assert captioned.content["org.otterbot"]["describes"] == asked
    assert lines(captioned)


async def test_its_numbers_work_with_a_new_database(lab: Lab) -> None:
    room = await lab.room()
    posted = await lab.admin.send_image(room, png(96, 64))
    _, answer = await described(lab, room, reply=posted)
    await lab.empty_plugin_database()
    await lab.worker.restart()
    (drawn,) = await lab.draw(room, "#3", reply=answer.event_id, timeout=180)
    assert drawn.record["used"]["prompt"] == lines(answer)[2]
    mark = lab.user.mark()
    said = await lab.user.send(room, "4", reply=answer.event_id)
    await lab.user.wait_for(lambda event: lab.reply_to(said)(event) and "from 1 to 3" in event.body, mark, timeout=30)


async def test_a_room_has_each_picture_described(lab: Lab, room: str, encrypted: bool) -> None:
    assert "for people who do not see it" in (await lab.answer(room, "!settings alt describe", by=lab.admin)).body
    (drawn,) = await lab.draw(room, "!draw otter --steps 2", timeout=120)
    first, _, rest = drawn.body.partition("\n\n")
    assert first.startswith("🖼️ ")
    assert len(first.split()) > 5
    assert rest.startswith("otter")
    assert drawn.encrypted is encrypted
    (again,) = await lab.draw(room, "!again --seed same", reply=drawn.event_id, timeout=120)
    assert again.body.partition("\n\n")[0] == first, "the same picture, the same words"


async def test_without_anything_that_sees_one_sentence_says_what_to_install(lab: Lab) -> None:
    shutil.rmtree(lab.worker.data / "captioner")
    (lab.worker.data / "captioner").mkdir()
    room = await lab.room()
    posted = await lab.admin.send_image(room, png(96, 64))
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!describe", reply=posted)
    answer = lab.reply_to(asked, msgtype="m.notice")  # a slow machine's status is one, too
    said = await lab.user.wait_for(lambda event: answer(event) and not event.body.startswith("⏳"), mark, timeout=60)
    assert "ollama pull llava:7b" in said.body
