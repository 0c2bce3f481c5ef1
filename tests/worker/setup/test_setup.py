"""``otterbot-worker setup``, as a process: with flags, and by somebody at a terminal."""

from __future__ import annotations

import os
import pty
import pwd
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from core_lab import WORKER

from otterbot_worker import cli, config_file
from otterbot_worker.setup import looking

CTRL_C = "\x03"
"""It is no terminal of its own, so that the signal is sent."""
COMMAND = [sys.executable, "-m", "otterbot_worker.cli", "setup"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def port() -> int:
    """One where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTTERBOT_", "XDG_", "HF_"))}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(WORKER)}


def run(home: Path, *flags: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*COMMAND, *flags], env=environment(home), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    return done.returncode, done.stdout, done.stderr


def at_a_terminal(home: Path, answers: list[str], *flags: str) -> tuple[int, str]:
    """Types each answer when a question has come; returns the exit code and what stood on the screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *flags], env=environment(home), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen, seen, waiting, interrupted = b"", 0, list(answers), False
    until = time.monotonic() + 120
    try:
        while time.monotonic() < until:
            if not select.select([ours], [], [], 2)[0]:
                if interrupted:
                    # One that comes just before the line is read is not heard; people press it again.
                    process.send_signal(signal.SIGINT)
                continue
            try:
                screen += os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if screen[seen:].endswith(b"]: ") and waiting:
                seen = len(screen)
                answer = waiting.pop(0)
                interrupted = answer == CTRL_C
                if interrupted:
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, answer.encode())
        return process.wait(30), screen.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@contextmanager
def an_ollama() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/version" else 404)
            self.end_headers()
            self.wfile.write(b'{"version": "0.12.6"}')

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_flags_alone_install_it(home: Path, port: int) -> None:
    code, out, err = run(
        home, "--yes", "--service", "user", "--port", str(port), "--downloads", "no", "--ollama", "none"
    )
    assert (code, err) == (0, "")
    settings, data = home / ".config/otterbot/worker.yaml", home / ".local/share/otterbot"
    config = config_file.load(settings, {})
    assert (config.data_dir, config.api.port) == (data, port)
    assert (config.images.downloads, config.chat.ollama_url) == (False, None)
    text, example = settings.read_text(), config_file.EXAMPLE.read_text()
    comments = [line for line in example.splitlines() if line.lstrip().startswith("# ")]
    assert [line for line in text.splitlines() if line.lstrip().startswith("# ")] == comments
    for path, mode in ((settings, 0o600), (data, 0o700), (data / "token", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode, path
    unit = (home / ".config/systemd/user/otterbot-worker.service").read_text()
    assert "serve --config %h/.config/otterbot/worker.yaml\n" in unit
    assert "ReadWritePaths=-%h/.local/share/otterbot -%h/.cache\n" in unit
    assert "systemctl --user enable --now otterbot-worker" in out
    assert (data / "token").read_text().strip() not in out, "what is not a terminal may be a log"
    assert out.endswith(f"worker:\n    url: http://127.0.0.1:{port}\n    token: # the line in {data / 'token'}\n")


def test_once_more_it_changes_what_is_asked_and_keeps_the_rest(home: Path, port: int) -> None:
    run(home, "--yes", "--service", "user", "--port", str(port))
    settings, unit = home / ".config/otterbot/worker.yaml", home / ".config/systemd/user/otterbot-worker.service"
    token = home / ".local/share/otterbot/token"
    mine = settings.read_text().replace("  max_open: 500", "  max_open: 7  # mine") + "# the end\n"
    settings.write_text(mine)
    settings.chmod(0o640)
    unit.write_text("mine\n")
    before = token.read_text()
    code, out, _ = run(home, "--yes")
    assert code == 0
    assert f"nothing changes in {settings}" in out
    assert f"left as it is: {unit}" in out
    assert (settings.read_text(), unit.read_text(), token.read_text()) == (mine, "mine\n", before)
    code, out, _ = run(home, "--yes", "--downloads", "no", "--service", "user")
    assert code == 0
    assert settings.read_text() == mine.replace("downloads: true", "downloads: false")
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert unit.with_name("otterbot-worker.service.old").read_text() == "mine\n"
    assert "ExecStart=" in unit.read_text()
    assert token.read_text() == before


def test_somebody_at_a_terminal_is_asked_and_shown_the_token(home: Path, port: int) -> None:
    with an_ollama() as url:
        answers = [
            "none\n",
            "\n",
            "192.0.2.7\n",
            "\n",
            "0\n",
            f"{port}\n",
            "ftp://x\n",
            url.removeprefix("http://") + "/v1\n",
        ]
        answers += ["perhaps\n", "no\n", "\n"]
        code, screen = at_a_terminal(home, answers)
    assert code == 0, screen
    assert "this machine has no such address; it has 127.0.0.1" in screen
    assert "expected a number from 1 to 65535" in screen
    assert "expected yes or no" in screen
    assert "expected an address as http://127.0.0.1:11434, or none" in screen
    assert config_file.load(home / ".config/otterbot/worker.yaml", {}).chat.ollama_url == url
    config = config_file.load(home / ".config/otterbot/worker.yaml", {})
    assert (config.api.port, config.images.downloads) == (port, False)
    token = (home / ".local/share/otterbot/token").read_text().strip()
    assert screen.endswith(f"worker:\n    url: http://127.0.0.1:{port}\n    token: {token}\n")
    assert not (home / ".config/systemd").exists()


@pytest.mark.parametrize("last", ["no\n", "\x04", CTRL_C])
def test_nothing_is_written_before_the_last_answer(home: Path, port: int, last: str) -> None:
    flags = ("--service", "user", "--port", str(port), "--ollama", "none", "--downloads", "yes")
    code, screen = at_a_terminal(home, ["\n", "\n", last], *flags)
    assert code in (1, 2, 130)
    assert "Traceback" not in screen
    assert list(home.iterdir()) == []


def test_ollama_is_looked_for(home: Path, port: int) -> None:
    with an_ollama() as url:
        run(home, "--yes", "--service", "none", "--port", str(port), "--ollama", url)
        code, out, _ = run(home, "--yes")
        assert code == 0
        assert f"Ollama 0.12.6 answers at {url}." in out
    _, out, _ = run(home, "--yes")
    assert f"No Ollama answers at {url}." in out


def test_compose_is_printed_and_nothing_written(home: Path) -> None:
    code, out, _ = run(home, "--yes", "--service", "compose", "--downloads", "no")
    assert code == 0
    service = yaml.safe_load(out[out.index("services:") : out.index("Maubot's instance")])["services"]["worker"]
    shipped = yaml.safe_load((WORKER.parent / "deploy" / "compose.yaml").read_text())["services"]["worker"]
    for key in set(shipped) - {"build", "environment"}:
        assert service[key] == shipped[key], key
    config = config_file.load(None, service["environment"])
    assert (config.images.downloads, config.chat.ollama_url) == (False, "http://ollama:11434")
    assert out.endswith("worker:\n    url: http://worker:8585\n    token_file: /tokens/otterbot\n")
    assert list(home.iterdir()) == []


def test_what_cannot_be_done_is_a_sentence(home: Path, port: int) -> None:
    settings = home / ".config/otterbot/worker.yaml"
    flags = ("--yes", "--service", "none", "--port", str(port))
    for more, said in (
        ((), "nobody is there to be asked: add --yes"),
        ((*flags, "--host", "192.0.2.7"), "this machine has no such address"),
        ((*flags, "--host", "a..b"), "nobody knows this address"),
        ((*flags, "--port", "65536"), "expected a number from 1 to 65535"),
        ((*flags, "--ollama", "ftp://x"), "expected an address as http://127.0.0.1:11434, or none"),
        ((*flags, "--data-dir", "here"), "expected an absolute path"),
        ((*flags, "--service", "user", "--data-dir", f"{home}/a b"), "cannot stand in a systemd unit"),
        (("--yes", "--service", "compose", "--port", "1"), "--port is not for compose"),
    ):
        code, _, err = run(home, *more)
        assert (code, err.startswith("otterbot-worker: ")) == (2, True), err
        assert said in err
        assert not settings.exists(), said
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert f"something else listens at 127.0.0.1:{port}" in run(home, *flags)[2]
    settings.parent.mkdir(parents=True)
    for text, said in (
        ("api: {clents: 1}", "api.clents: unknown key"),
        ("api: [", "worker.yaml: no YAML"),
        ("data_dir: |\n  /x\n", "data_dir cannot be changed in place; change it there yourself"),
    ):
        settings.write_text(text)
        code, _, err = run(home, *flags, "--data-dir", str(home / "data"))
        assert (code, said in err) == (2, True), err
        assert settings.read_text() == text
    assert not (home / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes units of the system")
def test_a_system_unit_needs_its_user(home: Path) -> None:
    code, _, err = run(home, "--yes", "--service", "system", "--user", "nobody-of-this-name")
    assert code == 2
    assert "there is no user nobody-of-this-name; make one: useradd --system --create-home" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes units of the system")
def test_a_system_unit_is_written_for_its_user(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, with folders of its own in place of /etc. The user is root by another name."""
    names = []

    def known(name: str) -> pwd.struct_passwd:
        names.append(name)
        return pwd.struct_passwd((name, "x", 0, 0, "", str(tmp_path / "var"), "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", known)
    monkeypatch.setattr(config_file, "SYSTEM_FILE", tmp_path / "etc/otterbot/worker.yaml")
    monkeypatch.setattr(looking, "SYSTEM_UNITS", (str(tmp_path / "units"),))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    flags = ["setup", "--yes", "--service", "system", "--port", str(port), "--ollama", "none"]
    assert cli.main([*flags, "--user", "mine"]) == 0
    assert "systemctl daemon-reload && systemctl enable --now otterbot-worker" in capsys.readouterr().out
    modes = {
        "etc/otterbot": 0o755,
        "etc/otterbot/worker.yaml": 0o644,
        "units": 0o755,
        "units/otterbot-worker.service": 0o644,
        "var/data": 0o700,
        "var/data/token": 0o600,
    }
    for path, mode in modes.items():
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode, path
    unit = (tmp_path / "units/otterbot-worker.service").read_text()
    assert "\nUser=mine\n" in unit
    assert f"serve --config {tmp_path}/etc/otterbot/worker.yaml\n" in unit
    assert cli.main(["setup", "--yes"]) == 0, "the unit that is there says which service, and whose"
    assert names == ["mine", "mine"]
    assert f"nothing changes in {tmp_path}/units/otterbot-worker.service" in capsys.readouterr().out


def test_the_other_commands_find_the_settings_that_were_written(home: Path, port: int, tmp_path: Path) -> None:
    run(home, "--yes", "--service", "none", "--port", str(port), "--data-dir", str(tmp_path / "elsewhere"))
    done = subprocess.run(
        [*COMMAND[:-1], "token", "new", "one"], env=environment(home), capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"otter_[\w-]{43}\n", done.stdout)
    assert (tmp_path / "elsewhere" / "tokens.json").exists()
