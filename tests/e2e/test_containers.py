"""The images of ``deploy/``, made without an engine: their files are copied and their commands run, every one and word
for word, in a root of its own and in no other environment than the Containerfile and ``compose.yaml`` give.

Packages are not fetched: a virtual environment stands for what pip has installed of others, and pip is told to look
nowhere else. Our own package it builds and installs from what was copied.
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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lab.places import REPOSITORY
from lab.proc import PATIENCE, free_port
from lab.rootfs import RootFs, possible

DEPLOY = REPOSITORY / "deploy"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_ROOT_USER_ACTION": "ignore"}
"""pip's words for: nothing is fetched, and what builds a package is the environment's own."""

only_root = pytest.mark.skipif(not possible(), reason="only root makes a root of its own, where mounts are allowed")


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
    """What a Containerfile makes, in the folder ``path``."""

    def __init__(self, name: str, path: Path, venv: str) -> None:
        self.root = RootFs(path, venv)
        self.env: dict[str, str] = {}
        """That of ENV and ARG."""
        self.said: dict[str, str] = {}
        """The last of each instruction."""
        for instruction, rest in instructions(name):
            self.said[instruction] = rest
            if instruction == "COPY":
                self._copy(*rest.split())
            elif instruction == "RUN":
                self._run(rest)
            elif instruction in ("ENV", "ARG"):
                self.env |= dict(word.split("=", 1) for word in shlex.split(rest))

    def _copy(self, *paths: str) -> None:
        target = self.root.within(paths[-1])
        for source in paths[:-1]:
            assert in_context(source), f"{source} is not sent to the engine"
            if (REPOSITORY / source).is_dir():  # as an engine does: what is in it
                shutil.copytree(REPOSITORY / source, target, ignore=shutil.ignore_patterns("__pycache__"))
                continue
            file = target / Path(source).name if paths[-1].endswith("/") else target
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / source, file)

    def _run(self, text: str) -> None:
        done = self.root.run(["sh", "-euc", text], self.root.environment(self.env | OFFLINE))
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"

    def words(self, instruction: str) -> list[str]:
        """The command of CMD or HEALTHCHECK."""
        words: list[str] = json.loads(self.said[instruction][self.said[instruction].index("[") :])
        return words

    def run(self, words: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """As the image's user."""
        return self.root.run(words, self.root.environment(self.env | env, "/home/otterbot"), self.said["USER"])

    def healthy(self, env: dict[str, str], port: int | None = None) -> bool:
        words = [word.replace("29316", str(port)) if port else word for word in self.words("HEALTHCHECK")]
        return self.run(words, env).returncode == 0

    @contextmanager
    def running(self, env: dict[str, str], port: int | None = None) -> Iterator[int]:
        """Its command, by its process id, from when the image calls itself healthy."""
        log = self.root.path.with_name("log")
        command = self.root.command(self.words("CMD"), self.said["USER"])
        with log.open("wb") as out:
            whole = self.root.environment(self.env | env, "/home/otterbot")
            proc = subprocess.Popen(command, env=whole, stdout=out, stderr=out)
            try:
                end = time.monotonic() + 60 * PATIENCE
                while not self.healthy(env, port):
                    assert proc.poll() is None, log.read_text()
                    assert time.monotonic() < end, log.read_text()
                    time.sleep(0.2)
                yield proc.pid
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


def environment(name: str, given: dict[str, str]) -> dict[str, str]:
    """Of a service of ``compose.yaml``, for somebody whose environment is ``given``."""

    def filled(text: str) -> str:
        def value(found: re.Match[str]) -> str:
            return given.get(found["name"]) or (found["value"] if found["kind"] == ":-" else "")

        return re.sub(r"\$\{(?P<name>\w+)(?P<kind>:[-?])(?P<value>[^}]*)}", value, text)

    return {key: filled(text) for key, text in service(name)["environment"].items()}


def rights(pid: int) -> dict[str, str]:
    """Of a process: its user, what it may, whether it can get more."""
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: text.split()[0] for name, _, text in lines if name in ("Uid", "CapEff", "CapBnd", "NoNewPrivs")}


NONE = {"Uid": "10001", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}


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


@only_root
def test_the_worker_as_its_image_starts_it(folder: Path) -> None:
    """With none of root's rights, from the package that the image has built; it draws."""
    image = Image("worker.Containerfile", folder / "worker-image" / "root", "worker")
    within = image.root.within
    volumes = set(json.loads(image.said["VOLUME"]))
    assert {within(volume).stat().st_uid for volume in volumes} == {10001}
    assert not within("/build/worker").exists()
    env = environment("worker", {}) | {"OTTERBOT_API__PORT": "0", "OMP_NUM_THREADS": "1"}
    assert not image.healthy(env), "nothing runs yet"
    with image.running(env) as pid:
        assert rights(pid) == NONE
        tokens = {path.name: path.read_text().strip() for path in within("/tokens").iterdir()}
        assert set(tokens) == {"otterbot", "prometheus"}
        address = within("/data/listen").read_text().strip().replace("0.0.0.0", "127.0.0.1")
        assert "otterbot_queued 0.0" in get(f"{address}/metrics", tokens["prometheus"])
        said = image.run(["otterbot-worker", "doctor", "--json"], env).stdout
        assert {"code": "picture", "level": "ok"}.items() <= json.loads(said)["findings"][-1].items(), said
        assert json.loads(said)["verdict"] != "wrong", said
        get(f"{address}/v1/pause", tokens["otterbot"], {})
        assert not image.healthy(env), "a paused worker draws nothing"
    assert not image.healthy(env)


@only_root
def test_maubot_as_its_image_starts_it(folder: Path) -> None:
    """It comes with the plugin; the second start needs no password and changes nothing of the operator's."""
    image = Image("maubot.Containerfile", folder / "maubot-image" / "root", "maubot")
    port = free_port()
    env = environment("maubot", {}) | {"MAUBOT_PORT": str(port)}
    refused = image.run(image.words("CMD"), env)
    assert refused.returncode == 1
    assert "MAUBOT_ADMIN_PASSWORD" in refused.stderr
    env = environment("maubot", {"MAUBOT_ADMIN_PASSWORD": "otters hold hands"}) | {"MAUBOT_PORT": str(port)}
    api = f"http://127.0.0.1:{port}/_matrix/maubot/v1"
    for given in (env, env | {"MAUBOT_ADMIN_PASSWORD": ""}):
        with image.running(given, port) as pid:
            assert rights(pid) == NONE
            token = get(f"{api}/auth/login", "", {"username": "admin", "password": "otters hold hands"})["token"]
            assert [plugin["id"] for plugin in get(f"{api}/plugins", token)] == ["org.otterbot"]
            assert get(f"{api}/client/auth/servers", token) == {"otter.localhost": "http://synapse:8008"}
    assert "otters hold hands" not in image.root.within("/data/config.yaml").read_text()


def test_synapse_is_generated_once(tmp_path: Path) -> None:
    """Its image cannot be here, so a script stands for its ``/start.py``, which writes down how it was called."""
    start = tmp_path / "start.py"
    start.write_text('#!/bin/sh\necho "start $*" >> log\n[ "$*" != generate ] || touch homeserver.yaml\n')
    start.chmod(0o700)
    words = [word.replace("/start.py", "./start.py").replace("/data/", "") for word in service("synapse")["entrypoint"]]
    for _ in range(2):
        subprocess.run(words, env={"PATH": "/usr/bin:/bin"}, cwd=tmp_path, check=True)
    assert (tmp_path / "log").read_text().splitlines() == ["start generate", "start ", "start "]


class Compose(yaml.SafeLoader):
    """Knows ``!reset``, which takes a key of the file before away."""


Compose.add_constructor("!reset", lambda loader, node: None)


def read(name: str) -> Any:
    return yaml.load((DEPLOY / name).read_text("utf-8"), Compose)


def specification() -> Any:
    """compose's own, as the package check-jsonschema brings it."""
    found = find_spec("check_jsonschema")
    assert found is not None, "scripts/setup --dev test"
    [package] = found.submodule_search_locations or []
    return json.loads((Path(package) / "builtin_schemas" / "vendor" / "compose-spec.json").read_text("utf-8"))


@pytest.mark.parametrize("name", ["compose.yaml", "compose.cpu.yaml"])
def test_compose_files_keep_to_their_specification(name: str) -> None:
    schema = specification()
    check = jsonschema.validators.validator_for(schema)(schema)
    assert [f"{list(error.path)}: {error.message}" for error in check.iter_errors(read(name))] == []
    wrong = read(name)
    wrong["services"]["worker"]["enviroment"] = {}
    assert list(check.iter_errors(wrong)), "what is wrong is found"
