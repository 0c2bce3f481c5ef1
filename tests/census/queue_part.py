"""The rest of the worker's part: a queue that stands still, chats, pictures that go, databases."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

from doubles.ollama import OllamaDouble

from .normal import Names, shape, without
from .running import Api
from .worker_part import MOVING, Answer, answer, job_of

CHATS: dict[str, dict[str, Any]] = {
    "a question": {"messages": [("user", "why do otters hold hands?")]},
    "with history": {
        "messages": [("system", "You are an otter."), ("user", "I am Bo"), ("assistant", "Hi"), ("user", "who am I?")],
    },
    "another model": {"model": "other", "messages": [("user", "#markdown please")]},
    "thoughts": {"messages": [("user", "#inline-think about it")]},
    "only thoughts": {"messages": [("user", "#only-think")]},
    "an empty answer": {"messages": [("user", "#empty")]},
    "an error": {"messages": [("user", "#error")]},
    "broken off": {"messages": [("user", "#eof")]},
    "long history": {"messages": [("user", "word " * 200), ("assistant", "word " * 200), ("user", "and now?")]},
    "too long": {"messages": [("user", "word " * 3000)]},
    "no such model": {"model": "nobody", "messages": [("user", "hello")]},
    "last is not the user's": {"messages": [("assistant", "hello")]},
    "no messages": {"messages": []},
    "a cloud model": {"model": "sky:cloud", "messages": [("user", "hello")]},
}
OLLAMA = {"models": [{"name": "tiny"}, {"name": "other"}, {"name": "sky:cloud", "remote": True}]}


async def queue(api: Api, names: Names) -> Answer:
    """Jobs of three people while the worker is paused: places, lists, the stream's first event, limits, a cancel."""
    found: Answer = {"paused": answer(*await api.call("POST", "/v1/pause", {"minutes": 60}))}
    found["ready"] = answer(*await api.call("GET", "/readyz"))
    ids = []
    for number, (owner, model, count) in enumerate(
        [("ann", "tiny-sd", 2), ("ann", "tiny-xl", 1), ("bob", "tiny-sd", 1), ("cat", "otter-mini", 3)]
    ):
        job = job_of(f"waits {number}", {"prompt": "otter", "seed": number, "model": model, "count": count, "steps": 2})
        job |= {"owner": f"@{owner}:here", "room": f"!{owner}:here", "private": owner == "bob"}
        status, body = await api.call("POST", "/v1/jobs", job)
        names.give(body["id"], f"job waits {number}")
        ids.append(body["id"])
        found[f"waits {number}"] = answer(status, body)
    for number in range(3):
        body = job_of(f"many {number}", {"prompt": "otter", "seed": 1, "count": 8}) | {"owner": "@dan:here"}
        status, job = await api.call("POST", "/v1/jobs", body)
        names.give(job["id"], f"job many {number}")
        ids.append(job["id"])
    body = job_of("one too many", {"prompt": "otter", "seed": 1}) | {"owner": "@dan:here"}
    found["one too many"] = answer(*await api.call("POST", "/v1/jobs", body))
    queries = {"open": "state=open", "of a room": "room=!ann:here&state=open", "of a key": f"key={job['key']}"}
    for name, query in queries.items():
        found[name] = answer(*await api.call("GET", f"/v1/jobs?{query}"))
    found["first event"] = await first_event(api)
    found["no preview"] = answer(*await api.call("GET", f"/v1/jobs/{ids[0]}/pictures/0/preview"))
    found["cancelled"] = answer(*await api.call("DELETE", f"/v1/jobs/{ids[0]}"))
    found["cancelled again"] = answer(*await api.call("DELETE", f"/v1/jobs/{ids[0]}"))
    for one in ids[4:]:
        await api.call("DELETE", f"/v1/jobs/{one}")
    found["waits still"] = answer(*await api.call("GET", f"/v1/jobs/{ids[3]}"))
    found["resumed"] = answer(*await api.call("POST", "/v1/resume"))
    found["drawn then"] = [without((await api.done(one))["state"]) for one in ids[:4]]
    return found


async def first_event(api: Api) -> Answer:
    async with asyncio.timeout(20), api.session.get(api.worker.url + "/v1/events") as response:
        text = (await response.content.readuntil(b"\n\n")).decode()
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        return {"type": response.content_type, "event": fields["event"], "data": json.loads(fields["data"])}


async def events(api: Api) -> Answer:
    """What kinds of events come while a picture is drawn and a chat is answered, and what they hold."""
    found: Answer = {}
    phases: set[str] = set()

    async def listen() -> None:
        async with api.session.get(api.worker.url + "/v1/events") as response:
            name = ""
            async for raw in response.content:
                line = raw.decode().rstrip("\n")
                name = line.removeprefix("event: ") if line.startswith("event: ") else name
                if line.startswith("data: ") and name != "snapshot":
                    data = json.loads(line.removeprefix("data: "))
                    phases.add((data.get("progress") or {}).get("phase", ""))
                    found[name] = shape(data) if name in ("progress", "chat", "pause") else sorted(data["job"])

    listener = asyncio.create_task(listen())
    try:
        await asyncio.sleep(0.5)
        request = {"prompt": "otter", "seed": 7, "model": "tiny-sd", "steps": 8, "preview": True}
        for name, body in (("seen", job_of("seen", request)), ("heard", chat_job("heard", CHATS["a question"]))):
            _, job = await api.call("POST", "/v1/jobs", body)
            await api.done(job["id"])
            found[f"{name}, drawn or said"] = job["kind"]
        await api.call("POST", "/v1/pause", {})
        await api.call("POST", "/v1/resume")
        await asyncio.sleep(1)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    # A model may be there already or be loaded yet, and quick steps are told of together.
    return {**found, "phases": sorted(phases & {"denoising", "streaming"})}


def chat_job(name: str, request: dict[str, Any]) -> dict[str, Any]:
    messages = [{"role": role, "content": text} for role, text in request["messages"]]
    return {**job_of(name, {**request, "messages": messages}), "kind": "chat"}


async def chats(api: Api, names: Names, ollama: OllamaDouble) -> Answer:
    """Turns of chat, and with what words Ollama was asked for them."""
    found = {}
    for name, request in CHATS.items():
        before = len(ollama.requests)
        status, body = await api.call("POST", "/v1/jobs", chat_job(f"chat {name}", request))
        if status != 202:
            found[name] = answer(status, body)
            continue
        names.give(body["id"], f"job chat {name}")
        done = await api.done(body["id"])
        said = [one["body"] for one in ollama.requests[before:] if one["path"] == "/api/chat" and one["body"]]
        once = list({json.dumps(body, sort_keys=True): body for body in said}.values())
        found[name] = {"accepted": answer(status, without(body, *MOVING)), "job": done, "asked of Ollama": once}
    return found


async def ends(api: Api, names: Names) -> Answer:
    """Pictures that are delivered and deleted."""
    found: Answer = {}
    for private in (False, True):
        name = "delivered, private" if private else "delivered"
        request = {"prompt": "otter", "seed": 7, "model": "tiny-sd", "steps": 2}
        _, job = await api.call("POST", "/v1/jobs", job_of(name, request, private=private))
        names.give(job["id"], f"job {name}")
        image = (await api.done(job["id"]))["pictures"][0]["result"]["image_id"]
        names.give(image, f"image {name}")
        steps = [("POST", "/delivered"), ("GET", ""), ("GET", ".yml"), ("DELETE", ""), ("GET", ""), ("DELETE", "")]
        answers = [(f"{method} {path}", await api.call(method, f"/v1/images/{image}{path}")) for method, path in steps]
        found[name] = [
            {"asked": asked, "status": status, "body": body if isinstance(body, dict) else type(body).__name__}
            for asked, (status, body) in answers
        ]
    return found


async def metrics(api: Api) -> list[str]:
    """The names of all metrics and their labels."""
    lines = [line for line in (await api.get("/metrics")).splitlines() if line and not line.startswith("#")]
    return sorted({re.sub(r'="[^"]*"', "", line.rpartition(" ")[0]) for line in lines})


def schema(database: Path) -> dict[str, Any]:
    """Everything that a database holds but its rows."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT type || ' ' || name, sql FROM sqlite_master ORDER BY 1").fetchall()
        return {"version": connection.execute("PRAGMA user_version").fetchone()[0], "tables": dict(rows)}
    finally:
        connection.close()
