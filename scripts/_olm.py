"""python-olm, the one dependency without wheels for every Python: the wheel, else a build of its sources.

python-olm 3.2.16 has wheels up to Python 3.12. For newer ones it is built, with the system's compiler where there is
one, else with the compiler that the package ``ziglang`` brings. Its newer releases hold a newer clang, which refuses
libolm's ``list.hh``; 0.13.0 takes it. A built wheel is kept beside the environments for the next one.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

PACKAGE = "python-olm"
BUILD_TOOLS = ["setuptools==80.9.0", "wheel==0.45.1", "cffi==2.1.1"]
COMPILER = ["ziglang==0.13.0", "cmake==3.31.6", "ninja==1.13.0"]
FROM_A_WHEEL = "installed from a wheel"
NO_WHEEL = "No matching distribution found"
OLD_CMAKE = {"CMAKE_POLICY_VERSION_MINIMUM": "3.5"}
"""libolm asks for a CMake older than version 4 still takes."""

HEADERS = """Python {version} lacks its C headers, which python-olm needs where it has no wheel.
Debian and Ubuntu: apt install python3-dev. Fedora: dnf install python3-devel. Or name a Python with wheels:
OTTER_PYTHON=python3.12"""


class NotBuilt(Exception):
    """No way led to python-olm; the message is for people."""


Run = Callable[..., str]
"""Runs a command, its output into the log; ``env`` is laid over ours. Returns the output; raises NotBuilt."""


def pinned(requirements: Path) -> str:
    """``python-olm==…`` as the requirement file pins it."""
    lines = (line.strip() for line in requirements.read_text().splitlines())
    return next(line for line in lines if line.startswith(f"{PACKAGE}=="))


def install(python: Path, requirement: str, folder: Path, run: Run, say: Callable[[str], None]) -> str:
    """Puts python-olm into the environment of ``python``; ``folder`` keeps built wheels. Returns how, in words."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--no-input", "--no-deps"]
    wheels = ["--find-links", str(folder)]
    try:
        run([*pip, "--only-binary", ":all:", *wheels, requirement])
    except NotBuilt as error:
        if NO_WHEEL not in str(error):
            raise
    else:
        return FROM_A_WHEEL
    started = time.monotonic()
    how = _build(python, requirement, folder, run, say)
    run([*pip, "--no-index", *wheels, requirement])
    return f"built with {how}, in {time.monotonic() - started:.0f} s"


def _build(python: Path, requirement: str, folder: Path, run: Run, say: Callable[[str], None]) -> str:
    """Makes the wheel in ``folder``. Returns with what."""
    version = run([str(python), "-c", "import platform; print(platform.python_version())"]).strip()
    header = run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('include'))"]).strip()
    if not (Path(header) / "Python.h").exists():
        raise NotBuilt(HEADERS.format(version=version))
    tools = folder / "build-tools"
    shutil.rmtree(tools, ignore_errors=True)
    try:
        system = _system_compiler()
        if system is not None:
            say(f"python-olm has no wheel for Python {version}: building it with {system}")
            try:
                _wheel(python, requirement, folder, tools, run, BUILD_TOOLS, {})
                return system
            except NotBuilt:
                say(f"{system} could not build python-olm")
        say(f"python-olm has no wheel for Python {version}: fetching a compiler (110 MB) and building it, some minutes")
        _wheel(python, requirement, folder, tools, run, [*BUILD_TOOLS, *COMPILER], _zig(tools))
        return "the compiler of the package ziglang"
    finally:
        shutil.rmtree(tools, ignore_errors=True)


def _system_compiler() -> str | None:
    """The system's C++ compiler, where all is there that the build calls."""
    cpp = next((name for name in ("g++", "clang++") if shutil.which(name)), None)
    c = next((name for name in ("gcc", "clang") if shutil.which(name)), None)
    return cpp if cpp and c and shutil.which("cmake") and shutil.which("make") else None


def _zig(tools: Path) -> dict[str, str]:
    """The environment of a build with ziglang, cmake and ninja from ``tools``, and nothing of the system's.

    setuptools adds flags that the Python was built with, and looks for ``ar`` where it was; both are named here.
    """
    scripts = tools / "compilers"
    return {
        "CC": str(scripts / "cc"), "CXX": str(scripts / "c++"), "AR": str(scripts / "ar"),
        "RANLIB": str(scripts / "ranlib"), "LDSHARED": f"{scripts / 'cc'} -shared",
        "LDCXXSHARED": f"{scripts / 'c++'} -shared", "CMAKE_GENERATOR": "Ninja",
        "PATH": os.pathsep.join([str(tools / "bin"), str(scripts), os.environ.get("PATH", "")]),
    }  # fmt: skip


def _wheel(
    python: Path, requirement: str, folder: Path, tools: Path, run: Run, packages: list[str], env: dict[str, str]
) -> None:
    run([str(python), "-m", "venv", "--clear", str(tools)])
    pip = [str(tools / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--no-input", *packages])
    scripts = tools / "compilers"
    scripts.mkdir()
    for name in ("cc", "c++", "ar", "ranlib"):
        script = scripts / name
        script.write_text(f'#!/bin/sh\nexec "{tools / "bin" / "python"}" -m ziglang {name} "$@"\n')
        script.chmod(0o755)
    wheel = [*pip, "wheel", "--no-input", "--no-deps", "--no-build-isolation", "--no-binary", ":all:"]
    run([*wheel, "--wheel-dir", str(folder), requirement], env={**OLD_CMAKE, **env})
