"""A request as the line to type in a room, and all that was found in a file as a page for the terminal.

The line is written for the plugin's parser (see ``docs/commands.md``): flags begin with dashes of any kind, values with
spaces stand in quotes, and a prompt cannot. Words of a prompt that would be taken for a flag get marks without effect:
``(--:1)word`` draws ``--word``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .. import terminal
from ..prompts import chance
from ..schemas.settings import SETTINGS
from .found import Found

_LONG = "‒–—―⸺⸻﹘︱︲─━"
_DASH = "‐‑−－﹣⁃˗⁻₋־᠆⸗⸚ーｰ" + _LONG + r"\-"  # for the inside of a character class
_DOUBLE = rf"(?:\\*+[{_LONG}]|\\*+[{_DASH}](?=\\*[{_DASH}]))(?:\\*+[{_DASH}])*+"
_NUMBERED = (
    "steps|cfg|size|ar|aspect|seed|variation|count|strength|hires|guidance|scale|guidance_scale|width|height|w|h|"
    "resolution|ratio|aspect_ratio|aspect-ratio|shape|format|vary|subseed|variations|n|number|amount|images|s|hr|"
    "highres|hires_fix|hires-fix|upscale|enlarge|denoise|denoising|denoising_strength"
    + "".join(f"|{re.escape(one.flag)}" for one in SETTINGS.values())
)
"""Words that the plugin refuses before a number although they are no flag."""
_FLAG_LIKE = re.compile(
    rf"(?<![{_DASH}\\])(?:(?:(?<![^\s,;،，、；。])){_DOUBLE}(?=[^\W\d_])"
    rf"|(?:{_DOUBLE}|(?<!\S)\\*+[{_DASH}]|(?<=[,;،，、；。])\\*+[{_DASH}])(?=(?:{_NUMBERED})(?![\w-])))",
    re.IGNORECASE,
)
_PLAIN_NAME = re.compile(r"\w[\w.+/-]*", re.ASCII)
_LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_QUOTES = (('"', '"'), ("'", "'"), ("“", "“”"), ("‘", "‘’"), ("«", "»"), ("»", "«"), ("「", "」"))
"""Opening quote, and the quotes that may close it."""
_OPENING = "\"'“„‘«»「『＂"


def command(request: Mapping[str, Any]) -> str:
    """``!draw …``; what the request does not hold is left out. The plugin reads the same request in it."""
    upscale = request.get("upscale")
    parts = ["!draw" if upscale is None else f"!upscale {upscale}"]
    if upscale is None and (prompt := _words(request.get("prompt", ""))):
        parts.append(_unflagged(prompt))
    if (negative := request.get("negative_prompt")) is not None:
        parts.append(f"--no {_phrase(_words(negative))}")
    if upscale is None and (styles := request.get("style")):
        parts.append(f"--style {_styles(styles)}")
    if (steps := request.get("steps")) is not None:
        parts.append(f"--steps {steps}")
    if (guidance := request.get("guidance_scale")) is not None:
        parts.append(f"--cfg {_decimal(guidance)}")
    if "width" in request and "height" in request:
        parts.append(f"--size {request['width']}x{request['height']}")
    if (seed := request.get("seed")) is not None:
        parts.append(f"--seed {seed}")
    parts += [f"--{one.flag} {_decimal(request[name])}" for name, one in SETTINGS.items() if name in request]
    parts += _from_pictures(request)
    if (hires := request.get("hires")) is not None:
        parts.append(f"--hires {_second_pass(hires)}")
    if (variation := request.get("variation")) is not None:
        parts.append(f"--variation {variation['seed']}:{_decimal(variation['strength'])}")
    names = (
        (flag, re.sub(r"[\n\t]", " ", printable(str(request.get(flag) or ""))).strip()) for flag in ("sampler", "model")
    )
    parts += [
        f"--{flag} {name if _PLAIN_NAME.fullmatch(name) else _quoted(name) or name}" for flag, name in names if name
    ]
    return " ".join(parts)


def _words(text: object) -> str:
    """They were drawn already: nothing in them is drawn by chance once more."""
    return chance.literal(printable(str(text)).strip())


def _from_pictures(request: Mapping[str, Any]) -> Iterator[str]:
    """Fields that only a reply to a picture can express."""
    start, control = request.get("init_image"), request.get("control")
    if start is not None and (strength := request.get("strength")) is not None:
        yield f"--strength {_decimal(strength)}"
    if start is not None and request.get("mask") == start:
        yield "--inpaint"
    if start is None and control is not None:
        kind = one_line(str(control["kind"]))
        steered = kind if control.get("scale") is None else f"{kind}:{_decimal(control['scale'])}"
        yield f"--control {steered if _PLAIN_NAME.fullmatch(kind) else _quoted(steered) or steered}"


def _styles(styles: Sequence[Mapping[str, Any]]) -> str:
    """Their names, with a comma between them."""
    names = [one_line(str(style["name"])) for style in styles]
    joined = ",".join(names)
    return joined if all(map(_PLAIN_NAME.fullmatch, names)) else _quoted(joined) or joined


def _second_pass(hires: Mapping[str, Any]) -> str:
    """The value of ``--hires``, as ``2:0.5:lanczos``; unset parts are left out."""
    strength = hires.get("strength")
    values = (_decimal(hires["scale"]), None if strength is None else _decimal(strength), hires.get("upscaler"))
    return ":".join(value for value in values if value)


def page(found: Found) -> str:
    """The line, and below it what else is known, a line each."""
    notes = [*found.notes, *differences(found.request)]
    rows = [("read from", found.source), *found.details, *(("note", note) for note in notes)]
    rows = [(one_line(name), one_line(value)) for name, value in rows if value]
    width = min(24, max(len(name) for name, _ in rows))
    return "\n".join([command(found.request), "", *(f"{name:<{width}}  {value}" for name, value in rows)])


def differences(request: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about what the line says otherwise than the request."""
    words = [str(request.get(name) or "") for name in ("prompt", "negative_prompt")]
    hires = request.get("hires") or {}
    if request.get("style") and request.get("upscale") is None:
        yield "The line names its styles, whose words may be others by now: the request (--json) has them as they were."
    if hires.get("steps") not in (None, request.get("steps")):
        yield f"The second pass of the line has as many steps as the first; this one's was one of {hires['steps']}."
    start, mask, control = (request.get(name) for name in ("init_image", "mask", "control"))
    if request.get("upscale") is not None:
        yield "The line is a reply to the picture that is upscaled, and has that one's own prompt."
    elif start is not None:
        yield "The line is a reply to the picture that it was drawn from."
    elif control is not None:
        yield "The line is a reply to the picture that steered it."
    if mask is not None and mask != start:
        yield "Another picture was its mask, which no line can say: the request (--json) has it."
    if start is not None and control is not None:
        yield "A second picture steered it, which no line can say: the request (--json) has it."
    elif control is not None and (control.get("start"), control.get("end")) not in ((None, None), (0.0, 1.0)):
        yield "It was steered in a part of the steps only, which no line can say: the request (--json) has it."
    if any(printable(text) != _LINE_ENDS.sub("\n", text) for text in words):
        yield "Control characters and turned directions in its words are left out of the line."
    if _FLAG_LIKE.search(printable(words[0])):
        yield "A dash in the prompt has marks before it that draw nothing: the room would take its word for a setting."


def printable(text: str) -> str:
    """Without control characters, which a terminal would obey, and without those that turn the direction of a text;
    every end of a line is ``\\n``."""
    text = _LINE_ENDS.sub("\n", text)
    return "".join(c for c in text if c in "\n\t" or not terminal.hidden(c))


def one_line(text: str) -> str:
    """One line for people; control characters are shown as numbers."""
    return terminal.visible(" ".join(_LINE_ENDS.sub("\n", text)[:2_000].split()))


def _unflagged(text: str) -> str:
    """The prompt with no word that looks like a flag, but the same fragments and weights."""
    return _FLAG_LIKE.sub(r"(\g<0>:1)", text)


def _phrase(text: str) -> str:
    """The value of ``--no``: bare if it reaches to the next flag, else in quotes."""
    if text and text[0] not in _OPENING and not _FLAG_LIKE.search(text):
        return text
    return _quoted(text) or re.sub(rf"\A[{_OPENING}]", r"(\g<0>:1)", _unflagged(text))


def _quoted(text: str) -> str | None:
    """The text in the first kind of quotes that it does not contain; ``None`` where it contains all."""
    for opening, closing in _QUOTES:
        # Only a quote followed by a space closes.
        if not re.search(rf"[{closing}]\s", text):
            return f"{opening}{text}{closing[-1]}"
    return None


def _decimal(number: float) -> str:
    """A decimal without exponent, short enough for the plugin's parser."""
    text = f"{Decimal(repr(number)):f}"
    return text.removesuffix(".0")[:20]
