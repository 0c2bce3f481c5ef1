"""The census sees what changed and nothing else: what is random has placeholders, every other difference is named.

Taking one is no test of a pipeline's: it takes minutes. This is what a comparison stands on.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from census import compare, normal, requests, typed
from census.__main__ import main
from census.rooms_part import of_media, seeds_in, without_seeds

TAKEN: dict[str, Any] = {
    "meta": {"seconds": 7},
    "worker": {
        "pictures": {
            "a/b": {"images": [{"pixels": "00ff", "sidecar": "seed: 7\nsteps: 4\n"}], "job": {"eta_s": None, "n": 1}}
        }
    },
}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    other = copy.deepcopy(TAKEN)
    place: Any = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return other


PICTURE = ("worker", "pictures", "a/b")


def test_equal_is_equal_in_whatever_order_the_keys_come() -> None:
    other = json.loads(json.dumps(TAKEN, sort_keys=True))
    other["meta"]["seconds"] = 8
    assert compare.differences(TAKEN, other) == []


@pytest.mark.parametrize(
    ("path", "to", "where"),
    [
        ((*PICTURE, "images", 0, "pixels"), "00fe", "/worker/pictures/a~1b/images/0/pixels"),
        ((*PICTURE, "images"), [], "/worker/pictures/a~1b/images"),
        ((*PICTURE, "job", "eta_s"), 0, "/worker/pictures/a~1b/job/eta_s"),
        ((*PICTURE, "job", "n"), 1.0, "/worker/pictures/a~1b/job/n"),
        ((*PICTURE, "job", "n"), True, "/worker/pictures/a~1b/job/n"),
        ((*PICTURE, "job", "more"), None, "/worker/pictures/a~1b/job/more"),
        (("rooms",), {"plain": {}}, "/rooms"),
    ],
)
def test_every_change_is_named_by_its_path(path: tuple[Any, ...], to: Any, where: str) -> None:
    assert [one.path for one in compare.differences(TAKEN, changed(*path, to=to))] == [where]
    assert [one.path for one in compare.differences(changed(*path, to=to), TAKEN)] == [where]


def test_of_a_text_the_lines_are_shown() -> None:
    [one] = compare.differences(TAKEN, changed(*PICTURE, "images", 0, "sidecar", to="seed: 7\nsteps: 5\n"))
    assert "-steps: 4" in str(one)
    assert "+steps: 5" in str(one)
    assert "seed: 7" not in str(one)


def test_what_may_differ_needs_a_reason_and_covers_what_lies_below() -> None:
    found = compare.differences(TAKEN, changed(*PICTURE, "job", to={"eta_s": None, "n": 2}))
    allowed = compare.read_allowed("# the move\n\n/worker/pictures/*/job: it has another number\n/rooms: later\n")
    left, counts = compare.sort_out(found, allowed)
    assert (left, list(counts.values())) == ([], [1, 0])
    assert compare.sort_out(found, compare.read_allowed("/worker/pictures/*/jo: a name's beginning"))[0] == found
    for line in ("/worker/pictures", "/worker: ", "worker: why"):
        with pytest.raises(ValueError, match="line 1"):
            compare.read_allowed(line)


def test_the_command_says_equal_or_lists_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after, allow = tmp_path / "before.json", tmp_path / "after.json", tmp_path / "allow"
    before.write_text(json.dumps(TAKEN))
    after.write_text(before.read_text())
    assert main(["compare", str(before), str(after)]) == 0
    assert capsys.readouterr().out == "equal\n"
    after.write_text(json.dumps(changed(*PICTURE, "images", 0, "pixels", to="00fe")))
    for number, census in enumerate((before, after)):
        census.with_suffix(".pictures").mkdir()
        Image.new("RGB", (2, 1), (9, 9, 9 + number)).save(census.with_suffix(".pictures") / "a%2Fb 0.png")
    assert main(["compare", str(before), str(after)]) == 1
    said = capsys.readouterr().out
    assert "/worker/pictures/a~1b/images/0/pixels" in said
    assert "at most 1 of 255 apart, in 33.33% of the values" in said
    allow.write_text("/worker/pictures/a~1b/images/*/pixels: rounded otherwise\n")
    assert main(["compare", str(before), str(after), "--allow", str(allow)]) == 0
    assert "equal but for what is allowed" in capsys.readouterr().out


def test_what_is_random_is_the_same_each_time() -> None:
    def one(job: str, image: str, took: float, day: str, port: int, version: str) -> Any:
        names = normal.Names()
        names.give(job, "job a")
        names.give(image, "image a 0")
        names.give("/tmp/x1", "data")
        return names.clean(
            {
                "id": job,
                "result": {"image_id": image, "size": int(took * 1000), "sha256": job, "thumbnail": {"size": 7}},
                "created_at": took,
                "eta_s": None,
                "sidecar": f"file: otter_{day.replace('-', '')}120000.png\nimage_id: {image}\ntook: {took}\n",
                "chunk": f'{{"took":{took},"steps":4}}',
                "shown": f"otterbot-worker  {version}\nsteps            4\ntook             {took} s\n",
                "version": version,
                "infotext": f"Steps: 4, Version: otterbot {version}",
                "from": f"http://127.0.0.1:{port}/v1 of /tmp/x1/archive/{day}",
            }
        )

    first = one("01ab", "9f", 1.25, "2026-11-29", 41234, "0.1.0")
    assert first == one("77cd", "e0", 13.0, "2027-01-02", 5, "0.2.0.dev1")
    assert first["result"] == {
        "image_id": "<image a 0>", "size": "<number>", "sha256": "<str>", "thumbnail": {"size": 7},
    }  # fmt: skip
    assert first["eta_s"] is None, "whether there is a number stays visible"
    assert first["chunk"] == '{"took":<number>,"steps":4}'
    assert first["shown"].endswith("steps            4\ntook             <number> s\n")
    assert first["from"] == "<address>/v1 of <data>/archive/<day>"


def test_moving_and_shape() -> None:
    job = {"state": "running", "pictures": [{"state": "queued", "seed": 7}]}
    assert normal.without(job, "state") == {"state": "<moving>", "pictures": [{"state": "<moving>", "seed": 7}]}
    assert normal.shape(job) == {"state": "str", "pictures": [{"state": "str", "seed": "int"}]}


def test_what_was_drawn_with_a_chosen_seed_keeps_all_but_that() -> None:
    found = {"messages": [{"content": {"body": "seed 4711 · 30 steps", "record": {"seed": 4711}}, "pixels": "00"}]}
    assert seeds_in(found) == {4711}
    assert without_seeds(found, seeds_in(found)) == {
        "messages": [
            {"content": {"body": "seed <random> · 30 steps", "record": {"seed": "<random>"}}, "pixels": "<random>"}
        ]
    }


def test_keys_of_encrypted_files_are_random_and_their_form_is_not() -> None:
    file = {"url": "mxc://x/1", "iv": "abc", "key": {"k": "secret", "alg": "A256CTR"}, "hashes": {"sha256": "x"}}
    content = {"msgtype": "m.image", "file": file, "info": {"size": 7, "w": 64, "thumbnail_file": file}}
    clean = of_media(content)
    assert clean["file"] == {
        "url": "mxc://x/1", "iv": "<iv>", "key": {"k": "<k>", "alg": "A256CTR"}, "hashes": ["sha256"],
    }  # fmt: skip
    assert clean["info"] == {"size": "<number>", "w": 64, "thumbnail_file": clean["file"]}
    assert content["info"] == {"size": 7, "w": 64, "thumbnail_file": file}, "what was given stays as it is"


def test_enough_is_asked_for_and_each_by_a_name_of_its_own() -> None:
    pictures, refused = requests.pictures(), requests.refused()
    assert len(pictures) >= 60
    assert len(refused) >= 20
    assert not pictures.keys() & refused.keys()
    steps = [*typed.steps(), *typed.waiting(), *typed.ALONE]
    assert len({step.name for step in steps}) == len(steps)
    known = {step.name for step in steps} | {"scene", "holes", "text file"}
    for step in steps:
        for named in (step.reply, step.thread, step.edits):
            assert named is None or named.removeprefix("asked ") in known, step


def test_a_part_is_compared_by_what_it_has(tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps({**TAKEN, "rooms": {}}))
    after.write_text(json.dumps(TAKEN))
    assert main(["compare", str(before), str(after)]) == 1
    assert main(["compare", str(before), str(after), "--partly"]) == 0
    after.write_text(json.dumps(changed(*PICTURE, "job", "n", to=2)))
    assert main(["compare", str(before), str(after), "--partly"]) == 1
