"""``scripts/release`` on a repository of its own: what it builds is whole, and what it must refuse it refuses."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from lab.places import REPOSITORY, python

COPIED = ("worker", "plugin", "scripts", "maubot.yaml", "base-config.yaml", "LICENSE", ".gitignore")
CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n## [{version}] - 2026-12-01\n\n### Added\n\n- **Pictures**: they are drawn.\n"
)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Otter", "-c", "user.email=otter@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "As it is")


def tracked(folder: Path, under: str) -> set[str]:
    return set(git(folder, "ls-files", under).splitlines())


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [python("worker"), "scripts/_release.py", "--maubot", python("maubot"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def version() -> str:
    text = (REPOSITORY / "worker" / "otterbot_worker" / "__init__.py").read_text("utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


@pytest.fixture(scope="module")
def made(folder: Path, version: str) -> Path:
    """Our files as they lie here, committed, with a changelog that is ready for a release."""
    made = folder / "to-release"
    for name in git(REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard", *COPIED).splitlines():
        if (REPOSITORY / name).exists():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes((REPOSITORY / name).read_bytes())
    (made / "CHANGELOG.md").write_text(CHANGELOG.format(version=version), "utf-8")
    git(made, "init", "-q")
    commit(made)
    git(made, "branch", "good")
    return made


@pytest.fixture
def repository(made: Path) -> Path:
    git(made, "reset", "-q", "--hard", "good")
    return made


def test_a_release_is_whole(repository: Path, tmp_path: Path, version: str) -> None:
    """Every tracked file of ours and nothing else, though built files lie about, which git ignores."""
    litter = repository / "plugin" / "otterbot" / "__pycache__" / "old.pyc"
    litter.parent.mkdir(exist_ok=True)
    litter.write_bytes(b"of another Python")
    done = release(repository, "--out", str(tmp_path / "dist"))
    assert done.returncode == 0, done.stderr
    names = {
        "wheel": f"otterbot_worker-{version}-py3-none-any.whl",
        "sdist": f"otterbot_worker-{version}.tar.gz",
        "plugin": f"org.otterbot-v{version}.mbp",
    }
    paths = {what: tmp_path / "dist" / name for what, name in names.items()}
    assert {path.name for path in (tmp_path / "dist").iterdir()} == {*names.values(), "SHA256SUMS"}

    ours = {name.removeprefix("worker/") for name in tracked(repository, "worker/otterbot_worker")}
    with zipfile.ZipFile(paths["wheel"]) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
        about = wheel.read(f"otterbot_worker-{version}.dist-info/METADATA").decode()
        licence = wheel.read(f"otterbot_worker-{version}.dist-info/licenses/LICENSE")
    assert found == ours
    assert f"\nVersion: {version}\n" in about
    assert licence == (REPOSITORY / "LICENSE").read_bytes()

    with tarfile.open(paths["sdist"]) as sdist:
        inside = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    assert inside - {"PKG-INFO", ".gitignore"} == ours | {"pyproject.toml", "LICENSE"}

    with zipfile.ZipFile(paths["plugin"]) as plugin:
        assert set(plugin.namelist()) == tracked(repository, "plugin") | {"maubot.yaml", "base-config.yaml", "LICENSE"}

    for line in (tmp_path / "dist" / "SHA256SUMS").read_text().splitlines():
        sum_, name = line.split()
        assert hashlib.sha256((tmp_path / "dist" / name).read_bytes()).hexdigest() == sum_


REFUSED = {
    "dirty": ("LICENSE", "MIT", "Mine", "the tree is dirty"),
    "versions": ("maubot.yaml", "version: ", "version: 9", "versions differ"),
    "no heading": ("CHANGELOG.md", "## [", "## [9", "has no heading for"),
    "nothing said": ("CHANGELOG.md", "- **Pictures**: they are drawn.", "", "says nothing about"),
    "left out": ("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- **More**.\n", "not in its notes"),
    "no date": ("CHANGELOG.md", " - 2026-12-01", "", "has no date"),
    "not the newest": ("CHANGELOG.md", "## [Unreleased]\n", "## [9.0.0] - 2026-12-02\n\n- **More**.\n", "newest"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(repository: Path, tmp_path: Path, case: str) -> None:
    name, old, new, said = REFUSED[case]
    before = (repository / name).read_text("utf-8")
    assert old in before
    (repository / name).write_text(before.replace(old, new), "utf-8")
    if case != "dirty":
        commit(repository)
    done = release(repository, "--out", str(tmp_path / "dist"))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "dist").exists()


def test_a_version_is_released_once(repository: Path, tmp_path: Path, version: str) -> None:
    git(repository, "tag", f"v{version}")
    (repository / "LICENSE").write_text("Mine", "utf-8")
    commit(repository)
    done = release(repository, "--out", str(tmp_path / "dist"))
    assert f"the tag v{version} is on another commit" in done.stderr
