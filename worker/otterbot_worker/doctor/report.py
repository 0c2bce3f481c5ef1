"""What the doctor finds: printed as it goes, kept for ``--json``, and summed up in a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .. import terminal

Level = Literal["ok", "note", "fail"]
"""``note``: it works, and could be better."""
Verdict = Literal["well", "slow", "wrong"]

WORDS: dict[Level, str] = {"ok": "ok", "note": "note", "fail": "FAIL"}
SLOW = {"card.none": "no CUDA card can be used", "card.off": "gpu.device is cpu"}
"""Findings after which the processor draws, with the reason in words."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """``code`` is stable, for programs; ``text`` is for people and may change."""

    code: str
    level: Level
    text: str


class Report:
    def __init__(self, *, quiet: bool = False) -> None:
        """``quiet``: print nothing as it goes, for ``--json``."""
        self._quiet = quiet
        self.findings: list[Finding] = []

    def ok(self, code: str, text: str) -> None:
        self.add(Finding(code=code, level="ok", text=text))

    def note(self, code: str, text: str) -> None:
        self.add(Finding(code=code, level="note", text=text))

    def fail(self, code: str, text: str) -> None:
        self.add(Finding(code=code, level="fail", text=text))

    def add(self, finding: Finding) -> None:
        """Control characters are shown as numbers: file names may contain them."""
        self.findings.append(finding)
        if not self._quiet:
            print(f"{WORDS[finding.level]:<4}  {terminal.visible(finding.text)}", flush=True)

    @property
    def failed(self) -> bool:
        return any(finding.level == "fail" for finding in self.findings)

    @property
    def verdict(self) -> Verdict:
        if self.failed:
            return "wrong"
        return "slow" if self._slow() is not None else "well"

    @property
    def sentence(self) -> str:
        """The last line."""
        if self.failed:
            return "Something is wrong; see the lines with FAIL."
        if (why := self._slow()) is not None:
            return f"It works, but draws on the processor, slow: {why}."
        return "All is well."

    @property
    def exit_code(self) -> int:
        return int(self.failed)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "findings": [asdict(finding) for finding in self.findings],
        }

    def take(self, findings: Iterable[dict[str, Any]]) -> None:
        """What another process has found."""
        for fields in findings:
            self.add(Finding(**fields))

    def _slow(self) -> str | None:
        return next((SLOW[finding.code] for finding in self.findings if finding.code in SLOW), None)
