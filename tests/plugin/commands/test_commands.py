"""What follows from a message, in a room with real neighbours."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from command_rig import ALICE, BOB, BOT, CATALOGUE, MOD, ROOM, Rig
from room_pictures import RECORD, USED, reply, thread

from otterbot import texts
from otterbot.chat.entries import FLOWING
from otterbot.commands import handle
from otterbot.config import DrawValues, LimitValues
from otterbot.matrix import event_content
from otterbot.requests.active import ActiveRequest
from otterbot.store.rows import Kind, Part
from otterbot.store.store import Commit
from otterbot.worker.info import Pause
from otterbot.worker.jobs import Job

# ---------------------------------------------------------------- who is heard


@pytest.mark.parametrize("body", ["hello", "!sketch otter", "!", "! wow"])
async def test_silence(rig: Rig, body: str) -> None:
    assert await rig.say(body) is None


async def test_strangers_get_silence(rig: Rig) -> None:
    assert await rig.say("!draw otter", sender="@alice:elsewhere") is None
    assert await rig.say("!help", sender="@alice:elsewhere") is None
    assert await rig.say("!help", sender=BOT) is None
    rig.values(allowed_users=())
    assert await rig.say("!help") is None
    rig.values(ignored_users=("@al*:{homeserver}",))
    assert await rig.say("!help") is None
    assert await rig.say("!help", sender=BOB) is not None


async def test_notices_are_other_bots(rig: Rig) -> None:
    assert await rig.say("!help", msgtype="m.notice") is None
    assert await rig.say("!help", msgtype="m.emote") is None


async def test_what_people_do_is_chat(rig: Rig) -> None:
    rig.homeserver.join("!dm:test", BOT, ALICE)
    assert await rig.say("waves", room="!dm:test", msgtype="m.emote") is not None
    assert rig.open[-1].kind == "chat"
    assert await rig.say("!draw otter", room="!dm:test", msgtype="m.emote") is None
    assert await rig.say("waves", msgtype="m.emote") is None, "here are others"


async def test_captions_are_heard(rig: Rig) -> None:
    body = await rig.drawn("!draw otter", msgtype="m.image", filename="a.png", url="mxc://a/b")
    assert body["prompt"] == "otter"
    assert body["init_image"] == {"event": rig.open[-1].event_id}
    assert await rig.say("photo.jpg", msgtype="m.image", url="mxc://a/b") is None


# ---------------------------------------------------------------- draw


async def test_draw_sends_what_was_typed(rig: Rig) -> None:
    """The worker fills in what is open: nobody asks for its catalogue first."""
    outcome = await rig.say("!draw otter, cowboy hat --steps 20")
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.kind == "image"
    body = dict(outcome.request.body or {})
    assert 0 <= body.pop("seed") < 2**32
    assert body == {
        "prompt": "otter, cowboy hat", "steps": 20, "count": 1, "layers": [], "most": {"steps": 200},
        "asked": {"prompt": "otter, cowboy hat", "steps": 20},
    }  # fmt: skip
    assert outcome.request.asked == {"prompt": "otter, cowboy hat", "steps": 20}
    assert outcome.request.notes == ()
    json.dumps(outcome.request.body)
    assert rig.services.worker.known_models is None


async def test_every_draw_has_another_seed(rig: Rig) -> None:
    assert len({(await rig.drawn("!draw otter"))["seed"] for _ in range(5)}) == 5
    assert (await rig.drawn("!draw otter --seed 5"))["seed"] == 5
    assert "seed" not in (await rig.drawn("!draw otter --seed random"))["asked"]


async def test_draw_before_the_worker_was_ever_seen(rig: Rig) -> None:
    await rig.worker.stop()
    body = await rig.drawn("!draw otter --size 700x500 --sampler whatever")
    body.pop("seed")
    asked = {"prompt": "otter", "width": 700, "height": 500, "sampler": "whatever"}
    assert body == {**asked, "count": 1, "layers": [], "most": {"steps": 200}, "asked": asked}


async def test_draw_with_a_worker_that_hangs_is_quick(rig: Rig) -> None:
    async def hang(*_: Any) -> Any:
        await asyncio.sleep(30)

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    from otterbot.worker.client import Address

    rig.services.worker._address = lambda: Address(url=f"http://127.0.0.1:{port}", token="t")
    begin = time.monotonic()
    await rig.drawn("!draw otter")
    assert time.monotonic() - begin < 3, "less than a hanging worker is waited for elsewhere"
    server.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("!draw", ["What shall I draw?", "`!draw otter, cowboy hat`"]),
        ("!draw otter --wings 3", ["`--wings`", "`!help draw`"]),
        ("!draw otter --stesp 3", ["Did you mean `--steps`?"]),
        ("!draw otter --steps 500", ["from 1 to 200", "`--steps 30`"]),
        ("!draw otter --cfg nan", ["`--cfg` takes a number from 0 to 30"]),
        ("!draw otter --ar 1:9", ["from 1:4 to 4:1", "`--ar 3:2`", "`square`"]),
        ("!draw otter --ar 3:2 --size 768", ["`--size` and `--ar` both"]),
        ("!draw otter --wide", ["Did you mean `--landscape`?"]),
        ("!draw otter --seed same", ["`!again --seed same`"]),
        ("!draw " + "x" * 4001, ["has 4001 characters", "at most 4000", "by 1"]),
        ("!draw otter --no " + "x" * 4001, ["4001"]),
        ("!again with wings", ["`!again +red scarf -cowboy hat`", "`!again --prompt …`"]),
    ],
)  # fmt: skip
async def test_refusals_say_what_to_do(rig: Rig, body: str, words: list[str]) -> None:
    said = await rig.answer(body)
    for word in words:
        assert word in said
    assert len(said) < 500


async def test_sizes_are_left_to_the_worker(rig: Rig) -> None:
    for typed, size in (("770x765", (770, 765)), ("100x4000", (100, 4000))):
        outcome = await rig.say(f"!draw otter --size {typed}")
        assert outcome is not None
        assert outcome.request is not None
        body = outcome.request.body or {}
        assert ((body["width"], body["height"]), outcome.request.notes) == (size, ())


async def test_a_shape_is_left_to_the_worker(rig: Rig) -> None:
    from otterbot.config import DrawValues

    rig.values(draw=DrawValues(size=(512, 512)))
    body = await rig.drawn("!draw otter --ar 3:2")
    assert (body["aspect"], body["asked"]) == ("3:2", {"prompt": "otter", "aspect": "3:2"})
    assert not body.keys() & {"width", "height"}
    body = await rig.drawn("!draw otter --portrait", msgtype="m.image", filename="a.png", url="mxc://a/b")
    assert body["aspect"] == "portrait"
    assert not body.keys() & {"width", "height"}


async def test_samplers_are_left_to_the_worker(rig: Rig) -> None:
    for typed in ("euler_a", "Euler Ancestral", "nope"):
        assert (await rig.drawn(f"!draw otter --sampler '{typed}'"))["sampler"] == typed


async def test_the_instances_defaults_are_a_layer(rig: Rig) -> None:
    ours = DrawValues(steps=50, cfg=9.0, size=(512, 384), count=2, negative_prompt="", sampler="euler a")
    rig.values(draw=ours, model="proteus")
    numbers = {
        "steps": 50, "guidance_scale": 9.0, "size": [512, 384], "sampler": "euler a", "negative_prompt": "",
    }  # fmt: skip
    instance = {"layer": "instance", "model": "proteus"}
    body = await rig.drawn("!draw otter --cfg 3")
    assert (body["layers"], body["count"], body["guidance_scale"]) == ([{**instance, **numbers}], 2, 3.0)
    assert not body.keys() & {"steps", "width", "sampler", "negative_prompt", "model"}
    await rig.say("!model sdxl-turbo", sender=MOD)
    room = {"layer": "room", "model": "sdxl-turbo"}
    assert (await rig.drawn("!draw otter"))["layers"] == [room, {**instance, **numbers}]
    assert (await rig.drawn("!draw otter", room="!other:test"))["layers"] == [{**instance, **numbers}]
    waiting = await rig.drawn("!again")
    assert waiting["layers"] == [room, {**instance, **numbers}], "of what has not been drawn yet"
    event = rig.homeserver.picture(ROOM, RECORD)
    for command in ("!again", "!again --model proteus", "!vary", "!upscale"):
        assert (await rig.drawn(command, **reply(event)))["layers"] == [room, instance], "a picture has its own numbers"


async def test_layers_of_a_waiting_picture_are_those_of_its_model(rig: Rig) -> None:
    rig.values(draw=DrawValues(steps=50))
    await rig.drawn("!draw otter --model proteus")
    assert (await rig.drawn("!again --model Proteus"))["layers"] == [{"layer": "instance", "steps": 50}]
    outcome = await rig.say("!again --model sdxl-turbo")
    assert outcome is not None
    assert outcome.request is not None
    assert (outcome.request.body or {})["layers"] == []
    assert outcome.request.notes == (texts.model_returned("sdxl-turbo"),)


async def test_somebodys_record_has_no_layers(rig: Rig) -> None:
    layers = [{"layer": "room", "model": "evil"}]
    event = rig.homeserver.picture(ROOM, {**RECORD, "layers": layers, "used": {**USED, "layers": layers}}, sender=BOB)
    assert (await rig.drawn("!again", **reply(event)))["layers"] == []


async def test_what_the_instance_allows(rig: Rig) -> None:
    rig.values(limits=LimitValues(count=2, steps=20, prompt_length=10))
    assert "at most 2 pictures" in await rig.answer("!draw otter --count 3")
    assert "at most 10" in await rig.answer("!draw otter with wings")
    for typed in ("!draw otter", "!draw otter --steps 21"):
        assert (await rig.drawn(typed))["most"] == {"steps": 20}, "the worker, which knows what a model takes, says it"


async def test_a_cfg_for_weights_is_listed(rig: Rig) -> None:
    rig.worker.catalogue = copy.deepcopy(CATALOGUE)
    rig.worker.catalogue["models"][0]["defaults"]["guidance_scale_weighted"] = 14.0
    assert "CFG 12 (14 with weights)" in await rig.answer("!models ssd-1b")
    assert "guidance_scale" not in await rig.drawn("!draw (otter)++")
    assert (await rig.drawn("!draw (otter)++ --cfg 7.5"))["guidance_scale"] == 7.5
    used = {**USED, "prompt": "(otter)++", "guidance_scale": "14.0"}
    event = rig.homeserver.picture(ROOM, {**RECORD, "used": used})
    assert (await rig.drawn("!again", **reply(event)))["guidance_scale"] == 14.0, "as it was drawn"
    used = {**USED, "model": "sdxl-turbo", "guidance_scale": "0.0"}
    event = rig.homeserver.picture(ROOM, {**RECORD, "asked": {"prompt": "otter"}, "used": used})
    other = await rig.drawn("!again --model ssd-1b", **reply(event))
    assert "guidance_scale" not in other, "another model has its own"


# ---------------------------------------------------------------- the room's model


async def test_moderators_set_the_model(rig: Rig) -> None:
    assert "power level 50" in await rig.answer("!model sdxl-turbo")
    assert await rig.answer("!model SDXL-Turbo", sender=MOD) == texts.model_set("sdxl-turbo")
    assert "`sdxl-turbo` draws in this room" in await rig.answer("!model")
    assert (await rig.drawn("!draw otter"))["layers"] == [{"layer": "room", "model": "sdxl-turbo"}]
    assert "**draws here**" in next(line for line in (await rig.answer("!models")).splitlines() if "turbo" in line)
    assert "Did you mean `ssd-1b`" in await rig.answer("!model ssd-1", sender=MOD)
    assert "`ssd-1b`" in await rig.answer("!model default", sender=MOD)
    assert (await rig.drawn("!draw otter"))["layers"] == []


async def test_moderators_set_safe_mode(rig: Rig) -> None:
    assert "safety" not in await rig.drawn("!draw otter")
    assert "power level 50" in await rig.answer("!settings safe on")
    assert "safety" not in await rig.drawn("!draw otter"), "a member has not changed it"
    assert await rig.answer("!settings Safe ON", sender=MOD) == texts.SAFE_MODE_ON
    assert "`safe`: on (room)" in await rig.answer("!settings all")
    assert (await rig.drawn("!draw otter"))["safety"] is True
    assert "safety" not in await rig.drawn("!draw otter", room="!other:test"), "other rooms have their own"
    assert "Safe mode: on" in await rig.answer("!settings safe")
    rig.values(draw=DrawValues(safe=True))
    assert await rig.answer("!settings safe off", sender=MOD) == texts.SAFE_MODE_OFF
    assert "safety" not in await rig.drawn("!draw otter")
    assert await rig.answer("!settings safe default", sender=MOD) == texts.SAFE_MODE_ON
    assert (await rig.drawn("!draw otter"))["safety"] is True


async def test_a_model_whose_file_is_broken(rig: Rig) -> None:
    problem = "The file half_*one*.safetensors is not complete: it holds no decoder (VAE)."
    broken = {"name": "half", "kind": "image", "about": "", "available": False, "default": False, "problem": problem}
    rig.worker.catalogue = {**rig.worker.catalogue, "models": [*rig.worker.catalogue["models"], broken]}
    assert "2 cannot be used: `!models all`" in await rig.answer("!models"), "sd15 has no files"
    said = next(line for line in (await rig.answer("!models all")).splitlines() if "half" in line)
    assert said.startswith("- `half`: The file half\\_\\*one\\*")
    for answer in (said, await rig.answer("!model half", sender=MOD)):
        assert "it holds no decoder (VAE)." in answer.replace("\\", "")


async def test_models_says_what_is_not_here(rig: Rig) -> None:
    def model(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "kind": "image", "about": "Nice.", "available": True, "default": False, **more}

    added = [
        model("fetched", here=False, download_bytes=4_540_000_000),
        model("barred", here=False, available=False, download_bytes=6_900_000_000),
        model("lost", here=False, available=False, download_bytes=None),
        model("present", here=True, download_bytes=None),
        model("of-an-old-worker"),
    ]
    rig.worker.catalogue = {**rig.worker.catalogue, "models": [*rig.worker.catalogue["models"], *added]}
    short = await rig.answer("!models")
    assert "1 more can be downloaded, 3 cannot be used: `!models all`." in short
    assert "`present` · Nice" in short
    lines = (await rig.answer("!models all")).splitlines()
    said = {line.split("`")[1]: line for line in lines if line.startswith("- `")}
    assert said["fetched"] == "- `fetched` 4.5 GB to download · Nice"
    assert said["barred"] == "- `barred` may not be downloaded · Nice"
    assert said["present"] == "- `present` · Nice"
    assert said["of-an-old-worker"] == "- `of-an-old-worker` · Nice"
    assert "downloads about 4.5 GB, about 6 min at 100 Mbit/s" in await rig.answer("!models Fetched")
    assert "which may not download it (about 6.9 GB)" in await rig.answer("!models barred")
    assert "which may not download it\n" in await rig.answer("!models lost")
    assert "about 6 min at 100 Mbit/s." in await rig.answer("!model fetched", sender=MOD)


async def test_models_fits_a_phone_and_one_is_told_in_full(rig: Rig) -> None:
    first = CATALOGUE["models"][0]
    many = [
        {**first, "name": f"model-{number:02}", "default": False, "about": "Rather good at some things, and at others."}
        for number in range(14)
    ]
    rig.worker.catalogue = {**CATALOGUE, "models": [*many, *CATALOGUE["models"]]}
    lines = (await rig.answer("!models")).splitlines()
    listed = [line for line in lines if line.startswith("- ")]
    assert listed[0] == "- `ssd-1b` **draws here** · All\\-round"
    assert len(listed) == 10
    assert "6 more here, 1 cannot be used: `!models all`." in lines
    for line in lines:
        assert len(re.sub(r"[*`\\]", "", line)) <= 47, "a bullet before it is no character"
    rig.worker.catalogue = {
        **CATALOGUE,
        "models": [{**first, "family": "sdxl", "samplers": ["UniPC"], "ignores": ["text"], "licence": "Apache-2.0"}],
    }
    rig.services.worker._models = None
    rig.worker.loras = [
        {"kind": "lora", "name": "fits", "family": "sdxl"},
        {"kind": "lora", "name": "other", "family": "sd"},
        {"kind": "embedding", "name": "word", "family": "sdxl"},
    ]
    said = await rig.answer("!models SSD-1B")
    for line in (
        "`ssd-1b`: All\\-round\\.",
        "- It is on the worker",
        "- If nobody says otherwise: 768×768, 30 steps, CFG 12, UniPC",
        "- Negative prompt: ugly",
        "- It takes sides from 256 to 1536 in multiples of 8, up to 1.57 megapixels; 1 to 100 steps; CFG up to 20",
        "- Samplers: UniPC",
        "- It does not do: text",
        "- LoRAs that fit: `fits`",
        "- Embeddings that fit: `word`",
        "- Licence: Apache\\-2\\.0",
    ):
        assert line in said.splitlines()
    assert "Did you mean `ssd-1b`" in await rig.answer("!models ssd-1c")


async def test_models_lists_loras_and_embeddings(rig: Rig) -> None:
    before = await rig.answer("!models")
    assert "LoRA" not in before
    assert await rig.answer("!models loras") == "The worker has no LoRAs and no embeddings."
    rig.worker.loras = [
        {"kind": "lora", "name": "penguin", "triggers": ["a *penguin*"], "size": 1, "family": "sd"},
        {"kind": "lora", "name": "plain", "triggers": [], "size": 1},
        {"kind": "lora", "name": "cut", "triggers": [], "problem": "is cut off", "new": 1},
        {"kind": "embedding", "name": "furball", "triggers": ["furball"]},
        {"kind": "embedding", "name": "learned_embeds", "triggers": ["<cat-toy>", "learned_embeds"]},
    ]
    assert "3 LoRAs, 2 embeddings: `!models loras`." in await rig.answer("!models")
    said = await rig.answer("!models loras")
    assert "LoRAs, as `<lora:NAME:0.8>` among the words: `penguin` (a \\*penguin\\*), `plain`." in said
    assert "Embeddings, by name: `furball`, `learned_embeds` (\\<cat\\-toy\\>)." in said
    assert said.endswith("\n\nCannot be used: `cut` is cut off.")
    bad = [{"kind": "lora", "name": f"b`{number}", "problem": f"is *bad*\n@room {'x' * 999}"} for number in range(7)]
    rig.worker.loras = bad
    said = await rig.answer("!models loras")
    line = next(line for line in said.splitlines() if line.startswith("Cannot be used: "))
    assert line.startswith("Cannot be used: `b'0` is \\*bad\\* \\@room xxx")
    assert line.endswith("; and 2 more.")
    assert line.count("`") == 2 * 5
    assert len(line) < 1000
    assert "LoRAs, as" not in said
    rig.worker.loras = [{"kind": "lora", "name": f"n{number}"} for number in range(40)]
    assert "`n29` and 10 more." in await rig.answer("!models loras")
    rig.worker.loras = None
    assert await rig.answer("!models") == before


async def test_a_lora_reaches_the_worker_and_again_keeps_it(rig: Rig) -> None:
    prompt = "otter <lora:penguin:-0.8>, <lora:pixel art:.5> hat"
    assert (await rig.drawn(f"!draw {prompt} --steps 12"))["prompt"] == prompt
    lora = {"name": "penguin", "weight": -0.8, "hash": "ab" * 32, "autov3": "ab" * 6}
    used = event_content.canonical({**USED, "prompt": prompt, "loras": [lora], "embeddings": []})
    assert used["loras"][0]["weight"] == "-0.8", "events hold no fractions"
    rig.homeserver.picture(ROOM, {**RECORD, "asked": {"prompt": prompt}, "used": used})
    assert (await rig.drawn("!again"))["prompt"] == prompt


EXPLAINED: dict[str, Any] = {
    "parser": "otterbot-3",
    "prompt": {
        "kind": "blend",
        "fragments": [
            {"text": "otter, ", "weight": 1.0, "part": 0, "chunk": 0},
            {"text": "*hat* @room", "weight": 1.21, "part": 0, "chunk": 0},
            {"text": "sea", "weight": 1, "part": 0, "chunk": 1},
            {"text": "fox", "weight": 0.5, "part": 1, "chunk": 0, "new": 1},
        ],
        "part_weights": [0.75, 0.25],
        "loras": [{"name": "penguin", "weight": 0.8}],
        "marks": ["blend"],
        "notes": ["AND is not supported here and was read as a comma."],
    },
    "negative_prompt": None,
}


async def test_a_prompt_is_explained_instead_of_drawn(rig: Rig) -> None:
    rig.worker.explained = EXPLAINED
    said = await rig.answer("!draw otter, (hat)++ --explain --no fog --steps 12")
    assert rig.worker.asked == [{"prompt": "otter, (hat)++", "negative_prompt": "fog"}]
    assert said.splitlines()[2:] == [
        r"- *part 1 of* \.blend\(\) × 0.75",
        r"- “otter\,”",
        r"- “\*hat\* \@room” × 1.21",
        "- *a new chunk*",
        "- “sea”",
        r"- *part 2 of* \.blend\(\) × 0.25",
        "- “fox” × 0.5",
        "- the LoRA penguin × 0.8",
        r"- AND is not supported here and was read as a comma\.",
    ]
    rig.worker.explained = {**EXPLAINED, "negative_prompt": {"fragments": []}}
    assert "*no words*" in await rig.answer("!draw otter —explain")
    rig.homeserver.picture(ROOM, RECORD)
    assert "fox" in await rig.answer("!again --explain")
    assert rig.worker.asked[-1] == {"prompt": "otter", "negative_prompt": None}
    assert "What shall I draw" in await rig.answer("!draw --explain")


async def test_a_prompt_that_nobody_can_explain(rig: Rig) -> None:
    assert await rig.answer("!draw otter --explain") == texts.EXPLAIN_UNKNOWN
    rig.worker.explained = {"prompt": {"fragments": [{}]}}
    assert await rig.answer("!draw otter --explain") == texts.EXPLAIN_AWAY
    await rig.worker.stop()
    assert await rig.answer("!draw otter --explain") == texts.EXPLAIN_AWAY


async def test_the_model_without_a_worker(rig: Rig) -> None:
    await rig.worker.stop()
    assert await rig.answer("!models") == texts.MODELS_UNKNOWN
    assert "worker's default" in await rig.answer("!model")
    assert "could not look" in await rig.answer("!model anything", sender=MOD)
    rig.homeserver.broken = True
    assert await rig.answer("!model x") == texts.POWER_UNKNOWN


# ---------------------------------------------------------------- again


async def test_again_takes_the_last_picture(rig: Rig) -> None:
    assert "no picture of mine" in await rig.answer("!again")
    rig.homeserver.picture(ROOM, {**RECORD, "used": {**USED, "prompt": "old"}})
    rig.homeserver.picture(ROOM, RECORD)
    rig.homeserver.picture(ROOM, {**RECORD, "used": {**USED, "prompt": "not ours"}}, sender=BOB)
    body = await rig.drawn("!again")
    assert body["prompt"] == "otter"
    assert body["seed"] != 7
    body.pop("seed")
    assert body == {
        **{name: value for name, value in USED.items() if name not in ("seed", "model_hash", "parser", "versions")},
        "count": 1, "layers": [], "most": {"steps": 200}, "asked": {"prompt": "otter", "steps": 30},
    }  # fmt: skip


async def test_again_with_changes(rig: Rig) -> None:
    event = rig.homeserver.picture(ROOM, RECORD)
    rig.homeserver.picture(ROOM, {**RECORD, "used": {**USED, "prompt": "a later one"}})
    body = await rig.drawn("!again --seed same --cfg 9", **reply(event))
    assert (body["seed"], body["guidance_scale"], body["prompt"], body["steps"]) == (7, 9.0, "otter", 30)
    assert body["asked"] == {"prompt": "otter", "steps": 30, "guidance_scale": 9.0}
    body = await rig.drawn("!again --seed 5 --count 3 --no hats", **reply(event))
    assert (body["seed"], body["count"], body["negative_prompt"]) == (5, 3, "hats")


async def test_the_same_comes_from_the_same_card(rig: Rig) -> None:
    event = rig.homeserver.picture(ROOM, {**RECORD, "used": {**USED, "versions": {"device": "GTX 1070"}}})
    assert (await rig.drawn("!again --seed same", **reply(event)))["card"] == "GTX 1070"
    assert (await rig.drawn("!again +hat", **reply(event)))["card"] == "GTX 1070", "with its seed"
    for line in ("!again", "!again --seed 5", "!again --seed same --count 3", "!vary"):
        assert "card" not in await rig.drawn(line, **reply(event)), line


@pytest.mark.parametrize("versions", [{}, [], {"device": 7}, {"device": ""}, {"device": "x" * 201}, None])
async def test_a_card_that_no_record_can_name(rig: Rig, versions: Any) -> None:
    event = rig.homeserver.picture(ROOM, {**RECORD, "used": {**USED, "versions": versions}})
    assert "card" not in await rig.drawn("!again --seed same", **reply(event))


async def test_again_with_another_model_returns_to_its_defaults(rig: Rig) -> None:
    used = {**USED, "steps": 12}
    rig.homeserver.picture(ROOM, {**RECORD, "asked": {"prompt": "otter", "steps": 12}, "used": used})
    outcome = await rig.say("!again --model sdxl-turbo --seed same")
    assert outcome is not None
    assert outcome.request is not None
    body = outcome.request.body or {}
    assert (body["model"], body["steps"], body["seed"]) == ("sdxl-turbo", 12, 7)
    assert not body.keys() & {"guidance_scale", "width", "sampler", "negative_prompt"}, "of which the model has its own"
    assert "`sdxl-turbo`" in outcome.request.notes[0]


@pytest.mark.parametrize(
    ("asked", "typed", "shape", "then"),
    [
        ({}, "--ar 2:3", (None, None, "2:3"), {"aspect": "2:3"}),
        ({"width": 768, "height": 768}, "--square", (None, None, "square"), {"aspect": "square"}),
        ({"aspect": "landscape"}, "", (768, 768, None), {"aspect": "landscape"}),
        ({"aspect": "landscape"}, "--size 512", (512, 512, None), {"width": 512, "height": 512}),
        ({"aspect": "landscape"}, "--model sdxl-turbo", (None, None, "landscape"), {"aspect": "landscape"}),
        ({"width": 768, "height": 768}, "--model sdxl-turbo", (768, 768, None), {"width": 768, "height": 768}),
        ({"aspect": "1:1", "width": 640, "height": 640}, "", (640, 640, None), {"width": 640, "height": 640}),
    ],
)
async def test_again_has_one_shape(
    rig: Rig, asked: dict[str, Any], typed: str, shape: tuple[int | None, int | None, str | None], then: dict[str, Any]
) -> None:
    """What is typed now takes the place of whatever was typed before; else the size is the one that was drawn."""
    event = rig.homeserver.picture(ROOM, {**RECORD, "asked": {"prompt": "otter", **asked}})
    body = await rig.drawn(f"!again {typed}", **reply(event))
    assert (body.get("width"), body.get("height"), body.get("aspect")) == shape
    assert {name: body["asked"].get(name) for name in then} == then
    assert body["asked"].keys() - {"model"} == {"prompt", *then}


async def test_again_on_the_request_or_its_status(rig: Rig) -> None:
    await rig.drawn("!draw otter")
    request = rig.open[-1]
    picture = rig.homeserver.picture(ROOM, RECORD)
    for part, event_id in (("picture/0", picture), ("status", "$status")):
        await rig.services.store.add_part(Part(key=request.key, part=part, room_id=ROOM, kind=Kind.MESSAGE))
        await rig.services.store.mark_sent(Part(key=request.key, part=part, room_id=ROOM, kind=Kind.MESSAGE), event_id)
    assert await rig.services.store.last_picture(ROOM) == picture
    for target in (request.event_id, "$status", picture):
        assert (await rig.drawn("!again --seed same", **reply(target)))["seed"] == 7


def about(rig: Rig, prompt: str) -> dict[str, Any]:
    return {**RECORD, "used": {**USED, "prompt": prompt}, "asked": {"prompt": prompt}}


@pytest.mark.parametrize("command", ["!again", "!vary"])
async def test_a_thread_on_a_picture_means_that_picture(rig: Rig, command: str) -> None:
    """Not the last one of the room, nor what somebody waits for there; a reply to another one means that."""
    otter = rig.homeserver.picture(ROOM, about(rig, "otter"))
    fox = rig.homeserver.picture(ROOM, about(rig, "fox"))
    comment = rig.homeserver.say(ROOM, BOB, "make it red")["event_id"]
    await rig.drawn("!draw badger")
    assert (await rig.drawn(command, **thread(otter)))["prompt"] == "otter"
    assert (await rig.drawn(command, **in_thread_to(otter, fox)))["prompt"] == "fox"
    assert (await rig.drawn(command, **in_thread_to(otter, comment)))["prompt"] == "otter"
    assert (await rig.drawn(command))["prompt"] == "otter", "what was asked for last"


def in_thread_to(root: str, event_id: str) -> dict[str, Any]:
    """A reply that somebody meant, inside of a thread."""
    relation = {**thread(root)["m.relates_to"], "is_falling_back": False, "m.in_reply_to": {"event_id": event_id}}
    return {"m.relates_to": relation}


async def test_other_threads(rig: Rig) -> None:
    """On words: what was drawn in there, else the room's last. On somebody's picture: a sentence."""
    rig.homeserver.picture(ROOM, about(rig, "fox"))
    words = rig.homeserver.say(ROOM, BOB, "let us draw")["event_id"]
    assert (await rig.drawn("!again", **thread(words)))["prompt"] == "fox"
    await rig.services.store.finish(rig.open[-1].key, "failed")
    relation = thread(words)
    await rig.drawn("!draw badger", **relation)
    assert (await rig.drawn("!again", sender=BOB, **relation))["prompt"] == "badger"
    photo = rig.homeserver.add(ROOM, BOB, "m.room.message", {"msgtype": "m.image", "body": "a.png", "url": "mxc://a/b"})
    said = await rig.answer("!again", **thread(photo["event_id"]))
    assert said == texts.thread_of_another_picture("!")
    assert await rig.answer("!again", **thread("$unknown")) == texts.PICTURE_UNREADABLE


@pytest.mark.parametrize("status", [401, 403, 404, 429, 502])
async def test_a_thread_that_cannot_be_asked_about(rig: Rig, status: int) -> None:
    """Nor is a proxy's page, or the refusal of our token, a "no"."""
    fox = rig.homeserver.picture(ROOM, about(rig, "fox"))
    rig.homeserver.trouble[fox] = [(status, {"errcode": "M_UNKNOWN_TOKEN"} if status == 401 else {})] * 2
    assert await rig.answer("!again", **thread(fox)) == texts.PICTURE_AWAY
    assert await rig.say("go on", **thread(fox)) is None
    assert (ROOM, fox) not in rig.services.chat_threads
    assert (await rig.drawn("!again", **thread(fox)))["prompt"] == "fox"


async def test_again_while_one_waits(rig: Rig) -> None:
    """Impatient people type it before the first one is there."""
    rig.homeserver.picture(ROOM, RECORD)
    first = await rig.drawn("!draw badger --steps 5")
    body = await rig.drawn("!again")
    assert body["prompt"] == "badger"
    assert body["seed"] != first["seed"]
    same = await rig.drawn("!again --seed same")
    assert same["seed"] == body["seed"], "that of the newest"
    assert same["asked"] == {"prompt": "badger", "steps": 5}
    assert (await rig.drawn("!again", sender=BOB))["prompt"] == "otter"


async def test_again_on_the_first_request_of_a_room_by_somebody_else(rig: Rig) -> None:
    await rig.worker.stop()
    await rig.drawn("!draw badger --cfg 7.5")
    body = await rig.drawn("!again --steps 4", sender=BOB)
    assert (body["prompt"], body["steps"], body["guidance_scale"]) == ("badger", 4, 7.5)


async def test_again_on_something_else(rig: Rig) -> None:
    other = rig.homeserver.say(ROOM, BOB, "nice!")["event_id"]
    rig.homeserver.picture(ROOM, RECORD)
    assert "not a picture that I drew" in await rig.answer("!again", **reply(other))
    assert await rig.answer("!again", **reply("$unknown")) == texts.PICTURE_UNREADABLE
    rig.homeserver.broken = True
    assert await rig.answer("!again") == texts.PICTURE_AWAY


@pytest.mark.parametrize(
    "used",
    [
        None, 5, [], {}, {**USED, "prompt": 5}, {**USED, "prompt": ""}, {**USED, "prompt": "x" * 5000},
        {**USED, "steps": 10**9}, {**USED, "steps": True}, {**USED, "steps": "30"}, {**USED, "steps": 0},
        {**USED, "width": -768}, {**USED, "guidance_scale": 1e308}, {**USED, "guidance_scale": "twelve"},
        {**USED, "seed": 2**32}, {**USED, "seed": 1.5}, {**USED, "model": "../passwd\n"},
        {**USED, "model": ["ssd-1b"]}, {**USED, "sampler": {}}, {**USED, "negative_prompt": 0},
        {**USED, "height": None}, {**USED, "prompt": "\ud800"},
    ],
)  # fmt: skip
async def test_hostile_records(rig: Rig, used: Any) -> None:
    event = rig.homeserver.picture(ROOM, {**RECORD, "used": used})
    assert "does not say how it was made" in await rig.answer("!again", **reply(event))


@pytest.mark.parametrize(
    "asked",
    [
        None, 5, {"steps": 10**9}, {"aspect": "9:1"}, {"aspect": 1.5}, {"aspect": "3:2\n"},
        {"init_image": "mxc://evil/x"}, {"prompt": ["x"]},
    ],
)  # fmt: skip
async def test_hostile_asked(rig: Rig, asked: Any) -> None:
    event = rig.homeserver.picture(ROOM, {**RECORD, "asked": asked})
    body = await rig.drawn("!again", **reply(event))
    assert body["asked"] == {"prompt": "otter"}
    assert "init_image" not in json.dumps(body)


# ---------------------------------------------------------------- queue and cancel


def job(request: Any, **more: Any) -> Job:
    return Job.read({"id": "j", "key": request.key, "kind": "image", "state": "queued", "place": 2, **more})


async def test_queue(rig: Rig) -> None:
    assert texts.QUEUE_EMPTY in await rig.answer("!queue")
    await rig.drawn("!draw otter **in** a [hat](http://x)")
    await rig.drawn("!draw secret of another room", room="!other:test")
    said = await rig.answer("!queue")
    assert "alice" in said
    assert "otter \\*\\*in\\*\\* a" in said
    assert texts.WAITS_FOR_WORKER in said
    assert "secret" not in said
    assert "Other rooms: 1 request." in said
    request = rig.open[0]
    rig.services.delivery._active.add(ActiveRequest(request=request, job=job(request)))
    rig.services.delivery.worker_state.away_since = None
    rig.services.delivery.worker_state.pause = Pause(paused=True)
    said = await rig.answer("!queue")
    assert "2 before this" in said
    assert "Done in" not in said
    assert "needed for something else" in said


async def test_cancel_own(rig: Rig) -> None:
    assert await rig.answer("!cancel") == texts.NOTHING_TO_CANCEL
    await rig.drawn("!draw one")
    await rig.drawn("!draw two")
    await rig.drawn("!draw three", sender=BOB)
    await rig.drawn("!draw four", room="!other:test")
    outcome = await rig.say("!cancel")
    assert outcome is not None
    assert outcome.reply is not None
    assert outcome.reply.text == texts.cancelled(2)
    assert outcome.cancel == (rig.open[0].key, rig.open[1].key)
    left = await rig.services.store.open_requests()
    assert {request.key for request in left} == {rig.open[2].key, rig.open[3].key}


async def test_cancel_takes_back_only_what_was_typed_before_it(rig: Rig) -> None:
    """Its room key came late, or a walk found it: the same person has gone on typing."""
    await rig.drawn("!draw before")
    late = rig.message("!cancel")
    await rig.drawn("!draw after")
    for timestamp in (late.timestamp, rig.open[0].sent_at * 1000):  # of one moment: it was typed second
        outcome = await handle(rig.services, replace(late, timestamp=int(timestamp)))
        assert outcome is not None
        assert outcome.cancel == (rig.open[0].key,)
    await rig.services.store.commit(Commit(mark=None, room_id=ROOM, cancel=[rig.open[0].key]))
    outcome = await handle(rig.services, late)
    assert outcome is not None
    assert outcome.reply is not None
    assert (outcome.cancel, outcome.reply.text) == ((), texts.NOTHING_TO_CANCEL)


async def test_cancel_all_spares_what_its_sender_typed_after_it(rig: Rig) -> None:
    """Of other people's requests it is not known: their homeserver may have another clock."""
    await rig.drawn("!draw before", sender=MOD)
    late = rig.message("!cancel all", sender=MOD)
    await rig.drawn("!draw after", sender=MOD)
    await rig.drawn("!draw another", sender=BOB)
    outcome = await handle(rig.services, late)
    assert outcome is not None
    assert outcome.cancel == (rig.open[0].key, rig.open[2].key)


async def test_cancel_one_spares_what_it_was_edited_into_after_it(rig: Rig) -> None:
    await rig.drawn("!draw before")
    [first] = rig.open
    late = rig.message("!cancel", **reply(first.event_id))
    edited = replace(first, key="edited", edit_id="$edit", sent_at=late.timestamp / 1000 + 1, created_at=9e6)
    await rig.services.store.commit(Commit(mark="$edit", room_id=ROOM, request=edited, cancel=[first.key]))
    outcome = await handle(rig.services, late)
    assert outcome is not None
    assert outcome.reply is not None
    assert (outcome.cancel, outcome.reply.text) == ((), texts.OVER_ALREADY)
    after = replace(late, timestamp=late.timestamp + 1000)
    outcome = await handle(rig.services, after)
    assert outcome is not None
    assert outcome.cancel == ("edited",)


async def test_cancel_one(rig: Rig) -> None:
    await rig.drawn("!draw one")
    await rig.drawn("!draw two")
    first, second = rig.open
    assert "somebody else's" in await rig.answer("!cancel", sender=BOB, **reply(first.event_id))
    assert await rig.answer("!cancel please", **reply(first.event_id)) == texts.cancelled(1)
    assert await rig.answer("!cancel", **reply(first.event_id)) == texts.OVER_ALREADY
    assert await rig.answer("!cancel", sender=MOD, **reply(second.event_id)) == texts.cancelled(1)
    assert await rig.answer("!cancel", **reply("$nothing")) == texts.NOT_A_REQUEST
    await rig.drawn("!draw elsewhere", room="!other:test")
    assert await rig.answer("!cancel", **reply(rig.open[-1].event_id)) == texts.NOT_A_REQUEST


async def test_cancel_all(rig: Rig) -> None:
    assert await rig.answer("!cancel all", sender=MOD) == texts.NOTHING_AT_ALL_TO_CANCEL
    await rig.drawn("!draw one")
    await rig.drawn("!draw two", sender=BOB)
    await rig.drawn("!draw elsewhere", room="!other:test")
    assert "`!cancel` takes back your own" in await rig.answer("!cancel all")
    assert await rig.answer("!cancel all", sender=MOD) == texts.cancelled(2)
    assert len(await rig.services.store.open_requests()) == 1
    assert "takes back all that you have" in await rig.answer("!cancel that")


# ---------------------------------------------------------------- status and help


async def test_status(rig: Rig) -> None:
    said = await rig.answer("!status")
    for word in ("Ready", "GTX 1070", "3.0 of 8.0 GiB free", "Queue: empty", "`llama3.2:3b`", "`ssd-1b`"):
        assert word in said
    rig.worker.info |= {
        "pause": {"paused": True, "until": time.time() + 3600}, "notice": "Pictures come from otter-mini, because *x*.",
        "queued": 3, "ollama": "unreachable", "gpu": {"device": "cpu", "name": "", "state": "idle"},
    }  # fmt: skip
    rig.services.config.warnings = ("`prefix` should be something.",)
    rig.services.warnings.append("Something else.")
    rig.services.worker._info = None
    said = await rig.answer("!status")
    for word in ("60 min more", "otter", "\\*x\\*", "3 pictures and answers", "Ollama does not answer", "`prefix`",
                 "Something else."):  # fmt: skip
        assert word in said


IMAGE, CHAT = {"name": "sd15", "bytes": 2**31}, {"name": "llama3.2:3b", "bytes": 2_800_000_000}
BOTH = "On the card: `sd15` with 2.0 GiB and `llama3.2:3b` with 2.6 GiB."
TURNS = "Picture model and chat model take turns"
LEASES: list[tuple[dict[str, Any] | None, str | None]] = [
    (None, None),
    ({"mode": "measured", "image": None, "chat": [], "together": None, "why": None}, None),
    (
        {"mode": "measured", "image": IMAGE, "chat": [CHAT], "together": True, "why": None, "new": "ignored"},
        f"- {BOTH} Picture model and chat model stay together.",
    ),
    (
        {"mode": "measured", "image": IMAGE, "chat": [], "together": False, "why": "It needs *all* of it"},
        f"- On the card: `sd15` with 2.0 GiB. {TURNS}. It needs \\*all\\* of it",
    ),
    (
        {"mode": "measured", "image": None, "chat": None, "together": False, "why": "Nobody answers"},
        f"- What the chat model has of the card, nobody could say. {TURNS}. Nobody answers",
    ),
    (
        {"mode": "exclusive", "image": IMAGE, "chat": [CHAT], "together": None, "why": None},
        f"- {BOTH} {TURNS}, as the worker's settings want it.",
    ),
]


@pytest.mark.parametrize(("lease", "line"), LEASES)
async def test_status_says_who_has_the_card(rig: Rig, lease: dict[str, Any] | None, line: str | None) -> None:
    rig.worker.info |= {"lease": lease}
    assert "On the card" not in await rig.answer("!status"), "too long for a phone"
    said = (await rig.answer("!status all")).splitlines()
    if line is None:
        assert not any("On the card" in one or "take turns" in one for one in said)
    else:
        assert line in said


async def test_a_warning_is_said_once_a_day_in_a_room(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.services.warnings.append("The disk is nearly full.")
    rig.worker.info |= {"notice": "Pictures come from otter-mini."}
    first = await rig.answer("!status")
    for word in ("⚠️ The disk is nearly full.", "⚠️ Pictures come from otter\\-mini\\."):
        assert word in first
    second = await rig.answer("!status")
    assert "⚠️" not in second
    assert "2 warnings as before: `!status all`" in second
    for line in second.splitlines():
        assert len(re.sub(r"[*`\\]", "", line)) <= 47, "as wide as a phone"
    assert "⚠️ The disk is nearly full." in await rig.answer("!status all")
    assert "⚠️ The disk is nearly full." in await rig.answer("!status", room="!other:test"), "other rooms read it, too"
    rig.services.warnings.append("Something new.")
    assert "⚠️ Something new." in await rig.answer("!status")
    await rig.services.store.move_row("UPDATE told SET at = at - $1 RETURNING what", 90_000.0)
    assert await rig.answer("!status") == first.rstrip() + "\n- ⚠️ Something new."
    await rig.worker.stop()
    rig.services.worker._info = None
    said = await rig.answer("!status")
    assert said.startswith(texts.WORKER_OFF)
    assert "warnings as before" in said


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
async def test_a_worker_with_another_clock(rig: Rig, ahead: float) -> None:
    rig.worker.ahead = ahead
    rig.worker.info |= {"pause": {"paused": True, "until": time.time() + ahead + 3600}}
    assert "60 min more" in await rig.answer("!status")


async def test_status_of_a_worker_that_is_off(rig: Rig) -> None:
    await rig.drawn("!draw otter")
    rig.worker.token = "another"
    assert "does not accept my token" in await rig.answer("!status")
    rig.services.worker._models = None
    assert await rig.answer("!models") == texts.WORKER_REFUSES_TOKEN
    await rig.worker.stop()
    said = await rig.answer("!status")
    assert said.startswith(texts.WORKER_OFF)
    assert "in this room: 1 request" in said


async def test_help(rig: Rig) -> None:
    said = await rig.answer("!help")
    for name in ("draw", "again", "chat", "models", "model", "queue", "cancel", "status", "help"):
        assert f"`!{name}" in said
        assert f"`!{name}" in await rig.answer(f"!help {name}")
        assert await rig.answer(f"!help !{name}") == await rig.answer(f"!{name} --help")
    assert await rig.answer("!help me") == said
    rig.values(prefix="otter:")
    assert "`otter: draw" in await rig.answer("otter: help")


# ---------------------------------------------------------------- chat


async def test_chat(rig: Rig) -> None:
    outcome = await rig.say("!chat why do otters hold hands?")
    assert outcome is not None
    assert outcome.request is not None
    assert (outcome.request.kind, outcome.request.body, outcome.request.asked) == ("chat", None, {})
    assert "`!chat why" in await rig.answer("!chat")


async def test_plain_text_where_two_are_alone(rig: Rig) -> None:
    rig.homeserver.join("!two:test", BOT, ALICE)
    outcome = await rig.say("why do otters hold hands?", room="!two:test")
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.kind == "chat"
    assert outcome.request.asked == {FLOWING: True}
    for silent in ("!wow", "!", "  ", ""):
        assert await rig.say(silent, room="!two:test") is None
    assert await rig.say("cat.jpg", room="!two:test", msgtype="m.image", url="mxc://a/b") is None
    assert await rig.say("hello", room="!two:test", sender="@x:elsewhere") is None
    from otterbot.config import ChatValues

    rig.values(chat=ChatValues(direct_messages=False))
    assert await rig.say("hello", room="!two:test") is None
    rig.values(chat=ChatValues(enabled=False))
    assert await rig.say("hello", room="!two:test") is None
    assert await rig.answer("!chat hello", room="!two:test") == texts.CHAT_OFF
    assert "!chat" not in await rig.answer("!help", room="!two:test")


async def test_where_two_are_alone_there_is_one_conversation(rig: Rig) -> None:
    room = "!two:test"
    rig.homeserver.join(room, BOT, ALICE)

    async def flows(text: str, **content: Any) -> bool:
        outcome = await rig.say(text, room=room, **content)
        assert outcome is not None
        assert outcome.request is not None
        return bool(outcome.request.asked.get(FLOWING))

    async def answer_to(text: str, **content: Any) -> str:
        await rig.say(text, room=room, **content)
        part = Part(key=rig.open[-1].key, part="chat/1", room_id=room, kind=Kind.MESSAGE)
        await rig.services.store.add_part(part)
        await rig.services.store.mark_sent(part, f"$answer{len(rig.open)}")
        return f"$answer{len(rig.open)}"

    assert await flows("hello")
    assert await flows("!chat hello")
    assert await flows("really?", **reply(await answer_to("hello")))
    root = rig.open[-1].event_id
    assert not await flows("in a thread", **thread(root))
    assert not await flows("!chat in a thread", **thread(root))
    assert not await flows("a reply to what stands in a thread", **reply(await answer_to("hello", **thread(root))))
    from otterbot.config import ChatValues

    rig.values(chat=ChatValues(direct_messages=False))
    assert not await flows("!chat hello")
    rig.values(chat=ChatValues())
    rig.homeserver.join(room, BOT, ALICE, BOB)
    assert not await flows("!chat hello")


async def test_threads_go_on(rig: Rig) -> None:
    await rig.say("!chat hello")
    root = rig.open[-1].event_id
    goes_on = await rig.say("and then?", sender=BOB, **thread(root))
    assert goes_on is not None
    assert goes_on.request is not None
    assert goes_on.request.kind == "chat"
    assert await rig.say("and then?", sender="@x:elsewhere", **thread(root)) is None
    await rig.drawn("!draw otter")
    assert await rig.say("nice", **thread(rig.open[-1].event_id)) is None
    other = rig.homeserver.say(ROOM, BOB, "lunch?")["event_id"]
    assert await rig.say("yes", **thread(other)) is None
    before = len(rig.homeserver.requests)
    assert await rig.say("no", **thread(other)) is None
    assert "event" not in [path for path in rig.homeserver.requests[before:] if path == other]


async def test_threads_of_a_database_that_is_gone(rig: Rig) -> None:
    mine = rig.homeserver.say(ROOM, BOB, "!chat hello")["event_id"]
    strangers = rig.homeserver.say(ROOM, "@x:elsewhere", "!chat hello")["event_id"]
    assert await rig.say("go on", **thread(mine)) is not None
    assert await rig.say("go on", **thread(strangers)) is None
    rig.homeserver.broken = True
    assert await rig.say("go on", **thread("$unknown")) is None
    assert (ROOM, "$unknown") not in rig.services.chat_threads


async def test_replies_to_answers_go_on(rig: Rig) -> None:
    await rig.say("!chat hello")
    part = Part(key=rig.open[-1].key, part="chat/1", room_id=ROOM, kind=Kind.MESSAGE)
    await rig.services.store.add_part(part)
    await rig.services.store.mark_sent(part, "$answer")
    assert await rig.say("really?", **reply("$answer")) is not None
    assert await rig.say("really?", **reply("$other")) is None


async def test_records_hold_fractions_as_text(rig: Rig) -> None:
    """Matrix events hold no fractions."""
    event = rig.homeserver.picture(ROOM, {**RECORD, "used": {**USED, "guidance_scale": "7.5"}})
    assert (await rig.drawn("!again", **reply(event)))["guidance_scale"] == 7.5
