"""The table of what people type, and properties that hold for everything they could type."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import NAMES, parse

from otterbot.language import dashes
from otterbot.language.option_table import FLAGS
from otterbot.language.options import DrawOptions
from otterbot.language.typed import clean


def draw(text: str, prefix: str = "!") -> DrawOptions:
    intent = parse(text, prefix=prefix)
    assert intent is not None
    assert intent.problem is None, intent.problem
    return intent.options


@pytest.mark.parametrize(
    ("body", "name", "text"),
    [
        ("!help", "help", ""),
        ("!help draw", "help", "draw"),
        ("!HELP", "help", ""),
        ("  !queue", "queue", ""),
        ("\n!queue\n", "queue", ""),
        ("! queue", "queue", ""),
        ("!\tstatus", "status", ""),
        ("!status please", "status", "please"),
        ("!models", "models", ""),
        ("!model", "model", ""),
        ("!model ssd-1b", "model", "ssd-1b"),
        ("!Model: ssd-1b", "model", "ssd-1b"),
        ("!cancel", "cancel", ""),
        ("!cancel ALL", "cancel", "all"),
        ("!chat why do otters hold hands?", "chat", "why do otters hold hands?"),
        ("!chat\nfirst\n  second", "chat", "first\n  second"),
        ("!chat --steps 3 is a flag", "chat", "--steps 3 is a flag"),
        ("!draw --help", "help", "draw"),
        ("!chat --help", "help", "chat"),
        ("!again —help", "help", "again"),
    ],
)
def test_commands(body: str, name: str, text: str) -> None:
    intent = parse(body, prefix="!")
    assert intent is not None
    assert (intent.name, intent.text, intent.problem) == (name, text, None)


@pytest.mark.parametrize(
    "body",
    [
        "", " ", "!", "! ", "!!", "!!draw otter", "draw otter", "hello", "!drawing otter", "!draw's syntax",
        "!wow", "!1", "?draw otter", "wow! draw otter", "!\ndraw otter", "!sketch otter", "!draws",
        "!drаw otter",  # a Cyrillic а
    ],
)  # fmt: skip
def test_not_for_us(body: str) -> None:
    assert parse(body, prefix="!") is None


@pytest.mark.parametrize(
    ("prefix", "body", "prompt"),
    [
        ("otter:", "otter: draw a hat", "a hat"),
        ("otter:", "Otter:draw a hat", "a hat"),
        ("otter:", "OTTER:   draw a hat", "a hat"),
        ("!o", "!o draw a hat", "a hat"),
        ("!o", "!O Draw a hat", "a hat"),
        ("ötter,", "ÖTTER, draw a hat", "a hat"),
        ("🦦", "🦦draw a hat", "a hat"),
        ("🦦", "🦦 draw a hat", "a hat"),
    ],
)
def test_prefixes(prefix: str, body: str, prompt: str) -> None:
    assert draw(body, prefix).prompt == prompt


@pytest.mark.parametrize(
    ("prefix", "body"), [("otter", "otters draw on maps"), ("!o", "!odraw a hat"), ("!o", "!draw")]
)
def test_prefixes_that_are_words_end(prefix: str, body: str) -> None:
    assert parse(body, prefix=prefix) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("!draw otter", {"prompt": "otter"}),
        ("!draw\notter", {"prompt": "otter"}),
        ("!draw otter,\n  cowboy hat ", {"prompt": "otter,\n  cowboy hat"}),
        ("!draw  Oregon 💚, „Möwe“, 水獭", {"prompt": "Oregon 💚, „Möwe“, 水獭"}),
        ("!draw draw again", {"prompt": "draw again"}),
        ("!draw help", {"prompt": "help"}),
        ('!draw a sign that says "no --steps"', None),
        ("!draw otter--hat, e—mail, 5 -- 6, -no, - ---", {"prompt": "otter--hat, e—mail, 5 -- 6, -no, - ---"}),
        ("!draw otter — with hat – and boots", {"prompt": "otter — with hat – and boots"}),
        ("!draw otter —with a hat", {"prompt": "otter —with a hat"}),
        ("!draw @room <b>otter</b> *hat* (hat)++ [x]", {"prompt": "@room <b>otter</b> *hat* (hat)++ [x]"}),
        ("!draw otter --steps 30", {"prompt": "otter", "steps": 30}),
        ("!draw otter —steps 30", {"prompt": "otter", "steps": 30}),
        ("!draw otter –steps 30 ―cfg 9", {"prompt": "otter", "steps": 30, "guidance_scale": 9.0}),
        ("!draw otter --Steps 30", {"prompt": "otter", "steps": 30}),
        ("!draw otter --steps=30", {"prompt": "otter", "steps": 30}),
        ("!draw otter --steps: 30", {"prompt": "otter", "steps": 30}),
        ("!draw otter --steps 30, --cfg 9;", {"prompt": "otter", "steps": 30, "guidance_scale": 9.0}),
        ("!draw otter --steps ３０", {"prompt": "otter", "steps": 30}),
        ("!draw --steps 30 otter", {"prompt": "otter", "steps": 30}),
        ("!draw otter --steps 30 with hat", {"prompt": "otter with hat", "steps": 30}),
        ("!draw otter\n--steps 30\n--count 2", {"prompt": "otter", "steps": 30, "count": 2}),
        ("!draw otter --cfg 7.5", {"prompt": "otter", "guidance_scale": 7.5}),
        ("!draw otter --cfg 7,5", {"prompt": "otter", "guidance_scale": 7.5}),
        ("!draw otter --clip-skip 2", {"prompt": "otter", "clip_skip": 2}),
        ("!draw otter —clip-skip 2", {"prompt": "otter", "clip_skip": 2}),
        ("!draw otter --cfg .5", {"prompt": "otter", "guidance_scale": 0.5}),
        ("!draw otter --cfg 0", {"prompt": "otter", "guidance_scale": 0.0}),
        ("!draw otter --size 768x512", {"prompt": "otter", "width": 768, "height": 512}),
        ("!draw otter --size 768×512", {"prompt": "otter", "width": 768, "height": 512}),
        ("!draw otter --size 768 x 512 wet", {"prompt": "otter wet", "width": 768, "height": 512}),
        ("!draw otter --size 768X512, wet", {"prompt": "otter wet", "width": 768, "height": 512}),
        ("!draw otter --size 512", {"prompt": "otter", "width": 512, "height": 512}),
        ("!draw otter --ar 3:2", {"prompt": "otter", "aspect": "3:2"}),
        ("!draw otter --aspect 3:2, wet", {"prompt": "otter wet", "aspect": "3:2"}),
        ("!draw otter —aspect=16 : 9 wet", {"prompt": "otter wet", "aspect": "16:9"}),
        ("!draw otter --AR 03x2", {"prompt": "otter", "aspect": "3:2"}),
        ("!draw otter --ar ３/２", {"prompt": "otter", "aspect": "3:2"}),
        ("!draw otter --ar Portrait", {"prompt": "otter", "aspect": "portrait"}),
        ("!draw --square otter", {"prompt": "otter", "aspect": "square"}),
        ("!draw otter --portrait of a king", {"prompt": "otter of a king", "aspect": "portrait"}),
        ("!draw otter —landscape", {"prompt": "otter", "aspect": "landscape"}),
        ("!draw otter —la mer —a boat —por favor", {"prompt": "otter —la mer —a boat —por favor"}),
        ("!draw otter --seed 42", {"prompt": "otter", "seed": 42}),
        ("!draw otter --seed 4294967295", {"prompt": "otter", "seed": 4294967295}),
        ("!draw otter --seed random", {"prompt": "otter", "seed": "random"}),
        ("!draw otter --seed -1", {"prompt": "otter", "seed": "random"}),
        ("!draw otter --seed Same", {"prompt": "otter", "seed": "same"}),
        ("!draw otter --model ssd-1b", {"prompt": "otter", "model": "ssd-1b"}),
        ('!draw otter --model "my model"', {"prompt": "otter", "model": "my model"}),
        ("!draw otter --model “my model” --steps 3", {"prompt": "otter", "model": "my model", "steps": 3}),
        ("!draw otter --sampler euler a", {"prompt": "otter", "sampler": "euler a"}),
        ("!draw otter --sampler euler a --steps 3", {"prompt": "otter", "sampler": "euler a", "steps": 3}),
        ("!draw --sampler euler a cute otter", {"prompt": "a cute otter", "sampler": "euler"}),
        ("!draw otter --sampler DPM++ 2M Karras wet", {"prompt": "otter wet", "sampler": "DPM++ 2M Karras"}),
        ("!draw otter --no blurry, text", {"prompt": "otter", "negative_prompt": "blurry, text"}),
        ("!draw otter —no blurry, text", {"prompt": "otter", "negative_prompt": "blurry, text"}),
        (
            "!draw otter --no blurry, text --steps 3 wet",
            {"prompt": "otter wet", "negative_prompt": "blurry, text", "steps": 3},
        ),
        ("!draw otter --no=blurry text", {"prompt": "otter", "negative_prompt": "blurry text"}),
        ('!draw otter --no "blurry text"', {"prompt": "otter", "negative_prompt": "blurry text"}),
        ('!draw otter --no "text", logo', {"prompt": "otter", "negative_prompt": '"text", logo'}),
        ('!draw otter --no "a --steps b"', {"prompt": "otter", "negative_prompt": "a --steps b"}),
        ('!draw otter --no 5" nails --steps 3', {"prompt": "otter", "negative_prompt": '5" nails', "steps": 3}),
        ('!draw otter --no ""', {"prompt": "otter", "negative_prompt": ""}),
        ("!draw otter --no a --no b", {"prompt": "otter", "negative_prompt": "a, b"}),
        ("!draw otter --no blurry —really", {"prompt": "otter", "negative_prompt": "blurry —really"}),
        ('!draw 5" screen --steps 3', {"prompt": '5" screen', "steps": 3}),
        ("!draw otter --count 4", {"prompt": "otter", "count": 4}),
        (
            "!draw otter, (cowboy hat)++, ((pizza)), <lora:cereal_box:0.8> --no blurry --steps 30 --cfg 12 "
            "--size 768x768 --seed 42 --sampler unipc --model ssd-1b --count 4",
            {
                "prompt": "otter, (cowboy hat)++, ((pizza)), <lora:cereal_box:0.8>",
                "negative_prompt": "blurry",
                "steps": 30,
                "guidance_scale": 12.0,
                "width": 768,
                "height": 768,
                "seed": 42,
                "sampler": "unipc",
                "model": "ssd-1b",
                "count": 4,
            },
        ),
    ],
)  # fmt: skip
def test_draw(body: str, expected: dict[str, Any] | None) -> None:
    if expected is None:
        intent = parse(body, prefix="!")
        assert intent is not None
        assert intent.problem is not None
        return
    options = draw(body)
    assert {name: value for name, value in vars(options).items() if value is not None} == expected


@pytest.mark.parametrize(
    ("body", "code", "flag"),
    [
        ("!draw", "no_prompt", ""),
        ("!draw   ", "no_prompt", ""),
        ("!draw --steps 30", "no_prompt", ""),
        ("!draw --no blurry otter", "no_prompt", ""),
        ("!chat", "no_text", ""),
        ("!again with a hat", "stray_text", ""),
        ("!cancel my picture", "stray_text", ""),
        ("!draw otter --steps", "no_value", "steps"),
        ("!draw otter --steps --cfg 3", "no_value", "steps"),
        ("!draw otter --no", "no_value", "no"),
        ("!draw otter --no --cfg 3", "no_value", "no"),
        ("!draw otter --model ''", "no_value", "model"),
        ("!draw otter --steps many", "bad_value", "steps"),
        ("!draw otter --steps 2.5", "bad_value", "steps"),
        ("!draw otter --steps 0", "bad_value", "steps"),
        ("!draw otter --steps -3", "bad_value", "steps"),
        ("!draw otter --steps 201", "too_large", "steps"),
        ("!draw otter --steps 1_0", "bad_value", "steps"),
        ("!draw otter --steps " + "9" * 5000, "too_large", "steps"),
        ("!draw otter --cfg nan", "bad_value", "cfg"),
        ("!draw otter --cfg inf", "bad_value", "cfg"),
        ("!draw otter --cfg 1e3", "bad_value", "cfg"),
        ("!draw otter --cfg -1", "bad_value", "cfg"),
        ("!draw otter --cfg 31", "too_large", "cfg"),
        ("!draw otter --cfg " + "1" * 400, "too_large", "cfg"),
        ("!draw otter --size big", "bad_value", "size"),
        ("!draw otter --size 768x", "bad_value", "size"),
        ("!draw otter --size 0x768", "bad_value", "size"),
        ("!draw otter --size 768x99999", "too_large", "size"),
        ("!draw otter --size 1x1x1", "bad_value", "size"),
        ("!draw otter --ar", "no_value", "ar"),
        ("!draw otter --ar --square", "no_value", "ar"),
        ("!draw otter --ar 5:1", "bad_value", "ar"),
        ("!draw otter --ar 1:5", "bad_value", "ar"),
        ("!draw otter --ar 0:0", "bad_value", "ar"),
        ("!draw otter --ar 3", "bad_value", "ar"),
        ("!draw otter --ar 1.5", "bad_value", "ar"),
        ("!draw otter --ar 3:2:1", "bad_value", "ar"),
        ("!draw otter --aspect round", "bad_value", "ar"),
        ("!draw otter --ar " + "1" * 64_000 + ":1", "bad_value", "ar"),
        ("!draw otter --ar 3:2 --ar 2:3", "twice", "ar"),
        ("!draw otter --square --square", "twice", "square"),
        ("!draw otter --square --portrait", "conflict", "portrait"),
        ("!draw otter --ar 3:2 --portrait", "conflict", "portrait"),
        ("!draw otter --portrait --ar 3:2", "conflict", "ar"),
        ("!draw otter --ar 3:2 --size 768", "conflict", "size"),
        ("!draw otter --size 768 --landscape", "conflict", "landscape"),
        ("!draw otter --seed -2", "bad_value", "seed"),
        ("!draw otter --seed 4294967296", "too_large", "seed"),
        ("!draw otter --seed old", "bad_value", "seed"),
        ("!draw otter --count 9", "too_large", "count"),
        ("!draw otter --count 0", "bad_value", "count"),
        ("!draw otter --model " + "m" * 300, "bad_value", "model"),
        ("!draw otter --steps 3 --steps 4", "twice", "steps"),
        ("!draw otter --size 3x3 --size 4", "bad_value", "size"),
        ("!draw otter --size 64x64 --size 64", "twice", "size"),
        ("!draw otter --steps30", "unknown_flag", "steps30"),
        ("!draw otter --stesp 30", "unknown_flag", "stesp"),
        ("!draw otter —stesp 30", "unknown_flag", "stesp"),
        ("!draw otter --wings", "unknown_flag", "wings"),
        ("!again --Größe 3", "unknown_flag", "größe"),
    ],
)  # fmt: skip
def test_problems(body: str, code: str, flag: str) -> None:
    intent = parse(body, prefix="!")
    assert intent is not None
    assert intent.problem is not None
    assert (intent.problem.code, intent.problem.flag) == (code, flag)


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("stesp", ("steps",)),
        ("step", ("steps",)),
        ("steps30", ("steps",)),
        ("negative", ("no",)),
        ("guidance", ("cfg",)),
        ("width", ("size",)),
        ("scheduler", ("sampler",)),
        ("ratio", ("ar",)),
        ("landscap", ("landscape",)),
        ("potrait", ("portrait",)),
        ("la", ()),
        ("modle", ("model",)),
        ("wings", ()),
        ("x" * 60_000, ()),
    ],
)
def test_near_flags(typed: str, near: tuple[str, ...]) -> None:
    intent = parse(f"!draw otter --{typed} 3", prefix="!")
    assert intent is not None
    assert intent.problem is not None
    assert intent.problem.near == near
    assert len(intent.problem.flag) <= 40


HOSTILE = (
    "--no " * 13_000,
    '--no "' * 11_000,
    '!draw x --no "a' + '" "b' * 16_000,
    "—with " * 11_000,
    "—s" + " —stepp" * 8_000,
    "-" * 64_000,
    "—" * 64_000,
    "\t" * 64_000,
    "--size " + "1" * 64_000,
    "--size 1" + " " * 64_000 + "x",
    "--ar 1" + " " * 64_000 + ":1",
    "--ar " + "1:" * 32_000,
    "--sampler a" + " a" * 32_000,
    "--sampler x" + " karras" * 9_000,
    "--" + "a" * 64_000,
    "--" + "a-" * 32_000,
    "“" * 64_000,
    '--model "' + '"a' * 32_000,
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_64_kilobytes_are_read_quickly(text: str) -> None:
    for body in (f"!draw {text}", f"!draw otter {text}", f"!again {text}", text, f"!{text}", " " * 64_000 + text):
        begin = time.process_time()
        parse(body, prefix="!")
        assert time.process_time() - begin < 5, "what is not linear takes minutes"


ANYTHING = st.text(max_size=200)
BITS = st.sampled_from(
    [*(f"--{flag}" for flag in FLAGS), "—no", "–steps", "--", "—", '"', "'", "“", "”", "=", "x", "768x768", "30", "-1",
     "3:2", "7,5", "nan", "same", " ", "\n", "otter", "a", "++", "2m", "!", "💚", "\ud800", "\u202e", "\x00", "--help"]
)  # fmt: skip
JUMBLE = st.lists(BITS | ANYTHING, max_size=20).map(" ".join) | st.lists(BITS, max_size=30).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(NAMES), ANYTHING | JUMBLE, st.sampled_from(["!", "otter:", "!o"]))
def test_parsing_never_raises(name: str, text: str, prefix: str) -> None:
    parse(text, prefix=prefix)
    intent = parse(f"{prefix} {name} {text}", prefix=prefix)
    if intent is not None:
        intent.text.encode()
        for value in vars(intent.options).values():
            str(value).encode()


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_plain_prompts_go_through_unchanged(prompt: str) -> None:
    words = clean(prompt).strip()
    if re.search(f"[{dashes.ANY}]", words) or not words:
        return
    assert draw(f"!draw {prompt}").prompt == words


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(r"[a-z💚水,.()+ ]{1,40}", fullmatch=True).filter(str.strip),
    st.integers(1, 200),
    st.integers(0, 2**32 - 1),
    st.integers(0, 300).map(lambda tenths: tenths / 10),
)
def test_what_is_typed_is_what_comes_out(prompt: str, steps: int, seed: int, cfg: float) -> None:
    for flags in (f"--steps {steps} --seed {seed} --cfg {cfg}", f"—cfg={cfg} —seed={seed} —steps={steps}"):
        options = draw(f"!draw {prompt} {flags}")
        assert options == DrawOptions(prompt=prompt.strip(), steps=steps, seed=seed, guidance_scale=cfg)


def test_asked_is_only_what_was_typed() -> None:
    assert draw("!draw otter --steps 3 --seed random").asked() == {"prompt": "otter", "steps": 3}
    assert draw("!draw otter --seed 0 --cfg 0 --no ''").asked() == {
        "prompt": "otter", "seed": 0, "guidance_scale": 0.0, "negative_prompt": ""
    }  # fmt: skip
