from __future__ import annotations

import pytest

from otterbot_worker.chat import Message, fitting
from otterbot_worker.chat.fitting import estimate, fit

SYSTEM: Message = {"role": "system", "content": "Be an otter."}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def bot(text: str) -> Message:
    return {"role": "assistant", "content": text}


def test_all_that_fits_stays() -> None:
    talk = [SYSTEM, user("a"), bot("b"), user("c")]
    fitted = fit(talk, context=4096, answer=1024)
    assert fitted.messages == talk
    assert fitted.left_out == 0


def test_whole_turns_go_from_the_oldest_on() -> None:
    talk = [SYSTEM]
    for number in range(10):
        talk += [user(f"{number}" + "x" * 300), bot("y" * 300)]
    talk.append(user("last"))
    fitted = fit(talk, context=1024, answer=256)
    assert fitted.messages[0] == SYSTEM
    assert fitted.messages[-1] == user("last")
    assert fitted.messages[1]["role"] == "user"
    assert fitted.left_out == len(talk) - len(fitted.messages) > 0
    assert sum(estimate(m["content"]) + fitting.PER_MESSAGE for m in fitted.messages) <= 1024 - 256


def test_the_last_message_stays_whatever_its_size() -> None:
    fitted = fit([SYSTEM, user("a"), bot("b"), user("x" * 50_000)], context=1024, answer=256)
    assert [message["role"] for message in fitted.messages] == ["system", "user"]
    assert fitted.left_out == 2


def test_several_messages_of_people_in_a_row_and_an_answer_first() -> None:
    talk = [bot("hello"), user("a"), user("b"), bot("c"), user("d")]
    assert fit(talk, context=4096, answer=1024).messages == talk


def test_an_answer_as_long_as_the_context_leaves_half_for_the_talk() -> None:
    talk = [user("a" * 300), bot("b" * 300), user("c")]
    assert fit(talk, context=1024, answer=1024).left_out == 0


def test_ratios_are_learned_from_conversations_that_are_long_enough() -> None:
    ratios = fitting.Ratios()
    ratios.learn("m", 10, 29)  # a template's own system prompt, and "hello"
    assert ratios.of("m") == 1.0
    ratios.learn("m", 1_000, 2_000)
    assert ratios.of("m") == 2.0
    ratios.learn("m", 1_000, 1_000)
    assert ratios.of("m") == 1.5
    ratios.learn("n", 1_000, 1)
    assert ratios.of("n") == 1.0, "a server that counts only what it had not seen yet"
    ratios.learn("n", 1_000, 50_000)
    assert ratios.of("n") == fitting.HIGHEST


def test_one_odd_conversation_changes_no_ratio() -> None:
    ratios = fitting.Ratios()
    for counted in (1_000, 1_100, 6_000, 1_050):
        ratios.learn("m", 1_000, counted)
    assert ratios.of("m") < 1.2
    for _ in range(fitting.REMEMBERED):
        ratios.learn("m", 1_000, 3_000)
    assert ratios.of("m") == 3.0, "but what comes again and again does"


def test_a_ratio_counts_for_all_of_a_conversation() -> None:
    talk = [user("a" * 400), bot("b" * 400), user("c")]
    assert fit(talk, context=512, answer=128).left_out == 0
    assert fit(talk, context=512, answer=128, ratio=3.0).left_out == 2
    assert fit(talk, context=4096, answer=128, least=1).left_out == 2, "whole turns only"


# Tokens as SmolLM2's tokenizer counts them, for ten times the text.
REAL = [
    ("563.31,91.07,8.84,712.50\n", 250),
    ("9f86d081884c7d659a2feaa0c55ad015", 290),
    ('{"id": 7, "name": "otter 7", "tags": ["a", "b"]}, ', 251),
    ("水獭为什么在睡觉时手牵着手?", 280),
    ("Waarom houden otters elkaars handen vast als ze slapen? ", 201),
    ("Why do otters hold hands when they sleep? They do not drift apart. ", 151),
]


@pytest.mark.parametrize(("text", "real"), REAL, ids=lambda value: str(value)[:12])
def test_estimates_are_near(text: str, real: int) -> None:
    """Between 0.33 and 1.6 of the truth they were, when letters and digits counted alike."""
    assert 0.7 <= estimate(text * 10) / real <= 1.6


def test_estimates_are_on_the_safe_side() -> None:
    # Tokens as counted by Llama 3's and Qwen 2.5's tokenizers, the larger of the two.
    for text, real in [
        ("Why do otters hold hands when they sleep?", 10),
        ("Warum halten Otter Händchen, wenn sie schlafen?", 15),
        ("カワウソはなぜ手をつなぐのですか", 16),
        ("🦦🦦🦦", 9),
        ("1234567890", 10),
    ]:
        assert estimate(text) >= real
