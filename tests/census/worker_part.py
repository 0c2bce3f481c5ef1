"""The worker's part of the census: what it answers, what it draws, what it writes beside and into pictures."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from lab.worker import Worker

from . import inputs, requests
from .normal import Names, without
from .running import Api, command

Answer = dict[str, Any]
MOVING = ("state", "place", "eta_s", "progress", "attempt")
"""Of a job that has just been accepted: it may run already when its answer is made."""
SIDECARS = 4
"""One of so many pictures is shown by the file beside it as well."""
LISTINGS = ("/v1/models", "/v1/loras", "/v1/controlnets", "/v1/info", "/readyz", "/healthz", "/openapi.json")


def job_of(name: str, request: Any, *, private: bool = False) -> dict[str, Any]:
    key = "census-" + hashlib.sha256(name.encode()).hexdigest()[:16]
    return {"key": key, "kind": "image", "owner": "@ann:here", "room": "!room:here", "private": private,
            "request": request}  # fmt: skip


def answer(status: int, body: Any) -> Answer:
    return {"status": status, "body": body}


class WorkerPart:
    def __init__(self, api: Api, names: Names, pictures: Path) -> None:
        """``pictures``: a folder into which the drawn pictures are written, for people who look at a difference."""
        self.api, self.names, self.pictures = api, names, pictures
        self._sent: dict[str, str] = {}
        names.give(str(api.worker.data), "data")
        names.give(str(api.worker.root), "root")

    async def take(self) -> Answer:
        found: Answer = {"listings at first": await self.listings(), "inputs": await self.send_inputs()}
        found["bad inputs"] = await self.bad_inputs()
        found["pictures"] = await self.draw(requests.pictures())
        found["refused"] = await self.refused()
        found["explained"] = {
            name: answer(*await self.api.call("POST", "/v1/prompts/explain", body))
            for name, body in requests.EXPLAINED.items()
        }
        found["listings at last"] = await self.listings()
        return found

    async def some(self, words: str) -> Answer:
        """The pictures whose names hold these words."""
        await self.send_inputs()
        named = {name: request for name, request in requests.pictures().items() if words in name}
        return {"pictures": await self.draw(named)}

    async def listings(self) -> Answer:
        await self.hashed()
        found = {path: answer(*await self.api.call("GET", path)) for path in LISTINGS}
        found["/v1/info"]["body"]["gpu"]["state"] = "<moving>"
        return found

    async def hashed(self) -> None:
        """Until the list of LoRAs has all hashes: they are made a second at a time."""
        for _ in range(100):
            extras = (await self.api.get("/v1/loras"))["loras"]
            if all(one["hash"] is not None or one["problem"] for one in extras):
                return
            await asyncio.sleep(0.2)

    # ------------------------------------------------------------ pictures that are sent

    async def send_inputs(self) -> Answer:
        found = {}
        for name, (kind, data) in inputs.pictures().items():
            status, body = await self.api.call(
                "POST", "/v1/inputs", data=io.BytesIO(data), headers={"Content-Type": kind, "Otterbot-Owner": "ann"}
            )
            self._sent[name] = body["id"]
            found[name] = answer(status, body)
        return found

    async def bad_inputs(self) -> Answer:
        found = {}
        for name, (kind, data) in inputs.bad_pictures().items():
            headers = {"Content-Type": kind}
            found[name] = answer(*await self.api.call("POST", "/v1/inputs", data=io.BytesIO(data), headers=headers))
        return found

    def with_inputs(self, request: Any) -> Any:
        """``$name`` becomes the id that the worker gave."""
        if isinstance(request, dict):
            return {key: self.with_inputs(one) for key, one in request.items()}
        return self._sent[request[1:]] if isinstance(request, str) and request[:1] == "$" else request

    # ------------------------------------------------------------ pictures that are drawn

    async def draw(self, asked: dict[str, requests.Request]) -> Answer:
        found = {}
        for number, (name, request) in enumerate(asked.items(), 1):
            print(f"{number} of {len(asked)}: {name}", flush=True)
            found[name] = await self.drawn(name, request)
        return found

    async def drawn(self, name: str, request: requests.Request) -> Answer:
        job = job_of(name, self.with_inputs(request), private=name in requests.PRIVATE)
        status, accepted = await self.api.call("POST", "/v1/jobs", job)
        if status != 202:
            return {"accepted": answer(status, accepted)}
        self.names.give(accepted["id"], f"job {name}")
        done = await self.api.done(accepted["id"])
        found: Answer = {"accepted": answer(status, without(accepted, *MOVING)), "job": done, "images": []}
        for row in done["pictures"]:
            if row["result"] is not None:
                found["images"].append(await self.image(f"{name} {row['index']}", row["result"]))
        return found

    async def image(self, name: str, result: Answer) -> Answer:
        """What is known of a drawn picture, however one asks."""
        image_id = result["image_id"]
        self.names.give(image_id, f"image {name}")
        data = await self.api.get(f"/v1/images/{image_id}")
        small = await self.api.get(f"/v1/images/{image_id}/thumbnail")
        sidecar = await self.api.get(f"/v1/images/{image_id}.yml")
        (kept,) = self.api.worker.data.rglob(result["filename"])
        beside = sorted(path.name for path in kept.parent.glob(f"{kept.stem}.*"))
        asked = {"show": ("show", str(kept)), "show --json": ("show", "--json", str(kept))}
        if zlib.crc32(name.encode()) % SIDECARS == 0:
            asked["show sidecar"] = ("show", str(kept.with_suffix(".yml")))
        shown = await asyncio.gather(*(command(self.api.worker, *line) for line in asked.values()))
        return {
            **self.pixels(name, data),
            "thumbnail": hashlib.sha256(small).hexdigest(),
            "sidecar": sidecar if isinstance(sidecar, str) else sidecar.decode(),
            "files": [path.replace(kept.stem, "<stem>") for path in beside],
            "folder": str(kept.parent.relative_to(self.api.worker.data)),
            **dict(zip(asked, shown, strict=True)),
        }

    def pixels(self, name: str, data: bytes) -> Answer:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            texts = {key: value for key, value in picture.info.items() if isinstance(value, str)}
            raw = picture.tobytes()
            picture.save(self.pictures / f"{quote(name, safe=' ')}.png")
            size = f"{picture.width}x{picture.height} {picture.mode}"
        return {"pixels": hashlib.sha256(raw).hexdigest(), "size": size, "texts": texts}

    # ------------------------------------------------------------ what is refused

    async def refused(self) -> Answer:
        found = {}
        for name, request in requests.refused().items():
            found[name] = answer(*await self.api.call("POST", "/v1/jobs", job_of(name, self.with_inputs(request))))
            if found[name]["status"] in (200, 202):  # a change that somebody has to see, and no row left behind
                await self.api.call("DELETE", f"/v1/jobs/{found[name]['body']['id']}")
        return {**found, **await self.no_requests()}

    async def no_requests(self) -> Answer:
        """Bodies and addresses that are no requests at all."""
        good = job_of("one of these", {"prompt": "otter", "seed": 7, "steps": 1})
        plain = {"Content-Type": "application/json"}
        call = self.api.call
        found = {
            "no JSON": answer(*await call("POST", "/v1/jobs", data="{", headers=plain)),
            "no object": answer(*await call("POST", "/v1/jobs", [])),
            "another type": answer(*await call("POST", "/v1/jobs", data="{}", headers={"Content-Type": "text/plain"})),
            "too large": answer(*await call("POST", "/v1/jobs", data=" " * 1_100_000, headers=plain)),
            "bad key": answer(*await call("POST", "/v1/jobs", {**good, "key": "a b"})),
            "no kind": answer(*await call("POST", "/v1/jobs", {**good, "kind": "song"})),
            "without an owner": answer(*await call("POST", "/v1/jobs", {"kind": "image", "request": good["request"]})),
            "no such job": answer(*await call("GET", f"/v1/jobs/{'0' * 32}")),
            "no such image": answer(*await call("GET", f"/v1/images/{'0' * 32}")),
            "no such address": answer(*await call("GET", "/v1/nothing")),
            "no such method": answer(*await call("PUT", "/v1/jobs", good)),
            "no such state": answer(*await call("GET", "/v1/jobs?state=lost")),
            "no prompt to explain": answer(*await call("POST", "/v1/prompts/explain", {})),
            "pause for ever": answer(*await call("POST", "/v1/pause", {"minutes": -1})),
            "wrong token": answer(*await call("GET", "/v1/jobs", headers={"Authorization": "Bearer wrong"})),
        }
        first = await call("POST", "/v1/jobs", good)
        again = await call("POST", "/v1/jobs", good)
        other = await call("POST", "/v1/jobs", {**good, "owner": "@bob:here"})
        self.names.give(first[1]["id"], "job one of these")
        await self.api.done(first[1]["id"])
        found["known key"] = answer(again[0], without(again[1], *MOVING, "result"))
        found["key of another body"] = answer(*other)
        return found


async def commands(worker: Worker) -> Answer:
    """What the worker's command prints, but for what measures this machine."""
    asked = {name: (name, "--help") for name in ("serve", "doctor", "models", "show", "pause", "resume", "openapi")}
    found = {name: await command(worker, *line) for name, line in asked.items()}
    found["help"] = await command(None, "--help")
    found["models, listed"] = await command(worker, "models")
    found["plans"] = await command(worker, "models", "--plans")
    document = await command(worker, "openapi")
    found["openapi document"] = {**document, "output": json.loads(document["output"])}
    found["show nothing"] = await command(worker, "show", "nothing.png")
    return found
