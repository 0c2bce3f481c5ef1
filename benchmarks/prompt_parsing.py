"""What the prompt parser costs per kilobyte, beside compel's own parser where that one comes to an end.

    PYTHONPATH=worker python benchmarks/prompt_parsing.py [--patience 10]

CPU seconds, the best of some runs. compel's parser works in a process of its own and is ended after ``--patience``
seconds: on nested brackets its time doubles and more with every bracket. Both get the same text; they do not read
the same out of it, as compel's knows nothing of A1111's notation.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from otterbot_worker.prompts import read

CASES = {
    "plain prose": "an otter in a cowboy hat, sitting by the river at sunset. ",
    "compel's weights": "an (otter)++ in a cowboy-- hat, (by the river)1.3, sunset. ",
    "A1111's weights": "an (otter:1.2) in a ((cowboy)) [hat], (by the river:0.8), sunset. ",
    "AND, BREAK, schedules": "an otter AND a hat BREAK [river:sea:0.5], [a|b], sunset. ",
    "brackets that stay open": "(otter [hat ",
    "emoji": "💚🦦 ",
}
NESTED = (3, 5, 7, 300)
SIZES = (1_000, 16_000, 64_000)


def best(parse: Callable[[str], object], prompt: str, runs: int) -> float:
    found = float("inf")
    for _ in range(runs):
        started = time.process_time()
        parse(prompt)
        found = min(found, time.process_time() - started)
    return found


def _theirs(prompt: str, answer: Connection) -> None:
    from compel.prompt_parser import PromptParser

    try:
        answer.send(best(PromptParser().parse_conjunction, prompt, 1))
    except Exception as error:
        answer.send(type(error).__name__)


def theirs(prompt: str, patience: float) -> float | str:
    """Seconds, or what came instead of an end."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_theirs, args=(prompt, sending), daemon=True)
    process.start()
    sending.close()
    try:
        if not receiving.poll(patience):
            return f"> {patience:g} s"
        answer: float | str = receiving.recv()
        return answer
    except EOFError:
        return "it died"
    finally:
        process.kill()
        process.join()


def shown(seconds: float | str, kilobytes: float) -> str:
    return seconds if isinstance(seconds, str) else f"{seconds / kilobytes * 1e3:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patience", type=float, default=10.0)
    patience = parser.parse_args().patience
    import compel.prompt_parser  # noqa: F401  # once, before the processes are forked

    print(f"{'ms per kB':<28}{'':>10}{'ours':>12}{'compel':>14}")
    for name, unit in CASES.items():
        for size in SIZES:
            prompt = unit * (size // len(unit.encode()))
            kilobytes = len(prompt.encode()) / 1000
            other = theirs(prompt, patience) if size == SIZES[0] else ""
            label = name if size == SIZES[0] else ""
            ours = shown(best(read, prompt, 5), kilobytes)
            print(f"{label:<28}{kilobytes:>7.0f} kB{ours:>12}{shown(other, kilobytes):>14}", flush=True)
    print(f"\n{'ms in all':<28}{'':>10}{'ours':>12}{'compel':>14}")
    for depth in NESTED:
        prompt = "(" * depth + "otter" + ")" * depth
        ours = shown(best(read, prompt, 5), 1)
        print(f"{'nested brackets':<28}{depth:>10}{ours:>12}{shown(theirs(prompt, patience), 1):>14}", flush=True)


if __name__ == "__main__":
    main()
