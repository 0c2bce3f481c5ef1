"""The way in: tokens, certificate, address, clock."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from core_lab import TOKEN, settings, worker_here

from otterbot_worker.config import Config
from otterbot_worker.doctor import address, machine
from otterbot_worker.doctor.report import Report
from otterbot_worker.token_commands import changes


def found(look: Callable[..., None], *arguments: object) -> dict[str, str]:
    report = Report(quiet=True)
    look(report, *arguments)
    return {finding.code: f"{finding.level}: {finding.text}" for finding in report.findings}


def certificate(folder: Path, *dates: str) -> Config:
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *dates,
         "-subj", "/CN=gpu", "-addext", "subjectAltName=DNS:gpu.lan,IP:10.0.0.5", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return settings(folder, api={"host": "0.0.0.0", "tls_cert": cert, "tls_key": key})


async def test_a_running_worker_is_found_and_asked(tmp_path: Path) -> None:
    config = settings(tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    async with worker_here(config) as here:
        (tmp_path / "listen").write_text(here.api.address)
        said = await asyncio.to_thread(found, address.check_worker, config)
        assert said["worker.runs"].startswith(f"ok: the worker runs at {here.api.address}; 0 wait, 0 run")
        assert "for a Maubot elsewhere, set api.host" in said["address.loopback"]
        (tmp_path / "token").write_text("another-token-0123")
        said = await asyncio.to_thread(found, address.check_worker, config)
        assert said["token.unknown"].startswith("fail: ")


async def test_the_address_for_others_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(tmp_path, api={"host": "0.0.0.0"})
    (tmp_path / "token").write_text(TOKEN)
    async with worker_here(settings(tmp_path)) as here:
        (tmp_path / "listen").write_text(here.api.address)
        monkeypatch.setattr(address, "own_addresses", lambda: ["fd00::2", "127.0.0.1"])
        said = await asyncio.to_thread(found, address.check_worker, config)
        assert "address.unreachable" not in said, "0.0.0.0 is no address of IPv6"
        assert said["address.reached"].startswith(f"ok: {here.api.address} answers: this is worker.url")
        monkeypatch.setattr(address, "own_addresses", lambda: ["127.0.0.9"])
        said = await asyncio.to_thread(found, address.check_worker, config)
        assert said["address.unreachable"].startswith("fail: ")


def test_a_port_that_somebody_has_is_said_before_the_worker_starts(tmp_path: Path) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        config = settings(tmp_path, api={"port": somebody.getsockname()[1]})
        (tmp_path / "listen").write_text("http://127.0.0.1:1")  # of a worker that was killed
        assert "Address already in use" in found(address.check_worker, config)["address.taken"]
    assert found(address.check_worker, config)["worker.none"].startswith("ok: no worker runs")
    nobody = settings(tmp_path, api={"host": "nobody.invalid"})
    assert found(address.check_worker, nobody)["address.unknown"].startswith("fail: ")


def test_certificates(tmp_path: Path) -> None:
    config = certificate(tmp_path, "-days", "100")
    said = found(address.check_tls, config)
    assert said["tls.certificate"].startswith("ok: the certificate is for gpu.lan, 10.0.0.5, until 20")
    assert "tls.key_open" not in said
    assert config.api.tls_key is not None
    config.api.tls_key.chmod(0o644)
    assert "chmod 600" in found(address.check_tls, config)["tls.key_open"]
    config.api.tls_key.chmod(0o640)
    assert "tls.key_open" not in found(address.check_tls, config), "a group of its own may have it"
    assert found(address.check_tls, certificate(tmp_path, "-days", "3"))["tls.certificate"].startswith("note: ")
    config.api.tls_key.write_text("nothing")
    assert found(address.check_tls, config)["tls.files"].startswith("fail: ")
    open_one = settings(tmp_path, api={"host": "0.0.0.0"})
    assert "without TLS" in found(address.check_tls, open_one)["tls.none"]


OLD = """
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def test_a_certificate_that_is_out_of_date(tmp_path: Path) -> None:
    (tmp_path / "ca.cnf").write_text(OLD)
    (tmp_path / "index.txt").touch()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"]
    dates = ["-startdate", "200101000000Z", "-enddate", "200201000000Z"]
    for command in (
        ["openssl", "req", "-new", *key, "-subj", "/CN=gpu", "-out", "csr.pem"],
        ["openssl", "ca", "-config", "ca.cnf", "-selfsign", "-keyfile", "key.pem", "-in", "csr.pem", *dates,
         "-out", "cert.pem", "-batch", "-notext"],
    ):  # fmt: skip
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    config = settings(tmp_path, api={"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"})
    assert "certificate has expired" in found(address.check_tls, config)["tls.certificate"]


def test_tokens(tmp_path: Path) -> None:
    config = settings(tmp_path)
    token = tmp_path / "token"
    assert found(address.check_tokens, config)["token.later"].startswith("ok: ")
    token.write_text("short")
    assert found(address.check_tokens, config)["token.bad"].startswith("fail: ")
    token.write_text("0123456789abcdef")
    token.chmod(0o600)
    assert found(address.check_tokens, config)["token.closed"].startswith("ok: ")
    token.chmod(0o640)
    assert found(address.check_tokens, config)["token.open"].startswith("fail: ")


def test_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_unsynchronised", lambda: False)
    assert found(machine.check_clock, tmp_path)["clock"].startswith("ok: ")
    database = tmp_path / "jobs.sqlite"
    database.touch()
    os.utime(database, (time.time() + 3 * machine.DAY,) * 2)
    assert "wrote its database" in found(machine.check_clock, tmp_path)["clock.past"]
    monkeypatch.setattr(machine.time, "time", lambda: 1_000_000.0)
    assert "this was installed on" in found(machine.check_clock, tmp_path)["clock.past"]
    monkeypatch.undo()
    monkeypatch.setattr(machine, "_unsynchronised", lambda: True)
    assert found(machine.check_clock, tmp_path / "no")["clock.unsynchronised"].startswith("note: ")


def test_tokens_of_other_programs(tmp_path: Path) -> None:
    config = settings(tmp_path)
    assert found(address.check_other_tokens, config) == {}
    changes.new(config, "one")
    said = found(address.check_other_tokens, config)
    assert said == {"tokens.others": "ok: 1 other program has a token; see: otterbot-worker token list"}
    changes.new(Config.model_validate({"data_dir": tmp_path}), "other")
    config.tokens_file.chmod(0o644)
    said = found(address.check_other_tokens, config)
    assert said["tokens.taken"].startswith(
        "fail: these tokens have names of clients in api.clients, and open nothing: other;"
    )
    assert said["tokens.open"].startswith("note: others on this machine can read")
    config.tokens_file.write_text("{")
    assert list(found(address.check_other_tokens, config)) == ["tokens.bad"]
