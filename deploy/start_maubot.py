"""Starts Maubot in a container: at the first start it writes ``config.yaml``, afterwards that file is the operator's.

Needs ``MAUBOT_ADMIN_PASSWORD`` at the first start (the user is ``admin``; Maubot keeps only a hash of it), and takes
``MAUBOT_HOMESERVER`` with ``MAUBOT_HOMESERVER_URL``, the server that ``mbc auth`` shall find.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "[%(asctime)s] [%(levelname)s@%(name)s] %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"maubot": {"level": "INFO"}, "mau": {"level": "INFO"}, "aiohttp": {"level": "WARNING"}},
    "root": {"level": "INFO", "handlers": ["console"]},
}
"""To the container's log alone, and without Maubot's debugging level."""


def first_config(environ: dict[str, str], packed: str) -> dict[str, Any]:
    """What Maubot begins with; it adds what is missing. ``packed``: the folder with the plugin."""
    password = environ.get("MAUBOT_ADMIN_PASSWORD", "")
    if len(password) < 8:
        raise SystemExit("MAUBOT_ADMIN_PASSWORD has to have at least 8 characters at the first start")
    config: dict[str, Any] = {
        "database": "sqlite:maubot.db",
        "plugin_directories": {"upload": "./plugins", "load": ["./plugins", packed], "trash": "./trash"},
        "plugin_databases": {"sqlite": "./dbs"},
        "server": {"hostname": "0.0.0.0", "port": int(environ.get("MAUBOT_PORT", "29316"))},
        "admins": {"admin": password},
        "logging": LOGGING,
    }
    if name := environ.get("MAUBOT_HOMESERVER"):
        url = environ.get("MAUBOT_HOMESERVER_URL") or f"https://{name}"
        config["homeservers"] = {name: {"url": url, "secret": None}}
    return config


def main() -> None:
    os.umask(0o077)
    data = Path(os.environ["MAUBOT_DATA"])
    path = data / "config.yaml"
    for folder in ("plugins", "trash", "dbs"):
        (data / folder).mkdir(exist_ok=True)
    if not path.exists():
        # JSON is YAML. Renamed, so that a start that is interrupted leaves no half a file.
        text = json.dumps(first_config(dict(os.environ), os.environ["MAUBOT_PLUGINS"]), indent=4)
        path.with_suffix(".new").write_text(text + "\n", "utf-8")
        path.with_suffix(".new").replace(path)
    os.chdir(data)
    os.execv(sys.executable, [sys.executable, "-m", "maubot", "-c", str(path)])


if __name__ == "__main__":
    main()
