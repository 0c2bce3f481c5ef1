"""Words by chance: each picture has its own, each can be made again, and what cannot be drawn is refused by name."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK

ANIMALS = "\ufeff# animals\n\n" + "\n".join(f"animal number {number}" for number in range(40))
HATS = "{red|green|blue|grey} hat"


def wildcard(lab: Lab, name: str, text: str) -> None:
    path = lab.worker.data / "wildcards" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def test_each_picture_has_words_of_its_own_and_comes_again(lab: Lab, room: str) -> None:
    wildcard(lab, "chance/animal.txt", ANIMALS)
    line = f"__chance/animal__, {HATS}"
    pictures = await lab.draw(room, f"!draw {line} --no {{text|frame}} --count 2 {QUICK}", count=2)
    used = [one.record["used"] for one in pictures]
    assert used[0]["prompt"] != used[1]["prompt"]
    assert all(one["prompt"].startswith("animal number ") and one["prompt"] in event.body
               for one, event in zip(used, pictures, strict=True))  # fmt: skip
    assert all(one["chance"] == {"prompt": line, "negative_prompt": "{text|frame}"} for one in used)
    said = (await lab.answer(room, "!info", reply=pictures[1].event_id)).body
    assert "Drawn from: __chance/animal__" in said

    wildcard(lab, "chance/animal.txt", "a fox")
    (same,) = await lab.draw(room, "!again --seed same", reply=pictures[1].event_id)
    assert same.record["used"] == used[1], "also where the file has changed"
    (anew,) = await lab.draw(room, "!again", reply=pictures[1].event_id)
    assert anew.record["used"]["prompt"].startswith("a fox, ")
    assert anew.record["used"]["chance"] == used[1]["chance"]


async def test_what_cannot_be_drawn_is_refused_and_what_may_come_is_explained(lab: Lab, room: str) -> None:
    wildcard(lab, "chance/loop.txt", "an otter\nthe __chance/loop__")
    wildcard(lab, "chance/animal.txt", ANIMALS)
    assert "names itself" in (await lab.answer(room, "!draw __chance/loop__")).body
    assert "`__chance/animal__`" in (await lab.answer(room, "!draw an __animals__")).body
    assert "lacks its closing" in (await lab.answer(room, "!draw {red|green hat")).body
    said = (await lab.answer(room, f"!draw {HATS} of a __chance/animal__ --seed 1 --explain")).body
    assert "one of “red”, “green”, “blue”, “grey”" in said
    assert "a line of chance/animal, which has 40 lines" in said.replace("`", "")
    assert "For example with the seed 1: “" in said
    said = (await lab.answer(room, "!wildcards chance")).body
    assert "__chance/animal__" in said.replace("`", "")
    assert "names itself" in said


async def test_a_worker_that_has_forgotten_draws_the_words_that_it_told(lab: Lab, room: str) -> None:
    wildcard(lab, "chance/animal.txt", ANIMALS)
    await lab.worker.api("POST", "/v1/pause", {})
    mark = lab.user.mark()
    with lab.worker_proxy.hold_after("POST", "/v1/jobs$", times=1) as held:
        asked = await lab.user.send(room, f"!draw __chance/animal__ --seed 3 --count 2 {QUICK}")
        await held.reached()
    await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
    [job] = await lab.worker.open_jobs()
    told = [job["resolved"]["prompt"], {**job["resolved"], **job["resolved"]["each"][1]}["prompt"]]
    await lab.worker.kill()
    lab.worker.empty()
    wildcard(lab, "chance/animal.txt", "a fox")
    await lab.worker.start()
    pictures = [*await lab.user.wait_all(lab.reply_to(asked, msgtype="m.image"), 2, mark, 60)]
    assert [one.record["used"]["prompt"] for one in pictures] == told
