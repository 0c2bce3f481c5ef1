"""``otterbot-worker token``, as it is typed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from otterbot_worker import cli
from otterbot_worker.queue.database import Database
from otterbot_worker.tokens import MOST, Entry, TokensFile, digest, used


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OTTERBOT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def typed(*words: str) -> int:
    return cli.main(["token", *words])


def test_a_token_is_shown_once_and_stored_as_a_hash(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("new", "open-webui", "--per-day", "200", "--answers-per-day", "50") == 0
    out, err = capsys.readouterr()
    token = out.strip()
    assert out == token + "\n", "nothing but the token, for scripts"
    assert "shown this once" in err
    stored = (data / "tokens.json").read_text()
    assert token not in stored
    assert digest(token.encode()).hex() in stored
    assert typed("list") == 0
    out, _ = capsys.readouterr()
    head, line = out.splitlines()
    assert head.split() == ["NAME", "KIND", "MADE", "LAST", "USED", "LIMITS"]
    assert line.split("  ")[0] == "open-webui"
    assert "program" in line
    assert "never" in line
    assert line.endswith("200 pictures a day, 50 answers a day")
    assert token not in out


def test_when_it_was_used_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed("new", "one")
    entry = TokensFile(data / "tokens.json").read().tokens[0]
    (data / "tokens-used.json").write_text(f'{{"{entry.id}": 1700002800}}')
    assert used.read(data / "tokens-used.json")
    capsys.readouterr()
    typed("list")
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(1_700_002_800)) in capsys.readouterr().out


def test_a_revoked_token_is_gone_and_its_name_free(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed("new", "one")
    assert typed("new", "one") == 2
    assert "first: otterbot-worker token revoke one" in capsys.readouterr().err
    assert typed("revoke", "one") == 0
    assert "is refused from now on" in capsys.readouterr().out
    assert typed("list") == 0
    assert "no other program has a token" in capsys.readouterr().out
    assert typed("new", "one") == 0


def test_what_cannot_be_done_is_a_sentence(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["new", "otterbot"], "otterbot is a client of the settings (api.clients)"),
        (["revoke", "otterbot"], f"otterbot is a client of the settings: delete {data / 'token'}"),
        (["revoke", "nobody"], "nobody has a token of this name"),
    ):
        assert typed(*words) == 2
        assert said in capsys.readouterr().err
    file = TokensFile(data / "tokens.json")
    entries = [Entry(name=f"n{n}", kind="program", sha256=f"{n:064x}", made_at=1) for n in range(MOST)]
    file.change(lambda stored: stored.model_copy(update={"tokens": entries}))
    assert typed("new", "one-more") == 2
    assert f"there are {MOST} tokens, the most" in capsys.readouterr().err
    file.path.write_text("{")
    for words in (["list"], ["new", "one"], ["revoke", "one"]):
        assert typed(*words) == 2
        assert "tokens.json: damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["new", name] for name in ("Ann", "a b", "a" * 33, "ä", "../x", "a\n", "", "a.b")
    ]
    + [["new", "a", "--per-day", number] for number in ("0", "-1", "1.5", "1000001", "x", "٣", "9" * 5000)],
)  # fmt: skip
def test_bad_names_and_numbers_are_refused(data: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        typed(*words)
    assert ended.value.code == 2
    assert "expected" in capsys.readouterr().err
    assert not (data / "tokens.json").exists()


def test_pictures_of_an_earlier_client_of_this_name_are_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def fill() -> None:
        database = await Database.open(data / "jobs.sqlite")
        insert = (
            "INSERT INTO images (image_id, client, job_id, idx, relpath, mimetype, thumbnail_type, private, created_at)"
            " VALUES (?, 'one', '', 0, ?, '', '', 0, 1)"
        )
        for name in ("a", "b"):
            await database.write(insert, (name, name))
        await database.close()

    asyncio.run(fill())
    assert typed("new", "one") == 0
    assert "its pictures can be fetched (2 in the archive)" in capsys.readouterr().err
    assert typed("new", "two") == 0
    assert "archive" not in capsys.readouterr().err
