"""The running worker of this data directory, as the other commands talk with it."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from .config import Config

SECONDS = 10.0


class Refused(Exception):
    """The command cannot do what was asked; the message says why."""


class WrongToken(Refused):
    """The worker does not know the token that is in the file."""


def address(config: Config) -> str:
    """:raises Refused: no worker runs"""
    try:
        return config.listen_file.read_text("ascii").strip()
    except (OSError, ValueError):
        raise Refused(f"no worker runs with the data directory {config.data_dir}") from None


def call(config: Config, method: str, path: str, body: Any = None) -> Any:
    """One request, with the first client's token.

    :raises Refused:
    """
    where = address(config)
    try:
        token = config.token_file(next(iter(config.api.clients))).read_text("ascii").strip()
    except (OSError, ValueError):
        raise Refused("the token file cannot be read; run this as the worker's user") from None
    request = urllib.request.Request(where + path, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with _opener().open(request, timeout=SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise (WrongToken if error.code == 401 else Refused)(_said(error)) from None
    except (OSError, ValueError):
        raise Refused(f"the worker at {where} does not answer") from None


def _said(error: urllib.error.HTTPError) -> str:
    """The sentence of its problem document, where it has one."""
    try:
        detail = json.loads(error.read(65_536))["detail"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"the worker answered {error.code}"
    return f"the worker answered {error.code}: {detail}"


def is_alive(where: str) -> bool:
    """Whether a worker answers at an address such as ``http://192.168.1.5:8585``."""
    try:
        with _opener().open(f"{where}/healthz", timeout=SECONDS) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def _opener() -> urllib.request.OpenerDirector:
    # This machine's own worker: its certificate is for the name that others use, so do not check it, and use no proxy.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
