"""Values change in place; comments, order and other people's edits stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from otterbot_worker import config_file, yamlfile
from otterbot_worker.setup.settings_file import CannotEdit, Key, changed

EXAMPLE = config_file.EXAMPLE.read_text("utf-8")


def lines_that_differ(before: str, after: str) -> list[tuple[str, str]]:
    assert len(before.splitlines()) == len(after.splitlines())
    return [pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if pair[0] != pair[1]]


def test_the_example_keeps_every_comment() -> None:
    new = changed(
        EXAMPLE,
        {
            ("data_dir",): "/srv/otter box/#1: data",
            ("api", "host"): "::1",
            ("api", "port"): 9000,
            ("chat", "ollama_url"): None,
            ("images", "downloads"): False,
        },
    )
    assert [after for _, after in lines_that_differ(EXAMPLE, new)] == [
        "data_dir: '/srv/otter box/#1: data'",
        "  host: ::1",
        "  port: 9000",
        "  downloads: false",
        "  ollama_url: null",
    ]
    config = config_file.parse(new, Path("x"))
    assert str(config.data_dir) == "/srv/otter box/#1: data"
    assert (config.api.host, config.api.port, config.chat.ollama_url) == ("::1", 9000, None)


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        ("", ("api", "host"), "::", "api:\n  host: '::'\n"),
        ("# only words\n", ("data_dir",), "/x", "# only words\ndata_dir: /x\n"),
        ("api:\n  # host: x\ngpu:\n  threads: 1\n", ("api", "port"), 1,
         "api:\n  port: 1\n  # host: x\ngpu:\n  threads: 1\n"),
        ("api:\n    port: 1 # mine\n\n# end\n", ("api", "host"), "a",
         "api:\n    port: 1 # mine\n    host: a\n\n# end\n"),
        ("api: {port: 1}  # mine\n", ("api", "host"), "a", "api: {port: 1, host: a}  # mine\n"),
        ("api: {}\n", ("api", "host"), "a", "api: {host: a}\n"),
        ("api: {host: b,\n  port: 1}\n", ("api", "host"), "a, b", 'api: {host: "a, b",\n  port: 1}\n'),
        ("api:\n  host:\n", ("api", "host"), "a", "api:\n  host: a\n"),
        ("api:\n  host: 'b' # mine", ("api", "port"), 2, "api:\n  host: 'b' # mine\n  port: 2\n"),
        ("api:\r\n  host: b\r\n", ("api", "host"), "a", "api:\r\n  host: a\r\n"),
        ("ä: 1\napi:\n  host: 'ö'\n", ("api", "host"), "ü", "ä: 1\napi:\n  host: ü\n"),
        ("chat:\n  options:\n    num_ctx: 1\nlog: {}\n", ("chat", "url"), "x",
         "chat:\n  options:\n    num_ctx: 1\n  url: x\nlog: {}\n"),
        ("api:\n  <<: {host: b}\n", ("api", "host"), "z", "api:\n  <<: {host: b}\n  host: z\n"),
        ("api: &x {port: 1}\n", ("api", "host"), "z", "api: &x {port: 1, host: z}\n"),
        ("---\napi: {host: 1}\n...\n", ("api", "host"), "z", "---\napi: {host: z}\n...\n"),
        ("\ufeffapi:\n  host: a\n", ("api", "host"), "z", "\ufeffapi:\n  host: z\n"),
        ("a: 1", ("data_dir",), "yes", "a: 1\ndata_dir: 'yes'\n"),
    ],
)  # fmt: skip
def test_other_files(before: str, key: Key, value: object, after: str) -> None:
    assert changed(before, {key: value}) == after


@pytest.mark.parametrize(
    "text",
    [
        "- 1\n", "word\n", "api: 5\n", "api: [1]\n", "api: null\n", "api: &x {host: a}\ngpu: *x\n",
        "api:\n  host: &h a\nlog:\n  level: *h\n", "api:\n  host: |\n    a\n", "api:\n  host: [a]\n",
    ],
)  # fmt: skip
def test_what_cannot_be_changed_in_place_is_said(text: str) -> None:
    with pytest.raises(CannotEdit, match=r"^api\.host cannot be changed in place$"):
        changed(text, {("api", "host"): "z"})


@pytest.mark.parametrize("text", ["a: [", "\t: x", "a: b: c\n", "'", "api: !!map"])
def test_what_is_no_yaml_is_refused(text: str) -> None:
    with pytest.raises(yamlfile.Unreadable):
        changed(text, {("api", "host"): "z"})
