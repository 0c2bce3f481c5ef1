"""Styles from a request to the record, and what becomes of them where a request is refused, expanded, or made again."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from core_lab import Json, image, settings, worker_here
from hollow_loras import ANY, put
from PIL import Image

from doubles.ollama import OllamaDouble
from otterbot_worker.api import build
from otterbot_worker.archive import reading, showing
from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.queue.input_rows import Input
from otterbot_worker.queue.model import CHAT_TEXT_SECONDS
from otterbot_worker.requests.input_images import Sources
from otterbot_worker.requests.refusal import Refused
from otterbot_worker.requests.resolve import resolve_image
from otterbot_worker.requests.styles import WHOLE
from otterbot_worker.schemas.requests import ImageRequest
from otterbot_worker.schemas.resolved import ResolvedRequest
from otterbot_worker.styles import StyleLibrary

CSV = "name,prompt,negative_prompt\nglow,painting of {prompt} with a glow,dull\nsharp,sharp,blurry\n"
GLOW: Json = {"name": "glow", "prompt": "painting of {prompt} with a glow", "negative_prompt": "dull"}
OWN: Json = {"name": "ours", "prompt": "in our way", "negative_prompt": ""}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(data_dir=tmp_path_factory.mktemp("data"), downloads_allowed=True)


@pytest.fixture
def library(tmp_path: Path) -> StyleLibrary:
    (tmp_path / "s.csv").write_text(CSV)
    return StyleLibrary(tmp_path)


def resolved(catalogue: Catalogue, library: StyleLibrary | None, **fields: Any) -> ResolvedRequest:
    body = {"prompt": "otter", "negative_prompt": "", "seed": 1, **fields}
    return resolve_image(ImageRequest.model_validate_json(json.dumps(body)), catalogue, "ssd-1b", styles=library)


def words(request: ResolvedRequest, index: int = 0) -> tuple[str, str]:
    picture = request.picture(index)
    return picture.prompt, picture.negative_prompt


# ---------------------------------------------------------------- which, and in which order


def test_styles_are_put_around_each_picture(catalogue: Catalogue, library: StyleLibrary) -> None:
    request = resolved(catalogue, library, style=["Glow", "sharp", OWN], negative_prompt="text", count=2)
    assert (request.prompt, request.negative_prompt) == ("otter", "text"), "as they were asked for"
    assert [style.name for style in request.styles] == ["glow", "sharp", "ours"]
    for index in range(2):
        assert words(request, index) == ("painting of otter with a glow, sharp, in our way", "text, dull, blurry")
        styled = request.picture(index).styled
        assert styled is not None
        assert dict(styled) == {"prompt": "otter", "negative_prompt": "text"}
    assert request.picture(1).seed == 2
    plain = resolved(catalogue, library)
    assert (plain.styles, plain.picture(0).styled) == ((), None)


def test_a_room_and_an_instance_may_be_used_to_some(catalogue: Catalogue, library: StyleLibrary) -> None:
    layers = [{"layer": "room", "style": [OWN]}, {"layer": "instance", "style": ["sharp"]}]
    assert words(resolved(catalogue, library, layers=layers))[0] == "otter, in our way"
    assert words(resolved(catalogue, library, layers=layers[1:]))[0] == "otter, sharp"
    assert words(resolved(catalogue, library, layers=layers, style=["glow"]))[0] == "painting of otter with a glow"
    assert words(resolved(catalogue, library, layers=layers, style=[]))[0] == "otter", "none at all"
    none = [{"layer": "room", "style": []}, layers[1]]
    assert words(resolved(catalogue, library, layers=none))[0] == "otter"


def test_what_is_usual_and_gone_stops_nothing(catalogue: Catalogue, library: StyleLibrary) -> None:
    request = resolved(catalogue, library, layers=[{"layer": "room", "style": ["gone\n", "sharp"]}])
    assert words(request)[0] == "otter, sharp"
    assert request.notes == ("The style gone� is usual here, and not there any more.",)


def test_an_unknown_one_is_refused_with_names_that_are_near(catalogue: Catalogue, library: StyleLibrary) -> None:
    with pytest.raises(Refused) as caught:
        resolved(catalogue, library, style=["sharp", "watercolour", "secret-words"])
    first, second = caught.value.problems
    assert (first.field, first.code, first.details["near"]) == ("request.style.1", "unknown_style", ["watercolor"])
    assert (second.field, second.details["near"]) == ("request.style.2", [])
    assert "secret" not in second.message


# ---------------------------------------------------------------- what follows from their words


def test_a_prompt_with_styles_has_its_bounds(catalogue: Catalogue, library: StyleLibrary) -> None:
    long = {"name": "long", "prompt": "x" * 3_998, "negative_prompt": ""}
    assert len(words(resolved(catalogue, library, prompt="y" * 4_000, style=[long]))[0]) == 8_000
    with pytest.raises(Refused) as caught:
        resolved(catalogue, library, prompt="y" * 4_000, style=[long, "sharp"])
    assert [(one.field, one.code) for one in caught.value.problems] == [("request.style", "too_long")]
    bomb = {"name": "bomb", "prompt": "{prompt}" * 500, "negative_prompt": ""}
    with pytest.raises(Refused):
        resolved(catalogue, library, prompt="y" * 4_000, style=[bomb])
    started = time.process_time()
    with pytest.raises(Refused):
        resolved(catalogue, library, prompt="y" * 40, style=[bomb] * 3)  # 5 GB of words
    assert time.process_time() - started < 2


def test_the_whole_prompt_takes_no_style(catalogue: Catalogue, library: StyleLibrary) -> None:
    both = '("otter", "sea").and()'
    with pytest.raises(Refused) as caught:
        resolved(catalogue, library, prompt=both, style=["sharp"])
    assert [(one.code, one.message) for one in caught.value.problems] == [("whole_prompt", WHOLE)]
    usual = resolved(catalogue, library, prompt=both, layers=[{"layer": "room", "style": ["sharp"]}])
    assert (words(usual)[0], usual.styles, usual.notes) == (both, (), (WHOLE,))


def test_weights_of_a_style_are_weights(catalogue: Catalogue, library: StyleLibrary) -> None:
    heavy = {"name": "heavy", "prompt": "(sharp:1.4)", "negative_prompt": ""}
    assert resolved(catalogue, library, model="sdxl").guidance_scale == 7.5
    assert resolved(catalogue, library, model="sdxl", style=["sharp"]).guidance_scale == 7.5
    assert resolved(catalogue, library, model="sdxl", style=[heavy]).guidance_scale == 13.0


def test_a_style_may_have_a_shape(catalogue: Catalogue) -> None:
    poster = resolved(catalogue, None, style=["movie-poster"])
    assert (poster.width, poster.height) == (624, 944)
    assert poster.notes == ("The style asks for the shape portrait.",)
    square = resolved(catalogue, None, style=["movie-poster"], aspect="square")
    assert (square.width, square.height, square.notes) == (768, 768, ())
    sized = resolved(catalogue, None, style=["movie-poster"], width=512, height=512)
    assert (sized.width, sized.height) == (512, 512)
    size = {"layer": "instance", "size": [512, 512]}
    usual = resolved(catalogue, None, layers=[{"layer": "room", "style": ["movie-poster"]}, size])
    assert (usual.width, usual.height) == (512, 512), "a size that somebody chose goes before one that nobody did"
    asked = resolved(catalogue, None, style=["movie-poster"], layers=[size])
    assert asked.width < asked.height


def test_an_upscaled_picture_has_its_own_styles_only(catalogue: Catalogue) -> None:
    start = Input(client="c", id="a" * 64, width=512, height=512, size=1, private=False, used_at=0.0, alpha=False)
    body = {"prompt": "", "seed": 1, "init_image": {"id": "a" * 64}, "upscale": 2}
    usual = {**body, "layers": [{"layer": "room", "style": ["watercolor"]}]}
    found = [
        resolve_image(ImageRequest.model_validate_json(json.dumps(one)), catalogue, "ssd-1b", Sources(start=start))
        for one in (usual, {**body, "prompt": "otter", "style": [GLOW]})
    ]
    assert [words(one)[0] for one in found] == ["", "painting of otter with a glow"]


# ---------------------------------------------------------------- through the worker


async def test_from_the_request_to_the_file_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "nothing")
    put(tmp_path / "loras" / "any.safetensors", ANY)
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "s.csv").write_text(CSV + "lora,<lora:any:0.5> shiny,\n")
    body: Json = {"prompt": "otter", "negative_prompt": "text", "model": "ssd-1b", "width": 256, "height": 256}
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(**body, style=["glow", "lora"], asked={"style": ["glow", "lora"]}))
        assert [style["name"] for style in job["resolved"]["styles"]] == ["glow", "lora"]
        done = await here.api.done(job["id"])
        result = done["pictures"][0]["result"]
        used = result["record"]["used"]
        drawn = "painting of otter with a glow, <lora:any:0.5> shiny"
        assert (used["prompt"], used["negative_prompt"]) == (drawn, "text, dull")
        assert used["styles"] == [GLOW, {"name": "lora", "prompt": "<lora:any:0.5> shiny", "negative_prompt": ""}]
        assert used["styled"] == {"prompt": "otter", "negative_prompt": "text"}
        assert [lora["name"] for lora in used["loras"]] == ["any"], "as if it stood in the prompt"
        assert result["record"]["asked"]["style"] == ["glow", "lora"]
        _, png = await here.api.call("GET", f"/v1/images/{result['image_id']}")
        parameters = Image.open(io.BytesIO(png)).info["parameters"]
        assert parameters.startswith(f"{drawn}\nNegative prompt: text, dull\n")
        _, sidecar = await here.api.call("GET", f"/v1/images/{result['image_id']}.yml")
        top = yaml.safe_load(sidecar)
        assert (top["prompt"], top["styles"], top["styled_from"]) == (drawn, ["glow", "lora"], "otter")

        (tmp_path / "otter.png").write_bytes(png)
        found = reading.read(tmp_path / "otter.png")
        assert (found.request["prompt"], found.request["style"][0]) == ("otter", GLOW)
        assert " --style glow,lora " in f"{showing.command(found.request)} "
        assert "The line names its styles" in showing.page(found)

        (tmp_path / "styles" / "s.csv").write_text("name,prompt\nlora,other words\n")
        same = await here.api.submit({**image("key-00002"), "kind": "resolved", "request": job["resolved"]})
        assert same["resolved"] == job["resolved"], "a client that submits it again gets the same words"
        status, refused = await here.api.call("POST", "/v1/jobs", image("key-00003", **body, style=["glow"]))
        assert (status, refused["code"]) == (422, "unknown_style")


async def test_styles_stand_around_what_a_language_model_wrote(tmp_path: Path) -> None:
    script = {"models": [{"name": "tiny"}], "rules": [{"when": "otter", "answer": "an otter at the sea"}]}
    async with OllamaDouble(script) as double:
        async with worker_here(settings(tmp_path, chat={"ollama_url": double.url})) as here:
            job = await here.api.submit(image(prompt="otter", style=[GLOW], expand=True))
            done = await here.api.done(job["id"])
    used = done["pictures"][0]["result"]["record"]["used"]
    assert used["prompt"] == "painting of an otter at the sea with a glow"
    assert used["styled"]["prompt"] == "an otter at the sea"
    assert used["expansion"]["prompt"] == "otter"
    assert "with a glow" not in json.dumps([one["body"] for one in double.requests if one["path"] == "/api/chat"])


async def test_the_words_of_an_encrypted_room_are_forgotten_with_the_rest(tmp_path: Path) -> None:
    secret = {"name": "canary", "prompt": "canary", "negative_prompt": "canary"}
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(private=True, style=[secret], asked={"style": ["canary"]}))
        done = await here.api.done(job["id"])
        await here.api.call("POST", f"/v1/images/{done['pictures'][0]['result']['image_id']}/delivered")
        await here.api.call("DELETE", f"/v1/images/{done['pictures'][0]['result']['image_id']}")
        await here.parts.store.forget(time.time() + 2 * CHAT_TEXT_SECONDS, private_requests=True)
        assert "canary" not in json.dumps(await here.api.job(job["id"]))
        stored = await here.parts.store.by_key("otterbot", "key-00001")
        assert stored is not None
        assert "canary" not in repr(stored)


async def test_the_list_and_how_words_are_explained(tmp_path: Path) -> None:
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "s.csv").write_text(CSV)
    (tmp_path / "styles" / "bad.json").write_text("{")
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, listed = await here.api.call("GET", "/v1/styles")
        assert status == 200
        assert listed["styles"][0] == {
            "name": "glow", "about": "painting of {prompt} with a glow", "group": "s.csv", "source": "file",
        }  # fmt: skip
        water = next(one for one in listed["styles"] if one["name"] == "watercolor")
        assert (water["group"], water["source"]) == ("painting", "catalogue")
        assert listed["problems"] == [{"name": "bad.json", "problem": "is no JSON from line 1 on"}]
        _, told = await here.api.call("GET", "/v1/info")
        assert "styles" in told["features"]

        body = {"prompt": "otter", "style": ["glow"]}
        _, explained = await here.api.call("POST", "/v1/prompts/explain", body)
        assert explained["prompt"]["fragments"][0]["text"] == "painting of otter with a glow"
        assert explained["negative_prompt"]["fragments"][0]["text"] == "dull"
        status, refused = await here.api.call("POST", "/v1/prompts/explain", {"prompt": "o", "style": ["glwo"]})
        assert (status, refused["code"], refused["fields"][0]["details"]["near"]) == (422, "unknown_style", ["glow"])


@pytest.mark.parametrize(
    "style",
    ["watercolor", [""], ["x" * 101], ["a"] * 9, [{"prompt": "p"}], [{"name": "n", "prompt": "p" * 4_001}], [7], [[]]],
)
def test_what_cannot_be_a_style(style: Any) -> None:
    with pytest.raises(ValueError, match="style"):
        ImageRequest.model_validate_json(json.dumps({"prompt": "otter", "seed": 1, "style": style}))
