"""``otterbot-worker models``, ``models get`` and ``models rm``, with a hub on this machine."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from core_lab import WORKER
from hub import TOKEN, Hub

from otterbot_worker import cli
from otterbot_worker.model_commands import progress, removing
from otterbot_worker.model_commands.progress import Shown
from otterbot_worker.models import download, files

OWN = """
models:
  noise: &noise
    hub: somebody/noise
    family: sdxl
    vae: somebody/vae
    about: a test
    licence: MIT
    defaults: {steps: 4, guidance_scale: 5.0, width: 64, height: 64, sampler: UniPC}
    limits: {size_min: 16}
  twin: {<<: *noise}
  one: {<<: *noise, hub: somebody/one, file: model.safetensors, vae: null}
  mine: {<<: *noise, hub: null, vae: null, folder: mine}
  gone: {<<: *noise, hub: somebody/gone, vae: null}
  half: {<<: *noise, hub: somebody/half, variant: fp16, vae: null}
  other: {<<: *noise, hub: somebody/one, file: another.safetensors, vae: null}
"""


@pytest.fixture
def cache(hub: Hub, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty; ``OTTERBOT_*`` name a catalogue with models of the hub."""
    hub.repositories["somebody/vae"] = data_dir / "models" / "otter-noise" / "vae"
    hub.repositories["somebody/half"] = data_dir / "models" / "otter-noise"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.safetensors").write_bytes(os.urandom(24_000_000))
    hub.repositories["somebody/one"] = tmp_path / "one"
    (tmp_path / "own.yaml").write_text(OWN)
    monkeypatch.setenv("OTTERBOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OTTERBOT_IMAGES__CATALOGUE", str(tmp_path / "own.yaml"))
    monkeypatch.setenv("PYTHONPATH", str(WORKER))
    return tmp_path / "hf" / "hub"


Said = Callable[[], tuple[str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def read() -> tuple[str, str]:
        found = capsys.readouterr()
        return found.out, found.err

    return read


def test_the_list_fits_a_terminal(cache: Path, said: Said) -> None:
    assert cli.main(["models"]) == 0
    lines = said()[0].splitlines()
    assert max(map(len, lines)) <= 80
    rows = {line[2:].split()[0]: line for line in lines if line[2:].strip()}
    assert rows["otter-mini"].split()[2:] == ["here", "24", "MB", "1", "GB", "MIT"]
    assert rows["otter-mini"].startswith("* ")
    assert rows["sdxl-turbo"].endswith("Stability AI Non-Commercial")
    assert "on demand" in rows["sdxl"]
    needs = {name: int(row.split(" GB")[1].split()[-1]) for name, row in rows.items() if row.count(" GB") == 2}
    assert needs["sd15"] < needs["sdxl"] <= needs["sdxl-refined"]
    assert cli.main(["models", "--about"]) == 0
    about = said()[0].splitlines()
    assert max(map(len, about)) <= 80
    assert any(line.startswith("    Tiny, draws animals") for line in about)


def test_a_model_is_fetched_with_its_decoder_and_removed_without_what_others_use(
    cache: Path, hub: Hub, said: Said
) -> None:
    hub.licences = {"somebody/vae": "apache-2.0"}
    assert cli.main(["models", "get", "noise"]) == 0
    out, _ = said()
    assert "somebody/noise" in out
    assert [path for path in hub.asked if "somebody/" not in path] == [], "nobody is told that it is used, and by what"
    assert "MIT" in out
    assert "apache-2.0" in out
    assert f"are free in {cache}" in out
    folder, vae = files.snapshot("somebody/noise"), files.find_single("somebody/vae")
    assert folder is not None
    assert out.splitlines()[-2:] == [f"  {folder}", f"  {vae}"]
    asked = len(hub.asked)
    assert cli.main(["models", "get", "noise"]) == 0
    assert len(hub.asked) == asked, "what is here is not asked for"
    assert "noise is here" in said()[0]

    assert cli.main(["models", "rm", "noise", "--yes"]) == 0
    out, _ = said()
    assert "somebody/noise stays: twin uses it, too" in out
    assert "nothing of noise is here to be removed" in out
    assert files.snapshot("somebody/noise") == folder


def test_what_was_fetched_for_one_model_is_removed(cache: Path, hub: Hub, said: Said) -> None:
    assert cli.main(["models", "get", "one"]) == 0
    assert cli.main(["models", "rm", "one"]) == 2
    assert "nobody is there to be asked: add --yes" in said()[1]
    assert files.snapshot("somebody/one") is not None
    assert cli.main(["models", "rm", "one", "--yes"]) == 0
    assert "24 MB" in said()[0]
    assert [path.name for path in cache.iterdir() if "one" in path.name] == []


def test_of_a_repository_on_another_disk_files_and_link_go(cache: Path, tmp_path: Path, said: Said) -> None:
    there, link = tmp_path / "large disk" / "one", cache / "models--somebody--one"
    (there / "blobs").mkdir(parents=True)
    (there / "blobs" / "x").write_bytes(b"x" * 3_000_000)
    link.parent.mkdir(parents=True)
    link.symlink_to(there)
    assert cli.main(["models", "rm", "one", "--yes"]) == 0
    assert f"3 MB  {link}, a link to {there}" in said()[0]
    assert not link.is_symlink()
    assert list(there.parent.iterdir()) == []


@pytest.mark.parametrize(("answer", "goes"), [("y", True), ("", False), ("no", False)])
def test_it_asks_before(cache: Path, monkeypatch: pytest.MonkeyPatch, said: Said, answer: str, goes: bool) -> None:
    place = cache / "models--somebody--one" / "blobs"
    place.mkdir(parents=True)
    (place / "x.incomplete").write_bytes(b"half of it")
    monkeypatch.setattr(removing.sys, "stdin", Terminal(answer + "\n"))
    assert cli.main(["models", "rm", "one"]) == (0 if goes else 1)
    assert place.exists() != goes, "a half of it, too"


def test_own_files_and_those_of_the_package_are_nobodys_to_remove(cache: Path, said: Said) -> None:
    for name, what in (("otter-mini", "ships with the worker"), ("mine", "is of files of yours")):
        assert cli.main(["models", "rm", name, "--yes"]) == 2
        assert f"{name} {what}" in said()[1]
    assert cli.main(["models", "get", "mine"]) == 2
    assert cli.main(["models", "get", "nosie"]) == 2
    assert "did you mean noise?" in said()[1]


@pytest.mark.parametrize("licence", ["cc-by-nc-4.0", "stability-ai-non-commercial"])
def test_a_licence_that_forbids_selling_has_to_be_accepted(cache: Path, hub: Hub, said: Said, licence: str) -> None:
    hub.licences = {"somebody/one": licence}
    assert cli.main(["models", "get", "one"]) == 2
    _, err = said()
    assert "forbids commercial use (https://huggingface.co/somebody/one). If you accept it, add --accept" in err
    assert files.snapshot("somebody/one") is None
    assert cli.main(["models", "get", "one", "--accept"]) == 0
    assert files.snapshot("somebody/one") is not None


def test_a_gated_model_needs_an_account_that_has_accepted(
    cache: Path, hub: Hub, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.gated.add("somebody/one")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert cli.main(["models", "get", "one", "--accept"]) == 2
    assert "its licence has to be accepted first at https://huggingface.co/somebody/one" in said()[1]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert cli.main(["models", "get", "one"]) == 2
    assert "add --accept" in said()[1]
    assert cli.main(["models", "get", "one", "--accept"]) == 0
    assert TOKEN not in "".join(said())


def test_a_full_disk_is_said_before(
    cache: Path, hub: Hub, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=download.RESERVE + 20_000_000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    assert cli.main(["models", "get", "one"]) == 2
    assert "it needs 24 MB, and 1 GB has to stay free" in said()[1]
    assert files.snapshot("somebody/one") is None


def test_a_hub_that_is_not_there_is_not_a_model_that_is_not(
    cache: Path, hub: Hub, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    for name in ("one", "noise"):
        assert cli.main(["models", "get", name]) == 2
        assert f"somebody/{name}: the hub could not be reached\n" in said()[1]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone", "somebody/gone: the hub has no such repository"),
        ("half", "somebody/half: the hub does not have the files of it"),
        ("other", "somebody/one: the hub does not have the files of it"),
    ],
)
def test_what_the_hub_has_not_got_is_not_a_hub_that_is_away(cache: Path, said: Said, name: str, sentence: str) -> None:
    assert cli.main(["models", "get", name]) == 2
    assert sentence in said()[1]


def test_a_file_that_was_cut_off_is_continued(cache: Path, hub: Hub, said: Said) -> None:
    """The whole command is interrupted in the middle of the one file, as by Ctrl-C, and run again."""
    hub.slowly = 0.1
    command = [sys.executable, "-m", "otterbot_worker.cli", "models", "get", "one"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    blobs, until = cache / "models--somebody--one" / "blobs", time.monotonic() + 60
    while download.arrived(blobs) < 11_000_000 and time.monotonic() < until:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    assert first.returncode == 130
    came = download.arrived(blobs)
    assert came >= 11_000_000
    hub.slowly = 0.0
    assert cli.main(["models", "get", "one"]) == 0
    assert hub.ranges == [came]
    path = files.find_file(hub="somebody/one", file="model.safetensors")
    assert path is not None
    assert path.read_bytes() == (hub.repositories["somebody/one"] / "model.safetensors").read_bytes()
    assert download.arrived(blobs) == 0


def test_parts_that_do_not_fit_together_are_fetched_anew(cache: Path, hub: Hub, said: Said) -> None:
    whole = (hub.repositories["somebody/one"] / "model.safetensors").read_bytes()

    part = cache / "models--somebody--one" / "blobs" / f"{hashlib.sha256(whole).hexdigest()}.part.incomplete"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 10_000_000)
    assert cli.main(["models", "get", "one"]) == 2
    assert not part.exists()
    assert cli.main(["models", "get", "one"]) == 0
    path = files.find_file(hub="somebody/one", file="model.safetensors")
    assert path is not None
    assert path.read_bytes() == whole


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_in_a_terminal_and_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "80")
    for stream in (Terminal(), io.StringIO()):
        shown = Shown("somebody/one", stream)
        for done in range(0, 101, 5):
            shown.progress("downloading", done * 40_000_000, 4_000_000_000)
            now[0] += 1.0
        shown.progress("loading")
        shown.close()
        written = stream.getvalue()
        if stream.isatty():
            lines = written.rstrip("\n").split("\r")[1:]
            assert {len(line) for line in lines} == {79}
            assert lines[10].rstrip() == "[############............] 50 %  2.00 of 4.00 GB  200.0 MB/s  0:10 left"
        else:
            assert written.splitlines()[1] == "somebody/one: 50 %  2.00 of 4.00 GB  200.0 MB/s  0:10 left"
            assert len(written.splitlines()) == 3
