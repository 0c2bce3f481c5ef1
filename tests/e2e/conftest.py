"""One lab for all that can share it, and the rooms of a test: plain and encrypted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from lab import Lab
from lab import lab as whole
from lab.browser import chromium
from lab.client import CALM
from lab.lab import make_test_model
from lab.places import memory_folder

QUICK = "--steps 2"
"""Flags of a picture that is not itself the point of a test."""


whole.MODERATOR_RESTS = CALM

LONGEST = ("test_campaign.py", "test_exactly_once.py", "test_hostile.py", "test_queue.py", "test_rooms_live_on.py")
"""Half of the work, in this order: what is long and begins last would keep all waiting. One is of tests/faults."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first. A file stays in one process, because it has a lab; the longest of all has two."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    for item in items:
        half = "-blows" if isinstance(item, pytest.Function) and "blow" in item.fixturenames else ""
        item.add_marker(pytest.mark.xdist_group(item.path.stem + half))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the labs of this run lie: in memory, where there is such a place."""
    memory = memory_folder()
    path = tmp_path_factory.mktemp("labs") if memory is None else Path(tempfile.mkdtemp(prefix="otterbot-", dir=memory))
    yield path
    if memory is not None:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def model(folder: Path, copy_of: Callable[..., None]) -> Path:
    """The model of noise, made once for all labs that want a second model."""
    copy_of("test-model", make_test_model, folder / "models")
    return folder / "models" / "otter-noise"


@pytest.fixture(scope="session")
async def shared_lab(folder: Path, model: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "shared", model=model, plugin={"status": {"after_seconds": 1}}) as lab:
        yield lab


@pytest.fixture
async def lab(shared_lab: Lab) -> AsyncIterator[Lab]:
    """The lab that most tests share; whatever a test did to proxies and settings is undone."""
    yield shared_lab
    for proxy in (shared_lab.matrix_proxy, shared_lab.worker_proxy):
        for rule in list(proxy.rules):
            rule.remove()


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def encrypted(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def room(lab: Lab, encrypted: bool) -> str:
    """A new room of the moderator, the member and the bot."""
    return await lab.room(encrypted=encrypted)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened
