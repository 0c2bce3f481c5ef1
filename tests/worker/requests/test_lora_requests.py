"""LoRAs and embeddings from a request to the record, with the real API and a double of the GPU process."""

from __future__ import annotations

import hashlib
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_lab import Json, image, settings, worker_here
from hollow_loras import ANY, LORA, put, tensors, whole
from PIL import Image

from otterbot_worker.api import build
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.loras import Library
from otterbot_worker.queue.model import CHAT_TEXT_SECONDS
from otterbot_worker.requests.loras import find_loras

FILE = tensors(LORA, **{"modelspec.trigger_phrase": "a penguin"})


@pytest.fixture(autouse=True)
def _nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "nothing")


def fill(folder: Path) -> None:
    """Files of both families; what is asked here of them is asked of an SDXL model."""
    put(folder / "loras" / "any.safetensors", ANY)
    put(folder / "loras" / "fail.safetensors", ANY)  # the double fails where this word stands in a prompt
    put(folder / "loras" / "sd.safetensors", FILE)
    put(folder / "loras" / "cut.safetensors", FILE[:-1])
    put(folder / "embeddings" / "furball.safetensors", tensors({"clip_l": [2, 768], "clip_g": [2, 1280]}))
    put(folder / "embeddings" / "hat.safetensors", tensors({"emb_params": [2, 768]}))


def image_xl(**fields: Any) -> Json:
    return image(model="ssd-1b", width=256, height=256, **fields)


async def test_a_record_holds_names_weights_and_hashes(tmp_path: Path) -> None:
    fill(tmp_path)
    prompt = "otter, <lora:fail:0.8> <lora:Any:-0.5> Furball, hat"
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image_xl(prompt=prompt, negative_prompt="<furball>"))
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded", "the tags are gone from what is drawn"
        result = done["pictures"][0]["result"]
        used = result["record"]["used"]
        digest = hashlib.sha256(ANY).hexdigest()
        assert [(lora["name"], lora["weight"], lora["hash"]) for lora in used["loras"]] == [
            ("fail", 0.8, digest),
            ("any", -0.5, digest),
        ]
        assert [(entry["token"], entry["name"]) for entry in used["embeddings"]] == [("furball", "furball")]
        assert used["prompt"] == prompt, "the record says what was typed, so that it can be asked for again"
        assert "is made for Stable Diffusion 1 and 2 models" in " ".join(result["notes"])
        _, png = await here.api.call("GET", f"/v1/images/{result['image_id']}")
        text = Image.open(io.BytesIO(png)).info["parameters"]
        short = used["loras"][0]["autov3"]
        assert len(short) == 12
        assert f'Lora hashes: "fail: {short}, any: {short}", TI hashes: "furball: ' in text
        _, sidecar = await here.api.call("GET", f"/v1/images/{result['image_id']}.yml")
        assert digest in sidecar.decode()


async def test_another_model_of_the_same_family_is_known_by_its_width(tmp_path: Path) -> None:
    fill(tmp_path)
    for name, width in (("right", 96), ("wrong", 48)):
        put(tmp_path / "loras" / f"{name}.safetensors", tensors(whole({"unet.x.attn2.to_k.lora_A.weight": [4, width]})))
    put(tmp_path / "embeddings" / "fur.safetensors", tensors({"clip_l": [1, 32], "clip_g": [1, 64]}))
    async with worker_here(settings(tmp_path), paused=True) as here:
        folder = tmp_path / "models" / "small"
        entry = replace(here.parts.catalogue.images["ssd-1b"], name="small", hub=None, folder=str(folder))
        wanted = find_loras("furball fur <lora:right:1> <lora:wrong:1>", "", entry, here.parts.library)
        assert [lora.name for lora in wanted.loras] == ["right", "wrong"], "not known yet"
        for component in ("unet", "vae", "text_encoder", "text_encoder_2"):
            put(folder / component / "model.safetensors", b"")
            put(folder / component / "config.json", b'{"cross_attention_dim": 96}')
        put(folder / "model_index.json", json.dumps({"unet": ["diffusers", "x"]}).encode())
        wanted = find_loras("furball fur <lora:right:1> <lora:wrong:1>", "", entry, here.parts.library)
        assert [lora.name for lora in wanted.loras] == ["right"]
        assert [problem.code for problem in wanted.problems] == ["lora_mismatch"]
        assert [embedding.name for embedding in wanted.embeddings] == ["fur"]
        assert wanted.notes == [
            f"The embedding furball is made for another model than {entry.name}; it was read as a word."
        ]


async def test_a_family_without_loras_refuses_them_and_reads_embeddings_as_words(tmp_path: Path) -> None:
    fill(tmp_path)
    async with worker_here(settings(tmp_path), paused=True) as here:
        entry = here.parts.catalogue.images["z-image-turbo"]
        wanted = find_loras("furball <lora:any:1>", "", entry, here.parts.library)
        assert [(problem.code, problem.message) for problem in wanted.problems] == [
            ("lora_mismatch", "The LoRA `any` cannot be used: no LoRA works with z-image-turbo.")
        ]
        assert (wanted.loras, wanted.embeddings) == ([], [])
        assert wanted.notes == [
            "The embedding furball cannot be used: no embedding works with z-image-turbo; it was read as a word."
        ]


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"prompt": "<lora:nobody:1>"}, "request.prompt", "unknown_lora", "There are: `any`, `fail`, `sd`."),
    ({"prompt": "<lora:any:1> <lora:../any:1>"}, "request.prompt", "unknown_lora", "LoRA number 2"),
    ({"prompt": "<lora:any:9>"}, "request.prompt", "bad_lora_weight", "from -4 to 4"),
    ({"prompt": "<lora:any:3> <lora:ANY:3>"}, "request.prompt", "bad_lora_weight", "from -4 to 4"),
    ({"prompt": "<lora:any"}, "request.prompt", "bad_lora", "closing"),
    ({"prompt": "<hypernet:any:1>"}, "request.prompt", "bad_lora", "Hypernetworks"),
    ({"prompt": "".join(f"<lora:{n}:1>" for n in range(9))}, "request.prompt", "too_many_loras", "at most 8"),
    ({"prompt": "<lora:cut:1>"}, "request.prompt", "lora_broken", "The LoRA `cut` is cut off."),
    ({"prompt": "<lora:sd:1>"}, "request.prompt", "lora_mismatch", "is made for Stable Diffusion 1 and 2 models"),
    ({"negative_prompt": "<lora:any:1>"}, "request.negative_prompt", "lora_in_negative", "belongs into the prompt"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
async def test_refusals_name_the_reason_and_not_what_was_sent(tmp_path: Path, number: int) -> None:
    fields, where, code, words = REFUSED[number]
    fill(tmp_path)
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", image_xl(**fields))
        assert status == 422
        found = next(field for field in problem["fields"] if field["code"] == code)
        assert found["field"] == where
        assert words in found["message"]
        assert "nobody" not in str(problem)
        assert problem["code"] == ("unknown_lora" if "unknown_lora" in str(problem["fields"]) else "invalid_request")


async def test_an_embedding_that_is_named_and_not_there_is_said_under_the_picture(tmp_path: Path) -> None:
    """ComfyUI's `embedding:NAME` is asked for by that; a word that is none is a word."""
    fill(tmp_path)
    said = "An embedding that is named with `embedding:` is not on the worker; it was read as words."
    prompts = {
        "otter, (embedding:nobody:1.2)": [said], "otter embedding:furball": [], "otter embedding:Furball.pt": [],
        "nobody": [],
    }  # fmt: skip
    async with worker_here(settings(tmp_path)) as here:
        for number, (prompt, notes) in enumerate(prompts.items()):
            for where, other in (("prompt", "negative_prompt"), ("negative_prompt", "prompt")):
                asked = image_xl(key=f"key-{number}-{where}", **{where: prompt, other: "a fox"})
                done = await here.api.done((await here.api.submit(asked))["id"])
                found = done["pictures"][0]["result"]["notes"]
                assert [note for note in found if "embedding" in note] == notes, prompt


async def test_a_worker_without_loras_says_where_they_belong(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        _, problem = await here.api.call("POST", "/v1/jobs", image(prompt="<lora:any:1>"))
        assert "the operator puts their files into `loras/`" in problem["detail"]
        assert (tmp_path / "loras").is_dir()
        assert (tmp_path / "embeddings").is_dir()


async def test_the_list(tmp_path: Path) -> None:
    fill(tmp_path)
    async with worker_here(settings(tmp_path), paused=True) as here:
        for _ in range(5):  # one file at least is hashed for each list
            status, answer = await here.api.call("GET", "/v1/loras")
            assert status == 200
            listed = {(entry["kind"], entry["name"]): entry for entry in answer["loras"]}
        assert listed["lora", "sd"] == {
            "kind": "lora",
            "name": "sd",
            "family": "sd",
            "triggers": ["a penguin"],
            "size": len(FILE),
            "hash": hashlib.sha256(FILE).hexdigest(),
            "problem": None,
        }
        assert listed["lora", "cut"]["problem"] == "is cut off"
        assert listed["embedding", "furball"]["family"] == "sdxl"


async def test_the_word_of_an_embeddings_file_calls_it(tmp_path: Path) -> None:
    for name, key in (("learned_embeds", "<Cat-Toy>"), ("mine", "<cat-toy>"), ("wide", "<wide>")):
        width = 1024 if name == "wide" else 768
        put(tmp_path / "embeddings" / f"{name}.safetensors", tensors({key: [2, width]}))
    put(tmp_path / "embeddings" / "easynegative.pt", b"anything")
    async with worker_here(settings(tmp_path)) as here:
        entry = here.parts.catalogue.images["sd15"]
        prompt = "an (otter with a <CAT-toy>)1.2, cat-toy, Learned_Embeds, <wide>, wide"
        wanted = find_loras(prompt, "easynegative, <wide>", entry, here.parts.library)
        assert [(one.token, one.name) for one in wanted.embeddings] == [
            ("<cat-toy>", "learned_embeds"),
            ("learned_embeds", "learned_embeds"),
        ]
        assert wanted.notes == [
            "The embedding wide is made for another model than sd15; it was read as a word.",
            "The embedding easynegative is a pickle, which can run code when it is opened: convert it to .safetensors; "
            "it was read as a word.",
        ]
        _, answer = await here.api.call("GET", "/v1/loras")
        listed = {entry["name"]: entry for entry in answer["loras"]}
        assert {name: entry["triggers"] for name, entry in listed.items()} == {
            "easynegative": [],
            "mine": ["mine"],
            "learned_embeds": ["<Cat-Toy>", "learned_embeds"],
            "wide": ["wide"],
        }
        assert (listed["easynegative"]["hash"], listed["easynegative"]["size"]) == (None, 8)
        assert "is a pickle" in listed["easynegative"]["problem"]


async def test_what_is_no_plain_lora_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "loras" / "dora.safetensors", tensors({**LORA, "lora_unet_mid_block_attn2_to_k.dora_scale": [4]}))
    put(tmp_path / "loras" / "half.safetensors", tensors(dict(list(LORA.items())[:1])))
    put(tmp_path / "loras" / "flux.safetensors", tensors(whole({"transformer.x.lora_A.weight": [4, 64]})))
    put(tmp_path / "loras" / "old.pt", b"anything")
    async with worker_here(settings(tmp_path), paused=True) as here:
        for name, why in (
            ("half", "lacks the half `up` of one of its layers"),
            ("dora", "is a DoRA, and only plain LoRAs can be drawn with"),
            ("Old", "is a pickle, which can run code when it is opened: convert it to .safetensors"),
        ):
            status, problem = await here.api.call("POST", "/v1/jobs", image(prompt=f"otter <lora:{name}:1>"))
            assert status == 422
            assert [(one["code"], one["message"]) for one in problem["fields"]] == [
                ("lora_broken", f"The LoRA `{name.lower()}` {why}.")
            ]
        _, problem = await here.api.call("POST", "/v1/jobs", image(prompt="otter <lora:flux:1>"))
        assert [one["code"] for one in problem["fields"]] == ["lora_mismatch"]
        _, answer = await here.api.call("GET", "/v1/loras")
        problems = {one["name"]: one["problem"].split()[0:3] for one in answer["loras"]}
        assert problems == {
            "dora": ["is", "a", "DoRA,"], "flux": ["is", "made", "for"], "half": ["lacks", "the", "half"],
            "old": ["is", "a", "pickle,"],
        }  # fmt: skip


async def test_a_file_that_went_away_while_it_waited_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    async with worker_here(settings(tmp_path), paused=True) as here:
        job = await here.api.submit(image(prompt="<lora:any:1> otter"))
        (tmp_path / "loras" / "any.safetensors").unlink()
        await here.parts.dispatcher.resume()
        error = (await here.api.done(job["id"]))["pictures"][0]["error"]
        assert (error["code"], error["message"]) == ("lora_missing", "The LoRA any is not on the worker any more.")
        assert (await here.api.done((await here.api.submit(image("key-00002")))["id"]))["state"] == "succeeded"


async def test_what_is_forgotten_is_forgotten_with_its_loras(tmp_path: Path) -> None:
    fill(tmp_path)
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="otter furball hat <lora:any:0.5>", private=True))
        done = await here.api.done(job["id"])
        picture = done["pictures"][0]["result"]["image_id"]
        assert (await here.api.call("POST", f"/v1/images/{picture}/delivered"))[0] in (200, 204)
        await here.parts.store.forget(time.time() + 2 * CHAT_TEXT_SECONDS, private_requests=True)
        after = await here.api.job(job["id"])
        assert [after["request"][name] for name in ("prompt", "loras", "embeddings", "notes")] == ["", [], [], []]
        result = after["pictures"][0]["result"]
        used = result["record"]["used"]
        assert [used["prompt"], used["loras"], used["embeddings"], result["notes"]] == ["", [], [], []]


def test_shapes_go_before_what_the_trainer_noted(tmp_path: Path) -> None:
    """Settings are copied from one training to the next: a LoRA of SDXL's that notes SD 1 was refused."""
    (tmp_path / "mine" / "unet").mkdir(parents=True)
    (tmp_path / "mine" / "unet" / "config.json").write_text('{"cross_attention_dim": 96}')
    entry = replace(load_catalogue(data_dir=tmp_path).images["sdxl"], hub=None, folder=str(tmp_path / "mine"))
    for width in (96, 64):
        shapes = {"lora_unet_mid_block_attn2_to_k.lora_down.weight": [4, width]}
        put(tmp_path / "loras" / f"w{width}.safetensors", tensors(whole(shapes), ss_base_model_version="sd_v1"))
    library = Library(tmp_path)
    wanted = find_loras("otter <lora:w96:1>", "", entry, library)
    assert (wanted.problems, [lora.name for lora in wanted.loras]) == ([], ["w96"])
    [problem] = find_loras("otter <lora:w64:1>", "", entry, library).problems
    assert "is made for another model than sdxl" in problem.message
