"""What people type in the census's rooms, in order. What a step draws has a seed of its own or none at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

COMMANDS = (
    "draw",
    "again",
    "vary",
    "upscale",
    "chat",
    "models",
    "model",
    "settings",
    "queue",
    "cancel",
    "status",
    "help",
)
Q = "--steps 2 --seed 7"


@dataclass(frozen=True, kw_only=True)
class Step:
    name: str
    line: str
    by: Literal["member", "moderator", "stranger"] = "member"
    reply: str | None = None
    """The step whose last picture, else whose first message of the bot's, is replied to; ``asked STEP``: its own line;
    or a picture of ``Room.posted``."""
    thread: str | None = None
    """The same, of the message that the thread begins with."""
    caption_of: str | None = None
    """One of ``Room.posted`` that is sent with the line as its caption."""
    edits: str | None = None
    """The step whose line becomes this one."""
    silent: bool = False
    """Nothing is to come."""
    seeds: bool = True
    """Whether its pictures have the seeds that were typed."""


def _s(name: str, line: str, **how: object) -> Step:
    return Step(name=name, line=line, **how)  # type: ignore[arg-type]


def _all(name: str, *lines: str, **how: object) -> Iterator[Step]:
    for line in lines:
        yield _s(f"{name}: {line[:60]}", line, **how)


def _words() -> Iterator[Step]:
    yield from _all("help", "!help", "!draw --help", "!help nothing", "!help --steps", "!help me please")
    yield from _all("help", *(f"!help {name}" for name in COMMANDS))
    yield from _all(
        "talk", "hello there", "!unknown", "otterbot models are nice", "!!!", f"`!draw a fox` {Q}", silent=True
    )
    yield _s("a stranger", f"!draw otter {Q}", by="stranger", silent=True)
    yield from _all("list", "!models", "!model", "!settings", "!status", "!queue", "!cancel", "!cancel all")
    yield from _all("nearly a command", "!drow otter", "!quit", "!statu", silent=True)


def _pictures() -> Iterator[Step]:
    yield from _all("before any picture", "!again", "!vary", "!upscale")
    yield _s("first", f"!draw otter, cowboy hat {Q}")
    yield from _all(
        "flag",
        f"!draw a fox, blue --no blurry, text {Q} --cfg 3.5 --size 128x96",
        f"!draw a fox --size 96 {Q} --sampler dpm++ 2m karras",
        f"!draw a fox --ar 3:2 {Q}",
        f'!draw a fox --aspect portrait {Q} --no ""',
        f"!draw a fox —square {Q} --sampler euler a",
        "!draw a fox --landscape --steps=2 --seed=9 --model tiny-sd",
        "!draw --count 2 a fox --steps 2 --seed 4294967295",
        f"!draw a fox --variation 42:0.2 {Q}",
        f"!draw a fox {Q} --hires 2:0.4:lanczos --model tiny-sd",
        f"!draw a fox {Q} --hires 1.5 --model tiny-xl",
        f"!draw a fox {Q} --size 75x50 --model tiny-sd",
        f"!draw (a fox)++, [hat], (red:1.5), cat AND dog {Q}",
        f"!draw a penguin on ice <lora:penguin:0.8> {Q}",
        f'!draw\na fox,\n"quoted" <b>bold</b> & `code` *star* {Q}',
        f"!draw a fox -no hat, salt-and-pepper—steps of stone, -- steps 5 {Q}",
        f"otterbot: draw a fox {Q}",
        f"`!draw a fox {Q}`",
        "！ｄｒａｗ a fox ––steps 2 −−seed 7",
    )
    yield from _all(
        "explain",
        "!draw (otter)++ [cat:dog:0.5] <lora:penguin:0.8> BREAK (a [b) c] --no (bad)1.2 --explain",
        '!draw ("a","b").and(1, 0.5) --explain',
        "!draw --explain",
    )
    yield _s("with extras", f"!draw ottoline, <lora:oils:0.5> {Q} --model tiny-sd")
    yield _s("random", "!draw an owl --steps 2 --seed random", seeds=False)
    yield _s("fails", f"!draw a fox {Q} --model other-family")
    yield _s("edited when it is done", f"!draw a wolf {Q}", edits="first")
    yield _s("asked again in a thread", f"!draw an owl {Q}", thread="first")


def _refused() -> Iterator[Step]:
    flags = (
        "--steps 0", "--steps many", "--steps 999", "--steps", "--cfg 50", "--cfg high", "--size 5x5", "--size huge",
        "--size 9000x9000", "--ar 9:1", "--ar wide", "--seed -1", "--seed 4294967296", "--seed my", "--variation 7",
        "--variation 1:2", "--model nobody", "--model missing", "--model broken", "--sampler magic", "--count 9",
        "--count 0", "--strength 2", "--strength 0.5", "--inpaint", "--control canny", "--control pose", "--hires 9",
        "--hires 2:7", "--hires 2:0.5:magic", "--ar 3:2 --size 64x64", "--stepz 5", "—stepz 5", "--guidance 5",
        "--width 64", "-n 4", "- -steps 5", "--count 3 --count", "--nonsense", "--model tiny-sd3 --sampler ddim",
        "--model tiny-xl --steps 50", "--model tiny-sd --size 256x256", "--model tiny-klein --hires 2",
    )  # fmt: skip
    yield from _all("refused", *(f"!draw a fox {flag}" for flag in flags))
    yield from _all(
        "refused", "!draw", "!draw --steps 5", "!draw a fox—steps 5", "!draw a fox--seed 5",
        "!draw a fox <lora:nobody>", "!draw a fox --no <lora:penguin>", "!draw a fox <lora:large> --model tiny-sd",
        "!draw a fox <lora:penguin:1:2>",
    )  # fmt: skip
    yield _s("refused: too long", "!draw " + "otter " * 700)


def _from_pictures() -> Iterator[Step]:
    yield _s("changed", "!draw an otter --strength 0.6 --steps 4 --seed 7", reply="scene")
    yield _s("changed caption", "!draw an otter --steps 4 --seed 7 --size 96x128", caption_of="scene")
    yield _s("changed own", "!draw a badger --steps 4 --seed 7", reply="first")
    yield _s("inpainted", "!draw an otter --inpaint --steps 4 --seed 7 --model tiny-sd", reply="holes")
    yield _s("nothing to inpaint", "!draw an otter --inpaint --seed 7", reply="scene")
    yield _s("along edges", "!draw a castle --control canny:0.7 --steps 4 --seed 7 --model tiny-sd", reply="scene")
    yield _s("along a map", "!draw a castle --control my-depth --steps 3 --seed 7 --model tiny-sd", reply="scene")
    yield _s("no edges for it", "!draw a castle --control canny --seed 7", reply="scene")
    yield _s("control and strength", "!draw a castle --control canny --strength 0.5", reply="scene")
    yield _s("from a text", "!draw a castle --strength 0.5", reply="asked first")
    yield _s("from no picture", f"!draw a castle {Q}", reply="text file")
    yield _s("for klein", f"!draw a castle {Q} --model tiny-klein", reply="scene")
    yield _s("upscaled", "!upscale --steps 4 --seed 7", reply="first")
    yield _s("upscaled caption", "!upscale 4 --seed 7 --model tiny-sd --steps 4", caption_of="scene")
    yield _s("upscaled with words", "!upscale 2 a castle")
    yield from _all("upscale refused", "!upscale 3", "!upscale --size 64x64", "!upscale --hires 2", "!upscale big")


def _again() -> Iterator[Step]:
    yield _s("same", "!again --seed same", reply="first")
    yield _s("same, other steps", "!again --seed same --steps 3 --ar 3:2", reply="first")
    yield _s("same, other model", "!again --seed same --model tiny-sd", reply="first")
    yield _s("same from a picture", "!again --seed same", reply="changed")
    yield _s("same inpainted", "!again --seed same", reply="inpainted")
    yield _s("same along edges", "!again --seed same", reply="along edges")
    yield _s("same upscaled", "!again --seed same", reply="upscaled")
    yield _s("same with extras", "!again --seed same", reply="with extras")
    yield _s("a moderator's", "!again --seed same --cfg 2", by="moderator", reply="asked first")
    yield _s("again", "!again", seeds=False)
    yield _s("again twice", "!again --count 2 --no hat", seeds=False)
    yield from _all(
        "again refused", "!again more hats", "!again --seed other", "!again --size 5x5", "!again --strength 0.5"
    )
    yield _s("again of a picture of others", "!again", reply="scene")
    yield _s("varied", "!vary 42:0.2 --count 2", reply="first")
    yield _s("a variation again", "!again --seed same", reply="varied")
    yield _s("a variation varied", "!vary 43:0.3 --count 1", reply="varied")
    yield _s("varied anyhow", "!vary 0.1 --count 2 --steps 3", reply="first", seeds=False)
    yield _s("varied upscaled", "!vary 42:0.2", reply="upscaled")
    yield from _all("vary refused", "!vary 2", "!vary much", "!vary 42:7", "!vary --variation 1:0.5 0.2")


def _room() -> Iterator[Step]:
    yield _s("model by a member", "!model tiny-sd")
    yield _s("model unknown", "!model nobody", by="moderator")
    yield _s("model missing", "!model missing", by="moderator")
    yield _s("model set", "!model tiny-sd", by="moderator")
    yield _s("model now", "!model")
    yield _s("drawn with it", f"!draw a cat {Q}")
    yield _s("model back", "!model default", by="moderator")
    yield _s("safe by a member", "!settings safe on")
    yield _s("settings unknown", "!settings nothing on", by="moderator")
    yield _s("settings unclear", "!settings safe maybe", by="moderator")
    yield _s("safe", "!settings safe on", by="moderator")
    yield _s("settings now", "!settings")
    yield _s("checked", f"!draw a dog {Q}")
    yield _s("found", f"!draw a dog {Q} --model strict-sd")
    yield _s("unsafe again", "!settings safe off", by="moderator")
    yield _s("safe by default", "!settings safe default", by="moderator")


def _chat() -> Iterator[Step]:
    yield _s("chat", "!chat why do otters hold hands?")
    yield _s("chat goes on", "and badgers?", thread="asked chat")
    yield _s("chat again", "!chat my name is Bo", thread="asked chat")
    yield _s("chat without words", "!chat")
    yield _s("chat with markdown", "!chat #markdown please")
    yield _s("chat with code", "!chat #code please")
    yield _s("chat with thoughts", "!chat #think about it")
    yield _s("chat with nothing", "!chat #empty")
    yield _s("chat that breaks off", "!chat #error")
    yield _s("chat that is too long", "!chat " + "word " * 1500)
    yield _s("chat about a picture", "!chat what is this?", reply="first")
    yield _s("chat by name", "otterbot: chat who are you?")


def steps(*, encrypted: bool = False) -> tuple[Step, ...]:
    """For a room of three. Names are unique. What is wrong with a line has nothing to do with encryption: that is typed
    in the plain room only."""
    words, refused = ((), ()) if encrypted else (_words(), _refused())
    return (*words, *_pictures(), *refused, *_from_pictures(), *_again(), *_room(), *_chat())


def waiting() -> tuple[Step, ...]:
    """While the worker is paused: nothing is drawn."""
    return (
        _s("waits", f"!draw a patient otter {Q}"),
        _s("waits too", f"!draw a patient fox {Q}", by="moderator"),
        _s("is edited", f"!draw a patient wolf {Q}", edits="waits"),
        _s("chat waits", "!chat are you there?"),
        _s("queue then", "!queue"),
        _s("status then", "!status"),
        _s("cancel of somebody else's", "!cancel", reply="asked waits too"),
        _s("cancel all by a member", "!cancel all"),
        _s("cancel with words", "!cancel everything"),
        _s("cancel of a text", "!cancel", reply="asked queue then"),
        _s("cancel one", "!cancel", reply="asked is edited"),
        _s("cancel one's own", "!cancel"),
        _s("cancel by a moderator", "!cancel all", by="moderator"),
        _s("queue at last", "!queue"),
    )


ALONE = (
    _s("hello", "hello, otter"),
    _s("goes on", "what did I say?"),
    _s("chat alone", "!chat and now?"),
    _s("draws alone", f"!draw an otter {Q}"),
    _s("unknown alone", "!unknown", silent=True),
)
"""In a room with only one person and the bot."""
