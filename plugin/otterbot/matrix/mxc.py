"""Addresses of media (``mxc://server/id``), by the grammar of the specification.

What an event names becomes part of an address that is asked with our token, so ``mxc://../x`` is no address here.
"""

from __future__ import annotations

import re

_PORT = r"(?::[0-9]{1,5})?"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,253}[A-Za-z0-9])?"
_SIX = r"\[[0-9A-Fa-f:.]{2,45}\]"
_MXC = re.compile(rf"mxc://(?P<server>(?:{_HOST}|{_SIX}){_PORT})/(?P<media>[A-Za-z0-9_\-]{{1,255}})", re.ASCII)


def parse(uri: object) -> tuple[str, str] | None:
    """Server name and media id; ``None`` if it is no such address."""
    found = _MXC.fullmatch(uri) if isinstance(uri, str) else None
    if found is None or ".." in found["server"]:
        return None
    return found["server"], found["media"]
