"""Private parts of the libraries that draw are used in one module, and diffusers is pinned to what is tested."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WORKER = REPOSITORY / "worker" / "otterbot_worker"
PRIVATE = WORKER / "images" / "diffusers_private.py"

PUBLIC = {
    "diffusers",
    "diffusers.image_processor",
    "diffusers.pipelines.stable_diffusion.safety_checker",
    "diffusers.utils.torch_utils",
    "transformers",
}
"""Modules whose names are documented, or are those of a model's own index."""
OWN = {"self", "cls", "os"}
REPLACED = {"prepare_latents"}
"""Methods of pipelines without an underscore that the engine puts its own in the place of."""


def private_uses(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module.split(".")[0] in ("diffusers", "transformers") and (
                node.module not in PUBLIC or any(alias.name.startswith("_") for alias in node.names)
            ):
                yield f"line {node.lineno}: {node.module}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in ("diffusers", "transformers") and alias.name not in PUBLIC:
                    yield f"line {node.lineno}: {alias.name}"
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in REPLACED or (re.match("_[^_]", node.attr) and owner not in OWN):
                yield f"line {node.lineno}: .{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            asked = node.args[1] if node.func.id in ("getattr", "hasattr", "setattr") and len(node.args) > 1 else None
            if isinstance(asked, ast.Constant) and re.match("_[^_]", str(asked.value)):
                yield f"line {node.lineno}: {asked.value}"


DRAWING = sorted(path for part in ("images", "families") for path in (WORKER / part).rglob("*.py") if path != PRIVATE)


@pytest.mark.parametrize("path", DRAWING, ids=[str(path.relative_to(WORKER)) for path in DRAWING])
def test_private_parts_of_the_libraries_are_used_in_one_module(path: Path) -> None:
    assert not list(private_uses(path)), f"{PRIVATE.name} is the place for it"


def test_a_private_part_is_found() -> None:
    assert len(list(private_uses(PRIVATE))) > 10


def test_diffusers_is_pinned_to_the_minor_version_that_is_tested() -> None:
    project = tomllib.loads((REPOSITORY / "worker" / "pyproject.toml").read_text("utf-8"))
    (pin,) = (one for one in project["project"]["dependencies"] if one.startswith("diffusers"))
    tested = (REPOSITORY / "scripts" / "requirements" / "worker.txt").read_text("utf-8")
    found = re.search(r"^diffusers==(\d+\.\d+)\.\d+$", tested, re.MULTILINE)
    assert found
    assert re.fullmatch(rf"diffusers~={re.escape(found[1])}\.\d+", pin)
