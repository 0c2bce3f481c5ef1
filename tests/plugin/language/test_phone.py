"""Commands and flags as phones, keyboards and other people's clients type them."""

from __future__ import annotations

import time
from itertools import product

import pytest
from command_rig import Rig
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import parse

from otterbot.language import dashes
from otterbot.language.intents import Intent, begins_with_prefix
from otterbot.language.option_table import FLAGS
from otterbot.language.options import DrawOptions
from otterbot.language.problems import Overlooked

UNSEEN = ("", "\u200b", "\u200e", "\u2060", "\ufeff", "\u00ad", "\u200d", "\ufe0f", "\u2068", "\u2069", "\u200c")


def read(body: str, prefix: str = "!") -> Intent:
    intent = parse(body, prefix=prefix)
    assert intent is not None, body
    return intent


def drawn(body: str) -> DrawOptions:
    intent = read(body)
    assert intent.problem is None, (body, intent.problem)
    return intent.options


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("body", "name", "text"),
    [
        ("！draw otter", "draw", "otter"), ("！ｄｒａｗ　otter", "draw", "otter"), ("﹗draw otter", "draw", "otter"),
        ("！ draw otter", "draw", "otter"),
        ("\ufeff!draw otter", "draw", "otter"), ("\u200e!draw otter", "draw", "otter"),
        ("!\u200bdraw otter", "draw", "otter"),
        ("!dr\u00adaw otter", "draw", "otter"), ("\u2068!draw otter\u2069", "draw", "otter"),
        ("!draw\u00a0otter", "draw", "otter"),
        ("!draw\u2028otter", "draw", "otter"), ("!draw\r\notter", "draw", "otter"),
        ("!\ufe0fdraw otter", "draw", "otter"),
        (r"\!draw otter", "draw", "otter"), (r"\\!draw otter", "draw", "otter"), (r"\！draw otter", "draw", "otter"),
        ("**!draw otter**", "draw", "otter"), ("__!draw otter__", "draw", "otter"),
        ("*!draw otter*", "draw", "otter"), ("_!draw otter_", "draw", "otter"),
        ("***!draw otter***", "draw", "otter"), ("~~!draw otter~~", "draw", "otter"),
        ("||!draw otter||", "draw", "otter"),
        ("**!draw** otter", "draw", "otter"), ("*!draw otter* --steps 5", "draw", "otter"),
        ("**_!draw otter_**", "draw", "otter"),
        ("`!draw otter`", "draw", "otter"), ("```\n!draw otter\n```", "draw", "otter"),
        ("`!draw otter`.", "draw", "otter."),
        ('"!draw otter"', "draw", "otter"), ("“!draw otter”", "draw", "otter"), ("„!draw otter“", "draw", "otter"),
        ("«!draw otter»", "draw", "otter"),
        ("'!draw otter'", "draw", "otter"), ("「!draw otter」", "draw", "otter"),
        (r"**\!draw otter**", "draw", "otter"),
        ("_!draw my_file_ otter_", "draw", "my_file_ otter"), ("!draw *otter*", "draw", "*otter*"),
        ("!draw **otter**", "draw", "**otter**"),
        ("!draw, otter", "draw", "otter"), ("!draw. otter", "draw", "otter"), ("!draw; otter", "draw", "otter"),
        ("!draw,otter", "draw", "otter"),
        ("!draw： otter", "draw", "otter"), ("!draw，otter", "draw", "otter"), ("!draw、otter", "draw", "otter"),
        ("!DRAW otter", "draw", "otter"), ("!Draw otter", "draw", "otter"), ("! Draw otter", "draw", "otter"),
        ("!draw otter.", "draw", "otter."),
        ("!again.", "again", ""), ("!again,", "again", ""), ("!again!", "again", ""), ("!again…", "again", ""),
        ("!again。", "again", ""), ("!again .", "again", ""),
        ("!Again?!", "again", ""), ("!vary.", "vary", ""), ("!upscale.", "upscale", ""),
        ("!help!", "help", ""), ("!help?", "help", ""), ("!help draw.", "help", "draw"), ("!queue.", "queue", ""),
        ("!status?", "status", ""),
        ("!cancel.", "cancel", ""), ("!cancel all.", "cancel", "all"), ("!cancel ＡＬＬ", "cancel", "all"),
        ("!cancel\u00a0all!", "cancel", "all"),
        ("!model ssd-1b.", "model", "ssd-1b"), ("!model llama3.2", "model", "llama3.2"),
        ("!settings safe on.", "settings", "safe on"),
        ("!chat why?", "chat", "why?"), ("**!chat why?**", "chat", "why?"), ("！chat why?", "chat", "why?"),
        ("!draw −−help", "help", "draw"),
        (r"!draw \-\-help", "help", "draw"), ("!draw ——help.", "help", "draw"),
    ],
)  # fmt: skip
def test_commands(body: str, name: str, text: str) -> None:
    intent = read(body)
    assert intent.name == name
    assert (intent.options.prompt or "" if name in ("draw", "again", "vary", "upscale") else intent.text) == text
    assert intent.problem is None


@pytest.mark.parametrize(
    "body",
    [
        '"!draw otter" makes pictures', "`!draw` makes pictures", "`!draw otter` is what you want", "> !draw otter",
        ">!draw otter",
        "!draw.io", "!draw-otter", "!draw's", "!drawn otter", "!draw! otter", "!draw? otter", "say !draw otter",
        "«!draw» otter", "!¡draw",
        "\\draw otter", "**draw otter**", "｜draw otter",
    ],
)  # fmt: skip
def test_talk_about_commands_is_none(body: str) -> None:
    intent = parse(body, prefix="!")
    assert intent is None


@pytest.mark.parametrize(("prefix", "body"), [("！", "!draw otter"), ("otter:", "ｏｔｔｅｒ： draw otter"),
    ("*", "*draw otter"), ("\\", "\\draw otter"), ("_", "_draw otter"), ("'", "'draw otter")])  # fmt: skip
def test_prefixes_of_any_kind(prefix: str, body: str) -> None:
    assert read(body, prefix).options.prompt == "otter"


@pytest.mark.parametrize("body", ["！wow", "\\!wow", "**!wow**", "\u200b!wow", "!wow"])
def test_another_bots_command_is_no_chat(body: str) -> None:
    assert parse(body, prefix="!") is None
    assert begins_with_prefix(body, "!")


def test_the_prompt_stays_what_was_typed() -> None:
    for words in (
        "Oregon 💚",
        "👨\u200d👩\u200d👧 on the beach",
        "❤️\u200d🔥 sign",
        "می\u200cخواهم",
        "水獭，帽子",
        "naïve „Möwe“ — at sea",
        "（猫）＋",
    ):
        assert drawn(f"！draw {words}").prompt == words
        assert drawn(f"**!draw {words} −−steps 5**") == DrawOptions(prompt=words, steps=5)
    assert drawn("!draw ot\u200bter\u200e, \u202eהאט\u202c").prompt == "otter, האט"


# ---------------------------------------------------------------- flags

REPORTED = [
    "!draw otter ––steps 2", "!draw otter −−steps 2", "!draw otter ‑‑steps 2", "!draw otter －－steps 2",
    "!draw otter -—steps 2",
    "!draw otter ---steps 2", "!draw otter \u200e--steps 2", "!draw otter --\u200bsteps 2",
    "!draw otter \\-\\-steps 2",
]  # fmt: skip


@pytest.mark.parametrize("body", REPORTED)
def test_the_forms_of_the_reports_are_flags(body: str) -> None:
    assert drawn(body) == DrawOptions(prompt="otter", steps=2)


@pytest.mark.parametrize(
    "flag",
    [
        "—steps 2", "–steps 2", "―steps 2", "‒steps 2", "——steps 2", "—-steps 2", "-–steps 2", "﹣﹣steps 2",
        "﹘steps 2", "⸺steps 2", "‐‐steps 2", "ーーsteps 2",
        "──steps 2", r"\--steps 2", r"-\-steps 2", r"\—steps 2", r"\\-\\-steps 2", "-\u200b-steps 2",
        "-\u2060-\u200esteps 2", "−\ufe0f−\ufe0fsteps 2", "--ＳＴＥＰＳ ２",
        "－－ｓｔｅｐｓ＝２", "--steps：2", "--steps 2.", "--steps 2,", "--steps 2。", "--steps\u00a02",
        "--steps\u200b 2", "--Steps 2!", "-----steps 2", "\u200f−−\u200fsteps\u200f 2",
        "\\-\u200b\\-steps 2",
    ],
)  # fmt: skip
def test_any_run_of_dashes_before_a_known_flag_is_that_flag(flag: str) -> None:
    assert drawn(f"!draw otter {flag}") == DrawOptions(prompt="otter", steps=2)
    assert drawn(f"!draw otter, {flag} --cfg 3") == DrawOptions(prompt="otter,", steps=2, guidance_scale=3.0)
    assert drawn(f"!again {flag}") == DrawOptions(steps=2)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(sorted({*dashes.SHORT, *dashes.LONG})), min_size=2, max_size=4),
    st.lists(st.sampled_from([*UNSEEN, "\\"]), min_size=4, max_size=4),
    st.sampled_from(["otter", "水獭", "خروس", "otter 💚", "👨\u200d👩\u200d👧"]),
)
def test_runs_of_any_mixture(run: list[str], between: list[str], prompt: str) -> None:
    typed = "".join(f"{unseen}{dash}" for unseen, dash in zip(between, run, strict=False))
    options = drawn(f"!draw {prompt} {typed}steps 7 {typed}no 🐟 دریا")
    assert options == DrawOptions(prompt=prompt, steps=7, negative_prompt="🐟 دریا")


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ("otter,--steps 5", DrawOptions(prompt="otter,", steps=5)),
        ("猫，——steps 5", DrawOptions(prompt="猫，", steps=5)),
        ("otter --size ７６８ｘ５１２", DrawOptions(prompt="otter", width=768, height=512)),
        ("otter --size 768x512.", DrawOptions(prompt="otter", width=768, height=512)),
        ("otter --ar 3：2", DrawOptions(prompt="otter", aspect="3:2")),
        ("otter --ar 3:2.", DrawOptions(prompt="otter", aspect="3:2")),
        ("otter --cfg ７．５", DrawOptions(prompt="otter", guidance_scale=7.5)),
        ("otter --cfg 7,5.", DrawOptions(prompt="otter", guidance_scale=7.5)),
        ("otter --seed −1", DrawOptions(prompt="otter", seed="random")),
        ("otter --model ssd-1b.", DrawOptions(prompt="otter", model="ssd-1b")),
        ("otter --model 「my model」", DrawOptions(prompt="otter", model="my model")),
        ("otter --sampler euler a.", DrawOptions(prompt="otter", sampler="euler a")),
        ("otter --sampler euler a −−steps 5", DrawOptions(prompt="otter", sampler="euler a", steps=5)),
    ],
)
def test_values(typed: str, options: DrawOptions) -> None:
    assert drawn(f"!draw {typed}") == options


def test_a_flag_may_stand_right_behind_the_command() -> None:
    assert drawn("!again--steps 5") == drawn("!again—steps 5") == DrawOptions(steps=5)
    assert drawn("!draw--steps 5 otter") == DrawOptions(prompt="otter", steps=5)
    assert drawn("!vary 0.4.").variation == drawn("!vary 0.4").variation
    assert drawn("!upscale 4x.").upscale == 4


# ---------------------------------------------------------------- what is not taken is named


@pytest.mark.parametrize(
    ("typed", "code", "meant"),
    [
        ("otter--steps 5", "glued", "steps"), ("otter—steps 5", "glued", "steps"), ("猫——steps 5", "glued", "steps"),
        ("(otter)—steps 5", "glued", "steps"),
        ("(hat)++--steps 5", "glued", "steps"), ("otter.--size 768x768", "glued", "size"),
        ("otter--seed same", "glued", "seed"), ("otter\\-\\-steps 5", "glued", "steps"),
        ("otter--count 99", "glued", "count"),
        ("otter -steps 5", "one_dash", "steps"), ("otter −steps 5", "one_dash", "steps"),
        ("otter -n 4", "one_dash", "count"), ("otter -s 30", "one_dash", "steps"),
        ("otter - -steps 5", "one_dash", "steps"), ("otter -w 512", "one_dash", "size"),
        ("otter -cfg 7.5", "one_dash", "cfg"), ("otter -ar 16 : 9", "one_dash", "ar"),
        ("otter \\-steps 5", "one_dash", "steps"),
        ("otter --stepz 5", "unknown_flag", "steps"), ("otter —stepz 5", "unknown_flag", "steps"),
        ("otter −−stepz 5", "unknown_flag", "steps"),
        ("otter -—steps5", "unknown_flag", "steps"),
        ("otter \\-\\-stepz 5", "unknown_flag", "steps"), ("otter ---stepz 5", "unknown_flag", "steps"),
    ],
)  # fmt: skip
async def test_what_can_hardly_be_words_is_refused(rig: Rig, typed: str, code: str, meant: str) -> None:
    for command in ("draw", "again"):
        problem = read(f"!{command} {typed}").problem
        assert problem is not None
        assert (problem.code, problem.near[0]) == (code, meant)
    said = await rig.answer(f"!draw {typed}")
    assert f"`--{meant}" in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("typed", "form", "shown"),
    [
        ("salt-and-pepper—steps of stone", "glued", "—steps"), ("otter--no hat", "glued", "--no"),
        ("king—portrait of", "glued", "—portrait"),
        ("otter -no hat", "one_dash", "-no"), ("otter -portrait", "one_dash", "-portrait"),
        ("otter -steps many", "one_dash", "-steps"),
        ("otter -- steps 5", "spaced", "-- steps"), ("otter — steps 5", "spaced", "— steps"),
        ("otter - steps 5", "spaced", "- steps"),
        ("otter -- no hat", "spaced", "-- no"), ("otter--strength of stone", "glued", "--strength"),
    ],
)  # fmt: skip
async def test_what_may_be_words_is_drawn_and_named(rig: Rig, typed: str, form: str, shown: str) -> None:
    intent = read(f"!draw {typed}")
    assert intent.problem is None
    assert intent.options == DrawOptions(prompt=typed)
    (one,) = intent.overlooked
    assert (one.form, one.typed) == (form, shown)
    outcome = await rig.say(f"!draw {typed}")
    assert outcome is not None
    assert outcome.request is not None
    (note,) = outcome.request.notes
    assert f"`{shown}` was read as words" in note
    assert f"`--{one.flag}`" in note


@pytest.mark.parametrize(
    "typed",
    [
        "otter--hat", "e—mail", "5 -- 6", "-otter", "- ---", "semi-portrait", "well-known, no-man's-land",
        "otter — with hat – and boots", "otter — no hat",
        "—la mer —a boat —por favor", "otter —with a hat", "1990–2000", "x-size", "ケーキ", "a-no-b",
        "— a stone's size", "——一只猫", "otter - size of a house",
    ],
)  # fmt: skip
def test_prose_is_prose(typed: str) -> None:
    intent = read(f"!draw {typed}")
    assert (intent.problem, intent.overlooked, intent.options) == (None, (), DrawOptions(prompt=typed))


async def test_what_was_overlooked_is_said_with_an_explanation(rig: Rig) -> None:
    assert "`-no` was read as words" in await rig.answer("!draw otter -no hat --explain")


def test_only_a_few_are_named() -> None:
    intent = read("!draw otter" + "".join(f" -{flag} x" for flag in FLAGS))
    assert len(intent.overlooked) == 3
    first = next(iter(FLAGS))
    assert intent.overlooked[0] == Overlooked(form="one_dash", typed=f"-{first}", flag=first)


# ---------------------------------------------------------------- linear time

UNITS = ["-", "\\-", "\\", "—", "\u200b-", "-steps ", " -steps x", "a--no ", "—size 3x", "-- steps ", "*", "_", "**!",
    "`", "\"!", "！", "\\!", "ー", "--a-b", " --no -n x", "!draw--", "。", ",-"]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_64_kilobytes_are_read_quickly(unit: str) -> None:
    text = unit * (64_000 // len(unit))
    for body in (f"!draw {text}", f"!draw otter {text}", f"!again {text}", text, f"**!draw {text}", f"!vary {text}"):
        begin = time.process_time()
        parse(body, prefix="!")
        assert time.process_time() - begin < 5, "what is not linear takes minutes"


def test_every_flag_and_every_dash() -> None:
    for flag, dash in product(("no", "steps", "model", "square", "hires"), sorted({*dashes.SHORT, *dashes.LONG})):
        value = {"no": "blur", "steps": "5", "model": "m", "square": "", "hires": "2"}[flag]
        assert drawn(f"!draw otter {dash * 2}{flag} {value}").prompt == "otter", (flag, dash)
