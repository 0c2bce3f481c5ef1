"""From whatever stands in an event to a message, or to nothing; never an exception."""

from __future__ import annotations

from typing import Any

import pytest

from otterbot.language.message import from_raw


def raw(content: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "m.room.message", "event_id": "$e", "sender": "@a:x", "room_id": "!r", "origin_server_ts": 5,
        "content": content, **more,
    }  # fmt: skip


def text(body: Any, **more: Any) -> dict[str, Any]:
    return raw({"msgtype": "m.text", "body": body, **more})


def test_plain_text() -> None:
    message = from_raw(text("!draw Oregon 💚"), encrypted=True, own_id="@bot:x")
    assert message is not None
    assert (message.body, message.mark, message.encrypted, message.own) == ("!draw Oregon 💚", "$e", True, False)


def test_own() -> None:
    message = from_raw(text("x"), encrypted=False, own_id="@a:x")
    assert message is not None
    assert message.own


def test_an_edit_has_the_original_id_and_the_new_words() -> None:
    edit = text(
        "* !draw b", **{"m.new_content": {"msgtype": "m.text", "body": "!draw b"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$first"}},
    )  # fmt: skip
    message = from_raw(edit, encrypted=False)
    assert message is not None
    assert (message.event_id, message.edit_id, message.mark, message.body) == ("$first", "$e", "$e", "!draw b")


def test_the_fallback_of_a_reply_is_cut_off() -> None:
    quoted = text("> <@b:x> what\n> ever\n\n!again", **{"m.relates_to": {"m.in_reply_to": {"event_id": "$q"}}})
    message = from_raw(quoted, encrypted=False)
    assert message is not None
    assert (message.body, message.reply_to, message.thread_root) == ("!again", "$q", None)
    alone = from_raw(text("> <@b:x> what\n\n!again"), encrypted=False)
    assert alone is not None
    assert alone.body.startswith(">")


REPLY = {"m.in_reply_to": {"event_id": "$q"}}
IN_THREAD = {**REPLY, "rel_type": "m.thread", "event_id": "$root", "is_falling_back": True}
QUOTES = [
    "> All otters are left-handed.\n> They sleep on their backs.\n\nIs that true?",
    "> only a quotation\n\n",
    "> only a quotation",
    ">!draw otter\n\nwhy did that fail?",
    "> <b> is bold\n\nreally?",
    "> @b:x said so\n\nreally?",
]


@pytest.mark.parametrize("relation", [REPLY, IN_THREAD, {**IN_THREAD, "is_falling_back": False}, {}])
@pytest.mark.parametrize("body", QUOTES)
def test_what_a_person_quotes_stays(body: str, relation: dict[str, Any]) -> None:
    message = from_raw(text(body, **({"m.relates_to": relation} if relation else {})), encrypted=False)
    assert message is not None
    assert message.body == body


@pytest.mark.parametrize("relation", [REPLY, {**IN_THREAD, "is_falling_back": False}])
@pytest.mark.parametrize(
    "quoted", ["> <@b:x> hello", "> * <@b:x> waves", "> <@b:x> sent an image.", "> <@b.c_d=/-:[::1]:8448> x"]
)
def test_what_clients_repeat_is_cut_off(quoted: str, relation: dict[str, Any]) -> None:
    own = "> my own quotation\n\nyes"
    message = from_raw(text(f"{quoted}\n> and more\n\n{own}", **{"m.relates_to": relation}), encrypted=False)
    assert message is not None
    assert message.body == own


def test_a_thread_repeats_nothing() -> None:
    body = "> <@b:x> what\n\nis a fallback?"
    message = from_raw(text(body, **{"m.relates_to": IN_THREAD}), encrypted=False)
    assert message is not None
    assert message.body == body


@pytest.mark.parametrize(("fallback", "reply"), [(True, None), (False, "$q")])
def test_in_a_thread(fallback: bool, reply: str | None) -> None:
    relation = {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": fallback}
    relation["m.in_reply_to"] = {"event_id": "$q"}
    message = from_raw(text("x", **{"m.relates_to": relation}), encrypted=False)
    assert message is not None
    assert (message.thread_root, message.reply_to) == ("$root", reply)


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ({"msgtype": "m.image", "body": "!draw x", "filename": "a.png"}, "!draw x"),
        ({"msgtype": "m.image", "body": "!draw.png"}, ""),
        ({"msgtype": "m.image", "body": "a.png", "filename": "a.png"}, ""),
    ],
)
def test_captions(content: dict[str, Any], body: str) -> None:
    message = from_raw(raw(content), encrypted=False)
    assert message is not None
    assert message.is_media
    assert message.body == body


ODD: list[Any] = [None, [], "x", 5, {}, {"body": 5, "msgtype": "m.text"}, {"body": "x"}, {"body": "x", "msgtype": []}]
RELATIONS: list[Any] = [
    "x", [], 5, {"rel_type": 5}, {"rel_type": "m.replace"}, {"rel_type": "m.replace", "event_id": 3},
    {"m.in_reply_to": "x"}, {"rel_type": "m.thread", "event_id": {}},
]  # fmt: skip


@pytest.mark.parametrize("content", ODD)
def test_malformed_content_is_nothing(content: Any) -> None:
    assert from_raw(raw(content), encrypted=False) is None


@pytest.mark.parametrize("relation", RELATIONS)
def test_malformed_relations_never_raise(relation: Any) -> None:
    from_raw(text("x", **{"m.relates_to": relation}), encrypted=False)
    from_raw(text("x", **{"m.relates_to": relation, "m.new_content": "y"}), encrypted=False)


@pytest.mark.parametrize("name", ["event_id", "sender", "room_id", "origin_server_ts", "type", "content"])
@pytest.mark.parametrize("value", [None, 5.5, [], {}, True])
def test_malformed_envelopes_are_nothing(name: str, value: Any) -> None:
    assert from_raw({**text("x"), name: value}, encrypted=False) is None
