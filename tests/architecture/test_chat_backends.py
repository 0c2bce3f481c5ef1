"""Only ``chat/``, the configuration and who writes it name a chat backend: whoever chats knows the protocol alone.

So another backend touches a package of its own, `chat.backends` and the configuration, and nothing that runs turns.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WORKER = Path(__file__).resolve().parents[2] / "worker" / "otterbot_worker"
CHAT = WORKER / "chat"
CHOOSES = {"config.py", "chat/backends.py"}
"""Where backends are named and one of them is chosen."""
INSTALLS = "setup/"
"""Asks an operator for the configuration, in which Ollama's address stands."""

API_NAMES = {
    "api/compat/results.py": {"ollama_unreachable"},
    "api/routes_info.py": {"ollama"},
    "chat/failures.py": {"ollama_unreachable"},
    "schemas/jobs.py": {"ollama_unreachable"},
    "schemas/listings.py": {"ollama"},
}
"""Fields and codes of the public API, which are a contract and mean whichever backend there is."""


def sources() -> list[Path]:
    own = [path.parent for path in CHAT.glob("*/__init__.py")]
    return [path for path in sorted(WORKER.rglob("*.py")) if path.parent not in own]


def name(path: Path) -> str:
    return path.relative_to(WORKER).as_posix()


@pytest.mark.parametrize("path", sources(), ids=name)
def test_only_the_api_names_a_backend(path: Path) -> None:
    if name(path) in CHOOSES or name(path).startswith(INSTALLS):
        return
    found = set(re.findall(r"\w*ollama\w*", path.read_text("utf-8"), re.IGNORECASE))
    assert found == API_NAMES.get(name(path), set())
