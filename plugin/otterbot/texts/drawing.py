"""Sentences about pictures that cannot be drawn as requested, and notes on changed ones."""

from __future__ import annotations

from collections.abc import Sequence

from .escape import code
from .jobs import count_of
from .usage import command


def prompt_too_long(length: int, most: int) -> str:
    return f"That prompt has {length} characters; I take at most {most}. Please shorten it by {length - most}."


def negative_too_long(length: int, most: int) -> str:
    return f"What stands after `--no` has {length} characters; I take at most {most}."


def too_many_pictures(most: int) -> str:
    return f"Here I draw at most {count_of(most, 'picture', 'pictures')} at once: `--count {most}`."


def too_many_steps(most: int, model: str | None) -> str:
    who = f"{code(model)} takes" if model else "Here I take"
    return f"{who} at most {count_of(most, 'step', 'steps')}: `--steps {most}`."


def steps_lowered(most: int, usual: int) -> str:
    """A note, not a refusal."""
    return f"Here I take at most {count_of(most, 'step', 'steps')}; {usual} are usual."


def too_few_steps(least: int, model: str, most: int | None) -> str:
    """``most``: what is allowed here."""
    if most is not None and least > most:
        return f"{code(model)} needs at least {count_of(least, 'step', 'steps')}, and here I take at most {most}."
    return f"{code(model)} needs at least {count_of(least, 'step', 'steps')}: `--steps {least}`."


def cfg_too_high(most: float, model: str) -> str:
    return f"{code(model)} takes a CFG of at most {most:g}: `--cfg {most:g}`."


def size_out_of_bounds(model: str, least: int, most: int, width: int, height: int) -> str:
    """``width`` and ``height``: what comes closest."""
    return f"{code(model)} draws sides from {least} to {most} pixels. The closest is `--size {width}x{height}`."


def too_many_pixels(model: str, width: int, height: int) -> str:
    return f"That is too large for {code(model)}. The most in this shape is `--size {width}x{height}`."


def unknown_sampler(name: str, near: Sequence[str], known: Sequence[str]) -> str:
    if near:
        return f"I do not know the sampler {code(name)}. Did you mean {' or '.join(code(one) for one in near)}?"
    return f"I do not know the sampler {code(name)}. There are: {', '.join(code(one) for one in known)}."


def seed_same_needs_a_picture(prefix: str) -> str:
    return (
        f"`--seed same` keeps the seed of a picture that is there: {command(prefix, 'again --seed same')}. "
        "Here, give a number or leave it out."
    )


VARIED_BEFORE = "That picture is a variation itself; these are variations of the one that it was made from."


def how_much_varied(prefix: str) -> str:
    """To a flag that means something else."""
    return (
        "`--strength` is for pictures that were drawn from another one, and that one was not. How much is varied comes "
        f"right after the command: {command(prefix, 'vary 0.4')}."
    )


def no_picture(prefix: str) -> str:
    return f"I find no picture of mine in this room. Start with {command(prefix, 'draw otter, cowboy hat')}."


def not_a_picture(prefix: str) -> str:
    return (
        f"That message is not a picture that I drew. Reply to one of mine, or type {command(prefix, 'again')} alone "
        "for the last one."
    )


def thread_of_another_picture(prefix: str) -> str:
    return (
        f"This thread hangs on a picture that I did not draw. {command(prefix, 'draw …')} in here starts from it; "
        "to repeat one of mine, reply to it."
    )


THREAD_NOT_USED = "I cannot read what this thread hangs on, so I did not start from it."
PICTURE_AWAY = (
    "The homeserver does not give me that picture's message just now, so I do not know how it was made. "
    "Please try again in a moment."
)
PICTURE_UNREADABLE = "I cannot read that picture's message, so I do not know how it was made. Please type it anew."


def record_unusable(prefix: str) -> str:
    return f"That picture does not say how it was made. Please type it anew with {command(prefix, 'draw …')}."


def model_returned(model: str) -> str:
    """A note after a change of model in ``!again``."""
    return f"Settings that nobody typed became those of {code(model)}."
