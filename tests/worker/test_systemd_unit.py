"""The unit for systemd: what protects the worker's user, and nothing that would take the card away."""

from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "docs" / "otterbot-worker.service"


@pytest.fixture(scope="module")
def unit() -> ConfigParser:
    # Strict: a key that stands there twice is refused.
    found = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(UNIT.read_text("utf-8"))
    return found


def test_it_protects_its_user(unit: ConfigParser) -> None:
    service = unit["Service"]
    assert service["UMask"] == "0077"
    assert int(service["LimitNOFILE"]) >= 65_536
    for key in ("NoNewPrivileges", "PrivateTmp", "LockPersonality", "RestrictSUIDSGID", "RestrictRealtime"):
        assert service[key] == "yes", key
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} <= set(service["RestrictAddressFamilies"].split())
    assert service["ProtectSystem"] == "strict"
    assert "%h/.local/share" in service["ReadWritePaths"], "where data_dir lies"
    assert "%h/.cache" in service["ReadWritePaths"], "where models are fetched to"
    assert "#MemoryMax=" in UNIT.read_text("utf-8"), "how to choose it depends on the computer"


def test_the_card_stays_within_reach(unit: ConfigParser) -> None:
    for key in ("PrivateDevices", "DevicePolicy", "DeviceAllow", "MemoryDenyWriteExecute", "PrivateNetwork"):
        assert key not in unit["Service"], key


def test_it_is_tried_again_and_not_for_ever(unit: ConfigParser) -> None:
    service, limits = unit["Service"], unit["Unit"]
    assert service["Restart"] == "always"
    burst, interval, pause = (
        int(limits["StartLimitBurst"]), int(limits["StartLimitIntervalSec"]), int(service["RestartSec"]),
    )  # fmt: skip
    assert burst * pause >= 300, "an address of a VPN may take minutes to be there"
    assert burst * (pause + 3) < interval, "else it never comes to its limit"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_knows_every_line(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace("%h/otterbot/bin/otterbot-worker", "/bin/true"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    if "Failed to initialize manager" in done.stderr:
        pytest.skip("systemd cannot look at units here")
    assert UNIT.name not in done.stderr, done.stderr
    assert done.returncode == 0
