"""Flags: ``otter, hat --steps 30 --no blurry`` into a typed :class:`DrawOptions`.

Pure, never raises, linear in the length of the text. A flag begins with ``--``, or with the dash
that a phone makes of it, at the start of a word. What is not a flag or its value is the prompt and
goes through unchanged; where flags stood between its parts, one space joins them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal

MAX_SEED = 2**32 - 1
STEPS = (1, 200)
GUIDANCE = (0.0, 30.0)
SIDE = (16, 4096)
COUNT = (1, 8)
STRENGTH = 1.0
"""The most; above 0."""
STEERING = 2.0
"""The most of a ControlNet's scale; from 0."""
LARGER = (1.0, 4.0)
"""How many times as large a second pass is."""
UPSCALERS = ("latent", "lanczos")
FACTORS = (2, 4)
"""Of `upscale`."""
MAX_PROMPT = 4_000
MAX_NAME = 255
MAX_KIND = 100

SHAPES = ("square", "portrait", "landscape")
SHAPE = 4
"""The longest side over the shortest one."""

FLAGS = (
    "no", "steps", "cfg", "size", "ar", *SHAPES, "seed", "variation", "model", "sampler", "count", "strength",
    "hires", "inpaint", "control", "explain",
)  # fmt: skip

BARE = ("inpaint", "explain")
"""Flags without a value."""
_NO_OPTIONS = (*BARE, "control", "upscale")
"""What the worker does not know as an option of a picture: without the picture that it is about it says nothing."""

_WORDS = (*SHAPES, "hires", "inpaint", "control")
"""Flags whose beginnings are words as well."""

SAME = "same"
RANDOM = "random"


@dataclass(frozen=True, kw_only=True)
class Variation:
    """Another seed, and how far from a picture's own towards it: above 0, up to 1."""

    seed: int | None = None
    """``None``: any."""
    strength: float


@dataclass(frozen=True, kw_only=True)
class Control:
    """How a picture steers what is drawn."""

    kind: str
    """``canny``: by its edges; else the name of a ControlNet, which takes it as it is."""
    scale: float | None = None
    """How much, from 0; ``None``: as usual, which is 1."""


@dataclass(frozen=True, kw_only=True)
class Hires:
    """A second pass: the picture so many times as large, drawn once more. ``None``: as usual."""

    scale: float
    strength: float | None = None
    """How much of it changes."""
    upscaler: str | None = None
    """One of ``UPSCALERS``."""
    steps: int | None = None
    """Known from records only."""

    def typed(self) -> dict[str, Any]:
        """With the worker's names, without what is as usual."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """What a person typed; ``None`` is "not typed"."""

    prompt: str | None = None
    negative_prompt: str | None = None
    """``""`` (typed as ``--no ""``): none at all, not even the model's own."""
    steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    height: int | None = None
    aspect: str | None = None
    """``3:2``, ``square``, ``portrait``, ``landscape``: the worker makes a size of it. Never together with a size."""
    seed: int | Literal["same", "random"] | None = None
    variation: Variation | None = None
    model: str | None = None
    sampler: str | None = None
    count: int | None = None
    strength: float | None = None
    """How much of the picture to start from changes."""
    hires: Hires | None = None
    upscale: int | None = None
    """The picture to start from, so many times as large; no flag."""
    inpaint: bool | None = None
    """Only what is transparent in the picture to start from changes."""
    control: Control | None = None
    """The picture steers what is drawn, which does not start from it then."""
    explain: bool | None = None
    """Not drawn: how the worker reads the prompt is said instead."""

    def asked(self) -> dict[str, Any]:
        """Only what was typed, with the worker's names; a seed, and a variation, only if its seed was a number."""
        typed = {name: value for name, value in vars(self).items() if value is not None and name not in _NO_OPTIONS}
        if not isinstance(self.seed, int):
            typed.pop("seed", None)
        if self.variation is not None:
            typed["variation"] = vars(self.variation)
            if self.variation.seed is None:
                del typed["variation"]
        if self.hires is not None:
            typed["hires"] = self.hires.typed()
        return typed


@dataclass(frozen=True, kw_only=True)
class UsageProblem:
    """Why what was typed cannot be used; ``texts`` makes a sentence of it."""

    code: Literal[
        "unknown_flag", "no_value", "bad_value", "too_large", "twice", "conflict", "no_prompt", "no_text", "stray_text"
    ]
    flag: str = ""
    """Without dashes. For ``unknown_flag`` as typed, shortened."""
    near: tuple[str, ...] = ()
    """For ``unknown_flag`` what may have been meant, for ``conflict`` the flag that says something else."""


# A hyphen after a long dash: phones make "—-" of three hyphens.
_FLAG = re.compile(r"(?<!\S)(?P<dash>--|[—–―‒]-?)(?P<name>[^\W\d_][\w-]*)[=:]?")
_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s*")
_SIZE = re.compile(r"(\d{1,9})\s{0,3}[xX×✕*хХ]\s{0,3}(\d{1,9})(?:px)?(?![^\s,;])[,;]?")
_RATIO = re.compile(r"(\d{1,3})\s?[:/xX×]\s?(\d{1,3})(?![^\s,;])[,;]?")
_SHAPE = re.compile(r"([1-9][0-9]{0,2}):([1-9][0-9]{0,2})", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)")
_MORE_SAMPLER = re.compile(r"\s+(?:\+\+|2m|2s|3m|sde|karras|ancestral|sgm|uniform)(?!\S)", re.IGNORECASE)
_SAMPLER_A = re.compile(r"\s+a(?=\s*$|\s+(?:--|[—–―‒])\S)", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "“": "“”", "„": "“”", "‘": "‘’", "«": "»", "»": "«"}

_ALIASES = {"aspect": "ar"}
"""Not offered to those who mistyped something: too near to words after a dash of prose."""

_MEANT = {
    "negative": "no",
    "neg": "no",
    "not": "no",
    "without": "no",
    "guidance": "cfg",
    "scale": "cfg",
    "guidance_scale": "cfg",
    "width": "size",
    "height": "size",
    "resolution": "size",
    "ratio": "ar",
    "aspect_ratio": "ar",
    "aspect-ratio": "ar",
    "shape": "ar",
    "format": "ar",
    "wide": "landscape",
    "tall": "portrait",
    "w": "size",
    "h": "size",
    "vary": "variation",
    "subseed": "variation",
    "variations": "variation",
    "n": "count",
    "number": "count",
    "amount": "count",
    "images": "count",
    "scheduler": "sampler",
    "s": "steps",
    "mask": "inpaint",
    "fill": "inpaint",
    "controlnet": "control",
    "canny": "control",
    "edges": "control",
    "steer": "control",
    "hr": "hires",
    "highres": "hires",
    "hires_fix": "hires",
    "hires-fix": "hires",
    "upscale": "hires",
    "enlarge": "hires",
    "checkpoint": "model",
    "denoise": "strength",
    "denoising": "strength",
    "denoising_strength": "strength",
}
_NEAR_LOOKUPS = 16
"""How many long dashes before a word are looked at for a misspelt flag; beyond that it is prose."""


def near_flags(name: str) -> tuple[str, ...]:
    """The flags that somebody who typed ``name`` may have meant, best first."""
    name = name[:40].lower()
    if name in _MEANT:
        return (_MEANT[name],)
    begun = [flag for flag in FLAGS if len(flag) > 2 and (name.startswith(flag) or _begins(flag, name))]
    return tuple(dict.fromkeys([*begun, *get_close_matches(name, FLAGS, n=2, cutoff=0.7)]))[:2]


def _begins(flag: str, name: str) -> bool:
    """A word of prose after a dash, as ``—la mer`` or ``—in blue``, is no beginning of ``landscape`` or ``inpaint``."""
    return flag.startswith(name) and (flag not in _WORDS or 2 * len(name) >= len(flag))


def parse_options(text: str) -> tuple[DrawOptions, UsageProblem | None]:
    """The options in ``text`` and the first problem with them. ``prompt`` is ``None`` if no words are left."""
    reader = _Reader(text)
    options = DrawOptions()
    try:
        for flag, value in reader:
            options = _with(options, flag, value)
    except _Refused as refusal:
        return options, refusal.problem
    return replace(options, prompt=reader.prompt or None), None


def asks_for_help(text: str) -> bool:
    """``!draw --help`` and its relatives: the only word, so that a prompt may mention it."""
    return text.strip().lower() in ("--help", "—help", "–help", "-h", "--h", "--usage")


class _Refused(Exception):
    def __init__(self, code: Any, flag: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(code)
        self.problem = UsageProblem(code=code, flag=flag, near=near)


class _Reader:
    """Walks once through the text; yields (flag, raw value) and keeps the rest as the prompt."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lookups = 0
        self._unclosed: set[str] = set()
        self.prompt = ""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        text, start, rest = self._text, 0, []
        found = self._next_flag(0)
        while found is not None:
            rest.append(text[start : found.start()])
            flag = _named(found)
            begin = _skip_space(text, found.end())
            if flag == "no":
                value, start = self._phrase(flag, begin)
            elif flag in BARE or flag in SHAPES:
                value, start = "", found.end()
            else:
                value, start = self._value(flag, begin)
            yield flag, value
            found = self._next_flag(start)
        rest.append(text[start:])
        self.prompt = " ".join(part for part in (piece.strip() for piece in rest) if part)

    def _next_flag(self, position: int) -> re.Match[str] | None:
        """The next flag; refuses what can only be meant as one. A dash of prose is passed over."""
        while (found := _FLAG.search(self._text, position)) is not None:
            name = found["name"].lower()
            if _named(found) in FLAGS:
                return found
            if found["dash"] == "--":
                raise _Refused("unknown_flag", name[:40], near_flags(name))
            if self._lookups < _NEAR_LOOKUPS:
                self._lookups += 1
                if near := near_flags(name):
                    raise _Refused("unknown_flag", name[:40], near)
            position = found.end()
        return None

    def _phrase(self, flag: str, begin: int) -> tuple[str, int]:
        """Everything up to the next flag; quotes around all of it go."""
        quoted = self._quoted(begin)
        found = self._next_flag(quoted[1] if quoted else begin)
        end = found.start() if found else len(self._text)
        if quoted is not None and not self._text[quoted[1] : end].strip():
            return quoted[0], end
        value = self._text[begin:end].strip()
        if not value:
            raise _Refused("no_value", flag)
        return value, end

    def _value(self, flag: str, begin: int) -> tuple[str, int]:
        """One word (or what belongs together: ``768 x 768``, ``dpm++ 2m``, anything in quotes)."""
        text = self._text
        if (quoted := self._quoted(begin)) is not None:
            return quoted
        word = _WORD.match(text, begin)
        if word is None or _is_flag(_FLAG.match(text, begin)):
            raise _Refused("no_value", flag)
        end = word.end()
        if flag == "size" and (size := _SIZE.match(text, begin)) is not None:
            end = size.end()
        if flag == "ar" and (ratio := _RATIO.match(text, begin)) is not None:
            end = ratio.end()
        if flag == "sampler":
            while (more := _MORE_SAMPLER.match(text, end)) is not None:
                end = more.end()
            if (letter := _SAMPLER_A.match(text, end)) is not None:
                end = letter.end()
        return text[begin:end].rstrip(",;"), end

    def _quoted(self, begin: int) -> tuple[str, int] | None:
        """A value in quotes at ``begin`` and where it ends. A quote that nothing closes is a letter."""
        opening = self._text[begin : begin + 1]
        if opening not in _QUOTES or opening in self._unclosed:
            return None
        closing = re.compile(f"[{_QUOTES[opening]}](?!\\S)").search(self._text, begin + 1)
        if closing is None:
            self._unclosed.add(opening)
            return None
        return self._text[begin + 1 : closing.start()].strip(), closing.end()


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _named(found: re.Match[str]) -> str:
    name = found["name"].lower()
    return _ALIASES.get(name, name)


def _is_flag(found: re.Match[str] | None) -> bool:
    return found is not None and (found["dash"] == "--" or _named(found) in FLAGS)


def _with(options: DrawOptions, flag: str, value: str) -> DrawOptions:
    """``options`` with one more flag. Raises ``_Refused`` for values that no model could take."""
    if flag == "no":
        # Said twice, it is simply more that should not be there.
        before = options.negative_prompt
        return replace(options, negative_prompt=f"{before}, {value}" if before and value else value or before or "")
    if flag in BARE:
        return replace(options, inpaint=True) if flag == "inpaint" else replace(options, explain=True)
    changes = {"aspect": flag} if flag in SHAPES else _READERS[flag](flag, value)
    if (other := _other_shape(options, changes)) is not None and other != flag:
        raise _Refused("conflict", flag, (other,))
    if any(getattr(options, name) is not None for name in changes):
        raise _Refused("twice", flag)
    return replace(options, **changes)


def _other_shape(options: DrawOptions, changes: dict[str, Any]) -> str | None:
    """The flag before that said already which shape, if this one does."""
    if not changes.keys() & {"width", "aspect"}:
        return None
    if options.width is not None:
        return "size"
    return options.aspect if options.aspect in SHAPES or options.aspect is None else "ar"


def _whole(flag: str, value: str, least: int, most: int) -> int:
    if not _INTEGER.fullmatch(value):
        raise _Refused("bad_value", flag)
    # int() refuses thousands of digits, and everything of more than ten is out of bounds here.
    number = int(value) if len(value) <= 20 else (-1 if value.startswith("-") else most + 1)
    if not least <= number <= most:
        raise _Refused("too_large" if number > most else "bad_value", flag)
    return number


def _steps(flag: str, value: str) -> dict[str, Any]:
    return {"steps": _whole(flag, value, *STEPS)}


def _count(flag: str, value: str) -> dict[str, Any]:
    return {"count": _whole(flag, value, *COUNT)}


def _cfg(flag: str, value: str) -> dict[str, Any]:
    if not _NUMBER.fullmatch(value):
        raise _Refused("bad_value", flag)
    number = float(value.replace(",", ".")) if len(value) <= 20 else GUIDANCE[1] + 1
    if not GUIDANCE[0] <= number <= GUIDANCE[1]:
        raise _Refused("too_large" if number > GUIDANCE[1] else "bad_value", flag)
    return {"guidance_scale": number + 0.0}  # no "-0.0"


def _strength(flag: str, value: str) -> dict[str, Any]:
    return {"strength": _share(flag, value)}


def _share(flag: str, value: str) -> float:
    """Above 0, up to 1."""
    if not _NUMBER.fullmatch(value):
        raise _Refused("bad_value", flag)
    number = float(value.replace(",", ".")) if len(value) <= 20 else STRENGTH + 1
    if not 0 < number <= STRENGTH:
        raise _Refused("too_large" if number > STRENGTH else "bad_value", flag)
    return number


def _variation(flag: str, value: str) -> dict[str, Any]:
    seed, colon, strength = value.rpartition(":")
    other = _whole(flag, seed, 0, MAX_SEED) if colon else None
    return {"variation": Variation(seed=other, strength=_share(flag, strength))}


def _control(flag: str, value: str) -> dict[str, Any]:
    kind, colon, amount = value.rpartition(":")
    kind, scale = (kind.strip(), None) if colon else (value, None)
    if colon:
        if not _NUMBER.fullmatch(amount):
            raise _Refused("bad_value", flag)
        scale = float(amount.replace(",", ".")) if len(amount) <= 20 else STEERING + 1
        if not 0 <= scale <= STEERING:
            raise _Refused("too_large" if scale > STEERING else "bad_value", flag)
    if not is_kind(kind):
        raise _Refused("bad_value" if kind else "no_value", flag)
    return {"control": Control(kind=kind, scale=None if scale is None else scale + 0.0)}


def _hires(flag: str, value: str) -> dict[str, Any]:
    """``2``, ``2x``, ``1.5:0.4``, ``2:lanczos``, ``2:0.4:lanczos``."""
    times, *rest = [part.strip().lower() for part in value.split(":")]
    times = times.strip("x×*")
    if not _NUMBER.fullmatch(times) or len(rest) > 2:
        raise _Refused("bad_value", flag)
    scale = float(times.replace(",", ".")) if len(times) <= 20 else LARGER[1] + 1
    if not LARGER[0] <= scale <= LARGER[1]:
        raise _Refused("too_large" if scale > LARGER[1] else "bad_value", flag)
    upscaler = rest.pop() if rest and rest[-1] in UPSCALERS else None
    if len(rest) > 1:
        raise _Refused("bad_value", flag)
    return {"hires": Hires(scale=scale, strength=_share(flag, rest[0]) if rest else None, upscaler=upscaler)}


def is_kind(name: str) -> bool:
    """What can be the name of a ControlNet."""
    return 0 < len(name) <= MAX_KIND and name.isprintable()


def _size(flag: str, value: str) -> dict[str, Any]:
    sides = (value, value) if _INTEGER.fullmatch(value) else None
    if (match := _SIZE.fullmatch(value)) is not None:
        sides = (match[1], match[2])
    if sides is None:
        raise _Refused("bad_value", flag)
    return {"width": _whole(flag, sides[0], *SIDE), "height": _whole(flag, sides[1], *SIDE)}


def _ratio(flag: str, value: str) -> dict[str, Any]:
    match = _RATIO.fullmatch(value)
    shape = value.lower() if match is None else f"{int(match[1])}:{int(match[2])}"
    if not is_shape(shape):
        raise _Refused("bad_value", flag)
    return {"aspect": shape}


def is_shape(text: str) -> bool:
    """``3:2`` from 1:4 to 4:1, or one of the words."""
    if text in SHAPES:
        return True
    match = _SHAPE.fullmatch(text)
    wide, high = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    return 0 < wide <= SHAPE * high and high <= SHAPE * wide


def _seed(flag: str, value: str) -> dict[str, Any]:
    word = value.lower()
    if word in (SAME, RANDOM):
        return {"seed": word}
    if word == "-1":  # what other programs of the field call random
        return {"seed": RANDOM}
    return {"seed": _whole(flag, value, 0, MAX_SEED)}


def _name(flag: str, value: str) -> dict[str, Any]:
    if not value:
        raise _Refused("no_value", flag)
    if len(value) > MAX_NAME or not value.isprintable():
        raise _Refused("bad_value", flag)
    return {flag: value}


_READERS = {
    "steps": _steps,
    "count": _count,
    "cfg": _cfg,
    "strength": _strength,
    "size": _size,
    "ar": _ratio,
    "seed": _seed,
    "variation": _variation,
    "control": _control,
    "hires": _hires,
    "model": _name,
    "sampler": _name,
}
