"""Builds a release: the worker's sdist and wheel, the plugin's ``.mbp``, and their SHA-256 sums.

It is built from the commit, not from the folder: what lies about there is in no release. The wheel is made from the
sdist, so that whoever builds from that gets the same. ``hatchling`` has to be in this Python, Maubot in another.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CONTENTS = ("worker", "plugin", "maubot.yaml", "base-config.yaml", "LICENSE")
"""What is exported to build from."""
VERSION = re.compile(r"\d+\.\d+\.\d+")
HEADING = re.compile(r"## \[(?P<name>[^]]+)](?: - (?P<date>\d{4}-\d\d-\d\d))?")


class Refused(Exception):
    """There is no release to make; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the changelog says about one version."""

    name: str
    date: str | None
    says: int
    """How many entries it has."""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


# ---------------------------------------------------------------- what is checked


def worker_version(source: Path) -> str:
    """``__version__``, which ``worker/pyproject.toml`` takes its version from."""
    for node in ast.parse((source / "worker" / "otterbot_worker" / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise Refused("worker/otterbot_worker/__init__.py has no __version__")


def plugin_version(source: Path) -> str:
    found = re.search(r"^version: *(\S+)$", (source / "maubot.yaml").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise Refused("maubot.yaml has no version")
    return found[1].strip("'\"")


def sections(text: str) -> list[Section]:
    """Of a changelog, in its order."""
    found: list[Section] = []
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]:
        heading = HEADING.fullmatch(part.splitlines()[0].strip())
        if heading is None:
            raise Refused(
                f"CHANGELOG.md: {part.splitlines()[0]!r} is no heading of a version, as ## [0.1.0] - 2026-12-01"
            )
        says = len(re.findall(r"^- \S", part, re.MULTILINE))
        found.append(Section(name=heading["name"], date=heading["date"], says=says))
    return found


def check_changelog(text: str, version: str, *, unreleased: bool) -> None:
    """The newest version of the changelog is this one, and something stands below it."""
    known = {section.name: section for section in sections(text)}
    waiting = known.pop("Unreleased", None)
    if unreleased:
        if waiting is None or not waiting.says:
            raise Refused("CHANGELOG.md says nothing under Unreleased: nothing to try")
        return
    if version not in known:
        raise Refused(
            f"CHANGELOG.md has no heading for {version}: put `## [{version}] - DATE` below `## [Unreleased]` "
            "(or try what there is with --unreleased)"
        )
    if waiting is not None and waiting.says:
        raise Refused("CHANGELOG.md: what stands under Unreleased would be in the release, but not in its notes")
    if next(iter(known)) != version:
        raise Refused(f"CHANGELOG.md: the newest version is {next(iter(known))}, and {version} was to be released")
    if known[version].date is None:
        raise Refused(f"CHANGELOG.md: the heading of {version} has no date, as ## [{version}] - 2026-12-01")
    if not known[version].says:
        raise Refused(f"CHANGELOG.md says nothing about {version}")


def checked(source: Path, *, unreleased: bool) -> str:
    """The version of ``source``, an export of the commit."""
    version = worker_version(source)
    if VERSION.fullmatch(version) is None:
        raise Refused(f"{version} is no version of three numbers")
    if plugin_version(source) != version:
        raise Refused(f"versions differ: worker {version}, maubot.yaml {plugin_version(source)}")
    check_changelog((source / "CHANGELOG.md").read_text("utf-8"), version, unreleased=unreleased)
    tagged = git("tag", "--list", f"v{version}")
    if tagged and git("rev-list", "-n1", tagged) != git("rev-parse", "HEAD"):
        raise Refused(f"the tag {tagged} is on another commit: this needs a new version")
    return version


# ---------------------------------------------------------------- what is built


def unpack(archive: tarfile.TarFile, target: Path) -> None:
    """Python 3.11 has the filter since 3.11.4, Debian 12 has 3.11.2; what is unpacked here was packed here."""
    if hasattr(tarfile, "data_filter"):
        archive.extractall(target, filter="data")
    else:
        archive.extractall(target)


def export(target: Path) -> None:
    """The commit's files, as they are without what was built or left in the folder."""
    packed = target / "commit.tar"
    git("archive", "--format=tar", "-o", str(packed), "HEAD", *CONTENTS, "CHANGELOG.md")
    with tarfile.open(packed) as archive:
        unpack(archive, target)
    packed.unlink()
    # Its licence asks to be in every copy.
    (target / "worker" / "LICENSE").write_bytes((target / "LICENSE").read_bytes())


def call(command: list[str], folder: Path, made: Path) -> Path:
    """Runs what makes the file ``made``."""
    stamp = git("log", "-1", "--format=%ct")
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env={**os.environ, "SOURCE_DATE_EPOCH": stamp, "HOME": str(folder)},
    )  # fmt: skip
    if done.returncode != 0 or not made.exists():
        raise Refused(f"{made.name} was not built:\n{done.stdout}{done.stderr}")
    return made


def build(source: Path, out: Path, version: str, maubot: str) -> list[Path]:
    """All files of a release, in ``out``."""
    hatch = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    sdist = call([*hatch, "-t", "sdist"], source / "worker", out / f"otterbot_worker-{version}.tar.gz")
    unpacked = source / "unpacked"
    with tarfile.open(sdist) as archive:
        unpack(archive, unpacked)
    wheel = call(
        [*hatch, "-t", "wheel"],
        unpacked / f"otterbot_worker-{version}",
        out / f"otterbot_worker-{version}-py3-none-any.whl",
    )
    plugin = out / f"org.otterbot-v{version}.mbp"
    call([maubot, "-m", "maubot.cli", "build", str(source), "-o", str(plugin)], source, plugin)
    return [wheel, sdist, plugin]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "dist", metavar="FOLDER", help="default: dist/")
    parser.add_argument("--unreleased", action="store_true", help="what stands under Unreleased, to try it")
    parser.add_argument("--maubot", default=sys.executable, metavar="PYTHON", help="one that has Maubot")
    asked = parser.parse_args()
    try:
        if dirty := git("status", "--porcelain"):
            raise Refused(f"the tree is dirty; commit or stash first:\n{dirty}")
        with tempfile.TemporaryDirectory(prefix="otterbot-release-") as folder:
            source, made = Path(folder, "source"), Path(folder, "made")
            source.mkdir()
            made.mkdir()
            export(source)
            version = checked(source, unreleased=asked.unreleased)
            files = build(source, made, version, asked.maubot)
            sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
            asked.out.mkdir(parents=True, exist_ok=True)
            # All of them were built: until then an older release stays whole.
            for file in files:
                (asked.out / file.name).write_bytes(file.read_bytes())
            (asked.out / "SHA256SUMS").write_text(sums)
    except Refused as error:
        print(f"scripts/release: {error}", file=sys.stderr)
        return 1
    for file in files:
        print(f"{asked.out / file.name}  {(asked.out / file.name).stat().st_size / 1e6:.1f} MB")
    print(f"Otterbot {version} is in {asked.out}. What remains: git tag v{version}, and publish these files.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
