"""How commands are used: what ``!help`` says, and what is said to a command that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..language.options import COUNT, GUIDANCE, LARGER, MAX_SEED, SHAPE, SHAPES, SIDE, STEERING, STEPS, UPSCALERS
from .escape import code
from .jobs import typed

if TYPE_CHECKING:
    from ..language.options import Overlooked, UsageProblem


def command(prefix: str, text: str) -> str:
    """A command in code type, as it is typed here."""
    return code(typed(prefix, text), 200)


def help_overview(prefix: str, *, chat: bool) -> str:
    """Every command in one line."""
    lines = [
        ("draw otter, cowboy hat", "draws it"),
        ("again", "once more; as a reply to a picture, that one"),
        ("vary", "a few small variations of the last picture; as a reply, of that one"),
        ("upscale", "the last picture twice as large, with more detail; as a reply to a picture, that one"),
        ("chat why do otters hold hands?", "an answer; reply in its thread to go on"),
        ("models", "the models, and what each is good for"),
        ("model", "the model of this room; moderators set it with a name after it"),
        ("settings", "what else holds in this room; moderators set it"),
        ("queue", "what is waiting"),
        ("cancel", "takes your waiting requests back; as a reply, that one"),
        ("status", "is everything running?"),
        ("help draw", "more about a command"),
    ]
    shown = [line for line in lines if chat or not line[0].startswith("chat")]
    return "\n".join(f"- {command(prefix, typed_so)}: {gives}" for typed_so, gives in shown)


_FLAG_USES = {
    "no": ("--no blurry, text", "what should not be in it"),
    "steps": ("--steps 30", f"{STEPS[0]} to {STEPS[1]}; more is finer and slower"),
    "cfg": ("--cfg 7.5", f"{GUIDANCE[0]:g} to {GUIDANCE[1]:g}; how closely it follows your words"),
    "size": ("--size 768x768", "width x height"),
    "ar": ("--ar 3:2", "its shape; or `--square`, `--portrait`, `--landscape`"),
    "seed": ("--seed 42", "the same number makes the same picture"),
    "variation": ("--variation 0.2", "above 0, up to 1; a picture that is near that of its seed"),
    "model": ("--model NAME", "another model"),
    "sampler": ("--sampler euler a", "another way to compute it"),
    "count": ("--count 4", f"several at once, up to {COUNT[1]}"),
    "strength": ("--strength 0.6", "above 0, up to 1; how much of the picture to start from changes"),
    "hires": ("--hires 2", "up to 4; drawn once more that many times as large, `2:0.4` with fewer changes"),
    "inpaint": ("--inpaint", "only what is transparent in the picture to start from is drawn anew"),
    "control": (
        "--control canny",
        "a new picture along the edges of the one replied to; `canny:0.5` follows them less",
    ),
    "explain": ("--explain", "how I read it, instead of a picture"),
}


def help_topic(prefix: str, topic: str) -> str | None:
    """More about one command; ``None`` if there is no such command."""
    say = command
    flags = "\n".join(f"- {code(example)}: {what}" for example, what in _FLAG_USES.values())
    topics = {
        "draw": (
            f"{say(prefix, 'draw otter, cowboy hat')} draws a picture. Flags go after the words:\n{flags}\n\n"
            f"For example {say(prefix, 'draw otter, cowboy hat --no blurry --steps 20 --count 4')}.\n\n"
            "As a reply to a picture, or as the caption of one, it starts from that picture."
        ),
        "again": (
            f"{say(prefix, 'again')} draws the last picture of this room once more with a new seed; as a reply to a "
            f"picture, that one, however old. Every flag of {say(prefix, 'draw')} changes one thing: "
            f"{say(prefix, 'again --seed same --steps 50')} keeps the seed and takes more steps."
        ),
        "vary": (
            f"{say(prefix, 'vary')} draws a few small variations of the last picture of this room; as a reply to a "
            f"picture, of that one. {say(prefix, 'vary 0.4')} goes further from it (above 0, up to 1; usually 0.2), "
            f"{say(prefix, 'vary --count 2')} draws two. Every flag of {say(prefix, 'draw')} changes one thing."
        ),
        "upscale": (
            f"{say(prefix, 'upscale')} makes the last picture of this room twice as large, with more detail; as a "
            f"reply to a picture, that one, whoever sent it. {say(prefix, 'upscale 4')} makes it four times as large, "
            f"{say(prefix, 'upscale --strength 0.4')} changes more of it (usually 0.3). `--model`, `--steps`, "
            "`--cfg`, `--no`, `--sampler` and `--seed` work as well."
        ),
        "chat": (
            f"{say(prefix, 'chat why do otters hold hands?')} answers in a thread. Reply there to go on, without the "
            "command. In a room with only you and me, just write."
        ),
        "model": (
            f"{say(prefix, 'model')} says which model draws in this room, {say(prefix, 'model NAME')} changes it "
            f"(moderators), {say(prefix, 'model default')} goes back. {say(prefix, 'models')} lists them."
        ),
        "models": f"{say(prefix, 'models')} lists the models and what each is good for, the samplers, and the LoRAs.",
        "settings": (
            f"{say(prefix, 'settings')} shows what holds in this room. {say(prefix, 'settings safe on')} lets a safety "
            f"checker look at every picture before it comes, {say(prefix, 'settings safe off')} ends that (moderators)."
        ),
        "queue": f"{say(prefix, 'queue')} shows what is waiting and being drawn here; of other rooms only how much.",
        "cancel": (
            f"{say(prefix, 'cancel')} takes back all that you have waiting in this room; as a reply to a request, that "
            f"one. Deleting your message does the same. Moderators: {say(prefix, 'cancel all')} for everybody's, or "
            "reply to anybody's."
        ),
        "status": f"{say(prefix, 'status')} says whether the worker is there and what it is doing.",
        "help": f"{say(prefix, 'help')} lists the commands, {say(prefix, 'help draw')} says more about one.",
    }
    return topics.get(topic)


_WANTS = {
    "hires": (
        f"`--hires` takes how many times as large, from {LARGER[0]:g} to {LARGER[1]:g}, as `--hires 2`; behind it, "
        f"if you like, how much changes, and {' or '.join(f'`{one}`' for one in UPSCALERS)}: `--hires 2:0.4:lanczos`."
    ),
    "steps": f"`--steps` takes a whole number from {STEPS[0]} to {STEPS[1]}, such as `--steps 30`.",
    "cfg": f"`--cfg` takes a number from {GUIDANCE[0]:g} to {GUIDANCE[1]:g}, such as `--cfg 7.5`.",
    "size": f"`--size` takes width x height, each from {SIDE[0]} to {SIDE[1]} pixels, such as `--size 768x768`.",
    "ar": (
        f"`--ar` takes width:height, from 1:{SHAPE} to {SHAPE}:1, such as `--ar 3:2`, or one of "
        f"{', '.join(f'`{word}`' for word in SHAPES)}."
    ),
    "seed": f"`--seed` takes a whole number from 0 to {MAX_SEED}, `random`, or `same` to keep a picture's seed.",
    "variation": (
        "`--variation` takes a number above 0 and up to 1, such as `--variation 0.2`, and before it, if you like, the "
        "other seed: `--variation 42:0.2`."
    ),
    "control": (
        "`--control` takes `canny` or the name of a ControlNet, and behind it, if you like, how much it steers, from 0 "
        f"to {STEERING:g}: `--control canny:0.7`."
    ),
    "count": f"`--count` takes a whole number from {COUNT[0]} to {COUNT[1]}, such as `--count 4`.",
    "strength": "`--strength` takes a number above 0 and up to 1, such as `--strength 0.6`; 0.94 changes nearly all.",
    "no": "`--no` takes the words that should not be in the picture, such as `--no blurry, text`.",
}


def usage_problem(problem: UsageProblem, name: str, prefix: str) -> str:
    """What was wrong with a command, and what to type instead."""
    match problem.code:
        case "no_prompt":
            return (
                f"What shall I draw? For example {command(prefix, 'draw otter, cowboy hat')}, or "
                f"{command(prefix, 'draw otter, cowboy hat --no blurry --steps 20')}. "
                f"{command(prefix, 'help draw')} explains the flags."
            )
        case "no_text":
            return f"What is it about? For example {command(prefix, 'chat why do otters hold hands?')}."
        case "stray_text":
            return _stray(name, prefix)
        case "unknown_flag":
            return _unknown(problem, prefix)
        case "twice":
            return f"{code('--' + problem.flag)} is there twice. Please say it once."
        case "glued" | "one_dash":
            return _nearly(problem)
        case "conflict":
            other = code("--" + next(iter(problem.near), problem.flag))
            return f"{code('--' + problem.flag)} and {other} both say which shape. Please keep one of them."
    return wants(problem.flag, prefix)


def wants(flag: str, prefix: str) -> str:
    """What a flag takes."""
    if flag == "upscale":
        return f"A picture becomes 2 or 4 times as large, such as {command(prefix, 'upscale 4')}."
    if flag == "model":
        return f"`--model` takes the name of a model. {command(prefix, 'models')} lists them."
    if flag == "sampler":
        return "`--sampler` takes the name of a sampler, such as `--sampler unipc` or `--sampler euler a`."
    return _WANTS[flag]


def _stray(name: str, prefix: str) -> str:
    if name == "cancel":
        return (
            f"{command(prefix, 'cancel')} takes back all that you have waiting here; as a reply to a request, that "
            f"one. Moderators may say {command(prefix, 'cancel all')}."
        )
    if name == "upscale":
        return (
            f"{command(prefix, 'upscale')} makes a picture larger and takes only how many times (2 or 4) and flags, "
            f"such as {command(prefix, 'upscale 4')}. For other words, use {command(prefix, 'draw …')}."
        )
    if name == "vary":
        return (
            f"{command(prefix, 'vary')} draws variations of a picture and takes only how much and flags, such as "
            f"{command(prefix, 'vary 0.4 --count 2')}. For other words, use {command(prefix, 'draw …')}."
        )
    return (
        f"{command(prefix, 'again')} repeats a picture and takes only flags, such as "
        f"{command(prefix, 'again --steps 50')}. For other words, use {command(prefix, 'draw …')}."
    )


def _unknown(problem: UsageProblem, prefix: str) -> str:
    said = f"I do not know the flag {code('--' + problem.flag, 42)}."
    if problem.near:
        meant = " or ".join(code("--" + flag) for flag in problem.near)
        return f"{said} Did you mean {meant}? {command(prefix, 'help draw')} lists them all."
    return f"{said} {command(prefix, 'help draw')} lists those that there are."


def _nearly(problem: UsageProblem) -> str:
    """To what can hardly be meant as words, and is no flag."""
    flag, *value = problem.near
    meant = code(" ".join(("--" + flag, *value)))
    if problem.code == "glued":
        said = f"{code(problem.flag)} stands directly behind a word. Is it a flag? Then put a space before it: {meant}."
    else:
        said = f"{code(problem.flag)} has one dash only. Is it a flag? Then it takes two: {meant}."
    return f"{said} Are they words? Then put a space behind the dash."


def overlooked(one: Overlooked) -> str:
    """A note, not a refusal."""
    was = f"{code(one.typed)} was read as words"
    flag = code("--" + one.flag)
    match one.form:
        case "glued":
            return f"{was}, as it stands directly behind one; with a space before it, {flag} is a flag."
        case "one_dash":
            return f"{was}; as a flag it has two dashes: {flag}."
        case "spaced":
            return f"{was}; as a flag it has no space behind its dashes: {flag}."
