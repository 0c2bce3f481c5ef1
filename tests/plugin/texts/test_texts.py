"""People's words are shown as they are; every sentence is one; nothing of it is markup that nobody meant."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maubot.matrix import parse_formatted

from otterbot import texts
from otterbot.errors import FieldProblem, WorkerRefused
from otterbot.texts import worker
from otterbot.worker.info import Info, ModelDefaults, Pause
from otterbot.worker.jobs import Failure, Job

HOSTILE = (
    "**b** _i_ `c` <b>h</b> [l](http://x) ![p](mxc://x/y) @room @user:test # h\n> q\n1. x\n- y\n&amp; <!-- \\ | ~~s~~"
)
PRINTABLE = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), min_size=1, max_size=60)


async def rendered(markdown: str) -> tuple[str, str]:
    return await parse_formatted(markdown)


async def test_hostile_words_are_shown_as_they_are() -> None:
    _, page = await rendered(f"before {texts.plain(HOSTILE, 500)} after")
    assert re.findall(r"<[^>]*>", page) == ["<p>", "</p>"]
    assert html.unescape(re.sub(r"<[^>]*>", "", page)).strip() == f"before {' '.join(HOSTILE.split())} after"
    _, page = await rendered(texts.code(HOSTILE, 500))
    assert re.findall(r"<[^>]*>", page) == ["<p>", "<code>", "</code>", "</p>"]


@settings(max_examples=150, deadline=None)
@given(PRINTABLE)
def test_anything_is_shown_as_it_is(words: str) -> None:
    from mautrix.util.markdown import render

    page = render(f"x {texts.plain(words, 100)} x")
    assert re.findall(r"<[^>]*>", page) == ["<p>", "</p>"]
    assert html.unescape(re.sub(r"</?p>", "", page)).split() == f"x {words} x".split()


def test_words_are_cut() -> None:
    assert texts.one_line("a\n b\t\tc", 10) == "a b c"
    assert texts.one_line("x" * 100, 10) == "x" * 9 + "…"
    assert "\u202e" not in texts.one_line("evil\u202etxt", 50)
    assert len(texts.plain("y" * 10**6, 60)) == 60


def job(state: str, kind: str = "image", **more: Any) -> Job:
    return Job.read({"id": "j", "key": "k", "kind": kind, "state": state, "request": {"model": "ssd-1b"}, **more})


def picture(state: str, phase: str | None = None, **progress: Any) -> dict[str, Any]:
    return {"index": 0, "state": state, "progress": phase and {"phase": phase, **progress}}


RESULT = {
    "image_id": "i", "filename": "f", "mimetype": "image/png", "size": 1, "width": 1, "height": 1, "blurhash": "",
    "thumbnail": {"width": 1, "height": 1, "size": 1, "mimetype": "x"}, "record": {"took": 31.2}, "notes": [],
}  # fmt: skip
DRAWN = {"index": 0, "state": "succeeded", "result": RESULT}
BROKEN = {"index": 1, "state": "failed", "error": {"code": "x", "message": "It broke."}}
WAITING = {"index": 1, "state": "queued"}


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (job("queued", place=0), "⏳ Next in the queue."),
        (job("queued", place=3, eta_s=100), "⏳ In the queue, 3 before this. Done in about 2 min."),
        (job("running", pictures=[picture("running", "loading")]), "🎨 Loading `ssd-1b`."),
        (job("running", pictures=[picture("running", "downloading")]), "🎨 Downloading `ssd-1b`."),
        (
            job("running", pictures=[picture("running", "downloading", step=1_240_000_000, steps=6_900_000_000)]),
            "🎨 Downloading `ssd-1b`: 1.2 of 6.9 GB.",
        ),
        (
            job("running", pictures=[picture("running", "denoising", step=12, steps=30)], eta_s=14.4),
            "🎨 Step 12/30. About 14 s left.",
        ),
        (
            job("running", pictures=[DRAWN, {**picture("running", "denoising", step=1, steps=4), "index": 1}]),
            "🎨 Picture 2 of 2: step 1/4.",
        ),
        (job("running", pictures=[picture("running", "saving")]), "🎨 Finishing."),
        (job("running", pictures=[picture("running")]), "🎨 Getting ready."),
        (job("succeeded", pictures=[DRAWN]), "✅ Done in 31 s."),
        (job("cancelled"), "🛑 Cancelled."),
        (job("failed", pictures=[BROKEN]), "❌ It broke\\."),
        (job("failed", pictures=[DRAWN, BROKEN]), "⚠️ 1 of 2 drawn. For the rest: It broke\\."),
        (job("running", "chat", turn={"state": "running", "progress": {"phase": "thinking"}}), "💭 Thinking…"),
        (job("running", "chat", turn={"state": "running", "progress": {"phase": "loading"}}), "💭 Loading the chat"),
    ],
)  # fmt: skip
def test_status_lines(where: Job, line: str) -> None:
    assert texts.status_line(where).startswith(line)
    assert texts.status_line(where, notes=["Noted."]).endswith(" Noted.")


def test_a_paused_worker_keeps_what_waits() -> None:
    line = texts.status_line(job("queued", place=0), Pause(paused=True))
    assert line.startswith("⏸️")
    assert "keep this" in line
    assert texts.status_line(job("running", pictures=[picture("running")]), Pause(paused=True)).startswith("🎨")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "1 s"), (0.4, "1 s"), (31.2, "31 s"), (100, "2 min"), (3600, "60 min"), (86400, "24 h"), (400000, "5 days"),
     (float("inf"), "some time"), (float("nan"), "some time")],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert texts.duration(seconds) == said


async def test_captions() -> None:
    used = {"model": "ssd-1b", "seed": 42, "steps": 30, "guidance_scale": 12.0, "sampler": "DPM++ 2M", "width": 768,
            "height": 512}  # fmt: skip
    body, page = await rendered(texts.caption("otter, **hat**\n<b>@room</b>", {"used": used, "took": 31.4}))
    assert body.splitlines()[-1] == "ssd-1b · seed 42 · 30 steps · CFG 12 · DPM++ 2M · 768×512 · 31 s"
    assert "otter, **hat**" in body
    assert "<b>" not in page.replace("&lt;b&gt;", "")
    own = ModelDefaults(steps=30, guidance_scale=12.0, width=768, height=768, sampler="DPM++ 2M")
    assert texts.summary({"used": used, "took": 31.4}, own) == r"ssd\-1b · seed 42 · 768×512", (
        "what is usual is not said"
    )
    asked = {"steps": 30, "negative_prompt": "blurry"}
    assert texts.summary({"used": used, "asked": asked}, own).endswith("seed 42 · 30 steps · 768×512 · no “blurry”")
    assert texts.summary({"used": {**used, "guidance_scale": 3}}, own).endswith("seed 42 · CFG 3 · 768×512")
    assert texts.summary({"used": used, "asked": {"negative_prompt": ""}}, own).endswith("768×512 · no negative prompt")
    assert texts.summary({"used": used, "asked": [7]}, own) == texts.summary({"used": used}, own)
    assert len(texts.caption("x" * 4000, {"used": used})) < 1200
    for broken in ({}, {"used": 5}, {"used": {"model": ["x"], "steps": "many"}, "took": "long"}):
        texts.caption("otter", broken)


async def test_the_workers_sentences_keep_their_commands() -> None:
    failure = Failure(code="x", message="Not there. Fetch it with `ollama pull a_b`. *Now*.")
    _, page = await rendered(texts.failed(failure))
    assert "<code>ollama pull a_b</code>" in page
    assert "*Now*." in page
    assert texts.failed(Failure(code="poison")).startswith("❌ The worker broke down")
    assert "did not work" in texts.failed(Failure(code="something new"))
    assert texts.plain_sentence("an odd ` backtick <b>") == "an odd \\` backtick \\<b\\>"


def test_refusals_of_the_worker() -> None:
    fields = (FieldProblem(field="request.steps", code="too_many", message="ssd takes at most 100 steps."),) * 2
    assert texts.refused(WorkerRefused(422, "invalid_request", fields=fields)) == "❌ ssd takes at most 100 steps\\."
    old = (
        FieldProblem(field="request.aspect", code="extra_forbidden", message="This worker does not know this field."),
    )
    said = texts.refused(WorkerRefused(422, "invalid_request", fields=old))
    assert said == "❌ The worker is too old for the setting `aspect`; the operator can update it."
    for code in ("queue_full", "owner_queue_full", "disk_full", "something new"):
        assert texts.refused(WorkerRefused(429, code)).startswith("❌ ")


def test_prefixes_in_sentences() -> None:
    assert texts.typed("!", "draw x") == "!draw x"
    assert texts.typed("otter:", "draw x") == "otter: draw x"
    assert texts.typed("o", "draw x") == "o draw x"
    assert "`otter: draw" in texts.greeting("otter:")
    assert "`!again`" in texts.first_picture_hint("!")


def test_every_constant_is_a_sentence() -> None:
    for name, value in vars(texts).items():
        if name.isupper() and isinstance(value, str) and len(value) > 10:
            assert value.rstrip("`").endswith((".", "…")), name


def test_several_cards_have_a_line_each() -> None:
    info = Info.read(
        {
            "version": "1",
            "default_model": "ssd-1b",
            "gpu": {"device": "cuda:0", "name": "RTX 3060", "state": "idle", "resident": "ssd-1b"},
            "running": 1,
            "lanes": [
                {"name": "cuda:0", "gpu": {"name": "RTX 3060", "resident": "ssd-1b"}},
                {"name": "cuda:1", "gpu": {"name": "GTX 1070", "resident": "sd-1.5", "state": "drawing"}, "busy": True},
                {"name": "cuda:2", "gpu": {"name": "GTX 1060"}, "paused": True},
                {"name": "cpu", "gpu": {"device": "cpu"}, "rests": "Its driver is gone."},
            ],
        }
    )
    short = worker.status(info, chat=None, whole=False)
    assert short[:5] == [
        "🎨 Drawing with `sd-1.5`.",
        "`cuda:0`: free, with `ssd-1b`",
        "`cuda:1`: at work, with `sd-1.5`",
        "`cuda:2`: paused",
        "`cpu`: rests for a while. Its driver is gone\\.",
    ]
    whole = worker.status(info, chat=None, whole=True)
    assert "`cuda:1`: GTX 1070: at work, with `sd-1.5`" in whole


def test_one_card_of_another_machine_is_not_taken_for_this_one_s() -> None:
    attic = {"name": "ray:attic", "gpu": {"device": "cpu", "resident": "otter-mini"}}
    here = {"device": "cpu", "name": "cpu"}
    info = Info.read({"version": "1", "default_model": "otter-mini", "gpu": here, "lanes": [attic]})
    assert worker.status(info, chat=None, whole=False)[1] == "`ray:attic`: free, with `otter-mini`"


def test_one_card_is_told_as_before() -> None:
    card = {"device": "cuda:0", "name": "RTX 3060", "state": "idle"}
    alone = {"version": "1", "default_model": "ssd-1b", "gpu": card}
    one = alone | {"lanes": [{"name": "auto", "gpu": card}]}
    said = [worker.status(Info.read(answer), chat=None, whole=True) for answer in (alone, one)]
    assert said[0] == said[1]
    assert "Card: RTX 3060" in said[0]
