"""Sentences about styles: which there are, a room's own, what a room is used to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .escape import code, plain
from .jobs import plain_sentence
from .usage import command

if TYPE_CHECKING:
    from ..worker.info import Style

MAX_FOUND = 20
"""Styles that a search shows."""
MAX_FILES = 3
MAX_WORDS = 600
"""Characters of a style's words that an answer shows."""
NAME = 100

STYLES_AWAY = "The worker is off, or cannot look at all of its files: it may have more styles than these."
STYLES_OLD = "The worker is too old for styles; the operator can update it."
NO_STYLES = "The worker has no styles."


def styles_page(
    shown: Sequence[Style],
    page: int,
    pages: int,
    prefix: str,
    *,
    usual: str | None,
    problems: Sequence[tuple[str, str]],
) -> str:
    """Names with a line each, by groups. ``usual``: what the room is used to."""
    parts = (
        [] if usual is None else [f"Pictures here are drawn in {plain(usual, 200)} where nobody says another style."]
    )
    for group in dict.fromkeys(style.group for style in shown):
        lines = [_line(style) for style in shown if style.group == group]
        parts.append("\n".join((f"**{plain(group, 60)}**", "", *lines)))
    if problems:
        named = [f"{code(name, 60)} {plain(problem, 200)}" for name, problem in problems[:MAX_FILES]]
        more = f"; and {len(problems) - MAX_FILES} more files" if len(problems) > MAX_FILES else ""
        parts.append(f"Files of styles: {'; '.join(named)}{more}.")
    on = f"{command(prefix, f'styles {page + 1}')} goes on, " if page < pages else ""
    where = f"Page {page} of {pages}: " if pages > 1 else ""
    search = command(prefix, "styles WORD")
    parts.append(f"{where}{on}{search} searches, {command(prefix, 'draw otter --style NAME')} draws.")
    return "\n\n".join(parts)


def _line(style: Style) -> str:
    about = f": {plain(style.about, 100)}" if style.about else ""
    return f"- {code(style.name, NAME)}{about}"


def styles_with(word: str, found: Sequence[Style], prefix: str) -> str:
    more = len(found) - MAX_FOUND
    lines = [_line(style) for style in found[:MAX_FOUND]]
    left = f"\n\nAnd {more} more; a longer word finds fewer." if more > 0 else ""
    return "\n".join(lines) + f"{left}\n\nFor example {command(prefix, f'draw otter --style {found[0].name}')}."


def no_style_with(word: str, near: Sequence[str], prefix: str) -> str:
    said = f"No style has {code(word)} in its name or line."
    return f"{said}{_meant(near)} {command(prefix, 'styles')} lists them."


def unknown_style(name: str, near: Sequence[str], prefix: str) -> str:
    return f"I do not know the style {code(name)}.{_meant(near)} {command(prefix, 'styles')} lists them."


def _meant(near: Sequence[str]) -> str:
    return f" Did you mean {' or '.join(code(one, NAME) for one in near)}?" if near else ""


def styles_too_long(most: int) -> str:
    return f"With these styles the prompt is longer than {most:,} characters; please use fewer, or fewer words."


# -- a room's own


def style_usage(prefix: str) -> str:
    return (
        f"{command(prefix, 'style save NAME')} as a reply to a picture makes a style of this room's own of its words, "
        f"{command(prefix, 'style delete NAME')} deletes one. {command(prefix, 'draw otter --style NAME')} draws in a "
        f"style, {command(prefix, 'styles')} lists them."
    )


def may_not_save_styles(level: int) -> str:
    return f"Only people with power level {level} or more in this room (moderators) save and delete its styles."


def style_saved(name: str, prompt: str, negative: str, prefix: str, *, anew: bool) -> str:
    """What it became: that it is the whole of a picture's words is seen here."""
    behind = "around the words that go where `{prompt}` stands" if "{prompt}" in prompt else "behind other words"
    lines = [*([f"{behind}: {plain(prompt, MAX_WORDS)}"] if prompt else [])]
    lines += [f"not in it: {plain(negative, MAX_WORDS)}"] if negative else []
    what = "is another style of this room's own now" if anew else "is a style of this room's own now"
    return (
        f"{code(name, NAME)} {what}. It puts this\n\n"
        + "\n".join(f"- {line}" for line in lines)
        + f"\n\nFor example {command(prefix, f'draw otter --style {_typed(name)}')}."
    )


def _typed(name: str) -> str:
    return f'"{name}"' if " " in name else name


def style_deleted(name: str, prefix: str, *, usual: bool) -> str:
    said = f"The style {code(name, NAME)} of this room is gone. Pictures that were drawn in it can be drawn again."
    if not usual:
        return said
    return f"{said} This room is used to it: {command(prefix, 'settings style default')} ends that."


def no_own_style(name: str, own: Sequence[str], prefix: str) -> str:
    there = f" It has {', '.join(code(one, NAME) for one in own[:MAX_FOUND])}." if own else " It has none."
    return f"This room has no style {code(name)} of its own.{there} Those of the worker stay."


def bad_style_name(prefix: str) -> str:
    return (
        "A style's name has at most 100 characters, no comma, and is not `none`, as in "
        f"{command(prefix, 'style save glow')}."
    )


def style_is_words(prefix: str) -> str:
    return (
        "A style is words only: those behind its name, and behind `--no` what should not be in a picture. For example "
        f"{command(prefix, 'style save cave a cave painting of {prompt}, ochre --no photo')}."
    )


def style_needs_a_picture(prefix: str) -> str:
    return (
        f"Reply to a picture of mine with {command(prefix, 'style save NAME')}, or say the words: "
        f"{command(prefix, 'style save cave a cave painting of {prompt}, ochre')}."
    )


def style_without_words(prefix: str) -> str:
    return f"That picture has no words of its own. {style_needs_a_picture(prefix)}"


def style_too_long(most: int) -> str:
    return f"These words are too long for a style, which takes {most:,} characters."


def too_many_styles(most: int, prefix: str) -> str:
    return f"This room has {most} styles of its own, which is all it may have; {command(prefix, 'style delete NAME')}."


# -- what a room is used to


def usual_styles(names: str | None) -> str:
    """As `!settings` shows it."""
    return code(names, 200) if names else "none"


def style_set(names: Sequence[str], *, checked: bool) -> str:
    if not names:
        return "From now on pictures here are drawn without a style where nobody says one."
    unsure = "" if checked else " I could not ask the worker whether it has all of them."
    named = ", ".join(code(name, NAME) for name in names)
    return f"From now on pictures here are drawn in {named} where nobody says another style.{unsure}"


def style_unset(usual: str) -> str:
    return f"This room goes with the default again: {plain_sentence(usual) if usual else 'no style.'}"


def style_setting_usage(prefix: str) -> str:
    return (
        f"It takes names of {command(prefix, 'styles')} with commas between them, such as "
        f"{command(prefix, 'settings style watercolor,backlit')}, `none`, or `default`."
    )
