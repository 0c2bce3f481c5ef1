"""The images of ``deploy/``, made without an engine: their files are copied, their commands run, in a folder that
stands for the root of the file system, with no other environment than the Containerfile and ``compose.yaml`` give.

Packages are not fetched: the virtual environments stand for what ``pip install`` makes.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.places import REPOSITORY, python
from lab.proc import PATIENCE, free_port

DEPLOY = REPOSITORY / "deploy"
PLACES = re.compile(r"(?<![\w./:])/(?=(build|plugins|data|cache|tokens|usr/local/lib/otterbot)\b)")
PACKAGES = re.compile(r"\bpip install\b")


def instructions(name: str) -> list[tuple[str, str]]:
    """Of a Containerfile: (instruction, the rest), in their order."""
    lines = [line for line in (DEPLOY / name).read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def in_context(path: str) -> bool:
    """Whether ``.dockerignore``, which leaves everything out but some, sends a path to the engine."""
    rules = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    return any(path == rule or path.startswith(f"{rule}/") or fnmatch(path, rule) for rule in allowed)


class Image:
    """What a Containerfile makes, in the folder ``root``."""

    def __init__(self, name: str, root: Path, venv: str) -> None:
        self.root, self.bin = root, Path(python(venv)).parent
        self.env: dict[str, str] = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(root), "LANG": "C.UTF-8"}
        self.folders: set[str] = set()
        self.said: dict[str, str] = {}
        """The last of each instruction."""
        for instruction, rest in instructions(name):
            self.said[instruction] = rest
            if instruction == "COPY":
                self._copy(*rest.split())
            elif instruction == "RUN":
                self._run(rest)
            elif instruction == "ENV":
                self.env |= dict(word.split("=", 1) for word in shlex.split(self.within(rest)))

    def within(self, text: str) -> str:
        return PLACES.sub(f"{self.root}/", text)

    def _copy(self, *paths: str) -> None:
        target = Path(self.within(paths[-1]))
        for source in paths[:-1]:
            assert in_context(source), f"{source} is not sent to the engine"
            if (REPOSITORY / source).is_dir():  # as an engine does: what is in it
                shutil.copytree(REPOSITORY / source, target, ignore=shutil.ignore_patterns("__pycache__"))
                continue
            file = target / Path(source).name if paths[-1].endswith("/") else target
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / source, file)

    def _run(self, text: str) -> None:
        subprocess.run(["sh", "-n", "-c", text], check=True)
        if "useradd" in text:
            self.folders = set(text.partition(" -m 0700 ")[2].split())
            assert "-o otterbot -g otterbot" in text
            for folder in self.folders:
                Path(self.within(folder)).mkdir(parents=True)
        elif PACKAGES.search(text):
            named = re.findall(rf"{re.escape(str(self.root))}/build[^\s;]*", self.within(text))
            assert named
            assert all(Path(word).exists() for word in named), text
        else:
            subprocess.run(["sh", "-euc", self.within(text)], check=True, env=self.env, cwd=self.root)

    def words(self, instruction: str) -> list[str]:
        """The command of CMD or HEALTHCHECK."""
        words = json.loads(self.said[instruction][self.said[instruction].index("[") :])
        return [str(self.bin / words[0]), *(self.within(word) for word in words[1:])]

    def healthy(self, env: dict[str, str], port: int | None = None) -> bool:
        words = [word.replace("29316", str(port)) if port else word for word in self.words("HEALTHCHECK")]
        return subprocess.run(words, env=env, cwd=self.root, capture_output=True, check=False).returncode == 0

    @contextmanager
    def running(self, env: dict[str, str], port: int | None = None) -> Iterator[None]:
        """Its command, until the image calls itself healthy."""
        with (self.root / "log").open("wb") as log:
            proc = subprocess.Popen(self.words("CMD"), env=env, cwd=self.root, stdout=log, stderr=log)
            try:
                end = time.monotonic() + 60 * PATIENCE
                while not self.healthy(env, port):
                    assert proc.poll() is None, (self.root / "log").read_text()
                    assert time.monotonic() < end, (self.root / "log").read_text()
                    time.sleep(0.2)
                yield
            finally:
                proc.terminate()
                try:
                    proc.wait(10)
                except subprocess.TimeoutExpired:
                    # As an engine does it. Maubot waits a minute for an answer that its own signal has cut off.
                    proc.kill()
                    proc.wait()


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"][name]
    return found


def environment(name: str, image: Image, given: dict[str, str]) -> dict[str, str]:
    """Of a service of ``compose.yaml``, for somebody whose environment is ``given``."""

    def filled(text: str) -> str:
        def value(found: re.Match[str]) -> str:
            return given.get(found["name"]) or (found["value"] if found["kind"] == ":-" else "")

        return re.sub(r"\$\{(?P<name>\w+)(?P<kind>:[-?])(?P<value>[^}]*)}", value, text)

    return image.env | {key: image.within(filled(text)) for key, text in service(name)["environment"].items()}


def get(url: str, token: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
        text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers["Content-Type"] else text


@pytest.mark.parametrize("name", ["worker", "maubot"])
def test_nobody_is_root_and_volumes_are_theirs(name: str) -> None:
    """A new volume belongs to whom its folder belongs in the image that first has it."""
    said = instructions(f"{name}.Containerfile")
    assert ("USER", "otterbot") in said
    assert said.index(("USER", "otterbot")) > max(n for n, (one, _) in enumerate(said) if one in ("RUN", "COPY"))
    users = [rest for one, rest in said if one == "RUN" and "useradd" in rest]
    assert len(users) == 1
    assert "--uid 10001" in users[0], "both read the volume with the tokens"
    mounted = {volume.split(":")[1] for volume in service(name)["volumes"]}
    assert mounted <= set(users[0].partition(" -m 0700 ")[2].split())


def test_the_worker_as_its_image_starts_it(tmp_path: Path) -> None:
    image = Image("worker.Containerfile", tmp_path, "worker")
    assert set(json.loads(image.said["VOLUME"])) == image.folders
    env = environment("worker", image, {}) | {"OTTERBOT_API__PORT": "0", "OMP_NUM_THREADS": "1"}
    assert not image.healthy(env), "nothing runs yet"
    with image.running(env):
        tokens = {path.name: path.read_text().strip() for path in (tmp_path / "tokens").iterdir()}
        assert set(tokens) == {"otterbot", "prometheus"}
        address = (tmp_path / "data" / "listen").read_text().strip().replace("0.0.0.0", "127.0.0.1")
        assert "otterbot_queued 0.0" in get(f"{address}/metrics", tokens["prometheus"])
        get(f"{address}/v1/pause", tokens["otterbot"], {})
        assert not image.healthy(env), "a paused worker draws nothing"
    assert not image.healthy(env)


def test_maubot_as_its_image_starts_it(tmp_path: Path) -> None:
    """It comes with the plugin; the second start needs no password and changes nothing of the operator's."""
    image = Image("maubot.Containerfile", tmp_path, "maubot")
    port = free_port()
    env = environment("maubot", image, {}) | {"MAUBOT_PORT": str(port)}
    refused = subprocess.run(image.words("CMD"), env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "MAUBOT_ADMIN_PASSWORD" in refused.stderr
    env = environment("maubot", image, {"MAUBOT_ADMIN_PASSWORD": "otters hold hands"}) | {"MAUBOT_PORT": str(port)}
    api = f"http://127.0.0.1:{port}/_matrix/maubot/v1"
    for given in (env, env | {"MAUBOT_ADMIN_PASSWORD": ""}):
        with image.running(given, port):
            token = get(f"{api}/auth/login", "", {"username": "admin", "password": "otters hold hands"})["token"]
            assert [plugin["id"] for plugin in get(f"{api}/plugins", token)] == ["org.otterbot"]
            assert get(f"{api}/client/auth/servers", token) == {"otter.localhost": "http://synapse:8008"}
    assert "otters hold hands" not in (tmp_path / "data" / "config.yaml").read_text()
