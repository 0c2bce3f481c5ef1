"""The keys of a sidecar, copied behind `!draw`, are read by the room as what they were."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from archive_records import record
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from otterbot_worker.archive import sidecars
from otterbot_worker.prompts.structure import PARTS, joined


def plugin_reader() -> ModuleType:
    """The plugin's reader without the plugin's own ``__init__``: as a whole it needs Maubot."""
    package = ModuleType("plugin_pasted")
    package.__path__ = [str(Path(__file__).resolve().parents[3] / "plugin/otterbot")]
    sys.modules[package.__name__] = package
    return importlib.import_module(f"{package.__name__}.language.structured")


READER = plugin_reader()
TYPED = importlib.import_module("plugin_pasted.language.typed")

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cn", "Co", "Zs", "Zl", "Zp", "Mn")) | st.just(" "),
    min_size=1, max_size=30,
).map(str.strip).filter(lambda text: bool(text) and TYPED.clean(text) == text)  # fmt: skip
VALUES = WORDS | st.lists(WORDS, min_size=1, max_size=4)


def pasted(structure: dict[str, Any]) -> str:
    """The lines of the sidecar under ``structure:``, with it."""
    text = sidecars.of_picture(record(structure=structure), filename="x.png", created="y", private=False)
    assert yaml.safe_load(text)["structure"] == structure
    lines = text.splitlines()
    first = lines.index("structure:")
    last = next(number for number in range(first + 1, len(lines)) if not lines[number].startswith((" ", "- ")))
    return "\n".join(lines[first:last])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from((*PARTS, "negative")), VALUES), st.booleans())
@example({"outfit": ["it's: a hat", "# x", "- y", "*z", "&a b", "!c", "{d", "[e, f]", '"g', "@h", "`i", "%j"]}, True)
@example({"subject": '{"0":', "outfit": ['{"a": b', 'it\'s {"a": b']}, False)
@example({"style": "no", "outfit": "12:30", "emotions": "~", "environment": "null", "negative": "0x1f"}, False)
@example({"style": "a: b # c", "outfit": "a\nb", "emotions": "--steps 3", "negative": "hat -n 4"}, False)
def test_keys_come_back(values: dict[str, Any], alone: bool) -> None:
    structure = {"subject": "otter", **values}
    text = pasted(structure)
    if alone:  # without the line `structure:`
        text = text.partition("\n")[2]
    read = READER.read_structure(TYPED.clean(text).strip())
    assert read is not None
    wanted = joined(structure.get(name) for name in PARTS)
    if read.problem is not None:
        # Dashes of rarer scripts stand without quotes; the room asks about what looks like a flag, and draws nothing.
        assert read.problem.code in ("glued", "one_dash", "unknown_flag", "bad_value", "no_value"), read.problem
        return
    if not read.overlooked and read.options.asked().keys() <= {"prompt", "negative_prompt"}:
        assert read.options.prompt == wanted


def test_what_looks_like_a_flag_stays_words() -> None:
    structure = {"subject": "a --steps 3", "outfit": ["hat -n 4", "—steps 5", "otter--steps 5"], "style": "salt—pepper"}
    read = READER.read_structure(pasted(structure))
    assert (read.problem, read.overlooked) == (None, ())
    assert read.options.structure.sent == structure
