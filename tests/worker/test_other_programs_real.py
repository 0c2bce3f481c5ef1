"""Other programs at a real worker: its own process, a real GPU process, the shipped models, OpenAI's client."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
import pytest_asyncio
from core_lab import Api, Process, gpu_processes
from openai import AsyncOpenAI
from other_programs import based, basic, opened
from PIL import Image

if TYPE_CHECKING:
    from otter_mini.judge import Judge

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

DOCS = Path(__file__).resolve().parents[2] / "docs" / "other-programs.md"
DRAW: dict[str, Any] = {"prompt": "otter, cowboy hat", "model": "otter-mini"}


class Lab:
    def __init__(self, worker: Process, api: Api, client: AsyncOpenAI) -> None:
        self.worker, self.api, self.client = worker, api, client


@pytest_asyncio.fixture(scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """One worker for all of them; its settings come from the environment, as in a container."""
    worker = Process(
        tmp_path_factory.mktemp("worker") / "data",
        OTTERBOT_API__COMPAT='["openai", "a1111"]',
        OTTERBOT_CHAT__BACKEND="builtin",
        OTTERBOT_CHAT__OPTIONS="{num_ctx: 512, num_predict: 12}",
    )
    async with worker.running() as api:
        token = (worker.folder / "token").read_text().strip()
        async with AsyncOpenAI(base_url=f"{api.address}/openai/v1", api_key=token, max_retries=0) as client:
            yield Lab(worker, api, client)


def shown(text: str | None) -> Image.Image:
    return opened(text or "").convert("RGB")


async def test_a_picture_shows_what_was_asked_for(lab: Lab, judge: Judge) -> None:
    answer = await lab.client.images.generate(**DRAW, n=3, extra_body={"seed": 11})
    assert answer.data is not None
    pictures = [shown(one.b64_json) for one in answer.data]
    assert judge.score(pictures, "animal", "otter").mean() > 0.6
    assert judge.score(pictures, "hat", "cowboy hat").mean() > 0.6
    job = {"key": "same-as-that", "kind": "image", "owner": "@ann:here", "room": "!room:here"}
    ours = await lab.api.submit({**job, "request": {"prompt": "otter, cowboy hat", "seed": 11, "count": 1}})
    done = await lab.api.done(ours["id"])
    _, png = await lab.api.call("GET", f"/v1/images/{done['pictures'][0]['result']['image_id']}")
    assert Image.open(io.BytesIO(png)).tobytes() == pictures[0].tobytes(), "the same request is the same picture"


async def test_it_is_seen_while_it_is_drawn(lab: Lab) -> None:
    stream = await lab.client.images.generate(
        **DRAW, stream=True, partial_images=3, extra_body={"steps": 40, "seed": 11}
    )
    seen = [event async for event in stream]
    assert seen[-1].type == "image_generation.completed"
    partials = [shown(event.b64_json) for event in seen[:-1]]
    assert 1 <= len(partials) <= 3
    final = shown(seen[-1].b64_json)

    def unlike(picture: Image.Image) -> float:
        """How far from the finished one, 0 to 255."""
        a, b = (one.resize((16, 16)).tobytes() for one in (picture, final))
        return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)

    assert unlike(partials[-1]) < 60, "it has become the picture"


async def test_an_edit_keeps_what_is_not_masked(lab: Lab) -> None:
    made = await lab.client.images.generate(**DRAW, extra_body={"seed": 11})
    assert made.data is not None
    png = base64.b64decode(made.data[0].b64_json or "")
    before = shown(made.data[0].b64_json)
    width, height = before.size
    mask = Image.new("RGBA", before.size, "black")
    mask.paste((0, 0, 0, 0), (0, 0, width, height // 2))
    file = io.BytesIO()
    mask.save(file, "PNG")
    edited = await lab.client.images.edit(
        image=("otter.png", png, "image/png"),
        mask=("mask.png", file.getvalue(), "image/png"),
        prompt="otter, top hat",
        extra_body={"seed": 5},
    )
    assert edited.data is not None
    after = shown(edited.data[0].b64_json)
    assert after.size == before.size
    lower = (0, height // 2, width, height)
    assert after.crop(lower).tobytes() == before.crop(lower).tobytes()
    assert after.tobytes() != before.tobytes()


async def test_the_built_in_model_answers(lab: Lab) -> None:
    said: list[Any] = [{"role": "user", "content": "Say hello."}]
    answer = await lab.client.chat.completions.create(messages=said, model="SmolLM2-135M", temperature=0)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 13
    stream = await lab.client.chat.completions.create(messages=said, model="SmolLM2-135M", temperature=0, stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces) == answer.choices[0].message.content


async def test_a1111s_clients_draw_with_a_password(lab: Lab, judge: Judge) -> None:
    token = (lab.worker.folder / "token").read_text().strip()
    body = {"prompt": "otter, cowboy hat", "seed": 11, "batch_size": 2}
    path = f"{lab.api.address}/sdapi/v1/"
    async with lab.api.session.post(path + "txt2img", json=body, headers=basic(token)) as response:
        answer = await response.json()
    pictures = [shown(one) for one in answer["images"]]
    assert judge.score(pictures, "hat", "cowboy hat").mean() > 0.6
    from_one = {"prompt": "otter, top hat", "init_images": [answer["images"][0]], "denoising_strength": 0.9, "seed": 3}
    async with lab.api.session.post(path + "img2img", json=from_one, headers=basic(token)) as response:
        other = await response.json()
    assert shown(other["images"][0]).tobytes() != pictures[0].tobytes()
    assert "Denoising strength: 0.9" in json.loads(other["info"])["infotexts"][0]


async def test_a_program_has_its_own_token_and_its_own_limit(lab: Lab) -> None:
    code, said = await lab.worker.command("token", "new", "sillytavern", "--per-day", "2")
    assert code == 0
    token = said.split()[-1]
    path = f"{lab.api.address}/sdapi/v1/"
    async with AsyncOpenAI(base_url=f"{lab.api.address}/openai/v1", api_key=token, max_retries=0) as client:
        async with lab.api.session.post(
            path + "txt2img", json={"prompt": "otter", "steps": 2}, headers=basic(token)
        ) as response:
            assert response.status == 200
        await client.images.generate(prompt="otter", user="somebody else", extra_body={"steps": 2})
        with pytest.raises(openai.RateLimitError) as caught:
            await client.images.generate(prompt="otter", user="yet another one", extra_body={"steps": 2})
        assert caught.value.body["type"] == "rate_limit_error"  # type: ignore[index]
        assert int(caught.value.response.headers["Retry-After"]) > 60
    mine = (await lab.api.call("GET", "/v1/jobs?room=/openai/v1"))[1]["jobs"]
    assert "sillytavern" not in {job["owner"] for job in mine}, "each sees its own"


async def test_the_script_of_the_docs_runs(lab: Lab, tmp_path: Path) -> None:
    """With the shipped model and a size that it draws."""
    (script,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    for theirs, ours in (("http://127.0.0.1:8585", lab.api.address), ("ssd-1b", "otter-mini"), ("768x768", "128x128")):
        assert theirs in script
        script = script.replace(theirs, ours)
    token = (lab.worker.folder / "token").read_text().strip()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=tmp_path, env={**os.environ, "OTTERBOT_TOKEN": token},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert [line.split()[0] for line in output.decode().splitlines()] == ["42", "43"]
    for number, seed in enumerate((42, 43)):
        _, said = await lab.worker.command("show", str(tmp_path / f"otter-{number}.png"))
        assert f"--seed {seed}" in said


async def test_it_survives_the_death_of_the_gpu_process(lab: Lab) -> None:
    asked = asyncio.create_task(lab.client.images.generate(**DRAW, extra_body={"seed": 11, "steps": 60}))
    while not (found := await _drawing(lab.api)):
        assert not asked.done()
        await asyncio.sleep(0.05)
    os.kill(gpu_processes(lab.worker.folder / "gpu.lock")[0], signal.SIGKILL)
    answer = await asked
    assert answer.data is not None
    assert shown(answer.data[0].b64_json).size == (128, 128), found


async def _drawing(api: Api) -> bool:
    jobs = (await api.call("GET", "/v1/jobs?state=open"))[1]["jobs"]
    return any((one["progress"] or {}).get("step", 0) > 3 for job in jobs for one in job["pictures"])


async def test_no_word_of_it_stands_in_the_log(lab: Lab) -> None:
    await lab.client.images.generate(prompt="otter canary5f1e", extra_body={"steps": 2})
    body = {"prompt": "canary5f1e", "tiling": True, "init_images": [based(b"canary5f1e")]}
    assert (await lab.api.call("POST", "/sdapi/v1/txt2img", body))[0] == 422
    said: list[Any] = [{"role": "user", "content": "canary5f1e"}]
    await lab.client.chat.completions.create(messages=said, model="SmolLM2-135M")
    log = lab.worker.log.read_text()
    assert "canary5f1e" not in log
    assert "Traceback" not in log
