"""Thoughts and marks of templates in the forms that models write them in: none of it is for the room."""

from __future__ import annotations

import re
import time

import pytest

from otterbot_worker.chat.beginnings import prompt_leaves
from otterbot_worker.chat.marks import without_marks
from otterbot_worker.chat.thinking import read, visible

HIDDEN = [
    "<|channel|>analysis<|message|>Secret plan<|end|><|start|>assistant<|channel|>final<|message|>Four.",
    "<|channel|>analysis<|message|>Secret plan<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>",
    "<|channel|>analysis<|message|>Secret<|end|>\n<|start|>assistant<|channel|>commentary to=functions.x "
    "<|constrain|>json<|message|>{}<|call|><|start|>assistant<|channel|>final <|constrain|>md<|message|>Four.",
    "<|start|>assistant<|channel|>final<|message|>Four.<|return|>",
    "analysisSecret: they ask for 2+2.assistantfinalFour.",
    "[THINK]Secret plan[/THINK]Four.",
    "[THINK]Secret `plan[/THINK]\nFour.",
    "<|begin_of_thought|>Secret plan<|end_of_thought|><|begin_of_solution|>Four.<|end_of_solution|>",
    "<|begin_of_thought|>\n\nSecret\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nFour.\n\n<|end_of_solution|>",
    "<|START_THINKING|>Secret plan<|END_THINKING|><|START_RESPONSE|>Four.<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    "<reasoning>Secret plan</reasoning>Four.",
    "<reasoning>\nSecret <b>plan</b>\n</reasoning>\n<answer>\nFour.\n</answer>",
    "<thought>\nSecret plan\n</thought>\n\nFour.",
    "<reflection>Secret</reflection>\n<scratchpad>Secret</scratchpad>Four.",
    "<analysis>Secret</analysis><response>Four.</response>",
    "<think type='deep'>Secret plan</think >Four.",
    "<think>Secret <think>plan</think> Secret again</think>\nFour.",
    "<think>Secret plan\n<answer>Four.</answer>",
    "<seed:think>Secret plan</seed:think>Four.",
    "<longcat_think>Secret plan</longcat_think>Four.",
    "◁think▷Secret plan◁/think▷Four.",
    "<|think|>Secret plan<|/think|>Four.",
    "<|thinking|>Secret plan<|end_thinking|>Four.",
    "<|inner_prefix|>Secret plan<|inner_suffix|>Four.",
    "<unused94>thought\nSecret plan<unused95>Four.",
    "<|channel>thought\nSecret plan<channel|>Four.<turn|>",
    "Secret plan</think>Four.",
    "Secret plan.\n</think>\n\nFour.",
    "Secret plan. </think> Four.",
    "Secret `plan`\n```\nSecret code\n```\n</thinking>Four.",
    "Secret plan</reasoning>\nFour.",
    "Secret plan[/THINK]Four.",
    "Secret plan<|end_of_thought|>Four.",
    "Secret plan◁/think▷Four.",
    "[THINK]Secret [THINK]plan[/THINK] Secret again[/THINK]\nFour.",
    "◁think▷Secret ◁think▷plan◁/think▷ Secret again◁/think▷Four.",
    "<think>\n\n</think>\n\nSecret plan\n</think>\n\nFour.",
    "<think>They want `</think>`: Secret plan</think>Four.",
    'Is "</think>" the Secret?\n</think>\n\nFour.',
    "Secret '<think>' plan</think>Four.",
    "Secret <think>plan</think> Secret</think>Four.",
    "Secret ``` plan</think>Four.",
    "Secret:\n```\nplan\n</think>\n\nFour.",
    "Here is my thought process:\nSecret plan\n\nHere is my response:\nFour.",
    "\nHere's my thought process:\n\nSecret `plan`\n\nHere’s my response: Four.<|end_of_text|>",
]
CUT = [
    "Four.<|im_end|>\n<|im_start|>user\nmore?",
    "Four.<|im_end|>\n<|im_start|>assistant\nSecret second answer",
    "Four.<|eot_id|>",
    "Four.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nmore?",
    "<|start_header_id|>assistant<|end_header_id|>\n\nFour.<|eom_id|>",
    "<|im_start|>assistant\nFour.",
    "Four.<end_of_turn>\n<start_of_turn>user\nmore?",
    "<start_of_turn>model\nFour.<end_of_turn>",
    "Four.</s>",
    "<s>[INST] [/INST] Four.</s>[INST] more? [/INST]",
    "[/INST]Four.[INST]more?",
    "Four.<|endoftext|>Human: more?",
    "Four.<|end|><|user|>more?<|end|>",
    "<|assistant|>Four.<|user|>more?",
    "Four.<｜end▁of▁sentence｜><｜User｜>more?",
    "<｜Assistant｜>Four.",
    "Four.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>more?",
    "Four.<eos>",
    "<bos>Four.",
    "Four.<|end_of_text|>",
    "Four.<|im_sep|>",
    "Four.<|turn>user\nmore?",
    "<|begin_of_box|>Four.<|end_of_box|>",
    "<answer>Four.</answer>",
    "[|assistant|]Four.[|endofturn|]\n[|user|]more?",
    "<|start_of_role|>assistant<|end_of_role|>Four.<|end_of_text|>",
    "<|im_assistant|>assistant<|im_middle|>Four.<|im_end|><|im_user|>user<|im_middle|>more?",
    "<｜hy_Assistant｜>Four.<｜hy_User｜>more?",
    "Four.<end_of_utterance>\nUser: more?",
    "<BOS_TOKEN>Four.<EOS_TOKEN>",
    "<think/>\n\nFour.",
    "<think />Four.",
    "<think>Secret</think>Four.</think>",
    "<think>\n</think>\nFour.\n</think>\n",
]
MARKS = re.compile(r"[<\[◁|｜]")


@pytest.mark.parametrize("raw", HIDDEN + CUT)
def test_only_the_answer_is_shown(raw: str) -> None:
    assert visible(raw, done=True) == "Four."


@pytest.mark.parametrize("raw", HIDDEN + CUT)
def test_nothing_of_it_shows_while_it_streams(raw: str) -> None:
    held = read(raw).began_inside
    for end in range(len(raw) + 1):
        part = visible(raw[:end], done=False, held=held)
        assert "ecret" not in part, raw[:end]
        assert not MARKS.search(part), part
        assert "Four.".startswith(part), part


@pytest.mark.parametrize("raw", HIDDEN)
def test_what_was_thought_is_known(raw: str) -> None:
    thought = " ".join(without_marks(one) for one in read(raw).thoughts)
    assert ("Secret" in thought) is ("Secret" in raw)
    assert "Four." not in thought
    assert "think" not in thought.replace("`</think>`", "").replace('"</think>"', "").replace("'<think>'", "")


@pytest.mark.parametrize(
    "raw",
    [
        "Here is my thought process: I count. Four.",
        "They say:\nHere is my thought process:\nx\nHere is my response:\ny",
        "Here is my thought process:\nI would say `Here is my response:` then.",
    ],
)
def test_a_thought_in_words_is_one_only_where_both_sentences_stand(raw: str) -> None:
    assert visible(raw, done=True) == raw


ASKED_FOR = [f"```\n{mark}\n```" for mark in ("<|im_end|>", "<|eot_id|>", "</s>", "[INST]", "<start_of_turn>user")] + [
    f"Like this:\n\n```text\n{mark}secret{mark}\n```\n\nThat is all."
    for mark in ("<|end|>", "<|channel|>analysis<|message|>", "[THINK]", "<reasoning>", "<seed:think>", "◁think▷")
]
"""What people ask for who write templates."""


@pytest.mark.parametrize("raw", [*ASKED_FOR, "It ends with `<|im_end|>`, or `</s>`; a thought with `</think>`."])
def test_code_that_was_asked_for_stays_however_it_is_cut(raw: str) -> None:
    assert visible(raw, done=True) == raw
    for end in range(len(raw)):
        part = visible(raw[:end], done=False)
        assert raw.startswith(part), part
        assert not part or len(part) >= len(raw[:end].rstrip()) - 50, "it grows"


def test_a_model_known_to_begin_inside_a_thought_may_say_where_it_begins() -> None:
    raw = "<think>Secret</think>Four, I think"
    assert visible("<think>Secret", done=False, held=True) == ""
    assert visible(raw, done=False, held=True) == "Four, I think"


KEPT = [
    "Models write `<think>` and `<|im_end|>` around it.",
    "```xml\n<reasoning>\n<|eot_id|>\n[THINK]\n```\nThat is all.",
    "~~~ and `</think>` and [INST] is no code",
    "Use <s>old</s> new prices.",
    "Say [THIS] or [1] or [link](https://example.org).",
    "An <answer> is what people give; a <plan> too.",
    "a < b, a <| b |> c, and Vec<Option<u8>>",
    "<b>Bold</b> and <table>",
    "1. <summary> of it\n2. <output>",
    "The tag </think> ends a thought.",
    "analysis is what they do",
    "Here is `a` and <thought>",
    "Dear [NAME],\n\nbecause of [REASON] and after much [THOUGHT] I am late.\n\n[SIGNATURE]",
    "It is this:\n\n<plan>\n  <step>one</step>\n</plan>\n\nThat is all.",
    "See:\n<analysis>\nnever closed",
    '"<think>" begins a thought, and "</think>" ends it.',
    "Write (“<think>”) and '[/THINK]'.",
    "~~~html\n<think>\n</think>\n~~~\nsee?",
    "Your log:\n\n```\nOkay, so\n</think>\nHi\n```\n\nThat is it.",
    "- this:\n  ```py\n  text.split('</think>')\n  ```\n- that",
    "Use `text.split('</think>', 1)` and `x`.",
    "Use `</think>` here.\n\nAnd ` there.",
]
CODE_AFTER_A_THOUGHT = [
    "Use `x`.",
    "Use `x`, `y` and ` alone",
    "Use:\n```py\nx\n```",
    "Use:\n```\nx\n```\nor\n~~~\ny\n~~~",
    "- `</think>` ends it",
    "```html\n<think>\n</think>\n```\nsee?",
]


@pytest.mark.parametrize("answer", CODE_AFTER_A_THOUGHT)
@pytest.mark.parametrize(
    "thought",
    ["Secret", "Secret `tick", "Secret ``` run", "Secret\n```\ncode", "Secret\n```py\ncode\n```\n", "Secret `x`"],
)
@pytest.mark.parametrize("begins", ["", "<think>"])
def test_code_in_a_thought_and_in_the_answer_are_no_code_together(thought: str, answer: str, begins: str) -> None:
    assert visible(f"{begins}{thought}\n</think>\n\n{answer}", done=True) == answer


def test_a_model_known_to_begin_inside_a_thought_may_speak_of_thoughts() -> None:
    raw = "Secret: the <think> tag, and </think> tells its end.\n</think>\n\nFour."
    for end in range(len(raw) + 1):
        assert "ecret" not in visible(raw[:end], done=False, held=True, inside=True)
    assert "ecret" not in visible(raw, done=True, inside=True)
    assert visible(raw, done=True, inside=True).endswith("Four.")
    assert read(raw, inside=True).began_inside
    assert visible("Four, I think.", done=True, inside=True) == "Four, I think."
    assert visible("<think>Secret</think>Four.", done=True, inside=True) == "Four."


@pytest.mark.parametrize("raw", [text for text in KEPT if "[INST]" not in text])
def test_what_is_no_mark_stays(raw: str) -> None:
    assert visible(raw, done=True) == raw
    shown = [visible(raw[:end], done=False) for end in range(len(raw) + 1)]
    assert all(raw.startswith(part) for part in shown)


def test_a_fence_that_nobody_closed_ends_with_the_turn() -> None:
    assert visible("```\nx = 1\n<|im_end|>", done=True) == "```\nx = 1"
    assert visible("```\nx = 1\n<|im_end|>\n<|im_start|>user\nmore?", done=True) == "```\nx = 1"
    assert visible('```\nend = "<|im_end|>"\nx', done=True) == '```\nend = "<|im_end|>"\nx'


@pytest.mark.parametrize(
    "raw", ["<think>Secret", "[THINK]Secret", "<|channel|>analysis<|message|>Secret", "Secret</think>"]
)
def test_a_thought_alone_is_no_answer(raw: str) -> None:
    assert visible(raw, done=True) == ""


@pytest.mark.parametrize(
    ("prompt", "leaves"),
    [
        ("<｜User｜>x<｜Assistant｜><think>\n", "inside"),
        ("<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n<think>", "inside"),
        ("<start_of_turn>model\n<unused94>thought\n", "inside"),
        ("<|turn>model\n<|channel>thought\n", "inside"),
        ("[INST]x[/INST][THINK]", "inside"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "outside"),
        ("<｜Assistant｜></think>", "outside"),
        ("Think in <think> and </think>.<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n", "unsaid"),
        ("Begin with <think>.<|im_start|>assistant\n", "unsaid"),
        ("<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n", "unsaid"),
        ("", "unsaid"),
    ],
)
def test_where_a_prompt_leaves_a_model(prompt: str, leaves: str) -> None:
    assert prompt_leaves(prompt) == leaves


LONG = [
    "a <thought> ", "`a </think> ", "` ", "```\n</think>\n", "```\n", "- ```py\n", "'<think>' ", "<think></think>",
    "<answer> ", "<think", "</think> ", "` `` ```", "> " * 99,
]  # fmt: skip


@pytest.mark.parametrize("piece", LONG, ids=lambda piece: piece.strip()[:12])
@pytest.mark.parametrize("done", [True, False])
def test_a_long_answer_is_read_in_time(piece: str, done: bool) -> None:
    """Sixty thousand characters of what may begin or end something, looked at anew four times a second."""
    text = piece * (60_000 // len(piece))
    started = time.process_time()
    shown = visible(text, done=done)
    assert time.process_time() - started < 2
    if done and piece.startswith("a"):
        assert shown == text.strip()
