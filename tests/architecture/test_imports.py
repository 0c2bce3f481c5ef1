"""Imports point one way, read from the sources: a circle that only bites at some moment is seen here.

Imports inside functions and those for types alone count as well: whoever reads a file has to read what it names.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WORKER = REPOSITORY / "worker" / "otterbot_worker"
PLUGIN = REPOSITORY / "plugin" / "otterbot"
TRAINING = REPOSITORY / "training" / "otter_mini"

WORKER_ORDER = (
    "cli", "setup", "doctor", "model_commands", "token_commands", "lane_list", "own_worker", "page", "api", "runner",
    "cluster", "images", "gpu", "requests", "memory", "queue", "tokens", "archive", "chat", "inputs", "styles",
    "models", "families", "prompts", "sampling", "schemas", "config_file", "config", "durable", "expected", "addresses",
    "errors", "logs", "parent_death", "privacy", "space", "terminal", "yamlfile",
)  # fmt: skip
"""The worker's packages and modules: each may import from those behind it. ``logs`` may print with ``terminal``."""
PLUGIN_ORDER = (
    "bot", "inbox", "commands", "chat", "requests", "outbox", "matrix", "texts", "worker", "config", "config_checks",
    "store", "language", "errors", "clock", "numeric", "waiting",
)  # fmt: skip
"""The plugin's."""

CIRCLES: tuple[frozenset[str], ...] = ()
"""Circles of files that are still there. No other may come, and one that is gone leaves this list."""

HEAVY = {"torch", "diffusers", "transformers", "accelerate", "peft", "compel", "safetensors", "numpy"}
WITH_TORCH = "families/clip"
"""How two families read prompts; they import it when they do."""


def imports_of(path: Path, root: Path) -> Iterator[tuple[str, bool]]:
    """Dotted names that a module imports, and whether that happens when it is loaded (not in a function or for types).

    Names inside ``root``'s package come without the package's name, with a dot before them.
    """
    package = (root.name, *path.relative_to(root).parent.parts)
    tree = ast.parse(path.read_text("utf-8"))
    for node, at_load in _walk(tree, True):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _inside(alias.name, root.name), at_load
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                name = f"{module}.{alias.name}"
                yield _inside(name if _is_module(root, name) else module, root.name), at_load


def _walk(node: ast.AST, at_load: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not _for_types(child)
        yield child, inside
        yield from _walk(child, inside)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _inside(name: str, package: str) -> str:
    return "." + name[len(package) + 1 :] if name == package or name.startswith(package + ".") else name


def _is_module(root: Path, name: str) -> bool:
    path = root.parent / Path(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def modules(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)


def part_of(path: Path, root: Path) -> str:
    return path.relative_to(root).parts[0].removesuffix(".py")


def ids(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in modules(root)]


def graph_of(root: Path) -> dict[str, set[str]]:
    """Each module of ``root`` by its dotted name, and what it imports of the others, however it does."""
    graph: dict[str, set[str]] = {}
    for path in modules(root):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        graph[name] = {target[1:] for target, _ in imports_of(path, root) if target.startswith(".")} - {name, ""}
    return graph


def circles_in(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Its strongly connected components of more than one module."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            for target in graph.get(waiting.pop(), set()) - found:
                found.add(target)
                waiting.append(target)
        return found

    reach = {name: reached(name) for name in graph}
    together = {name: frozenset(other for other in reach[name] if name in reach.get(other, set())) for name in graph}
    return {circle for circle in together.values() if len(circle) > 1}


def _points_down(path: Path, root: Path, order: tuple[str, ...]) -> None:
    own = part_of(path, root)
    if own == "__init__":
        return
    assert own in order, f"say in this test what {own} may import"
    for name, _ in imports_of(path, root):
        other = name[1:].split(".")[0] if name.startswith(".") else ""
        if other and (own, other) != ("logs", "terminal"):
            assert order.index(other) >= order.index(own), f"{own} must not import {name[1:]}"


@pytest.mark.parametrize("path", modules(WORKER), ids=ids(WORKER))
def test_the_workers_imports_point_one_way(path: Path) -> None:
    _points_down(path, WORKER, WORKER_ORDER)


@pytest.mark.parametrize("path", modules(PLUGIN), ids=ids(PLUGIN))
def test_the_plugins_imports_point_one_way(path: Path) -> None:
    _points_down(path, PLUGIN, PLUGIN_ORDER)


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set[str](), "f": {"g"}, "g": {"f"}}
    assert circles_in(graph) == {frozenset("abc"), frozenset("fg")}


@pytest.mark.parametrize("root", [WORKER, PLUGIN, TRAINING], ids=["worker", "plugin", "training"])
def test_there_is_no_circle_of_files(root: Path) -> None:
    found = {frozenset(f"{root.name}:{name}" for name in circle) for circle in circles_in(graph_of(root))}
    known = {circle for circle in CIRCLES if next(iter(circle)).startswith(f"{root.name}:")}
    assert not [sorted(circle) for circle in found - known], "a circle of files"
    assert not [sorted(circle) for circle in known - found], "gone: take it from the list"


@pytest.mark.parametrize("path", modules(WORKER), ids=ids(WORKER))
def test_only_the_gpu_process_imports_torch(path: Path) -> None:
    """``images`` is the only place for torch, and ``WITH_TORCH``; the doctor, a process of its own, imports it when it
    runs."""
    if part_of(path, WORKER) == "images" or path.relative_to(WORKER).as_posix() == f"{WITH_TORCH}.py":
        return
    for name, at_load in imports_of(path, WORKER):
        heavy = name.split(".")[0] in HEAVY or name == "." + WITH_TORCH.replace("/", ".")
        assert not (at_load and heavy), f"{name} is imported when {path.name} is loaded"


@pytest.mark.parametrize("path", modules(WORKER), ids=ids(WORKER))
def test_nobody_imports_the_engine(path: Path) -> None:
    """It is run as a process of its own."""
    if part_of(path, WORKER) != "images":
        assert not [name for name, _ in imports_of(path, WORKER) if name.split(".")[:2] == ["", "images"]]


@pytest.mark.parametrize("path", modules(PLUGIN), ids=ids(PLUGIN))
def test_the_plugin_needs_only_what_maubot_brings(path: Path) -> None:
    """It is installed as one zip into somebody's Maubot, and ``sys.modules`` is shared with every other plugin."""
    allowed = {"maubot", "mautrix", "aiohttp", "yarl", "attr", "commonmark", "ruamel", "asyncpg", "aiosqlite"}
    for name, _ in imports_of(path, PLUGIN):
        first = name.split(".")[0]
        assert name.startswith(".") or first in allowed or first in sys.stdlib_module_names, f"{name} is not at hand"
        assert first != PLUGIN.name, "relative imports only: the plugin's name in sys.modules is not its own"


RAY = ("cluster/rays.py", "cluster/relay.py", "cluster/scout.py")
"""Ray, and the two programs that are its drivers: Ray ends the process of a driver whose cluster is gone."""


@pytest.mark.parametrize("path", modules(WORKER), ids=ids(WORKER))
def test_only_programs_of_their_own_know_ray(path: Path) -> None:
    """So the API process stays as it is with any executor."""
    name = path.relative_to(WORKER).as_posix()
    programs = {"." + one.removesuffix(".py").replace("/", ".") for one in RAY}
    known = {target for target, _ in imports_of(path, WORKER) if target in programs or target.split(".")[0] == "ray"}
    loads = re.findall(r"import_module\(\s*[\"']ray\b", path.read_text("utf-8"))
    if name not in RAY:
        assert not known
    assert not loads or name == RAY[0]
