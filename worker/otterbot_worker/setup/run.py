"""Asks, and then writes: nothing is changed before the last answer."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from .. import config_file, durable, terminal, yamlfile
from ..config import BadConfig, Config
from ..own_worker import Refused
from . import account, answers, compose, looking, settings_file, unit
from .account import Account, Service
from .answers import Answers
from .questions import Questions


def run(asked: argparse.Namespace) -> int:
    """:raises Refused: :raises BadConfig: the settings that are there cannot be used"""
    if not asked.yes and not sys.stdin.isatty():
        raise Refused(
            "nobody is there to be asked: add --yes, and flags for what differs (otterbot-worker setup --help)"
        )
    questions = Questions(ask=not asked.yes)
    service = answers.service(questions, asked)
    if service == "compose":
        return _compose(questions, asked)
    who = account.of(service, asked.user)
    path = _named(asked) or who.settings
    account.check_open(who, path)
    new = not path.exists()
    text = _text(config_file.EXAMPLE if new else path)
    config = config_file.parse(text, path)
    print(f"{'New settings' if new else 'Settings'}: {path}")
    chosen = answers.all_of(questions, asked, config, who, new=new)
    text, changed, config = _changed(text, path, chosen, config, new=new)
    _check_data_dir(who, config)
    _check_port(chosen, config)
    text_of_unit = _unit_text(service, who, path, config)
    print(
        f"To be written: {path} ({', '.join(changed) or 'nothing changes'})" + (f", {who.unit}" if text_of_unit else "")
    )
    if not questions.agreed("Go on"):
        print("nothing was changed")
        return 1
    try:
        _write(path, text, changed, who, config)
        made = _write_unit(questions, asked, service, who, text_of_unit)
    except OSError as error:
        raise Refused(f"{error.filename or path} cannot be written ({error.strerror})") from None
    _say_end(service, path, who, config, made=made)
    return 0


def _compose(questions: Questions, asked: argparse.Namespace) -> int:
    for name in ("data_dir", "host", "port"):
        if getattr(asked, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise Refused(f"{flag} is not for compose: there the volume data is the folder, and the address is fixed")
    config = Config.model_validate({"chat": {"ollama_url": "http://ollama:11434"}})
    ollama_url, downloads = answers.chat_and_downloads(questions, asked, config)
    print()
    print(compose.service(ollama_url=ollama_url, downloads=downloads))
    print("Maubot's instance gets, with the volume tokens at /tokens:\n")
    print("worker:\n    url: http://worker:8585\n    token_file: /tokens/otterbot")
    return 0


# ---------------------------------------------------------------- what is written


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read ({getattr(error, 'strerror', None) or 'no text'})") from None


def _changed(text: str, path: Path, chosen: Answers, config: Config, *, new: bool) -> tuple[str, list[str], Config]:
    """The settings as they are to be, which keys differ, and what they mean. :raises Refused:"""
    values = chosen.values(config)
    if new or chosen.data_dir != str(config.data_dir):
        values = {("data_dir",): chosen.data_dir, **values}
    try:
        text = settings_file.changed(text, values)
        config = config_file.parse(text, path)
    except settings_file.CannotEdit as error:
        raise Refused(f"{path}: {error}; change it there yourself, and run this again") from None
    except (BadConfig, yamlfile.Unreadable) as error:
        raise Refused(f"{path}: {error}") from None
    return text, [".".join(key) for key in values], config


def _named(asked: argparse.Namespace) -> Path | None:
    """The file that somebody named, not the one that is found by itself."""
    found: Path | None = asked.config
    return found if os.environ.get("OTTERBOT_CONFIG") or found != config_file.default_file() else None


def _check_data_dir(who: Account, config: Config) -> None:
    folder = config.data_dir
    account.check_open(who, folder)
    if folder.exists() and folder.stat().st_uid != who.uid:
        raise Refused(f"{folder} belongs to another user than {who.name}; first: chown -R {who.name}: {folder}")


def _check_port(chosen: Answers, config: Config) -> None:
    running = config.listen_file.exists()
    if not running and looking.taken(chosen.host, chosen.port):
        raise Refused(f"something else listens at {chosen.host}:{chosen.port}; choose another --port")


def _folders(who: Account, config: Config) -> list[Path]:
    """What the worker writes into."""
    cache = Path(os.environ["HF_HOME"]) if os.environ.get("HF_HOME") and not who.system else who.cache
    found = [config.data_dir, config.archive_dir, config.lock_file.parent, who.cache, cache]
    return [path for number, path in enumerate(found) if not any(map(path.is_relative_to, found[:number]))]


def _unit_text(service: Service, who: Account, path: Path, config: Config) -> str | None:
    if service not in ("user", "system"):
        return None
    system = service == "system"
    after = looking.existing(unit.AFTER if system else unit.AFTER[1:], system=system)
    command = [*account.program(), "serve", "--config", str(path.absolute())]
    try:
        return unit.Unit(
            command=command,
            writable=_folders(who, config),
            after=after,
            user=who.name if system else None,
            home=None if system else who.home,
        ).text
    except unit.Unwritable as error:
        raise Refused(str(error)) from None


def _write(path: Path, text: str, changed: list[str], who: Account, config: Config) -> None:
    from ..api.auth import BadToken, load_tokens

    if changed:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, parents=True)
            if who.system:
                path.parent.chmod(0o755)  # our umask would leave it to root
        target = path.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644 if who.system else 0o600
        durable.write(target, text.encode())
        target.chmod(mode)
        durable.sync_folder(target.parent)
        print(f"written: {path} ({', '.join(changed)})")
    else:
        print(f"nothing changes in {path}")
    for folder in _folders(who, config):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            who.give(folder)
    token = _token_file(config)
    new = not token.exists()
    try:
        load_tokens({next(iter(config.api.clients)): token})
    except BadToken as error:
        raise Refused(str(error)) from None
    if new:
        who.give(token)


def _write_unit(
    questions: Questions, asked: argparse.Namespace, service: Service, who: Account, text: str | None
) -> bool:
    """Whether there is a unit now that this has written."""
    if text is None:
        return False
    path = who.unit
    if path.exists():
        if path.read_text("utf-8", "replace") == text:
            print(f"nothing changes in {path}")
            return True
        if asked.service is None and not questions.agreed(f"{path} is another one. Write it anew", offered=False):
            print(f"left as it is: {path}")
            return True
        durable.write(path.with_name(f"{path.name}.old"), path.read_bytes())
        print(f"kept: {path}.old")
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True)
        if who.system:
            path.parent.chmod(0o755)
    durable.write(path, text.encode())
    path.chmod(0o644)
    print(f"written: {path}")
    return True


# ---------------------------------------------------------------- what is said


def _token_file(config: Config) -> Path:
    return config.token_file(next(iter(config.api.clients)))


def _say_end(service: Service, path: Path, who: Account, config: Config, *, made: bool) -> None:
    if config.api.tls_cert is None and not config.api.loopback:
        print("Without TLS, token and pictures can be read on the network: docs/operating.md says how, or use a VPN.")
    for variable in sorted(name for name in os.environ if name.startswith(config_file.ENVIRONMENT_PREFIX)):
        if variable != "OTTERBOT_CONFIG":
            print(f"{variable} is set here and overrides the file where it is set; a unit does not know it.")
    print("\nStart it:\n")
    if made and service == "system":
        print("    systemctl daemon-reload && systemctl enable --now otterbot-worker")
    elif made:
        print("    systemctl --user daemon-reload && systemctl --user enable --now otterbot-worker")
        print("    loginctl enable-linger          # without it the worker ends when you log out")
    else:
        print(f"    {shlex.join([*account.program(), 'serve', '--config', str(path.absolute())])}")
    host = looking.reached_at(config.api.host)
    scheme = "http" if config.api.tls_cert is None else "https"
    print("\nPaste into the settings of the plugin's instance in Maubot:\n")
    print(f"worker:\n    url: {scheme}://{host}:{config.api.port}")
    token = _token_file(config)
    if sys.stdout.isatty():
        print(f"    token: {token.read_text('ascii').strip()}")
    else:
        # What is not a terminal may be a log.
        print(f"    token: # the line in {terminal.visible(str(token))}")
