"""Sizes: rounded, made of a shape or of a picture's shape; and the sentences about them."""

from __future__ import annotations

import random
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
from core_lab import image, settings, worker_here

from otterbot_worker.models import resolution
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import Limits, ModelEntry
from otterbot_worker.requests.size import Size, find_size
from otterbot_worker.schemas.requests import ImageRequest

LIMITS = Limits(
    steps_max=100, guidance_scale_max=30, size_min=256, size_max=1024, size_multiple=8, pixels_max=1024 * 1024
)
SDXL = replace(LIMITS, size_min=512, size_max=2048, pixels_max=1536 * 1024)
USUAL = 512 * 512
XL = 1024 * 1024


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelEntry]:
    return dict(load_catalogue(data_dir=tmp_path_factory.mktemp("data")).images)


def found(entry: ModelEntry, picture: tuple[int, int] | None = None, **fields: Any) -> Size:
    return find_size(ImageRequest.model_validate({"prompt": "otter", "seed": 1, **fields}), entry, picture)


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [("3:2", 1.5), ("2:3", 2 / 3), ("1:1", 1), ("square", 1), ("portrait", 2 / 3), ("landscape", 1.5), ("4:1", 4),
     ("1:4", 0.25), ("16:9", 16 / 9), ("600:400", 1.5), ("41:10", None), ("10:41", None), ("0:1", None), ("1:0", None),
     ("-3:2", None), ("3:2:1", None), ("3", None), ("", None), ("Square", None), ("³:2", None), ("3 : 2", None),
     ("1.5:1", None), ("3:2\n", None), ("9999:9999", None)],
)  # fmt: skip
def test_the_shape(aspect: str, shape: float | None) -> None:
    assert resolution.shape(aspect) == shape


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ((512, 512), (512, 512)),
        ((64, 64), (512, 512)),
        ((4000, 3000), (592, 440)),
        ((3000, 4000), (440, 592)),
        ((1000, 667), (624, 416)),
        ((16_000, 16), (1024, 256)),
        ((16, 16_000), (256, 1024)),
    ],
)
def test_the_size_of_a_shape(picture: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resolution.of_shape(picture[0] / picture[1], LIMITS, USUAL) == expected


@pytest.mark.parametrize(
    ("shape", "expected"), [(3, (768, 256)), (1 / 3, (256, 768)), (2, (728, 360)), (4, (768, 256))]
)
def test_where_a_side_reaches_a_limit_the_other_follows_the_shape(shape: float, expected: tuple[int, int]) -> None:
    assert resolution.of_shape(shape, replace(LIMITS, size_max=768), USUAL) == expected


@pytest.mark.parametrize(
    ("model", "picture", "expected"),
    [
        ("sdxl", (1216, 832), (1216, 832)),
        ("sdxl", (1000, 667), (1000, 664)),
        ("sdxl", (4000, 3000), (1184, 888)),
        ("sdxl", (640, 512), (1144, 912)),
        ("sdxl", (1536, 1024), (1536, 1024)),
        ("ssd-1b", (512, 768), (512, 768)),
        ("ssd-1b", (1024, 1024), (768, 768)),
        ("sd15", (768, 512), (768, 512)),
        ("sd15", (256, 512), (256, 512)),
        ("sd15", (200, 900), (256, 1024)),
        ("otter-mini", (96, 64), (160, 104)),
    ],
)
def test_a_picture_keeps_its_size_where_that_is_near_the_usual_one(
    models: dict[str, ModelEntry], model: str, picture: tuple[int, int], expected: tuple[int, int]
) -> None:
    size = found(models[model], picture)
    assert (size.width, size.height, size.canvas, size.notes) == (*expected, None, [])


@pytest.mark.parametrize(
    ("model", "picture", "typed", "expected", "canvas"),
    [
        ("sdxl", (1216, 832), {}, (1216, 832), None),
        ("ssd-1b", (512, 768), {}, (512, 768), None),
        ("ssd-1b", (256, 256), {}, (256, 256), None),
        ("ssd-1b", (1024, 1024), {}, (1024, 1024), None),
        ("sdxl", (1000, 667), {}, (1000, 667), (1000, 672)),
        ("sdxl", (1000, 667), {"width": 1000, "height": 667}, (1000, 667), (1000, 672)),
        ("sdxl", (1000, 667), {"width": 1000, "height": 664}, (1000, 664), None),
        ("sdxl", (1000, 667), {"aspect": "3:2"}, (1216, 832), None),
        ("sdxl", (4000, 3000), {}, (1184, 888), None),
        ("sdxl", (1533, 1026), {}, (1536, 1024), None),
        ("sd15", (1021, 1021), {}, (1021, 1021), (1024, 1024)),
        ("sd15", (255, 512), {}, (360, 728), None),
        ("otter-mini", (101, 99), {}, (101, 99), (104, 104)),
    ],
)
def test_under_a_mask_it_keeps_every_pixel_that_can_be_drawn(
    models: dict[str, ModelEntry],
    model: str,
    picture: tuple[int, int],
    typed: dict[str, Any],
    expected: tuple[int, int],
    canvas: tuple[int, int] | None,
) -> None:
    size = found(models[model], picture, mask={"id": "a" * 64}, init_image={"id": "a" * 64}, **typed)
    assert not size.problems
    assert (size.width, size.height, size.canvas) == (*expected, canvas)


def test_a_canvas_holds_its_picture_within_the_limits(models: dict[str, ModelEntry]) -> None:
    for entry in models.values():
        limits = entry.limits
        for width in range(16, 2100, 61):
            for height in (16, 97, 250, 512, 771, 1024, 2050):
                canvas = resolution.around((width, height), limits)
                made = resolution.of_picture((width, height), limits, entry.defaults.width * entry.defaults.height)
                for size in (made,) if canvas is None else (made, canvas):
                    assert all(limits.size_min <= s <= limits.size_max and not s % limits.size_multiple for s in size)
                    assert size[0] * size[1] <= limits.pixels_max
                if canvas is not None:
                    beyond = (canvas[0] - width, canvas[1] - height)
                    assert all(0 <= more < limits.size_multiple for more in beyond)


@pytest.mark.parametrize("multiple", [8, 64])
def test_no_shape_leaves_the_limits(multiple: int) -> None:
    limits = replace(LIMITS, size_min=100, size_max=1000, size_multiple=multiple, pixels_max=600 * 600)
    for width in range(16, 3000, 37):
        for make in (resolution.of_shape, resolution.of_aspect):
            made = make(width / 700, limits, 600 * 600)
            assert all(100 <= side <= 1000 and side % multiple == 0 for side in made), (width, made)
            assert made[0] * made[1] <= limits.pixels_max


@pytest.mark.parametrize(
    ("aspect", "expected"),
    [("1:1", (1024, 1024)), ("3:2", (1216, 832)), ("2:3", (832, 1216)), ("4:3", (1152, 896)), ("16:9", (1344, 768)),
     ("9:16", (768, 1344)), ("21:9", (1536, 640)), ("4:1", (2048, 512)), ("1:4", (512, 2048))],
)  # fmt: skip
def test_the_large_class_draws_what_it_has_learned(aspect: str, expected: tuple[int, int]) -> None:
    shape = resolution.shape(aspect)
    assert shape is not None
    assert resolution.of_aspect(shape, SDXL, XL) == expected


def test_all_that_was_learned_can_be_had() -> None:
    """The 40 sizes of the list in SDXL's report, and no other."""
    made = {
        resolution.of_aspect(wide / high, SDXL, XL)
        for wide in range(1, 61)
        for high in range(1, 61)
        if 0.25 <= wide / high <= 4
    }
    every = {64 * number for number in range(8, 33)}
    assert all(size[0] in every and size[1] in every and 0.9 <= size[0] * size[1] / XL <= 1 for size in made)
    assert {(1024, 1024), (960, 1024), (1472, 704), (1792, 576), (1856, 512), (2048, 512)} <= made


def test_within_narrower_limits() -> None:
    assert resolution.of_aspect(4, replace(SDXL, size_max=1536), XL) == (1536, 640)
    own = resolution.of_aspect(1.5, replace(SDXL, size_multiple=48), XL)
    assert own == (1248, 816), "of its own multiples, computed"
    for multiple in (8, 16, 32, 64):
        made = resolution.of_aspect(1.5, replace(SDXL, size_multiple=multiple), XL)
        assert abs(log(made[0] / made[1] / 1.5)) < 0.03


@pytest.mark.parametrize(
    ("size", "expected"),
    [((768, 512), (768, 512)), ((770, 512), (768, 512)), ((772, 509), (776, 512)), ((257, 1023), (256, 1024)),
     ((1021, 1022), (1024, 1024)), ((1024, 1024), (1024, 1024))],
)  # fmt: skip
def test_rounding(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resolution.rounded(size, LIMITS) == expected


def test_rounding_up_to_too_many_pixels_rounds_down() -> None:
    limits = replace(LIMITS, pixels_max=600 * 600)
    assert resolution.rounded((605, 597), limits) == (600, 592)
    assert resolution.rounded((1000, 1000), limits) == (1000, 1000), "left for the limits to refuse"
    assert resolution.rounded((300, 999), replace(LIMITS, size_max=1000, size_multiple=64)) == (320, 960)


def test_what_is_made_of_a_request(models: dict[str, ModelEntry]) -> None:
    mini, ssd = models["otter-mini"], models["ssd-1b"]
    cases = [
        (found(mini), (128, 128), []),
        (found(mini, width=130, height=150), (128, 152), ["130x150 was rounded to 128x152"]),
        (found(mini, width=100), (104, 128), ["A width of 100 was rounded to 104"]),
        (found(mini, height=191), (128, 192), ["A height of 191 was rounded to 192"]),
        (found(mini, (300, 200), width=150), (152, 104), ["A width of 150 was rounded to 152"]),
        (found(mini, (300, 200), height=96), (144, 96), []),
        (found(mini, (96, 64)), (160, 104), []),
        (found(mini, (96, 64), aspect="portrait"), (104, 160), []),
        (found(mini, aspect="3:2"), (160, 104), []),
        (found(mini, aspect="4:1"), (192, 96), ["4:1 was drawn at 192x96, the nearest that otter-mini draws"]),
        (found(ssd, aspect="3:2"), (944, 624), []),
        (found(ssd, width=1536, height=1023), (1536, 1024), ["1536x1023 was rounded to 1536x1024"]),
        (found(models["sdxl"], aspect="landscape"), (1216, 832), []),
    ]
    for size, expected, notes in cases:
        assert not size.problems
        assert (size.width, size.height) == expected
        assert [note[: len(start)] for note, start in zip(size.notes, notes, strict=True)] == notes


def test_what_is_refused_names_the_limits(models: dict[str, ModelEntry]) -> None:
    mini, ssd = models["otter-mini"], models["ssd-1b"]
    cases = [
        (found(mini, width=95), [("request.width", "bad_size")]),
        (found(mini, width=195, height=16), [("request.width", "bad_size"), ("request.height", "bad_size")]),
        (found(ssd, width=1536, height=1036), [("request.width", "too_large")]),
        (found(ssd, width=1536, height=1536), [("request.width", "too_large")]),
        (found(mini, aspect="9:1"), [("request.aspect", "bad_aspect")]),
        (found(mini, aspect="1:1", width=128), [("request.aspect", "conflict")]),
    ]
    for size, problems in cases:
        assert [(problem.field, problem.code) for problem in size.problems] == problems
        assert not size.notes
    assert "from 96 to 192 pixels" in found(mini, width=95).problems[0].message
    assert "1.57 megapixels, such as 1248x1248" in found(ssd, width=1536, height=1536).problems[0].message


def test_what_is_resolved_is_what_is_drawn(models: dict[str, ModelEntry]) -> None:
    """Of any size and any limits: within them, in the model's multiples, and the same when it comes again. Where it is
    refused, the size that is named instead is taken as it is."""
    chance, refused = random.Random(7), 0
    cases = [((298, 820), 260, 1536, 64, 1536 * 1024)]  # two roundings once differed there
    while len(cases) < 20_000:
        multiple = chance.choice([1, 2, 7, 8, 16, 32, 48, 64])
        least, most = sorted((chance.randint(16, 1200), chance.randint(64, 4096)))
        smallest, largest = -(-least // multiple) * multiple, most // multiple * multiple
        if smallest > largest:
            continue  # it draws nothing at all
        pixels = chance.randint(smallest**2, 2 * largest**2)
        sides = chance.randint(16, 4096), chance.randint(16, 4096)
        near = tuple(min(max(side, least), most) for side in sides)
        cases.append((chance.choice([sides, (near[0], near[1])]), least, most, multiple, pixels))
    for (width, height), least, most, multiple, pixels in cases:
        limits = replace(LIMITS, size_min=least, size_max=most, size_multiple=multiple, pixels_max=pixels)
        entry = replace(models["ssd-1b"], limits=limits)
        size = found(entry, width=width, height=height)
        if size.problems:
            details = size.problems[0].details
            width, height = int(str(details["width"])), int(str(details["height"]))
            size, refused = found(entry, width=width, height=height), refused + 1
            assert (size.width, size.height, size.notes, size.problems) == (width, height, [], []), limits
        assert all(least <= side <= most and not side % multiple for side in (size.width, size.height)), limits
        assert size.width * size.height <= pixels, limits
        again = found(entry, width=size.width, height=size.height)
        assert (again.width, again.height, again.notes, again.problems) == (size.width, size.height, [], []), limits
    assert 2_000 < refused < 18_000, "both are asked for"


def test_a_size_of_an_operator_is_one_that_is_drawn(models: dict[str, ModelEntry]) -> None:
    chance = random.Random(8)
    for _ in range(2_000):
        size = chance.randint(16, 2048) // 8 * 8 or 16, chance.randint(16, 2048)
        drawn = found(models["ssd-1b"], width=size[0], height=size[1])
        assert resolution.fits(size, models["ssd-1b"].limits) is (
            not drawn.problems and (drawn.width, drawn.height) == size
        )


async def test_the_rounding_is_said_with_the_picture(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        assert "aspect" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        job = await here.api.done((await here.api.submit(image(width=130, height=100)))["id"])
        result = job["pictures"][0]["result"]
        assert (result["width"], result["height"]) == (128, 104)
        assert result["notes"] == ["130x100 was rounded to 128x104: otter-mini draws multiples of 8."]
        job = await here.api.submit(image("key-00002", aspect="2:3", asked={"aspect": "2:3"}))
        result = (await here.api.done(job["id"]))["pictures"][0]["result"]
        record = result["record"]
        assert (record["used"]["width"], record["used"]["height"], record["asked"]) == (104, 160, {"aspect": "2:3"})
        assert result["notes"] == []
