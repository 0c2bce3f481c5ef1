"""The commands of ``docs/operating.md`` do what it says."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from lab.places import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operating.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def block(word: str) -> str:
    """The one block of commands that holds ``word``."""
    found = [text for text in BLOCKS if word in text]
    assert len(found) == 1, word
    return found[0]


def run(script: str, home: Path) -> None:
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    subprocess.run(["sh", "-euc", script], cwd=home, env=env, check=True, capture_output=True, text=True)


@pytest.mark.parametrize("text", BLOCKS)
def test_every_block_is_a_script(text: str) -> None:
    subprocess.run(["sh", "-n", "-c", text], check=True)


# ---------------------------------------------------------------- TLS


def shaken_hands(folder: Path, name: str = "192.168.1.20") -> str | None:
    """Connects as Python 3.13 does, which is strict, and trusts the certificate alone. The version of TLS."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "worker-cert.pem", folder / "worker-key.pem")
    client = ssl.create_default_context(cafile=str(folder / "worker-cert.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with suppress(OSError), server.wrap_socket(theirs, server_side=True) as connection:
            connection.recv(1)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as connection:
            return connection.version()
    finally:
        ours.close()
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_the_certificate_is_one_that_strict_pythons_trust(tmp_path: Path) -> None:
    run(block("openssl req"), tmp_path)
    assert (tmp_path / "worker-key.pem").stat().st_mode & 0o077 == 0
    assert shaken_hands(tmp_path) == "TLSv1.3"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_it_is_for_its_names_alone(tmp_path: Path) -> None:
    run(block("openssl req"), tmp_path)
    assert shaken_hands(tmp_path, "gpu.lan") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken_hands(tmp_path, "192.168.1.21")


# ---------------------------------------------------------------- backup and restore


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Of somebody who runs worker and Maubot, both of which are writing: the newest rows are in the ``-wal`` files."""
    data = tmp_path / ".local" / "share" / "otterbot"
    (data / "archive" / "2026-12-01").mkdir(parents=True)
    (data / "archive" / "2026-12-01" / "otter.png").write_bytes(b"a picture")
    (data / "token").write_text("a token")
    (tmp_path / ".config" / "otterbot").mkdir(parents=True)
    (tmp_path / ".config" / "otterbot" / "worker.yaml").write_text("api: {}")
    (tmp_path / "config.yaml").write_text("{}")
    (tmp_path / "plugins").mkdir()
    with (
        closing(sqlite3.connect(data / "jobs.sqlite")) as jobs,
        closing(sqlite3.connect(tmp_path / "maubot.db")) as maubot,
        closing(sqlite3.connect(tmp_path / "plugins" / "otterbot.db")) as plugin,
    ):
        for database in (jobs, maubot, plugin):
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE kept (word)")
            database.execute("INSERT INTO kept VALUES ('before')")
            database.commit()
        yield tmp_path


def words(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as opened:
        return [word for (word,) in opened.execute("SELECT word FROM kept")]


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 here")
def test_a_backup_is_whole_and_comes_back(home: Path) -> None:
    run(block('~/.local/share/otterbot/jobs.sqlite ".backup'), home)
    run(block('maubot.db ".backup'), home)
    backup, queue = home / "backup", home / ".local" / "share" / "otterbot" / "jobs.sqlite"
    assert [words(backup / name) for name in ("jobs.sqlite", "maubot.db", "otterbot.db")] == [["before"]] * 3
    assert (backup / "archive" / "2026-12-01" / "otter.png").read_bytes() == b"a picture"
    assert (backup / "worker.yaml").read_text() == "api: {}"
    for name in ("jobs.sqlite", "maubot.db", "otterbot.db"):
        assert (backup / name).stat().st_mode & 0o077 == 0, "keys and prompts are in it"
    with closing(sqlite3.connect(queue)) as opened:
        opened.execute("INSERT INTO kept VALUES ('after')")
        opened.commit()
    script = block("rm -f ~/.local/share/otterbot/jobs.sqlite*")
    run("\n".join(line for line in script.splitlines() if not line.startswith("systemctl")), home)
    assert words(queue) == ["before"]
    plugin = home / "plugins" / "otterbot.db"
    plugin.write_bytes(b"spoilt")
    run(block("rm -f plugins/otterbot.db*"), home)
    assert words(plugin) == ["before"]
