"""Any picture's file, sent to read its settings: ours, another program's, hostile ones, and what is left of them."""

from __future__ import annotations

import asyncio
import io
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from core_lab import Here, image, settings, until
from page_lab import Browser, page_here
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from otterbot_worker.archive import read_uploads
from otterbot_worker.page import reading

A1111 = """a red fox, <lora:snow:0.8>
Negative prompt: blurry
Steps: 21, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1234, Size: 512x768, Model: dreamshaper_8"""


@pytest_asyncio.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Here, Browser]]:
    async with page_here(settings(tmp_path_factory.mktemp("reading") / "data"), paused=False) as (worker, one):
        yield worker, one


async def send(one: Browser, data: Any, kind: str = "image/png", **headers: str | None) -> tuple[int, Any]:
    return await one.call("POST", "/page/read", data=data, headers={"Content-Type": kind, **headers})


def png(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_itxt(name, text)
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


async def test_one_of_ours(here: tuple[Here, Browser]) -> None:
    worker, one = here
    job = await worker.api.done((await worker.api.submit(image(prompt="otter 💚, cowboy hat")))["id"])
    _, data = await worker.api.call("GET", f"/v1/images/{job['pictures'][0]['result']['image_id']}")
    status, found = await send(one, data)
    assert status == 200
    assert found["source"] == "Otterbot's own record"
    assert found["line"].startswith("!draw otter 💚, cowboy hat --no")
    assert dict(found["rows"])["seed"] == "7"


async def test_one_of_another_program(here: tuple[Here, Browser]) -> None:
    _, one = here
    status, found = await send(one, png(parameters=A1111))
    assert status == 200
    assert "--seed 1234" in found["line"]
    assert dict(found["rows"])["negative prompt"] == "blurry"
    assert found["request"]["steps"] == 21


async def test_words_that_look_like_a_page_stay_words(here: tuple[Here, Browser]) -> None:
    _, one = here
    status, found = await send(one, png(parameters=A1111.replace("a red fox", "<script>alert(1)</script>\x1b[2J")))
    assert status == 200
    assert "<script>" in dict(found["rows"])["prompt"]
    assert "\x1b" not in str(found["rows"]) + found["line"]


def _bomb() -> bytes:
    packed = zlib.compress(b"A" * 200_000_000, 9)
    chunk = b"zTXtparameters\x00\x00" + packed
    size, check = len(chunk) - 4, zlib.crc32(chunk)
    whole = png()
    return whole[:-12] + size.to_bytes(4, "big") + chunk + check.to_bytes(4, "big") + whole[-12:]


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no picture": b"GIF89a" + bytes(100),
    "a page": b"<html><script>alert(1)</script>",
    "a PNG without settings": png(),
    "a cut one": png(parameters=A1111)[:60],
    "a text that unpacks to 200 MB": _bomb(),
    "a record that is none": png(otterbot="[" * 100_000),
    "a length of 4 GB": b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXtparameters\x00x",
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_what_cannot_be_read_is_said(here: tuple[Here, Browser], case: str) -> None:
    _, one = here
    status, problem = await send(one, HOSTILE[case])
    assert (status, problem["code"]) == (422, "unreadable")
    assert problem["detail"].startswith("This file ")


async def test_the_size_and_the_kind_are_bounded(here: tuple[Here, Browser]) -> None:
    worker, one = here
    most = int(worker.parts.config.inputs.max_mb * 1_000_000)
    assert (await send(one, io.BytesIO(bytes(most + 1))))[0] == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(most // 100_000 + 20):
            yield bytes(100_000)

    assert (await send(one, endless()))[0] == 413
    for kind in ("text/html", "image/svg+xml", "application/json", "multipart/form-data"):
        assert (await send(one, png(parameters=A1111), kind))[0] == 415
    assert (await send(one, png(), **{"Content-Encoding": "gzip"}))[0] == 415


async def test_two_at_a_time(here: tuple[Here, Browser]) -> None:
    _, one = here
    go, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def slow() -> AsyncIterator[bytes]:
        yield png(parameters=A1111)[:50]
        begun.release()
        await go.wait()
        yield png(parameters=A1111)[50:]

    first = [asyncio.create_task(send(one, slow())) for _ in range(reading.AT_ONCE)]
    for _ in first:
        await begun.acquire()
    await until(reading._turns.locked)
    status, problem = await send(one, png(parameters=A1111))
    assert (status, problem["code"]) == (503, "busy")
    go.set()
    assert [status for status, _ in await asyncio.gather(*first)] == [200, 200]


async def test_nothing_of_it_stays(here: tuple[Here, Browser], tmp_path: Path) -> None:
    worker, one = here
    before = {path for path in worker.parts.config.data_dir.rglob("*") if path.is_file()}
    handles = len(os.listdir("/proc/self/fd"))
    assert (await send(one, png(parameters=A1111)))[0] == 200
    assert (await send(one, b"x"))[0] == 422
    assert {path for path in worker.parts.config.data_dir.rglob("*") if path.is_file()} == before
    assert len(os.listdir("/proc/self/fd")) <= handles + 1


async def test_a_reader_that_breaks_or_never_ends_hurts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield png(parameters=A1111)

    real = asyncio.create_subprocess_exec

    def instead(code: str) -> Any:
        async def start(*command: str, **options: Any) -> Any:
            return await real(command[0], "-c", code, **options)

        return start

    for code, words in (
        ("import os; os.abort()", read_uploads.CANNOT),
        ("print('[]')", read_uploads.CANNOT),
        ("print('x' * 9_000_000)", read_uploads.CANNOT),
        ("import time; time.sleep(60)", read_uploads.TAKES_TOO_LONG),
    ):
        monkeypatch.setattr(read_uploads, "WALL_SECONDS", 2.0)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", instead(code))
        with pytest.raises(read_uploads.Unreadable, match=words):
            await read_uploads.read(pieces(), 10_000)
