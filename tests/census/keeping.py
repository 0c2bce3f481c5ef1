"""What an installed program has on its disks, made by the program of this repository: ``scripts/census keep DIR``.

A later version has to open it and go on. ``DIR`` holds ``worker/`` (the queue as SQL, the archive, pictures that people
sent, and what was asked and answered) and ``plugin.sql``. Tests load it with the times moved to now.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

from doubles.ollama import OllamaDouble
from lab import Lab, places
from lab.worker import Worker

from . import inputs
from .running import Api, running, settings

PATIENCE = 300
"""Seconds, on a machine that does much else."""
QUICK = {"steps": 2, "seed": 7}
DRAWN: dict[str, dict[str, Any]] = {
    "plain": {"prompt": "otter, (cowboy hat:1.2)", "negative_prompt": "blurry", "asked": {"steps": 2, "seed": 7}},
    "extras": {"prompt": "a penguin, ottoline <lora:penguin:0.8>", "variation": {"seed": 42, "strength": 0.2}},
    "changed": {"prompt": "a fox in the snow", "init_image": {"id": "$wide"}, "strength": 0.6, "steps": 4},
    "private": {"prompt": "a secret badger", "theme": "badger"},
}
WAITING: dict[str, dict[str, Any]] = {
    "waits": {"prompt": "an owl on a ball", "count": 2},
    "waits to change": {"prompt": "a wolf", "init_image": {"id": "$holes"}, "mask": {"id": "$holes"}, "steps": 4},
    "waits to be large": {"prompt": "a cat", "hires": {"scale": 1.5, "strength": 0.4}, "preview": True},
}


def dump(database: Path) -> str:
    """A database as SQL, with its version."""
    connection = sqlite3.connect(database)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return "\n".join([*connection.iterdump(), f"PRAGMA user_version = {version};", ""])
    finally:
        connection.close()


async def keep(target: Path, scratch: Path) -> None:
    target.mkdir(parents=True)
    async with OllamaDouble({"models": [{"name": "tiny"}]}) as ollama:
        await keep_worker(target / "worker", scratch / "worker", ollama.url)
        await keep_plugin(target, scratch / "lab", ollama.url)
    (target / "about.json").write_text(json.dumps({"made_at": round(time.time())}) + "\n")


# ---------------------------------------------------------------- the worker


async def keep_worker(target: Path, root: Path, ollama: str) -> None:
    config = settings(root / "data", ollama)
    config["images"] = {"downloads": False, "default_model": "otter-mini"}
    worker = Worker(root, config=config, env={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TZ": "UTC"})
    gone = worker.data / "loras" / "gone.safetensors"
    gone.parent.mkdir(parents=True)
    shutil.copy(next(places.REPOSITORY.rglob("loras/penguin.safetensors")), gone)
    async with running(worker) as api:
        kept = _Kept(api)
        for name in ("wide", "holes"):
            await kept.send(name)
        for name, request in DRAWN.items():
            await api.done(await kept.submit(name, request, private=name == "private"))
        await api.done(await kept.submit("said", _chat("why do otters hold hands?"), kind="chat"))
        await api.done(await kept.submit("unsaid", _chat("hello", model="nobody"), kind="chat"))
        await api.call("POST", "/v1/pause", {})
        await kept.submit("cancelled", {"prompt": "not any more"})
        await api.call("DELETE", f"/v1/jobs/{kept.ids['cancelled']}")
        failed = await kept.submit("failed", {"prompt": "an otter <lora:gone>"})
        gone.unlink()
        await api.call("POST", "/v1/resume")
        await api.done(failed)
        await kept.answers()
        await kept.submit("runs", {"prompt": "otter", "steps": 60})
        for name, request in WAITING.items():
            await kept.submit(name, request)
        await kept.submit("waits to be said", _chat("are you there?"), kind="chat")
        await worker.wait_step(1, timeout=PATIENCE)
        await worker.kill()
    target.mkdir()
    (target / "jobs.sql").write_text(dump(worker.database))
    (target / "jobs.json").write_text(json.dumps(kept.jobs, indent=1, ensure_ascii=False) + "\n")
    for folder in ("archive", "inputs"):
        shutil.copytree(worker.data / folder, target / folder)


class _Kept:
    """What was asked, and what was answered in the end."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ids: dict[str, str] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self._sent: dict[str, str] = {}

    async def send(self, name: str) -> None:
        kind, data = inputs.pictures()[name]
        _, body = await self.api.call("POST", "/v1/inputs", data=data, headers={"Content-Type": kind})
        self._sent[name] = body["id"]

    async def submit(self, name: str, request: dict[str, Any], *, kind: str = "image", private: bool = False) -> str:
        filled = request if kind == "chat" else {**QUICK, **request}
        for field in ("init_image", "mask"):
            if field in filled:
                filled[field] = {"id": self._sent[filled[field]["id"][1:]]}
        body = {"key": f"kept-{name.replace(' ', '-')}", "kind": kind, "owner": "@ann:old.test",
                "room": "!room:old.test", "private": private, "request": filled}  # fmt: skip
        status, answer = await self.api.call("POST", "/v1/jobs", body)
        if status != 202:
            raise RuntimeError(f"{name}: {status} {answer}")
        self.ids[name] = answer["id"]
        self.jobs[name] = {"body": body, "answer": None}
        return self.ids[name]

    async def answers(self) -> None:
        for name, job in self.jobs.items():
            job["answer"] = await self.api.get(f"/v1/jobs/{self.ids[name]}")


def _chat(words: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": words}], **fields}


# ---------------------------------------------------------------- the plugin


async def keep_plugin(target: Path, root: Path, ollama: str) -> None:
    config = {"chat": {"backend": "ollama", "ollama_url": ollama, "default_model": "tiny"}}
    async with Lab(root, plugin={"status": {"after_seconds": 1}}, worker_config=config) as lab:
        plain, secret = await lab.room(), await lab.room(encrypted=True)
        for room in (plain, secret):
            await lab.draw(room, "!draw otter, hat --no blurry --steps 2 --seed 7", timeout=PATIENCE)
            await lab.answer(room, "!settings safe off", by=lab.admin, timeout=PATIENCE)
        await lab.answer(plain, "!model otter-mini", by=lab.admin, timeout=PATIENCE)
        asked = await lab.user.send(plain, "!chat why do otters hold hands?")
        await lab.user.wait_for(lab.reaction(asked, "✅"), timeout=PATIENCE)
        posted = await lab.admin.send_image(plain, inputs.pictures()["wide"][1])
        await _accepted(lab, plain, "!draw not any more --steps 100", "⏳")
        await lab.answer(plain, "!cancel", timeout=PATIENCE)
        await lab.worker.api("POST", "/v1/pause", {})
        await _accepted(lab, plain, "!draw an owl --steps 2 --seed 8 --count 2", "⏳")
        await _accepted(lab, secret, "!draw a secret owl --steps 2 --seed 9 --size 96x128", "⏳")
        await _accepted(lab, plain, "!again --seed same --hires 1.5:0.4", "⏳")
        await lab.worker.stop()
        await _accepted(lab, plain, "!draw a wolf --strength 0.6 --steps 4 --seed 10", "⏳", reply=posted)
        await _accepted(lab, plain, "!draw a cat --variation 42:0.2 --ar 3:2 --sampler euler --cfg 3.5 --seed 11", "⏳")
        await _accepted(lab, plain, "!chat are you there?", "⏳")
        await lab.maubot.kill()
        database = root / "plugin.db"
        for path in lab.plugin_database.parent.glob(f"{lab.plugin_database.name}*"):
            shutil.copy(path, database.with_name(path.name.replace(lab.plugin_database.name, database.name)))
        (target / "plugin.sql").write_text(scrubbed(database))


async def _accepted(lab: Lab, room: str, line: str, emoji: str, **how: Any) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, line, **how)
    await lab.user.wait_for(lab.reaction(asked, emoji), mark, timeout=PATIENCE)


def scrubbed(database: Path) -> str:
    """Without the key that the bot would recover its account with."""
    connection = sqlite3.connect(database)
    connection.execute("UPDATE cross_signing SET recovery_key = 'EsTc 0000 0000 0000'")
    connection.commit()
    connection.close()
    return dump(database)
