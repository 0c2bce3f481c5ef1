"""Every refusal is a plain sentence; nothing is accepted and then lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import Lab
from lab.client import Ev

from .conftest import QUICK


def sentence(lab: Lab, asked: str) -> Callable[[Ev], bool]:
    """What answers it, behind a line that says how it stands."""
    answers = lab.reply_to(asked, msgtype="m.notice")
    return lambda event: answers(event) and not event.body.startswith("⏳")


async def refused(lab: Lab, room: str, line: str) -> str:
    """The sentence that answers ``line``; no picture may come."""
    mark = lab.user.mark()
    answer = await lab.user.wait_for(sentence(lab, await lab.user.send(room, line)), mark)
    await lab.user.never(lab.from_bot(room, msgtype="m.image"), mark, within=1)
    return answer.body


async def test_an_unknown_model(lab: Lab, room: str) -> None:
    assert "no-such-model" in await refused(lab, room, "!draw otter --model no-such-model")


async def test_a_model_whose_files_are_not_here(lab: Lab, room: str) -> None:
    assert "ssd-1b" in await refused(lab, room, "!draw otter --model ssd-1b")


async def test_an_unknown_sampler_and_a_size_that_the_model_cannot(lab: Lab, room: str) -> None:
    assert "sampler" in (await refused(lab, room, "!draw otter --sampler quantum")).lower()
    assert "192" in await refused(lab, room, "!draw otter --size 4096x4096")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--model otter-mino", ["I do not know the model otter-mino. Did you mean otter-mini", "!models"]),
        ("--model ssd-1b", ["The files of ssd-1b are not on the worker.", "!models"]),
        ("--sampler unipcc", ["I do not know the sampler unipcc. Did you mean UniPC?"]),
        ("--sampler quantum", ["There are: UniPC, Euler, Euler a,"]),
        ("--cfg 30", ["otter-mini takes a CFG of at most"]),
        ("--size 4096x4096", ["otter-mini draws sides from 96 to 192 pixels. The closest is --size 192x192."]),
    ],
)
async def test_what_the_worker_refuses_says_what_to_type_instead(
    lab: Lab, room: str, typed: str, words: list[str]
) -> None:
    """After the ⏳, which goes again."""
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {typed}")
    answer = await lab.user.wait_for(sentence(lab, asked), mark)
    for each in words:
        assert each in answer.body.replace("`", "")
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark)
    await lab.user.never(lab.from_bot(room, msgtype="m.image"), mark, within=1)


async def test_what_the_instance_is_used_to_and_allows(lab: Lab, room: str) -> None:
    await lab.configure(
        model="no-such-model", draw={"steps": 3, "size": "96x104", "cfg": 30, "sampler": "euler a"}, limits={"steps": 4}
    )
    try:
        (picture,) = await lab.draw(room, "!draw otter")
        used = picture.record["used"]
        assert (used["steps"], used["width"], used["height"], used["sampler"]) == (3, 96, 104, "Euler a")
        assert used["model"] == "otter-mini"
        assert float(used["guidance_scale"]) < 30, "more than the model takes: its own counts"
        assert picture.body.count("The model set here, `no-such-model`, does not exist any more") == 1
        assert "at most 4 steps: `--steps 4`" in await refused(lab, room, "!draw otter --steps 5")
        (again,) = await lab.draw(room, "!again --steps 2", reply=picture.event_id)
        assert (again.record["used"]["steps"], again.record["used"]["width"]) == (2, 96)
    finally:
        await lab.configure()


async def test_an_unknown_flag(lab: Lab, room: str) -> None:
    assert "--steps" in await refused(lab, room, "!draw otter --stepps 3")


async def test_a_prompt_of_sixty_kilobytes(lab: Lab) -> None:
    """In a plain room: encrypted, such an event is too large for any homeserver."""
    room = await lab.room()
    answer = await refused(lab, room, "!draw " + "otter " * 9_500)
    assert "4000" in answer
    assert len(answer) < 500


async def test_a_long_prompt_in_an_encrypted_room(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    assert "4000" in await refused(lab, room, "!draw " + "otter " * 5_000)
    prompt = "öтter🦦 " * 500
    (picture,) = await lab.draw(room, f"!draw {prompt}{QUICK}")
    assert picture.record["used"]["prompt"] == prompt.strip()
    assert picture.content["m.mentions"] == {}


async def test_a_worker_that_does_not_take_our_token(lab: Lab, room: str, tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("not-the-token")
    await lab.configure(worker={"token_file": str(wrong)})
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK}")
    said = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.notice"), mark)
    assert "token" in said.body
    assert "not-the-token" not in lab.maubot.proc.log_text()
    await lab.configure()
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=60)


async def test_a_full_queue_says_so(lab: Lab, room: str) -> None:
    """The owner's limit is 72 open pictures: nine of eight fill it, the tenth request is refused."""
    mark = lab.user.mark()
    await lab.worker.api("POST", "/v1/pause", {})
    try:
        asked = [await lab.user.send(room, f"!draw otter {number} {QUICK} --count 8") for number in range(9)]
        for event in asked:
            await lab.user.wait_for(lab.reaction(event, "⏳"), mark)
        await lab.user.wait_all(lab.from_bot(room, msgtype="m.notice"), 9, mark, timeout=30)
        full = await lab.user.send(room, f"!draw badger {QUICK}")
        answer = await lab.user.wait_for(lab.reply_to(full, msgtype="m.notice"), mark)
        assert "waiting" in answer.body
        await lab.user.wait_for(lab.reaction(full, "❌"), mark)
        await lab.answer(room, "!cancel")
    finally:
        await lab.worker.api("POST", "/v1/resume")
    await lab.user.never(lab.from_bot(room, msgtype="m.image"), mark, within=1)
