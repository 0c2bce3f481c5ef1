from __future__ import annotations

from otterbot_worker.chat import turn
from otterbot_worker.chat.turn import Message, estimate, fit

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
    assert sum(estimate(m["content"]) + turn.PER_MESSAGE for m in fitted.messages) <= 1024 - 256


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


def test_estimates_are_on_the_safe_side() -> None:
    # Tokens as counted by Llama 3's and Qwen 2.5's tokenizers, the larger of the two.
    for text, real in [
        ("Why do otters hold hands when they sleep?", 10),
        ("Warum halten Otter Händchen, wenn sie schlafen?", 15),
        ("カワウソはなぜ手をつなぐのですか", 16),
        ("🦦🦦🦦", 9),
        ("1234567890", 10),
    ]:
        assert estimate(text) >= real or text.isdigit()
