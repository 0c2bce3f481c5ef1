"""What is said to a sweep that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..language.option_table import OPTIONS, SWEEP
from ..language.sweeps import LORA, MOST_VALUES, WORDS
from .escape import code
from .jobs import typed

if TYPE_CHECKING:
    from ..language.problems import UsageProblem

EXAMPLES = {
    "cfg": "cfg 4..16", "steps": "steps 10,20,40", "seed": "seed 1..4", "sampler": "sampler euler a, unipc",
    "model": "model ssd-1b, sdxl-turbo", "strength": "strength 0.4..0.8", "style": "style watercolor, pixel art",
    "size": "size 512x768, 768x512", LORA: "lora penguin 0.2..1", "variation": "variation 0.1..0.5",
    "hires": "hires 0.3..0.6", "clip-skip": "clip-skip 1,2", WORDS: 'words "cowboy hat|crown|no hat"',
}  # fmt: skip
"""What is typed to sweep over each setting."""
_TAKES = {
    LORA: "the weight of a LoRA is a number from -4 to 4",
    "variation": "how much is varied is a number above 0 and up to 1",
    "hires": "how much a second pass changes is a number above 0 and up to 1",
}


def axes() -> str:
    """Every setting, as code."""
    return ", ".join(code(name) for name in SWEEP.kinds)


def sweep_lines() -> str:
    """Every setting in one line."""
    return "\n".join(f"- {code(EXAMPLES[name])}" for name in SWEEP.kinds)


def sweep_problem(problem: UsageProblem, prefix: str) -> str:
    """What to type instead."""
    name = problem.flag
    example = code(typed(prefix, f"sweep {EXAMPLES.get(name, EXAMPLES['cfg'])}"))
    match problem.code:
        case "sweep_nothing":
            return (
                f"A sweep takes a setting and its values: {example}, or two of them: "
                f"{code(typed(prefix, 'sweep cfg 4..16 steps 10,20,40'))}. The settings are {axes()}."
            )
        case "sweep_axis":
            meant = " or ".join(code(one) for one in problem.near)
            said = f"I cannot sweep over {code(name)}."
            return f"{said} Did you mean {meant}?" if meant else f"{said} The settings are {axes()}."
        case "sweep_axes":
            return f"A sweep has one setting or two, as {code(typed(prefix, 'sweep cfg 4..16 steps 10,20,40'))}."
        case "sweep_twice":
            return f"Both directions of that sweep are about {code(name)}. Please keep one of them."
        case "sweep_many":
            return f"That makes more than {MOST_VALUES} values of {code(name)}. Please ask for fewer: {example}."
        case "sweep_value":
            value = next(iter(problem.near), "")
            return f"{code(value)} is no value of {code(name)}{_takes(name)}. For example {example}."
    return f"A sweep over {code(name)} takes at least two values: {example}."


def _takes(name: str) -> str:
    if name in _TAKES:
        return f": {_TAKES[name]}"
    taken = next((option.takes for option in OPTIONS if option.name == name), "")
    return f", which takes {taken}" if taken and len(taken) < 40 else ""
