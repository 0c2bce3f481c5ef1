"""OpenAI's images API, asked by OpenAI's own client."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from core_lab import OTHER, Here, until, worker_here
from other_programs import REQUESTS, on, openai_client, opened, png
from PIL import Image

from otterbot_worker.api.compat.links import SECONDS
from otterbot_worker.api.compat.openai.images import LINKS, ROOM

QUICK = {"model": "otter-mini", "prompt": "otter, cowboy hat", "extra_body": {"steps": 2, "seed": 7}}


async def here_now(here: Here) -> list[Any]:
    """Pictures in the archive."""
    return await here.parts.store.images_here()


async def nothing_here(here: Here) -> bool:
    return await here_now(here) == []


async def test_pictures_come_and_leave_with_their_answer(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        answer = await client.images.generate(**QUICK, n=2, size="128x96")
        assert (answer.size, answer.output_format, answer.background) == ("128x96", "png", "opaque")
        assert answer.data is not None
        pictures = [opened(one.b64_json or "") for one in answer.data]
        assert [picture.size for picture in pictures] == [(128, 96)] * 2
        assert [picture.getpixel((0, 0)) for picture in pictures] == [(7, 0, 0), (8, 0, 0)], "the seeds that it names"
        assert "Seed: 7" in pictures[0].info["parameters"]
        assert [one.seed for one in answer.data] == [7, 8]  # type: ignore[attr-defined]
        jobs = await here.parts.store.jobs("otterbot", room=ROOM, only_open=False, limit=9)
        assert [(job.private, job.owner) for job in jobs] == [(True, "otterbot")]
        await until(lambda: nothing_here(here))  # the program has them; nobody else can fetch them


async def test_a_picture_can_be_kept(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        await client.images.generate(model="otter-mini", prompt="otter", extra_body={"steps": 2, "keep": True})
        (image,) = await here_now(here)
        assert not image.private
        await until(lambda: delivered(here))
        assert len(await here_now(here)) == 1


async def delivered(here: Here) -> bool:
    return all(image.delivered_at is not None for image in await here_now(here))


@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
async def test_each_format_says_how_it_was_made(tmp_path: Path, form: Any, kind: str) -> None:
    async with worker_here(on(tmp_path / "data")) as here, openai_client(here.api.address) as client:
        answer = await client.images.generate(**QUICK, output_format=form, size="128x128")
        assert answer.data is not None
        picture = opened(answer.data[0].b64_json or "")
        assert (picture.format, picture.size) == (kind, (128, 128))
        body = {"image": answer.data[0].b64_json}
        status, info = await here.api.call("POST", "/sdapi/v1/png-info", body)
        assert status == 200
        assert info["parameters"]["Seed"] == "7"
        assert info["parameters"]["Prompt"] == "otter, cowboy hat"


async def test_compression_is_heard(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        sizes = []
        for quality in (1, 100):
            answer = await client.images.generate(**QUICK, output_format="jpeg", output_compression=quality)
            assert answer.data is not None
            sizes.append(len(answer.data[0].b64_json or ""))
        assert sizes[0] < sizes[1]


async def test_a_link_opens_without_a_token_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        answer = await client.images.generate(**QUICK, response_format="url", output_format="webp")
        assert answer.data is not None
        url = answer.data[0].url or ""
        assert url.startswith(f"{here.api.address}/openai/v1/links/otterbot/")
        assert len(await here_now(here)) == 1
        async with aiohttp.ClientSession() as stranger:
            for _ in range(2):
                async with stranger.get(url) as response:
                    assert (response.status, response.content_type) == (200, "image/webp")
                    assert Image.open(io.BytesIO(await response.read())).format == "WEBP"
            last = url[-1]
            for wrong in (url[:-1] + ("0" if last != "0" else "1"), url.replace("/otterbot/", "/other/"), url + "0"):
                async with stranger.get(wrong) as response:
                    assert response.status == 401
                    assert (await response.json())["error"]["type"] == "authentication_error"
            later = time.time() + SECONDS + 1
            monkeypatch.setattr("otterbot_worker.api.compat.links.time.time", lambda: later)
            async with stranger.get(url) as response:
                assert response.status == 401
            async with here.api.session.get(url) as response:
                assert response.status == 404
                assert "ended" in (await response.json())["error"]["message"]
            await here.app[LINKS].end(here.parts, later)
        assert await here_now(here) == []


async def test_behind_a_proxy_a_link_begins_as_the_settings_say(tmp_path: Path) -> None:
    """And not as a header says that anybody can send."""
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "Forwarded": "proto=https"}
    asked = {**QUICK, "response_format": "url", "extra_headers": forwarded}
    async with worker_here(on(tmp_path / "one")) as here, openai_client(here.api.address) as client:
        answer = await client.images.generate(**asked)
        assert (answer.data or [])[0].url.startswith(f"{here.api.address}/openai/")  # type: ignore[union-attr]
    public = on(tmp_path / "other", api={"public_url": "https://otter.example.org/"})
    async with worker_here(public) as here, openai_client(here.api.address) as client:
        answer = await client.images.generate(**asked)
        url = (answer.data or [])[0].url or ""
        assert url.startswith("https://otter.example.org/openai/v1/links/")
        async with aiohttp.ClientSession() as stranger:
            async with stranger.get(url.replace("https://otter.example.org", here.api.address)) as response:
                assert response.status == 200


async def test_partial_pictures_are_streamed(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        stream = await client.images.generate(
            model="otter-mini", prompt="slow otter", stream=True, partial_images=2, output_format="jpeg",
            extra_body={"steps": 6, "seed": 7},
        )  # fmt: skip
        seen = [event async for event in stream]
        assert [event.type for event in seen] == [
            "image_generation.partial_image", "image_generation.partial_image", "image_generation.completed",
        ]  # fmt: skip
        partials, done = seen[:-1], seen[-1]
        assert [one.partial_image_index for one in partials] == [0, 1]  # type: ignore[union-attr]
        assert partials[0].b64_json != partials[1].b64_json
        assert opened(done.b64_json).format == "JPEG"
        assert done.usage.total_tokens == 0  # type: ignore[union-attr]


async def test_what_fails_in_a_stream_is_told_in_it(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        stream = await client.images.generate(
            model="otter-mini", prompt="fail", stream=True, extra_body={"steps": 3, "seed": 7}
        )
        with pytest.raises(openai.APIError) as caught:
            _ = [event async for event in stream]
        assert caught.value.body["code"] == "nan"  # type: ignore[index]


async def test_what_is_missing_of_several_is_said(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        answer: Any = await client.images.generate(prompt="failodd", n=2, extra_body={"steps": 3, "seed": 6})
        assert [one.seed for one in answer.data] == [6]
        assert len(answer.notes) == 1
        assert answer.notes[0].startswith("Picture 2 of 2: ")
        stream: Any = await client.images.generate(
            prompt="failodd", n=2, stream=True, extra_body={"steps": 3, "seed": 6}
        )
        (event,) = [event async for event in stream]
        assert event.notes == answer.notes
        asked = {"prompt": "failodd", "steps": 3, "seed": 6, "batch_size": 2}
        _, theirs = await here.api.call("POST", "/sdapi/v1/txt2img", asked)
        assert json.loads(theirs["info"])["notes"][-1:] == answer.notes


async def test_an_edit_starts_from_the_picture_that_was_sent(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        sent = ("otter.png", png(), "image/png")
        for image in (sent, [sent]):
            answer = await client.images.edit(image=image, prompt="otter", extra_body={"steps": 3, "strength": 0.5})
            assert answer.data is not None
            assert "Denoising strength: 0.5" in opened(answer.data[0].b64_json or "").info["parameters"]
        masked = await client.images.edit(
            image=sent, mask=("mask.png", png(hole=True), "image/png"), prompt="otter", extra_body={"steps": 3}
        )
        assert masked.data is not None
        assert any("50 %" in note for note in masked.data[0].notes)  # type: ignore[attr-defined]
        through = ("otter.png", png(hole=True), "image/png")
        alone = await client.images.edit(image=through, prompt="otter", extra_body={"steps": 3})
        assert alone.data is not None
        assert any("50 %" in note for note in alone.data[0].notes), "it is its own mask"  # type: ignore[attr-defined]
        with pytest.raises(openai.BadRequestError, match="one picture") as caught:
            await client.images.edit(image=[sent, sent], prompt="otter")
        assert caught.value.body["param"] == "image"  # type: ignore[index]
        with pytest.raises(openai.BadRequestError, match="damaged") as caught:
            await client.images.edit(image=("otter.png", b"no picture", "image/png"), prompt="otter")
        assert caught.value.body["code"] == "picture_unreadable"  # type: ignore[index]


REFUSED: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "an unknown model": ({"model": "dall-e-3"}, 404, "model", "model_not_found"),
    "a quality": ({"quality": "hd"}, 400, "quality", "invalid_request"),
    "a size that is none": ({"size": "large"}, 400, "size", "invalid_request"),
    "a size that the model does not draw": ({"size": "1024x1024"}, 400, "size", "invalid_request"),
    "too many": ({"n": 9}, 400, "n", "invalid_request"),
    "see-through": ({"background": "transparent"}, 400, "background", "invalid_request"),
    "an unknown field": ({"extra_body": {"colour": "red"}}, 400, "colour", "invalid_request"),
    "an unknown style": ({"style": "vivid"}, 400, "style", "unknown_style"),
    "steps beyond the model's": ({"extra_body": {"steps": 150}}, 400, "steps", "invalid_request"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_is_refused_by_name(tmp_path: Path, case: str) -> None:
    fields, status, param, code = REFUSED[case]
    async with worker_here(on(tmp_path), paused=True) as here, openai_client(here.api.address) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.images.generate(**{"prompt": "otter canary5f1e", **fields})
        body: Any = caught.value.body
        assert (caught.value.status_code, body["param"], body["code"]) == (status, param, code)
        assert len(body["message"]) > 10
        assert "canary5f1e" not in str(body)


async def test_the_models_are_listed(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here, openai_client(here.api.address) as client:
        listed = [model async for model in await client.models.list()]
        assert "otter-mini" in [model.id for model in listed]
        assert (await client.models.retrieve("otter-mini")).owned_by == "otterbot"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("dall-e-3")


async def test_errors_have_their_form_and_their_type(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path), paused=True) as here:
        async with openai_client(here.api.address, "wrong-token-0123456789") as stranger:
            with pytest.raises(openai.AuthenticationError, match="token"):
                await stranger.models.list()
        async with openai_client(here.api.address, OTHER) as client:
            with pytest.raises(openai.NotFoundError, match="images/generations"):
                await client.audio.speech.create(input="otter", model="otter", voice="alloy")
        async with here.api.session.post(f"{here.api.address}/openai/v1/images/generations", data=b"{") as response:
            assert response.status == 415
            assert (await response.json())["error"]["type"] == "invalid_request_error"
        big = io.BytesIO(b'{"prompt": "' + b"otter" * 300_000 + b'"}')
        path, headers = f"{here.api.address}/openai/v1/images/generations", {"Content-Type": "application/json"}
        async with here.api.session.post(path, data=big, headers=headers) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (413, "too_large")


async def test_open_webui_asks_as_it_does(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here:
        asked = REQUESTS["open_webui"]
        status, answer = await here.api.call("POST", "/openai/v1/images/generations", asked["generations"])
        assert status == 200
        assert opened(answer["data"][0]["b64_json"]).size == (128, 128)
        form = aiohttp.FormData(asked["edit_fields"])
        form.add_field("image", png(), filename="one.png", content_type="image/png")
        async with here.api.session.post(f"{here.api.address}/openai/v1/images/edits", data=form) as response:
            assert response.status == 200
            assert opened((await response.json())["data"][0]["b64_json"]).size == (128, 128)


async def test_a_host_that_is_no_address_makes_no_link(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path), paused=True) as here:
        asked = {"prompt": "otter", "response_format": "url"}
        headers = {"Host": "[::1"}
        async with here.api.session.post(
            f"{here.api.address}/openai/v1/images/generations", json=asked, headers=headers
        ) as response:
            assert response.status == 400
            assert (await response.json())["error"]["type"] == "invalid_request_error"
        assert await here.parts.store.open_counts() == (0, 0)


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\ny\r\n--x--"]
)
async def test_a_broken_form_is_refused(tmp_path: Path, body: bytes) -> None:
    async with worker_here(on(tmp_path), paused=True) as here:
        for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
            async with here.api.session.post(
                f"{here.api.address}/openai/v1/images/edits", data=body, headers={"Content-Type": kind}
            ) as response:
                assert response.status == 400, kind
                assert (await response.json())["error"]["message"]


async def test_a_form_is_read_within_limits(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path, inputs={"max_mb": 0.01}), paused=True) as here:
        for large, status in ((("image", b"x" * 20_000, "one.png"), 413), (("prompt", "x" * 300_000, None), 413)):
            form = aiohttp.FormData(default_to_multipart=True)
            form.add_field(large[0], large[1], filename=large[2])
            async with here.api.session.post(f"{here.api.address}/openai/v1/images/edits", data=form) as response:
                assert response.status == status
        many = aiohttp.FormData(default_to_multipart=True)
        for number in range(100):
            many.add_field(f"field{number}", "x")
        async with here.api.session.post(f"{here.api.address}/openai/v1/images/edits", data=many) as response:
            assert response.status == 400
