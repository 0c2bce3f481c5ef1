"""The tests of worker and plugin lie as what they test does, and what several share lies in ``support``."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"
SOURCES = {
    TESTS / "worker": REPOSITORY / "worker" / "otterbot_worker",
    TESTS / "plugin": REPOSITORY / "plugin" / "otterbot",
}
SUPPORT = "support"
"""The folder of helpers, which holds no tests; ``pythonpath`` in ``pyproject.toml`` leads to it."""


def modules(*roots: Path) -> list[Path]:
    return sorted(path for root in roots for path in root.rglob("*.py"))


def is_test(path: Path) -> bool:
    return path.name.startswith("test_")


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a module imports from, and those of what it takes from there."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def of_tests(path: Path) -> set[str]:
    """The test modules and conftests that a module imports."""
    names = {one.stem for one in modules(TESTS) if is_test(one)} | {"conftest"}
    return {part for name in imported(path) for part in name.split(".") if part in names}


@pytest.mark.parametrize("root", SOURCES, ids=lambda root: root.name)
def test_each_folder_is_a_package_of_the_source(root: Path) -> None:
    folders = {path.relative_to(root).parent.as_posix() for path in modules(root)} - {".", SUPPORT}
    packages = {path.parent.name for path in SOURCES[root].glob("*/__init__.py")}
    assert folders - packages == set(), f"{SOURCES[root].name} has no such package: where does their subject lie?"
    assert not [path.name for path in (root / SUPPORT).rglob("*.py") if is_test(path)], "there nobody looks for tests"


@pytest.mark.parametrize("root", SOURCES, ids=lambda root: root.name)
def test_no_module_imports_a_test_or_a_conftest(root: Path) -> None:
    """Which of two modules of one name such an import finds depends on what was collected before."""
    found = {path.relative_to(root).as_posix(): names for path in modules(root) if (names := of_tests(path))}
    assert found == {}, f"what several modules share belongs into {root.name}/{SUPPORT}"


def test_such_an_import_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    lines = ["import test_mirror", "from conftest import rig", "from e2e import conftest", "from doubles import ollama"]
    for line, names in zip(lines, ({"test_mirror"}, {"conftest"}, {"conftest"}, set[str]()), strict=True):
        path.write_text(f"def test_it():\n    {line}\n")
        assert of_tests(path) == names, line


def test_modules_have_names_of_their_own() -> None:
    """Folders without ``__init__.py`` share one namespace: of two modules of one name pytest refuses the second."""
    loose = [path for path in modules(TESTS) if not (path.parent / "__init__.py").exists() and path.stem != "conftest"]
    assert [name for name, times in Counter(path.name for path in loose).items() if times > 1] == []


def test_the_helpers_are_on_the_path(pytestconfig: pytest.Config) -> None:
    assert {root / SUPPORT for root in SOURCES} <= {REPOSITORY / path for path in pytestconfig.getini("pythonpath")}
