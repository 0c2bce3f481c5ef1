"""What ``--explain`` answers: the pieces of a prompt with their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chance import may_come
from .escape import plain
from .jobs import plain_sentence

if TYPE_CHECKING:
    from ..worker.info import Explained, ExplainedPrompt

MAX_OUTCOME = 1_000
"""Characters of an outcome."""
MAX_FRAGMENTS = 40
"""How many pieces of a prompt are shown."""

EXPLAIN_AWAY = "The worker is off, and only it knows how prompts are read. Please ask again when it is on."
EXPLAIN_UNKNOWN = "The worker is too old to explain prompts; the operator can update it."
EXPLAIN_REFUSED = "The worker would not explain this prompt."


EXPANDED_LATER = "With `--expand` a language model adds to this before it is drawn. All of your words stay."


def explained(found: Explained, *, expands: bool = False, seed: int | None = None) -> str:
    """Markdown; the words of the prompt are shown as they are. ``expands``: a language model will write more;
    ``seed``: what was drawn by chance was drawn by it."""
    parts = [*_chance(found.prompt, seed), "I read it so:", _prompt(found.prompt), EXPANDED_LATER if expands else ""]
    if found.negative_prompt is not None:
        heading = "And what should not be in it:"
        parts += [heading, *_chance(found.negative_prompt, seed), _prompt(found.negative_prompt)]
    return "\n\n".join(part for part in parts if part)


def _chance(found: ExplainedPrompt, seed: int | None) -> list[str]:
    """What may come, and one outcome."""
    if found.drawn is None:
        return []
    by = "" if seed is None else f" with the seed {seed}"
    may = "\n".join(f"- {may_come(one)}" for one in found.chance[:MAX_FRAGMENTS])
    return ["By chance:", may, f"For example{by}: “{plain(found.drawn, MAX_OUTCOME)}”."]


def _prompt(found: ExplainedPrompt) -> str:
    lines = []
    before = (0, 0)
    if found.kind != "plain" and found.part_weights:
        lines.append(_part(found, 0))
    said = [fragment for fragment in found.fragments if fragment.text.strip(" ,")]
    for fragment in said[:MAX_FRAGMENTS]:
        if fragment.part != before[0]:
            lines.append(_part(found, fragment.part))
        elif fragment.chunk != before[1]:
            lines.append("- *a new chunk*")
        before = (fragment.part, fragment.chunk)
        weight = "" if fragment.weight == 1 else f" × {fragment.weight:.4g}"
        lines.append(f"- “{plain(fragment.text.strip(), 300)}”{weight}")
    if len(said) > MAX_FRAGMENTS:
        lines.append(f"- and {len(said) - MAX_FRAGMENTS} more")
    if not said:
        lines.append("- *no words*")
    lines += [f"- the LoRA {plain(lora.name)} × {lora.weight:.4g}" for lora in found.loras]
    return "\n".join(lines + [f"- {plain_sentence(note)}" for note in found.notes])


def _part(found: ExplainedPrompt, number: int) -> str:
    weight = found.part_weights[number] if number < len(found.part_weights) else 1.0
    return f"- *part {number + 1} of* {plain('.' + found.kind + '()', 20)} × {weight:.4g}"
