"""What is taken where a request leaves something open: the room's, the instance's, the model's; and what is allowed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bad_values import Contract, wrong
from core_lab import Json, image, settings, worker_here

from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.queue.input_rows import Input
from otterbot_worker.requests.input_images import Sources
from otterbot_worker.requests.refusal import Refused
from otterbot_worker.requests.resolve import resolve_image
from otterbot_worker.sampling import samplers
from otterbot_worker.schemas.jobs import FieldProblem
from otterbot_worker.schemas.requests import ImageRequest, Layer
from otterbot_worker.schemas.resolved import ResolvedRequest


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(data_dir=tmp_path_factory.mktemp("data"), downloads_allowed=True)


def changed(catalogue: Catalogue, name: str, **changes: Any) -> Catalogue:
    """With other limits, or other defaults, of one model."""
    entry = catalogue.images[name]
    parts = {part: replace(getattr(entry, part), **fields) for part, fields in changes.items()}
    entries: dict[str, ModelEntry] = {**catalogue.images, name: replace(entry, **parts)}
    return Catalogue(entries, downloads_allowed=True)


def sent(width: int, height: int) -> Sources:
    start = Input(client="c", id="a" * 64, width=width, height=height, size=1, private=False, used_at=0.0, alpha=True)
    return Sources(start=start, mask=start)


def resolved(catalogue: Catalogue, *layers: Json, sources: Sources | None = None, **fields: Any) -> ResolvedRequest:
    """The worker's default is ssd-1b: 30 steps, CFG 12, 768x768, UniPC."""
    body = {"prompt": "otter", "seed": 1, **fields}
    request = ImageRequest.model_validate_json(json.dumps({**body, "layers": layers}))
    return resolve_image(request, catalogue, "ssd-1b", sources)


def refused(catalogue: Catalogue, *layers: Json, **fields: Any) -> FieldProblem:
    with pytest.raises(Refused) as caught:
        resolved(catalogue, *layers, **fields)
    return caught.value.problems[0]


def of_instance(**fields: Any) -> Json:
    return {"layer": "instance", **fields}


def of_room(**fields: Any) -> Json:
    return {"layer": "room", **fields}


# ---------------------------------------------------------------- defaults


def test_what_is_typed_comes_first_then_the_layers_then_the_model(catalogue: Catalogue) -> None:
    instance = of_instance(steps=50, guidance_scale=9.0, size=[512, 384], sampler="euler a", negative_prompt="fog")
    bare = resolved(catalogue)
    own = catalogue.images["ssd-1b"].defaults
    assert (bare.steps, bare.guidance_scale, bare.width, bare.height) == (30, 12.0, 768, 768)
    assert (bare.sampler, bare.negative_prompt) == (own.sampler, own.negative_prompt)
    ours = resolved(catalogue, instance)
    assert (ours.steps, ours.guidance_scale, ours.width, ours.height) == (50, 9.0, 512, 384)
    assert (ours.sampler, ours.negative_prompt, ours.notes) == ("Euler a", "fog", ())
    typed = resolved(
        catalogue, instance, steps=7, guidance_scale=0, width=640, height=640, sampler="ddim", negative_prompt=""
    )
    assert (typed.steps, typed.guidance_scale, typed.width, typed.height) == (7, 0.0, 640, 640)
    assert (typed.sampler, typed.negative_prompt) == ("DDIM", "")
    both = resolved(catalogue, of_room(steps=40), instance)
    assert (both.steps, both.guidance_scale) == (40, 9.0), "the first that says something of it"
    assert resolved(catalogue, of_instance(negative_prompt="")).negative_prompt == ""


def test_defaults_give_way_to_what_a_model_takes(catalogue: Catalogue) -> None:
    """Nobody typed them, so nothing is said."""
    own = changed(catalogue, "ssd-1b", limits={"steps_min": 5, "steps_max": 100, "guidance_scale_max": 20.0})
    sizes = ([4096, 4096], [1536, 1536], [128, 512], [516, 512], [500, 500])
    for layer in ({"steps": 4}, {"steps": 101}, {"guidance_scale": 20.5}, *({"size": size} for size in sizes)):
        assert resolved(own, of_instance(**layer)) == resolved(own)
    turbo = resolved(catalogue, of_instance(steps=50, guidance_scale=9.0, size=[512, 512]), model="sdxl-turbo")
    defaults = catalogue.images["sdxl-turbo"].defaults
    assert (turbo.steps, turbo.guidance_scale) == (defaults.steps, defaults.guidance_scale)
    assert turbo.notes == ()


def test_what_a_room_has_set_and_a_model_does_not_take_is_said(catalogue: Catalogue) -> None:
    room = of_room(steps=50, guidance_scale=9.0, size=[1536, 1024])
    turbo = resolved(catalogue, room, of_instance(steps=60), model="sdxl-turbo")
    assert (turbo.steps, turbo.guidance_scale, turbo.width) == (4, 0.0, 512)
    assert turbo.notes == (
        "This room's 50 steps were left out: sdxl-turbo takes 1 to 20.",
        "This room's CFG 9 was left out: sdxl-turbo takes at most 3.",
        "This room's size, 1536x1024, was left out: sdxl-turbo does not draw it.",
    )
    typed = {"steps": 3, "guidance_scale": 1.0, "aspect": "3:2"}
    assert resolved(catalogue, room, model="sdxl-turbo", **typed).notes == (), "what is typed takes their place"
    start = {"init_image": {"id": "a" * 64}}
    of_picture = resolved(catalogue, of_room(size=[1536, 1024]), model="sdxl-turbo", sources=sent(512, 512), **start)
    assert of_picture.notes == ()
    ours = resolved(catalogue, room)
    assert (ours.steps, ours.guidance_scale, ours.width, ours.height, ours.notes) == (50, 9.0, 1536, 1024, ())
    assert resolved(catalogue, of_room(steps=201 - 1), of_instance(steps=10), model="sdxl-turbo").steps == 10


def test_a_default_sampler_that_a_model_does_not_take(catalogue: Catalogue) -> None:
    layer = of_instance(sampler="dpm++ 2m karras")
    assert resolved(catalogue, layer).sampler == "DPM++ 2M Karras"
    flow = resolved(catalogue, layer, model="z-image-turbo")
    assert flow.sampler == catalogue.images["z-image-turbo"].defaults.sampler
    typed = refused(catalogue, layer, model="z-image-turbo", sampler="ddim")
    assert typed.code == "sampler_mismatch", "typed is typed"
    assert (problem := refused(catalogue, of_instance(sampler="nine"))).code == "unknown_sampler"
    assert problem.field == "request.sampler"
    assert resolved(catalogue, of_instance(sampler="nine"), sampler="euler").sampler == "Euler"


def test_a_default_size_is_none_of_a_picture_or_a_shape(catalogue: Catalogue) -> None:
    layer = of_instance(size=[512, 512])
    assert resolved(catalogue, layer).width == 512
    shape = resolved(catalogue, layer, aspect="3:2")
    assert (shape.width, shape.height) == (944, 624), "that shape at the model's own number of pixels"
    start = {"init_image": {"id": "a" * 64}}
    one = resolved(catalogue, layer, sources=sent(640, 960), **start)
    assert (one.width, one.height) == (640, 960)
    larger = resolved(catalogue, layer, sources=sent(512, 512), **start, upscale=2)
    assert (larger.width, larger.height) == (1024, 1024)
    alone = resolved(catalogue, layer, width=640)
    assert (alone.width, alone.height) == (640, 768)


def test_an_operators_cfg_goes_before_the_one_for_weights(catalogue: Catalogue) -> None:
    own = changed(catalogue, "ssd-1b", defaults={"guidance_scale_weighted": 14.0}, limits={"guidance_scale_max": 20.0})
    weighted = {"prompt": "(otter)++"}
    assert resolved(own, **weighted).guidance_scale == 14.0
    assert resolved(own).guidance_scale == 12.0
    assert resolved(own, **weighted, guidance_scale=7.5).guidance_scale == 7.5
    assert resolved(own, of_instance(guidance_scale=9.0), **weighted).guidance_scale == 9.0
    assert resolved(own, of_instance(guidance_scale=25.0), **weighted).guidance_scale == 14.0, "more than it takes"


# ---------------------------------------------------------------- what is allowed


def test_what_a_client_allows(catalogue: Catalogue) -> None:
    lowered = resolved(catalogue, most={"steps": 20})
    assert (lowered.steps, lowered.notes) == (20, ("At most 20 steps are allowed here; 30 are usual.",))
    lowered = resolved(catalogue, of_instance(steps=25), most={"steps": 20})
    assert (lowered.steps, lowered.notes) == (20, ("At most 20 steps are allowed here; 25 are usual.",))
    assert resolved(catalogue, steps=20, most={"steps": 20}).notes == ()
    problem = refused(catalogue, steps=21, most={"steps": 20})
    assert (problem.field, problem.code, problem.details) == ("request.steps", "not_allowed", {"most": 20})
    own = changed(catalogue, "ssd-1b", limits={"steps_max": 100})
    problem = refused(own, steps=150, most={"steps": 120})
    assert (problem.code, problem.details) == ("too_many", {"model": "ssd-1b", "most": 100}), "the model takes less"
    assert refused(own, steps=150, most={"steps": 90}).code == "not_allowed"
    assert refused(own, steps=150).details == {"model": "ssd-1b", "most": 100}


def test_fewer_steps_than_a_model_takes(catalogue: Catalogue) -> None:
    own = changed(catalogue, "ssd-1b", limits={"steps_min": 5})
    problem = refused(own, steps=4)
    assert (problem.code, problem.details) == ("too_few", {"model": "ssd-1b", "least": 5})
    for fields in ({}, {"steps": 30}, {"steps": 3}):
        problem = refused(own, **fields, most={"steps": 4})
        assert (problem.code, problem.details) == ("too_few", {"model": "ssd-1b", "least": 5, "most": 4})
    assert problem.message.startswith("ssd-1b takes at least 5 steps")


def test_more_cfg_than_a_model_takes(catalogue: Catalogue) -> None:
    own = changed(catalogue, "sdxl-turbo", limits={"guidance_scale_max": 3.0})
    problem = refused(own, model="sdxl-turbo", guidance_scale=9)
    assert (problem.field, problem.code) == ("request.guidance_scale", "too_large")
    assert problem.details == {"model": "sdxl-turbo", "most": 3.0}


@pytest.mark.parametrize(
    ("size", "field", "code", "closest"),
    [
        ((100, 768), "width", "bad_size", (256, 768)),
        ((768, 100), "height", "bad_size", (768, 256)),
        ((4000, 4000), "width", "bad_size", (1248, 1248)),
        ((1536, 1536), "width", "too_large", (1248, 1248)),
        ((1536, 1100), "width", "too_large", (1480, 1056)),
    ],
)
def test_the_closest_size_is_named(
    catalogue: Catalogue, size: tuple[int, int], field: str, code: str, closest: tuple[int, int]
) -> None:
    problem = refused(catalogue, width=size[0], height=size[1])
    assert (problem.field, problem.code) == (f"request.{field}", code)
    assert (problem.details["model"], problem.details["width"], problem.details["height"]) == ("ssd-1b", *closest)
    if code == "bad_size":
        assert (problem.details["least"], problem.details["most"]) == (256, 1536)
    taken = resolved(catalogue, width=closest[0], height=closest[1])
    assert (taken.width, taken.height, taken.notes) == (*closest, ())


@pytest.mark.parametrize(
    ("typed", "drawn"),
    [((768, 768), (768, 768)), ((770, 765), (768, 768)), ((257, 256), (256, 256)), ((1536, 1024), (1536, 1024)),
     ((1254, 1254), (1248, 1248))],
)  # fmt: skip
def test_sizes_are_rounded_and_said(catalogue: Catalogue, typed: tuple[int, int], drawn: tuple[int, int]) -> None:
    size = resolved(catalogue, width=typed[0], height=typed[1])
    assert (size.width, size.height) == drawn
    assert bool(size.notes) is (typed != drawn)
    assert all(f"{drawn[0]}x{drawn[1]}" in note for note in size.notes)


def test_the_size_of_a_picture_that_stays_in_part_is_not_rounded(catalogue: Catalogue) -> None:
    """As it is drawn again with a size that somebody drew before."""
    of_it = {"init_image": {"id": "a" * 64}, "mask": {"id": "a" * 64}}
    same = resolved(catalogue, sources=sent(750, 501), **of_it, width=750, height=501)
    assert (same.width, same.height, same.canvas) == (750, 501, (752, 504))
    other = resolved(catalogue, sources=sent(640, 640), **of_it, width=750, height=501)
    assert (other.width, other.height, other.canvas) == (752, 504, None)
    plain = resolved(catalogue, width=750, height=501)
    assert (plain.width, plain.height) == (752, 504)
    assert refused(catalogue, **of_it, width=99, height=999).code == "input_gone"
    for width, height, code in ((99, 999, "bad_size"), (1533, 1501, "too_large")):
        with pytest.raises(Refused) as caught:
            resolved(catalogue, sources=sent(750, 501), **of_it, width=width, height=height)
        assert [problem.code for problem in caught.value.problems] == [code]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("typed", "name"),
    [("euler_a", "Euler a"), ("Euler Ancestral", "Euler a"), ("dpmpp-2m karras", "DPM++ 2M Karras"), ("plms", "PNDM"),
     ("UniPCMultistepScheduler", "UniPC"), ("Euler Discrete", "Euler"), ("dpm2 ancestral", "DPM2 a"),
     ("DDIMScheduler", "DDIM"), ("DPM++ 2M\u00a0SDE.Karras", "DPM++ 2M SDE Karras")],
)  # fmt: skip
def test_samplers_by_any_spelling(catalogue: Catalogue, typed: str, name: str) -> None:
    assert resolved(catalogue, sampler=typed).sampler == name


def test_every_sampler_is_known_by_its_own_name() -> None:
    assert [samplers.resolve(name) for name in samplers.names()] == samplers.names()


def test_names_like_an_unknown_sampler(catalogue: Catalogue) -> None:
    for typed, near in (("unipcc", ["UniPC"]), ("nope", []), ("x" * 255, [])):
        problem = refused(catalogue, sampler=typed)
        assert (problem.code, problem.details["near"], problem.details["known"]) == (
            "unknown_sampler", near, samplers.names(),
        )  # fmt: skip
        assert typed not in problem.message


def test_names_like_an_unknown_model(catalogue: Catalogue) -> None:
    for typed, near in (("ssd1b", ["ssd-1b", "sd21"]), ("zzz", []), ("../../etc/passwd", []), ("y" * 255, [])):
        problem = refused(catalogue, model=typed)
        assert (problem.code, problem.details) == ("unknown_model", {"near": near})
        assert typed not in problem.message


def test_capitals_of_a_model_do_not_matter(catalogue: Catalogue) -> None:
    assert resolved(catalogue, model="SDXL-Turbo").model == "sdxl-turbo"
    assert resolved(catalogue, of_room(model="SDXL-Turbo")).model == "sdxl-turbo"


def test_which_model_draws(catalogue: Catalogue) -> None:
    room, instance = of_room(model="sdxl-turbo"), of_instance(model="sd15")
    assert resolved(catalogue).model == "ssd-1b"
    assert resolved(catalogue, instance).model == "sd15"
    assert resolved(catalogue, room, instance).model == "sdxl-turbo"
    assert resolved(catalogue, room, instance, model="sdxl").model == "sdxl"


@pytest.mark.parametrize("gone", ["no-such-model", "../../etc/passwd", "a`b"])
def test_a_default_model_that_is_gone_is_named(catalogue: Catalogue, gone: str) -> None:
    """And the worker's draws, not the next layer's."""
    for layers in ([of_room(model=gone), of_instance(model="sd15", steps=9)], [of_instance(model=gone, steps=9)]):
        found = resolved(catalogue, *layers)
        assert (found.model, found.steps) == ("ssd-1b", 9)
        assert len(found.notes) == 1
        called = gone.replace("`", "'")
        assert found.notes[0].startswith(f"The model set here, `{called}`, does not exist any more")


def test_a_default_model_whose_files_are_not_here_gives_way(tmp_path: Path) -> None:
    offline = load_catalogue(data_dir=tmp_path)
    request = ImageRequest.model_validate({"prompt": "otter", "seed": 1})
    layered = request.model_copy(update={"layers": (Layer(layer="room", model="sdxl"),)})
    found = resolve_image(layered, offline, "otter-mini")
    assert (found.model, len(found.notes)) == ("otter-mini", 1)
    with pytest.raises(Refused) as caught:
        resolve_image(request.model_copy(update={"model": "sdxl"}), offline, "otter-mini")
    [problem] = caught.value.problems
    assert (problem.code, problem.details) == ("model_missing", {"model": "sdxl"}), "typed is typed"


# ---------------------------------------------------------------- through the API


async def test_layers_and_details_go_through_the_api(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        layers = [of_room(model="gone"), of_instance(size=[104, 96], guidance_scale=3)]
        job = await here.api.submit(image(layers=layers, most={"steps": 50}))
        told = job["resolved"]
        assert (told["model"], told["width"], told["height"], told["guidance_scale"]) == ("otter-mini", 104, 96, 3.0)
        assert told["notes"][0].startswith("The model set here, `gone`")
        assert not {"layers", "most"} & set(told), "nothing is open any more"
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00002", width=4000, height=4000))
        assert status == 422
        details = {"model": "otter-mini", "least": 96, "most": 192, "width": 192, "height": 192}
        assert [field["details"] for field in problem["fields"]] == [details] * 2


LAYER = Contract(Layer.model_json_schema())


@pytest.mark.parametrize("dotted", [field.dotted for field in LAYER.fields()])
async def test_wrong_values_in_a_layer_are_refused_by_name(tmp_path: Path, dotted: str) -> None:
    field = next(one for one in LAYER.fields() if one.dotted == dotted)
    async with worker_here(settings(tmp_path), paused=True) as here:
        for raw in wrong(field):
            base = json.dumps(image(layers=["the place"]))
            layer = LAYER.around({"layer": "room"}, field.path, raw)
            status, problem = await here.api.call(
                "POST", "/v1/jobs", data=base.replace('"the place"', layer).encode("utf-8", "surrogatepass"),
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
            assert (status, problem["code"]) == (422, "invalid_request"), (raw[:60], problem)
            named = [found["field"] for found in problem["fields"]]
            assert all(name == "body" or name.startswith(f"request.layers.0.{dotted}") for name in named), named
        many = [of_room(model="x")] * 9
        status, _ = await here.api.call("POST", "/v1/jobs", image(layers=many))
        assert status == 422
