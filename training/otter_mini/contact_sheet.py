"""Labelled sheets of pictures for the model card: what the model draws, and what each control does to a picture."""

from __future__ import annotations

import argparse
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .model_arguments import add_model_arguments
from .scenes import HELD_OUT_SUBJECT

if TYPE_CHECKING:
    from .judge import Pixels
    from .pictures import Painter

Cell = tuple["Pixels", str]
"""A picture H×W×3 and its caption."""

LIMIT = 400_000
"""Bytes of a sheet, which stays in the repository's history."""
SIDE = 128
"""Of a picture on a sheet; ``strips_of`` takes another."""
LETTERS = 10
GAP = 4
PAPER, INK = (255, 255, 255), (40, 40, 40)

PROMPTS = (
    "otter, cowboy hat, beach",
    "otter, cowboy hat, denim jacket, city",
    "owl, headphones, hoodie, sunset",
    "cat, wizard hat, robe, night sky",
    "fox, crown, forest",
    "rabbit, glasses, book, watercolor",
    "robot, red scarf, guitar, space",
    "otter, crown, pencil drawing",
    "panda, top hat, suit, city, oil painting",
    "dog, holding a pizza, kitchen",
    "penguin, bow tie, yellow umbrella, city, night",
    "bear, blue scarf, red hoodie, snow, pixel art",
)
SAME = "otter, cowboy hat, beach"


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("sheet", help="draw the model card's pictures")
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for sheet.png and controls.png")
    parser.add_argument("--prompts", nargs="+", default=list(PROMPTS))
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--inversion", type=Path)
    parser.add_argument("--token", default="ottoline")
    parser.set_defaults(run=run, seeds=4)


def run(args: argparse.Namespace) -> int:
    """:returns: 0"""
    from .pictures import Painter

    painter = Painter(args.model, steps=args.steps, guidance=args.guidance, batch=args.batch, bf16=args.bf16)
    seeds = range(args.seeds)
    args.out.mkdir(parents=True, exist_ok=True)
    # Two prompts per row: a sheet wider than high fits a page.
    rows = [[(picture, prompt) for picture in painter.plain(prompt, seeds)] for prompt in args.prompts]
    sheet = sheet_of([cell for row in rows for cell in row], columns=2 * args.seeds, side=painter.size)
    write_png(sheet, args.out / "sheet.png")
    strips = control_strips(painter, seeds, lora=args.lora, inversion=args.inversion, token=args.token)
    write_png(strips_of(strips), args.out / "controls.png")
    for name in ("sheet.png", "controls.png"):
        print(f"{args.out / name}: {(args.out / name).stat().st_size / 1000:.0f} kB")
    return 0


def control_strips(
    painter: Painter, seeds: Sequence[int], *, lora: Path | None, inversion: Path | None, token: str
) -> list[list[Cell]]:
    """A strip for each control, all of one seed; without those whose file is missing."""
    from otterbot_worker.sampling.samplers import SAMPLERS

    seed = [seeds[0]]

    def one(prompt: str, label: str, **settings: Any) -> Cell:
        return painter.worded(prompt, seed, **settings)[0], label

    marks = ("({})----", "({})--", "{}", "({})++", "({})++++")
    words = [mark.format("cowboy hat") for mark in marks]
    source = painter.worded("cat, top hat, city", seed)
    strengths = (0.2, 0.4, 0.6, 0.8, 0.95)
    strips = [
        [one(f"otter, {text}, beach", text) for text in words],
        [one(f"otter, {text}, crown, forest", f"{text}, crown") for text in words],
        [
            one(SAME, SAME),
            one(SAME, "--no cowboy hat", negative="cowboy hat"),
            one(SAME, "--no beach", negative="beach"),
            one("otter, hat, beach", "otter, hat, beach"),
            one("otter, hat, beach", "--no cowboy hat", negative="cowboy hat"),
        ],
        [(source[0], "cat, top hat, city"), *_over(painter, source, "fox, top hat, snow", seed, strengths)],
        [one(SAME, f"{steps} steps", steps=steps) for steps in (4, 8, 20, 50)],
        [one(SAME, f"CFG {guidance:g}", guidance=guidance) for guidance in (1.5, 3.0, 5.0, 8.0, 12.0)],
    ]
    names = list(SAMPLERS)
    strips += [[one(SAME, name, sampler=name) for name in names[at : at + 6]] for at in range(0, len(names), 6)]
    if lora is not None and lora.is_file():
        strips.append([_with_lora(painter, lora, weight, seed) for weight in (0.0, 0.25, 0.5, 0.75, 1.0)])
    if inversion is not None and inversion.is_file():
        strips.append([one(f"{token}, beach", f"{token}, without its file")])
        painter.learn(inversion, token)
        texts = (f"({token})--, beach", f"{token}, beach", f"({token})++, beach", f"{token}, snow, watercolor")
        strips[-1] += [one(text, text) for text in texts]
    return strips


def sheet_of(cells: Sequence[Cell], *, columns: int, side: int = SIDE) -> Image.Image:
    """Pictures in rows, each with its caption."""
    return strips_of([cells[at : at + columns] for at in range(0, len(cells), columns)], side=side)


def strips_of(strips: Sequence[Sequence[Cell]], *, side: int = SIDE) -> Image.Image:
    """Rows of any length, pictures of ``side`` pixels. Captions are cut after three lines."""
    columns = max(len(strip) for strip in strips)
    font = ImageFont.load_default(size=LETTERS)
    words = [[_wrapped(label, side) for _, label in strip] for strip in strips]
    heights = [side + (LETTERS + 2) * max(text.count("\n") + 1 for text in row) + 2 * GAP for row in words]
    sheet = Image.new("RGB", (columns * (side + GAP) + GAP, sum(heights) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for strip, row, height in zip(strips, words, heights, strict=True):
        for column, ((picture, _), text) in enumerate(zip(strip, row, strict=True)):
            left = GAP + column * (side + GAP)
            sheet.paste(_fitted(picture, side), (left, top))
            pen.multiline_text((left, top + side + 1), text, fill=INK, font=font, spacing=1)
        top += height
    return sheet


def write_png(sheet: Image.Image, path: Path, *, limit: int = LIMIT) -> None:
    """In full colour where that fits into ``limit`` bytes, else with as many colours as do.

    :raises ValueError: not even sixteen do
    """
    for colours in (None, 256, 192, 128, 96, 64, 48, 32, 16):
        picture = sheet if colours is None else sheet.quantize(colours, dither=Image.Dither.NONE)
        file = io.BytesIO()
        picture.save(file, "PNG", optimize=True)
        if file.tell() <= limit:
            path.write_bytes(file.getvalue())
            return
    raise ValueError(f"{path.name} does not fit into {limit} bytes")


def _over(painter: Painter, source: Pixels, prompt: str, seed: Sequence[int], strengths: Sequence[float]) -> list[Cell]:
    return [
        (painter.over(source, prompt, seed, strength=strength)[0], f"{prompt}; strength {strength}")
        for strength in strengths
    ]


def _with_lora(painter: Painter, path: Path, weight: float, seed: Sequence[int]) -> Cell:
    text = f"{HELD_OUT_SUBJECT}, cowboy hat, snow"
    with painter.lora(path, weight):
        return painter.worded(text, seed)[0], f"{text}; LoRA {weight}"


def _fitted(picture: Pixels, side: int) -> Image.Image:
    image = Image.fromarray(np.asarray(picture))
    return image if image.size == (side, side) else image.resize((side, side), Image.Resampling.LANCZOS)


def _wrapped(label: str, side: int) -> str:
    return "\n".join(textwrap.wrap(label, side * 2 // LETTERS, max_lines=3, placeholder=" …") or [""])
