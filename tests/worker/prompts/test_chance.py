"""Chance in words: how it is read, what is drawn, and that it is the same for ever."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from otterbot_worker.prompts import chance, read
from otterbot_worker.prompts.chance import Lines, Undrawable, Wildcard
from otterbot_worker.prompts.chance.grammar import DEPTH_MAX, literal, option, parse, wildcards


class Here:
    """Files in memory."""

    def __init__(self, **files: str) -> None:
        self.files: Mapping[str, str] = {name.replace("_in_", "/"): text for name, text in files.items()}
        self.asked: list[str] = []

    def called(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        return sorted(one for one in self.files if one == name or (name == "*" and "/" not in one))

    def lines(self, file: str) -> Lines:
        options = [option(line) for line in self.files[file].split("\n")]
        names = {
            one.name: (number, one) for number, each in enumerate(options, 1) for one in wildcards(each.nodes)
        }  # fmt: skip
        return Lines(options, names)

    def unknown(self, wildcard: Wildcard) -> str:
        return f"There is no {wildcard.name}."


NONE = Here()


def drawn(text: str, seed: int = 0, files: Here = NONE) -> str:
    return chance.draw(text, seed, "prompt", files).text


def all_of(text: str, files: Here = NONE, seeds: int = 200) -> Counter[str]:
    return Counter(drawn(text, seed, files) for seed in range(seeds))


# ---------------------------------------------------------------- what may come


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        ("a {red|green} hat", {"a red hat", "a green hat"}),
        ("a { red | green } hat", {"a red hat", "a green hat"}),
        ("a {big|} hat", {"a big hat", "a hat"}),
        ("{|tiny} otter", {"otter", "tiny otter"}),
        ("{very |}big", {"very big", "big"}),
        ("{a|{b|c} d}", {"a", "b d", "c d"}),
        ("{2$$a|b|c}", {"a, b", "b, a", "a, c", "c, a", "b, c", "c, b"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{1–2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{-1$$a|b}", {"a", "b"}),
        ("{0-1$$a|b}", {"", "a", "b"}),
        ("{2-$$a|b}", {"a, b", "b, a"}),
        ("{9$$a|b}", {"a, b", "b, a"}),
        ("{1$$a|0::b}", {"a"}),
        ("{0::a|b}", {"b"}),
        ("<lora:{one|two}:0.8> x", {"<lora:one:0.8> x", "<lora:two:0.8> x"}),
        ("{[a:b:0.5]|(c:1.2)}", {"[a:b:0.5]", "(c:1.2)"}),
        (r"{a\|b|c}", {r"a\|b", "c"}),
        (r"{a\}|c}", {r"a\}", "c"}),
        ("{a|b}\n{c|d}", {"a\nc", "a\nd", "b\nc", "b\nd"}),
    ],
)
def test_what_may_come_comes(text: str, outcomes: set[str]) -> None:
    assert set(all_of(text)) == outcomes


@pytest.mark.parametrize(
    "text",
    [
        "otter", "", "a {b} c", "{{otter}}", "{", "}", "a | b", "{}", r"\{a|b\}", r"\{a|b}", r"a \_\_x\_\_", r"\__x__",
        "x__y__z", "____", "__init__", "__very bold__ otter", "{" * 100 + "otter", "{2::cat}", "a $$ b", ":{ ",
    ],
)  # fmt: skip
def test_words_stay_words(text: str) -> None:
    assert drawn(text) == text
    assert not chance.draw(text, 0, "prompt", NONE).by_chance
    assert literal(text).replace("\\", "") == text.replace("\\", "")


def test_an_escaped_brace_is_a_brace_for_all_that_reads_the_words() -> None:
    assert read(drawn(r"\{a|b\} {c|c}")).clean == "{a|b} c"
    assert read(drawn(r"\__animal__")).clean == "__animal__"


def test_weights_make_something_come_more_often() -> None:
    seen = all_of("{3::red|green}", seeds=2_000)
    assert 1_400 < seen["red"] < 1_600
    seen = all_of("{0.5::red|green|blue}", seeds=2_000)
    assert 330 < seen["red"] < 470


def test_all_come_as_often_as_each_other() -> None:
    seen = all_of("{a|b|c|d}", seeds=4_000)
    assert all(900 < count < 1_100 for count in seen.values())
    seen = all_of("{2$$a|b|c}", seeds=3_000)
    assert len(seen) == 6
    assert all(420 < count < 580 for count in seen.values())


# ---------------------------------------------------------------- the same for ever


def test_outcomes_are_those_that_were_drawn_before() -> None:
    """Records hold seeds and templates: these may never change."""
    text = "a {red|green|blue} {2$$hat|scarf|crown} on __animal__"
    files = Here(animal="an otter\na {sea|river} lion\n3::a fox")
    assert [drawn(text, seed, files) for seed in (0, 1, 42, 4294967295)] == PINNED


PINNED = [
    "a red crown, scarf on a river lion",
    "a blue crown, scarf on an otter",
    "a blue scarf, crown on a sea lion",
    "a green crown, hat on a fox",
]


def test_a_draw_is_what_the_docs_say_it_is() -> None:
    for seed in range(100):
        digest = hashlib.sha256(f"otterbot chance 1/{seed}/prompt/2".encode()).digest()
        assert drawn("{x|x} {a|b|c}", seed) == "x " + "abc"[int.from_bytes(digest[:16], "big") * 3 >> 128]


def test_what_stands_elsewhere_changes_nothing() -> None:
    for seed in range(50):
        first = drawn("{a|b|c} {d|e|f}", seed)
        assert drawn("{a|b|c} {d|e|f}, {g|h}, more words", seed).startswith(first)
        assert drawn("{x|y} {d|e|f}", seed).split()[1] == first.split()[1]
        assert drawn("{a{1|2}|b{1|2}|c{1|2}} {d|e|f}", seed).split()[1] == first.split()[1]


def test_prompt_and_negative_prompt_are_drawn_apart() -> None:
    pairs = {
        (drawn("{a|b}", seed), chance.draw("{a|b}", seed, "negative_prompt", NONE).text) for seed in range(40)
    }  # fmt: skip
    assert len(pairs) == 4


def test_neighbouring_seeds_have_nothing_to_do_with_each_other() -> None:
    followed = Counter((drawn("{a|b}", seed), drawn("{a|b}", seed + 1)) for seed in range(1_000))
    assert all(200 < count < 300 for count in followed.values())


# ---------------------------------------------------------------- files


def test_a_wildcard_is_a_line_of_its_file() -> None:
    files = Here(animal="otter\n{red|blue} fox", sea_in_fish="cod", colour="__shade__ red\nblue", shade="dark\nlight")
    assert set(all_of("a __animal__", files)) == {"a otter", "a red fox", "a blue fox"}
    assert set(all_of("__sea/fish__", files)) == {"cod"}
    assert set(all_of("__colour__", files)) == {"dark red", "light red", "blue"}
    assert set(all_of("{__shade__|x}", files)) == {"dark", "light", "x"}
    assert set(all_of("{2$$__shade__}", files)) == {"dark, light", "light, dark"}
    assert chance.draw("__colour__", 0, "prompt", files).files == ("shade", "colour")


def test_a_line_may_say_how_often_it_comes() -> None:
    assert all_of("__a__", Here(a="9::x\ny"), 1_000)["x"] in range(860, 940)


def test_where_there_is_a_file_it_is_no_word() -> None:
    files = Here(**{"class": "mage", "very bold": "brave"})
    assert drawn("__class__", files=files) == "mage"
    assert drawn("__very bold__", files=files) == "brave"


def test_without_chance_no_file_is_asked_for() -> None:
    files = Here()
    drawn("otter, (hat)++ <lora:x:1>", files=files)
    assert files.asked == []


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a {red|green", "choice_unclosed"),
        ("{2$$a", "choice_unclosed"),
        ("{a {b|c} | d", "choice_unclosed"),
        ("{3-1$$a|b}", "choice_range"),
        ("{101$$a|b}", "choice_range"),
        ("{0::a|0::b}", "choice_weights"),
        ("{a|" * (DEPTH_MAX + 1) + "b" + "}" * (DEPTH_MAX + 1), "choice_too_deep"),
        ("__otter__", "unknown_wildcard"),
        ("{a|__otter__}", "unknown_wildcard"),
    ],
)
def test_what_is_broken_is_refused_with_every_seed(text: str, code: str) -> None:
    for seed in range(20):
        with pytest.raises(Undrawable) as refused:
            drawn(text, seed)
        assert refused.value.code == code
        assert str(refused.value)[0].isupper()
        assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (Here(a="x\nthe __a__"), "`a.txt` names itself"),
        (Here(a="__b__", b="x\n__a__"), "`a.txt` names `b.txt`, which names `a.txt`"),
        (Here(a="__*__\nx"), "`a.txt` names itself"),
        (Here(a="x\n__c__"), "A wildcard in line 2 of `a.txt`: There is no c."),
    ],
)
def test_what_is_endless_or_missing_in_a_file_is_refused_by_its_name(files: Here, said: str) -> None:
    for seed in range(20):
        with pytest.raises(Undrawable, match=said.replace("*", r"\*")):
            drawn("__a__", seed, files)


def test_what_grows_too_long_is_refused() -> None:
    doubling = {f"f{n}": f"__f{n + 1}__ __f{n + 1}__" for n in range(30)}
    started = time.process_time()
    with pytest.raises(Undrawable) as refused:
        drawn("__f0__", files=Here(**doubling, f30="x"))
    assert refused.value.code == "too_many_draws"
    with pytest.raises(Undrawable) as refused:
        drawn("{a|b}" + "__long__" + "__long__", files=Here(long="x" * 3_900))
    assert refused.value.code in ("outcome_too_long", "unknown_wildcard")
    with pytest.raises(Undrawable) as refused:
        drawn("__long__ __long__", files=Here(long="x" * 3_900))
    assert refused.value.code == "outcome_too_long"
    chain = {f"f{n}": f"__f{n + 1}__" for n in range(300)}
    with pytest.raises(Undrawable) as refused:
        drawn("__f0__", files=Here(**chain, f300="x"))
    assert refused.value.code == "too_many_wildcards"
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "{" * 4_000, "{|" * 2_000, "__a" * 1_300, "_" * 4_000, "{a|b}" * 800, "\\" * 4_000, "$$" * 2_000,
        "{1$$" * 1_000, "__" + "a " * 1_990, "{" + "|" * 3_990 + "}", "{2$$" * 900 + "}" * 400,
        "{99$$" + "a|" * 1_900 + "}", "0" * 4_000 + "{a|b}", "{" + " " * 3_990 + "a|b}", "{1-" + " " * 3_990 + "a|b}",
    ],
)  # fmt: skip
def test_hostile_words_take_no_time(text: str) -> None:
    started = time.process_time()
    for seed in range(3):
        with contextlib.suppress(Undrawable):
            drawn(text, seed)
        literal(text)
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize("text", ["__many__ " * 400, "{1$$__many__} " * 250, "{80$$__many__}, " * 5])
@pytest.mark.parametrize("first", ["", "3::"], ids=["even", "weighted"])
def test_many_draws_of_a_long_file_take_no_time(text: str, first: str) -> None:
    many = Here(many="\n".join([f"{first}w0", *(f"w{number}" for number in range(1, 20_000))]))
    lines = many.lines("many")
    many.lines = lambda file: lines  # type: ignore[method-assign]  # read once, as the worker does
    started = time.process_time()
    assert len(set(drawn(text, files=many).split())) > 200
    assert time.process_time() - started < 4


@pytest.mark.parametrize("text", ["{a|b} c", "__x__ {d}", "{2$$a|b}", r"\{a|b", "{a|b", "{a{b|c}", "{_|__x__}"])
def test_words_taken_as_they_are_mean_no_chance(text: str) -> None:
    words = literal(text)
    assert literal(words) == words
    assert all(isinstance(node, str) for node in parse(words))
    assert read(words).clean == read(text).clean
