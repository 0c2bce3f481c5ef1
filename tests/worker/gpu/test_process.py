"""The handle and a real child: pictures, cancelling, death, hanging, the lock, orphans."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lora_files
import pytest
import torch
from draw_tasks import draw_task

from otterbot_worker.errors import CROWDED, Cancelled, JobFailed, ProcessDied
from otterbot_worker.gpu import deaths, messages
from otterbot_worker.gpu.card_lock import CardBusy, CardLock
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.memory.oom_history import OutOfMemory
from otterbot_worker.memory.peaks import Peak
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.schemas.jobs import Progress

MakeTask = Callable[..., Draw]
MakeProcess = Callable[..., GpuProcess]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool], limit: float = 5.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.02)


async def test_draws_the_same_bytes_for_the_same_seed(process: GpuProcess, make_task: MakeTask, tmp_path: Path) -> None:
    steps: list[Progress] = []
    drawn = [
        await process.draw(make_task(output=tmp_path / str(n), seed=seed), steps.append)
        for n, seed in enumerate((5, 5, 6))
    ]
    first, same, other = ((tmp_path / str(n)).read_bytes() for n in range(3))
    assert len(first) == 64 * 64 * 3
    assert first == same != other
    assert (drawn[0].width, drawn[0].height) == (64, 64)
    assert drawn[0].pipeline_seconds <= drawn[0].seconds
    assert len(drawn[0].model_hash) == 16
    assert {"torch", "diffusers", "transformers", "compel", "otterbot-worker"} <= set(drawn[0].versions)
    assert (drawn[0].versions["precision"], drawn[0].versions["threads"]) == ("float32", "1")
    assert drawn[0].versions["device"]
    assert [p.phase for p in steps][-1] == "saving"
    assert [(p.step, p.steps) for p in steps if p.phase == "denoising"][:4] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert process.info.state == "idle"
    assert process.info.resident == "tiny-xl"
    assert process.info.total_bytes
    assert process.info.free_bytes


async def test_a_cancelled_picture_ends_within_a_step_and_the_next_is_untouched(
    process: GpuProcess, make_task: MakeTask, tmp_path: Path
) -> None:
    await process.draw(make_task(output=tmp_path / "before"), lambda _: None)
    task = make_task(steps=150, width=256, height=256)
    seen: list[int] = []

    def cancel_at_two(progress: Progress) -> None:
        if progress.phase == "denoising":
            seen.append(progress.step)
            if progress.step == 2:
                process.cancel(task.task_id)

    with pytest.raises(Cancelled):
        await process.draw(task, cancel_at_two)
    assert seen[-1] <= 4  # what was on its way already
    await process.draw(make_task(output=tmp_path / "after"), lambda _: None)
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


async def test_cancelling_another_task_does_nothing(process: GpuProcess, make_task: MakeTask) -> None:
    process.cancel("nobody")
    await process.draw(make_task(), lambda _: process.cancel("somebody else"))


async def test_a_cancelled_waiter_leaves_the_process_usable(process: GpuProcess, make_task: MakeTask) -> None:
    started = asyncio.Event()
    waiter = asyncio.create_task(
        process.draw(make_task(steps=150, width=256, height=256), lambda p: started.set() if p.step else None)
    )
    await started.wait()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    pid = process.pid
    await process.draw(make_task(), lambda _: None)
    assert process.pid == pid


async def test_a_failed_picture_is_told_and_the_process_goes_on(process: GpuProcess, make_task: MakeTask) -> None:
    with pytest.raises(JobFailed) as failed:
        await process.draw(make_task(entry=replace(make_task().entry, folder="/nowhere")), lambda _: None)
    assert failed.value.code == "model_missing"
    assert "/nowhere" not in failed.value.message
    await process.draw(make_task(), lambda _: None)


async def test_a_full_disk_ends_the_picture_and_not_the_process(process: GpuProcess, make_task: MakeTask) -> None:
    await process.draw(make_task(), lambda _: None)
    pid = process.pid
    with pytest.raises(JobFailed) as failed:
        await process.draw(make_task(steps=1, output=Path("/dev/full")), lambda _: None)
    assert failed.value.details["errno"] == errno.ENOSPC
    assert process.pid == pid
    assert process.info.state == "idle"


async def test_release_frees_the_model_and_keeps_the_process(process: GpuProcess, make_task: MakeTask) -> None:
    await process.draw(make_task(), lambda _: None)
    pid = process.pid
    await process.release()
    assert process.info.resident is None
    assert process.pid == pid
    phases: list[str] = []
    await process.draw(make_task(), lambda p: phases.append(p.phase))
    assert phases[0] == "loading"


async def test_trim_keeps_the_model(process: GpuProcess, make_task: MakeTask) -> None:
    await process.trim()
    await process.draw(make_task(), lambda _: None)
    pid, resident = process.pid, process.info.resident
    await process.trim()
    assert (process.pid, process.info.resident) == (pid, resident)
    assert resident is not None
    phases: list[str] = []
    await process.draw(make_task(), lambda p: phases.append(p.phase))
    assert "loading" not in phases


async def test_a_picture_without_room_beside_others_is_given_back(process: GpuProcess, make_task: MakeTask) -> None:
    peaks = (Peak(plan="resident", card=0, measured=10**15),)
    with pytest.raises(JobFailed) as failed:
        await process.draw(make_task(beside=10**9, peaks=peaks), lambda _: None)
    assert (failed.value.code, failed.value.details["spent"]) == (CROWDED, False)
    assert (await process.draw(make_task(), lambda _: None)).peak is None


async def test_a_prompt_with_anything_in_it_travels(process: GpuProcess, make_task: MakeTask) -> None:
    for prompt in (
        "Oregon 💚 日本\u0085語\u2028\n\x00",
        "\ud83d",
        "(" * 300 + "cat" + ")" * 300,
        "((a)) [b] " * 400,
        "",
    ):
        await process.draw(make_task(prompt=prompt, steps=1), lambda _: None)


async def test_a_killed_process_is_reported_and_replaced(make_process: MakeProcess, make_task: MakeTask) -> None:
    gpu = make_process()

    def kill(progress: Progress) -> None:
        if progress.step == 1 and gpu.pid:
            os.kill(gpu.pid, signal.SIGKILL)

    with pytest.raises(ProcessDied) as died:
        await gpu.draw(make_task(steps=100), kill)
    assert died.value.reason == "killed by SIGKILL"
    assert died.value.exit_code == -signal.SIGKILL
    assert (gpu.info.state, gpu.pid) == ("stopped", None)
    phases: list[str] = []
    await gpu.draw(make_task(), lambda p: phases.append(p.phase))
    assert phases[0] == "starting"
    pid = gpu.pid
    await gpu.stop()
    assert pid is not None
    assert not alive(pid)


async def test_a_process_that_does_not_move_is_killed(make_process: MakeProcess, make_task: MakeTask) -> None:
    gpu = make_process(step_timeout=1.0)
    pids: list[int] = []

    def freeze(progress: Progress) -> None:
        if progress.step == 1 and gpu.pid:
            pids.append(gpu.pid)
            os.kill(gpu.pid, signal.SIGSTOP)

    with pytest.raises(ProcessDied) as died:
        await gpu.draw(make_task(steps=100), freeze)
    assert died.value.reason == "hang"
    assert not alive(pids[0])


async def test_only_one_process_holds_the_card(make_process: MakeProcess, tmp_path: Path) -> None:
    held = CardLock(tmp_path / "card.lock")
    held.acquire(0)
    with pytest.raises(CardBusy):
        CardLock(tmp_path / "card.lock").acquire(0.1)
    gpu = make_process(lock_timeout=0.2)
    with pytest.raises(ProcessDied) as died:
        await gpu.start()
    assert died.value.reason == "card_busy"
    held.release()
    await gpu.start()
    await gpu.stop()


async def test_a_device_that_is_not_there_is_told_at_the_start(make_process: MakeProcess) -> None:
    gpu = make_process(device="cuda:99")
    with pytest.raises(ProcessDied) as died:
        await gpu.start()
    assert died.value.reason == "no_engine"
    assert gpu.info.state == "stopped"


async def test_stop_in_the_middle_of_a_picture(make_process: MakeProcess, make_task: MakeTask) -> None:
    gpu = make_process()
    started = asyncio.Event()
    drawing = asyncio.create_task(gpu.draw(make_task(steps=150, width=256, height=256), lambda p: started.set()))
    await started.wait()
    await until(lambda: gpu.info.state == "drawing", 60)
    pid = gpu.pid
    await gpu.stop()
    with pytest.raises(ProcessDied, match="stopped"):
        await drawing
    assert pid is not None
    assert not alive(pid)
    await gpu.stop()  # twice is fine


@pytest.mark.usefixtures("new_processes")
async def test_stop_at_the_very_start(make_process: MakeProcess) -> None:
    for moment in (0.0, 0.05, 0.5):
        gpu = make_process()
        starting = asyncio.create_task(gpu.start())
        await asyncio.sleep(moment)
        await gpu.stop()
        if moment == 0.0:  # it had not begun
            starting.cancel()
        with pytest.raises((ProcessDied, asyncio.CancelledError)):
            await starting
        assert (gpu.pid, gpu.info.state) == (None, "stopped")


@pytest.mark.usefixtures("new_processes")
async def test_a_cancel_while_it_starts(make_process: MakeProcess, make_task: MakeTask) -> None:
    gpu = make_process()
    task = make_task()
    with pytest.raises(Cancelled):
        await gpu.draw(task, lambda _: gpu.cancel(task.task_id))
    assert gpu.info.state == "idle"
    await gpu.stop()


async def test_a_failing_listener_leaves_the_process_usable(process: GpuProcess, make_task: MakeTask) -> None:
    def fail(progress: Progress) -> None:
        if progress.step == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await process.draw(make_task(steps=50), fail)
    await process.draw(make_task(), lambda _: None)


async def test_no_log_holds_a_prompt(
    make_process: MakeProcess, make_task: MakeTask, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    gpu = make_process()
    caplog.set_level(logging.DEBUG, "gpu-test")
    canary = "xylocanary"
    await gpu.draw(make_task(prompt=f"{canary} " * 300, negative_prompt=canary), lambda _: None)
    with pytest.raises(JobFailed):
        await gpu.draw(make_task(prompt=canary, steps=0), lambda _: None)
    with pytest.raises(JobFailed):
        await gpu.draw(make_task(prompt=canary, output=tmp_path / "none" / canary), lambda _: None)
    entry = make_task().entry
    odd = replace(entry, name=canary, limits=replace(entry.limits, size_multiple=0))
    with pytest.raises(ProcessDied) as died:  # an error that nobody expected
        await gpu.draw(make_task(prompt=canary, entry=odd), lambda _: None)
    assert died.value.reason == "exit code 1"
    assert "GPU process:" in caplog.text, "its words are in the log"
    assert canary not in caplog.text


PARENT = """
import asyncio, logging, sys
from pathlib import Path
from otterbot_worker.gpu.process import GpuProcess
async def main():
    gpu = GpuProcess(device="cpu", lock_path=Path(sys.argv[1]), threads=1, step_timeout=30, load_timeout=30,
                     log=logging.getLogger("x"))
    await gpu.start()
    assert "torch" not in sys.modules
    print(gpu.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("frozen", [False, True])
async def test_the_child_dies_with_its_parent(tmp_path: Path, frozen: bool) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "card.lock")]
    parent = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert alive(pid)
        os.kill(pid, signal.SIGINT)  # Ctrl-C in the worker's terminal reaches the whole group
        await asyncio.sleep(0.1)
        assert alive(pid)
        if frozen:
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
        await until(lambda: not alive(pid), 2.0)
    finally:
        parent.kill()
        await asyncio.to_thread(parent.communicate)


@pytest.mark.parametrize(
    ("code", "kills_before", "reason"),
    [
        (3, 0, "exit code 3"),
        (messages.EXIT_DEVICE_LOST, 0, "device_lost"),
        (messages.EXIT_CARD_BUSY, 0, "card_busy"),
        (-signal.SIGSEGV, 0, "killed by SIGSEGV"),
        (-signal.SIGKILL, 10**9, "killed by SIGKILL"),
        (-signal.SIGKILL, -1, "out_of_memory_killed"),
        (-200, 0, "killed by signal 200"),
    ],
)
def test_why_it_died(code: int, kills_before: int, reason: str) -> None:
    assert deaths.describe_exit(code, oom_kills_before=kills_before) == reason


DEVICE_LOST = """
import queue, sys, types
from pathlib import Path
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.gpu import messages
from otterbot_worker.images import child
from otterbot_worker.images.load.device import DeviceLost

ERRORS = {"lost": DeviceLost("AcceleratorError"), "torch": RuntimeError("CUDA error: unknown error, secret otter")}

class Engine:
    def draw(self, *_):
        raise ERRORS[sys.argv[1]]
    put_away = draw

inbox = queue.Queue()
entry = load_catalogue(data_dir=Path.cwd()).images["otter-mini"]
inbox.put(messages.Draw(
    task_id="a", entry=entry, model="x", prompt="secret otter", negative_prompt="", steps=1, guidance_scale=0.0,
    width=64, height=64, sampler="UniPC", seed=1, output=Path("/nowhere"),
) if sys.argv[2] == "draw" else messages.Release())
child.serve(Engine(), types.SimpleNamespace(inbox=inbox))
"""


@pytest.mark.parametrize("asked", ["draw", "release"])
@pytest.mark.parametrize("error", ["lost", "torch"])
def test_a_lost_device_ends_the_process_and_says_so_to_the_worker(error: str, asked: str) -> None:
    """Nothing can be computed in it any more; the worker reads the reason from its exit code, and starts another."""
    program = [sys.executable, "-c", DEVICE_LOST, error, asked]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=240, check=False)
    assert deaths.describe_exit(ended.returncode, oom_kills_before=0) == "device_lost", ended.stderr
    assert "the device is lost" in ended.stderr
    assert "otter" not in ended.stderr.replace("otterbot", "")


def test_messages_survive_the_journey(entries: dict[str, ModelEntry]) -> None:
    half = "\ud83d"  # of a pair: a file's name may hold one
    everything: list[messages.ToChild] = [
        draw_task(
            task_id="a", entry=replace(entries["sd"], folder=f"/{half}", stamp=(1, 2)), prompt=f"{prompt}\n💚",
            negative_prompt="", steps=1, guidance_scale=0.0, width=64, height=64, sampler="UniPC", seed=1,
            output="/tmp/x", canvas=(64, 64), init_image="/a", mask="/b",
            checker={"folder": half, "features": None, "hub": None},
            loras=[{"name": "x", "path": "/c", "weight": 1, "hash": "0"}], control=CONTROL, hires=HIRES,
            oom_history=[OutOfMemory(plan="tiled", card=1, available=2)],
            asked={"variation": {"seed": 1, "strength": 1}},
        )
        for prompt in ("otter", half)
    ]  # fmt: skip
    everything += [messages.Cancel(task_id="a"), messages.Release(), messages.Stop()]
    for message in everything:
        line = messages.encode(message)
        assert line.count(b"\n") == 1
        assert messages.for_child(line) == message


CONTROL = {"scale": 1.0, "path": None, "name": "x", "hash": None}
HIRES = {"scale": 2, "strength": 0.5, "steps": 3, "upscaler": "latent", "width": 64, "height": 64, "tile": (64, 64)}


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"x\n", b"[]\n", b"{}\n", b'{"kind": "stop", "x": 1}\n', b'{"kind": "drawn"}\n', b'{"kind": []}\n',
        b'{"kind": "cancel", "task_id": 1}\n', b'{"kind": "cancel", "task_id": "\\ud83d", "x": 1}\n', b"[" * 100_000,
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_message_is_refused_without_its_words(bad: bytes) -> None:
    with pytest.raises(messages.BadMessage):
        messages.for_child(bad)


@pytest.mark.parametrize(
    ("field", "value"), [("steps", "otter"), ("steps", "3"), ("otter", 1), ("hires", {"tile": [1]}), ("v", 2)]
)
def test_a_task_that_is_none_says_nothing_of_its_prompt(make_task: MakeTask, field: str, value: Any) -> None:
    fields = json.loads(messages.encode(make_task(prompt="secret otter")))
    with pytest.raises(messages.BadMessage) as refused:
        messages.for_child(json.dumps({**fields, field: value}).encode())
    assert "otter" not in "".join(traceback.format_exception(refused.value)).replace("otterbot", "")


# ---------------------------------------------------------------- LoRAs and embeddings


async def test_files_reach_the_child_and_a_broken_one_ends_nothing(
    process: GpuProcess, make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task()
    width, place = 96, "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    halves = {f"{place}.lora_A.weight": torch.ones(2, width), f"{place}.lora_B.weight": torch.ones(64, 2)}
    lora = lora_files.write(tmp_path / "a lora.safetensors", halves)
    word = {"clip_l": torch.ones(2, 32), "clip_g": torch.ones(2, 64)}
    embedding = lora_files.write(tmp_path / "otter.safetensors", word)

    async def draw(**changes: Any) -> bytes:
        drawn = await process.draw(make_task(**changes), lambda _: None)
        assert (drawn.notes, drawn.unused_embeddings) == ([], [])
        return task.output.read_bytes()

    plain = await draw()
    wanted = [lora_files.wanted(lora, 0.5)]
    assert len({plain, await draw(loras=wanted), await draw(embeddings=[lora_files.embedding(embedding)])}) == 3
    pid = process.pid
    lora.write_bytes(lora.read_bytes()[:-1])
    with pytest.raises(JobFailed, match="The LoRA a lora cannot be used") as failure:
        await draw(loras=[lora_files.wanted(lora)])
    assert (failure.value.code, failure.value.details) == ("lora_broken", {"lora": "a lora"})
    assert await draw() == plain
    assert process.pid == pid
