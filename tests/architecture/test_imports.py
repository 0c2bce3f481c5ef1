"""Imports point one way, read from the sources: a cycle that only bites at some moment is seen here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WORKER = REPOSITORY / "worker" / "otterbot_worker"
PLUGIN = REPOSITORY / "plugin" / "otterbot"

ANYWHERE = {"errors", "logs", "privacy", "space", "samplers", "api.schemas", "config", "terminal", "yamlfile", ""}
"""What every part of the worker may import (``""``: the package itself, for its version)."""

WORKER_MAY = {
    "cli": {"api", "jobs", "gpu", "archive", "chat", "inputs", "models", "prompts"},
    "api": {"jobs", "gpu", "archive", "chat", "inputs", "models", "prompts"},
    "jobs": {"gpu", "archive", "chat", "inputs", "models", "families", "prompts"},
    "gpu": {"images", "models", "prompts"},
    "images": {"gpu", "inputs", "models", "families", "prompts"},
    "archive": set(),
    "chat": set(),
    "inputs": set(),
    "models": {"families"},
    "families": {"prompts"},
    "prompts": set(),
}
"""Which part of the worker may import which."""

HEAVY = {"torch", "diffusers", "transformers", "accelerate", "peft", "compel", "safetensors", "numpy"}

WITH_TORCH = "families/clip"
"""How two families read prompts; they import it when they do."""

PLUGIN_FLOORS = [
    {"__init__", "bot"},
    {"events"},
    {"commands"},
    set[str](),  # delivery, outbox, worker_client, settings, permissions, store, media, texts and their helpers
    {"intents", "flags", "flags_missed", "flag_values", "flag_names", "options", "message"}
    | {"typed", "dashes", "markup", "mention", "config", "configvalues", "errors", "numeric"},
]
"""The plugin's floors, top first: a module may import from its own floor and from those below. What stands nowhere
else belongs to the fourth."""


def imports_of(path: Path, root: Path) -> Iterator[tuple[str, bool]]:
    """Dotted names that a module imports, and whether that happens when it is loaded (not in a function or for types).

    Names inside ``root``'s package come without the package's name.
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


@pytest.mark.parametrize("path", modules(WORKER), ids=lambda path: str(path.relative_to(WORKER)))
def test_the_workers_imports_point_one_way(path: Path) -> None:
    part = part_of(path, WORKER)
    for name, _ in imports_of(path, WORKER):
        if not name.startswith("."):
            continue
        target = name[1:]
        if target in ANYWHERE or any(target.startswith(f"{allowed}.") for allowed in ANYWHERE if allowed):
            continue
        first = target.split(".")[0]
        assert part in WORKER_MAY, f"say in this test what {part} may import"
        assert first == part or first in WORKER_MAY[part], f"{part} must not import {target}"


@pytest.mark.parametrize("path", modules(WORKER), ids=lambda path: str(path.relative_to(WORKER)))
def test_only_the_gpu_process_imports_torch(path: Path) -> None:
    """``images`` is the only place for torch, and ``WITH_TORCH``; the doctor, a process of its own, imports it when it
    runs."""
    if part_of(path, WORKER) == "images" or path.relative_to(WORKER).as_posix() == f"{WITH_TORCH}.py":
        return
    for name, at_load in imports_of(path, WORKER):
        heavy = name.split(".")[0] in HEAVY or name == "." + WITH_TORCH.replace("/", ".")
        assert not (at_load and heavy), f"{name} is imported when {path.name} is loaded"


@pytest.mark.parametrize("path", modules(WORKER), ids=lambda path: str(path.relative_to(WORKER)))
def test_images_are_imported_only_by_the_child(path: Path) -> None:
    if part_of(path, WORKER) == "images" or path.relative_to(WORKER).as_posix() == "gpu/child.py":
        return
    assert not [name for name, _ in imports_of(path, WORKER) if name.split(".")[1:2] == ["images"] and name[0] == "."]


def floor_of(part: str) -> int:
    return next((index for index, floor in enumerate(PLUGIN_FLOORS) if part in floor), 3)


@pytest.mark.parametrize("path", modules(PLUGIN), ids=lambda path: str(path.relative_to(PLUGIN)))
def test_the_plugins_imports_point_one_way(path: Path) -> None:
    own = floor_of(part_of(path, PLUGIN))
    for name, at_load in imports_of(path, PLUGIN):
        if name.startswith(".") and at_load:
            other = floor_of(name[1:].split(".")[0])
            assert other >= own, f"{path.name} must not import {name[1:]}"


@pytest.mark.parametrize("path", modules(PLUGIN), ids=lambda path: str(path.relative_to(PLUGIN)))
def test_the_plugin_needs_only_what_maubot_brings(path: Path) -> None:
    """It is installed as one zip into somebody's Maubot, and ``sys.modules`` is shared with every other plugin."""
    import sys

    allowed = {"maubot", "mautrix", "aiohttp", "yarl", "attr", "commonmark", "ruamel", "asyncpg", "aiosqlite"}
    for name, _ in imports_of(path, PLUGIN):
        first = name.split(".")[0]
        assert name.startswith(".") or first in allowed or first in sys.stdlib_module_names, f"{name} is not at hand"
        assert first != PLUGIN.name, "relative imports only: the plugin's name in sys.modules is not its own"


@pytest.mark.parametrize("root", [WORKER, PLUGIN], ids=["worker", "plugin"])
def test_no_module_needs_another_that_needs_it(root: Path) -> None:
    """No cycles at load time, whatever the floors say."""
    graph: dict[str, set[str]] = {}
    for path in modules(root):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        wanted = {target[1:] for target, at_load in imports_of(path, root) if at_load and target.startswith(".")}
        graph[name] = wanted - {""}
    for package in [name for name in graph if name.endswith("__init__") and "." in name]:
        graph[package.removesuffix(".__init__")] = graph.pop(package)
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way, name))
        if name in done or name not in graph:
            return
        for target in sorted(graph[name]):
            if target != name and not name.startswith(f"{target}."):
                visit(target, (*way, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())
