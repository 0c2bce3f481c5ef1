"""The doctor, run as an operator runs it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from core_lab import WORKER

from doubles.ollama import OllamaDouble
from otterbot_worker.doctor.report import Report

SETTINGS = {"GPU__DEVICE": "cpu", "ARCHIVE__MIN_FREE_GB": "0", "API__PORT": "0", "CHAT__BACKEND": "off"}


def doctor(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    given = {**SETTINGS, "DATA_DIR": str(data_dir), **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTTERBOT_")}
    environment |= {f"OTTERBOT_{name}": value for name, value in given.items()}
    environment |= {"PYTHONPATH": str(WORKER), "HF_HUB_CACHE": str(data_dir / "hub")}
    command = [sys.executable, "-m", "otterbot_worker.cli", "doctor", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def codes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {finding["code"]: finding["level"] for finding in json.loads(done.stdout)["findings"]}


def test_a_machine_without_a_card_works_and_is_called_slow(data_dir: Path) -> None:
    done = doctor(data_dir)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "drew a small picture on cpu" in done.stdout
    assert "model otter-mini is here" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last == "It works, but draws on the processor, slow: gpu.device is cpu."
    assert "All is well" not in done.stdout


async def test_for_programs_the_same_stands_in_one_document(tmp_path: Path) -> None:
    script = {"models": [{"name": "tiny"}, {"name": "other"}]}
    async with OllamaDouble(script) as ollama:
        settings = {"CHAT__BACKEND": "ollama", "CHAT__OLLAMA_URL": ollama.url}
        done = await asyncio.to_thread(doctor, tmp_path, "--json", **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert (said["verdict"], said["sentence"][:9]) == ("slow", "It works,")
    found = codes(done)
    assert "fail" not in found.values()
    assert found["picture"] == found["chat"] == found["token.later"] == found["worker.none"] == "ok"
    assert found["card.off"] == "note"
    assert not (tmp_path / "token").exists(), "the doctor changes nothing"


def test_what_is_broken_is_said_and_ends_with_1(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("models: {x: {}}")
    (tmp_path / "token").write_text("0123456789abcdef")
    (tmp_path / "token").chmod(0o644)
    nobody = {"CHAT__BACKEND": "ollama", "CHAT__OLLAMA_URL": "http://127.0.0.1:1"}
    done = doctor(tmp_path, IMAGES__CATALOGUE=str(own), **nobody)
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 3
    for part in ("own.yaml: x:", "chmod 600", "(at 127.0.0.1:1)"):
        assert any(part in line for line in failed), part
    assert "0123456789abcdef" not in done.stdout
    assert done.stdout.splitlines()[-1] == "Something is wrong; see the lines with FAIL."


def test_wrong_settings_are_a_finding_too(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", API__COLOUR="red")
    assert done.returncode == 1
    ((code, level),) = codes(done).items()
    assert (code, level) == ("settings", "fail")
    assert "api.colour (from OTTERBOT_API__COLOUR): unknown key" in json.loads(done.stdout)["findings"][0]["text"]


@pytest.mark.parametrize(
    ("levels", "verdict", "code"),
    [("", "well", 0), ("note", "well", 0), ("fail", "wrong", 1), ("note fail", "wrong", 1)],
)
def test_the_verdict(levels: str, verdict: str, code: int) -> None:
    report = Report(quiet=True)
    report.ok("picture", "drew")
    for level in levels.split():
        tell: Any = getattr(report, level)
        tell("x", "x")
    assert (report.verdict, report.exit_code) == (verdict, code)
    assert (report.sentence == "All is well.") == (verdict == "well")


def test_every_code_stands_in_the_docs_and_no_other() -> None:
    text = "".join(path.read_text() for path in (WORKER / "otterbot_worker" / "doctor").glob("*.py"))
    used = set(re.findall(r'(?:ok|note|fail|told)\)?\(\s*"([a-z._]+)"', text))
    page = (WORKER.parent / "docs" / "doctor.md").read_text()
    table = page[page.index("| codes |") :]
    named = {code for line in table.splitlines() for code in re.findall(r"`([a-z._]+)`", line.split("|")[1])}
    assert used == named
