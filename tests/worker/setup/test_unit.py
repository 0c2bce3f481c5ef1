"""The unit that `setup` writes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from otterbot_worker.setup import looking
from otterbot_worker.setup.unit import AFTER, Unit, Unwritable

REPOSITORY = Path(__file__).resolve().parents[3]
HOME = Path("/home/me")


def test_the_one_in_the_docs_is_what_a_user_gets() -> None:
    made = Unit(
        command=[str(HOME / "otterbot/bin/otterbot-worker"), "serve"],
        writable=[HOME / ".local/share/otterbot", HOME / ".cache"],
        home=HOME,
    )
    assert (REPOSITORY / "docs" / "otterbot-worker.service").read_text("utf-8") == made.text


def test_a_systems_unit_has_its_user_its_disks_and_its_order() -> None:
    text = Unit(
        command=["/opt/otterbot/bin/otterbot-worker", "serve", "--config", "/etc/otterbot/50%.yaml"],
        writable=[Path("/srv/otter"), Path("/var/lib/otterbot/.cache")],
        after=AFTER,
        user="otterbot",
    ).text
    lines = text.splitlines()
    assert "User=otterbot" in lines
    assert "ExecStart=/opt/otterbot/bin/otterbot-worker serve --config /etc/otterbot/50%%.yaml" in lines
    assert "RequiresMountsFor=/srv/otter /var/lib/otterbot/.cache" in lines
    assert "ReadWritePaths=-/srv/otter -/var/lib/otterbot/.cache" in lines
    assert f"After={' '.join(AFTER)}" in lines
    assert "Wants=network-online.target" in lines
    assert "WantedBy=multi-user.target" in lines
    assert "--user" not in text


@pytest.mark.parametrize(
    "path", ["/a b", "/a\nExecStart=/bin/sh", "/a'b", '/a"b', "/$HOME", "/a;b", "/a\\b", "/\u202e"]
)
def test_a_path_that_would_mean_something_else_is_refused(path: str) -> None:
    with pytest.raises(Unwritable, match="cannot stand in a systemd unit"):
        _ = Unit(command=[path], writable=[]).text
    with pytest.raises(Unwritable):
        _ = Unit(command=["/bin/true"], writable=[Path(path)]).text


def test_only_units_that_exist_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SYSTEM_UNITS", (str(tmp_path / "none"), str(tmp_path)))
    assert looking.existing(AFTER, system=True) == []
    (tmp_path / "ollama.service").touch()
    assert looking.existing(AFTER, system=True) == ["ollama.service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("user", [None, "root"])
def test_systemd_knows_every_line(tmp_path: Path, user: str | None) -> None:
    (tmp_path / "data").mkdir()
    after = looking.existing(AFTER, system=user is not None)
    text = Unit(command=["/bin/true", "serve"], writable=[tmp_path / "data"], after=after, user=user).text
    path = tmp_path / "otterbot-worker.service"
    path.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    if "Failed to initialize manager" in done.stderr:
        pytest.skip("systemd cannot look at units here")
    assert path.name not in done.stderr, done.stderr
    assert done.returncode == 0
