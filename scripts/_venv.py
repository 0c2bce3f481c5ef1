"""Makes the project's virtual environments from pinned requirement files; only the standard library is needed.

Four of them, because their pins contradict each other: ``synapse`` (the homeserver of demo and tests), ``maubot``
(the plugin's home), ``worker`` and ``test`` (an independent Matrix client, pytest). Each is a list of layers, and a
stamp file beside it says which are installed, so that a second start costs one comparison. They are made side by
side; what pip says goes into ``NAME.log``. Where packages come from is pip's own configuration, never this file's.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import _browser
import _olm

REPOSITORY = Path(__file__).resolve().parents[1]
REQUIREMENTS = REPOSITORY / "scripts" / "requirements"
VENVS = Path(os.environ.get("OTTER_VENVS") or REPOSITORY / ".venvs").resolve()

LAYERS: dict[str, list[str]] = {
    "synapse": ["synapse.txt"],
    "maubot": ["maubot.txt"],
    # torch first and alone: what depends on it must find the build that is there (CPU, CUDA) and keep it.
    "worker": ["torch.txt", "worker.txt", "chat.txt"],
    "test": ["test.txt"],
}
DEV_LAYERS: dict[str, list[str]] = {
    "maubot": ["maubot-dev.txt"],
    "worker": ["worker-dev.txt"],
    "test": ["test-dev.txt", "compose-schema.txt"],
}
ALONE = {"chat.txt", "compose-schema.txt"}
"""Files whose packages are installed without what they declare."""
OPTIONAL = {"chat", _browser.CHROMIUM, _browser.AXE}
"""Steps without which all else works: where one fails, that is said, and it is tried again at the next start."""
OLM = "python-olm"
"""The label of the step that :mod:`_olm` makes, before the requirement file that pins it."""
PYTHONS: dict[str, str] = {"maubot": os.environ.get("OTTER_MAUBOT_PYTHON") or sys.executable}
"""Where an environment is made with another Python than this one: CI tries the plugin with several."""
EDITABLE: dict[str, Path] = {"worker": REPOSITORY / "worker"}
"""Our own packages, installed last as links to the sources."""

ABOUT = {
    "synapse": "Synapse, the homeserver",
    "maubot": "Maubot, the plugin's home",
    "worker": "the worker, with PyTorch and diffusers",
    "test": "a Matrix client of its own kind",
}


SIZES = """Setting up, once, in some minutes. Fetched are about 0.6 GB of packages (0.13 GB of it is a small language
model) and PyTorch, which is 0.2 GB where pip finds its build for processors, and about 3 GB (5 GB on disk) as it is
usually found, with CUDA:"""


class SetupFailed(Exception):
    """An installation failed; the message is for people."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call of pip, and the line in the stamp that says that it was made."""

    label: str
    arguments: list[str]
    mark: str


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _version(python: str) -> str:
    """``python 3.11``, of the interpreter at ``python``. Raises SetupFailed where there is none."""
    if python == sys.executable:
        return "python {}.{}".format(*sys.version_info)
    ask = [python, "-c", "import sys; print('python {}.{}'.format(*sys.version_info))"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        raise SetupFailed(f"OTTER_MAUBOT_PYTHON names no Python: {python}") from None


def steps_of(name: str, *, dev: bool) -> list[Step]:
    """What must be installed into environment ``name``, in this order."""
    files = [*LAYERS[name], *(DEV_LAYERS.get(name, []) if dev else [])]
    steps: list[Step] = []
    if name == "maubot":
        pin = _olm.pinned(REQUIREMENTS / "maubot.txt")
        steps.append(Step(label=OLM, arguments=[pin], mark=f"{OLM} {pin}"))
    steps += [
        Step(
            label=file.removesuffix(".txt"),
            arguments=[*(["--no-deps"] if file in ALONE else []), "-r", str(REQUIREMENTS / file)],
            mark=f"{file} {_digest(REQUIREMENTS / file)}",
        )
        for file in files
    ]
    if name == "test" and dev:
        pin = REQUIREMENTS / f"{_browser.AXE}.txt"
        steps.append(Step(label=_browser.AXE, arguments=[str(pin)], mark=f"{_browser.AXE} {_digest(pin)}"))
        if _browser.chromium() is None:
            # Not for the stamp: the environments may be another machine's, and the system's browser is not.
            steps.append(Step(label=_browser.CHROMIUM, arguments=[], mark=""))
    project = EDITABLE.get(name)
    if project is not None:
        steps.append(
            Step(
                label=project.name,
                arguments=["--no-deps", "--no-build-isolation", "-e", str(project)],
                mark=f"-e {project} {_digest(project / 'pyproject.toml')}",
            )
        )
    return steps


class Environment(threading.Thread):
    """Brings one virtual environment up to date; ``activity`` says what it does right now."""

    def __init__(self, name: str, *, dev: bool) -> None:
        super().__init__(name=name, daemon=True)
        self.folder = VENVS / name
        self.stamp = VENVS / f"{name}.stamp"
        self.log = VENVS / f"{name}.log"
        self.steps = steps_of(name, dev=dev)
        self.python = PYTHONS.get(name, sys.executable)
        self.version = _version(self.python)
        self.activity = "waiting"
        self.notes: list[str] = []
        """What took an unusual way."""
        self.error: str | None = None
        self.seconds = 0.0

    def missing(self) -> list[Step]:
        """The steps that the stamp does not know; all of them where the environment is another Python's."""
        marks = self.stamp.read_text().splitlines() if self.stamp.exists() else []
        if not (self.folder / "bin" / "python").exists() or self.version not in marks:
            return self.steps
        return [step for step in self.steps if step.mark not in marks]

    def run(self) -> None:
        """One setup at a time for each environment; what another one has installed meanwhile is not missing."""
        started = time.monotonic()
        try:
            with (VENVS / f".{self.name}.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.activity = "waiting for another setup"
                    fcntl.flock(lock, fcntl.LOCK_EX)
                if self.missing():
                    self._install()
                self.activity = "ready"
        except SetupFailed as error:
            self.error = str(error)
        except OSError as error:
            self.error = f"{error.strerror or error} ({self.folder})"
        self.seconds = time.monotonic() - started

    def _install(self) -> None:
        self.log.write_text("")
        marks = set(self.stamp.read_text().splitlines()) if self.stamp.exists() else set()
        if self.version not in marks or not (self.folder / "bin" / "python").exists():
            self.stamp.unlink(missing_ok=True)
            self.activity = "making the environment"
            self._call([self.python, "-m", "venv", "--clear", str(self.folder)])
            marks = {self.version}
        for step in self.steps:
            if step.mark in marks:
                continue
            self.activity = f"installing {step.label}"
            try:
                self._make(step)
            except SetupFailed:
                if step.label not in OPTIONAL:
                    raise
                self.notes.append(f"without {step.label}: {self.log} says why")
                continue
            if not step.mark:
                continue
            marks = {mark for mark in marks if mark.split()[0] != step.mark.split()[0] or mark == self.version}
            marks.add(step.mark)
            # After every layer, so that an interrupted setup goes on where it stood.
            self.stamp.write_text("\n".join(sorted(marks)) + "\n")
        self.activity = "ready"

    def _make(self, step: Step) -> None:
        python = self.folder / "bin" / "python"
        if step.label == OLM:
            try:
                how = _olm.install(python, step.arguments[0], VENVS / "wheels", self._run, self._say)
            except _olm.NotBuilt as error:
                raise SetupFailed(f"{self.activity} failed. {error}\n(everything: {self.log})") from None
            self.notes += [f"{OLM} was {how}"] if how != _olm.FROM_A_WHEEL else []
            return
        if step.label in (_browser.AXE, _browser.CHROMIUM):
            try:
                if step.label == _browser.AXE:
                    _browser.install_axe(Path(step.arguments[0]), self.folder, self._run)
                else:
                    _browser.install_chromium(self._run)
            except (_browser.NotThere, _olm.NotBuilt, OSError) as error:
                with self.log.open("a") as log:
                    log.write(f"{error}\n")
                raise SetupFailed(f"{self.activity} failed. {error}") from None
            return
        pip = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
        self._call([*pip, "--disable-pip-version-check", *step.arguments])

    def _say(self, text: str) -> None:
        self.activity = text

    def _run(self, command: list[str], env: Mapping[str, str] | None = None) -> str:
        """What :mod:`_olm` calls: the output goes into the log as well."""
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            text=True, errors="replace", env={**os.environ, **(env or {})},
        )  # fmt: skip
        with self.log.open("a") as log:
            log.write(done.stdout)
        if done.returncode != 0:
            raise _olm.NotBuilt("\n".join(done.stdout.splitlines()[-12:]))
        return done.stdout

    def _call(self, command: list[str]) -> None:
        with self.log.open("ab") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            tail = "\n".join(f"    {line}" for line in self.log.read_text(errors="replace").splitlines()[-12:])
            raise SetupFailed(f"{self.activity} failed. The last lines of {self.log}:\n{tail}")


def _line(one: Environment, started: float) -> str:
    sign, activity = "✓", one.activity
    if one.is_alive():
        sign, activity = "…", f"{one.activity}, {time.monotonic() - started:.0f} s"
    elif one.error:
        sign, activity = "✗", "failed"
    elif one.notes:
        activity = f"ready; {'; '.join(one.notes)}"
    return f"  {sign} {one.name:8} {ABOUT[one.name]}: {activity}"


def _show(environments: list[Environment]) -> None:
    """Waits for all of them: live lines in a terminal, one line for each beginning and end elsewhere."""
    live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size().columns - 1
    started = time.monotonic()
    finished: set[str] = set()
    if not live:
        for one in environments:
            print(f"  {one.name:8} {ABOUT[one.name]} …", flush=True)
    drawn = 0
    while True:
        waiting = [one for one in environments if one.is_alive()]
        for one in environments:
            if not one.is_alive() and one.name not in finished:
                finished.add(one.name)
                if not live and one.error is None:
                    notes = f" ({'; '.join(one.notes)})" if one.notes else ""
                    print(f"  {one.name:8} ready after {one.seconds:.0f} s{notes}", flush=True)
        if live:
            lines = [_line(one, started) for one in environments]
            up = f"\x1b[{drawn}F" if drawn else ""
            sys.stdout.write(up + "".join(f"\x1b[2K{line[:width]}\n" for line in lines))
            sys.stdout.flush()
            drawn = len(lines)
        if not waiting:
            return
        waiting[0].join(0.25)


def ensure(names: list[str], *, dev: bool) -> None:
    """Makes what is missing of the environments ``names``. Raises SetupFailed with all that went wrong."""
    VENVS.mkdir(parents=True, exist_ok=True)
    todo = [one for name in names if (one := Environment(name, dev=dev)).missing()]
    if not todo:
        return
    print(SIZES if any(one.name == "worker" for one in todo) else "Setting up:", flush=True)
    for one in todo:
        one.start()
    _show(todo)
    wrong = [f"{one.name}: {one.error}" for one in todo if one.error]
    if wrong:
        raise SetupFailed("\n".join(wrong))


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the virtual environments that demo and tests use.")
    parser.add_argument("--dev", action="store_true", help="with the tools for tests, linting and types")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(LAYERS)} (all, if none)")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in LAYERS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(LAYERS)}")
    try:
        ensure(options.names or list(LAYERS), dev=options.dev)
    except SetupFailed as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the next start goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
