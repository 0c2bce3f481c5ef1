"""Whether an address is the operator's own machine or network.

Told by the address alone. A name without a dot, or with an ending of home networks, counts as local; what it resolves
to is checked when a connection is made.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

HOME_ENDINGS = (".localhost", ".local", ".lan", ".home", ".home.arpa", ".internal", ".intranet", ".private")


def host_of(url: str) -> str:
    """The host in small letters; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def at_home(url: str) -> bool:
    """Whether ``url`` is the operator's machine or network by what it says."""
    host = host_of(url)
    try:
        return is_home(host)
    except ValueError:
        # 134744072 and 0x8080808 are IP addresses as well.
        return re.fullmatch(r"[0-9.]*|0x.*", host) is None and ("." not in host or host.endswith(HOME_ENDINGS))


def is_home(address: str) -> bool:
    """Of an IP address. :raises ValueError: it is none"""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return not found.is_global and not found.is_multicast and not found.is_unspecified


def check(url: str, named: str | None) -> None:
    """:raises ValueError: chats would go to somebody else's machine, and the operator did not name it"""
    host = host_of(url)
    if not host:
        raise ValueError("url has no host in it")
    if at_home(url):
        if named is not None:
            raise ValueError("cloud names a server that is somebody else's, and url is one of your own network")
        return
    if named is None or named.lower().rstrip(".") != host:
        # Do not repeat the URL: a key may stand in it by mistake.
        raise ValueError(
            "url is somebody else's machine: what people say would leave yours. To allow that, name its host as cloud"
        )
    if not url.startswith("https://"):
        raise ValueError("url of somebody else's machine has to begin with https://")
