"""What holds for every part: garbage collection leaves alone what stays until the end, what takes long to make is made
once for all processes of a run, and Ctrl-C reaches the programs that tests start."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """What a shell starts in the background ignores Ctrl-C, and hands that on to all that it starts; the programs that
    tests interrupt are to hear it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collected tests, and the libraries that they import, are half a million objects that live as long as the process.
    Each full collection would look through all of them, and the engine asks for one whenever a model leaves memory:
    half the time of its tests went into that."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What the tests of a file imported and made for good is left out of later garbage collections."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def copy_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object], Path], None]:
    """``copy_of(name, make, folder)``: into ``folder``, which is new, a copy of what ``make(path)`` writes into a
    folder. The first process that asks makes it, the others of the run wait for it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def copy(name: str, make: Callable[[Path], object], folder: Path) -> None:
        whole, part = shared / f"made-{name}", shared / f"made-{name}.part"
        with (shared / f"made-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                shutil.rmtree(part, ignore_errors=True)  # of a process that was ended meanwhile
                part.mkdir()
                make(part)
                part.rename(whole)
        shutil.copytree(whole, folder)

    return copy
