"""A homeserver with its default rate limits: ten events at once, then one in five seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab import Lab
from lab.lab import INSTANCE

from .conftest import QUICK


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "limits", limits=True) as lab:
        yield lab


async def test_every_picture_comes_though_the_homeserver_says_429(lab: Lab) -> None:
    """Twelve pictures are more than the burst; the homeserver's refusals are obeyed and nothing is lost."""
    room = await lab.room(encrypted=True)
    mark = lab.user.mark()
    first = await lab.user.send(room, f"!draw otter --seed 100 {QUICK} --count 6 --separate")
    second = await lab.user.send(room, f"!draw badger --seed 200 {QUICK} --count 6 --separate")
    await lab.user.wait_all(lab.from_bot(room, msgtype="m.image"), 12, mark, timeout=120)
    pictures = await lab.pictures(room)
    seeds = sorted(picture.seed for picture in pictures)
    assert seeds == [*range(100, 106), *range(200, 206)]
    assert {picture.event.replies_to for picture in pictures} == {first, second}
    sends = [line for line in lab.matrix_proxy.log if line.startswith("PUT") and "/send/" in line]
    assert len(sends) < 60, "refusals are waited out, not hammered at"


async def test_how_it_was_slowed_down_is_measured(lab: Lab) -> None:
    """At the path of the plugin's instance in Maubot, for whoever has the operator's token."""
    token = "a-long-random-word"
    assert (await metrics(lab, token))[0] == 404
    await lab.configure(metrics={"token": token})
    assert (await metrics(lab, None))[0] == 401
    before, room = await samples(lab, token), await lab.room()
    answer = {"errcode": "M_LIMIT_EXCEEDED", "error": "", "retry_after_ms": 700}
    with lab.matrix_proxy.fail("PUT", "/send/", 429, answer, times=1):
        await lab.draw(room, f"!draw otter --seed 120 {QUICK}", timeout=120)
        after = await samples(lab, token)
    grown = {name: value - before[name] for name, value in after.items()}
    assert grown["throttled_total"] >= 1
    assert grown["throttled_seconds_total"] >= 0.7
    assert grown['sent_total{rank="result"}'] >= 1
    assert after["worker_connected"] == 1


async def metrics(lab: Lab, token: str | None) -> tuple[int, str]:
    address = f"{lab.maubot.url}/_matrix/maubot/plugin/{INSTANCE}/metrics"
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as http, http.get(address, headers=headers) as response:
        return response.status, await response.text()


async def samples(lab: Lab, token: str) -> dict[str, float]:
    """By the names after ``otterbot_plugin_``."""
    status, text = await metrics(lab, token)
    assert status == 200
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix("otterbot_plugin_"): float(value) for name, value in lines}


async def test_twenty_reactions_within_a_second(lab: Lab) -> None:
    """Two people press five emoji each on two pictures: three of them are the same one, and 👍 means nothing."""
    operator = await lab.synapse.register("second-operator", admin=True)
    for person in (lab.user.id, lab.admin.id):
        await lab.synapse.lift_limits(person, operator)  # what is limited is the bot
    await lab.configure(reactions={"offer": "🔁 🎲"})
    room = await lab.room(encrypted=True)
    pictures = await lab.draw(room, f"!draw otter --seed 300 {QUICK} --size 96x96 --count 2", count=2, timeout=120)
    mark = lab.user.mark()
    await asyncio.gather(
        *(
            person.react(room, picture.event_id, emoji)
            for picture in pictures
            for person in (lab.user, lab.admin)
            for emoji in ("🔁", "🔁\ufe0f", "🔄", "👍", "⬆️")
        )
    )
    wanted = {picture.event_id: lab.reply_to(picture.event_id, msgtype="m.image") for picture in pictures}
    is_result = lambda event: any(same(event) for same in wanted.values())  # noqa: E731
    found = await lab.user.wait_all(is_result, 8, mark, timeout=180)
    for target in wanted:
        said = [(event.body.splitlines()[-1]) for event in found if event.replies_to == target]
        assert sorted(said) == sorted(
            f"{emoji} for {name}" for emoji in ("🔁", "⬆️") for name in ("member", "moderator")
        )
    await lab.user.never(is_result, mark + len(lab.user.events[mark:]), within=2.0)
    jobs = (await lab.worker.api("GET", "/v1/jobs"))["jobs"]
    assert not [job for job in jobs if job["owner"] == lab.bot], "its own reactions lead to nothing"


async def test_what_an_operator_does_against_it(lab: Lab) -> None:
    operator = await lab.synapse.register("operator", admin=True)
    await lab.synapse.lift_limits(lab.bot, operator)
    room = await lab.room()
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK} --count 8 --separate")
    await lab.user.wait_all(lab.reply_to(asked, msgtype="m.image"), 8, mark, timeout=60)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=10)
