"""The way in for the plugin: the worker's address, its certificate, and the tokens."""

from __future__ import annotations

import os
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from .. import own_worker, privacy
from ..api import auth
from ..config import Config
from ..tokens import BadTokensFile, TokensFile
from .report import Report

ANY = ("0.0.0.0", "::")  # looked for, not bound
ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of nobody (RFC 5737, RFC 3849). Nothing is sent there."""
SOON_DAYS = 14


def check_worker(report: Report, config: Config) -> None:
    """Whether one runs, and whether the plugin would reach it."""
    try:
        where = own_worker.address(config)
    except own_worker.Refused:
        where = None
    if where is None or not own_worker.is_alive(where):
        _check_free(report, config)
        return
    try:
        info = own_worker.call(config, "GET", "/v1/info")
    except own_worker.WrongToken:
        report.fail("token.unknown", f"the worker at {where} does not know the token in its file: start it again")
    except own_worker.Refused as refused:
        report.note("worker.unknown", f"a worker runs at {where}, and says nothing more: {refused}")
    else:
        paused = ", paused" if info["pause"]["paused"] else ""
        report.ok("worker.runs", f"the worker runs at {where}{paused}; {info['queued']} wait, {info['running']} run")
    _check_reached(report, config, where)


def _check_free(report: Report, config: Config) -> None:
    """No worker runs: could it listen?"""
    host, port = config.api.host, config.api.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        report.fail("address.unknown", f"api.host: nobody knows the name {host}")
        return
    for family, kind, protocol, _, place in found:
        try:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(place)
        except OSError as error:
            said = f"no worker runs, and none could listen at {host}:{port}: {error.strerror}"
            report.fail("address.taken", f"{said} (api.host, api.port)")
            return
    how = "for this machine only" if config.api.loopback else "for other machines as well"
    report.ok("worker.none", f"no worker runs; `otterbot-worker serve` would listen at {host}:{port}, {how}")


def _check_reached(report: Report, config: Config, where: str) -> None:
    if config.api.loopback:
        said = f"the plugin reaches it at {where}, from this machine only; for a Maubot elsewhere, set api.host"
        report.ok("address.loopback", said)
        return
    scheme, _, own = where.partition("://")
    port = own.rpartition(":")[2]
    hosts = reached_at(config.api.host)
    for host in hosts:
        named = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        if own_worker.is_alive(named):
            report.ok(
                "address.reached", f"{named} answers: this is worker.url for the plugin, if no firewall is between"
            )
        else:
            report.fail("address.unreachable", f"the worker runs, but {named} does not answer")
    if not hosts:
        report.note("address.alone", "this machine has no address that others could reach")


def reached_at(host: str) -> list[str]:
    """The addresses of a worker that listens at ``host``. Every address is every one of its own kind: the server takes
    no IPv4 at ``::``."""
    if host not in ANY:
        return [host]
    return [own for own in own_addresses() if (":" in own) == (":" in host)]


def own_addresses() -> list[str]:
    """Those by which this machine speaks with others: it asks the routes, and sends nothing."""
    found = []
    for family, nobody in ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asking:
                asking.connect((nobody, 9))
                found.append(str(asking.getsockname()[0]))
        except OSError:
            continue
    return found


# ---------------------------------------------------------------- certificate


def check_tls(report: Report, config: Config) -> None:
    cert, key = config.api.tls_cert, config.api.tls_key
    if cert is None or key is None:
        if not config.api.loopback:
            report.note(
                "tls.none",
                "without TLS, tokens and pictures can be read on the network; see api.tls_cert, or use a VPN",
            )
        return
    try:
        if privacy.open_to_everybody(key):
            report.fail(
                "tls.key_open", f"everybody on this machine can read the key of the certificate: chmod 600 {key}"
            )
        found = certificate(cert, key)
    except ssl.SSLCertVerificationError as error:
        report.fail("tls.certificate", f"api.tls_cert: clients refuse it: {error.verify_message}")
        return
    except (OSError, ssl.SSLError):
        report.fail("tls.files", "api.tls_cert, api.tls_key: expected a certificate and its key as PEM files")
        return
    until = ssl.cert_time_to_seconds(found["notAfter"])
    names = ", ".join(str(value) for kind, value in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    said = f"the certificate is for {names or 'no name'}, until {time.strftime('%Y-%m-%d', time.localtime(until))}"
    (report.note if until < time.time() + SOON_DAYS * 86_400 else report.ok)("tls.certificate", said)


def certificate(cert: Path, key: Path) -> dict[str, Any]:
    """What a client is shown, from a handshake in memory.

    :raises ssl.SSLCertVerificationError: out of date, for example :raises ssl.SSLError: :raises OSError:
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(cert, key, password=lambda: "")
    client.load_verify_locations(cert)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever signed it: that is not judged here
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(ends[0].getpeercert() or {})


# ---------------------------------------------------------------- tokens


def check_tokens(report: Report, config: Config) -> None:
    for client in config.api.clients:
        path = config.token_file(client)
        try:
            found = path.stat()
            auth.read_token(path)
        except FileNotFoundError:
            report.ok("token.later", f"the token of {client} is made when the worker first starts ({path})")
            continue
        except auth.BadToken as error:
            report.fail("token.bad", str(error))
            continue
        except OSError as error:
            report.fail("token.unread", f"{path}: cannot be read ({error.strerror}); run this as the worker's user")
            continue
        if not auth.is_open(path):
            report.ok("token.closed", f"the token of {client} is in {path}, for its user alone")
        elif found.st_uid == os.geteuid():
            report.fail("token.open", f"others on this machine can read the token of {client}: chmod 600 {path}")
        else:
            report.note("token.open", f"others on this machine can read the token of {client} ({path})")


def check_other_tokens(report: Report, config: Config) -> None:
    """Those of other programs; nothing is said where there are none."""
    path = config.tokens_file
    try:
        stored = TokensFile(path).read()
        is_open = path.exists() and auth.is_open(path)
    except BadTokensFile as error:
        report.fail("tokens.bad", str(error))
        return
    if taken := sorted({entry.name for entry in stored.tokens} & set(config.api.clients)):
        said = f"these tokens have names of clients in api.clients, and open nothing: {', '.join(taken)}"
        report.fail("tokens.taken", f"{said}; revoke them (otterbot-worker token revoke NAME)")
    if is_open:
        report.note("tokens.open", f"others on this machine can read {path}; the worker closes it when it starts")
    if stored.tokens:
        count = (
            f"{len(stored.tokens)} other {'program has a token' if len(stored.tokens) == 1 else 'programs have tokens'}"
        )
        report.ok("tokens.others", f"{count}; see: otterbot-worker token list")
