"""A worker from before layers: it draws what it knows, and what it does not know is said."""

from __future__ import annotations

from typing import Any

import pytest
from plugin_rig import Rig
from worker_double import OLDER_KNOWS

from otterbot import texts

FEATURES = [
    "images", "chat", "events", "pause", "delivered", "img2img", "inpaint", "loras", "explain", "aspect",
    "safety", "variation", "control", "previews", "hires", "upscale",
]  # fmt: skip
ROOM = {"layer": "room", "model": "mine", "steps": 30, "negative_prompt": "fog"}
INSTANCE = {"layer": "instance", "model": "another", "steps": 12, "guidance_scale": 4.0, "size": [64, 96]}
MOST = {"steps": 200}


@pytest.fixture(autouse=True)
def older(rig: Rig) -> None:
    rig.worker_server.features, rig.worker_server.knows, rig.worker_server.resolves = list(FEATURES), OLDER_KNOWS, False


async def _drawn(rig: Rig, **body: Any) -> dict[str, Any]:
    request = await rig.ask(body={"layers": [], "most": MOST, **body})
    assert (await rig.done(request)).outcome == "succeeded", rig.bodies()
    sent: dict[str, Any] = rig.worker_server.submissions[-1]["request"]
    return sent


async def test_what_is_typed_is_drawn(rig: Rig) -> None:
    sent = await _drawn(rig, steps=7)
    assert sent.keys() <= OLDER_KNOWS
    assert sent["steps"] == 7


async def test_the_defaults_of_room_and_instance_hold(rig: Rig) -> None:
    sent = await _drawn(rig, layers=[ROOM, INSTANCE], negative_prompt="")
    names = ("model", "steps", "guidance_scale", "width", "height", "negative_prompt")
    assert [sent[name] for name in names] == ["mine", 30, 4.0, 64, 96, ""]


@pytest.mark.parametrize("size", [{"width": 32, "height": 32}, {"aspect": "3:2"}])
async def test_a_size_that_is_typed_stands(rig: Rig, size: dict[str, Any]) -> None:
    sent = await _drawn(rig, layers=[INSTANCE], **size)
    assert {name: sent[name] for name in ("width", "height", "aspect") if name in sent} == size


async def test_more_steps_than_are_allowed(rig: Rig) -> None:
    refused = await rig.done(await rig.ask(body={"layers": [], "most": {"steps": 20}, "steps": 21}))
    assert refused.outcome == "refused"
    await rig.until(lambda: any(texts.too_many_steps(20, None) in body for body in rig.bodies()))
    assert (await _drawn(rig, layers=[ROOM], most={"steps": 20}))["steps"] == 20
    await rig.until(lambda: any(texts.steps_lowered(20, 30) in body for body in rig.bodies()))


async def test_what_it_cannot_do_is_said(rig: Rig) -> None:
    """Defaults are left out; what was asked for is refused."""
    sent = await _drawn(rig, layers=[{"layer": "room", "style": ["watercolor"], "expand": True}], describe=True)
    assert sent.keys() <= OLDER_KNOWS
    for sentence in (
        texts.too_old_for_default("--style"),
        texts.too_old_for_default("--expand"),
        texts.DESCRIBE_OLD_WORKER,
    ):
        assert sum(sentence in body for body in rig.bodies()) == 1
    refused = await rig.done(await rig.ask(body={"layers": [], "most": MOST, "style": ["watercolor"]}))
    assert refused.outcome == "refused"
    await rig.until(lambda: any("too old for the setting `style`" in body for body in rig.bodies()))


async def test_a_worker_of_now_gets_all_of_it(rig: Rig) -> None:
    rig.worker_server.features, rig.worker_server.knows = [*FEATURES, "layers"], None
    assert (await _drawn(rig, layers=[ROOM]))["layers"] == [ROOM]
