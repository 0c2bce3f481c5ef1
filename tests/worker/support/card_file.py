"""A shared card in a file, for a GPU process that is a double: what Ollama says that it has, nobody else has free."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

CONTEXT = 300_000_000
"""What a GPU process has from its start."""
RESERVE = 500_000_000


def lay(folder: Path, url: str, *, weights: int, peak: int, total: int = 8 * 10**9, others: int = 0) -> None:
    """Beside the lock. Pictures take ``weights`` and ``peak`` bytes, as estimated; ``url``: of the Ollama double."""
    (folder / "cuda").touch()
    account = {"total": total, "others": others, "weights": weights, "peak": peak, "ollama": url}
    (folder / "card").write_text(json.dumps(account))


def held(folder: Path) -> int:
    """What the process has of it."""
    try:
        return int((folder / "held").read_text())
    except (OSError, ValueError):
        return 0


class CardFile:
    """The process's side."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._account = json.loads((folder / "card").read_text())
        self.weights, self.peak = self._account["weights"], self._account["peak"]
        self.total: int = self._account["total"]
        self.held = 0
        self.hold(0)

    def hold(self, count: int) -> None:
        self.held = count
        (self._folder / "held").write_text(str(count + CONTEXT))

    def available(self) -> int:
        """Free, and what this process would give back."""
        try:
            with urllib.request.urlopen(self._account["ollama"] + "/api/ps", timeout=5) as answer:
                used = sum(row["size_vram"] for row in json.load(answer)["models"])
        except OSError:
            used = 0  # it is gone, and what it had with it
        return int(self.total - self._account["others"] - used - CONTEXT)

    def fits(self) -> bool:
        return self.weights + self.peak + RESERVE <= self.available()
