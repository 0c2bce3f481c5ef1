"""Writes the model card: what the model knows, how it was made, how good it is, and where it ends.

The figures come from the JSON files of ``evaluate`` and ``controls``; a table whose file is missing is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import card_negatives
from .controls import NAMES
from .drawing_defaults import GUIDANCE, STEPS
from .evaluate import weights_of
from .model_folder import side_of
from .outcome import FEW_SEEDS
from .scenes import (
    ANIMALS,
    COLOURED,
    COLOURS,
    FACES,
    HATS,
    HELD_OUT,
    ITEMS,
    NECKS,
    OUTDOORS,
    OUTFITS,
    PLACES,
    QUESTIONS,
    STYLES,
)
from .tables import markdown
from .vocabulary import SYNONYMS

FRONT = """---
license: mit
language: en
library_name: diffusers
pipeline_tag: text-to-image
tags:
- stable-diffusion
- text-to-image
- tiny
inference: false
---
"""
LICENCE = """## Licence

MIT, as Otterbot's. All training pictures were drawn by the program in `training/`; no pictures and no weights of others
went into it.
"""
FIRST = Path(__file__).with_name("first_edition.json")
"""Figures of the first edition, to be shown beside those of the model."""
FOLDERS = {"unet": "UNet", "vae": "VAE", "text_encoder": "text encoder"}


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("card", help="write the model card")
    parser.add_argument("--model", type=Path, required=True, help="the pipeline's folder; README.md is written there")
    parser.add_argument("--evaluation", type=Path, help="the JSON file of evaluate")
    parser.add_argument("--controls", type=Path, help="the JSON file of controls")
    parser.add_argument("--negatives", type=Path, help="the JSON file of evaluate-negatives")
    parser.add_argument("--first-negatives", type=Path, help="that of the first edition, to stand beside")
    parser.add_argument("--agreement", type=Path, help="the JSON file of agreement")
    parser.add_argument("--minutes", type=float, help="how long the training took on two cores")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """:returns: 0; 1 where figures belong to other weights than those in the folder; then no card is written"""
    evaluation, controls = _read(args.evaluation), _read(args.controls)
    negatives, agreement = _read(args.negatives), _read(args.agreement)
    if strange := foreign(args.model, evaluation, {**controls, "negatives": negatives, "agreement": agreement}):
        print(f"Measured with other weights than those in {args.model}: {', '.join(strange)}. Measure again.")
        return 1
    text = card(
        args.model,
        evaluation=evaluation,
        controls=controls,
        negatives=negatives,
        agreement=agreement,
        judge=_judge_accuracies(),
        first={**json.loads(FIRST.read_text(encoding="utf-8")), "negatives": _read(args.first_negatives)},
        minutes=args.minutes,
    )
    path: Path = args.model / "README.md"
    path.write_text(text)
    print(path)
    return 0


def foreign(model: Path, evaluation: Mapping[str, Any], controls: Mapping[str, Any]) -> list[str]:
    """The names of figures that belong to other weights."""
    here = weights_of(model)
    figures = {**controls, "evaluation": evaluation}
    return [name for name, figure in figures.items() if figure and figure.get("weights") != here]


def card(
    model: Path,
    *,
    evaluation: Mapping[str, Any],
    controls: Mapping[str, Any],
    judge: Mapping[str, Mapping[str, float]],
    minutes: float | None,
    negatives: Mapping[str, Any] | None = None,
    agreement: Mapping[str, Any] | None = None,
    first: Mapping[str, Any] | None = None,
) -> str:
    """The card's text. Only reads the model's sizes and configuration. ``first``: figures of the first edition."""
    before = first or {}
    parts = [
        FRONT,
        _beginning(model),
        _knows(),
        _training(model, minutes),
        _evaluation(evaluation, before.get("evaluation", {})) if evaluation else "",
        _judge(judge) if judge else "",
        card_negatives.agreement(agreement) if agreement else "",
        card_negatives.negatives(negatives, before.get("negatives", {}), sheet=_has(model, "negatives.png"))
        if negatives
        else "",
        _controls(controls, picture=(model / "controls.png").is_file()) if controls else "",
        _limits(side_of(model)),
        LICENCE,
    ]
    return "\n".join(part for part in parts if part)


def _beginning(model: Path) -> str:
    side = side_of(model)
    picture = "![Pictures of the model, several seeds of each prompt](sheet.png)\n" if _has(model, "sheet.png") else ""
    return f"""# otter-mini

A very small Stable Diffusion that draws animals in clothes, {size_of(model) / 1e6:.0f} MB in all. It ships with
Otterbot, so that the bot draws something worth looking at on a computer without a graphics card and without a
download, and so that tests can see whether prompts, weights, LoRAs and seeds act.

{picture}
```python
from diffusers import StableDiffusionPipeline

pipe = StableDiffusionPipeline.from_pretrained("otter-mini")
pipe("otter, cowboy hat, beach", num_inference_steps={STEPS}, guidance_scale={GUIDANCE}).images[0].save("otter.png")
```

{side}×{side} pixels, {STEPS} steps, a CFG of {GUIDANCE:g}.
"""


def _knows() -> str:
    rows = [
        ("animals", ANIMALS),
        ("hats", HATS),
        ("outfits", OUTFITS),
        ("places", PLACES),
        ("styles", STYLES),
        ("on the nose", FACES),
        ("at the neck", NECKS),
        ("held in a hand", ITEMS),
    ]
    table = "\n".join(f"| {name} | {', '.join(values)} |" for name, values in rows)
    coloured = [f"{thing}s" for things in COLOURED.values() for thing in things]
    plural = ", ".join(coloured[:-1]) + f" and {coloured[-1]}"
    synonyms = ", ".join(dict.fromkeys(SYNONYMS[word][-1] for word in ("rabbit", "cowboy hat", "city", "pixel art")))
    return f"""## What it knows

| | |
|---|---|
{table}

{plural[0].upper() + plural[1:]} come in {", ".join(COLOURS[:-1])} and {COLOURS[-1]},
each in its own: "red scarf, blue hoodie". With {", ".join(OUTDOORS[:-1])} and {OUTDOORS[-1]} it is day, or "night".
The words may stand in any order, as a list or in a short sentence; common synonyms ({synonyms}
…) mean the same. It was taught that what is not named is not there: without a place the background is plain, without a
style it is a cartoon. Words without a meaning for it were mixed in.
"""


def _training(model: Path, minutes: float | None) -> str:
    sizes = ", ".join(f"{what} {count / 1e6:.1f} M" for what, count in parameters_of(model).items())
    took = f" It took {minutes:.0f} minutes on two cores." if minutes else ""
    sized = f" Parameters: {sizes}." if sizes else ""
    return f"""## How it was trained

By `python -m otter_mini train` in this repository's `training/`, from the weights of the first edition, which had begun
with nothing: a program draws scenes, and a VAE, a CLIP text encoder and a UNet (v-prediction) learn from the drawings
and their captions.{took}{sized} The same seed
gives the same weights on the same machine. {len(HELD_OUT)} combinations of animal, hat and outfit were kept from it
for the figures below.
"""


def _evaluation(report: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    rows = [
        {
            "": question.replace("_", " "),
            "named: present": _percent(report["named"].get(question)),
            "not named: absent": _percent(report["unnamed"].get(question)),
            "weakest": _weakest(report["values"].get(question, {})),
            **({"first edition": _both(first, question)} if first else {}),
        }
        for question in QUESTIONS
    ]
    beside = " The first edition's figures are of its own 40 combinations, at 20 steps." if first else ""
    worst = sorted(report["combinations"], key=lambda row: float(row["everything_percent"]))[:5]
    weak = "\n".join(f"- {row['prompt']}: {row['everything_percent']:.0f} %" for row in worst)
    return f"""## How good it is

{len(HELD_OUT)} combinations that training never saw together, {report["seeds"]} seeds each, {report["steps"]} steps,
CFG {report["guidance"]:g}, {report["scheduler"]}; judged by a small classifier that was trained on drawings only
(`python -m otter_mini evaluate`).

{markdown(rows)}

A value counts as present where the classifier gives it more than all others of its kind together. It knows whether a
picture looks like the program's drawing of that thing, and whether it is spoilt as the program spoils drawings; whether
the picture is a good one, only eyes can say. "Spoilt: absent" is the share of pictures that are not.{beside}

All that was named is to be seen in {report["all_named_percent"]:.1f} % of the pictures, and nothing else besides in
{report["everything_percent"]:.1f} %. The weakest combinations, by pictures in which everything is right:

{weak}
"""


def _judge(accuracies: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        {"fresh drawings": kind, **{c: f"{percent:.1f} %" for c, percent in figures.items()}}
        for kind, figures in accuracies.items()
    ]
    return f"""The judge itself is right on drawings that it has never seen in:

{markdown(rows)}
"""


def _controls(report: Mapping[str, Any], *, picture: bool) -> str:
    parts = ["## Controls\n", "Each over the same seeds with it and without it (`python -m otter_mini controls`).\n"]
    if picture:
        parts.append("![One seed with each control](controls.png)\n")
    for name in NAMES:
        if outcome := report.get(name):
            verdict = "holds" if outcome["holds"] else "**does not hold**"
            parts.append(f"### {outcome['title']}\n\nWanted: {outcome['wanted']}. This {verdict}.\n")
            parts.append(_seeds(name, outcome))
            parts.append(markdown(outcome["rows"]) + "\n")
    return "\n".join(part for part in parts if part)


def _seeds(name: str, outcome: Mapping[str, Any]) -> str:
    """The number of seeds: fewer for settings, which are many and tried on eight prompts."""
    if name == "same_bytes":
        return ""
    if name in ("guidance", "steps", "enough", "samplers"):
        return f"{min(outcome['seeds'], FEW_SEEDS)} seeds of each of eight prompts.\n"
    return f"{outcome['seeds']} seeds.\n"


def _limits(side: int) -> str:
    return f"""## Limits

- It knows the words above and nothing else; other animals and things come out as one of these or not at all.
- One animal in a picture, from the front, in about the middle. No numbers, no "left of", no writing.
- {side}×{side}. Other sizes were not trained: animals are repeated or cut off.
- It is a toy and a test object. Who has a graphics card should let the bot draw with a real model.
"""


def size_of(model: Path) -> int:
    """Bytes of all files in the folder."""
    return sum(path.stat().st_size for path in model.rglob("*") if path.is_file())


def parameters_of(model: Path) -> dict[str, int]:
    """Parameters by part, read from the heads of the safetensors files: eight bytes of length, then JSON."""
    counts: dict[str, int] = {}
    for folder, what in FOLDERS.items():
        for path in sorted((model / folder).glob("*.safetensors")):
            with path.open("rb") as file:
                head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            shapes = [entry["shape"] for name, entry in head.items() if name != "__metadata__"]
            counts[what] = counts.get(what, 0) + sum(_product(shape) for shape in shapes)
    return counts


def _percent(figure: Mapping[str, Any] | None) -> str:
    return f"{figure['percent']:.1f} %" if figure else "–"


def _both(first: Mapping[str, Any], question: str) -> str:
    """Named and unnamed in one cell."""
    figures = [first.get(kind, {}).get(question) for kind in ("named", "unnamed")]
    return " / ".join("–" if figure is None else f"{figure:.1f} %" for figure in figures) if any(figures) else ""


def _weakest(values: Mapping[str, Mapping[str, Any]]) -> str:
    if not values:
        return ""
    name = min(values, key=lambda value: float(values[value]["percent"]))
    return f"{name} {values[name]['percent']:.0f} %"


def _product(shape: Sequence[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def _has(model: Path, name: str) -> bool:
    return (model / name).is_file()


def _read(path: Path | None) -> dict[str, Any]:
    """:raises FileNotFoundError: a file that was named is not there"""
    return {} if path is None else dict(json.loads(path.read_text()))


def _judge_accuracies() -> dict[str, dict[str, float]]:
    from .judge import WEIGHTS, metadata

    return dict(json.loads(metadata().get("accuracies", "{}"))) if WEIGHTS.is_file() else {}
