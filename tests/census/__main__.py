"""``scripts/census take OUT.json`` and ``scripts/census compare BEFORE.json AFTER.json``."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import compare


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    return int(asked.run(asked))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/census", description="What the program does, to be compared.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    take = commands.add_parser("take", help="write down what the program of this repository does")
    take.add_argument("out", type=Path, metavar="OUT.json", help="pictures go into the folder OUT.pictures beside it")
    take.add_argument("--worker-only", action="store_true", help="no homeserver, no Maubot, no rooms")
    about = "of the worker only the pictures whose names hold that, as `hires`; compare them with --partly"
    take.add_argument("--only", metavar="WORDS", help=about)
    take.add_argument("--rooms-only", action="store_true", help="nothing but the rooms")
    about = "where the models are, made there if they are not; by default made anew and thrown away"
    take.add_argument("--files", type=Path, metavar="DIR", help=about)
    take.set_defaults(run=_take)
    kept = commands.add_parser(
        "keep", help="make a queue, an archive and a plugin's database for the tests of later ones"
    )
    kept.add_argument("target", type=Path, metavar="DIR", help="tests/old/… ; must not be there yet")
    kept.set_defaults(run=_keep)
    two = commands.add_parser("compare", help="say whether two censuses are equal; exit code 1 if they are not")
    two.add_argument("before", type=Path, metavar="BEFORE.json")
    two.add_argument("after", type=Path, metavar="AFTER.json")
    about = "lines `/path: reason` for what may differ; * and ? stand for anything"
    two.add_argument("--allow", type=Path, metavar="FILE", help=about)
    two.add_argument("--partly", action="store_true", help="what AFTER has not at all is not compared")
    two.set_defaults(run=_compare)
    return parser


def _pictures(out: Path) -> Path:
    return out.with_suffix(".pictures")


def _take(asked: argparse.Namespace) -> int:
    from . import taking  # with the lab's libraries, which comparing does without

    started = time.monotonic()
    _pictures(asked.out).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="census-") as scratch:
        found: dict[str, Any] = asyncio.run(
            taking.take(
                Path(scratch), asked.files or Path(scratch) / "files", _pictures(asked.out),
                worker=not asked.rooms_only, rooms=not (asked.worker_only or asked.only), only=asked.only,
            )
        )  # fmt: skip
    found["meta"] = {"seconds": round(time.monotonic() - started), "at": time.strftime("%Y-%m-%d %H:%M:%S")}
    asked.out.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    print(f"{asked.out}: taken in {found['meta']['seconds']} s")
    return 0


def _keep(asked: argparse.Namespace) -> int:
    from . import keeping

    with tempfile.TemporaryDirectory(prefix="census-") as scratch:
        asyncio.run(keeping.keep(asked.target, Path(scratch)))
    print(f"{asked.target}: {sum(path.stat().st_size for path in asked.target.rglob('*'))} bytes")
    return 0


def _compare(asked: argparse.Namespace) -> int:
    before, after = (json.loads(path.read_text()) for path in (asked.before, asked.after))
    allowed = compare.read_allowed(asked.allow.read_text()) if asked.allow else []
    found = compare.differences(before, after)
    if asked.partly:
        found = [one for one in found if one.after is not compare.ABSENT]
    left, counts = compare.sort_out(found, allowed)
    for one in left:
        print(one)
        if said := compare.about_pixels(one, _pictures(asked.before), _pictures(asked.after)):
            print(said)
    for line, count in counts.items():
        print(f"allowed: {count} at {line.pattern}: {line.reason}")
    equal = "equal but for what is allowed" if found else "equal"
    print(f"{len(left)} differences" if left else equal)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
