"""AUTOMATIC1111's API, asked as Open WebUI, SillyTavern and aiyabot ask it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from core_lab import Api, Json, until, worker_here
from other_programs import REQUESTS, based, basic, on, opened, png

from otterbot_worker.api.compat.a1111.draw import ROOM

SMALL: Json = {"prompt": "otter, cowboy hat", "steps": 2, "seed": 7, "width": 128, "height": 128}


async def ask(api: Api, path: str, body: Any = None) -> Any:
    """What comes with status 200."""
    method = "GET" if body is None else "POST"
    status, answer = await api.call(method, f"/sdapi/v1/{path}", body)
    assert status == 200, answer
    return answer


DRAWN = {
    "Open WebUI": ("open_webui", "txt2img", 2, (128, 128)),
    "Open WebUI with parameters of its own": ("open_webui", "txt2img_parameters", 1, (128, 128)),
    "SillyTavern": ("sillytavern", "txt2img", 1, (128, 128)),
    "SillyTavern with a second pass": ("sillytavern", "second_pass", 1, (96, 96)),
    "aiyabot": ("aiyabot", "txt2img", 2, (128, 128)),
    "aiyabot with a second pass": ("aiyabot", "second_pass", 1, (128, 128)),
}


@pytest.mark.parametrize("case", DRAWN)
async def test_programs_get_pictures(tmp_path: Path, case: str) -> None:
    program, name, count, size = DRAWN[case]
    asked = REQUESTS[program][name]
    async with worker_here(on(tmp_path)) as here:
        answer = await ask(here.api, "txt2img", asked)
        pictures = [opened(one) for one in answer["images"]]
        assert [picture.size for picture in pictures] == [size] * count
        info = json.loads(answer["info"])
        assert info["all_seeds"] == [info["seed"] + number for number in range(count)]
        assert info["infotexts"] == [picture.info["parameters"] for picture in pictures]
        assert info["steps"] == asked["steps"] if "steps" in asked else True
        if asked.get("seed") is not None:
            assert info["seed"] == asked["seed"]
        assert ("Hires upscale" in info["infotexts"][0]) == bool(asked.get("enable_hr"))
        kept = bool(asked.get("save_images"))
        jobs = await here.parts.store.jobs("otterbot", room=ROOM, only_open=False, limit=9)
        assert [job.private for job in jobs] == [not kept]
        await until(lambda: _left(here.parts.store, 1 if kept else 0))


async def _left(store: Any, count: int) -> bool:
    return len(await store.images_here()) == count


async def test_what_is_asked_is_drawn(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here:
        fields = {"cfg_scale": 4.5, "sampler_name": "DPM++ 2M", "scheduler": "Karras", "negative_prompt": "blurry"}
        variation = {"subseed": 9, "subseed_strength": 0.2, "override_settings": {"CLIP_stop_at_last_layers": 2}}
        answer = await ask(here.api, "txt2img", {**SMALL, **fields, **variation})
        text = json.loads(answer["info"])["infotexts"][0]
        for said in (
            "Negative prompt: blurry", "CFG scale: 4.5", "Sampler: DPM++ 2M", "Schedule type: Karras", "Seed: 7",
            "Variation seed: 9", "Variation seed strength: 0.2", "Clip skip: 2", "Size: 128x128", "Model: otter-mini",
        ):  # fmt: skip
            assert said in text
        read = await ask(here.api, "png-info", {"image": f"data:image/png;base64,{answer['images'][0]}"})
        assert read["info"] == text
        assert (read["parameters"]["Size-1"], read["parameters"]["Sampler"]) == ("128", "DPM++ 2M")


async def test_a_picture_is_drawn_from_another_one(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here:
        asked = REQUESTS["aiyabot"]["img2img"]
        start = f"data:image/png;base64,{based(png())}"
        answer = await ask(here.api, "img2img", {**asked, "init_images": [start]})
        assert "Denoising strength: 0.75" in json.loads(answer["info"])["infotexts"][0]
        mask = based(png(colour="white"))
        defaults = {
            "mask_blur": 4, "inpainting_fill": 0, "inpaint_full_res": True, "inpaint_full_res_padding": 0,
            "inpainting_mask_invert": 0, "resize_mode": 0, "image_cfg_scale": None, "include_init_images": False,
        }  # fmt: skip
        masked = await ask(here.api, "img2img", {**SMALL, **defaults, "init_images": [based(png())], "mask": mask})
        assert any("100 %" in note for note in json.loads(masked["info"])["notes"])
        for wrong, named in (
            ({"init_images": []}, "init_images"),
            ({"init_images": [start, start]}, "init_images"),
            ({"init_images": ["no picture"]}, "init_images"),
            ({"init_images": ["http://127.0.0.1/otter.png"]}, "init_images"),
            ({"init_images": [start], "mask": based(b"x")}, "mask"),
            ({"init_images": [start], "mask": mask, "mask_blur": 9}, "mask_blur"),
            ({"init_images": [start], "mask": mask, "inpainting_mask_invert": 1}, "inpainting_mask_invert"),
            ({"init_images": [start], "resize_mode": 1}, "resize_mode"),
        ):
            status, problem = await here.api.call("POST", "/sdapi/v1/img2img", {**SMALL, **wrong})
            assert status == 422, wrong
            assert problem["detail"][0]["loc"] == ["body", named]


REFUSED: dict[str, tuple[Json, str]] = {
    "a script": ({"alwayson_scripts": {"controlnet": {"args": []}}}, "alwayson_scripts"),
    "another script": ({"script_name": "x/y/z plot"}, "script_name"),
    "tiles that fit together": ({"tiling": True}, "tiling"),
    "faces": ({"restore_faces": True}, "restore_faces"),
    "a refiner": ({"refiner_checkpoint": "sd_xl_refiner"}, "refiner_checkpoint"),
    "noise of the sampler": ({"s_churn": 0.5}, "s_churn"),
    "a field that nobody knows": ({"colour": "red"}, "colour"),
    "another VAE": ({"override_settings": {"sd_vae": "other"}}, "override_settings.sd_vae"),
    "a schedule that it has not": ({"sampler_name": "DDIM", "scheduler": "Karras"}, "scheduler"),
    "a sampler that nobody knows": ({"sampler_name": "canary5f1e"}, "sampler_name"),
    "an upscaler": ({"enable_hr": True, "hr_upscaler": "R-ESRGAN 4x+"}, "hr_upscaler"),
    "a prompt of the second pass": ({"enable_hr": True, "hr_prompt": "beaver"}, "hr_prompt"),
    "too many": ({"batch_size": 3, "n_iter": 3}, "batch_size"),
    "too large": ({"width": 2048}, "width"),
    "too many steps": ({"steps": 150}, "steps"),
    "an unknown style": ({"styles": ["canary5f1e"]}, "styles"),
    "an unknown model": ({"override_settings": {"sd_model_checkpoint": "canary5f1e"}}, "sd_model_checkpoint"),
    "words for a number": ({"steps": "canary5f1e"}, "steps"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_done_is_refused_by_name(tmp_path: Path, case: str) -> None:
    fields, named = REFUSED[case]
    async with worker_here(on(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/sdapi/v1/txt2img", {**SMALL, **fields})
        assert status == 422
        places = [".".join(one["loc"][1:]).removesuffix(".0") for one in problem["detail"]]
        assert places == [named]
        assert len(problem["errors"]) > 10
        assert "canary5f1e" not in json.dumps(problem)
        assert await here.parts.store.open_counts() == (0, 0)


async def test_fields_that_change_nothing_pass(tmp_path: Path) -> None:
    """A1111's own defaults, as clients send them that send all."""
    defaults = {
        "styles": [], "subseed": -1, "subseed_strength": 0, "seed_resize_from_h": -1, "seed_resize_from_w": -1,
        "n_iter": 1, "restore_faces": None, "tiling": False, "do_not_save_samples": False, "eta": None,
        "denoising_strength": 0, "s_min_uncond": 0, "s_churn": 0, "s_tmax": None, "s_tmin": 0, "s_noise": 1.0,
        "override_settings": {}, "override_settings_restore_afterwards": True, "refiner_checkpoint": None,
        "refiner_switch_at": 0.8, "disable_extra_networks": False, "comments": {}, "enable_hr": False,
        "firstphase_width": 0, "firstphase_height": 0, "hr_scale": 2.0, "hr_upscaler": None, "hr_second_pass_steps": 0,
        "hr_resize_x": 0, "hr_resize_y": 0, "hr_checkpoint_name": None, "hr_sampler_name": None, "hr_prompt": "",
        "hr_negative_prompt": "", "sampler_index": "Euler", "script_name": None, "script_args": [],
        "send_images": False, "save_images": False, "alwayson_scripts": {}, "force_task_id": "x", "infotext": None,
    }  # fmt: skip
    async with worker_here(on(tmp_path)) as here:
        await ask(here.api, "txt2img", {**SMALL, **defaults, "s_noise": 0, "eta": 0, "s_tmax": 0, "hr_upscaler": ""})
        answer = await ask(here.api, "txt2img", {**SMALL, **defaults})
        assert answer["images"] == [], "send_images: false"
        assert json.loads(answer["info"])["all_seeds"] == [7]


async def test_a_checkpoint_is_its_clients_own(tmp_path: Path, data_dir: Path) -> None:
    models = data_dir / "models.yaml"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(data_dir / "models")
    config = on(tmp_path / "data", images={"catalogue": str(models), "default_model": "otter-mini"})
    async with worker_here(config) as here:
        before = await ask(here.api, "options")
        assert before["sd_model_checkpoint"] == "otter-mini"
        title = {"sd_model_checkpoint": "TINY-sd.safetensors [0123456789]"}
        assert await ask(here.api, "options", {**before, **title}) is None, "all that it was told comes back"
        assert (await ask(here.api, "options"))["sd_model_checkpoint"] == "tiny-sd"
        assert (await ask(here.other, "options"))["sd_model_checkpoint"] == "otter-mini"
        answer = await ask(here.api, "txt2img", {**SMALL, "width": 64, "height": 64})
        assert json.loads(answer["info"])["sd_model_name"] == "tiny-sd"
        for wrong, named in (
            ({"sd_model_checkpoint": "canary5f1e"}, "sd_model_checkpoint"),
            ({"CLIP_stop_at_last_layers": 2}, "CLIP_stop_at_last_layers"),
        ):
            status, problem = await here.api.call("POST", "/sdapi/v1/options", wrong)
            assert (status, problem["detail"][0]["loc"]) == (422, ["body", named])
            assert "canary5f1e" not in json.dumps(problem)
        assert await ask(here.api, "options", {"sd_model_checkpoint": ""}) is None
        assert (await ask(here.api, "options"))["sd_model_checkpoint"] == "otter-mini"


async def test_the_lists_are_as_clients_read_them(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here:
        asked = set(REQUESTS["sillytavern"]["lists"]) | set(REQUESTS["aiyabot"]["lists"])
        lists = {name: await ask(here.api, name) for name in sorted(asked)}
        assert ("otter-mini", "otter-mini") in [(one["title"], one["model_name"]) for one in lists["sd-models"]]
        assert all(isinstance(one["filename"], str) for one in lists["sd-models"])
        assert "Euler a" in [one["name"] for one in lists["samplers"]]
        assert [one["label"] for one in lists["schedulers"]] == ["Automatic", "Karras", "SGM Uniform"]
        assert [one["name"] for one in lists["upscalers"]] == ["None", "Lanczos"]
        assert [one["name"] for one in lists["latent-upscale-modes"]] == ["Latent"]
        assert "watercolor" in [one["name"].lower() for one in lists["prompt-styles"]]
        assert lists["embeddings"]["loaded"]["ottoline"]["shape"] == 768
        assert lists["progress"]["state"]["job_count"] == 0
        status, problem = await here.api.call("POST", "/sdapi/v1/interrogate", {})
        assert status == 404
        assert "/txt2img" in problem["detail"], "what there is"


async def test_progress_and_interrupt_are_the_clients_own(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path)) as here:
        slow = {**SMALL, "prompt": "slow otter", "steps": 40, "batch_size": 2}
        asked = asyncio.create_task(ask(here.api, "txt2img", slow))

        async def drawing() -> bool:
            return bool((await ask(here.api, "progress"))["current_image"])

        await until(drawing)
        found = await ask(here.api, "progress")
        assert 0 < found["progress"] < 0.5
        assert (found["state"]["job_count"], found["state"]["sampling_steps"]) == (1, 40)
        assert found["state"]["job"]
        assert (await ask(here.api, "progress?skip_current_image=true"))["current_image"] is None
        theirs = await ask(here.other, "progress")
        assert (theirs["progress"], theirs["state"]["job_count"]) == (0, 0)
        await ask(here.other, "interrupt", {})
        assert not asked.done()
        await ask(here.api, "interrupt", {})
        answer = await asked
        assert answer["images"] == []
        assert "Interrupted" in json.loads(answer["info"])["notes"][-1]


async def test_a_password_may_be_the_token(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path), paused=True) as here:
        address = here.api.address
        for headers, status in (
            (basic(), 200),
            (basic("wrong-token-0123456789"), 401),
            ({"Authorization": "Basic ?"}, 401),
        ):
            async with here.api.session.get(f"{address}/sdapi/v1/options", headers=headers) as response:
                assert response.status == status
                assert status == 200 or "detail" in await response.json()
        async with here.api.session.get(f"{address}/v1/info", headers=basic()) as response:
            assert response.status == 401, "only where A1111's clients ask"


async def test_a_picture_without_settings_says_nothing(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path), paused=True) as here:
        assert await ask(here.api, "png-info", {"image": based(png())}) == {"info": "", "items": {}, "parameters": {}}
        status, problem = await here.api.call("POST", "/sdapi/v1/png-info", {"image": based(b"no picture at all")})
        assert (status, problem["detail"][0]["loc"]) == (422, ["body", "image"])
    async with worker_here(on(tmp_path, inputs={"max_mb": 0.1}), paused=True) as here:
        big = io.BytesIO(b'{"image": "' + b"A" * 1_000_000 + b'"}')
        async with here.api.session.post(f"{here.api.address}/sdapi/v1/png-info", data=big) as response:
            assert response.status == 413
