"""What people read where the worker refuses: the sentences that say what to type instead."""

from __future__ import annotations

import time
from typing import Any

import pytest
from command_rig import ROOM, Rig

from otterbot import texts
from otterbot.errors import FieldProblem, WorkerRefused
from otterbot.requests.refusal_words import of_picture
from otterbot.store.rows import Request

SAMPLERS = ["UniPC", "Euler", "Euler a", "DPM++ 2M Karras"]
NEAREST = {"model": "ssd-1b", "least": 256, "most": 1536, "width": 256, "height": 768}


def refusal(field: str, code: str, **details: Any) -> WorkerRefused:
    """As the worker words it itself: it never repeats what was sent."""
    top = code if code == "unknown_model" else "invalid_request"
    problem = FieldProblem(field=f"request.{field}", code=code, message="Words of the worker.", details=details)
    return WorkerRefused(422, top, fields=(problem,))


def request(**body: Any) -> Request:
    return Request(
        key="k", room_id=ROOM, event_id="$e", sender="@a:test", kind="image", body={"prompt": "otter", **body},
        created_at=time.time(), expires_at=time.time() + 60,
    )  # fmt: skip


CASES: list[tuple[dict[str, Any], WorkerRefused, list[str]]] = [
    ({"model": "nope"}, refusal("model", "unknown_model", near=[]), ["`nope`", "`!models`"]),
    ({"model": "ssd1b"}, refusal("model", "unknown_model", near=["ssd-1b"]), ["`ssd1b`", "Did you mean `ssd-1b`?"]),
    ({"model": "Llama3.2:3B"}, refusal("model", "unknown_model", near=[]), ["`llama3.2:3b` is a chat model"]),
    ({"model": "sd15"}, refusal("model", "model_missing", model="sd15"), ["`sd15` are not on the worker", "`!models`"]),
    (
        {"model": "half"},
        refusal("model", "model_broken", model="half", problem="The file half_*one* is not complete."),
        ["`half` cannot be used. The file half\\_\\*one\\* is not complete"],
    ),
    ({"sampler": "nope"}, refusal("sampler", "unknown_sampler", near=[], known=SAMPLERS), ["`DPM++ 2M Karras`"]),
    (
        {"sampler": "unipcc"},
        refusal("sampler", "unknown_sampler", near=["UniPC"], known=SAMPLERS),
        ["the sampler `unipcc`", "Did you mean `UniPC`?"],
    ),
    (
        {"layers": [{"layer": "instance", "sampler": "nine"}]},
        refusal("sampler", "unknown_sampler", near=[], known=SAMPLERS),
        ["I do not know the sampler `nine`"],
    ),
    ({"steps": 150}, refusal("steps", "too_many", model="ssd-1b", most=100), ["`ssd-1b` takes at most 100 steps"]),
    ({"steps": 21}, refusal("steps", "not_allowed", most=20), ["Here I take at most 20 steps: `--steps 20`."]),
    (
        {"steps": 4},
        refusal("steps", "too_few", model="x", least=5, most=9),
        ["`x` needs at least 5 steps: `--steps 5`"],
    ),
    ({}, refusal("steps", "too_few", model="x", least=5), ["`x` needs at least 5 steps: `--steps 5`"]),
    (
        {},
        refusal("steps", "too_few", model="x", least=5, most=4),
        ["needs at least 5 steps, and here I take at most 4"],
    ),
    (
        {"guidance_scale": 9.0},
        refusal("guidance_scale", "too_large", model="sdxl-turbo", most=3.0),
        ["`sdxl-turbo` takes a CFG of at most 3: `--cfg 3`."],
    ),
    (
        {"width": 100, "height": 768},
        refusal("width", "bad_size", **NEAREST),
        ["`ssd-1b` draws sides from 256 to 1536 pixels", "`--size 256x768`"],
    ),
    ({}, refusal("height", "bad_size", **NEAREST), ["`--size 256x768`"]),
    (
        {"width": 1536, "height": 1536},
        refusal("width", "too_large", model="ssd-1b", width=1248, height=1248),
        ["too large for `ssd-1b`", "`--size 1248x1248`"],
    ),
]


@pytest.mark.parametrize(("body", "refused", "words"), CASES, ids=[" ".join(words)[:40] for _, _, words in CASES])
async def test_refusals_say_what_to_do(
    rig: Rig, body: dict[str, Any], refused: WorkerRefused, words: list[str]
) -> None:
    said = await of_picture(refused, request(**body), rig.services.worker, "!")
    assert said.startswith("❌ ")
    for word in words:
        assert word in said
    assert "Words of the worker" not in said
    assert len(said) < 500


@pytest.mark.parametrize("details", [{}, {"model": 7, "most": "many"}, {"model": ["x"], "most": None}, {"most": True}])
async def test_a_worker_that_says_less_is_quoted(rig: Rig, details: dict[str, Any]) -> None:
    for field, code in (("steps", "too_many"), ("width", "bad_size"), ("sampler", "unknown_sampler")):
        said = await of_picture(refusal(field, code, **details), request(sampler="x"), rig.services.worker, "!")
        assert said == "❌ Words of the worker\\."


async def test_names_in_refusals_are_no_markup(rig: Rig) -> None:
    odd = "a`b **c** @room"
    said = await of_picture(refusal("model", "unknown_model", near=[odd]), request(model=odd), rig.services.worker, "!")
    assert said.count("`a'b **c** @room`") == 2


async def test_a_chat_model_is_unknown_where_nobody_can_be_asked(rig: Rig) -> None:
    await rig.worker.stop()
    said = await of_picture(
        refusal("model", "unknown_model", near=[]), request(model="llama3.2:3b"), rig.services.worker, "otter:"
    )
    assert said == "❌ " + texts.unknown_model("llama3.2:3b", (), "otter:")


def test_two_sides_that_are_not_drawn_are_one_sentence() -> None:
    fields = [refusal(side, "bad_size", **NEAREST).fields[0] for side in ("width", "height")]
    said = texts.refused(WorkerRefused(422, "invalid_request", fields=tuple(fields)))
    assert said.count("The closest is") == 1
