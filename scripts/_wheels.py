"""Asks pip for a wheel of every pin, for each Python: what has none would need a compiler on somebody's machine.

Nothing is installed. Where packages come from is pip's own configuration. What is known to have none, because
``scripts/setup`` builds it, stands in ``BUILT``; PyTorch is asked for like the rest.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (35, 34, 31, 28, 17, 12, 5)] + [
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64",
]  # fmt: skip
BUILT = {"python-olm": ("3.13", "3.14")}
"""Packages that ``scripts/_olm.py`` builds, and for which Pythons."""


SOURCES = ("atomicwrites",)
"""Packages that never had wheels, and need none: nothing in them is compiled."""


def pins(files: list[Path]) -> list[str]:
    lines = (line.strip() for file in files for line in file.read_text().splitlines())
    return sorted({line for line in lines if re.match(r"[A-Za-z0-9]", line)})


def _name(pin: str) -> str:
    return pin.partition("==")[0]


def has_wheel(pin: str, python: str) -> bool:
    """Raises RuntimeError where pip could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--dry-run", "--no-deps", "--only-binary", ":all:", "--no-input", "--target", folder, "-q"]
        tags = [f"--platform={name}" for name in PLATFORMS]
        tags += [f"--abi={abi}" for abi in ("cp" + python.replace(".", ""), "abi3", "none")]
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, *tags]
        command += ["--implementation", "cp", "--python-version", python, pin]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return True
    if "No matching distribution" in done.stderr:
        return False
    raise RuntimeError(f"{pin} for {python}: {done.stderr.strip().splitlines()[-1:]}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/wheels", description=__doc__)
    parser.add_argument("pythons", nargs="*", default=PYTHONS, metavar="VERSION", help="as 3.12; all, if none")
    wanted = parser.parse_args().pythons
    every = pins(sorted(REQUIREMENTS.glob("*.txt")))
    unexpected = 0
    for python in wanted:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda pin, python=python: has_wheel(pin, python), every))
        missing = [pin for pin, there in zip(every, found, strict=True) if not there]
        built = [pin for pin in missing if python in BUILT.get(_name(pin), ()) or _name(pin) in SOURCES]
        unexpected += len(missing) - len(built)
        print(f"Python {python}: {len(every) - len(missing)} of {len(every)} pins have wheels", flush=True)
        for pin in missing:
            print(f"  {pin}: none" + ("; scripts/setup builds it" if pin in built else ""), flush=True)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
